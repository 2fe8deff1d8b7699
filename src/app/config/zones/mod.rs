//! The blocks `zones` and `keys`: which domains are served, and with whom they are shared.

mod types;

pub use types::{
    Allowed, Catalog, InlineRecord, Key, KeyAlgorithm, NamePattern, Origin, Server, TransferSettings, UpdatePolicy,
    ZoneSettings,
};
