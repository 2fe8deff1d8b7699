//! What a model server says to a query, and which of it is its own to say.

use std::net::IpAddr;
use std::time::Duration;

use meridian::dns::edns::option;
use meridian::dns::{Class, Edns, Flags, Message, Name, Question, Rcode, Record, RecordType};
use meridian::handlers::resolve::Transport;

use crate::signing::Claim;
use crate::tree::{Set, Tree, Zone, effective};

/// One thing that a server said with authority.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) owner: Name,
    pub(crate) what: What,
    pub(crate) ttl: u32,
    /// The zone that it belongs to.
    pub(crate) zone: usize,
}

/// See [`Said`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum What {
    /// An RRset with these data.
    Records(RecordType, u64),
    /// The name is not there.
    NoName,
    /// The type is not there.
    NoType(RecordType),
    /// There is a zone cut.
    Cut,
}

/// A response, and what of it is to be believed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    pub(crate) message: Message,
    pub(crate) said: Vec<Said>,
    /// Signatures and proofs go along.
    pub(crate) wants_dnssec: bool,
}

/// The poison: if it is ever given to a client, kept or asked, something forged was believed.
pub(crate) const POISON_V4: [u8; 4] = [203, 0, 113, 66];
pub(crate) const POISON_V6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0xb, 0xad, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x66];

pub(crate) fn poison_name() -> Name {
    "ns.poison.".parse().unwrap()
}

/// A number for the data of an RRset, whatever their order.
pub(crate) fn fingerprint<'r>(rdatas: impl Iterator<Item = &'r [u8]>) -> u64 {
    rdatas.fold(0u64, |sum, rdata| {
        let one = rdata
            .iter()
            .fold(0xcbf2_9ce4_8422_2325u64, |hash, octet| (hash ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3));
        sum.wrapping_add(one.rotate_left(17).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    })
}

pub(crate) fn reply_to(query: &Message) -> Message {
    let flags = Flags { response: true, opcode: query.flags.opcode, ..Flags::default() };
    let edns = query.edns.as_ref().map(|asked| Edns {
        udp_size: 1232,
        version: 0,
        dnssec_ok: asked.dnssec_ok,
        options: Vec::new(),
    });
    Message { id: query.id, flags, questions: query.questions.clone(), edns, ..Message::default() }
}

pub(crate) fn bytes_of(message: &Message) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    _ = message.compose(&mut bytes, 65_535);
    bytes
}

fn record(owner: &Name, rtype: RecordType, ttl: u32, rdata: &[u8]) -> Record {
    Record { owner: owner.clone(), rtype, class: Class::IN, ttl, rdata: rdata.into() }
}

fn records<'s>(owner: &'s Name, set: &'s Set) -> impl Iterator<Item = Record> + 's {
    set.rdatas.iter().map(move |rdata| record(owner, set.rtype, set.ttl, rdata))
}

/// What `host` says to `query`, in good weather.
pub(crate) fn respond(tree: &Tree, host: usize, query: &Message, transport: Transport) -> Reply {
    let nature = tree.hosts[host].nature;
    let wants_dnssec = query.edns.as_ref().is_some_and(|edns| edns.dnssec_ok);
    let mut reply = Reply { message: reply_to(query), said: Vec::new(), wants_dnssec };
    let Some(question) = query.questions.first() else { return reply };
    if nature.denies_edns.is_some() && query.edns.is_some() {
        reply.message.rcode = Rcode::FORMERR;
        reply.message.edns = None;
        if nature.denies_edns == Some(true) {
            reply.message.questions.clear();
        }
        return reply;
    }
    if nature.is_tcp_only && transport == Transport::Udp {
        reply.message.flags.truncated = true;
    } else {
        answer(tree, host, question, &mut reply);
    }
    if nature.is_liar {
        lie(tree, host, question, &mut reply.message);
    }
    if nature.ignores_edns {
        reply.message.edns = None;
    }
    let cookie = query.edns.as_ref().and_then(|edns| edns.cookie().ok().flatten());
    if let (true, Some(cookie), Some(edns)) = (nature.has_cookies, cookie, &mut reply.message.edns) {
        edns.options.push((option::COOKIE, [cookie.client, b"sweetsrv"].concat()));
    }
    if nature.folds_case {
        reply.message.questions.iter_mut().for_each(|question| question.name = question.name.lowered());
    }
    let limit = match (transport, &query.edns) {
        (Transport::Tcp, _) => 65_535,
        (Transport::Udp, Some(edns)) if !nature.ignores_edns => usize::from(edns.udp_size).clamp(512, 1232),
        (Transport::Udp, _) => 512,
    };
    if bytes_of(&reply.message).len() > limit {
        let message = &mut reply.message;
        (message.answer, message.authority, message.additional) = (Vec::new(), Vec::new(), Vec::new());
        message.rcode = Rcode::NOERROR;
        message.flags.truncated = true;
        reply.said.clear();
    }
    reply
}

