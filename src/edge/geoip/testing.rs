//! A made-up world for tests: cities, some of them in awkward spots, and nested networks that live in them.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::base::{Dice, Network};
use crate::steer::Place;

use super::writer::{self, Datum};

const COUNTRIES: [(&str, &str); 12] = [
    ("NA", "US"),
    ("EU", "DE"),
    ("EU", "FR"),
    ("AS", "SG"),
    ("AS", "CN"),
    ("OC", "AU"),
    ("SA", "BR"),
    ("AF", "ZA"),
    ("OC", "FJ"),
    ("EU", "RU"),
    ("AS", "JP"),
    ("NA", "CA"),
];

/// Where clients are apt to be placed wrongly.
const AWKWARD: [(f64, f64); 10] = [
    (90.0, 0.0),
    (-90.0, 77.0),
    (0.0, 180.0),
    (0.0, -180.0),
    (-17.5, 179.99),
    (-17.5, -179.99),
    (0.0, 0.0),
    (89.99, -120.0),
    (50.11, 8.68),
    (50.11, 8.68),
];

/// Cities, and the networks of each.
pub(super) struct World {
    pub(super) places: Vec<Place>,
    pub(super) networks: Vec<(Network, usize)>,
    exact: HashMap<Network, usize>,
}

fn round(degrees: f64) -> f64 {
    (degrees * 100.0).round() / 100.0 // as databases say them, and the same as f32 and f64
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut dice = Dice::from_number(seed);
        let part = |dice: &mut Dice| dice.below(1_000_001) as f64 / 1_000_000.0;
        let mut places = Vec::new();
        for number in 0..200_usize {
            let (continent, country) = COUNTRIES[dice.index(COUNTRIES.len())];
            let (latitude, longitude) = AWKWARD.get(number).copied().unwrap_or_else(|| {
                // Even over the sphere.
                let north = part(&mut dice).mul_add(2.0, -1.0).asin().to_degrees();
                (round(north), round(part(&mut dice).mul_add(360.0, -180.0)))
            });
            let mut place = Place {
                continent: continent.parse().ok(),
                country: country.parse().ok(),
                subdivision: ["HE", "HI", "BE"][number % 3].parse().ok(),
                city: Some(format!("City {}", number / 2).into()),
                asn: Some(64496 + number as u32 % 16),
                ..Place::at(latitude, longitude)
            };
            match number % 20 {
                // Known by country or continent only, by system only, or by coordinates only.
                17 => place = Place { continent: place.continent, country: place.country, ..Place::default() },
                18 => place = Place { continent: place.continent, ..Place::default() },
                19 => place = Place { asn: place.asn, ..Place::default() },
                16 => place = Place::at(latitude, longitude),
                _ => {}
            }
            places.push(place);
        }
        let mut exact = HashMap::new();
        for _ in 0..2_500 {
            let length = 6 + dice.below(23) as u8; // 6–28
            let v4 = Network::new(Ipv4Addr::from_bits(dice.bits() as u32).into(), length);
            let length = 6 + dice.below(59) as u8; // 6–64
            let bits = u128::from(dice.bits()) << 64 | u128::from(dice.bits());
            // Some under few prefixes, so that they nest.
            let bits = if dice.chance(500) { bits >> 100 << 84 | 0x2A0 << 116 } else { bits >> 3 | 1 << 125 };
            let v6 = Network::new(Ipv6Addr::from_bits(bits).into(), length);
            for network in [v4, v6] {
                // IPv4 within IPv6 is found by its IPv4 address, whatever a database says of the rest.
                if !is_carrier(network) {
                    exact.insert(network, dice.index(places.len()));
                }
            }
        }
        let mut networks: Vec<_> = exact.iter().map(|(network, place)| (*network, *place)).collect();
        networks.sort_by_key(|(network, _)| (network.address(), network.prefix_length()));
        Self { places, networks, exact }
    }

    /// The place of an address, by nothing but the list of networks.
    pub(super) fn place(&self, address: IpAddr) -> Place {
        let widest = if address.is_ipv4() { 32 } else { 128 };
        (0..=widest)
            .rev()
            .find_map(|length| self.exact.get(&Network::new(address, length)))
            .map_or_else(Place::default, |at| self.places[*at].clone())
    }

    /// The networks with records in `MaxMind`'s layout, of one family or of both.
    pub(super) fn nested(&self, family: Option<u8>) -> Vec<(Network, Datum)> {
        self.records(family, nested)
    }

    /// The networks with records in the flat layout.
    pub(super) fn flat(&self, family: Option<u8>) -> Vec<(Network, Datum)> {
        self.records(family, flat)
    }

    fn records(&self, family: Option<u8>, record: impl Fn(&Place) -> Datum) -> Vec<(Network, Datum)> {
        self.networks
            .iter()
            .filter(|(network, _)| family.is_none_or(|family| network.address().is_ipv4() == (family == 4)))
            .map(|(network, place)| (*network, record(&self.places[*place])))
            .collect()
    }
}

