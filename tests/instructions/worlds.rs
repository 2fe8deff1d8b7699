//! Workers with everything on that a query can pass (limits, cookies, counters), each beside the queries of one kind:
//! what the count of instructions, the benches and the test of the quiet heap have in common.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each program takes the part it needs")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "nothing here serves anybody"
)]

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use meridian::app::config::{self, Machine};
use meridian::app::house::{Capacity, House, Manner, Telling};
use meridian::app::worker::{Next, Worker};
use meridian::base::collections::{Keyed, keyed};
use meridian::base::patience::Patience;
use meridian::base::tally::Tally;
use meridian::base::{Dice, Instant, NetworkSet, bounds};
use meridian::chain::{Aged, Answer, Asker, Carrier, Chain, Handler, Query, Turn, Verdict};
use meridian::dns::cookie::{CookieSecret, CookieSecrets};
use meridian::dns::edns::option;
use meridian::dns::{Edns, Message, Name, Question, RecordType, RrSet};
use meridian::handlers::authority::{Authority, Builder, Zones, master_file};
use meridian::handlers::cache::{self, Cache};
use meridian::handlers::gate::{Cookies, Limits};
use meridian::steer::spans::Spans;
use meridian::steer::stages::rules::{Geo, On, Rule};
use meridian::steer::{
    Atlas, Client, Helm, Member, Orders, Place, Pool, PoolId, Scene, ScopeCap, Source, StageSpec, Terms, Unknown,
};

/// Limits that nobody here comes near, of every kind.
const LIMITS: &str = "limits: {queries: [{rate: 1000000/s}, {rate: 1000000/s, algorithm: fixed_window}], \
                      responses: {rate: 1000000/s, all: 1000000/s}}";
/// Names, clients and client subnets, of each so many.
const VARIETY: usize = 256;

/// A worker and what it is asked.
pub struct World {
    pub worker: Worker<()>,
    pub tally: Arc<Tally>,
    queries: Vec<Vec<u8>>,
    askers: Vec<Asker>,
    now: Instant,
    next: usize,
    out: Vec<u8>,
}

impl World {
    /// Asks the next query.
    pub fn turn(&mut self) -> Next {
        self.next += 1;
        self.now = self.now + std::time::Duration::from_micros(10);
        let datagram = &self.queries[self.next % self.queries.len()];
        let asker = self.askers[self.next % self.askers.len()];
        self.worker.turn(datagram, asker, &mut None, self.now, &mut self.out)
    }

    /// Glances at the next query alone.
    pub fn glance(&mut self) {
        self.next += 1;
        let datagram = &self.queries[self.next % self.queries.len()];
        std::hint::black_box(self.worker.glance(datagram));
    }

    /// The last response.
    pub fn response(&self) -> &[u8] {
        &self.out
    }

    /// Asks everything once, so that what can be remembered is.
    pub fn warm(mut self) -> Self {
        (0..3 * VARIETY).for_each(|_| assert_eq!(self.turn(), Next::Respond));
        self
    }

    fn new(link: impl Handler + 'static, finished_bytes: usize, queries: Vec<Vec<u8>>) -> Self {
        Self::under(LIMITS, link, finished_bytes, queries)
    }

