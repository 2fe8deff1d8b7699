//! The network between workers and servers: what becomes of a query upstream, and what comes back.

use std::net::SocketAddr;
use std::time::Duration;

use meridian::base::{Dice, Instant};
use meridian::dns::{Message, Name, Question, Rcode, Record, RecordType};
use meridian::handlers::resolve::scoreboard::Score;
use meridian::handlers::resolve::{ExchangeId, Transmit, Transport, ask};

use crate::server::{POISON_V4, Reply, Said, What, bytes_of, poison_name, reply_to, respond, round_trip};
use crate::weather::Trouble;
use crate::world::{Event, World};

/// Queries that one ask may send one server: three tries, each of which may be repeated without EDNS, with a cookie or
/// over TCP.
const EXCHANGES_WITH_ONE_SERVER: usize = 12;

/// A query upstream whose socket is open.
pub(crate) struct Open {
    pub(crate) at: Instant,
    pub(crate) question: Question,
    server: SocketAddr,
    transport: Transport,
    query: Message,
}

/// What comes to a worker's socket.
pub(crate) struct Arrival {
    worker: usize,
    restarts: u32,
    exchange: u64,
    /// None for the news that there is no way.
    bytes: Option<Vec<u8>>,
    /// What of it is true, and who said it.
    said: Vec<Said>,
    host: usize,
}

impl World {
    /// Takes all that a worker wishes.
    pub(crate) fn collect(&mut self, worker: usize) {
        self.check_crowding();
        loop {
            if let Some(exchange) = self.workers[worker].poll_release() {
                self.open.remove(&(worker, exchange.0));
            } else if let Some(transmit) = self.workers[worker].poll_transmit() {
                self.transmit(worker, &transmit);
            } else if let Some(late) = self.workers[worker].poll_late() {
                self.answered(worker, late.reply, &late.bytes, false);
            } else if self.workers[worker].poll_forward().is_some() {
                self.breach("a question is forwarded although nothing is");
            } else {
                return;
            }
        }
    }

