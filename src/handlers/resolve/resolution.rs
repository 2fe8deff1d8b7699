//! How a goal ended, and what clients are told of it.

use std::sync::Arc;

use super::ask::Trouble;
use super::ledger::Ledger;
use super::walk::{Ended, Part};
use crate::chain::{Aged, Answer};
use crate::dns::dnssec::Security;
use crate::dns::{Ede, EdeCode, Name, Rcode, RrSet};

/// The end of a goal.
#[derive(Clone, Debug)]
pub struct Resolution {
    /// The aliases' RRsets in order.
    pub chain: Vec<Part>,
    /// What stands at their end.
    pub ended: Ended,
    /// Why it is insecure, where that is worth telling.
    pub remark: Option<Ede>,
    /// What it has cost, for whoever has to go on.
    pub ledger: Arc<Ledger>,
}

impl Resolution {
    /// Whether upstreams gave no usable answer.
    #[must_use]
    pub const fn is_failure(&self) -> bool {
        matches!(self.ended, Ended::Failed(_) | Ended::Bogus(_))
    }

    /// The name in one of our own zones to which the aliases led, and which is answered for there.
    #[must_use]
    pub const fn leads_home(&self) -> Option<&Name> {
        match &self.ended {
            Ended::Ours(name) => Some(name),
            _ => None,
        }
    }

    /// Why what upstreams say cannot be believed.
    #[must_use]
    pub const fn bogus(&self) -> Option<&Ede> {
        match &self.ended {
            Ended::Bogus(ede) => Some(ede),
            _ => None,
        }
    }

    /// The answer for a client; proofs only where it `wants_dnssec`.
    #[must_use]
    pub fn to_answer(&self, wants_dnssec: bool) -> Answer {
        let end = if let Ended::Answer(part) = &self.ended { Some(part) } else { None };
        let mut answer = Answer { authentic: true, ede: self.remark.clone(), ..Answer::default() };
        for part in self.chain.iter().chain(end) {
            answer.authentic &= part.security == Security::Secure;
            answer.answer.push(part.aged.clone());
            if wants_dnssec {
                let aged = |set: &Arc<RrSet>| Aged { set: Arc::clone(set), ttl: part.aged.ttl.min(set.ttl) };
                answer.authority.extend(part.proofs.iter().map(aged));
            }
        }
        match &self.ended {
            Ended::Answer(_) => {}
            Ended::Denied(_, denial) => {
                answer.authentic &= denial.security == Security::Secure;
                answer.rcode = if denial.is_nxdomain { Rcode::NXDOMAIN } else { Rcode::NOERROR };
                let aged = |set: &Arc<RrSet>| Aged { set: Arc::clone(set), ttl: denial.ttl };
                answer.authority.extend(denial.soa.iter().map(aged));
                if wants_dnssec {
                    answer.authority.extend(denial.proofs.iter().map(aged));
                }
            }
            Ended::Ours(_) => answer.authentic = false, // as far as upstreams go
            Ended::TooLong => answer.rcode = Rcode::YXDOMAIN,
            Ended::Failed(trouble) => {
                answer = Answer::refusal(Rcode::SERVFAIL, explanation(*trouble));
            }
            Ended::Bogus(ede) => answer = Answer::refusal(Rcode::SERVFAIL, ede.clone()),
        }
        answer
    }
}

/// What a failure is called in an Extended DNS Error.
#[must_use]
pub fn explanation(trouble: Trouble) -> Ede {
    match trouble {
        Trouble::Silence => Ede::new(EdeCode::NoReachableAuthority, "no server answered"),
        Trouble::Unreachable => Ede::new(EdeCode::NetworkError, "no server could be reached"),
        Trouble::NoServers => Ede::new(EdeCode::NoReachableAuthority, "no server has an address"),
        Trouble::Lame => Ede::new(EdeCode::NoReachableAuthority, "the servers do not serve the zone"),
        Trouble::Rcode(rcode) => Ede::new(EdeCode::NoReachableAuthority, format!("servers answered {rcode}")),
        Trouble::Unreadable => Ede::new(EdeCode::InvalidData, "no server's response can be read"),
        Trouble::Oversized => Ede::new(EdeCode::InvalidData, "an RRset has too many records"),
        Trouble::Crowded => Ede::new(EdeCode::Other, "too many questions about this zone are under way"),
        Trouble::NoKeys => {
            Ede::new(EdeCode::NoReachableAuthority, "the keys to validate it with could not be looked up")
        }
        Trouble::Exhausted(exhausted) => Ede::new(EdeCode::Other, exhausted.text()),
    }
}
