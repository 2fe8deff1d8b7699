//! A report for people.

use super::{Crowd, RESOLVERS, errors};
use crate::app::commands::steered::Steered;
use crate::app::commands::table::table;
use crate::steer::simulation::{Loss, Report};

/// Flows and members that are named; the rest is counted.
const NAMED_MAX: usize = 8;

/// A part of the clients.
pub(super) fn share(part: f64) -> String {
    format!("{:.2} %", 100.0 * part)
}

fn name(member: &str) -> &str {
    if member.is_empty() { "(nobody)" } else { member }
}

fn number(number: f64) -> String {
    match number {
        n if n >= 1e7 => format!("{:.1} million", n / 1e6),
        n if n >= 1e4 || n.fract().abs() < 1e-9 => format!("{n:.0}"),
        n => format!("{n:.1}"),
    }
}

pub(super) fn report(steered: &Steered, report: &Report, crowd: &Crowd, is_compared: bool) -> String {
    let steering = &steered.steering;
    let stages: Vec<&str> = steering.stages().collect();
    let mut text = format!("{}: pool {}, {}\n", steered.owner, steering.pool().name(), stages.join(" > "));
    text.push_str(&shares(report, crowd));
    match (report.moved, is_compared) {
        (Some(moved), _) => {
            text.extend([format!("  moved: {} of the clients\n", share(moved))]);
            for flow in report.flows.iter().take(NAMED_MAX) {
                text.extend([format!("    {} > {}: {}\n", name(&flow.from), name(&flow.to), share(flow.part))]);
            }
            let rest = report.flows.len().saturating_sub(NAMED_MAX);
            if rest > 0 {
                text.extend([format!("    and {rest} ways more\n")]);
            }
        }
        (None, true) => text.push_str("  new: the other configuration does not steer this name\n"),
        (None, false) => {}
    }
    if let Some(distance) = report.distance {
        let before = report.distance_before.map_or_else(String::new, |before| {
            format!(" (before: mean {:.0}, median {:.0}, 95 % {:.0})", before.mean, before.median, before.p95)
        });
        text.extend([format!(
            "  km to the member: mean {:.0}, median {:.0}, 95 % within {:.0}{before}; known of {}\n",
            distance.mean,
            distance.median,
            distance.p95,
            share(distance.known)
        )]);
    }
    text.extend([format!(
        "  cache entries with client subnets: {}, {} different answers\n",
        number(report.cache_entries.round()),
        report.answers
    )]);
    if let Some(bears) = report.bears {
        text.extend([format!("  bears a load of {} with everybody up\n", number(bears))]);
    }
    if !report.overloaded.is_empty() {
        text.extend([format!("  OVER CAPACITY with everybody up: {}\n", report.overloaded.join(", "))]);
    }
    text.push_str(&losses(report));
    if report.networks > report.samples as f64 + 0.5 {
        let (seen, all) = (report.samples, number(report.networks));
        text.extend([format!("  looked at {seen} of {all} client networks, evenly taken\n")]);
    }
    if report.draws > 0 {
        text.extend([format!("  estimated by {} draws for each client network\n", report.draws)]);
    }
    text
}

fn shares(report: &Report, crowd: &Crowd) -> String {
    let has_before = report.shares.iter().any(|share| share.before.is_some());
    let mut head = vec!["member".to_owned(), "share>".to_owned()];
    if has_before {
        head.extend(["before>".to_owned(), "change>".to_owned()]);
    }
    if report.is_split {
        head.extend(RESOLVERS.map(|resolvers| format!("± {resolvers} resolvers>")));
        head.extend(crowd.concentration.map(|_| "± these clients>".to_owned()));
    }
    let mut rows = vec![head];
    for line in &report.shares {
        let mut row = vec![name(&line.member).to_owned(), share(line.now)];
        if has_before {
            let before = line.before.unwrap_or_default();
            row.extend([share(before), format!("{:+.2}", 100.0 * (line.now - before))]);
        }
        if report.is_split {
            row.extend(errors(line.now, crowd).iter().map(|error| format!("{:.1}", 100.0 * error)));
        }
        rows.push(row);
    }
    table(&rows)
}

fn losses(report: &Report) -> String {
    if report.losses.is_empty() {
        return String::new();
    }
    let mut text = String::from("  when one is down:\n");
    let has_capacity = report.losses.iter().any(|loss| loss.bears.is_some());
    let mut head: Vec<String> =
        ["down", "its clients go to", "peak growth>", "others moved>"].map(ToOwned::to_owned).to_vec();
    if has_capacity {
        head.push("bears>".to_owned());
    }
    head.push(String::new());
    let mut rows = vec![head];
    for loss in &report.losses {
        let peak = loss.peak.as_ref().map_or_else(
            || "-".to_owned(),
            |(member, growth)| {
                if growth.is_finite() { format!("{member} x{growth:.2}") } else { format!("{member} from 0") }
            },
        );
        let mut row = vec![loss.member.to_string(), heirs(report, loss), peak, share(loss.disturbed)];
        if has_capacity {
            row.push(loss.bears.map_or_else(|| "-".to_owned(), number));
        }
        row.push(flag(loss));
        rows.push(row);
    }
    text.push_str(&table(&rows));
    if report.losses_left_out > 0 {
        text.extend([format!("  and {} members more, with smaller shares\n", report.losses_left_out)]);
    }
    text
}

/// Who gains, the most first.
fn heirs(report: &Report, loss: &Loss) -> String {
    let before = |name: &str| report.shares.iter().find(|share| *share.member == *name).map_or(0.0, |share| share.now);
    let mut gains: Vec<(&str, f64)> = loss
        .shares
        .iter()
        .map(|(name, part)| (&**name, part - before(name)))
        .filter(|(_, gain)| *gain > 5e-5)
        .collect();
    gains.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut text = String::new();
    for (name, gain) in gains.iter().take(4) {
        let comma = if text.is_empty() { "" } else { ", " };
        text.extend([format!("{comma}{name} +{:.1} %", 100.0 * gain)]);
    }
    if gains.len() > 4 {
        text.extend([format!(" and {} more", gains.len() - 4)]);
    }
    if text.is_empty() { "-".to_owned() } else { text }
}

fn flag(loss: &Loss) -> String {
    let mut flags = Vec::new();
    if !loss.overloaded.is_empty() {
        flags.push(format!("OVER CAPACITY: {}", loss.overloaded.join(", ")));
    }
    if loss.unanswered > 0.0 {
        flags.push(format!("UNANSWERED: {}", share(loss.unanswered)));
    }
    flags.join("; ")
}
