//! Messages and options: plain, at their limits, and hostile.

use meridian::dns::edns::option;
use meridian::dns::{Edns, Message, Name, Question, RecordType};

use super::super::messages::{name, octets, record, soa};

const HEADER: [u8; 12] = [0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];

/// A message of `header`'s counts and what follows.
fn raw(counts: [u16; 4], body: &[u8]) -> Vec<u8> {
    let counts = counts.into_iter().flat_map(u16::to_be_bytes);
    [0, 7, 1, 0].into_iter().chain(counts).chain(body.iter().copied()).collect()
}

/// `www.example. A IN`.
const QUESTION: &[u8] = b"\x03www\x07example\x00\x00\x01\x00\x01";

fn query(owner: &str, rtype: u16) -> Message {
    let mut message = Message { id: 7, ..Message::default() };
    message.flags.recursion_desired = true;
    message.questions.push(Question::new(name(owner), RecordType(rtype)));
    message
}

fn with_options(owner: &str, rtype: u16, options: Vec<(u16, Vec<u8>)>) -> Message {
    let edns = Edns { udp_size: 1_232, dnssec_ok: rtype & 1 == 0, options, ..Edns::default() };
    Message { edns: Some(edns), ..query(owner, rtype) }
}

/// Lawful RDATA of a type, as short as it can be or nearly so.
fn rdata(rtype: u16) -> Vec<u8> {
    let target = name("a.example.");
    let target = target.wire();
    let behind = |front: &[u8]| [front, target].concat();
    match rtype {
        1 => vec![192, 0, 2, 1],
        2 | 3 | 4 | 5 | 7 | 8 | 9 | 12 | 39 => target.to_vec(),
        6 => soa(&name("example."), 60),
        11 => vec![192, 0, 2, 1, 6, 0x80],
        13 | 20 => vec![1, b'a', 1, b'b'],
        14 | 17 => [target, target].concat(),
        15 | 18 | 21 | 36 | 107 => behind(&[0, 10]),
        16 | 19 | 99 => vec![3, b'a', b'b', b'c', 0],
        24 | 46 => [&[0, 1, 13, 2, 0, 0, 1, 0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 9][..], target, &[1; 64]].concat(),
        25 | 48 | 60 => vec![1, 1, 3, 13, 1, 2, 3, 4],
        26 => [&[0, 1][..], target, target].concat(),
        27 => b"\x011\x012\x013".to_vec(),
        28 => vec![0x20, 1, 0xD, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        29 => vec![0, 0x12, 0x16, 0x13, 0x80, 0, 0, 0, 0x80, 0, 0, 0, 0, 0x98, 0x96, 0x80],
        30 | 47 => [target, &[0, 1, 0x40]].concat(),
        33 => behind(&[0, 1, 0, 2, 0, 53]),
        35 => [&[0, 1, 0, 2, 1, b'u', 3, b'E', b'2', b'U', 1, b'!'][..], target].concat(),
        37 => vec![0, 1, 0, 2, 5, 1, 2],
        42 => vec![0, 1, 24, 3, 192, 0, 2, 0, 2, 16, 0x82, 0x20, 1],
        43 | 59 => [&[0, 1, 13, 2][..], &[7; 32]].concat(),
        44 => [&[4, 2][..], &[7; 32]].concat(),
        45 => [&[10, 3, 2][..], target, &[1, 2]].concat(),
        50 => [&[1, 0, 0, 0, 1, 0xAA, 20][..], &[7; 20], &[0, 1, 0x40]].concat(),
        51 => vec![1, 0, 0, 0, 1, 0xAA],
        52 | 53 => [&[3, 1, 1][..], &[7; 32]].concat(),
        55 => [&[1, 2, 0, 2, 9, 8, 7][..], target].concat(),
        62 => vec![0, 0, 0, 1, 0, 3, 0, 1, 0x40],
        63 => [&[0, 0, 0, 1, 1, 1][..], &[7; 48]].concat(),
        64 | 65 => [&[0, 1][..], target, &[0, 1, 0, 3, 2, b'h', b'2', 0, 3, 0, 2, 1, 187]].concat(),
        104 | 106 => vec![0, 10, 1, 2, 3, 4, 5, 6, 7, 8],
        105 => vec![0, 10, 192, 0, 2, 1],
        108 => vec![1, 2, 3, 4, 5, 6],
        109 => vec![1, 2, 3, 4, 5, 6, 7, 8],
        250 => [&b"\x0bhmac-sha256\x00"[..], &[0, 0, 0, 0, 0, 9, 1, 44, 0, 2, 1, 2, 0, 7, 0, 0, 0, 0]].concat(),
        256 => b"\x00\x01\x00\x01https://a.example/".to_vec(),
        257 => b"\x00\x05issueca.example".to_vec(),
        _ => vec![1, 2, 3],
    }
}

/// Every type that has a meaning, and some that have none.
fn types() -> impl Iterator<Item = u16> {
    (1..=65).filter(|rtype| *rtype != 41).chain(99..=109).chain(249..=260).chain([32_768, 32_769, 65_280, 65_535])
}

/// Messages for whoever parses.
pub(super) fn messages() -> Vec<(String, Vec<u8>)> {
    let mut all = queries();
    for rtype in types() {
        let (owner, rdata) = (name("www.example."), rdata(rtype));
        let mut message = query("www.example.", rtype);
        message.flags.response = true;
        message.answer.push(record(&owner, RecordType(rtype), 300, &rdata));
        let cut = &rdata[..rdata.len() - 1];
        let mut fits = octets(&message).unwrap_or_default();
        all.push((format!("type-{rtype:05}"), fits.clone()));
        message.answer[0].rdata = cut.into();
        // The composer believes its caller; only the reader is to see that it is cut.
        if let Some(cut) = std::panic::catch_unwind(|| octets(&message)).ok().flatten() {
            all.push((format!("type-{rtype:05}-cut"), cut));
        }
        if rtype % 8 == 0 {
            fits.push(0);
            all.push((format!("type-{rtype:05}-trailing"), fits));
        }
    }
    all.extend(hostile().map(|(name, message)| (name.to_owned(), message)));
    let whole = octets(&with_options("www.example.", 1, vec![(10, vec![1; 8])])).unwrap_or_default();
    all.extend((0..whole.len()).step_by(3).map(|cut| (format!("cut-at-{cut:02}"), whole[..cut].to_vec())));
    all
}

/// Shapes that have hurt parsers.
fn hostile() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    let asks = |name: &[u8]| [&HEADER[..], name, &[0, 1, 0, 1]].concat();
    let answers = |count: u16, records: &[u8]| raw([1, count, 0, 0], &[QUESTION, records].concat());
    // Each name is a label and a pointer to the one before.
    let mut stairs = Vec::new();
    for step in 0..130u16 {
        let before = if step == 0 { 12 } else { 29 + 16 * (step - 1) };
        stairs.extend([1, b'a']);
        stairs.extend((0xC000 | before).to_be_bytes());
        stairs.extend([0, 16, 0, 1, 0, 0, 0, 9, 0, 2, 1, b'x']);
    }
    let labels = |length: usize, count: usize| {
        let label = [&[length as u8][..], &vec![b'a'; length]].concat();
        [label.repeat(count), vec![0]].concat()
    };
    let opt = |options: &[u8]| {
        let length = (options.len() as u16).to_be_bytes();
        raw([1, 0, 0, 1], &[QUESTION, &[0, 0, 41, 4, 208, 0, 0, 0, 0], &length, options].concat())
    };
    let two_opts = raw([1, 0, 0, 2], &[QUESTION, &[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0].repeat(2)].concat());
    let alike = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x09\x00\x04\xc0\x00\x02\x01";
    [
        ("empty", Vec::new()),
        ("header", raw([0; 4], &[])),
        ("pointer-to-itself", asks(&[0xC0, 12])),
        ("pointer-forward", asks(&[0xC0, 20])),
        (
            "pointers-in-a-ring",
            answers(2, b"\xc0\x1f\x00\x01\x00\x01\0\0\0\x09\0\0\xc0\x1d\x00\x01\x00\x01\0\0\0\x09\0\0"),
        ),
        ("pointer-to-the-header", answers(1, b"\xc0\x04\x00\x01\x00\x01\0\0\0\x09\0\x04\xc0\0\x02\x01")),
        ("pointer-into-a-label", answers(1, b"\xc0\x0e\x00\x01\x00\x01\0\0\0\x09\0\x04\xc0\0\x02\x01")),
        ("pointer-past-the-end", answers(1, b"\xff\xff\x00\x01\x00\x01\0\0\0\x09\0\x04\xc0\0\x02\x01")),
        ("pointer-cut", asks(&[0xC0])),
        ("pointers-as-stairs", raw([1, 130, 0, 0], &[QUESTION, &stairs].concat())),
        ("label-of-63", asks(&labels(63, 1))),
        ("label-of-64", asks(&labels(64, 1))),
        ("label-of-type-1", asks(&[0x41, 0, 0])),
        ("label-of-type-2", asks(&[0x80, 0, 0])),
        ("name-of-255", asks(&labels(1, 127))),
        ("name-of-257", asks(&labels(1, 128))),
        ("name-of-all-octets", asks(&[&[63][..], &(0..63).collect::<Vec<u8>>(), &[0]].concat())),
        ("label-past-the-end", asks(&[60, b'a'])),
        ("counts-without-records", raw([1, 65_535, 65_535, 65_535], QUESTION)),
        ("questions-without-end", raw([65_535, 0, 0, 0], &QUESTION.repeat(4))),
        ("two-questions", raw([2, 0, 0, 0], &QUESTION.repeat(2))),
        ("no-question", raw([0, 0, 0, 0], QUESTION)),
        ("many-records", raw([1, 200, 0, 0], &[QUESTION, &alike.repeat(200)].concat())),
        ("rdata-of-65535", answers(1, b"\xc0\x0c\x00\x10\x00\x01\0\0\0\x09\xff\xff\x01a")),
        ("rdata-behind-its-end", answers(1, b"\xc0\x0c\x00\x0f\x00\x01\0\0\0\x09\x00\x03\0\x01\xc0\x0c")),
        ("a-of-no-octets", answers(1, b"\xc0\x0c\x00\x01\x00\x01\0\0\0\x09\x00\x00")),
        ("ttl-of-2-to-the-31", answers(1, b"\xc0\x0c\x00\x01\x00\x01\x80\0\0\0\x00\x04\xc0\0\x02\x01")),
        ("class-any-without-rdata", answers(1, b"\xc0\x0c\x00\x01\x00\xff\0\0\0\0\x00\x00")),
        ("two-opts", two_opts),
        ("opt-in-the-answer", answers(1, &[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0])),
        ("opt-of-a-name", raw([1, 0, 0, 1], &[QUESTION, &[0xC0, 12, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]].concat())),
        ("option-past-its-end", opt(&[0, 10, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8])),
        ("option-header-cut", opt(&[0, 12, 0])),
        ("options-32", opt(&[0, 12, 0, 0].repeat(32))),
        ("options-33", opt(&[0, 12, 0, 0].repeat(33))),
        (
            "response",
            raw([1, 0, 0, 0], QUESTION).into_iter().enumerate().map(|(at, o)| if at == 2 { 0x81 } else { o }).collect(),
        ),
        (
            "truncated-query",
            raw([1, 0, 0, 0], QUESTION).into_iter().enumerate().map(|(at, o)| if at == 2 { 0x03 } else { o }).collect(),
        ),
    ]
    .into_iter()
}

