//! Metrics as Prometheus text: the workers' tallies added up, and what the [`Meter`] knows, read when asked.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::figures::{Figures, Meter, Sources};
use crate::base::tally::{Event, Tally};

/// The media type of the text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All metrics.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    sources: Sources,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").field("tallies", &self.tallies.len()).finish_non_exhaustive()
    }
}

impl Collector for Sources {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for event in Event::ALL {
            let counter = ConstCounter::new(self.total(*event));
            let help = event.help().trim();
            counter.encode(encoder.encode_descriptor(event.name(), help, None, counter.metric_type())?)?;
        }
        let cache = self.meter.cache();
        let gauges = [
            ("cache_entries", "Facts in the cache.", cache.entries as f64),
            ("cache_bytes", "Octets that the cache takes.", cache.bytes as f64),
            ("tcp_connections", "Open TCP connections of clients.", self.meter.connections() as f64),
            ("uptime_seconds", "Seconds since the start.", self.meter.uptime().as_secs_f64()),
        ];
        for (name, help, value) in gauges {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        Ok(())
    }
}

impl Metrics {
    /// The sums of `tallies`, of workers and others, and what `meter` knows.
    #[must_use]
    pub fn new(tallies: Vec<Arc<Tally>>, meter: Arc<dyn Meter>) -> Self {
        let mut registry = Registry::with_prefix("meridian");
        let sources = Sources { tallies, meter };
        registry.register_collector(Box::new(sources.clone()));
        Self { registry, sources }
    }

    /// The metrics of a server that stands still.
    #[cfg(test)]
    pub(super) fn still() -> Self {
        Self::new(vec![], Arc::new(super::figures::testing::Still::default()))
    }

    /// The metrics now, as text.
    ///
    /// # Errors
    /// Where a name or value cannot be written.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }

    pub(super) const fn sources(&self) -> &Sources {
        &self.sources
    }

    /// The figures now, for programs and pages.
    #[must_use]
    pub fn figures(&self) -> Figures {
        self.sources.figures()
    }
}
