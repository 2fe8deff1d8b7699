//! What is known of upstream servers: how fast they answer, what they can do, for which zones they are lame.
//!
//! Recovery is a feature: no penalty outlives [`bounds::SERVER_PENALTY_MAX`], and when everything fails at
//! once the fault is ours (a local outage), so the first success forgives everybody.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::base::collections::{Map, keyed};
use crate::base::{Dice, Instant, bounds};
use crate::dns::Name;
use crate::dns::cookie::CookieSecret;

/// Whether a server understands something.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Ability {
    /// It was never seen either way.
    #[default]
    Unknown,
    /// It does.
    Has,
    /// It does not, as seen at this moment; believed for `ABILITY_MEMORY`.
    Lacks(Instant),
}

/// How long it is believed that a server lacks an ability: it may be replaced by a better one.
const ABILITY_MEMORY: Duration = Duration::from_secs(900);
/// So often a server must have answered only without EDNS.
const EDNS_DOUBTS: u8 = 2;
/// How long a server is believed lame for a zone.
const LAME_MEMORY: Duration = Duration::from_secs(30);
/// So many timeouts in a row, without any success, and for so long, are our own outage.
const OUTAGE_TIMEOUTS: u32 = 6;
const OUTAGE_SPAN: Duration = Duration::from_secs(1);
/// So many timeouts of a family in a row, without any success, and its servers are asked after the other's.
const FAMILY_TIMEOUTS: u32 = 4;
/// A hedge comes so much later than the answer was expected at least: less may be this machine's own delay.
const HEDGE_LAG: Duration = Duration::from_millis(5);

/// What is known of one server.
#[derive(Clone, Debug, Default)]
pub struct Score {
    /// Smoothed round-trip time (RFC 6298), nanoseconds; 0 before the first.
    srtt: u64,
    /// Its variation, nanoseconds.
    variation: u64,
    /// Timeouts since the last response.
    timeouts: u8,
    /// Avoided until then, where others can be asked.
    avoided_until: Instant,
    /// The outage count at which the penalty was given; a later outage's end voids it.
    forgiveness: u32,
    /// EDNS.
    edns: Ability,
    /// How often it answered only when asked without EDNS.
    edns_doubts: u8,
    /// Echoes the letters of the question as they were sent.
    letter_case: Ability,
    /// The server's cookie, 8–32 octets; empty if it gave none.
    cookie: Vec<u8>,
    /// Cookies at all.
    cookies: Ability,
}

impl Score {
    fn has(ability: Ability, now: Instant) -> bool {
        !matches!(ability, Ability::Lacks(seen) if now.since(seen) < ABILITY_MEMORY)
    }

    /// Whether queries to the server carry an OPT record.
    #[must_use]
    pub fn takes_edns(&self, now: Instant) -> bool {
        Self::has(self.edns, now)
    }

    /// Whether the server was seen to answer EDNS with EDNS.
    #[must_use]
    pub const fn is_known_for_edns(&self) -> bool {
        matches!(self.edns, Ability::Has)
    }

    /// Whether letter case can be randomised for the server.
    #[must_use]
    pub fn keeps_letter_case(&self, now: Instant) -> bool {
        Self::has(self.letter_case, now)
    }

    /// Whether queries to the server carry a cookie.
    #[must_use]
    pub fn takes_cookies(&self, now: Instant) -> bool {
        Self::has(self.cookies, now)
    }

    /// Whether the server was seen to send cookies, so that a response without one is forged.
    #[must_use]
    pub const fn is_known_for_cookies(&self) -> bool {
        matches!(self.cookies, Ability::Has)
    }

    /// The server's cookie; empty before the first.
    #[must_use]
    pub fn cookie(&self) -> &[u8] {
        &self.cookie
    }

    /// The time after which a query is taken for lost: srtt + 4·variation within its bounds.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        let base =
            if self.srtt == 0 { bounds::RTO_INITIAL } else { Duration::from_nanos(self.srtt + 4 * self.variation) };
        base.clamp(bounds::RTO_MIN, bounds::RTO_MAX)
    }

    /// The time after which a second server is worth asking, where the first is known: about its 95th percentile.
    #[must_use]
    pub fn hedge_after(&self) -> Option<Duration> {
        let late = Duration::from_nanos(2 * self.variation).max(HEDGE_LAG);
        (self.srtt > 0).then(|| Duration::from_nanos(self.srtt) + late)
    }

    fn expected(&self) -> Duration {
        if self.srtt == 0 { bounds::RTO_INITIAL } else { Duration::from_nanos(self.srtt) }
    }

    /// Timeouts since the last response.
    #[must_use]
    pub const fn timeouts(&self) -> u8 {
        self.timeouts
    }
}

/// How a family of addresses fares: a network may swallow all of it.
#[derive(Clone, Copy, Debug, Default)]
struct Family {
    timeouts_in_row: u32,
    last_timeout: Instant,
}

