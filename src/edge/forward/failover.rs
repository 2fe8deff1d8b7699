//! Whom to ask first, and whom to leave alone for a while. Pure: time is an argument.
//!
//! The configured order holds among healthy upstreams that are about equally fast. One that failed is avoided for
//! a second, then two, and so on up to [`bounds::SERVER_PENALTY_MAX`]; when that time is over a single question
//! goes to it beside another upstream (a probe), so that no client waits to find out whether it is back. An
//! avoided upstream is still asked, last: when all fail at once it is more likely our own line, and the first
//! answer from any of them clears all penalties.

use std::time::Duration;

use crate::base::{Instant, bounds};

/// First penalty; it doubles with every further failure.
const PENALTY_MIN: Duration = Duration::from_secs(1);

/// The health of the upstreams of one zone.
#[derive(Clone, Debug)]
pub struct Failover(Vec<Health>);

#[derive(Clone, Debug, Default)]
struct Health {
    /// Smoothed response time and its variation (RFC 6298 §2); none before the first response.
    times: Option<(Duration, Duration)>,
    /// Failures since the last answer.
    failures: u32,
    avoided_until: Instant,
    /// When the latest failure was counted.
    last_failed: Option<Instant>,
    /// When a question was sent whose answer was the latest to come.
    last_answered: Option<Instant>,
}

/// Whom to ask for one question.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// The upstreams by index, the first to be asked first.
    pub order: Vec<usize>,
    /// An upstream to be asked besides, only to see whether it is back.
    pub probe: Option<usize>,
}

impl Failover {
    /// `count` upstreams of which nothing is known.
    #[must_use]
    pub fn new(count: usize) -> Self {
        Self(vec![Health::default(); count])
    }

    /// Whom to ask now; among those that are equally good, the one of number `first` and then those behind it in a ring.
    pub fn plan_from(&mut self, first: usize, now: Instant) -> Plan {
        let fastest =
            self.0.iter().filter(|health| health.failures == 0).map(Health::smoothed).min().unwrap_or_default();
        let rank = |health: &Health| {
            let is_slow = health.smoothed() > fastest + bounds::RTT_BAND;
            // Of those that failed, the one whose penalty ends first.
            (health.failures > 0, is_slow, if health.failures > 0 { health.avoided_until } else { Instant::ZERO })
        };
        let count = self.0.len();
        let mut order: Vec<usize> = (0..count).map(|index| (first + index) % count).collect();
        order.sort_by_key(|index| self.0.get(*index).map(rank)); // stable: the order before decides the rest
        let has_healthy = self.0.iter().any(|health| health.failures == 0);
        let lapsed = |health: &Health| health.failures > 0 && health.avoided_until <= now;
        let probe = if has_healthy { self.0.iter().position(lapsed) } else { None };
        if let Some(health) = probe.and_then(|index| self.0.get_mut(index)) {
            // One probe at a time: the next not before this one has had time to end.
            health.avoided_until = now + bounds::RTO_MAX;
        }
        order.retain(|index| Some(*index) != probe);
        Plan { order, probe }
    }

    /// Whom to ask now, in the configured order among those that are equally good.
    pub fn plan(&mut self, now: Instant) -> Plan {
        self.plan_from(0, now)
    }

    /// How long to wait for the `index`th upstream before the next is asked as well. Never below
    /// [`bounds::RTO_INITIAL`]: what it has to resolve first takes it longer than the line does.
    #[must_use]
    pub fn timeout(&self, index: usize) -> Duration {
        let times = self.0.get(index).and_then(|health| health.times);
        let expected = times.map_or(bounds::RTO_INITIAL, |(smoothed, variation)| smoothed + 4 * variation);
        expected.clamp(bounds::RTO_INITIAL, bounds::RTO_MAX)
    }

    /// The `index`th upstream answered at `now` what it was asked at `begun`.
    pub fn answered(&mut self, index: usize, begun: Instant, now: Instant) {
        let was_outage = self.0.iter().all(|health| health.failures > 0);
        let Some(health) = self.0.get_mut(index) else { return };
        let sample = now.since(begun);
        health.times = Some(match health.times {
            None => (sample, sample / 2),
            Some((smoothed, variation)) => {
                ((smoothed * 7 + sample) / 8, (variation * 3 + smoothed.abs_diff(sample)) / 4)
            }
        });
        health.failures = 0;
        health.last_answered = health.last_answered.max(Some(begun));
        if was_outage {
            for health in &mut self.0 {
                health.failures = 0;
            }
        }
    }

    /// The `index`th upstream did not answer what it was asked at `begun`.
    ///
    /// That does not count if it answered something that it was asked later: then the name is slow, not the
    /// upstream.
    pub fn failed(&mut self, index: usize, begun: Instant, now: Instant) {
        let Some(health) = self.0.get_mut(index) else { return };
        // Questions that were under way together fail together, and count as one failure.
        let is_counted = health.last_failed.is_some_and(|failed| failed > begun);
        if health.last_answered.is_some_and(|answered| answered > begun) || is_counted {
            return;
        }
        health.last_failed = Some(now);
        let penalty = PENALTY_MIN * 2_u32.saturating_pow(health.failures.min(10));
        health.failures = health.failures.saturating_add(1);
        health.avoided_until = now + penalty.min(bounds::SERVER_PENALTY_MAX);
    }
}

