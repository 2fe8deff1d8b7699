//! Prefetch: what clients keep asking for is renewed shortly before it expires, once, so that none of them waits.

use super::entry::{Entry, Second};
use crate::base::bounds;

/// What is renewed before it expires.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Prefetch {
    /// How often clients must have asked since the data were learned.
    pub hits: u8,
    /// The last part of the TTL in which it happens, percent.
    pub window_percent: u8,
}

impl Prefetch {
    /// The second in which the window of `entry` opens; none where its TTL is too short to be worth it.
    pub(super) fn opens(self, entry: &Entry) -> Option<Second> {
        let window = Second::from(entry.ttl) * Second::from(self.window_percent.min(100)) / 100;
        let is_worth_it = u64::from(entry.ttl) >= bounds::PREFETCH_TTL_MIN.as_secs() && window > 0;
        is_worth_it.then(|| entry.expiry.saturating_sub(window))
    }

    /// Whether `entry`, asked `hits` times, is to be renewed in second `now`.
    pub(super) fn is_due(self, entry: &Entry, hits: u8, now: Second) -> bool {
        hits >= self.hits && self.opens(entry).is_some_and(|opens| now >= opens)
    }
}

/// The second before which an answer with `entry` in it may be recalled without asking the cache again: the
/// opening of its window, behind which a prefetch comes and then its result; without a window, its expiry.
pub(super) fn recallable_until(prefetch: Option<Prefetch>, entry: &Entry) -> Second {
    prefetch.and_then(|prefetch| prefetch.opens(entry)).unwrap_or(entry.expiry)
}
