//! Rows that are gates of the tests: the test runs, and what it counts is shown.
use std::process::Command;

use crate::{Figure, Row, at_least, at_most};

pub const ROWS: &[Row] = &[
    Row { id: "R10", what: "KeyTrap and its kin (counted)", measure: keys, has_peers: false, limit_s: 600 },
    Row { id: "R11", what: "NSEC3 that hashes without end (counted)", measure: hashes, has_peers: false, limit_s: 600 },
    Row { id: "R13", what: "junk before the answer (stories)", measure: junk, has_peers: false, limit_s: 600 },
    Row { id: "R14", what: "poison matrix (stories)", measure: poison, has_peers: false, limit_s: 600 },
    Row { id: "R15", what: "DNSSEC with one thing wrong", measure: fixtures, has_peers: false, limit_s: 900 },
    Row { id: "R16", what: "ghost domains, stretched TTLs (stories)", measure: ghosts, has_peers: false, limit_s: 600 },
    Row { id: "R18", what: "loss of 10, 30, 50 % (stories)", measure: loss, has_peers: false, limit_s: 600 },
    Row { id: "R30", what: "clock jumps and stalls (simulation)", measure: clocks, has_peers: false, limit_s: 900 },
    Row {
        id: "R32",
        what: "answers follow the members' health (binary)",
        measure: health,
        has_peers: false,
        limit_s: 600,
    },
    Row { id: "R35", what: "the same answers as the peers", measure: differential, has_peers: false, limit_s: 900 },
    Row { id: "R36", what: "the same verdicts as validating peers", measure: verdicts, has_peers: false, limit_s: 900 },
];

/// Runs tests and gives what they print.
fn run(arguments: &[&str], story: &str) -> (bool, String) {
    let output = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["test", "--offline"])
        .args(arguments)
        .args(["--", "--nocapture"])
        .env("STORY", story)
        .env_remove(crate::INSIDE)
        .output()
        .expect("cargo starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

/// The number that stands before `word` in the first line that begins with `start`.
fn count(text: &str, start: &str, word: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.starts_with(start))?;
    line.split(word).next()?.split_whitespace().last()?.parse().ok()
}

fn stories(test: &str, kind: &str, least: f64) -> Vec<Figure> {
    let (_, text) = run(&["--test", "stories", test], "");
    let count = |word| count(&text, &format!("{kind}: "), word);
    vec![
        at_most("stories that fail", count(" fail").unwrap_or(f64::INFINITY), 0.0),
        at_least("stories told", count(" stories").unwrap_or(0.0), least),
    ]
}

fn keys(_: &str) -> Vec<Figure> {
    let (is_ok, text) = run(&["--test", "trust", "no_trap_of_keys_and_signatures_costs_more_than_the_bound"], "");
    let count = |word| count(&text, "KeyTrap: ", word);
    vec![
        at_least("every trap is within its bounds", f64::from(u8::from(is_ok)), 1.0),
        at_least("traps", count(" traps").unwrap_or(0.0), 32.0),
        at_most("signatures checked for a query", count(" signatures").unwrap_or(f64::INFINITY), 16.0),
    ]
}

fn hashes(_: &str) -> Vec<Figure> {
    let (is_ok, text) = run(&["--test", "trust", "no_chain_of_hashes_costs_more_than_the_bound"], "");
    let count = |word| count(&text, "NSEC3: ", word);
    vec![
        at_least("every chain is within its bounds", f64::from(u8::from(is_ok)), 1.0),
        at_least("chains", count(" chains").unwrap_or(0.0), 32.0),
        at_most("blocks hashed for a query", count(" blocks").unwrap_or(f64::INFINITY), 4_000.0),
    ]
}

fn fixtures(_: &str) -> Vec<Figure> {
    let (_, text) = run(&["--test", "trust", "no_fixture_with_one_thing_wrong_leads_to_a_wrong_verdict"], "");
    let count = |word| count(&text, "fixtures: ", word);
    vec![
        at_most("wrong verdicts", count(" wrong").unwrap_or(f64::INFINITY), 0.0),
        at_least("fixtures", count(" changed").unwrap_or(0.0), 300.0),
        at_least("correct twins", count(" twins").unwrap_or(0.0), 60.0),
    ]
}

