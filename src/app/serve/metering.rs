//! What the admin address tells in numbers of the running server, beside what its threads count.

use std::sync::Arc;
use std::time::Duration;

use super::control::Control;
use crate::base::Instant;
use crate::edge::admin::figures::{CacheFigures, Meter};
use crate::edge::tcp::TcpPlaces;
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
        cache.map_or_else(CacheFigures::default, |cache| CacheFigures {
            entries: cache.len() as u64,
            bytes: cache.bytes() as u64,
        })
    }

    fn connections(&self) -> usize {
        self.places.taken()
    }

    fn scene(&self) -> Arc<Scene> {
        Arc::clone(self.control.keeper().authority().helm().scene())
    }
}
