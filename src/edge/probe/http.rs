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
