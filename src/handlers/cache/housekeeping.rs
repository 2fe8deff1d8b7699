//! What leaves memory without being pushed out: what expired, what the operator flushes, what a hosts file hides.

use super::Cache;
use super::entry::{Entry, Second, second};
use super::key::{Key, Kind, probe};
use super::stale;
use super::store::Change;
use crate::base::Instant;
use crate::base::collections::Set;
use crate::dns::{Name, RecordType};

/// One pass over the cache in steps of bounded work; see [`Cache::sweep`].
pub struct Sweep<'c> {
    cache: &'c Cache,
    entries: Box<dyn Iterator<Item = (Key, Entry)> + Send + 'c>,
}

/// What a step of a [`Sweep`] did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Swept {
    /// Entries removed.
    pub removed: usize,
    /// Whether the pass is over.
    pub is_done: bool,
}

impl Sweep<'_> {
    /// Looks at up to `budget` more entries and removes those that nobody can need any more.
    pub fn step(&mut self, now: Instant, budget: usize) -> Swept {
        let now = second(now);
        let mut removed = 0;
        for _ in 0..budget {
            let Some((key, entry)) = self.entries.next() else {
                self.cache.store.settle();
                return Swept { removed, is_done: true };
            };
            if self.cache.is_over(&entry, now) {
                self.cache.store.update(key.probe(), |held| match held {
                    Some(held) if self.cache.is_over(held, now) => {
                        removed += 1;
                        Change::Remove
                    }
                    _ => Change::Keep, // renewed in the meantime
                });
            }
        }
        Swept { removed, is_done: false }
    }
}

impl Cache {
    /// Begins a pass that removes what expired and may not be served stale either. The edge makes one now and
    /// then and takes a step of it at a time.
    pub fn sweep(&self) -> Sweep<'_> {
        Sweep { cache: self, entries: self.store.iter() }
    }

    fn is_over(&self, entry: &Entry, now: Second) -> bool {
        now >= stale::end(self.settings.stale.as_ref(), entry)
    }

    /// Forgets what is known of `name`: of one type if `rtype` says which, and of all names below it with
    /// `subtree`. Tells how many facts that were.
    ///
    /// The NXDOMAIN of a name is a fact about each of its types, and a zone cut one about its NS.
    pub fn flush(&self, name: &Name, subtree: bool, rtype: Option<RecordType>) -> usize {
        if let (false, Some(rtype)) = (subtree, rtype) {
            if let Some(denials) = &self.denials {
                denials.forget(name, false);
            }
            let kinds = [
                Some(Kind::RrSet(rtype)),
                Some(Kind::NoData(rtype)),
                Some(Kind::NxDomain),
                Some(Kind::Failure(rtype)),
                (rtype == RecordType::NS).then_some(Kind::Delegation),
            ];
            return kinds.into_iter().flatten().filter(|&kind| self.store.remove(&probe(name.wire(), kind))).count();
        }
        if let Some(denials) = &self.denials {
            denials.forget(name, subtree);
        }
        let name = name.lowered();
        let is_meant = |key: &Key| if subtree { is_within(key.name(), name.wire()) } else { key.name() == name.wire() };
        self.remove_where(|key| is_meant(key) && rtype.is_none_or(|rtype| concerns(key.kind(), rtype)))
    }

    /// Forgets everything about each of `names`, as after a change of the hosts file; tells how many facts that
    /// were. One pass, however many the names.
    pub fn forget<'n>(&self, names: impl IntoIterator<Item = &'n Name>) -> usize {
        let mut lowered: Set<Name> = Set::with_hasher(self.keyed.clone());
        lowered.extend(names.into_iter().map(Name::lowered));
        if lowered.is_empty() {
            return 0;
        }
        self.remove_where(|key| Name::from_wire(key.name()).is_ok_and(|(name, _)| lowered.contains(&name)))
    }

    fn remove_where(&self, is_meant: impl Fn(&Key) -> bool) -> usize {
        let removed = self.store.iter().filter(|(key, _)| is_meant(key) && self.store.remove(key.probe())).count();
        self.store.settle();
        removed
    }

    /// The number of facts.
    pub fn len(&self) -> u64 {
        self.store.extent().0
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Octets of memory that the facts take.
    pub fn bytes(&self) -> u64 {
        self.store.extent().1
    }
}

fn concerns(kind: Kind, rtype: RecordType) -> bool {
    match kind {
        Kind::RrSet(held) | Kind::NoData(held) | Kind::Failure(held) | Kind::Bogus(held) => held == rtype,
        Kind::NxDomain => true,
        Kind::Delegation => rtype == RecordType::NS,
    }
}

/// Whether the name with the wire form `wire` is that of `ancestor` or lies below it; both in small letters.
fn is_within(wire: &[u8], ancestor: &[u8]) -> bool {
    wire.ends_with(ancestor) && super::key::upward(wire).any(|above| above == ancestor)
}
