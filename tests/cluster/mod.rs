//! A watched cluster, and what it must answer.
//!
//! The API server's objects are read once more, in another way than Meridian's own, put into a store of their own, and
//! every name that there could be is asked of both. That the store answers rightly has tests of its own beside it; here it
//! is about both having the same.
#![allow(dead_code, unreachable_pub, reason = "each test takes the part it needs")]

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use meridian::base::collections::keyed;
use meridian::base::{Clock as _, Dice};
use meridian::chain::{Answer, Asker, Carrier, Query};
use meridian::dns::{Flags, Name, Question};
use meridian::edge::clock::MachineClock;
use meridian::edge::cluster::{Api, Meter, Plan, Scope, Tempo, Watch};
use meridian::handlers::cluster::objects::{
    Endpoint, Import, Key, Kind, Namespace, Object, Pod, Port, Protocol, Service, Slice, Target,
};
use meridian::handlers::cluster::{Cluster, Exposed, External, Pods, Settings, Standing, Store};
use serde_json::{Value, json};

use crate::support::api_server::{ApiServer, RESOURCES, Resource};
use crate::support::wait::{until, wait_for};

pub fn settings() -> Arc<Settings> {
    Arc::new(Settings {
        zones: vec!["cluster.local.".parse().unwrap()],
        multicluster: vec!["clusterset.local.".parse().unwrap()],
        reverse: ["0.0.0.0/0", "::/0"].iter().map(|text| text.parse().unwrap()).collect(),
        fallthrough: Vec::new(),
        namespaces: Exposed::All,
        ttl: Duration::from_secs(5),
        pods: Pods::Verified,
        names_endpoints_by_pod: false,
        has_endpoints: true,
        ignores_empty: false,
        external: Some(External {
            zones: vec!["ext.example.".parse().unwrap()],
            apex: "dns".into(),
            with_headless: true,
            ttl: Duration::from_secs(7),
        }),
        stale_after: Duration::from_secs(3_600),
    })
}

pub fn scope() -> Scope {
    Scope { has_endpoints: true, has_pods: true, has_imports: true, ..Scope::default() }
}

/// Everything as fast as a test needs it.
pub fn tempo() -> Tempo {
    Tempo {
        page: 7,
        retry_min: Duration::from_millis(5),
        retry_max: Duration::from_millis(300),
        silence_max: Duration::from_secs(5),
        watch: Duration::from_secs(1),
        check_every: Duration::from_secs(3_600),
        saved_every: Duration::from_secs(3_600),
    }
}

pub fn plan(api: &str) -> Plan {
    Plan { api: Api::Url(api.to_owned()), scope: scope(), snapshot: None, tempo: tempo() }
}

/// A cluster that is watched until this is dropped.
pub struct Watched {
    pub cluster: Cluster,
    pub watch: Watch,
    pub meter: Arc<Meter>,
    pub clock: MachineClock,
    pub runtime: tokio::runtime::Runtime,
}

impl Watched {
    pub fn begin(plan: Plan) -> Self {
        Self::begin_with(plan, settings())
    }

    pub fn begin_with(plan: Plan, settings: Arc<Settings>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (meter, clock) = (Arc::<Meter>::default(), MachineClock::new());
        let cluster = Cluster::new(settings.clone());
        let store = Store::new(settings, keyed(&mut Dice::from_number(7)));
        let watch = Watch::begin(plan, store, cluster.clone(), &meter, clock, runtime.handle()).unwrap();
        Self { cluster, watch, meter, clock, runtime }
    }

    /// Ends the watch, and waits for its snapshot.
    pub fn stop(self) -> Cluster {
        self.watch.stop();
        self.cluster
    }

    pub fn is_current(&self) -> bool {
        self.cluster.standing() == Standing::Current
    }

    /// Waits until every name is answered as the API server's objects say.
    #[track_caller]
    pub fn settles_to(&self, api: &ApiServer) {
        wait_for(|| self.is_current(), "the watch is current");
        let mut last = String::new();
        let settled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            until("every name is answered as the API says", || {
                let truth = truth(api);
                match difference(&self.cluster, &truth, &names(&truth), self.clock) {
                    None => Some(()),
                    Some(found) => {
                        last = found;
                        None
                    }
                }
            });
        }));
        assert!(settled.is_ok(), "{last}; {:?}", self.watch.report());
    }
}

/// What `cluster` says to a question.
pub fn ask(cluster: &Cluster, name: &str, rtype: &str, clock: MachineClock) -> Option<Answer> {
    let name: Name = name.parse().unwrap();
    let asker = Asker {
        address: "192.0.2.200:5300".parse().unwrap(),
        local: None,
        carrier: Carrier::Udp,
        may_recurse: true,
        group: 0,
    };
    let question = Question::new(name, rtype.parse().unwrap());
    let query =
        Query { id: 7, flags: Flags { recursion_desired: true, ..Flags::default() }, question, edns: None, asker };
    let answer = cluster.decide(&query, clock.now())?.answer;
    // Who chose, and what is said of an API that is silent, is not what the names say.
    Some(Answer { chooser: None, ede: None, recallable_until: None, ..answer })
}

