//! Clients over TCP (RFC 7766): two octets of length before each message, queries in a row, answers as they come.
//!
//! What comes in: connections. What leaves: each query by `submit`, with a [`TcpReply`] that brings its answer back
//! to the connection. Everything a client can make grow is bounded: connections in all and per network, queries under
//! way, octets unsent, and the time for each; a client that does not read is not read from.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::mailbox::{Full, Reply};
use crate::base::collections::{Map, keyed};
use crate::base::{Dice, Network, bounds};
use crate::chain::{Asker, Carrier};
use crate::dns::wire::Frames;

/// Pause after the system refused to accept: it has run out of something.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Octets read by one system call.
const READ_STEP: usize = 8 * 1_024;
/// Above so many octets, the room of a buffer is given back once it is empty.
const KEPT_ROOM: usize = 1_024;
/// Octets that a slow reader must take within [`bounds::TCP_IDLE`].
const PROGRESS: usize = 4 * 1_024;

/// Where one query's answer goes: back to its connection. Dropped unused, it closes the connection once its other
/// answers are out, so that no client waits in vain.
#[derive(Debug)]
pub struct TcpReply {
    /// Taken when the answer is sent.
    connection: Option<mpsc::Sender<Answer>>,
}

/// What becomes of a query.
#[derive(Debug)]
enum Answer {
    /// One message.
    Whole(Vec<u8>),
    /// Several, which come by a way of their own so that they can be held back while the client is slow.
    Stream(mpsc::Receiver<Part>),
    /// None: the connection is closed.
    Nothing,
}

/// A part of an answer of several messages.
#[derive(Debug)]
enum Part {
    Message(Vec<u8>),
    /// There are no more; a stream that ends without it closes the connection.
    End,
}

/// The connection is gone: nobody reads what is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gone;

/// An answer of several messages under way. Dropped before [`TcpStreamReply::end`], it closes the connection.
#[derive(Debug)]
pub struct TcpStreamReply {
    connection: mpsc::Sender<Part>,
}

impl TcpStreamReply {
    /// Sends the next message, and waits while the client leaves too much unread.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn send(&mut self, message: Vec<u8>) -> Result<(), Gone> {
        self.connection.send(Part::Message(message)).await.map_err(|_| Gone)
    }

    /// All messages are sent.
    pub async fn end(self) {
        self.connection.send(Part::End).await.ok();
    }
}

impl TcpReply {
    /// Sends the answer, a message without its length.
    pub fn send(mut self, message: Vec<u8>) {
        self.deliver(Answer::Whole(message));
    }

    /// Begins an answer of several messages.
    #[must_use]
    pub fn stream(mut self) -> TcpStreamReply {
        let (connection, parts) = mpsc::channel(1);
        self.deliver(Answer::Stream(parts));
        TcpStreamReply { connection }
    }

    fn deliver(&mut self, answer: Answer) {
        if let Some(connection) = self.connection.take() {
            // There is a place for every query under way; it fails only where the connection is gone.
            connection.try_send(answer).ok();
        }
    }
}

impl Drop for TcpReply {
    fn drop(&mut self) {
        self.deliver(Answer::Nothing);
    }
}

/// Of `wanted` connections those for which half of the `descriptors` that the process may open are enough: clients who
/// only hold connections must not keep the others' questions from going upstream.
#[must_use]
pub fn connections_within(descriptors: u64, wanted: usize) -> usize {
    wanted.min(usize::try_from(descriptors / 2).unwrap_or(usize::MAX))
}

/// What all TCP listeners share: how many connections there are, and whose.
#[derive(Debug)]
pub struct TcpPlaces {
    connections_max: usize,
    in_flight_max: usize,
    idle: Duration,
    taken: Mutex<Taken>,
}

#[derive(Debug)]
struct Taken {
    all: usize,
    by_network: Map<Network, usize>,
}

impl TcpPlaces {
    /// Places for `connections_max` connections with `in_flight_max` queries each, closed after `idle` without one.
    #[must_use]
    pub fn new(connections_max: usize, in_flight_max: usize, idle: Duration, dice: &mut Dice) -> Arc<Self> {
        let taken = Mutex::new(Taken { all: 0, by_network: Map::with_hasher(keyed(dice)) });
        Arc::new(Self { connections_max, in_flight_max: in_flight_max.max(1), idle, taken })
    }

    /// Connections open.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).all
    }

    fn take(self: &Arc<Self>, client: IpAddr) -> Option<TcpPlace> {
        let network = Network::of_client(client);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all >= self.connections_max {
            return None;
        }
        let there = taken.by_network.entry(network).or_insert(0);
        if *there >= bounds::TCP_CONNECTIONS_PER_NETWORK {
            return None;
        }
        *there += 1;
        taken.all += 1;
        Some(TcpPlace { places: self.clone(), network })
    }

    /// How long an idle connection is kept: the less, the fewer places are left (RFC 9210 §4.3).
    fn patience(&self) -> Duration {
        let free = self.connections_max.saturating_sub(self.taken());
        let share = free as f64 / self.connections_max.max(1) as f64;
        self.idle.mul_f64((2.0 * share).min(1.0)).max(bounds::TCP_IDLE_FLOOR.min(self.idle))
    }
}

