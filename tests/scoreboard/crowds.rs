//! R12, R17 and R19: many who ask at once, and what guards the questions that are asked for them.
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::load;
use crate::support::{resolvers, wire};
use crate::world::{SLOW, World, cost};
use crate::{Figure, Row, at_least, at_most, told};

pub const ROWS: &[Row] = &[
    Row { id: "R12", what: "what a forger must guess", measure: entropy, has_peers: false, limit_s: 90 },
    Row { id: "R17", what: "DNSBomb: queries held, then released", measure: pulse, has_peers: true, limit_s: 90 },
    Row {
        id: "R19",
        what: "RTT leaps to 300 ms under 300 waiting clients",
        measure: leap,
        has_peers: true,
        limit_s: 90,
    },
];

/// A reply with `count` addresses.
fn addresses(query: &[u8], count: u8) -> Option<Vec<u8>> {
    let end = wire::read_question(query)?.2;
    let mut reply = query[..end].to_vec();
    (reply[2], reply[3]) = (0x84, 0);
    reply[6..12].fill(0);
    reply[7] = count;
    for last in 0..count {
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 14, 16, 0, 4, 192, 0, 2, last]);
    }
    Some(reply)
}

/// How many values there are, judged by how many different ones `drawn` draws have shown: the solution of
/// different = all × (1 − e^(−drawn ÷ all)).
fn population(drawn: usize, different: usize) -> f64 {
    let (mut low, mut high) = (1.0f64, 1e7f64);
    for _ in 0..100 {
        let middle = (low * high).sqrt();
        if middle * (1.0 - (-(drawn as f64) / middle).exp()) < different as f64 { low = middle } else { high = middle }
    }
    low
}

fn entropy(_: &str) -> Vec<Figure> {
    let world = World::new();
    let seen = Arc::new(Mutex::new(Vec::<(u16, u16, u32, u32)>::new()));
    let (same, ours) = (Arc::new(AtomicU64::new(0)), Arc::clone(&seen));
    let asked_for_same = Arc::clone(&same);
    world.serve_late(
        SLOW,
        || Duration::ZERO,
        move |bytes, from| {
            let (name, _, end) = wire::read_question(bytes)?;
            if name.starts_with("same") {
                asked_for_same.fetch_add(1, Ordering::Relaxed);
                return None; // held for ever
            }
            let letters = bytes[12..end].iter().filter(|octet| octet.is_ascii_alphabetic());
            let upper = letters.clone().filter(|octet| octet.is_ascii_uppercase()).count() as u32;
            let id = u16::from_be_bytes([bytes[0], bytes[1]]);
            ours.lock().expect("nobody panics").push((from.port(), id, upper, letters.count() as u32));
            addresses(bytes, 1)
        },
    );
    let resolver = resolvers::start_meridian_in(world.path(), "open", "  allow: any", "");
    let source: IpAddr = [198, 19, 1, 1].into();
    load::paced((source, resolver.address), 4_000, Duration::from_secs(25), Duration::from_secs(2), |number| {
        format!("entropyofletters{number}.slow.example.")
    });
    let drawn = std::mem::take(&mut *seen.lock().expect("nobody panics"));
    // A socket keeps its port for some queries; only what it begins with is a draw.
    let (mut last, mut draws) = (BTreeMap::<u16, usize>::new(), 0);
    for (at, draw) in drawn.iter().enumerate() {
        draws += usize::from(last.insert(draw.0, at).is_none_or(|before| at - before > 8_192));
    }
    let ports = population(draws, last.len()).min(64_512.0);
    let ids = population(drawn.len(), drawn.iter().map(|draw| draw.1).collect::<BTreeSet<_>>().len()).min(65_536.0);
    let (upper, letters) = drawn.iter().fold((0, 0), |sum, draw| (sum.0 + draw.2, sum.1 + draw.3));
    // One held question, a thousand askers; what the timer sends anew is not a duplicate.
    let sockets: Vec<_> = load::strangers(250).iter().map(|source| load::socket(*source, resolver.address)).collect();
    for number in 0..1_000u16 {
        let query = wire::compose(number, "same.slow.example.", 1, Some(1232));
        sockets[usize::from(number) % sockets.len()].send(&query).ok();
    }
    std::thread::sleep(Duration::from_millis(45)); // less than the shortest timeout
    vec![
        at_least("bits of port and id", ports.log2() + ids.log2(), 31.8),
        at_most(
            "letters in upper case, distance from half",
            (f64::from(upper) / f64::from(letters.max(1)) - 0.5).abs(),
            0.01,
        ),
        at_most("outstanding for one question of 1,000 clients", same.load(Ordering::Relaxed) as f64, 1.0),
        told("queries looked at", drawn.len() as f64),
    ]
}

