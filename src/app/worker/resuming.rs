//! From the end of a goal to the answer for a client that waited: with the aliases in front that led to the goal; and
//! where aliases of others lead into one of our own zones, on from there.

use std::sync::Arc;

use super::Worker;
use super::waiting::Waiter;
use crate::base::Instant;
use crate::base::tally::Event;
use crate::chain::{Answer, Goal, Turn, Verdict};
use crate::dns::{Name, Rcode};
use crate::handlers::resolve::Resolution;
use crate::handlers::resolve::ledger::Ledger;

impl<R> Worker<R> {
    /// Answers a client whose goal has ended.
    pub(super) fn resume(&mut self, mut waiter: Waiter<R>, resolution: &Resolution, now: Instant) {
        if let Some(target) = resolution.leads_home() {
            return self.come_home(waiter, resolution, target, now);
        }
        let mut answer = match (resolution.is_failure(), &waiter.stale) {
            (true, Some(stale)) => {
                self.tally.count(Event::StaleAnswers);
                let mut stale = stale.clone();
                if let (Some(told), Some(why)) = (&mut stale.ede, resolution.bogus()) {
                    told.text = format!("upstreams are bogus: {}", why.text).into();
                }
                stale
            }
            (true, None) => resolution.to_answer(false),
            (false, _) => {
                let mut answer = resolution.to_answer(waiter.query.wants_dnssec());
                answer.authoritative = waiter.is_ours;
                answer.answer.splice(0..0, std::mem::take(&mut waiter.prefix));
                answer
            }
        };
        answer.scope = waiter.scope;
        self.conclude(waiter, answer, Some(&resolution.ledger), now);
    }

    /// Aliases of others have led to `target` in one of our zones. It is answered as if the client had asked for it:
    /// what our zones say depends on who asks, and when.
    fn come_home(&mut self, mut waiter: Waiter<R>, resolution: &Resolution, target: &Name, now: Instant) {
        let query = waiter.pursued(target);
        let mut turn = Turn { now, dice: &mut self.dice, tally: &self.tally, aside: None, choices: None };
        let verdict = self.house.chain.handle(&query, &mut turn, |_, _| {});
        waiter.prefix.extend(resolution.chain.iter().map(|part| part.aged.clone()));
        let verdict = match verdict {
            Verdict::Search(path) => Verdict::Answer(path.otherwise), // a path leads from the name asked for alone
            verdict => verdict,
        };
        match verdict {
            Verdict::Answer(mut answer) => {
                answer.authoritative = waiter.is_ours;
                answer.scope = answer.scope.max(waiter.scope);
                answer.answer.splice(0..0, std::mem::take(&mut waiter.prefix));
                self.conclude(waiter, answer, Some(&resolution.ledger), now);
            }
            Verdict::Resolve(goal) => self.leave_again(waiter, goal, &resolution.ledger, now),
            Verdict::Pass | Verdict::Silence(_) | Verdict::Search(_) => {
                self.respond_late(waiter, &Answer::empty(Rcode::REFUSED), now);
            }
        }
    }

    /// Our zones lead a waiting client out once more: to another goal, on the same account.
    fn leave_again(&mut self, mut waiter: Waiter<R>, mut goal: Goal, ledger: &Arc<Ledger>, now: Instant) {
        waiter.prefix.append(&mut goal.prefix);
        waiter.scope = waiter.scope.max(goal.scope);
        match self.begin(&goal, Some(ledger), waiter.client(), now) {
            Ok(goal) => self.wait(goal, waiter, now),
            Err(why) => self.console(waiter, why, now),
        }
    }
}
