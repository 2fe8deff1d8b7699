//! `sticky`: a client keeps its member; the clients of a lost member alone move (R10, R14).

use std::time::Duration;

use super::maglev::Maglev;
use super::ring::Ring;
use super::{Asker, Candidates, Dice, Scope, Stage, rounded};
use crate::steer::asker::Key;
use crate::steer::hashing::{hash_words, lateness, unit};
use crate::steer::pool::Pool;

/// How a key finds its member.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Hash {
    /// Weighted rendezvous: exact shares, nobody moves without need, no table.
    #[default]
    Rendezvous,
    /// A ring of virtual nodes, so many for each unit of weight.
    Ring {
        /// 160 to 1,000 are sensible.
        vnodes: u32,
    },
    /// A Maglev table.
    Maglev,
    /// The key modulo the weights: simple, and moves nearly everybody when a member is lost.
    Modulo,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Table {
    None,
    Ring(Ring),
    Maglev(Maglev),
    Modulo,
}

/// The stage.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sticky {
    key: Key,
    seed: u64,
    /// A member that came back is left alone by its former clients for so long.
    lazy_return: Duration,
    table: Table,
}

impl Sticky {
    /// Clients known by `key` stick to members of `pool`; another `seed` shuffles everybody. Clients of a member that
    /// went down come back to it `lazy_return` after it did.
    #[must_use]
    pub fn new(pool: &Pool, key: Key, hash: Hash, seed: u64, lazy_return: Duration) -> Self {
        let table = match hash {
            Hash::Rendezvous => Table::None,
            Hash::Ring { vnodes } => Table::Ring(Ring::new(pool, vnodes.max(1), seed)),
            Hash::Maglev => Table::Maglev(Maglev::new(pool, seed)),
            Hash::Modulo => Table::Modulo,
        };
        Self { key, seed, lazy_return, table }
    }

    fn lead(&self, point: u64, set: &mut Candidates<'_>) {
        let best = set.list().first().map(|candidate| candidate.rank);
        let is_leader = |member: u16| {
            set.list().iter().any(|candidate| {
                candidate.member == member && Some(candidate.rank) == best && candidate.key.is_finite()
            })
        };
        let first: smallvec::SmallVec<[u16; 4]> = match &self.table {
            Table::None => return,
            Table::Ring(ring) => ring.from(point, set.leaders().len(), is_leader),
            Table::Maglev(maglev) => maglev.at(point).into_iter().filter(|&member| is_leader(member)).collect(),
            Table::Modulo => modulo(point, set).into_iter().collect(),
        };
        for candidate in &mut set.list {
            if let Some(place) = first.iter().position(|&member| member == candidate.member) {
                candidate.key = place as f64 - first.len() as f64; // below any lateness
            }
        }
    }
}

/// Weights count in thousandths.
fn modulo(point: u64, set: &Candidates<'_>) -> Option<u16> {
    let parts = |weight: f64| rounded(weight * 1_000.0);
    let sum: u64 = set.leaders().iter().map(|candidate| parts(candidate.weight)).sum();
    let mut rest = point.checked_rem(sum)?;
    for candidate in set.leaders() {
        match rest.checked_sub(parts(candidate.weight)) {
            Some(less) => rest = less,
            None => return Some(candidate.member),
        }
    }
    None
}

