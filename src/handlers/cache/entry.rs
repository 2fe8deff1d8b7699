//! A fact with its age. Ages are whole seconds of the clock: a fact learned in second `s` with TTL `t` expires
//! at `s + t`, and what is left of it is that less the present second, so that an answer composed now and aged
//! later carries the same TTLs as the one composed then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use super::key::Key;
use crate::base::Instant;
use crate::chain::{Delegation, Rank};
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
#[derive(Debug)]
pub(super) enum Fact {
    /// An RRset.
    RrSet { set: Arc<RrSet>, rank: Rank },
    /// A name or a type is not there.
    Denial { is_nxdomain: bool, soa: Arc<RrSet>, proofs: Box<[Arc<RrSet>]> },
    /// A zone cut.
    Delegation(Arc<Delegation>),
    /// A question could not be answered.
    Failure(Box<Ede>),
}

/// A fact, until when it holds, and how it was used since it was learned.
#[derive(Debug)]
pub(super) struct Entry {
    /// The first second in which the fact is no longer fresh.
    pub(super) expiry: Second,
    /// The TTL with which it was kept, seconds.
    pub(super) ttl: u32,
    hits: AtomicU8,
    is_prefetched: AtomicBool,
    /// What is known.
    pub(super) fact: Fact,
}

impl Entry {
    /// A fact learned in second `now` that holds for `ttl` seconds.
    pub(super) fn new(now: Second, ttl: u32, fact: Fact) -> Self {
        Self::until(now.saturating_add(Second::from(ttl)), ttl, fact)
    }

    /// A fact that holds until `expiry`, of `ttl` seconds in all.
    pub(super) fn until(expiry: Second, ttl: u32, fact: Fact) -> Self {
        Self { expiry, ttl, hits: AtomicU8::new(0), is_prefetched: AtomicBool::new(false), fact }
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

    /// Counts one use by a client and tells how many there were, this one included.
    pub(super) fn hit(&self) -> u8 {
        // Two workers may count one where they should count two; nobody is hurt.
        let hits = self.hits.load(Ordering::Relaxed).saturating_add(1);
        self.hits.store(hits, Ordering::Relaxed);
        hits
    }

    /// True for the first caller only: it is the one to prefetch.
    pub(super) fn claim_prefetch(&self) -> bool {
        !self.is_prefetched.swap(true, Ordering::Relaxed)
    }

    /// Octets of memory that the entry takes under `key`, the store's bookkeeping included.
    pub(super) fn size_bytes(&self, key: &Key) -> usize {
        let fact = match &self.fact {
            Fact::RrSet { set, .. } => shared_set_bytes(set),
            Fact::Denial { soa, proofs, .. } => {
                shared_set_bytes(soa) + allocated(size_of_val(&**proofs)) + sets_bytes(proofs)
            }
            Fact::Delegation(delegation) => delegation_bytes(delegation),
            Fact::Failure(ede) => allocated(size_of::<Ede>()) + allocated(ede.text.len()),
        };
        STORE_OVERHEAD + allocated(key.size_bytes()) + allocated(size_of::<Self>() + ARC) + fact
    }
}

/// What moka takes for an entry beside key and value (the shared key, its entry information, value, list nodes
/// with their lock, bucket, share of the hash table and of the frequency sketch: some 260 octets), and as much
/// again for the allocator's half-filled pages: entries are made by one worker and freed by another. Measured,
/// see `tests/cache_bound.rs`.
const STORE_OVERHEAD: usize = 560;
/// The two counters of an `Arc`.
const ARC: usize = 16;

/// What an allocator hands out for `size` octets.
const fn allocated(size: usize) -> usize {
    if size == 0 { 0 } else { size.next_multiple_of(16) }
}

fn shared_set_bytes(set: &RrSet) -> usize {
    let owner = set.owner.wire().len();
    let owner = if owner > 24 { allocated(owner) } else { 0 }; // a short name stands within the set
    allocated(size_of::<RrSet>() + ARC)
        + owner
        + allocated(set.rdatas.size_bytes())
        + allocated(set.signatures.size_bytes())
}

/// Octets of memory that `sets` take.
pub(super) fn sets_bytes(sets: &[Arc<RrSet>]) -> usize {
    sets.iter().map(|set| shared_set_bytes(set)).sum()
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
