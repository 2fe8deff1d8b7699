//! The log: which lines are written, how they look, and that nobody waits for them.
//!
//! Once the process has given up its rights, which no thread may have begun before, lines go through a bounded queue to
//! a thread that writes them to standard error. Where that is read too slowly, lines are dropped and counted. Warnings that repeat themselves are left out after a few (`repeats`).

mod repeats;

use std::io::{self, IsTerminal as _};
use std::sync::OnceLock;

use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::Registry;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::writer::EitherWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt as _;

use self::repeats::Repeats;
use super::notes;
use crate::app::config::{Levels, Log, LogFormat};
use crate::base::bounds;
use crate::edge::seed;

/// The target of lines about queries. `log.queries` alone decides about them, unless `log.level` names it.
pub const QUERIES: &str = "meridian::queries";

/// The process has one log.
static RUNNING: OnceLock<Running> = OnceLock::new();

struct Running {
    levels: reload::Handle<Targets, Registry>,
}

/// The way to the thread that writes.
static QUEUE: OnceLock<NonBlocking> = OnceLock::new();

/// Writes by the queue if there is one.
struct Outlet;

impl MakeWriter<'_> for Outlet {
    type Writer = EitherWriter<NonBlocking, io::Stderr>;

    fn make_writer(&self) -> Self::Writer {
        QUEUE.get().map_or_else(|| EitherWriter::B(io::stderr()), |queue| EitherWriter::A(queue.clone()))
    }
}

/// What must live as long as lines are to be written; dropped, it writes those that wait.
pub type Lines = WorkerGuard;

/// Begins to log to standard error, as `log` says.
pub fn begin(log: &Log) {
    let (filter, levels) = reload::Layer::new(targets(&log.levels));
    let registry = tracing_subscriber::registry().with(filter).with(seed::dice().ok().map(Repeats::new));
    let registry = registry.with(notes::layer());
    let lines_of = tracing_subscriber::fmt::layer().with_writer(Outlet);
    // Colours are for people at a terminal, where a file or a journal would have noise; modules for those who look
    // closer.
    let lines_of = lines_of.with_ansi(io::stderr().is_terminal());
    let begun = match log.format {
        LogFormat::Text => registry.with(lines_of.with_target(is_close(&log.levels))).try_init(),
        LogFormat::Json => registry.with(lines_of.json().flatten_event(true)).try_init(),
    };
    // A second log in one process, as in tests, is refused: then the first one serves.
    if begun.is_ok() {
        RUNNING.set(Running { levels }).ok();
    }
}

/// From now on nobody waits for lines to be written.
#[must_use = "what waits is lost with it"]
pub fn queue() -> Lines {
    let writer = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(bounds::LOG_LINES);
    let (writer, lines) = writer.thread_name("meridian-log").finish(io::stderr());
    QUEUE.set(writer).ok();
    lines
}

/// Writes by other levels from now on.
pub fn change(levels: &Levels) {
    if let Some(running) = RUNNING.get() {
        running.levels.reload(targets(levels)).ok(); // refused only once the log has ended
    }
}

/// Lines dropped so far because they were not taken fast enough.
#[must_use]
pub fn dropped() -> usize {
    QUEUE.get().map_or(0, |queue| queue.error_counter().dropped_lines())
}

/// It calls every failed try an error, without a word of whose; the watch says all of it once.
const CLUSTER_CLIENT: &str = "kube_client";

fn targets(levels: &Levels) -> Targets {
    let modules = levels.modules.iter().map(|(module, level)| (module.as_str(), *level));
    Targets::new()
        .with_default(levels.all)
        .with_target(QUERIES, LevelFilter::INFO)
        .with_target(CLUSTER_CLIENT, LevelFilter::OFF)
        .with_targets(modules)
}

fn is_close(levels: &Levels) -> bool {
    levels.modules.iter().map(|(_, level)| *level).chain([levels.all]).any(|level| level > LevelFilter::INFO)
}
