//! A flood as with forged addresses: one network asks the same big question far too often, over UDP, and an honest
//! client of that very network asks something else. Meridian beside BIND and Knot DNS with their own response rate
//! limiting, set alike: how many octets leave for one that comes, and how many answers the honest one gets.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a test may fail, and lives in real time"
)]

mod support;

use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use meridian::base::bounds;
use meridian::edge::batch::{Batch, Sent};
use meridian::edge::listen;
use support::process::Server;
use support::{ask, namespace, wire};

const TXT: u16 = 16;
const A: u16 = 1;
const FLOOD: Duration = Duration::from_secs(5);
/// Queries sent at a time, and the pause after them: 10,000 a second.
const VOLLEY: usize = 20;
const PAUSE: Duration = Duration::from_millis(2);
/// Tries of the honest client, each so long.
const TRIES: usize = 5;
const PATIENCE: Duration = Duration::from_millis(100);

#[test]
fn a_flood_gets_fewer_octets_than_it_sends_and_its_neighbour_is_answered() {
    let name = "a_flood_gets_fewer_octets_than_it_sends_and_its_neighbour_is_answered";
    namespace::inside(name, &["named", "knotd"], compare);
}

#[test]
fn answers_to_a_full_socket_are_given_up_and_counted() {
    let name = "answers_to_a_full_socket_are_given_up_and_counted";
    namespace::inside(name, &["tc"], || {
        for mut batch in [Batch::new(), Batch::one_by_one()] {
            let listener = listen::bind_udp("127.0.0.1:0".parse().unwrap(), 1).unwrap().remove(0);
            socket2::SockRef::from(&listener.socket).set_send_buffer_size(16 * 1024).unwrap();
            let client = UdpSocket::bind("127.0.0.1:0").unwrap();
            for _ in 0..4 * bounds::BATCH {
                client.send_to(b"?", listener.address).unwrap();
            }
            // From here on a thousand octets a second leave the machine, and all others wait in the socket's buffer.
            let shape = ["root", "tbf", "rate", "8kbit", "burst", "1600", "limit", "100000000"];
            tc("add", &shape);
            let mut unsent = 0;
            for _ in 0..3 {
                let outcome = answer_all(&mut batch, &listener);
                assert_eq!(outcome.sent + outcome.unsent, bounds::BATCH, "each is sent or counted");
                unsent += outcome.unsent;
            }
            assert!(unsent > bounds::BATCH, "{unsent} answers found no room");
            tc("del", &["root"]);
            assert_eq!(answer_all(&mut batch, &listener), Sent { sent: bounds::BATCH, unsent: 0 }, "with room again");
        }
    });
}

/// Receives a whole batch and answers each query with as much as one datagram may hold.
fn answer_all(batch: &mut Batch, listener: &listen::Listener) -> Sent {
    let count = batch.receive(listener).unwrap();
    assert_eq!(count, bounds::BATCH);
    for index in 0..count {
        batch.reply(index).unwrap().resize(bounds::UDP_RESPONSE_MAX, 7);
    }
    batch.send(listener)
}

fn tc(verb: &str, rest: &[&str]) {
    let status = Command::new("tc").args(["qdisc", verb, "dev", "lo"]).args(rest).status().unwrap();
    assert!(status.success(), "tc {verb}");
}

/// What became of a flood.
#[derive(Debug)]
struct Outcome {
    octets_in: u64,
    octets_out: u64,
    responses: u64,
    queries: u64,
    honest_asked: usize,
    honest_answered: usize,
    cookie_asked: usize,
    cookie_answered: usize,
}

impl Outcome {
    fn factor(&self) -> f64 {
        self.octets_out as f64 / self.octets_in.max(1) as f64
    }

    fn say(&self, server: &str) {
        let share = |part: usize, of: usize| 100.0 * part as f64 / of.max(1) as f64;
        namespace::say(&format!(
            "{server:>9}: {} queries, {} responses, octets out/in {:.2}, honest {:.0} % of {}, with cookies {:.0} % of {}",
            self.queries,
            self.responses,
            self.factor(),
            share(self.honest_answered, self.honest_asked),
            self.honest_asked,
            share(self.cookie_answered, self.cookie_asked),
            self.cookie_asked,
        ));
    }
}

