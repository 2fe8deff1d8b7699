//! `least_conn`: fewer connections for its weight, more answers.

use super::spread::{Mode, settle};
use super::{Asker, Candidates, Dice, Scope, Stage};

/// The stage.
#[derive(Clone, PartialEq, Debug)]
pub struct LeastConn {
    /// The metric that counts connections.
    pub metric: Box<str>,
    /// How it chooses.
    pub mode: Mode,
}

impl Default for LeastConn {
    fn default() -> Self {
        Self { metric: "conns".into(), mode: Mode::default() }
    }
}

impl Stage for LeastConn {
    fn name(&self) -> &'static str {
        "least_conn"
    }

    fn apply(&self, asker: &Asker<'_>, set: &mut Candidates<'_>, dice: &mut Dice) -> Scope {
        set.retire_standbys();
        let numbers = set.numbers(&self.metric, false, asker);
        settle(self.mode, numbers.as_ref(), asker, set, dice);
        Scope::ALL
    }
}
