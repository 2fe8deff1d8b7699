//! The fast tempo's first look at a datagram: header, one question, at most an OPT record.
//!
//! In comes a datagram. Out comes what a remembered answer needs to be found and patched; or that the datagram
//! is never answered; or that only the slow tempo can tell. Whatever is unusual is unsure and never an error:
//! the slow tempo alone knows what errors deserve. A glance declines more than [`crate::dns::Message::parse`]
//! does, and never disagrees with it.

use std::hash::{BuildHasher, Hasher};

use crate::base::bounds;
use crate::base::collections::Keyed;
use crate::base::tally::Event;
use crate::dns::edns::{OPT_SIZE, option};
use crate::dns::name::{LABEL_MAX, NAME_MAX};
use crate::dns::{Class, RecordType};

const HEADER: usize = 12;
const RD: u16 = 0x0100;
const AD: u16 = 0x0020;
const CD: u16 = 0x0010;

/// What a datagram is at first sight.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Glance {
    /// A plain query.
    Plain(Glanced),
    /// Only the slow tempo can tell.
    Unsure,
    /// Nothing that is ever answered; count why.
    Silence(Event),
}

/// What a glance at a plain query saw: opcode QUERY, one question in class IN for a type that can be stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Glanced {
    /// The id.
    pub id: u16,
    /// RD.
    pub recursion_desired: bool,
    /// AD: the client understands AD in the response.
    pub authentic_data: bool,
    /// CD.
    pub checking_disabled: bool,
    /// QTYPE.
    pub qtype: RecordType,
    /// Octets of QNAME, which is not compressed.
    pub qname_length: u8,
    /// The UDP payload size of the OPT record, if there is one.
    pub udp_size: Option<u16>,
    /// DO.
    pub dnssec_ok: bool,
    /// Where the data of the cookie option begins, and its octets, if there is one.
    pub cookie: Option<(u16, u8)>,
    /// The same of the client subnet option.
    pub subnet: Option<(u16, u8)>,
    /// The question's hash under the key of the table; see [`question_hash`].
    pub hash: u64,
}

impl Glanced {
    /// The octet after the question.
    #[must_use]
    pub fn question_end(&self) -> usize {
        HEADER + usize::from(self.qname_length) + 4
    }

    /// QNAME, QTYPE and QCLASS as they came; `datagram` is the one that was glanced at.
    #[must_use]
    pub fn question<'d>(&self, datagram: &'d [u8]) -> &'d [u8] {
        datagram.get(HEADER..self.question_end()).unwrap_or_default()
    }

    /// The data of the cookie option; `datagram` is the one that was glanced at.
    #[must_use]
    pub fn cookie<'d>(&self, datagram: &'d [u8]) -> Option<&'d [u8]> {
        at(self.cookie, datagram)
    }

    /// The data of the client subnet option; `datagram` is the one that was glanced at.
    #[must_use]
    pub fn subnet<'d>(&self, datagram: &'d [u8]) -> Option<&'d [u8]> {
        at(self.subnet, datagram)
    }
}

fn at(place: Option<(u16, u8)>, datagram: &[u8]) -> Option<&[u8]> {
    let (at, length) = place?;
    datagram.get(usize::from(at)..usize::from(at) + usize::from(length))
}

/// Looks at `datagram`; `keyed` hashes its question.
#[must_use]
pub fn glance(datagram: &[u8], keyed: &Keyed) -> Glance {
    match datagram {
        [_, _, bits, _, _, _, _, _, _, _, _, _, ..] if bits & 0x80 == 0 => {
            plain(datagram, keyed).map_or(Glance::Unsure, Glance::Plain)
        }
        [_, _, _, _, _, _, _, _, _, _, _, _, ..] => Glance::Silence(Event::SilenceResponse),
        _ => Glance::Silence(Event::SilenceShort),
    }
}

fn plain(datagram: &[u8], keyed: &Keyed) -> Option<Glanced> {
    let &[i0, i1, f0, f1, 0, 1, 0, 0, 0, 0, 0, additionals @ 0..=1] = datagram.first_chunk::<HEADER>()? else {
        return None;
    };
    let bits = u16::from_be_bytes([f0, f1]);
    if bits & !(RD | AD | CD) != 0 {
        return None; // another opcode, or flags that no query has
    }
    let qname_length = name_length(datagram.get(HEADER..)?)?;
    let (&[t0, t1, c0, c1], rest) = datagram.get(HEADER + qname_length..)?.split_first_chunk::<4>()?;
    let qtype = RecordType(u16::from_be_bytes([t0, t1]));
    if qtype.is_meta() || u16::from_be_bytes([c0, c1]) != Class::IN.0 {
        return None;
    }
    let Opt { udp_size, dnssec_ok, cookie, subnet } = match (additionals, rest) {
        (0, []) => Opt::default(),
        (1, rest) => opt(datagram, rest)?,
        _ => return None,
    };
    let (recursion_desired, checking_disabled) = (bits & RD != 0, bits & CD != 0);
    let end = HEADER + qname_length + 4;
    let hash = question_hash(keyed, datagram, end, qtype, key_bits(recursion_desired, checking_disabled, dnssec_ok));
    Some(Glanced {
        id: u16::from_be_bytes([i0, i1]),
        recursion_desired,
        authentic_data: bits & AD != 0,
        checking_disabled,
        qtype,
        qname_length: u8::try_from(qname_length).ok()?,
        udp_size,
        dnssec_ok,
        cookie,
        subnet,
        hash,
    })
}

