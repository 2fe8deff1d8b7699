//! NSEC3 records (RFC 5155): as NSEC, but the names are hashed, and some cuts may be left out.

use ring::digest;
use smallvec::SmallVec;

use super::Found;
use super::types::{self, Types};
use crate::base::bounds;
use crate::dns::dnssec::{Budget, Malformed, Spent};
use crate::dns::{Name, RecordType};

/// Octets of a hash; SHA-1 is the only one there is (RFC 5155 §11).
pub const HASH: usize = 20;
/// The number of SHA-1.
const SHA1: u8 = 1;
/// The flag that cuts without DS may be left out (RFC 5155 §3.1.2.1).
const OPT_OUT: u8 = 1;

/// A hashed name.
pub type Hash = [u8; HASH];

/// How names are hashed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Parameters<'a> {
    /// How often more than once.
    pub iterations: u16,
    /// What is hashed along, up to 255 octets.
    pub salt: &'a [u8],
}

/// An NSEC3 record.
#[derive(Clone, Copy, Debug)]
pub struct Nsec3<'a> {
    /// The hash in its owner's name.
    pub owner: Hash,
    /// The next hash in the zone's order; the first behind the last.
    pub next: Hash,
    /// How they are hashed.
    pub parameters: Parameters<'a>,
    /// Whether cuts without DS may stand between them.
    pub is_opt_out: bool,
    /// The types at the name.
    pub types: Types<'a>,
}

impl Parameters<'_> {
    /// The hash of `name` (RFC 5155 §5).
    #[must_use]
    pub fn hash(&self, name: &Name) -> Hash {
        self.hash_of(name.lowered().wire())
    }

    /// The hash of a name given as its wire form in small letters.
    #[must_use]
    pub fn hash_of(&self, wire: &[u8]) -> Hash {
        (0..self.iterations).fold(self.once(wire), |hash, _| self.once(&hash))
    }

    fn once(&self, octets: &[u8]) -> Hash {
        let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
        context.update(octets);
        context.update(self.salt);
        context.finish().as_ref().first_chunk().copied().unwrap_or_default()
    }

    /// The blocks of 64 octets that SHA-1 goes through for [`Parameters::hash`] of `name`.
    #[must_use]
    pub fn blocks(&self, name: &Name) -> u32 {
        let blocks = |octets: usize| (octets + self.salt.len() + 9).div_ceil(64) as u32;
        blocks(name.wire().len()) + u32::from(self.iterations) * blocks(HASH)
    }

    /// Whether names are hashed more often than is followed (RFC 9276 §3.2).
    #[must_use]
    pub const fn is_excessive(&self) -> bool {
        self.iterations > bounds::NSEC3_ITERATIONS
    }
}

impl<'a> Nsec3<'a> {
    /// Reads the RDATA of an NSEC3 of `owner` in `zone`.
    ///
    /// # Errors
    /// [`Malformed`]: it is cut, its hash or its flags are not known (RFC 5155 §8.1, §8.2), or the owner is no hash right
    /// below the zone's apex.
    pub fn parse(owner: &Name, zone: &Name, rdata: &'a [u8]) -> Result<Self, Malformed> {
        let ([algorithm, flags, i0, i1, salt_length], rest) = rdata.split_first_chunk::<5>().ok_or(Malformed)?;
        if *algorithm != SHA1 || *flags & !OPT_OUT != 0 || owner.parent().as_ref() != Some(zone) {
            return Err(Malformed);
        }
        let (salt, rest) = rest.split_at_checked(usize::from(*salt_length)).ok_or(Malformed)?;
        let (hash_length, rest) = rest.split_first().ok_or(Malformed)?;
        if usize::from(*hash_length) != HASH {
            return Err(Malformed);
        }
        let (next, bitmap) = rest.split_first_chunk::<HASH>().ok_or(Malformed)?;
        Ok(Self {
            owner: owner.labels().next().and_then(unhex).ok_or(Malformed)?,
            next: *next,
            parameters: Parameters { iterations: u16::from_be_bytes([*i0, *i1]), salt },
            is_opt_out: *flags & OPT_OUT != 0,
            types: Types::parse(bitmap)?,
        })
    }

    /// The RDATA of an NSEC3.
    #[must_use]
    pub fn compose(
        parameters: Parameters<'_>,
        is_opt_out: bool,
        next: &Hash,
        types: impl IntoIterator<Item = RecordType>,
    ) -> Vec<u8> {
        let [i0, i1] = parameters.iterations.to_be_bytes();
        let front = [SHA1, u8::from(is_opt_out), i0, i1, parameters.salt.len() as u8];
        [&front, parameters.salt, &[HASH as u8], next, &types::compose(types)].concat()
    }

