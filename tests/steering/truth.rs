//! What the right answers are: each name's rule said in a few lines, over runs of addresses instead of a tree.
#![allow(unreachable_pub, reason = "a module of one test")]

use std::collections::BTreeMap;
use std::net::IpAddr;

use meridian::steer::centroids;

use super::world::{CARRIERS, Client, Record, Runs, World, aligned};

/// The sites of the names `near` and `far`: name, latitude, longitude.
pub const SITES: [(&str, f64, f64); 12] = [
    ("iad", 38.94, -77.46),
    ("fra", 50.03, 8.57),
    ("sin", 1.36, 103.99),
    ("gru", -23.43, -46.47),
    ("syd", -33.95, 151.18),
    ("nrt", 35.77, 140.39),
    ("jnb", -26.13, 28.24),
    ("lhr", 51.47, -0.45),
    ("sfo", 37.62, -122.38),
    ("bom", 19.09, 72.87),
    ("yyz", 43.68, -79.63),
    ("akl", -37.01, 174.79),
];
/// Those of them that are down: two neighbours.
pub const DOWN: [usize; 2] = [1, 7];
/// The rules of the name `place`, the codes as the world's records have them; the last is for everybody else.
pub const PLACES: [(&str, &[&str]); 8] = [
    ("eu", &["EU"]),
    ("de", &["EU", "DE"]),
    ("us", &["NA", "US"]),
    ("hi", &["NA", "US", "HI"]),
    ("as", &["AS"]),
    ("oc", &["OC"]),
    ("sa", &["SA"]),
    ("else", &[]),
];
/// The rules of the name `asn`; systems without one get the last member.
pub const SYSTEMS: [(&str, &[u32]); 4] =
    [("a", &[64496, 64500]), ("b", &[64497]), ("c", &[64498, 64499]), ("else", &[])];
/// The rules of the name `net`; networks without one get the last member.
pub const NETWORKS: [(&str, &[&str]); 4] = [
    ("a", &["32.0.0.0/4", "80.0.0.0/6", "2a00::/12"]),
    ("b", &["36.0.0.0/7", "81.64.0.0/11", "2a00:1000::/21", "2600::/12"]),
    ("c", &["36.128.0.0/9", "36.200.0.0/22", "81.64.192.0/20", "2a00:1080::/26"]),
    ("else", &[]),
];
/// The weights of the name `share`.
pub const SHARES: [(&str, u32); 3] = [("heavy", 5), ("middle", 3), ("light", 1)];

/// The resolver's address as the servers see it.
pub const RESOLVER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
/// The longest prefixes that Meridian decides by.
const CAP: (u8, u8) = (24, 56);

/// Members in the order of preference, as far as a client's own place decides it: three.
pub type Ranking = [u8; 3];
/// What a name makes of what the database says.
type Rule = fn(&Record) -> Ranking;
const NOBODY: u8 = u8::MAX;

/// The rule that a name goes by.
pub fn rule(name: &'static str) -> &'static str {
    match name {
        "alias" => "place",
        "far" => "near",
        _ => name,
    }
}

/// The right answer for a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Truth {
    pub ranking: Ranking,
    /// The shortest prefix within which all have this ranking, in the client's bits.
    pub scope: u8,
}

/// A name's rankings by address.
struct Map {
    v4: Runs<Ranking>,
    v6: Runs<Ranking>,
}

/// All names' rankings.
pub struct Atlas {
    maps: BTreeMap<&'static str, Map>,
    v4: Runs<usize>,
    v6: Runs<usize>,
    records: Vec<Record>,
}

/// No record.
const NONE: usize = usize::MAX;
/// An address that carries another: it is never looked up by itself.
const CARRIER: usize = usize::MAX - 1;

