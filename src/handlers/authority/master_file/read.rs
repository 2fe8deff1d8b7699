//! Words into RDATA in wire form, field by field as the schema says.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::super::finding::Fault;
use super::encoding::{Base64Decoder, HexDecoder, decode_base32, decode_hex};
use super::lexer::{Lexer, Word};
use super::schema::{self, Field};
use super::{loc, special, svcb, write};
use crate::dns::name::{LABEL_MAX, NAME_MAX};
use crate::dns::{Name, NameFault, RecordType};

/// Reads the RDATA of a record of `rtype` up to the end of its line into `out`.
pub(super) fn rdata(lexer: &mut Lexer<'_>, origin: &Name, rtype: RecordType, out: &mut Vec<u8>) -> Result<(), Fault> {
    out.clear();
    let mut words = Words { lexer, origin };
    if let Some(first) = words.optional()? {
        if first.bytes == br"\#" && !first.is_quoted {
            generic(&mut words, rtype, out)?;
            return words.end();
        }
        words.lexer.unread(first);
    }
    for field in schema::fields(rtype).ok_or(Fault::NoPresentation(rtype))? {
        read(&mut words, *field, rtype, out)?;
    }
    words.end()?;
    if out.len() > usize::from(u16::MAX) { Err(Fault::TooLong { what: "the RDATA" }) } else { Ok(()) }
}

/// The words of one record, behind its type.
pub(super) struct Words<'l, 't> {
    lexer: &'l mut Lexer<'t>,
    pub(super) origin: &'l Name,
}

impl<'t> Words<'_, 't> {
    /// The next word; none at the end of the line.
    pub(super) fn optional(&mut self) -> Result<Option<Word<'t>>, Fault> {
        self.lexer.word()
    }

    /// The next word, which must be there.
    pub(super) fn next(&mut self, what: &'static str) -> Result<Word<'t>, Fault> {
        self.optional()?.ok_or(Fault::Missing { what })
    }

    fn end(&mut self) -> Result<(), Fault> {
        match self.optional()? {
            None => Ok(()),
            Some(word) => Err(Fault::Trailing(shown(word.bytes))),
        }
    }

    /// The next word as a number up to `max`.
    pub(super) fn number(&mut self, what: &'static str, max: u64) -> Result<u64, Fault> {
        let word = self.next(what)?;
        number(word.bytes).filter(|&value| value <= max).ok_or_else(|| bad(what, word))
    }

    /// The next word as a name.
    pub(super) fn name(&mut self, out: &mut Vec<u8>) -> Result<(), Fault> {
        let word = self.next("a domain name")?;
        name(word.bytes, self.origin, out)
    }
}

/// The fault that something else stands where `what` belongs.
pub(super) fn bad(what: &'static str, word: Word<'_>) -> Fault {
    Fault::Bad { what, found: shown(word.bytes) }
}

/// A word as it is shown to people: what is long is cut.
pub(super) fn shown(bytes: &[u8]) -> Box<str> {
    let cut = bytes.get(..64).unwrap_or(bytes);
    let mut text: String = String::from_utf8_lossy(cut).escape_debug().collect();
    if cut.len() < bytes.len() {
        text.push('…');
    }
    text.into()
}

/// A decimal number without sign.
pub(super) fn number(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() || bytes.len() > 19 {
        return None;
    }
    bytes.iter().try_fold(0u64, |value, byte| byte.is_ascii_digit().then(|| value * 10 + u64::from(byte - b'0')))
}

/// Seconds, as a number or with units such as `1w2d3h4m5s`.
pub(super) fn period(bytes: &[u8]) -> Option<u32> {
    let (mut sum, mut value, mut is_open) = (0u64, 0u64, false);
    for &byte in bytes {
        if byte.is_ascii_digit() {
            value = value * 10 + u64::from(byte - b'0');
            is_open = true;
        } else {
            let unit = match byte | 0x20 {
                b's' => 1,
                b'm' => 60,
                b'h' => 3_600,
                b'd' => 86_400,
                b'w' => 604_800,
                _ => return None,
            };
            if !is_open {
                return None;
            }
            sum += value * unit;
            value = 0;
            is_open = false;
        }
        if value.max(sum) > u64::from(u32::MAX) {
            return None;
        }
    }
    if bytes.is_empty() { None } else { u32::try_from(sum + value).ok() }
}

/// Appends the wire form of the name that is written in `text`, relative to `origin` unless it ends with a dot.
pub(super) fn name(text: &[u8], origin: &Name, out: &mut Vec<u8>) -> Result<(), Fault> {
    let start = out.len();
    name_wire(text, origin, out, start).map_err(|why| {
        out.truncate(start);
        Fault::BadName { why, found: shown(text) }
    })
}

