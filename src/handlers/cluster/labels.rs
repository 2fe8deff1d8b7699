//! Labels made of addresses: endpoints and pods without a name of their own are called after theirs.

use std::fmt::Write;
use std::net::IpAddr;

use smallvec::SmallVec;

use super::objects::Endpoint;
use crate::dns::name::LABEL_MAX;

/// A label, on the stack.
pub(super) type Label = SmallVec<[u8; LABEL_MAX]>;

/// What an endpoint goes by: its host name, else the name of its pod if that is wanted and fits, else its address. Not
/// written down yet; but what is equal is the same label, and nothing else is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Called<'t> {
    /// The label that is made of an address, which another endpoint may be called by.
    At(IpAddr),
    /// Any other.
    By(&'t str),
}

impl<'t> Called<'t> {
    /// What `endpoint`, which has `address`, goes by.
    pub(super) fn of(endpoint: &'t Endpoint, address: IpAddr, is_by_pod: bool) -> Self {
        let Some(name) = own(endpoint, is_by_pod) else { return Self::At(address) };
        Sought::new(name.as_bytes()).address.map_or(Self::By(name), Self::At)
    }

    /// Written down.
    pub(super) fn label(self) -> Label {
        match self {
            Self::At(address) => of_address(address),
            Self::By(name) => Label::from_slice(name.as_bytes()),
        }
    }
}

/// The name that an endpoint has beside its address.
fn own(endpoint: &Endpoint, is_by_pod: bool) -> Option<&str> {
    // A label has no dot in it: nobody could ask for that.
    let is_label = |name: &&str| (1..=LABEL_MAX).contains(&name.len()) && !name.contains('.');
    let pod = endpoint.pod.as_deref().filter(|_| is_by_pod);
    endpoint.hostname.as_deref().filter(is_label).or_else(|| pod.filter(is_label))
}

/// `address` with dashes for its dots and colons; an IPv6 one that would end in a dash ends in `0`.
pub(super) fn of_address(address: IpAddr) -> Label {
    let mut label = Written(Label::new());
    // Writing to it never fails.
    let is_written = write!(label, "{address}").is_ok();
    debug_assert!(is_written);
    let Written(mut label) = label;
    for octet in &mut label {
        if matches!(octet, b'.' | b':') {
            *octet = b'-';
        }
    }
    if label.last() == Some(&b'-') {
        label.push(b'0');
    }
    label
}

struct Written(Label);

impl Write for Written {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// The address that `label` is made of, however it is written.
pub(super) fn address_in(label: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(label).ok().filter(|text| !text.contains(['.', ':']))?;
    let is_v4 = text.bytes().filter(|octet| *octet == b'-').count() == 3 && !text.contains("--");
    let sign = if is_v4 { b'.' } else { b':' };
    let written: Label = text.bytes().map(|octet| if octet == b'-' { sign } else { octet }).collect();
    let address: IpAddr = std::str::from_utf8(&written).ok()?.parse().ok()?;
    (address.is_ipv4() == is_v4).then_some(address)
}

/// The label of an endpoint that is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sought<'q> {
    label: &'q [u8],
    /// The address of which it is the very label.
    address: Option<IpAddr>,
}

impl<'q> Sought<'q> {
    pub(super) fn new(label: &'q [u8]) -> Self {
        let address = address_in(label).filter(|address| of_address(*address).eq_ignore_ascii_case(label));
        Self { label, address }
    }

    /// Whether `endpoint`, which has `address`, goes by it.
    pub(super) fn is(&self, endpoint: &Endpoint, address: IpAddr, is_by_pod: bool) -> bool {
        match own(endpoint, is_by_pod) {
            Some(name) => name.as_bytes().eq_ignore_ascii_case(self.label),
            None => self.address == Some(address),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn dots_and_colons_become_dashes_and_no_label_ends_in_one() {
        for (from, to) in [
            ("192.0.2.7", "192-0-2-7"),
            ("2001:db8::1", "2001-db8--1"),
            ("2001:db8::", "2001-db8--0"),
            ("::", "--0"),
            ("::1", "--1"),
        ] {
            assert_eq!(of_address(address(from)).as_slice(), to.as_bytes());
            assert_eq!(address_in(to.as_bytes()), Some(address(from)));
        }
    }

    #[test]
    fn what_is_no_address_makes_none() {
        for label in ["192-0-2", "192-0-2-256", "192-0-2-07", "x", "", "1-2-3-4-5", "192.0.2.7", "2001:db8--1"] {
            assert_eq!(address_in(label.as_bytes()), None, "{label}");
        }
    }

    proptest! {
        #[test]
        fn every_address_reads_back_from_its_label(v4: u32, v6: u128) {
            for address in [IpAddr::from(v4.to_be_bytes()), IpAddr::from(v6.to_be_bytes())] {
                let label = of_address(address);
                prop_assert!(label.len() <= LABEL_MAX && !label.spilled());
                prop_assert_eq!(address_in(&label), Some(address));
            }
        }

        #[test]
        fn no_label_panics(label in prop::collection::vec(any::<u8>(), 0..=63)) {
            prop_assert!(address_in(&label).is_none_or(|address| Sought::new(&label).address.is_none_or(|it| it == address)));
        }
    }
}