/// What is known of all servers that a worker asked, bounded: the least lucky of two random ones makes room.
#[derive(Debug)]
pub struct Scoreboard {
    scores: Map<SocketAddr, Score>,
    lame: Map<(SocketAddr, Name), Instant>,
    /// The secret that client cookies are made with.
    secret: CookieSecret,
    timeouts_in_row: u32,
    first_timeout: Instant,
    /// Whether any server ever answered.
    has_heard: bool,
    /// IPv4 and IPv6.
    families: [Family; 2],
    forgiveness: u32,
    sent: u64,
    hedges: u64,
}

impl Scoreboard {
    /// An empty scoreboard, keyed from `dice`.
    #[must_use]
    pub fn new(dice: &mut Dice) -> Self {
        Self {
            scores: Map::with_hasher(keyed(dice)),
            lame: Map::with_hasher(keyed(dice)),
            secret: CookieSecret::drawn(dice),
            timeouts_in_row: 0,
            first_timeout: Instant::ZERO,
            has_heard: false,
            families: [Family::default(); 2],
            forgiveness: 0,
            sent: 0,
            hedges: 0,
        }
    }

    /// What is known of `server`.
    #[must_use]
    pub fn score(&self, server: SocketAddr) -> Option<&Score> {
        self.scores.get(&server)
    }