    fn transmit(&mut self, worker: usize, transmit: &Transmit) {
        self.sent += 1;
        self.mix(&transmit.bytes);
        let Some(query) = self.check_transmit(worker, transmit) else { return };
        let question = Question { name: query.questions[0].name.lowered(), ..query.questions[0].clone() };
        self.note(|| {
            let way = if transmit.transport == Transport::Tcp { " tcp" } else { "" };
            format!("  {worker}> {} {} {}{way}", transmit.server.ip(), question.name, question.rtype)
        });
        let open = Open {
            at: self.now,
            question,
            server: transmit.server,
            transport: transmit.transport,
            query: query.clone(),
        };
        if self.open.insert((worker, transmit.exchange.0), open).is_some() {
            self.breach("an exchange's number is used again");
        }
        let address = transmit.server.ip();
        // An address record that is no server's: nobody is there.
        let Some(host) = self.tree.by_address.get(&address).copied() else { return };
        let rates = self.weather.rates(self.now);
        let mut dice = std::mem::replace(&mut self.dice, Dice::from_number(0));
        let rtt = round_trip(&self.tree, host, transmit.transport);
        let is_udp = transmit.transport == Transport::Udp;
        if is_udp && dice.chance(rates.forgery) {
            for _ in 0..=dice.index(3) {
                let after = rtt.mul_f64(dice.below(1_000) as f64 / 1_000.0);
                let forged = bytes_of(&forge(&query, &mut dice));
                self.deliver(worker, transmit.exchange.0, after, forged, true, &mut dice);
            }
        }
        let trouble = self.weather.trouble(host, address.is_ipv6(), self.now);
        let is_lost = is_udp && dice.chance(rates.loss);
        if trouble.is_some() || is_lost {
            self.fault_seen = self.now;
        }
        let send = |world: &mut Self, after: Duration, bytes: Option<Vec<u8>>, said: Vec<Said>| {
            let (restarts, exchange) = (world.restarts, transmit.exchange.0);
            world.schedule(after, Event::Arrive(Box::new(Arrival { worker, restarts, exchange, bytes, said, host })));
        };
        let mut rtt = rtt;
        let reply = match trouble {
            Some(Trouble::Silent) => None,
            _ if is_lost => None,
            Some(Trouble::Unreachable) => {
                send(self, rtt, None, Vec::new());
                None
            }
            Some(Trouble::TruncatedOnly) if !is_udp => {
                if dice.chance(500) {
                    send(self, rtt, None, Vec::new());
                }
                None
            }
            Some(Trouble::TruncatedOnly) => {
                let mut message = reply_to(&query);
                message.flags.truncated = true;
                Some(Reply { message, ..Reply::default() })
            }
            Some(Trouble::Says(rcode)) => {
                let message = Message { rcode, ..reply_to(&query) };
                Some(Reply { message, ..Reply::default() })
            }
            Some(Trouble::Lame) => Some(Reply { message: reply_to(&query), ..Reply::default() }),
            Some(Trouble::Upward) => {
                let mut message = reply_to(&query);
                message.authority.push(poison(&Name::root(), RecordType::NS));
                message.additional.push(poison(&poison_name(), RecordType::A));
                Some(Reply { message, ..Reply::default() })
            }
            Some(Trouble::Slow(_)) | None => Some(respond(&self.tree, host, &query, transmit.transport)),
        };
        if let Some(Trouble::Slow(more)) = trouble {
            rtt += more;
        }
        if let Some(mut reply) = reply {
            if dice.chance(rates.delay) {
                self.fault_seen = self.now;
                let most = if dice.chance(200) { 5_000 } else { 200 };
                rtt += Duration::from_millis(dice.below(most));
            }
            if dice.chance(rates.alteration) && self.may_be_altered(&reply) {
                self.fault_seen = self.now;
                self.note(|| "  what comes is altered on the way".to_owned());
                alter(&mut reply.message);
                reply.said.clear();
            }
            let mut bytes = bytes_of(&reply.message);
            if is_udp && dice.chance(rates.truncation) {
                let mut message = reply_to(&query);
                message.flags.truncated = true;
                bytes = bytes_of(&message);
                reply.said.clear();
            }
            if is_udp && dice.chance(rates.mangling) {
                let mangled = bytes_of(&mangle(reply.message.clone(), &mut dice));
                let after = rtt.mul_f64(dice.below(1_100) as f64 / 1_000.0);
                self.deliver(worker, transmit.exchange.0, after, mangled, false, &mut dice);
            }
            if is_udp && dice.chance(rates.flips) {
                let at = dice.index(bytes.len());
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << dice.below(8);
                self.deliver(worker, transmit.exchange.0, rtt, flipped, false, &mut dice);
            }
            if is_udp && dice.chance(rates.duplication) {
                let more = rtt + Duration::from_millis(dice.below(3_000));
                send(self, more, Some(bytes.clone()), reply.said.clone());
            }
            send(self, rtt, Some(bytes), reply.said);
        }
        self.dice = dice;
    }

    /// Whether somebody on the way may change what a response says, because whoever believes it can find out: answers of
    /// secure zones, save for addresses of servers, which are believed unchecked.
    fn may_be_altered(&self, reply: &Reply) -> bool {
        let is_checked = |said: &Said| {
            let is_data = matches!(said.what, What::Records(..)) && !self.tree.is_server(&said.owner);
            is_data && self.tree.is_secure(said.zone)
        };
        !reply.said.is_empty() && reply.said.iter().all(is_checked)
    }

    /// Sends a worker what is no response to its query; for a forger's wrong port, to another query's socket. What
    /// nobody could tell from a response is left out: by a checksum or by a stroke of bad luck, which are not this
    /// world's matter.
    fn deliver(
        &mut self,
        worker: usize,
        exchange: u64,
        after: Duration,
        bytes: Vec<u8>,
        may_miss: bool,
        dice: &mut Dice,
    ) {
        let mut exchange = exchange;
        if may_miss && dice.chance(200) {
            let others: Vec<u64> = self.open.range((worker, 0)..=(worker, u64::MAX)).map(|((_, at), _)| *at).collect();
            exchange = others[dice.index(others.len())];
        }
        let Some(open) = self.open.get(&(worker, exchange)) else { return };
        if open.transport == Transport::Udp && self.is_foreign_to(worker, open, &bytes) {
            self.fault_seen = self.now;
            let (restarts, said) = (self.restarts, Vec::new());
            let arrival = Arrival { worker, restarts, exchange, bytes: Some(bytes), said, host: usize::MAX };
            self.schedule(after, Event::Arrive(Box::new(arrival)));
        }
    }

