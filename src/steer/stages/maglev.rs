//! The table of `sticky: {hash: maglev}`: each member fills its share of a table of prime size, in an order of its own.
//!
//! The table holds all members, up or down. Clients of a member that is down go to their next one by rendezvous, so a
//! change of health rebuilds nothing and moves nobody else.

use crate::base::bounds;
use crate::steer::hashing::hash_words;
use crate::steer::pool::Pool;

const FREE: u16 = u16::MAX;

/// A filled table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Maglev(Vec<u16>);

impl Maglev {
    /// A table over all members of a pool, filled by weight.
    #[must_use]
    pub fn new(pool: &Pool, seed: u64) -> Self {
        let size = u64::from(bounds::MAGLEV_ENTRIES);
        // Each member's next entry and step through the table, and how many entries it is owed.
        let mut rows: Vec<(u16, u64, u64, f64, f64)> = pool
            .marks()
            .filter(|(_, _, member)| member.weight.value() > 0.0)
            .map(|(index, mark, member)| {
                let (offset, skip) = (hash_words(seed, &[mark.hash, 0]), hash_words(seed, &[mark.hash, 1]));
                (index, offset % size, 1 + skip % (size - 1), member.weight.value(), 0.0)
            })
            .collect();
        let heaviest = rows.iter().map(|row| row.3).fold(0.0, f64::max);
        let mut table = vec![FREE; size as usize];
        let mut filled = 0;
        while filled < size && !rows.is_empty() {
            for (index, next, skip, weight, owed) in &mut rows {
                *owed += *weight / heaviest;
                while *owed >= 1.0 && filled < size {
                    *owed -= 1.0;
                    // The step and the size have no common divisor, so a free entry is found.
                    while table.get(*next as usize).is_some_and(|entry| *entry != FREE) {
                        *next = (*next + *skip) % size;
                    }
                    if let Some(entry) = table.get_mut(*next as usize) {
                        *entry = *index;
                    }
                    filled += 1;
                }
            }
        }
        Self(table)
    }

    /// The member at a client's point; none if all are standbys.
    pub(super) fn at(&self, point: u64) -> Option<u16> {
        let at = point.checked_rem(self.0.len() as u64)? as usize;
        self.0.get(at).copied().filter(|&member| member != FREE)
    }
}
