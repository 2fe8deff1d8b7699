//! From a question along its aliases to an answer, as far as memory reaches.

use std::sync::Arc;

use super::Cache;
use super::entry::{Fact, Second};
use super::find::{Found, Meaning};
use crate::base::bounds;
use crate::chain::{Aged, Answer};
use crate::dns::dnssec::Security;
use crate::dns::{Ede, EdeCode, Name, Question, Rcode, RecordType, RrSet};

/// Where a walk ended.
pub(super) enum Walked {
    /// At an answer; all of its parts are fresh unless `stale` says otherwise.
    Answer {
        /// The answer, without the second until which it may be recalled.
        answer: Answer,
        /// The facts that it consists of.
        parts: Parts,
        /// The first stale part.
        stale: Option<StalePart>,
    },
    /// At a name of which nothing is known.
    Unknown(Name),
    /// At [`bounds::ALIASES_MAX`] aliases, with another to follow.
    Endless,
}

/// The facts of an answer.
pub(super) type Parts = Vec<Found>;

/// What is stale in an answer.
pub(super) struct StalePart {
    /// The first name of which something is stale.
    pub(super) name: Name,
    /// The last second in which any stale part was learned.
    pub(super) born: Second,
}

impl Cache {
    /// Follows `question` through memory; the answer is authentic where all of its parts are.
    pub(super) fn walk(&self, question: &Question, client: Wishes, now: Second) -> Walked {
        let mut answer = Answer { authentic: true, ..Answer::default() };
        let mut parts = Parts::new();
        let mut stale: Option<StalePart> = None;
        let mut name = question.name.clone();
        for _ in 0..=bounds::ALIASES_MAX {
            let Some(found) = self.find(&name, question.rtype, client.must_be_checked, now) else {
                return Walked::Unknown(name);
            };
            answer.authentic &= found.entry.security == Security::Secure;
            let ttl = found.remaining.unwrap_or_else(|| self.stale_ttl());
            if found.remaining.is_none() {
                let born = found.entry.born();
                let part = stale.get_or_insert_with(|| StalePart { name: name.clone(), born });
                part.born = part.born.max(born);
            }
            let next = add(&mut answer, &name, &found, ttl, client.dnssec);
            let is_stale = found.remaining.is_none();
            parts.push(found);
            match next {
                // A DNAME has made the CNAME that is asked for (RFC 6672 §3.1): it is the answer, not the way to one.
                Next::Target(target) if question.rtype != RecordType::CNAME => {
                    if self.defers(&target) {
                        return Walked::Unknown(target);
                    }
                    name = target;
                }
                Next::Target(_) | Next::End => {
                    if stale.is_some() {
                        answer.authentic = false; // the signatures may not hold any more
                        answer.ede = Some(stale_ede(answer.rcode, is_stale));
                    }
                    return Walked::Answer { answer, parts, stale };
                }
            }
        }
        Walked::Endless
    }

    /// The TTL that stale records carry, seconds (RFC 8767 §4).
    fn stale_ttl(&self) -> u32 {
        self.settings.stale.as_ref().map_or(0, |stale| u32::try_from(stale.ttl.as_secs()).unwrap_or(u32::MAX))
    }
}

/// What follows a fact in a walk.
enum Next {
    Target(Name),
    End,
}

/// Adds what `found` says of `name` to `answer`.
fn add(answer: &mut Answer, name: &Name, found: &Found, ttl: u32, wants_dnssec: bool) -> Next {
    match (&found.entry.fact, found.meaning) {
        (Fact::RrSet { set, proofs, .. }, Meaning::Records) => {
            answer.answer.push(Aged { set: Arc::clone(set), ttl });
            add_proofs(answer, proofs, ttl, wants_dnssec);
            Next::End
        }
        (Fact::RrSet { set, proofs, .. }, Meaning::Alias) => {
            answer.answer.push(Aged { set: Arc::clone(set), ttl });
            add_proofs(answer, proofs, ttl, wants_dnssec);
            set.target().map_or(Next::End, Next::Target)
        }
        (Fact::RrSet { set, .. }, _) => redirect(answer, name, set, ttl),
        (Fact::Denial { is_nxdomain, soa, proofs }, _) => {
            // RFC 6604 §3: the code is that of the last name, however long the way to it.
            answer.rcode = if *is_nxdomain { Rcode::NXDOMAIN } else { Rcode::NOERROR };
            answer.authority.push(Aged { set: Arc::clone(soa), ttl });
            if wants_dnssec {
                answer.authority.extend(proofs.iter().map(|proof| Aged { set: Arc::clone(proof), ttl }));
            }
            Next::End
        }
        (Fact::Delegation(_) | Fact::Failure(_), _) => Next::End,
    }
}

/// What a client is to be shown of what is known.
#[derive(Clone, Copy)]
pub(super) struct Wishes {
    /// The records of DNSSEC, too.
    pub(super) dnssec: bool,
    /// Only what has been checked.
    pub(super) must_be_checked: bool,
}

/// Adds what proves that nothing stands before a wildcard (RFC 4035 §3.1.3.3), which lives as long as what the wildcard made.
fn add_proofs(answer: &mut Answer, proofs: &[Arc<RrSet>], ttl: u32, wants_dnssec: bool) {
    if wants_dnssec {
        answer.authority.extend(proofs.iter().map(|proof| Aged { set: Arc::clone(proof), ttl }));
    }
}

/// A DNAME and the CNAME that follows from it, with the DNAME's TTL (RFC 6672 §3.1).
fn redirect(answer: &mut Answer, name: &Name, dname: &Arc<RrSet>, ttl: u32) -> Next {
    answer.answer.push(Aged { set: Arc::clone(dname), ttl });
    let target = dname.target().and_then(|target| name.with_ending(&dname.owner, &target));
    if let Some(Ok(target)) = target {
        let cname = RrSet::new(name.clone(), RecordType::CNAME, ttl, [target.wire()]);
        answer.answer.push(Aged { set: Arc::new(cname), ttl });
        Next::Target(target)
    } else {
        answer.rcode = Rcode::YXDOMAIN; // RFC 6672 §2.2: the new name would be too long
        Next::End
    }
}

fn stale_ede(rcode: Rcode, end_is_stale: bool) -> Ede {
    if rcode == Rcode::NXDOMAIN && end_is_stale {
        Ede::new(EdeCode::StaleNxDomain, "")
    } else {
        Ede::new(EdeCode::StaleAnswer, "")
    }
}
