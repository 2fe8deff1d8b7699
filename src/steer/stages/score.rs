//! `score`: one number of several inputs, each stretched over the survivors to 0…1; the lowest is best (R15).
//!
//! The best leads; a later `weighted` spreads answers by score instead. Who answers a client now goes on doing so
//! until somebody is better by more than the margin.

use std::sync::atomic::{AtomicU16, Ordering};

use smallvec::SmallVec;

use super::{Asker, Candidates, Dice, Scope, Stage};
use crate::base::bounds;
use crate::steer::asker::Key;

/// Keeps the best (score 0) from having all the weight there is.
const WEIGHT_FLOOR: f64 = 0.1;
const NOBODY: u16 = u16::MAX;

/// What goes into a score.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// The cost, as fed or else as declared.
    Cost,
    /// 1 − the fed availability `uptime`.
    Uptime,
    /// The moving average of a metric.
    Average(Box<str>),
    /// The last number of a metric.
    Last(Box<str>),
}

impl Input {
    /// The input of that name: `cost`, `uptime`, `latency` (averaged), any other metric as it is.
    #[must_use]
    pub fn named(name: &str) -> Self {
        match name {
            "cost" => Self::Cost,
            "uptime" => Self::Uptime,
            "latency" => Self::Average(name.into()),
            other => Self::Last(other.into()),
        }
    }

    fn numbers(&self, asker: &Asker<'_>, set: &Candidates<'_>) -> Option<SmallVec<[f64; 8]>> {
        match self {
            Self::Average(metric) => set.numbers(metric, true, asker),
            Self::Last(metric) => set.numbers(metric, false, asker),
            Self::Uptime => {
                let mut numbers = set.numbers("uptime", false, asker)?;
                numbers.iter_mut().for_each(|number| *number = 1.0 - *number);
                Some(numbers)
            }
            Self::Cost => set.numbers("cost", false, asker).or_else(|| {
                Some(
                    set.list()
                        .iter()
                        .map(|candidate| set.member(candidate).map_or(0.0, |member| member.cost))
                        .collect(),
                )
            }),
        }
    }
}

/// The stage. Its memory of who answers whom is bounded: clients share [`bounds::INCUMBENTS_MAX`] places.
#[derive(Debug)]
pub struct Score {
    inputs: Vec<(Input, f64)>,
    margin: f64,
    incumbents: Box<[AtomicU16]>,
}

impl Score {
    /// A score of `inputs` with their shares, which sum to 1; `margin` is a share of the incumbent's score.
    #[must_use]
    pub fn new(inputs: Vec<(Input, f64)>, margin: f64) -> Self {
        Self { inputs, margin, incumbents: (0..bounds::INCUMBENTS_MAX).map(|_| AtomicU16::new(NOBODY)).collect() }
    }

    /// Lets the member that answers `asker` now lead on, unless the best is better by more than the margin.
    fn prefer_incumbent(&self, asker: &Asker<'_>, set: &mut Candidates<'_>) {
        let (key, _) = Key::default().of(asker);
        let Some(slot) = self.incumbents.get((key % self.incumbents.len().max(1) as u64) as usize) else { return };
        let Some(best) = set.leaders().first().copied() else { return };
        let incumbent = slot.load(Ordering::Relaxed);
        let position = set.leaders().iter().position(|candidate| candidate.member == incumbent);
        if let Some(position) = position
            && let Some(held) = set.list().get(position).copied()
            && position > 0
            && best.key >= held.key * (1.0 - self.margin)
        {
            set.note(Some(incumbent), || "answers on: nobody is better by more than the margin".to_owned());
            set.list.remove(position);
            set.list.insert(0, held);
        } else if !asker.is_rehearsal && position != Some(0) {
            slot.store(best.member, Ordering::Relaxed);
        }
    }
}

