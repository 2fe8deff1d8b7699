//! What a selection did, stage by stage: an explanation falls out of it. Nothing is written unless somebody asks.

use super::asker::Scope;

/// One stage's work.
#[derive(Clone, PartialEq, Debug)]
pub struct Step {
    /// The stage's name.
    pub stage: &'static str,
    /// The members before it, in order.
    pub before: Vec<u16>,
    /// The members after it, in order.
    pub after: Vec<u16>,
    /// How many bits of the subject it looked at.
    pub scope: Scope,
    /// What it went by: a member and a fact about it, or a fact about the asker.
    pub facts: Vec<(Option<u16>, String)>,
    /// Whether the members are those of the fallback pool.
    pub is_fallback: bool,
}

/// The steps of a selection, in order.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Trace {
    /// One for every stage that ran.
    pub steps: Vec<Step>,
    pub(super) facts: Vec<(Option<u16>, String)>,
}
