//! The proofs of one zone, in its own order: by name where they are NSEC records, by hash where they are NSEC3.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use smallvec::SmallVec;

use super::super::entry::Second;
use crate::base::bounds;
use crate::dns::dnssec::denial::nsec3::{Hash, Parameters};
use crate::dns::dnssec::denial::{Nsec, Nsec3};
use crate::dns::{Name, RecordType, RrSet};

/// Octets that a link takes beside its RRset: its place in the tree, and its key.
const LINK_BYTES: u64 = 160;

/// An RRset, and the first second in which it does not hold any more.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) set: Arc<RrSet>,
    pub(super) until: Second,
}

impl Link {
    fn bytes(&self) -> u64 {
        self.set.size_bytes() as u64 + LINK_BYTES
    }

    fn holds(&self, now: Second) -> bool {
        now < self.until
    }
}

/// The proofs of one zone.
#[derive(Debug)]
pub(super) struct Chain {
    zone: Name,
    soa: Option<Link>,
    named: BTreeMap<Name, Link>,
    hashed: Hashed,
    /// What wildcards have, by the name below which they stand.
    wildcards: BTreeMap<(Name, RecordType), Link>,
    bytes: u64,
}

/// NSEC3 records that hash in one way: others cannot be compared with them.
#[derive(Debug, Default)]
struct Hashed {
    iterations: u16,
    salt: Box<[u8]>,
    links: BTreeMap<Hash, Link>,
}

/// The links that speak of a name.
pub(super) struct Picked<'c> {
    pub(super) links: SmallVec<[&'c Link; 3]>,
    /// The deepest name above it that is there, where it is not.
    pub(super) encloser: Option<Name>,
}

impl<'c> Picked<'c> {
    fn add(&mut self, link: &'c Link) {
        if !self.links.iter().any(|known| Arc::ptr_eq(&known.set, &link.set)) {
            self.links.push(link);
        }
    }
}

impl Chain {
    pub(super) fn new(zone: Name) -> Self {
        Self {
            zone,
            soa: None,
            named: BTreeMap::new(),
            hashed: Hashed::default(),
            wildcards: BTreeMap::new(),
            bytes: 0,
        }
    }

    pub(super) const fn zone(&self) -> &Name {
        &self.zone
    }

