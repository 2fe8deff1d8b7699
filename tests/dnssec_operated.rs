//! What people do about trust while the binary runs, end to end: keys of the root come and go and are followed, a zone
//! that has broken its signatures is excepted and validated again, and the metrics tell of both.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::float_cmp,
    clippy::format_collect,
    reason = "a test may fail, and lives in real time"
)]

mod support;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use meridian::dns::dnssec::sign::ENTRY_KEY;
use meridian::dns::dnssec::{Ds, SigningKey};
use meridian::dns::{Class, Message, Name, Record, RecordType, RrSet};
use meridian::handlers::resolve::rollover::{Rollover, State, saved};
use support::process::{self, Server};
use support::scrape::{self, Format, Scrape};
use support::signed::{self, Signed};
use support::wire::{self, Response};
use support::{ask, fake, namespace, wait};

const A: u16 = 1;
const DAY: u64 = 86_400;
const SERVFAIL: u16 = 2;
const NOERROR: u16 = 0;
/// The flag by which a key revokes itself.
const REVOKED: u16 = 0x80;
/// The fake root's server.
const ROOT: &str = "198.18.0.9";

fn wall() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// The root's key of this number.
fn key(number: u8, flags: u16) -> SigningKey {
    SigningKey::ed25519(&[number; 32], ENTRY_KEY | flags).unwrap()
}

/// The keys that a root zone has, and those of them that sign.
#[derive(Clone)]
struct Keys {
    published: Vec<Arc<SigningKey>>,
    signing: Vec<Arc<SigningKey>>,
}

impl Keys {
    fn new(published: &[&Arc<SigningKey>], signing: &[&Arc<SigningKey>]) -> Self {
        let all = |keys: &[&Arc<SigningKey>]| keys.iter().map(|key| Arc::clone(key)).collect();
        Self { published: all(published), signing: all(signing) }
    }

    fn sign(&self, owner: &Name, rtype: RecordType, rdatas: &[Vec<u8>]) -> RrSet {
        let mut set = RrSet::new(owner.lowered(), rtype, 2, rdatas);
        let (now, long_ago) = (wall() as u32, (wall() - 40 * DAY) as u32);
        for key in &self.signing {
            key.sign_set(&mut set, &Name::root(), long_ago, now + 3_600).unwrap();
        }
        set
    }

    fn dnskeys(&self) -> RrSet {
        let rdatas: Vec<Vec<u8>> = self.published.iter().map(|key| key.public().rdata().to_vec()).collect();
        self.sign(&Name::root(), RecordType::DNSKEY, &rdatas)
    }

    /// The root zone: its keys, its server, and an address for every other name.
    fn answer(&self, query: &[u8]) -> Option<Vec<u8>> {
        let mut message = Message::parse(query).ok()?;
        let question = message.questions.first()?.clone();
        message.flags.response = true;
        message.flags.authoritative = true;
        let set = match question.rtype {
            RecordType::DNSKEY if question.name.is_root() => Some(self.dnskeys()),
            RecordType::NS if question.name.is_root() => {
                Some(self.sign(&Name::root(), RecordType::NS, &[b"\x02ns\0".to_vec()]))
            }
            RecordType::A if !question.name.is_root() => {
                let address = if question.name.to_string().eq_ignore_ascii_case("ns.") {
                    [198, 18, 0, 9]
                } else {
                    [192, 0, 2, 1]
                };
                Some(self.sign(&question.name, RecordType::A, &[address.to_vec()]))
            }
            _ => None,
        };
        if let Some(set) = set {
            let record = |rtype, rdata: &[u8]| Record {
                owner: question.name.clone(),
                rtype,
                class: Class::IN,
                ttl: set.ttl,
                rdata: rdata.into(),
            };
            message.answer.extend(set.rdatas.iter().map(|rdata| record(set.rtype, rdata)));
            message.answer.extend(set.signatures.iter().map(|rdata| record(RecordType::RRSIG, rdata)));
        }
        let mut bytes = Vec::new();
        message.compose(&mut bytes, 65_535).ok()?;
        Some(bytes)
    }
}

