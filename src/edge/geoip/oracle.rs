//! Compiled policies against brute force: another formula for distances, another way to find a place.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::base::{Dice, Network};
use crate::steer::location::{LocationPolicy, Nearest, Preference, Ranked, Rules, Site, Within};
use crate::steer::place::EARTH_RADIUS_KM;
use crate::steer::{Atlas, Compiled, Locator, Place, Point, ScopeCap, Subject};

use super::layout::Fields;
use super::read::read;
use super::testing::{World, random_address, write};

const METRE: f64 = 0.001;

fn atlas(world: &World) -> Atlas {
    Atlas::of([read(&write(&world.nested(None), 6, 28), &Fields::default()).unwrap()])
}

/// Where sites stand, degrees.
fn spots(count: usize, dice: &mut Dice) -> Vec<(f64, f64)> {
    let awkward = [
        (50.03, 8.57),
        (50.03, 8.57),
        (90.0, 0.0),
        (-90.0, 0.0),
        (0.0, 180.0),
        (0.0, -179.9),
        (0.0, 0.0),
        (38.94, -77.46),
    ];
    let part = |dice: &mut Dice| dice.below(1_000_001) as f64 / 1_000_000.0;
    (0..count)
        .map(|number| {
            awkward.get(number).copied().unwrap_or_else(|| {
                (part(dice).mul_add(2.0, -1.0).asin().to_degrees(), part(dice).mul_add(360.0, -180.0))
            })
        })
        .collect()
}

fn policy(spots: &[(f64, f64)], within: Within) -> LocationPolicy {
    let site = |&(north, east): &(f64, f64)| Site { point: Some(Point::new(north, east)), bias: 0.0 };
    LocationPolicy {
        sites: spots.iter().map(site).collect(),
        rules: Rules::default(),
        nearest: Some(Nearest { within, fallback: Vec::new() }),
        depth: 3,
    }
}

fn haversine(one: (f64, f64), two: (f64, f64)) -> f64 {
    let (north, east) = ((two.0 - one.0).to_radians(), (two.1 - one.1).to_radians());
    let half =
        (north / 2.0).sin().powi(2) + one.0.to_radians().cos() * two.0.to_radians().cos() * (east / 2.0).sin().powi(2);
    2.0 * EARTH_RADIUS_KM * half.sqrt().min(1.0).asin()
}

/// Where a place counts as being: its own coordinates, else the centre of its country, else of its continent.
fn stands(place: &Place) -> Option<(f64, f64)> {
    let centre = || {
        let country = place.country?.to_string();
        include_str!("../../../geoip/countries.txt").lines().find_map(|line| {
            let row: Vec<&str> = line.split(' ').collect();
            (row[0] == country).then(|| (row[2].parse().unwrap(), row[3].parse().unwrap()))
        })
    };
    let continent = || match place.continent?.as_str() {
        "AF" => Some((5.26, 16.51)),
        "AS" => Some((29.40, 97.86)),
        "EU" => Some((51.10, 16.36)),
        "NA" => Some((33.32, -92.59)),
        "OC" => Some((-33.59, 149.49)),
        "SA" => Some((-14.50, -56.47)),
        _ => None,
    };
    place.latitude.zip(place.longitude).or_else(centre).or_else(continent)
}

#[test]
fn the_nearest_sites_are_those_that_brute_force_finds() {
    let world = World::new(11);
    let atlas = atlas(&world);
    let mut dice = Dice::from_number(12);
    for count in [1, 2, 3, 12, 24, 200] {
        let spots = spots(count, &mut dice);
        let compiled = Compiled::new(&atlas, &policy(&spots, Within::Equal)).unwrap();
        for number in 0..17_000 {
            let address = random_address(&mut dice, number % 3 == 0);
            let ranking = compiled.find(address).ranking;
            assert_eq!(ranking.len(), count);
            let Some(client) = stands(&world.place(address)) else {
                // Nobody knows where: all are alike.
                assert!(ranking.iter().all(|ranked| usize::from(ranked.reach) == count));
                continue;
            };
            let distance = |ranked: &Ranked| haversine(client, spots[usize::from(ranked.member)]);
            let mut sorted: Vec<f64> = spots.iter().map(|&spot| haversine(client, spot)).collect();
            sorted.sort_by(f64::total_cmp);
            for (ranked, least) in ranking.iter().zip(sorted).take(3) {
                assert!(distance(ranked) - least < METRE, "{address} from {client:?} with {count} sites");
            }
            // The first shares with those at the same distance, and with nobody else.
            let reach = usize::from(ranking[0].reach);
            for (at, ranked) in ranking.iter().enumerate() {
                let farther = distance(ranked) - distance(&ranking[0]);
                assert!(if at < reach { farther < METRE } else { farther > -METRE }, "{address}, {at} of {reach}");
            }
        }
    }
}

