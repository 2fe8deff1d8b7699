//! Dynamic update as its users meet it: BIND's `nsupdate` against the binary, and a server that is killed at any
//! moment.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may fail, and lives in real time"
)]

mod support;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant, SystemTime};

use support::process::Server;
use support::wire::compose_name;
use support::{ask, namespace};

const A: u16 = 1;
const SOA: u16 = 6;
const TXT: u16 = 16;
const ANY: u16 = 255;

/// The secret of every key here: `0123456789abcdef0123456789abcdef`.
const SECRET: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const SECRET_OCTETS: &[u8] = b"0123456789abcdef0123456789abcdef";
const OTHER_SECRET: &str = "ADEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

const ZONE: &str = "\
$TTL 300
@ SOA ns hostmaster 10 3600 600 86400 60
@ NS ns
ns A 192.0.2.1
www A 192.0.2.2
www TXT \"here\"
";

/// A server of example.com whose configuration and state lie in `directory`.
struct Primary<'d> {
    directory: &'d Path,
    address: SocketAddr,
    server: Server,
}

impl<'d> Primary<'d> {
    /// Starts on a port that the system had free; another when that one is taken meanwhile. The address is this
    /// server's own, so that nobody takes its port while it is down.
    fn start(directory: &'d Path) -> Self {
        static STARTED: AtomicU8 = AtomicU8::new(100);
        let [.., high, low] = std::process::id().to_be_bytes();
        let own = Ipv4Addr::new(127, STARTED.fetch_add(1, Ordering::Relaxed), high, low);
        for _ in 0..10 {
            let free = UdpSocket::bind((own, 0)).unwrap();
            let address = free.local_addr().unwrap();
            if TcpListener::bind(address).is_err() {
                continue;
            }
            drop(free);
            if let Some(server) = Self::start_at(directory, address) {
                return Self { directory, address, server };
            }
        }
        panic!("no free port in ten tries");
    }

    fn start_at(directory: &Path, address: SocketAddr) -> Option<Server> {
        let zone = directory.join("example.com.zone");
        if !zone.exists() {
            std::fs::write(&zone, ZONE).unwrap();
        }
        let text = format!(
            "listen: [\"{address}\"]\nadmin: off\nworkers: 1\nrecursion: off\nlog: {{level: warn}}\nstate: {}\n\
             keys:\n  all: {{algorithm: hmac-sha256, secret: \"{SECRET}\"}}\n  \
             dyn: {{algorithm: hmac-sha512, secret: \"{SECRET}\"}}\n  \
             idle: {{algorithm: hmac-sha256, secret: \"{SECRET}\"}}\n\
             zones:\n  example.com:\n    file: example.com.zone\n    update:\n      \
             - {{key: all, types: [ANY]}}\n      \
             - {{key: dyn, names: \"*.dyn.example.com\", types: [A, AAAA, TXT]}}\n",
            directory.join("state").display()
        );
        let file = directory.join("meridian.yaml");
        std::fs::write(&file, text).unwrap();
        let command = [env!("CARGO_BIN_EXE_meridian"), "serve", "--config", file.to_str().unwrap()];
        let mut server = Server::start("meridian", directory, &command);
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline && server.ended().is_none() {
            let response = ask::once(address, "example.com.", SOA, Duration::from_millis(100));
            if response.is_some_and(|response| response.rcode == 0) {
                return Some(server);
            }
        }
        let taken = server.ended().is_some() && server.output().contains("in use");
        assert!(taken, "Meridian does not answer at {address}:\n{}", server.output());
        None
    }

    /// Kills the server and starts it again at the same address.
    fn kill_and_restart(&mut self) {
        self.server.signal("KILL");
        self.server.wait_for_end(Duration::from_secs(5));
        self.restart();
    }

    fn restart(&mut self) {
        self.server = Self::start_at(self.directory, self.address).unwrap();
    }

    /// Runs `nsupdate` with these lines; what it prints of the outcome, nothing where all went well.
    fn nsupdate(&self, key: &str, options: &[&str], lines: &str) -> String {
        let mut command = Command::new(namespace::find("nsupdate").unwrap());
        command.args(options).args((!key.is_empty()).then_some("-y")).args((!key.is_empty()).then_some(key));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let text = format!("server {} {}\nzone example.com\n{lines}\nsend\n", self.address.ip(), self.address.port());
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).trim().to_owned();
        assert_eq!(output.status.success(), said.is_empty(), "{said}");
        said
    }

    /// The RDATA at a name, sorted.
    fn data(&self, name: &str, rtype: u16) -> Vec<String> {
        let response = ask::patiently(self.address, name, rtype, 5, Duration::from_secs(1)).unwrap();
        let mut data: Vec<String> = response.answer.into_iter().map(|record| record.rdata).collect();
        data.sort();
        data
    }

    fn serial(&self) -> u32 {
        let soa = self.data("example.com.", SOA);
        // Two names, then the numbers in hexadecimal, the serial number first.
        let numbers = soa[0].split_whitespace().nth(4).unwrap_or_else(|| panic!("{soa:?}"));
        u32::from_str_radix(&numbers[..8], 16).unwrap()
    }
}

