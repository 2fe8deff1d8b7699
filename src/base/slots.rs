//! Slots: a bounded number of places for jobs that take long, shared fairly among those who want them.
//!
//! While places are free anybody gets one. When all are taken, a newcomer gets the place of another job or none:
//!
//! * **whoever has least comes first**: an owner with fewer places gets one of the owner with the most, as long as that
//!   one still has no fewer afterwards. So nobody keeps more than a fair share from those who want theirs, and nobody
//!   loses any of it to others;
//! * **newer jobs may take the places of slow ones** of their own owner, or of one that has more places: half of an
//!   owner's jobs run to their end; one of the others, once it is older than the patience, gives way. Where jobs are
//!   quick as a rule, the slow ones are those that lead nowhere, and they can hold no more than half, whether one owner
//!   has them or each of thousands has one;
//! * otherwise it is the **newest work that is refused**.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Instant;

/// What there is for a newcomer.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Room<J> {
    /// A free place.
    Free,
    /// The place of this job, which has lost it: it is to be given up.
    Taken(J),
    /// None.
    Refused,
}

/// An owner's jobs by age.
#[derive(Debug)]
struct Share<J> {
    /// Those that run to their end, unless an owner with fewer wants the place.
    safe: BTreeSet<(Instant, J)>,
    /// Those that give way once they are slow.
    loose: BTreeSet<(Instant, J)>,
}

impl<J: Copy + Ord> Share<J> {
    const fn new() -> Self {
        Self { safe: BTreeSet::new(), loose: BTreeSet::new() }
    }

    fn weight(&self) -> usize {
        self.safe.len() + self.loose.len()
    }

    fn newest(&self) -> Option<J> {
        self.loose.last().or_else(|| self.safe.last()).map(|(_, job)| *job)
    }
}

/// The oldest of `jobs`, if it is slow at `now`.
fn slow<J: Copy + Ord>(jobs: &BTreeSet<(Instant, J)>, now: Instant, patience: Duration) -> Option<J> {
    jobs.first().filter(|(since, _)| now.since(*since) >= patience).map(|(_, job)| *job)
}

/// See the module's text. `O` are owners, `J` jobs.
#[derive(Debug)]
pub struct Slots<O, J> {
    most: usize,
    patience: Option<Duration>,
    jobs: BTreeMap<J, (O, Instant)>,
    shares: BTreeMap<O, Share<J>>,
    by_weight: BTreeSet<(usize, O)>,
    /// The loose jobs of all owners.
    loose: BTreeSet<(Instant, J)>,
}

impl<O: Copy + Ord, J: Copy + Ord> Slots<O, J> {
    /// So many places at the `most`. Without a `patience` an owner's newer jobs never take the places of its own.
    #[must_use]
    pub const fn new(most: usize, patience: Option<Duration>) -> Self {
        Self {
            most,
            patience,
            jobs: BTreeMap::new(),
            shares: BTreeMap::new(),
            by_weight: BTreeSet::new(),
            loose: BTreeSet::new(),
        }
    }

    /// Makes room for a new job of `owner`; the place is had by [`Slots::hold`].
    pub fn make_room(&mut self, owner: &O, now: Instant) -> Room<J> {
        if self.jobs.len() < self.most {
            return Room::Free;
        }
        let own = self.weight(owner);
        let Some((heaviest, whose)) = self.by_weight.last().copied() else { return Room::Refused };
        let loser = if own + 1 < heaviest {
            self.shares.get(&whose).and_then(|share| {
                let slow = self.patience.and_then(|patience| slow(&share.loose, now, patience));
                slow.or_else(|| share.newest())
            })
        } else {
            self.patience.and_then(|patience| self.slow_of(owner, own, now, patience))
        };
        match loser {
            Some(job) => {
                self.free(&job);
                Room::Taken(job)
            }
            None => Room::Refused,
        }
    }

    /// Gives `job` a place in the name of `owner`; one that has a place keeps it as it is.
    pub fn hold(&mut self, job: J, owner: O, now: Instant) {
        if !self.jobs.contains_key(&job) {
            self.put(job, owner, now);
        }
    }

