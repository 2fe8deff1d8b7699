//! Query limits: how much each client may ask, whatever it asks. Decided before a query is parsed.
//!
//! Every limit of the list has to admit a query, and only one that all admit is charged to them. Those whose address
//! is proven, by a connection or a cookie, are counted apart from those who may be somebody else: a flood in a
//! client's name does not use up what the client has.

use std::net::IpAddr;

use super::allowance::{Algorithm, Allowance, Rate};
use super::client::Prefix;
use super::table::{Part, Seat, Table};
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

impl Admission {
    const FREE: Self = Self { refused: None, would_be_refused: false };
}

#[derive(Debug)]
struct Tier {
    allowance: Allowance,
    part: Part,
    slip: u32,
    is_dry_run: bool,
}

/// The limits that count the same clients together, and exempt the same: a client is looked for once for all of them.
#[derive(Debug)]
struct Circle {
    prefix: Prefix,
    exempt: NetworkSet,
    tiers: Vec<Tier>,
    table: Table,
}

/// The limits of queries, with what clients have used up.
#[derive(Debug)]
pub(super) struct Queries {
    keyed: Keyed,
    circles: Vec<Circle>,
}

impl Queries {
    /// At most [`bounds::LIMIT_TIERS`] limits; more are left out.
    pub(super) fn new(limits: &[QueryLimit], keyed: Keyed) -> Self {
        let mut groups: Vec<Vec<&QueryLimit>> = Vec::new();
        for limit in limits.iter().take(bounds::LIMIT_TIERS) {
            let is_alike = |one: &&QueryLimit| one.prefix == limit.prefix && one.exempt == limit.exempt;
            match groups.iter_mut().find(|group| group.first().is_some_and(is_alike)) {
                Some(group) => group.push(limit),
                None => groups.push(vec![limit]),
            }
        }
        Self { keyed, circles: groups.iter().filter_map(|group| Circle::new(group)).collect() }
    }

    pub(super) fn admit(&self, address: IpAddr, is_proven: bool, now: Instant) -> Admission {
        self.pass(&self.circles, address, is_proven, now.nanos())
    }

    /// Passes `circles` one by one; a limit is charged once those behind it have admitted the query too.
    fn pass(&self, circles: &[Circle], address: IpAddr, is_proven: bool, now: u64) -> Admission {
        let Some((circle, behind)) = circles.split_first() else { return Admission::FREE };
        let pass_on = || if behind.is_empty() { Admission::FREE } else { self.pass(behind, address, is_proven, now) };
        if circle.exempt.contains(address) {
            return pass_on();
        }
        let hash = circle.prefix.hash(&self.keyed, address) ^ u64::from(is_proven);
        let Some(seat) = circle.table.seat(hash, |seat| circle.debt(seat, now)) else { return pass_on() };
        // Those that admit it, a bit each.
        let mut charged = 0_u32;
        let mut would_be_refused = false;
        for (at, tier) in circle.tiers.iter().enumerate() {
            if seat.slot(&tier.part).is_none_or(|slot| tier.allowance.admits(slot, now)) {
                charged |= 1 << at;
            } else if tier.is_dry_run {
                would_be_refused = true;
            } else {
                return Admission { refused: Some(tier.slip), would_be_refused };
            }
        }
        let mut admission = pass_on();
        admission.would_be_refused |= would_be_refused;
        if admission.refused.is_none() {
            for (_, tier) in circle.tiers.iter().enumerate().filter(|(at, _)| charged >> at & 1 == 1) {
                if let Some(slot) = seat.slot(&tier.part) {
                    tier.allowance.charge(slot, now);
                }
            }
        }
        admission
    }
}

impl Circle {
    /// Of limits that are alike; none of none.
    fn new(limits: &[&QueryLimit]) -> Option<Self> {
        let allowances: Vec<Allowance> =
            limits.iter().map(|limit| Allowance::new(limit.algorithm, limit.rate, limit.burst)).collect();
        let (table, parts) = Table::new(bounds::LIMIT_SLOTS, &allowances);
        let tiers = limits.iter().zip(allowances).zip(parts).map(|((limit, allowance), part)| Tier {
            allowance,
            part,
            slip: limit.slip,
            is_dry_run: limit.is_dry_run,
        });
        let first = limits.first()?;
        Some(Self { prefix: first.prefix, exempt: first.exempt.clone(), tiers: tiers.collect(), table })
    }

    /// How near a client is to the limit that it is nearest to.
    fn debt(&self, seat: Seat<'_>, now: u64) -> u64 {
        let shares = self.tiers.iter().filter_map(|tier| Some(tier.allowance.share(seat.slot(&tier.part)?, now)));
        shares.max().unwrap_or(u64::MAX)
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
