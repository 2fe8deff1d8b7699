//! `cohort`: splits clients into groups of fixed size that stay put; members belong to groups (R10).
//!
//! A client falls into one of 10,000 buckets, and the groups take buckets in the order of the split. Turning 80/20
//! into 70/30 therefore moves the buckets 7,000–7,999 alone. The split is over resolvers' networks, not over people.

use super::{Asker, Candidates, Dice, Scope, Stage, rounded};
use crate::steer::asker::Key;
use crate::steer::hashing::{hash_bytes, hash_words};

/// The number of buckets.
pub const BUCKETS: u64 = 10_000;

/// The stage.
#[derive(Clone, PartialEq, Debug)]
pub struct Cohort {
    seed: u64,
    key: Key,
    /// Each group and the first bucket behind its own.
    split: Vec<(Box<str>, u64)>,
}

impl Cohort {
    /// A split of clients, known by `key`, into groups with their shares; another `seed` shuffles everybody.
    #[must_use]
    pub fn new(seed: &str, key: Key, shares: &[(Box<str>, f64)]) -> Self {
        let whole: f64 = shares.iter().map(|(_, share)| share).sum();
        let mut sum = 0.0;
        let split = shares
            .iter()
            .map(|(group, share)| {
                sum += share;
                (group.clone(), rounded(sum / whole * BUCKETS as f64))
            })
            .collect();
        Self { seed: hash_bytes(0, seed.as_bytes()), key, split }
    }

    /// The group that a bucket belongs to.
    #[must_use]
    pub fn group(&self, bucket: u64) -> Option<&str> {
        self.split.iter().find(|(_, end)| bucket < *end).map(|(group, _)| &**group)
    }

    /// The asker's bucket, and the scope of having looked at its key.
    #[must_use]
    pub fn bucket(&self, asker: &Asker<'_>) -> (u64, Scope) {
        let (key, scope) = self.key.of(asker);
        (hash_words(self.seed, &[asker.name, key]) % BUCKETS, scope)
    }
}

impl Stage for Cohort {
    fn name(&self) -> &'static str {
        "cohort"
    }

    fn apply(&self, asker: &Asker<'_>, set: &mut Candidates<'_>, _: &mut Dice) -> Scope {
        let (bucket, scope) = self.bucket(asker);
        let Some(group) = self.group(bucket) else { return scope };
        set.note(None, || format!("bucket {bucket}: {group}"));
        let pool = set.pool;
        let is_in = |member: u16| pool.member(member).is_some_and(|member| member.group.as_deref() == Some(group));
        // Where a whole group is down its clients are better served by the other.
        if set.list().iter().any(|candidate| is_in(candidate.member) && !candidate.is_gone) {
            set.retain(|candidate| is_in(candidate.member));
        }
        scope
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steer::testing::{asker, client, member, order, order_without, pool_of};

    fn cohort(stable: f64, canary: f64) -> Cohort {
        Cohort::new("checkout-7", Key::default(), &[("stable".into(), stable), ("canary".into(), canary)])
    }

    #[test]
    fn buckets_are_split_exactly_and_a_turned_split_moves_only_what_it_must() {
        let (before, after) = (cohort(80.0, 20.0), cohort(70.0, 30.0));
        let canaries = |split: &Cohort| (0..BUCKETS).filter(|&bucket| split.group(bucket) == Some("canary")).count();
        assert_eq!((canaries(&before), canaries(&after)), (2_000, 3_000));
        let moved: Vec<u64> = (0..BUCKETS).filter(|&bucket| before.group(bucket) != after.group(bucket)).collect();
        assert_eq!(moved, (7_000..8_000).collect::<Vec<_>>());
    }

    #[test]
    fn clients_stay_in_their_group_and_split_as_told() {
        let mut members = vec![member("old", 1.0), member("new", 1.0)];
        members[0].group = Some("stable".into());
        members[1].group = Some("canary".into());
        let pool = pool_of(members);
        let stage = cohort(80.0, 20.0);
        let mut dice = Dice::from_number(1);
        let mut canaries = 0;
        for number in 0..20_000 {
            let address = client(number);
            let asker = asker(&address);
            let chosen = order(&stage, &pool, &asker, &mut dice);
            assert_eq!(chosen.len(), 1);
            assert_eq!(chosen, order(&stage, &pool, &asker, &mut dice));
            let is_canary = stage.bucket(&asker).0 >= 8_000;
            assert_eq!(chosen == [1], is_canary, "exact on keys");
            canaries += usize::from(is_canary);
        }
        assert!((3_800..4_200).contains(&canaries), "{canaries}");
        assert_eq!(order_without(&stage, &pool, &[0], &asker("192.0.2.1"), &mut dice), [1]);
    }
}
