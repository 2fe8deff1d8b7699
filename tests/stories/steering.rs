//! Stories of names that answer from pools: the configuration as people write it, the production chain and worker,
//! a clock and health that only the story moves.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use meridian::app::build::{self, Kept};
use meridian::app::config::{self, Machine};
use meridian::app::steered;
use meridian::app::worker::{Next, Worker};
use meridian::app::zone_files::Library;
use meridian::base::collections::keyed;
use meridian::base::tally::Tally;
use meridian::base::{Dice, Instant, Network};
use meridian::chain::{Asker, Carrier};
use meridian::dns::edns::option;
use meridian::dns::{Edns, Flags, Message, Name, Question, Rcode, RecordType};
use meridian::handlers::authority::Authority;
use meridian::steer::health::{Bar, Board, Standing, State};
use meridian::steer::spans::Spans;
use meridian::steer::{Atlas, Feeds, Member, Place, Pool, Source};
use proptest::prelude::*;

const COMMON: &str = r#"
recursion: off
checks:
  web: {https: /healthz, expect: 200, every: 10s, timeout: 3s, fall: 3, rise: 2}
  tcp: {tcp: 443, every: 5s}
pools:
  www:
    check: web
    members:
      fra: {a: 192.0.2.10,    aaaa: "2001:db8:f::10", at: FRA}
      iad: {a: 198.51.100.10, aaaa: "2001:db8:a::10", at: [39.04, -77.49]}
      sin: {a: 203.0.113.10,  at: SIN}
  sorry: {members: {static: {a: 192.0.2.99}}}
  api: {check: tcp, members: {big: {a: 192.0.2.1, weight: 3}, small: {a: 192.0.2.2, weight: 1}, spare: {a: 192.0.2.3, weight: 0}}}
  db: {check: tcp, members: {primary: {a: 192.0.2.5, tier: 1}, standby: {a: 198.51.100.5, tier: 2}}}
  shop: {members: {old: {a: 192.0.2.6, group: stable}, new: {a: 192.0.2.7, group: canary}}}
feeds:
  load: {http: "http://{member}/load", field: .cpu, every: 5s, max_age: 15s}
policies:
  near:
    - rules: {cidr: {10.0.0.0/8: fra}, asn: {64500: sin}, geo: {EU: [fra], NA-US-HI: [sin, iad]}}
    - nearest: {within: 10%, bias: {iad: +20}}
    - weighted
  ab: [cohort: {seed: checkout-7, split: {stable: 80, canary: 20}}, weighted]
  best:
    - shed:  {metric: load, low: 70, high: 95}
    - score: {load: 0.7, cost: 0.3, margin: 10%}
    - weighted
zones:
  example.com:
    records: {"@": {NS: ns}, ns: 192.0.2.53}
    steer:
      api: {pool: api, policy: weighted, ttl: 30}
      db: {pool: db, policy: [tier: {failback: 10m}], ttl: 15..60, when_all_down: nodata}
      www: {pool: www, policy: near, when_all_down: {fallback: sorry}}
      cache: {pool: www, policy: [sticky: {key: 24/56, hash: rendezvous}]}
      shop: {pool: shop, policy: ab}
      video: {pool: www, policy: best, answers: 2}
"#;

struct Town {
    worker: Worker<()>,
    authority: Arc<Authority>,
    pools: BTreeMap<String, Arc<Pool>>,
    board: Board,
    now: Instant,
}

/// Whoever steers by place in these stories is in one of these networks.
fn atlas() -> Atlas {
    let codes = |continent: &str, country: &str, subdivision: &str, asn| Place {
        continent: continent.parse().ok(),
        country: country.parse().ok(),
        subdivision: subdivision.parse().ok(),
        asn,
        ..Place::default()
    };
    let at = |place: Place, north, east| Place { latitude: Some(north), longitude: Some(east), ..place };
    let places = vec![
        codes("EU", "DE", "", None),
        at(codes("NA", "US", "HI", None), 21.3, -157.8),
        at(codes("NA", "US", "VA", None), 38.9, -77.0),
        at(codes("AS", "MY", "", None), 3.1, 101.7),
        codes("EU", "DE", "", Some(64500)),
    ];
    let networks = ["1.0.0.0/16", "2.0.0.0/16", "3.0.0.0/16", "4.0.0.0/16", "5.0.0.0/16"];
    let v4 = Spans::of_networks(networks.iter().zip(0..).map(|(network, place)| {
        let network: Network = network.parse().unwrap();
        let IpAddr::V4(v4) = network.address() else { unreachable!("an IPv4 network") };
        (v4.to_bits(), network.prefix_length(), place)
    }));
    Atlas::of([Source { places, v4, v6: Spans::unknown() }])
}

