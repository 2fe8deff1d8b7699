//! `shuffle`: any order of the tied is as likely as any other.

use super::{Asker, Candidates, Dice, Scope, Stage, salt};

/// The stage.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Shuffle;

impl Stage for Shuffle {
    fn name(&self) -> &'static str {
        "shuffle"
    }

    fn apply(&self, asker: &Asker<'_>, set: &mut Candidates<'_>, dice: &mut Dice) -> Scope {
        set.retire_standbys();
        set.note_race(|_| 1.0);
        set.set_keys(|candidate| asker.draw(salt::SHUFFLE, candidate.hash, dice));
        set.order_ties();
        Scope::ALL
    }
}
