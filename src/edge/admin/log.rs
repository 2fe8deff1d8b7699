//! What the admin address tells of the log.

use serde::Serialize;

/// The last warnings and errors.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct LogView {
    /// Errors since the start.
    pub errors: u64,
    /// Warnings since the start.
    pub warnings: u64,
    /// The last of them, newest first.
    pub notes: Vec<Note>,
}

/// A warning or an error.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Note {
    /// When, seconds of the calendar.
    pub at: u64,
    /// `error` or `warn`.
    pub level: &'static str,
    /// What was said.
    pub text: String,
}
