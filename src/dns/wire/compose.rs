//! Composes a message into bytes, with names compressed (RFC 1035 §4.1.4) and never past a limit.
//!
//! A name is compressed against the question whatever the case of its letters, and against all other names to
//! the letter. So the letters that a client chose (0x20) change the octets of the question and no other octet
//! of the response, and yet no record's letters are lost to another record's (RFC 4343 §4.1).

use smallvec::SmallVec;

use crate::base::bounds;
use crate::dns::name::NAME_MAX;
use crate::dns::{Class, Edns, Flags, Name, Question, Rcode, RecordType};

/// A section of a message behind the question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Section {
    /// Answer.
    Answer = 1,
    /// Authority.
    Authority = 2,
    /// Additional.
    Additional = 3,
}

/// The message has no room for what was to be written; nothing of it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Full;

/// Writes one message into a buffer. Records go in section order; each is written whole or not at all.
#[derive(Debug)]
pub struct Composer<'a> {
    out: &'a mut Vec<u8>,
    limit: usize,
    /// Octets of the limit that are kept back for later.
    reserved: usize,
    counts: [u16; 4],
    /// Names already written, for pointers to them.
    names: SmallVec<[Spot; bounds::COMPRESSION_NAMES_MAX]>,
    /// Names before this octet stand in the question; the case of their letters does not count.
    question_end: usize,
    /// Where the TTLs stand, for answers that are remembered and aged.
    ttls: SmallVec<[u16; 16]>,
}

/// Where a name stands in the message, and the hash of its small letters: most names that differ are told
/// apart without reading the message, so that many long names cost little.
#[derive(Clone, Copy, Debug)]
struct Spot {
    hash: u32,
    at: u16,
}

const HEADER: usize = 12;

impl<'a> Composer<'a> {
    /// Begins a message of at most `limit` octets in `out`, whose old content is dropped.
    ///
    /// # Errors
    /// [`Full`] if not even the header fits.
    pub fn new(out: &'a mut Vec<u8>, limit: usize, id: u16, flags: Flags, rcode: Rcode) -> Result<Self, Full> {
        out.clear();
        if limit < HEADER {
            return Err(Full);
        }
        out.extend_from_slice(&id.to_be_bytes());
        out.extend_from_slice(&(flags.to_bits() | rcode.0 & 0xF).to_be_bytes());
        out.extend_from_slice(&[0; 8]);
        Ok(Self {
            out,
            limit: limit.min(bounds::MESSAGE_MAX),
            reserved: 0,
            counts: [0; 4],
            names: SmallVec::new(),
            question_end: 0,
            ttls: SmallVec::new(),
        })
    }

    /// Writes the question, its letters as they came.
    ///
    /// # Errors
    /// [`Full`].
    pub fn question(&mut self, question: &Question) -> Result<(), Full> {
        self.question_end = 0; // a second question keeps its own letters
        let written = self.whole(|this| {
            this.name(&question.name)?;
            this.bytes(&question.rtype.0.to_be_bytes())?;
            this.bytes(&question.class.0.to_be_bytes())?;
            this.counts[0] += 1;
            Ok(())
        });
        self.question_end = self.out.len();
        written
    }

    /// From here on names are compressed against the question to the letter too: a zone transfer must keep the
    /// letters of the zone (RFC 5936 §3.4).
    pub fn keep_case(&mut self) {
        self.question_end = 0;
    }

    /// Writes one record.
    ///
    /// # Errors
    /// [`Full`].
    pub fn record(
        &mut self,
        section: Section,
        owner: &Name,
        rtype: RecordType,
        class: Class,
        ttl: u32,
        rdata: &[u8],
    ) -> Result<(), Full> {
        self.whole(|this| {
            this.name(owner)?;
            this.bytes(&rtype.0.to_be_bytes())?;
            this.bytes(&class.0.to_be_bytes())?;
            let ttl_at = this.out.len();
            this.bytes(&ttl.to_be_bytes())?;
            let length_at = this.out.len();
            this.bytes(&[0, 0])?;
            this.rdata(rtype, rdata)?;
            let length = u16::try_from(this.out.len() - length_at - 2).map_err(|_| Full)?;
            if let Some(field) = this.out.get_mut(length_at..length_at + 2) {
                field.copy_from_slice(&length.to_be_bytes());
            }
            if let Some(count) = this.counts.get_mut(section as usize) {
                *count += 1;
            }
            this.ttls.push(u16::try_from(ttl_at).map_err(|_| Full)?);
            Ok(())
        })
    }

    /// Writes the OPT record, with the upper bits of `rcode` (RFC 6891 §6.1.3).
    ///
    /// # Errors
    /// [`Full`].
    pub fn opt(&mut self, edns: &Edns, rcode: Rcode) -> Result<(), Full> {
        self.whole(|this| {
            this.bytes(&[0])?;
            this.bytes(&RecordType::OPT.0.to_be_bytes())?;
            this.bytes(&edns.udp_size.to_be_bytes())?;
            this.bytes(&[(rcode.0 >> 4) as u8, edns.version, if edns.dnssec_ok { 0x80 } else { 0 }, 0])?;
            let length: usize = edns.options.iter().map(|(_, data)| 4 + data.len()).sum();
            this.bytes(&u16::try_from(length).map_err(|_| Full)?.to_be_bytes())?;
            for (code, data) in &edns.options {
                this.bytes(&code.to_be_bytes())?;
                this.bytes(&u16::try_from(data.len()).map_err(|_| Full)?.to_be_bytes())?;
                this.bytes(data)?;
            }
            this.counts[3] += 1;
            Ok(())
        })
    }

