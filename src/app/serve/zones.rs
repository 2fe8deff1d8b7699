//! The keeper of the zones: the only writer of what we answer from.
//!
//! Files, transfers and updates make new versions of a zone aside and bring them here; the keeper puts them in
//! force as one and tells whoever wants to know. Its lock is held to swap pointers, and by those who change
//! zones alone: queries never meet it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tokio::sync::broadcast;

use super::current::Current;
use crate::app::config::{Key, ZoneSettings};
use crate::base::bounds;
use crate::dns::Name;
use crate::handlers::authority::{Authority, Hosted, Zone, Zones};

/// What brought a new version of a zone.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Cause {
    /// The configuration or a zone file.
    File,
    /// A transfer from a primary.
    Transfer,
    /// A dynamic update, or another change of ours.
    Update,
}

/// The news that a zone has changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Changed {
    /// Which.
    pub apex: Name,
    /// Its serial number now; none if it is no longer ours or has no data.
    pub serial: Option<u32>,
    /// What brought it.
    pub cause: Cause,
}

/// Sees every version of every zone as it comes into force, before anybody is told: who keeps differences for IXFR.
/// Called under the keeper's lock, so in order; it must not call the keeper.
pub trait Witness: Send + Sync {
    /// `new` is about to take the place of `old`.
    fn replaced(&self, old: Option<&Arc<Zone>>, new: &Arc<Zone>, cause: Cause);
    /// The zone is no longer ours.
    fn removed(&self, apex: &Name);
}

/// Who has the say over zones that updates change: the configuration's versions of these go there and nowhere else.
pub trait Steward: Send + Sync {
    /// `zones` are all those with an `update` policy, `loaded` the configuration's versions of some of them. When it
    /// returns, each of these has a version in force.
    fn settle(&self, zones: Vec<Name>, loaded: Vec<Arc<Zone>>);
}

#[derive(Default)]
struct Ledger {
    steward: Option<Arc<dyn Steward>>,
    settings: BTreeMap<Name, Arc<ZoneSettings>>,
    keys: BTreeMap<Name, Arc<Key>>,
    witnesses: Vec<Arc<dyn Witness>>,
}

/// The keeper of the zones.
pub struct Keeper {
    authority: Arc<Authority>,
    current: Arc<Current>,
    /// Held while zones change, so that changes come one after the other.
    changing: Mutex<()>,
    ledger: RwLock<Ledger>,
    news: broadcast::Sender<Changed>,
}

/// The zone in force is another than the one that the change was made from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Overtaken;

impl Keeper {
    /// The keeper of what `authority` answers from. The workers of `current` forget their finished answers with
    /// every change.
    #[must_use]
    pub fn new(authority: Arc<Authority>, current: Arc<Current>) -> Self {
        let (news, _) = broadcast::channel(bounds::ZONE_NEWS);
        Self { authority, current, changing: Mutex::default(), ledger: RwLock::default(), news }
    }

    /// The zones in force.
    #[must_use]
    pub fn zones(&self) -> Arc<Zones> {
        self.authority.zones()
    }

    /// The link that answers from the zones.
    #[must_use]
    pub const fn authority(&self) -> &Arc<Authority> {
        &self.authority
    }

    /// The zone `apex` in force; none if it is not ours or has no data that may be given.
    #[must_use]
    pub fn zone(&self, apex: &Name) -> Option<Arc<Zone>> {
        serving(&self.zones(), apex)
    }

    /// What is configured of the zone `apex`.
    #[must_use]
    pub fn settings(&self, apex: &Name) -> Option<Arc<ZoneSettings>> {
        self.read(|ledger| ledger.settings.get(apex).cloned())
    }

    /// What is configured of every zone.
    #[must_use]
    pub fn all_settings(&self) -> Vec<Arc<ZoneSettings>> {
        self.read(|ledger| ledger.settings.values().cloned().collect())
    }

    /// The TSIG key of this name.
    #[must_use]
    pub fn key(&self, name: &Name) -> Option<Arc<Key>> {
        self.read(|ledger| ledger.keys.get(name).cloned())
    }

