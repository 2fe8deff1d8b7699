//! The server as its users meet it: the binary, real sockets, signals, upstreams that fall silent.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may fail, and lives in real time"
)]

mod support;

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use support::process::Server;
use support::tree::{self, Tree};
use support::wire::{self, Response};
use support::{ask, namespace, resolvers};

const A: u16 = 1;
const NOERROR: u16 = 0;
const SERVFAIL: u16 = 2;
const NXDOMAIN: u16 = 3;
const REFUSED: u16 = 5;
const YXDOMAIN: u16 = 6;
const STALE_ANSWER: u16 = 3;
const PROHIBITED: u16 = 18;

/// Runs a test on the private tree.
fn on_the_tree(name: &str, body: impl FnOnce(&Tree)) {
    namespace::inside(name, tree::PROGRAMS, || body(&Tree::start()));
}

/// Starts Meridian on 127.0.0.1 and a port that the system has free.
fn start_on_a_free_port(directory: &Path, recursion: &str) -> (Server, SocketAddr) {
    let text = format!("listen: [\"127.0.0.1:0\"]\nadmin: off\nworkers: 1\nrecursion:\n{recursion}\n");
    std::fs::write(directory.join("meridian.yaml"), text).expect("a writable directory");
    let command = [env!("CARGO_BIN_EXE_meridian"), "serve", "--config", "meridian.yaml"];
    let mut server = Server::start("meridian", directory, &command);
    let address = server.listens_on();
    server.wait_until_it_answers_at(address, ("localhost.", A));
    (server, address)
}

fn addresses(response: &Response) -> BTreeSet<String> {
    response.answer.iter().filter(|record| record.rtype == A).map(|record| record.rdata.clone()).collect()
}

/// Asks as a client that waits for five seconds; the answer and how long it took.
fn timed(server: SocketAddr, name: &str) -> (Response, Duration) {
    let started = Instant::now();
    let response = ask::once(server, name, A, Duration::from_secs(5));
    (response.unwrap_or_else(|| panic!("no response for {name}")), started.elapsed())
}

#[test]
fn dig_is_answered_over_udp_and_tcp() {
    if namespace::find("dig").is_none() {
        return namespace::skip("dig_is_answered_over_udp_and_tcp", "dig is not installed");
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (_server, address) = start_on_a_free_port(directory.path(), "  hosts: off\n  dnssec: off");
    for transport in ["+notcp", "+tcp"] {
        let port = address.port().to_string();
        let arguments = ["@127.0.0.1", "-p", &port, "localhost", "A", "+norecurse", "+tries=3", transport];
        let output = Command::new("dig").args(arguments).output().expect("dig starts");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("status: NOERROR") && text.contains("127.0.0.1"), "{transport}: {text}");
    }
}

/// Asks for `name` until its address is `expected`.
fn wait_for(server: SocketAddr, name: &str, expected: &str) {
    let end = Instant::now() + Duration::from_secs(10);
    while addresses(&timed(server, name).0) != BTreeSet::from([expected.to_owned()]) {
        assert!(Instant::now() < end, "{name} does not become {expected}");
        std::thread::yield_now();
    }
}

#[test]
fn a_log_that_is_no_terminal_has_no_colours() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (server, _) = start_on_a_free_port(directory.path(), "  hosts: off\n  dnssec: off");
    let log = server.output();
    assert!(log.contains("listening on") && !log.contains('\x1b'), "{log:?}");
}

#[test]
fn the_hosts_file_that_a_reload_names_is_the_one_that_is_watched() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let write = |file: &str, text: &str| std::fs::write(directory.path().join(file), text).expect("writable");
    write("one", "192.0.2.1 name.test.\n");
    write("two", "192.0.2.2 name.test.\n");
    let recursion = "  hosts: {file: one}\n  dnssec: off";
    let (server, address) = start_on_a_free_port(directory.path(), recursion);
    wait_for(address, "name.test.", "192.0.2.1");
    let text = std::fs::read_to_string(directory.path().join("meridian.yaml")).expect("written before");
    write("meridian.yaml", &text.replace("file: one", "file: two"));
    server.signal("HUP");
    wait_for(address, "name.test.", "192.0.2.2");
    write("one", "192.0.2.11 name.test. # no longer asked about\n");
    write("two", "192.0.2.22 name.test. # changed\n");
    wait_for(address, "name.test.", "192.0.2.22");
}

