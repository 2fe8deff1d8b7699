//! How a cluster's names are answered.

use std::collections::BTreeSet;
use std::time::Duration;

use super::selector::Selector;
use crate::base::NetworkSet;
use crate::dns::Name;

/// What of the `kubernetes` block decides about names.
#[derive(Clone, PartialEq, Debug)]
pub struct Settings {
    /// The cluster's zones, at least one; the first is the one that reverse names lead to.
    pub zones: Vec<Name>,
    /// The zones of the cluster set (`clusterset.local.`), answered from ServiceImports.
    pub multicluster: Vec<Name>,
    /// Addresses whose reverse names are answered here.
    pub reverse: NetworkSet,
    /// Names below these that are not the cluster's own pass on instead of NXDOMAIN; reverse names always do.
    pub fallthrough: Vec<Name>,
    /// Which namespaces have names.
    pub namespaces: Exposed,
    /// TTL of all records, 0 to 3,600 s.
    pub ttl: Duration,
    /// What names made of addresses mean.
    pub pods: Pods,
    /// Whether an endpoint without a host name is called after its pod, if that has fewer than 64 octets.
    pub names_endpoints_by_pod: bool,
    /// Whether endpoints are looked at at all (`noendpoints` of CoreDNS says no): without them, headless services have
    /// no names.
    pub has_endpoints: bool,
    /// Whether a service with a cluster address and no ready endpoint is denied.
    pub ignores_empty: bool,
    /// Names of what is reached from outside; none without.
    pub external: Option<External>,
    /// For how long the last known table answers without a word of warning once the API is silent.
    pub stale_after: Duration,
}

/// Which namespaces have names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Exposed {
    /// All of them.
    All,
    /// These.
    Named(Vec<Box<str>>),
    /// Those that are listed, which are chosen by their labels.
    Listed,
}

/// What `a-b-c-d.N.pod.Z` means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pods {
    /// Nothing: NXDOMAIN.
    Disabled,
    /// The address in the name, if the namespace exists.
    Insecure,
    /// The same, if a pod of the namespace has the address.
    Verified,
}

/// Names of load balancers and external addresses: `S.N.` and a zone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct External {
    /// The zones.
    pub zones: Vec<Name>,
    /// The label of the name server in the apex's NS and SOA.
    pub apex: Box<str>,
    /// Whether headless services answer with their endpoints.
    pub with_headless: bool,
    /// TTL of these records, 0 to 3,600 s.
    pub ttl: Duration,
}

/// Search paths that are gone through here, in one trip (`autopath`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Autopath {
    /// What the pods' search lists hold behind the cluster's own domains: those of their hosts.
    pub search: Vec<Name>,
    /// A pod that is younger is not believed to be who has its address: another may have had it just before.
    pub age_min: Duration,
}

/// Which names outside the cluster some of its pods may resolve.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PodPolicy {
    /// The namespaces of the pods.
    pub namespaces: Namespaces,
    /// Nothing but these and what is below them; none allows all. Of several the nearest domain decides.
    pub allow: Option<Vec<Name>>,
    /// Not these, nor what is below them.
    pub deny: Vec<Name>,
}

/// Some of the cluster's namespaces.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Namespaces {
    /// By their names.
    Named(BTreeSet<Box<str>>),
    /// By their labels.
    Labelled(Selector),
}
