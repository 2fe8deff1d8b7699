//! Validation of what a walk has found (RFC 4035 §5), before anybody who has not set CD is told.
//!
//! A walk goes on as it always does until it knows its end, or an alias leads to where it would have to ask. Then each part
//! of it, aliases and end, that nobody has checked before is checked: against the keys of the zone that signed it (`parts`), which are proved from a trust
//! anchor down (`descent`) and kept (`known`). What is missing for that, DNSKEY and DS RRsets, is looked up by walks
//! of its own on the same account; these are not checked themselves, for whoever waits for them does that. So nothing
//! waits for itself, and the stack does not grow with the depth of the tree.
//!
//! What cannot be believed is asked for once more, of other servers and not of memory; then the walk has failed.

mod descent;
mod known;
mod parts;

pub(super) use known::Known;

use std::net::SocketAddr;
use std::sync::Arc;

use smallvec::SmallVec;

use super::Surroundings;
use super::ask::Trouble;
use super::ledger::{Exhausted, Ledger};
use super::minimise::Shown;
use super::resolver::Resolver;
use super::trace::What;
use super::walk::{Ended, Part, Stage, Walk};
use crate::base::tally::Event;
use crate::base::{Instant, bounds};
use crate::chain::Denial;
use crate::dns::dnssec::{Bogus, Reason, Security};
use crate::dns::{Ede, Name, Question, RecordType};

/// The validation of a walk's end.
#[derive(Debug)]
pub struct Checking {
    /// The aliases' RRsets.
    parts: Vec<Part>,
    /// What stands behind them; nothing yet where they lead on.
    ended: Option<Ended>,
    /// How many of them have been checked.
    done: usize,
    /// When they had the TTLs that they have here.
    since: Instant,
    /// The walk that is waited for.
    pending: Option<u32>,
    /// What such walks have found.
    found: Vec<LookedUp>,
    /// What is looked up anew, because what was known of it could not be believed.
    renewed: SmallVec<[(Name, RecordType); 2]>,
    /// What could not be believed although it had been looked up.
    disproved: SmallVec<[(Name, RecordType); 2]>,
    /// The servers who said that: others are asked where there are any.
    avoided: SmallVec<[SocketAddr; 2]>,
    /// Steps taken.
    steps: u32,
    /// Why an answer is insecure that could have been secure.
    remark: Option<Ede>,
}

/// What a look-up has found.
#[derive(Clone, Debug)]
struct LookedUp {
    name: Name,
    rtype: RecordType,
    word: Word,
    /// Who says so.
    heard: SmallVec<[SocketAddr; 2]>,
}

/// What is said of a name and type.
#[derive(Clone, Debug)]
enum Word {
    /// Its records.
    Set(Part),
    /// That there are none.
    Denied(Denial),
    /// That the name is an alias by this RRset.
    Alias(Part),
    /// Nothing.
    Failed(Trouble),
}

/// Why checking does not go on.
enum Stop {
    /// Something is being looked up.
    Wait,
    /// What was found cannot be believed.
    Bogus(Bogus),
    /// Nor can anything of its zone, until then.
    Broken(Bogus, Instant),
    /// What is needed for it could not be found.
    Failed(Trouble),
}

impl Checking {
    /// The walk that is waited for.
    pub(super) fn pending(&self) -> Option<u32> {
        self.pending
    }

    /// Keeps the first thing that is worth telling clients.
    fn remark(&mut self, ede: Option<Ede>) {
        self.remark = self.remark.take().or(ede);
    }

    /// What is left by now of a TTL.
    fn left(&self, ttl: u32, now: Instant) -> u32 {
        ttl.saturating_sub(u32::try_from(now.seconds().saturating_sub(self.since.seconds())).unwrap_or(u32::MAX))
    }

    fn step(&mut self) -> Result<(), Stop> {
        self.steps += 1;
        let has_more = self.steps <= bounds::CHECK_STEPS;
        if has_more { Ok(()) } else { Err(Stop::Failed(Trouble::Exhausted(Exhausted::Checks))) }
    }
}

impl From<Bogus> for Stop {
    fn from(bogus: Bogus) -> Self {
        if bogus.reason == Reason::Spent {
            Self::Failed(Trouble::Exhausted(Exhausted::Checks))
        } else {
            Self::Bogus(bogus)
        }
    }
}