/// The cookie of a response whose last option it is, and its RCODE.
fn with_cookie(server: SocketAddr, cookie: &[u8]) -> (u16, Vec<u8>) {
    let mut query = wire::compose(7, "localhost.", A, Some(1232));
    let (length, last) = (cookie.len() as u8, query.len() - 1);
    query[last] = 4 + length;
    query.extend([0, 10, 0, length]);
    query.extend(cookie);
    let socket = ask::socket(server);
    socket.set_read_timeout(Some(Duration::from_millis(300))).expect("a socket");
    let mut buffer = [0; 1_232];
    // BADCOOKIE is longer than its query, so not every one gets it.
    let response = (0..60).find_map(|_| {
        socket.send(&query).expect("a local server");
        socket.recv(&mut buffer).ok()
    });
    let length = response.expect("a response");
    let rcode = wire::read(&buffer[..length]).expect("a whole response").rcode;
    (rcode, buffer[length - 24..length].to_vec())
}

#[test]
fn cookies_survive_a_change_of_the_shared_secret_in_two_steps() {
    const BADCOOKIE: u16 = 23;
    let directory = tempfile::tempdir().expect("a temporary directory");
    let secrets = |text: &str| std::fs::write(directory.path().join("secrets"), text).expect("writable");
    let (old, new) = ("e5e973e5a6b2a43f48e7dc849e37bfcf", "445536bcd2513298075a5d379663c962");
    secrets(old);
    let limits = "limits: {queries: {rate: 30/d, burst: 30, slip: 1, exempt: []}, cookies: {secret_file: secrets}}";
    let (server, address) = start_on_a_free_port(directory.path(), &format!("  hosts: off\n  dnssec: off\n{limits}"));
    let reload = |said: &str| {
        let before = server.output().matches(said).count();
        server.signal("HUP");
        let end = Instant::now() + Duration::from_secs(20);
        while server.output().matches(said).count() == before {
            assert!(Instant::now() < end, "no reload:\n{}", server.output());
            std::thread::yield_now();
        }
    };
    while !timed(address, "localhost.").0.truncated {}
    let (rcode, whole) = with_cookie(address, &[7; 8]);
    assert_eq!((rcode, &whole[..8]), (BADCOOKIE, &[7; 8][..]));
    assert_eq!(with_cookie(address, &whole), (0, whole.clone()), "what is fresh stays as it is");

    secrets("no secret");
    reload("32 hexadecimal digits");
    assert_eq!(with_cookie(address, &whole).0, 0, "a bad file changes nothing");

    secrets(&format!("{new}\n{old}\n"));
    reload("configuration read again");
    let (rcode, renewed) = with_cookie(address, &whole);
    assert_eq!(rcode, 0, "the old secret's cookies are good");
    assert_ne!(renewed, whole, "and are replaced");

    secrets(new);
    reload("configuration read again");
    assert_eq!(with_cookie(address, &renewed).0, 0);
    assert_eq!(with_cookie(address, &whole).0, BADCOOKIE);
}

#[test]
fn an_outsider_is_refused_with_the_reason() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let recursion = "  allow: [198.51.100.0/24]\n  hosts: off\n  dnssec: off";
    let (_server, address) = start_on_a_free_port(directory.path(), recursion);
    let wait = Duration::from_secs(5);
    for response in [ask::once(address, "www.example.", A, wait), ask::over_tcp(address, "www.example.", A, wait)]
        .map(Option::unwrap)
    {
        assert_eq!(response.rcode, REFUSED);
        assert_eq!(response.errors, [PROHIBITED]);
        assert!(response.answer.is_empty());
    }
}

