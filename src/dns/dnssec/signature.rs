//! RRSIG records (RFC 4034 §3).

use std::cmp::Ordering;

use super::{Algorithm, Malformed};
use crate::base::bounds;
use crate::dns::{Name, RecordType, RrSet};

/// Octets in front of the signer's name.
const FIXED: usize = 18;
/// A signature that is within its late allowance is believed for this long at a time, seconds.
const LATE_STEP: u32 = 60;

/// A signature over an RRset.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signature<'a> {
    /// The type of the RRset.
    pub covered: RecordType,
    /// The key's algorithm.
    pub algorithm: Algorithm,
    /// Labels of the owner that was signed, without the root's and a `*` in front.
    pub labels: u8,
    /// The TTL that was signed, seconds.
    pub original_ttl: u32,
    /// When it ends to hold: seconds since 1970 modulo 2³² (RFC 4034 §3.1.5).
    pub expiration: u32,
    /// When it begins to hold, likewise.
    pub inception: u32,
    /// The key's tag.
    pub tag: u16,
    /// The zone that signed.
    pub signer: Name,
    /// The signature.
    pub octets: &'a [u8],
    /// The RDATA's fields in front of the signer's name, which are signed too.
    pub(super) fixed: &'a [u8],
}

/// How a signature's time stands to the present.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Validity {
    /// It holds for so many seconds.
    Holds(u32),
    /// It does not hold yet.
    Early,
    /// It does not hold any more.
    Late,
}

impl<'a> Signature<'a> {
    /// Reads an RRSIG's RDATA.
    ///
    /// # Errors
    /// [`Malformed`]: it is too short, or the signer is no whole name.
    pub fn parse(rdata: &'a [u8]) -> Result<Self, Malformed> {
        let (fixed, rest) = rdata.split_first_chunk::<FIXED>().ok_or(Malformed)?;
        let (signer, length) = Name::from_wire(rest).map_err(|_| Malformed)?;
        let octets = rest.get(length..).filter(|octets| !octets.is_empty()).ok_or(Malformed)?;
        let &[c0, c1, algorithm, labels, o0, o1, o2, o3, e0, e1, e2, e3, i0, i1, i2, i3, t0, t1] = fixed;
        Ok(Self {
            covered: RecordType(u16::from_be_bytes([c0, c1])),
            algorithm: Algorithm(algorithm),
            labels,
            original_ttl: u32::from_be_bytes([o0, o1, o2, o3]),
            expiration: u32::from_be_bytes([e0, e1, e2, e3]),
            inception: u32::from_be_bytes([i0, i1, i2, i3]),
            tag: u16::from_be_bytes([t0, t1]),
            signer,
            octets,
            fixed,
        })
    }

    /// How the time of the signature stands to `wall`, seconds since 1970. Times are compared as serial numbers
    /// (RFC 4034 §3.1.5): no year is special, only what lies 68 years ahead or back cannot be told apart.
    pub(super) fn validity(&self, wall: u32) -> Validity {
        let early = bounds::SIGNATURE_EARLY.as_secs() as u32;
        let late_max = bounds::SIGNATURE_LATE_MAX.as_secs() as u32;
        if serial(self.expiration, self.inception) != Ordering::Greater {
            return Validity::Late; // it expired before it was valid
        }
        if serial(wall.wrapping_add(early), self.inception) == Ordering::Less {
            return Validity::Early;
        }
        let late = (self.expiration.wrapping_sub(self.inception) / 10).min(late_max);
        let end = self.expiration.wrapping_add(late);
        if serial(wall, end) == Ordering::Greater {
            return Validity::Late;
        }
        let left = if serial(wall, self.expiration) == Ordering::Less { self.expiration.wrapping_sub(wall) } else { 0 };
        Validity::Holds(left.max(end.wrapping_sub(wall).min(LATE_STEP)))
    }
}

/// Compares serial numbers (RFC 1982 §3.2); those that are 2³¹ apart, which it leaves open, count as less.
fn serial(one: u32, other: u32) -> Ordering {
    match one.wrapping_sub(other) {
        0 => Ordering::Equal,
        1..=0x7FFF_FFFF => Ordering::Greater,
        _ => Ordering::Less,
    }
}

/// The zone that the signatures of `set` say it comes from: the deepest signer that can be one of its owner's zones. None
/// where it is not signed. DS records stand in the zone above.
#[must_use]
pub fn signer(set: &RrSet) -> Option<Name> {
    set.signatures
        .iter()
        .filter_map(|rdata| Signature::parse(rdata).ok())
        .filter(|signature| signature.covered == set.rtype && set.owner.is_within(&signature.signer))
        .filter(|signature| set.rtype != RecordType::DS || set.owner != signature.signer)
        .map(|signature| signature.signer)
        .max_by_key(Name::label_count)
}