    /// Whether `hash` stands between the owner and the next hash: no name with it is there, save for cuts without DS where
    /// the record opts out.
    #[must_use]
    pub fn covers(&self, hash: &Hash) -> bool {
        if self.owner < self.next {
            self.owner < *hash && *hash < self.next
        } else {
            self.owner < *hash || *hash < self.next
        }
    }
}

const DIGITS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";

/// A hash as the label of an owner: base32 with extended hex alphabet (RFC 5155 §1.3, RFC 4648 §7).
#[must_use]
pub fn label(hash: &Hash) -> [u8; 32] {
    let mut out = [0; 32];
    let groups = hash.chunks(5).flat_map(|group| {
        let bits = group.iter().fold(0_u64, |bits, octet| bits << 8 | u64::from(*octet));
        (0..8).rev().map(move |place| (bits >> (5 * place) & 31) as usize)
    });
    for (into, digit) in out.iter_mut().zip(groups) {
        *into = DIGITS.get(digit).copied().unwrap_or_default();
    }
    out
}

/// The hash that a label is; none if it is no hash.
fn unhex(label: &[u8]) -> Option<Hash> {
    let label: &[u8; 32] = label.try_into().ok()?;
    let mut out = [0; HASH];
    for (into, digits) in out.chunks_mut(5).zip(label.chunks(8)) {
        let mut bits = 0_u64;
        for digit in digits {
            let value = match digit {
                b'0'..=b'9' => digit - b'0',
                b'a'..=b'v' => digit - b'a' + 10,
                b'A'..=b'V' => digit - b'A' + 10,
                _ => return None,
            };
            bits = bits << 5 | u64::from(value);
        }
        let [_, _, _, octets @ ..] = bits.to_be_bytes();
        into.copy_from_slice(&octets);
    }
    Some(out)
}

/// The records of one zone and one way to hash.
#[derive(Clone, Debug)]
pub(super) struct Chain<'a> {
    pub(super) zone: &'a Name,
    pub(super) parameters: Parameters<'a>,
    pub(super) records: SmallVec<[Nsec3<'a>; bounds::DENIAL_PROOFS]>,
}

impl<'a> Chain<'a> {
    /// What the records say of `name`, which is in the zone.
    pub(super) fn look(&self, name: &Name, budget: &mut Budget) -> Result<Found<'a>, Spent> {
        let hash = self.hash(name, budget)?;
        if let Some(here) = self.at(&hash) {
            return Ok(Found::Here(here.types));
        }
        // The closest encloser proof (RFC 5155 §8.3), from the apex down: made-up names have long tails, which cost
        // nothing so.
        let labels = name.label_count();
        let mut above = None;
        for count in self.zone.label_count()..=labels {
            let hash = if count == labels { hash } else { self.hash(&name.suffix(count), budget)? };
            if let (Some(encloser), Some(cover)) = (above, self.covering(&hash)) {
                let encloser: &Nsec3<'_> = encloser;
                // Below a cut, or a DNAME, the zone has nothing to say.
                if encloser.types.is_cut() || encloser.types.has(RecordType::DNAME) {
                    return Ok(Found::Unknown);
                }
                return Ok(Found::Absent { encloser: name.suffix(count - 1), is_opt_out: cover.is_opt_out });
            }
            above = self.at(&hash);
        }
        Ok(Found::Unknown)
    }

    /// What the records say of `name` by its own hash alone.
    pub(super) fn glance(&self, name: &Name, budget: &mut Budget) -> Result<Glance<'a>, Spent> {
        let hash = self.hash(name, budget)?;
        Ok(match (self.at(&hash), self.covering(&hash)) {
            (Some(here), _) => Glance::Here(here.types),
            (None, Some(cover)) => Glance::Covered { is_opt_out: cover.is_opt_out },
            (None, None) => Glance::Unknown,
        })
    }

    fn hash(&self, name: &Name, budget: &mut Budget) -> Result<Hash, Spent> {
        budget.charge_blocks(self.parameters.blocks(name))?;
        Ok(self.parameters.hash(name))
    }

    fn at(&self, hash: &Hash) -> Option<&Nsec3<'a>> {
        self.records.iter().find(|record| record.owner == *hash)
    }

    fn covering(&self, hash: &Hash) -> Option<&Nsec3<'a>> {
        self.records.iter().find(|record| record.covers(hash))
    }
}

/// What is known of a name by its own hash.
#[derive(Clone, Copy, Debug)]
pub(super) enum Glance<'a> {
    Here(Types<'a>),
    Covered { is_opt_out: bool },
    Unknown,
}
