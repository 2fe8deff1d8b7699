//! The servers of a story: each says what an honest authoritative server of its records would say, save where a
//! rule of the story makes it silent, slow, broken or a liar.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use meridian::base::Dice;
use meridian::dns::edns::option;
use meridian::dns::{Edns, Flags, Message, Name, Question, Rcode, Record, RecordType};
use meridian::handlers::resolve::Transport;

use crate::signing::{Claim, Nodes, Signer};
use crate::text;

/// A zone as one server holds it.
#[derive(Clone, Debug)]
pub(crate) struct Zone {
    pub(crate) apex: Name,
    pub(crate) records: Vec<Record>,
    /// Its key, if it is signed.
    pub(crate) signer: Option<Arc<Signer>>,
}

/// What a rule makes of a query.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// Nothing comes back.
    Silent,
    /// The query is refused by the network: port unreachable, connection reset.
    Unreachable,
    /// This RCODE, in a message or in a bare header.
    Rcode { rcode: Rcode, is_bare: bool },
    /// TC=1 and no records.
    Truncate,
    /// The honest answer, so much later.
    Delay(Duration),
    /// Junk 5 ms before the honest answer.
    Junk(String),
    /// What the story says, instead of the honest answer.
    Reply(Scripted),
    /// The honest answer and what the story says.
    Add(Scripted),
    /// So many queries in a thousand are lost, the others answered.
    Lose(u32),
    /// The honest answer with the question in small letters.
    Fold,
    /// The honest answer without OPT, as by a server that never heard of EDNS.
    Plain,
    /// The honest answer as by a server that never heard of DNSSEC.
    Strip,
    /// The honest answer without the records of this type and their signatures.
    Withhold(RecordType),
    /// The honest answer with other data under the same signatures.
    Alter,
    /// BADCOOKIE until the right cookie comes.
    BadCookie,
    /// Anything at all, often nearly right.
    Chaos,
    /// The honest answer; the rule only keeps later ones from applying.
    Honest,
}

/// Sections that a story writes out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scripted {
    pub(crate) is_authoritative: bool,
    pub(crate) rcode: Rcode,
    pub(crate) answer: Vec<Record>,
    pub(crate) authority: Vec<Record>,
    pub(crate) additional: Vec<Record>,
}

/// When a rule applies, and what it does then.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) name: Option<Name>,
    pub(crate) rtype: Option<RecordType>,
    pub(crate) transport: Option<Transport>,
    pub(crate) has_edns: Option<bool>,
    /// Of the queries that match otherwise: the first and the last to which it applies, from 1.
    pub(crate) range: (u32, u32),
    pub(crate) seen: u32,
    pub(crate) action: Action,
}

/// What comes back, and how long after the query was sent.
#[derive(Clone, Debug)]
pub(crate) enum Back {
    Bytes(Vec<u8>),
    Fault,
}

/// A server of a story.
#[derive(Clone, Debug, Default)]
pub(crate) struct Server {
    pub(crate) zones: Vec<Zone>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) rtt: Duration,
    pub(crate) has_cookies: bool,
    pub(crate) is_down: bool,
    /// Apex NS records and their addresses go along with every answer.
    pub(crate) is_talkative: bool,
}

