//! `fence`: who may answer whom at all. Nobody outside the fence answers, not even if everybody inside is down.

use super::rules::Table;
use super::{Asker, Candidates, Dice, Scope, Stage};
use crate::steer::candidates::Closed;
use crate::steer::place::Place;

/// What an asker and a member must have in common.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Same {
    /// The continent.
    Continent,
    /// The country.
    Country,
    /// Country and subdivision.
    Subdivision,
}

impl Same {
    /// Whether a place tells what is compared: members that do not are outside of every fence.
    #[must_use]
    pub const fn is_told(self, place: &Place) -> bool {
        match self {
            Self::Continent => place.continent.is_some(),
            Self::Country => place.country.is_some(),
            Self::Subdivision => place.country.is_some() && place.subdivision.is_some(),
        }
    }

    /// Whether both are known to be in one; unknown if the asker's is not known.
    fn holds(self, asker: &Place, member: &Place) -> Option<bool> {
        Some(match self {
            Self::Continent => member.continent == Some(asker.continent?),
            Self::Country => member.country == Some(asker.country?),
            Self::Subdivision => {
                member.country == Some(asker.country?) && member.subdivision == Some(asker.subdivision?)
            }
        })
    }
}

/// What to do where nobody inside the fence is left (R2.7).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OnEmpty {
    /// The fallback pool answers.
    #[default]
    Fallback,
    /// There is no fence then.
    Open,
    /// The answer has no data; resolvers may widen that to everybody.
    NoData,
}

/// The stage.
#[derive(Clone, PartialEq, Debug)]
pub struct Fence {
    /// The members that a rule prefers are the only ones for whom it matches.
    pub table: Option<Table>,
    /// Where no rule matches: what asker and member must share. An asker of unknown place is not fenced.
    pub same: Option<Same>,
    /// What to do where nobody is left.
    pub on_empty: OnEmpty,
}

impl Stage for Fence {
    fn name(&self) -> &'static str {
        "fence"
    }

    fn apply(&self, asker: &Asker<'_>, set: &mut Candidates<'_>, _: &mut Dice) -> Scope {
        let (verdict, mut scope) = self.table.as_ref().map_or((None, Scope::ALL), |table| table.find(asker));
        let pool = set.pool;
        let before = set.list.clone();
        if let Some(verdict) = verdict {
            set.retain(|candidate| verdict.prefer.contains(&candidate.member));
        } else if let Some(same) = self.same {
            scope = scope.and(asker.place_scope());
            set.retain(|candidate| {
                pool.member(candidate.member)
                    .is_some_and(|member| same.holds(asker.place(), &member.place) != Some(false))
            });
        }
        if set.list().iter().all(|candidate| candidate.is_gone) && !before.is_empty() {
            match self.on_empty {
                OnEmpty::Open => set.list = before,
                OnEmpty::Fallback => {
                    set.list.clear();
                    set.closed = Some(Closed::FencedToFallback);
                }
                OnEmpty::NoData => {
                    set.list.clear();
                    set.closed = Some(Closed::Fenced);
                }
            }
        }
        scope
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steer::testing::{asker_at, member, order_without, pool_of};

    #[test]
    fn nobody_outside_the_fence_answers() {
        let mut members = vec![member("fra", 1.0), member("iad", 1.0)];
        members[0].place.continent = "EU".parse().ok();
        members[1].place.continent = "NA".parse().ok();
        let pool = pool_of(members);
        let european = Place { continent: "EU".parse().ok(), ..Place::default() };
        let mut dice = Dice::from_number(1);
        let mut inside = |on_empty, place: &Place, lost: &[u16]| {
            let fence = Fence { table: None, same: Some(Same::Continent), on_empty };
            order_without(&fence, &pool, lost, &asker_at("192.0.2.1", place), &mut dice)
        };
        assert_eq!(inside(OnEmpty::NoData, &european, &[]), [0]);
        assert_eq!(inside(OnEmpty::NoData, &european, &[0]), [0; 0]);
        assert_eq!(inside(OnEmpty::Open, &european, &[0]), [1]);
        assert_eq!(inside(OnEmpty::NoData, &Place::default(), &[]), [0, 1]);
    }
}
