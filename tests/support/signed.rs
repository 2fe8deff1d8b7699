//! The signed tree: a root, two TLDs and some twenty zones, each signed another way by Debian's own tools and
//! served by NSD, Knot DNS, BIND and `PowerDNS`. `tests/signed` has what the zones hold.
//!
//! | addresses | who |
//! |---|---|
//! | 198.18.0.1, .2 | the root (P-256, NSEC), on NSD and Knot DNS |
//! | 198.18.1.1, .2 | TLD example (RSA-2048, NSEC3 with opt-out), on NSD and Knot DNS |
//! | 198.18.1.3 | TLD net (P-256, NSEC), on BIND |
//! | 198.18.2.1, .2, .3, .4 | the zones, on NSD, Knot DNS (which signs some itself), BIND, `PowerDNS` (which signs live) |
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::Server;
use super::{namespace, wire};

/// The programs that the tree is made of.
pub const PROGRAMS: &[&str] = &[
    "nsd",
    "knotd",
    "keymgr",
    "named",
    "dnssec-keygen",
    "dnssec-signzone",
    "ldns-keygen",
    "ldns-signzone",
    "pdns_server",
    "pdnsutil",
];

/// Who serves a zone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Host {
    Nsd,
    Knot,
    Bind,
    Pdns,
}

impl Host {
    fn address(self) -> &'static str {
        match self {
            Self::Nsd => "198.18.2.1",
            Self::Knot => "198.18.2.2",
            Self::Bind => "198.18.2.3",
            Self::Pdns => "198.18.2.4",
        }
    }
}

