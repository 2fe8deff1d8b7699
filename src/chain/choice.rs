//! How an answer was chosen among several, as `explain` tells it to people and programs: plain texts and numbers,
//! written only where somebody wants to know.

/// How the answer at one name was chosen.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Choice {
    /// The name that several may answer, as the configuration has it.
    pub owner: String,
    /// The group that it was chosen from.
    pub pool: String,
    /// Whose place decided.
    pub subject: String,
    /// What is known of that place.
    pub place: String,
    /// How each member stood: its name and a word.
    pub health: Vec<(String, &'static str)>,
    /// What was done, in order.
    pub steps: Vec<ChoiceStep>,
    /// Who answers.
    pub chosen: Vec<String>,
    /// What is answered.
    pub outcome: &'static str,
    /// Bits of the subject that decided.
    pub scope: u8,
    /// For how long it holds, seconds.
    pub ttl: u32,
}

/// One stage of a choice.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ChoiceStep {
    /// The stage.
    pub stage: &'static str,
    /// The members before it, best first.
    pub before: Vec<String>,
    /// The members after it, best first.
    pub after: Vec<String>,
    /// Bits of the subject that it looked at.
    pub scope: u8,
    /// What it went by: a fact about a member, or about the asker.
    pub facts: Vec<(Option<String>, String)>,
}
