//! One question, put to the servers of one zone until one of them says something useful.
//!
//! Junk never ends the wait: a datagram with the wrong id, question, letters, cookie or form is counted and
//! the socket stays open. An error RCODE starts the next server while the first may still be corrected by a
//! later datagram. Every attempt stays open until the ask ends, so an answer that comes after its timeout is
//! still an answer.

mod check;
mod compose;
mod judge;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use self::check::Checked;
use self::compose::{compose, random_case};
use super::classify::Finding;
use super::ledger::{Exhausted, Ledger};
use super::scoreboard::Scoreboard;
use super::trace::{Trace, What};
use super::{ExchangeId, Settings, Surroundings, Transmit, Transport};
use crate::base::tally::Event;
use crate::base::{Instant, bounds};
use crate::dns::{Name, Question, Rcode};

/// Why no server helped; the last thing seen counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// No server answered in time.
    Silence,
    /// No server could be reached at all.
    Unreachable,
    /// The last response had this RCODE.
    Rcode(Rcode),
    /// The servers do not serve the zone.
    Lame,
    /// What came in time could not be read.
    Unreadable,
    /// An answer broke a bound.
    Oversized,
    /// A bound of the ledger was reached.
    Exhausted(Exhausted),
    /// The zone has no server with an address that may be asked.
    NoServers,
    /// Too many questions about the zone, or in all, are under way.
    Crowded,
    /// What the answer is to be validated with could not be looked up.
    NoKeys,
}

/// More queries than an ask can send: each of the 32 by UDP may be followed by one over TCP, or one without EDNS.
pub const EXCHANGES_MAX: u32 = 128;

/// What an ask has found.
#[derive(Clone, Debug)]
pub struct Found {
    /// What the response means.
    pub finding: Arc<Finding>,
    /// Who gave it.
    pub server: SocketAddr,
}

/// How an ask ended.
pub type Outcome = Result<Found, Trouble>;

/// After an error RCODE from the last server, a better answer may still come for so long.
const GRACE: Duration = Duration::from_millis(30);
/// The last query of an ask waits for at least so long, as for a server never asked before.
pub const PATIENCE: Duration = Duration::from_millis(1_500);
/// Error responses taken from one server before it is given up.
const SOFT_FAILURES: u8 = 2;
/// Datagrams with a wrong id or question after which UDP is no longer believed for this attempt.
const NEAR_MISSES_MAX: u8 = 10;

#[derive(Debug)]
struct Target {
    address: SocketAddr,
    tries: u8,
    soft_failures: u8,
    is_spent: bool,
    without_edns: bool,
    without_case: bool,
    tried_tcp: bool,
}

impl Target {
    const fn new(address: SocketAddr) -> Self {
        Self {
            address,
            tries: 0,
            soft_failures: 0,
            is_spent: false,
            without_edns: false,
            without_case: false,
            tried_tcp: false,
        }
    }
}

#[derive(Debug)]
struct Attempt {
    sequence: u32,
    target: usize,
    id: u16,
    name: Name,
    transport: Transport,
    sent: Instant,
    timeout: Instant,
    hedge: Option<Instant>,
    with_edns: bool,
    cookie: Option<[u8; 8]>,
    near_misses: u8,
    /// A response came that could not be read.
    is_unreadable: bool,
    /// Timed out or answered uselessly; a good response is still welcome.
    is_over: bool,
}

/// What an ask is given at every step.
pub struct Bench<'b, 's> {
    /// The operator's settings.
    pub settings: &'b Settings,
    /// What is known of servers.
    pub scoreboard: &'b mut Scoreboard,
    /// Queries to be sent.
    pub outbox: &'b mut std::collections::VecDeque<Transmit>,
    /// The explanation, where one is wanted.
    pub trace: &'b mut Trace,
    /// Time, chance, counters.
    pub around: &'b mut Surroundings<'s>,
}

/// One question under way at one zone's servers.
#[derive(Debug)]
pub struct Ask {
    zone: Name,
    question: Question,
    ledger: Arc<Ledger>,
    targets: SmallVec<[Target; 4]>,
    attempts: SmallVec<[Attempt; 2]>,
    tries: u8,
    key: u32,
    next_sequence: u32,
    grace: Option<Instant>,
    trouble: Trouble,
}

