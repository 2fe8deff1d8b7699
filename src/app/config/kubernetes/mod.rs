//! The block `kubernetes`: whose cluster's names are answered, and how.

mod node_local;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use self::node_local::NodeLocal;
pub(super) use self::node_local::move_in;
use super::addresses::{self, NetworkWord};
use super::cursor::{Field, Section};
use super::raw::Value;
use crate::base::{NetworkSet, bounds};
use crate::dns::Name;
use crate::handlers::cluster::selector::Selector;
use crate::handlers::cluster::{Autopath, Exposed, External, Namespaces, PodPolicy, Pods, Settings};

/// A cluster whose names are answered.
#[derive(Clone, PartialEq, Debug)]
pub struct Kubernetes {
    /// Where its API is.
    pub api: ClusterApi,
    /// How its names are answered.
    pub names: Arc<Settings>,
    /// The namespaces that are looked at; none for all.
    pub namespaces: Option<BTreeSet<Box<str>>>,
    /// The labels of the namespaces that are looked at.
    pub namespace_labels: Selector,
    /// The labels of the services that are looked at, and of their slices.
    pub labels: Selector,
    /// Whether search paths are gone through here.
    pub autopath: Option<Autopath>,
    /// The search domains of hosts below which names are denied whose own last label is a TLD; none for nothing of the
    /// kind.
    pub known_tlds: Option<Vec<Name>>,
    /// Which outside names pods may resolve; the first that is for a pod's namespace holds.
    pub policy: Vec<PodPolicy>,
    /// Whether this is a node's own cache before the cluster's servers, which then answer all of the above.
    pub node_local: Option<NodeLocal>,
}

impl Kubernetes {
    /// Whether anything needs to know who has a pod's address.
    #[must_use]
    pub fn needs_pods(&self) -> bool {
        self.names.pods == Pods::Verified || self.autopath.is_some() || !self.policy.is_empty()
    }
}

/// Where a cluster's API is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClusterApi {
    /// Where the cluster tells its pods, by their service account.
    InCluster,
    /// As a file for `kubectl` says.
    Kubeconfig {
        /// The file.
        file: PathBuf,
        /// The context; none for the file's own.
        context: Option<Box<str>>,
    },
    /// Here, without credentials: `kubectl proxy`, or a test.
    Url(Box<str>),
}

const FORM: &str = "off, or a mapping such as {zone: cluster.local}";
const ZONES: &str = "a domain name such as cluster.local, or a list of these";
const API_FORM: &str = "in-cluster, {kubeconfig: FILE} or {url: \"http://127.0.0.1:8001\"}";
const SELECTOR: &str = "a label selector, such as \"tier=web,env in (test, live),!old\"";
const LABEL: &str = "a name of lower-case letters, digits and `-`";
const REVERSE: &[NetworkWord] = &[("any", addresses::any), ("off", NetworkSet::default)];
const KNOWN_TLDS: &str = "off, on, or a list of hosts' search domains, such as [corp.example]";
const TTL: Duration = Duration::from_secs(5);
const TTLS: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(3_600);

/// Reads the block; without it there is no cluster.
pub(super) fn read(top: &mut Section<'_>, folder: &Path) -> Option<Kubernetes> {
    let field = top.take("kubernetes").filter(|field| !field.node.is_off())?;
    let mut section = field.section(FORM)?;
    let api = section.take("api").and_then(|field| api(&field, folder)).unwrap_or(ClusterApi::InCluster);
    let namespaces = section.take("namespaces").filter(|field| field.node.text() != Some("all"));
    let namespaces = namespaces.map(|field| labels(&field, "all, or a list of names of namespaces"));
    let namespace_labels = selector(&mut section, "namespace_labels");
    let exposed = match &namespaces {
        Some(names) => Exposed::Named(names.iter().cloned().collect()),
        None if namespace_labels.is_empty() => Exposed::All,
        None => Exposed::Listed,
    };
    let names = Arc::new(settings(&mut section, exposed));
    let autopath = section.take("autopath").filter(|field| !field.node.is_off());
    let known_tlds = section.take("known_tlds").filter(|field| !field.node.is_off());
    let policy = section.take("policy").filter(|field| !field.node.is_off());
    let node_local = section.take("node_local").filter(|field| !field.node.is_off());
    let kubernetes = Kubernetes {
        api,
        names,
        namespaces,
        namespace_labels,
        labels: selector(&mut section, "labels"),
        autopath: autopath.and_then(|field| autopath_of(&field)),
        known_tlds: known_tlds.map(|field| if is_on(&field) { Vec::new() } else { zones(&field, KNOWN_TLDS) }),
        policy: policy.map_or_else(Vec::new, |field| policies(&field)),
        node_local: node_local.and_then(|field| node_local::read(&field)),
    };
    section.close();
    Some(kubernetes)
}

