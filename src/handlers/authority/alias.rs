//! ALIAS: an apex that has the addresses of another name (as a CNAME there may not be, RFC 1034 §3.6.2).
//!
//! The record names a target. A [`Watch`] says when to ask for the target's addresses, ahead of their expiry, and
//! takes the responses; what it knows goes into an [`AliasTable`], out of which queries are answered without a wait.
//! Addresses outlive their TTL while the target's servers fail. Nothing here asks anybody.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::base::{Instant, bounds};
use crate::dns::{Message, Name, Question, Rcode, Rdatas, RecordType};

/// The types of addresses.
const TYPES: [RecordType; 2] = [RecordType::A, RecordType::AAAA];

/// The addresses of a target, of one type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Addresses {
    /// The RDATA; empty where the target has none of the type.
    pub rdatas: Rdatas,
    /// The least TTL on the way to them, seconds.
    pub ttl: u32,
}

/// What is known of targets. It is read by every query for an ALIAS and replaced as a whole.
#[derive(Debug, Default)]
pub struct AliasTable(ArcSwap<BTreeMap<(Name, RecordType), Addresses>>);

impl AliasTable {
    /// The addresses of `target`; none where nothing has been found out yet.
    #[must_use]
    pub fn addresses(&self, target: &Name, rtype: RecordType) -> Option<Addresses> {
        self.0.load().get(&(target.clone(), rtype)).cloned()
    }

    /// Puts what is known now in the place of what was, and tells whether it differs.
    pub fn put(&self, known: BTreeMap<(Name, RecordType), Addresses>) -> bool {
        let differs = **self.0.load() != known;
        if differs {
            self.0.store(Arc::new(known));
        }
        differs
    }
}

/// One target and type.
#[derive(Debug)]
struct Entry {
    known: Option<Addresses>,
    /// When `known` was learned.
    learned: Instant,
    /// When to ask next.
    due: Instant,
    /// Responses in a row that brought nothing.
    failures: u32,
    is_asked: bool,
}

/// When to ask for which target. The order of calls: [`Watch::follow`] whenever zones change, [`Watch::poll_question`]
/// until it has none, [`Watch::handle_response`] for each of its questions.
#[derive(Debug, Default)]
pub struct Watch {
    entries: BTreeMap<(Name, RecordType), Entry>,
}

impl Watch {
    /// Watches exactly these targets, up to [`bounds::ALIAS_TARGETS_MAX`].
    pub fn follow(&mut self, targets: &BTreeSet<Name>, now: Instant) {
        self.entries.retain(|(target, _), _| targets.contains(target));
        for target in targets.iter().take(bounds::ALIAS_TARGETS_MAX) {
            for rtype in TYPES {
                self.entries.entry((target.clone(), rtype)).or_insert(Entry {
                    known: None,
                    learned: now,
                    due: now,
                    failures: 0,
                    is_asked: false,
                });
            }
        }
    }

    /// The next question that is due.
    pub fn poll_question(&mut self, now: Instant) -> Option<Question> {
        let is_due = |(_, entry): &(&(Name, RecordType), &mut Entry)| !entry.is_asked && entry.due <= now;
        let ((target, rtype), entry) = self.entries.iter_mut().find(is_due)?;
        entry.is_asked = true;
        Some(Question::new(target.clone(), *rtype))
    }

    /// When the next question is due; none while nothing is watched or all is asked.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.entries.values().filter(|entry| !entry.is_asked).map(|entry| entry.due).min()
    }

    /// Takes the response to a question, or the news that there is none.
    pub fn handle_response(&mut self, question: &Question, response: Option<&Message>, now: Instant) {
        let Some(entry) = self.entries.get_mut(&(question.name.clone(), question.rtype)) else { return };
        entry.is_asked = false;
        let is_answer = |message: &&Message| matches!(message.rcode, Rcode::NOERROR | Rcode::NXDOMAIN);
        if let Some(message) = response.filter(is_answer) {
            let addresses = addresses(message, question.rtype);
            // Ahead of the expiry, so that the addresses given are always fresh ones.
            let wait = Duration::from_secs(u64::from(addresses.ttl - addresses.ttl / 10));
            entry.due = now + wait.max(bounds::ALIAS_REFRESH_MIN);
            (entry.known, entry.learned, entry.failures) = (Some(addresses), now, 0);
            return;
        }
        let wait = bounds::ALIAS_REFRESH_MIN * (1 << entry.failures.min(4));
        entry.failures += 1;
        entry.due = now + wait.min(bounds::ALIAS_RETRY_MAX);
    }

    /// What is known now. Past their TTL, addresses are kept for [`bounds::ALIAS_STALE_MAX`] and given with a TTL of
    /// 30 seconds, as RFC 8767 §4 recommends for stale data.
    #[must_use]
    pub fn known(&self, now: Instant) -> BTreeMap<(Name, RecordType), Addresses> {
        const STALE_TTL: u32 = 30;
        let given = |(key, entry): (&(Name, RecordType), &Entry)| {
            let mut known = entry.known.clone()?;
            let age = now.since(entry.learned);
            let ttl = Duration::from_secs(u64::from(known.ttl));
            if entry.failures > 0 && age > ttl {
                if age > ttl + bounds::ALIAS_STALE_MAX {
                    return None;
                }
                known.ttl = known.ttl.min(STALE_TTL);
            }
            Some((key.clone(), known))
        };
        self.entries.iter().filter_map(given).collect()
    }
}

