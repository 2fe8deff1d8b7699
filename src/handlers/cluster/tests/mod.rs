//! The names of a cluster, F01 to F18 in order: what CoreDNS's users and version 1.1.0 of the specification expect.

mod histories;
mod memo;
mod model;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::objects::{Endpoint, Import, Key, Namespace, Object, Pod, Port, Protocol, Service, Slice, Target};
use super::*;
use crate::base::collections::keyed;
use crate::base::{Dice, bounds};
use crate::chain::Goal;
use crate::handlers::testing::{Ask, answer};

pub(super) fn settings() -> Settings {
    Settings {
        zones: vec!["cluster.local.".parse().unwrap()],
        multicluster: vec!["clusterset.local.".parse().unwrap()],
        reverse: ["0.0.0.0/0", "::/0"].iter().map(|text| text.parse().unwrap()).collect(),
        fallthrough: Vec::new(),
        namespaces: Exposed::All,
        ttl: Duration::from_secs(5),
        pods: Pods::Disabled,
        names_endpoints_by_pod: false,
        has_endpoints: true,
        ignores_empty: false,
        external: Some(External {
            zones: vec!["ext.example.".parse().unwrap()],
            apex: "dns".into(),
            with_headless: false,
            ttl: Duration::from_secs(7),
        }),
        stale_after: Duration::from_secs(3_600),
    }
}

fn addresses(texts: &[&str]) -> super::objects::Addresses {
    texts.iter().map(|text| text.parse::<IpAddr>().unwrap()).collect()
}

fn port(name: &str, number: u16) -> Port {
    Port { name: name.into(), protocol: Protocol::Tcp, number }
}

fn namespace(name: &str) -> Object {
    Object::Namespace(Namespace { name: name.into(), labels: Box::default() })
}

fn service(name: &str, target: Target, ports: &[Port], external: &[&str]) -> Object {
    let key = Key::new("shop", name);
    Object::Service(Service { key, target, ports: ports.into(), external: addresses(external) })
}

fn endpoint(address: &str, hostname: &str, zone: &str) -> Endpoint {
    let some = |text: &str| (!text.is_empty()).then(|| text.into());
    Endpoint { addresses: addresses(&[address]), hostname: some(hostname), pod: some("web-1"), zone: some(zone) }
}

fn slice(name: &str, service: &str, cluster: Option<&str>, ports: &[Port], endpoints: &[Endpoint]) -> Object {
    Object::Slice(Slice {
        key: Key::new("shop", name),
        service: service.into(),
        cluster: cluster.map(Into::into),
        ports: ports.into(),
        endpoints: endpoints.into(),
        triggered: Some(1),
    })
}

fn pod(name: &str, address: &str, is_on_host: bool) -> Object {
    let (key, addresses) = (Key::new("shop", name), addresses(&[address]));
    Object::Pod(Pod { key, addresses, is_on_host, started: Some(7) })
}

/// A cluster with one of everything.
fn objects() -> Vec<Object> {
    let http = [port("http", 80), port("", 81)];
    let db = [port("pg", 5432)];
    let zoned = |host: &str, address: &str, zone: &str| endpoint(address, host, zone);
    let import = Import {
        key: Key::new("shop", "web"),
        target: Target::Addresses(addresses(&["10.9.0.1"])),
        ports: http.clone().into(),
    };
    let import_db = Import { key: Key::new("shop", "db"), target: Target::Headless, ports: db.clone().into() };
    vec![
        namespace("shop"),
        namespace("bare"),
        service("web", Target::Addresses(addresses(&["10.0.0.1", "2001:db8::1"])), &http, &["203.0.113.1"]),
        service("db", Target::Headless, &db, &[]),
        service("idle", Target::Headless, &db, &[]),
        service("out", Target::External("www.example.com".into()), &[], &[]),
        service("number", Target::External("192.0.2.1".into()), &[], &[]),
        service("within", Target::External("WEB.shop.svc.cluster.local.".into()), &[], &[]),
        slice("web-1", "web", None, &[port("http", 8080)], &[endpoint("10.1.0.9", "", "a")]),
        slice("db-1", "db", None, &db, &[zoned("db-0", "10.1.0.1", "eu.west.a"), zoned("", "10.1.0.2", "eu.west.b")]),
        slice("db-2", "db", None, &db, &[zoned("", "10.1.0.2", "eu.west.b")]),
        slice("db-6", "db", None, &db, &[zoned("db-0", "2001:db8:1::1", "eu.west.a"), zoned("", "2001:db8:1::", "")]),
        slice("db-none", "db", None, &[], &[zoned("", "10.1.0.7", "")]),
        slice("db-far", "db", Some("east"), &db, &[zoned("db-0", "10.2.0.1", "")]),
        Object::Import(import),
        Object::Import(import_db),
        pod("web-1", "10.1.0.9", false),
        pod("agent-1", "192.0.2.250", true),
    ]
}

