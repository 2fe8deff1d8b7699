//! A station's witness: it tells the log and the tap what was asked and answered, where somebody wants to know.
//!
//! Nobody may be kept waiting by it: what the log or the tap cannot take at once is dropped there, and counted.

use std::net::SocketAddr;

use tracing::info;

use super::log;
use crate::app::house::Telling;
use crate::app::worker::{Errand, Late, Next, Source};
use crate::base::collections::{Map, keyed};
use crate::base::tally::Tally;
use crate::base::{Clock, Dice, Instant, bounds};
use crate::chain::{Asker, Carrier};
use crate::dns::wire::Reader;
use crate::dns::{Message, Rcode, RecordType};
use crate::edge::clock::{MachineClock, wall};
use crate::edge::mailbox::Reply;
use crate::edge::tap::{Party, Tap, Told, at};

/// What became of a query in its turn.
pub(super) struct Turned<'t> {
    /// The query.
    pub(super) query: &'t [u8],
    /// Who asks.
    pub(super) asker: &'t Asker,
    /// Where it was received, if that is known.
    pub(super) asked: Option<SocketAddr>,
    /// When.
    pub(super) arrived: Instant,
    /// What became of it.
    pub(super) next: Next,
    /// Where the answer came from, if it was answered.
    pub(super) source: Source,
    /// Whether another station has told of the query.
    pub(super) is_handed_over: bool,
    /// The response, if it was answered.
    pub(super) response: &'t [u8],
}

/// See the module's text.
pub(super) struct Witness {
    telling: Telling,
    /// Whether nobody wants to know anything.
    is_idle: bool,
    clock: MachineClock,
    /// The servers of exchanges over TCP.
    streams: Map<u64, SocketAddr>,
}

impl Witness {
    /// A witness that tells what `telling` wants.
    pub(super) fn new(telling: Telling, clock: MachineClock, dice: &mut Dice) -> Self {
        let mut witness =
            Self { telling: Telling::default(), is_idle: true, clock, streams: Map::with_hasher(keyed(dice)) };
        witness.follow(telling);
        witness
    }

    /// Tells from now on what `telling` wants.
    pub(super) fn follow(&mut self, telling: Telling) {
        let queries = &telling.queries;
        self.is_idle = telling.tap.is_none() && queries.per_million == 0 && queries.slow.is_none();
        self.telling = telling;
        self.streams.clear();
    }

    /// Whether nobody wants to know anything: then nothing needs to be told.
    pub(super) const fn is_idle(&self) -> bool {
        self.is_idle
    }

    /// A query has had its turn.
    pub(super) fn saw_turn(&self, turned: &Turned<'_>, dice: &mut Dice, tally: &Tally) {
        let Turned { query, asker, asked, arrived, next, source, is_handed_over, response } = *turned;
        if let Some(tap) = &self.telling.tap {
            let exchange = Exchange { asker, asked, arrived };
            if !is_handed_over {
                self.tell(tap, &exchange, false, query, tally);
            }
            if next == Next::Respond {
                self.tell(tap, &exchange, true, response, tally);
            }
        }
        let is_over = !matches!(next, Next::Wait | Next::HandOver(_));
        if is_over && self.draws(dice) {
            let outcome = match next {
                Next::Elsewhere(errand) => Outcome::HandedOn(errand),
                Next::Respond => Outcome::Answered(response),
                _ => Outcome::Silence,
            };
            log_query(query, asker, source, self.milliseconds(arrived), &outcome);
        }
    }

    /// A query that had to wait is answered.
    pub(super) fn saw_late(&self, late: &Late<Reply>, asked: Option<SocketAddr>, dice: &mut Dice, tally: &Tally) {
        let Late { bytes, asker, arrived, source, .. } = late;
        if let Some(tap) = &self.telling.tap {
            let exchange = Exchange { asker, asked, arrived: *arrived };
            self.tell(tap, &exchange, true, bytes, tally);
        }
        let is_slow = self.telling.queries.slow.is_some_and(|slow| self.clock.now().since(*arrived) >= slow);
        if is_slow || self.draws(dice) {
            log_query(bytes, asker, *source, self.milliseconds(*arrived), &Outcome::Answered(bytes));
        }
    }

    /// A query goes upstream.
    pub(super) fn saw_transmit(
        &mut self,
        exchange: u64,
        server: SocketAddr,
        is_tcp: bool,
        bytes: &[u8],
        tally: &Tally,
    ) {
        let Some(tap) = &self.telling.tap else { return };
        if is_tcp {
            // Letters that were lost leave theirs behind.
            if self.streams.len() >= bounds::RESOLUTIONS_MAX {
                self.streams.clear();
            }
            self.streams.insert(exchange, server);
        }
        tell_upstream(tap, false, is_tcp, server, bytes, tally);
    }

