//! The gate: who is served.
//!
//! [`Gate::admit`] is asked once for every query, before its tempo is chosen, and its decision travels with the
//! query as [`Asker::may_recurse`](crate::chain::Asker). As the first link of the recursive part the gate turns
//! everybody else away: REFUSED, with EDE 18 for people to read. No later link can answer before it, so neither
//! the cache nor the hosts file tells a stranger anything.
//!
//! A query without RD passes. The links that hold what is known already (cache, hosts, special-use names) answer
//! it as any other, the one that would ask upstreams passes it on, and at the chain's end it is refused with
//! EDE 20. So `dig +norec` shows an allowed client what is cached and never causes an upstream query.
//!
//! [`Limits`] are how much of it: [`Limits::admit`] before a query is parsed, [`Limits::release`] when its response is
//! known.

mod allowance;
mod client;
mod limits;
mod queries;
mod responses;
mod table;

pub use allowance::{Algorithm, Rate};
pub use client::Prefix;
pub use limits::{Cookies, LimitSettings, Limits, Release};
pub use queries::{Admission, QueryLimit};
pub use responses::{ResponseClass, ResponseLimit};

use std::net::SocketAddr;

use crate::base::NetworkSet;
use crate::chain::{Answer, Handler, Query, Turn, Verdict};
use crate::dns::{Ede, EdeCode, Rcode};

/// The access list for recursion.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Gate {
    allow: NetworkSet,
}

impl Gate {
    /// A gate that lets in the networks of `allow` and nobody else.
    #[must_use]
    pub const fn new(allow: NetworkSet) -> Self {
        Self { allow }
    }

    /// Whether a sender at `address` may have recursion. Its port does not count.
    #[must_use]
    pub fn admit(&self, address: SocketAddr) -> bool {
        self.allow.contains(address.ip())
    }
}

impl Handler for Gate {
    fn name(&self) -> &'static str {
        "gate"
    }

    fn handle(&self, query: &Query, _: &mut Turn<'_>) -> Verdict {
        if query.asker.may_recurse {
            return Verdict::Pass;
        }
        let ede = Ede::new(EdeCode::Prohibited, "recursion is not allowed for your address");
        Verdict::Answer(Answer::refusal(Rcode::REFUSED, ede))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handlers::testing::{Ask, answer};

    fn gate() -> Gate {
        Gate::new(NetworkSet::private())
    }

    #[test]
    fn private_networks_are_admitted_and_others_are_not() {
        for (address, is_admitted) in [
            ("127.0.0.1:1", true),
            ("10.1.2.3:53", true),
            ("[::ffff:10.1.2.3]:53", true),
            ("[fd00::1]:53", true),
            ("192.0.2.1:53", false),
            ("[2001:db8::1]:53", false),
            ("[::ffff:192.0.2.1]:53", false),
        ] {
            assert_eq!(gate().admit(address.parse().unwrap()), is_admitted, "{address}");
        }
    }

    #[test]
    fn a_stranger_is_refused_with_ede_18() {
        let refused = answer(Ask::new("www.example.", "A").stranger().of(&gate()));
        assert_eq!(refused.rcode, Rcode::REFUSED);
        assert_eq!(refused.ede.unwrap().code.number(), 18);
    }

    #[test]
    fn a_stranger_is_refused_without_rd_too() {
        let refused = answer(Ask::new("www.example.", "A").stranger().without_recursion().of(&gate()));
        assert_eq!(refused.rcode, Rcode::REFUSED);
    }

    #[test]
    fn an_allowed_query_passes_with_and_without_rd() {
        assert_eq!(Ask::new("www.example.", "A").of(&gate()), Verdict::Pass);
        assert_eq!(Ask::new("www.example.", "A").without_recursion().of(&gate()), Verdict::Pass);
    }
}
