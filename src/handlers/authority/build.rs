//! From records to a [`Zone`]: collected as they come, sorted once, grouped into nodes and `RRsets`, linted.
//!
//! Records wait in one long buffer behind a key that sorts as octets in canonical order, so that a million
//! of them cost a million small entries in an index and no allocation each.

use std::sync::Arc;

use super::finding::{Fault, Findings, Place};
use super::lint;
use super::master_file;
use super::tree::{Tree, TreeBuilder, flag, label_starts};
use super::zone::Zone;
use crate::base::bounds;
use crate::base::collections::Keyed;
use crate::dns::{Name, RecordType, RrSet};

/// One record on its way into a zone.
pub struct Entry<'e> {
    /// The owner's wire form.
    pub owner: &'e [u8],
    /// The type.
    pub rtype: RecordType,
    /// The TTL, seconds.
    pub ttl: u32,
    /// The RDATA, names whole.
    pub rdata: &'e [u8],
    /// The file that it stands in, as [`Builder::add_file`] numbered it.
    pub file: u16,
    /// The line, from 1.
    pub line: u32,
}

/// The type of what makes a name be there and is no record: no question can have it (RFC 6895 §3.1).
const NOTHING: RecordType = RecordType(0);

/// Collects the records of a zone.
pub struct Builder {
    origin: Name,
    files: Vec<Arc<str>>,
    findings: Findings,
    names: Pile,
    /// The sets that stand for what is chosen: owner, type, and where it was said.
    chosen: Vec<(Name, RecordType, (u16, u32))>,
    /// NSEC3 records and their signatures: their owners are no names of the zone (RFC 5155 §7.2.8).
    hashed: Pile,
    is_too_large: bool,
}

/// Records in the order in which they came, and an index over them.
#[derive(Default)]
struct Pile {
    raw: Vec<u8>,
    index: Vec<Handle>,
    /// The key of the record at hand.
    key: Vec<u8>,
}

/// The first octets of a record's key, and where it stands.
#[derive(Clone, Copy)]
struct Handle {
    prefix: [u64; 2],
    at: u32,
}

/// A collected record.
#[derive(Clone, Copy)]
pub(super) struct Raw<'r> {
    /// The name relative to the apex as octets that sort in canonical order.
    key: &'r [u8],
    /// The name relative to the apex, without the root's octet.
    pub(super) name: &'r [u8],
    pub(super) rtype: RecordType,
    ttl: u32,
    file: u16,
    line: u32,
    pub(super) rdata: &'r [u8],
}

impl Raw<'_> {
    /// The type of the `RRset` that the record belongs to: a signature belongs to what it covers.
    fn set_type(&self) -> RecordType {
        match (self.rtype, self.rdata) {
            (RecordType::RRSIG, [high, low, ..]) => RecordType(u16::from_be_bytes([*high, *low])),
            (rtype, _) => rtype,
        }
    }

    fn sort_key(&self) -> (&[u8], u16, bool) {
        (self.key, self.set_type().0, self.rtype == RecordType::RRSIG)
    }
}

const RAW_HEADER: usize = 17;

impl Pile {
    fn add(&mut self, key: &[u8], name: &[u8], entry: &Entry<'_>) -> Result<(), Fault> {
        let at = self.raw.len();
        if at + RAW_HEADER + key.len() + name.len() + entry.rdata.len() > bounds::ZONE_BYTES_MAX {
            return Err(Fault::TooLarge);
        }
        let rdata_length =
            u16::try_from(entry.rdata.len()).map_err(|_| Fault::TooLong { what: "the RDATA" })?.to_be_bytes();
        self.raw.extend_from_slice(&(key.len() as u16).to_be_bytes());
        self.raw.push(name.len() as u8);
        self.raw.extend_from_slice(&entry.rtype.0.to_be_bytes());
        self.raw.extend_from_slice(&entry.ttl.to_be_bytes());
        self.raw.extend_from_slice(&entry.file.to_be_bytes());
        self.raw.extend_from_slice(&entry.line.to_be_bytes());
        self.raw.extend_from_slice(&rdata_length);
        self.raw.extend_from_slice(key);
        self.raw.extend_from_slice(name);
        self.raw.extend_from_slice(entry.rdata);
        let octet_at = |at: usize| u64::from(key.get(at).copied().unwrap_or(0));
        let word = |from: usize| (from..from + 8).fold(0, |word, at| word << 8 | octet_at(at));
        let prefix = [word(0), word(8)];
        self.index.push(Handle { prefix, at: at as u32 });
        Ok(())
    }