#[test]
fn the_tree_is_resolved_as_its_zones_say() {
    on_the_tree("the_tree_is_resolved_as_its_zones_say", |tree| {
        let meridian = resolvers::start("meridian", tree);
        let expected: &[(&str, u16, &[&str])] = &[
            ("www.alpha.example.", NOERROR, &["192.0.2.2", "192.0.2.3"]),
            ("short0.alpha.example.", NOERROR, &["192.0.2.88"]),
            ("long0.alpha.example.", SERVFAIL, &[]),
            ("ping.alpha.example.", SERVFAIL, &[]),
            ("www.d.dname.example.", NOERROR, &["192.0.2.2", "192.0.2.3"]),
            ("alongerlabelthatdoesnotfitany-more.a.b.c.d.e.f.g.h.i.j.k.l.m.n.long.dname.example.", YXDOMAIN, &[]),
            ("anything.wild.alpha.example.", NOERROR, &["192.0.2.10"]),
            ("b.c.d.e.ents.alpha.example.", NOERROR, &[]),
            ("missing.alpha.example.", NXDOMAIN, &[]),
            ("www.gamma.example.", NOERROR, &["192.0.2.121"]),
            ("www.glueless.example.", NOERROR, &["192.0.2.126"]),
            ("www.loop-a.example.", SERVFAIL, &[]),
            ("www.halflame.example.", NOERROR, &["192.0.2.141"]),
            ("www.noedns.example.", NOERROR, &["192.0.2.141"]),
            ("www.formerr.example.", NOERROR, &["192.0.2.141"]),
            ("www.tcponly.example.", NOERROR, &["192.0.2.141"]),
            ("www.servfail.example.", SERVFAIL, &[]),
            ("www.refused.example.", SERVFAIL, &[]),
            ("www.upward.example.", SERVFAIL, &[]),
            ("a.b.c.entbroken.example.", NOERROR, &["192.0.2.142"]),
            ("www.v6only.example.", NOERROR, &["192.0.2.151"]),
            ("www.halfv4.example.", NOERROR, &["192.0.2.151"]),
            ("www.nsmismatch.example.", NOERROR, &["192.0.2.196"]),
            ("www.ttl0.example.", NOERROR, &["192.0.2.198"]),
            ("www.child.parent.example.", NOERROR, &["192.0.2.213"]),
            ("door.floor2.office.city.example.", NOERROR, &["192.0.2.222"]),
        ];
        for (name, rcode, expected) in expected {
            let response = ask::patiently(meridian.address, name, A, 2, Duration::from_secs(6));
            let response = response.unwrap_or_else(|| panic!("no response for {name}"));
            let expected: BTreeSet<String> = expected.iter().map(|address| (*address).to_owned()).collect();
            assert_eq!((response.rcode, addresses(&response)), (*rcode, expected), "{name}");
            assert!(response.recursion_available && !response.authoritative && !response.authentic, "{name}");
        }
    });
}

#[test]
fn a_stop_under_load_loses_no_admitted_query() {
    on_the_tree("a_stop_under_load_loses_no_admitted_query", |tree| stop_under_load(tree, 1));
}

#[test]
fn a_stop_loses_no_query_that_one_worker_has_handed_to_another() {
    on_the_tree("a_stop_loses_no_query_that_one_worker_has_handed_to_another", |tree| {
        (0..4).for_each(|_| stop_under_load(tree, 4));
    });
}

