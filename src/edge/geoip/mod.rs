//! Databases of places: files in the `MaxMind` DB format, read whole and laid over one another.
//!
//! Files come in, an [`Atlas`] leaves. Nothing is looked up in a file later: whatever is wrong with one shows when it
//! is loaded, and a file that is rewritten in place harms nobody.

mod layout;
mod read;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::base::bounds;
use crate::steer::{Atlas, Source};

use super::files::{self, Fingerprint};

pub use layout::{BadFieldPath, FieldPath, Fields};
pub use read::read_at_most;

/// The database that comes with the program: `IPtoASN`'s countries, in the public domain (PDDL).
static BUILTIN: &[u8] = include_bytes!("../../../geoip/country.mmdb");

/// A database of places.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Database {
    /// The one that comes with the program: countries only, and a fallback that may be wrong.
    Builtin,
    /// A file in the `MaxMind` DB format.
    File {
        /// Where it is.
        path: PathBuf,
        /// Where its records keep what, as far as they do it in an unusual way.
        fields: Fields,
    },
}

impl Database {
    /// The file at `path`, in one of the usual layouts.
    #[must_use]
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::File { path: path.into(), fields: Fields::default() }
    }

    /// Its file, if it has one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Builtin => None,
            Self::File { path, .. } => Some(path),
        }
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Builtin => f.write_str("the bundled country database (a fallback that may be wrong)"),
            Self::File { path, .. } => path.display().fmt(f),
        }
    }
}

/// Why a database cannot be used.
#[derive(Debug)]
pub struct GeoFault {
    /// Which database.
    pub database: Box<Database>,
    /// What is wrong.
    pub cause: GeoCause,
}

/// What is wrong with a database.
#[derive(Debug)]
pub enum GeoCause {
    /// The file cannot be read.
    File(io::Error),
    /// The file is no sound `MaxMind` DB; the text says why.
    Format(String),
    /// There are more than [`bounds::GEO_NETWORKS_MAX`] networks.
    Networks,
    /// No record has a country, coordinates or a system where they are looked for.
    Fields,
}

impl fmt::Display for GeoFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.database)?;
        match &self.cause {
            GeoCause::File(fault) => fault.fmt(f),
            GeoCause::Format(fault) => fault.fmt(f),
            GeoCause::Networks => write!(f, "more than {} networks", bounds::GEO_NETWORKS_MAX),
            GeoCause::Fields => {
                f.write_str("no record tells a country, coordinates or a system; `fields` can say where")
            }
        }
    }
}

impl std::error::Error for GeoFault {}

/// What was loaded, and the state of each file that was read.
#[derive(Debug)]
pub struct Loaded {
    /// The places.
    pub atlas: Atlas,
    /// The state in which each file was read.
    pub states: Vec<Option<Fingerprint>>,
}

/// Reads `databases`, the most trusted first, and lays them over one another.
///
/// Takes some seconds for a large one, and while it runs a few times the memory that the result takes.
///
/// # Errors
/// [`GeoFault`] of the first database that cannot be used.
pub fn load(databases: &[Database]) -> Result<Loaded, GeoFault> {
    let (mut sources, mut states) = (Vec::new(), Vec::new());
    for database in databases {
        let fault = |cause| GeoFault { database: Box::new(database.clone()), cause };
        let (source, state) = load_one(database).map_err(fault)?;
        sources.push(source);
        states.push(state);
    }
    Ok(Loaded { atlas: Atlas::of(sources), states })
}

fn load_one(database: &Database) -> Result<(Source, Option<Fingerprint>), GeoCause> {
    match database {
        Database::Builtin => Ok((read::read(BUILTIN, &Fields::default())?, None)),
        Database::File { path, fields } => {
            let (bytes, state) = files::read_octets(path, bounds::GEO_FILE_MAX).map_err(GeoCause::File)?;
            Ok((read::read(&bytes, fields)?, Some(state)))
        }
    }
}

/// The state now of each of the files of `databases`, as [`Loaded::states`] has it.
#[must_use]
pub fn states(databases: &[Database]) -> Vec<Option<Fingerprint>> {
    databases.iter().map(|database| database.path().and_then(Fingerprint::of)).collect()
}

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
#[cfg(test)]
#[path = "../../../tests/support/mmdb.rs"]
mod writer;
