//! What one configuration built: the chain and everything behind it, immutable, shared by all workers.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::config::QueryLog;
use crate::base::collections::Keyed;
use crate::base::patience::Patience;
use crate::base::{NetworkSet, bounds};
use crate::chain::{Chain, Memory, Rewrites};
use crate::dns::Question;
use crate::edge::tap::Tap;
use crate::handlers::cluster::{Cluster, Policy};
use crate::handlers::gate::{Cookies, Limits};
use crate::handlers::resolve::{Loops, Settings};

/// The running configuration. A reload builds a new house beside the old one and the workers move.
pub struct House {
    /// The links, in order.
    pub chain: Chain,
    /// Which names outside the cluster its pods may resolve; none where all may.
    pub policy: Option<Arc<Policy>>,
    /// The one of them that answers for a cluster.
    pub cluster: Option<Cluster>,
    /// What the resolver remembers.
    pub memory: Arc<dyn Memory>,
    /// How the resolver resolves.
    pub resolution: Arc<Settings>,
    /// Which forward zones lead back to us; none where nothing is forwarded.
    pub loops: Option<Loops>,
    /// Who may have recursion.
    pub allow: NetworkSet,
    /// Whether RA is set.
    pub offers_recursion: bool,
    /// How long a client with a stale answer at hand waits for a fresh one.
    pub stale_wait: Option<Duration>,
    /// Octets of finished answers that each worker may keep at hand.
    pub finished_bytes: usize,
    /// What is told of queries to those who watch.
    pub telling: Telling,
    /// What the NSID option is answered with (RFC 5001); empty for nothing.
    pub nsid: Box<[u8]>,
    /// How answers look, whatever they say.
    pub manner: Manner,
    /// Whether somebody sits at the desk: we have zones, which can be transferred and changed.
    pub has_desk: bool,
    /// The hasher that gives every question its home worker.
    pub homes: Keyed,
    /// How much anybody gets.
    pub limits: Arc<Limits>,
    /// How long idle connections are kept just now, for those who ask (RFC 7828).
    pub patience: Arc<Patience>,
    /// The cookies that we give.
    pub cookies: Cookies,
    /// How many may wait, and for how much.
    pub capacity: Capacity,
}

/// How answers look, whatever they say.
#[derive(Clone, Default, Debug)]
pub struct Manner {
    /// Whether addresses and mail exchangers come in another order from query to query.
    pub rotates: bool,
    /// Names that are asked for under another.
    pub rewrites: Rewrites,
}

/// What is told of queries to those who watch.
#[derive(Clone, Default, Debug)]
pub struct Telling {
    /// Which are logged.
    pub queries: QueryLog,
    /// Who is told the messages.
    pub tap: Option<Tap>,
}

/// How much a worker takes on at a time; it keeps what its first house said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Capacity {
    /// Clients' questions being resolved.
    pub recursions: usize,
    /// Queries waiting of one client address.
    pub per_client: u32,
    /// The same of one that has proven its address.
    pub per_proven_client: u32,
}

impl Default for Capacity {
    fn default() -> Self {
        Self {
            recursions: bounds::RECURSIONS_MAX,
            per_client: bounds::WAITING_PER_CLIENT,
            per_proven_client: bounds::WAITING_PER_PROVEN_CLIENT,
        }
    }
}

impl House {
    /// Whether `address` may have recursion.
    #[must_use]
    pub fn may_recurse(&self, address: IpAddr) -> bool {
        self.offers_recursion && self.allow.contains(address)
    }

    /// Which policy of names holds for those at `address`; 0 for none.
    #[must_use]
    pub fn group_of(&self, address: IpAddr) -> u8 {
        self.policy.as_ref().map_or(0, |policy| policy.group_of(address))
    }

    /// Which of `workers` resolves `question`: always the same, so that clients who ask it at once cause one
    /// fetch although workers share nothing.
    #[must_use]
    pub fn home_of(&self, question: &Question, workers: usize) -> usize {
        if workers <= 1 {
            return 0;
        }
        (self.homes.hash_one((&question.name, question.rtype)) % workers as u64) as usize
    }
}
