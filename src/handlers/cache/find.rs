//! What is known of one name and type, for a client: records, an alias, a redirection, or a denial.
//!
//! Fresh facts come first, whatever they say; among stale ones the last learned wins. So stale data never stand
//! against a fresh NXDOMAIN.

use super::Cache;
use super::entry::{Entry, Fact, Second};
use super::key::{Kind, Probe, probe, told, upward};
use super::stale::{self, Age};
use crate::dns::dnssec::Security;
use crate::dns::{Name, RecordType};

/// What was found.
pub(super) struct Found {
    /// What it means for the question.
    pub(super) meaning: Meaning,
    /// The fact's key.
    pub(super) key: Probe,
    /// The fact.
    pub(super) entry: Entry,
    /// Seconds left; none where it is stale.
    pub(super) remaining: Option<u32>,
    /// Whether it was made from what its zone has proven of other names.
    pub(super) is_made: bool,
}

/// What a fact means for a question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Meaning {
    /// The records asked for.
    Records,
    /// A CNAME at the name.
    Alias,
    /// A DNAME above the name.
    Redirection,
    /// No such name, or no such type.
    Denial,
}

impl Cache {
    /// The best that is known of `name` and `rtype`, and where it `must_be_checked`, has been checked.
    pub(super) fn find(&self, name: &Name, rtype: RecordType, must_be_checked: bool, now: Second) -> Option<Found> {
        let mut stale: Option<Found> = None;
        let places = [
            (Meaning::Records, Some(Kind::RrSet(rtype))),
            (Meaning::Alias, (rtype != RecordType::CNAME).then_some(Kind::RrSet(RecordType::CNAME))),
            (Meaning::Denial, Some(Kind::NoData(rtype))),
            (Meaning::Denial, Some(Kind::NxDomain)),
        ];
        for (meaning, kind) in places {
            let Some(kind) = kind else { continue };
            if let Some(found) = self.servable(name.wire(), kind, meaning, must_be_checked, now) {
                if found.remaining.is_some() {
                    return Some(found);
                }
                if stale.as_ref().is_none_or(|other| found.entry.born() > other.entry.born()) {
                    stale = Some(found);
                }
            }
        }
        if let Some((key, entry)) = self.cut_above(name, now) {
            let remaining = entry.remaining(now);
            return Some(Found { meaning: Meaning::Denial, key, entry, remaining, is_made: false });
        }
        let redirection = upward(name.wire()).skip(1).find_map(|wire| {
            self.servable(wire, Kind::RrSet(RecordType::DNAME), Meaning::Redirection, must_be_checked, now)
        });
        match redirection {
            Some(found) if found.remaining.is_some() => Some(found),
            redirection => self.find_made(name, rtype, now).or(stale).or(redirection),
        }
    }

    fn find_made(&self, name: &Name, rtype: RecordType, now: Second) -> Option<Found> {
        let entry = self.made(name, rtype, now)?;
        let (meaning, kind) = match &entry.fact {
            Fact::RrSet { set, .. } if set.rtype == rtype => (Meaning::Records, Kind::RrSet(rtype)),
            Fact::RrSet { .. } => (Meaning::Alias, Kind::RrSet(RecordType::CNAME)),
            _ => (Meaning::Denial, Kind::NoData(rtype)),
        };
        let remaining = entry.remaining(now);
        Some(Found { meaning, key: probe(name.wire(), kind), entry, remaining, is_made: true })
    }

    /// What follows for `name` and `rtype` from what their zone has proven of other names (RFC 8198).
    pub(super) fn made(&self, name: &Name, rtype: RecordType, now: Second) -> Option<Entry> {
        let denials = self.denials.as_ref()?;
        // Zones with upstreams of their own need not be known to those above.
        let is_apart = |zone: &Name| {
            let mut own = self.settings.forwarded.iter().filter(|own| !own.is_root() && name.is_within(own));
            own.any(|own| !zone.is_within(own))
        };
        let (fact, until) = denials.make(name, rtype, is_apart, now)?;
        let ttl = u32::try_from(until.saturating_sub(now)).unwrap_or(u32::MAX);
        Some(Entry::until(until, ttl, fact).with_security(Security::Secure))
    }

