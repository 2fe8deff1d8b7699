//! Owners and types of the tree's zone files, which keep to a simple form: one record a line, the owner first,
//! `$ORIGIN` before any of them, no parentheses.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::wire;

/// A zone of the tree.
pub struct Zone {
    /// Its apex, with the final dot, in lower case.
    pub apex: String,
    pub file: PathBuf,
    /// Types by owner.
    pub owners: BTreeMap<String, Vec<u16>>,
}

/// Reads every zone of `tests/tree`.
pub fn read_all() -> Vec<Zone> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tree");
    let entries = std::fs::read_dir(directory).expect("the tree is beside the tests");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable directory").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "zone"));
    files.sort();
    files.into_iter().map(read).collect()
}

fn read(file: PathBuf) -> Zone {
    let text = std::fs::read_to_string(&file).expect("a readable zone file");
    let (mut apex, mut owners) = (String::new(), BTreeMap::<String, Vec<u16>>::new());
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["$ORIGIN", origin] => apex = origin.to_ascii_lowercase(),
            [first, ..] if first.starts_with([';', '$']) => {}
            [owner, rest @ ..] => {
                let number = rest.iter().take(2).find_map(|word| wire::rtype(word));
                let rtype = number.unwrap_or_else(|| panic!("{}: no known type in {line}", file.display()));
                let types = owners.entry(absolute(owner, &apex)).or_default();
                if !types.contains(&rtype) {
                    types.push(rtype);
                }
            }
            [] => {}
        }
    }
    Zone { apex, file, owners }
}

fn absolute(owner: &str, apex: &str) -> String {
    let owner = owner.to_ascii_lowercase();
    match (owner.as_str(), apex) {
        ("@", _) => apex.to_owned(),
        (_, _) if owner.ends_with('.') => owner,
        (_, ".") => format!("{owner}."),
        (_, _) => format!("{owner}.{apex}"),
    }
}