fn ds(key: &SigningKey) -> RrSet {
    RrSet::new(Name::root(), RecordType::DS, 0, [key.ds(&Name::root()).rdata()])
}

/// The binary with these roots and anchors.
struct Running {
    server: Server,
    address: SocketAddr,
    admin: SocketAddr,
    asked: u32,
}

impl Running {
    fn start(name: &str, directory: &Path, (hints, anchors): (&Path, &Path)) -> Self {
        let home = directory.join(name);
        std::fs::create_dir_all(&home).unwrap();
        let text = format!(
            "listen: [\"127.0.0.1:0\"]\nadmin: 127.0.0.1:0\nworkers: 2\nstate: {}\nrecursion:\n  roots: {}\n  \
             deny_upstreams: []\n  hosts: off\n  dnssec: {{validate: true, anchors: {}}}\n  allow: [127.0.0.0/8]\n",
            directory.join("state").display(),
            hints.display(),
            anchors.display(),
        );
        let file = home.join("meridian.yaml");
        std::fs::write(&file, text).unwrap();
        let file = file.to_str().unwrap();
        let mut server = Server::start(name, &home, &[&process::meridian(), "serve", "--config", file]);
        let (address, admin) = (server.listens_on(), server.is_administered_on());
        Self { server, address, admin, asked: 0 }
    }

