//! A path of names in a worker's turn: one after the other is asked of the chain, and upstreams where the chain says so,
//! until one exists. The client hears of the first that does, behind an alias, and of nothing else.
//!
//! The chain is asked for addresses of type A to see whether a name exists; then for what the client asked for. So the
//! answers to all of a client's questions about a name come from the same name, even where a server denies one type as
//! if there was no such name.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Worker;
use super::waiting::Waiter;
use crate::base::Instant;
use crate::base::tally::Event;
use crate::chain::{Aged, Answer, Chooser, Goal, Path, Purpose, Query, Step, Turn, Verdict};
use crate::dns::{Name, Question, Rcode, RecordType, RrSet};
use crate::handlers::resolve::ledger::Ledger;

/// A path that is being walked.
#[derive(Debug)]
pub(super) struct Search {
    /// What is said where no name exists.
    otherwise: Answer,
    /// Who chooses among the answers to the client's question.
    chooser: Option<Arc<dyn Chooser>>,
    /// The names that are left, the one that is asked for now among them.
    steps: VecDeque<Step>,
    ttl: u32,
    /// Whether the first of them is known to exist, and the client's type is asked for.
    is_found: bool,
    /// Whether whoever chooses, and the second of now, tell all that was said on the way.
    is_told: bool,
}

impl Search {
    pub(super) fn new(path: Path) -> Self {
        let Path { mut otherwise, steps, ttl } = path;
        let chooser = otherwise.chooser.take();
        Self { otherwise, chooser, steps: steps.into(), ttl, is_found: false, is_told: true }
    }

    /// What to ask of the chain next on behalf of `query`.
    pub(super) fn next(&self, query: &Query) -> Option<Query> {
        let step = self.steps.front()?;
        let rtype = if self.is_found { query.question.rtype } else { RecordType::A };
        Some(Query { question: Question::new(step.name.clone(), rtype), ..query.clone() })
    }

    /// Takes what was said to that; what the client is told, if it is settled.
    fn take(&mut self, answer: Answer, query: &Query, now: Instant) -> Option<Answer> {
        let step = self.steps.front()?;
        let is_told = step.is_chosen || answer.recallable_until.is_some_and(|until| until > now.seconds());
        self.is_told &= is_told && answer.ede.is_none();
        match answer.rcode {
            // Nothing can be told of the names behind a failure: they are not the first.
            rcode if rcode != Rcode::NOERROR && rcode != Rcode::NXDOMAIN => {
                Some(Answer { answer: Vec::new(), authority: Vec::new(), additional: Vec::new(), ..plain(answer) })
            }
            Rcode::NXDOMAIN if !self.is_found => {
                self.steps.pop_front();
                None
            }
            _ if !self.is_found && query.question.rtype != RecordType::A => {
                self.is_found = true;
                None
            }
            _ => {
                let alias = RrSet::new(query.question.name.clone(), RecordType::CNAME, self.ttl, [step.name.wire()]);
                let mut found = plain(answer);
                found.rcode = Rcode::NOERROR; // the name exists
                found.authoritative = true; // the alias is ours
                found.answer.insert(0, Aged { set: Arc::new(alias), ttl: self.ttl });
                Some(self.signed(found, now))
            }
        }
    }

    /// What the client is told where no name exists.
    fn give_up(&mut self, now: Instant) -> Answer {
        let answer = std::mem::take(&mut self.otherwise);
        self.signed(answer, now)
    }

    /// The TTLs of the alias and of what it leads to do not go by one clock, so it is remembered for this second alone.
    fn signed(&mut self, mut answer: Answer, now: Instant) -> Answer {
        // Where client subnets are heeded on the way, they may be so at one name and not at the next.
        answer.chooser = self.chooser.take().filter(|_| answer.scope.is_none());
        answer.recallable_until = self.is_told.then(|| now.seconds() + 1);
        answer
    }
}

/// The answer without what holds for its own question alone.
fn plain(answer: Answer) -> Answer {
    Answer { chooser: None, recallable_until: None, is_ageless: false, wildcard_zone: None, authentic: false, ..answer }
}

