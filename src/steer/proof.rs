//! Tries whether the scopes of a steered name's answers are right (RFC 7871 §7.2.1; R2.3, R2.4).
//!
//! Addresses come in; each gets an answer with a scope, that is a prefix. Inside it, everybody must get the same
//! decision: the same members in the same order for the same draw, with the same odds. No two prefixes may overlap.
//! What leaves is a counterexample, or the number of prefixes in which none was found.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::asker::{Asker, Scope};
use super::atlas::Atlas;
use super::feeds::Feeds;
use super::health::Board;
use super::odds::Odds;
use super::selection::Outcome;
use super::simulation::Side;
use super::spans::Bits;
use super::subject::ScopeCap;
use super::whereabouts::Whereabouts;
use crate::base::{Dice, Instant, Network, bounds};

/// Why scopes are wrong.
#[derive(Clone, PartialEq, Debug)]
pub enum Counterexample {
    /// Two addresses of one prefix get different decisions.
    Differ {
        /// The prefix that an answer named.
        prefix: Network,
        /// The address that the answer was for.
        one: IpAddr,
        /// Its members, best first.
        its: Vec<u16>,
        /// Another address inside.
        other: IpAddr,
        /// Its members.
        others: Vec<u16>,
    },
    /// Two prefixes that answers named overlap.
    Overlap(Network, Network),
}

/// What was tried.
#[derive(Clone, PartialEq, Debug)]
pub struct Proof {
    /// Different prefixes that answers named.
    pub prefixes: usize,
    /// Addresses tried inside them.
    pub tried: usize,
    /// Prefixes whose other half has a prefix of the same length and the same decision, so that one answer would do
    /// for both. Not wrong, but it costs resolvers' caches an entry. Names that pin clients by their network are not
    /// counted: equal decisions are chance there.
    pub splittable: usize,
    /// What is wrong, the first found.
    pub counterexample: Option<Counterexample>,
}

/// A decision: what it came to, in which order, how likely.
#[derive(Clone, PartialEq, Debug)]
struct Decision {
    outcome: Outcome,
    is_fallback: bool,
    order: Vec<u16>,
    odds: Option<Box<Odds>>,
}

/// Tries the scopes of `side` at addresses from `atlas`'s edges and from anywhere.
#[must_use]
pub fn prove(side: &Side<'_>, atlas: &Atlas, dice: &mut Dice) -> Proof {
    let addresses = addresses(atlas, dice);
    let mut named: Vec<Network> = Vec::new();
    let mut proof = Proof { prefixes: 0, tried: 0, splittable: 0, counterexample: None };
    let pins = side.steering.stages().any(|stage| ["sticky", "cohort"].contains(&stage));
    for one in addresses {
        let (decision, scope) = decide(side, one);
        let prefix = Network::new(one, scope);
        named.push(prefix);
        for _ in 0..bounds::PROVED_INSIDE {
            let other = cut(somewhere_in(prefix, dice));
            let (others, _) = decide(side, other);
            proof.tried += 1;
            if others != decision {
                let (its, others) = (decision.order, others.order);
                let counterexample = Counterexample::Differ { prefix, one, its, other, others };
                return Proof { prefixes: named.len(), counterexample: Some(counterexample), ..proof };
            }
        }
        if let Some(sibling) = sibling(prefix).filter(|_| !pins) {
            let (others, its_scope) = decide(side, sibling.address());
            proof.splittable += usize::from(its_scope == scope && others == decision);
        }
    }
    let key = |network: &Network| (network.address(), network.prefix_length());
    named.sort_unstable_by_key(key);
    named.dedup();
    proof.prefixes = named.len();
    // In this order, a prefix that lies in another comes right behind it or behind one that lies there too.
    let mut pairs = named.iter().zip(named.iter().skip(1));
    let overlap = pairs.find(|(one, other)| one.contains(other.address()));
    proof.counterexample = overlap.map(|(one, other)| Counterexample::Overlap(*one, *other));
    proof
}