impl Server {
    /// What comes back for the query `bytes`.
    pub(crate) fn respond(&mut self, bytes: &[u8], transport: Transport, dice: &mut Dice) -> Vec<(Duration, Back)> {
        if self.is_down {
            return Vec::new();
        }
        let Ok(query) = Message::parse(bytes) else { return Vec::new() };
        let Some(question) = query.questions.first().cloned() else { return Vec::new() };
        let action = self.action(&query, &question, transport);
        let wants_dnssec = query.edns.as_ref().is_some_and(|edns| edns.dnssec_ok);
        let honest = || self.honest(&query, &question, transport, wants_dnssec);
        let rtt = self.rtt;
        let one = |message: Message| vec![(rtt, Back::Bytes(bytes_of(&message)))];
        match action {
            Action::Silent => Vec::new(),
            Action::Unreachable => vec![(rtt, Back::Fault)],
            Action::Rcode { rcode, is_bare } => {
                let mut message = reply_to(&query);
                message.rcode = rcode;
                if is_bare {
                    message.questions.clear();
                    message.edns = None;
                }
                one(message)
            }
            Action::Truncate => one(truncated(&query)),
            Action::Delay(delay) => vec![(rtt + delay, Back::Bytes(bytes_of(&honest())))],
            Action::Junk(kind) => {
                let mut back = junk(&kind, &query, &bytes_of(&honest()), transport);
                for (at, _) in &mut back {
                    *at += rtt.saturating_sub(Duration::from_millis(5));
                }
                back.push((rtt, Back::Bytes(bytes_of(&honest()))));
                back
            }
            Action::Reply(scripted) => {
                let mut message = reply_to(&query);
                add(&mut message, &scripted);
                message.rcode = scripted.rcode;
                message.flags.authoritative = scripted.is_authoritative;
                self.seal_cookie(&query, &mut message);
                one(message)
            }
            Action::Add(scripted) => {
                let mut message = honest();
                add(&mut message, &scripted);
                one(message)
            }
            Action::Lose(permille) if dice.chance(permille) => Vec::new(),
            Action::Fold => {
                let mut message = honest();
                message.questions.iter_mut().for_each(|question| question.name = question.name.lowered());
                one(message)
            }
            Action::Plain => {
                let mut message = honest();
                message.edns = None;
                one(message)
            }
            Action::Strip => one(self.honest(&query, &question, transport, false)),
            Action::Withhold(rtype) => {
                let mut message = honest();
                let is_kept = |record: &Record| record.rtype != rtype && !is_signature_over(record, rtype);
                message.answer.retain(is_kept);
                message.authority.retain(is_kept);
                one(message)
            }
            Action::Alter => {
                let mut message = honest();
                for record in message.answer.iter_mut().filter(|record| record.rtype != RecordType::RRSIG) {
                    // Not the last octet, which in names is the root.
                    let at = record.rdata.len().saturating_sub(2);
                    record.rdata.get_mut(at).into_iter().for_each(|octet| *octet ^= 1);
                }
                one(message)
            }
            Action::BadCookie if server_cookie(&query).is_empty() => {
                let mut message = reply_to(&query);
                message.rcode = Rcode::BADCOOKIE;
                self.seal_cookie(&query, &mut message);
                one(message)
            }
            Action::Chaos => chaos(&query, dice),
            Action::Lose(_) | Action::BadCookie | Action::Honest => one(honest()),
        }
    }

    fn action(&mut self, query: &Message, question: &Question, transport: Transport) -> Action {
        for rule in &mut self.rules {
            let applies = rule.name.as_ref().is_none_or(|name| *name == question.name)
                && rule.rtype.is_none_or(|rtype| rtype == question.rtype)
                && rule.transport.is_none_or(|wanted| wanted == transport)
                && rule.has_edns.is_none_or(|has| has == query.edns.is_some());
            if applies {
                rule.seen += 1;
                if (rule.range.0..=rule.range.1).contains(&rule.seen) {
                    return rule.action.clone();
                }
            }
        }
        Action::Honest
    }

    fn honest(&self, query: &Message, question: &Question, transport: Transport, wants_dnssec: bool) -> Message {
        let mut message = reply_to(query);
        self.answer(question, wants_dnssec, &mut message);
        self.seal_cookie(query, &mut message);
        let limit = match (transport, &query.edns) {
            (Transport::Tcp, _) => 65_535,
            (Transport::Udp, Some(edns)) => usize::from(edns.udp_size).clamp(512, 1232),
            (Transport::Udp, None) => 512,
        };
        if bytes_of(&message).len() > limit {
            let mut short = truncated(query);
            self.seal_cookie(query, &mut short);
            return short;
        }
        message
    }