fn is_carrier(network: Network) -> bool {
    ["2002::/16", "2001::/32", "64:ff9b::/96", "::/8"].iter().any(|carrier| {
        let carrier: Network = carrier.parse().unwrap();
        carrier.contains(network.address()) || network.contains(carrier.address())
    })
}

/// A database of `networks`, longer ones over shorter ones.
pub(super) fn write(networks: &[(Network, Datum)], ip_version: u16, record_size: u16) -> Vec<u8> {
    let entries = networks.iter().map(|(network, record)| (network.address(), network.prefix_length(), record));
    writer::write(entries, ip_version, record_size)
}

pub(super) fn random_address(dice: &mut Dice, is_v6: bool) -> IpAddr {
    if is_v6 {
        let bits = u128::from(dice.bits()) << 64 | u128::from(dice.bits());
        Ipv6Addr::from_bits(if dice.chance(500) { bits >> 100 << 84 | 0x2A0 << 116 } else { bits >> 3 | 1 << 125 })
            .into()
    } else {
        Ipv4Addr::from_bits(dice.bits() as u32).into()
    }
}

fn code(code: Option<crate::steer::Code>) -> Option<Datum> {
    code.map(|code| Datum::text(code.as_str()))
}

fn map(entries: Vec<(&'static str, Option<Datum>)>) -> Datum {
    Datum::Map(entries.into_iter().filter_map(|(key, value)| Some((key, value?))).collect())
}

pub(super) fn nested(place: &Place) -> Datum {
    let one = |key, value: Option<Datum>| value.map(|value| Datum::Map(vec![(key, value)]));
    let names = place.city.as_deref().map(|city| {
        let names = vec![("de", Datum::text("Stadt")), ("en", Datum::text(city))];
        Datum::Map(vec![("names", Datum::Map(names))])
    });
    let location = place.latitude.zip(place.longitude).map(|(latitude, longitude)| {
        let radius = ("accuracy_radius", Datum::U16(20));
        Datum::Map(vec![radius, ("latitude", Datum::Double(latitude)), ("longitude", Datum::Double(longitude))])
    });
    map(vec![
        ("city", names),
        ("continent", one("code", code(place.continent))),
        ("country", one("iso_code", code(place.country))),
        ("location", location),
        ("subdivisions", one("iso_code", code(place.subdivision)).map(|part| Datum::List(vec![part]))),
        ("autonomous_system_number", place.asn.map(Datum::U32)),
    ])
}

pub(super) fn flat(place: &Place) -> Datum {
    map(vec![
        ("city", place.city.as_deref().map(Datum::text)),
        ("continent_code", code(place.continent)),
        ("country_code", code(place.country)),
        ("latitude", place.latitude.map(|degrees| Datum::Float(degrees as f32))),
        ("longitude", place.longitude.map(|degrees| Datum::Float(degrees as f32))),
        ("state1", code(place.subdivision)),
        ("asn", place.asn.map(|asn| Datum::Text(format!("AS{asn}")))),
    ])
}
