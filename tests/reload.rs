//! Reloading as operators meet it: the binary, its files changed under it, its doors moved, its faults told, and a
//! thousand reloads under load.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may fail, and lives in real time"
)]

mod support;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use meridian::base::bounds;
use serde_json::{Value, json};
use support::mmdb::{self, Datum};
use support::process::Server;
use support::{ask, wait, wire};

const A: u16 = 1;
const WAIT: Duration = Duration::from_secs(10);

/// A server in a folder of its own, with an admin address.
struct World {
    folder: tempfile::TempDir,
    server: Server,
    address: SocketAddr,
    admin: String,
}

impl World {
    /// Starts with `text`, which listens on 127.0.0.1:0 and has its admin address there too.
    fn start(files: &[(&str, &str)], text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in files {
            std::fs::write(folder.path().join(file), text).unwrap();
        }
        std::fs::write(folder.path().join("m.yaml"), text).unwrap();
        let command = [env!("CARGO_BIN_EXE_meridian"), "serve", "--config", "m.yaml"];
        let mut server = Server::start("meridian", folder.path(), &command);
        let address = server.listens_on();
        let admin = until("an admin address", || {
            let log = server.output();
            log.split_once("admin on ").map(|(_, rest)| rest.lines().next().unwrap().trim().to_owned())
        });
        Self { folder, server, address, admin }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// As a careful author does: aside, then renamed.
    fn put(&self, file: &str, text: &str) {
        let aside = self.path().join("aside");
        std::fs::write(&aside, text).unwrap();
        std::fs::rename(aside, self.path().join(file)).unwrap();
    }

    fn request(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let at = self.admin.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(at).unwrap();
        stream.set_read_timeout(Some(WAIT * 3)).unwrap();
        let length = body.len();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
        let text = format!("{head}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}");
        stream.write_all(text.as_bytes()).unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        let status = said.split(' ').nth(1).unwrap().parse().unwrap();
        let body = said.split_once("\r\n\r\n").unwrap().1;
        (status, serde_json::from_str(body).unwrap_or_else(|_| Value::String(body.to_owned())))
    }

    fn reload(&self) -> (u16, Value) {
        self.request("POST", "/v1/reload", "{}")
    }

    /// What the status says of reloads.
    fn status(&self) -> Value {
        self.request("GET", "/v1/status", "").1["reload"].clone()
    }

    fn metric(&self, name: &str) -> u64 {
        let text = self.request("GET", "/metrics", "").1;
        let text = text.as_str().unwrap();
        let line = text.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
        line.split(' ').nth(1).unwrap().trim_end_matches(".0").parse().unwrap()
    }

    fn command(&self, arguments: &[&str]) -> (i32, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_meridian"));
        let output = command.args(arguments).args(["--server", &self.admin]).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(said).unwrap())
    }

    fn answer(&self, name: &str) -> BTreeSet<String> {
        answer(self.address, name)
    }
}

fn answer(server: SocketAddr, name: &str) -> BTreeSet<String> {
    let response = ask::once(server, name, A, Duration::from_secs(5)).unwrap_or_else(|| panic!("no answer for {name}"));
    response.answer.into_iter().map(|record| record.rdata).collect()
}

fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    wait::within(WAIT, what, look)
}

fn set(addresses: &[&str]) -> BTreeSet<String> {
    addresses.iter().map(|address| (*address).to_owned()).collect()
}

const TOP: &str = "listen: [\"127.0.0.1:0\"]\nadmin: 127.0.0.1:0\nworkers: 1\nlimits: off\nlog: {level: info}\n";

fn zone(serial: u32, www: &str) -> String {
    format!("$TTL 60\n@ SOA ns hostmaster {serial} 60 60 60 60\n NS ns\nns A 192.0.2.53\nwww A {www}\n")
}

