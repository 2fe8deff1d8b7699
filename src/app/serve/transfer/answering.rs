//! Requests for transfers, NOTIFY and signed queries: what comes to the desk and is answered here.

use std::sync::Arc;

use tracing::{debug, info, warn};

use super::{Note, Transfers, held};
use crate::app::serve::desk::{Clerk, DeskReply, Errand, Work, refusal};
use crate::app::worker::Errand as Kind;
use crate::base::tally::Event;
use crate::base::{Clock, Dice, bounds};
use crate::chain::{Answer, Asker, Query, seal};
use crate::dns::{Class, Ede, EdeCode, Edns, Message, Name, Rcode};
use crate::edge::clock::wall_seconds;
use crate::edge::mailbox::Reply;
use crate::edge::tcp::TcpReply;
use crate::handlers::authority::Zone;
use crate::handlers::authority::transfer::{
    Content, Notification, NotifyFault, Outgoing, Request, acknowledgement, plan,
};
use crate::handlers::authority::tsig::{Signer, Standing, examine_by};

impl Clerk for Transfers {
    fn handle(&self, errand: Errand) -> Work<'_> {
        Box::pin(self.answer(errand))
    }
}

/// A request whose signature is good, or that has none.
struct Visitor {
    message: Message,
    asker: Asker,
    reply: DeskReply,
    signer: Option<Signer>,
}

impl Visitor {
    fn key(&self) -> Option<&Name> {
        self.signer.as_ref().map(|signer| signer.key().name())
    }

    /// Sends a response of one message.
    fn send(mut self, mut response: Vec<u8>) {
        if let Some(signer) = &mut self.signer {
            signer.sign(&mut response, wall_seconds());
        }
        self.reply.send(response);
    }

    fn refuse(self, request: &Request, rcode: Rcode, code: EdeCode, why: &'static str) {
        debug!("{}: transfer refused to {}: {why}", request.apex(), self.asker.address);
        let response = request.refuse(rcode, &Ede::new(code, why));
        self.send(response);
    }
}

impl Transfers {
    async fn answer(&self, errand: Errand) {
        let Errand { kind, bytes, asker, reply } = errand;
        let signer = match examine_by(&bytes, |name| self.key(name), wall_seconds()) {
            Standing::Unsigned => None,
            Standing::Signed(signer) => Some(signer),
            Standing::Refused { error, response } => {
                info!("a message of {} is refused: {error}", asker.address);
                return reply.send(response);
            }
        };
        let Ok(message) = Message::parse(&bytes) else {
            return refusal(&bytes, Rcode::FORMERR).map_or((), |response| reply.send(response));
        };
        let visitor = Visitor { message, asker, reply, signer };
        match kind {
            Kind::Transfer => self.transfer(visitor, &bytes).await,
            Kind::Notify => self.take_notify(visitor, &bytes),
            Kind::Signed => self.answer_query(visitor),
            Kind::Update => {}
        }
    }

    async fn transfer(&self, visitor: Visitor, bytes: &[u8]) {
        let refused = || self.keeper.count(Event::TransfersOutRefused);
        let request = match Request::read(&visitor.message, visitor.asker.carrier) {
            Ok(request) => request,
            Err(rcode) => {
                refused();
                return refusal(bytes, rcode).map_or((), |response| visitor.send(response));
            }
        };
        let Some(settings) = self.keeper.settings(request.apex()) else {
            refused();
            return visitor.refuse(&request, Rcode::NOTAUTH, EdeCode::NotAuthoritative, "no zone of this server");
        };
        let (address, key) = (visitor.asker.address.ip(), visitor.key());
        let has_key = settings.transfer.key.as_ref().is_none_or(|wanted| Some(wanted) == key);
        if !has_key || !settings.transfer.allow.iter().any(|allowed| allowed.admits(address, key)) {
            refused();
            return visitor.refuse(&request, Rcode::REFUSED, EdeCode::Prohibited, "transfer is not allowed");
        }
        let Some(zone) = self.keeper.zone(request.apex()) else {
            refused();
            return visitor.refuse(&request, Rcode::SERVFAIL, EdeCode::NotReady, "the zone has no data now");
        };
        let history = request.serial.and_then(|_| self.history(request.apex()));
        let content = plan(&request, &zone, history.as_ref());
        let Visitor { asker, reply, signer, .. } = visitor;
        let Some(outgoing) = Outgoing::new(request, Arc::clone(&zone), content, signer) else { return };
        match reply.into_parts() {
            (Reply::Tcp(reply), _) => self.send_zone(outgoing, &zone, asker, reply).await,
            (reply, station) => {
                if let Ok(response) = outgoing.datagram(wall_seconds()) {
                    self.keeper.count(Event::TransfersOutDone);
                    DeskReply::new(reply, station).send(response);
                }
            }
        }
    }

