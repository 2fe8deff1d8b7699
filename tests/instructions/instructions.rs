//! How many instructions a query takes, of each kind, counted by valgrind: unlike times they hardly depend on the
//! machine and on what else runs there. `tests/instructions/run` fails where a kind takes over 5 % more than
//! `tests/instructions/baseline` says; `tests/instructions/run --write` writes that file anew.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program for developers")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, ExitCode};

mod worlds;

use meridian::app::worker::Next;
use worlds::World;

/// A kind of queries: its name, and the world in which they are asked.
type Kind = (&'static str, fn() -> World);

/// The kinds; with limits, cookies and counters unless they are called otherwise.
const KINDS: [Kind; 13] = [
    ("cached_hit", worlds::cached),
    ("cached_hit_alone", worlds::cached_alone),
    ("cached_hit_limited_once", worlds::cached_and_limited_once),
    ("cached_hit_unlimited", worlds::cached_and_unlimited),
    ("cached_hit_without_cookie", worlds::cached_without_cookie),
    ("authoritative_hit", || worlds::authoritative(true)),
    ("authoritative_found", || worlds::authoritative(false)),
    ("nxdomain_hit", || worlds::missing(true)),
    ("nxdomain_found", || worlds::missing(false)),
    ("steered_subnet_hit", || worlds::steered(true)),
    ("steered_subnet_composed", || worlds::steered(false)),
    ("refused", worlds::refused),
    ("glance", worlds::cached),
];
/// Two runs that differ by so many queries differ by their instructions: the start falls out.
const QUERIES: u64 = 4_000;
/// Growth that fails, percent.
const GROWTH_MAX: f64 = 5.0;
/// The same where another compiler than the baseline's has built the program.
const GROWTH_OF_COMPILERS_MAX: f64 = 25.0;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [kind, queries] => {
            ask(kind, queries.parse().unwrap());
            ExitCode::SUCCESS
        }
        ["--write"] => {
            std::fs::write(baseline(), written(&counted())).unwrap();
            println!("written: {}", baseline().display());
            ExitCode::SUCCESS
        }
        [] => compare(&counted()),
        _ => {
            println!("usage: tests/instructions/run [--write]");
            ExitCode::FAILURE
        }
    }
}

/// What valgrind watches.
fn ask(kind: &str, queries: u64) {
    let (_, world) = KINDS.iter().find(|(name, _)| *name == kind).unwrap();
    let mut world = world();
    if kind == "glance" {
        (0..queries).for_each(|_| world.glance());
    } else {
        (0..queries).for_each(|_| assert_eq!(world.turn(), Next::Respond));
    }
}

/// Instructions a query of each kind.
fn counted() -> BTreeMap<&'static str, u64> {
    let count = |kind| {
        let [few, many] = [QUERIES, 2 * QUERIES].map(|queries| instructions(kind, queries));
        (many - few) / QUERIES
    };
    KINDS.iter().map(|&(kind, _)| (kind, count(kind))).collect()
}

fn instructions(kind: &str, queries: u64) -> u64 {
    let ran = Command::new("valgrind")
        .args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"])
        .arg(std::env::current_exe().unwrap())
        .args([kind, &queries.to_string()])
        .output()
        .expect("valgrind is installed; tests/install-peers.sh does it");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{kind}: {said}");
    let line = said.lines().find_map(|line| line.split_once("I refs:").or_else(|| line.split_once("I   refs:")));
    let (_, number) = line.expect("valgrind tells how many instructions there were");
    number.trim().replace(',', "").parse().unwrap()
}

fn baseline() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/instructions/baseline"))
}

fn compiler() -> String {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let said = Command::new(rustc).arg("--version").output().unwrap().stdout;
    String::from_utf8_lossy(&said).trim().to_owned()
}

fn written(counts: &BTreeMap<&str, u64>) -> String {
    let mut text = format!("# {}\n", compiler());
    for (kind, count) in counts {
        writeln!(text, "{kind} {count}").unwrap();
    }
    text
}

/// Says what has changed; fails where a kind has grown too much.
fn compare(counts: &BTreeMap<&str, u64>) -> ExitCode {
    let text = std::fs::read_to_string(baseline()).unwrap();
    let was_built_by = text.lines().next().unwrap_or("").trim_start_matches("# ").to_owned();
    let before: BTreeMap<&str, u64> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(' '))
        .map(|(kind, count)| (kind, count.parse().unwrap()))
        .collect();
    let is_same_compiler = was_built_by == compiler();
    let growth_max = if is_same_compiler { GROWTH_MAX } else { GROWTH_OF_COMPILERS_MAX };
    let mut are_well = true;
    println!("instructions a query         before      now   growth");
    for (kind, &now) in counts {
        let Some(&before) = before.get(kind) else {
            println!("{kind:27}        -  {now:7}   new: write the baseline anew");
            are_well = false;
            continue;
        };
        let growth = (now as f64 / before as f64 - 1.0) * 100.0;
        let word = if growth > growth_max { "  TOO MUCH" } else { "" };
        println!("{kind:27}  {before:7}  {now:7}  {growth:+6.1} %{word}");
        are_well &= growth <= growth_max;
    }
    if !is_same_compiler {
        println!(
            "The baseline is of {was_built_by}, this is {}: growth of up to {GROWTH_OF_COMPILERS_MAX} % is let pass. \
             Run `tests/instructions/run --write` with the new compiler and commit what it writes.",
            compiler()
        );
    }
    if are_well {
        return ExitCode::SUCCESS;
    }
    println!(
        "A query takes over {growth_max} % more instructions than before. Mend it; or, where it is worth its price, run \
         `tests/instructions/run --write` and give the reason in the commit."
    );
    ExitCode::FAILURE
}
