//! RFC 2136 clause by clause, and two laws: a patched zone is the zone that its text would make, and a difference
//! brings another copy of the zone to the same version.

use std::sync::Arc;

use proptest::prelude::*;
use smallvec::SmallVec;

use super::super::{Zone, load, master_file};
use super::*;
use crate::base::Dice;
use crate::base::collections::{Keyed, keyed};
use crate::dns::{Flags, Question};

fn hasher() -> Keyed {
    keyed(&mut Dice::from_number(1))
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn parsed(text: &str) -> Arc<Zone> {
    let (zone, findings) = load(&name("example."), text.as_bytes(), "z", &mut master_file::no_include, hasher());
    Arc::new(zone.unwrap_or_else(|| panic!("{:?}", findings.iter().map(ToString::to_string).collect::<Vec<_>>())))
}

const ZONE: &str = "\
@ 3600 SOA ns hostmaster 7 3600 600 86400 60
@ 3600 NS ns
@ 3600 NS ns2.example.net.
ns 300 A 192.0.2.1
www 300 A 192.0.2.2
www 300 A 192.0.2.3
www 300 TXT \"w\"
alias 300 CNAME www
only.ent 300 A 192.0.2.4
";

fn draft() -> Draft {
    Draft::new(parsed(ZONE))
}

fn policy() -> Policy {
    Policy {
        rules: vec![
            Rule { key: name("all."), names: Vec::new(), types: vec![RecordType::ANY] },
            Rule { key: name("plain."), names: Vec::new(), types: Vec::new() },
            Rule {
                key: name("dyn."),
                names: vec![Names::Below(name("dyn.example.")), Names::Exactly(name("www.example."))],
                types: vec![RecordType::A, RecordType::TXT],
            },
        ],
    }
}

/// RDATA as a master file would have it.
fn rdata(rtype: RecordType, text: &str) -> SmallVec<[u8; 24]> {
    if text.is_empty() {
        return SmallVec::new();
    }
    let line = format!("@ 1 SOA a b 1 1 1 1 1\nx 1 {rtype} {text}");
    let (zone, _) = load(&name("example."), line.as_bytes(), "z", &mut master_file::no_include, hasher());
    let zone = zone.unwrap();
    let set = zone.rrsets().find(|(owner, _)| *owner == name("x.example.")).unwrap().1;
    SmallVec::from_slice(set.rdatas().next().unwrap())
}

fn record(owner: &str, class: Class, ttl: u32, rtype: RecordType, text: &str) -> Record {
    Record { owner: name(owner), rtype, class, ttl, rdata: rdata(rtype, text) }
}

fn soa(owner: &str, serial: u32) -> Record {
    let text = format!("ns.example. hostmaster.example. {serial} 3600 600 86400 60");
    let line = format!("@ 1 SOA {text}");
    let (zone, _) = load(&name("example."), line.as_bytes(), "z", &mut master_file::no_include, hasher());
    let rdata = SmallVec::from_slice(zone.unwrap().soa().unwrap().rdatas().next().unwrap());
    Record { owner: name(owner), rtype: RecordType::SOA, class: Class::IN, ttl: 3600, rdata }
}

fn attempt_as(
    draft: &mut Draft,
    key: &str,
    prerequisites: &[Record],
    changes: &[Record],
) -> Result<Option<Difference>, Rcode> {
    let policy = policy();
    let apex = name("example.");
    draft.attempt(&Update { zone: &apex, prerequisites, changes }, &policy.grant(&name(key)).unwrap())
}

fn attempt(draft: &mut Draft, prerequisites: &[Record], changes: &[Record]) -> Result<Option<Difference>, Rcode> {
    attempt_as(draft, "all.", prerequisites, changes)
}

/// `owner TTL type` of the zone's records, the SOA's serial in the place of its TTL.
fn shown(zone: &Zone) -> Vec<String> {
    let mut text = String::new();
    zone.print(&mut text).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn has(zone: &Zone, line: &str) -> bool {
    shown(zone).iter().any(|one| one == line)
}

const A: RecordType = RecordType::A;
const TXT: RecordType = RecordType::TXT;
const ANY: RecordType = RecordType::ANY;

#[test]
fn the_zone_section_is_one_soa_question() {
    let flags = Flags { opcode: Opcode::UPDATE, ..Flags::default() };
    let mut message = Message { flags, ..Message::default() };
    assert_eq!(Update::of(&message).err(), Some(Rcode::FORMERR));
    message.questions.push(Question::new(name("example."), RecordType::A));
    assert_eq!(Update::of(&message).err(), Some(Rcode::FORMERR));
    message.questions[0].rtype = RecordType::SOA;
    assert_eq!(*Update::of(&message).unwrap().zone, name("example."));
    message.questions[0].class = Class::CH;
    assert_eq!(Update::of(&message).err(), Some(Rcode::NOTAUTH));
    message.questions.push(Question::new(name("example."), RecordType::SOA));
    assert_eq!(Update::of(&message).err(), Some(Rcode::FORMERR));
}

#[test]
fn each_prerequisite_has_its_rcode() {
    let (any, none, internet) = (Class::ANY, Class::NONE, Class::IN);
    for (records, expected) in [
        (vec![record("www.example.", any, 0, ANY, "")], None),
        (vec![record("nope.example.", any, 0, ANY, "")], Some(Rcode::NXDOMAIN)),
        (vec![record("ent.example.", any, 0, ANY, "")], Some(Rcode::NXDOMAIN)), // an empty non-terminal is not in use
        (vec![record("WWW.example.", any, 0, A, "")], None),
        (vec![record("www.example.", any, 0, RecordType::MX, "")], Some(Rcode::NXRRSET)),
        (vec![record("nope.example.", none, 0, ANY, "")], None),
        (vec![record("ent.example.", none, 0, ANY, "")], None),
        (vec![record("www.example.", none, 0, ANY, "")], Some(Rcode::YXDOMAIN)),
        (vec![record("www.example.", none, 0, RecordType::MX, "")], None),
        (vec![record("www.example.", none, 0, A, "")], Some(Rcode::YXRRSET)),
        (vec![record("www.example.", internet, 0, A, "192.0.2.2")], Some(Rcode::NXRRSET)), // only half of the set
        (
            vec![
                record("www.example.", internet, 0, A, "192.0.2.3"),
                record("alias.example.", internet, 0, RecordType::CNAME, "WWW.example."),
                record("www.example.", internet, 0, A, "192.0.2.2"),
            ],
            None,
        ),
        (
            vec![
                record("www.example.", internet, 0, A, "192.0.2.2"),
                record("www.example.", internet, 0, A, "192.0.2.3"),
                record("www.example.", internet, 0, A, "192.0.2.4"),
            ],
            Some(Rcode::NXRRSET),
        ),
        (vec![record("nope.example.", internet, 0, A, "192.0.2.2")], Some(Rcode::NXRRSET)),
        (vec![record("www.example.", internet, 1, A, "192.0.2.2")], Some(Rcode::FORMERR)),
        (vec![record("www.example.", any, 0, A, "192.0.2.2")], Some(Rcode::FORMERR)),
        (vec![record("www.example.", internet, 0, ANY, "")], Some(Rcode::FORMERR)),
        (vec![record("www.example.", Class::CH, 0, TXT, "x")], Some(Rcode::FORMERR)),
        (vec![record("www.test.", any, 0, ANY, "")], Some(Rcode::NOTZONE)),
    ] {
        let outcome = attempt(&mut draft(), &records, &[]);
        assert_eq!(outcome.err(), expected, "{records:?}");
    }
}

#[test]
fn malformed_changes_leave_everything_as_it_was() {
    let good = record("new.example.", Class::IN, 60, A, "192.0.2.9");
    for (bad, expected) in [
        (record("x.test.", Class::IN, 60, A, "192.0.2.9"), Rcode::NOTZONE),
        (record("x.example.", Class::IN, 60, ANY, ""), Rcode::FORMERR),
        (record("x.example.", Class::ANY, 60, A, ""), Rcode::FORMERR),
        (record("x.example.", Class::ANY, 0, A, "192.0.2.9"), Rcode::FORMERR),
        (record("x.example.", Class::NONE, 60, A, "192.0.2.9"), Rcode::FORMERR),
        (record("x.example.", Class::NONE, 0, ANY, ""), Rcode::FORMERR),
        (record("x.example.", Class::ANY, 0, RecordType::AXFR, ""), Rcode::FORMERR),
        (record("x.example.", Class::CH, 0, TXT, "x"), Rcode::FORMERR),
        (
            Record { rdata: SmallVec::from_slice(&[9, b'x']), ..record("x.example.", Class::IN, 0, TXT, "x") },
            Rcode::FORMERR,
        ),
        (Record { rtype: RecordType::NSEC3, ..record("x.example.", Class::ANY, 0, A, "") }, Rcode::REFUSED),
    ] {
        let mut draft = draft();
        assert_eq!(attempt(&mut draft, &[], &[good.clone(), bad]).err(), Some(expected));
        assert!(!draft.is_changed());
    }
}

#[test]
fn a_record_is_added_once_and_the_serial_grows_once() {
    let mut draft = draft();
    let add = record("new.dyn.example.", Class::IN, 60, A, "192.0.2.9");
    let difference = attempt(&mut draft, &[], &[add.clone(), add.clone()]).unwrap().unwrap();
    assert_eq!((difference.from_serial, difference.to_serial), (7, 8));
    assert_eq!((difference.removed.len(), difference.added.len()), (1, 2));
    assert_eq!(attempt(&mut draft, &[], &[add]), Ok(None));
    let zone = draft.compile(hasher()).unwrap();
    assert_eq!(zone.serial(), 8);
    assert!(has(&zone, "new.dyn.example. 60 IN A 192.0.2.9"));
}

#[test]
fn a_set_takes_the_newest_ttl() {
    let mut draft = draft();
    attempt(&mut draft, &[], &[record("www.example.", Class::IN, 5, A, "192.0.2.2")]).unwrap().unwrap();
    let zone = draft.compile(hasher()).unwrap();
    assert!(has(&zone, "www.example. 5 IN A 192.0.2.2") && has(&zone, "www.example. 5 IN A 192.0.2.3"));
    assert!(has(&zone, "www.example. 300 IN TXT \"w\""));
}

#[test]
fn cname_and_other_data_never_meet() {
    let mut draft = draft();
    let ignored = [
        record("www.example.", Class::IN, 60, RecordType::CNAME, "ns.example."),
        record("alias.example.", Class::IN, 60, A, "192.0.2.9"),
    ];
    assert_eq!(attempt(&mut draft, &[], &ignored), Ok(None));
    let replaced = record("alias.example.", Class::IN, 60, RecordType::CNAME, "ns.example.");
    attempt(&mut draft, &[], &[replaced]).unwrap().unwrap();
    let zone = draft.compile(hasher()).unwrap();
    assert!(has(&zone, "alias.example. 60 IN CNAME ns.example."));
    assert!(!shown(&zone).iter().any(|line| line.contains("CNAME www")));
}

#[test]
fn the_apex_keeps_its_soa_and_its_last_ns() {
    let mut draft = draft();
    let all = [
        record("example.", Class::ANY, 0, ANY, ""),
        record("example.", Class::ANY, 0, RecordType::NS, ""),
        record("example.", Class::ANY, 0, RecordType::SOA, ""),
        Record { class: Class::NONE, ttl: 0, ..soa("example.", 7) },
    ];
    assert_eq!(attempt(&mut draft, &[], &all), Ok(None));
    let one_by_one = [
        record("example.", Class::NONE, 0, RecordType::NS, "ns.example."),
        record("example.", Class::NONE, 0, RecordType::NS, "ns2.example.net."),
    ];
    attempt(&mut draft, &[], &one_by_one).unwrap().unwrap();
    let zone = draft.compile(hasher()).unwrap();
    assert!(!has(&zone, "example. 3600 IN NS ns.example.") && has(&zone, "example. 3600 IN NS ns2.example.net."));
}

#[test]
fn a_soa_counts_only_if_it_is_newer() {
    let mut draft = draft();
    assert_eq!(attempt(&mut draft, &[], &[soa("example.", 7), soa("example.", 6), soa("www.example.", 9)]), Ok(None));
    let difference = attempt(&mut draft, &[], &[soa("example.", 100)]).unwrap().unwrap();
    assert_eq!((difference.from_serial, difference.to_serial), (7, 100));
    // Serial number arithmetic: 2³¹ ahead is not ahead, a little less is; and 0 is passed over.
    assert_eq!(attempt(&mut draft, &[], &[soa("example.", 100 + (1 << 31))]), Ok(None));
    for step in [100 + (1 << 30), 100 + (1 << 31), u32::MAX] {
        attempt(&mut draft, &[], &[soa("example.", step)]).unwrap().unwrap();
    }
    let add = record("new.example.", Class::IN, 60, A, "192.0.2.9");
    assert_eq!(attempt(&mut draft, &[], &[add]).unwrap().unwrap().to_serial, 1);
}

#[test]
fn names_and_sets_are_deleted() {
    let mut draft = draft();
    let changes = [
        record("www.example.", Class::ANY, 0, TXT, ""),
        record("www.example.", Class::NONE, 0, A, "192.0.2.3"),
        record("only.ent.example.", Class::ANY, 0, ANY, ""),
        record("nope.example.", Class::ANY, 0, ANY, ""),
    ];
    let difference = attempt(&mut draft, &[], &changes).unwrap().unwrap();
    assert_eq!(difference.removed.len(), 4);
    let zone = draft.compile(hasher()).unwrap();
    assert_eq!(shown(&zone).iter().filter(|line| line.starts_with("www.")).count(), 1);
    assert!(zone.node(b"\x03ent").is_none(), "the empty non-terminal goes with what was below it");
}

#[test]
fn a_key_changes_what_its_rules_name_and_nothing_else() {
    let add = |owner, rtype, text| [record(owner, Class::IN, 60, rtype, text)];
    for (key, change, is_allowed) in [
        ("dyn.", add("a.b.dyn.example.", A, "192.0.2.9"), true),
        ("dyn.", add("dyn.example.", A, "192.0.2.9"), false),
        ("dyn.", add("www.example.", TXT, "x"), true),
        ("dyn.", add("x.www.example.", TXT, "x"), false),
        ("dyn.", add("a.dyn.example.", RecordType::MX, "1 www"), false),
        ("plain.", add("a.example.", RecordType::MX, "1 www"), true),
        ("plain.", add("a.example.", RecordType::NS, "www"), false),
        ("plain.", [soa("example.", 99)], false),
        ("all.", add("a.example.", RecordType::NS, "www"), true),
        ("dyn.", [record("www.example.", Class::ANY, 0, ANY, "")], true),
        ("dyn.", [record("alias.example.", Class::ANY, 0, ANY, "")], false),
        ("dyn.", [record("nothing.dyn.example.", Class::ANY, 0, ANY, "")], true),
    ] {
        let outcome = attempt_as(&mut draft(), key, &[], &change);
        assert_eq!(outcome.err(), (!is_allowed).then_some(Rcode::REFUSED), "{key} {change:?}");
    }
    assert!(policy().grant(&name("other.")).is_none());
}

/// The nodes as they answer: name, flags and sets.
fn nodes(zone: &Zone) -> Vec<String> {
    let mut lines = Vec::new();
    for node in zone.names().nodes() {
        let mut sets: Vec<String> = node
            .sets()
            .map(|set| {
                let mut all: Vec<_> = set.rdatas().map(<[u8]>::to_vec).collect();
                all.sort();
                format!("{} {} {all:?}", set.rtype, set.ttl)
            })
            .collect();
        sets.sort();
        lines.push(format!("{:?} {} {sets:?}", node.name.to_ascii_lowercase(), node.flags));
    }
    lines
}

fn owners() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "example.",
        "a.example.",
        "*.a.example.",
        "b.a.example.",
        "c.b.a.example.",
        "d.c.b.a.example.",
        "www.example.",
        "z.example.",
        "only.ent.example.",
    ])
}

