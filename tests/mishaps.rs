//! What can go wrong around a server, and what it does then; docs/operating.md has the table that these tests stand in.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may fail, and lives in real time"
)]

mod support;

use std::io::Write as _;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use support::process::Server;
use support::wait::wait_for;
use support::wire::{self, Response};
use support::{ask, namespace};

const A: u16 = 1;
const SERVFAIL: u16 = 2;
const MERIDIAN: &str = env!("CARGO_BIN_EXE_meridian");
const SECRET: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const PATIENCE: Duration = Duration::from_secs(5);

/// A server of example.com, which has a pool and may be updated, with its state in `state` beside its configuration.
fn configure(directory: &Path, more: &str) {
    let text = format!(
        "listen: [\"127.0.0.1:0\"]\nadmin: 127.0.0.1:0\nworkers: 1\nstate: state\nlimits: off\n{more}\n\
         pools: {{www: {{members: {{one: {{a: 192.0.2.1}}, two: {{a: 192.0.2.2}}}}}}}}\n\
         keys:\n  all: {{algorithm: hmac-sha256, secret: \"{SECRET}\"}}\n\
         zones:\n  example.com:\n    records: [\"@ SOA ns h 1 3600 600 86400 60\", \"@ NS ns.example.net.\"]\n    \
         steer: {{www: {{pool: www, policy: [all], ttl: 5}}}}\n  \
         dyn.example:\n    file: dyn.zone\n    update: [{{key: all, types: [ANY]}}]\n"
    );
    std::fs::write(directory.join("meridian.yaml"), text).unwrap();
    let zone = "$TTL 300\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 192.0.2.1\n";
    std::fs::write(directory.join("dyn.zone"), zone).unwrap();
}

/// A running server, and where it is.
struct Running {
    server: Server,
    address: SocketAddr,
}

impl Running {
    fn start(directory: &Path, variables: &[&str]) -> Self {
        let command = [&["env"], variables, &[MERIDIAN, "serve", "--config", "meridian.yaml"]].concat();
        let mut server = Server::start("meridian", directory, &command);
        let address = server.listens_on();
        server.wait_until_it_answers_at(address, ("www.example.com.", A));
        Self { server, address }
    }

    fn ask(&self, name: &str) -> Response {
        ask::patiently(self.address, name, A, 3, PATIENCE)
            .unwrap_or_else(|| panic!("{name}:\n{}", self.server.output()))
    }

    /// The addresses of a name, sorted.
    fn addresses(&self, name: &str) -> Vec<String> {
        let mut addresses: Vec<String> = self.ask(name).answer.iter().map(|record| record.rdata.clone()).collect();
        addresses.sort();
        addresses
    }

    /// Runs a command that talks to the server; whether it went well.
    fn command(&self, arguments: &[&str]) -> bool {
        let log = self.server.output();
        let admin = log.split_once("admin on ").unwrap().1.lines().next().unwrap().to_owned();
        Command::new(MERIDIAN)
            .args(arguments)
            .args(["--server", &admin])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap()
            .success()
    }

    /// Adds a name to dyn.example; what nsupdate says, nothing where all went well.
    fn update(&self, name: &str) -> String {
        let mut child = Command::new(namespace::find("nsupdate").unwrap())
            .args(["-y", &format!("hmac-sha256:all:{SECRET}")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (host, port) = (self.address.ip(), self.address.port());
        let lines = format!("server {host} {port}\nzone dyn.example\nupdate add {name} 60 A 192.0.2.9\nsend\n");
        child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).trim().to_owned()
    }

    fn end(mut self, signal: &str) {
        self.server.signal(signal);
        self.server.wait_for_end(Duration::from_secs(30));
    }
}

#[track_caller]
#[test]
fn a_decision_about_members_outlives_a_kill_at_once_after_it_was_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    configure(directory.path(), "recursion: off");
    for round in 0..5 {
        let running = Running::start(directory.path(), &[]);
        let expected = if round % 2 == 0 { vec!["192.0.2.1", "192.0.2.2"] } else { vec!["192.0.2.2"] };
        assert_eq!(running.addresses("www.example.com."), expected, "round {round}");
        let done = if round % 2 == 0 {
            running.command(&["force", "www/one", "down", "--why", "power work"])
        } else {
            running.command(&["unforce", "www/one"])
        };
        assert!(done, "round {round}:\n{}", running.server.output());
        running.end("KILL");
    }
}

