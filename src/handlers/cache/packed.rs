//! A fact as it lies in the store: its key, its age and use, and its records, in one run of octets.
//!
//! ```text
//! expiry 4 │ ttl 4 │ hits 1 │ marks 1 │ key's length 1 │ key │ the RRset's records, or the denial
//! ```
//!
//! An RRset's owner is its key, its TTL the fact's, and it has no signatures; where one of these is not so, a mark
//! says it and the octets stand in front of the records. Behind the signatures is the number of the RRsets that prove
//! a wildcard's answer, and these.

use std::sync::Arc;

use super::entry::{Entry, Fact, Second};
use super::key::{Kind, kind, name};
use crate::chain::{Proofs, Rank};
use crate::dns::dnssec::Security;
use crate::dns::{Name, Rdatas, RecordType, RrSet};

/// Octets before the key.
const FIXED: usize = 11;
const HITS: usize = 8;
const MARKS: usize = 9;

/// In the marks: the rank's place, and what is so.
const RANK: u8 = 0b11;
const IS_PREFETCHED: u8 = 1 << 2;
const HAS_OWNER: u8 = 1 << 3;
const HAS_TTL: u8 = 1 << 4;
const HAS_SIGNATURES: u8 = 1 << 5;
const IS_INSECURE: u8 = 1 << 6;
const IS_SECURE: u8 = 1 << 7;

/// Writes `entry`, known under `key`, into `out`; false for facts that are not kept in this form.
pub(super) fn pack(key: &[u8], entry: &Entry, out: &mut Vec<u8>) -> bool {
    out.clear();
    let Ok(key_length) = u8::try_from(name(key).len()) else { return false };
    let expiry = i32::try_from(entry.expiry).unwrap_or(if entry.expiry < 0 { i32::MIN } else { i32::MAX });
    out.extend_from_slice(&expiry.to_ne_bytes());
    out.extend_from_slice(&entry.ttl.to_ne_bytes());
    out.extend_from_slice(&[0, 0, key_length]);
    out.extend_from_slice(key);
    let marks = match &entry.fact {
        Fact::RrSet { set, rank, proofs } => {
            let mut marks = match rank {
                Rank::Additional => 0,
                Rank::Authority => 1,
                Rank::Answer => 2,
            };
            if set.owner.wire() != name(key) {
                marks |= HAS_OWNER;
                out.extend_from_slice(set.owner.wire());
            }
            if set.ttl != entry.ttl {
                marks |= HAS_TTL;
                out.extend_from_slice(&set.ttl.to_ne_bytes());
            }
            if !set.signatures.is_empty() {
                marks |= HAS_SIGNATURES;
                pack_rdatas(&set.signatures, out);
                let Ok(count) = u8::try_from(proofs.len()) else { return false };
                out.push(count);
                proofs.iter().for_each(|proof| pack_set(proof, out));
            }
            out.extend_from_slice(set.rdatas.packed());
            marks
        }
        Fact::Denial { soa, proofs, .. } => {
            for set in std::iter::once(soa).chain(proofs.iter()) {
                pack_set(set, out);
            }
            0
        }
        Fact::Delegation(_) | Fact::Failure(_) => return false,
    };
    if let Some(into) = out.get_mut(MARKS) {
        *into = marks
            | match entry.security {
                Security::Unchecked => 0,
                Security::Insecure => IS_INSECURE,
                Security::Secure => IS_SECURE,
            };
    }
    true
}

fn pack_rdatas(rdatas: &Rdatas, out: &mut Vec<u8>) {
    out.extend_from_slice(&(rdatas.packed().len() as u32).to_ne_bytes());
    out.extend_from_slice(rdatas.packed());
}

fn pack_set(set: &RrSet, out: &mut Vec<u8>) {
    out.extend_from_slice(set.owner.wire());
    out.extend_from_slice(&set.rtype.0.to_ne_bytes());
    out.extend_from_slice(&set.ttl.to_ne_bytes());
    pack_rdatas(&set.rdatas, out);
    pack_rdatas(&set.signatures, out);
}

/// The key of a packed fact.
pub(super) fn key(packed: &[u8]) -> Option<&[u8]> {
    let (fixed, rest) = packed.split_first_chunk::<FIXED>()?;
    rest.get(..usize::from(fixed[FIXED - 1]) + Kind::LENGTH)
}

/// The fact that was packed.
pub(super) fn unpack(packed: &[u8]) -> Option<Entry> {
    let mut rest = Rest(packed);
    let expiry = Second::from(i32::from_ne_bytes(rest.array()?));
    let ttl = u32::from_ne_bytes(rest.array()?);
    let [_, marks, key_length] = rest.array()?;
    let key = rest.octets(usize::from(key_length) + Kind::LENGTH)?;
    let fact = match kind(key) {
        Kind::RrSet(rtype) => {
            let owner = if marks & HAS_OWNER == 0 { Name::from_wire(name(key)).ok()?.0 } else { rest.name()? };
            let set_ttl = if marks & HAS_TTL == 0 { ttl } else { u32::from_ne_bytes(rest.array()?) };
            let mut signatures = Rdatas::default();
            let mut proofs = Proofs::default();
            if marks & HAS_SIGNATURES != 0 {
                signatures = rest.rdatas()?;
                let [count] = rest.array()?;
                if count > 0 {
                    proofs = (0..count).map(|_| rest.set()).collect::<Option<_>>()?;
                }
            }
            let rdatas = Rdatas::from_packed(rest.0);
            let rank = match marks & RANK {
                0 => Rank::Additional,
                1 => Rank::Authority,
                _ => Rank::Answer,
            };
            Fact::RrSet { set: Arc::new(RrSet { owner, rtype, ttl: set_ttl, rdatas, signatures }), rank, proofs }
        }
        kind @ (Kind::NoData(_) | Kind::NxDomain) => {
            let soa = rest.set()?;
            let mut proofs = Vec::new();
            while !rest.0.is_empty() {
                proofs.push(rest.set()?);
            }
            Fact::Denial { is_nxdomain: kind == Kind::NxDomain, soa, proofs: proofs.into_boxed_slice() }
        }
        Kind::Delegation | Kind::Failure(_) | Kind::Bogus(_) => return None,
    };
    let security = match (marks & IS_SECURE, marks & IS_INSECURE) {
        (0, 0) => Security::Unchecked,
        (0, _) => Security::Insecure,
        _ => Security::Secure,
    };
    Some(Entry::until(expiry, ttl, fact).with_security(security))
}

