//! The figures of the last minutes: what the metrics counted, sampled every [`bounds::FIGURES_STEP`] and kept in a ring,
//! so that whoever opens the page sees at once how it has been.
//!
//! The totals are read from the metrics themselves, when asked: they equal what a scrape tells at the same moment.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, PoisonError};

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{Desk, Fault};
use crate::base::bounds;
use crate::edge::clock::wall_seconds;

/// What was counted since the start, or from one look to the next.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Totals {
    pub(super) queries: u64,
    pub(super) responses: u64,
    pub(super) misses: u64,
    pub(super) stale: u64,
    pub(super) rcodes: Vec<(&'static str, u64)>,
}

impl Totals {
    fn since(&self, before: &Self) -> Self {
        let rcodes = self.rcodes.iter().zip(&before.rcodes);
        Self {
            queries: self.queries.wrapping_sub(before.queries),
            responses: self.responses.wrapping_sub(before.responses),
            misses: self.misses.wrapping_sub(before.misses),
            stale: self.stale.wrapping_sub(before.stale),
            rcodes: rcodes.map(|((name, now), (_, then))| (*name, now.wrapping_sub(*then))).collect(),
        }
    }
}

/// What happened from one look to the next.
#[derive(Clone, PartialEq, Debug, Serialize)]
struct Sample {
    /// Counts up from 0 at the start.
    number: u64,
    /// The end, seconds of the calendar.
    at: u64,
    /// How long it was.
    seconds: f64,
    queries: u64,
    responses: u64,
    misses: u64,
    stale: u64,
    /// Those that there were.
    rcodes: BTreeMap<&'static str, u64>,
    /// The times within which half, nine tenths and 99 hundredths of the queries were answered, milliseconds; none
    /// where nothing was.
    latency_ms: Option<[f64; 3]>,
}

/// The last samples.
#[derive(Default)]
pub(super) struct History {
    samples: VecDeque<Sample>,
    before: Option<Totals>,
    next: u64,
}

impl History {
    /// Takes in what is counted at the moment `at` (of the calendar), `seconds` after the last time.
    fn look(&mut self, totals: Totals, at: u64, seconds: f64) {
        if let Some(before) = self.before.replace(totals.clone()) {
            if self.samples.len() >= bounds::FIGURES_KEPT {
                self.samples.pop_front();
            }
            let change = totals.since(&before);
            self.samples.push_back(Sample {
                number: self.next,
                at,
                seconds,
                queries: change.queries,
                responses: change.responses,
                misses: change.misses,
                stale: change.stale,
                rcodes: change.rcodes.into_iter().filter(|(_, count)| *count > 0).collect(),
                latency_ms: None,
            });
            self.next += 1;
        }
    }

    /// The samples behind the one with the number `after`; all without one.
    fn behind(&self, after: Option<u64>) -> Vec<Sample> {
        let is_wanted = |sample: &&Sample| after.is_none_or(|after| sample.number > after);
        self.samples.iter().filter(is_wanted).cloned().collect()
    }
}

/// Looks at the figures for ever.
pub(super) async fn keep(desk: Arc<Desk>) {
    let mut tick = interval(bounds::FIGURES_STEP);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = None;
    loop {
        let now = tick.tick().await;
        let seconds = before.replace(now).map_or(0.0, |before: Instant| (now - before).as_secs_f64());
        let totals = desk.metrics.totals();
        desk.history.lock().unwrap_or_else(PoisonError::into_inner).look(totals, wall_seconds(), seconds);
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct After {
    #[serde(default)]
    after: Option<u64>,
}

/// The totals and the samples.
pub(super) async fn figures(
    State(desk): State<Arc<Desk>>,
    query: Result<Query<After>, QueryRejection>,
) -> Result<Json<Value>, Fault> {
    let Query(After { after }) = query?;
    let totals = desk.metrics.totals();
    let samples = desk.history.lock().unwrap_or_else(PoisonError::into_inner).behind(after);
    Ok(Json(json!({
        "at": wall_seconds(),
        "step_seconds": bounds::FIGURES_STEP.as_secs_f64(),
        "samples_kept": bounds::FIGURES_KEPT,
        "totals": {
            "queries": totals.queries,
            "responses": totals.responses,
            "misses": totals.misses,
            "stale": totals.stale,
            "rcodes": totals.rcodes.into_iter().collect::<BTreeMap<_, _>>(),
        },
        "members": [],
        "countries": [],
        "gauges": desk.metrics.gauges().collect::<serde_json::Map<_, _>>(),
        "samples": samples,
    })))
}
