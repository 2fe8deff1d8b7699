//! The key `recursion.forward`: zones whose questions go to other resolvers.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use super::addresses;
use super::cursor::{Field, Section};
use super::raw::{Value, quoted};
use super::types::{ForwardOrder, ForwardZone, Upstream};
use crate::base::bounds;
use crate::dns::Name;
use crate::edge::files::read_octets;

const FORM: &str = "a mapping such as {corp.example: [192.0.2.1]}";
const TO: &str = "nobody, a list of addresses, such as [192.0.2.1, \"2001:db8::1\"], or a mapping such as \
                  {to: [192.0.2.1, 192.0.2.2], policy: random}";
const CONCURRENT_MAX: u32 = bounds::FORWARD_EXCHANGES as u32;
/// The port of the servers in a file of the resolver's library.
const PORT: u16 = 53;

/// Whether a server may be asked; it says of the field why not.
pub(super) type IsUsable<'u> = dyn Fn(&Field<'_>, SocketAddr) -> bool + 'u;

/// Reads the zones, each once; `is_us` tells of an address that is our own.
pub(super) fn read(
    section: &mut Section<'_>,
    is_usable: &IsUsable<'_>,
    is_us: &dyn Fn(SocketAddr) -> bool,
) -> Vec<ForwardZone> {
    let Some(field) = section.take("forward").filter(|field| !field.node.is_off()) else { return Vec::new() };
    let mut zones: Vec<ForwardZone> = Vec::new();
    for (text, at, to) in field.entries(FORM).unwrap_or_default() {
        let zone: Name = match text.parse() {
            Ok(zone) => zone,
            Err(fault) => {
                to.fault_at(at, quoted(text), format!("a domain name such as corp.example ({fault})"));
                continue;
            }
        };
        if zones.iter().any(|earlier| earlier.zone == zone) {
            to.fault_at(at, format!("the zone {zone} again"), "each zone once");
        }
        zones.push(zone_of(zone, &to, is_usable, is_us));
    }
    zones
}

fn zone_of(zone: Name, field: &Field<'_>, is_usable: &IsUsable<'_>, is_us: &dyn Fn(SocketAddr) -> bool) -> ForwardZone {
    let mut forward = ForwardZone::new(zone, Vec::new());
    match &field.node.value {
        Value::Map(_) => {
            let Some(mut section) = field.section(TO) else { return forward };
            if let Some(to) = section.require("to", TO) {
                upstreams(&to, &mut forward, is_usable, is_us);
            }
            let orders = [
                ("sequential", ForwardOrder::Given),
                ("random", ForwardOrder::Random),
                ("round_robin", ForwardOrder::RoundRobin),
            ];
            forward.order = section.choice("policy", ForwardOrder::Given, &orders);
            if section.take("max_concurrent").is_some_and(|field| !field.node.is_off()) {
                forward.concurrent = Some(section.number("max_concurrent", CONCURRENT_MAX, 1..=CONCURRENT_MAX));
            }
            section.close();
        }
        _ if field.node.text() == Some("nobody") => {}
        _ => upstreams(field, &mut forward, is_usable, is_us),
    }
    forward
}

fn upstreams(
    field: &Field<'_>,
    forward: &mut ForwardZone,
    is_usable: &IsUsable<'_>,
    is_us: &dyn Fn(SocketAddr) -> bool,
) {
    let items = match &field.node.value {
        Value::Text(text) if text.starts_with('/') => vec![field.clone()],
        _ if field.node.is_empty() => return field.fault(TO),
        _ => field.items(TO).unwrap_or_default(),
    };
    for item in items {
        match item.node.text() {
            Some(path) if path.starts_with('/') => {
                let path = PathBuf::from(path);
                item.note_path(&path);
                forward.upstreams.extend(of_file(&item, &path, is_us));
                forward.files.push(path);
            }
            _ => forward.upstreams.extend(addresses::upstream(&item).filter(|one| is_usable(&item, one.address))),
        }
    }
}

