//! What is made from proofs is what the zone says: made-up zones, answered by a naive server, against every question.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::base::Dice;
use crate::base::collections::keyed;
use crate::dns::dnssec::denial::nsec3::{Parameters, label};
use crate::dns::dnssec::denial::{Nsec, Nsec3};

const NOW: Second = 1_000;
const TYPES: [RecordType; 5] = [RecordType::A, RecordType::TXT, RecordType::DS, RecordType::CNAME, RecordType::NS];

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// A set with a signature in the name of `zone`, of so many labels.
fn signed(owner: &Name, rtype: RecordType, rdata: Vec<u8>, zone: &Name, labels: usize) -> Arc<RrSet> {
    let mut signature = rtype.0.to_be_bytes().to_vec();
    signature.extend_from_slice(&[15, labels as u8]);
    signature.extend_from_slice(&300_u32.to_be_bytes());
    signature.extend_from_slice(&[0; 10]);
    signature.extend_from_slice(zone.wire());
    signature.push(0);
    let mut set = RrSet::new(owner.clone(), rtype, 300, [rdata]);
    set.signatures = [signature].into_iter().collect();
    Arc::new(set)
}

fn plain(owner: &Name, rtype: RecordType, rdata: Vec<u8>, zone: &Name) -> Arc<RrSet> {
    signed(owner, rtype, rdata, zone, owner.label_count() - usize::from(owner.is_wildcard()))
}

/// A zone: its names and their types.
struct Zone {
    apex: Name,
    nodes: BTreeMap<Name, BTreeSet<RecordType>>,
    /// How it hashes names, if it does.
    salt: Option<Vec<u8>>,
}

/// What the zone says to a question.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Word {
    /// Something that no proof tells: data of its own, a referral, a redirection.
    Own,
    /// What the wildcard below this name has of a type.
    Wild(Name, RecordType),
    NoData,
    NxDomain,
}

impl Zone {
    fn drawn(dice: &mut Dice) -> Self {
        let apex = name("zone.example.");
        let mut nodes = BTreeMap::from([(apex.clone(), BTreeSet::from([RecordType::SOA, RecordType::NS]))]);
        for _ in 0..dice.below(8) {
            let depth = 1 + dice.below(3);
            let owner = (0..depth).fold(apex.clone(), |above, level| {
                let labels: &[&[u8]] = if level + 1 == depth { &[b"a", b"b", b"c", b"*"] } else { &[b"a", b"b", b"c"] };
                above.child(labels[dice.index(labels.len())]).unwrap()
            });
            let kinds: &[&[RecordType]] = &[
                &[RecordType::A],
                &[RecordType::A, RecordType::TXT],
                &[RecordType::TXT],
                &[RecordType::CNAME],
                &[RecordType::NS],
                &[RecordType::NS, RecordType::DS],
                &[RecordType::DNAME],
            ];
            let most = if owner.is_wildcard() { 4 } else { kinds.len() };
            nodes.entry(owner).or_insert_with(|| kinds[dice.index(most)].iter().copied().collect());
        }
        // What lies behind a cut or a DNAME is not the zone's.
        let ends: Vec<Name> = nodes
            .iter()
            .filter(|(owner, types)| is_end(types) && **owner != apex)
            .map(|(owner, _)| owner.clone())
            .collect();
        nodes.retain(|owner, _| !ends.iter().any(|end| owner.is_below(end)));
        let salt = dice.chance(500).then(|| (0..dice.below(3)).map(|_| dice.bits() as u8).collect());
        Self { apex, nodes, salt }
    }

    fn soa(&self) -> Arc<RrSet> {
        plain(&self.apex, RecordType::SOA, vec![0; 22], &self.apex)
    }

    fn exists(&self, name: &Name) -> bool {
        self.nodes.keys().any(|owner| owner.is_within(name))
    }

    fn encloser(&self, name: &Name) -> Name {
        (0..name.label_count()).rev().map(|count| name.suffix(count)).find(|above| self.exists(above)).unwrap()
    }

