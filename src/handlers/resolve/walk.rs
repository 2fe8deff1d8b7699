//! A walk: one question pursued from zone cut to zone cut and along aliases.
//!
//! This file holds what a walk knows; [`super::resolver`] moves it on.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use smallvec::SmallVec;

use super::ExchangeId;
use super::ask::Trouble;
use super::checking::Checking;
use super::ledger::Ledger;
use super::minimise::Shown;
use crate::base::{Instant, bounds};
use crate::chain::{Aged, Delegation, Denial, Proofs, Rank, Remembered};
use crate::dns::dnssec::Security;
use crate::dns::{Ede, Name, Question, RecordType};

/// Whose servers are asked.
#[derive(Clone, Debug)]
pub enum Cut {
    /// A zone cut that a parent told of.
    Delegated(Arc<Delegation>),
    /// A zone whose servers the operator named.
    Fixed(Name, Arc<[SocketAddr]>),
}

impl Cut {
    /// The zone's apex.
    #[must_use]
    pub fn zone(&self) -> &Name {
        match self {
            Self::Delegated(delegation) => &delegation.zone,
            Self::Fixed(zone, _) => zone,
        }
    }
}

/// What a walk is waiting for.
#[derive(Debug)]
pub enum Stage {
    /// Nothing: it is about to move.
    Moving,
    /// A zone's servers have been asked for the name, or for an ancestor of it.
    Asking(Asking),
    /// The zone has no server with a known address: some are being looked up.
    Fetching(Fetching),
    /// A forward zone's upstreams have been asked.
    Forwarding(Forwarding),
    /// The end is known, and is being validated: a key, or what its parent says of it, is being looked up.
    Checking(Box<Checking>),
}

/// See [`Stage::Asking`].
#[derive(Debug)]
pub struct Asking {
    /// Which ask.
    pub ask: u32,
    /// The name asked: the whole name, or fewer of its labels.
    pub name: Name,
}

/// See [`Stage::Fetching`].
#[derive(Debug)]
pub struct Fetching {
    /// The walks that look for addresses.
    pub pending: SmallVec<[u32; 2]>,
}

/// See [`Stage::Forwarding`].
#[derive(Debug)]
pub struct Forwarding {
    /// The forward zone: nothing outside it is believed.
    pub zone: Name,
    /// What the response comes under.
    pub exchange: ExchangeId,
    /// When the question was handed on.
    pub since: Instant,
}

/// What a walk remembers of the zone cut that it stands at.
#[derive(Debug)]
pub struct Stand {
    /// The cut.
    pub cut: Cut,
    /// Labels known to exist: those of the cut, or of an empty non-terminal below it.
    pub known_labels: usize,
    /// Servers that have been asked in vain.
    pub tried: SmallVec<[SocketAddr; 8]>,
    /// Name servers whose addresses were looked up, and the types that were asked.
    pub fetched: SmallVec<[(Name, RecordType); 4]>,
    /// Addresses found by such lookups: their TTL may be too short for the cache.
    pub addresses: SmallVec<[IpAddr; 4]>,
    /// Zones whose servers were silent to such lookups: further names in them need not be tried.
    pub silent: SmallVec<[Name; 1]>,
}

impl Stand {
    /// Before any server of `cut` has been asked.
    #[must_use]
    pub fn new(cut: Cut) -> Self {
        let known_labels = cut.zone().label_count();
        Self {
            cut,
            known_labels,
            tried: SmallVec::new(),
            fetched: SmallVec::new(),
            addresses: SmallVec::new(),
            silent: SmallVec::new(),
        }
    }
}

/// One RRset of an answer.
#[derive(Clone, Debug)]
pub struct Part {
    /// The records, and the seconds that they have left.
    pub aged: Aged,
    /// How far they are to be believed.
    pub rank: Rank,
    /// What validation has found of them.
    pub security: Security,
    /// Where a wildcard makes them up: what proves that nothing closer is there.
    pub proofs: Proofs,
    /// A CNAME that the DNAME before it makes: what holds of that one holds of it.
    pub is_synthesised: bool,
}

