//! How a goal ended, and what clients are told of it.

use std::sync::Arc;

use super::ask::Trouble;
use super::ledger::Ledger;
use super::walk::Ended;
use crate::chain::{Aged, Answer};
use crate::dns::{Ede, EdeCode, Name, Rcode, RrSet};

/// The end of a goal.
#[derive(Clone, Debug)]
pub struct Resolution {
    /// The aliases' RRsets in order.
    pub chain: Vec<Aged>,
    /// What stands at their end.
    pub ended: Ended,
    /// What it has cost, for whoever has to go on.
    pub ledger: Arc<Ledger>,
}

impl Resolution {
    /// Whether upstreams gave no usable answer.
    #[must_use]
    pub const fn is_failure(&self) -> bool {
        matches!(self.ended, Ended::Failed(_))
    }

    /// The name in one of our own zones to which the aliases led, and which is answered for there.
    #[must_use]
    pub const fn leads_home(&self) -> Option<&Name> {
        match &self.ended {
            Ended::Ours(name) => Some(name),
            _ => None,
        }
    }

    /// The answer for a client; denial proofs only where it `wants_dnssec`.
    #[must_use]
    pub fn to_answer(&self, wants_dnssec: bool) -> Answer {
        let mut answer = Answer { answer: self.chain.clone(), ..Answer::default() };
        match &self.ended {
            Ended::Answer(aged) => answer.answer.push(aged.clone()),
            Ended::Denied(denial) => {
                answer.rcode = if denial.is_nxdomain { Rcode::NXDOMAIN } else { Rcode::NOERROR };
                let aged = |set: &Arc<RrSet>| Aged { set: Arc::clone(set), ttl: denial.ttl };
                answer.authority.extend(denial.soa.iter().map(aged));
                if wants_dnssec {
                    answer.authority.extend(denial.proofs.iter().map(aged));
                }
            }
            Ended::Ours(_) => {} // as far as upstreams go
            Ended::TooLong => answer.rcode = Rcode::YXDOMAIN,
            Ended::Failed(trouble) => {
                answer = Answer::refusal(Rcode::SERVFAIL, explanation(*trouble));
            }
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
        Trouble::Oversized => Ede::new(EdeCode::InvalidData, "an RRset has too many records"),
        Trouble::Crowded => Ede::new(EdeCode::Other, "too many questions about this zone are under way"),
        Trouble::Exhausted(exhausted) => Ede::new(EdeCode::Other, exhausted.text()),
    }
}
