//! The same names steered by Meridian, gdnsd, `PowerDNS` (its geoip backend and Lua records) and Knot's geoip module, by
//! the same database, and asked for by the same 20,000 client subnets: the right answer with the right scope, or a
//! difference that is explained in `steering/explained.rs`, by class and counted. Meridian's answers have no such class; its scopes have one, true but
//! longer than they need be, and never overlap.
//!
//! What is right follows from the world that the database was made of (`steering/truth.rs`), not from any server.
//! Shares of draws are compared by chi-square, failover with listeners that are there or not.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may fail, and lives in real time"
)]

#[path = "steering/servers.rs"]
mod servers;
mod support;
#[path = "steering/truth.rs"]
mod truth;
#[path = "steering/world.rs"]
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use servers::{CHECKS, SERVERS, TTL, ZONE, member, target};
use support::process::Server;
use support::{ask, namespace, wire};
use truth::{Atlas, NETWORKS, SHARES, SITES, Truth};
use world::{Client, Record, World, clients};

include!("steering/explained.rs");

const PROGRAMS: &[&str] = &["gdnsd", "pdns_server", "knotd"];
const CLIENTS: usize = 20_000;
/// Queries on their way to a server.
const AT_ONCE: usize = 32;
/// The names that are compared client by client, and the servers that have each.
const NAMES: [(&str, &[&str]); 6] = [
    ("place", &[MERIDIAN, GDNSD, POWERDNS, KNOT]),
    ("alias", &[MERIDIAN, GDNSD, POWERDNS, KNOT]),
    ("near", &[MERIDIAN, GDNSD, POWERDNS]),
    ("far", &[MERIDIAN, GDNSD, POWERDNS]),
    ("net", &[MERIDIAN, GDNSD, POWERDNS, KNOT]),
    ("asn", &[MERIDIAN, POWERDNS, KNOT]),
];
/// Chi-square with two degrees of freedom: exceeded once in a million.
const CHI_SQUARE_MAX: f64 = 27.6;

/// What a server says to a client.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Heard {
    rcode: u16,
    authoritative: bool,
    /// Addresses or targets.
    answer: Vec<String>,
    ttl: Option<u32>,
    scope: Option<u8>,
    /// Whether source and address came back as they were sent.
    echoes: bool,
}

/// A client who asks for a name, and what is right for it.
struct Case<'a> {
    name: &'static str,
    client: Client,
    atlas: &'a Atlas,
    truth: Truth,
    /// What the database says of the client's address as it stands, and of how long a prefix around it.
    record: &'a Record,
    found: u8,
}

#[test]
fn every_difference_from_the_steering_peers_is_explained() {
    namespace::inside("every_difference_from_the_steering_peers_is_explained", PROGRAMS, compare);
}

fn compare() {
    let directory = tempfile::tempdir().unwrap();
    let site =
        |(index, (_, latitude, longitude)): (usize, &(&str, f64, f64))| (servers::site(index), *latitude, *longitude);
    let sites: Vec<(IpAddr, f64, f64)> = SITES.iter().enumerate().map(site).collect();
    let world = World::new(0x4d65_7269_6469_616e, &sites);
    let database = directory.path().join("world.mmdb");
    std::fs::write(&database, world.database()).unwrap();
    let (atlas, clients) = (Atlas::new(&world), clients(&world, CLIENTS));
    for address in servers::listening() {
        listen(TcpListener::bind(address).unwrap());
    }
    let only = std::env::var("STEERING_SERVERS").unwrap_or_default();
    let chosen = SERVERS.into_iter().filter(|(name, _)| only.is_empty() || only.contains(name));
    let mut peers: Vec<Peer> = chosen
        .map(|(name, at)| {
            let server = servers::start(name, at, directory.path(), database.to_str().unwrap());
            Peer { name, address: SocketAddr::new(at.parse().unwrap(), 53), server, report: Report::default() }
        })
        .collect();
    std::thread::scope(|scope| {
        for peer in &mut peers {
            scope.spawn(|| peer.compare(&atlas, &clients));
        }
    });
    for peer in &peers {
        peer.tell();
    }
    let wrong: String = peers.iter().map(|peer| peer.report.text()).collect();
    assert!(wrong.is_empty(), "{wrong}");
}

