//! Random histories of a cluster, judged by the model: after each of them every name is answered as it should be.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use proptest::prelude::*;

use super::super::objects::{
    Addresses, Endpoint, Import, Key, Kind, Namespace, Object, Pod, Port, Protocol, Service, Slice, Target,
};
use super::super::*;
use super::model::{Model, Told};
use super::{rows, settings};
use crate::base::Dice;
use crate::base::collections::keyed;
use crate::chain::Goal;
use crate::handlers::testing::Ask;

pub(super) const KINDS: [Kind; 5] = [Kind::Namespace, Kind::Service, Kind::Slice, Kind::Pod, Kind::Import];
const TYPES: [&str; 9] = ["A", "AAAA", "SRV", "CNAME", "TXT", "SOA", "NS", "MX", "HTTPS"];

/// A small world, so that everything happens to the same few names.
pub(super) struct World {
    dice: Dice,
    pub(super) objects: BTreeMap<(Kind, Key), Object>,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        Self { dice: Dice::from_number(seed), objects: BTreeMap::new() }
    }

    pub(super) fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.dice.index(of.len())]
    }

    fn namespace(&mut self) -> &'static str {
        self.one(&["shop", "ops", "a-b"])
    }

    fn service_name(&mut self) -> &'static str {
        self.one(&["web", "db", "out", "_odd"])
    }

    fn address(&mut self) -> IpAddr {
        self.one(&["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "2001:db8::1", "2001:db8::", "2001:db8:0:1::7"])
            .parse()
            .unwrap()
    }

    fn addresses(&mut self, at_least: usize) -> Addresses {
        (0..at_least + self.dice.index(3)).map(|_| self.address()).collect()
    }

    fn ports(&mut self) -> Box<[Port]> {
        let port = |this: &mut Self| Port {
            name: this.one(&["http", "dns", ""]).into(),
            protocol: [Protocol::Tcp, Protocol::Udp, Protocol::Sctp][this.dice.index(3)],
            number: [53, 80, 8080][this.dice.index(3)],
        };
        (0..self.dice.index(4)).map(|_| port(self)).collect()
    }

    fn target(&mut self, has_aliases: bool) -> Target {
        match self.dice.index(if has_aliases { 4 } else { 2 }) {
            0 => Target::Addresses(self.addresses(1)),
            1 | 2 => Target::Headless,
            _ => Target::External(
                self.one(&[
                    "www.example.com",
                    "Web.shop.svc.cluster.local.",
                    "out.ops.svc.cluster.local",
                    "out.shop.svc.cluster.local",
                    "db-0.db.a-b.svc.cluster.local",
                    "192.0.2.1",
                    "2001:db8::1",
                    "a..b",
                    "",
                ])
                .into(),
            ),
        }
    }

    fn endpoint(&mut self) -> Endpoint {
        let some = |text: &'static str| (!text.is_empty()).then(|| text.into());
        Endpoint {
            addresses: self.addresses(0),
            hostname: some(self.one(&["", "", "db-0", "db-1", "10-0-0-2"])),
            pod: some(self.one(&["", "pod-1", "pod.2", "pod-3"])),
            zone: some(self.one(&["", "eu.West.a", "b"])),
        }
    }

    pub(super) fn object(&mut self) -> Object {
        let key = Key::new(self.namespace(), self.service_name());
        match self.dice.index(10) {
            0 => Object::Namespace(Namespace { name: key.namespace, labels: Box::default() }),
            1..=3 => {
                let external = self.addresses(0);
                Object::Service(Service { key, target: self.target(true), ports: self.ports(), external })
            }
            4..=6 => {
                let cluster = self.one(&["", "", "east", "db-0"]);
                Object::Slice(Slice {
                    key: Key::new(self.namespace(), self.one(&["s1", "s2", "s3", "s4", "s5"])),
                    service: key.name,
                    cluster: (!cluster.is_empty()).then(|| cluster.into()),
                    ports: self.ports(),
                    endpoints: (0..self.dice.index(4)).map(|_| self.endpoint()).collect(),
                    triggered: Some(self.dice.bits()),
                })
            }
            7 => {
                let (addresses, is_on_host) = (self.addresses(0), self.dice.chance(300));
                Object::Pod(Pod { key, addresses, is_on_host, started: Some(self.dice.below(9)) })
            }
            _ => Object::Import(Import { key, target: self.target(false), ports: self.ports() }),
        }
    }

    /// Something happens to the cluster, and `store` is told.
    pub(super) fn step(&mut self, store: &mut Store) {
        match self.dice.index(8) {
            0..=4 => {
                let object = self.object();
                self.objects.insert(key_of(&object), object.clone());
                assert!(store.put(object));
            }
            5 | 6 => {
                let held: Vec<_> = self.objects.keys().cloned().collect();
                if !held.is_empty() {
                    let (kind, key) = held[self.dice.index(held.len())].clone();
                    self.objects.remove(&(kind, key.clone()));
                    store.remove(kind, &key);
                    store.remove(kind, &key); // told twice
                }
            }
            _ => {
                // The watch was lost, and what happened meanwhile is seen in a list.
                let kind = KINDS[self.dice.index(KINDS.len())];
                let before = self.objects.len();
                let dice = &mut self.dice;
                self.objects.retain(|(held, _), _| *held != kind || dice.chance(700));
                let gone = before - self.objects.len();
                for object in (0..4).map(|_| self.object()).filter(|object| object.kind() == kind).collect::<Vec<_>>() {
                    if let std::collections::btree_map::Entry::Occupied(mut held) = self.objects.entry(key_of(&object))
                    {
                        held.insert(object);
                    }
                }
                store.begin_list(kind);
                let mut listed: Vec<Object> = self.objects.values().filter(|it| it.kind() == kind).cloned().collect();
                self.dice.shuffle(&mut listed);
                for object in listed {
                    assert!(store.put(object));
                }
                assert_eq!(store.end_list(kind), gone);
            }
        }
    }

    pub(super) fn settings(&mut self) -> Settings {
        let pods = [Pods::Disabled, Pods::Insecure, Pods::Verified][self.dice.index(3)];
        let namespaces = match self.dice.index(4) {
            0 => Exposed::Named(vec!["shop".into(), "a-b".into()]),
            1 => Exposed::Listed,
            _ => Exposed::All,
        };
        let mut settings = Settings {
            namespaces,
            pods,
            names_endpoints_by_pod: self.dice.chance(300),
            has_endpoints: !self.dice.chance(100),
            ignores_empty: self.dice.chance(300),
            ..settings()
        };
        if self.dice.chance(300) {
            settings.fallthrough = vec![self.one(&["shop.svc.cluster.local.", "cluster.local.", "."]).parse().unwrap()];
        }
        if self.dice.chance(300) {
            settings.zones.push("Inner.cluster.local.".parse().unwrap());
        }
        if self.dice.chance(200) {
            settings.external = None;
        }
        if let Some(external) = &mut settings.external {
            external.with_headless = self.dice.chance(500);
        }
        settings
    }
}

pub(super) fn key_of(object: &Object) -> (Kind, Key) {
    let (namespace, name) = object.identity();
    (object.kind(), Key::new(namespace, name))
}

/// The names that are asked for beside those that are or were: what nearly is one.
pub(super) fn around(names: &BTreeSet<String>) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for name in names {
        all.insert(name.clone());
        for label in ["x", "_tcp", "*", "db-0", "_http._tcp", "10-0-0-3", "2001-db8--0", "01-2-3-4", "_zone", "pin"] {
            all.insert(format!("{label}.{name}"));
        }
        if name.ends_with(".svc.cluster.local.") && name.split('.').count() == 6 {
            for zonal in ["eu.west.a.pin", "eu.west.a.prefer", "b.pin", "c.prefer", "c.pin", "west.a.pin", "b.x"] {
                for port in ["", "_http._tcp.", "_dns._udp.", "_no._tcp.", "_tcp."] {
                    all.insert(format!("{port}{zonal}._zone.{name}"));
                }
            }
        }
        if let Some((_, parent)) = name.split_once('.').filter(|(_, parent)| !parent.is_empty()) {
            all.insert(parent.to_owned());
        }
    }
    all
}

