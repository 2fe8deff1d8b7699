//! The metrics of a running server: lawful in both formats, in agreement with what was asked, bounded whatever is
//! asked, and never going back.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::float_cmp,
    clippy::disallowed_methods,
    reason = "a test may fail, and lives in real time; counts are whole numbers"
)]

mod support;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use meridian::edge::admin::catalogue;
use support::mmdb::{self, Datum};
use support::process::Server;
use support::scrape::{Format, Scrape, fetch, read, request, scrape};
use support::tree::{self, Tree};
use support::{ask, namespace, wait, wire};

const A: u16 = 1;
const AAAA: u16 = 28;
const AXFR: u16 = 252;
const WAIT: Duration = Duration::from_secs(10);

/// A zone, two pools with checks whose results are pushed, and a database of two countries.
const CONFIGURATION: &str = r#"
listen: ["127.0.0.1:0"]
admin: 127.0.0.1:0
workers: 2
recursion: off
geo: {country: places.mmdb}
ecs: {accept: true, max: 24/56}
checks:
  told: {push: true, max_age: 1h}
pools:
  www:
    check: told
    members: {fra: {a: 192.0.2.1, at: FRA}, kef: {a: 192.0.2.2, at: KEF}}
  api: {members: {one: 192.0.2.3}}
zones:
  example.com:
    records: ["@ SOA ns h 4711 3600 600 86400 60", "@ NS ns.example.net.", "host A 192.0.2.9", "host TXT a b"]
    steer:
      www: {pool: www, policy: {nearest: {}}, ttl: 5}
      api: {pool: api, policy: weighted, ttl: 5}
  'od\"d.example': {records: ["@ SOA ns h 5 3600 600 86400 60", "@ NS ns.example.net."]}
"#;

struct World {
    server: Server,
    address: SocketAddr,
    admin: SocketAddr,
    directory: tempfile::TempDir,
}

fn start(configuration: &str) -> World {
    start_asking(configuration, "host.example.com.")
}

/// Starts a server that is up when it answers for `first`.
fn start_asking(configuration: &str, first: &str) -> World {
    let directory = tempfile::tempdir().unwrap();
    let country = |code: &str| Datum::Map(vec![("country", Datum::Map(vec![("iso_code", Datum::text(code))]))]);
    let (germany, iceland) = (country("DE"), country("IS"));
    let entries = [("20.1.0.0".parse().unwrap(), 16, &germany), ("20.2.0.0".parse().unwrap(), 16, &iceland)];
    std::fs::write(directory.path().join("places.mmdb"), mmdb::write(entries, 6, 28)).unwrap();
    configure(directory.path(), configuration);
    let command = [env!("CARGO_BIN_EXE_meridian"), "serve", "--config", "meridian.yaml"];
    let mut server = Server::start("meridian", directory.path(), &command);
    let address = server.listens_on();
    server.wait_until_it_answers_at(address, (first, A));
    let admin = server.is_administered_on();
    World { server, address, admin, directory }
}

fn configure(directory: &Path, text: &str) {
    std::fs::write(directory.join("meridian.yaml"), text).unwrap();
}

/// Scrapes until `is_there`, as what was sent may still be on its way.
fn until(admin: SocketAddr, what: &str, is_there: impl Fn(&Scrape) -> bool) -> Scrape {
    wait::until(what, || Some(scrape(admin)).filter(&is_there))
}

fn send(address: SocketAddr, query: &[u8]) {
    let socket = ask::socket(address);
    socket.send(query).unwrap();
    socket.set_read_timeout(Some(WAIT)).unwrap();
    socket.recv(&mut [0; 4_096]).unwrap();
}

fn send_silently(address: SocketAddr, datagram: &[u8]) {
    ask::socket(address).send(datagram).unwrap();
}

/// Every counter of `before` is told again, and none is less.
#[track_caller]
fn nothing_went_back(before: &Scrape, after: &Scrape) {
    for (series, value) in before.growing() {
        let now = after.series.get(series).unwrap_or_else(|| panic!("{series:?} is gone"));
        assert!(*now >= value, "{series:?} went from {value} to {now}");
    }
}

