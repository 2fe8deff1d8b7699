//! Zone transfers against the real ones: Knot and BIND as our secondaries and as our primaries, and primaries that
//! die, lie and send halves.
//!
//! Each test runs in a namespace of its own: Meridian at 198.18.3.1, Knot at 198.18.3.2, BIND at 198.18.1.3.
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
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use support::process::Server;
use support::{ask, fake, namespace, wait, wire};

const MERIDIAN: &str = "198.18.3.1";
const KNOT: &str = "198.18.3.2";
const BIND: &str = "198.18.1.3";
const SOA: u16 = 6;
const TXT: u16 = 16;
const IXFR: u16 = 251;
const SERVFAIL: u16 = 2;
const REFUSED: u16 = 5;
const NOT_READY: u16 = 14;
const PROHIBITED: u16 = 18;
const SECRET: &str = "c2VjcmV0LW9mLXR3ZW50eS1vY3RldHM=";
/// Changes that are followed one by one.
const CHANGES: u32 = 100;

const PROGRAMS: &[&str] = &["knotd", "knsupdate", "kdig", "named", "nsupdate", "dig"];

fn within(name: &str, body: impl FnOnce(&Path)) {
    namespace::inside(name, PROGRAMS, || {
        let directory = tempfile::tempdir().unwrap();
        body(directory.path());
    });
}

fn put(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    path
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(namespace::find(program).unwrap()).args(arguments).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Starts Meridian with `zones`, YAML indented by two.
fn meridian(directory: &Path, zones: &str) -> Server {
    let mut keys = String::new();
    for algorithm in ["256", "384", "512"] {
        writeln!(keys, "  k{algorithm}: {{algorithm: hmac-sha{algorithm}, secret: \"{SECRET}\"}}").unwrap();
    }
    let text = format!(
        "listen: [\"{MERIDIAN}:53\"]\nadmin: off\nworkers: 1\nrecursion: off\nstate: {}\nkeys:\n{keys}zones:\n{zones}",
        directory.join("state").display()
    );
    let file = put(directory, "meridian.yaml", &text);
    let command = [env!("CARGO_BIN_EXE_meridian"), "serve", "--config", file.to_str().unwrap()];
    let mut server = Server::start("meridian", directory, &command);
    server.wait_until_it_answers(MERIDIAN.parse().unwrap(), ("localhost.", 1));
    server
}

fn knot(directory: &Path, zones: &str) -> Server {
    let home = directory.join("knot");
    std::fs::create_dir_all(&home).unwrap();
    let home = home.display();
    let text = format!(
        "server:\n  listen: {KNOT}@53\n  rundir: {home}\ndatabase:\n  storage: {home}\n\
         log:\n  - target: stderr\n    any: info\n\
         key:\n  - id: k384\n    algorithm: hmac-sha384\n    secret: {SECRET}\n\
         remote:\n  - id: meridian\n    address: {MERIDIAN}\n    via: {KNOT}\n    key: k384\n\
         acl:\n  - id: meridian\n    address: {MERIDIAN}\n    key: k384\n    action: [notify, transfer]\n\
         \x20 - id: local\n    address: 198.18.0.0/15\n    action: [update, transfer]\n\
         template:\n  - id: default\n    storage: {home}\n    zonefile-load: difference\n{zones}"
    );
    let file = put(directory, "knot.conf", &text);
    let mut server = Server::start("knot", directory, &["knotd", "-c", file.to_str().unwrap()]);
    server.wait_until_it_answers(KNOT.parse().unwrap(), ("example.", SOA));
    server
}

fn bind(directory: &Path, zones: &str) -> Server {
    bind_with(directory, "", zones)
}

fn bind_with(directory: &Path, options: &str, zones: &str) -> Server {
    let home = directory.join("bind");
    std::fs::create_dir_all(&home).unwrap();
    let text = format!(
        "options {{ directory \"{}\"; listen-on {{ {BIND}; }}; listen-on-v6 {{ none; }}; pid-file none; \
         session-keyfile none; recursion no; dnssec-validation no; notify-delay 0; notify-source {BIND}; \
         transfer-source {BIND}; query-source address {BIND}; allow-transfer {{ any; }}; {options} }};\ncontrols {{ }};\n\
         key k512 {{ algorithm hmac-sha512; secret \"{SECRET}\"; }};\nserver {MERIDIAN} {{ keys {{ k512; }}; }};\n{zones}",
        home.display()
    );
    let file = put(directory, "named.conf", &text);
    let mut server = Server::start("bind", directory, &["named", "-g", "-n", "1", "-c", file.to_str().unwrap()]);
    server.wait_until_it_answers(BIND.parse().unwrap(), ("example.", SOA));
    server
}

/// The records of a zone as the server at `address` transfers them, letters small, sorted.
fn records(address: &str, zone: &str, key: &str) -> Vec<String> {
    let server = format!("@{address}");
    let mut arguments = vec![server.as_str(), zone, "AXFR", "+noall", "+answer", "-b", MERIDIAN_NEIGHBOUR];
    let key = format!("hmac-sha{}:{key}:{SECRET}", key.trim_start_matches('k'));
    if !key.contains("sha:") {
        arguments.extend(["-y", &key]);
    }
    let text = run("kdig", &arguments);
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with(';'));
    let lines: BTreeSet<String> =
        lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ").to_ascii_lowercase()).collect();
    assert!(!lines.is_empty(), "{address} gives no {zone}: {text}");
    lines.into_iter().collect()
}

