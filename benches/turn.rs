//! Whole turns of a worker with limits, cookies and counters on, by kind of query: `cargo bench --bench turn`.

use divan::Bencher;

#[path = "../tests/instructions/worlds.rs"]
mod worlds;

use worlds::World;

fn main() {
    divan::main();
}

fn turns(bencher: Bencher<'_, '_>, mut world: World) {
    bencher.bench_local(move || world.turn());
}

#[divan::bench(sample_size = 10_000)]
fn cached_hit(bencher: Bencher<'_, '_>) {
    turns(bencher, worlds::cached());
}

#[divan::bench(args = [true, false], sample_size = 1_000)]
fn authoritative_is_remembered(bencher: Bencher<'_, '_>, remembers: bool) {
    turns(bencher, worlds::authoritative(remembers));
}

#[divan::bench(args = [true, false], sample_size = 1_000)]
fn nxdomain_is_remembered(bencher: Bencher<'_, '_>, remembers: bool) {
    turns(bencher, worlds::missing(remembers));
}

#[divan::bench(args = [true, false], sample_size = 1_000)]
fn steered_by_subnet_is_remembered(bencher: Bencher<'_, '_>, remembers: bool) {
    turns(bencher, worlds::steered(remembers));
}

#[divan::bench(sample_size = 1_000)]
fn refused(bencher: Bencher<'_, '_>) {
    turns(bencher, worlds::refused());
}