    fn raw(&self, at: u32) -> Raw<'_> {
        const NOTHING: Raw<'_> =
            Raw { key: &[], name: &[], rtype: RecordType(0), ttl: 0, file: 0, line: 0, rdata: &[] };
        self.read(at).unwrap_or(NOTHING)
    }

    fn read(&self, at: u32) -> Option<Raw<'_>> {
        let (header, rest) = self.raw.get(at as usize..)?.split_first_chunk::<RAW_HEADER>()?;
        let [k1, k2, name_length, r1, r2, t1, t2, t3, t4, f1, f2, l1, l2, l3, l4, d1, d2] = *header;
        let (key, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([k1, k2])))?;
        let (name, rest) = rest.split_at_checked(usize::from(name_length))?;
        Some(Raw {
            key,
            name,
            rtype: RecordType(u16::from_be_bytes([r1, r2])),
            ttl: u32::from_be_bytes([t1, t2, t3, t4]),
            file: u16::from_be_bytes([f1, f2]),
            line: u32::from_be_bytes([l1, l2, l3, l4]),
            rdata: rest.get(..usize::from(u16::from_be_bytes([d1, d2])))?,
        })
    }

    fn sort(&mut self) {
        let mut index = std::mem::take(&mut self.index);
        // Stable: records of one RRset keep the order of the file, and a sorted file is sorted in one pass.
        index.sort_by(|one, two| {
            one.prefix.cmp(&two.prefix).then_with(|| self.raw(one.at).sort_key().cmp(&self.raw(two.at).sort_key()))
        });
        self.index = index;
    }
}

/// A key that sorts as octets in canonical order: the labels from the right in small letters, each ended by a
/// 0; 0 and 1 within a label become 1 1 and 1 2.
pub(super) fn canonical_key(name: &[u8], key: &mut Vec<u8>) {
    key.clear();
    for start in label_starts(name).iter().rev() {
        for octet in super::tree::label_at(name, *start) {
            match octet {
                0 => key.extend_from_slice(&[1, 1]),
                1 => key.extend_from_slice(&[1, 2]),
                other => key.push(other.to_ascii_lowercase()),
            }
        }
        key.push(0);
    }
}

impl Builder {
    /// A builder of the zone `origin`.
    #[must_use]
    pub fn new(origin: Name) -> Self {
        Self {
            origin,
            files: Vec::new(),
            findings: Findings::default(),
            names: Pile::default(),
            chosen: Vec::new(),
            hashed: Pile::default(),
            is_too_large: false,
        }
    }

    /// The zone's apex.
    #[must_use]
    pub const fn origin(&self) -> &Name {
        &self.origin
    }

    /// Makes a file known by its name; the number is for [`Entry::file`].
    pub fn add_file(&mut self, name: &str) -> u16 {
        self.files.push(name.into());
        u16::try_from(self.files.len() - 1).unwrap_or(u16::MAX)
    }

    pub(super) fn file_name(&self, file: u16) -> &str {
        self.files.get(usize::from(file)).map_or("", |name| name)
    }

    fn place(&self, file: u16, line: u32, column: u32) -> Place {
        let file = self.files.get(usize::from(file)).cloned().unwrap_or_else(|| "".into());
        Place { file, line, column }
    }

    pub(super) fn fault(&mut self, file: u16, at: impl Into<(u32, u32)>, fault: Fault) {
        let (line, column) = at.into();
        let place = self.place(file, line, column);
        self.findings.push(place, fault);
    }

