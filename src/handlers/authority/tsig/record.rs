//! The TSIG record on the wire, and what its MAC covers.

use ring::hmac;

use super::{FUDGE, HEADER, Key, TsigError};
use crate::dns::wire::Reader;
use crate::dns::{Class, Name, RecordType};

/// A TSIG record (RFC 8945 §4.2).
#[derive(Clone, Debug)]
pub(super) struct Tsig<'m> {
    pub(super) key_name: Name,
    pub(super) algorithm: Name,
    pub(super) time: u64,
    pub(super) fudge: u16,
    pub(super) mac: &'m [u8],
    pub(super) original_id: u16,
    pub(super) error: TsigError,
    pub(super) other: Vec<u8>,
    /// The octet of the message at which the record begins.
    pub(super) start: usize,
}

/// The message cannot be read as far as its TSIG record, or that stands in the wrong place.
pub(super) struct Malformed;

impl Tsig<'static> {
    /// The record for `message`, its MAC still to come.
    pub(super) fn by(key: &Key, message: &[u8], now: u64) -> Self {
        let (algorithm, _) = Name::from_wire(&key.algorithm.wire()).unwrap_or_else(|_| (Name::root(), 0));
        let original_id = message.first_chunk::<2>().map_or(0, |id| u16::from_be_bytes(*id));
        Self {
            key_name: key.name.clone(),
            algorithm,
            time: now,
            fudge: FUDGE,
            mac: &[],
            original_id,
            error: TsigError::NONE,
            other: Vec::new(),
            start: message.len(),
        }
    }
}

impl Tsig<'_> {
    /// The message as it was before the record was put to it (RFC 8945 §4.3.2).
    pub(super) fn digest_message(&self, message: &[u8], transcript: &mut hmac::Context) {
        let Some((header, rest)) = message.get(..self.start).and_then(|whole| whole.split_first_chunk::<HEADER>())
        else {
            return;
        };
        let mut header = *header;
        let [i0, i1, .., a0, a1] = &mut header;
        [*i0, *i1] = self.original_id.to_be_bytes();
        [*a0, *a1] = u16::from_be_bytes([*a0, *a1]).wrapping_sub(1).to_be_bytes();
        transcript.update(&header);
        transcript.update(rest);
    }

    /// RFC 8945 §4.3.3.
    pub(super) fn digest_variables(&self, transcript: &mut hmac::Context) {
        transcript.update(self.key_name.lowered().wire());
        transcript.update(&Class::ANY.0.to_be_bytes());
        transcript.update(&[0; 4]);
        transcript.update(self.algorithm.lowered().wire());
        self.digest_timers(transcript);
        transcript.update(&self.error.0.to_be_bytes());
        transcript.update(&(self.other.len() as u16).to_be_bytes());
        transcript.update(&self.other);
    }

    pub(super) fn digest_timers(&self, transcript: &mut hmac::Context) {
        transcript.update(self.time.to_be_bytes().get(2..).unwrap_or_default());
        transcript.update(&self.fudge.to_be_bytes());
    }

    /// Puts the record to the end of `message`.
    pub(super) fn append(&self, message: &mut Vec<u8>) {
        let mut rdata = self.algorithm.wire().to_vec(); // not compressed (RFC 8945 §4.2)
        rdata.extend_from_slice(self.time.to_be_bytes().get(2..).unwrap_or_default());
        rdata.extend_from_slice(&self.fudge.to_be_bytes());
        rdata.extend_from_slice(&(self.mac.len() as u16).to_be_bytes());
        rdata.extend_from_slice(self.mac);
        rdata.extend_from_slice(&self.original_id.to_be_bytes());
        rdata.extend_from_slice(&self.error.0.to_be_bytes());
        rdata.extend_from_slice(&(self.other.len() as u16).to_be_bytes());
        rdata.extend_from_slice(&self.other);
        let Some(count) = message.get_mut(10..).and_then(|rest| rest.first_chunk_mut::<2>()) else { return };
        *count = u16::from_be_bytes(*count).wrapping_add(1).to_be_bytes();
        message.extend_from_slice(self.key_name.wire());
        message.extend_from_slice(&RecordType::TSIG.0.to_be_bytes());
        message.extend_from_slice(&Class::ANY.0.to_be_bytes());
        message.extend_from_slice(&[0; 4]);
        message.extend_from_slice(&(rdata.len() as u16).to_be_bytes());
        message.extend_from_slice(&rdata);
    }
}

/// The TSIG record of a message: the last of the additional section and the only one, or none (RFC 8945 §5.1).
pub(super) fn find(message: &[u8]) -> Result<Option<Tsig<'_>>, Malformed> {
    let mut reader = Reader::new(message, 4);
    let mut counts = [0; 4];
    for count in &mut counts {
        *count = reader.u16().map_err(|_| Malformed)?;
    }
    let [questions, answers, authorities, additionals] = counts;
    for _ in 0..questions {
        reader.name().and_then(|_| reader.bytes(4)).map_err(|_| Malformed)?;
    }
    let records = u32::from(answers) + u32::from(authorities) + u32::from(additionals);
    for at in 1..=records {
        let start = reader.position();
        let record = read_record(&mut reader).ok_or(Malformed)?;
        if record.rtype != RecordType::TSIG {
            continue;
        }
        if at != records || additionals == 0 || record.class != Class::ANY || record.ttl != 0 || !reader.is_at_end() {
            return Err(Malformed);
        }
        return read_tsig(&record, start).map(Some).ok_or(Malformed);
    }
    Ok(None)
}

struct RawRecord<'m> {
    owner: Name,
    rtype: RecordType,
    class: Class,
    ttl: u32,
    rdata: &'m [u8],
}

fn read_record<'m>(reader: &mut Reader<'m>) -> Option<RawRecord<'m>> {
    let owner = reader.name().ok()?;
    let (rtype, class, ttl) = (RecordType(reader.u16().ok()?), Class(reader.u16().ok()?), reader.u32().ok()?);
    let length = reader.u16().ok()?;
    Some(RawRecord { owner, rtype, class, ttl, rdata: reader.bytes(usize::from(length)).ok()? })
}

fn read_tsig<'m>(record: &RawRecord<'m>, start: usize) -> Option<Tsig<'m>> {
    let (algorithm, length) = Name::from_wire(record.rdata).ok()?; // never compressed (RFC 8945 §4.2)
    let mut reader = Reader::new(record.rdata, length);
    let time = u64::from(reader.u16().ok()?) << 32 | u64::from(reader.u32().ok()?);
    let fudge = reader.u16().ok()?;
    let mac_length = usize::from(reader.u16().ok()?);
    let mac = reader.bytes(mac_length).ok()?;
    let original_id = reader.u16().ok()?;
    let error = TsigError(reader.u16().ok()?);
    let other_length = usize::from(reader.u16().ok()?);
    let other = reader.bytes(other_length).ok()?.to_vec();
    let key_name = record.owner.clone();
    reader.is_at_end().then_some(Tsig { key_name, algorithm, time, fudge, mac, original_id, error, other, start })
}

pub(super) fn digest_mac(mac: &[u8], transcript: &mut hmac::Context) {
    transcript.update(&(mac.len() as u16).to_be_bytes());
    transcript.update(mac);
}
