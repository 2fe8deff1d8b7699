//! A worker at its sockets: one thread's event loop.
//!
//! It owns the listening sockets and the upstream sockets of its worker, moves bytes between them, and sleeps
//! when there is nothing to do. All decisions are the worker's.

mod letters;
mod steady;

use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use mio::{Events, Poll, Token};
use smallvec::SmallVec;
use tokio::runtime::Handle;
use tracing::error;

use super::current::{Current, Tenant};
use super::desk::DeskSlot;
use super::handing::{hand_on, hand_over};
use super::stopwatch::{Drops, Stopwatch};
use super::witness::{Turned, Witness, asked_at};
use crate::app::build::Forwarders;
use crate::app::house::House;
use crate::app::worker::{Next, Worker};
use crate::base::tally::{Event, Tally};
use crate::base::{Clock, Dice, Instant, bounds};
use crate::chain::{Asker, Carrier};
use crate::dns::wire::Glance;
use crate::edge::batch::{self, Batch};
use crate::edge::clock::{MachineClock, wall_seconds};
use crate::edge::listen::Listener;
use crate::edge::mailbox::{Letter, Letters, Mailbox, Reply, mailbox};
use crate::edge::pressure::Pressure;
use crate::edge::tcp::Nudge;
use crate::edge::upstream::UpstreamSockets;
use crate::edge::upstream_tcp::UpstreamTcp;
use crate::handlers::resolve::{ExchangeId, ForwardRequest, Transmit, Transport};

/// What the queries of a batch are at first sight.
type Glances = SmallVec<[Glance; bounds::BATCH]>;

const WAKE: Token = Token(0);
const FIRST_UPSTREAM: usize = 1 << 16;
/// Batches taken from one listener before the others have their turn.
const BATCHES_IN_A_ROW: usize = 8;
/// A forward zone's upstreams have so long; the client's answer is due a little later.
const FORWARD_WITHIN: Duration = Duration::from_millis(4_200);
/// The longest sleep of a station, and of one that stops: it waits for its neighbours to come to rest.
pub const LONGEST_STEP: Duration = Duration::from_secs(1);
const STEP_AT_STOP: Duration = Duration::from_millis(5);
/// How often idle upstream sockets are looked through.
const TIDY_EVERY: Duration = Duration::from_secs(1);

/// What all stations share.
#[derive(Clone)]
pub struct Surroundings {
    /// The machine's clock.
    pub clock: MachineClock,
    /// The runtime for what is not done here: TCP, forwarders.
    pub runtime: Handle,
    /// TCP connections to upstreams.
    pub tcp: UpstreamTcp,
    /// The running house; looked at between events.
    pub current: Arc<Current>,
    /// Where messages go that no worker answers; none where nobody attends to them, as in `explain`.
    pub desk: Option<DeskSlot>,
}

/// One worker with its sockets.
pub struct Station {
    surroundings: Surroundings,
    place: (usize, usize),
    generation: u64,
    tenant: Tenant,
    forwarders: Arc<Forwarders>,
    witness: Witness,
    worker: Worker<Reply>,
    tally: Arc<Tally>,
    poll: Poll,
    listeners: Vec<Listener>,
    is_ready: Vec<bool>,
    /// Doors that are closed at a moment to come.
    leaving: Vec<(usize, Instant)>,
    /// How hard each of the listeners is pressed.
    pressures: Vec<Pressure>,
    batch: Batch,
    upstream: UpstreamSockets,
    letters: Letters,
    /// This station's own mailbox, for what comes back from the runtime.
    mailbox: Mailbox,
    /// The other stations', in order of their workers.
    neighbours: Vec<Mailbox>,
    dice: Dice,
    /// Letters not read yet, the last first.
    collected: Vec<Letter>,
    buffer: Box<[u8]>,
    /// Where a response to a letter is composed.
    response: Vec<u8>,
    /// Connections that have answers to write: each is woken once for many.
    nudges: Vec<Nudge>,
    next_tidy: Instant,
    /// The last look at the clock, and the last one at the end of a sleep.
    now: Instant,
    woken: Instant,
    /// How often of late queries came soon after others.
    steadiness: u32,
    drops: Drops,
    /// Whether another process reads the listeners.
    has_left: bool,
    is_stopping: bool,
    /// Steps taken, for who watches that we turn.
    turns: Arc<AtomicU64>,
    /// How many of the stations have come to rest after their stop.
    at_rest: Arc<AtomicUsize>,
}

