//! Proofs that something is not there, from the NSEC or NSEC3 records of a zone signed elsewhere
//! (RFC 4035 §3.1.3, RFC 5155 §7.2).

use super::build::absolute;
use super::nsec3::Parameters;
use super::tree::{Node, Path};
use super::zone::{Chain, Zone};
use crate::chain::Aged;
use crate::dns::RecordType;

/// Collects the records of a proof, each once.
pub(super) struct Proof<'p, 'z> {
    zone: &'z Zone,
    path: &'p Path,
    into: &'p mut Vec<Aged>,
}

impl<'p, 'z> Proof<'p, 'z> {
    /// Proofs about the name at `path`, added to `into`.
    pub(super) const fn new(zone: &'z Zone, path: &'p Path, into: &'p mut Vec<Aged>) -> Self {
        Self { zone, path, into }
    }

    /// The name does not exist, nor does a wildcard at its closest encloser, `encloser` labels below the apex.
    pub(super) fn nxdomain(&mut self, encloser: usize) {
        match self.zone.denial() {
            Chain::None => {}
            // RFC 4035 §3.1.3.2.
            Chain::Nsec(ranks) => {
                self.nsec(ranks, self.path.whole());
                self.nsec(ranks, &wildcard(self.path, encloser));
            }
            // RFC 5155 §7.2.2.
            Chain::Nsec3 { parameters, ranks } => {
                let encloser = self.closest_encloser(parameters, ranks, encloser);
                self.covering(parameters, ranks, &wildcard(self.path, encloser));
            }
        }
    }

    /// The name exists and does not have the type; `node` is the name or the wildcard that stands for it.
    pub(super) fn nodata(&mut self, node: Node<'z>, wildcard_of: Option<usize>) {
        match (self.zone.denial(), wildcard_of) {
            (Chain::None, _) => {}
            // RFC 4035 §3.1.3.1; at an empty non-terminal the record before it spans the name.
            (Chain::Nsec(ranks), None) => self.nsec(ranks, self.path.whole()),
            // RFC 4035 §3.1.3.4.
            (Chain::Nsec(ranks), Some(_)) => {
                self.nsec(ranks, node.name);
                self.nsec(ranks, self.path.whole());
            }
            // RFC 5155 §7.2.3; §7.2.4 where an opt-out span hides the name.
            (Chain::Nsec3 { parameters, ranks }, None) => self.nodata_hashed(parameters, ranks, self.path),
            // RFC 5155 §7.2.5.
            (Chain::Nsec3 { parameters, ranks }, Some(encloser)) => {
                let encloser = self.closest_encloser(parameters, ranks, encloser);
                let wildcard = wildcard(self.path, encloser);
                if !self.matching(parameters, ranks, &wildcard) {
                    self.covering(parameters, ranks, &wildcard); // an opt-out span hides it
                }
            }
        }
    }

    /// A wildcard stands for the name, which itself does not exist.
    pub(super) fn wildcard_answer(&mut self, encloser: usize) {
        match self.zone.denial() {
            Chain::None => {}
            // RFC 4035 §3.1.3.3.
            Chain::Nsec(ranks) => self.nsec(ranks, self.path.whole()),
            // RFC 5155 §7.2.6: the labels of the signature tell the closest encloser.
            Chain::Nsec3 { parameters, ranks } => {
                self.covering(parameters, ranks, self.path.suffix(encloser + 1));
            }
        }
    }

    /// The zone cut at `cut` has no DS records.
    pub(super) fn unsigned_delegation(&mut self, cut: Node<'z>) {
        match self.zone.denial() {
            Chain::None => {}
            // RFC 4035 §3.1.4.1.
            Chain::Nsec(ranks) => self.nsec(ranks, cut.name),
            // RFC 5155 §7.2.7.
            Chain::Nsec3 { parameters, ranks } => {
                let name = absolute(cut.name, self.zone.apex());
                if let Some(path) = Path::of(&name, self.zone.apex()) {
                    self.nodata_hashed(parameters, ranks, &path);
                }
            }
        }
    }

    /// The NSEC3 record of the name, or else the closest provable encloser and what covers the next closer name.
    fn nodata_hashed(&mut self, parameters: &Parameters, ranks: &[u32], path: &Path) {
        if !self.matching(parameters, ranks, path.whole()) {
            let parent = path.label_count().saturating_sub(1);
            Proof { zone: self.zone, path, into: self.into }.closest_encloser(parameters, ranks, parent);
        }
    }

    /// RFC 5155 §7.2.1: the record of the closest encloser that has one, at `from` labels below the apex or
    /// above, and what covers the next closer name. Returns the encloser's labels.
    fn closest_encloser(&mut self, parameters: &Parameters, ranks: &[u32], from: usize) -> usize {
        let found = (0..=from).rev().find(|&labels| self.matching(parameters, ranks, self.path.suffix(labels)));
        let encloser = found.unwrap_or(0);
        self.covering(parameters, ranks, self.path.suffix(encloser + 1));
        encloser
    }

    fn nsec(&mut self, ranks: &[u32], name: &[u8]) {
        if let Some(node) = self.zone.names().at_or_before(ranks, name) {
            self.add(node, RecordType::NSEC);
        }
    }

    /// Adds the NSEC3 record of the name; false if there is none.
    fn matching(&mut self, parameters: &Parameters, ranks: &[u32], name: &[u8]) -> bool {
        let label = self.label(parameters, name);
        let found = self.zone.hashed().find(&label).filter(|node| ranks.binary_search(&node.rank).is_ok());
        if let Some(node) = found {
            self.add(node, RecordType::NSEC3);
        }
        found.is_some()
    }

    /// Adds the NSEC3 record whose span holds the name's hash.
    fn covering(&mut self, parameters: &Parameters, ranks: &[u32], name: &[u8]) {
        let label = self.label(parameters, name);
        if let Some(node) = self.zone.hashed().at_or_before(ranks, &label) {
            self.add(node, RecordType::NSEC3);
        }
    }

    fn label(&self, parameters: &Parameters, name: &[u8]) -> [u8; 33] {
        parameters.label(&[name, self.zone.apex().wire()].concat().to_ascii_lowercase())
    }

    fn add(&mut self, node: Node<'z>, rtype: RecordType) {
        let owner = absolute(node.name, self.zone.apex());
        let is_there = |aged: &Aged| aged.set.rtype == rtype && aged.set.owner == owner;
        if !self.into.iter().any(is_there)
            && let Some(set) = node.set(rtype)
        {
            self.into.push(Aged { set: set.to_rrset(owner, true), ttl: set.ttl });
        }
    }
}

/// The wildcard at an ancestor of the path.
fn wildcard(path: &Path, encloser: usize) -> Vec<u8> {
    [&[1, b'*'], path.suffix(encloser)].concat()
}
