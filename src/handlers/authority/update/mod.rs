//! Dynamic update (RFC 2136): a message that asks for a change of a zone, and what becomes of it.
//!
//! In comes a message whose signature has been checked, so that the name of its key is known. [`Update`] reads its
//! sections; a [`Draft`], an overlay over the running zone, judges it ([`Draft::attempt`]): prerequisites first,
//! then whether the key may do all of it ([`Policy`]), then every change, all or nothing. What leaves is a
//! [`Difference`] to be journalled, and at last, for many updates together, the new zone ([`Draft::compile`]).
//! Nothing here verifies a signature, writes a file or puts a zone in force.

mod attempt;
mod draft;
mod policy;
#[cfg(test)]
mod tests;

pub use attempt::is_newer;
pub use draft::{Draft, Mismatch};
pub(super) use draft::{Item, Touched};
pub use policy::{Grant, Names, Policy, Rule};

use super::difference::Difference;
use crate::dns::{Class, Message, Name, Opcode, Rcode, Record, RecordType};

/// An update message by its sections (RFC 2136 §2).
#[derive(Clone, Copy, Debug)]
pub struct Update<'m> {
    /// The zone to be changed.
    pub zone: &'m Name,
    /// What must hold before.
    pub prerequisites: &'m [Record],
    /// What is to be changed, in order.
    pub changes: &'m [Record],
}

impl<'m> Update<'m> {
    /// The sections of `message`.
    ///
    /// # Errors
    /// The response's RCODE: FORMERR unless the zone section is one SOA question (RFC 2136 §3.1.1); NOTAUTH for a
    /// class that is not served, NOTIMP for another opcode.
    pub fn of(message: &'m Message) -> Result<Self, Rcode> {
        if message.flags.opcode != Opcode::UPDATE {
            return Err(Rcode::NOTIMP);
        }
        let [zone] = message.questions.as_slice() else { return Err(Rcode::FORMERR) };
        if zone.rtype != RecordType::SOA {
            return Err(Rcode::FORMERR);
        }
        if zone.class != Class::IN {
            return Err(Rcode::NOTAUTH);
        }
        Ok(Self { zone: &zone.name, prerequisites: &message.answer, changes: &message.authority })
    }
}