impl Station {
    /// A station for the worker `place.0` of `place.1`, with its listeners.
    ///
    /// # Errors
    /// The machine's, where it gives no poll or refuses a socket.
    pub fn new(
        surroundings: Surroundings,
        place: (usize, usize),
        listeners: Vec<Listener>,
        mut dice: Dice,
        tally: Arc<Tally>,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let (mailbox, letters) = mailbox(mio::Waker::new(poll.registry(), WAKE)?);
        let tenant = surroundings.current.settle();
        let (generation, house, forwarders) = surroundings.current.snapshot();
        tenant.move_to(generation);
        let witness = Witness::new(house.telling.clone(), surroundings.clock, &mut dice);
        let worker = Self::hire(house, place, &surroundings.clock, &mut dice, &tally);
        Ok(Self {
            place,
            generation,
            tenant,
            forwarders,
            witness,
            worker,
            tally,
            poll,
            is_ready: vec![true; listeners.len()],
            drops: Drops::default(),
            pressures: vec![Pressure::default(); listeners.len()],
            listeners,
            leaving: Vec::new(),
            batch: Batch::new(),
            upstream: UpstreamSockets::new(FIRST_UPSTREAM, &mut dice),
            letters,
            mailbox,
            neighbours: Vec::new(),
            dice,
            collected: Vec::new(),
            buffer: vec![0; bounds::MESSAGE_MAX].into_boxed_slice(),
            response: Vec::new(),
            nudges: Vec::new(),
            next_tidy: Instant::ZERO,
            now: Instant::ZERO,
            woken: Instant::ZERO,
            steadiness: 0,
            has_left: false,
            is_stopping: false,
            turns: Arc::default(),
            at_rest: Arc::default(),
            surroundings,
        })
    }

    fn hire(
        house: Arc<House>,
        place: (usize, usize),
        clock: &MachineClock,
        dice: &mut Dice,
        tally: &Arc<Tally>,
    ) -> Worker<Reply> {
        let worker_dice = Dice::from_seed(std::array::from_fn(|_| dice.bits() as u8));
        let mut worker = Worker::new(house, place, worker_dice, Arc::clone(tally));
        worker.tell_wall(clock.now(), wall_seconds());
        worker
    }

    /// The slot for letters to this station.
    #[must_use]
    pub fn mailbox(&self) -> Mailbox {
        self.mailbox.clone()
    }

