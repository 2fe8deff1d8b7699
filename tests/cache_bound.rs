//! The cache's bound is one on real memory: a million names do not make the process grow by more than the
//! bound and 30 %. Alone in its process, with the allocator of production, so that what grows is the cache.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::sync::Arc;

use meridian::base::{Dice, Instant};
use meridian::chain::{Learned, Memory, Rank};
use meridian::dns::{Name, RecordType, RrSet};
use meridian::handlers::cache::{Cache, Settings};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BOUND: u64 = 16 << 20;

/// Resident octets of this process; none where the system does not tell.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("RssAnon:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}

fn learn(cache: &Cache, number: u32) {
    let owner: Name = format!("name{number}.example.").parse().unwrap();
    let set = Arc::new(RrSet::new(owner, RecordType::A, 86_400, [number.to_be_bytes()]));
    cache.learn(Learned::unchecked(set, Rank::Answer), Instant::from_seconds(u64::from(number / 10_000)));
}

#[test]
fn a_million_names_stay_within_the_bound_and_thirty_percent() {
    let Some(before) = resident() else {
        eprintln!("skipped: the system does not tell the resident memory");
        return;
    };
    let settings = Settings { size_bytes: BOUND, ..Settings::default() };
    let cache = Cache::new(settings, &mut Dice::from_number(1));
    let mut peak = 0;
    let watch = |peak: u64| peak.max(resident().unwrap_or(0).saturating_sub(before));
    for number in 0..500_000 {
        learn(&cache, number);
        if number % 5_000 == 0 {
            peak = watch(peak);
        }
    }
    println!("one worker: {peak}");
    // The second half by two workers at once.
    std::thread::scope(|scope| {
        for half in 0..2u32 {
            let cache = &cache;
            scope.spawn(move || (0..250_000).for_each(|number| learn(cache, 500_000 + number * 2 + half)));
        }
    });
    peak = watch(peak);
    let (count, bytes) = (cache.len(), cache.bytes());
    println!("{count} facts, {bytes} octets by weight, {peak} by growth: {} each", peak / count.max(1));
    assert!(bytes <= BOUND);
    assert!(peak <= BOUND * 13 / 10, "grew by {peak} octets");
    assert!(count > 120_000, "only {count} names fit");
    // It keeps answering: what is learned now can be found.
    learn(&cache, 2_000_000);
    let name: Name = "name2000000.example.".parse().unwrap();
    assert!(cache.rrset(&name, RecordType::A, Instant::from_seconds(201)).is_some());
}