impl Town {
    fn new(text: &str) -> Self {
        let machine = Machine { cores: std::num::NonZeroUsize::MIN, memory: None };
        // A hundred thousand clients ask by way of one resolver, all at once.
        let text = format!("{text}\nlimits: {{queries: off, responses: off}}\n");
        let config = config::load(Path::new("town.yaml"), text.as_bytes(), &machine)
            .unwrap_or_else(|faults| unreachable!("{faults:#?}"))
            .config;
        let mut dice = Dice::from_number(1);
        let mut kept = Kept::nothing(&mut dice);
        let built = build::build(&config, build::Files::default(), &mut kept, |_, _| {}, &mut dice);
        let reading = Library::new(keyed(&mut dice)).read(&config);
        assert!(!reading.has_faults(), "{:?}", reading.noted);
        let mut zones = (*kept.authority.zones()).clone();
        reading.fresh.into_iter().for_each(|zone| zones.insert(zone));
        kept.authority.swap(zones);
        let helm = steered::helm(&config.steering, &kept.authority.helm()).unwrap();
        helm.scene().move_to(Arc::new(atlas()));
        helm.scene().set_calendar(1_700_000_000, Instant::ZERO);
        kept.authority.take_helm(helm);
        let pools = config.steering.pools.iter();
        let pools = pools.map(|settings| (settings.pool.name().to_owned(), Arc::clone(&settings.pool)));
        Self {
            worker: Worker::new(built.house, (0, 1), Dice::from_number(2), Arc::new(Tally::default())),
            authority: kept.authority,
            pools: pools.collect(),
            board: Board::default(),
            now: Instant::from_seconds(1_000),
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
    }

    /// How the members of a pool stand; those not named are healthy.
    fn stand(&mut self, pool: &str, told: &[(&str, Standing)]) {
        let pool = &self.pools[pool];
        let standing = |member: &Member| {
            told.iter().find(|(name, _)| **name == *member.name).map_or_else(Standing::default, |it| it.1)
        };
        self.board.post(pool, pool.members().iter().map(standing));
        self.authority.helm().scene().post(self.board.clone());
    }

    /// The response to `name`, asked by `resolver` for `client` (a network), if one is named.
    fn ask(&mut self, name: &str, rtype: RecordType, resolver: &str, client: Option<&str>) -> Message {
        let subnet = |network: &str| {
            let network: Network = network.parse().unwrap();
            let IpAddr::V4(v4) = network.address() else { unreachable!("an IPv4 network") };
            let length = network.prefix_length();
            let mut data = vec![0, 1, length, 0];
            data.extend(&v4.octets()[..usize::from(length.div_ceil(8))]);
            (option::CLIENT_SUBNET, data)
        };
        let query = Message {
            id: 77,
            flags: Flags { recursion_desired: true, ..Flags::default() },
            questions: [Question::new(format!("{name}.example.com.").parse::<Name>().unwrap(), rtype)]
                .into_iter()
                .collect(),
            edns: Some(Edns { udp_size: 1232, options: client.map(subnet).into_iter().collect(), ..Edns::default() }),
            ..Message::default()
        };
        let (mut bytes, mut out) = (Vec::new(), Vec::new());
        query.compose(&mut bytes, 65_535).unwrap();
        let address = SocketAddr::new(resolver.parse().unwrap(), 5_353);
        let asker = Asker { address, local: None, carrier: Carrier::Udp, may_recurse: false, group: 0 };
        let next = self.worker.turn(&bytes, asker, &mut Some(()), self.now, &mut out);
        assert_eq!(next, Next::Respond);
        Message::parse(&out).unwrap()
    }

    /// The addresses that `name` answers, their TTL, and the scope, if there is one.
    fn addresses(&mut self, name: &str, resolver: &str, client: Option<&str>) -> (Vec<Ipv4Addr>, u32, Option<u8>) {
        let message = self.ask(name, RecordType::A, resolver, client);
        assert_eq!(message.rcode, Rcode::NOERROR);
        let address = |rdata: &[u8]| <[u8; 4]>::try_from(rdata).map(Ipv4Addr::from).unwrap();
        let records = message.answer.iter().map(|record| address(&record.rdata)).collect();
        let ttl = message.answer.first().map_or(0, |record| record.ttl);
        (records, ttl, message.edns.and_then(|edns| edns.option(option::CLIENT_SUBNET).map(|data| data[3])))
    }

    fn one(&mut self, name: &str, resolver: &str, client: Option<&str>) -> String {
        let (records, ..) = self.addresses(name, resolver, client);
        assert_eq!(records.len(), 1, "{name}");
        records[0].to_string()
    }
}

const RESOLVER: &str = "9.9.9.9";

fn down() -> Standing {
    Standing { state: State::Down, ..Standing::default() }
}

#[test]
fn weights_share_the_queries_and_a_spare_waits() {
    let mut town = Town::new(COMMON);
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..4_000 {
        *seen.entry(town.one("api", RESOLVER, None)).or_default() += 1;
    }
    assert!(!seen.contains_key("192.0.2.3"));
    assert!((2_800..3_200).contains(&seen["192.0.2.1"]), "{seen:?}");
    assert_eq!(town.addresses("api", RESOLVER, None).1, 30);
    town.stand("api", &[("big", down()), ("small", down())]);
    assert_eq!(town.one("api", RESOLVER, None), "192.0.2.3");
}

#[test]
fn the_standby_serves_until_the_primary_has_been_well_for_ten_minutes() {
    let mut town = Town::new(COMMON);
    assert_eq!(town.one("db", RESOLVER, None), "192.0.2.5");
    town.stand("db", &[("primary", down())]);
    assert_eq!(town.one("db", RESOLVER, None), "198.51.100.5");
    town.stand("db", &[("primary", Standing { came_back: Some(town.now), ..Standing::default() })]);
    town.pass(Duration::from_secs(300));
    assert_eq!(town.one("db", RESOLVER, None), "198.51.100.5");
    town.pass(Duration::from_secs(301));
    assert_eq!(town.one("db", RESOLVER, None), "192.0.2.5");
    town.stand("db", &[("primary", down()), ("standby", down())]);
    let nobody = town.ask("db", RecordType::A, RESOLVER, Some("1.0.0.0/24"));
    assert_eq!((nobody.rcode, nobody.answer.len(), nobody.authority[0].rtype), (Rcode::NOERROR, 0, RecordType::SOA));
    assert!(nobody.authority[0].ttl <= 10);
    assert_eq!(nobody.edns.unwrap().option(option::CLIENT_SUBNET), Some(&[0, 1, 24, 0, 1, 0, 0][..]));
}

#[test]
fn clients_go_to_the_nearest_site_unless_a_rule_knows_better() {
    let mut town = Town::new(COMMON);
    let (fra, iad, sin) = ("192.0.2.10", "198.51.100.10", "203.0.113.10");
    for (client, site) in
        [("1.0.0.0/24", fra), ("2.0.9.0/24", sin), ("3.0.0.0/24", iad), ("4.0.0.0/24", sin), ("5.0.0.0/24", sin)]
    {
        assert_eq!(town.one("www", RESOLVER, Some(client)), site, "{client}");
    }
    assert_eq!(town.one("www", "10.1.2.3", None), fra, "a network's rule goes by the resolver too");
    town.stand("www", &[("sin", down())]);
    assert_eq!(town.one("www", RESOLVER, Some("2.0.9.0/24")), iad, "the rule's next");
    town.stand("www", &[("sin", down()), ("fra", down()), ("iad", down())]);
    assert_eq!(town.one("www", RESOLVER, Some("1.0.0.0/24")), "192.0.2.99");
}

#[test]
fn losing_a_member_moves_only_its_own_clients() {
    let mut town = Town::new(COMMON);
    let clients: Vec<String> = (0..500).map(|at| format!("20.{}.{}.0/24", at / 250, at % 250)).collect();
    let ask =
        |town: &mut Town| clients.iter().map(|client| town.one("cache", RESOLVER, Some(client))).collect::<Vec<_>>();
    let before = ask(&mut town);
    assert_eq!(before, ask(&mut town), "clients stay where they are");
    assert_eq!(town.addresses("cache", RESOLVER, Some(&clients[0])).2, Some(24), "the key's length is the scope");
    town.stand("www", &[("iad", down())]);
    let after = ask(&mut town);
    for (old, new) in before.iter().zip(&after) {
        assert!(old == new || old == "198.51.100.10");
    }
    assert!(!after.contains(&"198.51.100.10".to_owned()));
    town.stand("www", &[]);
    assert_eq!(ask(&mut town), before, "and come back");
}

#[test]
fn a_split_is_as_it_is_told_and_each_client_keeps_its_side() {
    let mut town = Town::new(COMMON);
    let clients: Vec<String> = (0..4_000).map(|at| format!("30.{}.{}.0/24", at / 250, at % 250)).collect();
    let sides: Vec<String> = clients.iter().map(|client| town.one("shop", RESOLVER, Some(client))).collect();
    let canaries = sides.iter().filter(|side| *side == "192.0.2.7").count();
    assert!((700..900).contains(&canaries), "{canaries}");
    for (client, side) in clients.iter().zip(&sides).take(100) {
        assert_eq!(&town.one("shop", RESOLVER, Some(client)), side);
    }
}

#[test]
fn a_loaded_member_sheds_its_clients_and_two_others_answer() {
    let mut town = Town::new(COMMON);
    let (all, ..) = town.addresses("video", RESOLVER, None);
    assert_eq!(all.len(), 2);
    let mut feeds = Feeds::default();
    let pool = feeds.pool_mut(town.pools["www"].id()).unwrap();
    for (member, load) in [(0, 99.0), (1, 20.0), (2, 30.0)] {
        pool.observe("load", member, load, Duration::from_secs(15), town.now);
    }
    town.authority.helm().scene().measure(feeds);
    for _ in 0..50 {
        let (chosen, ..) = town.addresses("video", RESOLVER, None);
        let chosen: BTreeSet<String> = chosen.iter().map(ToString::to_string).collect();
        assert_eq!(chosen, ["198.51.100.10", "203.0.113.10"].map(ToOwned::to_owned).into());
    }
}

#[test]
fn another_policy_takes_over_while_zones_stay_as_they_are() {
    let mut town = Town::new(COMMON);
    let zones = town.authority.zones();
    let machine = Machine { cores: std::num::NonZeroUsize::MIN, memory: None };
    let text =
        COMMON.replace("api: {pool: api, policy: weighted, ttl: 30}", "api: {pool: sorry, policy: weighted, ttl: 5}");
    let config = config::load(Path::new("town.yaml"), text.as_bytes(), &machine).unwrap().config;
    let helm = steered::helm(&config.steering, &town.authority.helm()).unwrap();
    town.authority.take_helm(helm);
    assert_eq!(town.addresses("api", RESOLVER, None), (vec![Ipv4Addr::new(192, 0, 2, 99)], 5, None));
    assert!(Arc::ptr_eq(&zones, &town.authority.zones()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever the policy, the health and the client: who is down, drained or forced down answers only where nobody
    /// else of the pool can; people's word holds even then.
    #[test]
    fn nobody_answers_who_is_down_or_taken_out_while_another_can(
        words in prop::collection::vec(0..5_u8, 12), clients in prop::collection::vec(any::<u32>(), 8),
    ) {
        let standing = |word: u8| match word {
            0 | 1 => Standing::default(),
            2 => down(),
            3 => Standing { bar: Some(Bar::Drained), ..Standing::default() },
            _ => Standing { bar: Some(Bar::Forced), ..Standing::default() },
        };
        let mut town = Town::new(COMMON);
        let names = [("api", "api"), ("db", "db"), ("www", "www"), ("cache", "www"), ("shop", "shop"), ("video", "www")];
        let addresses: BTreeMap<&str, Vec<&str>> = [
            ("api", vec!["192.0.2.1", "192.0.2.2", "192.0.2.3"]),
            ("db", vec!["192.0.2.5", "198.51.100.5"]),
            ("www", vec!["192.0.2.10", "198.51.100.10", "203.0.113.10"]),
            ("shop", vec!["192.0.2.6", "192.0.2.7"]),
        ].into();
        let mut usable: BTreeMap<&str, Vec<bool>> = BTreeMap::new();
        for (at, (pool, own)) in addresses.iter().enumerate() {
            let members = Arc::clone(&town.pools[*pool]);
            let told: Vec<Standing> = (0..own.len()).map(|member| standing(words[at * 3 + member])).collect();
            let named: Vec<(&str, Standing)> = members.members().iter().map(|member| &*member.name).zip(told.iter().copied()).collect();
            town.stand(pool, &named);
            usable.insert(pool, told.iter().map(Standing::is_usable).collect());
        }
        for client in clients {
            let client = format!("{}/24", Ipv4Addr::from_bits(client & 0xFFFF_FF00));
            for (name, pool) in names {
                let message = town.ask(name, RecordType::A, RESOLVER, Some(&client));
                for record in &message.answer {
                    let address = Ipv4Addr::from(<[u8; 4]>::try_from(&record.rdata[..]).unwrap()).to_string();
                    let member = addresses[pool].iter().position(|own| *own == address);
                    if usable[pool].contains(&true) {
                        prop_assert!(member.is_some_and(|member| usable[pool][member]), "{} {} {:?}", name, address, usable[pool]);
                    }
                }
                prop_assert!(!usable[pool].contains(&true) || !message.answer.is_empty(), "{} has nobody", name);
            }
        }
    }
}

/// The great-circle distance by the haversine formula, kilometres.
fn haversine(one: (f64, f64), other: (f64, f64)) -> f64 {
    let (lat1, lat2) = (one.0.to_radians(), other.0.to_radians());
    let (half_lat, half_lon) = ((lat2 - lat1) / 2.0, (other.1 - one.1).to_radians() / 2.0);
    let h = half_lat.sin().powi(2) + lat1.cos() * lat2.cos() * half_lon.sin().powi(2);
    2.0 * h.sqrt().min(1.0).asin() * 6371.0088
}

#[test]
fn a_hundred_thousand_clients_get_the_site_that_is_nearest_on_the_globe() {
    let mut dice = Dice::from_number(9);
    let angle =
        |dice: &mut Dice, half: f64| ((dice.bits() as f64 / u64::MAX as f64 * 2.0 - 1.0) * half * 1e4).round() / 1e4;
    for count in [3, 200] {
        let sites: Vec<(f64, f64)> = (0..count).map(|_| (angle(&mut dice, 90.0), angle(&mut dice, 180.0))).collect();
        let members: Vec<String> = (0_u32..)
            .zip(&sites)
            .map(|(at, (north, east))| format!("m{at}: {{a: 100.64.{}.{}, at: [{north}, {east}]}}", at / 256, at % 256))
            .collect();
        let text = format!(
            "recursion: off\npools: {{p: {{members: {{{}}}}}}}\nzones: {{example.com: {{records: {{\"@\": {{NS: ns}}, ns: 192.0.2.53}}, \
             steer: {{geo: {{pool: p, policy: nearest}}}}}}}}\n",
            members.join(", ")
        );
        let mut town = Town::new(&text);
        // Every /16 that a client can have is somewhere.
        let places: Vec<(f64, f64)> = (0..65_536).map(|_| (angle(&mut dice, 90.0), angle(&mut dice, 180.0))).collect();
        let v4 = Spans::of_networks((0..65_536_u32).map(|at| (at << 16, 16, at)));
        let source = Source {
            places: places.iter().map(|(north, east)| Place::at(*north, *east)).collect(),
            v4,
            v6: Spans::unknown(),
        };
        let helm = town.authority.helm();
        helm.scene().move_to(Arc::new(Atlas::of([source])));
        helm.compile().unwrap();
        for _ in 0..50_000 {
            let bits = loop {
                let bits = dice.bits() as u32 & 0xFFFF_FF00;
                if meridian::steer::subject::is_global_unicast(Ipv4Addr::from_bits(bits).into()) {
                    break bits;
                }
            };
            let client = format!("{}/24", Ipv4Addr::from_bits(bits));
            let (records, ..) = town.addresses("geo", RESOLVER, Some(&client));
            let [_, _, high, low] = records[0].octets();
            let place = places[(bits >> 16) as usize];
            let answered = haversine(place, sites[usize::from(high) * 256 + usize::from(low)]);
            let nearest = sites.iter().map(|site| haversine(place, *site)).fold(f64::INFINITY, f64::min);
            assert!(answered - nearest < 0.001, "{client} at {place:?}: {answered} km for {nearest} km");
        }
    }
}
