//! From the configuration's steered names to the helm that they answer by, and to what stands for them in their zones.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::config::{At, Fault, Origin, Severity, SteeredName, Steering};
use super::zone_files::Chosen;
use crate::dns::Name;
use crate::steer::{Helm, Orders, Pool, PoolId};

/// The helm that `config` wants in the place of `before`: what has not changed stays the very same.
///
/// # Errors
/// Every policy that does not fit its pool.
pub fn helm(config: &Steering, before: &Helm) -> Result<Helm, Vec<Fault>> {
    helm_with(config, before, Vec::new())
}

/// As [`helm`], with those names still steered that are `leaving`.
///
/// # Errors
/// As [`helm`].
pub fn helm_with(config: &Steering, before: &Helm, leaving: Vec<Orders>) -> Result<Helm, Vec<Fault>> {
    let orders = config.names.iter().filter_map(|name| orders(config, name));
    Helm::relieve(before, config.ecs, orders.chain(leaving)).map_err(|found| {
        let mut faults = Vec::new();
        for (owner, found) in found {
            let origin = config.names.iter().find(|name| name.owner == owner).map(|name| name.origin.clone());
            let Origin { file, line, column } = origin.unwrap_or_default();
            let at = At { line: line.into(), column: column.into() };
            let fault = |found: &dyn std::fmt::Display| Fault {
                severity: Severity::Fault,
                file: file.clone(),
                at,
                key: format!("steer.{:?}", owner.to_string().trim_end_matches('.')),
                found: found.to_string(),
                allowed: String::new(),
            };
            faults.extend(found.iter().map(|found| fault(found)));
        }
        faults
    })
}

/// Compiles what depends on places; where that cannot be, the log says so and places are looked up.
pub fn compile(helm: &Helm) {
    if let Err(faults) = helm.compile() {
        for (owner, fault) in faults {
            tracing::warn!("{owner}: {fault}; its places are looked up");
        }
    }
}

/// What stands in each zone for its steered names.
pub(super) fn records(config: &Steering) -> BTreeMap<Name, Vec<Chosen>> {
    let mut by_zone: BTreeMap<Name, Vec<Chosen>> = BTreeMap::new();
    for name in &config.names {
        let sets = orders(config, name).map(|orders| orders.all_records().collect::<Vec<_>>()).unwrap_or_default();
        let chosen = sets.into_iter().map(|set| Chosen { set, origin: name.origin.clone() });
        by_zone.entry(name.zone.clone()).or_default().extend(chosen);
    }
    by_zone
}

/// None where the configuration names a pool that it has not: its checks do not let that pass.
fn orders(config: &Steering, name: &SteeredName) -> Option<Orders> {
    let pool = |id: PoolId| -> Option<Arc<Pool>> { Some(Arc::clone(&config.pools.get(id.0 as usize)?.pool)) };
    Some(Orders {
        owner: name.owner.clone(),
        pool: pool(name.pool)?,
        stages: name.policy.stages.clone(),
        terms: name.terms,
        fallback: name.fallback.and_then(pool),
        client: name.policy.client,
        unknown: name.policy.unknown,
    })
}
