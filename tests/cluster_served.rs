//! A cluster's names from the API to the wire, by the whole server: when it is ready, what a reload changes, what a
//! restart without an API still knows.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may fail, and lives in real time"
)]

mod support;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use support::api_server::ApiServer;
use support::process::Server;
use support::{ask, scrape, wait};

const A: u16 = 1;
const MERIDIAN: &str = env!("CARGO_BIN_EXE_meridian");
const WEB: &str = "web.default.svc.cluster.local.";

fn api() -> ApiServer {
    let api = ApiServer::start();
    api.put("namespaces", json!({"kind": "Namespace", "metadata": {"name": "default"}}));
    put_service(&api, "web", "10.96.7.7");
    api
}

fn put_service(api: &ApiServer, name: &str, address: &str) {
    let spec = json!({"type": "ClusterIP", "clusterIP": address, "clusterIPs": [address], "ports": [{"port": 80}]});
    let metadata = json!({"name": name, "namespace": "default"});
    api.put("services", json!({"kind": "Service", "metadata": metadata, "spec": spec}));
}

fn configure(directory: &Path, url: &str, more: &str) {
    let text = format!(
        "listen: [\"127.0.0.1:0\"]\nadmin: 127.0.0.1:0\nworkers: 1\nstate: state\nstartup_timeout: 0s\nrecursion: \
         off\nkubernetes: {{api: {{url: \"{url}\"}}{more}}}\n"
    );
    std::fs::write(directory.join("meridian.yaml"), text).unwrap();
}

fn start(directory: &Path) -> (Server, SocketAddr, SocketAddr) {
    let mut server = Server::start("served", directory, &[MERIDIAN, "serve", "--config", "meridian.yaml"]);
    let (address, admin) = (server.listens_on(), server.is_administered_on());
    (server, address, admin)
}

/// What is answered: the RCODE, and the TTL of the first record.
fn answer(address: SocketAddr, name: &str) -> (u16, Option<u32>) {
    let response = ask::patiently(address, name, A, 3, Duration::from_secs(2)).expect("an answer");
    (response.rcode, response.answer.first().map(|record| record.ttl))
}

fn is_ready(admin: SocketAddr) -> bool {
    scrape::request(admin, "GET /ready HTTP/1.1", "").starts_with("HTTP/1.1 200")
}

