//! What a large cluster costs: 5,000 nodes, 150,000 pods, 8,200 services and their endpoints.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use meridian::base::collections::keyed;
use meridian::base::{Dice, NetworkSet};
use meridian::handlers::cluster::objects::{
    Endpoint, Key, Kind, Namespace, Object, Pod, Port, Protocol, Service, Slice, Target,
};
use meridian::handlers::cluster::{Exposed, Pods, Settings, Store};
use smallvec::smallvec;

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

#[expect(unsafe_code, reason = "a counting allocator can be had in no other way")]
// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(live, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const NAMESPACES: u32 = 400;
const SERVICES: u32 = 8_200;
const PODS: u32 = 150_000;
const NODES: u32 = 5_000;
const MIB: usize = 1 << 20;

fn settings() -> Settings {
    Settings {
        zones: vec!["cluster.local.".parse().unwrap()],
        multicluster: Vec::new(),
        reverse: NetworkSet::private(),
        fallthrough: Vec::new(),
        namespaces: Exposed::All,
        ttl: Duration::from_secs(5),
        pods: Pods::Verified,
        names_endpoints_by_pod: false,
        has_endpoints: true,
        ignores_empty: false,
        external: None,
        stale_after: Duration::from_secs(3_600),
    }
}

fn namespace_of(number: u32) -> String {
    format!("team-{:03}", number % NAMESPACES)
}

fn pod_name(number: u32) -> Box<str> {
    format!("service-{:05}-7d9c6f8b5d-{:05x}", number % SERVICES, number).into()
}

fn address(pod: u32) -> IpAddr {
    Ipv4Addr::from(0x0A40_0000 + pod).into()
}

fn ports() -> Box<[Port]> {
    let port = |name: &str, number| Port { name: name.into(), protocol: Protocol::Tcp, number };
    [port("http", 8080), port("metrics", 9090)].into()
}

fn key(number: u32, name: &str) -> Key {
    Key::new(&namespace_of(number), name)
}

fn namespace(number: u32) -> Object {
    let labels = [("team".into(), namespace_of(number).into())].into();
    Object::Namespace(Namespace { name: namespace_of(number).into(), labels })
}

/// Half of the services are headless.
fn service(number: u32) -> Object {
    let addresses = smallvec![IpAddr::from(Ipv4Addr::from(0x0A00_0000 + number))];
    let target = if number.is_multiple_of(2) { Target::Addresses(addresses) } else { Target::Headless };
    let key = key(number, &format!("service-{number:05}"));
    Object::Service(Service { key, target, ports: ports(), external: smallvec![] })
}

/// The endpoints of a service: the pods whose numbers leave its own as the rest.
fn slice(number: u32, turn: u32) -> Object {
    let pods = (number..PODS).step_by(SERVICES as usize).skip(usize::try_from(turn % 2).unwrap());
    let endpoint = |pod: u32| Endpoint {
        addresses: smallvec![address(pod)],
        hostname: None,
        pod: Some(pod_name(pod)),
        zone: Some(["eu-west-1a", "eu-west-1b", "eu-west-1c"][pod as usize % 3].into()),
    };
    Object::Slice(Slice {
        key: key(number, &format!("service-{number:05}-x7k2p")),
        service: format!("service-{number:05}").into(),
        cluster: None,
        ports: ports(),
        endpoints: pods.map(endpoint).collect(),
        triggered: Some(u64::from(turn)),
    })
}

fn pod(number: u32) -> Object {
    let is_on_host = number.is_multiple_of(30);
    let host = Ipv4Addr::from(0xC0A8_0000 + number % NODES).into();
    let address = if is_on_host { host } else { address(number) };
    let key = key(number % SERVICES, &pod_name(number));
    Object::Pod(Pod { key, addresses: smallvec![address], is_on_host, started: Some(u64::from(number)) })
}

fn list(store: &mut Store, kind: Kind) {
    store.begin_list(kind);
    let objects: Box<dyn Iterator<Item = Object>> = match kind {
        Kind::Namespace => Box::new((0..NAMESPACES).map(namespace)),
        Kind::Service => Box::new((0..SERVICES).map(service)),
        Kind::Slice => Box::new((0..SERVICES).map(|number| slice(number, 0))),
        Kind::Pod => Box::new((0..PODS).map(pod)),
        Kind::Import => Box::new(std::iter::empty()),
    };
    for object in objects {
        assert!(store.put(object));
    }
    assert_eq!(store.end_list(kind), 0);
}

const KINDS: [Kind; 4] = [Kind::Namespace, Kind::Service, Kind::Slice, Kind::Pod];

#[test]
fn a_large_cluster_fits_and_listing_it_again_takes_little_more() {
    let before = LIVE.load(Ordering::Relaxed);
    let mut store = Store::new(Arc::new(settings()), keyed(&mut Dice::from_number(1)));
    let mut last = before;
    for kind in KINDS {
        list(&mut store, kind);
        let live = LIVE.load(Ordering::Relaxed);
        println!("{kind:?}: {} objects, {} octets each", store.count(kind), (live - last) / store.count(kind));
        last = live;
    }
    let mut table = store.publish(1);
    let steady = LIVE.load(Ordering::Relaxed) - before;
    // An hour of changes while readers hold the table before, then everything is listed again.
    for turn in 0..2_000 {
        store.put(slice(turn * 7 % SERVICES, turn));
        table = store.publish(u64::from(turn)).or(table);
    }
    for kind in KINDS {
        list(&mut store, kind);
    }
    let peak = PEAK.load(Ordering::Relaxed) - before;
    println!("{} KiB, at most {} KiB", steady / 1024, peak / 1024);
    let table = store.publish(2_000).or(table).unwrap();
    assert_eq!(table.service("team-007", "service-00007").unwrap().endpoints().count(), 19);
    assert!(table.pod_at(address(31)).is_some_and(|pod| *pod.key.name == *pod_name(31)));
    assert!(steady <= 80 * MIB, "{steady}");
    assert!(peak <= steady / 5 * 6, "{peak} of {steady}");
}