    /// Servers remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.scores.len()
    }

    /// Whether no server is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.scores.is_empty()
    }

    fn score_mut(&mut self, server: SocketAddr) -> &mut Score {
        if self.scores.len() >= bounds::SCOREBOARD_SERVERS && !self.scores.contains_key(&server) {
            // The map's order is keyed: the first is as good as a random one.
            if let Some(out) = self.scores.keys().next().copied() {
                self.scores.remove(&out);
            }
        }
        self.scores.entry(server).or_default()
    }

    const fn family_mut(&mut self, server: SocketAddr) -> &mut Family {
        let [v4, v6] = &mut self.families;
        if server.is_ipv4() { v4 } else { v6 }
    }

    /// Whether nothing of the server's family has answered for a while: then it costs a timeout for each new server,
    /// for as long as a penalty may last.
    fn is_of_silent_family(&self, server: SocketAddr, now: Instant) -> bool {
        let [v4, v6] = &self.families;
        let family = if server.is_ipv4() { v4 } else { v6 };
        family.timeouts_in_row >= FAMILY_TIMEOUTS && now.since(family.last_timeout) < bounds::SERVER_PENALTY_MAX
    }

    /// Our cookie for `server`: the same as long as we run, another for every server (RFC 7873 §4.1).
    #[must_use]
    pub fn client_cookie(&self, server: IpAddr) -> [u8; 8] {
        self.secret.client_cookie(server)
    }

    /// A query left for some server.
    pub fn note_sent(&mut self, is_hedge: bool) {
        self.sent += 1;
        self.hedges += u64::from(is_hedge);
    }

    /// Whether one more hedge keeps to its share of the traffic.
    #[must_use]
    pub const fn may_hedge(&self) -> bool {
        self.hedges * 1000 < self.sent * bounds::HEDGES_PERMILLE as u64
    }

    /// `server` answered after `rtt`.
    pub fn note_response(&mut self, server: SocketAddr, rtt: Duration, now: Instant) {
        if self.is_outage(now) {
            self.forgiveness += 1;
        }
        self.timeouts_in_row = 0;
        self.has_heard = true;
        self.family_mut(server).timeouts_in_row = 0;
        let forgiveness = self.forgiveness;
        let score = self.score_mut(server);
        let sample = u64::try_from(rtt.as_nanos()).unwrap_or(u64::MAX).clamp(1, u64::MAX / 8);
        if score.srtt == 0 {
            (score.srtt, score.variation) = (sample, sample / 2);
        } else {
            score.variation = (3 * score.variation + score.srtt.abs_diff(sample)) / 4;
            score.srtt = (7 * score.srtt + sample) / 8;
        }
        score.timeouts = 0;
        score.avoided_until = Instant::ZERO;
        score.forgiveness = forgiveness;
    }

    /// `server` did not answer in time, or cannot be reached.
    pub fn note_timeout(&mut self, server: SocketAddr, now: Instant) {
        let family = self.family_mut(server);
        family.timeouts_in_row = family.timeouts_in_row.saturating_add(1);
        family.last_timeout = now;
        // A server that never answered says nothing of our own network, unless nobody ever answered.
        let is_telling = !self.has_heard || self.score(server).is_some_and(|score| score.srtt > 0);
        if is_telling {
            if self.timeouts_in_row == 0 {
                self.first_timeout = now;
            }
            self.timeouts_in_row = self.timeouts_in_row.saturating_add(1);
        }
        let forgiveness = self.forgiveness;
        let score = self.score_mut(server);
        score.timeouts = score.timeouts.saturating_add(1);
        // One loss is no reason to avoid a server; from the second on the time doubles.
        if let Some(doublings) = score.timeouts.checked_sub(2) {
            let penalty = Duration::from_secs(1) * (1 << doublings.min(5));
            score.avoided_until = now + penalty.min(bounds::SERVER_PENALTY_MAX);
        }
        score.forgiveness = forgiveness;
    }

    /// Whether nothing has answered for a while: then the fault is most likely ours.
    #[must_use]
    pub fn is_outage(&self, now: Instant) -> bool {
        self.timeouts_in_row >= OUTAGE_TIMEOUTS && now.since(self.first_timeout) >= OUTAGE_SPAN
    }

    /// `server` answered EDNS with EDNS, or said that it does not know it.
    pub fn note_edns(&mut self, server: SocketAddr, has: bool, now: Instant) {
        let score = self.score_mut(server);
        score.edns = if has { Ability::Has } else { Ability::Lacks(now) };
        score.edns_doubts = 0;
    }

    /// `server` was silent with EDNS and answered without. Once may be chance: a path that loses queries must not
    /// cost a good server its EDNS.
    pub fn note_edns_doubt(&mut self, server: SocketAddr, now: Instant) {
        let score = self.score_mut(server);
        score.edns_doubts = score.edns_doubts.saturating_add(1);
        if score.edns_doubts >= EDNS_DOUBTS {
            self.note_edns(server, false, now);
        }
    }

    /// `server` does or does not echo letter case.
    pub fn note_letter_case(&mut self, server: SocketAddr, keeps: bool, now: Instant) {
        self.score_mut(server).letter_case = if keeps { Ability::Has } else { Ability::Lacks(now) };
    }

    /// `server` sent this cookie, or none.
    pub fn note_cookie(&mut self, server: SocketAddr, cookie: Option<&[u8]>, now: Instant) {
        let score = self.score_mut(server);
        match cookie {
            Some(cookie) => {
                score.cookies = Ability::Has;
                cookie.clone_into(&mut score.cookie);
            }
            None => score.cookies = Ability::Lacks(now),
        }
    }

    /// `server` is lame for `zone`.
    pub fn note_lame(&mut self, server: SocketAddr, zone: &Name, now: Instant) {
        if self.lame.len() >= bounds::SCOREBOARD_SERVERS {
            self.lame.retain(|_, until| *until > now);
            if self.lame.len() >= bounds::SCOREBOARD_SERVERS {
                self.lame.clear();
            }
        }
        self.lame.insert((server, zone.clone()), now + LAME_MEMORY);
    }

    /// Whether `server` is known to be lame for `zone`.
    #[must_use]
    pub fn is_lame(&self, server: SocketAddr, zone: &Name, now: Instant) -> bool {
        !self.lame.is_empty() && self.lame.get(&(server, zone.clone())).is_some_and(|until| *until > now)
    }

    /// Whether `server` should only be asked where no other can.
    #[must_use]
    pub fn is_avoided(&self, server: SocketAddr, now: Instant) -> bool {
        self.score(server).is_some_and(|score| score.avoided_until > now && score.forgiveness == self.forgiveness)
    }

    /// Which of `servers` to ask next for `zone`; `wants_ipv6` is preferred where the choice is free.
    ///
    /// Servers in the band of [`bounds::RTT_BAND`] behind the fastest take part; of two drawn from it the faster
    /// is asked, so that near servers get most queries and every server enough to stay measured. A few queries
    /// ([`bounds::EXPLORE_PERMILLE`]) go to any server at all.
    pub fn select(
        &self,
        servers: &[SocketAddr],
        zone: &Name,
        wants_ipv6: Option<bool>,
        now: Instant,
        dice: &mut Dice,
    ) -> Option<usize> {
        let expected = |server: &SocketAddr| self.score(*server).map_or(bounds::RTO_INITIAL, Score::expected);
        let standing = |server: &SocketAddr| {
            (
                self.is_lame(*server, zone, now),
                self.is_avoided(*server, now),
                self.is_of_silent_family(*server, now),
                wants_ipv6.is_some_and(|wanted| wanted != server.is_ipv6()),
            )
        };
        let best = servers.iter().map(standing).min()?;
        let peers = || servers.iter().enumerate().filter(|(_, server)| standing(server) == best);
        let fastest = peers().map(|(_, server)| expected(server)).min()?;
        let explores = dice.chance(bounds::EXPLORE_PERMILLE);
        let in_band = |server: &SocketAddr| explores || expected(server) <= fastest + bounds::RTT_BAND;
        let count = peers().filter(|(_, server)| in_band(server)).count();
        let mut draw = || peers().filter(|(_, server)| in_band(server)).nth(dice.index(count));
        let (one, two) = (draw()?, draw()?);
        Some(if explores || expected(one.1) <= expected(two.1) { one.0 } else { two.0 })
    }
}

#[cfg(test)]
#[path = "scoreboard_tests.rs"]
mod tests;
