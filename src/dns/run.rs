//! Records of one size that follow each other in a finished response and come in another order from query to query: the
//! same ring of records, begun at another. Where it begins follows from the query's id, which clients draw by chance, so
//! both tempos know it without asking anybody.

/// Octets of a run in a prepared answer.
pub(super) const RUN: usize = 5;
/// Octets from the end of one record's RDATA to the begin of the next one's, where its owner is a pointer.
const BETWEEN: usize = 12;

/// Which of `count` records comes first in the response to the query `id`.
#[must_use]
pub const fn first_of(id: u16, count: usize) -> usize {
    if count == 0 { 0 } else { id as usize % count }
}

/// Such records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Run {
    /// Where the first one's RDATA stands.
    at: u16,
    /// How many there are.
    count: u8,
    /// Octets of RDATA that each has.
    width: u8,
    /// The number of the one that stands first.
    first: u8,
}

impl Run {
    /// The run of records whose RDATA, of `width` octets each, stands at `places`, and which begins with the one of
    /// number `first`; none where they are more than the bounds of a datagram or do not follow each other closely.
    #[must_use]
    pub fn of(places: &[usize], width: usize, first: usize) -> Option<Self> {
        let is_close = places.windows(2).all(|two| matches!(two, [one, next] if one + width + BETWEEN == *next));
        let run = Self {
            at: u16::try_from(*places.first()?).ok()?,
            count: u8::try_from(places.len()).ok()?,
            width: u8::try_from(width).ok()?,
            first: u8::try_from(first).ok()?,
        };
        is_close.then_some(run)
    }

    /// In octets.
    #[must_use]
    pub(super) const fn to_octets(self) -> [u8; RUN] {
        let [a0, a1] = self.at.to_ne_bytes();
        [a0, a1, self.count, self.width, self.first]
    }

    /// What was in octets.
    pub(super) const fn from_octets([a0, a1, count, width, first]: [u8; RUN]) -> Self {
        Self { at: u16::from_ne_bytes([a0, a1]), count, width, first }
    }

    /// Writes the records of `message` into `out`, a copy of it, in the order for the query `id`.
    pub(super) fn turn(self, id: u16, message: &[u8], out: &mut [u8]) -> Option<()> {
        let (at, count, width) = (usize::from(self.at), usize::from(self.count), usize::from(self.width));
        let ahead = (first_of(id, count) + count).checked_sub(usize::from(self.first))?;
        let place = |number: usize| at + number * (width + BETWEEN);
        for number in 0..count {
            let from = place((number + ahead) % count);
            let rdata = message.get(from..from + width)?;
            out.get_mut(place(number)..place(number) + width)?.copy_from_slice(rdata);
        }
        Some(())
    }
}
