//! What may be believed: a signed tree, a production worker that validates, and somebody in between who changes what
//! the servers say. No sockets, no real time.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may stop where it stands"
)]

mod fixtures;
mod keys;
mod tampers;
#[path = "../stories/text.rs"]
#[expect(dead_code, clippy::cast_sign_loss, reason = "the stories need more of it")]
mod text;
mod tree;
mod world;
mod zone;

use std::sync::Arc;

use meridian::dns::{Name, RecordType};
use meridian::handlers::resolve::anchors::{Anchors, Validation};

/// How the house of these tests validates: by the tree's own anchor.
pub(crate) fn validation(tree: &tree::Tree) -> Arc<Validation> {
    let mut anchors = Anchors::default();
    anchors.add(&Name::root(), RecordType::DS, &tree.anchor()).unwrap();
    Arc::new(Validation::new(anchors, Vec::new()))
}
