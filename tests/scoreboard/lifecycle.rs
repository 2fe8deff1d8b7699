//! R28, R29 and R33: reloads good and bad, sudden ends, and a machine that refuses.
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::load;
use crate::support::process::{self, Server};
use crate::support::{ask, namespace, wire};
use crate::world::{A, World};
use crate::{Figure, Row, at_least, at_most, told};

pub const ROWS: &[Row] = &[
    Row {
        id: "R28",
        what: "100 good reloads, 200 bad ones, under load",
        measure: reload,
        has_peers: false,
        limit_s: 150,
    },
    Row { id: "R29", what: "killed at any moment; a million records", measure: kill, has_peers: false, limit_s: 240 },
    Row {
        id: "R33",
        what: "panics, no descriptors, no room on the disk",
        measure: refusal,
        has_peers: false,
        limit_s: 120,
    },
];

const SERVER: ([u8; 4], u16) = ([127, 0, 0, 10], 53);

fn start(directory: &Path, config: &Path) -> (Server, SocketAddr) {
    let command = [&process::meridian(), "serve", "--config", config.to_str().expect("a plain path")];
    (Server::start("meridian", directory, &command), SERVER.into())
}

fn config(world: &World, records: &str, more: &str) -> String {
    format!(
        "listen: [\"127.0.0.10:53\"]\nadmin: off\nworkers: 1\n{more}recursion:\n  allow: any\n  roots: {}\n  \
         deny_upstreams: []\n  dnssec: off\n  hosts: off\nzones:\n  shop.example:\n    records: |\n      @ NS ns\n      ns A 192.0.2.1\n      \
         www A 192.0.2.2\n{records}",
        world.path().join("root.hints").display(),
    )
}

fn put(world: &World, text: &str) -> PathBuf {
    let file = world.path().join("meridian.yaml");
    std::fs::write(&file, text).expect("a writable directory");
    file
}

/// Ways to spoil a configuration; each takes the text and a number.
const SPOIL: [fn(&str, usize) -> String; 8] = [
    |text, n| format!("{text}unknown{n}: 1\n"),
    |text, n| text.replace("workers: 1", &format!("workers: many{n}")),
    |text, n| text.replace("127.0.0.10:53", &format!("127.0.0.{}:53", 300 + n)),
    |text, n| text.replace("allow: any", &format!("allow: [10.0.0.0/{}]", 33 + n)),
    |text, n| text.replace("www A 192.0.2.2", &format!("www A 192.0.2.{}", 256 + n)),
    |text, n| text.replace("hosts: off", &format!("hosts: {{file: 3, ttl{n}: 1}}")),
    |text, n| format!("{text}cache: {{size: {n}parsecs}}\n"),
    |text, n| text.replace("ns A 192.0.2.1", &format!("ns A{n} 192.0.2.1")),
];

