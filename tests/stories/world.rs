//! The world of a story: one production worker with its house, the story's servers, and a clock that only the
//! story moves.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use meridian::app::house::{Capacity, House, Manner, Telling};
use meridian::app::worker::{Next, Worker};
use meridian::base::collections::keyed;
use meridian::base::patience::Patience;
use meridian::base::tally::{Event, Tally};
use meridian::base::{Dice, Instant, NetworkSet, bounds};
use meridian::chain::{Asker, Carrier, Chain, Delegation, Handler, Memory, NameServer, seal::response_limit};
use meridian::dns::edns::option;
use meridian::dns::{Edns, Message, Name, Question, RecordType};
use meridian::handlers::authority::{self, Authority, Zones, master_file};
use meridian::handlers::cache::{self, Cache};
use meridian::handlers::gate::{Cookies, Gate, LimitSettings, Limits};
use meridian::handlers::hosts::{self, HostsHandler};
use meridian::handlers::local::Local;
use meridian::handlers::resolve::anchors::{Anchors, Validation};
use meridian::handlers::resolve::{ExchangeId, Ours, Resolve, Settings, Transport, Wall};
use meridian::handlers::special::Special;
use meridian::steer::{Helm, Scene};

use crate::cluster;
use crate::server::{Back, Server, bytes_of};

/// When a story begins.
pub(crate) const START: Instant = Instant::from_seconds(1_000_000);
/// The wall's clock then, seconds since 1970.
pub(crate) const WALL: u32 = 1_780_000_000;

/// What a story may set before its first query.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) settings: Settings,
    pub(crate) cache: cache::Settings,
    pub(crate) stale_wait: Option<Duration>,
    pub(crate) is_priming: bool,
    pub(crate) allow: NetworkSet,
    pub(crate) hosts: String,
    /// Our own zones as master files, by their apex.
    pub(crate) own: BTreeMap<Name, String>,
    /// The upstreams of each forward zone.
    pub(crate) forwarders: Vec<Vec<IpAddr>>,
    /// What is trusted, and what not validated; without anchors nothing is.
    pub(crate) anchors: Anchors,
    pub(crate) negative: Vec<Name>,
    pub(crate) cluster: Option<cluster::Told>,
    pub(crate) seed: u64,
    pub(crate) limits: LimitSettings,
    pub(crate) patience: Arc<Patience>,
    pub(crate) cookies: Cookies,
    pub(crate) capacity: Capacity,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            settings: Settings { denied: NetworkSet::default(), ..Settings::default() },
            cache: cache::Settings::default(),
            stale_wait: Some(Duration::from_millis(1_800)),
            is_priming: false,
            allow: NetworkSet::private(),
            hosts: String::new(),
            own: BTreeMap::new(),
            forwarders: Vec::new(),
            anchors: Anchors::default(),
            negative: Vec::new(),
            cluster: None,
            seed: 1,
            limits: LimitSettings::default(),
            patience: Arc::new(Patience::new(bounds::TCP_IDLE)),
            cookies: Cookies::default(),
            capacity: Capacity::default(),
        }
    }
}

/// A query upstream.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) server: IpAddr,
    pub(crate) transport: Transport,
    pub(crate) question: Question,
    pub(crate) has_edns: bool,
    pub(crate) has_server_cookie: bool,
}

/// A client's query.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) label: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) limit: usize,
    pub(crate) at: Instant,
    pub(crate) is_silenced: bool,
    pub(crate) response: Option<(Instant, Vec<u8>)>,
}

enum Arrival {
    Response(ExchangeId, Back, IpAddr),
    Forwarded(ExchangeId, Option<Vec<u8>>, IpAddr),
}

/// See the module's text.
pub(crate) struct World {
    worker: Worker<u32>,
    house: Arc<House>,
    cache: Arc<Cache>,
    hosts: Arc<HostsHandler>,
    cluster: Option<cluster::Links>,
    tally: Arc<Tally>,
    pub(crate) servers: BTreeMap<IpAddr, Server>,
    forwarders: Vec<Vec<IpAddr>>,
    validates: bool,
    pub(crate) now: Instant,
    arrivals: BTreeMap<(Instant, u64), Arrival>,
    released: HashSet<u64>,
    used: HashSet<u64>,
    serial: u64,
    dice: Dice,
    pub(crate) asked: Vec<Asked>,
    pub(crate) sent: Vec<Sent>,
    pub(crate) log: String,
    pub(crate) broken: Option<String>,
}

