//! The pages' tours, walked again: every command of their `console` blocks is run against Meridian on the private tree,
//! and what it prints must be what the page shows, but for what changes from run to run (ids, times, which of a zone's
//! servers was asked). What a page says to save is saved. `MERIDIAN_TOUR=write cargo test --test tour` writes the output
//! anew.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may fail, and lives in real time"
)]

mod support;

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::api_server::{ApiServer, RESOURCES};
use support::process::Server;
use support::tree::{self, Tree};
use support::{namespace, wire};

/// What stands in a page for any number of lines.
const ELISION: &str = "…";

#[test]
fn the_readmes_tour_shows_what_happens() {
    inside("the_readmes_tour_shows_what_happens", &["curl"], |place| {
        // The built-in configuration, on the private tree.
        let mut settings = meridian::app::config::builtin_json();
        settings["listen"] = serde_json::json!(["127.0.0.1:5300"]);
        settings["workers"] = 1.into();
        settings["recursion"]["hosts"] = "off".into();
        fs::write(place.folder.join("tour.yaml"), settings.to_string()).unwrap();
        place.run("meridian serve --config tour.yaml &");
        place.walk("README.md");
    });
}

#[test]
fn names_are_resolved_as_its_page_shows() {
    inside("names_are_resolved_as_its_page_shows", &[], |place| place.walk("docs/use-resolver.md"));
}

#[test]
fn a_domain_is_served_as_its_page_shows() {
    inside("a_domain_is_served_as_its_page_shows", &["nsupdate"], |place| place.walk("docs/authoritative.md"));
}

#[test]
fn a_service_is_balanced_as_its_page_shows() {
    let name = "a_service_is_balanced_as_its_page_shows";
    inside(name, &["python3"], |place| place.walk("docs/use-balancer.md"));
}

#[test]
fn a_clusters_names_are_answered_as_the_specifications_page_shows() {
    let name = "a_clusters_names_are_answered_as_the_specifications_page_shows";
    inside(name, &[], |place| place.walk("docs/kubernetes.md"));
}

#[test]
fn a_cluster_is_served_as_its_page_shows() {
    inside("a_cluster_is_served_as_its_page_shows", &[], |place| place.walk("docs/use-cluster.md"));
}

#[test]
fn the_parser_is_used_as_its_page_shows() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    Place { folder: root, tree: None, api: None, jobs: Vec::new() }.walk("docs/use-parser.md");
}

/// Runs a test on the private tree, in an empty folder of its own.
fn inside(name: &str, more: &[&str], body: impl FnOnce(&mut Place)) {
    let mut programs = tree::PROGRAMS.to_vec();
    programs.push("dig");
    programs.extend(more);
    namespace::inside(name, &programs, || {
        let tree = Tree::start();
        let folder = tree.path().join("tour");
        fs::create_dir(&folder).unwrap();
        body(&mut Place { folder, tree: Some(tree), api: Some(cluster()), jobs: Vec::new() });
    });
}

/// An API server that tells the cluster of the pages.
fn cluster() -> ApiServer {
    let api = ApiServer::start();
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster.yaml")).unwrap();
    let objects: Vec<serde_json::Value> = serde_yaml::from_str(&text).unwrap();
    for object in objects {
        let (resource, ..) = RESOURCES.iter().find(|(.., kind)| object["kind"] == *kind).unwrap();
        api.put(resource, object);
    }
    api
}

/// Where a page is walked.
struct Place {
    folder: PathBuf,
    tree: Option<Tree>,
    /// The cluster's, for configurations that have one and name no other.
    api: Option<ApiServer>,
    /// What was started in the background, as a shell counts it; none once it was ended.
    jobs: Vec<Option<Server>>,
}

impl Place {
    /// Walks a page, and writes it anew where that is wished.
    fn walk(&mut self, page: &str) {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
        let text = fs::read_to_string(&page).unwrap();
        let writes = std::env::var_os("MERIDIAN_TOUR").is_some_and(|wish| wish == "write");
        let (mut written, mut differences, mut steps) = (String::new(), String::new(), 0);
        for part in parts(&text) {
            let (command, shown) = match part {
                Part::Prose(line) => {
                    writeln!(written, "{line}").unwrap();
                    continue;
                }
                Part::File(name, content) => {
                    let path = self.folder.join(name);
                    fs::create_dir_all(path.parent().unwrap()).unwrap();
                    fs::write(path, &content).unwrap();
                    written.push_str(&content);
                    continue;
                }
                Part::Step(command, shown) => (command, shown),
            };
            steps += 1;
            let printed = self.run(&command);
            writeln!(written, "$ {}", command.replace('\n', "\n> ")).unwrap();
            if is_same(&command, &shown, &printed) {
                written.push_str(&shown);
            } else {
                writeln!(differences, "$ {command}\n--- shown\n{shown}--- printed\n{printed}").unwrap();
                written.push_str(&printed);
            }
        }
        assert!(steps > 2, "the tour has {steps} steps");
        if writes {
            fs::write(page, written).unwrap();
        } else {
            assert!(differences.is_empty(), "{differences}");
        }
    }

