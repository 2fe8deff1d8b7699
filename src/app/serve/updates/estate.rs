//! What updates have made of each zone, on disk and in force, and which version has the say.
//!
//! At a start the image and the journal make the last acknowledged version. The configuration's version is taken
//! in its place if there is no journal yet, or if it comes from a file whose serial number is newer; else it is
//! passed over: who edits the file of such a zone raises its serial above the journal's.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::{error, info, warn};

use crate::app::serve::zones::{Cause, Keeper};
use crate::base::collections::{Keyed, Map, Set};
use crate::dns::Name;
use crate::edge::journal::{Journal, Opened};
use crate::handlers::authority::update::{Draft, is_newer};
use crate::handlers::authority::{Difference, Zone, journal, load, master_file};

/// The zones that updates may change.
pub(super) struct Estates {
    keeper: Arc<Keeper>,
    folder: Option<PathBuf>,
    journals: Map<Name, Journal>,
    /// Zones whose files cannot be used: they are served, and not changed.
    locked: Set<Name>,
    keyed: Keyed,
}

impl Estates {
    pub(super) fn new(keeper: Arc<Keeper>, folder: Option<PathBuf>, keyed: Keyed) -> Self {
        let (journals, locked) = (Map::with_hasher(keyed.clone()), Set::with_hasher(keyed.clone()));
        Self { keeper, folder, journals, locked, keyed }
    }

    /// Puts the right version of each loaded zone in force, and lets go of the files of zones that are not among
    /// `zones` any more.
    pub(super) fn settle(&mut self, zones: &[Name], loaded: Vec<Arc<Zone>>) {
        self.journals.retain(|apex, _| zones.contains(apex));
        self.locked.clear();
        for zone in loaded {
            let chosen = self.choose(&zone);
            let is_running = self.keeper.zone(zone.apex()).is_some_and(|running| Arc::ptr_eq(&running, &chosen));
            if !is_running {
                self.keeper.replace(chosen, Cause::File);
            }
        }
        for apex in zones {
            self.running(apex); // one whose policy is new, and whose file was read before
        }
    }

    /// The running version of `apex`, if it can be changed.
    pub(super) fn running(&mut self, apex: &Name) -> Option<Arc<Zone>> {
        let running = self.keeper.zone(apex)?;
        if !self.journals.contains_key(apex) && !self.locked.contains(apex) {
            // Its policy is new: the version in force is what its journal begins with.
            let chosen = self.choose(&running);
            if !Arc::ptr_eq(&chosen, &running) {
                self.keeper.replace(Arc::clone(&chosen), Cause::File);
            }
            return self.journals.contains_key(apex).then_some(chosen);
        }
        self.journals.contains_key(apex).then_some(running)
    }

    /// Forces records to the disk.
    pub(super) fn append(&mut self, apex: &Name, records: &[u8]) -> Result<(), String> {
        let journal = self.journals.get_mut(apex).ok_or("the zone has no journal")?;
        let outcome = journal.append(records).map_err(|fault| format!("the journal cannot be written: {fault}"));
        if journal.is_broken() {
            self.forget(apex);
        }
        outcome
    }

    /// Closes the zone's files: the next update opens them again, and the version that they tell comes into force.
    pub(super) fn forget(&mut self, apex: &Name) {
        self.journals.remove(apex);
    }

    /// Renews the image where the journal has grown long.
    pub(super) fn tidy(&mut self, apex: &Name) {
        let (Some(journal), Some(zone)) = (self.journals.get_mut(apex), self.keeper.zone(apex)) else { return };
        if journal.wants_image(&zone)
            && let Err(fault) = journal.renew(&zone)
        {
            error!("{apex}: the image cannot be renewed: {fault}");
            if journal.is_broken() {
                self.forget(apex);
            }
        }
    }

    /// Which version is to be in force: `loaded` or what updates have made.
    fn choose(&mut self, loaded: &Arc<Zone>) -> Arc<Zone> {
        let apex = loaded.apex().clone();
        let Some(folder) = self.folder.clone() else {
            error!("{apex}: updates are refused, because without `state` a restart would lose them");
            self.locked.insert(apex);
            return Arc::clone(loaded);
        };
        match self.choose_from(&folder, loaded) {
            Ok(chosen) => chosen,
            Err(why) => {
                error!("{apex}: {why}; updates are refused until that is mended");
                self.journals.remove(&apex);
                self.locked.insert(apex.clone());
                self.keeper.zone(&apex).unwrap_or_else(|| Arc::clone(loaded))
            }
        }
    }

    fn choose_from(&mut self, folder: &Path, loaded: &Arc<Zone>) -> Result<Arc<Zone>, String> {
        let apex = loaded.apex();
        let unusable = |fault: std::io::Error| format!("{}: {fault}", folder.display());
        let running = self.keeper.zone(apex).filter(|_| self.journals.contains_key(apex));
        let kept = if let Some(running) = running {
            running
        } else if let Some(opened) = Journal::open(folder, apex).map_err(unusable)? {
            self.restore(apex, opened)?
        } else {
            let journal = Journal::create(folder, loaded).map_err(unusable)?;
            self.journals.insert(apex.clone(), journal);
            info!("{apex}: a journal begins at serial {}", loaded.serial());
            return Ok(Arc::clone(loaded));
        };
        // Records without a file have no serial number of their own: theirs is the moment of their reading.
        let has_file = self.keeper.settings(apex).is_some_and(|settings| settings.file.is_some());
        if has_file && is_newer(loaded.serial(), kept.serial()) {
            let journal = self.journals.get_mut(apex).ok_or("the zone has no journal")?;
            journal.renew(loaded).map_err(unusable)?;
            warn!(
                "{apex}: the file's serial {} is newer than {}: what updates have made is given up",
                loaded.serial(),
                kept.serial()
            );
            return Ok(Arc::clone(loaded));
        }
        if !Arc::ptr_eq(loaded, &kept) && has_file && !Difference::between(loaded, &kept).is_empty() {
            let (kept, loaded) = (kept.serial(), loaded.serial());
            info!("{apex}: serial {kept} of the journal is kept; the file's {loaded} is not newer");
        }
        Ok(kept)
    }

    /// The last acknowledged version.
    fn restore(&mut self, apex: &Name, opened: Opened) -> Result<Arc<Zone>, String> {
        let Opened { journal, image, differences, cut_bytes } = opened;
        if cut_bytes > 0 {
            warn!("{apex}: {cut_bytes} octets of an update that was never acknowledged are cut off the journal");
        }
        let (zone, findings) = load(apex, &image, "image", &mut master_file::no_include, self.keyed.clone());
        let fault = || findings.iter().map(ToString::to_string).next().unwrap_or_default();
        let image = Arc::new(zone.ok_or_else(|| format!("the image is broken: {}", fault()))?);
        let mut draft = Draft::new(Arc::clone(&image));
        let count =
            journal::replay(&mut draft, &differences).map_err(|why| format!("the journal does not fit: {why}"))?;
        let zone = if draft.is_changed() {
            Arc::new(draft.compile(self.keyed.clone()).map_err(|fault| fault.to_string())?)
        } else {
            image
        };
        info!("{apex}: serial {} from its image and {count} updates", zone.serial());
        self.journals.insert(apex.clone(), journal);
        Ok(zone)
    }
}