    /// A response has come from `server` over UDP.
    pub(super) fn saw_datagram(&self, server: Option<SocketAddr>, bytes: &[u8], tally: &Tally) {
        if let (Some(tap), Some(server)) = (&self.telling.tap, server) {
            tell_upstream(tap, true, false, server, bytes, tally);
        }
    }

    /// An exchange over TCP has ended, with a response if there is one.
    pub(super) fn saw_stream(&mut self, exchange: u64, bytes: Option<&[u8]>, tally: &Tally) {
        let Some(tap) = &self.telling.tap else { return };
        if let (Some(server), Some(bytes)) = (self.streams.remove(&exchange), bytes) {
            tell_upstream(tap, true, true, server, bytes, tally);
        }
    }

    fn tell(&self, tap: &Tap, exchange: &Exchange<'_>, is_response: bool, bytes: &[u8], tally: &Tally) {
        let Exchange { asker, asked, arrived } = *exchange;
        // RD: who wants recursion is a client of the resolver.
        let wants_recursion = bytes.get(2).is_some_and(|bits| bits & 1 == 1);
        let party = if wants_recursion { Party::Client } else { Party::Auth };
        if !tap.wants(party, is_response, asker.address, id_of(bytes)) {
            return;
        }
        let (now, passed) = (wall(), self.clock.now().since(arrived));
        let told = Told {
            party,
            is_response,
            is_tcp: asker.carrier == Carrier::Tcp,
            asker: Some(asker.address),
            asked,
            query_time: now.saturating_sub(passed),
            response_time: is_response.then_some(now),
            bytes: bytes.to_vec(),
        };
        tap.tell(told, tally);
    }

    fn draws(&self, dice: &mut Dice) -> bool {
        let per_million = u64::from(self.telling.queries.per_million);
        per_million > 0 && dice.below(1_000_000) < per_million
    }

    /// Since `arrived`, to the microsecond.
    fn milliseconds(&self, arrived: Instant) -> f64 {
        (self.clock.now().since(arrived).as_secs_f64() * 1e6).round() / 1e3
    }
}

#[derive(Clone, Copy)]
struct Exchange<'e> {
    asker: &'e Asker,
    asked: Option<SocketAddr>,
    arrived: Instant,
}

fn tell_upstream(tap: &Tap, is_response: bool, is_tcp: bool, server: SocketAddr, bytes: &[u8], tally: &Tally) {
    if !tap.wants(Party::Resolver, is_response, server, id_of(bytes)) {
        return;
    }
    let now = wall();
    let told = Told {
        party: Party::Resolver,
        is_response,
        is_tcp,
        asker: None,
        asked: Some(server),
        query_time: now,
        response_time: is_response.then_some(now),
        bytes: bytes.to_vec(),
    };
    tap.tell(told, tally);
}

fn id_of(bytes: &[u8]) -> u16 {
    bytes.first_chunk().map_or(0, |id| u16::from_be_bytes(*id))
}

/// Where a query was received: the address and, for datagrams, the listener's port.
pub(super) fn asked_at(asker: &Asker, listener: Option<SocketAddr>) -> Option<SocketAddr> {
    let specified = listener.filter(|listener| !listener.ip().is_unspecified());
    match (asker.local, listener) {
        (Some(local), Some(listener)) => Some(SocketAddr::new(local, listener.port())),
        (Some(local), None) => Some(at(local)),
        (None, _) => specified,
    }
}

/// What became of a query, as the log says it.
enum Outcome<'o> {
    Answered(&'o [u8]),
    HandedOn(Errand),
    Silence,
}

/// Logs a query, whose question stands in `asked`. Names are written with escapes: nothing that a client sends can end
/// a log line.
fn log_query(asked: &[u8], asker: &Asker, source: Source, ms: f64, outcome: &Outcome<'_>) {
    let mut reader = Reader::new(asked, 12);
    let (Ok(name), Ok(rtype)) = (reader.name(), reader.u16()) else { return };
    let rtype = RecordType(rtype);
    let (client, transport) = (asker.address, if asker.carrier == Carrier::Tcp { "tcp" } else { "udp" });
    match outcome {
        Outcome::Answered(response) => {
            let rcode = rcode_of(response);
            let (source, octets) = (source.word(), response.len());
            info!(target: log::QUERIES, %client, %name, "type" = %rtype, %rcode, source, transport, octets, ms, "query");
        }
        Outcome::HandedOn(errand) => {
            let errand = format!("{errand:?}").to_lowercase();
            info!(target: log::QUERIES, %client, %name, "type" = %rtype, errand, transport, "query");
        }
        Outcome::Silence => {
            info!(target: log::QUERIES, %client, %name, "type" = %rtype, rcode = "silence", transport, "query");
        }
    }
}

/// The response code, the bits in an OPT record included (RFC 6891 §6.1.3).
fn rcode_of(response: &[u8]) -> Rcode {
    let plain = || Rcode(response.get(3).map_or(0, |bits| u16::from(bits & 0xF)));
    Message::parse(response).map_or_else(|_| plain(), |message| message.rcode)
}
