//! The world of the comparison: cities and the nested networks that live in them, as a database for all servers, and
//! as plain runs of addresses from which the right answers and scopes follow.
#![allow(unreachable_pub, reason = "a module of one test")]

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::support::mmdb::{self, Datum};

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
const SUBDIVISIONS: [&str; 3] = ["HE", "HI", "BE"];
/// Where clients are apt to be placed wrongly.
const AWKWARD: [(f64, f64); 8] = [
    (90.0, 0.0),
    (-90.0, 77.0),
    (0.0, 180.0),
    (0.0, -180.0),
    (-17.5, 179.99),
    (-17.5, -179.99),
    (0.0, 0.0),
    (89.99, -120.0),
];
const CITIES: usize = 200;
const NETWORKS: usize = 2_500;

/// What the database says of a network.
#[derive(Clone, Copy, Default, Debug)]
pub struct Record {
    pub continent: Option<&'static str>,
    pub country: Option<&'static str>,
    pub subdivision: Option<&'static str>,
    /// Latitude and longitude, degrees.
    pub coordinates: Option<(f64, f64)>,
    pub asn: Option<u32>,
}

impl Record {
    /// In the layout of `MaxMind`.
    fn datum(&self) -> Datum {
        let one = |key, value: Option<&str>| value.map(|value| Datum::Map(vec![(key, Datum::text(value))]));
        let location = self.coordinates.map(|(latitude, longitude)| {
            // PowerDNS takes no coordinates without a radius.
            let radius = ("accuracy_radius", Datum::U16(20));
            Datum::Map(vec![radius, ("latitude", Datum::Double(latitude)), ("longitude", Datum::Double(longitude))])
        });
        let fields = [
            ("autonomous_system_number", self.asn.map(Datum::U32)),
            ("continent", one("code", self.continent)),
            ("country", one("iso_code", self.country)),
            ("location", location),
            ("subdivisions", one("iso_code", self.subdivision).map(|part| Datum::List(vec![part]))),
        ];
        Datum::Map(fields.into_iter().filter_map(|(key, value)| Some((key, value?))).collect())
    }
}

/// A small generator (xorshift64): the same world and clients every time.
pub struct Chance(pub u64);

impl Chance {
    pub fn bits(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.bits() % limit as u64).unwrap()
    }

    fn part(&mut self) -> f64 {
        self.below(1_000_001) as f64 / 1_000_000.0
    }

    /// An address of the Internet, left-aligned; half of the IPv6 ones under few prefixes, so that networks nest.
    fn address(&mut self, is_v4: bool) -> u128 {
        let bits = u128::from(self.bits()) << 64 | u128::from(self.bits());
        match (is_v4, bits & 1 == 0) {
            (true, _) => bits >> 96 << 96,
            (false, true) => bits >> 100 << 84 | 0x2A0 << 116 | bits & 0xF_FFFF << 64,
            (false, false) => bits >> 3 | 1 << 125,
        }
    }
}

/// A family's addresses left-aligned in 128 bits.
pub fn aligned(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()) << 96,
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

pub fn address(bits: u128, is_v4: bool) -> IpAddr {
    if is_v4 { Ipv4Addr::from_bits((bits >> 96) as u32).into() } else { Ipv6Addr::from_bits(bits).into() }
}

/// The first `length` bits.
pub fn cut(bits: u128, length: u8) -> u128 {
    if length == 0 { 0 } else { bits >> (128 - length) << (128 - length) }
}

fn last(bits: u128, length: u8) -> u128 {
    bits | u128::MAX.checked_shr(length.into()).unwrap_or(0)
}

/// A family's addresses in runs, each with what holds for all of it.
pub struct Runs<T>(Vec<(u128, T)>);

