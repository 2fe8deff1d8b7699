//! What the server tells of its work: the log's lines, the query log, and dnstap as its real readers take it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may fail, and lives in real time"
)]

mod support;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use support::process::Server;
use support::tree::{self, Tree};
use support::{ask, namespace, wait, wire};

const A: u16 = 1;

/// Runs a test on the private tree, where `more` programs are there too.
fn on_the_tree(name: &str, more: &[&str], body: impl FnOnce(&Tree)) {
    let mut programs = tree::PROGRAMS.to_vec();
    programs.extend(more);
    namespace::inside(name, &programs, || body(&Tree::start()));
}

/// Starts Meridian on the tree with a zone of its own and `more` in its configuration.
fn start(tree: &Tree, more: &str) -> (Server, SocketAddr) {
    configure(tree, more);
    let command = [env!("CARGO_BIN_EXE_meridian"), "serve", "--config", "telling.yaml"];
    let mut server = Server::start("telling", tree.path(), &command);
    let address = server.listens_on();
    server.wait_until_it_answers_at(address, ("localhost.", A));
    (server, address)
}

fn configure(tree: &Tree, more: &str) {
    let text = format!(
        "listen: [\"127.0.0.1:0\"]\nadmin: off\nworkers: 2\nzones:\n  ours.test:\n    records:\n      www: {{a: 192.0.2.7}}\n\
         recursion:\n  roots: {}\n  deny_upstreams: []\n  hosts: off\n  dnssec: off\n{more}",
        tree.hints().display()
    );
    std::fs::write(tree.path().join("telling.yaml"), text).unwrap();
}

fn log_of(tree: &Tree) -> String {
    std::fs::read_to_string(tree.path().join("telling.out")).unwrap_or_default()
}

