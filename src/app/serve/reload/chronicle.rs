//! What became of the reloads: which generation is in force, since when, by whom, and what was wrong with the last that
//! was refused.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::app::config::Fault;

/// Who wanted a reload.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum By {
    /// The start of the process.
    Start,
    /// SIGHUP.
    Signal,
    /// A file that has changed.
    File,
    /// The admin address.
    Api,
}

impl By {
    const fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Signal => "signal",
            Self::File => "file",
            Self::Api => "api",
        }
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What became of the reloads.
#[derive(Debug)]
pub struct Chronicle {
    generation: u64,
    /// Seconds since 1970.
    at: u64,
    by: By,
    took: Duration,
    failed: Option<Failed>,
}

#[derive(Debug)]
struct Failed {
    at: u64,
    by: By,
    faults: Vec<Fault>,
}

impl Chronicle {
    /// The first generation, in force from `at`.
    #[must_use]
    pub const fn new(at: u64) -> Self {
        Self { generation: 1, at, by: By::Start, took: Duration::ZERO, failed: None }
    }

    /// The generation in force; 1 is the start's.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// When it came into force, seconds since 1970.
    #[must_use]
    pub const fn since(&self) -> u64 {
        self.at
    }

    /// Whether the last reload was refused.
    #[must_use]
    pub const fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// A good reload, which ends what is told of a bad one; another generation if anything has changed.
    pub fn succeed(&mut self, by: By, at: u64, took: Duration, has_changes: bool) -> u64 {
        self.failed = None;
        if has_changes {
            self.generation += 1;
            (self.at, self.by, self.took) = (at, by, took);
        }
        self.generation
    }

    /// A bad one, which changes nothing.
    pub fn fail(&mut self, by: By, at: u64, faults: Vec<Fault>) {
        self.failed = Some(Failed { at, by, faults });
    }

    /// As the status tells it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let failed = self
            .failed
            .as_ref()
            .map(|failed| json!({ "at": failed.at, "by": failed.by.word(), "faults": failed.faults }));
        json!({
            "generation": self.generation,
            "at": self.at,
            "by": self.by.word(),
            "took_ms": self.took.as_secs_f64() * 1_000.0,
            "failed": failed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_failure_is_told_until_a_reload_is_good() {
        let mut chronicle = Chronicle::new(100);
        assert_eq!(chronicle.succeed(By::Signal, 110, Duration::from_millis(3), true), 2);
        chronicle.fail(By::Api, 120, Vec::new());
        let told = chronicle.to_json();
        assert_eq!((&told["generation"], &told["at"], &told["by"]), (&json!(2), &json!(110), &json!("signal")));
        assert_eq!((&told["failed"]["by"], &told["failed"]["at"]), (&json!("api"), &json!(120)));
        assert!(chronicle.has_failed());
        assert_eq!(chronicle.succeed(By::File, 130, Duration::ZERO, false), 2, "nothing has changed");
        let told = chronicle.to_json();
        assert_eq!((&told["failed"], &told["at"]), (&Value::Null, &json!(110)));
    }
}
