//! The EDNS client subnet option (RFC 7871): what a resolver says of its client's network, and the answer to it.
//!
//! A query's option comes in as data, a [`ClientSubnet`] leaves, or the reason for FORMERR; the response echoes it
//! with the scope in which the answer holds. An IPv6 address may carry an IPv4 one, which is the one that says where
//! the client is: [`hidden_v4`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::base::Network;

use super::edns::option;

const IPV4: u16 = 1;
const IPV6: u16 = 2;

/// The client subnet option of a query.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ClientSubnet {
    family: u16,
    network: Network,
}

/// Why the data of a query's option are no client subnet: the answer is FORMERR (RFC 7871 §7.1.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SubnetFault {
    /// The data are cut, or hold more or fewer address octets than the source prefix length needs.
    Length,
    /// A family that is neither IPv4 nor IPv6.
    Family,
    /// A source prefix longer than the family's addresses.
    Source,
    /// A scope other than 0 in a query (RFC 7871 §6).
    Scope,
    /// Address bits set beyond the source prefix.
    HostBits,
}

impl ClientSubnet {
    /// Reads the option's data in a query.
    ///
    /// Family 0 with source prefix length 0 is read too: resolvers send it to say that nothing is to be known
    /// of the client.
    ///
    /// # Errors
    /// [`SubnetFault`]; the answer is FORMERR.
    pub fn parse(data: &[u8]) -> Result<Self, SubnetFault> {
        let (&[family_high, family_low, source, scope], octets) =
            data.split_first_chunk::<4>().ok_or(SubnetFault::Length)?;
        let family = u16::from_be_bytes([family_high, family_low]);
        let widest = match (family, source) {
            (IPV4, _) => 32,
            (IPV6, _) => 128,
            (0, 0) => 0,
            _ => return Err(SubnetFault::Family),
        };
        if source > widest {
            return Err(SubnetFault::Source);
        }
        if octets.len() != usize::from(source.div_ceil(8)) {
            return Err(SubnetFault::Length);
        }
        if scope != 0 {
            return Err(SubnetFault::Scope);
        }
        let mut bits = [0; 16];
        bits.iter_mut().zip(octets).for_each(|(bit, octet)| *bit = *octet);
        let bits = u128::from_be_bytes(bits);
        let address: IpAddr = if family == IPV6 {
            Ipv6Addr::from_bits(bits).into()
        } else {
            Ipv4Addr::from_bits((bits >> 96) as u32).into()
        };
        let network = Network::new(address, source);
        if network.address() == address { Ok(Self { family, network }) } else { Err(SubnetFault::HostBits) }
    }

    /// The address in an option's data, right where the option is lawful: for whoever only looks ahead.
    #[must_use]
    pub fn address_ahead(data: &[u8]) -> Option<IpAddr> {
        let (&[0, family, _, _], octets) = data.split_first_chunk::<4>()? else { return None };
        let mut v4 = [0; 4];
        v4.iter_mut().zip(octets).for_each(|(own, octet)| *own = *octet);
        match u16::from(family) {
            IPV4 => Some(v4.into()),
            IPV6 => {
                let mut v6 = [0; 16];
                v6.iter_mut().zip(octets).for_each(|(own, octet)| *own = *octet);
                Some(v6.into())
            }
            _ => None,
        }
    }

    /// What a resolver says that tells all of its client's address.
    #[must_use]
    pub fn of_address(address: IpAddr) -> Self {
        let (family, width) = if address.is_ipv4() { (IPV4, 32) } else { (IPV6, 128) };
        Self { family, network: Network::new(address, width) }
    }

    /// The client's network: its prefix length is the option's source prefix length.
    #[must_use]
    pub const fn network(&self) -> Network {
        self.network
    }

    /// Whether the resolver wants nothing to be known of its client: the answer must not be tailored to the option,
    /// and its scope is 0 (RFC 7871 §7.1.2).
    #[must_use]
    pub const fn is_opt_out(&self) -> bool {
        self.network.prefix_length() == 0
    }

