//! What the API says of an object, read straight into what names follow from.
//!
//! An object is read once, without a tree in between; what does not matter for names is skipped where it stands. Go writes
//! `null` for an empty list, so every member may be null as well as missing.

use std::borrow::Cow;
use std::net::IpAddr;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::access::shorten;
use crate::handlers::cluster::objects::{
    Addresses, Endpoint, Import, Key, Kind, Namespace, Object, Pod, Port, Protocol, Service, Slice, Target,
};

/// An object as the API told it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Told {
    /// Which.
    pub(super) key: Key,
    /// What names follow from; none where none do, as of a Pod that has ended.
    pub(super) object: Option<Object>,
    /// The version of the store that it is of; empty for the items of some lists.
    pub(super) version: Box<str>,
}

type Text<'a> = Option<Cow<'a, str>>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "L: Deserialize<'de>, A: Deserialize<'de>"))]
struct Whole<'a, L = IgnoredAny, A = IgnoredAny> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    namespace: Text<'a>,
    #[serde(borrow)]
    resource_version: Text<'a>,
    labels: Option<L>,
    annotations: Option<A>,
}

impl<L, A> Whole<'_, L, A> {
    fn key(&self) -> Option<Key> {
        Some(Key {
            namespace: text(self.namespace.as_ref()),
            name: self.name.as_deref().filter(|name| !name.is_empty())?.into(),
        })
    }

    fn version(&self) -> Box<str> {
        text(self.resource_version.as_ref())
    }
}

fn text(of: Option<&Cow<'_, str>>) -> Box<str> {
    of.map(AsRef::as_ref).unwrap_or_default().into()
}

fn filled(of: Option<&Cow<'_, str>>) -> Option<Box<str>> {
    of.filter(|text| !text.is_empty()).map(|text| text.as_ref().into())
}

#[derive(Deserialize)]
struct NamespaceWire<'a> {
    #[serde(borrow)]
    metadata: Whole<'a, std::collections::BTreeMap<Cow<'a, str>, Cow<'a, str>>>,
}

#[derive(Deserialize)]
struct ServiceWire<'a> {
    #[serde(borrow)]
    metadata: Whole<'a>,
    #[serde(borrow)]
    spec: Option<ServiceSpec<'a>>,
    #[serde(borrow)]
    status: Option<ServiceStatus<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServiceSpec<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow, rename = "clusterIP")]
    cluster_ip: Text<'a>,
    #[serde(borrow, rename = "clusterIPs")]
    cluster_ips: Option<Vec<Cow<'a, str>>>,
    #[serde(borrow, rename = "externalIPs")]
    external_ips: Option<Vec<Cow<'a, str>>>,
    #[serde(borrow)]
    external_name: Text<'a>,
    #[serde(borrow)]
    ports: Option<Vec<PortWire<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServiceStatus<'a> {
    #[serde(borrow)]
    load_balancer: Option<LoadBalancer<'a>>,
}

#[derive(Deserialize)]
struct LoadBalancer<'a> {
    #[serde(borrow)]
    ingress: Option<Vec<At<'a>>>,
}

#[derive(Deserialize)]
struct At<'a> {
    #[serde(borrow)]
    ip: Text<'a>,
}

#[derive(Deserialize)]
struct PortWire<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    protocol: Text<'a>,
    port: Option<u16>,
}

#[derive(Deserialize)]
struct SliceLabels<'a> {
    #[serde(borrow, rename = "kubernetes.io/service-name")]
    service: Text<'a>,
    #[serde(borrow, rename = "multicluster.kubernetes.io/service-name")]
    imported: Text<'a>,
    #[serde(borrow, rename = "multicluster.kubernetes.io/source-cluster")]
    cluster: Text<'a>,
}

#[derive(Deserialize)]
struct SliceAnnotations<'a> {
    #[serde(borrow, rename = "endpoints.kubernetes.io/last-change-trigger-time")]
    triggered: Text<'a>,
}

