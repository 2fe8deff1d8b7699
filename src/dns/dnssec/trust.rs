//! From what a parent, or a trust anchor, says of a zone's keys to the keys themselves (RFC 4035 §5.2).

use super::verify::{bogus, verify_with};
use super::{Bogus, Budget, DigestType, Ds, PublicKey, Reason, Verified, ZoneKeys};
use crate::base::bounds;
use crate::dns::{Ede, EdeCode, RecordType, RrSet};

/// A zone's keys, and what is known of the DNSKEY RRset they came in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trusted {
    /// The keys.
    pub keys: ZoneKeys,
    /// For how long they are to be believed.
    pub verified: Verified,
}

/// Why a zone has no keys that are trusted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Untrusted {
    /// None of the DS records has an algorithm and a digest that are known: the zone counts as unsigned
    /// (RFC 4035 §5.2), and a client may be told why.
    Unsupported(Ede),
    /// The keys are not those that the DS records speak of.
    Bogus(Bogus),
}

impl From<Bogus> for Untrusted {
    fn from(bogus: Bogus) -> Self {
        Self::Bogus(bogus)
    }
}

/// Whether a zone with these DS records counts as unsigned, since none of them can be used; with the reason for clients.
/// So much can be said without its keys. No DS at all is no reason: that there is none has to be proven.
#[must_use]
pub fn unsupported(ds: &[Ds]) -> Option<Ede> {
    if ds.is_empty() || ds.iter().any(Ds::is_supported) {
        return None;
    }
    Some(if ds.iter().any(|ds| ds.algorithm.is_supported()) {
        Ede::new(EdeCode::UnsupportedDigest, "no DS has a digest that is known")
    } else {
        Ede::new(EdeCode::UnsupportedAlgorithm, "no DS has an algorithm that is known")
    })
}

/// The keys in `dnskeys` if one that `ds` speaks of signed them all, at `wall` seconds since 1970. The DS records must be
/// trusted already; at most [`bounds::DS_PER_ZONE`] of them are looked at.
///
/// # Errors
/// [`Untrusted`]; an empty `ds` is bogus.
pub fn trusted_keys(dnskeys: &RrSet, ds: &[Ds], wall: u32, budget: &mut Budget) -> Result<Trusted, Untrusted> {
    if let Some(ede) = unsupported(ds) {
        return Err(Untrusted::Unsupported(ede));
    }
    if dnskeys.rtype != RecordType::DNSKEY {
        return Err(bogus(Reason::NoKey, dnskeys, "is no key").into());
    }
    let keys: Vec<PublicKey> = dnskeys.rdatas.iter().filter_map(|rdata| PublicKey::parse(rdata).ok()).collect();
    if !keys.iter().any(PublicKey::is_zone_key) {
        return Err(bogus(Reason::NoZoneKey, dnskeys, "has no key with the zone bit").into());
    }
    let entries = entries(dnskeys, &keys, ds);
    if entries.is_empty() {
        return Err(bogus(Reason::NoKey, dnskeys, "has no key that its DS speaks of").into());
    }
    let verified = verify_with(dnskeys, &dnskeys.owner, &entries, wall, budget)?;
    Ok(Trusted { keys: ZoneKeys::of(dnskeys.owner.clone(), keys), verified })
}

/// The keys that DS records speak of.
fn entries(dnskeys: &RrSet, keys: &[PublicKey], ds: &[Ds]) -> Vec<PublicKey> {
    let supported = || ds.iter().filter(|ds| ds.is_supported());
    // RFC 4509 §3: who can forge the weak digest must not be helped by it.
    let is_better = |ds: &Ds| ds.digest_type != DigestType::SHA1;
    let has_better = supported().any(is_better);
    let mut found: Vec<PublicKey> = Vec::new();
    for ds in supported().filter(|ds| !has_better || is_better(ds)).take(bounds::DS_PER_ZONE) {
        let is_meant = |key: &&PublicKey| key.is_eligible() && key.tag() == ds.tag && key.algorithm() == ds.algorithm;
        for key in keys.iter().filter(is_meant).take(bounds::KEYS_PER_TAG) {
            if !found.contains(key) && ds.fits(&dnskeys.owner, key) {
                found.push(key.clone());
            }
        }
    }
    found
}

/// Whether `key`, which is one of `dnskeys`, revokes itself: it has the REVOKE bit and signed the set (RFC 5011 §2.1).
///
/// # Errors
/// [`Bogus`]: it does not, or the check cannot be made.
pub fn is_revoked_by_itself(
    dnskeys: &RrSet,
    key: &PublicKey,
    wall: u32,
    budget: &mut Budget,
) -> Result<Verified, Bogus> {
    let is_there = dnskeys.rtype == RecordType::DNSKEY && dnskeys.rdatas.iter().any(|rdata| rdata == key.rdata());
    if !is_there || !key.is_revoked() || !key.is_zone_key() {
        return Err(bogus(Reason::NoKey, dnskeys, "has no such revoked key"));
    }
    verify_with(dnskeys, &dnskeys.owner, std::slice::from_ref(key), wall, budget)
}
