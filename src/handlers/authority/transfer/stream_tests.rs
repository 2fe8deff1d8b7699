//! What goes out comes in: the two sides of a transfer against each other, and against primaries that lie.

use std::fmt::Write;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::base::collections::{Keyed, keyed};
use crate::base::{Dice, bounds};
use crate::chain::Carrier;
use crate::dns::{Edns, Message, Name, Question, Rcode, Record, RecordType};
use crate::handlers::authority::tsig::{Algorithm, Key, Keys, Standing, examine, sign_request};
use crate::handlers::authority::{Difference, Zone, load, master_file};

const NOW: u64 = 1_800_000_000;

fn hasher() -> Keyed {
    keyed(&mut Dice::from_number(1))
}

fn apex() -> Name {
    "Example.".parse().unwrap()
}

fn zone(serial: u32, records: &str) -> Arc<Zone> {
    let text = format!("@ 300 SOA Ns.Example. host.example. {serial} 60 30 900 60\n@ 300 NS nS\n{records}");
    let (zone, findings) = load(&apex(), text.as_bytes(), "test", &mut master_file::no_include, hasher());
    Arc::new(zone.unwrap_or_else(|| panic!("{:?}", findings.iter().map(ToString::to_string).collect::<Vec<_>>())))
}

/// Many records: `count` names of `size` octets of text.
fn large(serial: u32, count: usize, size: usize) -> Arc<Zone> {
    let mut text = String::new();
    for at in 0..count {
        writeln!(text, "Host{at} 60 TXT {}", format!("\"{}\" ", "x".repeat(200)).repeat(size / 200)).unwrap();
    }
    zone(serial, &text)
}

