//! One production worker with its house, a signed tree behind it, somebody between them who may change what servers
//! say, and clocks that only the test moves.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use meridian::app::house::{Capacity, House, Manner, Telling};
use meridian::app::worker::{Next, Worker};
use meridian::base::collections::keyed;
use meridian::base::patience::Patience;
use meridian::base::tally::{Event, Tally};
use meridian::base::{Dice, Instant, NetworkSet, bounds};
use meridian::chain::{Asker, Carrier, Chain, Delegation, Handler, Memory, NameServer};
use meridian::dns::edns::option;
use meridian::dns::{Edns, Message, Name, Question, Rcode, Record, RecordType};
use meridian::handlers::cache::{self, Cache};
use meridian::handlers::gate::{Cookies, Gate, LimitSettings, Limits};
use meridian::handlers::local::Local;
use meridian::handlers::resolve::anchors::Validation;
use meridian::handlers::resolve::{ExchangeId, Resolve, Settings, Transport, Wall};

use crate::keys::WALL;
use crate::tree::Tree;
use crate::zone::Zone;

/// What stands between the servers and the resolver: it may change a zone's response to a question.
pub(crate) type Meddler<'t> = Box<dyn FnMut(&Tree, &Zone, &Question, &mut Message) + 't>;

/// What a client heard.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Heard {
    pub(crate) rcode: Rcode,
    pub(crate) is_authentic: bool,
    /// Without signatures, in order.
    pub(crate) answer: Vec<Record>,
    pub(crate) ede: Vec<u16>,
    pub(crate) message: Message,
}

/// What a client sets in its query.
#[derive(Clone, Copy, Default)]
pub(crate) struct Wish {
    pub(crate) dnssec_ok: bool,
    pub(crate) checking_disabled: bool,
}

pub(crate) const CHECKED: Wish = Wish { dnssec_ok: true, checking_disabled: false };
pub(crate) const UNCHECKED: Wish = Wish { dnssec_ok: true, checking_disabled: true };

/// See the module's text.
pub(crate) struct World<'t> {
    worker: Worker<u32>,
    /// What the wall's clock is ahead of the other.
    ahead: Arc<AtomicU64>,
    cache: Arc<Cache>,
    tree: &'t Tree,
    tally: Arc<Tally>,
    pub(crate) meddler: Meddler<'t>,
    pub(crate) now: Instant,
    arrivals: BTreeMap<(Instant, u64), (ExchangeId, Vec<u8>)>,
    released: HashSet<u64>,
    serial: u64,
    heard: BTreeMap<u32, Message>,
    asked: u32,
    /// Every response as it went to the resolver, with its zone's apex.
    pub(crate) exchanges: Vec<(Name, Question, Message)>,
}

impl<'t> World<'t> {
    pub(crate) fn new(tree: &'t Tree, meddler: Meddler<'t>) -> Self {
        Self::trusting(tree, meddler, crate::validation(tree))
    }

    /// A world with other anchors than the root's.
    pub(crate) fn trusting(tree: &'t Tree, meddler: Meddler<'t>, validation: Arc<Validation>) -> Self {
        let mut dice = Dice::from_number(7);
        let now = Instant::from_seconds(1_000_000);
        let ahead = Arc::new(AtomicU64::new(u64::from(WALL) - now.seconds()));
        let reading = Arc::clone(&ahead);
        let root = NameServer { name: "ns.root.".parse().unwrap(), glue: vec![Tree::root()] };
        let settings = Settings {
            denied: NetworkSet::default(),
            roots: Arc::new(Delegation { zone: Name::root(), servers: vec![root], ttl: 86_400 }),
            validation: Some(validation),
            wall: Wall(Arc::new(move |now| reading.load(Ordering::Relaxed).wrapping_add(now.seconds()) as u32)),
            ..Settings::default()
        };
        let remembered = cache::Settings { validates: true, ..cache::Settings::default() };
        let cache = Arc::new(Cache::simulated(remembered, &mut dice));
        let allow = NetworkSet::private();
        let links: Vec<Box<dyn Handler>> =
            vec![Box::new(Gate::new(allow.clone())), Box::new(Local), Box::new(Arc::clone(&cache)), Box::new(Resolve)];
        let house = House {
            loops: None,
            cluster: None,
            finished_bytes: 1 << 20,
            telling: Telling::default(),
            nsid: Box::default(),
            manner: Manner::default(),
            has_desk: false,
            chain: Chain::new(links),
            policy: None,
            memory: Arc::clone(&cache) as Arc<dyn Memory>,
            resolution: Arc::new(settings),
            allow,
            offers_recursion: true,
            stale_wait: Some(Duration::from_millis(1_800)),
            homes: keyed(&mut dice),
            limits: Arc::new(Limits::new(LimitSettings::default(), &mut dice)),
            patience: Arc::new(Patience::new(bounds::TCP_IDLE)),
            cookies: Cookies::default(),
            capacity: Capacity::default(),
        };
        let tally = Arc::new(Tally::default());
        let worker = Worker::new(Arc::new(house), (0, 1), dice, Arc::clone(&tally));
        Self {
            worker,
            ahead,
            cache,
            tree,
            tally,
            meddler,
            now,
            arrivals: BTreeMap::new(),
            released: HashSet::new(),
            serial: 0,
            heard: BTreeMap::new(),
            asked: 0,
            exchanges: Vec::new(),
        }
    }