    /// Another owner wants the same job: it counts for whoever has fewer, so that it is not lost for being asked for
    /// by the wrong one first. Says whether the job has a place at all.
    pub fn share(&mut self, job: &J, owner: &O) -> bool {
        let Some((whose, since)) = self.jobs.get(job).copied() else { return false };
        if self.weight(owner) + 1 < self.weight(&whose) {
            self.free(job);
            self.put(*job, *owner, since);
        }
        true
    }

    /// The job has ended.
    pub fn free(&mut self, job: &J) {
        let Some((owner, since)) = self.jobs.remove(job) else { return };
        let Some(share) = self.shares.get_mut(&owner) else { return };
        let before = share.weight();
        if !self.loose.remove(&(since, *job)) || !share.loose.remove(&(since, *job)) {
            share.safe.remove(&(since, *job));
        }
        let after = share.weight();
        if after == 0 {
            self.shares.remove(&owner);
        }
        self.weigh(owner, before, after);
    }

    /// Places taken.
    #[must_use]
    pub fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Whether no place is taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Places that `owner` has.
    #[must_use]
    pub fn weight(&self, owner: &O) -> usize {
        self.shares.get(owner).map_or(0, Share::weight)
    }

    /// The slow job that gives way to one of `owner`, who has `own` places: the oldest of all, unless it is of somebody
    /// with no more places; then the oldest of the owner's own.
    fn slow_of(&self, owner: &O, own: usize, now: Instant, patience: Duration) -> Option<J> {
        let oldest = slow(&self.loose, now, patience)?;
        let (whose, _) = self.jobs.get(&oldest)?;
        if whose == owner || self.weight(whose) > own {
            return Some(oldest);
        }
        slow(&self.shares.get(owner)?.loose, now, patience)
    }

    fn put(&mut self, job: J, owner: O, since: Instant) {
        let share = self.shares.entry(owner).or_insert(Share::new());
        let before = share.weight();
        // Half of each owner's, and where that says nothing, half of all.
        let all_safe = self.jobs.len() - self.loose.len();
        if (share.safe.len(), all_safe) <= (share.loose.len(), self.loose.len()) {
            share.safe.insert((since, job));
        } else {
            share.loose.insert((since, job));
            self.loose.insert((since, job));
        }
        self.jobs.insert(job, (owner, since));
        self.weigh(owner, before, before + 1);
    }

