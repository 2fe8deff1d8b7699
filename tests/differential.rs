//! The same questions to Meridian and its peers on the private tree: the same RCODE and the same answer records,
//! or a difference that is explained below.
//!
//! Every server starts with an empty cache and hears the questions in the same order. What differs is asked
//! again, alone, when all is quiet: a lost packet is no difference. What differs then must be explained by
//! [`EXPLAINED`], else the test fails with the whole list. Records beside a SERVFAIL are not compared: how much
//! of a broken alias chain comes with it is nobody's rule.
//!
//! `DIFFERENTIAL_SERVERS=unbound,knot,pdns` compares other servers than the usual three.
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

use support::tree::{self, Tree};
use support::wire::{rcode_name, rtype, rtype_name};
use support::{ask, namespace, resolvers};

/// A difference with a reason: for questions that match, the answers of `who` are not compared with the others'.
struct Explanation {
    /// Whole names; `*` stands for any text, also none.
    names: &'static [&'static str],
    /// Types; empty is all.
    types: &'static [&'static str],
    who: &'static [&'static str],
    why: &'static str,
}

include!("differential/explained.rs");

/// Questions outstanding at each server.
const AT_ONCE: usize = 24;
/// At least so many questions are asked.
const LEAST: usize = 2_000;

const SERVFAIL: u16 = 2;

type Question = (String, u16);

#[test]
fn every_difference_from_the_peers_is_explained() {
    let chosen = std::env::var("DIFFERENTIAL_SERVERS").unwrap_or_else(|_| "meridian,unbound,knot".into());
    let names: Vec<&str> = chosen.split(',').collect();
    let mut programs = resolvers::programs(&names);
    programs.extend(tree::PROGRAMS);
    namespace::inside("every_difference_from_the_peers_is_explained", &programs, || compare(&names));
}

fn compare(names: &[&str]) {
    let tree = Tree::start();
    let questions = questions(&tree);
    assert!(questions.len() >= LEAST, "only {} questions", questions.len());
    let servers: Vec<resolvers::Resolver> = names.iter().map(|name| resolvers::start(name, &tree)).collect();
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
            let first = heard.get("meridian").cloned();
            for server in &servers {
                heard.insert(server.name, answer(server.address, question));
            }
            if all_same(heard.values()) || report.is_explained(question, &heard) {
                report.unsteady.push(question.clone());
                if first.as_ref() != heard.get("meridian") {
                    report.changed.push((question.clone(), first.unwrap_or_default()));
                }
                continue;
            }
            report.unexplained.push((question.clone(), heard));
        }
    }
    report.tell(questions.len(), names);
    assert!(report.unexplained.is_empty(), "{}", report.text());
    let changed = report.changed.len();
    assert!(changed * 200 <= questions.len(), "Meridian's own answer changed {changed} times when asked again");
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

/// The comparable text of an answer: RCODE, then the sorted records without TTL.
fn answer(address: SocketAddr, question: &Question) -> String {
    let Some(response) = ask::patiently(address, &question.0, question.1, 3, Duration::from_secs(6)) else {
        return "no response".to_owned();
    };
    if response.rcode == SERVFAIL {
        return rcode_name(SERVFAIL);
    }
    let records: BTreeSet<String> = response.answer.iter().map(support::wire::Record::key).collect();
    let records: Vec<String> = records.into_iter().collect();
    format!("{} [{}]", rcode_name(response.rcode), records.join("; "))
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
    /// Those of them where it was Meridian that had answered otherwise, with what it had said.
    changed: Vec<(Question, String)>,
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

    fn tell(&self, asked: usize, names: &[&str]) {
        let explained: usize = asked - self.same - self.unexplained.len() - self.unsteady.len();
        namespace::say(&format!(
            "{asked} questions to {}: {} same, {explained} differ and are explained, {} unsteady, {} unexplained",
            names.join(", "),
            self.same,
            self.unsteady.len(),
            self.unexplained.len(),
        ));
        for (index, count) in &self.used {
            let explanation = &EXPLAINED[*index];
            namespace::say(&format!("  {count:4} {}: {}", explanation.who.join(", "), explanation.why));
        }
        for (index, explanation) in EXPLAINED.iter().enumerate() {
            if !self.used.contains_key(&index) && explanation.who.iter().any(|who| names.contains(who)) {
                namespace::say(&format!("  unused {}: {}", explanation.who.join(", "), explanation.why));
            }
        }
        for (name, rtype) in &self.unsteady {
            namespace::say(&format!("  unsteady {name} {}", rtype_name(*rtype)));
        }
        for ((name, rtype), first) in &self.changed {
            namespace::say(&format!("  Meridian first said of {name} {}: {first}", rtype_name(*rtype)));
        }
    }

    fn text(&self) -> String {
        let mut text = format!("{} unexplained differences\n", self.unexplained.len());
        for ((name, rtype), heard) in &self.unexplained {
            writeln!(text, "{name} {}", rtype_name(*rtype)).expect("text grows");
            for (server, answer) in heard {
                let shown: String = answer.chars().take(400).collect();
                writeln!(text, "    {server:10} {shown}").expect("text grows");
            }
        }
        text
    }
}