    fn seal_cookie(&self, query: &Message, message: &mut Message) {
        let ours = query.edns.as_ref().and_then(|edns| edns.cookie().ok().flatten());
        if let (true, Some(cookie), Some(edns)) = (self.has_cookies, ours, &mut message.edns) {
            let mut data = cookie.client.to_vec();
            data.extend(b"sweetsrv");
            edns.options.push((option::COOKIE, data));
        }
    }

    /// The zone that answers for a question: the deepest around it; the parent for DS.
    fn zone_of(&self, question: &Question) -> Option<&Zone> {
        let around = |zone: &&Zone| question.name.is_within(&zone.apex);
        let deepest = |zone: &&Zone| zone.apex.label_count();
        if question.rtype == RecordType::DS {
            let above = self.zones.iter().filter(|zone| question.name.is_below(&zone.apex)).max_by_key(deepest);
            if above.is_some() {
                return above;
            }
        }
        self.zones.iter().filter(around).max_by_key(deepest)
    }

    fn answer(&self, question: &Question, wants_dnssec: bool, message: &mut Message) {
        let Some(zone) = self.zone_of(question) else {
            message.rcode = Rcode::REFUSED;
            return;
        };
        message.flags.authoritative = true;
        let mut name = question.name.clone();
        for _ in 0..50 {
            match zone.look_up(&name, question.rtype, wants_dnssec, message) {
                Some(target) if target.is_within(&zone.apex) && !message.answer.iter().any(|r| r.owner == target) => {
                    name = target;
                }
                _ => break,
            }
        }
        if self.is_talkative && message.flags.authoritative && message.authority.is_empty() {
            message.authority.extend(zone.set(&zone.apex, RecordType::NS, false));
            zone.add_glue(message);
        }
    }
}

impl Zone {
    fn set(&self, owner: &Name, rtype: RecordType, with_signatures: bool) -> Vec<Record> {
        let own = self.records.iter().filter(|record| record.owner == *owner);
        let mut set: Vec<Record> = own.clone().filter(|record| record.rtype == rtype).cloned().collect();
        let Some(ttl) = set.iter().map(|record| record.ttl).min().filter(|_| with_signatures) else { return set };
        match &self.signer {
            Some(signer) => {
                let signature =
                    signer.signature((owner, owner), rtype, ttl, set.iter().map(|record| &record.rdata[..]));
                set.push(signature);
            }
            None => set.extend(own.filter(|record| is_signature_over(record, rtype)).cloned()),
        }
        set
    }

    /// What a signed zone vouches for: its own names and its cuts.
    fn nodes(&self) -> Nodes {
        let mut nodes = Nodes::new();
        nodes.insert(self.apex.lowered(), BTreeSet::from([RecordType::SOA]));
        for record in &self.records {
            let labels = self.apex.label_count() + 1..=record.owner.label_count();
            let cut = labels
                .map(|labels| record.owner.suffix(labels))
                .find(|node| self.records.iter().any(|record| record.owner == *node && record.rtype == RecordType::NS));
            let is_own = match cut {
                None => true,
                Some(cut) => cut == record.owner && matches!(record.rtype, RecordType::NS | RecordType::DS),
            };
            if is_own {
                nodes.entry(record.owner.lowered()).or_default().insert(record.rtype);
            }
        }
        nodes
    }

    fn prove(&self, claim: Claim<'_>, message: &mut Message) {
        if let Some(signer) = &self.signer {
            message.authority.extend(signer.prove(&self.nodes(), 300, claim));
        }
    }

    fn soa(&self, with_signature: bool) -> Vec<Record> {
        let soa = self.set(&self.apex, RecordType::SOA, with_signature);
        if !soa.is_empty() {
            return soa;
        }
        let line = format!("{0} SOA ns.test. admin.test. 1 7200 3600 1209600 300", self.apex);
        let words: Vec<&str> = line.split_whitespace().collect();
        let made = text::record(&words).unwrap().0;
        Self { records: vec![made], ..self.clone() }.set(&self.apex, RecordType::SOA, with_signature)
    }

