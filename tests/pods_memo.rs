//! The law of the memo for the pods of a cluster: whoever asks, a worker that remembers gives, octet for octet, the answer
//! of one that does not, while pods, services and labels come and go, addresses change hands, and policies and search
//! paths make one question's answers differ from asker to asker.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use meridian::app::house::{Capacity, House, Manner, Telling};
use meridian::app::worker::{Next, Worker};
use meridian::base::collections::{Keyed, keyed};
use meridian::base::patience::Patience;
use meridian::base::tally::{Event, Tally};
use meridian::base::{Dice, Instant, NetworkSet, bounds};
use meridian::chain::{Asker, Carrier, Chain, Denial, Handler, Learned, Memory, Rank};
use meridian::dns::dnssec::Security;
use meridian::dns::{Edns, Flags, Message, Name, Question, Rcode, RecordType, RrSet};
use meridian::handlers::authority::{Authority, Builder, Zones, master_file};
use meridian::handlers::cache::{self, Cache};
use meridian::handlers::cluster::objects::{Endpoint, Key, Kind, Namespace, Object, Pod, Service, Slice, Target};
use meridian::handlers::cluster::{
    Autopath, Cluster, Exposed, ForPods, KnownTlds, Namespaces, PodPolicy, Pods, Policy, Search, Settings, Standing,
    Store,
};
use meridian::handlers::gate::{Cookies, Gate, LimitSettings, Limits};
use meridian::handlers::local::Local;
use meridian::handlers::resolve::Resolve;
use meridian::steer::{Helm, Scene};

const WALL: u64 = 1_800_000_000;
const ZONE: &str =
    "$TTL 300\n@ SOA ns hostmaster 7 2 3 4 300\n@ NS ns\nns A 192.0.2.53\nwww A 192.0.2.1\nfar CNAME www.test.\n";
const NAMESPACES: [&str; 3] = ["shop", "build", "test"];
const SERVICES: [&str; 3] = ["web", "www", "db"];
/// What pods mean.
const MEANT: [&str; 12] = [
    "www.test",
    "web",
    "web.build",
    "web.build.svc",
    "web.build.svc.cluster.local",
    "db.corp.example",
    "www.own.example",
    "far.own.example",
    "nowhere.test",
    "www.shop.com",
    "db",
    "web.test",
];
/// What is known of the world: the name, and whether it is there.
const KNOWN: [(&str, bool); 9] = [
    ("www.test.", true),
    ("www.test.corp.example.", false),
    ("db.corp.example.", true),
    ("web.corp.example.", false),
    ("web.test.", true),
    ("nowhere.test.", false),
    ("nowhere.test.corp.example.", false),
    ("www.shop.com.", true),
    ("db.", false),
];
const TYPES: [RecordType; 4] = [RecordType::A, RecordType::A, RecordType::AAAA, RecordType::TXT];

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn some<T: Clone>(dice: &mut Dice, all: &[T]) -> T {
    all[dice.index(all.len())].clone()
}

/// What a configuration says.
#[derive(Clone)]
struct Orders {
    search: Option<Vec<Name>>,
    tlds: Vec<Name>,
    policies: Vec<PodPolicy>,
    fallthrough: Vec<Name>,
}

fn orders(dice: &mut Dice) -> Orders {
    let domains = ["test.", "evil.test.", "www.test.", "example.", ".", "shop.com."];
    let policy = |dice: &mut Dice| {
        let namespaces = if dice.chance(500) {
            Namespaces::Named([some(dice, &NAMESPACES).into()].into_iter().collect())
        } else {
            Namespaces::Labelled(some(dice, &["team=web", "!team", "team in (web,db)"]).parse().unwrap())
        };
        let mut names = |count: u64| (0..dice.below(count)).map(|_| name(some(dice, &domains))).collect::<Vec<_>>();
        let (allow, deny) = (names(3), names(3));
        PodPolicy { namespaces, allow: Some(allow).filter(|allow| !allow.is_empty()), deny }
    };
    Orders {
        search: dice.chance(850).then(|| vec![name("corp.example.")]),
        tlds: if dice.chance(500) { vec![name("corp.example.")] } else { Vec::new() },
        policies: (0..dice.below(3)).map(|_| policy(dice)).collect(),
        fallthrough: if dice.chance(100) { vec![name("cluster.local.")] } else { Vec::new() },
    }
}

