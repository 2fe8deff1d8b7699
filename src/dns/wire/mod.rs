//! Bytes: reading a message, composing one, and the fast tempo's glance and patch.

pub mod compose;
pub mod reader;

pub use compose::{Composer, Section};
pub use reader::{Reader, WireFault};
