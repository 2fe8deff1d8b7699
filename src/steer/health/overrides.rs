//! What people decided over the checks' heads: members drained, forced down or forced up, by whom, why, until when.
//!
//! An override names `pool/member` with `*` for any text. The most specific one counts, of equals the latest. One that
//! would leave a name without a usable member is refused unless the glass is broken. Times are seconds of the
//! calendar, since overrides outlive a restart.

use std::fmt;

use super::board::{Bar, Standing};
use crate::base::bounds;

/// What is decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Up, whatever the checks say.
    Up,
    /// Down, whatever the checks say.
    Down,
    /// Out of new answers; down once the last old one has expired.
    Drain,
}

impl Action {
    /// The action's word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Drain => "drain",
        }
    }

    /// The action of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Up, Self::Down, Self::Drain].into_iter().find(|action| action.word() == word)
    }
}

/// One decision.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Override {
    /// `pool/member`, `*` for any text.
    pub glob: String,
    /// What is decided.
    pub action: Action,
    /// By whom.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: u64,
    /// Until when; none = until it is lifted.
    pub until: Option<u64>,
    /// When a drained member's last answer expires.
    pub empty_at: u64,
}

impl Override {
    fn is_in_force(&self, wall: u64) -> bool {
        self.until.is_none_or(|until| wall < until)
    }

    /// Letters that are not `*`: more of them, more specific.
    fn specificity(&self) -> (usize, u64) {
        (self.glob.bytes().filter(|&octet| octet != b'*').count(), self.since)
    }
}

/// The members that a steered name can answer with, as `pool/member`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Roster {
    /// The name.
    pub name: String,
    /// Its members, and whether each's checks say that it is usable.
    pub members: Vec<(String, bool)>,
}

/// Why an override is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// These names would be left without a usable member.
    LeavesWithoutMember(Vec<String>),
    /// More than [`bounds::OVERRIDES_MAX`] are in force.
    TooMany,
    /// The glob matches no member.
    MatchesNothing,
    /// A text is empty, too long, or has a control character.
    BadText(&'static str),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeavesWithoutMember(names) => {
                write!(f, "this would leave without a usable member: {} (--break-glass to do it)", names.join(", "))
            }
            Self::TooMany => write!(f, "{} overrides are in force already", bounds::OVERRIDES_MAX),
            Self::MatchesNothing => f.write_str("no member matches"),
            Self::BadText(what) => {
                write!(f, "the {what} must have 1 to {} octets on one line", bounds::OVERRIDE_TEXT_MAX)
            }
        }
    }
}

/// All decisions in force.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Overrides(Vec<Override>);

impl Overrides {
    /// The decisions, the oldest first.
    #[must_use]
    pub fn list(&self) -> &[Override] {
        &self.0
    }

    /// Puts a decision in force; an older one with the same glob goes.
    ///
    /// # Errors
    /// A [`Refusal`]; nothing has changed then. `breaks_glass` overrules [`Refusal::LeavesWithoutMember`].
    pub fn put(&mut self, new: Override, rosters: &[Roster], breaks_glass: bool, wall: u64) -> Result<(), Refusal> {
        for (what, text) in [("glob", &new.glob), ("actor", &new.actor), ("reason", &new.reason)] {
            let is_sound = (1..=bounds::OVERRIDE_TEXT_MAX).contains(&text.len()) && !text.contains(char::is_control);
            if !is_sound {
                return Err(Refusal::BadText(what));
            }
        }
        if !rosters.iter().flat_map(|roster| &roster.members).any(|(member, _)| matches(&new.glob, member)) {
            return Err(Refusal::MatchesNothing);
        }
        let mut next = self.clone();
        next.expire(wall);
        next.0.retain(|known| known.glob != new.glob);
        if next.0.len() >= bounds::OVERRIDES_MAX {
            return Err(Refusal::TooMany);
        }
        next.0.push(new);
        let emptied: Vec<String> = rosters
            .iter()
            .filter(|roster| {
                self.has_usable(roster, wall) && !next.has_usable(roster, wall) || next.bars_all(roster, wall)
            })
            .filter(|roster| !self.bars_all(roster, wall))
            .map(|roster| roster.name.clone())
            .collect();
        if !emptied.is_empty() && !breaks_glass {
            return Err(Refusal::LeavesWithoutMember(emptied));
        }
        *self = next;
        Ok(())
    }

