//! R8, R9, R20, R31 and the floods at full speed: what others notice of them, and what they bring the attacker.
use std::net::{IpAddr, SocketAddr};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::load::{self, Heard};
use crate::support::process::Server;
use crate::support::resolvers::{self, Resolver};
use crate::support::{ask, namespace, wire};
use crate::world::{A, SLOW, VICTIM, World, cost, denial};
use crate::{Figure, Row, at_least, at_most, told};

pub const ROWS: &[Row] = &[
    Row {
        id: "R8",
        what: "water torture, 20,000 a second, beside 100 good ones",
        measure: torture,
        has_peers: false,
        limit_s: 150,
    },
    Row {
        id: "R9",
        what: "one client floods a zone that others use",
        measure: fairness,
        has_peers: false,
        limit_s: 60,
    },
    Row {
        id: "R20",
        what: "reflection: 10,000 a second in the name of one /24",
        measure: reflection,
        has_peers: false,
        limit_s: 120,
    },
    Row { id: "R31", what: "overload", measure: overload, has_peers: false, limit_s: 90 },
    Row { id: "S1", what: "spoofed flood at full speed", measure: spoofed, has_peers: false, limit_s: 60 },
    Row {
        id: "S2",
        what: "random names of a victim at full speed",
        measure: random_names,
        has_peers: false,
        limit_s: 120,
    },
];

/// Meridian with its defaults, for everybody, on a processor of its own.
pub fn open(world: &World) -> Resolver {
    let resolver = resolvers::start_meridian_in(world.path(), "open", "  allow: any", "workers: 1");
    part(&resolver.server);
    resolver
}

/// Gives `server` the first processor and the load the second, so that neither takes the other's time.
fn part(server: &Server) {
    let Some(taskset) = namespace::find("taskset") else { return };
    if std::thread::available_parallelism().is_ok_and(|count| count.get() < 2) {
        return;
    }
    for (processor, program) in [("0", server.id()), ("1", std::process::id())] {
        Command::new(&taskset).args(["-acp", processor, &program.to_string()]).output().ok();
    }
}

fn stranger() -> IpAddr {
    IpAddr::from([198, 18, 200, 1])
}

/// Every other name has been asked before.
fn good_name(number: u64) -> String {
    if number.is_multiple_of(2) { "warm.good.example.".into() } else { format!("g{number}.good.example.") }
}

/// A good client of 100 queries a second beside a flood from `sources`.
fn beside(
    server: SocketAddr,
    sources: &[IpAddr],
    rate: Option<u32>,
    seconds: u64,
    query: impl FnMut(u64) -> Vec<u8> + Send,
) -> (Heard, u64, u64) {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let flood = scope.spawn(|| load::flood(sources, server, rate, &is_over, query));
        let patience = Duration::from_secs(2);
        let heard = load::paced((stranger(), server), 100, Duration::from_secs(seconds), patience, good_name);
        is_over.store(true, Ordering::Relaxed);
        let (sent, octets) = flood.join().expect("the flood ends");
        (heard, sent, octets)
    })
}

fn torture_world() -> World {
    let world = World::new();
    world.serve(VICTIM, "victim.example.", |query| Some(denial(query, 3, "victim.example.")));
    world.serve_late(
        SLOW,
        || Duration::from_secs(1),
        |bytes, _| {
            let end = wire::read_question(bytes)?.2;
            let mut reply = bytes[..end].to_vec();
            (reply[2], reply[3]) = (0x84, 3);
            reply[6..12].fill(0);
            Some(reply)
        },
    );
    world
}

fn torture(_: &str) -> Vec<Figure> {
    let world = torture_world();
    let resolver = open(&world);
    let ends = (stranger(), resolver.address);
    load::paced(ends, 100, Duration::from_secs(1), Duration::from_secs(2), good_name);
    let mut alone = load::paced(ends, 100, Duration::from_secs(4), Duration::from_secs(2), |n| good_name(n + 10_001));
    let alone = alone.permille(990);
    let before = resolver.server.resident();
    let mut figures = vec![told("p99 ms without attack", alone)];
    for (kind, zone) in [("dead", "dead.example."), ("slow", "slow.example."), ("denying", "victim.example.")] {
        let queries = world.queries();
        let names = load::random_names(zone, 0x9e37_79b9_7f4a_7c15);
        let (mut heard, sent, _) = beside(resolver.address, &load::strangers(250), Some(20_000), 8, names);
        figures.push(at_least(&format!("good answers %, {kind} zone"), heard.percent(), 99.99));
        figures.push(at_most(&format!("p99 ms over that without, {kind} zone"), heard.permille(990) - alone, 2.0));
        let own = world.queries() - queries;
        figures.push(at_most(&format!("upstream an attack query, {kind} zone"), own as f64 / sent as f64, 0.1));
        figures.push(told("attack queries a second", sent as f64 / 8.0));
    }
    let grown = resolver.server.resident().saturating_sub(before);
    figures.push(at_most("RSS grown, MiB", grown as f64 / f64::from(1 << 20), 32.0));
    figures
}

