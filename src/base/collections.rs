//! Maps whose order and collisions nobody outside can foresee, against hash flooding.
//!
//! They are made with [`keyed`], never with a default hasher: the key comes from the dice, so that a
//! simulated run repeats exactly and a production one cannot be guessed.

use std::collections::{HashMap, HashSet};

use super::Dice;

/// The keyed hasher of every map that outsiders can fill.
pub type Keyed = ahash::RandomState;
/// A hash map with a keyed hasher.
pub type Map<K, V> = HashMap<K, V, Keyed>;
/// The set beside [`Map`].
pub type Set<K> = HashSet<K, Keyed>;

/// A hasher with a key drawn from `dice`.
#[must_use]
pub fn keyed(dice: &mut Dice) -> Keyed {
    Keyed::with_seeds(dice.bits(), dice.bits(), dice.bits(), dice.bits())
}
