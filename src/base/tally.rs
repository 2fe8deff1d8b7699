//! Counters: every silence, fault and bound reached has one, named like the thing that it counts; and how long things
//! take.
//!
//! Each worker owns a [`Tally`] and is its only writer, so counting is a plain load and store; a scrape
//! adds the workers' tallies up.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::histogram::{Histogram, Spread};

macro_rules! events {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal $(in $family:literal $label:literal $value:literal)?,)+) => {
        /// What is counted. The text of each is what it means.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(usize)]
        pub enum Event { $($(#[doc = $doc])+ $variant,)+ }

        impl Event {
            /// Every event, in order; those of one metric follow one another.
            pub const ALL: &'static [Event] = &[$(Event::$variant,)+];

            /// Its short name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Event::$variant => $name,)+ }
            }

            /// What it means.
            #[must_use]
            pub const fn help(self) -> &'static str {
                match self { $(Event::$variant => concat!($($doc),+),)+ }
            }

            /// Where it is one of several of a metric: the metric's name, without prefix and suffix, the label that
            /// tells them apart, and its value there. Any other is a metric by its own name.
            #[must_use]
            pub const fn series(self) -> Option<(&'static str, &'static str, &'static str)> {
                match self { $(Event::$variant => events!(@series $($family $label $value)?),)+ }
            }
        }
    };
    (@series) => { None };
    (@series $family:literal $label:literal $value:literal) => { Some(($family, $label, $value)) };
}