fn random_names(_: &str) -> Vec<Figure> {
    let world = torture_world();
    let resolver = open(&world);
    let ends = (stranger(), resolver.address);
    load::paced(ends, 100, Duration::from_secs(1), Duration::from_secs(2), good_name);
    let mut figures = Vec::new();
    for (kind, zone, victim) in [
        ("denying", "victim.example.", VICTIM),
        ("slow", "slow.example.", SLOW),
        ("dead", "dead.example.", crate::world::DEAD),
    ] {
        let queries = world.queries_to(victim);
        let names = load::random_names(zone, 0x1234_5678_9abc_def1);
        let (mut heard, sent, _) = beside(resolver.address, &load::strangers(250), None, 10, names);
        let own = world.queries_to(victim) - queries;
        figures.push(at_least(&format!("other names answered %, {kind} victim"), heard.percent(), 99.0));
        figures.push(at_most(&format!("their p99 ms, {kind} victim"), heard.permille(990), 50.0));
        figures.push(told(&format!("queries a second to the {kind} victim"), own as f64 / 10.0));
        figures.push(at_most("queries to the victim an attack query", own as f64 / sent as f64, 1.0));
        figures.push(told("attack queries a second", sent as f64 / 10.0));
    }
    figures
}

fn fairness(_: &str) -> Vec<Figure> {
    let world = World::new();
    world.serve_late(
        SLOW,
        || Duration::from_millis(50),
        |bytes, _| {
            let end = wire::read_question(bytes)?.2;
            let mut reply = bytes[..end].to_vec();
            (reply[2], reply[3]) = (0x84, 0);
            reply[6..12].fill(0);
            reply[7] = 1;
            reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 14, 16, 0, 4, 192, 0, 2, 1]);
            Some(reply)
        },
    );
    let resolver = open(&world);
    let server = resolver.address;
    ask::once(server, "warm.good.example.", A, Duration::from_secs(5));
    ask::once(server, "warm.slow.example.", A, Duration::from_secs(5));
    let flooder: IpAddr = [198, 19, 201, 1].into();
    let is_over = AtomicBool::new(false);
    let (length, patience) = (Duration::from_secs(8), Duration::from_secs(5));
    let (honest, same, sent) = std::thread::scope(|scope| {
        let flood = scope.spawn(|| {
            let names = load::random_names("slow.example.", 0xfeed_beef_cafe_f00d);
            load::flood(&[flooder], server, None, &is_over, names)
        });
        let same = scope.spawn(move || steady(flooder, server, length));
        let honest: Vec<_> = (0..10u8)
            .map(|number| {
                let source: IpAddr = [198, 19, 210 + number, 1].into();
                scope.spawn(move || {
                    load::paced((source, server), 20, length, patience, |n| format!("h{number}x{n}.slow.example."))
                })
            })
            .collect();
        let honest: Vec<f64> = honest.into_iter().map(|client| client.join().expect("a client").percent()).collect();
        let same = same.join().expect("a client");
        is_over.store(true, Ordering::Relaxed);
        (honest, same, flood.join().expect("the flood ends").0)
    });
    vec![
        at_least("honest clients' answers %, the worst of 10", honest.iter().copied().fold(100.0, f64::min), 90.0),
        at_least("cached answers % of a client at the flooder's address, within 2 tries", same, 95.0),
        told("flood queries a second", sent as f64 / 8.0),
    ]
}

/// Answers of a hundred that a client gets who asks for a cached name for so long, each within two tries.
fn steady(source: IpAddr, server: SocketAddr, length: Duration) -> f64 {
    let (end, mut asked, mut answered) = (Instant::now() + length, 0u16, 0u16);
    while Instant::now() < end {
        asked += 1;
        answered += u16::from(asks_twice(source, server, "warm.good.example.", asked));
        std::thread::sleep(Duration::from_millis(10));
    }
    100.0 * f64::from(answered) / f64::from(asked.max(1))
}

