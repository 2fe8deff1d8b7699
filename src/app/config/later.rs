//! What the configuration can say already and the program cannot do yet.
//!
//! A key of this table is known; it may hold what asks for nothing. When a feature is built, its line goes.

use super::cursor::Field;

/// Transports of listeners and upstreams that are not built yet.
pub(super) const TRANSPORTS: &[&str] = &["tls", "https", "quic"];

/// A key whose feature is not built yet; `off` asks for nothing.
pub(super) struct Later {
    /// The dotted path of the key.
    key: &'static str,
    /// The feature, in words.
    feature: &'static str,
}

const LATER: &[Later] = &[Later { key: "zones.*.dnssec", feature: "signing zones" }];

/// The keys of the section `path` whose features are not built yet.
pub(super) fn below(path: &str) -> impl Iterator<Item = &'static Later> {
    let is_zone = path.starts_with("zones.") && (path.ends_with('"') || path.matches('.').count() == 1);
    LATER.iter().filter(move |later| match later.key.rsplit_once('.') {
        None => path.is_empty(),
        Some(("zones.*", _)) => is_zone,
        Some((parent, _)) => parent == path,
    })
}

/// The words for what was not built yet.
pub(super) fn not_yet(feature: &str) -> String {
    format!("{feature} is not built yet")
}

impl Later {
    /// The last part of the key.
    pub(super) fn name(&self) -> &'static str {
        self.key.rsplit_once('.').map_or(self.key, |(_, name)| name)
    }

    /// Notes whatever in `field` asks for the feature.
    pub(super) fn compare(&self, field: &Field<'_>) {
        let asks_nothing = field.node.is_null() || field.node.is_off() || field.node.is_empty();
        if !asks_nothing {
            field.fault(format!("off ({})", not_yet(self.feature)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::config::raw::Node;

    #[test]
    fn what_asks_for_nothing_is_accepted_in_silence() {
        for later in LATER {
            for value in ["off", "false", "{}", "~"] {
                let (path, key) = later.key.rsplit_once('.').unwrap_or(("", later.key));
                let text = format!("{{{key}: {value}}}");
                let tree = Node::parse(&text).unwrap();
                let report = crate::app::config::cursor::Report::new("x");
                let path = path.replace("zones.*", "zones.\"example.com\"");
                Field::named(&tree, path, &report).section("").unwrap().close();
                assert_eq!(report.finish(), [], "{}: {value}", later.key);
            }
        }
    }
}
