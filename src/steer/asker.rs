//! For whom a choice is made: the client's address, its place, the moment, and how much of the address a choice
//! has looked at.

use std::net::IpAddr;

use super::compile::Found;
use super::hashing::{hash_bytes, hash_words, unit};
use super::place::Place;
use super::whereabouts::Whereabouts;
use crate::base::{Dice, Instant, Network};

/// Leading bits of the subject that a decision depends on: the scope of a client-subnet answer (RFC 7871 §7.2.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Scope(pub u8);

impl Scope {
    /// The answer is the same for everybody.
    pub const ALL: Self = Self(0);

    /// The scope of a decision that rests on both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.max(other)
    }
}

/// The scope of having found an address within a prefix of `length` bits. Never 0, even where a whole family is alike:
/// resolvers keep an answer of scope 0 for both families.
#[must_use]
pub fn looked_up(length: u8) -> Scope {
    Scope(length.max(1))
}

/// What the stages of a policy may know of a query.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// Whom the answer is for: the client-subnet address with host bits zero, else the resolver's.
    pub subject: IpAddr,
    /// How many bits of the subject count; no scope is longer.
    pub source: u8,
    /// The address that the query came from.
    pub resolver: IpAddr,
    /// Where the subject is.
    pub whereabouts: &'a Whereabouts<'a>,
    /// What a compiled location part says of the subject, if there is one.
    pub found: Option<Found<'a>>,
    /// The name asked for, hashed.
    pub name: u64,
    /// The moment, for ages.
    pub now: Instant,
    /// The moment in seconds of the calendar, the same on every node.
    pub wall: u64,
    /// Nobody will use this answer: stages remember nothing of it.
    pub is_rehearsal: bool,
    /// Set where draws must agree among nodes, families and repeats: the seed that they share. One that is set
    /// already when a selection begins is kept.
    pub agreed: Option<u64>,
}

impl<'a> Asker<'a> {
    /// Where the subject is.
    #[must_use]
    pub fn place(&self) -> &'a Place {
        self.whereabouts.place()
    }

    /// The prefix length within which everybody has that place.
    #[must_use]
    pub fn place_scope(&self) -> Scope {
        self.whereabouts.scope()
    }

    /// A number in (0, 1] for a member in one draw: from `dice`, or, where draws agree, from what the nodes share.
    /// `salt` tells the draws of one query apart.
    pub fn draw(&self, salt: u64, member: u64, dice: &mut Dice) -> f64 {
        unit(match self.agreed {
            Some(seed) => hash_words(seed, &[salt, member]),
            None => dice.bits(),
        })
    }
}

/// By what a client is recognised.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Key {
    /// So many leading bits of the subject, IPv4 and IPv6.
    Prefix(u8, u8),
    /// The autonomous system; by the prefix 24/56 where it is unknown.
    Asn,
    /// The country; by the prefix 24/56 where it is unknown.
    Country,
    /// The resolver's address.
    Resolver,
}

impl Default for Key {
    fn default() -> Self {
        Self::Prefix(24, 56)
    }
}

impl Key {
    /// The asker's key, hashed, and the scope of having looked at it.
    #[must_use]
    pub fn of(self, asker: &Asker<'_>) -> (u64, Scope) {
        let known = match self {
            Self::Prefix(v4, v6) => {
                let length = if asker.subject.is_ipv4() { v4 } else { v6 }.min(asker.source);
                return (of_network(Network::new(asker.subject, length)), Scope(length));
            }
            Self::Resolver => return (of_network(Network::new(asker.resolver, 128)), Scope::ALL),
            Self::Asn => asker.place().asn.map(|asn| hash_words(2, &[u64::from(asn)])),
            Self::Country => asker.place().country.map(|country| hash_bytes(3, country.as_str().as_bytes())),
        };
        let (key, scope) = known.map_or_else(|| Self::default().of(asker), |key| (key, Scope::ALL));
        (key, scope.and(asker.place_scope()))
    }
}

fn of_network(network: Network) -> u64 {
    let (family, bits) = match network.address() {
        IpAddr::V4(v4) => (4, u128::from(v4.to_bits())),
        IpAddr::V6(v6) => (6, v6.to_bits()),
    };
    hash_words(1, &[family, u64::from(network.prefix_length()), bits as u64, (bits >> 64) as u64])
}

#[cfg(test)]
mod tests {
    use super::super::testing::asker;
    use super::*;

    #[test]
    fn neighbours_in_a_network_share_a_key_and_others_do_not() {
        let key = |address: &str| Key::default().of(&asker(address));
        assert_eq!(key("192.0.2.1"), key("192.0.2.254"));
        assert_ne!(key("192.0.2.1").0, key("198.51.100.1").0);
        assert_eq!(key("2001:db8::1").1, Scope(56));
    }

    #[test]
    fn an_unknown_network_falls_back_to_the_prefix() {
        assert_eq!(Key::Asn.of(&asker("192.0.2.1")).0, Key::default().of(&asker("192.0.2.1")).0);
    }

    #[test]
    fn agreed_draws_repeat_and_others_do_not() {
        let mut dice = Dice::from_number(1);
        let mut asker = asker("192.0.2.1");
        assert!((asker.draw(0, 1, &mut dice) - asker.draw(0, 1, &mut dice)).abs() > 0.0);
        asker.agreed = Some(5);
        assert!((asker.draw(0, 1, &mut dice) - asker.draw(0, 1, &mut dice)).abs() < f64::EPSILON);
    }
}
