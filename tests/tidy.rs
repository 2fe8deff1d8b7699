//! The house's rules, read off its source: which room imports which, where the machine is touched, how long a file
//! may grow, which words are not used. `docs/ARCHITECTURE.md` gives the reasons.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms from the ground up; each may use those before it.
const LADDER: &[&str] = &["base", "dns", "chain", "steer", "handlers", "edge", "app"];

/// Lines that a file may have before its tests.
const LINES_MAX: usize = 500;
/// A table rather than code: all bounds stand in one place, however many there are.
const TABLE: &str = "base/bounds.rs";
/// Outside packages that only some files may use, with the reason in `docs/ARCHITECTURE.md`.
const OWNERS: &[(&str, &[&str])] = &[
    ("tokio", &["edge/", "app/serve/"]),
    ("mio", &["edge/", "app/serve/"]),
    ("socket2", &["edge/"]),
    ("libc", &["edge/"]),
    ("axum", &["edge/admin/"]),
    ("base64", &["edge/admin/"]),
    ("prometheus_client", &["edge/admin/"]),
    ("hickory_resolver", &["edge/forward/"]),
    ("hickory_proto", &["dns/"]),
    ("siphasher", &["dns/cookie.rs"]),
    ("moka", &["handlers/cache/"]),
    ("procfs", &["edge/process.rs"]),
    ("getrandom", &["edge/seed.rs"]),
    ("rand_chacha", &["base/dice.rs"]),
    ("regex", &["handlers/fixed.rs"]),
    ("rlimit", &["app/serve/"]),
    ("ureq", &["app/commands/"]),
    ("hyper", &["edge/probe/", "edge/cluster/"]),
    ("hyper_util", &["edge/probe/"]),
    ("http_body_util", &["edge/probe/", "edge/cluster/"]),
    ("kube", &["edge/cluster/"]),
    ("jiff", &["edge/cluster/"]),
    ("postcard", &["edge/cluster/"]),
    ("rustls", &["edge/"]),
    ("tokio_rustls", &["edge/"]),
    ("webpki_roots", &["edge/probe/"]),
    ("rustix", &["edge/"]),
    ("nix", &["edge/privileges.rs"]),
    ("rtnetlink", &["edge/interface.rs"]),
    ("landlock", &["edge/privileges.rs"]),
    ("listenfd", &["edge/manager.rs"]),
    ("prost", &["edge/tap/"]),
    ("clap", &["app/cli.rs", "app/commands/manual.rs", "main.rs"]),
    ("clap_complete", &["app/cli.rs", "app/commands/manual.rs"]),
    ("clap_mangen", &["app/commands/manual.rs"]),
    ("serde_yaml", &["app/config/"]),
    ("tracing_subscriber", &["app/serve/"]),
    ("tracing_appender", &["app/serve/"]),
];

struct Source {
    /// From `src/`, such as `edge/tcp.rs`.
    path: String,
    text: String,
}

impl Source {
    /// The code before its tests, without comments and the contents of plain string literals.
    fn code(&self) -> String {
        let text = self.text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        text.lines().map(|line| bare(line) + "\n").collect()
    }

    fn is_test(&self) -> bool {
        let path = &self.path;
        path.contains("tests") || path.ends_with("testing.rs")
    }

    fn room(&self) -> &str {
        self.path.split('/').next().unwrap()
    }

    /// The folder or file of a handler: `cache` of `handlers/cache/key.rs`.
    fn handler(&self) -> Option<&str> {
        let inner = self.path.strip_prefix("handlers/")?.split('/').next()?;
        Some(inner.strip_suffix(".rs").unwrap_or(inner))
    }
}

