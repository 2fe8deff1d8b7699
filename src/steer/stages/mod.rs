//! The stages of policies, one file each: filters take candidates away, rankers prefer some, pickers choose.

use std::fmt::Debug;

use super::asker::{Asker, Scope};
use super::candidates::Candidates;
use crate::base::Dice;

pub mod bandit;
pub mod cheapest;
pub mod cohort;
pub mod fastest;
pub mod fence;
pub mod first;
pub mod healthy;
pub mod least_conn;
pub mod located;
pub mod maglev;
pub mod nearest;
pub mod overflow;
pub mod p2c;
pub mod ring;
pub mod round_robin;
pub mod rules;
pub mod score;
pub mod shed;
pub mod shuffle;
pub mod spread;
pub mod sticky;
pub mod tier;
pub mod weighted;

/// One step of a policy.
pub trait Stage: Send + Sync + Debug {
    /// The stage's word in a policy.
    fn name(&self) -> &'static str;

    /// Filters, ranks or picks, and says how many bits of the subject it looked at. A stage that only draws looks at
    /// none, even where the draw is made from a hash of the client: any draw is right for everybody (R2.3).
    fn apply(&self, asker: &Asker<'_>, set: &mut Candidates<'_>, dice: &mut Dice) -> Scope;
}

/// Tells the draws of one query apart.
pub(super) mod salt {
    pub(in crate::steer) const WEIGHTED: u64 = 1;
    pub(in crate::steer) const SHUFFLE: u64 = 2;
    pub(in crate::steer) const TRICKLE: u64 = 3;
    pub(in crate::steer) const SPREAD: u64 = 4;
    pub(in crate::steer) const BANDIT: u64 = 5;
    pub(in crate::steer) const SHED: u64 = 6;
    pub(in crate::steer) const OVERFLOW: u64 = 7;
}

/// The nearest whole number; 0 for what is negative or no number.
#[expect(clippy::cast_sign_loss, reason = "a cast from a float saturates")]
const fn rounded(number: f64) -> u64 {
    number.round() as u64
}
