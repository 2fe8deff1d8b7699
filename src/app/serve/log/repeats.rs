//! Warnings that repeat themselves: the first few are written, the rest of a minute's is left out, and how many that
//! were is told with the next.

use std::fmt::{Debug, Write as _};
use std::sync::{Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber, warn};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::base::collections::{Keyed, Map, keyed};
use crate::base::{Clock as _, Dice, Instant, bounds};
use crate::edge::clock::MachineClock;

/// What becomes of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    Written,
    /// So many like it were left out before.
    WrittenAfter(u32),
    LeftOut,
}

struct Seen {
    since: Instant,
    count: u32,
}

/// The lines of late.
struct Memory(Map<u64, Seen>);

impl Memory {
    fn judge(&mut self, line: u64, now: Instant) -> Fate {
        let is_over = |seen: &Seen| now.since(seen.since) >= bounds::REPEATS_WITHIN;
        if self.0.len() >= bounds::REPEATS_KEPT && !self.0.contains_key(&line) {
            self.0.retain(|_, seen| !is_over(seen));
            if self.0.len() >= bounds::REPEATS_KEPT {
                return Fate::Written; // so many different lines are no repetition
            }
        }
        let seen = self.0.entry(line).or_insert(Seen { since: now, count: 0 });
        let before = seen.count;
        if is_over(seen) {
            *seen = Seen { since: now, count: 1 };
            return match before.saturating_sub(bounds::REPEATS_MAX) {
                0 => Fate::Written,
                left_out => Fate::WrittenAfter(left_out),
            };
        }
        seen.count = before.saturating_add(1);
        if before < bounds::REPEATS_MAX { Fate::Written } else { Fate::LeftOut }
    }
}

/// See the module's text.
pub(super) struct Repeats {
    clock: MachineClock,
    hasher: Keyed,
    memory: Mutex<Memory>,
}

impl Repeats {
    pub(super) fn new(mut dice: Dice) -> Self {
        let memory = Mutex::new(Memory(Map::with_hasher(keyed(&mut dice))));
        Self { clock: MachineClock::new(), hasher: keyed(&mut dice), memory }
    }
}

impl<S: Subscriber> Layer<S> for Repeats {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        // Errors are told in groups, such as the faults of a configuration, and seldom.
        if *event.metadata().level() != Level::WARN {
            return true;
        }
        let mut text = Text(String::new());
        event.record(&mut text);
        let line = self.hasher.hash_one((event.metadata().file(), event.metadata().line(), text.0));
        let fate = self.memory.lock().unwrap_or_else(PoisonError::into_inner).judge(line, self.clock.now());
        if let Fate::WrittenAfter(count) = fate {
            warn!("the next line was left out {count} times");
        }
        fate != Fate::LeftOut
    }
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, "{field}={value:?} ").ok(); // a string takes everything
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_first_few_are_written_and_the_rest_is_counted() {
        let mut memory = Memory(Map::with_hasher(keyed(&mut Dice::from_number(1))));
        let start = Instant::ZERO;
        let fates: Vec<_> = (0..8).map(|second| memory.judge(1, start + Duration::from_secs(second))).collect();
        assert_eq!(fates.iter().filter(|fate| **fate == Fate::Written).count(), bounds::REPEATS_MAX as usize);
        assert_eq!(fates[7], Fate::LeftOut);
        assert_eq!(memory.judge(2, start), Fate::Written);
        let later = start + bounds::REPEATS_WITHIN;
        assert_eq!(memory.judge(1, later), Fate::WrittenAfter(3));
        assert_eq!(memory.judge(1, later), Fate::Written);
        assert_eq!(memory.judge(1, later + bounds::REPEATS_WITHIN), Fate::Written);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut memory = Memory(Map::with_hasher(keyed(&mut Dice::from_number(1))));
        for line in 0..3 * bounds::REPEATS_KEPT as u64 {
            assert_eq!(memory.judge(line, Instant::ZERO), Fate::Written);
        }
        assert_eq!(memory.0.len(), bounds::REPEATS_KEPT);
        assert_eq!(memory.judge(u64::MAX, Instant::ZERO + bounds::REPEATS_WITHIN), Fate::Written);
        assert_eq!(memory.0.len(), 1);
    }
}
