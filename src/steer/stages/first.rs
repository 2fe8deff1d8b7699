//! `first: N`: only the first N go on. At the end of a policy it says how many members answer instead.

use super::{Asker, Candidates, Dice, Scope, Stage};

/// The stage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct First(pub usize);

impl Stage for First {
    fn name(&self) -> &'static str {
        "first"
    }

    fn apply(&self, _: &Asker<'_>, set: &mut Candidates<'_>, _: &mut Dice) -> Scope {
        set.retire_standbys();
        set.retain(|candidate| !candidate.is_gone);
        set.cut(self.0);
        Scope::ALL
    }
}
