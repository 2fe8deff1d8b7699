//! Any octets as a query to a whole server: a house with a zone, a hosts file and a cache that knows a few names, whose
//! upstreams are all silent. What comes back must be a lawful response; a stranger learns nothing but our zone; and
//! the same query once more gets the same response, octet for octet, now from memory.
//!
//! The first octet says who asks, and how: bit 0 over TCP, bit 1 a stranger, bit 2 a house whose desk is attended.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, OnceLock};

use meridian::app::build::{Files, Kept};
use meridian::app::house::House;
use meridian::app::worker::{Next, Worker};
use meridian::base::collections::keyed;
use meridian::base::{Dice, Instant, bounds, tally::Tally};
use meridian::chain::{Asker, Carrier, Denial, Learned, Rank};
use meridian::dns::dnssec::Security;
use meridian::dns::{Class, Message, RecordType, RrSet};
use meridian::handlers::{authority, hosts};

use super::houses::Plan;
use super::messages::{is_lawful_response, name, soa};

const ZONE: &[u8] = include_bytes!("datagram.zone");
const HOSTS: &str = "192.0.2.77 printer.home.arpa printer\n2001:db8::77 printer.home.arpa\n";
/// Without limits, which answer by what was asked before.
const CONFIG: &str = "recursion: {allow: private}\nidentity: {version: fuzzed, nsid: fuzzed}\n\
                      limits: {queries: off, responses: off}\n";
const DESK: &str = "zones: {example.com: {records: {'@': {NS: ns1}, ns1: 192.0.2.53}}}\n";
const NOW: Instant = Instant::from_seconds(1_000_000);

/// See the module's text.
pub fn run(data: &[u8]) {
    let Some((&mode, datagram)) = data.split_first() else { return };
    let carrier = if mode & 1 != 0 { Carrier::Tcp } else { Carrier::Udp };
    let is_stranger = mode & 2 != 0;
    let address = IpAddr::V4(if is_stranger { Ipv4Addr::new(192, 0, 2, 7) } else { Ipv4Addr::LOCALHOST });
    let asker = Asker { address: (address, 5_353).into(), local: None, carrier, may_recurse: false, group: 0 };
    let house = &houses()[usize::from(mode >> 2 & 1)];
    let (dice, tally) = (Dice::from_number(u64::from(mode)), Arc::new(Tally::default()));
    let mut worker: Worker<()> = Worker::new(Arc::clone(house), (0, 1), dice, tally);

    let mut response = Vec::new();
    match worker.turn(datagram, asker, &mut Some(()), NOW, &mut response) {
        Next::Respond => {
            let said = is_lawful_response(datagram, carrier, &response);
            assert!(hickory_proto::op::Message::from_vec(&response).is_ok(), "others cannot parse {said:?}");
            if is_stranger {
                is_ours(&said);
            }
            let mut again = Vec::new();
            let next = worker.turn(datagram, asker, &mut Some(()), NOW, &mut again);
            assert_eq!((next, &again), (Next::Respond, &response), "asked again, it says something else");
        }
        Next::Silence => assert!(datagram.len() < 12 || datagram[2] & 0x82 != 0, "a query is met with silence"),
        Next::Wait => {
            assert!(!is_stranger, "work is done for a stranger");
            let late = late(&mut worker).expect("silent upstreams, and no response by the deadline");
            is_lawful_response(datagram, carrier, &late);
        }
        Next::HandOver(_) => panic!("the only worker hands a query over"),
        Next::Elsewhere(_) => assert!(mode >> 2 & 1 == 1, "nobody sits at the desk"),
    }
}

/// Lets the client's time pass.
fn late(worker: &mut Worker<()>) -> Option<Vec<u8>> {
    let deadline = NOW + bounds::CLIENT_DEADLINE;
    for _ in 0..10_000 {
        while worker.poll_transmit().is_some() {}
        if let Some(late) = worker.poll_late() {
            assert!(worker.poll_late().is_none(), "two responses");
            return Some(late.bytes);
        }
        let due = worker.poll_timeout().filter(|due| *due <= deadline)?;
        worker.handle_timeout(due);
    }
    None
}

/// Strangers are told of our zone, of ourselves, and that they are refused.
fn is_ours(said: &Message) {
    let zone = name("example.com.");
    let is_of_internet = |class: Class| class == Class::IN;
    for record in said.answer.iter().filter(|record| is_of_internet(record.class)) {
        assert!(record.owner.is_within(&zone), "a stranger is told of {}", record.owner);
    }
}

/// One house whose desk nobody sits at, and one where somebody does.
fn houses() -> &'static [Arc<House>; 2] {
    static HOUSES: OnceLock<[Arc<House>; 2]> = OnceLock::new();
    HOUSES.get_or_init(|| [house(CONFIG.to_owned()), house([CONFIG, DESK].concat())])
}

fn house(config: String) -> Arc<House> {
    let files = Files { hosts: Some(hosts::parse(HOSTS, 60).0), ..Files::default() };
    let built = Plan::new(&config).build(files, furnish);
    let memory = &built.house.memory;
    let set = |owner: &str, rtype, rdatas: &[&[u8]]| {
        Learned::unchecked(Arc::new(RrSet::new(name(owner), rtype, 300, rdatas.iter().copied())), Rank::Answer)
    };
    memory.learn(set("cached.example.net.", RecordType::A, &[&[192, 0, 2, 1], &[192, 0, 2, 2]]), NOW);
    memory.learn(set("alias.example.net.", RecordType::CNAME, &[name("cached.example.net.").wire()]), NOW);
    let texts: Vec<Vec<u8>> = (0..40).map(|n| [&[60][..], &[b'a' + n % 26; 60]].concat()).collect();
    let texts: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
    memory.learn(set("large.example.net.", RecordType::TXT, &texts), NOW);
    let zone = name("example.net.");
    let soa = RrSet::new(zone.clone(), RecordType::SOA, 300, [soa(&zone, 60)]);
    let (soa, security) = (Some(Arc::new(soa)), Security::Unchecked);
    let denial = Denial { is_nxdomain: true, soa, proofs: Vec::new(), ttl: 60, security };
    memory.learn(Learned::Denial { name: name("gone.example.net."), rtype: RecordType::A, denial }, NOW);
    built.house
}

fn furnish(kept: &mut Kept, dice: &mut Dice) {
    let mut include = authority::master_file::no_include;
    let (zone, findings) = authority::load(&name("example.com."), ZONE, "datagram.zone", &mut include, keyed(dice));
    let mut zones = authority::Zones::new(keyed(dice));
    let zone = zone.unwrap_or_else(|| panic!("{:?}", findings.iter().map(ToString::to_string).collect::<Vec<_>>()));
    zones.insert(Arc::new(zone));
    kept.authority.swap(zones);
}
