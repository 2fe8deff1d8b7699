//! Messages in a line, and what every response must be.

use meridian::chain::Carrier;
use meridian::chain::seal::response_limit;
use meridian::dns::{Class, Message, Name, Question, Record, RecordType};

/// A name of a constant.
pub(crate) fn name(text: &str) -> Name {
    text.parse().expect("a constant that is a name")
}

/// A record in class IN.
pub(crate) fn record(owner: &Name, rtype: RecordType, ttl: u32, rdata: &[u8]) -> Record {
    Record { owner: owner.clone(), rtype, class: Class::IN, ttl, rdata: rdata.into() }
}

/// The RDATA of a SOA record.
pub(crate) fn soa(zone: &Name, minimum: u32) -> Vec<u8> {
    let mut rdata = [zone.wire(), zone.wire()].concat();
    for number in [1, 3_600, 600, 86_400, minimum] {
        rdata.extend(number.to_be_bytes());
    }
    rdata
}

/// The octets of `message`; none where it is larger than a message can be.
pub(crate) fn octets(message: &Message) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    message.compose(&mut out, 65_535).ok().map(|()| out)
}

/// What holds of every response, whatever the query was.
pub(crate) fn is_lawful_response(query: &[u8], carrier: Carrier, response: &[u8]) -> Message {
    let asked = Message::parse(query);
    let said = Message::parse(response).expect("a response can be parsed");
    assert!(said.flags.response, "QR is not set");
    assert!(query[2] & 0x80 == 0, "a response is answered");
    assert_eq!(response[..2], query[..2], "the id is another");
    assert_eq!(response[2] & 0x79, query[2] & 0x79, "opcode and RD are the query's");
    let udp_size = asked.as_ref().ok().and_then(|asked| asked.edns.as_ref()).map(|edns| edns.udp_size);
    let limit = response_limit(carrier, udp_size);
    assert!(response.len() <= limit, "{} octets where {limit} are allowed", response.len());
    assert!(carrier == Carrier::Udp || !said.flags.truncated, "TC over TCP");
    assert!(!said.flags.authentic_data, "AD without validation");
    let Ok(asked) = asked else {
        assert!(said.questions.is_empty() && said.answer.is_empty(), "an answer to what cannot be read");
        return said;
    };
    assert!(asked.edns.is_some() || said.edns.is_none(), "OPT for one who sent none");
    match (asked.questions.as_slice(), said.questions.as_slice()) {
        (_, []) => assert!(said.answer.is_empty() && said.authority.is_empty()),
        ([one], [two]) => assert!(is_same(one, two), "{two:?} is said to {one:?}"),
        (asked, said) => panic!("{said:?} is said to {asked:?}"),
    }
    said
}

fn is_same(one: &Question, two: &Question) -> bool {
    one.name.is_same_case(&two.name) && (one.rtype, one.class) == (two.rtype, two.class)
}
