//! How much one key may have: the algorithms of a limit, interchangeable, each over one word of state.
//!
//! What comes in: a slot's state and the time. What leaves: whether there is room for one more, and the state after
//! it. The state is an atomic that all workers share and nobody locks: where two of them decide at the same moment,
//! one more may pass, and is charged all the same.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::base::bounds;

/// So many in so long.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Rate {
    /// How many, from 1 to 1,000,000.
    pub count: u32,
    /// In which time; from one second to a day.
    pub per: Duration,
}

/// How a limit counts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Algorithm {
    /// A bucket that refills evenly: short bursts pass, the rate holds in the long run.
    TokenBucket,
    /// Counts from one tick of the clock to the next: cheapest to reason about, up to twice the rate around a tick.
    FixedWindow,
    /// Remembers when each was admitted: never more than the rate in any window.
    SlidingWindowLog,
    /// Two fixed windows, the older weighed by what of it is still in view: close to the log, in one word.
    SlidingWindowCounter,
}

/// Tries to change a state that others change at the same time.
const CHANGES_MAX: usize = 8;

/// What one key has used up, as [`Allowance`] understands it. All zero is a key never seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot<'t> {
    pub(super) state: &'t AtomicU64,
    /// Milliseconds at which groups were admitted last; empty but for [`Algorithm::SlidingWindowLog`].
    pub(super) log: &'t [AtomicU32],
}

impl Slot<'_> {
    fn read(&self) -> u64 {
        self.state.load(Ordering::Relaxed)
    }

    #[inline]
    fn change(&self, next: impl Fn(u64) -> u64) {
        for _ in 0..CHANGES_MAX {
            let old = self.read();
            if self.state.compare_exchange(old, next(old), Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                return;
            }
        }
    }
}

/// An algorithm with its figures; times in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Allowance {
    /// The state is the moment at which the bucket will be full again.
    TokenBucket {
        interval: u64,
        /// How far ahead that moment may lie for one more to pass.
        depth: u64,
        /// How far ahead it may get at all: past `depth`, those who were refused are charged too.
        ceiling: u64,
    },
    /// The state is the window's number and what was counted in it.
    FixedWindow { window: u64, count: u64 },
    /// The state counts all that were ever admitted, in `groups` groups of `size`; the log holds their times.
    SlidingWindowLog { window_millis: u32, groups: u64, size: u64 },
    /// The state is the window's number, the count of the window before, and the count of this one.
    SlidingWindowCounter { window: u64, count: u64 },
}

const COUNT_BITS: u32 = 20;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;
const NUMBER_MASK: u64 = (1 << (64 - 2 * COUNT_BITS)) - 1;

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 4).clamp(1, u64::MAX / 4)
}

impl Allowance {
    /// `rate` by `algorithm`; a token bucket holds `burst`.
    pub(super) fn new(algorithm: Algorithm, rate: Rate, burst: u32) -> Self {
        let (count, window) = (u64::from(rate.count.max(1)), nanos(rate.per));
        match algorithm {
            Algorithm::TokenBucket => {
                let interval = (window / count).max(1);
                let depth = interval.saturating_mul(u64::from(burst.max(1)));
                Self::TokenBucket { interval, depth, ceiling: depth }
            }
            Algorithm::FixedWindow => Self::FixedWindow { window, count },
            Algorithm::SlidingWindowCounter => Self::SlidingWindowCounter { window, count },
            Algorithm::SlidingWindowLog => {
                let size = count.div_ceil(bounds::LIMIT_LOG as u64);
                let window_millis = u32::try_from(rate.per.as_millis()).unwrap_or(u32::MAX / 4);
                Self::SlidingWindowLog { window_millis, groups: count / size, size }
            }
        }
    }

    /// A bucket that holds what `rate` gives in its time, and goes on being charged while it is empty until it takes
    /// `penalty` to have something again.
    pub(super) fn with_penalty(rate: Rate, penalty: Duration) -> Self {
        match Self::new(Algorithm::TokenBucket, rate, rate.count) {
            Self::TokenBucket { interval, depth, .. } => {
                Self::TokenBucket { interval, depth, ceiling: depth.saturating_add(nanos(penalty)) }
            }
            other => other,
        }
    }

