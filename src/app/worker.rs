//! A worker's turn: start reading here. One datagram comes in; what leaves is a response, a counted silence, or
//! a wait for upstreams.
//!
//! A worker owns its queries from end to end: the resolver, the waiting clients and the finished answers are
//! its own, so nothing here takes a lock. It knows no socket: the same code runs in production, under the
//! stories of `tests/` and in simulation. `R` is what the edge wants back with a late response.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::house::House;
use crate::base::collections::{Map, keyed};
use crate::base::tally::{Event, Tally};
use crate::base::{Dice, Instant, bounds};
use crate::chain::{Answer, Asker, Carrier, Goal, Query, Sealed, Turn, Verdict, seal};
use crate::dns::wire::Composer;
use crate::dns::{Ede, EdeCode, Flags, Message, Opcode, Rcode};
use crate::handlers::resolve::{ExchangeId, ForwardRequest, GoalId, Resolution, Resolver, Surroundings, Transmit};

/// What a turn led to.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// The response stands in the buffer.
    Respond,
    /// Nothing is sent; it has been counted.
    Silence,
    /// The response comes later, through [`Worker::poll_late`].
    Wait,
    /// The name's home is another worker: hand the query over, unchanged.
    HandOver(usize),
}

/// A response that comes after its turn.
#[derive(Debug)]
pub struct Late<R> {
    /// Where it goes.
    pub reply: R,
    /// The whole message.
    pub bytes: Vec<u8>,
}

struct Waiter<R> {
    query: Query,
    reply: R,
    arrived: Instant,
    stale: Option<Answer>,
}

/// One worker: its share of the queries, and all that is under way for them.
pub struct Worker<R> {
    house: Arc<House>,
    /// This worker's number and how many there are; every name has one home among them.
    place: (usize, usize),
    dice: Dice,
    tally: Arc<Tally>,
    resolver: Resolver,
    waiting: Map<GoalId, VecDeque<Waiter<R>>>,
    alarms: BinaryHeap<Reverse<(Instant, u64)>>,
    late: VecDeque<Late<R>>,
}

impl<R> Worker<R> {
    /// The worker number `place.0` of `place.1`.
    #[must_use]
    pub fn new(house: Arc<House>, place: (usize, usize), mut dice: Dice, tally: Arc<Tally>) -> Self {
        let resolver = Resolver::new(Arc::clone(&house.resolution), &mut dice);
        Self {
            house,
            place,
            resolver,
            waiting: Map::with_hasher(keyed(&mut dice)),
            alarms: BinaryHeap::new(),
            late: VecDeque::new(),
            dice,
            tally,
        }
    }

    /// Moves into a new house; what is under way goes on.
    pub fn move_into(&mut self, house: Arc<House>) {
        self.resolver.change_settings(Arc::clone(&house.resolution));
        self.house = house;
    }

    /// The resolver, for `explain` and for tests.
    #[must_use]
    pub const fn resolver(&self) -> &Resolver {
        &self.resolver
    }

    /// Puts an explaining resolver in the place of the plain one.
    pub fn explain(&mut self) {
        self.resolver = Resolver::explaining(Arc::clone(&self.house.resolution), &mut self.dice);
    }

