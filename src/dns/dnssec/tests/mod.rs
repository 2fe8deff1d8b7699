//! Stories of signed records; the parts of their world.

mod denials;
mod proofs;
mod signatures;
mod trust;
mod vectors;
mod zone;

use super::*;
use crate::dns::{Name, RecordType, RrSet};

/// A moment of the tests, seconds since 1970.
const NOW: u32 = 1_800_000_000;
const DAY: u32 = 86_400;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn addresses(owner: &str, last: &[u8]) -> RrSet {
    RrSet::new(name(owner), RecordType::A, 300, last.iter().map(|last| [192, 0, 2, *last]))
}

/// A key that is the same in every run.
fn key(number: u8, flags: u16) -> SigningKey {
    SigningKey::ed25519(&[number; 32], flags).unwrap()
}

fn zone_key() -> SigningKey {
    key(1, sign::ZONE_KEY)
}

fn keys_of(zone: &str, key: &SigningKey) -> ZoneKeys {
    ZoneKeys::of(name(zone), [key.public().clone()])
}

/// `set` with a signature of `zone` that holds now.
fn signed(mut set: RrSet, key: &SigningKey, zone: &str) -> RrSet {
    key.sign_set(&mut set, &name(zone), NOW - DAY, NOW + DAY).unwrap();
    set
}

/// `set` with the one signature that `change` makes of the usual terms.
fn signed_so(mut set: RrSet, key: &SigningKey, zone: &str, change: impl FnOnce(&mut Terms)) -> RrSet {
    let mut terms = key.terms(&set, &name(zone), NOW - DAY, NOW + DAY);
    change(&mut terms);
    set.signatures = [key.sign(&set, &terms).unwrap()].into_iter().collect();
    set
}

#[track_caller]
fn verify(set: &RrSet, keys: &ZoneKeys) -> Result<Verified, Reason> {
    verify_set(set, keys, NOW, &mut Budget::default()).map_err(|bogus| bogus.reason)
}
