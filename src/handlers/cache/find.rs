//! What is known of one name and type, for a client: records, an alias, a redirection, or a denial.
//!
//! Fresh facts come first, whatever they say; among stale ones the last learned wins. So stale data never stand
//! against a fresh NXDOMAIN.

use super::Cache;
use super::entry::{Entry, Fact, Second};
use super::key::{Kind, Probe, probe, upward};
use super::stale::{self, Age};
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
    /// The best that is known of `name` and `rtype`.
    pub(super) fn find(&self, name: &Name, rtype: RecordType, now: Second) -> Option<Found> {
        let mut stale: Option<Found> = None;
        let places = [
            (Meaning::Records, Some(Kind::RrSet(rtype))),
            (Meaning::Alias, (rtype != RecordType::CNAME).then_some(Kind::RrSet(RecordType::CNAME))),
            (Meaning::Denial, Some(Kind::NoData(rtype))),
            (Meaning::Denial, Some(Kind::NxDomain)),
        ];
        for (meaning, kind) in places {
            let Some(kind) = kind else { continue };
            if let Some(found) = self.servable(name.wire(), kind, meaning, now) {
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
            return Some(Found { meaning: Meaning::Denial, key, entry, remaining });
        }
        let redirection = upward(name.wire())
            .skip(1)
            .find_map(|wire| self.servable(wire, Kind::RrSet(RecordType::DNAME), Meaning::Redirection, now));
        match redirection {
            Some(found) if found.remaining.is_some() || stale.is_none() => Some(found),
            _ => stale,
        }
    }

    fn servable(&self, wire: &[u8], kind: Kind, meaning: Meaning, now: Second) -> Option<Found> {
        let key = probe(wire, kind);
        let entry = self.store.find(&key)?;
        match stale::age(self.settings.stale.as_ref(), &entry, now) {
            _ if !entry.answers_clients() => None,
            Age::Fresh(left) => Some(Found { meaning, key, entry, remaining: Some(left) }),
            Age::Stale => Some(Found { meaning, key, entry, remaining: None }),
            Age::Gone => None,
        }
    }

    /// The fresh NXDOMAIN of an ancestor that holds for `name` too (RFC 8020), where that is safe.
    ///
    /// Old servers answer NXDOMAIN for empty non-terminals, so Unbound (`harden-below-nxdomain`), Knot Resolver
    /// and `PowerDNS` apply the cut to denials that DNSSEC proves, and without proof `PowerDNS` trusts the root alone
    /// (`root-nx-trust`). Nothing is proved here, so the root's word that a top-level domain does not exist is the
    /// only one that reaches downward. Zones with upstreams of their own, which the root need not know, are exempt.
    pub(super) fn cut_above(&self, name: &Name, now: Second) -> Option<(Probe, Entry)> {
        let top = upward(name.wire()).skip(1).filter(|wire| wire.len() > 1).last()?;
        let key = probe(top, Kind::NxDomain);
        let entry = self.store.find(&key).filter(|entry| entry.remaining(now).is_some())?;
        match &entry.fact {
            Fact::Denial { soa, .. } if soa.owner.is_root() => {}
            _ => return None,
        }
        let is_apart = self.settings.forwarded.iter().any(|zone| !zone.is_root() && name.is_within(zone));
        (!is_apart).then_some((key, entry))
    }

    /// The fresh fact of `kind` about the name with this `wire` form, and the seconds it has left.
    pub(super) fn fresh(&self, wire: &[u8], kind: Kind, now: Second) -> Option<(Entry, u32)> {
        let entry = self.store.find(&probe(wire, kind))?;
        let left = entry.remaining(now)?;
        Some((entry, left))
    }
}
