//! Probes: what a check does to its target, within its time and within bounds, and what that found.
//!
//! What comes in is a [`Target`] and a plain description, [`Probe`]; what leaves is a [`Finding`]. Trouble of our own
//! (no route, no descriptor, no permission) is told apart from the target's: it is no sign of death. No redirect is
//! followed, nothing is read past its bound, and everything ends with the deadline.
#![forbid(unsafe_code)]

mod command;
mod dns;
mod file;
mod http;
mod icmp;
mod tcp;
mod tls;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::base::{Dice, bounds};
use crate::steer::health::Probe;

/// What is probed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Target {
    /// An address.
    Address(IpAddr),
    /// A host by name, looked up by the system's resolver for every probe; it is reached if one of its addresses is.
    Host(Box<str>),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Host(host) => f.write_str(host),
        }
    }
}

/// Whom a probe is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Subject {
    /// What is probed.
    pub target: Target,
    /// The pool.
    pub pool: Box<str>,
    /// Its member.
    pub member: Box<str>,
}

impl Subject {
    /// `text` with `{member}`, `{pool}` and `{address}` replaced.
    #[must_use]
    pub fn fill(&self, text: &str) -> String {
        // No pool's or member's name holds a brace.
        text.replace("{member}", &self.member)
            .replace("{pool}", &self.pool)
            .replace("{address}", &self.target.to_string())
    }
}

/// What a probe found, and in words why, at most [`bounds::CHECK_WHY_MAX`] octets on one line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Finding {
    /// The target did what is expected of it.
    Good(String),
    /// It did not.
    Bad(String),
    /// Nothing is known of the target: the trouble is ours.
    Untold(String),
}

impl Finding {
    fn good(why: impl fmt::Display) -> Self {
        Self::Good(line(&why.to_string()))
    }

    fn bad(why: impl fmt::Display) -> Self {
        Self::Bad(line(&why.to_string()))
    }

    fn untold(why: impl fmt::Display) -> Self {
        Self::Untold(line(&why.to_string()))
    }

    /// Whether the target is alive; none where nothing is known.
    #[must_use]
    pub const fn is_good(&self) -> Option<bool> {
        match self {
            Self::Good(_) => Some(true),
            Self::Bad(_) => Some(false),
            Self::Untold(_) => None,
        }
    }

    /// Why, in words.
    #[must_use]
    pub fn why(&self) -> &str {
        match self {
            Self::Good(why) | Self::Bad(why) | Self::Untold(why) => why,
        }
    }
}

/// A text of strangers as one short line.
fn line(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }) {
        if out.len() + letter.len_utf8() > bounds::CHECK_WHY_MAX {
            break;
        }
        out.push(letter);
    }
    out.trim().to_owned()
}

/// A probe that did not come to its end is a finding too; by `?` it goes straight there.
type Probed<T> = Result<T, Finding>;

/// Who probes. What it keeps between probes: trust in certificates, and files that were read.
pub struct Prober {
    trust: tls::Trust,
    files: file::Files,
    dice: Mutex<Dice>,
}

impl fmt::Debug for Prober {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prober").finish_non_exhaustive()
    }
}

impl Prober {
    /// A prober that draws ids and nonces from `dice`.
    #[must_use]
    pub fn new(dice: Dice) -> Self {
        Self { trust: tls::Trust::default(), files: file::Files::default(), dice: Mutex::new(dice) }
    }

    /// Reads the files of roots again from now on.
    pub fn forget_trust(&self) {
        self.trust.forget();
    }

    /// Probes; done within `within`.
    pub async fn probe(&self, probe: &Probe, subject: &Subject, within: Duration) -> Finding {
        match timeout(within, self.run(probe, subject)).await {
            Ok(Ok(finding) | Err(finding)) => finding,
            Err(_) => Finding::bad(format_args!("not done within {within:?}")),
        }
    }

    /// Fetches a number from `url` (http or https); done within `within`. With a `field` the body is JSON, and the
    /// number stands at the end of that way through it.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn fetch(&self, url: &str, field: &[Box<str>], within: Duration) -> Result<f64, String> {
        match timeout(within, http::fetch(url, field, &self.trust)).await {
            Ok(fetched) => fetched.map_err(|finding| finding.why().to_owned()),
            Err(_) => Err(format!("not done within {within:?}")),
        }
    }

    async fn run(&self, probe: &Probe, subject: &Subject) -> Probed<Finding> {
        let target = &subject.target;
        match probe {
            Probe::Http(probe) => http::probe(probe, target, &self.trust).await,
            Probe::Tcp { port, send, expect } => tcp::probe(target, *port, send.as_deref(), expect.as_deref()).await,
            Probe::Tls { port, server_name, verifies, roots } => {
                let config = self.trust.config(*verifies, roots.as_deref()).await?;
                let stream = connect(target, *port).await?;
                let name = server_name.as_deref().map_or_else(|| target.to_string(), str::to_owned);
                tls::shake_hands(stream, config, &name).await.map(|_| Finding::good("handshake done"))
            }
            Probe::Dns { port, name, rtype, rcode, is_tcp } => {
                let asking = dns::Asking { name, rtype: *rtype, rcode: *rcode, id: self.bits() as u16 };
                dns::probe(target, *port, &asking, *is_tcp).await
            }
            Probe::Icmp => icmp::probe(target, self.bits()).await,
            Probe::Command { program, arguments } => command::probe(program, arguments, subject).await,
            Probe::File { path, age_max } => self.files.probe(path, *age_max, subject).await,
            Probe::Push { .. } => Ok(Finding::untold("results are pushed")),
        }
    }

    fn bits(&self) -> u64 {
        self.dice.lock().unwrap_or_else(PoisonError::into_inner).bits()
    }
}

/// The addresses of a target.
async fn addresses(target: &Target, port: u16) -> Probed<Vec<SocketAddr>> {
    match target {
        Target::Address(address) => Ok(vec![SocketAddr::new(*address, port)]),
        Target::Host(host) => {
            let looked_up = tokio::net::lookup_host((&**host, port)).await;
            let found = looked_up.map_err(|fault| Finding::untold(format_args!("{host} is not resolved: {fault}")))?;
            Ok(found.take(bounds::CHECK_ADDRESSES_MAX).collect())
        }
    }
}

async fn connect(target: &Target, port: u16) -> Probed<TcpStream> {
    let addresses = addresses(target, port).await?;
    let stream =
        TcpStream::connect(&addresses[..]).await.map_err(|fault| blame("no connection", &fault, &addresses))?;
    stream.set_nodelay(true).ok();
    Ok(stream)
}

/// Whose fault it is that `what` happened on the way to `addresses`.
fn blame(what: &str, fault: &io::Error, addresses: &[SocketAddr]) -> Finding {
    const OURS: [i32; 5] = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::EAFNOSUPPORT, libc::EADDRNOTAVAIL];
    let is_ours = fault.raw_os_error().is_some_and(|number| OURS.contains(&number));
    // A router far away may say the same of the target's network; only then is there a way to begin with.
    let has_no_way = fault.kind() == io::ErrorKind::NetworkUnreachable && !addresses.iter().any(has_way);
    let text = format!("{what}: {fault}");
    if is_ours || has_no_way { Finding::untold(text) } else { Finding::bad(text) }
}

/// Whether the system knows a way to `address`; nothing is sent.
fn has_way(address: &SocketAddr) -> bool {
    let any: IpAddr = if address.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
    std::net::UdpSocket::bind((any, 0)).and_then(|socket| socket.connect(address)).is_ok()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
