//! Brief responses: header, question, at most an OPT record. What a limited client is told, made in place and without
//! parsing, so that it costs less than what it stands for.

use super::glance::name_length;
use crate::base::bounds;
use crate::dns::Rcode;
use crate::dns::cookie::{WHOLE_COOKIE, WholeCookie};
use crate::dns::edns::{OPT_SIZE, option};

const HEADER: usize = 12;

/// The OPT record of a brief response, for those who sent one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BriefOpt {
    /// DO, as the query had it.
    pub dnssec_ok: bool,
    /// What the cookie option holds, if there is one.
    pub cookie: Option<WholeCookie>,
}

/// Makes of `message`, a query or a response to it, the brief response: id, opcode, RD, CD, RA and the question stay,
/// TC is `is_truncated`. False, and nothing of use in `message`, if it has not exactly one question.
#[must_use]
pub fn cut_short(message: &mut Vec<u8>, rcode: Rcode, is_truncated: bool, opt: Option<BriefOpt>) -> bool {
    shortened(message, rcode, is_truncated, opt).is_some()
}

fn shortened(message: &mut Vec<u8>, rcode: Rcode, is_truncated: bool, opt: Option<BriefOpt>) -> Option<()> {
    let end = question_end(message)?;
    message.truncate(end);
    let [_, _, first, second, counts @ ..] = message.first_chunk_mut::<HEADER>()?;
    // QR, opcode, AA, TC, RD; then RA, Z, AD, CD, RCODE.
    *first = 0x80 | *first & 0x79 | u8::from(is_truncated) << 1;
    *second = *second & 0x90 | (rcode.0 & 0xF) as u8;
    *counts = [0, 1, 0, 0, 0, 0, 0, u8::from(opt.is_some())];
    if let Some(opt) = opt {
        let options = if opt.cookie.is_some() { 4 + WHOLE_COOKIE as u8 } else { 0 };
        let [s0, s1] = (bounds::UDP_RESPONSE_MAX as u16).to_be_bytes();
        let flags = u8::from(opt.dnssec_ok) << 7;
        let fixed: [u8; OPT_SIZE] = [0, 0, 41, s0, s1, (rcode.0 >> 4) as u8, 0, flags, 0, 0, options];
        message.extend_from_slice(&fixed);
        append_cookie(message, opt.cookie.as_ref());
    }
    Some(())
}

/// Appends a cookie option, if there is one.
pub fn append_cookie(message: &mut Vec<u8>, cookie: Option<&WholeCookie>) {
    if let Some(cookie) = cookie {
        let [c0, c1] = option::COOKIE.to_be_bytes();
        message.extend_from_slice(&[c0, c1, 0, WHOLE_COOKIE as u8]);
        message.extend_from_slice(cookie);
    }
}

/// The octet after the only question of `message`, whose name is not compressed.
fn question_end(message: &[u8]) -> Option<usize> {
    let header = message.first_chunk::<HEADER>()?;
    if header.get(4..6) != Some(&[0, 1]) {
        return None;
    }
    let end = HEADER + name_length(message.get(HEADER..)?)? + 4;
    (end <= message.len()).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::{Edns, Flags, Message, Question, RecordType};
    use proptest::prelude::*;

    #[test]
    fn a_brief_response_echoes_its_query() {
        let question = Question::new("Www.Example.".parse().unwrap(), RecordType::A);
        let query = Message {
            id: 4711,
            flags: Flags { recursion_desired: true, checking_disabled: true, ..Flags::default() },
            questions: smallvec::smallvec![question.clone()],
            edns: Some(Edns { udp_size: 4096, dnssec_ok: true, options: vec![(3, Vec::new())], ..Edns::default() }),
            ..Message::default()
        };
        let mut bytes = Vec::new();
        query.compose(&mut bytes, bounds::MESSAGE_MAX).unwrap();
        let opt = BriefOpt { dnssec_ok: true, cookie: Some([9; WHOLE_COOKIE]) };
        for (rcode, is_truncated) in [(Rcode::NOERROR, true), (Rcode::BADCOOKIE, false)] {
            let mut brief = bytes.clone();
            assert!(cut_short(&mut brief, rcode, is_truncated, Some(opt)));
            let message = Message::parse(&brief).unwrap();
            assert_eq!((message.id, message.rcode, message.flags.truncated), (4711, rcode, is_truncated));
            assert!(message.flags.response && message.flags.recursion_desired && message.flags.checking_disabled);
            assert!(message.questions[0].name.is_same_case(&question.name));
            let edns = message.edns.unwrap();
            assert_eq!((edns.udp_size, edns.dnssec_ok), (1232, true));
            assert_eq!(edns.option(option::COOKIE), Some(&[9; WHOLE_COOKIE][..]));
        }
        let mut plain = bytes.clone();
        assert!(cut_short(&mut plain, Rcode::REFUSED, false, None));
        assert_eq!(Message::parse(&plain).unwrap().edns, None);
    }

    proptest! {
        #[test]
        fn whatever_is_cut_short_can_be_read(mut bytes: Vec<u8>, has_opt: bool) {
            let opt = has_opt.then_some(BriefOpt { dnssec_ok: false, cookie: None });
            let length = bytes.len();
            if let Some(counts) = bytes.get_mut(4..6) {
                counts.copy_from_slice(&[0, 1]);
            }
            if cut_short(&mut bytes, Rcode::NOERROR, true, opt) {
                prop_assert!(Message::parse(&bytes).is_ok());
                prop_assert!(bytes.len() <= length + OPT_SIZE);
            }
        }
    }
}
