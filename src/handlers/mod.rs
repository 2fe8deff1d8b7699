//! The links of the chain, one folder each. Siblings never import each other.
#![forbid(unsafe_code)]

pub mod cache;
