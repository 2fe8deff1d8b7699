//! A finished response and the places in it that differ from one asker of the question to the next.
//!
//! In comes a sealed response from which nothing was left out. Kept are its bytes without the OPT record. Out
//! goes, for every later query for the same question, the response that the slow tempo would have composed: id,
//! RD, CD, AD and the question's letters are those of the query, TTLs are lowered by the answer's age, and an OPT
//! record follows where the query had one. Owner names that point to the question follow its letters by
//! themselves.

use super::cookie::{WHOLE_COOKIE, WholeCookie};
use super::edns::{OPT_SIZE, option};
use super::run::{RUN, Run};
use super::wire::Glanced;
use super::wire::brief::append_cookie;
use super::wire::glance::is_same_question;
use super::{ClientSubnet, Rcode};
use crate::base::bounds;

const HEADER: usize = 12;
/// Octets before the message.
const FIXED: usize = 24;
/// Bits of the last of these octets.
const AUTHENTIC: u8 = 1;
const HEEDS_SUBNET: u8 = 2;

/// What a response is prepared from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Source<'a> {
    /// The response without its OPT record; the header's ARCOUNT may count that.
    pub sections: &'a [u8],
    /// Whether ARCOUNT counts an OPT record.
    pub has_opt: bool,
    /// Where the TTLs stand.
    pub ttls: &'a [u16],
    /// The options of the OPT record for those who send one, in wire form.
    pub options: &'a [u8],
    /// Records that come in another order from query to query.
    pub runs: &'a [Run],
    /// The response code.
    pub rcode: Rcode,
    /// Whether the data are authentic: AD is set for those who understand it.
    pub is_authentic: bool,
    /// The second in which the TTLs are right.
    pub prepared_at: u64,
    /// The first second in which the answer may no longer be given.
    pub until: u64,
    /// What the response is counted as when it is given; whoever counts knows what it means.
    pub account: u64,
    /// Whether a client subnet option is heeded, and so echoed.
    pub heeds_subnet: bool,
    /// Which of several answers to the question it is, up to 255 octets; empty for the only one.
    pub pick: &'a [u8],
}

/// What goes along with a response to one asker, behind what is everybody's.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extras<'a> {
    /// The client subnet, and the scope in which the answer holds.
    pub subnet: Option<(ClientSubnet, u8)>,
    /// The cookie.
    pub cookie: Option<&'a WholeCookie>,
}

/// A finished response, to be patched for each asker; read where it lies.
///
/// ```text
/// account 8 │ prepared_at 4 │ until 4 │ message's length 2 │ TTLs 2 │ rcode's upper bits 1 │ runs 1 │ pick's length 1
/// │ bits 1 │ message │ offsets of its TTLs, 2 each │ options │ runs │ pick
/// ```
#[derive(Clone, Copy, Debug)]
pub struct PreparedAnswer<'a> {
    fixed: &'a [u8; FIXED],
    block: &'a [u8],
}

impl<'a> PreparedAnswer<'a> {
    /// Prepares a response behind what `out` holds; none, and nothing of use there, if it is no response with one
    /// question, or past the bounds of its offsets.
    #[must_use]
    pub fn compose(source: &Source<'_>, out: &mut Vec<u8>) -> Option<()> {
        out.extend_from_slice(&source.account.to_ne_bytes());
        out.extend_from_slice(&u32::try_from(source.prepared_at).ok()?.to_ne_bytes());
        out.extend_from_slice(&u32::try_from(source.until).ok()?.to_ne_bytes());
        out.extend_from_slice(&u16::try_from(source.sections.len()).ok()?.to_ne_bytes());
        out.extend_from_slice(&u16::try_from(source.ttls.len()).ok()?.to_ne_bytes());
        let authentic = if source.is_authentic { AUTHENTIC } else { 0 };
        let bits = authentic | if source.heeds_subnet { HEEDS_SUBNET } else { 0 };
        let (runs, pick) = (u8::try_from(source.runs.len()).ok()?, u8::try_from(source.pick.len()).ok()?);
        out.extend_from_slice(&[(source.rcode.0 >> 4) as u8, runs, pick, bits]);
        let start = out.len();
        out.extend_from_slice(source.sections);
        let header = out.get_mut(start..)?.first_chunk_mut::<HEADER>()?;
        if header.get(4..6) != Some(&[0, 1]) {
            return None;
        }
        let [_, _, first, second, .., a0, a1] = header;
        *first &= !0x01; // RD
        *second &= !0x30; // AD, CD
        let additionals = u16::from_be_bytes([*a0, *a1]).checked_sub(u16::from(source.has_opt))?;
        [*a0, *a1] = additionals.to_be_bytes();
        for at in source.ttls {
            out.extend_from_slice(&at.to_be_bytes());
        }
        out.extend_from_slice(source.options);
        source.runs.iter().for_each(|run| out.extend_from_slice(&run.to_octets()));
        out.extend_from_slice(source.pick);
        Some(())
    }

    /// The response that was composed into `octets`.
    #[must_use]
    pub fn read(octets: &'a [u8]) -> Option<Self> {
        let (fixed, block) = octets.split_first_chunk()?;
        Some(Self { fixed, block })
    }

    /// Whether the answer may be given in second `now`.
    #[must_use]
    pub fn is_fresh(&self, now: u64) -> bool {
        let [_, _, _, _, _, _, _, _, _, _, _, _, u0, u1, u2, u3, ..] = *self.fixed;
        now < u64::from(u32::from_ne_bytes([u0, u1, u2, u3]))
    }

    /// Whether this answers the query `glanced`, which came as `datagram`, whatever the case of its letters, by `pick`.
    #[must_use]
    pub fn is_for(&self, glanced: &Glanced, datagram: &[u8], pick: &[u8]) -> bool {
        self.is_to(datagram, glanced.question_end(), pick)
    }

