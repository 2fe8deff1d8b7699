//! Catalog zones (RFC 9432) at work: members come and go with the catalogs that list them, and our own catalogs
//! follow what we serve.

use std::collections::BTreeMap;
use std::sync::Arc;

use tracing::{info, warn};

use super::{Transfers, held, keeping};
use crate::app::config::{Catalog, ZoneSettings};
use crate::app::serve::zones::Cause;
use crate::dns::Name;
use crate::edge::clock::wall_seconds;
use crate::handlers::authority::Zone;
use crate::handlers::authority::transfer::{catalog, is_newer};

/// A catalog as it was when it was last obeyed.
pub(super) struct Obeyed {
    zone: Arc<Zone>,
    settings: Arc<ZoneSettings>,
    /// The members, each with the label that it is listed under.
    members: BTreeMap<Name, Vec<u8>>,
}

impl Transfers {
    /// Brings the catalogs that we consume and those that we produce up to date.
    pub(super) fn keep_catalogs(&self) {
        let all = self.keeper.all_settings();
        held(&self.catalogs).retain(|apex, _| all.iter().any(|settings| settings.apex == *apex));
        for settings in &all {
            match settings.catalog {
                Catalog::Off => {}
                Catalog::Consume => self.consume(settings),
                Catalog::Produce => self.produce(settings, &all),
            }
        }
    }

    fn consume(&self, settings: &Arc<ZoneSettings>) {
        let Some(zone) = self.keeper.zone(&settings.apex) else { return }; // members outlive an expired catalog
        let mut catalogs = held(&self.catalogs);
        let before = catalogs.get(&settings.apex);
        let is_same = |one: &Obeyed| Arc::ptr_eq(&one.zone, &zone) && Arc::ptr_eq(&one.settings, settings);
        if before.is_some_and(is_same) {
            return;
        }
        let old = before.map(|one| one.members.clone()).unwrap_or_default();
        let members = catalog::members(&zone).unwrap_or_else(|fault| {
            warn!("{}: {fault}; it is not obeyed", settings.apex);
            old.clone()
        });
        for (member, label) in &old {
            // Another label for the same name is another zone: it begins anew (RFC 9432 §5.4).
            if members.get(member) != Some(label) && self.is_member(member, &settings.apex) {
                info!("{}: {member} is no longer listed", settings.apex);
                self.keeper.forsake(member);
                held(&self.followed).remove(member);
                keeping::forget(self, member);
            }
        }
        for member in members.keys() {
            let wanted = settings_of(member, settings);
            match self.keeper.settings(member) {
                Some(known) if *known == wanted => {}
                // The configuration, or the catalog that came first, has precedence (RFC 9432 §5.2).
                Some(known) if known.member_of.as_ref() != Some(&settings.apex) => {
                    warn!("{}: {member} is ours already and not taken from the catalog", settings.apex);
                }
                _ => self.keeper.adopt(Arc::new(wanted)),
            }
        }
        if members != old {
            info!("{}: {} zones are listed", settings.apex, members.len());
        }
        catalogs.insert(settings.apex.clone(), Obeyed { zone, settings: Arc::clone(settings), members });
    }

    fn is_member(&self, member: &Name, catalog: &Name) -> bool {
        self.keeper.settings(member).is_some_and(|known| known.member_of.as_ref() == Some(catalog))
    }

    fn produce(&self, settings: &ZoneSettings, all: &[Arc<ZoneSettings>]) {
        let is_listed = |one: &&Arc<ZoneSettings>| !one.is_secondary() && one.catalog != Catalog::Produce;
        let listed: Vec<&Name> = all.iter().filter(is_listed).map(|one| &one.apex).collect();
        let before = self.keeper.zone(&settings.apex);
        if let Some(before) = &before
            && catalog::members(before).is_ok_and(|members| members.keys().eq(listed.iter().copied()))
        {
            return;
        }
        // The time as serial number is newer after a restart too.
        let time = wall_seconds() as u32;
        let serial = match before.map(|zone| zone.serial()) {
            Some(old) if !is_newer(time, old) => old.wrapping_add(1),
            _ => time,
        };
        let count = listed.len();
        if let Some(zone) = catalog::produce(&settings.apex, serial, listed.into_iter(), self.keyed.clone()) {
            info!("{}: lists {count} zones, serial {serial}", settings.apex);
            self.keeper.replace(Arc::new(zone), Cause::Update);
        }
    }
}

/// A member is a secondary of the catalog's own primaries, and shared as the catalog is.
fn settings_of(member: &Name, catalog: &ZoneSettings) -> ZoneSettings {
    ZoneSettings {
        origin: catalog.origin.clone(),
        primaries: catalog.primaries.clone(),
        transfer: catalog.transfer.clone(),
        member_of: Some(catalog.apex.clone()),
        ..ZoneSettings::new(member.clone())
    }
}