    /// Clients that wait for upstreams.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.values().map(VecDeque::len).sum()
    }

    /// Takes one query and writes the response into `out`, or says what else becomes of it.
    pub fn turn(&mut self, datagram: &[u8], mut asker: Asker, reply: R, now: Instant, out: &mut Vec<u8>) -> Next {
        self.tally.count(match asker.carrier {
            Carrier::Udp => Event::QueriesUdp,
            Carrier::Tcp => Event::QueriesTcp,
        });
        asker.may_recurse = self.house.may_recurse(asker.address.ip());
        let query = match read(datagram, asker) {
            Ok(query) => query,
            Err(Unreadable::Silence(event)) => {
                self.tally.count(event);
                return Next::Silence;
            }
            Err(Unreadable::Refuse(rcode)) => return self.refuse(datagram, rcode, out),
            Err(Unreadable::Version(query)) => {
                return self.respond(&query, &Answer::empty(Rcode::BADVERS), out);
            }
        };
        let mut turn = Turn { now, dice: &mut self.dice, tally: &self.tally, aside: None };
        let (_, verdict) = self.house.chain.handle(&query, &mut turn);
        let aside = turn.aside;
        if let Some(goal) = aside {
            self.pursue_aside(&goal, now);
        }
        match verdict {
            Verdict::Answer(answer) => self.respond(&query, &answer, out),
            Verdict::Silence(event) => {
                self.tally.count(event);
                Next::Silence
            }
            Verdict::Resolve(goal) => self.resolve(query, goal, reply, now, out),
            Verdict::Pass => self.respond(&query, &Answer::empty(Rcode::REFUSED), out),
        }
    }

    /// Takes a response of an upstream.
    pub fn handle_response(&mut self, exchange: ExchangeId, bytes: &[u8], now: Instant) {
        self.with_resolver(now, |resolver, around| resolver.handle_response(exchange, bytes, around));
    }

    /// Takes the news that an upstream cannot be reached.
    pub fn handle_fault(&mut self, exchange: ExchangeId, now: Instant) {
        self.with_resolver(now, |resolver, around| resolver.handle_fault(exchange, around));
    }

    /// Takes a forwarder's response; none where no upstream answered.
    pub fn handle_forwarded(&mut self, exchange: ExchangeId, bytes: Option<&[u8]>, now: Instant) {
        self.with_resolver(now, |resolver, around| resolver.handle_forwarded(exchange, bytes, around));
    }

    /// Does what is due by `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.with_resolver(now, Resolver::handle_timeout);
        while let Some(Reverse((due, goal))) = self.alarms.peek().copied() {
            if due > now {
                break;
            }
            self.alarms.pop();
            self.ring(GoalId(goal), now);
        }
    }

    /// When [`Worker::handle_timeout`] wants to be called next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let alarm = self.alarms.peek().map(|Reverse((due, _))| *due);
        [self.resolver.poll_timeout(), alarm].into_iter().flatten().min()
    }

    /// The next query to send upstream.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.resolver.poll_transmit()
    }

    /// The next question for a forwarder.
    pub fn poll_forward(&mut self) -> Option<ForwardRequest> {
        self.resolver.poll_forward()
    }

    /// The next exchange for which no response is wanted any more.
    pub fn poll_release(&mut self) -> Option<ExchangeId> {
        self.resolver.poll_release()
    }

    /// The next response to a query that had to wait.
    pub fn poll_late(&mut self) -> Option<Late<R>> {
        self.late.pop_front()
    }

    fn resolve(&mut self, query: Query, goal: Goal, reply: R, now: Instant, out: &mut Vec<u8>) -> Next {
        let (own, all) = self.place;
        let home = self.house.home_of(&goal.question, all);
        if home != own {
            return Next::HandOver(home);
        }
        self.tally.count(Event::CacheMisses);
        let mut around = Surroundings { memory: &*self.house.memory, now, dice: &mut self.dice, tally: &self.tally };
        let Ok(pursuit) = self.resolver.pursue(&goal, &mut around) else {
            let answer = goal.stale.unwrap_or_else(|| {
                Answer::refusal(Rcode::SERVFAIL, Ede::new(EdeCode::Other, "too many resolutions under way"))
            });
            return self.respond(&query, &answer, out);
        };
        if let (Some(_), Some(wait)) = (&goal.stale, self.house.stale_wait) {
            self.alarms.push(Reverse((now + wait, pursuit.id.0)));
        }
        self.alarms.push(Reverse((now + bounds::CLIENT_DEADLINE, pursuit.id.0)));
        let waiters = self.waiting.entry(pursuit.id).or_default();
        let pushed_out = if waiters.len() >= bounds::WAITERS_PER_FETCH { waiters.pop_front() } else { None };
        waiters.push_back(Waiter { query, reply, arrived: now, stale: goal.stale });
        match pushed_out {
            // A connection waits for its response for ever; a datagram is asked again.
            Some(waiter) if waiter.query.asker.carrier == Carrier::Tcp => {
                let ede = Ede::new(EdeCode::Other, "too many clients wait for this answer");
                self.respond_late(waiter, &Answer::refusal(Rcode::SERVFAIL, ede));
            }
            Some(_) => self.tally.count(Event::SilenceCrowded),
            None => {}
        }
        self.collect(now);
        Next::Wait
    }

    /// Pursues a goal that nobody waits for; where there is no room, it is not pursued.
    fn pursue_aside(&mut self, goal: &Goal, now: Instant) {
        self.with_resolver(now, |resolver, around| {
            let _pursued_or_not = resolver.pursue(goal, around);
        });
    }

    fn with_resolver(&mut self, now: Instant, act: impl FnOnce(&mut Resolver, &mut Surroundings<'_>)) {
        let mut around = Surroundings { memory: &*self.house.memory, now, dice: &mut self.dice, tally: &self.tally };
        act(&mut self.resolver, &mut around);
        self.collect(now);
    }

    /// Answers the clients whose goals have ended.
    fn collect(&mut self, now: Instant) {
        while let Some((goal, resolution)) = self.resolver.poll_resolution() {
            for waiter in self.waiting.remove(&goal).into_iter().flatten() {
                self.resume(waiter, &resolution, now);
            }
        }
    }

    fn resume(&mut self, waiter: Waiter<R>, resolution: &Resolution, _now: Instant) {
        let answer = match (resolution.is_failure(), &waiter.stale) {
            (true, Some(stale)) => {
                self.tally.count(Event::StaleAnswers);
                stale.clone()
            }
            _ => resolution.to_answer(waiter.query.wants_dnssec()),
        };
        self.respond_late(waiter, &answer);
    }

    /// Somebody may have waited long enough for `goal`.
    fn ring(&mut self, goal: GoalId, now: Instant) {
        let Some(waiters) = self.waiting.get_mut(&goal) else { return };
        let stale_wait = self.house.stale_wait.unwrap_or(Duration::MAX);
        let mut due = Vec::new();
        for waiter in std::mem::take(waiters) {
            let waited = now.since(waiter.arrived);
            let is_stale_due = waiter.stale.is_some() && waited >= stale_wait;
            if is_stale_due || waited >= bounds::CLIENT_DEADLINE { due.push(waiter) } else { waiters.push_back(waiter) }
        }
        if waiters.is_empty() {
            self.waiting.remove(&goal);
        }
        for waiter in due {
            let answer = if let Some(stale) = &waiter.stale {
                self.tally.count(Event::StaleAnswers);
                stale.clone()
            } else {
                Answer::refusal(Rcode::SERVFAIL, Ede::new(EdeCode::NoReachableAuthority, "no answer in time"))
            };
            self.respond_late(waiter, &answer);
        }
    }

    fn respond_late(&mut self, waiter: Waiter<R>, answer: &Answer) {
        let mut bytes = Vec::with_capacity(512);
        self.seal(&waiter.query, answer, &mut bytes);
        self.late.push_back(Late { reply: waiter.reply, bytes });
    }

    fn respond(&mut self, query: &Query, answer: &Answer, out: &mut Vec<u8>) -> Next {
        self.seal(query, answer, out);
        Next::Respond
    }

    fn seal(&self, query: &Query, answer: &Answer, out: &mut Vec<u8>) -> Sealed {
        let sealed = seal(query, answer, self.house.offers_recursion && query.asker.may_recurse, out);
        self.count_response(answer.rcode);
        if sealed.is_truncated {
            self.tally.count(Event::Truncated);
        }
        sealed
    }

    /// A bare header: all that can be said to a query that cannot be read.
    fn refuse(&self, datagram: &[u8], rcode: Rcode, out: &mut Vec<u8>) -> Next {
        let (Some(id), Some(bits)) = (word(datagram, 0), word(datagram, 2)) else { return Next::Silence };
        let asked = Flags::from_bits(bits);
        let flags = Flags {
            response: true,
            opcode: asked.opcode,
            recursion_desired: asked.recursion_desired,
            checking_disabled: asked.checking_disabled,
            ..Flags::default()
        };
        match Composer::new(out, bounds::UDP_RESPONSE_FLOOR, id, flags, rcode) {
            Ok(composer) => {
                composer.finish();
                self.count_response(rcode);
                Next::Respond
            }
            Err(_) => Next::Silence,
        }
    }

    fn count_response(&self, rcode: Rcode) {
        self.tally.count(Event::Responses);
        self.tally.count(match rcode {
            Rcode::NOERROR => Event::NoError,
            Rcode::FORMERR => Event::FormErr,
            Rcode::SERVFAIL => Event::ServFail,
            Rcode::NXDOMAIN => Event::NxDomain,
            Rcode::NOTIMP => Event::NotImp,
            Rcode::REFUSED => Event::Refused,
            _ => Event::OtherRcode,
        });
    }
}

