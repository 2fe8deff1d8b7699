//! The parameters of SVCB and HTTPS records (RFC 9460 §2.1, §14.3; RFC 9461 §5; RFC 9540 §4).

use std::net::{Ipv4Addr, Ipv6Addr};

use super::super::finding::Fault;
use super::encoding::{decode_base64, encode_base64};
use super::read::{Words, bad, ipv4, ipv6, number, unescape};
use super::write::{Malformed, quoted};

const KEYS: &[(&str, u16)] = &[
    ("mandatory", MANDATORY),
    ("alpn", ALPN),
    ("no-default-alpn", NO_DEFAULT_ALPN),
    ("port", PORT),
    ("ipv4hint", IPV4HINT),
    ("ech", ECH),
    ("ipv6hint", IPV6HINT),
    ("dohpath", 7),
    ("ohttp", OHTTP),
];
const MANDATORY: u16 = 0;
const ALPN: u16 = 1;
const NO_DEFAULT_ALPN: u16 = 2;
const PORT: u16 = 3;
const IPV4HINT: u16 = 4;
const ECH: u16 = 5;
const IPV6HINT: u16 = 6;
const OHTTP: u16 = 8;

fn key_number(text: &[u8]) -> Option<u16> {
    if let Some((_, key)) = KEYS.iter().find(|(name, _)| name.as_bytes() == text) {
        return Some(*key);
    }
    number(text.strip_prefix(b"key")?).and_then(|key| u16::try_from(key).ok())
}

fn key_name(key: u16) -> String {
    KEYS.iter().find(|(_, known)| *known == key).map_or_else(|| format!("key{key}"), |(name, _)| (*name).into())
}

/// Reads the parameters to the end of the line, in any order, and writes them in theirs.
pub(super) fn read(words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), Fault> {
    const WHAT: &str = "a service parameter key[=value]";
    let mut found: Vec<(u16, Vec<u8>)> = Vec::new();
    while let Some(word) = words.optional()? {
        let fault = || bad(WHAT, word);
        let equals = word.bytes.iter().position(|&byte| byte == b'=');
        let (key, value) = match equals.and_then(|at| word.bytes.split_at_checked(at)) {
            Some((key, value)) => (key, Some(value.get(1..).unwrap_or_default())),
            None => (word.bytes, None),
        };
        let key = key_number(key).ok_or_else(fault)?;
        let value = value.map(|value| value.strip_prefix(b"\"").and_then(|v| v.strip_suffix(b"\"")).unwrap_or(value));
        let mut text = Vec::new();
        unescape(value.unwrap_or_default(), &mut text)?;
        let wire = wire_value(key, &text).ok_or_else(fault)?;
        if found.iter().any(|(other, _)| *other == key) {
            return Err(bad("another service parameter", word)); // RFC 9460 §2.1: a key stands once
        }
        found.push((key, wire));
    }
    found.sort_by_key(|(key, _)| *key);
    if !is_consistent(&found) {
        return Err(Fault::Missing { what: "the parameters that mandatory or no-default-alpn ask for" });
    }
    for (key, value) in found {
        out.extend_from_slice(&key.to_be_bytes());
        out.extend_from_slice(
            &u16::try_from(value.len()).map_err(|_| Fault::TooLong { what: "the parameter" })?.to_be_bytes(),
        );
        out.extend_from_slice(&value);
    }
    Ok(())
}

/// Whether each mandatory key is there (RFC 9460 §8) and alpn beside no-default-alpn (§7.1.1).
fn is_consistent(found: &[(u16, Vec<u8>)]) -> bool {
    let has = |key: u16| found.iter().any(|(other, _)| *other == key);
    found.iter().all(|(key, value)| match *key {
        MANDATORY => value.chunks_exact(2).all(|pair| match pair {
            [high, low] => has(u16::from_be_bytes([*high, *low])),
            _ => false,
        }),
        NO_DEFAULT_ALPN => has(ALPN),
        _ => true,
    })
}