    /// News of every change from now on. A listener that falls behind [`bounds::ZONE_NEWS`] changes is told that it
    /// has missed some, and looks at all zones anew.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Changed> {
        self.news.subscribe()
    }

    /// Shows `witness` every change from now on.
    pub fn show(&self, witness: Arc<dyn Witness>) {
        self.write(|ledger| ledger.witnesses.push(witness));
    }

    /// Hands the zones with an `update` policy to `steward`: from now on, `configure` and `replace_all` leave the
    /// configuration's versions of these to it.
    pub fn entrust(&self, steward: Arc<dyn Steward>) {
        self.write(|ledger| ledger.steward = Some(steward));
    }

    /// Puts a new version in force, as one. One of a zone that is no longer ours is dropped.
    pub fn replace(&self, zone: Arc<Zone>, cause: Cause) {
        let changing = self.change();
        if self.settings(zone.apex()).is_some() {
            self.put(vec![zone], &[], cause);
        }
        drop(changing);
    }

    /// Puts new versions of several zones in force, as one.
    pub fn replace_all(&self, mut zones: Vec<Arc<Zone>>, cause: Cause) {
        let changing = self.change();
        let entrusted = self.take_entrusted(&mut zones);
        zones.retain(|zone| self.settings(zone.apex()).is_some());
        if !zones.is_empty() {
            self.put(zones, &[], cause);
        }
        drop(changing);
        self.settle(entrusted);
    }

    /// Puts `new`, which was made from `old`, in force, unless `old` no longer is.
    ///
    /// # Errors
    /// [`Overtaken`] where another version is in force, or the zone no longer ours: make the change anew.
    pub fn replace_version(&self, old: &Arc<Zone>, new: Arc<Zone>, cause: Cause) -> Result<(), Overtaken> {
        let changing = self.change();
        let is_same = self.zone(new.apex()).is_some_and(|now| Arc::ptr_eq(&now, old));
        if !is_same || self.settings(new.apex()).is_none() {
            return Err(Overtaken);
        }
        self.put(vec![new], &[], cause);
        drop(changing);
        Ok(())
    }

    /// Gives no more data of the zone `apex`, as of an expired secondary: SERVFAIL until it is replaced.
    pub fn withdraw(&self, apex: &Name) {
        let changing = self.change();
        let zones = self.zones();
        if matches!(zones.exact(apex), Some(Hosted::Serving(_))) {
            let mut next = Zones::clone(&zones);
            next.insert_unavailable(apex.clone());
            self.swap(next);
            self.tell(Changed { apex: apex.clone(), serial: None, cause: Cause::Transfer });
        }
        drop(changing);
    }

    /// Takes in a zone that a catalog lists; without data until it is replaced. One of the configuration has
    /// precedence and stays as it is.
    pub fn adopt(&self, settings: Arc<ZoneSettings>) {
        let changing = self.change();
        let apex = settings.apex.clone();
        let known = self.settings(&apex);
        if known.is_some_and(|known| known.member_of.is_none()) {
            return;
        }
        self.write(|ledger| ledger.settings.insert(apex.clone(), settings));
        let zones = self.zones();
        if zones.exact(&apex).is_none() {
            let mut next = Zones::clone(&zones);
            next.insert_unavailable(apex.clone());
            self.swap(next);
        }
        self.tell(Changed { apex, serial: None, cause: Cause::Transfer });
        drop(changing);
    }

    /// Gives up a zone that a catalog no longer lists. One of the configuration stays.
    pub fn forsake(&self, apex: &Name) {
        let changing = self.change();
        if self.settings(apex).is_some_and(|known| known.member_of.is_some()) {
            self.write(|ledger| ledger.settings.remove(apex));
            self.put(Vec::new(), std::slice::from_ref(apex), Cause::Transfer);
        }
        drop(changing);
    }

    /// Puts a configuration in force: `settings` and `keys` in the place of the old ones, `loaded` as new
    /// versions of their zones. Zones that are not loaded keep what they have; those without anything are
    /// unavailable. Members of catalogs stay while their catalog does.
    pub fn configure(&self, settings: &[Arc<ZoneSettings>], keys: &[Arc<Key>], mut loaded: Vec<Arc<Zone>>) {
        let changing = self.change();
        let mut next: BTreeMap<Name, Arc<ZoneSettings>> =
            settings.iter().map(|one| (one.apex.clone(), Arc::clone(one))).collect();
        let gone: Vec<Name> = self.write(|ledger| {
            for (apex, member) in &ledger.settings {
                let catalog = member.member_of.as_ref();
                if catalog.is_some_and(|catalog| settings.iter().any(|one| one.apex == *catalog)) {
                    next.entry(apex.clone()).or_insert_with(|| Arc::clone(member));
                }
            }
            let gone = ledger.settings.keys().filter(|apex| !next.contains_key(apex)).cloned().collect();
            ledger.settings = next;
            ledger.keys = keys.iter().map(|key| (key.name.clone(), Arc::clone(key))).collect();
            gone
        });
        let entrusted = self.take_entrusted(&mut loaded);
        self.put(loaded, &gone, Cause::File);
        drop(changing);
        self.settle(entrusted);
    }

    /// Takes those that are the steward's out of `zones`.
    fn take_entrusted(&self, zones: &mut Vec<Arc<Zone>>) -> Vec<Arc<Zone>> {
        self.read(|ledger| {
            let is_entrusted = |zone: &mut Arc<Zone>| {
                ledger.steward.is_some() && ledger.settings.get(zone.apex()).is_some_and(|one| !one.update.is_empty())
            };
            zones.extract_if(.., is_entrusted).collect()
        })
    }

    /// Lets the steward decide. The change lock is free meanwhile, as it changes zones.
    fn settle(&self, loaded: Vec<Arc<Zone>>) {
        let (steward, zones) = self.read(|ledger| {
            let changeable = ledger.settings.values().filter(|one| !one.update.is_empty());
            (ledger.steward.clone(), changeable.map(|one| one.apex.clone()).collect())
        });
        if let Some(steward) = steward {
            steward.settle(zones, loaded);
        }
    }

    /// Swaps `new` in and `gone` out as one, then tells. The caller holds the change lock.
    fn put(&self, new: Vec<Arc<Zone>>, gone: &[Name], cause: Cause) {
        let before = self.zones();
        let mut next = Zones::clone(&before);
        for apex in gone {
            next.remove(apex);
        }
        for zone in &new {
            next.insert(Arc::clone(zone));
        }
        let (witnesses, ours) =
            self.read(|ledger| (ledger.witnesses.clone(), ledger.settings.keys().cloned().collect::<Vec<_>>()));
        for apex in ours {
            if next.exact(&apex).is_none() {
                next.insert_unavailable(apex);
            }
        }
        for witness in witnesses {
            for apex in gone {
                witness.removed(apex);
            }
            for zone in &new {
                witness.replaced(serving(&before, zone.apex()).as_ref(), zone, cause);
            }
        }
        self.swap(next);
        for apex in gone {
            self.tell(Changed { apex: apex.clone(), serial: None, cause });
        }
        for zone in new {
            self.tell(Changed { apex: zone.apex().clone(), serial: Some(zone.serial()), cause });
        }
    }

    fn swap(&self, next: Zones) {
        let old = self.zones();
        self.authority.swap(next);
        // After the swap: a worker that moves now finds the new zones, one that moved before has yet to move.
        self.current.touch();
        self.current.retire(old);
    }

    fn tell(&self, changed: Changed) {
        self.news.send(changed).ok(); // nobody need listen
    }

    fn change(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(&self, look: impl FnOnce(&Ledger) -> T) -> T {
        look(&self.ledger.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, act: impl FnOnce(&mut Ledger) -> T) -> T {
        act(&mut self.ledger.write().unwrap_or_else(PoisonError::into_inner))
    }
}

fn serving(zones: &Zones, apex: &Name) -> Option<Arc<Zone>> {
    match zones.exact(apex)? {
        Hosted::Serving(zone) => Some(Arc::clone(zone)),
        Hosted::Unavailable => None,
    }
}

#[cfg(test)]
#[path = "zones_tests.rs"]
mod tests;
