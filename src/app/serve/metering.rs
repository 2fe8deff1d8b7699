//! What the admin address tells in numbers of the running server, beside what its threads count.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::control::Control;
use crate::base::{Instant, bounds};
use crate::dns::Name;
use crate::edge::admin::figures::{CacheFigures, ConfigFigures, Meter, ProbeFigures, ZoneFigures, ZonesFigures};
use crate::edge::admin::pools::{PoolHouse, PoolView};
use crate::edge::tcp::TcpPlaces;
use crate::handlers::authority::Hosted;
use crate::steer::Scene;

/// How reloads went.
#[derive(Debug)]
pub struct Reloads {
    generation: AtomicU64,
    /// Seconds of the calendar.
    last_success: AtomicU64,
    was_good: AtomicBool,
}

impl Reloads {
    /// None yet: the configuration in force is the one that the server was started with at `wall`, seconds of the
    /// calendar.
    #[must_use]
    pub const fn started_at(wall: u64) -> Self {
        Self { generation: AtomicU64::new(1), last_success: AtomicU64::new(wall), was_good: AtomicBool::new(true) }
    }

    /// One has ended at `wall`, seconds of the calendar.
    pub fn note(&self, is_good: bool, wall: u64) {
        self.was_good.store(is_good, Ordering::Relaxed);
        if is_good {
            self.last_success.store(wall, Ordering::Relaxed);
            self.generation.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How they went so far.
    #[must_use]
    pub fn read(&self) -> ConfigFigures {
        ConfigFigures {
            generation: self.generation.load(Ordering::Relaxed),
            was_last_reload_good: self.was_good.load(Ordering::Relaxed),
            last_success: self.last_success.load(Ordering::Relaxed),
        }
    }
}

/// Knows where to read.
pub struct Gauges {
    /// The running server.
    pub control: Arc<Control>,
    /// The places of TCP connections.
    pub places: Arc<TcpPlaces>,
}

impl Meter for Gauges {
    fn uptime(&self) -> Duration {
        self.control.now().since(Instant::ZERO)
    }

    fn cache(&self) -> CacheFigures {
        let cache = self.control.cache();
        cache.map_or_else(CacheFigures::default, |cache| CacheFigures { entries: cache.len(), bytes: cache.bytes() })
    }

    fn connections(&self) -> usize {
        self.places.taken()
    }

    fn scene(&self) -> Arc<Scene> {
        Arc::clone(self.control.keeper().authority().helm().scene())
    }

    fn pools(&self) -> Vec<PoolView> {
        self.control.lookout().pools()
    }

    fn probes(&self) -> Vec<ProbeFigures> {
        let probed = self.control.lookout().probed();
        let figures = probed.into_iter().map(|((pool, member), probed)| ProbeFigures {
            pool: pool.into(),
            member: member.into(),
            good: probed.good,
            bad: probed.bad,
            untold: probed.untold,
        });
        figures.collect()
    }

    fn zones(&self) -> ZonesFigures {
        let keeper = self.control.keeper();
        let zones = keeper.zones();
        let mut figures = ZonesFigures::default();
        let mut told: Vec<&Name> = Vec::new();
        for (apex, hosted) in zones.iter() {
            match hosted {
                Hosted::Serving(_) => figures.serving += 1,
                Hosted::Unavailable => figures.unavailable += 1,
            }
            // What catalogs list, others decide; and they may list very many.
            if keeper.settings(apex).is_some_and(|settings| settings.member_of.is_none()) {
                told.push(apex);
            }
        }
        told.sort_unstable();
        for apex in told.into_iter().take(bounds::ZONES_TOLD) {
            let zone = keeper.zone(apex);
            figures.zones.push(ZoneFigures {
                zone: apex.to_string(),
                serial: zone.as_ref().map(|zone| zone.serial()),
                records: zone.map_or(0, |zone| zone.record_count() as u64),
                confirmed: keeper.confirmed(apex),
            });
        }
        figures
    }

    fn config(&self) -> ConfigFigures {
        self.control.reloads().read()
    }
}
