//! Our reading and writing of messages against hickory-proto's, on arbitrary, broken and hostile bytes.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as loudly as the tests do"
)]

use hickory_proto::op::{self, Edns, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_proto::rr::rdata::svcb::{Alpn, SvcParamKey, SvcParamValue};
use hickory_proto::rr::rdata::{
    A, AAAA, CAA, CNAME, HINFO, HTTPS, MX, NAPTR, NS, NULL, OPENPGPKEY, PTR, SOA, SRV, SVCB, TLSA, TXT, tlsa,
};
use hickory_proto::rr::{self, DNSClass, RData};
use hickory_proto::serialize::binary::{BinDecoder, BinEncodable, BinEncoder, NameEncoding, Restrict};
use meridian::base::{Dice, bounds, collections, tally::Event};
use meridian::dns::edns::option;
use meridian::dns::wire::{Glance, Reader, WireFault, glance};
use meridian::dns::{self, Class, Message, Name, Opcode, Question, Record, RecordType};
use proptest::collection::vec;
use proptest::prelude::*;

// What hickory builds.

fn name() -> impl Strategy<Value = rr::Name> {
    let label = prop_oneof![
        prop::sample::select(vec!["a", "A", "www", "WwW", "ns1", "Example", "example", "test"])
            .prop_map(|label| label.as_bytes().to_vec()),
        vec(any::<u8>(), 1..20),
        vec(any::<u8>(), 63..64),
    ];
    vec(label, 0..7)
        .prop_filter_map("a name of at most 255 octets", |labels| rr::Name::from_labels(labels).ok())
        .prop_map(|mut name| {
            name.set_fqdn(true);
            name
        })
}

/// RDATA of a type that hickory carries as octets.
fn carried(number: u16, rdata: Vec<u8>) -> RData {
    RData::Unknown { code: rr::RecordType::from(number), rdata: NULL::with(rdata) }
}

fn octets() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 1..60)
}

fn rdata() -> impl Strategy<Value = RData> {
    let text = || vec(any::<u8>(), 0..20).prop_map(Vec::into_boxed_slice);
    let names = prop_oneof![
        name().prop_map(|name| RData::NS(NS(name))),
        name().prop_map(|name| RData::CNAME(CNAME(name))),
        name().prop_map(|name| RData::PTR(PTR(name))),
        (any::<u16>(), name()).prop_map(|(preference, name)| RData::MX(MX::new(preference, name))),
        (name(), name(), any::<[i32; 3]>(), any::<u32>())
            .prop_map(|(mname, rname, [a, b, c], serial)| RData::SOA(SOA::new(mname, rname, serial, a, b, c, serial))),
        (any::<[u16; 3]>(), name()).prop_map(|([a, b, c], name)| RData::SRV(SRV::new(a, b, c, name))),
        (any::<[u16; 2]>(), text(), text(), name()).prop_map(|([a, b], s, r, name)| RData::NAPTR(NAPTR::new(
            a,
            b,
            Box::from(*b"U"),
            s,
            r,
            name
        ))),
        (any::<u16>(), name()).prop_map(|(priority, name)| {
            let alpn = SvcParamValue::Alpn(Alpn(vec!["h2".to_owned()]));
            RData::SVCB(SVCB::new(priority, name, vec![(SvcParamKey::Alpn, alpn)]))
        }),
        name().prop_map(|name| RData::HTTPS(HTTPS(SVCB::new(0, name, vec![])))),
        name().prop_map(|name| carried(39, uncompressed(&name))),
        (any::<[u8; 18]>(), name(), octets())
            .prop_map(|(fixed, name, rest)| carried(46, [&fixed[..], &uncompressed(&name), &rest].concat())),
        (name(), octets()).prop_map(|(name, rest)| carried(47, [&uncompressed(&name)[..], &rest].concat())),
    ];
    let plain = prop_oneof![
        any::<[u8; 4]>().prop_map(|octets| RData::A(A(octets.into()))),
        any::<[u8; 16]>().prop_map(|octets| RData::AAAA(AAAA(octets.into()))),
        octets().prop_map(|octets| RData::TXT(TXT::from_bytes(vec![&octets, b""]))),
        (text(), text()).prop_map(|(cpu, os)| RData::HINFO(HINFO::from_bytes(cpu, os))),
        any::<bool>().prop_map(|critical| RData::CAA(CAA::new_issue(critical, None, vec![]))),
        (0..4_u8, octets()).prop_map(|(number, octets)| RData::TLSA(TLSA::new(
            tlsa::CertUsage::from(number),
            tlsa::Selector::from(number),
            tlsa::Matching::from(number),
            octets
        ))),
        octets().prop_map(|octets| RData::OPENPGPKEY(OPENPGPKEY::new(octets))),
        octets().prop_map(|octets| carried(43, octets)),
        octets().prop_map(|octets| carried(4_711, octets)),
    ];
    prop_oneof![names, plain]
}

