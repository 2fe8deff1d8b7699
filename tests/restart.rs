//! Restarts as clients meet them: not at all. The binary under load is replaced again and again, and stopped and started
//! by a service manager that keeps its sockets.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may fail, and lives in real time"
)]

mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
use support::process::Server;
use support::wait::wait_for;
use support::{ask, namespace, wire};

const A: u16 = 1;
const RESTARTS: usize = 20;
/// Queries of one of the clients between two of them.
const BETWEEN: usize = 250;
/// What a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
const SECRET: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

const MERIDIAN: &str = env!("CARGO_BIN_EXE_meridian");

/// The configuration of a server of example.com at `listen`, with its state below `directory`.
fn configure(directory: &Path, listen: &str, more: &str) {
    let text = format!(
        "listen: [\"{listen}\"]\nadmin: off\nworkers: 2\nstate: state\nlimits: off\n{more}\n\
         keys:\n  all: {{algorithm: hmac-sha256, secret: \"{SECRET}\"}}\n\
         zones:\n  example.com:\n    records:\n      - \"@ 3600 SOA ns hostmaster 1 3600 900 604800 300\"\n      \
         - \"@ 3600 NS ns\"\n      - \"ns 3600 A 192.0.2.1\"\n      - \"www 3600 A 192.0.2.2\"\n  \
         dyn.example:\n    file: dyn.zone\n    update:\n      - {{key: all, types: [ANY]}}\n"
    );
    std::fs::write(directory.join("meridian.yaml"), text).unwrap();
    let zone = "$TTL 300\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 192.0.2.1\n";
    std::fs::write(directory.join("dyn.zone"), zone).unwrap();
}

fn start(directory: &Path, name: &str, more: &[&str]) -> Server {
    let command = [&[MERIDIAN, "serve", "--config", "meridian.yaml"], more].concat();
    Server::start(name, directory, &command)
}

fn first(directory: &Path, more: &str) -> (Server, SocketAddr) {
    configure(directory, "127.0.0.1:0", more);
    let mut server = start(directory, "first", &[]);
    let address = server.listens_on();
    server.wait_until_it_answers_at(address, ("www.example.com.", A));
    wait_for(|| directory.join("state/handover").exists(), "the server offers its sockets");
    (server, address)
}

#[track_caller]
/// A server for lab.example that takes its time, so that there is always something under way.
fn slow_upstream() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 4_096];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer) {
            let Some((_, _, question_end)) = wire::read_question(&buffer[..length]) else { continue };
            let mut reply = buffer[..question_end].to_vec();
            reply[2] |= 0x84;
            reply[6..12].copy_from_slice(&[0, 1, 0, 0, 0, 0]);
            reply.extend([0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 77]);
            let socket = socket.try_clone().unwrap();
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(40));
                socket.send_to(&reply, peer).ok();
            });
        }
    });
    address
}

/// Asks some thousand questions a second until it is told to stop, and counts what was not answered.
fn udp_client(server: SocketAddr, is_over: &AtomicBool, asked: &AtomicUsize) -> (usize, Vec<String>) {
    let sockets: Vec<UdpSocket> = (0..8).map(|_| ask::socket(server)).collect();
    for socket in &sockets {
        socket.set_nonblocking(true).unwrap();
    }
    let mut waiting: BTreeMap<(usize, u16), (Instant, String)> = BTreeMap::new();
    let (mut sent, mut lost) = (0_usize, Vec::new());
    let mut buffer = [0; 4_096];
    let mut end = None;
    loop {
        if end.is_none() && is_over.load(Ordering::Relaxed) {
            end = Some(Instant::now() + PATIENCE);
        }
        if end.is_none() {
            let name =
                if sent.is_multiple_of(20) { format!("n{sent}.lab.example.") } else { "www.example.com.".into() };
            let (at, id) = (sent % sockets.len(), (sent / sockets.len()) as u16);
            sockets[at]
                .send(&wire::compose(id, &name, A, Some(1232)))
                .unwrap_or_else(|fault| panic!("{name}: {fault}"));
            waiting.insert((at, id), (Instant::now(), name));
            sent += 1;
            asked.store(sent, Ordering::Relaxed);
        }
        for (at, socket) in sockets.iter().enumerate() {
            while let Ok(length) = socket.recv(&mut buffer) {
                let response = wire::read(&buffer[..length]).expect("a whole response");
                assert_eq!((response.rcode, response.answer.len()), (0, 1), "{response:?}");
                waiting.remove(&(at, response.id));
            }
        }
        waiting.retain(|_, (since, name)| {
            let is_late = since.elapsed() > PATIENCE;
            if is_late {
                lost.push(std::mem::take(name));
            }
            !is_late
        });
        if end.is_some_and(|_| waiting.is_empty()) {
            return (sent, lost);
        }
        std::thread::sleep(Duration::from_micros(if end.is_some() { 2_000 } else { 600 }));
    }
}

