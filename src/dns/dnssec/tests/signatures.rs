//! Which signatures hold over which sets.

use super::*;
use crate::base::bounds;

#[test]
fn a_set_that_its_zone_signed_holds() {
    let key = zone_key();
    let set = signed(addresses("www.example.", &[1, 2]), &key, "example.");
    let expected = Verified { expires_in: DAY, original_ttl: 300, encloser: None };
    assert_eq!(verify(&set, &keys_of("example.", &key)), Ok(expected));
}

#[test]
fn letter_case_order_and_duplicates_make_no_difference() {
    let key = zone_key();
    let mail = |owner: &str, names: &[&str]| {
        let rdatas = names.iter().map(|text| [&[0, 10], name(text).wire()].concat());
        RrSet::new(name(owner), RecordType::MX, 300, rdatas)
    };
    let set = signed(mail("example.", &["a.example.", "b.example."]), &key, "example.");
    let mut other = mail("EXAMPLE.", &["B.example.", "A.Example.", "b.EXAMPLE."]);
    other.signatures = set.signatures;
    assert!(verify(&other, &keys_of("Example.", &key)).is_ok());
}

#[test]
fn letter_case_counts_in_what_is_no_name() {
    let key = zone_key();
    let text = |octets: &[u8]| RrSet::new(name("example."), RecordType::TXT, 300, [octets]);
    let set = signed(text(b"\x05Hello"), &key, "example.");
    let mut other = text(b"\x05hello");
    other.signatures = set.signatures;
    assert_eq!(verify(&other, &keys_of("example.", &key)), Err(Reason::BadSignature));
}

/// RFC 6840 §5.1: unlike other names, the next one of an NSEC is signed as it is written.
#[test]
fn letter_case_counts_in_the_next_name_of_nsec() {
    let key = zone_key();
    let proof = |next: &str| {
        let rdata = denial::Nsec::compose(&name(next), [RecordType::A]);
        RrSet::new(name("a.example."), RecordType::NSEC, 300, [rdata])
    };
    let set = signed(proof("B.example."), &key, "example.");
    assert!(verify(&set, &keys_of("example.", &key)).is_ok());
    let mut other = proof("b.example.");
    other.signatures = set.signatures;
    assert_eq!(verify(&other, &keys_of("example.", &key)), Err(Reason::BadSignature));
}

/// RFC 4034 §6.2: every type whose names are made small, with the letters of everything else kept.
#[test]
fn names_in_rdata_are_small_where_rfc_4034_says() {
    let host = name("Host.EXAMPLE.");
    let small = name("host.example.");
    let around = |front: &[u8], name: &Name, back: &[u8]| [front, name.wire(), back].concat();
    for (rtype, front, back) in [
        (RecordType::NS, &b""[..], &b""[..]),
        (RecordType::SOA, b"\x01M\x00", b"ABCDEFGHIJKLMNOPQRST"),
        (RecordType::MX, b"AB", b""),
        (RecordType::SRV, b"ABCDEF", b""),
        (RecordType::NAPTR, b"ABCD\x01A\x02BC\x00", b""),
        (RecordType::RRSIG, b"ABCDEFGHIJKLMNOPQR", b"ABC"),
        (RecordType::PX, b"AB\x01M\x00", b""),
        (RecordType::KX, b"AB", b""),
        (RecordType::DNAME, b"", b""),
        (RecordType(38), &[&[64][..], b"ABCDEFGH"].concat(), b""),
    ] {
        let mut expected = around(front, &small, back);
        if let (RecordType::SOA | RecordType::PX, Some(at)) = (rtype, expected.iter().position(|octet| *octet == b'M'))
        {
            expected[at] = b'm';
        }
        assert_eq!(canonical::rdata(rtype, &around(front, &host, back)).as_ref(), expected, "{rtype}");
    }
    for rtype in [RecordType::NSEC, RecordType::SVCB, RecordType::HTTPS, RecordType::TXT, RecordType(9_999)] {
        assert_eq!(canonical::rdata(rtype, host.wire()).as_ref(), host.wire(), "{rtype}");
    }
}

#[test]
fn a_wildcards_answer_tells_whence_it_was_made() {
    let key = zone_key();
    let star = signed(addresses("*.example.", &[1]), &key, "example.");
    let made = RrSet { owner: name("a.b.example."), ..star.clone() };
    let keys = keys_of("example.", &key);
    assert_eq!(verify(&star, &keys).unwrap().encloser, None, "asked for by its own name");
    assert_eq!(verify(&made, &keys).unwrap().encloser, Some(name("example.")));
    let other = RrSet { owner: name("a.other."), ..star };
    assert_eq!(verify(&other, &keys), Err(Reason::NoSignature), "of another zone");
}

/// CVE-2026-44690: a signature of fewer labels than its signer has would stand for a wildcard above the zone.
#[test]
fn no_signature_counts_fewer_labels_than_its_zone_or_more_than_its_owner() {
    let key = zone_key();
    let keys = keys_of("sub.example.", &key);
    for labels in 0..=4 {
        let set = signed_so(addresses("www.sub.example.", &[1]), &key, "sub.example.", |terms| terms.labels = labels);
        let is_lawful = (2..=3).contains(&labels);
        assert_eq!(verify(&set, &keys).is_ok(), is_lawful, "{labels} labels");
    }
}

