//! Packed facts of a share of the keys, in two logs: one for what is new, and one for what was used by the time that
//! it would have made room in the first. What is new has what the other does not take, a quarter of the octets at
//! least. So a flood of names that nobody asks twice washes out new ones only, however large their records are.

use super::log::{Log, Old};
use super::packed;

/// The part of the octets that what is new has in any case: one in so many.
const NEW_SHARE: usize = 4;

/// The facts.
#[derive(Debug)]
pub(super) struct Shelf {
    new: Log,
    proven: Log,
    size_bytes_max: usize,
}

fn is_of(key: &[u8]) -> impl Fn(&[u8]) -> bool {
    move |octets| packed::key(octets) == Some(key)
}

impl Shelf {
    /// An empty shelf of at most `size_bytes` octets.
    pub(super) fn new(size_bytes_max: usize) -> Self {
        let of_new = size_bytes_max / NEW_SHARE;
        Self { new: Log::new(of_new), proven: Log::new(size_bytes_max - of_new), size_bytes_max }
    }

    /// The number of facts.
    pub(super) const fn len(&self) -> usize {
        self.new.len() + self.proven.len()
    }

    /// Octets of memory that they take.
    pub(super) fn size_bytes(&self) -> usize {
        self.new.size_bytes() + self.proven.size_bytes()
    }

    /// The packed fact under `key`, which has this hash.
    pub(super) fn find(&self, hash: u64, key: &[u8]) -> Option<&[u8]> {
        let logs = [&self.proven, &self.new];
        logs.into_iter().find_map(|log| log.octets(log.find(hash, is_of(key))?))
    }

    /// The packed fact under `key`, to be changed; it is spared when room is made.
    pub(super) fn find_to_use(&mut self, hash: u64, key: &[u8]) -> Option<&mut [u8]> {
        let logs = [&mut self.proven, &mut self.new];
        logs.into_iter().find_map(|log| {
            let place = log.find(hash, is_of(key))?;
            log.mark_used(place);
            log.octets_mut(place)
        })
    }

    /// Puts the fact `octets` under `key`, in place of what lies there; one too large is not kept.
    pub(super) fn put(&mut self, hash: u64, key: &[u8], octets: &[u8]) {
        let Self { new, proven, size_bytes_max } = self;
        let is_spared = |old: &Old<'_>| old.was_used;
        if proven.find(hash, is_of(key)).is_some() {
            proven.put(hash, octets, is_of(key), is_spared);
            return;
        }
        // The other may grow meanwhile, by a segment and what the index takes.
        let of_proven = proven.size_bytes() + 2 * proven.segment_bytes();
        new.set_bound(size_bytes_max.saturating_sub(of_proven).max(*size_bytes_max / NEW_SHARE));
        new.put(hash, octets, is_of(key), |old| {
            if old.was_used
                && let Some(key) = packed::key(old.octets)
            {
                proven.put(old.hash, old.octets, is_of(key), is_spared);
            }
            false
        });
    }

    /// Removes the fact under `key`; tells whether there was one.
    pub(super) fn remove(&mut self, hash: u64, key: &[u8]) -> bool {
        let logs = [&mut self.proven, &mut self.new];
        logs.into_iter().any(|log| log.find(hash, is_of(key)).map(|place| log.remove(hash, place)).is_some())
    }

    /// Gives memory back where much was removed.
    pub(super) fn tidy(&mut self) {
        self.new.tidy();
        self.proven.tidy();
    }

    /// Shows some facts, from where the last call ended, `(false, 0)` at first; returns with what to go on, or none
    /// at the end.
    pub(super) fn walk(&self, (is_proven, from): (bool, u32), show: impl FnMut(&[u8])) -> Option<(bool, u32)> {
        if is_proven {
            self.proven.walk(from, show).map(|next| (true, next))
        } else {
            Some(self.new.walk(from, show).map_or((true, 0), |next| (false, next)))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::entry::{Entry, Fact};
    use super::super::key::{Kind, Probe, probe};
    use super::*;
    use crate::base::Dice;
    use crate::base::collections::keyed;
    use crate::chain::Rank;
    use crate::dns::{Name, RecordType, RrSet};

    fn fact(number: usize, length: usize) -> (Probe, Vec<u8>) {
        let name: Name = format!("n{number}.example.").parse().unwrap();
        let set = Arc::new(RrSet::new(name.clone(), RecordType::TXT, 300, [vec![1; length]]));
        let (key, mut octets) = (probe(name.wire(), Kind::RrSet(RecordType::TXT)), Vec::new());
        assert!(packed::pack(
            &key,
            &Entry::new(0, 300, Fact::RrSet { set, rank: Rank::Answer, proofs: Arc::default() }),
            &mut octets
        ));
        (key, octets)
    }

    #[test]
    fn a_flood_of_large_records_washes_out_nothing_that_was_asked() {
        let (mut shelf, keyed) = (Shelf::new(4 << 20), keyed(&mut Dice::from_number(1)));
        for number in 0..10_000 {
            let (key, octets) = fact(number, 20);
            shelf.put(keyed.hash_one(&*key), &key, &octets);
            assert!(number % 2 == 0 || shelf.find_to_use(keyed.hash_one(&*key), &key).is_some());
        }
        for number in 10_000..20_000 {
            let (key, octets) = fact(number, 8_000);
            shelf.put(keyed.hash_one(&*key), &key, &octets);
            assert!(shelf.find(keyed.hash_one(&*key), &key).is_some());
            assert!(shelf.size_bytes() <= 4 << 20);
        }
        let is_there = |number: usize| {
            let (key, octets) = fact(number, 20);
            shelf.find(keyed.hash_one(&*key), &key).is_some_and(|found| found == octets)
        };
        let (asked, others): (Vec<_>, Vec<_>) = (0..10_000).partition(|number| number % 2 == 1);
        let kept = asked.into_iter().filter(|number| is_there(*number)).count();
        assert!(kept > 4_900, "{kept}");
        assert_eq!(others.into_iter().filter(|number| is_there(*number)).count(), 0);
    }
}
