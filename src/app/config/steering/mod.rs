//! The blocks about steering: which names answer from which members, and how these are chosen and watched.

mod types;

pub use types::{Feed, Policy, PoolSettings, SteeredName, Steering};
