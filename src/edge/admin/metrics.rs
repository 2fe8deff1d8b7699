//! Metrics as text: the workers' tallies added up, and what the [`Meter`] knows, read when asked.
//!
//! Two texts there are: `OpenMetrics` for those who ask for it, and Prometheus' own older one, which everybody reads.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::catalogue::{self, Kind, Metric};
use super::figures::{Figures, Meter, Sources};
use crate::base::histogram::Spread;
use crate::base::tally::{Event, Tally, Timing};
use crate::edge::process;

/// Which text is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// `OpenMetrics` 1.0.
    OpenMetrics,
    /// Prometheus text 0.0.4.
    Prometheus,
}

impl Format {
    /// The one that an `Accept` header prefers.
    #[must_use]
    pub fn accepted(accept: &str) -> Self {
        let quality = |wanted: &str| {
            let matching = accept.split(',').map(str::trim).filter(|range| range.starts_with(wanted));
            matching.map(quality_of).fold(None, |best: Option<f32>, one| Some(best.map_or(one, |best| best.max(one))))
        };
        match (quality("application/openmetrics-text"), quality("text/plain")) {
            (Some(open), plain) if open > 0.0 && plain.is_none_or(|plain| open >= plain) => Self::OpenMetrics,
            _ => Self::Prometheus,
        }
    }

    /// Its media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// How much a media range is wanted (RFC 9110 §12.4.2).
fn quality_of(range: &str) -> f32 {
    let quality = range.split(';').find_map(|parameter| parameter.trim().strip_prefix("q="));
    quality.map_or(1.0, |number| number.trim().parse().unwrap_or(0.0))
}

/// The labels of one sample and their values.
pub(super) type Labels = Vec<(&'static str, Cow<'static, str>)>;

/// One value of a metric.
pub(super) enum Value {
    Count(u64),
    Number(f64),
    Spread(Spread),
}

/// What one metric has to tell.
pub(super) struct Told {
    pub(super) name: Cow<'static, str>,
    pub(super) samples: Vec<(Labels, Value)>,
}

impl Told {
    pub(super) fn one(name: &'static str, value: Value) -> Self {
        Self { name: name.into(), samples: vec![(Vec::new(), value)] }
    }

    fn number(name: &'static str, number: f64) -> Self {
        Self::one(name, Value::Number(number))
    }

    pub(super) fn several(name: &'static str, samples: impl Iterator<Item = (Labels, Value)>) -> Self {
        Self { name: name.into(), samples: samples.collect() }
    }
}

fn flag(is_so: bool) -> Value {
    Value::Number(if is_so { 1.0 } else { 0.0 })
}

impl Sources {
    /// All that there is to tell.
    fn tell(&self) -> Vec<Told> {
        let mut told = self.tell_events();
        let types = self.types().into_iter();
        let types = types.map(|share| (vec![("type", share.name.into())], Value::Count(share.count)));
        told.push(Told::several("meridian_query_types", types));
        let sources = [("recalled", Timing::Recalled), ("composed", Timing::Composed), ("resolved", Timing::Resolved)];
        let times =
            sources.into_iter().map(|(word, what)| (vec![("source", word.into())], Value::Spread(self.times(what))));
        told.push(Told::several("meridian_response_duration_seconds", times));
        told.push(Told::one("meridian_upstream_rtt_seconds", Value::Spread(self.times(Timing::Upstream))));
        let cache = self.meter.cache();
        told.push(Told::number("meridian_cache_entries", cache.entries as f64));
        told.push(Told::number("meridian_cache_bytes", cache.bytes as f64));
        told.push(Told::number("meridian_tcp_connections", self.meter.connections() as f64));
        let lines = Value::Count(self.meter.log_lines_dropped());
        told.push(Told::one("meridian_log_lines_dropped", lines));
        self.tell_members(&mut told);
        let countries = self.countries().into_iter();
        let countries = countries.map(|share| (vec![("country", share.name.into())], Value::Count(share.count)));
        told.push(Told::several("meridian_steered_answers", countries));
        self.tell_zones(&mut told);
        self.tell_trust(&mut told);
        let config = self.meter.config();
        told.push(Told::number("meridian_config_generation", config.generation as f64));
        told.push(Told::one("meridian_config_last_reload_successful", flag(config.was_last_reload_good)));
        told.push(Told::number("meridian_config_last_reload_success_timestamp_seconds", config.last_success as f64));
        let version = env!("CARGO_PKG_VERSION").into();
        let built = vec![("version", version), ("target", std::env::consts::ARCH.into())];
        told.push(Told { name: "meridian_build_info".into(), samples: vec![(built, Value::Number(1.0))] });
        told.extend(process::read().into_iter().flat_map(tell_process));
        if self.meter.tells_coredns() {
            self.tell_coredns(&mut told);
        }
        if let Some(cluster) = self.meter.cluster() {
            super::cluster::tell(&cluster, &mut told);
        }
        told
    }