fn record() -> impl Strategy<Value = rr::Record> {
    (name(), any::<u32>(), rdata()).prop_map(|(name, ttl, rdata)| rr::Record::from_rdata(name, ttl, rdata))
}

fn edns() -> impl Strategy<Value = Edns> {
    let option = (prop::sample::select(vec![10, 12, 15, 65_001]), vec(any::<u8>(), 0..40));
    (any::<u16>(), any::<bool>(), vec(option, 0..4)).prop_map(|(size, dnssec_ok, options)| {
        let mut edns = Edns::new();
        edns.set_max_payload(size).set_dnssec_ok(dnssec_ok);
        for (code, data) in options {
            edns.options_mut().insert(EdnsOption::Unknown(code, data));
        }
        edns
    })
}

fn message() -> impl Strategy<Value = op::Message> {
    let question = (name(), any::<u16>()).prop_map(|(name, rtype)| op::Query::query(name, rtype.into()));
    (
        any::<u16>(),
        any::<[bool; 7]>(),
        0..6_u8,
        0..11_u16,
        vec(question, 0..3),
        [vec(record(), 0..5), vec(record(), 0..5), vec(record(), 0..5)],
        prop::option::of(edns()),
    )
        .prop_map(|(id, flags, opcode, rcode, questions, [answers, authorities, additionals], edns)| {
            let kind = if flags[0] { MessageType::Response } else { MessageType::Query };
            let mut message = op::Message::new(id, kind, OpCode::from_u8(opcode));
            message.metadata.authoritative = flags[1];
            message.metadata.truncation = flags[2];
            message.metadata.recursion_desired = flags[3];
            message.metadata.recursion_available = flags[4];
            message.metadata.authentic_data = flags[5];
            message.metadata.checking_disabled = flags[6];
            message.metadata.response_code = ResponseCode::from_low(rcode as u8);
            message.add_queries(questions);
            message.add_answers(answers);
            message.add_authorities(authorities);
            message.add_additionals(additionals);
            message.edns = edns;
            message
        })
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    message().prop_filter_map("a message that fits", |message| message.to_vec().ok())
}

/// Bytes of a message, some octets changed, inserted or cut away.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0..4_u8);
    (bytes(), vec(change, 1..6)).prop_map(|(mut bytes, changes)| {
        for (at, octet, kind) in changes {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes.insert(at, octet),
                1 if bytes.len() > 1 => drop(bytes.remove(at)),
                2 if octet > 240 => bytes.truncate(at + 1),
                _ => bytes[at] = octet,
            }
        }
        bytes
    })
}

// How both are compared.

fn uncompressed(name: &rr::Name) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = BinEncoder::new(&mut bytes);
    encoder.set_name_encoding(NameEncoding::Uncompressed);
    name.emit(&mut encoder).unwrap();
    bytes
}

/// Asserts that our record says what hickory's does; where `letters` count, to the letter.
fn assert_same_record(ours: &Record, theirs: &rr::Record, letters: bool) {
    let owner = uncompressed(&theirs.name);
    assert!(if letters { ours.owner.wire() == owner } else { ours.owner.wire().eq_ignore_ascii_case(&owner) });
    assert_eq!(ours.rtype.0, u16::from(theirs.record_type()));
    assert_eq!(ours.class.0, u16::from(theirs.dns_class));
    let ttl = if theirs.ttl > i32::MAX as u32 { 0 } else { theirs.ttl }; // RFC 2181 §8
    assert_eq!(ours.ttl, ttl);
    if ours.rdata.is_empty() {
        return; // hickory has several forms of nothing
    }
    // Our RDATA is whole: hickory must read from it alone what it read from the message.
    let mut decoder = BinDecoder::new(&ours.rdata);
    let length = Restrict::new(u16::try_from(ours.rdata.len()).unwrap());
    let read = RData::read(&mut decoder, theirs.record_type(), length).unwrap();
    assert_eq!(read, theirs.data);
    if letters {
        assert_eq!(format!("{read:?}"), format!("{:?}", theirs.data));
    }
}

