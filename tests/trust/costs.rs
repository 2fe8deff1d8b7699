//! What a hostile zone may cost: signatures checked and blocks hashed for one query, whatever it publishes (`KeyTrap`,
//! CVE-2023-50387; NSEC3, CVE-2023-50868). Work is counted, not timed.

use meridian::base::bounds;
use meridian::base::tally::Event;
use meridian::dns::{Message, Name, Rcode, RecordType};

use crate::keys::{Fields, KSK, ZSK, record, tag_of};
use crate::tampers::{self, Rows};
use crate::tree::Tree;
use crate::world::{CHECKED, World};
use crate::zone::Denial;

/// Signatures and keys that an attacker publishes. More than any set may hold, as much as one may hold.
const SIZES: [usize; 2] = [300, 200];

/// What the attacker has much of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Trap {
    /// Many signatures by one key.
    Signatures,
    /// One signature, many keys that it may be by.
    Keys,
    /// Both.
    SigsAndKeys,
    /// Many DS records for as many keys.
    Digests,
}

/// Keys of the same tag and algorithm as `like`, none of which anybody has.
fn colliding(like: u16, flags: u16, count: usize) -> Vec<Vec<u8>> {
    let key = |number: usize| {
        let mut rdata = flags.to_be_bytes().to_vec();
        rdata.extend([3, 13]);
        rdata.extend((0..62).map(|at| (number * 31 + at * 7 + number / 256) as u8));
        // The tag is a sum of pairs of octets, so the last pair can make it whatever it is to be.
        let short = like.wrapping_sub(tag_of(&rdata));
        let ends = [short, short.wrapping_sub(1)].map(|end| [&rdata[..], &end.to_be_bytes()].concat());
        ends.into_iter().find(|rdata| tag_of(rdata) == like).expect("one of them has the tag")
    };
    (0..count).map(key).collect()
}

/// Signatures of the right key by name, all of them wrong.
fn jam(rows: &mut Rows, count: usize) {
    let Some(first) = rows.signatures.first().cloned() else { return };
    rows.signatures = (0..count)
        .map(|number| {
            let mut row = first.clone();
            let at = row.rdata.len() - 8;
            row.rdata[at..at + 2].copy_from_slice(&(number as u16 + 1).to_be_bytes());
            row.rdata[at + 3] ^= 0x55;
            row
        })
        .collect();
}

fn spring(trap: Trap, rtype: RecordType, size: usize, tree: &Tree, zone: &crate::zone::Zone, message: &mut Message) {
    let is_trap = zone.apex.is_within(&"nsec.net.".parse().unwrap());
    if !is_trap {
        if trap == Trap::Digests && zone.apex == "net.".parse().unwrap() {
            cram_ds(size, tree, message);
        }
        return;
    }
    for (owner, set) in tampers::sets_of(message) {
        let mut rows = tampers::rows_of(message, &owner, set);
        if set == RecordType::DNSKEY && (trap != Trap::Signatures || rtype == RecordType::DNSKEY) {
            let tags = [(zone.keys[1].tag(), ZSK), (zone.keys[0].tag(), KSK)];
            let wanted = if trap == Trap::Digests || rtype == RecordType::DNSKEY { tags[1] } else { tags[0] };
            let mut crammed: Vec<_> =
                if trap == Trap::Signatures { Vec::new() } else { colliding(wanted.0, wanted.1, size) }
                    .iter()
                    .map(|rdata| record(&owner, set, 3600, rdata))
                    .collect();
            crammed.append(&mut rows.rows);
            rows.rows = crammed;
            if trap != Trap::Digests {
                // The set is truly signed, so that its keys are all to be tried.
                let rdatas: Vec<Vec<u8>> = rows.rows.iter().map(|row| row.rdata.to_vec()).collect();
                let (fields, _) = Fields::read(&rows.signatures[0].rdata);
                rows.signatures[0].rdata = zone.keys[0].rrsig(&fields, &owner, &rdatas).into();
            }
            if rtype == RecordType::DNSKEY && trap != Trap::Keys {
                jam(&mut rows, size);
            }
        } else if set != RecordType::DNSKEY && matches!(trap, Trap::Signatures | Trap::SigsAndKeys) {
            jam(&mut rows, size);
        } else if set != RecordType::DNSKEY && trap == Trap::Keys {
            jam(&mut rows, 1);
        }
        tampers::put(message, &owner, set, &rows);
    }
}

/// DS records for every one of the attacker's keys, truly signed by the parent.
fn cram_ds(size: usize, tree: &Tree, message: &mut Message) {
    let owner: Name = "nsec.net.".parse().unwrap();
    let mut rows = tampers::rows_of(message, &owner, RecordType::DS);
    let Some(first) = rows.rows.first().cloned() else { return };
    rows.rows = (0..size)
        .map(|number| {
            let mut row = first.clone();
            let at = row.rdata.len() - 2;
            row.rdata[at..].copy_from_slice(&(number as u16).to_be_bytes());
            row
        })
        .collect();
    let key = &tree.zone("net.").keys[1];
    let rdatas: Vec<Vec<u8>> = rows.rows.iter().map(|row| row.rdata.to_vec()).collect();
    let (fields, _) = Fields::read(&rows.signatures[0].rdata);
    rows.signatures[0].rdata = key.rrsig(&fields, &owner, &rdatas).into();
    tampers::put(message, &owner, RecordType::DS, &rows);
}