/// Where the tests ask from.
const MERIDIAN_NEIGHBOUR: &str = "198.18.0.1";

/// The serial that the server at `address` has; none where it has no data.
fn serial(address: &str, zone: &str) -> Option<u32> {
    let response = ask::once(format!("{address}:53").parse().unwrap(), zone, SOA, Duration::from_secs(1))?;
    let soa = response.answer.iter().find(|record| record.rtype == SOA)?;
    let numbers = soa.rdata.rsplit(' ').next()?;
    u32::from_str_radix(numbers.get(..8)?, 16).ok()
}

fn wait_for(what: &str, limit: Duration, mut is_so: impl FnMut() -> bool) {
    wait::within(limit, what, || is_so().then_some(()));
}

fn wait_for_serial(address: &str, zone: &str, wanted: u32, server: &Server) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while serial(address, zone) != Some(wanted) {
        let have = serial(address, zone);
        assert!(Instant::now() < deadline, "{address} has {have:?} of {zone}, not {wanted}:\n{}", server.output());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Numbers that look random and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// A record that may come and go. The TTL is the RRset's.
fn any_record(numbers: &mut Numbers) -> String {
    let host = numbers.below(100);
    match numbers.below(4) {
        0 => format!("h{host} 300 IN A 192.0.2.{}", numbers.below(250)),
        1 => format!("h{host} 300 IN AAAA 2001:db8::{:x}", numbers.below(250) + 1),
        2 => format!("*.w{host} 60 IN TXT \"text {}\"", numbers.below(9)),
        _ => format!("h{host} 900 IN MX {} mail{}", numbers.below(9), numbers.below(9)),
    }
}

/// A change: whether a record comes, or one of those present goes.
fn any_change(numbers: &mut Numbers, present: &mut BTreeSet<String>) -> (bool, String) {
    if numbers.below(2) == 0 && !present.is_empty() {
        let at = numbers.below(present.len() as u64) as usize;
        let record = present.iter().nth(at).unwrap().clone();
        present.remove(&record);
        return (false, record);
    }
    loop {
        let record = any_record(numbers);
        if present.insert(record.clone()) {
            return (true, record);
        }
    }
}

fn zone_text(serial: u32, records: &BTreeSet<String>, timers: &str) -> String {
    let mut text = format!(
        "$TTL 300\n@ SOA ns host {serial} {timers} 60\n@ NS ns\nns A 192.0.2.1\nMixed.Case A 192.0.2.2\n\
         sub NS ns.sub\nns.sub A 192.0.2.3\nlist CNAME h1\n"
    );
    for record in records {
        writeln!(text, "{record}").unwrap();
    }
    text
}

#[test]
fn knot_and_bind_follow_us_through_a_hundred_changes() {
    within("knot_and_bind_follow_us_through_a_hundred_changes", |directory| {
        let mut numbers = Numbers(1);
        let mut records_now: BTreeSet<String> = (0..300).map(|_| any_record(&mut numbers)).collect();
        let timers = "3600 600 86400";
        let write =
            |serial, records: &BTreeSet<String>| put(directory, "example.zone", &zone_text(serial, records, timers));
        write(1, &records_now);
        let zones = format!(
            "  example:\n    file: example.zone\n    transfer:\n      allow: [{{key: k384}}, {{network: {BIND}, key: k512}}, \
             {{key: k256}}]\n      notify: [{{address: {KNOT}, key: k384}}, {{address: {BIND}, key: k512}}]\n"
        );
        let meridian = meridian(directory, &zones);
        let knot = knot(directory, "zone:\n  - domain: example.\n    master: meridian\n    acl: [meridian, local]\n");
        let bind = bind(
            directory,
            &format!("zone example {{ type secondary; primaries {{ {MERIDIAN} key k512; }}; file \"example\"; }};\n"),
        );
        let log = directory.join("meridian.out");
        for serial in 1..=CHANGES + 1 {
            if serial > 1 {
                for _ in 0..=numbers.below(6) {
                    any_change(&mut numbers, &mut records_now);
                }
                write(serial, &records_now);
                meridian.signal("HUP");
            }
            wait_for_serial(MERIDIAN, "example.", serial, &meridian);
            wait_for_serial(KNOT, "example.", serial, &knot);
            wait_for_serial(BIND, "example.", serial, &bind);
            if serial % 20 == 1 {
                let ours = records(MERIDIAN, "example.", "k256");
                assert_eq!(records(KNOT, "example.", ""), ours, "Knot at {serial}");
                assert_eq!(records(BIND, "example.", ""), ours, "BIND at {serial}");
            }
        }
        let text = std::fs::read_to_string(log).unwrap();
        let steps = text.lines().filter(|line| line.contains("the changes of serial")).count();
        assert!(steps >= 2 * CHANGES as usize - 10, "only {steps} transfers in steps:\n{}", meridian.output());
    });
}

#[test]
fn we_follow_knot_and_bind_through_a_hundred_changes() {
    within("we_follow_knot_and_bind_through_a_hundred_changes", |directory| {
        let mut numbers = Numbers(2);
        let initial: BTreeSet<String> = (0..300).map(|_| any_record(&mut numbers)).collect();
        let text = zone_text(1, &initial, "3600 600 86400");
        put(directory, "knot/k.example.zone", &text);
        put(directory, "bind/b.example.zone", &text);
        put(directory, "knot/example.zone", &text);
        put(directory, "bind/example.zone", &text);
        let zones = "zone:\n  - domain: k.example.\n    file: k.example.zone\n    notify: meridian\n    \
                     acl: [meridian, local]\n  - domain: example.\n    file: example.zone\n";
        let knot = knot(directory, zones);
        let bind = bind(
            directory,
            &format!(
                "zone b.example {{ type primary; file \"b.example.zone\"; allow-update {{ any; }}; notify explicit; \
                 also-notify {{ {MERIDIAN} key k512; }}; allow-transfer {{ key k512; {MERIDIAN_NEIGHBOUR}; }}; }};\n\
                 zone example {{ type primary; file \"example.zone\"; }};\n"
            ),
        );
        let zones = format!(
            "  k.example:\n    primaries: [{{address: {KNOT}, key: k384}}]\n    transfer: {{allow: [{{key: k256}}]}}\n  \
             b.example:\n    primaries: [{{address: {BIND}, key: k512}}]\n    transfer: {{allow: [{{key: k256}}]}}\n"
        );
        let server = meridian(directory, &zones);
        wait_for_serial(MERIDIAN, "k.example.", 1, &server);
        wait_for_serial(MERIDIAN, "b.example.", 1, &server);
        let mut present = initial;
        for change in 1..=CHANGES {
            let mut commands = String::new();
            for _ in 0..=numbers.below(6) {
                let (comes, record) = any_change(&mut numbers, &mut present);
                let verb = if comes { "add" } else { "delete" };
                let (owner, rest) = record.split_once(' ').unwrap();
                let rest = if rest.contains(" MX ") { format!("{rest}.ZONE") } else { rest.to_owned() };
                // A deletion names no TTL.
                let rest = if comes { rest.as_str() } else { rest.split_once(' ').unwrap().1 };
                writeln!(commands, "update {verb} {owner}.ZONE {rest}").unwrap();
            }
            for (program, address, zone) in [("knsupdate", KNOT, "k.example."), ("nsupdate", BIND, "b.example.")] {
                let text = format!("server {address}\nzone {zone}\n{}send\n", commands.replace("ZONE", zone));
                let file = put(directory, "update", &text);
                let said = run(program, &[file.to_str().unwrap()]);
                assert!(!said.contains("rror"), "{program}: {said}\n{text}");
            }
            for (address, zone) in [(KNOT, "k.example."), (BIND, "b.example.")] {
                let wanted = serial(address, zone).unwrap();
                wait_for_serial(MERIDIAN, zone, wanted, &server);
                if change % 20 == 0 {
                    assert_eq!(records(MERIDIAN, zone, "k256"), records(address, zone, ""), "{zone} at {wanted}");
                }
            }
        }
        let text = std::fs::read_to_string(directory.join("meridian.out")).unwrap();
        let steps = text.lines().filter(|line| line.contains("by IXFR")).count();
        assert!(steps >= CHANGES as usize, "only {steps} transfers in steps:\n{}", server.output());
        // Without its primaries, a restarted server serves what it had, at once.
        let had = [records(MERIDIAN, "k.example.", "k256"), records(MERIDIAN, "b.example.", "k256")];
        drop((knot, bind));
        server.signal("KILL");
        drop(server);
        let server = meridian(directory, &zones);
        wait_for("the zone is served again", Duration::from_secs(2), || serial(MERIDIAN, "k.example.").is_some());
        wait_for("the zone is served again", Duration::from_secs(2), || serial(MERIDIAN, "b.example.").is_some());
        assert_eq!([records(MERIDIAN, "k.example.", "k256"), records(MERIDIAN, "b.example.", "k256")], had);
        drop(server);
    });
}

#[test]
fn who_may_not_have_a_zone_is_told_so() {
    within("who_may_not_have_a_zone_is_told_so", |directory| {
        put(directory, "example.zone", &zone_text(1, &BTreeSet::new(), "60 60 60"));
        let zones = "  example:\n    file: example.zone\n    transfer: {allow: [{network: 198.18.0.1, key: k256}]}\n";
        let _server = meridian(directory, zones);
        let at = format!("@{MERIDIAN}");
        let dig = |arguments: &[&str]| run("dig", &[&[at.as_str(), "+nocookie", "+tries=1"], arguments].concat());
        let sign = |algorithm: &str, name: &str, secret: &str| format!("hmac-{algorithm}:{name}:{secret}");
        let (good, other) = (sign("sha256", "k256", SECRET), sign("sha512", "k512", SECRET));
        let soas = |text: &str| text.matches("SOA").count();
        let granted = dig(&["-b", "198.18.0.1", "example", "AXFR", "-y", &good]);
        assert!(soas(&granted) == 2 && granted.contains("Mixed.Case.example."), "{granted}");
        for refused in [
            dig(&["-b", "198.18.0.1", "example", "AXFR"]),
            dig(&["-b", "198.18.0.1", "example", "AXFR", "-y", &other]),
            dig(&["-b", "198.18.0.2", "example", "AXFR", "-y", &good]),
        ] {
            assert!(refused.contains("Transfer failed") && soas(&refused) == 0, "{refused}");
        }
        // The clients do not show why a transfer is refused.
        let mut query = wire::compose(1, "example.", IXFR, None);
        (query[9], query[11]) = (1, 1);
        query.extend(liar::soa(0));
        query.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
        let socket = ask::socket(format!("{MERIDIAN}:53").parse().unwrap());
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        socket.send(&query).unwrap();
        let mut room = [0; 512];
        let length = socket.recv(&mut room).unwrap();
        let refused = wire::read(&room[..length]).unwrap();
        assert_eq!((refused.rcode, refused.errors.as_slice()), (REFUSED, [PROHIBITED].as_slice()));
        let bad_key = dig(&["example", "SOA", "-y", &sign("sha256", "unknown", SECRET)]);
        assert!(bad_key.contains("NOTAUTH") && bad_key.contains("BADKEY"), "{bad_key}");
        let bad_secret = dig(&["example", "SOA", "-y", &sign("sha256", "k256", "AAAA")]);
        assert!(bad_secret.contains("NOTAUTH") && bad_secret.contains("BADSIG"), "{bad_secret}");
        let signed = dig(&["example", "SOA", "-y", &good]);
        assert!(signed.contains("NOERROR") && signed.contains("flags: qr aa") && signed.contains("TSIG"), "{signed}");
        let foreign = dig(&["test", "AXFR"]);
        assert!(foreign.contains("Transfer failed"), "{foreign}");
        // The stream also reads well to the other client.
        let kdig = run("kdig", &[&at, "-b", "198.18.0.1", "example", "AXFR", "-y", &good]);
        assert!(kdig.contains("TSIG") && !kdig.contains("rror"), "{kdig}");
    });
}

#[test]
fn a_zone_that_nobody_confirms_expires_and_comes_back() {
    within("a_zone_that_nobody_confirms_expires_and_comes_back", |directory| {
        put(directory, "bind/example.zone", &zone_text(7, &BTreeSet::new(), "1 1 4"));
        let zone = "zone example { type primary; file \"example.zone\"; };\n";
        let primary = bind(directory, zone);
        let zones = format!("  example:\n    primaries: [{BIND}]\n");
        let server = meridian(directory, &zones);
        wait_for_serial(MERIDIAN, "example.", 7, &server);
        drop(primary);
        let ask = || ask::once(format!("{MERIDIAN}:53").parse().unwrap(), "example.", SOA, Duration::from_secs(1));
        wait_for("it expires", Duration::from_secs(20), || ask().is_some_and(|response| response.rcode == SERVFAIL));
        let response = ask().unwrap();
        assert!(response.errors.is_empty() || response.errors == [NOT_READY]);
        let dig = run("dig", &[&format!("@{MERIDIAN}"), "example", "SOA"]);
        assert!(dig.contains("EDE: 14"), "{dig}");
        // A restart does not make it younger.
        server.signal("TERM");
        drop(server);
        let server = meridian(directory, &zones);
        assert_eq!(ask().unwrap().rcode, SERVFAIL);
        let _primary = bind(directory, zone);
        wait_for_serial(MERIDIAN, "example.", 7, &server);
    });
}

#[test]
fn catalogs_are_obeyed_and_produced() {
    within("catalogs_are_obeyed_and_produced", |directory| {
        // Knot lists one.example and two.example for us; we list ours for Knot and BIND.
        for zone in ["one.example", "two.example", "example"] {
            put(directory, &format!("knot/{zone}.zone"), &zone_text(3, &BTreeSet::new(), "60 60 600"));
        }
        put(directory, "bind/example.zone", &zone_text(3, &BTreeSet::new(), "60 60 600"));
        put(directory, "ours.test.zone", &zone_text(4, &BTreeSet::new(), "60 60 600"));
        let member = |zone: &str| {
            format!(
                "  - domain: {zone}.\n    file: {zone}.zone\n    catalog-role: member\n    catalog-zone: cat.knot.\n    \
                 acl: meridian\n    notify: meridian\n"
            )
        };
        let knot_zones = |members: &[&str]| {
            let members: String = members.iter().map(|zone| member(zone)).collect();
            format!(
                "  - id: taken\n    master: meridian\n    acl: [meridian, local]\n    storage: {}/knot\n\
                 zone:\n  - domain: cat.knot.\n    catalog-role: generate\n    notify: meridian\n    acl: meridian\n\
                 \x20 - domain: example.\n    file: example.zone\n\
                 \x20 - domain: cat.test.\n    master: meridian\n    acl: meridian\n    catalog-role: interpret\n    \
                 catalog-template: taken\n{members}",
                directory.display()
            )
        };
        let knot = knot(directory, &knot_zones(&["one.example", "two.example"]));
        let bind = bind_with(
            directory,
            "catalog-zones { zone \"cat.test\" default-primaries { 198.18.3.1 key k512; }; };",
            &format!(
                "zone example {{ type primary; file \"example.zone\"; }};\n\
                 zone cat.test {{ type secondary; primaries {{ {MERIDIAN} key k512; }}; file \"cat.test\"; }};\n"
            ),
        );
        let notify = format!("notify: [{{address: {KNOT}, key: k384}}, {{address: {BIND}, key: k512}}]");
        let allow = format!("transfer: {{allow: [{{key: k384}}, {{key: k512}}], {notify}}}");
        let ours = |more: &str| {
            format!(
                "  cat.knot:\n    primaries: [{{address: {KNOT}, key: k384}}]\n    catalog: consume\n  \
                 cat.test:\n    catalog: produce\n    {allow}\n  ours.test:\n    file: ours.test.zone\n    {allow}\n{more}"
            )
        };
        let server = meridian(directory, &ours(""));
        wait_for_serial(MERIDIAN, "one.example.", 3, &server);
        wait_for_serial(MERIDIAN, "two.example.", 3, &server);
        wait_for_serial(KNOT, "ours.test.", 4, &knot);
        wait_for_serial(BIND, "ours.test.", 4, &bind);
        // A member that goes is answered no more, one that comes is.
        let text = std::fs::read_to_string(directory.join("knot.conf")).unwrap();
        std::fs::write(directory.join("knot.conf"), text.replace(&member("two.example"), "")).unwrap();
        knot.signal("HUP");
        wait_for("the member goes", Duration::from_secs(20), || serial(MERIDIAN, "two.example.").is_none());
        assert_eq!(serial(MERIDIAN, "one.example."), Some(3));
        put(directory, "more.test.zone", &zone_text(5, &BTreeSet::new(), "60 60 600"));
        let text = std::fs::read_to_string(directory.join("meridian.yaml")).unwrap();
        let more = format!("  more.test:\n    file: more.test.zone\n    {allow}\n");
        std::fs::write(directory.join("meridian.yaml"), text + &more).unwrap();
        server.signal("HUP");
        wait_for_serial(KNOT, "more.test.", 5, &knot);
        wait_for_serial(BIND, "more.test.", 5, &bind);
    });
}

/// A primary of the tests' own making.
mod liar {
    use super::{fake, wire};

    /// What it does with a question for a transfer.
    #[derive(Clone, Copy, Debug)]
    pub(super) enum Way {
        /// It gives the zone.
        Whole,
        /// It gives a zone that is older than it says.
        Older,
        /// It gives half and closes.
        Half,
        /// It closes without a word.
        Nothing,
        /// It gives half and falls silent.
        Silence,
        /// It ends with another SOA record than it began with.
        TwoSerials,
        /// It answers with noise.
        Noise,
        /// It gives records of others.
        Foreign,
    }

    fn record(owner: &str, rtype: u16, rdata: &[u8]) -> Vec<u8> {
        let mut record = wire::compose_name(owner);
        record.extend(rtype.to_be_bytes());
        record.extend([0, 1, 0, 0, 0, 60]);
        record.extend(u16::try_from(rdata.len()).unwrap().to_be_bytes());
        record.extend(rdata);
        record
    }

    pub(super) fn soa(serial: u32) -> Vec<u8> {
        let mut rdata = [wire::compose_name("ns.example."), wire::compose_name("host.example.")].concat();
        for number in [serial, 1, 1, 86_400, 60] {
            rdata.extend(number.to_be_bytes());
        }
        record("example.", 6, &rdata)
    }

    fn txt(owner: &str, text: &str) -> Vec<u8> {
        record(owner, 16, &[&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat())
    }

    fn message(query: &fake::Query<'_>, records: &[Vec<u8>]) -> Vec<u8> {
        let mut reply = query.reply(0);
        reply[2] |= 0x04;
        reply[7] = u8::try_from(records.len()).unwrap();
        reply.extend(records.concat());
        reply
    }

    /// The messages for a query, and whether the connection stays open then.
    pub(super) fn answer(query: &fake::Query<'_>, way: Way, serial: u32) -> (Vec<Vec<u8>>, bool) {
        if query.rtype == 6 {
            return (vec![message(query, &[soa(serial)])], false);
        }
        let ns = record("example.", 2, &wire::compose_name("ns.example."));
        let text = txt("who.example.", &format!("{way:?}"));
        match way {
            Way::Whole => (vec![message(query, &[soa(serial), ns]), message(query, &[text, soa(serial)])], false),
            Way::Older => (vec![message(query, &[soa(1), ns, text, soa(1)])], false),
            Way::Half => (vec![message(query, &[soa(serial), ns, text])], false),
            Way::Nothing => (Vec::new(), false),
            Way::Silence => (vec![message(query, &[soa(serial), ns, text])], true),
            Way::TwoSerials => (vec![message(query, &[soa(serial), ns, text, soa(serial + 1)])], false),
            Way::Noise => (vec![vec![0xA5; 300]], false),
            Way::Foreign => {
                let stranger = txt("who.test.", "foreign");
                (vec![message(query, &[soa(serial), ns, text, stranger, soa(serial)])], false)
            }
        }
    }
}

/// The text at who.example.
fn who() -> Option<String> {
    let address = format!("{MERIDIAN}:53").parse().unwrap();
    let response = ask::once(address, "who.example.", TXT, Duration::from_secs(1))?;
    let hexadecimal = response.answer.first()?.rdata.rsplit(' ').next()?.to_owned();
    let octets: Vec<u8> = (1..hexadecimal.len() / 2)
        .map(|at| u8::from_str_radix(&hexadecimal[2 * at..2 * at + 2], 16).unwrap())
        .collect();
    String::from_utf8(octets).ok()
}

#[test]
fn a_primary_that_dies_or_lies_changes_nothing() {
    use std::sync::{Arc, Mutex};

    use liar::Way;
    within("a_primary_that_dies_or_lies_changes_nothing", |directory| {
        let state = Arc::new(Mutex::new((Way::Whole, 5u32)));
        let shared = Arc::clone(&state);
        fake::start_streaming("198.18.4.1", move |query| {
            let (way, serial) = *shared.lock().unwrap();
            liar::answer(query, way, serial)
        });
        let zones = "  example:\n    primaries: [198.18.4.1]\n";
        let server = meridian(directory, zones);
        wait_for_serial(MERIDIAN, "example.", 5, &server);
        assert_eq!(who().as_deref(), Some("Whole"));
        let log = || std::fs::read_to_string(directory.join("meridian.out")).unwrap();
        let mut serial_now = 5;
        for way in [Way::Older, Way::Half, Way::Nothing, Way::TwoSerials, Way::Noise] {
            let failures = || log().lines().filter(|line| line.contains("failed:")).count();
            let before = failures();
            *state.lock().unwrap() = (way, serial_now + 10);
            wait_for("a transfer fails", Duration::from_secs(20), || failures() > before);
            assert_eq!(serial(MERIDIAN, "example."), Some(serial_now), "{way:?}");
            assert_eq!(who().as_deref(), Some("Whole"), "{way:?}");
            serial_now += 1;
            *state.lock().unwrap() = (Way::Whole, serial_now);
            wait_for_serial(MERIDIAN, "example.", serial_now, &server);
        }
        // One that falls silent holds nothing up but its own transfer.
        *state.lock().unwrap() = (Way::Silence, serial_now + 1);
        std::thread::sleep(Duration::from_secs(3));
        assert_eq!((serial(MERIDIAN, "example."), who().as_deref()), (Some(serial_now), Some("Whole")));
        drop(server);
        *state.lock().unwrap() = (Way::Foreign, serial_now + 1);
        let server = meridian(directory, zones);
        wait_for_serial(MERIDIAN, "example.", serial_now + 1, &server);
        let foreign = ask::once(format!("{MERIDIAN}:53").parse().unwrap(), "who.test.", TXT, Duration::from_secs(1));
        assert_eq!(foreign.unwrap().rcode, REFUSED);
    });
}

#[test]
fn the_next_primary_is_asked_where_the_first_fails() {
    within("the_next_primary_is_asked_where_the_first_fails", |directory| {
        fake::start_streaming("198.18.4.1", |query| liar::answer(query, liar::Way::Half, 9));
        fake::start_streaming("198.18.4.2", |query| liar::answer(query, liar::Way::Whole, 9));
        let server = meridian(directory, "  example:\n    primaries: [198.18.4.9, 198.18.4.1, 198.18.4.2]\n");
        wait_for_serial(MERIDIAN, "example.", 9, &server);
        assert_eq!(who().as_deref(), Some("Whole"));
        // A stranger's NOTIFY is refused, a primary's taken.
        let knsupdate =
            |source: &str| run("kdig", &[&format!("@{MERIDIAN}"), "-b", source, "example", "NOTIFY", "+time=1"]);
        let (stranger, primary) = (knsupdate("198.18.0.7"), knsupdate("198.18.4.2"));
        assert!(stranger.contains("REFUSED"), "{stranger}");
        assert!(primary.contains("NOERROR"), "{primary}");
    });
}
