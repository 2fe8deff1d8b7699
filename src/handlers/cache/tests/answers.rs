//! What clients are answered from fresh data.

use super::*;
use crate::base::tally::Event;
use crate::chain::Purpose;
use crate::dns::{Class, Rcode};

#[test]
fn a_fresh_set_answers_with_the_seconds_it_has_left() {
    let mut world = world();
    world.learn_answer(a("www.example.", 300, 1));
    let answer = world.pass(100).answer("www.example.", RecordType::A);
    assert_eq!(shown(&answer.answer), ["www.example. A 200"]);
    assert!(answer.rcode == Rcode::NOERROR && !answer.authoritative && !answer.authentic);
    assert_eq!(world.tally.read(Event::CacheHits), 1);
}

#[test]
fn additional_data_and_zone_cuts_answer_no_client() {
    let mut world = world();
    world.learn(a("ns.example.", 300, 1), Rank::Additional);
    world.delegate("example.", 300, "ns.example.");
    assert!(matches!(world.ask("ns.example.", RecordType::A), Verdict::Pass));
    assert!(matches!(world.ask("example.", RecordType::NS), Verdict::Pass));
    world.learn(a("ns.example.", 300, 1), Rank::Authority);
    assert!(matches!(world.ask("ns.example.", RecordType::A), Verdict::Answer(_)));
}

#[test]
fn what_is_unknown_passes_to_the_links_behind() {
    let mut world = world();
    assert_eq!(world.ask("www.example.", RecordType::A), Verdict::Pass, "a hosts file may know the name");
    let mut query = query("www.example.", RecordType::A);
    query.flags.recursion_desired = false;
    assert_eq!(world.handle(&query), Verdict::Pass);
    world.learn_answer(a("www.example.", 300, 1));
    assert!(matches!(world.handle(&query), Verdict::Answer(_)));
    query.asker.may_recurse = false;
    assert_eq!(world.handle(&query), Verdict::Pass, "what others were told is not theirs to know");
}

#[test]
fn other_classes_any_and_rrsig_are_not_the_caches() {
    let mut world = world();
    for rtype in [RecordType::ANY, RecordType::RRSIG, RecordType::AXFR, RecordType(0)] {
        assert_eq!(world.ask("www.example.", rtype), Verdict::Pass);
    }
    let mut chaos = query("www.example.", RecordType::TXT);
    chaos.question.class = Class::CH;
    assert_eq!(world.handle(&chaos), Verdict::Pass);
}

#[test]
fn aliases_are_followed_to_the_records() {
    let mut world = world();
    world.learn_answer(pointing("www.example.", RecordType::CNAME, 60, "web.test."));
    assert!(matches!(world.ask("www.example.", RecordType::A), Verdict::Pass));
    world.learn_answer(a("web.test.", 300, 1));
    let answer = world.answer("www.example.", RecordType::A);
    assert_eq!(shown(&answer.answer), ["www.example. CNAME 60", "web.test. A 300"]);
    assert_eq!(answer.recallable_until, Some(world.now + 54), "the alias's prefetch window opens first");
    assert_eq!(shown(&world.answer("www.example.", RecordType::CNAME).answer), ["www.example. CNAME 60"]);
}

#[test]
fn nodata_carries_the_zones_soa_and_its_proofs_for_those_who_want_them() {
    let mut world = world();
    let proof = Arc::new(RrSet::new(name("www.example."), RecordType::NSEC, 300, [name("z.example.").wire()]));
    let proved = Denial { proofs: vec![proof], ..denial(false, soa("example.", 300, 60)) };
    world.learn_answer(pointing("alias.example.", RecordType::CNAME, 300, "www.example."));
    world.deny("www.example.", RecordType::MX, proved);
    let answer = world.pass(10).answer("alias.example.", RecordType::MX);
    assert_eq!((answer.rcode, shown(&answer.answer)), (Rcode::NOERROR, vec!["alias.example. CNAME 290".into()]));
    assert_eq!(shown(&answer.authority), ["example. SOA 50"]);
    let Verdict::Answer(answer) = world.handle(&dnssec(query("alias.example.", RecordType::MX))) else { panic!() };
    assert_eq!(shown(&answer.authority), ["example. SOA 50", "www.example. NSEC 50"]);
}

#[test]
fn what_a_wildcard_made_lives_no_longer_than_the_proofs_that_it_did() {
    let mut world = world();
    let proof = Arc::new(RrSet::new(name("a.example."), RecordType::NSEC, 20, [name("z.example.").wire()]));
    let proofs = std::iter::once(proof).collect();
    let mut set = a("made.example.", 3_600, 1);
    set.signatures = [[0; 32]].into_iter().collect();
    let set = Arc::new(set);
    world.cache.learn(Learned::RrSet { set, rank: Rank::Answer, proofs, checked: None }, world.at());
    let Verdict::Answer(answer) = world.pass(5).handle(&dnssec(query("made.example.", RecordType::A))) else {
        panic!()
    };
    assert_eq!(shown(&answer.answer), ["made.example. A 15"]);
    assert_eq!(shown(&answer.authority), ["a.example. NSEC 15"]);
    assert_eq!(world.pass(15).ttl("made.example.", RecordType::A), None);
}

#[test]
fn nxdomain_at_the_end_of_an_alias_is_the_answers_code() {
    let mut world = world();
    world.learn_answer(pointing("alias.example.", RecordType::CNAME, 300, "gone.example."));
    world.deny("gone.example.", RecordType::A, denial(true, soa("example.", 300, 60)));
    let answer = world.answer("alias.example.", RecordType::AAAA);
    assert_eq!((answer.rcode, shown(&answer.authority)), (Rcode::NXDOMAIN, vec!["example. SOA 60".into()]));
}

