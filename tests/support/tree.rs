//! The private DNS tree: a root, two TLDs, the reverse tree and some thirty zones, on NSD, Knot DNS and BIND,
//! with fake servers for what those will not do. `tests/tree` has the zone files.
//!
//! | addresses | who |
//! |---|---|
//! | 198.18.0.1, .2, 2001:db8::2 | the root, on NSD and Knot DNS |
//! | 198.18.1.1, .2, 2001:db8:1::2 | TLD example, on NSD and Knot DNS |
//! | 198.18.1.3 | TLD net, and arpa, on BIND |
//! | 198.18.2.1, .2, .3, 2001:db8:2::1, ::2 | the zones, on NSD, Knot DNS and BIND |
//! | 198.18.3.x | fakes |
use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::process::Server;
use super::zonefile::{self, Zone};
use super::{fake, wire};

/// The programs that the tree is made of.
pub const PROGRAMS: &[&str] = &["nsd", "knotd", "named"];

/// Zones that the leaf servers have, by zone file (without `.zone`).
const NSD_LEAF: &[&str] = &[
    "in-addr.arpa",
    "hosting.example",
    "alpha.example",
    "cdn.example.net",
    "glueless.example",
    "halflame.example",
    "noedns.example",
    "formerr.example",
    "tcponly.example",
    "entbroken.example",
    "halfv4.example",
    "deep.example",
    "types.example",
    "nsmismatch.example",
    "ttl0.example",
    "parent.example",
    "child.parent.example",
];
const KNOT_LEAF: &[&str] = &[
    "in-addr.arpa",
    "hosting.example",
    "alpha.example",
    "beta.example",
    "example.net",
    "v6only.example",
    "cut.deep.example",
    "mixed.example",
    "types.example",
    "dname.example",
    "nsmismatch.example",
];
const BIND_LEAF: &[&str] = &[
    "18.198.in-addr.arpa",
    "cut.alpha.example",
    "gamma.example",
    "example.net",
    "gns.example.net",
    "big.example",
    "dname.example",
    "nsmismatch.example",
    "ttl0.example",
    "office.city.example",
];

/// The running tree; its servers end when it is dropped.
pub struct Tree {
    /// Where all files of the tree and of the servers under test live.
    pub directory: tempfile::TempDir,
    pub zones: Vec<Zone>,
    servers: Vec<Server>,
    silent: Arc<AtomicBool>,
}

impl Tree {
    /// Starts every server and returns when all answer. Only inside a namespace.
    pub fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path();
        let mut servers = vec![
            nsd(path, "nsd-root", &["198.18.0.1"], &["root"]),
            knot(path, "knot-root", &["198.18.0.2", "2001:db8::2"], &["root"]),
            nsd(path, "nsd-tld", &["198.18.1.1"], &["example"]),
            knot(path, "knot-tld", &["198.18.1.2", "2001:db8:1::2"], &["example"]),
            bind(path, "bind-tld", "198.18.1.3", &["net", "arpa"]),
            nsd(path, "nsd-leaf", &["198.18.2.1", "2001:db8:2::1"], NSD_LEAF),
            knot(path, "knot-leaf", &["198.18.2.2", "2001:db8:2::2"], KNOT_LEAF),
            bind(path, "bind-leaf", "198.18.2.3", BIND_LEAF),
        ];
        let silent = Arc::new(AtomicBool::new(false));
        start_fakes(&silent);
        let questions = [
            ("198.18.0.1", "."),
            ("2001:db8::2", "."),
            ("198.18.1.1", "example."),
            ("2001:db8:1::2", "example."),
            ("198.18.1.3", "net."),
            ("2001:db8:2::1", "alpha.example."),
            ("2001:db8:2::2", "beta.example."),
            ("198.18.2.3", "gamma.example."),
        ];
        for (server, (address, apex)) in servers.iter_mut().zip(questions) {
            let address = address.parse().expect("an address");
            server.wait_until_it_answers(address, (apex, wire::rtype("SOA").expect("known")));
        }
        std::fs::write(
            path.join("root.hints"),
            ". 3600 NS a.rootns.\n. 3600 NS b.rootns.\na.rootns. 3600 A 198.18.0.1\nb.rootns. 3600 A 198.18.0.2\n\
             b.rootns. 3600 AAAA 2001:db8::2\n",
        )
        .expect("a writable directory");
        Self { directory, zones: zonefile::read_all(), servers, silent }
    }

    /// The root hints file.
    pub fn hints(&self) -> PathBuf {
        self.path().join("root.hints")
    }

    /// The directory of all files.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// All servers fall silent: what is sent to them is neither answered nor refused.
    pub fn cut_off(&self) {
        self.silent.store(true, Ordering::SeqCst);
        self.servers.iter().for_each(|server| server.signal("STOP"));
    }

    /// All servers answer again.
    pub fn bring_back(&self) {
        self.silent.store(false, Ordering::SeqCst);
        self.servers.iter().for_each(|server| server.signal("CONT"));
    }
}

