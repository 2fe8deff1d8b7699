//! The figures: what the server has done so far, as plain numbers for programs and pages. The same numbers as the
//! [`Metrics`](super::Metrics), read in the same way.
//!
//! All count from the start and never go back, so that whoever wants a rate takes the difference of two readings.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::pools::PoolView;
use crate::base::histogram::{ENDS, Spread};
use crate::base::tally::{Event, TYPES, Tally, Timing};
use crate::dns::RecordType;
use crate::edge::cluster;
use crate::edge::forward::Statement;
use crate::steer::Scene;

/// Whoever knows of the running server what no tally has. Every method is quick: nothing waits for the network or the
/// disk.
pub trait Meter: Send + Sync {
    /// The time since the start.
    fn uptime(&self) -> Duration;
    /// What the cache holds.
    fn cache(&self) -> CacheFigures;
    /// Open TCP connections of clients.
    fn connections(&self) -> usize;
    /// Log lines dropped so far.
    fn log_lines_dropped(&self) -> u64;
    /// Where it is counted who was chosen, and for whom.
    fn scene(&self) -> Arc<Scene>;
    /// How the members of all pools stand.
    fn pools(&self) -> Vec<PoolView>;
    /// How the probes for members have ended.
    fn probes(&self) -> Vec<ProbeFigures>;
    /// The zones.
    fn zones(&self) -> ZonesFigures;
    /// What is trusted.
    fn trust(&self) -> TrustFigures;
    /// How reloads went.
    fn config(&self) -> ConfigFigures;
    /// Whether metrics are told by the names that CoreDNS has for them too.
    fn tells_coredns(&self) -> bool;
    /// What became of the questions to each forwarder.
    fn forwarders(&self) -> Vec<(SocketAddr, Statement)>;
    /// What was counted of watching a cluster; none where there is none.
    fn cluster(&self) -> Option<Arc<cluster::Meter>> {
        None
    }
}

/// How the probes for a member have ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ProbeFigures {
    /// The pool's name.
    pub pool: String,
    /// The member's name; a probe that serves several members is told of one of them.
    pub member: String,
    /// As they should.
    pub good: u64,
    /// Badly.
    pub bad: u64,
    /// They told nothing, as one that the system does not permit.
    pub untold: u64,
}

/// How the keys of trust anchors stand, and what is excepted from validation.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TrustFigures {
    /// The anchors, [`bounds::ZONES_TOLD`](crate::base::bounds::ZONES_TOLD) of them at most.
    pub anchors: Vec<AnchorFigures>,
    /// Names that are excepted for a while.
    pub exceptions: u64,
}

/// A trust anchor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AnchorFigures {
    /// Its zone.
    pub zone: String,
    /// DS records that are trusted.
    pub trusted: u64,
    /// Its keys by how they stand.
    pub keys: Vec<(&'static str, u64)>,
    /// When its keys were last found authentic, as the time in Unix seconds; none for never.
    pub seen: Option<u64>,
    /// When a key last came to stand as it does; none where none is known.
    pub changed: Option<u64>,
}

/// The zones that are ours.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct ZonesFigures {
    /// Zones that are answered from.
    pub serving: u64,
    /// Zones without data: never loaded, or expired.
    pub unavailable: u64,
    /// Those of the configuration by name, [`bounds::ZONES_TOLD`](crate::base::bounds::ZONES_TOLD) of them at most;
    /// members of catalogs are not among them.
    pub zones: Vec<ZoneFigures>,
}

/// A zone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ZoneFigures {
    /// Its name.
    pub zone: String,
    /// Its serial number; none without data.
    pub serial: Option<u32>,
    /// Its records.
    pub records: u64,
    /// When a primary last confirmed it, seconds of the calendar; none if it has no primaries, or none has yet.
    pub confirmed: Option<u64>,
}

/// How reloads went.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct ConfigFigures {
    /// Configurations that were in force, this one included.
    pub generation: u64,
    /// Whether the last reload brought a configuration in force; true before the first.
    pub was_last_reload_good: bool,
    /// When this configuration came in force, seconds of the calendar.
    pub last_success: u64,
}

