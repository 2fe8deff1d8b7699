//! The commands that talk to a running server's admin address: `status`, `ready`,
//! `reload`, `flush`, `explain --server`.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::asking::{Answer, Method, change, get, post, show};
use super::{pools, reloading, trust};
use crate::app::cli::{Explain, Flush, Reload, Server};
use crate::app::config::{self, Machine};
use crate::app::serve::explain as explanation;
use crate::edge::clock::wall_seconds;

/// Prints how a running server fares; 1 if it cannot be reached.
///
/// # Errors
/// If `out` or `err` cannot be written to.
pub fn status(server: &Server, as_json: bool, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    let status = get(server, "/v1/status", &[]).map(|mut status| {
        // What is told without pools, as by a server that steers nothing, is told all the same.
        let pools = get(server, "/v1/pools", &[]).ok().and_then(|mut told| told.get_mut("pools").map(Value::take));
        if let (Some(pools), Some(status)) = (pools, status.as_object_mut()) {
            status.insert("pools".to_owned(), pools);
        }
        status
    });
    show(status, as_json, out, err, |status| {
        let shown = |at: &str| status.pointer(at).map_or_else(|| "?".to_owned(), ToString::to_string);
        let mut text = format!(
            "meridian {}: {}, up {} s, workers: {}, cache: {} entries in {} octets\n",
            status["version"].as_str().unwrap_or("?"),
            if status["ready"].as_bool().unwrap_or(false) { "ready" } else { "not ready" },
            shown("/uptime_seconds"),
            shown("/workers"),
            shown("/cache/entries"),
            shown("/cache/bytes"),
        );
        text += &reloading::status(&status["reload"], wall_seconds());
        for (name, count) in status["counted"].as_object().into_iter().flatten() {
            if count.as_u64() != Some(0) {
                text.extend(["  ", &format!("{name:<28} {count}"), "\n"]);
            }
        }
        text + &trust::exceptions(status, wall_seconds()) + &pools::text(status, wall_seconds())
    })
}

/// Tells whether a running server answers queries; 1 if not, or if it cannot be reached.
///
/// # Errors
/// If `out` or `err` cannot be written to.
pub fn ready(server: &Server, as_json: bool, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    show(get(server, "/ready", &[]).map(|_| json!({ "ready": true })), as_json, out, err, |_| "ready\n".into())
}

/// Makes a running server read its configuration again, or say what that would change; 1 if it cannot be asked, 2 with
/// faults.
///
/// # Errors
/// If `out` or `err` cannot be written to.
pub fn reload(wanted: &Reload, as_json: bool, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    let Reload { dry_run, server } = wanted;
    match post(server, "/v1/reload", &json!({ "dry_run": dry_run })) {
        Ok(Answer::Done(told)) => show(Ok(told), as_json, out, err, reloading::text),
        Ok(Answer::Refused(told)) if told.get("faults").and_then(Value::as_array).is_some_and(|it| !it.is_empty()) => {
            if as_json {
                writeln!(out, "{told:#}")?;
            } else {
                write!(err, "{}", reloading::faults(&told))?;
            }
            Ok(2)
        }
        Ok(Answer::Refused(told)) => {
            let why = told.get("error").and_then(Value::as_str).map_or_else(|| told.to_string(), str::to_owned);
            show(Err(format!("{}: {why}", server.server)), as_json, out, err, |_| String::new())
        }
        Err(fault) => show(Err(fault), as_json, out, err, |_| String::new()),
    }
}

/// Makes a running server forget a name; 1 if it cannot be reached.
///
/// # Errors
/// If `out` or `err` cannot be written to.
pub fn flush(flush: &Flush, as_json: bool, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    let wanted = json!({
        "name": flush.name.to_string(),
        "subtree": flush.subtree,
        "type": flush.rtype.map(|rtype| rtype.to_string()),
    });
    show(change(&flush.server, Method::Post, "/v1/cache/flush", &[], &wanted), as_json, out, err, |flushed| {
        let count = &flushed["flushed"];
        format!("{count} {} forgotten\n", if count == 1 { "entry" } else { "entries" })
    })
}

/// Explains an answer: by a running server, or here by a configuration; 1 if neither can, 2 with faults.
///
/// # Errors
/// If `out` or `err` cannot be written to.
pub fn explain(
    explain: &Explain,
    machine: &Machine,
    as_json: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<u8> {
    if let Some(server) = &explain.server {
        let mut fields = vec![("name", explain.name.to_string()), ("type", explain.rtype.to_string())];
        fields.extend(explain.client.map(|client| ("client", client.to_string())));
        let server = Server { server: server.clone(), token_file: explain.token_file.clone() };
        return show(get(&server, "/v1/explain", &fields), as_json, out, err, explanation::text);
    }
    let checked = match &explain.config {
        Some(file) => config::read(file, machine),
        None => config::builtin(machine),
    };
    match checked {
        Ok(checked) => {
            let explained =
                crate::app::serve::explain_once(&checked.config, &explain.name, explain.rtype, explain.client);
            show(explained, as_json, out, err, explanation::text)
        }
        Err(faults) => {
            for fault in faults {
                writeln!(err, "{fault}")?;
            }
            Ok(2)
        }
    }
}
