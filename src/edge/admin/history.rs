//! The last minutes: what was counted from one look to the next, every [`bounds::HISTORY_STEP`], kept in a ring so that
//! whoever opens the page sees at once how it has been.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, PoisonError};

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::figures::Sources;
use super::{Desk, Fault};
use crate::base::bounds;
use crate::base::histogram::Spread;
use crate::base::tally::{Event, Timing};
use crate::edge::clock::wall_seconds;

/// What was counted since the start.
#[derive(Clone, Default)]
struct Counted {
    queries: u64,
    misses: u64,
    rcodes: Vec<(&'static str, u64)>,
    times: Spread,
}

impl Counted {
    fn read(sources: &Sources) -> Self {
        let rcodes = Event::ALL.iter().filter_map(|event| match event.series() {
            Some(("responses", _, name)) => Some((name, sources.total(*event))),
            _ => None,
        });
        let mut times = Spread::default();
        for what in [Timing::Recalled, Timing::Composed, Timing::Resolved] {
            times += sources.times(what);
        }
        Self {
            queries: sources.sum_of("queries"),
            misses: sources.total(Event::CacheMisses),
            rcodes: rcodes.collect(),
            times,
        }
    }
}

/// What happened from one look to the next.
#[derive(Clone, PartialEq, Debug, Serialize)]
struct Sample {
    /// Counts up from 0 at the start.
    number: u64,
    /// When it ended, seconds of the calendar.
    at: u64,
    /// How long it was.
    seconds: f64,
    /// Queries received.
    queries: u64,
    /// Queries that needed an upstream.
    misses: u64,
    /// Responses by RCODE, those that there were.
    rcodes: BTreeMap<&'static str, u64>,
    /// Half of the responses took no longer than this, seconds, nine in ten no longer than the second, 99 in a hundred no
    /// longer than the third; none where there were none.
    times: Option<[f64; 3]>,
}

/// The last samples.
#[derive(Default)]
pub(super) struct History {
    samples: VecDeque<Sample>,
    before: Option<Counted>,
    next: u64,
}

impl History {
    /// Takes in what is `counted` at the moment `at` of the calendar, `seconds` after the last time.
    fn look(&mut self, counted: Counted, at: u64, seconds: f64) {
        if let Some(before) = self.before.take() {
            self.keep(&counted, &before, at, seconds);
        }
        self.before = Some(counted);
    }

    fn keep(&mut self, counted: &Counted, before: &Counted, at: u64, seconds: f64) {
        if self.samples.len() >= bounds::HISTORY_KEPT {
            self.samples.pop_front();
        }
        let times = counted.times.since(&before.times);
        let rcodes = counted.rcodes.iter().zip(&before.rcodes);
        let rcodes = rcodes.map(|((name, now), (_, then))| (*name, now.wrapping_sub(*then)));
        self.samples.push_back(Sample {
            number: self.next,
            at,
            seconds,
            queries: counted.queries.wrapping_sub(before.queries),
            misses: counted.misses.wrapping_sub(before.misses),
            rcodes: rcodes.filter(|(_, count)| *count > 0).collect(),
            times: times.quantile(0.5).zip(times.quantile(0.9)).zip(times.quantile(0.99)).map(|((a, b), c)| [a, b, c]),
        });
        self.next += 1;
    }

    /// The samples behind the one with the number `after`; all without one.
    fn behind(&self, after: Option<u64>) -> Vec<Sample> {
        let is_wanted = |sample: &&Sample| after.is_none_or(|after| sample.number > after);
        self.samples.iter().filter(is_wanted).cloned().collect()
    }
}

/// Looks for ever.
pub(super) async fn keep(desk: Arc<Desk>) {
    let mut tick = interval(bounds::HISTORY_STEP);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before: Option<Instant> = None;
    loop {
        let now = tick.tick().await;
        let seconds = before.replace(now).map_or(0.0, |before| (now - before).as_secs_f64());
        let counted = Counted::read(desk.metrics.sources());
        desk.history.lock().unwrap_or_else(PoisonError::into_inner).look(counted, wall_seconds(), seconds);
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct After {
    #[serde(default)]
    after: Option<u64>,
}

/// Samples, and how many of them there can be.
#[derive(Serialize)]
pub(super) struct HistoryView {
    at: u64,
    step_seconds: f64,
    kept: usize,
    samples: Vec<Sample>,
}

pub(super) async fn history(
    State(desk): State<Arc<Desk>>,
    query: Result<Query<After>, QueryRejection>,
) -> Result<Json<HistoryView>, Fault> {
    let Query(After { after }) = query?;
    Ok(Json(HistoryView {
        at: wall_seconds(),
        step_seconds: bounds::HISTORY_STEP.as_secs_f64(),
        kept: bounds::HISTORY_KEPT,
        samples: desk.history.lock().unwrap_or_else(PoisonError::into_inner).behind(after),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::histogram::Histogram;
    use std::time::Duration;

    #[test]
    fn a_sample_is_what_came_since_the_last_one_and_the_oldest_goes() {
        let (mut history, times) = (History::default(), Histogram::default());
        let mut counted = Counted { rcodes: vec![("NOERROR", 5), ("SERVFAIL", 7)], ..Counted::default() };
        history.look(counted.clone(), 100, 0.0);
        assert_eq!(history.behind(None), [], "there is nothing to compare the first look with");
        times.note(Duration::from_millis(7), 10);
        counted.queries = 12;
        counted.misses = 2;
        counted.rcodes = vec![("NOERROR", 15), ("SERVFAIL", 7)];
        counted.times = times.read();
        history.look(counted.clone(), 102, 2.5);
        let [sample] = history.behind(None).try_into().unwrap();
        assert_eq!((sample.number, sample.at, sample.queries, sample.misses), (0, 102, 12, 2));
        assert_eq!(sample.rcodes, BTreeMap::from([("NOERROR", 10)]));
        assert!(sample.times.unwrap().iter().all(|time| (0.005..=0.01).contains(time)), "{:?}", sample.times);
        for step in 0..bounds::HISTORY_KEPT as u64 {
            history.look(counted.clone(), 104 + 2 * step, 2.0);
        }
        let samples = history.behind(None);
        assert_eq!((samples.len(), samples[0].number), (bounds::HISTORY_KEPT, 1));
        assert_eq!((samples[0].queries, samples[0].times), (0, None));
        assert_eq!(history.behind(Some(298)).iter().map(|sample| sample.number).collect::<Vec<_>>(), [299, 300]);
    }
}
