//! Who has used up what: a table of fixed size that all workers share and nobody locks.
//!
//! Slots lie in sets of one cache line of keys and one of states. A key that is not there takes the place of the one
//! of its set that owes least **and takes over what that one owes** (Metwally's space saving). So what a slot says is
//! never less than what its key has used, whoever came in between: no number of fresh keys resets a limit, and a key
//! that owes more than others stays. Where a slot is idle, as nearly all are, the newcomer takes over nothing.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::allowance::{Allowance, Slot};

/// Slots of a set.
const WAYS: usize = 8;

#[repr(align(128))]
#[derive(Debug, Default)]
struct Set {
    /// 0 is an empty slot.
    keys: [AtomicU64; WAYS],
    states: [AtomicU64; WAYS],
}

/// What the keys of one limit have used up.
#[derive(Debug)]
pub(super) struct Table {
    sets: Box<[Set]>,
    logs: Box<[AtomicU32]>,
    log_length: usize,
}

impl Table {
    /// A table of about `slots` slots, with logs as long as `allowance` needs them.
    pub(super) fn new(slots: usize, allowance: &Allowance) -> Self {
        let sets = slots.div_ceil(WAYS).next_power_of_two();
        let log_length = allowance.log_length();
        Self {
            sets: (0..sets).map(|_| Set::default()).collect(),
            logs: (0..sets * WAYS * log_length).map(|_| AtomicU32::new(0)).collect(),
            log_length,
        }
    }

    /// The slot of the key that hashes to `hash`; it gets one where it has none.
    pub(super) fn slot(&self, hash: u64, allowance: &Allowance, now: u64) -> Option<Slot<'_>> {
        let hash = hash.max(1);
        let at = (hash >> 32) as usize & (self.sets.len() - 1);
        let set = self.sets.get(at)?;
        if let Some(way) = set.keys.iter().position(|key| key.load(Ordering::Relaxed) == hash) {
            return self.slot_at(set, at, way);
        }
        let debt = |way: &usize| self.slot_at(set, at, *way).map_or(u64::MAX, |slot| allowance.debt(slot, now));
        let way = (0..WAYS).min_by_key(debt).unwrap_or(0);
        // Where two take it at once one of them has no slot until it comes again; what it owes is charged here.
        set.keys.get(way)?.store(hash, Ordering::Relaxed);
        self.slot_at(set, at, way)
    }

    fn slot_at<'t>(&'t self, set: &'t Set, at: usize, way: usize) -> Option<Slot<'t>> {
        let first = (at * WAYS + way) * self.log_length;
        let log = if self.log_length == 0 { &[] } else { self.logs.get(first..first + self.log_length)? };
        Some(Slot { state: set.states.get(way)?, log })
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

    fn take(table: &Table, allowance: &Allowance, hash: u64, now: u64) -> bool {
        allowance.take(table.slot(hash, allowance, now).unwrap(), now)
    }

    #[test]
    fn a_million_fresh_prefixes_never_evict_a_heavy_one() {
        for algorithm in ALGORITHMS {
            let rate = Rate { count: 100, per: Duration::from_secs(3_600) };
            let allowance = Allowance::new(algorithm, rate, 100);
            let table = Table::new(1_024, &allowance);
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
        let table = Table::new(64, &allowance);
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
        let table = Table::new(16_384, &allowance);
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
            let small = Table::new(slots, &allowance);
            let alone: Vec<Table> = (0..40).map(|_| Table::new(1, &allowance)).collect();
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
