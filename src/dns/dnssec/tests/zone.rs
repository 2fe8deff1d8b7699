//! A small zone told plainly: what is at which name, what the truth about every question is, and the records that deny the
//! rest. Made without the code that it checks: names are lists of labels here, the apex's left out.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use ring::digest;

use super::denial::{Nsec, nsec3};
use super::*;

pub(super) const APEX: &str = "example.";
/// Two that sort before and behind the `*`.
const LABELS: [&str; 4] = ["!", "*", "a", "b"];

/// Labels from the apex on: `b.a.example.` is `[a, b]`. Their order is the canonical one.
pub(super) type Path = Vec<&'static str>;

pub(super) fn spell(path: &[&str]) -> Name {
    let labels = path.iter().rev().map(|label| label.as_bytes());
    Name::from_labels(labels.chain([&b"example"[..]])).unwrap()
}

/// Every name of up to `depth` labels.
pub(super) fn paths(depth: usize) -> Vec<Path> {
    let mut all: Vec<Path> = vec![vec![]];
    let mut last = all.clone();
    for _ in 0..depth {
        last = last.iter().flat_map(|path| LABELS.map(|label| [path.as_slice(), &[label]].concat())).collect();
        all.extend(last.iter().cloned());
    }
    all
}

/// What a zone is.
#[derive(Clone, Debug)]
pub(super) struct Zone(pub(super) BTreeMap<Path, BTreeSet<RecordType>>);

/// What a server that knows the zone would say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Truth {
    /// There are records, or an alias; with the wildcard's parent if one stands in.
    Answer(Option<Path>),
    NoData(Option<Path>),
    NxDomain,
    /// A DNAME above leads elsewhere.
    Moved,
    /// The zone ends here or above; whether what is below is signed.
    Below {
        is_signed: bool,
    },
}

impl Zone {
    pub(super) fn of(names: impl IntoIterator<Item = (Path, BTreeSet<RecordType>)>) -> Self {
        let mut zone: BTreeMap<Path, BTreeSet<RecordType>> = names.into_iter().collect();
        for (path, types) in &mut zone {
            if path.is_empty() || path.last() == Some(&"*") {
                let odd = [RecordType::NS, RecordType::DS, RecordType::CNAME, RecordType::DNAME];
                types.retain(|rtype| !odd.contains(rtype));
            }
            if types.contains(&RecordType::NS) {
                types.retain(|rtype| matches!(*rtype, RecordType::NS | RecordType::DS));
            } else {
                types.remove(&RecordType::DS);
            }
            if types.contains(&RecordType::CNAME) {
                *types = [RecordType::CNAME].into();
            }
        }
        zone.entry(vec![]).or_default().extend([RecordType::SOA, RecordType::NS]);
        zone.retain(|_, types| !types.is_empty());
        let moved: Vec<Path> =
            zone.iter().filter(|(_, types)| types.contains(&RecordType::DNAME)).map(|(path, _)| path.clone()).collect();
        zone.retain(|path, _| !moved.iter().any(|above| path.len() > above.len() && path.starts_with(above)));
        Self(zone)
    }

