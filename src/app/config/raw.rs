//! The file as written: a tree of YAML nodes, each with its place.
//!
//! Everything that YAML allows comes through, a key given twice included, because reading straight into typed
//! structures would stop at the first wrong value. What the tree means is decided afterwards, and there every
//! fault can be told.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::options::{DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy};
use serde_yaml::{MessageFormatter, Spanned, UserMessageFormatter};

use super::fault::At;

/// Levels of nesting; more than any configuration needs, and little enough for the stack.
const DEPTH_MAX: usize = 32;
/// Nodes that aliases may repeat, against files that grow when read.
const REPLAYED_MAX: usize = 100_000;

/// A node of the file.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Where it stands.
    pub(super) at: At,
    /// What stands there.
    pub(super) value: Value,
}

/// What a node holds. Numbers keep the shape of a text: whether `10` is a count or octets, the key decides.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, written in decimal.
    Number(String),
    /// Any other scalar.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping in the order of the file.
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// Reads a file.
    ///
    /// # Errors
    /// Where the text stops being YAML, and why.
    pub(super) fn parse(text: &str) -> Result<Self, (At, String)> {
        let options = serde_yaml::options! {
            strict_booleans: true,
            duplicate_keys: DuplicateKeyPolicy::PassThrough,
            merge_keys: MergeKeyPolicy::AsOrdinary,
            underscored_numbers_as_strings: true,
            leading_zero_numbers_as_strings: true,
            non_finite_float_policy: NonFiniteFloatPolicy::AsString,
            reject_unsupported_tags: true,
            with_snippet: false,
            budget: serde_yaml::budget! { max_depth: DEPTH_MAX },
            alias_limits: serde_yaml::alias_limits! { max_total_replayed_events: REPLAYED_MAX },
        };
        serde_yaml::from_str_with_options::<Spanned<Value>>(text, options).map(Self::from).map_err(|error| {
            let at = error.location().map_or(At::START, place);
            let reason = UserMessageFormatter.format_message(error.without_snippet()).into_owned();
            (at, reason.chars().map(|c| if c.is_control() { ' ' } else { c }).collect())
        })
    }

    /// The scalar as text, if it is one that may be read as text.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Number(text) | Value::Text(text) => Some(text),
            Value::Bool(true) => Some("true"),
            Value::Bool(false) => Some("false"),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// Whether nothing stands there.
    pub(super) const fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// Whether it says `off`; `false` means the same.
    pub(super) fn is_off(&self) -> bool {
        matches!(&self.value, Value::Bool(false)) || matches!(&self.value, Value::Text(word) if word == "off")
    }

    /// Whether it is a list or mapping that holds nothing.
    pub(super) fn is_empty(&self) -> bool {
        match &self.value {
            Value::List(items) => items.is_empty(),
            Value::Map(entries) => entries.is_empty(),
            _ => false,
        }
    }

    /// The value of the first entry with this key, in a mapping.
    pub(super) fn entry(&self, key: &str) -> Option<&Self> {
        let Value::Map(entries) = &self.value else { return None };
        entries.iter().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)
    }

    /// The node as a fault shows what was found.
    pub(super) fn shown(&self) -> String {
        match &self.value {
            Value::Null => "nothing".into(),
            Value::Bool(_) | Value::Number(_) => self.text().unwrap_or_default().into(),
            Value::Text(text) => quoted(text),
            Value::List(items) if items.is_empty() => "[]".into(),
            Value::List(_) => "a list".into(),
            Value::Map(entries) if entries.is_empty() => "{}".into(),
            Value::Map(_) => "a mapping".into(),
        }
    }

    /// The whole tree as JSON.
    pub(super) fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(flag) => (*flag).into(),
            Value::Number(text) => text.parse().map_or_else(|_| text.as_str().into(), serde_json::Value::Number),
            Value::Text(text) => text.as_str().into(),
            Value::List(items) => items.iter().map(Self::to_json).collect(),
            Value::Map(entries) => {
                entries.iter().map(|(key, value)| (key.text().unwrap_or_default(), value.to_json())).collect()
            }
        }
    }
}

/// A text in quotes, cut where it would fill the screen.
pub(super) fn quoted(text: &str) -> String {
    const LONGEST: usize = 80;
    if text.chars().count() <= LONGEST {
        format!("{text:?}")
    } else {
        format!("{:?}…", text.chars().take(LONGEST).collect::<String>())
    }
}

fn place(location: serde_yaml::Location) -> At {
    At { line: location.line().max(1), column: location.column().max(1) }
}

impl From<Spanned<Value>> for Node {
    fn from(spanned: Spanned<Value>) -> Self {
        Self { at: place(spanned.referenced), value: spanned.value }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Anything)
    }
}

struct Anything;

impl<'de> Visitor<'de> for Anything {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a scalar, a list or a mapping")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number.to_string()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        // 1.0 stays 1.0, so that a fraction can be told from a whole number.
        Ok(Value::Number(format!("{number:?}")))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<Spanned<Value>>()? {
            list.push(item.into());
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Vec::new();
        while let Some((key, value)) = entries.next_entry::<Spanned<Value>, Spanned<Value>>()? {
            map.push((key.into(), value.into()));
        }
        Ok(Value::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    #[test]
    fn every_node_knows_its_place() {
        let tree = Node::parse("a: 1\nb:\n  - x\n  - {c: off, a: yes}\nb: ~\n").unwrap();
        let Value::Map(entries) = &tree.value else { panic!() };
        let keys: Vec<_> = entries.iter().map(|(key, _)| (key.text().unwrap(), key.at.line, key.at.column)).collect();
        assert_eq!(keys, [("a", 1, 1), ("b", 2, 1), ("b", 5, 1)]);
        let Value::List(items) = &tree.entry("b").unwrap().value else { panic!() };
        assert_eq!(items[0].at, At { line: 3, column: 5 });
        let off = items[1].entry("c").unwrap();
        assert_eq!((off.at, off.is_off()), (At { line: 4, column: 9 }, true));
        assert_eq!(items[1].entry("a").unwrap().text(), Some("yes")); // YAML 1.2: a word, no boolean
    }

    #[test]
    fn an_empty_file_holds_nothing() {
        for text in ["", "\n", "# only words\n", "---\n", "\u{feff}"] {
            assert!(Node::parse(text).unwrap().is_null(), "{text:?}");
        }
    }

    #[test]
    fn a_file_that_grows_when_read_is_refused() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let below = format!("*a{}, ", level - 1).repeat(10);
            writeln!(text, "a{level}: &a{level} [{below}]").unwrap();
        }
        assert!(Node::parse(&text).is_err());
        assert!(Node::parse(&"[".repeat(100_000)).is_err());
        assert!(Node::parse(&"- ".repeat(100_000)).is_err());
    }
}
