//! The block `kubernetes.node_local`: a node's own cache before the cluster's servers.
//!
//! It is an ordinary forwarder: more addresses to listen on, and the cluster's names forwarded over TCP, which no NAT
//! table of the node has to remember and which tells at once when a server has gone.

use std::net::{IpAddr, SocketAddr};

use super::super::addresses;
use super::super::cursor::{Field, Report};
use super::super::fault::Severity;
use super::super::raw::{Node, Value};
use super::super::types::{Config, ForwardZone, Listen, Upstream};
use crate::base::Network;
use crate::dns::Name;
use crate::handlers::cluster::Settings;

/// A node's own cache.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeLocal {
    /// Where it listens besides `listen`; at least one.
    pub addresses: Vec<SocketAddr>,
    /// The interface that is made to have these addresses; none if somebody else sees to it.
    pub interface: Option<Box<str>>,
    /// The cluster's servers; at least one.
    pub upstream: Vec<SocketAddr>,
}

const FORM: &str = "off, or a mapping such as {addresses: [169.254.20.10], interface: nodelocaldns}";
const SERVERS: &str = "the name of a service, such as kube-dns-upstream, or a list of addresses";
const PORT: u16 = 53;
/// The service whose address is looked for if no other is named: the cluster's servers under a name that no node-local
/// cache listens for.
const UPSTREAM: &str = "kube-dns-upstream";
/// Octets that the system allows for an interface's name.
const INTERFACE_MAX: usize = 15;

pub(super) fn read(field: &Field<'_>) -> Option<NodeLocal> {
    let mut section = field.section(FORM)?;
    let addresses = section.require("addresses", "a list of addresses, such as [169.254.20.10, 10.96.0.10]");
    let addresses: Vec<SocketAddr> = addresses.map_or_else(Vec::new, |field| servers(&field));
    let interface = section.take("interface").filter(|field| !field.node.is_off());
    let interface = interface.and_then(|field| {
        let read = |text: &str| is_interface(text).then(|| text.into());
        field.scalar("off, or the name of an interface, of 1 to 15 letters, digits, `-`, `_` or `.`", read)
    });
    let upstream = match section.take("upstream") {
        Some(field) if matches!(field.node.value, Value::List(_)) => servers(&field),
        Some(field) => field.scalar(SERVERS, super::label).map_or_else(Vec::new, |name| service(&name, &field)),
        None => service(UPSTREAM, field),
    };
    section.close();
    if let Some(own) = upstream.iter().find(|server| addresses.contains(server)) {
        field.fault_found(format!("{own} in addresses and in upstream"), "another server to ask than ourselves");
    }
    if addresses.is_empty() {
        field.fault_found("no addresses", FORM);
    }
    Some(NodeLocal { addresses, interface, upstream })
}

fn servers(field: &Field<'_>) -> Vec<SocketAddr> {
    let servers: Vec<_> = field.each().iter().filter_map(|item| addresses::server(item, PORT)).collect();
    if field.node.is_empty() {
        field.fault("at least one address");
    }
    servers
}

fn is_interface(text: &str) -> bool {
    let is_plain = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.".contains(&octet);
    (1..=INTERFACE_MAX).contains(&text.len()) && text.bytes().all(is_plain) && !text.starts_with(['.', '-'])
}

/// What a cluster tells its pods of a service of their namespace that was there before them.
fn service(name: &str, field: &Field<'_>) -> Vec<SocketAddr> {
    let variable = format!("{}_SERVICE_HOST", name.to_ascii_uppercase().replace('-', "_"));
    let told = std::env::var(&variable).ok().and_then(|text| text.parse().ok());
    if told.is_none() {
        let found = format!("the service {name}, of which the environment tells no address in {variable}");
        field.fault_found(
            found,
            "`upstream`: a service of the pod's own namespace that was there before it, or a list of addresses",
        );
    }
    told.map(|address: IpAddr| SocketAddr::new(address, PORT)).into_iter().collect()
}

/// Makes the configuration that of the node's cache, where one is asked for: it listens there, and the cluster's names
/// are forwarded.
pub(in super::super) fn move_in(config: &mut Config, tree: &Node, report: &Report) {
    let Some(kubernetes) = &config.kubernetes else { return };
    let Some(NodeLocal { addresses, upstream, .. }) = &kubernetes.node_local else { return };
    if tree.entry("listen").is_none() {
        config.listen.clear(); // who says nothing else listens there alone
    }
    let known: Vec<SocketAddr> = config.listen.iter().map(|listen| listen.address).collect();
    let new = addresses.iter().filter(|address| !known.contains(address));
    config.listen.extend(new.map(|&address| Listen { address }));
    let Some(recursion) = &mut config.recursion else {
        let (at, allowed) = (tree.entry("recursion").unwrap_or(tree).at, "a block; a node's cache forwards");
        report.note(Severity::Fault, at, "recursion", "off, beside kubernetes.node_local", allowed);
        return;
    };
    for zone in zones(&kubernetes.names) {
        // The cluster signs nothing, and what the public tree says of its names is of no matter.
        if let Some(dnssec) = &mut recursion.dnssec {
            dnssec.negative.push(zone.clone());
        }
        if !recursion.forward.iter().any(|forward| forward.zone == zone) {
            let upstreams = upstream.iter().map(|&address| Upstream { address, is_tcp_only: true }).collect();
            recursion.forward.push(ForwardZone::new(zone, upstreams));
        }
    }
}

/// The zones that the cluster's servers answer.
fn zones(names: &Settings) -> Vec<Name> {
    let external = names.external.iter().flat_map(|external| &external.zones);
    let mut zones: Vec<Name> = names.zones.iter().chain(&names.multicluster).chain(external).cloned().collect();
    zones.extend(names.reverse.networks().iter().filter_map(reverse_zone));
    zones.sort();
    zones.dedup();
    zones
}

/// The smallest zone that has the reverse names of a whole network; of those outside, the cluster's servers tell what
/// others do.
fn reverse_zone(network: &Network) -> Option<Name> {
    let length = usize::from(network.prefix_length());
    let (labels, ending): (Vec<String>, &str) = match network.address() {
        IpAddr::V4(v4) => {
            let octets = v4.octets();
            (octets.iter().take(length / 8).map(ToString::to_string).collect(), "in-addr.arpa")
        }
        IpAddr::V6(v6) => {
            let digits = format!("{:032x}", v6.to_bits());
            (digits.chars().take(length / 4).map(String::from).collect(), "ip6.arpa")
        }
    };
    let labels: Vec<&str> = labels.iter().rev().map(String::as_str).chain([ending]).collect();
    labels.join(".").parse().ok()
}
