//! The names of a Kubernetes cluster, by version 1.1.0 of its DNS specification.
//!
//! What the API says comes in as [`objects`]; nothing here knows how it came.

pub mod objects;
pub mod selector;
mod settings;

pub use settings::{Autopath, External, Namespaces, PodPolicy, Pods, Settings};
