//! The hit rate of the cache: so many names resolved, then all of them again; hit rate and time of both passes.
//!
//! `cargo bench --bench hit_rate` starts a small tree of authoritative servers (a root, a top-level domain, a
//! hundred zones) on 127.0.0.0/8 and Meridian beside it. `-- --server ADDRESS --admin ADDRESS --names FILE` asks a
//! running server the names of a file instead, one a line.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark on its own machine"
)]

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use meridian::dns::{Class, Flags, Message, Name, Question, Record, RecordType};

const NAMES: usize = 1_000;
const ZONES: usize = 100;
const ROOT: Ipv4Addr = Ipv4Addr::new(127, 0, 53, 1);
const TOP: Ipv4Addr = Ipv4Addr::new(127, 0, 53, 2);
const LEAVES: Ipv4Addr = Ipv4Addr::new(127, 0, 53, 3);

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let option = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    let names: Vec<Name> = match option("--names") {
        Some(file) => fs::read_to_string(file).unwrap().lines().map(|line| line.trim().parse().unwrap()).collect(),
        None => (0..NAMES).map(|n| format!("host{n}.zone{}.example.", n % ZONES).parse().unwrap()).collect(),
    };
    let (server, admin, _running) = if let (Some(server), Some(admin)) = (option("--server"), option("--admin")) {
        (server.parse().unwrap(), admin.parse().unwrap(), None)
    } else {
        let running = Running::start();
        (running.server, running.admin, Some(running))
    };
    println!(
        "{:<12} {:>8} {:>9} {:>8} {:>9} {:>12} {:>12}",
        "pass", "queries", "answered", "hits", "hit rate", "time", "per query"
    );
    for pass in ["first", "second"] {
        let before = hits(admin);
        let begun = Instant::now();
        let answered = ask_all(server, &names);
        let took = begun.elapsed();
        let hits = hits(admin) - before;
        let rate = 100.0 * hits as f64 / names.len() as f64;
        let each = took / names.len() as u32;
        println!("{pass:<12} {:>8} {answered:>9} {hits:>8} {rate:>8.1}% {took:>12.1?} {each:>12.1?}", names.len());
    }
}

/// Asks one name after the other, as a stub resolver does; how many were answered with NOERROR.
fn ask_all(server: SocketAddr, names: &[Name]) -> usize {
    let socket = UdpSocket::bind(if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }).unwrap();
    socket.connect(server).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut buffer = [0; 4_096];
    let is_answered = |(id, name): (usize, &Name)| {
        let flags = Flags { recursion_desired: true, ..Flags::default() };
        let question = Question::new(name.clone(), RecordType::A);
        let query = Message { id: id as u16, flags, questions: [question].into_iter().collect(), ..Message::default() };
        let mut bytes = Vec::new();
        query.compose(&mut bytes, 512).unwrap();
        socket.send(&bytes).unwrap();
        let Ok(length) = socket.recv(&mut buffer) else { return false };
        Message::parse(&buffer[..length]).is_ok_and(|response| response.id == id as u16 && response.rcode.0 == 0)
    };
    names.iter().enumerate().map(is_answered).filter(|answered| *answered).count()
}

/// Answers that needed no upstream, as the server counts them.
fn hits(admin: SocketAddr) -> u64 {
    let mut stream = TcpStream::connect(admin).unwrap();
    stream.write_all(b"GET /v1/status HTTP/1.1\r\nhost: meridian\r\nconnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let body = text.split_once("\r\n\r\n").unwrap().1;
    let status: serde_json::Value = serde_json::from_str(body).unwrap();
    ["recalled", "cache_hits"].iter().map(|name| status["counted"][name].as_u64().unwrap()).sum()
}

struct Running {
    server: SocketAddr,
    admin: SocketAddr,
    meridian: Child,
    _directory: tempfile::TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.meridian.kill().ok();
        self.meridian.wait().ok();
    }
}

impl Running {
    fn start() -> Self {
        let port = serve_tree();
        let directory = tempfile::tempdir().unwrap();
        let [server, admin] = [free_port(), free_port()].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let hints = directory.path().join("roots");
        fs::write(&hints, format!(". 3600 NS ns.root.\nns.root. 3600 A {ROOT}\n")).unwrap();
        let config = directory.path().join("meridian.yaml");
        let text = format!(
            "listen: [\"{server}\"]\nadmin: {admin}\nworkers: 1\nrecursion:\n  roots: {}\n  hosts: off\n  dnssec: off\n  \
             deny_upstreams: []\n  authority_port: {port}\n",
            hints.display()
        );
        fs::write(&config, text).unwrap();
        let meridian = Command::new(env!("CARGO_BIN_EXE_meridian"))
            .args(["serve", "--config"])
            .arg(&config)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let end = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(admin).is_err() {
            assert!(Instant::now() < end, "the server does not start");
            std::thread::yield_now();
        }
        Self { server, admin, meridian, _directory: directory }
    }
}

fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Serves the tree from three threads on one port of three addresses; returns the port.
fn serve_tree() -> u16 {
    let root = UdpSocket::bind((ROOT, 0)).unwrap();
    let port = root.local_addr().unwrap().port();
    let top = UdpSocket::bind((TOP, port)).unwrap();
    let leaves = UdpSocket::bind((LEAVES, port)).unwrap();
    for (level, socket) in [(0, root), (1, top), (2, leaves)] {
        std::thread::spawn(move || {
            let mut buffer = [0; 4_096];
            while let Ok((length, peer)) = socket.recv_from(&mut buffer) {
                if let Ok(query) = Message::parse(&buffer[..length]) {
                    let mut bytes = Vec::new();
                    respond(level, &query).compose(&mut bytes, 1_232).unwrap();
                    socket.send_to(&bytes, peer).unwrap();
                }
            }
        });
    }
    port
}

/// A referral from the root and from the top-level domain, an address from the zones.
fn respond(level: usize, query: &Message) -> Message {
    let name = &query.questions[0].name;
    let flags = Flags { response: true, authoritative: level == 2 || name.is_root(), ..Flags::default() };
    let mut response = Message { id: query.id, flags, questions: query.questions.clone(), ..Message::default() };
    let record = |owner: Name, rtype, rdata: &[u8]| Record {
        owner,
        rtype,
        class: Class::IN,
        ttl: 3_600,
        rdata: rdata.iter().copied().collect(),
    };
    if name.is_root() {
        let server: Name = "ns.root.".parse().unwrap();
        response.answer.push(record(Name::root(), RecordType::NS, server.wire()));
        response.additional.push(record(server, RecordType::A, &ROOT.octets()));
    } else if level == 2 {
        response.answer.push(record(name.clone(), RecordType::A, &[192, 0, 2, 1]));
    } else {
        let cut = name.suffix(level + 1);
        let server = cut.child(b"ns").unwrap();
        let address = if level == 0 { TOP } else { LEAVES };
        response.authority.push(record(cut, RecordType::NS, server.wire()));
        response.additional.push(record(server, RecordType::A, &address.octets()));
    }
    response
}
