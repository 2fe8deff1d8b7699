//! What distinguishes two versions of a zone: the records that went and those that came.
//!
//! Two zones come in and a [`Difference`] leaves, or a zone and a difference come in and the next version leaves.
//! Incremental transfers (RFC 1995 §4) carry differences, journals keep them, dynamic updates make them.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::build::{Builder, Entry, absolute};
use super::master_file;
use super::tree::{Node, SetView, Tree, canonical_order};
use super::zone::Zone;
use crate::base::collections::{Keyed, Map};
use crate::dns::{Class, Name, Record, RecordType};

/// The step from one version of a zone to a later one, as RFC 1995 §4 writes it: `removed` begins with the old SOA
/// record and `added` with the new one. Records are taken away first and added then, so that a changed TTL or
/// letter case is a removal and an addition of the same data.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// The serial number of the version that it applies to.
    pub from_serial: u32,
    /// The serial number of the version that it leads to.
    pub to_serial: u32,
    /// The records that go; the old SOA record first.
    pub removed: Vec<Record>,
    /// The records that come; the new SOA record first.
    pub added: Vec<Record>,
}

/// Why a difference cannot be applied to a zone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Misfit {
    /// It belongs to another version.
    Serial {
        /// The version at hand.
        have: u32,
        /// The version that it applies to.
        wants: u32,
    },
    /// A record that should go is not there.
    Missing(Name, RecordType),
    /// What comes out is no zone that could be served.
    Unsound(String),
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serial { have, wants } => write!(f, "a difference from serial {wants} does not fit serial {have}"),
            Self::Missing(owner, rtype) => write!(f, "{owner} {rtype} should be removed and is not there"),
            Self::Unsound(why) => write!(f, "the changed zone cannot be served: {why}"),
        }
    }
}

impl std::error::Error for Misfit {}

impl Difference {
    /// The difference between two versions of one zone.
    #[must_use]
    pub fn between(old: &Zone, new: &Zone) -> Self {
        let mut difference = Self {
            from_serial: old.serial(),
            to_serial: new.serial(),
            removed: soa_record(old).into_iter().collect(),
            added: soa_record(new).into_iter().collect(),
        };
        difference.compare(old.apex(), old.names(), new.names());
        difference.compare(old.apex(), old.hashed(), new.hashed());
        difference
    }