/// What the cache holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct CacheFigures {
    /// Facts.
    pub entries: u64,
    /// Octets that they take.
    pub bytes: u64,
}

/// What the server has done so far.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Figures {
    /// Seconds since the start; fractions count.
    pub uptime_seconds: f64,
    /// Queries received.
    pub queries: u64,
    /// Of these, over UDP.
    pub queries_udp: u64,
    /// Of these, over TCP.
    pub queries_tcp: u64,
    /// Queries by type, the most first; `other` for all that have no counter of their own. Types without any are left out.
    pub types: Vec<Share>,
    /// Responses sent.
    pub responses: u64,
    /// Responses by RCODE, in a fixed order, all of them.
    pub rcodes: Vec<Share>,
    /// Queries that were answered by silence.
    pub silences: u64,
    /// Queries answered from finished answers.
    pub recalled: u64,
    /// Queries answered from the cache's RRsets.
    pub cache_hits: u64,
    /// Queries that needed an upstream.
    pub cache_misses: u64,
    /// Answers given past their TTL because upstreams failed.
    pub stale_answers: u64,
    /// Refreshes of popular names shortly before they expire.
    pub prefetches: u64,
    /// Queries sent to upstreams, and questions handed to forwarders.
    pub upstream_queries: u64,
    /// Upstream queries that no response came to in time.
    pub upstream_timeouts: u64,
    /// What the cache holds.
    pub cache: CacheFigures,
    /// Open TCP connections of clients.
    pub tcp_connections: usize,
    /// How reloads went.
    pub config: ConfigFigures,
    /// How long responses took, all together.
    pub latency: Times,
    /// The same of responses from finished answers.
    pub latency_recalled: Times,
    /// The same of responses composed at once.
    pub latency_composed: Times,
    /// The same of responses that waited for upstreams.
    pub latency_resolved: Times,
    /// How long upstreams took.
    pub upstream_rtt: Times,
    /// The upper ends of the buckets of all times, seconds.
    pub bucket_ends: [f64; ENDS.len()],
    /// Of each member of a pool that a steered name answers from, by the names of pool and member, how often it was an
    /// answer.
    pub members: Vec<MemberAnswers>,
    /// Answers for steered names by the country of the client, ISO 3166-1; `unknown` where a database of places is at
    /// hand but does not know it. The most first; none without a database. Above a thousand answers a second, sampled.
    pub countries: Vec<Share>,
}

/// A part of something that is counted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Share {
    /// Which.
    pub name: String,
    /// How many.
    pub count: u64,
}

/// How often a member was an answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct MemberAnswers {
    /// The pool's name.
    pub pool: String,
    /// The member's name.
    pub member: String,
    /// Answers that held it.
    pub answers: u64,
}

/// How long something took.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Times {
    /// How many times there are.
    pub count: u64,
    /// All together, seconds.
    pub seconds: f64,
    /// Half took no longer than this, seconds; none where there are no times. As exact as the buckets.
    pub p50: Option<f64>,
    /// The same of nine in ten.
    pub p90: Option<f64>,
    /// The same of 99 in a hundred.
    pub p99: Option<f64>,
    /// The same of 999 in a thousand.
    pub p999: Option<f64>,
    /// How many times there are in each bucket of [`Figures::bucket_ends`], and beyond the last end.
    pub buckets: Vec<u64>,
}

impl From<Spread> for Times {
    fn from(spread: Spread) -> Self {
        let [p50, p90, p99, p999] = [0.5, 0.9, 0.99, 0.999].map(|share| spread.quantile(share));
        let buckets = spread.buckets().map(|(_, count)| count).collect();
        Self { count: spread.count(), seconds: spread.seconds(), p50, p90, p99, p999, buckets }
    }
}

/// Where all figures come from.
#[derive(Clone)]
pub(super) struct Sources {
    pub(super) tallies: Vec<Arc<Tally>>,
    pub(super) meter: Arc<dyn Meter>,
}

impl Sources {
    pub(super) fn total(&self, event: Event) -> u64 {
        self.tallies.iter().fold(0, |sum, tally| sum.wrapping_add(tally.read(event)))
    }

