//! Addresses as names: in-addr.arpa (RFC 1035 §3.5) and ip6.arpa (RFC 3596 §2.5).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use smallvec::SmallVec;

use super::Name;

/// The address whose reverse name is `name`; none for any other name, a zone above included.
#[must_use]
pub fn address_of(name: &Name) -> Option<IpAddr> {
    let (first, last) = range_of(name)?;
    (first == last).then_some(first)
}

/// The first and the last of the addresses whose reverse names are `name` or stand below it; none for a name below which
/// none can stand.
#[must_use]
pub fn range_of(name: &Name) -> Option<(IpAddr, IpAddr)> {
    let labels: SmallVec<[&[u8]; 34]> = name.labels().take(35).collect();
    let (digits, ending) = labels.split_at_checked(labels.len().checked_sub(2)?)?;
    let [tree, arpa] = ending else { return None };
    if !arpa.eq_ignore_ascii_case(b"arpa") {
        return None;
    }
    let digits = digits.iter().rev();
    if tree.eq_ignore_ascii_case(b"in-addr") {
        let missing = u32::try_from(4_usize.checked_sub(digits.len())?).ok()? * 8;
        let bits = digits.copied().try_fold(0u32, |bits, label| Some(bits << 8 | u32::from(octet(label)?)))?;
        let below = u32::MAX.checked_shr(32 - missing).unwrap_or(0);
        let first = bits.checked_shl(missing).unwrap_or(0);
        return Some((Ipv4Addr::from_bits(first).into(), Ipv4Addr::from_bits(first | below).into()));
    }
    if tree.eq_ignore_ascii_case(b"ip6") {
        let missing = u32::try_from(32_usize.checked_sub(digits.len())?).ok()? * 4;
        let bits = digits.copied().try_fold(0u128, |bits, label| Some(bits << 4 | u128::from(nibble(label)?)))?;
        let below = u128::MAX.checked_shr(128 - missing).unwrap_or(0);
        let first = bits.checked_shl(missing).unwrap_or(0);
        return Some((Ipv6Addr::from_bits(first).into(), Ipv6Addr::from_bits(first | below).into()));
    }
    None
}

fn octet(label: &[u8]) -> Option<u8> {
    let text = std::str::from_utf8(label).ok()?;
    let number: u8 = text.parse().ok()?;
    // `01` and `+1` are other names than `1`.
    (label.first().is_some_and(u8::is_ascii_digit) && (label.len() == 1 || !label.starts_with(b"0"))).then_some(number)
}

fn nibble(label: &[u8]) -> Option<u8> {
    match label {
        [digit] => char::from(*digit).to_digit(16).map(|value| value as u8),
        _ => None,
    }
}

/// The reverse name of `address`.
#[must_use]
pub fn name_of(address: IpAddr) -> Option<Name> {
    let text = match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa.")
        }
        IpAddr::V6(v6) => {
            let digits = format!("{:032x}", v6.to_bits());
            let mut text: String = digits.chars().rev().flat_map(|digit| [digit, '.']).collect();
            text.push_str("ip6.arpa.");
            text
        }
    };
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_address_reads_back_from_its_reverse_name(v4: u32, v6: u128) {
            for address in [IpAddr::from(Ipv4Addr::from_bits(v4)), IpAddr::from(Ipv6Addr::from_bits(v6))] {
                prop_assert_eq!(name_of(address).and_then(|name| address_of(&name)), Some(address));
            }
        }
    }

    #[test]
    fn a_name_above_addresses_spans_them() {
        for (name, first, last) in [
            ("in-addr.arpa.", "0.0.0.0", "255.255.255.255"),
            ("10.IN-ADDR.arpa.", "10.0.0.0", "10.255.255.255"),
            ("2.1.10.in-addr.arpa.", "10.1.2.0", "10.1.2.255"),
            ("3.2.1.10.in-addr.arpa.", "10.1.2.3", "10.1.2.3"),
            ("ip6.arpa.", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("d.f.ip6.arpa.", "fd00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ] {
            let range = (first.parse().unwrap(), last.parse().unwrap());
            assert_eq!(range_of(&name.parse().unwrap()), Some(range), "{name}");
        }
        for name in [
            "arpa.",
            "a.in-addr.arpa.",
            "1.3.2.1.10.in-addr.arpa.",
            "256.in-addr.arpa.",
            "g.ip6.arpa.",
            "in-addr.test.",
        ] {
            assert_eq!(range_of(&name.parse().unwrap()), None, "{name}");
        }
    }

    #[test]
    fn other_names_are_no_address() {
        for text in [
            "2.0.192.in-addr.arpa.",
            "0.1.2.0.192.in-addr.arpa.",
            "256.2.0.192.in-addr.arpa.",
            "01.2.0.192.in-addr.arpa.",
            "+1.2.0.192.in-addr.arpa.",
            "1.2.0.192.in-addr.example.",
            "d.f.ip6.arpa.",
            "arpa.",
            ".",
        ] {
            assert_eq!(address_of(&text.parse().unwrap()), None, "{text}");
        }
    }
}