fn compare() {
    let directory = tempfile::tempdir().unwrap();
    let zone = format!(
        "$TTL 300\n@ SOA ns hostmaster 1 7200 3600 1209600 300\n@ NS ns\nns A 192.0.2.1\n{}honest A 192.0.2.2\n",
        (0..5)
            .map(|_| format!("big TXT \"{}\"\n", "x".repeat(200)))
            .enumerate()
            .fold(String::new(), |all, (at, line)| { all + &line.replacen('x', &at.to_string(), 1) })
    );
    std::fs::write(directory.path().join("flood.zone"), zone).unwrap();
    let mut outcomes = Vec::new();
    for (server, address) in [("meridian", "127.0.0.10"), ("bind", "127.0.0.1"), ("knot", "127.0.0.12")] {
        let at: SocketAddr = format!("{address}:53").parse().unwrap();
        let mut running = start(server, address, directory.path());
        running.wait_until_it_answers_at(at, ("honest.flood.test.", A));
        let outcome = flood(at);
        outcome.say(server);
        outcomes.push(outcome);
    }
    let meridian = &outcomes[0];
    assert!(meridian.queries > 10_000, "{meridian:?}");
    assert!(meridian.factor() <= 1.0, "{meridian:?}");
    assert!(meridian.cookie_answered * 100 >= meridian.cookie_asked * 95, "{meridian:?}");
    assert!(meridian.honest_answered * 100 >= meridian.honest_asked * 80, "{meridian:?}");
}

fn start(server: &str, address: &str, directory: &Path) -> Server {
    let folder = directory.join(server);
    std::fs::create_dir_all(&folder).unwrap();
    let (d, zone) = (folder.display(), directory.join("flood.zone").display().to_string());
    let (file, text, command): (_, String, &[&str]) = match server {
        "meridian" => (
            "meridian.yaml",
            format!(
                "listen: [{address}:53]\nadmin: off\nworkers: 2\nrecursion: off\ncache: off\n\
                 limits: {{queries: {{exempt: [], slip: 2}}, responses: {{exempt: [], slip: 2}}}}\n\
                 zones: {{flood.test: {{file: {zone}}}}}\n"
            ),
            &[env!("CARGO_BIN_EXE_meridian"), "serve", "--config"],
        ),
        "knot" => (
            "knot.conf",
            format!(
                "server:\n    rundir: {d}\n    listen: {address}@53\n    udp-workers: 2\n    tcp-workers: 2\n\
                 database:\n    storage: {d}\nlog:\n  - target: stderr\n    any: warning\nmod-rrl:\n  - id: default\n    \
                 rate-limit: 200\n    slip: 2\nmod-cookies:\n  - id: default\n    badcookie-slip: 2\ntemplate:\n  - id: \
                 default\n    storage: {d}\n    journal-content: none\n    zonefile-sync: -1\n    global-module: \
                 [mod-cookies/default, mod-rrl/default]\nzone:\n  - domain: flood.test\n    file: {zone}\n"
            ),
            &["knotd", "-c"],
        ),
        _ => (
            "named.conf",
            format!(
                "options {{ directory \"{d}\"; pid-file none; session-keyfile \"{d}/session.key\"; \
                 managed-keys-directory \"{d}\"; listen-on {{ {address}; }}; listen-on-v6 {{ none; }}; recursion no; \
                 dnssec-validation no; allow-query {{ any; }}; rate-limit {{ responses-per-second 200; window 15; \
                 slip 2; ipv4-prefix-length 24; }}; }};\ncontrols {{ }};\n\
                 zone \"flood.test\" {{ type primary; file \"{zone}\"; }};\n"
            ),
            &["named", "-g", "-n", "2", "-c"],
        ),
    };
    let path = folder.join(file);
    std::fs::write(&path, text).unwrap();
    let command: Vec<&str> = command.iter().copied().chain([path.to_str().unwrap()]).collect();
    Server::start(server, &folder, &command)
}

