//! Keys that come, stay, revoke themselves and go, told by a zone that is signed for real.

use std::ops::Range;

use super::*;
use crate::dns::Name;
use crate::dns::dnssec::SigningKey;

const DAY: u64 = 86_400;
/// 2026-10-01.
const START: u64 = 1_790_812_800;
const KSK: u16 = 0x0101;

fn root() -> Name {
    Name::root()
}

fn key(seed: u8) -> SigningKey {
    SigningKey::ed25519(&[seed; 32], KSK).unwrap()
}

/// The same key, which revokes itself.
fn revoked(seed: u8) -> SigningKey {
    SigningKey::ed25519(&[seed; 32], KSK | 0x0080).unwrap()
}

fn ds(keys: &[&SigningKey]) -> RrSet {
    RrSet::new(root(), RecordType::DS, 0, keys.iter().map(|key| key.ds(&root()).rdata()))
}

/// The zone's DNSKEY RRset at a moment: all these keys, signed by some of them.
fn dnskeys(keys: &[&SigningKey], signers: &[&SigningKey], wall: u64) -> RrSet {
    let mut set = RrSet::new(root(), RecordType::DNSKEY, 172_800, keys.iter().map(|key| key.public().rdata()));
    for signer in signers {
        signer.sign_set(&mut set, &root(), (wall - DAY) as u32, (wall + 20 * DAY) as u32).unwrap();
    }
    set
}

/// How each key stands, by its tag.
fn standing(rollover: &Rollover) -> Vec<(u16, State)> {
    rollover.keys().iter().map(|key| (key.key.tag(), key.state)).collect()
}

/// Looks at the zone when it is due, on all days of `days`. It is started anew before each look.
fn live(rollover: &mut Rollover, days: Range<u64>, mut zone: impl FnMut(u64) -> RrSet) -> Vec<(u64, String)> {
    let mut told = Vec::new();
    for hour in days.start * 24..days.end * 24 {
        let wall = START + hour * 3_600;
        if rollover.poll_timeout(wall) > wall {
            continue;
        }
        *rollover = saved::parse(&saved::compose([&*rollover])).unwrap().remove(0);
        let changes = rollover.handle_keys(&zone(wall), wall);
        told.extend(changes.into_iter().map(|change| (hour / 24, change.to_string())));
    }
    told
}

#[test]
fn the_roots_keys_are_followed_through_a_whole_roll() {
    let (old, new, zsk) = (key(1), key(2), SigningKey::ed25519(&[9; 32], 0x0100).unwrap());
    let gone = revoked(1);
    let mut rollover = Rollover::new(ds(&[&old]));
    let tags = [old.public().tag(), new.public().tag()];
    let told = live(&mut rollover, 0..10, |wall| dnskeys(&[&old, &zsk], &[&old], wall));
    assert_eq!(
        told,
        [(0, format!("the key {} of . is trusted", tags[0]))],
        "as it is written; no other key signs keys"
    );
    // The new key is published for long, before it signs.
    let told = live(&mut rollover, 10..60, |wall| dnskeys(&[&old, &new, &zsk], &[&old], wall));
    assert_eq!(told[0], (10, format!("the key {} of . is new: it is trusted if it stays for 30 days", tags[1])));
    assert!(told[1].0 >= 40 && told[1].0 <= 41 && told[1].1.ends_with("is trusted"), "{told:?}");
    // The roll: from one look to the next, the new one alone signs.
    let told = live(&mut rollover, 60..150, |wall| dnskeys(&[&old, &new, &zsk], &[&new], wall));
    assert_eq!(told, []);
    assert_eq!(standing(&rollover), [(tags[0], State::Valid), (tags[1], State::Valid)]);
    // The old one revokes itself, and leaves.
    let told = live(&mut rollover, 150..170, |wall| dnskeys(&[&gone, &new, &zsk], &[&gone, &new], wall));
    assert_eq!(told, [(150, format!("the key {} of . has revoked itself: it is trusted no more", tags[0]))]);
    assert!(!rollover.is_authentic(&dnskeys(&[&old], &[&old], START + 170 * DAY), START + 170 * DAY), "nobody's word");
    let told = live(&mut rollover, 170..200, |wall| dnskeys(&[&new, &zsk], &[&new], wall));
    assert!(told.len() == 1 && told[0].0 >= 180 && told[0].1.ends_with("is forgotten"), "{told:?}");
    assert_eq!(rollover.trusted(), ds(&[&new]));
    // Whoever has the old key by now cannot have it trusted again, though the operator's file still names it.
    let told = live(&mut rollover, 200..260, |wall| dnskeys(&[&old, &new, &zsk], &[&old, &new], wall));
    assert_eq!((told, rollover.trusted()), (vec![], ds(&[&new])));
}

