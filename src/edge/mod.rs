//! What touches the machine: sockets, files, clocks. It moves bytes and decides nothing about the DNS.
//!
//! A worker is one thread with one [`mio::Poll`]; it owns [`listen::Listener`]s, a [`batch::Batch`] and
//! [`upstream::UpstreamSockets`]. Whatever is a stream ([`tcp`], [`upstream_tcp`], [`admin`]) lives on a tokio
//! runtime beside the workers and reaches them through their [`mailbox`].

pub mod admin;
pub mod batch;
pub mod clock;
pub mod cluster;
pub mod files;
pub mod forward;
pub mod geoip;
pub mod handover;
pub mod interface;
pub mod journal;
pub mod listen;
pub mod mailbox;
pub mod manager;
pub mod pressure;
pub mod priority;
pub mod privileges;
pub mod probe;
pub mod process;
pub mod seed;
pub mod tap;
pub mod tcp;
pub mod transfer;
pub mod upstream;
pub mod upstream_tcp;
