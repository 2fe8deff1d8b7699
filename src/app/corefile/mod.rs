//! From a Corefile to a configuration that answers as CoreDNS would: [`reading`] makes lines of the text, `blocks` the
//! servers of the lines; each plugin adds what it means to a `draft`, which becomes text.
//!
//! Nothing that a Corefile says is dropped in silence. What there is nothing for, and what is done by itself or otherwise,
//! is noted with its line.

mod blocks;
mod cluster;
mod draft;
mod forwarding;
mod naming;
mod plugins;
pub mod reading;
mod templates;
mod upkeep;
mod yaml;

use std::path::Path;

use self::draft::Draft;
pub use self::draft::{Note, Weight};
pub use self::reading::{Outside, Spot, Unreadable};

/// A Corefile as a configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Translation {
    /// The configuration.
    pub text: String,
    /// What is to be known of it, in the order of the Corefile.
    pub notes: Vec<Note>,
}

impl Translation {
    /// Whether nothing was lost.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.notes.iter().all(|note| note.weight != Weight::Lost)
    }
}

/// Translates the Corefile `path`.
///
/// # Errors
/// Where it is none, and why.
pub fn translate(path: &Path, outside: &dyn Outside) -> Result<Translation, Unreadable> {
    let (lines, empty) = reading::read(path, outside)?;
    let mut draft = Draft::default();
    for (spot, what) in empty {
        draft.otherwise(&spot, "import", format!("no file is called {what}, now"));
    }
    let (servers, notes) = blocks::servers(&lines)?;
    draft.notes.extend(notes);
    for (at, server) in servers.iter().enumerate() {
        plugins::add_cluster(server, &blocks::inner(&servers, at), &mut draft);
    }
    for (at, server) in servers.iter().enumerate() {
        plugins::add(server, &blocks::inner(&servers, at), &mut draft);
    }
    draft.finish(&servers);
    let mut notes = std::mem::take(&mut draft.notes);
    notes.sort_by(|one, other| one.spot.cmp(&other.spot));
    notes.dedup();
    Ok(Translation { text: draft.text(path, &notes), notes })
}

#[cfg(test)]
mod tests;
