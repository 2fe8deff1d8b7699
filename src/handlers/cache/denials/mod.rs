//! Answers made from proofs of other questions (RFC 8198): what a signed zone has proven not to be there once, it need
//! not be asked for again, by whatever name.
//!
//! Proofs that came along with secure facts lie here by their zone, in the zone's own order ([`chain`]). For a question
//! of which nothing else is known, those that speak of its name are picked out and given to the same judge who checks
//! what upstreams say ([`Proofs`]): what it does not find to be proven for certain is not said. So nothing is denied by a
//! proof of another zone, below a cut, or by one that opts out.

mod chain;
#[cfg(test)]
mod tests;

use std::sync::{Arc, PoisonError, RwLock};

use super::entry::{Fact, Second};
use crate::base::bounds;
use crate::base::collections::{Keyed, Map};
use crate::chain::Rank;
use crate::dns::dnssec::{Budget, Proofs, Proven, Signature, signer};
use crate::dns::{Name, RecordType, RrSet};
use chain::{Chain, Link};

/// What was made for a question, and the second until which it holds.
pub(super) type Made = (Fact, Second);

/// The proofs of all zones.
pub(super) struct Denials {
    held: RwLock<Held>,
    /// Octets that they may take.
    bytes_max: u64,
}

struct Held {
    chains: Map<Name, Chain>,
    bytes: u64,
    /// When it was last looked through for what has ended.
    swept: Second,
}

impl Denials {
    /// None yet; they may take so many octets.
    pub(super) fn new(bytes_max: u64, keyed: Keyed) -> Self {
        Self { held: RwLock::new(Held { chains: Map::with_hasher(keyed), bytes: 0, swept: Second::MIN }), bytes_max }
    }

    /// Keeps what proved a secure denial in the zone of `soa`, for `ttl` seconds at most.
    pub(super) fn learn(&self, soa: &Arc<RrSet>, proofs: &[Arc<RrSet>], ttl: u32, now: Second) {
        let zone = &soa.owner;
        self.keep(zone, ttl, now, |chain, until| {
            chain.put_soa(Link { set: Arc::clone(soa), until });
            put_proofs(chain, zone, proofs, |_| until);
        });
    }

    /// Keeps a secure answer that the wildcard below `encloser` made up `age` seconds ago, as what the wildcard has, and
    /// what proved that nothing stood closer: that mostly has a TTL of its own, which is shorter.
    pub(super) fn learn_made(
        &self,
        set: &Arc<RrSet>,
        encloser: Name,
        proofs: &[Arc<RrSet>],
        (age, ttl): (u32, u32),
        now: Second,
    ) {
        let Some(zone) = signer(set) else { return };
        let end = |proof: &RrSet| now.saturating_add(Second::from(own_ttl(proof).saturating_sub(age)));
        self.keep(&zone, ttl, now, |chain, until| {
            put_proofs(chain, &zone, proofs, |proof| until.min(end(proof)));
            chain.put_wildcard(encloser, Link { set: Arc::clone(set), until });
        });
    }

    fn keep(&self, zone: &Name, ttl: u32, now: Second, put: impl FnOnce(&mut Chain, Second)) {
        let ttl = ttl.min(bounds::PROOF_TTL_MAX.as_secs() as u32);
        if ttl == 0 {
            return;
        }
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        let Held { chains, bytes, swept } = &mut *held;
        // Within a second nothing more ends, and it takes long: all that is kept is looked at, and everybody waits.
        if *bytes >= self.bytes_max && *swept != now {
            *swept = now;
            chains.retain(|_, chain| {
                chain.forget_ended(now);
                !chain.is_empty()
            });
            *bytes = chains.values().map(Chain::bytes).sum();
        }
        let is_full = *bytes >= self.bytes_max;
        let chain = chains.entry(zone.lowered()).or_insert_with(|| Chain::new(zone.lowered()));
        let before = chain.bytes();
        if is_full {
            chain.make_room(); // whoever wants more gives way to itself
        }
        put(chain, now.saturating_add(Second::from(ttl)));
        *bytes = (*bytes).saturating_sub(before) + chain.bytes();
        if chain.bytes() == 0 || is_full && chain.bytes() > before {
            *bytes -= chain.bytes();
            chains.remove(zone);
        }
    }