/// The decision for `address` and its scope.
fn decide(side: &Side<'_>, address: IpAddr) -> (Decision, u8) {
    let seek = || (side.whereabouts)(address);
    let asker = Asker {
        subject: address,
        source: cap_of(address),
        resolver: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        whereabouts: &Whereabouts::sought(&seek),
        found: side.compiled.map(|compiled| compiled.find(address)),
        name: side.name,
        now: Instant::from_seconds(1_000_000),
        wall: 1_800_000_000,
        is_rehearsal: true,
        agreed: Some(1),
    };
    let (board, feeds) = (Board::default(), Feeds::default());
    let selection = side.steering.select(&asker, &board, &feeds, &mut Dice::from_number(1), false);
    let (outcome, is_fallback) = (selection.outcome, selection.is_fallback);
    (Decision { outcome, is_fallback, order: selection.order.to_vec(), odds: selection.odds }, selection.scope.0)
}

/// Half of the addresses are at the edges of what the atlas knows, half are anywhere; half of each in IPv6.
fn addresses(atlas: &Atlas, dice: &mut Dice) -> Vec<IpAddr> {
    let quarter = bounds::PROVED_PREFIXES / 4;
    let v4_edges: Vec<u32> = edges(atlas.v4().runs().map(|(start, _)| start), atlas.v4().len(), quarter, dice);
    let v6_edges: Vec<u128> = edges(atlas.v6().runs().map(|(start, _)| start), atlas.v6().len(), quarter, dice);
    let anywhere = (0..quarter).flat_map(|_| {
        let unicast_v6 = (u128::from(dice.bits()) << 64 | u128::from(dice.bits())) >> 3 | 1 << 125;
        [IpAddr::from(Ipv4Addr::from_bits(dice.bits() as u32)), Ipv6Addr::from_bits(unicast_v6).into()]
    });
    let anywhere: Vec<IpAddr> = anywhere.collect();
    let v4 = v4_edges.into_iter().map(|bits| IpAddr::from(Ipv4Addr::from_bits(bits)));
    let v6 = v6_edges.into_iter().map(|bits| IpAddr::from(Ipv6Addr::from_bits(bits)));
    v4.chain(v6).chain(anywhere).map(cut).collect()
}

/// First addresses of runs and the last ones before them, about `count` of `total`.
fn edges<A: Bits>(starts: impl Iterator<Item = A>, total: usize, count: usize, dice: &mut Dice) -> Vec<A> {
    let taken = |dice: &mut Dice| dice.below(total as u64) < (count as u64).div_ceil(2);
    starts
        .filter(|_| taken(dice))
        .flat_map(|start| [start, A::narrow(start.wide().saturating_sub(1))])
        .take(count)
        .collect()
}

fn cap_of(address: IpAddr) -> u8 {
    let cap = ScopeCap::default();
    if address.is_ipv4() { cap.v4 } else { cap.v6 }
}

/// The address as far as a decision may go by it (R2.5).
fn cut(address: IpAddr) -> IpAddr {
    Network::new(address, cap_of(address)).address()
}

fn somewhere_in(prefix: Network, dice: &mut Dice) -> IpAddr {
    let noise = u128::from(dice.bits()) << 64 | u128::from(dice.bits());
    let length = u32::from(prefix.prefix_length());
    match prefix.address() {
        IpAddr::V4(v4) => {
            Ipv4Addr::from_bits(v4.to_bits() | noise as u32 & u32::MAX.checked_shr(length).unwrap_or(0)).into()
        }
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() | noise & u128::MAX.checked_shr(length).unwrap_or(0)).into(),
    }
}

/// The other half of the prefix one bit shorter.
fn sibling(prefix: Network) -> Option<Network> {
    let length = prefix.prefix_length();
    let bit = u32::from(length.checked_sub(1)?);
    let address = match prefix.address() {
        IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() ^ 1 << 31 >> bit).into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() ^ 1 << 127 >> bit).into(),
    };
    Some(Network::new(address, length))
}

