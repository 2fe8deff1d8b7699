//! The blocks about steering: which names answer from which members, and how these are chosen and watched.
//!
//! The blocks refer to one another by name, so they are read in the order in which they build: checks and feeds, pools,
//! policies, and at last the names, in every zone and in the block `steer`. What does not fit together is told where it
//! was put together: at the name.

mod checks;
mod feeds;
mod geo;
mod lints;
mod members;
mod names;
mod policies;
mod pools;
mod rules;
mod stages;
#[cfg(test)]
mod tests;
mod types;
mod words;

use std::path::Path;
use std::time::Duration;

pub use types::{Feed, Policy, PoolSettings, SteeredName, Steering};

pub(super) use names::Steerer;

use super::cursor::Section;

/// Listeners wait for the first round of checks so long, unless told otherwise.
const STARTUP_TIMEOUT: Duration = Duration::from_secs(5);

/// Reads all blocks but the names; relative paths count from `folder`.
pub(super) fn read(top: &mut Section<'_>, folder: &Path) -> Steerer {
    let geo = geo::databases(top, folder);
    let ecs = geo::ecs(top);
    let startup_timeout = top.duration("startup_timeout", STARTUP_TIMEOUT, Duration::ZERO..=Duration::from_secs(300));
    let checks = checks::read(top, folder);
    let feeds = feeds::read(top);
    let pools = pools::read(top, &checks, &feeds);
    let policies = policies::read(top);
    let settings = Steering { geo, ecs, startup_timeout, ..Steering::default() };
    Steerer::new(settings, checks, feeds, pools, policies)
}