    /// Whether nothing but the SOA record changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.removed.len() <= 1 && self.added.len() <= 1
    }

    /// Octets that the difference takes.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        let octets = |record: &Record| size_of::<Record>() + record.owner.wire().len() + record.rdata.len();
        size_of::<Self>() + self.removed.iter().chain(&self.added).map(octets).sum::<usize>()
    }

    /// The version of `zone` that the difference leads to. Records outside the zone are ignored, and so is the
    /// addition of what is there already; `keyed` is the hasher of the new zone's table.
    ///
    /// # Errors
    /// [`Misfit`]; the zone must then be had whole.
    pub fn apply(&self, zone: &Zone, keyed: Keyed) -> Result<Zone, Misfit> {
        if zone.serial() != self.from_serial {
            return Err(Misfit::Serial { have: zone.serial(), wants: self.from_serial });
        }
        let apex = zone.apex();
        // By owner and type what goes, so that most sets are passed over with one look.
        let mut gone: Map<Vec<u8>, BTreeSet<Vec<u8>>> = Map::with_hasher(keyed.clone());
        for record in self.removed.iter().filter(|record| record.owner.is_within(apex)) {
            let data = master_file::lowered(record.rtype, &record.rdata);
            gone.entry(set_key(&record.owner, record.rtype)).or_default().insert(data);
        }
        let mut builder = Builder::new(apex.clone());
        // What comes goes first: its TTL counts for the whole RRset.
        for record in self.added.iter().filter(|record| record.owner.is_within(apex)) {
            add(&mut builder, &record.owner, record.rtype, record.ttl, &record.rdata);
        }
        for (owner, set) in zone.rrsets() {
            let data = set.rdatas().map(|rdata| (set.rtype, rdata));
            for (rtype, rdata) in data.chain(set.signatures().map(|rdata| (RecordType::RRSIG, rdata))) {
                let goes = gone
                    .get_mut(set_key(&owner, rtype).as_slice())
                    .is_some_and(|gone| gone.remove(&master_file::lowered(rtype, rdata)));
                if !goes {
                    add(&mut builder, &owner, rtype, set.ttl, rdata);
                }
            }
        }
        let is_missed = |record: &&Record| {
            gone.get(set_key(&record.owner, record.rtype).as_slice())
                .is_some_and(|gone| gone.contains(&master_file::lowered(record.rtype, &record.rdata)))
        };
        if let Some(missed) = self.removed.iter().find(is_missed) {
            return Err(Misfit::Missing(missed.owner.clone(), missed.rtype));
        }
        let (next, findings) = builder.finish(keyed);
        match next {
            Some(next) if next.serial() == self.to_serial => Ok(next),
            Some(next) => Err(Misfit::Serial { have: next.serial(), wants: self.to_serial }),
            None => {
                let error = findings.iter().find(|finding| finding.severity() == super::Severity::Error);
                Err(Misfit::Unsound(error.map_or_else(String::new, |error| error.fault.to_string())))
            }
        }
    }

    /// Several steps in a row as one, without what they undo (RFC 1995 §5); none where one does not begin where
    /// the one before ends, or there are none.
    #[must_use]
    pub fn condensed<'d>(steps: impl IntoIterator<Item = &'d Self>) -> Option<Self> {
        let mut steps = steps.into_iter();
        let first = steps.next()?;
        let mut last = first;
        let mut net = Net::default();
        net.take(first);
        for step in steps {
            if step.from_serial != last.to_serial {
                return None;
            }
            net.take(step);
            last = step;
        }
        let mut whole = Self {
            from_serial: first.from_serial,
            to_serial: last.to_serial,
            removed: first.removed.first().cloned().into_iter().collect(),
            added: last.added.first().cloned().into_iter().collect(),
        };
        for (_, (removed, added)) in net.0 {
            whole.removed.extend(removed.cloned());
            whole.added.extend(added.cloned());
        }
        Some(whole)
    }

    fn compare(&mut self, apex: &Name, old: &Tree, new: &Tree) {
        let (mut olds, mut news) = (old.nodes().peekable(), new.nodes().peekable());
        loop {
            let order = match (olds.peek(), news.peek()) {
                (Some(one), Some(two)) => canonical_order(one.name, two.name),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return,
            };
            let one = if order.is_le() { olds.next() } else { None };
            let two = if order.is_ge() { news.next() } else { None };
            self.nodes(apex, one, two);
        }
    }

    fn nodes(&mut self, apex: &Name, old: Option<Node<'_>>, new: Option<Node<'_>>) {
        match (old, new) {
            (Some(old), Some(new)) if old.name == new.name => {
                let owner = absolute(old.name, apex);
                for set in old.sets() {
                    match new.set(set.rtype) {
                        Some(other) if other == set => {}
                        Some(other) if other.ttl == set.ttl => self.sets(&owner, &set, &other),
                        Some(other) => {
                            push_set(&mut self.removed, &owner, &set);
                            push_set(&mut self.added, &owner, &other);
                        }
                        None => push_set(&mut self.removed, &owner, &set),
                    }
                }
                for set in new.sets().filter(|set| old.set(set.rtype).is_none()) {
                    push_set(&mut self.added, &owner, &set);
                }
            }
            // Where only the case of letters differs, everything of the name goes and comes again.
            (old, new) => {
                for (node, records) in [(old, &mut self.removed), (new, &mut self.added)] {
                    let Some(node) = node else { continue };
                    let owner = absolute(node.name, apex);
                    node.sets().for_each(|set| push_set(records, &owner, &set));
                }
            }
        }
    }

    /// Two sets of the same owner, type and TTL: only what differs.
    fn sets(&mut self, owner: &Name, old: &SetView<'_>, new: &SetView<'_>) {
        if old.rtype == RecordType::SOA {
            self.signatures(owner, old, new); // the record itself stands in front already
            return;
        }
        let (olds, news): (BTreeSet<&[u8]>, BTreeSet<&[u8]>) = (old.rdatas().collect(), new.rdatas().collect());
        push(&mut self.removed, owner, old.rtype, old.ttl, olds.difference(&news).copied());
        push(&mut self.added, owner, new.rtype, new.ttl, news.difference(&olds).copied());
        self.signatures(owner, old, new);
    }

    fn signatures(&mut self, owner: &Name, old: &SetView<'_>, new: &SetView<'_>) {
        let (olds, news): (BTreeSet<&[u8]>, BTreeSet<&[u8]>) = (old.signatures().collect(), new.signatures().collect());
        push(&mut self.removed, owner, RecordType::RRSIG, old.ttl, olds.difference(&news).copied());
        push(&mut self.added, owner, RecordType::RRSIG, new.ttl, news.difference(&olds).copied());
    }
}

