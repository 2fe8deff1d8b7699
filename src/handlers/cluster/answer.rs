//! From a question to an answer out of a table, step by step along the aliases.

use std::net::IpAddr;

use smallvec::SmallVec;

use super::bearers::Bearers;
use super::find::{Found, Realm, Zone, find};
use super::labels::Called;
use super::objects::Port;
use super::pointers::pointers;
use super::settings::Settings;
use super::table::{Node, Table};
use crate::base::bounds;
use crate::chain::{Aged, Answer, Goal, Query, Verdict};
use crate::dns::{Name, Rcode, RecordType, RrSet, reverse};

/// TTL of the version of the specification, which is the one in its examples.
const VERSION_TTL: u32 = 28_800;
/// The version of the specification, as the RDATA of its TXT record.
const VERSION: &[u8] = b"\x051.1.0";

/// What the cluster says to a question.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decision {
    /// The answer, complete as far as the cluster goes.
    pub answer: Answer,
    /// The name at which it ends, where an alias leads out of it. A recursive resolver goes on from there, with the
    /// aliases in the answer section kept.
    pub leads_outside: Option<Name>,
}

impl Decision {
    /// An answer behind which there is nothing more.
    pub(super) const fn final_answer(answer: Answer) -> Self {
        Self { answer, leads_outside: None }
    }

    /// What the link says.
    pub(super) fn verdict(self, query: &Query) -> Verdict {
        let Self { mut answer, leads_outside } = self;
        let goal = leads_outside.and_then(|target| Goal::beyond(query, target, &mut answer));
        goal.map_or_else(|| Verdict::Answer(answer), Verdict::Resolve)
    }
}

/// Decides a query of class IN; none if the name is not the cluster's.
pub(super) fn decide(table: &Table, settings: &Settings, query: &Query) -> Option<Decision> {
    let question = &query.question;
    let mut name = question.name.clone();
    let mut seen: Vec<Name> = Vec::new();
    let mut step = Step { table, settings, query, answer: Answer { authoritative: true, ..Answer::default() } };
    for _ in 0..=bounds::ALIASES_MAX {
        let target = match step.at(&name) {
            Next::Outside if seen.is_empty() => return None,
            Next::Outside => return Some(Decision { answer: step.answer, leads_outside: Some(name) }),
            Next::Done => return Some(Decision::final_answer(step.answer)),
            Next::Alias(target) => target,
        };
        // A ring ends where it would begin again.
        if target == name || seen.contains(&target) {
            break;
        }
        seen.push(std::mem::replace(&mut name, target));
    }
    Some(Decision::final_answer(step.answer.ending_nowhere(query)))
}

/// How the search goes on.
enum Next {
    Done,
    /// The name is not the cluster's.
    Outside,
    Alias(Name),
}

struct Step<'q> {
    table: &'q Table,
    settings: &'q Settings,
    query: &'q Query,
    answer: Answer,
}

