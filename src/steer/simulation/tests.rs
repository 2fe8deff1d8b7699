//! Simulations against what can be worked out by hand.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::steer::asker::Key;
use crate::steer::policy::StageSpec;
use crate::steer::pool::{Member, Pool};
use crate::steer::selection::Terms;
use crate::steer::stages::tier::Tier;
use crate::steer::testing::{client, crowd, member, pool, pool_of};

fn nowhere(_: IpAddr) -> (Place, Scope) {
    (Place::default(), Scope::ALL)
}

fn steering(pool: Pool, stages: &[StageSpec], terms: Terms) -> Steering {
    Steering::new(Arc::new(pool), stages, terms, None).unwrap()
}

fn side(steering: &Steering) -> Side<'_> {
    Side { steering, whereabouts: &nowhere, compiled: None, name: 1 }
}

fn clients(count: u32) -> Vec<Client> {
    (0..count).map(|n| Client { network: format!("{}/24", client(n)).parse().unwrap(), weight: 1.0 }).collect()
}

fn sticky() -> [StageSpec; 1] {
    [StageSpec::from_word("sticky").unwrap()]
}

fn share(report: &Report, name: &str) -> f64 {
    report.shares.iter().find(|share| &*share.member == name).unwrap().now
}

#[test]
fn weights_are_shares_exactly() {
    let steering =
        steering(pool(&[("big", 3.0), ("small", 1.0), ("spare", 0.0)]), &[StageSpec::Weighted], Terms::default());
    let report = simulate(&side(&steering), None, &clients(10), None);
    assert!((share(&report, "big") - 0.75).abs() < 1e-12 && (share(&report, "small") - 0.25).abs() < 1e-12);
    assert!(share(&report, "spare") < 1e-12);
    assert_eq!((report.draws, report.samples, report.moved), (0, 10, None));
    assert!((report.cache_entries - 1.0).abs() < 1e-12, "one answer for everybody: scope 0");
    assert!(report.is_split);
}

#[test]
fn what_moves_between_two_weightings_is_their_total_variation() {
    let old = steering(pool(&[("a", 1.0), ("b", 1.0)]), &[StageSpec::Weighted], Terms::default());
    let new = steering(pool(&[("a", 3.0), ("b", 1.0), ("c", 1.0)]), &[StageSpec::Weighted], Terms::default());
    let report = simulate(&side(&new), Some(&side(&old)), &clients(7), None);
    assert!((report.moved.unwrap() - 0.3).abs() < 1e-12, "b loses 0.5 − 0.2: {:?}", report.moved);
    let flow = &report.flows[0];
    assert_eq!((&*flow.from, &*flow.to), ("b", "c"));
    assert!((flow.part - 0.2).abs() < 1e-12);
    let same = simulate(&side(&new), Some(&side(&new)), &clients(7), None);
    assert_eq!(same.moved, Some(0.0));
}

#[test]
fn rendezvous_moves_the_lost_members_clients_and_nobody_else() {
    let steering = steering(crowd(10), &sticky(), Terms::default());
    let report = simulate(&side(&steering), None, &clients(20_000), None);
    assert_eq!((report.losses.len(), report.draws), (10, 0));
    for loss in &report.losses {
        assert!(loss.disturbed < 1e-9, "{loss:?}");
        assert!((loss.lost - share(&report, &loss.member)).abs() < 1e-9);
        assert!((loss.lost - 0.1).abs() < 0.01);
        let (_, growth) = loss.peak.clone().unwrap();
        assert!((growth - 10.0 / 9.0).abs() < 0.03, "its clients spread evenly over the others: {growth}");
        assert!((loss.shares.iter().map(|(_, part)| part).sum::<f64>() - 1.0).abs() < 1e-9);
    }
}

#[test]
fn a_member_gone_from_the_configuration_moves_its_own_share() {
    let (old, new) = (steering(crowd(5), &sticky(), Terms::default()), steering(crowd(4), &sticky(), Terms::default()));
    let report = simulate(&side(&new), Some(&side(&old)), &clients(5_000), None);
    let gone = report.shares.iter().find(|share| &*share.member == "m4").unwrap();
    assert!((report.moved.unwrap() - gone.before.unwrap()).abs() < 1e-9 && gone.now < 1e-9);
    assert!(report.flows.iter().all(|flow| &*flow.from == "m4"));
}

#[test]
fn modulo_disturbs_nearly_everybody() {
    let modulo = StageSpec::Sticky {
        key: Key::default(),
        hash: crate::steer::stages::sticky::Hash::Modulo,
        seed: None,
        lazy_return: std::time::Duration::ZERO,
    };
    let steering = steering(crowd(10), &[modulo], Terms::default());
    let report = simulate(&side(&steering), None, &clients(2_000), None);
    assert!(report.losses[0].disturbed > 0.6, "{:?}", report.losses[0]);
}

#[test]
fn a_prefix_in_which_answers_differ_is_looked_into() {
    let steering = steering(crowd(2), &sticky(), Terms::default());
    let clients = [Client { network: "10.0.0.0/16".parse().unwrap(), weight: 5.0 }];
    let report = simulate(&side(&steering), None, &clients, None);
    assert_eq!((report.samples, report.networks), (256, 256.0));
    assert!((report.cache_entries - 256.0).abs() < 1e-9);
    assert!((share(&report, "m0") - 0.5).abs() < 0.15);
}

