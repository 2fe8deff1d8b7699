//! A message as the slow tempo sees it: owned, every name whole, every record checked.

use smallvec::SmallVec;

use super::wire::{Composer, Reader, Section, WireFault, compose::Full};
use super::{Class, Edns, Name, Rcode, RecordType};
use crate::base::bounds;

/// What a message is for (RFC 1035 §4.1.1, RFC 6895 §2.2): 4 bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Opcode(pub u8);

impl Opcode {
    /// A standard query.
    pub const QUERY: Self = Self(0);
    /// A zone has changed (RFC 1996).
    pub const NOTIFY: Self = Self(4);
    /// Change a zone (RFC 2136).
    pub const UPDATE: Self = Self(5);
}

/// The second 16 bits of the header without the RCODE.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Flags {
    /// QR: a response.
    pub response: bool,
    /// What the message is for.
    pub opcode: Opcode,
    /// AA: the server is authoritative for the first owner in the answer.
    pub authoritative: bool,
    /// TC: the message was cut.
    pub truncated: bool,
    /// RD: the client wants recursion.
    pub recursion_desired: bool,
    /// RA: the server offers recursion.
    pub recursion_available: bool,
    /// AD: all data were found authentic (RFC 4035 §3.1.6).
    pub authentic_data: bool,
    /// CD: the client validates itself (RFC 4035 §3.1.6).
    pub checking_disabled: bool,
}

impl Flags {
    /// The flags of a header's third and fourth octet.
    #[must_use]
    pub const fn from_bits(bits: u16) -> Self {
        Self {
            response: bits & 0x8000 != 0,
            opcode: Opcode((bits >> 11 & 0xF) as u8),
            authoritative: bits & 0x0400 != 0,
            truncated: bits & 0x0200 != 0,
            recursion_desired: bits & 0x0100 != 0,
            recursion_available: bits & 0x0080 != 0,
            authentic_data: bits & 0x0020 != 0,
            checking_disabled: bits & 0x0010 != 0,
        }
    }

    /// The header's third and fourth octet, RCODE 0.
    #[must_use]
    pub const fn to_bits(self) -> u16 {
        (self.response as u16) << 15
            | ((self.opcode.0 & 0xF) as u16) << 11
            | (self.authoritative as u16) << 10
            | (self.truncated as u16) << 9
            | (self.recursion_desired as u16) << 8
            | (self.recursion_available as u16) << 7
            | (self.authentic_data as u16) << 5
            | (self.checking_disabled as u16) << 4
    }
}

/// What is asked.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Question {
    /// QNAME, letters as they came.
    pub name: Name,
    /// QTYPE.
    pub rtype: RecordType,
    /// QCLASS.
    pub class: Class,
}

impl Question {
    /// A question in class IN.
    #[must_use]
    pub const fn new(name: Name, rtype: RecordType) -> Self {
        Self { name, rtype, class: Class::IN }
    }
}

/// One record; names in its RDATA are whole, not compressed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Whose record it is.
    pub owner: Name,
    /// Its type.
    pub rtype: RecordType,
    /// Its class.
    pub class: Class,
    /// Its TTL, seconds; one with the highest bit set counts as 0 (RFC 2181 §8).
    pub ttl: u32,
    /// Its RDATA.
    pub rdata: SmallVec<[u8; 24]>,
}

/// A DNS message.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Message {
    /// The id.
    pub id: u16,
    /// The flags.
    pub flags: Flags,
    /// The response code, the OPT record's bits included.
    pub rcode: Rcode,
    /// The questions: one, save in messages that are refused or in a bare header.
    pub questions: SmallVec<[Question; 1]>,
    /// Answer section.
    pub answer: Vec<Record>,
    /// Authority section.
    pub authority: Vec<Record>,
    /// Additional section without its OPT record.
    pub additional: Vec<Record>,
    /// The OPT record.
    pub edns: Option<Edns>,
}

impl Default for Rcode {
    fn default() -> Self {
        Self::NOERROR
    }
}

