//! The watch: all checks of a server, each probed once however many members and pools rely on it.
//!
//! Ask [`Watch::poll_probe`] until it has none, probe what it names, tell [`Watch::observe`] what was seen, and come
//! back at [`Watch::poll_timeout`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::tracker::{Sighting, State, Timing, Tracker};
use crate::base::{Dice, Instant, bounds};
use crate::steer::hashing::hash_bytes;

/// What names a check: its kind, target and parameters, in a text that equal checks share.
pub type CheckKey = Arc<str>;

/// All checks of a server.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    /// A hash of this node, so that nodes do not probe in step.
    node: u64,
    trackers: BTreeMap<CheckKey, Tracker>,
    queue: BTreeSet<(Instant, CheckKey)>,
    in_flight: usize,
}

impl Watch {
    /// A watch of nothing, on a node known by the hash `node`.
    #[must_use]
    pub fn new(node: u64) -> Self {
        Self { node, ..Self::default() }
    }

    /// Makes `checks` the ones to be watched: known ones with the same timing go on, others begin or end. Checks beyond
    /// [`bounds::CHECKS_MAX`] are left out and counted.
    pub fn replace(&mut self, checks: impl IntoIterator<Item = (CheckKey, Timing)>, now: Instant) -> usize {
        let mut old = std::mem::take(&mut self.trackers);
        let mut left_out = 0;
        for (key, timing) in checks {
            if self.trackers.len() >= bounds::CHECKS_MAX {
                left_out += 1;
                continue;
            }
            let phase = hash_bytes(self.node, key.as_bytes());
            let tracker = match old.remove(&key) {
                Some(tracker) if *tracker.timing() == timing => tracker,
                Some(tracker) => Tracker::resumed(timing, phase, tracker.state(), tracker.failures(), now),
                None => Tracker::new(timing, phase, now),
            };
            self.trackers.entry(key).or_insert(tracker);
        }
        self.rebuild_queue();
        left_out
    }

