//! The files that a running server reads and writes: hosts, root hints, cookie secrets, the cache's snapshot.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::Path;

use tracing::{debug, info, warn};

use crate::app::build::Files;
use crate::app::config::{Config, Roots};
use crate::base::Instant;
use crate::chain::Delegation;
use crate::dns::cookie::{self, CookieSecrets, SecretsFault};
use crate::edge::clock::wall_seconds;
use crate::edge::files::{FileWatch, Fingerprint, read_text};
use crate::handlers::cache::Cache;
use crate::handlers::hosts::{self, Hosts};
use crate::handlers::resolve::hints::{self, HintsFault};

/// The snapshot's name in the `state` directory.
const SNAPSHOT: &str = "cache.snapshot";
/// Warnings about one hosts file that are logged.
const WARNINGS_MAX: usize = 20;

/// The state in which files were read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fingerprints {
    hosts: Option<Fingerprint>,
}

/// What was read.
pub struct Read {
    /// The content.
    pub files: Files,
    /// The state of the files.
    pub fingerprints: Fingerprints,
}

/// Reads what `config` names. A hosts file that is missing or has bad lines is a warning; root hints and secrets are
/// needed.
///
/// # Errors
/// In words, naming the file and each bad line.
pub fn read(config: &Config) -> Result<Read, String> {
    let mut files = Files::default();
    let mut fingerprints = Fingerprints::default();
    if let Some(Some(path)) = &config.limits.cookies {
        files.cookie_secrets = Some(read_secrets(path)?);
    }
    let Some(recursion) = &config.recursion else { return Ok(Read { files, fingerprints }) };
    if let Some(hosts) = &recursion.hosts {
        let (content, fingerprint) = read_hosts(&hosts.file, hosts.ttl.as_secs() as u32);
        files.hosts = Some(content);
        fingerprints.hosts = fingerprint;
    }
    if let Roots::File(path) = &recursion.roots {
        files.roots = Some(read_hints(path)?);
    }
    Ok(Read { files, fingerprints })
}

fn read_hosts(path: &Path, ttl: u32) -> (Hosts, Option<Fingerprint>) {
    match read_text(path) {
        Ok((text, fingerprint)) => {
            let (content, warnings) = hosts::parse(&text, ttl);
            for warning in warnings.iter().take(WARNINGS_MAX) {
                warn!("{}:{}", path.display(), warning);
            }
            if warnings.len() > WARNINGS_MAX {
                warn!("{}: {} more bad lines", path.display(), warnings.len() - WARNINGS_MAX);
            }
            (content, Some(fingerprint))
        }
        Err(fault) => {
            warn!("{}: {fault}; no hosts from there", path.display());
            (hosts::parse("", ttl).0, None)
        }
    }
}

fn read_secrets(path: &Path) -> Result<CookieSecrets, String> {
    let (text, _) = read_text(path).map_err(|fault| format!("{}: {fault}", path.display()))?;
    cookie::parse_secrets(&text).map_err(|fault| match fault {
        SecretsFault::Line(line) => format!("{}:{line}: a secret is 32 hexadecimal digits", path.display()),
        SecretsFault::Count => format!("{}: one secret, or two, a line each", path.display()),
    })
}

fn read_hints(path: &Path) -> Result<Delegation, String> {
    let (text, _) = read_text(path).map_err(|fault| format!("{}: {fault}", path.display()))?;
    hints::parse(&text).map_err(|faults| {
        let lines = faults.iter().map(|fault| match fault {
            HintsFault::Line { line, why } => format!("{}:{line}: {why}", path.display()),
            HintsFault::Empty => format!("{}: no root server has an address", path.display()),
        });
        lines.collect::<Vec<_>>().join("\n")
    })
}

/// Whether a file is there and may not be read, as those are that were not named at the start.
#[must_use]
pub fn is_closed(path: &Path) -> bool {
    File::open(path).is_err_and(|fault| fault.kind() == std::io::ErrorKind::PermissionDenied)
}

/// Watches the hosts file of `config` until the watch is dropped; `changed` gets its new content.
pub fn watch_hosts(
    config: &Config,
    known: Fingerprints,
    mut changed: impl FnMut(Hosts) + Send + 'static,
) -> Option<FileWatch> {
    let hosts = config.recursion.as_ref()?.hosts.as_ref()?;
    let (path, ttl) = (hosts.file.clone(), hosts.ttl.as_secs() as u32);
    Some(FileWatch::start(hosts.file.clone(), known.hosts, move || changed(read_hosts(&path, ttl).0)))
}

/// Moves what one cache knows into another, as when its size is changed.
pub fn move_cache(now: Instant) -> impl Fn(&Cache, &Cache) {
    move |from, to| {
        let wall = wall_seconds();
        let mut bytes = Vec::new();
        if from.compose_snapshot(&mut bytes, wall, now).is_ok() {
            to.load_snapshot(&mut bytes.as_slice(), wall, now).ok();
        }
    }
}

/// Loads the snapshot in `state`, if there is one.
pub fn load_snapshot(state: &Path, cache: &Cache, now: Instant) {
    let path = state.join(SNAPSHOT);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => return,
        Err(fault) => return warn!("{}: {fault}; starting with an empty cache", path.display()),
    };
    match cache.load_snapshot(&mut BufReader::new(file), wall_seconds(), now) {
        Ok(loaded) if loaded.is_whole => info!("{}: {} facts, {} too old", path.display(), loaded.kept, loaded.dropped),
        Ok(loaded) => warn!("{}: cut short; {} facts taken from it", path.display(), loaded.kept),
        Err(fault) => warn!("{}: {fault}; starting with an empty cache", path.display()),
    }
}

/// Saves the snapshot in `state`: written aside and renamed, so that a crash leaves the old one or the new. Two must
/// not be saved at once.
pub fn save_snapshot(state: &Path, cache: &Cache, now: Instant) {
    let path = state.join(SNAPSHOT);
    let aside = state.join(format!("{SNAPSHOT}.new"));
    let write = || -> std::io::Result<u64> {
        std::fs::create_dir_all(state)?;
        let mut out = BufWriter::new(File::create(&aside)?);
        let count = cache.compose_snapshot(&mut out, wall_seconds(), now)?;
        out.flush()?;
        out.get_ref().sync_all()?;
        std::fs::rename(&aside, &path)?;
        Ok(count)
    };
    match write() {
        Ok(count) => debug!("{}: {count} facts saved", path.display()),
        Err(fault) => {
            warn!("{}: {fault}; the cache is not saved", path.display());
            std::fs::remove_file(&aside).ok();
        }
    }
}
