//! What a choice costs, stage by stage, in a pool of 3, 8 and 50 members: `cargo bench --bench steer`. `healthy` alone
//! begins all the others too.
#![allow(clippy::unwrap_used, reason = "a benchmark on its own machine")]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use divan::{Bencher, black_box};
use meridian::base::{Dice, Instant};
use meridian::steer::health::Board;
use meridian::steer::whereabouts::Whereabouts;
use meridian::steer::{Asker, Feeds, Member, Place, Pool, PoolId, Scope, StageSpec, Steering, Terms};

fn main() {
    divan::main();
}

const MEMBERS: [usize; 3] = [3, 8, 50];

fn choose(bencher: Bencher<'_, '_>, stages: &[StageSpec], members: usize) {
    let mut dice = Dice::from_number(1);
    let member = |number: usize| {
        let mut member = Member::new(&format!("m{number}"));
        member.a = vec![Ipv4Addr::new(203, 0, 113, number as u8)];
        member.place = Place::at(number as f64, 3.0 * number as f64);
        member
    };
    let pool = Pool::new(PoolId(0), "pool", (0..members).map(member).collect()).unwrap();
    let steering = Steering::new(Arc::new(pool), stages, Terms::default(), None).unwrap();
    let (board, feeds) = (Board::default(), Feeds::default());
    let mut address = 0x0B00_0000_u32;
    bencher.bench_local(|| {
        address = address.wrapping_add(256);
        let subject = IpAddr::from(Ipv4Addr::from_bits(address));
        let whereabouts = Whereabouts::known(Place::at(50.0, 10.0), Scope(16));
        let asker = Asker {
            subject,
            source: 24,
            resolver: subject,
            whereabouts: &whereabouts,
            found: None,
            name: 1,
            now: Instant::from_seconds(1_000),
            wall: 1_700_000_000,
            is_rehearsal: false,
            agreed: None,
        };
        black_box(steering.select(&asker, &board, &feeds, &mut dice, false).chosen().first().copied())
    });
}

#[divan::bench(args = MEMBERS, sample_size = 1_000)]
fn healthy(bencher: Bencher<'_, '_>, members: usize) {
    choose(bencher, &[], members);
}

#[divan::bench(args = MEMBERS, sample_size = 1_000)]
fn tier(bencher: Bencher<'_, '_>, members: usize) {
    choose(bencher, &[StageSpec::from_word("tier").unwrap()], members);
}

#[divan::bench(args = MEMBERS, sample_size = 1_000)]
fn nearest(bencher: Bencher<'_, '_>, members: usize) {
    choose(bencher, &[StageSpec::from_word("nearest").unwrap()], members);
}

#[divan::bench(args = MEMBERS, sample_size = 1_000)]
fn cheapest(bencher: Bencher<'_, '_>, members: usize) {
    choose(bencher, &[StageSpec::from_word("cheapest").unwrap()], members);
}

#[divan::bench(args = MEMBERS, sample_size = 1_000)]
fn weighted(bencher: Bencher<'_, '_>, members: usize) {
    choose(bencher, &[StageSpec::from_word("weighted").unwrap()], members);
}

#[divan::bench(args = MEMBERS, sample_size = 1_000)]
fn sticky(bencher: Bencher<'_, '_>, members: usize) {
    choose(bencher, &[StageSpec::from_word("sticky").unwrap()], members);
}

#[divan::bench(args = MEMBERS, sample_size = 1_000)]
fn round_robin(bencher: Bencher<'_, '_>, members: usize) {
    choose(bencher, &[StageSpec::from_word("round_robin").unwrap()], members);
}

#[divan::bench(args = MEMBERS, sample_size = 1_000)]
fn shuffle(bencher: Bencher<'_, '_>, members: usize) {
    choose(bencher, &[StageSpec::from_word("shuffle").unwrap()], members);
}

#[divan::bench(args = MEMBERS, sample_size = 1_000)]
fn least_conn(bencher: Bencher<'_, '_>, members: usize) {
    choose(bencher, &[StageSpec::from_word("least_conn").unwrap()], members);
}

#[divan::bench(args = MEMBERS, sample_size = 1_000)]
fn fastest(bencher: Bencher<'_, '_>, members: usize) {
    choose(bencher, &[StageSpec::from_word("fastest").unwrap()], members);
}

#[divan::bench(args = MEMBERS, sample_size = 1_000)]
fn p2c(bencher: Bencher<'_, '_>, members: usize) {
    choose(bencher, &[StageSpec::from_word("p2c").unwrap()], members);
}

#[divan::bench(args = MEMBERS, sample_size = 1_000)]
fn bandit(bencher: Bencher<'_, '_>, members: usize) {
    choose(bencher, &[StageSpec::from_word("bandit").unwrap()], members);
}
