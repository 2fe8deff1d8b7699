//! Anchors that are not the root's, and names that are excepted: what is not signed above says nothing of them, and what
//! is excepted says nothing of others.

use std::sync::Arc;

use meridian::dns::{Message, Name, Rcode, RecordType};
use meridian::handlers::resolve::anchors::{Anchors, Validation};

use crate::keys::{Fields, Key, ZSK, record};
use crate::tampers;
use crate::tree::Tree;
use crate::world::{CHECKED, Meddler, World};
use crate::zone::Zone;

fn island(tree: &Tree) -> Arc<Validation> {
    let mut anchors = Anchors::default();
    let zone = tree.zone("nsec.net.");
    anchors.add(&zone.apex, RecordType::DS, &zone.ds()).unwrap();
    Arc::new(Validation::new(anchors, Vec::new()))
}

/// Everything about addresses and denials in `nsec.net.` is the forger's, signed in the name of `signer`.
fn forger<'t>(signer: &'static str) -> Meddler<'t> {
    let key = Key::new(ZSK);
    Box::new(move |_: &Tree, zone: &Zone, _, message: &mut Message| {
        if zone.apex != "nsec.net.".parse().unwrap() {
            return;
        }
        for (owner, rtype) in tampers::sets_of(message) {
            if rtype == RecordType::DNSKEY {
                continue;
            }
            let mut rows = tampers::rows_of(message, &owner, rtype);
            if rtype == RecordType::A {
                rows.rows = vec![record(&owner, rtype, 3600, &[203, 0, 113, 66])];
            }
            let signer: Name = signer.parse().unwrap();
            let fields = Fields { signer: signer.clone(), ..Fields::of(&key, &signer, &owner, rtype, 3600) };
            let rdatas: Vec<Vec<u8>> = rows.rows.iter().map(|row| row.rdata.to_vec()).collect();
            rows.signatures = vec![record(&owner, RecordType::RRSIG, 3600, &key.rrsig(&fields, &owner, &rdatas))];
            tampers::put(message, &owner, rtype, &rows);
        }
    })
}

#[test]
fn an_anchor_below_unsigned_zones_is_all_that_counts_there() {
    let tree = Tree::new();
    let asked = ["www.nsec.net.", "missing.nsec.net.", "x.wild.nsec.net.", "www.sub.nsec.net."];
    let mut world = World::trusting(&tree, Box::new(|_, _, _, _| {}), island(&tree));
    for name in asked {
        let heard = world.ask(name, RecordType::A, CHECKED).expect("an answer");
        assert!(heard.is_authentic, "{name}: {} {:?}", heard.rcode, heard.ede);
    }
    let beside = world.ask("www.sibling.net.", RecordType::A, CHECKED).expect("an answer");
    assert!(beside.rcode == Rcode::NOERROR && !beside.is_authentic, "{} {:?}", beside.rcode, beside.ede);
    for signer in [".", "net.", "nsec.net.", "sub.nsec.net.", "www.nsec.net."] {
        let mut world = World::trusting(&tree, forger(signer), island(&tree));
        for name in &asked[..3] {
            let heard = world.ask(name, RecordType::A, CHECKED).expect("an answer");
            assert_eq!(heard.rcode, Rcode::SERVFAIL, "{name}, signed in the name of {signer}: {:?}", heard.answer);
        }
    }
}

#[test]
fn an_exception_covers_its_names_and_no_others() {
    let tree = Tree::new();
    let mut anchors = Anchors::default();
    anchors.add(&Name::root(), RecordType::DS, &tree.anchor()).unwrap();
    let validation = Arc::new(Validation::new(anchors, vec!["nsec.net.".parse().unwrap()]));
    let breaks: Meddler<'_> = Box::new(|_, zone, _, message| {
        if ["nsec.net.", "nsec3.net."].iter().any(|apex| zone.apex == apex.parse().unwrap()) {
            for row in message.answer.iter_mut().chain(&mut message.authority) {
                if row.rtype == RecordType::RRSIG {
                    *row.rdata.last_mut().unwrap() ^= 1;
                }
            }
        }
    });
    let mut world = World::trusting(&tree, breaks, validation);
    for name in ["www.nsec.net.", "x.wild.nsec.net.", "missing.nsec.net.", "www.sub.nsec.net."] {
        let heard = world.ask(name, RecordType::A, CHECKED).expect("an answer");
        assert!(heard.rcode != Rcode::SERVFAIL && !heard.is_authentic, "{name}: {} {:?}", heard.rcode, heard.ede);
    }
    let other = world.ask("www.nsec3.net.", RecordType::A, CHECKED).expect("an answer");
    assert_eq!(other.rcode, Rcode::SERVFAIL, "an exception reaches too far");
    let sibling = world.ask("www.sibling.net.", RecordType::A, CHECKED).expect("an answer");
    assert!(sibling.is_authentic, "{} {:?}", sibling.rcode, sibling.ede);
}
