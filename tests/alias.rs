//! ALIAS at the apex: the binary finds the target's addresses by itself, in its own zones and elsewhere.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may fail, and lives in real time"
)]

mod support;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;

use support::process::Server;
use support::wire::Response;
use support::{ask, wait};

const A: u16 = 1;
const AAAA: u16 = 28;

/// An address of this process's own, with a port that is free.
fn free_address(host: u8) -> SocketAddr {
    let [.., high, low] = std::process::id().to_be_bytes();
    UdpSocket::bind((Ipv4Addr::new(127, host, high, low), 0)).unwrap().local_addr().unwrap()
}

fn start(name: &str, directory: &Path, address: SocketAddr, rest: &str) -> Server {
    let text = format!("listen: [\"{address}\"]\nadmin: off\nworkers: 1\nlog: {{level: debug}}\n{rest}");
    let file = directory.join(format!("{name}.yaml"));
    std::fs::write(&file, text).unwrap();
    let mut server =
        Server::start(name, directory, &[env!("CARGO_BIN_EXE_meridian"), "serve", "--config", file.to_str().unwrap()]);
    server.wait_until_it_answers_at(address, ("localhost.", A));
    server
}

/// Asks until the server knows the answer.
fn awaited(server: SocketAddr, name: &str, rtype: u16, is_right: impl Fn(&Response) -> bool) -> Response {
    wait::until(name, || {
        let response = ask::patiently(server, name, rtype, 3, Duration::from_secs(1)).unwrap();
        is_right(&response).then_some(response)
    })
}

fn addresses(response: &Response) -> Vec<String> {
    let mut all: Vec<String> = response.answer.iter().map(|record| record.rdata.clone()).collect();
    all.sort();
    all
}

#[test]
fn an_alias_leads_into_our_own_zones_without_recursion() {
    let directory = tempfile::tempdir().unwrap();
    let address = free_address(120);
    let zones = "recursion: off\nzones:\n  \
        example.com: {records: [\"@ SOA ns h 1 3600 600 86400 60\", \"@ NS ns.example.net.\", \"@ 50 ALIAS www.example.net.\"]}\n  \
        example.net: {records: [\"@ SOA ns h 1 3600 600 86400 60\", \"@ NS ns\", \"www CNAME web\", \"web 90 A 192.0.2.7\", \"ns A 192.0.2.1\"]}\n";
    let _server = start("meridian", directory.path(), address, zones);
    let response = awaited(address, "example.com.", A, |response| response.rcode == 0);
    assert_eq!(addresses(&response), ["192.0.2.7"]);
    assert_eq!((response.answer[0].owner.as_str(), response.answer[0].ttl), ("example.com.", 50));
    assert!(response.authoritative);
    assert!(addresses(&awaited(address, "example.com.", AAAA, |response| response.rcode == 0)).is_empty());
}

#[test]
fn an_alias_follows_its_target_and_outlives_its_servers() {
    let directory = tempfile::tempdir().unwrap();
    let (upstream, address) = (free_address(121), free_address(122));
    let elsewhere = |last: u8| {
        format!(
            "recursion: off\nzones:\n  test: {{records: [\"@ SOA ns h 1 3600 600 86400 60\", \"@ NS ns\", \
             \"ns A 192.0.2.1\", \"web 1 A 192.0.2.{last}\"]}}\n"
        )
    };
    let server = start("upstream", directory.path(), upstream, &elsewhere(1));
    let zones = format!(
        "recursion: {{hosts: off, dnssec: off, deny_upstreams: [], forward: {{test: [\"{upstream}\"]}}}}\ncache: off\nzones:\n  \
         example.com: {{records: [\"@ SOA ns h 1 3600 600 86400 60\", \"@ NS ns.example.net.\", \"@ 50 ALIAS web.test.\"]}}\n"
    );
    let _server = start("meridian", directory.path(), address, &zones);
    let response = awaited(address, "example.com.", A, |response| response.rcode == 0);
    assert_eq!((addresses(&response), response.answer[0].ttl), (vec!["192.0.2.1".to_owned()], 1));
    drop(server);
    let response = awaited(address, "example.com.", A, |_| true);
    assert_eq!(addresses(&response), ["192.0.2.1"], "the target's servers are gone");
    let _server = start("upstream", directory.path(), upstream, &elsewhere(2));
    awaited(address, "example.com.", A, |response| addresses(response) == ["192.0.2.2"]);
}