events! {
    /// Reloads that changed something, by signal, file or admin address.
    Reloads = "reloads" in "reloads" "outcome" "done",
    /// Reloads that found nothing changed.
    ReloadsUnchanged = "reloads_unchanged" in "reloads" "outcome" "unchanged",
    /// Reloads that were refused for their faults, and zone files that stayed as they were.
    ReloadsRefused = "reloads_refused" in "reloads" "outcome" "refused",
    /// Queries received over UDP.
    QueriesUdp = "queries_udp" in "queries" "transport" "udp",
    /// Queries received over TCP.
    QueriesTcp = "queries_tcp" in "queries" "transport" "tcp",
    /// Queries answered from finished answers, without parsing.
    Recalled = "recalled",
    /// Queries answered from the cache's RRsets.
    CacheHits = "cache_hits",
    /// Queries that needed an upstream.
    CacheMisses = "cache_misses",
    /// Answers given past their TTL because upstreams failed (RFC 8767).
    StaleAnswers = "stale_answers",
    /// Queries answered by a name further along the search path of the pod that asked.
    Searched = "searched",
    /// Refreshes of popular names shortly before they expire.
    Prefetches = "prefetches",
    /// Queries answered from a remembered failure (RFC 9520).
    FailureHits = "failure_hits",
    /// Queries answered from the hosts file.
    HostsHits = "hosts_hits",
    /// Queries that joined a fetch already under way.
    Coalesced = "coalesced",
    /// Answers with RCODE NOERROR.
    NoError = "rcode_noerror" in "responses" "rcode" "NOERROR",
    /// Answers with RCODE FORMERR.
    FormErr = "rcode_formerr" in "responses" "rcode" "FORMERR",
    /// Answers with RCODE SERVFAIL.
    ServFail = "rcode_servfail" in "responses" "rcode" "SERVFAIL",
    /// Answers with RCODE NXDOMAIN.
    NxDomain = "rcode_nxdomain" in "responses" "rcode" "NXDOMAIN",
    /// Answers with RCODE NOTIMP.
    NotImp = "rcode_notimp" in "responses" "rcode" "NOTIMP",
    /// Answers with RCODE REFUSED.
    Refused = "rcode_refused" in "responses" "rcode" "REFUSED",
    /// Answers with any other RCODE.
    OtherRcode = "rcode_other" in "responses" "rcode" "other",
    /// Datagrams that the system dropped because a listener's buffer was full: this machine is too slow for them.
    SocketDrops = "socket_drops",
    /// Answers cut short with TC=1.
    Truncated = "truncated",
    /// Datagrams shorter than a DNS header: silence.
    SilenceShort = "silence_short" in "silences" "cause" "short",
    /// Responses sent to us as if they were queries (QR=1): silence, or two servers would talk for ever.
    SilenceResponse = "silence_response" in "silences" "cause" "response",
    /// Datagrams from port 0 or from our own address: silence.
    SilenceLoop = "silence_loop" in "silences" "cause" "loop",
    /// Datagrams from networks that are denied: silence.
    SilenceDenied = "silence_denied" in "silences" "cause" "denied",
    /// Queries that cannot be read, and were not told so because queries came in faster than they were answered.
    SilencePressed = "silence_pressed" in "silences" "cause" "pressed",
    /// Limited queries and responses that nothing was sent for.
    SilenceLimited = "silence_limited" in "silences" "cause" "limited",
    /// Queries dropped because every place for waiting queries was taken.
    SilenceOverload = "silence_overload" in "silences" "cause" "overload",
    /// Answers that the socket refused to send.
    SilenceUnsent = "silence_unsent" in "silences" "cause" "unsent",
    /// Late responses dropped because too many are held back.
    SilencePaced = "silence_paced" in "silences" "cause" "paced",
    /// Such messages dropped because too many of them wait.
    SilenceDesk = "silence_desk" in "silences" "cause" "desk",
    /// Queries over a limit of queries.
    QueriesLimited = "queries_limited" in "limited" "of" "queries",
    /// Responses over a limit of responses.
    ResponsesLimited = "responses_limited" in "limited" "of" "responses",
    /// Queries that a limit under `dry_run` would have refused.
    QueriesWouldBeLimited = "queries_would_be_limited" in "would_be_limited" "of" "queries",
    /// Responses that a limit under `dry_run` would have kept.
    ResponsesWouldBeLimited = "responses_would_be_limited" in "would_be_limited" "of" "responses",
    /// Limited queries and responses answered with TC=1, so that the client comes again over TCP.
    Slipped = "slipped" in "limited_told" "by" "truncation",
    /// Limited queries and responses answered with BADCOOKIE, so that the client comes again with the right cookie.
    BadCookies = "bad_cookies" in "limited_told" "by" "cookie",
    /// Queries with a server cookie that is ours and valid.
    CookiesValid = "cookies_valid" in "cookies" "validity" "valid",
    /// Queries with a server cookie that is not ours, or too old.
    CookiesInvalid = "cookies_invalid" in "cookies" "validity" "invalid",
    /// Clients who were told SERVFAIL, or got a stale answer, because too many newer ones wait for the same fetch.
    CrowdedOut = "crowded_out" in "crowded" "cause" "fetch",
    /// Queries told SERVFAIL, or given a stale answer, because too many of the same client wait.
    ClientCrowded = "client_crowded" in "crowded" "cause" "client",
    /// Queries told SERVFAIL, or given a stale answer, because every place for resolving was taken.
    RecursionsRefused = "recursions_refused" in "crowded" "cause" "no_place",
    /// Clients' questions given up because a newer one needed the place.
    RecursionsStolen = "recursions_stolen" in "crowded" "cause" "place_taken",
    /// Questions to upstreams refused or given up because too many about the same zone are under way.
    ZoneCrowded = "zone_crowded" in "crowded" "cause" "zone",
    /// Late responses held back, so that they leave no faster than their queries came.
    ResponsesPaced = "responses_paced",
    /// Transfers, notifications, updates and signed queries, which no worker answers itself.
    Errands = "errands",
    /// TCP connections of clients that got a place.
    TcpAccepted = "tcp_accepted",
    /// TCP connections closed at once because every place, or its network's share, was taken by clients at work.
    TcpRefused = "tcp_refused" in "tcp_closed" "cause" "refused",
    /// TCP connections closed to make place for newer ones: they had waited for their client longer than any other.
    TcpYielded = "tcp_yielded" in "tcp_closed" "cause" "yielded",
    /// TCP connections closed because no query began in time.
    TcpSilent = "tcp_silent" in "tcp_closed" "cause" "silent",
    /// TCP connections closed because no further query came in time.
    TcpIdle = "tcp_idle" in "tcp_closed" "cause" "idle",
    /// TCP connections closed because a query that had begun was not whole in time.
    TcpDribbled = "tcp_dribbled" in "tcp_closed" "cause" "dribbled",
    /// TCP connections closed because the client left its answers unread.
    TcpUnread = "tcp_unread" in "tcp_closed" "cause" "unread",
    /// Times that no more was read of a TCP connection because too much of it was under way, or unread.
    TcpHeldBack = "tcp_held_back",
    /// Queries over TCP asked again later because their answers would have been too much unread.
    TcpPutOff = "tcp_put_off",
    /// Primaries that told their serial number.
    PrimariesAnswered = "primaries_answered" in "primary_checks" "outcome" "answered",
    /// Primaries that did not, or not believably.
    PrimariesFailed = "primaries_failed" in "primary_checks" "outcome" "failed",
    /// Zones that a primary gave us, whole or what has changed.
    TransfersInDone = "transfers_in_done" in "transfers_in" "outcome" "done",
    /// Transfers from primaries that brought nothing.
    TransfersInFailed = "transfers_in_failed" in "transfers_in" "outcome" "failed",
    /// Zones that we gave to secondaries, whole or what has changed.
    TransfersOutDone = "transfers_out_done" in "transfers_out" "outcome" "done",
    /// Transfers to secondaries that were broken off, or found too many others under way.
    TransfersOutFailed = "transfers_out_failed" in "transfers_out" "outcome" "failed",
    /// Transfers that were refused: not allowed, no zone of ours, or one without data.
    TransfersOutRefused = "transfers_out_refused" in "transfers_out" "outcome" "refused",
    /// Dynamic updates that are in force.
    UpdatesDone = "updates_done" in "updates" "outcome" "done",
    /// Dynamic updates that were refused: signature, policy, prerequisites, form.
    UpdatesRefused = "updates_refused" in "updates" "outcome" "refused",
    /// Dynamic updates that could not be kept or put in force.
    UpdatesFailed = "updates_failed" in "updates" "outcome" "failed",
    /// Resolutions begun.
    Resolutions = "resolutions",
    /// Resolutions that ended without an answer.
    ResolutionsFailed = "resolutions_failed",
    /// Queries sent to upstreams over UDP.
    UpstreamUdp = "upstream_udp" in "upstream_queries" "transport" "udp",
    /// Queries sent to upstreams over TCP.
    UpstreamTcp = "upstream_tcp" in "upstream_queries" "transport" "tcp",
    /// Questions handed to forwarders.
    UpstreamForwarded = "upstream_forwarded" in "upstream_queries" "transport" "forward",
    /// Upstream queries that no response came to in time.
    UpstreamTimeouts = "upstream_timeouts",
    /// Second queries sent to another server because the first was slow.
    UpstreamHedges = "upstream_hedges",
    /// Workers that panicked and were replaced: a fault of this program, please report it.
    WorkerPanics = "worker_panics",
    /// Upstream responses thrown away: wrong id, question, letter case, cookie or form.
    UpstreamJunk = "upstream_junk" in "upstream_refused" "cause" "junk",
    /// Upstream servers found lame for a zone: not authoritative, or refusing.
    UpstreamLame = "upstream_lame" in "upstream_refused" "cause" "lame",
    /// Referrals upward or sideways, refused.
    UpstreamBadReferral = "upstream_bad_referral" in "upstream_refused" "cause" "bad_referral",
    /// Records from outside the zone asked, scrubbed from a response.
    Scrubbed = "scrubbed",
    /// Answers from upstreams that are signed all the way from a trust anchor.
    ValidatedSecure = "validated_secure" in "validated" "outcome" "secure",
    /// Answers from upstreams of which a part comes from a zone that is provably not signed.
    ValidatedInsecure = "validated_insecure" in "validated" "outcome" "insecure",
    /// Answers refused because a signature does not fit.
    BogusSignature = "bogus_signature" in "bogus" "cause" "signature",
    /// Answers refused because signatures have expired, or do not hold yet.
    BogusTime = "bogus_time" in "bogus" "cause" "time",
    /// Answers refused because a zone does not have the keys that its parent, or its signatures, speak of.
    BogusKey = "bogus_key" in "bogus" "cause" "key",
    /// Answers refused because they are not signed and their zone is.
    BogusUnsigned = "bogus_unsigned" in "bogus" "cause" "unsigned",
    /// Answers refused because what they deny is not proved.
    BogusProof = "bogus_proof" in "bogus" "cause" "proof",
    /// Answers made from what signed zones have proven of other names (RFC 8198).
    SynthesisedAnswers = "synthesised_answers",
    /// Signatures checked.
    SignaturesChecked = "signatures_checked",
    /// Blocks of 64 octets hashed to read denials by NSEC3.
    BlocksHashed = "nsec3_blocks_hashed",
    /// Resolutions stopped by the bound on upstream queries.
    BoundQueries = "bound_queries" in "bounds_reached" "bound" "queries",
    /// Resolutions stopped by the bound on bytes received.
    BoundBytes = "bound_bytes" in "bounds_reached" "bound" "bytes",
    /// Resolutions stopped by the bound on aliases.
    BoundAliases = "bound_aliases" in "bounds_reached" "bound" "aliases",
    /// Resolutions stopped by the bound on referrals.
    BoundReferrals = "bound_referrals" in "bounds_reached" "bound" "referrals",
    /// Name-server address lookups refused by the bounds on them.
    BoundGlueless = "bound_glueless" in "bounds_reached" "bound" "glueless",
    /// Sub-queries refused for nesting too deep.
    BoundDepth = "bound_depth" in "bounds_reached" "bound" "depth",
    /// Resolutions stopped by the bound on time, and responses that came past it.
    BoundTime = "bound_time" in "bounds_reached" "bound" "time",
    /// Validations stopped by a bound on signatures, hashes or steps.
    BoundChecks = "bound_checks" in "bounds_reached" "bound" "checks",
    /// RRsets refused for holding too many records.
    BoundRecords = "bound_records" in "bounds_reached" "bound" "records",
    /// Resolutions that would have waited for themselves.
    LoopsFound = "loops_found",
    /// Queries answered SERVFAIL because forwarding leads back to this server.
    ForwardLoops = "forward_loops",
    /// Messages written to the dnstap reader.
    TapWritten = "dnstap_written",
    /// Messages that the dnstap reader was too slow for, or not there.
    TapDropped = "dnstap_dropped",
}