    fn says(&self, name: &Name, rtype: RecordType) -> Word {
        let is_behind = |(owner, types): (&Name, &BTreeSet<RecordType>)| {
            let is_cut = types.contains(&RecordType::NS) && *owner != self.apex;
            let is_at_cut = is_cut && (name.is_below(owner) || name == owner && rtype != RecordType::DS);
            is_at_cut || types.contains(&RecordType::DNAME) && name.is_below(owner)
        };
        if self.nodes.iter().any(is_behind) || (rtype == RecordType::DS && *name == self.apex) {
            return Word::Own;
        }
        let of = |types: &BTreeSet<RecordType>| [rtype, RecordType::CNAME].into_iter().find(|one| types.contains(one));
        if let Some(types) = self.nodes.get(name) {
            return if of(types).is_some() { Word::Own } else { Word::NoData };
        }
        if self.exists(name) {
            return Word::NoData;
        }
        let encloser = self.encloser(name);
        match self.nodes.get(&encloser.child(b"*").unwrap()) {
            Some(types) => of(types).map_or(Word::NoData, |rtype| Word::Wild(encloser, rtype)),
            None => Word::NxDomain,
        }
    }

    fn types_at(&self, owner: &Name) -> BTreeSet<RecordType> {
        self.nodes.get(owner).cloned().unwrap_or_default()
    }

    /// The record of the zone's chain that stands at `name` or, as the last one, before it.
    fn link(&self, name: &Name) -> Arc<RrSet> {
        let Some(salt) = &self.salt else {
            let owners: Vec<&Name> = self.nodes.keys().collect();
            let at = owners.iter().rposition(|owner| *owner <= name).unwrap();
            let next = owners[(at + 1) % owners.len()];
            let types = self.types_at(owners[at]).into_iter().chain([RecordType::NSEC, RecordType::RRSIG]);
            return plain(owners[at], RecordType::NSEC, Nsec::compose(next, types), &self.apex);
        };
        let parameters = Parameters { iterations: 1, salt };
        let mut owners: Vec<(_, Name)> = Vec::new();
        for owner in self.nodes.keys() {
            for count in self.apex.label_count()..=owner.label_count() {
                owners.push((parameters.hash(&owner.suffix(count)), owner.suffix(count)));
            }
        }
        owners.sort();
        owners.dedup();
        let hash = parameters.hash(name);
        let at = owners.iter().rposition(|(owner, _)| *owner <= hash).unwrap_or(owners.len() - 1);
        let (next, _) = &owners[(at + 1) % owners.len()];
        let owner = self.apex.child(&label(&owners[at].0)).unwrap();
        let rdata = Nsec3::compose(parameters, false, next, self.types_at(&owners[at].1));
        plain(&owner, RecordType::NSEC3, rdata, &self.apex)
    }

    /// All that an authoritative server would send along for a denial of `name`, or an answer from a wildcard for it.
    fn proofs(&self, name: &Name) -> Vec<Arc<RrSet>> {
        let mut names = vec![name.clone()];
        if !self.exists(name) {
            let encloser = self.encloser(name);
            names.extend([name.suffix(encloser.label_count() + 1), encloser.child(b"*").unwrap(), encloser]);
        }
        names.iter().map(|name| self.link(name)).collect()
    }

    fn teach(&self, denials: &Denials, name: &Name, rtype: RecordType) {
        match self.says(name, rtype) {
            Word::Own => {}
            Word::NoData | Word::NxDomain => denials.learn(&self.soa(), &self.proofs(name), 300, NOW),
            Word::Wild(encloser, rtype) => {
                let set = signed(name, rtype, rdata(rtype), &self.apex, encloser.label_count());
                denials.learn_made(&set, encloser, &self.proofs(name), (0, 300), NOW);
            }
        }
    }
}

fn is_end(types: &BTreeSet<RecordType>) -> bool {
    types.contains(&RecordType::NS) || types.contains(&RecordType::DNAME)
}

fn rdata(rtype: RecordType) -> Vec<u8> {
    if rtype == RecordType::CNAME { name("target.").wire().to_vec() } else { vec![192, 0, 2, 1] }
}

fn empty() -> Denials {
    Denials::new(1 << 20, keyed(&mut Dice::from_number(7)))
}

fn make(denials: &Denials, name: &Name, rtype: RecordType) -> Option<Word> {
    let (fact, until) = denials.make(name, rtype, |_| false, NOW + 10)?;
    assert!(until > NOW + 10 && until <= NOW + 300);
    Some(match fact {
        Fact::Denial { is_nxdomain: true, .. } => Word::NxDomain,
        Fact::Denial { .. } => Word::NoData,
        Fact::RrSet { set, .. } => {
            assert_eq!((&set.owner, set.rdatas.iter().next()), (name, Some(&*rdata(set.rtype))));
            Word::Wild(encloser_of(&set).unwrap(), set.rtype)
        }
        other => panic!("{other:?}"),
    })
}

