//! The fast tempo at a cluster's names: what is remembered across tables is, octet for octet, what would be composed.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::super::objects::{Key, Kind, Target};
use super::super::*;
use super::histories::{World, around};
use super::model::Model;
use super::{addresses, objects, port, service, settings};
use crate::base::collections::keyed;
use crate::base::tally::Tally;
use crate::base::{Dice, bounds};
use crate::chain::{Pick, Recall, seal};
use crate::dns::{Edns, Message};
use crate::handlers::cache::finished::Finished;
use crate::handlers::testing::Ask;

/// How an answer was come by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    Remembered,
    Chosen,
    Found,
    /// Nothing was answered here.
    None,
}

/// A worker, as far as it remembers.
struct Worker {
    finished: Finished,
    dice: Dice,
}

fn query(name: &Name, rtype: RecordType, udp_size: Option<u16>) -> Query {
    let edns = udp_size.map(|udp_size| Edns { udp_size, ..Edns::default() });
    Query { edns, ..Ask::new(&name.to_string(), &rtype.to_string()).query() }
}

impl Worker {
    fn new() -> Self {
        let mut dice = Dice::from_number(1);
        Self { finished: Finished::new(&mut dice, 1 << 20), dice }
    }

    fn composed(&mut self, verdict: Verdict, query: &Query, pick: Option<&Pick>, now: Instant) -> Option<Vec<u8>> {
        let Verdict::Answer(answer) = verdict else { return None };
        let mut bytes = Vec::new();
        let sealed = seal(query, &answer, true, &mut bytes);
        self.finished.keep(query, &answer, pick, &sealed, &bytes, now);
        Some(bytes)
    }

    fn ask(&mut self, cluster: &Cluster, query: &Query, now: Instant) -> (Way, Option<Vec<u8>>) {
        let message = Message {
            id: query.id,
            flags: query.flags,
            questions: smallvec::smallvec![query.question.clone()],
            edns: query.edns.clone(),
            ..Message::default()
        };
        let (mut datagram, mut out) = (Vec::new(), Vec::new());
        message.compose(&mut datagram, bounds::MESSAGE_MAX).unwrap();
        let recalled = self.finished.recall(&datagram, &query.asker, now, &mut self.dice, &mut out);
        let tally = Tally::default();
        let mut dice = Dice::from_number(1);
        let mut turn = Turn { now, dice: &mut dice, tally: &tally, aside: None, choices: None };
        match recalled {
            Recall::Hit(_) => (Way::Remembered, Some(out)),
            Recall::Picked(chooser, pick) => {
                let verdict = chooser.answer(query, &pick, &mut turn);
                (Way::Chosen, self.composed(verdict, query, Some(&pick), now))
            }
            _ => {
                let found = self.composed(cluster.handle(query, &mut turn), query, None, now);
                (if found.is_some() { Way::Found } else { Way::None }, found)
            }
        }
    }
}

/// What is composed where nothing is remembered.
fn anew(cluster: &Cluster, query: &Query, now: Instant) -> Option<Vec<u8>> {
    let (tally, mut dice, mut bytes) = (Tally::default(), Dice::from_number(1), Vec::new());
    let mut turn = Turn { now, dice: &mut dice, tally: &tally, aside: None, choices: None };
    let Verdict::Answer(answer) = cluster.handle(query, &mut turn) else { return None };
    seal(query, &answer, true, &mut bytes);
    Some(bytes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_remembered_is_what_would_be_composed(seed: u64) {
        let mut world = World::new(seed);
        let settings = Arc::new(world.settings());
        let mut store = Store::new(Arc::clone(&settings), keyed(&mut Dice::from_number(seed)));
        let cluster = Cluster::new(Arc::clone(&settings));
        let (mut worker, mut dice) = (Worker::new(), Dice::from_number(seed));
        let (mut now, mut unix) = (Instant::from_seconds(1_000), 1_000);
        for _ in 0..6 {
            for _ in 0..dice.below(8) {
                world.step(&mut store);
            }
            unix += dice.below(2);
            if let Some(table) = store.publish(unix) {
                cluster.swap(table);
            }
            now = now + Duration::from_secs(dice.below(5_000));
            cluster.stand(match dice.below(5) {
                0 => Standing::Silent { since: now },
                1 => Standing::Snapshot { since: now, age: Duration::from_secs(dice.below(5_000)) },
                2 if dice.chance(100) => Standing::Unsynced,
                3 => cluster.standing(),
                _ => Standing::Current,
            });
            let names = Model::new(world.objects.values(), &settings).names();
            let names: Vec<String> = around(&names).into_iter().collect();
            for _ in 0..40 {
                let name: Name = names[dice.index(names.len())].parse().unwrap();
                for rtype in [RecordType::A, RecordType::AAAA, RecordType::SRV, RecordType::SOA, RecordType::NS] {
                    let query = query(&name, rtype, [None, Some(1232)][dice.index(2)]);
                    for _ in 0..3 {
                        let (way, told) = worker.ask(&cluster, &query, now);
                        prop_assert_eq!(told, anew(&cluster, &query, now), "{} {} {:?}", name, rtype, way);
                    }
                }
            }
        }
    }

    #[test]
    fn no_query_panics(
        seed: u64,
        labels in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 0..10),
        at in 0..8_usize, rtype: u16,
    ) {
        let mut world = World::new(seed);
        let settings = Arc::new(world.settings());
        let mut store = Store::new(Arc::clone(&settings), keyed(&mut Dice::from_number(seed)));
        for _ in 0..20 {
            world.step(&mut store);
        }
        let cluster = Cluster::new(Arc::clone(&settings));
        cluster.swap(store.publish(seed).unwrap_or_default());
        let ending = [
            "cluster.local.", "web.shop.svc.cluster.local.", "_zone.db.shop.svc.cluster.local.", "shop.pod.cluster.local.",
            "db.ops.svc.clusterset.local.", "shop.ext.example.", "in-addr.arpa.", "ip6.arpa.",
        ][at];
        let ending: Name = ending.parse().unwrap();
        let Ok(name) = Name::from_labels(labels.iter().map(Vec::as_slice).chain(ending.labels())) else { return Ok(()) };
        let mut worker = Worker::new();
        for standing in [Standing::Unsynced, Standing::Current] {
            cluster.stand(standing);
            let owns = cluster.owns(&name);
            for rtype in [RecordType(rtype), RecordType::A, RecordType::SRV, RecordType::PTR, RecordType::ANY] {
                let query = query(&name, rtype, None);
                let first = worker.ask(&cluster, &query, Instant::ZERO).1;
                prop_assert_eq!(first, worker.ask(&cluster, &query, Instant::ZERO).1);
                // What is owned is never passed on.
                prop_assert!(!owns || rtype.is_meta() || cluster.decide(&query, Instant::ZERO).is_some());
            }
        }
    }
}

