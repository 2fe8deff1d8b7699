//! Every metric: its name, type, labels and meaning. `docs/metrics.md` is held to this list, and so is every scrape.

use super::cluster::METRICS as METRICS_OF_CLUSTERS;
use super::coredns::METRICS as METRICS_OF_COREDNS;
use crate::base::tally::{Event, METRICS};

/// What a metric is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// It only grows, from the start of the process on.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Times by the bucket.
    Histogram,
}

impl Kind {
    /// The kind's word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A metric.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Metric {
    /// Its name; that of a counter without `_total`.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it tells.
    pub help: &'static str,
}

impl Metric {
    /// The name as samples and queries have it.
    #[must_use]
    pub fn full_name(&self) -> String {
        if self.kind == Kind::Counter { format!("{}_total", self.name) } else { self.name.clone() }
    }

    /// The unit, which ends the name: `seconds` or `bytes`; none of what is counted or only told.
    #[must_use]
    pub fn unit(&self) -> &'static str {
        match self.name.rsplit('_').next() {
            Some("seconds") => "seconds",
            Some("bytes") => "bytes",
            _ => "",
        }
    }
}

const MEMBER: &[&str] = &["pool", "member"];

/// All that is told beside the events, in the order in which it is told.
const OTHERS: &[(&str, Kind, &[&str], &str)] = &[
    (
        "meridian_query_types",
        Kind::Counter,
        &["type"],
        "Queries by QTYPE; `other` for all types without a counter of their own, and for what has no type.",
    ),
    (
        "meridian_response_duration_seconds",
        Kind::Histogram,
        &["source"],
        "Time from a query's arrival at its worker until its response is sent: `recalled` from finished answers, \
         `composed` at once from the cache's RRsets, zones or the hosts file, `resolved` after waiting for upstreams.",
    ),
    (
        "meridian_upstream_rtt_seconds",
        Kind::Histogram,
        &[],
        "Time from a query to an upstream until a response that is believed.",
    ),
    ("meridian_cache_entries", Kind::Gauge, &[], "Facts in the cache."),
    ("meridian_cache_bytes", Kind::Gauge, &[], "Octets that the cache takes."),
    ("meridian_tcp_connections", Kind::Gauge, &[], "Open TCP connections of clients."),
    ("meridian_log_lines_dropped", Kind::Counter, &[], "Log lines dropped because they were not read fast enough."),
    ("meridian_member_usable", Kind::Gauge, MEMBER, "1 if new answers may hold the member, else 0."),
    (
        "meridian_member_state",
        Kind::Gauge,
        &["pool", "member", "state"],
        "1 for the state in force of the member: HEALTHY, SUSPECT, DOWN, PROBING, UNKNOWN, FORCED_UP, FORCED_DOWN, \
         DRAINING or DRAINED.",
    ),
    (
        "meridian_member_real_state",
        Kind::Gauge,
        &["pool", "member", "state"],
        "1 for the state that the member's checks say, whatever people decided.",
    ),
    (
        "meridian_member_forced",
        Kind::Gauge,
        &["pool", "member", "action"],
        "1 for what people decided of the member: up, down or drain.",
    ),
    (
        "meridian_member_answers",
        Kind::Counter,
        MEMBER,
        "Answers of steered names that the member was chosen for; one with several members counts for each of them.",
    ),
    (
        "meridian_probes",
        Kind::Counter,
        &["pool", "member", "outcome"],
        "Health checks run: good, bad, or untold where a probe could tell nothing. One that serves several members \
         counts for one of them.",
    ),
    (
        "meridian_steered_answers",
        Kind::Counter,
        &["country"],
        "Answers of steered names by the ISO 3166-1 country of the client, or of its resolver; `unknown` where the \
         databases of places do not know it. Beyond 1000 answers a second and worker, one in 64 is looked up and counts \
         for 64.",
    ),
    ("meridian_zones", Kind::Gauge, &["state"], "Zones: serving, or unavailable for want of data."),
    ("meridian_zone_serial", Kind::Gauge, &["zone"], "The serial number of a configured zone."),
    ("meridian_zone_records", Kind::Gauge, &["zone"], "Records of a configured zone."),
    (
        "meridian_zone_confirmed_timestamp_seconds",
        Kind::Gauge,
        &["zone"],
        "When a primary last confirmed a configured secondary zone, as the time in Unix seconds.",
    ),
    (
        "meridian_anchor_trusted",
        Kind::Gauge,
        &["zone"],
        "DS records by which a trust anchor's zone is validated; 0 where all its keys have revoked themselves.",
    ),
    (
        "meridian_anchor_keys",
        Kind::Gauge,
        &["zone", "state"],
        "Keys of a trust anchor's zone by how they stand: pending, valid, missing or revoked.",
    ),
    (
        "meridian_anchor_seen_timestamp_seconds",
        Kind::Gauge,
        &["zone"],
        "When the keys of a trust anchor's zone were last found authentic, as the time in Unix seconds.",
    ),
    (
        "meridian_anchor_changed_timestamp_seconds",
        Kind::Gauge,
        &["zone"],
        "When a key of a trust anchor's zone last came to stand otherwise, as the time in Unix seconds.",
    ),
    ("meridian_validation_exceptions", Kind::Gauge, &[], "Names that are excepted from validation for a while."),
    ("meridian_config_generation", Kind::Gauge, &[], "Configurations that were in force, the present one included."),
    (
        "meridian_config_last_reload_successful",
        Kind::Gauge,
        &[],
        "1 if the last reload brought its configuration in force, 0 if it had faults.",
    ),
    (
        "meridian_config_last_reload_success_timestamp_seconds",
        Kind::Gauge,
        &[],
        "When the present configuration came in force, as the time in Unix seconds.",
    ),
    ("meridian_build_info", Kind::Gauge, &["version", "target"], "1; what runs is in the labels."),
    ("process_open_fds", Kind::Gauge, &[], "Files and sockets that are open."),
    ("process_max_fds", Kind::Gauge, &[], "Files and sockets that may be open."),
    ("process_resident_memory_bytes", Kind::Gauge, &[], "Memory in use."),
    ("process_virtual_memory_bytes", Kind::Gauge, &[], "Address space taken."),
    ("process_threads", Kind::Gauge, &[], "Threads."),
    ("process_start_time_seconds", Kind::Gauge, &[], "When the process began, as the time in Unix seconds."),
    ("process_cpu_seconds", Kind::Counter, &[], "Processor time that the process has had."),
];