    fn tell_events(&self) -> Vec<Told> {
        let mut told: Vec<Told> = Vec::new();
        for event in Event::ALL {
            let count = Value::Count(self.total(*event));
            let (name, labels) = match event.series() {
                None => (event.name(), Vec::new()),
                Some((name, label, value)) => (name, vec![(label, value.into())]),
            };
            let name = format!("meridian_{name}");
            match told.last_mut().filter(|last| last.name == name) {
                Some(last) => last.samples.push((labels, count)),
                None => told.push(Told { name: name.into(), samples: vec![(labels, count)] }),
            }
        }
        told
    }

    fn tell_members(&self, told: &mut Vec<Told>) {
        let pools = self.meter.pools();
        let rows = || pools.iter().flat_map(|pool| pool.members.iter().map(move |member| (pool, member)));
        let named = |pool: &str, member: &str| -> Labels {
            vec![("pool", pool.to_owned().into()), ("member", member.to_owned().into())]
        };
        let with = |mut labels: Labels, label: &'static str, value: &'static str| {
            labels.push((label, value.into()));
            labels
        };
        let usable = rows().map(|(pool, member)| (named(&pool.pool, &member.member), flag(member.is_usable)));
        told.push(Told::several("meridian_member_usable", usable));
        let states =
            rows().map(|(pool, member)| (with(named(&pool.pool, &member.member), "state", member.state), flag(true)));
        told.push(Told::several("meridian_member_state", states));
        let real = rows()
            .map(|(pool, member)| (with(named(&pool.pool, &member.member), "state", member.real_state), flag(true)));
        told.push(Told::several("meridian_member_real_state", real));
        let forced = rows().filter_map(|(pool, member)| {
            let action = member.overridden.as_ref()?.action;
            Some((with(named(&pool.pool, &member.member), "action", action), flag(true)))
        });
        told.push(Told::several("meridian_member_forced", forced));
        let answers = self.members().into_iter();
        let answers = answers.map(|one| (named(&one.pool, &one.member), Value::Count(one.answers)));
        told.push(Told::several("meridian_member_answers", answers));
        let probes = self.meter.probes().into_iter().flat_map(|one| {
            let outcomes = [("good", one.good), ("bad", one.bad), ("untold", one.untold)];
            outcomes.map(|(word, count)| (with(named(&one.pool, &one.member), "outcome", word), Value::Count(count)))
        });
        told.push(Told::several("meridian_probes", probes));
    }

    fn tell_zones(&self, told: &mut Vec<Told>) {
        let zones = self.meter.zones();
        let states = [("serving", zones.serving), ("unavailable", zones.unavailable)];
        let states = states.map(|(word, count)| (vec![("state", word.into())], Value::Number(count as f64)));
        told.push(Told::several("meridian_zones", states.into_iter()));
        let named = |zone: &str| -> Labels { vec![("zone", zone.to_owned().into())] };
        let serials =
            zones.zones.iter().filter_map(|one| Some((named(&one.zone), Value::Number(f64::from(one.serial?)))));
        told.push(Told::several("meridian_zone_serial", serials));
        let records = zones.zones.iter().filter(|one| one.serial.is_some());
        let records = records.map(|one| (named(&one.zone), Value::Number(one.records as f64)));
        told.push(Told::several("meridian_zone_records", records));
        let confirmed =
            zones.zones.iter().filter_map(|one| Some((named(&one.zone), Value::Number(one.confirmed? as f64))));
        told.push(Told::several("meridian_zone_confirmed_timestamp_seconds", confirmed));
    }

