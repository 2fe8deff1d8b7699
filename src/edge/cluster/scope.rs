//! What of a cluster is listed and watched, and under which path of the API.

use std::fmt;

use crate::handlers::cluster::objects::{Key, Kind};

/// What of a cluster is listed and watched.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Scope {
    /// Whether endpoints are.
    pub has_endpoints: bool,
    /// Whether pods are.
    pub has_pods: bool,
    /// Whether services of the cluster set are.
    pub has_imports: bool,
    /// The namespaces that count; none for all.
    pub namespaces: Option<std::collections::BTreeSet<Box<str>>>,
    /// Only namespaces with labels like these count: a label selector in the API's words; empty for all.
    pub namespace_labels: String,
    /// Only services and endpoints with labels like these count; empty for all.
    pub labels: String,
}

impl Scope {
    /// The kinds of objects that are watched.
    #[must_use]
    pub fn kinds(&self) -> Vec<Kind> {
        let wanted = [
            (Kind::Namespace, true),
            (Kind::Service, true),
            (Kind::Slice, self.has_endpoints),
            (Kind::Pod, self.has_pods),
            (Kind::Import, self.has_imports),
        ];
        wanted.into_iter().filter_map(|(kind, is_wanted)| is_wanted.then_some(kind)).collect()
    }

    /// The label selector for a kind; empty for none.
    pub(super) fn selector(&self, kind: Kind) -> &str {
        match kind {
            Kind::Namespace => &self.namespace_labels,
            Kind::Service | Kind::Slice => &self.labels,
            Kind::Pod | Kind::Import => "",
        }
    }

    /// Whether an object counts, as far as its namespace says.
    pub(super) fn keeps(&self, kind: Kind, key: &Key) -> bool {
        let namespace = if kind == Kind::Namespace { &key.name } else { &key.namespace };
        self.namespaces.as_ref().is_none_or(|counted| counted.contains(namespace))
    }
}

/// All of it in one line: a snapshot of another scope is not believed.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { has_endpoints, has_pods, has_imports, namespaces, namespace_labels, labels } = self;
        write!(f, "{has_endpoints} {has_pods} {has_imports} {namespaces:?} {namespace_labels:?} {labels:?}")
    }
}

/// Where the objects of a kind are; where the API has several versions, those that we know, the newest first.
pub(super) const fn paths(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Namespace => &["/api/v1/namespaces"],
        Kind::Service => &["/api/v1/services"],
        Kind::Slice => &["/apis/discovery.k8s.io/v1/endpointslices"],
        Kind::Pod => &["/api/v1/pods"],
        Kind::Import => &[
            "/apis/multicluster.x-k8s.io/v1beta1/serviceimports",
            "/apis/multicluster.x-k8s.io/v1alpha1/serviceimports",
        ],
    }
}

/// A kind's name in logs, metrics and on the status page.
#[must_use]
pub const fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Namespace => "namespaces",
        Kind::Service => "services",
        Kind::Slice => "endpointslices",
        Kind::Pod => "pods",
        Kind::Import => "serviceimports",
    }
}
