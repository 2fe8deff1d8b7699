//! `healthy`: takes away who is down, drained or forced down. Every policy starts with it.
//!
//! Panic (R7): where less than `panic_below` of the weight is healthy, the checks are doubted rather than the
//! members. Another tier is tried first; where none is left, health is ignored. Who was taken out by people never
//! comes back that way.

use smallvec::SmallVec;

use super::{Asker, Candidates, Dice, Scope, Stage};
use crate::steer::candidates::{Candidate, Closed};

/// The stage.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Healthy {
    /// Less healthy weight than this share is not believed; 0 = health is always believed.
    pub panic_below: f64,
    /// Whether each tier is judged by itself.
    pub by_tier: bool,
    /// Whether the dead stay, marked, for `overflow` to share out their clients.
    pub keeps_gone: bool,
}

impl Healthy {
    fn is_failed(&self, set: &Candidates<'_>, of: &Candidate) -> bool {
        let tier = |candidate: &Candidate| set.member(candidate).map(|member| member.tier);
        let (mut whole, mut healthy, mut heads, mut healthy_heads) = (0.0, 0.0, 0.0, 0.0);
        for candidate in set.list().iter().filter(|&other| !self.by_tier || tier(other) == tier(of)) {
            let weight = set.member(candidate).map_or(0.0, |member| member.weight.value());
            whole += weight;
            heads += 1.0;
            if set.standing(candidate.member).is_usable() {
                healthy += weight;
                healthy_heads += 1.0;
            }
        }
        let share = if whole > 0.0 { healthy / whole } else { healthy_heads / heads };
        share < self.panic_below
    }
}

impl Stage for Healthy {
    fn name(&self) -> &'static str {
        "healthy"
    }

    fn apply(&self, _: &Asker<'_>, set: &mut Candidates<'_>, _: &mut Dice) -> Scope {
        if set.is_traced() {
            for member in set.indices() {
                let standing = set.standing(member);
                set.note(Some(member), || standing.word().to_owned());
            }
        }
        let mut list = std::mem::take(&mut set.list);
        list.retain(|candidate| set.standing(candidate.member).bar.is_none());
        set.list = list;
        if set.is_desperate {
            return Scope::ALL;
        }
        if !set.list().iter().any(|candidate| set.standing(candidate.member).is_usable()) {
            set.list.clear();
            set.closed = Some(Closed::AllDown);
            return Scope::ALL;
        }
        let mut list = std::mem::take(&mut set.list);
        if self.panic_below > 0.0 {
            set.list.clone_from(&list);
            let mut judged: SmallVec<[(u16, bool); 4]> = SmallVec::new();
            for candidate in &mut list {
                let tier = if self.by_tier { set.member(candidate).map_or(0, |member| member.tier) } else { 0 };
                let is_failed = if let Some((_, is_failed)) = judged.iter().find(|(known, _)| *known == tier) {
                    *is_failed
                } else {
                    let is_failed = self.is_failed(set, candidate);
                    judged.push((tier, is_failed));
                    is_failed
                };
                candidate.is_in_panic = is_failed;
            }
        }
        let is_panic = !list.is_empty() && list.iter().all(|candidate| candidate.is_in_panic);
        if !is_panic {
            for candidate in &mut list {
                candidate.is_gone = !set.standing(candidate.member).is_usable();
            }
            if !self.keeps_gone {
                list.retain(|candidate| !candidate.is_gone);
            }
        }
        set.list = list;
        if is_panic {
            set.note(None, || "too few are healthy: health is ignored".to_owned());
        }
        Scope::ALL
    }
}