    fn tell_trust(&self, told: &mut Vec<Told>) {
        let trust = self.meter.trust();
        let named = |zone: &str| -> Labels { vec![("zone", zone.to_owned().into())] };
        let number = |zone: &str, number: u64| (named(zone), Value::Number(number as f64));
        let trusted = trust.anchors.iter().map(|one| number(&one.zone, one.trusted));
        told.push(Told::several("meridian_anchor_trusted", trusted));
        let keys = trust.anchors.iter().flat_map(|one| {
            one.keys.iter().map(|(state, count)| {
                let labels = vec![("zone", one.zone.clone().into()), ("state", (*state).into())];
                (labels, Value::Number(*count as f64))
            })
        });
        told.push(Told::several("meridian_anchor_keys", keys));
        let seen = trust.anchors.iter().filter_map(|one| Some(number(&one.zone, one.seen?)));
        told.push(Told::several("meridian_anchor_seen_timestamp_seconds", seen));
        let changed = trust.anchors.iter().filter_map(|one| Some(number(&one.zone, one.changed?)));
        told.push(Told::several("meridian_anchor_changed_timestamp_seconds", changed));
        told.push(Told::number("meridian_validation_exceptions", trust.exceptions as f64));
    }
}

fn tell_process(process: process::Process) -> [Told; 7] {
    [
        Told::number("process_open_fds", process.open_files as f64),
        Told::number("process_max_fds", process.files_max as f64),
        Told::number("process_resident_memory_bytes", process.resident_bytes as f64),
        Told::number("process_virtual_memory_bytes", process.virtual_bytes as f64),
        Told::number("process_threads", process.threads as f64),
        Told::number("process_start_time_seconds", process.started),
        Told::number("process_cpu_seconds", process.processor_seconds),
    ]
}

fn write(encoder: &mut MetricEncoder<'_>, kind: Kind, value: &Value) -> Result<(), fmt::Error> {
    match (kind, value) {
        (Kind::Counter, Value::Count(count)) => encoder.encode_counter::<NoLabelSet, _, u64>(count, None),
        (Kind::Counter, Value::Number(number)) => encoder.encode_counter::<NoLabelSet, _, u64>(number, None),
        (_, Value::Count(count)) => encoder.encode_gauge(&(*count as f64)),
        (_, Value::Number(number)) => encoder.encode_gauge(number),
        (_, Value::Spread(spread)) => {
            let buckets: Vec<(f64, u64)> = spread.buckets().collect();
            encoder.encode_histogram::<NoLabelSet>(spread.seconds(), spread.count(), &buckets, None)
        }
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").field("tallies", &self.tallies.len()).finish_non_exhaustive()
    }
}

impl Collector for Sources {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let told = self.tell();
        for Metric { name, kind, help, .. } in catalogue::metrics() {
            let Some(told) = told.iter().find(|told| told.name == name && !told.samples.is_empty()) else { continue };
            let metric_type = match kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
                Kind::Histogram => MetricType::Histogram,
            };
            let mut encoder = encoder.encode_descriptor(&name, help, None, metric_type)?;
            for (labels, value) in &told.samples {
                if labels.is_empty() {
                    write(&mut encoder, kind, value)?;
                } else {
                    write(&mut encoder.encode_family(labels)?, kind, value)?;
                }
            }
        }
        Ok(())
    }
}

