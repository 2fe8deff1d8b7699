//! Zones as their owners meet them: the binary, files that change under it, and queries that never stop.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may fail, and lives in real time"
)]

mod support;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use support::process::Server;
use support::{ask, wait};

const A: u16 = 1;
const SOA: u16 = 6;

fn zone(serial: u32) -> String {
    format!("$TTL 300\n@ SOA ns hostmaster {serial} 60 60 60 60\n NS ns\nns A 192.0.2.53\nwww A 192.0.2.1\n")
}

/// Appears whole, as by an editor that renames.
fn put(directory: &Path, text: &str) {
    std::fs::write(directory.join("aside"), text).unwrap();
    std::fs::rename(directory.join("aside"), directory.join("e.zone")).unwrap();
}

fn start(directory: &Path) -> (Server, SocketAddr) {
    let text =
        "listen: [\"127.0.0.1:0\"]\nadmin: off\nworkers: 2\nrecursion: off\nzones: {example.com: {file: e.zone}}\n";
    std::fs::write(directory.join("m.yaml"), text).unwrap();
    let mut server =
        Server::start("meridian", directory, &[env!("CARGO_BIN_EXE_meridian"), "serve", "--config", "m.yaml"]);
    let address = server.listens_on();
    server.wait_until_it_answers_at(address, ("www.example.com.", A));
    (server, address)
}

fn serial(address: SocketAddr) -> u32 {
    let response = ask::patiently(address, "example.com.", SOA, 3, Duration::from_secs(2)).expect("an answer");
    let hexadecimal = response.answer[0].rdata.rsplit(' ').next().unwrap().to_owned();
    u32::from_str_radix(&hexadecimal[..8], 16).unwrap()
}

fn wait_for(address: SocketAddr, wanted: u32) {
    let limit = Duration::from_secs(15);
    wait::within(limit, &format!("serial {wanted}"), || (serial(address) == wanted).then_some(()));
}

#[test]
fn zones_change_without_a_query_lost_and_bad_ones_do_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    put(path, &zone(1));
    let (server, address) = start(path);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let asker = scope.spawn(|| {
            let (mut count, mut last) = (0, 0);
            while !is_over.load(Ordering::Relaxed) {
                let response =
                    ask::once(address, "WWW.example.com.", A, Duration::from_secs(3)).expect("no query is lost");
                assert!(response.authoritative && response.rcode == 0);
                // Our own data do not grow old, recalled or not.
                assert_eq!((response.answer.len(), response.answer[0].ttl), (1, 300));
                let now = serial(address);
                assert!(now >= last, "{now} after {last}");
                last = now;
                count += 1;
            }
            count
        });
        for number in 2..=20 {
            put(path, &zone(number));
            server.signal("HUP");
            wait_for(address, number);
        }
        put(path, &format!("{}broken A 192.0.2\n", zone(99)));
        server.signal("HUP");
        let complaint = "e.zone:6:10: zones.\"example.com\": 192.0.2 stands where an IPv4 address belongs";
        let limit = Duration::from_secs(15);
        wait::within(limit, complaint, || server.output().contains(complaint).then_some(()));
        assert_eq!(serial(address), 20);
        // Nobody says that the file has changed: it is noticed.
        put(path, &zone(21));
        wait_for(address, 21);
        is_over.store(true, Ordering::Relaxed);
        assert!(asker.join().unwrap() > 100);
    });
}

#[test]
fn a_zone_with_faults_is_not_served_and_every_fault_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    put(path, &zone(1).replace("192.0.2.53", "192.0.2").replace("www A", "www AAA"));
    std::fs::write(
        path.join("m.yaml"),
        "listen: [\"127.0.0.1:0\"]\nadmin: off\nzones: {example.com: {file: e.zone}}\n",
    )
    .unwrap();
    for command in [&["check", "m.yaml"][..], &["serve", "--config", "m.yaml"]] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_meridian"))
            .args(command)
            .current_dir(path)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2));
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(text.contains("e.zone:4:6: ") && text.contains("e.zone:5:5: "), "{text}");
    }
}
