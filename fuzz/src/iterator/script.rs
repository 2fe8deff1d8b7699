//! Octets as a script: what clients ask, and what upstreams do.
//!
//! Upstreams are as clever as they can be within an octet or three: they know the question, and answer it, refer, point
//! at themselves, lie about other names, cut, garble and repeat. Where that is not enough, the script says a message
//! octet by octet.

use std::time::Duration;

use meridian::dns::{Edns, Flags, Message, Name, Question, Rcode, Record, RecordType};

use super::super::messages::{name, octets, record, soa};

/// Milliseconds until a response comes.
const DELAYS: [u64; 4] = [1, 30, 400, 2_000];
const TYPES: [RecordType; 8] = [
    RecordType::A,
    RecordType::AAAA,
    RecordType::MX,
    RecordType::TXT,
    RecordType::NS,
    RecordType::DS,
    RecordType::CNAME,
    RecordType::SOA,
];
const NAMES: [&str; 8] = [
    "www.victim.test.",
    "a.b.c.d.e.f.g.h.i.j.k.l.m.n.attacker.test.",
    "test.",
    "ns.attacker.test.",
    "x.www.victim.test.",
    ".",
    "attacker.test.",
    "0123456789012345678901234567890123456789012345678901234567890.victim.test.",
];

/// A client's query.
pub(super) struct Asked {
    pub(super) octets: Vec<u8>,
    /// How long after the one before.
    pub(super) pause: Duration,
}

/// What comes of a query upstream.
#[derive(Clone)]
pub(super) enum Back {
    Octets(Vec<u8>),
    /// It cannot be reached.
    Fault,
}

pub(super) struct Script<'s> {
    rest: &'s [u8],
}

impl<'s> Script<'s> {
    pub(super) const fn new(octets: &'s [u8]) -> Self {
        Self { rest: octets }
    }

