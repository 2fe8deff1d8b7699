//! Where addresses are: databases are read if a steered name asks for places, followed when their files change, and put
//! into the scene. Where none asks, nothing is read.

use std::sync::Arc;

use tracing::{error, info, warn};

use crate::app::config::Steering;
use crate::edge::geoip::{self, Database, GeoWatch, Loaded};
use crate::steer::{Helm, Scene};

/// The databases in force.
#[derive(Debug, Default)]
pub struct Places {
    databases: Vec<Database>,
    /// Followed until this is dropped.
    watch: Option<GeoWatch>,
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
        if wanted == self.databases {
            return Ok(Found::Same);
        }
        let loaded = geoip::load(wanted).map_err(|fault| format!("geo: {fault}"))?;
        Ok(Found::Other(wanted.to_vec(), Box::new(loaded)))
    }

    /// Puts what was found into `scene` and follows its files; `changed` is called after each change of these. To be called
    /// within the runtime.
    pub fn settle(&mut self, found: Found, scene: &Arc<Scene>, changed: impl Fn() + Send + Sync + 'static) {
        let Found::Other(databases, mut loaded) = found else { return };
        for database in &databases {
            match database {
                Database::Builtin => warn!("places come from {database}; `geo:` names better ones"),
                Database::File { .. } => info!("places come from {database}"),
            }
        }
        scene.move_to(Arc::new(std::mem::take(&mut loaded.atlas)));
        let scene = Arc::clone(scene);
        self.watch = (!databases.is_empty()).then(|| {
            GeoWatch::start(&databases, &loaded, move |atlas| match atlas {
                Ok(atlas) => {
                    scene.move_to(Arc::new(atlas));
                    changed();
                    info!("the databases of places have changed and were read again");
                }
                Err(fault) => error!("{fault}; places stay as they were"),
            })
        });
        self.databases = databases;
    }
}
