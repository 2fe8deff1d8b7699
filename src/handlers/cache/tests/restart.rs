//! Snapshots: what comes back, and what broken ones do.

use proptest::prelude::*;

use super::super::SnapshotFault;
use super::*;

const WALL: u64 = 1_800_000_000;

fn filled() -> World {
    let world = world();
    let mut signed = a("www.example.", 300, 1);
    signed.signatures = [[7u8; 40]].into_iter().collect();
    world.learn_answer(signed);
    world.learn(a("ns.example.", 600, 2), Rank::Additional);
    world.learn_answer(a("long.example.", 80_000, 3));
    let proof = Arc::new(RrSet::new(name("z.example."), RecordType::NSEC, 300, [[0u8; 3]]));
    world.deny("gone.example.", RecordType::A, denial(true, soa("example.", 900, 900)));
    let proved = Denial { proofs: vec![proof], ..denial(false, soa("example.", 900, 900)) };
    world.deny("www.example.", RecordType::MX, proved);
    world.delegate("example.", 500, "ns.example.");
    world.fail("x.example.", RecordType::A);
    world
}

fn snapshot(world: &World) -> Vec<u8> {
    let mut octets = Vec::new();
    world.cache.compose_snapshot(&mut octets, WALL, world.at()).unwrap();
    octets
}

#[test]
fn a_snapshot_brings_back_everything_but_failures_with_ages_corrected() {
    let mut before = filled();
    let octets = snapshot(before.pass(100));
    let mut after = world();
    after.now = 5; // another clock, just begun
    let loaded = after.cache.load_snapshot(&mut &octets[..], WALL + 50, after.at()).unwrap();
    assert_eq!((loaded.kept, loaded.dropped, loaded.is_whole), (6, 0, true));
    assert_eq!(after.ttl("www.example.", RecordType::A), Some(150));
    assert_eq!(after.ttl("ns.example.", RecordType::A), Some(450));
    assert_eq!(after.cut("www.example."), Some(("example.".into(), 350)));
    let Verdict::Answer(answer) = after.handle(&dnssec(query("www.example.", RecordType::MX))) else { panic!() };
    assert_eq!(shown(&answer.authority), ["example. SOA 750", "z.example. NSEC 750"]);
    let signed = after.answer("www.example.", RecordType::A);
    assert_eq!(signed.answer[0].set.signatures.len(), 1);
    assert!(matches!(after.ask("ns.example.", RecordType::A), Verdict::Pass), "its rank came along");
    assert!(matches!(after.ask("x.example.", RecordType::A), Verdict::Pass));
}

#[test]
fn what_expired_meanwhile_comes_back_stale_or_not_at_all() {
    let octets = snapshot(&filled());
    let mut after = world();
    after.now = 5;
    let loaded = after.cache.load_snapshot(&mut &octets[..], WALL + 4_000, after.at()).unwrap();
    assert_eq!((loaded.kept, loaded.dropped, loaded.is_whole), (4, 2, true));
    assert!(after.goal("www.example.", RecordType::A).stale.is_some());
    assert_eq!(after.ttl("long.example.", RecordType::A), Some(76_000));
    assert_eq!(after.cut("example."), None);
}

#[test]
fn a_snapshot_does_not_replace_what_is_known() {
    let octets = snapshot(&filled());
    let after = world();
    after.learn_answer(a("www.example.", 20, 9));
    let loaded = after.cache.load_snapshot(&mut &octets[..], WALL, after.at()).unwrap();
    assert_eq!((loaded.kept, loaded.dropped), (5, 1));
    assert_eq!(after.ttl("www.example.", RecordType::A), Some(20));
}

#[test]
fn a_snapshot_of_unknown_age_or_of_another_kind_is_refused() {
    let octets = snapshot(&filled());
    let load = |octets: &[u8], wall| world().cache.load_snapshot(&mut &*octets, wall, Instant::ZERO);
    assert!(matches!(load(&octets, WALL - 1), Err(SnapshotFault::FromTheFuture)));
    assert!(matches!(load(&octets, WALL + 86_401), Err(SnapshotFault::TooOld(86_401))));
    assert!(matches!(load(&octets[..10], WALL), Err(SnapshotFault::NotASnapshot)));
    assert!(matches!(load(b"something else altogether", WALL), Err(SnapshotFault::NotASnapshot)));
    let mut newer = octets.clone();
    newer[11] = 3;
    assert!(matches!(load(&newer, WALL), Err(SnapshotFault::OtherVersion(3))));
    let mut shifted = octets;
    shifted[19] ^= 1; // the second in which it was written
    assert!(matches!(load(&shifted, WALL), Err(SnapshotFault::NotASnapshot)));
}

#[test]
fn a_snapshot_cut_short_gives_its_good_records() {
    let octets = snapshot(&filled());
    for end in 24..octets.len() {
        let loaded = world().cache.load_snapshot(&mut &octets[..end], WALL, Instant::ZERO).unwrap();
        assert!(loaded.kept <= 6 && !loaded.is_whole, "{end}: {loaded:?}");
    }
}

proptest! {
    #[test]
    fn a_broken_snapshot_neither_panics_nor_lengthens_a_ttl(at in 24usize..800, octet: u8) {
        let mut octets = snapshot(&filled());
        let at = 24 + at % (octets.len() - 24);
        prop_assume!(octets[at] != octet);
        octets[at] = octet;
        let after = world();
        let loaded = after.cache.load_snapshot(&mut &octets[..], WALL, after.at()).unwrap();
        prop_assert!(!loaded.is_whole);
        prop_assert!(after.ttl("www.example.", RecordType::A).is_none_or(|ttl| ttl == 300));
    }

    #[test]
    fn arbitrary_records_do_no_harm(tail in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut octets = snapshot(&world());
        octets.truncate(24);
        octets.extend_from_slice(&tail);
        prop_assert!(world().cache.load_snapshot(&mut &octets[..], WALL, Instant::ZERO).is_ok());
    }
}