/// What a TCP client has seen.
#[derive(Debug, Default)]
struct Seen {
    answers: usize,
    reconnects: usize,
}

/// Asks over one connection, three questions at a time; where the server closes it, the questions without an answer are
/// asked again over a new one (RFC 7766 §6.2.4), once.
fn tcp_client(server: SocketAddr, is_over: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    let connect = || {
        let stream = TcpStream::connect(server).expect("a listener, at any time");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    };
    let mut stream = connect();
    while !is_over.load(Ordering::Relaxed) {
        let mut asked: Vec<u16> = (0..3).map(|at| (seen.answers + at) as u16).collect();
        for attempt in 0.. {
            assert!(attempt < 2, "{asked:?} are closed upon twice");
            if exchange(&mut stream, &mut asked) {
                break;
            }
            stream = connect();
            seen.reconnects += 1;
        }
        seen.answers += 3;
        std::thread::sleep(Duration::from_millis(2));
    }
    seen
}

/// Asks the questions and takes out those answered; whether that was all of them before the connection ended.
fn exchange(stream: &mut TcpStream, asked: &mut Vec<u16>) -> bool {
    let mut queries = Vec::new();
    for id in asked.iter() {
        let query = wire::compose(*id, "www.example.com.", A, Some(1232));
        queries.extend((query.len() as u16).to_be_bytes());
        queries.extend(query);
    }
    if stream.write_all(&queries).is_err() {
        return false;
    }
    while !asked.is_empty() {
        let mut length = [0; 2];
        if let Err(fault) = stream.read_exact(&mut length) {
            use std::io::ErrorKind::{TimedOut, WouldBlock};
            assert!(!matches!(fault.kind(), WouldBlock | TimedOut), "no answer and no end in {PATIENCE:?}");
            return false;
        }
        let mut bytes = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut bytes).expect("the rest of an answer that has begun");
        let response = wire::read(&bytes).expect("a whole response");
        assert_eq!(response.rcode, 0);
        asked.retain(|id| *id != response.id);
    }
    true
}

/// Adds names one after the other; those whose addition was acknowledged.
fn updating_client(server: SocketAddr, is_over: &AtomicBool) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for number in 0.. {
        if is_over.load(Ordering::Relaxed) {
            break;
        }
        let mut child = Command::new(namespace::find("nsupdate").unwrap())
            .args(["-t", "4", "-u", "1", "-r", "3", "-y", &format!("hmac-sha256:all:{SECRET}")])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let name = format!("u{number}.dyn.example.");
        let lines = format!(
            "server {} {}\nzone dyn.example\nupdate add {name} 60 A 192.0.2.9\nsend\n",
            server.ip(),
            server.port()
        );
        child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        if child.wait().unwrap().success() {
            acknowledged.push(name);
        }
    }
    acknowledged
}