/// `OpenMetrics` text as Prometheus text 0.0.4 has it: there the comments on a counter name its samples, `_total`
/// included, and the text has no mark at its end.
fn as_prometheus(text: &str) -> String {
    let metrics = catalogue::metrics();
    let is_counter = |name: &str| metrics.iter().any(|metric| metric.name == name && metric.kind == Kind::Counter);
    let mut out = String::with_capacity(text.len() + 4_096);
    for line in text.lines().filter(|line| *line != "# EOF") {
        let comment =
            ["# HELP ", "# TYPE "].iter().find_map(|mark| Some((*mark, line.strip_prefix(mark)?.split_once(' ')?)));
        match comment {
            Some((mark, (name, rest))) if is_counter(name) => out.extend([mark, name, "_total ", rest]),
            _ => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

/// All metrics.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    sources: Sources,
}

impl Metrics {
    /// The sums of `tallies`, of workers and others, and what `meter` knows.
    #[must_use]
    pub fn new(tallies: Vec<Arc<Tally>>, meter: Arc<dyn Meter>) -> Self {
        let mut registry = Registry::default();
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
    pub fn text(&self, format: Format) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(if format == Format::Prometheus { as_prometheus(&text) } else { text })
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

#[cfg(test)]
mod tests {
    use super::super::figures::testing::Still;
    use super::*;

    #[test]
    fn a_scrape_adds_the_workers_up_and_reads_the_gauges() {
        let tallies = vec![Arc::new(Tally::default()), Arc::new(Tally::default())];
        tallies[0].add(Event::QueriesUdp, 40);
        tallies[1].add(Event::QueriesUdp, 2);
        tallies[1].time(Timing::Resolved, std::time::Duration::from_millis(3), 5);
        let metrics = Metrics::new(tallies, Arc::new(Still::default()));
        let open = metrics.text(Format::OpenMetrics).unwrap();
        assert!(
            open.contains("# HELP meridian_queries Queries received.\n# TYPE meridian_queries counter\n"),
            "{open}"
        );
        assert!(open.ends_with("\n# EOF\n"), "{open}");
        let plain = metrics.text(Format::Prometheus).unwrap();
        assert!(plain.contains("# TYPE meridian_queries_total counter\n") && !plain.contains("EOF"), "{plain}");
        for text in [open, plain] {
            assert!(text.contains("\nmeridian_queries_total{transport=\"udp\"} 42\n"), "{text}");
            assert!(text.contains("\nmeridian_cache_entries 3.0\n"), "{text}");
            let times = "meridian_response_duration_seconds";
            assert!(text.contains(&format!("\n{times}_bucket{{le=\"0.0025\",source=\"resolved\"}} 0\n")), "{text}");
            assert!(text.contains(&format!("\n{times}_bucket{{le=\"0.005\",source=\"resolved\"}} 5\n")), "{text}");
            assert!(text.contains(&format!("\n{times}_bucket{{le=\"+Inf\",source=\"resolved\"}} 5\n")), "{text}");
            assert!(text.contains("\nmeridian_recalled_total 0\n"), "{text}");
            assert!(
                text.contains("\nmeridian_silences_total{cause=\"short\"} 0\n"),
                "what has not happened is told too"
            );
        }
    }

    #[test]
    fn everything_that_is_told_is_in_the_catalogue_with_these_labels() {
        let known = catalogue::metrics();
        let sources = Sources { tallies: vec![], meter: Arc::new(Still::default()) };
        for told in sources.tell() {
            let metric =
                known.iter().find(|metric| metric.name == told.name).unwrap_or_else(|| panic!("{}", told.name));
            for (labels, value) in &told.samples {
                assert_eq!(labels.iter().map(|(label, _)| *label).collect::<Vec<_>>(), metric.labels, "{}", told.name);
                assert_eq!(metric.kind == Kind::Histogram, matches!(value, Value::Spread(_)), "{}", told.name);
            }
        }
    }

    #[test]
    fn who_prefers_openmetrics_gets_it_and_everybody_else_the_plain_text() {
        let prometheus = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                          application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;q=0.4,\
                          text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        assert_eq!(Format::accepted(prometheus), Format::OpenMetrics);
        assert_eq!(Format::accepted("application/openmetrics-text"), Format::OpenMetrics);
        for accept in ["", "*/*", "text/html, */*;q=0.8", "text/plain, application/openmetrics-text;q=0.5"] {
            assert_eq!(Format::accepted(accept), Format::Prometheus, "{accept}");
        }
        assert_eq!(Format::accepted("application/openmetrics-text; q=0"), Format::Prometheus);
    }
}
