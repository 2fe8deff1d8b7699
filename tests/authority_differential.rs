//! The same zones served by Meridian, NSD, Knot and BIND, and the same questions to all: the same RCODE, AA, answer
//! and authority sections, TTLs included, or a difference that is explained in `authority/explained.rs`.
//!
//! The zones: one with every type and every construction, unsigned, signed with NSEC, with NSEC3 and with opt-out;
//! two more that its aliases and cuts lead to; and 200 random ones, the same on every run, two of five signed. The
//! questions: every owner with its own types and others, its children, siblings and parents, empty non-terminals
//! and wildcards; with DO and without, of all sizes. What is cut by one server and not by another is asked again
//! over TCP.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may fail, and lives in real time"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use support::process::Server;
use support::wire::{self, Response, rcode_name, rtype, rtype_name};
use support::{ask, namespace};

/// A difference with a reason: for questions that match, the responses of `who` are not compared with the others'.
struct Explanation {
    /// Whole names; `*` stands for any text, also none.
    names: &'static [&'static str],
    /// Types; empty is all.
    types: &'static [&'static str],
    /// With or without DO; none is both.
    dnssec: Option<bool>,
    /// What else must hold of the question and of what was heard.
    when: fn(&Question, &Heard) -> bool,
    who: &'static [&'static str],
    why: &'static str,
}

include!("authority/explained.rs");

/// At least so many questions are asked.
const LEAST: usize = 20_000;
/// Random zones.
const RANDOM_ZONES: usize = 200;
/// Askers at each server.
const AT_ONCE: usize = 2;

const PROGRAMS: &[&str] = &["nsd", "knotd", "named", "dnssec-keygen", "dnssec-signzone"];
/// BIND listens only at addresses that an interface has.
const SERVERS: &[(&str, &str)] =
    &[("meridian", "127.0.0.10"), ("nsd", "127.0.0.11"), ("knot", "127.0.0.12"), ("bind", "198.18.1.3")];

/// The responses by server, as text.
type Heard = BTreeMap<&'static str, String>;

fn always(_: &Question, _: &Heard) -> bool {
    true
}

/// Whether an alias in some server's answer leads out of the question's zone into another that all serve.
fn leads_to_another_zone(question: &Question, heard: &Heard) -> bool {
    let own = zone_of(&question.name);
    heard
        .values()
        .flat_map(|text| aliases(text))
        .any(|(_, target)| zone_of(&target).is_some_and(|zone| Some(zone) != own))
}

/// Owners and targets of the CNAME records in a response's text.
fn aliases(text: &str) -> Vec<(String, String)> {
    let words: Vec<&str> = text.split([' ', '[', ']', ';']).filter(|word| !word.is_empty()).collect();
    let alias = |three: &[&str]| (three[1] == "CNAME").then(|| (three[0].to_owned(), three[2].to_owned()));
    words.windows(3).filter_map(alias).collect()
}

/// Whether BIND alone answers SERVFAIL where the aliases run in a ring.
fn is_ring(_: &Question, heard: &Heard) -> bool {
    heard["bind"].starts_with("SERVFAIL") && {
        let aliases: BTreeMap<String, String> = aliases(&heard["bind"]).into_iter().collect();
        let end = |from: &String| (0..20).try_fold(from, |name, _| aliases.get(name)).is_some();
        aliases.keys().any(end)
    }
}

/// A response's text without the records that prove what is not there.
fn without_proofs(text: &str) -> String {
    let Some((front, authority)) = text.rsplit_once(" [") else { return text.to_owned() };
    let is_proof = |record: &&str| [" TYPE46 ", " TYPE47 ", " TYPE50 "].iter().any(|word| record.contains(word));
    let rest: Vec<&str> = authority.trim_end_matches(']').split("; ").filter(|record| !is_proof(record)).collect();
    format!("{front} [{}]", rest.join("; "))
}

/// Whether `server` says what Meridian says but for the proofs.
fn differs_in_proofs(heard: &Heard, server: &str) -> bool {
    without_proofs(&heard[server]) == without_proofs(&heard["meridian"]) && heard[server] != heard["meridian"]
}