    fn add_glue(&self, message: &mut Message) {
        let targets: Vec<Name> = message
            .authority
            .iter()
            .filter(|record| record.rtype == RecordType::NS)
            .filter_map(|record| Name::from_wire(&record.rdata).ok())
            .map(|(name, _)| name)
            .collect();
        for target in targets {
            for rtype in [RecordType::A, RecordType::AAAA] {
                message.additional.extend(self.set(&target, rtype, false));
            }
        }
    }

    fn deny(&self, claim: Claim<'_>, wants_dnssec: bool, message: &mut Message) {
        if matches!(claim, Claim::NoName(_)) {
            message.rcode = Rcode::NXDOMAIN;
        }
        message.authority.extend(self.soa(wants_dnssec));
        if !wants_dnssec {
            return;
        }
        if self.signer.is_some() {
            self.prove(claim, message);
        } else {
            let proofs = self.records.iter().filter(|record| record.rtype == RecordType::NSEC);
            message.authority.extend(proofs.cloned());
        }
    }

    /// Adds what the zone says of `name`; returns the target of an alias.
    fn look_up(&self, name: &Name, rtype: RecordType, wants_dnssec: bool, message: &mut Message) -> Option<Name> {
        let (from, to) = (self.apex.label_count(), name.label_count());
        for labels in from + 1..=to {
            let node = name.suffix(labels);
            let is_cut_itself = rtype == RecordType::DS && labels == to;
            let ns = self.set(&node, RecordType::NS, false);
            if !ns.is_empty() && !is_cut_itself {
                message.flags.authoritative = !message.answer.is_empty();
                message.authority.extend(ns);
                if wants_dnssec {
                    let ds = self.set(&node, RecordType::DS, true);
                    if ds.is_empty() {
                        self.prove(Claim::NoDs(&node), message);
                    }
                    message.authority.extend(ds);
                }
                self.add_glue(message);
                return None;
            }
        }
        for labels in from..to {
            let node = name.suffix(labels);
            let dname = self.set(&node, RecordType::DNAME, wants_dnssec);
            let Some(record) = dname.first() else { continue };
            let to = Name::from_wire(&record.rdata).ok()?.0;
            let ttl = record.ttl;
            message.answer.extend(dname);
            let Some(Ok(target)) = name.with_ending(&node, &to) else {
                message.rcode = Rcode::YXDOMAIN;
                return None;
            };
            let mut cname = message.answer.last()?.clone();
            (cname.owner, cname.rtype, cname.ttl) = (name.clone(), RecordType::CNAME, ttl);
            cname.rdata = target.wire().into();
            message.answer.push(cname);
            return Some(target);
        }
        let exists = |node: &Name| self.records.iter().any(|record| record.owner.is_within(node));
        let mut source = name.clone();
        if !exists(name) && *name != self.apex {
            let encloser = (from..to).rev().map(|labels| name.suffix(labels)).find(|node| exists(node));
            let encloser = encloser.unwrap_or_else(|| self.apex.clone());
            let wildcard = format!("*.{}", if encloser.is_root() { String::new() } else { encloser.to_string() });
            match wildcard.parse::<Name>() {
                Ok(wildcard) if exists(&wildcard) => source = wildcard,
                _ => {
                    self.deny(Claim::NoName(name), wants_dnssec, message);
                    return None;
                }
            }
        }
        let is_wild = source != *name;
        for wanted in [RecordType::CNAME, rtype] {
            let mut set = self.set(&source, wanted, wants_dnssec);
            for record in &mut set {
                record.owner = name.clone();
            }
            let Some(first) = set.first() else { continue };
            let target = Name::from_wire(&first.rdata).ok().map(|(target, _)| target);
            message.answer.extend(set);
            if is_wild && wants_dnssec {
                self.prove(Claim::Wildcard(name), message);
            }
            return target.filter(|_| wanted == RecordType::CNAME && rtype != RecordType::CNAME);
        }
        let claim = if is_wild { Claim::NoTypeOfWildcard(name) } else { Claim::NoType(name) };
        self.deny(claim, wants_dnssec, message);
        None
    }
}