    /// Adds a record. One outside the zone is ignored with a warning.
    pub fn add(&mut self, entry: &Entry<'_>) {
        let origin = self.origin.wire();
        let relative = entry.owner.len().checked_sub(origin.len()).and_then(|cut| entry.owner.split_at_checked(cut));
        let name = match relative {
            Some((name, tail)) if tail.eq_ignore_ascii_case(origin) && ends_on_label(name) => name,
            _ => {
                let owner = Name::from_wire(entry.owner).map_or_else(|_| Name::root(), |(name, _)| name);
                return self.fault(entry.file, (entry.line, 0), Fault::OutOfZone(owner));
            }
        };
        let mut key = std::mem::take(&mut self.names.key);
        canonical_key(name, &mut key);
        let is_hashed = entry.rtype == RecordType::NSEC3
            || entry.rtype == RecordType::RRSIG && entry.rdata.starts_with(&RecordType::NSEC3.0.to_be_bytes());
        let pile = if is_hashed { &mut self.hashed } else { &mut self.names };
        let added = pile.add(&key, name, entry);
        self.names.key = key;
        if let Err(fault) = added {
            if fault == Fault::TooLarge && std::mem::replace(&mut self.is_too_large, true) {
                return;
            }
            self.fault(entry.file, (entry.line, 0), fault);
        }
    }

    /// The records that were added, one by one in the order in which they came, with where they stand; those outside
    /// the zone are not among them.
    pub fn records(&self) -> impl Iterator<Item = (Place, RrSet)> {
        self.names.index.iter().filter_map(|handle| {
            let raw = self.names.raw(handle.at);
            let owner = [raw.name, self.origin.wire()].concat();
            let (owner, _) = Name::from_wire(&owner).ok()?;
            Some((self.place(raw.file, raw.line, 0), RrSet::new(owner, raw.rtype, raw.ttl, [raw.rdata])))
        })
    }

    /// What was found to be wrong so far.
    #[must_use]
    pub const fn findings(&self) -> &Findings {
        &self.findings
    }

    /// Adds the records of all members of a pool, of which one answers at a time: so the name exists, with every type
    /// that it can answer, and servers that cannot choose have something to serve. Of an empty set the name is there.
    pub fn add_chosen(&mut self, set: &RrSet, file: u16, line: u32) {
        if !set.owner.is_within(&self.origin) {
            return self.fault(file, (line, 0), Fault::ChosenOutside(set.owner.clone()));
        }
        self.chosen.push((set.owner.clone(), set.rtype, (file, line)));
        if set.rdatas.is_empty() {
            self.add(&Entry { owner: set.owner.wire(), rtype: NOTHING, ttl: 0, rdata: &[], file, line });
        }
        for rdata in set.rdatas.iter() {
            self.add(&Entry { owner: set.owner.wire(), rtype: set.rtype, ttl: set.ttl, rdata, file, line });
        }
    }

    /// What is chosen must be all there is of its type, and must be reached.
    fn check_chosen(&mut self, zone: &Zone, names: &Pile) {
        let mut key = Vec::new();
        for (owner, rtype, (file, line)) in std::mem::take(&mut self.chosen) {
            let relative = owner.wire().get(..owner.wire().len() - self.origin.wire().len()).unwrap_or_default();
            canonical_key(relative, &mut key);
            // The pile is in canonical order.
            let begin = names.index.partition_point(|handle| names.raw(handle.at).key < key.as_slice());
            let own = names.index.get(begin..).unwrap_or_default().iter().map(|handle| names.raw(handle.at));
            let mut own = own.take_while(|raw| raw.key == key.as_slice());
            let is_other = |raw: &Raw<'_>| raw.set_type() == rtype && (raw.file, raw.line) != (file, line);
            if let Some(other) = own.find(is_other).map(|raw| (raw.file, raw.line)) {
                let fault = Fault::ChosenBesideOther { owner: owner.clone(), rtype };
                self.fault(other.0, (other.1, 0), fault);
            }
            let is_hidden = zone.node(relative).is_some_and(|node| node.has(flag::OCCLUDED) || node.has(flag::CUT));
            if is_hidden {
                self.fault(file, (line, 0), Fault::ChosenOccluded(owner));
            } else if zone.is_signed() {
                self.fault(file, (line, 0), Fault::ChosenUnsigned(owner));
            }
        }
    }

