//! Any octets, read three times: by the fast tempo's glance, by our parser, and by another's (hickory-proto).
//!
//! * A glance may decline, and never disagrees with the parser.
//! * What our parser and the other both read, they read alike.
//! * What was parsed and composed parses to the same.
//! * Parsing takes memory in proportion to the message, whatever its counts claim.

use hickory_proto::op::{Message as Other, MessageType};
use hickory_proto::rr::{DNSClass, Name as OtherName, RData, Record as OtherRecord};
use meridian::base::collections::Keyed;
use meridian::base::tally::Event;
use meridian::dns::wire::{Glance, Glanced, glance};
use meridian::dns::{Class, Message, Name, Record, RecordType};

use super::heap;

/// The most memory that parsing may take for each octet of the message: a record of 12 octets is kept as an owner,
/// its numbers and its data, whose names may each be 255 octets behind a pointer of two.
const OCTETS_PER_OCTET: usize = 160;

/// Types whose names are made whole by our parser (RFC 3597 §4) while the other leaves their RDATA as it came: MD, MF,
/// MB, MG, MR, MINFO, RP, AFSDB, RT, SIG, PX, NXT, KX, DNAME, RRSIG, NSEC.
const MAY_BE_COMPRESSED: [u16; 16] = [3, 4, 7, 8, 9, 14, 17, 18, 21, 24, 26, 30, 36, 39, 46, 47];

/// See the module's text.
pub fn run(data: &[u8]) {
    let keyed = Keyed::with_seeds(1, 2, 3, 4);
    let glanced = glance(data, &keyed);
    let (parsed, held) = heap::most_of(|| Message::parse(data));
    assert!(held <= OCTETS_PER_OCTET * data.len() + 4_096, "{} octets took {held} to parse", data.len());
    let other = Other::from_vec(data);
    match glanced {
        Glance::Plain(glanced) => {
            let message = parsed.as_ref().expect("what is plain at a glance can be parsed");
            is_as_glanced(data, &glanced, message);
            // Whether a client subnet is lawful is looked at where it is heeded.
            assert!(
                other.is_ok() || glanced.subnet.is_some(),
                "plain at a glance, and the other parser says {:?}",
                other.err()
            );
        }
        Glance::Silence(Event::SilenceShort) => assert!(data.len() < 12 && parsed.is_err()),
        Glance::Silence(_) => assert!(data[2] & 0x80 != 0, "a query is met with silence"),
        Glance::Unsure => {}
    }
    let Ok(message) = parsed else { return };
    comes_back(&message);
    if let Ok(other) = other {
        is_read_alike(&message, &other);
    }
}

fn is_as_glanced(data: &[u8], glanced: &Glanced, message: &Message) {
    let [question] = message.questions.as_slice() else { panic!("plain, with {:?}", message.questions) };
    assert_eq!(glanced.id, message.id);
    assert_eq!(glanced.recursion_desired, message.flags.recursion_desired);
    assert_eq!(glanced.authentic_data, message.flags.authentic_data);
    assert_eq!(glanced.checking_disabled, message.flags.checking_disabled);
    assert_eq!((glanced.qtype, Class::IN), (question.rtype, question.class));
    assert_eq!(&glanced.question(data)[..question.name.wire().len()], question.name.wire());
    assert_eq!(usize::from(glanced.qname_length), question.name.wire().len());
    assert_eq!(glanced.udp_size, message.edns.as_ref().map(|edns| edns.udp_size));
    assert_eq!(glanced.dnssec_ok, message.edns.as_ref().is_some_and(|edns| edns.dnssec_ok));
    assert!(message.edns.as_ref().is_none_or(|edns| edns.version == 0 && edns.cookie().is_ok()));
    assert!(message.answer.is_empty() && message.authority.is_empty() && message.additional.is_empty());
    assert!(!message.flags.response && !message.flags.truncated && message.flags.opcode.0 == 0);
}

fn comes_back(message: &Message) {
    let mut bytes = Vec::new();
    // Names that were compressed within RDATA are whole now, so the message may have outgrown its carrier.
    if message.compose(&mut bytes, 65_535).is_err() {
        return;
    }
    let mut again = Message::parse(&bytes).expect("what was composed can be parsed");
    if message.edns.is_none() {
        // Without an OPT record the upper bits of the RCODE have no place.
        assert!(message.rcode.0 <= 0xF);
    }
    same_letters(message, &mut again);
    assert_eq!(*message, again, "composed and parsed again it is another message");
}