fn nsd_differs_in_hashed_proofs(_: &Question, heard: &Heard) -> bool {
    heard["meridian"].contains(" TYPE50 ") && differs_in_proofs(heard, "nsd")
}

fn nsd_differs_in_proofs_behind_a_dname(_: &Question, heard: &Heard) -> bool {
    heard["meridian"].contains(" DNAME ") && differs_in_proofs(heard, "nsd")
}

fn knot_differs_in_hashed_proofs(_: &Question, heard: &Heard) -> bool {
    heard["meridian"].contains(" TYPE50 ") && differs_in_proofs(heard, "knot")
}

fn bind_and_knot_prove_less(_: &Question, heard: &Heard) -> bool {
    let count = |server: &str| heard[server].matches(" TYPE47 ").count();
    let is_less = |server: &str| differs_in_proofs(heard, server) && count(server) < count("meridian");
    is_less("bind") && is_less("knot")
}

/// The zone of a name below test.
fn zone_of(name: &str) -> Option<String> {
    let name = name.to_ascii_lowercase();
    if name == "hosted.rich.test." || name.ends_with(".hosted.rich.test.") {
        return Some("hosted.rich.test.".into());
    }
    let above = name.strip_suffix(".test.")?;
    Some(format!("{}.test.", above.rsplit('.').next()?))
}

#[test]
fn every_difference_from_the_authoritative_peers_is_explained() {
    namespace::inside("every_difference_from_the_authoritative_peers_is_explained", PROGRAMS, compare);
}

/// How a zone is signed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Signing {
    None,
    Nsec,
    Nsec3,
    OptOut,
}

struct Zone {
    apex: String,
    file: PathBuf,
    /// Types by owner, in lower case.
    owners: BTreeMap<String, BTreeSet<u16>>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Question {
    name: String,
    rtype: u16,
    dnssec: bool,
    /// The EDNS size; none for a query without EDNS.
    size: Option<u16>,
}

fn compare() {
    let directory = tempfile::tempdir().unwrap();
    let began = Instant::now();
    let zones = make_zones(directory.path());
    let questions = questions(&zones);
    assert!(questions.len() >= LEAST, "only {} questions", questions.len());
    namespace::say(&format!("{} zones made in {:.1?}", zones.len(), began.elapsed()));
    let mut servers: Vec<Server> = SERVERS.iter().map(|(name, at)| start(name, at, directory.path(), &zones)).collect();
    for (server, (_, at)) in servers.iter_mut().zip(SERVERS) {
        let last = zones.last().unwrap().apex.clone();
        server.wait_until_it_answers(at.parse().unwrap(), (&last, 6));
    }
    let mut answers: Vec<Vec<Option<Response>>> = Vec::new();
    std::thread::scope(|scope| {
        let asking: Vec<_> =
            SERVERS.iter().map(|(name, at)| scope.spawn(|| ask_all(name, address(at), &questions))).collect();
        answers.extend(asking.into_iter().map(|thread| thread.join().unwrap()));
    });
    let mut report = Report::default();
    for (index, question) in questions.iter().enumerate() {
        let responses: Vec<Option<Response>> = answers.iter_mut().map(|answers| answers[index].take()).collect();
        let cut = responses.iter().flatten().filter(|response| response.truncated).count();
        let first: Heard =
            SERVERS.iter().zip(&responses).map(|((name, _), response)| (*name, text(response.as_ref()))).collect();
        let heard = if cut == 0 || all_same(first.values()) {
            first
        } else {
            report.over_tcp += 1;
            let whole = |at: &str| over_tcp(address(at), question);
            SERVERS.iter().map(|(name, at)| (*name, text(whole(at).as_ref()))).collect()
        };
        report.take(question, heard);
    }
    report.tell(questions.len());
    assert!(report.unexplained.is_empty(), "{}", report.text());
    assert!(report.unconfirmed * 1_000 <= questions.len(), "{} answers that no peer confirms", report.unconfirmed);
}

fn address(at: &str) -> SocketAddr {
    SocketAddr::new(at.parse::<IpAddr>().unwrap(), 53)
}

/// What is compared of a response. Of one that is cut, the sections are nobody's rule.
fn text(response: Option<&Response>) -> String {
    let Some(response) = response else { return "no response".to_owned() };
    let aa = if response.authoritative { " aa" } else { "" };
    if response.truncated {
        return format!("{}{aa} tc", rcode_name(response.rcode));
    }
    let section = |records: &[wire::Record]| {
        let mut records: Vec<String> =
            records.iter().map(|record| format!("{} {}", record.key(), record.ttl)).collect();
        records.sort();
        records.join("; ")
    };
    format!("{}{aa} [{}] [{}]", rcode_name(response.rcode), section(&response.answer), section(&response.authority))
}

fn ask_all(name: &str, address: SocketAddr, questions: &[Question]) -> Vec<Option<Response>> {
    let started = Instant::now();
    let next = Mutex::new(0..questions.len());
    let answers = Mutex::new(vec![None; questions.len()]);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                let socket = ask::socket(address);
                let mut buffer = [0; 4096];
                loop {
                    let Some(index) = next.lock().unwrap().next() else { break };
                    let query = compose(index as u16, &questions[index]);
                    let response = (0..3).find_map(|_| {
                        socket.send(&query).ok()?;
                        socket.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
                        loop {
                            let length = socket.recv(&mut buffer).ok()?;
                            let response = wire::read(&buffer[..length]);
                            if response.as_ref().is_none_or(|response| response.id == index as u16) {
                                return response;
                            }
                        }
                    });
                    answers.lock().unwrap()[index] = response;
                }
            });
        }
    });
    namespace::say(&format!("{name}: {} questions in {:.1?}", questions.len(), started.elapsed()));
    answers.into_inner().unwrap()
}