fn is_signature_over(record: &Record, rtype: RecordType) -> bool {
    record.rtype == RecordType::RRSIG && record.rdata.starts_with(&rtype.0.to_be_bytes())
}

fn add(message: &mut Message, scripted: &Scripted) {
    message.answer.extend(scripted.answer.iter().cloned());
    message.authority.extend(scripted.authority.iter().cloned());
    message.additional.extend(scripted.additional.iter().cloned());
}

fn server_cookie(query: &Message) -> Vec<u8> {
    let cookie = query.edns.as_ref().and_then(|edns| edns.cookie().ok().flatten());
    cookie.map(|cookie| cookie.server.to_vec()).unwrap_or_default()
}

fn reply_to(query: &Message) -> Message {
    let flags = Flags {
        response: true,
        opcode: query.flags.opcode,
        recursion_desired: query.flags.recursion_desired,
        ..Flags::default()
    };
    let edns = query.edns.as_ref().map(|asked| Edns {
        udp_size: 1232,
        version: 0,
        dnssec_ok: asked.dnssec_ok,
        options: Vec::new(),
    });
    Message { id: query.id, flags, questions: query.questions.clone(), edns, ..Message::default() }
}

fn truncated(query: &Message) -> Message {
    let mut message = reply_to(query);
    message.flags.truncated = true;
    message
}

/// The message's octets, whatever their number.
pub(crate) fn bytes_of(message: &Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    _ = message.compose(&mut bytes, 65_535);
    bytes
}

/// The kinds of junk that A10 and A2 name.
pub(crate) const JUNK: [&str; 16] = [
    "wrong-id",
    "wrong-id-100",
    "not-a-response",
    "header-only",
    "cut",
    "wrong-name",
    "bare-formerr",
    "bare-servfail",
    "forced-tc",
    "wrong-opcode",
    "flipped-case",
    "wrong-type",
    "no-cookie",
    "wrong-cookie",
    "servfail",
    "empty",
];

fn junk(kind: &str, query: &Message, honest: &[u8], transport: Transport) -> Vec<(Duration, Back)> {
    let mut forged = reply_to(query);
    forged.flags.authoritative = true;
    let line = ["junk.test.", "A", "203.0.113.66"];
    let (mut record, _) = text::record(&line).unwrap();
    if let Some(question) = query.questions.first() {
        record.owner = question.name.clone();
    }
    forged.answer.push(record);
    let mut count = 1;
    let bytes = match kind {
        "wrong-id" | "wrong-id-100" => {
            if kind == "wrong-id-100" {
                count = 100;
            }
            forged.id = forged.id.wrapping_add(1);
            bytes_of(&forged)
        }
        "not-a-response" => {
            forged.flags.response = false;
            bytes_of(&forged)
        }
        "header-only" => honest.get(..12).unwrap_or_default().to_vec(),
        "cut" => honest.get(..honest.len().saturating_sub(5)).unwrap_or_default().to_vec(),
        "wrong-name" => {
            forged.questions[0].name = "wrong.test.".parse().unwrap();
            bytes_of(&forged)
        }
        "wrong-type" => {
            forged.questions[0].rtype = RecordType::LOC;
            bytes_of(&forged)
        }
        "bare-formerr" | "bare-servfail" => {
            forged.answer.clear();
            forged.questions.clear();
            forged.edns = None;
            forged.rcode = if kind == "bare-formerr" { Rcode::FORMERR } else { Rcode::SERVFAIL };
            bytes_of(&forged)
        }
        "servfail" => {
            forged.answer.clear();
            forged.rcode = Rcode::SERVFAIL;
            bytes_of(&forged)
        }
        "forced-tc" if transport == Transport::Tcp => return Vec::new(),
        "forced-tc" => bytes_of(&truncated(query)),
        "wrong-opcode" => {
            forged.flags.opcode.0 = 4;
            bytes_of(&forged)
        }
        "flipped-case" => {
            let wire: Vec<u8> = forged.questions[0].name.wire().iter().copied().map(flip).collect();
            forged.questions[0].name = Name::from_wire(&wire).unwrap().0;
            bytes_of(&forged)
        }
        "no-cookie" => bytes_of(&forged),
        "wrong-cookie" => {
            if let Some(edns) = &mut forged.edns {
                edns.options.push((option::COOKIE, vec![0x55; 16]));
            }
            bytes_of(&forged)
        }
        _ => Vec::new(),
    };
    (0..count).map(|_| (Duration::ZERO, Back::Bytes(bytes.clone()))).collect()
}

