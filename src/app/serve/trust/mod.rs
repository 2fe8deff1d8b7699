//! What is trusted when answers are validated: where the anchors come from, and what becomes of them.

pub mod anchor_file;
pub mod inquiry;
pub mod trustee;

pub use trustee::{Forget, Trustee};