    fn is_foreign_to(&self, worker: usize, open: &Open, bytes: &[u8]) -> bool {
        let score = self.workers[worker].resolver().scoreboard().score(open.server);
        is_foreign(&open.query, bytes, score.is_some_and(Score::is_known_for_cookies))
    }

    pub(crate) fn arrive(&mut self, arrival: Arrival) {
        let Arrival { worker, restarts, exchange, bytes, said, host } = arrival;
        let Some(open) = self.open.get(&(worker, exchange)).filter(|_| restarts == self.restarts) else {
            return; // its socket is closed
        };
        // Who was right to be asked is right to answer, however long it took; cuts are as much younger as a snapshot made
        // them, or as a leap let them wait to be read.
        let older = Duration::from_secs(self.rejuvenation) + self.leapt;
        let asked_at = Instant::from_nanos(open.at.nanos().saturating_sub(older.as_nanos() as u64));
        let is_strange = host == usize::MAX;
        if is_strange && bytes.as_ref().is_some_and(|bytes| !self.is_foreign_to(worker, open, bytes)) {
            return; // the server has said over TCP that it has no cookies any more
        }
        self.mix(bytes.as_deref().unwrap_or_default());
        self.note(|| {
            let what = bytes.as_deref().map_or("no way".to_owned(), |bytes| match Message::parse(bytes) {
                Err(fault) => format!("junk: {fault}"),
                Ok(message) => {
                    let counts = [message.answer.len(), message.authority.len(), message.additional.len()];
                    let tc = if message.flags.truncated { " tc" } else { "" };
                    format!("{}{tc} {counts:?}", message.rcode)
                }
            });
            let liar = if host == usize::MAX { " of a stranger" } else { "" };
            format!("  {worker}< {what}{liar} for {exchange:x}")
        });
        for said in said {
            if self.tree.is_believed(host, said.zone, asked_at) {
                self.witnesses.add(said, self.now, self.restarts);
            }
        }
        match bytes {
            Some(bytes) => self.workers[worker].handle_response(ExchangeId(exchange), &bytes, self.now),
            None => self.workers[worker].handle_fault(ExchangeId(exchange), self.now),
        }
        self.collect(worker);
    }

    /// What every query upstream must be.
    fn check_transmit(&mut self, worker: usize, transmit: &Transmit) -> Option<Message> {
        let Ok(query) = Message::parse(&transmit.bytes) else {
            self.breach("an upstream query cannot be parsed");
            return None;
        };
        let is_plain = query.questions.len() == 1 && !query.flags.recursion_desired && !query.flags.response;
        if !is_plain || query.edns.as_ref().is_some_and(|edns| edns.udp_size != 1232) {
            self.breach("an upstream query is no plain question with RD=0 and 1232 octets");
            return None;
        }
        if transmit.server.ip() == std::net::IpAddr::from(POISON_V4) || transmit.server.port() != 53 {
            self.breach("a forged address is asked");
        }
        let asked = &query.questions[0];
        let same: Vec<u32> = self
            .open
            .range((worker, 0)..=(worker, u64::MAX))
            .filter(|(_, open)| open.server == transmit.server)
            .filter(|(_, open)| open.question.rtype == asked.rtype && open.question.name == asked.name)
            .map(|((_, exchange), _)| ask::key(ExchangeId(*exchange)))
            .collect();
        let own = ask::key(transmit.exchange);
        if same.iter().filter(|key| **key == own).count() >= EXCHANGES_WITH_ONE_SERVER {
            self.breach("one ask has too many queries under way with one server");
        }
        let mut others: Vec<u32> = same.into_iter().filter(|key| *key != own).collect();
        others.sort_unstable();
        others.dedup();
        // A server of several zones around the name may be asked on behalf of each.
        let zones = self.tree.by_address.get(&transmit.server.ip()).map_or(0, |host| {
            let ever = self.tree.hosts[*host].ever.iter().map(|zone| &self.tree.zones[*zone].zone.apex);
            ever.filter(|apex| asked.name.is_within(apex)).count()
        });
        if others.len() >= zones.max(1) {
            self.breach("one question is asked of one server twice at a time");
        }
        Some(query)
    }
}

