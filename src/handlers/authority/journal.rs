//! A zone's journal as octets: every difference since its image was written, each whole or not there.
//!
//! A journal is a header (mark, version, the zone's name) and records: length, checksum, payload. What is broken ends
//! the reading at the last whole record: that is what a crash in the middle of a write leaves, and what was being
//! written then had not been acknowledged. Nothing here touches a file.

use std::fmt;

use super::difference::Difference;
use super::update::{Draft, Mismatch};
use crate::base::bounds;
use crate::dns::{Class, Name, Record, RecordType};

const MARK: &[u8; 8] = b"MERIDIAN";
const KIND: &[u8; 4] = b"JRNL";
const VERSION: u32 = 1;
/// Octets before a record's payload: its length and checksum.
const RECORD_HEADER: usize = 12;

/// Why octets are no journal of the zone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum JournalFault {
    /// They do not begin like a journal.
    NotAJournal,
    /// Written by another version.
    OtherVersion(u32),
    /// It is another zone's.
    OtherZone(Name),
}

impl fmt::Display for JournalFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAJournal => f.write_str("not a journal"),
            Self::OtherVersion(version) => write!(f, "a journal of version {version}, not {VERSION}"),
            Self::OtherZone(apex) => write!(f, "the journal of {apex}"),
        }
    }
}

impl std::error::Error for JournalFault {}

/// A difference is larger than a journal's record may be ([`bounds::JOURNAL_RECORD_MAX`]).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooLong;

/// What a journal holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Contents {
    /// The differences, in the order in which they were made.
    pub differences: Vec<Difference>,
    /// The length of what is whole: header and records; anything behind is to be cut off.
    pub whole_bytes: usize,
}

/// The octets with which the journal of `apex` begins.
#[must_use]
pub fn header(apex: &Name) -> Vec<u8> {
    let mut out = [&MARK[..], KIND, &VERSION.to_be_bytes(), apex.lowered().wire()].concat();
    let sum = checksum(&out);
    out.extend_from_slice(&sum.to_be_bytes());
    out
}

/// Appends the record of `difference` to `out`.
///
/// # Errors
/// [`TooLong`]; `out` is then as it was.
pub fn compose(difference: &Difference, out: &mut Vec<u8>) -> Result<(), TooLong> {
    let start = out.len();
    out.extend_from_slice(&[0; RECORD_HEADER]);
    out.extend_from_slice(&difference.from_serial.to_be_bytes());
    out.extend_from_slice(&difference.to_serial.to_be_bytes());
    for records in [&difference.removed, &difference.added] {
        out.extend_from_slice(&(records.len() as u32).to_be_bytes());
        for record in records {
            let Ok(length) = u16::try_from(record.rdata.len()) else {
                out.truncate(start);
                return Err(TooLong);
            };
            out.extend_from_slice(record.owner.wire());
            out.extend_from_slice(&record.rtype.0.to_be_bytes());
            out.extend_from_slice(&record.ttl.to_be_bytes());
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(&record.rdata);
        }
    }
    let payload = out.get(start + RECORD_HEADER..).unwrap_or_default();
    if payload.len() > bounds::JOURNAL_RECORD_MAX {
        out.truncate(start);
        return Err(TooLong);
    }
    let (length, sum) = (payload.len() as u32, checksum(payload));
    if let Some(header) = out.get_mut(start..).and_then(|rest| rest.first_chunk_mut::<RECORD_HEADER>()) {
        let (length_at, sum_at) = header.split_at_mut(4);
        length_at.copy_from_slice(&length.to_be_bytes());
        sum_at.copy_from_slice(&sum.to_be_bytes());
    }
    Ok(())
}

/// Reads the journal of `apex` as far as it is whole.
///
/// # Errors
/// [`JournalFault`] if it is none.
pub fn parse(bytes: &[u8], apex: &Name) -> Result<Contents, JournalFault> {
    let mut rest = Cursor { bytes, at: 0 };
    let is_marked = rest.take(8).is_some_and(|mark| mark == MARK) && rest.take(4).is_some_and(|kind| kind == KIND);
    if !is_marked {
        return Err(JournalFault::NotAJournal);
    }
    let version = rest.u32().ok_or(JournalFault::NotAJournal)?;
    if version != VERSION {
        return Err(JournalFault::OtherVersion(version));
    }
    let of = rest.name().ok_or(JournalFault::NotAJournal)?;
    let sum = checksum(bytes.get(..rest.at).unwrap_or_default());
    if rest.u64() != Some(sum) {
        return Err(JournalFault::NotAJournal);
    }
    if of != *apex {
        return Err(JournalFault::OtherZone(of));
    }
    let mut contents = Contents { differences: Vec::new(), whole_bytes: rest.at };
    while let Some(difference) = rest.record() {
        contents.differences.push(difference);
        contents.whole_bytes = rest.at;
    }
    Ok(contents)
}

/// Applies the differences that lead on from the draft's version, and tells how many. Those before it are in it
/// already: the journal is emptied after the image has been renewed, and a crash can come in between.
///
/// # Errors
/// [`Mismatch`] where one does not fit; the draft has those before it.
pub fn replay(draft: &mut Draft, differences: &[Difference]) -> Result<usize, Mismatch> {
    let serial = draft.serial();
    let begin = differences.iter().position(|difference| difference.from_serial == serial);
    let ahead = begin.and_then(|begin| differences.get(begin..)).unwrap_or_default();
    for difference in ahead {
        draft.apply(difference)?;
    }
    Ok(ahead.len())
}