/// Queries for a server of the zone `example.com.` that knows some names of `example.net.`.
pub(super) fn queries() -> Vec<(String, Vec<u8>)> {
    let asked = [
        ("example.com.", &[1, 2, 6, 15, 16, 43, 48, 255][..]),
        ("www.example.com.", &[1, 28, 65, 5, 16, 99]),
        ("alias.example.com.", &[1, 5]),
        ("chain.example.com.", &[28, 255]),
        ("away.example.com.", &[1]),
        ("loop.example.com.", &[1]),
        ("any.wild.example.com.", &[16, 1]),
        ("b.c.example.com.", &[1]),
        ("x.tree.example.com.", &[1, 39]),
        ("host.child.example.com.", &[1, 43]),
        ("child.example.com.", &[2, 43]),
        ("big.example.com.", &[16]),
        ("gone.example.com.", &[1, 47]),
        ("wWw.EXAMPLE.com.", &[1]),
        ("cached.example.net.", &[1, 28]),
        ("alias.example.net.", &[1]),
        ("large.example.net.", &[16]),
        ("gone.example.net.", &[1]),
        ("unknown.example.net.", &[1]),
        ("printer.home.arpa.", &[1, 28, 12]),
        ("77.2.0.192.in-addr.arpa.", &[12]),
        ("localhost.", &[1, 28]),
        ("1.0.0.127.in-addr.arpa.", &[12]),
        ("host.invalid.", &[1]),
        (".", &[2, 6, 255]),
    ];
    let mut all = Vec::new();
    let mut put = |label: String, message: &Message| all.extend(octets(message).map(|octets| (label, octets)));
    for (owner, types) in asked {
        for &rtype in types {
            put(format!("ask-{owner}{rtype}"), &query(owner, rtype));
            put(format!("ask-{owner}{rtype}-edns"), &with_options(owner, rtype, Vec::new()));
        }
    }
    for (label, octets) in options().collect::<Vec<_>>() {
        if let Some(options) = split(&octets) {
            put(format!("option-{label}"), &with_options("www.example.com.", 1, options));
        }
    }
    for opcode in 1..16 {
        let mut message = query("example.com.", 6);
        message.flags.opcode.0 = opcode;
        put(format!("opcode-{opcode:02}"), &message);
    }
    for rtype in [249, 250, 251, 252, 253, 254, 41, 0] {
        put(format!("meta-{rtype:03}"), &query("example.com.", rtype));
    }
    for class in [0, 3, 4, 254, 255] {
        for owner in ["version.bind.", "id.server.", "www.example.com."] {
            let mut message = query(owner, 16);
            message.questions[0].class.0 = class;
            put(format!("class-{class:03}-{owner}"), &message);
        }
    }
    for bits in 0..8u16 {
        let mut message = query("www.example.com.", 1);
        message.flags.recursion_desired = bits & 1 != 0;
        message.flags.checking_disabled = bits & 2 != 0;
        message.flags.authentic_data = bits & 4 != 0;
        put(format!("flags-{bits}"), &message);
    }
    let mut newer = with_options("www.example.com.", 1, Vec::new());
    if let Some(edns) = &mut newer.edns {
        edns.version = 1;
    }
    put("edns-1".to_owned(), &newer);
    all
}

