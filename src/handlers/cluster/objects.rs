//! What a cluster's API tells, as far as names follow from it: small, plain, and without the API's own words for
//! anything else. The edge decodes each object into one of these and drops the rest at once.
//!
//! All names are as the API has them: DNS labels in lower case (RFC 1123), so octets can be compared.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// The addresses of one thing: one a family, rarely more.
pub type Addresses = SmallVec<[IpAddr; 1]>;

/// A kind of objects that is listed and watched.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Kind {
    /// Namespaces.
    Namespace,
    /// Services.
    Service,
    /// EndpointSlices (`discovery.k8s.io`), those of other clusters among them.
    Slice,
    /// Pods; only where something needs them.
    Pod,
    /// ServiceImports (`multicluster.x-k8s.io`); only with a multicluster zone.
    Import,
}

/// Which object of its kind: its namespace, empty for a Namespace itself, and its name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Key {
    /// The namespace.
    pub namespace: Box<str>,
    /// The name in it.
    pub name: Box<str>,
}

/// An object of any kind.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Object {
    /// A Namespace.
    Namespace(Namespace),
    /// A Service.
    Service(Service),
    /// An EndpointSlice.
    Slice(Slice),
    /// A Pod.
    Pod(Pod),
    /// A ServiceImport.
    Import(Import),
}

/// A Namespace.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Namespace {
    /// Its name.
    pub name: Box<str>,
    /// Its labels, sorted.
    pub labels: Box<[(Box<str>, Box<str>)]>,
}

/// A Service.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Service {
    /// Which.
    pub key: Key,
    /// What its name means.
    pub target: Target,
    /// Its ports, in the order of the API.
    pub ports: Box<[Port]>,
    /// Where it is reached from outside: `externalIPs`, then the addresses of its load balancer.
    pub external: Addresses,
}

/// What a Service's name means.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Target {
    /// `clusterIPs`, at least one.
    Addresses(Addresses),
    /// `clusterIP: None`: the endpoints.
    Headless,
    /// `externalName`, as the API has it: it need not be a host name.
    External(Box<str>),
}

/// A port of a Service, a ServiceImport or the endpoints of a slice.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Port {
    /// Its name; empty where it has none.
    pub name: Box<str>,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// Its number.
    pub number: u16,
}

/// The protocol of a port, as it stands in names of SRV records.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Protocol {
    /// `_tcp`
    Tcp,
    /// `_udp`
    Udp,
    /// `_sctp`
    Sctp,
}

/// An EndpointSlice: a piece of a Service's endpoints, of one family.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Slice {
    /// Which.
    pub key: Key,
    /// The Service or ServiceImport of the same namespace: the label `kubernetes.io/service-name`, or
    /// `multicluster.kubernetes.io/service-name` together with a cluster.
    pub service: Box<str>,
    /// The cluster it was imported from (`multicluster.kubernetes.io/source-cluster`).
    pub cluster: Option<Box<str>>,
    /// The ports of each of its endpoints; none has A records all the same, but no SRV.
    pub ports: Box<[Port]>,
    /// Those that are ready: `conditions.ready` true or unset. Others are dropped when decoding.
    pub endpoints: Box<[Endpoint]>,
    /// When what it tells was changed (`endpoints.kubernetes.io/last-change-trigger-time`), milliseconds of Unix time.
    pub triggered: Option<u64>,
}

/// An endpoint that is ready.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Endpoint {
    /// Its addresses, of the slice's family; the first counts.
    pub addresses: Addresses,
    /// `hostname`, set where the pod's `subdomain` names the service.
    pub hostname: Option<Box<str>>,
    /// The name of the Pod behind it (`targetRef`).
    pub pod: Option<Box<str>>,
    /// The zone it runs in.
    pub zone: Option<Box<str>>,
}

/// A Pod that runs.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Pod {
    /// Which.
    pub key: Key,
    /// `podIPs`; empty for one that has ended, or has none yet.
    pub addresses: Addresses,
    /// Whether it shares the addresses of its node (`hostNetwork`): they do not tell who asks.
    pub is_on_host: bool,
    /// When it was started (`status.startTime`), seconds of Unix time.
    pub started: Option<u64>,
}

/// A ServiceImport: a Service of the cluster set.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Import {
    /// Which.
    pub key: Key,
    /// [`Target::Addresses`] of `ips`, or [`Target::Headless`].
    pub target: Target,
    /// Its ports.
    pub ports: Box<[Port]>,
}

impl Object {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Namespace(_) => Kind::Namespace,
            Self::Service(_) => Kind::Service,
            Self::Slice(_) => Kind::Slice,
            Self::Pod(_) => Kind::Pod,
            Self::Import(_) => Kind::Import,
        }
    }

    /// The namespace, empty for a Namespace itself, and the name.
    #[must_use]
    pub fn identity(&self) -> (&str, &str) {
        match self {
            Self::Namespace(namespace) => ("", &namespace.name),
            Self::Service(service) => service.key.identity(),
            Self::Slice(slice) => slice.key.identity(),
            Self::Pod(pod) => pod.key.identity(),
            Self::Import(import) => import.key.identity(),
        }
    }
}

impl Protocol {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Tcp, Self::Udp, Self::Sctp];

    /// The label in names of SRV records.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Tcp => "_tcp",
            Self::Udp => "_udp",
            Self::Sctp => "_sctp",
        }
    }
}

impl Key {
    /// The key of `name` in `namespace`.
    #[must_use]
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// The namespace and the name.
    #[must_use]
    pub fn identity(&self) -> (&str, &str) {
        (&self.namespace, &self.name)
    }
}
