//! One client's connection: octets into queries, answers into octets, and how long the client may take for each.
//!
//! Between two polls nothing is kept but what is not finished: an idle connection holds no buffer.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::answers::PIECES_AT_ONCE;
use super::places::TcpPlace;
use super::reply::{Outbox, Part, Standing, Taken, TcpReply};
use crate::base::bounds;
use crate::base::tally::Event;
use crate::chain::{Asker, Carrier};
use crate::dns::wire::Frames;
use crate::edge::mailbox::{Letter, Reply};

/// Octets read by one system call: some two hundred queries.
const READ_STEP: usize = 8 * 1_024;

/// What the client has to do next, and how long it has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Turn {
    /// To ask for the first time.
    First,
    /// To ask again.
    Idle,
    /// To end the message that it has begun.
    Message,
    /// To read its answers.
    Reading,
    /// Nothing: we owe it answers.
    Ours,
}

impl Turn {
    /// What the end of its time is counted as.
    const fn overdue(self) -> Event {
        match self {
            Self::First => Event::TcpSilent,
            Self::Idle | Self::Ours => Event::TcpIdle,
            Self::Message => Event::TcpDribbled,
            Self::Reading => Event::TcpUnread,
        }
    }
}

/// The connection has ended, by a fault or in order.
struct Ended;

impl From<io::Error> for Ended {
    fn from(_: io::Error) -> Self {
        Self
    }
}

/// A connection and what is unfinished on it.
pub(super) struct Connection<S> {
    stream: TcpStream,
    asker: Asker,
    submit: S,
    place: TcpPlace,
    outbox: Arc<Outbox>,
    /// What was received and is no whole message yet, or must wait for room.
    received: Frames,
    /// What is to be written or asked again.
    taken: Taken,
    turn: Turn,
    deadline: Instant,
    /// Octets that the client has still to read before its deadline moves.
    progress: usize,
    /// Queries wait for room.
    is_held_back: bool,
    /// Nothing more is read: the client is done, or broke the rules, or we stop.
    is_closing: bool,
}

