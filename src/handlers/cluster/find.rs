//! From a name to what the table has at it. Nothing here is kept or allocated: the fast tempo asks too.

use std::net::IpAddr;

use smallvec::SmallVec;

use super::bearers::{Bearers, Part, Source};
use super::labels::{self, Sought};
use super::objects::{Port, Protocol, Target};
use super::settings::{Exposed, Pods, Settings};
use super::table::{Node, Table, order};
use crate::dns::Name;
use crate::dns::name::{LABEL_MAX, NAME_MAX};

/// A zone of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Zone<'s> {
    pub(super) apex: &'s Name,
    pub(super) realm: Realm,
}

/// What a zone's names tell of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Realm {
    /// The cluster.
    Cluster,
    /// The cluster set.
    Set,
    /// What is reached from outside.
    Outside,
}

/// What there is at a name.
#[derive(Clone, Debug)]
pub(super) enum Found<'t> {
    /// Nothing.
    Denied,
    /// The name, but no record.
    Empty,
    /// The zone's own records.
    Apex,
    /// The version of the specification.
    Version,
    /// The zone's name server, which is we.
    Server,
    /// A service.
    Host(Bearers<'t>),
    /// A port of a service, and which.
    Port(Bearers<'t>, &'t str, Protocol),
    /// Another name of a service.
    Alias(&'t str),
    /// An address that the name itself tells.
    Told(IpAddr),
}

fn zones(apexes: &[Name], realm: Realm) -> impl Iterator<Item = Zone<'_>> {
    apexes.iter().map(move |apex| Zone { apex, realm })
}

impl Settings {
    /// The zone that `name` lies in: the deepest of several.
    pub(super) fn zone_of(&self, name: &Name) -> Option<Zone<'_>> {
        let outside = self.external.as_ref().map_or(&[][..], |external| &external.zones);
        let all = zones(&self.zones, Realm::Cluster)
            .chain(zones(&self.multicluster, Realm::Set))
            .chain(zones(outside, Realm::Outside));
        all.filter(|zone| name.is_within(zone.apex)).max_by_key(|zone| zone.apex.wire().len())
    }

    /// Whether `name` passes on where the cluster has nothing at it.
    pub(super) fn falls_through(&self, name: &Name) -> bool {
        self.fallthrough.iter().any(|zone| name.is_within(zone))
    }

    /// Whether what is in `namespace` has names.
    pub(super) fn exposes(&self, table: &Table, namespace: &[u8]) -> bool {
        match &self.namespaces {
            Exposed::All => true,
            Exposed::Named(names) => names.iter().any(|name| order(name, namespace).is_eq()),
            Exposed::Listed => table.space(namespace).is_some_and(|space| space.object.is_some()),
        }
    }
}

/// What `table` has at `name`, which lies in `zone`.
pub(super) fn find<'t>(table: &'t Table, settings: &'t Settings, zone: Zone<'_>, name: &'t Name) -> Found<'t> {
    // All labels there can be, on the stack.
    let labels: SmallVec<[&'t [u8]; 128]> = name.labels().collect();
    let depth = labels.len().saturating_sub(zone.apex.label_count());
    let Some(labels) = labels.get(..depth) else { return Found::Denied };
    let finder = Finder { table, settings, realm: zone.realm, name };
    match zone.realm {
        Realm::Outside => finder.outside(labels),
        Realm::Cluster | Realm::Set => finder.inside(labels),
    }
}

#[derive(Clone, Copy)]
struct Finder<'t> {
    table: &'t Table,
    settings: &'t Settings,
    realm: Realm,
    name: &'t Name,
}

/// Whether `label` is `word`, whatever the case of its letters.
fn is(label: &[u8], word: &str) -> bool {
    label.eq_ignore_ascii_case(word.as_bytes())
}

