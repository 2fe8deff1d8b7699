//! R1 to R7: how much work of the resolver and of others one hostile query buys.
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use crate::support::fake::Query;
use crate::support::{ask, wire};
use crate::world::{self, A, ATTACKER, CNAME, DNAME, HELPER, Reply, VICTIM, World, cost, denial};
use crate::{Figure, Row, at_least, at_most, told};

pub const ROWS: &[Row] = &[
    Row { id: "R1", what: "NXNS: a referral to many names of a victim", measure: nxns, has_peers: true, limit_s: 120 },
    Row { id: "R2", what: "CAMP: aliases × fan-out × minimisation", measure: camp, has_peers: true, limit_s: 180 },
    Row { id: "R3", what: "endless and self-referring delegations", measure: endless, has_peers: true, limit_s: 180 },
    Row { id: "R4", what: "endless aliases", measure: aliases, has_peers: true, limit_s: 120 },
    Row { id: "R5", what: "TsuNAME: delegations in a circle", measure: circle, has_peers: true, limit_s: 120 },
    Row {
        id: "R6",
        what: "NRDelegation: a referral to many dead servers",
        measure: unreachable,
        has_peers: true,
        limit_s: 180,
    },
    Row { id: "R7", what: "a dead zone", measure: dead, has_peers: true, limit_s: 120 },
];

/// Hostile queries a variant.
const QUERIES: u64 = 30;

/// Processor time of a normal cold query in milliseconds: a zone never seen, three levels down.
fn normal(world: &World, resolver: &crate::support::resolvers::Resolver) -> f64 {
    cost(world, resolver, (0..5).map(|n| format!("www.coldwarm{n}.example.")));
    cost(world, resolver, (0..100).map(|n| format!("www.cold{n}.example."))).millis
}

fn nxns(who: &str) -> Vec<Figure> {
    let world = World::new();
    world.serve(VICTIM, "victim.example.", |query| Some(denial(query, 3, "victim.example.")));
    world.serve(ATTACKER, "attacker.example.", |query| {
        let Some(zone) = query.name.split('.').find(|label| label.starts_with("fan")) else {
            return Some(denial(query, 3, "attacker.example."));
        };
        let (count, number) = zone[3..].split_once('-')?;
        let apex = format!("{zone}.attacker.example.");
        let mut reply = Reply::to(query, 0, false);
        for server in 0..count.parse::<u32>().ok()? {
            reply = reply.name_server(&apex, &format!("n{server}.{number}.victim.example."));
        }
        Some(reply)
    });
    let resolver = world.resolver(who);
    let cold = cost(&world, &resolver, ["www.fan10-cold.attacker.example.".to_owned()]);
    let normal = normal(&world, &resolver);
    let mut figures = vec![told("upstream for the first query, nothing known", cold.upstream)];
    let (mut upstream, mut victim, mut millis) = (0.0f64, 0.0f64, 0.0f64);
    for count in [10, 50, 200] {
        let names = (0..QUERIES).map(|n| format!("www.fan{count}-{n}.attacker.example."));
        let cost = cost(&world, &resolver, names);
        upstream = upstream.max(cost.upstream);
        victim = victim.max(cost.victim);
        millis = millis.max(cost.millis);
    }
    figures.push(at_most("upstream a query, worst of 10, 50, 200 names", upstream, 5.0));
    figures.push(at_most("to the victim a query", victim, 3.0));
    figures.push(at_most("CPU ms a query", millis, 0.4));
    figures.push(at_most("CPU of a normal cold query, times", millis / normal, 10.0));
    figures
}

/// What the attacker's server says of step `at` of a chain in zone `code`: `cf2l1` is CNAME, fan-out kind 2, deep.
fn step(query: &Query, zone: &str) -> Option<Reply> {
    let labels: Vec<&str> = query.name.strip_suffix(zone)?.trim_end_matches('.').split('.').collect();
    let code = *labels.last()?;
    let link = labels.iter().rev().nth(1)?;
    let (at, number) = link.strip_prefix('s')?.split_once('-')?;
    let at: u32 = at.parse().ok()?;
    let apex = format!("{link}.{code}.{zone}");
    let next = format!("s{}-{number}.{code}.{zone}", at + 1);
    let deep = if code.ends_with('1') { "a.b.c.d.e.f.g.h." } else { "" };
    let kind = code.as_bytes()[2];
    let is_home = query.name == apex || query.name == format!("www.{deep}{apex}") || query.name.ends_with(&apex);
    if !is_home || at > 200 {
        return Some(denial(query, 3, zone));
    }
    let reply = Reply::to(query, 0, true);
    Some(match code.as_bytes()[0] {
        b'd' if query.name != apex || query.rtype == DNAME => {
            let target = format!("{}{next}", query.name.strip_suffix(&apex)?);
            let reply = reply.answer(&apex, DNAME, &wire::compose_name(&next));
            if query.name == apex { reply } else { reply.answer(&query.name, CNAME, &wire::compose_name(&target)) }
        }
        b'c' if query.name == format!("www.{deep}{apex}") => {
            reply.answer(&query.name, CNAME, &wire::compose_name(&format!("www.{deep}{next}")))
        }
        _ if kind == b'x' => return None,
        _ => denial(query, 0, if kind == b'0' { zone } else { &apex }),
    })
}

