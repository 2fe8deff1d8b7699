//! Who we are, to those who ask and as far as the operator tells: version.bind, version.server, id.server and
//! hostname.bind in class CH (RFC 4892). What is not told passes, and the links behind refuse it.

use std::sync::Arc;

use crate::chain::{Aged, Answer, Handler, Query, Turn, Verdict};
use crate::dns::{Class, Name, RecordType, RrSet};

/// The link.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    told: Vec<(Name, Box<[u8]>)>,
}

impl Identity {
    /// Tells these texts of at most 255 octets, each of which may be none.
    #[must_use]
    pub fn new(version: Option<&[u8]>, id: Option<&[u8]>, hostname: Option<&[u8]>) -> Self {
        let all = [
            ("version.bind.", version),
            ("version.server.", version),
            ("id.server.", id),
            ("hostname.bind.", hostname),
        ];
        let told = all.into_iter().filter_map(|(name, text)| {
            let text = text?;
            let length = u8::try_from(text.len()).ok()?;
            Some((name.parse().ok()?, [&[length], text].concat().into()))
        });
        Self { told: told.collect() }
    }
}

impl Handler for Identity {
    fn name(&self) -> &'static str {
        "identity"
    }

    fn handle(&self, query: &Query, _: &mut Turn<'_>) -> Verdict {
        let question = &query.question;
        if question.class != Class::CH || !matches!(question.rtype, RecordType::TXT | RecordType::ANY) {
            return Verdict::Pass;
        }
        let Some((_, rdata)) = self.told.iter().find(|(name, _)| *name == question.name) else { return Verdict::Pass };
        let set = RrSet::new(question.name.clone(), RecordType::TXT, 0, [rdata]);
        let answer = vec![Aged { set: Arc::new(set), ttl: 0 }];
        Verdict::Answer(Answer { authoritative: true, answer, ..Answer::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handlers::testing::{Ask, answer};

    #[test]
    fn only_what_is_told_is_answered() {
        let link = Identity::new(Some(b"Meridian"), None, Some(b"ns1"));
        for (name, rdata) in
            [("Version.Bind.", "\x08Meridian"), ("version.server.", "\x08Meridian"), ("hostname.bind.", "\x03ns1")]
        {
            let answer = answer(Ask::new(name, "TXT").class(Class::CH).of(&link));
            assert_eq!(answer.answer[0].set.rdatas.iter().next(), Some(rdata.as_bytes()), "{name}");
            assert!(answer.authoritative);
        }
        for (name, rtype, class) in
            [("id.server.", "TXT", Class::CH), ("version.bind.", "A", Class::CH), ("version.bind.", "TXT", Class::IN)]
        {
            assert_eq!(Ask::new(name, rtype).class(class).of(&link), Verdict::Pass);
        }
    }
}
