//! All objects of a cluster, as one thread keeps them, and the tables that it makes of them.
//!
//! An object comes in by [`Store::put`], whether it was listed or has changed, and leaves by [`Store::remove`] or because
//! a list no longer has it. Nothing is held twice: a table and the store share their objects, and the table of the
//! moment shares with the next one all that has not changed.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;

use super::objects::{Import, Key, Kind, Namespace, Object, Pod, Service, Slice, Target};
use super::pieces::Pieces;
use super::settings::Settings;
use super::table::{Node, Owner, Space, Table, Tenant};
use crate::base::bounds;
use crate::base::collections::{Keyed, Set};

/// All objects of a cluster.
#[derive(Debug)]
pub struct Store {
    settings: Arc<Settings>,
    keyed: Keyed,
    table: Table,
    /// By key.
    slices: Pieces<Arc<Slice>>,
    /// By key.
    pods: Pieces<Arc<Pod>>,
    /// The objects put since the list of their kind began, hashed.
    listing: BTreeMap<Kind, Set<u64>>,
    tallies: BTreeMap<Kind, Count>,
    revision: u64,
    has_changed: bool,
}

/// What is held of a kind.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    objects: usize,
    /// The sum of their digests.
    digest: u64,
}

/// Tells objects apart as a store does.
#[derive(Clone, Debug)]
pub struct Digester {
    keyed: Keyed,
    names_endpoints_by_pod: bool,
}

impl Digester {
    /// The digest of `object`; that of all objects of a kind is the sum of theirs, wrapping.
    #[must_use]
    pub fn digest(&self, object: &Object) -> u64 {
        match plain(object.clone(), self.names_endpoints_by_pod) {
            Object::Namespace(namespace) => self.of_plain(&namespace),
            Object::Service(service) => self.of_plain(&service),
            Object::Slice(slice) => self.of_plain(&slice),
            Object::Pod(pod) => self.of_plain(&pod),
            Object::Import(import) => self.of_plain(&import),
        }
    }

    fn of_plain(&self, object: &impl Hash) -> u64 {
        self.keyed.hash_one(object)
    }
}

/// `object` without what nothing is answered by.
fn plain(mut object: Object, names_endpoints_by_pod: bool) -> Object {
    if let Object::Slice(slice) = &mut object {
        slice.triggered = None;
        for endpoint in &mut slice.endpoints {
            endpoint.addresses.truncate(1);
            if !names_endpoints_by_pod {
                endpoint.pod = None;
            }
        }
    }
    object
}

impl Store {
    /// Nothing yet.
    #[must_use]
    pub fn new(settings: Arc<Settings>, keyed: Keyed) -> Self {
        Self {
            settings,
            keyed,
            table: Table::default(),
            slices: Pieces::default(),
            pods: Pieces::default(),
            listing: BTreeMap::new(),
            tallies: BTreeMap::new(),
            revision: 0,
            has_changed: false,
        }
    }

    /// Begins a list of `kind`: what is not put before its end is gone.
    pub fn begin_list(&mut self, kind: Kind) {
        self.listing.insert(kind, Set::with_hasher(self.keyed.clone()));
    }

    /// Ends the list of `kind`, and tells how many objects are gone. Without a beginning none is.
    pub fn end_list(&mut self, kind: Kind) -> usize {
        let Some(seen) = self.listing.remove(&kind) else { return 0 };
        let is_gone = |key: &Key| !seen.contains(&self.keyed.hash_one(key.identity()));
        let gone: Vec<Key> = match kind {
            Kind::Namespace => {
                let held = self.table.namespaces.iter().filter(|space| space.object.is_some());
                held.map(|space| Key::new("", &space.name)).filter(is_gone).collect()
            }
            Kind::Service => {
                let held = self.table.services.iter().filter(|node| node.service.is_some());
                held.filter(|node| is_gone(&node.key)).map(|node| Key::clone(&node.key)).collect()
            }
            Kind::Import => {
                let held = self.table.services.iter().filter(|node| node.import.is_some());
                held.filter(|node| is_gone(&node.key)).map(|node| Key::clone(&node.key)).collect()
            }
            Kind::Slice => self.slices.iter().map(|slice| &slice.key).filter(|key| is_gone(key)).cloned().collect(),
            Kind::Pod => self.pods.iter().map(|pod| &pod.key).filter(|key| is_gone(key)).cloned().collect(),
        };
        for key in &gone {
            self.remove(kind, key);
        }
        gone.len()
    }

