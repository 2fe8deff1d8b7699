//! Alarms: one for each thing that is under way, and none for what has ended. So their number is that of the things,
//! whatever became of those before.

use std::collections::BTreeSet;

use super::Instant;

/// The alarms of many things, each known by a key.
#[derive(Debug)]
pub struct Alarms<K> {
    dues: BTreeSet<(Instant, K)>,
}

impl<K: Copy + Ord> Alarms<K> {
    /// No alarm.
    #[must_use]
    pub const fn new() -> Self {
        Self { dues: BTreeSet::new() }
    }

    /// Sets the alarm of `key` to `due`, or none. `set` is where its owner keeps what it was set to before.
    pub fn set(&mut self, key: K, set: &mut Option<Instant>, due: Option<Instant>) {
        if *set == due {
            return;
        }
        if let Some(before) = *set {
            self.dues.remove(&(before, key));
        }
        if let Some(due) = due {
            self.dues.insert((due, key));
        }
        *set = due;
    }

    /// The earliest alarm.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        self.dues.first().map(|(due, _)| *due)
    }

    /// Takes the earliest alarm if it is due by `now`: when it was, and whose. Its owner must note that it has none.
    pub fn take_due(&mut self, now: Instant) -> Option<(Instant, K)> {
        self.dues.first().filter(|(due, _)| *due <= now)?;
        self.dues.pop_first()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.dues.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.dues.is_empty()
    }
}

impl<K: Copy + Ord> Default for Alarms<K> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_has_one_alarm_however_often_it_is_set() {
        let (mut alarms, mut set) = (Alarms::new(), None);
        for second in [5, 3, 9, 9, 4] {
            alarms.set('a', &mut set, Some(Instant::from_seconds(second)));
        }
        assert_eq!(alarms.len(), 1);
        assert_eq!(alarms.next(), Some(Instant::from_seconds(4)));
        alarms.set('a', &mut set, None);
        assert!(alarms.is_empty() && set.is_none());
    }

    #[test]
    fn alarms_ring_in_order_and_not_before_their_time() {
        let mut alarms = Alarms::new();
        for (key, second) in [('c', 3), ('a', 1), ('b', 2)] {
            alarms.set(key, &mut None, Some(Instant::from_seconds(second)));
        }
        assert_eq!(alarms.take_due(Instant::ZERO), None);
        assert_eq!(alarms.take_due(Instant::from_seconds(2)), Some((Instant::from_seconds(1), 'a')));
        assert_eq!(alarms.take_due(Instant::from_seconds(2)), Some((Instant::from_seconds(2), 'b')));
        assert_eq!(alarms.take_due(Instant::from_seconds(2)), None);
    }
}
