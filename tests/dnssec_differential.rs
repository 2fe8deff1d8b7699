//! The same questions to Meridian and its peers on the signed tree, all validating: the same RCODE, the same AD and
//! the same answer records, or a difference that is explained in `signed/explained.rs`.
//!
//! Zones are signed by four signers in every way that they know, served by four servers; some are broken on purpose.
//! One of the peers, `behind`, knows the tree only through Meridian and checks everything again: it must come to the
//! same verdicts, so what Meridian hands on to validating clients suffices.
//!
//! `DIFFERENTIAL_SERVERS=unbound,bind,knot` compares other servers than the usual ones.
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
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use support::signed::{self, Signed};
use support::wire::{self, Response, rcode_name, rtype, rtype_name};
use support::{ask, namespace, validators};

/// A difference with a reason: for questions that match, the answers of `who` are not compared with the others'.
struct Explanation {
    /// Whole names; `*` stands for any text, also none.
    names: &'static [&'static str],
    /// Types; empty is all.
    types: &'static [&'static str],
    who: &'static [&'static str],
    why: &'static str,
}

include!("signed/explained.rs");

/// Questions outstanding at each server.
const AT_ONCE: usize = 16;
/// At least so many questions are asked.
const LEAST: usize = 2_000;

const SERVFAIL: u16 = 2;
const RRSIG: u16 = 46;

/// Name, type, and whether checking is disabled.
type Question = (String, u16, bool);

#[test]
fn every_verdict_that_differs_from_the_peers_is_explained() {
    let chosen = std::env::var("DIFFERENTIAL_SERVERS").unwrap_or_else(|_| "meridian,unbound,knot,bind,behind".into());
    let names: Vec<&str> = chosen.split(',').collect();
    let mut programs = validators::programs(&names);
    programs.extend(signed::PROGRAMS);
    namespace::inside("every_verdict_that_differs_from_the_peers_is_explained", &programs, || compare(&names));
}

fn compare(names: &[&str]) {
    let started = Instant::now();
    let tree = Signed::start();
    namespace::say(&format!("the tree is signed and served after {:.1?}", started.elapsed()));
    let questions = questions(&tree);
    assert!(questions.len() >= LEAST, "only {} questions", questions.len());
    let servers: Vec<validators::Validator> = names.iter().map(|name| validators::start(name, tree.path())).collect();
    let mut answers: Vec<Vec<String>> = Vec::new();
    std::thread::scope(|scope| {
        let asking: Vec<_> =
            servers.iter().map(|server| scope.spawn(|| ask_all(server.name, server.address, &questions))).collect();
        answers.extend(asking.into_iter().map(|thread| thread.join().expect("the asker ends")));
    });
    let mut report = Report::default();
    for (index, question) in questions.iter().enumerate() {
        let mut heard: BTreeMap<&str, String> =
            servers.iter().zip(&answers).map(|(server, answers)| (server.name, answers[index].clone())).collect();
        if all_same(heard.values()) {
            report.same += 1;
            continue;
        }
        if !report.is_explained(question, &heard) {
            for server in &servers {
                heard.insert(server.name, answer(server.address, question));
            }
            if all_same(heard.values()) || report.is_explained(question, &heard) {
                report.unsteady.push(question.clone());
                continue;
            }
            report.unexplained.push((question.clone(), heard));
        }
    }
    report.tell(&answers, questions.len(), names);
    assert!(report.unexplained.is_empty(), "{}", report.text());
    assert!(report.unsteady.len() * 100 <= questions.len(), "{} answers are unsteady", report.unsteady.len());
}

/// Asks one server everything, [`AT_ONCE`] at a time; the answers as text, in order.
fn ask_all(name: &str, address: SocketAddr, questions: &[Question]) -> Vec<String> {
    let started = Instant::now();
    let next = Mutex::new(0..questions.len());
    let answers = Mutex::new(vec![String::new(); questions.len()]);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(index) = next.lock().expect("no asker panics").next() else { break };
                    let text = answer(address, &questions[index]);
                    answers.lock().expect("no asker panics")[index] = text;
                }
            });
        }
    });
    namespace::say(&format!("{name}: {} questions in {:.1?}", questions.len(), started.elapsed()));
    answers.into_inner().expect("no asker panics")
}

