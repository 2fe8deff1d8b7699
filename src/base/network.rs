//! Networks written as `address/length`, and sets of them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// An IPv4 or IPv6 network: an address and the number of leading bits that count.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Network {
    address: IpAddr,
    length: u8,
}

impl Network {
    /// The network of `address` with `length` leading bits; the bits behind them are cleared.
    ///
    /// `length` is 0–32 for IPv4 and 0–128 for IPv6; a longer one means the address alone.
    #[must_use]
    pub fn new(address: IpAddr, length: u8) -> Self {
        match address {
            IpAddr::V4(v4) => {
                let length = length.min(32);
                Self { address: Ipv4Addr::from_bits(v4.to_bits() & mask_v4(length)).into(), length }
            }
            IpAddr::V6(v6) => {
                let length = length.min(128);
                let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
                Self { address: Ipv6Addr::from_bits(v6.to_bits() & mask).into(), length }
            }
        }
    }

    /// The network that a client counts as where shares are fair: its /24, or its /56 under IPv6.
    #[must_use]
    pub fn of_client(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self::new(address, if address.is_ipv4() { 24 } else { 56 })
    }

    /// The first address of the network.
    #[must_use]
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// The number of leading bits that count.
    #[must_use]
    pub const fn prefix_length(&self) -> u8 {
        self.length
    }

    /// Whether `address` lies in the network. An IPv4 address mapped into IPv6 counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let differing = own.to_bits() ^ other.to_bits();
                differing.leading_zeros() >= u32::from(self.length)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let differing = own.to_bits() ^ other.to_bits();
                differing.leading_zeros() >= u32::from(self.length)
            }
            _ => false,
        }
    }
}

/// `length` leading ones.
fn mask_v4(length: u8) -> u32 {
    u32::MAX.checked_shl(32_u32.saturating_sub(u32::from(length))).unwrap_or(0)
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

/// Why a text is no network.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NetworkFault {
    /// The part before `/` is no IP address.
    Address,
    /// The part behind `/` is no number from 0 to 32 (IPv4) or 128 (IPv6).
    Length,
    /// Bits behind the prefix are set: probably a slip of the pen.
    HostBits,
}

impl FromStr for Network {
    type Err = NetworkFault;

    fn from_str(text: &str) -> Result<Self, NetworkFault> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkFault::Address)?;
        let widest = if address.is_ipv4() { 32 } else { 128 };
        let length = match length {
            None => widest,
            Some(digits) => digits.parse().ok().filter(|&n| n <= widest).ok_or(NetworkFault::Length)?,
        };
        let network = Self::new(address, length);
        if network.address == address { Ok(network) } else { Err(NetworkFault::HostBits) }
    }
}

/// A set of networks, as an access list has it. Short lists are the rule: it is searched in order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NetworkSet {
    networks: Vec<Network>,
    /// The mask and the bits of those of IPv4, which are searched for every query.
    v4: Vec<(u32, u32)>,
}

impl NetworkSet {
    /// Whether any network of the set holds `address`. An IPv4 address mapped into IPv6 counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(v4) => {
                let bits = v4.to_bits();
                self.v4.iter().any(|(mask, network)| bits & mask == *network)
            }
            v6 @ IpAddr::V6(_) => self.networks.iter().any(|network| network.contains(v6)),
        }
    }

    /// The networks of the set.
    #[must_use]
    pub fn networks(&self) -> &[Network] {
        &self.networks
    }

    fn of(texts: &[&str]) -> Self {
        texts.iter().filter_map(|text| text.parse().ok()).collect()
    }

    /// This machine alone.
    #[must_use]
    pub fn loopback() -> Self {
        Self::of(&["127.0.0.0/8", "::1/128"])
    }

    /// Loopback, RFC 1918, unique local and link-local: whom a resolver serves unless told otherwise.
    #[must_use]
    pub fn private() -> Self {
        Self::of(&[
            "127.0.0.0/8",
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "169.254.0.0/16",
            "::1/128",
            "fc00::/7",
            "fe80::/10",
        ])
    }

    /// Addresses at which no authoritative server can stand: this host, loopback, link-local, multicast,
    /// reserved and documentation (RFC 6890). Following a delegation there would only serve an attacker.
    #[must_use]
    pub fn never_upstream() -> Self {
        Self::of(&[
            "0.0.0.0/8",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "192.0.2.0/24",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
            "::/128",
            "::1/128",
            "100::/64",
            "2001:db8::/32",
            "fe80::/10",
            "ff00::/8",
        ])
    }
}

impl FromIterator<Network> for NetworkSet {
    fn from_iter<I: IntoIterator<Item = Network>>(networks: I) -> Self {
        let networks: Vec<Network> = networks.into_iter().collect();
        let v4 = networks.iter().filter_map(|network| match network.address {
            IpAddr::V4(v4) => Some((mask_v4(network.length), v4.to_bits())),
            IpAddr::V6(_) => None,
        });
        Self { v4: v4.collect(), networks }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_its_first_and_last_address_and_no_other() {
        let network: Network = "192.0.2.0/25".parse().unwrap();
        assert!(network.contains("192.0.2.0".parse().unwrap()));
        assert!(network.contains("192.0.2.127".parse().unwrap()));
        assert!(!network.contains("192.0.2.128".parse().unwrap()));
        assert!(network.contains("::ffff:192.0.2.1".parse().unwrap()));
        assert!("0.0.0.0/0".parse::<Network>().unwrap().contains("203.0.113.1".parse().unwrap()));
        assert!("::/0".parse::<Network>().unwrap().contains("2001:db8::1".parse().unwrap()));
    }

    #[test]
    fn a_slip_in_a_network_is_named() {
        assert_eq!("192.0.2.1/24".parse::<Network>(), Err(NetworkFault::HostBits));
        assert_eq!("192.0.2.0/33".parse::<Network>(), Err(NetworkFault::Length));
        assert_eq!("example/8".parse::<Network>(), Err(NetworkFault::Address));
    }
}
