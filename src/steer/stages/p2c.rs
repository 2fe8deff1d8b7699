//! `p2c`: the power of two choices. Two are drawn by weight, the less loaded of them answers.

use super::spread::{Mode, settle};
use super::{Asker, Candidates, Dice, Scope, Stage};

/// The stage.
#[derive(Clone, PartialEq, Debug)]
pub struct P2c {
    /// The metric of load.
    pub metric: Box<str>,
}

impl Default for P2c {
    fn default() -> Self {
        Self { metric: "load".into() }
    }
}

impl Stage for P2c {
    fn name(&self) -> &'static str {
        "p2c"
    }

    fn apply(&self, asker: &Asker<'_>, set: &mut Candidates<'_>, dice: &mut Dice) -> Scope {
        set.retire_standbys();
        let numbers = set.numbers(&self.metric, false, asker);
        settle(Mode::P2c, numbers.as_ref(), asker, set, dice);
        Scope::ALL
    }
}
