//! Stories that are written by a loop: matrices too large to be told one by one.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use meridian::base::Dice;
use meridian::chain::Carrier;
use meridian::dns::{Message, Rcode, RecordType};

use crate::server::{Action, JUNK, Rule, Server, Zone, bytes_of, chaotic_name};
use crate::world::{Setup, World, query};
use crate::{replay, script, text};

pub(crate) fn tell_all(kind: &str, stories: &[String]) {
    let failures: Vec<String> = stories
        .iter()
        .flat_map(|text| script::read(kind, text))
        .filter_map(|story| replay::tell(&story).err())
        .collect();
    println!("{kind}: {} stories, {} fail", stories.len(), failures.len());
    assert!(failures.is_empty(), "{}\n{} of {} fail", failures.join("\n"), failures.len(), stories.len());
}

/// The tree of the poison matrix: an attacker serves `evil.`, and its poison points to 203.0.113.66.
const TREE: &str = "\
server 192.0.2.1 zone .
  . NS a.root.test.
  evil. NS ns.evil.
  ns.evil. A 192.0.2.66
  test. NS ns.test.
  ns.test. A 192.0.2.3
  example. NS ns.example.
  ns.example. A 192.0.2.2
server 192.0.2.66 zone evil.
  evil. NS ns.evil.
  www.evil. A 192.0.2.99
  ns.evil. A 192.0.2.66
server 192.0.2.3 zone test.
  test. NS ns.test.
  www.test. A 192.0.2.81
  a.root.test. A 192.0.2.1
  ns.test. A 192.0.2.3
server 192.0.2.2 zone example.
  example. NS ns.example.
  www.example. A 192.0.2.80
  ns.example. A 192.0.2.2
";

const POISON: [(&str, &str); 7] = [
    ("A", "203.0.113.66"),
    ("AAAA", "2001:db8:bad::66"),
    ("NS", "ns.poison."),
    ("DS", "beef0d02deadbeef"),
    ("DNAME", "poison."),
    ("CNAME", "www.poison."),
    ("SOA", "ns.poison. admin.poison. 66 66 66 66 86400"),
];

/// A5 of the catalogue of attacks: whatever section, owner, type, AA bit and transport, nothing that a server of
/// one zone says of another one, or beside its answer, is ever given to a client or asked.
#[test]
fn no_poison_is_accepted_whatever_its_section_owner_type_flag_and_transport() {
    let mut stories = Vec::new();
    for section in ["answer", "authority", "additional"] {
        for owner in [".", "test.", "www.test.", "example.", "www.example.", "ns.test.", "evil.", "x.www.evil."] {
            for (rtype, rdata) in POISON {
                // A zone may rename itself.
                if section == "answer" && owner == "evil." && rtype == "DNAME" {
                    continue;
                }
                for aa in ["aa", ""] {
                    for transport in ["udp", "tcp"] {
                        let detour = if transport == "tcp" { "on 192.0.2.66 udp truncate" } else { "" };
                        stories.push(format!(
                            "{TREE}
story: {section} {owner} {rtype} {aa} {transport}
  {detour}
  on 192.0.2.66 {transport} name www.evil. reply {aa}
    answer www.evil. A 192.0.2.99
    {section} {owner} 86400 {rtype} {rdata}
    additional ns.poison. A 203.0.113.66
    additional ns.test. A 203.0.113.66
    additional ns.example. A 203.0.113.66
  ask www.evil. A
  expect answer www.evil. A 192.0.2.99
  expect answer has 1
  pass 1s
  ask {owner} {rtype} from 10.0.0.2
  expect no answer {owner} {rtype} {rdata}
  expect no authority {owner} {rtype} {rdata}
  ask {owner} A from 10.0.0.3
  expect no answer {owner} A 203.0.113.66
  ask www.test. A from 10.0.0.4
  expect answer www.test. A 192.0.2.81
  expect answer has 1
  ask www.example. A from 10.0.0.4
  expect answer www.example. A 192.0.2.80
  ask new.test. A from 10.0.0.5
  expect NXDOMAIN
  expect sent ever 0 to 203.0.113.66
"
                        ));
                    }
                }
            }
        }
    }
    assert!(stories.len() >= 250, "{}", stories.len());
    tell_all("poison matrix", &stories);
}