/// What the link says, as the model does.
pub(super) fn told(cluster: &Cluster, name: &str, rtype: &str) -> Told {
    // The model knows neither letters nor numbers.
    let plain = |row: String| {
        let (rtype, text) = row.split_once(' ').unwrap();
        let text = if rtype == "SOA" { text.split_once(' ').unwrap().0 } else { text };
        format!("{rtype} {}", text.to_lowercase())
    };
    let records = |answer: &Answer| -> BTreeSet<String> { rows(answer).into_iter().map(plain).collect() };
    match Ask::new(name, rtype).of(cluster) {
        Verdict::Pass => Told::Pass,
        Verdict::Resolve(Goal { question, prefix, .. }) => {
            let prefix = Answer { answer: prefix, ..Answer::default() };
            Told::Outside(records(&prefix), question.name.to_string().to_lowercase())
        }
        Verdict::Answer(answer) => {
            assert!(answer.authoritative != (answer.rcode == Rcode::SERVFAIL) && answer.authority.len() <= 1);
            let soa = answer.authority.first().map(|aged| aged.set.owner.to_string().to_lowercase());
            let rcode = match answer.rcode {
                Rcode::NOERROR => "NOERROR",
                Rcode::NXDOMAIN => "NXDOMAIN",
                Rcode::SERVFAIL => "SERVFAIL",
                other => panic!("{other}"),
            };
            Told::Answer { rcode, records: records(&answer), soa }
        }
        other => panic!("{other:?}"),
    }
}