fn poison(owner: &Name, rtype: RecordType) -> Record {
    let rdata = match rtype {
        RecordType::A => POISON_V4.to_vec(),
        RecordType::SOA => [poison_name().wire(), poison_name().wire(), &[0, 1, 81, 128].repeat(5)].concat(),
        _ => poison_name().wire().to_vec(),
    };
    Record { owner: owner.clone(), rtype, class: meridian::dns::Class::IN, ttl: 86_400, rdata: rdata.into() }
}

/// What somebody would like to be believed, with something wrong about it.
fn forge(query: &Message, dice: &mut Dice) -> Message {
    let asked = query.questions[0].clone();
    let mut message = reply_to(query);
    message.flags.authoritative = true;
    match dice.below(6) {
        0 => {
            let zone = asked.name.suffix(1 + dice.index(asked.name.label_count().max(1)));
            message.flags.authoritative = false;
            message.authority.push(poison(&zone, RecordType::NS));
            message.additional.push(poison(&poison_name(), RecordType::A));
        }
        1 => {
            message.rcode = Rcode::NXDOMAIN;
            message.authority.push(poison(&asked.name.suffix(1), RecordType::SOA));
        }
        2 => message.answer.push(poison(&asked.name, RecordType::CNAME)),
        3 => message.flags.truncated = true,
        _ => message.answer.push(poison(&asked.name, asked.rtype)),
    }
    // One in eight guesses all but the cookie.
    if dice.chance(875) { mangle(message, dice) } else { message }
}

fn mangle(mut message: Message, dice: &mut Dice) -> Message {
    let Some(question) = message.questions.first_mut() else { return message };
    match dice.below(7) {
        0 | 1 => {
            let wire: Vec<u8> = question.name.wire().iter().copied().map(flip).collect();
            question.name = Name::from_wire(&wire).unwrap().0;
        }
        2 => question.rtype = RecordType::LOC,
        3 => question.name = question.name.child(b"x").unwrap_or_else(|_| Name::root()),
        4 => message.flags.response = false,
        5 => message.flags.opcode.0 = 4,
        _ => message.id ^= 1 << dice.below(16),
    }
    message
}

/// Other data with the right signatures, or the right data with none.
fn alter(message: &mut Message) {
    let is_plain = |record: &Record| matches!(record.rtype, RecordType::A | RecordType::AAAA | RecordType::TXT);
    if message.answer.iter().any(is_plain) {
        let changed = message.answer.iter_mut().filter(|record| is_plain(record));
        changed.filter_map(|record| record.rdata.last_mut()).for_each(|octet| *octet ^= 1);
    } else {
        message.answer.retain(|record| record.rtype != RecordType::RRSIG);
    }
}

fn flip(octet: u8) -> u8 {
    if octet.is_ascii_alphabetic() { octet ^ 0x20 } else { octet }
}

/// Whether anybody who looks can tell that `bytes` are no response to `query`, or there is nothing in them to believe.
fn is_foreign(query: &Message, bytes: &[u8], knows_cookie: bool) -> bool {
    let Ok(message) = Message::parse(bytes) else { return true };
    if message.id != query.id || !message.flags.response || message.flags.opcode != query.flags.opcode {
        return true;
    }
    let asked = &query.questions[0];
    match message.questions.as_slice() {
        [] => return false, // a bare error may be true
        [question] if question.rtype == asked.rtype && question.class == asked.class => {
            if !question.name.is_same_case(&asked.name) {
                return true;
            }
        }
        _ => return true,
    }
    let cookie = |message: &Message| {
        let edns = message.edns.as_ref()?;
        edns.cookie().ok().flatten().map(|cookie| cookie.client.to_vec())
    };
    match (cookie(query), cookie(&message)) {
        (Some(ours), Some(theirs)) => ours != theirs,
        (Some(_), None) => knows_cookie && !message.flags.truncated,
        (None, _) => false,
    }
}