/// Accepts whoever checks, and says that all is well to those who want more than a connection.
fn listen(listener: TcpListener) {
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            stream.set_read_timeout(Some(Duration::from_millis(200))).ok();
            let mut request = [0; 1024];
            if stream.read(&mut request).is_ok_and(|length| length > 0) {
                let ok = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";
                stream.write_all(ok).ok();
            }
        }
    });
}

/// A server under comparison.
struct Peer {
    name: &'static str,
    address: SocketAddr,
    server: Server,
    report: Report,
}

#[derive(Default)]
struct Report {
    asked: usize,
    /// Right in answer and scope.
    same: usize,
    /// Differences by index of their explanation.
    explained: BTreeMap<usize, usize>,
    /// Those without one, in words, by kind.
    wrong: BTreeMap<String, Vec<String>>,
    notes: Vec<String>,
}

impl Report {
    fn object(&mut self, kind: String, words: String) {
        self.wrong.entry(kind).or_default().push(words);
    }

    /// Three of each kind of unexplained difference.
    fn text(&self) -> String {
        let mut text = String::new();
        for (kind, all) in &self.wrong {
            writeln!(text, "{kind}: {} unexplained", all.len()).unwrap();
            all.iter().take(3).for_each(|words| writeln!(text, "    {words}").unwrap());
        }
        text
    }
}

impl Peer {
    fn is_ours(&self) -> bool {
        self.name == MERIDIAN
    }

    fn compare(&mut self, atlas: &Atlas, clients: &[Client]) {
        self.server.wait_until_it_answers(self.address.ip(), (ZONE, 6));
        let began = Instant::now();
        self.await_checks(atlas, clients);
        for (name, who) in NAMES {
            if who.contains(&self.name) {
                self.compare_name(name, atlas, self.sample(name, clients));
            }
        }
        self.compare_shares(self.sample("share", clients));
        self.report.notes.push(format!("asked in {:.1?}", began.elapsed()));
    }