/// The deepest zone around `name` that the host has, or once had; of its DS records the one above speaks (RFC 4035
/// §3.1.4.1).
fn zone_at<'t>(tree: &'t Tree, host: usize, name: &Name, rtype: RecordType) -> Option<(usize, &'t Zone)> {
    let host = &tree.hosts[host];
    let now = host.zones.iter().map(|zone| (*zone, &tree.zones[*zone].zone));
    let once = host.ghosts.iter().map(|(number, zone)| (*number, zone));
    let around = now.chain(once).filter(|(_, zone)| name.is_within(&zone.apex));
    let is_above = |zone: &Zone| tree.is_signed && rtype == RecordType::DS && zone.apex == *name;
    around.max_by_key(|(_, zone)| (!is_above(zone), zone.apex.wire().len()))
}

fn answer(tree: &Tree, host: usize, question: &Question, reply: &mut Reply) {
    let mut name = question.name.lowered();
    let mut is_first = true;
    for _ in 0..12 {
        let Some((number, zone)) = zone_at(tree, host, &name, question.rtype) else {
            if is_first {
                reply.message.rcode = Rcode::REFUSED;
            }
            return;
        };
        if is_first {
            reply.message.flags.authoritative = true;
        }
        match look_up(tree, (number, zone), &name, question.rtype, reply, is_first) {
            Some(target) if !reply.message.answer.iter().any(|record| record.owner == target) => name = target,
            _ => break,
        }
        is_first = false;
    }
    let (Some((_, zone)), true) =
        (zone_at(tree, host, &question.name, question.rtype), tree.hosts[host].nature.is_talkative)
    else {
        return;
    };
    if reply.message.flags.authoritative && reply.message.authority.is_empty() {
        reply
            .message
            .authority
            .extend(zone.set(&zone.apex, RecordType::NS).iter().flat_map(|set| records(&zone.apex, set)));
        add_glue(tree, &zone.apex, &zone.apex, &mut reply.message);
    }
}

fn add_glue(tree: &Tree, apex: &Name, child: &Name, message: &mut Message) {
    for at in 0..message.authority.len() + message.answer.len() {
        let record_at = message.authority.get(at).or_else(|| message.answer.get(at - message.authority.len()));
        let Some(server) = record_at.filter(|record| record.rtype == RecordType::NS) else { continue };
        let Ok((server, _)) = Name::from_wire(&server.rdata) else { continue };
        for address in tree.glue(apex, child, &server) {
            message.additional.push(match address {
                IpAddr::V4(v4) => record(&server, RecordType::A, 300, &v4.octets()),
                IpAddr::V6(v6) => record(&server, RecordType::AAAA, 300, &v6.octets()),
            });
        }
    }
}

