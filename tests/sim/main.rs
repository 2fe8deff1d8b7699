//! Simulation: seeded worlds in which production workers meet a random tree of servers, a crowd of clients and bad
//! weather, without sockets and without real time. After every step the invariants of `docs/testing.md` must hold. A
//! seed that fails is printed with the command that runs it again.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "a test may stop where it stands"
)]

mod checks;
mod crowd;
mod house;
mod judge;
mod network;
mod server;
#[path = "../support/signing.rs"]
mod signing;
mod tree;
mod weather;
mod world;

use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use world::World;

/// So many seeds are run where nobody says otherwise.
const SEEDS: u64 = 100;
/// Every so many seeds one is run twice, which must give the same world to the octet.
const TWICE: u64 = 10;
/// Lines of a failing world that are shown.
const LINES: usize = 60;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable}={text}: no number")))
}

fn commit() -> String {
    let git = |arguments: &[&str]| {
        let out = Command::new("git").args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().ok()?;
        out.status.success().then(|| String::from_utf8_lossy(&out.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short", "HEAD"]) else { return "unknown".to_owned() };
    let is_changed = git(&["status", "--porcelain"]).is_some_and(|changes| !changes.is_empty());
    commit + if is_changed { " with changes" } else { "" }
}

/// Runs one seed; the text of what is wrong with it.
fn try_seed(seed: u64, is_twice: bool, totals: &[AtomicU64; 4]) -> Option<String> {
    let outcome = std::panic::catch_unwind(|| World::run(seed, false));
    let broken = match outcome {
        Err(_) => Some("it panics".to_owned()),
        Ok(ended) => {
            for (total, more) in totals.iter().zip([ended.queries as u64, ended.sent, ended.steps, ended.seconds]) {
                total.fetch_add(more, Ordering::Relaxed);
            }
            let again = (is_twice && ended.broken.is_none()).then(|| World::run(seed, false));
            match again {
                Some(again) if again.digest != ended.digest => {
                    Some(format!("run twice it differs: {:016x}, {:016x}", ended.digest, again.digest))
                }
                _ => ended.broken,
            }
        }
    }?;
    let trace = std::panic::catch_unwind(|| World::run(seed, true).trace).unwrap_or_default();
    let lines = number("MERIDIAN_SIM_LINES").map_or(LINES, |lines| lines as usize);
    let last = trace[trace.len().saturating_sub(lines)..].join("\n");
    Some(format!(
        "{last}\nseed {seed} at commit {}: {broken}\nagain: MERIDIAN_SIM_SEED={seed} cargo test --test sim\n",
        commit()
    ))
}

/// `MERIDIAN_SIM_SEED=n` runs one seed, `MERIDIAN_SIM_SEEDS=n` so many, `MERIDIAN_SIM_FROM=n` from another first one;
/// with `MERIDIAN_SIM_GO_ON=1` the first that fails does not end it.
#[test]
fn every_world_keeps_the_invariants() {
    let one = number("MERIDIAN_SIM_SEED");
    let from = one.or_else(|| number("MERIDIAN_SIM_FROM")).unwrap_or(0);
    let count = if one.is_some() { 1 } else { number("MERIDIAN_SIM_SEEDS").unwrap_or(SEEDS) };
    let threads = number("MERIDIAN_SIM_THREADS")
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, |count| count.get() as u64));
    let goes_on = std::env::var_os("MERIDIAN_SIM_GO_ON").is_some();
    let begun = Instant::now();
    let (next, failed) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
    let totals = [const { AtomicU64::new(0) }; 4];
    let failures: Vec<(u64, String)> = std::thread::scope(|scope| {
        let run = || {
            let mut failures = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                // The lowest seed that fails is the one to be shown, whichever thread has it.
                if at >= count || !goes_on && failed.load(Ordering::Relaxed) < from + at {
                    return failures;
                }
                let seed = from + at;
                if let Some(failure) = try_seed(seed, one.is_some() || seed.is_multiple_of(TWICE), &totals) {
                    failed.fetch_min(seed, Ordering::Relaxed);
                    if goes_on {
                        println!("{}", failure.lines().nth_back(1).unwrap_or_default());
                    }
                    failures.push((seed, failure));
                }
                if at > 0 && at % 5_000 == 0 {
                    println!("{at} seeds in {:?}", begun.elapsed());
                }
            }
        };
        let handles: Vec<_> = (0..threads.min(count)).map(|_| scope.spawn(run)).collect();
        handles.into_iter().flat_map(|handle| handle.join().unwrap()).collect()
    });
    let [queries, sent, steps, seconds] = totals.each_ref().map(|total| total.load(Ordering::Relaxed));
    let took = begun.elapsed().as_secs_f64();
    println!(
        "{count} seeds from {from} in {took:.1} s: {queries} queries, {sent} upstream, {steps} steps, {} hours",
        seconds / 3_600
    );
    if let Some((_, failure)) = failures.iter().min() {
        panic!("{failure}");
    }
}
