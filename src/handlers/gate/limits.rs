//! All limits together: what is asked before a query is looked at, and before a response leaves.
//!
//! They outlive the house and belong to all workers: a rate is the server's, however many threads it has. The tables
//! are atomics in fixed places, so nobody waits for anybody.

use std::net::IpAddr;

use super::queries::{Admission, Queries, QueryLimit};
use super::responses::{ResponseLimit, Responses};
use crate::base::collections::keyed;
use crate::base::{Dice, Instant, NetworkSet};
use crate::chain::{Answer, Asker, Carrier, Query};
use crate::dns::cookie::{CookieSecrets, Examined};

/// What the limits are.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LimitSettings {
    /// Who is never answered.
    pub deny: NetworkSet,
    /// Of queries; all of them hold.
    pub queries: Vec<QueryLimit>,
    /// Of responses.
    pub responses: Option<ResponseLimit>,
}

/// The limits and what clients have used up.
#[derive(Debug)]
pub struct Limits {
    settings: LimitSettings,
    queries: Queries,
    responses: Option<Responses>,
}

/// What becomes of a response.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Release {
    /// It is sent.
    Sent,
    /// It is sent; a limit that is only tried would have kept it.
    WouldBeKept,
    /// It is kept; one in so many is told to come again (0 for none).
    Kept {
        /// The limit's slip.
        slip: u32,
    },
}

/// No limits at all.
impl Default for Limits {
    fn default() -> Self {
        Self::new(LimitSettings::default(), &mut Dice::from_number(0))
    }
}

impl Limits {
    /// Limits that nobody has used yet.
    #[must_use]
    pub fn new(settings: LimitSettings, dice: &mut Dice) -> Self {
        let queries = Queries::new(&settings.queries, keyed(dice));
        let responses = settings.responses.as_ref().map(|limit| Responses::new(limit, keyed(dice)));
        Self { settings, queries, responses }
    }

    /// What the limits are.
    #[must_use]
    pub const fn settings(&self) -> &LimitSettings {
        &self.settings
    }

    /// Whether `address` is never answered.
    #[must_use]
    pub fn is_denied(&self, address: IpAddr) -> bool {
        self.settings.deny.contains(address)
    }

    /// Counts a query; `is_proven` says that its sender is where it says it is.
    pub fn admit(&self, address: IpAddr, is_proven: bool, now: Instant) -> Admission {
        self.queries.admit(address, is_proven, now)
    }

    /// What `answer` to `query` is counted as when it is sent; 0 for nothing.
    #[must_use]
    pub fn account(&self, query: &Query, answer: &Answer) -> u64 {
        self.responses.as_ref().map_or(0, |responses| responses.account(query, answer))
    }

    /// Counts a response about `account`, unless its asker is exempt: by network, by being one we resolve for, by a
    /// connection or a valid cookie.
    pub fn release(&self, asker: &Asker, is_proven: bool, account: u64, now: Instant) -> Release {
        let Some(responses) = &self.responses else { return Release::Sent };
        let limit = &responses.limit;
        let is_exempt = account == 0
            || is_proven
            || asker.carrier == Carrier::Tcp
            || (asker.may_recurse && limit.exempts_clients)
            || limit.exempt.contains(asker.address.ip());
        if is_exempt || !responses.is_too_much(asker.address.ip(), account, now) {
            Release::Sent
        } else if limit.is_dry_run {
            Release::WouldBeKept
        } else {
            Release::Kept { slip: limit.slip }
        }
    }
}

/// DNS cookies as a server (RFC 7873 §5.2).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Cookies(pub Option<CookieSecrets>);

impl Cookies {
    /// Examines the data of a query's cookie option; none where cookies are off or the option is unlawful.
    #[must_use]
    pub fn examine(&self, data: &[u8], address: IpAddr, wall: u32) -> Option<Examined> {
        self.0.as_ref()?.examine(data, address, wall)
    }
}

#[cfg(test)]
#[path = "limits_tests.rs"]
mod tests;