fn over_tcp(address: SocketAddr, question: &Question) -> Option<Response> {
    let response = ask::exchange_tcp(address, &compose(1, question), Duration::from_secs(5))?;
    wire::read(&response)
}

/// A query without RD.
fn compose(id: u16, question: &Question) -> Vec<u8> {
    let mut bytes = wire::compose(id, &question.name, question.rtype, question.size);
    bytes[2] = 0;
    if question.dnssec {
        let flags = bytes.len() - 4;
        bytes[flags] = 0x80;
    }
    bytes
}

#[derive(Default)]
struct Report {
    same: usize,
    over_tcp: usize,
    explained: usize,
    /// Those of them where explanations excuse every peer at once, so that nobody confirms what Meridian says.
    unconfirmed: usize,
    unexplained: Vec<(Question, Heard)>,
    /// Questions by index of the explanation that was needed for them.
    used: BTreeMap<usize, usize>,
}

impl Report {
    fn take(&mut self, question: &Question, heard: Heard) {
        if all_same(heard.values()) {
            self.same += 1;
            return;
        }
        let matching: Vec<(usize, &Explanation)> = EXPLAINED
            .iter()
            .enumerate()
            .filter(|(_, explanation)| explanation.is_about(question) && (explanation.when)(question, &heard))
            .collect();
        // One explanation is enough, or else all that match together.
        let alone = matching.iter().find(|(_, one)| agree_without(&heard, one.who)).map(|(index, _)| vec![*index]);
        let all: Vec<&str> = matching.iter().flat_map(|(_, one)| one.who.iter().copied()).collect();
        let together = || agree_without(&heard, &all).then(|| matching.iter().map(|(index, _)| *index).collect());
        match alone.or_else(together) {
            Some(used) if !matching.is_empty() => {
                self.explained += 1;
                let excused: BTreeSet<&str> =
                    used.iter().flat_map(|index: &usize| EXPLAINED[*index].who.iter().copied()).collect();
                self.unconfirmed += usize::from(excused.len() + 1 == SERVERS.len());
                for index in used {
                    *self.used.entry(index).or_default() += 1;
                }
            }
            _ => self.unexplained.push((question.clone(), heard)),
        }
    }

