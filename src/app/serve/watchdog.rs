//! Tells the service manager that we turn, as long as every worker does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::station::LONGEST_STEP;
use crate::edge::manager::{self, News};

/// Looks between two times that the manager wants to hear of us.
const LOOKS: u32 = 4;

/// The steps that each worker has taken.
pub struct Pulse {
    turns: Vec<Arc<AtomicU64>>,
    seen: Vec<u64>,
}

impl Pulse {
    /// Of workers that count their steps in `turns`.
    #[must_use]
    pub fn new(turns: Vec<Arc<AtomicU64>>) -> Self {
        Self { seen: turns.iter().map(|turns| turns.load(Ordering::Relaxed)).collect(), turns }
    }

    /// Whether every worker has taken a step since this last said so.
    pub fn has_turned(&mut self) -> bool {
        let now: Vec<u64> = self.turns.iter().map(|turns| turns.load(Ordering::Relaxed)).collect();
        let has_turned = now.iter().zip(&self.seen).all(|(now, seen)| now != seen);
        if has_turned {
            self.seen = now;
        }
        has_turned
    }
}

/// Feeds the watchdog, for ever, if there is one: from the runtime, so that it is known to turn as well.
pub async fn feed(turns: Vec<Arc<AtomicU64>>) {
    let Some(within) = manager::watchdog() else { return };
    if within < 2 * LONGEST_STEP {
        tracing::warn!("a watchdog of {within:?} may bite an idle server; give it {:?} at least", 2 * LONGEST_STEP);
    }
    let mut pulse = Pulse::new(turns);
    loop {
        tokio::time::sleep((within / LOOKS).max(Duration::from_millis(1))).await;
        if pulse.has_turned() {
            manager::tell(&News::Turning);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_worker_that_does_not_turn_is_enough() {
        let turns: Vec<Arc<AtomicU64>> = (0..3).map(|_| Arc::default()).collect();
        let mut pulse = Pulse::new(turns.clone());
        let turn = |which: &[usize]| {
            for at in which {
                turns[*at].fetch_add(1, Ordering::Relaxed);
            }
        };
        assert!(!pulse.has_turned());
        turn(&[0, 2]);
        assert!(!pulse.has_turned(), "the second stands still");
        turn(&[1]);
        assert!(pulse.has_turned(), "all have, since the beginning");
        assert!(!pulse.has_turned(), "none since then");
        turn(&[0, 1, 2]);
        assert!(pulse.has_turned());
    }
}