    /// The option of the response: family, source and address as in the query, and the scope, bits, in which
    /// the answer holds (RFC 7871 §7.2.1). A scope beyond the source is said as the source: the answer was found for
    /// no more bits than came.
    #[must_use]
    pub fn echo(&self, scope: u8) -> (u16, Vec<u8>) {
        let mut data = Vec::with_capacity(4 + 16);
        self.append_echo(scope, &mut data);
        (option::CLIENT_SUBNET, data)
    }

    /// Appends the data of [`ClientSubnet::echo`].
    pub fn append_echo(&self, scope: u8, to: &mut Vec<u8>) {
        let source = self.network.prefix_length();
        let [f0, f1] = self.family.to_be_bytes();
        to.extend_from_slice(&[f0, f1, source, scope.min(source)]);
        let length = usize::from(source.div_ceil(8));
        match self.network.address() {
            IpAddr::V4(address) => to.extend_from_slice(address.octets().get(..length).unwrap_or_default()),
            IpAddr::V6(address) => to.extend_from_slice(address.octets().get(..length).unwrap_or_default()),
        }
    }

    /// Octets of the data of [`ClientSubnet::echo`].
    #[must_use]
    pub fn echo_length(&self) -> usize {
        4 + usize::from(self.network.prefix_length().div_ceil(8))
    }
}

/// The IPv4 address that `address` carries, if its first `known` bits hold all of it, and how many bits of `address`
/// stand before its first bit: mapped (RFC 4291 §2.5.5.2), NAT64's well-known prefix (RFC 6052 §2.1), 6to4
/// (RFC 3056 §2), and the client's address of Teredo, which is inverted (RFC 4380 §4).
///
/// A prefix of 6to4 that is cut carries the bits that are left: `known` bits before the first bit of the address.
#[must_use]
pub fn hidden_v4(address: Ipv6Addr, known: u8) -> Option<(Ipv4Addr, u8)> {
    let bits = address.to_bits();
    let (v4, before) = match bits >> 112 {
        0x2002 => ((bits >> 80) as u32, 16),
        _ if bits >> 32 == 0xFFFF || bits >> 32 == 0x0064_FF9B_u128 << 64 => (bits as u32, 96),
        0x2001 if bits >> 96 == 0x2001_0000 => (!(bits as u32), 96),
        _ => return None,
    };
    // Teredo's and the mapped addresses' IPv4 bits are the last ones: a cut prefix has none of them.
    (known > before).then_some((Ipv4Addr::from_bits(v4), before))
}

