//! From a decided answer to bytes: header, sections, OPT, truncation. The only place that writes responses.

use std::time::Duration;

use smallvec::SmallVec;

use super::answer::{Aged, Answer};
use super::query::{Carrier, Query};
use crate::base::bounds;
use crate::dns::cookie::WholeCookie;
use crate::dns::edns::{OPT_SIZE, keepalive, option};
use crate::dns::run::{Run, first_of};
use crate::dns::wire::{Composer, Section, compose::Full};
use crate::dns::{Class, Edns, Flags, RecordType, RrSet};

/// What a sealed response is, beside its bytes.
#[derive(Clone, Debug, Default)]
pub struct Sealed {
    /// Where its TTLs stand, for answers that are remembered.
    pub ttls: SmallVec<[u16; 16]>,
    /// Records that come in another order from query to query.
    pub runs: SmallVec<[Run; 2]>,
    /// Whether AD is set for who understands it.
    pub is_authentic: bool,
    /// Whether the same question's next answer differs by nothing that is not known of this one.
    pub is_repeatable: bool,
    /// Where its sections end and its OPT record, if there is one, begins.
    pub sections_end: usize,
    /// Whether something had to be left out, so that TC is set.
    pub is_truncated: bool,
    /// Whether nothing was left out: no RRset, not even one of the additional section, and no word of the EDE.
    pub is_whole: bool,
    /// What the response is counted as when it is given again; 0 for nothing. Whoever limits sets it.
    pub account: u64,
}

/// Writes the response to `query` into `out`. `recursion_available` is RA.
///
/// UDP responses keep to the client's payload size, at least 512 and at most 1232 octets; what does not fit
/// sets TC, save in the additional section, where it is left out (RFC 2181 §9) unless it is glue. RRsets are written
/// whole or not at all, but for the last one of an answer that is cut, of which stub resolvers get as many records as fit.
pub fn seal(query: &Query, answer: &Answer, recursion_available: bool, out: &mut Vec<u8>) -> Sealed {
    seal_as(query, answer, recursion_available, Extras::default(), out)
}

/// Options of a response that say something of the server and its client, not of the answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extras<'a> {
    /// The server's name: those who ask by the NSID option are told, where there is room (RFC 5001 §2.2). An empty one
    /// is not told.
    pub nsid: &'a [u8],
    /// The cookie for a client that sent one; it takes its room before the answer does (RFC 7873 §5.2).
    pub cookie: Option<&'a WholeCookie>,
    /// Whether addresses and mail exchangers come in another order from query to query.
    pub rotates: bool,
    /// How long an idle connection is kept: those who ask by the keepalive option over TCP are told (RFC 7828 §3.3.2).
    pub idle: Option<Duration>,
}

/// As [`seal`], with `extras`.
pub fn seal_as(
    query: &Query,
    answer: &Answer,
    recursion_available: bool,
    extras: Extras<'_>,
    out: &mut Vec<u8>,
) -> Sealed {
    let flags = Flags {
        response: true,
        opcode: query.flags.opcode,
        authoritative: answer.authoritative,
        truncated: false,
        recursion_desired: query.flags.recursion_desired,
        recursion_available,
        // AD only where the client can understand it (RFC 6840 §5.7).
        authentic_data: answer.authentic && (query.wants_dnssec() || query.flags.authentic_data),
        checking_disabled: query.flags.checking_disabled,
    };
    compose(query, answer, flags, extras, out).unwrap_or_default()
}

/// The largest response, octets, over `carrier` to a client whose OPT record, if it sent one, says `udp_size`.
#[must_use]
pub fn response_limit(carrier: Carrier, udp_size: Option<u16>) -> usize {
    match carrier {
        Carrier::Tcp => bounds::MESSAGE_MAX,
        Carrier::Udp => udp_size.map_or(bounds::UDP_RESPONSE_FLOOR, |size| {
            usize::from(size).clamp(bounds::UDP_RESPONSE_FLOOR, bounds::UDP_RESPONSE_MAX)
        }),
    }
}