/// The metrics of several events, by the names of [`Event::series`], and what they count.
pub const METRICS: [(&str, &str); 19] = [
    ("queries", "Queries received."),
    ("responses", "Responses sent."),
    ("silences", "Queries, datagrams and responses that nothing was sent for."),
    ("limited", "Queries and responses over a limit."),
    ("would_be_limited", "Queries and responses that a limit under `dry_run` would have stopped."),
    ("limited_told", "Limited queries and responses whose client was told to come again."),
    ("cookies", "Queries with a server cookie."),
    ("crowded", "Questions refused or given up because too many were waiting."),
    ("tcp_closed", "TCP connections of clients that we closed."),
    ("reloads", "Readings of the configuration after the start."),
    ("primary_checks", "Questions for the serial number of a secondary zone."),
    ("transfers_in", "Zone transfers from primaries."),
    ("transfers_out", "Zone transfers to secondaries."),
    ("updates", "Dynamic updates (RFC 2136)."),
    ("upstream_queries", "Queries sent to upstreams."),
    ("upstream_refused", "Responses of upstreams that were not taken as an answer."),
    ("validated", "Answers from upstreams that validation lets pass."),
    ("bogus", "Answers from upstreams that validation refused."),
    ("bounds_reached", "Resolutions stopped, and lookups refused, by a bound on their cost."),
];

