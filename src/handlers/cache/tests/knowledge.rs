//! What is kept and for how long.

use std::time::Duration;

use super::*;

#[test]
fn an_rrset_ages_second_by_second_and_expires_with_its_ttl() {
    let mut world = world();
    world.learn_answer(a("www.example.", 300, 1));
    assert_eq!(world.ttl("WWW.Example.", RecordType::A), Some(300));
    assert_eq!(world.pass(299).ttl("www.example.", RecordType::A), Some(1));
    assert_eq!(world.pass(1).ttl("www.example.", RecordType::A), None);
}

#[test]
fn ttls_are_clamped_and_ttl_0_is_never_kept() {
    let minute = Settings { min_ttl: Duration::from_secs(60), ..Settings::default() };
    let world = with(minute);
    world.learn_answer(a("short.example.", 5, 1));
    world.learn_answer(a("long.example.", 1 << 31, 1));
    world.learn_answer(a("once.example.", 0, 1));
    assert_eq!(world.ttl("short.example.", RecordType::A), Some(60));
    assert_eq!(world.ttl("long.example.", RecordType::A), Some(86_400));
    assert_eq!(world.ttl("once.example.", RecordType::A), None);
}

#[test]
fn a_set_with_ttl_0_supersedes_what_was_known() {
    let mut world = world();
    world.learn_answer(a("www.example.", 300, 1));
    world.learn_answer(a("www.example.", 0, 2));
    assert_eq!(world.ask("www.example.", RecordType::A), Verdict::Pass);
}

#[test]
fn rank_decides_between_fresh_sets() {
    let ranks = [Rank::Additional, Rank::Authority, Rank::Answer];
    for held in ranks {
        for new in ranks {
            let mut world = world();
            world.learn(a("www.example.", 300, 1), held);
            world.pass(10).learn(a("www.example.", 300, 2), new);
            let expected = if new >= held { (300, new) } else { (290, held) };
            let found = world.cache.rrset(&name("www.example."), RecordType::A, world.at()).unwrap();
            assert_eq!((found.ttl, found.rank), expected, "{new:?} after {held:?}");
        }
    }
}

#[test]
fn a_lower_rank_replaces_what_expired_but_takes_no_stale_answer_from_clients() {
    let mut world = world();
    world.learn(a("www.example.", 300, 1), Rank::Answer);
    world.pass(301).learn(a("www.example.", 300, 2), Rank::Additional);
    assert!(world.goal("www.example.", RecordType::A).stale.is_some());
    world.learn(a("www.example.", 300, 3), Rank::Authority);
    assert_eq!(world.ttl("www.example.", RecordType::A), Some(300));
}

#[test]
fn what_passes_the_bounds_is_refused() {
    let world = world();
    let many: Vec<[u8; 4]> = (0..257u32).map(u32::to_be_bytes).collect();
    world.learn_answer(RrSet::new(name("many.example."), RecordType::A, 300, &many));
    let large: Vec<Vec<u8>> = (0..40).map(|octet| vec![octet; 2_000]).collect();
    world.learn_answer(RrSet::new(name("large.example."), RecordType::TXT, 300, &large));
    world.learn_answer(RrSet::new(name("none.example."), RecordType::A, 300, [[0u8; 4]; 0]));
    world.learn_answer(RrSet::new(name("meta.example."), RecordType::OPT, 300, [[0u8; 4]]));
    world.learn_answer(RrSet::new(name("astray.example."), RecordType::CNAME, 300, [[9u8; 4]]));
    assert!(world.cache.is_empty());
    world.learn_answer(RrSet::new(name("many.example."), RecordType::A, 300, &many[..256]));
    assert_eq!(world.cache.len(), 1);
}

#[test]
fn a_denial_holds_for_the_least_of_soa_ttl_minimum_and_cap() {
    for (ttl, minimum, expected) in [(300, 60, Some(60)), (60, 300, Some(60)), (9000, 9000, Some(3600)), (0, 60, None)]
    {
        let world = world();
        world.deny("www.example.", RecordType::A, denial(false, soa("example.", ttl, minimum)));
        let found = world.cache.denial(&name("www.example."), RecordType::A, world.at());
        assert_eq!(found.map(|found| found.ttl), expected);
    }
}

#[test]
fn a_denial_without_soa_or_with_one_from_elsewhere_is_not_kept() {
    let world = world();
    let bare = Denial { soa: None, ..denial(true, soa("example.", 300, 300)) };
    world.deny("www.example.", RecordType::A, bare);
    world.deny("www.example.", RecordType::A, denial(true, soa("test.", 300, 300)));
    let mut broken = RrSet::clone(&soa("example.", 300, 300));
    broken.rdatas = [[1u8; 4]].into_iter().collect();
    world.deny("www.example.", RecordType::A, denial(true, Arc::new(broken)));
    assert!(world.cache.is_empty());
}