    /// Runs a command as the tour's reader would; a comment says what happens to the tree.
    fn run(&mut self, command: &str) -> String {
        if let Some(tree) = &self.tree {
            match command {
                "# every authoritative server falls silent" => tree.cut_off(),
                "# they answer again" => tree.bring_back(),
                _ => {}
            }
        }
        if let Some(api) = &self.api {
            match command {
                "# the API goes away" => api.set_down(true),
                "# it comes back" => api.set_down(false),
                _ => {}
            }
        }
        if let Some(command) = command.strip_suffix(" &") {
            self.start(command);
            return String::new();
        }
        if let Some(number) = command.strip_prefix("kill %") {
            let number: usize = number.parse().unwrap();
            drop(self.jobs[number - 1].take());
            return String::new();
        }
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("exec 2>&1\n{command}")]).env("PATH", path()).current_dir(&self.folder);
        if self.tree.is_some() {
            shell.env("HOME", &self.folder); // no .digrc
        }
        String::from_utf8_lossy(&shell.output().unwrap().stdout).into_owned()
    }

    /// Starts a command in the background; what it prints goes where the page has it go, which is `NAME.out`.
    fn start(&mut self, command: &str) {
        let number = self.jobs.len() + 1;
        let (command, out) = command.split_once('>').unwrap_or((command, ""));
        let name = out.split_once(".out").map_or_else(|| format!("job-{number}"), |(name, _)| name.trim().to_owned());
        let words: Vec<&str> = command.trim_end_matches('2').split_whitespace().collect();
        let job = match words.as_slice() {
            ["meridian", "serve", "--config", file] => self.serve(&name, file),
            words => Server::start(&name, &self.folder, words),
        };
        self.jobs.push(Some(job));
    }

    /// Starts Meridian and waits until it serves. Where the configuration resolves, it does on the private tree.
    fn serve(&self, name: &str, file: &str) -> Server {
        let text = fs::read_to_string(self.folder.join(file)).unwrap();
        let mut settings: serde_json::Value = serde_yaml::from_str(&text).unwrap();
        if settings["recursion"] != false && settings["recursion"] != "off" {
            settings["recursion"]["roots"] = self.tree.as_ref().unwrap().hints().to_str().unwrap().into();
            settings["recursion"]["deny_upstreams"] = serde_json::json!([]);
            settings["recursion"]["dnssec"] = "off".into();
        }
        if let (Some(kubernetes), Some(api)) = (settings["kubernetes"].as_object_mut(), &self.api) {
            kubernetes.entry("api").or_insert_with(|| serde_json::json!({"url": api.url()}));
        }
        let served = format!("{file}.served");
        fs::write(self.folder.join(&served), settings.to_string()).unwrap();
        let mut server = Server::start(name, &self.folder, &[BINARY, "serve", "--config", &served]);
        let address: SocketAddr = server.listens_on();
        server.wait_until_it_answers_at(address, ("localhost.", wire::rtype("A").unwrap()));
        server
    }
}

const BINARY: &str = env!("CARGO_BIN_EXE_meridian");

fn path() -> String {
    let folder = Path::new(BINARY).parent().unwrap().display();
    format!("{folder}:{}", std::env::var("PATH").unwrap_or_default())
}

enum Part<'t> {
    Prose(&'t str),
    /// What is to be saved, and under which name.
    File(&'t str, String),
    /// A command, and what is shown for it.
    Step(String, String),
}

/// Takes a page apart: the lines that stay, the blocks that the line before them says to save, and the steps of its
/// `console` blocks.
fn parts(text: &str) -> Vec<Part<'_>> {
    let (mut parts, mut block, mut before): (_, Option<Block<'_>>, _) = (Vec::new(), None, "");
    for line in text.lines() {
        if let Some(kind) = line.strip_prefix("```") {
            let opened = match (kind, name_to_save(before)) {
                ("console", _) => Block::Console,
                (_, Some(name)) => Block::File(name),
                _ => Block::Other,
            };
            block = if block.is_some() { None } else { Some(opened) };
            if matches!(block, Some(Block::File(_))) {
                parts.push(Part::Prose(line));
                continue;
            }
        } else if let Some(Block::Console) = block {
            match (line.strip_prefix("$ "), line.strip_prefix("> "), parts.last_mut()) {
                (Some(command), _, _) => parts.push(Part::Step(command.to_owned(), String::new())),
                (_, Some(more), Some(Part::Step(command, shown))) if shown.is_empty() => {
                    *command = format!("{command}\n{more}");
                }
                (_, _, Some(Part::Step(_, shown))) => writeln!(shown, "{line}").unwrap(),
                _ => panic!("a console block begins with a command, not {line:?}"),
            }
            continue;
        } else if let Some(Block::File(name)) = block {
            match parts.last_mut() {
                Some(Part::File(_, content)) => writeln!(content, "{line}").unwrap(),
                _ => parts.push(Part::File(name, format!("{line}\n"))),
            }
            continue;
        }
        if !line.is_empty() {
            before = line;
        }
        parts.push(Part::Prose(line));
    }
    parts
}

enum Block<'t> {
    Console,
    File(&'t str),
    Other,
}

/// The file name of a line that ends like "Save this as `home.yaml`:".
fn name_to_save(line: &str) -> Option<&str> {
    let (_, rest) = line.rsplit_once("ave this as `")?;
    rest.strip_suffix("`:")
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
    const VARYING: &[&str] =
        &["id:", "Query time", "WHEN:", " ms", "COOKIE:", "octets", "_total ", "cache_", "hostmaster"];
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