    /// What a command of the operator prints.
    fn tell(&self, command: &[&str]) -> String {
        let url = format!("http://{}", self.admin);
        let output = Command::new(process::meridian()).args(command).args(["--server", &url]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{command:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
        text
    }

    fn ask(&self, name: &str) -> Response {
        let mut query = wire::compose(0x4d52, name, A, Some(1232));
        let at = query.len() - 4;
        query[at] |= 0x80; // DO
        let response = ask::exchange_tcp(self.address, &query, Duration::from_secs(6));
        response
            .as_deref()
            .and_then(wire::read)
            .unwrap_or_else(|| panic!("{name}: no response\n{}", self.server.output()))
    }

    /// The same for a name that nobody has asked for before.
    fn ask_anew(&mut self) -> Response {
        self.asked += 1;
        self.ask(&format!("host-{}.", self.asked))
    }

    fn metrics(&self) -> Scrape {
        scrape::read(&scrape::fetch(self.admin, "text/plain").1, Format::Prometheus)
    }
}

#[test]
fn the_roots_keys_are_followed_and_the_last_one_can_revoke_itself() {
    namespace::inside("the_roots_keys_are_followed_and_the_last_one_can_revoke_itself", &[], follow);
}

fn follow() {
    let (first, second) = (Arc::new(key(1, 0)), Arc::new(key(2, 0)));
    let both = Keys::new(&[&first, &second], &[&first]);
    let root = Arc::new(Mutex::new(both.clone()));
    let served = Arc::clone(&root);
    fake::start(ROOT.parse().unwrap(), move |query| served.lock().unwrap().answer(query.bytes));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let (hints, anchors, state) = (path.join("root.hints"), path.join("root.ds"), path.join("state"));
    std::fs::write(&hints, format!(". 3600 NS ns.\nns. 3600 A {ROOT}\n")).unwrap();
    let Ds { tag, algorithm, digest_type, digest } = first.ds(&Name::root());
    let digest: String = digest.iter().map(|octet| format!("{octet:02X}")).collect();
    std::fs::write(&anchors, format!(". DS {tag} {} {} {digest}\n", algorithm.0, digest_type.0)).unwrap();
    // The server ran 31 days ago, and saw the new key for the first time.
    let mut rollover = Rollover::new(ds(&first));
    rollover.handle_keys(&both.dnskeys(), wall() - 31 * DAY);
    assert_eq!(rollover.keys().iter().map(|key| key.state).collect::<Vec<_>>(), [State::Valid, State::Pending]);
    std::fs::create_dir_all(&state).unwrap();
    std::fs::write(state.join("anchors"), saved::compose([&rollover])).unwrap();
    let mut running = Running::start("follows", path, (&hints, &anchors));
    let is_in = |text: &str, key: &SigningKey, word: &str| {
        text.lines()
            .any(|line| line.split_whitespace().next() == Some(&key.public().tag().to_string()) && line.contains(word))
    };
    let before = running.tell(&["trust"]);
    assert!(is_in(&before, &second, "pending"), "{before}");
    assert!(running.ask_anew().authentic);
    let keys =
        |running: &Running, state| running.metrics().one("meridian_anchor_keys", &[("zone", "."), ("state", state)]);
    assert_eq!((keys(&running, "valid"), keys(&running, "pending")), (1.0, 1.0));
    wait::wait_for(|| is_in(&running.tell(&["trust"]), &second, "valid"), "the new key is trusted");
    assert_eq!((keys(&running, "valid"), keys(&running, "pending")), (2.0, 0.0));
    let metrics = running.metrics();
    for name in ["meridian_anchor_seen_timestamp_seconds", "meridian_anchor_changed_timestamp_seconds"] {
        assert!(metrics.one(name, &[("zone", ".")]) > (wall() - 600) as f64, "{name}");
    }
    // The old key is gone: only who followed can go on.
    *root.lock().unwrap() = Keys::new(&[&second], &[&second]);
    wait::wait_for(
        || {
            std::thread::sleep(Duration::from_millis(200));
            (0..5).all(|_| running.ask_anew().authentic)
        },
        "what the new key signs is secure",
    );
    drop(running);
    // What was learned outlives a restart.
    let mut running = Running::start("again", path, (&hints, &anchors));
    let response = running.ask_anew();
    assert!(response.authentic, "{} {:?}", response.rcode, response.errors);
    drop(running);
    // Who knows the old key alone, as the file has it, finds it revoked by nobody but itself.
    std::fs::remove_dir_all(&state).unwrap();
    let revoked = Arc::new(key(1, REVOKED));
    *root.lock().unwrap() = Keys::new(&[&revoked], &[&revoked]);
    let mut running = Running::start("revoked", path, (&hints, &anchors));
    assert_eq!(running.ask_anew().rcode, SERVFAIL);
    wait::wait_for(|| running.tell(&["trust"]).contains("trusted keys: none"), "the anchor is one no more");
    let response = running.ask_anew();
    assert_eq!((response.rcode, response.authentic), (NOERROR, false), "{:?}", response.errors);
    assert_eq!(running.metrics().one("meridian_anchor_trusted", &[("zone", ".")]), 0.0);
    assert_eq!(keys(&running, "revoked"), 1.0);
}

#[test]
fn a_bogus_zone_answers_once_it_is_excepted_and_is_bogus_again_once_it_is_not() {
    let name = "a_bogus_zone_answers_once_it_is_excepted_and_is_bogus_again_once_it_is_not";
    namespace::inside(name, signed::PROGRAMS, except);
}

fn except() {
    let tree = Signed::start();
    let (hints, anchors) = (tree.path().join("root.hints"), tree.path().join("root.ds"));
    let running = Running::start("excepts", tree.path(), (&hints, &anchors));
    let name = "www.expired.example.";
    let exceptions = || running.metrics().one("meridian_validation_exceptions", &[]);
    for _ in 0..2 {
        let bogus = running.ask(name);
        assert!(bogus.rcode == SERVFAIL && bogus.errors.contains(&7), "{} {:?}", bogus.rcode, bogus.errors);
        assert_eq!(exceptions(), 0.0);
        running.tell(&["except", "expired.example", "--for", "30m", "--why", "expired"]);
        let answer = running.ask(name);
        assert_eq!((answer.rcode, answer.authentic), (NOERROR, false), "{:?}", answer.errors);
        assert!(!answer.answer.is_empty());
        assert_eq!(exceptions(), 1.0);
        assert!(running.tell(&["trust"]).contains("expired.example"));
        // It says nothing of other zones.
        assert_eq!(running.ask("www.future.example.").rcode, SERVFAIL);
        let beside = running.ask("www.nsec.net.");
        assert!(beside.authentic, "{} {:?}", beside.rcode, beside.errors);
        running.tell(&["unexcept", "expired.example"]);
        let again = running.ask(name);
        assert_eq!(again.rcode, SERVFAIL);
    }
}