/// The server's state lies on a file system of its own that is full.
#[test]
fn a_full_disk_refuses_what_it_could_not_keep_and_serves_on() {
    let name = "a_full_disk_refuses_what_it_could_not_keep_and_serves_on";
    namespace::inside(name, &["nsupdate", "mount"], || {
        let directory = tempfile::tempdir().unwrap();
        configure(directory.path(), "recursion: off");
        let state = directory.path().join("state");
        std::fs::create_dir(&state).unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=256k", "meridian-test"]).arg(&state).status();
        assert!(mounted.unwrap().success());
        let running = Running::start(directory.path(), &[]);
        assert_eq!(running.update("kept.dyn.example."), "");
        let mut filler = std::fs::File::create(state.join("filler")).unwrap();
        while filler.write_all(&[0; 512]).is_ok() {}
        filler.flush().ok();

        let mut refused = Vec::new();
        // What is open may still have some octets of its last page.
        wait_for(
            || {
                let name = format!("n{}.dyn.example.", refused.len());
                let said = running.update(&name);
                let is_refused = said.contains("SERVFAIL");
                refused.push((name, is_refused));
                is_refused
            },
            "an update is refused",
        );
        for (name, is_refused) in &refused {
            assert_eq!(running.addresses(name).is_empty(), *is_refused, "{name}");
        }
        assert_eq!(running.addresses("kept.dyn.example."), ["192.0.2.9"]);
        assert_eq!(running.ask("none.dyn.example.").rcode, 3);
        // What has to be done at once is done all the same, and the log says that it is not kept.
        assert!(running.command(&["force", "www/one", "down", "--why", "power work"]));
        assert_eq!(running.addresses("www.example.com."), ["192.0.2.2"]);
        running.server.says("health and overrides are not saved");

        drop(filler);
        std::fs::remove_file(state.join("filler")).unwrap();
        wait_for(|| running.update("later.dyn.example.").is_empty(), "updates are taken again");
        running.end("KILL");
        let running = Running::start(directory.path(), &[]);
        for name in ["kept.dyn.example.", "later.dyn.example."] {
            assert_eq!(running.addresses(name), ["192.0.2.9"], "{name} was acknowledged");
        }
        for (name, is_refused) in &refused {
            assert_eq!(running.addresses(name).is_empty(), *is_refused, "{name}");
        }
        running.end("TERM");
        // The namespace's mounts end with it; here the folder is to be removed.
        Command::new("umount").arg("-l").arg(&state).status().unwrap();
    });
}

/// A server for lab.example that counts the addresses it is asked for.
fn upstream() -> (SocketAddr, Arc<AtomicUsize>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (address, asked) = (socket.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&asked);
    std::thread::spawn(move || {
        let mut buffer = [0; 4_096];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer) {
            let Some((_, rtype, question_end)) = wire::read_question(&buffer[..length]) else { continue };
            count.fetch_add(usize::from(rtype == A), Ordering::Relaxed);
            let mut reply = buffer[..question_end].to_vec();
            reply[2] |= 0x84;
            reply[6..12].copy_from_slice(&[0, 1, 0, 0, 0, 0]);
            reply.extend([0xC0, 12, 0, 1, 0, 1, 0, 1, 0x51, 0x80, 0, 4, 192, 0, 2, 77]);
            socket.send_to(&reply, peer).ok();
        }
    });
    (address, asked)
}

fn faketime() -> Option<PathBuf> {
    let folders =
        std::fs::read_dir("/usr/lib").ok()?.flatten().map(|entry| entry.path().join("faketime/libfaketime.so.1"));
    folders.chain(["/usr/lib/faketime/libfaketime.so.1".into()]).find(|library| library.exists())
}

