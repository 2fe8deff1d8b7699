//! What a hit costs, part by part: `cargo bench --bench recall`.

use std::sync::Arc;

use divan::{Bencher, black_box};
use meridian::base::{Dice, Instant, bounds};
use meridian::chain::{Aged, Answer, Asker, Carrier, Query, Recall, seal};
use meridian::dns::wire::{Glance, glance};
use meridian::dns::{Edns, Flags, Message, Question, RecordType, RrSet};
use meridian::handlers::cache::finished::{Finished, Key};

fn main() {
    divan::main();
}

const NAMES: [usize; 3] = [1, 1_000, 250_000];

struct World {
    finished: Finished,
    datagrams: Vec<Vec<u8>>,
    asker: Asker,
    next: usize,
}

impl World {
    fn new(names: usize) -> Self {
        let asker = Asker {
            address: std::net::SocketAddr::from(([192, 0, 2, 1], 5353)),
            local: None,
            carrier: Carrier::Udp,
            may_recurse: true,
        };
        let mut dice = Dice::from_number(1);
        let mut finished = Finished::new(&mut dice, bounds::FINISHED_ANSWERS, 256 << 20);
        let (mut datagrams, mut bytes) = (Vec::new(), Vec::new());
        for number in 0..names {
            let Ok(name) = format!("www.name-{number}.example.").parse() else { continue };
            let query = Query {
                id: 7,
                flags: Flags { recursion_desired: true, ..Flags::default() },
                question: Question::new(name, RecordType::A),
                edns: Some(Edns { udp_size: 1232, ..Edns::default() }),
                asker,
            };
            let set =
                RrSet::new(query.question.name.clone(), RecordType::A, 300, [[192, 0, 2, 1], [192, 0, 2, 2]]);
            let answer = Answer {
                answer: vec![Aged { set: Arc::new(set), ttl: 300 }],
                recallable_until: Some(300),
                ..Answer::default()
            };
            let sealed = seal(&query, &answer, true, &mut bytes);
            finished.keep(&query, &answer, &sealed, &bytes, Instant::ZERO);
            let message = Message {
                id: 9,
                flags: query.flags,
                questions: [query.question].into_iter().collect(),
                edns: query.edns,
                ..Message::default()
            };
            let mut datagram = Vec::new();
            if message.compose(&mut datagram, bounds::MESSAGE_MAX).is_ok() {
                datagrams.push(datagram);
            }
        }
        dice.shuffle(&mut datagrams);
        Self { finished, datagrams, asker, next: 0 }
    }

    fn turn(&mut self) -> usize {
        self.next = if self.next + 1 < self.datagrams.len() { self.next + 1 } else { 0 };
        self.next
    }
}

#[divan::bench]
fn glance_at_a_query(bencher: Bencher<'_, '_>) {
    let world = World::new(1);
    let datagram = world.datagrams.first().cloned().unwrap_or_default();
    bencher.bench_local(|| glance(black_box(&datagram), world.finished.keyed()));
}

#[divan::bench(args = NAMES)]
fn glance_and_find(bencher: Bencher<'_, '_>, names: usize) {
    let mut world = World::new(names);
    bencher.bench_local(|| {
        let at = world.turn();
        let datagram = world.datagrams.get(at).map(Vec::as_slice).unwrap_or_default();
        let Glance::Plain(glanced) = glance(datagram, world.finished.keyed()) else { return false };
        let key = Key { hash: glanced.hash, bits: 1, may_recurse: true };
        world.finished.find(&glanced, datagram, key, 7).is_some()
    });
}

#[divan::bench]
fn patch_an_answer(bencher: Bencher<'_, '_>) {
    let mut world = World::new(1);
    let datagram = world.datagrams.first().cloned().unwrap_or_default();
    let Glance::Plain(glanced) = glance(&datagram, world.finished.keyed()) else { return };
    let key = Key { hash: glanced.hash, bits: 1, may_recurse: true };
    let Some(prepared) = world.finished.find(&glanced, &datagram, key, 7).cloned() else { return };
    let mut out = Vec::with_capacity(bounds::UDP_RESPONSE_MAX);
    bencher.bench_local(|| prepared.patch(black_box(&glanced), &datagram, 1232, 7, &mut out));
}

#[divan::bench(args = NAMES)]
fn recall(bencher: Bencher<'_, '_>, names: usize) {
    let mut world = World::new(names);
    let mut out = Vec::with_capacity(bounds::UDP_RESPONSE_MAX);
    bencher.bench_local(|| {
        let at = world.turn();
        let datagram = world.datagrams.get(at).map(Vec::as_slice).unwrap_or_default();
        world.finished.recall(datagram, &world.asker, Instant::from_seconds(7), &mut out) == Recall::Hit
    });
}

#[divan::bench]
fn the_slow_tempo_parses_and_seals(bencher: Bencher<'_, '_>) {
    let world = World::new(1);
    let datagram = world.datagrams.first().cloned().unwrap_or_default();
    let set = RrSet::new("www.name-0.example.".parse().unwrap_or_else(|_| meridian::dns::Name::root()), RecordType::A, 300, [[192, 0, 2, 1], [192, 0, 2, 2]]);
    let answer = Answer { answer: vec![Aged { set: Arc::new(set), ttl: 300 }], ..Answer::default() };
    let mut out = Vec::with_capacity(bounds::UDP_RESPONSE_MAX);
    bencher.bench_local(|| {
        let Ok(mut message) = Message::parse(black_box(&datagram)) else { return false };
        let Some(question) = message.questions.pop() else { return false };
        let query =
            Query { id: message.id, flags: message.flags, question, edns: message.edns, asker: world.asker };
        seal(&query, &answer, true, &mut out).is_whole
    });
}
