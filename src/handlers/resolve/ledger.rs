//! The work ledger: what one client query may cost, sub-queries included. It is shared by reference with every
//! sub-query and never reset, so that no composition of tricks can buy a second budget (NXNS, CAMP).

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::base::tally::Event;
use crate::base::{Instant, Network, bounds};
use crate::dns::dnssec::Budget;

/// The account of one client query.
#[derive(Debug)]
pub struct Ledger {
    /// All work ends by then.
    deadline: Instant,
    /// The client network on whose behalf the work is done.
    owner: Option<Network>,
    queries: AtomicU32,
    bytes: AtomicUsize,
    aliases: AtomicU32,
    glueless_delegations: AtomicU32,
    glueless: AtomicU32,
    glueless_failures: AtomicU32,
    checks: Mutex<Budget>,
}

/// Which bound stopped the work.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Exhausted {
    /// [`bounds::UPSTREAM_QUERIES`].
    Queries,
    /// [`bounds::UPSTREAM_BYTES`].
    Bytes,
    /// [`bounds::ALIASES_MAX`].
    Aliases,
    /// [`bounds::REFERRALS_MAX`].
    Referrals,
    /// [`bounds::GLUELESS_DELEGATIONS`], [`bounds::GLUELESS_PER_QUERY`] or [`bounds::GLUELESS_FAILURES`].
    Glueless,
    /// [`bounds::DEPTH_MAX`].
    Depth,
    /// [`bounds::WORK_DEADLINE`].
    Time,
    /// [`bounds::SIGNATURES_PER_QUERY`], [`bounds::SIGNATURE_FAILURES`], [`bounds::NSEC3_BLOCKS`] or
    /// [`bounds::CHECK_STEPS`].
    Checks,
}

impl Exhausted {
    /// The counter of this bound.
    #[must_use]
    pub const fn event(self) -> Event {
        match self {
            Self::Queries => Event::BoundQueries,
            Self::Bytes => Event::BoundBytes,
            Self::Aliases => Event::BoundAliases,
            Self::Referrals => Event::BoundReferrals,
            Self::Glueless => Event::BoundGlueless,
            Self::Depth => Event::BoundDepth,
            Self::Time => Event::BoundTime,
            Self::Checks => Event::BoundChecks,
        }
    }

    /// The bound in words, for the Extended DNS Error.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Queries => "too many upstream queries for one question",
            Self::Bytes => "too many octets from upstream for one question",
            Self::Aliases => "alias chain too long",
            Self::Referrals => "too many referrals",
            Self::Glueless => "too many name servers without address",
            Self::Depth => "name servers' names nested too deep",
            Self::Time => "no answer in time",
            Self::Checks => "too much to validate for one question",
        }
    }
}

impl Ledger {
    /// A new account, for a query of `owner` that came at `now`; without an owner it is work of our own.
    #[must_use]
    pub fn open(now: Instant, owner: Option<Network>) -> Self {
        Self {
            deadline: now + bounds::WORK_DEADLINE,
            owner,
            queries: AtomicU32::new(0),
            bytes: AtomicUsize::new(0),
            aliases: AtomicU32::new(0),
            glueless_delegations: AtomicU32::new(0),
            glueless: AtomicU32::new(0),
            glueless_failures: AtomicU32::new(0),
            checks: Mutex::default(),
        }
    }

    /// When all work ends.
    #[must_use]
    pub const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The client network on whose behalf the work is done; none where it is our own.
    #[must_use]
    pub const fn owner(&self) -> Option<Network> {
        self.owner
    }

