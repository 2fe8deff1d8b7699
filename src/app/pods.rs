//! What a configuration makes depend on which pod asks: search paths, policies, and what is denied for search lists.

use std::sync::Arc;

use super::config::{Config, Kubernetes};
use crate::handlers::cluster::{Cluster, ForPods, KnownTlds, Policy, Search};
use crate::steer::Scene;

/// The links of a cluster, in their order.
#[derive(Clone, Debug)]
pub struct PodLinks {
    /// The cluster's names.
    pub names: ForPods,
    /// Which names outside its pods may resolve; before the cache.
    pub policy: Option<Arc<Policy>>,
    /// What search lists make up; behind all that knows names.
    pub tlds: Option<KnownTlds>,
}

/// The links for `cluster`, which `config` names; `scene` has the calendar. None without one.
#[must_use]
pub fn links(config: &Config, cluster: Option<&Cluster>, scene: &Arc<Scene>) -> Option<PodLinks> {
    let (kubernetes, cluster) = (config.kubernetes.as_ref()?, cluster?);
    let Kubernetes { autopath, policy, .. } = kubernetes;
    let search = autopath.as_ref().map(|autopath| Search::new(cluster.clone(), autopath, Arc::clone(scene)));
    let policy = (!policy.is_empty()).then(|| Arc::new(Policy::new(cluster.clone(), policy.clone())));
    let names = ForPods { cluster: cluster.clone(), search, policy: policy.clone() };
    Some(PodLinks { names, policy, tlds: known_tlds(kubernetes) })
}

/// Without domains of their own they are those of the search paths.
fn known_tlds(kubernetes: &Kubernetes) -> Option<KnownTlds> {
    let of_autopath = || kubernetes.autopath.as_ref().map_or_else(Vec::new, |autopath| autopath.search.clone());
    let domains = kubernetes.known_tlds.as_ref()?;
    let domains = if domains.is_empty() { of_autopath() } else { domains.clone() };
    (!domains.is_empty()).then(|| KnownTlds::new(domains))
}