/// A line of code without its comment and without what stands in quotes.
fn bare(line: &str) -> String {
    let (mut out, mut is_quoted, mut letters) = (String::new(), false, line.chars().peekable());
    while let Some(letter) = letters.next() {
        match letter {
            '\\' if is_quoted => drop(letters.next()),
            '"' if out.ends_with('\'') && letters.peek() == Some(&'\'') => {}
            '"' => is_quoted = !is_quoted,
            '/' if !is_quoted && letters.peek() == Some(&'/') => break,
            _ if is_quoted => {}
            _ => out.push(letter),
        }
    }
    out
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut open = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                sources.push(Source { path: path.strip_prefix(&root).unwrap().display().to_string(), text });
            }
        }
    }
    assert!(sources.len() > 50, "the sources are found");
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

/// The words behind each `crate::`, such as `handlers::cache` of `use crate::handlers::cache::Cache`.
fn inner_paths(code: &str) -> impl Iterator<Item = (&str, &str)> {
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let word = move |text: &str| text.find(|letter| !is_word(letter)).unwrap_or(text.len());
    code.match_indices("crate::").map(move |(at, found)| {
        let rest = &code[at + found.len()..];
        let first = &rest[..word(rest)];
        let behind = rest[first.len()..].strip_prefix("::").unwrap_or("");
        (first, &behind[..word(behind)])
    })
}

/// Fails with every line of `found`.
#[track_caller]
fn none(found: &[String]) {
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_room_uses_only_those_below_it() {
    let rank = |room: &str| LADDER.iter().position(|step| *step == room);
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| !source.is_test()) {
        let Some(own) = rank(source.room()) else { continue };
        let code = source.code();
        for (room, _) in inner_paths(&code) {
            if rank(room).is_some_and(|used| used > own) {
                found.push(format!("{} uses crate::{room}", source.path));
            }
        }
    }
    none(&found);
}

#[test]
fn handlers_do_not_know_their_siblings() {
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| !source.is_test()) {
        let Some(own) = source.handler().filter(|own| *own != "mod") else { continue };
        let code = source.code();
        for (room, handler) in inner_paths(&code) {
            if room == "handlers" && handler != own {
                found.push(format!("{} uses its sibling {handler}", source.path));
            }
        }
        // `super::super` from a folder's file reaches the siblings without naming their room.
        let depth = source.path.matches('/').count();
        let climbs = "super::".repeat(if source.path.ends_with("mod.rs") { depth - 1 } else { depth });
        if code.contains(&climbs) {
            found.push(format!("{} climbs out by {climbs}", source.path));
        }
    }
    none(&found);
}

#[test]
fn every_outside_package_has_its_place() {
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| !source.is_test()) {
        let code = source.code();
        for (package, places) in OWNERS {
            let is_used = code.match_indices(&format!("{package}::")).any(|(at, _)| {
                !code[..at].ends_with(|letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':')
            });
            if is_used && !places.iter().any(|place| source.path.starts_with(place)) {
                found.push(format!("{} uses {package}, which belongs to {}", source.path, places.join(", ")));
            }
        }
    }
    none(&found);
}

#[test]
fn unsafe_stands_in_one_file() {
    let unsafe_in: Vec<String> = sources()
        .iter()
        .filter(|source| {
            let code = source.code();
            code.contains("unsafe {") || code.contains("unsafe impl") || code.contains("unsafe fn")
        })
        .map(|source| source.path.clone())
        .collect();
    assert_eq!(unsafe_in, ["edge/batch/system.rs"]);
    for room in LADDER.iter().filter(|room| **room != "edge") {
        let text = fs::read_to_string(format!("{}/src/{room}/mod.rs", env!("CARGO_MANIFEST_DIR"))).unwrap();
        assert!(text.contains("#![forbid(unsafe_code)]"), "{room}");
    }
}

#[test]
fn only_the_edges_clock_reads_the_time() {
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| !source.is_test() && source.path != "edge/clock.rs") {
        let code = source.code();
        if ["std::time::Instant", "SystemTime", "time::Instant::now"].iter().any(|word| code.contains(word)) {
            found.push(format!("{} reads a clock of its own", source.path));
        }
        // Streams keep their deadlines by tokio's clock, which tests can stop.
        if code.contains("Instant::now") && !source.path.starts_with("edge/") {
            found.push(format!("{} asks what time it is", source.path));
        }
    }
    none(&found);
}

