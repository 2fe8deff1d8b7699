//! HTTP/1.1 as probes and feeds need it: one request on a connection of its own, no redirect, a bounded body.

use std::future::Future;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONNECTION, HOST, USER_AGENT};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Finding, Probed, Target, connect, tls};
use crate::base::bounds;
use crate::steer::health::HttpProbe;

/// Octets of a response's header section.
const HEADER_MAX: usize = 64 * 1024;

/// A server's answer: its status, and of its body as much as was wanted.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

/// A request to be made of a target.
pub(super) struct Asking<'a> {
    pub(super) is_tls: bool,
    pub(super) verifies: bool,
    pub(super) roots: Option<&'a std::path::Path>,
    pub(super) port: u16,
    pub(super) method: &'static str,
    pub(super) path: &'a str,
    pub(super) host: Option<&'a str>,
}

pub(super) async fn probe(probe: &HttpProbe, target: &Target, trust: &tls::Trust) -> Probed<Finding> {
    let HttpProbe { is_tls, verifies, roots, port, method, path, host, .. } = probe;
    let (is_tls, verifies, port) = (*is_tls, *verifies, *port);
    let asking = Asking { is_tls, verifies, roots: roots.as_deref(), port, method, path, host: host.as_deref() };
    let wanted = probe.body.as_deref().map(str::as_bytes);
    // A body is read for the sake of what it must have in it, and no further than there.
    let is_enough = |body: &[u8]| wanted.is_none_or(|wanted| has(body, wanted));
    let answer = ask(&asking, target, trust, is_enough).await?;
    let status = answer.status;
    if !probe.statuses.iter().any(|(first, last)| (*first..=*last).contains(&status)) {
        return Ok(Finding::bad(format_args!("status {status}")));
    }
    if wanted.is_some_and(|wanted| !has(&answer.body, wanted)) {
        return Ok(Finding::bad(format_args!("status {status}, but the body lacks the expected text")));
    }
    Ok(Finding::good(format_args!("status {status}")))
}

fn has(body: &[u8], wanted: &[u8]) -> bool {
    wanted.is_empty() || body.windows(wanted.len()).any(|window| window == wanted)
}

/// Makes a request; reads the body until it ends, `is_enough`, or [`bounds::CHECK_BODY_MAX`] octets are there.
pub(super) async fn ask(
    asking: &Asking<'_>,
    target: &Target,
    trust: &tls::Trust,
    is_enough: impl Fn(&[u8]) -> bool,
) -> Probed<Answer> {
    let request = compose(asking, target)?;
    let config = if asking.is_tls { Some(trust.config(asking.verifies, asking.roots).await?) } else { None };
    let stream = connect(target, asking.port).await?;
    match config {
        None => exchange(stream, request, is_enough).await,
        Some(config) => {
            let name = asking.host.map_or_else(|| target.to_string(), |host| without_port(host).to_owned());
            exchange(tls::shake_hands(stream, config, &name).await?, request, is_enough).await
        }
    }
}

/// What a URL says.
struct Place<'u> {
    is_tls: bool,
    host: &'u str,
    port: u16,
    path: &'u str,
}

fn parse_url(url: &str) -> Option<Place<'_>> {
    let (is_tls, rest) = match url.strip_prefix("https://") {
        Some(rest) => (true, rest),
        None => (false, url.strip_prefix("http://")?),
    };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let behind = host.get(host.rfind(']').map_or(0, |bracket| bracket + 1)..)?;
    let port = match behind.rsplit_once(':') {
        Some((_, port)) => port.parse().ok()?,
        None if is_tls => 443,
        None => 80,
    };
    let path = if path.is_empty() { "/" } else { path };
    (!without_port(host).is_empty()).then_some(Place { is_tls, host, port, path })
}

/// Fetches a number: the whole body, or what stands in a JSON body at the end of the way `field`.
pub(super) async fn fetch(url: &str, field: &[Box<str>], trust: &tls::Trust) -> Probed<f64> {
    let place = parse_url(url).ok_or_else(|| Finding::untold(format_args!("{url:?} is no URL")))?;
    let host = without_port(place.host);
    let target = host.parse().map_or_else(|_| Target::Host(host.into()), Target::Address);
    let Place { is_tls, port, path, .. } = place;
    let host = Some(place.host);
    let asking = Asking { is_tls, verifies: true, roots: None, port, method: "GET", path, host };
    let answer = ask(&asking, &target, trust, |_| false).await?;
    if !(200..300).contains(&answer.status) {
        return Err(Finding::bad(format_args!("status {}", answer.status)));
    }
    number(&answer.body, field).ok_or_else(|| Finding::bad("there is no number where one is expected"))
}

fn number(body: &[u8], field: &[Box<str>]) -> Option<f64> {
    if field.is_empty() {
        return std::str::from_utf8(body).ok()?.trim().parse().ok().filter(|number: &f64| number.is_finite());
    }
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let value = field.iter().try_fold(&body, |value, key| match value {
        serde_json::Value::Array(list) => list.get(key.parse::<usize>().ok()?),
        other => other.get(&**key),
    })?;
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok()).filter(|number| number.is_finite())
}