impl Stage for Sticky {
    fn name(&self) -> &'static str {
        "sticky"
    }

    fn apply(&self, asker: &Asker<'_>, set: &mut Candidates<'_>, _: &mut Dice) -> Scope {
        set.retire_standbys();
        let (key, scope) = self.key.of(asker);
        let mut list = std::mem::take(&mut set.list);
        for candidate in &mut list {
            let back = set.standing(candidate.member).came_back;
            let is_left_alone = back.is_some_and(|back| asker.now.since(back) < self.lazy_return);
            candidate.key = if is_left_alone {
                f64::INFINITY
            } else {
                lateness(unit(hash_words(self.seed, &[key, candidate.hash])), candidate.weight)
            };
        }
        set.list = list;
        self.lead(hash_words(self.seed, &[key]), set);
        set.note(None, || format!("key {key:016x}"));
        set.order_ties();
        scope
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Instant;
    use crate::steer::health::Standing;
    use crate::steer::testing::{asker, chi_square, client, crowd, order_without, pool};

    const CLIENTS: u32 = 20_000;

    fn sticky(pool: &Pool, hash: Hash) -> Sticky {
        Sticky::new(pool, Key::default(), hash, 7, Duration::ZERO)
    }

    fn homes(pool: &Pool, stage: &Sticky, lost: &[u16]) -> Vec<u16> {
        let mut dice = Dice::from_number(1);
        (0..CLIENTS).map(|number| order_without(stage, pool, lost, &asker(&client(number)), &mut dice)[0]).collect()
    }

    fn loads(homes: &[u16], members: usize) -> Vec<u64> {
        let mut loads = vec![0; members];
        for &home in homes {
            loads[usize::from(home)] += 1;
        }
        loads
    }

    #[test]
    fn a_lost_member_moves_its_own_clients_and_nobody_else() {
        let pool = crowd(10);
        for hash in [Hash::Rendezvous, Hash::Ring { vnodes: 160 }, Hash::Maglev] {
            let stage = sticky(&pool, hash);
            let (before, after) = (homes(&pool, &stage, &[]), homes(&pool, &stage, &[3]));
            for (before, after) in before.iter().zip(&after) {
                assert_eq!(before != after, *before == 3, "{hash:?}");
            }
        }
    }

    #[test]
    fn the_clients_of_a_lost_member_fall_evenly_on_the_others() {
        let pool = crowd(10);
        let stage = sticky(&pool, Hash::Rendezvous);
        let (before, after) = (homes(&pool, &stage, &[]), homes(&pool, &stage, &[3]));
        let moved: Vec<u16> =
            before.iter().zip(&after).filter(|(before, _)| **before == 3).map(|(_, after)| *after).collect();
        let mut loads = loads(&moved, 10);
        loads.remove(3);
        assert!(chi_square(&loads, &[1.0; 9]) < 26.1, "{loads:?}");
    }

    #[test]
    fn shares_follow_the_weights() {
        let pool = pool(&[("a", 5.0), ("b", 3.0), ("c", 1.0), ("d", 1.0)]);
        for hash in [Hash::Rendezvous, Hash::Maglev, Hash::Modulo] {
            let loads = loads(&homes(&pool, &sticky(&pool, hash), &[]), 4);
            assert!(chi_square(&loads, &[5.0, 3.0, 1.0, 1.0]) < 16.27, "{hash:?} {loads:?}");
        }
    }

    #[test]
    fn a_ring_of_160_points_spreads_within_its_known_bounds() {
        let pool = crowd(10);
        let loads = loads(&homes(&pool, &sticky(&pool, Hash::Ring { vnodes: 160 }), &[]), 10);
        let ideal = f64::from(CLIENTS) / 10.0;
        let (most, least) = (*loads.iter().max().unwrap() as f64, *loads.iter().min().unwrap() as f64);
        assert!(most / ideal < 1.25 && least / ideal > 0.75, "{loads:?}");
    }

    #[test]
    fn a_maglev_table_is_even_to_a_hundredth() {
        let pool = crowd(10);
        let table = Maglev::new(&pool, 7);
        let entries: Vec<u16> =
            (0..u64::from(crate::base::bounds::MAGLEV_ENTRIES)).filter_map(|at| table.at(at)).collect();
        let loads = loads(&entries, 10);
        assert!(loads.iter().max().unwrap() - loads.iter().min().unwrap() <= 1, "{loads:?}");
    }

    #[test]
    fn more_weight_moves_only_what_it_gains() {
        let (before, after) =
            (pool(&[("a", 1.0), ("b", 1.0), ("c", 1.0)]), pool(&[("a", 2.0), ("b", 1.0), ("c", 1.0)]));
        let one = homes(&before, &sticky(&before, Hash::Rendezvous), &[]);
        let other = homes(&after, &sticky(&after, Hash::Rendezvous), &[]);
        assert!(one.iter().zip(&other).all(|(one, other)| one == other || *other == 0));
    }

    #[test]
    fn clients_return_late_where_told_so() {
        let pool = crowd(3);
        let stage = Sticky::new(&pool, Key::default(), Hash::Rendezvous, 7, Duration::from_secs(100));
        let back = Standing { came_back: Some(Instant::from_seconds(950)), ..Standing::default() };
        let standings = [back, Standing::default(), Standing::default()];
        for number in 0..100 {
            let address = client(number);
            for (now, may_return) in [(1_000, false), (1_050, true)] {
                let mut asker = asker(&address);
                asker.now = Instant::from_seconds(now);
                let mut set = Candidates::new(&pool, &standings, None, &asker);
                assert_eq!(stage.apply(&asker, &mut set, &mut Dice::from_number(1)), Scope(24));
                assert!(may_return || set.list()[0].member != 0);
            }
        }
    }
}