impl Resolver {
    /// Whether something in the walk's end, or on the way to where it is, is still to be checked for those who wait for it.
    pub(super) fn must_check(&self, at: u32, ended: Option<&Ended>) -> bool {
        let Some(walk) = self.walks.get(at as usize) else { return false };
        if self.settings.validation.is_none() || walk.checking_disabled || matches!(walk.stage, Stage::Checking(_)) {
            return false;
        }
        let is_open = |part: &Part| part.security == Security::Unchecked;
        match ended {
            Some(Ended::Bogus(_) | Ended::Failed(Trouble::Exhausted(Exhausted::Time) | Trouble::Crowded)) => false,
            Some(Ended::Answer(part)) => is_open(part) || walk.chain.iter().any(is_open),
            Some(Ended::Denied(_, denial)) => denial.security == Security::Unchecked || walk.chain.iter().any(is_open),
            // An alias may lead, or have led, astray.
            None | Some(Ended::TooLong | Ended::Ours(_) | Ended::Failed(_)) => walk.chain.iter().any(is_open),
        }
    }

    pub(super) fn begin_checking(&mut self, at: u32, ended: Option<Ended>, around: &mut Surroundings<'_>) {
        let Some(walk) = self.walks.get_mut(at as usize) else { return };
        walk.stage = Stage::Checking(Box::new(Checking {
            parts: std::mem::take(&mut walk.chain),
            ended,
            done: 0,
            since: around.now,
            pending: None,
            found: Vec::new(),
            renewed: SmallVec::new(),
            disproved: SmallVec::new(),
            avoided: SmallVec::new(),
            steps: walk.check_steps,
            remark: walk.remark.take(),
        }));
        self.check(at, around);
    }

    /// Goes on with checking until it waits for something or is over.
    pub(super) fn check(&mut self, at: u32, around: &mut Surroundings<'_>) {
        let Some(walk) = self.walks.get_mut(at as usize) else { return };
        if !matches!(&walk.stage, Stage::Checking(checking) if checking.pending.is_none()) {
            return;
        }
        let Stage::Checking(mut checking) = std::mem::replace(&mut walk.stage, Stage::Moving) else { return };
        let ledger = Arc::clone(&walk.ledger);
        let before = ledger.checks();
        let outcome = self.check_parts(at, &mut checking, &ledger, around);
        let after = ledger.checks();
        around.tally.add(Event::SignaturesChecked, after.0.saturating_sub(before.0).into());
        around.tally.add(Event::BlocksHashed, after.1.saturating_sub(before.1).into());
        let Some(walk) = self.walks.get_mut(at as usize) else { return };
        match outcome {
            Ok(()) => {
                walk.chain = checking.parts;
                walk.remark = checking.remark;
                walk.check_steps = checking.steps;
                let Some(ended) = checking.ended else { return self.moving.push_back(at) };
                if !matches!(ended, Ended::Failed(_)) {
                    count(&walk.chain, &ended, around);
                }
                self.conclude(at, ended, around);
            }
            Err(Stop::Wait) => walk.stage = Stage::Checking(checking),
            Err(Stop::Failed(trouble)) => {
                if trouble == Trouble::Exhausted(Exhausted::Checks) {
                    around.tally.count(Event::BoundChecks);
                }
                self.conclude(at, Ended::Failed(trouble), around);
            }
            Err(Stop::Bogus(bogus)) => {
                if !self.begin_anew(at, &ledger, &bogus, around) {
                    self.refuse(at, bogus, around);
                }
            }
            Err(Stop::Broken(bogus, until)) => {
                walk.bogus_until = Some(until);
                self.refuse(at, bogus, around);
            }
        }
    }

    /// Checks the aliases in order, and then what stands behind them.
    fn check_parts(
        &mut self,
        at: u32,
        checking: &mut Checking,
        ledger: &Arc<Ledger>,
        around: &mut Surroundings<'_>,
    ) -> Result<(), Stop> {
        let mut above = (Security::Secure, u32::MAX);
        while let Some(part) = checking.parts.get(checking.done).cloned() {
            let part = self.check_part(at, checking, part, above, ledger, around)?;
            above = (part.security, part.aged.ttl);
            if let Some(place) = checking.parts.get_mut(checking.done) {
                *place = part;
            }
            checking.done += 1;
        }
        if let Some(dname) = checking.parts.last() {
            above = (dname.security, dname.aged.ttl);
        }
        match checking.ended.clone() {
            Some(Ended::Answer(part)) => {
                checking.ended = Some(Ended::Answer(self.check_part(at, checking, part, above, ledger, around)?));
            }
            Some(Ended::Denied(name, denial)) if denial.security == Security::Unchecked => {
                let denial = self.check_denial(at, checking, &name, denial, ledger, around)?;
                checking.ended = Some(Ended::Denied(name, denial));
            }
            _ => {}
        }
        Ok(())
    }