    fn tell(&self, asked: usize) {
        namespace::say(&format!(
            "{asked} questions to {}: {} same, {} differ and are explained ({} of them with no peer \
             left to confirm Meridian), {} unexplained; {} asked over TCP",
            SERVERS.map_names(),
            self.same,
            self.explained,
            self.unconfirmed,
            self.unexplained.len(),
            self.over_tcp,
        ));
        for (index, explanation) in EXPLAINED.iter().enumerate() {
            let count = self.used.get(&index).copied().unwrap_or(0);
            namespace::say(&format!("  {count:5} {}: {}", explanation.who.join(", "), explanation.why));
        }
    }

    fn text(&self) -> String {
        let mut text = format!("{} unexplained differences\n", self.unexplained.len());
        // Those of Meridian alone first, few of a kind.
        let mut shown: BTreeMap<String, usize> = BTreeMap::new();
        for (question, heard) in &self.unexplained {
            let odd: Vec<&str> =
                SERVERS.iter().map(|(name, _)| *name).filter(|name| agree_without(heard, &[name])).collect();
            let kind = format!("{} {} {}", odd.join(","), rtype_name(question.rtype), question.dnssec);
            let count = shown.entry(kind.clone()).or_default();
            *count += 1;
            if *count > 2 || text.len() > 200_000 {
                continue;
            }
            writeln!(
                text,
                "{} {} {:?} (odd: {})",
                question.name,
                rtype_name(question.rtype),
                (question.dnssec, question.size),
                odd.join(",")
            )
            .unwrap();
            for (server, answer) in heard {
                writeln!(text, "    {server:10} {}", answer.chars().take(1500).collect::<String>()).unwrap();
            }
        }
        for (kind, count) in shown {
            writeln!(text, "{count:6} {kind}").unwrap();
        }
        text
    }
}

trait Names {
    fn map_names(&self) -> String;
}

impl Names for [(&str, &str)] {
    fn map_names(&self) -> String {
        self.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }
}

fn all_same<'a>(mut texts: impl Iterator<Item = &'a String>) -> bool {
    let Some(first) = texts.next() else { return true };
    texts.all(|text| text == first)
}

fn agree_without(heard: &Heard, who: &[&str]) -> bool {
    all_same(heard.iter().filter(|(name, _)| !who.contains(name)).map(|(_, text)| text))
}

impl Explanation {
    fn is_about(&self, question: &Question) -> bool {
        let name = question.name.to_ascii_lowercase();
        self.names.iter().any(|pattern| matches(pattern, &name))
            && (self.types.is_empty() || self.types.iter().any(|known| rtype(known) == Some(question.rtype)))
            && self.dnssec.is_none_or(|dnssec| dnssec == question.dnssec)
    }
}

/// Whether `*` in the pattern can be filled so that it becomes the text.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, rest)) => text
            .strip_prefix(before)
            .is_some_and(|text| (0..=text.len()).any(|at| text.is_char_boundary(at) && matches(rest, &text[at..]))),
    }
}

fn make_zones(directory: &Path) -> Vec<Zone> {
    let mut plans: Vec<(String, String, Signing)> = vec![
        ("rich.test.".into(), include_str!("authority/rich.zone").into(), Signing::None),
        ("other.test.".into(), include_str!("authority/other.zone").into(), Signing::None),
        ("hosted.rich.test.".into(), include_str!("authority/hosted.zone").into(), Signing::None),
        ("nsec.test.".into(), include_str!("authority/rich.zone").into(), Signing::Nsec),
        ("nsec3.test.".into(), include_str!("authority/rich.zone").into(), Signing::Nsec3),
        ("optout.test.".into(), include_str!("authority/rich.zone").into(), Signing::OptOut),
    ];
    for number in 0..RANDOM_ZONES {
        let signing = match number % 10 {
            1 | 6 => Signing::Nsec,
            2 => Signing::Nsec3,
            7 => Signing::OptOut,
            _ => Signing::None,
        };
        plans.push((format!("z{number}.test."), random_zone(number as u64 + 1), signing));
    }
    let next = Mutex::new(plans.iter().enumerate());
    let zones = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some((index, (apex, text, signing))) = next.lock().unwrap().next() else { break };
                    let zone = make_zone(directory, apex, text, *signing);
                    zones.lock().unwrap().push((index, zone));
                }
            });
        }
    });
    let mut zones = zones.into_inner().unwrap();
    zones.sort_by_key(|(index, _)| *index);
    zones.into_iter().map(|(_, zone)| zone).collect()
}

