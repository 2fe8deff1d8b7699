//! Whose place decides an answer: the address to look up, how much of it is known, and how a scope found for it is
//! said in the client's own terms.

use std::net::{IpAddr, Ipv6Addr};

use crate::dns::ClientSubnet;
use crate::dns::subnet::{bits_apart_from_v4, hidden_v4};

/// The longest prefixes on which an answer to a client subnet may depend, bits: resolvers keep no finer answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ScopeCap {
    /// Of IPv4, 0–32.
    pub v4: u8,
    /// Of IPv6, 0–128.
    pub v6: u8,
}

impl Default for ScopeCap {
    fn default() -> Self {
        Self { v4: 24, v6: 56 }
    }
}

/// The address that decides. Host bits that are not known are zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Subject {
    address: IpAddr,
    known: u8,
    before: u8,
    /// Bits without which an IPv6 prefix would hold addresses that carry an IPv4 one.
    apart: u8,
}

impl Subject {
    /// A client or resolver by its own address: all of it is known.
    #[must_use]
    pub fn of_address(address: IpAddr) -> Self {
        Self::unhidden(address, address, if address.is_ipv4() { 32 } else { 128 })
    }

    /// The client of a client subnet option. Nothing, where the option says nothing of use: it has no bits, or its
    /// address is none that a client on the Internet can have. Then the resolver's address decides, and the scope is 0.
    ///
    /// The subject is cut to the source prefix and to `cap`, so that the decision is a function of the prefix that
    /// the answer's scope can name.
    #[must_use]
    pub fn of_subnet(option: &ClientSubnet, cap: ScopeCap) -> Option<Self> {
        let network = option.network();
        if option.is_opt_out() || !is_global_unicast(network.address()) {
            return None;
        }
        let known = network.prefix_length().min(if network.address().is_ipv4() { cap.v4 } else { cap.v6 });
        let cut = crate::base::Network::new(network.address(), known).address();
        Some(Self::unhidden(cut, cut, known))
    }

    fn unhidden(address: IpAddr, shown: IpAddr, known: u8) -> Self {
        let hidden = match address {
            IpAddr::V6(v6) => hidden_v4(v6, known),
            IpAddr::V4(_) => None,
        };
        match (hidden, shown) {
            (Some((v4, before)), _) => Self { address: v4.into(), known: (known - before).min(32), before, apart: 0 },
            (None, IpAddr::V6(v6)) => Self { address: shown, known, before: 0, apart: bits_apart_from_v4(v6) },
            (None, IpAddr::V4(_)) => Self { address: shown, known, before: 0, apart: 0 },
        }
    }

    /// The address to look up.
    #[must_use]
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// How many leading bits of [`Self::address`] are known.
    #[must_use]
    pub const fn known(&self) -> u8 {
        self.known
    }

    /// The scope of an answer whose decision depends on the first `consulted` bits of [`Self::address`], in bits of
    /// the client's own family. With 0 the address was not looked at, and the answer is for everybody.
    #[must_use]
    pub fn scope(&self, consulted: u8) -> u8 {
        if consulted == 0 { 0 } else { self.before + consulted.max(self.apart).min(self.known) }
    }
}

/// Whether a client on the Internet can have `address`: no private, shared, local, multicast or reserved one.
/// The addresses kept for documentation count as global, so that examples can be tried.
#[must_use]
pub fn is_global_unicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            !(first == 0
                || v4.is_loopback()
                || v4.is_private()
                || v4.is_link_local()
                || first >= 224
                || (first == 100 && second & 0xC0 == 64))
        }
        IpAddr::V6(v6) => match hidden_v4(v6, 128) {
            Some((v4, _)) => is_global_unicast(v4.into()),
            None => !(is_low(v6) || v6.is_multicast() || v6.is_unique_local() || v6.is_unicast_link_local()),
        },
    }
}

/// `::/96`: unspecified, loopback and the compatible addresses of old.
fn is_low(address: Ipv6Addr) -> bool {
    address.to_bits() >> 32 == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(network: &str) -> ClientSubnet {
        let (address, length) = network.split_once('/').unwrap();
        let (address, length): (IpAddr, u8) = (address.parse().unwrap(), length.parse().unwrap());
        let octets = match address {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        };
        let mut data = vec![0, if address.is_ipv4() { 1 } else { 2 }, length, 0];
        data.extend(&octets[..usize::from(length.div_ceil(8))]);
        ClientSubnet::parse(&data).unwrap()
    }

    fn subject(network: &str) -> Option<(String, u8)> {
        Subject::of_subnet(&option(network), ScopeCap::default()).map(|it| (it.address().to_string(), it.known()))
    }

    #[test]
    fn a_subject_is_cut_to_source_and_cap() {
        assert_eq!(subject("203.0.113.7/32"), Some(("203.0.113.0".into(), 24)));
        assert_eq!(subject("203.0.0.0/16"), Some(("203.0.0.0".into(), 16)));
        assert_eq!(subject("2001:db8:1:2ff::/64"), Some(("2001:db8:1:200::".into(), 56)));
        let subject = Subject::of_subnet(&option("203.0.113.0/24"), ScopeCap::default()).unwrap();
        assert_eq!((subject.scope(15), subject.scope(30)), (15, 24));
    }

    #[test]
    fn an_option_without_use_makes_no_subject() {
        for network in
            ["0.0.0.0/0", "::/0", "10.1.2.0/24", "127.0.0.0/8", "100.64.0.0/10", "fd00::/8", "fe80::/64", "240.0.0.0/8"]
        {
            assert_eq!(subject(network), None, "{network}");
        }
    }

    #[test]
    fn no_scope_holds_addresses_that_are_answered_by_the_ipv4_within() {
        let subject = |network: &str| Subject::of_subnet(&option(network), ScopeCap::default()).unwrap();
        // 2002::/16 is 6to4: its neighbours must keep out of it, however wide the hole is that they are in.
        assert_eq!(subject("2003:db8::/32").scope(3), 16);
        assert_eq!(subject("2a00::/32").scope(3), 5);
        assert_eq!(subject("2a00::/32").scope(12), 12);
        assert_eq!((subject("2a00::/32").scope(0), subject("2002:cb00:7100::/48").scope(0)), (0, 0));
    }

    #[test]
    fn a_scope_found_in_hidden_ipv4_is_said_in_ipv6() {
        let cap = ScopeCap { v4: 24, v6: 56 };
        let subject = Subject::of_subnet(&option("2002:cb00:7100::/48"), cap).unwrap();
        assert_eq!((subject.address(), subject.known()), ("203.0.113.0".parse().unwrap(), 32));
        assert_eq!((subject.scope(20), subject.scope(32)), (36, 48));
        let whole = Subject::of_address("64:ff9b::203.0.113.9".parse().unwrap());
        assert_eq!((whole.address(), whole.known(), whole.scope(24)), ("203.0.113.9".parse().unwrap(), 32, 120));
    }
}
