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

    /// The first verdict that is not [`Verdict::Pass`], and the name of the link that gave it. If every link
    /// passes, the query is refused: nobody here knows the name.
    pub fn handle(&self, query: &Query, turn: &mut Turn<'_>) -> (&'static str, Verdict) {
        for link in &self.links {
            match link.handle(query, turn) {
                Verdict::Pass => {}
                verdict => return (link.name(), verdict),
            }
        }
        let ede = Ede::new(EdeCode::NotAuthoritative, "not authoritative for this name");
        ("end", Verdict::Answer(Answer::refusal(Rcode::REFUSED, ede)))
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