impl Ask {
    /// A question for the servers of `zone`; `key` and the numbers from `first` on mark its exchanges. Call
    /// [`Ask::begin`] next.
    #[must_use]
    pub fn new(
        zone: Name,
        question: Question,
        servers: &[SocketAddr],
        ledger: Arc<Ledger>,
        (key, first): (u32, u32),
    ) -> Self {
        Self {
            zone,
            question,
            ledger,
            targets: servers.iter().take(bounds::ADDRESSES_MAX).copied().map(Target::new).collect(),
            attempts: SmallVec::new(),
            tries: 0,
            key,
            next_sequence: first,
            grace: None,
            trouble: Trouble::NoServers,
        }
    }

    /// Makes another server of the zone known, which is asked if the others do not help; whether there was room for it.
    pub fn add_server(&mut self, address: SocketAddr) -> bool {
        let has_room = self.targets.len() < bounds::ADDRESSES_MAX;
        if has_room && !self.targets.iter().any(|target| target.address == address) {
            self.targets.push(Target::new(address));
        }
        has_room
    }

    /// The question.
    #[must_use]
    pub const fn question(&self) -> &Question {
        &self.question
    }

    /// The zone asked.
    #[must_use]
    pub const fn zone(&self) -> &Name {
        &self.zone
    }

    /// The account that pays.
    #[must_use]
    pub const fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// The exchanges that end with the ask.
    pub fn exchanges(&self) -> impl Iterator<Item = ExchangeId> {
        self.attempts.iter().map(|attempt| exchange_id(self.key, attempt.sequence))
    }

    /// Sends the first query.
    pub fn begin(&mut self, bench: &mut Bench<'_, '_>) -> Option<Outcome> {
        self.advance(bench)
    }

