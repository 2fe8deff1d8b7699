//! Who is alive: probes' sightings become states, states become standings that a policy believes for a while.
//!
//! A [`Tracker`] is the state machine of one check. The [`Watch`] runs many of them, each check once however many
//! members share it. [`Overrides`] are what people decided. Together they make the [`Board`] that selections read.
//! Nothing here probes anything: the edge does, and tells what it saw.

pub mod board;
pub mod check;
pub mod combine;
pub mod overrides;
pub mod saved;
pub mod tracker;
pub mod watch;

pub use board::{Bar, Board, Standing};
pub use check::{Check, HttpProbe, Probe};
pub use combine::{Need, Peer};
pub use overrides::{Action, Override, Overrides, Refusal, Roster};
pub use tracker::{Sighting, State, Timing, Tracker};
pub use watch::Watch;
