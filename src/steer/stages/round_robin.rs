//! `round_robin`: one after the other; `smooth` gives each its weight's share, evenly interleaved.
//!
//! The turn is counted per name. Resolvers' caches hide the order from their clients.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::{Asker, Candidates, Dice, Scope, Stage};

/// The stage.
#[derive(Debug)]
pub struct RoundRobin {
    turn: AtomicU64,
    /// Smooth: how far each member, by index, is owed a turn.
    credit: Option<Mutex<Vec<f64>>>,
}

impl RoundRobin {
    /// A round of equals, or, if `is_smooth`, of weights.
    #[must_use]
    pub fn new(is_smooth: bool) -> Self {
        Self { turn: AtomicU64::new(0), credit: is_smooth.then(|| Mutex::new(Vec::new())) }
    }

    fn take_turns(&self, asker: &Asker<'_>, set: &mut Candidates<'_>) {
        let tied = set.leaders().len() as u64;
        let turn = if asker.is_rehearsal {
            self.turn.load(Ordering::Relaxed)
        } else {
            self.turn.fetch_add(1, Ordering::Relaxed)
        };
        let first = turn.checked_rem(tied).unwrap_or(0) as usize;
        if let Some(leaders) = set.list.get_mut(..tied as usize) {
            leaders.rotate_left(first);
        }
    }

    /// Everybody is paid its weight, the richest leads and pays for all.
    fn pay(credit: &Mutex<Vec<f64>>, asker: &Asker<'_>, set: &mut Candidates<'_>) {
        let mut credit = credit.lock().unwrap_or_else(PoisonError::into_inner);
        let members = set.pool.members().len();
        credit.resize(members, 0.0);
        let tied = set.leaders().len();
        let Some(leaders) = set.list.get_mut(..tied) else { return };
        let mut sum = 0.0;
        for candidate in &mut *leaders {
            let own = credit.get(usize::from(candidate.member)).copied().unwrap_or(0.0);
            candidate.key = -(own + candidate.weight);
            sum += candidate.weight;
        }
        leaders.sort_by(|a, b| a.key.total_cmp(&b.key).then(a.member.cmp(&b.member)));
        if asker.is_rehearsal {
            return;
        }
        for (place, candidate) in leaders.iter().enumerate() {
            if let Some(own) = credit.get_mut(usize::from(candidate.member)) {
                *own = -candidate.key - if place == 0 { sum } else { 0.0 };
            }
        }
    }
}

impl Stage for RoundRobin {
    fn name(&self) -> &'static str {
        "round_robin"
    }

    fn apply(&self, asker: &Asker<'_>, set: &mut Candidates<'_>, _: &mut Dice) -> Scope {
        set.retire_standbys();
        set.note_race(|candidate| if self.credit.is_some() { candidate.weight } else { 1.0 });
        match &self.credit {
            Some(credit) => Self::pay(credit, asker, set),
            None => self.take_turns(asker, set),
        }
        Scope::ALL
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steer::testing::{asker, order, order_without, pool};

    fn firsts(stage: &RoundRobin, pool: &crate::steer::pool::Pool, count: usize) -> Vec<u16> {
        let mut dice = Dice::from_number(1);
        (0..count).map(|_| order(stage, pool, &asker("192.0.2.1"), &mut dice)[0]).collect()
    }

    #[test]
    fn smooth_weights_of_5_1_1_give_a_a_b_a_c_a_a() {
        let pool = pool(&[("a", 5.0), ("b", 1.0), ("c", 1.0)]);
        let stage = RoundRobin::new(true);
        assert_eq!(firsts(&stage, &pool, 14), [0, 0, 1, 0, 2, 0, 0, 0, 0, 1, 0, 2, 0, 0]);
    }

    #[test]
    fn equals_take_turns_and_a_rehearsal_takes_none() {
        let pool = pool(&[("a", 5.0), ("b", 1.0), ("c", 1.0)]);
        for stage in [RoundRobin::new(false), RoundRobin::new(true)] {
            let mut rehearsing = asker("192.0.2.1");
            rehearsing.is_rehearsal = true;
            let mut dice = Dice::from_number(1);
            let first = order(&stage, &pool, &rehearsing, &mut dice);
            assert_eq!(order(&stage, &pool, &rehearsing, &mut dice), first);
            assert_eq!(order(&stage, &pool, &asker("192.0.2.1"), &mut dice), first);
        }
        assert_eq!(firsts(&RoundRobin::new(false), &pool, 4), [0, 1, 2, 0]);
    }

    #[test]
    fn a_lost_member_leaves_its_turns_to_the_others() {
        let pool = pool(&[("a", 1.0), ("b", 1.0), ("c", 1.0)]);
        let stage = RoundRobin::new(true);
        let mut dice = Dice::from_number(1);
        let mut seen = [0; 3];
        for _ in 0..300 {
            let all = order_without(&stage, &pool, &[1], &asker("192.0.2.1"), &mut dice);
            seen[usize::from(all[0])] += 1;
        }
        assert_eq!(seen, [150, 0, 150]);
    }
}