    /// Has signatures checked, on this account.
    pub fn with_budget<T>(&self, check: impl FnOnce(&mut Budget) -> T) -> T {
        // Whoever died here has charged what was done.
        check(&mut self.checks.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Signatures checked, and blocks hashed, so far.
    #[must_use]
    pub fn checks(&self) -> (u32, u32) {
        self.with_budget(|budget| (budget.checks(), budget.blocks()))
    }

    /// Upstream queries charged so far.
    #[must_use]
    pub fn queries(&self) -> u32 {
        self.queries.load(Ordering::Relaxed)
    }

    /// Whether there is plenty left at `now`: time, octets, and half of the queries.
    #[must_use]
    pub fn has_plenty(&self, now: Instant) -> bool {
        now < self.deadline
            && self.bytes.load(Ordering::Relaxed) <= bounds::UPSTREAM_BYTES
            && self.queries() < bounds::UPSTREAM_QUERIES / 2
    }

    /// Charges one upstream query.
    ///
    /// # Errors
    /// [`Exhausted::Queries`], [`Exhausted::Bytes`] or [`Exhausted::Time`].
    pub fn charge_query(&self, now: Instant) -> Result<(), Exhausted> {
        if now >= self.deadline {
            return Err(Exhausted::Time);
        }
        if self.bytes.load(Ordering::Relaxed) > bounds::UPSTREAM_BYTES {
            return Err(Exhausted::Bytes);
        }
        if self.queries.fetch_add(1, Ordering::Relaxed) >= bounds::UPSTREAM_QUERIES {
            return Err(Exhausted::Queries);
        }
        Ok(())
    }

    /// Charges a response of `length` octets; the next query fails once there were too many.
    pub fn charge_bytes(&self, length: usize) {
        self.bytes.fetch_add(length, Ordering::Relaxed);
    }

    /// Charges the alias that makes a chain `length` long.
    ///
    /// # Errors
    /// [`Exhausted::Aliases`].
    pub fn charge_alias(&self) -> Result<(), Exhausted> {
        if self.aliases.fetch_add(1, Ordering::Relaxed) >= bounds::ALIASES_MAX {
            return Err(Exhausted::Aliases);
        }
        Ok(())
    }

    /// Whether the chain of aliases may go on to a name that must be asked for.
    ///
    /// # Errors
    /// [`Exhausted::Aliases`].
    pub fn may_ask_on(&self) -> Result<(), Exhausted> {
        if self.aliases.load(Ordering::Relaxed) >= bounds::ALIASES_MAX { Err(Exhausted::Aliases) } else { Ok(()) }
    }

    /// Whether another delegation may be followed of whose servers no address is known.
    ///
    /// # Errors
    /// [`Exhausted::Glueless`].
    pub fn may_follow_glueless(&self) -> Result<(), Exhausted> {
        let followed = self.glueless_delegations.load(Ordering::Relaxed);
        if followed >= u32::from(bounds::GLUELESS_DELEGATIONS) { Err(Exhausted::Glueless) } else { Ok(()) }
    }

    /// Notes that an address was found for such a delegation; those without one are counted as failures.
    pub fn note_glueless_followed(&self) {
        self.glueless_delegations.fetch_add(1, Ordering::Relaxed);
    }

    /// Charges the address lookup of a name server without glue.
    ///
    /// # Errors
    /// [`Exhausted::Glueless`].
    pub fn charge_glueless(&self) -> Result<(), Exhausted> {
        if self.glueless_failures.load(Ordering::Relaxed) >= u32::from(bounds::GLUELESS_FAILURES)
            || self.glueless.fetch_add(1, Ordering::Relaxed) >= u32::from(bounds::GLUELESS_PER_QUERY)
        {
            return Err(Exhausted::Glueless);
        }
        Ok(())
    }

    /// How many lookups of name-server addresses may run beside each other: never more than may still fail.
    #[must_use]
    pub fn glueless_parallel(&self) -> usize {
        let failures = self.glueless_failures.load(Ordering::Relaxed);
        u32::from(bounds::GLUELESS_FAILURES).saturating_sub(failures).min(u32::from(bounds::GLUELESS_PARALLEL)) as usize
    }

    /// Notes that a name server's address could not be found.
    pub fn note_glueless_failure(&self) {
        self.glueless_failures.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> Ledger {
        Ledger::open(Instant::ZERO, None)
    }

    /// How many of `charge` succeed, and how the next one fails.
    fn spend(charge: impl Fn() -> Result<(), Exhausted>) -> (u32, Exhausted) {
        let count = (0..1_000).take_while(|_| charge().is_ok()).count();
        (count as u32, charge().unwrap_err())
    }

    #[test]
    fn each_charge_is_granted_up_to_its_bound_and_never_again() {
        let ledger = open();
        assert_eq!(spend(|| ledger.charge_query(Instant::ZERO)), (bounds::UPSTREAM_QUERIES, Exhausted::Queries));
        assert_eq!(spend(|| ledger.charge_alias()), (bounds::ALIASES_MAX, Exhausted::Aliases));
        let follow = || ledger.may_follow_glueless().map(|()| ledger.note_glueless_followed());
        assert_eq!(spend(follow), (u32::from(bounds::GLUELESS_DELEGATIONS), Exhausted::Glueless));
        let glueless = u32::from(bounds::GLUELESS_PER_QUERY);
        assert_eq!(spend(|| ledger.charge_glueless()), (glueless, Exhausted::Glueless));
    }

    #[test]
    fn octets_may_fill_their_bound_and_one_more_ends_the_queries() {
        let ledger = open();
        ledger.charge_bytes(bounds::UPSTREAM_BYTES);
        assert_eq!(ledger.charge_query(Instant::ZERO), Ok(()));
        ledger.charge_bytes(1);
        assert_eq!(ledger.charge_query(Instant::ZERO), Err(Exhausted::Bytes));
    }

    #[test]
    fn queries_end_with_the_deadline() {
        let (ledger, end) = (open(), Instant::ZERO + bounds::WORK_DEADLINE);
        assert_eq!(ledger.charge_query(Instant::ZERO + bounds::WORK_DEADLINE / 2), Ok(()));
        assert_eq!(ledger.charge_query(end), Err(Exhausted::Time));
    }

    #[test]
    fn lookups_that_fail_are_counted_and_never_more_run_than_may_fail() {
        let ledger = open();
        assert_eq!(ledger.glueless_parallel(), usize::from(bounds::GLUELESS_PARALLEL));
        for _ in 0..bounds::GLUELESS_FAILURES {
            assert_eq!(ledger.charge_glueless(), Ok(()));
            ledger.note_glueless_failure();
        }
        assert_eq!(ledger.glueless_parallel(), 0);
        assert_eq!(ledger.charge_glueless(), Err(Exhausted::Glueless));
    }
}
