//! A signed zone and what its honest server says: the records, the chain of denial and the proofs of RFC 4035 §3.1 and
//! RFC 5155 §7.2, built naively and apart from the code that checks them.

use std::collections::{BTreeMap, BTreeSet};

use meridian::dns::{Message, Name, Rcode, Record, RecordType};

use crate::keys::{Fields, KSK, Key, ZSK, base32, bitmap, hash, record};
use crate::text;

/// How a zone denies what it does not have.
#[derive(Clone, Debug)]
pub(crate) enum Denial {
    Unsigned,
    Nsec,
    Nsec3 { iterations: u16, salt: Vec<u8>, opts_out: bool },
}

/// Records of one owner and type with the signatures over them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Set {
    pub(crate) ttl: u32,
    pub(crate) rdatas: Vec<Vec<u8>>,
    pub(crate) signatures: Vec<Vec<u8>>,
}

/// See the module's text.
pub(crate) struct Zone {
    pub(crate) apex: Name,
    pub(crate) denial: Denial,
    /// The key that signs keys, the key that signs the rest.
    pub(crate) keys: Vec<Key>,
    pub(crate) sets: BTreeMap<(Name, RecordType), Set>,
    /// The owners of the chain, with what they stand for where they are hashes.
    chain: BTreeMap<Name, Name>,
}

const NSEC3: RecordType = RecordType::NSEC3;
const TTL: u32 = 3600;