impl<T: Copy + PartialEq> Runs<T> {
    /// What the longest network around each address says; `rest` where there is none.
    pub fn of(networks: &[(u128, u8, T)], rest: T) -> Self {
        let exact: HashMap<(u128, u8), T> =
            networks.iter().map(|&(bits, length, value)| ((bits, length), value)).collect();
        let lengths: BTreeSet<u8> = networks.iter().map(|&(_, length, _)| length).collect();
        let mut starts = BTreeSet::from([0]);
        for &(bits, length, _) in networks {
            starts.insert(bits);
            starts.extend(last(bits, length).checked_add(1));
        }
        let find = |at: u128| lengths.iter().rev().find_map(|&length| exact.get(&(cut(at, length), length)).copied());
        Self(starts.into_iter().map(|at| (at, find(at).unwrap_or(rest))).collect()).map(|value| value)
    }

    /// Says something else of each run, and joins neighbours of which the same is said.
    pub fn map<U: Copy + PartialEq>(&self, say: impl Fn(T) -> U) -> Runs<U> {
        let mut runs: Vec<(u128, U)> = Vec::new();
        for &(start, value) in &self.0 {
            let value = say(value);
            if runs.last().is_none_or(|(_, before)| *before != value) {
                runs.push((start, value));
            }
        }
        Runs(runs)
    }

    /// What holds for an address, and the length of the shortest prefix around it in which it holds everywhere.
    pub fn at(&self, address: u128) -> (T, u8) {
        let behind = self.0.partition_point(|(start, _)| *start <= address);
        let (first, value) = self.0[behind - 1];
        let end = self.0.get(behind).map_or(u128::MAX, |(next, _)| next - 1);
        let fits = |&length: &u8| cut(address, length) >= first && last(cut(address, length), length) <= end;
        (value, (0..=128).find(fits).unwrap())
    }
}

/// Records and the networks that have them.
pub struct World {
    pub records: Vec<Record>,
    /// Left-aligned bits, prefix length and number of the record.
    pub v4: Vec<(u128, u8, usize)>,
    pub v6: Vec<(u128, u8, usize)>,
}

impl World {
    /// A world in which each of `sites` has its own address in a network of its own, at its own place.
    pub fn new(seed: u64, sites: &[(IpAddr, f64, f64)]) -> Self {
        let mut chance = Chance(seed);
        let round = |degrees: f64| (degrees * 100.0).round() / 100.0;
        let mut records: Vec<Record> = (0..CITIES)
            .map(|number| {
                let (continent, country) = COUNTRIES[chance.below(COUNTRIES.len())];
                let coordinates = AWKWARD.get(number).copied().unwrap_or_else(|| {
                    let north = chance.part().mul_add(2.0, -1.0).asin().to_degrees();
                    (round(north), round(chance.part().mul_add(360.0, -180.0)))
                });
                let whole = Record {
                    continent: Some(continent),
                    country: Some(country),
                    subdivision: Some(SUBDIVISIONS[number % 3]),
                    coordinates: Some(coordinates),
                    asn: Some(64496 + number as u32 % 16),
                };
                match number % 20 {
                    16 => Record { coordinates: whole.coordinates, ..Record::default() },
                    17 => Record { subdivision: None, coordinates: None, ..whole },
                    18 => Record { continent: whole.continent, ..Record::default() },
                    19 => Record { asn: whole.asn, ..Record::default() },
                    _ => whole,
                }
            })
            .collect();
        let (mut v4, mut v6) = (HashMap::new(), HashMap::new());
        for _ in 0..NETWORKS {
            let length = 6 + chance.below(23) as u8;
            v4.insert((cut(chance.address(true), length), length), chance.below(CITIES));
            let length = 8 + chance.below(57) as u8;
            let bits = cut(chance.address(false), length);
            if !is_near_a_carrier(bits, length) {
                v6.insert((bits, length), chance.below(CITIES));
            }
        }
        for &(site, latitude, longitude) in sites {
            v4.insert((aligned(site), 32), records.len());
            records.push(Record { coordinates: Some((latitude, longitude)), ..Record::default() });
        }
        let sorted = |networks: HashMap<(u128, u8), usize>| {
            let mut networks: Vec<_> =
                networks.into_iter().map(|((bits, length), record)| (bits, length, record)).collect();
            networks.sort_unstable();
            networks
        };
        Self { records, v4: sorted(v4), v6: sorted(v6) }
    }

