//! dnstap: messages as they came and went, told to whoever listens at a socket, as dnstap readers understand them.
//!
//! What comes in: messages, from the threads that exchanged them. They are put into a bounded queue and never waited
//! for; what finds no room is dropped and counted. What leaves: frames on a Unix socket or a TCP connection, written by
//! one task that connects again whenever the reader has gone (`writer`).
#![forbid(unsafe_code)]

pub mod frames;
mod message;
mod writer;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::base::collections::Keyed;
use crate::base::tally::{Event, Tally};
use crate::base::{Dice, bounds, collections};

/// Where the reader listens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TapPeer {
    /// At a Unix socket.
    Socket(PathBuf),
    /// At an address, over TCP without encryption.
    Tcp(SocketAddr),
}

impl std::fmt::Display for TapPeer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Socket(path) => path.display().fmt(f),
            Self::Tcp(address) => address.fmt(f),
        }
    }
}

/// With whom a message is exchanged, and in which role.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Party {
    /// A client that wants recursion.
    Client,
    /// A client that wants what our zones say.
    Auth,
    /// A server that we ask.
    Resolver,
}

/// Which messages are told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TapSettings {
    /// With whom queries are exchanged that are told; sorted.
    pub queries: Vec<Party>,
    /// The same of responses.
    pub responses: Vec<Party>,
    /// How many exchanges of a million are told: both messages of one, or none.
    pub per_million: u32,
}

/// One message, and who exchanged it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Told {
    /// In which role.
    pub party: Party,
    /// Whether it answers.
    pub is_response: bool,
    /// Whether it came or went over TCP.
    pub is_tcp: bool,
    /// Who asked, if that is known.
    pub asker: Option<SocketAddr>,
    /// Who was asked, if that is known; port 0 where that is not known.
    pub asked: Option<SocketAddr>,
    /// When the query came or went, since 1970.
    pub query_time: Duration,
    /// When the response came or went, since 1970; nothing of a query.
    pub response_time: Option<Duration>,
    /// The message.
    pub bytes: Vec<u8>,
}

/// The way to the reader; to be cloned. When the last clone is dropped, what waits is written and the stream ended.
#[derive(Clone)]
pub struct Tap {
    queue: mpsc::Sender<Told>,
    closing: Arc<watch::Sender<bool>>,
    /// Octets that wait.
    waiting: Arc<AtomicUsize>,
    settings: Arc<TapSettings>,
    sampler: Keyed,
}

impl Tap {
    /// A tap to the reader at `peer`, which is told `identity` and `version`; its task belongs to the runtime that this
    /// is called in, and counts what it writes and loses in `tally`, which nobody owns.
    pub fn open(
        peer: TapPeer,
        settings: TapSettings,
        (identity, version): (Vec<u8>, Vec<u8>),
        tally: Arc<Tally>,
        dice: &mut Dice,
    ) -> Self {
        let (queue, inbox) = mpsc::channel(bounds::TAP_MESSAGES);
        let (closing, is_closing) = watch::channel(false);
        let waiting = Arc::new(AtomicUsize::new(0));
        let signature = message::Signature { identity, version };
        let inbox = writer::Inbox { queue: inbox, waiting: Arc::clone(&waiting), is_closing };
        tokio::spawn(writer::Writer::new(peer, signature, inbox, tally).run());
        Self {
            queue,
            closing: Arc::new(closing),
            waiting,
            settings: Arc::new(settings),
            sampler: collections::keyed(dice),
        }
    }

    /// Whether a message of the kind, between `other` and us and with the id `id`, is to be told. Both messages of an
    /// exchange get the same answer, whoever asks.
    #[must_use]
    pub fn wants(&self, party: Party, is_response: bool, other: SocketAddr, id: u16) -> bool {
        let parties = if is_response { &self.settings.responses } else { &self.settings.queries };
        if !parties.contains(&party) {
            return false;
        }
        let per_million = u64::from(self.settings.per_million);
        per_million >= 1_000_000 || self.sampler.hash_one((other, id)) % 1_000_000 < per_million
    }

    /// Puts a message into the queue; one that finds no room is dropped and counted in `tally`, the caller's own.
    pub fn tell(&self, told: Told, tally: &Tally) {
        let octets = told.bytes.len();
        let has_room = self.waiting.fetch_add(octets, Ordering::Relaxed) + octets <= bounds::TAP_BYTES;
        if !has_room || self.queue.try_send(told).is_err() {
            self.waiting.fetch_sub(octets, Ordering::Relaxed);
            tally.count(Event::TapDropped);
        }
    }

    /// Writes what waits and ends the stream, within [`bounds::TAP_PATIENCE`].
    pub async fn close(&self) {
        self.closing.send_replace(true);
        tokio::time::timeout(bounds::TAP_PATIENCE, self.queue.closed()).await.ok();
    }
}

impl std::fmt::Debug for Tap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tap").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// The machine's name, which a tap tells where it is not told another.
#[must_use]
pub fn machine_name() -> Vec<u8> {
    std::fs::read("/proc/sys/kernel/hostname").map_or_else(|_| Vec::new(), |name| name.trim_ascii().to_vec())
}

/// An address without its port.
#[must_use]
pub const fn at(address: IpAddr) -> SocketAddr {
    SocketAddr::new(address, 0)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
