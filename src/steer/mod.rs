//! Who answers, for whom: pools of members, and policies that choose among them.
#![forbid(unsafe_code)]

pub mod place;

pub use place::{Code, Locator, Place, Point};
