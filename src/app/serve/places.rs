//! Where addresses are: databases are read if a steered name asks for places, and put into the scene. Where none asks,
//! nothing is read. A reload reads them again where one of their files has changed.

use std::sync::Arc;

use tracing::{info, warn};

use crate::app::config::Steering;
use crate::edge::files::Fingerprint;
use crate::edge::geoip::{self, Database, Loaded};
use crate::steer::{Atlas, Helm, Scene};

/// The databases in force.
#[derive(Debug, Default)]
pub struct Places {
    databases: Vec<Database>,
    /// The states in which their files were read.
    states: Vec<Option<Fingerprint>>,
}

/// What reading the databases of a configuration gave.
#[derive(Debug)]
pub enum Found {
    /// They are those in force.
    Same,
    /// Others, or none any more.
    Other(Vec<Database>, Box<Loaded>),
}

impl Places {
    /// Reads the databases of `config` as far as `helm` needs them and they are not in force already. Takes some
    /// seconds for large ones.
    ///
    /// # Errors
    /// In words, where one of them cannot be used.
    pub fn read(&self, config: &Steering, helm: &Helm) -> Result<Found, String> {
        let wanted = if helm.needs_places() { config.geo.as_slice() } else { &[] };
        if wanted == self.databases && self.states == geoip::states(wanted) {
            return Ok(Found::Same);
        }
        let loaded = geoip::load(wanted).map_err(|fault| fault.to_string())?;
        Ok(Found::Other(wanted.to_vec(), Box::new(loaded)))
    }

    /// Puts what was found into `scene`; what was there before is the caller's to clear away.
    pub fn settle(&mut self, found: Found, scene: &Arc<Scene>) -> Option<Arc<Atlas>> {
        let Found::Other(databases, mut loaded) = found else { return None };
        for database in &databases {
            match database {
                Database::Builtin => warn!("places come from {database}; `geo:` names better ones"),
                Database::File { .. } => info!("places come from {database}"),
            }
        }
        let old = scene.atlas();
        scene.move_to(Arc::new(std::mem::take(&mut loaded.atlas)));
        (self.databases, self.states) = (databases, loaded.states);
        Some(old)
    }
}
