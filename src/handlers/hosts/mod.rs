//! The hosts file: addresses and names that the operator wrote down.
//!
//! [`parse`] turns the file's text into [`Hosts`], a compact table, and warnings for people; [`HostsHandler`]
//! answers from it and takes a new table when the file changes. Reading and watching the file is the edge's.
//!
//! For a listed name the file is the whole truth about addresses: A and AAAA are answered, the family that is not
//! listed with NODATA, and so are HTTPS and SVCB, whose address hints would get around the file. No upstream is
//! asked. Other types (MX, TXT ...) say nothing of addresses and pass. PTR answers with the first name that the
//! file gives for the address, as the C library does.
//!
//! The answers are not authoritative: no zone stands behind them, so a negative one has no SOA either and is not
//! cached downstream (RFC 2308 §2.2.1). The TTL stays the same in every answer.

mod parse;
mod table;

use std::sync::Arc;

use arc_swap::ArcSwap;

pub use self::parse::{Warning, parse};
pub use self::table::{Hosts, changed_names};
use crate::base::tally::Event;
use crate::chain::{Aged, Answer, Handler, Query, Turn, Verdict};
use crate::dns::{Name, RecordType, RrSet};

/// The link that answers from a hosts file.
#[derive(Debug)]
pub struct HostsHandler {
    hosts: ArcSwap<Hosts>,
}

impl HostsHandler {
    /// A link that answers from `hosts`.
    #[must_use]
    pub fn new(hosts: Hosts) -> Self {
        Self { hosts: ArcSwap::from_pointee(hosts) }
    }

    /// Answers from `hosts` from now on. Returns the names whose answers changed: what the cache holds of them
    /// is of a time when the file said something else, and must be forgotten.
    #[must_use = "the cache must forget these names"]
    pub fn swap(&self, hosts: Hosts) -> Vec<Name> {
        let hosts = Arc::new(hosts);
        let old = self.hosts.swap(Arc::clone(&hosts));
        changed_names(&old, &hosts)
    }

    /// Whether the file lists `name`, or the address that it is the reverse name of.
    #[must_use]
    pub fn lists(&self, name: &Name) -> bool {
        let hosts = self.hosts.load();
        !hosts.is_empty() && (hosts.addresses(name).is_some() || hosts.pointer(name).is_some())
    }

    /// The table in use.
    #[must_use]
    pub fn hosts(&self) -> Arc<Hosts> {
        self.hosts.load_full()
    }
}

