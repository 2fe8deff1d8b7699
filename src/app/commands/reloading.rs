//! What a server tells of a reload, as text.

use std::fmt::Write as _;

use serde_json::Value;

/// The parts of a difference in the order in which they are told, and one of each in words.
const PARTS: [(&str, &str); 10] = [
    ("keys", "key"),
    ("listeners", "listener"),
    ("zones", "zone"),
    ("checks", "check"),
    ("feeds", "feed"),
    ("pools", "pool"),
    ("members", "member"),
    ("policies", "policy"),
    ("names", "name"),
    ("files", "file"),
];

/// A reload, or what one would change.
pub(super) fn text(told: &Value) -> String {
    let is_rehearsal = told["dry_run"].as_bool().unwrap_or(false);
    let has_changes = told["changed"].as_bool().unwrap_or(false);
    let generation = &told["generation"];
    let mut text = match (is_rehearsal, has_changes) {
        (true, true) => format!("a reload would change this (generation {generation} is in force):\n"),
        (true, false) => "a reload would change nothing\n".to_owned(),
        (false, true) => format!("reloaded: generation {generation}\n"),
        (false, false) => "nothing has changed, nothing was swapped\n".to_owned(),
    };
    let differences = &told["differences"];
    for (part, one) in PARTS {
        for change in differences[part].as_array().into_iter().flatten() {
            let (name, how) = (change["name"].as_str().unwrap_or("?"), change["change"].as_str().unwrap_or("?"));
            let detail = match (&change["from"], &change["to"]) {
                (from, to) if part == "keys" => format!(": {} → {}", value(from, "(default)"), value(to, "(default)")),
                (Value::Null, to) => behind(&value(to, "")),
                (from, Value::Null) => behind(&value(from, "")),
                (from, to) if from == to => String::new(),
                (from, to) => format!(": {} → {}", value(from, ""), value(to, "")),
            };
            let sign = match how {
                "added" => '+',
                "removed" => '-',
                _ => '~',
            };
            writeln!(text, "  {sign} {one} {name}{detail}").unwrap_or_default();
        }
    }
    if let Some(untold @ 1..) = differences["untold"].as_u64() {
        writeln!(text, "  and {untold} differences more").unwrap_or_default();
    }
    for restart in told["restart"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        writeln!(text, "  ! {restart}").unwrap_or_default();
    }
    for lint in told["lints"].as_array().into_iter().flatten() {
        writeln!(text, "  {}", noted(lint)).unwrap_or_default();
    }
    if let Some(hint) = told["hint"].as_str() {
        writeln!(text, "{hint}").unwrap_or_default();
    }
    text
}

/// Why a reload was refused: every fault, a line each.
pub(super) fn faults(told: &Value) -> String {
    let list = told["faults"].as_array().map(Vec::as_slice).unwrap_or_default();
    let lines: String = list.iter().map(|fault| noted(fault) + "\n").collect();
    let count = if list.len() == 1 { "1 fault".to_owned() } else { format!("{} faults", list.len()) };
    format!("{lines}{count}; generation {} stays in force\n", told["generation"])
}

/// The state of reloads, at `wall` seconds since 1970.
pub(super) fn status(told: &Value, wall: u64) -> String {
    let ago = |at: &Value| wall.saturating_sub(at.as_u64().unwrap_or(wall));
    let by = |it: &Value| it["by"].as_str().unwrap_or("?").to_owned();
    if told["generation"].is_null() {
        return String::new(); // an older server
    }
    let mut text =
        format!("configuration: generation {}, by {} {} s ago\n", told["generation"], by(told), ago(&told["at"]));
    let failed = &told["failed"];
    if !failed.is_null() {
        writeln!(text, "  a reload by {} {} s ago was refused:", by(failed), ago(&failed["at"])).unwrap_or_default();
        for fault in failed["faults"].as_array().into_iter().flatten() {
            writeln!(text, "    {}", noted(fault)).unwrap_or_default();
        }
    }
    text
}

fn behind(text: &str) -> String {
    if text.is_empty() || text == "{}" { String::new() } else { format!(": {text}") }
}

/// A fault or lint as the program says it elsewhere.
fn noted(fault: &Value) -> String {
    let word = |key: &str| fault[key].as_str().unwrap_or_default();
    let place = match (fault["line"].as_u64().unwrap_or(0), fault["column"].as_u64().unwrap_or(0)) {
        (0, _) => String::new(),
        (line, 0) => format!(":{line}"),
        (line, column) => format!(":{line}:{column}"),
    };
    let key = if word("key").is_empty() { String::new() } else { format!("{}: ", word("key")) };
    let is_lint = word("severity") == "lint";
    let said = match (word("found"), word("allowed")) {
        (found, "") if is_lint => format!("lint: {found}"),
        (found, "") => found.to_owned(),
        (found, better) if is_lint => format!("lint: found {found}, better: {better}"),
        (found, allowed) => format!("found {found}, allowed: {allowed}"),
    };
    format!("{}{place}: {key}{said}", word("file"))
}

fn value(value: &Value, none: &str) -> String {
    match value {
        Value::Null => none.to_owned(),
        Value::String(text) => text.clone(),
        Value::Object(map) if !map.is_empty() => {
            let parts = map.iter().filter(|(_, part)| !part.is_null()).map(|(key, part)| match part {
                Value::Array(list) => {
                    format!("{key} {}", list.iter().map(|one| self::value(one, "")).collect::<Vec<_>>().join(" "))
                }
                part => format!("{key} {}", self::value(part, "")),
            });
            parts.collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_rehearsal_reads_like_a_difference() {
        let told = json!({
            "dry_run": true, "changed": true, "generation": 3,
            "differences": {
                "keys": [{"name": "cache.size", "change": "changed", "from": null, "to": "1GiB"}],
                "zones": [
                    {"name": "a.example.", "change": "changed",
                     "from": {"records": 3, "serial": 1}, "to": {"records": 4, "serial": 2}},
                    {"name": "b.example.", "change": "removed", "from": {"records": 3, "serial": 1}, "to": null},
                ],
                "members": [{"name": "www/c", "change": "added", "from": null, "to": {"addresses": ["192.0.2.1"]}}],
                "untold": 2,
            },
            "restart": ["workers takes a restart: 2 is in force, 4 is written"], "lints": [], "hint": "hint",
        });
        assert_eq!(
            text(&told),
            "a reload would change this (generation 3 is in force):\n  ~ key cache.size: (default) → 1GiB\n  \
             ~ zone a.example.: records 3, serial 1 → records 4, serial 2\n  - zone b.example.: records 3, serial 1\n  \
             + member www/c: addresses 192.0.2.1\n  and 2 differences more\n  \
             ! workers takes a restart: 2 is in force, 4 is written\nhint\n"
        );
    }

    #[test]
    fn every_fault_is_a_line() {
        let fault = |line| json!({"severity": "fault", "file": "m.yaml", "line": line, "column": 0, "key": "k", "found": "x", "allowed": "y"});
        let told = json!({"faults": [fault(0), fault(7)], "generation": 4});
        let expected =
            "m.yaml: k: found x, allowed: y\nm.yaml:7: k: found x, allowed: y\n2 faults; generation 4 stays in force\n";
        assert_eq!(faults(&told), expected);
    }
}