struct Server {
    worker: Worker<()>,
    cluster: Cluster,
    cache: Arc<Cache>,
    tally: Arc<Tally>,
    store: Store,
}

impl Server {
    fn new(orders: &Orders, remembers: bool) -> Self {
        let settings = Arc::new(Settings {
            zones: vec![name("cluster.local.")],
            multicluster: Vec::new(),
            reverse: NetworkSet::default(),
            fallthrough: orders.fallthrough.clone(),
            namespaces: Exposed::All,
            ttl: Duration::from_secs(5),
            pods: Pods::Verified,
            names_endpoints_by_pod: false,
            has_endpoints: true,
            ignores_empty: false,
            external: None,
            stale_after: Duration::from_secs(30),
        });
        let cluster = Cluster::new(Arc::clone(&settings));
        let scene = Arc::new(Scene::default());
        scene.set_calendar(WALL, Instant::ZERO);
        let search = orders.search.as_ref().map(|domains| {
            let autopath = Autopath { search: domains.clone(), age_min: Duration::from_secs(5) };
            Search::new(cluster.clone(), &autopath, scene)
        });
        let policy = Arc::new(Policy::new(cluster.clone(), orders.policies.clone()));
        let for_pods = ForPods { cluster: cluster.clone(), search, policy: Some(Arc::clone(&policy)) };
        let mut dice = Dice::from_number(1);
        let cache = Arc::new(Cache::simulated(cache::Settings::default(), &mut dice));
        let clusters = cluster.clone();
        cache.defer(move |name| clusters.owns(name));
        let links: Vec<Box<dyn Handler>> = vec![
            Box::new(own_zone()),
            Box::new(for_pods),
            Box::new(Gate::new(everybody())),
            Box::new(Local),
            Box::new(Arc::clone(&policy)),
            Box::new(Arc::clone(&cache)),
            Box::new(KnownTlds::new(orders.tlds.clone())),
            Box::new(Resolve),
        ];
        let house = House {
            chain: Chain::new(links),
            policy: Some(policy),
            cluster: Some(cluster.clone()),
            memory: Arc::clone(&cache) as Arc<dyn Memory>,
            resolution: Arc::default(),
            loops: None,
            allow: everybody(),
            offers_recursion: true,
            stale_wait: None,
            finished_bytes: if remembers { 1 << 20 } else { 0 },
            telling: Telling::default(),
            nsid: Box::default(),
            has_desk: false,
            homes: keyed(&mut dice),
            limits: Arc::new(Limits::new(LimitSettings::default(), &mut dice)),
            patience: Arc::new(Patience::new(bounds::TCP_IDLE)),
            capacity: Capacity::default(),
            cookies: Cookies::default(),
            manner: Manner::default(),
        };
        let tally = Arc::new(Tally::default());
        let worker = Worker::new(Arc::new(house), (0, 1), Dice::from_number(2), Arc::clone(&tally));
        let store = Store::new(settings, Keyed::with_seeds(1, 2, 3, 4));
        Self { worker, cluster, cache, tally, store }
    }

