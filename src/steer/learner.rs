//! The learner behind `bandit`: successes and failures come in, bounded shares go out once an epoch (R15).
//!
//! Each member has a Beta distribution of its success. Shares are how often each wins in 400 draws from them (Thompson
//! sampling), held within bounds by one multiplier, so that their order and sum survive.

use crate::base::Dice;

/// Draws per epoch.
const DRAWS: usize = 400;
/// What was learned weighs so much less with every epoch.
const DECAY: f64 = 0.9;

/// What is known of the members of one pool.
#[derive(Clone, PartialEq, Debug)]
pub struct Learner {
    arms: Vec<Arm>,
    min: f64,
    max: f64,
}

#[derive(Clone, Copy, PartialEq, Debug)]
struct Arm {
    successes: f64,
    failures: f64,
}

impl Learner {
    /// A learner of `members` that knows nothing; no share goes below `min` or above `max` (0 to 1).
    #[must_use]
    pub fn new(members: usize, min: f64, max: f64) -> Self {
        Self { arms: vec![Arm { successes: 0.0, failures: 0.0 }; members], min, max }
    }

    /// Takes in results of a member; what is no count is left out.
    pub fn observe(&mut self, member: u16, successes: f64, failures: f64) {
        let is_count = |number: f64| number.is_finite() && number >= 0.0;
        if let Some(arm) = self.arms.get_mut(usize::from(member))
            && is_count(successes)
            && is_count(failures)
        {
            arm.successes += successes;
            arm.failures += failures;
        }
    }

    /// A member's posterior: successes and failures that still count, plus one each.
    #[must_use]
    pub fn posterior(&self, member: u16) -> Option<(f64, f64)> {
        self.arms.get(usize::from(member)).map(|arm| (arm.successes + 1.0, arm.failures + 1.0))
    }

    /// Ends an epoch (at least one TTL long): the members' shares for the next, summing to 1.
    pub fn close_epoch(&mut self, dice: &mut Dice) -> Vec<f64> {
        let mut wins = vec![0.0; self.arms.len()];
        for _ in 0..DRAWS {
            let mut best: Option<(usize, f64)> = None;
            for (at, arm) in self.arms.iter().enumerate() {
                let drawn = draw_beta(arm.successes + 1.0, arm.failures + 1.0, dice);
                if best.is_none_or(|(_, value)| drawn > value) {
                    best = Some((at, drawn));
                }
            }
            if let Some(won) = best.and_then(|(at, _)| wins.get_mut(at)) {
                *won += 1.0;
            }
        }
        for arm in &mut self.arms {
            arm.successes *= DECAY;
            arm.failures *= DECAY;
        }
        project(&wins, self.min, self.max)
    }
}

/// Holds shares within `min` and `max` with sum 1: one multiplier for all, then the bounds. Where the bounds cannot
/// hold (one member alone, or too many), everybody has the same share.
#[must_use]
pub fn project(shares: &[f64], min: f64, max: f64) -> Vec<f64> {
    let count = shares.len() as f64;
    if min * count > 1.0 || max * count < 1.0 || shares.is_empty() {
        return vec![1.0 / count; shares.len()];
    }
    // A share of nought would not grow under any multiplier.
    let floor = shares.iter().sum::<f64>().max(1e-9) * 1e-9;
    let scaled = |factor: f64| shares.iter().map(move |share| ((share.max(0.0) + floor) * factor).clamp(min, max));
    let (mut low, mut high) = (0.0, 1.0 / floor);
    for _ in 0..200 {
        let middle: f64 = f64::midpoint(low, high);
        if scaled(middle).sum::<f64>() < 1.0 { low = middle } else { high = middle }
    }
    scaled(high).collect()
}

/// A draw from Beta(a, b), a and b at least 1.
fn draw_beta(a: f64, b: f64, dice: &mut Dice) -> f64 {
    let (x, y) = (draw_gamma(a, dice), draw_gamma(b, dice));
    x / (x + y)
}

/// A draw from Gamma(shape), shape at least 1 (Marsaglia and Tsang); about 5 % of the tries are refused.
fn draw_gamma(shape: f64, dice: &mut Dice) -> f64 {
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    for _ in 0..1_000 {
        let normal = draw_normal(dice);
        let v = (1.0 + c * normal).powi(3);
        if v > 0.0 && uniform(dice).ln() < 0.5 * normal * normal + d - d * v + d * v.ln() {
            return d * v;
        }
    }
    d
}

/// A draw from the normal distribution (Box and Muller).
fn draw_normal(dice: &mut Dice) -> f64 {
    (-2.0 * uniform(dice).ln()).sqrt() * (std::f64::consts::TAU * uniform(dice)).cos()
}

fn uniform(dice: &mut Dice) -> f64 {
    super::hashing::unit(dice.bits())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn is_bounded(shares: &[f64], min: f64, max: f64) -> bool {
        let sum: f64 = shares.iter().sum();
        (sum - 1.0).abs() < 1e-9 && shares.iter().all(|share| (min - 1e-9..=max + 1e-9).contains(share))
    }

    proptest! {
        #[test]
        fn shares_stay_within_their_bounds_and_sum_to_one(wins in prop::collection::vec(0.0f64..400.0, 2..=20)) {
            let shares = project(&wins, 0.05, 0.90);
            prop_assert!(is_bounded(&shares, 0.05, 0.90), "{shares:?}");
        }

        #[test]
        fn the_order_of_shares_survives(wins in prop::collection::vec(0.0f64..400.0, 2..=20)) {
            let shares = project(&wins, 0.05, 0.90);
            for (one, a) in wins.iter().zip(&shares) {
                for (other, b) in wins.iter().zip(&shares) {
                    prop_assert!(one <= other || a >= b);
                }
            }
        }
    }

    #[test]
    fn bounds_that_cannot_hold_give_equal_shares() {
        assert_eq!(project(&[3.0], 0.05, 0.90), [1.0]);
        assert_eq!(project(&[1.0; 25], 0.05, 0.90), [0.04; 25]);
        assert!(project(&[], 0.05, 0.90).is_empty());
        assert!(is_bounded(&project(&[400.0, 0.0], 0.05, 0.90), 0.05, 0.90));
        assert!(is_bounded(&project(&[0.0, 0.0, 0.0], 0.05, 0.90), 0.05, 0.90));
    }

    #[test]
    fn the_best_is_favoured_soon_and_left_soon_after_it_falls() {
        let mut dice = Dice::from_number(4);
        let mut learner = Learner::new(3, 0.05, 0.90);
        let mut rates = [0.99, 0.98, 0.95];
        let mut shares = vec![1.0 / 3.0; 3];
        let mut run = |rates: &[f64; 3], shares: &mut Vec<f64>| {
            for (member, (rate, share)) in rates.iter().zip(&*shares).enumerate() {
                let results = (500.0 * share).round();
                learner.observe(member as u16, results * rate, results * (1.0 - rate));
            }
            *shares = learner.close_epoch(&mut dice);
            assert!(is_bounded(shares, 0.05, 0.90), "{shares:?}");
        };
        for _ in 0..20 {
            run(&rates, &mut shares);
        }
        assert!(shares[0] > shares[1] && shares[0] > shares[2], "{shares:?}");
        rates[0] = 0.80;
        for _ in 0..3 {
            run(&rates, &mut shares);
        }
        assert!(shares[0] < 0.2, "{shares:?}");
    }
}