fn key(algorithm: &str, name: &str) -> String {
    format!("{algorithm}:{name}:{SECRET}")
}

fn all() -> String {
    key("hmac-sha256", "all")
}

fn with_nsupdate(test: &str, body: impl FnOnce(&Path)) {
    if namespace::find("nsupdate").is_none() {
        return namespace::skip(test, "nsupdate is not installed");
    }
    let directory = tempfile::tempdir().unwrap();
    body(directory.path());
}

#[test]
fn nsupdate_changes_the_zone_over_udp_and_tcp() {
    with_nsupdate("nsupdate_changes_the_zone_over_udp_and_tcp", |directory| {
        let primary = Primary::start(directory);
        assert_eq!(primary.nsupdate(&all(), &[], "update add new.example.com 60 A 192.0.2.9"), "");
        assert_eq!(primary.data("new.example.com.", A), ["192.0.2.9"]);
        assert_eq!(primary.serial(), 11);
        let many: Vec<String> =
            (0..200).map(|at| format!("update add many.example.com 60 TXT {at}{}", "x".repeat(200))).collect();
        assert_eq!(primary.nsupdate(&all(), &["-v"], &many.join("\n")), "");
        assert_eq!(primary.data("many.example.com.", TXT).len(), 200);
        let delete =
            "update delete many.example.com TXT\nupdate delete new.example.com\nupdate delete www.example.com TXT";
        assert_eq!(primary.nsupdate(&all(), &[], delete), "");
        assert_eq!(primary.serial(), 13);
        for name in ["many.example.com.", "new.example.com."] {
            let response = ask::patiently(primary.address, name, A, 5, Duration::from_secs(1)).unwrap();
            assert_eq!(response.rcode, 3, "{name}");
        }
        assert_eq!(primary.data("www.example.com.", A), ["192.0.2.2"]);
        assert!(primary.data("www.example.com.", TXT).is_empty());
    });
}

#[test]
fn prerequisites_decide() {
    with_nsupdate("prerequisites_decide", |directory| {
        let primary = Primary::start(directory);
        for (prerequisite, expected) in [
            ("prereq nxdomain www.example.com", "YXDOMAIN"),
            ("prereq yxdomain nope.example.com", "NXDOMAIN"),
            ("prereq nxrrset www.example.com A", "YXRRSET"),
            ("prereq yxrrset www.example.com AAAA", "NXRRSET"),
            ("prereq yxrrset www.example.com A 192.0.2.3", "NXRRSET"),
            ("prereq yxrrset www.example.com A 192.0.2.2\nprereq nxdomain x.example.com", ""),
        ] {
            let said =
                primary.nsupdate(&all(), &[], &format!("{prerequisite}\nupdate add x.example.com 60 A 192.0.2.9"));
            assert!(said.ends_with(expected) && said.is_empty() == expected.is_empty(), "{prerequisite}: {said}");
        }
        assert_eq!((primary.serial(), primary.data("x.example.com.", A).len()), (11, 1));
    });
}

#[test]
fn who_may_not_is_refused() {
    with_nsupdate("who_may_not_is_refused", |directory| {
        let primary = Primary::start(directory);
        let add = |name: &str, rtype: &str, data: &str| format!("update add {name}.example.com 60 {rtype} {data}");
        let dynamic = key("hmac-sha512", "dyn");
        for (key, lines, expected) in [
            (dynamic.as_str(), add("a.dyn", "A", "192.0.2.9"), ""),
            (&dynamic, add("a", "A", "192.0.2.9"), "REFUSED"),
            (&dynamic, add("dyn", "A", "192.0.2.9"), "REFUSED"),
            (&dynamic, add("a.dyn", "MX", "1 www.example.com."), "REFUSED"),
            (&dynamic, "update delete www.example.com".to_owned(), "REFUSED"),
            // All or nothing: the lawful half is not done either.
            (&dynamic, add("b.dyn", "A", "192.0.2.9") + "\n" + &add("b", "A", "192.0.2.9"), "REFUSED"),
            (&key("hmac-sha256", "idle"), add("a", "A", "192.0.2.9"), "REFUSED"),
            ("", add("a", "A", "192.0.2.9"), "REFUSED"),
            (&key("hmac-sha256", "unknown"), add("a", "A", "192.0.2.9"), "BADKEY"),
            (&key("hmac-sha384", "dyn"), add("a.dyn", "A", "192.0.2.9"), "BADKEY"),
            (&format!("hmac-sha256:all:{OTHER_SECRET}"), add("a", "A", "192.0.2.9"), "BADSIG"),
            (&all(), "zone example.net\nupdate add a.example.net 60 A 192.0.2.9".to_owned(), "NOTAUTH"),
            (&all(), "update add a.example.net 60 A 192.0.2.9".to_owned(), "NOTZONE"),
        ] {
            let said = primary.nsupdate(key, &[], &lines);
            assert!(said.contains(expected) && said.is_empty() == expected.is_empty(), "{key} {lines}: {said}");
        }
        assert_eq!(primary.serial(), 11);
        assert!(primary.data("b.dyn.example.com.", A).is_empty());
    });
}

