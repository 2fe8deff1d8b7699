//! Questions that no resolution can answer: other classes, meta types, ANY.
//!
//! It comes right behind the gate. What passes is a question in class IN for a type that can stand in a zone; the
//! links behind may rely on it. Nothing here looks at the name.
//!
//! Where servers differ, the choice and its reason stand beside the branch.

use std::sync::Arc;

use crate::chain::{Aged, Answer, Handler, Query, Turn, Verdict};
use crate::dns::{Class, Ede, EdeCode, Rcode, RecordType, RrSet};

/// The link; it has nothing to remember.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Local;

/// TTL of the answer to ANY, seconds: that of the example in RFC 8482 §4.2.
const ANY_TTL: u32 = 3_789;

/// HINFO of CPU "RFC8482" and an empty OS (RFC 8482 §4.2).
const ANY_RDATA: &[u8] = b"\x07RFC8482\x00";

/// NXNAME, a meta type that only stands in NSEC bitmaps (RFC 9824 §3.4).
const NXNAME: RecordType = RecordType(128);

impl Handler for Local {
    fn name(&self) -> &'static str {
        "local"
    }

    fn handle(&self, query: &Query, _: &mut Turn<'_>) -> Verdict {
        let question = &query.question;
        match question.class {
            Class::IN => {}
            // version.bind, version.server, id.server, hostname.bind: who we are is nobody's business by
            // default (RFC 4892 §2 leaves it to the operator).
            Class::CH => return refuse(Rcode::REFUSED, EdeCode::Prohibited, "the server does not say who it is"),
            // QCLASS * asks for all classes at once (RFC 1035 §3.2.5), which an answer in one class is not.
            Class::ANY => return refuse(Rcode::NOTIMP, EdeCode::NotSupported, "class ANY is not supported"),
            // As BIND does, for want of a view in that class; the query is well formed, so no FORMERR.
            _ => return refuse(Rcode::REFUSED, EdeCode::NotSupported, "only class IN is served"),
        }
        match question.rtype {
            // One small RRset instead of everything: no amplification, nothing to resolve (RFC 8482 §4.2).
            RecordType::ANY => {
                let set = RrSet::new(question.name.clone(), RecordType::HINFO, ANY_TTL, [ANY_RDATA]);
                let answer = vec![Aged { set: Arc::new(set), ttl: ANY_TTL }];
                Verdict::Answer(Answer { answer, ..Answer::default() })
            }
            // A resolver has no zone to transfer.
            RecordType::AXFR | RecordType::IXFR => {
                refuse(Rcode::REFUSED, EdeCode::NotAuthoritative, "there is no zone to transfer")
            }
            // Kinds of query that nobody uses any more (RFC 1035 §3.2.3); BIND says NOTIMP too.
            RecordType::MAILA | RecordType::MAILB => {
                refuse(Rcode::NOTIMP, EdeCode::NotSupported, "the type is obsolete")
            }
            // Key exchange is a kind of query that we do not have (RFC 2930).
            RecordType::TKEY => refuse(Rcode::NOTIMP, EdeCode::NotSupported, "TKEY is not supported"),
            // They belong into a message's frame, never into its question (RFC 6891 §6.1.1, RFC 8945 §4.2,
            // RFC 9824 §3.4); type 0 is reserved (RFC 6895 §3.1).
            RecordType::OPT | RecordType::TSIG | NXNAME | RecordType(0) => {
                refuse(Rcode::FORMERR, EdeCode::NotSupported, "no question can have this type")
            }
            // Signatures are no RRset of their own and are given with what they cover (RFC 4035 §2.2, §3.1).
            // BIND and Unbound return whichever they happen to have, which is little use and much amplification;
            // like Knot Resolver we refuse, and say how to get them.
            RecordType::RRSIG => {
                refuse(Rcode::REFUSED, EdeCode::NotSupported, "ask with DO for the records that are signed")
            }
            // Unassigned meta types: a kind of query not known here (RFC 6895 §3.1).
            rtype if rtype.is_meta() => refuse(Rcode::NOTIMP, EdeCode::NotSupported, "the meta type is not known"),
            _ => Verdict::Pass,
        }
    }
}

fn refuse(rcode: Rcode, code: EdeCode, text: &'static str) -> Verdict {
    Verdict::Answer(Answer::refusal(rcode, Ede::new(code, text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handlers::testing::{Ask, answer, records};

    #[test]
    fn the_server_does_not_say_who_it_is() {
        for name in ["version.bind.", "version.server.", "id.server.", "hostname.bind.", "VERSION.BIND."] {
            assert_eq!(answer(Ask::new(name, "TXT").class(Class::CH).of(&Local)).rcode, Rcode::REFUSED);
        }
    }

    #[test]
    fn only_class_in_passes() {
        for (class, rcode) in [
            (Class::HS, Rcode::REFUSED),
            (Class(77), Rcode::REFUSED),
            (Class(0), Rcode::REFUSED),
            (Class::ANY, Rcode::NOTIMP),
        ] {
            assert_eq!(answer(Ask::new("example.", "A").class(class).of(&Local)).rcode, rcode, "{class}");
        }
        assert_eq!(Ask::new("example.", "A").of(&Local), Verdict::Pass);
    }

    #[test]
    fn any_gets_the_hinfo_of_rfc_8482() {
        let any = answer(Ask::new("www.Example.", "ANY").of(&Local));
        assert_eq!(any.rcode, Rcode::NOERROR);
        assert_eq!(records(&any), [("www.example.".parse().unwrap(), "HINFO".to_owned(), b"\x07RFC8482\0".to_vec())]);
        assert_eq!(any.answer[0].ttl, 3_789);
        assert!(!any.authoritative);
    }

    #[test]
    fn meta_types_never_reach_the_cache() {
        for number in 0..=u16::MAX {
            let rtype = RecordType(number);
            if rtype.is_meta() {
                assert_ne!(Ask::new("example.", &rtype.to_string()).of(&Local), Verdict::Pass, "{rtype}");
            }
        }
    }

    #[test]
    fn each_meta_type_has_its_rcode() {
        for (rtype, rcode) in [
            ("AXFR", Rcode::REFUSED),
            ("IXFR", Rcode::REFUSED),
            ("RRSIG", Rcode::REFUSED),
            ("MAILA", Rcode::NOTIMP),
            ("MAILB", Rcode::NOTIMP),
            ("TKEY", Rcode::NOTIMP),
            ("TYPE200", Rcode::NOTIMP),
            ("OPT", Rcode::FORMERR),
            ("TSIG", Rcode::FORMERR),
            ("TYPE128", Rcode::FORMERR),
            ("TYPE0", Rcode::FORMERR),
        ] {
            assert_eq!(answer(Ask::new("example.", rtype).of(&Local)).rcode, rcode, "{rtype}");
        }
    }

    #[test]
    fn unknown_data_types_pass() {
        for rtype in ["A", "TYPE65280", "HTTPS", "NULL", "DS", "TYPE127", "TYPE256"] {
            assert_eq!(Ask::new("example.", rtype).of(&Local), Verdict::Pass, "{rtype}");
        }
    }
}