/// The servers in a file such as /etc/resolv.conf.
fn of_file(field: &Field<'_>, path: &std::path::Path, is_us: &dyn Fn(SocketAddr) -> bool) -> Vec<Upstream> {
    const ALLOWED: &str = "a file with lines such as `nameserver 192.0.2.1`";
    let text = match read_octets(path, bounds::TEXT_FILE_MAX) {
        Ok((octets, _)) => String::from_utf8_lossy(&octets).into_owned(),
        Err(fault) => {
            field.fault_found(format!("{} ({fault})", path.display()), ALLOWED);
            return Vec::new();
        }
    };
    let servers: Vec<SocketAddr> = servers(&text).map(|ip| SocketAddr::new(ip, PORT)).collect();
    let (ours, others): (Vec<_>, Vec<_>) = servers.into_iter().partition(|server| is_us(*server));
    for server in &ours {
        field.lint(
            format!("{server} in {}", path.display()),
            "another server (we listen there ourselves, so it is not asked)",
        );
    }
    if ours.is_empty() && others.is_empty() {
        field.fault_found(format!("{} without a server", path.display()), ALLOWED);
    }
    others.into_iter().map(|address| Upstream { address, is_tcp_only: false }).collect()
}

/// The name servers that a file for the resolver's library names (resolv.conf(5)).
fn servers(text: &str) -> impl Iterator<Item = IpAddr> {
    text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let word = words.next().filter(|word| *word == "nameserver").and(words.next())?;
        let bare = word.split('%').next().unwrap_or_default();
        bare.parse().ok().filter(|ip: &IpAddr| !ip.is_unspecified() && !ip.is_multicast())
    })
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::path::Path;

    use super::*;
    use crate::app::config::{Machine, Severity, load};

    fn read(text: &str) -> Result<(Vec<ForwardZone>, usize), Vec<String>> {
        let machine = Machine { cores: NonZeroUsize::MIN, memory: None };
        let checked = load(Path::new("x"), text.as_bytes(), &machine);
        let forward = |config: crate::app::config::Config| config.recursion.unwrap().forward;
        checked.map(|checked| (forward(checked.config), checked.lints.len())).map_err(|noted| {
            let faults = noted.iter().filter(|fault| fault.severity == Severity::Fault);
            faults.map(|fault| fault.key.clone()).collect()
        })
    }

    #[test]
    fn a_zone_has_a_list_or_a_mapping_or_nobody() {
        let text = "recursion: {forward: {a: [192.0.2.1], b: {to: [tcp://192.0.2.1, 192.0.2.2], policy: round_robin, \
                    max_concurrent: 7}, c: nobody}}";
        let (zones, _) = read(text).unwrap();
        let told: Vec<_> = zones.iter().map(|zone| (zone.upstreams.len(), zone.order, zone.concurrent)).collect();
        let (given, round) = (ForwardOrder::Given, ForwardOrder::RoundRobin);
        assert_eq!(told, [(1, given, None), (2, round, Some(7)), (0, given, None)]);
    }

    #[test]
    fn the_servers_of_a_file_are_asked_but_for_ourselves() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("resolv.conf");
        let read = |content: &str| {
            std::fs::write(&path, content).unwrap();
            read(&format!(
                "{{listen: ['0.0.0.0:53'], recursion: {{dnssec: off, forward: {{.: ['{}']}}}}}}",
                path.display()
            ))
        };
        let (zones, lints) = read(
            "search x\nnameserver 192.0.2.1\n#nameserver 192.0.2.2\nnameserver 127.0.0.53\nnameserver fe80::1%eth0\n",
        )
        .unwrap();
        let servers: Vec<String> = zones[0].upstreams.iter().map(|one| one.address.to_string()).collect();
        assert_eq!((servers, lints), (vec!["192.0.2.1:53".to_owned(), "[fe80::1]:53".to_owned()], 1));
        assert_eq!(zones[0].files, std::slice::from_ref(&path));
        assert!(read("search x\n").is_err());
    }

    #[test]
    fn what_is_wrong_is_told() {
        for forward in [
            "{a: []}",
            "{a: 192.0.2.300}",
            "{a: [/nowhere/at/all]}",
            "{a: {policy: random}}",
            "{a: {to: [192.0.2.1], max_concurrent: 0}}",
            "{a: {to: [192.0.2.1], policy: best}}",
            "{a..b: [192.0.2.1]}",
            "[a]",
        ] {
            assert!(read(&format!("recursion: {{forward: {forward}}}")).is_err(), "{forward}");
        }
    }
}
