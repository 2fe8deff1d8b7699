//! `simulate`, `check --scopes` and the commands about members, as their users meet them: the binary and its files.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

use std::path::Path;
use std::process::Command;

/// Runs the program in `folder`: exit status, what it printed, what it complained of.
fn run(folder: &Path, line: &str) -> (i32, String, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_meridian"))
        .args(line.split_whitespace())
        .current_dir(folder)
        .output()
        .expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (out.status.code().expect("an exit status"), text(out.stdout), text(out.stderr))
}

fn configuration(policy: &str, members: &str) -> String {
    format!(
        "listen: [\"127.0.0.1:0\"]\nadmin: off\nrecursion: off\ncache: off\ngeo: {{country: builtin}}\n\
         pools:\n  www:\n    members:\n{members}\nzones:\n  example.com:\n    \
         records: {{\"@\": {{NS: ns.example.net., SOA: \"ns.example.net. h.example.net. 1 1h 15m 1w 5m\"}}}}\n    \
         steer: {{www: {{pool: www, policy: {policy}}}}}\n"
    )
}

const THREE: &str = "      fra: {a: 192.0.2.10, at: FRA, weight: 2}\n      iad: {a: 198.51.100.10, at: IAD}\n      \
                     sin: {a: 203.0.113.10, at: SIN}";
const TWO: &str = "      fra: {a: 192.0.2.10, at: FRA, weight: 2}\n      iad: {a: 198.51.100.10, at: IAD}";

/// A folder with a configuration of three members, one of two, and three clients.
fn folder(policy: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a writable directory");
    write("three.yaml", &configuration(policy, THREE));
    write("two.yaml", &configuration(policy, TWO));
    write("clients.txt", "# who asks\n192.0.2.7 3\n198.51.100.0/24\n2001:db8::/48 2\n");
    folder
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|fault| panic!("{fault}: {text}"))
}

#[test]
fn a_simulation_tells_shares_moves_and_losses() {
    let folder = folder("weighted");
    let line = "simulate --config three.yaml --against two.yaml --clients clients.txt --json";
    let (status, out, err) = run(folder.path(), line);
    assert_eq!((status, err.as_str()), (0, ""), "{out}");
    let name = &json(&out)["names"][0];
    let share = |at: usize| name["shares"][at]["share"].as_f64().unwrap();
    assert_eq!(name["name"], "www.example.com.");
    assert!((share(0) - 0.5).abs() < 1e-9 && (share(1) - 0.25).abs() < 1e-9 && (share(2) - 0.25).abs() < 1e-9);
    assert!((name["moved"].as_f64().unwrap() - 0.25).abs() < 1e-9, "what sin takes: {name}");
    let loss = &name["losses"][0];
    assert_eq!((loss["down"].as_str(), loss["peak"]["growth"].as_f64()), (Some("fra"), Some(2.0)));
    let (status, out, _) = run(folder.path(), "simulate --config three.yaml --clients clients.txt");
    assert_eq!(status, 0);
    for words in ["www.example.com.: pool www, healthy > weighted", "50.00 %", "when one is down:", "± 2000 resolvers"]
    {
        assert!(out.contains(words), "{words}:\n{out}");
    }
}

#[test]
fn moving_more_than_is_allowed_fails() {
    let folder = folder("sticky");
    let line = "simulate --config three.yaml --against two.yaml --clients clients.txt --max-moved";
    let (status, out, _) = run(folder.path(), &format!("{line} 100%"));
    assert_eq!(status, 0, "{out}");
    let same = "simulate --config two.yaml --against two.yaml --clients clients.txt --max-moved 0%";
    assert_eq!(run(folder.path(), same).0, 0);
    let (status, out, _) = run(folder.path(), &format!("{line} 1%"));
    assert_eq!(status, 1);
    assert!(out.contains("TOO MUCH MOVES: www.example.com.: "), "{out}");
}

#[test]
fn faults_of_files_are_told_with_their_lines() {
    let folder = folder("weighted");
    std::fs::write(folder.path().join("bad.txt"), "192.0.2.7\nnobody\n192.0.2.0/24 much\n").unwrap();
    let (status, _, err) = run(folder.path(), "simulate --config three.yaml --clients bad.txt");
    assert_eq!(status, 2);
    assert!(err.contains("bad.txt:2: found \"nobody\"") && err.contains("bad.txt:3: "), "{err}");
    let (status, _, err) = run(folder.path(), "simulate --config three.yaml --clients clients.txt --name x.example.");
    assert_eq!((status, err.as_str()), (2, "x.example. is no steered name of three.yaml\n"));
    let (status, _, err) = run(folder.path(), "simulate --config missing.yaml --clients clients.txt");
    assert!(status == 2 && err.contains("missing.yaml"), "{err}");
}

#[test]
fn scopes_are_tried() {
    for policy in ["weighted", "sticky", "nearest"] {
        let folder = folder(policy);
        let (status, out, _) = run(folder.path(), "check three.yaml --scopes");
        assert_eq!(status, 0, "{out}");
        assert!(out.contains("www.example.com.: scopes hold ("), "{out}");
    }
    let folder = folder("weighted");
    let (status, out, _) = run(folder.path(), "check three.yaml --scopes --json");
    assert_eq!((status, &json(&out)["scopes"][0]["prefixes"]), (0, &serde_json::json!(2)), "one for each family");
}

#[test]
fn a_server_that_is_not_there_is_told() {
    let folder = tempfile::tempdir().unwrap();
    // Port 1 of this address is nobody's.
    for command in ["status", "drain www/fra", "force www/* down --why test", "unforce www/*"] {
        let (status, _, err) = run(folder.path(), &format!("{command} --server http://127.0.0.1:1"));
        assert!(status == 1 && err.contains("http://127.0.0.1:1 cannot be asked"), "{command}: {err}");
    }
}
