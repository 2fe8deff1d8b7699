//! Fixed answers: what the operator has written down to be said about certain names, whatever zones, the cluster, the
//! cache and upstreams know. The first rule that fits decides.
//!
//! Alone among the links it comes before our own zones, so that one name or type can be answered otherwise without
//! touching the zone that it lies in.

use std::sync::Arc;

use regex::bytes::{Regex, RegexBuilder};

use crate::base::bounds;
use crate::chain::{Aged, Answer, Goal, Handler, Purpose, Query, Turn, Verdict};
use crate::dns::{Class, Name, Opcode, Question, Rcode, RecordType, RrSet};

/// What names must look like: a regular expression over the whole name, in lower case and with its last dot.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

impl Pattern {
    /// The pattern written as `text`.
    ///
    /// # Errors
    /// Why it is none, or that it is too large.
    pub fn parse(text: &str) -> Result<Self, String> {
        let built = RegexBuilder::new(text).unicode(false).size_limit(bounds::PATTERN_BYTES_MAX).build();
        built.map(Self).map_err(|fault| fault.to_string().lines().last().unwrap_or_default().trim().to_owned())
    }

    fn fits(&self, name: &Name) -> bool {
        self.0.is_match(name.lowered().to_string().as_bytes())
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

/// What is said about some names.
#[derive(Clone, PartialEq, Debug)]
pub struct Rule {
    /// Names at and below this one.
    pub zone: Name,
    /// But none at and below these.
    pub except: Vec<Name>,
    /// If there are any, names that look like one of them.
    pub patterns: Vec<Pattern>,
    /// The types asked for; empty for all.
    pub types: Vec<RecordType>,
    /// The response code.
    pub rcode: Rcode,
    /// The answer section.
    pub answer: Vec<Told>,
    /// The authority section.
    pub authority: Vec<Told>,
    /// The additional section.
    pub additional: Vec<Told>,
}

/// Records that are told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Told {
    /// The records.
    pub set: Arc<RrSet>,
    /// Whether their owner is the name asked for, whatever the set says.
    pub is_of_asked: bool,
}

impl Told {
    fn to(&self, asked: &Name) -> Aged {
        let set = if self.is_of_asked {
            Arc::new(RrSet { owner: asked.clone(), ..RrSet::clone(&self.set) })
        } else {
            Arc::clone(&self.set)
        };
        Aged { ttl: set.ttl, set }
    }
}

impl Rule {
    fn fits(&self, name: &Name, rtype: RecordType) -> bool {
        let is_of_type = self.types.is_empty() || rtype == RecordType::ANY || self.types.contains(&rtype);
        is_of_type
            && name.is_within(&self.zone)
            && !self.except.iter().any(|except| name.is_within(except))
            && (self.patterns.is_empty() || self.patterns.iter().any(|pattern| pattern.fits(name)))
    }
}

/// The link.
#[derive(Clone, Debug, Default)]
pub struct Fixed(Arc<[Rule]>);

impl Fixed {
    /// Says what `rules` say.
    #[must_use]
    pub fn new(rules: Vec<Rule>) -> Self {
        Self(rules.into())
    }

    /// Whether there is a rule for `name` and `rtype`.
    #[must_use]
    pub fn answers(&self, name: &Name, rtype: RecordType) -> bool {
        self.find(name, rtype).is_some()
    }

    fn find(&self, name: &Name, rtype: RecordType) -> Option<&Rule> {
        self.0.iter().find(|rule| rule.fits(name, rtype))
    }
}

impl Handler for Fixed {
    fn name(&self) -> &'static str {
        "fixed"
    }

