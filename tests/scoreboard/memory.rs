//! R24 to R26 and the soak: bytes that mean nothing, the price of a message, and what memory does over time.
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use meridian::base::{self, Dice};
use meridian::chain::{Learned, Memory as _, Rank};
use meridian::dns::{Class, Message, Name, Record, RecordType, RrSet};
use meridian::handlers::cache::{Cache, Settings};

use crate::load;
use crate::support::resolvers::{self, Resolver};
use crate::support::{ask, wire};
use crate::world::{A, ATTACKER, CNAME, Reply, VICTIM, World, denial};
use crate::{Figure, Row, at_least, at_most, told};

pub const ROWS: &[Row] = &[
    Row { id: "R24", what: "a storm of malformed packets", measure: storm, has_peers: false, limit_s: 90 },
    Row {
        id: "R25",
        what: "parsing and composing 12 shapes of message",
        measure: shapes,
        has_peers: false,
        limit_s: 60,
    },
    Row {
        id: "R26",
        what: "the cache's bound, and good names under a flush",
        measure: flush,
        has_peers: false,
        limit_s: 180,
    },
];

/// A small generator (xorshift64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

/// Good queries, one to three octets of which are changed, cut, doubled or added to.
fn mutant(seeds: &[Vec<u8>], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = seeds[chance.below(seeds.len())].clone();
    for _ in 0..=chance.below(3) {
        let at = chance.below(bytes.len().max(1));
        match chance.below(6) {
            0 => bytes.truncate(at),
            1 => bytes.extend_from_within(at..),
            2 => bytes.push(chance.next() as u8),
            _ if bytes.is_empty() => {}
            3 => bytes[at] = 0xc0 | chance.below(64) as u8,
            _ => bytes[at] = chance.next() as u8,
        }
    }
    bytes.truncate(1_400);
    bytes
}

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> =
        ["warm.good.example.", ".", "a.b.c.d.e.f.good.example.", "localhost.", "x.attacker.example."]
            .iter()
            .flat_map(|name| {
                [(1, Some(1232)), (255, None), (65, Some(512))].map(|(rtype, size)| wire::compose(1, name, rtype, size))
            })
            .collect();
    // With a cookie, a client subnet, and padding.
    for option in
        [&[0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8][..], &[0, 8, 0, 7, 0, 1, 24, 0, 192, 0, 2], &[0, 12, 0, 3, 0, 0, 0]]
    {
        let mut query = wire::compose(1, "warm.good.example.", 1, Some(1232));
        let at = query.len() - 1;
        query[at] = option.len() as u8;
        query.extend(option);
        seeds.push(query);
    }
    seeds
}

fn open(world: &World) -> Resolver {
    resolvers::start_meridian_in(world.path(), "open", "  allow: any", "")
}

fn storm(_: &str) -> Vec<Figure> {
    let world = World::new();
    world.serve(ATTACKER, "attacker.example.", |query| Some(denial(query, 3, "attacker.example.")));
    let mut resolver = open(&world);
    let server = resolver.address;
    ask::once(server, "warm.good.example.", A, Duration::from_secs(5));
    let (seeds, is_over) = (seeds(), AtomicBool::new(false));
    let mut middle = 0;
    let (sent, heard) = std::thread::scope(|scope| {
        let flood = scope.spawn(|| {
            let mut chance = Chance(0x5eed_5eed_5eed_5eed);
            load::flood(&load::strangers(250), server, None, &is_over, |_| mutant(&seeds, &mut chance))
        });
        let good = scope.spawn(move || {
            let ends = (IpAddr::from([198, 18, 200, 1]), server);
            load::paced(ends, 200, Duration::from_secs(30), Duration::from_secs(2), |_| "warm.good.example.".into())
        });
        std::thread::sleep(Duration::from_secs(15));
        middle = resolver.server.resident();
        let heard = good.join().expect("a client");
        is_over.store(true, Ordering::Relaxed);
        (flood.join().expect("the flood ends").0, heard)
    });
    let grown = resolver.server.resident() as f64 / middle as f64 * 100.0 - 100.0;
    let has_ended = resolver.server.ended().is_some();
    vec![
        at_most("crashes", f64::from(u8::from(has_ended)), 0.0),
        at_least("good answers %", heard.percent(), 99.9),
        at_most("RSS grown in the second half %", grown, 10.0),
        told("packets, millions", sent as f64 / 1e6),
    ]
}

