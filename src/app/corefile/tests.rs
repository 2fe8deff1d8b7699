//! Corefiles as clusters have them, and what becomes of each.

use std::num::NonZeroUsize;
use std::path::Path;

use super::reading::tests::Made;
use super::*;
use crate::app::config::{self, Config, Machine};

/// The configuration of a Corefile, which must be without faults, and its notes.
fn translated(files: &[(&str, &str)]) -> (Config, Vec<String>, String) {
    let translation = translate(Path::new(files[0].0), &Made(files)).unwrap();
    let machine = Machine { cores: NonZeroUsize::MIN, memory: None };
    let checked = config::load(Path::new("/c/m.yaml"), translation.text.as_bytes(), &machine);
    let checked = checked.unwrap_or_else(|faults| panic!("{}\n{}", config::lines(&faults), translation.text));
    let lints: Vec<&str> = checked.lints.iter().map(|lint| lint.key.as_str()).collect();
    assert!(lints.is_empty() || lints == ["recursion.allow"], "{lints:?}");
    (checked.config, translation.notes.iter().map(ToString::to_string).collect(), translation.text)
}

fn one(text: &str) -> (Config, Vec<String>, String) {
    translated(&[("/c/Corefile", text)])
}

fn lost(notes: &[String]) -> Vec<&String> {
    notes.iter().filter(|note| note.contains("not translated")).collect()
}

const KUBEADM: &str = "\
.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    forward . 192.0.2.53 192.0.2.54 {
       max_concurrent 500
    }
    cache 30 {
       disable success cluster.local
       disable denial cluster.local
    }
    loop
    reload
    loadbalance
}
";

#[test]
fn the_stock_manifest_keeps_its_ports_times_and_names() {
    let (config, notes, text) = one(KUBEADM);
    let listen: Vec<String> = config.listen.iter().map(|listen| listen.address.to_string()).collect();
    assert_eq!(listen, ["0.0.0.0:53", "[::]:53"]);
    let admin = config.admin.unwrap();
    assert_eq!(
        (admin.address.port(), admin.health.unwrap().port(), admin.ready.unwrap().port()),
        (9_153, 8_080, 8_181)
    );
    assert!(admin.tells_coredns && config.rotates && config.lame_duck.as_secs() == 5);
    let names = config.kubernetes.unwrap().names;
    assert_eq!((names.zones.len(), names.ttl.as_secs(), names.pods), (1, 30, crate::handlers::cluster::Pods::Insecure));
    let recursion = config.recursion.unwrap();
    let forward = &recursion.forward[0];
    assert_eq!((forward.upstreams.len(), forward.order), (2, config::ForwardOrder::Random));
    assert_eq!((forward.concurrent, recursion.hosts), (Some(500), None));
    let cache = config.cache.unwrap();
    let ttls = [cache.min_ttl, cache.max_ttl, cache.max_negative_ttl].map(|ttl| ttl.as_secs());
    assert_eq!((ttls, cache.prefetch, cache.stale), ([5, 30, 30], None, None));
    assert!(config.limits.rates.queries.is_empty());
    assert_eq!(lost(&notes), Vec::<&String>::new());
    assert!(text.contains("#   /c/Corefile:20: loop: "), "{text}");
}

