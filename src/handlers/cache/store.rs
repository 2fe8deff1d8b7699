//! Where entries lie: a map bounded in octets. In production it is moka, shared by all workers and evicting
//! what is asked least (`TinyLFU`, so that a flood of names asked once cannot wash out the popular ones); under a
//! simulation a plain map that evicts in the order of insertion and so repeats exactly.
//!
//! Nothing here knows time: moka's clock is not used, and whether an entry is fresh is for others to say.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::entry::Entry;
use super::key::Key;
use crate::base::collections::{Keyed, Map};

/// What becomes of a key.
pub(super) enum Change {
    /// It stays as it is.
    Keep,
    /// It gets this entry.
    Put(Arc<Entry>),
    /// It goes.
    Remove,
}

/// A bounded map from keys to entries.
pub(super) struct Store(Inner);

enum Inner {
    Shared(Box<Shared>),
    Plain(Mutex<Plain>),
}

impl Store {
    /// The store of production, of at most `size_bytes` octets.
    pub(super) fn shared(size_bytes: u64, keyed: Keyed) -> Self {
        let cache = moka::sync::Cache::builder()
            .max_capacity(size_bytes)
            .weigher(|key: &Key, entry: &Arc<Entry>| u32::try_from(entry.size_bytes(key)).unwrap_or(u32::MAX))
            .build_with_hasher(keyed.clone());
        Self(Inner::Shared(Box::new(Shared { cache, keyed, changing: std::array::from_fn(|_| Mutex::new(())) })))
    }

    /// The store of a simulation, of at most `size_bytes` octets.
    pub(super) fn plain(size_bytes: u64, keyed: Keyed) -> Self {
        Self(Inner::Plain(Mutex::new(Plain {
            entries: Map::with_hasher(keyed),
            order: BTreeMap::new(),
            next: 0,
            bytes: 0,
            bytes_max: size_bytes,
        })))
    }

    /// The entry under a key.
    pub(super) fn find(&self, probe: &[u8]) -> Option<Arc<Entry>> {
        match &self.0 {
            Inner::Shared(shared) => shared.cache.get(probe),
            Inner::Plain(plain) => lock(plain).entries.get(probe).map(|(_, entry)| Arc::clone(entry)),
        }
    }

    /// Lets `decide` say what becomes of `key`, while nobody else changes it.
    pub(super) fn update(&self, key: Key, decide: impl FnOnce(Option<&Arc<Entry>>) -> Change) {
        match &self.0 {
            Inner::Shared(shared) => {
                let _changing = shared.lock(Borrow::<[u8]>::borrow(&key));
                match decide(shared.cache.get(&key).as_ref()) {
                    Change::Keep => {}
                    Change::Put(entry) => shared.cache.insert(key, entry),
                    Change::Remove => shared.cache.invalidate(&key),
                }
            }
            Inner::Plain(plain) => {
                let mut plain = lock(plain);
                match decide(plain.entries.get(&key).map(|(_, entry)| entry)) {
                    Change::Keep => {}
                    Change::Put(entry) => plain.put(key, entry),
                    Change::Remove => {
                        plain.remove(Borrow::<[u8]>::borrow(&key));
                    }
                }
            }
        }
    }

    /// Removes what lies under a key; tells whether there was anything.
    pub(super) fn remove(&self, probe: &[u8]) -> bool {
        match &self.0 {
            Inner::Shared(shared) => {
                let _changing = shared.lock(probe);
                shared.cache.remove(probe).is_some()
            }
            Inner::Plain(plain) => lock(plain).remove(probe),
        }
    }

    /// All entries, in no order; what changes meanwhile may or may not be seen.
    pub(super) fn iter(&self) -> Box<dyn Iterator<Item = (Arc<Key>, Arc<Entry>)> + Send + '_> {
        match &self.0 {
            Inner::Shared(shared) => Box::new(shared.cache.iter()),
            Inner::Plain(plain) => {
                let plain = lock(plain);
                let entries: Vec<_> = plain
                    .order
                    .values()
                    .filter_map(|key| Some((Arc::new(key.clone()), Arc::clone(&plain.entries.get(key)?.1))))
                    .collect();
                Box::new(entries.into_iter())
            }
        }
    }

    /// The number of entries and the octets they take.
    pub(super) fn extent(&self) -> (u64, u64) {
        match &self.0 {
            Inner::Shared(shared) => {
                shared.cache.run_pending_tasks();
                (shared.cache.entry_count(), shared.cache.weighted_size())
            }
            Inner::Plain(plain) => {
                let plain = lock(plain);
                (plain.entries.len() as u64, plain.bytes)
            }
        }
    }

    /// Lets the store tidy up what it has put off: evictions, and the memory behind them.
    pub(super) fn settle(&self) {
        if let Inner::Shared(shared) = &self.0 {
            shared.cache.run_pending_tasks();
        }
    }
}