/// Owner, type and data of the record of that number.
type Shape = fn(u32) -> (String, u16, Vec<u8>);

const SHAPES: [Shape; 12] = [
    |n| ("www.example.".into(), 1, n.to_be_bytes().to_vec()),
    |n| (format!("n{n}.example."), 1, n.to_be_bytes().to_vec()),
    |n| (format!("n{n}.z{n}.t{n}."), 28, vec![1; 16]),
    |n| (format!("{}n{n}.example.", "a.".repeat(100)), 1, vec![1; 4]),
    |n| (format!("{}.{n}.example.", "l".repeat(63)), 1, vec![1; 4]),
    |n| ("example.".into(), 2, wire::compose_name(&format!("ns{n}.example."))),
    |n| ("example.".into(), 2, wire::compose_name(&format!("{}n{n}.example.", "b.".repeat(90)))),
    |n| ("example.".into(), 15, [vec![0, 1], wire::compose_name(&format!("mx{n}.example."))].concat()),
    |_| ("example.".into(), 16, [vec![250], vec![b'x'; 250]].concat()),
    |n| (format!("c{n}.example."), 5, wire::compose_name(&format!("c{}.example.", n + 1))),
    |n| (format!("{n}.2.0.192.in-addr.arpa."), 12, wire::compose_name(&format!("h{n}.example."))),
    |n| (".".into(), 65_280, n.to_be_bytes().to_vec()),
];

/// A message of about `size` octets, composed.
fn message(shape: Shape, size: usize) -> Vec<u8> {
    let mut message = Message::parse(&wire::compose(1, "example.", 1, None)).expect("a good query");
    let mut bytes = Vec::new();
    let mut number = 0;
    loop {
        for _ in 0..(message.answer.len() / 8).max(1) {
            let (owner, rtype, rdata) = shape(number);
            number += 1;
            let owner: Name = owner.parse().expect("a name");
            message.answer.push(Record {
                owner,
                rtype: RecordType(rtype),
                class: Class::IN,
                ttl: 60,
                rdata: rdata.into(),
            });
        }
        let mut out = Vec::new();
        if message.compose(&mut out, 65_535).is_err() || out.len() > size {
            return if bytes.is_empty() { out } else { bytes };
        }
        bytes = out;
    }
}

/// Nanoseconds an octet to do `work`: the least of many runs, since others use the machine too.
fn price(bytes: &[u8], work: impl Fn()) -> f64 {
    let mut best = f64::INFINITY;
    let rounds = (200_000 / bytes.len()).max(2);
    for _ in 0..10 {
        let begun = Instant::now();
        (0..rounds).for_each(|_| work());
        best = best.min(begun.elapsed().as_secs_f64() * 1e9 / (rounds * bytes.len()) as f64);
    }
    best
}

fn parsing(bytes: &[u8]) -> f64 {
    price(bytes, || drop(std::hint::black_box(Message::parse(std::hint::black_box(bytes)))))
}

fn composing(bytes: &[u8]) -> f64 {
    let message = Message::parse(bytes).expect("composed before");
    price(bytes, || {
        let mut out = Vec::with_capacity(bytes.len());
        message.compose(&mut out, 65_535).expect("it fitted before");
        std::hint::black_box(out);
    })
}