/// The wall clock leaps by days, either way, while the server runs: what counts is the time that passes.
#[test]
fn a_leap_of_the_wall_clock_neither_ages_nor_revives_what_is_known() {
    let name = "a_leap_of_the_wall_clock_neither_ages_nor_revives_what_is_known";
    let Some(library) = faketime() else { return namespace::skip(name, "faketime is not installed") };
    let directory = tempfile::tempdir().unwrap();
    let (upstream, asked) = upstream();
    configure(
        directory.path(),
        &format!("recursion: {{hosts: off, dnssec: off, forward: {{lab.example: [\"{upstream}\"]}}}}"),
    );
    let leap = |by: &str| {
        // Whole at any time: it is read whenever the clock is.
        std::fs::write(directory.path().join("clock.new"), by).unwrap();
        std::fs::rename(directory.path().join("clock.new"), directory.path().join("clock")).unwrap();
    };
    leap("+0");
    let place = format!("FAKETIME_TIMESTAMP_FILE={}", directory.path().join("clock").display());
    let preload = format!("LD_PRELOAD={}", library.display());
    let variables = [preload.as_str(), &place, "FAKETIME_DONT_FAKE_MONOTONIC=1", "FAKETIME_NO_CACHE=1"];
    let running = Running::start(directory.path(), &variables);
    assert_eq!(running.addresses("one.lab.example."), ["192.0.2.77"]);
    let before = asked.load(Ordering::Relaxed);
    for by in ["+40d", "-40d", "+0"] {
        leap(by);
        // Longer than a worker takes to notice.
        let noticed = Instant::now();
        while noticed.elapsed() < Duration::from_millis(2_500) {
            let response = running.ask("one.lab.example.");
            let ttl = response.answer[0].ttl;
            assert!((86_300..=86_400).contains(&ttl), "{by}: {ttl}");
            std::thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(asked.load(Ordering::Relaxed), before, "{by}: it was asked for again");
        assert_eq!(running.addresses("www.example.com."), ["192.0.2.1", "192.0.2.2"]);
    }
    // Saved in what a later start takes for the past, or for the future: not believed, and no reason not to serve.
    for by in ["-40d", "+40d"] {
        leap(by);
        let running = Running::start(directory.path(), &variables);
        assert_eq!(running.addresses("two.lab.example."), ["192.0.2.77"]);
        running.end("TERM");
        leap("+0");
        let before = asked.load(Ordering::Relaxed);
        let running = Running::start(directory.path(), &variables);
        assert_eq!(running.addresses("two.lab.example."), ["192.0.2.77"], "{}", running.server.output());
        assert_eq!(asked.load(Ordering::Relaxed), before + 1, "{by}: {}", running.server.output());
        assert!(running.ask("two.lab.example.").answer[0].ttl <= 86_400);
        running.end("KILL");
    }
}

#[test]
fn a_broken_state_is_told_of_and_no_reason_not_to_serve() {
    let directory = tempfile::tempdir().unwrap();
    let (upstream, asked) = upstream();
    configure(
        directory.path(),
        &format!("recursion: {{hosts: off, dnssec: off, forward: {{lab.example: [\"{upstream}\"]}}}}"),
    );
    let running = Running::start(directory.path(), &[]);
    for number in 0..20 {
        running.ask(&format!("n{number}.lab.example."));
    }
    running.end("TERM");
    let state = directory.path().join("state");
    let (snapshot, health) = (state.join("cache.snapshot"), state.join("health"));
    let whole = std::fs::read(&snapshot).unwrap();
    let broken = |at: usize| {
        let mut octets = whole.clone();
        octets[at] ^= 0x55;
        octets
    };
    for (what, octets, said) in [
        ("half of it", whole[..whole.len() / 2].to_vec(), "cut short"),
        ("a flipped octet", broken(whole.len() / 2), "cut short"),
        ("of another kind", b"not a snapshot at all".to_vec(), "starting with an empty cache"),
        ("empty", Vec::new(), "starting with an empty cache"),
        ("a broken head", broken(2), "starting with an empty cache"),
    ] {
        std::fs::write(&snapshot, octets).unwrap();
        std::fs::write(&health, "\u{0}nonsense\n").unwrap();
        let running = Running::start(directory.path(), &[]);
        assert!(running.server.output().contains(said), "{what}:\n{}", running.server.output());
        let before = asked.load(Ordering::Relaxed);
        for number in 0..20 {
            assert_eq!(running.addresses(&format!("n{number}.lab.example.")), ["192.0.2.77"], "{what}");
        }
        assert!(asked.load(Ordering::Relaxed) > before, "{what}: what is broken is asked for again");
        assert_eq!(running.addresses("www.example.com."), ["192.0.2.1", "192.0.2.2"], "{what}");
        running.end("KILL");
    }
}

/// What its own users cannot read, a reload leaves as it was; a start says so, and does not begin.
#[test]
fn a_file_that_cannot_be_read_changes_nothing_that_runs() {
    let directory = tempfile::tempdir().unwrap();
    configure(directory.path(), "recursion: off");
    let running = Running::start(directory.path(), &[]);
    std::fs::remove_file(directory.path().join("dyn.zone")).unwrap();
    std::fs::create_dir(directory.path().join("dyn.zone")).unwrap();
    running.server.signal("HUP");
    running.server.says("the configuration is not changed");
    assert_eq!(running.addresses("ns.dyn.example."), ["192.0.2.1"]);
    running.end("TERM");
    let output = Command::new(MERIDIAN)
        .args(["serve", "--config", "meridian.yaml"])
        .current_dir(directory.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("dyn.zone"));
}

/// A server that cannot resolve anything still says so in time, and answers what it has.
#[test]
fn without_upstreams_clients_are_told_in_time() {
    namespace::inside("without_upstreams_clients_are_told_in_time", &[], || {
        let directory = tempfile::tempdir().unwrap();
        configure(directory.path(), "recursion: {hosts: off, dnssec: off}");
        let running = Running::start(directory.path(), &[]);
        let response = ask::once(running.address, "www.example.org.", A, PATIENCE).expect("an answer in time");
        assert_eq!(response.rcode, SERVFAIL);
        assert_eq!(running.addresses("www.example.com."), ["192.0.2.1", "192.0.2.2"]);
        running.end("TERM");
    });
}