fn make_zone(directory: &Path, apex: &str, text: &str, signing: Signing) -> Zone {
    let file = directory.join(format!("{apex}zone"));
    std::fs::write(&file, format!("$ORIGIN {apex}\n$TTL 3600\n{text}")).unwrap();
    let mut owners: BTreeMap<String, BTreeSet<u16>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with(';')) {
        let mut words = line.split_whitespace();
        let (Some(owner), Some(_), Some(word)) = (words.next(), words.next(), words.next()) else { continue };
        let owner = owner.to_ascii_lowercase();
        let owner = if owner == "@" { apex.to_owned() } else { format!("{owner}.{apex}") };
        owners.entry(owner).or_default().extend(number_of(word));
    }
    if signing == Signing::None {
        return Zone { apex: apex.to_owned(), file, owners };
    }
    let keys = directory.join(format!("{apex}keys"));
    std::fs::create_dir_all(&keys).unwrap();
    let (keys, plain) = (keys.to_str().unwrap(), file.to_str().unwrap());
    let signed = format!("{plain}.signed");
    run(&["dnssec-keygen", "-q", "-K", keys, "-a", "ECDSAP256SHA256", apex]);
    let mut command =
        vec!["dnssec-signzone", "-q", "-S", "-z", "-P", "-K", keys, "-d", keys, "-o", apex, "-f", &signed];
    match signing {
        Signing::Nsec3 => command.extend(["-3", "abcd", "-H", "2"]),
        Signing::OptOut => command.extend(["-3", "-", "-H", "0", "-A"]),
        _ => {}
    }
    command.push(plain);
    run(&command);
    Zone { apex: apex.to_owned(), file: signed.into(), owners }
}

