//! Under what a fact is kept: the owner's name in small letters and the kind of fact, in one run of octets.

use std::borrow::Borrow;

use smallvec::SmallVec;

use crate::dns::RecordType;

/// The kinds of facts that are kept of a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// The RRset of a type.
    RrSet(RecordType),
    /// A type is not there.
    NoData(RecordType),
    /// The name is not there.
    NxDomain,
    /// The zone cut at the name.
    Delegation,
    /// A type could not be resolved.
    Failure(RecordType),
    /// What is said of a type is bogus.
    Bogus(RecordType),
}

impl Kind {
    /// Octets of a kind in a key.
    pub(super) const LENGTH: usize = 3;

    fn octets(self) -> [u8; Self::LENGTH] {
        let (tag, rtype) = match self {
            Self::RrSet(rtype) => (0, rtype.0),
            Self::NoData(rtype) => (1, rtype.0),
            Self::NxDomain => (2, 0),
            Self::Delegation => (3, 0),
            Self::Failure(rtype) => (4, rtype.0),
            Self::Bogus(rtype) => (5, rtype.0),
        };
        let [high, low] = rtype.to_be_bytes();
        [tag, high, low]
    }
}

/// In the first octet of a kind: it is what an upstream told, and nobody has checked it.
const TOLD: u8 = 1 << 7;

/// A key as the store owns it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) struct Key(Box<[u8]>);

impl Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

/// A key on the stack, for looking up.
pub(super) type Probe = SmallVec<[u8; 64]>;

/// The key of a fact of `kind` about the name with this `wire` form.
pub(super) fn probe(wire: &[u8], kind: Kind) -> Probe {
    let mut key = Probe::with_capacity(wire.len() + Kind::LENGTH);
    key.extend_from_slice(wire);
    key.make_ascii_lowercase(); // a length octet is at most 63, no capital letter
    key.extend_from_slice(&kind.octets());
    key
}

/// The key of the same fact as it was told, where what has been checked is kept by itself.
pub(super) fn told(mut key: Probe) -> Probe {
    let at = key.len().saturating_sub(Kind::LENGTH);
    if let Some(tag) = key.get_mut(at) {
        *tag |= TOLD;
    }
    key
}

/// The name in a key: its wire form in small letters.
pub(super) fn name(key: &[u8]) -> &[u8] {
    key.split_last_chunk::<{ Kind::LENGTH }>().map_or(&[], |(name, _)| name)
}

/// The kind of fact in a key.
pub(super) fn kind(key: &[u8]) -> Kind {
    match key.split_last_chunk::<{ Kind::LENGTH }>() {
        Some((_, &[tag, high, low])) => {
            let rtype = RecordType(u16::from_be_bytes([high, low]));
            match tag & !TOLD {
                0 => Kind::RrSet(rtype),
                1 => Kind::NoData(rtype),
                2 => Kind::NxDomain,
                3 => Kind::Delegation,
                4 => Kind::Failure(rtype),
                _ => Kind::Bogus(rtype),
            }
        }
        None => Kind::NxDomain,
    }
}

impl From<&[u8]> for Key {
    fn from(probe: &[u8]) -> Self {
        Self(probe.into())
    }
}

impl Key {
    /// The name's wire form in small letters.
    pub(super) fn name(&self) -> &[u8] {
        name(&self.0)
    }

    /// The kind of fact.
    pub(super) fn kind(&self) -> Kind {
        kind(&self.0)
    }

    /// The octets to look up by.
    pub(super) fn probe(&self) -> &[u8] {
        &self.0
    }

    /// Octets held outside the key itself.
    pub(super) fn size_bytes(&self) -> usize {
        self.0.len()
    }
}

/// The wire forms of the name with this `wire` form and of all above it, the root last.
pub(super) fn upward(wire: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(wire);
    std::iter::from_fn(move || {
        let here = rest?;
        let (&length, tail) = here.split_first()?;
        rest = if length == 0 { None } else { tail.get(usize::from(length)..) };
        Some(here)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::Name;

    #[test]
    fn letter_case_does_not_part_keys_and_kinds_do() {
        let (small, large): (Name, Name) = ("www.example.".parse().unwrap(), "WWW.Example.".parse().unwrap());
        assert_eq!(probe(small.wire(), Kind::NxDomain), probe(large.wire(), Kind::NxDomain));
        let kinds = [
            Kind::RrSet(RecordType::A),
            Kind::RrSet(RecordType::CAA),
            Kind::NoData(RecordType::A),
            Kind::NxDomain,
            Kind::Delegation,
            Kind::Failure(RecordType::A),
            Kind::Bogus(RecordType::A),
        ];
        for (at, kind) in kinds.iter().enumerate() {
            let key = probe(large.wire(), *kind);
            assert_eq!((super::kind(&key), name(&key)), (*kind, small.wire()));
            assert_eq!(super::kind(&told(key.clone())), *kind);
            assert_ne!(told(key.clone()), key);
            assert!(kinds[at + 1..].iter().all(|other| probe(large.wire(), *other) != key));
        }
    }

    #[test]
    fn the_way_up_ends_at_the_root() {
        let name: Name = "a.b.example.".parse().unwrap();
        let names: Vec<String> = upward(name.wire()).map(|wire| Name::from_wire(wire).unwrap().0.to_string()).collect();
        assert_eq!(names, ["a.b.example.", "b.example.", "example.", "."]);
        assert_eq!(upward(Name::root().wire()).count(), 1);
    }
}
