//! The desk: messages that no worker answers in its turn, because they take more than a look at memory.
//!
//! A worker finds transfers, notifications, updates and signed queries and hands them on unchanged; each goes to
//! its clerk, in a task of the runtime. Everything is bounded: what waits, and what is under way. Past a bound the
//! message is dropped and counted where it came in, as an overloaded server would lose it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};

use crate::app::worker::Errand as Kind;
use crate::base::bounds;
use crate::base::tally::{Event, Tally};
use crate::chain::Asker;
use crate::dns::{Flags, Rcode, wire::Composer};
use crate::edge::mailbox::{Letter, Mailbox, Reply};

/// A message for a clerk.
#[derive(Debug)]
pub struct Errand {
    /// What it is.
    pub kind: Kind,
    /// The message as it came: at least a whole header, no response.
    pub bytes: Vec<u8>,
    /// Who asks.
    pub asker: Asker,
    /// Where the response goes.
    pub reply: DeskReply,
}

/// The way back to who asked.
#[derive(Debug)]
pub struct DeskReply {
    reply: Reply,
    /// The station whose socket a datagram came in by.
    station: Mailbox,
}

impl DeskReply {
    /// The way back by `station`.
    #[must_use]
    pub const fn new(reply: Reply, station: Mailbox) -> Self {
        Self { reply, station }
    }

    /// Sends the response, which must fit the carrier. Dropped unused, a TCP connection is closed.
    pub fn send(self, bytes: Vec<u8>) {
        match self.reply {
            Reply::Tcp(reply) => reply.send(&bytes),
            Reply::Inside(reply) => drop(reply.send(bytes)),
            // A full mailbox loses it, as the network might.
            reply @ Reply::Udp { .. } => drop(self.station.post(Letter::Send { reply, bytes })),
        }
    }

    /// The bare way back and the station, for responses of several messages.
    #[must_use]
    pub fn into_parts(self) -> (Reply, Mailbox) {
        (self.reply, self.station)
    }
}

/// What a clerk is about.
pub type Work<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Who answers one kind of message, however long it takes.
pub trait Clerk: Send + Sync {
    /// Answers, or drops the errand in silence.
    fn handle(&self, errand: Errand) -> Work<'_>;
}

/// Who answers what.
#[derive(Clone)]
pub struct Clerks {
    /// AXFR, IXFR, NOTIFY, and queries signed with TSIG.
    pub transfers: Arc<dyn Clerk>,
    /// UPDATE.
    pub updates: Arc<dyn Clerk>,
}

/// A clerk that says one thing to everybody.
#[derive(Clone, Copy, Debug)]
pub struct Refuse(pub Rcode);

impl Clerk for Refuse {
    fn handle(&self, errand: Errand) -> Work<'_> {
        let rcode = self.0;
        Box::pin(async move {
            if let Some(bytes) = refusal(&errand.bytes, rcode) {
                errand.reply.send(bytes);
            }
        })
    }
}

/// A bare header with `rcode`: the answer to a message of which nothing else is to be said.
#[must_use]
pub fn refusal(message: &[u8], rcode: Rcode) -> Option<Vec<u8>> {
    let (id, rest) = message.split_first_chunk::<2>()?;
    let bits = u16::from_be_bytes(*rest.first_chunk::<2>()?);
    let asked = Flags::from_bits(bits);
    let flags = Flags {
        response: true,
        opcode: asked.opcode,
        recursion_desired: asked.recursion_desired,
        checking_disabled: asked.checking_disabled,
        ..Flags::default()
    };
    let mut bytes = Vec::new();
    Composer::new(&mut bytes, bounds::UDP_RESPONSE_FLOOR, u16::from_be_bytes(*id), flags, rcode).ok()?.finish();
    Some(bytes)
}

/// The slot for errands; bounded.
pub type DeskSlot = mpsc::Sender<Errand>;

/// A desk's two ends.
#[must_use]
pub fn desk() -> (DeskSlot, mpsc::Receiver<Errand>) {
    mpsc::channel(bounds::DESK_WAITING)
}

/// Hands a query to the worker whose name it is; a full mailbox is a counted silence.
pub fn hand_over(neighbours: &[Mailbox], home: usize, bytes: &[u8], asker: Asker, reply: Option<Reply>, tally: &Tally) {
    let letter = reply.map(|reply| Letter::Query { bytes: bytes.to_vec(), asker, reply, handed_over: true });
    let posted = match (letter, neighbours.get(home)) {
        (Some(letter), Some(home)) => home.post(letter).is_ok(),
        _ => false,
    };
    if !posted {
        tally.count(Event::SilenceOverload);
    }
}

/// Hands errands to the clerks until every slot is gone.
pub async fn attend(mut errands: mpsc::Receiver<Errand>, clerks: Clerks) {
    let places = Arc::new(Semaphore::new(bounds::DESK_ERRANDS));
    while let Some(errand) = errands.recv().await {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let clerks = clerks.clone();
        tokio::spawn(async move {
            match errand.kind {
                Kind::Transfer | Kind::Notify | Kind::Signed => clerks.transfers.handle(errand).await,
                Kind::Update => clerks.updates.handle(errand).await,
            }
            drop(place);
        });
    }
}

/// Hands a message to the desk; a full one is a counted silence.
pub fn hand_on(
    desk: Option<&DeskSlot>,
    station: &Mailbox,
    kind: Kind,
    bytes: &[u8],
    asker: Asker,
    reply: Option<Reply>,
    tally: &Tally,
) {
    let errand = reply.map(|reply| {
        let reply = DeskReply::new(reply, station.clone());
        Errand { kind, bytes: bytes.to_vec(), asker, reply }
    });
    let is_taken = match (desk, errand) {
        (Some(desk), Some(errand)) => desk.try_send(errand).is_ok(),
        _ => false,
    };
    if !is_taken {
        tally.count(Event::SilenceDesk);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_repeats_what_it_answers() {
        let mut update = vec![0x12, 0x34, 0x28, 0x00];
        update.resize(12, 0);
        let bytes = refusal(&update, Rcode::REFUSED).unwrap();
        assert_eq!(bytes, [0x12, 0x34, 0xA8, 0x05, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(refusal(&[1, 2, 3], Rcode::REFUSED), None);
    }
}
