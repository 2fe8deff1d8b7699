//! A zone being changed: the running zone and, over it, the names that are different now.
//!
//! Names are read from the zone when they are first touched, so that an update costs what it changes. Several
//! updates are attempted on one draft, one after the other; the zone is made of it once.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;

use super::super::build::absolute;
use super::super::difference::Difference;
use super::super::master_file;
use super::super::patch;
use super::super::tree::Node;
use super::super::zone::Zone;
use crate::base::collections::Keyed;
use crate::dns::{Class, Name, Record, RecordType};

/// One record of a name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in super::super) struct Item {
    pub(in super::super) rtype: RecordType,
    pub(in super::super) ttl: u32,
    pub(in super::super) rdata: SmallVec<[u8; 24]>,
}

impl Item {
    pub(super) fn of(record: &Record) -> Self {
        Self { rtype: record.rtype, ttl: record.ttl, rdata: record.rdata.clone() }
    }

    /// Whether both are the same record, TTL aside (RFC 2136 §1.1.1): letters of names in RDATA do not count.
    pub(super) fn is_same_data(&self, rtype: RecordType, rdata: &[u8]) -> bool {
        self.rtype == rtype
            && (*self.rdata == *rdata
                || self.rdata.eq_ignore_ascii_case(rdata)
                    && master_file::lowered(rtype, &self.rdata) == master_file::lowered(rtype, rdata))
    }
}

/// All records of some names.
pub(in super::super) type Touched = BTreeMap<Name, Vec<Item>>;

/// A difference does not fit the zone that it is applied to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Mismatch {
    /// It begins at another serial than the zone's.
    Serial {
        /// The zone's.
        zone: u32,
        /// The difference's.
        difference: u32,
    },
    /// It removes a record that is not there.
    Missing(Name, RecordType),
    /// It adds a record that is there.
    Present(Name, RecordType),
    /// It speaks of a name outside the zone.
    OutOfZone(Name),
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serial { zone, difference } => {
                write!(f, "the zone has serial {zone}, the difference begins at {difference}")
            }
            Self::Missing(owner, rtype) => write!(f, "{owner} has no such {rtype} record to be removed"),
            Self::Present(owner, rtype) => write!(f, "{owner} has this {rtype} record already"),
            Self::OutOfZone(owner) => write!(f, "{owner} lies outside the zone"),
        }
    }
}

impl std::error::Error for Mismatch {}

/// A zone and what is different from it.
#[derive(Clone, Debug)]
pub struct Draft {
    zone: Arc<Zone>,
    touched: Touched,
}

impl Draft {
    /// A draft without a difference yet.
    #[must_use]
    pub fn new(zone: Arc<Zone>) -> Self {
        Self { zone, touched: Touched::new() }
    }

    /// The zone's name.
    #[must_use]
    pub fn apex(&self) -> &Name {
        self.zone.apex()
    }

