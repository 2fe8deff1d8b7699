//! What is said of steering: what arrives of it, and what is said about nonsense.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use super::super::{At, Checked, Config, Fault, Machine, Severity, load};
use super::Steering;
use crate::edge::geoip::Database;
use crate::steer::health::Need;
use crate::steer::health::check::Probe;
use crate::steer::stages::nearest::Within;
use crate::steer::stages::rules::On;
use crate::steer::stages::sticky::Hash;
use crate::steer::stages::tier::Failback;
use crate::steer::{Agree, Client, Family, Key, ScopeCap, StageSpec, Unknown, WhenAllDown};

const MACHINE: Machine = Machine { cores: std::num::NonZeroUsize::new(4).unwrap(), memory: Some(8 << 30) };

fn loaded(text: &str) -> Result<Checked, Vec<Fault>> {
    load(Path::new("etc/bad.yaml"), text.as_bytes(), &MACHINE)
}

fn steering(text: &str) -> Steering {
    let Config { steering, .. } = loaded(text).unwrap_or_else(|faults| panic!("{faults:#?}")).config;
    steering
}

/// What is said about a file, a line each, without the file's name.
fn said(text: &str) -> Vec<String> {
    let noted = match loaded(text) {
        Ok(checked) => checked.lints,
        Err(faults) => faults,
    };
    noted.iter().map(|fault| fault.to_string().strip_prefix("etc/bad.yaml:").unwrap().to_owned()).collect()
}

/// A zone and three members to write policies for.
fn with(policy: &str, terms: &str) -> String {
    format!(
        "zones: {{example.com: {{records: {{www: 192.0.2.1}}}}}}
pools: {{p: {{members: {{a: {{a: 192.0.2.1, at: FRA, group: x}}, b: {{a: 192.0.2.2, at: IAD, group: y}}}}}}}}
steer: {{geo: {{pool: p, policy: {policy}{terms}}}}}
"
    )
}

fn stages(policy: &str) -> Vec<StageSpec> {
    steering(&with(policy, "")).names[0].policy.stages.clone()
}

/// What is said of a policy that is fit for the pool of [`with`], or not.
fn said_of(policy: &str) -> String {
    said(&with(policy, "")).join("\n")
}

const COMMON: &str = r"
checks:
  web: {https: /healthz, expect: 200, every: 10s, timeout: 3s, fall: 3, rise: 2}
  tcp: {tcp: 443, every: 5s}
ecs:  {accept: true, max: 24/56}
";
const WWW: &str = r#"
  www:
    check: web
    members:
      fra: {a: 192.0.2.10,    aaaa: "2001:db8:f::10", at: FRA}             # airport code or [lat, lon]
      iad: {a: 198.51.100.10, aaaa: "2001:db8:a::10", at: [39.04, -77.49]}
      sin: {a: 203.0.113.10,  at: SIN}
"#;
const ZONE: &str = "
zones:
  example.com:
    file: example.com.zone
";