/// The first name at which `cluster` and one that has `truth` are of two minds.
fn difference(cluster: &Cluster, truth: &[Object], names: &[String], clock: MachineClock) -> Option<String> {
    let right = cluster_of(truth, cluster.table().serial());
    names.iter().find_map(|name| {
        ["A", "AAAA", "SRV", "PTR", "TXT"].into_iter().find_map(|rtype| {
            let (found, expected) = (ask(cluster, name, rtype, clock), ask(&right, name, rtype, clock));
            (found != expected).then(|| format!("{name} {rtype}: {found:?}, should be {expected:?}"))
        })
    })
}

pub fn cluster_of(objects: &[Object], serial: u32) -> Cluster {
    let mut store = Store::new(settings(), keyed(&mut Dice::from_number(8)));
    for object in objects {
        assert!(store.put(object.clone()));
    }
    let cluster = Cluster::new(settings());
    if let Some(table) = store.publish(u64::from(serial)) {
        cluster.swap(table);
    }
    cluster.stand(Standing::Current);
    cluster
}

fn text(value: &Value) -> Box<str> {
    value.as_str().unwrap_or_default().into()
}

fn texts(value: &Value) -> Vec<IpAddr> {
    let mut read: Vec<IpAddr> = Vec::new();
    for one in value.as_array().into_iter().flatten() {
        read.extend(one.as_str().unwrap_or_default().parse::<IpAddr>().ok().filter(|address| !read.contains(address)));
    }
    read
}

fn ports(value: &Value) -> Box<[Port]> {
    let read = |port: &Value| {
        let protocol = match &*text(&port["protocol"]) {
            "UDP" => Protocol::Udp,
            "SCTP" => Protocol::Sctp,
            _ => Protocol::Tcp,
        };
        Some(Port { name: text(&port["name"]), protocol, number: u16::try_from(port["port"].as_u64()?).ok()? })
    };
    value.as_array().into_iter().flatten().filter_map(read).collect()
}

/// What the API server has, as names follow from it.
pub fn truth(api: &ApiServer) -> Vec<Object> {
    let all = |resource: Resource| api.objects(resource).into_iter();
    let mut objects: Vec<Object> = Vec::new();
    objects.extend(all("namespaces").map(|one| {
        let labels = one["metadata"]["labels"].as_object().into_iter().flatten();
        let labels = labels.map(|(name, value)| (name.as_str().into(), text(value))).collect();
        Object::Namespace(Namespace { name: text(&one["metadata"]["name"]), labels })
    }));
    let key =
        |one: &Value| Key { namespace: text(&one["metadata"]["namespace"]), name: text(&one["metadata"]["name"]) };
    objects.extend(all("services").filter_map(|one| {
        let spec = &one["spec"];
        let target = match (spec["type"].as_str(), spec["clusterIP"].as_str()) {
            (Some("ExternalName"), _) => Target::External(text(&spec["externalName"])),
            (_, Some("None")) => Target::Headless,
            (_, Some("") | None) => return None,
            _ => Target::Addresses(texts(&spec["clusterIPs"]).into_iter().collect()),
        };
        let mut external = texts(&spec["externalIPs"]);
        let ingress = one["status"]["loadBalancer"]["ingress"].as_array().into_iter().flatten();
        external.extend(ingress.filter_map(|at| at["ip"].as_str()?.parse::<IpAddr>().ok()));
        let external = external.into_iter().collect();
        Some(Object::Service(Service { key: key(&one), target, ports: ports(&spec["ports"]), external }))
    }));
    objects.extend(all("endpointslices").map(|one| {
        let labels = &one["metadata"]["labels"];
        let ready = |endpoint: &&Value| endpoint["conditions"]["ready"] != json!(false);
        let endpoints = one["endpoints"].as_array().into_iter().flatten().filter(ready).map(|endpoint| Endpoint {
            addresses: texts(&endpoint["addresses"]).into_iter().collect(),
            hostname: endpoint["hostname"].as_str().map(Into::into),
            pod: endpoint["targetRef"]["name"].as_str().map(Into::into),
            zone: endpoint["zone"].as_str().map(Into::into),
        });
        Object::Slice(Slice {
            key: key(&one),
            service: text(&labels["kubernetes.io/service-name"]),
            cluster: None,
            ports: ports(&one["ports"]),
            endpoints: endpoints.collect(),
            triggered: None,
        })
    }));
    objects.extend(all("pods").filter_map(|one| {
        let status = &one["status"];
        let addresses =
            status["podIPs"].as_array().into_iter().flatten().filter_map(|at| at["ip"].as_str()?.parse().ok());
        let is_on_host = one["spec"]["hostNetwork"] == json!(true);
        let has_ended = ["Succeeded", "Failed"].iter().any(|phase| status["phase"] == *phase);
        let pod = Pod { key: key(&one), addresses: addresses.collect(), is_on_host, started: None };
        (!has_ended && !pod.addresses.is_empty()).then_some(Object::Pod(pod))
    }));
    objects.extend(all("serviceimports").map(|one| {
        let spec = &one["spec"];
        let target = match spec["type"].as_str() {
            Some("Headless") => Target::Headless,
            _ => Target::Addresses(texts(&spec["ips"]).into_iter().collect()),
        };
        Object::Import(Import { key: key(&one), target, ports: ports(&spec["ports"]) })
    }));
    objects
}