    /// The sum of all events of a metric.
    pub(super) fn sum_of(&self, metric: &str) -> u64 {
        let of_metric = |event: &&Event| event.series().is_some_and(|(name, ..)| name == metric);
        Event::ALL.iter().filter(of_metric).fold(0, |sum, event| sum.wrapping_add(self.total(*event)))
    }

    pub(super) fn times(&self, what: Timing) -> Spread {
        let mut spread = Spread::default();
        self.tallies.iter().for_each(|tally| spread += tally.read_times(what));
        spread
    }

    /// Queries by type, each type that has a counter, and `other`.
    pub(super) fn types(&self) -> Vec<Share> {
        let mut sums = [0_u64; TYPES.len() + 1];
        for tally in &self.tallies {
            sums.iter_mut().zip(tally.read_types()).for_each(|(sum, count)| *sum = sum.wrapping_add(count));
        }
        let names = TYPES.iter().map(|number| RecordType(*number).to_string()).chain(["other".to_owned()]);
        names.zip(sums).map(|(name, count)| Share { name, count }).collect()
    }

    /// Answers of steered names by country; `unknown` for the rest.
    pub(super) fn countries(&self) -> Vec<Share> {
        let name =
            |code: Option<crate::steer::Code>| code.map_or_else(|| "unknown".to_owned(), |code| code.to_string());
        let countries = self.meter.scene().census().countries();
        countries.into_iter().map(|(code, count)| Share { name: name(code), count }).collect()
    }

    /// How often each member of a pool was an answer.
    pub(super) fn members(&self) -> Vec<MemberAnswers> {
        let members = self.meter.scene().census().members();
        members
            .into_iter()
            .map(|(pool, member, answers)| MemberAnswers { pool: pool.into(), member: member.into(), answers })
            .collect()
    }

    /// All figures now.
    pub(super) fn figures(&self) -> Figures {
        let total = |event| self.total(event);
        let most_first = |mut shares: Vec<Share>| {
            shares.retain(|share| share.count > 0);
            shares.sort_by(|one, other| other.count.cmp(&one.count).then_with(|| one.name.cmp(&other.name)));
            shares
        };
        let rcodes = Event::ALL.iter().filter_map(|event| match event.series() {
            Some(("responses", _, name)) => Some(Share { name: name.to_owned(), count: total(*event) }),
            _ => None,
        });
        let [recalled, composed, resolved, upstream] = Timing::ALL.map(|what| self.times(what));
        let mut latency = recalled;
        latency += composed;
        latency += resolved;
        Figures {
            uptime_seconds: self.meter.uptime().as_secs_f64(),
            queries: self.sum_of("queries"),
            queries_udp: total(Event::QueriesUdp),
            queries_tcp: total(Event::QueriesTcp),
            types: most_first(self.types()),
            responses: self.sum_of("responses"),
            rcodes: rcodes.collect(),
            silences: self.sum_of("silences"),
            recalled: total(Event::Recalled),
            cache_hits: total(Event::CacheHits),
            cache_misses: total(Event::CacheMisses),
            stale_answers: total(Event::StaleAnswers),
            prefetches: total(Event::Prefetches),
            upstream_queries: self.sum_of("upstream_queries"),
            upstream_timeouts: total(Event::UpstreamTimeouts),
            cache: self.meter.cache(),
            tcp_connections: self.meter.connections(),
            config: self.meter.config(),
            latency: latency.into(),
            latency_recalled: recalled.into(),
            latency_composed: composed.into(),
            latency_resolved: resolved.into(),
            upstream_rtt: upstream.into(),
            bucket_ends: ENDS,
            members: self.members(),
            countries: most_first(self.countries()),
        }
    }
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// A meter of a server that stands still.
    #[derive(Default)]
    pub(in crate::edge::admin) struct Still {
        pub(in crate::edge::admin) scene: Arc<Scene>,
    }

    impl Meter for Still {
        fn uptime(&self) -> Duration {
            Duration::from_millis(1_500)
        }

        fn cache(&self) -> CacheFigures {
            CacheFigures { entries: 3, bytes: 4_096 }
        }