impl Stage for Score {
    fn name(&self) -> &'static str {
        "score"
    }

    fn apply(&self, asker: &Asker<'_>, set: &mut Candidates<'_>, _: &mut Dice) -> Scope {
        set.retire_standbys();
        set.set_keys(|_| 0.0);
        for (input, share) in &self.inputs {
            let Some(numbers) = input.numbers(asker, set) else {
                set.note(None, || format!("no fresh numbers of {input:?}"));
                continue;
            };
            let low = numbers.iter().copied().fold(f64::INFINITY, f64::min);
            let span = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max) - low;
            for (candidate, number) in set.list.iter_mut().zip(numbers) {
                candidate.key += if span > 0.0 { share * (number - low) / span } else { 0.0 };
            }
        }
        for candidate in &mut set.list {
            candidate.weight *= 1.0 / (candidate.key + WEIGHT_FLOOR);
        }
        set.note_keys(|score| format!("score {score:.3}"));
        set.order_ties();
        if self.margin > 0.0 {
            self.prefer_incumbent(asker, set);
        }
        Scope::ALL
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::base::Instant;
    use crate::steer::feeds::PoolFeeds;
    use crate::steer::testing::{asker, pool};

    fn first(stage: &Score, loads: &[f64], is_rehearsal: bool) -> u16 {
        let pool = pool(&[("a", 1.0), ("b", 1.0), ("c", 1.0)]);
        let mut asker = asker("192.0.2.1");
        asker.is_rehearsal = is_rehearsal;
        let mut feeds = PoolFeeds::default();
        for (member, load) in loads.iter().enumerate() {
            feeds.observe("load", member as u16, *load, Duration::from_secs(60), Instant::from_seconds(990));
        }
        let mut set = Candidates::new(&pool, &[], Some(&feeds), &asker);
        assert_eq!(stage.apply(&asker, &mut set, &mut Dice::from_number(1)), Scope::ALL);
        set.list()[0].member
    }

    #[test]
    fn the_winner_changes_only_for_a_clear_lead() {
        let stage = Score::new(vec![(Input::named("load"), 1.0)], 0.1);
        assert_eq!(first(&stage, &[50.0, 60.0, 0.0], true), 2);
        assert_eq!(first(&stage, &[0.0, 60.0, 100.0], false), 0);
        assert_eq!(first(&stage, &[60.0, 50.0, 70.0], false), 1);
    }

    #[test]
    fn an_incumbent_stays_within_the_margin() {
        let pool = pool(&[("a", 1.0), ("b", 1.0), ("c", 1.0)]);
        let asker = asker("192.0.2.1");
        let stage = Score::new(vec![(Input::named("x"), 0.5), (Input::named("y"), 0.5)], 0.1);
        let winner = |numbers: [(f64, f64); 3]| {
            let mut feeds = PoolFeeds::default();
            for (member, (x, y)) in numbers.iter().enumerate() {
                for (metric, number) in [("x", x), ("y", y)] {
                    feeds.observe(metric, member as u16, *number, Duration::from_secs(60), Instant::from_seconds(990));
                }
            }
            let mut set = Candidates::new(&pool, &[], Some(&feeds), &asker);
            stage.apply(&asker, &mut set, &mut Dice::from_number(1));
            set.list()[0].member
        };
        assert_eq!(winner([(0.0, 90.0), (100.0, 0.0), (50.0, 100.0)]), 0); // 0.45, 0.50, 0.75
        assert_eq!(winner([(0.0, 100.0), (96.0, 0.0), (100.0, 100.0)]), 0); // 0.50, 0.48, 1.00
        assert_eq!(winner([(0.0, 100.0), (80.0, 0.0), (100.0, 100.0)]), 1); // 0.50, 0.40, 1.00
    }

    #[test]
    fn without_numbers_all_score_alike() {
        let stage = Score::new(vec![(Input::named("load"), 1.0)], 0.1);
        assert_eq!(first(&stage, &[], false), 0);
    }
}