/// The addresses in a response, and the least TTL of what led to them.
fn addresses(message: &Message, rtype: RecordType) -> Addresses {
    /// Where a negative answer says nothing of how long it may be kept.
    const NEGATIVE_TTL: u32 = 60;
    let rdatas: Rdatas = message
        .answer
        .iter()
        .filter(|record| record.rtype == rtype)
        .take(bounds::RECORDS_PER_RRSET)
        .map(|record| &record.rdata)
        .collect();
    let led = if rdatas.is_empty() { &message.authority } else { &message.answer };
    let ttl = led.iter().map(|record| record.ttl).min().unwrap_or(NEGATIVE_TTL);
    Addresses { rdatas, ttl }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::{Class, Record};

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_seconds(seconds)
    }

    fn response(ttls: [u32; 2]) -> Message {
        let record = |owner: &str, rtype, ttl, rdata: &[u8]| Record {
            owner: name(owner),
            rtype,
            class: Class::IN,
            ttl,
            rdata: rdata.into(),
        };
        let alias = record("target.test.", RecordType::CNAME, ttls[0], name("real.test.").wire());
        Message {
            answer: vec![alias, record("real.test.", RecordType::A, ttls[1], &[192, 0, 2, 1])],
            ..Message::default()
        }
    }

    fn asked(watch: &mut Watch, now: u64) -> Vec<Question> {
        std::iter::from_fn(|| watch.poll_question(at(now))).collect()
    }

    fn watch() -> (Watch, Question) {
        let mut watch = Watch::default();
        watch.follow(&[name("target.test.")].into(), at(0));
        let questions = asked(&mut watch, 0);
        assert_eq!(questions.iter().map(|one| one.rtype).collect::<Vec<_>>(), TYPES);
        let question = questions[0].clone();
        watch.handle_response(&questions[1], Some(&Message::default()), at(0));
        (watch, question)
    }

    #[test]
    fn addresses_are_asked_for_again_ahead_of_the_least_ttl() {
        let (mut watch, question) = watch();
        watch.handle_response(&question, Some(&response([300, 100])), at(0));
        let known = watch.known(at(0));
        assert_eq!(known[&(name("TARGET.test."), RecordType::A)].ttl, 100);
        assert_eq!(known[&(name("target.test."), RecordType::AAAA)], Addresses { rdatas: Rdatas::default(), ttl: 60 });
        assert_eq!(asked(&mut watch, 53), []);
        assert_eq!(asked(&mut watch, 54).len(), 1, "the negative answer");
        assert_eq!(asked(&mut watch, 90), [question]);
        assert_eq!(watch.poll_timeout(), None);
    }

    #[test]
    fn addresses_outlive_their_ttl_while_upstreams_fail() {
        let (mut watch, question) = watch();
        watch.handle_response(&question, Some(&response([300, 100])), at(0));
        let key = (name("target.test."), RecordType::A);
        let mut now = 0;
        let failure = Message { rcode: Rcode::SERVFAIL, ..Message::default() };
        while now < 3600 {
            now = watch.poll_timeout().unwrap().seconds().max(now + 1);
            for question in asked(&mut watch, now) {
                watch.handle_response(&question, Some(&failure), at(now));
            }
            assert_eq!(watch.known(at(now))[&key].ttl, if now > 100 { 30 } else { 100 });
        }
        assert!(!watch.known(at(100 + 2 * bounds::ALIAS_STALE_MAX.as_secs())).contains_key(&key));
        watch.handle_response(&question, Some(&response([300, 100])), at(now));
        assert_eq!(watch.known(at(now))[&key].ttl, 100);
    }

    #[test]
    fn a_target_that_is_no_longer_named_is_forgotten() {
        let (mut watch, question) = watch();
        watch.follow(&BTreeSet::new(), at(1));
        watch.handle_response(&question, Some(&response([300, 100])), at(1));
        assert!(watch.known(at(1)).is_empty());
    }
}
