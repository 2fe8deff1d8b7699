//! What has been checked, and what has only been told.

use super::*;
use crate::chain::{Answer, Checked, Proofs};
use crate::dns::Rcode;

fn validating() -> World {
    with(Settings { validates: true, ..Settings::default() })
}

fn teach(world: &World, set: RrSet, security: Security, ttl: u32) {
    let checked = Some(Checked { security, ttl, encloser: None });
    let learned = Learned::RrSet { set: Arc::new(set), rank: Rank::Answer, proofs: Proofs::default(), checked };
    world.cache.learn(learned, world.at());
}

fn unchecking(mut query: Query) -> Query {
    query.flags.checking_disabled = true;
    query
}

fn answered(verdict: Verdict) -> Option<Answer> {
    match verdict {
        Verdict::Answer(answer) => Some(answer),
        _ => None,
    }
}

#[test]
fn what_nobody_checked_is_told_to_those_alone_who_check_themselves() {
    let mut world = validating();
    world.learn_answer(a("www.example.", 300, 1));
    assert!(answered(world.handle(&query("www.example.", RecordType::A))).is_none());
    let told = answered(world.handle(&unchecking(query("www.example.", RecordType::A)))).unwrap();
    assert!(!told.authentic && told.answer.len() == 1);
    assert_eq!(world.ttl("www.example.", RecordType::A), Some(300), "the iterator knows it");
}

#[test]
fn what_was_checked_is_told_to_all_and_keeps_its_own_ttl() {
    let mut world = validating();
    world.learn_answer(a("www.example.", 300, 1));
    teach(&world, a("www.example.", 300, 1), Security::Secure, 50);
    for query in [query("www.example.", RecordType::A), unchecking(query("www.example.", RecordType::A))] {
        let answer = answered(world.handle(&query)).unwrap();
        assert!(answer.authentic);
        assert_eq!(answer.answer[0].ttl, 50);
    }
    teach(&world, a("plain.example.", 300, 1), Security::Insecure, 300);
    assert!(!answered(world.handle(&query("plain.example.", RecordType::A))).unwrap().authentic);
}

#[test]
fn what_is_told_never_takes_the_place_of_what_was_checked_not_even_when_that_is_stale() {
    let mut world = validating();
    teach(&world, a("www.example.", 300, 1), Security::Secure, 300);
    world.learn_answer(a("www.example.", 900, 9));
    world.deny("www.example.", RecordType::A, denial(true, soa("example.", 900, 900)));
    let answer = answered(world.handle(&query("www.example.", RecordType::A))).unwrap();
    assert!(answer.authentic && answer.rcode == Rcode::NOERROR);
    world.pass(400);
    world.learn_answer(a("www.example.", 900, 9));
    let Verdict::Resolve(goal) = world.handle(&query("www.example.", RecordType::A)) else { panic!("not asked for") };
    assert_eq!(goal.stale.unwrap().answer[0].set.rdatas, a("www.example.", 300, 1).rdatas);
}

#[test]
fn bogus_is_remembered_for_those_who_leave_the_checking_to_us_until_something_better_is_found() {
    let mut world = validating();
    world.learn_answer(a("www.example.", 300, 1));
    let ede = Ede::new(EdeCode::SignatureExpired, "www.example. A has a signature that has expired");
    world.cache.learn(Learned::Bogus { name: name("www.example."), rtype: RecordType::A, ede, ttl: 60 }, world.at());
    let answer = answered(world.handle(&query("www.example.", RecordType::A))).unwrap();
    assert_eq!((answer.rcode, answer.ede.unwrap().code), (Rcode::SERVFAIL, EdeCode::SignatureExpired));
    let told = answered(world.handle(&unchecking(query("www.example.", RecordType::A)))).unwrap();
    assert_eq!(told.rcode, Rcode::NOERROR);
    teach(&world, a("www.example.", 300, 1), Security::Secure, 300);
    assert_eq!(answered(world.handle(&query("www.example.", RecordType::A))).unwrap().rcode, Rcode::NOERROR);
}

#[test]
fn a_proved_denial_reaches_downward_and_one_that_was_told_does_not() {
    let mut world = validating();
    world.deny("none.example.", RecordType::A, denial(true, soa("example.", 900, 900)));
    assert!(answered(world.handle(&unchecking(query("a.none.example.", RecordType::A)))).is_none());
    let proved = Denial { security: Security::Secure, ttl: 900, ..denial(true, soa("example.", 900, 900)) };
    world.deny("none.example.", RecordType::A, proved);
    let answer = answered(world.handle(&query("a.none.example.", RecordType::A))).unwrap();
    assert!(answer.authentic && answer.rcode == Rcode::NXDOMAIN);
}
