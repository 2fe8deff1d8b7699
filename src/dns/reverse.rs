//! Addresses as names: in-addr.arpa (RFC 1035 §3.5) and ip6.arpa (RFC 3596 §2.5).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use smallvec::SmallVec;

use super::Name;

/// The address whose reverse name is `name`; none for any other name, a zone above included.
#[must_use]
pub fn address_of(name: &Name) -> Option<IpAddr> {
    let labels: SmallVec<[&[u8]; 34]> = name.labels().take(35).collect();
    let (digits, ending) = labels.split_at_checked(labels.len().checked_sub(2)?)?;
    let [tree, arpa] = ending else { return None };
    if !arpa.eq_ignore_ascii_case(b"arpa") {
        return None;
    }
    if tree.eq_ignore_ascii_case(b"in-addr") && digits.len() == 4 {
        let bits = digits.iter().rev().try_fold(0u32, |bits, label| Some(bits << 8 | u32::from(octet(label)?)))?;
        return Some(Ipv4Addr::from_bits(bits).into());
    }
    if tree.eq_ignore_ascii_case(b"ip6") && digits.len() == 32 {
        let bits = digits.iter().rev().try_fold(0u128, |bits, label| Some(bits << 4 | u128::from(nibble(label)?)))?;
        return Some(Ipv6Addr::from_bits(bits).into());
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