    /// Takes an object that is new, or has changed, or is listed again. One too many of its kind is not taken, and told
    /// by false.
    pub fn put(&mut self, object: Object) -> bool {
        let object = plain(object, self.settings.names_endpoints_by_pod);
        let kind = object.kind();
        if let Some(seen) = self.listing.get_mut(&kind) {
            seen.insert(self.keyed.hash_one(object.identity()));
        }
        let count = self.tallies.get(&kind).map_or(0, |count| count.objects);
        if count >= bounds::CLUSTER_OBJECTS_MAX && !self.holds(kind, object.identity()) {
            return false;
        }
        match object {
            Object::Namespace(namespace) => self.put_namespace(namespace),
            Object::Service(service) => self.put_service(service),
            Object::Import(import) => self.put_import(import),
            Object::Slice(slice) => self.put_slice(slice),
            Object::Pod(pod) => self.put_pod(pod),
        }
        true
    }

    /// Whether the object is held.
    fn holds(&self, kind: Kind, (namespace, name): (&str, &str)) -> bool {
        match kind {
            Kind::Namespace => self.table.namespace(name).is_some(),
            Kind::Service => self.node(namespace, name).is_some_and(|node| node.service.is_some()),
            Kind::Import => self.node(namespace, name).is_some_and(|node| node.import.is_some()),
            Kind::Slice => self.slices.find(|held| held.key.identity().cmp(&(namespace, name))).is_some(),
            Kind::Pod => self.pods.find(|held| held.key.identity().cmp(&(namespace, name))).is_some(),
        }
    }

    fn node(&self, namespace: &str, name: &str) -> Option<&Node> {
        self.table.node(namespace.as_bytes(), name.as_bytes())
    }

    /// Removes an object, if it is held.
    pub fn remove(&mut self, kind: Kind, key: &Key) {
        match kind {
            Kind::Namespace => {
                let old = self.with_space(&key.name, |space| space.object.take());
                self.tell(kind, old.as_deref(), None);
            }
            Kind::Service => {
                let old = self.with_node(key, |node| node.service.take());
                self.tell(kind, old.as_deref(), None);
            }
            Kind::Import => {
                let old = self.with_node(key, |node| node.import.take());
                self.tell(kind, old.as_deref(), None);
            }
            Kind::Slice => {
                if let Some(old) = self.slices.remove(|held| held.key.cmp(key)) {
                    self.detach(&old);
                    self.tell(kind, Some(&*old), None);
                }
            }
            Kind::Pod => {
                if let Some(old) = self.pods.remove(|held| held.key.cmp(key)) {
                    self.evict(&old);
                    self.tell(kind, Some(&*old), None);
                }
            }
        }
    }

    /// The number of objects of `kind` that are held.
    #[must_use]
    pub fn count(&self, kind: Kind) -> usize {
        self.tallies.get(&kind).map_or(0, |count| count.objects)
    }

    /// A digest of all objects of `kind` that are held, whatever their order: the sum of [`Digester::digest`].
    #[must_use]
    pub fn digest(&self, kind: Kind) -> u64 {
        self.tallies.get(&kind).map_or(0, |count| count.digest)
    }

    /// Who makes digests as this store does, for a list that is only compared.
    #[must_use]
    pub fn digester(&self) -> Digester {
        Digester { keyed: self.keyed.clone(), names_endpoints_by_pod: self.settings.names_endpoints_by_pod }
    }

    /// The table as it is now, unless nothing has changed since the last one. `now_unix` are seconds.
    pub fn publish(&mut self, now_unix: u64) -> Option<Arc<Table>> {
        if !std::mem::take(&mut self.has_changed) {
            return None;
        }
        // Clocks may go back; a serial must not.
        self.table.serial = self.table.serial.max(u32::try_from(now_unix).unwrap_or(u32::MAX));
        Some(Arc::new(self.table.clone()))
    }