impl World {
    /// A world at rest.
    pub(crate) fn new(setup: &Setup, servers: BTreeMap<IpAddr, Server>) -> Self {
        let mut dice = Dice::from_number(setup.seed);
        let mut settings = setup.settings.clone();
        let is_forwarder = |address: &IpAddr| setup.forwarders.iter().flatten().any(|other| other == address);
        let roots = servers
            .iter()
            .filter(|(address, server)| server.zones.iter().any(|zone| zone.apex.is_root()) && !is_forwarder(address))
            .enumerate()
            .map(|(at, (address, _))| NameServer {
                name: format!("r{}.roots.test.", at + 1).parse().unwrap(),
                glue: vec![*address],
            });
        settings.roots = Arc::new(Delegation {
            zone: Name::root(),
            servers: roots.collect(),
            ttl: if setup.is_priming { 0 } else { 86_400 },
        });
        let validates = !setup.anchors.is_empty();
        if validates {
            let validation = Validation::new(setup.anchors.clone(), setup.negative.clone());
            settings.validation = Some(Arc::new(validation));
            settings.wall = Wall(Arc::new(|now| WALL + now.since(START).as_secs() as u32));
        }
        let remembered = cache::Settings { validates, ..setup.cache.clone() };
        let cache = Arc::new(Cache::simulated(remembered, &mut dice));
        let hosts = Arc::new(HostsHandler::new(hosts::parse(&setup.hosts, 60).0));
        let mut exempted: Vec<Name> =
            settings.forward.iter().cloned().chain(settings.stubs.iter().map(|stub| stub.zone.clone())).collect();
        exempted.push("test.".parse().unwrap()); // the stories' second top-level domain
        let special = Special::new(&exempted);
        settings.local = special.apexes().cloned().collect();
        let authority = own_zones(&setup.own, &mut Dice::from_number(setup.seed + 2_000));
        let (listed, local, ours) = (Arc::clone(&hosts), special.clone(), Arc::clone(&authority));
        let cluster = setup.cluster.as_ref().map(|told| cluster::Links::new(told, START));
        let in_cluster = cluster.as_ref().map(|links| links.cluster.clone());
        let is_clusters = move |name: &Name| in_cluster.as_ref().is_some_and(|cluster| cluster.owns(name));
        let also = is_clusters.clone();
        cache.defer(move |name| {
            listed.lists(name) || local.owns(name) || ours.answers(name, RecordType::A) || also(name)
        });
        let ours = Arc::clone(&authority);
        settings.ours = Ours(Arc::new(move |name, rtype| ours.answers(name, rtype) || is_clusters(name)));
        let mut links: Vec<Box<dyn Handler>> = vec![Box::new(authority)];
        links.extend(cluster.iter().map(|links| Box::new(links.for_pods.clone()) as Box<dyn Handler>));
        links.push(Box::new(Gate::new(setup.allow.clone())));
        links.push(Box::new(Local));
        let policy = cluster.as_ref().and_then(|links| links.policy.clone());
        links.extend(policy.iter().map(|policy| Box::new(Arc::clone(policy)) as Box<dyn Handler>));
        links.push(Box::new(Arc::clone(&cache)));
        links.push(Box::new(Arc::clone(&hosts)));
        links.extend(cluster.iter().map(|links| Box::new(links.tlds.clone()) as Box<dyn Handler>));
        links.push(Box::new(special));
        links.push(Box::new(Resolve));
        let chain = Chain::new(links);
        let house = House {
            cluster: cluster.as_ref().map(|links| links.cluster.clone()),
            finished_bytes: 1 << 20,
            telling: Telling::default(),
            nsid: Box::default(),
            manner: Manner::default(),
            has_desk: false,
            chain,
            policy,
            memory: Arc::clone(&cache) as Arc<dyn Memory>,
            resolution: Arc::new(settings),
            loops: None,
            allow: setup.allow.clone(),
            offers_recursion: true,
            stale_wait: setup.stale_wait,
            homes: keyed(&mut dice),
            limits: Arc::new(Limits::new(setup.limits.clone(), &mut dice)),
            patience: Arc::clone(&setup.patience),
            cookies: setup.cookies.clone(),
            capacity: setup.capacity,
        };
        let tally = Arc::new(Tally::default());
        let house = Arc::new(house);
        let worker = Worker::new(Arc::clone(&house), (0, 1), dice.clone(), Arc::clone(&tally));
        Self {
            worker,
            house,
            cache,
            hosts,
            cluster,
            tally,
            servers,
            forwarders: setup.forwarders.clone(),
            validates,
            now: START,
            arrivals: BTreeMap::new(),
            released: HashSet::new(),
            used: HashSet::new(),
            serial: 0,
            dice: Dice::from_number(setup.seed + 1_000),
            asked: Vec::new(),
            sent: Vec::new(),
            log: String::new(),
            broken: None,
        }
    }