#[test]
fn shares_failover_and_their_terms_arrive() {
    let text = format!(
        "{COMMON}
pools:
  api: {{check: tcp, members: {{big: {{a: 192.0.2.1, weight: 3}}, small: {{a: 192.0.2.2, weight: 1}}, spare: {{a: 192.0.2.3, weight: 0}}}}}}
  db: {{check: tcp, members: {{primary: {{a: 192.0.2.5, tier: 1}}, standby: {{a: 198.51.100.5, tier: 2}}}}}}
{ZONE}    steer: {{api: {{pool: api, policy: weighted, ttl: 30}}}}
steer:
  db: {{pool: db, policy: [tier: {{failback: 10m}}], ttl: 15..60, when_all_down: nodata}}
"
    );
    assert_eq!(said(&text), [""; 0]);
    let steering = steering(&text);
    let [api, db] = steering.names.as_slice() else { panic!() };
    assert_eq!((api.owner.to_string(), api.terms.ttl_min, api.terms.ttl_max), ("api.example.com.".into(), 30, 30));
    assert_eq!(api.policy.stages, [StageSpec::Weighted]);
    let weights: Vec<f64> = steering.pools[0].pool.members().iter().map(|member| member.weight.value()).collect();
    assert_eq!(weights, [3.0, 1.0, 0.0]);
    assert_eq!((db.terms.ttl_min, db.terms.ttl_max, db.terms.when_all_down), (15, 60, WhenAllDown::NoData));
    assert!(
        matches!(db.policy.stages.as_slice(), [StageSpec::Tier(tier)] if tier.failback == Failback::After(Duration::from_secs(600)))
    );
    let tcp = &steering.pools[1].checks[0];
    assert_eq!(tcp.probe, Probe::Tcp { port: 443, send: None, expect: None });
    assert_eq!((tcp.timing.interval, tcp.timing.fall), (Duration::from_secs(5), 3));
}