fn changes() -> impl Strategy<Value = Record> {
    let data = prop::sample::select(vec![
        (A, "192.0.2.1"),
        (A, "192.0.2.2"),
        (TXT, "one"),
        (RecordType::NS, "ns.example.net."),
        (RecordType::NS, "ns.example."),
        (RecordType::CNAME, "www.example."),
        (RecordType::DNAME, "else.test."),
    ]);
    (owners(), data, 0u8..5, 0u32..3).prop_map(|(owner, (rtype, text), kind, ttl)| match kind {
        0..=2 => record(owner, Class::IN, ttl, rtype, text),
        3 => record(owner, Class::NONE, 0, rtype, text),
        _ if ttl == 0 => record(owner, Class::ANY, 0, ANY, ""),
        _ => record(owner, Class::ANY, 0, rtype, ""),
    })
}

proptest! {
    #[test]
    fn a_patched_zone_is_what_its_text_would_make(updates in prop::collection::vec(prop::collection::vec(changes(), 1..6), 1..5)) {
        let start = parsed(ZONE);
        let mut draft = Draft::new(Arc::clone(&start));
        let mut replica = Draft::new(Arc::clone(&start));
        let mut differences = Vec::new();
        for changes in &updates {
            if let Some(difference) = attempt(&mut draft, &[], changes).unwrap() {
                replica.apply(&difference).unwrap();
                differences.push(difference);
            }
        }
        let zone = draft.compile(hasher()).unwrap();
        let mut text = String::new();
        zone.print(&mut text).unwrap();
        prop_assert_eq!(nodes(&zone), nodes(&parsed(&text)));
        prop_assert_eq!(nodes(&replica.compile(hasher()).unwrap()), nodes(&zone));
        if let Some(condensed) = Difference::condensed(&differences) {
            prop_assert_eq!(nodes(&condensed.apply(&start, hasher()).unwrap()), nodes(&zone));
        }
    }
}
