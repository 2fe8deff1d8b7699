//! What a hit costs, part by part: `cargo bench --bench recall`.

use std::sync::Arc;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use meridian::base::{Dice, Instant, NetworkSet, bounds};
use meridian::chain::{Aged, Answer, Asker, Carrier, Query, Recall, seal};
use meridian::dns::cookie::{CookieSecret, CookieSecrets};
use meridian::dns::prepared::Extras;
use meridian::dns::wire::{Glance, glance};
use meridian::dns::{Edns, Flags, Message, Question, RecordType, RrSet};
use meridian::handlers::cache::finished::{Finished, Key};
use meridian::handlers::gate::{Algorithm, LimitSettings, Limits, Prefix, QueryLimit, Rate, ResponseLimit};

fn main() {
    divan::main();
}

/// Octets of a query here.
const DATAGRAM: usize = 12 + 26 + 4 + 11;

const NAMES: [usize; 3] = [1, 1_000, 250_000];

struct World {
    finished: Finished,
    /// All of the same length, one after the other: a received datagram is always at hand.
    datagrams: Vec<[u8; DATAGRAM]>,
    asker: Asker,
}

impl World {
    fn new(names: usize) -> Self {
        let asker = Asker {
            address: std::net::SocketAddr::from(([192, 0, 2, 1], 5353)),
            local: None,
            carrier: Carrier::Udp,
            may_recurse: true,
            group: 0,
        };
        let mut dice = Dice::from_number(1);
        let mut finished = Finished::new(&mut dice, 256 << 20);
        let (mut datagrams, mut bytes) = (Vec::new(), Vec::new());
        for number in 0..names {
            let Ok(name) = format!("www.name-{number:07}.example.").parse() else { continue };
            let query = Query {
                id: 7,
                flags: Flags { recursion_desired: true, ..Flags::default() },
                question: Question::new(name, RecordType::A),
                edns: Some(Edns { udp_size: 1232, ..Edns::default() }),
                asker,
            };
            let set = RrSet::new(query.question.name.clone(), RecordType::A, 300, [[192, 0, 2, 1], [192, 0, 2, 2]]);
            let answer = Answer {
                answer: vec![Aged { set: Arc::new(set), ttl: 300 }],
                recallable_until: Some(300),
                ..Answer::default()
            };
            let sealed = seal(&query, &answer, true, &mut bytes);
            finished.keep(&query, &answer, None, &sealed, &bytes, Instant::ZERO);
            let message = Message {
                id: 9,
                flags: query.flags,
                questions: [query.question].into_iter().collect(),
                edns: query.edns,
                ..Message::default()
            };
            let mut datagram = Vec::new();
            if message.compose(&mut datagram, bounds::MESSAGE_MAX).is_ok()
                && let Ok(datagram) = datagram.try_into()
            {
                datagrams.push(datagram);
            }
        }
        dice.shuffle(&mut datagrams);
        Self { finished, datagrams, asker }
    }

    fn first(&self) -> [u8; DATAGRAM] {
        self.datagrams.first().copied().unwrap_or([0; DATAGRAM])
    }
}

#[divan::bench(sample_size = 10_000)]
fn glance_at_a_query(bencher: Bencher<'_, '_>) {
    let world = World::new(1);
    let datagram = world.first();
    bencher.bench_local(|| glance(black_box(&datagram), world.finished.keyed()));
}

#[divan::bench(args = NAMES, sample_size = 10_000)]
fn glance_and_find(bencher: Bencher<'_, '_>, names: usize) {
    let World { mut finished, datagrams, .. } = World::new(names);
    let mut queries = datagrams.iter().cycle();
    bencher.bench_local(|| {
        let Some(datagram) = queries.next() else { return false };
        let Glance::Plain(glanced) = glance(datagram, finished.keyed()) else { return false };
        let key = Key { hash: glanced.hash, bits: 1, may_recurse: true, group: 0 };
        finished.find(&glanced, datagram, key, &[], 7).is_some()
    });
}

#[divan::bench(sample_size = 10_000)]
fn patch_an_answer(bencher: Bencher<'_, '_>) {
    let mut world = World::new(1);
    let datagram = world.first();
    let Glance::Plain(glanced) = glance(&datagram, world.finished.keyed()) else { return };
    let key = Key { hash: glanced.hash, bits: 1, may_recurse: true, group: 0 };
    let Some(prepared) = world.finished.find(&glanced, &datagram, key, &[], 7) else { return };
    let mut out = Vec::with_capacity(bounds::UDP_RESPONSE_MAX);
    bencher.bench_local(|| prepared.patch(black_box(&glanced), &datagram, 1232, Extras::default(), 7, &mut out));
}

#[divan::bench(args = NAMES, sample_size = 10_000)]
fn recall(bencher: Bencher<'_, '_>, names: usize) {
    let World { mut finished, datagrams, asker } = World::new(names);
    let mut queries = datagrams.iter().cycle();
    let mut out = Vec::with_capacity(bounds::UDP_RESPONSE_MAX);
    let mut dice = Dice::from_number(1);
    bencher.bench_local(|| {
        let Some(datagram) = queries.next() else { return false };
        finished.recall(datagram, &asker, Instant::from_seconds(7), &mut dice, &mut out) == Recall::Hit(0)
    });
}

