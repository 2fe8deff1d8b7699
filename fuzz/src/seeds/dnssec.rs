//! What signed zones say: each kind of RDATA, and responses with signatures and denials. The first octet says what the rest
//! is.

use meridian::dns::dnssec::denial::{Nsec, nsec3};
use meridian::dns::dnssec::{Algorithm, SigningKey, sign};
use meridian::dns::{Message, Name, RecordType, RrSet};

use super::super::messages::{name, octets, record};

const NOW: u32 = 1_800_000_000;
const TYPES: [RecordType; 4] = [RecordType::A, RecordType::MX, RecordType::RRSIG, RecordType(1_234)];

/// All seeds.
pub(super) fn seeds() -> Vec<(String, Vec<u8>)> {
    let key = SigningKey::ed25519(&[1; 32], sign::ENTRY_KEY).expect("32 octets");
    let mut seeds = Vec::new();
    for (text, rdata) in rdatas(&key) {
        seeds.push((text, [&[0], rdata.as_slice()].concat()));
    }
    for (text, steps) in [
        ("unchanged", vec![]),
        ("another-owner", vec![0, 1, 2]),
        ("letter-case-of-the-owner", vec![0, 3, 0x20]),
        ("letter-case-of-rdata", vec![1, 5, 0x20]),
        ("another-record", vec![1, 3, 1]),
        ("another-signature", vec![2, 60, 1]),
        ("fewer-labels", vec![2, 5, 3]),
    ] {
        seeds.push((format!("changed-{text}"), [&[1], steps.as_slice()].concat()));
    }
    for (text, sets) in responses(&key) {
        seeds.extend(
            octets(&message(&sets)).map(|octets| (format!("message-{text}"), [&[2], octets.as_slice()].concat())),
        );
    }
    seeds
}

fn rdatas(key: &SigningKey) -> Vec<(String, Vec<u8>)> {
    let dnskey = |algorithm: Algorithm, octets: Vec<u8>| [&[1, 0, 3, algorithm.0], octets.as_slice()].concat();
    let apex = name("example.");
    let set = RrSet::new(name("www.example."), RecordType::A, 300, [[192, 0, 2, 1]]);
    let parameters = nsec3::Parameters { iterations: 12, salt: &[0xAA, 0xBB] };
    [
        ("ed25519", key.public().rdata().to_vec()),
        ("p256", dnskey(Algorithm::ECDSA_P256, vec![7; 64])),
        ("p384", dnskey(Algorithm::ECDSA_P384, vec![7; 96])),
        ("rsa", dnskey(Algorithm::RSA_SHA256, [&[3, 1, 0, 1], [0xC1; 256].as_slice()].concat())),
        (
            "rsa-long-exponent",
            dnskey(Algorithm::RSA_SHA512, [&[0, 0, 5, 1, 0, 0, 0, 1], [0xC1; 128].as_slice()].concat()),
        ),
        ("ds", key.ds(&apex).rdata()),
        ("rrsig", key.sign(&set, &key.terms(&set, &apex, NOW - 1, NOW + 1)).expect("Ed25519 needs no chance")),
        ("nsec", Nsec::compose(&name("b.example."), TYPES)),
        ("nsec3", nsec3::Nsec3::compose(parameters, true, &[7; 20], TYPES)),
    ]
    .map(|(text, rdata)| (format!("rdata-{text}"), rdata))
    .into()
}

fn responses(key: &SigningKey) -> Vec<(&'static str, Vec<RrSet>)> {
    let apex = name("example.");
    let plain = parameters(0);
    let nsec =
        |owner: &str, next: &str| RrSet::new(name(owner), RecordType::NSEC, 300, [Nsec::compose(&name(next), TYPES)]);
    let hashed = |from: nsec3::Hash, to: nsec3::Hash, iterations: u16| {
        let owner = apex.child(&nsec3::label(&from)).expect("a short name");
        let rdata = nsec3::Nsec3::compose(parameters(iterations), iterations == 1, &to, TYPES);
        RrSet::new(owner, RecordType::NSEC3, 300, [rdata])
    };
    let asked = RrSet::new(name("www.example."), RecordType::A, 300, [[192, 0, 2, 1]]);
    let expanded = {
        let mut star = RrSet::new(name("*.example."), RecordType::A, 300, [[192, 0, 2, 1]]);
        key.sign_set(&mut star, &apex, NOW - 1_000, NOW + 1_000).expect("Ed25519 needs no chance");
        RrSet { owner: name("www.example."), ..star }
    };
    let signed = |mut sets: Vec<RrSet>| {
        for set in &mut sets {
            key.sign_set(set, &apex, NOW - 1_000, NOW + 1_000).expect("Ed25519 needs no chance");
        }
        sets
    };
    let dnskeys = RrSet::new(apex.clone(), RecordType::DNSKEY, 300, [key.public().rdata()]);
    vec![
        ("keys", signed(vec![dnskeys])),
        ("answer", signed(vec![asked.clone()])),
        ("wildcard", [vec![expanded], signed(vec![nsec("a.example.", "example.")])].concat()),
        (
            "nxdomain-nsec",
            [vec![asked.clone()], signed(vec![nsec("example.", "a.example."), nsec("a.example.", "example.")])]
                .concat(),
        ),
        ("nodata-nsec", signed(vec![nsec("www.example.", "example.")])),
        ("nodata-nsec3", signed(vec![hashed(plain.hash(&asked.owner), [0xFF; 20], 0)])),
        (
            "opt-out",
            [vec![asked.clone()], signed(vec![hashed(parameters(1).hash(&apex), parameters(1).hash(&apex), 1)])]
                .concat(),
        ),
        ("iterates-too-often", [vec![asked], signed(vec![hashed([0; 20], [0xFF; 20], 51)])].concat()),
    ]
}

const fn parameters(iterations: u16) -> nsec3::Parameters<'static> {
    nsec3::Parameters { iterations, salt: &[0xAA] }
}

fn message(sets: &[RrSet]) -> Message {
    let mut message = Message { id: 7, ..Message::default() };
    message.flags.response = true;
    let add = |owner: &Name, rtype, rdata: &[u8]| record(owner, rtype, 300, rdata);
    for set in sets {
        let to = if matches!(set.rtype, RecordType::NSEC | RecordType::NSEC3) {
            &mut message.authority
        } else {
            &mut message.answer
        };
        to.extend(set.rdatas.iter().map(|rdata| add(&set.owner, set.rtype, rdata)));
        to.extend(set.signatures.iter().map(|rdata| add(&set.owner, RecordType::RRSIG, rdata)));
    }
    message
}