    /// Whether this answers the question that ends before octet `end` of `message`, by `pick`.
    #[must_use]
    pub fn is_to(&self, message: &[u8], end: usize, pick: &[u8]) -> bool {
        is_same_question(self.block, message, end) && self.pick() == pick
    }

    /// Which of several answers to the question it is.
    fn pick(&self) -> &'a [u8] {
        let [.., length, _] = *self.fixed;
        let at = self.block.len().saturating_sub(usize::from(length));
        self.block.get(at..).unwrap_or_default()
    }

    /// Whether a client subnet option is heeded, and so echoed.
    #[must_use]
    pub const fn heeds_subnet(&self) -> bool {
        let [.., bits] = *self.fixed;
        bits & HEEDS_SUBNET != 0
    }

    /// What the response is counted as, as [`Source::account`] said.
    #[must_use]
    pub const fn account(&self) -> u64 {
        let [a0, a1, a2, a3, a4, a5, a6, a7, ..] = *self.fixed;
        u64::from_ne_bytes([a0, a1, a2, a3, a4, a5, a6, a7])
    }

    /// Writes the response to the query `glanced`, which came as `datagram`, into `out`, as of second `now`, with
    /// `extras`. False, and nothing of use in `out`, if it would be longer than `limit`: the slow tempo then truncates.
    ///
    /// The caller has made sure with [`PreparedAnswer::is_for`] that the question is this one.
    #[must_use]
    pub fn patch(
        &self,
        glanced: &Glanced,
        datagram: &[u8],
        limit: usize,
        extras: Extras<'_>,
        now: u64,
        out: &mut Vec<u8>,
    ) -> bool {
        self.patched(glanced, datagram, limit, extras, now, out).is_some()
    }

    fn patched(
        &self,
        glanced: &Glanced,
        datagram: &[u8],
        limit: usize,
        extras: Extras<'_>,
        now: u64,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        let [.., p0, p1, p2, p3, _, _, _, _, m0, m1, t0, t1, rcode_high, runs, pick_length, bits] = *self.fixed;
        let (message, rest) = self.block.split_at_checked(usize::from(u16::from_ne_bytes([m0, m1])))?;
        let (ttls, rest) = rest.split_at_checked(2 * usize::from(u16::from_ne_bytes([t0, t1])))?;
        let runs_at = rest.len().checked_sub(usize::from(pick_length) + RUN * usize::from(runs))?;
        let (options, runs) = (rest.get(..runs_at)?, rest.get(runs_at..runs_at + RUN * usize::from(runs))?);
        let extras_length = extras.cookie.map_or(0, |_| 4 + WHOLE_COOKIE)
            + extras.subnet.map_or(0, |(subnet, _)| 4 + subnet.echo_length());
        let opt_length = glanced.udp_size.map_or(0, |_| OPT_SIZE + options.len() + extras_length);
        if message.len() + opt_length > limit {
            return None;
        }
        out.clear();
        out.reserve(message.len() + opt_length);
        out.extend_from_slice(message);
        let [i0, i1, first, second, ..] = out.first_chunk_mut::<HEADER>()?;
        [*i0, *i1] = glanced.id.to_be_bytes();
        *first |= u8::from(glanced.recursion_desired);
        let is_authentic = bits & AUTHENTIC != 0 && (glanced.dnssec_ok || glanced.authentic_data);
        *second |= u8::from(is_authentic) << 5 | u8::from(glanced.checking_disabled) << 4;
        let question = glanced.question(datagram);
        out.get_mut(HEADER..HEADER + question.len())?.copy_from_slice(question);
        let prepared_at = u32::from_ne_bytes([p0, p1, p2, p3]);
        for run in runs.as_chunks::<RUN>().0 {
            Run::from_octets(*run).turn(glanced.id, message, out)?;
        }
        let age = u32::try_from(now.saturating_sub(u64::from(prepared_at))).unwrap_or(u32::MAX);
        if age > 0 {
            for at in ttls.as_chunks::<2>().0 {
                let ttl = out.get_mut(usize::from(u16::from_be_bytes(*at))..)?.first_chunk_mut::<4>()?;
                *ttl = u32::from_be_bytes(*ttl).saturating_sub(age).to_be_bytes();
            }
        }
        if glanced.udp_size.is_some() {
            let length = u16::try_from(options.len() + extras_length).ok()?;
            append_opt([rcode_high, u8::from(glanced.dnssec_ok) << 7], options, extras, length, out)?;
        }
        Some(())
    }
}

/// The OPT record with `length` octets of options, in the order in which the seal writes them; `bits` are the response
/// code's upper ones and the first octet of flags.
fn append_opt(
    [rcode_high, flags]: [u8; 2],
    options: &[u8],
    extras: Extras<'_>,
    length: u16,
    out: &mut Vec<u8>,
) -> Option<()> {
    let [s0, s1] = (bounds::UDP_RESPONSE_MAX as u16).to_be_bytes();
    let [l0, l1] = length.to_be_bytes();
    out.extend_from_slice(&[0, 0, 41, s0, s1, rcode_high, 0, flags, 0, l0, l1]);
    if let Some((subnet, scope)) = extras.subnet {
        let [c0, c1] = option::CLIENT_SUBNET.to_be_bytes();
        out.extend_from_slice(&[c0, c1, 0, subnet.echo_length() as u8]);
        subnet.append_echo(scope, out);
    }
    out.extend_from_slice(options);
    append_cookie(out, extras.cookie);
    let [.., a0, a1] = out.first_chunk_mut::<HEADER>()?;
    [*a0, *a1] = (u16::from_be_bytes([*a0, *a1]) + 1).to_be_bytes();
    Some(())
}
