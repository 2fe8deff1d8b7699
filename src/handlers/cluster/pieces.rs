//! A sorted set in pieces. A copy of it costs nothing, and whoever changes one of two copies copies no more than the
//! piece that changes and the list of pieces: so a table of hundreds of thousands is published a hundred times a second
//! while those who still read an older one share all the rest with it.
//!
//! What is sought is told by its order: a function that says how an item compares to it. It must agree with the order in
//! which items were inserted.

use std::cmp::Ordering;
use std::sync::Arc;

/// Items in a piece.
const PIECE: usize = 64;
/// A piece with fewer joins the next one if both have room in three quarters of one.
const SPARSE: usize = 16;

/// A sorted set whose copies share what they have in common.
#[derive(Clone, Debug)]
pub(super) struct Pieces<T> {
    /// No piece is empty.
    pieces: Arc<Vec<Arc<Vec<T>>>>,
}

impl<T> Default for Pieces<T> {
    fn default() -> Self {
        Self { pieces: Arc::default() }
    }
}

impl<T: Clone> Pieces<T> {
    /// The piece that holds what is sought, if any does: the first that does not end before it.
    fn place(&self, order: &impl Fn(&T) -> Ordering) -> usize {
        self.pieces.partition_point(|piece| piece.last().is_some_and(|last| order(last).is_lt()))
    }

    /// The item that is sought; of several the first.
    pub(super) fn find(&self, order: impl Fn(&T) -> Ordering) -> Option<&T> {
        let piece = self.pieces.get(self.place(&order))?;
        let item = piece.get(piece.partition_point(|item| order(item).is_lt()))?;
        order(item).is_eq().then_some(item)
    }

    /// All items that are sought, in order.
    pub(super) fn range(&self, order: impl Fn(&T) -> Ordering) -> impl Iterator<Item = &T> {
        let place = self.place(&order);
        let first = self.pieces.get(place).map_or(0, |piece| piece.partition_point(|item| order(item).is_lt()));
        let behind = self.pieces.get(place..).unwrap_or_default().iter().flat_map(|piece| piece.iter()).skip(first);
        behind.take_while(move |item| order(item).is_eq())
    }

    /// All items, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.pieces.iter().flat_map(|piece| piece.iter())
    }

    /// Puts `item` where `order` says, in the place of an equal one, which is returned.
    pub(super) fn insert(&mut self, item: T, order: impl Fn(&T) -> Ordering) -> Option<T> {
        let place = self.place(&order);
        let pieces = Arc::make_mut(&mut self.pieces);
        let is_behind_all = place == pieces.len();
        let place = if is_behind_all { place.saturating_sub(1) } else { place };
        let Some(piece) = pieces.get_mut(place) else {
            pieces.push(Arc::new(vec![item]));
            return None;
        };
        match piece.binary_search_by(&order) {
            Ok(at) => Arc::make_mut(piece).get_mut(at).map(|old| std::mem::replace(old, item)),
            Err(at) => {
                if piece.len() < PIECE {
                    Arc::make_mut(piece).insert(at, item);
                } else if is_behind_all {
                    // What comes in its order fills each piece.
                    pieces.push(Arc::new(vec![item]));
                } else {
                    let whole = Arc::make_mut(piece);
                    whole.insert(at, item);
                    let behind = whole.split_off(PIECE / 2);
                    whole.shrink_to_fit();
                    pieces.insert(place + 1, Arc::new(behind));
                }
                None
            }
        }
    }

    /// Takes out the item that is sought.
    pub(super) fn remove(&mut self, order: impl Fn(&T) -> Ordering) -> Option<T> {
        let place = self.place(&order);
        let at = self.pieces.get(place)?.binary_search_by(&order).ok()?;
        let pieces = Arc::make_mut(&mut self.pieces);
        let piece = Arc::make_mut(pieces.get_mut(place)?);
        let removed = piece.remove(at);
        let left = piece.len();
        if left == 0 {
            pieces.remove(place);
        } else if left < SPARSE && pieces.get(place + 1).is_some_and(|next| left + next.len() <= PIECE * 3 / 4) {
            let next = pieces.remove(place + 1);
            Arc::make_mut(pieces.get_mut(place)?).extend(next.iter().cloned());
        }
        Some(removed)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against the set of the standard library; a copy taken in between stays what it was.
        #[test]
        fn it_holds_what_a_set_holds(
            changes in prop::collection::vec((any::<bool>(), 0..400_u32), 0..1_500), copied_at in 0..1_500_usize,
        ) {
            let mut pieces = Pieces::default();
            let mut model = BTreeSet::new();
            let mut copy = None;
            for (at, (is_put, number)) in changes.into_iter().enumerate() {
                if at == copied_at {
                    copy = Some((pieces.clone(), model.clone()));
                }
                let order = |item: &u32| item.cmp(&number);
                if is_put {
                    prop_assert_eq!(pieces.insert(number, order).is_none(), model.insert(number));
                } else {
                    prop_assert_eq!(pieces.remove(order).is_some(), model.remove(&number));
                }
            }
            for (pieces, model) in copy.into_iter().chain([(pieces, model)]) {
                prop_assert!(pieces.iter().eq(model.iter()));
                prop_assert!(pieces.pieces.iter().all(|piece| !piece.is_empty() && piece.len() <= PIECE));
                for number in 0..400 {
                    prop_assert_eq!(pieces.find(|item| item.cmp(&number)).is_some(), model.contains(&number));
                }
                for decade in 0..40 {
                    let found = pieces.range(|item| (item / 10).cmp(&decade));
                    prop_assert!(found.eq(model.range(decade * 10..decade * 10 + 10)));
                }
            }
        }
    }

    #[test]
    fn what_comes_in_order_fills_its_pieces() {
        let mut pieces = Pieces::default();
        for number in 0..6_400_u32 {
            pieces.insert(number, |item| item.cmp(&number));
        }
        assert_eq!(pieces.pieces.len(), 100);
    }
}