    /// The world as a file in the `MaxMind` DB format.
    pub fn database(&self) -> Vec<u8> {
        let data: Vec<Datum> = self.records.iter().map(Record::datum).collect();
        let entries = |networks: &'_ [(u128, u8, usize)], is_v4: bool| {
            networks
                .iter()
                .map(|&(bits, length, record)| (address(bits, is_v4), length, &data[record]))
                .collect::<Vec<_>>()
        };
        mmdb::write(entries(&self.v4, true).into_iter().chain(entries(&self.v6, false)), 6, 28)
    }
}

/// Prefixes of IPv6 that carry IPv4: those are found by their IPv4 address, whatever a database says of the rest.
pub const CARRIERS: [(u128, u8); 4] = [(0x2002 << 112, 16), (0x2001 << 112, 32), (0x64_FF9B << 96, 96), (0, 8)];

fn is_near_a_carrier(bits: u128, length: u8) -> bool {
    CARRIERS.iter().any(|&(carrier, its)| cut(bits, length.min(its)) == cut(carrier, length.min(its)))
}

/// A client's network as a resolver tells it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Client {
    pub address: IpAddr,
    pub source: u8,
}

/// `count` different networks of clients: mostly /24 and /56, many beside the borders of the world's networks, some
/// longer and shorter than resolvers are wont to tell, some of no use.
pub fn clients(world: &World, count: usize) -> Vec<Client> {
    let mut chance = Chance(0x5eed_c11e);
    let mut clients = BTreeSet::new();
    while clients.len() < count {
        let is_v4 = chance.below(3) > 0;
        let networks = if is_v4 { &world.v4 } else { &world.v6 };
        let (network, length, _) = networks[chance.below(networks.len())];
        let end = last(network, length);
        let mut bits = match chance.below(5) {
            0 => network.wrapping_sub(1 << 64),
            1 => end.wrapping_add(1),
            2 => network | chance.address(is_v4) & (end ^ network),
            _ => chance.address(is_v4),
        };
        let width: u8 = if is_v4 { 32 } else { 128 };
        let source = match (chance.below(20), is_v4) {
            (0, true) => 32,
            (1, true) => 25 + chance.below(7) as u8,
            (2..=4, true) => 8 + chance.below(16) as u8,
            (0, false) => 128,
            (1, false) => 64,
            (2..=4, false) => 20 + chance.below(36) as u8,
            (5..=7, false) => 48,
            (_, true) => 24,
            (_, false) => 56,
        };
        let mut source = source;
        match chance.below(100) {
            // 6to4: the IPv4 network of somebody.
            0 | 1 if !is_v4 => {
                bits = 0x2002 << 112 | chance.address(true) >> 16;
                source = [40, 48, 56][chance.below(3)];
            }
            0 if is_v4 => bits = aligned([[10, 1, 2, 0], [192, 168, 7, 0], [100, 64, 9, 0]][chance.below(3)].into()),
            1 if is_v4 => source = 0,
            _ => {}
        }
        let bits = cut(bits, source.min(width));
        let first = bits >> 120;
        // What lies in no family's space of clients is asked for on purpose only.
        if is_v4 && (first == 0 || first == 127 || first >= 224) && source > 0 {
            continue;
        }
        if !is_v4 && bits >> 125 != 1 {
            continue;
        }
        clients.insert(Client { address: address(bits, is_v4), source });
    }
    let mut clients: Vec<Client> = clients.into_iter().collect();
    for index in (1..clients.len()).rev() {
        clients.swap(index, chance.below(index + 1));
    }
    clients
}