/// Stops a server of so many workers under load.
fn stop_under_load(tree: &Tree, workers: usize) {
    let mut meridian = resolvers::start_meridian(tree, "stopped", "", &format!("workers: {workers}"));
    // Several clients: more than some hundred questions of one do not wait at a time, and answers may come in bursts
    // when the machine is busy, of which one receive buffer would lose some.
    let sockets: [UdpSocket; 16] = std::array::from_fn(|number| {
        let socket = UdpSocket::bind((Ipv4Addr::new(127, 0, 9, 1 + number as u8), 0)).expect("a loopback address");
        socket.connect(meridian.address).expect("a local address");
        socket.set_nonblocking(true).expect("a socket");
        socket
    });
    let interval = Duration::from_micros(200);
    let started = Instant::now();
    let mut due = started;
    let mut sent: Vec<Instant> = Vec::new();
    let mut answered = vec![false; 16_384];
    let mut stopped = None;
    let mut buffer = [0; 4096];
    // 5,000 a second, a tenth of them for names not in cache; on for a moment after the signal. Never more at a time than the
    // system keeps for a server that gets no time of the machine.
    while stopped.is_none_or(|at: Instant| at.elapsed() < Duration::from_millis(200)) {
        let open = sent.len() - answered.iter().filter(|is_answered| **is_answered).count();
        if Instant::now() >= due && open < 200 && sent.len() < answered.len() {
            due = Instant::now() + interval;
            let number = sent.len();
            let name = if number.is_multiple_of(10) {
                format!("n{number}.wild.alpha.example.")
            } else {
                format!("host{}.alpha.example.", 101 + number % 25)
            };
            let id = u16::try_from(number).expect("few");
            // The port is closed once the server has gone: refused sends are not admitted queries.
            sockets[number % sockets.len()].send(&wire::compose(id, &name, A, Some(1232))).ok();
            sent.push(Instant::now());
        }
        receive(&sockets, &mut buffer, &mut answered);
        assert!(started.elapsed() < Duration::from_secs(60), "{open} of {} are unanswered", sent.len());
        if stopped.is_none() && sent.len() >= 10_000 {
            meridian.server.signal("TERM");
            stopped = Some(Instant::now());
        }
    }
    let stopped = stopped.expect("the signal was sent");
    let status = meridian.server.wait_for_end(Duration::from_secs(10));
    receive(&sockets, &mut buffer, &mut answered);
    assert!(status.success(), "ended with {status}:\n{}", meridian.server.output());
    // What was in the server's socket before the signal is admitted.
    let admitted = sent.iter().take_while(|at| **at < stopped).count();
    let lost: Vec<usize> = (0..admitted).filter(|number| !answered[*number]).collect();
    assert!(lost.is_empty(), "{} of {admitted} admitted queries were lost: {lost:?}", lost.len());
}

/// Marks what has been answered, until nothing more is waiting.
fn receive(sockets: &[UdpSocket], buffer: &mut [u8], answered: &mut [bool]) {
    for socket in sockets {
        loop {
            match socket.recv(buffer) {
                Ok(length) => {
                    if let Some(response) = wire::read(&buffer[..length])
                        && response.rcode == NOERROR
                    {
                        answered[usize::from(response.id)] = true;
                    }
                }
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
                Err(_) => break,
            }
        }
    }
}

#[test]
fn a_restart_answers_the_first_query_from_its_snapshot() {
    on_the_tree("a_restart_answers_the_first_query_from_its_snapshot", |tree| {
        let state = tree.path().join("state");
        std::fs::create_dir(&state).expect("a writable directory");
        let more = format!("state: {}", state.display());
        let mut first = resolvers::start_meridian(tree, "before", "", &more);
        let (before, _) = timed(first.address, "farther.alpha.example.");
        assert_eq!(before.rcode, NOERROR);
        first.server.signal("TERM");
        first.server.wait_for_end(Duration::from_secs(10));
        tree.cut_off();
        let second = resolvers::start_meridian(tree, "after", "", &more);
        let (after, took) = timed(second.address, "farther.alpha.example.");
        assert_eq!((after.rcode, addresses(&after)), (NOERROR, addresses(&before)));
        assert!(after.errors.is_empty(), "fresh data, not stale: {:?}", after.errors);
        assert!(took < Duration::from_millis(500), "took {took:?}");
    });
}

