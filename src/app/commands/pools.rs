//! `drain`, `force` and `unforce`: what people decide about members of a running server; and how `status` shows them.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::asking::{self, Method, show};
use super::table::table;
use crate::app::cli::{Drain, Force, ForceState, Unforce};
use crate::edge::clock::wall_seconds;

/// Takes a member out of new answers and says when the last old one ends; 1 if the server cannot be reached or refuses.
///
/// # Errors
/// If `out` or `err` cannot be written to.
pub fn drain(drain: &Drain, as_json: bool, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    let wanted = json!({
        "glob": drain.member,
        "action": "drain",
        "for": drain.lasts,
        "reason": drain.why,
        "actor": actor(),
        "break_glass": drain.break_glass,
    });
    let answer = asking::change(&drain.server, Method::Put, "/v1/overrides", &[], &wanted);
    show(answer, as_json, out, err, |drained| {
        eta_text(&drain.member, drained["eta"].as_u64().unwrap_or_default(), wall_seconds())
    })
}

fn eta_text(glob: &str, eta: u64, now: u64) -> String {
    let what = glob.rsplit_once('/').map_or(glob, |(_, member)| if member.contains('*') { glob } else { member });
    match eta.saturating_sub(now) {
        0 => format!("{what} is empty: no answer that holds it is left\n"),
        rest => format!("{what} will be empty at {}, in {}\n", time_of_day(eta), span(rest)),
    }
}

/// Forces members up or down; 1 if the server cannot be reached or refuses.
///
/// # Errors
/// If `out` or `err` cannot be written to.
pub fn force(force: &Force, as_json: bool, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    let action = match force.state {
        ForceState::Up => "up",
        ForceState::Down => "down",
    };
    let wanted = json!({
        "glob": force.glob,
        "action": action,
        "for": force.lasts,
        "reason": force.why,
        "actor": actor(),
        "break_glass": force.break_glass,
    });
    let answer = asking::change(&force.server, Method::Put, "/v1/overrides", &[], &wanted);
    let until = force.lasts.as_ref().map_or_else(|| "until lifted".to_owned(), |lasts| format!("for {lasts}"));
    show(answer, as_json, out, err, |forced| {
        let count = forced["members"].as_u64().unwrap_or_default();
        format!("{count} {} forced {action} {until}\n", if count == 1 { "member" } else { "members" })
    })
}

/// Lifts drains and forces; 1 if the server cannot be reached, or if there were none.
///
/// # Errors
/// If `out` or `err` cannot be written to.
pub fn unforce(unforce: &Unforce, as_json: bool, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    let glob = [("glob", unforce.glob.clone())];
    let answer = asking::change(&unforce.server, Method::Delete, "/v1/overrides", &glob, &Value::Null);
    let answer = answer.and_then(|lifted| match lifted.get("lifted").and_then(Value::as_u64) {
        Some(0) => Err(format!("nothing is decided of {}", unforce.glob)),
        _ => Ok(lifted),
    });
    show(answer, as_json, out, err, |lifted| {
        let count = lifted["lifted"].as_u64().unwrap_or_default();
        format!("{count} {} lifted\n", if count == 1 { "override" } else { "overrides" })
    })
}

/// Who says so: the user's name on this machine, as it is told.
pub(super) fn actor() -> String {
    let named = ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    named.filter(|name| !name.is_empty() && name.len() <= 64).unwrap_or_else(|| "command line".to_owned())
}

/// How the pools of `/v1/pools` stand, for people.
pub(super) fn text(pools: &Value, now: u64) -> String {
    let mut text = String::new();
    for pool in list(&pools["pools"]) {
        text.extend(["\npool ", word(&pool["pool"]), "\n"]);
        let mut rows = vec![["member", "state", "real state", "since", "last probe"].map(ToOwned::to_owned).to_vec()];
        for member in list(&pool["members"]) {
            let since = member["since"].as_u64().filter(|since| *since > 0);
            rows.push(vec![
                word(&member["member"]).to_owned(),
                word(&member["state"]).to_owned(),
                word(&member["real_state"]).to_owned(),
                since.map_or_else(|| "-".to_owned(), |since| span(now.saturating_sub(since))),
                last_probe(member, now),
            ]);
        }
        text.push_str(&table(&rows));
        for member in list(&pool["members"]) {
            text.extend(override_text(member, now));
        }
    }
    text
}