#[derive(Deserialize)]
struct SliceWire<'a> {
    #[serde(borrow)]
    metadata: Whole<'a, SliceLabels<'a>, SliceAnnotations<'a>>,
    #[serde(borrow)]
    endpoints: Option<Vec<EndpointWire<'a>>>,
    #[serde(borrow)]
    ports: Option<Vec<PortWire<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EndpointWire<'a> {
    #[serde(borrow)]
    addresses: Option<Vec<Cow<'a, str>>>,
    conditions: Option<Conditions>,
    #[serde(borrow)]
    hostname: Text<'a>,
    #[serde(borrow)]
    target_ref: Option<Reference<'a>>,
    #[serde(borrow)]
    zone: Text<'a>,
}

#[derive(Deserialize)]
struct Conditions {
    ready: Option<bool>,
}

#[derive(Deserialize)]
struct Reference<'a> {
    #[serde(borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
}

#[derive(Deserialize)]
struct PodWire<'a> {
    #[serde(borrow)]
    metadata: Whole<'a>,
    #[serde(borrow)]
    status: Option<PodStatus<'a>>,
    spec: Option<PodSpec>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodSpec {
    host_network: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodStatus<'a> {
    #[serde(borrow)]
    phase: Text<'a>,
    #[serde(borrow, rename = "podIP")]
    pod_ip: Text<'a>,
    #[serde(borrow, rename = "podIPs")]
    pod_ips: Option<Vec<At<'a>>>,
    #[serde(borrow)]
    start_time: Text<'a>,
}

#[derive(Deserialize)]
struct ImportWire<'a> {
    #[serde(borrow)]
    metadata: Whole<'a>,
    #[serde(borrow)]
    spec: Option<ImportSpec<'a>>,
}

#[derive(Deserialize)]
struct ImportSpec<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    ips: Option<Vec<Cow<'a, str>>>,
    #[serde(borrow)]
    ports: Option<Vec<PortWire<'a>>>,
}

/// Reads an object of `kind`. None for what is not even JSON of its form, or has no name.
pub(super) fn decode(kind: Kind, json: &[u8]) -> Option<Told> {
    match kind {
        Kind::Namespace => namespace(&serde_json::from_slice(json).ok()?),
        Kind::Service => service(&serde_json::from_slice(json).ok()?),
        Kind::Slice => slice(&serde_json::from_slice(json).ok()?),
        Kind::Pod => pod(&serde_json::from_slice(json).ok()?),
        Kind::Import => import(&serde_json::from_slice(json).ok()?),
    }
}

fn namespace(wire: &NamespaceWire<'_>) -> Option<Told> {
    let key = wire.metadata.key()?;
    let labels = wire.metadata.labels.iter().flatten();
    let labels = labels.map(|(name, value)| (name.as_ref().into(), value.as_ref().into())).collect();
    let object = Object::Namespace(Namespace { name: key.name.clone(), labels });
    Some(Told { key, object: Some(object), version: wire.metadata.version() })
}

fn service(wire: &ServiceWire<'_>) -> Option<Told> {
    let key = wire.metadata.key()?;
    let object = wire.spec.as_ref().and_then(|spec| {
        let addresses = match &spec.cluster_ips {
            Some(several) if !several.is_empty() => several.iter().map(AsRef::as_ref).collect(),
            _ => vec![spec.cluster_ip.as_deref().unwrap_or_default()],
        };
        let target = if spec.kind.as_deref() == Some("ExternalName") {
            Target::External(filled(spec.external_name.as_ref())?)
        } else if addresses.first() == Some(&"None") {
            Target::Headless
        } else {
            // Without an address it is still being made.
            Target::Addresses(Some(read_all(addresses)).filter(|addresses| !addresses.is_empty())?)
        };
        let balanced = wire.status.iter().filter_map(|status| status.load_balancer.as_ref());
        let balanced =
            balanced.flat_map(|balancer| balancer.ingress.iter().flatten()).filter_map(|at| at.ip.as_deref());
        let external = read_all(spec.external_ips.iter().flatten().map(AsRef::as_ref).chain(balanced));
        Some(Object::Service(Service { key: key.clone(), target, ports: ports(spec.ports.as_deref()), external }))
    });
    Some(Told { key, object, version: wire.metadata.version() })
}