/// A name for what is measured, and its price an octet.
type Work = (&'static str, fn(&[u8]) -> f64);

fn shapes(_: &str) -> Vec<Figure> {
    let mut figures = Vec::new();
    let works: [Work; 2] = [("parsing", parsing), ("composing", composing)];
    for (what, work) in works {
        let (mut worst, mut at, mut bend, mut bent) = (0.0f64, 0, 0.0f64, 0);
        for (number, shape) in SHAPES.into_iter().enumerate() {
            let (small, large) = (work(&message(shape, 4_000)), work(&message(shape, 60_000)));
            if large > worst {
                (worst, at) = (large, number + 1);
            }
            if large / small > bend {
                (bend, bent) = (large / small, number + 1);
            }
        }
        figures.push(at_most(&format!("{what}, ns an octet, worst shape ({at})"), worst, 5.0));
        figures.push(at_most(&format!("{what}, 60 kB against 4 kB, times linear, worst shape ({bent})"), bend, 1.3));
    }
    figures
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1024
}

fn learn(cache: &Cache, owner: &str, data: Vec<Vec<u8>>, now: base::Instant) {
    let owner: Name = owner.parse().expect("a name");
    let set = Arc::new(RrSet::new(owner, RecordType::TXT, 86_400, data));
    cache.learn(Learned::unchecked(set, Rank::Answer), now);
}

fn flush(_: &str) -> Vec<Figure> {
    const LIMIT: u64 = 100 << 20;
    const GOOD: usize = 100_000;
    let before = resident();
    let cache = Cache::new(Settings { size_bytes: LIMIT, ..Settings::default() }, &mut Dice::from_number(1));
    let mut peak = 0;
    for number in 0..10_000_000u32 {
        let name = format!("n{number}.example.");
        learn(&cache, &name, vec![vec![4, 1, 2, 3, 4]], base::Instant::from_seconds(u64::from(number / 100_000)));
        if number % 100_000 == 0 {
            peak = peak.max(resident().saturating_sub(before));
        }
    }
    // Zipf: the share of a name falls as one over its rank.
    let weights: Vec<f64> = (1..=GOOD)
        .scan(0.0, |sum, rank| {
            *sum += 1.0 / rank as f64;
            Some(*sum)
        })
        .collect();
    let whole = weights[GOOD - 1];
    let mut chance = Chance(0x0dd_ba11);
    let mut second = 200u64;
    let mut turn = |attack: u32, seconds: u64| {
        let (mut hits, mut asked) = (0u32, 0u32);
        for _ in 0..seconds {
            second += 1;
            let now = base::Instant::from_seconds(second);
            for number in 0..2_000u32 {
                let point = (chance.next() >> 11) as f64 / (1u64 << 53) as f64 * whole;
                let name = format!("good{}.example.", weights.partition_point(|sum| *sum < point));
                asked += 1;
                if cache.rrset(&name.parse().expect("a name"), RecordType::TXT, now).is_some() {
                    hits += 1;
                } else {
                    learn(&cache, &name, vec![vec![4, 1, 2, 3, 4]], now);
                }
                for part in 0..attack / 2_000 {
                    let name = format!("f{second}x{number}x{part}.example.");
                    learn(&cache, &name, vec![[vec![250], vec![7; 250]].concat(); 32], now);
                }
            }
        }
        100.0 * f64::from(hits) / f64::from(asked)
    };
    turn(0, 120);
    let alone = turn(0, 30);
    turn(8_000, 20);
    let attacked = turn(8_000, 30);
    peak = peak.max(resident().saturating_sub(before));
    vec![
        at_most("RSS grown ÷ limit, 10 M names and the flush", peak as f64 / LIMIT as f64, 1.15),
        at_least("hit rate under 8,000 large answers a second, % of that without", 100.0 * attacked / alone, 90.0),
        told("hit rate without, %", alone),
    ]
}

/// Mixed hostile load for so many minutes: memory at a twelfth of the time (five minutes of an hour) and at its end.
pub fn soak(minutes: u64) -> Vec<Figure> {
    let world = World::new();
    world.serve(VICTIM, "victim.example.", |query| Some(denial(query, 3, "victim.example.")));
    world.serve(ATTACKER, "attacker.example.", |query| {
        let rest = query.name.strip_suffix(".attacker.example.")?;
        let reply = Reply::to(query, 0, true);
        Some(match rest.as_bytes()[0] & 3 {
            // A chain without end.
            0 => reply.answer(
                &query.name,
                CNAME,
                &wire::compose_name(&format!("{}x.attacker.example.", rest.get(..20).unwrap_or(rest))),
            ),
            1 => (0..20).fold(Reply::to(query, 0, false), |reply, n| {
                reply.name_server(&format!("{rest}.attacker.example."), &format!("n{n}{rest}.victim.example."))
            }),
            2 => (0..60).fold(reply, |reply, n| reply.answer(&query.name, A, &[192, 0, 2, n])),
            _ => Reply::to(query, 2, false),
        })
    });
    let mut resolver = open(&world);
    let server = resolver.address;
    ask::once(server, "warm.good.example.", A, Duration::from_secs(5));
    let (seeds, is_over, length) = (seeds(), AtomicBool::new(false), Duration::from_secs(minutes * 60));
    let begun = Instant::now();
    let mut samples: Vec<(f64, f64)> = Vec::new();
    let (sent, heard) = std::thread::scope(|scope| {
        let is_over = &is_over;
        let mut floods: Vec<_> = ["victim.example.", "dead.example.", "attacker.example.", "good.example."]
            .into_iter()
            .map(|zone| {
                scope.spawn(move || {
                    load::flood(
                        &load::strangers(250),
                        server,
                        Some(400),
                        is_over,
                        load::random_names(zone, zone.len() as u64 * 7),
                    )
                })
            })
            .collect();
        let seeds = &seeds;
        floods.push(scope.spawn(move || {
            let mut chance = Chance(0x5eed_5eed_5eed_5eed);
            load::flood(&load::strangers(250), server, Some(1_000), is_over, |_| mutant(seeds, &mut chance))
        }));
        let tcp = scope.spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                ask::over_tcp(server, "warm.good.example.", A, Duration::from_secs(2));
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let good = scope.spawn(move || {
            let ends = (IpAddr::from([198, 18, 200, 1]), server);
            load::paced(ends, 20, length, Duration::from_secs(2), |_| "warm.good.example.".into())
        });
        while begun.elapsed() < length {
            std::thread::sleep(Duration::from_secs(1));
            samples.push((begun.elapsed().as_secs_f64() / 3_600.0, resolver.server.resident() as f64));
        }
        let heard = good.join().expect("a client");
        is_over.store(true, Ordering::Relaxed);
        tcp.join().expect("a client");
        (floods.into_iter().map(|flood| flood.join().expect("the flood ends").0).sum::<u64>(), heard)
    });
    let early = samples[samples.len() / 12].1;
    let late = samples.last().map_or(early, |sample| sample.1);
    // The slope of the second half by least squares.
    let half = &samples[samples.len() / 2..];
    let count = half.len() as f64;
    let mean = half.iter().fold((0.0, 0.0), |sum, s| (sum.0 + s.0 / count, sum.1 + s.1 / count));
    let (above, below) = half
        .iter()
        .fold((0.0, 0.0), |sum, s| (sum.0 + (s.0 - mean.0) * (s.1 - mean.1), sum.1 + (s.0 - mean.0).powi(2)));
    vec![
        at_most("RSS at the end against a twelfth of the time, % more", late / early * 100.0 - 100.0, 10.0),
        told("RSS at the end, MiB", late / f64::from(1 << 20)),
        told("slope of the second half, % an hour", above / below.max(1e-12) / mean.1 * 100.0),
        at_least("good answers %", heard.percent(), 99.9),
        at_most("crashes", f64::from(u8::from(resolver.server.ended().is_some())), 0.0),
        told("minutes", minutes as f64),
        told("hostile queries, millions", sent as f64 / 1e6),
    ]
}
