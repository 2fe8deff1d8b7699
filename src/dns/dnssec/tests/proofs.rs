//! Denials with their signatures: what binds them to their zone, what one wrong field makes of them, what they may cost.

use super::denial::{Nsec, nsec3};
use super::*;
use crate::base::bounds;

const ZONE: &str = "example.";

fn nsec(owner: &str, next: &str, types: &[RecordType]) -> RrSet {
    let types = types.iter().copied().chain([RecordType::NSEC, RecordType::RRSIG]);
    RrSet::new(name(owner), RecordType::NSEC, 300, [Nsec::compose(&name(next), types)])
}

/// An NSEC3 from one hash to another; whose names they are of is of no matter.
fn nsec3(from: nsec3::Hash, to: nsec3::Hash, iterations: u16, salt: &[u8], types: &[RecordType]) -> RrSet {
    let owner = name(ZONE).child(&nsec3::label(&from)).unwrap();
    let parameters = nsec3::Parameters { iterations, salt };
    let rdata = nsec3::Nsec3::compose(parameters, false, &to, types.iter().copied());
    RrSet::new(owner, RecordType::NSEC3, 300, [rdata])
}

/// What `sets`, signed by `example.`, prove of `www.example.`, which would be NXDOMAIN.
fn told(sets: &[RrSet]) -> Result<Proven, Reason> {
    let key = zone_key();
    let sets: Vec<RrSet> = sets.iter().map(|set| signed(set.clone(), &key, ZONE)).collect();
    told_of(&sets, &keys_of(ZONE, &key))
}

fn told_of(sets: &[RrSet], keys: &ZoneKeys) -> Result<Proven, Reason> {
    let mut budget = Budget::default();
    Proofs::verify(sets, keys, NOW, &mut budget)
        .and_then(|(proofs, _)| proofs.nxdomain(&name("www.example."), &mut budget))
        .map_err(|bogus| bogus.reason)
}

#[test]
fn a_name_and_its_wildcard_are_proven_not_to_exist() {
    let (apex, last) = (nsec(ZONE, "mail.example.", &[RecordType::SOA]), nsec("mail.example.", ZONE, &[RecordType::A]));
    assert_eq!(told(&[apex.clone(), last.clone()]), Ok(Proven::Secure));
    assert_eq!(told(&[apex]), Err(Reason::NoProof), "the name may exist");
    assert_eq!(told(&[last]), Err(Reason::NoProof), "the wildcard may");
    assert_eq!(told(&[]), Err(Reason::NoProof));
}

/// CVE-2026-13321 and its like: a record that leads out of its zone says nothing of it, nor of others.
#[test]
fn a_record_that_leads_out_of_its_zone_proves_nothing() {
    for next in ["zzz.", ".", "other.", "example.com."] {
        assert_eq!(told(&[nsec(ZONE, next, &[RecordType::SOA])]), Err(Reason::NoProof), "{next}");
    }
    // One whose order is turned round covers nothing, unless it is the zone's last.
    assert_eq!(told(&[nsec("mail.example.", "a.example.", &[])]), Err(Reason::NoProof));
}

#[test]
fn a_record_of_another_zone_proves_nothing() {
    let key = zone_key();
    let keys = keys_of(ZONE, &key);
    let of = |owner: &str, next: &str, zone: &str| signed(nsec(owner, next, &[RecordType::SOA]), &key, zone);
    assert_eq!(told_of(&[of(ZONE, ZONE, ZONE)], &keys), Ok(Proven::Secure), "alone in its zone");
    assert_eq!(told_of(&[of(ZONE, ZONE, ".")], &keys), Err(Reason::NoProof), "signed from above");
    assert_eq!(told_of(&[of("www.example.", "www.example.", "www.example.")], &keys), Err(Reason::NoProof));
    let sub = signed(nsec("sub.example.", ZONE, &[RecordType::NS, RecordType::SOA]), &key, ZONE);
    assert_eq!(told_of(&[sub], &keys), Err(Reason::NoProof));
}

