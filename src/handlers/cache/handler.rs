//! The cache as a link of the chain: answers what is fresh, says that what is stale is to be asked for, with the
//! stale answer in reserve, and lets all else pass to the links behind it.
//!
//! Only those who may have recursion are served from here: what others were told is nobody else's business. A
//! query with RD=0 gets what is fresh and makes nobody ask.

use super::Cache;
use super::entry::{Entry, Fact, Second, second};
use super::key::{Kind, probe, told};
use super::prefetch;
use super::stale::{self, Course};
use super::walk::{Parts, StalePart, Walked, Wishes};
use crate::base::bounds;
use crate::base::tally::Event;
use crate::chain::{Answer, Goal, Handler, Purpose, Query, Turn, Verdict};
use crate::dns::{Class, Ede, EdeCode, Name, Rcode, RecordType};

impl Handler for Cache {
    fn name(&self) -> &'static str {
        "cache"
    }

    fn handle(&self, query: &Query, turn: &mut Turn<'_>) -> Verdict {
        let question = &query.question;
        if question.class != Class::IN || !query.asker.may_recurse || !is_cacheable(question.rtype) {
            return Verdict::Pass;
        }
        if self.defers(&question.name) {
            return Verdict::Pass;
        }
        let now = second(turn.now);
        let must_be_checked = self.settings.validates && !query.flags.checking_disabled;
        match self.walk(question, Wishes { dnssec: query.wants_dnssec(), must_be_checked }, now) {
            Walked::Answer { answer, parts, stale: None } => self.answer_fresh(query, answer, &parts, turn, now),
            Walked::Answer { answer, stale: Some(part), .. } => self.answer_stale(query, answer, &part, turn, now),
            Walked::Unknown(name) => self.answer_unknown(query, &name, turn, now),
            Walked::Endless => {
                turn.tally.count(Event::BoundAliases);
                let text = format!("more than {} aliases", bounds::ALIASES_MAX);
                Verdict::Answer(Answer::refusal(Rcode::SERVFAIL, Ede::new(EdeCode::Other, text)))
            }
        }
    }
}

/// Types that are kept as RRsets: neither questions about the server or the message (ANY, AXFR …), nor RRSIG,
/// which is kept with what it covers.
fn is_cacheable(rtype: RecordType) -> bool {
    !rtype.is_meta() && rtype != RecordType::RRSIG
}

impl Cache {
    fn answer_fresh(
        &self,
        query: &Query,
        mut answer: Answer,
        parts: &Parts,
        turn: &mut Turn<'_>,
        now: Second,
    ) -> Verdict {
        turn.tally.count(Event::CacheHits);
        if parts.iter().any(|part| part.is_made) {
            turn.tally.count(Event::SynthesisedAnswers);
        }
        let mut is_due = false;
        for part in parts {
            let hits = self.store.hit(&part.key);
            let wanted = self.settings.prefetch.is_some_and(|prefetch| prefetch.is_due(&part.entry, hits, now));
            if wanted && query.flags.recursion_desired && self.store.claim_prefetch(&part.key) {
                is_due = true;
            }
        }
        if is_due {
            turn.aside = Some(goal(query, Purpose::Prefetch, None));
        }
        answer.recallable_until = parts
            .iter()
            .map(|part| prefetch::recallable_until(self.settings.prefetch, &part.entry))
            .min()
            // What follows from a DNAME has the letters of who asked.
            .filter(|&until| until > now && answer.answer.iter().all(|aged| aged.set.rtype != RecordType::DNAME))
            .and_then(|until| u64::try_from(until).ok());
        Verdict::Answer(answer)
    }

    fn answer_stale(
        &self,
        query: &Query,
        answer: Answer,
        part: &StalePart,
        turn: &mut Turn<'_>,
        now: Second,
    ) -> Verdict {
        if !query.flags.recursion_desired {
            return Verdict::Pass;
        }
        let course = self.settings.stale.as_ref().map_or(Course::Ask, |stale| {
            let failures = [&query.question.name, &part.name].map(|name| self.last_failure(name, query));
            let rests =
                |failure: &Option<Entry>| stale::course(stale, part.born, failure.as_ref(), now) == Course::Rest;
            if failures.iter().any(rests) { Course::Rest } else { Course::Ask }
        });
        match course {
            Course::Rest => {
                turn.tally.count(Event::StaleAnswers);
                Verdict::Answer(answer)
            }
            Course::Ask => Verdict::Resolve(goal(query, Purpose::Client, Some(answer))),
        }
    }

    fn answer_unknown(&self, query: &Query, name: &Name, turn: &mut Turn<'_>, now: Second) -> Verdict {
        if !query.flags.recursion_desired {
            return Verdict::Pass;
        }
        for name in [&query.question.name, name] {
            let Some(entry) = self.last_failure(name, query) else { continue };
            if let (Fact::Failure(ede), Some(_)) = (&entry.fact, entry.remaining(now)) {
                turn.tally.count(Event::FailureHits);
                let code = if ede.code.is_of_dnssec() { ede.code } else { EdeCode::CachedError };
                let mut answer = Answer::refusal(Rcode::SERVFAIL, Ede::new(code, ede.text.clone()));
                // Any answer about the name ends the failure, and nobody tells those who recall it.
                answer.recallable_until = u64::try_from(entry.expiry.min(now + 1)).ok();
                return Verdict::Answer(answer);
            }
        }
        Verdict::Pass // the links behind may know the name, and the last of them asks upstreams
    }

    /// The failure last remembered for `name` and the type that `query` asks for, fresh or not; that what upstreams say
    /// is bogus is one for those who leave the checking to us.
    fn last_failure(&self, name: &Name, query: &Query) -> Option<Entry> {
        let find = |kind| self.store.find(&probe(name.wire(), kind));
        let failure = find(Kind::Failure(query.question.rtype));
        if !self.settings.validates {
            return failure;
        }
        let other = if query.flags.checking_disabled {
            self.store.find(&told(probe(name.wire(), Kind::Failure(query.question.rtype))))
        } else {
            find(Kind::Bogus(query.question.rtype))
        };
        [failure, other].into_iter().flatten().max_by_key(|failure| failure.expiry)
    }
}

fn goal(query: &Query, purpose: Purpose, stale: Option<Answer>) -> Goal {
    let checking_disabled = query.flags.checking_disabled;
    Goal { question: query.question.clone(), checking_disabled, purpose, prefix: Vec::new(), scope: None, stale }
}