/// The length of the uncompressed name at the start of `bytes`.
pub(super) fn name_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while at < NAME_MAX {
        match bytes.get(at) {
            Some(0) => return Some(at + 1),
            Some(&length) if usize::from(length) <= LABEL_MAX => at += 1 + usize::from(length),
            _ => return None,
        }
    }
    None
}

/// What an OPT record says, as [`Glanced`] has it.
#[derive(Default)]
struct Opt {
    udp_size: Option<u16>,
    dnssec_ok: bool,
    cookie: Option<(u16, u8)>,
    subnet: Option<(u16, u8)>,
}

/// The OPT record that fills `bytes`, the rest of `datagram`, to the end: version 0, harmless options only.
fn opt(datagram: &[u8], bytes: &[u8]) -> Option<Opt> {
    let (&[0, 0, 41, s0, s1, 0, 0, flags, _, l0, l1], mut options) = bytes.split_first_chunk::<OPT_SIZE>()? else {
        return None;
    };
    if options.len() != usize::from(u16::from_be_bytes([l0, l1])) {
        return None;
    }
    let mut opt = Opt { udp_size: Some(u16::from_be_bytes([s0, s1])), dnssec_ok: flags & 0x80 != 0, ..Opt::default() };
    for _ in 0..bounds::EDNS_OPTIONS_MAX {
        if options.is_empty() {
            return Some(opt);
        }
        let (&[c0, c1, l0, l1], rest) = options.split_first_chunk::<4>()?;
        let left = rest.len();
        let (data, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([l0, l1])))?;
        let code = u16::from_be_bytes([c0, c1]);
        if !is_harmless(code, data.len()) {
            return None;
        }
        let place = || Some((u16::try_from(datagram.len().checked_sub(left)?).ok()?, u8::try_from(data.len()).ok()?));
        // Of several the first counts.
        match code {
            option::COOKIE if opt.cookie.is_none() => opt.cookie = Some(place()?),
            option::CLIENT_SUBNET if opt.subnet.is_none() => opt.subnet = Some(place()?),
            _ => {}
        }
        options = rest;
    }
    None
}

/// DO and the data of the first cookie option of a query that is not plain, as far as they can be told without
/// parsing: its OPT record follows its question. None where it has none.
#[must_use]
pub fn opt_of(datagram: &[u8]) -> Option<(bool, Option<&[u8]>)> {
    let &[_, _, _, _, 0, 1, 0, 0, 0, 0, _, additionals] = datagram.first_chunk::<HEADER>()? else { return None };
    let question = datagram.get(HEADER..)?;
    let behind = question.get(name_length(question)? + 4..).filter(|_| additionals > 0)?;
    let (&[0, 0, 41, _, _, _, _, flags, _, l0, l1], rest) = behind.split_first_chunk::<OPT_SIZE>()? else {
        return None;
    };
    let mut options = rest.get(..usize::from(u16::from_be_bytes([l0, l1])))?;
    for _ in 0..bounds::EDNS_OPTIONS_MAX {
        let Some((&[c0, c1, l0, l1], rest)) = options.split_first_chunk::<4>() else { break };
        let (data, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([l0, l1])))?;
        if u16::from_be_bytes([c0, c1]) == option::COOKIE {
            return Some((flags & 0x80 != 0, Some(data)));
        }
        options = rest;
    }
    Some((flags & 0x80 != 0, None))
}

/// QTYPE of a query that is not plain, as far as it can be told without parsing.
#[must_use]
pub fn type_of(datagram: &[u8]) -> Option<RecordType> {
    let question = datagram.get(HEADER..)?;
    let rest = question.get(name_length(question)?..)?;
    rest.first_chunk().map(|number| RecordType(u16::from_be_bytes(*number)))
}

/// Whether an option of a query leaves what is remembered of its answer as it is without it: padding, a cookie of
/// lawful length, and a client subnet, for which the answer's own word counts.
#[must_use]
pub fn is_harmless(code: u16, length: usize) -> bool {
    match code {
        option::PADDING | option::CLIENT_SUBNET => true,
        option::COOKIE => matches!(length, 8 | 16..=40),
        _ => false,
    }
}

