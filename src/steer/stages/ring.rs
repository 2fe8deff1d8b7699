//! The hash ring of `sticky: {hash: ring}`: every member stands at many points of a circle, a client belongs to the
//! first one behind its own point.

use smallvec::SmallVec;

use super::rounded;
use crate::base::bounds;
use crate::steer::hashing::hash_words;
use crate::steer::pool::Pool;

/// So many members are looked for along the ring; who comes behind them is ordered otherwise.
const ORDERED: usize = 4;

/// A ring over all members of a pool; who is down is passed over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ring(Vec<(u64, u16)>);

impl Ring {
    /// A ring with `vnodes` points for each unit of weight; fewer where they would be too many.
    #[must_use]
    pub fn new(pool: &Pool, vnodes: u32, seed: u64) -> Self {
        let wanted: f64 = pool.members().iter().map(|member| member.weight.value() * f64::from(vnodes)).sum();
        let scale = (bounds::RING_POINTS_MAX as f64 / wanted).min(1.0);
        let mut points = Vec::new();
        for (index, mark, member) in pool.marks() {
            let weight = if member.weight.value() > 0.0 { member.weight.value() } else { 1.0 };
            let count = rounded(weight * f64::from(vnodes) * scale).clamp(1, bounds::RING_POINTS_MAX as u64);
            points.extend((0..count).map(|point| (hash_words(seed, &[mark.hash, point]), index)));
        }
        points.sort_unstable();
        Self(points)
    }

    /// The first members behind `point` for which `is_wanted` holds.
    pub(super) fn from(&self, point: u64, wanted: usize, is_wanted: impl Fn(u16) -> bool) -> SmallVec<[u16; ORDERED]> {
        let start = self.0.partition_point(|(at, _)| *at < point);
        let (before, behind) = self.0.split_at_checked(start).unwrap_or((&[], &self.0));
        let mut found = SmallVec::new();
        for (_, member) in behind.iter().chain(before) {
            if found.len() >= wanted.min(ORDERED) {
                break;
            }
            if !found.contains(member) && is_wanted(*member) {
                found.push(*member);
            }
        }
        found
    }
}