/// Meridian as an authoritative server of one zone with answers of many sizes.
fn authority(directory: &std::path::Path) -> (Server, SocketAddr) {
    let text = "listen: [\"127.0.0.10:53\"]\nadmin: off\nworkers: 1\nrecursion: off\nzones:\n  shop.example:\n    records: |\n      @ NS ns\n      ns A 192.0.2.1\n      www A 192.0.2.2\n      *.wild A 192.0.2.3\n      big TXT \"".to_owned()
        + &"x".repeat(250)
        + "\" \""
        + &"y".repeat(250)
        + "\"\n      sub NS ns.sub\n      ns.sub A 192.0.2.9\n";
    let file = directory.join("authority.yaml");
    std::fs::write(&file, text).expect("a writable directory");
    let command = [&crate::support::process::meridian(), "serve", "--config", file.to_str().expect("a plain path")];
    let mut server = Server::start("authority", directory, &command);
    let address: SocketAddr = ([127, 0, 0, 10], 53).into();
    server.wait_until_it_answers_at(address, ("www.shop.example.", A));
    part(&server);
    (server, address)
}

/// Octets that the loopback interface has carried.
fn carried() -> u64 {
    let text = std::fs::read_to_string("/proc/net/dev").unwrap_or_default();
    let line = text.lines().find_map(|line| line.trim().strip_prefix("lo:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0)
}

/// The answer classes of a reflection: owner and type.
const CLASSES: &[(&str, u16)] = &[
    ("www", 1),
    ("big", 16),
    ("big", 255),
    ("none", 1),
    ("www", 28),
    ("x.sub", 1),
    ("rnd.wild", 1),
    ("www.elsewhere.test", 1),
];

/// Link, IP and UDP headers.
const HEADERS: u64 = 42;

/// Octets out for each octet in while `rate` queries a second come in the name of `sources`.
fn reflected(
    server: SocketAddr,
    sources: &[IpAddr],
    rate: Option<u32>,
    class: (&str, u16),
    seconds: u64,
) -> (f64, u64) {
    let name = if class.0.ends_with("test") { format!("{}.", class.0) } else { format!("{}.shop.example.", class.0) };
    let query = wire::compose(7, &name, class.1, Some(1232));
    let is_over = AtomicBool::new(false);
    let before = carried();
    let (sent, octets) = std::thread::scope(|scope| {
        let flood = scope.spawn(|| load::flood(sources, server, rate, &is_over, |_| query.clone()));
        std::thread::sleep(Duration::from_secs(seconds));
        is_over.store(true, Ordering::Relaxed);
        flood.join().expect("the flood ends")
    });
    let incoming = octets + sent * HEADERS;
    ((carried() - before).saturating_sub(incoming) as f64 / incoming as f64, sent)
}

fn reflection(_: &str) -> Vec<Figure> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (_server, address) = authority(directory.path());
    let sources: Vec<IpAddr> = (1..=64u8).map(|last| [198, 19, 7, last].into()).collect();
    let (mut worst, mut at) = (0.0f64, 0);
    for (number, class) in CLASSES.iter().enumerate() {
        // The first second fills the buckets.
        reflected(address, &sources, Some(10_000), *class, 1);
        let (factor, _) = reflected(address, &sources, Some(10_000), *class, 4);
        if factor > worst {
            (worst, at) = (factor, number);
        }
    }
    // An honest client of that network, which asks twice and over TCP when told so.
    let is_over = AtomicBool::new(false);
    let query = wire::compose(7, "www.shop.example.", A, Some(1232));
    let ok = std::thread::scope(|scope| {
        let flood = scope.spawn(|| load::flood(&sources, address, Some(10_000), &is_over, |_| query.clone()));
        std::thread::sleep(Duration::from_secs(1));
        let honest: IpAddr = [198, 19, 7, 200].into();
        let ok = (0..100u16).filter(|id| asks_twice(honest, address, "www.shop.example.", *id)).count();
        is_over.store(true, Ordering::Relaxed);
        flood.join().expect("the flood ends");
        ok
    });
    vec![
        at_most(
            &format!("octets out for one in, worst of 8 classes ({} {})", CLASSES[at].0, CLASSES[at].1),
            worst,
            1.0,
        ),
        at_least("honest client of the same network, % within 2 tries", ok as f64, 99.0),
    ]
}

/// Whether a client gets its answer within two tries of 300 ms, over TCP when told so.
fn asks_twice(source: IpAddr, server: SocketAddr, name: &str, id: u16) -> bool {
    let socket = load::socket(source, server);
    socket.set_read_timeout(Some(Duration::from_millis(300))).expect("a timeout");
    let query = wire::compose(id, name, A, Some(1232));
    (0..2).any(|_| {
        let mut room = [0; 2_048];
        socket.send(&query).ok();
        match socket.recv(&mut room) {
            Ok(_) if room[2] & 2 == 0 => true,
            Ok(_) => ask::exchange_tcp(server, &query, Duration::from_secs(1)).is_some(),
            Err(_) => false,
        }
    })
}

fn spoofed(_: &str) -> Vec<Figure> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (_server, address) = authority(directory.path());
    let sources: Vec<IpAddr> = (1..=64u8).map(|last| [198, 19, 7, last].into()).collect();
    let client: IpAddr = [198, 18, 200, 1].into();
    let (factor, sent, mut heard) = std::thread::scope(|scope| {
        let good = scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(200));
            let name = |_| "www.shop.example.".into();
            load::paced((client, address), 100, Duration::from_secs(9), Duration::from_secs(2), name)
        });
        let (factor, sent) = reflected(address, &sources, None, ("big", 16), 10);
        (factor, sent, good.join().expect("a client"))
    });
    vec![
        at_most("octets out for one in, 10 s", factor, 1.0),
        at_least("legitimate client beside it, answers %", heard.percent(), 99.0),
        told("its p99 ms", heard.permille(990)),
        told("flood queries a second", sent as f64 / 10.0),
    ]
}

