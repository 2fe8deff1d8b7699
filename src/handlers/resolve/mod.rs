//! Finds answers upstream: says what to ask whom next, until a goal is met or abandoned.
//!
//! What comes in are [`Goal`]s, responses and the time; what leaves are queries to send and resolutions.
//! [`Resolver`] holds all work under way in one worker, in two layers:
//!
//! * a **walk** ([`walk`]) pursues one question from zone cut to zone cut and along aliases;
//! * an **ask** ([`ask`]) puts one question to one zone's servers until one of them gives something useful.
//!
//! Walks that need the same thing share it: there is one walk a question and one ask a zone and question,
//! however many wait. Nothing here knows sockets, timers or the cache beyond [`crate::chain::Memory`].

pub mod anchors;
pub mod ask;
pub mod checking;
pub mod classify;
mod crowding;
mod ending;
pub mod exceptions;
mod fetching;
mod following;
mod forwarding;
pub mod hints;
mod learning;
pub mod ledger;
pub mod loops;
pub mod minimise;
pub mod resolution;
pub mod resolver;
pub mod rollover;
pub mod scoreboard;
pub mod settings;
pub mod trace;
pub mod walk;

pub use loops::Loops;
pub use resolution::Resolution;
pub use resolver::{GoalId, Pursuit, Resolver};
pub use settings::{Families, Minimisation, Ours, Settings, Stub, Wall};

use std::net::SocketAddr;

use smallvec::SmallVec;

use crate::base::{Dice, Instant, tally::Tally};
use crate::chain::{Goal, Handler, Memory, Purpose, Query, Turn, Verdict};
use crate::dns::{Class, Question};

/// One query sent upstream and whatever comes back for it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ExchangeId(pub u64);

/// How a query goes to an upstream.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Transport {
    /// One datagram from a random port.
    Udp,
    /// A connection, kept for further queries.
    Tcp,
}

/// A query to be sent to an upstream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transmit {
    /// What the response is handed back under.
    pub exchange: ExchangeId,
    /// Whom to send to.
    pub server: SocketAddr,
    /// How.
    pub transport: Transport,
    /// The whole message.
    pub bytes: Vec<u8>,
}

/// A question to be handed to a forward zone's upstreams.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ForwardRequest {
    /// What the response is handed back under.
    pub exchange: ExchangeId,
    /// Which of [`Settings::forward`] takes it.
    pub zone: usize,
    /// The question.
    pub question: Question,
    /// CD.
    pub checking_disabled: bool,
    /// Upstreams whose word was found bogus: others are to be asked where there are any.
    pub avoided: SmallVec<[SocketAddr; 2]>,
}

/// What a step of the resolver is given.
pub struct Surroundings<'s> {
    /// The cache.
    pub memory: &'s dyn Memory,
    /// The present moment.
    pub now: Instant,
    /// Chance.
    pub dice: &'s mut Dice,
    /// The worker's counters.
    pub tally: &'s Tally,
    /// The wall clock: seconds since 1970, modulo 2³². Only signatures go by it.
    pub wall: u32,
}

/// The last link of the chain: what nobody before could answer is asked upstream.
#[derive(Clone, Copy, Debug, Default)]
pub struct Resolve;

impl Handler for Resolve {
    fn name(&self) -> &'static str {
        "resolve"
    }

    fn handle(&self, query: &Query, _: &mut Turn<'_>) -> Verdict {
        if !query.flags.recursion_desired || !query.asker.may_recurse || query.question.class != Class::IN {
            return Verdict::Pass;
        }
        Verdict::Resolve(Goal {
            question: query.question.clone(),
            checking_disabled: query.flags.checking_disabled,
            purpose: Purpose::Client,
            prefix: Vec::new(),
            scope: None,
            stale: None,
        })
    }
}
