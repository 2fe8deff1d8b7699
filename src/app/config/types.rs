//! The checked configuration: what stands here is right, whoever wrote it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tracing::level_filters::LevelFilter;

pub use super::kubernetes::{ClusterApi, Kubernetes, NodeLocal};
use super::steering::Steering;
use super::zones::{Key, ZoneSettings};
use crate::base::{NetworkSet, bounds};
use crate::chain::Rewrites;
use crate::dns::name::Name;
use crate::edge::admin::Part;
pub use crate::edge::tap::TapPeer;
use crate::edge::tap::TapSettings;
use crate::handlers::fixed::Rule;
use crate::handlers::gate::LimitSettings;

/// A configuration without faults.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// Where queries are received; at least one.
    pub listen: Vec<Listen>,
    /// Where the admin server listens; none without one.
    pub admin: Option<Admin>,
    /// For how long queries are answered still once we are told to stop, while we say that we are not ready.
    pub lame_duck: Duration,
    /// Whether addresses and mail exchangers come in another order from query to query.
    pub rotates: bool,
    /// Names that are asked for under another.
    pub rewrites: Rewrites,
    /// What is said before anything else is looked at.
    pub fixed: Vec<Rule>,
    /// Threads that receive queries, from 1.
    pub workers: usize,
    /// The folder for what outlives the process; none keeps it in memory.
    pub state: Option<PathBuf>,
    /// The user who is become once the addresses are bound, if root starts us; none stays who started us.
    pub user: Option<Box<str>>,
    /// The files and folders that the configuration names, `state` among them.
    pub files: Vec<PathBuf>,
    /// What is logged.
    pub log: Log,
    /// To whom messages are told by dnstap.
    pub dnstap: Option<Dnstap>,
    /// How names are resolved; none answers from our own zones alone.
    pub recursion: Option<Recursion>,
    /// What is remembered; none remembers nothing.
    pub cache: Option<Cache>,
    /// The zones that are served, in the order of the file.
    pub zones: Vec<Arc<ZoneSettings>>,
    /// The folder that the zones come from, if they come from one.
    pub zones_folder: Option<PathBuf>,
    /// What we say of ourselves to those who ask.
    pub identity: Identity,
    /// The TSIG keys.
    pub keys: Vec<Arc<Key>>,
    /// Which names answer from pools, and how.
    pub steering: Steering,
    /// Whose cluster's names are answered; none without one.
    pub kubernetes: Option<Kubernetes>,
    /// How much anybody gets.
    pub limits: Limits,
}

/// How much anybody gets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Of queries and responses.
    pub rates: LimitSettings,
    /// Whether we give cookies, and the file of their secrets; without one the secret is our own.
    pub cookies: Option<Option<PathBuf>>,
    /// Of connections.
    pub tcp: TcpLimits,
}

/// How much of our connections clients get.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TcpLimits {
    /// Connections at a time.
    pub connections: usize,
    /// Queries answered at a time on each.
    pub in_flight: usize,
    /// For how long a connection is kept without a query.
    pub idle: Duration,
}

impl Default for TcpLimits {
    fn default() -> Self {
        Self { connections: bounds::TCP_CONNECTIONS_MAX, in_flight: bounds::TCP_IN_FLIGHT, idle: bounds::TCP_IDLE }
    }
}

/// What we say of ourselves to those who ask; what is none is not said. Texts of 1 to 255 octets.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Identity {
    /// To `version.bind` and `version.server` in class CH.
    pub version: Option<Box<[u8]>>,
    /// To `id.server` in class CH (RFC 4892).
    pub id: Option<Box<[u8]>>,
    /// To `hostname.bind` in class CH.
    pub hostname: Option<Box<[u8]>>,
    /// To the NSID option (RFC 5001).
    pub nsid: Option<Box<[u8]>>,
}

/// An address that serves UDP and TCP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Listen {
    /// The address; port 0 lets the system choose.
    pub address: SocketAddr,
}

/// The admin HTTP server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Admin {
    /// Its address; port 0 lets the system choose. Only on loopback does it take commands without a token.
    pub address: SocketAddr,
    /// The file of the token that changes take, and off loopback reading too.
    pub token_file: Option<PathBuf>,
    /// Where nothing but /health is served; none for nowhere else.
    pub health: Option<SocketAddr>,
    /// Where nothing but /ready is served; none for nowhere else.
    pub ready: Option<SocketAddr>,
    /// Whether metrics are told by the names that CoreDNS has for them too.
    pub tells_coredns: bool,
}

impl Admin {
    /// What is served where.
    pub fn parts(&self) -> impl Iterator<Item = (Part, SocketAddr)> + use<> {
        let parts = [(Part::Whole, Some(self.address)), (Part::Health, self.health), (Part::Ready, self.ready)];
        parts.into_iter().filter_map(|(part, address)| Some((part, address?)))
    }
}

/// What is logged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Log {
    /// The least levels that are written.
    pub levels: Levels,
    /// How a line looks.
    pub format: LogFormat,
    /// Which queries are logged.
    pub queries: QueryLog,
}

/// The least levels that are written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Levels {
    /// Of all modules that are not named.
    pub all: LevelFilter,
    /// Of modules and those inside them, sorted.
    pub modules: Vec<(String, LevelFilter)>,
}

impl Default for Levels {
    fn default() -> Self {
        Self { all: LevelFilter::INFO, modules: Vec::new() }
    }
}

