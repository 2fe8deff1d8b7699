//! Ways in that were looked for and found, each shut since.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use meridian::dns::{Message, Name, Question, Rcode, RecordType};
use meridian::handlers::resolve::anchors::{Anchors, Validation};

use crate::keys::{Fields, record};
use crate::tree::Tree;
use crate::world::{CHECKED, Meddler, UNCHECKED, World};
use crate::zone::Denial;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// The servers of `apex` give this address to whoever asks for `www.nsec.net.`, unsigned, as if they served it.
fn usurper<'t>(apex: &'static str) -> Meddler<'t> {
    Box::new(move |_, zone, question: &Question, message: &mut Message| {
        if zone.apex == name(apex) && question.name.is_within(&name("nsec.net.")) && question.rtype == RecordType::A {
            message.flags.authoritative = true;
            message.authority.clear();
            message.additional.clear();
            message.answer = vec![record(&question.name, RecordType::A, 3600, &[203, 0, 113, 66])];
        }
    })
}

#[test]
fn an_unsigned_zone_above_an_anchor_cannot_answer_for_it() {
    let tree = Tree::new();
    let mut anchors = Anchors::default();
    anchors.add(&name("nsec.net."), RecordType::DS, &tree.zone("nsec.net.").ds()).unwrap();
    let island = Arc::new(Validation::new(anchors.clone(), Vec::new()));
    anchors.add(&Name::root(), RecordType::DS, &tree.anchor()).unwrap();
    let below_exception = Arc::new(Validation::new(anchors, vec![name("net.")]));
    for validation in [island, below_exception] {
        let mut world = World::trusting(&tree, usurper("net."), validation);
        let heard = world.ask("www.nsec.net.", RecordType::A, CHECKED).expect("an answer");
        assert_eq!(heard.rcode, Rcode::SERVFAIL, "{:?}", heard.answer);
    }
}

/// Signatures of the zone's own records do not fit.
fn breaker<'t>(apex: &'static str, owner: &'static str) -> Meddler<'t> {
    Box::new(move |_, zone, _, message| {
        for row in message.answer.iter_mut().chain(&mut message.authority) {
            if zone.apex == name(apex) && row.rtype == RecordType::RRSIG && row.owner == name(owner) {
                *row.rdata.last_mut().unwrap() ^= 1;
            }
        }
    })
}

#[test]
fn a_name_that_is_no_zone_can_be_excepted_too() {
    let tree = Tree::new();
    let mut anchors = Anchors::default();
    anchors.add(&Name::root(), RecordType::DS, &tree.anchor()).unwrap();
    let validation = Arc::new(Validation::new(anchors, vec![name("www.nsec.net.")]));
    let mut world = World::trusting(&tree, breaker("nsec.net.", "www.nsec.net."), validation);
    for rtype in [RecordType::A, RecordType::TXT] {
        let heard = world.ask("www.nsec.net.", rtype, CHECKED).expect("an answer");
        assert!(heard.rcode == Rcode::NOERROR && !heard.is_authentic, "{rtype}: {} {:?}", heard.rcode, heard.ede);
    }
    let beside = world.ask("mail.nsec.net.", RecordType::MX, CHECKED).expect("an answer");
    assert!(beside.is_authentic, "{} {:?}", beside.rcode, beside.ede);
}

#[test]
fn stale_data_are_not_told_to_be_authentic() {
    let tree = Tree::new();
    let is_silent = Rc::new(Cell::new(false));
    let silences = Rc::clone(&is_silent);
    let mut world = World::new(
        &tree,
        Box::new(move |_, _, _, message| {
            if silences.get() {
                message.rcode = Rcode::SERVFAIL;
                message.answer.clear();
                message.authority.clear();
            }
        }),
    );
    for asked in ["www.nsec.net.", "missing.nsec.net."] {
        assert!(world.ask(asked, RecordType::A, CHECKED).expect("an answer").is_authentic);
    }
    is_silent.set(true);
    world.pass(Duration::from_secs(3_700));
    for (asked, ede) in [("www.nsec.net.", 3), ("missing.nsec.net.", 19)] {
        let heard = world.ask(asked, RecordType::A, CHECKED).expect("an answer");
        assert!(heard.ede.contains(&ede) && !heard.is_authentic, "{asked}: {} {:?}", heard.rcode, heard.ede);
    }
}

#[test]
fn what_a_dname_makes_does_not_outlive_it() {
    let tree = Tree::new();
    let mut world = World::new(
        &tree,
        Box::new(|_, _, _, message| {
            for row in &mut message.answer {
                row.ttl = 80_000;
            }
        }),
    );
    for asked in ["www.dn.nsec.net.", "www.dn.nsec.net."] {
        let heard = world.ask(asked, RecordType::A, CHECKED).expect("an answer");
        assert!(heard.is_authentic && heard.answer.len() == 3);
        let longest = heard.message.answer.iter().map(|row| row.ttl).max();
        assert!(longest <= Some(3_600), "{longest:?} s, but 3600 were signed");
    }
}