impl Atlas {
    pub fn new(world: &World) -> Self {
        let mut networks = world.v6.clone();
        networks.extend(CARRIERS.map(|(bits, length)| (bits, length, CARRIER)));
        let (v4, v6) = (Runs::of(&world.v4, NONE), Runs::of(&networks, NONE));
        let mut records = world.records.clone();
        records.push(Record::default());
        let rules: [(&'static str, Rule); 4] =
            [("place", place), ("near", near), ("near by coordinates alone", near_by_coordinates), ("asn", asn)];
        let mut maps = BTreeMap::new();
        for (name, rule) in rules {
            let all: Vec<Ranking> = records.iter().map(rule).collect();
            let unknown = rule(&Record::default());
            let say =
                |record| if record == CARRIER { [NOBODY; 3] } else { *all.get::<usize>(record).unwrap_or(&unknown) };
            maps.insert(name, Map { v4: v4.map(say), v6: v6.map(say) });
        }
        let rules = |is_v4: bool| {
            let mut rules: Vec<(u128, u8, Ranking)> = Vec::new();
            for (member, (_, networks)) in (0..).zip(NETWORKS) {
                rules.extend(
                    parsed(networks)
                        .filter(|(address, _)| address.is_ipv4() == is_v4)
                        .map(|(address, length)| (aligned(address), length, alone(member))),
                );
            }
            if !is_v4 {
                rules.extend(CARRIERS.map(|(bits, length)| (bits, length, [NOBODY; 3])));
            }
            Runs::of(&rules, alone(NETWORKS.len() - 1)).map(|ranking| ranking)
        };
        maps.insert("net", Map { v4: rules(true), v6: rules(false) });
        Self { maps, v4, v6, records }
    }

    /// The ranking for an address and the shortest prefix in which all have it; IPv4 within IPv6 counts as that.
    fn find(&self, name: &str, address: IpAddr) -> (Ranking, u8) {
        let map = &self.maps[name];
        if address.is_ipv4() { map.v4.at(aligned(address)) } else { map.v6.at(aligned(address)) }
    }

    /// The right answer by RFC 7871 with the cap that resolvers have.
    pub fn truth(&self, name: &str, client: Client) -> Truth {
        let Some((address, known, before)) = subject(client) else {
            return Truth { ranking: self.find(name, RESOLVER).0, scope: 0 };
        };
        let (ranking, length) = self.find(name, address);
        Truth { ranking, scope: before + length.min(known) }
    }

    /// What would be right for the whole address that the client's resolver tells, private or not.
    pub fn uncapped(&self, name: &str, client: Client) -> Truth {
        let (address, before) = unwrapped(client.address);
        let (ranking, length) = self.find(name, address);
        Truth { ranking, scope: before + length }
    }

    /// What the database says of the address, and of how long a prefix around it.
    pub fn record(&self, address: IpAddr) -> (&Record, u8) {
        let (address, before) = unwrapped(address);
        let runs = if address.is_ipv4() { &self.v4 } else { &self.v6 };
        let (number, length) = runs.at(aligned(address));
        (self.records.get(number).unwrap_or(&self.records[self.records.len() - 1]), before + length)
    }
}

/// The IPv4 address within one of 6to4, and how many bits stand before it.
fn unwrapped(address: IpAddr) -> (IpAddr, u8) {
    match address {
        IpAddr::V6(v6) if v6.segments()[0] == 0x2002 => {
            (std::net::Ipv4Addr::from_bits((v6.to_bits() >> 80) as u32).into(), 16)
        }
        _ => (address, 0),
    }
}

/// The address that decides, how much of it counts, and the bits before it in the client's own family.
pub fn subject(client: Client) -> Option<(IpAddr, u8, u8)> {
    let known = client.source.min(if client.address.is_ipv4() { CAP.0 } else { CAP.1 });
    let address = super::world::address(super::world::cut(aligned(client.address), known), client.address.is_ipv4());
    match address {
        _ if client.source == 0 || is_private(address) => None,
        _ => {
            let (address, before) = unwrapped(address);
            Some((address, (known - before).min(if before > 0 { 32 } else { known }), before))
        }
    }
}

pub fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            v4.is_private()
                || matches!(first, 0 | 127 | 224..)
                || (first == 100 && second & 0xC0 == 64)
                || (first == 169 && second == 254)
        }
        IpAddr::V6(v6) if v6.segments()[0] == 0x2002 => is_private(unwrapped(address).0),
        IpAddr::V6(v6) => v6.segments()[0] >> 13 != 1,
    }
}

