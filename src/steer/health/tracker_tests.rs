use super::*;

fn timing(fall: u8, rise: u8, clear: u8) -> Timing {
    Timing { fall, rise, clear, ..Timing::default() }
}

/// R5 as plain as it can be told: the history is replayed from its start at every step.
fn model(history: &[bool], timing: &Timing) -> State {
    let (mut state, mut f, mut g) = (State::Unknown, 0, 0);
    for &works in history {
        (state, f, g) = match (state, works) {
            (State::Unknown | State::Healthy, true) => (State::Healthy, 0, 0),
            (State::Healthy, false) if timing.fall == 1 => (State::Down, 0, 0),
            (State::Healthy, false) => (State::Suspect, 1, 0),
            (State::Suspect, false) if f + 1 >= timing.fall => (State::Down, 0, 0),
            (State::Suspect, false) => (State::Suspect, f + 1, 0),
            (State::Suspect, true) if g + 1 >= timing.clear => (State::Healthy, 0, 0),
            (State::Suspect, true) => (State::Suspect, f, g + 1),
            (State::Down, true) if timing.rise == 1 => (State::Healthy, 0, 0),
            (State::Down, true) => (State::Probing, 0, 1),
            (State::Unknown | State::Down | State::Probing, false) => (State::Down, 0, 0),
            (State::Probing, true) if g + 1 >= timing.rise => (State::Healthy, 0, 0),
            (State::Probing, true) => (State::Probing, 0, g + 1),
        };
    }
    state
}

#[test]
fn every_sequence_of_twelve_sightings_goes_as_the_rules_say() {
    let mut dice = Dice::from_number(1);
    for (fall, rise, clear) in [(3, 2, 3), (1, 1, 1), (2, 3, 1), (10, 2, 4)] {
        let timing = timing(fall, rise, clear);
        for bits in 0u32..1 << 12 {
            let history: Vec<bool> = (0..12).map(|at| bits & (1 << at) != 0).collect();
            let mut tracker = Tracker::new(timing, 0, Instant::ZERO);
            let mut now = Instant::ZERO;
            for (at, &works) in history.iter().enumerate() {
                let before = tracker.state();
                now = tracker.poll_probe().unwrap().max(now);
                tracker.begin_probe(now);
                assert_eq!(tracker.poll_probe(), None);
                let sighting = if works { Sighting::Success } else { Sighting::Failure };
                let change = tracker.observe(sighting, now, &mut dice);
                let expected = model(&history[..=at], &timing);
                assert_eq!(tracker.state(), expected, "{history:?} at {at}");
                assert_eq!(change, (before != expected).then_some(expected));
                let gap = tracker.poll_probe().unwrap().since(now);
                assert!(gap <= timing.interval * 8, "{gap:?}");
            }
        }
    }
}

/// Probes a target that works except from `dies` to `revives`; the moments at which it leaves and regains the answers.
fn live(
    timing: Timing,
    phase: u64,
    hangs: bool,
    dies: Instant,
    revives: Instant,
) -> (Option<Instant>, Option<Instant>) {
    let mut dice = Dice::from_number(phase);
    let mut tracker = Tracker::new(timing, phase, Instant::ZERO);
    let (mut left, mut regained) = (None, None);
    let end = revives + timing.recovery_max() * 2;
    while let Some(start) = tracker.poll_probe().filter(|&start| start < end) {
        tracker.begin_probe(start);
        let is_dead = start >= dies && start < revives;
        let seen = if is_dead && hangs { start + timing.timeout } else { start };
        let was_usable = tracker.state().is_usable();
        tracker.observe(if is_dead { Sighting::Failure } else { Sighting::Success }, seen, &mut dice);
        match (was_usable, tracker.state().is_usable()) {
            (true, false) => left = left.or(Some(seen)),
            (false, true) => regained = Some(seen),
            _ => {}
        }
    }
    (left, regained)
}

#[test]
fn a_death_and_a_return_are_noticed_in_time() {
    let fast = Timing { interval: Duration::from_secs(4), timeout: Duration::from_millis(500), ..Timing::default() };
    for timing in [Timing::default(), fast, timing(1, 1, 1), timing(10, 2, 3)] {
        for phase in 0..300u64 {
            let phase = phase * 7_919 * 104_729;
            for hangs in [true, false] {
                let dies = Instant::from_seconds(40) + within(timing.interval, phase.rotate_left(17));
                let revives = dies + timing.detection_max() * 3;
                let (left, regained) = live(timing, phase, hangs, dies, revives);
                let bound =
                    timing.interval * 11 / 10 + timing.timeout.max(timing.interval / 4) * u32::from(timing.fall);
                assert!(left.unwrap().since(dies) <= bound, "{:?} > {bound:?}", left.unwrap().since(dies));
                assert!(regained.unwrap().since(revives) <= timing.interval * 11 / 10 * (1 + u32::from(timing.rise)));
            }
        }
    }
}

#[test]
fn defaults_notice_a_death_within_twenty_seconds() {
    assert_eq!(Timing::default().detection_max(), Duration::from_secs(20));
}

#[test]
fn a_relapse_waits_twice_as_long_each_time_up_to_eight_intervals() {
    let mut dice = Dice::from_number(1);
    let mut tracker = Tracker::new(Timing::default(), 0, Instant::ZERO);
    let mut now = Instant::ZERO;
    tracker.observe(Sighting::Failure, now, &mut dice);
    let mut waits = Vec::new();
    for _ in 0..5 {
        for sighting in [Sighting::Success, Sighting::Failure] {
            now = tracker.poll_probe().unwrap();
            tracker.begin_probe(now);
            tracker.observe(sighting, now, &mut dice);
        }
        waits.push(tracker.poll_probe().unwrap().since(now).as_secs());
    }
    assert_eq!(waits, [20, 40, 80, 80, 80]);
}

#[test]
fn trouble_seen_elsewhere_makes_suspect_but_never_down() {
    let mut dice = Dice::from_number(1);
    let mut tracker = Tracker::new(Timing::default(), 0, Instant::ZERO);
    tracker.observe(Sighting::Success, Instant::ZERO, &mut dice);
    for _ in 0..10 {
        tracker.suspect(Instant::ZERO);
    }
    assert_eq!((tracker.state(), tracker.failures()), (State::Suspect, 0));
    tracker.observe(Sighting::Failure, Instant::ZERO, &mut dice);
    assert_eq!(tracker.state(), State::Suspect);
}

#[test]
fn a_resumed_suspect_is_still_answered() {
    let tracker = Tracker::resumed(Timing::default(), 0, State::Suspect, 9, Instant::ZERO);
    assert_eq!((tracker.state(), tracker.failures()), (State::Suspect, 2));
    assert_eq!(Tracker::resumed(Timing::default(), 0, State::Probing, 0, Instant::ZERO).state(), State::Down);
}