    fn weigh(&mut self, owner: O, before: usize, after: usize) {
        self.by_weight.remove(&(before, owner));
        if after > 0 {
            self.by_weight.insert((after, owner));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(200);

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    /// What a newcomer with the number `job` gets; it takes what it gets.
    fn come(slots: &mut Slots<char, u32>, owner: char, job: u32, now: Instant) -> Room<u32> {
        let room = slots.make_room(&owner, now);
        if room != Room::Refused {
            slots.hold(job, owner, now);
        }
        room
    }

    fn full(most: usize, owner: char) -> Slots<char, u32> {
        let mut slots = Slots::new(most, Some(PATIENCE));
        for job in 0..most as u32 {
            assert_eq!(come(&mut slots, owner, job, at(0)), Room::Free);
        }
        slots
    }

    #[test]
    fn the_newest_work_is_refused_while_all_is_young() {
        let mut slots = full(8, 'a');
        assert_eq!(come(&mut slots, 'a', 100, at(199)), Room::Refused);
        assert_eq!(slots.len(), 8);
    }

    #[test]
    fn half_of_the_jobs_run_to_their_end_and_the_other_half_give_way_when_slow() {
        let mut slots = full(8, 'a');
        let lost: Vec<u32> = (100..120)
            .filter_map(|job| match come(&mut slots, 'a', job, at(200)) {
                Room::Taken(lost) => Some(lost),
                _ => None,
            })
            .collect();
        assert_eq!(lost, [1, 3, 5, 7], "every second one, the oldest first");
        assert!([0, 2, 4, 6].iter().all(|job| slots.share(job, &'a')), "the others are there still");
    }

    #[test]
    fn who_has_least_takes_from_who_has_most_at_once() {
        let mut slots = full(8, 'a');
        for (job, taken) in [(100, 7), (101, 5), (102, 3), (103, 1)] {
            assert_eq!(come(&mut slots, 'b', job, at(1)), Room::Taken(taken), "the newest that may be lost");
        }
        assert_eq!(come(&mut slots, 'b', 104, at(1)), Room::Refused, "four each is fair");
        assert_eq!(come(&mut slots, 'c', 105, at(1)), Room::Taken(102));
        assert_eq!((slots.weight(&'a'), slots.weight(&'b'), slots.weight(&'c')), (4, 3, 1));
    }

    #[test]
    fn a_flood_takes_nothing_from_those_with_less_than_their_share() {
        let mut slots = full(8, 'a');
        for job in 0..3 {
            _ = come(&mut slots, 'b', 100 + job, at(1));
        }
        for job in 0..1_000 {
            _ = come(&mut slots, 'a', 200 + job, at(1_000));
        }
        assert_eq!(slots.weight(&'b'), 3);
    }

    #[test]
    fn where_thousands_have_one_each_half_of_the_slow_ones_give_way_to_newcomers() {
        let mut slots = Slots::<u32, u32>::new(100, Some(PATIENCE));
        for owner in 0..100 {
            assert_eq!(slots.make_room(&owner, at(0)), Room::Free);
            slots.hold(owner, owner, at(0));
        }
        assert_eq!(slots.make_room(&1_000, at(199)), Room::Refused);
        let taken = (1_000..2_000).filter(|owner| {
            let room = slots.make_room(owner, at(200));
            if room != Room::Refused {
                slots.hold(*owner, *owner, at(200));
            }
            room != Room::Refused
        });
        assert_eq!(taken.count(), 50);
    }

    #[test]
    fn a_job_wanted_by_two_counts_for_the_lighter() {
        let mut slots = full(8, 'a');
        assert!(slots.share(&3, &'b'));
        assert_eq!((slots.weight(&'a'), slots.weight(&'b')), (7, 1));
        assert!(!slots.share(&99, &'b'));
    }

    #[test]
    fn without_patience_nobody_takes_from_themselves() {
        let mut slots = Slots::new(2, None);
        for job in 0..2 {
            _ = come(&mut slots, 'a', job, at(0));
        }
        assert_eq!(come(&mut slots, 'a', 2, at(100_000)), Room::Refused);
        assert_eq!(come(&mut slots, 'b', 3, at(100_000)), Room::Taken(1));
    }

    #[test]
    fn without_places_everybody_is_refused() {
        let mut slots = Slots::<char, u32>::new(0, Some(PATIENCE));
        assert_eq!(slots.make_room(&'a', at(0)), Room::Refused);
    }

    proptest! {
        #[test]
        fn shares_stay_fair_and_the_count_is_true(
            most in 1usize..12,
            steps in prop::collection::vec((0u8..4, 0u32..6, 0u64..150), 1..200),
        ) {
            let mut slots = Slots::new(most, Some(PATIENCE));
            let (mut model, mut now) = (BTreeMap::<u32, char>::new(), at(0));
            for (job, (act, owner, pause)) in (0u32..).zip(steps) {
                let owner = char::from(b'a' + owner as u8);
                now = now + Duration::from_millis(pause);
                let weight = |model: &BTreeMap<u32, char>, of: char| model.values().filter(|o| **o == of).count();
                if act == 0 {
                    if let Some(ended) = model.keys().next().copied() {
                        slots.free(&ended);
                        model.remove(&ended);
                    }
                } else {
                    let own = weight(&model, owner);
                    let most_of_one = ('a'..='f').map(|of| weight(&model, of)).max().unwrap_or(0);
                    match come(&mut slots, owner, job, now) {
                        Room::Free => {
                            prop_assert!(model.len() < most);
                            model.insert(job, owner);
                        }
                        Room::Taken(lost) => {
                            prop_assert_eq!(model.len(), most);
                            let whose = model.remove(&lost);
                            prop_assert!(whose.is_some(), "a job that is there");
                            let is_own = whose == Some(owner);
                            prop_assert!(is_own || weight(&model, whose.unwrap()) >= own, "nobody falls below a newcomer");
                            if own + 1 < most_of_one {
                                prop_assert_eq!(weight(&model, whose.unwrap()) + 1, most_of_one);
                            }
                            model.insert(job, owner);
                        }
                        Room::Refused => prop_assert!(own + 1 >= most_of_one && model.len() == most),
                    }
                }
                prop_assert_eq!(slots.len(), model.len());
                for of in 'a'..='f' {
                    prop_assert_eq!(slots.weight(&of), weight(&model, of));
                }
            }
        }
    }
}
