//! What a configuration says of steering: the blocks `geo`, `ecs`, `checks`, `feeds`, `pools`, `policies`, and what
//! the zones' `steer` says.

use std::sync::Arc;
use std::time::Duration;

use crate::app::config::zones::Origin;
use crate::dns::Name;
use crate::edge::geoip::Database;
use crate::steer::health::Need;
use crate::steer::health::check::Check;
use crate::steer::{Agree, Client, Pool, PoolId, ScopeCap, StageSpec, Terms, Unknown};

/// All that is said of steering.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Steering {
    /// The databases of places, the most trusted first.
    pub geo: Vec<Database>,
    /// How fine the answers to client subnets may be; none ignores the option (RFC 7871).
    pub ecs: Option<ScopeCap>,
    /// How long the first answers wait for the first round of checks, at most.
    pub startup_timeout: Duration,
    /// The checks, in the order of the file.
    pub checks: Vec<Arc<Check>>,
    /// The feeds, in the order of the file.
    pub feeds: Vec<Arc<Feed>>,
    /// The pools; a pool's [`PoolId`] is its position.
    pub pools: Vec<Arc<PoolSettings>>,
    /// The named policies, in the order of the file.
    pub policies: Vec<Arc<Policy>>,
    /// The steered names of all zones.
    pub names: Vec<Arc<SteeredName>>,
}

/// A pool and how its members are watched.
#[derive(Clone, PartialEq, Debug)]
pub struct PoolSettings {
    /// The pool.
    pub pool: Arc<Pool>,
    /// Its members' checks; none are always healthy.
    pub checks: Vec<Arc<Check>>,
    /// How many of them must be good.
    pub need: Need,
    /// The feeds that tell of its members: those that it names, and those that a policy which steers it reads.
    pub feeds: Vec<Arc<Feed>>,
    /// Where it was named: for faults.
    pub origin: Origin,
}

/// Where numbers about members come from.
#[derive(Clone, PartialEq, Debug)]
pub struct Feed {
    /// Its name, which is the metric's.
    pub name: Box<str>,
    /// Whence the numbers are fetched, with `{member}`, `{pool}` and `{address}` in it; none waits for them to be
    /// pushed.
    pub url: Option<Box<str>>,
    /// The way to the number in a JSON body, its keys; empty if the body is the number.
    pub field: Vec<Box<str>>,
    /// How often it is fetched.
    pub every: Duration,
    /// A number older than this is not believed.
    pub age_max: Duration,
}

/// A policy. One that was written in place of a name is named for its stages.
#[derive(Clone, PartialEq, Debug)]
pub struct Policy {
    /// Its name.
    pub name: Box<str>,
    /// Its stages.
    pub stages: Vec<StageSpec>,
    /// Whose place decides.
    pub client: Client,
    /// What is done where the client's network is in no database.
    pub unknown: Unknown,
    /// Whether draws agree, if it says so; a name's own word goes before.
    pub agree: Option<Agree>,
}

/// A name that answers from a pool.
#[derive(Clone, PartialEq, Debug)]
pub struct SteeredName {
    /// The name.
    pub owner: Name,
    /// The zone that it is in: one whose data are written here.
    pub zone: Name,
    /// Its pool.
    pub pool: PoolId,
    /// Its policy.
    pub policy: Arc<Policy>,
    /// Its terms.
    pub terms: Terms,
    /// The pool that answers where this one cannot.
    pub fallback: Option<PoolId>,
    /// Where it was named: for faults.
    pub origin: Origin,
}
