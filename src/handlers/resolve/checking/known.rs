//! What has been proved of zones: their keys, that they are not signed, or that a name begins none. It is kept by each
//! worker, parsed, so that the keys of a zone are proved once and not for each answer.
//!
//! Two generations bound it, in number and in octets, for a zone may have as many keys as a response holds: what is put in
//! goes into the young one; when that is full it becomes the old one, and the old one is forgotten. What is used moves back
//! into the young one.

use std::sync::Arc;
use std::time::Duration;

use super::super::classify::AboutKeys;
use crate::base::collections::{Keyed, Map};
use crate::base::{Instant, bounds};
use crate::chain::{Delegation, Proofs};
use crate::dns::dnssec::{Bogus, ZoneKeys};
use crate::dns::{Ede, Name};

/// What has been proved of a name.
#[derive(Clone, Debug)]
pub(super) enum State {
    /// It is the apex of a zone with these keys.
    Secure(Arc<ZoneKeys>),
    /// It is the apex of a zone that counts as unsigned, and so does all below it; why, where that is worth telling.
    Insecure(Option<Ede>),
    /// The zone's keys, or what its parent says of them, cannot be believed; they are looked for again then.
    Broken(Bogus, Instant),
    /// No zone begins here: it belongs to the one above.
    Inside,
}

/// The closest zone around a name of which something has been proved.
pub(super) struct Closest {
    /// The zone.
    pub(super) zone: Name,
    /// What; never [`State::Inside`].
    pub(super) state: State,
    /// Labels of the deepest name on the way down from the zone that is known to begin no zone; the zone's own
    /// where there is none.
    pub(super) inside: usize,
}

/// What takes more octets than its own.
trait Weighed {
    /// Octets held elsewhere.
    fn bytes(&self) -> usize;
}

impl Weighed for State {
    fn bytes(&self) -> usize {
        if let Self::Secure(keys) = self { keys.size_bytes() } else { 0 }
    }
}

impl Weighed for (Proofs, Instant) {
    fn bytes(&self) -> usize {
        self.0.iter().map(|set| set.size_bytes()).sum()
    }
}

struct Held<V> {
    value: V,
    until: Instant,
}

struct Generations<V> {
    young: Map<Name, Held<V>>,
    old: Map<Name, Held<V>>,
    /// Octets put into the young one.
    bytes: usize,
    most: usize,
    bytes_max: usize,
}

impl<V: Weighed> Generations<V> {
    fn new((most, bytes_max): (usize, usize), keyed: &Keyed) -> Self {
        let (young, old) = (Map::with_hasher(keyed.clone()), Map::with_hasher(keyed.clone()));
        Self { young, old, bytes: 0, most: most / 2, bytes_max: bytes_max / 2 }
    }

    fn put(&mut self, name: &Name, value: V, until: Instant) {
        let bytes = value.bytes();
        if self.young.len() >= self.most || self.bytes + bytes > self.bytes_max {
            self.old.clear();
            std::mem::swap(&mut self.old, &mut self.young);
            self.bytes = 0;
        }
        self.bytes += bytes;
        self.young.insert(name.lowered(), Held { value, until });
    }

    fn get(&mut self, name: &Name, now: Instant) -> Option<&V> {
        if !self.young.contains_key(name)
            && let Some(held) = self.old.remove(name)
        {
            self.put(name, held.value, held.until);
        }
        self.young.get(name).filter(|held| held.until > now).map(|held| &held.value)
    }

    fn remove(&mut self, name: &Name) {
        self.young.remove(name);
        self.old.remove(name);
    }

    fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
        self.bytes = 0;
    }
}

/// See the module's text.
pub(in super::super) struct Known {
    generation: u64,
    zones: Generations<State>,
    /// What parents said along with referrals: that there is no DS. Nobody has checked it yet.
    told: Generations<(Proofs, Instant)>,
}

impl Known {
    pub(in super::super) fn new(keyed: &Keyed) -> Self {
        let zones = Generations::new((bounds::ZONES_KNOWN, bounds::ZONES_KNOWN_BYTES), keyed);
        let told = Generations::new((bounds::REFERRALS_KEPT, bounds::REFERRALS_BYTES), keyed);
        Self { generation: 0, zones, told }
    }

