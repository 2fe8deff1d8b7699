//! Letters to a worker: how what happens beside its thread reaches it.
//!
//! Many threads post, one worker collects. The letters lie in a bounded queue; a full one is an error to the sender,
//! never a wait. The worker is woken only if it may be asleep, so that a thousand letters cost one wake-up.
#![forbid(unsafe_code)]

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};

use super::forward::Answered;
use super::listen::Listener;
use super::tcp::TcpReply;
use crate::base::{Instant, bounds};
use crate::chain::Asker;

/// Above so many, the room for letters is given back once it is empty.
const KEPT_ROOM: usize = 1_024;

/// A letter to a worker.
#[derive(Debug)]
pub enum Letter {
    /// A query, from a connection or from another worker.
    Query {
        /// The message.
        bytes: Vec<u8>,
        /// Who asks.
        asker: Asker,
        /// Where the response goes.
        reply: Reply,
        /// Whether another worker has counted it and found that the name is ours.
        handed_over: bool,
    },
    /// What became of an exchange that a stream carried.
    Response {
        /// The exchange.
        exchange: u64,
        /// The response, or why there is none.
        outcome: Result<Vec<u8>, ExchangeFault>,
    },
    /// What became of a question handed to forwarders.
    Forwarded {
        /// The exchange.
        exchange: u64,
        /// The response; nothing where there is none.
        outcome: Option<Answered>,
    },
    /// A response to be sent by the worker's sockets.
    Send {
        /// Where it goes.
        reply: Reply,
        /// The message.
        bytes: Vec<u8>,
    },
    /// Take nothing more from the listeners, which another process reads from now on. What the letter holds is dropped
    /// once that is so.
    HandOn(mpsc::Sender<()>),
    /// Serve this one too.
    Open(Box<Listener>),
    /// Serve the listeners of a door until that moment, so that what came in by them is answered, and then no more; or
    /// for ever after all.
    Leave {
        /// The door's number.
        door: usize,
        /// When they are closed; none keeps them.
        at: Option<Instant>,
    },
    /// Something has changed that is looked at between events.
    Look,
    /// Finish what was admitted, then end.
    Stop,
}

impl Letter {
    /// Whether it is from us and not about a query: taken even where the mailbox is full.
    const fn is_order(&self) -> bool {
        matches!(self, Self::Open(_) | Self::Leave { .. } | Self::Look | Self::HandOn(_) | Self::Stop)
    }
}

/// Where a response goes.
#[derive(Debug)]
pub enum Reply {
    /// To `peer`, by the worker's listener of this door.
    Udp {
        /// The number of the listener's door.
        door: usize,
        /// Who asked.
        peer: SocketAddr,
        /// The address that was asked, if it is known.
        local: Option<IpAddr>,
    },
    /// To a connection.
    Tcp(TcpReply),
    /// To somebody in this process.
    Inside(tokio::sync::oneshot::Sender<Vec<u8>>),
}

/// Why an exchange brought no response.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ExchangeFault {
    /// The server refuses connections.
    Refused,
    /// No way leads to the server.
    Unreachable,
    /// No connection, or no response, in time.
    TimedOut,
    /// The connection ended before the response.
    Closed,
    /// A bound of ours is reached: the query was not sent.
    Overloaded,
}

impl From<&io::Error> for ExchangeFault {
    fn from(fault: &io::Error) -> Self {
        match fault.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::PermissionDenied
            | io::ErrorKind::AddrNotAvailable => Self::Unreachable,
            io::ErrorKind::TimedOut => Self::TimedOut,
            io::ErrorKind::QuotaExceeded => Self::Overloaded,
            _ => Self::Closed,
        }
    }
}

/// The mailbox is full: the letter comes back.
#[derive(Debug)]
pub struct Full(pub Box<Letter>);

#[derive(Debug, Default)]
struct Queue {
    letters: Vec<Letter>,
    worker_may_sleep: bool,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    waker: mio::Waker,
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The slot for letters to one worker; to be cloned for every sender.
#[derive(Clone, Debug)]
pub struct Mailbox(Arc<Shared>);

/// The worker's end of its mailbox.
#[derive(Debug)]
pub struct Letters(Arc<Shared>);

/// A mailbox whose worker sleeps in the poll of `waker`.
#[must_use]
pub fn mailbox(waker: mio::Waker) -> (Mailbox, Letters) {
    let shared = Arc::new(Shared { queue: Mutex::default(), waker });
    (Mailbox(shared.clone()), Letters(shared))
}

impl Mailbox {
    /// Posts `letter` and wakes the worker if it may be asleep. Orders, such as [`Letter::Stop`], are taken even past
    /// the bound.
    ///
    /// # Errors
    /// [`Full`] with the letter where [`bounds::MAILBOX_MAX`] letters wait.
    pub fn post(&self, letter: Letter) -> Result<(), Full> {
        let mut queue = self.0.queue();
        if queue.letters.len() >= bounds::MAILBOX_MAX && !letter.is_order() {
            return Err(Full(Box::new(letter)));
        }
        queue.letters.push(letter);
        let wakes = std::mem::take(&mut queue.worker_may_sleep);
        drop(queue);
        self.wake(wakes);
        Ok(())
    }

    fn wake(&self, wakes: bool) {
        if wakes && self.0.waker.wake().is_err() {
            // The next sender shall try again; the letters themselves are safe.
            self.0.queue().worker_may_sleep = true;
        }
    }

