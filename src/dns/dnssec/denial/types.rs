//! The types that NSEC and NSEC3 records say are at a name (RFC 4034 §4.1.2).

use std::fmt;

use crate::dns::RecordType;
use crate::dns::dnssec::Malformed;

/// Octets of a window's bitmap.
const WINDOW_MAX: usize = 32;

/// A list of types as windows of bits, checked to be well-formed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Types<'a>(&'a [u8]);

impl<'a> Types<'a> {
    /// No type at all.
    pub const NONE: Self = Self(&[]);

    /// Reads the end of an NSEC or NSEC3's RDATA.
    ///
    /// # Errors
    /// [`Malformed`]: a window is empty, too long, cut, or not behind the one before it.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (mut rest, mut last) = (bytes, None);
        while let Some((window, length, tail)) = split(rest) {
            if last.is_some_and(|last| last >= window) || !(1..=WINDOW_MAX).contains(&length) {
                return Err(Malformed);
            }
            last = Some(window);
            rest = tail.get(length..).ok_or(Malformed)?;
        }
        if rest.is_empty() { Ok(Self(bytes)) } else { Err(Malformed) }
    }

    /// Whether `rtype` is in the list.
    #[must_use]
    pub fn has(self, rtype: RecordType) -> bool {
        let [wanted, low] = rtype.0.to_be_bytes();
        let mut rest = self.0;
        while let Some((window, length, tail)) = split(rest) {
            if window == wanted {
                let is_inside = usize::from(low / 8) < length;
                return is_inside
                    && tail.get(usize::from(low / 8)).is_some_and(|octet| octet & (0x80 >> (low % 8)) != 0);
            }
            rest = tail.get(length..).unwrap_or(&[]);
        }
        false
    }

    /// The types in ascending order.
    pub fn iter(self) -> impl Iterator<Item = RecordType> + use<'a> {
        let mut rest = self.0;
        let windows = std::iter::from_fn(move || {
            let (window, length, tail) = split(rest)?;
            let (bits, after) = tail.split_at_checked(length)?;
            rest = after;
            Some((window, bits))
        });
        windows.flat_map(|(window, bits)| {
            (0..=255_u8)
                .filter(move |low| bits.get(usize::from(low / 8)).is_some_and(|octet| octet & (0x80 >> (low % 8)) != 0))
                .map(move |low| RecordType(u16::from_be_bytes([window, low])))
        })
    }

    /// Whether these are the types of a zone cut, as the zone above it sees it.
    #[must_use]
    pub fn is_cut(self) -> bool {
        self.has(RecordType::NS) && !self.has(RecordType::SOA)
    }
}

impl fmt::Debug for Types<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

fn split(bytes: &[u8]) -> Option<(u8, usize, &[u8])> {
    let ([window, length], tail) = bytes.split_first_chunk::<2>()?;
    Some((*window, usize::from(*length), tail))
}

/// The list of `types`, which may come in any order, as RDATA has it.
#[must_use]
pub fn compose(types: impl IntoIterator<Item = RecordType>) -> Vec<u8> {
    let mut numbers: Vec<u16> = types.into_iter().map(|rtype| rtype.0).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let mut out = Vec::new();
    for window in numbers.chunk_by(|one, other| one >> 8 == other >> 8) {
        let mut bits = [0_u8; WINDOW_MAX];
        let mut length = 0;
        for number in window {
            let low = (number & 0xFF) as u8;
            length = usize::from(low / 8) + 1;
            if let Some(octet) = bits.get_mut(usize::from(low / 8)) {
                *octet |= 0x80 >> (low % 8);
            }
        }
        out.extend(window.first().map(|number| (number >> 8) as u8));
        out.push(length as u8);
        out.extend(bits.iter().take(length));
    }
    out
}
