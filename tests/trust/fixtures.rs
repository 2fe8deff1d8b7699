//! The gate: every fixture has one thing wrong; none may lead to a wrong verdict, and its correct twin must be secure.

use std::collections::BTreeMap;
use std::rc::Rc;

use meridian::dns::{Message, Name, Question, Rcode, RecordType};

use crate::tampers::{self, Rows, Verdict};
use crate::tree::{LEAVES, Tree};
use crate::world::{CHECKED, Heard, Meddler, World};

/// What is asked in each leaf: its name, the question (`@` stands for the apex), whether the answer is authentic.
const SCENARIOS: &[(&str, &str, RecordType, bool)] = &[
    ("address", "www.@", RecordType::A, true),
    ("no such type", "www.@", RecordType::TXT, true),
    ("no such name", "missing.@", RecordType::A, true),
    ("no such name, deep", "b.a.missing.@", RecordType::A, true),
    ("wildcard", "x.wild.@", RecordType::A, true),
    ("wildcard, deep", "y.x.wild.@", RecordType::A, true),
    ("no such type at a wildcard", "x.wild.@", RecordType::TXT, true),
    ("name beside a wildcard", "here.wild.@", RecordType::A, true),
    ("empty non-terminal", "b.ents.@", RecordType::A, true),
    ("alias", "alias.@", RecordType::A, true),
    ("alias to nothing", "nothing.@", RecordType::A, true),
    ("alias to another zone", "far.@", RecordType::A, true),
    ("alias to an unsigned zone", "insecure.@", RecordType::A, false),
    ("alias of a wildcard", "x.walias.@", RecordType::A, true),
    ("alias of a wildcard to another zone", "x.wfar.@", RecordType::A, true),
    ("below a DNAME", "www.dn.@", RecordType::A, true),
    ("DS of a signed child", "sub.@", RecordType::DS, true),
    ("DS of an unsigned child", "plain.@", RecordType::DS, true),
    ("in a signed child", "www.sub.@", RecordType::A, true),
    ("in an unsigned child", "www.plain.@", RecordType::A, false),
    ("nothing in a signed child", "missing.sub.@", RecordType::A, true),
    ("keys", "@", RecordType::DNSKEY, true),
    ("SOA", "@", RecordType::SOA, true),
    ("DS of the zone", "@", RecordType::DS, true),
];

/// In an opt-out zone nobody vouches that an unsigned child has no DS, or that a name is not one.
fn is_authentic(leaf: &str, scenario: &str, said: bool) -> bool {
    let opted_out = ["no such name", "alias to nothing", "nothing in", "DS of an unsigned", "wildcard"];
    let is_open = opted_out.iter().any(|words| scenario.contains(words)) && scenario != "name beside a wildcard";
    said && !(leaf == "optout.net." && is_open)
}

/// A response to a question to one zone's server, wherever it is asked for, is changed.
enum Change {
    Set { apex: Name, owner: Name, rtype: RecordType, after: Rows },
    Whole { apex: Name, question: Question, instead: Box<Message> },
}

impl Change {
    fn meddler<'t>(self) -> Meddler<'t> {
        let this = Rc::new(self);
        Box::new(move |_, zone, question, message| match &*this {
            Self::Set { apex, owner, rtype, after } if zone.apex == *apex => {
                tampers::put(message, owner, *rtype, after);
            }
            Self::Whole { apex, question: at, instead } if zone.apex == *apex && question == at => {
                message.rcode = instead.rcode;
                message.flags.authoritative = instead.flags.authoritative;
                message.answer = instead.answer.clone();
                message.authority = instead.authority.clone();
            }
            _ => {}
        })
    }
}

/// One of them is asked after each fixture: what another zone says, and its denials, are what they always were.
const BYSTANDERS: [(&str, RecordType); 3] = [
    ("www.sibling.net.", RecordType::A),
    ("missing.sibling.net.", RecordType::A),
    ("x.wild.sibling.net.", RecordType::A),
];

fn bystander(world: &mut World<'_>, which: usize) -> Option<Heard> {
    let (name, rtype) = BYSTANDERS[which];
    world.ask(name, rtype, CHECKED).map(stripped)
}

/// What is compared: not the octets, but what is said.
fn stripped(heard: Heard) -> Heard {
    Heard { message: Message::default(), ..heard }
}

