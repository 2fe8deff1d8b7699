//! The running house, swapped as one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::app::build::Forwarders;
use crate::app::house::House;

/// The house that queries are answered by. Workers look at its generation between events and move when it has
/// changed, so that no query takes a lock.
pub struct Current {
    generation: AtomicU64,
    house: Mutex<(Arc<House>, Arc<Forwarders>)>,
}

impl Current {
    /// The first house.
    #[must_use]
    pub fn new(house: Arc<House>, forwarders: Arc<Forwarders>) -> Self {
        Self { generation: AtomicU64::new(0), house: Mutex::new((house, forwarders)) }
    }

    /// Counts the changes so far.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The house of now, and its generation.
    #[must_use]
    pub fn snapshot(&self) -> (u64, Arc<House>, Arc<Forwarders>) {
        let held = self.house.lock().unwrap_or_else(PoisonError::into_inner);
        (self.generation(), Arc::clone(&held.0), Arc::clone(&held.1))
    }

    /// Puts another house in its place.
    pub fn replace(&self, house: Arc<House>, forwarders: Arc<Forwarders>) {
        let mut held = self.house.lock().unwrap_or_else(PoisonError::into_inner);
        *held = (house, forwarders);
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Makes the workers forget their finished answers: something behind them has changed.
    pub fn touch(&self) {
        self.generation.fetch_add(1, Ordering::Release);
    }
}
