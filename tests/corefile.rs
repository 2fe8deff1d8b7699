//! A Corefile, translated and served: what clients, probes and dashboards of CoreDNS find.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may fail, and lives in real time"
)]

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

mod support;
use support::process::{Server, meridian};
use support::{ask, scrape};

const COREFILE: &str = "\
.:0 {
    bind 127.0.0.1
    errors
    health 127.0.0.1:0 {
        lameduck 30s
    }
    ready 127.0.0.1:0
    prometheus 127.0.0.1:0
    hosts {
        192.0.2.1 many.example
        192.0.2.2 many.example
        192.0.2.3 many.example
        fallthrough
    }
    rewrite name exact old.example many.example
    template ANY ANY internal {
        rcode NXDOMAIN
    }
    template IN A web.example {
        match ^web-[0-9]+[.]
        answer \"{{ .Name }} 60 IN A 192.0.2.80\"
        fallthrough
    }
    cache 30
    loadbalance
}
";

#[test]
fn a_translated_corefile_answers_probes_and_queries_as_coredns_would() {
    let folder = tempfile::tempdir().unwrap();
    let corefile = folder.path().join("Corefile");
    std::fs::write(&corefile, COREFILE).unwrap();
    let told = Command::new(meridian()).arg("corefile").arg(&corefile).output().unwrap();
    assert_eq!(told.status.code(), Some(0), "{}", String::from_utf8_lossy(&told.stderr));
    let file = folder.path().join("meridian.yaml");
    std::fs::write(&file, &told.stdout).unwrap();
    let mut server =
        Server::start("meridian", folder.path(), &[&meridian(), "serve", "--config", file.to_str().unwrap()]);
    let dns = server.listens_on();
    let wait = Duration::from_secs(5);
    let answer = |name: &str, rtype: u16| ask::patiently(dns, name, rtype, 5, wait).unwrap();
    let data = |name: &str| answer(name, 1).answer.into_iter().map(|record| record.rdata).collect::<Vec<String>>();
    let firsts: BTreeSet<String> = (0..60).map(|_| data("many.example.").remove(0)).collect();
    assert_eq!(firsts.len(), 3, "each is first for some query: {firsts:?}");
    let rewritten = answer("old.example.", 1);
    assert_eq!(rewritten.answer.len(), 3);
    assert!(rewritten.answer.iter().all(|record| record.owner.starts_with("old.example")));
    assert_eq!(answer("a.internal.", 28).rcode, 3);
    assert_eq!(data("web-7.web.example."), ["192.0.2.80"]);
    assert_eq!(answer("nobody.example.", 1).rcode, 2, "no plugin has it");
    let admin = server.is_administered_on();
    let (health, ready) = (server.names("health on http://"), server.names("readiness on http://"));
    let status = |address, path: &str| {
        let response = scrape::request(address, &format!("GET {path} HTTP/1.1"), "");
        response.split_whitespace().nth(1).unwrap().to_owned()
    };
    assert_eq!([status(health, "/health"), status(ready, "/ready"), status(health, "/metrics")], ["200", "200", "404"]);
    let figures = scrape::scrape(admin);
    let of = [("server", "dns://:53"), ("zone", "."), ("view", "")];
    let asked =
        |more: &[(&'static str, &'static str)]| figures.one("coredns_dns_requests_total", &[&of[..], more].concat());
    assert!(asked(&[("proto", "udp"), ("family", "1"), ("type", "A")]) >= 60.0);
    server.signal("TERM");
    server.says("not ready from now on");
    assert_eq!([status(health, "/health"), status(ready, "/ready")], ["200", "503"]);
    assert_eq!(data("web-8.web.example."), ["192.0.2.80"], "a lame duck answers");
    server.signal("TERM");
    assert!(server.wait_for_end(Duration::from_secs(20)).success());
}
