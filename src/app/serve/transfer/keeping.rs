//! Secondary zones on disk, so that a restart serves at once.
//!
//! A zone is a master file, written aside and renamed, so that a crash leaves the old version or the new. The
//! file's modification time is the time at which a primary last confirmed it: that is all that the expiry needs.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use tracing::{info, warn};

use super::Transfers;
use crate::app::config::ZoneSettings;
use crate::base::bounds;
use crate::dns::Name;
use crate::edge::clock::wall_seconds;
use crate::handlers::authority::{Zone, load as load_zone, master_file};

/// Where the zone is kept: in `state`, if there is one.
fn place_of(transfers: &Transfers, apex: &Name) -> Option<PathBuf> {
    Some(transfers.state.as_ref()?.join("zones").join(file_name(apex)))
}

/// A zone's name as a file's: letters small, and what could mean something to a file system in hexadecimal.
fn file_name(apex: &Name) -> String {
    let mut text = String::new();
    for label in apex.lowered().labels() {
        for octet in label {
            match octet {
                b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => text.push(char::from(*octet)),
                other => write!(text, "%{other:02x}").unwrap_or_default(),
            }
        }
        text.push('.');
    }
    if text.is_empty() {
        text.push_str("root.");
    }
    // A hash of the whole would keep longer names apart; these fit: at most 255 octets of a name, most plain.
    text + "zone"
}

/// Keeps nothing any more of a zone that is no longer ours.
pub(super) fn forget(transfers: &Transfers, apex: &Name) {
    if let Some(path) = place_of(transfers, apex) {
        std::fs::remove_file(path).ok();
    }
}

/// What was kept, and the time since it was confirmed.
pub(super) async fn load(transfers: &Transfers, settings: &ZoneSettings) -> Option<(Arc<Zone>, Duration)> {
    let path = place_of(transfers, &settings.apex)?;
    let (apex, keyed) = (settings.apex.clone(), transfers.keyed.clone());
    let read = move || match read(&path) {
        Ok((text, age)) => {
            let shown = path.display().to_string();
            let (zone, findings) = load_zone(&apex, &text, &shown, &mut master_file::no_include, keyed);
            if zone.is_none() {
                let first = findings.iter().next().map_or_else(String::new, ToString::to_string);
                warn!("{apex}: what was kept cannot be read: {first}");
            }
            zone.map(|zone| {
                info!("{apex}: serial {} as it was kept", zone.serial());
                (Arc::new(zone), age)
            })
        }
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => None,
        Err(fault) => {
            warn!("{}: {fault}; the zone is fetched anew", path.display());
            None
        }
    };
    tokio::task::spawn_blocking(read).await.ok().flatten()
}

fn read(path: &Path) -> io::Result<(Vec<u8>, Duration)> {
    let file = File::open(path)?;
    let confirmed = file.metadata()?.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut text = Vec::new();
    file.take(bounds::ZONE_BYTES_MAX as u64).read_to_end(&mut text)?;
    Ok((text, Duration::from_secs(wall_seconds()).saturating_sub(confirmed)))
}

/// Keeps a new version.
pub(super) async fn save(transfers: &Transfers, settings: &ZoneSettings, zone: Arc<Zone>) {
    let Some(path) = place_of(transfers, &settings.apex) else { return };
    let write = move || {
        if let Err(fault) = write(&path, &zone) {
            warn!("{}: {fault}; serial {} is not kept", path.display(), zone.serial());
        }
    };
    tokio::task::spawn_blocking(write).await.ok();
}

fn write(path: &Path, zone: &Zone) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    let written = (|| {
        let mut out = Lines { out: BufWriter::new(File::create(&aside)?), fault: None };
        if zone.print(&mut out).is_err() {
            return Err(out.fault.unwrap_or_else(|| io::ErrorKind::Other.into()));
        }
        out.out.flush()?;
        out.out.get_ref().sync_all()?;
        std::fs::rename(&aside, path)
    })();
    if written.is_err() {
        std::fs::remove_file(&aside).ok();
    }
    written
}

/// Notes that the version kept has been confirmed now.
pub(super) async fn confirm(transfers: &Transfers, settings: &ZoneSettings) {
    let Some(path) = place_of(transfers, &settings.apex) else { return };
    let now = UNIX_EPOCH + Duration::from_secs(wall_seconds());
    let touch = move || File::options().append(true).open(path).and_then(|file| file.set_modified(now));
    tokio::task::spawn_blocking(touch).await.ok();
}

/// Text on its way into a file.
struct Lines {
    out: BufWriter<File>,
    fault: Option<io::Error>,
}

impl std::fmt::Write for Lines {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.out.write_all(text.as_bytes()).map_err(|fault| {
            self.fault = Some(fault);
            std::fmt::Error
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Dice;
    use crate::base::collections::keyed;

    #[test]
    fn a_file_is_named_like_its_zone_and_stays_in_its_directory() {
        let name = |text: &str| file_name(&text.parse().unwrap());
        assert_eq!(name("Example.COM."), "example.com.zone");
        assert_eq!(name(r"..\/etc.example.".trim_start_matches('.')), "%2fetc.example.zone");
        assert_eq!(name(r"\.\..example."), "%2e%2e.example.zone");
        assert_eq!(name("."), "root.zone");
    }

    #[test]
    fn what_is_written_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("zones").join("example.zone");
        let origin: Name = "example.".parse().unwrap();
        let hasher = keyed(&mut Dice::from_number(1));
        let text = b"@ 60 SOA ns host 7 60 60 60 60\n@ 60 NS ns\nTXT 60 TXT \"a;\\\"b\"\n".as_slice();
        let load = |text: &[u8]| load_zone(&origin, text, "", &mut master_file::no_include, hasher.clone()).0.unwrap();
        let zone = load(text);
        write(&path, &zone).unwrap();
        let (text, age) = read(&path).unwrap();
        assert!(age < Duration::from_secs(60));
        let (mut one, mut two) = (String::new(), String::new());
        zone.print(&mut one).unwrap();
        load(&text).print(&mut two).unwrap();
        assert_eq!(one, two);
        assert_eq!(std::fs::read_dir(folder.path().join("zones")).unwrap().count(), 1);
    }
}