fn api(field: &Field<'_>, folder: &Path) -> Option<ClusterApi> {
    if !matches!(field.node.value, Value::Map(_)) {
        return field.scalar(API_FORM, |text| (text == "in-cluster").then_some(ClusterApi::InCluster));
    }
    let mut section = field.section(API_FORM)?;
    let (file, url) = (section.path("kubeconfig", folder), section.take("url"));
    let context = section.take("context").filter(|field| !field.node.is_off());
    let has_url = url.is_some();
    let url = url.and_then(|field| {
        let is_url = |text: &&str| {
            let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
            rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        };
        field.scalar("a URL such as \"http://127.0.0.1:8001\"", |text| Some(text).filter(is_url).map(Into::into))
    });
    let api = match (file, url) {
        (Some(file), None) if !has_url => {
            let read = |text: &str| (!text.is_empty()).then(|| text.into());
            let context = context.and_then(|field| field.scalar("the name of a context of the file", read));
            Some(ClusterApi::Kubeconfig { file, context })
        }
        (None, Some(url)) => {
            if let Some(context) = context {
                context.fault("nothing, as only a kubeconfig has contexts");
            }
            Some(ClusterApi::Url(url))
        }
        (None, None) if has_url => None,
        _ => {
            field.fault_found("neither or both of kubeconfig and url", API_FORM);
            None
        }
    };
    section.close();
    api
}

fn settings(section: &mut Section<'_>, namespaces: Exposed) -> Settings {
    let zone = section.take("zone").map_or_else(|| vec![cluster_local()], |field| zones(&field, ZONES));
    let multicluster = section.take("multicluster").filter(|field| !field.node.is_off());
    let multicluster = multicluster.map_or_else(Vec::new, |field| zones(&field, ZONES));
    if zone.is_empty()
        && let Some(field) = section.take("zone")
    {
        field.fault(ZONES);
    }
    if let Some(twice) = multicluster.iter().find(|name| zone.contains(name))
        && let Some(field) = section.take("multicluster")
    {
        field.fault_found(format!("{twice}, which is in `zone`"), "each zone once, in `zone` or in `multicluster`");
    }
    let reverse = section.take("reverse").and_then(|field| {
        // `off` may come as a boolean.
        if field.node.is_off() { Some(NetworkSet::default()) } else { addresses::networks(&field, REVERSE) }
    });
    let fallthrough = section.take("fallthrough").filter(|field| !field.node.is_off());
    let pods = [("disabled", Pods::Disabled), ("insecure", Pods::Insecure), ("verified", Pods::Verified)];
    let external = section.take("external").filter(|field| !field.node.is_off());
    Settings {
        zones: zone,
        multicluster,
        reverse: reverse.unwrap_or_else(addresses::any),
        fallthrough: fallthrough.map_or_else(Vec::new, |field| {
            const FORM: &str = "off, on, or a list of zones, such as [in-addr.arpa]";
            if is_on(&field) { vec![Name::root()] } else { zones(&field, FORM) }
        }),
        namespaces,
        ttl: section.seconds("ttl", TTL, TTLS),
        pods: section.choice("pods", Pods::Disabled, &pods),
        names_endpoints_by_pod: section.choice("endpoint_names", false, &[("address", false), ("pod", true)]),
        has_endpoints: section.flag("endpoints", true),
        ignores_empty: section.flag("ignore_empty", false),
        external: external.and_then(|field| external_of(&field)),
        stale_after: section.seconds(
            "stale_after",
            Duration::from_secs(3_600),
            Duration::ZERO..=Duration::from_secs(604_800),
        ),
    }
}

fn external_of(field: &Field<'_>) -> Option<External> {
    const FORM: &str = "off, or a mapping such as {zones: [ext.example]}";
    let mut section = field.section(FORM)?;
    let zones = section.require("zones", ZONES).map_or_else(Vec::new, |field| zones(&field, ZONES));
    let apex = section.take("apex").and_then(|field| field.scalar(LABEL, label));
    let external = External {
        zones,
        apex: apex.unwrap_or_else(|| "dns".into()),
        with_headless: section.flag("headless", false),
        ttl: section.seconds("ttl", TTL, TTLS),
    };
    section.close();
    Some(external)
}

