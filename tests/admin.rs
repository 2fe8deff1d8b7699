//! The admin address as programs meet it: every resource of `openapi.json`, asked of the running server and held to
//! its schema; and nothing that the document does not know.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may fail, and lives in real time"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use support::ask;
use support::process::Server;
use support::schema::Document;
use support::wait::wait_for;

const A: u16 = 1;
const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

fn document() -> Document {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/edge/admin/openapi.json")).unwrap();
    Document(serde_json::from_str(&text).unwrap())
}

/// Every operation of the document: its path, method, and what is said of it.
fn operations(document: &Document) -> Vec<(&str, &str, &Value)> {
    let paths = document.0["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        let methods = METHODS.iter().filter_map(move |method| Some((*method, item.get(*method)?)));
        methods.map(move |(method, operation)| (path.as_str(), method, operation))
    });
    operations.collect()
}

/// A response: its status, its headers in small letters, its body.
struct Told {
    status: u16,
    head: String,
    body: String,
}

impl Told {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {} {:?}", self.head, self.body))
    }
}

/// Asks with these lines as headers, and no others but those that end the message.
fn request(at: SocketAddr, method: &str, path: &str, headers: &[&str], body: &str) -> Told {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let start = format!("{} {path} HTTP/1.1", method.to_uppercase());
    let end = format!("Connection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let text = [&[start.as_str()], headers, &[end.as_str()]].concat().join("\r\n");
    stream.write_all(text.as_bytes()).unwrap();
    let mut response = Vec::new();
    let _ended = stream.read_to_end(&mut response); // a body that is too large ends in a reset, behind the response
    let response = String::from_utf8(response).unwrap();
    let (head, body) = response.split_once("\r\n\r\n").expect("a response");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Told { status, head: head.to_lowercase(), body: body.to_owned() }
}

const JSON: [&str; 2] = ["Host: localhost", "Content-Type: application/json"];

/// A server with everything that the document speaks of, and its two addresses: for queries, and the admin one.
fn start(directory: &Path, admin: &str) -> (Server, SocketAddr, SocketAddr) {
    let text = format!(
        r#"listen: ["127.0.0.1:0"]
admin: {admin}
workers: 1
recursion: {{hosts: off, roots: roots}}
checks: {{told: {{push: true}}}}
feeds: {{load: {{push: true, max_age: 1h}}}}
pools:
  www:
    check: told
    feeds: [load]
    members:
      fra: {{a: 192.0.2.10, at: FRA}}
      iad: {{a: 198.51.100.10, at: [38.9, -77.4]}}
      sin: {{a: 203.0.113.10, at: SIN, weight: 2}}
zones:
  geo.example:
    records: ["@ SOA ns h 1 3600 600 86400 60", "@ NS ns.example.net."]
    steer: {{www: {{pool: www, policy: [nearest]}}}}
startup_timeout: 100ms
"#
    );
    std::fs::write(directory.join("meridian.yaml"), text).unwrap();
    std::fs::write(directory.join("roots"), ". NS ns.\nns. A 127.0.0.9\n").unwrap(); // nobody is there
    let command = [env!("CARGO_BIN_EXE_meridian"), "serve", "--config", "meridian.yaml"];
    let mut server = Server::start("meridian", directory, &command);
    let address = server.listens_on();
    server.wait_until_it_answers_at(address, ("www.geo.example.", A));
    let admin = server.is_administered_on();
    (server, address, admin)
}

fn on_loopback(directory: &Path) -> (Server, SocketAddr, SocketAddr) {
    start(directory, "127.0.0.1:0")
}

/// What each operation is tried with: the rest of its path, and its body.
fn examples() -> BTreeMap<(&'static str, &'static str), (&'static str, Value)> {
    let none = Value::Null;
    BTreeMap::from([
        (("get", "/"), ("", none.clone())),
        (("get", "/health"), ("", none.clone())),
        (("get", "/ready"), ("", none.clone())),
        (("get", "/metrics"), ("", none.clone())),
        (("get", "/v1/openapi.json"), ("", none.clone())),
        (("get", "/v1/status"), ("", none.clone())),
        (("get", "/v1/figures"), ("", none.clone())),
        (("get", "/v1/history"), ("?after=0", none.clone())),
        (("get", "/v1/log"), ("", none.clone())),
        (("get", "/v1/pools"), ("", none.clone())),
        (("get", "/v1/digest"), ("", none.clone())),
        (("get", "/v1/trust"), ("", none.clone())),
        (("get", "/v1/explain"), ("?name=www.geo.example&type=A&client=192.0.2.1", none.clone())),
        (("post", "/v1/cache/flush"), ("", json!({ "name": "example.com", "subtree": true, "type": "A" }))),
        (("post", "/v1/reload"), ("", json!({}))),
        (
            ("put", "/v1/overrides"),
            ("", json!({ "glob": "www/sin", "action": "drain", "for": "1h", "reason": "a test" })),
        ),
        (("delete", "/v1/overrides"), ("?glob=www/*", none.clone())),
        (
            ("put", "/v1/exceptions"),
            ("", json!({ "name": "broken.example", "for": "2h", "stays": true, "reason": "a test" })),
        ),
        (("delete", "/v1/exceptions"), ("?name=broken.example", none.clone())),
        (
            ("put", "/v1/pools/{pool}/members/{member}/override"),
            ("", json!({ "action": "down", "reason": "a test", "actor": "ann", "break_glass": true })),
        ),
        (("delete", "/v1/pools/{pool}/members/{member}/override"), ("", none)),
        (("put", "/v1/pools/{pool}/members/{member}/feed"), ("", json!([{ "metric": "load", "value": 0.5 }]))),
        (("put", "/v1/pools/{pool}/members/{member}/outcomes"), ("", json!({ "successes": 9, "failures": 1 }))),
        (("put", "/v1/pools/{pool}/members/{member}/check"), ("", json!({ "good": true }))),
        (("put", "/v1/pools/{pool}/members/{member}/return"), ("", json!({}))),
    ])
}

/// The path with a member's names in it.
fn of_fra(path: &str) -> String {
    path.replace("{pool}", "www").replace("{member}", "fra")
}

/// Faults of a response against what the document says of its status.
fn judge(document: &Document, operation: &Value, told: &Told) -> Vec<String> {
    let Some(response) = operation["responses"].get(told.status.to_string()) else {
        return vec![format!("status {} is not in the document: {}", told.status, told.body)];
    };
    let content = document.resolve(response)["content"].as_object().unwrap();
    let is_told = |kind: &str| told.head.contains(&format!("content-type: {kind}"));
    let Some((kind, media)) = content.iter().find(|(kind, _)| is_told(kind)) else {
        return vec![format!("it is of no kind that the document names: {}", told.head)];
    };
    let mut faults = Vec::new();
    let value = if kind == "application/json" { told.json() } else { Value::String(told.body.clone()) };
    faults.extend(document.faults(&media["schema"], &value));
    faults
}

#[test]
fn every_resource_answers_as_the_document_says() {
    let directory = tempfile::tempdir().unwrap();
    let (_server, dns, admin) = on_loopback(directory.path());
    ask::patiently(dns, "www.geo.example.", A, 3, Duration::from_secs(5)).expect("an answer, to be counted");
    let (document, examples) = (document(), examples());
    // The first sample of the history has a begin and an end.
    let has_samples =
        || !request(admin, "get", "/v1/history", &JSON, "").json()["samples"].as_array().unwrap().is_empty();
    wait_for(has_samples, "a sample");
    let mut found = Vec::new();
    let operations = operations(&document);
    assert_eq!(operations.len(), examples.len());
    // First as the server begins, then with every override, number and sample there may be.
    for _ in 0..2 {
        for (path, method, operation) in &operations {
            let (rest, body) = examples.get(&(*method, *path)).unwrap_or_else(|| panic!("no example: {method} {path}"));
            let schema = operation.pointer("/requestBody/content/application~1json/schema");
            assert_eq!(schema.is_none(), body.is_null(), "{method} {path}: a body, or none");
            if let Some(schema) = schema {
                found.extend(
                    document.faults(schema, body).into_iter().map(|fault| format!("{method} {path}: body{fault}")),
                );
            }
            let body = if body.is_null() { String::new() } else { body.to_string() };
            let told = request(admin, method, &(of_fra(path) + rest), &JSON, &body);
            assert_eq!(told.status, 200, "{method} {path}: {}", told.body);
            found.extend(
                judge(&document, operation, &told).into_iter().map(|fault| format!("{method} {path}: {fault}")),
            );
        }
        request(admin, "put", "/v1/overrides", &JSON, r#"{"glob": "www/iad", "action": "drain", "reason": "more"}"#);
        request(admin, "put", "/v1/exceptions", &JSON, r#"{"name": "lab.example", "reason": "more"}"#);
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_router_has_what_the_document_has_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let (_server, _, admin) = on_loopback(directory.path());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/edge/admin");
    let source: String =
        ["mod.rs", "members.rs", "trust.rs"].map(|file| std::fs::read_to_string(folder.join(file)).unwrap()).concat();
    let routes = source.split(".route(\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    let mut routed = BTreeSet::new();
    for path in routes {
        // Whatever is not there by this method says by which it is.
        let told = request(admin, "brew", &of_fra(path), &JSON, "");
        assert_eq!(told.status, 405, "{path}");
        let allowed =
            told.head.lines().find_map(|line| line.strip_prefix("allow: ")).expect("Allow (RFC 9110 §15.5.6)");
        let methods = allowed.split(',').map(str::trim).filter(|method| *method != "head");
        routed.extend(methods.map(|method| (path.to_owned(), method.to_owned())));
    }
    let document = document();
    let told =
        operations(&document).iter().map(|(path, method, _)| ((*path).to_owned(), (*method).to_owned())).collect();
    assert_eq!(routed, told);
}

#[test]
fn every_fault_is_json_and_one_that_the_document_knows() {
    let directory = tempfile::tempdir().unwrap();
    let (_server, _, admin) = on_loopback(directory.path());
    let document = document();
    let mut found = Vec::new();
    for (path, method, operation) in operations(&document) {
        let mut wrong = vec![];
        if operation.get("requestBody").is_some() {
            wrong.push((415, request(admin, method, &of_fra(path), &JSON[..1], "{}")));
            wrong.push((400, request(admin, method, &of_fra(path), &JSON, "{")));
            wrong.push((422, request(admin, method, &of_fra(path), &JSON, r#"{"colour": "blue"}"#)));
            wrong.push((413, request(admin, method, &of_fra(path), &JSON, &format!("\"{}\"", "a".repeat(1 << 20)))));
        }
        if path.contains("{pool}") {
            let nobody = path.replace("{pool}", "www").replace("{member}", "nobody");
            let body = examples()[&(method, path)].1.to_string();
            wrong.push((404, request(admin, method, &nobody, &JSON, &body)));
            wrong.push((
                400,
                request(admin, method, &path.replace("{pool}", "%ff").replace("{member}", "x"), &JSON, &body),
            ));
        }
        for (status, told) in wrong {
            if told.status != status {
                found.push(format!("{method} {path}: {} and not {status}: {}", told.status, told.body));
            }
            found.extend(
                judge(&document, operation, &told).into_iter().map(|fault| format!("{method} {path}: {fault}")),
            );
        }
    }
    let fault = &document.0["components"]["schemas"]["Fault"];
    for (method, path, headers, status) in [
        ("get", "/nothing", "Host: localhost", 404),
        ("get", "/v1/pools/www", "Host: localhost", 404),
        ("delete", "/v1/status", "Host: localhost", 405),
        ("get", "/v1/history?after=x", "Host: localhost", 400),
        ("get", "/v1/explain", "Host: localhost", 400),
        ("get", "/v1/explain?name=a..b", "Host: localhost", 400),
        ("delete", "/v1/overrides", "Host: localhost", 400),
        ("delete", "/v1/exceptions?name=a..b", "Host: localhost", 400),
        ("get", "/v1/status", "Host: evil.example", 421),
        ("get", "/", "Host: evil.example", 421),
        ("get", "/metrics", "Host: evil.example:9153", 421),
        ("get", "/v1/status", "Host: localhost\r\nSec-Fetch-Site: cross-site", 403),
        ("get", "/v1/explain?name=example", "Host: localhost\r\nOrigin: http://evil.example", 403),
        ("post", "/v1/reload", "Host: localhost\r\nOrigin: null\r\nContent-Type: application/json", 403),
    ] {
        let told = request(admin, method, path, &[headers], "");
        if told.status != status {
            found.push(format!("{method} {path} ({headers:?}): {} and not {status}: {}", told.status, told.body));
        }
        found.extend(document.faults(fault, &told.json()));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn whoever_only_links_here_may() {
    let directory = tempfile::tempdir().unwrap();
    let (_server, _, admin) = on_loopback(directory.path());
    let link = ["Host: localhost", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"];
    for path in ["/", "/metrics", "/health"] {
        let told = request(admin, "get", path, &link, "");
        assert_eq!(told.status, 200, "{path}");
        // And what is shown is not for that other page.
        for header in
            ["cross-origin-resource-policy: same-origin", "x-content-type-options: nosniff", "cache-control: no-store"]
        {
            assert!(told.head.contains(header), "{path}: {}", told.head);
        }
    }
    let page = request(admin, "get", "/", &link, "");
    assert!(page.head.contains("content-security-policy: default-src 'none'; connect-src 'self';"), "{}", page.head);
}

#[test]
fn where_others_reach_it_the_page_is_shown_and_its_figures_take_the_token() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("token"), "0123456789abcdef\n").unwrap();
    let (_server, _, admin) = start(directory.path(), "{address: \"0.0.0.0:0\", token_file: token}");
    let at = SocketAddr::from(([127, 0, 0, 1], admin.port()));
    let (host, token) = ("Host: meridian.example", "Authorization: Bearer 0123456789abcdef");
    let document = document();
    for (path, method, operation) in operations(&document) {
        let is_open = operation["security"] == json!([]);
        let told = request(at, method, &of_fra(path), &[host], "");
        assert_eq!(told.status == 401, !is_open, "{method} {path}: {}", told.status);
        if !is_open {
            assert!(judge(&document, operation, &told).is_empty(), "{method} {path}");
        }
    }
    assert_eq!(request(at, "get", "/v1/figures", &[host, token], "").status, 200);
}

#[test]
fn warnings_of_the_log_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let (server, _, admin) = on_loopback(directory.path());
    let good = std::fs::read_to_string(directory.path().join("meridian.yaml")).unwrap();
    std::fs::write(directory.path().join("meridian.yaml"), good + "colour: blue\n").unwrap();
    let told = request(admin, "post", "/v1/reload", &JSON, "{}");
    assert_eq!(told.status, 422, "{}", server.output());
    let log = request(admin, "get", "/v1/log", &JSON, "").json();
    let texts: Vec<&str> = log["notes"].as_array().unwrap().iter().map(|note| note["text"].as_str().unwrap()).collect();
    assert_eq!(texts[0], "the configuration is not changed: 1 faults (reload by api)");
    assert!(texts[1].contains("colour"), "{texts:?}");
    assert_eq!((&log["errors"], &log["notes"][0]["level"]), (&json!(2), &json!("error")));
}