/// One connection's place, given back when dropped.
#[derive(Debug)]
struct TcpPlace {
    places: Arc<TcpPlaces>,
    network: Network,
}

impl Drop for TcpPlace {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all -= 1;
        if let Some(there) = taken.by_network.get_mut(&self.network) {
            *there -= 1;
            if *there == 0 {
                taken.by_network.remove(&self.network);
            }
        }
    }
}

/// Serves `listener` until `stop` turns true (or its sender is gone); then the connections finish the queries under
/// way and close, and this returns when the last of them has.
pub async fn serve<S>(listener: TcpListener, places: Arc<TcpPlaces>, submit: S, mut stop: watch::Receiver<bool>)
where
    S: Fn(Vec<u8>, Asker, Reply) -> Result<(), Full> + Clone + Send + Sync + 'static,
{
    let mut connections = tokio::task::JoinSet::new();
    loop {
        // Those that have ended are forgotten as they go, so the set is no larger than the places.
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            biased;
            () = stopped(&mut stop) => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let Some(place) = places.take(peer.ip()) else { continue };
                let (submit, stop) = (submit.clone(), stop.clone());
                connections.spawn(async move {
                    if let Some(connection) = Connection::new(stream, peer, place, submit) {
                        connection.run(stop).await;
                    }
                });
            }
            Err(fault) if is_of_one_connection(&fault) => {}
            // Out of descriptors or memory: the connection still waits, and accepting at once would spin.
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Ends when `stop` turns true, or nobody is left who could say so.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    stop.wait_for(|stop| *stop).await.ok();
}

/// Whether accepting failed for one connection only (accept(2)), so that the next may be taken at once.
fn is_of_one_connection(fault: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, TimedOut};
    matches!(fault.kind(), ConnectionAborted | ConnectionReset | Interrupted | TimedOut)
}

/// The next part of the stream at the front.
async fn next_part(streams: &mut VecDeque<mpsc::Receiver<Part>>) -> Option<Part> {
    match streams.front_mut() {
        Some(parts) => parts.recv().await,
        None => None,
    }
}

/// One client's connection.
struct Connection<S> {
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    asker: Asker,
    submit: S,
    place: TcpPlace,
    /// What was received and is no whole message yet, or must wait for places.
    received: Frames,
    /// Answers with their lengths; those before `written` are out.
    unsent: Vec<u8>,
    written: usize,
    in_flight: usize,
    sender: mpsc::Sender<Answer>,
    answers: mpsc::Receiver<Answer>,
    /// Answers of several messages; they are taken one after the other.
    streams: VecDeque<mpsc::Receiver<Part>>,
    /// Nothing more is read: the client is done, or broke the rules, or we stop.
    is_closing: bool,
    /// When the connection ends unless something happens.
    deadline: Instant,
    /// Octets to be written before the deadline moves.
    progress: usize,
}