impl Part {
    /// Records of which nothing has been checked.
    #[must_use]
    pub fn unchecked(aged: Aged, rank: Rank, proofs: Proofs) -> Self {
        Self { aged, rank, security: Security::Unchecked, proofs, is_synthesised: false }
    }

    /// A CNAME that a DNAME makes.
    #[must_use]
    pub fn synthesised(aged: Aged) -> Self {
        let proofs = Proofs::default();
        Self { aged, rank: Rank::Answer, security: Security::Unchecked, proofs, is_synthesised: true }
    }
}

impl From<Remembered> for Part {
    fn from(found: Remembered) -> Self {
        let Remembered { set, ttl, rank, security, proofs } = found;
        Self { aged: Aged { set, ttl }, rank, security, proofs, is_synthesised: false }
    }
}

/// How a walk ended.
#[derive(Clone, Debug)]
pub enum Ended {
    /// With the RRset asked for.
    Answer(Part),
    /// The name, or the type at the name, is not there.
    Denied(Name, Denial),
    /// A DNAME makes too long a name.
    TooLong,
    /// An alias led to this name, which one of our own zones answers for.
    Ours(Name),
    /// Without an answer.
    Failed(Trouble),
    /// With an answer that cannot be believed.
    Bogus(Ede),
}

/// A question under way.
#[derive(Debug)]
pub struct Walk {
    /// Its number, never used again.
    pub serial: u64,
    /// The question as it was begun; letters small.
    pub question: Question,
    /// CD.
    pub checking_disabled: bool,
    /// Whether the cache's word counts: not where it is to be renewed.
    pub trusts_memory: bool,
    /// Whether a stale answer is at hand for those who wait.
    pub has_reserve: bool,
    /// When the last client joined who did not begin it.
    pub joined: Option<Instant>,
    /// Whether somebody outside waits for the resolution.
    pub is_goal: bool,
    /// Where aliases led so far.
    pub name: Name,
    /// The aliases' RRsets in order.
    pub chain: Vec<Part>,
    /// What the client query may still cost.
    pub ledger: Arc<Ledger>,
    /// Sub-query of how many.
    pub depth: u8,
    /// Referrals followed.
    pub referrals: u8,
    /// Of these, how many a server gave to itself.
    pub self_referrals: u8,
    /// The parent was asked anew for a zone cut whose servers did not help.
    pub has_gone_up: bool,
    /// How much of the name has been shown.
    pub shown: Shown,
    /// The cut at which the walk stands.
    pub stand: Option<Stand>,
    /// What it waits for.
    pub stage: Stage,
    /// The walks that wait for its end.
    pub parents: SmallVec<[u32; 2]>,
    /// What went wrong last.
    pub trouble: Trouble,
    /// The servers whose word was taken.
    pub heard: SmallVec<[SocketAddr; 2]>,
    /// Servers whose word was found bogus: others are asked where there are any.
    pub avoided: SmallVec<[SocketAddr; 2]>,
    /// How often it was begun anew because its end was bogus.
    pub retries: u8,
    /// Why the answer is insecure, where that is worth telling.
    pub remark: Option<Ede>,
    /// Steps that checking has taken.
    pub check_steps: u32,
    /// When its zone's keys are looked for again, where it is bogus by them.
    pub bogus_until: Option<Instant>,
    /// Why it was begun anew.
    pub doubt: Option<Ede>,
}

impl Walk {
    /// Notes whose word was taken.
    pub(super) fn note_heard(&mut self, server: Option<SocketAddr>) {
        let server = server.filter(|server| !self.heard.contains(server) && self.heard.len() < bounds::SERVERS_HEARD);
        self.heard.extend(server);
    }
}
