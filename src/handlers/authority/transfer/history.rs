//! The last differences of a zone, for secondaries that are a few versions behind.

use std::collections::VecDeque;
use std::sync::Arc;

use super::is_newer;
use crate::base::bounds;
use crate::handlers::authority::Difference;

/// The differences that lead to the version in force, without a gap; the oldest go first.
#[derive(Clone, Debug, Default)]
pub struct History {
    steps: VecDeque<Arc<Difference>>,
    bytes: usize,
}

impl History {
    /// Adds the step to the version in force, which takes `zone_bytes` octets: what would take more than the zone
    /// itself is of no use to anybody. A step that does not follow on the last one, or leads to a serial that is
    /// not newer, makes all that was before useless.
    pub fn push(&mut self, step: Arc<Difference>, zone_bytes: usize) {
        if self.steps.back().is_some_and(|last| last.to_serial != step.from_serial) {
            self.forget();
        }
        if !is_newer(step.to_serial, step.from_serial) {
            return self.forget();
        }
        self.bytes += step.size_bytes();
        self.steps.push_back(step);
        let most = zone_bytes.max(bounds::HISTORY_BYTES_FLOOR);
        while self.bytes > most || self.steps.len() > bounds::HISTORY_STEPS_MAX {
            let Some(oldest) = self.steps.pop_front() else { break };
            self.bytes -= oldest.size_bytes();
        }
    }

    /// Forgets everything.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// The steps that lead from `serial` to the version in force, the oldest first; none where that is not known.
    #[must_use]
    pub fn since(&self, serial: u32) -> Option<Vec<Arc<Difference>>> {
        let from = self.steps.iter().rposition(|step| step.from_serial == serial)?;
        Some(self.steps.iter().skip(from).cloned().collect())
    }

    /// The serial that the newest step leads to.
    #[must_use]
    pub fn serial(&self) -> Option<u32> {
        self.steps.back().map(|step| step.to_serial)
    }

    /// Steps kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(from_serial: u32, to_serial: u32) -> Arc<Difference> {
        Arc::new(Difference { from_serial, to_serial, removed: Vec::new(), added: Vec::new() })
    }

    #[test]
    fn steps_are_told_from_the_asked_serial_on() {
        let mut history = History::default();
        for serial in 1..5 {
            history.push(step(serial, serial + 1), 0);
        }
        assert_eq!(history.since(3).unwrap().iter().map(|step| step.to_serial).collect::<Vec<_>>(), [4, 5]);
        assert!(history.since(5).is_none() && history.since(0).is_none());
    }

    #[test]
    fn a_gap_or_a_step_back_makes_the_past_useless() {
        let mut history = History::default();
        history.push(step(1, 2), 0);
        history.push(step(5, 6), 0);
        assert_eq!((history.len(), history.serial()), (1, Some(6)));
        history.push(step(6, 4), 0);
        assert!(history.is_empty());
    }

    #[test]
    fn steps_and_octets_are_bounded() {
        let mut history = History::default();
        for serial in 0..2 * bounds::HISTORY_STEPS_MAX as u32 {
            history.push(step(serial, serial + 1), usize::MAX);
        }
        assert_eq!(history.len(), bounds::HISTORY_STEPS_MAX);
        history.push(step(2_000, 2_001), 0);
        assert!(history.bytes <= bounds::HISTORY_BYTES_FLOOR);
    }
}
