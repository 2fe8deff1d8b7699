//! Counters: every silence, fault and bound reached has one, named like the thing that it counts.
//!
//! Each worker owns a [`Tally`] and is its only writer, so counting is a plain load and store; a scrape
//! adds the workers' tallies up.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! events {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// What is counted. The text of each is the metric's label and help.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(usize)]
        pub enum Event { $($(#[doc = $doc])+ $variant,)+ }

        impl Event {
            /// Every event, in order.
            pub const ALL: &'static [Event] = &[$(Event::$variant,)+];

            /// The metric's name, without the prefix `meridian_`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Event::$variant => $name,)+ }
            }

            /// What the metric counts.
            #[must_use]
            pub const fn help(self) -> &'static str {
                match self { $(Event::$variant => concat!($($doc),+),)+ }
            }
        }
    };
}

events! {
    /// Reloads that changed something, by signal, file or admin address.
    Reloads = "reloads",
    /// Reloads that found nothing changed.
    ReloadsUnchanged = "reloads_unchanged",
    /// Reloads that were refused for their faults, and zone files that stayed as they were.
    ReloadsRefused = "reloads_refused",
    /// Queries received over UDP.
    QueriesUdp = "queries_udp",
    /// Queries received over TCP.
    QueriesTcp = "queries_tcp",
    /// Responses sent.
    Responses = "responses",
    /// Queries answered from finished answers, without parsing.
    Recalled = "recalled",
    /// Queries answered from the cache's RRsets.
    CacheHits = "cache_hits",
    /// Queries that needed an upstream.
    CacheMisses = "cache_misses",
    /// Answers given past their TTL because upstreams failed (RFC 8767).
    StaleAnswers = "stale_answers",
    /// Refreshes of popular names shortly before they expire.
    Prefetches = "prefetches",
    /// Queries answered from a remembered failure (RFC 9520).
    FailureHits = "failure_hits",
    /// Queries answered from the hosts file.
    HostsHits = "hosts_hits",
    /// Queries that joined a fetch already under way.
    Coalesced = "coalesced",
    /// Answers with RCODE NOERROR.
    NoError = "rcode_noerror",
    /// Answers with RCODE FORMERR.
    FormErr = "rcode_formerr",
    /// Answers with RCODE SERVFAIL.
    ServFail = "rcode_servfail",
    /// Answers with RCODE NXDOMAIN.
    NxDomain = "rcode_nxdomain",
    /// Answers with RCODE NOTIMP.
    NotImp = "rcode_notimp",
    /// Answers with RCODE REFUSED.
    Refused = "rcode_refused",
    /// Answers with any other RCODE.
    OtherRcode = "rcode_other",
    /// Answers cut short with TC=1.
    Truncated = "truncated",
    /// Datagrams shorter than a DNS header: silence.
    SilenceShort = "silence_short",
    /// Responses sent to us as if they were queries (QR=1): silence, or two servers would talk for ever.
    SilenceResponse = "silence_response",
    /// Datagrams from port 0 or from our own address: silence.
    SilenceLoop = "silence_loop",
    /// Datagrams from networks that are denied: silence.
    SilenceDenied = "silence_denied",
    /// Queries that cannot be read, and were not told so because queries came in faster than they were answered.
    SilencePressed = "silence_pressed",
    /// Limited queries and responses that nothing was sent for.
    SilenceLimited = "silence_limited",
    /// Queries over a limit of queries.
    QueriesLimited = "queries_limited",
    /// Queries that a limit under `dry_run` would have refused.
    QueriesWouldBeLimited = "queries_would_be_limited",
    /// Responses over a limit of responses.
    ResponsesLimited = "responses_limited",
    /// Responses that a limit under `dry_run` would have kept.
    ResponsesWouldBeLimited = "responses_would_be_limited",
    /// Limited queries and responses answered with TC=1, so that the client comes again over TCP.
    Slipped = "slipped",
    /// Limited queries and responses answered with BADCOOKIE, so that the client comes again with the right cookie.
    BadCookies = "bad_cookies",
    /// Queries with a server cookie that is ours and valid.
    CookiesValid = "cookies_valid",
    /// Queries with a server cookie that is not ours, or too old.
    CookiesInvalid = "cookies_invalid",
    /// Queries dropped because every place for waiting queries was taken.
    SilenceOverload = "silence_overload",
    /// Answers that the socket refused to send.
    SilenceUnsent = "silence_unsent",
    /// Clients who were told SERVFAIL, or got a stale answer, because too many newer ones wait for the same fetch.
    CrowdedOut = "crowded_out",
    /// Queries told SERVFAIL, or given a stale answer, because too many of the same client wait.
    ClientCrowded = "client_crowded",
    /// Queries told SERVFAIL, or given a stale answer, because every place for resolving was taken.
    RecursionsRefused = "recursions_refused",
    /// Clients' questions given up because a newer one needed the place.
    RecursionsStolen = "recursions_stolen",
    /// Questions to upstreams refused or given up because too many about the same zone are under way.
    ZoneCrowded = "zone_crowded",
    /// Late responses held back, so that they leave no faster than their queries came.
    ResponsesPaced = "responses_paced",
    /// Late responses dropped because too many are held back.
    SilencePaced = "silence_paced",
    /// Transfers, notifications, updates and signed queries, which no worker answers itself.
    Errands = "errands",
    /// Such messages dropped because too many of them wait.
    SilenceDesk = "silence_desk",
    /// TCP connections of clients that got a place.
    TcpAccepted = "tcp_accepted",
    /// TCP connections closed at once because every place, or its network's share, was taken by clients at work.
    TcpRefused = "tcp_refused",
    /// TCP connections closed to make place for newer ones: they had waited for their client longer than any other.
    TcpYielded = "tcp_yielded",
    /// TCP connections closed because no query began in time.
    TcpSilent = "tcp_silent",
    /// TCP connections closed because no further query came in time.
    TcpIdle = "tcp_idle",
    /// TCP connections closed because a query that had begun was not whole in time.
    TcpDribbled = "tcp_dribbled",
    /// TCP connections closed because the client left its answers unread.
    TcpUnread = "tcp_unread",
    /// Times that no more was read of a TCP connection because too much of it was under way, or unread.
    TcpHeldBack = "tcp_held_back",
    /// Queries over TCP asked again later because their answers would have been too much unread.
    TcpPutOff = "tcp_put_off",
    /// Resolutions begun.
    Resolutions = "resolutions",
    /// Resolutions that ended without an answer.
    ResolutionsFailed = "resolutions_failed",
    /// Queries sent to upstreams over UDP.
    UpstreamUdp = "upstream_udp",
    /// Queries sent to upstreams over TCP.
    UpstreamTcp = "upstream_tcp",
    /// Questions handed to forwarders.
    UpstreamForwarded = "upstream_forwarded",
    /// Upstream queries that no response came to in time.
    UpstreamTimeouts = "upstream_timeouts",
    /// Second queries sent to another server because the first was slow.
    UpstreamHedges = "upstream_hedges",
    /// Workers that panicked and were replaced: a fault of this program, please report it.
    WorkerPanics = "worker_panics",
    /// Upstream responses thrown away: wrong id, question, letter case, cookie or form.
    UpstreamJunk = "upstream_junk",
    /// Upstream servers found lame for a zone: not authoritative, or refusing.
    UpstreamLame = "upstream_lame",
    /// Referrals upward or sideways, refused.
    UpstreamBadReferral = "upstream_bad_referral",
    /// Records from outside the zone asked, scrubbed from a response.
    Scrubbed = "scrubbed",
    /// Resolutions stopped by the bound on upstream queries.
    BoundQueries = "bound_queries",
    /// Resolutions stopped by the bound on bytes received.
    BoundBytes = "bound_bytes",
    /// Resolutions stopped by the bound on aliases.
    BoundAliases = "bound_aliases",
    /// Resolutions stopped by the bound on referrals.
    BoundReferrals = "bound_referrals",
    /// Name-server address lookups refused by the bounds on them.
    BoundGlueless = "bound_glueless",
    /// Sub-queries refused for nesting too deep.
    BoundDepth = "bound_depth",
    /// Resolutions stopped by the bound on time, and responses that came past it.
    BoundTime = "bound_time",
    /// RRsets refused for holding too many records.
    BoundRecords = "bound_records",
    /// Resolutions that would have waited for themselves.
    LoopsFound = "loops_found",
}

/// One worker's counters.
#[derive(Debug)]
pub struct Tally([AtomicU64; Event::ALL.len()]);

impl Default for Tally {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; Event::ALL.len()])
    }
}

impl Tally {
    /// Counts `event` once. Only the tally's owner may call it: two writers would lose counts.
    pub fn count(&self, event: Event) {
        self.add(event, 1);
    }

    /// Counts `event` `times` times; like [`Tally::count`], for the owner only.
    pub fn add(&self, event: Event, times: u64) {
        if let Some(counter) = self.0.get(event as usize) {
            counter.store(counter.load(Ordering::Relaxed).wrapping_add(times), Ordering::Relaxed);
        }
    }

    /// Counts `event` `times` times among others who do so too, on a tally that nobody owns.
    pub fn add_among(&self, event: Event, times: u64) {
        if let Some(counter) = self.0.get(event as usize) {
            counter.fetch_add(times, Ordering::Relaxed);
        }
    }

    /// How often `event` was counted; any thread may read.
    #[must_use]
    pub fn read(&self, event: Event) -> u64 {
        self.0.get(event as usize).map_or(0, |counter| counter.load(Ordering::Relaxed))
    }
}
