//! Every bound of the program, in one place. `docs/bounds.md` is checked against this file.

use std::time::Duration;

/// A bound as the documentation shows it: its name here, its value, and what is bounded.
pub struct Bound {
    /// The constant's name.
    pub name: &'static str,
    /// The value in words.
    pub value: fn() -> String,
    /// What it bounds, and the clause it comes from.
    pub about: &'static str,
}

macro_rules! bounds {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty = $value:expr;)+) => {
        $($(#[doc = $doc])+ pub const $name: $type = $value;)+

        /// All bounds, for the documentation and its test.
        pub const ALL: &[Bound] = &[
            $(Bound { name: stringify!($name), value: || format!("{:?}", $name), about: concat!($($doc),+).trim_ascii() },)+
        ];
    };
}

bounds! {
    /// EDNS UDP size advertised to upstreams, octets (RFC 9715).
    UPSTREAM_UDP_SIZE: u16 = 1232;
    /// Largest UDP response sent, octets.
    UDP_RESPONSE_MAX: usize = 1232;
    /// UDP response size for clients without EDNS, octets (RFC 1035 §4.2.1).
    UDP_RESPONSE_FLOOR: usize = 512;
    /// Largest message over TCP, octets (RFC 1035 §4.2.2).
    MESSAGE_MAX: usize = 65_535;
    /// Timeout for a server never asked before.
    RTO_INITIAL: Duration = Duration::from_millis(376);
    /// Shortest timeout of an upstream query.
    RTO_MIN: Duration = Duration::from_millis(50);
    /// Longest timeout of an upstream query.
    RTO_MAX: Duration = Duration::from_secs(3);
    /// Longest time that a failed server is avoided.
    SERVER_PENALTY_MAX: Duration = Duration::from_secs(30);
    /// Servers at most this much slower than the fastest share the queries.
    RTT_BAND: Duration = Duration::from_millis(400);
    /// Queries in a thousand that try a server outside the band.
    EXPLORE_PERMILLE: u32 = 50;
    /// Queries to one server for one question (RFC 9520 §3.1).
    TRIES_PER_SERVER: u8 = 3;
    /// Queries to all servers for one question.
    TRIES_PER_STEP: u8 = 32;
    /// Hedged queries in a thousand upstream queries.
    HEDGES_PERMILLE: u32 = 50;
    /// A client has its answer by then, be it SERVFAIL.
    CLIENT_DEADLINE: Duration = Duration::from_millis(4_500);
    /// A resolution ends by then, whatever it still waits for.
    WORK_DEADLINE: Duration = Duration::from_secs(6);
    /// Upstream queries for one client query: sub-queries, retries, minimisation and TCP together.
    UPSTREAM_QUERIES: u32 = 64;
    /// Octets received from upstreams for one client query.
    UPSTREAM_BYTES: usize = 128 * 1024;
    /// CNAME and DNAME records followed for one client query. Where the last of them leads must be known by then: nobody
    /// is asked for it.
    ALIASES_MAX: u32 = 11;
    /// Names tried for one client query along a search list, the one as it was asked for among them.
    SEARCH_MAX: usize = 12;
    /// Policies of which names pods may resolve.
    POD_POLICIES: usize = 250;
    /// Sub-queries below sub-queries.
    DEPTH_MAX: u8 = 4;
    /// Signatures checked of one RRset.
    SIGNATURES_PER_RRSET: u32 = 4;
    /// Signatures checked for one client query, a P-384 one counted as four. Those that hold are remembered, so a name
    /// that costs more is answered at a later try.
    SIGNATURES_PER_QUERY: u32 = 32;
    /// Of these, how many may fail, a P-384 one counted as two.
    SIGNATURE_FAILURES: u32 = 4;
    /// Keys of one zone, algorithm and tag that a signature is checked with.
    KEYS_PER_TAG: usize = 2;
    /// DS records of one zone that are compared with its keys.
    DS_PER_ZONE: usize = 8;
    /// NSEC3 iterations that are followed to check a denial; a zone with more counts as unsigned where it denies (RFC 9276
    /// §3.2).
    NSEC3_ITERATIONS: u16 = 50;
    /// NSEC and NSEC3 records looked at of one response.
    DENIAL_PROOFS: usize = 8;
    /// Blocks of 64 octets hashed for NSEC3 for one client query.
    NSEC3_BLOCKS: u32 = 4_000;
    /// NSEC and NSEC3 records, and wildcards' RRsets, that are kept of one zone to answer other questions with.
    PROOFS_PER_ZONE: usize = 8_192;
    /// The longest time for which they are (RFC 8198 §5.4).
    PROOF_TTL_MAX: Duration = Duration::from_secs(10_800);
    /// They take at most this part of the cache, where answers are validated.
    PROOFS_SHARE: u64 = 16;
    /// Blocks of 64 octets hashed to look for them for one name; a question that would cost more is asked upstream.
    PROOF_BLOCKS: u32 = 500;
    /// A signature holds so long before its inception, for clocks that go slow.
    SIGNATURE_EARLY: Duration = Duration::from_secs(60);
    /// A signature holds for a tenth of its life past its expiration, and at most this long.
    SIGNATURE_LATE_MAX: Duration = Duration::from_secs(3_600);
    /// A key that a trust anchor's zone adds is trusted after it was there for so long; a revoked one is forgotten after
    /// the same time (RFC 5011 §2.4).
    ANCHOR_HOLD_DOWN: Duration = Duration::from_secs(30 * 86_400);
    /// A trusted key that its zone does not have is forgotten after this.
    ANCHOR_MISSING_MAX: Duration = Duration::from_secs(366 * 86_400);
    /// The least time between two looks at the keys of a trust anchor (RFC 5011 §2.3).
    ANCHOR_LOOK_MIN: Duration = Duration::from_secs(3_600);
    /// The longest time between two looks at the keys of a trust anchor.
    ANCHOR_LOOK_MAX: Duration = Duration::from_secs(15 * 86_400);
    /// The longest time until the next look where one has failed.
    ANCHOR_RETRY_MAX: Duration = Duration::from_secs(86_400);
    /// Keys of one trust anchor's zone that are followed.
    ANCHOR_KEYS_MAX: usize = 16;
    /// A name is excepted from validation for so long where nothing else is said (RFC 7646 §2).
    EXCEPTION_DEFAULT: Duration = Duration::from_secs(3_600);
    /// The longest time for which a name can be excepted from validation.
    EXCEPTION_MAX: Duration = Duration::from_secs(7 * 86_400);
    /// How often it is tried whether an excepted name validates again.
    EXCEPTION_CHECK: Duration = Duration::from_secs(300);
    /// Names that are excepted from validation while the server runs.
    EXCEPTIONS_MAX: usize = 1_000;
    /// Characters of the reason for an exception, and of who made it.
    EXCEPTION_TEXT_MAX: usize = 200;
    /// Name servers kept of a delegation.
    NAME_SERVERS_MAX: usize = 13;
    /// Addresses kept of a name server.
    ADDRESSES_PER_SERVER: usize = 4;
    /// Addresses asked of a delegation.
    ADDRESSES_MAX: usize = 16;
    /// Delegations followed for one client query of whose servers no address was known.
    GLUELESS_DELEGATIONS: u8 = 4;
    /// Name-server addresses fetched at a time for one delegation.
    GLUELESS_PARALLEL: u8 = 2;
    /// Name servers whose addresses are fetched for one delegation.
    GLUELESS_PER_DELEGATION: u8 = 4;
    /// Name servers whose addresses are fetched for one client query.
    GLUELESS_PER_QUERY: u8 = 8;
    /// Failed name-server address fetches for one client query.
    GLUELESS_FAILURES: u8 = 3;
    /// Queries sent for the sake of QNAME minimisation (RFC 9156 §2.3, `MAX_MINIMISE_COUNT`).
    MINIMISE_STEPS: u8 = 6;
    /// Of these, how many add one label only (RFC 9156 §2.3, `MINIMISE_ONE_LAB`).
    MINIMISE_ONE_LABEL: u8 = 4;
    /// A name server's name is minimised only for zones of fewer labels.
    MINIMISE_SERVERS_ABOVE: usize = 2;
    /// Referrals followed for one question.
    REFERRALS_MAX: u8 = 32;
    /// Referrals of a server to itself believed for one question: it has just shown that it does not serve the zone.
    SELF_REFERRALS_MAX: u8 = 2;
    /// Names for which a TTL is kept, at the longest.
    CACHE_TTL_MAX: Duration = Duration::from_secs(86_400);
    /// Longest TTL of a negative answer (RFC 2308 §5).
    NEGATIVE_TTL_MAX: Duration = Duration::from_secs(3_600);
    /// First time for which a failure is remembered (RFC 9520 §3.2).
    FAILURE_TTL_MIN: Duration = Duration::from_secs(5);
    /// Longest time for which a failure is remembered (RFC 9520 §3.2 allows 300 s).
    FAILURE_TTL_MAX: Duration = Duration::from_secs(30);
    /// Steps of the way from a trust anchor to the keys that an answer is signed with, for all parts of it.
    CHECK_STEPS: u32 = 128;
    /// How often a question is asked anew of other servers because what they said is bogus.
    BOGUS_RETRIES: u8 = 1;
    /// Servers whose word a walk remembers to have taken.
    SERVERS_HEARD: usize = 8;
    /// Zones and names of which each worker knows what was proved of their keys.
    ZONES_KNOWN: usize = 16_384;
    /// Octets that their keys may take.
    ZONES_KNOWN_BYTES: usize = 32 << 20;
    /// What was proved of a zone is kept at least this long, also where its TTL is 0.
    ZONE_KNOWN_MIN: Duration = Duration::from_secs(1);
    /// Referrals to unsigned zones whose proof each worker keeps until somebody wants to see it.
    REFERRALS_KEPT: usize = 1_024;
    /// Octets that these may take.
    REFERRALS_BYTES: usize = 4 << 20;
    /// What upstreams say to a question is held to be bogus for this long, and a zone without keys that are trusted.
    BOGUS_TTL: Duration = Duration::from_secs(60);
    /// Octets kept of the text that says why a question failed.
    EDE_TEXT_MAX: usize = 256;
    /// Longest time past its TTL that data may be served, in multiples of the TTL.
    STALE_TTL_FACTOR: u64 = 20;
    /// Shortest TTL that is worth a prefetch.
    PREFETCH_TTL_MIN: Duration = Duration::from_secs(10);
    /// Clients waiting for one fetch; a newer one pushes the oldest out, who is told so at once.
    WAITERS_PER_FETCH: usize = 1_000;
    /// Clients waiting in one worker; past it every fetch keeps as many as it has, or one.
    WAITERS_MAX: usize = 65_536;
    /// Queries of one client address waiting in one worker; a further one is told SERVFAIL at once.
    WAITING_PER_CLIENT: u32 = 256;
    /// The same for those who have proven their address by a connection or a valid cookie; they are counted apart.
    WAITING_PER_PROVEN_CLIENT: u32 = 2_048;
    /// Clients' questions being resolved in one worker.
    RECURSIONS_MAX: usize = 4_096;
    /// When all their places are taken, a question gives way to a newer one after this time, if it is not of the half
    /// that runs to its end.
    RECURSION_PATIENCE: Duration = Duration::from_millis(200);
    /// Resolutions under way in one worker: of clients, refreshes and sub-queries.
    RESOLUTIONS_MAX: usize = 8_192;
    /// Questions put to the servers of one zone by one worker at a time.
    QUESTIONS_PER_ZONE: usize = 512;
    /// Late responses leave for a client network no faster than its queries came in the busiest span of this length.
    PACE_SPAN: Duration = Duration::from_millis(100);
    /// Late responses that may always leave for a client network in such a span.
    PACE_FLOOR: u32 = 32;
    /// Late responses of one worker held back until they may leave.
    RESPONSES_HELD: usize = 16_384;
    /// Records read of each section of an upstream's response: the longest RRset with aliases and signatures, and more
    /// than a referral needs.
    SECTION_RECORDS_READ: usize = 384;
    /// Records of an RRset.
    RECORDS_PER_RRSET: usize = 256;
    /// Octets of a cached RRset.
    RRSET_BYTES_MAX: usize = 64 * 1024;
    /// EDNS options read of a message.
    EDNS_OPTIONS_MAX: usize = 32;
    /// Compression pointers followed within one name.
    POINTER_HOPS_MAX: u8 = 126;
    /// Names that a composed message remembers for compression.
    COMPRESSION_NAMES_MAX: usize = 120;
    /// Of these, how many are looked at for one label of a name.
    COMPRESSION_PROBES_MAX: u8 = 16;
    /// Slots of a table of limits: client networks, or networks and what they are told, that are followed at a time.
    LIMIT_SLOTS: usize = 131_072;
    /// Limits of queries that hold at once.
    LIMIT_TIERS: usize = 8;
    /// Times that a sliding window log keeps of each client; of a larger limit each stands for a group.
    LIMIT_LOG: usize = 32;
    /// TCP connections of clients, unless `limits.tcp` says otherwise.
    TCP_CONNECTIONS_MAX: usize = 10_000;
    /// One client network (/24 or /56) gets at most one in so many of the places for TCP connections.
    TCP_SHARE_OF_PLACES: usize = 10;
    /// Places for TCP connections that one client network may have, however few there are in all.
    TCP_SHARE_FLOOR: usize = 32;
    /// An idle TCP connection is kept at least this long, however many there are.
    TCP_IDLE_FLOOR: Duration = Duration::from_millis(200);
    /// Queries answered at a time on one TCP connection, unless `limits.tcp` says otherwise.
    TCP_IN_FLIGHT: usize = 32;
    /// A TCP connection without a query is closed after this time, unless `limits.tcp` says otherwise.
    TCP_IDLE: Duration = Duration::from_secs(10);
    /// A new TCP connection must send its first octet within this time.
    TCP_FIRST_OCTET: Duration = Duration::from_secs(3);
    /// A query over TCP must be whole within this time after its first octet.
    TCP_MESSAGE: Duration = Duration::from_secs(7);
    /// Octets of answers that the system holds for a TCP client beside those on their way.
    TCP_NOT_SENT_MAX: u32 = 32 * 1024;
    /// Octets of answers that a TCP client must read, or all, within `TCP_READING`.
    TCP_PROGRESS: usize = 4 * 1024;
    /// For so long a TCP client may leave its answers unread.
    TCP_READING: Duration = Duration::from_secs(10);
    /// Octets of the queries under way on one TCP connection; past it nothing more is read from it.
    TCP_ASKED_MAX: usize = 64 * 1024;
    /// Nothing more is read from a TCP connection while so many octets of answers are unread, those expected included.
    TCP_UNREAD_PAUSE: usize = 32 * 1024;
    /// Octets of answers that one TCP connection holds in any case; queries whose answers would be too much are asked
    /// again when there is room.
    TCP_UNSENT_MAX: usize = 128 * 1024;
    /// A TCP connection to an upstream must be there within this time.
    UPSTREAM_TCP_CONNECT: Duration = Duration::from_secs(3);
    /// An unused TCP connection to an upstream is kept this long.
    UPSTREAM_TCP_IDLE: Duration = Duration::from_secs(60);
    /// Queries sent over one TCP connection to an upstream.
    UPSTREAM_TCP_QUERIES: u32 = 1_000;
    /// Queries outstanding on one TCP connection to an upstream.
    UPSTREAM_TCP_IN_FLIGHT: usize = 128;
    /// TCP connections to upstreams.
    UPSTREAM_TCP_CONNECTIONS: usize = 512;
    /// Sockets for upstream UDP queries of one worker and family.
    UPSTREAM_SOCKETS_MAX: usize = 2_048;
    /// Idle upstream sockets kept of one worker, both families together.
    UPSTREAM_SOCKETS_IDLE: usize = 1_536;
    /// Idle upstream sockets kept for one server; one of so many ports is drawn for each query.
    UPSTREAM_SOCKETS_PER_SERVER: usize = 64;
    /// Queries that one upstream socket sends before it moves to another port.
    UPSTREAM_SOCKET_USES: u16 = 16;
    /// Servers whose RTT and abilities a worker remembers.
    SCOREBOARD_SERVERS: usize = 20_000;
    /// Shelves of RRsets and denials that the cache consists of at most, each with its lock.
    CACHE_SHELVES: usize = 64;
    /// Octets that each of them has at least, where there are several.
    CACHE_SHELF_BYTES: usize = 2 * 1024 * 1024;
    /// Questions, of those whose answers are chosen, of which a worker knows who chooses.
    CHOOSERS: usize = 16_384;
    /// Octets of finished answers that all workers together keep for our own zones, where the cache has less.
    FINISHED_OF_ZONES: usize = 32 * 1024 * 1024;
    /// Messages waiting in a worker's mailbox.
    MAILBOX_MAX: usize = 65_536;
    /// Datagrams received or sent by one system call.
    BATCH: usize = 32;
    /// A worker to which queries come all the time waits so long for the next one alone, as far as the system counts that
    /// finely: whatever else happens meanwhile is seen after it.
    QUERY_WAIT: Duration = Duration::from_millis(2);
    /// Octets read of a UDP query; a longer one arrives cut.
    UDP_QUERY_MAX: usize = 4_096;
    /// Tries of a batch that the socket has no room for, before its rest is given up.
    SEND_RETRIES: u32 = 4;
    /// Octets of a listening socket's receive and of its send buffer, as far as the system allows.
    SOCKET_BUFFER: usize = 4 * 1024 * 1024;
    /// Queries that come in faster than they are answered for so long are overload; until then they are a burst.
    BURST_MAX: Duration = Duration::from_millis(100);
    /// How long a query may wait in a listening socket while queries come in faster than they are answered.
    QUEUED_UNDER_OVERLOAD: Duration = Duration::from_millis(2);
    /// Lines of a hosts file.
    HOSTS_LINES_MAX: usize = 1_000_000;
    /// Warnings kept of one hosts file.
    HOSTS_WARNINGS_MAX: usize = 100;
    /// A file that is watched is looked at this often.
    FILE_POLL: Duration = Duration::from_millis(500);
    /// Of the time, looking at watched files takes at most one part in so many.
    FILE_POLL_SHARE: u32 = 20;
    /// Orders to reload that wait; those who wait share one reload.
    RELOADS_WAITING: usize = 64;
    /// Differences of a reload that are told one by one; more are counted.
    DIFFERENCES_TOLD: usize = 1_000;
    /// A reload that is in force waits so long at most until every worker answers by it, before it is said to be done.
    MOVING: Duration = Duration::from_millis(250);
    /// Old houses and zones that wait until every worker has left them.
    ATTIC_MAX: usize = 8;
    /// A forward zone whose forwarding leads back here is tried again after so long.
    LOOP_RECHECK: Duration = Duration::from_secs(30);
    /// Any other forward zone is tried for that so often.
    LOOP_CHECK: Duration = Duration::from_secs(3_600);
    /// Exchanges with forwarders under way for one forward zone.
    FORWARD_EXCHANGES: usize = 512;
    /// Datagrams sent to one forwarder for one question.
    FORWARD_TRIES: u8 = 3;
    /// Octets of a configuration, hosts or hints file.
    TEXT_FILE_MAX: u64 = 64 * 1024 * 1024;
    /// Octets of a database of places.
    GEO_FILE_MAX: u64 = 2 * 1024 * 1024 * 1024;
    /// Networks of a database of places, empty and repeated ones included.
    GEO_NETWORKS_MAX: usize = 64 * 1024 * 1024;
    /// Octets of a cache snapshot.
    SNAPSHOT_MAX: u64 = 4 * 1024 * 1024 * 1024;
    /// Pause between two savings of cache and health, which are what a sudden end loses.
    SAVE_INTERVAL: Duration = Duration::from_secs(60);
    /// Age past which a cache snapshot is not loaded.
    SNAPSHOT_AGE_MAX: Duration = Duration::from_secs(86_400);
    /// Octets of a master file.
    ZONE_FILE_MAX: u64 = u32::MAX as u64;
    /// Errors and lints of a zone that are reported; more are counted.
    ZONE_FINDINGS_MAX: usize = 100;
    /// Octets of a zone, compiled or on its way there.
    ZONE_BYTES_MAX: usize = u32::MAX as usize - 1024 * 1024;
    /// Records made by the $GENERATE directives of a zone.
    GENERATED_RECORDS_MAX: u64 = 10_000_000;
    /// Octets of a pattern that names of fixed answers must look like, once it is made ready.
    PATTERN_BYTES_MAX: usize = 256 * 1024;
    /// Lines that the snippets of a Corefile may bring.
    COREFILE_LINES_MAX: usize = 65_536;
    /// Files read by the $INCLUDE directives of a zone.
    INCLUDED_FILES_MAX: usize = 1_000;
    /// $INCLUDE directives within included files.
    INCLUDE_DEPTH_MAX: usize = 10;
    /// Extra iterations of the NSEC3 hash that a zone of ours may ask for (RFC 9276 §3.1 wants 0).
    NSEC3_ITERATIONS_MAX: u16 = 150;
    /// Servers named in an RRset whose addresses are added to an authoritative answer.
    ADDITIONAL_TARGETS_MAX: usize = 32;
    /// Records that dynamic updates may make of one RRset: more would not fit a message.
    UPDATED_RRSET_RECORDS: usize = 4_096;
    /// Octets of one difference in a journal; the largest update is a message of 64 KiB, but what it deletes can be more.
    JOURNAL_RECORD_MAX: usize = 64 * 1024 * 1024;
    /// Octets of a zone's journal; past it the zone is written anew and the journal begins again.
    JOURNAL_BYTES: u64 = 256 * 1024;
    /// Updates of one zone that are written to the journal at once.
    UPDATES_TOGETHER: usize = 64;
    /// Updates of all zones that wait for their turn.
    UPDATES_WAITING: usize = 1_024;
    /// Messages of a signed stream in a row that carry no signature of their own (RFC 8945 §5.3.1).
    TSIG_UNSIGNED_MAX: usize = 99;
    /// Zones being sent to secondaries at a time.
    TRANSFERS_OUT_MAX: usize = 32;
    /// Zones being fetched from primaries at a time.
    TRANSFERS_IN_MAX: usize = 16;
    /// A primary must accept a connection within this time.
    TRANSFER_CONNECT: Duration = Duration::from_secs(5);
    /// Each further message of a transfer from a primary must come within this time.
    TRANSFER_IDLE: Duration = Duration::from_secs(30);
    /// A whole transfer, in or out, must be done within this time.
    TRANSFER_DEADLINE: Duration = Duration::from_secs(3_600);
    /// Octets of messages taken in one transfer from a primary.
    TRANSFER_BYTES_MAX: usize = u32::MAX as usize;
    /// Records taken in one transfer from a primary.
    TRANSFER_RECORDS_MAX: usize = 50_000_000;
    /// Records of an incremental transfer from a primary; one with more is fetched whole.
    IXFR_RECORDS_MAX: usize = 1_000_000;
    /// Versions back that a zone can be sent incrementally (RFC 1995).
    HISTORY_STEPS_MAX: usize = 1_000;
    /// Octets that a zone's differences may take, however small the zone; else they may take what it takes.
    HISTORY_BYTES_FLOOR: usize = 64 * 1024;
    /// The shortest time between two checks of a primary, whatever the SOA record says.
    REFRESH_MIN: Duration = Duration::from_secs(1);
    /// The longest time between two checks of a primary, whatever the SOA record says.
    REFRESH_MAX: Duration = Duration::from_secs(86_400);
    /// The first pause after no primary could give a zone that we have no data of; it doubles.
    FIRST_RETRY_MIN: Duration = Duration::from_secs(2);
    /// The longest such pause.
    FIRST_RETRY_MAX: Duration = Duration::from_secs(600);
    /// An answer to a question for a SOA record, or to a NOTIFY, is awaited this long at first; then twice as long.
    PROBE_TIMEOUT: Duration = Duration::from_secs(1);
    /// Datagrams that ask one primary for its SOA record.
    PROBE_TRIES: u32 = 3;
    /// Datagrams that tell one secondary of one change (RFC 1996 §3.6).
    NOTIFY_TRIES: u32 = 7;
    /// The longest pause between them.
    NOTIFY_PAUSE_MAX: Duration = Duration::from_secs(60);
    /// Secondaries being told of a change at a time.
    NOTIFIES_MAX: usize = 1_024;
    /// Zones that one catalog may list (RFC 9432).
    CATALOG_MEMBERS_MAX: usize = 100_000;
    /// Messages that wait for a clerk: transfers, notifications, updates.
    DESK_WAITING: usize = 1_024;
    /// Messages that clerks work on at a time.
    DESK_ERRANDS: usize = 256;
    /// Changes of zones that a listener may be behind before it is told that it missed some.
    ZONE_NEWS: usize = 4_096;
    /// Targets of ALIAS records that are resolved.
    ALIAS_TARGETS_MAX: usize = 10_000;
    /// Questions for targets of ALIAS records under way.
    ALIAS_QUESTIONS: usize = 64;
    /// Addresses of an ALIAS are asked for again no sooner than this.
    ALIAS_REFRESH_MIN: Duration = Duration::from_secs(5);
    /// Addresses of an ALIAS that could not be had are asked for again after this time at the latest.
    ALIAS_RETRY_MAX: Duration = Duration::from_secs(60);
    /// Addresses of an ALIAS are given so long past their TTL.
    ALIAS_STALE_MAX: Duration = Duration::from_secs(86_400);
    /// A TERM is followed by this time for queries already admitted.
    DRAIN: Duration = Duration::from_secs(5);
    /// Connections to the admin address.
    ADMIN_CONNECTIONS: usize = 64;
    /// An admin connection without a request is closed after this time.
    ADMIN_IDLE: Duration = Duration::from_secs(10);
    /// Body of an admin request.
    ADMIN_BODY_MAX: usize = 1024 * 1024;
    /// An admin request must be done within this time.
    ADMIN_DEADLINE: Duration = Duration::from_secs(5);
    /// A reload that is asked for at the admin address must be done within this time: it may wait for one that is under way,
    /// and each of them for the longest `startup_timeout`, 5 min.
    RELOAD_DEADLINE: Duration = Duration::from_secs(610);
    /// dnstap messages that wait to be written.
    TAP_MESSAGES: usize = 16_384;
    /// Octets of them.
    TAP_BYTES: usize = 16 * 1024 * 1024;
    /// A dnstap reader must connect, read what is written at once, and finish within this time each.
    TAP_PATIENCE: Duration = Duration::from_secs(3);
    /// The longest pause between two tries to reach a dnstap reader.
    TAP_RECONNECT: Duration = Duration::from_secs(8);
    /// Log lines that wait to be written.
    LOG_LINES: usize = 16_384;
    /// Different warnings whose repetitions are counted.
    REPEATS_KEPT: usize = 1_024;
    /// Times that the same warning is written within `REPEATS_WITHIN`.
    REPEATS_MAX: u32 = 5;
    /// The time in which repeated warnings are left out.
    REPEATS_WITHIN: Duration = Duration::from_secs(60);
    /// The admin address looks at its figures so often.
    HISTORY_STEP: Duration = Duration::from_secs(2);
    /// Samples of figures that are kept: ten minutes of them.
    HISTORY_KEPT: usize = 300;
    /// Warnings and errors of the log that the admin address can still tell.
    NOTES_KEPT: usize = 100;
    /// Octets of such a line; what is longer is cut.
    NOTE_MAX: usize = 1024;
    /// Members of a pool.
    POOL_MEMBERS_MAX: usize = 10_000;
    /// Points on a hash ring, all members of a pool together.
    RING_POINTS_MAX: usize = 1_000_000;
    /// Entries of a Maglev table; a prime (R14 of the steering rules).
    MAGLEV_ENTRIES: u32 = 65_537;
    /// Keys for which a scoring stage remembers who answers them now.
    INCUMBENTS_MAX: usize = 1_024;
    /// Health overrides in force.
    OVERRIDES_MAX: usize = 1_000;
    /// Octets of the reason or actor of a health override.
    OVERRIDE_TEXT_MAX: usize = 256;
    /// Health checks of one server.
    CHECKS_MAX: usize = 100_000;
    /// Health checks under way at a time.
    CHECKS_IN_FLIGHT: usize = 256;
    /// Octets read of what a probed target sends.
    CHECK_BODY_MAX: usize = 64 * 1024;
    /// Octets kept of what a check's program prints.
    CHECK_OUTPUT_MAX: u64 = 4 * 1024;
    /// Octets of the text that says what a probe found.
    CHECK_WHY_MAX: usize = 200;
    /// Addresses tried of a host that is probed by its name.
    CHECK_ADDRESSES_MAX: usize = 4;
    /// Numbers of feeds being fetched at a time.
    FEEDS_IN_FLIGHT: usize = 64;
    /// A number of a feed must be fetched within this time.
    FEED_DEADLINE: Duration = Duration::from_secs(5);
    /// The least time between two boards: so long may a changed health wait for the answers.
    BOARD_EVERY: Duration = Duration::from_millis(200);
    /// The least time between two publications of feeds.
    FEEDS_EVERY: Duration = Duration::from_millis(500);
    /// The least time between two savings of health and overrides.
    HEALTH_SAVED_EVERY: Duration = Duration::from_secs(2);
    /// Health and overrides are saved this often even if nothing changes.
    HEALTH_SAVED_ANYWAY: Duration = Duration::from_secs(300);
    /// A drained member is waited for so long past the end of its last answer, for slow clocks.
    DRAIN_SLACK: Duration = Duration::from_secs(2);
    /// Octets of the saved health and overrides.
    SAVED_HEALTH_MAX: u64 = 64 * 1024 * 1024;
    /// Zones of the configuration that metrics tell of each by itself; the rest is counted.
    ZONES_TOLD: usize = 1_000;
    /// Answers of a thread in a second whose clients' countries are counted each by itself.
    COUNTRIES_A_SECOND: u64 = 1_000;
    /// Beyond that, one answer in so many has its client's country looked up, and counts for all of them.
    COUNTRIES_SAMPLE: u64 = 64;
    /// A denial at a steered name is kept for at most so many seconds: resolvers take it for everybody's (R2.7 of the
    /// steering rules), and another member may have what this one lacks.
    STEERED_DENIAL_TTL: u32 = 10;
    /// Different pairs of pool and policy that are compiled with the databases of places; names beyond them look their
    /// places up.
    COMPILED_POLICIES_MAX: usize = 64;
    /// Metrics of a pool.
    METRICS_MAX: usize = 64;
    /// Networks inside the prefixes of its clients that a simulation looks at, beside one for each.
    SIMULATED_NETWORKS: usize = 200_000;
    /// Draws of a simulation for all networks together, where no odds are known; at least 16 for each.
    SIMULATED_DRAWS: usize = 100_000;
    /// Selections of a simulation for the loss of members.
    SIMULATED_LOSSES: usize = 8_000_000;
    /// Prefixes of client subnets that are proved of one steered name.
    PROVED_PREFIXES: usize = 4_000;
    /// Addresses tried inside each of them.
    PROVED_INSIDE: usize = 64;
    /// Clients of a simulation.
    SIMULATED_CLIENTS: usize = 2_000_000;
    /// Health that was saved longer ago than this is not believed any more.
    SAVED_HEALTH_AGE_MAX: Duration = Duration::from_secs(600);
    /// Files and folders in `state` that are given to the user who is become.
    STATE_FILES_MAX: usize = 1_000_000;
    /// Sockets taken over from a running server.
    HANDOVER_SOCKETS_MAX: usize = 65_536;
    /// A server that is to be replaced saves its cache within this time.
    HANDOVER_SAVE: Duration = Duration::from_secs(120);
    /// Who replaces a server is ready within this time after it was given the sockets.
    HANDOVER_START: Duration = Duration::from_secs(600);
    /// A server that is short of descriptors or memory listens for a successor again after this time.
    HANDOVER_REST: Duration = Duration::from_millis(200);
    /// So long are commands waited for that are under way when a server steps down.
    STEP_DOWN_COMMANDS: Duration = Duration::from_secs(1);
    /// So long is waited for messages that lie on the desk when a server steps down.
    STEP_DOWN_DESK: Duration = Duration::from_millis(500);
    /// A server that is bid to step down takes and changes nothing more within this time.
    HANDOVER_STEP_DOWN: Duration = Duration::from_secs(10);
    /// Octets of one object of a cluster's API; its store takes 1.5 MB.
    CLUSTER_OBJECT_MAX: usize = 8 * 1024 * 1024;
    /// Octets around a list's objects, and of an error, from a cluster's API.
    CLUSTER_ENVELOPE_MAX: usize = 64 * 1024;
    /// Objects of a page of a list from a cluster's API.
    CLUSTER_PAGE: u32 = 500;
    /// Batches of a cluster's changes, each of one read of a socket, that wait for being taken in.
    CLUSTER_BATCHES: usize = 16;
    /// A cluster's API is asked again after this time, which doubles with every failure in a row.
    CLUSTER_RETRY_MIN: Duration = Duration::from_millis(500);
    /// The longest such time, and the longest that the API may bid us wait.
    CLUSTER_RETRY_MAX: Duration = Duration::from_secs(30);
    /// A cluster's API begins to respond, and goes on in a list, within this time.
    CLUSTER_RESPONSE: Duration = Duration::from_secs(60);
    /// A watch that tells nothing at all for this time, not even a bookmark, is begun anew.
    CLUSTER_SILENCE_MAX: Duration = Duration::from_secs(150);
    /// A watch is begun anew after this time and up to as much again, so that servers share the clients.
    CLUSTER_WATCH: Duration = Duration::from_secs(300);
    /// What is held of a cluster is compared with a list of the same moment this often.
    CLUSTER_CHECK_EVERY: Duration = Duration::from_secs(900);
    /// The least time between two tables of a cluster's names.
    CLUSTER_TABLE_EVERY: Duration = Duration::from_millis(10);
    /// The least time between two snapshots of a cluster.
    CLUSTER_SAVED_EVERY: Duration = Duration::from_secs(300);
    /// Changes of endpoints whose time until the next table is measured.
    CLUSTER_TIMED_MAX: usize = 4_096;
    /// Objects of a kind that are kept of a Kubernetes cluster.
    CLUSTER_OBJECTS_MAX: usize = 2_000_000;
    /// Octets of the records of one type at one name of a Kubernetes cluster: what a message has room for.
    CLUSTER_ANSWER_BYTES: usize = 60_000;
}
