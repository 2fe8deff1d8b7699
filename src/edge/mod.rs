//! What touches the machine: sockets, files, clocks. It moves bytes and decides nothing about the DNS.

pub mod files;
pub mod forward;