fn wire_value(key: u16, text: &[u8]) -> Option<Vec<u8>> {
    let mut wire = Vec::new();
    match key {
        MANDATORY => {
            let mut keys: Vec<u16> = text.split(|&byte| byte == b',').map(key_number).collect::<Option<_>>()?;
            let count = keys.len();
            keys.sort_unstable();
            keys.dedup();
            if keys.len() != count || keys.contains(&MANDATORY) {
                return None;
            }
            wire.extend(keys.into_iter().flat_map(u16::to_be_bytes));
        }
        ALPN => {
            for id in list(text) {
                if id.is_empty() {
                    return None;
                }
                wire.push(u8::try_from(id.len()).ok()?);
                wire.extend_from_slice(&id);
            }
        }
        NO_DEFAULT_ALPN | OHTTP => {
            if !text.is_empty() {
                return None;
            }
        }
        PORT => wire.extend_from_slice(&u16::try_from(number(text)?).ok()?.to_be_bytes()),
        IPV4HINT => {
            for address in text.split(|&byte| byte == b',') {
                wire.extend_from_slice(&ipv4(address)?.octets());
            }
        }
        IPV6HINT => {
            for address in text.split(|&byte| byte == b',') {
                wire.extend_from_slice(&ipv6(address)?.octets());
            }
        }
        ECH => {
            decode_base64(text, &mut wire).ok()?;
            if wire.is_empty() {
                return None;
            }
        }
        _ => wire.extend_from_slice(text),
    }
    Some(wire)
}

/// The items of a list with commas; `\,` and `\\` stand for themselves (RFC 9460 §A.1).
fn list(text: &[u8]) -> Vec<Vec<u8>> {
    let mut items = vec![Vec::new()];
    let mut octets = text.iter();
    while let Some(&octet) = octets.next() {
        let octet = match octet {
            b',' => {
                items.push(Vec::new());
                continue;
            }
            b'\\' => octets.next().copied().unwrap_or(b'\\'),
            plain => plain,
        };
        if let Some(item) = items.last_mut() {
            item.push(octet);
        }
    }
    items
}

/// Writes the parameters, each with a blank before it.
pub(super) fn write(mut rest: &[u8], out: &mut String) -> Result<(), Malformed> {
    let mut least = 0u32;
    while !rest.is_empty() {
        let (head, tail) = rest.split_first_chunk::<4>().ok_or(Malformed)?;
        let [k1, k2, l1, l2] = *head;
        let key = u16::from_be_bytes([k1, k2]);
        let (value, after) = tail.split_at_checked(usize::from(u16::from_be_bytes([l1, l2]))).ok_or(Malformed)?;
        rest = after;
        if u32::from(key) < least {
            return Err(Malformed); // keys ascend and stand once (RFC 9460 §2.2)
        }
        least = u32::from(key) + 1;
        out.push(' ');
        out.push_str(&key_name(key));
        write_value(key, value, out)?;
    }
    Ok(())
}

fn write_value(key: u16, value: &[u8], out: &mut String) -> Result<(), Malformed> {
    let items: Vec<String> = match key {
        MANDATORY => pairs(value)?.map(key_name).collect(),
        ALPN => {
            let mut text = Vec::new();
            let mut rest = value;
            while let Some((&length, tail)) = rest.split_first() {
                let (id, after) = tail.split_at_checked(usize::from(length)).ok_or(Malformed)?;
                if id.is_empty() {
                    return Err(Malformed);
                }
                rest = after;
                if !text.is_empty() {
                    text.push(b',');
                }
                for &octet in id {
                    if octet == b',' || octet == b'\\' {
                        text.push(b'\\');
                    }
                    text.push(octet);
                }
            }
            if text.is_empty() {
                return Err(Malformed);
            }
            out.push('=');
            quoted(&text, out);
            return Ok(());
        }
        NO_DEFAULT_ALPN | OHTTP => return if value.is_empty() { Ok(()) } else { Err(Malformed) },
        PORT => {
            let port = <[u8; 2]>::try_from(value).map_err(|_| Malformed)?;
            vec![u16::from_be_bytes(port).to_string()]
        }
        IPV4HINT => chunks::<4>(value)?.map(|octets| Ipv4Addr::from(octets).to_string()).collect(),
        IPV6HINT => chunks::<16>(value)?.map(|octets| Ipv6Addr::from(octets).to_string()).collect(),
        ECH => {
            if value.is_empty() {
                return Err(Malformed);
            }
            out.push('=');
            encode_base64(value, out);
            return Ok(());
        }
        _ => {
            if !value.is_empty() {
                out.push('=');
                quoted(value, out);
            }
            return Ok(());
        }
    };
    out.push('=');
    out.push_str(&items.join(","));
    Ok(())
}

fn pairs(value: &[u8]) -> Result<impl Iterator<Item = u16>, Malformed> {
    Ok(chunks::<2>(value)?.map(u16::from_be_bytes))
}

fn chunks<const N: usize>(value: &[u8]) -> Result<impl Iterator<Item = [u8; N]>, Malformed> {
    let (chunks, rest) = value.as_chunks::<N>();
    if chunks.is_empty() || !rest.is_empty() { Err(Malformed) } else { Ok(chunks.iter().copied()) }
}