/// How many leading bits of an IPv6 address set it apart from all that carry an IPv4 address within: a prefix any
/// shorter holds some of those too, and they are answered by other rules.
#[must_use]
pub fn bits_apart_from_v4(address: Ipv6Addr) -> u8 {
    const CARRIERS: [(u128, u32); 4] =
        [(0x2002 << 112, 16), (0x2001 << 112, 32), (0x64_FF9B << 96, 96), (0xFFFF << 32, 96)];
    let shared = CARRIERS.map(|(carrier, length)| ((address.to_bits() ^ carrier).leading_zeros(), length));
    let apart = shared.into_iter().filter(|(bits, length)| bits < length).map(|(bits, _)| bits + 1).max();
    apart.unwrap_or(0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn data(family: u16, source: u8, scope: u8, octets: &[u8]) -> Vec<u8> {
        let mut data = family.to_be_bytes().to_vec();
        data.extend([source, scope]);
        data.extend(octets);
        data
    }

    #[test]
    fn each_malformed_option_is_told_apart() {
        let parse = |family, source, scope, octets: &[u8]| ClientSubnet::parse(&data(family, source, scope, octets));
        assert_eq!(parse(1, 24, 0, &[192, 0, 2]).unwrap().network(), "192.0.2.0/24".parse().unwrap());
        assert_eq!(parse(1, 24, 0, &[192, 0]), Err(SubnetFault::Length));
        assert_eq!(parse(1, 24, 0, &[192, 0, 2, 0]), Err(SubnetFault::Length));
        assert_eq!(parse(1, 33, 0, &[192, 0, 2, 0, 0]), Err(SubnetFault::Source));
        assert_eq!(parse(2, 129, 0, &[0; 17]), Err(SubnetFault::Source));
        assert_eq!(parse(1, 23, 0, &[192, 0, 3]), Err(SubnetFault::HostBits));
        assert_eq!(parse(1, 24, 8, &[192, 0, 2]), Err(SubnetFault::Scope));
        assert_eq!(parse(3, 0, 0, &[]), Err(SubnetFault::Family));
        assert_eq!(parse(0, 8, 0, &[1]), Err(SubnetFault::Family));
        assert_eq!(ClientSubnet::parse(&[0, 1, 0]), Err(SubnetFault::Length));
    }

    #[test]
    fn no_bits_of_any_family_mean_that_nothing_is_to_be_known() {
        for family in 0..=2 {
            let option = ClientSubnet::parse(&data(family, 0, 0, &[])).unwrap();
            assert!(option.is_opt_out());
            assert_eq!(option.echo(24).1, data(family, 0, 0, &[]));
        }
    }

    #[test]
    fn ipv4_hidden_in_ipv6_is_found() {
        let found = |text: &str| hidden_v4(text.parse().unwrap(), 128).map(|(v4, before)| (v4.to_string(), before));
        for (text, before) in [
            ("::ffff:192.0.2.1", 96),
            ("64:ff9b::192.0.2.1", 96),
            ("2002:c000:201::7", 16),
            ("2001:0:1:2:3:4:3fff:fdfe", 96),
        ] {
            assert_eq!(found(text), Some(("192.0.2.1".into(), before)), "{text}");
        }
        for text in ["2001:db8::1", "::1", "64:ff9b:1::192.0.2.1", "2001:1::3fff:fdfe", "::192.0.2.1"] {
            assert_eq!(found(text), None, "{text}");
        }
        assert_eq!(hidden_v4("::ffff:0:0".parse().unwrap(), 56), None);
        assert_eq!(hidden_v4("2002:c000::".parse().unwrap(), 32), Some(("192.0.0.0".parse().unwrap(), 16)));
    }

    proptest! {
        #[test]
        fn every_lawful_option_comes_back_with_its_scope(
            is_v6 in any::<bool>(), bits in any::<u128>(), source in 0..=128_u8, scope in any::<u8>(),
        ) {
            let source = if is_v6 { source } else { source % 33 };
            let kept = u128::MAX.checked_shl(128 - u32::from(source)).unwrap_or(0);
            let octets = (bits & kept).to_be_bytes();
            let octets = &octets[..usize::from(source.div_ceil(8))];
            let family = if is_v6 { 2 } else { 1 };
            let option = ClientSubnet::parse(&data(family, source, 0, octets)).unwrap();
            prop_assert_eq!(option.echo(scope), (8, data(family, source, scope.min(source), octets)));
        }

        #[test]
        fn any_octets_are_read_or_refused_and_what_is_read_composes_to_the_same(octets in prop::collection::vec(any::<u8>(), 0..24)) {
            if let Ok(option) = ClientSubnet::parse(&octets) {
                prop_assert_eq!(option.echo(0).1, octets);
            }
        }

        #[test]
        fn a_bit_beyond_the_source_is_refused(bits in any::<u128>(), source in 0..128_u8) {
            let beyond = source.div_ceil(8) * 8 - source; // bits of the last octet that do not count
            prop_assume!(beyond > 0);
            let kept = u128::MAX.checked_shl(128 - u32::from(source)).unwrap_or(0);
            let octets = ((bits & kept) | 1 << (127 - source)).to_be_bytes();
            let octets = &octets[..usize::from(source.div_ceil(8))];
            prop_assert_eq!(ClientSubnet::parse(&data(2, source, 0, octets)), Err(SubnetFault::HostBits));
        }
    }
}