/// A5 for referrals: what a referral brings beside its own NS records and their glue.
#[test]
fn no_poison_is_accepted_along_with_a_referral() {
    let mut stories = Vec::new();
    for section in ["answer", "authority", "additional"] {
        for owner in [".", "test.", "www.test.", "ns.test.", "example.", "evil."] {
            for (rtype, rdata) in POISON {
                if section == "answer" && owner == "evil." && rtype == "DNAME" {
                    continue; // a zone may rename itself
                }
                stories.push(format!(
                    "{TREE}
story: referral with {section} {owner} {rtype}
  on 192.0.2.66 name sub.evil. reply
    authority sub.evil. NS ns.sub.evil.
    additional ns.sub.evil. A 192.0.2.67
    {section} {owner} 86400 {rtype} {rdata}
    additional ns.poison. A 203.0.113.66
    additional ns.test. A 203.0.113.66
  server 192.0.2.67 zone sub.evil.
    www.sub.evil. A 192.0.2.98
  ask www.sub.evil. A
  pass 1s
  ask {owner} {rtype} from 10.0.0.2
  expect no answer {owner} {rtype} {rdata}
  ask www.test. A from 10.0.0.4
  expect answer www.test. A 192.0.2.81
  ask ns.test. A from 10.0.0.4
  expect answer ns.test. A 192.0.2.3
  expect sent ever 0 to 203.0.113.66
"
                ));
            }
        }
    }
    tell_all("poisoned referrals", &stories);
}

/// A10: junk 5 ms before the right answer never decides, costs at most two more queries, and is not held against
/// the server.
#[test]
fn every_kind_of_junk_before_the_answer_is_survived() {
    let stories: Vec<String> = JUNK
        .iter()
        .filter(|kind| !matches!(**kind, "no-cookie" | "wrong-cookie"))
        .map(|kind| {
            format!(
                "server 192.0.2.1 zone .
  example. NS ns.example.
  ns.example. A 192.0.2.2
server 192.0.2.2 zone example.
  one.example. A 192.0.2.80
  two.example. A 192.0.2.81
  three.example. A 192.0.2.82
story: {kind} before the answer is survived
  ask one.example. A
  on 192.0.2.2 name two.example. udp junk {kind}
  ask two.example. A
  expect NOERROR
  expect answer two.example. A 192.0.2.81
  expect answer has 1
  expect took <= 50ms
  expect sent <= 3
  ask three.example. A
  expect NOERROR
  expect took <= 15ms
  expect sent 1 edns
story: {kind} before every answer is survived
  on 192.0.2.2 udp junk {kind}
  ask two.example. A
  expect NOERROR
  expect answer two.example. A 192.0.2.81
  expect answer has 1
  expect sent <= 3 to 192.0.2.2
"
            )
        })
        .collect();
    assert!(stories.len() >= 10);
    tell_all("junk", &stories);
}

/// A world with a root and one zone on `servers` servers, all of which lose `loss` queries in a thousand.
fn lossy(servers: u8, loss: u32, seed: u64) -> World {
    let record = |line: String| text::record(&line.split_whitespace().collect::<Vec<_>>()).unwrap().0;
    let mut all = std::collections::BTreeMap::new();
    let server = |zone: Zone| Server {
        zones: vec![zone],
        rtt: Duration::from_millis(10),
        rules: vec![Rule {
            name: None,
            rtype: None,
            transport: None,
            has_edns: None,
            range: (1, u32::MAX),
            seen: 0,
            action: Action::Lose(loss),
        }],
        ..Server::default()
    };
    let mut root = Zone { apex: ".".parse().unwrap(), records: Vec::new(), signer: None };
    for number in 1..=servers {
        root.records.push(record(format!("example. NS ns{number}.example.")));
        root.records.push(record(format!("ns{number}.example. A 192.0.2.{}", 10 + number)));
        let zone = Zone {
            apex: "example.".parse().unwrap(),
            records: vec![record("*.example. A 192.0.2.80".into())],
            signer: None,
        };
        all.insert(IpAddr::from([192, 0, 2, 10 + number]), server(zone));
    }
    all.insert(IpAddr::from([192, 0, 2, 1]), server(root));
    World::new(&Setup { seed, ..Setup::default() }, all)
}