#[test]
fn a_band_and_a_bias_are_those_that_brute_force_finds() {
    let world = World::new(13);
    let atlas = atlas(&world);
    let mut dice = Dice::from_number(14);
    let spots = spots(24, &mut dice);
    for within in [Within::Share(0.1), Within::Kilometres(150.0)] {
        let mut policy = policy(&spots, within);
        for site in &mut policy.sites {
            site.bias = dice.below(199) as f64 - 99.0;
        }
        let compiled = Compiled::new(&atlas, &policy).unwrap();
        for number in 0..10_000 {
            let address = random_address(&mut dice, number % 3 == 0);
            let Some(client) = stands(&world.place(address)) else { continue };
            let distance = |member: usize| {
                let (km, bias) = (haversine(client, spots[member]), policy.sites[member].bias / 100.0);
                if bias > 0.0 { km * (1.0 - bias) } else { km / (1.0 + bias) }
            };
            let bound = |least: f64| match within {
                Within::Share(share) => least * (1.0 + share),
                Within::Kilometres(km) => least + km,
                Within::Equal => least,
            };
            let ranking = compiled.find(address).ranking;
            // Whichever of the first three is the first one left, it shares with whom it should.
            for (at, first) in ranking.iter().enumerate().take(3) {
                let bound = bound(distance(usize::from(first.member)));
                for (behind, other) in ranking.iter().enumerate().skip(at) {
                    let beyond = distance(usize::from(other.member)) - bound;
                    let slack = 100.0 * METRE; // a metre, as a bias of -99 stretches it
                    assert!(if behind < usize::from(first.reach) { beyond < slack } else { beyond > -slack });
                }
            }
        }
    }
}

fn ruled(spots: &[(f64, f64)]) -> LocationPolicy {
    let ordered = |members: &[u16]| Preference { prefer: members.to_vec(), ..Preference::default() };
    let adjusted = |exclude: &[u16], bias: &[(u16, f64)]| Preference {
        prefer: Vec::new(),
        exclude: exclude.to_vec(),
        bias: bias.to_vec(),
    };
    let mut policy = policy(spots, Within::Share(0.1));
    let network = |text: &str| text.parse::<Network>().unwrap();
    policy.rules = Rules {
        cidr: vec![
            (network("10.0.0.0/8"), ordered(&[2])),
            (network("10.1.0.0/16"), adjusted(&[0, 1], &[])),
            (network("203.0.113.64/26"), ordered(&[1, 0])),
            (network("2a00::/12"), adjusted(&[3], &[(1, 50.0)])),
            (network("2a00:1:2:3::/64"), ordered(&[4, 5])),
        ],
        asn: vec![(64500, ordered(&[5])), (64501, adjusted(&[], &[(2, -40.0)])), (64500, ordered(&[6]))],
        place: vec![
            ("EU".parse().unwrap(), ordered(&[0, 1])),
            ("EU-FR".parse().unwrap(), adjusted(&[0], &[])),
            ("NA-US-HI".parse().unwrap(), ordered(&[4])),
            ("AS-SG--City 7".parse().unwrap(), ordered(&[6, 2])),
        ],
        default: None,
    };
    policy
}

/// Every address at which the place or a network's rule may change.
fn edges(world: &World, policy: &LocationPolicy) -> Vec<(bool, u128)> {
    let networks =
        world.networks.iter().map(|(network, _)| network).chain(policy.rules.cidr.iter().map(|(network, _)| network));
    let mut edges: Vec<(bool, u128)> = networks
        .flat_map(|network| {
            let (is_v6, start, width) = number(network.address());
            let host = u128::MAX.checked_shr(128 - u32::from(width - network.prefix_length())).unwrap_or(0);
            [(is_v6, start), (is_v6, (start | host).wrapping_add(1))]
        })
        .collect();
    edges.sort_unstable();
    edges.dedup();
    edges
}

fn number(address: IpAddr) -> (bool, u128, u8) {
    match address {
        IpAddr::V4(v4) => (false, u128::from(v4.to_bits()), 32),
        IpAddr::V6(v6) => (true, v6.to_bits(), 128),
    }
}

fn address(is_v6: bool, bits: u128) -> IpAddr {
    if is_v6 { std::net::Ipv6Addr::from_bits(bits).into() } else { std::net::Ipv4Addr::from_bits(bits as u32).into() }
}