/// A wildcard's answer may be kept for hours; that nothing stood before it was said for minutes.
#[test]
fn what_proved_a_wildcard_denies_others_no_longer_than_its_own_ttl() {
    let tree = Tree::new();
    let mut world = World::honest(&tree);
    let is_asked = |world: &mut World<'_>, asked: &str| {
        world.exchanges.clear();
        assert!(world.ask(asked, RecordType::A, CHECKED).expect("an answer").is_authentic);
        !world.exchanges.is_empty()
    };
    assert!(is_asked(&mut world, "x.wild.nsec.net."));
    assert!(!is_asked(&mut world, "y.wild.nsec.net.") || is_asked(&mut world, "missing.nsec.net."));
    assert!(!is_asked(&mut world, "z.wild.nsec.net."), "it follows from what is known");
    world.pass(Duration::from_secs(400)); // the chain's TTL is 300, the wildcard's 3600
    assert!(is_asked(&mut world, "missing.nsec.net."), "the zone's SOA is known again");
    assert!(is_asked(&mut world, "u.wild.nsec.net."), "by a proof that was over");
}

/// One of a zone's two servers signs badly what is said of keys: the zone itself, or the one above it.
#[test]
fn where_one_server_of_two_tells_bad_keys_the_other_is_asked() {
    for (apex, rtype) in [("nsec.net.", RecordType::DNSKEY), ("net.", RecordType::DS)] {
        let mut tree = Tree::new();
        let second = tree.add_server(apex);
        for (is_second, before) in [false, true].into_iter().flat_map(|which| (0..6).map(move |count| (which, count))) {
            let is_broken = Rc::new(Cell::new(false));
            let breaks = Rc::clone(&is_broken);
            let mut world = World::new(
                &tree,
                Box::new(move |tree, zone, question, message| {
                    let is_it = (tree.asked.get() == Some(second)) == is_second;
                    if !breaks.get() || zone.apex != name(apex) || question.rtype != rtype || !is_it {
                        return;
                    }
                    for row in message.answer.iter_mut().filter(|row| row.rtype == RecordType::RRSIG) {
                        *row.rdata.last_mut().unwrap() ^= 1;
                    }
                }),
            );
            // Which of them is asked is left to chance.
            for number in 0..before {
                world.ask(&format!("n{number}.sibling.net."), RecordType::A, UNCHECKED);
            }
            is_broken.set(true);
            let heard = world.ask("www.nsec.net.", RecordType::A, CHECKED).expect("an answer");
            let said = format!("{apex} {rtype}, {is_second} {before}: {} {:?}", heard.rcode, heard.ede);
            assert!(heard.is_authentic, "{said}");
        }
    }
}

/// What somebody has let in with CD, once, is remembered for a day: a DS RRset, or a zone cut, of a name that is no zone.
/// Zones below it must not be broken by it.
#[test]
fn what_was_let_in_about_names_between_zones_breaks_none() {
    let lines = |apex: &str| format!("www.{apex} A 192.0.2.2");
    let leaves = ["deep.ent.nsec.net.", "nsec.net."].map(|apex| (apex, Denial::Nsec, lines(apex)));
    let tree = Tree::with(&leaves);
    for (what, asked, rtype) in
        [("DS", "deep.ent.nsec.net.", RecordType::DS), ("cut", "other.ent.nsec.net.", RecordType::A)]
    {
        let is_lying = Rc::new(Cell::new(false));
        let lies = Rc::clone(&is_lying);
        let mut world = World::new(
            &tree,
            Box::new(move |_, zone, question, message| {
                if !lies.get() || zone.apex != name("nsec.net.") {
                    return;
                }
                if rtype == RecordType::DS && question.rtype == rtype {
                    for row in message.answer.iter_mut().filter(|row| row.rtype == RecordType::RRSIG) {
                        let (mut fields, octets) = Fields::read(&row.rdata);
                        fields.signer = name("ent.nsec.net.");
                        row.rdata = [fields.rdata(), octets].concat().into();
                    }
                } else if rtype == RecordType::A && question.name.is_within(&name("ent.nsec.net.")) {
                    message.flags.authoritative = false;
                    message.rcode = Rcode::NOERROR;
                    message.answer.clear();
                    message.authority =
                        vec![record(&name("ent.nsec.net."), RecordType::NS, 80_000, name("ns.nsec.net.").wire())];
                }
            }),
        );
        is_lying.set(true);
        world.ask(asked, rtype, UNCHECKED);
        is_lying.set(false);
        for round in 0..4 {
            let heard = world.ask("www.deep.ent.nsec.net.", RecordType::A, CHECKED).expect("an answer");
            assert!(heard.is_authentic, "{what}, {round}: {} {:?}", heard.rcode, heard.message.edns);
            world.pass(Duration::from_secs(3_700));
        }
    }
}