impl Explanation {
    fn is_about(&self, (name, number): &Question) -> bool {
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

/// All owners of all zones with their own types and some others, their parents, children and siblings, names
/// below wildcards and DNAMEs, in random case; the same list in the same order on every run.
fn questions(tree: &Tree) -> Vec<Question> {
    let mut chance = Chance(0x4d65_7269_6469_616e);
    let mut questions = BTreeSet::new();
    let usual = ["A", "AAAA", "MX", "TXT", "NS", "CNAME", "SOA", "DS", "HTTPS", "DNAME", "TYPE65280"];
    for zone in &tree.zones {
        for (owner, types) in &zone.owners {
            questions.extend(types.iter().map(|number| (owner.clone(), *number)));
            for _ in 0..4 {
                let name = usual[chance.below(usual.len())];
                questions.insert((owner.clone(), rtype(name).expect("a known type")));
            }
            for variant in variants(owner, &zone.apex) {
                let name = ["A", "A", "TXT", "AAAA", "MX"][chance.below(5)];
                questions.insert((variant, rtype(name).expect("a known type")));
            }
        }
        for name in usual {
            questions.insert((zone.apex.clone(), rtype(name).expect("a known type")));
        }
    }
    for name in OTHERS {
        questions.insert(((*name).to_owned(), 1));
        questions.insert(((*name).to_owned(), 28));
    }
    let mut questions: Vec<Question> = questions.into_iter().collect();
    for index in (1..questions.len()).rev() {
        questions.swap(index, chance.below(index + 1));
    }
    for (name, _) in &mut questions {
        if chance.below(3) == 0 {
            *name = name.chars().map(|c| if chance.below(2) == 0 { c.to_ascii_uppercase() } else { c }).collect();
        }
    }
    questions
}

/// Names that no zone file has.
const OTHERS: &[&str] = &[
    "nonexistent.",
    "www.nonexistent.",
    "dead.example.",
    "www.dead.example.",
    "closed.example.",
    "www.closed.example.",
    "ghost.example.",
    "www.ghost.example.",
    "loop-a.example.",
    "www.loop-a.example.",
    "ns.loop-b.example.",
    "servfail.example.",
    "www.servfail.example.",
    "refused.example.",
    "www.refused.example.",
    "upward.example.",
    "www.upward.example.",
    "city.example.",
    "elsewhere.city.example.",
    "alongerlabelthatdoesnotfit.long.dname.example.",
    "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.long.dname.example.",
    "www.alpha.example.toroot.dname.example.",
    "www.deep.below.tonet.dname.example.",
    "x.pop.tonet.dname.example.",
    "www.twice.dname.example.",
    "anything.wild.twice.dname.example.",
    "short0.d.dname.example.",
    "a.b.wild.alpha.example.",
    "below.here.wild.alpha.example.",
    "x.ent.wild.alpha.example.",
    "a.sub.x.starred.alpha.example.",
    "x.inner.outer.alpha.example.",
    "inner.outer.alpha.example.",
    "x.y.inner.outer.alpha.example.",
    "www.x.beside.alpha.example.",
    "9.9.18.198.in-addr.arpa.",
    "1.2.18.198.in-addr.arpa.",
    "18.198.in-addr.arpa.",
    "19.198.in-addr.arpa.",
];

/// Names around an owner: children, a sibling, the parent, and another label where a `*` stood.
fn variants(owner: &str, apex: &str) -> Vec<String> {
    let mut names = Vec::new();
    if let Some(rest) = owner.strip_prefix("*.") {
        names.push(format!("star.{rest}"));
        names.push(format!("two.labels.{rest}"));
        names.push(rest.to_owned());
    }
    if owner.len() < 180 {
        names.push(if owner == "." { "child.".into() } else { format!("child.{owner}") });
    }
    if owner != apex
        && let Some((first, parent)) = owner.split_once('.')
    {
        if !parent.is_empty() {
            names.push(parent.to_owned());
        }
        if first.len() < 50 {
            names.push(format!("{first}-sibling.{parent}"));
        }
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
