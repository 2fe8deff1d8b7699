//! Zones of 1,000 and 100,000 names: loading one from its master file, and an answer out of it by the slow tempo:
//! `cargo bench --bench zone`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark on its own machine")]

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use meridian::base::collections::Keyed;
use meridian::base::{Dice, Instant};
use meridian::chain::{Asker, Carrier, Query};
use meridian::dns::{Edns, Flags, Name, Question, RecordType};
use meridian::handlers::authority::{Authority, Zone, Zones, load, master_file};
use meridian::steer::{Helm, Scene};

fn main() {
    divan::main();
}

const NAMES: [usize; 2] = [1_000, 100_000];

fn text(names: usize) -> String {
    let mut text = "$TTL 3600\n@ SOA ns hostmaster 7 2 3 4 300\n@ NS ns\nns A 192.0.2.53\n".to_owned();
    (0..names).for_each(|number| writeln!(text, "host-{number:07} A 192.0.2.{}", number % 256).unwrap());
    text
}

fn zone(text: &str) -> Zone {
    let origin: Name = "example.".parse().unwrap();
    let keyed = Keyed::with_seeds(1, 2, 3, 4);
    load(&origin, text.as_bytes(), "zone", &mut master_file::no_include, keyed).0.unwrap()
}

#[divan::bench(args = NAMES, sample_count = 5, sample_size = 1)]
fn load_a_zone(bencher: Bencher<'_, '_>, names: usize) {
    let text = text(names);
    bencher.counter(ItemsCount::new(names)).bench_local(|| zone(black_box(&text)));
}

fn decide(bencher: Bencher<'_, '_>, names: usize, label: &str) {
    let mut zones = Zones::new(Keyed::with_seeds(1, 2, 3, 4));
    zones.insert(Arc::new(zone(&text(names))));
    let authority = Authority::new(zones, Helm::idle(Arc::new(Scene::new(Arc::default())), None));
    let query = |number: usize| Query {
        id: 1,
        flags: Flags::default(),
        question: Question::new(format!("{label}-{number:07}.example.").parse().unwrap(), RecordType::A),
        edns: Some(Edns { udp_size: 1232, ..Edns::default() }),
        asker: Asker {
            address: SocketAddr::from(([192, 0, 2, 1], 5353)),
            local: None,
            carrier: Carrier::Udp,
            may_recurse: false,
            group: 0,
        },
    };
    let mut dice = Dice::from_number(1);
    let queries: Vec<Query> = (0..10_000).map(|_| query(dice.index(names))).collect();
    let mut at = 0;
    bencher.bench_local(|| {
        at = (at + 1) % queries.len();
        authority.decide(&queries[at], Instant::ZERO, &mut dice, &mut None)
    });
}

#[divan::bench(args = NAMES, sample_size = 1_000)]
fn find_a_name(bencher: Bencher<'_, '_>, names: usize) {
    decide(bencher, names, "host");
}

#[divan::bench(args = NAMES, sample_size = 1_000)]
fn find_no_name(bencher: Bencher<'_, '_>, names: usize) {
    decide(bencher, names, "nobody");
}
