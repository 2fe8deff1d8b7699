//! Names that are asked for under another name: whoever asks for the one is answered as if the other had been asked for,
//! and sees only the one.
//!
//! Both ways follow from the question as it came, so the answer may be given at once or late, by whichever worker.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::answer::{Aged, Answer};
use super::query::Query;
use crate::dns::{Name, RecordType, RrSet};

/// Which names are asked for under which.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rewrites(BTreeMap<Name, Name>);

impl FromIterator<(Name, Name)> for Rewrites {
    fn from_iter<I: IntoIterator<Item = (Name, Name)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl Rewrites {
    /// The query that is answered in the place of `query`.
    #[must_use]
    pub fn rewritten<'q>(&self, query: &'q Query) -> Cow<'q, Query> {
        let Some(meant) = self.0.get(&query.question.name) else { return Cow::Borrowed(query) };
        let mut rewritten = query.clone();
        rewritten.question.name = meant.clone();
        Cow::Owned(rewritten)
    }

    /// The answer to `query` in its own names, where it was made for the one in its place. What is told under another
    /// name is no longer what was signed.
    #[must_use]
    pub fn restored<'a>(&self, query: &Query, answer: &'a Answer) -> Cow<'a, Answer> {
        let asked = &query.question.name;
        let Some(meant) = self.0.get(asked) else { return Cow::Borrowed(answer) };
        let mut restored = answer.clone();
        restored.authentic = false;
        restored.wildcard_zone = None;
        for aged in [&mut restored.answer, &mut restored.authority, &mut restored.additional].into_iter().flatten() {
            if let Some(set) = renamed(&aged.set, meant, asked) {
                *aged = Aged { set: Arc::new(set), ttl: aged.ttl };
            }
        }
        Cow::Owned(restored)
    }
}

/// `set` with `to` wherever `from` is its owner or what its records lead to; none where neither is.
fn renamed(set: &RrSet, from: &Name, to: &Name) -> Option<RrSet> {
    let before = match set.rtype {
        RecordType::CNAME | RecordType::DNAME | RecordType::NS | RecordType::PTR | RecordType::SOA => Some(0),
        RecordType::MX => Some(2),
        RecordType::SRV => Some(6),
        _ => None,
    };
    let rdata = |rdata: &[u8]| -> Option<Vec<u8>> {
        let (front, back) = rdata.split_at_checked(before?)?;
        let (name, length) = Name::from_wire(back).ok()?;
        (name == *from).then(|| [front, to.wire(), back.get(length..).unwrap_or_default()].concat())
    };
    let leads_there = set.rdatas.iter().any(|one| rdata(one).is_some());
    let is_owner = set.owner == *from;
    if !leads_there && !is_owner {
        return None;
    }
    let owner = if is_owner { to.clone() } else { set.owner.clone() };
    Some(RrSet::new(owner, set.rtype, set.ttl, set.rdatas.iter().map(|one| rdata(one).unwrap_or_else(|| one.to_vec()))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::{Asker, Carrier};
    use crate::dns::{Flags, Question};

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn query(of: &str) -> Query {
        Query {
            id: 1,
            flags: Flags::default(),
            question: Question::new(name(of), RecordType::A),
            edns: None,
            asker: Asker {
                address: "192.0.2.1:5353".parse().unwrap(),
                local: None,
                carrier: Carrier::Udp,
                may_recurse: true,
                group: 0,
            },
        }
    }

    fn set(owner: &str, rtype: RecordType, rdata: &[u8]) -> Aged {
        Aged { set: Arc::new(RrSet::new(name(owner), rtype, 60, [rdata])), ttl: 7 }
    }

    #[test]
    fn what_is_asked_under_one_name_is_answered_for_the_other_and_told_under_the_one() {
        let rewrites: Rewrites = [(name("old.example."), name("new.example."))].into_iter().collect();
        let asked = query("OLD.example.");
        assert_eq!(rewrites.rewritten(&asked).question.name, name("new.example."));
        let answer = Answer {
            authentic: true,
            answer: vec![
                set("new.example.", RecordType::CNAME, name("there.example.").wire()),
                set("there.example.", RecordType::CNAME, name("new.example.").wire()),
                set("other.example.", RecordType::MX, &[&[0, 5], name("new.example.").wire()].concat()),
            ],
            ..Answer::default()
        };
        let told = rewrites.restored(&asked, &answer);
        assert!(told.answer[0].set.owner.is_same_case(&name("OLD.example.")));
        assert_eq!(told.answer[0].ttl, 7);
        assert_eq!(told.answer[1].set.target(), Some(name("old.example.")));
        assert_eq!(told.answer[2].set.rdatas.iter().next().unwrap()[2..], *name("OLD.example.").wire());
        assert!(!told.authentic);
    }

    #[test]
    fn who_asks_for_the_other_name_itself_sees_it() {
        let rewrites: Rewrites = [(name("old.example."), name("new.example."))].into_iter().collect();
        let asked = query("new.example.");
        let answer = Answer { answer: vec![set("new.example.", RecordType::A, &[192, 0, 2, 1])], ..Answer::default() };
        assert!(matches!(rewrites.rewritten(&asked), Cow::Borrowed(_)));
        assert!(matches!(rewrites.restored(&asked, &answer), Cow::Borrowed(_)));
    }
}