#[test]
fn signatures_of_other_zones_do_not_count() {
    let key = zone_key();
    for signer in ["com.", ".", "www.example.", "sibling.example."] {
        let set = signed(addresses("www.example.", &[1]), &key, signer);
        assert_eq!(verify(&set, &keys_of("example.", &key)), Err(Reason::NoSignature), "{signer}");
    }
}

#[test]
fn a_zone_has_no_say_on_its_own_ds() {
    let key = zone_key();
    let set = |owner: &str| RrSet::new(name(owner), RecordType::DS, 300, [key.ds(&name(owner)).rdata()]);
    let keys = keys_of("example.", &key);
    assert_eq!(verify(&signed(set("example."), &key, "example."), &keys), Err(Reason::NoSignature));
    assert!(verify(&signed(set("sub.example."), &key, "example."), &keys).is_ok());
}

#[test]
fn no_ds_is_made_from_a_wildcard() {
    let key = zone_key();
    let star = RrSet::new(name("*.example."), RecordType::DS, 300, [key.ds(&name("sub.example.")).rdata()]);
    let made = RrSet { owner: name("sub.example."), ..signed(star, &key, "example.") };
    assert_eq!(verify(&made, &keys_of("example.", &key)), Err(Reason::BadSignature));
}

#[test]
fn each_failure_says_why() {
    let key = zone_key();
    let keys = keys_of("example.", &key);
    let with = |change: fn(&mut Terms)| signed_so(addresses("www.example.", &[1]), &key, "example.", change);
    for (set, reason) in [
        (addresses("www.example.", &[1]), Reason::NoSignature),
        (with(|terms| terms.expiration = NOW - 2 * 3_600), Reason::Expired),
        (with(|terms| terms.inception = NOW + 61), Reason::NotYetValid),
        (with(|terms| terms.inception = terms.expiration), Reason::Expired),
        (with(|terms| terms.tag ^= 1), Reason::NoKey),
        (with(|terms| terms.algorithm = Algorithm::ECDSA_P256), Reason::NoKey),
        (with(|terms| terms.algorithm = Algorithm(16)), Reason::NoSignature),
        (with(|terms| terms.covered = RecordType::AAAA), Reason::NoSignature),
        (with(|terms| terms.labels = 3), Reason::BadSignature),
    ] {
        assert_eq!(verify(&set, &keys), Err(reason));
    }
}

#[test]
fn one_signature_that_holds_is_enough() {
    let (key, strange) = (zone_key(), self::key(9, sign::ZONE_KEY));
    let mut set = addresses("www.example.", &[1]);
    key.sign_set(&mut set, &name("example."), NOW - 9 * DAY, NOW - 8 * DAY).unwrap();
    strange.sign_set(&mut set, &name("example."), NOW - DAY, NOW + DAY).unwrap();
    assert_eq!(verify(&set, &keys_of("example.", &key)), Err(Reason::Expired));
    key.sign_set(&mut set, &name("example."), NOW - DAY, NOW + DAY).unwrap();
    assert!(verify(&set, &keys_of("example.", &key)).is_ok());
}

#[test]
fn what_an_expired_signature_still_covers_is_short() {
    let key = zone_key();
    let at = |wall: u32| {
        let set = signed(addresses("www.example.", &[1]), &key, "example.");
        verify_set(&set, &keys_of("example.", &key), wall, &mut Budget::default()).map(|verified| verified.expires_in)
    };
    assert_eq!(at(NOW - DAY - 60), Ok(2 * DAY + 60), "a slow clock is forgiven a minute");
    assert!(at(NOW - DAY - 61).is_err());
    assert_eq!(at(NOW + DAY - 100), Ok(100));
    assert_eq!(at(NOW + DAY), Ok(60));
    assert_eq!(at(NOW + DAY + 3_590), Ok(10), "and what expired, an hour");
    assert!(at(NOW + DAY + 3_601).is_err());
}

/// RFC 4034 §3.1.5: times are serial numbers, so 2038 and 2106 are days like others.
#[test]
fn no_year_is_special() {
    let key = zone_key();
    for wall in [1_u32 << 31, 0, u32::MAX, DAY / 2, u32::MAX - DAY / 2] {
        let mut set = addresses("www.example.", &[1]);
        key.sign_set(&mut set, &name("example."), wall.wrapping_sub(DAY), wall.wrapping_add(DAY)).unwrap();
        let told = |wall: u32| verify_set(&set, &keys_of("example.", &key), wall, &mut Budget::default());
        assert_eq!(told(wall).map(|verified| verified.expires_in), Ok(DAY), "{wall}");
        assert_eq!(told(wall.wrapping_add(3 * DAY)).unwrap_err().reason, Reason::Expired);
        assert_eq!(told(wall.wrapping_sub(3 * DAY)).unwrap_err().reason, Reason::NotYetValid);
    }
}