/// The types that queries are counted by, each for itself, by their numbers: A, NS, CNAME, SOA, PTR, MX, TXT, AAAA, SRV,
/// NAPTR, DS, RRSIG, NSEC, DNSKEY, TLSA, SVCB, HTTPS, IXFR, AXFR, ANY, CAA. All others are counted together.
pub const TYPES: [u16; 21] = [1, 2, 5, 6, 12, 15, 16, 28, 33, 35, 43, 46, 47, 48, 52, 64, 65, 251, 252, 255, 257];

/// The place in [`TYPES`] of every number up to the last; that behind them for those that have none.
const PLACES: [u8; 258] = {
    let mut places = [TYPES.len() as u8; 258];
    let mut at = 0;
    while at < TYPES.len() {
        #[expect(clippy::indexing_slicing, reason = "at compile time; the last number is the last place")]
        {
            places[TYPES[at] as usize] = at as u8;
        }
        at += 1;
    }
    places
};

/// What takes time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(usize)]
pub enum Timing {
    /// Responses from finished answers: from the query's arrival until the batch that it came in is sent.
    Recalled,
    /// Responses composed at once, from the cache's RRsets, our zones or the hosts file: the same.
    Composed,
    /// Responses that waited for upstreams: from the query's arrival until they may leave.
    Resolved,
    /// Exchanges with upstreams: from the query until a response that is believed.
    Upstream,
}

impl Timing {
    /// All, in order.
    pub const ALL: [Self; 4] = [Self::Recalled, Self::Composed, Self::Resolved, Self::Upstream];
}

/// The place of queries over TCP or UDP, from IPv6 or IPv4.
const fn way(is_tcp: bool, is_v6: bool) -> usize {
    (is_tcp as usize) << 1 | is_v6 as usize
}

