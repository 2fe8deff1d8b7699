//! The way back to a connection: where answers wait until it writes them.
//!
//! Workers and clerks put answers in, from any thread; the connection takes them out, several at a time. What waits is
//! bounded here, where it comes in, whatever anybody asked for.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use tokio::sync::mpsc;

use super::answers::Answers;
use crate::base::bounds;

/// Where one query's answer goes: back to its connection. Dropped unused, it closes the connection once its other
/// answers are out, so that no client waits in vain.
#[derive(Debug)]
pub struct TcpReply {
    /// Taken when the answer is sent.
    outbox: Option<Arc<Outbox>>,
    /// The query, which is asked again where its answer finds no room.
    query: Box<[u8]>,
}

/// Wakes a connection when it is dropped: who answers many queries drops what they return at the end, so that the
/// connection writes the answers together.
#[must_use]
#[derive(Debug)]
pub struct Nudge(Option<Waker>);

impl Nudge {
    /// Whether nobody needs to be woken.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        self.0.is_none()
    }
}

impl Drop for Nudge {
    fn drop(&mut self) {
        if let Some(waker) = self.0.take() {
            waker.wake();
        }
    }
}

/// A part of an answer of several messages.
#[derive(Debug)]
pub(super) enum Part {
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
    pub(super) fn new(outbox: Arc<Outbox>, query: &[u8]) -> Self {
        Self { outbox: Some(outbox), query: query.into() }
    }

    /// Sends the answer, a message without its length.
    pub fn send(self, message: &[u8]) {
        drop(self.send_later(message));
    }

    /// Leaves the answer with the connection, which writes it once what is returned is dropped, or sooner.
    pub fn send_later(mut self, message: &[u8]) -> Nudge {
        self.deliver(|held, query| held.put(message, query))
    }

    /// Begins an answer of several messages.
    #[must_use]
    pub fn stream(mut self) -> TcpStreamReply {
        let (connection, parts) = mpsc::channel(1);
        // It stays under way until its last part.
        drop(self.deliver(|held, _| {
            if !held.is_gone {
                held.in_flight += 1;
                held.streams.push_back(parts);
            }
        }));
        TcpStreamReply { connection }
    }

    fn deliver(&mut self, put: impl FnOnce(&mut Held, Box<[u8]>)) -> Nudge {
        let Some(outbox) = self.outbox.take() else { return Nudge(None) };
        let mut held = outbox.held();
        held.in_flight -= 1;
        held.asked -= self.query.len();
        put(&mut held, std::mem::take(&mut self.query));
        Nudge(held.waker.take())
    }
}

impl Drop for TcpReply {
    fn drop(&mut self) {
        drop(self.deliver(|held, _| held.is_broken = true));
    }
}

/// What a connection shares with those who answer its queries.
#[derive(Debug, Default)]
pub(super) struct Outbox(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    answers: Answers,
    /// Octets that the connection has taken out and the client has not read yet.
    unread: usize,
    /// Queries under way, and their octets.
    in_flight: usize,
    asked: usize,
    /// Octets of the largest of the last answers.
    largest: usize,
    /// Answers of several messages, which come by a way of their own so that they can be held back.
    streams: VecDeque<mpsc::Receiver<Part>>,
    /// Queries whose answers found no room.
    again: Vec<Box<[u8]>>,
    /// An answer is missing: the connection closes when the others are out.
    is_broken: bool,
    /// Somebody else has the connection's place: it closes at once.
    is_dismissed: bool,
    /// The connection has ended.
    is_gone: bool,
    waker: Option<Waker>,
}

impl Held {
    fn put(&mut self, message: &[u8], query: Box<[u8]>) {
        let size = 2 + message.len();
        // What is larger than the others forgets itself by and by.
        self.largest = size.max(self.largest - self.largest / 8);
        let waiting = self.answers.left() + self.unread;
        if self.is_gone {
            return;
        }
        // An update has been made, and is not to be made twice.
        if waiting > 0 && waiting + size > bounds::TCP_UNSENT_MAX && !is_update(&query) {
            // Whoever asks for much at once is told all of it, but not at once.
            self.again.push(query);
            return;
        }
        self.is_broken |= !self.answers.push(message);
    }
}

