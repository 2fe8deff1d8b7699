//! Queries that leave a station: to another one, whose worker is at home where the name is, or to the desk.

use super::desk::{DeskReply, DeskSlot, Errand};
use crate::app::worker;
use crate::base::tally::{Event, Tally};
use crate::chain::Asker;
use crate::edge::mailbox::{Letter, Mailbox, Reply};

/// Hands a query to the worker whose name it is; a full mailbox is a counted silence.
pub(super) fn hand_over(
    neighbours: &[Mailbox],
    home: usize,
    bytes: &[u8],
    asker: Asker,
    reply: Option<Reply>,
    tally: &Tally,
) {
    let letter = reply.map(|reply| Letter::Query { bytes: bytes.to_vec(), asker, reply, handed_over: true });
    let posted = match (letter, neighbours.get(home)) {
        (Some(letter), Some(home)) => home.post(letter).is_ok(),
        _ => false,
    };
    if !posted {
        tally.count(Event::SilenceOverload);
    }
}

/// Hands a message to the desk; a full one is a counted silence.
pub(super) fn hand_on(
    desk: Option<&DeskSlot>,
    station: &Mailbox,
    kind: worker::Errand,
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
