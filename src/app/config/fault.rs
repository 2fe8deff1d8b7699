//! What is wrong with a configuration, said so that its author can mend it without a manual.

use std::fmt;

use serde::Serialize;

/// A place in the file: line and column, both from 1; 0 for a line or a file as a whole. Ordered as one reads.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct At {
    /// The line, from 1; 0 for the file as a whole.
    pub line: u64,
    /// The column in characters, from 1; 0 for the line as a whole.
    pub column: u64,
}

impl At {
    /// Where a file begins.
    pub const START: Self = Self { line: 1, column: 1 };
}

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The configuration cannot be used.
    Fault,
    /// It can be used, and its author probably wants to know.
    Lint,
}

/// One thing that is wrong with a configuration.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Fault {
    /// Whether the configuration can be used all the same.
    pub severity: Severity,
    /// The file as its reader named it.
    pub file: String,
    /// Where in the file.
    #[serde(flatten)]
    pub at: At,
    /// The dotted path of the key, such as `recursion.forward."corp.example"[0]`; empty for the file itself.
    pub key: String,
    /// What stands there.
    pub found: String,
    /// What may stand there; of a lint, what would be better. Empty where `found` says all.
    pub allowed: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { severity, file, at, key, found, allowed } = self;
        match (at.line, at.column) {
            (0, _) => write!(f, "{file}: ")?,
            (line, 0) => write!(f, "{file}:{line}: ")?,
            (line, column) => write!(f, "{file}:{line}:{column}: ")?,
        }
        if !key.is_empty() {
            write!(f, "{key}: ")?;
        }
        if allowed.is_empty() {
            return write!(f, "{}{found}", if *severity == Severity::Lint { "lint: " } else { "" });
        }
        match severity {
            Severity::Fault => write!(f, "found {found}, allowed: {allowed}"),
            Severity::Lint => write!(f, "lint: found {found}, better: {allowed}"),
        }
    }
}

/// Every fault, a line each.
#[must_use]
pub fn lines(faults: &[Fault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// The known word that `word` was probably meant to be, if one is near.
pub(super) fn nearest<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    const LONGEST: usize = 64; // no key is nearly as long; the distance costs the product of the lengths
    if word.len() > LONGEST {
        return None;
    }
    let plain = |text: &str| text.to_ascii_lowercase().replace('-', "_");
    let word = plain(word);
    known
        .into_iter()
        .map(|candidate| (distance(&word, &plain(candidate)), candidate))
        .filter(|&(slips, candidate)| slips <= 2 && slips * 2 < candidate.len())
        .min_by_key(|&(slips, _)| slips)
        .map(|(_, candidate)| candidate)
}

/// How many letters must be added, dropped or replaced to turn one word into the other (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, &b) in row.iter_mut().skip(1).zip(&to) {
            let replaced = diagonal + usize::from(a != b);
            diagonal = *cell;
            left = replaced.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_finds_its_word() {
        let known = ["allow", "roots", "qname_minimisation", "min_ttl", "max_ttl"];
        assert_eq!(nearest("alow", known), Some("allow"));
        assert_eq!(nearest("qname-minimization", known), Some("qname_minimisation"));
        assert_eq!(nearest("Max_TTL", known), Some("max_ttl"));
        assert_eq!(nearest("zones", ["a", "ecs"]), None);
        assert_eq!(nearest(&"x".repeat(10_000), known), None);
    }

    #[test]
    fn distance_counts_the_letters_that_differ() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
    }
}
