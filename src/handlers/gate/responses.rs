//! Response rate limiting: how often each client is told the same. Decided when the answer is known.
//!
//! Who forges a victim's address has us send it what we answer; so what is counted is what a network is sent, by what
//! it is about. An account is a network and a kind of answer: of a name and type that exist, the queried name
//! and the type of the first RRset; of names that do not, or that a wildcard makes up, the zone. An attacker has no
//! more accounts than we have RRsets and zones, and steering, which varies the records alone, makes none.

use std::net::IpAddr;
use std::time::Duration;

use super::allowance::{Allowance, Rate};
use super::client::Prefix;
use super::table::{Part, Seat, Table};
use crate::base::collections::Keyed;
use crate::base::{Instant, NetworkSet, bounds};
use crate::chain::{Answer, Query};
use crate::dns::{Name, Rcode, RecordType};

/// Kinds of answers, each with its rate.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ResponseClass {
    /// With an answer section.
    Answer = 1,
    /// To another zone's servers.
    Referral = 2,
    /// NODATA.
    Nodata = 3,
    /// NXDOMAIN.
    NxDomain = 4,
    /// Any other RCODE.
    Error = 5,
}

/// How responses are limited; a rate that is none does not limit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ResponseLimit {
    /// Of answers.
    pub answers: Option<Rate>,
    /// Of referrals.
    pub referrals: Option<Rate>,
    /// Of NODATA.
    pub nodata: Option<Rate>,
    /// Of NXDOMAIN.
    pub nxdomain: Option<Rate>,
    /// Of errors.
    pub errors: Option<Rate>,
    /// Of all of these together.
    pub all: Option<Rate>,
    /// For how long at most a flood that has ended is still limited.
    pub window: Duration,
    /// Whom it counts together.
    pub prefix: Prefix,
    /// One limited response in so many is sent, without records and with TC=1; 0 for none.
    pub slip: u32,
    /// Whom it does not count.
    pub exempt: NetworkSet,
    /// Whether those whom we resolve for are not counted either.
    pub exempts_clients: bool,
    /// Only says what it would do.
    pub is_dry_run: bool,
}

/// The limits of responses, with what clients were sent.
#[derive(Debug)]
pub(super) struct Responses {
    pub(super) limit: ResponseLimit,
    keyed: Keyed,
    /// By class; the first is of all together.
    allowances: [Option<Allowance>; CLASSES],
    table: Table,
    part: Part,
}

const CLASSES: usize = 6;
const CLASS_MASK: u64 = 7;

impl Responses {
    pub(super) fn new(limit: &ResponseLimit, keyed: Keyed) -> Self {
        let rates = [limit.all, limit.answers, limit.referrals, limit.nodata, limit.nxdomain, limit.errors];
        let allowance = |rate: Rate| Allowance::with_penalty(rate, limit.window);
        let plain = allowance(Rate { count: 1, per: Duration::from_secs(1) });
        let (table, parts) = Table::new(bounds::LIMIT_SLOTS, [&plain]);
        Self {
            limit: limit.clone(),
            keyed,
            allowances: rates.map(|rate| rate.map(allowance)),
            table,
            part: parts.into_iter().next().unwrap_or_default(),
        }
    }

    /// What `answer` to `query` is counted as: never 0.
    pub(super) fn account(&self, query: &Query, answer: &Answer) -> u64 {
        let soa = || answer.authority.iter().find(|aged| aged.set.rtype == RecordType::SOA).map(|soa| &soa.set.owner);
        let asked = &query.question.name;
        let (class, name, rtype): (_, Option<&Name>, _) = match answer.rcode {
            Rcode::NXDOMAIN => (ResponseClass::NxDomain, soa(), RecordType::SOA),
            Rcode::NOERROR => match (answer.answer.first(), answer.authority.first()) {
                (Some(first), _) => {
                    // What a DNAME makes up is of the DNAME.
                    let owner = answer.wildcard_zone.as_deref().unwrap_or(&first.set.owner);
                    (ResponseClass::Answer, Some(owner), first.set.rtype)
                }
                (None, Some(cut)) if cut.set.rtype == RecordType::NS && !answer.authoritative => {
                    (ResponseClass::Referral, Some(&cut.set.owner), RecordType::NS)
                }
                _ => (ResponseClass::Nodata, answer.wildcard_zone.as_deref().or(Some(asked)), RecordType::SOA),
            },
            _ => (ResponseClass::Error, None, RecordType::SOA),
        };
        self.keyed.hash_one((name, rtype.0)) & !CLASS_MASK | class as u64
    }

    /// Counts a response about `account` to `address`, and says whether it is one too many.
    pub(super) fn is_too_much(&self, address: IpAddr, account: u64, now: Instant) -> bool {
        let class = (account & CLASS_MASK) as usize;
        let of_class = self.allowances.get(class).and_then(Option::as_ref).filter(|_| class > 0);
        let of_all = self.allowances.first().and_then(Option::as_ref);
        let (network, now) = (self.limit.prefix.hash(&self.keyed, address), now.nanos());
        let takes = |allowance: &Allowance, hash: u64| {
            // Their debts are spans of time, whatever their rates.
            let debt = |seat: Seat<'_>| seat.slot(&self.part).map_or(u64::MAX, |slot| allowance.debt(slot, now));
            let slot = self.table.seat(hash, debt).and_then(|seat| seat.slot(&self.part));
            slot.is_none_or(|slot| allowance.take(slot, now))
        };
        let has_class = of_class.is_none_or(|allowance| takes(allowance, network ^ account));
        let has_all = of_all.is_none_or(|allowance| takes(allowance, network));
        !(has_class && has_all)
    }
}