fn status(admin: SocketAddr) -> Value {
    let response = scrape::request(admin, "GET /v1/status HTTP/1.1", "");
    serde_json::from_str(response.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[test]
fn a_server_is_ready_once_it_knows_the_cluster_and_follows_it() {
    let directory = tempfile::tempdir().unwrap();
    let api = api();
    api.set_down(true);
    configure(directory.path(), &api.url(), "");
    let (_server, address, admin) = start(directory.path());
    assert_eq!(answer(address, WEB).0, 2, "SERVFAIL, never NXDOMAIN");
    assert!(!is_ready(admin));
    api.set_down(false);
    wait::until("readiness", || is_ready(admin).then_some(()));
    assert_eq!(answer(address, WEB), (0, Some(5)));
    let late = "late.default.svc.cluster.local.";
    assert_eq!(answer(address, late).0, 3);
    put_service(&api, "late", "10.96.7.9");
    wait::until("the new service", || (answer(address, late).0 == 0).then_some(()));
    let cluster = status(admin)["cluster"].clone();
    assert_eq!((&cluster["synced"], &cluster["standing"]), (&json!(true), &json!("current")));
    let services = cluster["kinds"].as_array().unwrap().iter().find(|kind| kind["kind"] == "services").unwrap();
    assert_eq!((&services["objects"], &services["failure"]), (&json!(2), &Value::Null));
}

#[test]
fn a_reload_changes_how_the_cluster_is_answered_and_whether() {
    let directory = tempfile::tempdir().unwrap();
    let api = api();
    configure(directory.path(), &api.url(), "");
    let (server, address, admin) = start(directory.path());
    wait::until("readiness", || is_ready(admin).then_some(()));
    configure(directory.path(), &api.url(), ", ttl: 40s");
    server.signal("HUP");
    wait::until("the new TTL", || (answer(address, WEB) == (0, Some(40))).then_some(()));
    // What only reads the table needs no API: the watch goes on as it is.
    configure(directory.path(), &api.url(), ", ttl: 40s, policy: [{namespaces: [shop], deny: [evil.example]}]");
    server.signal("HUP");
    wait::until("pods to be known", || is_ready(admin).then_some(()));
    server.says("configuration read again: generation 3");
    api.set_down(true);
    configure(directory.path(), &api.url(), ", ttl: 40s, policy: [{namespaces: [shop], deny: [good.example]}]");
    server.signal("HUP");
    server.says("configuration read again: generation 4");
    assert_eq!(answer(address, WEB), (0, Some(40)));
    let standing = status(admin)["cluster"]["standing"].as_str().unwrap().to_owned();
    assert!(!standing.starts_with("as saved"), "begun anew: {standing}");
    api.set_down(false);
    configure(directory.path(), &api.url(), "");
    let text = std::fs::read_to_string(directory.path().join("meridian.yaml")).unwrap();
    let (without, _) = text.split_once("kubernetes").unwrap();
    std::fs::write(directory.path().join("meridian.yaml"), without).unwrap();
    server.signal("HUP");
    wait::until("no cluster", || (answer(address, WEB).0 == 5).then_some(()));
    assert!(is_ready(admin));
    assert_eq!(status(admin)["cluster"], Value::Null);
}

#[test]
fn who_orders_a_reload_hears_of_it_however_long_it_waits_for_the_api() {
    let directory = tempfile::tempdir().unwrap();
    let [api, other] = [api(), api()];
    configure(directory.path(), &api.url(), "");
    let (_server, address, admin) = start(directory.path());
    wait::until("readiness", || is_ready(admin).then_some(()));
    // Another cluster's API, of which nothing is known, for longer than any other request may take.
    other.set_down(true);
    configure(directory.path(), &other.url(), "");
    let text = std::fs::read_to_string(directory.path().join("meridian.yaml")).unwrap();
    let text = text.replace("startup_timeout: 0s", "startup_timeout: 7s");
    std::fs::write(directory.path().join("meridian.yaml"), text).unwrap();
    let mut reload = std::process::Command::new(MERIDIAN);
    let told = reload.args(["reload", "--server", &format!("http://{admin}")]).output().unwrap();
    let said = String::from_utf8([told.stdout, told.stderr].concat()).unwrap();
    assert!(told.status.success() && said.starts_with("reloaded: generation 2"), "{said}");
    assert_eq!(answer(address, WEB).0, 2, "SERVFAIL, never NXDOMAIN");
}

#[test]
fn what_was_known_outlives_a_reload_while_the_api_is_away() {
    let directory = tempfile::tempdir().unwrap();
    let api = api();
    let configure = |more: &str| {
        configure(directory.path(), &api.url(), more);
        let text = std::fs::read_to_string(directory.path().join("meridian.yaml")).unwrap();
        // Nothing is kept on disk, and whoever waits for the API waits long.
        let text = text.replace("state: state\n", "").replace("startup_timeout: 0s", "startup_timeout: 5m");
        std::fs::write(directory.path().join("meridian.yaml"), text).unwrap();
    };
    configure("");
    let (server, address, admin) = start(directory.path());
    api.set_down(true);
    configure(", ttl: 40s");
    server.signal("HUP");
    server.says("configuration read again: generation 2");
    assert_eq!(answer(address, WEB), (0, Some(40)));
    let standing = || status(admin)["cluster"]["standing"].as_str().unwrap().to_owned();
    assert!(standing().starts_with("as saved"), "{}", standing());
    api.set_down(false);
    wait::until("the API's own word", || (standing() == "current").then_some(()));
}

#[test]
fn a_server_that_starts_without_an_api_answers_by_what_it_knew() {
    let directory = tempfile::tempdir().unwrap();
    let api = api();
    configure(directory.path(), &api.url(), "");
    let (mut server, _, admin) = start(directory.path());
    wait::until("readiness", || is_ready(admin).then_some(()));
    server.signal("TERM");
    assert!(server.wait_for_end(Duration::from_secs(20)).success());
    api.set_down(true);
    let (_server, address, admin) = start(directory.path());
    wait::until("readiness", || is_ready(admin).then_some(()));
    assert_eq!(answer(address, WEB).0, 0);
    assert!(status(admin)["cluster"]["standing"].as_str().unwrap().starts_with("as "), "{}", status(admin));
}
