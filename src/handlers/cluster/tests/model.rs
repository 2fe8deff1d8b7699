//! What every name of a cluster should be, the slow and plain way: all records are written down, then looked up as in
//! any zone. It shares nothing with the code that it judges but the objects and the settings.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::super::objects::{Endpoint, Object, Port, Service, Slice, Target};
use super::super::settings::{Exposed, Pods, Settings};

/// What a question is answered with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Told {
    Pass,
    Answer {
        rcode: &'static str,
        records: BTreeSet<String>,
        soa: Option<String>,
    },
    /// What is in front, and what has to be resolved.
    Outside(BTreeSet<String>, String),
}

/// All records at all names, in lower case; a name without any is there all the same.
type Records = BTreeMap<String, BTreeSet<(&'static str, String)>>;

/// All that is known of a cluster.
pub(super) struct Model<'m> {
    objects: Vec<&'m Object>,
    settings: &'m Settings,
    zones: Vec<(String, Records)>,
    pointers: BTreeMap<IpAddr, BTreeSet<String>>,
}

/// One that bears a service's name.
#[derive(Clone)]
struct Bearer<'m> {
    address: IpAddr,
    /// Before the service's name, with its dot.
    label: String,
    ports: &'m [Port],
    zone: Option<&'m str>,
}

fn text(name: &crate::dns::Name) -> String {
    name.to_string().to_lowercase()
}

fn dashed(address: IpAddr) -> String {
    let dashed = address.to_string().replace(['.', ':'], "-");
    if dashed.ends_with('-') { dashed + "0" } else { dashed }
}

impl<'m> Model<'m> {
    pub(super) fn new(objects: impl Iterator<Item = &'m Object>, settings: &'m Settings) -> Self {
        let objects = objects.collect();
        let mut model = Self { objects, settings, zones: Vec::new(), pointers: BTreeMap::new() };
        for zone in &settings.zones {
            model.zones.push((text(zone), model.cluster_zone(&text(zone))));
        }
        for zone in &settings.multicluster {
            model.zones.push((text(zone), model.set_zone(&text(zone))));
        }
        if let Some(external) = &settings.external {
            for zone in &external.zones {
                model.zones.push((text(zone), model.outside_zone(&text(zone), &external.apex, external.with_headless)));
            }
        }
        for (zone, records) in &mut model.zones {
            let names: Vec<String> = records.keys().cloned().collect();
            for mut name in names {
                // Whatever lies between a name and the apex is there too.
                while name != *zone {
                    records.entry(name.clone()).or_default();
                    name = name.split_once('.').unwrap().1.to_owned();
                }
            }
        }
        model.pointers = model.all_pointers();
        model
    }

    fn is_exposed(&self, namespace: &str) -> bool {
        match &self.settings.namespaces {
            Exposed::All => true,
            Exposed::Named(names) => names.iter().any(|name| **name == *namespace),
            Exposed::Listed => {
                self.objects.iter().any(|it| matches!(it, Object::Namespace(it) if *it.name == *namespace))
            }
        }
    }

