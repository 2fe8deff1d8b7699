//! How long what is idle is kept just now: told by who keeps it, read by who says so to others.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A time that changes with how much room is left; any thread may tell and read it.
#[derive(Debug)]
pub struct Patience(AtomicU32);

impl Patience {
    /// A patience of `time`, up to 49 days, in whole milliseconds.
    #[must_use]
    pub fn new(time: Duration) -> Self {
        Self(AtomicU32::new(millis(time)))
    }

    /// From now on it is `time`; zero says that what is idle should go.
    pub fn tell(&self, time: Duration) {
        self.0.store(millis(time), Ordering::Relaxed);
    }

    /// How long it is just now.
    #[must_use]
    pub fn read(&self) -> Duration {
        Duration::from_millis(u64::from(self.0.load(Ordering::Relaxed)))
    }
}

fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}