    /// A counter of the worker.
    pub(crate) fn count(&self, event: Event) -> u64 {
        self.tally.read(event)
    }

    /// Something changes in the cluster; the worker hears nothing of it.
    pub(crate) fn in_cluster<T>(&mut self, change: impl FnOnce(&mut cluster::Links) -> T) -> T {
        change(self.cluster.as_mut().expect("there is a cluster from the beginning"))
    }

    /// Changes the hosts file.
    pub(crate) fn change_hosts(&mut self, text: &str) {
        let changed = self.hosts.swap(hosts::parse(text, 60).0);
        self.cache.forget(changed.iter());
        self.worker.move_into(Arc::clone(&self.house));
    }

    /// The operator flushes a name.
    pub(crate) fn flush(&mut self, name: &Name, subtree: bool) {
        self.cache.flush(name, subtree, None);
        self.worker.move_into(Arc::clone(&self.house));
    }

    /// Expired entries leave the cache.
    pub(crate) fn sweep(&self) {
        while !self.cache.sweep().step(self.now, 100_000).is_done {}
    }

    /// A client sends `bytes`.
    pub(crate) fn ask(&mut self, label: &str, bytes: &[u8], from: SocketAddr, carrier: Carrier) {
        let asker = Asker { address: from, local: None, carrier, may_recurse: false, group: 0 };
        let udp_size = Message::parse(bytes).ok().and_then(|message| message.edns).map(|edns| edns.udp_size);
        let limit = response_limit(carrier, udp_size);
        let number = self.asked.len() as u32;
        self.asked.push(Asked {
            label: label.to_owned(),
            bytes: bytes.to_vec(),
            limit,
            at: self.now,
            is_silenced: false,
            response: None,
        });
        let mut out = Vec::new();
        match self.worker.turn(bytes, asker, &mut Some(number), self.now, &mut out) {
            Next::Respond => self.take(number, &out),
            Next::Silence => self.asked[number as usize].is_silenced = true,
            Next::Wait => {}
            Next::HandOver(_) => self.breach("the only worker hands a query over"),
            Next::Elsewhere(_) => self.breach("without zones nobody sits at the desk"),
        }
        self.collect();
    }

