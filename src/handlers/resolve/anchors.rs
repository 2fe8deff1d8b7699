//! Where trust begins (RFC 4033 §3.1), and where it is not asked for (RFC 7646).
//!
//! An anchor is a DS RRset that is believed without being asked for: keys are kept as their digests, so that there is
//! one way from an anchor to a zone's keys, the same as from a parent's word. [`Trust`] is all that is believed at a
//! moment; [`Validation`] holds it for everybody and is told when it becomes another, while queries are under way.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::dns::dnssec::{Algorithm, DigestType, Ds, Malformed, PublicKey};
use crate::dns::{Name, RecordType, RrSet};
use arc_swap::{ArcSwap, Guard};

/// The root's keys as IANA publishes them: KSK-2017 and KSK-2024.
const ROOT: [(u16, &str); 2] = [
    (20_326, "E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D"),
    (38_696, "683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16"),
];
/// Zones whose keys are known without asking.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Anchors(BTreeMap<Name, RrSet>);

/// Why a record is no anchor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AnchorFault {
    /// Neither DS nor DNSKEY.
    Type(RecordType),
    /// Cut short, or not of the length that its digest has.
    Length,
    /// A DS record whose digest nobody can compute: the number of its type.
    Digest(u8),
    /// An algorithm that signatures cannot be checked by.
    Algorithm(Algorithm),
    /// A DNSKEY record that is no zone's key (RFC 4034 §2.1.1), revoked, or that no signature fits.
    NoZoneKey,
}

impl fmt::Display for AnchorFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type(rtype) => write!(f, "{rtype} is no anchor: DS and DNSKEY records are"),
            Self::Length => f.write_str("the record has not the length that it should have"),
            Self::Digest(number) => write!(f, "nobody knows the digest {number}: 2 (SHA-256) and 4 (SHA-384) are used"),
            Self::Algorithm(algorithm) => write!(f, "signatures of algorithm {algorithm} cannot be checked"),
            Self::NoZoneKey => f.write_str("the key signs no zone: its flags, its protocol or its form are wrong"),
        }
    }
}

impl Anchors {
    /// The root's, as they were known when the program was built.
    #[must_use]
    pub fn builtin() -> Self {
        let mut anchors = Self::default();
        for (tag, digest) in ROOT {
            let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
            let digest = digest.as_bytes().chunks(2).filter_map(octet).collect();
            let ds = Ds { tag, algorithm: Algorithm::RSA_SHA256, digest_type: DigestType::SHA256, digest };
            anchors.insert(Name::root(), ds.rdata());
        }
        anchors
    }

    /// Adds a DS or DNSKEY record of `zone`; one that is there already changes nothing.
    ///
    /// # Errors
    /// Why it is no anchor; nothing is added then.
    pub fn add(&mut self, zone: &Name, rtype: RecordType, rdata: &[u8]) -> Result<(), AnchorFault> {
        let ds = match rtype {
            RecordType::DS => {
                let ds = Ds::parse(rdata).map_err(|Malformed| AnchorFault::Length)?;
                let length = match ds.digest_type {
                    DigestType::SHA1 => 20,
                    DigestType::SHA256 => 32,
                    DigestType::SHA384 => 48,
                    other => return Err(AnchorFault::Digest(other.0)),
                };
                if ds.digest.len() != length {
                    return Err(AnchorFault::Length);
                }
                if !ds.algorithm.is_supported() {
                    return Err(AnchorFault::Algorithm(ds.algorithm));
                }
                rdata.to_vec()
            }
            RecordType::DNSKEY => {
                let key = PublicKey::parse(rdata).map_err(|Malformed| AnchorFault::Length)?;
                if !key.algorithm().is_supported() {
                    return Err(AnchorFault::Algorithm(key.algorithm()));
                }
                if !key.is_eligible() {
                    return Err(AnchorFault::NoZoneKey);
                }
                Ds::of(zone, &key, DigestType::SHA256).ok_or(AnchorFault::Length)?.rdata()
            }
            other => return Err(AnchorFault::Type(other)),
        };
        self.insert(zone.clone(), ds);
        Ok(())
    }