#[test]
fn several_answers_share_their_client() {
    let terms = Terms { answers: 2, ..Terms::default() };
    let steering = steering(crowd(3), &[StageSpec::Weighted], terms);
    let report = simulate(&side(&steering), None, &clients(500), None);
    assert!(report.draws > 0, "two of a race of three are drawn");
    assert!(report.shares.iter().all(|share| (share.now - 1.0 / 3.0).abs() < 0.01), "{:?}", report.shares);
    assert_eq!(simulate(&side(&steering), Some(&side(&steering)), &clients(500), None).moved, Some(0.0));
}

#[test]
fn the_standby_bears_all_when_the_primary_is_lost_and_its_capacity_is_told() {
    let tiered = |name: &str, tier, capacity| Member { tier, capacity: Some(capacity), ..member(name, 1.0) };
    let pool = pool_of(vec![tiered("primary", 1, 100.0), tiered("standby", 2, 40.0)]);
    let steering = steering(pool, &[StageSpec::Tier(Tier::default())], Terms::default());
    let report = simulate(&side(&steering), None, &clients(3), Some(60.0));
    assert_eq!((report.bears, report.overloaded.len()), (Some(100.0), 0));
    assert_eq!(simulate(&side(&steering), None, &clients(3), Some(101.0)).overloaded, ["primary".into()]);
    let [loss] = report.losses.as_slice() else { panic!("the standby answers nobody: {:?}", report.losses) };
    assert_eq!((loss.bears, &*loss.overloaded), (Some(40.0), &["standby".into()][..]));
    assert!(loss.peak.clone().unwrap().1.is_infinite());
    assert!(!report.is_split);
}

#[test]
fn nobody_answers_where_the_terms_say_so() {
    let terms = Terms { when_all_down: crate::steer::WhenAllDown::NoData, ..Terms::default() };
    let steering = steering(crowd(1), &[], terms);
    let report = simulate(&side(&steering), None, &clients(3), None);
    assert!((report.losses[0].unanswered - 1.0).abs() < 1e-12);
    assert_eq!(report.losses[0].peak, None);
}

#[test]
fn distances_are_from_the_client_to_its_member() {
    let at = |name: &str, latitude, longitude| Member { place: Place::at(latitude, longitude), ..member(name, 1.0) };
    let pool = pool_of(vec![at("north", 60.0, 0.0), at("south", 0.0, 0.0)]);
    let steering = steering(pool, &[StageSpec::from_word("nearest").unwrap()], Terms::default());
    let whereabouts = |_: IpAddr| (Place::at(50.0, 0.0), Scope(8));
    let side = Side { steering: &steering, whereabouts: &whereabouts, compiled: None, name: 1 };
    let report = simulate(&side, None, &clients(4), None);
    let distance = report.distance.unwrap();
    assert!((distance.mean - 1111.95).abs() < 1.0 && (distance.p95 - distance.median).abs() < 1e-9);
    assert!((distance.known - 1.0).abs() < 1e-9 && (share(&report, "north") - 1.0).abs() < 1e-9);
}

#[test]
fn the_atlas_is_cut_into_client_networks_that_weigh_their_addresses() {
    let place = Place { country: Some("DE".parse().unwrap()), ..Place::default() };
    let spans = |networks: &[&str]| {
        let parsed = networks.iter().map(|text| text.parse::<crate::base::Network>().unwrap());
        crate::steer::spans::Spans::of_networks(parsed.map(|network| match network.address() {
            IpAddr::V4(v4) => (v4.to_bits(), network.prefix_length(), 0),
            IpAddr::V6(_) => unreachable!(),
        }))
    };
    let source = crate::steer::Source {
        places: vec![place],
        v4: spans(&["10.0.0.0/8", "192.0.2.0/25", "192.0.2.192/26", "198.51.100.7/32"]),
        v6: crate::steer::spans::Spans::unknown(),
    };
    let clients: Vec<(String, f64)> = clients_of(&crate::steer::Atlas::of([source]))
        .into_iter()
        .map(|client| (client.network.to_string(), client.weight))
        .collect();
    let expected = [("10.0.0.0/8", 16_777_216.0), ("192.0.2.0/24", 192.0), ("198.51.100.0/24", 1.0)];
    assert_eq!(clients, expected.map(|(network, weight)| (network.to_owned(), weight)));
}

proptest! {
    #[test]
    fn shares_sum_to_one_and_moves_are_no_more_than_all(
        weights in prop::collection::vec(0_u32..10, 1..6),
        others in prop::collection::vec(0_u32..10, 1..6),
        word in prop::sample::select(vec!["weighted", "sticky", "shuffle", "round_robin", "cheapest", "nearest"]),
    ) {
        let pool = |weights: &[u32]| {
            let members = weights.iter().enumerate();
            pool_of(members.map(|(at, weight)| member(&format!("m{at}"), f64::from(*weight))).collect())
        };
        let spec = [StageSpec::from_word(word).unwrap()];
        let new = steering(pool(&weights), &spec, Terms::default());
        let old = steering(pool(&others), &spec, Terms::default());
        let report = simulate(&side(&new), Some(&side(&old)), &clients(50), None);
        let sum: f64 = report.shares.iter().map(|share| share.now).sum();
        let before: f64 = report.shares.iter().filter_map(|share| share.before).sum();
        let moved = report.moved.unwrap();
        prop_assert!((sum - 1.0).abs() < 1e-9 && (before - 1.0).abs() < 1e-9);
        prop_assert!((0.0..=1.0 + 1e-9).contains(&moved));
        let flows: f64 = report.flows.iter().map(|flow| flow.part).sum();
        prop_assert!((flows - moved).abs() < 1e-9);
        // What moves is at least what the shares differ by.
        let least: f64 = report.shares.iter().map(|s| (s.now - s.before.unwrap()).max(0.0)).sum();
        prop_assert!(least <= moved + 1e-9);
    }
}