    /// Keeps `octets` of the limit back until the next call, in place of what was kept back before.
    pub fn reserve(&mut self, octets: usize) {
        self.reserved = octets;
    }

    /// Octets that may still be written, beside those kept back.
    #[must_use]
    pub fn room(&self) -> usize {
        self.limit.saturating_sub(self.reserved + self.out.len())
    }

    /// Octets written so far.
    #[must_use]
    pub fn position(&self) -> usize {
        self.out.len()
    }

    /// Where the message stands now, for [`Composer::undo`].
    #[must_use]
    pub fn mark(&self) -> (usize, [u16; 4]) {
        (self.out.len(), self.counts)
    }

    /// Takes back all that was written since `mark`.
    pub fn undo(&mut self, mark: (usize, [u16; 4])) {
        let (length, counts) = mark;
        self.out.truncate(length);
        self.counts = counts;
        self.names.retain(|spot| usize::from(spot.at) < length);
        self.ttls.retain(|at| usize::from(*at) < length);
    }

    /// Sets TC: something that belonged into the message did not fit (RFC 2181 §9).
    pub fn truncate(&mut self) {
        if let Some(octet) = self.out.get_mut(2) {
            *octet |= 0x02;
        }
    }

    /// Ends the message and returns where its TTLs stand.
    pub fn finish(self) -> SmallVec<[u16; 16]> {
        for (field, count) in self.counts.iter().enumerate() {
            let at = 4 + 2 * field;
            if let Some(octets) = self.out.get_mut(at..at + 2) {
                octets.copy_from_slice(&count.to_be_bytes());
            }
        }
        self.ttls
    }

    fn whole(&mut self, write: impl FnOnce(&mut Self) -> Result<(), Full>) -> Result<(), Full> {
        let mark = self.mark();
        let written = write(self);
        if written.is_err() {
            self.undo(mark);
        }
        written
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), Full> {
        if bytes.len() > self.room() {
            return Err(Full);
        }
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    /// Writes a name, its ending as a pointer where it stands in the message already.
    fn name(&mut self, name: &Name) -> Result<(), Full> {
        let wire = name.wire();
        for ending in endings(wire) {
            let rest = wire.get(usize::from(ending.at)..).unwrap_or_default();
            let known = self
                .names
                .iter()
                .find(|spot| spot.hash == ending.hash && stands_at(self.out, spot.at, rest, self.question_end));
            if let Some(spot) = known {
                return self.bytes(&(0xC000 | spot.at).to_be_bytes());
            }
            if let Ok(at) = u16::try_from(self.out.len())
                && at < 0x4000
                && self.names.len() < bounds::COMPRESSION_NAMES_MAX
            {
                self.names.push(Spot { hash: ending.hash, at });
            }
            let label = 1 + usize::from(rest.first().copied().unwrap_or(0));
            self.bytes(rest.get(..label).ok_or(Full)?)?;
        }
        self.bytes(&[0])
    }

    /// Writes RDATA; names in it are compressed only for the types of RFC 1035 (RFC 3597 §4).
    fn rdata(&mut self, rtype: RecordType, rdata: &[u8]) -> Result<(), Full> {
        let (head, names) = match rtype {
            RecordType::NS | RecordType::CNAME | RecordType::PTR => (0, 1),
            RecordType::MX => (2, 1),
            RecordType::SOA => (0, 2),
            _ => return self.bytes(rdata),
        };
        let Some((fixed, mut rest)) = rdata.split_at_checked(head) else { return self.bytes(rdata) };
        self.bytes(fixed)?;
        for _ in 0..names {
            let Ok((name, length)) = Name::from_wire(rest) else { return self.bytes(rest) };
            self.name(&name)?;
            rest = rest.get(length..).unwrap_or_default();
        }
        self.bytes(rest)
    }
}

/// The endings of a name, the whole name first and the root left out: where each begins, and its hash.
fn endings(wire: &[u8]) -> SmallVec<[Spot; 16]> {
    let mut endings: SmallVec<[Spot; 16]> = SmallVec::new();
    let mut at = 0;
    while let Some(&length) = wire.get(usize::from(at))
        && length > 0
    {
        endings.push(Spot { hash: 0, at });
        at += 1 + u16::from(length);
    }
    let (mut hash, mut end) = (0x811C_9DC5_u32, usize::from(at)); // FNV-1a, from the root to the left
    for ending in endings.iter_mut().rev() {
        for octet in wire.get(usize::from(ending.at)..end).unwrap_or_default() {
            hash = (hash ^ u32::from(octet.to_ascii_lowercase())).wrapping_mul(0x0100_0193);
        }
        (ending.hash, end) = (hash, usize::from(ending.at));
    }
    endings
}

/// Whether the name at `at` of `message` is the uncompressed `name`: to the letter, save for what stands before
/// `question_end`.
fn stands_at(message: &[u8], at: u16, name: &[u8], question_end: usize) -> bool {
    let (mut at, mut rest) = (usize::from(at), name);
    for _ in 0..NAME_MAX {
        match message.get(at) {
            Some(&high) if high >= 0xC0 => {
                let Some(&low) = message.get(at + 1) else { return false };
                at = usize::from(high & 0x3F) << 8 | usize::from(low);
            }
            Some(&length) => {
                let label = 1 + usize::from(length);
                let (Some(there), Some(here)) = (message.get(at..at + label), rest.get(..label)) else { return false };
                if there != here && !(at < question_end && there.eq_ignore_ascii_case(here)) {
                    return false;
                }
                if length == 0 {
                    return true;
                }
                at += label;
                rest = rest.get(label..).unwrap_or_default();
            }
            None => return false,
        }
    }
    false
}
