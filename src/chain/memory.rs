//! The cache as the iterator sees it: facts with their rank, and what can be learned from a response.
//!
//! Delegations and their glue are facts of their own kind: they lead to servers and never answer a client
//! (RFC 2181 §5.4.1), and they live no longer than the parent said.

use std::net::IpAddr;
use std::sync::Arc;

use crate::base::Instant;
use crate::dns::dnssec::Security;
use crate::dns::{Ede, Name, RecordType, RrSet};

/// How far a fact is to be believed; a later one wins (RFC 2181 §5.4.1). Glue has no rank: it stays in its
/// [`Delegation`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Rank {
    /// From the additional section of an answer, or from an answer without AA.
    Additional,
    /// From the authority section of an authoritative answer.
    Authority,
    /// From the answer section of an authoritative answer, or from a forwarder that we were told to trust.
    Answer,
}

/// A positive fact that was found in memory.
#[derive(Clone, Debug)]
pub struct Remembered {
    /// The records.
    pub set: Arc<RrSet>,
    /// Seconds left; 0 only where the fact is stale.
    pub ttl: u32,
    /// How far it is to be believed.
    pub rank: Rank,
    /// What validation has found of it.
    pub security: Security,
    /// Of an answer that a wildcard makes up: the RRsets that prove that nothing closer is there.
    pub proofs: Proofs,
}

/// NSEC or NSEC3 RRsets, shared by all facts that they came along with.
pub type Proofs = Arc<[Arc<RrSet>]>;

/// What validation has found of a fact, and for how long the signatures let it be kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checked {
    /// [`Security::Secure`] or [`Security::Insecure`].
    pub security: Security,
    /// Seconds left of it at most.
    pub ttl: u32,
    /// Where the signature that holds is a wildcard's, the name below which that stands.
    pub encloser: Option<Name>,
}

/// A negative fact: the name, or the type at the name, is not there (RFC 2308).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Denial {
    /// NXDOMAIN rather than NODATA.
    pub is_nxdomain: bool,
    /// The zone's SOA; without one the fact is used once and not kept (RFC 2308 §5).
    pub soa: Option<Arc<RrSet>>,
    /// The NSEC or NSEC3 RRsets that prove it, for clients that want DNSSEC records.
    pub proofs: Vec<Arc<RrSet>>,
    /// Seconds left.
    pub ttl: u32,
    /// What validation has found of it.
    pub security: Security,
}

/// A name server of a delegation, and what the parent said of its addresses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NameServer {
    /// The server's name.
    pub name: Name,
    /// Its glue; empty where the parent gave none.
    pub glue: Vec<IpAddr>,
}

/// A zone cut: who serves the zone, as its parent says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delegation {
    /// The zone's apex.
    pub zone: Name,
    /// Its servers, at most [`crate::base::bounds::NAME_SERVERS_MAX`].
    pub servers: Vec<NameServer>,
    /// Seconds for which the parent lets this be believed.
    pub ttl: u32,
}

/// What a response taught.
#[derive(Clone, Debug)]
pub enum Learned {
    /// An RRset.
    RrSet {
        /// The records.
        set: Arc<RrSet>,
        /// How far they are to be believed.
        rank: Rank,
        /// Of an answer that a wildcard makes up: the RRsets that prove that nothing closer is there.
        proofs: Proofs,
        /// What validation has found, once it has been asked.
        checked: Option<Checked>,
    },
    /// That something is not there; `rtype` counts only where it is no NXDOMAIN.
    Denial {
        /// The name.
        name: Name,
        /// The type asked.
        rtype: RecordType,
        /// The fact.
        denial: Denial,
    },
    /// A zone cut.
    Delegation(Arc<Delegation>),
    /// That a question could not be answered (RFC 9520).
    Failure {
        /// The name.
        name: Name,
        /// The type asked.
        rtype: RecordType,
        /// Why.
        ede: Ede,
        /// Whether validation would not have come before an answer: then it tells nothing to those who want it.
        unchecked: bool,
    },
    /// That what upstreams say to a question is bogus: clients that leave the checking to us are not told it.
    Bogus {
        /// The name.
        name: Name,
        /// The type asked.
        rtype: RecordType,
        /// Why.
        ede: Ede,
        /// For how long, seconds; a minute at most.
        ttl: u32,
    },
}

impl Learned {
    /// An RRset of which nothing has been checked.
    #[must_use]
    pub fn unchecked(set: Arc<RrSet>, rank: Rank) -> Self {
        Self::RrSet { set, rank, proofs: Proofs::default(), checked: None }
    }
}

/// The cache, as the iterator may see it. All lookups find only what is fresh.
pub trait Memory: Send + Sync {
    /// The RRset of `owner` and `rtype`.
    fn rrset(&self, owner: &Name, rtype: RecordType, now: Instant) -> Option<Remembered>;

    /// Whether `name` is known not to exist, or not to have `rtype`.
    fn denial(&self, name: &Name, rtype: RecordType, now: Instant) -> Option<Denial>;

    /// The deepest known zone cut at `name` or above it, and the seconds it has left. `at_most` labels deep.
    fn delegation(&self, name: &Name, now: Instant) -> Option<Arc<Delegation>>;

    /// Why what upstreams say of `name` and `rtype` was found bogus a short while ago.
    fn bogus(&self, name: &Name, rtype: RecordType, now: Instant) -> Option<Ede>;

    /// Why `name` and `rtype` could not be answered a short while ago.
    fn failure(&self, name: &Name, rtype: RecordType, now: Instant) -> Option<Ede>;

    /// Keeps what a response taught, as its TTL and rank allow.
    fn learn(&self, learned: Learned, now: Instant);
}