fn ask(world: &mut World, name: &str) -> (Rcode, Duration) {
    let number = world.asked.len();
    let bytes = bytes_of(&query(number as u16, name.parse().unwrap(), RecordType::A));
    world.ask("x", &bytes, SocketAddr::from(([127, 0, 0, 1], 4_000)), Carrier::Udp);
    world.run(world.now + Duration::from_secs(10), |world| world.asked[number].response.is_some());
    let asked = &world.asked[number];
    let (at, bytes) = asked.response.as_ref().unwrap();
    (Message::parse(bytes).unwrap().rcode, at.since(asked.at))
}

/// B11: the share of queries lost, the longest time for 99 of 100 answers, and upstream queries per query.
#[test]
fn lost_queries_cost_time_but_no_answer() {
    for (loss, limit_ms, per_query) in [(100, 100, 1.2), (300, 220, 1.6), (500, 500, 2.5)] {
        let mut world = lossy(4, loss, u64::from(loss));
        for number in 0..50 {
            ask(&mut world, &format!("warm{number}.example."));
        }
        let before = world.sent.len();
        let mut times = Vec::new();
        for number in 0..1_000 {
            let (rcode, took) = ask(&mut world, &format!("n{number}.example."));
            assert_eq!(rcode, Rcode::NOERROR, "{loss} of 1000 lost, query {number}");
            times.push(took);
        }
        times.sort();
        let (p99, sent) = (times[990], (world.sent.len() - before) as f64 / 1_000.0);
        println!("loss {loss}/1000: p99 {p99:?}, {sent} upstream queries a query");
        assert!(p99 <= Duration::from_millis(limit_ms), "{loss}: p99 {p99:?}");
        assert!(sent <= per_query, "{loss}: {sent} queries");
    }
}

/// Whatever servers say, every query ends in one response, nothing is under way for ever, and no question costs
/// more than its bounds.
#[test]
fn no_chaos_of_servers_keeps_a_resolution_from_ending_within_its_bounds() {
    let mut most = 0;
    for seed in 0..200 {
        let mut servers = std::collections::BTreeMap::new();
        for number in 1..=6 {
            let rule = Rule {
                name: None,
                rtype: None,
                transport: None,
                has_edns: None,
                range: (1, u32::MAX),
                seen: 0,
                action: Action::Chaos,
            };
            let zones = match number {
                1 => vec![Zone { apex: ".".parse().unwrap(), records: Vec::new(), signer: None }],
                _ => Vec::new(),
            };
            let server = Server { zones, rules: vec![rule], rtt: Duration::from_millis(10), ..Server::default() };
            servers.insert(IpAddr::from([192, 0, 2, number]), server);
        }
        let mut world = World::new(&Setup { seed, ..Setup::default() }, servers);
        let mut dice = Dice::from_number(seed);
        let mut was_alone = true;
        for round in 0..30 {
            let name = chaotic_name(&mut dice);
            let rtype = [RecordType::A, RecordType::NS, RecordType::CNAME, RecordType::MX, RecordType::DS][round % 5];
            let before = world.sent.len();
            let bytes = bytes_of(&query(round as u16, name.clone(), rtype));
            world.ask("x", &bytes, SocketAddr::from(([127, 0, 0, 1], 4_000)), Carrier::Udp);
            let is_alone = dice.chance(900);
            if is_alone {
                world.run(world.now + Duration::from_secs(7), |_| false);
                let asked = world.asked.last().unwrap();
                let took = asked.response.as_ref().map(|(at, _)| at.since(asked.at));
                assert!(took.is_some_and(|took| took <= Duration::from_millis(4_500)), "seed {seed}: {took:?}");
                let sent = world.sent.len() - before;
                most = most.max(if was_alone { sent } else { 0 });
                assert!(!was_alone || sent <= 64, "seed {seed} {name} {rtype}: {sent} queries\n{}", world.log);
            }
            was_alone = is_alone;
        }
        if let Err(why) = world.end() {
            panic!("seed {seed}: {why}\n{}", world.log);
        }
    }
    println!("at most {most} upstream queries for one question");
}