fn run(command: &[&str]) {
    let output = Command::new(namespace::find(command[0]).unwrap()).args(&command[1..]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {text}", command.join(" "));
}

/// The number of a type; of more than the tests know by name.
fn number_of(word: &str) -> Option<u16> {
    let more = [("NAPTR", 35), ("APL", 42), ("SMIMEA", 53), ("OPENPGPKEY", 61)];
    rtype(word).or_else(|| more.iter().find(|(name, _)| *name == word).map(|(_, number)| *number))
}

/// A random zone: few labels, so that names meet each other as ancestors, wildcards and cuts.
fn random_zone(seed: u64) -> String {
    let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut text =
        String::from("@ 3600 SOA ns hostmaster 1 7200 3600 1209600 300\n@ 3600 NS ns\nns 3600 A 192.0.2.1\n");
    let labels = ["a", "b", "c", "*", "x", "A", "_u"];
    let mut taken: BTreeSet<String> = BTreeSet::from(["ns".into()]);
    for number in 0..4 + chance.below(14) {
        let depth = 1 + chance.below(4);
        let owner: Vec<&str> = (0..depth).map(|_| labels[chance.below(labels.len())]).collect();
        let owner = owner.join(".");
        // Data below a DNAME are an error to some servers, and a star has no say in delegations.
        if !taken.insert(owner.to_ascii_lowercase()) || owner.contains("d.") {
            continue;
        }
        let target = |chance: &mut Chance| {
            let labels: Vec<&str> =
                (0..=chance.below(3)).map(|_| ["a", "b", "c", "x", "none"][chance.below(5)]).collect();
            match chance.below(6) {
                0 => "www.example.com.".to_owned(),
                1 => format!("a.z{}.test.", chance.below(RANDOM_ZONES)),
                _ => labels.join("."),
            }
        };
        let last = number % 250;
        match chance.below(10) {
            0..=2 => writeln!(text, "{owner} 60 A 192.0.2.{last}").unwrap(),
            3 => writeln!(text, "{owner} 60 TXT \"t{last}\"\n{owner} 60 AAAA 2001:db8::{last:x}").unwrap(),
            4 => writeln!(text, "{owner} 60 MX 10 {}", target(&mut chance)).unwrap(),
            5 | 6 => writeln!(text, "{owner} 60 CNAME {}", target(&mut chance)).unwrap(),
            7 if !owner.starts_with('*') => {
                writeln!(text, "{owner} 60 NS ns.{owner}\nns.{owner} 60 A 192.0.2.{last}").unwrap();
                if chance.below(2) == 0 {
                    let digest = "0c72ac70b745ac19998811b131d662c9ac69dbdbe7cb23e5b514b56664c5d3d6";
                    writeln!(text, "{owner} 60 DS 1 13 2 {digest}").unwrap();
                }
                taken.insert(format!("ns.{}", owner.to_ascii_lowercase()));
            }
            8 => {
                // Under a label of its own, so that nothing lies below it.
                writeln!(text, "d{number}.{owner} 60 DNAME {}", target(&mut chance)).unwrap();
            }
            _ => writeln!(text, "{owner} 60 A 192.0.2.{last}\n{owner} 60 A 192.0.2.{}", last + 1).unwrap(),
        }
    }
    text
}

fn questions(zones: &[Zone]) -> Vec<Question> {
    let mut chance = Chance(0x4d65_7269_6469_616e);
    let mut questions = BTreeSet::new();
    let usual = ["A", "AAAA", "MX", "TXT", "NS", "CNAME", "SOA", "DS", "HTTPS", "DNAME", "SRV", "TYPE65280"];
    let signed = ["TYPE48", "TYPE47", "TYPE50", "TYPE51"];
    let sizes = [None, Some(512), Some(1232), Some(4096)];
    for (index, zone) in zones.iter().enumerate() {
        let is_rich = index < 6;
        let mut ask = |name: &str, rtype: u16, chance: &mut Chance| {
            for dnssec in [false, true] {
                let size = if dnssec { sizes[1 + chance.below(3)] } else { sizes[chance.below(4)] };
                questions.insert(Question { name: name.to_owned(), rtype, dnssec, size });
            }
        };
        for (owner, types) in &zone.owners {
            for number in types {
                ask(owner, *number, &mut chance);
            }
            for name in usual {
                if is_rich || chance.below(4) == 0 {
                    ask(owner, rtype(name).unwrap(), &mut chance);
                }
            }
            for variant in variants(owner, &zone.apex) {
                let count = if is_rich { 4 } else { 2 };
                for _ in 0..count {
                    let name = ["A", "A", "TXT", "MX", "DS", "NS", "CNAME"][chance.below(7)];
                    ask(&variant, rtype(name).unwrap(), &mut chance);
                }
            }
        }
        for name in usual.into_iter().chain(signed) {
            ask(&zone.apex, rtype(name).unwrap(), &mut chance);
        }
        for name in ["deep.none", "a.b.c.d.e.f", "*", "under\\000zero", "sp\\032ace"] {
            ask(&format!("{name}.{}", zone.apex), 1, &mut chance);
        }
    }
    for name in ["test.", ".", "www.example.com.", "elsewhere.test."] {
        questions.insert(Question { name: name.into(), rtype: 1, dnssec: false, size: Some(1232) });
    }
    let mut questions: Vec<Question> = questions.into_iter().collect();
    for index in (1..questions.len()).rev() {
        questions.swap(index, chance.below(index + 1));
    }
    for question in &mut questions {
        if chance.below(3) == 0 {
            let turned = question.name.chars().map(|c| if chance.below(2) == 0 { c.to_ascii_uppercase() } else { c });
            question.name = turned.collect();
        }
    }
    questions
}

/// Names around an owner: children, siblings, all ancestors, and other labels where a `*` stood.
fn variants(owner: &str, apex: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    if let Some((before, rest)) = owner.split_once("*.") {
        names.insert(format!("{before}star.{rest}"));
        names.insert(format!("two.labels.{before}star.{rest}"));
    }
    names.insert(format!("child.{owner}"));
    names.insert(format!("*.{owner}"));
    let mut above = owner;
    while above != apex {
        let (first, parent) = above.split_once('.').unwrap();
        if above == owner && first.len() < 50 {
            names.insert(format!("{first}-sibling.{parent}"));
        }
        above = parent;
        names.insert(above.to_owned());
    }
    names
}

/// A small generator (xorshift64): the same zones and questions every time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }
}