#[test]
fn every_scope_is_true_and_the_shortest_there_is() {
    let world = World::new(15);
    let atlas = atlas(&world);
    let mut dice = Dice::from_number(16);
    let policy = ruled(&spots(12, &mut dice));
    let compiled = Compiled::new(&atlas, &policy).unwrap();
    let expected = |address: IpAddr| policy.decide(address, &world.place(address)).0;
    let edges = edges(&world, &policy);
    let named = [
        "203.0.113.65",
        "203.0.113.1",
        "10.1.2.3",
        "10.2.2.3",
        "2a00:1:2:3::1",
        "2a00:1:2:4::1",
        "0.0.0.0",
        "::",
        "255.255.255.255",
    ];
    let random: Vec<IpAddr> = (0..250).map(|number| random_address(&mut dice, number % 2 == 0)).collect();
    for client in named.iter().map(|text| text.parse().unwrap()).chain(random) {
        let found = compiled.find(client);
        assert_eq!(found.ranking, expected(client), "{client}");
        let (is_v6, bits, width) = number(client);
        let host = u128::MAX.checked_shr(128 - u32::from(width - found.length)).unwrap_or(0);
        for _ in 0..1_000 {
            let random = (u128::from(dice.bits()) << 64 | u128::from(dice.bits())) & host;
            let other = address(is_v6, bits & !host | random);
            assert_eq!(compiled.find(other), found, "{other} beside {client}");
        }
        // Not only at random: nowhere inside does the decision change.
        let inside = |first: u128, last: u128| {
            let changes = edges.iter().filter(move |(of_v6, at)| *of_v6 == is_v6 && *at > first && *at <= last);
            changes.map(|(_, at)| *at).chain([first]).map(|at| expected(address(is_v6, at)))
        };
        let first = bits & !host;
        assert!(inside(first, first | host).all(|ranking| ranking == found.ranking), "{client}/{}", found.length);
        if found.length > 0 {
            let sibling = first ^ (host + 1);
            assert!(
                inside(sibling, sibling | host).any(|ranking| ranking != found.ranking),
                "{client}/{}",
                found.length
            );
        }
    }
}

#[test]
fn an_answer_to_a_client_subnet_holds_for_all_of_its_scope() {
    let world = World::new(17);
    let mut dice = Dice::from_number(18);
    let compiled = Compiled::new(&atlas(&world), &ruled(&spots(12, &mut dice))).unwrap();
    let option = |address: IpAddr, source: u8| {
        let network = Network::new(address, source);
        let mut data = vec![0, if address.is_ipv4() { 1 } else { 2 }, source, 0];
        let octets = match network.address() {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        };
        data.extend(&octets[..usize::from(source.div_ceil(8))]);
        crate::dns::ClientSubnet::parse(&data).unwrap()
    };
    for round in 0..5_000 {
        let is_v6 = round % 2 == 0;
        let (client, cap) = (random_address(&mut dice, is_v6), if is_v6 { 56 } else { 24 });
        let source = 1 + dice.below(if is_v6 { 128 } else { 32 }) as u8;
        let Some(subject) = Subject::of_subnet(&option(client, source), ScopeCap::default()) else { continue };
        let (ranking, scope) = compiled.select(&subject);
        assert!(scope <= source.min(cap));
        // Another client within the scope, however long its own prefix, is answered alike.
        let (_, bits, width) = number(Network::new(client, source.min(scope)).address());
        let host = u128::MAX.checked_shr(128 - u32::from(width - scope)).unwrap_or(0);
        let other = address(is_v6, bits | (u128::from(dice.bits()) << 64 | u128::from(dice.bits())) & host);
        if scope < source.min(cap) {
            let subject = Subject::of_subnet(&option(other, if is_v6 { 56 } else { 24 }), ScopeCap::default()).unwrap();
            assert_eq!(compiled.select(&subject), (ranking, scope), "{client}/{source} and {other}");
        }
    }
}

#[test]
fn answers_come_from_one_build_while_databases_are_swapped() {
    let world = World::new(19);
    let atlas = atlas(&world);
    // Two builds in which every answer differs: the members of the one are even, those of the other odd.
    let build = |member: u16| {
        let mut policy = policy(&[(0.0, 0.0); 4], Within::Equal);
        let others: Vec<u16> = (0..4).filter(|other| other % 2 != member % 2).collect();
        policy.rules.cidr = ["0.0.0.0/0", "::/0"]
            .map(|all| (all.parse().unwrap(), Preference { exclude: others.clone(), ..Preference::default() }))
            .to_vec();
        Arc::new(Compiled::new(&atlas, &policy).unwrap())
    };
    let builds = [build(0), build(1)];
    let current = ArcSwap::from(Arc::clone(&builds[0]));
    std::thread::scope(|threads| {
        let asker = threads.spawn(|| {
            let mut dice = Dice::from_number(20);
            for _ in 0..2_000 {
                let compiled = current.load();
                let members: Vec<u16> = (0..20)
                    .flat_map(|number| compiled.find(random_address(&mut dice, number % 2 == 0)).ranking.to_vec())
                    .map(|ranked| ranked.member % 2)
                    .collect();
                assert!(members.iter().all(|member| *member == members[0]));
            }
        });
        let mut swaps = 0;
        while !asker.is_finished() {
            swaps += 1;
            current.store(Arc::clone(&builds[swaps % 2]));
        }
    });
}

#[test]
fn a_place_found_by_the_locator_decides_as_the_compiled_policy_does() {
    let world = World::new(21);
    let atlas = atlas(&world);
    let mut dice = Dice::from_number(22);
    let policy = ruled(&spots(12, &mut dice));
    let compiled = Compiled::new(&atlas, &policy).unwrap();
    for number in 0..20_000 {
        let client = random_address(&mut dice, number % 2 == 0);
        let place = atlas.locate(client).unwrap().0;
        assert_eq!(compiled.find(client).ranking, policy.decide(client, &place).0, "{client}");
    }
}
