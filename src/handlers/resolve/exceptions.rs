//! Names that somebody has excepted from validation for a while (RFC 7646), because their zone has broken its signatures
//! and is needed all the same.
//!
//! Every exception ends by itself, and before its time as soon as its name validates again, unless it was made to stay.
//! Time is an argument: seconds of the calendar, as exceptions outlive the process. Lines of text are what is kept of
//! them: `except SINCE UNTIL STAYS NAME⇥ACTOR⇥REASON` behind a title; one that cannot be read is left out.

use std::fmt::{self, Write};
use std::time::Duration;

use crate::base::bounds;
use crate::dns::Name;

const TITLE: &str = "meridian-exceptions 1";

/// A name that is excepted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exception {
    /// The name; all below it is excepted too.
    pub name: Name,
    /// Since when, seconds of the calendar.
    pub since: u64,
    /// Until when.
    pub until: u64,
    /// Whether it lasts until then even if the name validates again.
    pub stays: bool,
    /// Who made it.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When it was tried last whether the name validates again, and what came out; none for never.
    pub tried: Option<(u64, String)>,
}

/// Why a name cannot be excepted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// [`bounds::EXCEPTIONS_MAX`] others are.
    TooMany,
    /// For no time, or for longer than [`bounds::EXCEPTION_MAX`].
    Time,
    /// A text that is too long, or has control characters.
    Text(&'static str),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany => write!(f, "{} names are excepted already", bounds::EXCEPTIONS_MAX),
            Self::Time => write!(f, "an exception lasts from 1s to {}d", bounds::EXCEPTION_MAX.as_secs() / 86_400),
            Self::Text(key) => {
                write!(f, "{key}: a text of at most {} characters on one line", bounds::EXCEPTION_TEXT_MAX)
            }
        }
    }
}

/// All that are excepted, by name.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Exceptions(Vec<Exception>);

impl Exceptions {
    /// Excepts a name for `lasts` from `wall` on; one that is excepted already is anew.
    ///
    /// # Errors
    /// [`Refusal`]; nothing changes then.
    pub fn put(
        &mut self,
        name: Name,
        lasts: Duration,
        stays: bool,
        (actor, reason): (&str, &str),
        wall: u64,
    ) -> Result<&Exception, Refusal> {
        if lasts > bounds::EXCEPTION_MAX || lasts.as_secs() == 0 {
            return Err(Refusal::Time);
        }
        for (key, text) in [("actor", actor), ("reason", reason)] {
            if text.chars().count() > bounds::EXCEPTION_TEXT_MAX || text.chars().any(char::is_control) {
                return Err(Refusal::Text(key));
            }
        }
        let (actor, reason) = (actor.to_owned(), reason.to_owned());
        let until = wall.saturating_add(lasts.as_secs());
        self.insert(Exception { name, since: wall, until, stays, actor, reason, tried: None })
    }

    fn insert(&mut self, exception: Exception) -> Result<&Exception, Refusal> {
        match self.0.binary_search_by(|known| known.name.cmp(&exception.name)) {
            Ok(at) => {
                let known = self.0.get_mut(at).ok_or(Refusal::TooMany)?;
                *known = exception;
                Ok(known)
            }
            Err(_) if self.0.len() >= bounds::EXCEPTIONS_MAX => Err(Refusal::TooMany),
            Err(at) => {
                self.0.insert(at, exception);
                self.0.get(at).ok_or(Refusal::TooMany)
            }
        }
    }

    /// Excepts a name no longer; says what was.
    pub fn lift(&mut self, name: &Name) -> Option<Exception> {
        let at = self.0.binary_search_by(|known| known.name.cmp(name)).ok()?;
        Some(self.0.remove(at))
    }

    /// Ends those whose time has come; a clock that was set back makes none last longer than it was meant to.
    pub fn handle_timeout(&mut self, wall: u64) -> Vec<Exception> {
        for exception in &mut self.0 {
            exception.until = exception.until.min(wall.saturating_add(bounds::EXCEPTION_MAX.as_secs()));
        }
        self.0.extract_if(.., |exception| exception.until <= wall).collect()
    }

