//! RDATA in wire form into text that reads back to the same octets.

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::encoding::{encode_base32, encode_base64, encode_hex};
use super::schema::{self, Field};
use super::{loc, special, svcb};
use crate::dns::{Name, RecordType};

/// The octets are no RDATA of the type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Malformed;

/// Appends the presentation of `rdata`; what the type cannot hold, and types without a presentation, in the
/// form of RFC 3597 (`\# length hex`).
pub fn rdata(rtype: RecordType, rdata: &[u8], out: &mut String) {
    let start = out.len();
    if fields(rtype, rdata, out).is_err() {
        out.truncate(start);
        put(out, format_args!("\\# {}", rdata.len()));
        if !rdata.is_empty() {
            out.push(' ');
            encode_hex(rdata, out);
        }
    }
}

/// Appends the fields of `rdata` with blanks between them.
pub(super) fn fields(rtype: RecordType, rdata: &[u8], out: &mut String) -> Result<(), Malformed> {
    let mut rest = rdata;
    for (place, field) in schema::fields(rtype).ok_or(Malformed)?.iter().enumerate() {
        if place > 0 && *field != Field::ServiceParameters && *field != Field::Types {
            out.push(' ');
        }
        field_text(*field, &mut rest, out)?;
    }
    if rest.is_empty() { Ok(()) } else { Err(Malformed) }
}

fn take<'r, const N: usize>(rest: &mut &'r [u8]) -> Result<&'r [u8; N], Malformed> {
    let (head, tail) = rest.split_first_chunk::<N>().ok_or(Malformed)?;
    *rest = tail;
    Ok(head)
}

fn take_some<'r>(rest: &mut &'r [u8], count: usize) -> Result<&'r [u8], Malformed> {
    let (head, tail) = rest.split_at_checked(count).ok_or(Malformed)?;
    *rest = tail;
    Ok(head)
}

fn take_counted<'r>(rest: &mut &'r [u8]) -> Result<&'r [u8], Malformed> {
    let [length] = *take::<1>(rest)?;
    take_some(rest, usize::from(length))
}

fn take_name(rest: &mut &[u8], out: &mut String) -> Result<(), Malformed> {
    let (name, length) = Name::from_wire(rest).map_err(|_| Malformed)?;
    take_some(rest, length)?;
    put(out, format_args!("{name}"));
    Ok(())
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).unwrap_or_default(); // a String takes all
}

/// Appends a text in quotes.
pub(super) fn quoted(text: &[u8], out: &mut String) {
    out.push('"');
    for &octet in text {
        match octet {
            b'"' | b'\\' => {
                out.push('\\');
                out.push(char::from(octet));
            }
            b' '..=b'~' => out.push(char::from(octet)),
            other => put(out, format_args!("\\{other:03}")),
        }
    }
    out.push('"');
}

