//! The law of the memo at steered names: in random worlds a worker that remembers gives, octet for octet, the answers of
//! one that does not, whatever chance, health, time and place decide, and wherever members move.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use meridian::app::house::{Capacity, House, Manner, Telling};
use meridian::app::worker::{Next, Worker};
use meridian::base::collections::{Keyed, keyed};
use meridian::base::patience::Patience;
use meridian::base::tally::{Event, Tally};
use meridian::base::{Dice, Instant, NetworkSet, bounds};
use meridian::chain::{Asker, Carrier, Chain};
use meridian::dns::cookie::{CookieSecret, CookieSecrets};
use meridian::dns::edns::option;
use meridian::dns::{Edns, Flags, Message, Name, Question, RecordType};
use meridian::handlers::authority::{Authority, Builder, Zones, master_file};
use meridian::handlers::cache::{self, Cache};
use meridian::handlers::gate::{Cookies, LimitSettings, Limits};
use meridian::steer::health::{Board, Standing, State};
use meridian::steer::listed::{Found, Listed, Service, Which};
use meridian::steer::spans::Spans;
use meridian::steer::stages::nearest::Within;
use meridian::steer::stages::rules::{Geo, On, Rule};
use meridian::steer::stages::sticky::Hash;
use meridian::steer::stages::tier::Tier;
use meridian::steer::{
    Agree, Atlas, Client, Family, Helm, Key, Member, Orders, Place, Pool, PoolId, Scene, ScopeCap, Source, StageSpec,
    Terms, Unknown, Weight, WhenAllDown,
};

const ZONE: &str = "$TTL 3600\n@ SOA ns hostmaster 7 2 3 4 300\n@ NS ns\nns A 192.0.2.53\nns TXT \"plain\"\n\
                    alias CNAME www\nfar CNAME www.test.\ntwice CNAME both\nmail MX 10 www\nd DNAME wild\n";
const OWNERS: [&str; 4] = ["www.example.", "*.wild.example.", "both.example.", "sub.example."];
const ASKED: [&str; 13] = [
    "www.example.",
    "WwW.eXample.",
    "alias.example.",
    "a.wild.example.",
    "B.c.wild.example.",
    "both.example.",
    "twice.example.",
    "mail.example.",
    "nowhere.example.",
    "ns.example.",
    "example.",
    "sub.example.",
    "x.d.example.",
];
const TYPES: [RecordType; 6] =
    [RecordType::A, RecordType::A, RecordType::AAAA, RecordType::CNAME, RecordType::TXT, RecordType::MX];

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn some<T: Clone>(dice: &mut Dice, all: &[T]) -> T {
    all[dice.index(all.len())].clone()
}

/// Continents in stripes of /12.
fn atlas() -> Arc<Atlas> {
    let place = |continent: &str, latitude, longitude| Place {
        continent: continent.parse().ok(),
        ..Place::at(latitude, longitude)
    };
    let places = vec![place("EU", 52.5, 13.4), place("OC", -33.9, 151.2), place("NA", 40.7, -74.0)];
    let networks = (0..48_u32).filter(|stripe| stripe % 5 != 4).map(|stripe| (stripe << 26 | 7 << 20, 12, stripe % 3));
    Arc::new(Atlas::of([Source { places, v4: Spans::of_networks(networks), v6: Spans::unknown() }]))
}

fn members(dice: &mut Dice, are_aliases: bool) -> Vec<Member> {
    (0..=dice.index(9))
        .map(|number| {
            let mut member = Member::new(&format!("m{number}"));
            if are_aliases {
                member.cname = Some(name(some(dice, &["other.test.", "both.example.", "ns.example."])));
            } else {
                if dice.chance(250) {
                    let service =
                        Service { namespace: "shop".into(), name: member.name.clone(), which: Which::Cluster };
                    member.listed = Some(Arc::new(Listed::new(service)));
                    return member;
                }
                let address = |last| Ipv4Addr::new(203, 0, number as u8, last);
                member.a = (0..dice.below(3) as u8).map(address).collect();
                if member.a.is_empty() || dice.chance(500) {
                    member.aaaa = vec![format!("2001:db8::{number}").parse().unwrap()];
                }
            }
            member.place = Place::at(dice.below(120) as f64 - 60.0, dice.below(300) as f64 - 150.0);
            member.weight = Weight::new(dice.below(4) as f64).unwrap();
            member.tier = dice.below(2) as u16 + 1;
            member
        })
        .collect()
}

