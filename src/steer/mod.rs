//! Who answers, for whom: pools of members, and policies that choose among them.
#![forbid(unsafe_code)]

pub mod feeds;
pub mod hashing;
pub mod health;
pub mod learner;
pub mod place;
pub mod pool;
pub mod prefixes;

pub use feeds::{Feeds, PoolFeeds};
pub use place::{Code, Locator, Place, Point};
pub use pool::{Member, Pool, PoolFault, PoolId, Weight};
