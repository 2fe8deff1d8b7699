//! `trust`, `except` and `unexcept`: what a running server trusts when it validates, and what people except from that.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::asking::{self, Method, show};
use super::pools::{actor, list, span, time_of_day, word};
use super::table::table;
use crate::app::cli::{Except, Server, Unexcept};
use crate::edge::clock::wall_seconds;

/// Prints the anchors with their keys, and what is not validated; 1 if the server cannot be reached.
///
/// # Errors
/// If `out` or `err` cannot be written to.
pub fn trust(server: &Server, as_json: bool, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    show(asking::get(server, "/v1/trust", &[]), as_json, out, err, |trust| text(trust, wall_seconds()))
}

/// Excepts a name from validation; 1 if the server cannot be reached or refuses.
///
/// # Errors
/// If `out` or `err` cannot be written to.
pub fn except(except: &Except, as_json: bool, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    let wanted = json!({
        "name": except.name.to_string(),
        "for": except.lasts,
        "stays": except.stays,
        "reason": except.why,
        "actor": actor(),
    });
    let answer = asking::change(&except.server, Method::Put, "/v1/exceptions", &[], &wanted);
    show(answer, as_json, out, err, |made| {
        let until = made["until"].as_u64().unwrap_or_default();
        let rest = span(until.saturating_sub(wall_seconds()));
        format!("{} is not validated until {}, {rest} from now\n", word(&made["name"]), time_of_day(until))
    })
}

/// Validates a name again; 1 if the server cannot be reached, or if the name was not excepted.
///
/// # Errors
/// If `out` or `err` cannot be written to.
pub fn unexcept(unexcept: &Unexcept, as_json: bool, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    let name = [("name", unexcept.name.to_string())];
    let answer = asking::change(&unexcept.server, Method::Delete, "/v1/exceptions", &name, &Value::Null);
    let answer = answer.and_then(|lifted| match lifted.get("lifted").and_then(Value::as_bool) {
        Some(false) => Err(format!("{} is not excepted", unexcept.name)),
        _ => Ok(lifted),
    });
    show(answer, as_json, out, err, |_| format!("{} is validated again\n", unexcept.name))
}

fn text(trust: &Value, now: u64) -> String {
    if trust["validates"] != true {
        return "nothing is validated\n".to_owned();
    }
    let mut text = String::new();
    for anchor in list(&trust["anchors"]) {
        let tags: Vec<String> = list(&anchor["trusted"]).map(ToString::to_string).collect();
        let tags = if tags.is_empty() { "none".to_owned() } else { tags.join(", ") };
        let ago = |at: u64| format!("{} ago", span(now.saturating_sub(at)));
        let seen = anchor["seen"].as_u64().map_or_else(|| "never".to_owned(), ago);
        let zone = word(&anchor["zone"]);
        text.extend(["anchor ", zone, ": trusted keys: ", &tags, "; seen ", &seen, "\n"]);
        let head = ["key>", "algorithm", "state", "since"].map(ToOwned::to_owned).to_vec();
        let row = |key: &Value| {
            let since = span(now.saturating_sub(key["since"].as_u64().unwrap_or(now)));
            vec![key["tag"].to_string(), word(&key["algorithm"]).to_owned(), word(&key["state"]).to_owned(), since]
        };
        let rows: Vec<Vec<String>> = std::iter::once(head).chain(list(&anchor["keys"]).map(row)).collect();
        if rows.len() > 1 {
            text += &table(&rows);
        }
    }
    for name in list(&trust["negative"]) {
        text.extend(["not validated: ", word(name), ", by the configuration\n"]);
    }
    text + &exceptions(trust, now)
}

/// The exceptions that people have made, a line each.
pub(super) fn exceptions(told: &Value, now: u64) -> String {
    let line = |made: &Value| {
        let until = made["until"].as_u64().unwrap_or(now);
        let rest = span(until.saturating_sub(now));
        let tried = made.pointer("/tried/outcome").and_then(Value::as_str);
        let tried = tried.map(|outcome| format!("; tried: {outcome}")).unwrap_or_default();
        format!(
            "not validated: {} until {}, {rest} from now, by {}: \"{}\"{tried}\n",
            word(&made["name"]),
            time_of_day(until),
            word(&made["actor"]),
            word(&made["reason"]),
        )
    };
    list(&told["exceptions"]).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_and_exceptions_are_shown_with_what_is_known_of_them() {
        let trust = json!({
            "validates": true,
            "anchors": [
                {"zone": ".", "trusted": [20_326, 38_696], "seen": 86_400, "next": 90_000, "keys": [
                    {"tag": 20_326, "algorithm": "RSASHA256", "state": "valid", "since": 0}]},
                {"zone": "corp.example.", "trusted": [], "seen": null, "next": 0, "keys": []},
            ],
            "negative": ["lab.example."],
            "exceptions": [{"name": "broken.example.", "since": 86_400, "until": 90_000, "stays": false, "actor": "ann",
                "reason": "expired", "tried": {"at": 86_400, "outcome": "SERVFAIL"}}],
        });
        assert_eq!(
            text(&trust, 86_430),
            "anchor .: trusted keys: 20326, 38696; seen 30 s ago\n\
             \x20   key  algorithm  state  since\n\
             \x20 20326  RSASHA256  valid  1 d 0 h\n\
             anchor corp.example.: trusted keys: none; seen never\n\
             not validated: lab.example., by the configuration\n\
             not validated: broken.example. until 01:00:00 UTC, 59 min 30 s from now, by ann: \"expired\"; tried: SERVFAIL\n"
        );
        assert_eq!(text(&json!({"validates": false}), 0), "nothing is validated\n");
    }
}