    /// The response; none where upstreams would have to be asked.
    fn answer(&mut self, datagram: &[u8], asker: Asker, now: Instant) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let next = self.worker.turn(datagram, asker, &mut Some(()), now, &mut out);
        (next == Next::Respond).then_some(out)
    }

    fn change(&mut self, change: &Change, wall: u64) {
        match change {
            Change::Put(object) => {
                self.store.put(object.clone());
            }
            Change::Remove(kind, key) => {
                self.store.remove(*kind, key);
            }
            Change::Stand(standing) => self.cluster.stand(*standing),
        }
        if let Some(table) = self.store.publish(wall) {
            self.cluster.swap(table);
        }
    }

    /// The resolver has found out what is known of the world.
    fn learn(&self, now: Instant) {
        for (text, is_there) in KNOWN {
            for rtype in [RecordType::A, RecordType::AAAA, RecordType::TXT] {
                let soa = Arc::new(RrSet::new(Name::root(), RecordType::SOA, 60, [[0; 22]]));
                let security = Security::Unchecked;
                let denial = Denial { is_nxdomain: !is_there, soa: Some(soa), proofs: Vec::new(), ttl: 40, security };
                let learned = if is_there && rtype == RecordType::A {
                    let set = Arc::new(RrSet::new(name(text), rtype, 70, [[192, 0, 2, 7]]));
                    Learned::unchecked(set, Rank::Answer)
                } else {
                    Learned::Denial { name: name(text), rtype, denial }
                };
                self.cache.learn(learned, now);
            }
        }
    }
}

fn everybody() -> NetworkSet {
    ["0.0.0.0/0", "::/0"].iter().filter_map(|network| network.parse().ok()).collect()
}

fn own_zone() -> Authority {
    let mut builder = Builder::new(name("own.example."));
    master_file::read(ZONE.as_bytes(), "zone", &mut master_file::no_include, &mut builder);
    let zone = builder.finish(Keyed::with_seeds(1, 2, 3, 4)).0.unwrap();
    let mut zones = Zones::new(Keyed::with_seeds(1, 2, 3, 4));
    zones.insert(Arc::new(zone));
    Authority::new(zones, Helm::idle(Arc::new(Scene::default()), None))
}

enum Change {
    Put(Object),
    Remove(Kind, Key),
    Stand(Standing),
}

fn address(dice: &mut Dice) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, dice.below(10) as u8).into()
}

fn change(dice: &mut Dice, now: Instant) -> Change {
    let namespace = some(dice, &NAMESPACES);
    let key = |name: &str| Key { namespace: namespace.into(), name: name.into() };
    match dice.below(12) {
        0..4 => {
            let pod = format!("p{}", dice.below(2));
            if dice.chance(200) {
                return Change::Remove(Kind::Pod, key(&pod));
            }
            let started = (WALL + now.seconds()).saturating_sub(dice.below(20));
            Change::Put(Object::Pod(Pod {
                key: key(&pod),
                addresses: [address(dice)].into_iter().collect(),
                is_on_host: dice.chance(100),
                started: dice.chance(900).then_some(started),
            }))
        }
        4..8 => {
            let service = some(dice, &SERVICES);
            if dice.chance(300) {
                return Change::Remove(Kind::Service, key(service));
            }
            let target = match dice.below(5) {
                0 => Target::Headless,
                1 => Target::External(some(dice, &["www.test", "web.build.svc.cluster.local", "evil.test"]).into()),
                _ => Target::Addresses([Ipv4Addr::new(10, 96, 0, dice.below(3) as u8).into()].into_iter().collect()),
            };
            Change::Put(Object::Service(Service {
                key: key(service),
                target,
                ports: Box::default(),
                external: <_>::default(),
            }))
        }
        8 | 9 => {
            let service = some(dice, &SERVICES);
            let endpoint = Endpoint {
                addresses: [address(dice)].into_iter().collect(),
                hostname: dice.chance(500).then(|| "web".into()),
                pod: None,
                zone: None,
            };
            Change::Put(Object::Slice(Slice {
                key: key(service),
                service: service.into(),
                cluster: None,
                ports: Box::default(),
                endpoints: Box::new([endpoint]),
                triggered: None,
            }))
        }
        10 => {
            let team = some(dice, &["web", "db", "none"]);
            Change::Put(Object::Namespace(Namespace {
                name: namespace.into(),
                labels: Box::new([("team".into(), team.into())]),
            }))
        }
        _ => Change::Stand(some(dice, &[Standing::Current, Standing::Current, Standing::Silent { since: now }])),
    }
}