#[derive(Default)]
struct Report {
    fixtures: usize,
    twins: usize,
    bogus: usize,
    wrong: Vec<String>,
    /// Which bystander is next.
    turn: usize,
    /// For each kind of change that may or may not matter: how often it did not, was insecure, was bogus.
    unharmed: BTreeMap<String, [usize; 3]>,
}

impl Report {
    fn judge(&mut self, name: &str, kind: &str, verdict: Verdict, truth: &Heard, heard: Option<&Heard>) {
        self.fixtures += 1;
        let Some(heard) = heard else {
            self.wrong.push(format!("{name}: no answer"));
            return;
        };
        let is_bogus = heard.rcode == Rcode::SERVFAIL && !heard.is_authentic;
        let is_true = heard.rcode == truth.rcode && heard.answer == truth.answer;
        self.bogus += usize::from(is_bogus);
        let fits = match verdict {
            Verdict::Bogus(codes) => is_bogus && heard.ede.iter().any(|code| codes.contains(code)),
            Verdict::Truth => is_true && heard.is_authentic == truth.is_authentic,
            Verdict::Insecure => is_true && !heard.is_authentic,
            Verdict::Unharmed => is_bogus || is_true,
            Verdict::Unvouched => !heard.is_authentic,
        };
        if verdict == Verdict::Unharmed {
            let at = if is_bogus { 2 } else { usize::from(!heard.is_authentic && truth.is_authentic) };
            self.unharmed.entry(kind.to_owned()).or_default()[at] += 1;
        }
        if !fits {
            let said = format!("{} ad={} ede={:?}", heard.rcode, heard.is_authentic, heard.ede);
            let content = if is_true { "" } else { ", not the truth" };
            self.wrong.push(format!("{name}: {said}{content}; expected {verdict:?}"));
        }
    }
}

/// `FIXTURE=words` tries only those whose name has these words.
fn is_chosen(name: &str) -> bool {
    std::env::var("FIXTURE").is_ok_and(|words| name.contains(&words)) || std::env::var("FIXTURE").is_err()
}

fn target(alias: &meridian::dns::Record) -> Name {
    Name::from_wire(&alias.rdata).unwrap().0
}

/// One thing wrong, and what is asked then.
struct Fixture<'a> {
    name: String,
    /// The change alone, whatever it is done to.
    kind: String,
    question: (&'a str, RecordType),
    change: Change,
    verdict: Verdict,
    /// Whether it is a zone above that says something wrong.
    is_above: bool,
}

impl Fixture<'_> {
    fn run(self, tree: &Tree, truth: &Heard, usual: &[Option<Heard>], report: &mut Report) {
        if !is_chosen(&self.name) {
            return;
        }
        let mut world = World::new(tree, self.change.meddler());
        let heard = world.ask(self.question.0, self.question.1, CHECKED);
        report.judge(&self.name, &self.kind, self.verdict, truth, heard.as_ref());
        // The liar goes; what it said must not live on in what others say. What they need of a zone above that was
        // changed may be missing for a while.
        world.meddler = Box::new(|_, _, _, _| {});
        report.turn = (report.turn + 1) % BYSTANDERS.len();
        let (now, usual) = (bystander(&mut world, report.turn), &usual[report.turn]);
        let is_excused = self.is_above
            && now.as_ref().is_none_or(|heard| {
                heard.rcode == Rcode::SERVFAIL || (self.verdict == Verdict::Insecure && !heard.is_authentic)
            });
        if now != *usual && !is_excused {
            let said = now.as_ref().map(|heard| (heard.rcode, heard.is_authentic, &heard.ede));
            report.wrong.push(format!("{}: another zone's answers are not what they were: {said:?}", self.name));
        }
    }
}

