//! What every room needs and none of it knows DNS: time, dice, bounds, counters, keyed maps.
//!
//! Nothing here asks the machine for the time or for randomness: the edge reads both once and hands
//! them down as [`Instant`] and [`Dice`], so that everything below the edge runs the same under a
//! test, a simulator and in production.
#![forbid(unsafe_code)]

pub mod alarms;
pub mod bounds;
pub mod collections;
pub mod dice;
pub mod histogram;
pub mod network;
pub mod patience;
pub mod scalars;
pub mod slots;
pub mod striped;
pub mod tally;
pub mod time;

pub use alarms::Alarms;
pub use dice::Dice;
pub use network::{Network, NetworkSet};
pub use slots::{Room, Slots};
pub use time::{Clock, Instant};