impl Step<'_> {
    /// Adds what there is at `name`.
    fn at(&mut self, name: &Name) -> Next {
        let (table, settings) = (self.table, self.settings);
        let Some(zone) = settings.zone_of(name) else {
            return if self.reverse(name) { Next::Done } else { Next::Outside };
        };
        let found = find(table, settings, zone, name);
        let before = self.answer.answer.len();
        match found {
            Found::Denied if settings.falls_through(name) => return Next::Outside,
            Found::Denied => self.answer.rcode = Rcode::NXDOMAIN,
            Found::Empty => {}
            Found::Apex => self.apex(zone, name),
            Found::Version => {
                if self.wants(RecordType::TXT) {
                    self.push(name, RecordType::TXT, VERSION_TTL, [VERSION]);
                }
            }
            Found::Server => self.addresses(name, zone, self.query.asker.local.into_iter()),
            Found::Told(address) => self.addresses(name, zone, std::iter::once(address)),
            Found::Host(bearers) => {
                self.addresses(name, zone, bearers.iter().map(|bearer| bearer.address));
                if self.query.question.rtype == RecordType::SRV {
                    self.services(name, zone, &bearers, |_| true);
                }
            }
            Found::Port(bearers, port_name, protocol) => {
                if self.wants(RecordType::SRV) {
                    let is_it = |port: &Port| port.protocol == protocol && *port.name == *port_name;
                    self.services(name, zone, &bearers, is_it);
                }
            }
            Found::Alias(target) => {
                if let Ok(target) = target.parse::<Name>() {
                    self.push(name, RecordType::CNAME, self.ttl(zone), [target.wire()]);
                    // The CNAME was all that was asked for.
                    let is_all = self.query.question.rtype == RecordType::CNAME;
                    return if is_all { Next::Done } else { Next::Alias(target) };
                }
            }
        }
        if self.answer.answer.len() == before {
            self.soa(zone, name);
        }
        Next::Done
    }

    /// Adds who has the address that `name` reads in reverse, and tells whether anybody has.
    fn reverse(&mut self, name: &Name) -> bool {
        let Some(address) = reverse::address_of(name).filter(|it| self.settings.reverse.contains(*it)) else {
            return false;
        };
        let targets = pointers(self.table, self.settings, address);
        if targets.is_empty() {
            return false;
        }
        if self.wants(RecordType::PTR) {
            self.push(name, RecordType::PTR, self.settings.ttl_seconds(), targets.iter().map(Name::wire));
        }
        true
    }

    fn wants(&self, rtype: RecordType) -> bool {
        self.query.question.rtype == rtype || self.query.question.rtype == RecordType::ANY
    }

    fn ttl(&self, zone: Zone<'_>) -> u32 {
        self.settings.ttl_in(zone.realm)
    }

    fn push<R: AsRef<[u8]>>(&mut self, owner: &Name, rtype: RecordType, ttl: u32, rdatas: impl IntoIterator<Item = R>) {
        let set = RrSet::new(owner.clone(), rtype, ttl, rdatas);
        if !set.rdatas.is_empty() {
            self.answer.answer.push(Aged { set: set.into(), ttl });
        }
    }

    /// The zone's own records.
    fn apex(&mut self, zone: Zone<'_>, name: &Name) {
        let ttl = self.ttl(zone);
        if self.wants(RecordType::SOA)
            && let Some(soa) = self.settings.soa(zone, self.table.serial)
        {
            self.push(name, RecordType::SOA, ttl, [soa]);
        }
        if self.wants(RecordType::NS)
            && let Some(server) = self.settings.server(zone)
        {
            self.push(name, RecordType::NS, ttl, [server.wire()]);
            for set in address_sets(&server, ttl, self.query.asker.local.into_iter(), |_| true) {
                self.answer.additional.push(set);
            }
        }
    }

    /// The addresses of `name` that are wanted.
    fn addresses(&mut self, name: &Name, zone: Zone<'_>, addresses: impl Iterator<Item = IpAddr>) {
        let sets = address_sets(name, self.ttl(zone), addresses, |rtype| self.wants(rtype));
        self.answer.answer.extend(sets);
    }

    /// The ports of `bearers` that `is_wanted` wants, and where they are.
    fn services(&mut self, name: &Name, zone: Zone<'_>, bearers: &Bearers<'_>, is_wanted: impl Fn(&Port) -> bool) {
        /// Octets of an SRV record beside its target's, the pointer to its owner included.
        const FIXED: usize = 12 + 6;
        // The target first, so that its ports and addresses stand together. Nothing is written down before it is known to
        // be told: of thousands of endpoints a message takes a part.
        type Row<'t> = (Option<Called<'t>>, Option<&'t str>, IpAddr, u16);
        let mut rows: Vec<Row<'_>> = Vec::new();
        for bearer in bearers.iter() {
            let called = bearer.called(self.settings.names_endpoints_by_pod);
            let ports = bearer.ports.iter().filter(|port| is_wanted(port));
            rows.extend(ports.map(|port| (called, bearer.cluster, bearer.address, port.number)));
        }
        rows.sort_unstable();
        rows.dedup();
        // Clients share the load by equal weights all the same; these are what they are used to.
        let weight = (100 / rows.len().max(1)).max(1) as u16;
        let (mut records, mut octets): (Vec<Vec<u8>>, usize) = (Vec::new(), 0);
        let (ttl, mut targets) = (self.ttl(zone), 0);
        'all: for rows in rows.chunk_by(|(one, cluster, ..), (other, its, ..)| (one, cluster) == (other, its)) {
            let Some((called, cluster, ..)) = rows.first().copied() else { continue };
            let label = called.map(Called::label);
            let Some(target) = zone.host(bearers.node, label.as_deref(), cluster) else { continue };
            let mut ports: SmallVec<[u16; 8]> = rows.iter().map(|(.., port)| *port).collect();
            ports.sort_unstable();
            ports.dedup();
            for port in ports {
                octets += FIXED + target.wire().len();
                if octets > bounds::CLUSTER_ANSWER_BYTES {
                    break 'all;
                }
                let fields = [0, weight, port].map(u16::to_be_bytes).concat();
                records.push([&fields, target.wire()].concat());
            }
            if targets < bounds::ADDITIONAL_TARGETS_MAX {
                targets += 1;
                let addresses = rows.iter().map(|(_, _, address, _)| *address);
                self.answer.additional.extend(address_sets(&target, ttl, addresses, |_| true));
            }
        }
        self.push(name, RecordType::SRV, ttl, records);
    }

    /// The SOA of a negative answer (RFC 2308 §3), letters as asked, so that its name is the question's ending.
    fn soa(&mut self, zone: Zone<'_>, name: &Name) {
        if let Some(soa) = self.settings.soa(zone, self.table.serial) {
            let (owner, ttl) = (name.suffix(zone.apex.label_count()), self.ttl(zone));
            let set = RrSet::new(owner, RecordType::SOA, ttl, [soa]);
            self.answer.authority.push(Aged { set: set.into(), ttl });
        }
    }
}

