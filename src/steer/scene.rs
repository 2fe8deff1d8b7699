//! The scene: what steering knows at this moment. Each part is replaced as a whole by whoever finds it out; those who
//! choose read whichever was there last and never wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::{ArcSwap, Guard};

use super::atlas::Atlas;
use super::census::Census;
use super::feeds::Feeds;
use super::health::Board;
use crate::base::Instant;

/// What steering knows: where addresses are, how members stand, what is measured of them, what day it is; and whom it
/// has sent where.
#[derive(Debug)]
pub struct Scene {
    atlas: ArcSwap<Atlas>,
    board: ArcSwap<Board>,
    feeds: ArcSwap<Feeds>,
    /// The calendar's seconds at [`Instant::ZERO`]: a clock that is set right changes it, and no age.
    wall_at_zero: AtomicI64,
    census: Census,
}

impl Default for Scene {
    fn default() -> Self {
        Self::new(Arc::default())
    }
}

impl Scene {
    /// A scene in which all is unknown but the places of `atlas`.
    #[must_use]
    pub fn new(atlas: Arc<Atlas>) -> Self {
        Self {
            atlas: ArcSwap::new(atlas),
            board: ArcSwap::default(),
            feeds: ArcSwap::default(),
            wall_at_zero: AtomicI64::new(0),
            census: Census::default(),
        }
    }

    /// Where addresses are.
    #[must_use]
    pub fn atlas(&self) -> Arc<Atlas> {
        self.atlas.load_full()
    }

    /// How members stand.
    pub fn board(&self) -> Guard<Arc<Board>> {
        self.board.load()
    }

    /// What is measured of members.
    pub fn feeds(&self) -> Guard<Arc<Feeds>> {
        self.feeds.load()
    }

    /// Who was chosen, and for whom.
    #[must_use]
    pub const fn census(&self) -> &Census {
        &self.census
    }

    /// The calendar's seconds at `now`.
    #[must_use]
    pub fn wall(&self, now: Instant) -> u64 {
        let seconds = i64::try_from(now.seconds()).unwrap_or(i64::MAX);
        self.wall_at_zero.load(Ordering::Relaxed).saturating_add(seconds).max(0).cast_unsigned()
    }

    /// Puts other places in force.
    pub fn move_to(&self, atlas: Arc<Atlas>) {
        self.atlas.store(atlas);
    }

    /// Puts another board up.
    pub fn post(&self, board: Board) {
        self.board.store(Arc::new(board));
    }

    /// Takes other numbers in.
    pub fn measure(&self, feeds: Feeds) {
        self.feeds.store(Arc::new(feeds));
    }

    /// Sets the calendar: at `now` it shows `wall` seconds.
    pub fn set_calendar(&self, wall: u64, now: Instant) {
        let (wall, now) = (i64::try_from(wall).unwrap_or(i64::MAX), i64::try_from(now.seconds()).unwrap_or(i64::MAX));
        self.wall_at_zero.store(wall.saturating_sub(now), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_goes_on_from_where_it_was_set() {
        let scene = Scene::new(Arc::default());
        scene.set_calendar(1_000_000, Instant::from_seconds(50));
        assert_eq!(scene.wall(Instant::from_seconds(60)), 1_000_010);
        assert_eq!(scene.wall(Instant::from_seconds(0)), 999_950);
    }
}
