//! From a datagram to a query that can be asked of the chain, or what it is instead.

use super::Errand;
use crate::base::tally::Event;
use crate::chain::{Asker, Carrier, Query};
use crate::dns::edns::option;
use crate::dns::{Edns, Flags, Message, Opcode, Rcode, RecordType};

/// Why a datagram is no query to be asked of the chain.
pub(super) enum Unreadable {
    Silence(Event),
    Refuse(Rcode),
    Errand(Errand),
    Version(Box<Query>),
}

/// Reads a query; what is no plain question with one name gets the RFC's answer. With it comes what it is for the
/// desk, if that is attended.
pub(super) fn read(datagram: &[u8], asker: Asker) -> Result<(Query, Option<Errand>), Unreadable> {
    let bits = word(datagram, 2).filter(|_| datagram.len() >= 12).ok_or(Unreadable::Silence(Event::SilenceShort))?;
    let flags = Flags::from_bits(bits);
    if flags.response || flags.truncated {
        return Err(Unreadable::Silence(Event::SilenceResponse)); // never answer a response, nor half a query
    }
    if asker.address.port() == 0 {
        return Err(Unreadable::Silence(Event::SilenceLoop));
    }
    match flags.opcode {
        Opcode::QUERY => {}
        Opcode::NOTIFY => return Err(Unreadable::Errand(Errand::Notify)),
        Opcode::UPDATE => return Err(Unreadable::Errand(Errand::Update)),
        _ => return Err(Unreadable::Refuse(Rcode::NOTIMP)),
    }
    let message = Message::parse(datagram).map_err(|_| Unreadable::Refuse(Rcode::FORMERR))?;
    let is_lone = message.questions.len() == 1 && message.answer.is_empty(); // RFC 9619 §4
    let question =
        message.questions.into_iter().next().filter(|_| is_lone).ok_or(Unreadable::Refuse(Rcode::FORMERR))?;
    let errand = match question.rtype {
        RecordType::AXFR | RecordType::IXFR => Some(Errand::Transfer),
        _ if message.additional.last().is_some_and(|record| record.rtype == RecordType::TSIG) => Some(Errand::Signed),
        _ => None,
    };
    if message.edns.as_ref().is_some_and(|edns| edns.cookie().is_err()) {
        return Err(Unreadable::Refuse(Rcode::FORMERR)); // RFC 7873 §5.2.2
    }
    // Only responses tell a time (RFC 7828 §3.2.1); over UDP the option means nothing (§3.3.1).
    let is_telling = |edns: &Edns| edns.option(option::TCP_KEEPALIVE).is_some_and(|data| !data.is_empty());
    if asker.carrier == Carrier::Tcp && message.edns.as_ref().is_some_and(is_telling) {
        return Err(Unreadable::Refuse(Rcode::FORMERR));
    }
    let is_newer = message.edns.as_ref().is_some_and(|edns| edns.version > 0);
    let query = Query { id: message.id, flags, question, edns: message.edns, asker };
    if is_newer { Err(Unreadable::Version(Box::new(query))) } else { Ok((query, errand)) }
}

pub(super) fn word(datagram: &[u8], at: usize) -> Option<u16> {
    datagram.get(at..at + 2).map(|octets| octets.iter().fold(0, |word, octet| word << 8 | u16::from(*octet)))
}