impl Handler for HostsHandler {
    fn name(&self) -> &'static str {
        "hosts"
    }

    fn handle(&self, query: &Query, turn: &mut Turn<'_>) -> Verdict {
        let question = &query.question;
        let hosts = self.hosts.load();
        let records: Option<RrSet> = match question.rtype {
            RecordType::A | RecordType::AAAA | RecordType::HTTPS | RecordType::SVCB => {
                let Some(found) = hosts.addresses(&question.name) else { return Verdict::Pass };
                let set = |rdatas: &[&[u8]]| RrSet::new(question.name.clone(), question.rtype, hosts.ttl(), rdatas);
                let rdatas: Vec<&[u8]> = match question.rtype {
                    RecordType::A => found.v4.iter().map(<[u8; 4]>::as_slice).collect(),
                    RecordType::AAAA => found.v6.iter().map(<[u8; 16]>::as_slice).collect(),
                    _ => Vec::new(),
                };
                // localhost has both families whatever the file lists (RFC 6761 §6.3); the link behind knows it.
                if rdatas.is_empty() && parse::is_localhost(&question.name) {
                    return Verdict::Pass;
                }
                (!rdatas.is_empty()).then(|| set(&rdatas))
            }
            RecordType::PTR => {
                let Some(target) = hosts.pointer(&question.name) else { return Verdict::Pass };
                Some(RrSet::new(question.name.clone(), question.rtype, hosts.ttl(), [target.wire()]))
            }
            _ => return Verdict::Pass,
        };
        turn.tally.count(Event::HostsHits);
        let answer = records.into_iter().map(|set| Aged { ttl: set.ttl, set: Arc::new(set) }).collect();
        Verdict::Answer(Answer { answer, ..Answer::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::Rcode;
    use crate::handlers::testing::{Ask, answer, records};

    fn handler(text: &str) -> HostsHandler {
        let (hosts, warnings) = parse(text, 60);
        assert!(warnings.is_empty(), "{warnings:?}");
        HostsHandler::new(hosts)
    }

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    const FILE: &str = "\
192.0.2.1 www.example web.example # the web
192.0.2.2 www.example
2001:db8::1 six.example
192.0.2.9 four.example
0.0.0.0 ads.example
";

    #[test]
    fn every_address_of_a_name_is_given() {
        let found = answer(Ask::new("WWW.Example.", "A").of(&handler(FILE)));
        let owner = name("www.example.");
        assert_eq!(
            records(&found),
            [(owner.clone(), "A".to_owned(), vec![192, 0, 2, 1]), (owner, "A".to_owned(), vec![192, 0, 2, 2])]
        );
        assert!(found.answer[0].set.owner.is_same_case(&name("WWW.Example.")));
        assert_eq!((found.answer[0].ttl, found.authoritative), (60, false));
        assert_eq!(records(&answer(Ask::new("web.example.", "A").of(&handler(FILE)))).len(), 1);
        assert_eq!(records(&answer(Ask::new("six.example.", "AAAA").of(&handler(FILE)))).len(), 1);
    }

    #[test]
    fn the_other_family_is_nodata_and_asks_nobody() {
        for (qname, rtype) in [("six.example.", "A"), ("four.example.", "AAAA"), ("four.example.", "HTTPS")] {
            let found = answer(Ask::new(qname, rtype).of(&handler(FILE)));
            assert_eq!((found.rcode, found.answer.len()), (Rcode::NOERROR, 0), "{qname} {rtype}");
        }
    }

    #[test]
    fn types_without_addresses_and_unlisted_names_pass() {
        for (qname, rtype) in [
            ("four.example.", "MX"),
            ("example.", "A"),
            ("a.four.example.", "A"),
            ("7.2.0.192.in-addr.arpa.", "PTR"),
            ("four.example.", "PTR"),
        ] {
            assert_eq!(Ask::new(qname, rtype).of(&handler(FILE)), Verdict::Pass, "{qname} {rtype}");
        }
    }

    #[test]
    fn the_reverse_of_a_listed_address_is_its_first_name() {
        let reverse6 = format!("1.{}8.b.d.0.1.0.0.2.IP6.ARPA.", "0.".repeat(23));
        for (qname, target) in [
            ("1.2.0.192.in-addr.arpa.", "www.example."),
            (&reverse6, "six.example."),
            ("9.2.0.192.in-addr.arpa.", "four.example."),
        ] {
            let found = answer(Ask::new(qname, "PTR").of(&handler(FILE)));
            assert_eq!(records(&found), [(name(qname), "PTR".to_owned(), name(target).wire().to_vec())]);
        }
    }

    #[test]
    fn a_blocked_name_answers_the_unspecified_address_and_has_no_reverse() {
        assert_eq!(records(&answer(Ask::new("ads.example.", "A").of(&handler(FILE))))[0].2, [0, 0, 0, 0]);
        assert_eq!(Ask::new("0.0.0.0.in-addr.arpa.", "PTR").of(&handler(FILE)), Verdict::Pass);
    }

    #[test]
    fn a_new_table_answers_at_once_and_names_what_changed() {
        let handler = handler(FILE);
        let changed = handler.swap(parse("192.0.2.9 four.example new.example\n", 60).0);
        assert!(changed.contains(&name("new.example.")) && changed.contains(&name("ads.example.")));
        assert!(!changed.contains(&name("four.example.")));
        assert_eq!(records(&answer(Ask::new("new.example.", "A").of(&handler))).len(), 1);
        assert_eq!(Ask::new("www.example.", "A").of(&handler), Verdict::Pass);
    }
}