fn overload(_: &str) -> Vec<Figure> {
    let world = World::new();
    let resolver = open(&world);
    cost(&world, &resolver, ["warm.good.example.".to_owned()]);
    let (mut peak, mut at_peak) = (0.0f64, 0.0);
    for rate in [25_000, 50_000, 100_000, 150_000, 200_000] {
        let (offered, answered, _) = offer(resolver.address, Some(rate), 1);
        if answered > peak {
            (peak, at_peak) = (answered, offered);
        }
    }
    let (offered, answered, heard) = offer(resolver.address, None, 3);
    let [mut whole, mut settled] = [heard.clone(), heard];
    settled.forget_first(100); // half a second of them
    vec![
        at_least("answers at most load, % of the peak", 100.0 * answered / peak.max(answered), 95.0),
        at_most("p99 ms of the answered", whole.permille(990), 5.0),
        told("p99 ms of the answered, without the first half second", settled.permille(990)),
        told("peak, answers a second", peak),
        told("most load, times that of the peak", offered / at_peak),
    ]
}

/// Offers load for 3 s with `threads` threads: offered and answered a second, and what a client beside hears.
fn offer(server: SocketAddr, rate: Option<u32>, threads: u8) -> (f64, f64, Heard) {
    let query = wire::compose(7, "warm.good.example.", A, Some(1232));
    let is_over = AtomicBool::new(false);
    let before = carried();
    let (sent, octets, heard) = std::thread::scope(|scope| {
        let floods: Vec<_> = (0..threads)
            .map(|thread| {
                let (query, is_over) = (&query, &is_over);
                scope.spawn(move || {
                    // Many networks: what one of them may ask is limited, and not what is measured here.
                    let sources: Vec<IpAddr> =
                        (0..250).map(|net| [198, 18 + thread % 2, net, 70 + thread].into()).collect();
                    load::flood(&sources, server, rate, is_over, |_| query.clone())
                })
            })
            .collect();
        let name = |_| "warm.good.example.".into();
        let heard = load::paced((stranger(), server), 200, Duration::from_secs(3), Duration::ZERO, name);
        is_over.store(true, Ordering::Relaxed);
        let all = floods.into_iter().map(|flood| flood.join().expect("the flood ends"));
        let (sent, octets) = all.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        (sent, octets, heard)
    });
    let response = query.len() as u64 + 16 + HEADERS;
    let answered = (carried() - before).saturating_sub(octets + sent * HEADERS) as f64 / response as f64;
    (sent as f64 / 3.0, answered / 3.0, heard)
}
