//! The state machine of one check (R5): sightings come in, a state and the moment of the next probe come out.
//!
//! ```text
//! UNKNOWN ─success─▶ HEALTHY ─failure─▶ SUSPECT ─`fall` failures─▶ DOWN ─success─▶ PROBING ─`rise` successes─▶ HEALTHY
//!    └────failure─▶ DOWN      ◀─`clear` successes─┘                 ◀──failure──────┘
//! ```
//!
//! The first sighting decides alone: the first answers are given after one round of probes and must not lead to
//! the dead. Failures of a suspect need not be consecutive. Call in turn [`Tracker::poll_probe`],
//! [`Tracker::begin_probe`], [`Tracker::observe`].

use std::time::Duration;

use crate::base::{Dice, Instant};

/// What a check makes of its target.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum State {
    /// Nothing seen yet; counts as healthy.
    Unknown,
    /// All is well.
    Healthy,
    /// Failed lately; still answered, probed more often.
    Suspect,
    /// Failed `fall` times.
    Down,
    /// Was down, and works again since a moment: not yet answered.
    Probing,
}

impl State {
    /// Whether new answers may hold a target in this state.
    #[must_use]
    pub const fn is_usable(self) -> bool {
        matches!(self, Self::Unknown | Self::Healthy | Self::Suspect)
    }

    /// The state's name.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unknown => "UNKNOWN",
            Self::Healthy => "HEALTHY",
            Self::Suspect => "SUSPECT",
            Self::Down => "DOWN",
            Self::Probing => "PROBING",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Unknown, Self::Healthy, Self::Suspect, Self::Down, Self::Probing]
            .into_iter()
            .find(|state| state.word() == word)
    }
}

/// What one probe saw.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sighting {
    /// The target did what is expected of it.
    Success,
    /// It did not, or not in time.
    Failure,
}

/// The timing of a check.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timing {
    /// From one probe's start to the next.
    pub interval: Duration,
    /// A probe that takes longer has failed.
    pub timeout: Duration,
    /// Failures that make a target DOWN; 1 or more.
    pub fall: u8,
    /// Successes in a row that bring it back; 1 or more.
    pub rise: u8,
    /// Successes in a row that clear a suspicion; 1 or more.
    pub clear: u8,
    /// For so long after its return a member's weight grows.
    pub slow_start: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(10),
            timeout: Duration::from_secs(3),
            fall: 3,
            rise: 2,
            clear: 3,
            slow_start: Duration::from_secs(30),
        }
    }
}

impl Timing {
    /// From one probe's start to the next while suspect: a quarter of the interval, at least a second (and never
    /// more than the interval).
    #[must_use]
    pub fn suspect_gap(&self) -> Duration {
        (self.interval / 4).max(Duration::from_secs(1)).min(self.interval)
    }

    /// The longest that a healthy target's death can go unnoticed.
    #[must_use]
    pub fn detection_max(&self) -> Duration {
        self.interval * 11 / 10 + self.timeout.max(self.suspect_gap()) * u32::from(self.fall)
    }

    /// The longest that a return can go unnoticed, after whatever back-off.
    #[must_use]
    pub fn recovery_max(&self) -> Duration {
        self.interval * 8 + self.interval * 11 / 10 * u32::from(self.rise)
    }
}

/// Back-off doubles at most so often: 8 intervals.
const BACK_OFF_STEPS_MAX: u8 = 3;
/// First probes of all checks are spread over this time at most.
const FIRST_ROUND: Duration = Duration::from_millis(500);

/// The health of one target under one check.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tracker {
    timing: Timing,
    /// The check's own offset within the interval, so that checks do not march in step.
    phase: u64,
    state: State,
    failures: u8,
    successes: u8,
    relapses: u8,
    begun: Option<Instant>,
    next: Instant,
    /// When something was seen last; a probe that told nothing saw nothing.
    seen: Option<Instant>,
    was_tried: bool,
    is_doubted: bool,
    went_down: Option<Instant>,
    came_back: Option<Instant>,
}

