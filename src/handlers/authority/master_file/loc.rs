//! LOC records: where on Earth something is (RFC 1876 §3).

use std::fmt::Write;

use super::super::finding::Fault;
use super::read::{Words, bad, number};
use super::write::Malformed;

const ANGLE: &str = "degrees [minutes [seconds]] and N, S, E or W";
const METRES: &str = "metres";
/// The equator and the prime meridian, thousandths of a second of arc.
const MIDDLE: u32 = 1 << 31;
/// The altitude that 0 stands for, centimetres below the reference spheroid.
const BASE: i64 = 10_000_000;

/// Reads a location to the end of the line.
pub(super) fn read(words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), Fault> {
    let latitude = angle(words, b'N', b'S', 90)?;
    let longitude = angle(words, b'E', b'W', 180)?;
    let word = words.next("an altitude in metres")?;
    let altitude = centimetres(word.bytes).ok_or_else(|| bad(METRES, word))?;
    let altitude = u32::try_from(altitude + BASE).map_err(|_| bad(METRES, word))?;
    // The defaults: 1 m, 10 km, 10 m.
    let mut precisions = [0x12, 0x16, 0x13];
    for precision in &mut precisions {
        let Some(word) = words.optional()? else { break };
        *precision = centimetres(word.bytes).and_then(power).ok_or_else(|| bad(METRES, word))?;
    }
    out.push(0); // version
    out.extend_from_slice(&precisions);
    out.extend_from_slice(&latitude.to_be_bytes());
    out.extend_from_slice(&longitude.to_be_bytes());
    out.extend_from_slice(&altitude.to_be_bytes());
    Ok(())
}

fn angle(words: &mut Words<'_, '_>, plus: u8, minus: u8, max: u64) -> Result<u32, Fault> {
    let mut parts = [0u64; 3]; // degrees, minutes, thousandths of a second
    for place in 0..=3 {
        let word = words.next(ANGLE)?;
        if let [letter] = word.bytes
            && letter.is_ascii_alphabetic()
            && place > 0
        {
            let [degrees, minutes, thousandths] = parts;
            let total = (degrees * 60 + minutes) * 60_000 + thousandths;
            if total > max * 3_600_000 {
                return Err(bad(ANGLE, word));
            }
            return match letter.to_ascii_uppercase() {
                letter if letter == plus => Ok(MIDDLE + total as u32),
                letter if letter == minus => Ok(MIDDLE - total as u32),
                _ => Err(bad(ANGLE, word)),
            };
        }
        let value = match place {
            0 => number(word.bytes).filter(|&value| value <= max),
            1 => number(word.bytes).filter(|&value| value < 60),
            2 => decimal(word.bytes, 3).filter(|&value| value < 60_000),
            _ => None,
        };
        let value = value.ok_or_else(|| bad(ANGLE, word))?;
        if let Some(part) = parts.get_mut(place) {
            *part = value;
        }
    }
    Err(Fault::Missing { what: ANGLE })
}

/// A number with up to `places` digits behind the point, as an integer of that many places.
fn decimal(text: &[u8], places: u32) -> Option<u64> {
    let point = text.iter().position(|&byte| byte == b'.').unwrap_or(text.len());
    let (whole, fraction) = text.split_at_checked(point)?;
    let fraction = fraction.get(1..).unwrap_or_default();
    let digits = u32::try_from(fraction.len()).ok()?;
    if digits > places || (whole.is_empty() && fraction.is_empty()) || whole.len() > 12 {
        return None;
    }
    let whole = if whole.is_empty() { 0 } else { number(whole)? };
    let fraction = if fraction.is_empty() { 0 } else { number(fraction)? };
    Some(whole * 10u64.pow(places) + fraction * 10u64.pow(places - digits))
}

/// `[-]metres[.centimetres][m]` in centimetres.
fn centimetres(text: &[u8]) -> Option<i64> {
    let text = text.strip_suffix(b"m").or_else(|| text.strip_suffix(b"M")).unwrap_or(text);
    match text.strip_prefix(b"-") {
        Some(text) => Some(-(decimal(text, 2)?.cast_signed())),
        None => Some(decimal(text, 2)?.cast_signed()),
    }
}

/// Centimetres as a digit and a power of ten (RFC 1876 §2).
fn power(centimetres: i64) -> Option<u8> {
    let mut centimetres = u64::try_from(centimetres).ok()?;
    let mut exponent = 0u8;
    while centimetres > 9 {
        centimetres /= 10;
        exponent += 1;
    }
    (exponent <= 9).then_some((centimetres as u8) << 4 | exponent)
}

/// Writes a location.
pub(super) fn write(rdata: &[u8], out: &mut String) -> Result<(), Malformed> {
    let octets = <[u8; 16]>::try_from(rdata).map_err(|_| Malformed)?;
    let [version, size, horizontal, vertical, lat @ .., _, _, _, _, _, _, _, _] = octets;
    let [.., o1, o2, o3, o4, a1, a2, a3, a4] = octets;
    if version != 0 {
        return Err(Malformed);
    }
    write_angle(u32::from_be_bytes(lat), 90, ['N', 'S'], out)?;
    out.push(' ');
    write_angle(u32::from_be_bytes([o1, o2, o3, o4]), 180, ['E', 'W'], out)?;
    out.push(' ');
    write_metres(i64::from(u32::from_be_bytes([a1, a2, a3, a4])) - BASE, out);
    for precision in [size, horizontal, vertical] {
        let (digit, exponent) = (precision >> 4, precision & 0xF);
        if digit > 9 || exponent > 9 {
            return Err(Malformed);
        }
        out.push(' ');
        write_metres(i64::from(digit) * 10i64.pow(u32::from(exponent)), out);
    }
    Ok(())
}

fn write_angle(value: u32, max: u32, letters: [char; 2], out: &mut String) -> Result<(), Malformed> {
    let [plus, minus] = letters;
    let (total, letter) = if value >= MIDDLE { (value - MIDDLE, plus) } else { (MIDDLE - value, minus) };
    if total > max * 3_600_000 {
        return Err(Malformed);
    }
    let (seconds, thousandths) = (total / 1_000, total % 1_000);
    write!(out, "{} {} {}.{thousandths:03} {letter}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
        .map_err(|_| Malformed)
}

fn write_metres(centimetres: i64, out: &mut String) {
    let sign = if centimetres < 0 { "-" } else { "" };
    let size = centimetres.unsigned_abs();
    write!(out, "{sign}{}.{:02}m", size / 100, size % 100).unwrap_or_default(); // a String takes all
}
