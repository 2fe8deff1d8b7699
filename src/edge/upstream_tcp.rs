//! Upstream queries over TCP: connections are kept, shared and pipelined (RFC 7766 §6.2.1).
//!
//! What comes in: a query, its exchange, and the mailbox that waits for it. What leaves: one letter with the response
//! or the fault. A response is known by its message id alone; what else makes it true is not judged here. Should two
//! exchanges on a connection have the same id, one gets another for the way and its own back at the end.
#![forbid(unsafe_code)]

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use super::mailbox::{ExchangeFault, Letter, Mailbox};
use crate::base::collections::{Keyed, Map, keyed};
use crate::base::{Dice, bounds};
use crate::dns::wire::Frames;

/// How often a query may find its connection closed before it was written.
const HANDOVERS: u8 = 2;
/// Tries to draw an id that no other exchange of the connection has.
const ID_TRIES: u32 = 64;
/// Octets read by one system call.
const READ_STEP: usize = 8 * 1_024;
/// Responses to no query of ours, after which a connection is closed.
const STRAYS_MAX: u32 = 16;

/// A query on its way.
#[derive(Debug)]
struct Order {
    exchange: u64,
    server: SocketAddr,
    bytes: Vec<u8>,
    mailbox: Mailbox,
    handovers: u8,
}

impl Order {
    fn deliver(&self, outcome: Result<Vec<u8>, ExchangeFault>) {
        // A full mailbox is a counted loss at the worker's side: the resolver's own timer covers it.
        self.mailbox.post(Letter::Response { exchange: self.exchange, outcome }).ok();
    }
}

/// An open connection as senders see it.
#[derive(Debug)]
struct Line {
    number: u64,
    orders: mpsc::Sender<Order>,
    sent: u32,
}

#[derive(Debug)]
struct Lines {
    by_server: Map<SocketAddr, Vec<Line>>,
    count: usize,
    numbered: u64,
    dice: Dice,
}

#[derive(Debug)]
struct Shared {
    runtime: Handle,
    hasher: Keyed,
    lines: Mutex<Lines>,
}

/// The TCP connections to upstreams; to be cloned for every worker.
#[derive(Clone, Debug)]
pub struct UpstreamTcp(Arc<Shared>);

impl UpstreamTcp {
    /// No connections yet; they will live on `runtime`.
    #[must_use]
    pub fn new(runtime: Handle, mut dice: Dice) -> Self {
        let hasher = keyed(&mut dice);
        let by_server = Map::with_hasher(hasher.clone());
        let lines = Mutex::new(Lines { by_server, count: 0, numbered: 0, dice });
        Self(Arc::new(Shared { runtime, hasher, lines }))
    }

    /// Sends `bytes` (a message without its length) to `server`; `mailbox` gets one [`Letter::Response`] for
    /// `exchange`, at the latest when the connection ends. Never waits.
    pub fn send(&self, exchange: u64, server: SocketAddr, bytes: Vec<u8>, mailbox: Mailbox) {
        self.dispatch(Order { exchange, server, bytes, mailbox, handovers: 0 });
    }

    /// Connections open or being opened.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.lines().count
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn dispatch(&self, mut order: Order) {
        if order.bytes.len() < 12 || order.bytes.len() > bounds::MESSAGE_MAX {
            return order.deliver(Err(ExchangeFault::Closed));
        }
        let mut lines = self.lines();
        let server = order.server;
        if let Some(open) = lines.by_server.get_mut(&server) {
            for line in open.iter_mut().filter(|line| line.sent < bounds::UPSTREAM_TCP_QUERIES) {
                match line.orders.try_send(order) {
                    Ok(()) => return line.sent += 1,
                    Err(mpsc::error::TrySendError::Full(back) | mpsc::error::TrySendError::Closed(back)) => {
                        order = back;
                    }
                }
            }
        }
        if lines.count >= bounds::UPSTREAM_TCP_CONNECTIONS && !lines.give_up_one() {
            drop(lines);
            return order.deliver(Err(ExchangeFault::Overloaded));
        }
        lines.count += 1;
        lines.numbered += 1;
        let number = lines.numbered;
        let dice = Dice::from_number(lines.dice.bits());
        // As many may wait as may be outstanding, so `Full` means a busy connection.
        let (sender, orders) = mpsc::channel(bounds::UPSTREAM_TCP_IN_FLIGHT);
        let first = sender.try_send(order);
        lines.by_server.entry(server).or_default().push(Line { number, orders: sender, sent: 1 });
        drop(lines);
        debug_assert!(first.is_ok(), "a new channel has room");
        self.0.runtime.spawn(run(self.clone(), number, server, orders, dice));
    }