fn compose(
    query: &Query,
    answer: &Answer,
    flags: Flags,
    extras: Extras<'_>,
    out: &mut Vec<u8>,
) -> Result<Sealed, Full> {
    let Extras { nsid, cookie, rotates, idle } = extras;
    let mut order =
        Order { id: query.id, rotates: rotates && !answer.is_ordered, is_repeatable: true, runs: SmallVec::new() };
    let class = query.question.class;
    let wants_dnssec = query.wants_dnssec();
    let limit = response_limit(query.asker.carrier, query.edns.as_ref().map(|edns| edns.udp_size));
    let mut opt = query.edns.as_ref().map(|_| Edns {
        udp_size: bounds::UDP_RESPONSE_MAX as u16,
        version: 0,
        dnssec_ok: wants_dnssec,
        options: Vec::new(),
    });
    let mut composer = Composer::new(out, limit, query.id, flags, answer.rcode)?;
    composer.question(&query.question)?;
    let cookie = cookie.filter(|_| opt.is_some());
    let cookie_size = cookie.map_or(0, |cookie| 4 + cookie.len());
    let mut reserved = if opt.is_some() { OPT_SIZE + cookie_size } else { 0 };
    // An answer without it would be taken for one that ignores the option, so its room goes before the records'.
    if let (Some(opt), Some((code, data))) = (&mut opt, echo(query, answer)) {
        reserved += 4 + data.len();
        opt.options.push((code, data));
    }
    let asks_idle = query.asker.carrier == Carrier::Tcp && query.asks_keepalive();
    if let (Some(opt), Some(idle)) = (&mut opt, idle.filter(|_| asks_idle)) {
        let (code, data) = keepalive(idle);
        reserved += 4 + data.len();
        opt.options.push((code, data));
    }
    composer.reserve(reserved);
    let mut is_truncated = false;
    'sections: for (section, sets) in [(Section::Answer, &answer.answer), (Section::Authority, &answer.authority)] {
        for aged in sets {
            let mark = composer.mark();
            if write(&mut composer, section, class, aged, wants_dnssec, &mut order).is_err() {
                if section != Section::Answer || !may_tear(query, aged) {
                    composer.undo(mark);
                }
                is_truncated = true;
                break 'sections;
            }
        }
    }
    let mut is_whole = !is_truncated;
    let asks_who = query.edns.as_ref().is_some_and(|edns| edns.option(option::NSID).is_some());
    if let Some(opt) = opt.as_mut().filter(|_| asks_who && !nsid.is_empty())
        && 4 + nsid.len() <= composer.room()
    {
        reserved += 4 + nsid.len();
        opt.options.push((option::NSID, nsid.to_vec()));
        composer.reserve(reserved);
    }
    if let (Some(opt), Some(ede)) = (&mut opt, &answer.ede) {
        // An EDE takes what room the answer leaves, never more (RFC 8914 §3): its text goes first.
        let (code, mut data) = ede.to_option();
        if 4 + data.len() > composer.room() {
            data.truncate(2);
            is_whole = false;
        }
        if 4 + data.len() <= composer.room() {
            reserved += 4 + data.len();
            opt.options.push((code, data));
        }
        composer.reserve(reserved);
    }
    if !is_truncated {
        for aged in &answer.additional {
            let mark = composer.mark();
            if write(&mut composer, Section::Additional, class, aged, wants_dnssec, &mut order).is_err() {
                composer.undo(mark);
                is_whole = false;
                is_truncated |= is_glue(answer, aged);
            }
        }
    }
    if let (Some(opt), Some(cookie)) = (&mut opt, cookie) {
        opt.options.push((option::COOKIE, cookie.to_vec())); // the last one, as a recall appends it
    }
    composer.reserve(0);
    let sections_end = composer.position();
    if let Some(opt) = &opt {
        composer.opt(opt, answer.rcode)?;
    }
    if is_truncated {
        composer.truncate();
    }
    let Order { runs, is_repeatable, .. } = order;
    let (ttls, is_authentic) = (composer.finish(), answer.authentic);
    Ok(Sealed { ttls, runs, is_authentic, is_repeatable, sections_end, is_truncated, is_whole, account: 0 })
}

/// The client subnet option of the response (RFC 7871 §7.2.1): only to those who sent one.
fn echo(query: &Query, answer: &Answer) -> Option<(u16, Vec<u8>)> {
    let subnet = query.edns.as_ref()?.client_subnet().ok()??;
    Some(subnet.echo(answer.scope?))
}

/// Whether `aged` holds addresses of an in-domain name server of a referral: without them the client cannot go
/// on, so leaving them out sets TC (RFC 9471 §3.1).
fn is_glue(answer: &Answer, aged: &Aged) -> bool {
    !answer.authoritative
        && matches!(aged.set.rtype, RecordType::A | RecordType::AAAA)
        && answer
            .authority
            .iter()
            .any(|cut| cut.set.rtype == RecordType::NS && aged.set.owner.is_within(&cut.set.owner))
}

/// Whether a part of an RRset is worth more than nothing to whoever asks (decision 15): to stub resolvers that do without
/// signatures, where each record can stand for the others. A part of other sets would say what the whole does not.
fn may_tear(query: &Query, aged: &Aged) -> bool {
    use RecordType as T;
    let is_stub = query.has_recursion() && !query.wants_dnssec();
    is_stub && matches!(aged.set.rtype, T::A | T::AAAA | T::MX | T::PTR | T::SRV)
}

