//! Zones that sign what they say, for worlds without sockets: by our own kit, with Ed25519, whose signatures are the same
//! whenever they are made. Nothing is signed ahead. A server says what it says, and the signer adds what belongs to it:
//! signatures, and of the zone's names those that prove what is denied.

use std::collections::{BTreeMap, BTreeSet};

use meridian::dns::dnssec::denial::nsec::Nsec;
use meridian::dns::dnssec::denial::nsec3::{Hash, Nsec3, Parameters, label};
use meridian::dns::dnssec::sign::ENTRY_KEY;
use meridian::dns::dnssec::{SigningKey, Terms};
use meridian::dns::{Class, Name, Record, RecordType, RrSet};

const NSEC3_PARAMETERS: Parameters<'static> = Parameters { iterations: 0, salt: &[] };

/// How a zone denies what it does not have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Manner {
    Nsec,
    Nsec3,
    /// NSEC3, whose chain leaves out cuts without DS.
    OptOut,
}

/// What a zone has: its owners, cuts among them, with their types. Nothing behind a cut, no glue.
pub(crate) type Nodes = BTreeMap<Name, BTreeSet<RecordType>>;

/// What is to be proved.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Claim<'n> {
    /// The name is not there, nor a wildcard for it.
    NoName(&'n Name),
    /// The name is there, without the type.
    NoType(&'n Name),
    /// A wildcard stands for the name, and has not the type.
    NoTypeOfWildcard(&'n Name),
    /// Nothing closer is there than the wildcard that answers for the name.
    Wildcard(&'n Name),
    /// The cut has no DS.
    NoDs(&'n Name),
}

/// A zone's key, and how it signs.
#[derive(Debug)]
pub(crate) struct Signer {
    apex: Name,
    key: SigningKey,
    manner: Manner,
    /// From when until when its signatures hold, seconds since 1970.
    inception: u32,
    expiration: u32,
}

/// The key of `apex` with this number: the same in every world.
fn key(apex: &Name, number: u32) -> SigningKey {
    let text = [apex.lowered().wire(), &number.to_be_bytes()].concat();
    SigningKey::ed25519(ring::digest::digest(&ring::digest::SHA256, &text).as_ref(), ENTRY_KEY).unwrap()
}

/// The DS record's data for that key.
pub(crate) fn ds(apex: &Name, number: u32) -> Vec<u8> {
    key(apex, number).ds(&apex.lowered()).rdata()
}

impl Signer {
    pub(crate) fn new(apex: &Name, number: u32, manner: Manner, (inception, expiration): (u32, u32)) -> Self {
        Self { apex: apex.lowered(), key: key(apex, number), manner, inception, expiration }
    }

    /// The data of its DNSKEY record.
    pub(crate) fn dnskey(&self) -> &[u8] {
        self.key.public().rdata()
    }

    /// The signature over a set that stands at `owner` in the zone, to be shown at `at`.
    pub(crate) fn signature<'r>(
        &self,
        (owner, at): (&Name, &Name),
        rtype: RecordType,
        ttl: u32,
        rdatas: impl IntoIterator<Item = &'r [u8]>,
    ) -> Record {
        let set = RrSet::new(owner.lowered(), rtype, ttl, rdatas);
        let terms: Terms = self.key.terms(&set, &self.apex, self.inception, self.expiration);
        record(at, RecordType::RRSIG, ttl, &self.key.sign(&set, &terms).unwrap())
    }

    /// The records that prove a claim about the zone of these nodes, and the signatures over them.
    pub(crate) fn prove(&self, nodes: &Nodes, ttl: u32, claim: Claim<'_>) -> Vec<Record> {
        let links = match self.manner {
            Manner::Nsec => self.names(nodes, claim),
            Manner::Nsec3 | Manner::OptOut => self.hashes(nodes, claim),
        };
        let signed = |(owner, (rtype, rdata)): (Name, (RecordType, Vec<u8>))| {
            let signature = self.signature((&owner, &owner), rtype, ttl, [rdata.as_slice()]);
            [record(&owner, rtype, ttl, &rdata), signature]
        };
        links.into_iter().flat_map(signed).collect()
    }

    /// NSEC records (RFC 4035 §3.1.3).
    fn names(&self, nodes: &Nodes, claim: Claim<'_>) -> BTreeMap<Name, (RecordType, Vec<u8>)> {
        let link = |name: &Name| {
            let (owner, types) = nodes.range(..=name.clone()).next_back().or_else(|| nodes.last_key_value()).unwrap();
            let behind = (std::ops::Bound::Excluded(owner), std::ops::Bound::Unbounded);
            let next = nodes.range::<Name, _>(behind).next().map_or(&self.apex, |(next, _)| next);
            let types = types.iter().copied().chain([RecordType::NSEC, RecordType::RRSIG]);
            (owner.clone(), (RecordType::NSEC, Nsec::compose(next, types)))
        };
        let star = |name: &Name| link(&closest_encloser(nodes, &self.apex, name).child(b"*").unwrap());
        match claim {
            Claim::NoType(name) | Claim::Wildcard(name) | Claim::NoDs(name) => [link(name)].into(),
            Claim::NoName(name) | Claim::NoTypeOfWildcard(name) => [link(name), star(name)].into(),
        }
    }

    /// NSEC3 records (RFC 5155 §7.2).
    fn hashes(&self, nodes: &Nodes, claim: Claim<'_>) -> BTreeMap<Name, (RecordType, Vec<u8>)> {
        let opts_out = self.manner == Manner::OptOut;
        let is_cut = |name: &Name, types: &BTreeSet<RecordType>| *name != self.apex && types.contains(&RecordType::NS);
        let mut chain: BTreeMap<Hash, Vec<RecordType>> = BTreeMap::new();
        for (owner, types) in nodes {
            let has_ds = types.contains(&RecordType::DS);
            if opts_out && is_cut(owner, types) && !has_ds {
                continue;
            }
            // Empty non-terminals have a hash too.
            for labels in self.apex.label_count()..owner.label_count() {
                chain.entry(NSEC3_PARAMETERS.hash(&owner.suffix(labels))).or_default();
            }
            let is_signed = !is_cut(owner, types) || has_ds;
            let signature = is_signed.then_some(RecordType::RRSIG);
            chain.insert(NSEC3_PARAMETERS.hash(owner), types.iter().copied().chain(signature).collect());
        }
        let link = |name: &Name| {
            let hash = NSEC3_PARAMETERS.hash(name);
            let (owner, types) = chain.range(..=hash).next_back().or_else(|| chain.last_key_value()).unwrap();
            let behind = (std::ops::Bound::Excluded(owner), std::ops::Bound::Unbounded);
            let next = chain.range::<Hash, _>(behind).next().or_else(|| chain.first_key_value()).unwrap().0;
            let rdata = Nsec3::compose(NSEC3_PARAMETERS, opts_out, next, types.iter().copied());
            let name = self.apex.child(&label(owner)).unwrap();
            (*owner == hash, (name, (RecordType::NSEC3, rdata)))
        };
        // That the name is not there: its closest encloser that the chain has, and nothing on the way to the name.
        let absence = |name: &Name| {
            let enclosers = (self.apex.label_count()..name.label_count()).rev().map(|labels| name.suffix(labels));
            let encloser = enclosers.into_iter().find(|name| link(name).0).unwrap_or_else(|| self.apex.clone());
            [link(&encloser).1, link(&name.suffix(encloser.label_count() + 1)).1]
        };
        let star = |name: &Name| link(&closest_encloser(nodes, &self.apex, name).child(b"*").unwrap()).1;
        match claim {
            Claim::NoType(name) | Claim::NoDs(name) => match link(name) {
                (true, own) => [own].into(),
                (false, _) => absence(name).into(),
            },
            Claim::Wildcard(name) => {
                let encloser = closest_encloser(nodes, &self.apex, name);
                [link(&name.suffix(encloser.label_count() + 1)).1].into()
            }
            Claim::NoName(name) | Claim::NoTypeOfWildcard(name) => {
                absence(name).into_iter().chain([star(name)]).collect()
            }
        }
    }
}

/// The deepest name above `name` that is there, be it as an empty non-terminal.
fn closest_encloser(nodes: &Nodes, apex: &Name, name: &Name) -> Name {
    let above = (apex.label_count()..name.label_count()).rev().map(|labels| name.suffix(labels));
    let is_there = |node: &Name| nodes.range(node.clone()..).next().is_some_and(|(owner, _)| owner.is_within(node));
    above.into_iter().find(is_there).unwrap_or_else(|| apex.clone())
}

fn record(owner: &Name, rtype: RecordType, ttl: u32, rdata: &[u8]) -> Record {
    Record { owner: owner.clone(), rtype, class: Class::IN, ttl, rdata: rdata.into() }
}
