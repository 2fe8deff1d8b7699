//! From a YAML file to a [`Config`] in which wrong values cannot exist.
//!
//! In comes the text of a file; `raw` turns it into a tree whose nodes know their places; the readers (`check`
//! and its siblings) walk the tree with a `cursor` that notes every fault and goes on; `crosswise` looks at what
//! is right alone and wrong together. Out comes the configuration with its lints, or all the faults.
//!
//! Everything has a default: an empty file is the built-in configuration. Relative paths count from the folder of
//! the file.

mod addresses;
mod answers;
mod cache;
mod check;
mod crosswise;
mod cursor;
mod fault;
mod forward;
mod kubernetes;
mod later;
mod limits;
mod raw;
mod recursion;
mod source;
mod steering;
mod telling;
#[cfg(test)]
mod tests;
mod types;
mod zones;

use std::fs::File;
use std::io::Read;
use std::num::NonZeroUsize;
use std::path::Path;

pub use fault::{At, Fault, Severity, lines};
pub use source::Source;
pub use steering::{Feed, Policy, PoolSettings, SteeredName, Steering};
pub use types::{
    Admin, Cache, ClusterApi, Config, Dnssec, Dnstap, Families, ForwardOrder, ForwardZone, Hosts, Identity, Kubernetes,
    Levels, Limits, Listen, Log, LogFormat, NodeLocal, Prefetch, QnameMinimisation, QueryLog, Recursion, Roots, Stale,
    StubZone, TapPeer, TcpLimits, TrustAnchors, Upstream,
};
pub use zones::{
    Allowed, Catalog, InlineRecord, Key, KeyAlgorithm, NamePattern, Origin, Server, TransferSettings, UpdatePolicy,
    ZoneSettings,
};

use crate::base::bounds;
use crate::base::scalars;
use crate::edge::files::{Fingerprint, read_octets};

/// The built-in configuration, commented: what `meridian default-config` prints.
pub const BUILTIN: &str = include_str!("default.yaml");

/// What the configuration depends on besides its text.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    /// Threads that run at a time, for `workers: auto`.
    pub cores: NonZeroUsize,
    /// Octets of memory, if known, for the lints.
    pub memory: Option<u64>,
}

/// A configuration that can be used, and what its author probably wants to know of it.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The configuration.
    pub config: Config,
    /// In the order of the file.
    pub lints: Vec<Fault>,
    /// What it was read from.
    pub source: Source,
}

/// What was found in a file, good or bad.
#[derive(Clone, Debug)]
pub struct Examined {
    /// The configuration as far as it could be read; with faults, not to be used but for finding more of them.
    pub config: Option<Config>,
    /// Faults and lints, in the order of the file.
    pub noted: Vec<Fault>,
    /// What it was read from.
    pub source: Source,
}

impl Examined {
    /// Whether the configuration must not be used.
    #[must_use]
    pub fn has_faults(&self) -> bool {
        self.config.is_none() || self.noted.iter().any(|fault| fault.severity == Severity::Fault)
    }

    fn checked(self) -> Result<Checked, Vec<Fault>> {
        let has_faults = self.has_faults();
        match self.config {
            Some(config) if !has_faults => Ok(Checked { config, lints: self.noted, source: self.source }),
            _ => Err(self.noted),
        }
    }
}

/// Checks the text of a file; `file` is its name in faults and where its relative paths count from.
///
/// # Errors
/// All faults, in the order of the file; at least one.
pub fn load(file: &Path, text: &[u8], machine: &Machine) -> Result<Checked, Vec<Fault>> {
    examine_text(file, text, machine).checked()
}

