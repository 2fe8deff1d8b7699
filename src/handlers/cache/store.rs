//! Where entries lie: two stores, each bounded in octets.
//!
//! What clients ask for, RRsets and denials, lies packed in [`Shelf`]s, of which each takes a share of the keys and
//! has a lock: some 80 octets for a record of A. What the resolver itself lives on, zone cuts and failures, lies ready
//! for use in moka, which evicts what is asked least (`TinyLFU`) and has octets of its own, so that no flood of names
//! can wash the ways to their zones out; under a simulation in a plain map that evicts in the order of insertion and
//! so repeats exactly. (`docs/decisions/0011-two-stores.md` has the reasons.)
//!
//! Nothing here knows time: whether an entry is fresh is for others to say.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::entry::Entry;
use super::key::{Key, Kind, kind};
use super::packed;
use super::shelf::Shelf;
use crate::base::bounds;
use crate::base::collections::{Keyed, Map};

/// What becomes of a key.
pub(super) enum Change {
    /// It stays as it is.
    Keep,
    /// It gets this entry.
    Put(Entry),
    /// It goes.
    Remove,
}

/// A bounded map from keys to entries.
pub(super) struct Store {
    keyed: Keyed,
    /// RRsets and denials. Their number is a power of two.
    shelves: Box<[Mutex<Shelf>]>,
    ways: Ways,
}

/// Zone cuts and failures.
enum Ways {
    Shared(Box<Shared>),
    Plain(Mutex<Plain>),
}

/// The part of the octets that zone cuts and failures may have: one in so many.
const WAYS_SHARE: u64 = 4;

impl Store {
    /// The store of production, of at most `size_bytes` octets.
    pub(super) fn shared(size_bytes: u64, keyed: Keyed) -> Self {
        let of_ways = size_bytes / WAYS_SHARE;
        let cache = moka::sync::Cache::builder()
            .max_capacity(of_ways)
            .weigher(|key: &Key, entry: &Entry| u32::try_from(entry.size_bytes(key)).unwrap_or(u32::MAX))
            .build_with_hasher(keyed.clone());
        let changing = std::array::from_fn(|_| Mutex::new(()));
        let shared = Shared { cache, keyed: keyed.clone(), changing };
        Self::with(size_bytes - of_ways, keyed, Ways::Shared(Box::new(shared)))
    }

    /// The store of a simulation, of at most `size_bytes` octets.
    pub(super) fn plain(size_bytes: u64, keyed: Keyed) -> Self {
        let of_ways = size_bytes / WAYS_SHARE;
        let plain = Plain {
            entries: Map::with_hasher(keyed.clone()),
            order: BTreeMap::new(),
            next: 0,
            bytes: 0,
            bytes_max: of_ways,
        };
        Self::with(size_bytes - of_ways, keyed, Ways::Plain(Mutex::new(plain)))
    }

    fn with(size_bytes: u64, keyed: Keyed, ways: Ways) -> Self {
        let size_bytes = usize::try_from(size_bytes).unwrap_or(usize::MAX);
        let wanted = (size_bytes / bounds::CACHE_SHELF_BYTES).clamp(1, bounds::CACHE_SHELVES);
        let count = if wanted.is_power_of_two() { wanted } else { wanted.next_power_of_two() / 2 };
        let shelves = (0..count).map(|_| Mutex::new(Shelf::new(size_bytes / count))).collect();
        Self { keyed, shelves, ways }
    }

    /// Does something with the shelf that takes `key`, and the key's hash.
    fn on_shelf<R>(&self, key: &[u8], act: impl FnOnce(&mut Shelf, u64) -> R) -> Option<R> {
        let hash = self.keyed.hash_one(key);
        let shelf = self.shelves.get(hash as usize & (self.shelves.len() - 1))?;
        Some(act(&mut lock(shelf), hash))
    }

    /// The entry under a key.
    pub(super) fn find(&self, key: &[u8]) -> Option<Entry> {
        match &self.ways {
            _ if is_packed(key) => self.on_shelf(key, |shelf, hash| shelf.find(hash, key).and_then(packed::unpack))?,
            Ways::Shared(shared) => shared.cache.get(key),
            Ways::Plain(plain) => lock(plain).entries.get(key).map(|(_, entry)| entry.clone()),
        }
    }