fn name_wire(text: &[u8], origin: &Name, out: &mut Vec<u8>, start: usize) -> Result<(), NameFault> {
    match text {
        b"@" => {
            out.extend_from_slice(origin.wire());
            return Ok(());
        }
        b"." => {
            out.push(0);
            return Ok(());
        }
        _ => {}
    }
    let mut label_at = out.len();
    out.push(0);
    let mut is_absolute = false;
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        is_absolute = false;
        let octet = match byte {
            b'.' => {
                close_label(out, label_at)?;
                label_at = out.len();
                out.push(0);
                is_absolute = true;
                continue;
            }
            b'\\' => {
                let (octet, after) = escaped(rest).ok_or(NameFault::BadEscape)?;
                rest = after;
                octet
            }
            plain => plain,
        };
        out.push(octet);
        if out.len() - start > NAME_MAX {
            return Err(NameFault::TooLong);
        }
    }
    if !is_absolute {
        close_label(out, label_at)?;
        out.extend_from_slice(origin.wire());
    }
    if out.len() - start > NAME_MAX { Err(NameFault::TooLong) } else { Ok(()) }
}

fn close_label(out: &mut [u8], label_at: usize) -> Result<(), NameFault> {
    let length = out.len() - label_at - 1;
    if length == 0 {
        return Err(NameFault::EmptyLabel);
    }
    if length > LABEL_MAX {
        return Err(NameFault::LabelTooLong);
    }
    if let Some(octet) = out.get_mut(label_at) {
        *octet = length as u8;
    }
    Ok(())
}

/// The octet that stands behind a `\`, and what follows it.
pub(super) fn escaped(rest: &[u8]) -> Option<(u8, &[u8])> {
    let (&first, tail) = rest.split_first()?;
    if !first.is_ascii_digit() {
        return Some((first, tail));
    }
    let (digits, after) = rest.split_at_checked(3)?;
    let value = number(digits)?;
    Some((u8::try_from(value).ok()?, after))
}

/// Appends a text with its escapes resolved.
pub(super) fn unescape(text: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        let octet = if byte == b'\\' {
            let (octet, after) = escaped(rest).ok_or_else(|| Fault::Bad { what: "a text", found: shown(text) })?;
            rest = after;
            octet
        } else {
            byte
        };
        out.push(octet);
    }
    Ok(())
}

/// Appends a character string: its length, then its octets.
pub(super) fn text(word: Word<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
    let at = out.len();
    out.push(0);
    unescape(word.bytes, out)?;
    set_length(out, at, "the text")
}

/// Writes the number of octets behind `at` into the octet at `at`.
pub(super) fn set_length(out: &mut [u8], at: usize, what: &'static str) -> Result<(), Fault> {
    let length = u8::try_from(out.len() - at - 1).map_err(|_| Fault::TooLong { what })?;
    if let Some(octet) = out.get_mut(at) {
        *octet = length;
    }
    Ok(())
}

/// An IPv4 address.
pub(super) fn ipv4(bytes: &[u8]) -> Option<Ipv4Addr> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

/// An IPv6 address.
pub(super) fn ipv6(bytes: &[u8]) -> Option<Ipv6Addr> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

fn read(words: &mut Words<'_, '_>, field: Field, rtype: RecordType, out: &mut Vec<u8>) -> Result<(), Fault> {
    match field {
        Field::U8 => out.push(words.number("a number up to 255", 0xFF)? as u8),
        Field::U16 => out.extend_from_slice(&(words.number("a number up to 65535", 0xFFFF)? as u16).to_be_bytes()),
        Field::U32 => {
            let value = words.number("a number up to 4294967295", u64::from(u32::MAX))?;
            out.extend_from_slice(&(value as u32).to_be_bytes());
        }
        Field::Period => {
            let word = words.next("a number of seconds")?;
            let value = period(word.bytes).ok_or_else(|| bad("a number of seconds", word))?;
            out.extend_from_slice(&value.to_be_bytes());
        }
        Field::Moment => {
            let word = words.next("a time YYYYMMDDHHmmSS")?;
            let value = special::moment(word.bytes).ok_or_else(|| bad("a time YYYYMMDDHHmmSS", word))?;
            out.extend_from_slice(&value.to_be_bytes());
        }
        Field::Algorithm => {
            let word = words.next("an algorithm")?;
            out.push(special::algorithm(word.bytes).ok_or_else(|| bad("an algorithm", word))?);
        }
        Field::CertificateType => {
            let word = words.next("a certificate type")?;
            let value = special::certificate_type(word.bytes).ok_or_else(|| bad("a certificate type", word))?;
            out.extend_from_slice(&value.to_be_bytes());
        }
        Field::Type => {
            let word = words.next("a record type")?;
            out.extend_from_slice(&type_of(word)?.0.to_be_bytes());
        }
        Field::Name => words.name(out)?,
        Field::Ipv4 => {
            let word = words.next("an IPv4 address")?;
            out.extend_from_slice(&ipv4(word.bytes).ok_or_else(|| bad("an IPv4 address", word))?.octets());
        }
        Field::Ipv6 => {
            let word = words.next("an IPv6 address")?;
            out.extend_from_slice(&ipv6(word.bytes).ok_or_else(|| bad("an IPv6 address", word))?.octets());
        }
        Field::Text => text(words.next("a text")?, out)?,
        Field::Texts => {
            text(words.next("a text")?, out)?;
            while let Some(word) = words.optional()? {
                text(word, out)?;
            }
        }
        Field::Tag => {
            let word = words.next("a tag of letters and digits")?;
            if word.bytes.is_empty() || !word.bytes.iter().all(u8::is_ascii_alphanumeric) {
                return Err(bad("a tag of letters and digits", word));
            }
            text(word, out)?;
        }
        Field::LongText => unescape(words.next("a text")?.bytes, out)?,
        Field::Hex => hex(words, out)?,
        Field::Base64 => base64(words, out)?,
        Field::Salt => {
            let word = words.next("a salt in hexadecimal, or -")?;
            let at = out.len();
            out.push(0);
            if word.bytes != b"-" {
                decode_hex(word.bytes, out).map_err(|_| bad("a salt in hexadecimal, or -", word))?;
            }
            set_length(out, at, "the salt")?;
        }
        Field::Hash => {
            let word = words.next("a hash in base32hex")?;
            let at = out.len();
            out.push(0);
            decode_base32(word.bytes, out).map_err(|_| bad("a hash in base32hex", word))?;
            set_length(out, at, "the hash")?;
        }
        Field::Types => types(words, out)?,
        Field::Groups => special::groups(words, out)?,
        Field::Eui48 => special::eui(words, 6, out)?,
        Field::Eui64 => special::eui(words, 8, out)?,
        Field::Nsap => special::nsap(words, out)?,
        Field::ServiceParameters => svcb::read(words, out)?,
        Field::Location => loc::read(words, out)?,
        Field::Prefixes => special::prefixes(words, out)?,
        Field::Gateway => special::gateway(words, out)?,
        Field::HostIdentity => special::host_identity(words, out)?,
        Field::Relay => special::relay(words, out)?,
    }
    debug_assert!(schema::fields(rtype).is_some());
    Ok(())
}

