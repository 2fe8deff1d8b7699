//! A zone: an immutable snapshot, made by the [`Builder`](super::Builder), shared by all who answer from it.

use std::fmt::Write;

use super::build::absolute;
use super::master_file::write_rdata;
use super::nsec3;
use super::tree::{Node, SetView, Tree, flag};
use crate::dns::{Name, RecordType};

/// The records of one zone, ready to be looked up.
pub struct Zone {
    apex: Name,
    names: Tree,
    hashed: Tree,
    denial: Chain,
    record_count: usize,
}

/// How the zone proves that something is not there.
pub(super) enum Chain {
    /// It is not signed.
    None,
    /// NSEC (RFC 4034 §4): the ranks of the names that have one.
    Nsec(Box<[u32]>),
    /// NSEC3 (RFC 5155): how names are hashed, and the ranks among the hashes.
    Nsec3 {
        /// How names are hashed.
        parameters: nsec3::Parameters,
        /// The ranks of the hashes made so.
        ranks: Box<[u32]>,
    },
}

impl Zone {
    pub(super) fn new(apex: Name, names: Tree, hashed: Tree) -> Self {
        let sets = names.nodes().chain(hashed.nodes()).flat_map(|node| node.sets());
        let record_count = sets.map(|set| set.rdatas().count() + set.signatures().count()).sum();
        let mut zone = Self { apex, names, hashed, denial: Chain::None, record_count };
        zone.denial = zone.find_chain();
        zone
    }

    /// NSEC3 counts where an NSEC3PARAM says how to hash (RFC 5155 §4), else NSEC where the apex has one.
    fn find_chain(&self) -> Chain {
        let parameters = self.apex_set(RecordType::NSEC3PARAM);
        for parameters in parameters.iter().flat_map(SetView::rdatas).filter_map(nsec3::Parameters::of_apex) {
            let is_of_chain = |node: &Node<'_>| {
                node.name.len() == 33
                    && node.set(RecordType::NSEC3).is_some_and(|set| set.rdatas().any(|rdata| parameters.made(rdata)))
            };
            let ranks: Box<[u32]> = self.hashed.nodes().filter(is_of_chain).map(|node| node.rank).collect();
            if !ranks.is_empty() {
                return Chain::Nsec3 { parameters, ranks };
            }
        }
        if self.apex_set(RecordType::NSEC).is_none() {
            return Chain::None;
        }
        let is_in_chain = |node: &Node<'_>| !node.has(flag::OCCLUDED) && node.set(RecordType::NSEC).is_some();
        Chain::Nsec(self.names.nodes().filter(is_in_chain).map(|node| node.rank).collect())
    }

    /// The zone's name.
    #[must_use]
    pub const fn apex(&self) -> &Name {
        &self.apex
    }

    /// The SOA record's set.
    #[must_use]
    pub fn soa(&self) -> Option<SetView<'_>> {
        self.apex_set(RecordType::SOA)
    }

    /// The serial number of the SOA record.
    #[must_use]
    pub fn serial(&self) -> u32 {
        self.soa_number(20)
    }

    /// Seconds for which a negative answer may be kept: the lesser of the SOA record's TTL and its minimum
    /// (RFC 2308 §3, §5).
    #[must_use]
    pub fn negative_ttl(&self) -> u32 {
        self.soa().map_or(0, |soa| soa.ttl.min(self.soa_number(4)))
    }

    /// The SOA record's number that begins so many octets before its end.
    fn soa_number(&self, from_end: usize) -> u32 {
        let number = || {
            let rdata = self.soa()?.rdatas().next()?;
            rdata.get(rdata.len().checked_sub(from_end)?..)?.first_chunk::<4>().copied()
        };
        number().map_or(0, u32::from_be_bytes)
    }

    /// The name whose addresses are the apex's too, and the TTL of the ALIAS record that says so.
    #[must_use]
    pub fn alias(&self) -> Option<(Name, u32)> {
        let set = self.apex_set(RecordType::ALIAS)?;
        let (target, _) = Name::from_wire(set.rdatas().next()?).ok()?;
        Some((target, set.ttl))
    }

    /// Whether the zone can prove what is not there.
    #[must_use]
    pub const fn is_signed(&self) -> bool {
        !matches!(self.denial, Chain::None)
    }

    /// Octets that the zone takes.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        size_of::<Self>() + self.names.size_bytes() + self.hashed.size_bytes()
    }

    /// Every `RRset` with its owner: the apex first, names in canonical order, NSEC3 records last.
    pub fn rrsets(&self) -> impl Iterator<Item = (Name, SetView<'_>)> {
        self.names.nodes().chain(self.hashed.nodes()).flat_map(move |node| {
            let owner = absolute(node.name, &self.apex);
            node.sets().map(move |set| (owner.clone(), set))
        })
    }

    /// The number of records, those that sign others included.
    #[must_use]
    pub const fn record_count(&self) -> usize {
        self.record_count
    }

    /// The number of names, empty non-terminals included.
    #[must_use]
    pub const fn name_count(&self) -> usize {
        self.names.len()
    }

    /// Writes the zone as a master file: one record a line, all names whole, the SOA record first.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn print(&self, out: &mut impl Write) -> std::fmt::Result {
        let mut text = String::new();
        let soa_first = |(owner, set): &(Name, SetView<'_>)| set.rtype == RecordType::SOA && *owner == self.apex;
        let soa = self.rrsets().take(64).find(soa_first);
        for (owner, set) in soa.into_iter().chain(self.rrsets().filter(|item| !soa_first(item))) {
            let data = set.rdatas().map(|rdata| (set.rtype, rdata));
            for (rtype, rdata) in data.chain(set.signatures().map(|rdata| (RecordType::RRSIG, rdata))) {
                text.clear();
                write_rdata(rtype, rdata, &mut text);
                writeln!(out, "{owner} {} IN {rtype} {text}", set.ttl)?;
            }
        }
        Ok(())
    }

    pub(super) const fn names(&self) -> &Tree {
        &self.names
    }

    pub(super) const fn hashed(&self) -> &Tree {
        &self.hashed
    }

    pub(super) const fn denial(&self) -> &Chain {
        &self.denial
    }

    pub(super) fn apex_set(&self, rtype: RecordType) -> Option<SetView<'_>> {
        self.names.find(&[])?.set(rtype)
    }

    /// The node of a relative name.
    pub(super) fn node(&self, relative: &[u8]) -> Option<Node<'_>> {
        self.names.find(&relative.to_ascii_lowercase())
    }
}

impl std::fmt::Debug for Zone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Zone").field("apex", &self.apex).field("names", &self.names.len()).finish_non_exhaustive()
    }
}