    /// Under the limits that the configuration `limits` sets.
    fn under(limits: &str, link: impl Handler + 'static, finished_bytes: usize, queries: Vec<Vec<u8>>) -> Self {
        let machine = Machine { cores: std::num::NonZeroUsize::MIN, memory: None };
        let limits = config::load(Path::new("limits"), limits.as_bytes(), &machine).unwrap().config.limits.rates;
        let mut dice = Dice::from_number(1);
        let secrets = CookieSecrets { first: CookieSecret([1; 16]), second: Some(CookieSecret([2; 16])) };
        let house = House {
            cluster: None,
            chain: Chain::new(vec![Box::new(link)]),
            policy: None,
            memory: Arc::new(Cache::simulated(cache::Settings::default(), &mut dice)),
            resolution: Arc::default(),
            loops: None,
            allow: NetworkSet::default(),
            offers_recursion: false,
            stale_wait: None,
            finished_bytes,
            telling: Telling::default(),
            nsid: Box::default(),
            manner: Manner::default(),
            has_desk: false,
            homes: keyed(&mut dice),
            limits: Arc::new(Limits::new(limits, &mut dice)),
            patience: Arc::new(Patience::new(bounds::TCP_IDLE)),
            capacity: Capacity::default(),
            cookies: Cookies(Some(secrets)),
        };
        let tally = Arc::new(Tally::default());
        let asker = |number: usize| {
            let address = SocketAddr::from(([198, 51, number as u8, 7], 5353));
            Asker { address, local: None, carrier: Carrier::Udp, may_recurse: false, group: 0 }
        };
        Self {
            worker: Worker::new(Arc::new(house), (0, 1), Dice::from_number(2), Arc::clone(&tally)),
            tally,
            queries,
            askers: (0..VARIETY).map(asker).collect(),
            now: Instant::from_seconds(1_000),
            next: 0,
            out: Vec::with_capacity(bounds::UDP_RESPONSE_MAX),
        }
    }
}

fn query(name: &str, options: Vec<(u16, Vec<u8>)>) -> Vec<u8> {
    let message = Message {
        id: 4711,
        questions: std::iter::once(Question::new(name.parse().unwrap(), RecordType::A)).collect(),
        edns: Some(Edns { udp_size: 1232, options, ..Edns::default() }),
        ..Message::default()
    };
    let mut datagram = Vec::new();
    message.compose(&mut datagram, bounds::MESSAGE_MAX).unwrap();
    datagram
}

/// Names that are remembered, asked for without a cookie.
fn uncookied() -> Vec<Vec<u8>> {
    (0..VARIETY).map(|number| query(&format!("host-{number:04}.example."), Vec::new())).collect()
}

fn queries(name: impl Fn(usize) -> String) -> Vec<Vec<u8>> {
    (0..VARIETY).map(|number| query(&name(number), vec![(option::COOKIE, vec![number as u8; 8])])).collect()
}

/// Answers as a cache does: what it says grows old.
struct Known;

impl Handler for Known {
    fn name(&self) -> &'static str {
        "known"
    }

    fn handle(&self, query: &Query, turn: &mut Turn<'_>) -> Verdict {
        let set = RrSet::new(query.question.name.clone(), RecordType::A, 300, [[192, 0, 2, 1], [192, 0, 2, 2]]);
        Verdict::Answer(Answer {
            answer: vec![Aged { set: Arc::new(set), ttl: 300 }],
            recallable_until: Some(turn.now.seconds() + 300),
            ..Answer::default()
        })
    }
}

/// Names that are remembered.
pub fn cached() -> World {
    World::new(Known, 1 << 20, queries(|number| format!("host-{number:04}.example."))).warm()
}

/// The same under one limit of queries and one of responses, as the built-in configuration has them.
pub fn cached_and_limited_once() -> World {
    let limits = "limits: {queries: {rate: 1000000/s}, responses: {rate: 1000000/s}}";
    World::under(limits, Known, 1 << 20, queries(|number| format!("host-{number:04}.example."))).warm()
}

/// The same under no limits.
pub fn cached_and_unlimited() -> World {
    World::under(
        "limits: {queries: off, responses: off}",
        Known,
        1 << 20,
        queries(|number| format!("host-{number:04}.example.")),
    )
    .warm()
}

/// The same without cookies.
pub fn cached_without_cookie() -> World {
    World::new(Known, 1 << 20, uncookied()).warm()
}

/// The same with neither.
pub fn cached_alone() -> World {
    World::under("limits: {queries: off, responses: off}", Known, 1 << 20, uncookied()).warm()
}