    /// When [`Ask::handle_timeout`] wants to be called next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let attempts = self.attempts.iter().filter(|attempt| !attempt.is_over);
        attempts.flat_map(|attempt| [Some(attempt.timeout), attempt.hedge]).chain([self.grace]).flatten().min()
    }

    /// Takes a response that came for `exchange`.
    pub fn handle_response(
        &mut self,
        exchange: ExchangeId,
        bytes: &[u8],
        bench: &mut Bench<'_, '_>,
    ) -> Option<Outcome> {
        let at = self.attempts.iter().position(|attempt| attempt.sequence == sequence(exchange))?;
        // It may have waited for us through a stall: what it says would be believed for longer than its TTL.
        if bench.around.now > self.ledger.deadline() {
            bench.around.tally.count(Event::BoundTime);
            return Some(Err(Trouble::Exhausted(Exhausted::Time)));
        }
        self.ledger.charge_bytes(bytes.len());
        match self.check(at, bytes, bench) {
            Checked::Junk => {
                bench.around.tally.count(Event::UpstreamJunk);
                None
            }
            // Somebody may have made it up: the true response is waited for.
            Checked::Unreadable => {
                bench.around.tally.count(Event::UpstreamJunk);
                if let Some(attempt) = self.attempts.get_mut(at) {
                    attempt.is_unreadable = true;
                }
                None
            }
            Checked::NearMiss => {
                bench.around.tally.count(Event::UpstreamJunk);
                self.suspect(at, bench)
            }
            Checked::Genuine(message) => self.judge(at, &message, bench),
        }
    }

    /// Takes the news that `exchange` cannot succeed: the server refused the connection or cannot be reached.
    pub fn handle_fault(&mut self, exchange: ExchangeId, bench: &mut Bench<'_, '_>) -> Option<Outcome> {
        let at = self.attempts.iter().position(|attempt| attempt.sequence == sequence(exchange))?;
        let attempt = self.attempts.get_mut(at)?;
        let (target, transport) = (attempt.target, attempt.transport);
        attempt.is_over = true;
        attempt.hedge = None;
        let target = self.targets.get_mut(target)?;
        if transport == Transport::Tcp && target.tries < bounds::TRIES_PER_SERVER && !target.without_case {
            // Suspicion drove us to TCP and TCP is not there: UDP once more, with plain letters.
            target.without_case = true;
        } else {
            target.is_spent = true;
        }
        bench.scoreboard.note_timeout(target.address, bench.around.now);
        self.trouble = Trouble::Unreachable;
        bench.trace.note(bench.around.now, || What::Judge {
            server: Some(target.address),
            verdict: "cannot be reached".into(),
        });
        self.advance(bench)
    }

    /// Does what is due: counts timeouts, hedges, asks the next server, or gives up.
    pub fn handle_timeout(&mut self, bench: &mut Bench<'_, '_>) -> Option<Outcome> {
        let now = bench.around.now;
        let mut wants_hedge = false;
        let mut wants_next = false;
        for attempt in self.attempts.iter_mut().filter(|attempt| !attempt.is_over) {
            if attempt.timeout <= now {
                attempt.is_over = true;
                attempt.hedge = None;
                wants_next = true;
                bench.around.tally.count(Event::UpstreamTimeouts);
                if let Some(target) = self.targets.get_mut(attempt.target) {
                    bench.scoreboard.note_timeout(target.address, now);
                    let is_unreadable = attempt.is_unreadable;
                    self.trouble = if is_unreadable { Trouble::Unreadable } else { Trouble::Silence };
                    bench.trace.note(now, || What::Judge {
                        server: Some(target.address),
                        verdict: if is_unreadable { "nothing that can be read" } else { "silence" }.into(),
                    });
                }
            } else if attempt.hedge.is_some_and(|hedge| hedge <= now) {
                attempt.hedge = None;
                wants_hedge = true;
            }
        }
        if self.grace.is_some_and(|grace| grace <= now) {
            return Some(Err(self.trouble));
        }
        if wants_hedge && !wants_next && bench.scoreboard.may_hedge() {
            let slow = self.attempts.last().and_then(|attempt| self.targets.get(attempt.target));
            let other_family = slow.map(|target| target.address.is_ipv4());
            if let Some(next) = self.select(other_family, bench)
                && self.targets.get(next).is_some_and(|target| target.tries == 0)
            {
                bench.around.tally.count(Event::UpstreamHedges);
                bench.scoreboard.note_sent(true);
                return self.send(next, Transport::Udp, bench);
            }
        }
        // A hedge that is still out is the next try already.
        let is_hedged = self.attempts.iter().any(|attempt| !attempt.is_over);
        if wants_next && !is_hedged { self.advance(bench) } else { None }
    }

    /// Asks the next server; without one, waits for what is still open, and without that, ends.
    fn advance(&mut self, bench: &mut Bench<'_, '_>) -> Option<Outcome> {
        if let Some(next) = self.select(None, bench) {
            return self.send(next, Transport::Udp, bench);
        }
        if self.attempts.iter().any(|attempt| !attempt.is_over) {
            return None;
        }
        if matches!(self.trouble, Trouble::Rcode(_) | Trouble::Lame | Trouble::Oversized) {
            self.grace.get_or_insert(bench.around.now + GRACE);
            return None;
        }
        Some(Err(self.trouble))
    }

    fn select(&self, family_first: Option<bool>, bench: &mut Bench<'_, '_>) -> Option<usize> {
        if self.tries >= bounds::TRIES_PER_STEP {
            return None;
        }
        let now = bench.around.now;
        let is_open = |target: &&Target| {
            !target.is_spent && target.tries < bounds::TRIES_PER_SERVER && target.soft_failures < SOFT_FAILURES
        };
        let worth = |target: &Target| (bench.scoreboard.is_avoided(target.address, now), target.tries);
        let best = self.targets.iter().filter(is_open).map(worth).min()?;
        let peers: SmallVec<[(usize, SocketAddr); 16]> = self
            .targets
            .iter()
            .enumerate()
            .filter(|(_, target)| is_open(target) && worth(target) == best)
            .map(|(at, target)| (at, target.address))
            .collect();
        let addresses: SmallVec<[SocketAddr; 16]> = peers.iter().map(|(_, address)| *address).collect();
        let chosen = bench.scoreboard.select(&addresses, &self.zone, family_first, now, bench.around.dice)?;
        peers.get(chosen).map(|(at, _)| *at)
    }

    fn send(&mut self, at: usize, transport: Transport, bench: &mut Bench<'_, '_>) -> Option<Outcome> {
        let now = bench.around.now;
        if let Err(exhausted) = self.ledger.charge_query(now) {
            bench.around.tally.count(exhausted.event());
            self.trouble = Trouble::Exhausted(exhausted);
            return Some(Err(self.trouble));
        }
        let score = bench.scoreboard.score(self.targets.get(at)?.address);
        let base = score.map_or(bounds::RTO_INITIAL, super::scoreboard::Score::timeout);
        let is_last = self.tries + 1 >= bounds::TRIES_PER_STEP
            || !self.targets.iter().enumerate().any(|(other, target)| {
                let tries = target.tries + u8::from(other == at);
                !target.is_spent && tries < bounds::TRIES_PER_SERVER && target.soft_failures < SOFT_FAILURES
            });
        let target = self.targets.get_mut(at)?;
        let timeout = match transport {
            // Nobody is left to ask after it: a path that has become slow gets the time that a new one gets.
            Transport::Udp if is_last => (base * (1 << target.tries.min(6))).clamp(PATIENCE, bounds::RTO_MAX),
            Transport::Udp => (base * (1 << target.tries.min(6))).min(bounds::RTO_MAX),
            Transport::Tcp => (base * 4).clamp(Duration::from_millis(1500), bounds::RTO_MAX),
        };
        // The last try to a server that never answered goes without EDNS: it may drop what it does not know.
        let is_desperate = target.tries + 1 >= bounds::TRIES_PER_SERVER
            && target.soft_failures == 0
            && !score.is_some_and(super::scoreboard::Score::is_known_for_edns);
        let with_edns = !target.without_edns && !is_desperate && score.is_none_or(|score| score.takes_edns(now));
        let with_case = bench.settings.randomises_case
            && !target.without_case
            && score.is_none_or(|score| score.keeps_letter_case(now));
        let cookie = (with_edns && score.is_none_or(|score| score.takes_cookies(now)))
            .then(|| bench.scoreboard.client_cookie(target.address.ip()));
        let server_cookie = score.map(|score| score.cookie().to_vec()).unwrap_or_default();
        let hedge = (transport == Transport::Udp)
            .then(|| score.and_then(super::scoreboard::Score::hedge_after))
            .flatten()
            .filter(|after| *after < timeout)
            .map(|after| now + after);
        let name =
            if with_case { random_case(&self.question.name, bench.around.dice) } else { self.question.name.clone() };
        let attempt = Attempt {
            sequence: self.next_sequence,
            target: at,
            id: bench.around.dice.bits16(),
            name,
            transport,
            sent: now,
            timeout: (now + timeout).min(self.ledger.deadline()),
            hedge,
            with_edns,
            cookie,
            near_misses: 0,
            is_unreadable: false,
            is_over: false,
        };
        target.tries += 1;
        target.tried_tcp |= transport == Transport::Tcp;
        self.tries += 1;
        self.next_sequence = self.next_sequence.wrapping_add(1);
        self.grace = None;
        let server = target.address;
        bench.around.tally.count(match transport {
            Transport::Udp => Event::UpstreamUdp,
            Transport::Tcp => Event::UpstreamTcp,
        });
        bench.scoreboard.note_sent(false);
        bench.trace.note(now, || What::Send {
            server,
            is_tcp: transport == Transport::Tcp,
            zone: self.zone.clone(),
            name: self.question.name.clone(),
            rtype: self.question.rtype,
        });
        let bytes = compose(&attempt, &self.question, &server_cookie);
        let exchange = exchange_id(self.key, attempt.sequence);
        bench.outbox.push_back(Transmit { exchange, server, transport, bytes });
        self.attempts.push(attempt);
        None
    }

    /// Somebody may be guessing: the same server is asked over TCP, which cannot be forged from aside.
    fn suspect(&mut self, at: usize, bench: &mut Bench<'_, '_>) -> Option<Outcome> {
        let attempt = self.attempts.get_mut(at)?;
        attempt.near_misses = attempt.near_misses.saturating_add(1);
        let target = attempt.target;
        if attempt.near_misses != 1 || attempt.transport == Transport::Tcp || self.targets.get(target)?.tried_tcp {
            return None;
        }
        self.send(target, Transport::Tcp, bench)
    }
}

const fn exchange_id(key: u32, sequence: u32) -> ExchangeId {
    ExchangeId((key as u64) << 32 | sequence as u64)
}

/// The key of the ask that an exchange belongs to.
#[must_use]
pub const fn key(exchange: ExchangeId) -> u32 {
    (exchange.0 >> 32) as u32
}

const fn sequence(exchange: ExchangeId) -> u32 {
    exchange.0 as u32
}
