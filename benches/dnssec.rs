//! Checking signatures and denials: `cargo bench --bench dnssec`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark on its own machine")]

use divan::{Bencher, black_box};
use meridian::dns::dnssec::denial::nsec3;
use meridian::dns::dnssec::{
    Algorithm, Budget, Proofs, PublicKey, SigningKey, ZoneKeys, canonical, sign, trusted_keys, verify_set,
};
use meridian::dns::{Name, RecordType, RrSet};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair};

fn main() {
    divan::main();
}

const NOW: u32 = 1_800_000_000;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn key(algorithm: Algorithm) -> SigningKey {
    match algorithm {
        Algorithm::ED25519 => SigningKey::ed25519(&[1; 32], sign::ENTRY_KEY).unwrap(),
        Algorithm::ECDSA_P384 => {
            let curve = &ECDSA_P384_SHA384_FIXED_SIGNING;
            let pkcs8 = EcdsaKeyPair::generate_pkcs8(curve, &SystemRandom::new()).unwrap();
            SigningKey::ecdsa(algorithm, pkcs8.as_ref(), sign::ENTRY_KEY).unwrap()
        }
        _ => SigningKey::generate(sign::ENTRY_KEY).unwrap(),
    }
}

fn addresses() -> RrSet {
    RrSet::new(name("www.example."), RecordType::A, 300, [[192, 0, 2, 1], [192, 0, 2, 2]])
}

const ALGORITHMS: [Algorithm; 3] = [Algorithm::ECDSA_P256, Algorithm::ED25519, Algorithm::ECDSA_P384];

#[divan::bench(args = ALGORITHMS)]
fn verify_two_addresses(bencher: Bencher<'_, '_>, algorithm: Algorithm) {
    let key = key(algorithm);
    let mut set = addresses();
    key.sign_set(&mut set, &name("example."), NOW - 60, NOW + 60).unwrap();
    let keys = ZoneKeys::of(name("example."), [key.public().clone()]);
    bencher.bench_local(|| verify_set(black_box(&set), &keys, NOW, &mut Budget::default()).unwrap());
}

#[divan::bench(args = ALGORITHMS)]
fn trust_a_zones_keys(bencher: Bencher<'_, '_>, algorithm: Algorithm) {
    let key = key(algorithm);
    let mut set = RrSet::new(name("example."), RecordType::DNSKEY, 300, [key.public().rdata()]);
    key.sign_set(&mut set, &name("example."), NOW - 60, NOW + 60).unwrap();
    let ds = [key.ds(&name("example."))];
    bencher.bench_local(|| trusted_keys(black_box(&set), &ds, NOW, &mut Budget::default()).unwrap());
}

/// A signature that does not fit costs as much as one that does.
#[divan::bench(args = [1_024, 2_048, 4_096])]
fn refuse_by_rsa(bencher: Bencher<'_, '_>, bits: usize) {
    let octets = [&[3, 1, 0, 1], vec![0xC1; bits / 8].as_slice()].concat();
    let rdata = [&[1, 0, 3, Algorithm::RSA_SHA256.0], octets.as_slice()].concat();
    let key = PublicKey::parse(&rdata).unwrap();
    let signature = vec![0x55; bits / 8];
    assert!(key.is_usable());
    bencher.bench_local(|| key.fits(black_box(&[7; 100]), black_box(&signature)));
}

#[divan::bench(args = [0, 1, 50])]
fn hash_a_name(bencher: Bencher<'_, '_>, iterations: u16) {
    let parameters = nsec3::Parameters { iterations, salt: &[7; 8] };
    let name = name("www.some-longer-label.example.");
    bencher.bench_local(|| parameters.hash(black_box(&name)));
}

#[divan::bench]
fn prove_nxdomain_by_nsec3(bencher: Bencher<'_, '_>) {
    let apex = name("example.");
    let parameters = nsec3::Parameters { iterations: 0, salt: b"" };
    let set = |from: nsec3::Hash, to: nsec3::Hash| {
        let owner = apex.child(&nsec3::label(&from)).unwrap();
        RrSet::new(owner, RecordType::NSEC3, 300, [nsec3::Nsec3::compose(parameters, false, &to, [RecordType::SOA])])
    };
    let own = parameters.hash(&apex);
    let sets = [set(own, own)];
    let name = name("www.example.");
    bencher.bench_local(|| {
        let proofs = Proofs::of(&apex, black_box(&sets));
        proofs.nxdomain(&name, &mut Budget::default()).unwrap()
    });
}

#[divan::bench]
fn canonical_form_of_mx(bencher: Bencher<'_, '_>) {
    let rdata = [&[0, 10], name("Mail.Example.").wire()].concat();
    bencher.bench_local(|| canonical::rdata(RecordType::MX, black_box(&rdata)).len());
}
