//! What a configuration says of a zone.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use crate::base::Network;
use crate::dns::{Name, RecordType};

/// A zone that is served.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ZoneSettings {
    /// Its name.
    pub apex: Name,
    /// Where it was named: for faults.
    pub origin: Origin,
    /// Its master file. Of a secondary: none, or where it is kept.
    pub file: Option<PathBuf>,
    /// Records written into the configuration; together with a file they add to it.
    pub records: Vec<InlineRecord>,
    /// The servers that a secondary fetches the zone from, in the order of preference; empty for a primary.
    pub primaries: Vec<Server>,
    /// Who may fetch the zone, and who is told of its changes.
    pub transfer: TransferSettings,
    /// Who may change what by dynamic update (RFC 2136); empty for nobody.
    pub update: Vec<UpdatePolicy>,
    /// What the zone has to do with catalogs (RFC 9432).
    pub catalog: Catalog,
    /// The catalog zone that brought this one; none for a zone of the configuration.
    pub member_of: Option<Name>,
}

impl ZoneSettings {
    /// A zone of which nothing is said yet.
    #[must_use]
    pub fn new(apex: Name) -> Self {
        Self {
            apex,
            origin: Origin::default(),
            file: None,
            records: Vec::new(),
            primaries: Vec::new(),
            transfer: TransferSettings::default(),
            update: Vec::new(),
            catalog: Catalog::Off,
            member_of: None,
        }
    }

    /// Whether its data come from other servers.
    #[must_use]
    pub const fn is_secondary(&self) -> bool {
        !self.primaries.is_empty()
    }
}

/// A place in a configuration file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Origin {
    /// The file as it was named.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
}

/// Records written into the configuration, in the form of a master file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InlineRecord {
    /// The file that they stand in.
    pub file: String,
    /// The line where they stand, from 1.
    pub line: u32,
    /// The column where they stand, from 1.
    pub column: u32,
    /// One or more lines of a master file.
    pub text: String,
    /// Whether line for line of `text` is a line of the file; otherwise all of it stands at the place above.
    pub is_block: bool,
}

/// A server and the key that messages to and from it are signed with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Server {
    /// Its address; the port is 53 unless another was given.
    pub address: SocketAddr,
    /// The TSIG key's name, which the configuration has.
    pub key: Option<Name>,
}

/// Who may fetch a zone, and who is told of its changes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TransferSettings {
    /// Who may fetch it: any of these; empty for nobody.
    pub allow: Vec<Allowed>,
    /// Who is told of changes (RFC 1996).
    pub notify: Vec<Server>,
    /// The key that transfers must be signed with, whoever asks; it also signs what we send to `notify` and ask of
    /// `primaries`, where these name no key of their own.
    pub key: Option<Name>,
}

/// Somebody who may do something: from a network, with a key, or both.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Allowed {
    /// The network that the request must come from; none for any.
    pub network: Option<Network>,
    /// The TSIG key that it must be signed with; none for unsigned too.
    pub key: Option<Name>,
}

impl Allowed {
    /// Whether a request from `address`, signed with `key` if with any, is meant.
    #[must_use]
    pub fn admits(&self, address: IpAddr, key: Option<&Name>) -> bool {
        self.network.is_none_or(|network| network.contains(address))
            && self.key.as_ref().is_none_or(|wanted| Some(wanted) == key)
    }
}

/// What the holder of a key may change in a zone by dynamic update.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UpdatePolicy {
    /// The TSIG key's name.
    pub key: Name,
    /// The names that may be changed.
    pub names: Vec<NamePattern>,
    /// The types that may be changed; empty for all but SOA and NS, ANY for all.
    pub types: Vec<RecordType>,
}

/// Names of a zone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NamePattern {
    /// This name alone.
    Exactly(Name),
    /// Every name below this one, at any depth: `*.dyn.example.com`.
    Below(Name),
    /// This name and every name below it: what a policy without names means by the zone's.
    Within(Name),
}

impl NamePattern {
    /// Whether `name` is meant.
    #[must_use]
    pub fn matches(&self, name: &Name) -> bool {
        match self {
            Self::Exactly(one) => name == one,
            Self::Below(parent) => name != parent && name.is_within(parent),
            Self::Within(top) => name.is_within(top),
        }
    }
}

/// What a zone has to do with catalogs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Catalog {
    /// Nothing.
    #[default]
    Off,
    /// It is a catalog: the zones it lists are served as secondaries from its own primaries.
    Consume,
    /// It is a catalog that lists the other primary zones of the configuration.
    Produce,
}

/// A TSIG key (RFC 8945).
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    /// Its name.
    pub name: Name,
    /// How it signs.
    pub algorithm: KeyAlgorithm,
    /// The shared secret.
    pub secret: Box<[u8]>,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The secret is for nobody's log.
        f.debug_struct("Key").field("name", &self.name).field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// How a TSIG key signs (RFC 8945 §6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyAlgorithm {
    /// hmac-sha256.
    HmacSha256,
    /// hmac-sha384.
    HmacSha384,
    /// hmac-sha512.
    HmacSha512,
}
