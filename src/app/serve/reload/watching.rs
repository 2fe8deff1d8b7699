//! Which files a configuration comes from, and whether one of them has changed and come to rest.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::app::config::{Config, Roots, Source, TrustAnchors, ZoneSettings};
use crate::app::serve::control::Bench;
use crate::edge::files::Fingerprint;
use crate::edge::geoip::Database;
use crate::steer::health::Probe;

/// The state of files at a moment; none where there was none.
pub type States = BTreeMap<PathBuf, Option<Fingerprint>>;

/// A file or folder that is looked at.
#[derive(Clone, Debug)]
pub struct Watch {
    path: PathBuf,
    /// As it was read, or judged, last.
    read: Option<Fingerprint>,
    /// As the last look saw it: if in another state, it may still be being written.
    seen: Option<Fingerprint>,
    /// Whether probes trust what stands in it.
    pub is_trust: bool,
}

impl Watch {
    /// A file that was read in the state `read`.
    #[must_use]
    pub const fn new(path: PathBuf, read: Option<Fingerprint>) -> Self {
        Self { path, read, seen: read, is_trust: false }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is another now than the one that was read.
    #[must_use]
    pub fn has_changed(&self) -> bool {
        Fingerprint::of(&self.path) != self.read
    }

    /// To be asked at every look: whether it has changed, and rested since the last look. Then it counts as read.
    pub fn is_due(&mut self) -> bool {
        let now = Fingerprint::of(&self.path);
        let has_rested = std::mem::replace(&mut self.seen, now) == now;
        let is_due = now != self.read && has_rested;
        if is_due {
            self.read = now;
        }
        is_due
    }
}

/// The files of `config`, which was read from `source`, that it takes a reload to read again; and which of them are trusted.
fn files(config: &Config, source: &Source) -> BTreeMap<PathBuf, bool> {
    let mut files = BTreeMap::new();
    let mut add = |path: &Path, is_trust: bool| *files.entry(path.to_owned()).or_default() |= is_trust;
    config.zones_folder.iter().for_each(|folder| add(folder, false));
    if config.zones_folder.is_some() {
        // Master files are looked at by those who read them.
        let has_own = |zone: &&std::sync::Arc<ZoneSettings>| {
            zone.file.as_deref() != Some(Path::new(&zone.origin.file)) && zone.origin.file != source.file()
        };
        config.zones.iter().filter(has_own).for_each(|zone| add(Path::new(&zone.origin.file), false));
    }
    if let Some(Roots::File(path)) = config.recursion.as_ref().map(|recursion| &recursion.roots) {
        add(path, false);
    }
    let dnssec = config.recursion.as_ref().and_then(|recursion| recursion.dnssec.as_ref());
    if let Some(TrustAnchors::File(path)) = dnssec.map(|dnssec| &dnssec.anchors) {
        add(path, false);
    }
    let forward = config.recursion.iter().flat_map(|recursion| &recursion.forward);
    forward.flat_map(|zone| &zone.files).for_each(|path| add(path, false));
    config.steering.geo.iter().filter_map(Database::path).for_each(|path| add(path, false));
    config.limits.cookies.iter().flatten().for_each(|path| add(path, false));
    config.admin.iter().filter_map(|admin| admin.token_file.as_ref()).for_each(|path| add(path, false));
    for check in &config.steering.checks {
        match &check.probe {
            Probe::Http(probe) => probe.roots.iter().for_each(|path| add(path, true)),
            Probe::Tls { roots, .. } => roots.iter().for_each(|path| add(path, true)),
            _ => {}
        }
    }
    files
}

/// The state now of the files that `config`, which was read from `source`, names.
#[must_use]
pub fn states_of(config: &Config, source: &Source) -> States {
    let hosts = config.recursion.as_ref().and_then(|recursion| recursion.hosts.as_ref());
    let named = files(config, source).into_keys().chain(hosts.map(|hosts| hosts.file.clone()));
    named.map(|path| (path.clone(), Fingerprint::of(&path))).collect()
}

impl Bench {
    /// The state of everything watched now.
    #[must_use]
    pub fn states(&self) -> States {
        let all = self.watched.iter().chain(&self.hosts);
        all.map(|watch| (watch.path.clone(), Fingerprint::of(&watch.path))).collect()
    }

    /// What is as in `states` is not reason for another reload.
    pub fn have_seen(&mut self, states: &States) {
        for watch in &mut self.watched {
            if let Some(seen) = states.get(&watch.path) {
                (watch.read, watch.seen) = (*seen, *seen);
            }
        }
    }

    /// Watches the files of `config`, which was read from `source` when they were in `states` or later.
    pub fn watch(&mut self, config: &Config, source: &Source, states: &States) {
        let state = |path: &Path| states.get(path).copied().unwrap_or_else(|| Fingerprint::of(path));
        let own = source.seen().map(|seen| Watch::new(PathBuf::from(source.file()), Some(seen)));
        let others = files(config, source).into_iter().map(|(path, is_trust)| {
            let read = state(&path);
            Watch { is_trust, ..Watch::new(path, read) }
        });
        self.watched = own.into_iter().chain(others).collect();
        let hosts = config.recursion.as_ref().and_then(|recursion| recursion.hosts.as_ref());
        self.hosts = hosts.map(|hosts| Watch::new(hosts.file.clone(), state(&hosts.file)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swapped_link_is_a_change_even_to_the_same_octets() {
        let folder = tempfile::tempdir().unwrap();
        for version in ["v1", "v2"] {
            std::fs::create_dir(folder.path().join(version)).unwrap();
            std::fs::write(folder.path().join(version).join("hosts"), "same").unwrap();
        }
        let link = folder.path().join("data");
        std::os::unix::fs::symlink("v1", &link).unwrap();
        let path = link.join("hosts");
        let mut watch = Watch::new(path.clone(), Fingerprint::of(&path));
        std::os::unix::fs::symlink("v2", folder.path().join("next")).unwrap();
        std::fs::rename(folder.path().join("next"), &link).unwrap();
        assert!(!watch.is_due());
        assert!(watch.is_due());
    }

    #[test]
    fn a_file_is_due_once_when_it_has_rested_however_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.yaml");
        std::fs::write(&path, "one").unwrap();
        let mut watch = Watch::new(path.clone(), Fingerprint::of(&path));
        assert!(!watch.is_due());
        std::fs::write(&path, "one two").unwrap();
        assert!(!watch.is_due(), "it may still be being written");
        std::fs::write(&path, "one two three").unwrap();
        assert!(!watch.is_due(), "it was");
        assert!(watch.is_due());
        assert!(!watch.is_due(), "once");
        // An editor writes aside and renames; between, for a moment, nothing is there.
        std::fs::remove_file(&path).unwrap();
        assert!(!watch.is_due());
        std::fs::write(folder.path().join("aside"), "four").unwrap();
        std::fs::rename(folder.path().join("aside"), &path).unwrap();
        assert!(!watch.is_due());
        assert!(watch.is_due());
        std::fs::remove_file(&path).unwrap();
        assert!(!watch.is_due());
        assert!(watch.is_due(), "a file that stays away is a change");
    }
}
