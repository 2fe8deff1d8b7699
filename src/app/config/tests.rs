//! Whole files: what is read from good ones, and what is said about bad ones.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;
use tracing::level_filters::LevelFilter;

use super::*;
use crate::base::NetworkSet;
use crate::chain::Rewrites;
use crate::handlers::gate::{Algorithm, LimitSettings, Rate};

const MACHINE: Machine = Machine { cores: NonZeroUsize::new(4).unwrap(), memory: Some(8 << 30) };

fn load_text(text: &str) -> Result<Checked, Vec<Fault>> {
    load(Path::new("etc/bad.yaml"), text.as_bytes(), &MACHINE)
}

fn config(text: &str) -> Config {
    load_text(text).unwrap().config
}

/// What is said about a file, a line each, without the file's name.
fn said(text: &str) -> Vec<String> {
    let noted = match load_text(text) {
        Ok(checked) => checked.lints,
        Err(faults) => {
            assert!(faults.iter().any(|fault| fault.severity == Severity::Fault), "{text:?}");
            faults
        }
    };
    noted.iter().map(|fault| fault.to_string().strip_prefix("etc/bad.yaml:").unwrap().to_owned()).collect()
}

#[test]
fn the_built_in_configuration_is_the_defaults() {
    let builtin = builtin(&MACHINE).unwrap();
    assert_eq!(builtin.lints, []);
    let mut bare = builtin.config;
    let demo = bare.zones.pop().unwrap();
    assert_eq!((demo.apex.to_string(), bare.steering.names.len()), ("geo.example.".to_owned(), 8));
    let Steering { pools, policies, names, .. } = &mut bare.steering;
    (*pools, *policies, *names) = (Vec::new(), Vec::new(), Vec::new());
    assert_eq!(bare, config(""));
    assert_eq!(bare, config("{recursion: {}, cache: , log: {}, zones: {}}"));
    let Config {
        listen,
        admin,
        lame_duck,
        rotates,
        rewrites,
        fixed,
        workers,
        state,
        user,
        files,
        log,
        dnstap,
        recursion,
        cache,
        zones,
        keys,
        zones_folder,
        identity,
        steering,
        limits,
        kubernetes,
    } = bare;
    assert_eq!(kubernetes, None);
    assert_eq!((lame_duck, rotates, rewrites, fixed), (Duration::ZERO, false, Rewrites::default(), Vec::new()));
    assert_eq!((zones_folder, identity), (None, Identity::default()));
    assert!(zones.is_empty() && keys.is_empty() && steering.names.is_empty());
    assert_eq!(listen.iter().map(|l| l.address.to_string()).collect::<Vec<_>>(), ["127.0.0.1:5300", "[::1]:5300"]);
    assert_eq!(
        admin,
        Some(Admin {
            address: "127.0.0.1:9153".parse().unwrap(),
            token_file: None,
            health: None,
            ready: None,
            tells_coredns: false
        })
    );
    assert_eq!((workers, state, user, dnstap), (4, None, None, None));
    assert_eq!(files, [std::path::Path::new("/etc/hosts")]);
    assert_eq!(log, Log { levels: Levels::default(), format: LogFormat::Text, queries: QueryLog::default() });
    let recursion = recursion.unwrap();
    assert_eq!(recursion.allow, NetworkSet::private());
    assert_eq!(recursion.deny_upstreams, NetworkSet::never_upstream());
    assert_eq!(
        recursion.hosts.unwrap(),
        Hosts { file: "/etc/hosts".into(), ttl: Duration::from_secs(60), lines: None }
    );
    let cache = cache.unwrap();
    assert_eq!(cache.size, 256 << 20);
    assert_eq!(cache.prefetch, Some(Prefetch { hits: 2, window_percent: 10 }));
    assert_eq!(cache.stale.unwrap().wait, Duration::from_millis(1_800));
    let [queries] = limits.rates.queries.as_slice() else { panic!("one limit") };
    assert_eq!((queries.rate.count, queries.burst, queries.algorithm), (1_000, 2_000, Algorithm::TokenBucket));
    assert!(queries.exempt.contains("::1".parse().unwrap()) && queries.exempt.contains("127.1.2.3".parse().unwrap()));
    let responses = limits.rates.responses.unwrap();
    assert_eq!((responses.answers, responses.all), (Some(Rate { count: 200, per: Duration::from_secs(1) }), None));
    assert!(responses.exempts_clients && !responses.is_dry_run);
    assert_eq!((limits.cookies, limits.tcp), (Some(None), TcpLimits::default()));
}