impl Tracker {
    /// A tracker that has seen nothing. `phase` is a hash of the check and of this node.
    #[must_use]
    pub fn new(timing: Timing, phase: u64, now: Instant) -> Self {
        let spread = FIRST_ROUND.min(timing.interval);
        Self {
            timing,
            phase,
            state: State::Unknown,
            failures: 0,
            successes: 0,
            relapses: 0,
            begun: None,
            next: now + within(spread, phase),
            seen: None,
            was_tried: false,
            is_doubted: false,
            went_down: None,
            came_back: None,
        }
    }

    /// A tracker that goes on with what was saved; it is probed in the first round all the same.
    #[must_use]
    pub fn resumed(timing: Timing, phase: u64, state: State, failures: u8, now: Instant) -> Self {
        let mut tracker = Self::new(timing, phase, now);
        tracker.state = match state {
            State::Probing => State::Down,
            other => other,
        };
        tracker.failures = if state == State::Suspect { failures.clamp(1, timing.fall.max(2) - 1) } else { 0 };
        tracker.went_down = (tracker.state == State::Down).then_some(now);
        tracker.was_tried = tracker.state != State::Unknown;
        tracker.seen = tracker.was_tried.then_some(now);
        tracker
    }

    /// The present state.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// Failures since the last clear.
    #[must_use]
    pub const fn failures(&self) -> u8 {
        self.failures
    }

    /// Whether a probe has ended, whatever it told.
    #[must_use]
    pub const fn was_tried(&self) -> bool {
        self.was_tried
    }

    /// The check's timing.
    #[must_use]
    pub const fn timing(&self) -> &Timing {
        &self.timing
    }

    /// When the target went down last.
    #[must_use]
    pub const fn went_down(&self) -> Option<Instant> {
        self.went_down
    }

    /// When it came back last.
    #[must_use]
    pub const fn came_back(&self) -> Option<Instant> {
        self.came_back
    }

    /// Forgets that the target was ever down: a return that waits for people is confirmed.
    pub fn confirm_return(&mut self) {
        self.came_back = None;
    }

    /// When the next probe is due; none while one is under way.
    #[must_use]
    pub fn poll_probe(&self) -> Option<Instant> {
        self.begun.is_none().then_some(self.next)
    }

    /// A probe starts.
    pub fn begin_probe(&mut self, now: Instant) {
        self.begun = Some(now);
    }

    /// The soonest that the state can flip between usable and not: intervals times sightings needed (R6).
    #[must_use]
    pub fn flips_in(&self) -> Duration {
        let sightings = match self.state {
            State::Unknown => 1,
            State::Healthy | State::Suspect => self.timing.fall.saturating_sub(self.failures).max(1),
            State::Down => self.timing.rise.max(1),
            State::Probing => self.timing.rise.saturating_sub(self.successes).max(1),
        };
        self.timing.interval * u32::from(sightings)
    }

    /// Takes in what a probe saw; the new state if it changed. `dice` spreads the next probe.
    pub fn observe(&mut self, sighting: Sighting, now: Instant, dice: &mut Dice) -> Option<State> {
        let before = self.state;
        let back_off = match sighting {
            Sighting::Success => self.handle_success(now),
            Sighting::Failure => self.handle_failure(now),
        };
        let gap = match (before, self.state, back_off) {
            (_, _, Some(steps)) => self.timing.interval * (1 << steps.min(BACK_OFF_STEPS_MAX)),
            (_, State::Suspect, _) => self.timing.suspect_gap(),
            // The second probe takes the check to its own phase, the later ones wander around it.
            (State::Unknown, ..) => within(self.timing.interval, self.phase).max(self.timing.interval / 10),
            _ => self.gap(dice),
        };
        (self.seen, self.is_doubted) = (Some(now), false);
        self.end_probe(gap, now);
        (self.state != before).then_some(self.state)
    }

