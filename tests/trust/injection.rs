//! What somebody else was told unchecked never becomes what a checking client is told (RUC, USENIX Security 2025).

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use meridian::dns::{Message, Name, Question, Rcode, RecordType};

use crate::keys::record;
use crate::tree::Tree;
use crate::world::{CHECKED, UNCHECKED, World};

/// What is put in: any of these in the place of the true answer.
const FORGERIES: [&str; 10] = [
    "an address",
    "an address with another name's signature",
    "an address with the true signature",
    "an alias to elsewhere",
    "no such name",
    "no such name with another name's proof",
    "no such type",
    "a referral to elsewhere",
    "a referral without DS",
    "the answer without signatures",
];

fn forge(kind: &str, asked: &Name, question: &Question, message: &mut Message) {
    let is_it = question.name == *asked;
    let honest = message.clone();
    let apex: Name = "nsec.net.".parse().unwrap();
    let cut = asked.suffix(3);
    let delegation = record(&cut, RecordType::NS, 3600, b"\x02ns\x05plain\x03net\0");
    match kind {
        "a referral to elsewhere" | "a referral without DS" if question.name.is_within(&cut) => {
            message.answer.clear();
            message.authority = vec![delegation];
            message.flags.authoritative = false;
            message.rcode = Rcode::NOERROR;
            return;
        }
        _ if !is_it => return,
        _ => {}
    }
    message.authority.clear();
    message.answer.clear();
    message.rcode = Rcode::NOERROR;
    let address = record(asked, RecordType::A, 3600, &[203, 0, 113, 66]);
    let signatures = honest.answer.iter().filter(|row| row.rtype == RecordType::RRSIG);
    match kind {
        "an address" => message.answer.push(address),
        "an address with another name's signature" | "an address with the true signature" => {
            message.answer.push(address);
            message.answer.extend(signatures.cloned());
        }
        "an alias to elsewhere" => {
            message.answer.push(record(asked, RecordType::CNAME, 3600, b"\x03www\x05plain\x03net\0"));
        }
        "the answer without signatures" => {
            message.answer = honest.answer.clone();
            message.answer.retain(|row| row.rtype != RecordType::RRSIG);
        }
        _ => {
            if kind != "no such type" {
                message.rcode = Rcode::NXDOMAIN;
            }
            let soa = b"\x02ns\x04nsec\x03net\0\x05admin\x04nsec\x03net\0\0\0\0\x01\0\0\x1c\x20\0\0\x0e\x10\0\x12\x75\0\0\0\x0e\x10";
            message.authority.push(record(&apex, RecordType::SOA, 3600, soa));
        }
    }
}

#[test]
fn what_is_injected_while_checking_is_disabled_never_reaches_a_client_that_checks() {
    let tree = Tree::new();
    let names = ["www.nsec.net.", "x.wild.nsec.net.", "alias.nsec.net.", "missing.nsec.net.", "www.sub.nsec.net."];
    let (mut tries, mut taken) = (0, 0);
    for name in names {
        let truth = World::honest(&tree).ask(name, RecordType::A, CHECKED).expect("an answer");
        for kind in FORGERIES {
            tries += 1;
            let is_lying = Rc::new(Cell::new(true));
            let (lies, asked): (_, Name) = (Rc::clone(&is_lying), name.parse().unwrap());
            let mut world = World::new(
                &tree,
                Box::new(move |_, zone, question, message| {
                    if lies.get() && zone.apex == "nsec.net.".parse().unwrap() {
                        forge(kind, &asked, question, message);
                    }
                }),
            );
            let fooled = world.ask(name, RecordType::A, UNCHECKED).expect("an answer");
            taken += usize::from(fooled.answer != truth.answer || fooled.rcode != truth.rcode);
            is_lying.set(false);
            // Failures are forgotten after half a minute at most, for everybody.
            if fooled.rcode == Rcode::SERVFAIL {
                world.pass(Duration::from_secs(31));
            }
            let heard = world.ask(name, RecordType::A, CHECKED).expect("an answer");
            let said = format!("{} ad={} ede={:?}", heard.rcode, heard.is_authentic, heard.ede);
            let is_true = (heard.rcode, &heard.answer, heard.is_authentic) == (truth.rcode, &truth.answer, true);
            assert!(is_true, "{name}, {kind}: {said} {:?}", heard.answer);
        }
    }
    println!("{tries} tries, {taken} lies were told to clients that wanted no checks, none to the others");
    assert!(tries >= 50 && taken >= 25, "{taken} of {tries} injections fooled a client without checks");
}