/// Adds what the zone says of `name`; returns the target of an alias.
fn look_up(
    tree: &Tree,
    (number, zone): (usize, &Zone),
    name: &Name,
    rtype: RecordType,
    reply: &mut Reply,
    is_first: bool,
) -> Option<Name> {
    let (from, to) = (zone.apex.label_count(), name.label_count());
    let signer = tree.zones[number].signer.as_ref().filter(|_| reply.wants_dnssec);
    let sign = |source: &Name, at: &Name, set: &Set| {
        let rdatas = || set.rdatas.iter().map(Vec::as_slice);
        signer.map(|signer| signer.signature((source, at), set.rtype, effective(set.ttl), rdatas()))
    };
    let prove = |claim: Claim<'_>| {
        let proofs = signer.map(|signer| signer.prove(&zone.vouched(), zone.negative_ttl(), claim));
        proofs.unwrap_or_default()
    };
    let message = &mut reply.message;
    for labels in from + 1..=to {
        let node = name.suffix(labels);
        let Some(cut) = zone.set(&node, RecordType::NS) else { continue };
        if rtype == RecordType::DS && labels == to {
            continue;
        }
        if is_first {
            message.flags.authoritative = false;
            message.authority.extend(records(&node, cut));
            match zone.set(&node, RecordType::DS).filter(|_| signer.is_some()) {
                Some(ds) => message.authority.extend(records(&node, ds).chain(sign(&node, &node, ds))),
                None => message.authority.extend(prove(Claim::NoDs(&node))),
            }
            add_glue(tree, &zone.apex, &node, message);
            if let Some(ds) = zone.set(&node, RecordType::DS).filter(|_| signer.is_some()) {
                let what = What::Records(ds.rtype, fingerprint(ds.rdatas.iter().map(Vec::as_slice)));
                reply.said.push(Said { owner: node.clone(), what, ttl: effective(ds.ttl), zone: number });
            }
            let ttl = effective(cut.ttl);
            reply.said.push(Said { owner: node, what: What::Cut, ttl, zone: number });
        }
        return None;
    }
    let mut say = |owner: &Name, set: &Set| {
        let what = What::Records(set.rtype, fingerprint(set.rdatas.iter().map(Vec::as_slice)));
        reply.said.push(Said { owner: owner.clone(), what, ttl: effective(set.ttl), zone: number });
    };
    for labels in from..to {
        let node = name.suffix(labels);
        let Some(dname) = zone.set(&node, RecordType::DNAME) else { continue };
        let target = Name::from_wire(&dname.rdatas[0]).ok()?.0;
        message.answer.extend(records(&node, dname).chain(sign(&node, &node, dname)));
        say(&node, dname);
        let Some(Ok(target)) = name.with_ending(&node, &target) else {
            message.rcode = Rcode::YXDOMAIN;
            return None;
        };
        let cname = Set { rtype: RecordType::CNAME, ttl: dname.ttl, rdatas: vec![target.lowered().wire().to_vec()] };
        message.answer.extend(records(name, &cname));
        say(name, &cname);
        return Some(target);
    }
    let mut source = name.clone();
    if !zone.exists(name) {
        let encloser = (from..to).rev().map(|labels| name.suffix(labels)).find(|node| zone.exists(node));
        source = encloser.unwrap_or_else(|| zone.apex.clone()).child(b"*").unwrap();
    }
    for wanted in [RecordType::CNAME, rtype] {
        let Some(set) = zone.set(&source, wanted) else { continue };
        message.answer.extend(records(name, set).chain(sign(&source, name, set)));
        say(name, set);
        if source != *name {
            message.authority.extend(prove(Claim::Wildcard(name)));
        }
        if wanted == RecordType::NS {
            add_glue(tree, &zone.apex, &zone.apex, message);
        }
        let is_alias = wanted == RecordType::CNAME && rtype != RecordType::CNAME;
        return Name::from_wire(&set.rdatas[0]).ok().map(|(target, _)| target).filter(|_| is_alias);
    }
    message.authority.extend(records(&zone.apex, zone.soa()).chain(sign(&zone.apex, &zone.apex, zone.soa())));
    let what = if zone.exists(&source) { What::NoType(rtype) } else { What::NoName };
    message.authority.extend(prove(match what {
        What::NoName => Claim::NoName(name),
        _ if source != *name => Claim::NoTypeOfWildcard(name),
        _ => Claim::NoType(name),
    }));
    if what == What::NoName {
        message.rcode = Rcode::NXDOMAIN;
    }
    reply.said.push(Said { owner: name.clone(), what, ttl: zone.negative_ttl(), zone: number });
    None
}