#[test]
fn maps_are_keyed_so_that_nobody_can_fill_a_bucket() {
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| !source.is_test() && source.path != "base/collections.rs") {
        let code = source.code();
        for word in ["HashMap", "HashSet", "RandomState"] {
            if code.contains(word) {
                found.push(format!("{} uses {word}; base::collections has keyed ones", source.path));
            }
        }
    }
    none(&found);
}

#[test]
fn the_core_touches_no_file_socket_or_thread() {
    let words = ["std::fs", "std::net::UdpSocket", "std::net::TcpStream", "std::thread", "std::env", "std::process"];
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| !source.is_test()) {
        if ["base", "dns", "chain", "handlers"].contains(&source.room()) {
            let code = source.code();
            found.extend(
                words.iter().filter(|word| code.contains(**word)).map(|word| format!("{}: {word}", source.path)),
            );
        }
    }
    none(&found);
}

#[test]
fn no_handler_awaits() {
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| !source.is_test()) {
        if ["base", "dns", "chain", "handlers"].contains(&source.room()) {
            let code = source.code();
            found.extend(
                [".await", "async "]
                    .iter()
                    .filter(|word| code.contains(**word))
                    .map(|word| format!("{}: {word}", source.path)),
            );
        }
    }
    none(&found);
}

#[test]
fn files_stay_short() {
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| !source.is_test()) {
        let lines = source.text.split("#[cfg(test)]\nmod tests {").next().unwrap().lines().count();
        if lines > LINES_MAX && source.path != TABLE {
            found.push(format!("{} has {lines} lines, allowed: {LINES_MAX}", source.path));
        }
    }
    none(&found);
}

#[test]
fn names_say_what_is_done() {
    let mut found = Vec::new();
    for source in sources() {
        let code = source.code();
        for verb in ["get_", "do_", "process_"] {
            if code.contains(&format!("fn {verb}")) {
                found.push(format!("{}: fn {verb}…", source.path));
            }
        }
        for word in ["Manager", "mod util", "mod helpers", "todo!", "unimplemented!"] {
            if code.contains(word) {
                found.push(format!("{}: {word}", source.path));
            }
        }
        for word in ["TODO", "FIXME", "XXX"] {
            if source.text.contains(word) {
                found.push(format!("{}: {word}", source.path));
            }
        }
    }
    none(&found);
}

#[test]
fn every_module_opens_with_its_story() {
    let untold: Vec<String> = sources()
        .iter()
        .filter(|source| !source.is_test() && !source.text.starts_with("//! "))
        .map(|source| source.path.clone())
        .collect();
    none(&untold);
}

#[test]
fn every_bound_says_what_it_bounds_and_is_used() {
    let sources = sources();
    let mut names = BTreeSet::new();
    for bound in meridian::base::bounds::ALL {
        assert!(bound.about.len() > 10 && bound.about.ends_with(['.', ')']), "{}: {:?}", bound.name, bound.about);
        assert!(names.insert(bound.name), "{} stands twice", bound.name);
        let is_used = sources.iter().any(|source| source.path != "base/bounds.rs" && source.text.contains(bound.name));
        assert!(is_used, "nothing is bounded by {}", bound.name);
    }
}

#[test]
fn every_event_is_counted_somewhere() {
    let sources = sources();
    let mut found = Vec::new();
    for event in meridian::base::tally::Event::ALL {
        let name = format!("Event::{event:?}");
        if !sources.iter().any(|source| source.path != "base/tally.rs" && source.code().contains(&name)) {
            found.push(format!("{name} is never counted"));
        }
    }
    none(&found);
}

#[test]
fn what_stands_in_quotes_or_comments_is_no_code() {
    assert_eq!(bare(r#"let a = "unsafe { // }"; // unsafe {"#), "let a = ; ");
    assert_eq!(bare(r#"let a = "\"b"; c"#), "let a = ; c");
}
