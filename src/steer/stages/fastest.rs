//! `fastest`: least response time, the average latency times the requests under way; by distance where nothing has
//! been measured.

use super::nearest::Nearest;
use super::spread::{Mode, settle};
use super::{Asker, Candidates, Dice, Scope, Stage};

/// The stage.
#[derive(Clone, PartialEq, Debug)]
pub struct Fastest {
    /// The metric of latency; its moving average counts.
    pub latency: Box<str>,
    /// The metric of requests under way.
    pub active: Box<str>,
    /// How it chooses.
    pub mode: Mode,
}

impl Default for Fastest {
    fn default() -> Self {
        Self { latency: "latency".into(), active: "active".into(), mode: Mode::default() }
    }
}

impl Stage for Fastest {
    fn name(&self) -> &'static str {
        "fastest"
    }

    fn apply(&self, asker: &Asker<'_>, set: &mut Candidates<'_>, dice: &mut Dice) -> Scope {
        set.retire_standbys();
        let Some(mut numbers) = set.numbers(&self.latency, true, asker) else {
            set.note(None, || "nothing measured: by distance".to_owned());
            return Nearest::default().apply(asker, set, dice);
        };
        if let Some(active) = set.numbers(&self.active, false, asker) {
            for (number, active) in numbers.iter_mut().zip(active) {
                *number *= active.max(0.0) + 1.0;
            }
        }
        settle(self.mode, Some(&numbers), asker, set, dice);
        Scope::ALL
    }
}
