//! What a check is: how a target is probed and what is expected of it. Plain data; the edge does the probing.

use std::path::PathBuf;
use std::time::Duration;

use super::tracker::Timing;
use crate::dns::{Name, Rcode, RecordType};

/// A check as it was named: what is done to every member of the pools that use it.
#[derive(Clone, PartialEq, Debug)]
pub struct Check {
    /// Its name.
    pub name: Box<str>,
    /// What is done.
    pub probe: Probe,
    /// How often, and how many results count.
    pub timing: Timing,
}

/// What is done to find out whether a member is alive.
#[derive(Clone, PartialEq, Debug)]
pub enum Probe {
    /// An HTTP request.
    Http(HttpProbe),
    /// A TCP connection; then `send` is written and `expect` must be the beginning of what comes back, if there are.
    Tcp {
        /// The port.
        port: u16,
        /// What is written.
        send: Option<Box<str>>,
        /// What must be received.
        expect: Option<Box<str>>,
    },
    /// A TLS handshake.
    Tls {
        /// The port.
        port: u16,
        /// For whom the certificate must be; none for the name or address that is probed.
        server_name: Option<Box<str>>,
        /// Whether the certificate must be good.
        verifies: bool,
        /// Additional roots in PEM; none trusts the usual ones alone.
        roots: Option<PathBuf>,
    },
    /// A DNS query over UDP, or TCP.
    Dns {
        /// The port.
        port: u16,
        /// The name asked for.
        name: Name,
        /// The type asked for.
        rtype: RecordType,
        /// The RCODE that must come.
        rcode: Rcode,
        /// Whether it goes over TCP.
        is_tcp: bool,
    },
    /// An ICMP echo request, where the system permits it.
    Icmp,
    /// A program whose exit status 0 is success; `{member}`, `{pool}` and `{address}` are replaced in its arguments,
    /// and no shell is involved.
    Command {
        /// The program.
        program: PathBuf,
        /// Its arguments.
        arguments: Vec<Box<str>>,
    },
    /// A file with lines `member up` or `member down`; a member that it does not name, and a file older than the
    /// timing says, tell nothing.
    File {
        /// The file.
        path: PathBuf,
        /// A file that has not changed for so long is not believed.
        age_max: Duration,
    },
    /// Results come by the admin API.
    Push {
        /// A result is believed for so long.
        age_max: Duration,
    },
}

/// An HTTP request and what must come of it.
#[derive(Clone, PartialEq, Debug)]
pub struct HttpProbe {
    /// Whether it goes over TLS.
    pub is_tls: bool,
    /// Whether the certificate must be good.
    pub verifies: bool,
    /// Additional roots in PEM; none trusts the usual ones alone.
    pub roots: Option<PathBuf>,
    /// The port.
    pub port: u16,
    /// `GET` or `HEAD`.
    pub method: &'static str,
    /// The path, from `/`.
    pub path: Box<str>,
    /// The `Host` field and the name that the certificate must be for; none for the address that is probed.
    pub host: Option<Box<str>>,
    /// The statuses that are good, as ranges with both ends.
    pub statuses: Vec<(u16, u16)>,
    /// What the body must have in it.
    pub body: Option<Box<str>>,
}