    /// A probe ended and told nothing, for reasons that are not the target's. What was seen last is believed for
    /// `believed_for`; then the state is UNKNOWN.
    pub fn pass(&mut self, believed_for: Duration, now: Instant, dice: &mut Dice) -> Option<State> {
        let before = self.state;
        if self.seen.is_none_or(|seen| now.since(seen) >= believed_for) {
            (self.failures, self.successes, self.relapses) = (0, 0, 0);
            self.state = State::Unknown;
        }
        self.end_probe(self.gap(dice), now);
        (self.state != before).then_some(self.state)
    }

    /// Whether one failure more makes it DOWN, and has not been doubted yet.
    #[must_use]
    pub const fn is_falling(&self) -> bool {
        let is_up = matches!(self.state, State::Healthy | State::Suspect);
        is_up && !self.is_doubted && self.failures.saturating_add(1) >= self.timing.fall
    }

    /// A failure that would make it DOWN, at a time when so much fails that the fault may be our own: it makes it
    /// SUSPECT, and the next failure counts.
    pub fn doubt(&mut self, now: Instant) -> Option<State> {
        let before = self.state;
        self.state = State::Suspect;
        (self.seen, self.successes, self.is_doubted) = (Some(now), 0, true);
        self.end_probe(self.timing.suspect_gap(), now);
        (self.state != before).then_some(self.state)
    }

    fn end_probe(&mut self, gap: Duration, now: Instant) {
        let begun = self.begun.take().unwrap_or(now);
        self.next = (begun + gap).max(now);
        self.was_tried = true;
    }

    /// An interval, a tenth longer or shorter.
    fn gap(&self, dice: &mut Dice) -> Duration {
        self.timing.interval * 9 / 10 + within(self.timing.interval / 5, dice.bits())
    }

    /// A sign of trouble from elsewhere, such as a load feed: makes a healthy target suspect, never more.
    pub fn suspect(&mut self, now: Instant) -> Option<State> {
        if self.state != State::Healthy {
            return None;
        }
        self.state = State::Suspect;
        (self.failures, self.successes) = (0, 0);
        self.next = self.next.min(now + self.timing.suspect_gap());
        Some(self.state)
    }

    fn handle_success(&mut self, now: Instant) -> Option<u8> {
        self.successes = self.successes.saturating_add(1);
        match self.state {
            State::Unknown => self.turn_healthy(),
            State::Suspect if self.successes >= self.timing.clear => self.turn_healthy(),
            State::Down | State::Probing => {
                if self.state == State::Down {
                    self.successes = 1;
                    self.state = State::Probing;
                }
                if self.successes >= self.timing.rise {
                    self.turn_healthy();
                    self.came_back = Some(now);
                }
            }
            State::Healthy | State::Suspect => {}
        }
        None
    }

    fn handle_failure(&mut self, now: Instant) -> Option<u8> {
        self.successes = 0;
        match self.state {
            State::Healthy | State::Suspect => {
                self.failures = self.failures.saturating_add(1);
                self.state = if self.failures >= self.timing.fall { State::Down } else { State::Suspect };
            }
            State::Unknown => self.state = State::Down,
            State::Down => {}
            State::Probing => {
                self.state = State::Down;
                self.relapses = self.relapses.saturating_add(1);
                return Some(self.relapses);
            }
        }
        if self.state == State::Down && self.failures > 0 {
            self.failures = 0;
            self.relapses = 0;
            self.went_down = Some(now);
        } else if self.state == State::Down && self.went_down.is_none() {
            self.went_down = Some(now);
        }
        None
    }

    fn turn_healthy(&mut self) {
        self.state = State::Healthy;
        (self.failures, self.successes, self.relapses) = (0, 0, 0);
    }
}

/// The moment within `span` that `number` falls on.
fn within(span: Duration, number: u64) -> Duration {
    let nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
    Duration::from_nanos(number.checked_rem(nanos).unwrap_or(0))
}

#[cfg(test)]
#[path = "tracker_tests.rs"]
mod tests;
