//! What the admin address tells of pools, and what it lets people do to their members.
//!
//! Moments are seconds of the calendar, so that they mean the same to whoever reads them later.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use serde::Serialize;

use crate::steer::health::Refusal;

/// Whoever watches the pools. Every method is quick: nothing waits for the network or the disk.
pub trait PoolHouse: Send + Sync {
    /// All pools, in the order of the configuration.
    fn pools(&self) -> Vec<PoolView>;

    /// Takes `pool/member` (`*` for any text) out of new answers. When the last answer that holds such a member
    /// expires, seconds of the calendar.
    ///
    /// # Errors
    /// [`Refused`]; nothing has changed then.
    fn drain(&self, glob: &str, order: &Order) -> Result<u64, Refused>;

    /// Forces the members `pool/member` (`*` for any text) up or down, whatever their checks say; how many there are.
    ///
    /// # Errors
    /// [`Refused`]; nothing has changed then.
    fn force(&self, glob: &str, is_up: bool, order: &Order) -> Result<usize, Refused>;

    /// Lifts drains and forces whose glob is `glob` or matches it; how many these were.
    fn unforce(&self, glob: &str) -> usize;

    /// Takes in a number about a member for a feed that the pool names and that is not fetched.
    ///
    /// # Errors
    /// [`Refused`].
    fn push_feed(&self, pool: &str, member: &str, metric: &str, value: f64) -> Result<(), Refused>;

    /// Takes in how often a member served its clients well and ill since the last time: what `bandit` learns from.
    /// Where most went ill, the member's checks are SUSPECT and look closer.
    ///
    /// # Errors
    /// [`Refused`].
    fn push_outcomes(&self, pool: &str, member: &str, successes: f64, failures: f64) -> Result<(), Refused>;

    /// Takes in a result for a check of kind `push`: the one named, or all that the member has.
    ///
    /// # Errors
    /// [`Refused`].
    fn push_result(&self, pool: &str, member: &str, check: Option<&str>, is_good: bool) -> Result<(), Refused>;

    /// Confirms that the members `pool/member` (`*` for any text) are back: what `failback: manual` waits for. How
    /// many there are.
    ///
    /// # Errors
    /// [`Refused`].
    fn confirm_return(&self, glob: &str) -> Result<usize, Refused>;
}

/// Who decides something about members, and on what terms.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Order {
    /// Who, 1 to 256 octets.
    pub actor: String,
    /// Why, 1 to 256 octets.
    pub reason: String,
    /// For how long; none until it is lifted.
    pub lasts: Option<Duration>,
    /// Whether it holds even if it leaves a name without a usable member.
    pub breaks_glass: bool,
}

/// Why something is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refused {
    /// There is no such pool.
    NoPool,
    /// The pool has no such member.
    NoMember,
    /// The pool has no such feed, or it is fetched.
    NoFeed,
    /// The member has no such check of kind `push`.
    NoCheck,
    /// The number is not finite, or negative where it counts something.
    BadNumber,
    /// The override is refused.
    Override(Refusal),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPool => f.write_str("there is no such pool"),
            Self::NoMember => f.write_str("the pool has no such member"),
            Self::NoFeed => f.write_str("the pool has no such feed that takes numbers"),
            Self::NoCheck => f.write_str("the member has no such check of kind push"),
            Self::BadNumber => f.write_str("the number must be finite, and a count must not be negative"),
            Self::Override(refusal) => refusal.fmt(f),
        }
    }
}

/// A pool.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct PoolView {
    /// Its name.
    pub pool: String,
    /// Its members, in the order of the configuration.
    pub members: Vec<MemberView>,
}

/// A member of a pool.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct MemberView {
    /// Its name.
    pub member: String,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// The name that it is an alias of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cname: Option<String>,
    /// Its weight.
    pub weight: f64,
    /// Its tier.
    pub tier: u16,
    /// Where it is, degrees north and east.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<[f64; 2]>,
    /// Continent, country and subdivision of its place, as far as they are known, such as `EU-DE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// The state in force.
    pub state: &'static str,
    /// What its checks say.
    pub real_state: &'static str,
    /// Whether new answers may hold it.
    pub is_usable: bool,
    /// Since when `state` is what it is.
    pub since: u64,
    /// Its checks, a line for each address.
    pub checks: Vec<CheckView>,
    /// What people decided.
    #[serde(rename = "override", skip_serializing_if = "Option::is_none")]
    pub overridden: Option<OverrideView>,
    /// When the last answer that holds it expires, if it is drained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eta: Option<u64>,
    /// What is measured of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub feeds: Vec<FeedView>,
}

/// A check of a member.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct CheckView {
    /// Its name.
    pub check: String,
    /// What is probed.
    pub target: String,
    /// What it makes of its target.
    pub state: &'static str,
    /// Since when.
    pub since: u64,
    /// Failures since all was well.
    pub failures: u8,
    /// What the last probe saw.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<ResultView>,
}

/// What a probe saw.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ResultView {
    /// Whether it was good; none if the probe told nothing, as one that the system does not permit.
    pub is_good: Option<bool>,
    /// When.
    pub at: u64,
    /// How long it took, milliseconds.
    pub took_ms: f64,
    /// In words.
    pub why: String,
}

/// What people decided of a member.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct OverrideView {
    /// `up`, `down` or `drain`.
    pub action: &'static str,
    /// Of whom else.
    pub glob: String,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: u64,
    /// Until when; none until it is lifted.
    pub until: Option<u64>,
}

/// A number about a member.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct FeedView {
    /// The metric.
    pub metric: String,
    /// The last number; none if it is too old to be believed.
    pub value: Option<f64>,
    /// Its age, seconds; none if there never was one.
    pub age: Option<f64>,
}