    /// Lets checks go on with what was saved of them: key, state, failures.
    pub fn resume_all<'s>(&mut self, saved: impl IntoIterator<Item = (&'s str, State, u8)>, now: Instant) {
        for (key, state, failures) in saved {
            if let Some(tracker) = self.trackers.get_mut(key) {
                let phase = hash_bytes(self.node, key.as_bytes());
                *tracker = Tracker::resumed(*tracker.timing(), phase, state, failures, now);
            }
        }
        self.rebuild_queue();
    }

    fn rebuild_queue(&mut self) {
        self.queue =
            self.trackers.iter().filter_map(|(key, tracker)| Some((tracker.poll_probe()?, key.clone()))).collect();
        self.in_flight = self.trackers.len() - self.queue.len();
    }

    /// A check to probe now; none if none is due or as many are under way as may be.
    pub fn poll_probe(&mut self, now: Instant) -> Option<CheckKey> {
        if self.in_flight >= bounds::CHECKS_IN_FLIGHT || self.queue.first().is_none_or(|(due, _)| *due > now) {
            return None;
        }
        let (_, key) = self.queue.pop_first()?;
        self.trackers.get_mut(&key)?.begin_probe(now);
        self.in_flight += 1;
        Some(key)
    }

    /// When [`Watch::poll_probe`] may have something next; none while only the end of a probe can change that.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.in_flight >= bounds::CHECKS_IN_FLIGHT { None } else { self.queue.first().map(|(due, _)| *due) }
    }

    /// Takes in what a probe, or an outside source, saw; the check's new state if it changed. An unknown check (it was
    /// removed meanwhile) is ignored.
    pub fn observe(&mut self, key: &str, sighting: Sighting, now: Instant, dice: &mut Dice) -> Option<State> {
        let (key, tracker) =
            self.trackers.get_key_value(key).map(|(key, tracker)| (key.clone(), tracker.poll_probe()))?;
        match tracker {
            Some(due) => {
                self.queue.remove(&(due, key.clone()));
            }
            None => self.in_flight = self.in_flight.saturating_sub(1),
        }
        let tracker = self.trackers.get_mut(&key)?;
        let change = tracker.observe(sighting, now, dice);
        if let Some(due) = tracker.poll_probe() {
            self.queue.insert((due, key));
        }
        change
    }

    /// A sign of trouble from elsewhere: makes a healthy check suspect.
    pub fn suspect(&mut self, key: &str, now: Instant) -> Option<State> {
        let change = self.trackers.get_mut(key)?.suspect(now);
        self.rebuild_queue();
        change
    }

    /// People confirm that the target is back: `failback: manual` ends its wait.
    pub fn confirm_return(&mut self, key: &str) {
        if let Some(tracker) = self.trackers.get_mut(key) {
            tracker.confirm_return();
        }
    }

    /// Whether every check has been seen once: answers may begin.
    #[must_use]
    pub fn is_first_round_over(&self) -> bool {
        self.trackers.values().all(|tracker| tracker.state() != State::Unknown)
    }

    /// The tracker of a check.
    #[must_use]
    pub fn tracker(&self, key: &str) -> Option<&Tracker> {
        self.trackers.get(key)
    }

    /// All checks, in the order of their keys.
    pub fn trackers(&self) -> impl Iterator<Item = (&CheckKey, &Tracker)> {
        self.trackers.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(count: usize) -> Watch {
        let mut watch = Watch::new(1);
        let checks = (0..count).map(|at| (CheckKey::from(format!("tcp 192.0.2.{at}:443")), Timing::default()));
        assert_eq!(watch.replace(checks, Instant::ZERO), 0);
        watch
    }

    #[test]
    fn equal_checks_are_probed_once() {
        let mut watch = watch(1);
        let same = [(CheckKey::from("tcp 192.0.2.0:443"), Timing::default()); 1];
        watch.replace(same.clone().into_iter().chain(same), Instant::ZERO);
        assert_eq!(watch.trackers().count(), 1);
    }

    #[test]
    fn the_first_round_ends_when_every_check_was_seen() {
        let mut watch = watch(3);
        let mut dice = Dice::from_number(1);
        let now = Instant::from_seconds(1);
        for _ in 0..3 {
            assert!(!watch.is_first_round_over());
            let key = watch.poll_probe(now).unwrap();
            watch.observe(&key, Sighting::Success, now, &mut dice);
        }
        assert!(watch.is_first_round_over());
        assert_eq!(watch.poll_probe(now), None);
        assert!(watch.poll_timeout().unwrap() > now);
    }

    #[test]
    fn no_more_probes_are_under_way_than_may_be() {
        let mut watch = watch(1_000);
        let mut dice = Dice::from_number(1);
        let now = Instant::from_seconds(1);
        let started: Vec<CheckKey> = std::iter::from_fn(|| watch.poll_probe(now)).collect();
        assert_eq!(started.len(), bounds::CHECKS_IN_FLIGHT);
        assert_eq!(watch.poll_timeout(), None);
        watch.observe(&started[0], Sighting::Success, now, &mut dice);
        assert!(watch.poll_probe(now).is_some());
    }

    #[test]
    fn a_removed_check_is_forgotten_and_a_kept_one_goes_on() {
        let mut watch = watch(2);
        let mut dice = Dice::from_number(1);
        watch.observe("tcp 192.0.2.0:443", Sighting::Success, Instant::ZERO, &mut dice);
        let kept = (CheckKey::from("tcp 192.0.2.0:443"), Timing::default());
        watch.replace([kept], Instant::ZERO);
        assert_eq!(watch.tracker("tcp 192.0.2.0:443").unwrap().state(), State::Healthy);
        assert_eq!(watch.observe("tcp 192.0.2.1:443", Sighting::Success, Instant::ZERO, &mut dice), None);
    }
}
