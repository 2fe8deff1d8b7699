//! The watch: all checks of a server, each probed once however many members and pools rely on it.
//!
//! Ask [`Watch::poll_probe`] until it has none, probe what it names, tell [`Watch::observe`] what was seen, and come
//! back at [`Watch::poll_timeout`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

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
    /// When healthy checks began to fail, the latest last.
    troubles: VecDeque<Instant>,
}

/// Fewer checks than this in trouble are never a sign of trouble here.
const MASS_MIN: usize = 3;

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
    ///
    /// Where more than half of all checks began to fail within the time that one takes to notice a death, the fault may
    /// be our own: none goes down then before one failure more.
    pub fn observe(&mut self, key: &str, sighting: Sighting, now: Instant, dice: &mut Dice) -> Option<State> {
        let known = self.trackers.get(key)?;
        let is_doubtful = sighting == Sighting::Failure && known.is_falling() && {
            let was_healthy = usize::from(known.state() == State::Healthy);
            self.is_mass(self.troubles_within(known.timing().detection_max(), now) + was_healthy)
        };
        let was_healthy = known.state() == State::Healthy;
        let change =
            self.end_probe(
                key,
                |tracker| {
                    if is_doubtful { tracker.doubt(now) } else { tracker.observe(sighting, now, dice) }
                },
            );
        if was_healthy && change.is_some() {
            if self.troubles.len() >= self.trackers.len() {
                self.troubles.pop_front();
            }
            self.troubles.push_back(now);
        }
        change
    }

    /// A probe ended without a word about its target; what was seen last is believed for `believed_for`.
    pub fn pass(&mut self, key: &str, believed_for: Duration, now: Instant, dice: &mut Dice) -> Option<State> {
        self.end_probe(key, |tracker| tracker.pass(believed_for, now, dice))
    }

    fn end_probe(&mut self, key: &str, take_in: impl FnOnce(&mut Tracker) -> Option<State>) -> Option<State> {
        let (key, tracker) = self.trackers.get_key_value(key).map(|(key, tracker)| (key.clone(), tracker))?;
        match tracker.poll_probe() {
            Some(due) => {
                self.queue.remove(&(due, key.clone()));
            }
            None => self.in_flight = self.in_flight.saturating_sub(1),
        }
        let tracker = self.trackers.get_mut(&key)?;
        let change = take_in(tracker);
        if let Some(due) = tracker.poll_probe() {
            self.queue.insert((due, key));
        }
        change
    }

    fn troubles_within(&self, span: Duration, now: Instant) -> usize {
        self.troubles.len() - self.troubles.partition_point(|at| now.since(*at) > span)
    }

    fn is_mass(&self, troubles: usize) -> bool {
        troubles >= MASS_MIN && troubles * 2 > self.trackers.len()
    }

    /// A sign of trouble from elsewhere: makes a healthy check suspect.
    pub fn suspect(&mut self, key: &str, now: Instant) -> Option<State> {
        let (key, tracker) = self.trackers.get_key_value(key).map(|(key, tracker)| (key.clone(), tracker))?;
        let is_queued = tracker.poll_probe().is_some_and(|due| self.queue.remove(&(due, key.clone())));
        let tracker = self.trackers.get_mut(&key)?;
        let change = tracker.suspect(now);
        if let Some(due) = tracker.poll_probe().filter(|_| is_queued) {
            self.queue.insert((due, key));
        }
        change
    }

    /// People confirm that the target is back: `failback: manual` ends its wait.
    pub fn confirm_return(&mut self, key: &str) {
        if let Some(tracker) = self.trackers.get_mut(key) {
            tracker.confirm_return();
        }
    }

    /// Whether every check has been tried once: answers may begin.
    #[must_use]
    pub fn is_first_round_over(&self) -> bool {
        self.trackers.values().all(Tracker::was_tried)
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

    /// Lets every check fail or succeed at `now`; how many are DOWN then.
    fn see(watch: &mut Watch, failing: usize, now: Instant, dice: &mut Dice) -> usize {
        let keys: Vec<CheckKey> = watch.trackers().map(|(key, _)| key.clone()).collect();
        for (at, key) in keys.iter().enumerate() {
            watch.observe(key, if at < failing { Sighting::Failure } else { Sighting::Success }, now, dice);
        }
        watch.trackers().filter(|(_, tracker)| tracker.state() == State::Down).count()
    }

    #[test]
    fn when_most_checks_fail_at_once_one_failure_more_is_awaited() {
        for (failing, expected) in [(5, [0, 0, 5, 5]), (6, [0, 0, 0, 6])] {
            let mut watch = watch(10);
            let mut dice = Dice::from_number(1);
            see(&mut watch, 0, Instant::from_seconds(1), &mut dice);
            let downs = [2, 5, 8, 11].map(|at| see(&mut watch, failing, Instant::from_seconds(at), &mut dice));
            assert_eq!(downs, expected, "{failing} of 10");
        }
    }

    #[test]
    fn half_of_few_checks_fall_without_delay() {
        let mut watch = watch(2);
        let mut dice = Dice::from_number(1);
        see(&mut watch, 0, Instant::from_seconds(1), &mut dice);
        let downs = [2, 5, 8].map(|at| see(&mut watch, 2, Instant::from_seconds(at), &mut dice));
        assert_eq!(downs, [0, 0, 2]);
    }

    #[test]
    fn a_probe_that_tells_nothing_ends_the_first_round_and_leaves_the_state_for_a_while() {
        let mut watch = watch(1);
        let mut dice = Dice::from_number(1);
        let (key, believed) = ("tcp 192.0.2.0:443", Duration::from_secs(20));
        assert_eq!(watch.pass(key, believed, Instant::ZERO, &mut dice), None);
        assert!(watch.is_first_round_over());
        watch.observe(key, Sighting::Failure, Instant::from_seconds(1), &mut dice);
        assert_eq!(watch.pass(key, believed, Instant::from_seconds(20), &mut dice), None);
        assert_eq!(watch.tracker(key).unwrap().state(), State::Down);
        assert_eq!(watch.pass(key, believed, Instant::from_seconds(21), &mut dice), Some(State::Unknown));
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