/// FNV-1a. It is to find writes that a crash cut short, not forgeries.
fn checksum(octets: &[u8]) -> u64 {
    octets.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &octet| (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3))
}

/// A place in a journal; nothing that stands there is believed before its length is checked.
struct Cursor<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Cursor<'b> {
    fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2)?.first_chunk().copied().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.first_chunk().copied().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take(8)?.first_chunk().copied().map(u64::from_be_bytes)
    }

    fn name(&mut self) -> Option<Name> {
        let (name, length) = Name::from_wire(self.bytes.get(self.at..)?).ok()?;
        self.at += length;
        Some(name)
    }

    fn record(&mut self) -> Option<Difference> {
        let length = self.u32()? as usize;
        let sum = self.u64()?;
        let payload =
            self.take(length).filter(|payload| length <= bounds::JOURNAL_RECORD_MAX && checksum(payload) == sum)?;
        let mut inner = Cursor { bytes: payload, at: 0 };
        let difference = Difference {
            from_serial: inner.u32()?,
            to_serial: inner.u32()?,
            removed: inner.records()?,
            added: inner.records()?,
        };
        (inner.at == payload.len()).then_some(difference)
    }

    fn records(&mut self) -> Option<Vec<Record>> {
        let count = self.u32()? as usize;
        let mut records = Vec::new(); // grows with what is there, not with what the count promises
        for _ in 0..count {
            let owner = self.name()?;
            let rtype = RecordType(self.u16()?);
            let ttl = self.u32()?;
            let length = self.u16()?;
            let rdata = self.take(usize::from(length))?.into();
            records.push(Record { owner, rtype, class: Class::IN, ttl, rdata });
        }
        Some(records)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn apex() -> Name {
        "example.".parse().unwrap()
    }

    fn record(owner: &str, rtype: RecordType, ttl: u32, rdata: &[u8]) -> Record {
        Record { owner: owner.parse().unwrap(), rtype, class: Class::IN, ttl, rdata: rdata.into() }
    }

    fn difference(from: u32, length: usize) -> Difference {
        Difference {
            from_serial: from,
            to_serial: from + 1,
            removed: vec![record("example.", RecordType::SOA, 60, &[0; 22])],
            added: vec![
                record("example.", RecordType::SOA, 60, &[1; 22]),
                record("A.example.", RecordType::TXT, 300, &vec![7; length]),
            ],
        }
    }

    fn journal(lengths: &[usize]) -> (Vec<u8>, Vec<Difference>, Vec<usize>) {
        let mut bytes = header(&apex());
        let mut ends = vec![bytes.len()];
        let mut all = Vec::new();
        for (at, &length) in lengths.iter().enumerate() {
            let one = difference(at as u32, length);
            compose(&one, &mut bytes).unwrap();
            ends.push(bytes.len());
            all.push(one);
        }
        (bytes, all, ends)
    }

    #[test]
    fn another_zones_journal_is_refused() {
        let (bytes, ..) = journal(&[3]);
        let other = "example.com.".parse().unwrap();
        assert_eq!(parse(&bytes, &other), Err(JournalFault::OtherZone(apex())));
        assert_eq!(parse(&bytes[1..], &apex()), Err(JournalFault::NotAJournal));
        assert_eq!(parse(&[], &apex()), Err(JournalFault::NotAJournal));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(lengths in proptest::collection::vec(0usize..300, 0..6)) {
            let (bytes, all, _) = journal(&lengths);
            let contents = parse(&bytes, &apex()).unwrap();
            prop_assert_eq!(contents.differences, all);
            prop_assert_eq!(contents.whole_bytes, bytes.len());
        }

        #[test]
        fn a_cut_anywhere_leaves_the_whole_records_before_it(
            lengths in proptest::collection::vec(0usize..300, 1..6),
            cut in any::<prop::sample::Index>(),
            zeros in 0usize..40,
        ) {
            let (bytes, all, ends) = journal(&lengths);
            let cut = ends[0] + cut.index(bytes.len() - ends[0]);
            let mut torn = bytes[..cut].to_vec();
            torn.resize(cut + zeros, 0);
            let contents = parse(&torn, &apex()).unwrap();
            // Zeros can by chance complete a record that ends in zeros; nothing else can appear.
            let whole = contents.differences.len();
            prop_assert!(ends[whole] == contents.whole_bytes);
            prop_assert!(whole >= ends.iter().skip(1).filter(|&&end| end <= cut).count());
            prop_assert_eq!(&contents.differences[..], &all[..whole]);
        }

        #[test]
        fn a_flipped_bit_never_makes_another_difference(
            lengths in proptest::collection::vec(0usize..100, 1..4),
            at in any::<prop::sample::Index>(),
            bit in 0u8..8,
        ) {
            let (mut bytes, all, ends) = journal(&lengths);
            let at = ends[0] + at.index(bytes.len() - ends[0]);
            bytes[at] ^= 1 << bit;
            let contents = parse(&bytes, &apex()).unwrap();
            prop_assert!(contents.differences.len() < all.len());
            prop_assert_eq!(&contents.differences[..], &all[..contents.differences.len()]);
        }

        #[test]
        fn arbitrary_octets_do_no_harm(tail in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut bytes = header(&apex());
            let start = bytes.len();
            bytes.extend_from_slice(&tail);
            prop_assert_eq!(parse(&bytes, &apex()).unwrap().whole_bytes, start);
        }
    }
}
