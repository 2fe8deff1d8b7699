//! The way to a cluster's API: where it is, who we are there, and how one asks.
//!
//! Of the client library we take what knows of credentials and TLS. Requests are made, and responses read, octet by octet
//! in [`list`](super::list) and [`stream`](super::stream), because nothing of the size of a cluster may be held.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, RETRY_AFTER};
use hyper::{Request, Response};
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::decode::{self, Status};
use super::meter::Meter;
use crate::base::{Clock, bounds};
use crate::edge::clock::MachineClock;
use crate::edge::files;

/// Octets kept of what the API says in its own words.
const WORDS_MAX: usize = 300;

/// Where the API is, and who we are there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Api {
    /// As every pod is told: by its environment and its service account.
    InCluster,
    /// As a kubeconfig file says, in its current context or the one named.
    Kubeconfig {
        /// The file.
        file: PathBuf,
        /// The context.
        context: Option<String>,
    },
    /// At a URL, without credentials: a proxy that has them.
    Url(String),
}

/// Told in logs and in the snapshot's head.
impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InCluster => f.write_str("in-cluster"),
            Self::Kubeconfig { file, context: None } => write!(f, "{}", file.display()),
            Self::Kubeconfig { file, context: Some(context) } => write!(f, "{} ({context})", file.display()),
            Self::Url(url) => f.write_str(url),
        }
    }
}

/// Why there is no answer, or no useful one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// There are no credentials, or no server: what was said of it.
    Unreachable(String),
    /// Nothing came in time.
    Silent,
    /// The connection broke off in the middle.
    Broken(String),
    /// The response is not what the API sends.
    Unfit,
    /// The API refuses.
    Refused(Status),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => write!(f, "unreachable: {why}"),
            Self::Silent => f.write_str("silent"),
            Self::Broken(why) => write!(f, "broken off: {why}"),
            Self::Unfit => f.write_str("not what an API server sends"),
            Self::Refused(status) if status.text.is_empty() => write!(f, "status {}", status.code),
            Self::Refused(status) => write!(f, "status {}: {}", status.code, status.text),
        }
    }
}

/// Something said in the library's words: with its causes, and not too long.
fn words(fault: &dyn std::error::Error) -> String {
    let mut text = fault.to_string();
    let mut cause = fault.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    shorten(&text)
}

pub(super) fn shorten(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(WORDS_MAX).collect()
}

/// Whoever asks the API; all who watch share one, and so its connections and credentials.
pub(super) struct Access {
    api: Api,
    client: Mutex<Option<Client>>,
    clock: MachineClock,
}

impl Access {
    pub(super) fn new(api: Api, clock: MachineClock) -> Self {
        Self { api, client: Mutex::new(None), clock }
    }

    async fn client(&self) -> Result<Client, Fault> {
        let mut kept = self.client.lock().await;
        if let Some(client) = kept.as_ref() {
            return Ok(client.clone());
        }
        let mut config = config(&self.api).await?;
        if config.cluster_url.scheme_str() == Some("http") {
            // Nothing is to be verified; without a word of it, the system's roots have to be there.
            config.root_cert.get_or_insert_default();
        }
        // When to ask again is decided by who knows what for.
        config.default_retry = false;
        let client = Client::try_from(config).map_err(|fault| Fault::Unreachable(words(&fault)))?;
        *kept = Some(client.clone());
        Ok(client)
    }

    /// Reads the credentials anew before the next request.
    async fn forget(&self) {
        *self.client.lock().await = None;
    }

    /// Asks for `path` with the members of `query`. What comes back begins a body of JSON.
    pub(super) async fn ask(&self, path: &str, query: &[(&str, &str)], meter: &Meter) -> Result<Body, Fault> {
        let client = self.client().await?;
        let request = Request::get(target(path, query))
            .header(ACCEPT, "application/json")
            // Events that wait in a compressor come late.
            .header(ACCEPT_ENCODING, "identity")
            .body(Body::empty())
            .map_err(|fault| Fault::Unreachable(words(&fault)))?;
        let begun = self.clock.now();
        let response = timeout(bounds::CLUSTER_RESPONSE, client.send(request)).await;
        let took = self.clock.now().since(begun);
        let response = match response {
            Err(_) => {
                meter.note_request(0, took);
                return Err(Fault::Silent);
            }
            Ok(Err(fault)) => {
                meter.note_request(0, took);
                // A kubeconfig may name another server by now, or fresher credentials.
                self.forget().await;
                return Err(Fault::Unreachable(words(&fault)));
            }
            Ok(Ok(response)) => response,
        };
        let code = response.status().as_u16();
        meter.note_request(code, took);
        if response.status().is_success() {
            return Ok(response.into_body());
        }
        if code == 401 {
            self.forget().await;
        }
        Err(Fault::Refused(refusal(response).await))
    }
}