/// What several steps come to: for each record, letters small, whether it goes and whether it comes.
#[derive(Default)]
struct Net<'d>(BTreeMap<Vec<u8>, (Option<&'d Record>, Option<&'d Record>)>);

impl<'d> Net<'d> {
    fn take(&mut self, step: &'d Difference) {
        let is_plain = |record: &&Record| record.rtype != RecordType::SOA;
        for record in step.removed.iter().filter(is_plain) {
            let (removed, added) = self.0.entry(record_key(record)).or_default();
            if added.take().is_none() && removed.is_none() {
                *removed = Some(record);
            }
        }
        for record in step.added.iter().filter(is_plain) {
            let (removed, added) = self.0.entry(record_key(record)).or_default();
            match removed {
                Some(before) if is_identical(before, record) => *removed = None,
                _ => *added = Some(record),
            }
        }
    }
}

/// Whether two records are the same to the letter and the second.
fn is_identical(one: &Record, two: &Record) -> bool {
    one == two && one.owner.is_same_case(&two.owner)
}

/// The zone's SOA record.
pub(super) fn soa_record(zone: &Zone) -> Option<Record> {
    let soa = zone.soa()?;
    let rdata = soa.rdatas().next()?.into();
    Some(Record { owner: zone.apex().clone(), rtype: RecordType::SOA, class: Class::IN, ttl: soa.ttl, rdata })
}

fn set_key(owner: &Name, rtype: RecordType) -> Vec<u8> {
    let mut key = owner.wire().to_ascii_lowercase();
    key.extend_from_slice(&rtype.0.to_be_bytes());
    key
}

fn record_key(record: &Record) -> Vec<u8> {
    let mut key = set_key(&record.owner, record.rtype);
    key.extend_from_slice(&master_file::lowered(record.rtype, &record.rdata));
    key
}

/// Puts a record into a zone that is being built from the wire.
pub(super) fn add(builder: &mut Builder, owner: &Name, rtype: RecordType, ttl: u32, rdata: &[u8]) {
    builder.add(&Entry { owner: owner.wire(), rtype, ttl, rdata, file: 0, line: 0 });
}

fn push_set(records: &mut Vec<Record>, owner: &Name, set: &SetView<'_>) {
    if set.rtype != RecordType::SOA {
        push(records, owner, set.rtype, set.ttl, set.rdatas());
    }
    push(records, owner, RecordType::RRSIG, set.ttl, set.signatures());
}