impl<S> Connection<S>
where
    S: Fn(Vec<u8>, Asker, Reply) -> Result<(), Full>,
{
    fn new(stream: TcpStream, peer: SocketAddr, place: TcpPlace, submit: S) -> Option<Self> {
        stream.set_nodelay(true).ok();
        let local = stream.local_addr().ok()?.ip();
        let (reader, writer) = stream.into_split();
        let (sender, answers) = mpsc::channel(place.places.in_flight_max);
        Some(Self {
            reader,
            writer,
            asker: Asker { address: peer, local: Some(local), carrier: Carrier::Tcp, may_recurse: false },
            submit,
            received: Frames::default(),
            unsent: Vec::new(),
            written: 0,
            in_flight: 0,
            sender,
            answers,
            streams: VecDeque::new(),
            is_closing: false,
            deadline: Instant::now() + bounds::TCP_FIRST_OCTET.min(place.places.patience()),
            progress: 0,
            place,
        })
    }

    async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let timer = sleep_until(self.deadline);
        tokio::pin!(timer);
        loop {
            if self.is_closing && self.in_flight == 0 && self.unsent.is_empty() {
                return;
            }
            // A deadline that moved away is looked at when the timer fires; only a nearer one sets it anew.
            if self.deadline < timer.deadline() {
                timer.as_mut().reset(self.deadline);
            }
            let may_write = !self.unsent.is_empty();
            tokio::select! {
                () = stopped(&mut stop), if !self.is_closing => self.is_closing = true,
                answer = self.answers.recv(), if self.in_flight > 0 => {
                    self.take_answer(answer.unwrap_or(Answer::Nothing));
                    // Several answers make one write.
                    while let Ok(answer) = self.answers.try_recv() {
                        self.take_answer(answer);
                    }
                    if self.write().is_err() {
                        return;
                    }
                    self.take_queries();
                }
                part = next_part(&mut self.streams), if self.may_take_part() => {
                    self.take_part(part);
                    if self.write().is_err() {
                        return;
                    }
                    self.take_queries();
                }
                ready = self.writer.writable(), if may_write => {
                    if ready.is_err() || self.write().is_err() {
                        return;
                    }
                    self.take_queries();
                }
                ready = self.reader.readable(), if self.may_read() => {
                    if ready.is_err() || self.read().is_err() {
                        return;
                    }
                }
                () = &mut timer => {
                    if self.deadline <= Instant::now() {
                        // While we owe answers the client need not do anything, unless it leaves them unread.
                        if self.in_flight == 0 || may_write {
                            return;
                        }
                        self.postpone();
                    }
                    timer.as_mut().reset(self.deadline);
                }
            }
        }
    }

    fn may_read(&self) -> bool {
        !self.is_closing && self.may_take()
    }

    /// Whether there is room for another query: RFC 7766 §6.2.1.1 lets clients pipeline, but not without end.
    fn may_take(&self) -> bool {
        self.in_flight < self.place.places.in_flight_max && self.unsent.len() - self.written < bounds::TCP_UNSENT_MAX
    }

    fn postpone(&mut self) {
        self.deadline = Instant::now() + self.place.places.patience();
    }

    /// Reads what is there, once, and takes the queries in it.
    fn read(&mut self) -> io::Result<()> {
        let mut room = [0; READ_STEP];
        match self.reader.try_read(&mut room) {
            Ok(0) => self.is_closing = true,
            Ok(length) => {
                if self.received.is_empty() && self.progress == 0 {
                    // The first octet is there in time; the message gets the time of an idle connection.
                    self.progress = PROGRESS;
                    self.postpone();
                }
                self.received.push(room.get(..length).unwrap_or(&[]));
                self.take_queries();
            }
            Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => {}
            Err(fault) => return Err(fault),
        }
        Ok(())
    }

    /// Submits the whole messages received, as far as there is room.
    fn take_queries(&mut self) {
        while self.may_take() && !self.is_closing {
            let Some(message) = self.received.take() else { break };
            if message.is_empty() {
                self.is_closing = true;
                break;
            }
            self.in_flight += 1;
            let reply = Reply::Tcp(TcpReply { connection: Some(self.sender.clone()) });
            // Where it is refused, the reply is dropped with it, which closes the connection.
            drop((self.submit)(message.to_vec(), self.asker, reply));
            self.postpone();
        }
    }

    fn take_answer(&mut self, answer: Answer) {
        match answer {
            Answer::Whole(message) => {
                self.in_flight -= 1;
                self.queue(&message);
            }
            Answer::Stream(parts) => self.streams.push_back(parts),
            Answer::Nothing => {
                self.in_flight -= 1;
                self.is_closing = true;
            }
        }
    }

    /// Whether a stream may go on: parts wait where they are made until the client has read what is written.
    fn may_take_part(&self) -> bool {
        !self.streams.is_empty() && self.unsent.len() - self.written < bounds::TCP_UNSENT_MAX
    }

    fn take_part(&mut self, part: Option<Part>) {
        match part {
            Some(Part::Message(message)) => self.queue(&message),
            Some(Part::End) => self.end_stream(),
            // The client must not take half an answer for a whole one.
            None => {
                self.end_stream();
                self.is_closing = true;
            }
        }
    }

    fn end_stream(&mut self) {
        self.streams.pop_front();
        self.in_flight -= 1;
    }

    /// Puts a message behind what is to be written.
    fn queue(&mut self, message: &[u8]) {
        let Ok(length) = u16::try_from(message.len()) else {
            self.is_closing = true;
            return;
        };
        if self.unsent.is_empty() {
            self.progress = PROGRESS;
            self.postpone();
        }
        self.unsent.extend_from_slice(&length.to_be_bytes());
        self.unsent.extend_from_slice(message);
    }

    /// Writes as much as the socket takes.
    fn write(&mut self) -> io::Result<()> {
        while self.written < self.unsent.len() {
            match self.writer.try_write(self.unsent.get(self.written..).unwrap_or(&[])) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(length) => {
                    self.written += length;
                    self.progress = self.progress.saturating_sub(length);
                }
                Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => break,
                Err(fault) => return Err(fault),
            }
        }
        let is_done = self.written == self.unsent.len();
        if is_done || self.progress == 0 {
            self.progress = PROGRESS;
            self.postpone();
        }
        if is_done {
            self.unsent.clear();
            self.unsent.shrink_to(KEPT_ROOM);
        } else {
            self.unsent.drain(..self.written);
        }
        self.written = 0;
        Ok(())
    }
}

#[cfg(test)]
#[path = "tcp_tests.rs"]
mod tests;
