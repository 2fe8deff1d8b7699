//! Feeds: numbers about members (load, connections, latency, cost …), each with an age past which nobody believes it.
//!
//! A number that is missing, too old or no number is *not* nought: whoever reads it gets the median of the others.

use std::time::Duration;

use super::pool::PoolId;
use crate::base::{Instant, bounds};

/// Averages forget within about this time (R15).
const EWMA_TAU: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, PartialEq, Debug)]
struct Sample {
    last: f64,
    average: f64,
    at: Instant,
}

#[derive(Clone, PartialEq, Debug)]
struct Metric {
    name: Box<str>,
    age_max: Duration,
    samples: Vec<Option<Sample>>,
}

/// The numbers of one pool's members.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct PoolFeeds {
    metrics: Vec<Metric>,
}

impl PoolFeeds {
    /// Takes in a member's number. What is not finite is thrown away: the older number ages on.
    pub fn observe(&mut self, metric: &str, member: u16, value: f64, age_max: Duration, now: Instant) {
        if !value.is_finite() || usize::from(member) >= bounds::POOL_MEMBERS_MAX {
            return;
        }
        let found = self.metrics.iter().position(|known| &*known.name == metric);
        let at = found.unwrap_or(self.metrics.len());
        if found.is_none() {
            if at >= bounds::METRICS_MAX {
                return;
            }
            self.metrics.push(Metric { name: metric.into(), age_max, samples: Vec::new() });
        }
        let Some(metric) = self.metrics.get_mut(at) else { return };
        metric.age_max = age_max;
        let index = usize::from(member);
        if index >= metric.samples.len() {
            metric.samples.resize(index + 1, None);
        }
        let Some(slot) = metric.samples.get_mut(index) else { return };
        let average = match *slot {
            Some(old) => {
                let alpha = 1.0 - (-now.since(old.at).as_secs_f64() / EWMA_TAU.as_secs_f64()).exp();
                old.average + alpha * (value - old.average)
            }
            None => value,
        };
        *slot = Some(Sample { last: value, average, at: now });
    }

    /// A member's last number, if it is fresh.
    #[must_use]
    pub fn last(&self, metric: &str, member: u16, now: Instant) -> Option<f64> {
        self.fresh(metric, member, now).map(|sample| sample.last)
    }

    /// A member's exponentially weighted average, if its last number is fresh.
    #[must_use]
    pub fn average(&self, metric: &str, member: u16, now: Instant) -> Option<f64> {
        self.fresh(metric, member, now).map(|sample| sample.average)
    }

    /// How old a member's last number is, fresh or not.
    #[must_use]
    pub fn age(&self, metric: &str, member: u16, now: Instant) -> Option<Duration> {
        self.metric(metric)?.samples.get(usize::from(member))?.map(|sample| now.since(sample.at))
    }

    fn metric(&self, name: &str) -> Option<&Metric> {
        self.metrics.iter().find(|metric| &*metric.name == name)
    }

    fn fresh(&self, metric: &str, member: u16, now: Instant) -> Option<Sample> {
        let metric = self.metric(metric)?;
        metric.samples.get(usize::from(member)).copied()?.filter(|sample| now.since(sample.at) <= metric.age_max)
    }
}

/// The numbers of all pools; a snapshot that is replaced as a whole.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Feeds {
    pools: Vec<PoolFeeds>,
}

impl Feeds {
    /// The numbers of a pool, if it has any.
    #[must_use]
    pub fn pool(&self, pool: PoolId) -> Option<&PoolFeeds> {
        self.pools.get(pool.0 as usize)
    }

    /// The numbers of a pool, to take in new ones.
    pub fn pool_mut(&mut self, pool: PoolId) -> Option<&mut PoolFeeds> {
        let index = pool.0 as usize;
        if index >= self.pools.len() {
            self.pools.resize(index + 1, PoolFeeds::default());
        }
        self.pools.get_mut(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGE_MAX: Duration = Duration::from_secs(15);

    #[test]
    fn a_stale_number_is_none_and_not_nought() {
        let mut feeds = PoolFeeds::default();
        feeds.observe("load", 1, 0.7, AGE_MAX, Instant::from_seconds(10));
        assert_eq!(feeds.last("load", 1, Instant::from_seconds(25)), Some(0.7));
        assert_eq!(feeds.last("load", 1, Instant::from_seconds(26)), None);
        assert_eq!(feeds.last("load", 0, Instant::from_seconds(10)), None);
        assert_eq!(feeds.last("cost", 1, Instant::from_seconds(10)), None);
        feeds.observe("load", 1, f64::NAN, AGE_MAX, Instant::from_seconds(40));
        assert_eq!(feeds.last("load", 1, Instant::from_seconds(40)), None);
    }

    #[test]
    fn an_average_forgets_with_time() {
        let mut feeds = PoolFeeds::default();
        feeds.observe("latency", 0, 100.0, AGE_MAX, Instant::ZERO);
        feeds.observe("latency", 0, 0.0, AGE_MAX, Instant::from_seconds(30));
        let average = feeds.average("latency", 0, Instant::from_seconds(30)).unwrap();
        assert!((average - 100.0 * (-1.0f64).exp()).abs() < 1e-9);
    }
}