#[test]
fn nodata_is_a_fact_of_one_type_and_nxdomain_of_all() {
    let world = world();
    world.deny("a.example.", RecordType::A, denial(false, soa("example.", 300, 300)));
    world.deny("b.example.", RecordType::A, denial(true, soa("example.", 300, 300)));
    let is_denied = |owner, rtype| world.cache.denial(&name(owner), rtype, world.at()).is_some();
    assert!(is_denied("a.example.", RecordType::A) && !is_denied("a.example.", RecordType::MX));
    assert!(is_denied("b.example.", RecordType::A) && is_denied("b.example.", RecordType::MX));
}

#[test]
fn an_unproved_nxdomain_does_not_reach_below_its_name() {
    let world = world();
    world.deny("ent.example.", RecordType::A, denial(true, soa("example.", 300, 300)));
    assert!(world.cache.denial(&name("www.ent.example."), RecordType::A, world.at()).is_none());
}

#[test]
fn the_roots_nxdomain_of_a_top_level_domain_reaches_below_it() {
    let forwarded = vec![name("corp.invalid-too.")];
    let world = with(Settings { forwarded, ..Settings::default() });
    world.deny("nowhere.", RecordType::A, denial(true, soa(".", 300, 300)));
    world.deny("invalid-too.", RecordType::A, denial(true, soa(".", 300, 300)));
    let is_denied = |owner| world.cache.denial(&name(owner), RecordType::A, world.at()).is_some();
    assert!(is_denied("a.b.nowhere.") && is_denied("nowhere.") && is_denied("x.invalid-too."));
    assert!(!is_denied("x.corp.invalid-too."), "it has upstreams of its own");
    assert!(!is_denied("somewhere.") && !is_denied("."));
}

#[test]
fn data_and_denial_supersede_each_other() {
    let world = world();
    let is_denied = || world.cache.denial(&name("www.example."), RecordType::A, world.at()).is_some();
    for is_nxdomain in [false, true] {
        world.learn_answer(a("www.example.", 30, 1));
        assert!(!is_denied());
        world.deny("www.example.", RecordType::A, denial(is_nxdomain, soa("example.", 300, 300)));
        assert!(is_denied());
        assert_eq!(world.ttl("www.example.", RecordType::A), None);
    }
    world.learn(a("www.example.", 30, 1), Rank::Additional);
    assert!(is_denied(), "glue denies no denial");
}

#[test]
fn a_zone_cut_is_found_from_below_with_the_seconds_it_has_left() {
    let mut world = world();
    world.delegate("test.", 600, "ns.test.");
    world.delegate("example.", 300, "ns.example.");
    assert_eq!(world.cut("a.b.EXAMPLE."), Some(("example.".into(), 300)));
    assert_eq!(world.pass(100).cut("example."), Some(("example.".into(), 200)));
    assert_eq!(world.cut("other."), None);
    assert_eq!(world.pass(200).cut("www.example."), None);
}

#[test]
fn a_childs_ns_set_is_not_kept_where_its_zone_cut_came_too_late_to_be() {
    let mut world = world();
    world.delegate("example.", 5, "ns.example.");
    world.pass(6).delegate("child.example.", 300, "ns.child.example.");
    assert_eq!(world.cut("child.example."), None, "asked for while the cut above still held");
    world.learn_answer(pointing("child.example.", RecordType::NS, 86_400, "ns.child.example."));
    assert_eq!(world.ttl("child.example.", RecordType::NS), None);
}

#[test]
fn a_zone_cut_is_not_stretched_by_the_least_ttl() {
    let world = with(Settings { min_ttl: Duration::from_secs(600), ..Settings::default() });
    world.delegate("example.", 30, "ns.example.");
    assert_eq!(world.cut("example."), Some(("example.".into(), 30)));
}

#[test]
fn a_ghost_domain_dies_with_its_parents_ttl_whatever_the_child_says() {
    let mut world = world();
    world.delegate("test.", 86_400, "ns.test.");
    world.delegate("ghost.test.", 30, "ns.ghost.test.");
    for _ in 0..29 {
        world.pass(1);
        // The child renews its NS, its server's address, and a zone cut of its own making with every response.
        world.learn(pointing("ghost.test.", RecordType::NS, 86_400, "ns.ghost.test."), Rank::Authority);
        world.learn_answer(pointing("ghost.test.", RecordType::NS, 86_400, "ns.ghost.test."));
        world.learn_answer(a("ns.ghost.test.", 86_400, 1));
        world.delegate("phoenix.ghost.test.", 86_400, "ns.ghost.test.");
        let left = world.cut("www.phoenix.ghost.test.").unwrap().1;
        assert!(u64::from(left) <= 1_000_030 - world.now);
    }
    world.pass(1);
    assert_eq!(world.cut("www.phoenix.ghost.test.").unwrap().0, "test.");
    assert_eq!(world.ttl("ghost.test.", RecordType::NS), None);
    // Nor does a response bring it back that was under way when it expired.
    world.learn_answer(pointing("ghost.test.", RecordType::NS, 86_400, "ns.ghost.test."));
    assert_eq!(world.ttl("ghost.test.", RecordType::NS), None);
    world.delegate("phoenix.ghost.test.", 86_400, "ns.ghost.test.");
    assert_eq!(world.cut("www.phoenix.ghost.test.").unwrap().0, "test.");
}

