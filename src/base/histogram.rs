//! Times by the bucket: how long something took, counted so that a scrape can tell the spread of it.
//!
//! Like a [`Tally`](super::tally::Tally), a [`Histogram`] has one writer, so noting is a few plain loads and stores; a
//! scrape adds the threads' [`Spread`]s up. Every histogram has the same buckets, so any two can be added or subtracted.

use std::ops::AddAssign;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The upper ends of the buckets, seconds; the last bucket has none.
pub const ENDS: [f64; 18] = [
    0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
    0.5, 1.0, 2.5, 5.0,
];

/// The same, nanoseconds.
const ENDS_NANOS: [u64; ENDS.len()] = {
    let mut nanos = [0; ENDS.len()];
    let mut at = 0;
    while at < ENDS.len() {
        #[expect(clippy::indexing_slicing, reason = "at compile time, below the length of both")]
        #[expect(clippy::cast_sign_loss, reason = "none is negative")]
        let end = (ENDS[at] * 1e9 + 0.5) as u64;
        #[expect(clippy::indexing_slicing, reason = "at compile time, below the length of both")]
        {
            nanos[at] = end;
        }
        at += 1;
    }
    nanos
};

const BUCKETS: usize = ENDS.len() + 1;

/// Times that one thread notes and any may read.
#[derive(Debug, Default)]
pub struct Histogram {
    counts: [AtomicU64; BUCKETS],
    nanos: AtomicU64,
}

impl Histogram {
    /// Notes that something took `took`, `times` times over. Only the owner may call it: two writers would lose times.
    pub fn note(&self, took: Duration, times: u64) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let bucket = ENDS_NANOS.partition_point(|end| *end < nanos);
        if let Some(count) = self.counts.get(bucket) {
            count.store(count.load(Ordering::Relaxed).wrapping_add(times), Ordering::Relaxed);
        }
        let sum = self.nanos.load(Ordering::Relaxed).wrapping_add(nanos.wrapping_mul(times));
        self.nanos.store(sum, Ordering::Relaxed);
    }

    /// What has been noted; any thread may read.
    #[must_use]
    pub fn read(&self) -> Spread {
        let mut counts = [0; BUCKETS];
        counts.iter_mut().zip(&self.counts).for_each(|(into, from)| *into = from.load(Ordering::Relaxed));
        Spread { counts, nanos: self.nanos.load(Ordering::Relaxed) }
    }
}

/// How times are spread.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Spread {
    counts: [u64; BUCKETS],
    nanos: u64,
}

impl Spread {
    /// How many times there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.wrapping_add(*count))
    }

    /// All times together, seconds.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.nanos as f64 / 1e9
    }

    /// The upper end of each bucket, seconds, and how many times are in it; the last end is infinite.
    pub fn buckets(&self) -> impl Iterator<Item = (f64, u64)> {
        ENDS.into_iter().chain([f64::INFINITY]).zip(self.counts)
    }

    /// What has come since `before`, an earlier reading of the same.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let mut since = Self { nanos: self.nanos.wrapping_sub(before.nanos), ..*self };
        since.counts.iter_mut().zip(before.counts).for_each(|(count, before)| *count = count.wrapping_sub(before));
        since
    }

    /// The time, seconds, that the part `share` (0 to 1) of all does not exceed: as exact as the buckets, inside of which
    /// times are taken to be evenly spread; at most the last end. None where there are no times.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let rank = share.clamp(0.0, 1.0) * self.count() as f64;
        let (mut below, mut begin) = (0.0, 0.0);
        for (end, count) in ENDS.into_iter().zip(self.counts) {
            let count = count as f64;
            if count > 0.0 && below + count >= rank {
                return Some(begin + (end - begin) * ((rank - below) / count).max(0.0));
            }
            (below, begin) = (below + count, end);
        }
        (self.count() > 0).then_some(begin)
    }
}

impl AddAssign for Spread {
    fn add_assign(&mut self, other: Self) {
        self.nanos = self.nanos.wrapping_add(other.nanos);
        self.counts.iter_mut().zip(other.counts).for_each(|(count, other)| *count = count.wrapping_add(other));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_time_at_the_end_of_a_bucket_is_in_it() {
        let histogram = Histogram::default();
        for (end, nanos) in ENDS.into_iter().zip(ENDS_NANOS) {
            let before = histogram.read();
            histogram.note(Duration::from_nanos(nanos), 1);
            let noted = histogram.read().since(&before);
            assert_eq!(noted.buckets().find(|(_, count)| *count > 0), Some((end, 1)));
            histogram.note(Duration::from_nanos(nanos + 1), 1);
        }
        assert_eq!(histogram.read().count(), 2 * ENDS.len() as u64);
    }

    #[test]
    fn nothing_has_no_quantile_and_what_is_beyond_the_last_end_is_told_as_that() {
        let histogram = Histogram::default();
        assert_eq!(histogram.read().quantile(0.5), None);
        histogram.note(Duration::from_secs(3_600), 2);
        assert_eq!(histogram.read().quantile(0.5), Some(5.0));
        assert!((histogram.read().seconds() - 7_200.0).abs() < 1e-6);
    }

    proptest! {
        #[test]
        fn a_quantile_lies_in_the_bucket_of_the_true_one(
            mut times in prop::collection::vec(0..5_000_000_000_u64, 1..200), share in 0.01..1.0_f64,
        ) {
            let (one, other) = (Histogram::default(), Histogram::default());
            for (at, nanos) in times.iter().enumerate() {
                (if at % 2 == 0 { &one } else { &other }).note(Duration::from_nanos(*nanos), 1);
            }
            let mut spread = one.read();
            spread += other.read();
            times.sort_unstable();
            #[expect(clippy::cast_sign_loss, reason = "no count is negative")]
            let rank = (share * times.len() as f64).ceil() as usize;
            let exact = times[rank.max(1) - 1];
            let bucket = ENDS_NANOS.partition_point(|end| *end < exact);
            let begin = bucket.checked_sub(1).map_or(0.0, |at| ENDS[at]);
            let found = spread.quantile(share).unwrap();
            prop_assert!(found >= begin && found <= ENDS[bucket] + 1e-9, "{found} of {exact}");
            prop_assert_eq!(spread.since(&other.read()), one.read());
        }
    }
}
