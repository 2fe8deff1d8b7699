//! A secondary's question for a zone: what is asked, and what of it is answered how.

use std::sync::Arc;

use super::outgoing::Content;
use super::{History, is_newer};
use crate::base::bounds;
use crate::chain::Carrier;
use crate::chain::seal::response_limit;
use crate::dns::wire::Composer;
use crate::dns::{Class, Ede, Edns, Flags, Message, Name, Opcode, Question, Rcode, RecordType};
use crate::handlers::authority::{Difference, Zone};

/// A question for AXFR or IXFR.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// The id.
    pub id: u16,
    /// The question, letters as they came.
    pub question: Question,
    /// RD, to be echoed.
    pub recursion_desired: bool,
    /// How it came.
    pub carrier: Carrier,
    /// Whether it has an OPT record; and then what UDP size that says.
    pub udp_size: Option<u16>,
    /// The version that the secondary has, of an IXFR.
    pub serial: Option<u32>,
}

impl Request {
    /// Reads a request.
    ///
    /// # Errors
    /// The RCODE for one that makes no sense: FORMERR for AXFR in a datagram (RFC 5936 §4.2) and for IXFR without
    /// the SOA record of the secondary's version (RFC 1995 §3).
    pub fn read(message: &Message, carrier: Carrier) -> Result<Self, Rcode> {
        let [question] = message.questions.as_slice() else { return Err(Rcode::FORMERR) };
        if message.flags.response || message.flags.opcode != Opcode::QUERY || question.class != Class::IN {
            return Err(Rcode::FORMERR);
        }
        let is_soa = |record: &&crate::dns::Record| record.rtype == RecordType::SOA && record.owner == question.name;
        let serial = match (question.rtype, carrier) {
            (RecordType::AXFR, Carrier::Tcp) => None,
            (RecordType::IXFR, _) => {
                let soa = message.authority.iter().find(is_soa).ok_or(Rcode::FORMERR)?;
                Some(serial_of(&soa.rdata).ok_or(Rcode::FORMERR)?)
            }
            _ => return Err(Rcode::FORMERR),
        };
        Ok(Self {
            id: message.id,
            question: question.clone(),
            recursion_desired: message.flags.recursion_desired,
            carrier,
            udp_size: message.edns.as_ref().map(|edns| edns.udp_size),
            serial,
        })
    }

    /// The name of the zone.
    #[must_use]
    pub const fn apex(&self) -> &Name {
        &self.question.name
    }

    /// The largest response by the request's carrier, octets.
    #[must_use]
    pub fn limit(&self) -> usize {
        response_limit(self.carrier, self.udp_size)
    }

    pub(super) fn flags(&self, authoritative: bool) -> Flags {
        Flags { response: true, authoritative, recursion_desired: self.recursion_desired, ..Flags::default() }
    }

    pub(super) fn opt(&self) -> Option<Edns> {
        self.udp_size.map(|_| Edns { udp_size: bounds::UDP_RESPONSE_MAX as u16, ..Edns::default() })
    }

    /// The response that gives nothing and says why.
    #[must_use]
    pub fn refuse(&self, rcode: Rcode, ede: &Ede) -> Vec<u8> {
        let mut out = Vec::new();
        let write = |out: &mut Vec<u8>, opt: Option<&Edns>| {
            let mut composer = Composer::new(out, bounds::UDP_RESPONSE_FLOOR, self.id, self.flags(false), rcode)?;
            composer.question(&self.question)?;
            if let Some(opt) = opt {
                composer.opt(opt, rcode)?;
            }
            composer.finish();
            Ok::<(), crate::dns::wire::compose::Full>(())
        };
        let opt = self.opt().map(|opt| Edns { options: vec![ede.to_option()], ..opt });
        write(&mut out, opt.as_ref()).ok();
        out
    }
}

/// What a request is answered with: the zone whole, the steps from the secondary's version on, or the SOA record
/// alone where the secondary has it all (RFC 1995 §2, §4). Several steps are condensed into one (§5); where they
/// are not known, or no shorter than the zone, it goes whole.
#[must_use]
pub fn plan(request: &Request, zone: &Zone, history: Option<&History>) -> Content {
    let Some(serial) = request.serial else { return Content::Whole };
    if !is_newer(zone.serial(), serial) {
        return Content::Soa;
    }
    let known = history.filter(|history| history.serial() == Some(zone.serial()));
    let Some(steps) = known.and_then(|history| history.since(serial)) else { return Content::Whole };
    let step = match steps.as_slice() {
        [one] => Arc::clone(one),
        steps => match Difference::condensed(steps.iter().map(Arc::as_ref)) {
            Some(condensed) => Arc::new(condensed),
            None => return Content::Whole,
        },
    };
    if step.size_bytes() > zone.size_bytes().max(bounds::HISTORY_BYTES_FLOOR) {
        return Content::Whole;
    }
    Content::Step(step)
}

/// The serial number in a SOA record's RDATA.
pub(super) fn serial_of(rdata: &[u8]) -> Option<u32> {
    let at = rdata.len().checked_sub(20)?;
    rdata.get(at..)?.first_chunk::<4>().map(|octets| u32::from_be_bytes(*octets))
}
