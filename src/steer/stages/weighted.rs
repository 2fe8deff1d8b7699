//! `weighted`: draws among the tied, each as likely as its weight's share (R8).

use super::{Asker, Candidates, Dice, Scope, Stage, salt};
use crate::steer::hashing::lateness;

/// The stage.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Weighted;

impl Stage for Weighted {
    fn name(&self) -> &'static str {
        "weighted"
    }

    fn apply(&self, asker: &Asker<'_>, set: &mut Candidates<'_>, dice: &mut Dice) -> Scope {
        set.retire_standbys();
        if set.is_traced() {
            let tied: f64 = set.leaders().iter().map(|candidate| candidate.weight).sum();
            for candidate in set.leaders().to_vec() {
                set.note(Some(candidate.member), || format!("share {:.1} %", 100.0 * candidate.weight / tied));
            }
        }
        set.note_race(|candidate| candidate.weight);
        set.set_keys(|candidate| lateness(asker.draw(salt::WEIGHTED, candidate.hash, dice), candidate.weight));
        set.order_ties();
        Scope::ALL
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steer::testing::{asker, chi_square, order, pool};

    #[test]
    fn a_million_draws_fall_as_the_weights_say_at_the_first_and_the_last_position() {
        for weights in [[5.0, 3.0, 1.0, 1.0], [1.0, 1.0, 3.0, 5.0]] {
            let pool = pool(&[("a", weights[0]), ("b", weights[1]), ("c", weights[2]), ("d", weights[3])]);
            let asker = asker("192.0.2.1");
            let mut dice = Dice::from_number(2);
            let mut seen = [0u64; 4];
            for _ in 0..1_000_000 {
                seen[usize::from(order(&Weighted, &pool, &asker, &mut dice)[0])] += 1;
            }
            let statistic = chi_square(&seen, &weights);
            assert!(statistic < 16.27, "χ² = {statistic} at p = 0.001 with 3 degrees of freedom: {seen:?}");
        }
    }

    #[test]
    fn agreed_draws_follow_the_weights_over_the_epochs() {
        let pool = pool(&[("a", 3.0), ("b", 1.0)]);
        let mut asker = asker("192.0.2.1");
        let mut dice = Dice::from_number(2);
        let mut seen = [0u64; 2];
        for epoch in 0..100_000 {
            asker.agreed = Some(epoch);
            seen[usize::from(order(&Weighted, &pool, &asker, &mut dice)[0])] += 1;
        }
        assert!(chi_square(&seen, &[3.0, 1.0]) < 10.83, "{seen:?}");
    }

    #[test]
    fn a_standby_answers_only_if_nobody_else_can() {
        let pool = pool(&[("a", 1.0), ("spare", 0.0), ("other", 0.0)]);
        let asker = asker("192.0.2.1");
        let mut dice = Dice::from_number(2);
        assert!((0..1_000).all(|_| order(&Weighted, &pool, &asker, &mut dice) == [0]));
        let spares = (0..1_000)
            .filter(|_| crate::steer::testing::order_without(&Weighted, &pool, &[0], &asker, &mut dice)[0] == 1)
            .count();
        assert!((430..570).contains(&spares), "{spares}");
    }
}