/// What dig prints for a query without RD.
fn dig_without_recursion(server: SocketAddr, name: &str) {
    let port = server.port().to_string();
    let output =
        Command::new("dig").args(["@127.0.0.1", "-p", &port, name, "+norecurse", "+tries=3"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn the_query_log_says_who_asked_what_and_where_the_answer_came_from() {
    let name = "the_query_log_says_who_asked_what_and_where_the_answer_came_from";
    on_the_tree(name, &["dig"], |tree| {
        let (server, address) =
            start(tree, "log: {level: 'error,meridian::app::serve=info', format: json, queries: all}\n");
        let wait = Duration::from_secs(5);
        for _ in 0..2 {
            ask::once(address, "www.alpha.example.", A, wait).unwrap();
        }
        ask::over_tcp(address, "www.ours.test.", A, wait).unwrap();
        ask::once(address, "missing.alpha.example.", A, wait).unwrap();
        server.signal("TERM"); // which ends with every line written
        let lines = wait::until("the last line", || {
            let lines: Vec<Value> = log_of(tree).lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
            lines.iter().any(|line| line["name"] == "missing.alpha.example.").then_some(lines)
        });
        let of = |name: &str| lines.iter().filter(|line| line["name"] == name).cloned().collect::<Vec<_>>();
        let www = of("www.alpha.example.");
        assert_eq!(www.len(), 2, "{www:?}");
        assert_eq!((&www[0]["source"], &www[0]["rcode"]), (&"upstream".into(), &"NOERROR".into()), "{www:?}");
        assert!(["recalled", "cache"].contains(&www[1]["source"].as_str().unwrap()), "{www:?}");
        assert!(www[0]["ms"].as_f64().unwrap() > 0.0 && www[0]["octets"].as_u64().unwrap() > 40, "{www:?}");
        assert_eq!((&www[0]["transport"], &www[0]["type"]), (&"udp".into(), &"A".into()));
        assert!(www[0]["client"].as_str().unwrap().starts_with("127.0.0.1:"));
        let ours = &of("www.ours.test.")[0];
        assert_eq!((&ours["source"], &ours["transport"]), (&"zone".into(), &"tcp".into()), "{ours}");
        assert_eq!(of("missing.alpha.example.")[0]["rcode"], "NXDOMAIN");
    });
}

#[test]
fn only_slow_queries_are_logged_where_only_they_are_wanted() {
    on_the_tree("only_slow_queries_are_logged_where_only_they_are_wanted", &[], |tree| {
        let (server, address) = start(tree, "log: {queries: {slow: 400ms}}\n");
        let wait = Duration::from_secs(6);
        ask::once(address, "www.alpha.example.", A, wait).unwrap();
        tree.cut_off();
        ask::once(address, "www.beta.example.", A, wait).unwrap();
        let line = wait::until("the slow query", || {
            log_of(tree).lines().find(|line| line.contains("www.beta.example.")).map(str::to_owned)
        });
        tree.bring_back();
        server.signal("TERM");
        assert!(line.contains("SERVFAIL") && line.contains("upstream"), "{line}");
        assert!(!log_of(tree).contains("www.alpha.example."));
    });
}

#[test]
fn levels_change_with_a_reload() {
    on_the_tree("levels_change_with_a_reload", &[], |tree| {
        let (server, address) = start(tree, "");
        let wait = Duration::from_secs(5);
        ask::once(address, "www.alpha.example.", A, wait).unwrap();
        assert!(!log_of(tree).contains("begin www.alpha.example."));
        configure(tree, "log: {level: {default: info, 'meridian::handlers::resolve': debug}}\n");
        server.signal("HUP");
        wait::until("the reload", || log_of(tree).contains("configuration read again").then_some(()));
        ask::once(address, "www.beta.example.", A, wait).unwrap();
        wait::until("the resolver's steps", || log_of(tree).contains("www.beta.example.").then_some(()));
        assert!(log_of(tree).contains("DEBUG") && !log_of(tree).contains("begin www.alpha.example."));
    });
}

#[test]
fn a_log_that_nobody_reads_holds_up_no_query() {
    namespace::inside("a_log_that_nobody_reads_holds_up_no_query", &["mkfifo"], || {
        let folder = tempfile::tempdir().unwrap();
        let text = "listen: [\"127.0.0.1:5300\"]\nadmin: 127.0.0.1:9153\nworkers: 1\nlog: {queries: all}\n";
        std::fs::write(folder.path().join("telling.yaml"), text).unwrap();
        // A pipe that stays full.
        let script = "mkfifo unread && exec 3<>unread && exec \"$0\" serve --config telling.yaml 2>&3";
        let command = ["sh", "-c", script, env!("CARGO_BIN_EXE_meridian")];
        let mut server = Server::start("unread", folder.path(), &command);
        let address: SocketAddr = "127.0.0.1:5300".parse().unwrap();
        server.wait_until_it_answers_at(address, ("localhost.", A));
        let socket = ask::socket(address);
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let query = wire::compose(7, "localhost.", A, None);
        let (mut answer, together) = ([0; 512], 50);
        for _ in 0..500 {
            for _ in 0..together {
                socket.send(&query).unwrap();
            }
            for _ in 0..together {
                socket.recv(&mut answer).expect("an answer although nobody reads the log");
            }
        }
        let status = Command::new(env!("CARGO_BIN_EXE_meridian")).arg("ready").status().unwrap();
        assert!(status.success());
        let metrics = ask_admin("/metrics");
        let dropped = metrics.lines().find_map(|line| line.strip_prefix("meridian_log_lines_dropped_total "));
        assert!(dropped.is_some_and(|count| count.parse::<f64>().unwrap() > 1_000.0), "{dropped:?}");
        server.signal("TERM");
        assert!(server.wait_for_end(Duration::from_secs(20)).success());
    });
}

/// What the admin address says.
fn ask_admin(path: &str) -> String {
    let mut stream = TcpStream::connect("127.0.0.1:9153").unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

/// A reader as operators run it, which writes what it reads to `frames` in the tree's folder.
fn capture(tree: &Tree, listen: &[&str]) -> Server {
    let mut command = vec!["fstrm_capture", "-t", "protobuf:dnstap.Dnstap", "-w", "frames"];
    command.extend(listen);
    Server::start("capture", tree.path(), &command)
}

fn told_in(tree: &Tree) -> Vec<String> {
    let output = Command::new("dnstap-read").arg(tree.path().join("frames")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

fn holds(told: &[String], kind: &str, rest: &[&str]) -> bool {
    told.iter()
        .any(|line| line.split_whitespace().any(|word| word == kind) && rest.iter().all(|part| line.contains(part)))
}

#[test]
fn dnstap_read_sees_what_clients_and_upstreams_exchanged() {
    let name = "dnstap_read_sees_what_clients_and_upstreams_exchanged";
    on_the_tree(name, &["fstrm_capture", "dnstap-read", "dig"], |tree| {
        let reader = capture(tree, &["-u", "tap.sock"]);
        wait::until("the reader's socket", || tree.path().join("tap.sock").exists().then_some(()));
        let (mut server, address) = start(tree, "dnstap: {socket: tap.sock, identity: here}\n");
        wait::until("the tap", || log_of(tree).contains("tap.sock reads").then_some(()));
        let wait = Duration::from_secs(5);
        ask::once(address, "www.alpha.example.", A, wait).unwrap();
        ask::once(address, "www.alpha.example.", A, wait).unwrap();
        ask::over_tcp(address, "www.beta.example.", A, wait).unwrap();
        dig_without_recursion(address, "www.ours.test");
        server.signal("TERM"); // which ends with every message written
        assert!(server.wait_for_end(Duration::from_secs(20)).success());
        reader.signal("TERM");
        let mut reader = reader;
        reader.wait_for_end(Duration::from_secs(20));
        let told = told_in(tree);
        let port = format!("127.0.0.1:{}", address.port());
        for (kind, rest) in [
            ("CQ", &["UDP", "www.alpha.example/IN/A", &port][..]),
            ("CR", &["UDP", "www.alpha.example/IN/A", &port]),
            ("CQ", &["TCP", "www.beta.example/IN/A"]),
            ("CR", &["TCP", "www.beta.example/IN/A"]),
            ("RQ", &["UDP", ":53"]),
            ("RR", &["UDP", ":53"]),
            ("AQ", &["UDP", "www.ours.test/IN/A"]),
            ("AR", &["UDP", "www.ours.test/IN/A"]),
        ] {
            assert!(holds(&told, kind, rest), "no {kind} {rest:?} in\n{}", told.join("\n"));
        }
        let twice = told.iter().filter(|line| line.contains(" CR ") && line.contains("www.alpha.example/IN/A")).count();
        assert_eq!(twice, 2, "{}", told.join("\n"));
        let whole = Command::new("dnstap-read").args(["-y"]).arg(tree.path().join("frames")).output().unwrap();
        let whole = String::from_utf8_lossy(&whole.stdout).into_owned();
        assert!(whole.contains("identity: here") && whole.contains("version: meridian "), "{whole}");
    });
}

#[test]
fn a_tap_over_tcp_tells_only_what_is_wanted() {
    let name = "a_tap_over_tcp_tells_only_what_is_wanted";
    on_the_tree(name, &["fstrm_capture", "dnstap-read"], |tree| {
        let mut reader = capture(tree, &["-a", "127.0.0.1", "-p", "6000"]);
        let more = "dnstap: {tcp: '127.0.0.1:6000', queries: off, responses: [client]}\n";
        let (mut server, address) = start(tree, more);
        wait::until("the tap", || log_of(tree).contains("127.0.0.1:6000 reads").then_some(()));
        ask::once(address, "www.alpha.example.", A, Duration::from_secs(5)).unwrap();
        // A reload with another tap ends this one, and what it was told is written.
        configure(tree, "");
        server.signal("HUP");
        wait::until("the reload", || log_of(tree).contains("configuration read again").then_some(()));
        ask::once(address, "www.beta.example.", A, Duration::from_secs(5)).unwrap();
        server.signal("TERM");
        assert!(server.wait_for_end(Duration::from_secs(20)).success());
        reader.signal("TERM");
        reader.wait_for_end(Duration::from_secs(20));
        let told = told_in(tree);
        assert!(holds(&told, "CR", &["www.alpha.example/IN/A"]), "{told:?}");
        assert!(told.iter().all(|line| line.contains(" CR ")) && !holds(&told, "CR", &["www.beta"]), "{told:?}");
    });
}

#[test]
fn shells_and_manual_readers_understand_what_the_program_says_of_itself() {
    let folder = tempfile::tempdir().unwrap();
    let print = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_meridian")).args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        output.stdout
    };
    for (shell, check) in [("bash", &["-n"][..]), ("zsh", &["-n"]), ("fish", &["--no-execute"])] {
        let path = folder.path().join(shell);
        std::fs::write(&path, print(&["completions", shell])).unwrap();
        if namespace::find(shell).is_none() {
            namespace::say(&format!("the completions of {shell} were not read: it is not installed"));
            continue;
        }
        let output = Command::new(shell).args(check).arg(&path).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{shell}: {output:?}");
    }
    let completed =
        "source ./bash; COMP_WORDS=(meridian fl); COMP_CWORD=1; _meridian meridian fl meridian; echo ${COMPREPLY[@]}";
    let output = Command::new("bash").args(["-c", completed]).current_dir(folder.path()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "flush", "{output:?}");

    print(&["man", "--to", folder.path().join("man").to_str().unwrap()]);
    assert_eq!(std::fs::read(folder.path().join("man/meridian-flush.1")).unwrap(), print(&["man", "flush"]));
    let mut count = 0;
    for entry in std::fs::read_dir(folder.path().join("man")).unwrap() {
        let path = entry.unwrap().path();
        count += 1;
        check_page(&path);
    }
    let commands = <meridian::app::cli::Cli as clap::CommandFactory>::command().get_subcommands().count();
    assert_eq!(count, commands + 1);
}

/// Formats a manual page, which must go without complaint.
fn check_page(path: &Path) {
    if namespace::find("groff").is_none() {
        return namespace::say("the manual pages were not formatted: groff is not installed");
    }
    let output = Command::new("groff").args(["-man", "-Tutf8", "-ww", "-z"]).arg(path).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}: {output:?}", path.display());
    let text = Command::new("groff").args(["-man", "-Tascii", "-P-cbou"]).arg(path).output().unwrap();
    assert!(String::from_utf8_lossy(&text.stdout).contains("SYNOPSIS"), "{}", path.display());
}