    /// `PowerDNS` takes most of a millisecond for a Lua record.
    fn sample<'c>(&self, name: &str, clients: &'c [Client]) -> &'c [Client] {
        let is_slow = self.name == POWERDNS && ["far", "net", "asn", "share"].contains(&name);
        &clients[..if is_slow { clients.len() / 16 } else { clients.len() }]
    }

    /// Waits until the checks have found out who is up, and compares what the names say then.
    fn await_checks(&mut self, atlas: &Atlas, clients: &[Client]) {
        let near_those_that_are_down = clients.iter().filter(|client| {
            let (record, _) = atlas.record(client.address);
            let first = atlas.truth("near", **client).ranking[0];
            record.coordinates.is_some() && truth::DOWN.contains(&usize::from(first)) && client.address.is_ipv4()
        });
        let some: Vec<Client> = near_those_that_are_down.take(20).copied().collect();
        assert!(some.len() == 20, "some live near the sites that are down");
        if NAMES.iter().any(|(name, who)| *name == "far" && who.contains(&self.name)) {
            let down = truth::DOWN.map(|site| member("far", site).to_string());
            self.await_answer("far", &some, |heard| !heard.answer.is_empty() && !down.contains(&heard.answer[0]));
            for (name, up) in CHECKS {
                let all: Vec<usize> = (0..up.len()).collect();
                let usable: Vec<usize> = all.iter().copied().filter(|index| up[*index]).collect();
                let wanted: Vec<Vec<usize>> = match (name, self.name) {
                    // Both are down: the one that is preferred, but PowerDNS draws.
                    ("dark", POWERDNS) => vec![vec![0], vec![1]],
                    ("dark", _) => vec![vec![0]],
                    ("spare", _) => vec![vec![1]],
                    _ => vec![usable],
                };
                let text = |set: &Vec<usize>| {
                    set.iter().map(|index| member(name, *index).to_string()).collect::<BTreeSet<_>>()
                };
                let wanted: Vec<BTreeSet<String>> = wanted.iter().map(text).collect();
                self.await_answer(name, &some[..1], |heard| wanted.contains(&heard.answer.iter().cloned().collect()));
            }
        }
    }

    fn await_answer(&mut self, name: &str, clients: &[Client], is_right: impl Fn(&Heard) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let heard = ask_all(self.address, name, clients);
            if heard.iter().all(|heard| heard.as_ref().is_some_and(&is_right)) {
                return;
            }
            if Instant::now() > deadline {
                self.report.object(format!("{} {name}", self.name), format!("{heard:?}"));
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn compare_name(&mut self, name: &'static str, atlas: &Atlas, clients: &[Client]) {
        let heard = ask_all(self.address, name, clients);
        self.report.asked += clients.len();
        for (client, heard) in clients.iter().zip(&heard) {
            let (record, found) = atlas.record(client.address);
            let truth = atlas.truth(truth::rule(name), *client);
            let case = Case { name, client: *client, atlas, truth, record, found };
            match heard {
                Some(heard) => self.judge(&case, heard),
                None => self.report.object(format!("{} {name}: no response", self.name), format!("{client:?}")),
            }
        }
        if self.is_ours() {
            self.check_overlaps(name, clients, &heard);
        }
    }

    fn judge(&mut self, case: &Case<'_>, heard: &Heard) {
        let right = [case.answer(case.truth)];
        let mut differences = Vec::new();
        if heard.rcode != 0 || heard.answer != right || !heard.authoritative {
            differences.push(Answer);
        }
        if heard.scope != Some(case.truth.scope) || !heard.echoes {
            differences.push(Scope);
        }
        if self.is_ours() && heard.ttl != Some(TTL) {
            differences.push(Answer);
        }
        self.report.same += usize::from(differences.is_empty());
        for what in differences {
            let explanation = EXPLAINED.iter().position(|one| {
                one.who == self.name
                    && one.what == what
                    && one.names.contains(&case.name)
                    && heard.rcode == 0
                    && heard.echoes
                    && (one.when)(case, heard)
            });
            match explanation {
                Some(index) => *self.report.explained.entry(index).or_default() += 1,
                None => self.report.object(
                    format!("{} {what:?} of {}", self.name, case.name),
                    format!(
                        "for {}/{}: {heard:?}, right: {right:?} {:?}; {:?} /{}",
                        case.client.address, case.client.source, case.truth, case.record, case.found
                    ),
                ),
            }
        }
    }

    /// No prefix that an answer is for lies within another's.
    fn check_overlaps(&mut self, name: &str, clients: &[Client], heard: &[Option<Heard>]) {
        let prefixes: BTreeSet<(bool, u128, u8)> = clients
            .iter()
            .zip(heard)
            .filter(|(client, _)| truth::subject(**client).is_some())
            .filter_map(|(client, heard)| {
                let scope = heard.as_ref()?.scope?;
                Some((client.address.is_ipv4(), world::cut(world::aligned(client.address), scope), scope))
            })
            .collect();
        // A shorter source is decided by its first address, and its answer is for no more than that.
        let cut_short: BTreeSet<(bool, u128, u8)> = clients
            .iter()
            .map(|client| (client.address.is_ipv4(), world::aligned(client.address), client.source))
            .collect();
        for prefix @ (is_v4, bits, length) in prefixes.iter().filter(|prefix| !cut_short.contains(prefix)) {
            let around = (0..*length).find(|shorter| {
                let shorter = (*is_v4, world::cut(*bits, *shorter), *shorter);
                prefixes.contains(&shorter) && !cut_short.contains(&shorter)
            });
            if let Some(around) = around {
                self.report.object(format!("{} {name}: overlap", self.name), format!("{prefix:?} in its /{around}"));
            }
        }
    }

    /// Chi-square of what was drawn against the weights.
    fn compare_shares(&mut self, clients: &[Client]) {
        let heard = ask_all(self.address, "share", clients);
        let mut counts = [0_usize; SHARES.len()];
        for heard in heard.iter().flatten() {
            let member = (0..SHARES.len()).find(|index| heard.answer == [member("share", *index).to_string()]);
            match member {
                Some(index) => counts[index] += 1,
                None => self.report.object(format!("{} share", self.name), format!("{heard:?}")),
            }
            // A draw is right for everybody.
            if self.is_ours() && heard.scope != Some(0) {
                self.report.object(format!("{} share", self.name), format!("{heard:?}"));
            }
        }
        let (draws, weights) = (clients.len() as f64, SHARES.iter().map(|(_, weight)| f64::from(*weight)).sum::<f64>());
        let expected = SHARES.map(|(_, weight)| draws * f64::from(weight) / weights);
        let part = |(count, expected): (&usize, f64)| (*count as f64 - expected).powi(2) / expected;
        let chi_square: f64 = counts.iter().zip(expected).map(part).sum();
        let scopes: BTreeSet<Option<u8>> = heard.iter().flatten().map(|heard| heard.scope).collect();
        let scopes = if scopes.len() == 1 { format!("{:?}", scopes.first().unwrap()) } else { "many".into() };
        self.report.notes.push(format!(
            "{} draws by weights 5:3:1 {counts:?}, chi-square {chi_square:.1}, scope {scopes}",
            clients.len()
        ));
        if chi_square > CHI_SQUARE_MAX {
            self.report.object(format!("{} share", self.name), format!("{counts:?}, chi-square {chi_square}"));
        }
    }

    fn tell(&self) {
        let Report { asked, same, explained, wrong, notes } = &self.report;
        let mut text = format!(
            "{}: {asked} answers, {same} right in answer and scope, {} unexplained; {}",
            self.name,
            wrong.len(),
            notes.join("; ")
        );
        for (index, count) in explained {
            let Explanation { names, what, why, .. } = &EXPLAINED[*index];
            let names = if *names == ALL { "all".to_owned() } else { names.join(", ") };
            write!(text, "\n  {count:6} {what:?} of {names}: {why}").unwrap();
        }
        namespace::say(&text);
    }
}

/// Asks for `name` on behalf of each client, some at once.
fn ask_all(server: SocketAddr, name: &str, clients: &[Client]) -> Vec<Option<Heard>> {
    let socket = ask::socket(server);
    socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let qname = format!("{name}.{ZONE}");
    let mut heard = vec![None; clients.len()];
    let mut buffer = [0; 4096];
    for first in (0..clients.len()).step_by(AT_ONCE) {
        let batch = first..(first + AT_ONCE).min(clients.len());
        for _ in 0..3 {
            let mut open: Vec<usize> = batch.clone().filter(|index| heard[*index].is_none()).collect();
            for &index in &open {
                let Client { address, source } = clients[index];
                socket.send(&wire::compose_for(index as u16, &qname, 1, address, source)).unwrap();
            }
            while !open.is_empty() {
                let Ok(length) = socket.recv(&mut buffer) else { break };
                let Some(response) = wire::read(&buffer[..length]) else { continue };
                let Some(at) = open.iter().position(|index| *index as u16 == response.id) else { continue };
                let index = open.swap_remove(at);
                heard[index] = Some(Heard::of(&response, clients[index]));
            }
        }
    }
    heard
}

impl Heard {
    fn of(response: &wire::Response, client: Client) -> Self {
        let octets = match client.address {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        };
        let sent = (client.source, &octets[..usize::from(client.source.div_ceil(8))]);
        let subnet = response.subnet.as_ref();
        Self {
            rcode: response.rcode,
            authoritative: response.authoritative,
            answer: response.answer.iter().map(|record| record.rdata.clone()).collect(),
            ttl: response.answer.first().map(|record| record.ttl),
            scope: subnet.map(|(_, scope, _)| *scope),
            echoes: subnet.is_some_and(|(source, _, octets)| (*source, octets.as_slice()) == sent),
        }
    }
}