    /// A name of which it is to be tried whether it validates again. It counts as tried from now on.
    pub fn poll_try(&mut self, wall: u64) -> Option<Name> {
        let interval = bounds::EXCEPTION_CHECK.as_secs();
        let last = |exception: &Exception| exception.tried.as_ref().map_or(exception.since, |(at, _)| *at);
        let is_due = |exception: &&mut Exception| {
            !exception.stays && (last(exception).saturating_add(interval) <= wall || last(exception) > wall)
        };
        let exception = self.0.iter_mut().find(is_due)?;
        exception.tried = Some((wall, "no answer yet".to_owned()));
        Some(exception.name.clone())
    }

    /// What came out of a try: the exception ends if the name validates.
    pub fn handle_tried(&mut self, name: &Name, validates: bool, outcome: &str, wall: u64) -> Option<Exception> {
        let exception = self.0.iter_mut().find(|known| known.name == *name && !known.stays)?;
        exception.tried = Some((wall, outcome.to_owned()));
        if validates { self.lift(name) } else { None }
    }

    /// The next moment at which something is to be done.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<u64> {
        let interval = bounds::EXCEPTION_CHECK.as_secs();
        let due = |exception: &Exception| {
            let last = exception.tried.as_ref().map_or(exception.since, |(at, _)| *at);
            if exception.stays { exception.until } else { exception.until.min(last.saturating_add(interval)) }
        };
        self.0.iter().map(due).min()
    }

    /// The names that are excepted at `wall`.
    pub fn in_force(&self, wall: u64) -> impl Iterator<Item = &Name> {
        self.0.iter().filter(move |exception| exception.until > wall).map(|exception| &exception.name)
    }

    /// All of them, by name.
    #[must_use]
    pub fn list(&self) -> &[Exception] {
        &self.0
    }

    /// The lines that are kept.
    #[must_use]
    pub fn compose(&self) -> String {
        let mut text = format!("{TITLE}\n");
        for Exception { name, since, until, stays, actor, reason, .. } in &self.0 {
            // Writing to a string cannot fail.
            _ = writeln!(text, "except {since} {until} {stays} {name}\t{actor}\t{reason}");
        }
        text
    }

    /// Reads what [`Exceptions::compose`] wrote, with what has ended since: what is remembered of those names may have
    /// been kept too.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut exceptions = Self::default();
        let mut lines = text.lines();
        if lines.next() != Some(TITLE) {
            return exceptions;
        }
        for exception in lines.filter_map(parse_line) {
            exceptions.insert(exception).ok();
        }
        exceptions
    }
}