    /// Takes over decisions that were saved; those past their time are left out.
    pub fn restore(&mut self, saved: impl IntoIterator<Item = Override>, wall: u64) {
        self.0 = saved.into_iter().filter(|known| known.is_in_force(wall)).take(bounds::OVERRIDES_MAX).collect();
    }

    /// Lets the drains of `glob` end no sooner than `empty_at`.
    pub fn postpone(&mut self, glob: &str, empty_at: u64) {
        for known in self.0.iter_mut().filter(|known| known.action == Action::Drain && known.glob == glob) {
            known.empty_at = known.empty_at.max(empty_at);
        }
    }

    /// Lifts the decisions whose glob is `glob`, or whose glob it matches; how many these were.
    pub fn lift(&mut self, glob: &str) -> usize {
        let before = self.0.len();
        self.0.retain(|known| known.glob != glob && !matches(glob, &known.glob));
        before - self.0.len()
    }

    /// Drops decisions whose time is over; whether there were any.
    pub fn expire(&mut self, wall: u64) -> bool {
        let before = self.0.len();
        self.0.retain(|known| known.is_in_force(wall));
        self.0.len() != before
    }

    /// The decision that counts for a member.
    #[must_use]
    pub fn verdict(&self, pool: &str, member: &str, wall: u64) -> Option<&Override> {
        self.verdict_of(&format!("{pool}/{member}"), wall)
    }

    fn verdict_of(&self, member: &str, wall: u64) -> Option<&Override> {
        self.0
            .iter()
            .filter(|known| known.is_in_force(wall) && matches(&known.glob, member))
            .max_by_key(|known| known.specificity())
    }

    /// A standing as people's word changes it.
    #[must_use]
    pub fn apply(&self, pool: &str, member: &str, standing: Standing, wall: u64) -> Standing {
        if self.0.is_empty() {
            return standing;
        }
        let bar = |bar| Standing { bar: Some(bar), ..standing };
        match self.verdict(pool, member, wall) {
            None => standing,
            Some(Override { action: Action::Up, .. }) => Standing { is_forced_up: true, ..standing },
            Some(Override { action: Action::Down, .. }) => bar(Bar::Forced),
            Some(drain) if wall >= drain.empty_at => bar(Bar::Drained),
            Some(_) => bar(Bar::Draining),
        }
    }

    fn has_usable(&self, roster: &Roster, wall: u64) -> bool {
        roster.members.iter().any(|(member, is_usable)| match self.verdict_of(member, wall).map(|known| known.action) {
            None => *is_usable,
            Some(action) => action == Action::Up,
        })
    }

    fn bars_all(&self, roster: &Roster, wall: u64) -> bool {
        let is_barred = |member: &str| {
            self.verdict_of(member, wall).is_some_and(|known| matches!(known.action, Action::Down | Action::Drain))
        };
        roster.members.iter().all(|(member, _)| is_barred(member))
    }
}