fn camp(who: &str) -> Vec<Figure> {
    const ZONE: &str = "attacker.example.";
    let world = World::new();
    world.serve(VICTIM, "victim.example.", |query| Some(denial(query, 3, "victim.example.")));
    // The attacker's own names of servers, which lead to the server of the fanned-out zones.
    world.serve(HELPER, "helper.example.", |query| {
        Some(if query.rtype == A {
            Reply::to(query, 0, true).answer(&query.name, A, &[198, 18, 2, 7])
        } else {
            denial(query, 0, "helper.example.")
        })
    });
    let chain = |query: &Query| step(query, ZONE);
    world.serve(Ipv4Addr::new(198, 18, 2, 7), "nothing.example.", chain);
    world.serve(ATTACKER, ZONE, move |query| {
        let labels: Vec<&str> = query.name.strip_suffix(ZONE)?.trim_end_matches('.').split('.').collect();
        let code = labels.last()?;
        let Some(link) = labels.iter().rev().nth(1) else { return Some(denial(query, 0, ZONE)) };
        let fan = match code.as_bytes().get(2)? {
            b'1' => "victim",
            b'2' => "helper",
            _ => return chain(query),
        };
        let apex = format!("{link}.{code}.{ZONE}");
        let mut reply = Reply::to(query, 0, false);
        // Of those that lead nowhere one leads on, so that the chain can be followed.
        for server in 0..10 {
            let host = if server == 9 { "helper" } else { fan };
            reply = reply.name_server(&apex, &format!("n{server}.{link}{code}.{host}.example."));
        }
        Some(reply)
    });
    let resolver = world.resolver(who);
    let normal = normal(&world, &resolver);
    let (mut worst, mut victim, mut millis, mut at) = (0.0f64, 0.0f64, 0.0f64, String::new());
    for alias in ['c', 'd'] {
        for fan in 0..3 {
            for deep in 0..2 {
                let code = format!("{alias}f{fan}l{deep}");
                let labels = if deep == 1 { "www.a.b.c.d.e.f.g.h" } else { "www" };
                let names = (0..10).map(|n| format!("{labels}.s0-{n}.{code}.{ZONE}"));
                let cost = cost(&world, &resolver, names);
                if cost.upstream > worst {
                    (worst, at) = (cost.upstream, code);
                }
                victim = victim.max(cost.victim);
                millis = millis.max(cost.millis);
            }
        }
    }
    vec![
        at_most(&format!("upstream a query, worst of 12 compositions ({at})"), worst, 20.0),
        at_most("to the victim a query", victim, 8.0),
        at_most("CPU ms a query", millis, 1.0),
        at_most("CPU of a normal cold query, times", millis / normal, 10.0),
    ]
}

