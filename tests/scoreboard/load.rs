//! Load: clients that keep a pace and count what comes back, and floods that look at nothing.
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::support::wire;

/// What came back to a client.
#[derive(Clone, Default)]
pub struct Heard {
    pub sent: u64,
    /// Responses with NOERROR.
    pub good: u64,
    /// All responses.
    pub answered: u64,
    times: Vec<Duration>,
}

impl Heard {
    /// Good answers of a hundred.
    pub fn percent(&self) -> f64 {
        100.0 * self.good as f64 / (self.sent.max(1)) as f64
    }

    /// Forgets the times of the first so many responses.
    pub fn forget_first(&mut self, responses: usize) {
        self.times.drain(..responses.min(self.times.len()));
    }

    /// The time within which so many of a thousand responses came, in milliseconds.
    pub fn permille(&mut self, share: usize) -> f64 {
        self.times.sort();
        let at = (self.times.len() * share / 1_000).min(self.times.len().saturating_sub(1));
        self.times.get(at).map_or(f64::INFINITY, |time| time.as_secs_f64() * 1_000.0)
    }
}

/// A socket of `source` that speaks with `server` alone.
pub fn socket(source: IpAddr, server: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind((source, 0)).expect("a local address");
    socket.connect(server).expect("a local address");
    socket
}

/// Asks `rate` questions a second for `length`, then waits up to `patience` for the last responses.
pub fn paced(
    (source, server): (IpAddr, SocketAddr),
    rate: u32,
    length: Duration,
    patience: Duration,
    name: impl Fn(u64) -> String + Sync,
) -> Heard {
    let socket = socket(source, server);
    socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout");
    // A client has a machine of its own: it does not wait for a processor behind the flood. (This concerns a thread and
    // those that it starts; where the system refuses, the times hold such waits.)
    rustix::process::setpriority_process(None, -20).ok();
    let (begun, under_way, sent) = (Instant::now(), Mutex::new(BTreeMap::<u16, Instant>::new()), AtomicU64::new(0));
    let is_over = AtomicBool::new(false);
    let mut heard = Heard::default();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..(length.as_secs_f64() * f64::from(rate)) as u64 {
                let due = begun + Duration::from_secs_f64(number as f64 / f64::from(rate));
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                let id = (number & 0xffff) as u16;
                under_way.lock().expect("nobody panics").insert(id, Instant::now());
                socket.send(&wire::compose(id, &name(number), 1, Some(1232))).ok();
                sent.fetch_add(1, Ordering::Relaxed);
            }
            let end = Instant::now() + patience;
            while Instant::now() < end && !under_way.lock().expect("nobody panics").is_empty() {
                std::thread::sleep(Duration::from_millis(5));
            }
            is_over.store(true, Ordering::Relaxed);
        });
        let mut room = [0; 4_096];
        while !is_over.load(Ordering::Relaxed) {
            let Ok(length) = socket.recv(&mut room) else { continue };
            let now = Instant::now();
            let id = u16::from_be_bytes([room[0], room[1]]);
            let Some(at) = under_way.lock().expect("nobody panics").remove(&id).filter(|_| length >= 12) else {
                continue;
            };
            heard.answered += 1;
            heard.good += u64::from(room[3] & 15 == 0 && room[2] & 2 == 0);
            heard.times.push(now - at);
        }
    });
    rustix::process::setpriority_process(None, 0).ok();
    heard.sent = sent.into_inner();
    heard
}

/// Sends until `is_over`, at `rate` a second or as fast as one thread can, from `sources` in turn; how many, and how
/// many octets of DNS. Nobody reads the responses.
pub fn flood(
    sources: &[IpAddr],
    server: SocketAddr,
    rate: Option<u32>,
    is_over: &AtomicBool,
    mut query: impl FnMut(u64) -> Vec<u8>,
) -> (u64, u64) {
    let sockets: Vec<UdpSocket> = sources.iter().map(|source| socket(*source, server)).collect();
    let (begun, mut sent, mut octets) = (Instant::now(), 0u64, 0u64);
    while !is_over.load(Ordering::Relaxed) {
        if let Some(rate) = rate {
            let due = begun + Duration::from_secs_f64(sent as f64 / f64::from(rate));
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        for _ in 0..16 {
            let bytes = query(sent);
            octets += bytes.len() as u64;
            sockets[sent as usize % sockets.len()].send(&bytes).ok();
            sent += 1;
        }
    }
    (sent, octets)
}

/// Queries for random names below `zone`, made by writing eight letters into one query.
pub fn random_names(zone: &str, seed: u64) -> impl FnMut(u64) -> Vec<u8> {
    let template = wire::compose(0, &format!("xxxxxxxx.{zone}"), 1, Some(1232));
    let mut state = seed | 1;
    move |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let mut bytes = template.clone();
        bytes[..2].copy_from_slice(&state.to_be_bytes()[..2]);
        for (at, letter) in bytes[13..21].iter_mut().enumerate() {
            *letter = b'a' + ((state >> (4 * at + 8)) & 15) as u8;
        }
        bytes
    }
}

/// So many addresses, each of a network of its own.
pub fn strangers(count: u16) -> Vec<IpAddr> {
    (0..count).map(|n| IpAddr::from(Ipv4Addr::new(198, 19, (n % 250) as u8, 1 + (n / 250) as u8))).collect()
}