fn flip(octet: u8) -> u8 {
    if octet.is_ascii_alphabetic() { octet ^ 0x20 } else { octet }
}

/// Responses that an adversary could think of: names from a small tree so that they meet, any section, any order.
fn chaos(query: &Message, dice: &mut Dice) -> Vec<(Duration, Back)> {
    let count = dice.index(3);
    (0..count)
        .map(|_| {
            let after = Duration::from_millis(dice.below(400));
            if dice.chance(50) {
                return (after, Back::Fault);
            }
            let mut bytes = bytes_of(&chaotic(query, dice));
            if dice.chance(100) && !bytes.is_empty() {
                let at = dice.index(bytes.len());
                bytes[at] = dice.bits() as u8;
            }
            if dice.chance(30) {
                bytes.truncate(dice.index(bytes.len() + 1));
            }
            (after, Back::Bytes(bytes))
        })
        .collect()
}

fn chaotic(query: &Message, dice: &mut Dice) -> Message {
    let mut message = reply_to(query);
    message.flags.authoritative = dice.chance(600);
    message.flags.truncated = dice.chance(60);
    if dice.chance(200) {
        message.rcode = Rcode(dice.below(8) as u16);
    }
    if dice.chance(30) {
        message.edns = None;
    }
    let asked = query.questions[0].clone();
    for section in 0..3 {
        for _ in 0..dice.below(5) {
            let owner = match dice.below(4) {
                0 => asked.name.clone(),
                1 => asked.name.suffix(dice.index(asked.name.label_count() + 1)),
                _ => chaotic_name(dice),
            };
            let target = chaotic_name(dice);
            let address = format!("192.0.2.{}", dice.below(6) + 1);
            let line = match dice.below(9) {
                0 | 1 => format!("{owner} A {address}"),
                2 => format!("{owner} {} AAAA 2001:db8::{}", dice.below(3) * 40, dice.below(9)),
                3 | 4 => format!("{owner} NS {target}"),
                5 => format!("{owner} CNAME {target}"),
                6 => format!("{owner} DNAME {target}"),
                7 => format!("{owner} SOA {target} {target} 1 2 3 4 {}", dice.below(100)),
                _ => format!("{owner} MX 1 {target}"),
            };
            let words: Vec<&str> = line.split_whitespace().collect();
            let Ok((record, _)) = text::record(&words) else { continue };
            match section {
                0 => message.answer.push(record),
                1 => message.authority.push(record),
                _ => message.additional.push(record),
            }
        }
    }
    message
}

/// A name of up to four labels out of four.
pub(crate) fn chaotic_name(dice: &mut Dice) -> Name {
    let labels: Vec<&str> = (0..dice.below(5)).map(|_| ["a", "b", "c", "test"][dice.index(4)]).collect();
    (labels.join(".") + ".").parse().unwrap()
}