#[test]
fn a_failure_is_remembered_longer_each_time_until_something_succeeds() {
    let mut world = world();
    let failed = |world: &World| world.cache.failure(&name("www.example."), RecordType::A, world.at()).is_some();
    for ttl in [5, 10, 20, 30, 30] {
        world.fail("www.example.", RecordType::A);
        world.pass(1).fail("www.example.", RecordType::A); // told twice, it is still one failure
        world.pass(ttl - 2);
        assert!(failed(&world), "{ttl}");
        world.pass(1);
        assert!(!failed(&world), "{ttl}");
    }
    world.learn_answer(a("www.example.", 0, 1));
    world.fail("www.example.", RecordType::A);
    assert!(failed(&world) && !failed(world.pass(5)));
}

#[test]
fn a_failures_text_is_bounded() {
    let world = world();
    let ede = Ede::new(EdeCode::Other, "ä".repeat(1000));
    world
        .cache
        .learn(Learned::Failure { name: name("x.example."), rtype: RecordType::A, ede, unchecked: false }, world.at());
    let text = world.cache.failure(&name("x.example."), RecordType::A, world.at()).unwrap().text;
    assert_eq!(text, "ä".repeat(128));
}

#[test]
fn flush_forgets_a_name_a_type_or_a_subtree() {
    let fill = || {
        let world = world();
        for owner in ["example.", "www.example.", "a.www.example.", "wwwexample."] {
            world.learn_answer(a(owner, 300, 1));
            world.learn_answer(RrSet::new(name(owner), RecordType::TXT, 300, [[0u8]]));
        }
        world.delegate("www.example.", 300, "ns.example.");
        world.fail("www.example.", RecordType::MX);
        world
    };
    let flush = |owner, subtree, rtype| fill().cache.flush(&name(owner), subtree, rtype);
    assert_eq!(flush("WWW.example.", false, Some(RecordType::A)), 1);
    assert_eq!(flush("www.example.", false, Some(RecordType::NS)), 1);
    assert_eq!(flush("WWW.example.", false, None), 4);
    assert_eq!(flush("Example.", true, None), 8);
    assert_eq!(flush("example.", true, Some(RecordType::TXT)), 3);
    assert_eq!(flush(".", true, None), 10);
    let world = fill();
    assert_eq!(world.cache.forget([&name("WWW.example."), &name("nothing.example.")]), 4);
    assert_eq!(world.ttl("www.example.", RecordType::A), None);
    assert_eq!(world.ttl("example.", RecordType::A), Some(300));
}

#[test]
fn a_sweep_removes_what_is_past_its_stale_window_in_bounded_steps() {
    let mut world = world();
    for number in 0..100 {
        world.learn_answer(a(&format!("n{number}.example."), if number < 60 { 10 } else { 1000 }, 1));
    }
    world.delegate("example.", 10, "ns.example.");
    world.fail("x.example.", RecordType::A);
    let cache = Arc::clone(&world.cache);
    let clear = |world: &World| {
        let mut sweep = cache.sweep();
        let (mut steps, mut removed) = (0, 0);
        loop {
            let swept = sweep.step(world.at(), 10);
            assert!(swept.removed <= 10);
            (steps, removed) = (steps + 1, removed + swept.removed);
            if swept.is_done {
                return (steps, removed);
            }
        }
    };
    assert_eq!(clear(world.pass(10)), (11, 0), "all may be of use yet");
    assert_eq!(clear(world.pass(25)).1, 2);
    assert_eq!(clear(world.pass(175)).1, 60);
    assert_eq!((world.cache.len(), clear(&world).1), (40, 0));
}

#[test]
fn a_name_that_is_asked_all_the_time_pins_none_of_its_expired_entries() {
    let mut world = world();
    let bytes = world.cache.bytes();
    for rtype in 20_000..21_000 {
        world.learn_answer(RrSet::new(name("hot.example."), RecordType(rtype), 10, [[7u8; 200]]));
    }
    assert_eq!(world.cache.len(), 1_000);
    for _ in 0..30 {
        // What it is asked for is learned anew each time and hit again and again.
        world.learn_answer(a("hot.example.", 10, 1));
        assert_eq!(world.answer("hot.example.", RecordType::A).answer.len(), 1);
        while !world.cache.sweep().step(world.at(), 10_000).is_done {}
        world.pass(10);
    }
    assert_eq!(world.cache.len(), 1);
    // Of some 280,000; memory comes back in segments of 64 KiB.
    assert!(world.cache.bytes() < bytes + 200_000, "{} octets", world.cache.bytes());
}