fn assert_same(ours: &Message, theirs: &op::Message, letters: bool) {
    let header = &theirs.metadata;
    assert_eq!(ours.id, header.id);
    assert_eq!(ours.flags.response, header.message_type == MessageType::Response);
    assert_eq!(ours.flags.opcode.0, u8::from(header.op_code));
    assert_eq!(ours.flags.authoritative, header.authoritative);
    assert_eq!(ours.flags.truncated, header.truncation);
    assert_eq!(ours.flags.recursion_desired, header.recursion_desired);
    assert_eq!(ours.flags.recursion_available, header.recursion_available);
    assert_eq!(ours.flags.authentic_data, header.authentic_data);
    assert_eq!(ours.flags.checking_disabled, header.checking_disabled);
    assert_eq!(ours.rcode.0, u16::from(header.response_code));
    assert_eq!(ours.questions.len(), theirs.queries.len());
    for (ours, theirs) in ours.questions.iter().zip(&theirs.queries) {
        assert_eq!(ours.name.wire(), uncompressed(theirs.name()), "letters of a question always count");
        assert_eq!(ours.rtype.0, u16::from(theirs.query_type()));
        assert_eq!(ours.class.0, u16::from(theirs.query_class()));
    }
    for (ours, theirs) in [
        (&ours.answer, &theirs.answers),
        (&ours.authority, &theirs.authorities),
        (&ours.additional, &theirs.additionals),
    ] {
        assert_eq!(ours.len(), theirs.len());
        ours.iter().zip(theirs).for_each(|(ours, theirs)| assert_same_record(ours, theirs, letters));
    }
    assert_eq!(ours.edns.is_some(), theirs.edns.is_some());
    if let (Some(ours), Some(theirs)) = (&ours.edns, &theirs.edns) {
        assert_eq!(ours.udp_size.max(512), theirs.max_payload());
        assert_eq!(ours.version, theirs.version());
        assert_eq!(ours.dnssec_ok, theirs.flags().dnssec_ok);
        assert_eq!(ours.options.len(), theirs.options().options.len());
        for (ours, (code, theirs)) in ours.options.iter().zip(&theirs.options().options) {
            assert_eq!(ours.0, u16::from(*code));
            if let EdnsOption::Unknown(_, data) = theirs {
                assert_eq!(&ours.1, data);
            }
        }
    }
}

