//! The README's tour, walked again: every command of its `console` blocks is run against Meridian on the private
//! tree, and what it prints must be what the README shows, but for what changes from run to run (ids, times, which
//! of a zone's servers was asked). `MERIDIAN_TOUR=write cargo test --test tour` writes the output anew.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may fail, and lives in real time"
)]

mod support;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::process::Server;
use support::tree::{self, Tree};
use support::{namespace, wire};

const NAME: &str = "the_readmes_tour_shows_what_happens";
/// What stands in the README for any number of lines.
const ELISION: &str = "…";

#[test]
fn the_readmes_tour_shows_what_happens() {
    let mut programs = tree::PROGRAMS.to_vec();
    programs.extend(["dig", "curl"]);
    namespace::inside(NAME, &programs, walk);
}

fn walk() {
    let tree = Tree::start();
    let folder = tree.path().join("tour");
    std::fs::create_dir(&folder).unwrap();
    // The built-in configuration, on the private tree.
    let mut settings = meridian::app::config::builtin_json();
    settings["listen"] = serde_json::json!(["127.0.0.1:5300"]);
    settings["workers"] = 1.into();
    settings["recursion"] = serde_json::json!({"roots": tree.hints(), "deny_upstreams": [], "hosts": "off"});
    std::fs::write(folder.join("tour.yaml"), settings.to_string()).unwrap();
    let mut server =
        Server::start("meridian", &folder, &[env!("CARGO_BIN_EXE_meridian"), "serve", "--config", "tour.yaml"]);
    let address: SocketAddr = "127.0.0.1:5300".parse().unwrap();
    server.wait_until_it_answers_at(address, ("localhost.", wire::rtype("A").unwrap()));

    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = std::fs::read_to_string(&readme).unwrap();
    let writes = std::env::var_os("MERIDIAN_TOUR").is_some_and(|wish| wish == "write");
    let (mut written, mut differences, mut steps) = (String::new(), String::new(), 0);
    for part in parts(&text) {
        let (command, shown) = match part {
            Part::Prose(line) => {
                writeln!(written, "{line}").unwrap();
                continue;
            }
            Part::Step(command, shown) => (command, shown),
        };
        steps += 1;
        let printed = run(&command, &folder, &tree);
        writeln!(written, "$ {}", command.replace('\n', "\n> ")).unwrap();
        if is_same(&command, &shown, &printed) {
            written.push_str(&shown);
        } else {
            writeln!(differences, "$ {command}\n--- shown\n{shown}--- printed\n{printed}").unwrap();
            written.push_str(&printed);
        }
    }
    assert!(steps > 5, "the tour has {steps} steps");
    if writes {
        std::fs::write(readme, written).unwrap();
    } else {
        assert!(differences.is_empty(), "{differences}");
    }
}

/// Runs a command as the tour's reader would; a comment says what happens to the tree.
fn run(command: &str, folder: &Path, tree: &Tree) -> String {
    match command {
        "# every authoritative server falls silent" => tree.cut_off(),
        "# they answer again" => tree.bring_back(),
        _ => {
            let binary = PathBuf::from(env!("CARGO_BIN_EXE_meridian"));
            let path = format!("{}:{}", binary.parent().unwrap().display(), std::env::var("PATH").unwrap_or_default());
            let output = Command::new("sh")
                .args(["-c", &format!("exec 2>&1\n{command}")])
                .env("PATH", path)
                .env("HOME", folder) // no .digrc
                .current_dir(folder)
                .output()
                .unwrap();
            return String::from_utf8_lossy(&output.stdout).into_owned();
        }
    }
    String::new()
}

enum Part<'t> {
    Prose(&'t str),
    /// A command, and what is shown for it.
    Step(String, String),
}

/// Takes the README apart: the lines that stay, and the steps of its `console` blocks.
fn parts(text: &str) -> Vec<Part<'_>> {
    let (mut parts, mut is_console) = (Vec::new(), false);
    for line in text.lines() {
        if line.starts_with("```") {
            is_console = line == "```console";
        } else if is_console {
            match (line.strip_prefix("$ "), line.strip_prefix("> "), parts.last_mut()) {
                (Some(command), _, _) => parts.push(Part::Step(command.to_owned(), String::new())),
                (_, Some(more), Some(Part::Step(command, shown))) if shown.is_empty() => {
                    *command = format!("{command}\n{more}");
                }
                (_, _, Some(Part::Step(_, shown))) => writeln!(shown, "{line}").unwrap(),
                _ => panic!("a console block begins with a command, not {line:?}"),
            }
            continue;
        }
        parts.push(Part::Prose(line));
    }
    parts
}

/// Whether what is shown and what was printed differ in nothing but what changes from run to run.
fn is_same(command: &str, shown: &str, printed: &str) -> bool {
    let mut printed = printed.lines();
    let mut may_skip = false;
    // A slow machine asks a second server for the same: more lines than are shown.
    let is_loose = command.starts_with("meridian explain");
    for line in shown.lines() {
        if line == ELISION {
            may_skip = true;
        } else if may_skip || is_loose {
            if !printed.any(|printed| is_same_line(line, printed)) {
                return false;
            }
            may_skip = false;
        } else if !printed.next().is_some_and(|printed| is_same_line(line, printed)) {
            return false;
        }
    }
    may_skip || printed.next().is_none()
}

fn is_same_line(shown: &str, printed: &str) -> bool {
    const VARYING: &[&str] = &["id:", "Query time", "WHEN:", " ms", "COOKIE:", "octets", "_total ", "cache_"];
    if VARYING.iter().any(|word| shown.contains(word) && printed.contains(word)) {
        let plain = |line: &str| line.replace(|letter: char| letter.is_ascii_hexdigit() || ".: ".contains(letter), "");
        return plain(shown) == plain(printed) || shown.contains("WHEN:");
    }
    let eta = "will be empty at";
    if shown.contains(eta) && printed.contains(eta) {
        return true;
    }
    let dig = "; <<>> DiG";
    if shown.starts_with(dig) && printed.starts_with(dig) {
        return true; // of another version
    }
    let (mut shown, mut printed) = (shown.split_whitespace(), printed.split_whitespace());
    loop {
        match (shown.next(), printed.next()) {
            (None, None) => return true,
            (Some(a), Some(b)) if a == b || is_near(a, b) => {}
            _ => return false,
        }
    }
}

/// TTLs and counts of a run that took a little longer.
fn is_near(shown: &str, printed: &str) -> bool {
    match (shown.parse::<u64>(), printed.parse::<u64>()) {
        (Ok(shown), Ok(printed)) => shown.abs_diff(printed) <= 10,
        _ => false,
    }
}

#[test]
fn what_may_differ_is_numbers_and_servers() {
    assert!(is_same_line("a. 298 IN A 192.0.2.1", "a.   296 IN A 192.0.2.1"));
    assert!(!is_same_line("a. 298 IN A 192.0.2.1", "a. 298 IN A 192.0.2.2"));
    assert!(is_same_line(";; ->>HEADER<<- opcode: QUERY, id: 17", ";; ->>HEADER<<- opcode: QUERY, id: 40321"));
    assert!(is_same("ls", "a\n…\nz\n", "a\nb\nc\nz\n") && !is_same("ls", "a\nz\n", "a\nb\nz\n"));
}