/// The comparable text of an answer: RCODE, AD, then the sorted records without TTL; of signatures what they cover.
fn answer(address: SocketAddr, (name, number, is_unchecked): &Question) -> String {
    let Some(response) = ask_signed(address, name, *number, *is_unchecked) else { return "no response".to_owned() };
    if response.rcode == SERVFAIL {
        return rcode_name(SERVFAIL);
    }
    let key = |record: &wire::Record| match (record.rtype, record.rdata.split(' ').nth(2)) {
        (RRSIG, Some(hexadecimal)) => format!("{} RRSIG {}", record.owner, &hexadecimal[..4]),
        _ => record.key(),
    };
    let records: BTreeSet<String> = response.answer.iter().map(key).collect();
    let records: Vec<String> = records.into_iter().collect();
    // Whether data that nobody was to check are called authentic is each server's own choice (RFC 6840 §5.8).
    let authentic = if response.authentic && !is_unchecked { " AD" } else { "" };
    format!("{}{authentic} [{}]", rcode_name(response.rcode), records.join("; "))
}

/// Asks with DO, over TCP where the answer is cut.
fn ask_signed(address: SocketAddr, name: &str, number: u16, is_unchecked: bool) -> Option<Response> {
    let mut query = wire::compose(0x4d52, name, number, Some(1232));
    let at = query.len() - 4;
    query[at] |= 0x80; // DO
    query[3] |= if is_unchecked { 0x10 } else { 0 };
    let wait = Duration::from_secs(6);
    for _ in 0..3 {
        let socket = ask::socket(address);
        socket.send(&query).ok()?;
        socket.set_read_timeout(Some(wait)).ok()?;
        let mut buffer = [0; 4096];
        let Ok(length) = socket.recv(&mut buffer) else { continue };
        let response = wire::read(&buffer[..length])?;
        if response.truncated {
            return ask::exchange_tcp(address, &query, wait).as_deref().and_then(wire::read);
        }
        return Some(response);
    }
    None
}

fn all_same<'a>(mut texts: impl Iterator<Item = &'a String>) -> bool {
    let Some(first) = texts.next() else { return true };
    texts.all(|text| text == first)
}

#[derive(Default)]
struct Report {
    same: usize,
    /// Agreed upon only when asked again.
    unsteady: Vec<Question>,
    unexplained: Vec<(Question, BTreeMap<&'static str, String>)>,
    /// Questions by index of the explanation that was needed for them.
    used: BTreeMap<usize, usize>,
}

impl Report {
    /// Whether, without the servers that may differ here, all others agree.
    fn is_explained(&mut self, question: &Question, heard: &BTreeMap<&str, String>) -> bool {
        let matching = EXPLAINED.iter().enumerate().filter(|(_, explanation)| explanation.is_about(question));
        let matching: Vec<(usize, &Explanation)> = matching.collect();
        let excused = |name: &str| matching.iter().any(|(_, explanation)| explanation.who.contains(&name));
        if matching.is_empty() || !all_same(heard.iter().filter(|(name, _)| !excused(name)).map(|(_, text)| text)) {
            return false;
        }
        for (index, _) in matching {
            *self.used.entry(index).or_default() += 1;
        }
        true
    }

    fn tell(&self, answers: &[Vec<String>], asked: usize, names: &[&str]) {
        let explained: usize = asked - self.same - self.unexplained.len() - self.unsteady.len();
        namespace::say(&format!(
            "{asked} questions to {}: {} same, {explained} differ and are explained, {} unsteady, {} unexplained",
            names.join(", "),
            self.same,
            self.unsteady.len(),
            self.unexplained.len(),
        ));
        for (name, answers) in names.iter().zip(answers) {
            let count = |of: &dyn Fn(&str) -> bool| answers.iter().filter(|text| of(text)).count();
            namespace::say(&format!(
                "  {name}: {} authentic, {} SERVFAIL, {} without a response",
                count(&|text| text.contains(" AD ")),
                count(&|text| text == "SERVFAIL"),
                count(&|text| text == "no response"),
            ));
        }
        for (index, count) in &self.used {
            let explanation = &EXPLAINED[*index];
            namespace::say(&format!("  {count:4} {}: {}", explanation.who.join(", "), explanation.why));
        }
        for (index, explanation) in EXPLAINED.iter().enumerate() {
            if !self.used.contains_key(&index) && explanation.who.iter().any(|who| names.contains(who)) {
                namespace::say(&format!("  unused {}: {}", explanation.who.join(", "), explanation.why));
            }
        }
        for (name, rtype, _) in &self.unsteady {
            namespace::say(&format!("  unsteady {name} {}", rtype_name(*rtype)));
        }
    }