impl Health {
    /// An upstream never asked counts as fast, so that it is tried.
    fn smoothed(&self) -> Duration {
        self.times.map_or(Duration::ZERO, |(smoothed, _)| smoothed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(milliseconds: u64) -> Instant {
        Instant::from_nanos(milliseconds * 1_000_000)
    }

    fn order(failover: &mut Failover, now: Instant) -> Vec<usize> {
        failover.plan(now).order
    }

    #[test]
    fn the_configured_order_holds_within_the_band() {
        let mut failover = Failover::new(3);
        assert_eq!(order(&mut failover, at(0)), [0, 1, 2]);
        failover.answered(0, at(0), at(300));
        failover.answered(1, at(0), at(10));
        assert_eq!(order(&mut failover, at(1_000)), [0, 1, 2]);
    }

    #[test]
    fn a_much_slower_upstream_comes_behind() {
        let mut failover = Failover::new(2);
        failover.answered(0, at(0), at(900));
        failover.answered(1, at(0), at(10));
        assert_eq!(order(&mut failover, at(1_000)), [1, 0]);
    }

    #[test]
    fn a_failed_upstream_is_asked_last_then_probed_once() {
        let mut failover = Failover::new(2);
        failover.failed(0, at(0), at(100));
        assert_eq!(failover.plan(at(200)), Plan { order: vec![1, 0], probe: None });
        assert_eq!(failover.plan(at(1_100)), Plan { order: vec![1], probe: Some(0) });
        assert_eq!(failover.plan(at(1_101)).probe, None);
        failover.answered(0, at(1_100), at(1_120));
        assert_eq!(failover.plan(at(1_200)), Plan { order: vec![0, 1], probe: None });
    }

    #[test]
    fn penalties_double_up_to_the_bound() {
        let mut failover = Failover::new(2);
        let (mut now, mut lengths) = (at(0), Vec::new());
        for _ in 0..8 {
            failover.failed(0, now, now);
            let from = now;
            while failover.plan(now).probe.is_none() {
                now = now + Duration::from_millis(250);
            }
            lengths.push(now.since(from).as_secs());
            now = now + bounds::RTO_MAX;
        }
        assert_eq!(lengths, [1, 2, 4, 8, 16, 30, 30, 30]);
    }

    #[test]
    fn questions_that_fail_together_count_once() {
        let mut failover = Failover::new(2);
        for n in 0..100 {
            failover.failed(0, at(n), at(3_000 + n));
        }
        assert_eq!(failover.plan(at(4_000)).probe, Some(0));
    }

    #[test]
    fn a_slow_name_is_not_the_upstreams_fault() {
        let mut failover = Failover::new(2);
        failover.answered(0, at(500), at(510));
        failover.failed(0, at(0), at(3_000));
        assert_eq!(order(&mut failover, at(3_001)), [0, 1]);
    }

    #[test]
    fn the_first_answer_after_an_outage_clears_all_penalties() {
        let mut failover = Failover::new(3);
        for index in 0..3 {
            failover.failed(index, at(0), at(100));
        }
        assert_eq!(failover.plan(at(200)).order.len(), 3);
        failover.answered(2, at(200), at(210));
        assert_eq!(order(&mut failover, at(211)), [0, 1, 2]);
    }

    #[test]
    fn patience_grows_with_the_response_time() {
        let mut failover = Failover::new(1);
        assert_eq!(failover.timeout(0), bounds::RTO_INITIAL);
        failover.answered(0, at(0), at(1));
        assert_eq!(failover.timeout(0), bounds::RTO_INITIAL);
        for n in 0..20 {
            failover.answered(0, at(n), at(n + 1_000));
        }
        assert!((1_000..=3_000).contains(&failover.timeout(0).as_millis()), "{:?}", failover.timeout(0));
    }

    proptest! {
        #[test]
        fn every_upstream_is_in_the_plan_and_none_is_avoided_past_the_bound(
            events in proptest::collection::vec((0usize..4, any::<bool>(), 0u64..5_000), 0..100),
        ) {
            let mut failover = Failover::new(4);
            let mut now = 0;
            for (index, is_answer, pause) in events {
                now += pause;
                if is_answer { failover.answered(index, at(now), at(now + 5)) } else { failover.failed(index, at(now), at(now)) }
                let plan = failover.plan(at(now));
                let mut all: Vec<usize> = plan.order.iter().copied().chain(plan.probe).collect();
                all.sort_unstable();
                prop_assert_eq!(all, vec![0, 1, 2, 3]);
                for health in &failover.0 {
                    prop_assert!(health.avoided_until.since(at(now)) <= bounds::SERVER_PENALTY_MAX);
                }
            }
        }
    }
}