impl Zone {
    /// The zone of these lines (`OWNER TYPE RDATA`, absolute names), signed.
    pub(crate) fn new(apex: &str, denial: Denial, lines: &str) -> Self {
        let apex: Name = apex.parse().unwrap();
        let mut zone =
            Self { apex, denial: Denial::Unsigned, keys: Vec::new(), sets: BTreeMap::new(), chain: BTreeMap::new() };
        let soa = format!("{0} SOA ns.{1} admin.{1} 1 7200 3600 1209600 300", zone.apex, dotted(&zone.apex));
        for line in lines.lines().map(str::trim).chain([soa.as_str()]).filter(|line| !line.is_empty()) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (record, _) = text::record(&words).unwrap_or_else(|fault| panic!("{line}: {fault}"));
            zone.add(&record.owner, record.rtype, &record.rdata);
        }
        zone.be_signed(denial);
        zone
    }

    /// Gives the zone keys and signs it, if it is to deny at all.
    pub(crate) fn be_signed(&mut self, denial: Denial) {
        self.denial = denial;
        if !matches!(self.denial, Denial::Unsigned) {
            self.keys = vec![Key::new(KSK), Key::new(ZSK)];
            self.sign();
        }
    }

    pub(crate) fn add(&mut self, owner: &Name, rtype: RecordType, rdata: &[u8]) {
        let set = self.sets.entry((owner.clone(), rtype)).or_default();
        set.ttl = if rtype == RecordType::SOA { 300 } else { TTL };
        set.rdatas.push(rdata.to_vec());
    }

    pub(crate) fn is_signed(&self) -> bool {
        !self.keys.is_empty()
    }

    /// The DS record of the zone's keys, for its parent.
    pub(crate) fn ds(&self) -> Vec<u8> {
        self.keys[0].ds(&self.apex, 2)
    }

    /// Makes keys' records, chain and signatures anew from the plain records.
    pub(crate) fn sign(&mut self) {
        let made = [RecordType::DNSKEY, RecordType::NSEC, NSEC3, RecordType::NSEC3PARAM];
        self.sets.retain(|(_, rtype), _| !made.contains(rtype));
        self.chain.clear();
        let apex = self.apex.clone();
        for rdata in self.keys.iter().map(Key::rdata).collect::<Vec<_>>() {
            self.add(&apex, RecordType::DNSKEY, &rdata);
        }
        match self.denial.clone() {
            Denial::Unsigned => return,
            Denial::Nsec => self.chain_names(),
            Denial::Nsec3 { iterations, salt, opts_out } => self.chain_hashes(iterations, &salt, opts_out),
        }
        let all: Vec<(Name, RecordType)> = self.sets.keys().cloned().collect();
        for (owner, rtype) in all {
            if self.is_signed_here(&owner, rtype) {
                self.sign_set(&owner, rtype);
            }
        }
    }

    /// Signs one set as it stands, by the key whose work that is.
    pub(crate) fn sign_set(&mut self, owner: &Name, rtype: RecordType) {
        let key = if rtype == RecordType::DNSKEY { &self.keys[0] } else { self.keys.last().unwrap() };
        let set = self.sets.get_mut(&(owner.clone(), rtype)).unwrap();
        let fields = Fields::of(key, &self.apex, owner, rtype, set.ttl);
        set.signatures = vec![key.rrsig(&fields, owner, &set.rdatas)];
    }

    /// The cut at or above `name`, if the zone ends there.
    fn cut(&self, name: &Name) -> Option<Name> {
        let (from, to) = (self.apex.label_count() + 1, name.label_count());
        (from..=to).map(|labels| name.suffix(labels)).find(|node| self.has(node, RecordType::NS))
    }

    fn has(&self, owner: &Name, rtype: RecordType) -> bool {
        self.sets.contains_key(&(owner.clone(), rtype))
    }

    fn is_signed_here(&self, owner: &Name, rtype: RecordType) -> bool {
        match self.cut(owner) {
            None => true,
            Some(cut) => cut == *owner && (rtype == RecordType::DS || rtype == RecordType::NSEC),
        }
    }

    /// Owners whose existence the zone vouches for: what it has itself, and its cuts.
    fn owners(&self) -> BTreeSet<Name> {
        let all = self.sets.keys().map(|(owner, _)| owner);
        all.filter(|owner| self.cut(owner).is_none_or(|cut| cut == **owner)).cloned().collect()
    }

    fn types_at(&self, owner: &Name) -> Vec<RecordType> {
        let is_cut = self.cut(owner).is_some();
        let of = self.sets.keys().filter(|(name, _)| name == owner).map(|(_, rtype)| *rtype);
        let mut types: Vec<RecordType> =
            of.filter(|rtype| !is_cut || *rtype == RecordType::NS || *rtype == RecordType::DS).collect();
        if types.iter().any(|rtype| !is_cut || *rtype == RecordType::DS) {
            types.push(RecordType::RRSIG);
        }
        types
    }

    fn chain_names(&mut self) {
        let owners: Vec<Name> = self.owners().into_iter().collect();
        for (at, owner) in owners.iter().enumerate() {
            let mut types = self.types_at(owner);
            types.extend([RecordType::NSEC, RecordType::RRSIG]);
            let mut rdata = owners[(at + 1) % owners.len()].wire().to_vec();
            rdata.extend(bitmap(&types));
            self.add(owner, RecordType::NSEC, &rdata);
            self.sets.get_mut(&(owner.clone(), RecordType::NSEC)).unwrap().ttl = 300;
            self.chain.insert(owner.clone(), owner.clone());
        }
    }

    fn chain_hashes(&mut self, iterations: u16, salt: &[u8], opts_out: bool) {
        let apex = self.apex.clone();
        let head = |flags: u8| {
            let mut rdata = vec![1, flags];
            rdata.extend(iterations.to_be_bytes());
            rdata.push(salt.len() as u8);
            rdata.extend(salt);
            rdata
        };
        self.add(&apex, RecordType::NSEC3PARAM, &head(0));
        let is_left_out = |owner: &Name| opts_out && self.cut(owner).is_some() && !self.has(owner, RecordType::DS);
        let owners: BTreeSet<Name> = self.owners().into_iter().filter(|owner| !is_left_out(owner)).collect();
        let mut nodes = owners.clone();
        for owner in &owners {
            nodes.extend((apex.label_count()..owner.label_count()).map(|labels| owner.suffix(labels)));
        }
        let mut hashes: Vec<(Vec<u8>, Name)> =
            nodes.into_iter().map(|node| (hash(&node, salt, iterations), node)).collect();
        hashes.sort();
        for (at, (digest, node)) in hashes.iter().enumerate() {
            let mut rdata = head(u8::from(opts_out));
            let next = &hashes[(at + 1) % hashes.len()].0;
            rdata.push(next.len() as u8);
            rdata.extend(next);
            rdata.extend(bitmap(&self.types_at(node)));
            let owner = apex.child(base32(digest).as_bytes()).unwrap();
            self.add(&owner, NSEC3, &rdata);
            self.sets.get_mut(&(owner.clone(), NSEC3)).unwrap().ttl = 300;
            self.chain.insert(owner, node.clone());
        }
    }

    /// A set with its signatures, under the name that was asked for.
    fn give(&self, owner: &Name, rtype: RecordType, under: &Name, is_signed: bool, to: &mut Vec<Record>) -> bool {
        let Some(set) = self.sets.get(&(owner.clone(), rtype)) else { return false };
        let rows = set.rdatas.iter().map(|rdata| (rtype, rdata));
        let signatures = set.signatures.iter().filter(|_| is_signed).map(|rdata| (RecordType::RRSIG, rdata));
        for (rtype, rdata) in rows.chain(signatures) {
            let row = record(under, rtype, set.ttl, rdata);
            if !to.contains(&row) {
                to.push(row);
            }
        }
        true
    }

    fn exists(&self, name: &Name) -> bool {
        self.sets.keys().any(|(owner, rtype)| *rtype != NSEC3 && owner.is_within(name))
    }

    fn closest_encloser(&self, name: &Name) -> Name {
        let labels = (self.apex.label_count()..=name.label_count()).rev();
        labels.map(|labels| name.suffix(labels)).find(|node| self.exists(node)).unwrap()
    }

    /// The record of the chain that is `name`'s own, or the one that spans it.
    fn link(&self, name: &Name) -> Option<(Name, bool)> {
        let key = match &self.denial {
            Denial::Unsigned => return None,
            Denial::Nsec => name.clone(),
            Denial::Nsec3 { iterations, salt, .. } => {
                self.apex.child(base32(&hash(name, salt, *iterations)).as_bytes()).unwrap()
            }
        };
        let before = self.chain.range(..=key.clone()).next_back().or_else(|| self.chain.iter().next_back());
        before.map(|(owner, _)| (owner.clone(), *owner == key))
    }

    fn show_link(&self, name: &Name, message: &mut Message) -> bool {
        let rtype = if matches!(self.denial, Denial::Nsec) { RecordType::NSEC } else { NSEC3 };
        let Some((owner, is_own)) = self.link(name) else { return false };
        self.give(&owner, rtype, &owner, true, &mut message.authority);
        is_own
    }

    /// Proof that `name` does not exist; with NSEC3 that of its closest encloser.
    fn show_absence(&self, name: &Name, message: &mut Message) {
        if matches!(self.denial, Denial::Nsec) {
            self.show_link(name, message);
            return;
        }
        let encloser = self.provable_encloser(name);
        self.show_link(&encloser, message);
        self.show_link(&name.suffix(encloser.label_count() + 1), message);
    }

    /// The closest encloser that the chain has; not that of the zone where names opted out.
    fn provable_encloser(&self, name: &Name) -> Name {
        let is_own = |node: &Name| self.link(node).is_some_and(|(_, is_own)| is_own);
        let labels = (self.apex.label_count()..name.label_count()).rev();
        labels.map(|labels| name.suffix(labels)).find(is_own).unwrap_or_else(|| self.apex.clone())
    }

    fn show_soa(&self, is_signed: bool, message: &mut Message) {
        self.give(&self.apex, RecordType::SOA, &self.apex, is_signed, &mut message.authority);
    }

    /// Answers as RFC 1034 §4.3.2 has it, with proofs where they are wanted.
    pub(crate) fn answer(&self, name: &Name, rtype: RecordType, is_signed: bool, message: &mut Message) {
        let mut name = name.clone();
        for _ in 0..12 {
            match self.step(&name, rtype, is_signed, message) {
                Some(target) if target.is_within(&self.apex) => name = target,
                _ => return,
            }
        }
    }

    fn step(&self, name: &Name, rtype: RecordType, wants_proofs: bool, message: &mut Message) -> Option<Name> {
        let is_signed = wants_proofs && self.is_signed();
        message.flags.authoritative = true;
        if let Some(cut) = self.cut(name)
            && !(rtype == RecordType::DS && cut == *name)
        {
            message.flags.authoritative = !message.answer.is_empty();
            self.give(&cut, RecordType::NS, &cut, false, &mut message.authority);
            if is_signed && !self.give(&cut, RecordType::DS, &cut, true, &mut message.authority) {
                let is_own = self.show_link(&cut, message);
                if !is_own && !matches!(self.denial, Denial::Nsec) {
                    self.show_absence(&cut, message);
                }
            }
            for target in self.targets(&cut) {
                self.give(&target, RecordType::A, &target, false, &mut message.additional);
            }
            return None;
        }
        let (from, to) = (self.apex.label_count(), name.label_count());
        for node in (from..to).map(|labels| name.suffix(labels)) {
            let Some(set) = self.sets.get(&(node.clone(), RecordType::DNAME)) else { continue };
            self.give(&node, RecordType::DNAME, &node, is_signed, &mut message.answer);
            let target = name.with_ending(&node, &Name::from_wire(&set.rdatas[0]).unwrap().0).unwrap().unwrap();
            message.answer.push(record(name, RecordType::CNAME, set.ttl, target.wire()));
            return Some(target);
        }
        let mut source = name.clone();
        if !self.exists(name) {
            let encloser = self.closest_encloser(name);
            source = encloser.child(b"*").unwrap();
            if !self.exists(&source) {
                message.rcode = Rcode::NXDOMAIN;
                self.show_soa(is_signed, message);
                if is_signed {
                    self.show_absence(name, message);
                    self.show_link(&source, message);
                }
                return None;
            }
            if is_signed {
                if matches!(self.denial, Denial::Nsec) {
                    self.show_absence(name, message);
                } else {
                    self.show_link(&name.suffix(encloser.label_count() + 1), message);
                }
            }
        }
        if rtype != RecordType::CNAME
            && let Some(set) = self.sets.get(&(source.clone(), RecordType::CNAME))
        {
            self.give(&source, RecordType::CNAME, name, is_signed, &mut message.answer);
            return Some(Name::from_wire(&set.rdatas[0]).unwrap().0);
        }
        if !self.give(&source, rtype, name, is_signed, &mut message.answer) {
            self.show_soa(is_signed, message);
            if is_signed {
                let is_wild = source != *name;
                let is_own = self.show_link(&source, message);
                // A wildcard's own absence of a type needs the whole proof (RFC 5155 §7.2.5), a name that opted out
                // its closest encloser's (§7.2.4).
                if !matches!(self.denial, Denial::Nsec) && (is_wild || !is_own) {
                    self.show_absence(name, message);
                }
            }
        }
        None
    }

    fn targets(&self, cut: &Name) -> Vec<Name> {
        let set = &self.sets[&(cut.clone(), RecordType::NS)];
        set.rdatas.iter().map(|rdata| Name::from_wire(rdata).unwrap().0).collect()
    }
}

fn dotted(apex: &Name) -> String {
    if apex.is_root() { String::new() } else { apex.to_string() }
}
