//! `bandit`: draws by the weights that a learner has published as the metric `bandit`; by declared weight until then.

use super::{Asker, Candidates, Dice, Scope, Stage, salt};
use crate::steer::hashing::lateness;

/// The metric under which a [`Learner`](crate::steer::learner::Learner)'s weights are published.
pub const METRIC: &str = "bandit";

/// The stage.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Bandit;

impl Stage for Bandit {
    fn name(&self) -> &'static str {
        "bandit"
    }

    fn apply(&self, asker: &Asker<'_>, set: &mut Candidates<'_>, dice: &mut Dice) -> Scope {
        set.retire_standbys();
        if let Some(shares) = set.numbers(METRIC, false, asker) {
            for (candidate, share) in set.list.iter_mut().zip(shares) {
                candidate.weight = share.max(0.0);
                candidate.key = share;
            }
            set.note_keys(|share| format!("share {:.1} %", 100.0 * share));
        }
        set.note_race(|candidate| candidate.weight);
        set.set_keys(|candidate| lateness(asker.draw(salt::BANDIT, candidate.hash, dice), candidate.weight));
        set.order_ties();
        Scope::ALL
    }
}