fn cluster_of(settings: Settings, objects: Vec<Object>) -> Cluster {
    let settings = Arc::new(settings);
    let mut store = Store::new(Arc::clone(&settings), keyed(&mut Dice::from_number(1)));
    for object in objects {
        assert!(store.put(object));
    }
    let cluster = Cluster::new(settings);
    cluster.swap(store.publish(1_700_000_000).unwrap());
    cluster.stand(Standing::Current);
    cluster
}

fn cluster() -> Cluster {
    cluster_of(settings(), objects())
}

/// The answer in short: RCODE, answer section, names of the SOA records of the authority section.
fn told(cluster: &Cluster, name: &str, rtype: &str) -> String {
    match Ask::new(name, rtype).of(cluster) {
        Verdict::Pass => "pass".into(),
        Verdict::Resolve(Goal { question, prefix, .. }) => {
            let prefix = Answer { answer: prefix, ..Answer::default() };
            format!("{} then {}", rows(&prefix).join(" "), question.name)
        }
        Verdict::Answer(found) => {
            let soa = found.authority.first().map_or_else(String::new, |aged| format!(" soa {}", aged.set.owner));
            format!("{} {}{soa}", found.rcode, rows(&found).join(" ")).replace("  ", " ").trim_end().to_owned()
        }
        Verdict::Silence(event) => format!("{event:?}"),
        Verdict::Search(path) => format!("{path:?}"),
    }
}

fn rows(answer: &Answer) -> Vec<String> {
    let row = |rtype: RecordType, rdata: &[u8]| {
        let text = match (rtype, rdata) {
            (RecordType::A, rdata) => IpAddr::from(<[u8; 4]>::try_from(rdata).unwrap()).to_string(),
            (RecordType::AAAA, rdata) => IpAddr::from(<[u8; 16]>::try_from(rdata).unwrap()).to_string(),
            (RecordType::SRV, [0, 0, w0, w1, p0, p1, target @ ..]) => {
                let number = |high: u8, low: u8| u16::from_be_bytes([high, low]);
                let target = Name::from_wire(target).unwrap().0;
                format!("{} {} {target}", number(*w0, *w1), number(*p0, *p1))
            }
            (RecordType::TXT, rdata) => String::from_utf8_lossy(&rdata[1..]).into(),
            (RecordType::SOA, rdata) => {
                let (server, length) = Name::from_wire(rdata).unwrap();
                format!("{server} {}", Name::from_wire(&rdata[length..]).unwrap().0)
            }
            (_, rdata) => Name::from_wire(rdata).unwrap().0.to_string(),
        };
        format!("{rtype} {text}")
    };
    let sets = answer.answer.iter().map(|aged| &aged.set);
    sets.flat_map(|set| set.rdatas.iter().map(|rdata| row(set.rtype, rdata))).collect()
}

#[track_caller]
fn expect(cluster: &Cluster, cases: &[(&str, &str, &str)]) {
    for (name, rtype, expected) in cases {
        assert_eq!(told(cluster, name, rtype), *expected, "{name} {rtype}");
    }
}

const DENIED: &str = "NXDOMAIN soa cluster.local.";
const EMPTY: &str = "NOERROR soa cluster.local.";

