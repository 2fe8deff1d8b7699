//! A node's own cache: an interface with its addresses, the cluster's names over TCP, an upgrade that nobody notices.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may fail, and lives in real time"
)]

mod support;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use support::process::Server;
use support::{ask, namespace};

const A: u16 = 1;
const MERIDIAN: &str = env!("CARGO_BIN_EXE_meridian");
const NODE: &str = "169.254.20.10";

/// The cluster's servers: they answer for a zone of their own.
fn upstream(directory: &std::path::Path) -> (Server, SocketAddr) {
    let text = "listen: [127.0.0.1:0]\nadmin: off\nworkers: 1\nrecursion: off\nzones:\n  cluster.local:\n    records:\n      \
                \"@\": {NS: ns.dns}\n      ns.dns: 127.0.0.1\n      web.default.svc: 10.96.7.7\n";
    std::fs::write(directory.join("upstream.yaml"), text).unwrap();
    let mut server = Server::start("upstream", directory, &[MERIDIAN, "serve", "--config", "upstream.yaml"]);
    let address = server.listens_on();
    server.wait_until_it_answers_at(address, ("web.default.svc.cluster.local.", A));
    (server, address)
}

fn node(directory: &std::path::Path, upstream: SocketAddr, replaces: bool) -> Server {
    let text = format!(
        "admin: off\nworkers: 2\nstate: state\nrecursion: {{hosts: off, dnssec: off}}\nkubernetes:\n  node_local: \
         {{addresses: [{NODE}], interface: lo, upstream: [\"{upstream}\"]}}\n"
    );
    std::fs::write(directory.join("node.yaml"), text).unwrap();
    let mut command = vec![MERIDIAN, "serve", "--config", "node.yaml"];
    command.extend(replaces.then_some("--replace"));
    Server::start(if replaces { "newer" } else { "node" }, directory, &command)
}

#[test]
fn a_nodes_cache_has_its_address_and_asks_the_cluster_over_tcp() {
    namespace::inside("a_nodes_cache_has_its_address_and_asks_the_cluster_over_tcp", &[], || {
        let directory = tempfile::tempdir().unwrap();
        let (_upstream, cluster) = upstream(directory.path());
        let address: SocketAddr = format!("{NODE}:53").parse().unwrap();
        let mut node = node(directory.path(), cluster, false);
        assert_eq!(node.listens_on(), address, "nobody gave the address to the interface before");
        node.wait_until_it_answers_at(address, ("web.default.svc.cluster.local.", A));
    });
}

/// A new version beside the old one, as a rolling update starts it: whoever is asked, every query is answered, and the
/// one that was replaced stays until it is told to end.
#[test]
fn an_upgrade_loses_no_query_and_the_replaced_one_rests() {
    namespace::inside("an_upgrade_loses_no_query_and_the_replaced_one_rests", &[], || {
        let directory = tempfile::tempdir().unwrap();
        let (_upstream, cluster) = upstream(directory.path());
        let address: SocketAddr = format!("{NODE}:53").parse().unwrap();
        let question = ("web.default.svc.cluster.local.", A);
        let mut old = node(directory.path(), cluster, false);
        assert_eq!(old.listens_on(), address);
        old.wait_until_it_answers_at(address, question);
        let is_over = AtomicBool::new(false);
        let asked = std::thread::scope(|scope| {
            let asking = scope.spawn(|| {
                let mut asked = 0;
                while !is_over.load(Ordering::Relaxed) {
                    let wait = Duration::from_secs(5);
                    assert!(ask::once(address, question.0, question.1, wait).is_some(), "query {asked} is lost");
                    asked += 1;
                }
                asked
            });
            let mut new = node(directory.path(), cluster, true);
            new.says("the running server has stepped down");
            old.says("resting until told to end");
            new.wait_until_it_answers_at(address, question);
            assert!(old.ended().is_none(), "it would be started again, and take back what it gave");
            old.signal("TERM");
            assert!(old.wait_for_end(Duration::from_secs(10)).success());
            new.wait_until_it_answers_at(address, question);
            is_over.store(true, Ordering::Relaxed);
            asking.join().unwrap()
        });
        assert!(asked > 0);
    });
}

#[test]
fn who_was_replaced_does_not_rest_for_ever_once_the_other_has_gone() {
    namespace::inside("who_was_replaced_does_not_rest_for_ever_once_the_other_has_gone", &[], || {
        let directory = tempfile::tempdir().unwrap();
        let (_upstream, cluster) = upstream(directory.path());
        let address: SocketAddr = format!("{NODE}:53").parse().unwrap();
        let mut old = node(directory.path(), cluster, false);
        assert_eq!(old.listens_on(), address);
        old.wait_until_it_answers_at(address, ("web.default.svc.cluster.local.", A));
        let mut new = node(directory.path(), cluster, true);
        old.says("resting until told to end");
        new.signal("KILL");
        new.wait_for_end(Duration::from_secs(10));
        assert!(old.wait_for_end(Duration::from_secs(20)).success(), "whoever starts it again has it serve");
    });
}
