//! Where queries come all the time a station sleeps in the receive itself: each sleep costs a system call less than in a
//! poll, and a lone query costs little more than its system calls.
//!
//! Nothing but a query, or [`crate::base::bounds::QUERY_WAIT`], ends such a sleep. So it is taken only while nothing is due and nobody
//! upstream is asked, and while queries come so close upon each other that a letter hardly waits longer than its way took.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Station;
use crate::base::{Clock, Instant};
use crate::edge::batch;

/// Queries that come within this time of others come soon after them.
const SOON: Duration = Duration::from_micros(250);
/// From so often on they are taken to come all the time, and more often is not counted.
const STEADY: u32 = 16;
const STEADY_MAX: u32 = 32;

impl Station {
    /// Whether the next event is almost certainly a query, and no other could not wait for it.
    pub(super) fn may_await_queries(&self) -> bool {
        self.steadiness >= STEADY
            && batch::CAN_WAIT
            && self.listeners.len() == 1
            && !self.has_left
            && !self.is_stopping
            && self.leaving.is_empty()
            && self.collected.is_empty()
    }

    /// A step that sleeps in the receive of the only listener.
    pub(super) fn await_queries(&mut self) {
        let received = self.listeners.first().and_then(|listener| self.batch.await_datagrams(listener).ok());
        self.turns.fetch_add(1, Ordering::Relaxed);
        self.follow_current();
        let now = self.wake(received.is_some());
        match (received, self.is_ready.first_mut()) {
            (Some(count), _) => self.receive(0, Some(count)),
            (None, Some(ready)) => *ready = false,
            (None, None) => {}
        }
        if self.read_letters(now) || received.is_none() {
            self.steadiness = 0; // others had to wait, or nobody came
        }
        self.rest();
    }

    /// A sleep has ended, for queries or not: looks at the clock, and at how long ago the one before ended.
    pub(super) fn wake(&mut self, has_queries: bool) -> Instant {
        self.now = self.surroundings.clock.now();
        let is_soon = self.now.since(std::mem::replace(&mut self.woken, self.now)) <= SOON;
        // A pause now and then means little.
        self.steadiness =
            if is_soon && has_queries { STEADY_MAX.min(self.steadiness + 1) } else { self.steadiness / 2 };
        self.now
    }
}