fn print(zone: &Zone) -> String {
    let mut text = String::new();
    zone.print(&mut text).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

fn request(rtype: RecordType, have: Option<&Zone>, carrier: Carrier) -> Request {
    let soa = have.and_then(crate::handlers::authority::difference::soa_record);
    let bytes = soa_query(7, &apex().lowered(), rtype, soa.as_ref());
    Request::read(&Message::parse(&bytes).unwrap(), carrier).unwrap()
}

fn messages(request: &Request, zone: &Arc<Zone>, history: Option<&History>) -> Vec<Vec<u8>> {
    let content = plan(request, zone, history);
    let mut outgoing = Outgoing::new(request.clone(), Arc::clone(zone), content, None).unwrap();
    let (mut messages, mut out) = (Vec::new(), Vec::new());
    while outgoing.poll_message(&mut out, NOW).unwrap() {
        messages.push(out.clone());
    }
    messages
}

fn receive(messages: &[Vec<u8>], is_incremental: bool, have: Option<&Zone>) -> Result<Option<Zone>, Fault> {
    let mut incoming = Incoming::new(7, apex(), is_incremental, have.map(Zone::serial));
    for message in messages {
        incoming.handle_message(message)?;
    }
    incoming.finish(have, &hasher())
}

#[test]
fn a_zone_arrives_as_it_was_sent_letters_included() {
    let sent = zone(3, "WWW 60 A 192.0.2.1\n*.a.b 60 MX 5 Mail.Example.\nsub 60 NS ns.sub\nns.Sub 60 A 192.0.2.9");
    let messages = messages(&request(RecordType::AXFR, None, Carrier::Tcp), &sent, None);
    assert_eq!(messages.len(), 1);
    let received = receive(&messages, false, None).unwrap().unwrap();
    assert_eq!(print(&received), print(&sent));
}

#[test]
fn a_large_zone_goes_in_full_messages() {
    let sent = large(3, 300, 1_000);
    let messages = messages(&request(RecordType::AXFR, None, Carrier::Tcp), &sent, None);
    assert!((5..=7).contains(&messages.len()), "{}", messages.len());
    assert!(messages[..messages.len() - 1].iter().all(|message| message.len() > 60_000));
    assert_eq!(print(&receive(&messages, false, None).unwrap().unwrap()), print(&sent));
    // Half of it is nothing.
    let fault = receive(&messages[..messages.len() - 1], false, None).err();
    assert_eq!(fault, Some(Fault::Disorder("it ends too early")));
}

#[test]
fn steps_arrive_condensed() {
    let versions = [zone(1, "a 60 A 192.0.2.1"), zone(2, "b 60 A 192.0.2.2"), zone(3, "a 60 A 192.0.2.3\nC 60 TXT x")];
    let mut history = History::default();
    for pair in versions.windows(2) {
        history.push(Arc::new(Difference::between(&pair[0], &pair[1])), pair[1].size_bytes());
    }
    for (at, have) in versions.iter().enumerate().take(2) {
        let request = request(RecordType::IXFR, Some(have), Carrier::Tcp);
        assert!(matches!(plan(&request, &versions[2], Some(&history)), Content::Step(_)), "{at}");
        let received = receive(&messages(&request, &versions[2], Some(&history)), true, Some(have)).unwrap().unwrap();
        assert_eq!(print(&received), print(&versions[2]));
    }
    // Without the history it comes whole, and what is there already does not come at all.
    let old = request(RecordType::IXFR, Some(&versions[0]), Carrier::Tcp);
    let whole = messages(&old, &versions[2], None);
    assert_eq!(print(&receive(&whole, true, Some(&versions[0])).unwrap().unwrap()), print(&versions[2]));
    let same = request(RecordType::IXFR, Some(&versions[2]), Carrier::Tcp);
    let nothing = messages(&same, &versions[2], Some(&history));
    assert_eq!(Message::parse(&nothing[0]).unwrap().answer.len(), 1);
    assert!(receive(&nothing, true, Some(&versions[2])).unwrap().is_none());
}

#[test]
fn a_datagram_holds_all_or_the_soa_record() {
    let (old, new) = (zone(1, "a 60 A 192.0.2.1"), zone(2, "a 60 A 192.0.2.2"));
    let mut history = History::default();
    history.push(Arc::new(Difference::between(&old, &new)), new.size_bytes());
    let asked = request(RecordType::IXFR, Some(&old), Carrier::Udp);
    let step = plan(&asked, &new, Some(&history));
    let datagram = Outgoing::new(asked.clone(), Arc::clone(&new), step, None).unwrap().datagram(NOW).unwrap();
    let received = receive(&[datagram], true, Some(&old)).unwrap().unwrap();
    assert_eq!(print(&received), print(&new));
    let large = large(3, 20, 200);
    let content = plan(&asked, &large, None);
    let datagram = Outgoing::new(asked, large, content, None).unwrap().datagram(NOW).unwrap();
    let message = Message::parse(&datagram).unwrap();
    assert_eq!((message.answer.len(), message.flags.truncated), (1, false));
}

#[test]
fn a_signed_stream_is_believed_to_the_end() {
    let key = Arc::new(Key::new(&"key.test.".parse().unwrap(), Algorithm::HmacSha512, b"secret"));
    let mut keys = Keys::new(hasher());
    keys.insert(Arc::clone(&key));
    let mut query = soa_query(7, &apex(), RecordType::AXFR, None);
    let mut verifier = sign_request(&key, &mut query, NOW);
    let Standing::Signed(signer) = examine(&query, &keys, NOW) else { panic!() };
    let request = Request::read(&Message::parse(&query).unwrap(), Carrier::Tcp).unwrap();
    let sent = large(3, 300, 1_000);
    let mut outgoing = Outgoing::new(request, Arc::clone(&sent), Content::Whole, Some(signer)).unwrap();
    let mut incoming = Incoming::new(7, apex(), false, None);
    let mut out = Vec::new();
    while outgoing.poll_message(&mut out, NOW).unwrap() {
        assert!(out.len() <= bounds::MESSAGE_MAX);
        assert_eq!(verifier.verify(&out, NOW), Ok(()));
        incoming.handle_message(&out).unwrap();
    }
    assert!(verifier.is_settled());
    assert_eq!(print(&incoming.finish(None, &hasher()).unwrap().unwrap()), print(&sent));
}

#[test]
fn an_opt_record_comes_with_the_first_message_only() {
    let mut query = Message::parse(&soa_query(7, &apex(), RecordType::AXFR, None)).unwrap();
    query.edns = Some(Edns::default());
    let request = Request::read(&query, Carrier::Tcp).unwrap();
    let messages = messages(&request, &large(1, 100, 1_000), None);
    let has_opt: Vec<bool> = messages.iter().map(|one| Message::parse(one).unwrap().edns.is_some()).collect();
    assert_eq!(has_opt, [true, false]);
    assert!(Message::parse(&messages[1]).unwrap().questions.is_empty());
}

#[test]
fn a_question_that_makes_no_sense_is_a_format_error() {
    let read = |rtype, carrier| {
        let bytes = soa_query(7, &apex(), rtype, None);
        Request::read(&Message::parse(&bytes).unwrap(), carrier)
    };
    assert_eq!(read(RecordType::AXFR, Carrier::Udp), Err(Rcode::FORMERR));
    assert_eq!(read(RecordType::IXFR, Carrier::Tcp), Err(Rcode::FORMERR));
    assert_eq!(read(RecordType::SOA, Carrier::Tcp), Err(Rcode::FORMERR));
}

fn soa(serial: u32) -> Record {
    crate::handlers::authority::difference::soa_record(&zone(serial, "")).unwrap()
}

fn a(owner: &str, last: u8) -> Record {
    let rdata = [192, 0, 2, last].as_slice().into();
    Record { owner: owner.parse().unwrap(), rtype: RecordType::A, class: crate::dns::Class::IN, ttl: 60, rdata }
}

fn ns() -> Record {
    let rdata = "ns.test.".parse::<Name>().unwrap().wire().into();
    Record { rtype: RecordType::NS, rdata, ..a("example.", 1) }
}

fn message(answer: Vec<Record>) -> Vec<u8> {
    let mut message = Message { id: 7, answer, ..Message::default() };
    message.flags.response = true;
    let mut out = Vec::new();
    message.compose(&mut out, bounds::MESSAGE_MAX).unwrap();
    out
}

#[test]
fn records_of_other_zones_are_left_out() {
    let lies = message(vec![soa(5), ns(), a("www.example.", 1), a("www.test.", 1), soa(5)]);
    let received = receive(&[lies], false, None).unwrap().unwrap();
    assert_eq!(received.rrsets().count(), 3);
    let old = zone(4, "");
    let lies = message(vec![soa(5), soa(4), a("www.test.", 2), soa(5), a("www.test.", 1), a("b.example.", 1), soa(5)]);
    assert_eq!(receive(&[lies], true, Some(&old)).unwrap().unwrap().rrsets().count(), 3);
}

#[test]
fn a_primary_that_lies_brings_nothing() {
    let old = zone(4, "a 60 A 192.0.2.1");
    let fault = |records: Vec<Record>| receive(&[message(records)], true, Some(&old)).err().unwrap();
    assert!(matches!(fault(vec![soa(3), ns(), soa(3)]), Fault::Older { theirs: 3, ours: 4 }));
    assert!(matches!(fault(vec![ns(), soa(5)]), Fault::Disorder(_)));
    assert!(matches!(fault(vec![soa(5), ns(), soa(6)]), Fault::Disorder(_)));
    assert!(matches!(fault(vec![soa(5), ns(), soa(5), ns()]), Fault::Disorder(_)));
    assert!(matches!(fault(vec![soa(6), soa(4), soa(5), soa(7), soa(6)]), Fault::Disorder(_)));
    let gone = fault(vec![soa(5), soa(4), a("z.example.", 1), soa(5), soa(5)]);
    assert!(matches!(gone, Fault::Misfit(_)) && gone.calls_for_axfr());
    let alias = Record { rtype: RecordType::CNAME, ..ns() };
    assert!(matches!(fault(vec![soa(5), ns(), alias, soa(5)]), Fault::Unsound(_)));
}

#[test]
fn what_is_no_answer_to_our_question_is_junk() {
    let try_one = |change: &dyn Fn(&mut Message)| {
        let mut message = Message::parse(&message(vec![soa(5), ns(), soa(5)])).unwrap();
        message.questions.push(Question::new(apex(), RecordType::AXFR));
        change(&mut message);
        let mut out = Vec::new();
        message.compose(&mut out, bounds::MESSAGE_MAX).unwrap();
        receive(&[out], false, None)
    };
    assert!(try_one(&|_| {}).is_ok());
    assert!(matches!(try_one(&|message| message.id = 8), Err(Fault::Junk(_))));
    assert!(matches!(try_one(&|message| message.flags.response = false), Err(Fault::Junk(_))));
    assert!(matches!(try_one(&|message| message.questions[0].rtype = RecordType::A), Err(Fault::Junk(_))));
    assert!(matches!(try_one(&|message| message.answer.clear()), Err(Fault::Junk(_))));
    assert!(matches!(try_one(&|message| message.rcode = Rcode::REFUSED), Err(Fault::Refused(Rcode::REFUSED))));
    let mut incoming = Incoming::new(7, apex(), false, None);
    assert!(matches!(incoming.handle_message(&[0; 40]), Err(Fault::Junk(_))));
}

proptest! {
    #[test]
    fn no_message_of_a_stream_may_change_unnoticed_to_a_broken_zone(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut bytes = message(vec![soa(5), ns(), soa(5)]);
        for (at, octet) in octets.iter().enumerate() {
            let length = bytes.len();
            bytes[12 + at * 7 % (length - 12)] ^= octet & (1 << (at % 8));
        }
        // Whatever comes: a zone or a fault, never a panic.
        if let Ok(Some(zone)) = receive(&[bytes], false, None) {
            prop_assert!(zone.soa().is_some());
        }
    }
}