/// The record type that a word names.
pub(super) fn type_of(word: Word<'_>) -> Result<RecordType, Fault> {
    let known = std::str::from_utf8(word.bytes).ok().filter(|_| !word.is_quoted).and_then(|text| text.parse().ok());
    known.ok_or_else(|| Fault::UnknownType(shown(word.bytes)))
}

/// All words that are left, in hexadecimal; at least one.
fn hex(words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), Fault> {
    let mut word = words.next("hexadecimal digits")?;
    let mut decoder = HexDecoder::default();
    loop {
        decoder.word(word.bytes, out).map_err(|_| bad("hexadecimal digits", word))?;
        match words.optional()? {
            Some(next) => word = next,
            None => return decoder.finish().map_err(|_| bad("an even number of hexadecimal digits", word)),
        }
    }
}

/// All words that are left, in base64; none for an empty key.
pub(super) fn base64(words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), Fault> {
    let mut decoder = Base64Decoder::default();
    while let Some(word) = words.optional()? {
        decoder.word(word.bytes, out).map_err(|_| bad("base64 text", word))?;
    }
    decoder.finish().map_err(|_| Fault::Missing { what: "the end of the base64 text" })
}

/// A set of types as windows of bits (RFC 4034 §4.1.2).
fn types(words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), Fault> {
    let mut found = Vec::new();
    while let Some(word) = words.optional()? {
        found.push(type_of(word)?.0);
    }
    found.sort_unstable();
    for window in found.chunk_by(|a, b| a >> 8 == b >> 8) {
        let (Some(first), Some(last)) = (window.first(), window.last()) else { continue };
        let length = usize::from(last & 0xFF) / 8 + 1;
        out.extend_from_slice(&[(first >> 8) as u8, length as u8]);
        let at = out.len();
        out.resize(at + length, 0);
        for number in window {
            if let Some(octet) = out.get_mut(at + usize::from(number & 0xFF) / 8) {
                *octet |= 0x80 >> (number & 7);
            }
        }
    }
    Ok(())
}

/// `\# length hex` (RFC 3597 §5); of a known type the octets must be lawful.
fn generic(words: &mut Words<'_, '_>, rtype: RecordType, out: &mut Vec<u8>) -> Result<(), Fault> {
    let length = words.number("a length up to 65535", 0xFFFF)?;
    let mut decoder = HexDecoder::default();
    while let Some(word) = words.optional()? {
        decoder.word(word.bytes, out).map_err(|_| bad("hexadecimal digits", word))?;
    }
    if decoder.finish().is_err() || out.len() as u64 != length {
        return Err(Fault::GenericLength);
    }
    if is_lawful(rtype, out) { Ok(()) } else { Err(Fault::GenericMalformed(rtype)) }
}

/// Whether `rdata` can be RDATA of the type; of an unknown type, anything can.
pub(in super::super) fn is_lawful(rtype: RecordType, rdata: &[u8]) -> bool {
    schema::fields(rtype).is_none() || write::fields(rtype, rdata, &mut String::new()).is_ok()
}
