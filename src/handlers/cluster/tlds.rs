//! Names that a search list made up: `www.example.com.corp.example.` was meant as `www.example.com.`, which the stub
//! resolver asks for next. They are denied at once, and nobody outside is asked.
//!
//! A name is one of these if it lies below a search domain and what stands before that ends in a top-level domain. It is
//! a guess: a name such as `host.dev.corp.example.` may exist. So it is made only where it is wanted, and after all that
//! is known here was looked at.

use super::FOREVER;
use crate::chain::{Answer, Handler, Query, Turn, Verdict};
use crate::dns::{Class, Ede, EdeCode, Name, Rcode};

/// The root zone's delegations, in lower case, in order, a line each. One that is missing is asked for as ever.
const ALL: &str = include_str!("tlds.txt");

/// The link that denies them.
#[derive(Clone, Debug)]
pub struct KnownTlds {
    domains: Vec<Name>,
    tlds: Vec<&'static str>,
}

impl KnownTlds {
    /// A link that denies them below `domains`.
    #[must_use]
    pub fn new(domains: Vec<Name>) -> Self {
        let mut tlds: Vec<&'static str> = ALL.lines().collect();
        tlds.sort_unstable();
        Self { domains, tlds }
    }

    /// The search domain that made up `name`.
    fn made_by(&self, name: &Name) -> Option<&Name> {
        self.domains.iter().find(|domain| {
            let above = domain.label_count();
            // A single label is no name with a TLD: hosts are called so.
            let labels = name.label_count().checked_sub(above).filter(|&labels| labels > 1 && name.is_within(domain));
            labels.and_then(|labels| name.labels().nth(labels - 1)).is_some_and(|last| self.is_tld(last))
        })
    }

    fn is_tld(&self, label: &[u8]) -> bool {
        let lowered = |text: &&str| text.bytes().cmp(label.iter().map(u8::to_ascii_lowercase));
        self.tlds.binary_search_by(lowered).is_ok()
    }
}

impl Handler for KnownTlds {
    fn name(&self) -> &'static str {
        "known-tlds"
    }

    fn handle(&self, query: &Query, _: &mut Turn<'_>) -> Verdict {
        if query.question.class != Class::IN || !query.asker.may_recurse {
            return Verdict::Pass;
        }
        match self.made_by(&query.question.name) {
            None => Verdict::Pass,
            Some(domain) => {
                let text = format!("a search list made it up: {domain} stands behind a whole name");
                let ede = Ede::new(EdeCode::ForgedAnswer, text);
                let answer = Answer::refusal(Rcode::NXDOMAIN, ede);
                Verdict::Answer(Answer { recallable_until: Some(FOREVER), is_ageless: true, ..answer })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handlers::testing::{Ask, answer};

    #[test]
    fn the_list_is_one_of_labels_in_lower_case() {
        let known = KnownTlds::new(Vec::new());
        assert!(known.tlds.len() > 1_400);
        for tld in &known.tlds {
            let name: Name = format!("{tld}.").parse().unwrap();
            assert_eq!((name.label_count(), name.lowered().to_string()), (1, format!("{tld}.")));
        }
        assert!(known.tlds.is_sorted() && !known.tlds.contains(&"local") && !known.tlds.contains(&"internal"));
    }

    #[test]
    fn whole_names_below_a_search_domain_are_denied_and_no_others() {
        let known = KnownTlds::new(vec!["corp.example.".parse().unwrap(), "internal.".parse().unwrap()]);
        let table = [
            ("www.example.com.corp.example.", true),
            ("www.Example.COM.Corp.Example.", true),
            ("example.com.internal.", true),
            ("a.b.xn--p1ai.internal.", true),
            ("com.corp.example.", false), // a host may be called so
            ("www.corp.example.", false),
            ("a.b.corp.example.", false),
            ("corp.example.", false),
            ("www.example.com.", false),
            ("www.example.comcorp.example.", false),
            ("www.example.com.xcorp.example.", false),
            (".", false),
        ];
        for (name, is_denied) in table {
            for rtype in ["A", "AAAA", "TXT"] {
                let verdict = Ask::new(name, rtype).of(&known);
                assert_eq!(verdict != Verdict::Pass, is_denied, "{name}");
                if is_denied {
                    assert_eq!(answer(verdict).rcode, Rcode::NXDOMAIN);
                }
            }
        }
        assert_eq!(Ask::new("a.com.corp.example.", "A").stranger().of(&known), Verdict::Pass);
    }
}