/// The place of an address by `atlas`, as a policy sees it that looks at places.
#[must_use]
pub fn place_of(atlas: &Atlas, address: IpAddr) -> (super::place::Place, Scope) {
    let (place, length) = super::place::Locator::locate(atlas, address).unwrap_or_default();
    (place, Scope(length))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::steer::place::Place;
    use crate::steer::policy::StageSpec;
    use crate::steer::pool::Member;
    use crate::steer::selection::{Steering, Terms};
    use crate::steer::spans::Spans;
    use crate::steer::testing::{member, pool_of};

    /// A patchwork of places, nested and with holes.
    fn atlas() -> Atlas {
        let mut dice = Dice::from_number(9);
        let places = (0..20).map(|n| Place::at(f64::from(n) * 8.0 - 80.0, f64::from(n) * 17.0 - 170.0)).collect();
        let v4 = Spans::of_networks((0..400).map(|_| {
            let (bits, length) = (dice.bits() as u32, 4 + dice.below(21) as u8);
            (bits.cut(length), length, dice.below(20) as u32)
        }));
        let v6 = Spans::of_networks((0..400).map(|_| {
            let (bits, length) = ((u128::from(dice.bits()) << 64) >> 3 | 1 << 125, 8 + dice.below(49) as u8);
            (bits.cut(length), length, dice.below(20) as u32)
        }));
        Atlas::of([crate::steer::Source { places, v4, v6 }])
    }

    fn steering(stages: &[StageSpec]) -> Steering {
        let at =
            |name: &str, latitude, longitude| Member { place: Place::at(latitude, longitude), ..member(name, 1.0) };
        let pool = pool_of(vec![at("a", 50.0, 8.0), at("b", -30.0, 140.0), at("c", 40.0, -100.0)]);
        Steering::new(Arc::new(pool), stages, Terms::default(), None).unwrap()
    }

    fn word(word: &str) -> StageSpec {
        StageSpec::from_word(word).unwrap()
    }

    fn proof(stages: &[StageSpec], whereabouts: &dyn Fn(IpAddr) -> (Place, Scope)) -> Proof {
        let steering = steering(stages);
        prove(&Side { steering: &steering, whereabouts, compiled: None, name: 7 }, &atlas(), &mut Dice::from_number(4))
    }

    #[test]
    fn scopes_of_the_atlas_hold_for_every_kind_of_policy() {
        let atlas = atlas();
        let whereabouts = |address| place_of(&atlas, address);
        for stages in [vec![word("nearest"), word("weighted")], vec![word("sticky")], vec![word("weighted")]] {
            let proof = proof(&stages, &whereabouts);
            assert_eq!(proof.counterexample, None, "{stages:?}");
            assert!(proof.tried > 100_000 && proof.prefixes > 0);
        }
    }

    #[test]
    fn a_policy_that_looks_at_nobody_has_one_prefix_for_each_family() {
        assert_eq!(proof(&[word("weighted")], &|_| (Place::default(), Scope::ALL)).prefixes, 2);
    }

    #[test]
    fn a_scope_that_is_one_bit_too_short_is_found() {
        let atlas = atlas();
        let broken = |address| {
            let (place, scope) = place_of(&atlas, address);
            (place, Scope(scope.0.saturating_sub(1)))
        };
        let found = proof(&[word("nearest")], &broken).counterexample;
        assert!(matches!(found, Some(Counterexample::Differ { .. })), "{found:?}");
    }

    #[test]
    fn prefixes_that_overlap_are_found_even_if_all_decide_alike() {
        let mixed = |address: IpAddr| {
            let is_odd = matches!(address, IpAddr::V4(v4) if v4.to_bits() & 0x100 != 0);
            (Place::at(50.0, 8.0), Scope(if is_odd { 24 } else { 8 }))
        };
        let found = proof(&[word("nearest")], &mixed).counterexample;
        assert!(matches!(found, Some(Counterexample::Overlap(..))), "{found:?}");
    }

    #[test]
    fn scopes_that_are_longer_than_need_be_are_counted() {
        let longer = |_| (Place::at(50.0, 8.0), Scope(20));
        let proof = proof(&[word("nearest")], &longer);
        assert_eq!(proof.counterexample, None);
        assert_eq!(proof.splittable, proof.tried / bounds::PROVED_INSIDE, "{proof:?}");
    }
}
