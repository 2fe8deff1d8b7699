//! A zone whose data come from primaries: when which of them is asked for what.
//!
//! Time, a NOTIFY and what became of the last action come in; the next [`Action`] leaves. A round goes through the
//! primaries in order: the first one with our serial or a newer one ends it, a newer one is fetched; the next one
//! is asked where one fails, lies or is behind. Data that no primary has confirmed for the time that their SOA
//! record allows are withdrawn, but never forgotten: a primary that still has the same serial brings them back.

use std::collections::VecDeque;
use std::time::Duration;

use super::is_newer;
use crate::base::{Dice, Instant, bounds};
use crate::handlers::authority::Zone;

/// Shortest time from the beginning of one round to that of one that a NOTIFY brings.
const NOTIFY_GAP: Duration = Duration::from_millis(100);

/// What a SOA record says to secondaries (RFC 1035 §3.3.13), within our bounds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timers {
    /// From one check to the next.
    pub refresh: Duration,
    /// From a failed check to the next.
    pub retry: Duration,
    /// How long data are good without a check.
    pub expire: Duration,
}

impl Timers {
    /// Those of `zone`.
    #[must_use]
    pub fn of(zone: &Zone) -> Self {
        let rdata = zone.soa().and_then(|soa| soa.rdatas().next());
        let seconds = |from_end: usize| {
            let octets = rdata.and_then(|rdata| rdata.get(rdata.len().checked_sub(from_end)?..)?.first_chunk::<4>());
            Duration::from_secs(u64::from(octets.map_or(0, |octets| u32::from_be_bytes(*octets))))
        };
        let bounded = |time: Duration| time.clamp(bounds::REFRESH_MIN, bounds::REFRESH_MAX);
        Self { refresh: bounded(seconds(16)), retry: bounded(seconds(12)), expire: seconds(8) }
    }
}

/// What is to be done; each but the last two is answered by one of the `handle_` calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Ask the primary of this number for its serial.
    Check {
        /// Which.
        primary: usize,
    },
    /// Fetch the zone from it.
    Transfer {
        /// Which.
        primary: usize,
        /// As steps from our version on, where it can.
        is_incremental: bool,
        /// The serial that must be surpassed; none takes any.
        newer_than: Option<u32>,
    },
    /// Our version was confirmed: give its data, if they were withdrawn.
    Confirm,
    /// Our version has expired: give its data no more.
    Withdraw,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Resting,
    Checking { primary: usize },
    Fetching { primary: usize, is_incremental: bool },
}

/// What we have of the zone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Held {
    serial: u32,
    timers: Timers,
    expires: Instant,
    is_expired: bool,
}

/// A zone's state as a secondary.
#[derive(Clone, Debug)]
pub struct Secondary {
    primaries: usize,
    held: Option<Held>,
    phase: Phase,
    /// Primaries still to be asked in this round.
    round: VecDeque<usize>,
    began: Instant,
    due: Instant,
    /// A primary has notified us since the round began: it is asked first in the next one.
    notified_by: Option<usize>,
    failures: u32,
    actions: VecDeque<Action>,
}

impl Secondary {
    /// A zone with so many primaries, of which `kept` was kept when we last ran: its serial, its timers, and the
    /// time since it was last confirmed. A first check is due at once.
    #[must_use]
    pub fn new(primaries: usize, kept: Option<(u32, Timers, Duration)>, now: Instant) -> Self {
        let held = kept.map(|(serial, timers, age)| {
            let left = timers.expire.saturating_sub(age);
            Held { serial, timers, expires: now + left, is_expired: left.is_zero() }
        });
        Self {
            primaries,
            held,
            phase: Phase::Resting,
            round: VecDeque::new(),
            began: Instant::ZERO,
            due: now,
            notified_by: None,
            failures: 0,
            actions: VecDeque::new(),
        }
    }