    /// The same world where nobody lies.
    pub(crate) fn honest(tree: &'t Tree) -> Self {
        Self::new(tree, Box::new(|_, _, _, _| {}))
    }

    pub(crate) fn count(&self, event: Event) -> u64 {
        self.tally.read(event)
    }

    /// The wall's clock is set; the machine's other clock goes on as it did.
    pub(crate) fn set_wall(&mut self, wall: u64) {
        self.ahead.store(wall.wrapping_sub(self.now.seconds()), Ordering::Relaxed);
    }

    /// Time passes on all clocks.
    pub(crate) fn pass(&mut self, span: Duration) {
        let until = self.now + span;
        self.run(until, |_| false);
    }

    /// Expired entries leave the cache.
    pub(crate) fn sweep(&self) {
        while !self.cache.sweep().step(self.now, 100_000).is_done {}
    }

    /// A client asks and waits for its answer; nothing is silence.
    pub(crate) fn ask(&mut self, name: &str, rtype: RecordType, wish: Wish) -> Option<Heard> {
        self.asked += 1;
        let number = self.asked;
        let mut query = Message { id: number as u16, ..Message::default() };
        query.flags.recursion_desired = true;
        query.flags.checking_disabled = wish.checking_disabled;
        query.questions.push(Question::new(name.parse().unwrap(), rtype));
        query.edns = Some(Edns { udp_size: 1232, version: 0, dnssec_ok: wish.dnssec_ok, options: Vec::new() });
        let address = "192.168.0.9:5000".parse().unwrap();
        // Over TCP, so that no answer is cut.
        let carrier = Carrier::Tcp;
        let asker = Asker { address, local: None, carrier, may_recurse: false, group: 0 };
        let mut out = Vec::new();
        match self.worker.turn(&bytes_of(&query), asker, &mut Some(number), self.now, &mut out) {
            Next::Respond => self.take(number, &out),
            Next::Wait => {}
            next => panic!("{name}: {next:?}"),
        }
        self.collect();
        self.run(self.now + Duration::from_secs(10), |world| world.heard.contains_key(&number));
        let message = self.heard.remove(&number)?;
        let mut answer = message.answer.clone();
        answer.retain(|row| row.rtype != RecordType::RRSIG);
        for row in &mut answer {
            row.ttl = 0;
        }
        answer.sort_by(|one, two| (&one.owner, one.rtype, &one.rdata).cmp(&(&two.owner, two.rtype, &two.rdata)));
        let options = message.edns.iter().flat_map(|edns| &edns.options).filter(|(code, _)| *code == option::EDE);
        let ede = options.map(|(_, data)| u16::from_be_bytes([data[0], data[1]])).collect();
        Some(Heard { rcode: message.rcode, is_authentic: message.flags.authentic_data, answer, ede, message })
    }

    fn run(&mut self, limit: Instant, is_enough: impl Fn(&Self) -> bool) {
        for _ in 0..100_000 {
            if is_enough(self) {
                return;
            }
            let arrival = self.arrivals.first_key_value().map(|((at, _), _)| *at);
            let next = [arrival, self.worker.poll_timeout()].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= limit) else {
                self.now = self.now.max(limit);
                return;
            };
            self.now = self.now.max(next);
            if arrival.is_some_and(|at| at <= self.now) {
                let (_, (exchange, bytes)) = self.arrivals.pop_first().unwrap();
                if !self.released.contains(&exchange.0) {
                    self.worker.handle_response(exchange, &bytes, self.now);
                }
            } else {
                self.worker.handle_timeout(self.now);
            }
            self.collect();
        }
        panic!("time does not pass");
    }

    fn take(&mut self, number: u32, bytes: &[u8]) {
        self.heard.insert(number, Message::parse(bytes).expect("a response can be read"));
    }

    fn collect(&mut self) {
        loop {
            if let Some(exchange) = self.worker.poll_release() {
                self.released.insert(exchange.0);
            } else if let Some(transmit) = self.worker.poll_transmit() {
                let query = Message::parse(&transmit.bytes).expect("an upstream query can be read");
                let is_tcp = transmit.transport == Transport::Tcp;
                if let Some(bytes) = self.respond(transmit.server.ip(), &query, is_tcp) {
                    self.serial += 1;
                    let at = self.now + Duration::from_millis(if is_tcp { 20 } else { 10 });
                    self.arrivals.insert((at, self.serial), (transmit.exchange, bytes));
                }
            } else if let Some(late) = self.worker.poll_late() {
                self.take(late.reply, &late.bytes);
            } else if self.worker.poll_forward().is_none() {
                return;
            }
        }
    }

    fn respond(&mut self, server: IpAddr, query: &Message, is_tcp: bool) -> Option<Vec<u8>> {
        let (zone, mut message) = self.tree.respond(server, query)?;
        let question = query.questions[0].clone();
        (self.meddler)(self.tree, zone, &question, &mut message);
        let bytes = bytes_of(&message);
        if bytes.len() > 1232 && !is_tcp {
            let mut short = crate::tree::reply_to(query);
            short.flags.truncated = true;
            return Some(bytes_of(&short));
        }
        self.exchanges.push((zone.apex.clone(), question, message));
        Some(bytes)
    }
}

fn bytes_of(message: &Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    _ = message.compose(&mut bytes, 65_535);
    bytes
}
