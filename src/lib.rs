//! Meridian: a recursive resolver and an authoritative `GeoDNS` load balancer behind one chain of handlers.
//!
//! The rooms form a ladder; each imports only those above it:
//!
//! | room | duty |
//! |---|---|
//! | [`base`] | time, dice, bounds, counters, keyed maps |
//! | [`dns`] | bytes into meaning and meaning into bytes |
//! | [`chain`] | what a link of the chain is, and how the links are walked |
//! | [`steer`] | which members of a pool answer a client: health, place, weight, feeds |
//! | [`handlers`] | the links: gate, cache, hosts, resolve |
//! | [`edge`] | what touches the machine: sockets, files, clocks |
//! | [`app`] | configuration, building the house, running its turns |
#![deny(unsafe_code)]

pub mod app;
pub mod base;
pub mod chain;
pub mod dns;
pub mod edge;
pub mod handlers;
pub mod steer;

/// The examples of the documentation.
#[cfg(doctest)]
#[doc = include_str!("../docs/use-parser.md")]
pub struct Examples;