fn endless(who: &str) -> Vec<Figure> {
    const ZONE: &str = "attacker.example.";
    let world = World::new();
    world.serve(ATTACKER, ZONE, |query| {
        let rest = query.name.strip_suffix(ZONE)?.trim_end_matches('.');
        let labels: Vec<&str> = rest.split('.').collect();
        let kind = *labels.last()?;
        let zone = match labels.len() {
            1 => return Some(denial(query, 0, ZONE)),
            count => format!("{}.{ZONE}", labels[count.saturating_sub(2)..].join(".")),
        };
        Some(match kind {
            // Each zone's server lies in the next zone.
            "chain" => {
                let number: u64 = labels[labels.len() - 2].trim_start_matches('z').parse().ok()?;
                Reply::to(query, 0, false).name_server(&zone, &format!("ns.z{}.chain.{ZONE}", number + 1))
            }
            // The zone refers to itself for ever.
            "self" => Reply::to(query, 0, false)
                .name_server(&zone, &format!("ns.{zone}"))
                .glue(&format!("ns.{zone}"), ATTACKER),
            // Every label is a delegation.
            "deep" => {
                let ns = format!("ns.{}", query.name);
                Reply::to(query, 0, false).name_server(&query.name, &ns).glue(&ns, ATTACKER)
            }
            // As many servers without address as a message takes.
            "huge" => {
                let mut reply = Reply::to(query, 0, false);
                for server in 0..1_200 {
                    reply = reply.name_server(&zone, &format!("n{server}.{zone}"));
                }
                reply
            }
            _ => denial(query, 3, ZONE),
        })
    });
    let resolver = world.resolver(who);
    let normal = normal(&world, &resolver);
    let deep = vec!["x"; 60].join(".");
    let (mut figures, mut millis, mut dearest) = (Vec::new(), 0.0f64, "");
    for kind in ["chain", "self", "deep", "huge"] {
        let prefix = if kind == "deep" { format!("{deep}.") } else { String::new() };
        let names = (0..10).map(|n| format!("www.{prefix}z{}.{kind}.{ZONE}", n * 1_000));
        let cost = cost(&world, &resolver, names);
        if cost.millis > millis {
            (millis, dearest) = (cost.millis, kind);
        }
        figures.push(at_most(&format!("upstream a query, {kind}"), cost.upstream, 6.0));
    }
    figures.push(at_most(&format!("CPU of a normal cold query, times, worst kind ({dearest})"), millis / normal, 10.0));
    figures
}

fn aliases(who: &str) -> Vec<Figure> {
    const ZONE: &str = "attacker.example.";
    let world = World::new();
    world.serve(ATTACKER, ZONE, |query| {
        let label = query.name.strip_suffix(ZONE)?.trim_end_matches('.');
        let (kind, rest) = label.split_once('-')?;
        let (number, at) = rest.split_once('-')?;
        let at: u32 = at.parse().ok()?;
        let to = |at: u32| format!("{kind}-{number}-{at}.{ZONE}");
        let alias =
            |reply: Reply, from: u32, target: u32| reply.answer(&to(from), CNAME, &wire::compose_name(&to(target)));
        let reply = Reply::to(query, 0, true);
        Some(match kind {
            "one" => alias(reply, at, at + 1),
            "two" => alias(reply, at, 1 - at.min(1)),
            "self" => alias(reply, at, at),
            "bulk" => (at..at + 20).fold(reply, |reply, from| alias(reply, from, from + 1)),
            "same" => (0..40).fold(reply, |reply, target| alias(reply, at, target + 100)),
            _ => denial(query, 3, ZONE),
        })
    });
    let resolver = world.resolver(who);
    let normal = normal(&world, &resolver);
    let (mut figures, mut millis) = (Vec::new(), 0.0f64);
    cost(&world, &resolver, [format!("warm-0-0.{ZONE}")]);
    for (kind, goal) in [("one", 11.0), ("two", 11.0), ("self", 2.0), ("bulk", 2.0), ("same", 11.0)] {
        let cost = cost(&world, &resolver, (0..QUERIES).map(|n| format!("{kind}-{n}-0.{ZONE}")));
        millis = millis.max(cost.millis);
        figures.push(at_most(&format!("upstream a query, {kind}"), cost.upstream, goal));
    }
    figures.push(at_most("CPU of a normal cold query, times", millis / normal, 10.0));
    figures
}

fn circle(who: &str) -> Vec<Figure> {
    // `p3a1` is part 1 of circle 3, of 2 parts (p) or 3 (t); each part's server lies in the next.
    let world = World::with(|query| {
        let label = world::second_level(&query.name).strip_suffix(".example.")?;
        let (count, rest) = match label.split_at_checked(1)? {
            ("p", rest) => (2, rest),
            ("t", rest) => (3, rest),
            _ => return None,
        };
        let (number, part) = rest.split_once('a')?;
        let next = (part.parse::<u32>().ok()? + 1) % count;
        let server = format!("ns.{}{number}a{next}.example.", &label[..1]);
        Some(Reply::to(query, 0, false).name_server(&format!("{label}.example."), &server))
    });
    let resolver = world.resolver(who);
    cost(&world, &resolver, ["www.cold1.example.".to_owned()]);
    let first =
        cost(&world, &resolver, (0..10).flat_map(|n| [format!("www.p{n}a0.example."), format!("www.t{n}a0.example.")]));
    let repeats = cost(&world, &resolver, (0..200).map(|_| "www.p0a0.example.".to_owned()));
    vec![
        at_most("first reply ms, slowest of 20", first.slowest.as_secs_f64() * 1_000.0, 20.0),
        at_most("upstream for the first", first.upstream, 4.0),
        at_most("upstream a repeated query", repeats.upstream, 0.0),
    ]
}