fn push<'r>(
    records: &mut Vec<Record>,
    owner: &Name,
    rtype: RecordType,
    ttl: u32,
    rdatas: impl Iterator<Item = &'r [u8]>,
) {
    records.extend(rdatas.map(|rdata| Record {
        owner: owner.clone(),
        rtype,
        class: Class::IN,
        ttl,
        rdata: rdata.into(),
    }));
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use proptest::prelude::*;

    use super::*;
    use crate::base::Dice;
    use crate::base::collections::keyed;

    fn hasher() -> Keyed {
        keyed(&mut Dice::from_number(1))
    }

    fn zone(serial: u32, records: &str) -> Zone {
        let text = format!("@ 300 SOA ns.example. host.example. {serial} 60 30 900 60\n@ 300 NS ns\n{records}");
        let origin = "example.".parse().unwrap();
        let (zone, findings) =
            super::super::load(&origin, text.as_bytes(), "test", &mut master_file::no_include, hasher());
        zone.unwrap_or_else(|| panic!("{:?}", findings.iter().map(ToString::to_string).collect::<Vec<_>>()))
    }

    fn print(zone: &Zone) -> String {
        let mut text = String::new();
        zone.print(&mut text).unwrap();
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable(); // the order within an RRset is nobody's data
        lines.join("\n")
    }

    #[test]
    fn what_is_alike_is_no_difference() {
        let one = zone(1, "a 60 A 192.0.2.1\nb 60 TXT x");
        let difference = Difference::between(&one, &zone(1, "b 60 TXT x\na 60 A 192.0.2.1"));
        assert!(difference.is_empty(), "{difference:?}");
        assert_eq!((difference.removed.len(), difference.added.len()), (1, 1));
    }

    #[test]
    fn only_what_differs_is_told_and_the_soa_comes_first() {
        let one = zone(1, "a 60 A 192.0.2.1\na 60 A 192.0.2.2\nB 60 TXT x");
        let two = zone(2, "a 60 A 192.0.2.2\na 60 A 192.0.2.3\nb 60 TXT x");
        let difference = Difference::between(&one, &two);
        let names = |records: &[Record]| {
            records.iter().map(|record| format!("{} {}", record.owner, record.rtype)).collect::<Vec<_>>()
        };
        assert_eq!(names(&difference.removed), ["example. SOA", "a.example. A", "B.example. TXT"]);
        assert_eq!(names(&difference.added), ["example. SOA", "a.example. A", "b.example. TXT"]);
        assert_eq!(print(&difference.apply(&one, hasher()).unwrap()), print(&two));
    }

    #[test]
    fn a_changed_ttl_replaces_the_set() {
        let (one, two) = (zone(1, "a 60 A 192.0.2.1\na 60 A 192.0.2.2"), zone(2, "a 90 A 192.0.2.1\na 90 A 192.0.2.2"));
        let difference = Difference::between(&one, &two);
        assert_eq!(difference.added.len(), 3);
        assert_eq!(print(&difference.apply(&one, hasher()).unwrap()), print(&two));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let (one, two) = (zone(1, "a 60 A 192.0.2.1"), zone(2, "a 60 A 192.0.2.2"));
        let difference = Difference::between(&one, &two);
        assert_eq!(difference.apply(&two, hasher()).err(), Some(Misfit::Serial { have: 2, wants: 1 }));
        let other = zone(1, "a 60 A 192.0.2.9");
        let a = "a.example.".parse().unwrap();
        assert_eq!(difference.apply(&other, hasher()).err(), Some(Misfit::Missing(a, RecordType::A)));
        let mut bad = difference;
        bad.added.remove(0);
        assert!(matches!(bad.apply(&one, hasher()), Err(Misfit::Unsound(_))));
    }

    #[test]
    fn what_steps_undo_is_left_out() {
        let (one, two, three) = (zone(1, "a 60 A 192.0.2.1"), zone(2, "b 60 A 192.0.2.2"), zone(3, "a 60 A 192.0.2.1"));
        let steps = [Difference::between(&one, &two), Difference::between(&two, &three)];
        let whole = Difference::condensed(&steps).unwrap();
        assert!(whole.is_empty(), "{whole:?}");
        assert_eq!((whole.from_serial, whole.to_serial), (1, 3));
        assert_eq!(Difference::condensed([&steps[1], &steps[0]]), None);
    }

    fn any_records() -> impl Strategy<Value = String> {
        prop::collection::btree_set((0..8u8, 0..3u8, 0..4u8), 0..24).prop_flat_map(|records| {
            let ttls = prop::collection::vec(prop::sample::select(vec![60u32, 90]), 24);
            (Just(records), ttls, prop::collection::vec(any::<bool>(), 8)).prop_map(|(records, ttls, capitals)| {
                let mut text = String::new();
                for (owner, rtype, data) in records {
                    let name = if capitals[owner as usize] { "N" } else { "n" };
                    let ttl = ttls[(owner * 3 + rtype) as usize];
                    match rtype {
                        0 => writeln!(text, "{name}{owner} {ttl} A 192.0.2.{data}"),
                        1 => writeln!(text, "{name}{owner} {ttl} TXT t{data}"),
                        _ => writeln!(text, "{name}{owner} {ttl} MX {data} M{data}.test."),
                    }
                    .unwrap();
                }
                text
            })
        })
    }

    proptest! {
        #[test]
        fn a_difference_leads_from_one_to_the_other(one in any_records(), two in any_records(), three in any_records()) {
            let (one, two, three) = (zone(1, &one), zone(2, &two), zone(3, &three));
            let (first, second) = (Difference::between(&one, &two), Difference::between(&two, &three));
            prop_assert_eq!(print(&first.apply(&one, hasher()).unwrap()), print(&two));
            let whole = Difference::condensed([&first, &second]).unwrap();
            prop_assert_eq!(print(&whole.apply(&one, hasher()).unwrap()), print(&three));
        }
    }
}
