//! The examples of the RFCs: each checks what somebody else made.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;

/// A record and its signature as an RFC prints them.
struct Vector {
    zone: &'static str,
    key: (u16, Algorithm, &'static str),
    tag: u16,
    ds: Option<(DigestType, &'static str)>,
    owner: &'static str,
    rtype: RecordType,
    rdata: fn() -> Vec<u8>,
    ttl: u32,
    expiration: u32,
    inception: u32,
    labels: u8,
    signature: &'static str,
}

fn address() -> Vec<u8> {
    vec![192, 0, 2, 1]
}

fn mail() -> Vec<u8> {
    [&[0, 10], name("mail.example.com.").wire()].concat()
}

const VECTORS: &[Vector] = &[
    // RFC 6605 §6.1
    Vector {
        zone: "example.net.",
        key: (
            257,
            Algorithm::ECDSA_P256,
            "GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA==",
        ),
        tag: 55_648,
        ds: Some((DigestType::SHA256, "b4c8c1fe2e7477127b27115656ad6256f424625bf5c1e2770ce6d6e37df61d17")),
        owner: "www.example.net.",
        rtype: RecordType::A,
        rdata: address,
        ttl: 3_600,
        expiration: 1_284_026_679,
        inception: 1_281_607_479,
        labels: 3,
        signature: "qx6wLYqmh+l9oCKTN6qIc+bw6ya+KJ8oMz0YP107epXAyGmt+3SNruPFKG7tZoLBLlUzGGus7ZwmwWep666VCw==",
    },
    // RFC 6605 §6.2
    Vector {
        zone: "example.net.",
        key: (
            257,
            Algorithm::ECDSA_P384,
            "xKYaNhWdGOfJ+nPrL8/arkwf2EY3MDJ+SErKivBVSum1w/egsXvSADtNJhyem5RCOpgQ6K8X1DRSEkrbYQ+OB+v8/uX45NBwY8rp65F6\
             Glur8I/mlVNgF6W/qTI37m40",
        ),
        tag: 10_771,
        ds: Some((
            DigestType::SHA384,
            "72d7b62976ce06438e9c0bf319013cf801f09ecc84b8d7e9495f27e305c6a9b0563a9b5f4d288405c3008a946df983d6",
        )),
        owner: "www.example.net.",
        rtype: RecordType::A,
        rdata: address,
        ttl: 3_600,
        expiration: 1_284_027_625,
        inception: 1_281_608_425,
        labels: 3,
        signature: "/L5hDKIvGDyI1fcARX3z65qrmPsVz73QD1Mr5CEqOiLP95hxQouuroGCeZOvzFaxsT8Glr74hbavRKayJNuydCuzWTSSPdz7wnqXL5bd\
                    cJzusdnI0RSMROxxwGipWcJm",
    },
    // RFC 8080 §6.1
    Vector {
        zone: "example.com.",
        key: (257, Algorithm::ED25519, "l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4="),
        tag: 3_613,
        ds: Some((DigestType::SHA256, "3aa5ab37efce57f737fc1627013fee07bdf241bd10f3b1964ab55c78e79a304b")),
        owner: "example.com.",
        rtype: RecordType::MX,
        rdata: mail,
        ttl: 3_600,
        expiration: 1_440_021_600,
        inception: 1_438_207_200,
        labels: 2,
        signature: "oL9krJun7xfBOIWcGHi7mag5/hdZrKWw15jPGrHpjQeRAvTdszaPD+QLs3fx8A4M3e23mRZ9VrbpMngwcrqNAg==",
    },
    Vector {
        zone: "example.com.",
        key: (257, Algorithm::ED25519, "zPnZ/QwEe7S8C5SPz2OfS5RR40ATk2/rYnE9xHIEijs="),
        tag: 35_217,
        ds: Some((DigestType::SHA256, "401781b934e392de492ec77ae2e15d70f6575a1c0bc59c5275c04ebe80c6614c")),
        owner: "example.com.",
        rtype: RecordType::MX,
        rdata: mail,
        ttl: 3_600,
        expiration: 1_440_021_600,
        inception: 1_438_207_200,
        labels: 2,
        signature: "zXQ0bkYgQTEFyfLyi9QoiY6D8ZdYo4wyUhVioYZXFdT410QPRITQSqJSnzQoSm5poJ7gD7AQR0O7KuI5k2pcBg==",
    },
    // RFC 5702 §6.2
    Vector {
        zone: "example.net.",
        key: (
            256,
            Algorithm::RSA_SHA512,
            "AwEAAdHoNTOW+et86KuJOWRDp1pndvwb6Y83nSVXXyLA3DLroROUkN6X0O6pnWnjJQujX/AyhqFDxj13tOnD9u/1kTg7cV6rklMrZDtJ\
             CQ5PCl/D7QNPsgVsMu1J2Q8gpMpztNFLpPBz1bWXjDtaR7ZQBlZ3PFY12ZTSncorffcGmhOL",
        ),
        tag: 3_740,
        ds: None,
        owner: "www.example.net.",
        rtype: RecordType::A,
        rdata: || vec![192, 0, 2, 91],
        ttl: 3_600,
        expiration: 1_893_456_000,
        inception: 946_684_800,
        labels: 3,
        signature: "tsb4wnjRUDnB1BUi+t6TMTXThjVnG+eCkWqjvvjhzQL1d0YRoOe0CbxrVDYd0xDtsuJRaeUw1ep94PzEWzr0iGYgZBWm/zpq+9fOuagY\
                    JRfDqfReKBzMweOLDiNa8iP5g9vMhpuv6OPlvpXwm9Sa9ZXIbNl1MBGk0fthPgxdDLw=",
    },
];

fn octets(text: &str) -> Vec<u8> {
    STANDARD.decode(text).unwrap()
}

fn hex(octets: &[u8]) -> String {
    use std::fmt::Write;
    octets.iter().fold(String::new(), |mut text, octet| {
        write!(text, "{octet:02x}").unwrap();
        text
    })
}

fn public((flags, algorithm, text): (u16, Algorithm, &str)) -> PublicKey {
    let front = [flags.to_be_bytes(), [3, algorithm.0]].concat();
    PublicKey::parse(&[front, octets(text)].concat()).unwrap()
}

/// The set of a vector with its signature.
fn set(vector: &Vector) -> RrSet {
    let mut rdata = vector.rtype.0.to_be_bytes().to_vec();
    rdata.extend_from_slice(&[vector.key.1.0, vector.labels]);
    for number in [vector.ttl, vector.expiration, vector.inception] {
        rdata.extend_from_slice(&number.to_be_bytes());
    }
    rdata.extend_from_slice(&vector.tag.to_be_bytes());
    rdata.extend_from_slice(name(vector.zone).wire());
    rdata.extend_from_slice(&octets(vector.signature));
    let mut set = RrSet::new(name(vector.owner), vector.rtype, vector.ttl, [(vector.rdata)()]);
    set.signatures = [rdata].into_iter().collect();
    set
}

#[test]
fn the_signatures_that_the_rfcs_print_hold() {
    for vector in VECTORS {
        let key = public(vector.key);
        assert_eq!(key.tag(), vector.tag, "{key:?}");
        assert!(key.is_eligible(), "{key:?}");
        if let Some((digest_type, digest)) = vector.ds {
            let ds = Ds::of(&name(vector.zone), &key, digest_type).unwrap();
            assert_eq!(hex(&ds.digest), digest);
        }
        let keys = ZoneKeys::of(name(vector.zone), [key]);
        let verified = verify_set(&set(vector), &keys, vector.expiration - 60, &mut Budget::default());
        let expected = Verified { expires_in: 60, original_ttl: vector.ttl, encloser: None };
        assert_eq!(verified, Ok(expected.clone()), "{:?}", vector.key);
    }
}

#[test]
fn a_signature_with_any_octet_changed_does_not_hold() {
    for vector in VECTORS {
        let keys = ZoneKeys::of(name(vector.zone), [public(vector.key)]);
        let whole = set(vector);
        let rdata = whole.signatures.iter().next().unwrap().to_vec();
        for at in 0..rdata.len() {
            let mut changed = rdata.clone();
            changed[at] ^= 1;
            let mut set = whole.clone();
            set.signatures = [changed].into_iter().collect();
            let verified = verify_set(&set, &keys, vector.inception + 60, &mut Budget::default());
            assert!(verified.is_err(), "octet {at} of {:?}", vector.key.1);
        }
    }
}

/// RFC 5702 §6.1 signs with 512 bits, which can be broken today.
#[test]
fn rsa_keys_of_less_than_1024_bits_are_not_used() {
    let short = public((
        256,
        Algorithm::RSA_SHA256,
        "AwEAAcFcGsaxxdgiuuGmCkVImy4h99CqT7jwY3pexPGcnUFtR2Fh36BponcwtkZ4cAgtvd4Qs8PkxUdp6p/DlUmObdk=",
    ));
    assert_eq!((short.tag(), short.is_usable()), (9_033, false));
}

#[test]
fn the_roots_key_has_the_tag_that_everybody_knows() {
    let root = public((
        257,
        Algorithm::RSA_SHA256,
        "AwEAAaz/tAm8yTn4Mfeh5eyI96WSVexTBAvkMgJzkKTOiW1vkIbzxeF3+/4RgWOq7HrxRixHlFlExOLAJr5emLvN7SWXgnLh4+B5xQlNVz8O\
         g8kvArMtNROxVQuCaSnIDdD5LKyWbRd2n9WGe2R8PzgCmr3EgVLrjyBxWezF0jLHwVN8efS3rCj/EWgvIWgb9tarpVUDK/b58Da+sqqls3eN\
         buv7pr+eoZG+SrDK6nWeL3c6H5Apxz7LjVc1uTIdsIXxuOLYA4/ilBmSVIzuDWfdRUfhHdY6+cn8HFRm+2hM8AnXGXws9555KrUB5qihylGa\
         8subX2Nn6UwNR1AkUTV74bU=",
    ));
    assert_eq!((root.tag(), root.is_sep(), root.is_eligible()), (20_326, true, true));
    let ds = Ds::sha256(&Name::root(), &root);
    assert_eq!(hex(&ds.digest), "e06d44b80b8f1d39a95c0b0d7c65d08458e880409bbc683457104237c7f8ec8d");
}

/// RFC 5155 appendix A.
#[test]
fn names_are_hashed_as_rfc_5155_prints_them() {
    let parameters = denial::nsec3::Parameters { iterations: 12, salt: &[0xaa, 0xbb, 0xcc, 0xdd] };
    for (text, hash) in [
        ("example.", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"),
        ("a.example.", "35mthgpgcu1qg68fab165klnsnk3dpvl"),
        ("ai.example.", "gjeqe526plbf1g8mklp59enfd789njgi"),
        ("ns1.example.", "2t7b4g4vsa5smi47k61mv5bv1a22bojr"),
        ("ns2.example.", "q04jkcevqvmu85r014c7dkba38o0ji5r"),
        ("W.Example.", "k8udemvp1j2f7eg6jebps17vp3n8i58h"),
        ("*.w.example.", "r53bq7cc2uvmubfu5ocmm6pers9tk9en"),
        ("x.w.example.", "b4um86eghhds6nea196smvmlo4ors995"),
        ("y.w.example.", "ji6neoaepv8b5o6k4ev33abha8ht9fgc"),
        ("x.y.w.example.", "2vptu5timamqttgl4luu9kg21e0aor3s"),
        ("xx.example.", "t644ebqk9bibcna874givr6joj62mlhv"),
    ] {
        assert_eq!(denial::nsec3::label(&parameters.hash(&name(text))), hash.as_bytes(), "{text}");
    }
}
