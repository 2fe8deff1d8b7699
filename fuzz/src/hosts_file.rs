//! Any octets as a hosts file: every plain entry is found, warnings name lines that exist, and the table takes memory
//! in proportion to the text.

use std::net::IpAddr;

use meridian::dns::Name;
use meridian::handlers::hosts;

use super::heap;

/// Names with more addresses than this keep the first of them.
const ADDRESSES_MAX: usize = 256;

/// See the module's text.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let ((table, warnings), held) = heap::most_of(|| hosts::parse(&text, 60));
    assert!(held <= 400 * text.len() + 16_384, "{} octets took {held}", text.len());
    let lines = text.lines().count();
    let mut before = 0;
    for warning in &warnings {
        assert!((1..=lines).contains(&warning.line), "{warning}");
        assert!(!warning.to_string().chars().any(char::is_control), "{warning:?}");
        before += 1;
    }
    assert!(before <= 100, "so many warnings help nobody");

    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    for line in text.lines() {
        let content = line.split('#').next().unwrap_or_default();
        let mut words = content.split_ascii_whitespace();
        let Some(Ok(address)) = words.next().map(str::parse::<IpAddr>) else { continue };
        for name in words.filter(|word| is_plain(word)) {
            let name: Name = name.parse().expect("a plain name");
            let found = table.addresses(&name).expect("a plain name is listed");
            let is_there = match address {
                IpAddr::V4(v4) => found.v4.contains(&v4.octets()) || found.v4.len() >= ADDRESSES_MAX,
                IpAddr::V6(v6) => found.v6.contains(&v6.octets()) || found.v6.len() >= ADDRESSES_MAX,
            };
            assert!(is_there, "{name} lacks {address}");
        }
    }
}

/// A name that nobody can take for anything else.
fn is_plain(word: &str) -> bool {
    let is_plain_label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
    };
    word.len() <= 253
        && word.parse::<IpAddr>().is_err()
        && word.split('.').all(is_plain_label)
        && !word.to_ascii_lowercase().ends_with("localhost")
}
