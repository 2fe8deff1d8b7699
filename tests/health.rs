//! Health as users meet it: the binary, real servers that die and return, restarts.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may fail, and lives in real time"
)]

mod support;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use support::process::Server;
use support::{ask, wait};

const A: u16 = 1;

/// An HTTP server that can be told to answer 503.
struct Member {
    address: SocketAddr,
    is_well: Arc<AtomicBool>,
}

impl Member {
    fn start(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let is_well = Arc::new(AtomicBool::new(true));
        let told = Arc::clone(&is_well);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let status = if told.load(Ordering::Relaxed) { "200 OK" } else { "503 Unavailable" };
                let _read = stream.read(&mut [0; 2048]);
                write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").ok();
            }
        });
        Self { address, is_well }
    }

    fn is_well(&self, is_well: bool) {
        self.is_well.store(is_well, Ordering::Relaxed);
    }
}

/// An address of this process's own in the network 127.`host`.0.0/16.
fn own(host: u8) -> Ipv4Addr {
    let [.., high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, host, high, low)
}

/// A pool of two members that are checked on `port`; names by several policies.
fn configuration(listen: SocketAddr, port: u16, members: [Ipv4Addr; 2]) -> String {
    let [one, two] = members;
    format!(
        "listen: [\"{listen}\"]\nadmin: off\nworkers: 1\nrecursion: off\nstate: state\n\
         checks: {{web: {{http: /healthz, port: {port}, every: 1s, timeout: 500ms, slow_start: 0s}}}}\n\
         pools: {{www: {{check: web, members: {{one: {{a: {one}}}, two: {{a: {two}}}}}}}}}\n\
         zones:\n  example.com:\n    records: [\"@ SOA ns h 1 3600 600 86400 60\", \"@ NS ns.example.net.\"]\n    \
         steer: {{www: {{pool: www, policy: [all], ttl: 5}}}}\n"
    )
}

fn start(directory: &Path, text: &str, address: SocketAddr) -> Server {
    let file = directory.join("meridian.yaml");
    std::fs::write(&file, text).unwrap();
    let command = [env!("CARGO_BIN_EXE_meridian"), "serve", "--config", file.to_str().unwrap()];
    let mut server = Server::start("meridian", directory, &command);
    server.wait_until_it_answers_at(address, ("www.example.com.", A));
    server
}

/// The addresses that the name has now.
fn answered(server: SocketAddr) -> Vec<String> {
    let response = ask::patiently(server, "www.example.com.", A, 3, Duration::from_secs(1)).unwrap();
    let mut addresses: Vec<String> = response.answer.iter().map(|record| record.rdata.clone()).collect();
    addresses.sort();
    addresses
}

/// Waits until the answer is `expected`; how long that took.
fn until(server: SocketAddr, expected: &[String]) -> Duration {
    let started = Instant::now();
    wait::within(Duration::from_secs(60), &format!("{expected:?}"), || (answered(server) == expected).then_some(()));
    started.elapsed()
}

#[test]
fn answers_follow_the_members_health_through_death_return_and_restart() {
    let directory = tempfile::tempdir().unwrap();
    let address = UdpSocket::bind((own(130), 0)).unwrap().local_addr().unwrap();
    let members = [own(131), own(132)];
    let one = Member::start((members[0], 0).into());
    let two = Member::start((members[1], one.address.port()).into());
    let [first, second] = members.map(|address| [address.to_string()]);
    let text = configuration(address, one.address.port(), members);
    two.is_well(false);
    let mut server = start(directory.path(), &text, address);
    assert_eq!(answered(address), first, "the first answer waits for the first round");
    two.is_well(true);
    let both = [&first[..], &second[..]].concat();
    until(address, &both);
    one.is_well(false);
    // 1.1 × 1 s + 3 × 1 s, and a second for the way into the answers.
    println!("a death was in the answers after {:?}, allowed: 5.1 s", until(address, &second));
    server.signal("TERM");
    server.wait_for_end(Duration::from_secs(20));
    let saved = std::fs::read_to_string(directory.path().join("state/health")).unwrap();
    assert!(saved.contains("check DOWN") && saved.contains("check HEALTHY"), "{saved}");
    let mut server = start(directory.path(), &text, address);
    assert_eq!(answered(address), second);
    assert!(server.ended().is_none());
    one.is_well(true);
    until(address, &both);
}

#[test]
fn a_reload_with_other_pools_goes_on_with_what_is_known() {
    let directory = tempfile::tempdir().unwrap();
    let address = UdpSocket::bind((own(133), 0)).unwrap().local_addr().unwrap();
    let members = [own(134), own(135)];
    let one = Member::start((members[0], 0).into());
    let two = Member::start((members[1], one.address.port()).into());
    two.is_well(false);
    let text = configuration(address, one.address.port(), members);
    let server = start(directory.path(), &text, address);
    let first = [members[0].to_string()];
    assert_eq!(answered(address), first);
    let text = text.replace("pools: {", "pools: {new: {members: {x: {a: 192.0.2.1}}}, ").replace("ttl: 5", "ttl: 7");
    std::fs::write(directory.path().join("meridian.yaml"), text).unwrap();
    server.signal("HUP");
    let started = Instant::now();
    while !server.output().contains("configuration read again") {
        assert!(started.elapsed() < Duration::from_secs(20), "{}", server.output());
        for _ in 0..100 {
            assert_eq!(answered(address), first, "never the dead one, not even while pools change their places");
        }
    }
    assert_eq!(answered(address), first);
}
