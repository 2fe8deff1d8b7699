//! Addresses, networks, upstreams and zones as people write them.

use std::net::{IpAddr, SocketAddr};

use super::cursor::{Field, Section};
use super::later;
use super::raw::quoted;
use super::types::Upstream;
use crate::base::network::NetworkFault;
use crate::base::{Network, NetworkSet};
use crate::dns::name::Name;

pub(super) const SOCKET_EXAMPLE: &str = r#"0.0.0.0:53, "[::]:53""#;
pub(super) const SOCKET_FORM: &str = r#"an address with its port, such as 127.0.0.1:5300 or "[::1]:5300""#;
const SERVER_FORM: &str = r#"an address, such as 192.0.2.1, 192.0.2.1:5353 or "[2001:db8::1]:53""#;

/// An address with its port.
pub(super) fn socket(field: &Field<'_>) -> Option<SocketAddr> {
    field.scalar(SOCKET_FORM, |text| text.parse().ok())
}

/// A word that stands for networks.
pub(super) type NetworkWord = (&'static str, fn() -> NetworkSet);

/// All addresses.
pub(super) fn any() -> NetworkSet {
    [IpAddr::from([0; 4]), IpAddr::from([0; 16])].map(|zero| Network::new(zero, 0)).into_iter().collect()
}

/// A word, or a list of networks and words.
pub(super) fn networks(field: &Field<'_>, words: &[NetworkWord]) -> Option<NetworkSet> {
    let word = |field: &Field<'_>| {
        let text = field.node.text()?;
        words.iter().find(|(word, _)| *word == text).map(|(_, networks)| networks())
    };
    if let Some(networks) = word(field) {
        return Some(networks);
    }
    let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let items = field.items(format!("{} or a list of networks, such as [10.0.0.0/8]", known.join(", ")))?;
    let mut networks: Vec<Network> = Vec::new();
    for item in items {
        match word(&item) {
            Some(set) => networks.extend(set.networks()),
            None => networks.extend(network(&item)),
        }
    }
    Some(networks.into_iter().collect())
}

/// A network, or an address that stands for itself.
pub(super) fn network(field: &Field<'_>) -> Option<Network> {
    let Some(text) = field.node.text() else {
        field.fault("a network such as 10.0.0.0/8 or fd00::/8");
        return None;
    };
    match text.parse() {
        Ok(network) => return Some(network),
        Err(NetworkFault::Address) => field.fault("a network such as 10.0.0.0/8 or fd00::/8"),
        Err(NetworkFault::Length) => {
            field.fault("a network such as 10.0.0.0/8 (the length is at most 32 for IPv4, 128 for IPv6)");
        }
        Err(NetworkFault::HostBits) => {
            let meant = text.split_once('/').and_then(|(address, length)| {
                Some(Network::new(address.parse().ok()?, length.parse().ok()?).to_string())
            });
            let meant = meant.as_deref().unwrap_or("10.0.0.0/8");
            field.fault(format!("a network such as {meant} (bits behind the prefix are set)"));
        }
    }
    None
}

/// A server's address; without a port, it is `port`.
pub(super) fn server(field: &Field<'_>, port: u16) -> Option<SocketAddr> {
    field.scalar(SERVER_FORM, |text| address(text, port))
}

/// A resolver to forward to: an address, perhaps behind a transport.
pub(super) fn upstream(field: &Field<'_>) -> Option<Upstream> {
    const PORT: u16 = 53;
    const FORM: &str = r#"an address, such as 192.0.2.1, udp://192.0.2.1:5353, tcp://192.0.2.1 or "[2001:db8::1]:53""#;
    let (scheme, rest) = field.node.text().map_or((None, ""), |text| match text.split_once("://") {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, text),
    });
    let is_tcp_only = match scheme {
        None | Some("udp") => false,
        Some("tcp") => true,
        Some(scheme) if later::TRANSPORTS.contains(&scheme) => {
            field.fault(format!("udp:// or tcp:// ({})", later::not_yet(&format!("{scheme}://"))));
            return None;
        }
        Some(_) => {
            field.fault(FORM);
            return None;
        }
    };
    field.scalar(FORM, |_| address(rest, PORT)).map(|address| Upstream { address, is_tcp_only })
}

fn address(text: &str, port: u16) -> Option<SocketAddr> {
    let bare = || text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text).parse().ok();
    let address = text.parse().ok().or_else(|| bare().map(|address: IpAddr| SocketAddr::new(address, port)))?;
    let is_askable = address.port() != 0 && !address.ip().is_unspecified() && !address.ip().is_multicast();
    is_askable.then_some(address)
}

/// A mapping from zones to their servers, each zone once and with at least one server.
pub(super) fn zones<S>(
    section: &mut Section<'_>,
    key: &'static str,
    mut read: impl FnMut(&Field<'_>) -> Option<S>,
) -> Vec<(Name, Vec<S>)> {
    let Some(field) = section.take(key).filter(|field| !field.node.is_off()) else { return Vec::new() };
    let mut zones: Vec<(Name, Vec<S>)> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for (text, at, servers) in field.entries("a mapping such as {corp.example: [192.0.2.1]}").unwrap_or_default() {
        let zone: Name = match text.parse() {
            Ok(zone) => zone,
            Err(fault) => {
                servers.fault_at(at, quoted(text), format!("a domain name such as corp.example ({fault})"));
                continue;
            }
        };
        if !seen.insert(zone.clone()) {
            servers.fault_at(at, format!("the zone {zone} again"), "each zone once");
        }
        let allowed = "a list of addresses, such as [192.0.2.1, \"2001:db8::1\"]";
        if servers.node.is_empty() {
            servers.fault(allowed);
            continue;
        }
        let items = servers.items(allowed).unwrap_or_default();
        zones.push((zone, items.iter().filter_map(&mut read).collect()));
    }
    zones
}