#[test]
fn every_fault_is_told_everywhere_and_the_old_configuration_stays() {
    let good = format!(
        "{TOP}recursion: {{hosts: off, dnssec: off, roots: hints}}\nzones:\n  one.example: {{file: one.zone}}\n  two.example: {{file: \
         two.zone}}\n"
    );
    let hints = ". NS a.example.\na.example. A 192.0.2.1\n";
    let files = [("one.zone", &*zone(1, "192.0.2.1")), ("two.zone", &zone(1, "192.0.2.2")), ("hints", hints)];
    let world = World::start(&files, &good);
    assert_eq!(world.answer("www.one.example."), set(&["192.0.2.1"]));
    assert_eq!((&world.status()["generation"], &world.status()["by"]), (&json!(1), &json!("start")));

    // Before anybody looks at the files they have been read by the order: two faults of the configuration, and one of a zone.
    world.put("two.zone", &zone(2, "192.0.2.300"));
    world.put("hints", ". NS a.example.\na.example. A nowhere\n");
    world.put("one.zone", &zone(2, "192.0.2.11"));
    world.put("m.yaml", &format!("{}unknown: 1\n", good.replace("workers: 1", "workers: many")));
    let (status, refused) = world.reload();
    assert_eq!(status, 422, "{refused}");
    let faults = refused["faults"].as_array().unwrap();
    let place = |file: &str, line: u64, key: &str| {
        let is_it = |fault: &&Value| {
            fault["file"].as_str().unwrap().ends_with(file) && fault["line"] == line && fault["key"] == key
        };
        assert!(faults.iter().any(|fault| is_it(&fault)), "{file}:{line} {key} is not in {refused:#}");
    };
    place("m.yaml", 3, "workers");
    place("m.yaml", 10, "unknown");
    place("two.zone", 5, "zones.\"two.example\"");
    place("hints", 2, "recursion.roots");
    assert!(faults.iter().all(|fault| fault["found"].is_string() && fault["allowed"].is_string()));
    for (file, line) in [("m.yaml", 3), ("m.yaml", 10), ("two.zone", 5), ("hints", 2)] {
        assert!(refused["error"].as_str().unwrap().contains(&format!("{file}:{line}:")), "{refused:#}");
        world.server.says(&format!("{file}:{line}:"));
    }
    let told = world.status();
    assert_eq!((&told["generation"], &told["failed"]["faults"]), (&json!(1), &refused["faults"]));
    assert_eq!(
        (world.metric("meridian_config_last_reload_successful"), world.metric("meridian_config_generation")),
        (0, 1)
    );
    let (status, said) = world.command(&["reload"]);
    assert_eq!(status, 2, "{said}");
    assert!(said.contains("m.yaml:3:") && said.contains("two.zone:5:") && said.contains("1 stays in force"), "{said}");
    let (status, said) = world.command(&["status"]);
    assert!(status == 0 && said.contains("was refused") && said.contains("hints:2:"), "{said}");
    assert_eq!(world.answer("www.two.example."), set(&["192.0.2.2"]));

    world.put("two.zone", &zone(2, "192.0.2.22"));
    world.put("hints", hints);
    world.put("m.yaml", &good);
    world.server.signal("HUP");
    until("the good one", || (world.status()["failed"].is_null()).then_some(()));
    until("the new zones", || (world.answer("www.two.example.") == set(&["192.0.2.22"])).then_some(()));
    assert_eq!(world.metric("meridian_config_last_reload_successful"), 1);
    assert!(world.metric(r#"meridian_reloads_total{outcome="refused"}"#) >= 2);
}

#[test]
fn a_reload_without_a_change_swaps_nothing_and_says_so() {
    let text = format!("{TOP}recursion: off\nzones:\n  one.example: {{file: one.zone}}\n");
    let world = World::start(&[("one.zone", &zone(1, "192.0.2.1"))], &text);
    let (status, told) = world.reload();
    assert_eq!((status, &told["changed"], &told["generation"]), (200, &json!(false), &json!(1)), "{told:#}");
    world.put("m.yaml", &format!("# other words, the same meaning\n\n{text}"));
    let (status, told) = world.reload();
    assert_eq!((status, &told["changed"], &told["generation"]), (200, &json!(false), &json!(1)), "{told:#}");
    let (status, said) = world.command(&["reload"]);
    assert_eq!((status, said.as_str()), (0, "nothing has changed, nothing was swapped\n"));
    world.server.says("nothing has changed, nothing is swapped");
}

#[test]
fn a_rehearsal_tells_every_difference_and_changes_nothing() {
    let old = format!(
        "{TOP}recursion: off\nzones:\n  one.example:\n    file: one.zone\n    steer: {{web: {{pool: web}}}}\n  gone.example: \
         {{file: gone.zone}}\npools:\n  web: {{members: {{a: 192.0.2.81, b: 192.0.2.82}}}}\n"
    );
    let files = [("one.zone", &*zone(1, "192.0.2.1")), ("gone.zone", &zone(7, "192.0.2.7"))];
    let world = World::start(&files, &old);
    world.put("new.zone", &zone(9, "192.0.2.9"));
    world.put("one.zone", &(zone(2, "192.0.2.11") + "more A 192.0.2.12\n"));
    let new = old
        .replace("gone.example: {file: gone.zone}", "new.example: {file: new.zone}")
        .replace("b: 192.0.2.82", "b: {a: [192.0.2.82], weight: 2}, c: 192.0.2.83")
        .replace("workers: 1", "workers: 2")
        + "identity: {version: two}\n";
    world.put("m.yaml", &new);
    let (status, told) = world.request("POST", "/v1/reload", r#"{"dry_run": true}"#);
    assert_eq!((status, &told["dry_run"], &told["changed"]), (200, &json!(true), &json!(true)), "{told:#}");
    let of = |what: &str| -> Vec<String> {
        let all = told["differences"][what].as_array().unwrap();
        all.iter().map(|one| format!("{} {}", one["change"].as_str().unwrap(), one["name"].as_str().unwrap())).collect()
    };
    let expected = ["changed one.example.", "added new.example.", "removed gone.example."];
    assert_eq!(of("zones").into_iter().collect::<BTreeSet<_>>(), set(&expected));
    let one =
        told["differences"]["zones"].as_array().unwrap().iter().find(|zone| zone["name"] == "one.example.").unwrap();
    assert_eq!((&one["from"]["serial"], &one["to"]["serial"]), (&json!(1), &json!(2)));
    // The SOA, NS and address records, and those of the pool's members.
    assert_eq!((&one["from"]["records"], &one["to"]["records"]), (&json!(6), &json!(8)), "{one:#}");
    assert_eq!(of("pools"), ["changed web"]);
    assert_eq!(of("members"), ["changed web/b", "added web/c"]);
    assert!(
        of("keys").contains(&"changed workers".to_owned()) && of("keys").contains(&"added identity.version".to_owned())
    );
    assert!(told["restart"][0].as_str().unwrap().contains("workers takes a restart: 1 is in force, 2"), "{told:#}");
    assert!(told["hint"].as_str().unwrap().contains("simulate"));
    let (status, said) = world.command(&["reload", "--dry-run"]);
    assert_eq!(status, 0, "{said}");
    for line in
        ["+ key identity.version: (default) → two", "+ zone new.example.:", "- zone gone.example.:", "+ member web/c:"]
    {
        assert!(said.contains(line), "{line} is not in:\n{said}");
    }
    assert_eq!(world.answer("www.gone.example."), set(&["192.0.2.7"]));
    assert_eq!(world.status()["generation"], 1);

    let (status, told) = world.reload();
    assert_eq!((status, &told["changed"], &told["generation"]), (200, &json!(true), &json!(2)), "{told:#}");
    assert_eq!(world.answer("www.new.example."), set(&["192.0.2.9"]));
    assert_eq!(world.answer("more.one.example."), set(&["192.0.2.12"]));
    let (_, told) = world.request("POST", "/v1/reload", r#"{"dry_run": true}"#);
    assert_eq!(told["differences"]["zones"], json!([]));
}

#[test]
fn doors_open_and_close_with_a_reload_and_one_that_cannot_opens_none() {
    let text = |listen: &str, www: &str| {
        let top = TOP.replace("[\"127.0.0.1:0\"]", listen);
        format!(
            "{top}recursion: off\nzones:\n  one.example: {{records: {{\"@\": {{NS: ns}}, ns: 192.0.2.53, www: {www}}}}}\n"
        )
    };
    let world = World::start(&[], &text("[\"127.0.0.1:0\"]", "192.0.2.1"));
    let port = world.address.port();
    let second = SocketAddr::from(([127, 0, 0, 2], port));
    let own = "\"127.0.0.1:0\"";

    let foreign = UdpSocket::bind(("127.0.0.3", port)).unwrap();
    world.put("m.yaml", &text(&format!("[{own}, \"{second}\", \"127.0.0.3:{port}\"]"), "192.0.2.2"));
    let (status, refused) = world.reload();
    assert_eq!(status, 422, "{refused:#}");
    let fault = &refused["faults"][0];
    assert_eq!((&fault["key"], &fault["line"]), (&json!("listen"), &json!(1)), "{refused:#}");
    assert!(fault["found"].as_str().unwrap().contains("another program has this port"), "{refused:#}");
    assert_eq!(world.answer("www.one.example."), set(&["192.0.2.1"]), "nothing is changed");
    assert!(TcpStream::connect(second).is_err(), "no other door is opened either");
    drop(foreign);

    world.put("m.yaml", &text(&format!("[{own}, \"{second}\"]"), "192.0.2.3"));
    let (status, told) = world.reload();
    assert_eq!((status, told["differences"]["listeners"][0]["change"].as_str()), (200, Some("added")), "{told:#}");
    assert_eq!(answer(second, "www.one.example."), set(&["192.0.2.3"]));
    let mut kept = Connection::open(second);
    assert_eq!(kept.ask("www.one.example."), set(&["192.0.2.3"]));

    world.put("m.yaml", &text(&format!("[{own}]"), "192.0.2.4"));
    assert_eq!(world.reload().0, 200);
    assert_eq!(kept.ask("www.one.example."), set(&["192.0.2.4"]), "a connection outlives its door");
    until("the end of connections", || TcpStream::connect(second).is_err().then_some(()));
    // What was under way is answered for a while; a door that is wanted again stays.
    world.put("m.yaml", &text(&format!("[{own}, \"{second}\"]"), "192.0.2.5"));
    assert_eq!(world.reload().0, 200);
    assert_eq!(answer(second, "www.one.example."), set(&["192.0.2.5"]));
    assert!(ask::over_tcp(second, "www.one.example.", A, WAIT).is_some());
    world.put("m.yaml", &text(&format!("[{own}]"), "192.0.2.6"));
    assert_eq!(world.reload().0, 200);
    until("the end of datagrams", || {
        ask::once(second, "www.one.example.", A, Duration::from_millis(300)).is_none().then_some(())
    });

    // A wider address in the place of the first, which its clients do not notice.
    world.put("m.yaml", &text(&format!("[\"0.0.0.0:{port}\"]"), "192.0.2.7"));
    let (status, told) = world.reload();
    assert_eq!(status, 200, "{told:#}");
    let end = Instant::now() + Duration::from_secs(8);
    while Instant::now() < end {
        assert_eq!(world.answer("www.one.example."), set(&["192.0.2.7"]));
        assert_eq!(answer(second, "www.one.example."), set(&["192.0.2.7"]));
    }
}

#[test]
fn the_admin_address_and_its_token_follow_their_files() {
    let text = format!(
        "{}recursion: off\n",
        TOP.replace("127.0.0.1:0\nworkers", "{address: 127.0.0.1:0, token_file: token}\nworkers")
    );
    let world = World::start(&[("token", "first-token-of-many-letters")], &text);
    let with = |token: &str| {
        std::fs::write(world.path().join("mine"), token).unwrap();
        let file = world.path().join("mine");
        world.command(&["reload", "--token-file", file.to_str().unwrap()])
    };
    assert_eq!(with("first-token-of-many-letters").0, 0);
    assert_eq!(with("other-token-of-many-letters").0, 1);
    world.put("token", "short");
    until("a refusal", || (!world.status()["failed"].is_null()).then_some(()));
    assert_eq!(world.status()["failed"]["by"], "file");
    assert_eq!(with("first-token-of-many-letters").0, 2, "the old one lets in");
    world.put("token", "other-token-of-many-letters");
    until("the other token", || (with("other-token-of-many-letters").0 == 0).then_some(()));
    assert_eq!(with("first-token-of-many-letters").0, 1);
    assert_eq!(world.status()["by"], "file");
}

/// Lets the configuration grow by lines that say nothing; what stands there then. None if the machine stalled for as
/// long as makes a file count as whole, which has to be tried again with the old configuration in force.
fn grown(world: &World, old: &str, head: &str) -> Option<String> {
    let begun = Instant::now();
    let mut written = head.to_owned();
    while begun.elapsed() < Duration::from_secs(3) {
        written += "# and on\n";
        let before = Instant::now();
        std::fs::write(world.path().join("m.yaml"), &written).unwrap();
        // The pace: some answers, each of the old configuration.
        let answers: Vec<_> = (0..20).map(|_| world.answer("www.one.example.")).collect();
        if before.elapsed() >= bounds::FILE_POLL {
            world.put("m.yaml", old);
            until("the old configuration", || (world.answer("www.one.example.") == set(&["192.0.2.1"])).then_some(()));
            return None;
        }
        for answer in answers {
            assert_eq!(answer, set(&["192.0.2.1"]));
        }
    }
    Some(written)
}

#[test]
fn files_are_followed_and_a_half_written_one_is_never_believed() {
    let full = |www: &str| {
        let zone = "zones:\n  one.example: {records: {\"@\": {NS: ns}, ns: 192.0.2.53, www: ";
        format!("{TOP}recursion: {{hosts: {{file: hosts}}, dnssec: off}}\n{zone}{www}}}}}\n")
    };
    let world = World::start(&[("hosts", "192.0.2.91 a.test.\n")], &full("192.0.2.1"));
    assert_eq!(world.answer("www.one.example."), set(&["192.0.2.1"]));
    // Every line that is there makes a sound configuration, without the zone until the last: and it takes longer than
    // many looks. It grows in place.
    let text = full("192.0.2.2");
    let (head, tail) = text.split_once("zones:").unwrap();
    let written =
        (0..5).find_map(|_| grown(&world, &full("192.0.2.1"), head)).expect("a machine that does not always stall");
    let generation = world.status()["generation"].as_u64().unwrap();
    let done = Instant::now();
    std::fs::write(world.path().join("m.yaml"), format!("{written}zones:{tail}")).unwrap();
    until("the new configuration", || (world.answer("www.one.example.") == set(&["192.0.2.2"])).then_some(()));
    let took = done.elapsed();
    until("its generation", || (world.status()["generation"] == generation + 1).then_some(()));
    assert_eq!((&world.status()["by"], &world.status()["failed"]), (&json!("file"), &Value::Null));
    assert!(took < Duration::from_secs(8), "{took:?}");
    // A file that an editor moves away and puts back is no fault.
    let (here, there) = (world.path().join("m.yaml"), world.path().join("m.yaml~"));
    std::fs::rename(&here, &there).unwrap();
    std::fs::write(&here, full("192.0.2.3")).unwrap();
    until("the next", || (world.answer("www.one.example.") == set(&["192.0.2.3"])).then_some(()));
    assert!(world.status()["failed"].is_null());
    world.put("hosts", "192.0.2.92 a.test.\n");
    until("the hosts file", || (world.answer("a.test.") == set(&["192.0.2.92"])).then_some(()));
    // A broken one is told, once, and does no harm.
    world.put("m.yaml", "workers: [\n");
    until("the refusal", || (world.status()["failed"]["by"] == "file").then_some(()));
    let refused = world.metric(r#"meridian_reloads_total{outcome="refused"}"#);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(2) {
        assert_eq!(world.answer("www.one.example."), set(&["192.0.2.3"]));
    }
    assert_eq!(world.metric(r#"meridian_reloads_total{outcome="refused"}"#), refused);
}

#[test]
fn a_database_of_places_is_followed_and_a_broken_one_is_told() {
    let database = |country: &str| {
        let code = |key, code| Datum::Map(vec![(key, Datum::text(code))]);
        let record = Datum::Map(vec![("continent", code("code", "EU")), ("country", code("iso_code", country))]);
        mmdb::write([([127, 0, 0, 0].into(), 8, &record)], 4, 24)
    };
    let text = format!(
        "{TOP}recursion: off\ngeo: {{country: country.mmdb}}\npools: {{web: {{members: {{de: 192.0.2.49, fr: 192.0.2.33}}}}}}\n\
         policies: {{by: {{stages: [{{rules: {{geo: {{EU-DE: de, EU-FR: fr}}}}}}], client: resolver}}}}\nzones:\n  one.example: \
         {{file: one.zone, steer: {{web: {{pool: web, policy: by}}}}}}\n"
    );
    let folder = tempfile::tempdir().unwrap();
    let text = text.replace("country.mmdb", folder.path().join("country.mmdb").to_str().unwrap());
    let put = |octets: &[u8]| {
        std::fs::write(folder.path().join("aside"), octets).unwrap();
        std::fs::rename(folder.path().join("aside"), folder.path().join("country.mmdb")).unwrap();
    };
    put(&database("DE"));
    let world = World::start(&[("one.zone", &zone(1, "192.0.2.1"))], &text);
    assert_eq!(world.answer("web.one.example."), set(&["192.0.2.49"]));
    put(&database("DE")[..60]);
    until("the refusal", || (world.status()["failed"]["faults"][0]["key"] == "geo").then_some(()));
    assert_eq!(world.status()["failed"]["faults"][0]["line"], 7, "{:#}", world.status());
    assert_eq!(world.answer("web.one.example."), set(&["192.0.2.49"]));
    put(&database("FR"));
    until("the new places", || (world.answer("web.one.example.") == set(&["192.0.2.33"])).then_some(()));
    until("the end of the faults", || world.status()["failed"].is_null().then_some(()));
}

const ORDERS: u64 = 48;

#[test]
fn a_storm_of_orders_is_served_by_few_reloads() {
    let text = |number: usize| format!("{TOP}recursion: off\nidentity: {{version: v{number}}}\n");
    let world = World::start(&[], &text(0));
    world.put("m.yaml", &text(1));
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..ORDERS).map(|_| scope.spawn(|| world.reload())).collect();
        for one in all {
            let (status, told) = one.join().unwrap();
            assert_eq!(status, 200, "{told:#}");
            assert_eq!(told["generation"], 2, "{told:#}");
        }
    });
    let reloads = world.metric(r#"meridian_reloads_total{outcome="done"}"#)
        + world.metric(r#"meridian_reloads_total{outcome="unchanged"}"#);
    assert!(reloads < ORDERS / 2, "{reloads} reloads for {ORDERS} orders");
}

/// A TCP connection that stays.
struct Connection(TcpStream);

impl Connection {
    fn open(server: SocketAddr) -> Self {
        let stream = TcpStream::connect(server).unwrap();
        stream.set_read_timeout(Some(WAIT)).unwrap();
        Self(stream)
    }

    fn ask(&mut self, name: &str) -> BTreeSet<String> {
        let query = wire::compose(77, name, A, Some(1232));
        self.0.write_all(&[&(query.len() as u16).to_be_bytes()[..], &query].concat()).unwrap();
        let mut length = [0; 2];
        self.0.read_exact(&mut length).expect("the connection lives");
        let mut response = vec![0; usize::from(u16::from_be_bytes(length))];
        self.0.read_exact(&mut response).unwrap();
        let response = wire::read(&response).unwrap();
        response.answer.into_iter().map(|record| record.rdata).collect()
    }
}

/// A resolver that answers every question with 192.0.2.200, and counts those for an address.
fn forwarder() -> (SocketAddr, Arc<AtomicU64>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (address, asked) = (socket.local_addr().unwrap(), Arc::new(AtomicU64::new(0)));
    let counted = Arc::clone(&asked);
    std::thread::spawn(move || {
        let mut buffer = [0; 1_232];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let Some((_, rtype, end)) = wire::read_question(&buffer[..length]) else { continue };
            counted.fetch_add(u64::from(rtype == A), Ordering::Relaxed);
            let mut response = buffer[..end].to_vec();
            response[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
            response.extend([0xC0, 12, 0, 1, 0, 1, 0, 1, 0, 0, 0, 4, 192, 0, 2, 200]);
            socket.send_to(&response, from).ok();
        }
    });
    (address, asked)
}

/// Growth of memory that is allowed from the hundredth reload on. What is resident wavers with the allocator's pages by a
/// few MiB; a leak of one zone or house a reload would be many times this.
const GROWTH_MAX: u64 = 24 << 20;
const RELOADS: u32 = 1_000;
/// Between the queries of one client, so that the machine has room for reloads too.
const PACE: Duration = Duration::from_micros(500);

#[test]
fn a_thousand_reloads_under_load_lose_nothing_and_keep_what_is_to_be_kept() {
    let (upstream, asked) = forwarder();
    let names: u32 = 500;
    let zone = |version: u32| {
        let mut text = format!("$TTL 60\n@ SOA ns hostmaster {version} 60 60 60 60\n NS ns\nns A 192.0.2.53\n");
        let side = version % 2;
        writeln!(text, "www A 192.0.2.{}\nwww A 192.0.2.{}", 10 + side, 20 + side).unwrap();
        (0..names).for_each(|number| writeln!(text, "n{number} A 198.51.{side}.1").unwrap());
        text
    };
    let text = |version: u32| {
        let side = version % 2;
        format!(
            "{}limits: {{queries: off, responses: off}}\nidentity: {{version: v{side}}}\nrecursion:\n  hosts: off\n  dnssec: off\n  forward: \
             {{fwd.test: [\"{upstream}\"]}}\nchecks: {{told: {{push: true, every: 1h}}}}\npools:\n  web: {{check: told, members: \
             {{a: 192.0.2.{}, b: 192.0.2.{}, sick: 192.0.2.99}}}}\nzones:\n  one.example: {{file: one.zone, steer: {{web: \
             {{pool: web, answers: all}}}}}}\n",
            TOP.replace("workers: 1", "workers: 2").replace("limits: off\n", ""),
            30 + side,
            40 + side,
        )
    };
    let world = World::start(&[("one.zone", &zone(0))], &text(0));
    assert_eq!(world.answer("x.fwd.test."), set(&["192.0.2.200"]));
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    let (status, said) = world.request("PUT", "/v1/pools/web/members/sick/check", r#"{"good": false}"#);
    assert_eq!(status, 200, "{said}");
    let is_sick = || {
        let pools = world.request("GET", "/v1/pools", "").1;
        let members = pools["pools"][0]["members"].as_array().unwrap().clone();
        members.iter().find(|one| one["member"] == "sick").unwrap()["state"].as_str().unwrap().to_owned()
    };
    // Its fall may take several bad results.
    let sick = until("the fall", || {
        world.request("PUT", "/v1/pools/web/members/sick/check", r#"{"good": false}"#);
        Some(is_sick()).filter(|state| state.eq_ignore_ascii_case("down"))
    });
    let since = || {
        let pools = world.request("GET", "/v1/pools", "").1;
        let members = pools["pools"][0]["members"].as_array().unwrap().clone();
        members.iter().find(|one| one["member"] == "sick").unwrap()["since"].clone()
    };
    let fell = since();
    let sides = [0, 1].map(|side| {
        let www = [format!("192.0.2.{}", 10 + side), format!("192.0.2.{}", 20 + side)];
        let web = [format!("192.0.2.{}", 30 + side), format!("192.0.2.{}", 40 + side)];
        let many = [format!("198.51.{side}.1")];
        (BTreeSet::from(www), BTreeSet::from(web), BTreeSet::from(many))
    });
    let check = |name: &str, found: &BTreeSet<String>| {
        let [old, new] = &sides;
        let is_right = match name {
            "www.one.example." => *found == old.0 || *found == new.0,
            "web.one.example." => *found == old.1 || *found == new.1,
            _ => *found == old.2 || *found == new.2,
        };
        assert!(is_right, "{name}: {found:?} is neither the old answer nor the new one");
    };
    let name = |number: u64| match number % 3 {
        0 => "www.one.example.".to_owned(),
        1 => "web.one.example.".to_owned(),
        _ => format!("n{}.one.example.", number % u64::from(names)),
    };
    let (is_over, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    let (mut early, mut late) = (0, 0);
    std::thread::scope(|scope| {
        for client in 0..2u64 {
            let (is_over, answered, check, address) = (&is_over, &answered, &check, world.address);
            scope.spawn(move || {
                let socket = ask::socket(address);
                socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
                let mut buffer = [0; 4_096];
                let mut number = client;
                while !is_over.load(Ordering::Relaxed) {
                    number += 1;
                    let (name, id) = (name(number), (number & 0xFFFF) as u16);
                    socket.send(&wire::compose(id, &name, A, Some(1_232))).unwrap();
                    let length = socket.recv(&mut buffer).unwrap_or_else(|fault| panic!("{name} is lost: {fault}"));
                    let response = wire::read(&buffer[..length]).unwrap();
                    assert_eq!((response.id, response.rcode), (id, 0), "{name}");
                    check(&name, &response.answer.into_iter().map(|record| record.rdata).collect());
                    answered.fetch_add(1, Ordering::Relaxed);
                    std::thread::sleep(PACE);
                }
            });
            scope.spawn(move || {
                // One connection from the first reload to the last.
                let mut connection = Connection::open(address);
                let mut number = client * 7;
                while !is_over.load(Ordering::Relaxed) {
                    number += 1;
                    let name = name(number);
                    check(&name, &connection.ask(&name));
                    answered.fetch_add(1, Ordering::Relaxed);
                    std::thread::sleep(PACE);
                }
            });
        }
        let reload = std::panic::AssertUnwindSafe(|| {
            for version in 1..=RELOADS {
                world.put("one.zone", &zone(version));
                world.put("m.yaml", &text(version));
                // Where the machine stalls, the files are followed before the request is there: then nothing has changed.
                let (status, told) = world.reload();
                assert_eq!((status, &told["reloaded"]), (200, &json!(true)), "{version}: {told:#}");
                let expected = &sides[version as usize % 2];
                assert_eq!(world.answer("www.one.example."), expected.0, "{version}");
                assert_eq!(world.answer("web.one.example."), expected.1, "{version}");
                if version % 100 == 0 {
                    assert_eq!(world.answer("x.fwd.test."), set(&["192.0.2.200"]));
                    assert_eq!(asked.load(Ordering::Relaxed), 1, "the cache is kept");
                    assert_eq!((is_sick(), since()), (sick.clone(), fell.clone()), "health is kept");
                }
                if version == 100 {
                    early = world.server.resident();
                }
            }
            late = world.server.resident();
        });
        let outcome = std::panic::catch_unwind(reload);
        is_over.store(true, Ordering::Relaxed);
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    let answered = answered.into_inner();
    println!("{answered} answers during {RELOADS} reloads; {} KiB, then {} KiB resident", early >> 10, late >> 10);
    assert!(answered > 10_000, "{answered} answers");
    assert!(late < early + GROWTH_MAX, "{early} octets after 100 reloads, {late} after {RELOADS}");
    assert!(world.metric("meridian_config_generation") > u64::from(RELOADS));
    assert_eq!(world.metric("meridian_worker_panics_total"), 0);
}
