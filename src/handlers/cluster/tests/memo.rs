//! The fast tempo at a cluster's names.