/// A query with a TSIG record, in the house whose desk is attended.
pub(super) fn signed_query() -> Option<Vec<u8>> {
    let mut message = query("example.com.", 6);
    let mut signature = record(&name("key."), RecordType(250), 0, &rdata(250));
    signature.class.0 = 255;
    message.additional.push(signature);
    octets(&message).map(|octets| [&[4], &octets[..]].concat())
}

fn split(mut octets: &[u8]) -> Option<Vec<(u16, Vec<u8>)>> {
    let mut options = Vec::new();
    while let [c0, c1, l0, l1, rest @ ..] = octets {
        let (data, behind) = rest.split_at_checked(usize::from(u16::from_be_bytes([*l0, *l1])))?;
        options.push((u16::from_be_bytes([*c0, *c1]), data.to_vec()));
        octets = behind;
    }
    octets.is_empty().then_some(options)
}

/// The RDATA of OPT records.
pub(super) fn options() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    let one = |code: u16, data: &[u8]| [&code.to_be_bytes()[..], &(data.len() as u16).to_be_bytes(), data].concat();
    let subnet = |data: &[u8]| one(option::CLIENT_SUBNET, data);
    let cookie = |length: usize| one(option::COOKIE, &vec![0xC0; length]);
    let hidden: Name = name("a.example.");
    [
        ("none", Vec::new()),
        ("subnet-v4", subnet(&[0, 1, 24, 0, 192, 0, 2])),
        ("subnet-v4-bits", subnet(&[0, 1, 23, 0, 192, 0, 3])),
        ("subnet-v4-whole", subnet(&[0, 1, 32, 0, 192, 0, 2, 1])),
        ("subnet-v4-long", subnet(&[0, 1, 33, 0, 192, 0, 2, 1, 0])),
        ("subnet-v4-scope", subnet(&[0, 1, 24, 24, 192, 0, 2])),
        ("subnet-v6", subnet(&[0, 2, 56, 0, 0x20, 1, 0xD, 0xB8, 0, 0, 0])),
        ("subnet-v6-mapped", subnet(&[&[0, 2, 128, 0][..], &[0; 10], &[0xFF, 0xFF, 192, 0, 2, 1]].concat())),
        ("subnet-none", subnet(&[0, 1, 0, 0])),
        ("subnet-no-family", subnet(&[0, 0, 0, 0])),
        ("subnet-odd-family", subnet(&[0, 3, 0, 0])),
        ("subnet-cut", subnet(&[0, 1])),
        ("cookie-0", cookie(0)),
        ("cookie-7", cookie(7)),
        ("cookie-8", cookie(8)),
        ("cookie-15", cookie(15)),
        ("cookie-16", cookie(16)),
        ("cookie-24", cookie(24)),
        ("cookie-40", cookie(40)),
        ("cookie-41", cookie(41)),
        ("cookies-two", [cookie(8), cookie(24)].concat()),
        ("ede", one(option::EDE, b"\x00\x16no answer")),
        ("ede-no-text", one(option::EDE, &[0, 3])),
        ("nsid", one(option::NSID, b"")),
        ("keepalive", one(option::TCP_KEEPALIVE, b"")),
        ("padding", one(option::PADDING, &[0; 100])),
        ("all", [subnet(&[0, 1, 24, 0, 192, 0, 2]), cookie(8), one(3, b""), one(12, &[0; 9])].concat()),
        ("unknown", one(65_001, hidden.wire())),
        ("many", one(12, b"").repeat(32)),
        ("too-many", one(12, b"").repeat(33)),
        ("cut", vec![0, 10, 0]),
        ("past-its-end", vec![0, 10, 0, 8, 1, 2]),
    ]
    .into_iter()
}