fn junk(_: &str) -> Vec<Figure> {
    stories("every_kind_of_junk_before_the_answer_is_survived", "junk", 20.0)
}

fn poison(_: &str) -> Vec<Figure> {
    let mut figures =
        stories("no_poison_is_accepted_whatever_its_section_owner_type_flag_and_transport", "poison matrix", 250.0);
    figures.extend(stories("no_poison_is_accepted_along_with_a_referral", "poisoned referrals", 100.0));
    figures
}

fn ghosts(_: &str) -> Vec<Figure> {
    let (_, text) = run(&["--test", "stories", "every_story_holds"], "revoked");
    let line = text.lines().find(|line| line.contains(" stories, ")).unwrap_or_default();
    let number = |word: &str| line.split(word).next().and_then(|part| part.split_whitespace().last()?.parse().ok());
    vec![
        at_most("stories that fail", number(" fail").unwrap_or(f64::INFINITY), 0.0),
        at_least("stories told", number(" stories").unwrap_or(0.0), 1.0),
    ]
}

fn loss(_: &str) -> Vec<Figure> {
    let (is_ok, text) = run(&["--test", "stories", "lost_queries_cost_time_but_no_answer"], "");
    let mut figures = vec![at_least("every query answered", f64::from(u8::from(is_ok)), 1.0)];
    for (permille, millis, each) in [(100, 100.0, 1.2), (300, 200.0, 1.6), (500, 500.0, 2.5)] {
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("loss {permille}/1000: p99 ")));
        let (time, rest) = line.and_then(|line| line.split_once(", ")).unwrap_or_default();
        let time = time.strip_suffix("ms").and_then(|number| number.parse().ok());
        let sent = rest.split(' ').next().and_then(|number| number.parse().ok());
        figures.push(at_most(&format!("p99 ms at {} %", permille / 10), time.unwrap_or(f64::INFINITY), millis));
        figures.push(at_most("upstream a query", sent.unwrap_or(f64::INFINITY), each));
    }
    figures
}

/// Every simulated world stalls, and the clock that tells the time of day jumps in it.
fn clocks(_: &str) -> Vec<Figure> {
    let (is_ok, _) = run(&["--test", "sim"], "");
    vec![at_least("every invariant holds in every world", f64::from(u8::from(is_ok)), 1.0)]
}

/// A panic in one worker while another serves.
pub fn panics() -> Figure {
    let (is_ok, _) = run(&["--lib", "a_panic_costs"], "");
    at_least("50 panics: no query of another worker lost, and the next one answered", f64::from(u8::from(is_ok)), 1.0)
}

fn health(_: &str) -> Vec<Figure> {
    let (is_ok, text) = run(&["--test", "health"], "");
    let line = text.lines().find(|line| line.starts_with("test result: ")).unwrap_or_default();
    let passed = line.split(" passed").next().and_then(|part| part.split_whitespace().last()?.parse().ok());
    vec![
        at_least("no member known dead is named, and no pool is empty", f64::from(u8::from(is_ok)), 1.0),
        at_least("tests", passed.unwrap_or(0.0), 2.0),
    ]
}

fn differential(_: &str) -> Vec<Figure> {
    compared(&["--test", "differential", "every_difference_from_the_peers_is_explained"])
}

fn verdicts(_: &str) -> Vec<Figure> {
    compared(&["--test", "dnssec_differential", "every_verdict_that_differs_from_the_peers_is_explained"])
}

fn compared(test: &[&str]) -> Vec<Figure> {
    let (_, text) = run(test, "");
    let line = text.lines().find(|line| line.contains(" questions to ")).unwrap_or_default();
    let number = |word: &str| line.split(word).next().and_then(|part| part.split_whitespace().last()?.parse().ok());
    vec![
        at_most("unexplained differences", number(" unexplained").unwrap_or(f64::INFINITY), 0.0),
        at_least("questions", number(" questions").unwrap_or(0.0), 2_000.0),
    ]
}