/// Asserts that a glance says nothing else than the parsed message; whether it was plain.
fn assert_glance_agrees(bytes: &[u8]) -> bool {
    let keyed = collections::keyed(&mut Dice::from_number(1));
    let parsed = Message::parse(bytes);
    match glance(bytes, &keyed) {
        Glance::Plain(glanced) => {
            let message = parsed.unwrap();
            assert_eq!(message.id, glanced.id);
            assert_eq!(
                message.flags,
                dns::Flags {
                    recursion_desired: glanced.recursion_desired,
                    authentic_data: glanced.authentic_data,
                    checking_disabled: glanced.checking_disabled,
                    ..dns::Flags::default()
                }
            );
            assert_eq!(message.rcode, dns::Rcode::NOERROR);
            let [question] = message.questions.as_slice() else { panic!("not one question") };
            let wire = [question.name.wire(), &question.rtype.0.to_be_bytes(), &[0, 1]].concat();
            assert_eq!(glanced.question(bytes), wire);
            assert_eq!((question.rtype, question.class), (glanced.qtype, Class::IN));
            assert_eq!(message.answer.len() + message.authority.len() + message.additional.len(), 0);
            assert_eq!(message.edns.as_ref().map(|edns| edns.udp_size), glanced.udp_size);
            assert_eq!(message.edns.as_ref().is_some_and(|edns| edns.dnssec_ok), glanced.dnssec_ok);
            if let Some(edns) = &message.edns {
                assert_eq!(edns.version, 0);
                assert!(edns.cookie().is_ok());
                assert!(edns.options.iter().all(|(code, _)| [option::COOKIE, option::PADDING].contains(code)));
            }
            true
        }
        Glance::Unsure => false,
        Glance::Silence(Event::SilenceShort) => {
            assert!(bytes.len() < 12);
            false
        }
        Glance::Silence(why) => {
            assert_eq!(why, Event::SilenceResponse);
            assert!(parsed.is_err() || parsed.is_ok_and(|message| message.flags.response));
            false
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn what_hickory_writes_we_read(message in message()) {
        let Ok(bytes) = message.to_vec() else { return Ok(()) };
        let theirs = op::Message::from_vec(&bytes).unwrap();
        let ours = Message::parse(&bytes).unwrap();
        assert_same(&ours, &theirs, true);
        assert_glance_agrees(&bytes);
    }

    #[test]
    fn what_we_write_hickory_reads(bytes in bytes()) {
        let read = Message::parse(&bytes).unwrap();
        let mut composed = Vec::new();
        read.compose(&mut composed, bounds::MESSAGE_MAX).unwrap();
        assert_same(&read, &op::Message::from_vec(&composed).unwrap(), false);
        let again = Message::parse(&composed).unwrap();
        assert_same(&again, &op::Message::from_vec(&composed).unwrap(), true);
        // What is read back is composed into the same octets.
        let mut twice = Vec::new();
        again.compose(&mut twice, bounds::MESSAGE_MAX).unwrap();
        prop_assert_eq!(&composed, &twice);
    }

    #[test]
    fn without_a_question_no_letter_is_lost(mut message in message()) {
        message.queries.clear();
        let Ok(bytes) = message.to_vec() else { return Ok(()) };
        let read = Message::parse(&bytes).unwrap();
        let mut composed = Vec::new();
        read.compose(&mut composed, bounds::MESSAGE_MAX).unwrap();
        assert_same(&read, &op::Message::from_vec(&composed).unwrap(), true);
    }

    #[test]
    fn a_limit_is_kept_and_what_fits_is_written(bytes in bytes(), limit in 0..2_000_usize) {
        let read = Message::parse(&bytes).unwrap();
        let (mut whole, mut composed) = (Vec::new(), Vec::new());
        read.compose(&mut whole, bounds::MESSAGE_MAX).unwrap();
        let fits = read.compose(&mut composed, limit).is_ok();
        prop_assert_eq!(fits, whole.len() <= limit);
        prop_assert!(composed.len() <= limit);
    }

    #[test]
    fn of_broken_messages_both_read_the_same(bytes in mutated()) {
        assert_glance_agrees(&bytes);
        if let (Ok(ours), Ok(theirs)) = (Message::parse(&bytes), op::Message::from_vec(&bytes)) {
            assert_same(&ours, &theirs, true);
        }
    }

    #[test]
    fn a_message_read_in_part_is_the_whole_one_cut(bytes in prop_oneof![bytes(), mutated()], most in 0..4_usize) {
        if let Ok(mut whole) = Message::parse(&bytes) {
            for section in [&mut whole.answer, &mut whole.authority, &mut whole.additional] {
                section.truncate(most);
            }
            prop_assert_eq!(Message::parse_within(&bytes, most), Ok(whole));
        }
    }

    #[test]
    fn random_octets_are_read_without_harm(bytes in vec(any::<u8>(), 0..600)) {
        assert_glance_agrees(&bytes);
        if let (Ok(ours), Ok(theirs)) = (Message::parse(&bytes), op::Message::from_vec(&bytes)) {
            assert_same(&ours, &theirs, true);
        }
    }

    #[test]
    fn an_everyday_query_is_plain(
        name in name(), id in any::<u16>(), [recursion, authentic, checking] in any::<[bool; 3]>(),
        rtype in prop::sample::select(vec![1, 2, 5, 6, 12, 15, 16, 28, 33, 43, 48, 64, 65, 257, 4_711]),
        edns in prop::option::of((any::<u16>(), any::<bool>(), any::<bool>())), broken in 0..40_usize,
    ) {
        let mut query = op::Message::new(id, MessageType::Query, OpCode::Query);
        query.metadata.recursion_desired = recursion;
        query.metadata.authentic_data = authentic;
        query.metadata.checking_disabled = checking;
        query.add_query(op::Query::query(name, rtype.into()));
        query.edns = edns.map(|(size, dnssec_ok, has_cookie)| {
            let mut edns = Edns::new();
            edns.set_max_payload(size).set_dnssec_ok(dnssec_ok);
            if has_cookie {
                edns.options_mut().insert(EdnsOption::Unknown(option::COOKIE, vec![7; 8]));
            }
            edns
        });
        let mut bytes = query.to_vec().unwrap();
        prop_assert!(assert_glance_agrees(&bytes));
        // One octet less or more, or another octet anywhere in front, and the glance still never disagrees.
        bytes.push(0);
        prop_assert!(!assert_glance_agrees(&bytes));
        bytes.truncate(bytes.len() - 2);
        prop_assert!(!assert_glance_agrees(&bytes));
        let at = broken % bytes.len();
        for bit in 0..8 {
            bytes[at] ^= 1 << bit;
            assert_glance_agrees(&bytes);
        }
    }
}

// Hostile shapes.

fn header(counts: [u16; 4]) -> Vec<u8> {
    let mut bytes = vec![0, 1, 0x80, 0];
    bytes.extend(counts.iter().flat_map(|count| count.to_be_bytes()));
    bytes
}

#[test]
fn a_pointer_to_itself_or_forward_is_refused() {
    for (low, at) in [(12, 12), (14, 12), (200, 12)] {
        let bytes = [header([1, 0, 0, 0]), vec![0xC0, low, 0, 1, 0, 1, 0, 0]].concat();
        assert_eq!(Message::parse(&bytes), Err(WireFault::Pointer { at }));
    }
    // Back, but to labels that lead to the same pointer again.
    let bytes = [header([1, 0, 0, 0]), vec![1, b'a', 0xC0, 12, 0, 1, 0, 1]].concat();
    assert_eq!(Message::parse(&bytes), Err(WireFault::Pointer { at: 14 }));
    let bytes = [header([1, 0, 0, 0]), vec![1, b'a', 0xC0, 13, 0, 1, 0, 1]].concat();
    assert_eq!(Message::parse(&bytes), Err(WireFault::Pointer { at: 14 }));
}

#[test]
fn a_chain_of_pointers_is_followed_to_its_bound_and_no_further() {
    let mut bytes = vec![0];
    let mut at = 0_u16;
    for hop in 1..=200_u16 {
        let next = bytes.len() as u16;
        bytes.extend_from_slice(&(0xC000 | at).to_be_bytes());
        at = next;
        let read = Reader::new(&bytes, usize::from(at)).name();
        assert_eq!(read.is_ok(), hop <= u16::from(bounds::POINTER_HOPS_MAX), "{hop} hops");
    }
}

#[test]
fn unknown_kinds_of_labels_and_endless_names_are_refused() {
    for kind in [0x40, 0x41, 0x80, 0xBF] {
        let bytes = [header([1, 0, 0, 0]), vec![kind, 0, 0, 1, 0, 1]].concat();
        assert_eq!(Message::parse(&bytes), Err(WireFault::Name { at: 12 }));
    }
    let long: Vec<u8> = (0..128).flat_map(|_| [1, b'a']).chain([0, 0, 1, 0, 1]).collect();
    let bytes = [header([1, 0, 0, 0]), long].concat();
    assert_eq!(Message::parse(&bytes), Err(WireFault::Name { at: 12 + 254 }));
}

/// The longest name, of 127 labels.
fn longest() -> Vec<u8> {
    (0..127).flat_map(|_| [1, b'a']).chain([0]).collect()
}

#[test]
fn a_full_message_of_compressed_names_costs_no_more_than_its_names() {
    // Each record is 14 octets and unfolds into two names with as many labels as the composer remembers.
    let name: Vec<u8> = (0..bounds::COMPRESSION_NAMES_MAX).flat_map(|_| [1, b'a']).chain([0]).collect();
    let records = (bounds::MESSAGE_MAX - 12 - name.len() - 4) / 14;
    let mut bytes = [header([1, records as u16, 0, 0]), name, vec![0, 1, 0, 1]].concat();
    for _ in 0..records {
        bytes.extend_from_slice(&[0xC0, 12, 0, 2, 0, 1, 0, 0, 0, 60, 0, 2, 0xC0, 12]);
    }
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.answer.len(), records);
    let octets: usize = message.answer.iter().map(|record| record.owner.wire().len() + record.rdata.len()).sum();
    assert!(octets <= bytes.len() * 510 / 14);
    // And back: every name is found at once.
    let mut composed = Vec::new();
    message.compose(&mut composed, bounds::MESSAGE_MAX).unwrap();
    assert_eq!(composed, bytes);
}

#[test]
fn composing_many_long_names_that_differ_at_their_end_stays_within_bounds() {
    // Names alike in their first 250 octets: nothing can be compressed and everything must be compared.
    let record = |number: u16| {
        let mut owner = longest();
        owner[249] = (number >> 8) as u8;
        owner[251] = number as u8;
        Record {
            owner: Name::from_wire(&owner).unwrap().0,
            rtype: RecordType::A,
            class: Class::IN,
            ttl: 1,
            rdata: [192, 0, 2, 1].into_iter().collect(),
        }
    };
    let message = Message { answer: (0..240).map(record).collect(), ..Message::default() };
    let mut composed = Vec::new();
    message.compose(&mut composed, bounds::MESSAGE_MAX).unwrap();
    assert_eq!(Message::parse(&composed).unwrap().answer, message.answer);
}

#[test]
fn an_opt_record_stands_once_at_the_root_and_in_the_additional_section() {
    let opt = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0];
    let at = 12;
    assert!(Message::parse(&[header([0, 0, 0, 1]), opt.to_vec()].concat()).unwrap().edns.is_some());
    for counts in [[0, 1, 0, 0], [0, 0, 1, 0]] {
        assert_eq!(Message::parse(&[header(counts), opt.to_vec()].concat()), Err(WireFault::Opt { at }));
    }
    let twice = [header([0, 0, 0, 2]), opt.to_vec(), opt.to_vec()].concat();
    assert_eq!(Message::parse(&twice), Err(WireFault::Opt { at: 23 }));
    let below = [header([0, 0, 0, 1]), vec![1, b'a'], opt.to_vec()].concat();
    assert_eq!(Message::parse(&below), Err(WireFault::Opt { at }));
}

