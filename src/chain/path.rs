//! Names that may stand for the one that was asked for, as a stub resolver would try them along its search list: walked
//! here, they cost the client one trip.

use super::answer::Answer;
use crate::dns::Name;

/// Names to be tried in turn: the first that exists answers for the name asked for, behind an alias.
///
/// Whether a name exists is decided by its addresses of type A, whatever type is asked for, so that all questions about
/// one name end at the same.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Path {
    /// What is said where none of them exists. Whoever chooses among the answers to the question stands here too.
    pub otherwise: Answer,
    /// The names, the first tried first; at most [`crate::base::bounds::SEARCH_MAX`].
    pub steps: Vec<Step>,
    /// TTL of the alias, seconds.
    pub ttl: u32,
}

/// One name of a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// The name, in lower case: it stands in what is remembered for all who ask.
    pub name: Name,
    /// Whether the path's chooser tells all that its answer depends on.
    pub is_chosen: bool,
}