#[test]
fn the_zone_belongs_to_its_journal_until_the_file_is_newer() {
    with_nsupdate("the_zone_belongs_to_its_journal_until_the_file_is_newer", |directory| {
        let mut primary = Primary::start(directory);
        assert_eq!(primary.nsupdate(&all(), &[], "update add new.example.com 60 A 192.0.2.9"), "");
        let file = directory.join("example.com.zone");
        std::fs::write(&file, ZONE.replace("192.0.2.2", "192.0.2.77")).unwrap();
        primary.kill_and_restart();
        assert_eq!((primary.serial(), primary.data("www.example.com.", A)), (11, vec!["192.0.2.2".to_owned()]));
        assert_eq!(primary.data("new.example.com.", A), ["192.0.2.9"]);
        std::fs::write(&file, ZONE.replace("192.0.2.2", "192.0.2.77").replace(" 10 ", " 12 ")).unwrap();
        primary.server.signal("HUP");
        let deadline = Instant::now() + Duration::from_secs(10);
        while primary.serial() != 12 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!((primary.serial(), primary.data("www.example.com.", A)), (12, vec!["192.0.2.77".to_owned()]));
        assert!(primary.data("new.example.com.", A).is_empty());
        assert_eq!(primary.nsupdate(&all(), &[], "update add more.example.com 60 A 192.0.2.9"), "");
        primary.kill_and_restart();
        assert_eq!((primary.serial(), primary.data("more.example.com.", A).len()), (13, 1));
    });
}

/// An update message of example.com with these records in its update section, signed by the key `all`.
fn update(id: u16, records: &[Vec<u8>]) -> Vec<u8> {
    let mut message = id.to_be_bytes().to_vec();
    message.extend([0x28, 0, 0, 1, 0, 0]);
    message.extend((records.len() as u16).to_be_bytes());
    message.extend([0, 0]);
    message.extend(compose_name("example.com."));
    message.extend([0, 6, 0, 1]);
    records.iter().for_each(|record| message.extend(record));
    let algorithm = compose_name("hmac-sha256.");
    let key = compose_name("all.");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let time_and_fudge = [&now.to_be_bytes()[2..], &[1, 44]].concat();
    let variables = [&key[..], &[0, 255, 0, 0, 0, 0], &algorithm, &time_and_fudge, &[0, 0, 0, 0]].concat();
    let secret = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET_OCTETS);
    let mac = ring::hmac::sign(&secret, &[&message[..], &variables].concat());
    let rdata = [&algorithm[..], &time_and_fudge, &[0, 32], mac.as_ref(), &id.to_be_bytes(), &[0, 0, 0, 0]].concat();
    message.extend(key);
    message.extend([0, 250, 0, 255, 0, 0, 0, 0]);
    message.extend((rdata.len() as u16).to_be_bytes());
    message.extend(rdata);
    message[11] = 1;
    message
}

fn record(name: &str, rtype: u16, class: u16, ttl: u8, rdata: &[u8]) -> Vec<u8> {
    let mut record = compose_name(name);
    record.extend(rtype.to_be_bytes());
    record.extend(class.to_be_bytes());
    record.extend([0, 0, 0, ttl]);
    record.extend((rdata.len() as u16).to_be_bytes());
    record.extend(rdata);
    record
}

fn text(content: &str) -> Vec<u8> {
    [&[content.len() as u8], content.as_bytes()].concat()
}