    /// Whether the zone can prove what is not there: then its records are a signer's.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        self.zone.is_signed()
    }

    /// The serial number of the draft.
    #[must_use]
    pub fn serial(&self) -> u32 {
        self.soa().map_or(0, |soa| serial_of(&soa.rdata))
    }

    /// Whether anything is different from the zone.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        !self.touched.is_empty()
    }

    /// The zone of this draft.
    ///
    /// # Errors
    /// [`patch::TooLarge`] past the bound on a zone's octets.
    pub fn compile(&self, keyed: Keyed) -> Result<Zone, patch::TooLarge> {
        patch::patched(&self.zone, &self.touched, keyed)
    }

    /// Applies what an earlier update led to, as when a journal is replayed.
    ///
    /// # Errors
    /// [`Mismatch`]; the draft is then as it was.
    pub fn apply(&mut self, difference: &Difference) -> Result<(), Mismatch> {
        if difference.from_serial != self.serial() {
            return Err(Mismatch::Serial { zone: self.serial(), difference: difference.from_serial });
        }
        let mut trial = Trial::new(self);
        for record in &difference.removed {
            let items = trial.items_mut(&record.owner).ok_or_else(|| Mismatch::OutOfZone(record.owner.clone()))?;
            let Some(at) = items.iter().position(|item| item.is_same_data(record.rtype, &record.rdata)) else {
                return Err(Mismatch::Missing(record.owner.clone(), record.rtype));
            };
            items.remove(at);
        }
        for record in &difference.added {
            let items = trial.items_mut(&record.owner).ok_or_else(|| Mismatch::OutOfZone(record.owner.clone()))?;
            if items.iter().any(|item| item.is_same_data(record.rtype, &record.rdata)) {
                return Err(Mismatch::Present(record.owner.clone(), record.rtype));
            }
            items.push(Item::of(record));
        }
        let touched = trial.finish();
        self.commit(touched);
        Ok(())
    }

    pub(super) fn commit(&mut self, touched: Touched) {
        for (name, items) in touched {
            self.touched.insert(name, items);
        }
    }

    pub(super) fn soa(&self) -> Option<Item> {
        self.items(self.zone.apex()).into_iter().find(|item| item.rtype == RecordType::SOA)
    }

    /// The records of `name`.
    pub(super) fn items(&self, name: &Name) -> Vec<Item> {
        match self.touched.get(name) {
            Some(items) => items.clone(),
            None => self.zone_items(name).1,
        }
    }

    /// What the zone has at `name`, and the name as the zone writes it.
    fn zone_items(&self, name: &Name) -> (Name, Vec<Item>) {
        let apex = self.zone.apex();
        let relative = name.wire().len().checked_sub(apex.wire().len()).and_then(|length| name.wire().get(..length));
        let Some(relative) = relative.filter(|_| name.is_within(apex)) else { return (name.clone(), Vec::new()) };
        let relative = relative.to_ascii_lowercase();
        let nodes = [self.zone.names().find(&relative), self.zone.hashed().find(&relative)];
        let own_name = nodes.iter().flatten().next().map_or_else(|| name.clone(), |node| absolute(node.name, apex));
        let mut items = Vec::new();
        for set in nodes.iter().flatten().flat_map(Node::sets) {
            let item = |rtype, rdata: &[u8]| Item { rtype, ttl: set.ttl, rdata: SmallVec::from_slice(rdata) };
            items.extend(set.rdatas().map(|rdata| item(set.rtype, rdata)));
            items.extend(set.signatures().map(|rdata| item(RecordType::RRSIG, rdata)));
        }
        (own_name, items)
    }
}

/// A change being tried on a draft, which stays as it is until the change is committed.
pub(super) struct Trial<'d> {
    draft: &'d Draft,
    nodes: Touched,
}

impl<'d> Trial<'d> {
    pub(super) const fn new(draft: &'d Draft) -> Self {
        Self { draft, nodes: Touched::new() }
    }

    /// The records of `name`, to be changed; none outside the zone.
    pub(super) fn items_mut(&mut self, name: &Name) -> Option<&mut Vec<Item>> {
        if !self.nodes.contains_key(name) {
            if !name.is_within(self.draft.apex()) {
                return None;
            }
            let (own_name, items) = match self.draft.touched.get_key_value(name) {
                Some((own_name, items)) => (own_name.clone(), items.clone()),
                None => self.draft.zone_items(name),
            };
            self.nodes.insert(own_name, items);
        }
        self.nodes.get_mut(name)
    }

    pub(super) const fn draft(&self) -> &'d Draft {
        self.draft
    }

    /// The names that were touched, with all their records.
    pub(super) fn finish(self) -> Touched {
        self.nodes
    }

    /// Records that were there and are not any more, and those that are new; a record whose TTL has changed is
    /// both. SOA records are left out.
    pub(super) fn difference(&self) -> (Vec<Record>, Vec<Record>) {
        let (mut removed, mut added) = (Vec::new(), Vec::new());
        for (name, items) in &self.nodes {
            let before = self.draft.items(name);
            let record = |item: &Item| Record {
                owner: name.clone(),
                rtype: item.rtype,
                class: Class::IN,
                ttl: item.ttl,
                rdata: item.rdata.clone(),
            };
            let differs = |item: &&Item, others: &[Item]| {
                item.rtype != RecordType::SOA
                    && !others.iter().any(|other| other.ttl == item.ttl && other.is_same_data(item.rtype, &item.rdata))
            };
            removed.extend(before.iter().filter(|item| differs(item, items)).map(record));
            added.extend(items.iter().filter(|item| differs(item, &before)).map(record));
        }
        (removed, added)
    }
}

/// The serial number of a SOA record.
pub(in super::super) fn serial_of(rdata: &[u8]) -> u32 {
    let number = || rdata.get(rdata.len().checked_sub(20)?..)?.first_chunk::<4>().copied();
    number().map_or(0, u32::from_be_bytes)
}
