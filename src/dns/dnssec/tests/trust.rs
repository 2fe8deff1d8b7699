//! Which keys DS records lead to.

use super::*;
use crate::base::bounds;

const ZONE: &str = "example.";

fn entry_key() -> SigningKey {
    key(2, sign::ENTRY_KEY)
}

/// The DNSKEY RRset of `keys`, signed by `signer`.
fn key_set(keys: &[&SigningKey], signer: &SigningKey) -> RrSet {
    let rdatas = keys.iter().map(|key| key.public().rdata());
    signed(RrSet::new(name(ZONE), RecordType::DNSKEY, 3_600, rdatas), signer, ZONE)
}

fn trust(set: &RrSet, ds: &[Ds]) -> Result<Trusted, Untrusted> {
    trusted_keys(set, ds, NOW, &mut Budget::default())
}

fn reason(told: Result<Trusted, Untrusted>) -> Option<Reason> {
    match told {
        Err(Untrusted::Bogus(bogus)) => Some(bogus.reason),
        _ => None,
    }
}

#[test]
fn a_key_that_ds_speaks_of_vouches_for_the_others() {
    let (entry, zone) = (entry_key(), zone_key());
    let told = trust(&key_set(&[&entry, &zone], &entry), &[entry.ds(&name(ZONE))]).unwrap();
    assert_eq!(told.keys, ZoneKeys::of(name(ZONE), [entry.public().clone(), zone.public().clone()]));
    assert_eq!(told.verified.ttl_max(), 3_600);
    let set = signed(addresses("www.example.", &[1]), &zone, ZONE);
    assert!(verify(&set, &told.keys).is_ok());
}

#[test]
fn a_key_that_no_ds_speaks_of_vouches_for_none() {
    let (entry, zone) = (entry_key(), zone_key());
    let ds = entry.ds(&name(ZONE));
    let by_another = key_set(&[&entry, &zone], &zone);
    assert_eq!(reason(trust(&by_another, std::slice::from_ref(&ds))), Some(Reason::NoKey));
    let without = key_set(&[&zone], &zone);
    assert_eq!(reason(trust(&without, &[ds])), Some(Reason::NoKey));
    let unsigned = RrSet { signatures: crate::dns::Rdatas::default(), ..key_set(&[&entry], &entry) };
    assert_eq!(reason(trust(&unsigned, &[entry.ds(&name(ZONE))])), Some(Reason::NoSignature));
}

#[test]
fn a_ds_of_another_zone_or_digest_fits_no_key() {
    let entry = entry_key();
    let set = key_set(&[&entry], &entry);
    assert_eq!(reason(trust(&set, &[entry.ds(&name("other."))])), Some(Reason::NoKey));
    let mut changed = entry.ds(&name(ZONE));
    changed.digest[31] ^= 1;
    assert_eq!(reason(trust(&set, &[changed])), Some(Reason::NoKey));
    let mut cut = entry.ds(&name(ZONE));
    cut.digest = cut.digest[..16].into();
    assert_eq!(reason(trust(&set, &[cut])), Some(Reason::NoKey));
    assert_eq!(reason(trust(&set, &[])), Some(Reason::NoKey));
}

#[test]
fn every_known_digest_is_compared() {
    let entry = entry_key();
    let set = key_set(&[&entry], &entry);
    for digest_type in [DigestType::SHA1, DigestType::SHA256, DigestType::SHA384] {
        let ds = Ds::of(&name("EXAMPLE."), entry.public(), digest_type).unwrap();
        assert_eq!(Ds::parse(&ds.rdata()).as_ref(), Ok(&ds));
        assert!(trust(&set, &[ds]).is_ok(), "{digest_type:?}");
    }
}

/// RFC 4509 §3.
#[test]
fn sha1_counts_only_where_there_is_nothing_better() {
    let entry = entry_key();
    let set = key_set(&[&entry], &entry);
    let weak = Ds::of(&name(ZONE), entry.public(), DigestType::SHA1).unwrap();
    let mut better = entry.ds(&name(ZONE));
    better.digest[0] ^= 1;
    assert_eq!(reason(trust(&set, &[weak.clone(), better.clone()])), Some(Reason::NoKey));
    better.algorithm = Algorithm(16);
    assert!(trust(&set, &[weak, better]).is_ok(), "one of an unknown algorithm is not better");
}