/// A whole batch; the counter says how many queries a second.
#[divan::bench(args = NAMES, sample_size = 1_000)]
fn recall_a_foreseen_batch(bencher: Bencher<'_, '_>, names: usize) {
    let World { mut finished, datagrams, asker } = World::new(names);
    let mut queries = datagrams.iter().cycle();
    let mut out = Vec::with_capacity(bounds::UDP_RESPONSE_MAX);
    let (mut batch, mut glances) = (Vec::with_capacity(bounds::BATCH), Vec::with_capacity(bounds::BATCH));
    let mut dice = Dice::from_number(1);
    bencher.counter(ItemsCount::new(bounds::BATCH)).bench_local(|| {
        batch.clear();
        glances.clear();
        for datagram in queries.by_ref().take(bounds::BATCH) {
            let glance = glance(datagram, finished.keyed());
            glances.push(glance);
            if let Glance::Plain(glanced) = glance {
                batch.push((glanced, datagram));
            }
        }
        let sender = asker.address.ip();
        black_box(finished.foresee(glances.iter().zip(batch.iter().map(|(_, datagram)| (&datagram[..], sender)))));
        let now = Instant::from_seconds(7);
        let hits = batch.iter().filter(|(glanced, datagram)| {
            finished.recall_glanced(glanced, *datagram, &asker, None, now, &mut dice, &mut out) == Recall::Hit(0)
        });
        hits.count()
    });
}

/// Limits on, nobody over them: what every query and every response of a stranger costs.
fn limits() -> (Limits, Vec<Asker>) {
    let rate = |count| Rate { count, per: std::time::Duration::from_secs(1) };
    let (prefix, exempt) = (Prefix { v4: 24, v6: 56 }, NetworkSet::loopback());
    let queries = QueryLimit {
        rate: rate(1_000_000),
        burst: 1_000_000,
        prefix,
        algorithm: Algorithm::TokenBucket,
        slip: 2,
        exempt: exempt.clone(),
        is_dry_run: false,
    };
    let responses = ResponseLimit {
        answers: Some(rate(1_000_000)),
        referrals: None,
        nodata: None,
        nxdomain: None,
        errors: None,
        all: None,
        window: std::time::Duration::from_secs(15),
        prefix,
        slip: 2,
        exempt,
        exempts_clients: true,
        is_dry_run: false,
    };
    let settings = LimitSettings { deny: NetworkSet::default(), queries: vec![queries], responses: Some(responses) };
    let asker = |number: u16| {
        let [high, low] = number.to_be_bytes();
        let address = std::net::SocketAddr::from(([198, high, low, 1], 5353));
        Asker { address, local: None, carrier: Carrier::Udp, may_recurse: false, group: 0 }
    };
    (Limits::new(settings, &mut Dice::from_number(1)), (0..1_000).map(asker).collect())
}

#[divan::bench(sample_size = 10_000)]
fn admit_a_query(bencher: Bencher<'_, '_>) {
    let (limits, askers) = limits();
    let (mut askers, mut now) = (askers.iter().cycle(), 1_000_000_000_000);
    bencher.bench_local(|| {
        now += 1_000;
        askers.next().map(|asker| limits.admit(asker.address.ip(), false, Instant::from_nanos(now)))
    });
}

#[divan::bench(sample_size = 10_000)]
fn release_a_response(bencher: Bencher<'_, '_>) {
    let (limits, askers) = limits();
    let (mut askers, mut now) = (askers.iter().cycle(), 1_000_000_000_000);
    bencher.bench_local(|| {
        now += 1_000;
        askers.next().map(|asker| limits.release(asker, false, 9, Instant::from_nanos(now)))
    });
}

#[divan::bench(sample_size = 10_000)]
fn examine_a_cookie(bencher: Bencher<'_, '_>) {
    let secrets = CookieSecrets { first: CookieSecret([1; 16]), second: None };
    let address = std::net::IpAddr::from([192, 0, 2, 1]);
    let Some(first) = secrets.examine(&[7; 8], address, 1_000) else { return };
    bencher.bench_local(|| secrets.examine(black_box(&first.reply), address, 1_001));
}

#[divan::bench(sample_size = 10_000)]
fn the_slow_tempo_parses_and_seals(bencher: Bencher<'_, '_>) {
    let world = World::new(1);
    let datagram = world.first();
    let set = RrSet::new(
        "www.name-0000000.example.".parse().unwrap_or_else(|_| meridian::dns::Name::root()),
        RecordType::A,
        300,
        [[192, 0, 2, 1], [192, 0, 2, 2]],
    );
    let answer = Answer { answer: vec![Aged { set: Arc::new(set), ttl: 300 }], ..Answer::default() };
    let mut out = Vec::with_capacity(bounds::UDP_RESPONSE_MAX);
    bencher.bench_local(|| {
        let Ok(mut message) = Message::parse(black_box(&datagram)) else { return false };
        let Some(question) = message.questions.pop() else { return false };
        let query = Query { id: message.id, flags: message.flags, question, edns: message.edns, asker: world.asker };
        seal(&query, &answer, true, &mut out).is_whole
    });
}