fn try_leaf(tree: &Tree, leaf: &str, report: &mut Report) {
    let usual: Vec<Option<Heard>> =
        (0..BYSTANDERS.len()).map(|which| bystander(&mut World::honest(tree), which)).collect();
    let within: Name = leaf.parse().unwrap();
    for (scenario, name, rtype, is_secure) in SCENARIOS {
        let name = name.replace('@', leaf);
        let mut honest = World::honest(tree);
        let truth = honest.ask(&name, *rtype, CHECKED).expect("an answer");
        report.twins += 1;
        let expected = is_authentic(leaf, scenario, *is_secure);
        if truth.rcode == Rcode::SERVFAIL || truth.is_authentic != expected {
            let said = format!("{} ad={} ede={:?}", truth.rcode, truth.is_authentic, truth.ede);
            report.wrong.push(format!("{leaf} {scenario}: nothing is wrong, and yet: {said}; expected ad={expected}"));
            continue;
        }
        let truth = stripped(truth);
        let is_open = leaf == "optout.net." && !expected;
        let mut fixtures = Vec::new();
        let mut seen = Vec::new();
        // What a name's shortened forms are answered with need not be looked at.
        let mut ends = vec![name.parse::<Name>().unwrap()];
        ends.extend(truth.answer.iter().filter(|row| row.rtype == RecordType::CNAME).map(target));
        let is_end = |question: &Question| {
            let is_key = question.rtype == RecordType::DS || question.rtype == RecordType::DNSKEY;
            is_key || (ends.contains(&question.name) && question.rtype == *rtype)
        };
        let mut exchanges = std::mem::take(&mut honest.exchanges);
        exchanges.sort_by_key(|(_, question, _)| !is_end(question));
        for (apex, question, message) in exchanges {
            // What is above the leaf, or beside it, is changed in some scenarios only.
            let zone = tree.zones.iter().find(|zone| zone.apex == apex).unwrap();
            let is_first = *scenario == "address" || scenario.contains("unsigned");
            if !zone.is_signed() || !(apex.is_within(&within) || is_first) {
                continue;
            }
            for (owner, set) in tampers::sets_of(&message) {
                let is_needless = set == RecordType::DNSKEY && !matches!(*scenario, "address" | "keys");
                if is_needless || seen.contains(&(apex.clone(), owner.clone(), set)) {
                    continue;
                }
                seen.push((apex.clone(), owner.clone(), set));
                let is_referred = set == RecordType::DS && !message.flags.authoritative;
                let is_needed = is_end(&question) || is_referred;
                let is_asked = *rtype == set && ends.contains(&owner);
                for tamper in tampers::tampers(tree, zone, (&owner, set), &message, is_asked) {
                    let change =
                        Change::Set { apex: apex.clone(), owner: owner.clone(), rtype: set, after: tamper.after };
                    fixtures.push(Fixture {
                        name: format!("{leaf} {scenario}, {apex} {owner} {set}: {}", tamper.name),
                        kind: format!("{set} {}", tamper.name),
                        question: (&name, *rtype),
                        change,
                        verdict: match tamper.verdict {
                            _ if !is_needed => Verdict::Unharmed,
                            Verdict::Bogus(_) if is_open && (set == RecordType::NSEC3 || ends.contains(&owner)) => {
                                Verdict::Unvouched
                            }
                            verdict => verdict,
                        },
                        is_above: !apex.is_within(&within),
                    });
                }
            }
            let is_asked = question.name == name.parse().unwrap()
                && question.rtype == *rtype
                && !matches!(*rtype, RecordType::DNSKEY);
            if is_asked && !message.flags.truncated && message.flags.authoritative {
                for (kind, instead, verdict) in tampers::forgeries(zone, &message) {
                    let verdict = if is_open { Verdict::Unvouched } else { verdict };
                    let change =
                        Change::Whole { apex: apex.clone(), question: question.clone(), instead: Box::new(instead) };
                    let named = format!("{leaf} {scenario}, {apex}: {kind}");
                    fixtures.push(Fixture {
                        name: named,
                        kind,
                        question: (&name, *rtype),
                        change,
                        verdict,
                        is_above: false,
                    });
                }
            }
        }
        for fixture in fixtures {
            fixture.run(tree, &truth, &usual, report);
        }
    }
}

#[test]
fn no_fixture_with_one_thing_wrong_leads_to_a_wrong_verdict() {
    let tree = Tree::new();
    let mut report = Report::default();
    let leaves: Vec<String> =
        std::env::var("LEAF").map_or_else(|_| LEAVES.map(str::to_owned).to_vec(), |leaf| vec![leaf]);
    for leaf in &leaves {
        try_leaf(&tree, leaf, &mut report);
    }
    for (kind, [unharmed, insecure, bogus]) in &report.unharmed {
        println!("{unharmed:4} unharmed {insecure:4} insecure {bogus:4} bogus  {kind}");
    }
    println!(
        "fixtures: {} changed, {} twins, {} bogus, {} wrong",
        report.fixtures,
        report.twins,
        report.bogus,
        report.wrong.len()
    );
    assert!(report.wrong.is_empty(), "{} wrong:\n{}", report.wrong.len(), report.wrong.join("\n"));
    if std::env::var("FIXTURE").is_err() && leaves.len() == LEAVES.len() {
        assert!(report.fixtures >= 300, "only {} fixtures", report.fixtures);
    }
}