    /// Times that a slot's log has room for.
    pub(super) const fn log_length(&self) -> usize {
        match self {
            Self::SlidingWindowLog { .. } => bounds::LIMIT_LOG,
            _ => 0,
        }
    }

    /// Whether those who were refused are charged too.
    pub(super) const fn charges_refused(&self) -> bool {
        matches!(self, Self::TokenBucket { depth, ceiling, .. } if *ceiling > *depth)
    }

    /// Whether there is room for one more at `now`. The bucket, which nearly all limits are, goes ahead.
    #[inline]
    pub(super) fn admits(&self, slot: Slot<'_>, now: u64) -> bool {
        match *self {
            Self::TokenBucket { interval, depth, .. } => slot.read().saturating_sub(now) + interval <= depth,
            _ => self.window_admits(slot, now),
        }
    }

    fn window_admits(&self, slot: Slot<'_>, now: u64) -> bool {
        match *self {
            Self::TokenBucket { .. } => true,
            Self::FixedWindow { window, count } => counted(slot.read(), now / window) < count,
            Self::SlidingWindowCounter { window, count } => in_view(slot.read(), now, window) < count,
            Self::SlidingWindowLog { window_millis, groups, size } => {
                let admitted = slot.read();
                let group = admitted / size;
                // A group that is open has room; the next one takes the place of the oldest.
                !admitted.is_multiple_of(size) || group < groups || age(slot.log, group % groups, now) >= window_millis
            }
        }
    }

    /// Counts one at `now`.
    #[inline]
    pub(super) fn charge(&self, slot: Slot<'_>, now: u64) {
        match *self {
            Self::TokenBucket { interval, ceiling, .. } => {
                slot.change(|full| (full.max(now) + interval).min(now + ceiling));
            }
            _ => self.charge_window(slot, now),
        }
    }

    fn charge_window(&self, slot: Slot<'_>, now: u64) {
        match *self {
            Self::TokenBucket { .. } => {}
            Self::FixedWindow { window, .. } => {
                let number = (now / window) & u64::from(u32::MAX);
                slot.change(|state| number << 32 | (counted(state, number) + 1).min(u64::from(u32::MAX)));
            }
            Self::SlidingWindowCounter { window, .. } => slot.change(|state| {
                let (before, this) = windows(state, now / window);
                ((now / window) & NUMBER_MASK) << (2 * COUNT_BITS) | before << COUNT_BITS | (this + 1).min(COUNT_MASK)
            }),
            Self::SlidingWindowLog { groups, size, .. } => {
                let admitted = slot.state.fetch_add(1, Ordering::Relaxed);
                if let Some(time) = slot.log.get((admitted / size % groups) as usize) {
                    time.store(millis(now), Ordering::Relaxed);
                }
            }
        }
    }

    /// Counts one at `now` if there is room for it, or if those pay who were refused; says whether there was room.
    pub(super) fn take(&self, slot: Slot<'_>, now: u64) -> bool {
        let is_admitted = self.admits(slot, now);
        if is_admitted || self.charges_refused() {
            self.charge(slot, now);
        }
        is_admitted
    }

    /// What a key owes at `now`: 0 if it is as one never seen. Only to be compared with others of one table.
    pub(super) fn debt(&self, slot: Slot<'_>, now: u64) -> u64 {
        match *self {
            Self::TokenBucket { .. } => slot.read().saturating_sub(now),
            Self::FixedWindow { window, .. } => counted(slot.read(), now / window),
            Self::SlidingWindowCounter { window, .. } => {
                let (before, this) = windows(slot.read(), now / window);
                if before + this == 0 { 0 } else { in_view(slot.read(), now, window) + 1 }
            }
            Self::SlidingWindowLog { window_millis, groups, size } => {
                let known = (slot.read().div_ceil(size)).min(groups);
                (0..known).filter(|group| age(slot.log, *group, now) < window_millis).count() as u64
            }
        }
    }

