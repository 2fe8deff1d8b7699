//! Any octets as what the API of a Kubernetes cluster says: lists and watches of every kind go through the readers into a
//! store, and a table of it answers questions.
//!
//! The first octet says how names are answered. Pieces follow, each behind an octet 0xFF, which no JSON holds, and one that
//! says what it is: bits 0 to 2 the kind, bit 3 a watch and not a page of a list, bits 4 and 5 in what runs it comes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use meridian::base::collections::{Keyed, keyed};
use meridian::base::{Dice, Instant};
use meridian::chain::{Asker, Carrier, Query, seal, seal::response_limit};
use meridian::dns::{Flags, Message, Name, Question, Rcode, RecordType, reverse};
use meridian::edge::cluster::{Change, Changes, Listed, Listing, Page, Scope, Watching};
use meridian::handlers::cluster::objects::{Key, Kind, Object, Target};
use meridian::handlers::cluster::{Cluster, Exposed, External, Pods, Settings, Standing, Store};

use super::heap;
use super::messages::name;

const KINDS: [Kind; 5] = [Kind::Namespace, Kind::Service, Kind::Slice, Kind::Pod, Kind::Import];
/// Octets held for one of the input at most: an endpoint can be written as `{},`.
const FOLD: usize = 400;
const PIECES_MAX: usize = 64;
const NAMES_MAX: usize = 64;
const NOW: Instant = Instant::from_seconds(1_000_000);

/// See the module's text.
pub fn run(data: &[u8]) {
    let mut pieces = data.split(|octet| *octet == 0xFF);
    let how = pieces.next().and_then(<[u8]>::first).copied().unwrap_or_default();
    let settings = Arc::new(settings(how));
    let scope = Scope {
        namespaces: (how & 1 != 0).then(|| ["default".into(), "kube-system".into()].into()),
        ..Scope::default()
    };
    let hashing = keyed(&mut Dice::from_number(u64::from(how)));
    let (store, held) = heap::most_of(|| {
        let mut world = World::new(&settings, hashing.clone());
        for piece in pieces.take(PIECES_MAX) {
            if let Some((&what, octets)) = piece.split_first() {
                world.hear(what, octets, &scope);
            }
        }
        world.store
    });
    assert!(held <= (64 << 10) + FOLD * data.len(), "{} octets took {held}", data.len());
    is_one_with_its_objects(&store, &settings, hashing);
    answers(store, &settings);
}

fn settings(how: u8) -> Settings {
    let external = External {
        zones: vec![name("ext.example.")],
        apex: "dns".into(),
        with_headless: how & 2 != 0,
        ttl: Duration::from_secs(7),
    };
    Settings {
        zones: vec![name("cluster.local.")],
        multicluster: vec![name("clusterset.local.")],
        reverse: ["0.0.0.0/0", "::/0"].iter().map(|text| text.parse().expect("a network")).collect(),
        fallthrough: Vec::new(),
        namespaces: if how & 4 != 0 { Exposed::Listed } else { Exposed::All },
        ttl: Duration::from_secs(5),
        pods: [Pods::Disabled, Pods::Insecure, Pods::Verified, Pods::Verified][usize::from(how >> 3 & 3)],
        names_endpoints_by_pod: how & 32 != 0,
        has_endpoints: how & 64 == 0,
        ignores_empty: how & 128 != 0,
        external: (how & 2 == 0 || how & 4 == 0).then_some(external),
        stale_after: Duration::from_secs(3_600),
    }
}

/// A store, and beside it what it should hold: the digest of each object.
struct World {
    store: Store,
    model: BTreeMap<(Kind, Key), u64>,
    /// What has been put since the list of a kind began.
    listing: BTreeMap<Kind, BTreeSet<Key>>,
    versions: BTreeMap<Kind, Box<str>>,
}

