//! The servers of a Corefile: for which zones, at which port, with which plugins.

use super::draft::{Note, Weight};
use super::reading::{Line, Spot, Unreadable};
use crate::base::Network;
use crate::dns::Name;

/// The port where nothing else is said.
const PORT: u16 = 53;

/// A server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Server {
    /// Where its block begins.
    pub spot: Spot,
    /// Its zones, at least one.
    pub zones: Vec<Name>,
    /// Its ports, at least one.
    pub ports: Vec<u16>,
    /// Its plugins, in the order of the Corefile, which decides nothing.
    pub plugins: Vec<Line>,
}

impl Server {
    /// The lines of one plugin.
    pub(super) fn all<'s>(&'s self, plugin: &'s str) -> impl Iterator<Item = &'s Line> {
        self.plugins.iter().filter(move |line| line.name() == plugin)
    }
}

/// The servers of the lines, and what is to be known of them.
pub(super) fn servers(lines: &[Line]) -> Result<(Vec<Server>, Vec<Note>), Unreadable> {
    let (mut servers, mut notes) = (Vec::new(), Vec::new());
    let Some(first) = lines.first() else {
        let spot = Spot { file: "Corefile".into(), line: 1 };
        return Err(Unreadable { spot, why: "nothing in it".into() });
    };
    // A Corefile of one server may do without braces: then all lines behind the first are its plugins.
    let is_bare = !first.has_block;
    let blocks: Vec<(&Line, &[Line])> = match lines.split_first() {
        Some((first, rest)) if is_bare => vec![(first, rest)],
        _ => lines.iter().map(|line| (line, line.block.as_slice())).collect(),
    };
    for (head, plugins) in blocks {
        let (mut zones, mut ports): (Vec<Name>, Vec<u16>) = (Vec::new(), Vec::new());
        for key in &head.words {
            let (own, port) = match address(key) {
                Ok(read) => read,
                Err(Address::Encrypted(scheme)) => {
                    let why = format!("{scheme} is not served yet; {key} is left out");
                    notes.push(Note { spot: head.spot.clone(), plugin: key.clone(), weight: Weight::Lost, why });
                    continue;
                }
                Err(Address::Wrong) => {
                    return Err(Unreadable { spot: head.spot.clone(), why: format!("{key} is no zone with a port") });
                }
            };
            zones.extend(own.into_iter().filter(|zone| !zones.contains(zone)).collect::<Vec<_>>());
            if !ports.contains(&port) {
                ports.push(port);
            }
        }
        if !zones.is_empty() {
            servers.push(Server { spot: head.spot.clone(), zones, ports, plugins: plugins.to_vec() });
        }
    }
    if servers.is_empty() {
        return Err(Unreadable {
            spot: first.spot.clone(),
            why: "all of its servers are of a kind not served yet".into(),
        });
    }
    Ok((servers, notes))
}

/// The zones of other servers that lie inside those of the one of number `at`.
pub(super) fn inner(servers: &[Server], at: usize) -> Vec<Name> {
    let Some(own) = servers.get(at) else { return Vec::new() };
    let others = servers.iter().enumerate().filter(|(number, _)| *number != at).flat_map(|(_, server)| &server.zones);
    let mut inner: Vec<Name> = others.filter(|zone| own.zones.iter().any(|own| zone.is_below(own))).cloned().collect();
    inner.sort();
    inner.dedup();
    inner
}

enum Address {
    Encrypted(String),
    Wrong,
}

/// The zones and the port of a server's key, such as `.:53`, `dns://example.org` or `10.0.0.0/24`.
fn address(key: &str) -> Result<(Vec<Name>, u16), Address> {
    let rest = match key.split_once("://") {
        Some(("dns", rest)) => rest,
        Some((scheme @ ("tls" | "https" | "https3" | "grpc" | "quic"), _)) => {
            return Err(Address::Encrypted(format!("{scheme}://")));
        }
        Some(_) => return Err(Address::Wrong),
        None => key,
    };
    let (zone, port) = match rest.rsplit_once(':') {
        // An IPv6 network has colons of its own, and no port can follow its length.
        Some((zone, port)) if !port.contains('/') && !port.is_empty() => {
            (zone, port.parse().map_err(|_| Address::Wrong)?)
        }
        Some((zone, "")) => (zone, PORT),
        _ => (rest, PORT),
    };
    let zone = if zone.is_empty() { "." } else { zone };
    zones_of(zone).map(|zones| (zones, port)).ok_or(Address::Wrong)
}

/// The zone written as `text`; of a network all its reverse zones.
pub(super) fn zones_of(text: &str) -> Option<Vec<Name>> {
    if !text.contains('/') {
        return text.parse().ok().map(|zone| vec![zone]);
    }
    let network: Network = text.parse().ok()?;
    let unit = if text.contains(':') { 4 } else { 8 };
    let length = usize::from(network.prefix_length());
    let whole = length.div_ceil(unit);
    let octets: Vec<u8> = match text.split('/').next()?.parse().ok()? {
        std::net::IpAddr::V4(v4) => v4.octets().to_vec(),
        std::net::IpAddr::V6(v6) => v6.octets().iter().flat_map(|octet| [octet >> 4, octet & 15]).collect(),
    };
    // A length inside of a label takes as many zones as the label has values in the network.
    let free = whole * unit - length;
    let zones = (0..1_u32 << free).map(|number| {
        let labels = octets.iter().take(whole).enumerate().map(|(at, octet)| {
            let value = if at + 1 == whole { u32::from(*octet) + number } else { u32::from(*octet) };
            if unit == 8 { value.to_string() } else { format!("{value:x}") }
        });
        let mut labels: Vec<String> = labels.collect();
        labels.reverse();
        labels.push(if unit == 8 { "in-addr.arpa.".to_owned() } else { "ip6.arpa.".to_owned() });
        labels.join(".").parse().ok()
    });
    zones.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zones(text: &str) -> Vec<String> {
        zones_of(text).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn networks_are_their_reverse_zones() {
        assert_eq!(zones("10.0.0.0/24"), ["0.0.10.in-addr.arpa."]);
        assert_eq!(zones("10.0.4.0/23"), ["4.0.10.in-addr.arpa.", "5.0.10.in-addr.arpa."]);
        assert_eq!(zones("2001:db8::/32"), ["8.b.d.0.1.0.0.2.ip6.arpa."]);
        assert_eq!(zones("2001:db8:8000::/34").len(), 4);
        assert_eq!(zones("0.0.0.0/0"), ["in-addr.arpa."]);
        assert_eq!(zones_of("10.0.0.1/24"), None);
    }

    #[test]
    fn keys_have_zones_and_ports() {
        let read = |key: &str| address(key).map(|(zones, port)| format!("{} {port}", zones[0])).ok();
        for (key, told) in [
            (".", ". 53"),
            (".:1053", ". 1053"),
            (":54", ". 54"),
            ("dns://Example.org:53", "Example.org. 53"),
            ("10.0.0.0/24:53", "0.0.10.in-addr.arpa. 53"),
            ("2001:db8::/32", "8.b.d.0.1.0.0.2.ip6.arpa. 53"),
        ] {
            assert_eq!(read(key).as_deref(), Some(told), "{key}");
        }
        assert!(matches!(address("tls://."), Err(Address::Encrypted(_))));
        assert!(matches!(address("example.org:http"), Err(Address::Wrong)));
        assert!(matches!(address("ftp://x"), Err(Address::Wrong)));
    }
}