    /// How much of what a key may owe it owes at `now`, in 65,536ths: to be compared with others' of any table.
    pub(super) fn share(&self, slot: Slot<'_>, now: u64) -> u64 {
        let most = match *self {
            Self::TokenBucket { ceiling, .. } => ceiling,
            Self::FixedWindow { count, .. } | Self::SlidingWindowCounter { count, .. } => count,
            Self::SlidingWindowLog { groups, .. } => groups,
        };
        let share = (u128::from(self.debt(slot, now)) << 16).div_ceil(u128::from(most.max(1)));
        u64::try_from(share).unwrap_or(u64::MAX)
    }
}

/// What a fixed window has counted by `number`.
const fn counted(state: u64, number: u64) -> u64 {
    if state >> 32 == number & u32::MAX as u64 { state & u32::MAX as u64 } else { 0 }
}

/// The counts of the window before `number` and of that.
const fn windows(state: u64, number: u64) -> (u64, u64) {
    let (before, this) = (state >> COUNT_BITS & COUNT_MASK, state & COUNT_MASK);
    match (number & NUMBER_MASK).wrapping_sub(state >> (2 * COUNT_BITS)) & NUMBER_MASK {
        0 => (before, this),
        1 => (this, 0),
        _ => (0, 0),
    }
}

/// What of two windows is in view of one that ends now.
fn in_view(state: u64, now: u64, window: u64) -> u64 {
    let (before, this) = windows(state, now / window);
    let left = u128::from(window - now % window);
    (u128::from(before) * left / u128::from(window)) as u64 + this
}

const fn millis(now: u64) -> u32 {
    (now / 1_000_000) as u32
}

