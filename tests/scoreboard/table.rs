//! How outcomes are shown: a line each, JSON, and the table of `docs/reliability.md`.
use std::fmt::Write as _;
use std::path::Path;

use crate::{Figure, Goal, Outcome};

const BEGIN: &str = "<!-- scoreboard: written by `cargo run --release --example scoreboard -- --write` -->";
const END: &str = "<!-- end of scoreboard -->";

pub fn print(outcome: &Outcome, as_json: bool) {
    if as_json {
        let mut value = serde_json::to_value(outcome).expect("an outcome is plain");
        value["verdict"] = outcome.verdict().into();
        println!("{value}");
        return;
    }
    let who = if outcome.who == "meridian" { "" } else { &outcome.who };
    println!("{:<5}{:<13}{} {}", outcome.row, outcome.verdict(), outcome.what, who);
    if let Some(fault) = &outcome.fault {
        println!("         {fault}");
    }
    for figure in &outcome.figures {
        let mark = if figure.holds() { ' ' } else { '!' };
        println!("       {mark} {:<58} {:>12}   {}", figure.what, number(figure.value), goal(figure.goal));
    }
}

fn number(value: f64) -> String {
    let text = if value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") };
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn goal(goal: Goal) -> String {
    match goal {
        Goal::AtMost(goal) => format!("≤ {}", number(goal)),
        Goal::AtLeast(goal) => format!("≥ {}", number(goal)),
        Goal::Told => String::new(),
    }
}

/// Puts the outcomes into the page: rows that were run replace theirs, others stay.
pub fn write(outcomes: &[Outcome]) {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reliability.md");
    let text = std::fs::read_to_string(&page).expect("the page is there");
    let (before, rest) = text.split_once(BEGIN).expect("the page has its marks");
    let (old, after) = rest.split_once(END).expect("the page has its marks");
    let mut lines: Vec<(String, String)> = Vec::new();
    for line in old.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| row")) {
        lines.push((key(line), line.to_owned()));
    }
    for outcome in outcomes {
        let mut own: Vec<String> = outcome.figures.iter().map(|figure| line(outcome, figure)).collect();
        if let Some(fault) = &outcome.fault {
            own.push(format!("| {} | {} | {} | not measured: {fault} | | |", outcome.row, outcome.what, outcome.who));
        }
        let Some(first) = own.first() else { continue };
        let own_key = key(first);
        lines.retain(|(key, _)| *key != own_key);
        lines.extend(own.into_iter().map(|line| (own_key.clone(), line)));
    }
    lines.sort_by_key(|(key, _)| {
        let (row, who) = key.split_once(' ').unwrap_or((key, ""));
        (
            row.chars().next(),
            row.get(1..).and_then(|n| n.parse::<u32>().ok()).unwrap_or(0),
            who != "meridian",
            key.clone(),
        )
    });
    let mut table = format!("{BEGIN}\n| row | test | server | figure | goal | |\n|---|---|---|---|---|---|\n");
    for (_, line) in lines {
        writeln!(table, "{line}").expect("text grows");
    }
    std::fs::write(&page, format!("{before}{table}{END}{after}")).expect("the page can be written");
}

/// Row and server of a line of the table.
fn key(line: &str) -> String {
    let mut cells = line.split('|').skip(1).map(str::trim);
    let row = cells.next().unwrap_or_default();
    format!("{row} {}", cells.nth(1).unwrap_or_default())
}

fn line(outcome: &Outcome, figure: &Figure) -> String {
    let verdict = match figure.goal {
        Goal::Told => "",
        _ if figure.holds() => "pass",
        _ => "**FAIL**",
    };
    let Outcome { row, what, who, .. } = outcome;
    format!(
        "| {row} | {what} | {who} | {}: {} | {} | {verdict} |",
        figure.what,
        number(figure.value),
        goal(figure.goal)
    )
}