    /// Takes a connection off the list: nobody sends over it any more.
    fn retire(&self, server: SocketAddr, number: u64) {
        let mut lines = self.lines();
        let Some(open) = lines.by_server.get_mut(&server) else { return };
        let before = open.len();
        open.retain(|line| line.number != number);
        let is_gone = open.len() < before;
        if open.is_empty() {
            lines.by_server.remove(&server);
        }
        lines.count -= usize::from(is_gone);
    }
}

impl Lines {
    /// Gives up a connection that has nothing to send, if there is one: it ends when its exchanges have.
    fn give_up_one(&mut self) -> bool {
        let idle = self.by_server.iter().find_map(|(server, open)| {
            let place = open.iter().position(|line| line.orders.capacity() == line.orders.max_capacity())?;
            Some((*server, place))
        });
        let Some((server, place)) = idle else { return false };
        if let Some(open) = self.by_server.get_mut(&server) {
            open.swap_remove(place);
            if open.is_empty() {
                self.by_server.remove(&server);
            }
            self.count -= 1;
        }
        true
    }
}

/// Opens connection `number` and serves it to its end.
async fn run(all: UpstreamTcp, number: u64, server: SocketAddr, mut orders: mpsc::Receiver<Order>, dice: Dice) {
    let (fault, was_open) = match timeout(bounds::UPSTREAM_TCP_CONNECT, TcpStream::connect(server)).await {
        Err(_) => (ExchangeFault::TimedOut, false),
        Ok(Err(fault)) => (ExchangeFault::from(&fault), false),
        Ok(Ok(stream)) => {
            stream.set_nodelay(true).ok();
            let waiting = Map::with_hasher(all.0.hasher.clone());
            let unsent = Vec::new();
            let received = Frames::default();
            let mut connection = Connection { stream, dice, waiting, unsent, received, sent: 0, strays: 0 };
            let fault = connection.converse(&mut orders).await;
            for (_, (_, order)) in connection.waiting.drain() {
                order.deliver(Err(fault));
            }
            (fault, true)
        }
    };
    all.retire(server, number);
    orders.close();
    // What was never written may go over another connection: closing an idle one races with using it.
    while let Some(mut order) = orders.recv().await {
        order.handovers += 1;
        if was_open && order.handovers <= HANDOVERS {
            all.dispatch(order);
        } else {
            order.deliver(Err(fault));
        }
    }
}

/// An established connection.
struct Connection {
    stream: TcpStream,
    dice: Dice,
    /// Exchanges without a response by the id on the wire, each with the id that it had.
    waiting: Map<u16, (u16, Order)>,
    unsent: Vec<u8>,
    received: Frames,
    sent: u32,
    strays: u32,
}

