//! A map from networks to values whose answer says how much of the address mattered.
//!
//! The networks are cut into pieces that do not overlap, equal neighbours merged, so that a piece's length is the
//! shortest prefix within which every address has the same value: holes have a true length too (R2.4).

use std::net::IpAddr;

use crate::base::Network;

/// A finished map. Look-ups are a binary search.
#[derive(Clone, PartialEq, Debug)]
pub struct PrefixMap<T> {
    v4: Vec<Piece<T>>,
    v6: Vec<Piece<T>>,
}

#[derive(Clone, PartialEq, Debug)]
struct Piece<T> {
    /// The first address, its bits at the top.
    start: u128,
    length: u8,
    value: Option<T>,
}

impl<T: Clone + PartialEq> PrefixMap<T> {
    /// A map of networks; the longest that holds an address counts, of equal ones the last.
    #[must_use]
    pub fn new(entries: &[(Network, T)]) -> Self {
        let family = |is_v4: bool| {
            let mut sorted: Vec<(u128, u8, &T)> = entries
                .iter()
                .filter(|(network, _)| network.address().is_ipv4() == is_v4)
                .map(|(network, value)| (bits(network.address()), network.prefix_length(), value))
                .collect();
            sorted.sort_by_key(|(start, length, _)| (*start, *length));
            let mut pieces = Vec::new();
            cut(&sorted, 0, 0, None, &mut pieces);
            pieces
        };
        Self { v4: family(true), v6: family(false) }
    }

    /// The value for an address, and the length of the piece that it lies in.
    #[must_use]
    pub fn find(&self, address: IpAddr) -> (Option<&T>, u8) {
        let pieces = if address.is_ipv4() { &self.v4 } else { &self.v6 };
        let bits = bits(address);
        let after = pieces.partition_point(|piece| piece.start <= bits);
        match after.checked_sub(1).and_then(|at| pieces.get(at)) {
            Some(piece) => (piece.value.as_ref(), piece.length),
            None => (None, 0),
        }
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()) << 96,
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// Cuts the prefix `start`/`length`, which holds all of `entries`, into pieces; at most 128 calls deep.
fn cut<'e, T: Clone + PartialEq>(
    entries: &[(u128, u8, &'e T)],
    start: u128,
    length: u8,
    mut inherited: Option<&'e T>,
    pieces: &mut Vec<Piece<T>>,
) {
    let mut inside = entries;
    while let Some(((_, own, value), rest)) = inside.split_first()
        && *own == length
    {
        inherited = Some(value);
        inside = rest;
    }
    if inside.is_empty() {
        pieces.push(Piece { start, length, value: inherited.cloned() });
        return;
    }
    let middle = start | (1u128 << (127 - u32::from(length)));
    let (low, high) = inside.split_at(inside.partition_point(|(address, ..)| *address < middle));
    let first = pieces.len();
    cut(low, start, length + 1, inherited, pieces);
    let second = pieces.len();
    cut(high, middle, length + 1, inherited, pieces);
    // Two halves of one value are one piece.
    if second == first + 1
        && pieces.len() == second + 1
        && let [.., left, right] = pieces.as_mut_slice()
        && left.value == right.value
    {
        left.length = length;
        pieces.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Dice;

    fn map(entries: &[(&str, u8)]) -> PrefixMap<u8> {
        let entries: Vec<_> = entries.iter().map(|(network, value)| (network.parse().unwrap(), *value)).collect();
        PrefixMap::new(&entries)
    }

    #[test]
    fn the_longest_network_counts_and_holes_have_a_length() {
        let map = map(&[("10.0.0.0/8", 1), ("10.1.0.0/16", 2), ("2001:db8::/32", 3)]);
        let find = |address: &str| {
            let (value, length) = map.find(address.parse().unwrap());
            (value.copied(), length)
        };
        assert_eq!(find("10.1.2.3"), (Some(2), 16));
        assert_eq!(find("10.0.0.1"), (Some(1), 16));
        assert_eq!(find("10.128.0.1"), (Some(1), 9));
        assert_eq!(find("192.0.2.1"), (None, 1));
        assert_eq!(find("2001:db8::1"), (Some(3), 32));
    }

    #[test]
    fn equal_neighbours_are_one() {
        let map = map(&[("10.0.0.0/9", 1), ("10.128.0.0/9", 1)]);
        assert_eq!(map.find("10.200.0.1".parse().unwrap()), (Some(&1), 8));
        assert_eq!(PrefixMap::<u8>::new(&[]).find("::1".parse().unwrap()), (None, 0));
    }

    #[test]
    fn a_piece_has_one_value_and_its_parent_more_than_one() {
        let mut dice = Dice::from_number(3);
        let entries: Vec<(Network, u8)> = (0..200)
            .map(|_| {
                let address = std::net::Ipv4Addr::from_bits(dice.bits() as u32);
                (Network::new(address.into(), 4 + dice.below(25) as u8), dice.below(3) as u8)
            })
            .collect();
        let map = PrefixMap::new(&entries);
        let plain = |address: IpAddr| {
            entries
                .iter()
                .filter(|(network, _)| network.contains(address))
                .max_by_key(|(network, _)| network.prefix_length())
                .map(|(_, value)| *value)
        };
        for _ in 0..2_000 {
            let address: IpAddr = std::net::Ipv4Addr::from_bits(dice.bits() as u32).into();
            let (value, length) = map.find(address);
            assert_eq!(value.copied(), plain(address));
            for _ in 0..20 {
                let noise = dice.bits() as u32 & u32::MAX.checked_shr(u32::from(length)).unwrap_or(0);
                let IpAddr::V4(v4) = address else { unreachable!() };
                assert_eq!(plain(std::net::Ipv4Addr::from_bits(v4.to_bits() ^ noise).into()), plain(address));
            }
        }
    }
}