    fn text(&self) -> String {
        let mut text = format!("{} unexplained differences\n", self.unexplained.len());
        for ((name, rtype, is_unchecked), heard) in &self.unexplained {
            let flag = if *is_unchecked { " +cd" } else { "" };
            writeln!(text, "{name} {}{flag}", rtype_name(*rtype)).expect("text grows");
            for (server, answer) in heard {
                let shown: String = answer.chars().take(400).collect();
                writeln!(text, "    {server:10} {shown}").expect("text grows");
            }
        }
        text
    }
}

impl Explanation {
    fn is_about(&self, (name, number, _): &Question) -> bool {
        let name = name.to_ascii_lowercase();
        let named = self.names.iter().any(|pattern| matches(pattern, &name));
        named && (self.types.is_empty() || self.types.iter().any(|known| rtype(known) == Some(*number)))
    }
}

/// Whether `*` in the pattern can be filled so that it becomes the text.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, rest)) => text.strip_prefix(before).is_some_and(|text| {
            (0..=text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| matches(rest, &text[at..]))
        }),
    }
}

/// All owners of all zones with their own types and some others, names around them, and the zones' keys; every
/// eighth with checking disabled; the same list in the same order on every run.
fn questions(tree: &Signed) -> Vec<Question> {
    let mut chance = Chance(0x7369_676e_6564_2e21);
    let mut questions = BTreeSet::new();
    let usual = ["A", "AAAA", "MX", "TXT", "NS", "CNAME", "SOA", "DS", "HTTPS", "TYPE48"];
    for zone in &tree.zones {
        for (owner, types) in &zone.owners {
            questions.extend(types.iter().map(|number| (owner.clone(), *number)));
            for _ in 0..2 {
                let name = usual[chance.below(usual.len())];
                questions.insert((owner.clone(), rtype(name).expect("a known type")));
            }
            for variant in variants(owner, &zone.apex) {
                let name = ["A", "A", "TXT", "DS", "MX"][chance.below(5)];
                questions.insert((variant, rtype(name).expect("a known type")));
            }
        }
        for name in usual {
            questions.insert((zone.apex.clone(), rtype(name).expect("a known type")));
        }
        for name in
            ["www.dn.", "missing.dn.", "x.wild.dn.", "www.dninsecure.", "c.dnself.", "www.broken.", "www.strange."]
        {
            questions.insert((format!("{name}{}", zone.apex.trim_start_matches('.')), 1));
        }
        for name in ["www.plain.", "none.plain.", "x.wild.plain.", "www.oddhash.", "x.deep.under.none."] {
            questions.insert((format!("{name}{}", zone.apex.trim_start_matches('.')), 1));
        }
    }
    let mut questions: Vec<Question> =
        questions.into_iter().map(|(name, number)| (name, number, chance.below(8) == 0)).collect();
    for index in (1..questions.len()).rev() {
        questions.swap(index, chance.below(index + 1));
    }
    questions
}

/// Names around an owner: a child, a sibling, and another label where a `*` stood.
fn variants(owner: &str, apex: &str) -> Vec<String> {
    let mut names = Vec::new();
    if let Some(rest) = owner.strip_prefix("*.") {
        names.push(format!("star.{rest}"));
        names.push(format!("two.labels.{rest}"));
        names.push(rest.to_owned());
    }
    names.push(if owner == "." { "child.".into() } else { format!("child.{owner}") });
    if owner != apex
        && let Some((first, parent)) = owner.split_once('.')
    {
        names.push(format!("{first}-sibling.{parent}"));
    }
    names
}

/// A small generator (xorshift64): the same questions every time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit).expect("a small number")).expect("a small number")
    }
}
