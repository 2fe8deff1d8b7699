//! What is logged: the program's own events, and a sample of the queries where the operator wants one.

use std::io::{self, IsTerminal as _};
use std::net::SocketAddr;

use tracing::info;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::fmt::layer;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::notes;
use crate::app::config::{Log, LogFormat};
use crate::dns::wire::Reader;
use crate::dns::{Rcode, RecordType};

/// Begins to log to standard error, as `log` says.
pub fn begin(log: &Log) {
    // Colours are for people at a terminal; in a file or a journal they would be noise.
    let lines = layer().with_writer(io::stderr).with_target(false).with_ansi(io::stderr().is_terminal());
    let level = LevelFilter::from_level(log.level);
    let registry = tracing_subscriber::registry().with(notes::layer());
    // A second logger in one process, as in tests, is refused: then the first one serves.
    match log.format {
        LogFormat::Text => registry.with(lines.with_filter(level)).try_init().ok(),
        LogFormat::Json => registry.with(lines.json().with_filter(level)).try_init().ok(),
    };
}

/// Logs a query and what became of it: the RCODE of its response, if it has one already.
pub fn query(datagram: &[u8], peer: SocketAddr, response: &[u8]) {
    let mut reader = Reader::new(datagram, 12);
    let (Ok(name), Ok(rtype)) = (reader.name(), reader.u16()) else { return };
    let rcode = response.get(3).map_or_else(|| "later".to_owned(), |bits| Rcode(u16::from(bits & 0xF)).to_string());
    // Names are written with escapes: nothing that a client sends can end a log line.
    info!(client = %peer, name = %name, rtype = %RecordType(rtype), rcode, "query");
}
