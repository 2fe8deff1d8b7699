//! What a link of the chain is.

use std::sync::Arc;

use super::answer::{Answer, Goal};
use super::choice::Choice;
use super::chooser::{Chooser, Pick};
use super::path::Path;
use super::query::Query;
use crate::base::tally::{Event, Tally};
use crate::base::{Dice, Instant};

/// What a handler is given beside the query: time, dice, counters.
#[derive(Debug)]
pub struct Turn<'t> {
    /// The present moment.
    pub now: Instant,
    /// Chance.
    pub dice: &'t mut Dice,
    /// The worker's counters.
    pub tally: &'t Tally,
    /// A goal to pursue beside the answer: a prefetch or a refresh.
    pub aside: Option<Goal>,
    /// How answers were chosen, where somebody wants to know. Then it is a rehearsal: nobody will use the answer, and
    /// links remember nothing of it.
    pub choices: Option<Vec<Choice>>,
}

/// What the fast tempo found.
#[must_use]
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Recall {
    /// The answer stands in the buffer; this is what it is counted as.
    Hit(u64),
    /// This has been chosen, and its answer is not at hand: the chooser knows it.
    Picked(Arc<dyn Chooser>, Pick),
    /// This link has nothing to say to the question; the next may.
    NotMine,
    /// Only the slow tempo can tell.
    Unsure,
    /// Send nothing, and count why.
    Silence(Event),
}

/// What a handler decides about a query.
#[must_use]
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Not mine: the next link decides.
    Pass,
    /// This is the answer.
    Answer(Answer),
    /// Send nothing, and count why.
    Silence(Event),
    /// Ask upstreams.
    Resolve(Goal),
    /// Another name answers: the first of these that exists.
    Search(Box<Path>),
}

/// A link of the chain: a plain function from a query to a verdict. It never waits, knows no other link, and
/// asks the machine for nothing.
pub trait Handler: Send + Sync {
    /// The link's name, as `explain` shows it.
    fn name(&self) -> &'static str;

    /// Decides about a parsed query.
    fn handle(&self, query: &Query, turn: &mut Turn<'_>) -> Verdict;
}

/// A link that others hold too, such as the cache.
impl<H: Handler + ?Sized> Handler for std::sync::Arc<H> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn handle(&self, query: &Query, turn: &mut Turn<'_>) -> Verdict {
        (**self).handle(query, turn)
    }
}
