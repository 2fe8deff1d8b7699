//! Health and overrides as lines of text, to be kept over a restart.
//!
//! The first line says what it is and when it was written. Then one line a check (`check STATE FAILURES KEY`) or
//! override (`override ACTION SINCE UNTIL EMPTY GLOB⇥ACTOR⇥REASON`, `-` for no end). A line that cannot be read is
//! left out and counted: an old state never keeps a server from starting.

use std::fmt::Write;

use super::overrides::{Action, Override, Overrides};
use super::tracker::State;
use super::watch::Watch;
use crate::base::{Instant, bounds};

const TITLE: &str = "meridian-health 1 ";

/// What was saved.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Saved {
    /// When, seconds of the calendar.
    pub written: u64,
    /// Checks: key, state, failures.
    pub checks: Vec<(String, State, u8)>,
    /// Overrides.
    pub overrides: Vec<Override>,
    /// Lines that could not be read.
    pub unreadable: usize,
}

/// The lines for `watch` and `overrides` at `wall`, seconds of the calendar.
#[must_use]
pub fn compose(watch: &Watch, overrides: &Overrides, wall: u64) -> String {
    let mut text = format!("{TITLE}{wall}\n");
    for known in overrides.list() {
        let until = known.until.map_or_else(|| "-".to_owned(), |until| until.to_string());
        let Override { glob, action, actor, reason, since, empty_at, .. } = known;
        let word = action.word();
        // Writing to a string cannot fail.
        _ = writeln!(text, "override {word} {since} {until} {empty_at} {glob}\t{actor}\t{reason}");
    }
    for (key, tracker) in watch.trackers().filter(|(key, _)| !key.contains('\n')) {
        _ = writeln!(text, "check {} {} {key}", tracker.state().word(), tracker.failures());
    }
    text
}

/// Reads what [`compose`] wrote; nothing if the first line is of another kind.
#[must_use]
pub fn parse(text: &str) -> Saved {
    let mut lines = text.lines();
    let mut saved = Saved::default();
    match lines.next().and_then(|title| title.strip_prefix(TITLE)).and_then(|wall| wall.parse().ok()) {
        Some(written) => saved.written = written,
        None => return saved,
    }
    for line in lines {
        if let Some(check) = line.strip_prefix("check ").and_then(parse_check)
            && saved.checks.len() < bounds::CHECKS_MAX
        {
            saved.checks.push(check);
        } else if let Some(known) = line.strip_prefix("override ").and_then(parse_override)
            && saved.overrides.len() < bounds::OVERRIDES_MAX
        {
            saved.overrides.push(known);
        } else {
            saved.unreadable += 1;
        }
    }
    saved
}

fn parse_check(line: &str) -> Option<(String, State, u8)> {
    let mut words = line.splitn(3, ' ');
    let (state, failures, key) = (words.next()?, words.next()?, words.next()?);
    Some((key.to_owned(), State::from_word(state)?, failures.parse().ok()?))
}

fn parse_override(line: &str) -> Option<Override> {
    let mut words = line.splitn(5, ' ');
    let action = Action::from_word(words.next()?)?;
    let since = words.next()?.parse().ok()?;
    let until = match words.next()? {
        "-" => None,
        until => Some(until.parse().ok()?),
    };
    let empty_at = words.next()?.parse().ok()?;
    let mut texts = words.next()?.split('\t').map(str::to_owned);
    let (glob, actor, reason) = (texts.next()?, texts.next()?, texts.next()?);
    Some(Override { glob, action, actor, reason, since, until, empty_at })
}

impl Saved {
    /// Takes over what was saved: overrides whatever their age, checks if they are young. Whether the checks were, so
    /// that answers need not wait for a first round.
    pub fn restore(&self, watch: &mut Watch, overrides: &mut Overrides, now: Instant, wall: u64) -> bool {
        overrides.restore(self.overrides.iter().cloned(), wall);
        let is_young = wall.saturating_sub(self.written) < bounds::SAVED_HEALTH_AGE_MAX.as_secs();
        if is_young {
            let known = self.checks.iter().filter(|(_, state, _)| *state != State::Unknown);
            watch.resume_all(known.map(|(key, state, failures)| (key.as_str(), *state, *failures)), now);
        }
        is_young && watch.is_first_round_over()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Dice;
    use crate::steer::health::{Roster, Sighting, Timing};

    fn world() -> (Watch, Overrides) {
        let mut watch = Watch::new(1);
        watch.replace(
            [("tcp 192.0.2.1:443".into(), Timing::default()), ("x y".into(), Timing::default())],
            Instant::ZERO,
        );
        let mut dice = Dice::from_number(1);
        watch.observe("tcp 192.0.2.1:443", Sighting::Failure, Instant::ZERO, &mut dice);
        watch.observe("x y", Sighting::Success, Instant::ZERO, &mut dice);
        watch.observe("x y", Sighting::Failure, Instant::ZERO, &mut dice);
        let roster = Roster { name: "n.".into(), members: vec![("www/fra".into(), true), ("www/iad".into(), true)] };
        let mut overrides = Overrides::default();
        let drain = Override {
            glob: "www/fra".into(),
            action: Action::Drain,
            actor: "ops team".into(),
            reason: "power work".into(),
            since: 100,
            until: Some(5_000),
            empty_at: 160,
        };
        overrides.put(drain, &[roster], false, 100).unwrap();
        (watch, overrides)
    }

    #[test]
    fn what_is_saved_comes_back() {
        let (watch, overrides) = world();
        let saved = parse(&compose(&watch, &overrides, 200));
        assert_eq!((saved.written, saved.unreadable), (200, 0));
        let (mut fresh, mut none) = (Watch::new(1), Overrides::default());
        fresh.replace(watch.trackers().map(|(key, tracker)| (key.clone(), *tracker.timing())), Instant::ZERO);
        assert!(saved.restore(&mut fresh, &mut none, Instant::ZERO, 700));
        assert_eq!(none, overrides);
        assert_eq!(fresh.tracker("tcp 192.0.2.1:443").unwrap().state(), State::Down);
        assert_eq!(fresh.tracker("x y").unwrap().state(), State::Suspect);
    }

    #[test]
    fn old_health_is_not_believed_but_overrides_stand() {
        let (watch, overrides) = world();
        let saved = parse(&compose(&watch, &overrides, 200));
        let (mut fresh, mut none) = (Watch::new(1), Overrides::default());
        fresh.replace(watch.trackers().map(|(key, tracker)| (key.clone(), *tracker.timing())), Instant::ZERO);
        assert!(!saved.restore(&mut fresh, &mut none, Instant::ZERO, 800));
        assert_eq!(none, overrides);
        assert_eq!(fresh.tracker("x y").unwrap().state(), State::Unknown);
    }

    #[test]
    fn lines_that_cannot_be_read_are_counted() {
        let saved = parse("meridian-health 1 5\ncheck FINE 0 x\noverride up\nnonsense\ncheck DOWN 0 y\n");
        assert_eq!((saved.unreadable, saved.checks.len()), (3, 1));
        assert_eq!(parse("something else"), Saved::default());
    }
}