    /// Sends the messages of a transfer as fast as the secondary reads them.
    async fn send_zone(&self, mut outgoing: Outgoing, zone: &Zone, asker: Asker, reply: TcpReply) {
        let how = match outgoing.content() {
            Content::Soa => "the SOA record",
            Content::Whole => "the zone",
            Content::Step(_) => "the changes",
        };
        // A full house makes the secondary come again: the connection is closed without an answer.
        let Ok(_place) = self.places_out.try_acquire() else {
            self.keeper.count(Event::TransfersOutFailed);
            return warn!("{}: too many transfers under way; {} must come again", zone.apex(), asker.address);
        };
        let mut stream = reply.stream();
        let send = async {
            let mut messages = 0;
            loop {
                let mut out = Vec::new();
                match outgoing.poll_message(&mut out, wall_seconds()) {
                    Ok(false) => return Ok(messages),
                    Ok(true) => stream.send(out).await.map_err(|_| "it has gone")?,
                    Err(_) => return Err("a record is too large for a message"),
                }
                messages += 1;
            }
        };
        let (apex, serial, whom) = (zone.apex(), zone.serial(), asker.address);
        let sent = tokio::time::timeout(bounds::TRANSFER_DEADLINE, send).await;
        let is_done = matches!(sent, Ok(Ok(_)));
        self.keeper.count(if is_done { Event::TransfersOutDone } else { Event::TransfersOutFailed });
        match sent {
            Ok(Ok(messages)) => {
                stream.end().await;
                info!("{apex}: {how} of serial {serial} sent to {whom} in {messages} messages");
            }
            Ok(Err(why)) => warn!("{apex}: transfer to {whom} broken off: {why}"),
            Err(_) => warn!("{apex}: transfer to {whom} broken off: it takes too long"),
        }
    }

    fn take_notify(&self, visitor: Visitor, bytes: &[u8]) {
        let notification = match Notification::read(&visitor.message) {
            Ok(notification) => notification,
            Err(fault) => {
                let rcode = if fault == NotifyFault::FormErr { Rcode::FORMERR } else { Rcode::NOTIMP };
                return refusal(bytes, rcode).map_or((), |response| visitor.send(response));
            }
        };
        let (rcode, ede) = match self.note(&notification, visitor.asker, visitor.key()) {
            Ok(()) => (Rcode::NOERROR, None),
            Err((rcode, code, why)) => {
                info!("{}: NOTIFY of {} refused: {why}", notification.apex, visitor.asker.address);
                (rcode, Some(Ede::new(code, why)))
            }
        };
        let response = acknowledgement(&visitor.message, rcode, ede.as_ref());
        visitor.send(response);
    }

    /// Passes a NOTIFY of a primary on to the zone's task.
    fn note(
        &self,
        notification: &Notification,
        asker: Asker,
        key: Option<&Name>,
    ) -> Result<(), (Rcode, EdeCode, &'static str)> {
        let followed = held(&self.followed);
        let Some(followed) = followed.get(&notification.apex) else {
            if self.keeper.settings(&notification.apex).is_none() {
                return Err((Rcode::NOTAUTH, EdeCode::NotAuthoritative, "no zone of this server"));
            }
            return Err((Rcode::REFUSED, EdeCode::Prohibited, "the zone has no primaries"));
        };
        // RFC 1996 §3.10: from primaries only; by their address, or by their key from wherever.
        let settings = &followed.settings;
        let is_sender = |server: &crate::app::config::Server| {
            let wanted = server.key.as_ref().or(settings.transfer.key.as_ref());
            server.address.ip().to_canonical() == asker.address.ip().to_canonical()
                || wanted.is_some_and(|wanted| Some(wanted) == key)
        };
        let Some(primary) = settings.primaries.iter().position(is_sender) else {
            return Err((Rcode::REFUSED, EdeCode::Prohibited, "not from a primary of the zone"));
        };
        // Where the slot is full, checks enough are due already.
        followed.notes.try_send(Note { primary, serial: notification.serial }).ok();
        Ok(())
    }

    /// Answers a signed query from our zones, for secondaries that ask for the SOA record so.
    fn answer_query(&self, visitor: Visitor) {
        let [question] = visitor.message.questions.as_slice() else { return };
        let room = visitor.signer.as_ref().map_or(0, |signer| signer.key().room()) as u16;
        let edns = visitor.message.edns.clone();
        let query = Query {
            id: visitor.message.id,
            flags: visitor.message.flags,
            question: question.clone(),
            // The signature needs its place in the datagram.
            edns: edns.map(|edns| Edns { udp_size: edns.udp_size.saturating_sub(room), ..edns }),
            asker: visitor.asker,
        };
        let is_ours = question.class == Class::IN;
        let decide = || {
            let mut dice = Dice::from_seed(std::array::from_fn(|_| held(&self.dice).bits() as u8));
            self.keeper.authority().decide(&query, self.clock.now(), &mut dice, &mut None)
        };
        let decision = if is_ours { decide() } else { None };
        let not_ours =
            || Answer::refusal(Rcode::REFUSED, Ede::new(EdeCode::NotAuthoritative, "no zone of this server"));
        let mut response = Vec::new();
        seal(&query, &decision.map_or_else(not_ours, |decision| decision.answer), false, &mut response);
        visitor.send(response);
    }
}