    /// The zone, unless there are errors, and everything found. `keyed` is the hasher of its table of names.
    #[must_use]
    pub fn finish(mut self, keyed: Keyed) -> (Option<Zone>, Findings) {
        let mut names = std::mem::take(&mut self.names);
        let mut hashed = std::mem::take(&mut self.hashed);
        names.sort();
        hashed.sort();
        let tree = self.tree(&names, keyed.clone(), false);
        let hashed_tree = self.tree(&hashed, keyed, true);
        let zone = Zone::new(self.origin.clone(), tree, hashed_tree);
        if zone.soa().is_none() {
            self.fault(0, (0, 0), Fault::NoSoa);
        } else {
            for (pile, is_hashed) in [(&names, false), (&hashed, true)] {
                for handle in &pile.index {
                    let raw = pile.raw(handle.at);
                    lint::record(&zone, raw, is_hashed, &mut |fault| self.fault(raw.file, (raw.line, 0), fault));
                }
            }
            self.check_chosen(&zone, &names);
            lint::zone(&zone, &mut |fault| self.fault(0, (0, 0), fault));
        }
        let is_sound = !self.findings.has_errors();
        (is_sound.then_some(zone), self.findings)
    }

    /// Groups a sorted pile into nodes and `RRsets`.
    fn tree(&mut self, pile: &Pile, keyed: Keyed, is_hashed: bool) -> Tree {
        let mut tree = TreeBuilder::new(keyed, pile.raw.len(), pile.index.len());
        let mut outline = Outline::default();
        if !is_hashed && pile.index.first().is_none_or(|first| !pile.raw(first.at).key.is_empty()) {
            outline.node(&mut tree, &[], &[], 0); // a zone has an apex, be it empty
        }
        let mut rest: &[Handle] = &pile.index;
        while let Some(first) = rest.first() {
            let first = pile.raw(first.at);
            let count = rest.iter().take_while(|handle| pile.raw(handle.at).key == first.key).count();
            let (group, after) = rest.split_at(count);
            rest = after;
            let has = |rtype| group.iter().any(|handle| pile.raw(handle.at).rtype == rtype);
            let mut flags = 0;
            if has(RecordType::NS) && !first.key.is_empty() {
                flags |= flag::CUT;
            }
            if has(RecordType::DNAME) {
                flags |= flag::DNAME;
            }
            if is_hashed {
                tree.node(0, first.name);
            } else {
                outline.node(&mut tree, first.key, first.name, flags);
            }
            self.sets(pile, group, &mut tree);
        }
        tree.finish()
    }

    fn sets(&mut self, pile: &Pile, group: &[Handle], tree: &mut TreeBuilder) {
        for set in group.chunk_by(|one, two| pile.raw(one.at).set_type() == pile.raw(two.at).set_type()) {
            let split = set.partition_point(|handle| pile.raw(handle.at).rtype != RecordType::RRSIG);
            let (data, signatures) = set.split_at(split);
            let Some(first) = set.first().map(|handle| pile.raw(handle.at)).filter(|first| first.rtype != NOTHING)
            else {
                continue;
            };
            let keep = self.distinct(pile, data);
            let signatures: Vec<&[u8]> = signatures.iter().map(|handle| pile.raw(handle.at).rdata).collect();
            if data.is_empty() {
                // A signature over what is not there: it still is data of type RRSIG.
                tree.set(RecordType::RRSIG, first.ttl, signatures.into_iter(), std::iter::empty());
            } else {
                tree.set(first.rtype, first.ttl, keep.into_iter(), signatures.into_iter());
            }
        }
    }