fn put(directory: &Path, name: &str, text: &str) -> String {
    let file = directory.join(name);
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

fn start(name: &str, at: &str, path: &Path, zones: &[Zone]) -> Server {
    let directory = path.join(name);
    std::fs::create_dir_all(&directory).unwrap();
    let d = directory.display();
    let each = |line: &dyn Fn(&Zone) -> String| zones.iter().map(line).collect::<String>();
    let file = |zone: &Zone| zone.file.display().to_string();
    let command = match name {
        "meridian" => {
            let zones = each(&|zone| format!("  \"{}\": {{file: {}}}\n", zone.apex, file(zone)));
            let text = format!("listen: [\"{at}:53\"]\nadmin: off\nworkers: 1\nrecursion: off\nzones:\n{zones}");
            vec![
                env!("CARGO_BIN_EXE_meridian").to_owned(),
                "serve".into(),
                "--config".into(),
                put(&directory, "meridian.yaml", &text),
            ]
        }
        "nsd" => {
            let zones = each(&|zone| format!("zone:\n  name: \"{}\"\n  zonefile: \"{}\"\n", zone.apex, file(zone)));
            let text = format!(
                "server:\n  port: 53\n  ip-address: {at}\n  server-count: 1\n  username: \"\"\n  chroot: \"\"\n  \
                 zonesdir: \"{d}\"\n  database: \"\"\n  pidfile: \"{d}/nsd.pid\"\n  xfrdfile: \"{d}/xfrd.state\"\n  \
                 xfrdir: \"{d}\"\n  zonelistfile: \"{d}/zone.list\"\n  zonefiles-write: 0\n  rrl-ratelimit: 0\n  \
                 rrl-whitelist-ratelimit: 0\n  minimal-responses: yes\nremote-control:\n  control-enable: no\n{zones}"
            );
            ["nsd", "-d", "-c"].map(str::to_owned).into_iter().chain([put(&directory, "nsd.conf", &text)]).collect()
        }
        "knot" => {
            let zones = each(&|zone| format!("  - domain: {}\n    file: {}\n", zone.apex, file(zone)));
            let text = format!(
                "server:\n    rundir: {d}\n    listen: {at}@53\n    udp-workers: 1\n    tcp-workers: 1\n    \
                 background-workers: 1\ndatabase:\n    storage: {d}\nlog:\n  - target: stderr\n    any: warning\n\
                 template:\n  - id: default\n    storage: {d}\n    journal-content: none\n    zonefile-sync: -1\n    \
                 semantic-checks: off\nzone:\n{zones}"
            );
            ["knotd", "-c"].map(str::to_owned).into_iter().chain([put(&directory, "knot.conf", &text)]).collect()
        }
        _ => {
            let zones = each(&|zone| format!("zone \"{}\" {{ type primary; file \"{}\"; }};\n", zone.apex, file(zone)));
            let text = format!(
                "options {{\n  directory \"{d}\";\n  pid-file none;\n  session-keyfile \"{d}/session.key\";\n  \
                 managed-keys-directory \"{d}\";\n  listen-on {{ {at}; }};\n  listen-on-v6 {{ none; }};\n  \
                 allow-query {{ any; }};\n  notify no;\n  recursion no;\n  dnssec-validation no;\n  \
                 minimal-responses yes;\n  check-names primary ignore;\n  check-mx ignore;\n  check-mx-cname ignore;\n  \
                 check-srv-cname ignore;\n  check-integrity no;\n  check-sibling no;\n  check-wildcard no;\n  \
                 check-dup-records ignore;\n  zero-no-soa-ttl no;\n}};\ncontrols {{ }};\n{zones}"
            );
            ["named", "-g", "-n", "1", "-c"]
                .map(str::to_owned)
                .into_iter()
                .chain([put(&directory, "named.conf", &text)])
                .collect()
        }
    };
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    Server::start(name, path, &command)
}
