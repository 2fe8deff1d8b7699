//! What a configuration was read from: the tree as it was written, and the state of the file.

use super::fault::At;
use super::raw::{Node, Value};
use crate::edge::files::Fingerprint;

/// Where a configuration comes from.
#[derive(Clone, Debug, Default)]
pub struct Source {
    pub(super) file: String,
    /// None where the file is no YAML.
    pub(super) tree: Option<Node>,
    pub(super) seen: Option<Fingerprint>,
}

impl Source {
    /// The file as its reader named it.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The state of the file when it was read; none of what is no file.
    #[must_use]
    pub const fn seen(&self) -> Option<Fingerprint> {
        self.seen
    }

    /// What stands there, defaults left out.
    #[must_use]
    pub fn written(&self) -> serde_json::Value {
        self.tree.as_ref().map_or(serde_json::Value::Null, Node::to_json)
    }

    /// Where the value of the key `path` stands, such as `["listen", "1"]`; the file as a whole where nothing is written.
    #[must_use]
    pub fn place(&self, path: &[&str]) -> At {
        let step = |node: &'_ Node, key: &&str| match &node.value {
            Value::List(items) => items.get(key.parse::<usize>().ok()?).cloned(),
            _ => node.entry(key).cloned(),
        };
        let found =
            self.tree.as_ref().and_then(|tree| path.iter().try_fold(tree.clone(), |node, key| step(&node, key)));
        found.map_or(At { line: 0, column: 0 }, |node| node.at)
    }
}