fn query(dice: &mut Dice) -> (Vec<u8>, Name) {
    let domains = [".svc.cluster.local", ".cluster.local", ".corp.example", ""];
    let namespace = some(dice, &NAMESPACES);
    let ending = if dice.chance(650) { format!(".{namespace}.svc.cluster.local") } else { some(dice, &domains).into() };
    let mut asked = format!("{}{ending}.", some(dice, &MEANT));
    if dice.chance(200) {
        asked = asked.to_uppercase();
    }
    let asked = name(&asked);
    let edns = Edns { udp_size: 1232, dnssec_ok: dice.chance(100), options: Vec::new(), version: 0 };
    let message = Message {
        id: dice.bits() as u16,
        flags: Flags { recursion_desired: dice.chance(900), ..Flags::default() },
        questions: std::iter::once(Question::new(asked.clone(), some(dice, &TYPES))).collect(),
        edns: dice.chance(500).then_some(edns),
        ..Message::default()
    };
    let mut datagram = Vec::new();
    message.compose(&mut datagram, bounds::MESSAGE_MAX).unwrap();
    (datagram, asked)
}

#[test]
fn nobody_hears_what_was_meant_for_another() {
    let (mut recalled, mut searched, mut refused) = (0, 0, 0);
    for seed in 0..300 {
        let dice = &mut Dice::from_number(seed);
        let orders = orders(dice);
        let [mut quick, mut slow] = [true, false].map(|remembers| Server::new(&orders, remembers));
        let (mut now, mut learned) = (Instant::from_seconds(1), None);
        let both = |quick: &mut Server, slow: &mut Server, change: &Change, now: Instant| {
            quick.change(change, WALL + now.seconds());
            slow.change(change, WALL + now.seconds());
        };
        for _ in 0..30 {
            both(&mut quick, &mut slow, &change(dice, now), now);
        }
        both(&mut quick, &mut slow, &Change::Stand(Standing::Current), now);
        for step in 0..400 {
            if dice.chance(60) {
                both(&mut quick, &mut slow, &change(dice, now), now);
            }
            if dice.chance(8) {
                now = now + Duration::from_secs(dice.below(20));
            }
            // What is remembered is not renewed while it is fresh: what was finished by then would have its age.
            if learned.is_none_or(|learned: Instant| now.since(learned) > Duration::from_secs(70)) {
                learned = Some(now);
                quick.learn(now);
                slow.learn(now);
            }
            let carrier = if dice.chance(100) { Carrier::Tcp } else { Carrier::Udp };
            let address = SocketAddr::new(address(dice), 5353);
            let asker = Asker { address, local: None, carrier, may_recurse: false, group: 0 };
            // The same is asked often, and by many.
            let (datagram, asked) = query(&mut Dice::from_number(seed << 8 | dice.below(12)));
            let before = quick.tally.read(Event::Recalled);
            let (one, other) = (quick.answer(&datagram, asker, now), slow.answer(&datagram, asker, now));
            assert_eq!(one, other, "seed {seed}, step {step}: {asked} from {address}");
            assert_eq!(slow.tally.read(Event::Recalled), 0);
            if quick.tally.read(Event::Recalled) > before {
                let answer = Message::parse(&one.unwrap()).unwrap();
                recalled += 1;
                searched += usize::from(answer.answer.first().is_some_and(|record| record.rtype == RecordType::CNAME));
                let has_ede = answer.edns.is_some_and(|edns| edns.option(15).is_some());
                refused += usize::from(answer.rcode == Rcode::NXDOMAIN && has_ede);
            }
        }
    }
    assert!(recalled > 20_000 && searched > 100 && refused > 300, "{recalled}, {searched}, {refused}");
}