#[test]
fn several_limits_of_queries_hold_at_once() {
    let text =
        "limits: {queries: [{rate: 10/s}, {rate: 100/min, algorithm: sliding_window_log}, {rate: 1000/h, slip: 0}]}";
    let limits = config(text).limits.rates.queries;
    let figures: Vec<_> = limits.iter().map(|limit| (limit.rate.count, limit.rate.per.as_secs(), limit.slip)).collect();
    assert_eq!(figures, [(10, 1, 1), (100, 60, 1), (1_000, 3_600, 0)]);
    assert_eq!(limits[0].burst, 20);
}

#[test]
fn any_block_of_limits_can_be_off() {
    let off = config("limits: off").limits;
    assert_eq!((off.rates, off.cookies), (LimitSettings::default(), None));
    let each = config("limits: {queries: off, responses: off, cookies: off, tcp: off}").limits;
    assert_eq!(each, config("limits: off").limits);
    let classes =
        config("limits: {responses: {rate: 5/s, nxdomain: 1/m, errors: off}}").limits.rates.responses.unwrap();
    assert_eq!(classes.nodata, classes.answers);
    assert_eq!((classes.errors, classes.nxdomain.unwrap().per.as_secs()), (None, 60));
}

#[test]
fn every_example_loads_without_a_word() {
    let mut count = 0;
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/examples")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let checked = read(&path, &MACHINE).unwrap_or_else(|faults| panic!("{faults:#?}"));
            assert_eq!(checked.lints, [], "{}", path.display());
            count += 1;
        }
    }
    assert!(count >= 3);
}

