//! Where all addresses are: what several databases say, laid over one another.
//!
//! Databases come in as [`Source`]s, the most trusted first; an [`Atlas`] leaves, which tells the place of any address
//! and from which policies are compiled. Systems are kept apart from places, so that a policy that does not ask for
//! systems is not cut by them.

use std::net::IpAddr;
use std::sync::Arc;

use crate::base::collections::{Keyed, Map};

use super::centroids;
use super::place::{Code, Locator, Place};
use super::spans::{Spans, UNKNOWN, sweep};

/// What one database says.
#[derive(Clone, PartialEq, Debug)]
pub struct Source {
    /// The places, systems included, by number.
    pub places: Vec<Place>,
    /// Numbers of places by IPv4 address.
    pub v4: Spans<u32>,
    /// Numbers of places by IPv6 address.
    pub v6: Spans<u128>,
}

/// The world as several databases together tell it.
#[derive(PartialEq, Debug)]
pub struct Atlas {
    places: Vec<Place>,
    v4: Spans<u32>,
    v6: Spans<u128>,
    asn_v4: Spans<u32>,
    asn_v6: Spans<u128>,
}

impl Default for Atlas {
    fn default() -> Self {
        Self::of([])
    }
}

impl Atlas {
    /// Lays databases over one another, the most trusted first. A less trusted one fills in what is missing, but tells
    /// nothing of a place for which it names another country.
    #[must_use]
    pub fn of(sources: impl IntoIterator<Item = Source>) -> Self {
        let mut places = Places::default();
        let mut atlas = Self {
            places: Vec::new(),
            v4: Spans::unknown(),
            v6: Spans::unknown(),
            asn_v4: Spans::unknown(),
            asn_v6: Spans::unknown(),
        };
        for source in sources {
            let asns: Vec<u32> = source.places.iter().map(|place| place.asn.unwrap_or(UNKNOWN)).collect();
            let ids: Vec<u32> = source.places.into_iter().map(|place| places.admit(located(place))).collect();
            let number = |table: &[u32], id: u32| table.get(id as usize).copied().unwrap_or(UNKNOWN);
            atlas.v4 = places.overlay(&atlas.v4, &source.v4.renumbered(|id| number(&ids, id)));
            atlas.v6 = places.overlay(&atlas.v6, &source.v6.renumbered(|id| number(&ids, id)));
            atlas.asn_v4 = under(&atlas.asn_v4, &source.v4.renumbered(|id| number(&asns, id)));
            atlas.asn_v6 = under(&atlas.asn_v6, &source.v6.renumbered(|id| number(&asns, id)));
        }
        atlas.places = places.list;
        atlas.v4.shrink();
        atlas.v6.shrink();
        atlas
    }

    /// The places without their systems, by the numbers of [`Self::v4`] and [`Self::v6`].
    #[must_use]
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// Numbers of places by IPv4 address.
    #[must_use]
    pub const fn v4(&self) -> &Spans<u32> {
        &self.v4
    }

    /// Numbers of places by IPv6 address.
    #[must_use]
    pub const fn v6(&self) -> &Spans<u128> {
        &self.v6
    }

    /// Systems by IPv4 address.
    #[must_use]
    pub const fn asn_v4(&self) -> &Spans<u32> {
        &self.asn_v4
    }

    /// Systems by IPv6 address.
    #[must_use]
    pub const fn asn_v6(&self) -> &Spans<u128> {
        &self.asn_v6
    }

    /// Octets held, without the texts of cities.
    #[must_use]
    pub fn size(&self) -> usize {
        let spans = self.v4.size() + self.v6.size() + self.asn_v4.size() + self.asn_v6.size();
        spans + self.places.capacity() * size_of::<Place>()
    }
}

impl Locator for Atlas {
    fn locate(&self, address: IpAddr) -> Option<(Place, u8)> {
        let (is_unknown, (place, length), (asn, asn_length)) = match address {
            IpAddr::V4(v4) => {
                let bits = v4.to_bits();
                (self.v4.is_unknown() && self.asn_v4.is_unknown(), self.v4.find(bits), self.asn_v4.find(bits))
            }
            IpAddr::V6(v6) => {
                let bits = v6.to_bits();
                (self.v6.is_unknown() && self.asn_v6.is_unknown(), self.v6.find(bits), self.asn_v6.find(bits))
            }
        };
        let place = self.places.get(place as usize).cloned().unwrap_or_default();
        let asn = Some(asn).filter(|&asn| asn != UNKNOWN);
        (!is_unknown).then(|| (Place { asn, ..place }, length.max(asn_length)))
    }
}

/// The place without its system, and with the continent that its country lies in.
fn located(place: Place) -> Place {
    let continent = place.continent.or_else(|| Some(centroids::country(place.country?)?.0));
    Place { asn: None, continent, ..place }
}

/// What `above` says, and where it says nothing, `below`.
fn under<A: super::spans::Bits>(above: &Spans<A>, below: &Spans<A>) -> Spans<A> {
    let mut spans = Spans::empty();
    sweep([above, below], |start, [above, below]| spans.push(start, if above == UNKNOWN { below } else { above }));
    spans
}

type PlaceKey = ([Option<Code>; 3], Option<Arc<str>>, [Option<u64>; 2]);

/// Places by number, each once.
struct Places {
    list: Vec<Place>,
    numbers: Map<PlaceKey, u32>,
    joined: Map<(u32, u32), u32>,
}

impl Default for Places {
    fn default() -> Self {
        // The operator's own data fill these maps, so their key need be no secret.
        let keyed = Keyed::with_seeds(1, 2, 3, 4);
        Self { list: Vec::new(), numbers: Map::with_hasher(keyed.clone()), joined: Map::with_hasher(keyed) }
    }
}

