//! Who has used up what: a table of fixed size that all workers share and nobody locks.
//!
//! Slots lie in sets: one cache line of keys, then one of states for each limit that the table serves, so that a key is
//! looked for once however many limits count it. A key that is not there takes the place of the one of its set that owes
//! least **and takes over what that one owes** (Metwally's space saving). So what a slot says is never less than what its
//! key has used, whoever came in between: no number of fresh keys resets a limit, and a key that owes more than others
//! stays. Where a slot is idle, as nearly all are, the newcomer takes over nothing.

use std::ops::Range;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::allowance::{Allowance, Slot};

/// Slots of a set.
const WAYS: usize = 8;

/// Keys, of which 0 is an empty slot; or states.
#[repr(align(64))]
#[derive(Debug, Default)]
struct Line([AtomicU64; WAYS]);

/// What the keys of some limits have used up.
#[derive(Debug)]
pub(super) struct Table {
    /// Of each set the keys, then the states of each limit.
    lines: Box<[Line]>,
    sets: usize,
    limits: usize,
    logs: Box<[AtomicU32]>,
    log_length: usize,
}

/// A limit's part of what a table keeps of a key.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Part {
    limit: usize,
    log: Range<usize>,
}

/// What a table keeps of one key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seat<'t> {
    table: &'t Table,
    states: &'t [Line],
    /// The number of the set, and of the slot in it.
    at: usize,
    way: usize,
}

impl<'t> Seat<'t> {
    /// What one limit knows of the key.
    #[inline]
    pub(super) fn slot(&self, part: &Part) -> Option<Slot<'t>> {
        let state = self.states.get(part.limit)?.0.get(self.way)?;
        let log = if part.log.is_empty() { &[] } else { self.log(part)? };
        Some(Slot { state, log })
    }

    fn log(&self, part: &Part) -> Option<&'t [AtomicU32]> {
        let Table { logs, log_length, .. } = self.table;
        let first = (self.at * WAYS + self.way) * log_length;
        logs.get(first + part.log.start..first + part.log.end)
    }
}