impl World {
    fn new(settings: &Arc<Settings>, hashing: Keyed) -> Self {
        let store = Store::new(Arc::clone(settings), hashing);
        Self { store, model: BTreeMap::new(), listing: BTreeMap::new(), versions: BTreeMap::new() }
    }

    fn hear(&mut self, what: u8, octets: &[u8], scope: &Scope) {
        let kind = KINDS[usize::from(what & 7) % KINDS.len()];
        let run = [usize::MAX, 1, 7, 64][usize::from(what >> 4 & 3)].min(octets.len().max(1));
        if what & 8 == 0 {
            self.hear_page(kind, octets, run, scope);
        } else {
            self.hear_watch(kind, octets, run, scope);
        }
        let digests = self.model.iter().filter(|((of, _), _)| *of == kind).map(|(_, digest)| *digest);
        assert_eq!(
            self.store.digest(kind),
            digests.clone().fold(0, u64::wrapping_add),
            "another {kind:?} than was told"
        );
        assert_eq!(self.store.count(kind), digests.count());
    }

    fn hear_page(&mut self, kind: Kind, octets: &[u8], run: usize, scope: &Scope) {
        let whole = listed(kind, octets, octets.len().max(1), scope);
        let cut = listed(kind, octets, run, scope);
        let Some((Listed { objects, read, unreadable }, page)) = cut else { return assert!(whole.is_none()) };
        let told = Listed { objects, read, unreadable };
        assert_eq!(whole.as_ref(), Some(&(told.clone(), page.clone())), "in other runs it is another list");
        if page.is_some() {
            is_all_there_was(octets, read + unreadable);
        }
        if !self.listing.contains_key(&kind) {
            self.store.begin_list(kind);
            self.listing.insert(kind, BTreeSet::new());
        }
        told.objects.into_iter().for_each(|object| self.put(object));
        match page {
            Some(Page { next: Some(_), .. }) => {}
            Some(Page { next: None, version }) => {
                let before = self.store.count(kind);
                let gone = self.store.end_list(kind);
                let seen = self.listing.remove(&kind).unwrap_or_default();
                self.model.retain(|(of, key), _| *of != kind || seen.contains(key));
                assert_eq!(self.store.count(kind) + gone, before);
                self.versions.insert(kind, version);
            }
            // Cut off: it begins anew, and takes nothing away.
            None => _ = self.listing.remove(&kind),
        }
    }

    fn hear_watch(&mut self, kind: Kind, octets: &[u8], run: usize, scope: &Scope) {
        let version = self.versions.get(&kind).cloned().unwrap_or_default();
        let whole = watched(kind, &version, octets, octets.len().max(1), scope);
        let cut = watched(kind, &version, octets, run, scope);
        let Some((told, at)) = cut else { return assert!(whole.is_none()) };
        // What comes behind the end nobody reads, be it what it may.
        if whole.is_some() || told.end.is_none() {
            assert_eq!(whole.as_ref(), Some(&(told.clone(), at.clone())), "in other runs it is another watch");
        }
        let number = |text: &str| text.parse::<u128>().ok();
        assert!(number(&at).zip(number(&version)).is_none_or(|(now, before)| now >= before), "{version} to {at}");
        if let Some(end) = &told.end {
            assert!(end.text.len() < 1_000 && !end.text.contains(char::is_control), "{end:?}");
        }
        self.versions.insert(kind, at);
        for change in told.changes {
            match change {
                Change::Put(object) => self.put(object),
                Change::Remove(key) => {
                    self.store.remove(kind, &key);
                    self.model.remove(&(kind, key));
                }
            }
        }
    }

    fn put(&mut self, object: Object) {
        let (kind, (namespace, name)) = (object.kind(), object.identity());
        assert!(!name.is_empty());
        let key = Key::new(namespace, name);
        self.listing.entry(kind).and_modify(|seen| _ = seen.insert(key.clone()));
        self.model.insert((kind, key), self.store.digester().digest(&object));
        assert!(self.store.put(object), "there is room");
    }
}

