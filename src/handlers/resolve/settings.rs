//! What the operator decides about resolution.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::base::{Instant, NetworkSet, bounds};
use crate::chain::Delegation;
use crate::dns::{Name, RecordType};

use super::anchors::Validation;
use super::hints;

/// How QNAME minimisation behaves (RFC 9156).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Minimisation {
    /// NXDOMAIN for a shortened name is not believed: the full name is asked once more, for the sake of servers
    /// that deny empty non-terminals.
    #[default]
    Relaxed,
    /// NXDOMAIN for a shortened name is final.
    Strict,
    /// Every server sees the full name.
    Off,
}

/// Which address families upstreams are asked over.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Families {
    /// Whichever answers.
    #[default]
    Both,
    /// IPv4 only.
    Ipv4,
    /// IPv6 only.
    Ipv6,
}

impl Families {
    /// Whether `address` may be asked.
    #[must_use]
    pub const fn has(self, address: IpAddr) -> bool {
        match self {
            Self::Both => true,
            Self::Ipv4 => address.is_ipv4(),
            Self::Ipv6 => address.is_ipv6(),
        }
    }
}

/// A zone whose authoritative servers the operator names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stub {
    /// The zone's apex.
    pub zone: Name,
    /// Its servers.
    pub servers: Arc<[SocketAddr]>,
}

/// Says which names our own zones answer for, with a type. They change without the settings.
#[derive(Clone)]
pub struct Ours(pub Arc<Claim>);

type Claim = dyn Fn(&Name, RecordType) -> bool + Send + Sync;

impl Default for Ours {
    fn default() -> Self {
        Self(Arc::new(|_, _| false))
    }
}

impl std::fmt::Debug for Ours {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ours")
    }
}

/// Tells the wall clock's seconds since 1970, modulo 2³², at a moment.
#[derive(Clone)]
pub struct Wall(pub Arc<Calendar>);

type Calendar = dyn Fn(Instant) -> u32 + Send + Sync;

impl Default for Wall {
    /// A clock that stands still in 1970, when nothing was signed.
    fn default() -> Self {
        Self(Arc::new(|_| 0))
    }
}

impl std::fmt::Debug for Wall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wall")
    }
}

/// The settings of resolution.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the tree begins: the root's servers.
    pub roots: Arc<Delegation>,
    /// How much of a name servers see.
    pub minimisation: Minimisation,
    /// Whether queries carry letters of random case (0x20).
    pub randomises_case: bool,
    /// Zones handed to other resolvers; their order is the number in [`super::ForwardRequest::zone`].
    pub forward: Vec<Name>,
    /// Zones with named servers.
    pub stubs: Vec<Stub>,
    /// Zones that are answered here and never asked for upstream, wherever aliases and delegations lead.
    pub local: Vec<Name>,
    /// What our own zones answer for: an alias that leads there is not followed any further upstream.
    pub ours: Ours,
    /// Which families are asked.
    pub families: Families,
    /// Addresses never asked, save where the operator names them.
    pub denied: NetworkSet,
    /// The port of authoritative servers.
    pub port: u16,
    /// Shortest TTL given, seconds.
    pub min_ttl: u32,
    /// Longest TTL given, seconds.
    pub max_ttl: u32,
    /// Longest negative TTL given, seconds.
    pub max_negative_ttl: u32,
    /// Questions put to the servers of one zone at a time.
    pub questions_per_zone: usize,
    /// What answers are validated by (RFC 4035); none where they are believed as they come.
    pub validation: Option<Arc<Validation>>,
    /// The wall clock, which signatures go by.
    pub wall: Wall,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            roots: Arc::new(hints::builtin()),
            minimisation: Minimisation::default(),
            randomises_case: true,
            forward: Vec::new(),
            stubs: Vec::new(),
            local: Vec::new(),
            ours: Ours::default(),
            families: Families::default(),
            denied: NetworkSet::never_upstream(),
            port: 53,
            min_ttl: 0,
            max_ttl: bounds::CACHE_TTL_MAX.as_secs() as u32,
            max_negative_ttl: bounds::NEGATIVE_TTL_MAX.as_secs() as u32,
            questions_per_zone: bounds::QUESTIONS_PER_ZONE,
            validation: None,
            wall: Wall::default(),
        }
    }
}

/// Who is asked about a name by the operator's word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Route<'s> {
    /// Another resolver: the number of the forward zone.
    Forward(usize, &'s Name),
    /// Named authoritative servers.
    Stub(&'s Stub),
}

impl Route<'_> {
    pub(super) fn is_of_the_root(&self) -> bool {
        match self {
            Self::Forward(_, zone) => zone.is_root(),
            Self::Stub(stub) => stub.zone.is_root(),
        }
    }
}

impl Settings {
    /// The wall clock at `now`, if it is needed.
    #[must_use]
    pub fn wall(&self, now: Instant) -> u32 {
        if self.validation.is_some() { (self.wall.0)(now) } else { 0 }
    }

    /// The closest forward or stub zone around `name`; none where the tree is walked from the root.
    #[must_use]
    pub fn route(&self, name: &Name) -> Option<Route<'_>> {
        let forwards = self.forward.iter().enumerate().map(|(at, zone)| (zone, Route::Forward(at, zone)));
        let stubs = self.stubs.iter().map(|stub| (&stub.zone, Route::Stub(stub)));
        forwards
            .chain(stubs)
            .filter(|(zone, _)| name.is_within(zone))
            .max_by_key(|(zone, _)| zone.wire().len())
            .map(|(_, route)| route)
    }

    /// Whether `name` must not be asked for upstream.
    #[must_use]
    pub fn is_local(&self, name: &Name) -> bool {
        self.local.iter().any(|zone| name.is_within(zone))
            && !matches!(self.route(name), Some(route) if !route.is_of_the_root())
    }

    /// Whether an address learned from the network may be asked.
    #[must_use]
    pub fn may_ask(&self, address: IpAddr) -> bool {
        self.families.has(address) && !self.denied.contains(address)
    }
}
