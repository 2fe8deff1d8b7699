//! Proofs that something is not there (RFC 4035 §5.4, RFC 5155 §8, RFC 6840 §4).
//!
//! NSEC and NSEC3 records say of a name one of three things: these types are at it, nothing is at it and this is its
//! closest encloser, or nothing at all. Every proof is made of such sayings, about the name and about the wildcard that
//! would stand in for it.

pub mod nsec;
pub mod nsec3;
pub mod types;

pub use nsec::Nsec;
pub use nsec3::Nsec3;
pub use types::Types;

use smallvec::SmallVec;

use super::{Bogus, Budget, Reason, Security, Signature, Spent, Verified, ZoneKeys, verify_set};
use crate::base::bounds;
use crate::dns::{Ede, EdeCode, Name, RecordType, RrSet};
use nsec3::{Chain, Glance};

/// A name that does not exist, in the list of types of a name that is said to (RFC 9824 §3.4).
const NXNAME: RecordType = RecordType(128);

/// NSEC and NSEC3 records of one zone, all verified.
#[derive(Clone, Debug)]
pub struct Proofs<'a> {
    zone: &'a Name,
    nsec: SmallVec<[Nsec<'a>; 4]>,
    nsec3: Option<Chain<'a>>,
    /// Whether there are NSEC3 records, but they are hashed too often to be followed, and no others.
    is_excessive: bool,
}

/// How well something is proven.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Proven {
    /// For certain.
    Secure,
    /// Save for cuts without DS, which the zone does not list: the answer is insecure (RFC 5155 §9.2).
    OptOut,
    /// Not at all: the zone hashes its names more often than is followed, so it counts as unsigned here (RFC 9276 §3.2).
    Excessive,
}

impl Proven {
    /// What the answer is therefore.
    #[must_use]
    pub const fn security(self) -> Security {
        match self {
            Self::Secure => Security::Secure,
            Self::OptOut | Self::Excessive => Security::Insecure,
        }
    }

    /// What a client is told beside it.
    #[must_use]
    pub fn ede(self) -> Option<Ede> {
        let text = "NSEC3 iterates too often";
        matches!(self, Self::Excessive).then(|| Ede::new(EdeCode::TooManyIterations, text))
    }
}

/// What stands at a name that has no DS.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoDs {
    /// A zone cut: the zone below is unsigned.
    Cut,
    /// Perhaps a zone cut, of which the zone does not speak: what is below is insecure.
    OptOut,
    /// The zone hashes its names more often than is followed: what is below is insecure.
    Excessive,
    /// No zone cut: the zone goes on below.
    NoCut,
    /// Nothing: there is no such name.
    Absent,
}

impl NoDs {
    /// Whether all at the name and below is insecure.
    #[must_use]
    pub const fn is_insecure(self) -> bool {
        matches!(self, Self::Cut | Self::OptOut | Self::Excessive)
    }

    /// What a client is told beside it.
    #[must_use]
    pub fn ede(self) -> Option<Ede> {
        if self == Self::Excessive { Proven::Excessive.ede() } else { None }
    }
}

/// What the records say of a name.
#[derive(Clone, Debug)]
enum Found<'a> {
    /// It is there, with these types; with none, only names below it have some.
    Here(Types<'a>),
    /// It is not there; the deepest name above it that is; and whether it may be a cut that is not listed.
    Absent { encloser: Name, is_opt_out: bool },
    /// Nothing.
    Unknown,
}

impl<'a> Proofs<'a> {
    /// The NSEC and NSEC3 records among `sets` that the zone says it signed, verified here (who serves two zones may show
    /// the proofs of both at once); and what verifying each of them told, in order. At most
    /// [`bounds::DENIAL_PROOFS`] sets are looked at, others are left out.
    ///
    /// # Errors
    /// [`Bogus`]: one of them is not authentic, or was made from a wildcard.
    pub fn verify(
        sets: impl IntoIterator<Item = &'a RrSet>,
        keys: &'a ZoneKeys,
        wall: u32,
        budget: &mut Budget,
    ) -> Result<(Self, Vec<Verified>), Bogus> {
        let sets: SmallVec<[&RrSet; bounds::DENIAL_PROOFS]> =
            sets.into_iter().filter(|set| is_by(set, keys.zone())).take(bounds::DENIAL_PROOFS).collect();
        let mut verified = Vec::with_capacity(sets.len());
        for set in &sets {
            let one = verify_set(set, keys, wall, budget)?;
            // A wildcard's NSEC speaks of the wildcard, not of the name that it was made to fit.
            if one.encloser.is_some() {
                return Err(super::verify::bogus(Reason::BadSignature, set, "is made from a wildcard"));
            }
            verified.push(one);
        }
        Ok((Self::of(keys.zone(), sets), verified))
    }