/// Runs dnsperf until it is interrupted, which makes it count.
fn dnsperf(directory: &Path, server: SocketAddr, is_over: &AtomicBool) -> String {
    std::fs::write(directory.join("queries"), "www.example.com A\nns.example.com A\nnone.example.com A\n").unwrap();
    let child = Command::new(namespace::find("dnsperf").unwrap())
        .args(["-s", &server.ip().to_string(), "-p", &server.port().to_string(), "-Q", "2000", "-l", "600"])
        .args(["-d", "queries", "-c", "8"])
        .current_dir(directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !is_over.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(20));
    }
    Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
fn twenty_restarts_under_load_lose_no_query_and_no_update() {
    let name = "twenty_restarts_under_load_lose_no_query_and_no_update";
    if let Some(missing) = ["dnsperf", "nsupdate"].into_iter().find(|program| namespace::find(program).is_none()) {
        return namespace::skip(name, &format!("{missing} is not installed"));
    }
    let directory = tempfile::tempdir().unwrap();
    let more =
        format!("recursion:\n  hosts: off\n  dnssec: off\n  forward: {{lab.example: [\"{}\"]}}", slow_upstream());
    let (mut server, address) = first(directory.path(), &more);
    let (is_over, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        // However this ends, the clients do too.
        struct Over<'o>(&'o AtomicBool);
        impl Drop for Over<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let over = Over(&is_over);
        let udp = scope.spawn(|| udp_client(address, &is_over, &asked));
        let tcp = scope.spawn(|| tcp_client(address, &is_over));
        let updates = scope.spawn(|| updating_client(address, &is_over));
        let perf = scope.spawn(|| dnsperf(directory.path(), address, &is_over));
        for number in 0..RESTARTS {
            let before = asked.load(Ordering::Relaxed);
            wait_for(|| asked.load(Ordering::Relaxed) > before + BETWEEN, "the load goes on");
            let mut next = start(directory.path(), &format!("restart{number}"), &["--replace"]);
            wait_for(|| server.ended().is_some() || next.ended().is_some(), "one of the two ends, for better or worse");
            assert!(next.ended().is_none(), "{number} did not begin:\n{}", next.output());
            let status = server.wait_for_end(Duration::from_secs(5));
            assert!(status.success(), "before {number}, ended with {status}:\n{}", server.output());
            server = next;
        }
        drop(over);
        let (sent, lost) = udp.join().unwrap();
        assert!(lost.is_empty(), "{} of {sent} queries over UDP were lost: {lost:?}", lost.len());
        assert!(sent > RESTARTS * BETWEEN, "only {sent} queries were sent");
        let seen = tcp.join().unwrap();
        assert!(seen.reconnects <= 2 * RESTARTS, "{seen:?}");
        let said = perf.join().unwrap();
        let lost = said.lines().find(|line| line.contains("Queries lost:")).unwrap_or_else(|| panic!("{said}"));
        assert!(lost.contains(" 0 (0.00%)"), "{said}");
        let completed = said.lines().find(|line| line.contains("Queries completed:")).unwrap_or_default();
        let acknowledged = updates.join().unwrap();
        for name in &acknowledged {
            let response = ask::patiently(address, name, A, 3, PATIENCE).expect("an answer");
            assert_eq!(response.answer.len(), 1, "{name} was acknowledged and is gone");
        }
        namespace::say(&format!(
            "{RESTARTS} restarts: {sent} queries over UDP, {} over TCP with {} new connections, {} updates, dnsperf's{}",
            seen.answers,
            seen.reconnects,
            acknowledged.len(),
            completed.replace("  Queries completed:   ", "")
        ));
    });
}