fn slice(wire: &SliceWire<'_>) -> Option<Told> {
    let key = wire.metadata.key()?;
    let object = wire.metadata.labels.as_ref().and_then(|labels| {
        let cluster = labels.imported.as_ref().and(filled(labels.cluster.as_ref()));
        let service = if cluster.is_some() { &labels.imported } else { &labels.service };
        let service = filled(service.as_ref())?;
        let endpoints = wire.endpoints.iter().flatten().filter_map(endpoint).collect();
        let triggered = wire.metadata.annotations.as_ref().and_then(|annotations| annotations.triggered.as_deref());
        let triggered = triggered.and_then(moment).and_then(|moment| u64::try_from(moment.as_millisecond()).ok());
        let ports = ports(wire.ports.as_deref());
        Some(Object::Slice(Slice { key: key.clone(), service, cluster, ports, endpoints, triggered }))
    });
    Some(Told { key, object, version: wire.metadata.version() })
}

fn endpoint(wire: &EndpointWire<'_>) -> Option<Endpoint> {
    // Not told is ready (the API's reference, EndpointConditions).
    let is_ready = wire.conditions.as_ref().and_then(|conditions| conditions.ready).unwrap_or(true);
    // A slice of host names has none.
    let addresses = read_all(wire.addresses.iter().flatten().map(AsRef::as_ref));
    if !is_ready || addresses.is_empty() {
        return None;
    }
    let behind = wire.target_ref.as_ref().filter(|behind| behind.kind.as_deref() == Some("Pod"));
    let pod = behind.and_then(|behind| filled(behind.name.as_ref()));
    Some(Endpoint { addresses, hostname: filled(wire.hostname.as_ref()), pod, zone: filled(wire.zone.as_ref()) })
}

fn pod(wire: &PodWire<'_>) -> Option<Told> {
    let key = wire.metadata.key()?;
    let object = wire.status.as_ref().and_then(|status| {
        // Its addresses may be another's by now.
        if matches!(status.phase.as_deref(), Some("Succeeded" | "Failed")) {
            return None;
        }
        let several = status.pod_ips.iter().flatten().filter_map(|at| at.ip.as_deref());
        let mut addresses = read_all(several);
        if addresses.is_empty() {
            addresses = read_all(status.pod_ip.as_deref());
        }
        if addresses.is_empty() {
            return None;
        }
        let is_on_host = wire.spec.as_ref().and_then(|spec| spec.host_network).unwrap_or(false);
        let started =
            status.start_time.as_deref().and_then(moment).and_then(|moment| u64::try_from(moment.as_second()).ok());
        Some(Object::Pod(Pod { key: key.clone(), addresses, is_on_host, started }))
    });
    Some(Told { key, object, version: wire.metadata.version() })
}

fn import(wire: &ImportWire<'_>) -> Option<Told> {
    let key = wire.metadata.key()?;
    let object = wire.spec.as_ref().and_then(|spec| {
        let target = if spec.kind.as_deref() == Some("Headless") {
            Target::Headless
        } else {
            let addresses = read_all(spec.ips.iter().flatten().map(AsRef::as_ref));
            Target::Addresses(Some(addresses).filter(|addresses| !addresses.is_empty())?)
        };
        Some(Object::Import(Import { key: key.clone(), target, ports: ports(spec.ports.as_deref()) }))
    });
    Some(Told { key, object, version: wire.metadata.version() })
}

/// Those that are addresses, each once.
fn read_all<'a>(texts: impl IntoIterator<Item = &'a str>) -> Addresses {
    let mut addresses = Addresses::new();
    for address in texts.into_iter().filter_map(|text| text.parse::<IpAddr>().ok()) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses
}

