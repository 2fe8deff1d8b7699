//! Bytes: reading a message, composing one, cutting a stream into messages, and the fast tempo's glance and patch.

pub mod brief;
pub mod compose;
pub mod frames;
pub mod glance;
pub mod reader;
mod spots;

pub use brief::{BriefOpt, cut_short};
pub use compose::{Composer, Section};
pub use frames::Frames;
pub use glance::{Glance, Glanced, glance};
pub use reader::{Reader, WireFault};