fn every_name_is_answered(cluster: &Cluster, model: &Model<'_>, names: &BTreeSet<String>) {
    for name in names {
        for rtype in TYPES {
            assert_eq!(told(cluster, name, rtype), model.ask(name, rtype), "{name} {rtype}");
        }
    }
    let mut world = World::new(1);
    for _ in 0..30 {
        let address = world.address();
        let reverse = reverse::name_of(address).unwrap().to_string();
        assert_eq!(told(cluster, &reverse, "PTR"), model.pointer(address), "{reverse}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn after_any_history_every_name_is_answered_as_by_the_model(seed: u64) {
        let mut world = World::new(seed);
        let settings = Arc::new(world.settings());
        let mut store = Store::new(Arc::clone(&settings), keyed(&mut Dice::from_number(seed)));
        let cluster = Cluster::new(Arc::clone(&settings));
        cluster.stand(Standing::Current);
        let mut names: BTreeSet<String> = ["local.", "example.", "clusterset.local."].map(str::to_owned).into();
        let mut earlier = None;
        for _ in 0..4 {
            for _ in 0..10 {
                world.step(&mut store);
            }
            if let Some(table) = store.publish(seed % 5_000_000_000) {
                cluster.swap(table);
            }
            let model = Model::new(world.objects.values(), &settings);
            names.extend(model.names());
            every_name_is_answered(&cluster, &model, &around(&names));
            earlier.get_or_insert_with(|| (cluster.table(), world.objects.clone()));
        }
        // An older table still says what it said.
        let (table, objects) = earlier.unwrap();
        cluster.swap(table);
        every_name_is_answered(&cluster, &Model::new(objects.values(), &settings), &around(&names));
        // Where nothing is left of a cluster, nothing is left of it.
        for (kind, key) in world.objects.keys() {
            store.remove(*kind, key);
        }
        prop_assert_eq!(store.objects().count(), 0);
        if let Some(table) = store.publish(0) {
            let sizes = [table.namespaces.iter().count(), table.services.iter().count(), table.owners.iter().count(), table.tenants.iter().count()];
            prop_assert_eq!(sizes, [0; 4]);
        }
    }

    #[test]
    fn a_snapshot_makes_the_same_store_again(seed: u64) {
        let mut world = World::new(seed);
        let settings = Arc::new(world.settings());
        let mut store = Store::new(Arc::clone(&settings), keyed(&mut Dice::from_number(seed)));
        for _ in 0..40 {
            world.step(&mut store);
        }
        let mut again = Store::new(settings, keyed(&mut Dice::from_number(seed)));
        let mut objects: Vec<Object> = store.objects().collect();
        Dice::from_number(seed).shuffle(&mut objects);
        for object in objects {
            prop_assert!(again.put(object));
        }
        let digester = store.digester();
        for kind in KINDS {
            prop_assert_eq!((store.digest(kind), store.count(kind)), (again.digest(kind), again.count(kind)));
            let listed = world.objects.values().filter(|object| object.kind() == kind);
            let sum = listed.clone().fold(0_u64, |sum, object| sum.wrapping_add(digester.digest(object)));
            prop_assert_eq!((store.digest(kind), store.count(kind)), (sum, listed.count()));
        }
        prop_assert!(store.objects().eq(again.objects()));
    }

    #[test]
    fn what_is_told_again_changes_nothing(seed: u64) {
        let mut world = World::new(seed);
        let mut store = Store::new(Arc::new(world.settings()), keyed(&mut Dice::from_number(seed)));
        for _ in 0..30 {
            world.step(&mut store);
        }
        let first = store.publish(1);
        for kind in KINDS {
            store.begin_list(kind);
            for object in world.objects.values().filter(|object| object.kind() == kind) {
                store.put(object.clone());
            }
            prop_assert_eq!(store.end_list(kind), 0);
        }
        prop_assert!(store.publish(2).is_none());
        prop_assert!(first.is_none_or(|table| table.serial() == 1));
    }

    #[test]
    fn who_has_an_address_is_told_of_no_other(seed: u64) {
        let mut world = World::new(seed);
        let mut store = Store::new(Arc::new(settings()), keyed(&mut Dice::from_number(seed)));
        for _ in 0..60 {
            world.step(&mut store);
        }
        let Some(table) = store.publish(1) else { return Ok(()) };
        for _ in 0..20 {
            let address = world.address();
            let pods = world.objects.values().filter_map(|object| match object {
                Object::Pod(pod) if pod.addresses.contains(&address) => Some(pod),
                _ => None,
            });
            let pods: Vec<&Pod> = pods.collect();
            match table.pod_at(address) {
                Some(pod) => prop_assert!(pods.contains(&pod) && (pods.len() == 1 || pod.is_on_host)),
                None => prop_assert!(pods.is_empty() || pods.len() > 1 && pods.iter().all(|pod| !pod.is_on_host)),
            }
        }
    }
}
