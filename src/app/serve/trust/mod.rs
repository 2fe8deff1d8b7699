//! What is trusted when answers are validated: where the anchors come from.

pub mod anchor_file;
