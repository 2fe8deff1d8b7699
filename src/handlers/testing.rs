//! Queries in one line, for the tests of the links.

use crate::base::tally::Tally;
use crate::base::{Dice, Instant};
use crate::chain::{Answer, Asker, Carrier, Handler, Query, Turn, Verdict};
use crate::dns::{Class, Flags, Name, Question};

/// A query from an allowed client on loopback, class IN, RD set.
#[derive(Clone, Debug)]
pub(crate) struct Ask(Query);

impl Ask {
    pub(crate) fn new(name: &str, rtype: &str) -> Self {
        Self(Query {
            id: 7,
            flags: Flags { recursion_desired: true, ..Flags::default() },
            question: Question::new(name.parse().unwrap(), rtype.parse().unwrap()),
            edns: None,
            asker: Asker {
                address: "127.0.0.1:53000".parse().unwrap(),
                local: None,
                carrier: Carrier::Udp,
                may_recurse: true,
                group: 0,
            },
        })
    }

    pub(crate) fn stranger(mut self) -> Self {
        self.0.asker.address = "192.0.2.7:53000".parse().unwrap();
        self.0.asker.may_recurse = false;
        self
    }

    pub(crate) fn without_recursion(mut self) -> Self {
        self.0.flags.recursion_desired = false;
        self
    }

    pub(crate) fn group(mut self, group: u8) -> Self {
        self.0.asker.group = group;
        self
    }

    pub(crate) fn class(mut self, class: Class) -> Self {
        self.0.question.class = class;
        self
    }

    pub(crate) fn query(&self) -> Query {
        self.0.clone()
    }

    /// The verdict of `handler`.
    pub(crate) fn of(&self, handler: &dyn Handler) -> Verdict {
        let mut dice = Dice::from_number(1);
        handler.handle(
            &self.0,
            &mut Turn {
                now: Instant::from_seconds(1_000),
                dice: &mut dice,
                tally: &Tally::default(),
                aside: None,
                choices: None,
            },
        )
    }
}

/// The answer that `verdict` must be.
pub(crate) fn answer(verdict: Verdict) -> Answer {
    match verdict {
        Verdict::Answer(answer) => answer,
        other => panic!("no answer: {other:?}"),
    }
}

/// The records of an answer's answer section as `owner TYPE rdata-in-hexadecimal`.
pub(crate) fn records(answer: &Answer) -> Vec<(Name, String, Vec<u8>)> {
    let rows = answer.answer.iter().flat_map(|aged| {
        aged.set.rdatas.iter().map(|rdata| (aged.set.owner.clone(), aged.set.rtype.to_string(), rdata.to_vec()))
    });
    rows.collect()
}