        fn connections(&self) -> usize {
            2
        }

        fn log_lines_dropped(&self) -> u64 {
            3
        }

        fn scene(&self) -> Arc<Scene> {
            Arc::clone(&self.scene)
        }

        fn pools(&self) -> Vec<PoolView> {
            Vec::new()
        }

        fn probes(&self) -> Vec<ProbeFigures> {
            Vec::new()
        }

        fn zones(&self) -> ZonesFigures {
            ZonesFigures::default()
        }

        fn trust(&self) -> TrustFigures {
            let (keys, seen) = (vec![("valid", 1), ("pending", 2)], Some(1_700_000_100));
            let root = AnchorFigures { zone: ".".into(), trusted: 1, keys, seen, changed: Some(1_700_000_000) };
            TrustFigures { anchors: vec![root], exceptions: 3 }
        }

        fn config(&self) -> ConfigFigures {
            ConfigFigures { generation: 1, was_last_reload_good: true, last_success: 1_700_000_000 }
        }

        fn tells_coredns(&self) -> bool {
            true
        }

        fn forwarders(&self) -> Vec<(SocketAddr, Statement)> {
            let answered = vec![(crate::dns::Rcode::NOERROR, 3)];
            vec![("192.0.2.1:53".parse().unwrap(), Statement { asked: 4, answered, times: Spread::default() })]
        }

        fn cluster(&self) -> Option<Arc<cluster::Meter>> {
            Some(Arc::default())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::testing::Still;
    use super::*;
    use crate::steer::{Member, Pool, PoolId};

    #[test]
    fn the_figures_are_those_of_all_threads_together() {
        let tallies = [Arc::new(Tally::default()), Arc::new(Tally::default())];
        for (tally, times) in tallies.iter().zip([1, 2]) {
            tally.add(Event::QueriesUdp, 4 * times);
            tally.add(Event::QueriesTcp, times);
            tally.add(Event::ServFail, times);
            tally.add(Event::SilenceShort, times);
            tally.count_type(28, false, false);
            tally.time(Timing::Recalled, Duration::from_micros(20), times);
            tally.time(Timing::Resolved, Duration::from_millis(20), 1);
        }
        tallies[0].count_type(4_711, true, false);
        tallies[0].count_type(28, true, true);
        let scene = Arc::new(Scene::new(Arc::default()));
        let member = |name| Member { a: vec![Ipv4Addr::LOCALHOST], ..Member::new(name) };
        let pool = Pool::new(PoolId(0), "www", vec![member("one"), member("two")]).unwrap();
        let answers = scene.census().enrol(&pool);
        answers[1].add(0, 9);
        scene.census().count_country("IS".parse().ok(), 2);
        scene.census().count_country(None, 5);
        let figures = Sources { tallies: tallies.to_vec(), meter: Arc::new(Still { scene }) }.figures();
        assert_eq!((figures.queries, figures.queries_udp, figures.queries_tcp, figures.responses), (15, 12, 3, 3));
        assert_eq!(figures.silences, 3);
        let share = |name: &str, count| Share { name: name.to_owned(), count };
        assert_eq!(figures.types, [share("AAAA", 3), share("other", 1)]);
        assert!(figures.rcodes.contains(&share("SERVFAIL", 3)) && figures.rcodes.contains(&share("NOERROR", 0)));
        assert_eq!(figures.countries, [share("unknown", 5), share("IS", 2)]);
        let member = |member: &str, answers| MemberAnswers { pool: "www".into(), member: member.into(), answers };
        assert_eq!(figures.members, [member("one", 0), member("two", 9)]);
        assert_eq!((figures.latency.count, figures.latency_recalled.count, figures.latency_resolved.count), (5, 3, 2));
        assert!(figures.latency.p50.unwrap() < 25e-6 && figures.latency.p99.unwrap() > 10e-3);
        assert_eq!(figures.latency_composed.p50, None);
        let told = serde_json::to_value(&figures).unwrap();
        assert_eq!(told["latency"]["buckets"].as_array().unwrap().len(), ENDS.len() + 1);
        assert_eq!(told["cache"]["bytes"], 4_096);
    }
}
