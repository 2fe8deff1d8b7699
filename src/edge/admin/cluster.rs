//! The metrics of watching a Kubernetes cluster; told where there is one.
//!
//! Three of them have the names that dashboards made for `CoreDNS` read.

use super::catalogue::Kind;
use super::metrics::{Labels, Told, Value};
use crate::edge::cluster::{Happening, Meter, ServiceKind};

/// What is told, in order.
pub(super) const METRICS: &[(&str, Kind, &[&str], &str)] = &[
    (
        "meridian_cluster_events",
        Kind::Counter,
        &["event"],
        "What happened while the cluster was watched: objects put and removed, kinds listed, watches begun (watched) and \
         failed, comparisons of what is held with what the API has (agreed, diverged), unreadable objects, tables of names \
         published.",
    ),
    (
        "meridian_cluster_requests",
        Kind::Counter,
        &["code"],
        "Requests made of the cluster's API by HTTP status; 0 where there was no response.",
    ),
    (
        "meridian_cluster_request_duration_seconds",
        Kind::Histogram,
        &[],
        "Time from a request to the cluster's API until its response begins.",
    ),
    (
        "meridian_cluster_table_delay_seconds",
        Kind::Histogram,
        &[],
        "Time from reading the first change of several until answers show them.",
    ),
    (
        "meridian_cluster_programming_duration_seconds",
        Kind::Histogram,
        &["service_kind"],
        "Time from what made the cluster change a service's endpoints, by the cluster's clock, until answers show it.",
    ),
    (
        "coredns_kubernetes_dns_programming_duration_seconds",
        Kind::Histogram,
        &["service_kind"],
        "As CoreDNS: the same.",
    ),
    (
        "coredns_kubernetes_rest_client_requests",
        Kind::Counter,
        &["code", "host", "method"],
        "As CoreDNS: requests made of the cluster's API; the host is empty.",
    ),
    (
        "coredns_kubernetes_rest_client_request_duration_seconds",
        Kind::Histogram,
        &["host", "verb"],
        "As CoreDNS: time from a request to the cluster's API until its response begins; the host is empty.",
    ),
];

/// Tells what `meter` has counted.
pub(super) fn tell(meter: &Meter, told: &mut Vec<Told>) {
    let events = Happening::ALL.into_iter();
    let events = events.map(|(what, word)| (vec![("event", word.into())], Value::Count(meter.happened(what))));
    told.push(Told::several("meridian_cluster_events", events));
    let requests = meter.requests();
    let codes = |labels: &dyn Fn(String) -> Labels| -> Vec<(Labels, Value)> {
        requests.iter().map(|(code, count)| (labels(code.to_string()), Value::Count(*count))).collect()
    };
    let ours = codes(&|code| vec![("code", code.into())]);
    told.push(Told::several("meridian_cluster_requests", ours.into_iter()));
    told.push(Told::one("meridian_cluster_request_duration_seconds", Value::Spread(meter.request_times())));
    told.push(Told::one("meridian_cluster_table_delay_seconds", Value::Spread(meter.delay())));
    for name in ["meridian_cluster_programming_duration_seconds", "coredns_kubernetes_dns_programming_duration_seconds"]
    {
        let kinds = ServiceKind::ALL.into_iter();
        let kinds =
            kinds.map(|(kind, word)| (vec![("service_kind", word.into())], Value::Spread(meter.programming(kind))));
        told.push(Told::several(name, kinds));
    }
    let theirs = codes(&|code| vec![("code", code.into()), ("host", "".into()), ("method", "GET".into())]);
    told.push(Told::several("coredns_kubernetes_rest_client_requests", theirs.into_iter()));
    let labels: Labels = vec![("host", "".into()), ("verb", "GET".into())];
    let times = [(labels, Value::Spread(meter.request_times()))];
    told.push(Told::several("coredns_kubernetes_rest_client_request_duration_seconds", times.into_iter()));
}