fn autopath_of(field: &Field<'_>) -> Option<Autopath> {
    let usual = Autopath { search: Vec::new(), age_min: Duration::from_secs(5) };
    if is_on(field) {
        return Some(usual);
    }
    let mut section = field.section("off, on, or a mapping such as {search: [corp.example], min_age: 5s}")?;
    let search = section.take("search").filter(|field| !field.node.is_off());
    let autopath = Autopath {
        search: search.map_or_else(Vec::new, |field| searched(&field)),
        age_min: section.seconds("min_age", usual.age_min, Duration::ZERO..=Duration::from_secs(3_600)),
    };
    section.close();
    Some(autopath)
}

/// Hosts' search domains; a path ends with the name as it was meant, and begins with three of the cluster's.
fn searched(field: &Field<'_>) -> Vec<Name> {
    let (domains, most) = (zones(field, ZONES), bounds::SEARCH_MAX - 4);
    if domains.len() > most {
        field.fault_found(format!("{} domains", domains.len()), format!("at most {most}"));
    }
    domains
}

fn policies(field: &Field<'_>) -> Vec<PodPolicy> {
    const FORM: &str = "a list such as [{namespaces: \"team=payments\", allow: [bank.example]}]";
    let mut policies = Vec::new();
    for item in field.items(FORM).unwrap_or_default() {
        let Some(mut section) = item.section("a mapping such as {namespaces: [build], deny: [.]}") else { continue };
        let namespaces = section.require("namespaces", "a list of namespaces, or a label selector");
        let namespaces = namespaces.and_then(|field| match &field.node.value {
            Value::List(_) => Some(Namespaces::Named(labels(&field, "a list of namespaces"))),
            _ => field.scalar(SELECTOR, |text| text.parse().ok()).map(Namespaces::Labelled),
        });
        let allow = section.take("allow").filter(|field| field.node.text() != Some("all"));
        let allow = allow.map(|field| domains(&field));
        let deny = section.take("deny").filter(|field| !field.node.is_off());
        let deny = deny.map_or_else(Vec::new, |field| domains(&field));
        if allow.is_none() && deny.is_empty() {
            item.fault_found("neither allow nor deny", "one of them, or both");
        }
        policies.extend(namespaces.map(|namespaces| PodPolicy { namespaces, allow, deny }));
        section.close();
    }
    if policies.len() > bounds::POD_POLICIES {
        field.fault_found(format!("{} policies", policies.len()), format!("at most {}", bounds::POD_POLICIES));
    }
    policies
}

fn cluster_local() -> Name {
    Name::from_labels([b"cluster".as_slice(), b"local"]).unwrap_or_else(|_| Name::root())
}

/// A domain name, or a list of them; not the root, and none twice.
fn zones(field: &Field<'_>, allowed: &str) -> Vec<Name> {
    let is_zone = |name: &Name| !name.is_root();
    names(field, allowed, is_zone)
}

/// As [`zones`]; the root, which stands for all names, may be among them.
fn domains(field: &Field<'_>) -> Vec<Name> {
    names(field, "a list of domain names, such as [example.com], or . for all", |_| true)
}

fn names(field: &Field<'_>, allowed: &str, is_fit: impl Fn(&Name) -> bool) -> Vec<Name> {
    let mut names: Vec<Name> = Vec::new();
    for item in field.each() {
        let name = item.scalar(allowed, |text| text.parse().ok().filter(&is_fit).filter(|_| !text.is_empty()));
        match name {
            Some(name) if names.contains(&name) => item.fault_found(format!("{name} again"), "each name once"),
            name => names.extend(name),
        }
    }
    names
}

/// A DNS label as the API has them (RFC 1123).
fn label(text: &str) -> Option<Box<str>> {
    let is_plain = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-';
    let is_label = (1..=63).contains(&text.len()) && text.bytes().all(is_plain);
    (is_label && !text.starts_with('-') && !text.ends_with('-')).then(|| text.into())
}

fn labels(field: &Field<'_>, allowed: &str) -> BTreeSet<Box<str>> {
    if field.node.is_empty() {
        field.fault(allowed);
    }
    let items = field.items(allowed).unwrap_or_default();
    items.iter().filter_map(|item| item.scalar(LABEL, label)).collect()
}

fn selector(section: &mut Section<'_>, key: &'static str) -> Selector {
    let field = section.take(key).filter(|field| !field.node.is_off());
    field.and_then(|field| field.scalar(SELECTOR, |text| text.parse().ok())).unwrap_or_default()
}

fn is_on(field: &Field<'_>) -> bool {
    matches!(field.node.text(), Some("on" | "true"))
}