fn authority(orders: Vec<Orders>, atlas: Atlas) -> Authority {
    let mut builder = Builder::new("example.".parse().unwrap());
    let mut text = "$TTL 3600\n@ SOA ns hostmaster 7 2 3 4 300\n@ NS ns\nns A 192.0.2.53\n".to_owned();
    for number in 0..VARIETY {
        writeln!(text, "host-{number:04} A 192.0.2.{}", number % 256).unwrap();
    }
    master_file::read(text.as_bytes(), "zone", &mut master_file::no_include, &mut builder);
    let file = builder.add_file("config");
    orders.iter().flat_map(Orders::all_records).for_each(|set| builder.add_chosen(&set, file, 1));
    let mut zones = Zones::new(Keyed::with_seeds(1, 2, 3, 4));
    zones.insert(Arc::new(builder.finish(Keyed::with_seeds(1, 2, 3, 4)).0.unwrap()));
    let scene = Arc::new(Scene::new(Arc::new(atlas)));
    scene.set_calendar(1_700_000_000, Instant::ZERO);
    let helm = Helm::relieve(&Helm::idle(scene, None), Some(ScopeCap::default()), orders).unwrap();
    helm.compile().unwrap();
    Authority::new(zones, helm)
}

/// Names of our zone, remembered or found each time.
pub fn authoritative(remembers: bool) -> World {
    let queries = queries(|number| format!("host-{number:04}.example."));
    World::new(authority(Vec::new(), Atlas::default()), finished_bytes(remembers), queries).warm()
}

/// Names that our zone has not, remembered or found each time.
pub fn missing(remembers: bool) -> World {
    let queries = queries(|number| format!("nobody-{number:04}.example."));
    World::new(authority(Vec::new(), Atlas::default()), finished_bytes(remembers), queries).warm()
}

/// Names of others.
pub fn refused() -> World {
    let queries = queries(|number| format!("host-{number:04}.test."));
    World::new(authority(Vec::new(), Atlas::default()), finished_bytes(true), queries).warm()
}

const fn finished_bytes(remembers: bool) -> usize {
    if remembers { 1 << 20 } else { 0 }
}

/// One name answered by the continent of the client subnet, as compiled; what was chosen is remembered, or composed
/// each time.
pub fn steered(remembers: bool) -> World {
    let continents = ["EU", "OC", "NA", "SA", "AF", "AS"];
    let place = |continent: &&str| Place { continent: continent.parse().ok(), ..Place::at(50.0, 10.0) };
    let places: Vec<Place> = continents.iter().map(place).collect();
    let networks = (1..120_u32).map(|first| (first << 24, 8, first % continents.len() as u32));
    let source = Source { places, v4: Spans::of_networks(networks), v6: Spans::unknown() };
    let members: Vec<Member> = (0_u8..)
        .zip(continents)
        .map(|(number, continent)| {
            let mut member = Member::new(continent);
            member.a = vec![Ipv4Addr::new(203, 0, 113, number)];
            member
        })
        .collect();
    let rule = |continent: &&str| Rule {
        on: On::Geo(continent.parse::<Geo>().unwrap()),
        prefer: vec![(*continent).into()],
        exclude: Vec::new(),
        bias: Vec::new(),
    };
    let orders = Orders {
        owner: "www.example.".parse::<Name>().unwrap(),
        pool: Arc::new(Pool::new(PoolId(0), "places", members).unwrap()),
        stages: vec![StageSpec::Rules(continents.iter().map(rule).collect())],
        terms: Terms::default(),
        fallback: None,
        client: Client::Auto,
        unknown: Unknown::Nobody,
    };
    let subnet = |number: usize| (option::CLIENT_SUBNET, vec![0, 1, 24, 0, 11 + (number % 80) as u8, 7, number as u8]);
    let cookie = |number: usize| (option::COOKIE, vec![number as u8; 8]);
    let queries = (0..VARIETY).map(|number| query("www.example.", vec![subnet(number), cookie(number)])).collect();
    World::new(authority(vec![orders], Atlas::of([source])), finished_bytes(remembers), queries).warm()
}
