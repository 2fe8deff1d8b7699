//! Places and the location part of a policy, folded into one tree: prefix → ranking.
//!
//! An [`Atlas`] and a [`LocationPolicy`] come in; what leaves answers for any address which members it is to have, in
//! which order, and how long the shortest prefix is within which every address has the same. That length is the
//! scope of the answer (RFC 7871 §7.2.1): prefixes never overlap, holes of the database are prefixes too.
//!
//! Health is no part of it, so a changed health compiles nothing. Finding allocates nothing.

use std::fmt;
use std::net::IpAddr;

use crate::base::Network;
use crate::base::collections::{Keyed, Map};

use super::atlas::Atlas;
use super::location::{LocationPolicy, Preference, Ranked};
use super::place::Place;
use super::prefix_tree::{NUMBERS_MAX, PrefixTree};
use super::spans::{Bits, Spans, UNKNOWN, sweep};
use super::subject::Subject;

/// A policy's location part for every address.
#[derive(Debug)]
pub struct Compiled {
    v4: PrefixTree<u32>,
    v6: PrefixTree<u128>,
    rankings: Rankings,
}

/// What a compiled policy says of an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Found<'a> {
    /// The members in the order in which they are to be tried.
    pub ranking: &'a [Ranked],
    /// The length of the shortest prefix around the address in which every address has this ranking.
    pub length: u8,
}

/// Why a policy cannot be compiled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CompileFault {
    /// The pool has more than 65,535 members.
    Members,
    /// The policy and the places make more than 2²⁴ different rankings.
    Rankings,
}

impl fmt::Display for CompileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Members => "a pool steered by place has more than 65535 members",
            Self::Rankings => "the policy ranks its members in more than 16777216 ways",
        })
    }
}

impl std::error::Error for CompileFault {}

impl Compiled {
    /// Folds `policy` over `atlas`.
    ///
    /// # Errors
    /// [`CompileFault`].
    pub fn new(atlas: &Atlas, policy: &LocationPolicy) -> Result<Self, CompileFault> {
        if policy.sites.len() >= usize::from(u16::MAX) {
            return Err(CompileFault::Members);
        }
        let mut folding = Folding::new(atlas.places(), policy);
        let v4 = folding.fold(atlas.v4(), atlas.asn_v4(), |network| match network.address() {
            IpAddr::V4(v4) => Some(v4.to_bits()),
            IpAddr::V6(_) => None,
        });
        let v6 = folding.fold(atlas.v6(), atlas.asn_v6(), |network| match network.address() {
            IpAddr::V6(v6) => Some(v6.to_bits()),
            IpAddr::V4(_) => None,
        });
        if folding.rankings.len() >= NUMBERS_MAX as usize {
            return Err(CompileFault::Rankings);
        }
        Ok(Self { v4: PrefixTree::of(&v4), v6: PrefixTree::of(&v6), rankings: folding.rankings })
    }

    /// Reads a little of where `addresses` would be found, in passes in which no read waits for another of the same
    /// address: the memory of many comes at a time. What is returned says nothing.
    #[must_use]
    pub fn touch(&self, addresses: &[IpAddr]) -> u64 {
        let touch = |address: &IpAddr, is_near: bool| match address {
            IpAddr::V4(v4) => self.v4.touch(v4.to_bits(), is_near),
            IpAddr::V6(v6) => self.v6.touch(v6.to_bits(), is_near),
        };
        let indices = addresses.iter().fold(0, |seen, address| seen ^ touch(address, false));
        addresses.iter().fold(indices, |seen, address| seen ^ touch(address, true))
    }

    /// What the policy says of `address`, as it stands: an IPv4 address hidden in an IPv6 one is not looked for.
    #[must_use]
    pub fn find(&self, address: IpAddr) -> Found<'_> {
        let (number, length) = match address {
            IpAddr::V4(v4) => self.v4.find(v4.to_bits()),
            IpAddr::V6(v6) => self.v6.find(v6.to_bits()),
        };
        Found { ranking: self.rankings.ranking(number), length }
    }

    /// The ranking for `subject`, and its scope in bits of the subject's own family.
    #[must_use]
    pub fn select(&self, subject: &Subject) -> (&[Ranked], u8) {
        let found = self.find(subject.address());
        (found.ranking, subject.scope(found.length))
    }

    /// How many prefixes there are, IPv4 and IPv6.
    #[must_use]
    pub fn prefixes(&self) -> (usize, usize) {
        (self.v4.len(), self.v6.len())
    }

    /// How many different rankings there are.
    #[must_use]
    pub fn rankings(&self) -> usize {
        self.rankings.len()
    }

    /// Octets held.
    #[must_use]
    pub fn size(&self) -> usize {
        self.v4.size() + self.v6.size() + self.rankings.size()
    }
}

/// Rankings by number, one behind the other.
#[derive(Debug)]
struct Rankings {
    members: Vec<Ranked>,
    ends: Vec<u32>,
}