#[test]
fn a_proof_made_from_a_wildcard_is_none() {
    let key = zone_key();
    let star = signed(nsec("*.example.", ZONE, &[RecordType::A]), &key, ZONE);
    let made = RrSet { owner: name("mail.example."), ..star };
    assert_eq!(told_of(&[made], &keys_of(ZONE, &key)), Err(Reason::BadSignature));
}

#[test]
fn what_does_not_come_in_the_zones_name_proves_nothing_and_spoils_nothing() {
    let key = zone_key();
    let keys = keys_of(ZONE, &key);
    let good = signed(nsec(ZONE, "mail.example.", &[RecordType::SOA]), &key, ZONE);
    let last = nsec("mail.example.", ZONE, &[RecordType::A]);
    assert_eq!(told_of(&[good.clone(), last.clone()], &keys), Err(Reason::NoProof), "nobody signed the last");
    let (signed, other) = (signed(last.clone(), &key, ZONE), nsec("mail.example.", "www.example.", &[RecordType::A]));
    assert_eq!(told_of(&[good.clone(), signed.clone(), other], &keys), Ok(Proven::Secure));
    // In the zone's name and not by its key: somebody forges.
    let forged = RrSet { rdatas: nsec("mail.example.", "zz.example.", &[]).rdatas, ..signed };
    assert_eq!(told_of(&[good, forged], &keys), Err(Reason::BadSignature));
}

#[test]
fn at_a_cut_each_zone_denies_its_own_side_alone() {
    let apex = name(ZONE);
    let cut = nsec("sub.example.", ZONE, &[RecordType::NS]);
    let from_above = Proofs::of(&apex, [&cut]);
    let nodata =
        |proofs: &Proofs<'_>, rtype| proofs.nodata(&name("sub.example."), rtype, &mut Budget::default()).is_ok();
    assert!(nodata(&from_above, RecordType::DS));
    assert!(!nodata(&from_above, RecordType::A) && !nodata(&from_above, RecordType::MX));
    let sub = name("sub.example.");
    let own = nsec("sub.example.", "sub.example.", &[RecordType::NS, RecordType::SOA]);
    let from_below = Proofs::of(&sub, [&own]);
    assert!(nodata(&from_below, RecordType::A));
    assert!(!nodata(&from_below, RecordType::DS), "of its DS the zone above has the say");
    assert!(from_below.no_ds(&sub, &mut Budget::default()).is_err());
    // The zone below may be served, and even signed, by who has the keys above.
    assert!(!nodata(&Proofs::of(&apex, [&own]), RecordType::DS), "a record of the zone below");
    assert!(Proofs::of(&apex, [&own]).no_ds(&sub, &mut Budget::default()).is_err());
}

#[test]
fn the_root_has_no_zone_above_it() {
    let root = Name::root();
    let own = nsec(".", "aaa.", &[RecordType::NS, RecordType::SOA]);
    let proofs = Proofs::of(&root, [&own]);
    assert_eq!(proofs.nodata(&root, RecordType::DS, &mut Budget::default()), Ok(Proven::Secure));
}

/// RFC 9824: what does not exist is told as a name with nothing but its own denial.
#[test]
fn a_compact_denial_is_nodata() {
    let (apex, www) = (name(ZONE), name("www.example."));
    let black = nsec("www.example.", "\\000.www.example.", &[RecordType(128)]);
    let proofs = Proofs::of(&apex, [&black]);
    for rtype in [RecordType::A, RecordType::ANY, RecordType::DS] {
        assert_eq!(proofs.nodata(&www, rtype, &mut Budget::default()), Ok(Proven::Secure), "{rtype}");
    }
    assert!(proofs.nxdomain(&www, &mut Budget::default()).is_err());
    assert_eq!(proofs.no_ds(&www, &mut Budget::default()), Ok(NoDs::NoCut));
}