/// Which queries are logged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct QueryLog {
    /// How many queries of a million; 0 is none, 1,000,000 all.
    pub per_million: u32,
    /// Beside them those that were answered later than this, if any.
    pub slow: Option<Duration>,
}

/// To whom messages are told by dnstap, and which.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dnstap {
    /// To whom.
    pub to: TapPeer,
    /// Which.
    pub settings: TapSettings,
    /// Who we are; none for the machine's name, empty for nothing.
    pub identity: Option<String>,
    /// What we are; empty for nothing.
    pub version: String,
}

/// How a log line looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs: one JSON object a line.
    Json,
}

/// How names are resolved.
#[derive(Clone, PartialEq, Debug)]
pub struct Recursion {
    /// Who is served; others are REFUSED.
    pub allow: NetworkSet,
    /// Where iteration begins.
    pub roots: Roots,
    /// The hosts file; none without one.
    pub hosts: Option<Hosts>,
    /// How much of a name each server sees (RFC 9156).
    pub qname_minimisation: QnameMinimisation,
    /// Whether the letter case of upstream questions is random (0x20).
    pub case_randomisation: bool,
    /// How answers are validated; none believes them as they come.
    pub dnssec: Option<Dnssec>,
    /// Zones whose questions go to other resolvers.
    pub forward: Vec<ForwardZone>,
    /// Zones whose authoritative servers are given instead of found.
    pub stub: Vec<StubZone>,
    /// Which upstreams are asked.
    pub families: Families,
    /// Networks that iteration never queries. Upstreams written in the configuration are not concerned.
    pub deny_upstreams: NetworkSet,
    /// The port of authoritative servers, 53 outside tests.
    pub authority_port: u16,
}

/// Where iteration begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Roots {
    /// The root servers that the program knows.
    Builtin,
    /// A root hints file.
    File(PathBuf),
}

/// How answers are validated (RFC 4035).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dnssec {
    /// Where trust begins.
    pub anchors: TrustAnchors,
    /// Names at and below which nothing is validated (RFC 7646), sorted.
    pub negative: Vec<Name>,
}

/// Where trust begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TrustAnchors {
    /// The root's keys that the program knows.
    Builtin,
    /// A file of DS and DNSKEY records.
    File(PathBuf),
}

/// A hosts file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hosts {
    /// The file.
    pub file: PathBuf,
    /// The TTL of its answers, whole seconds.
    pub ttl: Duration,
    /// Lines that are read beside the file's.
    pub lines: Option<String>,
}

/// How much of a name each server sees.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum QnameMinimisation {
    /// One label more than the server's zone, whatever it answers.
    Strict,
    /// The same, but the whole name once a server stumbles over it.
    Relaxed,
    /// The whole name.
    Off,
}

/// A zone whose questions go to other resolvers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ForwardZone {
    /// The zone; the root for all names.
    pub zone: Name,
    /// The resolvers; without any, nobody is asked.
    pub upstreams: Vec<Upstream>,
    /// The files that some of them are named in.
    pub files: Vec<PathBuf>,
    /// Which of them is preferred.
    pub order: ForwardOrder,
    /// How many questions are under way at a time, at most; none for the program's own bound.
    pub concurrent: Option<u32>,
}

impl ForwardZone {
    /// A zone with these resolvers, the first preferred.
    #[must_use]
    pub const fn new(zone: Name, upstreams: Vec<Upstream>) -> Self {
        Self { zone, upstreams, files: Vec::new(), order: ForwardOrder::Given, concurrent: None }
    }
}

/// Which of several resolvers that are about equally fast is asked first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ForwardOrder {
    /// The first that is written.
    #[default]
    Given,
    /// Any.
    Random,
    /// One after the other.
    RoundRobin,
}

/// A resolver that is forwarded to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Upstream {
    /// Its address.
    pub address: SocketAddr,
    /// Whether it is asked over TCP from the start (`tcp://`), not only after a truncated response.
    pub is_tcp_only: bool,
}

/// A zone whose authoritative servers are given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StubZone {
    /// The zone.
    pub zone: Name,
    /// Its servers; at least one.
    pub servers: Vec<SocketAddr>,
}

/// Which upstreams are asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Families {
    /// Both address families.
    Both,
    /// IPv4 alone.
    Ipv4,
    /// IPv6 alone.
    Ipv6,
}

/// What is remembered, and for how long.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cache {
    /// Octets that the cache may hold.
    pub size: u64,
    /// Shorter TTLs are raised to this; whole seconds.
    pub min_ttl: Duration,
    /// Longer TTLs are cut to this; whole seconds, at least `min_ttl`.
    pub max_ttl: Duration,
    /// Longer TTLs of negative answers are cut to this; whole seconds.
    pub max_negative_ttl: Duration,
    /// Which entries are fetched anew before they end.
    pub prefetch: Option<Prefetch>,
    /// When entries are served past their end.
    pub stale: Option<Stale>,
}

/// Which entries are fetched anew before they end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Prefetch {
    /// Hits that make an entry worth it, from 1.
    pub hits: u32,
    /// The last part of the TTL in which it happens, percent from 1 to 50.
    pub window_percent: u32,
}

/// When entries are served past their end (RFC 8767).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stale {
    /// For how long past the end.
    pub window: Duration,
    /// The TTL of such an answer, whole seconds.
    pub ttl: Duration,
    /// For how long a client waits for a fresh answer before.
    pub wait: Duration,
    /// After a failed refresh, the time until the next.
    pub recheck: Duration,
}
