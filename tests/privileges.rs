//! What a server gives up: started by root, it is somebody else's, without capabilities and with few files. The binary
//! and what the system tells of its threads.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may fail, and lives in real time"
)]

mod support;

use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use support::process::Server;
use support::{ask, namespace};

const A: u16 = 1;
const MERIDIAN: &str = env!("CARGO_BIN_EXE_meridian");

/// The user and group `nobody` of Debian.
const NOBODY: &str = "65534";

fn configure(directory: &Path, more: &str) {
    let text = format!(
        "listen: [\"127.0.0.1:0\"]\nadmin: off\nworkers: 2\nstate: state\n{more}\n\
         zones: {{example.com: {{file: example.com.zone}}}}\n"
    );
    std::fs::write(directory.join("meridian.yaml"), text).unwrap();
    let zone = "$TTL 60\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 192.0.2.1\nwww A 192.0.2.2\n";
    std::fs::write(directory.join("example.com.zone"), zone).unwrap();
}

fn start(directory: &Path, name: &str) -> (Server, SocketAddr) {
    let mut server = Server::start(name, directory, &[MERIDIAN, "serve", "--config", "meridian.yaml"]);
    let address = server.listens_on();
    server.wait_until_it_answers_at(address, ("www.example.com.", A));
    (server, address)
}

/// The line of this name, of every thread of a process.
fn of_every_thread(server: &Server, name: &str) -> Vec<String> {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", server.id())).unwrap().flatten();
    let status = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("status")).ok());
    let line = |status: String| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap().to_owned();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    status.map(line).collect()
}

fn with_root(name: &str, body: impl FnOnce(&Path)) {
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        return namespace::skip(name, "only root can become somebody else");
    }
    let directory = tempfile::tempdir().unwrap();
    // Whoever is become must get there.
    std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).unwrap();
    body(directory.path());
}

#[test]
fn root_becomes_the_user_in_every_thread_and_gives_up_what_it_had() {
    with_root("root_becomes_the_user_in_every_thread_and_gives_up_what_it_had", |directory| {
        configure(directory, "user: nobody\nrecursion: off");
        // What is there was root's, from the time before `user` was set.
        std::fs::create_dir_all(directory.join("state/updates")).unwrap();
        std::fs::write(directory.join("state/updates/old"), "").unwrap();
        let (mut server, address) = start(directory, "dropped");
        let threads = of_every_thread(&server, "Uid");
        assert!(threads.len() >= 4, "{threads:?}");
        for (name, expected) in [
            ("Uid", [NOBODY; 4].join(" ")),
            ("Gid", [NOBODY; 4].join(" ")),
            ("CapInh", "0".repeat(16)),
            ("CapPrm", "0".repeat(16)),
            ("CapEff", "0".repeat(16)),
            ("CapBnd", "0".repeat(16)),
            ("CapAmb", "0".repeat(16)),
            ("NoNewPrivs", "1".to_owned()),
        ] {
            for found in of_every_thread(&server, name) {
                assert_eq!(found, expected, "{name}");
            }
        }
        assert!(!of_every_thread(&server, "Groups").iter().any(|groups| groups.split(' ').any(|group| group == "0")));
        for file in ["state", "state/updates", "state/updates/old"] {
            assert_eq!(std::fs::metadata(directory.join(file)).unwrap().uid().to_string(), NOBODY, "{file}");
        }
        assert!(ask::over_tcp(address, "www.example.com.", A, Duration::from_secs(5)).is_some());
        // It still can save, and be replaced by one that root starts.
        let command = [MERIDIAN, "serve", "--config", "meridian.yaml", "--replace"];
        let mut next = Server::start("next", directory, &command);
        assert!(server.wait_for_end(Duration::from_secs(30)).success(), "{}", server.output());
        next.wait_until_it_answers_at(address, ("www.example.com.", A));
        next.signal("TERM");
        assert!(next.wait_for_end(Duration::from_secs(30)).success());
        assert!(directory.join("state/health").exists() || directory.join("state/cache.snapshot").exists());
    });
}

#[test]
fn a_user_that_the_system_has_not_keeps_the_server_from_starting() {
    with_root("a_user_that_the_system_has_not_keeps_the_server_from_starting", |directory| {
        configure(directory, "user: nobody-of-this-name\nrecursion: off");
        let output =
            Command::new(MERIDIAN).args(["serve", "--config", "meridian.yaml"]).current_dir(directory).output();
        let output = output.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("nobody-of-this-name") && !said.contains("listening"), "{said}");
    });
}

#[test]
fn a_state_of_a_third_user_is_not_trusted() {
    with_root("a_state_of_a_third_user_is_not_trusted", |directory| {
        configure(directory, "user: nobody\nrecursion: off");
        std::fs::create_dir(directory.join("state")).unwrap();
        std::os::unix::fs::chown(directory.join("state"), Some(1), Some(1)).unwrap();
        let output =
            Command::new(MERIDIAN).args(["serve", "--config", "meridian.yaml"]).current_dir(directory).output();
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stderr).contains("belongs to user 1"));
    });
}