impl Message {
    /// Reads a whole message.
    ///
    /// # Errors
    /// [`WireFault`] with the octet at which it is broken.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireFault> {
        Self::parse_within(bytes, usize::MAX)
    }

    /// Reads a message, of each section at most `most` records, and OPT: who sends more than anybody needs must not
    /// cost more either. The others are looked at only for where they end.
    ///
    /// # Errors
    /// [`WireFault`] with the octet at which it is broken.
    pub fn parse_within(bytes: &[u8], most: usize) -> Result<Self, WireFault> {
        let mut reader = Reader::new(bytes, 0);
        let id = reader.u16()?;
        let bits = reader.u16()?;
        let counts = [reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?];
        let [questions, answers, authorities, additionals] = counts;
        let mut message = Self { id, flags: Flags::from_bits(bits), rcode: Rcode(bits & 0xF), ..Self::default() };
        for _ in 0..questions {
            message.questions.push(Question {
                name: reader.name()?,
                rtype: RecordType(reader.u16()?),
                class: Class(reader.u16()?),
            });
        }
        for (count, section) in [(answers, &mut message.answer), (authorities, &mut message.authority)] {
            for number in 0..usize::from(count) {
                let at = reader.position();
                if number < most {
                    section.push(plain_record(&mut reader, bytes)?);
                } else if skip_record(&mut reader)? == RecordType::OPT {
                    return Err(WireFault::Opt { at });
                }
            }
        }
        for _ in 0..additionals {
            let at = reader.position();
            if message.additional.len() >= most && skip_record(&mut reader.clone())? != RecordType::OPT {
                skip_record(&mut reader)?;
                continue;
            }
            let raw = record(&mut reader, bytes)?;
            if raw.rtype == RecordType::OPT {
                if message.edns.is_some() || !raw.owner.is_root() {
                    return Err(WireFault::Opt { at });
                }
                message.rcode.0 |= (raw.ttl >> 24 << 4) as u16;
                message.edns = Some(opt(&raw, at)?);
            } else {
                message.additional.push(raw);
            }
        }
        if reader.is_at_end() { Ok(message) } else { Err(WireFault::Trailing { at: reader.position() }) }
    }

    /// Writes the message into `out`, whole.
    ///
    /// # Errors
    /// [`Full`] past `limit` octets.
    pub fn compose(&self, out: &mut Vec<u8>, limit: usize) -> Result<(), Full> {
        let mut composer = Composer::new(out, limit, self.id, self.flags, self.rcode)?;
        for question in &self.questions {
            composer.question(question)?;
        }
        for (section, records) in [
            (Section::Answer, &self.answer),
            (Section::Authority, &self.authority),
            (Section::Additional, &self.additional),
        ] {
            for record in records {
                composer.record(section, &record.owner, record.rtype, record.class, record.ttl, &record.rdata)?;
            }
        }
        if let Some(edns) = &self.edns {
            composer.opt(edns, self.rcode)?;
        }
        composer.finish();
        Ok(())
    }
}

/// Leaves a record out; its type.
fn skip_record(reader: &mut Reader<'_>) -> Result<RecordType, WireFault> {
    reader.skip_name()?;
    let rtype = RecordType(reader.u16()?);
    reader.bytes(6)?;
    let length = reader.u16()?;
    reader.bytes(usize::from(length))?;
    Ok(rtype)
}

/// A record of a section in which OPT has no place (RFC 6891 §6.1.1).
fn plain_record(reader: &mut Reader<'_>, bytes: &[u8]) -> Result<Record, WireFault> {
    let at = reader.position();
    let record = record(reader, bytes)?;
    if record.rtype == RecordType::OPT { Err(WireFault::Opt { at }) } else { Ok(record) }
}

fn record(reader: &mut Reader<'_>, bytes: &[u8]) -> Result<Record, WireFault> {
    let owner = reader.name()?;
    let rtype = RecordType(reader.u16()?);
    let class = Class(reader.u16()?);
    let mut ttl = reader.u32()?;
    if ttl & 0x8000_0000 != 0 && rtype != RecordType::OPT {
        ttl = 0;
    }
    let length = usize::from(reader.u16()?);
    let at = reader.position();
    reader.bytes(length)?;
    // Dynamic updates name RRsets by records without RDATA (RFC 2136 §2.4, §2.5).
    let is_bare = length == 0 && (class == Class::ANY || class == Class::NONE);
    let rdata = if is_bare { SmallVec::new() } else { whole_rdata(bytes, at, length, rtype)? };
    Ok(Record { owner, rtype, class, ttl, rdata })
}

