//! A policy by place: compiling it over a world as large as the largest databases, and finding an address in it.
//!
//! The world is made up: 3.7 million networks of 100,000 places, IPv4 by far the most, neighbours near each other as
//! in the real one.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;

use meridian::base::Dice;
use meridian::steer::location::{LocationPolicy, Nearest, Rules, Site};
use meridian::steer::spans::Spans;
use meridian::steer::{Atlas, Compiled, Place, Point, Source};

const NETWORKS: usize = 3_700_000;
const PLACES: usize = 100_000;

static ATLAS: LazyLock<Atlas> = LazyLock::new(|| {
    let mut dice = Dice::from_number(1);
    let mut part = || dice.below(1_000_001) as f64 / 1_000_000.0;
    let places: Vec<Place> = (0..PLACES)
        .map(|_| Place::at(part().mul_add(2.0, -1.0).asin().to_degrees(), part().mul_add(360.0, -180.0)))
        .collect();
    let mut starts: Vec<u32> = (0..NETWORKS).map(|_| dice.bits() as u32 & !0xFF).collect();
    starts.sort_unstable();
    let mut v4 = Spans::unknown();
    let mut home = 0;
    for start in starts {
        // Neighbours are often in the same place, or in one of a few of the same operator.
        if dice.chance(30) {
            home = dice.index(PLACES);
        }
        v4.push(start, ((home + dice.index(4) * 97) % PLACES) as u32);
    }
    Atlas::of([Source { places, v4, v6: Spans::unknown() }])
});

fn policy(sites: usize) -> LocationPolicy {
    let mut dice = Dice::from_number(2);
    let mut part = || dice.below(1_000_001) as f64 / 1_000_000.0;
    let mut site =
        || Site { point: Some(Point::new(part().mul_add(140.0, -70.0), part().mul_add(360.0, -180.0))), bias: 0.0 };
    LocationPolicy {
        sites: (0..sites).map(|_| site()).collect(),
        rules: Rules::default(),
        nearest: Some(Nearest::default()),
        depth: 3,
    }
}

#[expect(clippy::print_stdout, reason = "what was compiled belongs to the numbers")]
static COMPILED: LazyLock<Compiled> = LazyLock::new(|| {
    let compiled = Compiled::new(&ATLAS, &policy(12)).expect("a policy of 12 sites compiles");
    println!(
        "{} runs; 12 sites: {} prefixes, {} rankings, {} KiB; the places {} KiB",
        ATLAS.v4().len(),
        compiled.prefixes().0,
        compiled.rankings(),
        compiled.size() / 1024,
        ATLAS.size() / 1024,
    );
    compiled
});

#[divan::bench(args = [3, 12, 200], sample_count = 3, sample_size = 1)]
fn compile(bencher: divan::Bencher<'_, '_>, sites: usize) {
    let policy = policy(sites);
    LazyLock::force(&ATLAS);
    bencher.bench(|| Compiled::new(&ATLAS, &policy));
}

#[divan::bench(sample_count = 100, sample_size = 10_000)]
fn find(bencher: divan::Bencher<'_, '_>) {
    LazyLock::force(&COMPILED);
    let mut bits = 1_u32;
    bencher.bench_local(move || {
        bits = bits.wrapping_mul(0x9E37_79B1).wrapping_add(0x7F4A_7C15);
        let address: IpAddr = Ipv4Addr::from_bits(bits).into();
        black_box(COMPILED.find(address).ranking.first().copied())
    });
}

fn main() {
    divan::main();
}