    /// Lets time pass until `is_enough`, at most until `limit`.
    pub(crate) fn run(&mut self, limit: Instant, is_enough: impl Fn(&Self) -> bool) {
        for _ in 0..1_000_000 {
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
                if let Some((_, arrival)) = self.arrivals.pop_first() {
                    self.arrive(arrival);
                }
            } else {
                self.worker.handle_timeout(self.now);
            }
            self.collect();
        }
        self.breach("time does not pass: the worker wants to be called again and again");
    }

    /// Time passes while nothing runs: what arrives meanwhile waits in the sockets.
    pub(crate) fn stall(&mut self, span: Duration) {
        self.note(&format!("  nothing runs for {span:?}"));
        self.now = self.now + span;
    }

    fn arrive(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Response(exchange, back, server) => {
                if self.released.contains(&exchange.0) {
                    return; // its socket is closed
                }
                match back {
                    Back::Bytes(bytes) => {
                        let what = Message::parse(&bytes).map_or("junk".to_owned(), |message| {
                            let counts = [message.answer.len(), message.authority.len(), message.additional.len()];
                            let tc = if message.flags.truncated { " tc" } else { "" };
                            format!("{}{tc} {counts:?}", message.rcode)
                        });
                        self.note(&format!("  < {server} {what}"));
                        self.worker.handle_response(exchange, &bytes, self.now);
                    }
                    Back::Fault => {
                        self.note(&format!("  < {server} unreachable"));
                        self.worker.handle_fault(exchange, self.now);
                    }
                }
            }
            Arrival::Forwarded(exchange, Some(bytes), server) => {
                let by = Some(SocketAddr::new(server, 53));
                self.worker.handle_forwarded(exchange, by, &bytes, self.now);
            }
            Arrival::Forwarded(exchange, None, _) => self.worker.handle_fault(exchange, self.now),
        }
    }

    /// Takes all that the worker wishes.
    fn collect(&mut self) {
        loop {
            if let Some(exchange) = self.worker.poll_release() {
                self.released.insert(exchange.0);
            } else if let Some(transmit) = self.worker.poll_transmit() {
                if !self.used.insert(transmit.exchange.0) {
                    self.breach("an exchange's number is used again");
                }
                let Some(message) = self.check_transmit(&transmit.bytes) else { continue };
                let server = transmit.server.ip();
                let question = message.questions[0].clone();
                let (tcp, edns) = (transmit.transport == Transport::Tcp, message.edns.is_some());
                let marks = format!("{}{}", if tcp { " tcp" } else { "" }, if edns { "" } else { " noedns" });
                self.note(&format!("  > {server} {} {}{marks}", question.name, question.rtype));
                let cookie = message.edns.as_ref().and_then(|edns| edns.cookie().ok().flatten());
                self.sent.push(Sent {
                    server,
                    transport: transmit.transport,
                    question,
                    has_edns: edns,
                    has_server_cookie: cookie.is_some_and(|cookie| !cookie.server.is_empty()),
                });
                let Some(host) = self.servers.get_mut(&server) else { continue };
                let connect = if tcp { host.rtt } else { Duration::ZERO };
                for (delay, back) in host.respond(&transmit.bytes, transmit.transport, &mut self.dice) {
                    self.schedule(delay + connect, Arrival::Response(transmit.exchange, back, server));
                }
            } else if let Some(forward) = self.worker.poll_forward() {
                // The first that is not to be avoided, as the edge would choose.
                let choice = &self.forwarders[forward.zone];
                let is_avoided = |server: &IpAddr| forward.avoided.contains(&SocketAddr::new(*server, 53));
                let server = *choice.iter().find(|server| !is_avoided(server)).unwrap_or(&choice[0]);
                self.note(&format!("  > {server} {} {} forwarded", forward.question.name, forward.question.rtype));
                self.sent.push(Sent {
                    server,
                    transport: Transport::Udp,
                    question: forward.question.clone(),
                    has_edns: true,
                    has_server_cookie: false,
                });
                let mut query = Message { id: 7, ..Message::default() };
                query.flags.recursion_desired = true;
                query.flags.checking_disabled = forward.checking_disabled;
                query.edns = Some(Edns { udp_size: 1232, dnssec_ok: true, ..Edns::default() });
                query.questions.push(forward.question);
                let Some(host) = self.servers.get_mut(&server) else { continue };
                for (delay, back) in host.respond(&bytes_of(&query), Transport::Tcp, &mut self.dice) {
                    let bytes = match back {
                        Back::Bytes(bytes) => Some(bytes),
                        Back::Fault => None,
                    };
                    self.schedule(delay, Arrival::Forwarded(forward.exchange, bytes, server));
                }
            } else if let Some(late) = self.worker.poll_late() {
                self.take(late.reply, &late.bytes);
            } else {
                return;
            }
        }
    }

    fn schedule(&mut self, delay: Duration, arrival: Arrival) {
        self.serial += 1;
        self.arrivals.insert((self.now + delay, self.serial), arrival);
    }

    /// What every query upstream must be.
    fn check_transmit(&mut self, bytes: &[u8]) -> Option<Message> {
        let Ok(message) = Message::parse(bytes) else {
            self.breach("an upstream query cannot be parsed");
            return None;
        };
        if message.questions.len() != 1 || message.flags.recursion_desired || message.flags.response {
            self.breach("an upstream query is no plain question with RD=0");
            return None;
        }
        if message.edns.as_ref().is_some_and(|edns| edns.udp_size != 1232) {
            self.breach("an upstream query advertises another size than 1232");
        }
        let mut options = message.edns.iter().flat_map(|edns| &edns.options);
        if options.any(|(code, _)| *code != option::COOKIE) {
            self.breach("an upstream query says more than a cookie");
        }
        Some(message)
    }

    /// A response goes to a client: it must fit the query.
    fn take(&mut self, number: u32, bytes: &[u8]) {
        let now = self.now;
        let Some(asked) = self.asked.get_mut(number as usize) else { return };
        if asked.response.is_some() {
            self.breach("a query got two responses");
            return;
        }
        let (query, response) = (Message::parse(&asked.bytes), Message::parse(bytes));
        asked.response = Some((now, bytes.to_vec()));
        let limit = asked.limit;
        match (query, response) {
            (_, Err(fault)) => self.breach(&format!("a response cannot be parsed: {fault}")),
            (Ok(query), Ok(response)) => {
                let same = |one: &Question, two: &Question| {
                    one.name.is_same_case(&two.name) && (one.rtype, one.class) == (two.rtype, two.class)
                };
                let fits = match (query.questions.as_slice(), response.questions.as_slice()) {
                    ([one], [two]) => same(one, two),
                    (_, questions) => questions.is_empty(),
                };
                if !response.flags.response || response.id != query.id || !(fits || response.questions.is_empty()) {
                    self.breach("a response does not echo its query");
                }
                if query.edns.is_none() && response.edns.is_some() {
                    self.breach("a response has OPT although its query has none");
                }
                if bytes.len() > limit {
                    self.breach(&format!("a response has {} octets, more than {limit}", bytes.len()));
                }
                if response.flags.authentic_data && !self.validates {
                    self.breach("AD is set without validation");
                }
            }
            (Err(_), Ok(_)) => {}
        }
    }

    fn breach(&mut self, what: &str) {
        self.note(&format!("  !! {what}"));
        self.broken.get_or_insert_with(|| what.to_owned());
    }

    fn note(&mut self, what: &str) {
        let since = self.now.since(Instant::from_seconds(1_000_000)).as_secs_f64();
        _ = writeln!(self.log, "{since:10.3} {what}");
    }

    /// Ends the story: after the work deadline nothing may be under way and nobody may still wait.
    pub(crate) fn end(&mut self) -> Result<(), String> {
        self.run(self.now + Duration::from_secs(8), |_| false);
        if let Some(broken) = &self.broken {
            return Err(broken.clone());
        }
        if !self.worker.resolver().is_empty() || self.worker.waiting() > 0 {
            return Err(format!("{} resolutions never end", self.worker.resolver().len()));
        }
        let open = self.asked.iter().filter(|asked| asked.response.is_none() && !asked.is_silenced).count();
        if open == 0 { Ok(()) } else { Err(format!("{open} queries got no response")) }
    }
}

/// The link that answers for the story's own zones.
fn own_zones(own: &BTreeMap<Name, String>, dice: &mut Dice) -> Arc<Authority> {
    let mut zones = Zones::new(keyed(dice));
    for (apex, text) in own {
        let text = format!("{apex} 300 SOA ns.test. admin.test. 1 7200 3600 1209600 300\n{apex} NS ns.test.\n{text}");
        let text = format!("$TTL {}\n{text}", crate::text::TTL);
        let (zone, findings) =
            authority::load(apex, text.as_bytes(), "story", &mut master_file::no_include, keyed(dice));
        assert!(zone.is_some(), "{findings:?}");
        zones.insert(Arc::new(zone.unwrap()));
    }
    let nobody_steers = Helm::idle(Arc::new(Scene::new(Arc::default())), None);
    Arc::new(Authority::new(zones, nobody_steers))
}

/// A query in bytes.
pub(crate) fn query(id: u16, name: Name, rtype: RecordType) -> Message {
    let mut message = Message { id, ..Message::default() };
    message.flags.recursion_desired = true;
    message.questions.push(Question::new(name, rtype));
    message
}