    fn handle(&self, query: &Query, _: &mut Turn<'_>) -> Verdict {
        let Question { name, rtype, class } = &query.question;
        let is_plain = !rtype.is_meta() || *rtype == RecordType::ANY;
        if *class != Class::IN || query.flags.opcode != Opcode::QUERY || !is_plain {
            return Verdict::Pass;
        }
        let Some(rule) = self.find(name, *rtype) else { return Verdict::Pass };
        let tell = |told: &[Told]| -> Vec<Aged> { told.iter().map(|told| told.to(name)).collect() };
        let answer = tell(&rule.answer);
        let alias = answer.last().filter(|last| last.set.rtype == RecordType::CNAME).and_then(|last| last.set.target());
        let is_address = matches!(*rtype, RecordType::A | RecordType::AAAA);
        match alias.filter(|_| is_address && query.flags.recursion_desired && query.asker.may_recurse) {
            // Who asks for addresses is led to them.
            Some(target) => Verdict::Resolve(Goal {
                question: Question::new(target, *rtype),
                checking_disabled: query.flags.checking_disabled,
                purpose: Purpose::Client,
                prefix: answer,
                scope: None,
                stale: None,
            }),
            None => Verdict::Answer(Answer {
                rcode: rule.rcode,
                authoritative: true,
                answer,
                authority: tell(&rule.authority),
                additional: tell(&rule.additional),
                // The same to everybody until the house changes.
                recallable_until: Some(u64::from(u32::MAX)),
                is_ageless: true,
                ..Answer::default()
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handlers::testing::{Ask, answer, records};

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn rule(zone: &str) -> Rule {
        Rule {
            zone: name(zone),
            except: Vec::new(),
            patterns: Vec::new(),
            types: Vec::new(),
            rcode: Rcode::NOERROR,
            answer: Vec::new(),
            authority: Vec::new(),
            additional: Vec::new(),
        }
    }

    fn told(owner: Option<&str>, rtype: RecordType, rdata: &[u8]) -> Told {
        let set = RrSet::new(owner.map_or_else(Name::root, name), rtype, 60, [rdata]);
        Told { set: Arc::new(set), is_of_asked: owner.is_none() }
    }

    #[test]
    fn the_first_rule_that_fits_decides_and_other_names_pass() {
        let link = Fixed::new(vec![
            Rule { types: vec![RecordType::AAAA], ..rule(".") },
            Rule { rcode: Rcode::NXDOMAIN, except: vec![name("ok.internal.")], ..rule("internal.") },
        ]);
        assert_eq!(answer(Ask::new("a.internal.", "AAAA").of(&link)).rcode, Rcode::NOERROR);
        assert_eq!(answer(Ask::new("Internal.", "A").of(&link)).rcode, Rcode::NXDOMAIN);
        for (name, rtype) in [("www.ok.internal.", "A"), ("xinternal.", "A"), ("internal.", "AXFR")] {
            assert_eq!(Ask::new(name, rtype).of(&link), Verdict::Pass, "{name} {rtype}");
        }
        assert_eq!(Ask::new("internal.", "TXT").class(Class::CH).of(&link), Verdict::Pass);
        assert!(link.answers(&name("x.internal."), RecordType::A) && !link.answers(&name("x."), RecordType::A));
    }

    #[test]
    fn a_pattern_looks_at_the_whole_name_in_lower_case() {
        let pattern = Pattern::parse(r"^web-\d+[.]example[.]com[.]$").unwrap();
        let link = Fixed::new(vec![Rule {
            patterns: vec![pattern],
            answer: vec![told(None, RecordType::A, &[192, 0, 2, 1])],
            ..rule("example.com.")
        }]);
        let found = answer(Ask::new("WEB-12.Example.com.", "A").of(&link));
        assert_eq!(records(&found), [(name("web-12.example.com."), "A".to_owned(), vec![192, 0, 2, 1])]);
        assert!(found.answer[0].set.owner.is_same_case(&name("WEB-12.Example.com.")));
        assert_eq!(Ask::new("a.web-12.example.com.", "A").of(&link), Verdict::Pass);
        assert!(Pattern::parse("(").is_err() && Pattern::parse("x{1000}{1000}").is_err());
    }

    #[test]
    fn an_alias_is_followed_for_who_may_have_recursion_and_wants_addresses() {
        let link = Fixed::new(vec![Rule {
            answer: vec![told(None, RecordType::CNAME, name("there.example.").wire())],
            ..rule("here.example.")
        }]);
        let Verdict::Resolve(goal) = Ask::new("here.example.", "AAAA").of(&link) else { panic!("not followed") };
        assert_eq!((goal.question.name, goal.prefix.len()), (name("there.example."), 1));
        for ask in [Ask::new("here.example.", "CNAME"), Ask::new("here.example.", "A").stranger()] {
            assert_eq!(answer(ask.of(&link)).answer.len(), 1);
        }
    }
}
