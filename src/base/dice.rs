//! The only source of chance below the edge: ids, ports, letter case, server choice, weights.

use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};

/// An unpredictable generator (`ChaCha12`). The edge seeds one per worker from the operating system; a
/// simulation seeds it from the number of its run and then everything repeats.
#[derive(Clone, Debug)]
pub struct Dice(ChaCha12Rng);

impl Dice {
    /// A generator that repeats exactly for the same `seed`.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(ChaCha12Rng::from_seed(seed))
    }

    /// A generator for tests and simulations, from a short seed.
    #[must_use]
    pub fn from_number(seed: u64) -> Self {
        Self(ChaCha12Rng::seed_from_u64(seed))
    }

    /// 64 unpredictable bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// 16 unpredictable bits, as for a message id.
    pub fn bits16(&mut self) -> u16 {
        (self.0.next_u32() >> 16) as u16
    }

    /// An unbiased number below `bound`; 0 where `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound <= 1 {
            return 0;
        }
        // Lemire's method: reject the few products that would favour small numbers.
        let threshold = bound.wrapping_neg() % bound;
        loop {
            let product = u128::from(self.bits()) * u128::from(bound);
            if product as u64 >= threshold {
                return (product >> 64) as u64;
            }
        }
    }

    /// An index into a slice of `length` items.
    pub fn index(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }

    /// True `permille` times in a thousand.
    pub fn chance(&mut self, permille: u32) -> bool {
        self.below(1000) < u64::from(permille)
    }

    /// Puts `items` into an unpredictable order (Fisher–Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.index(last + 1);
            items.swap(last, other);
        }
    }

    /// Fills `bytes` with unpredictable bytes, as for a cookie secret.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_repeats() {
        let (mut one, mut two) = (Dice::from_number(7), Dice::from_number(7));
        assert!((0..100).all(|_| one.bits() == two.bits()));
    }

    #[test]
    fn below_is_even_over_its_range() {
        let mut dice = Dice::from_number(1);
        let mut seen = [0u32; 7];
        for _ in 0..70_000 {
            seen[dice.index(7)] += 1;
        }
        assert!(seen.iter().all(|&n| (9_500..10_500).contains(&n)), "{seen:?}");
    }
}