fn reload(_: &str) -> Vec<Figure> {
    let world = World::new();
    let good = config(&world, "", "");
    let file = put(&world, &good);
    let (mut server, address) = start(world.path(), &file);
    server.wait_until_it_answers_at(address, ("www.shop.example.", A));
    let (kept, mut explained) = (AtomicBool::new(true), 0u32);
    let client: IpAddr = [127, 0, 0, 1].into();
    let under_load = |seconds: u64| {
        load::paced((client, address), 500, Duration::from_secs(seconds), Duration::from_secs(2), |_| {
            "www.shop.example.".into()
        })
    };
    let mut alone = under_load(3);
    let mut heard = std::thread::scope(|scope| {
        let load = scope.spawn(|| under_load(22));
        for number in 0..100u8 {
            put(&world, &config(&world, &format!("      n{number} A 192.0.2.{number}\n"), ""));
            server.signal("HUP");
            let end = Instant::now() + Duration::from_secs(2);
            let has_new = || {
                let response = ask::once(address, &format!("n{number}.shop.example."), A, Duration::from_secs(1));
                response.is_some_and(|response| !response.answer.is_empty())
            };
            while !has_new() && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        let last = config(&world, "      n99 A 192.0.2.99\n", "");
        for number in 0..200 {
            let bad = SPOIL[number % SPOIL.len()](&last, number);
            let file = put(&world, &bad);
            let mut said = Vec::new();
            meridian::app::commands::check(&file, false, &meridian::app::machine(), false, &mut said).ok();
            let said = String::from_utf8_lossy(&said).into_owned();
            // FILE:LINE:COLUMN and then what is wrong there.
            let has_place = said.lines().any(|line| {
                let behind = line.strip_prefix(&format!("{}:", file.display())).unwrap_or_default();
                behind.split(':').next().is_some_and(|word| word.parse::<u32>().is_ok())
            });
            explained += u32::from(has_place);
            server.signal("HUP");
            std::thread::sleep(Duration::from_millis(15));
            let response = ask::once(address, "n99.shop.example.", A, Duration::from_secs(1));
            if response.is_none_or(|response| response.answer.is_empty()) {
                kept.store(false, Ordering::Relaxed);
            }
        }
        load.join().expect("a client")
    });
    vec![
        at_most("queries lost", (heard.sent - heard.good) as f64, 0.0),
        at_most("slowest ms", heard.permille(1_000), 2.0),
        told("slowest ms without reloads", alone.permille(1_000)),
        told("p99.9 ms", heard.permille(999)),
        at_least("old configuration kept", f64::from(u8::from(kept.into_inner() && server.ended().is_none())), 1.0),
        at_least("bad ones explained with file and line %", f64::from(explained) / 2.0, 100.0),
    ]
}

fn kill(_: &str) -> Vec<Figure> {
    let world = World::new();
    let state = world.path().join("state");
    let file = put(&world, &config(&world, "", &format!("state: {}\n", state.display())));
    // A cache of 2,000 names, saved by an orderly end.
    let names: Vec<String> = (0..2_000).map(|n| format!("k{n}.good.example.")).collect();
    let (mut server, address) = start(world.path(), &file);
    server.wait_until_it_answers_at(address, ("www.shop.example.", A));
    for name in &names {
        ask::once(address, name, A, Duration::from_secs(2));
    }
    server.signal("TERM");
    server.wait_for_end(Duration::from_secs(15));
    // Killed while it saves, at a hundred moments.
    let (mut torn, mut slowest, mut least) = (0u32, 0.0f64, 100.0f64);
    for round in 0..100u64 {
        let begun = Instant::now();
        let (mut server, address) = start(world.path(), &file);
        server.wait_until_it_answers_at(address, ("www.shop.example.", A));
        slowest = slowest.max(begun.elapsed().as_secs_f64() * 1_000.0);
        let before = world.queries();
        for name in names.iter().skip(round as usize).step_by(40) {
            let response = ask::once(address, name, A, Duration::from_secs(2));
            torn += u32::from(
                response.is_none_or(|response| response.answer.len() != 1 || response.answer[0].rdata != "192.0.2.80"),
            );
        }
        let fetched = (world.queries() - before) as f64;
        least = least.min(100.0 - 100.0 * fetched / 50.0);
        server.signal("TERM");
        std::thread::sleep(Duration::from_micros(round * 150));
        server.signal("KILL");
        server.wait_for_end(Duration::from_secs(5));
    }
    // What a sudden end leaves of what was learned since the start.
    let (mut server, address) = start(world.path(), &file);
    server.wait_until_it_answers_at(address, ("www.shop.example.", A));
    let late: Vec<String> = (0..200).map(|n| format!("late{n}.good.example.")).collect();
    for name in &late {
        ask::once(address, name, A, Duration::from_secs(2));
    }
    // It saves every minute: that is what may be lost.
    let saved = || std::fs::metadata(state.join("cache.snapshot")).and_then(|data| data.modified()).ok();
    let (learned, end) = (saved(), Instant::now() + Duration::from_secs(90));
    while saved() == learned && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(50));
    }
    server.signal("KILL");
    server.wait_for_end(Duration::from_secs(5));
    let (mut server, address) = start(world.path(), &file);
    server.wait_until_it_answers_at(address, ("www.shop.example.", A));
    let before = world.queries();
    for name in &late {
        ask::once(address, name, A, Duration::from_secs(2));
    }
    let recent = 100.0 - 100.0 * (world.queries() - before) as f64 / late.len() as f64;
    drop(server);
    // A zone of a million records.
    let mut text = String::from("$TTL 3600\n@ SOA ns hostmaster 1 7200 3600 1209600 300\n@ NS ns\nns A 192.0.2.1\n");
    for number in 0..1_000_000u32 {
        let [_, a, b, c] = number.to_be_bytes();
        writeln!(text, "h{number} A 10.{a}.{b}.{c}").expect("text grows");
    }
    std::fs::write(world.path().join("big.example.zone"), text).expect("a writable directory");
    let large = config(&world, "  big.example:\n    file: big.example.zone\n", "");
    let file = put(&world, &large);
    let begun = Instant::now();
    let (mut server, address) = start(world.path(), &file);
    server.wait_until_it_answers_at(address, ("h999999.big.example.", A));
    let large = begun.elapsed().as_secs_f64() * 1_000.0;
    vec![
        at_most("wrong or torn answers after 100 kills", f64::from(torn), 0.0),
        at_least("saved cache kept %, the worst of 100", least, 95.0),
        at_least("kept of what was learned a minute before the kill %", recent.max(0.0), 95.0),
        told("slowest first answer ms, 2,000 names saved", slowest),
        at_most("first answer ms, a million records", large, 500.0),
    ]
}