#[test]
fn a_key_that_leaves_before_its_time_begins_anew() {
    let (own, other) = (key(1), key(2));
    let mut rollover = Rollover::new(ds(&[&own]));
    live(&mut rollover, 0..29, |wall| dnskeys(&[&own, &other], &[&own], wall));
    let told = live(&mut rollover, 29..32, |wall| dnskeys(&[&own], &[&own], wall));
    assert!(told[0].1.ends_with("is forgotten"), "{told:?}");
    live(&mut rollover, 32..61, |wall| dnskeys(&[&own, &other], &[&own], wall));
    assert_eq!(rollover.trusted(), ds(&[&own]));
    live(&mut rollover, 61..64, |wall| dnskeys(&[&own, &other], &[&own], wall));
    assert_eq!(rollover.trusted(), ds(&[&own, &other]));
}

#[test]
fn what_is_not_authentic_teaches_nothing() {
    let (own, thief) = (key(1), key(2));
    let mut rollover = Rollover::new(ds(&[&own]));
    live(&mut rollover, 0..1, |wall| dnskeys(&[&own], &[&own], wall));
    let before = rollover.keys().to_vec();
    let told = live(&mut rollover, 1..90, |wall| dnskeys(&[&thief], &[&thief], wall));
    assert_eq!((told, rollover.keys()), (vec![], before.as_slice()));
    // A flag alone revokes nothing: the key itself has to sign.
    let told = live(&mut rollover, 90..92, |wall| dnskeys(&[&own, &revoked(2)], &[&own], wall));
    assert_eq!(told, []);
    let stolen = dnskeys(&[&own, &revoked(1)], &[&own], START + 93 * DAY);
    assert_eq!(rollover.handle_keys(&stolen, START + 93 * DAY), [], "the flag stands there, its signature does not");
}

#[test]
fn a_key_that_signs_the_zones_data_has_no_say_on_what_is_trusted() {
    let (own, thief, zsk) = (key(1), key(2), SigningKey::ed25519(&[9; 32], 0x0100).unwrap());
    let mut rollover = Rollover::new(ds(&[&own]));
    live(&mut rollover, 0..1, |wall| dnskeys(&[&own, &zsk], &[&own], wall));
    let before = rollover.keys().to_vec();
    let told = live(&mut rollover, 1..90, |wall| dnskeys(&[&own, &thief, &zsk], &[&zsk], wall));
    assert_eq!((told, rollover.keys()), (vec![], before.as_slice()), "its signature is one by the zone, and stolen");
}

#[test]
fn a_key_that_revokes_itself_needs_nobody_elses_word() {
    let (own, new) = (key(1), key(2));
    let mut rollover = Rollover::new(ds(&[&own]));
    live(&mut rollover, 0..1, |wall| dnskeys(&[&own], &[&own], wall));
    let told = live(&mut rollover, 1..4, |wall| dnskeys(&[&revoked(1), &new], &[&revoked(1), &new], wall));
    assert!(told.len() == 1 && told[0].1.ends_with("it is trusted no more"), "{told:?}");
    assert_eq!((rollover.trusted().rdatas.len(), rollover.keys().len()), (0, 1), "nobody vouches for the new one");
    // A crowd of new keys does not hide it.
    let many: Vec<SigningKey> = (10..60).map(key).collect();
    let other = key(3);
    let mut all: Vec<&SigningKey> = many.iter().chain([&other]).collect();
    let gone = revoked(1);
    all.push(&gone);
    let mut crowded = Rollover::new(ds(&[&own, &other]));
    live(&mut crowded, 0..1, |wall| dnskeys(&all, &[&gone, &other], wall));
    assert_eq!(crowded.trusted(), ds(&[&other]));
}

#[test]
fn a_key_that_is_missing_stays_trusted_and_one_that_nobody_wrote_is_forgotten_after_a_year() {
    let (own, other) = (key(1), key(2));
    let mut rollover = Rollover::new(ds(&[&own]));
    live(&mut rollover, 0..40, |wall| dnskeys(&[&own, &other], &[&own], wall));
    live(&mut rollover, 40..300, |wall| dnskeys(&[&own], &[&own], wall));
    assert_eq!(rollover.trusted(), ds(&[&own, &other]));
    live(&mut rollover, 300..410, |wall| dnskeys(&[&own], &[&own], wall));
    assert_eq!(rollover.trusted(), ds(&[&own]));
    live(&mut rollover, 410..450, |wall| dnskeys(&[&own, &other], &[&own], wall));
    live(&mut rollover, 450..840, |wall| dnskeys(&[&other], &[&other], wall));
    assert_eq!(rollover.trusted(), ds(&[&own, &other]), "what the operator wrote is");
}

