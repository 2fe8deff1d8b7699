//! Signatures and denials from who means harm: any RDATA, a signed set with octets changed, and the records of any message.
//!
//! * Nothing panics, and no query costs more than its budget.
//! * The canonical form changes letters alone, and is its own canonical form.
//! * What is read and written again is the same.
//! * A set with octets changed holds only where it is the same set in canonical form, or made from the wildcard that was
//!   signed.
//! * Records that nobody signed prove nothing.

use meridian::base::bounds;
use meridian::dns::dnssec::denial::{Nsec, Nsec3, Types, types};
use meridian::dns::dnssec::{
    Budget, Ds, Proofs, PublicKey, Signature, SigningKey, ZoneKeys, canonical, sign, signer, trusted_keys, verify_set,
};
use meridian::dns::{Message, Name, Record, RecordType, RrSet};

use super::messages::name;

/// The time of the signatures.
const NOW: u32 = 1_800_000_000;

/// See the module's text.
pub fn run(data: &[u8]) {
    let Some((mode, rest)) = data.split_first() else { return };
    match mode % 3 {
        0 => rdata(rest),
        1 => changed(rest),
        _ => message(rest),
    }
}

/// RDATA of every type that is read here.
fn rdata(data: &[u8]) {
    let owner = name("a.example.");
    if let Ok(key) = PublicKey::parse(data) {
        assert_eq!(key.rdata(), data);
        assert!(!key.is_eligible() || key.is_zone_key() && !key.is_revoked() && key.algorithm().is_supported());
        let ds = Ds::sha256(&owner, &key);
        assert!(ds.fits(&name("A.EXAMPLE."), &key) && !ds.fits(&name("b.example."), &key));
        assert!(!key.fits(data, data), "{key:?} signs everything");
    }
    if let Ok(ds) = Ds::parse(data) {
        assert_eq!(ds.rdata(), data);
    }
    if let Ok(signature) = Signature::parse(data) {
        assert!(data.ends_with(signature.octets) && !signature.octets.is_empty());
    }
    if let Ok(list) = Types::parse(data) {
        let all: Vec<RecordType> = list.iter().collect();
        assert!(all.is_sorted() && all.iter().all(|rtype| list.has(*rtype)));
        let again = types::compose(all.iter().copied());
        assert_eq!(Types::parse(&again).expect("what is composed is read").iter().collect::<Vec<_>>(), all);
    }
    if let Ok(nsec) = Nsec::parse(&owner, data) {
        assert!(!nsec.covers(&owner) && !nsec.covers(&nsec.next), "it covers its own ends");
    }
    let zone = name("example.");
    let hashed = zone.child(b"0p9mhaveqvm6t7vbl5lop2u3t2rp3tom").expect("a short name");
    if let Ok(nsec3) = Nsec3::parse(&hashed, &zone, data) {
        assert!(!nsec3.covers(&nsec3.owner) && !nsec3.covers(&nsec3.next), "it covers its own ends");
        assert!(nsec3.parameters.blocks(&owner) > u32::from(nsec3.parameters.iterations));
    }
    for number in (0..=70).chain([128, 257, 32_769]) {
        let once = canonical::rdata(RecordType(number), data);
        assert!(once.eq_ignore_ascii_case(data), "TYPE{number} is changed in more than letters");
        assert_eq!(canonical::rdata(RecordType(number), &once), once, "TYPE{number} is not canonical yet");
    }
}

/// A signed set, then octets of it changed: the owner, the records, the signature.
fn changed(data: &[u8]) {
    let zone = name("example.");
    let key = SigningKey::ed25519(&[1; 32], sign::ZONE_KEY).expect("32 octets");
    let keys = ZoneKeys::of(zone.clone(), [key.public().clone()]);
    let rdatas = ["a.example.", "b.example."].map(|text| [&[0, 10], name(text).wire()].concat());
    let mut whole = RrSet::new(name("*.w.example."), RecordType::MX, 300, rdatas);
    key.sign_set(&mut whole, &zone, NOW - 1_000, NOW + 1_000).expect("Ed25519 needs no chance");
    let mut parts = [whole.owner.wire().to_vec(), whole.rdatas.packed().to_vec(), whole.signatures.packed().to_vec()];
    for step in data.chunks_exact(3).take(16) {
        let part = &mut parts[usize::from(step[0] % 3)];
        let at = usize::from(step[1]) % part.len();
        part[at] ^= step[2];
    }
    let [owner, records, signatures] = parts;
    let Ok((owner, _)) = Name::from_wire(&owner) else { return };
    let set = RrSet {
        owner,
        rdatas: meridian::dns::Rdatas::from_packed(&records),
        signatures: meridian::dns::Rdatas::from_packed(&signatures),
        ..whole.clone()
    };
    let mut budget = Budget::default();
    if let Ok(verified) = verify_set(&set, &keys, NOW, &mut budget) {
        let canonical = |set: &RrSet| {
            let mut all: Vec<Vec<u8>> =
                set.rdatas.iter().map(|rdata| canonical::rdata(set.rtype, rdata).into_owned()).collect();
            all.sort();
            all.dedup();
            all
        };
        assert_eq!(canonical(&set), canonical(&whole), "other records hold");
        match verified.encloser {
            None => assert_eq!(set.owner, whole.owner),
            Some(encloser) => assert!(encloser == name("w.example.") && set.owner.is_below(&encloser)),
        }
        assert_eq!((verified.original_ttl, verified.expires_in), (300, 1_000));
    }
    is_within(&budget);
}

