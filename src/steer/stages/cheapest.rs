//! `cheapest`: prefers members by their cost, as fed or else as declared; equal costs are tied.

use super::{Asker, Candidates, Dice, Scope, Stage};

/// The stage.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Cheapest;

impl Stage for Cheapest {
    fn name(&self) -> &'static str {
        "cheapest"
    }

    fn apply(&self, asker: &Asker<'_>, set: &mut Candidates<'_>, _: &mut Dice) -> Scope {
        set.retire_standbys();
        let mut list = std::mem::take(&mut set.list);
        for candidate in &mut list {
            let declared = set.member(candidate).map_or(0.0, |member| member.cost);
            candidate.key = set.last("cost", candidate.member, asker).unwrap_or(declared);
        }
        set.list = list;
        set.note_keys(|cost| format!("cost {cost}"));
        set.rank(|one, other| one.total_cmp(&other).is_eq());
        Scope::ALL
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steer::testing::{asker, member, order, pool_of};

    #[test]
    fn the_cheap_come_first_and_equals_in_declared_order() {
        let mut members = vec![member("dear", 1.0), member("b", 1.0), member("c", 1.0)];
        members[0].cost = 2.5;
        let pool = pool_of(members);
        assert_eq!(order(&Cheapest, &pool, &asker("192.0.2.1"), &mut Dice::from_number(1)), [1, 2, 0]);
    }
}