/// Writes an RRset with its signatures, as far as there is room.
fn write(
    composer: &mut Composer<'_>,
    section: Section,
    class: Class,
    aged: &Aged,
    wants_dnssec: bool,
    order: &mut Order,
) -> Result<(), Full> {
    let set = &aged.set;
    let mut record = |rtype, rdata: &[u8]| {
        composer.record(section, &set.owner, rtype, class, aged.ttl, rdata).map(|()| composer.position())
    };
    let mut ends: SmallVec<[usize; 16]> = SmallVec::new();
    let first = order.first_of(section, set);
    let mut rotated = set.rdatas.iter().skip(first.unwrap_or(0)).chain(set.rdatas.iter().take(first.unwrap_or(0)));
    let mut signatures = set.signatures.iter().filter(|_| wants_dnssec);
    let written = rotated
        .try_for_each(|rdata| record(set.rtype, rdata).map(|end| ends.push(end)))
        .and_then(|()| signatures.try_for_each(|signature| record(RecordType::RRSIG, signature).map(drop)));
    if let (Ok(()), Some(first)) = (written, first) {
        order.note(set, &ends, first);
    }
    written
}

/// In which order records are written, and what was in another order than it could have been.
struct Order {
    id: u16,
    rotates: bool,
    is_repeatable: bool,
    runs: SmallVec<[Run; 2]>,
}

impl Order {
    /// Which record of `set` is written first, where it need not be the first one.
    fn first_of(&self, section: Section, set: &RrSet) -> Option<usize> {
        let is_turned = matches!(set.rtype, RecordType::A | RecordType::AAAA | RecordType::MX);
        if !self.rotates || section != Section::Answer || !is_turned {
            return None;
        }
        let count = set.rdatas.len();
        (count > 1).then(|| first_of(self.id, count))
    }

