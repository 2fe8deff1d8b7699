//! Where an answer came from, for those who keep a log of queries.

use crate::chain::Answer;
use crate::dns::EdeCode;

/// Where an answer came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// A finished answer, recalled.
    Recalled,
    /// Our zones, where the pool's member was chosen anew.
    Chosen,
    /// A link of the chain, by its name.
    Link(&'static str),
    /// Upstreams were asked.
    Upstream,
    /// Upstreams were asked, and what was known before had to do.
    Stale,
    /// The limits, before anybody looked at the question.
    Limits,
    /// Nobody: the query could not be read, or no link knows the name.
    Nobody,
}

impl Source {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Recalled => "recalled",
            Self::Chosen => "zone",
            Self::Link(link) => match link.as_bytes() {
                b"authority" => "zone",
                b"resolve" => "upstream",
                _ => link,
            },
            Self::Upstream => "upstream",
            Self::Stale => "stale",
            Self::Limits => "limits",
            Self::Nobody => "nobody",
        }
    }

    /// Of an answer that upstreams were asked for.
    pub(super) fn of_late(answer: &Answer) -> Self {
        let is_stale = answer.ede.as_ref().is_some_and(|ede| ede.code == EdeCode::StaleAnswer);
        if is_stale { Self::Stale } else { Self::Upstream }
    }
}