#[test]
fn upstreams_that_come_back_are_used_at_once_and_silence_is_no_denial() {
    on_the_tree("upstreams_that_come_back_are_used_at_once_and_silence_is_no_denial", |tree| {
        let meridian = resolvers::start_meridian(tree, "outage", "", "cache:\n  stale: off");
        assert_eq!(timed(meridian.address, "www.alpha.example.").0.rcode, NOERROR);
        tree.cut_off();
        let names: Vec<String> = (101..126).map(|number| format!("host{number}.alpha.example.")).collect();
        let outage = Instant::now();
        // Twelve seconds of questions: long enough for every penalty to have been given.
        for name in names.iter().cycle() {
            if outage.elapsed() > Duration::from_secs(12) {
                break;
            }
            let response = ask::once(meridian.address, name, A, Duration::from_millis(500));
            if let Some(response) = response {
                assert_eq!(response.rcode, SERVFAIL, "silence is a failure, not a denial ({name})");
            }
        }
        tree.bring_back();
        let returned = Instant::now();
        let (mut response, _) = timed(meridian.address, "www.beta.example.");
        // A client repeats its query; the three seconds count from the return.
        while response.rcode == SERVFAIL && returned.elapsed() < Duration::from_secs(3) {
            response = timed(meridian.address, "www.beta.example.").0;
        }
        assert_eq!(response.rcode, NOERROR, "after {:?}", returned.elapsed());
        assert!(returned.elapsed() < Duration::from_secs(3), "took {:?}", returned.elapsed());
        // Failures may be kept for a while (RFC 9520 §3.2), denials must not have been made.
        for name in &names {
            let (response, _) = timed(meridian.address, name);
            assert!([NOERROR, SERVFAIL].contains(&response.rcode), "{name}: {}", wire::rcode_name(response.rcode));
            assert!(response.rcode != NOERROR || !addresses(&response).is_empty(), "{name}: NODATA out of silence");
        }
    });
}

#[test]
fn stale_data_is_served_in_time_when_upstreams_are_dead() {
    on_the_tree("stale_data_is_served_in_time_when_upstreams_are_dead", |tree| {
        let meridian = resolvers::start_meridian(tree, "stale", "", "");
        let (fresh, _) = timed(meridian.address, "brief.ttl0.example.");
        assert_eq!(fresh.rcode, NOERROR);
        let expiry = Instant::now() + Duration::from_millis(1_100);
        tree.cut_off();
        while Instant::now() < expiry {
            std::thread::sleep(expiry.saturating_duration_since(Instant::now()));
        }
        let (stale, took) = timed(meridian.address, "brief.ttl0.example.");
        assert_eq!((stale.rcode, addresses(&stale)), (NOERROR, addresses(&fresh)));
        assert_eq!(stale.errors, [STALE_ANSWER]);
        assert_eq!(stale.answer[0].ttl, 30);
        assert!(took < Duration::from_secs(2), "took {took:?}");
        // The recheck pause: the next client does not wait for dead servers.
        let (again, took) = timed(meridian.address, "brief.ttl0.example.");
        assert_eq!((again.rcode, addresses(&again)), (NOERROR, addresses(&fresh)));
        assert!(took < Duration::from_millis(500), "took {took:?}");
    });
}

#[test]
fn special_names_and_the_hosts_file_are_answered_behind_an_empty_cache() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(directory.path().join("hosts"), "192.0.2.77 printer.example\n").expect("a writable directory");
    let (_server, address) = start_on_a_free_port(directory.path(), "  hosts: {file: hosts}");
    for (name, expected) in [("localhost.", "127.0.0.1"), ("printer.example.", "192.0.2.77")] {
        // No upstream can be reached from a test, so an answer in time comes from within.
        let (response, took) = timed(address, name);
        assert_eq!((response.rcode, addresses(&response)), (NOERROR, BTreeSet::from([expected.to_owned()])), "{name}");
        assert!(took < Duration::from_secs(1), "{name} took {took:?}");
    }
    let response = ask::once(address, "printer.test.", A, Duration::from_secs(5)).expect("an answer");
    assert_eq!(response.rcode, NXDOMAIN, "test. is not in the DNS");
}

#[test]
fn what_would_hold_up_the_first_queries_is_settled_before_them() {
    let directory = tempfile::tempdir().unwrap();
    let (server, _) = start_on_a_free_port(directory.path(), "  roots: builtin\n  hosts: off\n  dnssec: off");
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let figure = |name: &str| -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_matches([':', ' ', '\t']).parse().unwrap()
    };
    // A table that grows later holds every thread that opens a socket; huge pages, every one that touches memory.
    let soft = std::fs::read_to_string(format!("/proc/{}/limits", server.id())).unwrap();
    let soft = soft.lines().find(|line| line.starts_with("Max open files")).unwrap().split_whitespace().nth(3).unwrap();
    assert!(figure("FDSize") >= soft.parse::<u64>().unwrap().min(12_000), "{status}");
    assert_eq!(figure("THP_enabled"), 0, "{status}");
}
