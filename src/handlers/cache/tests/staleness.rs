//! What clients are answered when upstreams fail.

use super::*;
use crate::dns::Rcode;

#[test]
fn upstreams_are_asked_with_the_stale_answer_in_reserve() {
    let mut world = world();
    world.learn_answer(a("www.example.", 300, 1));
    let goal = world.pass(300).goal("www.example.", RecordType::A);
    let stale = goal.stale.unwrap();
    assert_eq!(shown(&stale.answer), ["www.example. A 30"]);
    assert_eq!((stale.ede.unwrap().code, stale.recallable_until), (EdeCode::StaleAnswer, None));
    let mut iterative = query("www.example.", RecordType::A);
    iterative.flags.recursion_desired = false;
    assert_eq!(world.handle(&iterative), Verdict::Pass, "RD=0 gets only what is fresh");
}

#[test]
fn after_a_failed_refresh_stale_data_are_given_at_once_until_the_recheck() {
    let mut world = world();
    world.learn_answer(a("www.example.", 300, 1));
    world.pass(300).fail("www.example.", RecordType::A);
    for _ in 0..29 {
        let answer = world.pass(1).answer("www.example.", RecordType::A);
        assert_eq!((shown(&answer.answer), answer.recallable_until), (vec!["www.example. A 30".into()], None));
    }
    assert!(world.pass(1).goal("www.example.", RecordType::A).stale.is_some());
    world.learn_answer(a("www.example.", 300, 2));
    assert_eq!(shown(&world.answer("www.example.", RecordType::A).answer), ["www.example. A 300"]);
    // The old failure says nothing about the new data.
    assert!(world.pass(300).goal("www.example.", RecordType::A).stale.is_some());
}

#[test]
fn stale_data_are_gone_after_their_window() {
    let mut world = world();
    world.learn_answer(a("www.example.", 10, 1));
    assert!(world.pass(10 + 199).goal("www.example.", RecordType::A).stale.is_some());
    assert_eq!(world.pass(1).ask("www.example.", RecordType::A), Verdict::Pass);
    world.fail("www.example.", RecordType::A);
    assert_eq!(world.answer("www.example.", RecordType::A).rcode, Rcode::SERVFAIL);
}

#[test]
fn stale_data_are_preferred_to_a_failure_but_never_to_a_fresh_nxdomain() {
    let mut world = world();
    world.learn_answer(a("www.example.", 10, 1));
    world.pass(11).fail("www.example.", RecordType::A);
    assert_eq!(world.answer("www.example.", RecordType::A).rcode, Rcode::NOERROR);
    world.deny("www.example.", RecordType::MX, denial(true, soa("example.", 60, 60)));
    assert_eq!(world.answer("www.example.", RecordType::A).rcode, Rcode::NXDOMAIN);
    // When both are stale the later one is the better guess.
    let stale = world.pass(61).goal("www.example.", RecordType::A).stale.unwrap();
    assert_eq!((stale.rcode, stale.ede.unwrap().code), (Rcode::NXDOMAIN, EdeCode::StaleNxDomain));
}

#[test]
fn a_whole_alias_chain_may_be_stale() {
    let mut world = world();
    world.learn_answer(pointing("www.example.", RecordType::CNAME, 20, "web.test."));
    world.learn_answer(a("web.test.", 300, 1));
    let goal = world.pass(100).goal("www.example.", RecordType::A);
    assert_eq!(shown(&goal.stale.unwrap().answer), ["www.example. CNAME 30", "web.test. A 200"]);
    world.pass(250);
    let goal = world.goal("www.example.", RecordType::A);
    assert_eq!(shown(&goal.stale.unwrap().answer), ["www.example. CNAME 30", "web.test. A 30"]);
    world.fail("www.example.", RecordType::A);
    assert_eq!(world.answer("www.example.", RecordType::A).ede.unwrap().code, EdeCode::StaleAnswer);
}

#[test]
fn a_fresh_alias_to_stale_data_rests_with_the_failure_of_its_target() {
    let mut world = world();
    world.learn_answer(pointing("www.example.", RecordType::CNAME, 3000, "web.test."));
    world.learn_answer(a("web.test.", 30, 1));
    world.pass(40).fail("web.test.", RecordType::A);
    assert_eq!(shown(&world.answer("www.example.", RecordType::A).answer)[1], "web.test. A 30");
}

#[test]
fn where_stale_is_off_nothing_is_given_past_its_ttl() {
    let mut world = with(Settings { stale: None, ..Settings::default() });
    world.learn_answer(a("www.example.", 10, 1));
    assert_eq!(world.pass(10).ask("www.example.", RecordType::A), Verdict::Pass);
    world.fail("www.example.", RecordType::A);
    assert_eq!(world.answer("www.example.", RecordType::A).rcode, Rcode::SERVFAIL);
}
