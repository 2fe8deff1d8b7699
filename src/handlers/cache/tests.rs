//! The cache's rules as claims, told to a cache with a clock of its own.

mod answers;
mod knowledge;
mod model;
mod restart;
mod security;
mod staleness;

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::{Cache, Settings};
use crate::base::tally::Tally;
use crate::base::{Dice, Instant};
use crate::chain::{
    Answer, Asker, Carrier, Delegation, Denial, Goal, Handler, Learned, Memory, NameServer, Query, Rank, Turn, Verdict,
};
use crate::dns::dnssec::Security;
use crate::dns::{Ede, EdeCode, Edns, Flags, Name, Question, RecordType, RrSet};

/// A cache, the time, and what counts.
struct World {
    cache: Arc<Cache>,
    now: u64,
    tally: Tally,
    aside: Option<Goal>,
}

fn world() -> World {
    with(Settings { size_bytes: 64 << 20, ..Settings::default() })
}

fn with(settings: Settings) -> World {
    let cache = Arc::new(Cache::simulated(settings, &mut Dice::from_number(1)));
    World { cache, now: 1_000_000, tally: Tally::default(), aside: None }
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn a(owner: &str, ttl: u32, last: u8) -> RrSet {
    RrSet::new(name(owner), RecordType::A, ttl, [[192, 0, 2, last]])
}

fn pointing(owner: &str, rtype: RecordType, ttl: u32, target: &str) -> RrSet {
    RrSet::new(name(owner), rtype, ttl, [name(target).wire()])
}

fn soa(owner: &str, ttl: u32, minimum: u32) -> Arc<RrSet> {
    let mut rdata = [name("ns.example.").wire(), name("admin.example.").wire()].concat();
    for number in [1, 3600, 600, 86_400, minimum] {
        rdata.extend_from_slice(&u32::to_be_bytes(number));
    }
    Arc::new(RrSet::new(name(owner), RecordType::SOA, ttl, [rdata]))
}

fn denial(is_nxdomain: bool, soa: Arc<RrSet>) -> Denial {
    Denial { is_nxdomain, soa: Some(soa), proofs: Vec::new(), ttl: 0, security: Security::Unchecked }
}

impl World {
    fn at(&self) -> Instant {
        Instant::from_seconds(self.now)
    }

    fn pass(&mut self, seconds: u64) -> &mut Self {
        self.now += seconds;
        self
    }

    fn learn(&self, set: RrSet, rank: Rank) {
        self.cache.learn(Learned::unchecked(Arc::new(set), rank), self.at());
    }

    fn learn_answer(&self, set: RrSet) {
        self.learn(set, Rank::Answer);
    }

    fn deny(&self, owner: &str, rtype: RecordType, denial: Denial) {
        self.cache.learn(Learned::Denial { name: name(owner), rtype, denial }, self.at());
    }

    fn fail(&self, owner: &str, rtype: RecordType) {
        let ede = Ede::new(EdeCode::NoReachableAuthority, "all servers of example. are silent");
        self.cache.learn(Learned::Failure { name: name(owner), rtype, ede, unchecked: false }, self.at());
    }

    fn delegate(&self, zone: &str, ttl: u32, server: &str) {
        let servers = vec![NameServer { name: name(server), glue: vec![Ipv4Addr::new(192, 0, 2, 53).into()] }];
        self.cache.learn(Learned::Delegation(Arc::new(Delegation { zone: name(zone), servers, ttl })), self.at());
    }

    fn cut(&self, below: &str) -> Option<(String, u32)> {
        let found = self.cache.delegation(&name(below), self.at())?;
        Some((found.zone.to_string(), found.ttl))
    }

    fn ttl(&self, owner: &str, rtype: RecordType) -> Option<u32> {
        self.cache.rrset(&name(owner), rtype, self.at()).map(|found| found.ttl)
    }

    fn handle(&mut self, query: &Query) -> Verdict {
        let (now, mut dice) = (self.at(), Dice::from_number(1));
        let mut turn = Turn { now, dice: &mut dice, tally: &self.tally, aside: None, choices: None };
        let verdict = self.cache.handle(query, &mut turn);
        self.aside = turn.aside;
        verdict
    }

    fn ask(&mut self, owner: &str, rtype: RecordType) -> Verdict {
        self.handle(&query(owner, rtype))
    }

    fn answer(&mut self, owner: &str, rtype: RecordType) -> Answer {
        match self.ask(owner, rtype) {
            Verdict::Answer(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    fn goal(&mut self, owner: &str, rtype: RecordType) -> Goal {
        match self.ask(owner, rtype) {
            Verdict::Resolve(goal) => goal,
            other => panic!("{other:?}"),
        }
    }
}

fn query(owner: &str, rtype: RecordType) -> Query {
    Query {
        id: 1,
        flags: Flags { recursion_desired: true, ..Flags::default() },
        question: Question::new(name(owner), rtype),
        edns: None,
        asker: Asker {
            address: "192.0.2.7:5353".parse().unwrap(),
            local: None,
            carrier: Carrier::Udp,
            may_recurse: true,
            group: 0,
        },
    }
}

fn dnssec(mut query: Query) -> Query {
    query.edns = Some(Edns { udp_size: 1232, version: 0, dnssec_ok: true, options: Vec::new() });
    query
}

/// Owner, type and TTL of each RRset of a section.
fn shown(section: &[crate::chain::Aged]) -> Vec<String> {
    section.iter().map(|aged| format!("{} {} {}", aged.set.owner, aged.set.rtype, aged.ttl)).collect()
}