/// Why a datagram is no query to be asked of the chain.
enum Unreadable {
    Silence(Event),
    Refuse(Rcode),
    Version(Box<Query>),
}

/// Reads a query; what is no plain question with one name gets the RFC's answer.
fn read(datagram: &[u8], asker: Asker) -> Result<Query, Unreadable> {
    let bits = word(datagram, 2).filter(|_| datagram.len() >= 12).ok_or(Unreadable::Silence(Event::SilenceShort))?;
    let flags = Flags::from_bits(bits);
    if flags.response || flags.truncated {
        return Err(Unreadable::Silence(Event::SilenceResponse)); // never answer a response, nor half a query
    }
    if asker.address.port() == 0 {
        return Err(Unreadable::Silence(Event::SilenceLoop));
    }
    if flags.opcode != Opcode::QUERY {
        return Err(Unreadable::Refuse(Rcode::NOTIMP));
    }
    let message = Message::parse(datagram).map_err(|_| Unreadable::Refuse(Rcode::FORMERR))?;
    let is_lone = message.questions.len() == 1 && message.answer.is_empty(); // RFC 9619 §4
    let question =
        message.questions.into_iter().next().filter(|_| is_lone).ok_or(Unreadable::Refuse(Rcode::FORMERR))?;
    if message.edns.as_ref().is_some_and(|edns| edns.cookie().is_err()) {
        return Err(Unreadable::Refuse(Rcode::FORMERR)); // RFC 7873 §5.2.2
    }
    let is_newer = message.edns.as_ref().is_some_and(|edns| edns.version > 0);
    let query = Query { id: message.id, flags, question, edns: message.edns, asker };
    if is_newer { Err(Unreadable::Version(Box::new(query))) } else { Ok(query) }
}

fn word(datagram: &[u8], at: usize) -> Option<u16> {
    datagram.get(at..at + 2).map(|octets| octets.iter().fold(0, |word, octet| word << 8 | u16::from(*octet)))
}
