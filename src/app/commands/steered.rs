//! The steered names of a configuration, made ready without serving: what `simulate` and `check --scopes` look at.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use crate::app::config::{self, Config, Machine};
use crate::dns::Name;
use crate::edge::geoip;
use crate::steer::hashing::hash_bytes;
use crate::steer::simulation::{Side, Whereabouts};
use crate::steer::{Atlas, Compiled, Locator, Place, Pool, PoolId, Scope, Steering, Unknown};

/// A steered name.
pub(super) struct Steered {
    pub(super) owner: Name,
    pub(super) steering: Steering,
    compiled: Option<Compiled>,
}

impl Steered {
    /// The name as a simulation sees it, with the places that `whereabouts` tells.
    pub(super) fn side<'a>(&'a self, whereabouts: Whereabouts<'a>) -> Side<'a> {
        let name = hash_bytes(0, self.owner.lowered().wire());
        Side { steering: &self.steering, whereabouts, compiled: self.compiled.as_ref(), name }
    }
}

/// The steered names and the places that they go by.
pub(super) struct Estate {
    pub(super) names: Vec<Steered>,
    pub(super) atlas: Atlas,
}

impl Estate {
    /// Reads the configuration `file`.
    ///
    /// # Errors
    /// Every fault, a line each.
    pub(super) fn read(file: &Path, machine: &Machine) -> Result<Self, Vec<String>> {
        let told = |faults: Vec<config::Fault>| faults.iter().map(ToString::to_string).collect::<Vec<_>>();
        Self::of(&config::read(file, machine).map_err(told)?.config)
    }

    /// Makes a checked configuration ready.
    ///
    /// # Errors
    /// Every fault, a line each.
    pub(super) fn of(config: &Config) -> Result<Self, Vec<String>> {
        let settings = &config.steering;
        let pool = |id: PoolId| settings.pools.get(id.0 as usize).map(|settings| Arc::clone(&settings.pool));
        let atlas = geoip::load(&settings.geo).map_err(|fault| vec![fault.to_string()])?.atlas;
        let mut faults = Vec::new();
        let mut names = Vec::new();
        for name in &settings.names {
            let Some(members): Option<Arc<Pool>> = pool(name.pool) else { continue };
            match Steering::new(members, &name.policy.stages, name.terms, name.fallback.and_then(pool)) {
                Ok(steering) => {
                    // As a server does: who counts for an unknown place is known with the query alone.
                    let location = steering.location().filter(|_| name.policy.unknown == Unknown::Nobody);
                    match location.map(|location| Compiled::new(&atlas, location)).transpose() {
                        Ok(compiled) => names.push(Steered { owner: name.owner.clone(), steering, compiled }),
                        Err(fault) => faults.push(format!("{}: {fault}", name.owner)),
                    }
                }
                Err(found) => faults.extend(found.iter().map(|fault| format!("{}: {fault}", name.owner))),
            }
        }
        if faults.is_empty() { Ok(Self { names, atlas }) } else { Err(faults) }
    }

    /// Where an address is.
    pub(super) fn whereabouts(&self) -> impl Fn(IpAddr) -> (Place, Scope) {
        |address| {
            let (place, length) = self.atlas.locate(address).unwrap_or_default();
            (place, Scope(length))
        }
    }
}