/// The records of a message, asked for everything.
fn message(data: &[u8]) {
    let Ok(message) = Message::parse(data) else { return };
    let records = [message.answer.as_slice(), &message.authority].concat();
    let sets = sets(&records);
    let mut budget = Budget::default();
    for zone in sets.iter().filter_map(signer).take(4).chain([Name::root()]) {
        let key = SigningKey::ed25519(&[1; 32], sign::ZONE_KEY).expect("32 octets");
        let own = sets.iter().filter(|set| set.rtype == RecordType::DNSKEY && set.owner == zone);
        let published: Vec<PublicKey> =
            own.clone().flat_map(|set| set.rdatas.iter()).filter_map(|rdata| PublicKey::parse(rdata).ok()).collect();
        let ds: Vec<Ds> = published.iter().map(|key| Ds::sha256(&zone, key)).collect();
        for dnskeys in own {
            if let Ok(trusted) = trusted_keys(dnskeys, &ds, NOW, &mut budget) {
                assert!(trusted.keys.keys().iter().all(PublicKey::is_eligible));
            }
        }
        let keys = ZoneKeys::of(zone.clone(), published.into_iter().chain([key.public().clone()]));
        for set in sets.iter().take(64) {
            if let Ok(verified) = verify_set(set, &keys, NOW, &mut budget) {
                assert!(set.owner.is_within(&zone));
                assert!(verified.encloser.is_none_or(|encloser| encloser.is_within(&zone)));
            }
        }
        ask_all(&Proofs::of(&zone, &sets), &sets, &mut budget);
        if Proofs::verify(&sets, &keys, NOW, &mut budget).is_ok_and(|(proofs, _)| !proofs.is_empty()) {
            assert!(sets.iter().any(|set| !set.signatures.is_empty()), "unsigned records are proofs");
        }
    }
    is_within(&budget);
}

fn ask_all(proofs: &Proofs<'_>, sets: &[RrSet], budget: &mut Budget) {
    for set in sets.iter().take(16) {
        let owner = &set.owner;
        let is_nxdomain = proofs.nxdomain(owner, budget).is_ok();
        let is_excessive = proofs.no_ds(owner, budget).is_ok_and(|told| told.ede().is_some());
        let is_opt_out =
            proofs.nodata(owner, RecordType::A, budget).is_ok_and(|told| told != meridian::dns::dnssec::Proven::Secure);
        if is_nxdomain && !is_excessive && !is_opt_out {
            assert!(proofs.nodata(owner, RecordType::A, budget).is_err(), "{owner} is there and is not");
        }
        if let Some(parent) = owner.parent() {
            drop(proofs.no_closer_match(owner, &parent, budget));
        }
    }
}

/// The records as sets with their signatures.
fn sets(records: &[Record]) -> Vec<RrSet> {
    let mut sets: Vec<RrSet> = Vec::new();
    for record in records.iter().filter(|record| record.rtype != RecordType::RRSIG) {
        let is_same = |set: &&mut RrSet| set.owner == record.owner && set.rtype == record.rtype;
        match sets.iter_mut().find(is_same) {
            Some(set) => set.rdatas = set.rdatas.iter().chain([record.rdata.as_slice()]).collect(),
            None => sets.push(RrSet::new(record.owner.clone(), record.rtype, record.ttl, [&record.rdata])),
        }
    }
    for record in records.iter().filter(|record| record.rtype == RecordType::RRSIG) {
        let covers =
            |set: &&mut RrSet| set.owner == record.owner && record.rdata.starts_with(&set.rtype.0.to_be_bytes());
        if let Some(set) = sets.iter_mut().find(covers) {
            set.signatures = set.signatures.iter().chain([record.rdata.as_slice()]).collect();
        }
    }
    sets
}

fn is_within(budget: &Budget) {
    assert!(budget.checks() <= bounds::SIGNATURES_PER_QUERY && budget.blocks() <= bounds::NSEC3_BLOCKS);
    // The last check may be one that counts as two.
    assert!(budget.failures() <= bounds::SIGNATURE_FAILURES + 1);
}
