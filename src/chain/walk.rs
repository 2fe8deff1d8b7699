//! The chain: its links in order, asked one after the other until one decides.

use super::answer::Answer;
use super::handler::{Handler, Turn, Verdict};
use super::query::Query;
use crate::dns::{Ede, EdeCode, Rcode};

/// The links in the order in which they are asked.
#[derive(Default)]
pub struct Chain {
    links: Vec<Box<dyn Handler>>,
}

impl Chain {
    /// A chain of `links`, the first asked first.
    #[must_use]
    pub fn new(links: Vec<Box<dyn Handler>>) -> Self {
        Self { links }
    }

    /// The first verdict that is not [`Verdict::Pass`]. If every link passes, the query is refused: nobody here
    /// knows the name. `observe` is told what each link says.
    pub fn handle(
        &self,
        query: &Query,
        turn: &mut Turn<'_>,
        mut observe: impl FnMut(&'static str, &Verdict),
    ) -> Verdict {
        for link in &self.links {
            let verdict = link.handle(query, turn);
            observe(link.name(), &verdict);
            if verdict != Verdict::Pass {
                return verdict;
            }
        }
        let why = if !query.flags.recursion_desired && query.asker.may_recurse {
            "not authoritative for this name, nothing is cached, and recursion was not asked for"
        } else {
            "not authoritative for this name"
        };
        Verdict::Answer(Answer::refusal(Rcode::REFUSED, Ede::new(EdeCode::NotAuthoritative, why)))
    }

    /// The links, for `explain`.
    pub fn links(&self) -> impl Iterator<Item = &dyn Handler> {
        self.links.iter().map(AsRef::as_ref)
    }
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.links().map(Handler::name)).finish()
    }
}
