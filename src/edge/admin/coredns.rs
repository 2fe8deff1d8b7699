//! The metrics that dashboards and alerts made for CoreDNS read, by its names and labels, told beside our own where the
//! configuration says so.
//!
//! One server answers all zones: `server` and `zone` are always the same. What CoreDNS counts in two kinds and we in one
//! (entries and hits of answers and denials) is told as the one kind `all`.

use std::borrow::Cow;

use super::catalogue::Kind;
use super::figures::Sources;
use super::metrics::{Labels, Told, Value};
use crate::base::tally::{Event, TYPES, Timing};
use crate::dns::RecordType;

type Row = (&'static str, Kind, &'static [&'static str], &'static str);

/// What is told, in order.
pub(super) const METRICS: &[Row] = &[
    (
        "coredns_build_info",
        Kind::Gauge,
        &["version", "revision", "goversion"],
        "As CoreDNS: 1; the version is Meridian's.",
    ),
    (
        "coredns_dns_requests",
        Kind::Counter,
        &["server", "zone", "view", "proto", "family", "type"],
        "As CoreDNS: queries by transport, address family (1 is IPv4, 2 IPv6) and type.",
    ),
    (
        "coredns_dns_request_duration_seconds",
        Kind::Histogram,
        &["server", "zone", "view"],
        "As CoreDNS: time from a query until its response.",
    ),
    (
        "coredns_dns_responses",
        Kind::Counter,
        &["server", "zone", "view", "rcode", "plugin"],
        "As CoreDNS: responses by RCODE; the plugin is empty.",
    ),
    ("coredns_panics", Kind::Counter, &[], "As CoreDNS: panics, each of which replaced a worker."),
    ("coredns_reload_failed", Kind::Counter, &[], "As CoreDNS: reloads that were refused."),
    ("coredns_cache_entries", Kind::Gauge, &["server", "type", "zones", "view"], "As CoreDNS: facts in the cache."),
    (
        "coredns_cache_requests",
        Kind::Counter,
        &["server", "zones", "view"],
        "As CoreDNS: queries answered from memory, or for want of that by upstreams.",
    ),
    (
        "coredns_cache_hits",
        Kind::Counter,
        &["server", "type", "zones", "view"],
        "As CoreDNS: queries answered from memory, finished answers of our own zones included.",
    ),
    (
        "coredns_cache_misses",
        Kind::Counter,
        &["server", "zones", "view"],
        "As CoreDNS: queries that needed an upstream.",
    ),
    ("coredns_cache_prefetch", Kind::Counter, &["server", "zones", "view"], "As CoreDNS: refreshes before the end."),
    ("coredns_cache_served_stale", Kind::Counter, &["server", "zones", "view"], "As CoreDNS: stale answers."),
    ("coredns_forward_requests", Kind::Counter, &["to"], "As CoreDNS: questions asked of each forwarder."),
    ("coredns_forward_responses", Kind::Counter, &["to", "rcode"], "As CoreDNS: responses of each forwarder."),
    (
        "coredns_forward_request_duration_seconds",
        Kind::Histogram,
        &["to"],
        "As CoreDNS: time until a forwarder's response.",
    ),
    (
        "coredns_proxy_request_duration_seconds",
        Kind::Histogram,
        &["proxy_name", "to"],
        "As CoreDNS: the same by its newer name.",
    ),
];

const SERVER: (&str, Cow<'static, str>) = ("server", Cow::Borrowed("dns://:53"));
const VIEW: (&str, Cow<'static, str>) = ("view", Cow::Borrowed(""));

fn of_zone(more: impl IntoIterator<Item = (&'static str, Cow<'static, str>)>) -> Labels {
    [SERVER, ("zone", ".".into()), VIEW].into_iter().chain(more).collect()
}

fn of_cache(kind: Option<&'static str>) -> Labels {
    let kind = kind.map(|kind| ("type", kind.into()));
    [SERVER].into_iter().chain(kind).chain([("zones", ".".into()), VIEW]).collect()
}

impl Sources {
    /// What CoreDNS would tell.
    pub(super) fn tell_coredns(&self, told: &mut Vec<Told>) {
        let version = vec![
            ("version", env!("CARGO_PKG_VERSION").into()),
            ("revision", "meridian".into()),
            ("goversion", "".into()),
        ];
        told.push(Told { name: "coredns_build_info".into(), samples: vec![(version, Value::Number(1.0))] });
        told.push(Told::several("coredns_dns_requests", self.requests().into_iter()));
        let mut spread = self.times(Timing::Recalled);
        spread += self.times(Timing::Composed);
        spread += self.times(Timing::Resolved);
        let durations = [(of_zone([]), Value::Spread(spread))];
        told.push(Told::several("coredns_dns_request_duration_seconds", durations.into_iter()));
        let responses = Event::ALL.iter().filter_map(|event| match event.series() {
            Some(("responses", "rcode", rcode)) => {
                let labels = of_zone([("rcode", rcode.into()), ("plugin", "".into())]);
                Some((labels, Value::Count(self.total(*event))))
            }
            _ => None,
        });
        told.push(Told::several("coredns_dns_responses", responses));
        let count = |name, event| Told::one(name, Value::Count(self.total(event)));
        told.push(count("coredns_panics", Event::WorkerPanics));
        told.push(count("coredns_reload_failed", Event::ReloadsRefused));
        let hits = self.total(Event::Recalled) + self.total(Event::CacheHits);
        let misses = self.total(Event::CacheMisses);
        let entries = self.meter.cache().entries as f64;
        for (name, labels, value) in [
            ("coredns_cache_entries", of_cache(Some("all")), Value::Number(entries)),
            ("coredns_cache_requests", of_cache(None), Value::Count(hits + misses)),
            ("coredns_cache_hits", of_cache(Some("all")), Value::Count(hits)),
            ("coredns_cache_misses", of_cache(None), Value::Count(misses)),
            ("coredns_cache_prefetch", of_cache(None), Value::Count(self.total(Event::Prefetches))),
            ("coredns_cache_served_stale", of_cache(None), Value::Count(self.total(Event::StaleAnswers))),
        ] {
            told.push(Told::several(name, [(labels, value)].into_iter()));
        }
        self.tell_forwarders(told);
    }

    fn requests(&self) -> Vec<(Labels, Value)> {
        let names: Vec<String> = TYPES.iter().map(|number| RecordType(*number).to_string()).collect();
        let names = names.into_iter().chain(["other".to_owned()]);
        let mut samples = Vec::new();
        for (at, name) in names.enumerate() {
            for (is_tcp, proto) in [(false, "udp"), (true, "tcp")] {
                for (is_v6, family) in [(false, "1"), (true, "2")] {
                    let of = |tally: &crate::base::tally::Tally| {
                        tally.read_types_by(is_tcp, is_v6).get(at).copied().unwrap_or(0)
                    };
                    let count = self.tallies.iter().fold(0, |sum: u64, tally| sum.wrapping_add(of(tally)));
                    if count > 0 {
                        let more = [("proto", proto.into()), ("family", family.into()), ("type", name.clone().into())];
                        samples.push((of_zone(more), Value::Count(count)));
                    }
                }
            }
        }
        samples
    }

    fn tell_forwarders(&self, told: &mut Vec<Told>) {
        let forwarders = self.meter.forwarders();
        let to = |address: &std::net::SocketAddr| ("to", Cow::Owned(address.to_string()));
        let asked = forwarders.iter().map(|(address, one)| (vec![to(address)], Value::Count(one.asked)));
        told.push(Told::several("coredns_forward_requests", asked));
        let answered = forwarders.iter().flat_map(|(address, one)| {
            let by = one.answered.iter();
            by.map(|(rcode, count)| (vec![to(address), ("rcode", rcode.to_string().into())], Value::Count(*count)))
        });
        told.push(Told::several("coredns_forward_responses", answered));
        let times = forwarders.iter().map(|(address, one)| (vec![to(address)], Value::Spread(one.times)));
        told.push(Told::several("coredns_forward_request_duration_seconds", times));
        let times = forwarders
            .iter()
            .map(|(address, one)| (vec![("proxy_name", "forward".into()), to(address)], Value::Spread(one.times)));
        told.push(Told::several("coredns_proxy_request_duration_seconds", times));
    }
}
