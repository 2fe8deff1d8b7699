//! Asking a running server at its admin address: what stands there, and that it is changed.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::Value;

use crate::app::cli::Server;
use crate::base::bounds;

/// A resolution ends within 6 s; then the answer must be on its way.
const PATIENCE: Duration = Duration::from_secs(10);
/// A reload ends when it does, or when the server says that it is too late; one that is gone breaks the connection.
const PATIENCE_RELOADING: Duration = bounds::RELOAD_DEADLINE.saturating_add(PATIENCE);

/// Prints what a server said, as `text` or as JSON; 1 if it could not be asked or refused.
pub(super) fn show(
    answer: Result<Value, String>,
    as_json: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
    text: impl Fn(&Value) -> String,
) -> io::Result<u8> {
    match answer {
        Ok(value) if as_json => writeln!(out, "{value:#}").map(|()| 0),
        Ok(value) => write!(out, "{}", text(&value)).map(|()| 0),
        Err(fault) => writeln!(err, "meridian: {fault}").map(|()| 1),
    }
}

/// Asks `server` for what stands at `path`.
pub(super) fn get(server: &Server, path: &str, fields: &[(&str, String)]) -> Result<Value, String> {
    let mut request = agent(PATIENCE).get(&url(&server.server, path)).query_pairs(pairs(fields));
    if let Some(token) = bearer(server)? {
        request = request.header("authorization", token);
    }
    read(&server.server, request.call())
}

/// How something is changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Method {
    Post,
    Put,
    Delete,
}

/// Asks `server` for a change.
pub(super) fn change(
    server: &Server,
    method: Method,
    path: &str,
    fields: &[(&str, String)],
    body: &Value,
) -> Result<Value, String> {
    let (agent, at, token) = (agent(PATIENCE), url(&server.server, path), bearer(server)?);
    if method == Method::Delete {
        let mut request = agent.delete(&at).query_pairs(pairs(fields));
        if let Some(token) = token {
            request = request.header("authorization", token);
        }
        return read(&server.server, request.call());
    }
    let mut request = if method == Method::Put { agent.put(&at) } else { agent.post(&at) };
    request = request.query_pairs(pairs(fields)).header("content-type", "application/json");
    if let Some(token) = token {
        request = request.header("authorization", token);
    }
    read(&server.server, request.send(body.to_string()))
}

/// What a server said.
pub(super) enum Answer {
    Done(Value),
    Refused(Value),
}

/// Asks `server` to do something; what it says is JSON either way.
pub(super) fn post(server: &Server, path: &str, body: &Value) -> Result<Answer, String> {
    let unreachable = |fault: ureq::Error| format!("{} cannot be asked: {fault}", server.server);
    let agent = agent(PATIENCE_RELOADING);
    let mut request = agent.post(url(&server.server, path)).header("content-type", "application/json");
    if let Some(token) = bearer(server)? {
        request = request.header("authorization", token);
    }
    let mut response = request.send(body.to_string()).map_err(unreachable)?;
    let said = response.body_mut().read_to_string().map_err(unreachable)?;
    let said = serde_json::from_str(&said).unwrap_or(Value::String(said));
    Ok(if response.status().is_success() { Answer::Done(said) } else { Answer::Refused(said) })
}

fn pairs<'a>(fields: &'a [(&str, String)]) -> impl Iterator<Item = (&'a str, &'a str)> {
    fields.iter().map(|(key, value)| (*key, value.as_str()))
}

/// The header that says that we may.
fn bearer(server: &Server) -> Result<Option<String>, String> {
    let Some(path) = &server.token_file else { return Ok(None) };
    let text = std::fs::read_to_string(path).map_err(|fault| format!("{}: {fault}", path.display()))?;
    Ok(Some(format!("Bearer {}", text.trim())))
}

fn agent(patience: Duration) -> ureq::Agent {
    let config = ureq::Agent::config_builder().timeout_global(Some(patience)).timeout_connect(Some(PATIENCE));
    ureq::Agent::new_with_config(config.http_status_as_error(false).build())
}

fn url(server: &str, path: &str) -> String {
    format!("{}{path}", server.trim_end_matches('/'))
}

fn read(server: &str, response: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Value, String> {
    let unreachable = |fault: ureq::Error| format!("{server} cannot be asked: {fault}");
    let mut response = response.map_err(unreachable)?;
    let body = response.body_mut().read_to_string().map_err(unreachable)?;
    let value: Value = serde_json::from_str(&body).unwrap_or(Value::Null);
    if response.status().is_success() {
        Ok(value)
    } else {
        Err(format!("{server}: {}", value.get("error").and_then(Value::as_str).unwrap_or(&body)))
    }
}