/// How far memory led.
pub(super) enum Walked {
    /// To the end.
    Answer(Answer),
    /// To what upstreams must be asked for.
    Resolve(Goal),
}

impl<R> Worker<R> {
    /// Walks on for `query` until it is settled or upstreams must be asked.
    pub(super) fn walk_path(&mut self, search: &mut Search, query: &Query, now: Instant) -> Walked {
        while let Some(step) = search.next(query) {
            let verdict = self.ask_chain(&step, now);
            let answer = match verdict {
                Verdict::Resolve(goal) => {
                    self.hurry(search, query, now);
                    return Walked::Resolve(goal);
                }
                Verdict::Answer(answer) => answer,
                // A path of its own would lead on from a name that the client did not ask for.
                Verdict::Search(path) => path.otherwise,
                Verdict::Pass | Verdict::Silence(_) => Answer::empty(Rcode::REFUSED),
            };
            if let Some(answer) = search.take(answer, query, now) {
                self.count_found(&answer);
                return Walked::Answer(answer);
            }
        }
        Walked::Answer(search.give_up(now))
    }

    fn count_found(&self, answer: &Answer) {
        if answer.rcode == Rcode::NOERROR {
            self.tally.count(Event::Searched);
        }
    }

    fn ask_chain(&mut self, query: &Query, now: Instant) -> Verdict {
        let mut turn = Turn { now, dice: &mut self.dice, tally: &self.tally, aside: None, choices: None };
        let said = &mut self.said;
        let verdict = self.house.chain.handle(query, &mut turn, |link, verdict| {
            if let Some(said) = said {
                said.push((link, verdict.clone()));
            }
        });
        if let Some(goal) = turn.aside {
            self.pursue_aside(&goal, now);
        }
        verdict
    }

    /// The last name on the path most likely exists: what the client wants of it is fetched while it is looked for.
    fn hurry(&mut self, search: &Search, query: &Query, now: Instant) {
        let (1, false, Some(mut last)) = (search.steps.len(), search.is_found, search.next(query)) else { return };
        if query.question.rtype != RecordType::A {
            last.question.rtype = query.question.rtype;
            if let Verdict::Resolve(goal) = self.ask_chain(&last, now) {
                self.pursue_aside(&Goal { purpose: Purpose::Prefetch, prefix: Vec::new(), stale: None, ..goal }, now);
            }
        }
    }

    /// Tells a client that waited what there is to tell: `answer`, or what the path leads to from there. What that costs
    /// goes on the account `ledger`.
    pub(super) fn conclude(
        &mut self,
        mut waiter: Waiter<R>,
        answer: Answer,
        ledger: Option<&Arc<Ledger>>,
        now: Instant,
    ) {
        let Some(mut search) = waiter.search.take() else { return self.respond_late(waiter, &answer, now) };
        let walked = match search.take(answer, &waiter.query, now) {
            Some(answer) => {
                self.count_found(&answer);
                Walked::Answer(answer)
            }
            None => self.walk_path(&mut search, &waiter.query, now),
        };
        match walked {
            Walked::Answer(answer) => self.respond_late(waiter, &answer, now),
            Walked::Resolve(goal) => match self.begin(&goal, ledger, waiter.client(), now) {
                Ok(id) => {
                    let Goal { prefix, scope, stale, .. } = goal;
                    waiter.is_ours = !prefix.is_empty();
                    (waiter.prefix, waiter.scope, waiter.stale, waiter.search) = (prefix, scope, stale, Some(search));
                    self.wait(id, waiter, now);
                }
                Err(why) => self.console(waiter, why, now),
            },
        }
    }
}

impl<R> Waiter<R> {
    /// What is being found out for the client, at `name`.
    pub(super) fn pursued(&self, name: &Name) -> Query {
        let next = self.search.as_ref().and_then(|search| search.next(&self.query));
        let mut query = next.unwrap_or_else(|| self.query.clone());
        query.question.name = name.clone();
        query
    }
}
