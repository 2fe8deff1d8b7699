//! Fields with a syntax of their own: times, mnemonics, address prefixes, gateways, identifiers.

use super::super::finding::Fault;
use super::encoding::{decode_base64, decode_hex};
use super::read::{Words, bad, base64, ipv4, ipv6, number};

/// Mnemonics of DNSSEC algorithms (the registry of RFC 4034 §A.1 as of today).
const ALGORITHMS: &[(&str, u8)] = &[
    ("RSAMD5", 1),
    ("DH", 2),
    ("DSA", 3),
    ("ECC", 4),
    ("RSASHA1", 5),
    ("DSA-NSEC3-SHA1", 6),
    ("NSEC3DSA", 6),
    ("RSASHA1-NSEC3-SHA1", 7),
    ("NSEC3RSASHA1", 7),
    ("RSASHA256", 8),
    ("RSASHA512", 10),
    ("ECC-GOST", 12),
    ("ECDSAP256SHA256", 13),
    ("ECDSAP384SHA384", 14),
    ("ED25519", 15),
    ("ED448", 16),
    ("INDIRECT", 252),
    ("PRIVATEDNS", 253),
    ("PRIVATEOID", 254),
];

/// Mnemonics of certificate types (RFC 4398 §2.1).
const CERTIFICATE_TYPES: &[(&str, u16)] = &[
    ("PKIX", 1),
    ("SPKI", 2),
    ("PGP", 3),
    ("IPKIX", 4),
    ("ISPKI", 5),
    ("IPGP", 6),
    ("ACPKIX", 7),
    ("IACPKIX", 8),
    ("URI", 253),
    ("OID", 254),
];

pub(super) fn algorithm(text: &[u8]) -> Option<u8> {
    mnemonic(ALGORITHMS, text).or_else(|| number(text).and_then(|value| u8::try_from(value).ok()))
}

pub(super) fn certificate_type(text: &[u8]) -> Option<u16> {
    mnemonic(CERTIFICATE_TYPES, text).or_else(|| number(text).and_then(|value| u16::try_from(value).ok()))
}

fn mnemonic<T: Copy>(table: &[(&str, T)], text: &[u8]) -> Option<T> {
    table.iter().find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(text)).map(|(_, value)| *value)
}

/// `YYYYMMDDHHmmSS`, or seconds since 1970 modulo 2³² (RFC 4034 §3.2).
pub(super) fn moment(text: &[u8]) -> Option<u32> {
    let value = number(text)?;
    if text.len() != 14 {
        return u32::try_from(value).ok();
    }
    let part = |from: usize, to: usize| number(text.get(from..to)?);
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(8, 10)?, part(10, 12)?, part(12, 14)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 || year < 1970
    {
        return None;
    }
    let days = days_since_1970(year.cast_signed(), month.cast_signed(), day.cast_signed());
    let seconds = days * 86_400 + (hour * 3_600 + minute * 60 + second).cast_signed();
    Some(seconds.cast_unsigned() as u32) // modulo 2³², as the field is compared
}

/// The days from 1970-01-01 to a day of the Gregorian calendar: years counted from March, so that the leap day
/// is a year's last.
const fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// `YYYYMMDDHHmmSS` of seconds since 1970.
pub(super) fn moment_text(seconds: u32) -> String {
    let days = i64::from(seconds / 86_400) + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let time = seconds % 86_400;
    format!("{year:04}{month:02}{day:02}{:02}{:02}{:02}", time / 3_600, time / 60 % 60, time % 60)
}

/// Four groups of up to four hexadecimal digits with colons (RFC 6742 §2.1.2).
pub(super) fn groups(words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), Fault> {
    const WHAT: &str = "four groups of hexadecimal digits with colons";
    let word = words.next(WHAT)?;
    let mut count = 0;
    for group in word.bytes.split(|&byte| byte == b':') {
        let text =
            std::str::from_utf8(group).ok().filter(|text| (1..=4).contains(&text.len()) && !text.starts_with('+'));
        let value = text.and_then(|text| u16::from_str_radix(text, 16).ok()).ok_or_else(|| bad(WHAT, word))?;
        out.extend_from_slice(&value.to_be_bytes());
        count += 1;
    }
    if count == 4 { Ok(()) } else { Err(bad(WHAT, word)) }
}

/// `count` octets of two hexadecimal digits with dashes (RFC 7043).
pub(super) fn eui(words: &mut Words<'_, '_>, count: usize, out: &mut Vec<u8>) -> Result<(), Fault> {
    const WHAT: &str = "octets in hexadecimal with dashes";
    let word = words.next(WHAT)?;
    let mut found = 0;
    for octet in word.bytes.split(|&byte| byte == b'-') {
        if octet.len() != 2 || decode_hex(octet, out).is_err() {
            return Err(bad(WHAT, word));
        }
        found += 1;
    }
    if found == count { Ok(()) } else { Err(bad(WHAT, word)) }
}