#[test]
fn a_zone_whose_ds_are_all_unknown_counts_as_unsigned() {
    let entry = entry_key();
    let set = key_set(&[&entry], &entry);
    let code = |ds: &[Ds]| match trust(&set, ds) {
        Err(Untrusted::Unsupported(ede)) => Some(ede.code),
        _ => None,
    };
    let algorithm = Ds { algorithm: Algorithm(16), ..entry.ds(&name(ZONE)) };
    let digest = Ds { digest_type: DigestType(3), ..entry.ds(&name(ZONE)) };
    assert_eq!(code(std::slice::from_ref(&algorithm)), Some(EdeCode::UnsupportedAlgorithm));
    assert_eq!(code(std::slice::from_ref(&digest)), Some(EdeCode::UnsupportedDigest));
    assert_eq!(code(&[algorithm.clone(), entry.ds(&name(ZONE))]), None, "one that is known counts");
    assert!(trust(&set, &[algorithm, digest, entry.ds(&name(ZONE))]).is_ok());
}

#[test]
fn keys_without_the_zone_bit_and_revoked_ones_are_no_entry() {
    let plain = key(3, sign::ENTRY_KEY & !sign::ZONE_KEY);
    assert_eq!(reason(trust(&key_set(&[&plain], &plain), &[plain.ds(&name(ZONE))])), Some(Reason::NoZoneKey));
    let revoked = key(3, sign::ENTRY_KEY | super::key::REVOKE);
    assert_eq!(reason(trust(&key_set(&[&revoked], &revoked), &[revoked.ds(&name(ZONE))])), Some(Reason::NoKey));
}

#[test]
fn a_key_revokes_itself_by_its_own_signature_alone() {
    let (old, new) = (key(3, sign::ENTRY_KEY | super::key::REVOKE), entry_key());
    let told = |set: &RrSet, key: &SigningKey| {
        is_revoked_by_itself(set, key.public(), NOW, &mut Budget::default()).map_err(|bogus| bogus.reason)
    };
    assert!(told(&key_set(&[&old, &new], &old), &old).is_ok());
    assert_eq!(told(&key_set(&[&old, &new], &new), &old), Err(Reason::NoKey), "another's word is none");
    assert_eq!(told(&key_set(&[&old, &new], &new), &new), Err(Reason::NoKey), "it is not revoked");
    assert_eq!(told(&key_set(&[&new], &old), &old), Err(Reason::NoKey), "it is not there");
}

/// The DNSKEY record is one of its zone's apex: none of a wildcard.
#[test]
fn keys_are_not_made_from_a_wildcard() {
    let entry = entry_key();
    let unsigned = RrSet::new(name(ZONE), RecordType::DNSKEY, 3_600, [entry.public().rdata()]);
    let set = signed_so(unsigned, &entry, ZONE, |terms| terms.labels = 0);
    assert_eq!(reason(trust(&set, &[entry.ds(&name(ZONE))])), Some(Reason::BadSignature));
}

#[test]
fn only_so_many_ds_are_compared() {
    let entry = entry_key();
    let set = key_set(&[&entry], &entry);
    let wrong = Ds { digest: [0; 32].into(), ..entry.ds(&name(ZONE)) };
    let with = |count: usize| [vec![wrong.clone(); count], vec![entry.ds(&name(ZONE))]].concat();
    assert!(trust(&set, &with(bounds::DS_PER_ZONE - 1)).is_ok());
    assert_eq!(reason(trust(&set, &with(bounds::DS_PER_ZONE))), Some(Reason::NoKey));
}

#[test]
fn records_that_are_too_short_are_no_keys() {
    assert_eq!(PublicKey::parse(&[1, 0, 3]), Err(Malformed));
    assert!(!PublicKey::parse(&[1, 0, 3, 15]).unwrap().is_usable());
    assert_eq!(Ds::parse(&[0, 1, 15, 2]), Err(Malformed));
    assert_eq!(Signature::parse(&[0; 19]), Err(Malformed), "without signature");
}

#[test]
fn the_signer_is_the_deepest_zone_that_may_have_signed() {
    let key = zone_key();
    let mut set = signed(addresses("a.b.example.", &[1]), &key, "example.");
    key.sign_set(&mut set, &name("b.example."), 0, 1).unwrap();
    key.sign_set(&mut set, &name("c.a.b.example."), 0, 1).unwrap();
    key.sign_set(&mut set, &name("other."), 0, 1).unwrap();
    assert_eq!(signer(&set), Some(name("b.example.")));
    assert_eq!(signer(&addresses("a.example.", &[1])), None);
    let ds = RrSet::new(name("b.example."), RecordType::DS, 300, [key.ds(&name("b.example.")).rdata()]);
    let mut ds = signed(ds, &key, "b.example.");
    assert_eq!(signer(&ds), None);
    key.sign_set(&mut ds, &name("example."), 0, 1).unwrap();
    assert_eq!(signer(&ds), Some(name("example.")));
}