    /// The RDATA of a set's records without repetitions, in the order of the file.
    fn distinct<'p>(&mut self, pile: &'p Pile, data: &[Handle]) -> Vec<&'p [u8]> {
        let raws: Vec<Raw<'p>> = data.iter().map(|handle| pile.raw(handle.at)).collect();
        let Some(first) = raws.first().copied() else { return Vec::new() };
        if raws.len() == 1 {
            return vec![first.rdata];
        }
        if let Some(other) = raws.iter().find(|raw| raw.ttl != first.ttl) {
            let fault = Fault::TtlDiffers { owner: self.owner(&first), rtype: first.rtype, taken: first.ttl };
            self.fault(other.file, (other.line, 0), fault);
        }
        let lowered: Vec<Vec<u8>> = raws.iter().map(|raw| master_file::lowered(raw.rtype, raw.rdata)).collect();
        let mut order: Vec<usize> = (0..raws.len()).collect();
        order.sort_by_key(|&at| lowered.get(at));
        let mut is_repeated = vec![false; raws.len()];
        for (one, two) in order.iter().zip(order.iter().skip(1)) {
            if lowered.get(*one) == lowered.get(*two)
                && let Some(mark) = is_repeated.get_mut(*two)
            {
                *mark = true;
            }
        }
        let mut kept = Vec::with_capacity(raws.len());
        for (raw, is_repeated) in raws.iter().zip(is_repeated) {
            if is_repeated {
                let fault = Fault::Duplicate { owner: self.owner(raw), rtype: raw.rtype };
                self.fault(raw.file, (raw.line, 0), fault);
            } else {
                kept.push(raw.rdata);
            }
        }
        if kept.len() > 1 && matches!(first.rtype, RecordType::CNAME | RecordType::DNAME) {
            let fault = Fault::SeveralAliases { owner: self.owner(&first), rtype: first.rtype };
            self.fault(first.file, (first.line, 0), fault);
        }
        if kept.len() > 1 && first.rtype == RecordType::SOA {
            self.fault(first.file, (first.line, 0), Fault::SeveralSoa);
        }
        kept
    }

    fn owner(&self, raw: &Raw<'_>) -> Name {
        absolute(raw.name, &self.origin)
    }
}

/// A relative name made whole.
pub(super) fn absolute(name: &[u8], origin: &Name) -> Name {
    let wire = [name, origin.wire()].concat();
    Name::from_wire(&wire).map_or_else(|_| origin.clone(), |(name, _)| name)
}

fn ends_on_label(name: &[u8]) -> bool {
    let mut at = 0;
    while let Some(&length) = name.get(at) {
        at += 1 + usize::from(length);
    }
    at == name.len()
}

/// The ancestors of the node at hand while nodes come in canonical order: where empty non-terminals are found
/// missing, and where a cut hides what is below.
#[derive(Default)]
pub(super) struct Outline {
    /// The key's length and the rank of each ancestor, the apex first.
    line: Vec<(usize, u32)>,
    key: Vec<u8>,
    /// The length of the key of the cut or DNAME above.
    hidden_below: Option<usize>,
}

impl Outline {
    pub(super) fn node(&mut self, tree: &mut TreeBuilder, key: &[u8], name: &[u8], flags: u8) {
        let shared = self.key.iter().zip(key).take_while(|(a, b)| a == b).count();
        self.line.retain(|(length, _)| *length <= shared);
        if self.hidden_below.is_some_and(|length| length > shared) {
            self.hidden_below = None;
        }
        self.key.clear();
        self.key.extend_from_slice(key);
        // The ends of the labels in the key, the apex's child first.
        let ends = key.iter().enumerate().filter(|(_, octet)| **octet == 0).map(|(at, _)| at + 1);
        let starts = label_starts(name);
        let mut depth = 0;
        let deepest = starts.len();
        if deepest == 0 {
            self.emit(tree, 0, &[], flags);
        }
        for end in ends {
            depth += 1;
            let own_name = starts.get(deepest - depth).and_then(|start| name.get(usize::from(*start)..));
            let own_name = own_name.unwrap_or_default();
            if depth == deepest {
                self.emit(tree, end, own_name, flags);
            } else if self.line.last().is_none_or(|(length, _)| *length < end) {
                self.emit(tree, end, own_name, 0); // an empty non-terminal
            }
        }
    }

    fn emit(&mut self, tree: &mut TreeBuilder, key_length: usize, name: &[u8], mut flags: u8) {
        if self.hidden_below.is_some() {
            flags |= flag::OCCLUDED;
        } else if flags & (flag::CUT | flag::DNAME) != 0 {
            self.hidden_below = Some(key_length);
        }
        if name.starts_with(&[1, b'*'])
            && let Some((_, parent)) = self.line.last()
        {
            tree.add_flags(*parent, flag::WILDCARD_BELOW);
        }
        let rank = tree.node(flags, name);
        self.line.push((key_length, rank));
    }
}
