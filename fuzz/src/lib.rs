//! What is fuzzed, and what must hold: one function a target, from octets to nothing, which panics where a law is
//! broken. libFuzzer calls them (`fuzz_targets/`), and `tests/fuzz_corpus.rs` replays with them, on every ordinary
//! test run, what is kept in `seeds/` and `regressions/`.

pub mod cluster;
pub mod configuration;
pub mod corefile;
pub mod datagram;
pub mod dnssec;
pub mod glance;
pub mod heap;
pub mod hosts_file;
mod houses;
pub mod iterator;
mod messages;
pub mod mmdb;
pub mod options;
pub mod seeds;
pub mod tcp_framing;
pub mod zone_file;

/// A target's body.
pub type Target = fn(&[u8]);

/// Every target by its name.
pub const TARGETS: &[(&str, Target)] = &[
    ("cluster", cluster::run),
    ("configuration", configuration::run),
    ("corefile", corefile::run),
    ("datagram", datagram::run),
    ("dnssec", dnssec::run),
    ("glance", glance::run),
    ("hosts_file", hosts_file::run),
    ("iterator", iterator::run),
    ("mmdb", mmdb::run),
    ("options", options::run),
    ("tcp_framing", tcp_framing::run),
    ("zone_file", zone_file::run),
];
