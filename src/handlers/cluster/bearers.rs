//! Who bears a name: the addresses of a service, or its endpoints, or a part of them.

use std::net::IpAddr;

use super::labels::{Called, Label, Sought};
use super::objects::{Addresses, Endpoint, Port, Protocol, Target};
use super::table::Node;

/// Who bears a name of `node`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bearers<'t> {
    pub(super) node: &'t Node,
    pub(super) source: Source,
    pub(super) part: Part<'t>,
    /// Whether endpoints are called after their pods.
    pub(super) is_by_pod: bool,
}

/// Where the addresses come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Source {
    /// The service's own.
    Addresses,
    /// Its endpoints in this cluster.
    Endpoints,
    /// Where it is reached from outside.
    External,
    /// Those of the import.
    ImportAddresses,
    /// The endpoints in all clusters.
    ImportEndpoints,
}

/// Which of them.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part<'t> {
    All,
    Endpoint(Sought<'t>),
    /// The same, of the cluster so called.
    EndpointOf(Sought<'t>, &'t [u8]),
    Cluster(&'t [u8]),
    /// Those that run in a zone, written as labels.
    Zone(&'t [u8]),
}

/// One of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bearer<'t> {
    pub(super) address: IpAddr,
    pub(super) ports: &'t [Port],
    endpoint: Option<&'t Endpoint>,
    /// The cluster that the endpoint was imported from.
    pub(super) cluster: Option<&'t str>,
}

impl<'t> Bearers<'t> {
    /// The same with another part.
    pub(super) const fn only(self, part: Part<'t>) -> Self {
        Self { part, ..self }
    }

    /// Each of them; an endpoint may stand in two pieces for a moment.
    pub(super) fn iter(&self) -> impl Iterator<Item = Bearer<'t>> + use<'t> {
        let node = self.node;
        let (addresses, ports): (&[IpAddr], &[Port]) = match (self.source, &node.service, &node.import) {
            (Source::Addresses, Some(service), _) => (own(&service.target), &service.ports),
            (Source::External, Some(service), _) => (&service.external, &service.ports),
            (Source::ImportAddresses, _, Some(import)) => (own(&import.target), &import.ports),
            _ => (&[], &[]),
        };
        let slices = match self.source {
            Source::Endpoints | Source::ImportEndpoints => node.slices.as_slice(),
            _ => &[],
        };
        let is_import = self.source == Source::ImportEndpoints;
        let (part, is_by_pod) = (self.part, self.is_by_pod);
        let plain = addresses.iter().map(|&address| Bearer { address, ports, endpoint: None, cluster: None });
        let slices = slices.iter().filter(move |slice| slice.cluster.is_some() == is_import);
        let endpoints = slices.flat_map(|slice| {
            slice.endpoints.iter().filter_map(|endpoint| {
                Some(Bearer {
                    address: *endpoint.addresses.first()?,
                    ports: &slice.ports,
                    endpoint: Some(endpoint),
                    cluster: slice.cluster.as_deref(),
                })
            })
        });
        plain.chain(endpoints).filter(move |bearer| part.has(bearer, is_by_pod))
    }

    pub(super) fn is_any(&self) -> bool {
        self.iter().next().is_some()
    }

    /// Whether any has a port of `protocol` that can be asked for.
    pub(super) fn has_port_of(&self, protocol: Protocol) -> bool {
        self.iter().flat_map(|bearer| bearer.ports).any(|port| port.protocol == protocol && !port.name.is_empty())
    }
}

impl<'t> Bearer<'t> {
    /// What it goes by, if it has a label of its own.
    pub(super) fn called(&self, is_by_pod: bool) -> Option<Called<'t>> {
        Some(Called::of(self.endpoint?, self.address, is_by_pod))
    }

    /// The label that it goes by, if it has one of its own.
    pub(super) fn label(&self, is_by_pod: bool) -> Option<Label> {
        self.called(is_by_pod).map(Called::label)
    }
}

impl Part<'_> {
    fn has(&self, bearer: &Bearer<'_>, is_by_pod: bool) -> bool {
        let is_called = |sought: &Sought<'_>| {
            bearer.endpoint.is_some_and(|endpoint| sought.is(endpoint, bearer.address, is_by_pod))
        };
        let is_of = |cluster: &[u8]| bearer.cluster.is_some_and(|it| it.as_bytes().eq_ignore_ascii_case(cluster));
        match self {
            Self::All => true,
            Self::Endpoint(sought) => is_called(sought),
            Self::EndpointOf(sought, cluster) => is_of(cluster) && is_called(sought),
            Self::Cluster(cluster) => is_of(cluster),
            Self::Zone(wire) => bearer.endpoint.and_then(|it| it.zone.as_deref()).is_some_and(|it| is_zone(it, wire)),
        }
    }
}

fn own(target: &Target) -> &Addresses {
    const NONE: &Addresses = &Addresses::new_const();
    match target {
        Target::Addresses(addresses) => addresses,
        Target::Headless | Target::External(_) => NONE,
    }
}

/// Whether the dotted `zone` has the labels of `wire`.
fn is_zone(zone: &str, wire: &[u8]) -> bool {
    // With its dots for the octets of length, a zone is as long as its labels but for the first octet.
    let Some(labels) = wire.get(1..).filter(|labels| labels.len() == zone.len()) else { return false };
    let mut at = usize::from(*wire.first().unwrap_or(&0));
    let mut is_dot = |index: usize, octet: u8| {
        let is_length = index == at;
        if is_length {
            at += 1 + usize::from(octet);
        }
        is_length
    };
    zone.bytes().zip(labels).enumerate().all(|(index, (held, sought))| {
        if is_dot(index, *sought) { held == b'.' } else { held != b'.' && held.eq_ignore_ascii_case(sought) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_may_have_dots() {
        for (held, wire, is_same) in [
            ("eu-west-1a", &b"\x0aEU-west-1a"[..], true),
            ("a.b.cc", b"\x01a\x01b\x02cc", true),
            ("a.b.cc", b"\x01a\x04b.cc", false),
            ("a.b", b"\x03a.b", false),
            ("ab", b"\x03abc", false),
            ("", b"", false),
        ] {
            assert_eq!(is_zone(held, wire), is_same, "{held}");
        }
    }
}