/// A page of a list in runs of `run` octets; none where it is refused.
fn listed(kind: Kind, octets: &[u8], run: usize, scope: &Scope) -> Option<(Listed, Option<Page>)> {
    let (mut listing, mut all) = (Listing::new(kind), Listed::default());
    for octets in octets.chunks(run) {
        let Listed { objects, read, unreadable } = listing.feed(octets, scope).ok()?;
        all.objects.extend(objects);
        all.read += read;
        all.unreadable += unreadable;
    }
    Some((all, listing.page()))
}

/// A watch from `version` on, and where it has come to; none where it is refused.
fn watched(kind: Kind, version: &str, octets: &[u8], run: usize, scope: &Scope) -> Option<(Changes, Box<str>)> {
    let (mut watching, mut all) = (Watching::new(kind, version.into()), Changes::default());
    for octets in octets.chunks(run) {
        let Changes { changes, events, unreadable, end } = watching.feed(octets, scope).ok()?;
        all.changes.extend(changes);
        all.events += events;
        all.unreadable += unreadable;
        all.end = end;
        if all.end.is_some() {
            break;
        }
    }
    Some((all, watching.version().into()))
}

/// What a list does not have is gone, so one that is believed must have been read to the last item.
fn is_all_there_was(octets: &[u8], items: u64) {
    let Ok(serde_json::Value::Object(list)) = serde_json::from_slice(octets) else { return };
    if let Some(serde_json::Value::Array(all)) = list.get("items") {
        assert_eq!(all.len() as u64, items, "a list is believed of which not all was read");
    }
}

/// A snapshot is made of a store's objects.
fn is_one_with_its_objects(store: &Store, settings: &Arc<Settings>, hashing: Keyed) {
    let mut again = Store::new(Arc::clone(settings), hashing);
    for object in store.objects() {
        assert!(again.put(object));
    }
    for kind in KINDS {
        assert_eq!((again.count(kind), again.digest(kind)), (store.count(kind), store.digest(kind)), "{kind:?}");
    }
}

/// Every object's name is asked for, in every way that somebody may.
fn answers(mut store: Store, settings: &Arc<Settings>) {
    let cluster = Cluster::new(Arc::clone(settings));
    if let Some(table) = store.publish(1_700_000_000) {
        cluster.swap(table);
    }
    cluster.stand(Standing::Current);
    let mut names = BTreeSet::new();
    for object in store.objects() {
        if let Object::Service(service) = &object
            && let Target::Addresses(addresses) = &service.target
            && *settings.as_ref()
                == (Settings { namespaces: Exposed::All, ignores_empty: false, ..settings.as_ref().clone() })
        {
            has_its_addresses(&cluster, &service.key, addresses);
        }
        if names.len() < NAMES_MAX {
            names.extend(names_of(&object));
        }
    }
    let rtypes =
        [RecordType::A, RecordType::AAAA, RecordType::SRV, RecordType::PTR, RecordType::ANY, RecordType::CNAME];
    for name in names.iter().take(NAMES_MAX) {
        for rtype in rtypes {
            for carrier in [Carrier::Udp, Carrier::Tcp] {
                lawful(&cluster, &query(name, rtype, carrier));
            }
        }
    }
}

fn query(name: &Name, rtype: RecordType, carrier: Carrier) -> Query {
    let address = (Ipv4Addr::LOCALHOST, 5_353).into();
    Query {
        id: 1,
        flags: Flags { recursion_desired: true, ..Flags::default() },
        question: Question::new(name.clone(), rtype),
        edns: None,
        asker: Asker { address, local: None, carrier, may_recurse: true, group: 0 },
    }
}