/// Milliseconds since the time at `group` of `log`.
fn age(log: &[AtomicU32], group: u64, now: u64) -> u32 {
    log.get(group as usize).map_or(u32::MAX, |time| millis(now).wrapping_sub(time.load(Ordering::Relaxed)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: [Algorithm; 4] =
        [Algorithm::TokenBucket, Algorithm::FixedWindow, Algorithm::SlidingWindowLog, Algorithm::SlidingWindowCounter];
    /// No edge of a window.
    const BEGIN: u64 = 1_000_000_300_000_000;

    struct One {
        allowance: Allowance,
        state: AtomicU64,
        log: Vec<AtomicU32>,
    }

    impl One {
        fn new(allowance: Allowance) -> Self {
            let log = (0..allowance.log_length()).map(|_| AtomicU32::new(0)).collect();
            Self { allowance, state: AtomicU64::new(0), log }
        }

        fn take(&self, now: u64) -> bool {
            let slot = Slot { state: &self.state, log: &self.log };
            let is_admitted = self.allowance.admits(slot, now);
            if is_admitted || self.allowance.charges_refused() {
                self.allowance.charge(slot, now);
            }
            is_admitted
        }

        fn debt(&self, now: u64) -> u64 {
            self.allowance.debt(Slot { state: &self.state, log: &self.log }, now)
        }
    }

    fn rate(count: u32, seconds: u64) -> Rate {
        Rate { count, per: Duration::from_secs(seconds) }
    }

    fn seconds(seconds: f64) -> u64 {
        Duration::from_secs_f64(seconds).as_nanos() as u64
    }

    #[test]
    fn a_steady_asker_below_the_rate_always_passes() {
        for algorithm in ALL {
            let one = One::new(Allowance::new(algorithm, rate(10, 1), 10));
            for step in 0..1_000 {
                assert!(one.take(BEGIN + step * seconds(0.105)), "{algorithm:?} at {step}");
            }
        }
    }

    #[test]
    fn a_flood_gets_the_rate_and_little_more() {
        for algorithm in ALL {
            let one = One::new(Allowance::new(algorithm, rate(100, 1), 100));
            let passed = (0..100_000).filter(|step| one.take(BEGIN + step * seconds(0.000_1))).count();
            assert!((900..=1_100).contains(&passed), "{algorithm:?}: {passed} in 10 s");
        }
    }

    #[test]
    fn a_burst_passes_as_far_as_the_bucket_is_deep() {
        let one = One::new(Allowance::new(Algorithm::TokenBucket, rate(10, 1), 25));
        assert_eq!((0..100).filter(|_| one.take(BEGIN)).count(), 25);
        assert_eq!((0..100).filter(|_| one.take(BEGIN + seconds(1.0))).count(), 10);
        assert_eq!((0..100).filter(|_| one.take(BEGIN + seconds(60.0))).count(), 25);
    }

    #[test]
    fn with_a_penalty_a_flood_gets_nothing_until_it_has_ended() {
        let one = One::new(Allowance::with_penalty(rate(10, 1), Duration::from_secs(5)));
        let flood = |from: f64| (0..10_000).filter(|step| one.take(BEGIN + seconds(from) + step * 1_000_000)).count();
        assert_eq!(flood(0.0), 10);
        assert_eq!(flood(10.0), 0);
        assert!(!one.take(BEGIN + seconds(20.0 + 4.5)));
        assert!(one.take(BEGIN + seconds(20.0 + 5.3)));
    }

    #[test]
    fn a_log_of_many_is_kept_in_groups() {
        let count = bounds::LIMIT_LOG as u32 * 10 + 7;
        let one = One::new(Allowance::new(Algorithm::SlidingWindowLog, rate(count, 1), 1));
        let passed = (0..10_000).filter(|_| one.take(BEGIN)).count() as u32;
        assert!(passed <= count && passed > count - count / 16, "{passed} of {count}");
    }

    #[test]
    fn what_is_long_past_is_no_debt() {
        for algorithm in ALL {
            let one = One::new(Allowance::new(algorithm, rate(10, 1), 10));
            assert_eq!(one.debt(BEGIN), 0);
            assert!(one.take(BEGIN));
            assert!(one.debt(BEGIN) > 0, "{algorithm:?}");
            assert_eq!(one.debt(BEGIN + seconds(2.1)), 0, "{algorithm:?}");
        }
    }

    proptest! {
        /// The log is exact: in no window of any place more than the limit, and never less than what has room.
        #[test]
        fn a_sliding_log_admits_what_has_room_in_the_window_and_no_more(
            count in 1..=bounds::LIMIT_LOG as u32, steps in proptest::collection::vec(0..400_u64, 1..300),
        ) {
            let one = One::new(Allowance::new(Algorithm::SlidingWindowLog, rate(count, 1), 1));
            let (mut now, mut admitted) = (BEGIN / 1_000_000, Vec::new());
            for step in steps {
                now += step;
                let in_window = admitted.iter().filter(|time| now - **time < 1_000).count() as u32;
                let is_admitted = one.take(now * 1_000_000);
                prop_assert_eq!(is_admitted, in_window < count);
                if is_admitted {
                    admitted.push(now);
                }
            }
        }

        /// Whatever comes when: a token bucket never gives more than its depth and what has flowed in since.
        #[test]
        fn a_token_bucket_keeps_its_rate(
            count in 1..100_u32, burst in 1..200_u32, steps in proptest::collection::vec(0..300_000_000_u64, 1..300),
        ) {
            let one = One::new(Allowance::new(Algorithm::TokenBucket, rate(count, 1), burst));
            let (mut now, mut passed) = (BEGIN, 0_u64);
            for step in steps {
                now += step;
                passed += u64::from(one.take(now));
                let interval = 1_000_000_000 / u64::from(count);
                prop_assert!(passed <= u64::from(burst) + (now - BEGIN) / interval);
            }
        }

        /// A sliding counter admits at most the limit by its own estimate, and within a window at most twice that.
        #[test]
        fn windows_keep_their_count(
            count in 1..50_u32, steps in proptest::collection::vec(0..200_000_000_u64, 1..300),
        ) {
            for algorithm in [Algorithm::FixedWindow, Algorithm::SlidingWindowCounter] {
                let one = One::new(Allowance::new(algorithm, rate(count, 1), 1));
                let (mut now, mut admitted) = (BEGIN, Vec::new());
                for step in &steps {
                    now += step;
                    if one.take(now) {
                        admitted.push(now);
                    }
                    let same = admitted.iter().filter(|time| **time / 1_000_000_000 == now / 1_000_000_000).count();
                    prop_assert!(same as u32 <= count, "{:?}", algorithm);
                }
            }
        }
    }
}
