//! The cache: what upstreams taught, with its rank and age, in one store for all workers.
//!
//! As [`crate::chain::Memory`] it is what the iterator reads and teaches (`learn`); as a
//! [`crate::chain::Handler`] it answers clients from what is fresh (`handler`), along aliases (`walk`,
//! `find`), renews what is popular before it expires (`prefetch`), and keeps what is stale for when upstreams
//! fail (`stale`). `housekeeping` removes what is over, `snapshot` carries the rest over a restart. It asks
//! nobody anything, and knows of files and upstreams as little as of the time.
//!
//! In front of the shared store each worker has its own table of finished answers ([`finished`], `recall`), which
//! the fast tempo answers from.

mod denials;
mod entry;
mod find;
pub mod finished;
mod handler;
mod housekeeping;
mod key;
mod learn;
mod log;
mod packed;
mod prefetch;
mod recall;
mod shelf;
mod snapshot;
mod stale;
mod store;
mod walk;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;

pub use housekeeping::{Sweep, Swept};
pub use prefetch::Prefetch;
pub use snapshot::{Loaded, SnapshotFault};
pub use stale::Stale;

use crate::base::collections::{Keyed, keyed};
use crate::base::{Dice, bounds};
use crate::dns::Name;
use denials::Denials;
use store::Store;

/// How the cache is set up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Octets of memory for facts and their bookkeeping.
    pub size_bytes: u64,
    /// Least TTL of RRsets; never makes a TTL of 0 kept, never stretches a zone cut.
    pub min_ttl: Duration,
    /// Greatest TTL of RRsets and zone cuts; wins over `min_ttl`.
    pub max_ttl: Duration,
    /// Greatest TTL of negative answers.
    pub max_negative_ttl: Duration,
    /// What is renewed before it expires; none for nothing.
    pub prefetch: Option<Prefetch>,
    /// What is served past its TTL; none for nothing.
    pub stale: Option<Stale>,
    /// Zones with upstreams of their own: an NXDOMAIN from the root does not reach below them.
    pub forwarded: Vec<Name>,
    /// Whether answers are validated: clients that leave the checking to us are then told only what has been checked.
    pub validates: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            size_bytes: 256 << 20,
            min_ttl: Duration::ZERO,
            max_ttl: bounds::CACHE_TTL_MAX,
            max_negative_ttl: bounds::NEGATIVE_TTL_MAX,
            prefetch: Some(Prefetch { hits: 2, window_percent: 10 }),
            stale: Some(Stale {
                window: Duration::from_secs(86_400),
                ttl: Duration::from_secs(30),
                recheck: Duration::from_secs(30),
            }),
            forwarded: Vec::new(),
            validates: false,
        }
    }
}

/// The cache. Workers share one behind an [`std::sync::Arc`], which is what stands in the chain.
pub struct Cache {
    settings: Settings,
    store: Store,
    /// What answers can be made from; none where nothing is validated.
    denials: Option<Denials>,
    keyed: Keyed,
    /// Says which names are for a link behind the cache to answer.
    deferred: ArcSwapOption<Deferred>,
}

type Deferred = Box<dyn Fn(&Name) -> bool + Send + Sync>;

impl Cache {
    /// An empty cache.
    #[must_use]
    pub fn new(settings: Settings, dice: &mut Dice) -> Self {
        Self::on(Store::shared, settings, dice)
    }

    /// An empty cache that evicts in the order of insertion, so that a simulated run repeats exactly.
    #[must_use]
    pub fn simulated(settings: Settings, dice: &mut Dice) -> Self {
        Self::on(Store::plain, settings, dice)
    }

    fn on(store: impl FnOnce(u64, Keyed) -> Store, settings: Settings, dice: &mut Dice) -> Self {
        let keyed = keyed(dice);
        let share = if settings.validates { settings.size_bytes / bounds::PROOFS_SHARE } else { 0 };
        Self {
            store: store(settings.size_bytes - share, keyed.clone()),
            denials: settings.validates.then(|| Denials::new(share, keyed.clone())),
            settings,
            keyed,
            deferred: ArcSwapOption::empty(),
        }
    }
}

impl Cache {
    /// Leaves the names that `is_deferred` claims to the links behind the cache, whatever is known of them or of
    /// names above: what a hosts file lists must not be hidden by what was learned before, or meanwhile.
    pub fn defer(&self, is_deferred: impl Fn(&Name) -> bool + Send + Sync + 'static) {
        self.deferred.store(Some(Arc::new(Box::new(is_deferred))));
    }

    fn defers(&self, name: &Name) -> bool {
        self.deferred.load().as_ref().is_some_and(|is_deferred| is_deferred(name))
    }
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").field("settings", &self.settings).finish_non_exhaustive()
    }
}
