//! The running house, swapped as one.

use std::any::Any;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::app::build::Forwarders;
use crate::app::house::House;
use crate::base::bounds;

/// The house that queries are answered by. Workers look at its generation between events and move when it has
/// changed, so that no query takes a lock.
///
/// What they have moved out of goes to the attic: whoever lets go of a large thing last clears it away, and that must
/// not be a worker.
pub struct Current {
    generation: AtomicU64,
    house: Mutex<(Arc<House>, Arc<Forwarders>)>,
    tenants: Mutex<Vec<Weak<AtomicU64>>>,
    attic: Mutex<Vec<(u64, Box<dyn Any + Send>)>>,
}

/// Where a worker says which generation it has moved to.
pub struct Tenant(Arc<AtomicU64>);

impl Tenant {
    /// It answers by `generation` from now on, and by nothing older.
    pub fn move_to(&self, generation: u64) {
        self.0.store(generation, Ordering::Release);
    }
}

impl Current {
    /// The first house.
    #[must_use]
    pub fn new(house: Arc<House>, forwarders: Arc<Forwarders>) -> Self {
        Self {
            generation: AtomicU64::new(0),
            house: Mutex::new((house, forwarders)),
            tenants: Mutex::default(),
            attic: Mutex::default(),
        }
    }

    /// Counts the changes so far.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// One more worker that answers by the house of now; it is gone when the tenant is dropped.
    #[must_use]
    pub fn settle(&self) -> Tenant {
        let moved = Arc::new(AtomicU64::new(self.generation()));
        let mut tenants = held(&self.tenants);
        tenants.retain(|tenant| tenant.strong_count() > 0);
        tenants.push(Arc::downgrade(&moved));
        Tenant(moved)
    }

    /// The house of now, and its generation.
    #[must_use]
    pub fn snapshot(&self) -> (u64, Arc<House>, Arc<Forwarders>) {
        let held = held(&self.house);
        (self.generation(), Arc::clone(&held.0), Arc::clone(&held.1))
    }

    /// Puts another house in its place.
    pub fn replace(&self, house: Arc<House>, forwarders: Arc<Forwarders>) {
        let mut held = held(&self.house);
        let old = std::mem::replace(&mut *held, (house, forwarders));
        self.generation.fetch_add(1, Ordering::Release);
        drop(held);
        self.retire(old);
    }

    /// Makes the workers forget their finished answers: something behind them has changed.
    pub fn touch(&self) {
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Keeps what was taken out of force before the last change of the generation, until every worker has moved.
    pub fn retire(&self, old: impl Send + 'static) {
        let mut attic = held(&self.attic);
        attic.push((self.generation(), Box::new(old)));
        // A worker that has not moved after so many changes may do the work itself.
        let most = attic.len().saturating_sub(bounds::ATTIC_MAX);
        let oldest: Vec<_> = attic.drain(..most).collect();
        drop(attic);
        drop(oldest);
    }

    /// The oldest generation that a worker still answers by.
    fn oldest(&self) -> u64 {
        let moved =
            held(&self.tenants).iter().filter_map(Weak::upgrade).map(|moved| moved.load(Ordering::Acquire)).min();
        moved.unwrap_or(u64::MAX)
    }

    /// Whether every worker answers by the generation of now.
    #[must_use]
    pub fn have_all_moved(&self) -> bool {
        self.generation() <= self.oldest()
    }

    /// Clears away what every worker has moved out of. To be called now and then, from where it may take its time;
    /// says how much is left.
    pub fn clear_out(&self) -> usize {
        let moved = self.oldest();
        let mut attic = held(&self.attic);
        let old: Vec<_> = attic.extract_if(.., |(generation, _)| *generation <= moved).collect();
        let left = attic.len();
        drop(attic);
        drop(old);
        left
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::build::{self, Files, Kept};
    use crate::app::config::{self, Machine};
    use crate::base::Dice;

    fn current() -> Current {
        let machine = Machine { cores: std::num::NonZeroUsize::MIN, memory: None };
        let config = config::load(std::path::Path::new("x"), b"recursion: off", &machine).unwrap().config;
        let mut dice = Dice::from_number(1);
        let kept = &mut Kept::nothing(&mut dice);
        let built = build::build(&config, Files::default(), kept, |_, _| {}, &mut dice);
        Current::new(built.house, built.forwarders)
    }

    #[test]
    fn what_is_old_is_cleared_away_once_every_worker_has_moved() {
        let current = current();
        let (early, late) = (current.settle(), current.settle());
        let old = Arc::new(());
        current.touch();
        current.retire(Arc::clone(&old));
        early.move_to(current.generation());
        assert!(!current.have_all_moved());
        assert_eq!((current.clear_out(), Arc::strong_count(&old)), (1, 2));
        late.move_to(current.generation());
        assert!(current.have_all_moved());
        assert_eq!((current.clear_out(), Arc::strong_count(&old)), (0, 1));
        current.touch();
        current.retire(Arc::clone(&old));
        drop((early, late));
        assert_eq!((current.clear_out(), Arc::strong_count(&old)), (0, 1), "nobody is left to move");
    }

    #[test]
    fn a_worker_that_never_moves_keeps_no_more_than_the_bound() {
        let current = current();
        let _stuck = current.settle();
        let old = Arc::new(());
        for _ in 0..3 * bounds::ATTIC_MAX {
            current.touch();
            current.retire(Arc::clone(&old));
        }
        assert_eq!(Arc::strong_count(&old), 1 + bounds::ATTIC_MAX);
    }
}