/// Counts one use by a client and tells how many there were, this one included.
pub(super) fn hit(packed: &mut [u8]) -> u8 {
    packed.get_mut(HITS).map_or(1, |hits| {
        *hits = hits.saturating_add(1);
        *hits
    })
}

/// True for the first caller only: it is the one to prefetch.
pub(super) fn claim_prefetch(packed: &mut [u8]) -> bool {
    packed.get_mut(MARKS).is_some_and(|marks| {
        let is_first = *marks & IS_PREFETCHED == 0;
        *marks |= IS_PREFETCHED;
        is_first
    })
}

struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn octets(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn name(&mut self) -> Option<Name> {
        let (name, length) = Name::from_wire(self.0).ok()?;
        self.octets(length)?;
        Some(name)
    }

    fn rdatas(&mut self) -> Option<Rdatas> {
        let length = u32::from_ne_bytes(self.array()?) as usize;
        self.octets(length).map(Rdatas::from_packed)
    }

    fn set(&mut self) -> Option<Arc<RrSet>> {
        let (owner, rtype) = (self.name()?, RecordType(u16::from_ne_bytes(self.array()?)));
        let ttl = u32::from_ne_bytes(self.array()?);
        Some(Arc::new(RrSet { owner, rtype, ttl, rdatas: self.rdatas()?, signatures: self.rdatas()? }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::key::probe;
    use super::*;

    fn name() -> impl Strategy<Value = Name> {
        prop::sample::select(vec![".", "example.", "WWW.Example.", "a-rather-long-label.and-another.example."])
            .prop_map(|text| text.parse().unwrap())
    }

    fn rdatas(least: usize) -> impl Strategy<Value = Rdatas> {
        vec(vec(any::<u8>(), 0..40), least..5).prop_map(|rdatas| rdatas.into_iter().collect())
    }

    fn set() -> impl Strategy<Value = Arc<RrSet>> {
        (name(), any::<u16>(), 0..5_u32, rdatas(1), rdatas(0)).prop_map(|(owner, rtype, ttl, rdatas, signatures)| {
            Arc::new(RrSet { owner, rtype: RecordType(rtype), ttl, rdatas, signatures })
        })
    }

    fn rank() -> impl Strategy<Value = Rank> {
        prop::sample::select(vec![Rank::Additional, Rank::Authority, Rank::Answer])
    }

    fn security() -> impl Strategy<Value = Security> {
        prop::sample::select(vec![Security::Unchecked, Security::Insecure, Security::Secure])
    }

    proptest! {
        #[test]
        fn a_packed_rrset_comes_back_as_it_was(
            set in set(), rank in rank(), proofs in vec(set(), 0..3), expiry in -9..9_i64, ttl in 0..5_u32, security in security(),
        ) {
            // What is not signed is made up by no wildcard that could be proved.
            let proofs = if set.signatures.is_empty() { Vec::new() } else { proofs };
            let fact = Fact::RrSet { set: Arc::clone(&set), rank, proofs: proofs.clone().into() };
            let key = probe(set.owner.wire(), Kind::RrSet(set.rtype));
            let (entry, mut packed) = (Entry::until(expiry, ttl, fact).with_security(security), Vec::new());
            prop_assert!(pack(&key, &entry, &mut packed));
            prop_assert_eq!(super::key(&packed), Some(&key[..]));
            prop_assert_eq!((hit(&mut packed), hit(&mut packed)), (1, 2));
            prop_assert!(claim_prefetch(&mut packed) && !claim_prefetch(&mut packed));
            let back = unpack(&packed).unwrap();
            prop_assert_eq!((back.expiry, back.ttl, back.security), (expiry, ttl, security));
            let Fact::RrSet { set: back, rank: back_rank, proofs: back_proofs } = back.fact else { panic!("another fact") };
            prop_assert_eq!((&back, back_rank, back_proofs.to_vec()), (&set, rank, proofs));
            prop_assert!(back.owner.is_same_case(&set.owner));
        }

        #[test]
        fn a_packed_denial_comes_back_as_it_was(
            owner in name(), is_nxdomain: bool, soa in set(), proofs in vec(set(), 0..3),
        ) {
            let kind = if is_nxdomain { Kind::NxDomain } else { Kind::NoData(RecordType::MX) };
            let fact = Fact::Denial { is_nxdomain, soa: Arc::clone(&soa), proofs: proofs.clone().into_boxed_slice() };
            let mut packed = Vec::new();
            prop_assert!(pack(&probe(owner.wire(), kind), &Entry::new(5, 3, fact), &mut packed));
            let Fact::Denial { is_nxdomain: back, soa: back_soa, proofs: back_proofs } = unpack(&packed).unwrap().fact
            else { panic!("another fact") };
            prop_assert_eq!((back, back_soa, back_proofs.to_vec()), (is_nxdomain, soa, proofs));
        }
    }
}
