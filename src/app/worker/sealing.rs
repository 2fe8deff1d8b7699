//! The end of a worker's turn: an answer becomes the octets of a response, and is counted.

use super::guarding::Standing;
use super::reading::word;
use super::{Errand, Next, Worker};
use crate::base::bounds;
use crate::base::tally::Event;
use crate::chain::{Answer, Extras, Query, Sealed, seal_as};
use crate::dns::wire::Composer;
use crate::dns::{Flags, Rcode};

impl<R> Worker<R> {
    pub(super) fn seal(&self, query: &Query, standing: &Standing, answer: &Answer, out: &mut Vec<u8>) -> Sealed {
        let recursion_available = self.house.offers_recursion && query.asker.may_recurse;
        let extras = Extras { nsid: &self.house.nsid, cookie: standing.reply_cookie() };
        let mut sealed = seal_as(query, answer, recursion_available, extras, out);
        sealed.account = self.house.limits.account(query, answer);
        if sealed.is_truncated {
            self.tally.count(Event::Truncated);
        }
        sealed
    }

    pub(super) fn elsewhere(&self, errand: Errand) -> Next {
        self.tally.count(Event::Errands);
        Next::Elsewhere(errand)
    }

    /// A bare header: all that can be said to a query that cannot be read.
    pub(super) fn refuse(&self, datagram: &[u8], rcode: Rcode, out: &mut Vec<u8>) -> Next {
        let (Some(id), Some(bits)) = (word(datagram, 0), word(datagram, 2)) else { return Next::Silence };
        let asked = Flags::from_bits(bits);
        let flags = Flags {
            response: true,
            opcode: asked.opcode,
            recursion_desired: asked.recursion_desired,
            checking_disabled: asked.checking_disabled,
            ..Flags::default()
        };
        match Composer::new(out, bounds::UDP_RESPONSE_FLOOR, id, flags, rcode) {
            Ok(composer) => {
                composer.finish();
                self.count_response(rcode);
                Next::Respond
            }
            Err(_) => Next::Silence,
        }
    }

    pub(super) fn count_response(&self, rcode: Rcode) {
        self.tally.count(Event::Responses);
        self.tally.count(match rcode {
            Rcode::NOERROR => Event::NoError,
            Rcode::FORMERR => Event::FormErr,
            Rcode::SERVFAIL => Event::ServFail,
            Rcode::NXDOMAIN => Event::NxDomain,
            Rcode::NOTIMP => Event::NotImp,
            Rcode::REFUSED => Event::Refused,
            _ => Event::OtherRcode,
        });
    }
}