/// What of a question beside QNAME and QTYPE makes another answer of it.
#[must_use]
pub fn key_bits(recursion_desired: bool, checking_disabled: bool, dnssec_ok: bool) -> u8 {
    u8::from(recursion_desired) | u8::from(checking_disabled) << 1 | u8::from(dnssec_ok) << 2
}

/// The hash of the question that stands in `message` before octet `end`, whatever the case of its letters. It is
/// keyed, so nobody can choose names that collide.
#[must_use]
pub fn question_hash(keyed: &Keyed, message: &[u8], end: usize, qtype: RecordType, bits: u8) -> u64 {
    let mut hasher = keyed.build_hasher();
    let question = message.get(HEADER..end).unwrap_or_default();
    for block in question.as_chunks::<16>().0 {
        hasher.write_u128(lowered(*block));
    }
    hasher.write_u128(lowered(last_block(message, end)));
    // The type once more, as letters were lowered in it too.
    hasher.write_u64((question.len() as u64) << 32 | u64::from(qtype.0) << 8 | u64::from(bits));
    hasher.finish()
}

/// Whether the questions before octet `end` of two messages are the same, whatever the case of their letters.
#[must_use]
pub fn is_same_question(one: &[u8], other: &[u8], end: usize) -> bool {
    let (Some(one_question), Some(other_question)) = (one.get(HEADER..end), other.get(HEADER..end)) else {
        return false;
    };
    let mut blocks = one_question.as_chunks::<16>().0.iter().zip(other_question.as_chunks::<16>().0);
    // The name's end stands at the same octet in both or they differ. QTYPE and QCLASS have no letters.
    one_question.last_chunk::<4>() == other_question.last_chunk::<4>()
        && blocks.all(|(one, other)| is_same_block(*one, *other))
        && is_same_block(last_block(one, end), last_block(other, end))
}

/// Most who ask again write their letters as those before them.
fn is_same_block(one: [u8; 16], other: [u8; 16]) -> bool {
    one == other || lowered(one) == lowered(other)
}

/// The last 16 octets of the question before octet `end`; of a shorter question all, without the header's octets
/// in front. Reading whole blocks that overlap is several times quicker than reading the odd octets one by one.
fn last_block(message: &[u8], end: usize) -> [u8; 16] {
    let Some(last) = message.get(..end).and_then(<[u8]>::last_chunk::<16>) else { return [0; 16] };
    let foreign = (HEADER + 16).saturating_sub(end);
    if foreign == 0 { *last } else { (u128::from_le_bytes(*last) >> (8 * foreign.min(15))).to_le_bytes() }
}

/// 16 octets, capital letters made small, all at once: no sum below overflows its octet. A length octet is at most
/// 63 and so no capital letter.
const fn lowered(block: [u8; 16]) -> u128 {
    const EACH: u128 = u128::MAX / 0xFF;
    let word = u128::from_le_bytes(block);
    let ascii = word & (EACH * 0x7F);
    let from_a = ascii + EACH * (0x80 - b'A' as u128);
    let past_z = ascii + EACH * (0x7F - b'Z' as u128);
    let capitals = from_a & !past_z & !word & (EACH * 0x80);
    word | capitals >> 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_capital_letters_are_made_small() {
        for octet in 0..=u8::MAX {
            for at in 0..16 {
                let mut block = [b'Z'; 16];
                block[at] = octet;
                assert_eq!(lowered(block).to_le_bytes(), block.map(|octet| octet.to_ascii_lowercase()));
            }
        }
    }

    #[test]
    fn a_question_is_found_by_its_octets_alone() {
        let keyed = crate::base::collections::keyed(&mut crate::base::Dice::from_number(1));
        // Names of every length around the blocks; the header's octets must not count, nor what follows.
        for label in 1..=63_u8 {
            let question = [&[label][..], &vec![b'n'; usize::from(label)], &[0, 0, 1, 0, 1]].concat();
            let end = HEADER + question.len();
            let one = [&[1; HEADER][..], &question, &[7; 30]].concat();
            let mut other = [&[2; HEADER][..], &question.to_ascii_uppercase()].concat();
            let hash = |message: &[u8]| question_hash(&keyed, message, end, RecordType::A, 0);
            assert!(is_same_question(&one, &other, end));
            assert_eq!(hash(&one), hash(&other));
            for at in HEADER..end {
                other[at] ^= 1;
                assert!(!is_same_question(&one, &other, end), "octet {at} of {end}");
                assert_ne!(hash(&one), hash(&other));
                other[at] ^= 1;
            }
        }
    }
}