impl<S> Connection<S>
where
    S: Fn(Vec<Letter>) -> usize,
{
    pub(super) fn new(
        stream: TcpStream,
        peer: SocketAddr,
        (place, outbox): (TcpPlace, Arc<Outbox>),
        submit: S,
    ) -> Option<Self> {
        stream.set_nodelay(true).ok();
        // Or the system would take in megabytes for a client that reads nothing.
        SockRef::from(&stream).set_tcp_notsent_lowat(bounds::TCP_NOT_SENT_MAX).ok();
        let local = stream.local_addr().ok()?.ip();
        Some(Self {
            stream,
            asker: Asker { address: peer, local: Some(local), carrier: Carrier::Tcp, may_recurse: false, group: 0 },
            submit,
            place,
            outbox,
            received: Frames::default(),
            taken: Taken::default(),
            turn: Turn::First,
            deadline: Instant::now() + bounds::TCP_FIRST_OCTET,
            progress: 0,
            is_held_back: false,
            is_closing: false,
        })
    }

    /// Serves the client until either side has had enough.
    pub(super) fn serve(mut self) -> impl Future<Output = ()> {
        // No async function: that would keep room for the connection twice.
        let mut timer = Box::pin(sleep_until(self.deadline));
        poll_fn(move |context| match self.poll(context, timer.as_mut()) {
            Ok(()) => Poll::Pending,
            Err(Ended) => Poll::Ready(()),
        })
    }

    fn poll(&mut self, context: &mut Context<'_>, timer: Pin<&mut Sleep>) -> Result<(), Ended> {
        let standing = loop {
            let again = self.taken.again.len();
            let mut standing = self.outbox.look(&mut self.taken, context.waker());
            if standing.is_dismissed {
                return Err(Ended);
            }
            self.is_closing |= standing.is_broken;
            let put_off = self.taken.again.len() - again;
            if put_off > 0 {
                self.place.places().count(Event::TcpPutOff, put_off as u64);
            }
            let has_part = self.poll_part(context, &mut standing);
            let has_written = self.poll_write(context)?;
            let has_taken = self.take_queries(&mut standing)?;
            let has_read = self.poll_read(context, &standing)?;
            if !(has_part || has_written || has_taken || has_read) {
                break standing;
            }
        };
        if self.is_closing && standing.in_flight == 0 && standing.unread == 0 && self.taken.again.is_empty() {
            return Err(Ended);
        }
        if standing.in_flight == 0 && !self.place.is_resting() {
            self.place.rest();
        }
        self.watch_turn(&standing);
        self.poll_deadline(context, timer)
    }

    /// Takes the next part of the first stream: it waits where it is made until the client has read what is written.
    fn poll_part(&mut self, context: &mut Context<'_>, standing: &mut Standing) -> bool {
        if standing.unread >= bounds::TCP_UNREAD_PAUSE {
            return false;
        }
        let Some(parts) = self.taken.streams.front_mut() else { return false };
        let Poll::Ready(part) = parts.poll_recv(context) else { return false };
        match part {
            Some(Part::Message(message)) => {
                self.is_closing |= !self.taken.answers.push(&message);
                standing.unread += 2 + message.len();
                return true;
            }
            Some(Part::End) => {}
            // The client must not take half an answer for a whole one.
            None => self.is_closing = true,
        }
        self.taken.streams.pop_front();
        self.outbox.end_stream();
        true
    }

    /// Writes as much as the socket takes; whether that was anything.
    fn poll_write(&mut self, context: &mut Context<'_>) -> io::Result<bool> {
        let before = self.taken.answers.left();
        while self.taken.answers.left() > 0 {
            let mut slices = [IoSlice::new(&[]); PIECES_AT_ONCE];
            let filled = self.taken.answers.next(&mut slices);
            let slices = slices.get(..filled).unwrap_or_default();
            match Pin::new(&mut self.stream).poll_write_vectored(context, slices)? {
                Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(length) => self.taken.answers.advance(length),
                Poll::Pending => break,
            }
        }
        let length = before - self.taken.answers.left();
        self.progress = self.progress.saturating_sub(length);
        Ok(length > 0)
    }

    /// Submits the whole messages received, as far as there is room (RFC 7766 §6.2.1.1 lets clients pipeline, but not
    /// without end); whether there were any.
    fn take_queries(&mut self, standing: &mut Standing) -> Result<bool, Ended> {
        let most = self.place.places().in_flight_max();
        let (mut queries, mut octets) = (Vec::new(), 0);
        while standing.may_take(most) {
            let message = match self.taken.again.pop() {
                Some(message) => message.into_vec(),
                None if self.is_closing => break,
                None => match self.received.take() {
                    Some(message) => message.to_vec(),
                    None => break,
                },
            };
            if message.is_empty() {
                self.is_closing = true;
                break;
            }
            standing.in_flight += 1;
            standing.asked += message.len();
            octets += message.len();
            queries.push(message);
        }
        let is_held_back = !self.is_closing && self.received.has_message();
        if is_held_back && !std::mem::replace(&mut self.is_held_back, is_held_back) {
            self.place.places().count(Event::TcpHeldBack, 1);
        }
        if queries.is_empty() {
            return Ok(false);
        }
        self.is_held_back = is_held_back;
        if !self.place.work() {
            return Err(Ended);
        }
        // Even if the answers are here before anybody looks again.
        self.turn = Turn::Ours;
        self.outbox.begin(queries.len(), octets);
        let letter = |bytes: Vec<u8>| {
            let reply = Reply::Tcp(TcpReply::new(Arc::clone(&self.outbox), &bytes));
            Letter::Query { bytes, asker: self.asker, reply, handed_over: false }
        };
        // Where letters are refused, the replies are dropped with them, which closes the connection.
        let refused = (self.submit)(queries.into_iter().map(letter).collect());
        if refused > 0 {
            self.place.places().count(Event::SilenceOverload, refused as u64);
        }
        Ok(true)
    }

    /// Reads what is there, once, unless the client must wait; whether there was anything. Where we stop, nothing being
    /// there is the end: to close on octets unread would reset the connection, and lose the client what it has not read.
    fn poll_read(&mut self, context: &mut Context<'_>, standing: &Standing) -> io::Result<bool> {
        let must_wait = self.received.has_message()
            || !self.taken.again.is_empty()
            || !standing.may_take(self.place.places().in_flight_max());
        if self.is_closing || must_wait {
            return Ok(false);
        }
        let mut room = [const { MaybeUninit::uninit() }; READ_STEP];
        let mut room = ReadBuf::uninit(&mut room);
        let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(context, &mut room) else {
            self.is_closing |= self.place.places().is_closed();
            return Ok(false);
        };
        read?;
        self.is_closing |= room.filled().is_empty();
        self.received.push(room.filled());
        Ok(true)
    }

    /// Whose turn it is, and until when.
    fn watch_turn(&mut self, standing: &Standing) {
        let turn = if standing.unread > 0 {
            Turn::Reading
        } else if standing.in_flight > 0 {
            Turn::Ours
        } else if !self.received.is_empty() {
            Turn::Message
        } else if self.turn == Turn::First {
            Turn::First
        } else {
            Turn::Idle
        };
        let has_moved_on = turn == self.turn && turn == Turn::Reading && self.progress == 0;
        if turn == self.turn && !has_moved_on {
            return;
        }
        self.turn = turn;
        self.progress = if turn == Turn::Reading { bounds::TCP_PROGRESS } else { 0 };
        let time = match turn {
            Turn::First | Turn::Ours => return,
            Turn::Idle => self.place.places().idle(),
            Turn::Message => bounds::TCP_MESSAGE,
            Turn::Reading => bounds::TCP_READING,
        };
        self.deadline = Instant::now() + time;
        if has_moved_on && self.place.is_resting() {
            self.place.rest(); // it is the last again of those who rest
        }
    }

    fn poll_deadline(&mut self, context: &mut Context<'_>, mut timer: Pin<&mut Sleep>) -> Result<(), Ended> {
        if self.turn == Turn::Ours {
            return Ok(());
        }
        // A deadline that moved away is looked at when the timer fires; only a nearer one sets it anew.
        if self.deadline < timer.deadline() {
            timer.as_mut().reset(self.deadline);
        }
        while timer.as_mut().poll(context).is_ready() {
            if self.deadline <= Instant::now() {
                self.place.places().count(self.turn.overdue(), 1);
                return Err(Ended);
            }
            timer.as_mut().reset(self.deadline);
        }
        Ok(())
    }
}