#[test]
fn a_successor_that_cannot_begin_leaves_the_old_one_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let (mut server, address) = first(directory.path(), "recursion: off");
    let zone = std::fs::read_to_string(directory.path().join("dyn.zone")).unwrap();
    std::fs::write(directory.path().join("dyn.zone"), "broken\n").unwrap();
    let mut failed = start(directory.path(), "failed", &["--replace"]);
    assert_eq!(failed.wait_for_end(Duration::from_secs(30)).code(), Some(2), "{}", failed.output());
    assert!(server.ended().is_none(), "{}", server.output());
    assert!(ask::once(address, "www.example.com.", A, PATIENCE).is_some());

    std::fs::write(directory.path().join("dyn.zone"), zone).unwrap();
    let mut next = start(directory.path(), "next", &["--replace"]);
    assert!(server.wait_for_end(Duration::from_secs(30)).success());
    next.wait_until_it_answers_at(address, ("www.example.com.", A));
}

#[test]
fn a_successor_without_a_token_for_its_admin_address_leaves_the_old_one_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let (mut server, address) = first(directory.path(), "recursion: off");
    let path = directory.path().join("meridian.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    let admin = "admin: {address: \"127.0.0.1:0\", token_file: token}";
    std::fs::write(&path, text.replacen("admin: off", admin, 1)).unwrap();
    std::fs::write(directory.path().join("token"), "short").unwrap();
    let mut failed = start(directory.path(), "failed", &["--replace"]);
    assert!(!failed.wait_for_end(Duration::from_secs(30)).success());
    assert!(failed.output().contains("a token of"), "{}", failed.output());
    assert!(server.ended().is_none(), "{}", server.output());
    assert!(ask::once(address, "www.example.com.", A, PATIENCE).is_some());
}

#[test]
fn an_address_that_a_reload_has_opened_is_handed_over_too() {
    let directory = tempfile::tempdir().unwrap();
    let (mut server, address) = first(directory.path(), "recursion: off");
    configure(directory.path(), "127.0.0.1:0\", \"127.0.0.2:0", "recursion: off");
    server.signal("HUP");
    server.says("listening on 127.0.0.2:");
    let log = server.output();
    let opened = log.split_once("listening on 127.0.0.2:").unwrap().1.split_once(' ').unwrap().0;
    let opened: SocketAddr = format!("127.0.0.2:{opened}").parse().unwrap();
    let mut next = start(directory.path(), "next", &["--replace"]);
    assert!(server.wait_for_end(Duration::from_secs(30)).success(), "{}", next.output());
    for address in [address, opened] {
        next.wait_until_it_answers_at(address, ("www.example.com.", A));
        assert!(ask::over_tcp(address, "www.example.com.", A, PATIENCE).is_some(), "{address}");
    }
}

#[test]
fn without_being_told_to_replace_a_second_server_is_refused_the_port() {
    let directory = tempfile::tempdir().unwrap();
    let (mut server, address) = first(directory.path(), "recursion: off");
    configure(directory.path(), &address.to_string(), "recursion: off");
    let mut second = start(directory.path(), "second", &[]);
    assert_eq!(second.wait_for_end(Duration::from_secs(30)).code(), Some(1));
    assert!(second.output().contains("another program has this port"), "{}", second.output());
    assert!(server.ended().is_none());
}

/// A service manager: its end of the notification socket, and what it was told and given.
struct Manager {
    socket: UnixDatagram,
    told: Vec<String>,
    stored: Vec<OwnedFd>,
}

impl Manager {
    fn new(directory: &Path) -> Self {
        let socket = UnixDatagram::bind(directory.join("notify")).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        Self { socket, told: Vec::new(), stored: Vec::new() }
    }

    /// Starts the server with the sockets stored so far, and further variables.
    fn start(&self, directory: &Path, variables: &[&str]) -> Server {
        let place = format!("NOTIFY_SOCKET={}", directory.join("notify").display());
        let mut script = String::new();
        let mut given = Vec::new();
        for (at, socket) in self.stored.iter().enumerate() {
            let high = rustix::io::fcntl_dupfd_cloexec(socket, 100).unwrap();
            rustix::io::fcntl_setfd(&high, rustix::io::FdFlags::empty()).unwrap();
            writeln!(script, "exec {}<&{high} {high}<&-", at + 3, high = high.as_raw_fd()).unwrap();
            given.push(high);
        }
        if !given.is_empty() {
            writeln!(script, "export LISTEN_FDS={} LISTEN_PID=$$", given.len()).unwrap();
        }
        script += "exec \"$@\"";
        let command = [
            &["env", &place],
            variables,
            &["bash", "-c", &script, "sh", MERIDIAN, "serve", "--config", "meridian.yaml"],
        ];
        Server::start("served", directory, &command.concat())
    }

    /// Takes in what has come.
    fn listen(&mut self) {
        let mut buffer = [0; 4_096];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(128))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = rustix::net::recvmsg(
            &self.socket,
            &mut [IoSliceMut::new(&mut buffer)],
            &mut control,
            RecvFlags::CMSG_CLOEXEC,
        );
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(sockets) = message {
                self.stored.extend(sockets);
            }
        }
        if let Ok(received) = received {
            self.told.extend(String::from_utf8_lossy(&buffer[..received.bytes]).lines().map(str::to_owned));
        }
    }

    /// Waits for a line that begins so, and forgets it with those before it.
    #[track_caller]
    fn hears(&mut self, beginning: &str) -> String {
        let mut found = None;
        wait_for(
            || {
                self.listen();
                found = self.told.iter().position(|line| line.starts_with(beginning));
                found.is_some()
            },
            beginning,
        );
        self.told.drain(..=found.unwrap()).next_back().unwrap()
    }
}