    /// The NSEC and NSEC3 records among `sets`, which the caller has found to be authentic, signed by `zone` and not made
    /// from a wildcard. What does not fit the zone, or is malformed, is left out.
    #[must_use]
    pub fn of(zone: &'a Name, sets: impl IntoIterator<Item = &'a RrSet>) -> Self {
        let records = || sets.into_iter().flat_map(|set| set.rdatas.iter().map(move |rdata| (set, rdata)));
        let mut nsec: SmallVec<[Nsec<'a>; 4]> = SmallVec::new();
        let mut hashed: SmallVec<[Nsec3<'a>; bounds::DENIAL_PROOFS]> = SmallVec::new();
        for (set, rdata) in records().filter(|(set, _)| is_proof(set.rtype)).take(bounds::DENIAL_PROOFS) {
            if set.rtype == RecordType::NSEC {
                nsec.extend(Nsec::parse(&set.owner, rdata).ok().filter(|nsec| nsec.is_of(zone)));
            } else {
                hashed.extend(Nsec3::parse(&set.owner, zone, rdata).ok());
            }
        }
        let is_any = !hashed.is_empty();
        hashed.retain(|record| !record.parameters.is_excessive());
        let is_excessive = is_any && hashed.is_empty() && nsec.is_empty();
        // Hashes made in different ways cannot be compared (RFC 5155 §8.2).
        let nsec3 = hashed.first().map(|first| first.parameters).map(|parameters| {
            hashed.retain(|record| record.parameters == parameters);
            Chain { zone, parameters, records: hashed }
        });
        Self { zone, nsec, nsec3, is_excessive }
    }

    /// Whether there is no record to prove anything with.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nsec.is_empty() && self.nsec3.is_none() && !self.is_excessive
    }

    /// That `name` does not exist, nor a wildcard that would stand in for it.
    ///
    /// # Errors
    /// [`Bogus`]: the records do not prove it.
    pub fn nxdomain(&self, name: &Name, budget: &mut Budget) -> Result<Proven, Bogus> {
        self.speaks_of(name, RecordType::ANY)?;
        if let Found::Absent { encloser, is_opt_out } = self.look(name, budget)?
            && matches!(self.wildcard(&encloser, budget)?, Found::Absent { .. })
        {
            return Ok(if is_opt_out { Proven::OptOut } else { Proven::Secure });
        }
        self.or_excessive(Proven::Excessive, name, "is not proven not to exist")
    }

    /// That `name`, or the wildcard that stands in for it, has no records of `rtype` and is no alias.
    ///
    /// # Errors
    /// [`Bogus`]: the records do not prove it.
    pub fn nodata(&self, name: &Name, rtype: RecordType, budget: &mut Budget) -> Result<Proven, Bogus> {
        self.speaks_of(name, rtype)?;
        match self.look(name, budget)? {
            Found::Here(types) if lacks(types, rtype, name) => return Ok(Proven::Secure),
            Found::Here(_) | Found::Unknown => {}
            // A cut without DS, or a name above one: neither need be listed (RFC 5155 §8.6, §9.2).
            Found::Absent { is_opt_out: true, .. } => return Ok(Proven::OptOut),
            Found::Absent { encloser, is_opt_out: false } => match self.wildcard(&encloser, budget)? {
                Found::Here(types) if lacks(types, rtype, name) => return Ok(Proven::Secure),
                _ => {}
            },
        }
        self.or_excessive(Proven::Excessive, name, "is not proven to lack the type")
    }

    /// That `name` has no DS, and what it is therefore.
    ///
    /// # Errors
    /// [`Bogus`]: the records do not prove it.
    pub fn no_ds(&self, name: &Name, budget: &mut Budget) -> Result<NoDs, Bogus> {
        self.speaks_of(name, RecordType::DS)?;
        match self.look(name, budget)? {
            Found::Here(types) if lacks(types, RecordType::DS, name) => {
                return Ok(if types.has(RecordType::NS) { NoDs::Cut } else { NoDs::NoCut });
            }
            Found::Here(_) | Found::Unknown => {}
            Found::Absent { is_opt_out: true, .. } => return Ok(NoDs::OptOut),
            Found::Absent { encloser, is_opt_out: false } => match self.wildcard(&encloser, budget)? {
                Found::Here(types) if lacks(types, RecordType::DS, name) && !types.is_cut() => return Ok(NoDs::NoCut),
                Found::Absent { .. } => return Ok(NoDs::Absent),
                _ => {}
            },
        }
        self.or_excessive(NoDs::Excessive, name, "is not proven to have no DS")
    }

    /// That nothing stands closer to `name` than the wildcard below `encloser` from which an answer for it was made
    /// (RFC 4035 §5.3.4, RFC 5155 §8.8).
    ///
    /// # Errors
    /// [`Bogus`]: the records do not prove it.
    pub fn no_closer_match(&self, name: &Name, encloser: &Name, budget: &mut Budget) -> Result<Proven, Bogus> {
        self.speaks_of(name, RecordType::ANY)?;
        if !name.is_below(encloser) || !encloser.is_within(self.zone) {
            return Err(Bogus::new(Reason::NoProof, format!("{name} is not from a wildcard of its zone")));
        }
        match nsec::look(&self.nsec, name) {
            Found::Absent { encloser: shown, .. } if shown == *encloser => return Ok(Proven::Secure),
            _ => {}
        }
        if let Some(chain) = &self.nsec3
            && let next = name.suffix(encloser.label_count() + 1)
            && let Glance::Covered { is_opt_out } = chain.glance(&next, budget)?
        {
            return Ok(if is_opt_out { Proven::OptOut } else { Proven::Secure });
        }
        self.or_excessive(Proven::Excessive, name, "is not proven to have no closer match than a wildcard")
    }

    /// That the zone has a say on `rtype` at `name`: of its own DS only the zone above has (RFC 4035 §2.4).
    fn speaks_of(&self, name: &Name, rtype: RecordType) -> Result<(), Bogus> {
        let is_above = rtype == RecordType::DS && name == self.zone && !name.is_root();
        if name.is_within(self.zone) && !is_above {
            return Ok(());
        }
        Err(Bogus::new(Reason::NoProof, format!("{} has no say on {name} {rtype}", self.zone)))
    }

    fn look(&self, name: &Name, budget: &mut Budget) -> Result<Found<'a>, Spent> {
        match (nsec::look(&self.nsec, name), &self.nsec3) {
            (Found::Unknown, Some(chain)) => chain.look(name, budget),
            (found, _) => Ok(found),
        }
    }

