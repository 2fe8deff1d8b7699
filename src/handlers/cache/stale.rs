//! Serving stale data (RFC 8767) as one state machine.
//!
//! ```text
//!          TTL over            failed to refresh             `recheck` over
//!  Fresh ───────────▶ Stale ───────────────────────▶ Resting ──────────────▶ Stale
//!    ▲                  │ learned anew                  │                      │
//!    └──────────────────┴───────────────────────────────┘       window over ───▶ Gone
//! ```
//!
//! *Stale*: upstreams are asked first; the old answer goes along with the goal, for when they fail or are slow.
//! *Resting*: they failed a short while ago, so the old answer is given at once and nobody asks; when the rest
//! is over, the next client's query is the one refresh. The state is not stored: it follows from the entry's
//! expiry and from the remembered failure, both of which anybody may read.

use std::time::Duration;

use super::entry::{Entry, Fact, Second, span};
use crate::base::bounds;

/// When data past their TTL are served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stale {
    /// How long past the TTL; also no longer than [`bounds::STALE_TTL_FACTOR`] times the TTL.
    pub window: Duration,
    /// The TTL that stale records carry.
    pub ttl: Duration,
    /// How long after a failed refresh no other is tried.
    pub recheck: Duration,
}

/// How old a fact is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Age {
    /// It holds for so many seconds yet.
    Fresh(u32),
    /// Its TTL is over; it may be given for want of better.
    Stale,
    /// It is of no use.
    Gone,
}

/// What is done where the best answer is stale.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Course {
    /// Upstreams are asked, the stale answer is in reserve.
    Ask,
    /// The stale answer is given at once.
    Rest,
}

/// How old `entry` is in second `now`; without `stale` nothing is served past its TTL.
pub(super) fn age(stale: Option<&Stale>, entry: &Entry, now: Second) -> Age {
    match entry.remaining(now) {
        Some(left) => Age::Fresh(left),
        None if entry.answers_clients() && now < entry.expiry.saturating_add(window(stale, entry.ttl)) => Age::Stale,
        None => Age::Gone,
    }
}

/// Seconds past the TTL in which a fact of `ttl` seconds may be served.
fn window(stale: Option<&Stale>, ttl: u32) -> Second {
    let seconds = stale.map_or(0, |stale| stale.window.as_secs().min(bounds::STALE_TTL_FACTOR * u64::from(ttl)));
    span(seconds)
}

/// What to do about a stale answer whose newest part was learned in second `born`, where the question's
/// remembered failure is `failure`.
pub(super) fn course(stale: &Stale, born: Second, failure: Option<&Entry>, now: Second) -> Course {
    match failure {
        // A failure older than the data was overcome by them.
        Some(failure) if failure.born() >= born && now < rest_end(stale, failure) => Course::Rest,
        _ => Course::Ask,
    }
}

/// The second in which the rest after `failure` ends; while the failure itself is fresh, nobody asks either
/// (RFC 9520).
fn rest_end(stale: &Stale, failure: &Entry) -> Second {
    failure.expiry.max(failure.born().saturating_add(span(stale.recheck.as_secs())))
}

/// The first second in which nothing can need `entry` any more, so that it may leave memory.
pub(super) fn end(stale: Option<&Stale>, entry: &Entry) -> Second {
    let past = match &entry.fact {
        Fact::RrSet { .. } | Fact::Denial { .. } if entry.answers_clients() => window(stale, entry.ttl),
        Fact::RrSet { .. } | Fact::Denial { .. } => 0,
        // Resolutions that began with the zone cut may still be under way and bring others below it.
        Fact::Delegation(_) => span(bounds::WORK_DEADLINE.as_secs()),
        // The next failure counts as the same one going on.
        Fact::Failure(_) => {
            let rest = stale.map_or(0, |stale| rest_end(stale, entry).saturating_sub(entry.expiry));
            rest.max(span(bounds::FAILURE_TTL_MAX.as_secs()))
        }
    };
    entry.expiry.saturating_add(past)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::chain::Rank;
    use crate::dns::{Ede, EdeCode, Name, RecordType, RrSet};

    const STALE: Stale =
        Stale { window: Duration::from_secs(86_400), ttl: Duration::from_secs(30), recheck: Duration::from_secs(30) };

    fn entry(ttl: u32, rank: Rank) -> Entry {
        let set = Arc::new(RrSet::new(Name::root(), RecordType::A, ttl, [[192, 0, 2, 1]]));
        Entry::new(100, ttl, Fact::RrSet { set, rank, proofs: Arc::default() })
    }

    fn failure(born: Second, ttl: u32) -> Entry {
        Entry::new(born, ttl, Fact::Failure(Arc::new(Ede::new(EdeCode::NoReachableAuthority, "silent"))))
    }

    #[test]
    fn data_are_stale_for_at_most_twenty_ttls_and_the_window() {
        let short = entry(10, Rank::Answer);
        assert_eq!(age(Some(&STALE), &short, 109), Age::Fresh(1));
        assert_eq!(age(Some(&STALE), &short, 110), Age::Stale);
        assert_eq!(age(Some(&STALE), &short, 309), Age::Stale);
        assert_eq!(age(Some(&STALE), &short, 310), Age::Gone);
        let long = entry(86_400, Rank::Answer);
        assert_eq!(age(Some(&STALE), &long, 100 + 2 * 86_400 - 1), Age::Stale);
        assert_eq!(age(Some(&STALE), &long, 100 + 2 * 86_400), Age::Gone);
    }

    #[test]
    fn nothing_is_stale_where_that_is_off_or_where_clients_may_not_have_it() {
        assert_eq!(age(None, &entry(10, Rank::Answer), 110), Age::Gone);
        assert_eq!(age(Some(&STALE), &entry(10, Rank::Additional), 110), Age::Gone);
        assert_eq!(age(Some(&STALE), &failure(0, 5), 6), Age::Gone);
    }

    #[test]
    fn stale_answers_are_given_at_once_while_upstreams_rest() {
        let failed = failure(200, 5);
        assert_eq!(course(&STALE, 100, None, 200), Course::Ask);
        assert_eq!(course(&STALE, 100, Some(&failed), 200), Course::Rest);
        assert_eq!(course(&STALE, 100, Some(&failed), 229), Course::Rest);
        assert_eq!(course(&STALE, 100, Some(&failed), 230), Course::Ask);
        assert_eq!(course(&STALE, 201, Some(&failed), 210), Course::Ask, "the data are newer than the failure");
        let brief = Stale { recheck: Duration::from_secs(1), ..STALE };
        assert_eq!(
            course(&brief, 100, Some(&failure(200, 20)), 219),
            Course::Rest,
            "a fresh failure is not asked over"
        );
    }
}
