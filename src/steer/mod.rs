//! Who answers, for whom: pools of members, and policies that choose among them.
//!
//! An [`Asker`] comes in (whom the answer is for, where that is, when). The name's [`Steering`] takes its [`Pool`]'s
//! members through the stages of its policy: filters, rankers, pickers, each handing [`Candidates`] to the next and
//! saying how much of the asker's address it looked at. A [`Selection`] leaves: members in order, TTL, and the scope,
//! that is the longest prefix looked at. It is rendered as whatever type was asked for.
//!
//! How members stand is read from a [`health::Board`], what is measured of them from [`Feeds`]; where an address is,
//! a [`Locator`] tells. Nothing here probes, fetches, reads a clock or a file.
#![forbid(unsafe_code)]

pub mod asker;
pub mod atlas;
pub mod candidates;
pub mod census;
pub mod centroids;
pub mod client;
pub mod compile;
pub mod feeds;
pub mod hashing;
pub mod health;
pub mod helm;
pub mod learner;
pub mod listed;
pub mod location;
pub mod odds;
pub mod place;
pub mod place_code;
pub mod policy;
pub mod pool;
pub mod prefix_tree;
pub mod prefixes;
pub mod proof;
pub mod render;
pub mod scene;
pub mod selection;
pub mod simulation;
pub mod spans;
pub mod stages;
pub mod subject;
pub mod trace;
pub mod whereabouts;

#[cfg(test)]
mod testing;

pub use asker::{Asker, Key, Scope};
pub use atlas::{Atlas, Source};
pub use candidates::Candidates;
pub use census::Census;
pub use client::{Client, Unknown};
pub use compile::{Compiled, Found};
pub use feeds::{Feeds, PoolFeeds};
pub use helm::{Bearing, Call, Helm, Orders, Steered};
pub use listed::Listed;
pub use location::{LocationPolicy, Ranked};
pub use odds::Odds;
pub use place::{Code, Locator, Place, Point};
pub use policy::{PolicyFault, StageSpec};
pub use pool::{Member, Pool, PoolFault, PoolId, Weight};
pub use render::{Kind, Rendered, Shown};
pub use scene::Scene;
pub use selection::{Agree, Family, Outcome, Selection, Steering, Terms, WhenAllDown};
pub use subject::{ScopeCap, Subject};
pub use trace::{Step, Trace};
pub use whereabouts::Whereabouts;