    /// What upstreams say is bogus. Begins the walk anew, where that may help: without what memory holds, for whoever
    /// sets CD puts there what they like; and of servers that were not heard.
    fn begin_anew(&mut self, at: u32, ledger: &Ledger, bogus: &Bogus, around: &mut Surroundings<'_>) -> bool {
        let Some(walk) = self.walks.get_mut(at as usize) else { return false };
        let is_by_memory = walk.heard.is_empty() && walk.trusts_memory;
        if !is_by_memory {
            if walk.heard.is_empty() || walk.retries >= bounds::BOGUS_RETRIES {
                return false;
            }
            walk.retries += 1;
        }
        if !ledger.has_plenty(around.now) {
            return false;
        }
        self.trace.note(around.now, || What::Check {
            name: walk.question.name.clone(),
            rtype: walk.question.rtype,
            verdict: format!("{bogus}: asked anew"),
        });
        walk.doubt.get_or_insert_with(|| bogus.ede.clone());
        walk.trusts_memory = false;
        let heard = std::mem::take(&mut walk.heard);
        walk.avoided.extend(heard);
        walk.name = walk.question.name.clone();
        walk.shown = Shown::default();
        (walk.referrals, walk.self_referrals, walk.has_gone_up) = (0, 0, false);
        (walk.stand, walk.stage) = (None, Stage::Moving);
        self.moving.push_back(at);
        true
    }

    fn refuse(&mut self, at: u32, bogus: Bogus, around: &mut Surroundings<'_>) {
        around.tally.count(event(bogus.reason));
        if let Some(walk) = self.walks.get(at as usize) {
            let (name, rtype) = (walk.question.name.clone(), walk.question.rtype);
            self.trace.note(around.now, || What::Check { name, rtype, verdict: format!("bogus: {bogus}") });
        }
        self.conclude(at, Ended::Bogus(bogus.ede), around);
    }

    /// A walk has ended; whether `at` waited for it to check something.
    pub(super) fn end_lookup(&mut self, at: u32, (child, looked_up): (u32, &Walk), ended: &Ended) -> bool {
        let Some(Walk { stage: Stage::Checking(checking), .. }) = self.walks.get_mut(at as usize) else { return false };
        if checking.pending != Some(child) {
            return true; // the address of a server that it did not have to wait for in the end
        }
        checking.pending = None;
        let word = match (looked_up.chain.first(), ended) {
            (Some(alias), _) => Word::Alias(alias.clone()),
            (None, Ended::Answer(part)) => Word::Set(part.clone()),
            (None, Ended::Denied(_, denial)) => Word::Denied(denial.clone()),
            (None, Ended::Failed(trouble)) => Word::Failed(*trouble),
            (None, Ended::TooLong | Ended::Ours(_) | Ended::Bogus(_)) => Word::Failed(Trouble::NoKeys),
        };
        let Question { name, rtype, .. } = looked_up.question.clone();
        checking.found.push(LookedUp { name, rtype, word, heard: looked_up.heard.clone() });
        self.moving.push_back(at);
        true
    }
}

fn count(chain: &[Part], ended: &Ended, around: &Surroundings<'_>) {
    let end = match ended {
        Ended::Answer(part) => part.security,
        Ended::Denied(_, denial) => denial.security,
        _ => Security::Secure,
    };
    let least = chain.iter().map(|part| part.security).chain([end]).min();
    around.tally.count(if least == Some(Security::Secure) { Event::ValidatedSecure } else { Event::ValidatedInsecure });
}

/// The counter of what is bogus for this reason.
const fn event(reason: Reason) -> Event {
    match reason {
        Reason::BadSignature => Event::BogusSignature,
        Reason::Expired | Reason::NotYetValid => Event::BogusTime,
        Reason::NoKey | Reason::NoZoneKey => Event::BogusKey,
        Reason::NoSignature => Event::BogusUnsigned,
        Reason::NoProof => Event::BogusProof,
        Reason::Spent => Event::BoundChecks,
    }
}
