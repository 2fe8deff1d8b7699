//! The scoreboard: attacks and faults on a tree of servers of its own, what each costs or breaks, and how far that
//! is from its goal. Each row runs in a process and a network namespace of its own, bounded in time.
//!
//! `cargo run --release --example scoreboard` prints the table. `-- --only R1,R5` runs some rows, `--against
//! unbound,knot` runs the rows that can measure a peer on it too, `--json` prints one object a row, `--write` puts
//! the table into `docs/reliability.md`, `--soak MINUTES` runs mixed hostile load and watches the memory instead.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::cast_sign_loss,
    clippy::verbose_bit_mask,
    missing_docs,
    unreachable_pub,
    reason = "a measurement on its own machine may stop, and lives in real time"
)]

mod amplification;
mod crowds;
mod floods;
mod gates;
mod lifecycle;
mod load;
mod memory;
mod streams;
#[path = "../support/mod.rs"]
mod support;
mod table;
mod world;

use std::io::{Read as _, Write as _};
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use support::namespace;

/// The allocator of the program, since this one serves in its place.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// One number of a row.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Figure {
    pub what: String,
    pub value: f64,
    pub goal: Goal,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    AtMost(f64),
    AtLeast(f64),
    /// Told, not judged.
    Told,
}

pub fn at_most(what: &str, value: f64, goal: f64) -> Figure {
    Figure { what: what.to_owned(), value, goal: Goal::AtMost(goal) }
}

pub fn at_least(what: &str, value: f64, goal: f64) -> Figure {
    Figure { what: what.to_owned(), value, goal: Goal::AtLeast(goal) }
}

pub fn told(what: &str, value: f64) -> Figure {
    Figure { what: what.to_owned(), value, goal: Goal::Told }
}

impl Figure {
    pub fn holds(&self) -> bool {
        match self.goal {
            Goal::AtMost(goal) => self.value <= goal,
            Goal::AtLeast(goal) => self.value >= goal,
            Goal::Told => true,
        }
    }
}

/// A row of the board.
pub struct Row {
    pub id: &'static str,
    pub what: &'static str,
    /// Measures the resolver of that name.
    pub measure: fn(&str) -> Vec<Figure>,
    /// Whether it can measure a peer.
    pub has_peers: bool,
    pub limit_s: u64,
}

/// What became of a row.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    pub row: String,
    pub what: String,
    pub who: String,
    pub figures: Vec<Figure>,
    /// Why there are no figures.
    pub fault: Option<String>,
}

impl Outcome {
    pub fn verdict(&self) -> &'static str {
        match &self.fault {
            Some(_) => "not measured",
            None if self.figures.iter().all(Figure::holds) => "pass",
            None => "FAIL",
        }
    }
}

fn rows() -> Vec<&'static Row> {
    let parts =
        [amplification::ROWS, floods::ROWS, crowds::ROWS, streams::ROWS, memory::ROWS, lifecycle::ROWS, gates::ROWS];
    let mut rows: Vec<&Row> = parts.into_iter().flatten().collect();
    rows.sort_by_key(|row| (row.id.chars().next(), row.id[1..].parse::<u32>().unwrap_or(0)));
    rows
}

/// Set in a row's own process: the row and the resolver that it measures.
const INSIDE: &str = "MERIDIAN_SCOREBOARD_ROW";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|word| word == "serve") {
        return serve(&arguments);
    }
    if let Ok(row) = std::env::var(INSIDE) {
        inside(&row);
        return ExitCode::SUCCESS;
    }
    let has = |word: &str| arguments.iter().any(|argument| argument == word);
    let option = |word: &str| {
        let at = arguments.iter().position(|argument| argument == word)?;
        arguments.get(at + 1).cloned()
    };
    if let Some(minutes) = option("--soak") {
        let outcome =
            run("soak", &minutes, minutes.parse::<u64>().expect("minutes") * 60 + 120, "RSS under mixed load");
        table::print(&outcome, has("--json"));
        return if outcome.verdict() == "pass" { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let only = option("--only");
    let is_wanted = |id: &str| only.as_ref().is_none_or(|only| only.split(',').any(|word| word == id));
    let peers = option("--against").unwrap_or_default();
    let mut outcomes = Vec::new();
    for row in rows().into_iter().filter(|row| is_wanted(row.id)) {
        let others = peers.split(',').filter(|peer| row.has_peers && !peer.is_empty());
        for who in std::iter::once("meridian").chain(others) {
            let outcome = run(row.id, who, row.limit_s, row.what);
            table::print(&outcome, has("--json"));
            outcomes.push(outcome);
        }
    }
    if has("--write") {
        table::write(&outcomes);
    }
    let has_failed = outcomes.iter().any(|outcome| outcome.who == "meridian" && outcome.verdict() != "pass");
    if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// The program itself: rows start this file again as the server that they measure.
fn serve(arguments: &[String]) -> ExitCode {
    let file = arguments.get(2).expect("serve --config FILE");
    let done = meridian::app::commands::serve(
        Some(std::path::Path::new(file)),
        false,
        &meridian::app::machine(),
        &mut std::io::stderr(),
    );
    done.map_or(ExitCode::FAILURE, ExitCode::from)
}

fn run(id: &str, who: &str, limit_s: u64, what: &str) -> Outcome {
    let mut outcome =
        Outcome { row: id.to_owned(), what: what.to_owned(), who: who.to_owned(), figures: Vec::new(), fault: None };
    let programs = if id == "soak" { Vec::new() } else { support::resolvers::programs(&[who]) };
    match namespace::own(&programs).and_then(|command| figures(command, id, who, Duration::from_secs(limit_s))) {
        Ok(figures) => outcome.figures = figures,
        Err(why) => outcome.fault = Some(why),
    }
    outcome
}

fn figures(mut command: std::process::Command, id: &str, who: &str, limit: Duration) -> Result<Vec<Figure>, String> {
    let mut child = command
        .arg(std::env::current_exe().map_err(|error| error.to_string())?)
        .env(INSIDE, format!("{id} {who}"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let mut out = child.stdout.take().ok_or("no output")?;
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        out.read_to_string(&mut text).map(|_| text)
    });
    let end = Instant::now() + limit;
    while child.try_wait().map_err(|error| error.to_string())?.is_none() {
        if Instant::now() > end {
            child.kill().ok();
            child.wait().ok();
            return Err(format!("not done after {} s", limit.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let text = reader.join().map_err(|_| "no output")?.map_err(|error| error.to_string())?;
    serde_json::from_str(text.trim()).map_err(|error| format!("its process ended early ({error})"))
}

/// The row's own process.
fn inside(row: &str) {
    namespace::set_up_loopback();
    let (id, who) = row.split_once(' ').expect("a row and a resolver");
    let figures = if id == "soak" {
        memory::soak(who.parse().expect("minutes"))
    } else {
        let rows = rows();
        let row = rows.iter().find(|row| row.id == id).expect("a row of the board");
        (row.measure)(who)
    };
    let text = serde_json::to_string(&figures).expect("figures are plain");
    std::io::stdout().write_all(text.as_bytes()).expect("somebody reads");
    // Servers of threads that wait for ever end with the process.
    std::process::exit(0);
}