fn field_text(field: Field, rest: &mut &[u8], out: &mut String) -> Result<(), Malformed> {
    match field {
        Field::U8 | Field::Algorithm => put(out, format_args!("{}", take::<1>(rest)?[0])),
        Field::U16 | Field::CertificateType => put(out, format_args!("{}", u16::from_be_bytes(*take(rest)?))),
        Field::U32 | Field::Period => put(out, format_args!("{}", u32::from_be_bytes(*take(rest)?))),
        Field::Moment => out.push_str(&special::moment_text(u32::from_be_bytes(*take(rest)?))),
        Field::Type => put(out, format_args!("{}", RecordType(u16::from_be_bytes(*take(rest)?)))),
        Field::Name => take_name(rest, out)?,
        Field::Ipv4 => put(out, format_args!("{}", Ipv4Addr::from(*take::<4>(rest)?))),
        Field::Ipv6 => put(out, format_args!("{}", Ipv6Addr::from(*take::<16>(rest)?))),
        Field::Text => quoted(take_counted(rest)?, out),
        Field::Texts => {
            quoted(take_counted(rest)?, out);
            while !rest.is_empty() {
                out.push(' ');
                quoted(take_counted(rest)?, out);
            }
        }
        Field::Tag => {
            let tag = take_counted(rest)?;
            if tag.is_empty() || !tag.iter().all(u8::is_ascii_alphanumeric) {
                return Err(Malformed);
            }
            out.extend(tag.iter().map(|&octet| char::from(octet)));
        }
        Field::LongText => quoted(std::mem::take(rest), out),
        Field::Hex => {
            if rest.is_empty() {
                return Err(Malformed);
            }
            encode_hex(std::mem::take(rest), out);
        }
        Field::Base64 => encode_base64(std::mem::take(rest), out),
        Field::Salt => match take_counted(rest)? {
            [] => out.push('-'),
            salt => encode_hex(salt, out),
        },
        Field::Hash => match take_counted(rest)? {
            [] => return Err(Malformed),
            hash => encode_base32(hash, out),
        },
        Field::Types => types(std::mem::take(rest), out)?,
        Field::Groups => {
            let (groups, _) = take::<8>(rest)?.as_chunks::<2>();
            let texts: Vec<String> = groups.iter().map(|pair| format!("{:04x}", u16::from_be_bytes(*pair))).collect();
            out.push_str(&texts.join(":"));
        }
        Field::Eui48 => dashes(take::<6>(rest)?, out),
        Field::Eui64 => dashes(take::<8>(rest)?, out),
        Field::Nsap => {
            out.push_str("0x");
            encode_hex(std::mem::take(rest), out);
        }
        Field::ServiceParameters => svcb::write(std::mem::take(rest), out)?,
        Field::Location => loc::write(std::mem::take(rest), out)?,
        Field::Prefixes => prefixes(rest, out)?,
        Field::Gateway => {
            let [kind, algorithm] = *take::<2>(rest)?;
            put(out, format_args!("{kind} {algorithm} "));
            place(kind, rest, out)?;
            if !rest.is_empty() {
                out.push(' ');
                encode_base64(std::mem::take(rest), out);
            }
        }
        Field::HostIdentity => {
            let [tag_length, algorithm, high, low] = *take::<4>(rest)?;
            let tag = take_some(rest, usize::from(tag_length))?;
            let key = take_some(rest, usize::from(u16::from_be_bytes([high, low])))?;
            if tag.is_empty() || key.is_empty() {
                return Err(Malformed);
            }
            put(out, format_args!("{algorithm} "));
            encode_hex(tag, out);
            out.push(' ');
            encode_base64(key, out);
            while !rest.is_empty() {
                out.push(' ');
                take_name(rest, out)?;
            }
        }
        Field::Relay => {
            let [octet] = *take::<1>(rest)?;
            put(out, format_args!("{} {} ", octet >> 7, octet & 0x7F));
            place(octet & 0x7F, rest, out)?;
        }
    }
    Ok(())
}

fn dashes(octets: &[u8], out: &mut String) {
    let texts: Vec<String> = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    out.push_str(&texts.join("-"));
}

fn place(kind: u8, rest: &mut &[u8], out: &mut String) -> Result<(), Malformed> {
    match kind {
        0 => out.push('.'),
        1 => put(out, format_args!("{}", Ipv4Addr::from(*take::<4>(rest)?))),
        2 => put(out, format_args!("{}", Ipv6Addr::from(*take::<16>(rest)?))),
        3 => take_name(rest, out)?,
        _ => return Err(Malformed),
    }
    Ok(())
}

/// The types of a bitmap, each with a blank before it (RFC 4034 §4.1.2).
fn types(mut rest: &[u8], out: &mut String) -> Result<(), Malformed> {
    let mut least = 0u16;
    while !rest.is_empty() {
        let [window, length] = *take::<2>(&mut rest)?;
        if u16::from(window) < least || !(1..=32).contains(&length) {
            return Err(Malformed);
        }
        least = u16::from(window) + 1;
        let bits = take_some(&mut rest, usize::from(length))?;
        if bits.last() == Some(&0) {
            return Err(Malformed); // trailing zeros are left out, and the text would not bring them back
        }
        for (place, &octet) in bits.iter().enumerate() {
            for bit in (0..8u16).filter(|bit| octet & 0x80 >> bit != 0) {
                put(out, format_args!(" {}", RecordType((u16::from(window) << 8) + place as u16 * 8 + bit)));
            }
        }
    }
    Ok(())
}

fn prefixes(rest: &mut &[u8], out: &mut String) -> Result<(), Malformed> {
    let mut is_first = true;
    while !rest.is_empty() {
        let [f1, f2, prefix, flags] = *take::<4>(rest)?;
        let given = take_some(rest, usize::from(flags & 0x7F))?;
        if given.last() == Some(&0) {
            return Err(Malformed);
        }
        let mut octets = [0u8; 16];
        octets.get_mut(..given.len()).ok_or(Malformed)?.copy_from_slice(given);
        let [a, b, c, d, ..] = octets;
        let text = match u16::from_be_bytes([f1, f2]) {
            1 if given.len() <= 4 && prefix <= 32 => Ipv4Addr::new(a, b, c, d).to_string(),
            2 if prefix <= 128 => Ipv6Addr::from(octets).to_string(),
            _ => return Err(Malformed),
        };
        let negation = if flags & 0x80 != 0 { "!" } else { "" };
        let blank = if std::mem::take(&mut is_first) { "" } else { " " };
        put(out, format_args!("{blank}{negation}{}:{text}/{prefix}", u16::from_be_bytes([f1, f2])));
    }
    Ok(())
}