    /// Spares the RRset or denial under a key when room is made.
    pub(super) fn mark_used(&self, key: &[u8]) {
        self.on_shelf(key, |shelf, hash| shelf.find_to_use(hash, key).is_some());
    }

    /// Counts one use by a client of the RRset or denial under a key, and tells how many there were since it was
    /// learned, this one included.
    pub(super) fn hit(&self, key: &[u8]) -> u8 {
        self.on_shelf(key, |shelf, hash| shelf.find_to_use(hash, key).map(packed::hit)).flatten().unwrap_or(1)
    }

    /// True for the first caller only since the fact under a key was learned: it is the one to prefetch.
    pub(super) fn claim_prefetch(&self, key: &[u8]) -> bool {
        self.on_shelf(key, |shelf, hash| shelf.find_to_use(hash, key).is_some_and(packed::claim_prefetch))
            .unwrap_or(false)
    }

    /// Lets `decide` say what becomes of `key`, while nobody else changes it.
    pub(super) fn update(&self, key: &[u8], decide: impl FnOnce(Option<&Entry>) -> Change) {
        match &self.ways {
            _ if is_packed(key) => self.update_packed(key, decide),
            Ways::Shared(shared) => {
                let _changing = shared.lock(key);
                match decide(shared.cache.get(key).as_ref()) {
                    Change::Keep => {}
                    Change::Put(entry) => shared.cache.insert(Key::from(key), entry),
                    Change::Remove => shared.cache.invalidate(key),
                }
            }
            Ways::Plain(plain) => {
                let mut plain = lock(plain);
                match decide(plain.entries.get(key).map(|(_, entry)| entry)) {
                    Change::Keep => {}
                    Change::Put(entry) => plain.put(Key::from(key), entry),
                    Change::Remove => {
                        plain.remove(key);
                    }
                }
            }
        }
    }

    fn update_packed(&self, key: &[u8], decide: impl FnOnce(Option<&Entry>) -> Change) {
        self.on_shelf(key, |shelf, hash| {
            let held = shelf.find(hash, key).and_then(packed::unpack);
            match decide(held.as_ref()) {
                Change::Put(entry) => {
                    let mut octets = Vec::new();
                    if packed::pack(key, &entry, &mut octets) {
                        shelf.put(hash, key, &octets);
                    }
                }
                Change::Remove => {
                    shelf.remove(hash, key);
                }
                Change::Keep => {}
            }
        });
    }

    /// Removes what lies under a key; tells whether there was anything.
    pub(super) fn remove(&self, probe: &[u8]) -> bool {
        match &self.ways {
            _ if is_packed(probe) => self.on_shelf(probe, |shelf, hash| shelf.remove(hash, probe)) == Some(true),
            Ways::Shared(shared) => {
                let _changing = shared.lock(probe);
                shared.cache.remove(probe).is_some()
            }
            Ways::Plain(plain) => lock(plain).remove(probe),
        }
    }

    /// All entries, in no order; what changes meanwhile may or may not be seen.
    pub(super) fn iter(&self) -> Box<dyn Iterator<Item = (Key, Entry)> + Send + '_> {
        let packed = self.shelves.iter().flat_map(facts);
        match &self.ways {
            Ways::Shared(shared) => {
                Box::new(packed.chain(shared.cache.iter().map(|(key, entry)| (Key::clone(&key), entry))))
            }
            Ways::Plain(plain) => {
                let plain = lock(plain);
                let entries: Vec<_> = plain
                    .order
                    .values()
                    .filter_map(|key| Some((key.clone(), plain.entries.get(key)?.1.clone())))
                    .collect();
                Box::new(packed.chain(entries))
            }
        }
    }

    /// The number of entries and the octets they take.
    pub(super) fn extent(&self) -> (u64, u64) {
        let (count, bytes) = match &self.ways {
            Ways::Shared(shared) => {
                shared.cache.run_pending_tasks();
                (shared.cache.entry_count(), shared.cache.weighted_size())
            }
            Ways::Plain(plain) => {
                let plain = lock(plain);
                (plain.entries.len() as u64, plain.bytes)
            }
        };
        let sum = |(count, bytes), shelf: &Mutex<Shelf>| {
            let shelf = lock(shelf);
            (count + shelf.len() as u64, bytes + shelf.size_bytes() as u64)
        };
        self.shelves.iter().fold((count, bytes), sum)
    }

    /// Lets the store tidy up what it has put off: evictions, and the memory behind them.
    pub(super) fn settle(&self) {
        if let Ways::Shared(shared) = &self.ways {
            shared.cache.run_pending_tasks();
        }
        for shelf in &self.shelves {
            lock(shelf).tidy();
        }
    }
}