/// Every name that can be made of a few labels.
fn names(apex: &Name) -> Vec<Name> {
    let labels: [&[u8]; 6] = [b"a", b"b", b"c", b"*", b"ab", b"A"];
    let below = |names: &[Name]| -> Vec<Name> {
        names.iter().flat_map(|name| labels.map(|label| name.child(label).unwrap())).collect()
    };
    let one = below(std::slice::from_ref(apex));
    let two = below(&one);
    let three = below(&two);
    [vec![apex.clone()], one, two, three].concat()
}

#[test]
fn nothing_is_made_that_the_zone_does_not_say_and_what_it_said_is_made_again() {
    let (mut made, mut kinds) = (0, [0; 3]);
    for seed in 0..150 {
        let mut dice = Dice::from_number(seed);
        let (zone, denials) = (Zone::drawn(&mut dice), empty());
        let names = names(&zone.apex);
        let asked: Vec<(&Name, RecordType)> =
            (0..dice.below(25)).map(|_| (&names[dice.index(names.len())], TYPES[dice.index(TYPES.len())])).collect();
        for (name, rtype) in &asked {
            zone.teach(&denials, name, *rtype);
        }
        for name in &names {
            for rtype in TYPES {
                let Some(word) = make(&denials, name, rtype) else { continue };
                assert_eq!(word, zone.says(name, rtype), "{seed}: {name} {rtype} of {:?} {:?}", zone.nodes, zone.salt);
                made += 1;
                kinds[match word {
                    Word::NxDomain => 0,
                    Word::NoData => 1,
                    _ => 2,
                }] += 1;
            }
        }
        for (name, rtype) in asked {
            let said = zone.says(name, rtype);
            if said != Word::Own {
                assert_eq!(make(&denials, name, rtype), Some(said), "{seed}: {name} {rtype}");
            }
        }
    }
    assert!(made > 10_000 && kinds.iter().all(|&kind| kind > 500), "{made} {kinds:?}");
}

#[test]
fn of_a_zone_that_denies_much_hardly_a_random_name_is_asked_for() {
    for salt in [None, Some(vec![1, 2])] {
        let (apex, denials, mut dice) = (name("zone.example."), empty(), Dice::from_number(3));
        let mut nodes = BTreeMap::from([(apex.clone(), BTreeSet::from([RecordType::SOA, RecordType::NS]))]);
        for number in 0..100 {
            nodes.insert(apex.child(format!("host-{number}").as_bytes()).unwrap(), BTreeSet::from([RecordType::A]));
        }
        let zone = Zone { apex, nodes, salt };
        let mut asked = [0, 0];
        for number in 0..2_000 {
            let random: String = (0..12).map(|_| char::from(b'a' + dice.index(26) as u8)).collect();
            let random = zone.apex.child(random.as_bytes()).unwrap();
            if make(&denials, &random, RecordType::A).is_none() {
                asked[number / 1_000] += 1;
                zone.teach(&denials, &random, RecordType::A);
            }
        }
        // B8: at most 0.01 queries a name after 1,000 names.
        assert!(asked[0] <= 110 && asked[1] <= 10, "{asked:?}");
    }
}

#[test]
fn proofs_of_other_zones_and_such_as_opt_out_make_nothing() {
    let (zone, other) = (name("zone.example."), name("other.example."));
    let gone = name("gone.zone.example.");
    let soa = plain(&zone, RecordType::SOA, vec![0; 22], &zone);
    let whole = Nsec::compose(&zone, [RecordType::SOA, RecordType::NSEC]);
    let hashed = |is_opt_out| {
        let parameters = Parameters { iterations: 0, salt: &[] };
        let hash = parameters.hash(&zone);
        let rdata = Nsec3::compose(parameters, is_opt_out, &hash, [RecordType::SOA]);
        plain(&zone.child(&label(&hash)).unwrap(), RecordType::NSEC3, rdata, &zone)
    };
    let cases = [
        ("its own", plain(&zone, RecordType::NSEC, whole.clone(), &zone), true),
        ("signed by the zone above", plain(&zone, RecordType::NSEC, whole.clone(), &name("example.")), false),
        ("signed by a sibling", plain(&zone, RecordType::NSEC, whole.clone(), &other), false),
        ("of a sibling", plain(&other, RecordType::NSEC, whole.clone(), &zone), false),
        ("made from a wildcard", signed(&zone, RecordType::NSEC, whole, &zone, 1), false),
        ("leading outside", plain(&zone, RecordType::NSEC, Nsec::compose(&other, [RecordType::SOA]), &zone), false),
        ("its own hash", hashed(false), true),
        ("opting out", hashed(true), false),
    ];
    for (case, proof, makes) in cases {
        let denials = empty();
        denials.learn(&soa, &[proof], 300, NOW);
        let made = make(&denials, &gone, RecordType::A);
        assert_eq!(made, makes.then_some(Word::NxDomain), "{case}");
        assert!(denials.make(&gone, RecordType::A, |_| true, NOW).is_none(), "{case}");
        for elsewhere in ["example.", "www.example.", "www.other.example."] {
            assert_eq!(make(&denials, &name(elsewhere), RecordType::A), None, "{case}: {elsewhere}");
        }
    }
}