/// Adds records that are none of the server's business to every section: of zones that it does not serve, and of its
/// own names that were not asked for.
fn lie(tree: &Tree, host: usize, question: &Question, message: &mut Message) {
    let Some((_, zone)) = zone_at(tree, host, &question.name, RecordType::A) else { return };
    let seed = question
        .name
        .wire()
        .iter()
        .fold(usize::from(question.rtype.0), |sum, octet| (sum * 31 + usize::from(octet | 32)) & 0xff_ffff);
    // A name in no zone that this server was ever named for, so that no path of delegations makes the lie its own.
    let is_foreign = |name: &Name| {
        let ever = tree.hosts[host].ever.iter().map(|zone| &tree.zones[*zone].zone.apex);
        !ever.into_iter().any(|apex| name.is_within(apex))
    };
    let victim = (0..tree.zones.len())
        .map(|step| &tree.zones[(seed.wrapping_mul(7) + step) % tree.zones.len()].zone.apex)
        .find(|apex| is_foreign(apex));
    let Some(victim) = victim.filter(|_| !zone.apex.is_root()) else { return };
    let poison = |owner: &Name, kind: usize| match kind % 6 {
        0 => record(owner, RecordType::A, 86_400, &POISON_V4),
        1 => record(owner, RecordType::AAAA, 86_400, &POISON_V6),
        2 => record(owner, RecordType::NS, 86_400, poison_name().wire()),
        3 => record(owner, RecordType::CNAME, 86_400, poison_name().wire()),
        4 => record(owner, RecordType::DNAME, 86_400, poison_name().wire()),
        _ => record(owner, RecordType::MX, 86_400, &[&[0, 1][..], poison_name().wire()].concat()),
    };
    let host_name = victim.child(b"h1").unwrap();
    // What an alias leads to in another zone, it would like to say itself.
    let targets: Vec<Name> = message
        .answer
        .iter()
        .filter(|record| record.rtype == RecordType::CNAME)
        .filter_map(|record| Name::from_wire(&record.rdata).ok())
        .map(|(target, _)| target)
        .filter(|target| is_foreign(target))
        .collect();
    for target in targets {
        let kind = usize::from(question.rtype == RecordType::AAAA);
        message.answer.push(poison(&target, if question.rtype == RecordType::MX { 5 } else { kind }));
    }
    message.answer.push(poison(&host_name, seed));
    if seed % 3 == 0 {
        message.answer.insert(0, poison(victim, seed / 3));
    }
    message.authority.push(poison(victim, 2));
    message.additional.push(poison(&host_name, seed % 2));
    message.additional.push(record(&poison_name(), RecordType::A, 86_400, &POISON_V4));
    // Glue for the servers of others, and for names of its own that no NS record here leads to.
    for server in tree.zones[tree.zone_of(victim)].hosts.iter().take(2) {
        if !is_foreign(&tree.hosts[*server].name) {
            continue; // its own names' addresses are its to tell
        }
        message.additional.push(record(&tree.hosts[*server].name, RecordType::A, 86_400, &POISON_V4));
    }
    message.additional.push(record(&zone.apex.child(b"h0").unwrap(), RecordType::A, 86_400, &POISON_V4));
}

/// Whether the truth of this moment gives an answer to a question, within the bound on aliases.
pub(crate) fn is_resolvable(tree: &Tree, question: &Question) -> bool {
    let mut name = question.name.lowered();
    for _ in 0..=11 {
        let mut number = tree.zone_of(&name);
        if question.rtype == RecordType::DS && number != 0 && tree.zones[number].zone.apex == name {
            number = tree.zones[number].parent;
        }
        let mut above = number;
        while above != 0 {
            if tree.zones[above].is_trap {
                return false;
            }
            above = tree.zones[above].parent;
        }
        let mut reply = Reply::default();
        match look_up(tree, (number, &tree.zones[number].zone), &name, question.rtype, &mut reply, true) {
            Some(target) => name = target,
            None => return true,
        }
    }
    false
}

/// What a zone of this moment says of a name and type.
pub(crate) fn truth(tree: &Tree, zone: usize, name: &Name, rtype: RecordType) -> Vec<What> {
    let mut reply = Reply::default();
    look_up(tree, (zone, &tree.zones[zone].zone), name, rtype, &mut reply, true);
    reply.said.into_iter().filter(|said| said.owner == *name).map(|said| said.what).collect()
}

/// How long a whole exchange with the host takes.
pub(crate) fn round_trip(tree: &Tree, host: usize, transport: Transport) -> Duration {
    tree.hosts[host].nature.rtt * if transport == Transport::Tcp { 2 } else { 1 }
}