impl<'t> Finder<'t> {
    /// `labels` before the apex of a zone of the cluster, or of the cluster set.
    fn inside(self, labels: &[&'t [u8]]) -> Found<'t> {
        let has_pods = self.realm == Realm::Cluster;
        match labels {
            [] => Found::Apex,
            [version] if is(version, "dns-version") => Found::Version,
            [dns] if is(dns, "dns") => Found::Empty,
            [ns, dns] if is(ns, "ns") && is(dns, "dns") => Found::Server,
            [svc] if is(svc, "svc") => Found::Empty,
            [pod] if has_pods && is(pod, "pod") => Found::Empty,
            [namespace, svc] if is(svc, "svc") => self.namespace(namespace),
            [namespace, pod] if has_pods && is(pod, "pod") => match self.settings.pods {
                Pods::Disabled => Found::Denied,
                Pods::Insecure | Pods::Verified => self.namespace(namespace),
            },
            [address, namespace, pod] if has_pods && is(pod, "pod") => self.pod(address, namespace),
            [rest @ .., service, namespace, svc] if is(svc, "svc") => self.service(rest, service, namespace),
            _ => Found::Denied,
        }
    }

    /// `labels` before the apex of a zone of what is reached from outside.
    fn outside(self, labels: &[&'t [u8]]) -> Found<'t> {
        let Some(external) = &self.settings.external else { return Found::Denied };
        match labels {
            [] => Found::Apex,
            [apex] if is(apex, &external.apex) => Found::Empty,
            [ns1, apex] if is(ns1, "ns1") && is(apex, &external.apex) => Found::Server,
            [namespace] => self.namespace(namespace),
            [rest @ .., service, namespace] => self.service(rest, service, namespace),
        }
    }

    fn namespace(self, namespace: &[u8]) -> Found<'t> {
        let is_there = self.settings.exposes(self.table, namespace) && self.table.space(namespace).is_some();
        if is_there { Found::Empty } else { Found::Denied }
    }

    fn pod(self, label: &[u8], namespace: &[u8]) -> Found<'t> {
        let is_there = || matches!(self.namespace(namespace), Found::Empty);
        let is_of_namespace =
            |address| self.table.pods_at(address).any(|pod| order(&pod.key.namespace, namespace).is_eq());
        let Some(address) = labels::address_in(label).filter(|_| is_there()) else { return Found::Denied };
        match self.settings.pods {
            Pods::Insecure => Found::Told(address),
            Pods::Verified if is_of_namespace(address) => Found::Told(address),
            Pods::Verified | Pods::Disabled => Found::Denied,
        }
    }

    /// `rest` before the name of a service.
    fn service(self, rest: &[&'t [u8]], name: &[u8], namespace: &[u8]) -> Found<'t> {
        let node = self.table.node(namespace, name).filter(|_| self.settings.exposes(self.table, namespace));
        let Some(node) = node else { return Found::Denied };
        let source = match self.source(node) {
            Some(Ok(source)) => source,
            Some(Err(alias)) if rest.is_empty() => return Found::Alias(alias),
            _ => return Found::Denied,
        };
        let all = Bearers { node, source, part: Part::All, is_by_pod: self.settings.names_endpoints_by_pod };
        if !all.is_any() {
            return Found::Denied; // nothing is there, and so nothing below
        }
        self.below(all, rest)
    }

    /// Where the addresses of a service's name come from; or its other name.
    fn source(self, node: &'t Node) -> Option<Result<Source, &'t str>> {
        let has_endpoints = self.settings.has_endpoints;
        if self.realm == Realm::Set {
            return match &node.import.as_ref()?.target {
                Target::Addresses(_) => Some(Ok(Source::ImportAddresses)),
                Target::Headless => has_endpoints.then_some(Ok(Source::ImportEndpoints)),
                Target::External(_) => None,
            };
        }
        let service = node.service.as_ref()?;
        let is_headless = service.target == Target::Headless;
        if self.realm == Realm::Outside {
            let with_headless = self.settings.external.as_ref().is_some_and(|external| external.with_headless);
            let is_by_endpoints = is_headless && with_headless && has_endpoints && service.external.is_empty();
            return Some(Ok(if is_by_endpoints { Source::Endpoints } else { Source::External }));
        }
        match &service.target {
            Target::Addresses(_) => {
                let is_empty = || node.endpoints().all(|endpoint| endpoint.addresses.is_empty());
                let is_ignored = self.settings.ignores_empty && has_endpoints && is_empty();
                (!is_ignored).then_some(Ok(Source::Addresses))
            }
            Target::Headless => has_endpoints.then_some(Ok(Source::Endpoints)),
            // What is no name of a host cannot be the target of an alias, nor can an address.
            Target::External(name) => is_host_name(name).then_some(Err(name)),
        }
    }

    /// `rest` before the name of a service that has `all`.
    fn below(self, all: Bearers<'t>, rest: &[&'t [u8]]) -> Found<'t> {
        let is_set = all.source == Source::ImportEndpoints;
        match rest {
            [] => Found::Host(all),
            [port, protocol] if is_underscored(port) && is_underscored(protocol) => port_of(&all, all, port, protocol),
            [protocol] if protocol_of(protocol).is_some_and(|protocol| all.has_port_of(protocol)) => Found::Empty,
            [cluster] if is_set && all.only(Part::Cluster(cluster)).is_any() => Found::Empty,
            [label, cluster] if is_set => host(all.only(Part::EndpointOf(Sought::new(label), cluster))),
            [mode, zone] if is(zone, "_zone") && self.is_zonal(&all) && is_mode(mode) => Found::Empty,
            [zone] if is(zone, "_zone") && self.is_zonal(&all) => Found::Empty,
            [inner @ .., mode, zone] if is(zone, "_zone") && self.is_zonal(&all) => self.zonal(all, inner, mode),
            // A service with addresses has endpoints too.
            [label] if self.realm == Realm::Cluster && self.settings.has_endpoints => {
                let all = Bearers { source: Source::Endpoints, ..all };
                host(all.only(Part::Endpoint(Sought::new(label))))
            }
            [label] if all.source == Source::Endpoints => host(all.only(Part::Endpoint(Sought::new(label)))),
            _ => Found::Denied,
        }
    }

    /// Whether the endpoints of `all` can be told apart by the zones they run in.
    fn is_zonal(self, all: &Bearers<'_>) -> bool {
        self.realm == Realm::Cluster && all.source == Source::Endpoints
    }

    /// The endpoints of `all` in the zone that `inner` ends in, which may have dots.
    fn zonal(self, all: Bearers<'t>, inner: &[&'t [u8]], mode: &[u8]) -> Found<'t> {
        if !is_mode(mode) {
            return Found::Denied;
        }
        let (port, zone) = match inner {
            [port, protocol, zone @ ..] if is_underscored(port) && is_underscored(protocol) => {
                (Some((port, protocol)), zone)
            }
            zone => (None, zone),
        };
        if zone.is_empty() {
            return Found::Denied;
        }
        let before: usize = inner.iter().take(inner.len() - zone.len()).map(|label| 1 + label.len()).sum();
        let length: usize = zone.iter().map(|label| 1 + label.len()).sum();
        let wire = self.name.wire().get(before..before + length).unwrap_or_default();
        let inside = all.only(Part::Zone(wire));
        // Where nobody is preferred, everybody is as good.
        let chosen = if is(mode, "prefer") && !inside.is_any() { all } else { inside };
        match port {
            Some((port, protocol)) => port_of(&all, chosen, port, protocol),
            None => Found::Host(chosen),
        }
    }
}

fn host(bearers: Bearers<'_>) -> Found<'_> {
    if bearers.is_any() { Found::Host(bearers) } else { Found::Denied }
}

fn is_mode(label: &[u8]) -> bool {
    is(label, "pin") || is(label, "prefer")
}

fn is_underscored(label: &[u8]) -> bool {
    label.starts_with(b"_")
}

fn protocol_of(label: &[u8]) -> Option<Protocol> {
    Protocol::ALL.into_iter().find(|protocol| is(label, protocol.label()))
}

/// The port called `port` as those of `chosen` have it, if any of `all` has it.
fn port_of<'t>(all: &Bearers<'t>, chosen: Bearers<'t>, port: &[u8], protocol: &[u8]) -> Found<'t> {
    let Some((protocol, name)) = protocol_of(protocol).zip(port.get(1..)) else { return Found::Denied };
    let is_it = |port: &&Port| port.protocol == protocol && !name.is_empty() && order(&port.name, name).is_eq();
    match all.iter().flat_map(|bearer| bearer.ports).find(is_it) {
        Some(port) => Found::Port(chosen, &port.name, protocol),
        None => Found::Denied,
    }
}

/// Whether `text` can be the target of an alias: a host name that is no address.
fn is_host_name(text: &str) -> bool {
    let bare = text.strip_suffix('.').unwrap_or(text);
    let is_label = |label: &str| {
        let is_letter = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
        (1..=LABEL_MAX).contains(&label.len()) && label.bytes().all(is_letter)
    };
    bare.len() + 2 <= NAME_MAX && bare.split('.').all(is_label) && bare.parse::<IpAddr>().is_err()
}