#[test]
fn what_was_found_true_outlives_what_is_injected_later() {
    let tree = Tree::new();
    for kind in FORGERIES {
        let is_lying = Rc::new(Cell::new(false));
        let (lies, asked): (_, Name) = (Rc::clone(&is_lying), "www.nsec.net.".parse().unwrap());
        let mut world = World::new(
            &tree,
            Box::new(move |_, zone, question, message| {
                if lies.get() && zone.apex == "nsec.net.".parse().unwrap() {
                    forge(kind, &asked, question, message);
                }
            }),
        );
        let truth = world.ask("www.nsec.net.", RecordType::A, CHECKED).expect("an answer");
        assert!(truth.is_authentic);
        is_lying.set(true);
        _ = world.ask("www.nsec.net.", RecordType::A, UNCHECKED);
        let heard = world.ask("www.nsec.net.", RecordType::A, CHECKED).expect("an answer");
        assert_eq!((heard.rcode, heard.answer, heard.is_authentic), (truth.rcode, truth.answer, true), "{kind}");
    }
}

/// What comes along with true data has been checked as far as it was needed, and nothing else is concluded from it: a
/// signature put in front that makes a wildcard of the answer, and a denial of all names in its zone.
#[test]
fn nothing_is_concluded_from_what_came_along_unchecked() {
    let tree = Tree::new();
    let is_lying = Rc::new(Cell::new(true));
    let (lies, asked): (_, Name) = (Rc::clone(&is_lying), "www.nsec.net.".parse().unwrap());
    let apex: Name = "nsec.net.".parse().unwrap();
    let mut world = World::new(
        &tree,
        Box::new(move |_, zone, question, message| {
            if !lies.get() || zone.apex != apex || question.name != asked || question.rtype != RecordType::A {
                return;
            }
            let signature = message.answer.iter().find(|row| row.rtype == RecordType::RRSIG).expect("it is signed");
            let mut wild = signature.clone();
            wild.rdata[3] = 2; // the labels of the apex
            let mut cover = wild.clone();
            cover.owner = apex.clone();
            cover.rdata[..2].copy_from_slice(&RecordType::NSEC.0.to_be_bytes());
            let all = [apex.wire(), &[0, 1, 0x02]].concat(); // from the apex to itself; SOA
            message.answer.insert(0, wild);
            message.authority = vec![record(&apex, RecordType::NSEC, 3600, &all), cover];
        }),
    );
    // So that the zone's SOA is known, without which nothing is concluded.
    world.ask("missing-too.nsec.net.", RecordType::A, CHECKED).expect("an answer");
    let heard = world.ask("www.nsec.net.", RecordType::A, CHECKED).expect("an answer");
    assert!(heard.is_authentic || heard.rcode == Rcode::SERVFAIL, "{} {:?}", heard.rcode, heard.ede);
    is_lying.set(false);
    for name in ["x.wild.nsec.net.", "alias.nsec.net.", "missing.nsec.net.", "www.sub.nsec.net.", "nsec.net."] {
        let truth = World::honest(&tree).ask(name, RecordType::A, CHECKED).expect("an answer");
        let heard = world.ask(name, RecordType::A, CHECKED).expect("an answer");
        assert_eq!((heard.rcode, &heard.answer), (truth.rcode, &truth.answer), "{name}");
    }
}