/// The update number `number`: two names come together, two of an earlier one go together, a counter moves on.
fn numbered(number: u32) -> Vec<u8> {
    let content = text(&number.to_string());
    let mut records = vec![
        record(&format!("left-{number}.example.com."), TXT, 1, 60, &content),
        record(&format!("right-{number}.example.com."), TXT, 1, 60, &content),
        record("counter.example.com.", A, ANY, 0, &[]),
        record("counter.example.com.", A, 1, 60, &number.to_be_bytes()),
    ];
    if let Some(gone) = gone_with(number) {
        records.push(record(&format!("left-{gone}.example.com."), ANY, ANY, 0, &[]));
        records.push(record(&format!("right-{gone}.example.com."), TXT, 254, 0, &text(&gone.to_string())));
    }
    update(number as u16, &records)
}

/// Every third update takes the one 30 before it away.
fn gone_with(number: u32) -> Option<u32> {
    (number % 3 == 0).then(|| number.checked_sub(30)).flatten()
}

/// Whether an update numbered below `end` takes this one away.
fn gone_within(number: u32, end: u32) -> bool {
    number + 30 < end && gone_with(number + 30) == Some(number)
}

/// Sends updates from `first` on until the server dies, at most 16 unanswered at a time; the number after the last
/// one sent, and the numbers of those that were acknowledged.
fn stream(address: SocketAddr, first: u32) -> (u32, Vec<u32>) {
    let mut acknowledged = Vec::new();
    let Ok(mut connection) = TcpStream::connect(address) else { return (first, acknowledged) };
    connection.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    connection.set_nodelay(true).unwrap();
    let mut next = first;
    let mut waiting: BTreeMap<u16, u32> = BTreeMap::new();
    loop {
        while waiting.len() < 16 {
            let message = numbered(next);
            let framed = [&(message.len() as u16).to_be_bytes()[..], &message].concat();
            waiting.insert(next as u16, next);
            next += 1;
            if connection.write_all(&framed).is_err() {
                return (next, acknowledged);
            }
        }
        let mut length = [0; 2];
        let mut response = Vec::new();
        let is_read = connection.read_exact(&mut length).is_ok() && {
            response.resize(usize::from(u16::from_be_bytes(length)), 0);
            connection.read_exact(&mut response).is_ok()
        };
        if !is_read {
            return (next, acknowledged);
        }
        let number =
            waiting.remove(&u16::from_be_bytes([response[0], response[1]])).expect("an answer to what was asked");
        assert_eq!(response[3] & 15, 0, "update {number} was not done");
        acknowledged.push(number);
    }
}

/// What stands at the names of update `number`: both or neither, or the update was torn.
fn is_there(primary: &Primary<'_>, number: u32) -> bool {
    let [left, right] = ["left", "right"].map(|side| primary.data(&format!("{side}-{number}.example.com."), TXT));
    assert_eq!(left, right, "half of update {number}");
    !left.is_empty()
}

#[test]
fn no_acknowledged_update_is_lost_and_none_is_torn_when_the_server_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let mut primary = Primary::start(directory.path());
    let (mut next, mut total) = (0, 0);
    for round in 0u64..50 {
        let address = primary.address;
        let first = next;
        let client = std::thread::spawn(move || stream(address, first));
        // A different moment each time: before the first update, within a write, between two.
        std::thread::sleep(Duration::from_micros(round * 7_919 % 120_000));
        primary.server.signal("KILL");
        primary.server.wait_for_end(Duration::from_secs(5));
        let (after, acknowledged) = client.join().unwrap();
        primary.restart();
        let counter = primary.data("counter.example.com.", A);
        assert!(counter.len() <= 1 && (counter.len() == 1 || acknowledged.is_empty()), "round {round}: {counter:?}");
        // All that were sent at last, and some of the others.
        let step = ((after - first) / 100).max(1) as usize;
        let last = after.saturating_sub(60).max(first)..after;
        for number in (first..after).step_by(step).chain(last) {
            let is_known = acknowledged.contains(&number);
            let there = is_there(&primary, number);
            // Whether the update that takes this one away again was sent in this round.
            match gone_within(number, after).then_some(number + 30) {
                // It was sent after this one was answered: either it took this one away or it was not done.
                Some(later) if is_known => {
                    let is_later_there = is_there(&primary, later) || gone_within(later, after);
                    assert_eq!(there, !is_later_there, "round {round}: half of update {later}");
                    assert!(!there || !acknowledged.contains(&later), "round {round}: update {later} is lost");
                }
                None if is_known => assert!(there, "round {round}: update {number} is lost"),
                _ => {}
            }
        }
        total += acknowledged.len();
        next = after.next_multiple_of(100); // numbers that were sent and not answered are not used again
    }
    assert!(total > 500, "only {total} updates were acknowledged: the test has hardly tested");
    namespace::say(&format!("{total} updates acknowledged over 50 kills, none lost"));
}