/// RFC 4470: records made for the question, just before and just behind it.
#[test]
fn white_lies_are_believed() {
    let before_www = nsec("wwv~.example.", "www!.example.", &[]);
    let before_star = nsec("!~.example.", "+.example.", &[]);
    assert_eq!(told(&[before_www, before_star]), Ok(Proven::Secure));
}

#[test]
fn zones_that_iterate_too_often_count_as_unsigned_where_they_deny() {
    let with = |iterations| nsec3([0; 20], [0xFF; 20], iterations, b"", &[]);
    let apex = name(ZONE);
    let at_bound = with(bounds::NSEC3_ITERATIONS);
    assert!(Proofs::of(&apex, [&at_bound]).nxdomain(&name("a.example."), &mut Budget::default()).is_err());
    let above = with(bounds::NSEC3_ITERATIONS + 1);
    let proofs = Proofs::of(&apex, [&above]);
    let mut budget = Budget::default();
    let proven = proofs.nxdomain(&name("a.example."), &mut budget).unwrap();
    assert_eq!((proven, proven.security()), (Proven::Excessive, Security::Insecure));
    assert_eq!(proven.ede().unwrap().code, EdeCode::TooManyIterations);
    assert_eq!(proofs.no_ds(&name("a.example."), &mut budget).map(NoDs::is_insecure), Ok(true));
    assert_eq!(budget.blocks(), 0, "nothing is hashed");
    assert!(proofs.no_ds(&apex, &mut budget).is_err(), "the zone below must not unsign itself");
    assert!(proofs.nxdomain(&name("a.other."), &mut budget).is_err());
    // Beside records that can be used it says nothing.
    assert!(Proofs::of(&apex, [&at_bound, &above]).nxdomain(&name("a.example."), &mut budget).is_err());
}

#[test]
fn nsec3_that_nobody_knows_is_left_out() {
    let whole = nsec3([0; 20], [0xFF; 20], 0, b"ab", &[RecordType::A]);
    let rdata = whole.rdatas.iter().next().unwrap().to_vec();
    let apex = name(ZONE);
    let is_left_out = |owner: &Name, rdata: &[u8]| nsec3::Nsec3::parse(owner, &apex, rdata).is_err();
    assert!(!is_left_out(&whole.owner, &rdata));
    for (at, value) in [(0, 2), (1, 2), (1, 0x81), (4, 3), (7, 19), (7, 21)] {
        let mut changed = rdata.clone();
        changed[at] = value;
        assert!(is_left_out(&whole.owner, &changed), "octet {at} {value}");
    }
    assert!(is_left_out(&whole.owner, &rdata[..rdata.len() - 1]));
    for owner in [
        "example.",
        "short.example.",
        "0p9mhaveqvm6t7vbl5lop2u3t2rp3tow.example.",
        "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.sub.example.",
        "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.other.",
    ] {
        assert!(is_left_out(&name(owner), &rdata), "{owner}");
    }
    assert!(!is_left_out(&name("0P9MHAVEQVM6T7VBL5LOP2U3T2RP3TOM.Example."), &rdata), "letter case does not count");
}

/// CVE-2023-50868: the most labels, iterations and salt that are followed, with records that lead on from label to label.
#[test]
fn hashing_ends_at_its_bound() {
    let deep = name(&("a.".repeat(115) + ZONE));
    let apex = name(ZONE);
    for salt in [&[][..], &[7; 255]] {
        for iterations in [0, bounds::NSEC3_ITERATIONS] {
            let sets: Vec<RrSet> =
                (0..8).map(|step| nsec3([step * 16; 20], [step * 16 + 1; 20], iterations, salt, &[])).collect();
            let proofs = Proofs::of(&apex, &sets);
            let mut budget = Budget::default();
            for _ in 0..100 {
                let told = proofs.nxdomain(&deep, &mut budget).map_err(|bogus| bogus.reason);
                assert!(matches!(told, Err(Reason::NoProof | Reason::Spent)), "{told:?}");
            }
            assert!(budget.blocks() <= bounds::NSEC3_BLOCKS);
            assert_eq!(proofs.nodata(&deep, RecordType::A, &mut budget).unwrap_err().reason, Reason::Spent);
        }
    }
}

