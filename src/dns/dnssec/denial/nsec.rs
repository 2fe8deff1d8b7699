//! NSEC records (RFC 4034 §4): a name, the next one in the zone, and what is at the first.

use super::Found;
use super::types::{self, Types};
use crate::dns::dnssec::Malformed;
use crate::dns::{Name, RecordType};

/// An NSEC record.
#[derive(Clone, Debug)]
pub struct Nsec<'a> {
    /// Its owner.
    pub owner: &'a Name,
    /// The next name in the zone's order; the apex behind the last.
    pub next: Name,
    /// The types at the owner.
    pub types: Types<'a>,
}

impl<'a> Nsec<'a> {
    /// Reads the RDATA of an NSEC of `owner`.
    ///
    /// # Errors
    /// [`Malformed`]: no whole name, or a list of types that is none.
    pub fn parse(owner: &'a Name, rdata: &'a [u8]) -> Result<Self, Malformed> {
        let (next, length) = Name::from_wire(rdata).map_err(|_| Malformed)?;
        Ok(Self { owner, next, types: Types::parse(rdata.get(length..).unwrap_or(&[]))? })
    }

    /// The RDATA of an NSEC.
    #[must_use]
    pub fn compose(next: &Name, types: impl IntoIterator<Item = RecordType>) -> Vec<u8> {
        [next.wire(), &types::compose(types)].concat()
    }

    /// Whether both its names are `zone`'s, and follow each other as they do in a zone: one that leads elsewhere would
    /// deny what is not its zone's (CVE-2026-13321).
    #[must_use]
    pub fn is_of(&self, zone: &Name) -> bool {
        self.owner.is_within(zone) && self.next.is_within(zone) && (*self.owner < self.next || self.next == *zone)
    }

    /// Whether `name`, which is in the zone, stands between the owner and the next name: nothing is at the name then.
    #[must_use]
    pub fn covers(&self, name: &Name) -> bool {
        *self.owner < *name && (*name < self.next || self.next <= *self.owner) && !self.is_above(name)
    }

    /// Whether `name` lies below the owner, where the owner says nothing of it: behind a zone cut, or a DNAME
    /// (RFC 6840 §4.1).
    fn is_above(&self, name: &Name) -> bool {
        (self.types.is_cut() || self.types.has(RecordType::DNAME)) && name.is_below(self.owner)
    }

    /// The deepest name at or above `name` that the record shows to be there.
    fn encloser(&self, name: &Name) -> Name {
        name.suffix(common_labels(name, self.owner).max(common_labels(name, &self.next)))
    }
}

/// How many labels both names end with.
fn common_labels(one: &Name, other: &Name) -> usize {
    let (ones, others) = (one.label_count(), other.label_count());
    let count = ones.min(others);
    let pairs = one.labels().skip(ones - count).zip(other.labels().skip(others - count));
    // Counted from the root: a pair that differs begins the count anew.
    pairs.fold(0, |same, (a, b)| if a.eq_ignore_ascii_case(b) { same + 1 } else { 0 })
}

/// What `chain`, all of one zone, says of `name`.
pub(super) fn look<'a>(chain: &[Nsec<'a>], name: &Name) -> Found<'a> {
    if let Some(here) = chain.iter().find(|nsec| nsec.owner == name) {
        return Found::Here(here.types);
    }
    match chain.iter().find(|nsec| nsec.covers(name)) {
        // A name below it is there, so it is there too, without records.
        Some(nsec) if nsec.next.is_below(name) => Found::Here(Types::NONE),
        Some(nsec) => Found::Absent { encloser: nsec.encloser(name), is_opt_out: false },
        None => Found::Unknown,
    }
}
