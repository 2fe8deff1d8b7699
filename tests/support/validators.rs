//! The validating resolvers under comparison: Meridian and its peers with the signed tree's trust anchor, each at an
//! address of its own, and one more that knows the tree only through Meridian.
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use super::process::{self, Server};

/// A running resolver that validates.
pub struct Validator {
    pub name: &'static str,
    pub address: SocketAddr,
    _server: Server,
}

struct Kind {
    name: &'static str,
    program: Option<&'static str>,
    address: &'static str,
    prepare: fn(&Files) -> Vec<String>,
}

struct Files<'a> {
    /// The resolver's own directory.
    directory: &'a Path,
    hints: String,
    /// A file with the anchor as a DS record.
    anchor: String,
    address: &'static str,
}

const KINDS: &[Kind] = &[
    Kind { name: "meridian", program: None, address: "127.0.0.10", prepare: meridian },
    Kind { name: "unbound", program: Some("unbound"), address: "127.0.0.11", prepare: unbound },
    Kind { name: "knot", program: Some("kresd"), address: "127.0.0.12", prepare: kresd },
    // BIND listens only at addresses that an interface has.
    Kind { name: "bind", program: Some("named"), address: "127.0.0.1", prepare: bind },
    Kind { name: "pdns", program: Some("pdns_recursor"), address: "127.0.0.13", prepare: pdns },
    // Asks Meridian for everything and checks it all again: what Meridian hands on must suffice for that.
    Kind { name: "behind", program: Some("unbound"), address: "127.0.0.15", prepare: behind },
];

fn kind(name: &str) -> &'static Kind {
    KINDS.iter().find(|kind| kind.name == name).unwrap_or_else(|| panic!("no resolver is called {name}"))
}

/// The programs to be installed for these resolvers.
pub fn programs(names: &[&str]) -> Vec<&'static str> {
    names.iter().filter_map(|name| kind(name).program).collect()
}

/// Starts a resolver with an empty cache, with `root.hints` and `root.ds` of `path`, and waits until it answers.
pub fn start(name: &str, path: &Path) -> Validator {
    let kind = kind(name);
    let directory = path.join(format!("validator-{name}"));
    std::fs::create_dir_all(&directory).expect("a writable directory");
    let plain = |file: &str| path.join(file).to_str().expect("a plain path").to_owned();
    let files =
        Files { directory: &directory, hints: plain("root.hints"), anchor: plain("root.ds"), address: kind.address };
    let command = (kind.prepare)(&files);
    let arguments: Vec<&str> = command.iter().map(String::as_str).collect();
    let mut server = Server::start(name, &directory, &arguments);
    let address: IpAddr = kind.address.parse().expect("an address");
    server.wait_until_it_answers(address, ("localhost.", 1));
    Validator { name: kind.name, address: SocketAddr::new(address, 53), _server: server }
}

impl Files<'_> {
    fn put(&self, name: &str, text: &str) -> String {
        let file = self.directory.join(name);
        std::fs::write(&file, text).expect("a writable directory");
        file.to_str().expect("a plain path").to_owned()
    }

    fn anchor_words(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.anchor).expect("the tree has written it");
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn at(&self) -> String {
        self.directory.to_str().expect("a plain path").to_owned()
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn meridian(files: &Files) -> Vec<String> {
    let text = format!(
        "listen:\n  - {}:53\nadmin: off\nworkers: 1\nrecursion:\n  roots: {}\n  deny_upstreams: []\n  hosts: off\n  \
         dnssec: {{validate: true, anchors: {}}}\n  allow: [127.0.0.0/8]\n",
        files.address, files.hints, files.anchor
    );
    words(&[&process::meridian(), "serve", "--config", &files.put("meridian.yaml", &text)])
}

fn unbound_head(files: &Files) -> String {
    format!(
        "server:\n  interface: {}\n  access-control: 127.0.0.0/8 allow\n  do-daemonize: no\n  username: \"\"\n  \
         chroot: \"\"\n  directory: \"{}\"\n  pidfile: \"\"\n  use-syslog: no\n  verbosity: 1\n  num-threads: 1\n  \
         module-config: \"validator iterator\"\n  trust-anchor-file: \"{}\"\n  trust-anchor-signaling: no\n  \
         do-not-query-localhost: no\n  ede: yes\n",
        files.address,
        files.at(),
        files.anchor
    )
}

fn unbound(files: &Files) -> Vec<String> {
    let text =
        format!("{}  root-hints: \"{}\"\nremote-control:\n  control-enable: no\n", unbound_head(files), files.hints);
    words(&["unbound", "-d", "-p", "-c", &files.put("unbound.conf", &text)])
}

fn behind(files: &Files) -> Vec<String> {
    let text = format!(
        "{}  qname-minimisation: no\nremote-control:\n  control-enable: no\nforward-zone:\n  name: \".\"\n  forward-addr: {}\n",
        unbound_head(files),
        kind("meridian").address
    );
    words(&["unbound", "-d", "-p", "-c", &files.put("unbound.conf", &text)])
}

fn kresd(files: &Files) -> Vec<String> {
    let text = format!(
        "net.listen('{}', 53, {{ kind = 'dns' }})\nmodules = {{ 'hints > iterate' }}\n\
         cache.open(64 * MB, 'lmdb://{}/cache')\n\
         hints.root({{ ['a.rootns.'] = '198.18.0.1', ['b.rootns.'] = '198.18.0.2' }})\n\
         for _, m in ipairs({{ 'ta_update', 'ta_signal_query', 'detect_time_skew', 'priming' }}) do\n  \
         pcall(modules.unload, m)\nend\ntrust_anchors.remove('.')\ntrust_anchors.add([[{}]])\n",
        files.address,
        files.at(),
        files.anchor_words().join(" "),
    );
    words(&["kresd", "-n", "-q", "-c", &files.put("kresd.conf", &text), &files.at()])
}

fn bind(files: &Files) -> Vec<String> {
    let anchor = files.anchor_words();
    let text = format!(
        "options {{\n  directory \"{0}\";\n  pid-file none;\n  session-keyfile \"{0}/session.key\";\n  \
         managed-keys-directory \"{0}\";\n  listen-on {{ {1}; }};\n  listen-on-v6 {{ none; }};\n  \
         allow-query {{ any; }};\n  recursion yes;\n  dnssec-validation yes;\n  empty-zones-enable no;\n}};\n\
         controls {{ }};\nzone \".\" {{ type hint; file \"{2}\"; }};\n\
         trust-anchors {{ . static-ds {3} {4} {5} \"{6}\"; }};\n",
        files.at(),
        files.address,
        files.hints,
        anchor[2],
        anchor[3],
        anchor[4],
        anchor[5],
    );
    words(&["named", "-g", "-n", "1", "-c", &files.put("named.conf", &text)])
}

fn pdns(files: &Files) -> Vec<String> {
    let lua = format!("addTA('.', \"{}\")\n", files.anchor_words()[2..].join(" "));
    let lua = files.put("anchor.lua", &format!("clearTA()\n{lua}"));
    let text = format!(
        "local-address={}\nlocal-port=53\nallow-from=127.0.0.0/8\ndaemon=no\nquiet=yes\nloglevel=3\nsocket-dir={}\n\
         hint-file={}\ndont-query=\ndnssec=validate\nthreads=1\nsecurity-poll-suffix=\nsetuid=\nsetgid=\n\
         lua-config-file={lua}\n",
        files.address,
        files.at(),
        files.hints,
    );
    files.put("recursor.conf", &text);
    words(&["pdns_recursor", &format!("--config-dir={}", files.at())])
}