fn last_probe(member: &Value, now: u64) -> String {
    let checks = list(&member["checks"]);
    let latest = checks
        .filter(|check| check.pointer("/last").is_some_and(Value::is_object))
        .max_by_key(|check| check.pointer("/last/at").and_then(Value::as_u64));
    let Some(check) = latest else { return "-".to_owned() };
    let last = &check["last"];
    let outcome = match last["is_good"].as_bool() {
        Some(true) => "good",
        Some(false) => "bad",
        None => "untold",
    };
    let ago = span(now.saturating_sub(last["at"].as_u64().unwrap_or(now)));
    let took = last["took_ms"].as_f64().unwrap_or_default();
    format!("{} {outcome} {ago} ago in {took:.0} ms: {}", word(&check["check"]), word(&last["why"]))
}

fn override_text(member: &Value, now: u64) -> Option<String> {
    let decided = member["override"].as_object().map(|_| &member["override"])?;
    let until = match decided["until"].as_u64() {
        Some(until) => format!("until {}, {} from now", time_of_day(until), span(until.saturating_sub(now))),
        None => "until lifted".to_owned(),
    };
    let empty = member["eta"].as_u64().filter(|eta| *eta > now);
    let empty = empty.map(|eta| format!("; empty at {}, in {}", time_of_day(eta), span(eta - now)));
    Some(format!(
        "  {}: {} by {} ({}), \"{}\", {until}{}\n",
        word(&member["member"]),
        word(&decided["action"]),
        word(&decided["actor"]),
        word(&decided["glob"]),
        word(&decided["reason"]),
        empty.unwrap_or_default(),
    ))
}

pub(super) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

pub(super) fn word(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

/// The time of day of calendar seconds.
pub(super) fn time_of_day(seconds: u64) -> String {
    let day = seconds % 86_400;
    format!("{:02}:{:02}:{:02} UTC", day / 3_600, day / 60 % 60, day % 60)
}

/// A span of time in its two largest units.
pub(super) fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_eta_is_a_time_and_a_span() {
        assert_eq!(
            eta_text("www/fra", 52_330 + 86_400, 52_285 + 86_400),
            "fra will be empty at 14:32:10 UTC, in 45 s\n"
        );
        assert_eq!(eta_text("www/*", 86_400, 86_340), "www/* will be empty at 00:00:00 UTC, in 1 min 0 s\n");
        assert_eq!(eta_text("www/fra", 5, 5), "fra is empty: no answer that holds it is left\n");
    }

    #[test]
    fn pools_are_shown_with_what_is_known_of_each_member() {
        let pools = json!({"pools": [{"pool": "www", "members": [
            {"member": "fra", "state": "DRAINING", "real_state": "HEALTHY", "since": 990, "eta": 1_045, "checks": [
                {"check": "web", "last": {"is_good": true, "at": 997, "took_ms": 31.2, "why": "200 OK"}}],
             "override": {"action": "drain", "glob": "www/fra", "actor": "ann", "reason": "disk", "since": 990,
                          "until": 4_600}},
            {"member": "static", "state": "HEALTHY", "real_state": "HEALTHY", "since": 0, "checks": []},
        ]}]});
        assert_eq!(
            text(&pools, 1_000),
            "\npool www\n\
             \x20 member  state     real state  since  last probe\n\
             \x20 fra     DRAINING  HEALTHY     10 s   web good 3 s ago in 31 ms: 200 OK\n\
             \x20 static  HEALTHY   HEALTHY     -      -\n\
             \x20 fra: drain by ann (www/fra), \"disk\", until 01:16:40 UTC, 1 h 0 min from now; empty at 00:17:25 UTC, \
             in 45 s\n"
        );
    }
}