/// The A and the AAAA records of `owner`, as far as `is_wanted`; each address once, in order.
fn address_sets(
    owner: &Name,
    ttl: u32,
    addresses: impl Iterator<Item = IpAddr>,
    is_wanted: impl Fn(RecordType) -> bool,
) -> Vec<Aged> {
    /// Octets of a record beside its address, the pointer to its owner included.
    const FIXED: usize = 12;
    let [is_wanted4, is_wanted6] = [RecordType::A, RecordType::AAAA].map(is_wanted);
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for address in addresses {
        match address {
            IpAddr::V4(address) if is_wanted4 => v4.push(address.octets()),
            IpAddr::V6(address) if is_wanted6 => v6.push(address.octets()),
            _ => {}
        }
    }
    v4.sort_unstable();
    v4.dedup();
    v4.truncate(bounds::CLUSTER_ANSWER_BYTES / (FIXED + 4));
    v6.sort_unstable();
    v6.dedup();
    v6.truncate(bounds::CLUSTER_ANSWER_BYTES / (FIXED + 16));
    let set4 = RrSet::new(owner.clone(), RecordType::A, ttl, v4);
    let set6 = RrSet::new(owner.clone(), RecordType::AAAA, ttl, v6);
    let sets = [set4, set6].into_iter().filter(|set| !set.rdatas.is_empty());
    sets.map(|set| Aged { set: set.into(), ttl }).collect()
}

impl Settings {
    pub(super) fn ttl_seconds(&self) -> u32 {
        u32::try_from(self.ttl.as_secs()).unwrap_or(u32::MAX)
    }