async fn config(api: &Api) -> Result<Config, Fault> {
    match api {
        Api::InCluster => Config::incluster().map_err(|fault| Fault::Unreachable(words(&fault))),
        Api::Url(url) => Ok(Config::new(url.parse().map_err(|fault| Fault::Unreachable(words(&fault)))?)),
        Api::Kubeconfig { file, context } => {
            let (text, _) = files::read_text(file)
                .map_err(|fault| Fault::Unreachable(shorten(&format!("{}: {fault}", file.display()))))?;
            drop(text); // read for its bound and a plain message; the library resolves paths beside the file
            let kubeconfig = Kubeconfig::read_from(file).map_err(|fault| Fault::Unreachable(words(&fault)))?;
            let options = KubeConfigOptions { context: context.clone(), ..KubeConfigOptions::default() };
            let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
            config.map_err(|fault| Fault::Unreachable(words(&fault)))
        }
    }
}

/// Reads what a refusal says, as far as it comes in time and in bounds.
async fn refusal(response: Response<Body>) -> Status {
    let code = response.status().as_u16();
    let header = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let bidden = header.and_then(|seconds| seconds.trim().parse().ok());
    let mut body = response.into_body();
    let mut text = Vec::new();
    while let Ok(Some(octets)) = read(&mut body, bounds::CLUSTER_RESPONSE).await {
        text.extend_from_slice(&octets);
        if text.len() > bounds::CLUSTER_ENVELOPE_MAX {
            break;
        }
    }
    let told = decode::status(&text);
    Status { code, text: told.text, retry_after: bidden.or(told.retry_after) }
}

/// The next octets of a body, which come within `patience`; none at its end.
pub(super) async fn read(body: &mut Body, patience: Duration) -> Result<Option<Bytes>, Fault> {
    loop {
        match timeout(patience, body.frame()).await {
            Err(_) => return Err(Fault::Silent),
            Ok(None) => return Ok(None),
            Ok(Some(Err(fault))) => return Err(Fault::Broken(words(&fault))),
            Ok(Some(Ok(frame))) => {
                if let Ok(octets) = frame.into_data() {
                    return Ok(Some(octets));
                }
            }
        }
    }
}

/// The path with its query, whose values may have any octets.
fn target(path: &str, query: &[(&str, &str)]) -> String {
    let mut target = path.to_owned();
    for (at, (name, value)) in query.iter().enumerate() {
        target.push(if at == 0 { '?' } else { '&' });
        target.push_str(name);
        target.push('=');
        for octet in value.bytes() {
            if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
                target.push(char::from(octet));
            } else {
                target.extend(['%', hex(octet >> 4), hex(octet & 0xF)]);
            }
        }
    }
    target
}

/// A hexadecimal digit of four bits.
fn hex(bits: u8) -> char {
    char::from_digit(u32::from(bits), 16).unwrap_or_default().to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_may_have_any_octets() {
        let query = [("limit", "500"), ("labelSelector", "app in (a, b),!c"), ("continue", "e+/=é")];
        assert_eq!(
            target("/api", &query),
            "/api?limit=500&labelSelector=app%20in%20%28a%2C%20b%29%2C%21c&continue=e%2B%2F%3D%C3%A9"
        );
        assert_eq!(target("/api", &[]), "/api");
    }

    #[tokio::test]
    async fn credentials_that_are_not_there_are_told_in_plain_words() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("none");
        let fault = config(&Api::Kubeconfig { file, context: None }).await.unwrap_err();
        assert!(fault.to_string().contains("none: No such file"), "{fault}");
        assert!(matches!(config(&Api::Url("no url".into())).await, Err(Fault::Unreachable(_))));
    }
}
