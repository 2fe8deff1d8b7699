//! The resolvers under comparison: Meridian and its peers, each at an address of its own, resolving the tree.
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use super::process::{self, Server};
use super::tree::Tree;

/// A running resolver.
pub struct Resolver {
    pub name: &'static str,
    pub address: SocketAddr,
    pub server: Server,
}

/// How a resolver is started: a configuration written to a directory, the command line.
struct Kind {
    name: &'static str,
    /// The program that must be installed; none for our own.
    program: Option<&'static str>,
    address: &'static str,
    prepare: fn(&Path, &Path, &str) -> Vec<String>,
}

const KINDS: &[Kind] = &[
    Kind { name: "meridian", program: None, address: "127.0.0.10", prepare: meridian_defaults },
    Kind { name: "unbound", program: Some("unbound"), address: "127.0.0.11", prepare: unbound },
    Kind { name: "knot", program: Some("kresd"), address: "127.0.0.12", prepare: kresd },
    Kind { name: "pdns", program: Some("pdns_recursor"), address: "127.0.0.13", prepare: pdns },
];

fn kind(name: &str) -> &'static Kind {
    KINDS.iter().find(|kind| kind.name == name).unwrap_or_else(|| panic!("no resolver is called {name}"))
}

/// The programs to be installed for these resolvers.
pub fn programs(names: &[&str]) -> Vec<&'static str> {
    names.iter().filter_map(|name| kind(name).program).collect()
}

/// Starts a resolver with an empty cache and waits until it answers.
pub fn start(name: &str, tree: &Tree) -> Resolver {
    start_in(name, tree.path())
}

/// The same where `path` has a `root.hints` of another tree; the resolver's files go below it.
pub fn start_in(name: &str, path: &Path) -> Resolver {
    let kind = kind(name);
    let directory = path.join(kind.name);
    std::fs::create_dir_all(&directory).expect("a writable directory");
    let command = (kind.prepare)(&directory, &path.join("root.hints"), kind.address);
    launch(kind.name, &directory, &command, kind.address)
}

/// Starts Meridian at 127.0.0.10 with further lines of configuration; files in `DIRECTORY/NAME`.
///
/// `recursion` goes into the block of that name (indented by two), `more` to the end of the file.
pub fn start_meridian(tree: &Tree, directory: &str, recursion: &str, more: &str) -> Resolver {
    start_meridian_in(tree.path(), directory, recursion, more)
}

/// The same where `path` has a `root.hints` of another tree.
pub fn start_meridian_in(path: &Path, directory: &str, recursion: &str, more: &str) -> Resolver {
    let directory = path.join(directory);
    std::fs::create_dir_all(&directory).expect("a writable directory");
    let command = meridian(&directory, &path.join("root.hints"), "127.0.0.10", recursion, more);
    launch("meridian", &directory, &command, "127.0.0.10")
}

fn launch(name: &'static str, directory: &Path, command: &[String], address: &str) -> Resolver {
    let arguments: Vec<&str> = command.iter().map(String::as_str).collect();
    let mut server = Server::start(name, directory, &arguments);
    let address: IpAddr = address.parse().expect("an address");
    // A name that needs no upstream, so that waiting leaves the cache empty.
    server.wait_until_it_answers(address, ("localhost.", 1));
    Resolver { name, address: SocketAddr::new(address, 53), server }
}

fn put(directory: &Path, name: &str, text: &str) -> PathBuf {
    let file = directory.join(name);
    std::fs::write(&file, text).expect("a writable directory");
    file
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn meridian_defaults(directory: &Path, hints: &Path, address: &str) -> Vec<String> {
    meridian(directory, hints, address, "", "")
}

fn meridian(directory: &Path, hints: &Path, address: &str, recursion: &str, more: &str) -> Vec<String> {
    let text = format!(
        "listen:\n  - {address}:53\nadmin: off\n{}recursion:\n  roots: {}\n  deny_upstreams: []\n  \
         hosts: off\n{}{}{recursion}\n{more}\n",
        if more.contains("workers:") { "" } else { "workers: 1\n" },
        hints.display(),
        if recursion.contains("dnssec:") { "" } else { "  dnssec: off\n" },
        if recursion.contains("allow:") { "" } else { "  allow: [127.0.0.0/8]\n" },
    );
    let file = put(directory, "meridian.yaml", &text);
    words(&[&process::meridian(), "serve", "--config", file.to_str().expect("a plain path")])
}

fn unbound(directory: &Path, hints: &Path, address: &str) -> Vec<String> {
    let text = format!(
        "server:\n  interface: {address}\n  access-control: 127.0.0.0/8 allow\n  do-daemonize: no\n  username: \"\"\n  \
         chroot: \"\"\n  directory: \"{}\"\n  pidfile: \"\"\n  use-syslog: no\n  verbosity: 1\n  num-threads: 1\n  \
         root-hints: \"{}\"\n  module-config: \"iterator\"\nremote-control:\n  control-enable: no\n",
        directory.display(),
        hints.display(),
    );
    let file = put(directory, "unbound.conf", &text);
    words(&["unbound", "-d", "-p", "-c", file.to_str().expect("a plain path")])
}

fn kresd(directory: &Path, _: &Path, address: &str) -> Vec<String> {
    let text = format!(
        "net.listen('{address}', 53, {{ kind = 'dns' }})\nmodules = {{ 'hints > iterate' }}\n\
         cache.open(64 * MB, 'lmdb://{}/cache')\ntrust_anchors.remove('.')\n\
         hints.root({{ ['a.rootns.'] = '198.18.0.1', ['b.rootns.'] = {{ '198.18.0.2', '2001:db8::2' }} }})\n\
         for _, m in ipairs({{ 'ta_update', 'ta_signal_query', 'detect_time_skew', 'priming' }}) do\n  \
         pcall(modules.unload, m)\nend\n",
        directory.display(),
    );
    let file = put(directory, "kresd.conf", &text);
    words(&["kresd", "-n", "-q", "-c", file.to_str().expect("a plain path"), directory.to_str().expect("a plain path")])
}

fn pdns(directory: &Path, hints: &Path, address: &str) -> Vec<String> {
    let text = format!(
        "local-address={address}\nlocal-port=53\nallow-from=127.0.0.0/8\ndaemon=no\nquiet=yes\nloglevel=3\n\
         socket-dir={}\nhint-file={}\ndont-query=\ndnssec=off\nthreads=1\nsecurity-poll-suffix=\nsetuid=\nsetgid=\n\
         query-local-address=0.0.0.0, ::\n",
        directory.display(),
        hints.display(),
    );
    put(directory, "recursor.conf", &text);
    words(&["pdns_recursor", &format!("--config-dir={}", directory.display())])
}
