//! The last warnings and errors of the log, kept for the admin address.
//!
//! What is logged belongs to the process, as its subscriber does; so does what is kept of it.

use std::collections::VecDeque;
use std::fmt::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::base::bounds;
use crate::edge::admin::{LogView, Note};
use crate::edge::clock::wall_seconds;

static NOTES: Mutex<Notes> = Mutex::new(Notes { errors: 0, warnings: 0, last: VecDeque::new() });

/// The last warnings and errors of this process.
#[must_use]
pub fn last() -> LogView {
    notes().view()
}

/// What takes note of warnings and errors, whatever else of the log is shown.
pub fn layer<S: Subscriber + for<'a> LookupSpan<'a>>() -> impl Layer<S> {
    Keeper.with_filter(LevelFilter::WARN)
}

fn notes() -> MutexGuard<'static, Notes> {
    NOTES.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Keeper;

impl<S: Subscriber> Layer<S> for Keeper {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut text = Text::default();
        event.record(&mut text);
        notes().take(*event.metadata().level() == Level::ERROR, text.whole(), wall_seconds());
    }
}

struct Notes {
    errors: u64,
    warnings: u64,
    /// The newest last.
    last: VecDeque<Note>,
}

impl Notes {
    fn take(&mut self, is_error: bool, text: String, at: u64) {
        let (level, count) = if is_error { ("error", &mut self.errors) } else { ("warn", &mut self.warnings) };
        *count += 1;
        if self.last.len() >= bounds::NOTES_KEPT {
            self.last.pop_front();
        }
        self.last.push_back(Note { at, level, text });
    }

    fn view(&self) -> LogView {
        LogView { errors: self.errors, warnings: self.warnings, notes: self.last.iter().rev().cloned().collect() }
    }
}

/// An event as a line: what it says, then its fields.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Text {
    fn whole(self) -> String {
        let mut text = self.message + &self.fields;
        if text.len() > bounds::NOTE_MAX {
            let whole = (0..=bounds::NOTE_MAX).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
            text.truncate(whole);
            text.push('…');
        }
        text
    }
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string cannot fail.
        if field.name() == "message" {
            write!(self.message, "{value:?}").ok();
        } else {
            write!(self.fields, " {}={value:?}", field.name()).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_comes_first_the_oldest_goes_and_all_are_counted() {
        let mut notes = Notes { errors: 0, warnings: 0, last: VecDeque::new() };
        for at in 0..=bounds::NOTES_KEPT as u64 {
            notes.take(at % 2 == 0, format!("line {at}"), at);
        }
        let view = notes.view();
        assert_eq!((view.errors, view.warnings), (51, 50));
        assert_eq!(view.notes.len(), bounds::NOTES_KEPT);
        assert_eq!(view.notes[0], Note { at: 100, level: "error", text: "line 100".into() });
        assert_eq!(view.notes[99], Note { at: 1, level: "warn", text: "line 1".into() });
    }

    #[test]
    fn a_line_has_its_fields_behind_it_and_an_end() {
        let fields = |message: &str| Text { message: message.into(), fields: " zone=\"example.com.\"".into() }.whole();
        assert_eq!(fields("not loaded"), "not loaded zone=\"example.com.\"");
        let long = fields(&"ü".repeat(bounds::NOTE_MAX));
        assert!(long.len() <= bounds::NOTE_MAX + '…'.len_utf8() && long.ends_with("ü…"));
    }

    #[test]
    fn warnings_and_errors_are_kept_and_nothing_else() {
        use tracing_subscriber::layer::SubscriberExt;
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer()), || {
            tracing::info!("a story of a zone");
            tracing::warn!(zone = "example.test", "the zone of this test is stale");
        });
        let texts: Vec<String> = last().notes.into_iter().map(|note| note.text).collect();
        assert!(texts.contains(&"the zone of this test is stale zone=\"example.test\"".to_owned()), "{texts:?}");
        assert!(!texts.iter().any(|text| text.contains("a story")), "{texts:?}");
    }
}
