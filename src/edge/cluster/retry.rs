//! When to try again: later with every failure in a row, never all at the same moment, and not before the API allows it.

use std::time::Duration;

use crate::base::{Dice, bounds};

/// How often it has failed in a row.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Retry {
    failures: u32,
}

impl Retry {
    /// It has gone well.
    pub(super) fn succeed(&mut self) {
        self.failures = 0;
    }

    pub(super) const fn failures(self) -> u32 {
        self.failures
    }

    /// It has failed: how long to wait, where the API has `bidden` so many seconds. `least` is the wait after a
    /// first failure, `most` after many.
    pub(super) fn fail(
        &mut self,
        (least, most): (Duration, Duration),
        bidden: Option<u64>,
        dice: &mut Dice,
    ) -> Duration {
        let doubled = least.saturating_mul(1 << self.failures.min(16)).min(most);
        self.failures = self.failures.saturating_add(1);
        let half = doubled / 2;
        let drawn = half + Duration::from_nanos(dice.below(half.as_nanos() as u64 + 1));
        match bidden.map(Duration::from_secs) {
            None => drawn,
            // Others were bidden the same.
            Some(bidden) => bidden.min(bounds::CLUSTER_RETRY_MAX) + drawn.min(least),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_doubles_the_wait_up_to_its_bound() {
        let mut dice = Dice::from_number(3);
        let mut retry = Retry::default();
        let (least, most) = (bounds::CLUSTER_RETRY_MIN, bounds::CLUSTER_RETRY_MAX);
        let mut expected = least;
        for _ in 0..50 {
            let wait = retry.fail((least, most), None, &mut dice);
            assert!(wait >= expected / 2 && wait <= expected, "{wait:?} of {expected:?}");
            expected = (expected * 2).min(bounds::CLUSTER_RETRY_MAX);
        }
        retry.succeed();
        assert!(retry.fail((least, most), None, &mut dice) <= least);
    }

    #[test]
    fn what_the_api_bids_is_kept_within_reason() {
        let mut dice = Dice::from_number(3);
        let (least, most) = (bounds::CLUSTER_RETRY_MIN, bounds::CLUSTER_RETRY_MAX);
        let wait = Retry::default().fail((least, most), Some(7), &mut dice);
        assert!(wait >= Duration::from_secs(7) && wait <= Duration::from_secs(7) + least, "{wait:?}");
        assert!(Retry::default().fail((least, most), Some(u64::MAX), &mut dice) <= bounds::CLUSTER_RETRY_MAX + least);
    }
}
