//! The census: how often each member was an answer, and from which countries the clients were.
//!
//! It stands in the [`Scene`](super::Scene) and so outlives every reload: a member that is still there after one goes on
//! from where it was. Members are counted each time; countries too, up to [`bounds::COUNTRIES_A_SECOND`] answers of a
//! thread, and beyond that one answer in [`bounds::COUNTRIES_SAMPLE`] counts for as many: to look up where a client is
//! can take longer than the answer.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use super::place::Code;
use super::pool::Pool;
use crate::base::striped::Striped;
use crate::base::{Instant, bounds};

const LETTERS: usize = 26;
/// Where clients are counted whose country is unknown, behind every code of two letters.
const UNKNOWN: usize = LETTERS * LETTERS;

/// The names of a pool and of its member.
type MemberName = (Box<str>, Box<str>);

/// How often one member of a pool was an answer.
pub type Answers = Arc<Striped>;

/// Who was chosen, and for whom.
#[derive(Debug)]
pub struct Census {
    /// By the names of pool and member.
    members: Mutex<BTreeMap<MemberName, Answers>>,
    countries: Striped,
    /// Of each thread: the second of its last answer, and how many it gave in it.
    paces: Striped,
}

impl Default for Census {
    fn default() -> Self {
        Self { members: Mutex::default(), countries: Striped::new(UNKNOWN + 1), paces: Striped::new(1) }
    }
}

impl Census {
    /// The counters of a pool's members, in their order: the ones they had before, if they had any.
    #[must_use]
    pub fn enrol(&self, pool: &Pool) -> Box<[Answers]> {
        let mut known = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        let counter = |name: &str| {
            let key = (pool.name().into(), name.into());
            Arc::clone(known.entry(key).or_insert_with(|| Arc::new(Striped::new(1))))
        };
        pool.members().iter().map(|member| &*member.name).map(counter).collect()
    }

    /// Forgets members that no name has any more.
    pub fn prune(&self) {
        let mut known = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, answers| Arc::strong_count(answers) > 1);
    }

    /// Of every member of a pool that a name answers from: pool, member, and how often it was an answer.
    #[must_use]
    pub fn members(&self) -> Vec<(Box<str>, Box<str>, u64)> {
        let known = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().map(|((pool, member), answers)| (pool.clone(), member.clone(), answers.read(0))).collect()
    }

    /// How many answers the country of the client of one at `now` counts for; none if it need not be looked up.
    #[must_use]
    pub fn weight(&self, now: Instant) -> Option<u64> {
        let pace = self.paces.own(0)?;
        let (second, before) = (now.seconds() << 32, pace.load(Ordering::Relaxed));
        // Past 2³² answers a second the next one would have begun; so many there never are.
        let count = if before >> 32 << 32 == second { before - second } else { 0 };
        pace.store(second + count + 1, Ordering::Relaxed);
        match count.checked_sub(bounds::COUNTRIES_A_SECOND) {
            None => Some(1),
            // In the middle of each lot: the last one is cut off where the second ends.
            Some(beyond) if beyond % bounds::COUNTRIES_SAMPLE == bounds::COUNTRIES_SAMPLE / 2 => {
                Some(bounds::COUNTRIES_SAMPLE)
            }
            Some(_) => None,
        }
    }

    /// Counts answers for clients in `country`.
    pub fn count_country(&self, country: Option<Code>, answers: u64) {
        let letter = |octet: &u8| octet.is_ascii_uppercase().then(|| usize::from(octet - b'A'));
        let place = country.as_ref().and_then(|code| match code.as_str().as_bytes() {
            [first, second] => Some(letter(first)? * LETTERS + letter(second)?),
            _ => None,
        });
        self.countries.add(place.unwrap_or(UNKNOWN), answers);
    }

    /// The countries that there were answers for, by their ISO 3166-1 codes, and how many; without a code those whose
    /// country is unknown.
    #[must_use]
    pub fn countries(&self) -> Vec<(Option<Code>, u64)> {
        let letter = |number: usize| u8::try_from(number).ok().map(|number| char::from(b'A' + number));
        let code = |place: usize| {
            let text: String = [letter(place / LETTERS)?, letter(place % LETTERS)?].into_iter().collect();
            text.parse().ok().filter(|_| place < UNKNOWN)
        };
        let counted = (0..=UNKNOWN).map(|place| (code(place), self.countries.read(place)));
        counted.filter(|(_, answers)| *answers > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::steer::{Member, PoolId};

    fn pool(names: &[&str]) -> Pool {
        let member = |name: &&str| Member { a: vec![Ipv4Addr::LOCALHOST], ..Member::new(name) };
        Pool::new(PoolId(0), "www", names.iter().map(member).collect()).unwrap()
    }

    #[test]
    fn a_member_that_stays_goes_on_and_one_that_went_is_forgotten() {
        let census = Census::default();
        let before = census.enrol(&pool(&["one", "two"]));
        before[0].add(0, 3);
        before[1].add(0, 5);
        let after = census.enrol(&pool(&["two", "three"]));
        drop(before);
        census.prune();
        after[0].add(0, 1);
        let told: Vec<_> =
            census.members().into_iter().map(|(_, member, answers)| (member.to_string(), answers)).collect();
        assert_eq!(told, [("three".to_owned(), 0), ("two".to_owned(), 6)]);
    }

    #[test]
    fn countries_are_counted_each_and_what_is_none_together() {
        let census = Census::default();
        for text in ["AA", "DE", "DE", "ZZ", "USA", "7X"] {
            census.count_country(text.parse().ok(), 1);
        }
        census.count_country(None, 4);
        let told: Vec<_> = census
            .countries()
            .into_iter()
            .map(|(code, answers)| (code.map(|code| code.to_string()), answers))
            .collect();
        let code = |text: &str| Some(text.to_owned());
        assert_eq!(told, [(code("AA"), 1), (code("DE"), 2), (code("ZZ"), 1), (None, 6)]);
    }

    #[test]
    fn few_answers_are_looked_up_each_and_of_many_a_share_that_counts_for_all() {
        let census = Census::default();
        let weights = |second: u64, answers: u64| -> (u64, u64) {
            let now = Instant::from_seconds(second);
            (0..answers).filter_map(|_| census.weight(now)).fold((0, 0), |(looks, sum), one| (looks + 1, sum + one))
        };
        assert_eq!(weights(1, bounds::COUNTRIES_A_SECOND), (bounds::COUNTRIES_A_SECOND, bounds::COUNTRIES_A_SECOND));
        let (looks, sum) = weights(2, 100_000);
        assert!(looks < 100_000 / bounds::COUNTRIES_SAMPLE + bounds::COUNTRIES_A_SECOND + 1, "{looks}");
        assert!(sum.abs_diff(100_000) <= bounds::COUNTRIES_SAMPLE, "{sum}");
    }
}