    /// The records of `set` stand before these ends, the one of number `first` before the first of them.
    fn note(&mut self, set: &RrSet, ends: &[usize], first: usize) {
        let width = set.rdatas.iter().next().map_or(0, <[u8]>::len);
        let places: SmallVec<[usize; 16]> = ends.iter().filter_map(|end| end.checked_sub(width)).collect();
        // Names of mail exchangers are compressed against those before them, so their order makes other octets.
        match Run::of(&places, width, first).filter(|_| set.rtype != RecordType::MX) {
            Some(run) => self.runs.push(run),
            None => self.is_repeatable = false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::chain::Asker;
    use crate::dns::{Ede, EdeCode, Message, Name, Question};

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn query(udp_size: Option<u16>) -> Query {
        Query {
            id: 1,
            flags: Flags::default(),
            question: Question::new(name("Www.Example."), RecordType::A),
            edns: udp_size.map(|udp_size| Edns { udp_size, ..Edns::default() }),
            asker: Asker {
                address: "192.0.2.1:5353".parse().unwrap(),
                local: None,
                carrier: Carrier::Udp,
                may_recurse: true,
                group: 0,
            },
        }
    }

    fn set(owner: &str, rtype: RecordType, rdatas: &[&[u8]]) -> Aged {
        Aged { set: Arc::new(RrSet::new(name(owner), rtype, 60, rdatas)), ttl: 60 }
    }

    /// A record that takes `octets` in a response to [`query`], the pointer to the question included.
    fn filler(octets: usize) -> Aged {
        set("www.example.", RecordType::NULL, &[&vec![b'x'; octets - 12]])
    }

    fn sealed(query: &Query, answer: &Answer) -> (Sealed, Message, usize) {
        let mut bytes = Vec::new();
        let sealed = seal(query, answer, true, &mut bytes);
        (sealed, Message::parse(&bytes).unwrap(), bytes.len())
    }

    /// Header and question of [`query`].
    const FRONT: usize = 12 + 13 + 4;

    #[test]
    fn an_extended_error_never_truncates_the_answer() {
        let ede = Ede::new(EdeCode::StaleAnswer, "upstreams are silent");
        for (left, options) in [(26, Some(22)), (25, Some(2)), (6, Some(2)), (5, None), (0, None)] {
            let answer = Answer {
                answer: vec![filler(512 - FRONT - OPT_SIZE - left)],
                ede: Some(ede.clone()),
                ..Answer::default()
            };
            let (sealed, message, length) = sealed(&query(Some(512)), &answer);
            assert!(!sealed.is_truncated && length <= 512);
            assert_eq!(message.answer.len(), 1);
            let found = message.edns.unwrap().options.first().map(|(_, data)| data.len());
            assert_eq!(found, options, "{left} octets left");
            assert_eq!(sealed.is_whole, options == Some(22));
        }
    }

    #[test]
    fn an_extended_error_of_any_length_leaves_a_lawful_response() {
        let ede = Ede::new(EdeCode::Other, "x".repeat(70_000));
        for carrier in [Carrier::Udp, Carrier::Tcp] {
            let mut query = query(Some(1232));
            query.asker.carrier = carrier;
            let (sealed, message, _) = sealed(&query, &Answer::refusal(crate::dns::Rcode::SERVFAIL, ede.clone()));
            assert!(!sealed.is_truncated && !sealed.is_whole);
            assert_eq!(message.edns.unwrap().options, vec![(15, vec![0, 0])]);
        }
    }

    #[test]
    fn who_asks_for_the_servers_name_is_told_and_nobody_else() {
        let nsid_of = |query: &Query, nsid: &[u8]| {
            let mut bytes = Vec::new();
            seal_as(query, &Answer::default(), true, Extras { nsid, ..Extras::default() }, &mut bytes);
            Message::parse(&bytes).unwrap().edns.and_then(|edns| edns.option(option::NSID).map(<[u8]>::to_vec))
        };
        let mut asking = query(Some(1232));
        assert_eq!(nsid_of(&asking, b"ns1"), None);
        asking.edns.as_mut().unwrap().options.push((option::NSID, Vec::new()));
        assert_eq!(nsid_of(&asking, b"ns1"), Some(b"ns1".to_vec()));
        assert_eq!(nsid_of(&asking, b""), None);
    }

    #[test]
    fn addresses_and_mail_exchangers_begin_at_another_from_query_to_query() {
        let addresses = set("www.example.", RecordType::A, &[&[192, 0, 2, 1], &[192, 0, 2, 2], &[192, 0, 2, 3]]);
        let texts = set("www.example.", RecordType::TXT, &[b"\x01a", b"\x01b"]);
        let answer = Answer { answer: vec![addresses, texts], ..Answer::default() };
        let told = |id: u16, answer: &Answer, rotates| {
            let (mut bytes, query) = (Vec::new(), Query { id, ..query(None) });
            seal_as(&query, answer, true, Extras { rotates, ..Extras::default() }, &mut bytes);
            let message = Message::parse(&bytes).unwrap();
            message.answer.iter().map(|record| *record.rdata.last().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(told(4, &answer, false), [1, 2, 3, b'a', b'b']);
        assert_eq!(told(3, &answer, true), [1, 2, 3, b'a', b'b']);
        assert_eq!(told(4, &answer, true), [2, 3, 1, b'a', b'b']);
        assert_eq!(told(5, &answer, true), [3, 1, 2, b'a', b'b']);
        let chosen = Answer { is_ordered: true, ..answer };
        assert_eq!(told(5, &chosen, true), [1, 2, 3, b'a', b'b'], "a policy has put them in order");
    }

    #[test]
    fn what_does_not_fit_into_the_answer_sets_tc_and_the_opt_record_stays() {
        let answer = Answer { answer: vec![filler(300), filler(300)], ..Answer::default() };
        let (sealed, message, _) = sealed(&query(Some(512)), &answer);
        assert!(sealed.is_truncated && message.flags.truncated && message.edns.is_some());
        assert_eq!(message.answer.len(), 1);
    }

    /// A stub resolver's query for the addresses, without EDNS.
    fn stubs_query() -> Query {
        let flags = Flags { recursion_desired: true, ..Flags::default() };
        Query { flags, ..query(None) }
    }

    fn addresses() -> Aged {
        let addresses: Vec<[u8; 4]> = (0..100).map(|last| [192, 0, 2, last]).collect();
        let addresses: Vec<&[u8]> = addresses.iter().map(<[u8; 4]>::as_slice).collect();
        set("www.example.", RecordType::A, &addresses)
    }

    #[test]
    fn a_stub_resolver_gets_as_many_addresses_as_fit() {
        let alias = set("www.example.", RecordType::CNAME, &[name("www.example.").wire()]);
        for (alias, udp_size, count) in [(None, None, 30), (Some(alias), None, 29), (None, Some(1232), 74)] {
            let answer = Answer { answer: alias.into_iter().chain([addresses()]).collect(), ..Answer::default() };
            let query = Query { edns: query(udp_size).edns, ..stubs_query() };
            let (sealed, message, length) = sealed(&query, &answer);
            let told = message.answer.iter().filter(|record| record.rtype == RecordType::A).count();
            assert_eq!((told, message.flags.truncated, message.edns.is_some()), (count, true, udp_size.is_some()));
            assert!(sealed.is_truncated && !sealed.is_whole);
            assert!(length <= response_limit(Carrier::Udp, udp_size) && message.authority.is_empty());
        }
    }

    #[test]
    fn what_a_stub_resolver_gets_of_a_rotated_set_begins_at_another_record() {
        let answer = Answer { answer: vec![addresses()], ..Answer::default() };
        let extras = Extras { rotates: true, ..Extras::default() };
        let mut bytes = Vec::new();
        let mut told = |id| {
            seal_as(&Query { id, ..stubs_query() }, &answer, true, extras, &mut bytes);
            Message::parse(&bytes).unwrap().answer.iter().map(|record| record.rdata[3]).collect::<Vec<_>>()
        };
        assert_eq!(told(90), (90..100).chain(0..20).collect::<Vec<_>>());
        assert_eq!(told(7), (7..37).collect::<Vec<_>>());
    }

    #[test]
    fn nobody_else_gets_a_part_of_an_rrset() {
        let answer = Answer { answer: vec![addresses()], ..Answer::default() };
        let told = |query: &Query, answer: &Answer| {
            let message = sealed(query, answer).1;
            assert!(message.flags.truncated);
            message.answer.len()
        };
        assert_eq!(told(&query(None), &answer), 0, "who does without recursion is a resolver");
        let mut stranger = stubs_query();
        stranger.asker.may_recurse = false;
        assert_eq!(told(&stranger, &answer), 0);
        let validator = Query { edns: Some(Edns { dnssec_ok: true, ..Edns::default() }), ..stubs_query() };
        assert_eq!(told(&validator, &answer), 0, "signatures are of whole sets");
        let policy = |number: u8| [&[30], &[number; 30][..]].concat();
        let policies: Vec<Vec<u8>> = (0..30).map(policy).collect();
        let policies: Vec<&[u8]> = policies.iter().map(Vec::as_slice).collect();
        let answer = Answer { answer: vec![set("www.example.", RecordType::TXT, &policies)], ..Answer::default() };
        assert_eq!(told(&stubs_query(), &answer), 0, "all of them together say something");
    }

    #[test]
    fn a_part_of_an_rrset_is_never_called_authentic() {
        let answer = Answer { answer: vec![addresses()], authentic: true, ..Answer::default() };
        let mut asking = stubs_query();
        asking.flags.authentic_data = true;
        assert!(!sealed(&asking, &answer).1.flags.authentic_data);
        asking.asker.carrier = Carrier::Tcp;
        assert!(sealed(&asking, &answer).1.flags.authentic_data);
    }

    #[test]
    fn additional_records_are_left_out_in_silence_but_glue_sets_tc() {
        let addresses: Vec<[u8; 4]> = (0..40).map(|last| [192, 0, 2, last]).collect();
        let addresses: Vec<&[u8]> = addresses.iter().map(<[u8; 4]>::as_slice).collect();
        let referral = |owner: &str| Answer {
            authority: vec![set("example.", RecordType::NS, &[name(owner).wire()])],
            additional: vec![set(owner, RecordType::A, &addresses)],
            ..Answer::default()
        };
        assert!(sealed(&query(None), &referral("ns.example.")).0.is_truncated);
        let (plain, message, _) = sealed(&query(None), &referral("ns.test."));
        assert!(!plain.is_truncated && !plain.is_whole && message.additional.is_empty());
        let authoritative = Answer { authoritative: true, ..referral("ns.example.") };
        assert!(!sealed(&query(None), &authoritative).0.is_truncated);
    }

    #[test]
    fn the_letters_of_the_question_reach_no_other_octet() {
        let answer = Answer {
            answer: vec![set("www.example.", RecordType::CNAME, &[name("Mail.EXAMPLE.").wire()])],
            authority: vec![set("EXAMPLE.", RecordType::NS, &[name("a.test.").wire(), name("A.test.").wire()])],
            ..Answer::default()
        };
        let mut other = query(None);
        other.question.name = name("wWW.eXAMPLE.");
        let (mut one_bytes, mut other_bytes) = (Vec::new(), Vec::new());
        seal(&query(None), &answer, true, &mut one_bytes);
        seal(&other, &answer, true, &mut other_bytes);
        assert_eq!(one_bytes[FRONT..], other_bytes[FRONT..]);
        // Beside the question, letters are kept.
        let message = Message::parse(&one_bytes).unwrap();
        assert_eq!(message.authority[1].rdata.as_slice(), name("A.test.").wire());
    }
}