    /// Namespaces that are there: told of, or told of by what is in them.
    fn namespaces(&self) -> BTreeSet<&'m str> {
        let named = self.objects.iter().filter_map(|object| match object {
            Object::Namespace(namespace) => Some(&*namespace.name),
            Object::Service(service) => Some(&*service.key.namespace),
            Object::Import(import) => Some(&*import.key.namespace),
            Object::Slice(_) | Object::Pod(_) => None,
        });
        named.filter(|namespace| self.is_exposed(namespace)).collect()
    }

    fn services(&self) -> impl Iterator<Item = &'m Service> {
        self.objects.iter().filter_map(|object| match object {
            Object::Service(service) if self.is_exposed(&service.key.namespace) => Some(service),
            _ => None,
        })
    }

    fn label(&self, endpoint: &Endpoint) -> String {
        let is_label = |name: &&str| !name.is_empty() && name.len() < 64 && !name.contains('.');
        let pod = endpoint.pod.as_deref().filter(|_| self.settings.names_endpoints_by_pod);
        let own = endpoint.hostname.as_deref().filter(is_label).or(pod.filter(is_label));
        own.map_or_else(|| dashed(endpoint.addresses[0]), str::to_owned)
    }

    /// The endpoints of `service` in this cluster, or those of all others.
    fn endpoints(&self, namespace: &str, service: &str, is_import: bool) -> Vec<Bearer<'m>> {
        let mut bearers = Vec::new();
        if !self.settings.has_endpoints {
            return bearers;
        }
        let is_piece = |slice: &Slice| {
            *slice.key.namespace == *namespace && *slice.service == *service && slice.cluster.is_some() == is_import
        };
        for object in &self.objects {
            let Object::Slice(slice) = object else { continue };
            for endpoint in slice.endpoints.iter().filter(|it| is_piece(slice) && !it.addresses.is_empty()) {
                let cluster = slice.cluster.as_ref().map(|cluster| format!("{cluster}."));
                bearers.push(Bearer {
                    address: endpoint.addresses[0],
                    label: format!("{}.{}", self.label(endpoint), cluster.unwrap_or_default()),
                    ports: &slice.ports,
                    zone: endpoint.zone.as_deref(),
                });
            }
        }
        bearers
    }

    /// Writes down what `name` is, borne by `bearers` of the service `service`.
    fn host(records: &mut Records, name: &str, service: &str, bearers: &[Bearer<'_>]) {
        let at = records.entry(name.to_owned()).or_default();
        for bearer in bearers {
            at.insert((if bearer.address.is_ipv4() { "A" } else { "AAAA" }, bearer.address.to_string()));
        }
        at.extend(Self::srv(service, bearers, |_| true));
        Self::ports(records, name, service, bearers, bearers);
    }

    /// Writes down the named ports that any of `all` has, as `chosen` have them.
    fn ports(records: &mut Records, name: &str, service: &str, all: &[Bearer<'_>], chosen: &[Bearer<'_>]) {
        for port in all.iter().flat_map(|bearer| bearer.ports).filter(|port| !port.name.is_empty()) {
            let is_it = |other: &Port| other.name == port.name && other.protocol == port.protocol;
            let owner = format!("_{}.{}.{name}", port.name, port.protocol.label());
            records.entry(owner).or_default().extend(Self::srv(service, chosen, is_it));
        }
    }

    fn srv(service: &str, bearers: &[Bearer<'_>], is_it: impl Fn(&Port) -> bool) -> Vec<(&'static str, String)> {
        let mut rows = BTreeSet::new();
        for bearer in bearers {
            for port in bearer.ports.iter().filter(|port| is_it(port)) {
                rows.insert((port.number, bearer.label.clone(), bearer.address));
            }
        }
        let weight = if rows.is_empty() { 0 } else { (100 / rows.len()).max(1) };
        rows.into_iter().map(|(port, label, _)| ("SRV", format!("{weight} {port} {label}{service}"))).collect()
    }

    fn own_records(records: &mut Records, zone: &str, server: &str) {
        let at = records.entry(zone.to_owned()).or_default();
        at.insert(("SOA", server.to_owned()));
        at.insert(("NS", server.to_owned()));
        records.entry(server.to_owned()).or_default();
    }

    fn plain(addresses: &[IpAddr], ports: &'m [Port]) -> Vec<Bearer<'m>> {
        addresses.iter().map(|&address| Bearer { address, label: String::new(), ports, zone: None }).collect()
    }

    fn cluster_zone(&self, zone: &str) -> Records {
        let mut records = Records::new();
        Self::own_records(&mut records, zone, &format!("ns.dns.{zone}"));
        records.entry(format!("dns-version.{zone}")).or_default().insert(("TXT", "1.1.0".into()));
        records.entry(format!("svc.{zone}")).or_default();
        records.entry(format!("pod.{zone}")).or_default();
        for namespace in self.namespaces() {
            records.entry(format!("{namespace}.svc.{zone}")).or_default();
            if self.settings.pods != Pods::Disabled {
                records.entry(format!("{namespace}.pod.{zone}")).or_default();
            }
        }
        for service in self.services() {
            let (namespace, name) = (&*service.key.namespace, &*service.key.name);
            let owner = format!("{name}.{namespace}.svc.{zone}");
            let endpoints = self.endpoints(namespace, name, false);
            match &service.target {
                Target::External(target) => {
                    let is_host = target.parse::<IpAddr>().is_err() && !target.is_empty() && !target.contains("..");
                    if is_host {
                        let target = format!("{}.", target.trim_end_matches('.'));
                        records.entry(owner).or_default().insert(("CNAME", target));
                    }
                    continue;
                }
                Target::Addresses(addresses) => {
                    let is_ignored = self.settings.ignores_empty && self.settings.has_endpoints && endpoints.is_empty();
                    if is_ignored || addresses.is_empty() {
                        continue;
                    }
                    Self::host(&mut records, &owner, &owner, &Self::plain(addresses, &service.ports));
                }
                Target::Headless if endpoints.is_empty() => continue,
                Target::Headless => Self::host(&mut records, &owner, &owner, &endpoints),
            }
            for (label, bearers) in by_label(&endpoints) {
                let host = format!("{label}{owner}");
                let at = records.entry(host.clone()).or_default();
                at.extend(
                    bearers.iter().map(|it| (if it.address.is_ipv4() { "A" } else { "AAAA" }, it.address.to_string())),
                );
                at.extend(Self::srv(&owner, &bearers, |_| true));
            }
        }
        records
    }

    fn set_zone(&self, zone: &str) -> Records {
        let mut records = Records::new();
        Self::own_records(&mut records, zone, &format!("ns.dns.{zone}"));
        records.entry(format!("dns-version.{zone}")).or_default().insert(("TXT", "1.1.0".into()));
        records.entry(format!("svc.{zone}")).or_default();
        for namespace in self.namespaces() {
            records.entry(format!("{namespace}.svc.{zone}")).or_default();
        }
        for object in &self.objects {
            let Object::Import(import) = object else { continue };
            let (namespace, name) = (&*import.key.namespace, &*import.key.name);
            if !self.is_exposed(namespace) {
                continue;
            }
            let owner = format!("{name}.{namespace}.svc.{zone}");
            match &import.target {
                Target::Addresses(addresses) if !addresses.is_empty() => {
                    Self::host(&mut records, &owner, &owner, &Self::plain(addresses, &import.ports));
                }
                Target::Headless => {
                    let endpoints = self.endpoints(namespace, name, true);
                    if endpoints.is_empty() {
                        continue;
                    }
                    Self::host(&mut records, &owner, &owner, &endpoints);
                    for (label, bearers) in by_label(&endpoints) {
                        let at = records.entry(format!("{label}{owner}")).or_default();
                        at.extend(
                            bearers
                                .iter()
                                .map(|it| (if it.address.is_ipv4() { "A" } else { "AAAA" }, it.address.to_string())),
                        );
                        at.extend(Self::srv(&owner, &bearers, |_| true));
                    }
                }
                _ => {}
            }
        }
        records
    }

    fn outside_zone(&self, zone: &str, apex: &str, with_headless: bool) -> Records {
        let mut records = Records::new();
        Self::own_records(&mut records, zone, &format!("ns1.{apex}.{zone}"));
        for namespace in self.namespaces() {
            records.entry(format!("{namespace}.{zone}")).or_default();
        }
        for service in self.services() {
            let (namespace, name) = (&*service.key.namespace, &*service.key.name);
            let owner = format!("{name}.{namespace}.{zone}");
            if !service.external.is_empty() {
                Self::host(&mut records, &owner, &owner, &Self::plain(&service.external, &service.ports));
            } else if with_headless && service.target == Target::Headless {
                let endpoints = self.endpoints(namespace, name, false);
                if endpoints.is_empty() {
                    continue;
                }
                Self::host(&mut records, &owner, &owner, &endpoints);
                for (label, bearers) in by_label(&endpoints) {
                    let at = records.entry(format!("{label}{owner}")).or_default();
                    at.extend(
                        bearers
                            .iter()
                            .map(|it| (if it.address.is_ipv4() { "A" } else { "AAAA" }, it.address.to_string())),
                    );
                    at.extend(Self::srv(&owner, &bearers, |_| true));
                }
            }
        }
        records
    }

    /// The names of all addresses: a service's own before those of endpoints, the cluster's before others.
    fn all_pointers(&self) -> BTreeMap<IpAddr, BTreeSet<String>> {
        let (mut own, mut ends, mut sets, mut outside) =
            (BTreeMap::new(), BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let zone = text(&self.settings.zones[0]);
        for service in self.services() {
            let name = format!("{}.{}", service.key.name, service.key.namespace);
            match &service.target {
                Target::Addresses(addresses) => {
                    addresses.iter().for_each(|it| add(&mut own, *it, format!("{name}.svc.{zone}")));
                }
                Target::Headless => {
                    for it in self.endpoints(&service.key.namespace, &service.key.name, false) {
                        add(&mut ends, it.address, format!("{}{name}.svc.{zone}", it.label));
                    }
                }
                Target::External(_) => {}
            }
            if let Some(external) = &self.settings.external {
                let zone = text(&external.zones[0]);
                service.external.iter().for_each(|it| add(&mut outside, *it, format!("{name}.{zone}")));
            }
        }
        for object in &self.objects {
            let Object::Import(import) = object else { continue };
            let (Target::Addresses(addresses), Some(zone)) = (&import.target, self.settings.multicluster.first())
            else {
                continue;
            };
            if self.is_exposed(&import.key.namespace) {
                let name = format!("{}.{}.svc.{}", import.key.name, import.key.namespace, text(zone));
                addresses.iter().for_each(|it| add(&mut sets, *it, name.clone()));
            }
        }
        let mut all = outside;
        for better in [sets, ends, own] {
            all.extend(better); // which takes the place of what is there
        }
        all
    }

    /// Names that are worth asking for: all there are, and the names of addresses.
    pub(super) fn names(&self) -> BTreeSet<String> {
        self.zones.iter().flat_map(|(_, records)| records.keys().cloned()).collect()
    }

    /// The answer to a question for the name of an address.
    pub(super) fn pointer(&self, address: IpAddr) -> Told {
        match self.pointers.get(&address).filter(|_| self.settings.reverse.contains(address)) {
            None => Told::Pass,
            Some(names) => {
                let records = names.iter().map(|name| format!("PTR {name}")).collect();
                Told::Answer { rcode: "NOERROR", records, soa: None }
            }
        }
    }

    /// The answer to a question of `rtype` for `name`.
    pub(super) fn ask(&self, name: &str, rtype: &str) -> Told {
        self.follow(&name.to_lowercase(), rtype, &mut Vec::new())
    }

    fn follow(&self, name: &str, rtype: &str, front: &mut Vec<String>) -> Told {
        let told = |front: &[String]| front.iter().map(|target| format!("CNAME {target}")).collect::<BTreeSet<_>>();
        let is_within = |zone: &str| zone == "." || name == zone || name.ends_with(&format!(".{zone}"));
        let zone = self.zones.iter().filter(|(zone, _)| is_within(zone)).max_by_key(|(zone, _)| zone.len());
        let falls = self.settings.fallthrough.iter().any(|zone| is_within(&text(zone)));
        let nobodys = || if front.is_empty() { Told::Pass } else { Told::Outside(told(front), name.to_owned()) };
        let Some((zone, records)) = zone else { return nobodys() };
        let at = records.get(name).cloned().or_else(|| self.pod(zone, name)).or_else(|| self.zonal(zone, name));
        let Some(at) = at else {
            if falls {
                return nobodys();
            }
            return Told::Answer { rcode: "NXDOMAIN", records: told(front), soa: Some(zone.clone()) };
        };
        if let Some((_, target)) = at.iter().find(|(kind, _)| *kind == "CNAME") {
            let target = target.to_lowercase();
            let is_ring = target == name || front.contains(&target);
            front.push(target.clone());
            if is_ring && rtype != "CNAME" {
                return Told::Answer { rcode: "SERVFAIL", records: BTreeSet::new(), soa: None };
            }
            if rtype == "CNAME" {
                return Told::Answer { rcode: "NOERROR", records: told(front), soa: None };
            }
            return self.follow(&target, rtype, front);
        }
        let found: Vec<String> =
            at.iter().filter(|(kind, _)| *kind == rtype).map(|(kind, it)| format!("{kind} {it}")).collect();
        let soa = found.is_empty().then(|| zone.clone());
        Told::Answer { rcode: "NOERROR", records: told(front).into_iter().chain(found).collect(), soa }
    }

    /// `a-b-c-d.N.pod.Z`
    fn pod(&self, zone: &str, name: &str) -> Option<BTreeSet<(&'static str, String)>> {
        let front = name.strip_suffix(&format!(".pod.{zone}"))?;
        let (label, namespace) = front.split_once('.')?;
        if !self.settings.zones.iter().any(|it| text(it) == zone) || !self.namespaces().contains(namespace) {
            return None;
        }
        let with = |sign: &str| label.replace('-', sign).parse::<IpAddr>().ok();
        let address = with(".").filter(IpAddr::is_ipv4).or_else(|| with(":"))?;
        let has = |object: &&Object| matches!(object, Object::Pod(pod) if *pod.key.namespace == *namespace && pod.addresses.contains(&address));
        let is_there = match self.settings.pods {
            Pods::Disabled => false,
            Pods::Insecure => true,
            Pods::Verified => self.objects.iter().any(has),
        };
        let record = (if address.is_ipv4() { "A" } else { "AAAA" }, address.to_string());
        is_there.then(|| BTreeSet::from([record]))
    }

    /// `AZ.pin._zone.S.N.svc.Z` and its like.
    fn zonal(&self, zone: &str, name: &str) -> Option<BTreeSet<(&'static str, String)>> {
        let front = name.strip_suffix(&format!(".svc.{zone}"))?;
        let (inner, service) = match front.strip_prefix("_zone.") {
            Some(service) => ("", service),
            None => front.split_once("._zone.")?,
        };
        let (service, namespace) = service.split_once('.')?;
        let held = self.services().find(|it| *it.key.name == *service && *it.key.namespace == *namespace)?;
        let all = self.endpoints(namespace, service, false);
        let is_cluster = self.settings.zones.iter().any(|it| text(it) == zone);
        if held.target != Target::Headless || all.is_empty() || !is_cluster {
            return None;
        }
        let (port, place, mode) = match inner.rsplit_once('.') {
            None if matches!(inner, "" | "pin" | "prefer") => return Some(BTreeSet::new()),
            None => return None,
            Some((before, mode)) => {
                let mut labels = before.splitn(3, '.');
                match (labels.next(), labels.next(), labels.next()) {
                    (Some(port), Some(protocol), place) if port.starts_with('_') && protocol.starts_with('_') => {
                        (Some((port, protocol)), place?, mode)
                    }
                    _ => (None, before, mode),
                }
            }
        };
        if !["pin", "prefer"].contains(&mode) {
            return None;
        }
        let is_inside = |it: &&Bearer<'_>| it.zone.is_some_and(|zone| zone.to_lowercase() == place);
        let inside: Vec<Bearer<'_>> = all.iter().filter(is_inside).cloned().collect();
        let chosen = if mode == "prefer" && inside.is_empty() { &all } else { &inside };
        let owner = format!("{service}.{namespace}.svc.{zone}");
        let mut records = Records::new();
        Self::host(&mut records, "@", &owner, chosen);
        Self::ports(&mut records, "@", &owner, &all, chosen);
        let wanted = port.map_or_else(|| "@".to_owned(), |(port, protocol)| format!("{port}.{protocol}.@"));
        records.remove(&wanted)
    }
}

fn add(to: &mut BTreeMap<IpAddr, BTreeSet<String>>, address: IpAddr, name: String) {
    to.entry(address).or_default().insert(name);
}

fn by_label<'m>(bearers: &[Bearer<'m>]) -> BTreeMap<String, Vec<Bearer<'m>>> {
    let mut labels: BTreeMap<String, Vec<Bearer<'_>>> = BTreeMap::new();
    for bearer in bearers {
        labels.entry(bearer.label.clone()).or_default().push(bearer.clone());
    }
    labels
}