#[test]
fn no_ttl_is_longer_than_the_zones_or_the_signatures() {
    let key = zone_key();
    let long = signed(RrSet { ttl: 90_000, ..addresses("www.example.", &[1]) }, &key, "example.");
    assert_eq!(verify(&long, &keys_of("example.", &key)).unwrap().ttl_max(), DAY);
    let raised = RrSet { ttl: 90_000, ..signed(addresses("www.example.", &[1]), &key, "example.") };
    assert_eq!(verify(&raised, &keys_of("example.", &key)).unwrap().ttl_max(), 300);
}

#[test]
fn keys_that_must_not_sign_data_do_not() {
    for flags in [0, sign::ZONE_KEY | super::key::REVOKE] {
        let key = key(1, flags);
        let set = signed(addresses("www.example.", &[1]), &key, "example.");
        assert_eq!(verify(&set, &keys_of("example.", &key)), Err(Reason::NoKey), "flags {flags}");
    }
    let key = zone_key();
    let set = signed(addresses("www.example.", &[1]), &key, "example.");
    let mut rdata = key.public().rdata().to_vec();
    rdata[2] = 2; // the protocol
    let wrong = PublicKey::parse(&rdata).unwrap();
    assert!(!wrong.is_usable());
    let keys = ZoneKeys::of(name("example."), [wrong]);
    assert_eq!(verify(&set, &keys), Err(Reason::NoKey));
}

/// Sets with many signatures and zones with many keys of one tag (CVE-2023-50387) cost no more than others.
#[test]
fn no_set_costs_more_checks_than_its_bound() {
    let keys = colliding_keys(2);
    let set = wrongly_signed(&keys, 20);
    let mut budget = Budget::default();
    let zone = ZoneKeys::of(name("example."), keys);
    assert_eq!(verify_set(&set, &zone, NOW, &mut budget).unwrap_err().reason, Reason::BadSignature);
    assert_eq!(budget.checks(), bounds::SIGNATURES_PER_RRSET);
    assert_eq!(verify_set(&set, &zone, NOW, &mut budget).unwrap_err().reason, Reason::Spent);
    assert_eq!((budget.checks(), budget.is_spent()), (bounds::SIGNATURES_PER_RRSET, true));
}

#[test]
fn only_two_keys_of_a_tag_are_tried() {
    let keys = colliding_keys(30);
    let set = wrongly_signed(&keys, 1);
    let mut budget = Budget::default();
    assert!(verify_set(&set, &ZoneKeys::of(name("example."), keys), NOW, &mut budget).is_err());
    assert_eq!(budget.checks(), 2);
}

#[test]
fn keys_of_the_same_tag_are_told_apart() {
    let key = zone_key();
    let mut twin = colliding_keys(1).remove(0).rdata().to_vec();
    // Any key that has the same tag: its last two octets make up for the difference.
    let wanted = key.public().tag();
    let found = (0..=u16::MAX).find_map(|tail| {
        let at = twin.len() - 2;
        twin[at..].copy_from_slice(&tail.to_be_bytes());
        PublicKey::parse(&twin).ok().filter(|twin| twin.tag() == wanted)
    });
    let keys = ZoneKeys::of(name("example."), [found.unwrap(), key.public().clone()]);
    let set = signed(addresses("www.example.", &[1]), &key, "example.");
    let mut budget = Budget::default();
    assert!(verify_set(&set, &keys, NOW, &mut budget).is_ok());
    assert_eq!((budget.checks(), budget.failures()), (2, 1));
}

#[test]
fn what_a_query_may_cost_is_charged_whether_signatures_hold_or_not() {
    let key = zone_key();
    let set = signed(addresses("www.example.", &[1]), &key, "example.");
    let keys = keys_of("example.", &key);
    let mut budget = Budget::default();
    for _ in 0..bounds::SIGNATURES_PER_QUERY {
        assert!(verify_set(&set, &keys, NOW, &mut budget).is_ok());
    }
    assert_eq!(verify_set(&set, &keys, NOW, &mut budget).unwrap_err().reason, Reason::Spent);
}

/// Ed25519 keys that all have one tag: the octets of each pair sum up alike.
fn colliding_keys(count: u8) -> Vec<PublicKey> {
    let key = |number: u8| {
        let mut rdata = [[1, 0, 3, Algorithm::ED25519.0].as_slice(), &[7; 32]].concat();
        (rdata[10], rdata[12]) = (number, u8::MAX - number);
        PublicKey::parse(&rdata).unwrap()
    };
    let keys: Vec<PublicKey> = (0..count).map(key).collect();
    assert!(keys.iter().all(|key| key.tag() == keys[0].tag()));
    keys
}

/// A set with `count` signatures that name `keys` and fit none.
fn wrongly_signed(keys: &[PublicKey], count: u8) -> RrSet {
    let signer = zone_key();
    let mut set = addresses("www.example.", &[1]);
    let signature = |number: u8| {
        let mut terms = signer.terms(&set, &name("example."), NOW - DAY, NOW + DAY + u32::from(number));
        terms.tag = keys[0].tag();
        signer.sign(&set, &terms).unwrap()
    };
    set.signatures = (0..count).map(signature).collect();
    set
}