impl Places {
    fn admit(&mut self, place: Place) -> u32 {
        if place.is_unknown() {
            return UNKNOWN;
        }
        let degrees = [place.latitude, place.longitude].map(|part| part.map(f64::to_bits));
        let key = ([place.continent, place.country, place.subdivision], place.city.clone(), degrees);
        let next = self.list.len() as u32;
        let number = *self.numbers.entry(key).or_insert(next);
        if number == next {
            self.list.push(place);
        }
        number
    }

    fn overlay<A: super::spans::Bits>(&mut self, above: &Spans<A>, below: &Spans<A>) -> Spans<A> {
        let mut spans = Spans::empty();
        sweep([above, below], |start, pair| spans.push(start, self.join(pair)));
        spans
    }

    fn join(&mut self, [above, below]: [u32; 2]) -> u32 {
        let (Some(upper), Some(lower)) = (self.list.get(above as usize), self.list.get(below as usize)) else {
            return if above == UNKNOWN { below } else { above };
        };
        if let Some(&joined) = self.joined.get(&(above, below)) {
            return joined;
        }
        let joined = filled(upper, lower);
        let joined = self.admit(joined);
        self.joined.insert((above, below), joined);
        joined
    }
}

/// `upper` with what only `lower` knows, unless they speak of different countries.
fn filled(upper: &Place, lower: &Place) -> Place {
    let differ = |one: Option<Code>, two: Option<Code>| one.is_some() && two.is_some() && one != two;
    if differ(upper.country, lower.country) || differ(upper.continent, lower.continent) {
        return upper.clone();
    }
    let coordinates = if upper.point().is_some() { upper } else { lower };
    // A city lies in its own subdivision only.
    let is_same_part = !differ(upper.subdivision, lower.subdivision);
    Place {
        latitude: coordinates.latitude,
        longitude: coordinates.longitude,
        continent: upper.continent.or(lower.continent),
        country: upper.country.or(lower.country),
        subdivision: upper.subdivision.or(lower.subdivision),
        city: upper.city.clone().or_else(|| lower.city.clone().filter(|_| is_same_part)),
        asn: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Network;

    fn source(networks: &[(&str, Place)]) -> Source {
        let parsed: Vec<(Network, u32)> =
            (0..).zip(networks).map(|(id, (text, _))| (text.parse().unwrap(), id)).collect();
        let v4 = parsed.iter().filter_map(|(network, id)| match network.address() {
            IpAddr::V4(v4) => Some((v4.to_bits(), network.prefix_length(), *id)),
            IpAddr::V6(_) => None,
        });
        let v6 = parsed.iter().filter_map(|(network, id)| match network.address() {
            IpAddr::V6(v6) => Some((v6.to_bits(), network.prefix_length(), *id)),
            IpAddr::V4(_) => None,
        });
        Source {
            places: networks.iter().map(|(_, place)| place.clone()).collect(),
            v4: Spans::of_networks(v4),
            v6: Spans::of_networks(v6),
        }
    }

    fn country(code: &str) -> Place {
        Place { country: Some(code.parse().unwrap()), ..Place::default() }
    }

    fn located(atlas: &Atlas, address: &str) -> (String, u8) {
        let (place, length) = atlas.locate(address.parse().unwrap()).unwrap();
        (place.to_string(), length)
    }

    #[test]
    fn a_less_trusted_database_fills_holes_and_missing_parts_only() {
        let city = Place {
            city: Some("Frankfurt".into()),
            ..Place { country: country("DE").country, ..Place::at(50.1, 8.7) }
        };
        let cities = source(&[("192.0.2.0/25", city)]);
        let countries = source(&[("192.0.2.0/24", country("DE")), ("198.51.100.0/24", country("FR"))]);
        let systems = source(&[("192.0.2.64/26", Place { asn: Some(64500), ..Place::default() })]);
        let atlas = Atlas::of([cities, countries, systems]);
        assert_eq!(located(&atlas, "192.0.2.1"), ("EU-DE, Frankfurt, 50.10 8.70".into(), 26));
        assert_eq!(located(&atlas, "192.0.2.65"), ("EU-DE, Frankfurt, 50.10 8.70, AS64500".into(), 26));
        assert_eq!(located(&atlas, "192.0.2.200"), ("EU-DE".into(), 25));
        assert_eq!(located(&atlas, "198.51.100.1"), ("EU-FR".into(), 24));
        assert_eq!(located(&atlas, "203.0.113.1"), ("unknown".into(), 5));
        assert_eq!(atlas.locate("2001:db8::1".parse().unwrap()), None);
    }

    #[test]
    fn databases_that_name_different_countries_are_not_mixed() {
        let upper = source(&[("192.0.2.0/24", country("DE"))]);
        let paris = Place { country: country("FR").country, ..Place::at(48.9, 2.3) };
        let atlas = Atlas::of([upper, source(&[("192.0.2.0/24", paris)])]);
        assert_eq!(located(&atlas, "192.0.2.1"), ("EU-DE".into(), 24));
    }

    #[test]
    fn the_order_of_trust_is_the_order_given() {
        let one = || source(&[("2001:db8::/32", country("DE"))]);
        let two = || source(&[("2001:db8::/48", country("FR")), ("2001:db8:1::/48", country("FR"))]);
        assert_eq!(located(&Atlas::of([one(), two()]), "2001:db8::1"), ("EU-DE".into(), 32));
        assert_eq!(located(&Atlas::of([two(), one()]), "2001:db8::1"), ("EU-FR".into(), 47));
    }
}
