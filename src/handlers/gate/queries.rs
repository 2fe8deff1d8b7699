//! Query limits: how much each client may ask, whatever it asks. Decided before a query is parsed.
//!
//! Every limit of the list has to admit a query, and only one that all admit is charged to them. Those whose address
//! is proven, by a connection or a cookie, are counted apart from those who may be somebody else: a flood in a
//! client's name does not use up what the client has.

use std::net::IpAddr;

use super::allowance::{Algorithm, Allowance, Rate, Slot};
use super::client::Prefix;
use super::table::Table;
use crate::base::collections::Keyed;
use crate::base::{Instant, NetworkSet, bounds};

/// One limit of queries.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QueryLimit {
    /// How much.
    pub rate: Rate,
    /// What a token bucket holds, from 1; the other algorithms have no use for it.
    pub burst: u32,
    /// Whom it counts together.
    pub prefix: Prefix,
    /// How it counts.
    pub algorithm: Algorithm,
    /// One limited query in so many is answered, with TC=1; 0 for none.
    pub slip: u32,
    /// Whom it does not count.
    pub exempt: NetworkSet,
    /// Only says what it would do.
    pub is_dry_run: bool,
}

/// What becomes of a query.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Admission {
    /// The slip of the limit that refuses it; none if it may pass.
    pub refused: Option<u32>,
    /// Whether a limit that is only tried would have refused it.
    pub would_be_refused: bool,
}

#[derive(Debug)]
struct Tier {
    limit: QueryLimit,
    allowance: Allowance,
    table: Table,
}

/// The limits of queries, with what clients have used up.
#[derive(Debug)]
pub(super) struct Queries {
    keyed: Keyed,
    tiers: Vec<Tier>,
}

impl Queries {
    /// At most [`bounds::LIMIT_TIERS`] limits; more are left out.
    pub(super) fn new(limits: &[QueryLimit], keyed: Keyed) -> Self {
        let tier = |limit: &QueryLimit| {
            let allowance = Allowance::new(limit.algorithm, limit.rate, limit.burst);
            Tier { limit: limit.clone(), table: Table::new(bounds::LIMIT_SLOTS, &allowance), allowance }
        };
        Self { keyed, tiers: limits.iter().take(bounds::LIMIT_TIERS).map(tier).collect() }
    }

    pub(super) fn admit(&self, address: IpAddr, is_proven: bool, now: Instant) -> Admission {
        let now = now.nanos();
        let mut admission = Admission { refused: None, would_be_refused: false };
        let mut slots: [Option<Slot<'_>>; bounds::LIMIT_TIERS] = [None; bounds::LIMIT_TIERS];
        for (tier, charged) in self.tiers.iter().zip(&mut slots) {
            if tier.limit.exempt.contains(address) {
                continue;
            }
            let hash = tier.limit.prefix.hash(&self.keyed, address, u64::from(is_proven));
            let slot = tier.table.slot(hash, &tier.allowance, now);
            if slot.is_none_or(|slot| tier.allowance.admits(slot, now)) {
                *charged = slot;
            } else if tier.limit.is_dry_run {
                admission.would_be_refused = true;
            } else {
                admission.refused = Some(tier.limit.slip);
                return admission;
            }
        }
        for (tier, slot) in self.tiers.iter().zip(slots) {
            if let Some(slot) = slot {
                tier.allowance.charge(slot, now);
            }
        }
        admission
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Dice, collections};
    use std::time::Duration;

    fn limit(count: u32, seconds: u64) -> QueryLimit {
        QueryLimit {
            rate: Rate { count, per: Duration::from_secs(seconds) },
            burst: count,
            prefix: Prefix { v4: 24, v6: 56 },
            algorithm: Algorithm::TokenBucket,
            slip: 10,
            exempt: NetworkSet::default(),
            is_dry_run: false,
        }
    }

    fn queries(limits: &[QueryLimit]) -> Queries {
        Queries::new(limits, collections::keyed(&mut Dice::from_number(1)))
    }

    fn admitted(queries: &Queries, address: &str, at: Instant) -> usize {
        let address = address.parse().unwrap();
        (0..1_000).filter(|_| queries.admit(address, false, at).refused.is_none()).count()
    }

    #[test]
    fn several_limits_hold_at_once_and_what_one_refuses_is_not_charged_to_the_others() {
        let queries = queries(&[limit(10, 1), limit(100, 60), limit(120, 3_600)]);
        let at = |seconds: u64| Instant::from_seconds(1_000_000 + seconds);
        let by_second: Vec<usize> = (0..13).map(|second| admitted(&queries, "192.0.2.1", at(second))).collect();
        // Ten seconds of ten each use up the hundred of the minute, and then the hour's.
        assert_eq!(by_second[..10], [10; 10]);
        assert!(by_second[10..].iter().sum::<usize>() <= 21, "{by_second:?}");
        assert_eq!(admitted(&queries, "192.0.3.1", at(0)), 10, "another network has its own");
    }

    #[test]
    fn the_exempt_are_not_counted() {
        let mut one = limit(1, 1);
        one.exempt = std::iter::once("192.0.2.0/25".parse().unwrap()).collect();
        let queries = queries(&[one]);
        assert_eq!(admitted(&queries, "192.0.2.1", Instant::ZERO), 1_000);
        assert_eq!(admitted(&queries, "192.0.2.200", Instant::ZERO), 1);
    }

    #[test]
    fn a_flood_in_a_clients_name_leaves_what_is_proven_alone() {
        let queries = queries(&[limit(10, 1)]);
        assert_eq!(admitted(&queries, "192.0.2.1", Instant::ZERO), 10);
        let proven = queries.admit("192.0.2.1".parse().unwrap(), true, Instant::ZERO);
        assert_eq!(proven.refused, None);
    }

    #[test]
    fn a_dry_run_says_what_it_would_do_and_does_nothing() {
        let queries = queries(&[QueryLimit { is_dry_run: true, ..limit(10, 1) }]);
        let said = (0..100).map(|_| queries.admit("192.0.2.1".parse().unwrap(), false, Instant::ZERO));
        let (mut refused, mut would_be) = (0, 0);
        for admission in said {
            refused += u32::from(admission.refused.is_some());
            would_be += u32::from(admission.would_be_refused);
        }
        assert_eq!((refused, would_be), (0, 90));
    }
}