fn compose(asking: &Asking<'_>, target: &Target) -> Probed<Request<Empty<Bytes>>> {
    let usual = if asking.is_tls { 443 } else { 80 };
    let host = asking.host.map_or_else(
        || {
            let host = match target {
                Target::Address(std::net::IpAddr::V6(address)) => format!("[{address}]"),
                other => other.to_string().trim_end_matches('.').to_owned(),
            };
            if asking.port == usual { host } else { format!("{host}:{}", asking.port) }
        },
        str::to_owned,
    );
    Request::builder()
        .method(asking.method)
        .uri(asking.path)
        .header(HOST, host)
        .header(USER_AGENT, concat!("meridian/", env!("CARGO_PKG_VERSION")))
        .header(ACCEPT, "*/*")
        .header(CONNECTION, "close")
        .body(Empty::new())
        .map_err(|fault| Finding::untold(format_args!("the request cannot be made: {fault}")))
}

/// `host` of `host`, `host:port`, `[v6]`, `[v6]:port`.
fn without_port(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    match host.rsplit_once(':') {
        Some((name, _)) if !name.contains(':') => name,
        _ => host,
    }
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    request: Request<Empty<Bytes>>,
    is_enough: impl Fn(&[u8]) -> bool,
) -> Probed<Answer> {
    let broken = |fault: hyper::Error| Finding::bad(format_args!("HTTP: {}", in_words(&fault)));
    let handshake = http1::Builder::new().max_buf_size(HEADER_MAX).handshake(TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.map_err(broken)?;
    let talk = async {
        let response = sender.send_request(request).await.map_err(broken)?;
        read(response, is_enough).await
    };
    drive(connection, talk).await
}

/// Runs `talk` while `connection` moves its bytes. The connection may end first: the response then lies ready.
async fn drive<T>(connection: impl Future, talk: impl Future<Output = T>) -> T {
    let moving = async {
        connection.await;
        std::future::pending::<std::convert::Infallible>().await
    };
    tokio::select! {
        done = talk => done,
        never = moving => match never {},
    }
}

async fn read(mut response: Response<Incoming>, is_enough: impl Fn(&[u8]) -> bool) -> Probed<Answer> {
    let mut body = Vec::new();
    while body.len() < bounds::CHECK_BODY_MAX && !is_enough(&body) {
        let Some(frame) = response.body_mut().frame().await else { break };
        let frame = frame.map_err(|fault| Finding::bad(format_args!("HTTP: {}", in_words(&fault))))?;
        let Ok(data) = frame.into_data() else { continue };
        body.extend(data.iter().take(bounds::CHECK_BODY_MAX - body.len()));
    }
    Ok(Answer { status: response.status().as_u16(), body })
}

/// A fault with its cause, which hyper keeps apart.
fn in_words(fault: &hyper::Error) -> String {
    match std::error::Error::source(fault) {
        Some(cause) => format!("{fault}: {cause}"),
        None => fault.to_string(),
    }
}

#[cfg(test)]
mod unit_tests {
    use super::*;

    #[test]
    fn a_url_names_its_place() {
        let parsed = |url| parse_url(url).map(|place| (place.is_tls, place.host, place.port, place.path));
        assert_eq!(parsed("http://192.0.2.1/load"), Some((false, "192.0.2.1", 80, "/load")));
        assert_eq!(parsed("https://www.example:8443"), Some((true, "www.example:8443", 8443, "/")));
        assert_eq!(parsed("http://[2001:db8::1]:9/x?y"), Some((false, "[2001:db8::1]:9", 9, "/x?y")));
        assert_eq!(parsed("http://[2001:db8::1]/"), Some((false, "[2001:db8::1]", 80, "/")));
        for bad in ["ftp://x/", "http:///path", "http://x:99999/", "www.example", "http://x:port/"] {
            assert_eq!(parsed(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_number_is_the_body_or_stands_in_it() {
        let at = |body: &str, field: &[&str]| {
            number(body.as_bytes(), &field.iter().map(|key| (*key).into()).collect::<Vec<Box<str>>>())
        };
        assert_eq!(at(" 0.75\n", &[]), Some(0.75));
        assert_eq!(at("{\"cpu\": 12}", &["cpu"]), Some(12.0));
        assert_eq!(at("{\"a\": [{\"b\": \"3.5\"}]}", &["a", "0", "b"]), Some(3.5));
        for (body, field) in [("busy", &[][..]), ("NaN", &[]), ("{\"cpu\": null}", &["cpu"]), ("{}", &["cpu"])] {
            assert_eq!(at(body, field), None, "{body}");
        }
        let deep = "[".repeat(60_000);
        assert_eq!(at(&deep, &["0"]), None, "nesting is bounded");
    }

    #[test]
    fn a_host_may_have_a_port() {
        for (host, name) in [
            ("www.example", "www.example"),
            ("www.example:8443", "www.example"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
        ] {
            assert_eq!(without_port(host), name);
        }
    }
}