    /// Where something else is trusted than before, all is to be proved again.
    pub(super) fn renew(&mut self, generation: u64) {
        if self.generation != generation {
            self.generation = generation;
            self.zones.clear();
        }
    }

    /// Keeps what a referral says of the zone's keys until somebody wants to know it.
    pub(in super::super) fn note_referral(&mut self, delegation: &Delegation, about: &AboutKeys, now: Instant) {
        if about.proofs.is_empty() {
            return self.told.remove(&delegation.zone);
        }
        let until = now + Duration::from_secs(delegation.ttl.into());
        self.told.put(&delegation.zone, (Arc::clone(&about.proofs), until), until);
    }

    /// What the last referral to `zone` brought to prove that it has no DS, and the seconds for which it counts.
    pub(super) fn told(&mut self, zone: &Name, now: Instant) -> Option<(Proofs, u32)> {
        let (proofs, until) = self.told.get(zone, now)?;
        Some((Arc::clone(proofs), u32::try_from(until.since(now).as_secs()).unwrap_or(u32::MAX)))
    }

    /// Forgets it.
    pub(super) fn forget_told(&mut self, zone: &Name) {
        self.told.remove(zone);
    }

    /// Keeps for `ttl` seconds what has been proved of `name`, and at least for as long as it takes to use it.
    pub(super) fn put(&mut self, name: &Name, state: State, ttl: u32, now: Instant) {
        let ttl = Duration::from_secs(ttl.into()).clamp(bounds::ZONE_KNOWN_MIN, bounds::CACHE_TTL_MAX);
        self.zones.put(name, state, now + ttl);
    }

    /// The closest zone at `name` or above it of which something has been proved.
    pub(super) fn closest(&mut self, name: &Name, now: Instant) -> Option<Closest> {
        let mut inside = None;
        for labels in (0..=name.label_count()).rev() {
            let here = name.suffix(labels);
            match self.zones.get(&here, now) {
                Some(State::Inside) => _ = inside.get_or_insert(labels),
                Some(state) => {
                    return Some(Closest { state: state.clone(), inside: inside.unwrap_or(labels), zone: here });
                }
                None => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Dice;
    use crate::base::collections::keyed;
    use crate::dns::dnssec::PublicKey;

    #[test]
    fn zones_with_as_many_keys_as_fit_take_no_more_than_their_bound() {
        let key = |number: u16| {
            let [high, low] = number.to_be_bytes();
            PublicKey::parse(&[&[1, 0, 3, 15, high, low], &[7; 30][..]].concat()).unwrap()
        };
        let zone = |number: u32| -> Name { format!("z{number}.example.").parse().unwrap() };
        let mut known = Known::new(&keyed(&mut Dice::from_number(1)));
        let mut bytes = 0;
        for number in 0..3_000 {
            let keys = Arc::new(ZoneKeys::of(zone(number), (0..250).map(key)));
            bytes = keys.size_bytes();
            known.put(&zone(number), State::Secure(keys), 3_600, Instant::ZERO);
        }
        let is_held =
            |number: &u32| [&known.zones.young, &known.zones.old].iter().any(|one| one.contains_key(&zone(*number)));
        let held = (0..3_000).filter(is_held).count();
        assert!(3_000 * bytes > 2 * bounds::ZONES_KNOWN_BYTES, "{bytes} octets a zone");
        assert!(held > 100 && held * bytes <= bounds::ZONES_KNOWN_BYTES, "{held} zones of {bytes} octets");
        let mut usual = Known::new(&keyed(&mut Dice::from_number(1)));
        for number in 0..8_192 {
            let keys = ZoneKeys::of(zone(number), (0..4).map(key));
            usual.put(&zone(number), State::Secure(Arc::new(keys)), 3_600, Instant::ZERO);
        }
        assert!(usual.closest(&zone(0), Instant::ZERO).is_some(), "zones as they are");
    }
}