/// A client of the flooded network.
fn client(host: u8, server: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind(SocketAddr::from(([127, 66, 0, host], 0))).unwrap();
    socket.connect(server).unwrap();
    socket
}

fn flood(server: SocketAddr) -> Outcome {
    let stop = Arc::new(AtomicBool::new(false));
    let honest = |host: u8, has_cookie: bool| {
        let stop = Arc::clone(&stop);
        std::thread::spawn(move || honest_client(host, has_cookie, server, &stop))
    };
    let (plain, with_cookie) = (honest(77, false), honest(78, true));
    let sockets: Vec<UdpSocket> = (1..=8).map(|host| client(host, server)).collect();
    for socket in &sockets {
        socket.set_nonblocking(true).unwrap();
    }
    let query = wire::compose(1, "big.flood.test.", TXT, Some(1232));
    let (mut queries, mut responses, mut octets_out) = (0_u64, 0_u64, 0_u64);
    let mut buffer = [0; 2_048];
    let mut hear = |responses: &mut u64, octets: &mut u64| {
        for socket in &sockets {
            while let Ok(length) = socket.recv(&mut buffer) {
                *responses += 1;
                *octets += length as u64;
            }
        }
    };
    let end = Instant::now() + FLOOD;
    while Instant::now() < end {
        for volley in 0..VOLLEY {
            queries += u64::from(sockets[volley % sockets.len()].send(&query).is_ok());
        }
        hear(&mut responses, &mut octets_out);
        std::thread::sleep(PAUSE); // what makes it a rate
    }
    stop.store(true, Ordering::Relaxed);
    let ((honest_asked, honest_answered), (cookie_asked, cookie_answered)) =
        (plain.join().unwrap(), with_cookie.join().unwrap());
    hear(&mut responses, &mut octets_out);
    Outcome {
        octets_in: queries * query.len() as u64,
        octets_out,
        responses,
        queries,
        honest_asked,
        honest_answered,
        cookie_asked,
        cookie_answered,
    }
}

/// Asks one question after the other while the flood lasts, as a resolver does: a few tries, over TCP where it is told
/// so, with the cookie that it was given last. Says how many it asked and how many were answered.
fn honest_client(host: u8, has_cookie: bool, server: SocketAddr, stop: &AtomicBool) -> (usize, usize) {
    let socket = client(host, server);
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut cookie: Vec<u8> = if has_cookie { vec![host; 8] } else { Vec::new() };
    let (mut asked, mut answered) = (0, 0);
    while !stop.load(Ordering::Relaxed) {
        asked += 1;
        answered += usize::from((0..TRIES).any(|_| is_answered(&socket, server, asked as u16, &mut cookie)));
        std::thread::sleep(PATIENCE / 10);
    }
    (asked, answered)
}

fn is_answered(socket: &UdpSocket, server: SocketAddr, id: u16, cookie: &mut Vec<u8>) -> bool {
    let mut query = wire::compose(id, "honest.flood.test.", A, Some(1232));
    if !cookie.is_empty() {
        let length = cookie.len() as u8;
        let at = query.len() - 1;
        query[at] = length + 4;
        query.extend([0, 10, 0, length]);
        query.extend(&*cookie);
    }
    socket.send(&query).ok();
    let mut buffer = [0; 2_048];
    let Ok(length) = socket.recv(&mut buffer) else { return false };
    let bytes = &buffer[..length];
    // The only option of these responses, if any, is the cookie, at the end.
    if !cookie.is_empty() && length > 28 && bytes[length - 28..length - 24] == [0, 10, 0, 24] {
        *cookie = bytes[length - 24..].to_vec();
    }
    if bytes[2] & 0x02 != 0 {
        let whole = ask::over_tcp(server, "honest.flood.test.", A, Duration::from_secs(1));
        return whole.is_some_and(|response| !response.answer.is_empty());
    }
    bytes[..2] == id.to_be_bytes() && bytes[6..8] != [0, 0]
}