    /// Posts `letters` as far as there is room, and says how many found none; these are dropped.
    pub fn post_all(&self, mut letters: Vec<Letter>) -> usize {
        let mut queue = self.0.queue();
        let room = bounds::MAILBOX_MAX.saturating_sub(queue.letters.len()).min(letters.len());
        queue.letters.extend(letters.drain(..room));
        let wakes = room > 0 && std::mem::take(&mut queue.worker_may_sleep);
        drop(queue);
        self.wake(wakes);
        letters.len()
    }

    /// Letters waiting.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.queue().letters.len()
    }
}

impl Letters {
    /// Moves the letters that wait into `into`, which must be empty; it is exchanged for the queue itself. Until
    /// [`Letters::may_sleep`], senders take the worker to be awake.
    pub fn collect(&self, into: &mut Vec<Letter>) {
        if into.is_empty() && into.capacity() > KEPT_ROOM {
            *into = Vec::new();
        }
        let mut queue = self.0.queue();
        queue.worker_may_sleep = false;
        if into.is_empty() {
            std::mem::swap(&mut queue.letters, into);
        } else {
            into.append(&mut queue.letters);
        }
    }

    /// To be asked right before the worker polls: whether it may wait for events. If not, letters have come since
    /// it last collected. From a yes on, the next letter wakes it.
    #[must_use]
    pub fn may_sleep(&self) -> bool {
        let mut queue = self.0.queue();
        queue.worker_may_sleep = queue.letters.is_empty();
        queue.worker_may_sleep
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn with_poll() -> (mio::Poll, Mailbox, Letters) {
        let poll = mio::Poll::new().unwrap();
        let waker = mio::Waker::new(poll.registry(), mio::Token(0)).unwrap();
        let (mailbox, letters) = mailbox(waker);
        (poll, mailbox, letters)
    }

    fn response(exchange: u64) -> Letter {
        Letter::Response { exchange, outcome: Err(ExchangeFault::Closed) }
    }

    fn is_woken(poll: &mut mio::Poll) -> bool {
        let mut events = mio::Events::with_capacity(4);
        poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        !events.is_empty()
    }

    #[test]
    fn only_a_sleeping_worker_is_woken_and_only_once() {
        let (mut poll, mailbox, letters) = with_poll();
        mailbox.post(response(1)).unwrap();
        assert!(!is_woken(&mut poll));
        assert!(!letters.may_sleep());
        let mut taken = Vec::new();
        letters.collect(&mut taken);
        assert_eq!(taken.len(), 1);
        assert!(letters.may_sleep());
        mailbox.post(response(2)).unwrap();
        mailbox.post(response(3)).unwrap();
        assert!(is_woken(&mut poll));
        mailbox.post(response(4)).unwrap();
        assert!(!is_woken(&mut poll));
        taken.clear();
        letters.collect(&mut taken);
        assert_eq!(taken.len(), 3);
    }

    #[test]
    fn a_full_mailbox_gives_the_letter_back_but_takes_a_stop() {
        let (_poll, mailbox, letters) = with_poll();
        for exchange in 0..bounds::MAILBOX_MAX as u64 {
            mailbox.post(response(exchange)).unwrap();
        }
        let Full(back) = mailbox.post(response(77)).unwrap_err();
        assert!(matches!(*back, Letter::Response { exchange: 77, .. }));
        mailbox.post(Letter::Stop).unwrap();
        let mut taken = Vec::new();
        letters.collect(&mut taken);
        assert_eq!(taken.len(), bounds::MAILBOX_MAX + 1);
        mailbox.post(response(78)).unwrap();
    }

    #[test]
    fn letters_posted_together_wake_once_and_keep_the_bound() {
        let (mut poll, mailbox, letters) = with_poll();
        assert!(letters.may_sleep());
        assert_eq!(mailbox.post_all((0..bounds::MAILBOX_MAX as u64 - 1).map(response).collect()), 0);
        assert!(is_woken(&mut poll));
        assert_eq!(mailbox.post_all((0..3).map(response).collect()), 2);
        assert_eq!(mailbox.post_all(vec![response(9)]), 1);
        let mut taken = Vec::new();
        letters.collect(&mut taken);
        assert_eq!(taken.len(), bounds::MAILBOX_MAX);
        assert!(letters.may_sleep());
        assert_eq!(mailbox.post_all(Vec::new()), 0);
        assert!(!is_woken(&mut poll));
    }

    #[test]
    fn no_letter_is_lost_between_threads() {
        let (mut poll, mailbox, letters) = with_poll();
        let senders: Vec<_> = (0..4)
            .map(|_| {
                let mailbox = mailbox.clone();
                std::thread::spawn(move || (0..1_000).for_each(|number| mailbox.post(response(number)).unwrap()))
            })
            .collect();
        let mut events = mio::Events::with_capacity(4);
        let (mut seen, mut taken) = (0, Vec::new());
        while seen < 4_000 {
            if letters.may_sleep() {
                poll.poll(&mut events, Some(Duration::from_secs(5))).unwrap();
                assert!(!events.is_empty(), "a sleeping worker was not woken");
            }
            letters.collect(&mut taken);
            seen += taken.drain(..).count();
        }
        for sender in senders {
            sender.join().unwrap();
        }
    }
}
