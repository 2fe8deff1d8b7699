//! Counters that many threads write, each in a stripe of its own: no processor waits for another's memory.
//!
//! Which thread counts decides nothing but where it counts, so results are the same whoever calls.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Stripes; more threads than that share them, which costs time and no counts.
const STRIPES: usize = 8;
/// Counters in a line of memory.
const PER_LINE: usize = 8;

thread_local! {
    static STRIPE: Cell<Option<usize>> = const { Cell::new(None) };
}

/// The stripe of the thread that asks.
fn stripe() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    STRIPE.with(|stripe| {
        stripe.get().unwrap_or_else(|| {
            let own = NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES;
            stripe.set(Some(own));
            own
        })
    })
}

/// A line of memory, which processors hand to one another as a whole.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Line([AtomicU64; PER_LINE]);

/// A row of counters.
#[derive(Debug)]
pub struct Striped {
    lines: Box<[Line]>,
    per_stripe: usize,
}

impl Striped {
    /// So many counters, all 0.
    #[must_use]
    pub fn new(counters: usize) -> Self {
        let per_stripe = counters.div_ceil(PER_LINE);
        Self { lines: (0..per_stripe * STRIPES).map(|_| Line::default()).collect(), per_stripe }
    }

    fn cell(&self, stripe: usize, counter: usize) -> Option<&AtomicU64> {
        let line = counter / PER_LINE;
        let lines = if line < self.per_stripe { Some(stripe * self.per_stripe + line) } else { None };
        self.lines.get(lines?)?.0.get(counter % PER_LINE)
    }

    /// Adds `times` to a counter.
    pub fn add(&self, counter: usize, times: u64) {
        if let Some(cell) = self.cell(stripe(), counter) {
            cell.fetch_add(times, Ordering::Relaxed);
        }
    }

    /// What a counter has come to.
    #[must_use]
    pub fn read(&self, counter: usize) -> u64 {
        let cells = (0..STRIPES).filter_map(|stripe| self.cell(stripe, counter));
        cells.fold(0, |sum, cell| sum.wrapping_add(cell.load(Ordering::Relaxed)))
    }

    /// The calling thread's own part of a counter, for what each thread keeps by itself. Threads that share a stripe
    /// overwrite one another's.
    #[must_use]
    pub fn own(&self, counter: usize) -> Option<&AtomicU64> {
        self.cell(stripe(), counter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_count_is_lost_however_many_threads_there_are() {
        let striped = Striped::new(11);
        std::thread::scope(|scope| {
            for _ in 0..=2 * STRIPES {
                scope.spawn(|| (0..11_000).for_each(|number| striped.add(number % 11, 2)));
            }
        });
        for counter in 0..11 {
            assert_eq!(striped.read(counter), 2_000 * (2 * STRIPES as u64 + 1));
        }
        striped.add(16, 1);
        assert_eq!(striped.read(16), 0, "there is no such counter");
    }
}
