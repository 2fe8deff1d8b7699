//! The DNS tree of the scoreboard: a root and one top-level domain that refer, and servers that each row teaches
//! to answer as its attack wants. Every query that reaches them is counted.
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::support::fake::{self, Query, Transport};
use crate::support::resolvers::{self, Resolver};
use crate::support::{ask, wire};

pub const A: u16 = 1;
pub const NS: u16 = 2;
pub const CNAME: u16 = 5;
pub const SOA: u16 = 6;
pub const DNAME: u16 = 39;

/// Zones below `example.`, each with one server.
const ZONES: &[(&str, Ipv4Addr)] = &[
    ("attacker.example.", ATTACKER),
    ("victim.example.", VICTIM),
    ("good.example.", GOOD),
    ("helper.example.", HELPER),
    ("dead.example.", DEAD),
    ("slow.example.", SLOW),
];
pub const ATTACKER: Ipv4Addr = Ipv4Addr::new(198, 18, 2, 1);
pub const VICTIM: Ipv4Addr = Ipv4Addr::new(198, 18, 2, 2);
pub const GOOD: Ipv4Addr = Ipv4Addr::new(198, 18, 2, 3);
pub const HELPER: Ipv4Addr = Ipv4Addr::new(198, 18, 2, 5);
pub const SLOW: Ipv4Addr = Ipv4Addr::new(198, 18, 2, 6);
pub const DEAD: Ipv4Addr = Ipv4Addr::new(198, 18, 3, 1);

/// A reply under construction.
pub struct Reply {
    /// The question's name.
    name: String,
    bytes: Vec<u8>,
    transport: Transport,
}

impl Reply {
    pub fn to(query: &Query, rcode: u8, is_authoritative: bool) -> Self {
        let mut bytes = query.reply(rcode);
        bytes[2] |= if is_authoritative { 4 } else { 0 };
        Self { name: query.name.clone(), bytes, transport: query.transport }
    }

    /// Adds a record to section 0 (answer), 1 (authority) or 2 (additional); sections come in order.
    pub fn add(mut self, section: usize, owner: &str, rtype: u16, ttl: u32, rdata: &[u8]) -> Self {
        let count = u16::from_be_bytes([self.bytes[6 + 2 * section], self.bytes[7 + 2 * section]]) + 1;
        self.bytes[6 + 2 * section..8 + 2 * section].copy_from_slice(&count.to_be_bytes());
        match self.name.strip_suffix(owner) {
            // As real servers do, so that a message takes as many records as it can.
            Some(rest) if owner != "." && (rest.is_empty() || rest.ends_with('.')) => {
                let at = 0xC00C + u16::try_from(rest.len()).expect("a short name");
                self.bytes.extend(at.to_be_bytes());
            }
            _ => self.bytes.extend(wire::compose_name(owner)),
        }
        self.bytes.extend(rtype.to_be_bytes());
        self.bytes.extend([0, 1]);
        self.bytes.extend(ttl.to_be_bytes());
        self.bytes.extend(u16::try_from(rdata.len()).expect("short data").to_be_bytes());
        self.bytes.extend(rdata);
        self
    }

    pub fn answer(self, owner: &str, rtype: u16, rdata: &[u8]) -> Self {
        self.add(0, owner, rtype, 3_600, rdata)
    }

    pub fn name_server(self, zone: &str, server: &str) -> Self {
        self.add(1, zone, NS, 3_600, &wire::compose_name(server))
    }

    pub fn glue(self, server: &str, address: Ipv4Addr) -> Self {
        self.add(2, server, A, 3_600, &address.octets())
    }

    /// The bytes: cut to a TC=1 reply where UDP has no room, nothing at all where TCP has none.
    pub fn done(mut self) -> Option<Vec<u8>> {
        if self.transport == Transport::Udp && self.bytes.len() > 1_232 {
            let end = wire::read_question(&self.bytes)?.2;
            self.bytes.truncate(end);
            self.bytes[2] |= 2;
            self.bytes[6..12].fill(0);
        }
        (self.bytes.len() <= 65_535).then_some(self.bytes)
    }
}