#[test]
fn no_trap_of_keys_and_signatures_costs_more_than_the_bound() {
    let tree = Tree::new();
    let asked = [
        ("www.nsec.net.", RecordType::A),
        ("missing.nsec.net.", RecordType::A),
        ("nsec.net.", RecordType::DNSKEY),
        ("sub.nsec.net.", RecordType::DS),
    ];
    let (mut worst, mut rows) = (0, 0);
    for size in SIZES {
        for trap in [Trap::Signatures, Trap::Keys, Trap::SigsAndKeys, Trap::Digests] {
            for (name, rtype) in asked {
                let meddler = move |tree: &Tree, zone: &crate::zone::Zone, _: &_, message: &mut Message| {
                    spring(trap, rtype, size, tree, zone, message);
                };
                let mut world = World::new(&tree, Box::new(meddler));
                let heard = world.ask(name, rtype, CHECKED).expect("an answer");
                let label = format!("{trap:?} of {size}, {name} {rtype}");
                assert!(heard.rcode == Rcode::SERVFAIL && !heard.is_authentic, "{label}: {}", heard.rcode);
                let checks = world.count(Event::SignaturesChecked);
                assert!(checks <= u64::from(bounds::SIGNATURES_PER_QUERY), "{label}: {checks} checks");
                // Whoever asks again within the minute costs nothing more.
                let again = world.ask(name, rtype, CHECKED).expect("an answer");
                assert_eq!(again.rcode, Rcode::SERVFAIL, "{label}");
                let more = world.count(Event::SignaturesChecked) - checks;
                assert!(more <= 2, "{label}: {more} checks the second time");
                // Other names of the tree are answered meanwhile.
                let other = world.ask("www.sibling.net.", RecordType::A, CHECKED).expect("an answer");
                assert!(other.is_authentic, "{label}: another zone suffers");
                (worst, rows) = (worst.max(checks), rows + 1);
            }
        }
    }
    println!("KeyTrap: {rows} traps, at most {worst} signatures checked for a query");
}

#[test]
fn no_chain_of_hashes_costs_more_than_the_bound() {
    let deep = "a.".repeat(115);
    let (mut worst, mut rows) = (0, 0);
    for iterations in [0_u16, 50, 150, 2_500] {
        for salt in [0_usize, 255] {
            let denial = Denial::Nsec3 { iterations, salt: vec![0x5a; salt], opts_out: false };
            let opting = Denial::Nsec3 { iterations, salt: vec![0x5a; salt], opts_out: true };
            let lines = |apex: &str| {
                let below = format!("www.{apex} A 192.0.2.1\n{deep}{apex} TXT here\nsub.{apex} NS ns.sub.{apex}\n");
                below + &format!("plain.{apex} NS ns.plain.{apex}\n")
            };
            let tree = Tree::with(&[("h.net.", denial, lines("h.net.")), ("o.net.", opting, lines("o.net."))]);
            for (label, name, rtype) in [
                ("NXDOMAIN", format!("{}h.net.", "b.".repeat(115)), RecordType::A),
                ("NODATA", format!("{deep}h.net."), RecordType::A),
                ("NODATA at an empty name", format!("{}h.net.", "a.".repeat(60)), RecordType::A),
                ("an unsigned cut", format!("{}plain.h.net.", "c.".repeat(110)), RecordType::A),
                ("an unsigned cut that is left out", format!("{}plain.o.net.", "c.".repeat(110)), RecordType::A),
                ("no DS", "plain.o.net.".to_owned(), RecordType::DS),
            ] {
                let mut world = World::honest(&tree);
                let heard = world.ask(&name, rtype, CHECKED).expect("an answer");
                let blocks = world.count(Event::BlocksHashed);
                let label = format!("{label}, {iterations} iterations, {salt} octets of salt");
                assert!(blocks <= u64::from(bounds::NSEC3_BLOCKS), "{label}: {blocks} blocks");
                let is_excessive = iterations > bounds::NSEC3_ITERATIONS;
                assert!(!is_excessive || blocks == 0, "{label}: {blocks} blocks");
                assert!(!(is_excessive && heard.is_authentic), "{label}: authentic");
                if is_excessive && rtype == RecordType::A && !label.contains("cut") {
                    assert!(heard.rcode != Rcode::SERVFAIL && heard.ede.contains(&27), "{label}: {:?}", heard.ede);
                }
                (worst, rows) = (worst.max(blocks), rows + 1);
            }
        }
    }
    println!("NSEC3: {rows} chains, at most {worst} blocks hashed for a query");
}