fn stages(dice: &mut Dice, count: usize) -> Vec<StageSpec> {
    let member = |dice: &mut Dice| -> Box<str> { format!("m{}", dice.index(count)).into() };
    let rules = |dice: &mut Dice| {
        let mut rule = |on| Rule { on, prefer: vec![member(dice)], exclude: Vec::new(), bias: Vec::new() };
        let geo = |text: &str| On::Geo(text.parse::<Geo>().unwrap());
        StageSpec::Rules(vec![rule(geo("EU")), rule(geo("OC")), rule(On::Network("16.0.0.0/6".parse().unwrap()))])
    };
    let nearest = StageSpec::Nearest { within: Within::Equal, bias: Vec::new(), fallback: Vec::new() };
    let sticky = StageSpec::Sticky {
        key: Key::default(),
        hash: Hash::Rendezvous,
        seed: None,
        lazy_return: std::time::Duration::from_secs(u64::from(dice.chance(500)) * 100),
    };
    let mut all = vec![
        StageSpec::Tier(Tier::default()),
        rules(dice),
        nearest,
        StageSpec::Weighted,
        sticky,
        StageSpec::RoundRobin { is_smooth: dice.chance(500) },
        StageSpec::Shuffle,
    ];
    dice.shuffle(&mut all);
    all.truncate(dice.index(4));
    match dice.below(3) {
        0 => all.push(StageSpec::All),
        1 => all.push(StageSpec::First(1 + dice.index(3))),
        _ => {}
    }
    all
}

fn orders(dice: &mut Dice) -> Vec<Orders> {
    let mut all = Vec::new();
    for (number, owner) in (0_u32..).zip(OWNERS) {
        let are_aliases = dice.chance(200);
        let pool = |id: u32, members| Pool::new(PoolId(id), &format!("pool{id}"), members).map(Arc::new);
        let Ok(own) = pool(2 * number, members(dice, are_aliases)) else { continue };
        let fallback = if dice.chance(500) { pool(2 * number + 1, members(dice, are_aliases)).ok() } else { None };
        let (low, high) = (dice.below(20) as u32, 20 + dice.below(100) as u32);
        all.push(Orders {
            owner: name(owner),
            stages: stages(dice, own.members().len()),
            pool: own,
            terms: Terms {
                ttl_min: low,
                ttl_max: high,
                answers: 1 + dice.index(3),
                when_all_down: some(
                    dice,
                    &[
                        WhenAllDown::ServeAll,
                        WhenAllDown::Fallback,
                        WhenAllDown::NoData,
                        WhenAllDown::ServFail,
                        WhenAllDown::LastGood,
                    ],
                ),
                family: some(dice, &[Family::Strict, Family::NearestWith]),
                agree: some(dice, &[Agree::Auto, Agree::No, Agree::Ttl]),
                panic_below: some(dice, &[0.0, 0.5]),
                secret: 7,
            },
            fallback,
            client: some(dice, &[Client::Auto, Client::Ecs, Client::Resolver]),
            unknown: some(dice, &[Unknown::Nobody, Unknown::Resolver]),
        });
    }
    all
}

/// One worker with a house of its own, so that two never share what they remember of their clients.
struct Server {
    worker: Worker<()>,
    authority: Arc<Authority>,
    tally: Arc<Tally>,
}