fn start_fakes(silent: &Arc<AtomicBool>) {
    let backend = address("198.18.2.1");
    let start = |at: &str, behaviour: fn(&fake::Query, IpAddr) -> Option<Vec<u8>>| {
        let silent = Arc::clone(silent);
        fake::start(
            address(at),
            move |query| {
                if silent.load(Ordering::SeqCst) { None } else { behaviour(query, backend) }
            },
        );
    };
    // Lame: does not have the zone. Also the server of refused.example.
    start("198.18.3.1", |query, _| Some(query.reply(5)));
    start("198.18.3.7", |query, _| Some(query.reply(5)));
    // Dead: takes every packet and says nothing.
    start("198.18.3.2", |_, _| None);
    // Ignores EDNS by dropping the query.
    start("198.18.3.3", |query, backend| if query.edns { None } else { query.relay(backend) });
    // Answers FORMERR to EDNS, as servers of before RFC 2671 do.
    start("198.18.3.4", |query, backend| if query.edns { Some(query.reply(1)) } else { query.relay(backend) });
    // Answers by TCP only.
    start("198.18.3.5", |query, backend| match query.transport {
        fake::Transport::Udp => Some(query.truncated()),
        fake::Transport::Tcp => query.relay(backend),
    });
    start("198.18.3.6", |query, _| Some(query.reply(2)));
    // Takes empty non-terminals for names that do not exist (against RFC 8020).
    start("198.18.3.8", |query, backend| {
        let mut reply = query.relay(backend)?;
        if ["c.entbroken.example.", "b.c.entbroken.example.", "wild.entbroken.example."].contains(&query.name.as_str())
        {
            reply[3] = reply[3] & 0xf0 | 3;
        }
        Some(reply)
    });
    start("198.18.3.9", |query, _| Some(query.upward_referral()));
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// Apex and file of each zone.
fn zones(names: &[&str]) -> Vec<(String, PathBuf)> {
    let all = zonefile::read_all();
    let find = |name: &&str| {
        let zone = all.iter().find(|zone| zone.file.file_stem().is_some_and(|stem| stem == *name));
        let zone = zone.unwrap_or_else(|| panic!("no zone file for {name}"));
        (zone.apex.clone(), zone.file.clone())
    };
    names.iter().map(find).collect()
}

fn directory(path: &Path, name: &str) -> PathBuf {
    let directory = path.join(name);
    std::fs::create_dir_all(&directory).expect("a writable directory");
    directory
}

fn put(directory: &Path, name: &str, text: &str) -> String {
    let file = directory.join(name);
    std::fs::write(&file, text).expect("a writable directory");
    file.to_str().expect("a plain path").to_owned()
}

fn nsd(path: &Path, name: &str, addresses: &[&str], files: &[&str]) -> Server {
    let directory = directory(path, name);
    let d = directory.display();
    let mut text = format!(
        "server:\n  port: 53\n  server-count: 1\n  username: \"\"\n  chroot: \"\"\n  zonesdir: \"{d}\"\n  \
         database: \"\"\n  pidfile: \"{d}/nsd.pid\"\n  xfrdfile: \"{d}/xfrd.state\"\n  xfrdir: \"{d}\"\n  \
         zonelistfile: \"{d}/zone.list\"\n  zonefiles-write: 0\n  rrl-ratelimit: 0\n  rrl-whitelist-ratelimit: 0\n"
    );
    for address in addresses {
        writeln!(text, "  ip-address: {address}").expect("text grows");
    }
    text.push_str("remote-control:\n  control-enable: no\n");
    for (apex, file) in zones(files) {
        writeln!(text, "zone:\n  name: \"{apex}\"\n  zonefile: \"{}\"", file.display()).expect("text grows");
    }
    Server::start(name, path, &["nsd", "-d", "-c", &put(&directory, "nsd.conf", &text)])
}

fn knot(path: &Path, name: &str, addresses: &[&str], files: &[&str]) -> Server {
    let directory = directory(path, name);
    let d = directory.display();
    let mut text =
        format!("server:\n    rundir: {d}\n    udp-workers: 1\n    tcp-workers: 1\n    background-workers: 1\n");
    for address in addresses {
        writeln!(text, "    listen: {address}@53").expect("text grows");
    }
    write!(
        text,
        "database:\n    storage: {d}\nlog:\n  - target: stderr\n    any: warning\ntemplate:\n  - id: default\n    \
         storage: {d}\n    journal-content: none\n    zonefile-sync: -1\nzone:\n"
    )
    .expect("text grows");
    for (apex, file) in zones(files) {
        writeln!(text, "  - domain: {apex}\n    file: {}", file.display()).expect("text grows");
    }
    Server::start(name, path, &["knotd", "-c", &put(&directory, "knot.conf", &text)])
}

fn bind(path: &Path, name: &str, address: &str, files: &[&str]) -> Server {
    let directory = directory(path, name);
    let d = directory.display();
    let mut text = format!(
        "options {{\n  directory \"{d}\";\n  pid-file none;\n  session-keyfile \"{d}/session.key\";\n  \
         managed-keys-directory \"{d}\";\n  listen-on {{ {address}; }};\n  listen-on-v6 {{ none; }};\n  \
         allow-query {{ any; }};\n  notify no;\n  recursion no;\n  dnssec-validation no;\n  minimal-responses yes;\n}};\n\
         controls {{ }};\n"
    );
    for (apex, file) in zones(files) {
        writeln!(text, "zone \"{apex}\" {{ type primary; file \"{}\"; }};", file.display()).expect("text grows");
    }
    let conf = put(&directory, "named.conf", &text);
    Server::start(name, path, &["named", "-g", "-n", "1", "-c", &conf])
}