impl Rankings {
    fn len(&self) -> usize {
        self.ends.len()
    }

    fn ranking(&self, number: u32) -> &[Ranked] {
        let number = number as usize;
        let begin = number.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |&end| end as usize);
        let end = self.ends.get(number).map_or(begin, |&end| end as usize);
        self.members.get(begin..end).unwrap_or_default()
    }

    fn size(&self) -> usize {
        self.members.capacity() * size_of::<Ranked>() + self.ends.capacity() * size_of::<u32>()
    }
}

/// A compilation under way.
struct Folding<'a> {
    places: &'a [Place],
    policy: &'a LocationPolicy,
    rankings: Rankings,
    numbers: Map<Box<[Ranked]>, u32>,
    /// The numbers of places' rankings, as far as no rule for networks or systems has a say.
    plain: Vec<u32>,
    /// The numbers of rankings under such a rule, by its number and the place's.
    ruled: Map<(u32, u32), u32>,
}

impl<'a> Folding<'a> {
    fn new(places: &'a [Place], policy: &'a LocationPolicy) -> Self {
        // The operator's own data fill these maps, so their key need be no secret.
        let keyed = Keyed::with_seeds(1, 2, 3, 4);
        Self {
            places,
            policy,
            rankings: Rankings { members: Vec::new(), ends: Vec::new() },
            numbers: Map::with_hasher(keyed.clone()),
            plain: vec![UNKNOWN; places.len() + 1],
            ruled: Map::with_hasher(keyed),
        }
    }

    /// The runs of a family, each with the number of its ranking.
    fn fold<A: Bits>(
        &mut self,
        places: &Spans<A>,
        asns: &Spans<A>,
        of_family: impl Fn(&Network) -> Option<A>,
    ) -> Spans<A> {
        let rules = &self.policy.rules;
        let networks = (0_u32..).zip(&rules.cidr);
        let cidr = Spans::of_networks(
            networks.filter_map(|(rule, (network, _))| Some((of_family(network)?, network.prefix_length(), rule))),
        );
        let mut by_asn: Vec<(u32, u32)> =
            (0_u32..).zip(&rules.asn).map(|(rule, (asn, _))| (*asn, rule + rules.cidr.len() as u32)).collect();
        by_asn.sort_unstable();
        by_asn.dedup_by_key(|(asn, _)| *asn);
        let asns = if by_asn.is_empty() {
            Spans::unknown()
        } else {
            asns.renumbered(|asn| {
                let at = by_asn.binary_search_by_key(&asn, |(asn, _)| *asn);
                at.ok().and_then(|at| by_asn.get(at)).map_or(UNKNOWN, |&(_, rule)| rule)
            })
        };
        let mut spans = Spans::empty();
        sweep([places, &asns, &cidr], |start, [place, asn, cidr]| {
            spans.push(start, self.number_of(place, if cidr == UNKNOWN { asn } else { cidr }));
        });
        spans
    }

    fn number_of(&mut self, place: u32, rule: u32) -> u32 {
        let preference = self.preference(rule);
        let key = match preference {
            None => {
                let at = (place as usize).min(self.places.len());
                let known = self.plain.get(at).copied().unwrap_or(UNKNOWN);
                if known != UNKNOWN {
                    return known;
                }
                let number = self.rank(place, None);
                if let Some(slot) = self.plain.get_mut(at) {
                    *slot = number;
                }
                return number;
            }
            Some(preference) if !preference.prefer.is_empty() => (rule, UNKNOWN), // wherever the client is
            Some(_) => (rule, place),
        };
        if let Some(&number) = self.ruled.get(&key) {
            return number;
        }
        let number = self.rank(place, preference);
        self.ruled.insert(key, number);
        number
    }

    /// What the rule for a network or a system wants. Rules for systems are numbered behind those for networks.
    fn preference(&self, rule: u32) -> Option<&'a Preference> {
        let (rules, rule) = (&self.policy.rules, rule as usize);
        match rule.checked_sub(rules.cidr.len()) {
            None => rules.cidr.get(rule).map(|(_, preference)| preference),
            Some(rule) => rules.asn.get(rule).map(|(_, preference)| preference),
        }
    }

    fn rank(&mut self, place: u32, preference: Option<&Preference>) -> u32 {
        let nowhere = Place::default();
        let place = self.places.get(place as usize).unwrap_or(&nowhere);
        let preference = preference.or_else(|| self.policy.rules.of_place(place).map(|(_, preference)| preference));
        let ranking = self.policy.rank(place, preference);
        let next = self.rankings.len().min(NUMBERS_MAX as usize - 1) as u32;
        let number = *self.numbers.entry(ranking.clone().into_boxed_slice()).or_insert(next);
        if number == next {
            self.rankings.members.extend(ranking);
            self.rankings.ends.push(self.rankings.members.len() as u32);
        }
        number
    }
}