/// `0x` and hexadecimal digits with dots anywhere (RFC 1706 §7).
pub(super) fn nsap(words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), Fault> {
    const WHAT: &str = "0x and hexadecimal digits";
    let word = words.next(WHAT)?;
    let digits = word.bytes.strip_prefix(b"0x").or_else(|| word.bytes.strip_prefix(b"0X"));
    let digits: Vec<u8> = digits.ok_or_else(|| bad(WHAT, word))?.iter().copied().filter(|&byte| byte != b'.').collect();
    decode_hex(&digits, out).map_err(|_| bad(WHAT, word))
}

/// `[!]family:address/prefix`, any number of them (RFC 3123 §5).
pub(super) fn prefixes(words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), Fault> {
    const WHAT: &str = "[!]family:address/prefix";
    while let Some(word) = words.optional()? {
        let fault = || bad(WHAT, word);
        let (negation, rest) = match word.bytes.strip_prefix(b"!") {
            Some(rest) => (0x80, rest),
            None => (0, word.bytes),
        };
        let (family, rest) = rest.split_at(rest.iter().position(|&byte| byte == b':').ok_or_else(fault)?);
        let rest = rest.get(1..).unwrap_or_default();
        let (address, prefix) = rest.split_at(rest.iter().position(|&byte| byte == b'/').ok_or_else(fault)?);
        let prefix = number(prefix.get(1..).unwrap_or_default()).ok_or_else(fault)?;
        let (family, mut octets, max) = match number(family) {
            Some(1) => (1u16, ipv4(address).ok_or_else(fault)?.octets().to_vec(), 32),
            Some(2) => (2, ipv6(address).ok_or_else(fault)?.octets().to_vec(), 128),
            _ => return Err(fault()),
        };
        if prefix > max {
            return Err(fault());
        }
        while octets.last() == Some(&0) {
            octets.pop(); // trailing zeros are not sent (RFC 3123 §4)
        }
        out.extend_from_slice(&family.to_be_bytes());
        out.extend_from_slice(&[prefix as u8, negation | octets.len() as u8]);
        out.extend_from_slice(&octets);
    }
    Ok(())
}

/// A gateway or relay: none, an IPv4 or IPv6 address, or a name (RFC 4025 §2.5, RFC 8777 §4.2.4).
fn place(words: &mut Words<'_, '_>, kind: u64, out: &mut Vec<u8>) -> Result<(), Fault> {
    match kind {
        1 => {
            let word = words.next("an IPv4 address")?;
            out.extend_from_slice(&ipv4(word.bytes).ok_or_else(|| bad("an IPv4 address", word))?.octets());
        }
        2 => {
            let word = words.next("an IPv6 address")?;
            out.extend_from_slice(&ipv6(word.bytes).ok_or_else(|| bad("an IPv6 address", word))?.octets());
        }
        3 => words.name(out)?,
        _ => {
            let word = words.next("the gateway . of none")?;
            if word.bytes != b"." {
                return Err(bad("the gateway . of none", word));
            }
        }
    }
    Ok(())
}

/// The rest of an IPSECKEY record (RFC 4025 §3.1).
pub(super) fn gateway(words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), Fault> {
    let kind = words.number("a gateway type up to 3", 3)?;
    let algorithm = words.number("a number up to 255", 255)?;
    out.extend_from_slice(&[kind as u8, algorithm as u8]);
    place(words, kind, out)?;
    base64(words, out)
}

/// The rest of an AMTRELAY record (RFC 8777 §4.3.1).
pub(super) fn relay(words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), Fault> {
    let discovery = words.number("0 or 1", 1)?;
    let kind = words.number("a relay type up to 3", 3)?;
    out.push((discovery << 7 | kind) as u8);
    place(words, kind, out)
}

/// A HIP record: algorithm, identity tag, key, then servers (RFC 8005 §6).
pub(super) fn host_identity(words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), Fault> {
    let algorithm = words.number("a number up to 255", 255)?;
    let (tag_word, mut tag) = (words.next("an identity tag in hexadecimal")?, Vec::new());
    decode_hex(tag_word.bytes, &mut tag).map_err(|_| bad("an identity tag in hexadecimal", tag_word))?;
    let (key_word, mut key) = (words.next("a key in base64")?, Vec::new());
    decode_base64(key_word.bytes, &mut key).map_err(|_| bad("a key in base64", key_word))?;
    out.push(u8::try_from(tag.len()).map_err(|_| Fault::TooLong { what: "the identity tag" })?);
    out.push(algorithm as u8);
    out.extend_from_slice(&u16::try_from(key.len()).map_err(|_| Fault::TooLong { what: "the key" })?.to_be_bytes());
    out.extend_from_slice(&tag);
    out.extend_from_slice(&key);
    while let Some(word) = words.optional()? {
        super::read::name(word.bytes, words.origin, out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_reads_back_as_written() {
        for text in ["19700101000000", "20000229235959", "20261231120000", "21060207062815"] {
            assert_eq!(moment_text(moment(text.as_bytes()).unwrap()), text);
        }
        assert_eq!(moment(b"20040509183619"), Some(1_084_127_779));
        assert_eq!(moment(b"1084127779"), Some(1_084_127_779));
        assert_eq!(moment(b"20041309183619"), None);
    }
}