/// Who signs a zone, and how: an algorithm's name as the tools have it, then the denial's options.
#[derive(Clone, Copy, Debug)]
enum Signer {
    /// `dnssec-signzone` with these options.
    Bind(&'static str, &'static [&'static str]),
    /// `ldns-signzone` with these options.
    Ldns(&'static str, &'static [&'static str]),
    /// Knot DNS while it serves; iterations and length of the salt where NSEC3.
    Knot(&'static str, Option<(u16, u8)>),
    /// `PowerDNS` while it serves; NSEC3 parameters and whether its denials are narrow.
    Pdns(Option<(&'static str, bool)>),
    Nobody,
}

/// What the parent says of a zone's keys.
#[derive(Clone, Copy, Debug)]
enum Parents {
    /// What is so.
    Word,
    /// A digest of other octets.
    OtherDigest,
    /// DS records of an algorithm that nobody knows.
    StrangeAlgorithm,
    /// DS records made of SHA-1 alone.
    Sha1,
    /// DS records of SHA-384 alone.
    Sha384,
    Silence,
    /// Another zone's DS.
    Of(&'static str),
}

struct Plan {
    apex: &'static str,
    host: Host,
    signer: Signer,
    parents: Parents,
}

const fn plan(apex: &'static str, host: Host, signer: Signer, parents: Parents) -> Plan {
    Plan { apex, host, signer, parents }
}

const P256: &str = "ECDSAP256SHA256";

/// Children stand before their parents.
const LEAVES: &[Plan] = &[
    plan("sub.nsec.net.", Host::Nsd, Signer::Bind(P256, &[]), Parents::Word),
    plan("sub.nsec3.net.", Host::Bind, Signer::Bind(P256, &["-3", "-"]), Parents::Word),
    plan("nsec.net.", Host::Nsd, Signer::Bind(P256, &[]), Parents::Word),
    plan("nsec3.net.", Host::Nsd, Signer::Bind(P256, &["-3", "-"]), Parents::Word),
    plan("salted.net.", Host::Bind, Signer::Bind(P256, &["-3", "a1b2c3d4e5f6", "-H", "20"]), Parents::Word),
    plan("manyhashes.net.", Host::Nsd, Signer::Ldns(P256, &["-n", "-s", "ab", "-t", "200"]), Parents::Word),
    plan("hashes100.net.", Host::Nsd, Signer::Bind(P256, &["-3", "ab", "-H", "100"]), Parents::Word),
    plan("optout.net.", Host::Nsd, Signer::Bind(P256, &["-3", "-", "-A"]), Parents::Word),
    plan("knot.net.", Host::Knot, Signer::Knot(P256, None), Parents::Word),
    plan("knot3.net.", Host::Knot, Signer::Knot("ed25519", Some((5, 8))), Parents::Word),
    plan("p256.example.", Host::Bind, Signer::Bind(P256, &[]), Parents::Word),
    plan("p384.example.", Host::Bind, Signer::Bind("ECDSAP384SHA384", &["-3", "-"]), Parents::Sha384),
    plan("rsa256.example.", Host::Nsd, Signer::Bind("RSASHA256", &[]), Parents::Word),
    plan("rsa512.example.", Host::Nsd, Signer::Bind("RSASHA512", &["-3", "-"]), Parents::Word),
    plan("rsasha1.example.", Host::Bind, Signer::Bind("NSEC3RSASHA1", &["-3", "-"]), Parents::Sha1),
    plan("ed25519.example.", Host::Nsd, Signer::Bind("ED25519", &[]), Parents::Word),
    plan("ed448.example.", Host::Nsd, Signer::Bind("ED448", &[]), Parents::Word),
    plan("ldns.example.", Host::Nsd, Signer::Ldns(P256, &[]), Parents::Word),
    plan("ldns3.example.", Host::Knot, Signer::Ldns("ED25519", &["-n", "-s", "beef", "-t", "1"]), Parents::Word),
    plan("pdns.example.", Host::Pdns, Signer::Pdns(None), Parents::Word),
    plan("pdns3.example.", Host::Pdns, Signer::Pdns(Some(("1 0 2 ab", false))), Parents::Word),
    plan("narrow.example.", Host::Pdns, Signer::Pdns(Some(("1 0 0 -", true))), Parents::Word),
    plan("pdnsnone.example.", Host::Pdns, Signer::Nobody, Parents::Silence),
    plan("island.example.", Host::Nsd, Signer::Bind(P256, &[]), Parents::Silence),
    plan("baddigest.example.", Host::Nsd, Signer::Bind(P256, &[]), Parents::OtherDigest),
    plan("strangealg.example.", Host::Nsd, Signer::Bind(P256, &[]), Parents::StrangeAlgorithm),
    plan("otherds.example.", Host::Bind, Signer::Bind(P256, &["-3", "-"]), Parents::Of("nsec.net.")),
    plan(
        "expired.example.",
        Host::Nsd,
        Signer::Bind(P256, &["-s", "20240101000000", "-e", "20240201000000"]),
        Parents::Word,
    ),
    plan(
        "future.example.",
        Host::Nsd,
        Signer::Bind(P256, &["-s", "20700101000000", "-e", "20700201000000"]),
        Parents::Word,
    ),
    plan("stripped.example.", Host::Knot, Signer::Nobody, Parents::Of("p256.example.")),
    plan("insecure.example.", Host::Knot, Signer::Nobody, Parents::Silence),
];

/// A zone of the tree with its names and their types, as far as questions are made of them.
pub struct Zone {
    pub apex: String,
    pub owners: BTreeMap<String, Vec<u16>>,
}

/// The running tree; its servers end with it.
pub struct Signed {
    directory: tempfile::TempDir,
    pub zones: Vec<Zone>,
    _servers: Vec<Server>,
}

impl Signed {
    /// Signs everything and starts the servers; waits until each answers.
    pub fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path();
        let mut tree = Making { path, zones: Vec::new(), files: BTreeMap::new(), ds: BTreeMap::new() };
        for plan in LEAVES {
            tree.write(plan.apex, &leaf(plan));
        }
        tree.prepare_knot();
        tree.prepare_pdns();
        for plan in LEAVES {
            tree.sign(plan);
        }
        for plan in LEAVES.iter().filter(|plan| !matches!(plan.signer, Signer::Nobody)) {
            for (below, is_asked) in
                [("plain", true), ("deep.under.none", false), ("broken", false), ("strange", false), ("oddhash", false)]
            {
                let apex = format!("{below}.{}", plan.apex);
                tree.write(&apex, &unsigned(&apex, Host::Nsd.address()));
                tree.zones.retain(|zone| is_asked || zone.apex != apex);
                tree.files.insert(apex, (Host::Nsd, None));
            }
        }
        let tld = |apex: &str, lines: &str, servers: &[(&str, &str)]| {
            let mut text =
                format!("$ORIGIN {apex}\n$TTL 3600\n@ SOA {} hostmaster 1 1800 900 604800 600\n", servers[0].0);
            for (name, address) in servers {
                writeln!(text, "@ NS {name}\n{name} A {address}").expect("text grows");
            }
            text + lines
        };
        let (example, net) = (tree.delegations("example."), tree.delegations("net."));
        let text = tld("example.", &example, &[("ns1.nic", "198.18.1.1"), ("ns2.nic", "198.18.1.2")]);
        tree.write("example.", &text);
        tree.sign_by_bind("example.", "RSASHA256", &["-3", "-", "-A"]);
        tree.write("net.", &tld("net.", &net, &[("ns.nic", "198.18.1.3")]));
        tree.sign_by_bind("net.", P256, &[]);
        let mut roots =
            String::from("example. NS ns1.nic.example.\nexample. NS ns2.nic.example.\nnet. NS ns.nic.net.\n");
        roots += "ns1.nic.example. A 198.18.1.1\nns2.nic.example. A 198.18.1.2\nns.nic.net. A 198.18.1.3\n";
        roots += &(tree.ds["example."].join("\n") + "\n" + &tree.ds["net."].join("\n") + "\n");
        tree.write(".", &tld(".", &roots, &[("a.rootns", "198.18.0.1"), ("b.rootns", "198.18.0.2")]));
        tree.sign_by_bind(".", P256, &[]);
        let mut servers = tree.serve();
        for (server, (address, apex)) in servers.iter_mut().zip([
            ("198.18.0.1", "."),
            ("198.18.0.2", "."),
            ("198.18.1.1", "example."),
            ("198.18.1.2", "example."),
            ("198.18.1.3", "net."),
            ("198.18.2.1", "nsec.net."),
            ("198.18.2.2", "knot3.net."),
            ("198.18.2.3", "p256.example."),
            ("198.18.2.4", "pdns.example."),
        ]) {
            let address: IpAddr = address.parse().expect("an address");
            server.wait_until_it_answers(address, (apex, wire::rtype("SOA").expect("known")));
        }
        let hints =
            ". 3600 NS a.rootns.\n. 3600 NS b.rootns.\na.rootns. 3600 A 198.18.0.1\nb.rootns. 3600 A 198.18.0.2\n";
        std::fs::write(path.join("root.hints"), hints).expect("a writable directory");
        let of = |line: &&String| line.split_whitespace().nth(4) == Some("2");
        let anchor = tree.ds["."].iter().find(of).expect("a digest of SHA-256");
        std::fs::write(path.join("root.ds"), format!("{anchor}\n")).expect("a writable directory");
        let zones = std::mem::take(&mut tree.zones);
        Self { directory, zones, _servers: servers }
    }

    /// The directory of all files: `root.hints`, and the trust anchor `root.ds`.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// The tree while it is made.
struct Making<'a> {
    path: &'a Path,
    zones: Vec<Zone>,
    /// Who serves a zone from a file; none for the file where it is signed, else as written.
    files: BTreeMap<String, (Host, Option<PathBuf>)>,
    ds: BTreeMap<String, Vec<String>>,
}

fn leaf(plan: &Plan) -> String {
    if matches!(plan.signer, Signer::Nobody) {
        return unsigned(plan.apex, plan.host.address());
    }
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/signed/leaf.zone"));
    let mut text =
        text.expect("the zone is beside the tests").replace("APEX", plan.apex).replace("ADDRESS", plan.host.address());
    for child in LEAVES.iter().filter(|child| child.apex == format!("sub.{}", plan.apex)) {
        writeln!(text, "sub NS ns.sub\nns.sub A {}", child.host.address()).expect("text grows");
    }
    text
}

fn unsigned(apex: &str, address: &str) -> String {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/signed/plain.zone"));
    text.expect("the zone is beside the tests").replace("APEX", apex).replace("ADDRESS", address)
}

impl Making<'_> {
    fn file(&self, apex: &str, ending: &str) -> PathBuf {
        let stem = if apex == "." { "root" } else { apex.trim_end_matches('.') };
        self.path.join(format!("{stem}.{ending}"))
    }

    /// Writes a zone as it is before signing, and remembers its names.
    fn write(&mut self, apex: &str, text: &str) {
        std::fs::write(self.file(apex, "zone"), text).expect("a writable directory");
        let mut owners = BTreeMap::<String, Vec<u16>>::new();
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [owner, rtype, ..] = words.as_slice() else { continue };
            let Some(rtype) = wire::rtype(rtype) else { continue };
            let owner = owner.to_ascii_lowercase();
            let owner = match (owner.as_str(), apex) {
                ("@", _) => apex.to_owned(),
                (_, _) if owner.ends_with('.') => owner,
                (_, ".") => format!("{owner}."),
                (_, _) => format!("{owner}.{apex}"),
            };
            let types = owners.entry(owner).or_default();
            if !types.contains(&rtype) {
                types.push(rtype);
            }
        }
        self.zones.retain(|zone| zone.apex != apex);
        self.zones.push(Zone { apex: apex.to_owned(), owners });
    }

    fn sign(&mut self, plan: &Plan) {
        match plan.signer {
            Signer::Nobody => {
                self.files.insert(plan.apex.to_owned(), (plan.host, None));
                return;
            }
            Signer::Bind(algorithm, options) => {
                if let Some(child) = LEAVES.iter().find(|child| child.apex == format!("sub.{}", plan.apex)) {
                    let file = self.file(plan.apex, "zone");
                    let text = std::fs::read_to_string(&file).expect("written before");
                    let ds = self.ds[child.apex].join("\n");
                    std::fs::write(&file, format!("{text}{ds}\n")).expect("a writable directory");
                }
                self.sign_by_bind(plan.apex, algorithm, options);
            }
            Signer::Ldns(algorithm, options) => self.sign_by_ldns(plan.apex, algorithm, options),
            Signer::Knot(..) | Signer::Pdns(..) => {} // they have signed already
        }
        if !matches!(plan.signer, Signer::Knot(..) | Signer::Pdns(..)) {
            self.files.insert(plan.apex.to_owned(), (plan.host, Some(self.file(plan.apex, "signed"))));
        }
    }

    /// A key that signs keys and one that signs the rest, as most zones have them.
    fn sign_by_bind(&mut self, apex: &str, algorithm: &str, options: &[&str]) {
        let path = self.path.to_str().expect("a plain path").to_owned();
        let zone = self.file(apex, "zone");
        let signed = self.file(apex, "signed");
        let bits: &[&str] = if algorithm.contains("RSA") { &["-b", "2048"] } else { &[] };
        for role in [&["-f", "KSK"][..], &[]] {
            let arguments = [&["-q", "-K", &path, "-a", algorithm], bits, role, &[apex]].concat();
            run("dnssec-keygen", self.path, &arguments);
        }
        let (zone, signed) = (zone.to_str().expect("a plain path"), signed.to_str().expect("a plain path"));
        // Nobody checks what it made: some of it is to be wrong.
        let fixed = ["-q", "-P", "-S", "-K", &path, "-o", apex, "-f", signed, "-O", "full"];
        run("dnssec-signzone", self.path, &[&fixed[..], options, &[zone]].concat());
        let key = std::fs::read_dir(self.path).expect("a readable directory").flatten().map(|entry| entry.path());
        let prefix = format!("K{apex}+");
        let is_ksk = |path: &PathBuf| {
            path.extension().is_some_and(|ending| ending == "key")
                && path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix))
                && std::fs::read_to_string(path).is_ok_and(|text| text.contains("DNSKEY 257"))
        };
        let key = key.into_iter().find(is_ksk).expect("a key was made");
        let key = key.to_str().expect("a plain path");
        let ds = run("dnssec-dsfromkey", self.path, &["-1", key])
            + &run("dnssec-dsfromkey", self.path, &["-2", key])
            + &run("dnssec-dsfromkey", self.path, &["-a", "SHA-384", key]);
        self.keep_ds(apex, &ds);
    }

    fn sign_by_ldns(&mut self, apex: &str, algorithm: &str, options: &[&str]) {
        let ksk = run("ldns-keygen", self.path, &["-a", algorithm, "-k", apex]).trim().to_owned();
        let zsk = run("ldns-keygen", self.path, &["-a", algorithm, apex]).trim().to_owned();
        let (zone, signed) = (self.file(apex, "zone"), self.file(apex, "signed"));
        let (zone, signed) = (zone.to_str().expect("a plain path"), signed.to_str().expect("a plain path"));
        let arguments = [options, &["-o", apex, "-f", signed, zone, &ksk, &zsk]].concat();
        run("ldns-signzone", self.path, &arguments);
        let ds = std::fs::read_to_string(self.path.join(format!("{ksk}.ds"))).expect("made with the key");
        self.keep_ds(apex, &ds);
    }

    fn knot_conf(&self) -> String {
        self.path.join("knot-leaf/knot.conf").to_str().expect("a plain path").to_owned()
    }

    /// Knot DNS gets its keys before it starts, so that the parents can be signed meanwhile.
    fn prepare_knot(&mut self) {
        let directory = self.path.join("knot-leaf");
        std::fs::create_dir_all(&directory).expect("a writable directory");
        let mut text = knot_head(&directory, &["198.18.2.2"]);
        let signs: Vec<_> = LEAVES
            .iter()
            .filter_map(|plan| match plan.signer {
                Signer::Knot(algorithm, nsec3) => Some((plan.apex, algorithm, nsec3)),
                _ => None,
            })
            .collect();
        text.push_str("policy:\n");
        for (apex, algorithm, nsec3) in &signs {
            write!(text, "  - id: {apex}\n    manual: on\n    algorithm: {}\n", algorithm.to_ascii_lowercase())
                .expect("text grows");
            if let Some((iterations, salt)) = nsec3 {
                write!(text, "    nsec3: on\n    nsec3-iterations: {iterations}\n    nsec3-salt-length: {salt}\n")
                    .expect("text grows");
            }
        }
        text.push_str("zone:\n");
        for (apex, ..) in &signs {
            let file = self.file(apex, "zone");
            write!(
                text,
                "  - domain: {apex}\n    file: {}\n    dnssec-signing: on\n    dnssec-policy: {apex}\n",
                file.display()
            )
            .expect("text grows");
        }
        // The other zones of this server follow when they are signed.
        std::fs::write(directory.join("knot.conf"), text).expect("a writable directory");
        let conf = self.knot_conf();
        for (apex, algorithm, _) in signs {
            let algorithm = format!("algorithm={algorithm}");
            for role in ["ksk=yes", "zsk=yes"] {
                run("keymgr", self.path, &["-c", &conf, apex, "generate", &algorithm, role]);
            }
            let ds = run("keymgr", self.path, &["-c", &conf, apex, "ds"]);
            self.keep_ds(apex, &ds);
        }
    }

    fn prepare_pdns(&mut self) {
        let directory = self.path.join("pdns");
        std::fs::create_dir_all(&directory).expect("a writable directory");
        let d = directory.to_str().expect("a plain path").to_owned();
        let mut zones = String::new();
        for plan in LEAVES.iter().filter(|plan| plan.host == Host::Pdns) {
            let file = self.file(plan.apex, "zone");
            writeln!(zones, "zone \"{}\" {{ type master; file \"{}\"; }};", plan.apex, file.display())
                .expect("text grows");
        }
        std::fs::write(directory.join("named.conf"), zones).expect("a writable directory");
        let text = format!(
            "launch=bind\nbind-config={d}/named.conf\nbind-dnssec-db={d}/keys.db\nlocal-address=198.18.2.4\nlocal-port=53\n\
             socket-dir={d}\ndaemon=no\nguardian=no\nsetuid=\nsetgid=\ndisable-syslog=yes\nwrite-pid=no\n\
             version-string=anonymous\nsecurity-poll-suffix=\ndname-processing=yes\ncache-ttl=0\n"
        );
        std::fs::write(directory.join("pdns.conf"), text).expect("a writable directory");
        let at = format!("--config-dir={d}");
        run("pdnsutil", self.path, &[&at, "create-bind-db", &format!("{d}/keys.db")]);
        for plan in LEAVES {
            let Signer::Pdns(nsec3) = plan.signer else { continue };
            run("pdnsutil", self.path, &[&at, "secure-zone", plan.apex]);
            if let Some((parameters, is_narrow)) = nsec3 {
                let narrow: &[&str] = if is_narrow { &["narrow"] } else { &[] };
                run("pdnsutil", self.path, &[&[&at, "set-nsec3", plan.apex, parameters], narrow].concat());
            }
            let ds = run("pdnsutil", self.path, &[&at, "export-zone-ds", plan.apex]);
            self.keep_ds(plan.apex, &ds);
        }
    }

    fn keep_ds(&mut self, apex: &str, text: &str) {
        let mut lines = Vec::new();
        for line in text.lines() {
            let words: Vec<&str> = line.split(';').next().unwrap_or_default().split_whitespace().collect();
            if let Some(at) = words.iter().position(|word| *word == "DS") {
                lines.push(format!("{apex} DS {}", words[at + 1..].join(" ")));
            }
        }
        assert!(!lines.is_empty(), "{apex} has no DS in {text:?}");
        self.ds.insert(apex.to_owned(), lines);
    }

    /// The DS records that the parent is to have of a zone.
    fn parents_word(&self, plan: &Plan) -> Vec<String> {
        let with = |digest: &str| {
            let of = |line: &&String| line.split_whitespace().nth(4) == Some(digest);
            self.ds[plan.apex].iter().filter(of).cloned().collect::<Vec<_>>()
        };
        match plan.parents {
            Parents::Silence => Vec::new(),
            Parents::Word => with("2"),
            Parents::Sha1 => with("1"),
            Parents::Sha384 => with("4"),
            Parents::Of(other) => {
                let of = self.ds[other].iter().filter(|line| line.split_whitespace().nth(4) == Some("2"));
                of.map(|line| line.replacen(other, plan.apex, 1)).collect()
            }
            Parents::OtherDigest | Parents::StrangeAlgorithm => with("2")
                .iter()
                .map(|line| {
                    let mut words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
                    if matches!(plan.parents, Parents::StrangeAlgorithm) {
                        words[3] = "200".into();
                    } else {
                        words[5] = words[5].chars().rev().collect();
                        words.truncate(6);
                    }
                    words.join(" ")
                })
                .collect(),
        }
    }

    /// The lines by which a TLD delegates its zones.
    fn delegations(&self, tld: &str) -> String {
        let mut text = String::new();
        for plan in LEAVES.iter().filter(|plan| plan.apex.split_once('.').is_some_and(|(_, parent)| parent == tld)) {
            let apex = plan.apex;
            writeln!(text, "{apex} NS ns.{apex}\nns.{apex} A {}", plan.host.address()).expect("text grows");
            for line in self.parents_word(plan) {
                writeln!(text, "{line}").expect("text grows");
            }
        }
        // Lines for what a TLD itself is asked: a host, a wildcard, a cut without a DS and one of nobody.
        writeln!(text, "www.{tld} A 192.0.2.77\n*.wild.{tld} A 192.0.2.78\na.b.ents.{tld} A 192.0.2.79")
            .expect("text grows");
        text
    }

    fn of_host(&self, host: Host) -> Vec<(String, PathBuf)> {
        let of = self.files.iter().filter(|(_, (at, _))| *at == host);
        of.map(|(apex, (_, file))| (apex.clone(), file.clone().unwrap_or_else(|| self.file(apex, "zone")))).collect()
    }

    fn serve(&self) -> Vec<Server> {
        let path = self.path;
        let signed = |apex: &str| vec![(apex.to_owned(), self.file(apex, "signed"))];
        let mut servers = vec![
            nsd(path, "nsd-root", "198.18.0.1", &signed(".")),
            knot(path, "knot-root", "198.18.0.2", &signed(".")),
            nsd(path, "nsd-tld", "198.18.1.1", &signed("example.")),
            knot(path, "knot-tld", "198.18.1.2", &signed("example.")),
            bind(path, "bind-tld", "198.18.1.3", &signed("net.")),
            nsd(path, "nsd-leaf", "198.18.2.1", &self.of_host(Host::Nsd)),
        ];
        let conf = self.knot_conf();
        let mut text = std::fs::read_to_string(&conf).expect("written before");
        for (apex, file) in self.of_host(Host::Knot) {
            write!(text, "  - domain: {apex}\n    file: {}\n", file.display()).expect("text grows");
        }
        std::fs::write(&conf, text).expect("a writable directory");
        servers.push(Server::start("knot-leaf", path, &["knotd", "-c", &conf]));
        servers.push(bind(path, "bind-leaf", "198.18.2.3", &self.of_host(Host::Bind)));
        let at = format!("--config-dir={}", path.join("pdns").display());
        servers.push(Server::start("pdns-leaf", path, &["pdns_server", &at]));
        servers
    }
}

/// Runs a tool to its end; what it printed.
fn run(program: &str, directory: &Path, arguments: &[&str]) -> String {
    let found = namespace::find(program).unwrap_or_else(|| PathBuf::from(program));
    let output = Command::new(found).args(arguments).current_dir(directory).output();
    let output = output.unwrap_or_else(|error| panic!("{program} does not start: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {}: {text}{complaint}", arguments.join(" "));
    text
}

fn put(path: &Path, name: &str, file: &str, text: &str) -> String {
    let directory = path.join(name);
    std::fs::create_dir_all(&directory).expect("a writable directory");
    let file = directory.join(file);
    std::fs::write(&file, text).expect("a writable directory");
    file.to_str().expect("a plain path").to_owned()
}

fn nsd(path: &Path, name: &str, address: &str, zones: &[(String, PathBuf)]) -> Server {
    let d = path.join(name);
    let d = d.display();
    let mut text = format!(
        "server:\n  port: 53\n  server-count: 1\n  username: \"\"\n  chroot: \"\"\n  zonesdir: \"{d}\"\n  \
         database: \"\"\n  pidfile: \"{d}/nsd.pid\"\n  xfrdfile: \"{d}/xfrd.state\"\n  xfrdir: \"{d}\"\n  \
         zonelistfile: \"{d}/zone.list\"\n  zonefiles-write: 0\n  rrl-ratelimit: 0\n  rrl-whitelist-ratelimit: 0\n  \
         ip-address: {address}\nremote-control:\n  control-enable: no\n"
    );
    for (apex, file) in zones {
        writeln!(text, "zone:\n  name: \"{apex}\"\n  zonefile: \"{}\"", file.display()).expect("text grows");
    }
    Server::start(name, path, &["nsd", "-d", "-c", &put(path, name, "nsd.conf", &text)])
}

fn knot_head(directory: &Path, addresses: &[&str]) -> String {
    let d = directory.display();
    let mut text =
        format!("server:\n    rundir: {d}\n    udp-workers: 1\n    tcp-workers: 1\n    background-workers: 1\n");
    for address in addresses {
        writeln!(text, "    listen: {address}@53").expect("text grows");
    }
    write!(
        text,
        "database:\n    storage: {d}\nlog:\n  - target: stderr\n    any: warning\ntemplate:\n  - id: default\n    \
         storage: {d}\n    journal-content: none\n    zonefile-sync: -1\n    zonefile-load: whole\n"
    )
    .expect("text grows");
    text
}

fn knot(path: &Path, name: &str, address: &str, zones: &[(String, PathBuf)]) -> Server {
    let mut text = knot_head(&path.join(name), &[address]) + "zone:\n";
    for (apex, file) in zones {
        writeln!(text, "  - domain: {apex}\n    file: {}", file.display()).expect("text grows");
    }
    Server::start(name, path, &["knotd", "-c", &put(path, name, "knot.conf", &text)])
}

fn bind(path: &Path, name: &str, address: &str, zones: &[(String, PathBuf)]) -> Server {
    let d = path.join(name);
    let d = d.display();
    let mut text = format!(
        "options {{\n  directory \"{d}\";\n  pid-file none;\n  session-keyfile \"{d}/session.key\";\n  \
         managed-keys-directory \"{d}\";\n  listen-on {{ {address}; }};\n  listen-on-v6 {{ none; }};\n  \
         allow-query {{ any; }};\n  notify no;\n  recursion no;\n  dnssec-validation no;\n  minimal-responses yes;\n}};\n\
         controls {{ }};\n"
    );
    for (apex, file) in zones {
        writeln!(text, "zone \"{apex}\" {{ type primary; file \"{}\"; }};", file.display()).expect("text grows");
    }
    Server::start(name, path, &["named", "-g", "-n", "1", "-c", &put(path, name, "named.conf", &text)])
}