#[test]
fn every_row_of_the_specification_is_answered() {
    expect(
        &cluster(),
        &[
            ("dns-version.cluster.local.", "TXT", "NOERROR TXT 1.1.0"), // F01
            ("web.shop.svc.cluster.local.", "A", "NOERROR A 10.0.0.1"), // F02
            ("web.shop.svc.cluster.local.", "AAAA", "NOERROR AAAA 2001:db8::1"), // F03
            ("_http._tcp.web.shop.svc.cluster.local.", "SRV", "NOERROR SRV 50 80 web.shop.svc.cluster.local."), // F04
            ("_http._udp.web.shop.svc.cluster.local.", "SRV", DENIED),
            ("_._tcp.web.shop.svc.cluster.local.", "SRV", DENIED),
            ("1.0.0.10.in-addr.arpa.", "PTR", "NOERROR PTR web.shop.svc.cluster.local."), // F05
            ("db.shop.svc.cluster.local.", "A", "NOERROR A 10.1.0.1 A 10.1.0.2 A 10.1.0.7"), // F06
            ("db.shop.svc.cluster.local.", "AAAA", "NOERROR AAAA 2001:db8:1:: AAAA 2001:db8:1::1"),
            ("idle.shop.svc.cluster.local.", "A", DENIED), // F07
            ("db-0.db.shop.svc.cluster.local.", "A", "NOERROR A 10.1.0.1"), // F08
            ("db-0.db.shop.svc.cluster.local.", "AAAA", "NOERROR AAAA 2001:db8:1::1"),
            ("10-1-0-2.db.shop.svc.cluster.local.", "A", "NOERROR A 10.1.0.2"),
            ("2001-db8-1--0.db.shop.svc.cluster.local.", "AAAA", "NOERROR AAAA 2001:db8:1::"),
            ("10-1-0-1.db.shop.svc.cluster.local.", "A", DENIED), // it has a host name
            (
                "_pg._tcp.db.shop.svc.cluster.local.", // F09
                "SRV",
                "NOERROR SRV 25 5432 10-1-0-2.db.shop.svc.cluster.local. SRV 25 5432 2001-db8-1--0.db.shop.svc.cluster.local. \
             SRV 25 5432 db-0.db.shop.svc.cluster.local.",
            ),
            ("1.0.1.10.in-addr.arpa.", "PTR", "NOERROR PTR db-0.db.shop.svc.cluster.local."), // F10
            ("2.0.1.10.in-addr.arpa.", "PTR", "NOERROR PTR 10-1-0-2.db.shop.svc.cluster.local."),
            ("9.0.1.10.in-addr.arpa.", "PTR", "pass"), // an endpoint of a service with an address
            ("out.shop.svc.cluster.local.", "A", "CNAME www.example.com. then www.example.com."), // F11
            ("out.shop.svc.cluster.local.", "CNAME", "NOERROR CNAME www.example.com."),
            ("a.out.shop.svc.cluster.local.", "A", DENIED),
            ("number.shop.svc.cluster.local.", "A", DENIED),
            ("within.shop.svc.cluster.local.", "A", "NOERROR CNAME WEB.shop.svc.cluster.local. A 10.0.0.1"),
            ("no.shop.svc.cluster.local.", "A", DENIED), // F12
            ("web.no.svc.cluster.local.", "SRV", DENIED),
            ("no.web.shop.svc.cluster.local.", "A", DENIED),
            ("web.shop.svc.cluster.local.", "TXT", EMPTY), // F13
            ("db.shop.svc.cluster.local.", "MX", EMPTY),
            ("svc.cluster.local.", "A", EMPTY), // F14
            ("pod.cluster.local.", "NS", EMPTY),
            ("bare.svc.cluster.local.", "A", EMPTY),
            ("no.svc.cluster.local.", "A", DENIED),
            ("cluster.local.", "NS", "NOERROR NS ns.dns.cluster.local."),
            ("cluster.local.", "A", EMPTY),
            ("cluster.local.", "AXFR", "REFUSED"),
            ("*.shop.svc.cluster.local.", "A", DENIED), // F16
            ("any.shop.svc.cluster.local.", "A", DENIED),
            ("_any._any.web.shop.svc.cluster.local.", "SRV", DENIED),
            ("www.example.com.", "A", "pass"),
            ("local.", "A", "pass"),
        ],
    );
}

#[test]
fn aliases_in_a_ring_are_an_error_to_who_has_recursion() {
    let name = |name: &str| format!("{name}.shop.svc.cluster.local");
    let alias = |from: &str, to: &str| service(from, Target::External(name(to).into()), &[], &[]);
    let long = (0..20).map(|at| alias(&format!("a{at}"), &format!("a{}", at + 1)));
    let aliases = [namespace("shop"), alias("one", "two"), alias("two", "one"), alias("self", "self")];
    let cluster = cluster_of(settings(), aliases.into_iter().chain(long).collect());
    for ring in ["one", "self", "a0"] {
        assert_eq!(told(&cluster, &name(ring), "A"), "SERVFAIL", "{ring}");
        let shown = answer(Ask::new(&name(ring), "A").without_recursion().of(&cluster));
        assert_eq!((shown.rcode, shown.ede), (Rcode::NOERROR, None), "who asks for what is here is told that");
        assert!(shown.answer.iter().all(|aged| aged.set.rtype == RecordType::CNAME) && !shown.answer.is_empty());
    }
    assert_eq!(told(&cluster, &name("one"), "CNAME"), format!("NOERROR CNAME {}.", name("two")));
}

#[test]
fn names_above_addresses_are_known_to_who_denies_them() {
    let cluster = cluster();
    let stake = |name: &str| cluster.stake(&name.parse().unwrap()).map(|stake| (stake.has_below, stake.ttl));
    for above in ["10.in-addr.arpa.", "0.1.10.in-addr.arpa.", "1.0.1.10.in-addr.arpa.", "8.b.d.0.1.0.0.2.ip6.arpa."] {
        assert_eq!(stake(above), Some((true, 5)), "{above}");
    }
    for empty in ["7.10.in-addr.arpa.", "3.0.1.10.in-addr.arpa.", "9.b.d.0.1.0.0.2.ip6.arpa."] {
        assert_eq!(stake(empty), Some((false, 5)), "{empty}: there may be some the next moment");
    }
    assert_eq!(stake("www.example.com."), None);
    let reverse = ["10.1.0.0/24"].iter().map(|text| text.parse().unwrap()).collect();
    let narrow = cluster_of(Settings { reverse, ..settings() }, objects());
    let stake = |name: &str| narrow.stake(&name.parse().unwrap()).map(|stake| stake.has_below);
    assert_eq!(
        ["1.10.in-addr.arpa.", "0.1.10.in-addr.arpa.", "0.10.in-addr.arpa."].map(stake),
        [Some(true), Some(true), None]
    );
}