#[test]
fn a_dname_redirects_names_below_it_with_a_cname_of_its_ttl() {
    let mut world = world();
    world.learn_answer(pointing("old.example.", RecordType::DNAME, 300, "new.example."));
    world.learn_answer(a("a.b.new.example.", 600, 1));
    let answer = world.pass(100).answer("A.b.old.example.", RecordType::A);
    assert_eq!(
        shown(&answer.answer),
        ["old.example. DNAME 200", "A.b.old.example. CNAME 200", "a.b.new.example. A 500"]
    );
    assert_eq!(answer.answer[1].set.target(), Some(name("A.b.new.example.")));
    assert_eq!(answer.recallable_until, None, "the next one writes other letters");
    assert!(matches!(world.ask("old.example.", RecordType::A), Verdict::Pass), "the owner itself stays");
}

#[test]
fn a_redirection_to_a_name_too_long_is_yxdomain() {
    let mut world = world();
    let long = format!("{0}.{0}.{0}.example.", "a".repeat(63));
    world.learn_answer(pointing("old.example.", RecordType::DNAME, 300, &long));
    let answer = world.answer(&format!("{}.old.example.", "b".repeat(60)), RecordType::A);
    assert_eq!((answer.rcode, answer.answer.len()), (Rcode::YXDOMAIN, 1));
}

#[test]
fn eleven_aliases_are_followed_and_a_twelfth_is_a_failure() {
    let mut world = world();
    for number in 0..12 {
        world.learn_answer(pointing(
            &format!("n{number}.example."),
            RecordType::CNAME,
            300,
            &format!("n{}.example.", number + 1),
        ));
    }
    world.learn_answer(a("n12.example.", 300, 1));
    assert_eq!(world.answer("n1.example.", RecordType::A).answer.len(), 12);
    let answer = world.answer("n0.example.", RecordType::A);
    assert_eq!((answer.rcode, answer.answer.len()), (Rcode::SERVFAIL, 0));
    assert!(answer.ede.unwrap().text.contains("aliases"));
    world.learn_answer(pointing("x.example.", RecordType::CNAME, 300, "y.example."));
    world.learn_answer(pointing("y.example.", RecordType::CNAME, 300, "x.example."));
    assert_eq!(world.answer("x.example.", RecordType::A).rcode, Rcode::SERVFAIL, "a loop ends too");
}

#[test]
fn a_remembered_failure_is_answered_with_its_reason() {
    let mut world = world();
    world.fail("www.example.", RecordType::A);
    let answer = world.answer("www.example.", RecordType::A);
    let ede = answer.ede.unwrap();
    assert_eq!((answer.rcode, ede.code), (Rcode::SERVFAIL, EdeCode::CachedError));
    assert_eq!(
        (ede.text.as_ref(), answer.recallable_until),
        ("all servers of example. are silent", Some(world.now + 1))
    );
    assert!(matches!(world.ask("www.example.", RecordType::AAAA), Verdict::Pass));
    assert!(matches!(world.pass(5).ask("www.example.", RecordType::A), Verdict::Pass));
}

#[test]
fn a_failure_at_an_aliass_end_is_a_failure_of_the_alias_and_data_win_over_it() {
    let mut world = world();
    world.learn_answer(pointing("www.example.", RecordType::CNAME, 60, "web.test."));
    world.fail("web.test.", RecordType::A);
    assert_eq!(world.answer("www.example.", RecordType::A).rcode, Rcode::SERVFAIL);
    world.learn_answer(a("web.test.", 300, 1));
    assert_eq!(world.answer("www.example.", RecordType::A).rcode, Rcode::NOERROR);
}

#[test]
fn a_popular_name_is_prefetched_once_in_the_last_tenth_of_its_ttl() {
    let mut world = world();
    world.learn_answer(a("www.example.", 100, 1));
    assert_eq!(world.answer("www.example.", RecordType::A).recallable_until, Some(world.now + 90));
    world.pass(90);
    let answer = world.answer("www.example.", RecordType::A);
    assert_eq!(shown(&answer.answer), ["www.example. A 10"]);
    let goal = world.aside.take().unwrap();
    assert_eq!((goal.purpose, goal.question), (Purpose::Prefetch, Question::new(name("www.example."), RecordType::A)));
    assert_eq!(answer.recallable_until, None, "a recall would hide what the prefetch brings");
    assert!(matches!(world.pass(1).ask("www.example.", RecordType::A), Verdict::Answer(_)));
    assert_eq!(world.aside, None);
    world.learn_answer(a("www.example.", 100, 1));
    world.answer("www.example.", RecordType::A);
    world.pass(95).answer("www.example.", RecordType::A);
    assert!(world.aside.is_some(), "the renewed data have a prefetch of their own");
}

#[test]
fn what_was_asked_once_or_lives_short_is_not_prefetched() {
    let mut world = world();
    world.learn_answer(a("once.example.", 100, 1));
    let answer = world.pass(95).answer("once.example.", RecordType::A);
    assert_eq!(
        (world.aside.take(), answer.recallable_until),
        (None, None),
        "the next query may be the one to prefetch"
    );
    world.learn_answer(a("short.example.", 9, 1));
    for _ in 0..8 {
        world.pass(1).answer("short.example.", RecordType::A);
        assert_eq!(world.aside, None);
    }
    world.learn_answer(a("idle.example.", 100, 1));
    world.pass(95);
    let mut iterative = query("idle.example.", RecordType::A);
    iterative.flags.recursion_desired = false;
    for _ in 0..5 {
        assert!(matches!(world.handle(&iterative), Verdict::Answer(_)));
        assert_eq!(world.aside, None, "RD=0 makes nobody ask");
    }
}