#[test]
fn the_numbers_are_those_of_the_queries_that_were_asked() {
    let World { address, admin, server, directory: _directory } = start(CONFIGURATION);
    let before = scrape(admin);
    let ask = |name: &str, rtype: u16| ask::once(address, name, rtype, WAIT).unwrap();
    for _ in 0..20 {
        ask("host.example.com.", A);
    }
    for _ in 0..10 {
        ask("host.example.com.", AAAA);
    }
    for number in 0..5 {
        ask(&format!("nobody-{number}.example.com."), A);
    }
    for _ in 0..3 {
        ask("host.example.org.", 4_711);
    }
    for _ in 0..2 {
        ask::over_tcp(address, "host.example.com.", A, WAIT).unwrap();
    }
    let subnet = |text: &str| wire::compose_for(7, "www.example.com.", A, text.parse().unwrap(), 24);
    for (network, times) in [("20.1.7.0", 7), ("20.2.7.0", 4), ("20.3.7.0", 2)] {
        (0..times).for_each(|_| send(address, &subnet(network)));
    }
    for _ in 0..6 {
        ask("api.example.com.", A);
    }
    assert_eq!(ask::over_tcp(address, "example.com.", AXFR, WAIT).unwrap().rcode, 5, "nobody may transfer");
    send_silently(address, &[1, 2, 3]);
    let mut response = wire::compose(7, "host.example.com.", A, None);
    response[2] |= 0x80;
    (0..2).for_each(|_| send_silently(address, &response));
    let after = until(admin, "all is counted", |now| {
        let grown = |name: &str, labels: &[(&str, &str)]| now.one(name, labels) - before.one(name, labels);
        grown("meridian_silences_total", &[("cause", "response")]) == 2.0
            && grown("meridian_silences_total", &[("cause", "short")]) == 1.0
            && grown("meridian_transfers_out_total", &[("outcome", "refused")]) == 1.0
            // A response is sent before its time is noted.
            && now.sum("meridian_response_duration_seconds_count") == now.sum("meridian_responses_total")
    });
    let grown = |name: &str, labels: &[(&str, &str)]| after.one(name, labels) - before.one(name, labels);
    let udp = 20 + 10 + 5 + 3 + 13 + 6;
    assert_eq!(
        grown("meridian_queries_total", &[("transport", "udp")]),
        f64::from(udp + 3),
        "silences are counted too"
    );
    assert_eq!(grown("meridian_queries_total", &[("transport", "tcp")]), 3.0);
    for (rtype, count) in [("A", 20 + 5 + 2 + 13 + 6), ("AAAA", 10), ("AXFR", 1), ("other", 3), ("MX", 0)] {
        assert_eq!(grown("meridian_query_types_total", &[("type", rtype)]), f64::from(count), "{rtype}");
    }
    for (rcode, count) in [("NOERROR", 20 + 10 + 2 + 13 + 6), ("NXDOMAIN", 5), ("REFUSED", 3), ("SERVFAIL", 0)] {
        assert_eq!(grown("meridian_responses_total", &[("rcode", rcode)]), f64::from(count), "{rcode}");
    }
    // Whatever a worker answered took its time; what is remembered and what not.
    let times = |source| grown("meridian_response_duration_seconds_count", &[("source", source)]);
    assert_eq!(times("recalled") + times("composed"), f64::from(udp + 2));
    assert_eq!(times("recalled"), after.sum("meridian_recalled_total") - before.sum("meridian_recalled_total"));
    assert!(times("recalled") > 20.0 && times("composed") > 8.0 && times("resolved") == 0.0);
    let took = after.one("meridian_response_duration_seconds_sum", &[("source", "recalled")]);
    assert!(took > 0.0 && took < 60.0, "{took}");

    let answers = |pool, member| after.one("meridian_member_answers_total", &[("pool", pool), ("member", member)]);
    let (fra, kef) = (answers("www", "fra"), answers("www", "kef"));
    assert!(fra >= 7.0 && kef >= 4.0 && fra + kef == 13.0, "{fra} {kef}");
    assert_eq!(answers("api", "one"), 6.0);
    let country = |code: &str| after.or_zero("meridian_steered_answers_total", &[("country", code)]);
    assert_eq!((country("DE"), country("IS"), country("unknown")), (7.0, 4.0, 2.0 + 6.0));

    let zone = [("zone", "example.com.")];
    assert_eq!(after.one("meridian_zone_serial", &zone), 4_711.0);
    assert!(after.one("meridian_zone_records", &zone) >= 4.0);
    assert_eq!(after.one("meridian_zone_serial", &[("zone", r#"od\"d.example."#)]), 5.0, "whatever it is called");
    assert_eq!(after.one("meridian_zones", &[("state", "serving")]), 2.0);
    assert_eq!(after.one("meridian_zones", &[("state", "unavailable")]), 0.0);
    assert_eq!(after.one("meridian_config_generation", &[]), 1.0);
    let resident = after.one("process_resident_memory_bytes", &[]) / server.resident() as f64;
    assert!((0.5..2.0).contains(&resident), "{resident} of what the system says");
    assert!(after.one("process_threads", &[]) >= 3.0 && after.one("process_open_fds", &[]) >= 5.0);
    nothing_went_back(&before, &after);
}

#[test]
fn resolving_is_told_with_its_upstreams_and_its_time() {
    const NAME: &str = "resolving_is_told_with_its_upstreams_and_its_time";
    namespace::inside(NAME, tree::PROGRAMS, || {
        let tree = Tree::start();
        let configuration = format!(
            "listen: [\"127.0.0.1:0\"]\nadmin: 127.0.0.1:0\nworkers: 1\n\
             recursion: {{roots: {}, deny_upstreams: [], hosts: off, dnssec: off}}\n",
            tree.hints().display()
        );
        let World { address, admin, server: _server, directory: _directory } =
            start_asking(&configuration, "localhost.");
        let before = scrape(admin);
        for _ in 0..5 {
            assert_eq!(ask::once(address, "www.alpha.example.", A, WAIT).unwrap().rcode, 0);
        }
        let after = scrape(admin);
        let grown = |name: &str, labels: &[(&str, &str)]| after.one(name, labels) - before.one(name, labels);
        let source = |word: &'static str| grown("meridian_response_duration_seconds_count", &[("source", word)]);
        assert_eq!(source("resolved"), 1.0, "the first waited");
        assert_eq!(grown("meridian_cache_misses_total", &[]), 1.0);
        // The second is composed of what the cache has, and from then on it is at hand.
        assert_eq!(grown("meridian_cache_hits_total", &[]), 1.0);
        assert_eq!(grown("meridian_recalled_total", &[]), 3.0);
        let asked = grown("meridian_upstream_queries_total", &[("transport", "udp")]);
        let heard = grown("meridian_upstream_rtt_seconds_count", &[]);
        assert!(asked >= 3.0 && heard >= 3.0 && heard <= asked, "{heard} of {asked}: root, example, alpha");
        let (took, rtt) = ("meridian_response_duration_seconds_sum", "meridian_upstream_rtt_seconds_sum");
        let waited = grown(took, &[("source", "resolved")]);
        assert!(waited > 0.0 && waited < 10.0 && grown(rtt, &[]) > 0.0, "{waited} s");
        assert!(after.one("meridian_cache_entries", &[]) >= 3.0 && after.one("meridian_cache_bytes", &[]) > 0.0);
    });
}

#[test]
fn health_is_told_as_checks_and_people_have_it() {
    let World { admin, server: _server, directory: _directory, .. } = start(CONFIGURATION);
    let put = |path: &str, body: &str| {
        let line = format!("PUT /v1/pools/www/members/kef/{path} HTTP/1.1\r\nContent-Type: application/json");
        let response = request(admin, &line, body);
        assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    };
    let kef = |scrape: &Scrape, name: &str, more: &[(&str, &str)]| {
        scrape.or_zero(name, &[&[("pool", "www"), ("member", "kef")], more].concat())
    };
    let fresh = scrape(admin);
    assert_eq!(kef(&fresh, "meridian_member_usable", &[]), 1.0, "who is unknown counts as healthy");
    assert_eq!(kef(&fresh, "meridian_member_state", &[("state", "UNKNOWN")]), 1.0);
    (0..3).for_each(|_| put("check", r#"{"good": false}"#));
    let down = until(admin, "it is down", |now| kef(now, "meridian_member_usable", &[]) == 0.0);
    assert_eq!(kef(&down, "meridian_member_real_state", &[("state", "DOWN")]), 1.0);
    assert_eq!(kef(&down, "meridian_probes_total", &[("outcome", "bad")]), 3.0);
    assert_eq!(kef(&down, "meridian_probes_total", &[("outcome", "good")]), 0.0);
    put("override", r#"{"action": "up", "for": "1h", "reason": "it is well", "actor": "ann"}"#);
    let forced = until(admin, "it is up", |now| kef(now, "meridian_member_usable", &[]) == 1.0);
    assert_eq!(kef(&forced, "meridian_member_forced", &[("action", "up")]), 1.0);
    assert_eq!(kef(&forced, "meridian_member_state", &[("state", "FORCED_UP")]), 1.0);
    assert_eq!(kef(&forced, "meridian_member_real_state", &[("state", "DOWN")]), 1.0);
}

#[test]
fn no_counter_goes_back_over_a_reload_and_reloads_are_told() {
    let World { server, address, admin, directory } = start(CONFIGURATION);
    let www = wire::compose_for(7, "www.example.com.", A, "20.1.7.0".parse().unwrap(), 24);
    (0..5).for_each(|_| send(address, &www));
    let before = scrape(admin);
    let answers =
        |scrape: &Scrape, member| scrape.one("meridian_member_answers_total", &[("pool", "www"), ("member", member)]);
    assert_eq!(answers(&before, "fra"), 5.0);
    // Another weight, another member, another time to live: everything about the name is built anew.
    let changed = CONFIGURATION
        .replace("{a: 192.0.2.1, at: FRA}", "{a: 192.0.2.1, at: FRA, weight: 2}, osl: {a: 192.0.2.4, at: OSL}");
    let changed = changed.replace("ttl: 5", "ttl: 7");
    assert_ne!(changed, CONFIGURATION);
    configure(directory.path(), &changed);
    server.signal("HUP");
    let after = until(admin, "a reload", |now| {
        now.one("meridian_config_generation", &[]) == 2.0
            || now.one("meridian_config_last_reload_successful", &[]) == 0.0
    });
    assert_eq!(after.one("meridian_config_generation", &[]), 2.0, "{}", server.output());
    nothing_went_back(&before, &after);
    assert_eq!(after.one("meridian_config_last_reload_successful", &[]), 1.0);
    assert_eq!(answers(&after, "osl"), 0.0);
    (0..3).for_each(|_| send(address, &www));
    let later = scrape(admin);
    assert_eq!(answers(&later, "fra"), 8.0);
    nothing_went_back(&after, &later);

    configure(directory.path(), "pools: nonsense\n");
    server.signal("HUP");
    let failed =
        until(admin, "a bad reload", |now| now.one("meridian_reloads_total", &[("outcome", "refused")]) == 1.0);
    assert_eq!(failed.one("meridian_config_last_reload_successful", &[]), 0.0);
    assert_eq!(failed.one("meridian_config_generation", &[]), 2.0);
    assert_eq!(failed.one("meridian_reloads_total", &[("outcome", "done")]), 1.0);
    nothing_went_back(&later, &failed);
}

#[test]
fn both_formats_are_lawful_and_say_what_the_catalogue_says() {
    let World { address, admin, server: _server, directory: _directory } = start(CONFIGURATION);
    send(address, &wire::compose_for(7, "www.example.com.", A, "20.1.7.0".parse().unwrap(), 24));
    let (plain_type, plain) = fetch(admin, "*/*");
    let (open_type, open) = fetch(admin, "application/openmetrics-text; version=1.0.0, text/plain;q=0.5");
    assert_eq!(plain_type, "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(open_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let (plain, open) = (read(&plain, Format::Prometheus), read(&open, Format::OpenMetrics));
    let series = |scrape: &Scrape| scrape.series.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(series(&plain), series(&open));
    let known = catalogue::metrics();
    for (name, kind) in &open.types {
        let metric = known.iter().find(|metric| metric.name == *name).unwrap_or_else(|| panic!("{name} is not known"));
        assert_eq!(metric.kind.word(), kind, "{name}");
        let of_it = |sample: &str| {
            sample
                .strip_prefix(name.as_str())
                .is_some_and(|rest| ["", "_total", "_bucket", "_sum", "_count"].contains(&rest))
        };
        for ((_, labels), _) in open.series.iter().filter(|((sample, _), _)| of_it(sample)) {
            let mut labels: Vec<&str> = labels.keys().map(String::as_str).filter(|label| *label != "le").collect();
            let mut wanted = metric.labels.to_vec();
            labels.sort_unstable();
            wanted.sort_unstable();
            assert_eq!(labels, wanted, "{name}");
        }
    }
    // What nobody was forced to, what is no secondary and what validates nothing has nothing to tell; CoreDNS's names are
    // told to who asks for them.
    let untold = known.iter().map(|metric| metric.name.as_str()).filter(|name| !open.types.contains_key(*name));
    let is_of_others = |name: &&str| {
        ["meridian_cluster", "coredns_", "meridian_anchor_"].iter().any(|beginning| name.starts_with(beginning))
    };
    let untold: Vec<_> = untold.filter(|name| !is_of_others(name)).collect();
    assert_eq!(untold, ["meridian_member_forced", "meridian_probes", "meridian_zone_confirmed_timestamp_seconds"]);
}

#[test]
fn strangers_make_no_series() {
    let World { address, admin, server: _server, directory: _directory } = start(CONFIGURATION);
    let steered = |third: u8| wire::compose_for(7, "www.example.com.", A, [20, third, 0, 0].into(), 24);
    // Of each kind one, so that all series that there can be of it are there.
    (0..3).for_each(|third| send(address, &steered(third)));
    let before = scrape(admin);
    for number in 0..300_u16 {
        ask::once(address, &format!("name-{number}.example-{number}.test."), number * 211 + 256, WAIT).unwrap();
        send(address, &steered(number as u8));
        let mut query = wire::compose(7, &format!("x{number}.example.com."), A, None);
        (query[2], query[3]) = ((number as u8 & 0xF) << 3, number as u8);
        query[2] &= 0x7F;
        send_silently(address, &query);
    }
    let after = scrape(admin);
    let new: Vec<_> = after.series.keys().filter(|series| !before.series.contains_key(*series)).collect();
    assert!(new.is_empty(), "{new:?}");
    assert!(after.series.len() < 500, "{} series", after.series.len());
    nothing_went_back(&before, &after);
}