/// Every metric, in the order in which a scrape tells them.
#[must_use]
pub fn metrics() -> Vec<Metric> {
    let mut metrics: Vec<Metric> = Vec::new();
    for event in Event::ALL {
        let (name, labels, help): (_, &[&str], _) = match event.series() {
            None => (event.name(), &[], event.help().trim()),
            Some((name, label, _)) => {
                let help = METRICS.iter().find(|(known, _)| *known == name).map_or("", |(_, help)| help);
                (name, label_list(label), help)
            }
        };
        let name = format!("meridian_{name}");
        if metrics.last().is_none_or(|last| last.name != name) {
            metrics.push(Metric { name, kind: Kind::Counter, labels, help });
        }
    }
    let others = OTHERS.iter().chain(METRICS_OF_CLUSTERS).chain(METRICS_OF_COREDNS);
    let others = others.map(|(name, kind, labels, help)| Metric { name: (*name).into(), kind: *kind, labels, help });
    metrics.extend(others);
    metrics
}

/// The labels of events' metrics, each alone.
fn label_list(label: &str) -> &'static [&'static str] {
    const LISTS: [&[&str]; 8] =
        [&["transport"], &["rcode"], &["cause"], &["of"], &["by"], &["validity"], &["outcome"], &["bound"]];
    LISTS.into_iter().find(|list| list.contains(&label)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_a_lawful_name_its_own_and_words() {
        let metrics = metrics();
        for (at, metric) in metrics.iter().enumerate() {
            let Metric { name, labels, help, .. } = metric;
            assert!(
                name.bytes().all(|letter| letter.is_ascii_lowercase() || b"_0123456789".contains(&letter)),
                "{name}"
            );
            assert!(metrics[..at].iter().all(|other| other.name != *name), "{name} stands twice");
            assert!(help.len() > 10 || *help == "Threads.", "{name}: {help}");
            assert!(!help.contains(['\n', '\\', '|']) && !help.contains("  "), "{name}: {help}");
            assert!(labels.iter().all(|label| !["le", "quantile", "job", "instance"].contains(label)), "{name}");
        }
        for event in Event::ALL {
            if let Some((name, label, _)) = event.series() {
                let metric = metrics.iter().find(|metric| metric.name == format!("meridian_{name}")).unwrap();
                assert_eq!(metric.labels, [label], "{name}");
            }
        }
    }
}