fn parse_line(line: &str) -> Option<Exception> {
    let mut parts = line.strip_prefix("except ")?.splitn(3, '\t');
    let mut front = parts.next()?.splitn(4, ' ');
    Some(Exception {
        since: front.next()?.parse().ok()?,
        until: front.next()?.parse().ok()?,
        stays: front.next()?.parse().ok()?,
        name: front.next()?.parse().ok()?,
        actor: parts.next()?.to_owned(),
        reason: parts.next()?.to_owned(),
        tried: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);
    const NOW: u64 = 1_790_812_800;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn one(stays: bool) -> Exceptions {
        let mut exceptions = Exceptions::default();
        exceptions.put(name("broken.example."), HOUR, stays, ("ann", "expired\u{b7}signatures"), NOW).unwrap();
        exceptions
    }

    fn names(exceptions: &Exceptions) -> Vec<String> {
        exceptions.list().iter().map(|exception| exception.name.to_string()).collect()
    }

    #[test]
    fn an_exception_ends_by_itself() {
        let mut exceptions = one(true);
        assert_eq!(exceptions.poll_timeout(), Some(NOW + 3_600));
        assert_eq!(exceptions.poll_try(NOW + 3_599), None, "it was made to stay");
        assert_eq!(exceptions.handle_timeout(NOW + 3_599), []);
        assert_eq!(exceptions.handle_timeout(NOW + 3_600).len(), 1);
        assert_eq!(exceptions, Exceptions::default());
        let mut exceptions = one(true);
        exceptions.handle_timeout(NOW - 86_400 * 365);
        assert_eq!(exceptions.list()[0].until, NOW - 86_400 * 358, "by a clock that was set back a year");
    }

    #[test]
    fn an_exception_ends_as_soon_as_its_name_validates() {
        let mut exceptions = one(false);
        let own = name("broken.example.");
        assert_eq!(exceptions.poll_try(NOW + 299), None);
        assert_eq!((exceptions.poll_timeout(), exceptions.poll_try(NOW + 300)), (Some(NOW + 300), Some(own.clone())));
        assert_eq!(exceptions.poll_try(NOW + 301), None, "once");
        assert_eq!(exceptions.handle_tried(&own, false, "SERVFAIL", NOW + 302), None);
        assert_eq!(exceptions.list()[0].tried, Some((NOW + 302, "SERVFAIL".to_owned())));
        assert_eq!(exceptions.poll_try(NOW + 602), Some(own.clone()));
        assert!(exceptions.handle_tried(&own, true, "NOERROR", NOW + 603).is_some());
        assert_eq!(exceptions.list(), []);
        assert_eq!(one(true).handle_tried(&own, true, "NOERROR", NOW), None);
    }

    #[test]
    fn what_is_kept_reads_back() {
        let mut exceptions = one(true);
        exceptions.put(name("a\\032b.example."), Duration::from_secs(1), false, ("", ""), NOW).unwrap();
        let text = exceptions.compose();
        let mut read = Exceptions::parse(&text);
        assert_eq!((&read, read.in_force(NOW).count()), (&exceptions, 2));
        assert!(read.in_force(NOW + 1).eq([&name("broken.example.")]), "the other has ended meanwhile");
        let ended = read.handle_timeout(NOW + 1);
        assert_eq!(
            ended.iter().map(|one| one.name.to_string()).collect::<Vec<_>>(),
            ["a\\032b.example."],
            "as is told"
        );
        assert_eq!(Exceptions::parse(&text.replace("except", "exempt")), Exceptions::default());
        assert_eq!(names(&Exceptions::parse(&text[..text.len() - 25])).len(), 1, "the rest is left out");
        let absurd = text.replace(&NOW.to_string(), &u64::MAX.to_string());
        assert!(Exceptions::parse(&absurd).poll_try(NOW).is_some(), "a time that cannot be is none");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let mut exceptions = one(false);
        let mut put = |lasts, actor, reason| exceptions.put(name("x."), lasts, false, (actor, reason), NOW).err();
        assert_eq!(put(Duration::from_millis(1), "", ""), Some(Refusal::Time));
        assert_eq!(put(bounds::EXCEPTION_MAX + HOUR, "", ""), Some(Refusal::Time));
        assert_eq!(put(HOUR, "a\tb", ""), Some(Refusal::Text("actor")));
        assert_eq!(put(HOUR, "", &"x".repeat(201)), Some(Refusal::Text("reason")));
        for number in 1..bounds::EXCEPTIONS_MAX {
            exceptions.put(name(&format!("n{number}.example.")), HOUR, false, ("", ""), NOW).unwrap();
        }
        assert_eq!(exceptions.put(name("x."), HOUR, false, ("", ""), NOW).err(), Some(Refusal::TooMany));
        assert!(exceptions.put(name("Broken.Example."), HOUR, true, ("", ""), NOW).is_ok(), "it is one of them");
        assert!(
            exceptions.lift(&name("BROKEN.example.")).is_some() && exceptions.lift(&name("broken.example.")).is_none()
        );
    }
}