/// Whether what lies under a key lies packed on a shelf.
fn is_packed(key: &[u8]) -> bool {
    matches!(kind(key), Kind::RrSet(_) | Kind::NoData(_) | Kind::NxDomain)
}

/// The facts of a shelf, some at a time, so that it is never locked for long.
fn facts(shelf: &Mutex<Shelf>) -> impl Iterator<Item = (Key, Entry)> + Send + '_ {
    let mut next = Some((false, 0));
    let steps = std::iter::from_fn(move || {
        let mut some = Vec::new();
        next = lock(shelf).walk(next?, |octets| {
            if let (Some(key), Some(entry)) = (packed::key(octets), packed::unpack(octets)) {
                some.push((Key::from(key), entry));
            }
        });
        Some(some)
    });
    steps.flatten()
}

/// moka, and locks of which each guards the changes to a share of the keys. (Its own `and_compute_with` does the
/// same with an allocation or two for each change.)
struct Shared {
    cache: moka::sync::Cache<Key, Entry, Keyed>,
    keyed: Keyed,
    changing: [Mutex<()>; 64],
}

impl Shared {
    fn lock(&self, probe: &[u8]) -> Option<MutexGuard<'_, ()>> {
        let share = self.keyed.hash_one(probe) as usize % self.changing.len();
        self.changing.get(share).map(lock)
    }
}

/// A panic elsewhere leaves what is locked whole: every change to it is finished before anything can fail.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A map with the order in which its entries came.
struct Plain {
    entries: Map<Key, (u64, Entry)>,
    order: BTreeMap<u64, Key>,
    next: u64,
    bytes: u64,
    bytes_max: u64,
}

impl Plain {
    fn put(&mut self, key: Key, entry: Entry) {
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
    use std::sync::Arc;

    use super::super::entry::Fact;
    use super::super::key::probe;
    use super::*;
    use crate::base::{Dice, collections::keyed};
    use crate::chain::Rank;
    use crate::dns::{Name, RecordType, RrSet};

    fn entry(name: &Name) -> Entry {
        let set = Arc::new(RrSet::new(name.clone(), RecordType::A, 300, [[192, 0, 2, 1]]));
        Entry::new(0, 300, Fact::RrSet { set, rank: Rank::Answer, proofs: Arc::default() })
    }

    #[test]
    fn both_stores_hold_their_bound() {
        let keyed = keyed(&mut Dice::from_number(1));
        for store in [Store::shared(4 << 20, keyed.clone()), Store::plain(4 << 20, keyed)] {
            for number in 0..80_000 {
                let name: Name = format!("n{number}.example.").parse().unwrap();
                store.update(&probe(name.wire(), Kind::RrSet(RecordType::A)), |_| Change::Put(entry(&name)));
            }
            let (count, bytes) = store.extent();
            assert!(bytes <= 3 << 20 && bytes > 5 << 19, "{bytes}");
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
                        store.update(&probe(name.wire(), kind), |_| Change::Put(entry(&name)));
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
        let at = probe(name.wire(), Kind::RrSet(RecordType::A));
        let keyed = keyed(&mut Dice::from_number(1));
        for store in [Store::shared(1 << 20, keyed.clone()), Store::plain(1 << 20, keyed)] {
            store.update(&at, |old| {
                assert!(old.is_none());
                Change::Put(entry(&name))
            });
            store.update(&at, |old| {
                assert!(old.is_some());
                Change::Keep
            });
            assert!(store.find(&at).is_some());
            store.update(&at, |_| Change::Remove);
            assert!(store.find(&at).is_none());
            assert!(!store.remove(&at));
        }
    }
}
