//! What others tell a station: queries of connections and neighbours, responses of streams, doors that open and close.

use super::super::handing::{hand_on, hand_over};
use super::super::stopwatch::Stopwatch;
use super::super::witness::{Turned, asked_at};
use super::{BATCHES_IN_A_ROW, Station};
use crate::app::worker::Next;
use crate::base::{Clock, Instant, bounds};
use crate::chain::Asker;
use crate::edge::forward::Answered;
use crate::edge::mailbox::{Letter, Reply};
use crate::edge::pressure::Pressure;
use crate::handlers::resolve::ExchangeId;

impl Station {
    /// Closes the listeners whose time is over; what waits in their sockets is answered first.
    pub(super) fn close_doors(&mut self, now: Instant) {
        for (door, _) in self.leaving.extract_if(.., |(_, at)| *at <= now).collect::<Vec<_>>() {
            while let Some(at) = self.listeners.iter().position(|listener| listener.door == door) {
                self.empty(at);
                self.listeners.remove(at);
                self.is_ready.remove(at);
                self.pressures.remove(at);
            }
        }
    }

    /// Answers what waits at a listener, as much as may wait.
    fn empty(&mut self, at: usize) {
        const DATAGRAM_MIN: usize = 256; // octets that the system counts for one, at least
        for _ in 0..2 * bounds::SOCKET_BUFFER / DATAGRAM_MIN / (BATCHES_IN_A_ROW * bounds::BATCH) {
            self.receive(at, None);
            if self.is_ready.get(at) != Some(&true) {
                return;
            }
        }
    }

    /// Reads the letters that have come, not so many that datagrams wait long, and says whether any had.
    pub(super) fn read_letters(&mut self, now: Instant) -> bool {
        let most = if self.is_stopping { usize::MAX } else { BATCHES_IN_A_ROW * bounds::BATCH };
        let (mut has_looked, mut has_some, mut responses) = (false, false, 0);
        let watch = Stopwatch::start(&self.tally, now);
        for count in 0..most {
            if count % bounds::BATCH == 0 {
                self.nudges.clear();
            }
            if self.collected.is_empty() && !std::mem::replace(&mut has_looked, true) {
                self.letters.collect(&mut self.collected);
                self.collected.reverse(); // the first is taken from the end
            }
            let Some(letter) = self.collected.pop() else { break };
            has_some = true;
            match letter {
                Letter::Query { bytes, asker, reply, handed_over } => {
                    responses += u64::from(self.take_query(&bytes, asker, reply, handed_over, now));
                }
                Letter::Response { exchange, outcome: Ok(bytes) } => {
                    self.witness.saw_stream(exchange, Some(&bytes), &self.tally);
                    self.worker.handle_response(ExchangeId(exchange), &bytes, now);
                }
                Letter::Response { exchange, outcome: Err(_) } => {
                    self.witness.saw_stream(exchange, None, &self.tally);
                    self.worker.handle_fault(ExchangeId(exchange), now);
                }
                Letter::Forwarded { exchange, outcome: Some(Answered { by, bytes }) } => {
                    self.worker.handle_forwarded(ExchangeId(exchange), by, &bytes, now);
                }
                Letter::Forwarded { exchange, outcome: None } => self.worker.handle_fault(ExchangeId(exchange), now),
                Letter::Send { reply, bytes } => self.send(reply, &bytes),
                Letter::HandOn(_told_when_dropped) => {
                    self.has_left = true;
                    self.is_ready.fill(false);
                }
                Letter::Open(listener) => {
                    self.listeners.push(*listener);
                    self.is_ready.push(true);
                    self.pressures.push(Pressure::default());
                }
                Letter::Leave { door, at } => {
                    self.leaving.retain(|(leaving, _)| *leaving != door);
                    self.leaving.extend(at.map(|at| (door, at)));
                }
                Letter::Look => {} // which every step does
                Letter::Stop => self.is_stopping = true,
            }
        }
        self.nudges.clear();
        if responses > 0 {
            watch.stop(&self.tally, self.surroundings.clock.now(), responses);
        }
        has_some
    }

    /// Whether it was answered at once.
    fn take_query(&mut self, bytes: &[u8], asker: Asker, reply: Reply, handed_over: bool, now: Instant) -> bool {
        let mut out = std::mem::take(&mut self.response);
        out.clear();
        let mut reply = Some(reply);
        let next = if handed_over {
            self.worker.turn_handed_over(bytes, asker, &mut reply, now, &mut out)
        } else {
            self.worker.turn(bytes, asker, &mut reply, now, &mut out)
        };
        if !self.witness.is_idle() {
            let turned = Turned {
                query: bytes,
                asker: &asker,
                asked: asked_at(&asker, None),
                arrived: now,
                next,
                source: self.worker.source(),
                is_handed_over: handed_over,
                response: &out,
            };
            self.witness.saw_turn(&turned, &mut self.dice, &self.tally);
        }
        match (next, reply) {
            (Next::Respond, Some(reply)) => self.send(reply, &out),
            (Next::HandOver(home), reply) => hand_over(&self.neighbours, home, bytes, asker, reply, &self.tally),
            (Next::Elsewhere(kind), reply) => {
                let desk = self.surroundings.desk.as_ref();
                hand_on(desk, &self.mailbox, kind, bytes, asker, reply, &self.tally);
            }
            _ => {}
        }
        self.response = out;
        next == Next::Respond
    }
}