fn refusal(_: &str) -> Vec<Figure> {
    let world = World::new();
    let state = world.path().join("state");
    std::fs::create_dir_all(&state).expect("a writable directory");
    let tmpfs = ["-t", "tmpfs", "-o", "size=4k", "none"];
    let mount = namespace::find("mount").expect("mount is part of every system");
    let is_mounted = Command::new(mount).args(tmpfs).arg(&state).status().is_ok_and(|status| status.success());
    let file = put(&world, &config(&world, "", &format!("state: {}\n", state.display())));
    let (mut server, address) = start(world.path(), &file);
    server.wait_until_it_answers_at(address, ("www.shop.example.", A));
    ask::once(address, "warm.good.example.", A, Duration::from_secs(2));
    let client: IpAddr = [127, 0, 0, 1].into();
    // No descriptor more than there are now: new TCP connections and new upstream sockets fail.
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.id())).map_or(64, Iterator::count);
    let limit = |count: &str| {
        let program = namespace::find("prlimit").expect("prlimit is part of util-linux");
        Command::new(program)
            .args(["--pid", &server.id().to_string(), count])
            .status()
            .is_ok_and(|status| status.success())
    };
    let has_limit = limit(&format!("--nofile={open}:20000"));
    let tcp: Vec<_> = (0..50).filter_map(|_| std::net::TcpStream::connect(address).ok()).collect();
    let before = server.processor_time();
    std::thread::sleep(Duration::from_secs(3));
    let spin = server.processor_time().saturating_sub(before).as_secs_f64() / 3.0 * 100.0;
    let heard = load::paced((client, address), 200, Duration::from_secs(3), Duration::from_secs(1), |n| {
        if n % 2 == 0 { "warm.good.example.".into() } else { "www.shop.example.".into() }
    });
    let fresh =
        (0..5).filter(|n| ask::once(address, &format!("e{n}.good.example."), A, Duration::from_secs(5)).is_some());
    let answered_without = fresh.count();
    limit("--nofile=20000:20000");
    drop(tcp);
    let begun = Instant::now();
    let is_well = || {
        let name = format!("f{}.good.example.", begun.elapsed().as_millis());
        let query = wire::compose(9, "www.shop.example.", A, Some(1232));
        ask::once(address, &name, A, Duration::from_millis(500)).is_some_and(|response| response.rcode == 0)
            && ask::exchange_tcp(address, &query, Duration::from_millis(500)).is_some()
    };
    while !is_well() && begun.elapsed() < Duration::from_secs(30) {}
    let recovery = begun.elapsed().as_secs_f64() * 1_000.0;
    // More than the disk can take is to be saved.
    (0..500).for_each(|n| drop(ask::once(address, &format!("d{n}.good.example."), A, Duration::from_secs(2))));
    server.signal("TERM");
    let status = server.wait_for_end(Duration::from_secs(15));
    let left = std::fs::read_dir(&state).into_iter().flatten().flatten().count();
    vec![
        crate::gates::panics(),
        at_least("limits could be set", f64::from(u8::from(is_mounted && has_limit)), 1.0),
        at_least("cached and own answers % without descriptors", heard.percent(), 100.0),
        at_least("fresh names answered, SERVFAIL included, of 5", answered_without as f64, 5.0),
        at_most("CPU % while refused", spin, 5.0),
        at_most("ms to recover", recovery, 1_000.0),
        at_most("half-written files on a full disk", left.saturating_sub(1) as f64, 0.0),
        at_least("orderly end on a full disk", f64::from(u8::from(status.success())), 1.0),
    ]
}