    fn servable(&self, wire: &[u8], kind: Kind, meaning: Meaning, must_be_checked: bool, now: Second) -> Option<Found> {
        let known = self.servable_at(probe(wire, kind), meaning, now);
        let is_fresh = known.as_ref().is_some_and(|found| found.remaining.is_some());
        if is_fresh || must_be_checked || !self.settings.validates {
            return known.filter(|found| !must_be_checked || found.entry.security != Security::Unchecked);
        }
        let unchecked = self.servable_at(told(probe(wire, kind)), meaning, now);
        unchecked.filter(|found| found.remaining.is_some() || known.is_none()).or(known)
    }

    fn servable_at(&self, key: Probe, meaning: Meaning, now: Second) -> Option<Found> {
        let entry = self.store.find(&key)?;
        match stale::age(self.settings.stale.as_ref(), &entry, now) {
            _ if !entry.answers_clients() => None,
            Age::Fresh(left) => Some(Found { meaning, key, entry, remaining: Some(left), is_made: false }),
            Age::Stale => Some(Found { meaning, key, entry, remaining: None, is_made: false }),
            Age::Gone => None,
        }
    }

    /// The fresh NXDOMAIN of an ancestor that holds for `name` too (RFC 8020), where that is safe.
    ///
    /// Old servers answer NXDOMAIN for empty non-terminals, so Unbound (`harden-below-nxdomain`), Knot Resolver
    /// and `PowerDNS` apply the cut to denials that DNSSEC proves, and without proof `PowerDNS` trusts the root alone
    /// (`root-nx-trust`). So do we: what is proved reaches downward from any name, and of what is not, the root's word
    /// that a top-level domain does not exist. Zones with upstreams of their own, which the root need not know, are
    /// exempt.
    pub(super) fn cut_above(&self, name: &Name, now: Second) -> Option<(Probe, Entry)> {
        let mut above = upward(name.wire()).skip(1).filter(|wire| wire.len() > 1);
        let (key, entry) = if self.settings.validates {
            above.find_map(|wire| self.denial_at(wire, now).filter(|(_, entry)| self.reaches_downward(entry, wire)))?
        } else {
            let top = above.last()?;
            self.denial_at(top, now).filter(|(_, entry)| self.reaches_downward(entry, top))?
        };
        let is_apart = self.settings.forwarded.iter().any(|zone| !zone.is_root() && name.is_within(zone));
        (!is_apart).then_some((key, entry))
    }

    fn denial_at(&self, wire: &[u8], now: Second) -> Option<(Probe, Entry)> {
        let key = probe(wire, Kind::NxDomain);
        let entry = self.store.find(&key).filter(|entry| entry.remaining(now).is_some())?;
        Some((key, entry))
    }

    /// Whether the denial of the name with this `wire` form is one of all names below it.
    fn reaches_downward(&self, entry: &Entry, wire: &[u8]) -> bool {
        let Fact::Denial { soa, .. } = &entry.fact else { return false };
        let is_of_root = soa.owner.is_root() && upward(wire).count() == 2;
        match entry.security {
            Security::Secure => true,
            Security::Insecure => is_of_root,
            Security::Unchecked => is_of_root && !self.settings.validates,
        }
    }

    /// The fresh fact of `kind` about the name with this `wire` form, and the seconds it has left.
    pub(super) fn fresh(&self, wire: &[u8], kind: Kind, now: Second) -> Option<(Entry, u32)> {
        let fresh = |key: Probe| {
            let entry = self.store.find(&key)?;
            let left = entry.remaining(now)?;
            Some((entry, left))
        };
        let known = fresh(probe(wire, kind));
        if known.is_some() || !self.settings.validates { known } else { fresh(told(probe(wire, kind))) }
    }
}
