//! How long queries may wait in a listening socket.
//!
//! A long queue takes in bursts without a loss. Under lasting overload it is full all the time and only makes every
//! answer late, often later than its client waits: then it is kept short, and as many are answered, in time.

use std::time::Duration;

use crate::base::{Instant, bounds};

/// As many full batches in a row say that queries come in faster than they are answered.
const PRESSED: u32 = 4;
/// Batches by which the pace is measured.
const MEASURED: u32 = 64;
/// Octets that the kernel counts for a datagram of a query's size, of the double that it grants.
const DATAGRAM: u128 = 768 / 2;
/// The least queue, octets: some hundred datagrams, so that a worker that looks elsewhere finds work when it returns.
const QUEUE_FLOOR: usize = 64 * 1_024;

/// How hard a listening socket is pressed.
#[derive(Clone, Debug, Default)]
pub struct Pressure {
    full_in_a_row: u32,
    /// When the first of them came.
    begun: Instant,
    /// When the batches began that the pace is measured by.
    since: Instant,
    is_short: bool,
}

impl Pressure {
    /// Notes a batch of `count` that is received, and whether it had no room for more; says how many octets the queue is to
    /// hold from now on, where that changes.
    #[must_use]
    pub fn note(&mut self, count: usize, is_full: bool, now: Instant) -> Option<usize> {
        if is_full && count < bounds::BATCH {
            return None; // it had little room, as little was expected, and tells nothing of what waits
        }
        if !is_full {
            self.full_in_a_row = 0;
            return std::mem::take(&mut self.is_short).then_some(bounds::SOCKET_BUFFER);
        }
        if self.full_in_a_row == 0 {
            (self.begun, self.since) = (now, now);
        }
        self.full_in_a_row = self.full_in_a_row.saturating_add(1);
        if !self.full_in_a_row.is_multiple_of(MEASURED) {
            return None;
        }
        let taken = now.since(std::mem::replace(&mut self.since, now)).max(Duration::from_micros(1));
        if now.since(self.begun) < bounds::BURST_MAX {
            return None;
        }
        let datagrams = u128::from(MEASURED) * bounds::BATCH as u128;
        let octets = datagrams * DATAGRAM * bounds::QUEUED_UNDER_OVERLOAD.as_nanos() / taken.as_nanos();
        self.is_short = true;
        Some(usize::try_from(octets).unwrap_or(usize::MAX).clamp(QUEUE_FLOOR, bounds::SOCKET_BUFFER))
    }

    /// Whether queries come in faster than they are answered.
    #[must_use]
    pub const fn is_pressed(&self) -> bool {
        self.full_in_a_row >= PRESSED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Full batches, one every so often from a moment on; what the queue is to hold after them.
    fn full(pressure: &mut Pressure, from: Instant, batches: u32, each: Duration) -> Option<usize> {
        (1..=batches).fold(None, |last, count| pressure.note(bounds::BATCH, true, from + each * count).or(last))
    }

    #[test]
    fn a_burst_is_waited_for_and_a_standing_queue_is_cut() {
        let (mut pressure, each) = (Pressure::default(), Duration::from_micros(200));
        let batches = (bounds::BURST_MAX.as_micros() / each.as_micros()) as u32;
        assert_eq!(full(&mut pressure, Instant::ZERO, 3, each), None);
        assert!(!pressure.is_pressed());
        assert_eq!(full(&mut pressure, Instant::ZERO + each * 3, batches - 3, each), None);
        assert!(pressure.is_pressed());
        let cut = full(&mut pressure, Instant::ZERO + each * batches, MEASURED, each);
        assert!(cut.is_some_and(|size| size < bounds::SOCKET_BUFFER));
        // It is long again as soon as there is room in a batch.
        assert_eq!(pressure.note(0, false, Instant::ZERO), Some(bounds::SOCKET_BUFFER));
        assert!(!pressure.is_pressed());
        assert_eq!(pressure.note(0, false, Instant::ZERO), None);
    }

    #[test]
    fn a_batch_that_had_little_room_neither_begins_nor_ends_a_flood() {
        let (mut pressure, each) = (Pressure::default(), Duration::from_micros(200));
        let batches = (bounds::BURST_MAX.as_micros() / each.as_micros()) as u32 + MEASURED;
        // Among the others, as where another listener was asked between.
        let cut = (1..=batches).find_map(|count| {
            let now = Instant::ZERO + each * count;
            assert_eq!(pressure.note(bounds::BATCH / 2, true, now), None);
            pressure.note(bounds::BATCH, true, now)
        });
        assert!(cut.is_some() && pressure.is_pressed());
    }

    #[test]
    fn the_queue_holds_what_is_answered_in_the_time_that_a_query_may_wait() {
        for micros in [10, 200, 3_000, 1_000_000] {
            let mut pressure = Pressure::default();
            let each = Duration::from_micros(micros);
            let batches = (bounds::BURST_MAX.as_micros() as u64 / micros) as u32 + 2 * MEASURED;
            let octets = full(&mut pressure, Instant::ZERO, batches, each).unwrap();
            let datagrams = octets as f64 / DATAGRAM as f64;
            let waits = each.as_secs_f64() / bounds::BATCH as f64 * datagrams;
            let is_bound = octets == bounds::SOCKET_BUFFER || octets == QUEUE_FLOOR;
            assert!(
                is_bound || (waits / bounds::QUEUED_UNDER_OVERLOAD.as_secs_f64() - 1.0).abs() < 0.01,
                "{micros} µs"
            );
            assert!((QUEUE_FLOOR..=bounds::SOCKET_BUFFER).contains(&octets), "{micros} µs: {octets}");
        }
    }
}