#[test]
fn places_stickiness_cohorts_and_scores_arrive() {
    let text = format!(
        "{COMMON}
feeds:
  load: {{http: \"http://{{member}}/load\", field: .cpu, every: 5s, max_age: 15s}}
  latency: {{push: true}}
pools:{WWW}
  sorry: {{members: {{static: {{a: 192.0.2.99}}}}}}
  shop: {{members: {{old: {{a: 192.0.2.7, group: stable}}, new: {{a: 192.0.2.8, group: canary}}}}}}
policies:
  near:
    - rules: {{cidr: {{10.0.0.0/8: fra}}, asn: {{64500: sin}}, geo: {{EU: [fra], NA-US-HI: [sin, iad]}}}}
    - nearest: {{within: 10%, bias: {{iad: +20}}}}
    - weighted
  ab: [cohort: {{seed: checkout-7, split: {{stable: 80, canary: 20}}}}, weighted]
  best:
    - shed:  {{metric: load, low: 70, high: 95}}
    - score: {{latency: 0.5, load: 0.3, cost: 0.2, margin: 10%}}
    - weighted
{ZONE}
steer:
  www: {{pool: www, policy: near, when_all_down: {{fallback: sorry}}}}
  cache: {{pool: www, policy: [sticky: {{key: 24/56, hash: rendezvous}}]}}
  shop: {{pool: shop, policy: ab}}
  video.example.com.: {{pool: www, policy: best, answers: 2}}
"
    );
    assert_eq!(said(&text), [""; 0]);
    let steering = steering(&text);
    let [www, cache, shop, video] = steering.names.as_slice() else { panic!() };
    assert_eq!(www.fallback, Some(steering.pools[1].pool.id()));
    assert_eq!((&*www.policy.name, &*cache.policy.name), ("near", "sticky"));
    let [StageSpec::Rules(rules), StageSpec::Nearest { within, bias, .. }, StageSpec::Weighted] =
        www.policy.stages.as_slice()
    else {
        panic!("{:?}", www.policy.stages)
    };
    assert_eq!(
        rules.iter().map(|rule| rule.on.to_string()).collect::<Vec<_>>(),
        ["10.0.0.0/8", "AS64500", "EU", "NA-US-HI"]
    );
    assert_eq!(*rules[3].prefer, ["sin".into(), "iad".into()]);
    assert_eq!((*within, bias.as_slice()), (Within::Share(0.1), [("iad".into(), 20.0)].as_slice()));
    assert!(matches!(
        cache.policy.stages.as_slice(),
        [StageSpec::Sticky { key: Key::Prefix(24, 56), hash: Hash::Rendezvous, .. }]
    ));
    assert!(
        matches!(shop.policy.stages.as_slice(), [StageSpec::Cohort { split, .. }, StageSpec::Weighted] if split.len() == 2)
    );
    assert_eq!((video.owner.to_string(), video.terms.answers), ("video.example.com.".to_owned(), 2));
    // The feeds that a policy reads are those of the pools that it steers.
    let feeds = |pool: usize| steering.pools[pool].feeds.iter().map(|feed| &*feed.name).collect::<Vec<_>>();
    assert_eq!((feeds(0), feeds(1)), (vec!["latency", "load"], vec![]));
    let place = &steering.pools[0].pool.members()[1].place;
    assert_eq!((place.latitude, place.longitude), (Some(39.04), Some(-77.49)));
}

#[test]
fn every_stage_word_is_read_with_all_that_it_can_be_told() {
    for word in StageSpec::WORDS {
        if let Some(stage) = StageSpec::from_word(word) {
            let read = stages(word);
            assert_eq!(read.len(), 1, "{word}");
            assert_eq!(read[0], stage, "{word}");
            assert_eq!(stages(&format!("[{{{word}: }}]")), read, "{word}");
        }
    }
    let one = |text: &str| stages(text).remove(0);
    assert!(
        matches!(one("{tier: {failback: manual, trickle: 5%}}"), StageSpec::Tier(tier) if (tier.trickle - 0.05).abs() < 1e-9)
    );
    assert!(matches!(one("{nearest: {within: 150km, fallback: [b, a]}}"),
        StageSpec::Nearest { within: Within::Kilometres(150.0), fallback, .. } if fallback.len() == 2));
    assert!(matches!(
        one("{sticky: {key: subnet/20/48, hash: ring, vnodes: 200, seed: s, return: lazy}}"),
        StageSpec::Sticky { key: Key::Prefix(20, 48), hash: Hash::Ring { vnodes: 200 }, seed: Some(_), lazy_return }
            if lazy_return == Duration::from_secs(600)
    ));
    for (text, key) in [("asn", Key::Asn), ("country", Key::Country), ("resolver", Key::Resolver)] {
        assert!(
            matches!(one(&format!("{{sticky: {{key: {text}}}}}")), StageSpec::Sticky { key: read, .. } if read == key)
        );
    }
    assert_eq!(one("{bandit: {min: 0.1, max: 80%}}"), StageSpec::Bandit { min: 0.1, max: 0.8 });
    assert_eq!(one("{first: 2}"), StageSpec::First(2));
    assert!(
        matches!(one("{fence: {geo: {EU: a}, same: country, on_empty: open}}"), StageSpec::Fence { rules, same: Some(_), .. } if rules.len() == 1)
    );
    assert!(matches!(one("{rules: {city: {Hilo: [b, \"!a\"]}, default: {bias: {a: -5}}}}"),
        StageSpec::Rules(rules) if matches!(rules[0].on, On::City(_)) && rules[0].exclude.len() == 1 && rules[1].bias.len() == 1));
}

#[test]
fn the_names_that_others_use_stand_for_stages() {
    assert_eq!(stages("smooth_weighted_round_robin"), [StageSpec::RoundRobin { is_smooth: true }]);
    assert_eq!(stages("least_connections"), stages("least_conn"));
    assert_eq!(stages("least_response_time"), stages("fastest"));
    assert!(matches!(stages("ip_hash").as_slice(), [StageSpec::Sticky { key: Key::Prefix(32, 128), .. }]));
    assert!(matches!(
        stages("consistent_hash").as_slice(),
        [StageSpec::Sticky { hash: Hash::Ring { vnodes: 160 }, .. }]
    ));
    assert_eq!(stages("power_of_two_choices"), stages("p2c"));
    assert_eq!(stages("{active_passive: {failback: manual}}"), stages("{tier: {failback: manual}}"));
}

#[test]
fn a_policy_can_say_whose_place_counts_and_a_name_on_what_terms_it_is_steered() {
    let text = with(
        "{stages: [nearest, {weighted: {agree: ttl}}], client: resolver, unknown: resolver}",
        ", family: nearest_with, panic_below: 50%, answers: all, when_all_down: last_good, ttl: 1m",
    );
    let steering = steering(&text);
    let name = &steering.names[0];
    assert_eq!((name.policy.client, name.policy.unknown), (Client::Resolver, Unknown::Resolver));
    let terms = &name.terms;
    assert_eq!((terms.family, terms.agree, terms.ttl_max), (Family::NearestWith, Agree::Ttl, 60));
    assert_eq!((terms.panic_below, terms.answers, terms.when_all_down), (0.5, 256, WhenAllDown::LastGood));
    let own = steering_terms_agree(&with("{weighted: {agree: ttl}}", ", agree: no"));
    assert_eq!(own, Agree::No, "a name's own word goes before its policy's");
}

fn steering_terms_agree(text: &str) -> Agree {
    steering(text).names[0].terms.agree
}

#[test]
fn every_kind_of_check_is_read() {
    let steering = steering(
        r#"
startup_timeout: 2s
checks:
  web: {http: /, host: www.example.com, port: 8080, method: HEAD, expect: [200, 300..399], body: ok, clear: 5, slow_start: 0}
  tls: {tls: 8443, host: www.example.com, verify: false}
  smtp: {tcp: 25, send: "QUIT\r\n", expect: "220"}
  dns: {dns: {name: example.com, type: SOA, rcode: REFUSED, port: 5353, tcp: true}}
  ping: {icmp: true}
  script: {command: [/usr/lib/up, "{address}"], timeout: 1s}
  bare: {command: up}
  file: {file: health.txt, max_age: 1m}
  push: {push: true, every: 5s}
pools:
  p: {check: [web, tls, smtp], need: 2, members: {a: 192.0.2.1}}
  q: {check: [ping], need: any, members: {a: [192.0.2.1, "2001:db8::1"]}}
zones: {example.com: {records: {ns: 192.0.2.1}, steer: {p: {pool: p}, "@": {pool: q}}}}
"#,
    );
    assert_eq!(steering.startup_timeout, Duration::from_secs(2));
    let probes: Vec<&Probe> = steering.checks.iter().map(|check| &check.probe).collect();
    let [
        Probe::Http(http),
        Probe::Tls { verifies: false, port: 8443, .. },
        Probe::Tcp { port: 25, .. },
        dns,
        Probe::Icmp,
        script,
        bare,
        file,
        push,
    ] = probes.as_slice()
    else {
        panic!("{probes:#?}")
    };
    assert_eq!(
        (http.is_tls, http.port, http.method, &*http.statuses),
        (false, 8080, "HEAD", [(200, 200), (300, 399)].as_slice())
    );
    assert!(matches!(dns, Probe::Dns { port: 5353, is_tcp: true, rcode, .. } if rcode.to_string() == "REFUSED"));
    assert!(
        matches!(script, Probe::Command { program, arguments } if program == Path::new("/usr/lib/up") && arguments.len() == 1)
    );
    assert!(matches!(bare, Probe::Command { program, .. } if program == Path::new("up")));
    assert!(
        matches!(file, Probe::File { path, age_max } if path == Path::new("etc/health.txt") && age_max.as_secs() == 60)
    );
    assert!(matches!(push, Probe::Push { age_max } if age_max.as_secs() == 15));
    assert_eq!((steering.checks[0].timing.clear, steering.checks[0].timing.slow_start), (5, Duration::ZERO));
    assert_eq!((steering.pools[0].need, steering.pools[1].need), (Need::Count(2), Need::Any));
    assert_eq!(steering.pools[1].pool.members()[0].aaaa.len(), 1);
    assert_eq!(steering.names[1].owner, steering.names[1].zone);
}

#[test]
fn members_take_what_they_do_not_say_from_their_pool() {
    let steering = steering(
        r#"
pools:
  p:
    weight: 2
    tier: 3
    at: FRA
    https: {alpn: [h2, h3], target: www.example.net}
    members:
      a: {a: 192.0.2.1}
      b: {aaaa: "2001:db8::1", weight: 5, tier: 1, cost: 0.5, capacity: 100, group: blue, at: IAD, in: NA-US}
      c: {srv: {port: 443, target: c.example.net, priority: 1}, at: paris}
zones: {example.com: {records: {ns: 192.0.2.1}, steer: {p: {pool: p, policy: tier}}}}
"#,
    );
    let members = steering.pools[0].pool.members();
    assert_eq!((members[0].weight.value(), members[0].tier), (2.0, 3));
    assert_eq!((members[1].weight.value(), members[1].tier, members[1].cost), (5.0, 1, 0.5));
    assert_eq!(members[0].service.as_ref().unwrap().alpn.len(), 2);
    assert!(members[0].place.to_string().starts_with("EU-DE, 50.0"), "{}", members[0].place);
    assert_eq!(members[2].place.to_string(), "EU-FR, Paris, 48.85 2.35");
    assert!(members[1].place.to_string().starts_with("NA-US, 38.9"), "{}", members[1].place);
    assert_eq!(members[2].srv.as_ref().unwrap().port, 443);
}

#[test]
fn databases_are_laid_over_one_another_and_the_usual_city_file_may_be_missing() {
    let folder = tempfile::tempdir().unwrap();
    let geo = |text: &str| {
        let file = folder.path().join("x.yaml");
        load(&file, text.as_bytes(), &MACHINE).map(|checked| checked.config.steering.geo)
    };
    assert_eq!(geo("").unwrap(), [Database::Builtin]);
    assert_eq!(geo("geo: {city: geoip/city.mmdb}").unwrap(), [Database::Builtin]);
    assert_eq!(geo("geo: off").unwrap(), []);
    let faults = geo("geo: {city: own.mmdb}").unwrap_err();
    assert_eq!((faults[0].key.as_str(), faults[0].at), ("geo.city", At { line: 1, column: 13 }));
    std::fs::create_dir(folder.path().join("geoip")).unwrap();
    for name in ["geoip/city.mmdb", "own.mmdb", "as.mmdb"] {
        std::fs::write(folder.path().join(name), "").unwrap();
    }
    assert_eq!(geo("").unwrap(), [Database::file(folder.path().join("geoip/city.mmdb")), Database::Builtin]);
    let all =
        geo("geo: {city: [own.mmdb, geoip/city.mmdb], country: off, asn: {file: as.mmdb, fields: {asn: as.number}}}");
    let all = all.unwrap();
    assert_eq!(all.len(), 3);
    assert!(matches!(&all[2], Database::File { fields, .. } if fields.asn.is_some()));
    assert_eq!(steering("").ecs, Some(ScopeCap { v4: 24, v6: 56 }));
    assert_eq!(steering("ecs: {max: 20/48}").ecs, Some(ScopeCap { v4: 20, v6: 48 }));
    assert_eq!((steering("ecs: off").ecs, steering("ecs: {accept: false}").ecs), (None, None));
}

#[test]
fn what_is_wrong_with_a_policy_is_said_in_these_words() {
    let at = |column: usize, rest: &str| format!("3:{column}: steer.geo.policy{rest}");
    let table = [
        (
            "wieghted",
            at(
                32,
                ": found \"wieghted\", allowed: the name of something under `policies:`, where nothing stands yet; or a stage word such as weighted (did you mean weighted?)",
            ),
        ),
        (
            "cohort",
            at(
                32,
                ": found \"cohort\", allowed: what it is to do, such as cohort: {seed: trial-1, split: {stable: 80, canary: 20}}",
            ),
        ),
        (
            "[{nearest: , weighted: }]",
            at(33, "[0]: found 2 words in one stage, allowed: one word a stage; stages are items of a list"),
        ),
        (
            "{score: {cost: 0.5, load: 0.3}}",
            at(40, ".score: found shares that sum to 0.8, allowed: shares that sum to 1"),
        ),
        (
            "{rules: {geo: {US: a}}}",
            at(
                47,
                ".rules.geo.US: found \"US\", allowed: a continent, country or subdivision such as EU, NA-US or NA-US-HI (a bare code is a continent)",
            ),
        ),
        (
            "{rules: {geo: {EU: c}}}",
            at(32, ": found the policy rules does not fit the pool p: the pool has no member c"),
        ),
        (
            "{fence: continent}",
            at(
                32,
                ": found the policy fence does not fit the pool p: the fence needs `when_all_down: {fallback: POOL}`, or `on_empty: open` or `nodata`",
            ),
        ),
        (
            "{cohort: {split: {z: 100}}}",
            at(32, ": found the policy cohort does not fit the pool p: no member is in the group z"),
        ),
        ("{sticky: {vnodes: 3}}", at(50, ".sticky.vnodes: found 3, allowed: nothing, unless with `hash: ring`")),
        (
            "{shed: {low: 9, high: 3}}",
            at(32, ": found the policy shed does not fit the pool p: low or high of shed is out of range"),
        ),
        (
            "[]",
            at(
                32,
                ": found [], allowed: a stage such as weighted, a list of stages such as [nearest: {within: 10%}, weighted], or {stages: [...], client: auto}",
            ),
        ),
        ("{weighted: {wieght: 3}}", at(44, ".weighted.wieght: found the unknown key \"wieght\", allowed: agree")),
    ];
    let said: Vec<String> = table.iter().map(|(policy, _)| said_of(policy)).collect();
    let wanted: Vec<String> =
        table.iter().map(|(_, wanted)| wanted.replace(": found the policy", ": the policy")).collect();
    assert_eq!(said, wanted);
}

#[test]
fn what_is_questionable_is_a_lint() {
    let lint = |policy: &str, terms: &str| said(&with(policy, terms)).join("\n");
    assert!(lint("{fence: {same: continent, on_empty: nodata}}", "").contains("or a TTL of at most 10s"));
    assert!(lint("p2c", "").contains("lint: found the metric load, which no feed tells"));
    assert!(
        lint("{cohort: {split: {x: 100}}}", "")
            .contains("lint: found the member p/b, which is in no group of the split")
    );
    assert!(lint("{cohort: {split: {x: 70, y: 20}}}", "").contains("lint: found shares that sum to 90"));
    assert_eq!(lint("nearest", ""), "");
    let slow = with("{least_conn: {mode: min}}", ", ttl: 30") + "feeds: {conns: {push: true}}\n";
    assert!(said(&slow)[0].contains("`mode: min` with the feed conns every 10s and a TTL of 30s"), "{:?}", said(&slow));
    let idle = with("weighted", "").replace("pools: {", "pools: {idle: {members: {a: 192.0.2.9}}, ");
    assert_eq!(
        said(&idle),
        ["2:9: pools.idle: lint: found a pool that no name answers from, better: a name under `steer`, or no pool"]
    );
    let tiers = with("weighted", "").replace("group: y", "tier: 2");
    assert!(said(&tiers)[0].contains("tiers in the pool p, which the policy weighted ignores"), "{:?}", said(&tiers));
    let nowhere = with("nearest", "").replace("at: IAD, ", "");
    assert!(
        said(&nowhere)[0].contains("the member p/b, which has no place, and no rule names it"),
        "{:?}",
        said(&nowhere)
    );
    let fenced = with("{fence: {same: country, on_empty: open}}", "").replace("at: IAD", "at: [1, 2]");
    assert!(
        said(&fenced)[0].contains("the member p/b, which is in no place that the fence could compare"),
        "{:?}",
        said(&fenced)
    );
    assert!(loaded(&nowhere).unwrap().lints.iter().all(|lint| lint.severity == Severity::Lint));
}

#[test]
fn what_does_not_go_together_is_a_fault() {
    let zone = "zones: {example.com: {records: {ns: 192.0.2.1}}, example.net: {records: {ns: 192.0.2.1}}}\n";
    let pools = "pools: {p: {members: {a: 192.0.2.1}}, alias: {members: {a: {cname: www.example.net}}}}\n";
    let table = [
        (
            "steer: {www: {pool: p}, p.example.net: {pool: p}, alias.example.net: {pool: alias}}",
            "3:9: steer.www: found \"www\", allowed: a whole name in one of the zones, such as www.example.com",
        ),
        (
            "steer: {example.net: {pool: alias}, p.example.net: {pool: p}}",
            "3:29: steer.\"example.net\".pool: found the pool alias, whose members are aliases, allowed: members with addresses, as no CNAME may stand at a zone's own name",
        ),
        (
            "steer: {a.example.net: {pool: alias, answers: 2}, p.example.net: {pool: p}}",
            "3:31: steer.\"a.example.net\".pool: found the pool alias, whose members are aliases, allowed: `answers: 1`, as a CNAME is answered alone",
        ),
        (
            "steer: {a.example.net: {pool: q}}",
            "3:31: steer.\"a.example.net\".pool: found \"q\", allowed: a name under `pools:`: alias, p",
        ),
        (
            "steer: {a.example.net: {pool: p}, A.example.net.: {pool: p}}",
            "3:35: steer.\"A.example.net.\": found the name A.example.net. again, allowed: each name once",
        ),
        (
            "steer: {a.example.net: {pool: p, when_all_down: {fallback: p}}}",
            "3:60: steer.\"a.example.net\".when_all_down.fallback: found \"p\", allowed: another pool than the one that is down",
        ),
        (
            "steer: {a.example.net: {pool: p, ttl: 60..15}}",
            "3:39: steer.\"a.example.net\".ttl: found \"60..15\", allowed: seconds such as 60, or the least and the most such as 15..60; at most 7d",
        ),
        (
            "policies: {weighted: [first]}",
            "3:12: policies.weighted: found the stage word weighted, allowed: a name of its own",
        ),
    ];
    for (steer, wanted) in table {
        let faults = loaded(&format!("{zone}{pools}{steer}\n")).unwrap_err();
        let said: Vec<String> = faults
            .iter()
            .filter(|fault| fault.severity == Severity::Fault)
            .map(|fault| fault.to_string().replace("etc/bad.yaml:", ""))
            .collect();
        assert_eq!(said, [wanted]);
    }
    let table = [
        ("{primaries: [192.0.2.1], steer: {a: {pool: p}}}", "nothing, as a secondary has the data of its primaries"),
        (
            "{records: {ns: 192.0.2.1}, update: [{key: k}], steer: {a: {pool: p}}}",
            "nothing, as the zone is changed by dynamic update, which knows nothing of steered names",
        ),
    ];
    for (zone, wanted) in table {
        let text = format!(
            "keys: {{k: {{secret: aGVsbG8=}}}}\npools: {{p: {{members: {{a: 192.0.2.1}}}}}}\nzones: {{example.com: {zone}}}\n"
        );
        let faults = loaded(&text).unwrap_err();
        let faults: Vec<&Fault> = faults.iter().filter(|fault| fault.severity == Severity::Fault).collect();
        assert_eq!((faults.len(), faults[0].allowed.as_str()), (1, wanted));
    }
}

#[test]
fn what_is_wrong_with_checks_feeds_and_members_is_said_where_it_stands() {
    let text = r#"
checks:
  none: {every: 5s}
  two: {tcp: 80, icmp: true}
  slow: {tcp: 80, every: 1s, timeout: 2s}
  port: {tcp: 0}
  web: {http: healthz, verify: false}
feeds:
  load: {http: "ftp://x", every: 5s}
  cpu: {http: "http://{memer}/"}
  both: {push: true, http: "http://x/"}
pools:
  p/q: {members: {a: 192.0.2.1}}
  p:
    check: [web, wbe]
    need: 3
    members:
      a: {at: nowhere, weight: -1, a: 192.0.2.1}
      b: {}
      c: {cname: www.example.net, a: 192.0.2.1}
      d: example
"#;
    let said = said(text);
    let keys: Vec<&str> = said.iter().map(|line| line.split(": ").nth(1).unwrap()).collect();
    assert_eq!(
        keys,
        [
            "checks.none",
            "checks.two.icmp",
            "checks.slow.timeout",
            "checks.port.tcp",
            "checks.web.http",
            "checks.web.verify",
            "feeds.load.http",
            "feeds.cpu.http",
            "feeds.both",
            "pools.\"p/q\"",
            "pools.p.check[0]",
            "pools.p.check[1]",
            "pools.p.need",
            "pools.p.members.a.at",
            "pools.p.members.a.weight",
            "pools.p.members.b",
            "pools.p.members.c",
            "pools.p.members.c",
            "pools.p.members.d",
        ],
        "{said:#?}"
    );
}

#[test]
fn a_large_configuration_arrives_whole() {
    let mut text = String::from("checks: {web: {https: /, every: 10s}}\npools:\n");
    for pool in 0..10 {
        writeln!(text, "  p{pool}:\n    check: web\n    members:").unwrap();
        for member in 0..1_000 {
            writeln!(text, "      m{member}: {{a: 10.{pool}.{}.{}, at: FRA}}", member / 250, member % 250).unwrap();
        }
    }
    text += "policies:\n  near:\n    - rules:\n        cidr:\n";
    for network in 0..1_000 {
        writeln!(text, "          10.{}.{}.0/24: m{network}", network / 250, network % 250).unwrap();
    }
    text += "    - nearest\n    - sticky: {hash: ring}\nzones: {example.com: {records: {ns: 192.0.2.1}}}\nsteer:\n";
    for name in 0..1_000 {
        writeln!(text, "  n{name}: {{pool: p{}, policy: near}}", name % 10).unwrap();
    }
    let steering = steering(&text);
    assert_eq!((steering.pools.len(), steering.names.len(), steering.policies.len()), (10, 1_000, 1));
    assert_eq!(steering.pools.iter().map(|settings| settings.pool.members().len()).sum::<usize>(), 10_000);
    assert!(steering.names.iter().all(|name| std::sync::Arc::ptr_eq(&name.policy, &steering.policies[0])));
}

#[test]
fn a_service_of_the_cluster_is_a_member() {
    let text = "kubernetes: {}\npools:\n  p:\n    members:\n      a: {service: shop/web, weight: 3}\n      b: {service: shop/db, addresses: endpoints}\n      c: {service: x/y, addresses: external, tier: 2}\n      d: 192.0.2.1\n";
    let steering = steering(text);
    let members = steering.pools[0].pool.members();
    let listed = |at: usize| members[at].listed.as_ref().map(|listed| listed.service().to_string());
    let [a, b, c, d] = [0, 1, 2, 3].map(listed);
    assert_eq!(
        [a, b, c],
        ["shop/web (cluster)", "shop/db (endpoints)", "x/y (external)"].map(|it| Some(it.to_owned()))
    );
    assert!(d.is_none() && members[0].weight.value() > 2.0 && members[2].tier == 2);
    let said = said(
        "pools: {p: {members: {a: {service: shop}, b: {service: a/b, a: 192.0.2.1}, c: {service: A/b}, d: {addresses: all}}}}",
    );
    assert!(said.len() >= 4, "{said:#?}");
    let lints = self::said(&text.replace("kubernetes: {}\n", ""));
    assert!(lints.iter().any(|lint| lint.contains("a service beside no cluster")), "{lints:#?}");
}