    /// All objects, as far as they are kept, for a snapshot. Putting them into another store makes the same of it.
    pub fn objects(&self) -> impl Iterator<Item = Object> {
        let namespaces = self.table.namespaces.iter().filter_map(|space| space.object.as_deref());
        let services = self.table.services.iter().filter_map(|node| node.service.as_deref());
        let imports = self.table.services.iter().filter_map(|node| node.import.as_deref());
        let namespaces = namespaces.cloned().map(Object::Namespace);
        let services = services.cloned().map(Object::Service);
        let imports = imports.cloned().map(Object::Import);
        let slices = self.slices.iter().map(|slice| Object::Slice(Slice::clone(slice)));
        let pods = self.pods.iter().map(|pod| Object::Pod(Pod::clone(pod)));
        namespaces.chain(services).chain(imports).chain(slices).chain(pods)
    }

    fn put_namespace(&mut self, namespace: Namespace) {
        if self.table.namespace(&namespace.name) == Some(&namespace) {
            return;
        }
        let new = Arc::new(namespace);
        let old = self.with_space(&new.name, |space| space.object.replace(Arc::clone(&new)));
        self.tell(Kind::Namespace, old.as_deref(), Some(&*new));
    }

    fn put_service(&mut self, service: Service) {
        let held = self.node(&service.key.namespace, &service.key.name);
        if held.and_then(|node| node.service.as_deref()) == Some(&service) {
            return;
        }
        let new = Arc::new(service);
        let old = self.with_node(&new.key, |node| node.service.replace(Arc::clone(&new)));
        self.tell(Kind::Service, old.as_deref(), Some(&*new));
    }

    fn put_import(&mut self, import: Import) {
        let held = self.node(&import.key.namespace, &import.key.name);
        if held.and_then(|node| node.import.as_deref()) == Some(&import) {
            return;
        }
        let new = Arc::new(import);
        let old = self.with_node(&new.key, |node| node.import.replace(Arc::clone(&new)));
        self.tell(Kind::Import, old.as_deref(), Some(&*new));
    }

    fn put_slice(&mut self, slice: Slice) {
        let held = self.slices.find(|held| held.key.cmp(&slice.key));
        if held.is_some_and(|held| **held == slice) {
            return;
        }
        let new = Arc::new(slice);
        let old = self.slices.insert(Arc::clone(&new), |held| held.key.cmp(&new.key));
        // A piece may be given to another service.
        if let Some(old) = old.as_deref().filter(|old| old.service != new.service) {
            self.detach(old);
        }
        let service = Key::new(&new.key.namespace, &new.service);
        self.with_node(&service, |node| match node.slices.binary_search_by(|held| held.key.name.cmp(&new.key.name)) {
            Ok(at) => node.slices.get_mut(at).map(|held| std::mem::replace(held, Arc::clone(&new))),
            Err(at) => {
                node.slices.insert(at, Arc::clone(&new));
                None
            }
        });
        self.tell(Kind::Slice, old.as_deref(), Some(&*new));
    }

    /// Takes a piece from its service.
    fn detach(&mut self, slice: &Slice) {
        let service = Key::new(&slice.key.namespace, &slice.service);
        self.with_node(&service, |node| {
            let before = node.slices.len();
            node.slices.retain(|held| held.key.name != slice.key.name);
            (node.slices.len() < before).then_some(())
        });
    }

    fn put_pod(&mut self, pod: Pod) {
        let held = self.pods.find(|held| held.key.cmp(&pod.key));
        if held.is_some_and(|held| **held == pod) {
            return;
        }
        let new = Arc::new(pod);
        let old = self.pods.insert(Arc::clone(&new), |held| held.key.cmp(&new.key));
        if let Some(old) = &old {
            self.evict(old);
        }
        for &address in &new.addresses {
            let tenant = Tenant { address, pod: Arc::clone(&new) };
            self.table.tenants.insert(tenant, |held| (held.address, &held.pod.key).cmp(&(address, &new.key)));
        }
        self.tell(Kind::Pod, old.as_deref(), Some(&*new));
    }

