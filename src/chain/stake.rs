//! What a link may come to have at a name that another one denies.

use std::fmt;
use std::sync::Arc;

use crate::dns::Name;

/// What a link has, or may come to have, at a name that it lets pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stake {
    /// Whether it has names there or below: whoever denies the name itself would deny them too (RFC 8020).
    pub has_below: bool,
    /// For how long this may be said, seconds.
    pub ttl: u32,
}

/// From a name to the stake in it; none where nobody else will ever have anything.
pub type StakeIn = dyn Fn(&Name) -> Option<Stake> + Send + Sync;

/// The stakes that there are.
#[derive(Clone)]
pub struct Stakes(pub Arc<StakeIn>);

impl Default for Stakes {
    fn default() -> Self {
        Self(Arc::new(|_| None))
    }
}

impl fmt::Debug for Stakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stakes")
    }
}