impl Server {
    fn new(orders: &[Orders], ecs: Option<ScopeCap>, remembers: bool) -> Self {
        let mut builder = Builder::new(name("example."));
        master_file::read(ZONE.as_bytes(), "zone", &mut master_file::no_include, &mut builder);
        let file = builder.add_file("config");
        for (orders, line) in orders.iter().zip(1..) {
            orders.all_records().for_each(|set| builder.add_chosen(&set, file, line));
        }
        let (zone, findings) = builder.finish(Keyed::with_seeds(1, 2, 3, 4));
        let zone = zone.unwrap_or_else(|| panic!("{:?}", findings.iter().collect::<Vec<_>>()));
        let mut zones = Zones::new(Keyed::with_seeds(1, 2, 3, 4));
        zones.insert(Arc::new(zone));
        let scene = Arc::new(Scene::new(atlas()));
        scene.set_calendar(1_700_000_000, Instant::ZERO);
        let helm = Helm::relieve(&Helm::idle(scene, None), ecs, orders.iter().cloned()).unwrap();
        let authority = Arc::new(Authority::new(zones, helm));
        let mut dice = Dice::from_number(1);
        let secrets = CookieSecrets { first: CookieSecret([1; 16]), second: None };
        let house = House {
            cluster: None,
            chain: Chain::new(vec![Box::new(Arc::clone(&authority))]),
            policy: None,
            memory: Arc::new(Cache::simulated(cache::Settings::default(), &mut dice)),
            resolution: Arc::default(),
            loops: None,
            allow: NetworkSet::default(),
            offers_recursion: false,
            stale_wait: None,
            finished_bytes: if remembers { 1 << 20 } else { 0 },
            telling: Telling::default(),
            nsid: b"ns1".to_vec().into(),
            manner: Manner::default(),
            has_desk: false,
            homes: keyed(&mut dice),
            limits: Arc::new(Limits::new(LimitSettings::default(), &mut dice)),
            patience: Arc::new(Patience::new(bounds::TCP_IDLE)),
            capacity: Capacity::default(),
            cookies: Cookies(Some(secrets)),
        };
        let tally = Arc::new(Tally::default());
        let worker = Worker::new(Arc::new(house), (0, 1), Dice::from_number(2), Arc::clone(&tally));
        Self { worker, authority, tally }
    }

    fn answer(&mut self, datagram: &[u8], asker: Asker, now: Instant) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let next = self.worker.turn(datagram, asker, &mut None, now, &mut out);
        (next == Next::Respond).then_some(out)
    }

    fn post(&self, downs: &[Vec<bool>], orders: &[Orders]) {
        let mut board = Board::default();
        let pools = orders.iter().flat_map(|orders| std::iter::once(&orders.pool).chain(&orders.fallback));
        for (pool, downs) in pools.zip(downs) {
            let state = |is_down: &bool| if *is_down { State::Down } else { State::Healthy };
            board.post(pool, downs.iter().map(|is_down| Standing { state: state(is_down), ..Standing::default() }));
        }
        self.authority.helm().scene().post(board);
    }
}

/// Some of the members whose addresses are found out have others now.
fn move_some(dice: &mut Dice, orders: &[Orders], revision: &mut u64) {
    let pools = orders.iter().flat_map(|orders| std::iter::once(&orders.pool).chain(&orders.fallback));
    for listed in pools.flat_map(|pool| pool.members()).filter_map(|member| member.listed.as_ref()) {
        if dice.chance(300) {
            *revision += 1;
            let a = (0..dice.below(3)).map(|_| Ipv4Addr::new(10, 0, 0, dice.below(4) as u8)).collect();
            let aaaa = (0..dice.below(2)).map(|last| format!("2001:db8:1::{last}").parse().unwrap()).collect();
            listed.learn(Found { a, aaaa, is_ready: true, revision: *revision });
        }
    }
}

fn subnet(dice: &mut Dice) -> Vec<u8> {
    let stripe = dice.below(48) as u32;
    let address = stripe << 26 | 7 << 20 | (dice.bits() as u32 & 0xF_FFFF);
    let source = some(dice, &[0_u8, 8, 13, 20, 24, 24, 24, 32]);
    let mask = u32::MAX.checked_shl(32 - u32::from(source)).unwrap_or(0);
    let octets = (address & mask).to_be_bytes();
    let mut data = vec![0, 1, source, 0];
    data.extend(&octets[..usize::from(source.div_ceil(8))]);
    if dice.chance(30) {
        data.push(1); // an octet too many: FORMERR
    }
    data
}