    /// What is proven of `name` and `rtype`. `is_apart` says of a zone that it is not to speak of the name.
    pub(super) fn make(
        &self,
        name: &Name,
        rtype: RecordType,
        is_apart: impl Fn(&Name) -> bool,
        now: Second,
    ) -> Option<Made> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        if held.chains.is_empty() {
            return None;
        }
        // The deepest zone around the name speaks of it; of a zone's DS the one above does (RFC 4035 §2.4).
        let is_above = rtype == RecordType::DS && !name.is_root();
        let count = name.label_count() + 1;
        let chain =
            (0..count).skip(usize::from(is_above)).find_map(|up| held.chains.get(&name.suffix(count - 1 - up)))?;
        if is_apart(chain.zone()) {
            return None;
        }
        make(chain, name, rtype, now)
    }

    /// Forgets what the zones around `name` have proven, and with `subtree` all zones below it.
    pub(super) fn forget(&self, name: &Name, subtree: bool) {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        let Held { chains, bytes, .. } = &mut *held;
        chains.retain(|zone, _| !(name.is_within(zone) || subtree && zone.is_within(name)));
        *bytes = chains.values().map(Chain::bytes).sum();
    }

    /// Octets taken.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> u64 {
        self.held.read().unwrap_or_else(PoisonError::into_inner).bytes
    }
}

/// The TTL with which `proof` came, and no more than its zone has signed.
fn own_ttl(proof: &RrSet) -> u32 {
    let signatures = proof.signatures.iter().filter_map(|rdata| Signature::parse(rdata).ok());
    signatures.map(|signature| signature.original_ttl).fold(proof.ttl, u32::min)
}

/// Keeps those of `proofs` that `zone` signed. RFC 9077: they hold no longer than denials of the zone do.
fn put_proofs(chain: &mut Chain, zone: &Name, proofs: &[Arc<RrSet>], until: impl Fn(&RrSet) -> Second) {
    for proof in proofs {
        let until = until(proof);
        if signer(proof).as_ref() == Some(zone) && encloser_of(proof).is_none() {
            chain.put_proof(Link { set: Arc::clone(proof), until });
        }
    }
}

/// The name below which the wildcard stands that made up `set`; none where the set stands in its zone as it is.
fn encloser_of(set: &RrSet) -> Option<Name> {
    let signature = Signature::parse(set.signatures.iter().next()?).ok()?;
    let labels = usize::from(signature.labels);
    let own = set.owner.label_count() - usize::from(set.owner.is_wildcard());
    (labels < own).then(|| set.owner.suffix(labels))
}

fn make(chain: &Chain, name: &Name, rtype: RecordType, now: Second) -> Option<Made> {
    let picked = chain.pick(name, now)?;
    let sets = picked.links.iter().map(|link| &*link.set);
    let proofs = Proofs::of(chain.zone(), sets);
    let mut budget = Budget::default();
    let all = || picked.links.iter().map(|link| Arc::clone(&link.set));
    let until = picked.links.iter().map(|link| link.until).min()?;
    let denial = |is_nxdomain| {
        let soa = chain.soa(now)?;
        let fact = Fact::Denial { is_nxdomain, soa: Arc::clone(&soa.set), proofs: all().collect() };
        Some((fact, until.min(soa.until)))
    };
    if proofs.nxdomain(name, &mut budget).ok() == Some(Proven::Secure) {
        return denial(true);
    }
    if proofs.nodata(name, rtype, &mut budget).ok() == Some(Proven::Secure) {
        return denial(false);
    }
    let encloser = picked.encloser?;
    if proofs.no_closer_match(name, &encloser, &mut budget).ok() != Some(Proven::Secure) {
        return None;
    }
    let made = [rtype, RecordType::CNAME].into_iter().find_map(|rtype| chain.wildcard(&encloser, rtype, now))?;
    let set = RrSet { owner: name.clone(), ..RrSet::clone(&made.set) };
    let proofs = all().collect();
    Some((Fact::RrSet { set: Arc::new(set), rank: Rank::Answer, proofs }, until.min(made.until)))
}