    /// Takes a pod from its addresses.
    fn evict(&mut self, pod: &Pod) {
        for &address in &pod.addresses {
            self.table.tenants.remove(|held| (held.address, &held.pod.key).cmp(&(address, &pod.key)));
        }
    }

    /// Counts that `new` has taken the place of `old`.
    fn tell<T: Hash>(&mut self, kind: Kind, old: Option<&T>, new: Option<&T>) {
        if old.is_none() && new.is_none() {
            return;
        }
        let digester = self.digester();
        let count = self.tallies.entry(kind).or_default();
        count.objects = count.objects + usize::from(new.is_some()) - usize::from(old.is_some());
        count.digest = count.digest.wrapping_add(new.map_or(0, |new| digester.of_plain(new)));
        count.digest = count.digest.wrapping_sub(old.map_or(0, |old| digester.of_plain(old)));
        self.has_changed = true;
    }

    /// Changes the namespace `name`, which goes if nothing is left of it.
    fn with_space<R>(&mut self, name: &str, change: impl FnOnce(&mut Space) -> R) -> R {
        let order = |held: &Arc<Space>| (*held.name).cmp(name);
        let held = self.table.namespaces.find(order).map(|space| Space::clone(space));
        let mut space = held.unwrap_or_else(|| Space { name: name.into(), object: None, nodes: 0 });
        let result = change(&mut space);
        if space.object.is_none() && space.nodes == 0 {
            self.table.namespaces.remove(order);
        } else {
            self.table.namespaces.insert(Arc::new(space), order);
        }
        result
    }

    /// Changes the node of `key`, which goes if nothing is left of it, and all that follows from it.
    fn with_node<R>(&mut self, key: &Key, change: impl FnOnce(&mut Node) -> R) -> R {
        let order = |held: &Arc<Node>| (*held.key).cmp(key);
        let old = self.table.services.find(order).cloned();
        let mut node = old.as_deref().map_or_else(|| Node::of(key), Node::clone);
        let result = change(&mut node);
        self.revision += 1;
        node.revision = self.revision;
        let owned_before = old.as_deref().map(|old| self.owned(old)).unwrap_or_default();
        let is_named = node.is_named();
        let is_left = is_named || !node.slices.is_empty();
        let owned = if is_left { self.owned(&node) } else { BTreeSet::new() };
        for &address in owned_before.difference(&owned) {
            self.table.owners.remove(|held| (held.address, &*held.key).cmp(&(address, key)));
        }
        for &address in owned.difference(&owned_before) {
            let owner = Owner { address, key: Arc::clone(&node.key) };
            self.table.owners.insert(owner, |held| (held.address, &*held.key).cmp(&(address, key)));
        }
        if is_left {
            self.table.services.insert(Arc::new(node), order);
        } else {
            self.table.services.remove(order);
        }
        match (old.is_some_and(|old| old.is_named()), is_named) {
            (false, true) => self.with_space(&key.namespace, |space| space.nodes += 1),
            (true, false) => self.with_space(&key.namespace, |space| space.nodes = space.nodes.saturating_sub(1)),
            _ => {}
        }
        result
    }

    /// The addresses whose names `node` may tell.
    fn owned(&self, node: &Node) -> BTreeSet<IpAddr> {
        let mut owned = BTreeSet::new();
        if let Some(service) = &node.service {
            match &service.target {
                Target::Addresses(addresses) => owned.extend(addresses),
                Target::Headless if self.settings.has_endpoints => {
                    owned.extend(node.endpoints().filter_map(|endpoint| endpoint.addresses.first()));
                }
                _ => {}
            }
            owned.extend(self.settings.external.iter().flat_map(|_| &service.external));
        }
        if let Some(Target::Addresses(addresses)) = node.import.as_ref().map(|import| &import.target) {
            owned.extend(addresses);
        }
        owned
    }
}