    fn insert(&mut self, zone: Name, ds: Vec<u8>) {
        let known = self.0.get(&zone).map(|set| set.rdatas.clone()).unwrap_or_default();
        if known.iter().all(|other| other != ds) {
            let all = known.iter().map(<[u8]>::to_vec).chain([ds]).collect::<Vec<_>>();
            self.0.insert(zone.clone(), RrSet::new(zone, RecordType::DS, 0, all));
        }
    }

    /// Trusts exactly these DS records for the zone that owns them; an empty set makes the zone no anchor.
    pub fn put(&mut self, ds: RrSet) {
        if ds.rdatas.is_empty() {
            self.0.remove(&ds.owner);
        } else {
            self.0.insert(ds.owner.clone(), ds);
        }
    }

    /// The DS records that are believed of `zone`, if it is an anchor.
    #[must_use]
    pub fn of(&self, zone: &Name) -> Option<&RrSet> {
        self.0.get(zone)
    }

    /// The deepest anchor at `name` or above it; without one nothing can be said of the name.
    #[must_use]
    pub fn above(&self, name: &Name) -> Option<&RrSet> {
        self.0.values().filter(|set| name.is_within(&set.owner)).max_by_key(|set| set.owner.wire().len())
    }

    /// All of them, by zone.
    pub fn iter(&self) -> impl Iterator<Item = &RrSet> {
        self.0.values()
    }

    /// Whether nothing is trusted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// All that is believed, and not asked about, at a moment.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Trust {
    /// Where trust begins.
    pub anchors: Anchors,
    /// The names at and below which nothing is validated, because the operator says so.
    pub negative: Vec<Name>,
    /// Another number after each change: what was concluded under another one has to be concluded again.
    pub generation: u64,
}

impl Trust {
    /// Whether the operator says that `name` is not to be validated. An anchor below the name that is excepted
    /// counts all the same (RFC 7646 §4).
    #[must_use]
    pub fn excepts(&self, name: &Name) -> bool {
        let depth = |zone: &Name| zone.wire().len();
        let negative = self.negative.iter().filter(|negative| name.is_within(negative)).map(depth).max();
        negative.is_some_and(|depth_of| self.anchors.above(name).is_none_or(|set| depth(&set.owner) <= depth_of))
    }
}

impl Trust {
    /// The names of which something may have been found insecure that is not `now`: what was excepted, and what had no
    /// anchor above.
    #[must_use]
    pub fn lapsed(&self, now: &Self) -> Vec<Name> {
        let excepted = self.negative.iter().filter(|name| !now.negative.contains(name));
        let unanchored = now.anchors.iter().map(|set| &set.owner).filter(|zone| self.anchors.of(zone).is_none());
        excepted.chain(unanchored).cloned().collect()
    }
}

/// What is trusted just now, for all who validate: what the operator wrote, and what was learned since.
#[derive(Debug)]
pub struct Validation {
    trust: ArcSwap<Trust>,
    parts: Mutex<Parts>,
}

/// Where trust comes from.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Parts {
    /// As the operator wrote it, or as it is built in.
    written: Anchors,
    /// As zones have told us themselves since (RFC 5011): in the place of what is written of them. An empty set makes
    /// its zone no anchor.
    followed: Vec<RrSet>,
    /// Exceptions that the operator wrote.
    negative: Vec<Name>,
    /// Exceptions that the operator made for a while.
    excepted: Vec<Name>,
}

impl Parts {
    fn trust(&self, generation: u64) -> Trust {
        let mut anchors = self.written.clone();
        for set in self.followed.iter().filter(|set| self.written.of(&set.owner).is_some()) {
            anchors.put(set.clone());
        }
        let mut negative: Vec<Name> = self.negative.iter().chain(&self.excepted).cloned().collect();
        negative.sort();
        negative.dedup();
        Trust { anchors, negative, generation }
    }
}

impl Validation {
    /// Trusts what is written.
    #[must_use]
    pub fn new(written: Anchors, negative: Vec<Name>) -> Self {
        let parts = Parts { written, negative, ..Parts::default() };
        Self { trust: ArcSwap::from_pointee(parts.trust(0)), parts: Mutex::new(parts) }
    }