#[test]
fn a_zone_whose_keys_have_all_revoked_themselves_is_no_anchor() {
    let (own, other) = (key(1), key(2));
    let mut rollover = Rollover::new(ds(&[&own, &other]));
    let wall = START;
    rollover.handle_keys(&dnskeys(&[&own, &other], &[&own], wall), wall);
    let (own, other) = (revoked(1), revoked(2));
    let changes = rollover.handle_keys(&dnskeys(&[&own, &other], &[&own, &other], wall), wall);
    assert_eq!(changes.iter().map(|change| change.state).collect::<Vec<_>>(), [Some(State::Revoked); 2]);
    assert!(rollover.trusted().rdatas.is_empty());
    // Known from the file alone, and revoked already when it is first seen.
    let mut late = Rollover::new(ds(&[&key(1), &key(3)]));
    late.handle_keys(&dnskeys(&[&own, &key(3)], &[&own, &key(3)], wall), wall);
    assert_eq!(late.trusted(), ds(&[&key(3)]));
}

#[test]
fn keys_that_nobody_vouches_for_can_be_revoked_and_nothing_else() {
    let (own, other, stranger) = (key(1), key(2), key(9));
    let mut rollover = Rollover::new(ds(&[&own]));
    rollover.handle_keys(&dnskeys(&[&own], &[&own], START), START);
    // Somebody's set, with somebody's signature.
    for set in [
        dnskeys(&[&stranger], &[&stranger], START),
        dnskeys(&[&revoked(1), &stranger], &[&stranger], START),
        dnskeys(&[&revoked(9), &stranger], &[&revoked(9), &stranger], START),
    ] {
        assert_eq!(rollover.handle_keys(&set, START), []);
        assert_eq!(rollover.trusted(), ds(&[&own]));
    }
    // Only the key itself can have signed this, though nobody who is trusted says so any more.
    let changes = rollover.handle_keys(&dnskeys(&[&revoked(1), &other], &[&revoked(1), &other], START), START);
    assert_eq!(changes.iter().map(|change| change.state).collect::<Vec<_>>(), [Some(State::Revoked)]);
    assert!(rollover.trusted().rdatas.is_empty());
    // The same key known from the file alone.
    let mut late = Rollover::new(ds(&[&own, &key(3)]));
    assert_eq!(late.handle_keys(&dnskeys(&[&revoked(1)], &[&revoked(1)], START), START).len(), 1);
    assert_eq!(late.trusted(), ds(&[&key(3)]));
    assert_eq!(late.keys().len(), 1);
}

#[test]
fn looks_are_planned_by_ttl_and_signatures_and_a_clock_that_goes_back_puts_none_off() {
    let own = key(1);
    let mut rollover = Rollover::new(ds(&[&own]));
    assert_eq!(rollover.poll_timeout(START), 0, "at once");
    rollover.handle_failure(START);
    assert_eq!(rollover.poll_timeout(START), START + 3_600);
    rollover.handle_keys(&dnskeys(&[&own], &[&own], START), START);
    assert_eq!(rollover.poll_timeout(START), START + DAY, "half of the TTL");
    rollover.handle_failure(START + DAY);
    assert_eq!(rollover.poll_timeout(START), START + DAY + 17_280, "a tenth of the TTL");
    assert_eq!(rollover.poll_timeout(START - 365 * DAY), START - 365 * DAY, "at once");
}

#[test]
fn more_keys_than_a_bound_are_not_followed() {
    let own = key(1);
    let mut rollover = Rollover::new(ds(&[&own]));
    let many: Vec<SigningKey> = (10..60).map(key).collect();
    let all: Vec<&SigningKey> = std::iter::once(&own).chain(&many).collect();
    rollover.handle_keys(&dnskeys(&all, &[&own], START), START);
    assert_eq!(rollover.keys().len(), bounds::ANCHOR_KEYS_MAX);
    assert_eq!(saved::parse(&saved::compose([&rollover])), Some(vec![rollover]));
}

#[test]
fn of_a_file_that_is_not_whole_nothing_is_believed() {
    let (own, other) = (key(1), key(2));
    let mut first = Rollover::new(ds(&[&own]));
    first.handle_keys(&dnskeys(&[&own, &other], &[&own], START), START);
    let mut second = Rollover::new(ds(&[&other]));
    second.written.owner = "corp\\032x.example.".parse().unwrap();
    let text = saved::compose([&first, &second]);
    assert_eq!(saved::parse(&text), Some(vec![first, second]));
    for cut in 0..text.len() {
        assert_eq!(saved::parse(&text[..cut]), None, "cut at {cut}");
        let mut damaged = text.clone().into_bytes();
        damaged[cut] ^= 1;
        assert_eq!(String::from_utf8(damaged).ok().and_then(|text| saved::parse(&text)), None, "damaged at {cut}");
    }
    assert_eq!(saved::parse(&saved::compose([])), Some(vec![]));
}