/// A denial: NXDOMAIN or, with rcode 0, NODATA.
pub fn denial(query: &Query, rcode: u8, zone: &str) -> Reply {
    let mut soa = wire::compose_name(zone);
    soa.extend(wire::compose_name(zone));
    for number in [1u32, 3_600, 600, 86_400, 300] {
        soa.extend(number.to_be_bytes());
    }
    Reply::to(query, rcode, true).add(1, zone, SOA, 300, &soa)
}

/// Whether `name` is `zone` or below it.
pub fn is_below(name: &str, zone: &str) -> bool {
    zone == "." || name.strip_suffix(zone).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The last two labels of a name.
pub fn second_level(name: &str) -> &str {
    name.rmatch_indices('.').nth(2).map_or(name, |(at, _)| &name[at + 1..])
}

/// A referral to one server with its address.
fn refer(query: &Query, zone: &str, server: Ipv4Addr) -> Reply {
    let ns = format!("ns.{zone}");
    Reply::to(query, 0, false).name_server(zone, &ns).glue(&ns, server)
}

/// What a server of a zone says of the zone itself: its NS records, and the address of `ns.ZONE`.
fn of_itself(query: &Query, zone: &str, server: Ipv4Addr) -> Option<Reply> {
    let ns = if zone == "." { "a.rootns.".to_owned() } else { format!("ns.{zone}") };
    match query.rtype {
        NS if query.name == zone => {
            Some(Reply::to(query, 0, true).answer(zone, NS, &wire::compose_name(&ns)).glue(&ns, server))
        }
        A if query.name == ns => Some(Reply::to(query, 0, true).answer(&ns, A, &server.octets())),
        _ if query.name == zone || query.name == ns => Some(denial(query, 0, zone)),
        _ => None,
    }
}

type Counts = Arc<Mutex<BTreeMap<IpAddr, u64>>>;

/// The running tree; its servers live as long as the process.
pub struct World {
    directory: tempfile::TempDir,
    counts: Counts,
}

impl World {
    /// A root, `example.`, an answering `good.example.` (also for every `coldN.example.`) and a silent
    /// `dead.example.`.
    pub fn new() -> Self {
        Self::with(|_| None)
    }

    /// The same, where `extra` is asked first what the top-level domain's server says.
    pub fn with(extra: impl Fn(&Query) -> Option<Reply> + Send + Sync + 'static) -> Self {
        let world = Self { directory: tempfile::tempdir().expect("a temporary directory"), counts: Counts::default() };
        std::fs::write(
            world.path().join("root.hints"),
            ". 3600 NS a.rootns.\n. 3600 NS b.rootns.\na.rootns. 3600 A 198.18.0.1\nb.rootns. 3600 A 198.18.0.2\n",
        )
        .expect("a writable directory");
        let top = Ipv4Addr::new(198, 18, 1, 1);
        for last in [1, 2] {
            let root = Ipv4Addr::new(198, 18, 0, last);
            world.serve(root, ".", move |query| {
                Some(if is_below(&query.name, "example.") {
                    refer(query, "example.", top)
                } else {
                    denial(query, 3, ".")
                })
            });
        }
        world.serve(top, "example.", move |query| {
            if let Some(reply) = extra(query) {
                return Some(reply);
            }
            if let Some((zone, server)) = ZONES.iter().find(|(zone, _)| is_below(&query.name, zone)) {
                return Some(refer(query, zone, *server));
            }
            let label = query.name.strip_suffix(".example.")?.rsplit('.').next()?;
            Some(if label.starts_with("cold") {
                refer(query, &format!("{label}.example."), GOOD)
            } else {
                denial(query, 3, "example.")
            })
        });
        world.serve(GOOD, "good.example.", |query| {
            Some(if query.rtype == A && query.name.matches('.').count() > 2 {
                Reply::to(query, 0, true).answer(&query.name, A, &[192, 0, 2, 80])
            } else {
                denial(query, 0, second_level(&query.name))
            })
        });
        world.serve_raw(DEAD, |_| None);
        world
    }

    /// Starts a server of `zone` that says `behaviour` of what is not the zone itself.
    pub fn serve(
        &self,
        address: Ipv4Addr,
        zone: &'static str,
        behaviour: impl Fn(&Query) -> Option<Reply> + Send + Sync + 'static,
    ) {
        self.serve_raw(address, move |query| {
            of_itself(query, zone, address).or_else(|| behaviour(query)).and_then(Reply::done)
        });
    }

    /// The same in bytes, for all names.
    pub fn serve_raw(&self, address: Ipv4Addr, behaviour: impl Fn(&Query) -> Option<Vec<u8>> + Send + Sync + 'static) {
        let counts = Arc::clone(&self.counts);
        fake::start(address.into(), move |query| {
            *counts.lock().expect("nobody panics").entry(address.into()).or_default() += 1;
            behaviour(query)
        });
    }

    /// Starts a UDP server that sends each reply `delay` after its query; each query is shown with its sender.
    pub fn serve_late(
        &self,
        address: Ipv4Addr,
        delay: impl Fn() -> Duration + Send + 'static,
        behaviour: impl Fn(&[u8], SocketAddr) -> Option<Vec<u8>> + Send + 'static,
    ) {
        let socket = std::net::UdpSocket::bind((address, 53)).expect("an address of the tree");
        let out = socket.try_clone().expect("a socket can be shared");
        let (queue, due) = std::sync::mpsc::channel::<(Instant, Vec<u8>, SocketAddr)>();
        std::thread::spawn(move || {
            for (at, bytes, to) in due {
                std::thread::sleep(at.saturating_duration_since(Instant::now()));
                out.send_to(&bytes, to).ok();
            }
        });
        let counts = Arc::clone(&self.counts);
        std::thread::spawn(move || {
            let mut room = [0; 4_096];
            while let Ok((length, from)) = socket.recv_from(&mut room) {
                *counts.lock().expect("nobody panics").entry(address.into()).or_default() += 1;
                if let Some(reply) = behaviour(&room[..length], from) {
                    queue.send((Instant::now() + delay(), reply, from)).ok();
                }
            }
        });
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Queries that have reached `address`.
    pub fn queries_to(&self, address: Ipv4Addr) -> u64 {
        self.counts.lock().expect("nobody panics").get(&IpAddr::from(address)).copied().unwrap_or(0)
    }

    /// Queries that have reached any server.
    pub fn queries(&self) -> u64 {
        self.counts.lock().expect("nobody panics").values().sum()
    }

    /// Starts a resolver of this tree, `meridian` or a peer, at its address of 127.0.0.0/8.
    pub fn resolver(&self, name: &str) -> Resolver {
        resolvers::start_in(name, self.path())
    }
}

/// What a number of queries, put one after the other, cost.
pub struct Cost {
    pub upstream: f64,
    pub victim: f64,
    pub millis: f64,
    pub slowest: Duration,
}

/// Asks `names` one after the other and says what one of them cost in the mean.
pub fn cost(world: &World, resolver: &Resolver, names: impl IntoIterator<Item = String>) -> Cost {
    let (queries, victim) = (world.queries(), world.queries_to(VICTIM));
    let before = resolver.server.processor_time();
    let (mut asked, mut slowest) = (0u32, Duration::ZERO);
    for name in names {
        let begun = Instant::now();
        asked += 1;
        ask::once(resolver.address, &name, A, Duration::from_secs(6));
        slowest = slowest.max(begun.elapsed());
    }
    // What goes on after the answer belongs to it.
    settle(world);
    let spent = resolver.server.processor_time().saturating_sub(before);
    let each = f64::from(asked);
    Cost {
        upstream: (world.queries() - queries) as f64 / each,
        victim: (world.queries_to(VICTIM) - victim) as f64 / each,
        millis: spent.as_secs_f64() * 1_000.0 / each,
        slowest,
    }
}

/// Waits until no query has come for a while.
pub fn settle(world: &World) {
    let mut seen = world.queries();
    for _ in 0..20 {
        std::thread::sleep(Duration::from_millis(100));
        let now = world.queries();
        if now == seen {
            return;
        }
        seen = now;
    }
}