/// Whether `text` is what `glob` says, `*` standing for any text, an empty one too.
#[must_use]
pub fn matches(glob: &str, text: &str) -> bool {
    let mut parts = glob.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.split_once(part) {
            Some((_, behind)) => rest = behind,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steer::health::State;

    fn over(glob: &str, action: Action, since: u64) -> Override {
        let (actor, reason) = ("ops".to_owned(), "power work".to_owned());
        Override { glob: glob.to_owned(), action, actor, reason, since, until: None, empty_at: since + 60 }
    }

    fn roster(members: &[(&str, bool)]) -> Vec<Roster> {
        let members = members.iter().map(|(member, is_usable)| ((*member).to_owned(), *is_usable)).collect();
        vec![Roster { name: "www.example.".to_owned(), members }]
    }

    #[test]
    fn globs_match_as_people_expect() {
        for (glob, text, holds) in [
            ("www/*", "www/fra", true),
            ("*/fra", "www/fra", true),
            ("*", "www/fra", true),
            ("w*/f*a", "www/fra", true),
            ("www/fra", "www/fra", true),
            ("www/fra", "www/fra2", false),
            ("ab*ba", "aba", false),
            ("*x*", "www/fra", false),
        ] {
            assert_eq!(matches(glob, text), holds, "{glob} {text}");
        }
    }

    #[test]
    fn the_most_specific_counts_then_the_latest() {
        let mut overrides = Overrides::default();
        let rosters = roster(&[("www/fra", true), ("www/iad", true), ("www/sin", true)]);
        overrides.put(over("www/fra", Action::Up, 1), &rosters, false, 5).unwrap();
        overrides.put(over("www/*", Action::Down, 2), &rosters, true, 5).unwrap();
        let action = |overrides: &Overrides, member| overrides.verdict("www", member, 5).map(|known| known.action);
        assert_eq!(action(&overrides, "fra"), Some(Action::Up));
        assert_eq!(action(&overrides, "iad"), Some(Action::Down));
        overrides.put(over("*/iad", Action::Up, 3), &rosters, true, 5).unwrap();
        assert_eq!(action(&overrides, "iad"), Some(Action::Up));
        assert_eq!(overrides.lift("*"), 3);
    }

    #[test]
    fn the_last_usable_member_is_not_taken_out_without_breaking_the_glass() {
        let mut overrides = Overrides::default();
        let rosters = roster(&[("www/fra", true), ("www/iad", false)]);
        let names = vec!["www.example.".to_owned()];
        let drain = over("www/fra", Action::Drain, 1);
        assert_eq!(overrides.put(drain.clone(), &rosters, false, 5), Err(Refusal::LeavesWithoutMember(names.clone())));
        assert!(overrides.list().is_empty());
        assert_eq!(overrides.put(over("www/iad", Action::Down, 1), &rosters, false, 5), Ok(()));
        assert_eq!(overrides.put(drain.clone(), &rosters, true, 5), Ok(()));
        let all_down = roster(&[("www/fra", false)]);
        assert_eq!(
            Overrides::default().put(drain, &all_down, false, 5),
            Err(Refusal::LeavesWithoutMember(names)),
            "health may be wrong, but nothing serves a barred member"
        );
    }

    #[test]
    fn an_override_ends_at_its_time() {
        let mut overrides = Overrides::default();
        let mut down = over("www/fra", Action::Down, 1);
        down.until = Some(10);
        overrides.put(down, &roster(&[("www/fra", true), ("www/iad", true)]), false, 5).unwrap();
        assert!(!overrides.apply("www", "fra", Standing::default(), 9).is_usable());
        assert!(overrides.apply("www", "fra", Standing::default(), 10).is_usable());
        assert!(overrides.expire(10));
    }

    #[test]
    fn a_drain_is_done_when_the_last_answer_expires() {
        let mut overrides = Overrides::default();
        let rosters = roster(&[("www/fra", true), ("www/iad", true)]);
        overrides.put(over("www/fra", Action::Drain, 100), &rosters, false, 100).unwrap();
        let word = |wall| overrides.apply("www", "fra", Standing::default(), wall).word();
        assert_eq!((word(159), word(160)), ("DRAINING", "DRAINED"));
        let down = Standing { state: State::Down, ..Standing::default() };
        assert_eq!(overrides.apply("www", "iad", down, 159), down);
    }

    #[test]
    fn what_matches_nothing_or_breaks_lines_is_refused() {
        let rosters = roster(&[("www/fra", true), ("www/iad", true)]);
        let mut overrides = Overrides::default();
        assert_eq!(overrides.put(over("ww/fra", Action::Down, 1), &rosters, false, 1), Err(Refusal::MatchesNothing));
        let mut odd = over("www/fra", Action::Down, 1);
        odd.reason = "two\nlines".to_owned();
        assert_eq!(overrides.put(odd, &rosters, false, 1), Err(Refusal::BadText("reason")));
    }
}
