//! How measured numbers (load, latency) become a choice.
//!
//! A cached answer outlives the number that it was made from, so the least loaded of a moment ago is flooded by all
//! who ask in that moment. Unless told otherwise, such numbers therefore become weights (R15).

use smallvec::SmallVec;

use super::{Asker, Candidates, Dice, salt};
use crate::steer::hashing::lateness;

/// How the measuring stages choose.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mode {
    /// Draw by weights that fall as the number rises.
    #[default]
    Weights,
    /// Draw two by weight and take the better one.
    P2c,
    /// Take the best: right only for numbers that are much younger than the answers' TTL.
    Min,
}

/// Orders ties by `numbers` (in the order of the list, lower is better) and by weight; by weight alone without them.
pub(super) fn settle(
    mode: Mode,
    numbers: Option<&SmallVec<[f64; 8]>>,
    asker: &Asker<'_>,
    set: &mut Candidates<'_>,
    dice: &mut Dice,
) {
    let Some(numbers) = numbers else {
        set.note(None, || "no fresh numbers: drawn by weight".to_owned());
        draw(asker, set, dice);
        return;
    };
    let mean = numbers.iter().sum::<f64>() / numbers.len().max(1) as f64;
    // Keeps an idle member from having all the weight there is.
    let floor = (mean * 0.1).max(1e-9);
    for (candidate, number) in set.list.iter_mut().zip(numbers) {
        candidate.key = number.max(0.0) / candidate.weight.max(1e-9);
        if mode == Mode::Weights {
            candidate.weight /= number.max(0.0) + floor;
        }
    }
    match mode {
        Mode::Weights => draw(asker, set, dice),
        Mode::Min => set.order_ties(),
        Mode::P2c => better_of_two(asker, set, dice),
    }
}

/// Orders ties by a draw without replacement, each candidate as likely as its weight says.
pub(super) fn draw(asker: &Asker<'_>, set: &mut Candidates<'_>, dice: &mut Dice) {
    set.note_race(|candidate| candidate.weight);
    set.set_keys(|candidate| lateness(asker.draw(salt::SPREAD, candidate.hash, dice), candidate.weight));
    set.order_ties();
}

/// Draws an order, then lets the better of its first two lead; the candidates' keys say who is better.
fn better_of_two(asker: &Asker<'_>, set: &mut Candidates<'_>, dice: &mut Dice) {
    let numbers: SmallVec<[(u16, f64); 8]> =
        set.list().iter().map(|candidate| (candidate.member, candidate.key)).collect();
    draw(asker, set, dice);
    set.note_chance();
    let number = |member| numbers.iter().find(|(known, _)| *known == member).map_or(0.0, |(_, number)| *number);
    if let [first, second, ..] = set.list.as_mut_slice()
        && first.rank == second.rank
        && number(second.member) < number(first.member)
    {
        std::mem::swap(first, second);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Stage, least_conn::LeastConn, p2c::P2c};
    use super::*;
    use crate::base::Instant;
    use crate::steer::feeds::PoolFeeds;
    use crate::steer::testing::{asker, pool};

    fn counts(stage: &dyn Stage, conns: &[f64], weights: &[(&str, f64)]) -> Vec<u32> {
        let pool = pool(weights);
        let asker = asker("192.0.2.1");
        let mut feeds = PoolFeeds::default();
        for (member, conns) in conns.iter().enumerate() {
            for metric in ["conns", "load"] {
                feeds.observe(metric, member as u16, *conns, Duration::from_secs(60), Instant::from_seconds(990));
            }
        }
        let mut dice = Dice::from_number(5);
        let mut seen = vec![0; weights.len()];
        for _ in 0..10_000 {
            let mut set = Candidates::new(&pool, &[], Some(&feeds), &asker);
            stage.apply(&asker, &mut set, &mut dice);
            seen[usize::from(set.list()[0].member)] += 1;
        }
        seen
    }

    #[test]
    fn fewer_connections_get_more_answers_but_not_all() {
        let seen = counts(&LeastConn::default(), &[100.0, 300.0], &[("a", 1.0), ("b", 1.0)]);
        assert!((7_000..7_600).contains(&seen[0]), "{seen:?}");
        let seen = counts(&LeastConn::default(), &[100.0, 100.0], &[("a", 3.0), ("b", 1.0)]);
        assert!((7_300..7_700).contains(&seen[0]), "{seen:?}");
    }

    #[test]
    fn min_takes_the_least_for_its_weight() {
        let stage = LeastConn { mode: Mode::Min, ..LeastConn::default() };
        assert_eq!(counts(&stage, &[100.0, 90.0], &[("a", 2.0), ("b", 1.0)]), [10_000, 0]);
    }

    #[test]
    fn of_two_the_better_is_taken_and_the_worst_never() {
        let seen = counts(&P2c::default(), &[1.0, 2.0, 3.0], &[("a", 1.0), ("b", 1.0), ("c", 1.0)]);
        assert_eq!(seen[2], 0);
        assert!((6_400..6_900).contains(&seen[0]), "{seen:?}");
    }

    #[test]
    fn a_missing_number_counts_as_the_median_and_no_numbers_as_weights() {
        let seen = counts(&LeastConn::default(), &[100.0], &[("a", 1.0), ("b", 1.0)]);
        assert!((4_700..5_300).contains(&seen[0]), "{seen:?}");
        let seen = counts(&LeastConn::default(), &[], &[("a", 3.0), ("b", 1.0)]);
        assert!((7_300..7_700).contains(&seen[0]), "{seen:?}");
    }
}
