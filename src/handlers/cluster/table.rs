//! What is known of a cluster at one moment: looked things up in, never changed. [`super::Store`] makes the next one.

use std::cmp::Ordering;
use std::net::IpAddr;
use std::sync::Arc;

use smallvec::SmallVec;

use super::objects::{Endpoint, Import, Key, Namespace, Pod, Service, Slice, Target};
use super::pieces::Pieces;

/// What is known of a cluster.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// When it was changed last, seconds of Unix time: the serial of its zones.
    pub(super) serial: u32,
    /// By name.
    pub(super) namespaces: Pieces<Arc<Space>>,
    /// By namespace and name.
    pub(super) services: Pieces<Arc<Node>>,
    /// By address: which services it may belong to.
    pub(super) owners: Pieces<Owner>,
    /// By address.
    pub(super) tenants: Pieces<Tenant>,
}

/// A namespace as its names see it.
#[derive(Clone, Debug)]
pub(super) struct Space {
    pub(super) name: Box<str>,
    /// None while only something inside it is known.
    pub(super) object: Option<Arc<Namespace>>,
    /// Services and imports in it, one that is both counted once.
    pub(super) nodes: usize,
}

/// All that is said of one name of a service: changed as one, so that no answer is of two minds.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) key: Arc<Key>,
    /// Of all that any node ever was, no two have the same, and later ones have greater ones.
    pub(super) revision: u64,
    pub(super) service: Option<Arc<Service>>,
    pub(super) import: Option<Arc<Import>>,
    /// By their names.
    pub(super) slices: SmallVec<[Arc<Slice>; 1]>,
}

/// An address and the key of a node that may tell its name.
#[derive(Clone, Debug)]
pub(super) struct Owner {
    pub(super) address: IpAddr,
    pub(super) key: Arc<Key>,
}

/// An address and a pod that has it.
#[derive(Clone, Debug)]
pub(super) struct Tenant {
    pub(super) address: IpAddr,
    pub(super) pod: Arc<Pod>,
}

/// A Service and its endpoints.
#[derive(Clone, Copy, Debug)]
pub struct ServiceView<'t> {
    service: &'t Service,
    node: &'t Node,
}

impl<'t> ServiceView<'t> {
    /// What its name means.
    #[must_use]
    pub const fn target(&self) -> &'t Target {
        &self.service.target
    }

    /// Where it is reached from outside: `externalIPs`, then the addresses of its load balancer.
    #[must_use]
    pub fn external(&self) -> &'t [IpAddr] {
        &self.service.external
    }

    /// Its endpoints that are ready, of this cluster. Pieces that change may for a moment both have one.
    pub fn endpoints(&self) -> impl Iterator<Item = &'t Endpoint> + use<'t> {
        self.node.endpoints()
    }

    /// Differs whenever the service or its endpoints do.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.node.revision
    }
}

impl Table {
    /// The pod that has `address`. Of several the one on its host, whose address tells nothing of who asks; none where
    /// it cannot be told which of them it is.
    #[must_use]
    pub fn pod_at(&self, address: IpAddr) -> Option<&Pod> {
        let mut pods = self.pods_at(address);
        let first = pods.next()?;
        match pods.next() {
            None => Some(first),
            Some(_) => self.pods_at(address).find(|pod| pod.is_on_host),
        }
    }

    /// The Namespace `name`.
    #[must_use]
    pub fn namespace(&self, name: &str) -> Option<&Namespace> {
        self.space(name.as_bytes())?.object.as_deref()
    }

    /// The Service `name` in `namespace`.
    #[must_use]
    pub fn service(&self, namespace: &str, name: &str) -> Option<ServiceView<'_>> {
        let node = self.node(namespace.as_bytes(), name.as_bytes())?;
        Some(ServiceView { service: node.service.as_deref()?, node })
    }

    /// When it was changed last, seconds of Unix time.
    #[must_use]
    pub const fn serial(&self) -> u32 {
        self.serial
    }

    /// All pods that have `address`.
    pub(super) fn pods_at(&self, address: IpAddr) -> impl Iterator<Item = &Pod> {
        self.tenants.range(move |tenant| tenant.address.cmp(&address)).map(|tenant| &*tenant.pod)
    }

    pub(super) fn space(&self, name: &[u8]) -> Option<&Space> {
        self.namespaces.find(|space| order(&space.name, name)).map(|space| &**space)
    }

    pub(super) fn node(&self, namespace: &[u8], name: &[u8]) -> Option<&Node> {
        let found = self.services.find(|node| node.key.order(namespace, name));
        found.map(|node| &**node)
    }

    /// The nodes that may tell names of addresses from `first` to `last`.
    pub(super) fn owners_between(&self, first: IpAddr, last: IpAddr) -> impl Iterator<Item = &Owner> {
        self.owners.range(move |owner| match owner.address {
            address if address < first => Ordering::Less,
            address if address > last => Ordering::Greater,
            _ => Ordering::Equal,
        })
    }

    /// The nodes that may tell the name of `address`.
    pub(super) fn owners_of(&self, address: IpAddr) -> impl Iterator<Item = &Node> {
        let owners = self.owners.range(move |owner| owner.address.cmp(&address));
        owners.filter_map(|owner| self.node(owner.key.namespace.as_bytes(), owner.key.name.as_bytes()))
    }
}

impl Node {
    /// A node of which nothing is known yet.
    pub(super) fn of(key: &Key) -> Self {
        Self { key: Arc::new(key.clone()), revision: 0, service: None, import: None, slices: SmallVec::new() }
    }

    /// Whether it is more than endpoints that nobody has named yet.
    pub(super) const fn is_named(&self) -> bool {
        self.service.is_some() || self.import.is_some()
    }

    /// The endpoints of this cluster that are ready.
    pub(super) fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        self.slices.iter().filter(|slice| slice.cluster.is_none()).flat_map(|slice| &slice.endpoints)
    }
}

impl Key {
    /// How it compares to `namespace` and `name`, whatever the case of their letters.
    pub(super) fn order(&self, namespace: &[u8], name: &[u8]) -> Ordering {
        order(&self.namespace, namespace).then_with(|| order(&self.name, name))
    }
}

/// How a name of the API, in lower case, compares to `sought`, whatever the case of its letters.
pub(super) fn order(held: &str, sought: &[u8]) -> Ordering {
    held.bytes().cmp(sought.iter().map(u8::to_ascii_lowercase))
}