    fn has(&self, path: &[&'static str], rtype: RecordType) -> bool {
        self.0.get(path).is_some_and(|types| types.contains(&rtype))
    }

    pub(super) fn is_cut(&self, path: &[&'static str]) -> bool {
        !path.is_empty() && self.has(path, RecordType::NS)
    }

    /// Whether the zone has a say on records at the name: no cut above it.
    fn is_inside(&self, path: &[&'static str]) -> bool {
        (1..path.len()).all(|count| !self.is_cut(&path[..count]))
    }

    pub(super) fn exists(&self, path: &[&'static str]) -> bool {
        self.0.keys().any(|other| other.starts_with(path) && self.is_inside(other))
    }

    pub(super) fn truth(&self, path: &[&'static str], rtype: RecordType) -> Truth {
        for count in 1..=path.len() {
            let above = &path[..count];
            let is_own = count == path.len() && rtype == RecordType::DS;
            if self.is_cut(above) && !is_own {
                return Truth::Below { is_signed: self.has(above, RecordType::DS) };
            }
            if self.has(above, RecordType::DNAME) && count < path.len() {
                return Truth::Moved;
            }
        }
        let at = |path: &[&'static str], star: Option<Path>| {
            let types = self.0.get(path).cloned().unwrap_or_default();
            let is_there = types.contains(&rtype)
                || types.contains(&RecordType::CNAME)
                || rtype == RecordType::ANY && !types.is_empty();
            if is_there { Truth::Answer(star) } else { Truth::NoData(star) }
        };
        if self.exists(path) {
            return at(path, None);
        }
        let encloser = self.encloser(path);
        let star = [encloser.as_slice(), &["*"]].concat();
        if self.exists(&star) { at(&star, Some(encloser)) } else { Truth::NxDomain }
    }

    /// The deepest name above that is there.
    pub(super) fn encloser(&self, path: &[&'static str]) -> Path {
        (0..path.len()).rev().map(|count| path[..count].to_vec()).find(|above| self.exists(above)).unwrap()
    }

    /// The NSEC records.
    pub(super) fn nsec(&self) -> Vec<RrSet> {
        let owners: Vec<&Path> = self.0.keys().filter(|path| self.is_inside(path)).collect();
        let nexts = owners.iter().cycle().skip(1);
        owners
            .iter()
            .zip(nexts)
            .map(|(path, next)| {
                let types = self.0[*path].iter().copied().chain([RecordType::NSEC, RecordType::RRSIG]);
                RrSet::new(spell(path), RecordType::NSEC, 300, [Nsec::compose(&spell(next), types)])
            })
            .collect()
    }

    /// The names that have NSEC3 records.
    pub(super) fn hashed(&self, is_opt_out: bool) -> BTreeSet<Path> {
        let is_left_out = |path: &Path| is_opt_out && self.is_cut(path) && !self.has(path, RecordType::DS);
        let owners = self.0.keys().filter(|path| self.is_inside(path) && !is_left_out(path));
        owners.flat_map(|path| (0..=path.len()).map(|count| path[..count].to_vec())).collect()
    }

    /// The NSEC3 records.
    pub(super) fn nsec3(&self, is_opt_out: bool, iterations: u16, salt: &[u8]) -> Vec<RrSet> {
        let parameters = nsec3::Parameters { iterations, salt };
        let mut owners: Vec<(nsec3::Hash, Path)> =
            self.hashed(is_opt_out).into_iter().map(|path| (hash(&spell(&path), iterations, salt), path)).collect();
        owners.sort();
        let nexts = owners.iter().cycle().skip(1);
        owners
            .iter()
            .zip(nexts)
            .map(|((hash, path), (next, _))| {
                let types = self.0.get(path).cloned().unwrap_or_default();
                let is_signed = !types.is_empty() && (!self.is_cut(path) || types.contains(&RecordType::DS));
                let types = types.into_iter().chain(is_signed.then_some(RecordType::RRSIG));
                let owner = name(APEX).child(&nsec3::label(hash)).unwrap();
                let rdata = nsec3::Nsec3::compose(parameters, is_opt_out, next, types);
                RrSet::new(owner, RecordType::NSEC3, 300, [rdata])
            })
            .collect()
    }
}

/// RFC 5155 §5, said once more.
fn hash(name: &Name, iterations: u16, salt: &[u8]) -> nsec3::Hash {
    let mut octets = name.to_string().to_lowercase().parse::<Name>().unwrap().wire().to_vec();
    for _ in 0..=iterations {
        octets.extend_from_slice(salt);
        octets = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &octets).as_ref().to_vec();
    }
    octets.try_into().unwrap()
}

pub(super) const TYPES: [RecordType; 7] = [
    RecordType::A,
    RecordType::TXT,
    RecordType::NS,
    RecordType::DS,
    RecordType::CNAME,
    RecordType::DNAME,
    RecordType(1_234),
];

/// Zones of up to six names.
pub(super) fn zones() -> impl Strategy<Value = Zone> {
    let path = proptest::collection::vec(proptest::sample::select(&LABELS[..]), 0..4);
    let types = proptest::collection::btree_set(proptest::sample::select(&TYPES[..]), 1..4);
    proptest::collection::vec((path, types), 0..6).prop_map(Zone::of)
}
