//! The machine's clocks: the one place that reads them.
#![forbid(unsafe_code)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::base::{Clock, Instant};

/// The machine's monotonic clock, counted from its making. All threads must share one (it is a copyable
/// value), or their instants would not compare.
#[derive(Clone, Copy, Debug)]
pub struct MachineClock {
    origin: std::time::Instant,
}

impl MachineClock {
    /// A clock that begins now at [`Instant::ZERO`].
    #[must_use]
    #[expect(clippy::disallowed_methods, clippy::new_without_default, reason = "this is the edge's clock")]
    pub fn new() -> Self {
        Self { origin: std::time::Instant::now() }
    }
}

impl Clock for MachineClock {
    #[expect(clippy::disallowed_methods, reason = "this is the edge's clock")]
    fn now(&self) -> Instant {
        let passed = std::time::Instant::now().saturating_duration_since(self.origin);
        Instant::from_nanos(u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX))
    }
}

/// The time since 1970-01-01 by the machine's wall clock, as signatures and snapshots need it; 0 before 1970.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the edge's clock")]
pub fn wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The whole seconds of [`wall`].
#[must_use]
pub fn wall_seconds() -> u64 {
    wall().as_secs()
}

/// Microseconds by the system's monotonic clock, as the service manager counts them.
#[must_use]
pub fn monotonic_microseconds() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    u64::try_from(now.tv_sec * 1_000_000 + now.tv_nsec / 1_000).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_never_goes_back_and_copies_agree() {
        let clock = MachineClock::new();
        let copy = clock;
        let first = clock.now();
        let second = copy.now();
        assert!(first <= second);
        assert!(wall_seconds() > 1_700_000_000);
    }
}