/// The response to `query`, which must be lawful; none where the name is not the cluster's.
fn lawful(cluster: &Cluster, query: &Query) -> Option<Message> {
    let decision = cluster.decide(query, NOW)?;
    assert!(matches!(decision.answer.rcode, Rcode::NOERROR | Rcode::NXDOMAIN | Rcode::SERVFAIL), "{decision:?}");
    let mut octets = Vec::new();
    let sealed = seal(query, &decision.answer, true, &mut octets);
    assert!(octets.len() <= response_limit(query.asker.carrier, None));
    assert!(!sealed.is_truncated || query.asker.carrier == Carrier::Udp, "TC over TCP");
    assert!(hickory_proto::op::Message::from_vec(&octets).is_ok(), "others cannot parse it");
    Some(Message::parse(&octets).expect("a response can be parsed"))
}

fn has_its_addresses(cluster: &Cluster, key: &Key, addresses: &[IpAddr]) {
    let labels = [&*key.name, &*key.namespace, "svc", "cluster", "local"];
    let Ok(name) = Name::from_labels(labels.map(str::as_bytes)) else { return };
    // Letters of names are those of the API, which are small.
    if name.lowered() != name || key.name.chars().chain(key.namespace.chars()).any(|letter| letter.is_ascii_uppercase())
    {
        return;
    }
    let said = lawful(cluster, &query(&name, RecordType::A, Carrier::Tcp)).expect("a name of the cluster's");
    let told: BTreeSet<&[u8]> = said.answer.iter().map(|record| &record.rdata[..]).collect();
    let octets: BTreeSet<[u8; 4]> = addresses
        .iter()
        .filter_map(|address| match address {
            IpAddr::V4(address) => Some(address.octets()),
            IpAddr::V6(_) => None,
        })
        .collect();
    assert!(said.rcode == Rcode::NOERROR && told.into_iter().eq(octets.iter().map(<[u8; 4]>::as_slice)), "{said:?}");
}

fn names_of(object: &Object) -> Vec<Name> {
    let (namespace, name) = object.identity();
    let mut all: Vec<Vec<&str>> = Vec::new();
    let mut addresses: Vec<IpAddr> = Vec::new();
    match object {
        Object::Namespace(_) => {
            all.extend([vec![name, "svc", "cluster", "local"], vec![name, "pod", "cluster", "local"]])
        }
        Object::Service(service) => {
            all.push(vec![name, namespace, "svc", "cluster", "local"]);
            all.push(vec![name, namespace, "ext", "example"]);
            all.push(vec!["_http", "_tcp", name, namespace, "svc", "cluster", "local"]);
            addresses.extend(&service.external);
        }
        Object::Slice(slice) => {
            let service = &*slice.service;
            all.push(vec![service, namespace, "svc", "cluster", "local"]);
            all.push(vec![service, namespace, "svc", "clusterset", "local"]);
            for endpoint in slice.endpoints.iter().take(4) {
                let label = endpoint.hostname.as_deref().or(endpoint.pod.as_deref()).unwrap_or("10-0-0-1");
                all.push(vec![label, service, namespace, "svc", "cluster", "local"]);
                if let Some(cluster) = slice.cluster.as_deref() {
                    all.push(vec![label, cluster, service, namespace, "svc", "clusterset", "local"]);
                }
                if let Some(zone) = endpoint.zone.as_deref() {
                    all.push(vec![zone, "prefer", "_zone", service, namespace, "svc", "cluster", "local"]);
                }
                addresses.extend(&endpoint.addresses);
            }
        }
        Object::Pod(pod) => {
            all.push(vec!["10-0-0-1", namespace, "pod", "cluster", "local"]);
            addresses.extend(&pod.addresses);
        }
        Object::Import(_) => all.push(vec![name, namespace, "svc", "clusterset", "local"]),
    }
    let forward = all.into_iter().filter_map(|labels| Name::from_labels(labels.into_iter().map(str::as_bytes)).ok());
    forward.chain(addresses.into_iter().filter_map(reverse::name_of)).collect()
}