#[test]
fn of_thousands_of_endpoints_all_ports_of_as_many_as_fit_are_told() {
    let ports = [port("pg", 5432), port("http", 80)];
    let mut all = vec![namespace("shop"), service("db", Target::Headless, &ports, &[])];
    for piece in 0..30 {
        let endpoints = (0..100).map(|at| endpoint(&format!("10.1.{piece}.{at}"), "", "a")).collect::<Vec<_>>();
        // Pieces that change may both have an endpoint for a moment.
        all.push(slice(&format!("db-{piece}"), "db", None, &ports, &endpoints));
        all.push(slice(&format!("db-{piece}-again"), "db", None, &ports, &endpoints[..50]));
    }
    // What goes by the name of another's address is one target with it.
    all.push(slice("db-odd", "db", None, &ports, &[endpoint("10.0.0.1", "10-1-0-0", "a")]));
    let found = answer(Ask::new("db.shop.svc.cluster.local.", "SRV").of(&cluster_of(settings(), all)));
    let records: Vec<&[u8]> = found.answer[0].set.rdatas.iter().collect();
    let octets: usize = records.iter().map(|rdata| 12 + rdata.len()).sum();
    assert!(octets <= bounds::CLUSTER_ANSWER_BYTES && octets > bounds::CLUSTER_ANSWER_BYTES - 100, "{octets}");
    let distinct: std::collections::BTreeSet<&[u8]> = records.iter().copied().collect();
    assert_eq!(distinct.len(), records.len());
    assert!(records.iter().all(|rdata| rdata[..4] == [0, 0, 0, 1]), "a hundredth part of 6,002, at least 1");
    for pair in records.chunks_exact(2) {
        assert_eq!((&pair[0][4..6], &pair[1][4..6]), (&80_u16.to_be_bytes()[..], &5432_u16.to_be_bytes()[..]));
        assert_eq!(pair[0][6..], pair[1][6..]);
    }
    let first = &found.additional[0].set;
    assert_eq!((first.owner.to_string(), first.rdatas.len()), ("10-1-0-0.db.shop.svc.cluster.local.".into(), 2));
    assert_eq!(found.additional.len(), bounds::ADDITIONAL_TARGETS_MAX);
}

#[test]
fn before_the_first_sync_no_name_is_denied() {
    let cluster = Cluster::new(Arc::new(settings()));
    expect(
        &cluster,
        &[
            ("web.shop.svc.cluster.local.", "A", "SERVFAIL"), // F15
            ("no.cluster.local.", "A", "SERVFAIL"),
            ("1.0.0.10.in-addr.arpa.", "PTR", "SERVFAIL"),
            ("8.8.8.8.in-addr.arpa.", "PTR", "pass"),
            ("www.example.com.", "A", "pass"),
        ],
    );
}

#[test]
fn the_soa_is_the_one_that_clients_know() {
    let found = answer(Ask::new("cluster.local.", "SOA").of(&cluster())); // F18
    let name = |text: &str| text.parse::<Name>().unwrap();
    let numbers = [1_700_000_000_u32, 7_200, 1_800, 86_400, 5].map(u32::to_be_bytes).concat();
    let soa = [name("ns.dns.cluster.local.").wire(), name("hostmaster.cluster.local.").wire(), &numbers].concat();
    assert_eq!(found.answer[0].set.rdatas.iter().collect::<Vec<_>>(), [soa]);
    let negative = answer(Ask::new("no.Cluster.LOCAL.", "A").of(&cluster()));
    assert!(negative.authority[0].set.owner.is_same_case(&name("Cluster.LOCAL.")));
    assert_eq!((negative.authority[0].ttl, negative.authoritative), (5, true));
}

#[test]
fn weights_are_shares_of_a_hundred() {
    let endpoints: Vec<Endpoint> = (1..=6).map(|last| endpoint(&format!("10.3.0.{last}"), "", "")).collect(); // F17
    let http = [port("http", 80)];
    let objects = vec![service("six", Target::Headless, &[], &[]), slice("six-1", "six", None, &http, &endpoints)];
    let told = told(&cluster_of(settings(), objects), "_http._tcp.six.shop.svc.cluster.local.", "SRV");
    assert_eq!(told.matches("SRV 16 80 ").count(), 6, "{told}");
}
