//! The zones that are served: which of them a name belongs to.

use std::sync::Arc;

use super::alias::AliasTable;
use super::zone::Zone;
use crate::base::collections::{Keyed, Map};
use crate::dns::{Name, RecordType};

/// A zone that is ours.
#[derive(Clone, Debug)]
pub enum Hosted {
    /// It can be answered from.
    Serving(Arc<Zone>),
    /// It is ours, but there are no data that may be given: never loaded, or expired.
    Unavailable,
}

/// A set of zones by name. It is changed aside and swapped as one.
#[derive(Clone, Debug)]
pub struct Zones {
    by_apex: Map<Name, Hosted>,
    /// The label counts of the apexes, the greatest first: a search tries only these.
    depths: Vec<usize>,
    /// The addresses that ALIAS records lead to; shared by every set of zones made from this one.
    aliases: Arc<AliasTable>,
}

impl Zones {
    /// No zones.
    #[must_use]
    pub fn new(keyed: Keyed) -> Self {
        Self { by_apex: Map::with_hasher(keyed), depths: Vec::new(), aliases: Arc::default() }
    }

    /// The addresses that ALIAS records lead to.
    #[must_use]
    pub const fn aliases(&self) -> &Arc<AliasTable> {
        &self.aliases
    }

    /// Adds a zone, or replaces the one of the same name.
    pub fn insert(&mut self, zone: Arc<Zone>) {
        self.put(zone.apex().clone(), Hosted::Serving(zone));
    }

    /// Claims a name without data: it is answered SERVFAIL, and nobody else is asked.
    pub fn insert_unavailable(&mut self, apex: Name) {
        self.put(apex, Hosted::Unavailable);
    }

    /// Removes a zone.
    pub fn remove(&mut self, apex: &Name) {
        self.by_apex.remove(apex);
        self.depths = self.by_apex.keys().map(Name::label_count).collect();
        self.depths.sort_unstable_by(|a, b| b.cmp(a));
        self.depths.dedup();
    }

    /// The zone of exactly this name.
    #[must_use]
    pub fn exact(&self, apex: &Name) -> Option<&Hosted> {
        self.by_apex.get(apex)
    }

    /// The zone that answers for `name`: the longest match. DS at an apex is the parent's, where the parent is
    /// ours too (RFC 4035 §3.1.4.1).
    #[must_use]
    pub fn find(&self, name: &Name, rtype: RecordType) -> Option<&Hosted> {
        let count = name.label_count();
        let own = self.at_most(name, count);
        match own {
            Some((depth, _)) if rtype == RecordType::DS && depth == count && count > 0 => {
                self.at_most(name, count - 1).or(own)
            }
            _ => own,
        }
        .map(|(_, hosted)| hosted)
    }

    fn at_most(&self, name: &Name, labels: usize) -> Option<(usize, &Hosted)> {
        self.depths
            .iter()
            .filter(|&&depth| depth <= labels)
            .find_map(|&depth| self.by_apex.get(&name.suffix(depth)).map(|hosted| (depth, hosted)))
    }

    /// All zones.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, &Hosted)> {
        self.by_apex.iter()
    }

    fn put(&mut self, apex: Name, hosted: Hosted) {
        let depth = apex.label_count();
        if let Err(at) = self.depths.binary_search_by(|known| depth.cmp(known)) {
            self.depths.insert(at, depth);
        }
        self.by_apex.insert(apex, hosted);
    }
}