    /// What is trusted now.
    #[must_use]
    pub fn trust(&self) -> Guard<Arc<Trust>> {
        self.trust.load()
    }

    fn parts(&self) -> MutexGuard<'_, Parts> {
        // A thread that died here has left whole parts behind.
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the operator wrote.
    #[must_use]
    pub fn written(&self) -> Anchors {
        self.parts().written.clone()
    }

    /// Trusts what is written now. Zones of which something else was written are followed no longer.
    pub fn write(&self, written: Anchors, negative: Vec<Name>) -> bool {
        self.change(|parts| {
            parts.followed.retain(|set| parts.written.of(&set.owner) == written.of(&set.owner));
            (parts.written, parts.negative) = (written, negative);
        })
    }

    /// Trusts these DS records in the place of what is written of the same zones.
    pub fn follow(&self, followed: Vec<RrSet>) -> bool {
        self.change(|parts| parts.followed = followed)
    }

    /// Excepts these names beside those that are written.
    pub fn except(&self, excepted: Vec<Name>) -> bool {
        self.change(|parts| parts.excepted = excepted)
    }

    /// Whether anything is trusted otherwise afterwards.
    fn change(&self, change: impl FnOnce(&mut Parts)) -> bool {
        let mut parts = self.parts();
        change(&mut parts);
        let before = self.trust.load();
        let after = parts.trust(before.generation + 1);
        let is_other = before.anchors != after.anchors || before.negative != after.negative;
        if is_other {
            self.trust.store(Arc::new(after));
        }
        is_other
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handlers::authority::master_file;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    /// KSK-2024, as IANA publishes it.
    const KSK_2024: &str = ". IN DNSKEY 257 3 8 AwEAAa96jeuknZlaeSrvyAJj6ZHv28hhOKkx3rLGXVaC6rXTsDc449/\
        cidltpkyGwCJNnOAlFNKF2jBosZBU5eeHspaQWOmOElZsjICMQMC3aeHbGiShvZsx4wMYSjH8e7Vrhbu6irwCzVBApESjbUdpWWmEnhathWu1\
        jo+siFUiRAAxm9qyJNg/wOZqqzL/dL/q8PkcRU5oUKEpUge71M3ej2/7CPqpdVwuMoTvoB+ZOT4YeGyxMvHmbrxlFzGOHOijtzN+u1TQNatX2\
        XBuzZNQ1K+s2CXkPIZo7s6JgZyvaBevYtxPvYLw4z9mR7K2vaF18UYH9Z9GNUUeayffKC73PYc=";

    #[test]
    fn the_roots_digest_is_that_of_its_key() {
        let key = master_file::record(KSK_2024).unwrap();
        let key = key.rdatas.iter().next().unwrap();
        let anchors = Anchors::builtin();
        assert_eq!(anchors.of(&Name::root()).unwrap().rdatas.len(), 2);
        let mut again = anchors.clone();
        again.add(&Name::root(), RecordType::DNSKEY, key).unwrap();
        assert_eq!(again, anchors, "it is there already");
    }

    #[test]
    fn what_cannot_be_an_anchor_is_told() {
        let mut anchors = Anchors::default();
        let mut add = |rtype, rdata: &[u8]| anchors.add(&name("example."), rtype, rdata).unwrap_err();
        assert_eq!(add(RecordType::A, &[192, 0, 2, 1]), AnchorFault::Type(RecordType::A));
        assert_eq!(add(RecordType::DS, &[0, 1, 8]), AnchorFault::Length);
        assert_eq!(add(RecordType::DS, &[&[0, 1, 8, 2][..], &[0; 31]].concat()), AnchorFault::Length);
        assert_eq!(add(RecordType::DS, &[&[0, 1, 8, 3][..], &[0; 32]].concat()), AnchorFault::Digest(3));
        assert_eq!(add(RecordType::DS, &[&[0, 1, 1, 2][..], &[0; 32]].concat()), AnchorFault::Algorithm(Algorithm(1)));
        assert_eq!(add(RecordType::DNSKEY, &[1, 1, 3]), AnchorFault::Length);
        assert_eq!(add(RecordType::DNSKEY, &[1, 1, 3, 1, 7]), AnchorFault::Algorithm(Algorithm(1)));
        for front in [[0x01, 0x81, 3, 15], [0x00, 0x01, 3, 15], [0x01, 0x01, 2, 15]] {
            assert_eq!(add(RecordType::DNSKEY, &[&front[..], &[7; 32]].concat()), AnchorFault::NoZoneKey, "{front:?}");
        }
        assert_eq!(add(RecordType::DNSKEY, &[1, 1, 3, 15, 7]), AnchorFault::NoZoneKey, "cut short");
        assert!(anchors.is_empty());
    }

    #[test]
    fn the_deepest_anchor_counts_and_exceptions_end_at_deeper_ones() {
        let mut anchors = Anchors::builtin();
        anchors.add(&name("Corp.Example."), RecordType::DNSKEY, &[&[1, 1, 3, 15][..], &[7; 32]].concat()).unwrap();
        let above = |of: &str| anchors.above(&name(of)).map(|set| set.owner.clone());
        assert_eq!(above("www.corp.example."), Some(name("corp.example.")));
        assert_eq!(above("example."), Some(Name::root()));
        let trust = Trust { anchors, negative: vec![name("example."), name("bad.corp.example.")], generation: 0 };
        for (excepted, is) in [
            ("example.", true),
            ("www.example.", true),
            ("com.", false),
            ("corp.example.", false),
            ("www.corp.example.", false),
            ("bad.corp.example.", true),
            ("a.bad.corp.example.", true),
        ] {
            assert_eq!(trust.excepts(&name(excepted)), is, "{excepted}");
        }
        let nothing = Trust { negative: vec![Name::root()], ..Trust::default() };
        assert!(nothing.excepts(&name("example.")));
    }

    #[test]
    fn what_was_excepted_or_had_no_anchor_is_to_be_looked_at_again() {
        let trust = |zones: &[&str], negative: &[&str]| {
            let mut anchors = Anchors::default();
            for zone in zones {
                anchors.add(&name(zone), RecordType::DNSKEY, &[&[1, 1, 3, 15][..], &[7; 32]].concat()).unwrap();
            }
            Trust { anchors, negative: negative.iter().map(|text| name(text)).collect(), generation: 0 }
        };
        let before = trust(&["a."], &["x.a.", "y.a."]);
        assert_eq!(before.lapsed(&before), []);
        assert_eq!(before.lapsed(&trust(&["a.", "b."], &["X.a.", "z.a."])), [name("y.a."), name("b.")]);
        assert_eq!(before.lapsed(&trust(&[], &["x.a.", "y.a."])), [], "less is trusted");
    }

    #[test]
    fn what_a_zone_told_counts_until_something_else_is_written_of_it() {
        let key = |octet: u8| {
            let mut anchors = Anchors::default();
            anchors.add(&name("example."), RecordType::DNSKEY, &[&[1, 1, 3, 15][..], &[octet; 32]].concat()).unwrap();
            anchors
        };
        let validation = Validation::new(key(1), Vec::new());
        assert!(!validation.write(key(1), Vec::new()), "it is as it was");
        let followed = || key(2).iter().cloned().collect();
        assert!(validation.follow(followed()));
        assert_eq!((&validation.trust().anchors, validation.trust().generation), (&key(2), 1));
        assert!(validation.except(vec![name("b.example.")]));
        assert!(validation.write(key(1), vec![name("a.example."), name("b.example.")]));
        assert_eq!(validation.trust().anchors, key(2));
        assert_eq!(validation.trust().negative, [name("a.example."), name("b.example.")]);
        assert!(validation.write(key(3), Vec::new()));
        assert_eq!((&validation.trust().anchors, validation.written()), (&key(3), key(3)));
        assert_eq!(validation.trust().negative, [name("b.example.")], "what was excepted for a while still is");
        assert!(validation.write(Anchors::builtin(), Vec::new()));
        assert!(!validation.follow(followed()), "of this zone nothing is written");
        validation.write(key(1), Vec::new());
        assert!(validation.follow(vec![RrSet::new(name("example."), RecordType::DS, 0, [[]; 0])]));
        assert!(validation.trust().anchors.is_empty(), "it has revoked all that it had");
    }
}
