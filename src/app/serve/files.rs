//! The files that a running server reads and writes: hosts, root hints, trust anchors, cookie secrets, the cache's
//! snapshot.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::Path;

use tracing::{debug, info, warn};

use super::trust::anchor_file;
use crate::app::build::Files;
use crate::app::config::{self, At, Config, Fault, Roots, Severity, Source, TrustAnchors};
use crate::base::Instant;
use crate::chain::Delegation;
use crate::dns::cookie::{self, CookieSecrets, SecretsFault};
use crate::edge::clock::wall_seconds;
use crate::edge::files::read_text;
use crate::handlers::cache::Cache;
use crate::handlers::hosts::{self, Hosts};
use crate::handlers::resolve::hints::{self, HintsFault};
use crate::steer::hashing::hash_bytes;

/// The snapshot's name in the `state` directory.
const SNAPSHOT: &str = "cache.snapshot";
/// Warnings about one hosts file that are logged.
const WARNINGS_MAX: usize = 20;

/// What files said, so that it is known whether they say the same later.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Digests {
    /// Of the hosts file.
    pub hosts: u64,
    /// Of the root hints, the trust anchors and the secrets, which a house is built from.
    pub house: u64,
}

/// What was read.
pub struct Read {
    /// The content.
    pub files: Files,
    /// What they said.
    pub digests: Digests,
}

/// Reads what `config` names. A hosts file that is missing or has bad lines is a warning; root hints, trust
/// anchors and secrets are needed. `source` is what `config` was read from.
///
/// # Errors
/// Every fault of every file.
pub fn read(config: &Config, source: &Source) -> Result<Read, Vec<Fault>> {
    let mut read = Read { files: Files::default(), digests: Digests::default() };
    let mut faults = Vec::new();
    if let Some(Some(path)) = &config.limits.cookies {
        match needed(path, &["limits", "cookies", "secret_file"], source).and_then(|text| parse_secrets(path, &text)) {
            Ok((secrets, digest)) => {
                read.files.cookie_secrets = Some(secrets);
                read.digests.house ^= digest;
            }
            Err(mut found) => faults.append(&mut found),
        }
    }
    if let Some(recursion) = &config.recursion {
        if let Roots::File(path) = &recursion.roots {
            match needed(path, &["recursion", "roots"], source).and_then(|text| parse_hints(path, &text)) {
                Ok((roots, digest)) => {
                    read.files.roots = Some(roots);
                    read.digests.house = read.digests.house.rotate_left(1) ^ digest;
                }
                Err(mut found) => faults.append(&mut found),
            }
        }
        if let Some(TrustAnchors::File(path)) = recursion.dnssec.as_ref().map(|dnssec| &dnssec.anchors) {
            let text = needed(path, &["recursion", "dnssec", "anchors"], source);
            match text.and_then(|text| anchor_file::parse(path, &text)) {
                Ok((anchors, digest)) => {
                    read.files.anchors = Some(anchors);
                    read.digests.house = read.digests.house.rotate_left(1) ^ digest;
                }
                Err(mut found) => faults.append(&mut found),
            }
        }
        if let Some(hosts) = &recursion.hosts {
            let (content, digest) = read_hosts(hosts);
            read.files.hosts = Some(content);
            read.digests.hosts = digest;
        }
    }
    if faults.is_empty() { Ok(read) } else { Err(faults) }
}

/// The text of a file without which nothing goes, or that it cannot be read, told where it is named.
fn needed(path: &Path, key: &[&str], source: &Source) -> Result<String, Vec<Fault>> {
    read_text(path).map(|(text, _)| text).map_err(|fault| {
        vec![Fault {
            severity: Severity::Fault,
            file: source.file().to_owned(),
            at: source.place(key),
            key: key.join("."),
            found: format!("{} ({fault})", path.display()),
            allowed: "a readable file".into(),
        }]
    })
}

fn bad(path: &Path, line: usize, key: &str, found: &str, allowed: &str) -> Fault {
    let at = At { line: line as u64, column: 0 };
    let (found, allowed) = (found.to_owned(), allowed.to_owned());
    Fault { severity: Severity::Fault, file: path.display().to_string(), at, key: key.to_owned(), found, allowed }
}

/// Reads a hosts file, and the lines that are written beside it; a digest tells whether it says the same as another time.
pub fn read_hosts(settings: &config::Hosts) -> (Hosts, u64) {
    let (path, ttl) = (&settings.file, settings.ttl.as_secs() as u32);
    let lines = settings.lines.as_deref().unwrap_or_default();
    match read_text(path) {
        Ok((text, _)) => {
            let text = if lines.is_empty() { text } else { format!("{text}\n{lines}") };
            let (content, warnings) = hosts::parse(&text, ttl);
            for warning in warnings.iter().take(WARNINGS_MAX) {
                warn!("{}:{}", path.display(), warning);
            }
            if warnings.len() > WARNINGS_MAX {
                warn!("{}: {} more bad lines", path.display(), warnings.len() - WARNINGS_MAX);
            }
            (content, hash_bytes(1, text.as_bytes()))
        }
        Err(fault) => {
            warn!("{}: {fault}; no hosts from there", path.display());
            (hosts::parse(lines, ttl).0, 0)
        }
    }
}

fn parse_secrets(path: &Path, text: &str) -> Result<(CookieSecrets, u64), Vec<Fault>> {
    const KEY: &str = "limits.cookies.secret_file";
    let secrets = cookie::parse_secrets(text).map_err(|fault| match fault {
        // What stands there is nobody's business.
        SecretsFault::Line(line) => vec![bad(path, line, KEY, "something else", "a secret is 32 hexadecimal digits")],
        SecretsFault::Count => vec![bad(path, 0, KEY, "another number of lines", "one secret, or two, a line each")],
    })?;
    Ok((secrets, hash_bytes(2, text.as_bytes())))
}

fn parse_hints(path: &Path, text: &str) -> Result<(Delegation, u64), Vec<Fault>> {
    const KEY: &str = "recursion.roots";
    let hints = hints::parse(text).map_err(|faults| {
        let fault = |fault: &HintsFault| match fault {
            HintsFault::Line { line, why } => bad(path, *line, KEY, why, ""),
            HintsFault::Empty => bad(path, 0, KEY, "no root server that has an address", "one or more"),
        };
        faults.iter().map(fault).collect::<Vec<_>>()
    })?;
    Ok((hints, hash_bytes(3, text.as_bytes())))
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
