//! Metrics as Prometheus text: the workers' tallies added up, and gauges read when asked.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::base::tally::{Event, Tally};

/// The media type of the text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A value that is read at each scrape.
pub struct Gauge {
    /// Its name, without the prefix `meridian_`.
    pub name: &'static str,
    /// What it is.
    pub help: &'static str,
    /// Reads it.
    pub read: Box<dyn Fn() -> f64 + Send + Sync>,
}

struct Sources {
    tallies: Vec<Arc<Tally>>,
    gauges: Vec<Gauge>,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").field("tallies", &self.tallies.len()).finish_non_exhaustive()
    }
}

impl Collector for Sources {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for event in Event::ALL {
            let sum = self.tallies.iter().fold(0u64, |sum, tally| sum.wrapping_add(tally.read(*event)));
            let counter = ConstCounter::new(sum);
            let help = event.help().trim();
            counter.encode(encoder.encode_descriptor(event.name(), help, None, counter.metric_type())?)?;
        }
        for Gauge { name, help, read } in &self.gauges {
            let gauge = ConstGauge::new(read());
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        Ok(())
    }
}

/// All metrics.
#[derive(Debug)]
pub struct Metrics(Registry);

impl Metrics {
    /// The sums of `tallies`, one per worker, and the `gauges`.
    #[must_use]
    pub fn new(tallies: Vec<Arc<Tally>>, gauges: Vec<Gauge>) -> Self {
        let mut registry = Registry::with_prefix("meridian");
        registry.register_collector(Box::new(Sources { tallies, gauges }));
        Self(registry)
    }

    /// The metrics now, as text.
    ///
    /// # Errors
    /// Where a name or value cannot be written.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.0)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrape_adds_the_workers_up_and_reads_the_gauges() {
        let tallies = vec![Arc::new(Tally::default()), Arc::new(Tally::default())];
        tallies[0].add(Event::QueriesUdp, 40);
        tallies[1].add(Event::QueriesUdp, 2);
        let gauge = Gauge { name: "workers", help: "Worker threads.", read: Box::new(|| 2.0) };
        let text = Metrics::new(tallies, vec![gauge]).text().unwrap();
        assert!(text.contains("# HELP meridian_queries_udp Queries received over UDP.\n"), "{text}");
        assert!(text.contains("\nmeridian_queries_udp_total 42\n"), "{text}");
        assert!(text.contains("\nmeridian_workers 2.0\n"), "{text}");
        for event in Event::ALL {
            assert!(text.contains(&format!("\nmeridian_{}_total ", event.name())), "{}", event.name());
        }
    }
}
