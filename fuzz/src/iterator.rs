//! The resolver against upstreams that do whatever the octets say, in virtual time.
//!
//! The first octets are the clients' queries; those behind are read by every query upstream in turn, to know what comes
//! back. When they are used up, upstreams are silent.
//!
//! * Every client gets exactly one response, lawful, by the deadline.
//! * No client query costs more upstream queries than its ledger holds.
//! * Soon after the last of them nothing is under way any more.

mod script;

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use meridian::app::build::{Built, Files};
use meridian::app::worker::{Next, Worker};
use meridian::base::{Dice, Instant, bounds, tally::Tally};
use meridian::chain::{Asker, Carrier, Delegation, NameServer};
use meridian::dns::{Message, Name};
use meridian::handlers::resolve::{ExchangeId, Transport};

use self::script::{Asked, Back, Script};
use super::houses::Plan;
use super::messages::{is_lawful_response, name};

const CONFIG: &str = "recursion: {allow: private, hosts: off, dnssec: off, deny_upstreams: [127.0.0.0/8]}\n";
const BEGIN: Instant = Instant::from_seconds(1_000_000);
/// Steps of a run; so many are a loop.
const STEPS_MAX: usize = 100_000;

thread_local! {
    static BUILT: Built = {
        let servers = ["a.root.test.", "b.root.test."].iter().zip([1, 2]);
        let roots = servers.map(|(host, last)| NameServer { name: name(host), glue: vec![[192, 0, 2, last].into()] });
        let roots = Delegation { zone: Name::root(), servers: roots.collect(), ttl: 86_400 };
        Plan::new(CONFIG).build(Files { roots: Some(roots), ..Files::default() }, |_, _| {})
    };
}

/// See the module's text.
pub fn run(data: &[u8]) {
    let mut script = Script::new(data);
    let queries = script.queries();
    let house = BUILT.with(|built| {
        // A house takes longer to build than most scripts take to play; it remembers nothing but its cache.
        if let Some(cache) = &built.cache {
            cache.flush(&Name::root(), true, None);
        }
        Arc::clone(&built.house)
    });
    let worker = Worker::new(house, (0, 1), Dice::from_number(1), Arc::new(Tally::default()));
    let mut world = World {
        worker,
        script,
        now: BEGIN,
        arrivals: BTreeMap::new(),
        released: HashSet::new(),
        clients: Vec::new(),
        sent: 0,
        steps: 0,
    };
    let count = queries.len();
    for query in queries {
        world.run(world.now + query.pause);
        world.ask(&query);
    }
    world.run(world.now + bounds::CLIENT_DEADLINE);
    for client in &world.clients {
        assert!(client.is_answered, "a query has no response by the deadline");
    }
    world.run(world.now + bounds::WORK_DEADLINE);
    assert!(world.worker.resolver().is_empty() && world.worker.waiting() == 0, "work goes on for nobody");
    let most = bounds::UPSTREAM_QUERIES as usize * count;
    assert!(world.sent <= most, "{} upstream queries for {count} of clients", world.sent);
}

struct Client {
    query: Vec<u8>,
    is_answered: bool,
}

struct World<'s> {
    worker: Worker<usize>,
    script: Script<'s>,
    now: Instant,
    arrivals: BTreeMap<(Instant, usize), (ExchangeId, Back)>,
    released: HashSet<ExchangeId>,
    clients: Vec<Client>,
    sent: usize,
    steps: usize,
}

impl World<'_> {
    fn ask(&mut self, query: &Asked) {
        let address = (IpAddr::from([127, 0, 0, 1]), 5_353).into();
        let asker = Asker { address, local: None, carrier: Carrier::Udp, may_recurse: false, group: 0 };
        let number = self.clients.len();
        self.clients.push(Client { query: query.octets.clone(), is_answered: false });
        let mut out = Vec::new();
        match self.worker.turn(&query.octets, asker, &mut Some(number), self.now, &mut out) {
            Next::Respond => self.answer(number, &out),
            Next::Wait => {}
            other => panic!("{other:?} becomes of a plain query"),
        }
        self.collect();
    }

    fn answer(&mut self, number: usize, response: &[u8]) {
        let client = &mut self.clients[number];
        assert!(!client.is_answered, "two responses");
        client.is_answered = true;
        is_lawful_response(&client.query, Carrier::Udp, response);
    }

    /// Lets time pass until `limit`.
    fn run(&mut self, limit: Instant) {
        loop {
            let arrival = self.arrivals.first_key_value().map(|((at, _), _)| *at);
            let next = [arrival, self.worker.poll_timeout()].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= limit) else { break };
            self.steps += 1;
            assert!(self.steps < STEPS_MAX, "time does not pass");
            self.now = self.now.max(next);
            if arrival.is_some_and(|at| at <= self.now) {
                if let Some((_, (exchange, back))) = self.arrivals.pop_first() {
                    self.arrive(exchange, back);
                }
            } else {
                self.worker.handle_timeout(self.now);
            }
            self.collect();
        }
        self.now = self.now.max(limit);
    }

    fn arrive(&mut self, exchange: ExchangeId, back: Back) {
        if self.released.contains(&exchange) {
            return; // its socket is closed
        }
        match back {
            Back::Octets(octets) => self.worker.handle_response(exchange, &octets, self.now),
            Back::Fault => self.worker.handle_fault(exchange, self.now),
        }
    }

    /// Takes all that the worker wishes.
    fn collect(&mut self) {
        loop {
            if let Some(exchange) = self.worker.poll_release() {
                self.released.insert(exchange);
            } else if let Some(transmit) = self.worker.poll_transmit() {
                let query = Message::parse(&transmit.bytes).expect("a query upstream can be parsed");
                assert!(query.questions.len() == 1 && !query.flags.response && !query.flags.recursion_desired);
                assert!(!transmit.server.ip().is_loopback(), "an address is asked that never is");
                self.sent += 1;
                let is_tcp = transmit.transport == Transport::Tcp;
                for (delay, back) in self.script.respond(&query, is_tcp) {
                    let serial = self.steps * 256 + self.arrivals.len();
                    self.arrivals.insert((self.now + Duration::from_millis(delay), serial), (transmit.exchange, back));
                }
            } else if let Some(late) = self.worker.poll_late() {
                self.answer(late.reply, &late.bytes);
            } else {
                return;
            }
        }
    }
}