impl Table {
    /// A table of about `slots` slots that serves the limits of `allowances`, and the part of each of them, in order.
    pub(super) fn new<'a>(slots: usize, allowances: impl IntoIterator<Item = &'a Allowance>) -> (Self, Vec<Part>) {
        let sets = slots.div_ceil(WAYS).next_power_of_two();
        let (mut parts, mut log_length) = (Vec::new(), 0);
        for (limit, allowance) in allowances.into_iter().enumerate() {
            let begin = log_length;
            log_length += allowance.log_length();
            parts.push(Part { limit, log: begin..log_length });
        }
        let table = Self {
            lines: (0..sets * (1 + parts.len())).map(|_| Line::default()).collect(),
            sets,
            limits: parts.len(),
            logs: (0..sets * WAYS * log_length).map(|_| AtomicU32::new(0)).collect(),
            log_length,
        };
        (table, parts)
    }

    /// What is kept of the key that hashes to `hash`; one that is not there takes the place of the one with the least
    /// `debt` of its set.
    pub(super) fn seat(&self, hash: u64, debt: impl Fn(Seat<'_>) -> u64) -> Option<Seat<'_>> {
        let hash = hash.max(1);
        let at = (hash >> 32) as usize & (self.sets - 1);
        let first = at * (1 + self.limits);
        let (keys, states) = self.lines.get(first..=first + self.limits)?.split_first()?;
        let seat = |way: usize| Seat { table: self, states, at, way };
        if let Some(way) = keys.0.iter().position(|key| key.load(Ordering::Relaxed) == hash) {
            return Some(seat(way));
        }
        let way = (0..WAYS).min_by_key(|way| debt(seat(*way))).unwrap_or(0);
        // Where two take it at once one of them has no slot until it comes again; what it owes is charged here.
        keys.0.get(way)?.store(hash, Ordering::Relaxed);
        Some(seat(way))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Dice;
    use crate::handlers::gate::{Algorithm, Rate};
    use proptest::prelude::*;
    use std::time::Duration;

    const ALGORITHMS: [Algorithm; 4] =
        [Algorithm::TokenBucket, Algorithm::FixedWindow, Algorithm::SlidingWindowLog, Algorithm::SlidingWindowCounter];

    /// A table that serves one limit.
    struct One(Table, Part);

    impl One {
        fn new(slots: usize, allowance: &Allowance) -> Self {
            let (table, parts) = Table::new(slots, [allowance]);
            Self(table, parts[0].clone())
        }

        fn slot(&self, hash: u64, allowance: &Allowance, now: u64) -> Option<Slot<'_>> {
            let debt = |seat: Seat<'_>| seat.slot(&self.1).map_or(u64::MAX, |slot| allowance.debt(slot, now));
            self.0.seat(hash, debt)?.slot(&self.1)
        }
    }

    fn take(table: &One, allowance: &Allowance, hash: u64, now: u64) -> bool {
        allowance.take(table.slot(hash, allowance, now).unwrap(), now)
    }

    #[test]
    fn a_million_fresh_prefixes_never_evict_a_heavy_one() {
        for algorithm in ALGORITHMS {
            let rate = Rate { count: 100, per: Duration::from_secs(3_600) };
            let allowance = Allowance::new(algorithm, rate, 100);
            let table = One::new(1_024, &allowance);
            let (mut dice, heavy) = (Dice::from_number(1), 0x1234_5678_9ABC_DEF0);
            let mut now = 3_600_000_000_000 * 1_000; // the first moment of a window
            while take(&table, &allowance, heavy, now) {}
            for step in 0..1_000_000 {
                now += 100; // a tenth of a second for all of them
                take(&table, &allowance, dice.bits(), now);
                if step % 1_000 == 0 {
                    assert!(!take(&table, &allowance, heavy, now), "{algorithm:?}: reset after {step}");
                }
            }
            assert!(!take(&table, &allowance, heavy, now), "{algorithm:?}");
        }
    }

    #[test]
    fn workers_who_share_a_table_share_its_rate() {
        const WORKERS: usize = 4;
        let rate = Rate { count: 1_000, per: Duration::from_secs(1) };
        let allowance = Allowance::new(Algorithm::TokenBucket, rate, 1_000);
        let table = One::new(64, &allowance);
        let admitted = |_| (0..5_000).filter(|_| take(&table, &allowance, 7, 5)).count();
        let all: usize = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..WORKERS).map(|worker| scope.spawn(move || admitted(worker))).collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).sum()
        });
        // At the edge each may decide before it sees what another has taken.
        assert!((1_000..=1_000 + WORKERS).contains(&all), "{all}");
    }

    #[test]
    fn where_there_is_room_nobody_pays_for_others() {
        let rate = Rate { count: 10, per: Duration::from_secs(1) };
        let allowance = Allowance::new(Algorithm::TokenBucket, rate, 10);
        let table = One::new(16_384, &allowance);
        let mut dice = Dice::from_number(1);
        for _ in 0..200 {
            let key = dice.bits();
            assert_eq!((0..20).filter(|_| take(&table, &allowance, key, 5)).count(), 10);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// The law of the table: however many keys come and go in however small a table, none gets more than it would
        /// alone.
        #[test]
        fn no_key_gets_more_than_it_would_have_alone(
            is_bucket in any::<bool>(), slots in 1..64_usize,
            turns in proptest::collection::vec((0..40_u64, 0..50_000_000_u64), 1..600),
        ) {
            let algorithm = if is_bucket { Algorithm::TokenBucket } else { Algorithm::FixedWindow };
            let allowance = Allowance::new(algorithm, Rate { count: 5, per: Duration::from_secs(1) }, 5);
            let small = One::new(slots, &allowance);
            let alone: Vec<One> = (0..40).map(|_| One::new(1, &allowance)).collect();
            let mut now = 1_000_000_000_000;
            for (key, step) in turns {
                now += step;
                let hash = (key + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
                let shared = small.slot(hash, &allowance, now).unwrap();
                let own = alone[key as usize].slot(hash, &allowance, now).unwrap();
                if allowance.admits(shared, now) {
                    allowance.charge(shared, now);
                    prop_assert!(allowance.admits(own, now));
                    allowance.charge(own, now);
                }
            }
        }
    }
}