/// A server whose replies are held until a moment, and come without delay after it.
fn pulse(who: &str) -> Vec<Figure> {
    const RATE: u32 = 500;
    let world = World::new();
    let release = Arc::new(Mutex::new(Instant::now()));
    let when = Arc::clone(&release);
    let delay = move || when.lock().expect("nobody panics").saturating_duration_since(Instant::now());
    world.serve_late(SLOW, delay, |bytes, _| addresses(bytes, 60));
    // Of ours, a client that is not ourselves: from loopback nobody can forge an address.
    let (resolver, client) = match who {
        "meridian" => (crate::floods::open(&world), IpAddr::from([198, 19, 1, 1])),
        _ => (world.resolver(who), IpAddr::from([127, 0, 0, 1])),
    };
    cost(&world, &resolver, ["warm.slow.example.".to_owned()]);
    let mut figures = Vec::new();
    for (kind, held, names) in [("one name", 1.5, 1), ("many names", 1.5, u64::MAX), ("many names", 4.0, u64::MAX)] {
        let length = Duration::from_secs_f64(held);
        *release.lock().expect("nobody panics") = Instant::now() + length;
        let socket = load::socket(client, resolver.address);
        socket.set_read_timeout(Some(Duration::from_millis(20))).expect("a timeout");
        let begun = Instant::now();
        let mut buckets = BTreeMap::<u128, u64>::new();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for number in 0..(held * f64::from(RATE)) as u64 {
                    let due = begun + Duration::from_secs_f64(number as f64 / f64::from(RATE));
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                    let name = format!("p{}x{held}x{names}.slow.example.", number % names);
                    socket.send(&wire::compose(number as u16, &name, 1, Some(1232))).ok();
                }
            });
            let mut room = [0; 4_096];
            while begun.elapsed() < length + Duration::from_secs(5) {
                if socket.recv(&mut room).is_ok() {
                    *buckets.entry(begun.elapsed().as_millis() / 100).or_default() += 1;
                }
            }
        });
        let peak = buckets.values().copied().max().unwrap_or(0) as f64;
        figures.push(at_most(&format!("pulse factor, {kind}, held {held} s"), peak / (f64::from(RATE) * 0.1), 2.0));
        let all: u64 = buckets.values().sum();
        figures.push(told("answered %", 100.0 * all as f64 / (held * f64::from(RATE))));
    }
    figures
}

fn leap(who: &str) -> Vec<Figure> {
    let world = World::new();
    let millis = Arc::new(AtomicU64::new(0));
    let delay = Arc::clone(&millis);
    world.serve_late(
        SLOW,
        move || Duration::from_millis(delay.load(Ordering::Relaxed)),
        |bytes, _| addresses(bytes, 1),
    );
    let resolver = world.resolver(who);
    cost(&world, &resolver, (0..30).map(|number| format!("w{number}.slow.example.")));
    millis.store(300, Ordering::Relaxed);
    let within = |name: &str, limit: Duration| {
        let sockets: Vec<_> =
            (0..300).map(|n| load::socket([127, 0, 1, (n % 250) as u8 + 1].into(), resolver.address)).collect();
        for (id, socket) in sockets.iter().enumerate() {
            socket.set_nonblocking(true).expect("a socket can be");
            socket.send(&wire::compose(id as u16, name, 1, Some(1232))).ok();
        }
        let (begun, mut good, mut answered) = (Instant::now(), BTreeSet::new(), BTreeSet::new());
        let mut room = [0; 2_048];
        while begun.elapsed() < limit && answered.len() < sockets.len() {
            for (id, socket) in sockets.iter().enumerate() {
                if socket.recv(&mut room).is_ok() {
                    answered.insert(id);
                    if room[3] & 15 == 0 {
                        good.insert(id);
                    }
                }
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        (good.len() as f64, answered.len() as f64)
    };
    let (good, _) = within("one.slow.example.", Duration::from_secs(1));
    let (_, told_so) = within("one.dead.example.", Duration::from_millis(4_700));
    vec![
        at_least("of 300 answered within 1 s", good, 300.0),
        at_least("of 300 who ask for a dead name, told so within 4.7 s", told_so, 300.0),
    ]
}