    /// Octets taken.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.named.is_empty() && self.hashed.links.is_empty() && self.wildcards.is_empty()
    }

    pub(super) fn soa(&self, now: Second) -> Option<&Link> {
        self.soa.as_ref().filter(|soa| soa.holds(now))
    }

    pub(super) fn wildcard(&self, encloser: &Name, rtype: RecordType, now: Second) -> Option<&Link> {
        self.wildcards.get(&(encloser.clone(), rtype)).filter(|link| link.holds(now))
    }

    pub(super) fn put_soa(&mut self, link: Link) {
        let bytes = link.bytes();
        let old = self.soa.replace(link).map_or(0, |old| old.bytes());
        self.bytes = self.bytes + bytes - old;
    }

    pub(super) fn put_wildcard(&mut self, encloser: Name, link: Link) {
        let (rtype, bytes) = (link.set.rtype, link.bytes());
        let old = self.wildcards.insert((encloser, rtype), link).map_or(0, |old| old.bytes());
        self.bytes = self.bytes + bytes - old;
        self.keep_within_bound();
    }

    /// Keeps an NSEC or NSEC3 RRset of the zone. What it contradicts was true before.
    pub(super) fn put_proof(&mut self, link: Link) {
        let set = Arc::clone(&link.set);
        let Some(rdata) = set.rdatas.iter().next().filter(|_| set.rdatas.len() == 1) else { return };
        match set.rtype {
            RecordType::NSEC => {
                let Ok(nsec) = Nsec::parse(&set.owner, rdata) else { return };
                if nsec.is_of(&self.zone) {
                    let old = contradicted(&mut self.named, &set.owner.lowered(), &nsec.next);
                    self.bytes = self.bytes + link.bytes() - old;
                    self.named.insert(set.owner.lowered(), link);
                }
            }
            RecordType::NSEC3 => {
                let Ok(nsec3) = Nsec3::parse(&set.owner, &self.zone, rdata) else { return };
                // One that opts out denies nothing for certain.
                if nsec3.is_opt_out || nsec3.parameters.is_excessive() {
                    return;
                }
                let Parameters { iterations, salt } = nsec3.parameters;
                if self.hashed.iterations != iterations || *self.hashed.salt != *salt {
                    self.bytes -= self.hashed.links.values().map(Link::bytes).sum::<u64>();
                    self.hashed = Hashed { iterations, salt: salt.into(), links: BTreeMap::new() };
                }
                let old = contradicted(&mut self.hashed.links, &nsec3.owner, &nsec3.next);
                self.bytes = self.bytes + link.bytes() - old;
                self.hashed.links.insert(nsec3.owner, link);
            }
            _ => {}
        }
        self.keep_within_bound();
    }

    fn keep_within_bound(&mut self) {
        while self.named.len() + self.hashed.links.len() + self.wildcards.len() > bounds::PROOFS_PER_ZONE {
            self.make_room();
        }
    }

    /// Forgets a link.
    pub(super) fn make_room(&mut self) {
        let named = self.named.pop_first().map(|(_, link)| link);
        let hashed = named.or_else(|| self.hashed.links.pop_first().map(|(_, link)| link));
        let gone = hashed.or_else(|| self.wildcards.pop_first().map(|(_, link)| link));
        self.bytes -= gone.map_or(0, |link| link.bytes());
    }

    /// Forgets what does not hold any more.
    pub(super) fn forget_ended(&mut self, now: Second) {
        self.named.retain(|_, link| link.holds(now));
        self.hashed.links.retain(|_, link| link.holds(now));
        self.wildcards.retain(|_, link| link.holds(now));
        self.soa = self.soa.take().filter(|soa| soa.holds(now));
        let links = self.named.values().chain(self.hashed.links.values()).chain(self.wildcards.values());
        self.bytes = links.chain(&self.soa).map(Link::bytes).sum();
    }

    /// The links that may prove something of `name`, which is in the zone.
    pub(super) fn pick(&self, name: &Name, now: Second) -> Option<Picked<'_>> {
        self.pick_named(name, now).or_else(|| self.pick_hashed(name, now))
    }

    fn pick_named(&self, name: &Name, now: Second) -> Option<Picked<'_>> {
        let (link, nsec) = self.before(name, now)?;
        let mut picked = Picked { links: SmallVec::from_slice(&[link]), encloser: None };
        if nsec.owner == name {
            return Some(picked);
        }
        if !nsec.covers(name) {
            return None;
        }
        if nsec.next.is_below(name) {
            return Some(picked); // nothing but names below it: an empty non-terminal
        }
        let is_there = |above: &Name| nsec.owner.is_within(above) || nsec.next.is_within(above);
        let encloser = (0..name.label_count()).rev().map(|count| name.suffix(count)).find(is_there)?;
        if let Ok(wildcard) = encloser.child(b"*")
            && let Some((link, _)) = self.before(&wildcard, now)
        {
            picked.add(link);
        }
        picked.encloser = Some(encloser);
        Some(picked)
    }

    /// The NSEC of `name`, or of the last name before it.
    fn before(&self, name: &Name, now: Second) -> Option<(&Link, Nsec<'_>)> {
        let (_, link) = self.named.range(..=name).next_back()?;
        let rdata = link.set.rdatas.iter().next().filter(|_| link.holds(now))?;
        Some((link, Nsec::parse(&link.set.owner, rdata).ok()?))
    }

    fn pick_hashed(&self, name: &Name, now: Second) -> Option<Picked<'_>> {
        let Hashed { iterations, salt, links } = &self.hashed;
        if links.is_empty() {
            return None;
        }
        let parameters = Parameters { iterations: *iterations, salt };
        let (from, to) = (self.zone.label_count(), name.label_count());
        // Each of the names from the zone's to this one may have to be hashed, and the wildcard, and by the judge again.
        let hashes = (to - from) as u32 + 3;
        if parameters.blocks(name).saturating_mul(2 * hashes) > bounds::PROOF_BLOCKS {
            return None;
        }
        let at = |name: &Name| self.around(&parameters.hash(name), now);
        if let Some(Around::At(link)) = at(name) {
            return Some(Picked { links: SmallVec::from_slice(&[link]), encloser: None });
        }
        let mut above: Option<(&Link, Name)> = None;
        for count in from..=to {
            let here = name.suffix(count);
            match (at(&here), above.take()) {
                (Some(Around::At(link)), _) => above = Some((link, here)),
                (Some(Around::Over(cover)), Some((link, encloser))) => {
                    let mut picked = Picked { links: SmallVec::from_slice(&[link]), encloser: None };
                    picked.add(cover);
                    let wildcard = encloser.child(b"*").ok().and_then(|wildcard| at(&wildcard));
                    if let Some(Around::At(link) | Around::Over(link)) = wildcard {
                        picked.add(link);
                    }
                    picked.encloser = Some(encloser);
                    return Some(picked);
                }
                _ => {} // of this name nothing is known; of one below it something may be
            }
        }
        None
    }

    /// The link at `hash`, or the one that covers it.
    fn around(&self, hash: &Hash, now: Second) -> Option<Around<'_>> {
        let links = &self.hashed.links;
        // The last one covers what stands before the first.
        let (owner, link) = links.range::<Hash, _>(..=hash).next_back().or_else(|| links.last_key_value())?;
        if !link.holds(now) {
            return None;
        }
        if owner == hash {
            return Some(Around::At(link));
        }
        let rdata = link.set.rdatas.iter().next()?;
        let nsec3 = Nsec3::parse(&link.set.owner, &self.zone, rdata).ok()?;
        nsec3.covers(hash).then_some(Around::Over(link))
    }
}

/// How a link stands to a hash.
enum Around<'c> {
    At(&'c Link),
    Over(&'c Link),
}

/// Removes what a link from `owner` to `next` contradicts: links in between. Tells how many octets that were, with those
/// of the link that it takes the place of.
fn contradicted<K: Ord + Clone>(links: &mut BTreeMap<K, Link>, owner: &K, next: &K) -> u64 {
    let mut bytes = links.remove(owner).map_or(0, |link| link.bytes());
    let end = if owner < next { Bound::Excluded(next) } else { Bound::Unbounded };
    let between: Vec<K> = links.range((Bound::Excluded(owner), end)).map(|(key, _)| key.clone()).collect();
    for key in between {
        bytes += links.remove(&key).map_or(0, |link| link.bytes());
    }
    bytes
}
