//! Whom a limit counts together: a client is its network, and what proves that it is there.

use std::net::IpAddr;

use crate::base::collections::Keyed;

/// How many leading bits of an address make a client.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Prefix {
    /// Of IPv4, 1 to 32.
    pub v4: u8,
    /// Of IPv6, 1 to 128.
    pub v6: u8,
}

impl Prefix {
    /// The hash of `address`'s network. As it is keyed, what is counted apart within a network may be told by another
    /// hash, or a number, taken together with it bit by bit (XOR).
    pub(super) fn hash(self, keyed: &Keyed, address: IpAddr) -> u64 {
        match address.to_canonical() {
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shl(32_u32.saturating_sub(u32::from(self.v4))).unwrap_or(0);
                keyed.hash_one(u64::from(v4.to_bits() & mask))
            }
            IpAddr::V6(v6) => {
                let mask = u128::MAX.checked_shl(128_u32.saturating_sub(u32::from(self.v6))).unwrap_or(0);
                // One word more than of IPv4, so that no client of one family shares the other's.
                keyed.hash_one(v6.to_bits() & mask)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Dice, collections};

    #[test]
    fn a_client_is_its_network() {
        let keyed = collections::keyed(&mut Dice::from_number(1));
        let prefix = Prefix { v4: 24, v6: 56 };
        let hash = |address: &str| prefix.hash(&keyed, address.parse().unwrap());
        assert_eq!(hash("192.0.2.1"), hash("192.0.2.255"));
        assert_eq!(hash("192.0.2.1"), hash("::ffff:192.0.2.9"));
        assert_ne!(hash("192.0.2.1"), hash("192.0.3.1"));
        assert_eq!(hash("2001:db8::1"), hash("2001:db8:0:ff::1"));
        assert_ne!(hash("2001:db8::1"), hash("2001:db8:0:100::1"));
        let whole = Prefix { v4: 32, v6: 128 };
        assert_ne!(
            whole.hash(&keyed, "2001:db8::1".parse().unwrap()),
            whole.hash(&keyed, "2001:db8::2".parse().unwrap())
        );
    }
}