fn query(dice: &mut Dice) -> Vec<u8> {
    let mut options = Vec::new();
    if dice.chance(600) {
        options.push((option::CLIENT_SUBNET, subnet(dice)));
    }
    if dice.chance(200) {
        options.push((option::COOKIE, vec![7; 8]));
    }
    if dice.chance(50) {
        options.push((option::NSID, Vec::new()));
    }
    if dice.chance(300) {
        options.reverse();
    }
    let edns = Edns { udp_size: some(dice, &[512, 1232, 4096]), dnssec_ok: dice.chance(100), options, version: 0 };
    let has_edns = !edns.options.is_empty() || dice.chance(500);
    let message = Message {
        id: dice.bits() as u16,
        flags: Flags { recursion_desired: dice.chance(500), checking_disabled: dice.chance(50), ..Flags::default() },
        questions: std::iter::once(Question::new(name(some(dice, &ASKED)), some(dice, &TYPES))).collect(),
        edns: has_edns.then_some(edns),
        ..Message::default()
    };
    let mut datagram = Vec::new();
    message.compose(&mut datagram, bounds::MESSAGE_MAX).unwrap();
    datagram
}

fn downs(dice: &mut Dice, orders: &[Orders]) -> Vec<Vec<bool>> {
    let permille = some(dice, &[0, 200, 600, 1000]);
    let pools = orders.iter().flat_map(|orders| std::iter::once(&orders.pool).chain(&orders.fallback));
    pools.map(|pool| pool.members().iter().map(|_| dice.chance(permille)).collect()).collect()
}

#[test]
fn a_worker_that_remembers_answers_as_one_that_does_not() {
    let (mut recalled, mut chosen) = (0, 0);
    for seed in 0..300 {
        let dice = &mut Dice::from_number(seed);
        let orders = orders(dice);
        let ecs = if dice.chance(850) { Some(ScopeCap::default()) } else { None };
        let [mut quick, mut slow] = [true, false].map(|remembers| Server::new(&orders, ecs, remembers));
        if dice.chance(700) {
            assert!(quick.authority.helm().compile().is_ok() && slow.authority.helm().compile().is_ok());
        }
        let (mut seconds, mut revision) = (1, 0);
        for step in 0..300 {
            if dice.chance(20) {
                let downs = downs(dice, &orders);
                quick.post(&downs, &orders);
                slow.post(&downs, &orders);
            }
            if dice.chance(50) {
                move_some(dice, &orders, &mut revision);
            }
            seconds += u64::from(dice.chance(50)) * dice.below(50);
            let address = IpAddr::from(Ipv4Addr::from_bits(7 << 20 | (dice.below(6) as u32) << 26));
            let carrier = if dice.chance(100) { Carrier::Tcp } else { Carrier::Udp };
            let asker =
                Asker { address: SocketAddr::new(address, 5353), local: None, carrier, may_recurse: false, group: 0 };
            let datagram = query(dice);
            let now = Instant::from_seconds(seconds);
            let before = quick.tally.read(Event::Recalled);
            let (one, other) = (quick.answer(&datagram, asker, now), slow.answer(&datagram, asker, now));
            assert_eq!(one, other, "seed {seed}, step {step}: {:?}", Message::parse(&datagram));
            assert_eq!(slow.tally.read(Event::Recalled), 0);
            let is_hit = quick.tally.read(Event::Recalled) > before;
            recalled += usize::from(is_hit);
            let answer = one.and_then(|bytes| Message::parse(&bytes).ok());
            let has_scope = answer
                .and_then(|answer| answer.edns?.option(option::CLIENT_SUBNET).map(|echo| echo[3] > 0))
                .unwrap_or(false);
            chosen += usize::from(is_hit && has_scope);
        }
    }
    assert!(recalled > 20_000 && chosen > 300, "{recalled} answers were recalled, {chosen} of them for one network");
}
