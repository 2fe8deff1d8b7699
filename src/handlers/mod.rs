//! The links of the chain, one folder each. Siblings never import each other.
#![forbid(unsafe_code)]

pub mod authority;
pub mod cache;
pub mod cluster;
pub mod fixed;
pub mod gate;
pub mod hosts;
pub mod identity;
pub mod local;
pub mod resolve;
pub mod special;

#[cfg(test)]
pub(crate) mod testing;