    /// Steps taken so far. It takes one at least every [`LONGEST_STEP`].
    #[must_use]
    pub fn turns(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.turns)
    }

    /// Makes the other stations known, in the order of their workers, this one included, and the count of those
    /// that have come to rest, which all share.
    pub fn meet(&mut self, neighbours: Vec<Mailbox>, at_rest: Arc<AtomicUsize>) {
        (self.neighbours, self.at_rest) = (neighbours, at_rest);
    }

    /// The worker, for `explain`.
    pub const fn worker(&mut self) -> &mut Worker<Reply> {
        &mut self.worker
    }

    /// Serves until a [`Letter::Stop`] has come and every admitted query is answered, or [`bounds::DRAIN`] is over.
    pub fn run(&mut self) {
        let mut events = Events::with_capacity(1_024);
        let (mut drained_by, mut has_rested) = (None, false);
        loop {
            // Looked at before the step: what the others have handed over until they rested is taken in it.
            let is_alone = self.at_rest.load(Ordering::Acquire) >= self.neighbours.len();
            let was_stopping = self.is_stopping;
            let step = AssertUnwindSafe(|| {
                self.step(&mut events, if was_stopping { STEP_AT_STOP } else { LONGEST_STEP });
                self.deliver();
            });
            if catch_unwind(step).is_err() {
                self.start_over();
            }
            if !was_stopping {
                continue; // of what came before the stop, the next step sees the last
            }
            let now = self.surroundings.clock.now();
            let is_over = now >= *drained_by.get_or_insert(now + bounds::DRAIN);
            let has_work = !self.collected.is_empty() || self.is_ready.contains(&true);
            let is_at_rest = self.worker.waiting() == 0 && !has_work;
            if (is_at_rest || is_over) && !std::mem::replace(&mut has_rested, true) {
                self.at_rest.fetch_add(1, Ordering::Release);
            }
            if is_over || (is_at_rest && is_alone) {
                return;
            }
        }
    }

    /// Goes on after a panic with another worker, which knows nothing of what was under way: nothing that the panic
    /// may have left half done is used again. Sockets, letters and counters stay; who was waiting has to ask again.
    fn start_over(&mut self) {
        error!("a worker panicked; another one takes its place, and what it had under way is lost");
        self.tally.count(Event::WorkerPanics);
        let (generation, house, forwarders) = self.surroundings.current.snapshot();
        self.witness.follow(house.telling.clone());
        self.worker = Self::hire(house, self.place, &self.surroundings.clock, &mut self.dice, &self.tally);
        (self.generation, self.forwarders) = (generation, forwarders);
        self.tenant.move_to(generation);
        self.upstream = UpstreamSockets::new(FIRST_UPSTREAM, &mut self.dice);
        self.batch = Batch::new();
        self.is_ready.fill(!self.has_left);
    }

    /// Sleeps until something happens, at most `longest`, and does what is to be done; late responses stay with
    /// the worker. The clock is looked at when the sleep ends and when a batch has been answered.
    pub fn step(&mut self, events: &mut Events, longest: Duration) {
        let due = self.worker.poll_timeout();
        if due.is_none() && self.may_await_queries() {
            self.await_queries();
            return;
        }
        let due = due.map_or(longest, |due| due.since(self.surroundings.clock.now()).min(longest));
        let may_sleep = self.collected.is_empty() && self.letters.may_sleep() && !self.is_ready.contains(&true);
        // The listeners stand beside the poll, not in it: a socket in it is told of every datagram that it has sent.
        let timeout = if may_sleep { due } else { Duration::ZERO };
        let listeners = if self.has_left { &[] } else { self.listeners.as_slice() };
        let has_events = batch::await_readable(&self.poll, listeners, timeout, &mut self.is_ready);
        self.turns.fetch_add(1, Ordering::Relaxed);
        if !has_events || self.poll.poll(events, Some(Duration::ZERO)).is_err() {
            events.clear();
        }
        self.follow_current();
        let now = self.wake(self.is_ready.contains(&true));
        for event in events.iter() {
            let token = event.token();
            if self.upstream.owns(token) {
                self.receive_upstream(token, now);
                // At once, so that upstreams are at work while we are.
                self.transmit(now);
            }
        }
        self.read_letters(now);
        for at in 0..self.listeners.len() {
            if self.is_ready.get(at) == Some(&true) {
                self.receive(at, None);
            }
        }
        self.rest();
    }

    /// Does what is due at the end of a step.
    fn rest(&mut self) {
        let now = self.now;
        self.worker.handle_timeout(now);
        self.transmit(now);
        if now >= self.next_tidy {
            self.next_tidy = now + TIDY_EVERY;
            self.worker.tell_wall(now, wall_seconds());
            self.upstream.tidy();
            self.drops.count(&self.listeners, &self.tally);
            self.relax(now);
            self.close_doors(now);
        }
    }

    /// Notes of the listeners to which nothing comes that they are not pressed.
    fn relax(&mut self, now: Instant) {
        for ((listener, pressure), is_ready) in self.listeners.iter().zip(&mut self.pressures).zip(&self.is_ready) {
            if !is_ready && let Some(octets) = pressure.note(0, false, now) {
                listener.queue(octets);
            }
        }
    }

    /// Moves to the running house where it has changed.
    fn follow_current(&mut self) {
        if self.surroundings.current.generation() != self.generation {
            let (generation, house, forwarders) = self.surroundings.current.snapshot();
            self.witness.follow(house.telling.clone());
            self.worker.move_into(house);
            (self.generation, self.forwarders) = (generation, forwarders);
            self.tenant.move_to(generation);
        }
    }

    /// Takes what waits at a listener; `taken` queries of it stand in the batch already.
    fn receive(&mut self, at: usize, mut taken: Option<usize>) {
        for _ in 0..BATCHES_IN_A_ROW {
            let (Some(listener), Some(pressure)) = (self.listeners.get(at), self.pressures.get_mut(at)) else { return };
            let door = listener.door;
            let count = taken.take().unwrap_or_else(|| self.batch.receive(listener).unwrap_or(0));
            let (is_full, now) = (self.batch.is_full(), self.now);
            let (watch, mut responses) = (Stopwatch::start(&self.tally, now), 0);
            if let Some(octets) = pressure.note(count, is_full, now) {
                listener.queue(octets);
            }
            self.worker.press(pressure.is_pressed());
            let queries = (0..count).map(|index| (self.batch.bytes(index), self.batch.peer(index).ip()));
            let glances: Glances = queries.clone().map(|(bytes, _)| self.worker.glance(bytes)).collect();
            // A lone query would only wait for its memory earlier.
            if count > 1 {
                self.worker.foresee(glances.iter().zip(queries));
            }
            for (index, glance) in glances.iter().enumerate() {
                let peer = self.batch.peer(index);
                let local = self.batch.local(index);
                let asker = Asker { address: peer, local, carrier: Carrier::Udp, may_recurse: false, group: 0 };
                let mut reply = Some(Reply::Udp { door, peer, local });
                let Some((bytes, out)) = self.batch.exchange(index) else { continue };
                let next = self.worker.turn_foreseen(glance, bytes, asker, &mut reply, now, out);
                if !self.witness.is_idle() {
                    let turned = Turned {
                        query: bytes,
                        asker: &asker,
                        asked: asked_at(&asker, self.listeners.get(at).map(|listener| listener.address)),
                        arrived: now,
                        next,
                        source: self.worker.source(),
                        is_handed_over: false,
                        response: out,
                    };
                    self.witness.saw_turn(&turned, &mut self.dice, &self.tally);
                }
                match next {
                    Next::Respond => responses += 1,
                    Next::Silence | Next::Wait => out.clear(),
                    Next::HandOver(home) => {
                        out.clear();
                        hand_over(&self.neighbours, home, bytes, asker, reply, &self.tally);
                    }
                    Next::Elsewhere(kind) => {
                        out.clear();
                        let desk = self.surroundings.desk.as_ref();
                        hand_on(desk, &self.mailbox, kind, bytes, asker, reply, &self.tally);
                    }
                }
            }
            if let Some(listener) = self.listeners.get(at) {
                let sent = self.batch.send(listener);
                self.tally.add(Event::SilenceUnsent, sent.unsent as u64);
            }
            self.now = self.surroundings.clock.now();
            watch.stop(&self.tally, self.now, responses);
            self.transmit(self.now);
            if !is_full {
                if let Some(ready) = self.is_ready.get_mut(at) {
                    *ready = false;
                }
                return;
            }
        }
    }

    fn receive_upstream(&mut self, token: Token, now: Instant) {
        while let Some((exchange, outcome)) = self.upstream.receive(token, &mut self.buffer) {
            match outcome {
                Ok(length) => {
                    let bytes = self.buffer.get(..length).unwrap_or_default();
                    self.witness.saw_datagram(self.upstream.server_at(token), bytes, &self.tally);
                    self.worker.handle_response(ExchangeId(exchange), bytes, now);
                }
                Err(_) => self.worker.handle_fault(ExchangeId(exchange), now),
            }
            while let Some(released) = self.worker.poll_release() {
                self.upstream.release(released.0);
            }
        }
    }

    /// Where the query of a datagram was received.
    fn listener_of(&self, reply: &Reply) -> Option<SocketAddr> {
        let Reply::Udp { door, .. } = reply else { return None };
        self.listeners.iter().find(|listener| listener.door == *door).map(|listener| listener.address)
    }

    /// Sends the responses that had to wait.
    fn deliver(&mut self) {
        while let Some(late) = self.worker.poll_late() {
            if !self.witness.is_idle() {
                let asked = asked_at(&late.asker, self.listener_of(&late.reply));
                self.witness.saw_late(&late, asked, &mut self.dice, &self.tally);
            }
            self.send(late.reply, &late.bytes);
        }
        self.nudges.clear();
    }

    fn transmit(&mut self, now: Instant) {
        while let Some(released) = self.worker.poll_release() {
            self.upstream.release(released.0);
        }
        while let Some(transmit) = self.worker.poll_transmit() {
            let Transmit { exchange, server, transport, bytes } = transmit;
            let is_tcp = transport == Transport::Tcp;
            self.witness.saw_transmit(exchange.0, server, is_tcp, &bytes, &self.tally);
            match transport {
                Transport::Udp => {
                    let sent = self.upstream.send(self.poll.registry(), exchange.0, server, &bytes, &mut self.dice);
                    if sent.is_err() {
                        self.worker.handle_fault(exchange, now);
                    }
                }
                Transport::Tcp => self.surroundings.tcp.send(exchange.0, server, bytes, self.mailbox.clone()),
            }
        }
        while let Some(request) = self.worker.poll_forward() {
            self.forward(request);
        }
    }

    fn forward(&self, request: ForwardRequest) {
        let (forwarders, mailbox) = (Arc::clone(&self.forwarders), self.mailbox.clone());
        self.surroundings.runtime.spawn(async move {
            let ForwardRequest { exchange, zone, question, checking_disabled, avoided } = request;
            let outcome = match forwarders.get(zone) {
                Some(forwarder) => {
                    forwarder.forward(&question, (true, checking_disabled), &avoided, FORWARD_WITHIN).await.ok()
                }
                None => None,
            };
            // A full mailbox loses it: the resolver's own deadline then ends the wait.
            mailbox.post(Letter::Forwarded { exchange: exchange.0, outcome }).ok();
        });
    }

    fn send(&mut self, reply: Reply, bytes: &[u8]) {
        match reply {
            Reply::Udp { door, peer, local } => {
                let listener = self.listeners.iter().find(|listener| listener.door == door);
                let sent = listener.map(|listener| batch::send_to(listener, bytes, peer, local));
                if !matches!(sent, Some(Ok(()))) {
                    self.tally.count(Event::SilenceUnsent);
                }
            }
            Reply::Tcp(reply) => self.nudges.extend(Some(reply.send_later(bytes)).filter(|nudge| !nudge.is_idle())),
            Reply::Inside(reply) => drop(reply.send(bytes.to_vec())), // whoever asked may have given up
        }
    }
}

#[cfg(test)]
#[path = "station_tests.rs"]
mod tests;