#[test]
fn blocks_are_counted_as_sha1_goes_through_them() {
    let of = |salt: &'static [u8], iterations| nsec3::Parameters { iterations, salt };
    // 55 octets fit in a block with SHA-1's own nine.
    let at_bound = name(&format!("{}.example.", "a".repeat(44)));
    assert_eq!(at_bound.wire().len(), 54);
    assert_eq!(of(b"", 0).blocks(&at_bound), 1);
    assert_eq!(of(b"a", 0).blocks(&at_bound), 1);
    assert_eq!(of(b"ab", 0).blocks(&at_bound), 2);
    assert_eq!(of(b"", 50).blocks(&at_bound), 51);
    assert_eq!(of(&[0; 255], 50).blocks(&at_bound), 5 + 50 * 5);
}

#[test]
fn no_more_records_are_looked_at_than_the_bound() {
    let key = zone_key();
    let few: Vec<RrSet> =
        (0..20).map(|number| signed(nsec(&format!("a{number}.example."), ZONE, &[]), &key, ZONE)).collect();
    let keys = keys_of(ZONE, &key);
    let mut budget = Budget::default();
    let (_, verified) = Proofs::verify(&few, &keys, NOW, &mut budget).unwrap();
    assert_eq!((verified.len(), budget.checks()), (bounds::DENIAL_PROOFS, bounds::DENIAL_PROOFS as u32));
}

#[test]
fn lists_of_types_read_back_as_they_are_written() {
    let types = [1, 2, 6, 15, 46, 47, 255, 256, 257, 1_234, 65_535].map(RecordType);
    let octets = denial::types::compose(types.iter().rev().copied().chain(types));
    let list = denial::Types::parse(&octets).unwrap();
    assert_eq!(list.iter().collect::<Vec<_>>(), types);
    assert!((0..=u16::MAX).map(RecordType).all(|rtype| list.has(rtype) == types.contains(&rtype)));
    // RFC 4034 §4.3
    let types = [RecordType::A, RecordType::MX, RecordType::RRSIG, RecordType::NSEC, RecordType(1_234)];
    let octets = denial::types::compose(types);
    let expected = [&[0, 6, 0x40, 0x01, 0, 0, 0, 0x03, 4, 27][..], &[0; 26], &[0x20]].concat();
    assert_eq!(octets, expected);
}

#[test]
fn lists_of_types_that_are_malformed_are_refused() {
    for octets in [&[0][..], &[0, 0], &[0, 33], &[0, 1], &[1, 1, 1, 0, 1, 1], &[0, 1, 1, 0, 1, 1], &[0, 2, 1]] {
        assert!(denial::Types::parse(octets).is_err(), "{octets:?}");
    }
    assert_eq!(denial::Types::parse(&[]).map(|list| list.iter().count()), Ok(0));
}

/// Every single octet of a signed proof counts.
#[test]
fn a_proof_with_any_octet_changed_proves_nothing() {
    let key = zone_key();
    let keys = keys_of(ZONE, &key);
    let whole = signed(nsec(ZONE, ZONE, &[RecordType::SOA]), &key, ZONE);
    assert_eq!(told_of(std::slice::from_ref(&whole), &keys), Ok(Proven::Secure));
    let rdata = whole.rdatas.iter().next().unwrap().to_vec();
    for at in 0..rdata.len() {
        let mut changed = rdata.clone();
        changed[at] ^= 1;
        let set = RrSet { rdatas: [changed].into_iter().collect(), ..whole.clone() };
        assert!(told_of(&[set], &keys).is_err(), "octet {at}");
    }
    let moved = RrSet { owner: name("mail.example."), ..whole };
    assert!(told_of(&[moved], &keys).is_err());
}