impl Connection {
    /// Sends orders and delivers responses until the connection ends, and says why it did.
    async fn converse(&mut self, orders: &mut mpsc::Receiver<Order>) -> ExchangeFault {
        let mut deadline = Instant::now() + bounds::WORK_DEADLINE;
        let mut is_retired = false;
        loop {
            if is_retired && self.waiting.is_empty() {
                return ExchangeFault::Closed;
            }
            let may_take = !is_retired && self.waiting.len() < bounds::UPSTREAM_TCP_IN_FLIGHT;
            tokio::select! {
                order = orders.recv(), if may_take => {
                    if self.waiting.is_empty() {
                        deadline = Instant::now() + bounds::WORK_DEADLINE;
                    }
                    let Some(order) = order else { is_retired = true; continue };
                    self.write_down(order);
                    // Queries that wait together leave together (RFC 7766 §6.2.2).
                    while self.waiting.len() < bounds::UPSTREAM_TCP_IN_FLIGHT
                        && let Ok(order) = orders.try_recv()
                    {
                        self.write_down(order);
                    }
                    is_retired |= self.sent >= bounds::UPSTREAM_TCP_QUERIES;
                    if let Err(fault) = self.write() {
                        return ExchangeFault::from(&fault);
                    }
                }
                ready = self.stream.writable(), if !self.unsent.is_empty() => {
                    if let Err(fault) = ready.and_then(|()| self.write()) {
                        return ExchangeFault::from(&fault);
                    }
                }
                ready = self.stream.readable() => match ready.and_then(|()| self.read()) {
                    Ok(0) => {}
                    Ok(_) => {
                        let patience =
                            if self.waiting.is_empty() { bounds::UPSTREAM_TCP_IDLE } else { bounds::WORK_DEADLINE };
                        deadline = Instant::now() + patience;
                    }
                    Err(fault) => return ExchangeFault::from(&fault),
                },
                // Idle for long, or a server that accepts queries and says nothing.
                () = sleep_until(deadline) => return ExchangeFault::TimedOut,
            }
        }
    }

    fn write_down(&mut self, mut order: Order) {
        self.sent += 1;
        let Some(own) = order.bytes.first_chunk::<2>().map(|id| u16::from_be_bytes(*id)) else { return };
        let mut id = own;
        let mut tries = ID_TRIES;
        while self.waiting.contains_key(&id) {
            if tries == 0 {
                return order.deliver(Err(ExchangeFault::Overloaded));
            }
            tries -= 1;
            id = self.dice.bits16();
        }
        let length = u16::try_from(order.bytes.len()).unwrap_or(u16::MAX);
        self.unsent.extend_from_slice(&length.to_be_bytes());
        self.unsent.extend_from_slice(&id.to_be_bytes());
        self.unsent.extend_from_slice(order.bytes.get(2..).unwrap_or(&[]));
        order.bytes = Vec::new();
        self.waiting.insert(id, (own, order));
    }

    fn write(&mut self) -> io::Result<()> {
        let mut written = 0;
        while let Some(rest) = self.unsent.get(written..).filter(|rest| !rest.is_empty()) {
            match self.stream.try_write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(length) => written += length,
                Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => break,
                Err(fault) => return Err(fault),
            }
        }
        self.unsent.drain(..written);
        Ok(())
    }

    /// Reads what is there, once, delivers the responses in it and says how many there were.
    fn read(&mut self) -> io::Result<usize> {
        let mut room = [0; READ_STEP];
        match self.stream.try_read(&mut room) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(length) => self.received.push(room.get(..length).unwrap_or(&[])),
            Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            Err(fault) => return Err(fault),
        }
        let mut delivered = 0;
        while let Some(message) = self.received.take() {
            let found = message.first_chunk::<2>().and_then(|id| self.waiting.remove(&u16::from_be_bytes(*id)));
            let Some((own, order)) = found else {
                self.strays += 1;
                if self.strays > STRAYS_MAX {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                continue;
            };
            let mut message = message.to_vec();
            if let Some(id) = message.first_chunk_mut::<2>() {
                *id = own.to_be_bytes();
            }
            order.deliver(Ok(message));
            delivered += 1;
        }
        Ok(delivered)
    }
}

#[cfg(test)]
#[path = "upstream_tcp_tests.rs"]
mod tests;