/// Every name that could be asked for: of what there is, of what the histories of these tests may have had, and of nothing.
pub fn names(truth: &[Object]) -> Vec<String> {
    let mut names: Vec<String> =
        ["cluster.local.", "svc.cluster.local.", "pod.cluster.local.", "dns-version.cluster.local."]
            .map(str::to_owned)
            .to_vec();
    for namespace in NAMESPACES {
        names.push(format!("{namespace}.svc.cluster.local."));
        for service in SERVICES {
            for zone in ["svc.cluster.local.", "svc.clusterset.local.", "ext.example."] {
                let name = format!("{service}.{namespace}.{zone}");
                for port in ["_http._tcp", "_dns._udp", "_none._tcp", "host-0", "host-1"] {
                    names.push(format!("{port}.{name}"));
                }
                names.push(name);
            }
        }
    }
    let addresses = (0..ADDRESSES).map(address).chain(truth.iter().flat_map(|object| match object {
        Object::Service(Service { target: Target::Addresses(addresses), .. }) => addresses.to_vec(),
        _ => Vec::new(),
    }));
    for address in addresses {
        let IpAddr::V4(four) = address else { continue };
        let [a, b, c, d] = four.octets();
        names.push(format!("{d}.{c}.{b}.{a}.in-addr.arpa."));
        for namespace in NAMESPACES {
            names.push(format!("{a}-{b}-{c}-{d}.{namespace}.pod.cluster.local."));
            names.push(format!("{a}-{b}-{c}-{d}.web.{namespace}.svc.cluster.local."));
        }
    }
    names
}

pub const NAMESPACES: [&str; 3] = ["shop", "bank", "nowhere"];
pub const SERVICES: [&str; 4] = ["web", "db", "mail", "gone"];
/// Addresses that endpoints and pods of random histories have.
pub const ADDRESSES: u8 = 12;

pub fn address(number: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, number])
}

pub fn namespace(name: &str) -> Value {
    json!({"metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}}})
}

pub fn service(namespace: &str, name: &str, address: &str) -> Value {
    json!({"metadata": {"namespace": namespace, "name": name, "labels": {"app": name}},
        "spec": {"type": "ClusterIP", "clusterIP": address, "clusterIPs": [address],
            "ports": [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": 8080}, {"name": "dns", "protocol": "UDP", "port": 53}]},
        "status": {"loadBalancer": {}}})
}

pub fn slice(namespace: &str, name: &str, service: &str, endpoints: &Value) -> Value {
    json!({"metadata": {"namespace": namespace, "name": name, "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4", "ports": [{"name": "http", "protocol": "TCP", "port": 8080}], "endpoints": endpoints})
}

pub fn pod(namespace: &str, name: &str, address: &str, phase: &str) -> Value {
    json!({"metadata": {"namespace": namespace, "name": name}, "spec": {"hostNetwork": false},
        "status": {"phase": phase, "podIP": address, "podIPs": [{"ip": address}]}})
}

/// An API server with a small cluster.
pub fn small() -> ApiServer {
    let api = ApiServer::start();
    api.put("namespaces", namespace("shop"));
    api.put("namespaces", namespace("bank"));
    api.put("services", service("shop", "web", "198.51.100.1"));
    let mut headless = service("shop", "db", "None");
    headless["spec"]["clusterIPs"] = json!(["None"]);
    api.put("services", headless);
    api.put(
        "endpointslices",
        slice("shop", "db-1", "db", &json!([{"addresses": ["192.0.2.1"], "hostname": "host-0"}])),
    );
    api.put(
        "endpointslices",
        slice("shop", "db-2", "db", &json!([{"addresses": ["192.0.2.2"], "conditions": {"ready": true}}])),
    );
    for number in 1..=9 {
        api.put("pods", pod("shop", &format!("db-{number}"), &address(number).to_string(), "Running"));
    }
    api
}

/// The kinds by the API server's words, to see that all are watched.
pub fn kinds() -> usize {
    RESOURCES.len()
}

pub fn kind_of(resource: Resource) -> Kind {
    match resource {
        "namespaces" => Kind::Namespace,
        "services" => Kind::Service,
        "endpointslices" => Kind::Slice,
        "pods" => Kind::Pod,
        _ => Kind::Import,
    }
}