/// Whether the opcode is UPDATE (RFC 2136 §1.3).
fn is_update(query: &[u8]) -> bool {
    query.get(2).is_some_and(|bits| bits >> 3 & 0xF == 5)
}

/// What a connection has taken out of its outbox.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Answers, which the client has not read yet.
    pub(super) answers: Answers,
    /// Answers of several messages; they are taken one after the other.
    pub(super) streams: VecDeque<mpsc::Receiver<Part>>,
    /// Queries to be asked again.
    pub(super) again: Vec<Box<[u8]>>,
}

/// How things stand with a connection's answers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    /// Queries under way, and their octets.
    pub(super) in_flight: usize,
    pub(super) asked: usize,
    /// Octets of answers that the client has not read.
    pub(super) unread: usize,
    /// Octets of the largest of the last answers.
    pub(super) largest: usize,
    pub(super) is_broken: bool,
    pub(super) is_dismissed: bool,
}

impl Standing {
    /// Whether another query may be taken of at most `in_flight_max`: not while what is unread is too much already, with
    /// its answer and those under way, were they like the largest of the last.
    pub(super) const fn may_take(&self, in_flight_max: usize) -> bool {
        let expected = (self.in_flight + 1) * self.largest;
        let is_clear = self.in_flight == 0 && self.unread == 0;
        let is_roomy = self.unread + expected <= bounds::TCP_UNREAD_PAUSE && self.asked < bounds::TCP_ASKED_MAX;
        self.in_flight < in_flight_max && (is_clear || is_roomy)
    }
}

impl Outbox {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves what there is to `taken`. From now on `waker` is woken when something comes in.
    pub(super) fn look(&self, taken: &mut Taken, waker: &Waker) -> Standing {
        let mut held = self.held();
        taken.answers.append(&mut held.answers);
        held.unread = taken.answers.left();
        taken.streams.append(&mut held.streams);
        taken.again.append(&mut held.again);
        if held.waker.as_ref().is_none_or(|known| !known.will_wake(waker)) {
            held.waker = Some(waker.clone());
        }
        Standing {
            in_flight: held.in_flight,
            asked: held.asked,
            unread: held.unread,
            largest: held.largest,
            is_broken: held.is_broken,
            is_dismissed: held.is_dismissed,
        }
    }

    /// So many queries of so many octets are under way now.
    pub(super) fn begin(&self, queries: usize, octets: usize) {
        let mut held = self.held();
        held.in_flight += queries;
        held.asked += octets;
    }

    /// A stream has ended.
    pub(super) fn end_stream(&self) {
        self.held().in_flight -= 1;
    }

    /// The connection looks whether it may go on.
    pub(super) fn wake(&self) {
        let nudge = Nudge(self.held().waker.take());
        drop(nudge);
    }

    /// The connection closes at once.
    pub(super) fn dismiss(&self) {
        let mut held = self.held();
        held.is_dismissed = true;
        let nudge = Nudge(held.waker.take());
        drop(held);
        drop(nudge);
    }

    /// The connection has ended: nothing is held for it any more.
    pub(super) fn abandon(&self) {
        let mut held = self.held();
        held.is_gone = true;
        held.answers = Answers::default();
        held.streams = VecDeque::new();
        held.again = Vec::new();
        held.waker = None;
    }
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Replies to `queries` of ten octets each.
    fn replies(outbox: &Arc<Outbox>, queries: usize) -> Vec<TcpReply> {
        outbox.begin(queries, 10 * queries);
        (0..queries).map(|_| TcpReply::new(Arc::clone(outbox), b"ten octets")).collect()
    }

    fn look(outbox: &Outbox, taken: &mut Taken, woken: &Arc<Woken>) -> Standing {
        outbox.look(taken, &Arc::clone(woken).into())
    }

