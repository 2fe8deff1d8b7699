//! Outcomes as values: what a link has decided, before any byte of the response is written.

use std::sync::Arc;

use super::chooser::Chooser;
use super::query::Query;
use crate::dns::{Ede, EdeCode, Name, Question, Rcode, RrSet};

/// An RRset with the TTL that it has in this answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Aged {
    /// The records.
    pub set: Arc<RrSet>,
    /// Seconds left.
    pub ttl: u32,
}

/// A decided answer. [`crate::chain::seal()`] turns it into bytes; that is the only way out.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Answer {
    /// The response code.
    pub rcode: Rcode,
    /// AA.
    pub authoritative: bool,
    /// AD: found authentic by our own validation.
    pub authentic: bool,
    /// Answer section, aliases first.
    pub answer: Vec<Aged>,
    /// Authority section.
    pub authority: Vec<Aged>,
    /// Additional section: written as far as there is room.
    pub additional: Vec<Aged>,
    /// Why, where there is something to say.
    pub ede: Option<Ede>,
    /// Bits of the client subnet for which it holds (RFC 7871 §7.2.1); none where the option is not heeded.
    pub scope: Option<u8>,
    /// The second ([`crate::base::Instant::seconds`]) before which the same question may be answered with the
    /// same records, aged; none where every query must be decided anew.
    pub recallable_until: Option<u64>,
    /// Whether the TTLs stay as they are when it is recalled: our own zones' data do not grow old.
    pub is_ageless: bool,
    /// Who chose among the answers to the question, where several may be given and each may be recalled.
    pub chooser: Option<Arc<dyn Chooser>>,
    /// Whether addresses come in an order that was chosen, so that it must be kept.
    pub is_ordered: bool,
    /// The zone whose wildcard made up what is said of the question; none where the name itself is known.
    pub wildcard_zone: Option<Box<Name>>,
}

impl Answer {
    /// An answer without records.
    #[must_use]
    pub fn empty(rcode: Rcode) -> Self {
        Self { rcode, ..Self::default() }
    }

    /// What is said of aliases that lead in a ring, or on and on. That is an error (RFC 1034 §3.6.2), and one to who has
    /// recursion, wherever the aliases stand; who asks for what is here is told that.
    #[must_use]
    pub fn ending_nowhere(self, query: &Query) -> Self {
        if !query.has_recursion() {
            return self;
        }
        Self::refusal(Rcode::SERVFAIL, Ede::new(EdeCode::Other, "the aliases lead nowhere"))
    }

    /// An answer without records that says why.
    #[must_use]
    pub fn refusal(rcode: Rcode, ede: Ede) -> Self {
        Self { rcode, ede: Some(ede), ..Self::default() }
    }
}

/// What is to be found out from upstreams.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Goal {
    /// The question, in class IN.
    pub question: Question,
    /// CD: the client validates itself.
    pub checking_disabled: bool,
    /// For whom.
    pub purpose: Purpose,
    /// What our own zones have answered already: aliases that lead to the question. It goes in front.
    pub prefix: Vec<Aged>,
    /// The scope of that, as [`Answer::scope`] says it.
    pub scope: Option<u8>,
    /// An answer past its TTL, to be given if upstreams fail or are slow (RFC 8767).
    pub stale: Option<Answer>,
}

impl Goal {
    /// To go on at `target`, where the aliases of `answer` lead out of what the link that answers `query` knows: for those
    /// who may have recursion, and for nobody else.
    #[must_use]
    pub fn beyond(query: &Query, target: Name, answer: &mut Answer) -> Option<Self> {
        query.has_recursion().then(|| Self {
            question: Question::new(target, query.question.rtype),
            checking_disabled: query.flags.checking_disabled,
            purpose: Purpose::Client,
            prefix: std::mem::take(&mut answer.answer),
            scope: answer.scope,
            stale: None,
        })
    }
}

/// For whom a goal is pursued.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Purpose {
    /// A client waits.
    Client,
    /// Nobody waits: a popular name is about to expire.
    Prefetch,
    /// Nobody waits any more: stale data were given and should be renewed.
    Refresh,
}
