//! How a walk ends: what memory is told of it, and who hears of it.

use std::sync::Arc;

use super::Surroundings;
use super::ask::{self, Trouble};
use super::ledger::Ledger;
use super::minimise::Shown;
use super::resolution::{Resolution, explanation};
use super::resolver::{GoalId, Resolver};
use super::walk::{Ended, Stage, Walk};
use crate::base::tally::Event;
use crate::base::{Instant, bounds};
use crate::chain::Learned;

impl Resolver {
    /// In an outage, who joined a walk when its last queries were lost already gets one of his own: the servers may
    /// have come back since.
    fn begin_again(&mut self, at: u32, now: Instant) -> bool {
        let is_outage = self.scoreboard.is_outage(now);
        let Some(walk) = self.walks.get_mut(at as usize) else { return false };
        match walk.joined.take() {
            Some(joined) if is_outage && now.since(joined) < ask::PATIENCE => {
                walk.ledger = Arc::new(Ledger::open(joined, walk.ledger.owner()));
                walk.name = walk.question.name.clone();
                walk.chain.clear();
                walk.shown = Shown::default();
                (walk.referrals, walk.self_referrals, walk.has_gone_up) = (0, 0, false);
                (walk.stand, walk.stage) = (None, Stage::Moving);
                self.moving.push_back(at);
                true
            }
            _ => false,
        }
    }

    /// A walk has come to its end; where that has to be validated first, it goes on from there.
    pub(super) fn end(&mut self, at: u32, ended: Ended, around: &mut Surroundings<'_>) {
        if self.must_check(at, Some(&ended)) {
            self.begin_checking(at, Some(ended), around);
        } else {
            self.conclude(at, ended, around);
        }
    }

    pub(super) fn conclude(&mut self, at: u32, ended: Ended, around: &mut Surroundings<'_>) {
        if matches!(ended, Ended::Failed(Trouble::Silence | Trouble::Unreachable | Trouble::Exhausted(_)))
            && self.begin_again(at, around.now)
        {
            return;
        }
        let Some(mut walk) = self.walks.try_remove(at as usize) else { return };
        // Asked once more because the first answer was bogus: that is what is wrong, whatever came now.
        let ended = match (ended, walk.doubt.take()) {
            (Ended::Failed(_), Some(ede)) => Ended::Bogus(ede),
            (ended, _) => ended,
        };
        self.goals.remove(&(walk.question.name.clone(), walk.question.rtype, walk.checking_disabled));
        if let Ended::Bogus(ede) = &ended {
            around.tally.count(Event::ResolutionsFailed);
            let (name, rtype) = (walk.question.name.clone(), walk.question.rtype);
            // A minute of the zone's and one of the name's must not add up.
            let span = walk.bogus_until.map_or(bounds::BOGUS_TTL, |until| until.since(around.now));
            let ttl = u32::try_from(span.as_secs()).unwrap_or(u32::MAX);
            around.memory.learn(Learned::Bogus { name, rtype, ede: ede.clone(), ttl }, around.now);
        }
        if let Ended::Failed(trouble) = &ended {
            around.tally.count(Event::ResolutionsFailed);
            // When nothing at all answers, the fault is ours and says nothing of the zone: remembering it would
            // only delay the first answer after the outage, save where clients have a stale answer meanwhile. A
            // reached bound may be the parent's, and a crowd passes.
            let is_telling = (walk.has_reserve || !self.scoreboard.is_outage(around.now))
                && (walk.depth == 0 || !matches!(trouble, Trouble::Exhausted(_)))
                && *trouble != Trouble::Crowded;
            if is_telling {
                around.memory.learn(
                    Learned::Failure {
                        name: walk.question.name.clone(),
                        rtype: walk.question.rtype,
                        ede: explanation(*trouble),
                        unchecked: walk.checking_disabled,
                    },
                    around.now,
                );
            }
        }
        let zone = walk.stand.as_ref().map(|stand| stand.cut.zone());
        for parent in &walk.parents {
            if !self.end_lookup(*parent, (at, &walk), &ended) {
                self.end_fetching(*parent, (at, &walk.question), &ended, zone);
            }
        }
        if walk.is_goal {
            let Walk { chain, ledger, remark, .. } = walk;
            let resolution = Resolution { chain, ended, remark, ledger };
            self.resolved.push_back((GoalId { serial: walk.serial, at }, resolution));
        }
    }
}