    #[test]
    fn many_answers_wake_the_connection_once_and_leave_together() {
        let (outbox, woken, mut taken) = (Arc::new(Outbox::default()), Arc::default(), Taken::default());
        let replies = replies(&outbox, 3);
        assert_eq!(look(&outbox, &mut taken, &woken).in_flight, 3);
        let nudges: Vec<_> = replies.into_iter().map(|reply| reply.send_later(b"ok")).collect();
        assert_eq!(nudges.iter().filter(|nudge| !nudge.is_idle()).count(), 1);
        assert_eq!(woken.0.load(Ordering::Relaxed), 0);
        drop(nudges);
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        let standing = look(&outbox, &mut taken, &woken);
        assert_eq!((standing.in_flight, standing.asked, standing.unread), (0, 0, 12));
        let mut slices = [IoSlice::new(&[]); 2];
        assert_eq!(taken.answers.next(&mut slices), 1);
        assert_eq!(&*slices[0], b"\0\x02ok\0\x02ok\0\x02ok");
    }

    #[test]
    fn no_connection_holds_more_than_the_bound_whatever_was_asked() {
        let (outbox, woken, mut taken) = (Arc::new(Outbox::default()), Arc::default(), Taken::default());
        for reply in replies(&outbox, 32) {
            reply.send(&vec![7; 60_000]);
        }
        let standing = look(&outbox, &mut taken, &woken);
        assert_eq!((standing.unread, taken.again.len()), (2 * 60_002, 30));
        assert!(standing.unread <= bounds::TCP_UNSENT_MAX && !standing.is_broken);
        assert_eq!(&*taken.again[0], b"ten octets");
        // What is taken out and unread counts as before.
        for reply in replies(&outbox, 1) {
            reply.send(&vec![7; 60_000]);
        }
        look(&outbox, &mut taken, &woken);
        assert_eq!(taken.again.len(), 31);
    }

    #[test]
    fn an_update_is_never_asked_again() {
        let (outbox, woken, mut taken) = (Arc::new(Outbox::default()), Arc::default(), Taken::default());
        for reply in replies(&outbox, 3) {
            reply.send(&vec![7; 60_000]);
        }
        for opcode in [0_u8, 5] {
            outbox.begin(1, 12);
            TcpReply::new(Arc::clone(&outbox), &[0, 1, opcode << 3, 0, 0, 1, 0, 0, 0, 0, 0, 0]).send(&vec![7; 60_000]);
        }
        let standing = look(&outbox, &mut taken, &woken);
        let opcodes: Vec<u8> = taken.again.iter().map(|query| query[2] >> 3 & 0xF).collect();
        assert_eq!((standing.unread, opcodes), (3 * 60_002, vec![b'n' >> 3 & 0xF, 0]));
    }

    #[test]
    fn the_larger_its_answers_the_fewer_queries_of_a_client_are_under_way() {
        let (outbox, woken) = (Arc::new(Outbox::default()), Arc::default());
        let under_way = |size: usize| {
            for reply in replies(&outbox, 1) {
                reply.send(&vec![7; size]);
            }
            let mut standing = look(&outbox, &mut Taken::default(), &woken);
            (standing.unread, standing.in_flight) = (0, 0);
            while standing.may_take(32) {
                standing.in_flight += 1;
            }
            standing.in_flight
        };
        assert_eq!(under_way(100), 32);
        assert_eq!(under_way(5_000), 6);
        assert_eq!(under_way(65_535), 1, "but one always");
        // One large answer is not held against a client for ever.
        assert!((0..40).any(|_| under_way(100) == 32));
    }

    #[test]
    fn queries_under_way_are_bounded_in_octets_too() {
        let (outbox, woken) = (Arc::new(Outbox::default()), Arc::default());
        let large = TcpReply::new(Arc::clone(&outbox), &vec![0; bounds::TCP_ASKED_MAX]);
        outbox.begin(1, bounds::TCP_ASKED_MAX);
        assert!(!look(&outbox, &mut Taken::default(), &woken).may_take(32));
        large.send(b"ok");
        assert!(look(&outbox, &mut Taken::default(), &woken).may_take(32));
    }

    #[test]
    fn nothing_is_held_for_a_connection_that_is_gone() {
        let outbox = Arc::new(Outbox::default());
        let late = replies(&outbox, 2);
        outbox.abandon();
        for reply in late {
            drop(reply.send_later(&[7; 1_000]));
        }
        let held = outbox.held();
        assert!(held.answers.left() == 0 && held.in_flight == 0);
    }
}
