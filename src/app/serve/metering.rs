//! What the admin address tells in numbers of the running server, beside what its threads count.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::control::Control;
use crate::base::{Instant, bounds};
use crate::dns::Name;
use crate::edge::admin::figures::{
    CacheFigures, ConfigFigures, Meter, ProbeFigures, TrustFigures, ZoneFigures, ZonesFigures,
};
use crate::edge::admin::pools::{PoolHouse, PoolView};
use crate::edge::cluster;
use crate::edge::forward::{Forwarder, Statement};
use crate::edge::tcp::TcpPlaces;
use crate::handlers::authority::Hosted;
use crate::steer::Scene;

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

    fn log_lines_dropped(&self) -> u64 {
        super::log::dropped() as u64
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

    fn trust(&self) -> TrustFigures {
        self.control.trustee().figures()
    }

    fn tells_coredns(&self) -> bool {
        self.control.held().config.admin.as_ref().is_some_and(|admin| admin.tells_coredns)
    }

    fn forwarders(&self) -> Vec<(SocketAddr, Statement)> {
        let forwarders = Arc::clone(&self.control.held().built.forwarders);
        // One that several zones name has one account.
        let accounts: BTreeMap<SocketAddr, Statement> = forwarders
            .iter()
            .flat_map(Forwarder::accounts)
            .map(|(address, account)| (address, account.read()))
            .collect();
        accounts.into_iter().collect()
    }

    fn cluster(&self) -> Option<Arc<cluster::Meter>> {
        let is_there = self.control.held().config.kubernetes.is_some();
        is_there.then(|| Arc::clone(self.control.clusters().meter()))
    }

    fn config(&self) -> ConfigFigures {
        let chronicle = self.control.chronicle();
        ConfigFigures {
            generation: chronicle.generation(),
            was_last_reload_good: !chronicle.has_failed(),
            last_success: chronicle.since(),
        }
    }
}