#[test]
fn what_has_not_changed_stays_remembered() {
    let settings = Arc::new(settings());
    let mut store = Store::new(Arc::clone(&settings), keyed(&mut Dice::from_number(1)));
    for object in objects() {
        store.put(object);
    }
    let cluster = Cluster::new(settings);
    cluster.swap(store.publish(1).unwrap());
    cluster.stand(Standing::Current);
    let mut worker = Worker::new();
    let mut ways = |name: &str, rtype, cluster: &Cluster| {
        let query = query(&name.parse().unwrap(), rtype, None);
        [(); 3].map(|()| worker.ask(cluster, &query, Instant::ZERO).0)
    };
    let first = [Way::Found, Way::Chosen, Way::Remembered];
    let (web, db, no) = ("web.shop.svc.cluster.local.", "db.shop.svc.cluster.local.", "no.shop.svc.cluster.local.");
    for name in [web, db, no] {
        assert_eq!(ways(name, RecordType::A, &cluster), first, "{name}");
    }
    store.put(service("web", Target::Addresses(addresses(&["10.0.0.7"])), &[port("http", 80)], &[]));
    cluster.swap(store.publish(1).unwrap());
    assert_eq!(ways(web, RecordType::A, &cluster), [Way::Chosen, Way::Remembered, Way::Remembered]);
    assert_eq!(ways(db, RecordType::A, &cluster), [Way::Remembered; 3]);
    assert_eq!(ways(no, RecordType::A, &cluster), [Way::Remembered; 3], "in the same second the serial is the same");
    store.remove(Kind::Service, &Key::new("shop", "db"));
    cluster.swap(store.publish(2).unwrap());
    assert_eq!(ways(db, RecordType::A, &cluster), [Way::Chosen, Way::Remembered, Way::Remembered]);
    assert_eq!(ways(no, RecordType::A, &cluster), [Way::Chosen, Way::Remembered, Way::Remembered]);
    assert_eq!(ways(web, RecordType::A, &cluster), [Way::Remembered; 3]);
}

#[test]
fn what_is_answered_past_the_limit_says_that_it_is_stale() {
    let cluster = super::cluster();
    let since = Instant::from_seconds(100);
    let ede = |name: &str, now: u64| {
        let query = query(&name.parse().unwrap(), RecordType::A, Some(1232));
        cluster.decide(&query, Instant::from_seconds(now)).unwrap().answer.ede.map(|ede| ede.code)
    };
    let (web, no) = ("web.shop.svc.cluster.local.", "no.shop.svc.cluster.local.");
    assert_eq!(ede(web, 10_000), None);
    cluster.stand(Standing::Silent { since });
    assert_eq!([ede(web, 3_700), ede(no, 3_700)], [None, None]);
    assert_eq!([ede(web, 3_701), ede(no, 3_701)], [Some(EdeCode::StaleAnswer), Some(EdeCode::StaleNxDomain)]);
    cluster.stand(Standing::Snapshot { since, age: Duration::from_secs(3_600) });
    assert_eq!([ede(web, 100), ede(web, 101)], [None, Some(EdeCode::StaleAnswer)]);
    cluster.stand(Standing::Current);
    assert_eq!(ede(web, 10_000), None);
}