#[test]
fn the_service_manager_is_told_of_every_turn() {
    let directory = tempfile::tempdir().unwrap();
    configure(directory.path(), "127.0.0.1:0", "recursion: off");
    let mut manager = Manager::new(directory.path());
    let mut server = manager.start(directory.path(), &["WATCHDOG_USEC=4000000"]);
    manager.hears("FDSTORE=1");
    manager.hears("FDNAME=127.0.0.1_");
    manager.hears("READY=1");
    assert_eq!(manager.hears("STATUS="), "STATUS=serving 2 zones with 2 workers");
    assert_eq!(manager.stored.len(), 3, "two UDP sockets, and one that listens for TCP");
    manager.hears("WATCHDOG=1");
    manager.hears("WATCHDOG=1");
    server.signal("HUP");
    manager.hears("RELOADING=1");
    let at: u64 = manager.hears("MONOTONIC_USEC=").split_once('=').unwrap().1.parse().unwrap();
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    assert!(at > 0 && at <= now.tv_sec.unsigned_abs() * 1_000_000 + 1_000_000, "{at}");
    manager.hears("READY=1");
    server.signal("TERM");
    manager.hears("STOPPING=1");
    assert!(server.wait_for_end(Duration::from_secs(30)).success());
}

#[test]
fn a_worker_that_stands_still_lets_the_watchdog_bite() {
    let name = "a_worker_that_stands_still_lets_the_watchdog_bite";
    if namespace::find("strace").is_none() {
        return namespace::skip(name, "strace is not installed");
    }
    let directory = tempfile::tempdir().unwrap();
    configure(directory.path(), "127.0.0.1:0", "recursion: off");
    let mut manager = Manager::new(directory.path());
    let server = manager.start(directory.path(), &["WATCHDOG_USEC=2000000"]);
    manager.hears("WATCHDOG=1");
    let worker = std::fs::read_dir(format!("/proc/{}/task", server.id()))
        .unwrap()
        .flatten()
        .find(|task| std::fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.trim() == "meridian-1"));
    let worker = worker.expect("a thread of this name").file_name().into_string().unwrap();
    // One of the two no longer gets out of its sleep; the rest of the process goes on.
    let mut brake = Command::new(namespace::find("strace").unwrap())
        .args(["-q", "-p", &worker, "-e", "trace=poll,ppoll", "-e", "inject=poll,ppoll:delay_enter=600000000"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // It is fed twice a second; four silent seconds are enough.
    let mut quiet_since = Instant::now();
    wait_for(
        || {
            manager.listen();
            if manager.told.drain(..).any(|line| line == "WATCHDOG=1") {
                quiet_since = Instant::now();
            }
            quiet_since.elapsed() > Duration::from_secs(4)
        },
        "the watchdog is no longer fed",
    );
    brake.kill().unwrap();
    brake.wait().unwrap();
}

#[test]
fn queries_wait_in_the_managers_sockets_while_nobody_serves() {
    let directory = tempfile::tempdir().unwrap();
    configure(directory.path(), "127.0.0.1:0", "recursion: off");
    let mut manager = Manager::new(directory.path());
    let mut server = manager.start(directory.path(), &[]);
    let address = server.listens_on();
    // The port is chosen; from now on it is the manager's.
    configure(directory.path(), &address.to_string(), "recursion: off");
    manager.hears("READY=1");
    for signal in ["TERM", "KILL"] {
        server.signal(signal);
        server.wait_for_end(Duration::from_secs(30));
        let sockets: Vec<UdpSocket> = (0..10).map(|_| ask::socket(address)).collect();
        for (at, socket) in sockets.iter().enumerate() {
            socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            for id in 0..10 {
                socket.send(&wire::compose(at as u16 * 100 + id, "www.example.com.", A, Some(1232))).unwrap();
            }
        }
        let mut stream = TcpStream::connect(address).expect("the manager's listener");
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        server = manager.start(directory.path(), &[]);
        assert!(exchange(&mut stream, &mut vec![1, 2, 3]), "after {signal}:\n{}", server.output());
        let mut buffer = [0; 4_096];
        for socket in &sockets {
            for _ in 0..10 {
                let length =
                    socket.recv(&mut buffer).unwrap_or_else(|_| panic!("after {signal}:\n{}", server.output()));
                assert_eq!(wire::read(&buffer[..length]).unwrap().rcode, 0);
            }
        }
        manager.hears("READY=1");
        assert_eq!(manager.stored.len(), 3, "what the manager has is not given again");
    }
}

#[test]
fn a_socket_unit_activates_the_server() {
    namespace::inside("a_socket_unit_activates_the_server", &["systemd-socket-activate"], || {
        let directory = tempfile::tempdir().unwrap();
        configure(directory.path(), "127.0.0.1:5355", "recursion: off");
        for (option, is_tcp) in [(None, true), (Some("--datagram"), false)] {
            let program = namespace::find("systemd-socket-activate").unwrap();
            let command = [program.to_str().unwrap(), "-l", "127.0.0.1:5355"].into_iter().chain(option);
            let command: Vec<&str> = command.chain([MERIDIAN, "serve", "--config", "meridian.yaml"]).collect();
            let server = Server::start("activated", directory.path(), &command);
            let address = "127.0.0.1:5355".parse().unwrap();
            server.says("Listening on");
            let response = if is_tcp {
                ask::over_tcp(address, "www.example.com.", A, Duration::from_secs(20))
            } else {
                ask::once(address, "www.example.com.", A, Duration::from_secs(20))
            };
            assert_eq!(response.unwrap_or_else(|| panic!("{}", server.output())).answer.len(), 1);
            assert!(server.output().contains("the service manager gives 1 sockets"), "{}", server.output());
        }
    });
}

#[test]
fn sockets_for_another_process_are_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    configure(directory.path(), "127.0.0.1:0", "recursion: off");
    let command = ["env", "LISTEN_PID=1", "LISTEN_FDS=3", MERIDIAN, "serve", "--config", "meridian.yaml"];
    let mut server = Server::start("unrelated", directory.path(), &command);
    let address = server.listens_on();
    server.wait_until_it_answers_at(address, ("www.example.com.", A));
    assert!(!server.output().contains("the service manager gives"), "{}", server.output());
}