#[test]
fn azures_templates_imports_and_servers_of_their_own_are_taken_along() {
    let corefile = "\
.:53 {
    errors
    kubernetes cluster.local in-addr.arpa ip6.arpa {
      pods insecure
      fallthrough in-addr.arpa ip6.arpa
      ttl 30
    }
    forward . 192.0.2.53
    cache 30
    import custom/*.override
    template ANY ANY internal.cloudapp.net {
      match \"^(?:[^.]+\\.){4,}internal\\.cloudapp\\.net\\.$\"
      rcode NXDOMAIN
      fallthrough
    }
    template ANY ANY reddog.microsoft.com {
      rcode NXDOMAIN
    }
}
import custom/*.server
";
    let own = "corp.example:53 {\n  forward . 192.0.2.7 192.0.2.8 {\n    policy sequential\n  }\n}\n";
    let (config, notes, _) =
        translated(&[("/c/Corefile", corefile), ("/c/custom/a.override", "log\n"), ("/c/custom/b.server", own)]);
    assert_eq!(config.log.queries.per_million, 1_000_000);
    let zones: Vec<String> = config.fixed.iter().map(|rule| rule.zone.to_string()).collect();
    assert_eq!(zones, ["internal.cloudapp.net.", "reddog.microsoft.com."]);
    let forward: Vec<String> = config.recursion.unwrap().forward.iter().map(|one| one.zone.to_string()).collect();
    assert_eq!(forward, [".", "corp.example."]);
    assert_eq!(lost(&notes), Vec::<&String>::new());
    assert!(notes.iter().any(|note| note.starts_with("/c/custom/b.server:1: log: ")), "{notes:?}");
}

#[test]
fn hosts_rewrites_and_templates_are_translated_in_their_order() {
    let (config, notes, text) = one("\
. {
    hosts /etc/coredns/NodeHosts {
      192.0.2.9 gate.example api.cluster.local
      ttl 60
      fallthrough
    }
    kubernetes cluster.local
    rewrite name exact old.example new.example
    rewrite continue name a.example b.example
    rewrite name b.example c.example
    template IN A web.example {
      match ^web-[0-9]+[.]
      answer \"{{ .Name }} 60 IN A 192.0.2.1\"
    }
    forward . 192.0.2.53 {
      except internal.example
    }
}
");
    let names: Vec<String> = config.fixed.iter().map(|rule| rule.zone.to_string()).collect();
    assert_eq!(names, ["web.example.", "web.example.", "api.cluster.local.", "api.cluster.local."], "{text}");
    assert_eq!(config.fixed[1].rcode, crate::dns::Rcode::SERVFAIL);
    let recursion = config.recursion.unwrap();
    assert_eq!(recursion.hosts.unwrap().lines.as_deref(), Some("192.0.2.9 gate.example api.cluster.local\n"));
    let nobody: Vec<bool> = recursion.forward.iter().map(|zone| zone.upstreams.is_empty()).collect();
    assert_eq!(nobody, [false, true]);
    assert!(text.contains("a.example: c.example") && text.contains("b.example: c.example"), "{text}");
    assert_eq!(lost(&notes), Vec::<&String>::new());
}

#[test]
fn what_is_served_nowhere_is_refused_and_what_no_plugin_answers_has_nobody() {
    let (config, ..) = one("example.org {\n  whoami\n}\n10.0.0.0/24 {\n  forward . 192.0.2.1\n}\n");
    let [rule] = config.fixed.as_slice() else { panic!("one rule") };
    assert_eq!((rule.rcode, rule.except.len()), (crate::dns::Rcode::REFUSED, 2));
    let forward = config.recursion.unwrap().forward;
    assert_eq!(forward.iter().map(|zone| zone.upstreams.len()).collect::<Vec<_>>(), [1, 0]);
}

#[test]
fn whatever_has_nothing_in_its_place_is_told_with_its_line() {
    let (_, notes, _) = one("\
.:53 tls://.:853 {
    acl {
      block
    }
    forward . tls://192.0.2.1 {
      tls_servername dns.example
      next NXDOMAIN
    }
    template IN A x {
      match (?P<a>a)
      answer \"{{ .Name }} 60 IN A {{ .Group.a }}\"
    }
    rewrite type ANY HINFO
    loadbalance weighted file
    log . {
      class denial
    }
    cache {
      keepttl
    }
    route53 x:y
    kubernetes cluster.local {
      tls a b c
    }
}
");
    let lines: Vec<&str> = lost(&notes).iter().map(|note| note.split(':').nth(1).unwrap()).collect();
    assert_eq!(lines, ["1", "2", "5", "6", "7", "9", "13", "14", "15", "19", "21", "23"], "{notes:#?}");
}

#[test]
fn no_corefile_upsets_the_translator() {
    let plugins = [
        "kubernetes",
        "kubernetes .",
        "kubernetes a a",
        "k8s_external",
        "autopath",
        "forward",
        "forward .",
        "forward . x",
        "forward a..b 192.0.2.1",
        "cache",
        "cache 0",
        "cache 999999 a",
        "cache {\n success x y z\n denial\n prefetch\n serve_stale x\n}",
        "hosts",
        "hosts {\n 192.0.2.1\n}",
        "hosts a b c",
        "rewrite",
        "rewrite name",
        "rewrite name a..b c",
        "template",
        "template IN A",
        "template CH A",
        "template IN AXFR",
        "template IN A {\n match (\n}",
        "template IN A {\n answer {{\n}",
        "errors {\n x\n}",
        "log a b",
        "health x",
        "health :1",
        "ready :1",
        "prometheus :1",
        "prometheus :2",
        "bind eth0",
        "bind ::1",
        "chaos",
        "chaos a b",
        "nsid",
        "nsid a",
        "bufsize 1",
        "root",
        "file",
        "file a .",
        "file a b c",
        "loop",
        "reload 1s",
        "x y { z }",
    ];
    let mut found = std::collections::BTreeMap::new();
    for one_plugin in plugins {
        for other in plugins {
            let text = format!(".:53 {{\n {one_plugin}\n {other}\n}}\nexample.org {{\n {other}\n {one_plugin}\n}}\n");
            let Ok(translation) = translate(Path::new("/c/Corefile"), &Made(&[("/c/Corefile", &text)])) else {
                continue;
            };
            let machine = Machine { cores: NonZeroUsize::MIN, memory: None };
            if let Err(faults) = config::load(Path::new("/c/m.yaml"), translation.text.as_bytes(), &machine) {
                found.insert(config::lines(&faults), text);
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}