    /// What the records say of the wildcard below `encloser`.
    fn wildcard(&self, encloser: &Name, budget: &mut Budget) -> Result<Found<'a>, Spent> {
        let Ok(wildcard) = encloser.child(b"*") else { return Ok(Found::Unknown) };
        match (nsec::look(&self.nsec, &wildcard), &self.nsec3) {
            (Found::Unknown, Some(chain)) => Ok(match chain.glance(&wildcard, budget)? {
                Glance::Here(types) => Found::Here(types),
                Glance::Covered { is_opt_out } => Found::Absent { encloser: encloser.clone(), is_opt_out },
                Glance::Unknown => Found::Unknown,
            }),
            (found, _) => Ok(found),
        }
    }

    /// What remains to be said where nothing is proven.
    fn or_excessive<T>(&self, excessive: T, name: &Name, text: &str) -> Result<T, Bogus> {
        if self.is_excessive {
            return Ok(excessive);
        }
        Err(Bogus::new(Reason::NoProof, format!("{name} {text}")))
    }
}

/// Whether `set` is a proof in the name of `zone`.
#[must_use]
pub fn is_by(set: &RrSet, zone: &Name) -> bool {
    let mut signatures = set.signatures.iter().filter_map(|rdata| Signature::parse(rdata).ok());
    is_proof(set.rtype) && signatures.any(|signature| signature.signer == *zone)
}

const fn is_proof(rtype: RecordType) -> bool {
    matches!(rtype, RecordType::NSEC | RecordType::NSEC3)
}

/// Whether a name with these types, in the zone that says so, has no records of `rtype` and no alias that would answer
/// for it. At a cut the zone above speaks only of DS, and the zone below of all else (RFC 6840 §4.1, §4.4).
fn lacks(types: Types<'_>, rtype: RecordType, name: &Name) -> bool {
    let is_side = match rtype {
        RecordType::DS => !types.has(RecordType::SOA) || name.is_root(),
        _ => !types.is_cut(),
    };
    let has_answer = match rtype {
        RecordType::ANY => !types.iter().all(|one| matches!(one, RecordType::NSEC | RecordType::RRSIG | NXNAME)),
        _ => types.has(rtype) || types.has(RecordType::CNAME),
    };
    is_side && !has_answer
}
