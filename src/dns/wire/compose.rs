//! Composes a message into bytes, with names compressed (RFC 1035 §4.1.4) and never past a limit.
//!
//! A name is compressed against the question whatever the case of its letters, and against all other names to
//! the letter. So the letters that a client chose (0x20) change the octets of the question and no other octet
//! of the response, and yet no record's letters are lost to another record's (RFC 4343 §4.1).

use smallvec::SmallVec;

use super::spots::{Labels, Spots};
use crate::base::bounds;
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

impl std::fmt::Display for Full {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the message does not fit")
    }
}

impl std::error::Error for Full {}

/// Writes one message into a buffer. Records go in section order; each is written whole or not at all.
#[derive(Debug)]
pub struct Composer<'a> {
    out: &'a mut Vec<u8>,
    limit: usize,
    /// Octets of the limit that are kept back for later.
    reserved: usize,
    counts: [u16; 4],
    /// Names already written, for pointers to them.
    spots: Spots,
    /// Names before this octet stand in the question; the case of their letters does not count.
    question_end: usize,
    /// Where the TTLs stand, for answers that are remembered and aged.
    ttls: SmallVec<[u16; 16]>,
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
            spots: Spots::default(),
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
            this.owner(&question.name)?;
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
            this.owner(owner)?;
            let ([t0, t1], [c0, c1]) = (rtype.0.to_be_bytes(), class.0.to_be_bytes());
            let [s0, s1, s2, s3] = ttl.to_be_bytes();
            let ttl_at = this.out.len() + 4;
            this.bytes(&[t0, t1, c0, c1, s0, s1, s2, s3, 0, 0])?;
            let data_at = this.out.len();
            this.rdata(rtype, rdata)?;
            let length = u16::try_from(this.out.len() - data_at).map_err(|_| Full)?;
            if let Some(field) = this.out.get_mut(data_at - 2..data_at) {
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
        self.spots.forget(length);
        self.ttls.retain(|at| usize::from(*at) < length);
    }

    /// Sets TC: something that belonged into the message did not fit (RFC 2181 §9). AD goes: it is said of whole RRsets
    /// (RFC 4035 §3.2.3).
    pub fn truncate(&mut self) {
        if let Some([first, second]) = self.out.get_mut(2..).and_then(<[u8]>::first_chunk_mut) {
            *first |= 0x02;
            *second &= !0x20;
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

    fn owner(&mut self, name: &Name) -> Result<(), Full> {
        self.name(name.wire(), &Labels::of(name.wire()).ok_or(Full)?)
    }

    /// Writes the name whose wire form is `wire` and whose labels are `labels`, its ending as a pointer where it
    /// stands in the message already.
    fn name(&mut self, wire: &[u8], labels: &Labels) -> Result<(), Full> {
        let (known, at) = self.spots.place(self.out, wire, labels, self.question_end);
        self.bytes(wire.get(..labels.start(labels.count() - known)).unwrap_or_default())?;
        if known == 0 { self.bytes(&[0]) } else { self.bytes(&(0xC000 | at).to_be_bytes()) }
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
            let Some(labels) = Labels::of(rest) else { return self.bytes(rest) };
            self.name(rest, &labels)?;
            rest = rest.get(labels.start(labels.count()) + 1..).unwrap_or_default();
        }
        self.bytes(rest)
    }
}
