//! `tier`: active and passive members. A tier answers while no lower one has a trustworthy survivor (R9).

use std::time::Duration;

use super::{Asker, Candidates, Dice, Scope, Stage, salt};
use crate::steer::candidates::Candidate;

/// When a tier that has recovered answers again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Failback {
    /// At once.
    #[default]
    Auto,
    /// After it has been up for so long.
    After(Duration),
    /// When somebody confirms its return.
    Manual,
}

/// The stage.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Tier {
    /// When a recovered tier answers again.
    pub failback: Failback,
    /// The share of answers that goes to the next tier always, 0 to 1.
    pub trickle: f64,
}

impl Tier {
    fn is_waiting(&self, set: &Candidates<'_>, candidate: &Candidate, asker: &Asker<'_>) -> bool {
        match (self.failback, set.standing(candidate.member).came_back) {
            (Failback::Auto, _) | (_, None) => false,
            (Failback::After(wait), Some(back)) => asker.now.since(back) < wait,
            (Failback::Manual, Some(_)) => true,
        }
    }
}

impl Stage for Tier {
    fn name(&self) -> &'static str {
        "tier"
    }

    fn apply(&self, asker: &Asker<'_>, set: &mut Candidates<'_>, dice: &mut Dice) -> Scope {
        if self.trickle > 0.0 {
            set.note_chance();
        }
        let lowest = |above: Option<u16>, is_fit: &dyn Fn(&Candidate) -> bool| {
            set.list()
                .iter()
                .filter(|candidate| !candidate.is_gone && is_fit(candidate))
                .filter_map(|candidate| set.member(candidate).map(|member| member.tier))
                .filter(|&tier| above.is_none_or(|above| tier > above))
                .min()
        };
        let is_sound = |candidate: &Candidate| !candidate.is_in_panic;
        let is_ready = |candidate: &Candidate| is_sound(candidate) && !self.is_waiting(set, candidate, asker);
        let Some(mut chosen) =
            lowest(None, &is_ready).or_else(|| lowest(None, &is_sound)).or_else(|| lowest(None, &|_| true))
        else {
            return Scope::ALL;
        };
        if self.trickle > 0.0
            && asker.draw(salt::TRICKLE, 0, dice) <= self.trickle
            && let Some(next) = lowest(Some(chosen), &is_sound)
        {
            chosen = next;
        }
        let pool = set.pool;
        set.retain(|candidate| pool.member(candidate.member).is_some_and(|member| member.tier == chosen));
        set.note(None, || format!("tier {chosen}"));
        Scope::ALL
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Instant;
    use crate::steer::health::Standing;
    use crate::steer::testing::{asker, down, member, pool_of};

    fn chosen(stage: &Tier, standings: &[Standing]) -> Vec<u16> {
        let mut members = vec![member("one", 1.0), member("two", 1.0)];
        members[1].tier = 2;
        let pool = pool_of(members);
        let asker = asker("192.0.2.1");
        let mut set = Candidates::new(&pool, standings, None, &asker);
        let mut dice = Dice::from_number(1);
        super::super::healthy::Healthy::default().apply(&asker, &mut set, &mut dice);
        stage.apply(&asker, &mut set, &mut dice);
        set.list().iter().map(|candidate| candidate.member).collect()
    }

    #[test]
    fn the_standby_answers_only_while_the_primary_is_down() {
        assert_eq!(chosen(&Tier::default(), &[]), [0]);
        assert_eq!(chosen(&Tier::default(), &[down()]), [1]);
    }

    #[test]
    fn a_recovered_primary_waits_before_it_answers_again() {
        let back = |seconds| Standing { came_back: Some(Instant::from_seconds(seconds)), ..Standing::default() };
        let stage = Tier { failback: Failback::After(Duration::from_secs(600)), trickle: 0.0 };
        assert_eq!(chosen(&stage, &[back(401)]), [1]);
        assert_eq!(chosen(&stage, &[back(400)]), [0]);
        assert_eq!(chosen(&stage, &[back(999), down()]), [0], "better than nobody");
        assert_eq!(chosen(&Tier { failback: Failback::Manual, trickle: 0.0 }, &[back(0)]), [1]);
    }

    #[test]
    fn a_trickle_reaches_the_next_tier() {
        let mut members = vec![member("one", 1.0), member("two", 1.0)];
        members[1].tier = 2;
        let pool = pool_of(members);
        let mut dice = Dice::from_number(1);
        let stage = Tier { failback: Failback::Auto, trickle: 0.05 };
        let next = (0..10_000)
            .filter(|_| crate::steer::testing::order(&stage, &pool, &asker("192.0.2.1"), &mut dice) == [1])
            .count();
        assert!((430..570).contains(&next), "{next}");
    }
}