fn examine_text(file: &Path, text: &[u8], machine: &Machine) -> Examined {
    let mut source = Source { file: file.display().to_string(), ..Source::default() };
    let report = cursor::Report::new(&file.display().to_string());
    let config = match parse(text) {
        Ok(tree) => {
            let config = check::config(&tree, &report, file.parent().unwrap_or(Path::new("")), machine);
            if let Some(config) = &config
                && report.is_clean()
            {
                crosswise::lint(config, &tree, &report, machine);
            }
            source.tree = Some(tree);
            config
        }
        Err((at, found, allowed)) => {
            report.note(Severity::Fault, at, "", found, allowed);
            None
        }
    };
    Examined { config, noted: report.finish(), source }
}

/// Reads and checks a file of at most [`bounds::TEXT_FILE_MAX`] octets.
///
/// # Errors
/// All faults, in the order of the file; a file that cannot be read is one.
pub fn read(file: &Path, machine: &Machine) -> Result<Checked, Vec<Fault>> {
    examine(file, machine).checked()
}

/// As [`read`], with what could be read of a file that has faults.
#[must_use]
pub fn examine(file: &Path, machine: &Machine) -> Examined {
    let fault = |found: String, allowed: String| {
        let file = file.display().to_string();
        vec![Fault { severity: Severity::Fault, file, at: At::START, key: String::new(), found, allowed }]
    };
    match read_bounded(file) {
        Ok((text, seen)) => {
            let mut examined = examine_text(file, &text, machine);
            examined.source.seen = seen;
            examined
        }
        Err((found, allowed)) => {
            let source = Source { file: file.display().to_string(), ..Source::default() };
            Examined { config: None, noted: fault(found, allowed), source }
        }
    }
}

/// The octets of a file within the bound; or what was found instead, and what may be.
fn read_bounded(file: &Path) -> Result<(Vec<u8>, Option<Fingerprint>), (String, String)> {
    let most = scalars::size_text(bounds::TEXT_FILE_MAX);
    let too_long = (format!("a file of more than {most}"), format!("at most {most}"));
    let unreadable = |error| (format!("no readable file ({error})"), "a YAML file".to_owned());
    if std::fs::metadata(file).is_ok_and(|metadata| metadata.is_file()) {
        return match read_octets(file, bounds::TEXT_FILE_MAX) {
            Ok((text, seen)) => Ok((text, Some(seen))),
            Err(error) if error.kind() == std::io::ErrorKind::FileTooLarge => Err(too_long),
            Err(error) => Err(unreadable(error)),
        };
    }
    // A pipe is read as far as it goes.
    let mut text = Vec::new();
    File::open(file)
        .and_then(|opened| opened.take(bounds::TEXT_FILE_MAX + 1).read_to_end(&mut text))
        .map_err(unreadable)?;
    if text.len() as u64 > bounds::TEXT_FILE_MAX { Err(too_long) } else { Ok((text, None)) }
}

/// The built-in configuration; its relative paths count from the working folder.
///
/// # Errors
/// None outside a broken build: a test loads it.
pub fn builtin(machine: &Machine) -> Result<Checked, Vec<Fault>> {
    examine_builtin(machine).checked()
}

/// As [`builtin`], with the shape of [`examine`].
#[must_use]
pub fn examine_builtin(machine: &Machine) -> Examined {
    examine_text(Path::new("built-in configuration"), BUILTIN.as_bytes(), machine)
}

/// The built-in configuration as JSON, without its comments.
#[must_use]
pub fn builtin_json() -> serde_json::Value {
    raw::Node::parse(BUILTIN).map_or(serde_json::Value::Null, |tree| tree.to_json())
}

/// The tree of a file, or where, what and what else should be.
fn parse(text: &[u8]) -> Result<raw::Node, (At, String, &'static str)> {
    let text = std::str::from_utf8(text).map_err(|error| {
        let before = text.get(..error.valid_up_to()).unwrap_or_default();
        let before = String::from_utf8_lossy(before);
        let line = before.matches('\n').count() as u64 + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() as u64 + 1;
        (At { line, column }, "octets that are no UTF-8".to_owned(), "UTF-8 text")
    })?;
    raw::Node::parse(text).map_err(|(at, reason)| (at, format!("broken YAML ({reason})"), "YAML 1.2"))
}