#[test]
fn a_reload_reaches_no_file_outside_the_folders_named_at_the_start_and_says_so() {
    let (directory, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let hosts = |folder: &Path, name: &str| {
        std::fs::create_dir_all(folder.join(name)).unwrap();
        std::fs::write(folder.join(name).join("roots"), "broken\n").unwrap();
        format!("recursion: {{hosts: off, dnssec: off, roots: {}}}", folder.join(name).join("roots").display())
    };
    configure(directory.path(), "recursion: off");
    let (server, address) = start(directory.path(), "confined");
    if !server.output().contains("given up: capabilities, new privileges, other files") {
        // Without Landlock there is nothing to be seen; the log says so, and it serves.
        assert!(server.output().contains("WARN given up"), "{}", server.output());
        return;
    }
    let reload = |more: &str, expected: &str| {
        configure(directory.path(), more);
        server.signal("HUP");
        server.says(expected);
    };
    reload(&hosts(elsewhere.path(), "far"), "not open to this server since its start; restart to have it");
    // What lies beside the configuration is read, and found to be broken.
    reload(&hosts(directory.path(), "near"), "near/roots:1:");
    reload("recursion: off", "nothing has changed");
    assert!(ask::once(address, "www.example.com.", A, Duration::from_secs(5)).is_some());
}

/// The unit's figure stands in the documentation; the lower, the better, and it may not get worse.
#[test]
fn the_unit_is_as_safe_as_the_documentation_says() {
    let name = "the_unit_is_as_safe_as_the_documentation_says";
    if namespace::find("systemd-analyze").is_none() {
        return namespace::skip(name, "systemd-analyze is not installed");
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager", "deploy/meridian.service"])
        .current_dir(root)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let figure =
        said.rsplit_once("Overall exposure level for meridian.service: ").unwrap_or_else(|| panic!("{said}")).1;
    let figure: f32 = figure.split_whitespace().next().unwrap().parse().unwrap();
    let page = std::fs::read_to_string(root.join("docs/operating.md")).unwrap();
    let told = page.split_once("gives the unit ").expect("the page tells the figure").1;
    let told: f32 = told.split_whitespace().next().unwrap().parse().unwrap();
    // A newer systemd judges by a few more rules.
    assert!((figure - told).abs() < 0.35, "{figure}, and the page says {told}\n{said}");
    assert!(figure <= 2.0, "{said}");
}

#[test]
fn the_unit_has_no_line_that_systemd_does_not_understand() {
    let name = "the_unit_has_no_line_that_systemd_does_not_understand";
    if namespace::find("systemd-analyze").is_none() {
        return namespace::skip(name, "systemd-analyze is not installed");
    }
    let directory = tempfile::tempdir().unwrap();
    let unit = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/meridian.service")).unwrap();
    // The program is where it was built, and no manual is installed.
    let unit = unit.replace("/usr/bin/meridian", MERIDIAN).replace("Documentation=man:meridian(1)\n", "");
    let file = directory.path().join("meridian.service");
    std::fs::write(&file, unit).unwrap();
    let output = Command::new("systemd-analyze").arg("verify").arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let of_the_unit: Vec<&str> = said.lines().filter(|line| line.contains("meridian.service")).collect();
    assert!(of_the_unit.is_empty(), "{said}");
}

#[test]
fn the_right_to_low_ports_stays_where_one_is_bound_and_a_reload_uses_it() {
    const CAP_NET_BIND_SERVICE: &str = "0000000000000400";
    let name = "the_right_to_low_ports_stays_where_one_is_bound_and_a_reload_uses_it";
    namespace::inside(name, &[], || {
        with_root(name, |directory| {
            configure(directory, "user: nobody\nrecursion: off");
            let file = directory.join("meridian.yaml");
            let text = std::fs::read_to_string(&file).unwrap().replace("127.0.0.1:0", "127.0.0.1:53");
            std::fs::write(&file, &text).unwrap();
            let (server, _) = start(directory, "low");
            for found in of_every_thread(&server, "CapEff") {
                assert_eq!(found, CAP_NET_BIND_SERVICE);
            }
            std::fs::write(&file, text.replace("127.0.0.1:53", "127.0.0.1:53\", \"127.0.0.2:853")).unwrap();
            server.signal("HUP");
            let end = Instant::now() + Duration::from_secs(20);
            let address = "127.0.0.2:853".parse().unwrap();
            while ask::once(address, "www.example.com.", A, Duration::from_millis(100)).is_none() {
                assert!(Instant::now() < end, "{}", server.output());
            }
        });
    });
}
