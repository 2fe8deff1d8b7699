//! Short ways for the tests of this room.

use std::net::Ipv4Addr;

use super::asker::{Asker, Scope};
use super::candidates::{Candidates, width};
use super::health::Standing;
use super::place::Place;
use super::pool::{Member, Pool, PoolId, Weight};
use super::stages::Stage;
use super::whereabouts::Whereabouts;
use crate::base::{Dice, Instant};

pub(super) fn asker(address: &str) -> Asker<'static> {
    asker_at(address, &Place::default())
}

pub(super) fn asker_at(address: &str, place: &Place) -> Asker<'static> {
    let subject = address.parse().unwrap();
    let scope = Scope(if place.is_unknown() { 0 } else { 16 });
    Asker {
        subject,
        source: width(subject),
        resolver: subject,
        whereabouts: Box::leak(Box::new(Whereabouts::known(place.clone(), scope))),
        found: None,
        name: 1,
        now: Instant::from_seconds(1_000),
        wall: 1_700_000_000,
        is_rehearsal: false,
        agreed: None,
    }
}

pub(super) fn member(name: &str, weight: f64) -> Member {
    let mut member = Member::new(name);
    member.weight = Weight::new(weight).unwrap();
    member.a =
        vec![Ipv4Addr::new(192, 0, 2, name.bytes().fold(0, |sum: u8, octet| sum.wrapping_mul(31).wrapping_add(octet)))];
    member
}

pub(super) fn pool_of(members: Vec<Member>) -> Pool {
    Pool::new(PoolId(0), "test", members).unwrap()
}

/// A pool of members named as given, with these weights.
pub(super) fn pool(members: &[(&str, f64)]) -> Pool {
    pool_of(members.iter().map(|(name, weight)| member(name, *weight)).collect())
}

/// `count` members of weight 1.
pub(super) fn crowd(count: usize) -> Pool {
    pool_of((0..count).map(|at| member(&format!("m{at}"), 1.0)).collect())
}

/// The members' order after one stage, all healthy.
pub(super) fn order(stage: &dyn Stage, pool: &Pool, asker: &Asker<'_>, dice: &mut Dice) -> Vec<u16> {
    order_without(stage, pool, &[], asker, dice)
}

/// The members' order after one stage, some taken away before it.
pub(super) fn order_without(
    stage: &dyn Stage,
    pool: &Pool,
    lost: &[u16],
    asker: &Asker<'_>,
    dice: &mut Dice,
) -> Vec<u16> {
    let mut set = Candidates::new(pool, &[], None, asker);
    set.retain(|candidate| !lost.contains(&candidate.member));
    stage.apply(asker, &mut set, dice);
    set.list().iter().map(|candidate| candidate.member).collect()
}

pub(super) fn down() -> Standing {
    Standing { state: super::health::State::Down, ..Standing::default() }
}

/// An address of a client network of its own.
pub(super) fn client(number: u32) -> String {
    Ipv4Addr::from_bits(0x0100_0000 + (number << 8)).to_string()
}

/// Pearson's statistic over its degrees of freedom: about 1 for a fair draw.
pub(super) fn chi_square(seen: &[u64], shares: &[f64]) -> f64 {
    let total: u64 = seen.iter().sum();
    let sum: f64 = shares.iter().sum();
    seen.iter()
        .zip(shares)
        .map(|(&seen, share)| {
            let expected = total as f64 * share / sum;
            (seen as f64 - expected).powi(2) / expected
        })
        .sum()
}
