//! Which client networks are looked at.
//!
//! Inside a client's prefix the answer may differ, as it does where a policy goes by the client's own network. Then
//! networks inside it are taken at even distances, more of them the more the prefix weighs, up to a bound in all.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Side;
use super::lens::Lens;
use crate::base::{Network, bounds};
use crate::steer::atlas::Atlas;
use crate::steer::health::Board;
use crate::steer::subject::ScopeCap;

/// Clients behind a prefix.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Client {
    /// Their network; an address alone is a client, or a resolver, that is known by it.
    pub network: Network,
    /// How many they are, in any unit; at least 0.
    pub weight: f64,
}

/// A client network that is looked at.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Sample {
    /// Its first address.
    pub subject: IpAddr,
    /// How many bits of it are known.
    pub known: u8,
    /// The prefix of the client that it stands for a part of.
    pub within: u8,
    /// Its part of all clients.
    pub weight: f64,
    /// How many networks of its length it stands for.
    pub stands_for: f64,
}

/// What is looked at.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Samples {
    /// The networks.
    pub list: Vec<Sample>,
    /// How many networks they stand for.
    pub networks: f64,
}

/// The IPv4 prefixes of which an atlas knows the place, none longer than a client network, each weighing as many
/// addresses as it has.
#[must_use]
pub fn clients_of(atlas: &Atlas) -> Vec<Client> {
    let cap = ScopeCap::default().v4;
    let mut clients: Vec<Client> = Vec::new();
    let mut runs = atlas.v4().runs().peekable();
    while let Some((start, place)) = runs.next() {
        let end = runs.peek().map_or(1 << 32, |(next, _)| u64::from(*next));
        if atlas.places().get(place as usize).is_none() {
            continue;
        }
        let mut at = u64::from(start);
        while at < end {
            // The largest aligned block that begins here and ends within the run; at least a client network.
            let aligned = if at == 0 { 32 } else { at.trailing_zeros() };
            let host = aligned.min((end - at).ilog2());
            let size = 1_u64 << host;
            let network = Network::new(Ipv4Addr::from_bits(at as u32).into(), (32 - host as u8).min(cap));
            match clients.last_mut() {
                // Parts of one client network share what it gets; its own address decides.
                Some(last) if last.network == network => last.weight += size as f64,
                _ => clients.push(Client { network, weight: size as f64 }),
            }
            at += size;
        }
    }
    clients
}

/// The networks to look at for `clients`, in their order.
#[must_use]
pub fn sample(new: &Side<'_>, old: Option<&Side<'_>>, clients: &[Client]) -> Samples {
    let whole: f64 = clients.iter().map(|client| client.weight).sum();
    let board = Board::default();
    let mut samples = Samples::default();
    let mut lenses: Vec<Lens<'_>> =
        [Some(new), old].into_iter().flatten().map(|side| Lens::new(side, usize::MAX)).collect();
    for client in clients.iter().filter(|client| client.weight > 0.0) {
        let (address, length) = (client.network.address(), client.network.prefix_length());
        let cap = if address.is_ipv4() { ScopeCap::default().v4 } else { ScopeCap::default().v6 };
        let known = length.max(cap);
        let part = client.weight / whole;
        let base = Sample { subject: address, known, within: length, weight: part, stands_for: 1.0 };
        let looked_at = lenses.iter_mut().map(|lens| lens.look(0, &base, &board).scope.0).max().unwrap_or(0);
        if looked_at <= length {
            samples.list.push(base);
            samples.networks += 1.0;
            continue;
        }
        let inside = 1_u128.checked_shl(u32::from(known - length)).unwrap_or(u128::MAX);
        let wanted = allotted(part, inside);
        for number in 0..u128::from(wanted) {
            // The middle of the number-th part of the prefix.
            let at = (2 * number + 1).saturating_mul(inside) / (2 * u128::from(wanted));
            let weight = part / f64::from(wanted);
            let subject = inner(address, known, at);
            samples.list.push(Sample { subject, weight, stands_for: inside as f64 / f64::from(wanted), ..base });
        }
        samples.networks += inside as f64;
    }
    samples
}

/// How many of `inside` networks are looked at in a prefix with this part of the clients; at least one.
#[expect(clippy::cast_sign_loss, reason = "a cast from a float saturates")]
fn allotted(part: f64, inside: u128) -> u32 {
    let wanted = (part * bounds::SIMULATED_NETWORKS as f64).ceil() as u32;
    wanted.clamp(1, u32::try_from(inside).unwrap_or(u32::MAX))
}

/// The `number`-th network of `length` behind `address`.
fn inner(address: IpAddr, length: u8, number: u128) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let step = (number as u32).checked_shl(u32::from(32 - length)).unwrap_or(0);
            Ipv4Addr::from_bits(v4.to_bits() | step).into()
        }
        IpAddr::V6(v6) => {
            let step = number.checked_shl(u32::from(128 - length)).unwrap_or(0);
            Ipv6Addr::from_bits(v6.to_bits() | step).into()
        }
    }
}