/// One worker's counters.
#[derive(Debug)]
pub struct Tally {
    events: [AtomicU64; Event::ALL.len()],
    /// Over UDP from IPv4, from IPv6; over TCP from IPv4, from IPv6.
    types: [[AtomicU64; TYPES.len() + 1]; 4],
    times: [Histogram; Timing::ALL.len()],
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            events: [const { AtomicU64::new(0) }; Event::ALL.len()],
            types: [const { [const { AtomicU64::new(0) }; TYPES.len() + 1] }; 4],
            times: std::array::from_fn(|_| Histogram::default()),
        }
    }
}

fn add(counter: Option<&AtomicU64>, times: u64) {
    if let Some(counter) = counter {
        counter.store(counter.load(Ordering::Relaxed).wrapping_add(times), Ordering::Relaxed);
    }
}

impl Tally {
    /// Counts `event` once. Only the tally's owner may call it: two writers would lose counts.
    pub fn count(&self, event: Event) {
        self.add(event, 1);
    }

    /// Counts `event` `times` times; like [`Tally::count`], for the owner only.
    pub fn add(&self, event: Event, times: u64) {
        add(self.events.get(event as usize), times);
    }

    /// Counts `event` `times` times among others who do so too, on a tally that nobody owns.
    pub fn add_among(&self, event: Event, times: u64) {
        if let Some(counter) = self.events.get(event as usize) {
            counter.fetch_add(times, Ordering::Relaxed);
        }
    }

    /// Counts a query for the type of this number, over TCP or UDP, from IPv6 or IPv4; for the owner only.
    pub fn count_type(&self, number: u16, is_tcp: bool, is_v6: bool) {
        let place = PLACES.get(usize::from(number)).map_or(TYPES.len(), |place| usize::from(*place));
        add(self.types.get(way(is_tcp, is_v6)).and_then(|types| types.get(place)), 1);
    }

    /// Notes that something took `took`, `times` times over; for the owner only.
    pub fn time(&self, what: Timing, took: Duration, times: u64) {
        if let Some(histogram) = self.times.get(what as usize) {
            histogram.note(took, times);
        }
    }

    /// How often `event` was counted; any thread may read.
    #[must_use]
    pub fn read(&self, event: Event) -> u64 {
        self.events.get(event as usize).map_or(0, |counter| counter.load(Ordering::Relaxed))
    }

    /// The queries for each of [`TYPES`], and at the end those for all others; any thread may read.
    #[must_use]
    pub fn read_types(&self) -> [u64; TYPES.len() + 1] {
        let mut sums = [0_u64; TYPES.len() + 1];
        for types in &self.types {
            let counts = types.iter().map(|counter| counter.load(Ordering::Relaxed));
            sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum = sum.wrapping_add(count));
        }
        sums
    }

    /// The same of those over TCP or UDP, from IPv6 or IPv4, alone.
    #[must_use]
    pub fn read_types_by(&self, is_tcp: bool, is_v6: bool) -> [u64; TYPES.len() + 1] {
        let types = self.types.get(way(is_tcp, is_v6));
        std::array::from_fn(|at| types.and_then(|types| types.get(at)).map_or(0, |count| count.load(Ordering::Relaxed)))
    }

    /// How long it took; any thread may read.
    #[must_use]
    pub fn read_times(&self, what: Timing) -> Spread {
        self.times.get(what as usize).map(Histogram::read).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_has_its_place_and_the_rest_share_one() {
        let tally = Tally::default();
        (0..=u16::MAX).for_each(|number| tally.count_type(number, number % 2 == 0, number % 3 == 0));
        let counts = tally.read_types();
        assert_eq!(counts[..TYPES.len()], [1; TYPES.len()]);
        assert_eq!(counts[TYPES.len()], (1 << 16) - TYPES.len() as u64);
    }

    #[test]
    fn the_events_of_a_metric_follow_one_another_and_no_two_are_alike() {
        let series: Vec<_> = Event::ALL.iter().map(|event| (event.name(), event.series())).collect();
        let mut metrics: Vec<_> =
            series.iter().map(|(name, series)| series.map_or(*name, |(metric, ..)| metric)).collect();
        metrics.dedup();
        let count = metrics.len();
        metrics.sort_unstable();
        metrics.dedup();
        assert_eq!(metrics.len(), count);
        for (at, one) in series.iter().enumerate() {
            assert!(
                series[..at].iter().all(|other| other.0 != one.0 && (one.1.is_none() || other.1 != one.1)),
                "{one:?}"
            );
        }
    }
}
