//! Whether an RRset is what the holder of a zone's keys signed (RFC 4035 §5.3).

use smallvec::SmallVec;

use super::signature::Validity;
use super::{Bogus, Budget, PublicKey, Reason, Signature, ZoneKeys, canonical};
use crate::base::bounds;
use crate::dns::{Name, RecordType, RrSet};

/// What is known of a set whose signature holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verified {
    /// Seconds for which the signature still holds.
    pub expires_in: u32,
    /// The TTL in the zone, seconds; a higher one is not the zone's.
    pub original_ttl: u32,
    /// Where the set was made from a wildcard: the name below which the `*` stands, which is the closest encloser of the
    /// set's owner. That nothing closer is there remains to be proven ([`super::Proofs::no_closer_match`]).
    pub encloser: Option<Name>,
}

impl Verified {
    /// The longest TTL that the set may have (RFC 4035 §5.3.3).
    #[must_use]
    pub fn ttl_max(&self) -> u32 {
        self.original_ttl.min(self.expires_in)
    }
}

/// Checks `set` with the keys of the zone it comes from, at `wall` seconds since 1970. One signature that holds is enough
/// (RFC 6840 §5.11 with §5.4 of RFC 4035).
///
/// # Errors
/// [`Bogus`] with the reason of the signature that came nearest to holding.
pub fn verify_set(set: &RrSet, keys: &ZoneKeys, wall: u32, budget: &mut Budget) -> Result<Verified, Bogus> {
    // A zone's own word on what its parent says of it is worth nothing.
    if set.rtype == RecordType::DS && set.owner == *keys.zone() {
        return Err(bogus(Reason::NoSignature, set, "is not signed by the zone above"));
    }
    let verified = verify_with(set, keys.zone(), keys.keys(), wall, budget)?;
    // Nor does a wildcard make zone cuts (RFC 4592 §4.2).
    if set.rtype == RecordType::DS && verified.encloser.is_some() {
        return Err(bogus(Reason::BadSignature, set, "is made from a wildcard"));
    }
    Ok(verified)
}

/// Checks `set` of `zone` with any of `keys`, which the caller trusts for it.
pub(super) fn verify_with(
    set: &RrSet,
    zone: &Name,
    keys: &[PublicKey],
    wall: u32,
    budget: &mut Budget,
) -> Result<Verified, Bogus> {
    let mut nearest = Fault::Unsigned;
    let mut candidates: SmallVec<[Candidate<'_>; 4]> = SmallVec::new();
    for signature in set.signatures.iter().filter_map(|rdata| Signature::parse(rdata).ok()) {
        match candidate(set, zone, keys, wall, signature) {
            Ok(candidate) => candidates.push(candidate),
            Err(fault) => nearest = nearest.max(fault),
        }
    }
    candidates.sort_by_key(|candidate| candidate.signature.algorithm.weight());
    let rdatas = canonical::rdatas(set);
    let mut checks = 0;
    for Candidate { signature, keys, holds } in candidates {
        let signed = canonical::signed(set, &rdatas, &signature);
        for key in keys {
            if checks == bounds::SIGNATURES_PER_RRSET {
                return Err(Fault::Unfit.of(set));
            }
            checks += 1;
            budget.charge_check(signature.algorithm)?;
            if key.fits(&signed, signature.octets) {
                let labels = usize::from(signature.labels);
                let is_expanded = labels < canonical::labels(&set.owner);
                return Ok(Verified {
                    expires_in: holds,
                    original_ttl: signature.original_ttl,
                    encloser: is_expanded.then(|| set.owner.suffix(labels)),
                });
            }
            budget.note_failure(signature.algorithm);
            nearest = Fault::Unfit;
        }
    }
    Err(nearest.of(set))
}

/// A signature that only its key can still refute.
struct Candidate<'a> {
    signature: Signature<'a>,
    keys: SmallVec<[&'a PublicKey; bounds::KEYS_PER_TAG]>,
    /// Seconds for which it holds.
    holds: u32,
}

/// Why a signature does not hold; the greater, the nearer it came.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Fault {
    Unsigned,
    Stranger,
    Unknown,
    Labels,
    NoKey,
    Early,
    Late,
    Unfit,
}

impl Fault {
    fn of(self, set: &RrSet) -> Bogus {
        let (reason, text) = match self {
            Self::Unsigned => (Reason::NoSignature, "is not signed"),
            Self::Stranger => (Reason::NoSignature, "is not signed by its zone"),
            Self::Unknown => (Reason::NoSignature, "is not signed by an algorithm that is known"),
            Self::Labels => (Reason::BadSignature, "has a signature of another name"),
            Self::NoKey => (Reason::NoKey, "is signed by a key that the zone does not have"),
            Self::Early => (Reason::NotYetValid, "has a signature that is not valid yet"),
            Self::Late => (Reason::Expired, "has a signature that has expired"),
            Self::Unfit => (Reason::BadSignature, "has a signature that does not fit"),
        };
        bogus(reason, set, text)
    }
}

/// The failure of `set`.
pub(super) fn bogus(reason: Reason, set: &RrSet, text: &str) -> Bogus {
    Bogus::new(reason, format!("{} {} {text}", set.owner, set.rtype))
}

/// What RFC 4035 §5.3.1 asks of a signature before it is worth a check.
fn candidate<'a>(
    set: &RrSet,
    zone: &Name,
    keys: &'a [PublicKey],
    wall: u32,
    signature: Signature<'a>,
) -> Result<Candidate<'a>, Fault> {
    if signature.covered != set.rtype {
        return Err(Fault::Unsigned);
    }
    if signature.signer != *zone || !set.owner.is_within(zone) {
        return Err(Fault::Stranger);
    }
    if !signature.algorithm.is_supported() {
        return Err(Fault::Unknown);
    }
    // Fewer labels than the zone's apex would make a wildcard of another zone of it (CVE-2026-44690).
    if !(canonical::labels(zone)..=canonical::labels(&set.owner)).contains(&usize::from(signature.labels)) {
        return Err(Fault::Labels);
    }
    let is_meant = |key: &&PublicKey| key.tag() == signature.tag && key.algorithm() == signature.algorithm;
    let keys: SmallVec<_> = keys.iter().filter(is_meant).take(bounds::KEYS_PER_TAG).collect();
    if keys.is_empty() {
        return Err(Fault::NoKey);
    }
    match signature.validity(wall) {
        Validity::Holds(holds) => Ok(Candidate { signature, keys, holds }),
        Validity::Early => Err(Fault::Early),
        Validity::Late => Err(Fault::Late),
    }
}