pub fn parsed<'a>(networks: &'a [&'a str]) -> impl Iterator<Item = (IpAddr, u8)> + 'a {
    networks.iter().map(|network| {
        let (address, length) = network.split_once('/').unwrap();
        (address.parse().unwrap(), length.parse().unwrap())
    })
}

fn alone(member: usize) -> Ranking {
    [member as u8, NOBODY, NOBODY]
}

/// The most specific rule that matches; a level that is unknown matches none.
fn place(record: &Record) -> Ranking {
    let levels = [record.continent, record.country, record.subdivision];
    let matches = |codes: &[&str]| codes.iter().zip(levels).all(|(code, level)| level == Some(*code));
    let rules = PLACES.iter().enumerate().filter(|(_, (_, codes))| matches(codes));
    alone(rules.max_by_key(|(_, (_, codes))| codes.len()).unwrap().0)
}

fn asn(record: &Record) -> Ranking {
    let found = SYSTEMS.iter().position(|(_, systems)| record.asn.is_some_and(|asn| systems.contains(&asn)));
    alone(found.unwrap_or(SYSTEMS.len() - 1))
}

/// The nearest three by the haversine formula; without coordinates from the centre of the country, else the continent;
/// unplaced in the order of declaration.
fn near(record: &Record) -> Ranking {
    let points = SITES.map(|(_, latitude, longitude)| (latitude, longitude));
    let distances: Option<Vec<f64>> = if let Some(here) = record.coordinates {
        Some(points.iter().map(|there| haversine(here, *there)).collect())
    } else {
        let country = record.country.and_then(|code| centroids::country(code.parse().ok()?)).map(|(_, point)| point);
        let centre = country.or_else(|| centroids::continent(record.continent?.parse().ok()?));
        let distance = |(latitude, longitude)| meridian::steer::Point::new(latitude, longitude);
        centre.map(|centre| points.iter().map(|there| centre.distance_km(&distance(*there))).collect())
    };
    let mut order: Vec<u8> = (0..SITES.len() as u8).collect();
    if let Some(distances) = distances {
        order.sort_by(|one, two| distances[usize::from(*one)].total_cmp(&distances[usize::from(*two)]));
    }
    [order[0], order[1], order[2]]
}

/// The same for a server that knows no centre of a country.
fn near_by_coordinates(record: &Record) -> Ranking {
    near(&Record { coordinates: record.coordinates, ..Record::default() })
}

/// Kilometres on the globe.
pub fn haversine(one: (f64, f64), two: (f64, f64)) -> f64 {
    let (lat1, lat2) = (one.0.to_radians(), two.0.to_radians());
    let (half_lat, half_lon) = ((lat2 - lat1) / 2.0, (two.1 - one.1).to_radians() / 2.0);
    let h = half_lat.sin().powi(2) + lat1.cos() * lat2.cos() * half_lon.sin().powi(2);
    2.0 * h.sqrt().min(1.0).asin() * 6371.0088
}

/// Degrees as on a flat map, squared, as `pickclosest` of `PowerDNS` counts them.
pub fn planar(one: (f64, f64), two: (f64, f64)) -> f64 {
    let (latitude, longitude) = (one.0 - two.0, one.1 - two.1);
    let longitude = if longitude > 180.0 { 360.0 - longitude } else { longitude };
    latitude * latitude + longitude * longitude
}
