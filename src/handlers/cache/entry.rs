//! A fact with its age. Ages are whole seconds of the clock: a fact learned in second `s` with TTL `t` expires
//! at `s + t`, and what is left of it is that less the present second, so that an answer composed now and aged
//! later carries the same TTLs as the one composed then.

use std::sync::Arc;

use super::key::Key;
use crate::base::Instant;
use crate::chain::{Delegation, Proofs, Rank};
use crate::dns::dnssec::Security;
use crate::dns::{Ede, RrSet};

/// A second of the clock. Signed: what a snapshot brings may have expired before the clock's origin.
pub(super) type Second = i64;

/// The present second.
pub(super) fn second(now: Instant) -> Second {
    span(now.seconds())
}

/// So many seconds, to reckon with.
pub(super) fn span(seconds: u64) -> Second {
    Second::try_from(seconds).unwrap_or(Second::MAX)
}

/// What is known.
#[derive(Clone, Debug)]
pub(super) enum Fact {
    /// An RRset, and where a wildcard made it up, what proves that nothing closer is there.
    RrSet { set: Arc<RrSet>, rank: Rank, proofs: Proofs },
    /// A name or a type is not there.
    Denial { is_nxdomain: bool, soa: Arc<RrSet>, proofs: Box<[Arc<RrSet>]> },
    /// A zone cut.
    Delegation(Arc<Delegation>),
    /// A question could not be answered.
    Failure(Arc<Ede>),
}

/// A fact, and until when it holds.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// The first second in which the fact is no longer fresh.
    pub(super) expiry: Second,
    /// The TTL with which it was kept, seconds.
    pub(super) ttl: u32,
    /// What is known.
    pub(super) fact: Fact,
    /// What validation has found of it.
    pub(super) security: Security,
}

impl Entry {
    /// A fact learned in second `now` that holds for `ttl` seconds.
    pub(super) fn new(now: Second, ttl: u32, fact: Fact) -> Self {
        Self::until(now.saturating_add(Second::from(ttl)), ttl, fact)
    }

    /// A fact that holds until `expiry`, of `ttl` seconds in all.
    pub(super) fn until(expiry: Second, ttl: u32, fact: Fact) -> Self {
        Self { expiry, ttl, fact, security: Security::Unchecked }
    }

    /// The same with what validation has found of it.
    pub(super) fn with_security(self, security: Security) -> Self {
        Self { security, ..self }
    }

    /// The second in which it was learned.
    pub(super) fn born(&self) -> Second {
        self.expiry.saturating_sub(Second::from(self.ttl))
    }

    /// Seconds left, never more than the TTL; none once it is not fresh.
    pub(super) fn remaining(&self, now: Second) -> Option<u32> {
        let left = self.expiry.saturating_sub(now);
        u32::try_from(left).ok().filter(|&left| left > 0).map(|left| left.min(self.ttl))
    }

    /// Whether clients may be given it. Only what came from the additional section or without AA may not
    /// (RFC 2181 §5.4.1); zone cuts and failures are no answers at all.
    pub(super) fn answers_clients(&self) -> bool {
        match &self.fact {
            Fact::RrSet { rank, .. } => *rank > Rank::Additional,
            Fact::Denial { .. } => true,
            Fact::Delegation(_) | Fact::Failure(_) => false,
        }
    }

    /// The RRset, if it is one.
    #[cfg(test)]
    pub(super) fn set(&self) -> Option<&Arc<RrSet>> {
        match &self.fact {
            Fact::RrSet { set, .. } => Some(set),
            _ => None,
        }
    }

    /// Octets of memory that the entry takes under `key` in moka, its bookkeeping included.
    pub(super) fn size_bytes(&self, key: &Key) -> usize {
        let fact = match &self.fact {
            Fact::RrSet { .. } | Fact::Denial { .. } => 0, // these lie in the log
            Fact::Delegation(delegation) => delegation_bytes(delegation),
            Fact::Failure(ede) => allocated(size_of::<Ede>() + ARC) + allocated(ede.text.len()),
        };
        MOKA_OVERHEAD + allocated(key.size_bytes()) + allocated(size_of::<Self>()) + fact
    }
}

/// What moka takes for an entry beside key and value (the shared key, its entry information, value, list nodes
/// with their lock, bucket, share of the hash table and of the frequency sketch: some 260 octets), and as much
/// again for the allocator's half-filled pages: entries are made by one worker and freed by another. Measured,
/// see `tests/cache_bound.rs`.
const MOKA_OVERHEAD: usize = 560;
/// The two counters of an `Arc`.
const ARC: usize = 16;

/// What an allocator hands out for `size` octets.
const fn allocated(size: usize) -> usize {
    if size == 0 { 0 } else { size.next_multiple_of(16) }
}

/// Octets that `sets` take.
pub(super) fn sets_bytes(sets: &[Arc<RrSet>]) -> usize {
    sets.iter().map(|set| set.size_bytes()).sum()
}

/// Octets of memory that `delegation` takes.
pub(super) fn delegation_bytes(delegation: &Delegation) -> usize {
    let servers: usize = delegation
        .servers
        .iter()
        .map(|server| allocated(server.name.wire().len()) + allocated(size_of_val(server.glue.as_slice())))
        .sum();
    allocated(size_of::<Delegation>() + ARC)
        + allocated(delegation.zone.wire().len())
        + allocated(size_of_val(delegation.servers.as_slice()))
        + servers
}