/// The parts of RDATA: so many octets as they are, or a name.
enum Part {
    Octets(usize),
    /// A character-string: its length, then so many octets.
    Text,
    /// Character-strings up to the end, one at least.
    Texts,
    Name,
    Rest,
}

/// How the RDATA of the types begins in which senders may compress names (RFC 3597 §4), and of those whose
/// length is fixed or that consist of character-strings. All others are taken as they are.
const fn layout(rtype: RecordType) -> &'static [Part] {
    use Part::{Name, Octets, Rest, Text, Texts};
    match rtype {
        RecordType::A => &[Octets(4)],
        RecordType::AAAA => &[Octets(16)],
        RecordType::NS
        | RecordType::CNAME
        | RecordType::PTR
        | RecordType::DNAME
        | RecordType::MB
        | RecordType::MD
        | RecordType::MF
        | RecordType::MG
        | RecordType::MR => &[Name],
        RecordType::SOA => &[Name, Name, Octets(20)],
        RecordType::MINFO | RecordType::RP => &[Name, Name],
        RecordType::MX | RecordType::AFSDB | RecordType::RT | RecordType::KX => &[Octets(2), Name],
        RecordType::SRV => &[Octets(6), Name],
        RecordType::PX => &[Octets(2), Name, Name],
        RecordType::NAPTR => &[Octets(4), Text, Text, Text, Name],
        RecordType::SIG | RecordType::RRSIG => &[Octets(18), Name, Rest],
        RecordType::NXT | RecordType::NSEC => &[Name, Rest],
        RecordType::TXT | RecordType::SPF => &[Texts],
        RecordType::HINFO => &[Text, Text],
        _ => &[Rest],
    }
}

fn whole_rdata(bytes: &[u8], at: usize, length: usize, rtype: RecordType) -> Result<SmallVec<[u8; 24]>, WireFault> {
    let fault = WireFault::Rdata { at };
    let end = at + length;
    // What lies behind the RDATA must not be read as part of it; what lies before may be pointed at.
    let bytes = bytes.get(..end).ok_or(fault)?;
    let mut reader = Reader::new(bytes, at);
    let mut rdata = SmallVec::new();
    for part in layout(rtype) {
        match part {
            Part::Octets(count) => rdata.extend_from_slice(reader.bytes(*count).map_err(|_| fault)?),
            Part::Text => rdata.extend_from_slice(text(&mut reader).map_err(|_| fault)?),
            Part::Texts => loop {
                rdata.extend_from_slice(text(&mut reader).map_err(|_| fault)?);
                if reader.is_at_end() {
                    break;
                }
            },
            Part::Name => rdata.extend_from_slice(reader.name().map_err(|_| fault)?.wire()),
            Part::Rest => rdata.extend_from_slice(reader.bytes(end - reader.position()).map_err(|_| fault)?),
        }
    }
    if reader.position() == end { Ok(rdata) } else { Err(fault) }
}

/// A character-string with its length (RFC 1035 §3.3).
fn text<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], WireFault> {
    let length = reader.clone().u8()?;
    reader.bytes(1 + usize::from(length))
}

fn opt(record: &Record, at: usize) -> Result<Edns, WireFault> {
    let mut edns = Edns {
        udp_size: record.class.0,
        version: (record.ttl >> 16) as u8,
        dnssec_ok: record.ttl & 0x8000 != 0,
        options: Vec::new(),
    };
    let mut reader = Reader::new(&record.rdata, 0);
    while !reader.is_at_end() {
        let code = reader.u16().map_err(|_| WireFault::Opt { at })?;
        let length = reader.u16().map_err(|_| WireFault::Opt { at })?;
        let data = reader.bytes(usize::from(length)).map_err(|_| WireFault::Opt { at })?;
        if edns.options.len() == bounds::EDNS_OPTIONS_MAX {
            return Err(WireFault::Opt { at });
        }
        edns.options.push((code, data.to_vec()));
    }
    Ok(edns)
}
