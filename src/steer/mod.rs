//! Who answers, for whom: pools of members, and policies that choose among them.
#![forbid(unsafe_code)]

pub mod atlas;
pub mod centroids;
pub mod compile;
pub mod location;
pub mod place;
pub mod place_code;
pub mod prefix_tree;
pub mod spans;
pub mod subject;

pub use atlas::{Atlas, Source};
pub use compile::{Compiled, Found};
pub use location::{LocationPolicy, Ranked};
pub use place::{Code, Locator, Place, Point};
pub use subject::{ScopeCap, Subject};