/// moka, and locks of which each guards the changes to a share of the keys. (Its own `and_compute_with` does the
/// same with an allocation or two for each change.)
struct Shared {
    cache: moka::sync::Cache<Key, Arc<Entry>, Keyed>,
    keyed: Keyed,
    changing: [Mutex<()>; 64],
}

impl Shared {
    fn lock(&self, probe: &[u8]) -> Option<MutexGuard<'_, ()>> {
        let share = self.keyed.hash_one(probe) as usize % self.changing.len();
        self.changing.get(share).map(|lock| lock.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A panic elsewhere leaves the map whole: every change to it is finished before anything can fail.
fn lock(plain: &Mutex<Plain>) -> MutexGuard<'_, Plain> {
    plain.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A map with the order in which its entries came.
struct Plain {
    entries: Map<Key, (u64, Arc<Entry>)>,
    order: BTreeMap<u64, Key>,
    next: u64,
    bytes: u64,
    bytes_max: u64,
}

impl Plain {
    fn put(&mut self, key: Key, entry: Arc<Entry>) {
        self.remove(Borrow::<[u8]>::borrow(&key));
        self.bytes += entry.size_bytes(&key) as u64;
        self.order.insert(self.next, key.clone());
        self.entries.insert(key, (self.next, entry));
        self.next += 1;
        while self.bytes > self.bytes_max {
            let Some((_, oldest)) = self.order.pop_first() else { break };
            self.remove(Borrow::<[u8]>::borrow(&oldest));
        }
    }

    fn remove(&mut self, probe: &[u8]) -> bool {
        let Some((key, (place, entry))) = self.entries.remove_entry(probe) else { return false };
        self.order.remove(&place);
        self.bytes -= entry.size_bytes(&key) as u64;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::Fact;
    use super::super::key::{Kind, probe};
    use super::*;
    use crate::base::{Dice, collections::keyed};
    use crate::chain::Rank;
    use crate::dns::{Name, RecordType, RrSet};

    fn entry(name: &Name) -> Arc<Entry> {
        let set = Arc::new(RrSet::new(name.clone(), RecordType::A, 300, [[192, 0, 2, 1]]));
        Arc::new(Entry::new(0, 300, Fact::RrSet { set, rank: Rank::Answer }))
    }

    #[test]
    fn both_stores_hold_their_bound() {
        let keyed = keyed(&mut Dice::from_number(1));
        for store in [Store::shared(1 << 20, keyed.clone()), Store::plain(1 << 20, keyed)] {
            for number in 0..20_000 {
                let name: Name = format!("n{number}.example.").parse().unwrap();
                store.update(Key::new(&name, Kind::RrSet(RecordType::A)), |_| Change::Put(entry(&name)));
            }
            let (count, bytes) = store.extent();
            assert!(bytes <= 1 << 20 && bytes > 900_000, "{bytes}");
            assert_eq!(store.iter().count() as u64, count);
        }
    }

    #[test]
    fn threads_that_insert_and_read_keep_the_bound() {
        let store = Store::shared(1 << 20, keyed(&mut Dice::from_number(2)));
        let peak = std::sync::atomic::AtomicU64::new(0);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (store, peak) = (&store, &peak);
                scope.spawn(move || {
                    for number in 0..10_000 {
                        let name: Name = format!("n{number}.t{thread}.example.").parse().unwrap();
                        let kind = Kind::RrSet(RecordType::A);
                        store.update(Key::new(&name, kind), |_| Change::Put(entry(&name)));
                        if let Some(found) = store.find(&probe(name.wire(), kind)) {
                            assert_eq!(found.set().unwrap().owner, name);
                        }
                        if number % 500 == 0 {
                            peak.fetch_max(store.extent().1, std::sync::atomic::Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert!(peak.into_inner().max(store.extent().1) <= 1 << 20);
    }

    #[test]
    fn an_update_sees_what_was_there_and_may_leave_or_remove_it() {
        let name: Name = "www.example.".parse().unwrap();
        let key = Key::new(&name, Kind::RrSet(RecordType::A));
        let at = probe(name.wire(), Kind::RrSet(RecordType::A));
        let keyed = keyed(&mut Dice::from_number(1));
        for store in [Store::shared(1 << 20, keyed.clone()), Store::plain(1 << 20, keyed)] {
            store.update(key.clone(), |old| {
                assert!(old.is_none());
                Change::Put(entry(&name))
            });
            store.update(key.clone(), |old| {
                assert!(old.is_some());
                Change::Keep
            });
            assert!(store.find(&at).is_some());
            store.update(key.clone(), |_| Change::Remove);
            assert!(store.find(&at).is_none());
            assert!(!store.remove(&at));
        }
    }
}