/// Compression may point at a name written in other letters; then those are what comes back, which is lawful
/// (RFC 4343 §4.1), save in the question.
fn same_letters(message: &Message, again: &mut Message) {
    for (one, two) in message.questions.iter().zip(&again.questions) {
        assert!(one.name.is_same_case(&two.name), "the question's letters have changed");
    }
    let sections = [
        (&message.answer, &mut again.answer),
        (&message.authority, &mut again.authority),
        (&message.additional, &mut again.additional),
    ];
    for (before, after) in sections {
        for (before, after) in before.iter().zip(after) {
            if before.rdata.eq_ignore_ascii_case(&after.rdata) {
                after.rdata.clone_from(&before.rdata);
            }
        }
    }
}

fn is_read_alike(message: &Message, other: &Other) {
    let meta = &other.metadata;
    assert_eq!(message.id, meta.id);
    assert_eq!(message.flags.response, meta.message_type == MessageType::Response);
    assert_eq!(message.flags.authoritative, meta.authoritative);
    assert_eq!(message.flags.truncated, meta.truncation);
    assert_eq!(message.flags.recursion_desired, meta.recursion_desired);
    assert_eq!(message.flags.recursion_available, meta.recursion_available);
    assert_eq!(message.flags.authentic_data, meta.authentic_data);
    assert_eq!(message.flags.checking_disabled, meta.checking_disabled);
    assert_eq!(message.questions.len(), other.queries.len());
    for (ours, theirs) in message.questions.iter().zip(&other.queries) {
        is_same_name(&ours.name, &theirs.name);
        assert_eq!(ours.rtype.0, u16::from(theirs.query_type));
        assert_eq!(ours.class.0, u16::from(theirs.query_class));
    }
    match (&message.edns, &other.edns) {
        (None, None) => {}
        (Some(ours), Some(theirs)) => {
            // It lifts a size below 512, which means 512 (RFC 6891 §6.2.3).
            assert_eq!(ours.udp_size.max(512), theirs.max_payload().max(512));
            assert_eq!(ours.version, theirs.version());
            assert_eq!(ours.dnssec_ok, theirs.flags().dnssec_ok);
        }
        (ours, theirs) => panic!("OPT: {ours:?}, and {theirs:?}"),
    }
    are_same_records(&message.answer, &other.answers);
    are_same_records(&message.authority, &other.authorities);
    // TSIG and SIG(0) it keeps apart from the others.
    let (plain, signed): (Vec<_>, Vec<_>) =
        message.additional.iter().cloned().partition(|record| record.rtype != RecordType::TSIG);
    if other.signature.is_none() && signed.is_empty() {
        are_same_records(&plain, &other.additionals);
    }
}

fn are_same_records(ours: &[Record], theirs: &[OtherRecord]) {
    assert_eq!(ours.len(), theirs.len(), "as many records");
    for (ours, theirs) in ours.iter().zip(theirs) {
        is_same_name(&ours.owner, &theirs.name);
        assert_eq!(ours.rtype.0, u16::from(theirs.record_type()));
        assert_eq!(ours.class.0, u16::from(theirs.dns_class));
        if theirs.ttl <= i32::MAX as u32 {
            assert_eq!(ours.ttl, theirs.ttl);
        }
        if theirs.dns_class == DNSClass::IN && !ours.rdata.is_empty() {
            is_same_data(ours, &theirs.data);
        }
    }
}

fn is_same_data(ours: &Record, theirs: &RData) {
    let name_at = |at: usize| Name::from_wire(&ours.rdata[at..]).expect("our RDATA holds whole names").0;
    match theirs {
        RData::A(address) => assert_eq!(ours.rdata.as_slice(), address.octets()),
        RData::AAAA(address) => assert_eq!(ours.rdata.as_slice(), address.octets()),
        RData::NS(name) => is_same_name(&name_at(0), name),
        RData::CNAME(name) => is_same_name(&name_at(0), name),
        RData::PTR(name) => is_same_name(&name_at(0), name),
        RData::MX(mx) => {
            assert_eq!(ours.rdata[..2], mx.preference.to_be_bytes());
            is_same_name(&name_at(2), &mx.exchange);
        }
        RData::SRV(srv) => is_same_name(&name_at(6), &srv.target),
        RData::SOA(soa) => {
            is_same_name(&name_at(0), &soa.mname);
            assert_eq!(ours.rdata[ours.rdata.len() - 20..][..4], soa.serial.to_be_bytes());
        }
        RData::Unknown { code, rdata } if !MAY_BE_COMPRESSED.contains(&u16::from(*code)) => {
            assert_eq!(ours.rdata.as_slice(), rdata.anything.as_slice());
        }
        _ => {}
    }
}

fn is_same_name(ours: &Name, theirs: &OtherName) {
    assert!(ours.labels().eq(theirs.iter()), "{ours} and {theirs}");
}