    fn ttl_in(&self, realm: Realm) -> u32 {
        match (realm, &self.external) {
            (Realm::Outside, Some(external)) => u32::try_from(external.ttl.as_secs()).unwrap_or(u32::MAX),
            _ => self.ttl_seconds(),
        }
    }

    /// The labels of the zone's name server, before its apex.
    fn server_labels(&self, zone: Zone<'_>) -> [&[u8]; 2] {
        match (zone.realm, &self.external) {
            (Realm::Outside, Some(external)) => [b"ns1", external.apex.as_bytes()],
            _ => [b"ns", b"dns"],
        }
    }

    fn server(&self, zone: Zone<'_>) -> Option<Name> {
        Name::from_labels(self.server_labels(zone).into_iter().chain(zone.apex.labels())).ok()
    }

    /// The RDATA of the zone's SOA.
    fn soa(&self, zone: Zone<'_>, serial: u32) -> Option<Vec<u8>> {
        let [_, above] = self.server_labels(zone);
        let above = (zone.realm == Realm::Outside).then_some(above);
        let person = [&b"hostmaster"[..]].into_iter().chain(above).chain(zone.apex.labels());
        let (server, person) = (self.server(zone)?, Name::from_labels(person).ok()?);
        let numbers = [serial, 7_200, 1_800, 86_400, self.ttl_in(zone.realm)].map(u32::to_be_bytes).concat();
        Some([server.wire(), person.wire(), &numbers].concat())
    }
}

impl Zone<'_> {
    /// The name here of the service of `node`, or of its endpoint `label` in `cluster`; none if it is too long.
    pub(super) fn host(self, node: &Node, label: Option<&[u8]>, cluster: Option<&str>) -> Option<Name> {
        let front = label.into_iter().chain(cluster.map(str::as_bytes));
        let service = [node.key.name.as_bytes(), node.key.namespace.as_bytes()];
        let svc = (self.realm != Realm::Outside).then_some(&b"svc"[..]);
        Name::from_labels(front.chain(service).chain(svc).chain(self.apex.labels())).ok()
    }
}

/// The mark of what is not there.
pub(super) const DENIED: u8 = 0;

/// Which answer of all that there are to a question of `rtype` `found` leads to, in octets: equal ones are equal answers,
/// whatever has changed meanwhile. None where only an answer itself can tell.
pub(super) fn mark(found: &Found<'_>, rtype: RecordType, serial: u32) -> Option<(u8, u64)> {
    const EMPTY: u8 = 1;
    const GIVEN: u8 = 2;
    const TOLD: u8 = 3;
    let has = |address: IpAddr| match rtype {
        RecordType::A => address.is_ipv4(),
        RecordType::AAAA => address.is_ipv6(),
        _ => false,
    };
    // What is not there is said with the serial.
    let given_if = |is_there, revision| if is_there { (GIVEN, revision) } else { (EMPTY, u64::from(serial)) };
    Some(match found {
        _ if rtype.is_meta() => return None,
        Found::Denied => (DENIED, u64::from(serial)),
        Found::Apex if rtype == RecordType::NS => return None,
        Found::Empty | Found::Apex => (EMPTY, u64::from(serial)),
        Found::Version => {
            if rtype == RecordType::TXT {
                (TOLD, 0)
            } else {
                (EMPTY, u64::from(serial))
            }
        }
        Found::Told(address) => {
            if has(*address) {
                (TOLD, 0)
            } else {
                (EMPTY, u64::from(serial))
            }
        }
        Found::Server | Found::Alias(..) => return None,
        Found::Host(bearers) => {
            let is_there = match rtype {
                RecordType::SRV => bearers.iter().any(|bearer| !bearer.ports.is_empty()),
                _ => bearers.iter().any(|bearer| has(bearer.address)),
            };
            given_if(is_there, bearers.node.revision)
        }
        Found::Port(bearers, ..) => given_if(rtype == RecordType::SRV && bearers.is_any(), bearers.node.revision),
    })
}