    /// Whether there are data that may be given.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.held.is_some_and(|held| !held.is_expired)
    }

    /// The next thing to do at `now`.
    pub fn poll_action(&mut self, now: Instant) -> Option<Action> {
        if let Some(held) = self.held.as_mut().filter(|held| !held.is_expired && now >= held.expires) {
            held.is_expired = true;
            return Some(Action::Withdraw);
        }
        if let Some(action) = self.actions.pop_front() {
            return Some(action);
        }
        if self.phase != Phase::Resting || now < self.due {
            return None;
        }
        let first = self.notified_by.take().filter(|first| *first < self.primaries);
        self.round = first.into_iter().chain((0..self.primaries).filter(|one| Some(*one) != first)).collect();
        self.began = now;
        let primary = self.round.pop_front()?;
        self.phase = Phase::Checking { primary };
        Some(Action::Check { primary })
    }

    /// When [`Secondary::poll_action`] wants to be called next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let expires = self.held.filter(|held| !held.is_expired).map(|held| held.expires);
        let due = (self.phase == Phase::Resting).then_some(self.due);
        [expires, due].into_iter().flatten().min()
    }

    /// The primary that was asked has the serial `theirs`.
    pub fn handle_serial(&mut self, theirs: u32, now: Instant, dice: &mut Dice) {
        let Phase::Checking { primary } = self.phase else { return };
        match self.held {
            Some(held) if theirs == held.serial => self.succeed(now, dice),
            // Expired data are nothing to hold on to: a primary may have begun to count anew.
            Some(held) if held.is_expired => self.fetch(primary, false),
            Some(held) if is_newer(theirs, held.serial) => self.fetch(primary, true),
            Some(_) => self.try_next(now, dice), // it is behind
            None => self.fetch(primary, false),
        }
    }

    /// A transfer has brought a version; none where it brought what we have.
    pub fn handle_version(&mut self, version: Option<(u32, Timers)>, now: Instant, dice: &mut Dice) {
        if !matches!(self.phase, Phase::Fetching { .. }) {
            return;
        }
        if let Some((serial, timers)) = version {
            self.held = Some(Held { serial, timers, expires: now + timers.expire, is_expired: false });
        }
        self.succeed(now, dice);
    }

    /// The last action failed. `calls_for_axfr`: the same primary may well give the zone whole.
    pub fn handle_fault(&mut self, calls_for_axfr: bool, now: Instant, dice: &mut Dice) {
        match self.phase {
            Phase::Fetching { primary, is_incremental: true } if calls_for_axfr => self.fetch(primary, false),
            Phase::Resting => {}
            _ => self.try_next(now, dice),
        }
    }

    /// The primary of this number says that the zone has changed, and perhaps to which serial. A change that we
    /// have is none.
    pub fn handle_notify(&mut self, primary: usize, serial: Option<u32>, now: Instant) {
        if let (Some(held), Some(serial)) = (self.held, serial)
            && !held.is_expired
            && !is_newer(serial, held.serial)
        {
            return;
        }
        self.notified_by = Some(primary);
        if self.phase == Phase::Resting {
            self.due = self.due.min(now.max(self.began + NOTIFY_GAP));
        }
    }

    fn fetch(&mut self, primary: usize, is_incremental: bool) {
        self.phase = Phase::Fetching { primary, is_incremental };
        let newer_than = self.held.filter(|held| !held.is_expired).map(|held| held.serial);
        self.actions.push_back(Action::Transfer { primary, is_incremental, newer_than });
    }

    fn try_next(&mut self, now: Instant, dice: &mut Dice) {
        if let Some(primary) = self.round.pop_front() {
            self.phase = Phase::Checking { primary };
            self.actions.push_back(Action::Check { primary });
            return;
        }
        let pause = match self.held {
            Some(held) => held.timers.retry,
            None => (bounds::FIRST_RETRY_MIN * (1 << self.failures.min(16))).min(bounds::FIRST_RETRY_MAX),
        };
        self.failures = self.failures.saturating_add(1);
        self.rest(pause, now, dice);
    }

    fn succeed(&mut self, now: Instant, dice: &mut Dice) {
        self.failures = 0;
        let Some(held) = &mut self.held else { return self.rest(bounds::FIRST_RETRY_MIN, now, dice) };
        held.expires = now + held.timers.expire;
        held.is_expired = false;
        let refresh = held.timers.refresh;
        self.actions.push_back(Action::Confirm);
        self.rest(refresh, now, dice);
    }

    /// Rests for nine to ten tenths of `pause`, so that the secondaries of many zones do not come all at once.
    fn rest(&mut self, pause: Duration, now: Instant, dice: &mut Dice) {
        self.round.clear();
        self.phase = Phase::Resting;
        let milliseconds = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        self.due = now + pause.saturating_sub(Duration::from_millis(dice.below(milliseconds / 10 + 1)));
        if self.notified_by.is_some() {
            self.due = self.due.min(now.max(self.began + NOTIFY_GAP));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMERS: Timers = Timers {
        refresh: Duration::from_secs(1_000),
        retry: Duration::from_secs(100),
        expire: Duration::from_secs(5_000),
    };

    fn at(seconds: u64) -> Instant {
        Instant::from_seconds(seconds)
    }

    fn dice() -> Dice {
        Dice::from_number(5)
    }

    fn holding(serial: u32) -> Secondary {
        Secondary::new(2, Some((serial, TIMERS, Duration::ZERO)), at(0))
    }

    fn rests_until(secondary: &Secondary) -> u64 {
        secondary.poll_timeout().unwrap().seconds()
    }

    #[test]
    fn a_new_zone_is_fetched_whole_at_once() {
        let mut secondary = Secondary::new(1, None, at(0));
        assert_eq!(secondary.poll_action(at(0)), Some(Action::Check { primary: 0 }));
        assert_eq!(secondary.poll_action(at(0)), None);
        secondary.handle_serial(7, at(0), &mut dice());
        let fetch = Action::Transfer { primary: 0, is_incremental: false, newer_than: None };
        assert_eq!(secondary.poll_action(at(0)), Some(fetch));
        assert!(!secondary.is_serving());
        secondary.handle_version(Some((7, TIMERS)), at(1), &mut dice());
        assert!(secondary.is_serving());
        assert_eq!(secondary.poll_action(at(1)), Some(Action::Confirm));
        assert!((901..=1_001).contains(&rests_until(&secondary)));
    }

    #[test]
    fn the_same_serial_is_confirmed_and_a_newer_one_fetched_in_steps() {
        let mut secondary = holding(7);
        assert_eq!(secondary.poll_action(at(0)), Some(Action::Check { primary: 0 }));
        secondary.handle_serial(7, at(0), &mut dice());
        assert_eq!(secondary.poll_action(at(0)), Some(Action::Confirm));
        assert_eq!(secondary.poll_action(at(0)), None);
        assert_eq!(secondary.poll_action(at(1_000)), Some(Action::Check { primary: 0 }));
        secondary.handle_serial(8, at(1_000), &mut dice());
        let fetch = |is_incremental| Action::Transfer { primary: 0, is_incremental, newer_than: Some(7) };
        assert_eq!(secondary.poll_action(at(1_000)), Some(fetch(true)));
        secondary.handle_fault(true, at(1_000), &mut dice());
        assert_eq!(secondary.poll_action(at(1_000)), Some(fetch(false)));
        secondary.handle_fault(true, at(1_000), &mut dice());
        assert_eq!(secondary.poll_action(at(1_000)), Some(Action::Check { primary: 1 }));
    }

    #[test]
    fn primaries_are_asked_in_order_and_then_again_after_the_retry_time() {
        let mut secondary = holding(7);
        assert_eq!(secondary.poll_action(at(0)), Some(Action::Check { primary: 0 }));
        secondary.handle_fault(false, at(3), &mut dice());
        assert_eq!(secondary.poll_action(at(3)), Some(Action::Check { primary: 1 }));
        secondary.handle_serial(6, at(3), &mut dice()); // behind
        assert_eq!(secondary.poll_action(at(3)), None);
        assert!((93..=103).contains(&rests_until(&secondary)));
        assert!(secondary.is_serving());
    }

    #[test]
    fn data_that_nobody_confirms_are_withdrawn_and_come_back() {
        let mut secondary = holding(7);
        let mut dice = dice();
        let mut now = 0;
        while secondary.is_serving() {
            match secondary.poll_action(at(now)) {
                Some(Action::Check { .. }) => secondary.handle_fault(false, at(now), &mut dice),
                Some(Action::Withdraw) => assert_eq!(now, 5_000),
                Some(other) => panic!("{other:?}"),
                None => now = rests_until(&secondary).max(now + 1).min(5_000),
            }
        }
        // The same serial, not a transfer, brings them back; an older one is fetched.
        let mut older = secondary.clone();
        for (secondary, serial) in [(&mut secondary, 7), (&mut older, 3)] {
            now = rests_until(secondary) + 1;
            while !matches!(secondary.poll_action(at(now)), Some(Action::Check { .. })) {}
            secondary.handle_serial(serial, at(now), &mut dice);
        }
        assert_eq!(secondary.poll_action(at(now)), Some(Action::Confirm));
        assert!(secondary.is_serving());
        let fetch = Action::Transfer { primary: 0, is_incremental: false, newer_than: None };
        assert_eq!(older.poll_action(at(now)), Some(fetch));
    }

    #[test]
    fn what_was_kept_too_long_is_not_served() {
        let kept = |age| Secondary::new(1, Some((7, TIMERS, Duration::from_secs(age))), at(0));
        assert!(kept(4_999).is_serving() && !kept(5_000).is_serving() && !kept(9_999).is_serving());
        assert_eq!(kept(4_990).poll_timeout(), Some(at(0)));
    }

    #[test]
    fn a_notify_brings_a_check_of_its_sender() {
        let mut secondary = holding(7);
        secondary.poll_action(at(0));
        secondary.handle_serial(7, at(0), &mut dice());
        secondary.poll_action(at(0));
        secondary.handle_notify(1, Some(7), at(10)); // we have that
        assert_eq!(secondary.poll_action(at(10)), None);
        secondary.handle_notify(1, Some(8), at(10));
        assert_eq!(secondary.poll_action(at(10)), Some(Action::Check { primary: 1 }));
        // Another one meanwhile is not lost, nor does it begin a second round at once.
        secondary.handle_notify(0, None, at(10));
        assert_eq!(secondary.poll_action(at(10)), None);
        secondary.handle_serial(7, at(10), &mut dice());
        assert_eq!(secondary.poll_action(at(10)), Some(Action::Confirm));
        assert_eq!(secondary.poll_action(at(10)), None);
        assert_eq!(secondary.poll_action(at(11)), Some(Action::Check { primary: 0 }));
    }

    #[test]
    fn a_zone_never_had_is_tried_ever_more_rarely() {
        let mut secondary = Secondary::new(1, None, at(0));
        let (mut now, mut pauses) = (at(0), Vec::new());
        for _ in 0..12 {
            assert_eq!(secondary.poll_action(now), Some(Action::Check { primary: 0 }));
            secondary.handle_fault(false, now, &mut dice());
            let due = secondary.poll_timeout().unwrap();
            pauses.push(due.since(now).as_secs());
            now = due;
        }
        assert!(pauses.is_sorted(), "{pauses:?}");
        assert!(pauses[0] <= 2 && (540..=600).contains(&pauses[11]), "{pauses:?}");
    }
}