    fn next(&mut self) -> u8 {
        let Some((first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        *first
    }

    /// One to four queries: an octet for the name and the type, an octet for the pause and the flags.
    pub(super) fn queries(&mut self) -> Vec<Asked> {
        let count = self.next() % 4 + 1;
        let queries = (0..count).map(|number| {
            let (what, how) = (usize::from(self.next()), self.next());
            let mut message = Message { id: u16::from(number), ..Message::default() };
            message.flags.recursion_desired = true;
            message.flags.checking_disabled = how & 0x80 != 0;
            message.questions.push(Question::new(name(NAMES[what % 8]), TYPES[what / 8 % 8]));
            if how & 0x40 != 0 {
                message.edns = Some(Edns { udp_size: 1_232, dnssec_ok: how & 0x20 != 0, ..Edns::default() });
            }
            let pause = Duration::from_millis(u64::from(how & 0x1F).pow(3));
            Asked { octets: octets(&message).expect("a query is small"), pause }
        });
        queries.collect()
    }

    /// What comes back for `query`, and after how many milliseconds.
    pub(super) fn respond(&mut self, query: &Message, is_tcp: bool) -> Vec<(u64, Back)> {
        let what = self.next();
        let delay = DELAYS[usize::from(what >> 5 & 3)];
        let back = match what & 15 {
            0 => None,
            1 => Some(Back::Fault),
            10 => Some(Back::Octets(self.raw(query))),
            kind => self.message(query, kind, what & 16 == 0, is_tcp).map(Back::Octets),
        };
        let times = if what & 0x80 != 0 { 2 } else { 1 };
        back.into_iter().cycle().take(times).zip(0..).map(|(back, more)| (delay + more, back)).collect()
    }

    /// A message octet by octet, save its id.
    fn raw(&mut self, query: &Message) -> Vec<u8> {
        let length = usize::from(self.next()).min(self.rest.len());
        let (octets, rest) = self.rest.split_at(length);
        self.rest = rest;
        [&query.id.to_be_bytes()[..], octets].concat()
    }

    /// A message that makes some sense.
    fn message(&mut self, query: &Message, kind: u8, is_authoritative: bool, is_tcp: bool) -> Option<Vec<u8>> {
        let asked = query.questions[0].clone();
        let mut said = Message { id: query.id, questions: query.questions.clone(), ..Message::default() };
        said.flags = Flags { response: true, authoritative: is_authoritative, ..Flags::default() };
        said.edns = query.edns.as_ref().map(|_| Edns { udp_size: 1_232, ..Edns::default() });
        match kind {
            2 => {
                said.flags.authoritative = false;
                self.refer(&asked.name, &mut said);
            }
            3 => self.answer(&asked, &mut said),
            4 => {
                let mut owner = asked.name.clone();
                for _ in 0..self.next() % 4 + 1 {
                    let target = self.name(&asked.name);
                    said.answer.push(record(&owner, RecordType::CNAME, 300, target.wire()));
                    owner = target;
                }
                said.answer.push(record(&owner, RecordType::A, 300, &[192, 0, 2, 99]));
            }
            5 | 6 => {
                said.rcode = if kind == 5 { Rcode::NXDOMAIN } else { Rcode::NOERROR };
                let zone = self.above(&asked.name);
                said.authority.push(record(&zone, RecordType::SOA, 300, &soa(&zone, 60)));
            }
            7 => said.rcode = Rcode(u16::from(self.next()) & if query.edns.is_some() { 31 } else { 15 }),
            8 => {
                said.flags.truncated = !is_tcp;
                self.answer(&asked, &mut said);
            }
            9 => {
                self.answer(&asked, &mut said);
                self.refer(&asked.name, &mut said);
                let victim = self.name(&asked.name);
                said.additional.push(record(&victim, RecordType::A, 86_400, &[192, 0, 2, 66]));
                said.authority.push(record(&victim, RecordType::CNAME, 86_400, asked.name.wire()));
            }
            11 => {
                said.id ^= u16::from(self.next()) + 1;
                self.answer(&asked, &mut said);
            }
            12 => {
                said.questions[0].name = self.name(&asked.name);
                self.answer(&asked, &mut said);
            }
            13 => {
                let (owner, target) = (self.above(&asked.name), self.name(&asked.name));
                said.answer.push(record(&owner, RecordType::DNAME, 300, target.wire()));
                if let Some(Ok(made)) = asked.name.with_ending(&owner, &target) {
                    said.answer.push(record(&asked.name, RecordType::CNAME, 0, made.wire()));
                }
            }
            14 => {
                self.answer(&asked, &mut said);
                let (at, with) = (usize::from(self.next()), self.next());
                let mut octets = octets(&said)?;
                let length = octets.len();
                octets[at % length] ^= with;
                return Some(octets);
            }
            _ => {
                self.answer(&asked, &mut said);
                let (code, length) = (self.next(), usize::from(self.next() % 48));
                let options = vec![(u16::from(code % 16), vec![code; length])];
                said.edns = (code & 0x40 == 0).then(|| Edns { udp_size: u16::from(code), options, ..Edns::default() });
                said.rcode = if code & 0x80 == 0 { Rcode::NOERROR } else { Rcode::FORMERR };
            }
        }
        octets(&said)
    }

    /// A name at or above `name`.
    fn above(&mut self, name: &Name) -> Name {
        let count = usize::from(self.next()) % (name.label_count() + 1);
        name.suffix(count)
    }

    /// Some name, in some relation to the one that is asked for.
    fn name(&mut self, asked: &Name) -> Name {
        let code = self.next();
        match code % 16 {
            0 => asked.clone(),
            1 => asked.parent().unwrap_or_else(Name::root),
            2 => asked.child(&[b'a' + code / 16]).unwrap_or_else(|_| Name::root()),
            3 => asked.suffix(1),
            4 => asked.parent().and_then(|parent| parent.child(&[b'a' + code / 16]).ok()).unwrap_or_else(Name::root),
            5 => asked.suffix(1).child(b"*").unwrap_or_else(|_| Name::root()),
            6 => name("localhost."),
            7 => name("7.2.0.192.in-addr.arpa."),
            other => name(NAMES[usize::from(other) - 8]),
        }
    }

    /// Records of the type that is asked for.
    fn answer(&mut self, asked: &Question, said: &mut Message) {
        let how = self.next();
        let count = if how == 255 { 400 } else { u16::from(how % 8) };
        let ttl = [0, 300, 1, u32::MAX >> 1][usize::from(how >> 3 & 3)];
        let data = |number: u16| -> Vec<u8> {
            match asked.rtype {
                RecordType::A => [192, 0].into_iter().chain(number.to_be_bytes()).collect(),
                RecordType::AAAA => [&[0x20, 1, 0xD, 0xB8][..], &[0; 10], &number.to_be_bytes()].concat(),
                RecordType::NS | RecordType::CNAME => name(NAMES[usize::from(number) % 8]).wire().to_vec(),
                RecordType::MX => [&number.to_be_bytes()[..], name(NAMES[3]).wire()].concat(),
                RecordType::SOA => soa(&asked.name, u32::from(number)),
                _ => vec![1, b'a' + (number % 26) as u8],
            }
        };
        said.answer.extend((0..count).map(|number| record(&asked.name, asked.rtype, ttl, &data(number))));
    }

    /// A zone cut, its servers, and perhaps their addresses.
    fn refer(&mut self, asked: &Name, said: &mut Message) {
        let (zone, base, how) = (self.above(asked), self.name(asked), self.next());
        let count = if how == 255 { 200 } else { how % 16 + 1 };
        for number in 0..count {
            let host = base.child(format!("ns{number}").as_bytes()).unwrap_or_else(|_| base.clone());
            said.authority.push(record(&zone, RecordType::NS, 300, host.wire()));
            let glue: &[Record] = &match how >> 4 & 3 {
                0 => vec![record(&host, RecordType::A, 300, &[192, 0, 3, number])],
                1 => vec![],
                2 => vec![record(&host, RecordType::A, 300, &[127, 0, 0, number])],
                _ => vec![
                    record(&host, RecordType::A, 300, &[192, 0, 3, number]),
                    record(&host, RecordType::AAAA, 300, &[&[0x20, 1, 0xD, 0xB8][..], &[0; 11], &[number]].concat()),
                ],
            };
            said.additional.extend_from_slice(glue);
        }
    }
}