#[test]
fn values_arrive_as_written() {
    let config = config(
        r#"
listen: [{address: "192.0.2.53:53"}, "[2001:db8::53]:53"]
admin: {address: "192.0.2.53:9153"}
workers: 3
state: /var/lib/meridian
log: {level: debug, format: json, queries: 0.5%}
recursion:
  allow: [private, 203.0.113.0/24, "2001:db8::/32"]
  roots: root.hints
  hosts: {file: hosts, ttl: 5m}
  qname_minimisation: strict
  case_randomisation: off
  dnssec: {anchors: root.key, negative: [Corp.example, a.example.]}
  forward:
    .: [192.0.2.1, "192.0.2.1:5353", "[2001:db8::1]:53", 2001:db8::1, udp://192.0.2.2, "tcp://[2001:db8::2]"]
  stub: {lab.example: [192.0.2.7, "192.0.2.8:53"]}
  families: both
  deny_upstreams: []
  authority_port: 5353
cache: {size: 16MiB, min_ttl: 10s, max_ttl: 1h, max_negative_ttl: 0, prefetch: off, stale: false}
"#,
    );
    assert_eq!(config.listen.len(), 2);
    assert_eq!(config.admin.unwrap().address, "192.0.2.53:9153".parse().unwrap());
    assert_eq!(config.workers, 3);
    assert_eq!(config.state, Some(PathBuf::from("/var/lib/meridian")));
    let levels = Levels { all: LevelFilter::DEBUG, modules: Vec::new() };
    let queries = QueryLog { per_million: 5_000, slow: None };
    assert_eq!(config.log, Log { levels, format: LogFormat::Json, queries });
    let recursion = config.recursion.unwrap();
    assert!(recursion.allow.contains("203.0.113.7".parse().unwrap()));
    assert!(recursion.allow.contains("10.0.0.1".parse().unwrap()));
    assert!(!recursion.allow.contains("198.51.100.1".parse().unwrap()));
    assert_eq!(recursion.roots, Roots::File("etc/root.hints".into()));
    assert_eq!(
        recursion.hosts.unwrap(),
        Hosts { file: "etc/hosts".into(), ttl: Duration::from_secs(300), lines: None }
    );
    assert_eq!(recursion.qname_minimisation, QnameMinimisation::Strict);
    assert!(!recursion.case_randomisation);
    let negative = ["a.example.", "corp.example."].map(|name| name.parse().unwrap()).into();
    assert_eq!(recursion.dnssec, Some(Dnssec { anchors: TrustAnchors::File("etc/root.key".into()), negative }));
    let upstreams = &recursion.forward[0].upstreams;
    assert!(recursion.forward[0].zone.is_root());
    assert_eq!(
        upstreams.iter().map(|upstream| upstream.address.to_string()).collect::<Vec<_>>(),
        ["192.0.2.1:53", "192.0.2.1:5353", "[2001:db8::1]:53", "[2001:db8::1]:53", "192.0.2.2:53", "[2001:db8::2]:53"]
    );
    assert_eq!(upstreams.iter().filter(|upstream| upstream.is_tcp_only).count(), 1);
    assert_eq!(recursion.stub[0].servers, ["192.0.2.7:5353".parse().unwrap(), "192.0.2.8:53".parse().unwrap()]);
    assert_eq!(recursion.deny_upstreams, NetworkSet::default());
    assert_eq!(recursion.authority_port, 5353);
    let cache = config.cache.unwrap();
    assert_eq!((cache.size, cache.min_ttl.as_secs(), cache.max_ttl.as_secs()), (16 << 20, 10, 3_600));
    assert_eq!((cache.max_negative_ttl, cache.prefetch, cache.stale), (Duration::ZERO, None, None));
}

#[test]
fn blocks_can_be_off() {
    let config = config("{admin: off, recursion: off, log: off}\n");
    assert_eq!((config.admin, config.recursion), (None, None));
    assert_eq!(self::config("recursion: {hosts: false}").recursion.unwrap().hosts, None);
    for text in ["{dnssec: off}", "{dnssec: {validate: false, negative: [example]}}"] {
        assert_eq!(self::config(&format!("recursion: {text}")).recursion.unwrap().dnssec, None);
    }
    let validates = Some(Dnssec { anchors: TrustAnchors::Builtin, negative: Vec::new() });
    assert_eq!(self::config("recursion: {dnssec: {}}").recursion.unwrap().dnssec, validates);
    assert_eq!(self::config("").recursion.unwrap().dnssec, validates, "the default");
    assert_eq!(self::config("cache: false").cache, None);
}

#[test]
fn a_file_with_many_faults_hears_of_all_of_them() {
    let text = "\
listen:
  - 0.0.0.0
  - {address: 0.0.0.0:853, transport: tls, certificate: tls.crt, key: tls.key}
wokers: 4
log: {level: loud}
recursion:
  allow: [10.0.0.1/8, 192.0.2.0/33, lan]
  forward:
    corp.example: [tls://192.0.2.1, 192.0.2.1:0]
    a..b: [192.0.2.1]
  dnssec: {validate: maybe}
cache:
  size: 64KB
  min_ttl: 1.5s
  size: 1GiB
kubernetes: {apex: cluster.example}
";
    assert_eq!(
        said(text),
        [
            r#"2:5: listen[0]: found "0.0.0.0", allowed: an address with its port, such as 127.0.0.1:5300 or "[::1]:5300""#,
            r#"3:39: listen[1].transport: found "tls", allowed: no transport, which serves UDP and TCP (tls is not built yet)"#,
            r#"4:1: wokers: found the unknown key "wokers", allowed: listen, keys, geo, ecs, startup_timeout, checks, feeds, pools, policies, zones, steer, admin, lame_duck, answer_order, rewrite, fixed, workers, state, user, log, dnstap, recursion, cache, identity, limits or kubernetes (did you mean workers?)"#,
            r#"5:14: log.level: found "loud", allowed: off, error, warn, info, debug or trace, perhaps with others for modules, such as info,meridian::handlers::resolve=debug"#,
            r#"7:11: recursion.allow[0]: found "10.0.0.1/8", allowed: a network such as 10.0.0.0/8 (bits behind the prefix are set)"#,
            r#"7:23: recursion.allow[1]: found "192.0.2.0/33", allowed: a network such as 10.0.0.0/8 (the length is at most 32 for IPv4, 128 for IPv6)"#,
            r#"7:37: recursion.allow[2]: found "lan", allowed: a network such as 10.0.0.0/8 or fd00::/8"#,
            r#"9:20: recursion.forward."corp.example"[0]: found "tls://192.0.2.1", allowed: udp:// or tcp:// (tls:// is not built yet)"#,
            r#"9:37: recursion.forward."corp.example"[1]: found "192.0.2.1:0", allowed: an address, such as 192.0.2.1, udp://192.0.2.1:5353, tcp://192.0.2.1 or "[2001:db8::1]:53""#,
            r#"10:5: recursion.forward."a..b": found "a..b", allowed: a domain name such as corp.example (a label is empty)"#,
            r#"11:22: recursion.dnssec.validate: found "maybe", allowed: true or false"#,
            r#"13:9: cache.size: found "64KB", allowed: a size from 1MiB to 1TiB, such as 256MiB"#,
            r#"14:12: cache.min_ttl: found "1.5s", allowed: whole seconds from 0s to 1h, such as 30s or 1h"#,
            r#"15:3: cache.size: found "size" again, allowed: each key once (the first is on line 13)"#,
            r#"16:14: kubernetes.apex: found the unknown key "apex", allowed: api, namespaces, namespace_labels, zone, multicluster, reverse, fallthrough, external, ttl, pods, endpoint_names, endpoints, ignore_empty, stale_after, autopath, known_tlds, policy, node_local or labels"#,
        ]
    );
}

#[test]
fn each_fault_is_said_in_these_words() {
    let table: &[(&str, &str)] = &[
        ("listen: []", r#"1:9: listen: found [], allowed: a list of addresses, such as [0.0.0.0:53, "[::]:53"]"#),
        ("listen: 5300", r#"1:9: listen: found 5300, allowed: a list of addresses, such as [0.0.0.0:53, "[::]:53"]"#),
        (
            "listen: [127.0.0.1:53, 127.0.0.1:53]",
            "1:24: listen[1]: found 127.0.0.1:53 again, allowed: each address once",
        ),
        (
            "listen: [{transport: dot}]",
            "1:10: listen[0].address: found nothing, allowed: an address with its port, such as 127.0.0.1:5300 or \"[::1]:5300\"\n1:22: listen[0].transport: found \"dot\", allowed: no transport, which serves UDP and TCP (any other is not built yet)",
        ),
        (
            "listen: [{address: 127.0.0.1:53, key: k}]",
            "1:39: listen[0].key: found \"k\", allowed: nothing, as UDP and TCP are not encrypted",
        ),
        (
            "admin: 9153",
            "1:8: admin: found 9153, allowed: an address with its port, such as 127.0.0.1:5300 or \"[::1]:5300\"",
        ),
        (
            "admin: {token: x}",
            "1:9: admin.token: found the unknown key \"token\", allowed: address, token_file, health, ready or coredns_metrics",
        ),
        ("user: -x", "1:7: user: found \"-x\", allowed: off, or the name of a user"),
        ("workers: 0", "1:10: workers: found 0, allowed: auto or a number from 1 to 1024"),
        ("state: ''", "1:8: state: found \"\", allowed: the path of a file or folder"),
        (
            "log: {queries: 200%}",
            "1:16: log.queries: found \"200%\", allowed: off, all, a percentage such as 1% or a part such as 1/100; or a mapping such as {sample: 1/100, slow: 200ms}",
        ),
        ("log: text", "1:6: log: found \"text\", allowed: a mapping or off"),
        ("recursion: on", "1:12: recursion: found \"on\", allowed: a mapping or off"),
        (
            "recursion: {allow: everybody}",
            "1:20: recursion.allow: found \"everybody\", allowed: private, any or a list of networks, such as [10.0.0.0/8]",
        ),
        (
            "recursion: {deny_upstreams: off}",
            "1:29: recursion.deny_upstreams: found \"off\", allowed: default or a list of networks, such as [10.0.0.0/8]",
        ),
        (
            "recursion: {qname_minimisation: lax}",
            "1:33: recursion.qname_minimisation: found \"lax\", allowed: relaxed, strict or off",
        ),
        (
            "recursion: {families: ipv5}",
            "1:23: recursion.families: found \"ipv5\", allowed: both, ipv4 or ipv6 (did you mean ipv4?)",
        ),
        (
            "recursion: {case_randomisation: no}",
            "1:33: recursion.case_randomisation: found \"no\", allowed: true or false",
        ),
        (
            "recursion: {authority_port: 65536}",
            "1:29: recursion.authority_port: found 65536, allowed: a number from 1 to 65535",
        ),
        (
            "recursion: {alow: private}",
            "1:13: recursion.alow: found the unknown key \"alow\", allowed: allow, deny_upstreams, authority_port, families, forward, stub, roots, hosts, qname_minimisation, case_randomisation or dnssec (did you mean allow?)",
        ),
        (
            "recursion: {forward: {.: []}}",
            "1:26: recursion.forward.\".\": found [], allowed: nobody, a list of addresses, such as [192.0.2.1, \"2001:db8::1\"], or a mapping such as {to: [192.0.2.1, 192.0.2.2], policy: random}",
        ),
        (
            "recursion: {forward: {.: 192.0.2.1}}",
            "1:26: recursion.forward.\".\": found \"192.0.2.1\", allowed: nobody, a list of addresses, such as [192.0.2.1, \"2001:db8::1\"], or a mapping such as {to: [192.0.2.1, 192.0.2.2], policy: random}",
        ),
        (
            "recursion: {forward: {.: [dns.example]}}",
            "1:27: recursion.forward.\".\"[0]: found \"dns.example\", allowed: an address, such as 192.0.2.1, udp://192.0.2.1:5353, tcp://192.0.2.1 or \"[2001:db8::1]:53\"",
        ),
        (
            "recursion: {forward: {.: [https://192.0.2.1/dns-query]}}",
            "1:27: recursion.forward.\".\"[0]: found \"https://192.0.2.1/dns-query\", allowed: udp:// or tcp:// (https:// is not built yet)",
        ),
        (
            "recursion: {forward: {.: [\"[::1]:5300\"]}}",
            "1:27: recursion.forward.\".\"[0]: found \"[::1]:5300\", allowed: another server (we listen on this address ourselves)",
        ),
        (
            "recursion: {families: ipv6, forward: {.: [192.0.2.1]}}",
            "1:43: recursion.forward.\".\"[0]: found \"192.0.2.1\", allowed: a server of the address family that recursion.families allows",
        ),
        (
            "recursion: {forward: {A.example: [192.0.2.1], a.example.: [192.0.2.2]}}",
            "1:47: recursion.forward.\"a.example.\": found the zone a.example. again, allowed: each zone once",
        ),
        (
            "recursion: {forward: {a.example: [192.0.2.1]}, stub: {a.example: [192.0.2.2]}}",
            "1:54: recursion.stub: found a.example., which is forwarded, allowed: each zone in forward or in stub",
        ),
        (
            "recursion: {dnssec: {anchors: '', validat: true}}",
            "1:31: recursion.dnssec.anchors: found \"\", allowed: the path of a file or folder\n1:35: recursion.dnssec.validat: found the unknown key \"validat\", allowed: validate, anchors or negative (did you mean validate?)",
        ),
        (
            "recursion: {dnssec: {negative: [a..b]}}",
            "1:33: recursion.dnssec.negative[0]: found \"a..b\", allowed: a domain name such as corp.example",
        ),
        ("cache: {size: 1KiB}", "1:15: cache.size: found \"1KiB\", allowed: a size from 1MiB to 1TiB, such as 256MiB"),
        (
            "cache: {min_ttl: 1h, max_ttl: 1m}",
            "1:18: cache.min_ttl: found \"1h\", allowed: whole seconds from 0s to 1m, such as 30s or 1h",
        ),
        (
            "cache: {max_ttl: 2d}",
            "1:18: cache.max_ttl: found \"2d\", allowed: whole seconds from 1s to 1d, such as 30s or 1h",
        ),
        (
            "cache: {prefetch: {hits: -1, window: 10}}",
            "1:26: cache.prefetch.hits: found -1, allowed: a number from 1 to 1000000\n1:38: cache.prefetch.window: found 10, allowed: a whole percentage from 1% to 50%",
        ),
        (
            "cache: {stale: {wait: 5s}}",
            "1:23: cache.stale.wait: found \"5s\", allowed: a duration from 0s to 4500ms, such as 1.8s or 500ms",
        ),
        (
            "limits: {queries: {rate: 1000/ms}}",
            "1:26: limits.queries.rate: found \"1000/ms\", allowed: a rate, such as 20/s, 100/m, 1000/h or 5000/d; the number from 1 to 1000000",
        ),
        (
            "limits: {queries: {algorithm: fixed_window, burst: 5}}",
            "1:52: limits.queries.burst: found 5, allowed: nothing, as only a token_bucket has a burst",
        ),
        (
            "limits: {responses: {prefix: 33/56}}",
            "1:30: limits.responses.prefix: found \"33/56\", allowed: the bits of IPv4 and IPv6 addresses that make a client, such as 24/56",
        ),
        (
            "limits: {tcp: {idle: 20h}}",
            "1:22: limits.tcp.idle: found \"20h\", allowed: a duration from 200ms to 10m, such as 1.8s or 500ms",
        ),
        (
            "zones: zones/",
            "1:8: zones: found \"zones/\" (No such file or directory (os error 2)), allowed: a mapping such as {example.com: {file: example.com.zone}}, or a folder",
        ),
        ("ecs: true", "1:6: ecs: found true, allowed: a mapping or off"),
        ("- listen", "1:1: found a list, allowed: a mapping of keys, such as `listen: [127.0.0.1:5300]`"),
        ("[a]: b", "1:1: found a list, allowed: a word as key"),
        (
            "<<: {workers: 2}",
            "1:1: \"<<\": found the unknown key \"<<\", allowed: listen, keys, geo, ecs, startup_timeout, checks, feeds, pools, policies, zones, steer, admin, lame_duck, answer_order, rewrite, fixed, workers, state, user, log, dnstap, recursion, cache, identity, limits or kubernetes",
        ),
        ("listen: [127.0.0.1:53", "1:9: found broken YAML (unclosed bracket '['), allowed: YAML 1.2"),
        ("a: b: c", "1:5: found broken YAML (mapping values are not allowed in this context), allowed: YAML 1.2"),
        (
            "workers: 1\n\tuser: a",
            "1:10: found broken YAML (while scanning a plain scalar, found a tab), allowed: YAML 1.2",
        ),
        ("workers: *cores", "1:10: found broken YAML (reference to unknown value), allowed: YAML 1.2"),
        ("workers: !!int many", "1:16: found broken YAML (invalid u64), allowed: YAML 1.2"),
        (
            "--- {}\n--- {}",
            "2:5: found broken YAML (only single YAML document expected but multiple found), allowed: YAML 1.2",
        ),
    ];
    let differences: Vec<_> = table
        .iter()
        .map(|(text, expected)| (text, said(text).join("\n"), expected))
        .filter(|(_, said, expected)| said != *expected)
        .collect();
    assert!(differences.is_empty(), "file, said, expected: {differences:#?}");
}

#[test]
fn what_is_no_text_is_said_where_it_stands() {
    let faults = load(Path::new("x.yaml"), b"workers: 1\n# \xc3\xa9\xff", &MACHINE).unwrap_err();
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].to_string(), "x.yaml:2:4: found octets that are no UTF-8, allowed: UTF-8 text");
}

#[test]
fn what_is_probably_not_meant_is_a_lint() {
    let table: &[(&str, &[&str])] = &[
        ("recursion: {allow: any}", &[]),
        (
            "listen: [0.0.0.0:53]\nstate: s\nrecursion: {allow: any}",
            &[
                "3:20: recursion.allow: lint: found everybody, while listening on 0.0.0.0:53, better: the networks of your clients; open resolvers are used for attacks",
            ],
        ),
        (
            "listen: [0.0.0.0:53]\nrecursion: {deny_upstreams: [], dnssec: off}",
            &[
                "2:29: recursion.deny_upstreams: lint: found no networks, while listening on 0.0.0.0:53, better: default; a foreign delegation could make us query this very machine",
            ],
        ),
        (
            "listen: [0.0.0.0:53]",
            &[
                "1:1: state: lint: found no folder, while validating for those who reach 0.0.0.0:53, better: a folder, in which is kept what the root's keys change to (RFC 5011)",
            ],
        ),
        (
            "recursion: {roots: hints}",
            &[
                "1:1: recursion.dnssec: lint: found the anchors of the public root beside the servers of etc/hints, better: a file with the keys of that root, or `dnssec: off` if it is not signed",
            ],
        ),
        ("recursion: {roots: hints, dnssec: {anchors: root.key}}", &[]),
        (
            "admin: 192.0.2.1:9153",
            &[
                "1:8: admin: lint: found 192.0.2.1:9153, which others can reach, better: a loopback address or a `token_file`; without either only /health, /ready and /metrics answer",
            ],
        ),
        (
            "cache: {size: 5GiB}",
            &["1:15: cache.size: lint: found 5GiB on a machine of 8192MiB, better: at most half of the memory"],
        ),
        (
            "recursion: off\ncache: {size: 1GiB}",
            &["2:8: cache: lint: found a cache of 1GiB beside `recursion: off`, better: off; only recursion fills it"],
        ),
    ];
    for (text, expected) in table {
        assert_eq!(said(text), *expected, "in {text:?}");
    }
}

#[test]
fn aliases_stand_for_what_they_repeat() {
    let config = config("recursion: {forward: {a.example: &ours [192.0.2.1], b.example: *ours}}");
    let forward = config.recursion.unwrap().forward;
    assert_eq!(forward[0].upstreams, forward[1].upstreams);
}

proptest! {
    #[test]
    fn no_octets_upset_the_loader(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(load(Path::new("x"), &bytes, &MACHINE).err().is_none_or(|faults| !faults.is_empty()));
    }

    #[test]
    fn no_text_upsets_the_loader(text in "([a-z.0-9/]|[-:,{}\\[\\]&*!|>'\"%@`#?~\\n\\t ]|\\PC){0,200}") {
        prop_assert!(load(Path::new("x"), text.as_bytes(), &MACHINE).err().is_none_or(|faults| !faults.is_empty()));
    }

    #[test]
    fn a_damaged_configuration_is_loaded_or_its_faults_have_places(
        at in 0..BUILTIN.len(), cut in 0..60_usize, put in "[-a-z0-9.:{}\\[\\], \\n]{0,12}",
    ) {
        let mut text = BUILTIN.as_bytes().to_vec();
        text.splice(at..(at + cut).min(text.len()), put.bytes());
        let lines = text.split(|&byte| byte == b'\n').count() as u64;
        if let Err(faults) = load(Path::new("x"), &text, &MACHINE) {
            prop_assert!(!faults.is_empty());
            prop_assert!(faults.iter().all(|fault| (1..=lines + 1).contains(&fault.at.line) && fault.at.column >= 1));
        }
    }
}