#[test]
fn the_options_of_a_message_are_bounded() {
    let with = |count: usize| {
        let length = (4 * count as u16).to_be_bytes();
        let opt = [&[0, 0, 41, 4, 208, 0, 0, 0, 0], &length[..], &[0, 12, 0, 0].repeat(count)].concat();
        [header([0, 0, 0, 1]), opt].concat()
    };
    assert!(Message::parse(&with(bounds::EDNS_OPTIONS_MAX)).is_ok());
    assert_eq!(Message::parse(&with(bounds::EDNS_OPTIONS_MAX + 1)), Err(WireFault::Opt { at: 12 }));
}

#[test]
fn counts_that_promise_more_than_there_is_are_refused() {
    for field in 0..4 {
        let mut counts = [0; 4];
        counts[field] = u16::MAX;
        assert_eq!(Message::parse(&header(counts)), Err(WireFault::Short { at: 12 }));
    }
}

#[test]
fn rdata_never_reaches_beyond_its_length() {
    // An NS record whose RDATA length ends within its name.
    let record = [0, 0, 2, 0, 1, 0, 0, 0, 1, 0, 1, 1, b'a', 0];
    let bytes = [header([0, 1, 0, 0]), record.to_vec()].concat();
    assert_eq!(Message::parse(&bytes), Err(WireFault::Rdata { at: 23 }));
}

#[test]
fn an_update_may_name_an_rrset_without_rdata() {
    let record = [0, 0, 1, 0, 255, 0, 0, 0, 0, 0, 0];
    let mut bytes = [header([0, 1, 0, 0]), record.to_vec()].concat();
    assert!(Message::parse(&bytes).unwrap().answer[0].rdata.is_empty());
    bytes[12 + 4] = 1; // class IN: an address is missing
    assert!(Message::parse(&bytes).is_err());
}

#[test]
fn two_questions_keep_their_letters() {
    let question = |text: &str| Question::new(text.parse().unwrap(), RecordType::A);
    let message = Message {
        flags: dns::Flags { opcode: Opcode::QUERY, ..dns::Flags::default() },
        questions: [question("www.example."), question("WWW.Example.")].into_iter().collect(),
        ..Message::default()
    };
    let mut bytes = Vec::new();
    message.compose(&mut bytes, bounds::MESSAGE_MAX).unwrap();
    let theirs = op::Message::from_vec(&bytes).unwrap();
    assert_same(&message, &theirs, true);
    assert_eq!(theirs.queries[1].query_class(), DNSClass::IN);
}