/// Those with a number; a slice's port without one means all ports, of which no record can be made.
fn ports(wire: Option<&[PortWire<'_>]>) -> Box<[Port]> {
    let ports = wire.unwrap_or_default().iter().filter_map(|port| {
        let protocol = match port.protocol.as_deref() {
            None | Some("" | "TCP") => Protocol::Tcp,
            Some("UDP") => Protocol::Udp,
            Some("SCTP") => Protocol::Sctp,
            Some(_) => return None,
        };
        Some(Port { name: text(port.name.as_ref()), protocol, number: port.port? })
    });
    ports.collect()
}

fn moment(text: &str) -> Option<jiff::Timestamp> {
    text.parse().ok()
}

/// What an event of a watch is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Event {
    /// An object is new, or is so now.
    Put(Told),
    /// An object is gone.
    Gone(Told),
    /// Everything up to this version has been told.
    Bookmark(Box<str>),
    /// The watch ends for a reason.
    Fault(Status),
    /// Nobody knows what this is.
    Unknown,
}

/// What the API says instead of what was asked for.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Status {
    /// The HTTP status; 0 where it was not told.
    pub code: u16,
    /// Why, in its own words.
    pub text: Box<str>,
    /// For how many seconds to keep away.
    pub retry_after: Option<u64>,
}

#[derive(Deserialize)]
struct EventWire<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    object: &'a serde_json::value::RawValue,
}

#[derive(Deserialize)]
struct OnlyMetadata<'a> {
    #[serde(borrow)]
    metadata: Whole<'a>,
}

/// Reads an event of a watch for objects of `kind`.
pub(super) fn event(kind: Kind, json: &[u8]) -> Event {
    let Ok(wire) = serde_json::from_slice::<EventWire<'_>>(json) else { return Event::Unknown };
    let object = wire.object.get().as_bytes();
    let read = match wire.kind.as_ref() {
        "ADDED" | "MODIFIED" => decode(kind, object).map(Event::Put),
        "DELETED" => decode(kind, object).map(Event::Gone),
        "BOOKMARK" => {
            serde_json::from_slice::<OnlyMetadata<'_>>(object).ok().map(|told| Event::Bookmark(told.metadata.version()))
        }
        "ERROR" => Some(Event::Fault(status(object))),
        _ => None,
    };
    read.unwrap_or(Event::Unknown)
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct StatusWire<'a> {
    #[serde(borrow)]
    message: Text<'a>,
    #[serde(borrow)]
    reason: Text<'a>,
    code: Option<u16>,
    details: Option<StatusDetails>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StatusDetails {
    retry_after_seconds: Option<u64>,
}

/// Reads a Status; empty for what is none.
pub(super) fn status(json: &[u8]) -> Status {
    let wire: StatusWire<'_> = serde_json::from_slice(json).unwrap_or_default();
    let words = wire.message.as_deref().filter(|words| !words.is_empty()).or(wire.reason.as_deref());
    Status {
        code: wire.code.unwrap_or(0),
        text: shorten(words.unwrap_or_default()).into(),
        retry_after: wire.details.and_then(|details| details.retry_after_seconds),
    }
}

/// What surrounds a list.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Page {
    /// The version of the store that the list is of.
    pub version: Box<str>,
    /// Where the next page begins; none on the last.
    pub next: Option<Box<str>>,
}

#[derive(Deserialize)]
struct PageWire<'a> {
    #[serde(borrow)]
    metadata: PageMetadata<'a>,
    /// What has none is no list, and says nothing of what is not there. The items have been taken out: where some are left,
    /// nobody has read them.
    #[serde(rename = "items", deserialize_with = "Option::deserialize")]
    _items: Option<[IgnoredAny; 0]>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageMetadata<'a> {
    #[serde(borrow)]
    resource_version: Text<'a>,
    #[serde(borrow, rename = "continue")]
    next: Text<'a>,
}

/// Reads what surrounds a list's items; none for what is no list, or was cut off.
pub(super) fn page(json: &[u8]) -> Option<Page> {
    let PageWire { metadata, .. } = serde_json::from_slice(json).ok()?;
    Some(Page { version: filled(metadata.resource_version.as_ref())?, next: filled(metadata.next.as_ref()) })
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