#[test]
fn what_a_wildcard_has_is_made_for_other_names_no_longer_than_the_proof_holds() {
    let (zone, first, second) = (name("example."), name("a.w.example."), name("b.w.example."));
    let set = signed(&first, RecordType::A, rdata(RecordType::A), &zone, 2);
    let rdata = Nsec::compose(&name("x.example."), [RecordType::A]);
    let proof = plain(&name("*.w.example."), RecordType::NSEC, rdata, &zone);
    let denials = empty();
    denials.learn_made(&set, name("w.example."), &[Arc::clone(&proof)], (0, 2 * proof.ttl), NOW);
    let until = |now| denials.make(&second, RecordType::A, |_| false, now).map(|(_, until)| until - now);
    assert_eq!((until(NOW), until(NOW + Second::from(proof.ttl))), (Some(Second::from(proof.ttl)), None));
}

#[test]
fn proofs_end_are_forgotten_and_take_no_more_room_than_they_may() {
    let mut dice = Dice::from_number(5);
    let zone = Zone {
        apex: name("zone.example."),
        nodes: BTreeMap::from([(name("zone.example."), BTreeSet::from([RecordType::SOA]))]),
        salt: None,
    };
    let gone = name("gone.zone.example.");
    let denials = empty();
    denials.learn(&zone.soa(), &zone.proofs(&gone), 86_400, NOW);
    let ttl = |now| denials.make(&gone, RecordType::A, |_| false, now).map(|(_, until)| until - now);
    assert_eq!((ttl(NOW), ttl(NOW + 10_799), ttl(NOW + 10_800)), (Some(10_800), Some(1), None));
    for (flushed, subtree, stays) in [
        ("other.example.", true, true),
        ("example.", false, true),
        ("example.", true, false),
        ("x.zone.example.", false, false),
    ] {
        let denials = empty();
        denials.learn(&zone.soa(), &zone.proofs(&gone), 300, NOW);
        denials.forget(&name(flushed), subtree);
        assert_eq!(make(&denials, &gone, RecordType::A).is_some(), stays, "{flushed}");
        assert_eq!(denials.bytes() > 0, stays);
    }
    // Zones that make up a proof for every name, one or many of them.
    for zones in [1, 5_000] {
        let denials = empty();
        for number in 0..20_000 {
            let apex = name(&format!("z{}.example.", number % zones));
            let soa = plain(&apex, RecordType::SOA, vec![0; 22], &apex);
            let before = apex.child(format!("{:08x}", dice.below(u64::from(u32::MAX))).as_bytes()).unwrap();
            let next = before.child(b"\0").unwrap();
            let proof = plain(&before, RecordType::NSEC, Nsec::compose(&next, [RecordType::NSEC]), &apex);
            denials.learn(&soa, &[proof], 300, NOW);
            assert!(denials.bytes() <= (1 << 20) + 2_000, "{}", denials.bytes());
        }
    }
}

/// Whoever fills the room with proofs must not have all of them looked at for every further one.
#[test]
fn where_there_is_no_room_it_is_looked_for_ended_proofs_once_a_second() {
    let learn = |denials: &Denials, number: u32, ttl, now| {
        let apex = name(&format!("z{number}.example."));
        let soa = plain(&apex, RecordType::SOA, vec![0; 22], &apex);
        let proof = plain(&apex, RecordType::NSEC, Nsec::compose(&apex, [RecordType::SOA]), &apex);
        denials.learn(&soa, &[proof], ttl, now);
    };
    let denials = empty();
    let fill = |ttl, now| (0..3_000).for_each(|number| learn(&denials, number, ttl, now));
    fill(10, NOW);
    let swept = |denials: &Denials| denials.held.read().unwrap().swept;
    assert_eq!(swept(&denials), NOW);
    let zones = || denials.held.read().unwrap().chains.len();
    let full = zones();
    learn(&denials, 5_000, 10, NOW + 9);
    assert_eq!((zones(), swept(&denials)), (full, NOW + 9), "nothing has ended, and nobody gives way");
    learn(&denials, 5_001, 10, NOW + 10);
    assert_eq!(zones(), 1, "all others have ended");
}