fn unreachable(who: &str) -> Vec<Figure> {
    const ZONE: &str = "attacker.example.";
    let world = World::new();
    world.serve(ATTACKER, ZONE, |query| {
        let label = query.name.strip_suffix(ZONE)?.trim_end_matches('.').rsplit('.').next()?.to_owned();
        let (count, number) = label.strip_prefix("fan")?.split_once('-')?;
        let mut reply = Reply::to(query, 0, false);
        for server in 0..count.parse::<u32>().ok()? {
            reply = reply.name_server(&format!("{label}.{ZONE}"), &format!("n{server}-{number}.dead.example."));
        }
        Some(reply)
    });
    let resolver = world.resolver(who);
    cost(&world, &resolver, ["www.cold1.example.".to_owned()]);
    let mut figures = Vec::new();
    for count in [200, 1_500] {
        let (before, queries) = (resolver.server.processor_time(), world.queries());
        let begun = Instant::now();
        let asking: Vec<_> = (0..QUERIES)
            .map(|n| {
                let (address, name) = (resolver.address, format!("www.fan{count}-{n}.{ZONE}"));
                std::thread::spawn(move || {
                    let heard = ask::once(address, &name, A, Duration::from_secs(10));
                    heard.map(|_| begun.elapsed().as_secs_f64())
                })
            })
            .collect();
        let times: Vec<Option<f64>> = asking.into_iter().map(|thread| thread.join().expect("an asker")).collect();
        world::settle(&world);
        let spent = resolver.server.processor_time().saturating_sub(before).as_secs_f64() * 1_000.0;
        let slowest = times.iter().map(|time| time.unwrap_or(f64::INFINITY)).fold(0.0, f64::max);
        figures.push(at_most(&format!("CPU ms a query, {count} servers"), spent / QUERIES as f64, 0.5));
        figures.push(at_most(&format!("slowest reply s, {count} servers"), slowest, 4.55));
        figures.push(told("upstream a query", (world.queries() - queries) as f64 / QUERIES as f64));
    }
    figures
}

fn dead(who: &str) -> Vec<Figure> {
    let servers: Vec<Ipv4Addr> = (11..15).map(|last| Ipv4Addr::new(198, 18, 3, last)).collect();
    let own = servers.clone();
    let world = World::with(move |query| {
        let label = world::second_level(&query.name).strip_suffix(".example.")?;
        let (count, _) = label.strip_prefix("gone")?.split_once('-')?;
        let mut reply = Reply::to(query, 0, false);
        let names: Vec<(String, Ipv4Addr)> = own
            .iter()
            .take(count.parse().ok()?)
            .enumerate()
            .map(|(n, at)| (format!("ns{n}.{label}.example."), *at))
            .collect();
        for (name, _) in &names {
            reply = reply.name_server(&format!("{label}.example."), name);
        }
        Some(names.iter().fold(reply, |reply, (name, at)| reply.glue(name, *at)))
    });
    for server in &servers {
        world.serve_raw(*server, |_| None);
    }
    let resolver = world.resolver(who);
    cost(&world, &resolver, ["www.cold1.example.".to_owned()]);
    let (mut slowest, mut explained, mut most) = (0.0f64, true, 0.0f64);
    for count in [1usize, 2, 4] {
        let before: Vec<u64> = servers.iter().map(|server| world.queries_to(*server)).collect();
        let begun = Instant::now();
        let response = ask::once(resolver.address, &format!("www.gone{count}-1.example."), A, Duration::from_secs(40));
        slowest = slowest.max(response.as_ref().map_or(f64::INFINITY, |_| begun.elapsed().as_secs_f64()));
        explained &= response
            .is_some_and(|response| response.rcode == 2 && response.errors.iter().any(|code| [22, 23].contains(code)));
        world::settle(&world);
        for (server, before) in servers.iter().zip(before) {
            most = most.max((world.queries_to(*server) - before) as f64);
        }
    }
    vec![
        at_most("slowest SERVFAIL s (1, 2, 4 servers)", slowest, 4.55),
        at_least("SERVFAIL with EDE 22 or 23", f64::from(u8::from(explained)), 1.0),
        at_most("queries to one server", most, 3.0),
    ]
}
