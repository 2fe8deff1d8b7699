//! A configuration on its way to text: mappings in the order in which they were made, short ones on one line.

use std::fmt::Write;

/// Columns of a line, about.
const COLUMNS: usize = 110;

/// A value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Yaml {
    /// A scalar.
    Text(String),
    /// Text of several lines.
    Lines(String),
    /// A sequence.
    List(Vec<Yaml>),
    /// A mapping.
    Map(Vec<(String, Yaml)>),
}

impl Yaml {
    /// A scalar.
    #[expect(clippy::needless_pass_by_value, reason = "it is mostly made where it is told")]
    pub(super) fn text(text: impl ToString) -> Self {
        Self::Text(text.to_string())
    }

    /// A sequence of scalars.
    pub(super) fn texts<T: ToString>(texts: impl IntoIterator<Item = T>) -> Self {
        Self::List(texts.into_iter().map(Self::text).collect())
    }

    /// A mapping. What is said twice holds as it was said last.
    pub(super) fn map<K: ToString>(entries: impl IntoIterator<Item = (K, Self)>) -> Self {
        let mut map: Vec<(String, Self)> = Vec::new();
        for (key, value) in entries {
            let key = key.to_string();
            map.retain(|(known, _)| *known != key);
            map.push((key, value));
        }
        Self::Map(map)
    }

    /// On one line, if it can be.
    fn flow(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(scalar(text)),
            Self::Lines(_) => None,
            Self::List(items) => {
                let items: Option<Vec<String>> = items.iter().map(Self::flow).collect();
                Some(format!("[{}]", items?.join(", ")))
            }
            Self::Map(entries) => {
                let entry = |(key, value): &(String, Self)| Some(format!("{}: {}", scalar(key), value.flow()?));
                let entries: Option<Vec<String>> = entries.iter().map(entry).collect();
                Some(format!("{{{}}}", entries?.join(", ")))
            }
        }
    }

    /// Writes it behind a key, or the dash of an item, that stands `indent` deep.
    fn write(&self, indent: usize, out: &mut String) {
        let is_short = |flow: &String| indent + flow.len() <= COLUMNS && !flow.contains('\n');
        if let Some(flow) =
            self.flow().filter(is_short).or_else(|| matches!(self, Self::Text(_)).then(|| self.flow())?)
        {
            writeln!(out, " {flow}").unwrap_or_default();
            return;
        }
        let pad = " ".repeat(indent + 2);
        match self {
            Self::Text(_) => {}
            Self::Lines(lines) => {
                out.push_str(" |\n");
                for line in lines.lines() {
                    writeln!(out, "{pad}{line}").unwrap_or_default();
                }
            }
            Self::List(items) => {
                out.push('\n');
                for item in items {
                    write!(out, "{pad}-").unwrap_or_default();
                    item.write(indent + 2, out);
                }
            }
            Self::Map(entries) => {
                out.push('\n');
                for (key, value) in entries {
                    write!(out, "{pad}{}:", scalar(key)).unwrap_or_default();
                    value.write(indent + 2, out);
                }
            }
        }
    }
}

/// The text of a configuration with these keys.
pub(super) fn document(entries: &[(String, Yaml)]) -> String {
    let mut out = String::new();
    for (key, value) in entries {
        write!(out, "{}:", scalar(key)).unwrap_or_default();
        // The keys of the blocks stand on lines of their own.
        match value {
            Yaml::Map(entries) if !entries.is_empty() => {
                out.push('\n');
                for (key, value) in entries {
                    write!(out, "  {}:", scalar(key)).unwrap_or_default();
                    value.write(2, &mut out);
                }
            }
            value => value.write(0, &mut out),
        }
    }
    out
}

/// A scalar, in quotes wherever it could be read as something else.
fn scalar(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "._-/".contains(letter);
    let is_word = text.starts_with(|letter: char| letter.is_ascii_alphanumeric() || letter == '/' || letter == '.')
        && text.chars().all(is_plain);
    // Words that YAML may take for nothing or a truth; numbers stay what they are.
    let is_odd = ["null", "true", "false", "yes", "no", "on", "y", "n"].contains(&text.to_ascii_lowercase().as_str())
        && !["true", "false", "on"].contains(&text);
    let is_whole = text == "0" || !text.starts_with('0') && text.bytes().all(|octet| octet.is_ascii_digit());
    let is_odd = is_odd || text.parse::<f64>().is_ok() && !is_whole || text.starts_with('.') && text != ".";
    if is_word && !is_odd { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::app::config::Machine;

    #[test]
    fn short_values_stand_on_one_line_and_long_ones_on_many() {
        let long = Yaml::texts((0..20).map(|number| format!("name{number}.example")));
        let entries = [
            ("a".to_owned(), Yaml::texts(["0.0.0.0:53", "[::]:53"])),
            ("b".to_owned(), Yaml::map([("c", Yaml::text(7)), (".", long)])),
            ("d".to_owned(), Yaml::map([("e", Yaml::Lines("x\ny".to_owned()))])),
        ];
        let text = document(&entries);
        assert!(
            text.starts_with("a: [\"0.0.0.0:53\", \"[::]:53\"]\nb:\n  c: 7\n  .:\n    - name0.example\n"),
            "{text}"
        );
        assert!(text.ends_with("d:\n  e: |\n    x\n    y\n"), "{text}");
    }

    proptest! {
        /// Whatever a Corefile says arrives as it was written.
        #[test]
        fn a_scalar_is_read_as_it_was_written(text in "\\PC{1,40}") {
            let yaml = document(&[("identity".to_owned(), Yaml::map([("version", Yaml::text(&text))]))]);
            let machine = Machine { cores: std::num::NonZeroUsize::MIN, memory: None };
            let config = crate::app::config::load(std::path::Path::new("x"), yaml.as_bytes(), &machine);
            if !["off", "false", "null", "~"].contains(&text.as_str()) && text.len() <= 255 {
                let version = config.unwrap().config.identity.version;
                prop_assert_eq!(version.as_deref(), Some(text.as_bytes()), "{}", yaml);
            }
        }
    }
}
