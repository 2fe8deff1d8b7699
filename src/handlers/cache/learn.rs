//! What the cache keeps of what a response taught, and for how long; and what it tells the iterator.
//!
//! It believes the scrubbing of those who call [`Memory::learn`]: that records belong to the zone asked. It
//! decides by rank (RFC 2181 §5.4.1) and TTL, refuses what is too large, and never lets a zone cut live longer
//! than its parent said or than the zone cut above it.

use std::borrow::Cow;
use std::sync::Arc;

use super::Cache;
use super::entry::{self, Entry, Fact, Second, second};
use super::key::{Kind, Probe, probe, told, upward};
use super::stale::{self, Age};
use super::store::Change;
use crate::base::{Instant, bounds};
use crate::chain::{Checked, Delegation, Denial, Learned, Memory, Proofs, Rank, Remembered};
use crate::dns::dnssec::Security;
use crate::dns::{Ede, Name, RecordType, RrSet};

impl Memory for Cache {
    fn rrset(&self, owner: &Name, rtype: RecordType, now: Instant) -> Option<Remembered> {
        let (entry, ttl) = self.fresh(owner.wire(), Kind::RrSet(rtype), second(now))?;
        if entry.born() < second(now) {
            self.store.mark_used(&self.place(owner.wire(), Kind::RrSet(rtype), entry.security)); // not by whoever has just taught it
        }
        let security = entry.security;
        match entry.fact {
            Fact::RrSet { set, rank, proofs } => Some(Remembered { set, ttl, rank, security, proofs }),
            _ => None,
        }
    }

    fn denial(&self, name: &Name, rtype: RecordType, now: Instant) -> Option<Denial> {
        let now = second(now);
        let (entry, ttl) = self
            .fresh(name.wire(), Kind::NxDomain, now)
            .or_else(|| self.fresh(name.wire(), Kind::NoData(rtype), now))
            .or_else(|| self.cut_above(name, now).and_then(|(_, entry)| entry.remaining(now).map(|ttl| (entry, ttl))))
            .or_else(|| self.made(name, rtype, now).and_then(|entry| entry.remaining(now).map(|ttl| (entry, ttl))))?;
        let security = entry.security;
        match entry.fact {
            Fact::Denial { is_nxdomain, soa, proofs } => {
                Some(Denial { is_nxdomain, soa: Some(soa), proofs: proofs.into_vec(), ttl, security })
            }
            _ => None,
        }
    }

    fn delegation(&self, name: &Name, now: Instant) -> Option<Arc<Delegation>> {
        let now = second(now);
        let (entry, ttl) = upward(name.wire()).find_map(|wire| self.fresh(wire, Kind::Delegation, now))?;
        match entry.fact {
            Fact::Delegation(delegation) if delegation.ttl == ttl => Some(delegation),
            Fact::Delegation(delegation) => Some(Arc::new(Delegation { ttl, ..Delegation::clone(&delegation) })),
            _ => None,
        }
    }

    fn failure(&self, name: &Name, rtype: RecordType, now: Instant) -> Option<Ede> {
        self.fresh_ede(name, Kind::Failure(rtype), second(now))
    }

    fn bogus(&self, name: &Name, rtype: RecordType, now: Instant) -> Option<Ede> {
        self.fresh_ede(name, Kind::Bogus(rtype), second(now))
    }

    fn learn(&self, learned: Learned, now: Instant) {
        let now = second(now);
        match learned {
            Learned::RrSet { set, rank, proofs, checked } => self.learn_rrset(set, rank, proofs, checked, now),
            Learned::Denial { name, rtype, denial } => self.learn_denial(&name, rtype, denial, now),
            Learned::Delegation(delegation) => self.learn_delegation(delegation, now),
            Learned::Failure { name, rtype, ede, unchecked } => self.learn_failure((&name, rtype), ede, unchecked, now),
            Learned::Bogus { name, rtype, ede, ttl } => self.learn_bogus((&name, rtype), ede, ttl, now),
        }
    }
}

impl Cache {
    fn fresh_ede(&self, name: &Name, kind: Kind, now: Second) -> Option<Ede> {
        let (entry, _) = self.fresh(name.wire(), kind, now)?;
        match &entry.fact {
            Fact::Failure(ede) => Some(Ede::clone(ede)),
            _ => None,
        }
    }

    fn learn_rrset(&self, set: Arc<RrSet>, rank: Rank, proofs: Proofs, checked: Option<Checked>, now: Second) {
        if !is_keepable(&set) || entry::sets_bytes(&proofs) > bounds::RRSET_BYTES_MAX {
            return;
        }
        let (owner, rtype) = (set.owner.clone(), set.rtype);
        let ttl = self.kept_ttl(&set, now).min(checked.as_ref().map_or(u32::MAX, |checked| checked.ttl));
        let security = checked.as_ref().map_or(Security::Unchecked, |checked| checked.security);
        if security == Security::Secure
            && let (Some(denials), Some(encloser)) = (&self.denials, checked.and_then(|checked| checked.encloser))
        {
            let age = self.kept_ttl(&set, now).saturating_sub(ttl);
            let ttl = ttl.min(seconds(self.settings.max_negative_ttl));
            denials.learn_made(&set, encloser, &proofs, (age, ttl), now);
        }
        // What a wildcard made is worth nothing without the proofs that it did (RFC 4035 §5.3.4).
        let ttl = proofs.iter().map(|proof| self.kept_ttl(proof, now)).fold(ttl, u32::min);
        let entry = Entry::new(now, ttl, Fact::RrSet { set, rank, proofs }).with_security(security);
        let mut is_believed = false;
        self.store.update(&self.place(owner.wire(), Kind::RrSet(rtype), security), |old| {
            if old.is_some_and(|old| self.outranks(old, rank, security, now)) {
                return Change::Keep;
            }
            is_believed = true;
            // TTL 0 is used once and not kept; what it supersedes is not true any more either.
            if ttl == 0 { Change::Remove } else { Change::Put(entry) }
        });
        if self.settings.validates && is_believed && security != Security::Unchecked {
            self.store.remove(&told(probe(owner.wire(), Kind::RrSet(rtype))));
        }
        if is_believed && rank > Rank::Additional {
            self.retract(&owner, [Kind::NoData(rtype), Kind::NxDomain, Kind::Failure(rtype)], rtype, security);
        }
    }

    /// Where a fact is kept of which validation has found `security`. What has been checked and what has not are kept
    /// apart where anything is checked: whoever has the checking left out must not push out what was found true, not
    /// even when that is stale.
    fn place(&self, wire: &[u8], kind: Kind, security: Security) -> Probe {
        let key = probe(wire, kind);
        if self.settings.validates && security == Security::Unchecked { told(key) } else { key }
    }

    /// Forgets facts that what was learned of `name` and `rtype` contradicts.
    fn retract<const N: usize>(&self, name: &Name, kinds: [Kind; N], rtype: RecordType, security: Security) {
        for kind in kinds {
            self.store.remove(&self.place(name.wire(), kind, security));
            if self.settings.validates && security != Security::Unchecked {
                self.store.remove(&told(probe(name.wire(), kind)));
            }
        }
        if self.settings.validates && security != Security::Unchecked {
            self.store.remove(&probe(name.wire(), Kind::Bogus(rtype)));
        }
    }

    /// Seconds for which `set` is kept; 0 for not at all.
    fn kept_ttl(&self, set: &RrSet, now: Second) -> u32 {
        if set.ttl == 0 {
            return 0; // not even where a least TTL is set
        }
        let ttl = set.ttl.max(seconds(self.settings.min_ttl)).min(seconds(self.settings.max_ttl));
        if set.rtype == RecordType::NS { self.within_cuts(upward(set.owner.wire()), ttl, now) } else { ttl }
    }

    /// What is left of `ttl` where nothing is to outlive the closest of the zone cuts at `names`: neither a child's
    /// NS RRset, which it renews with each response, its parent's word that there is such a child (ghost domains); nor
    /// a zone cut the one above it, or a child that lost its own could live on in a grandchild that it made up
    /// (phoenix domains). Where the cut has just expired, what comes now was asked while it still held: 0.
    fn within_cuts<'n>(&self, mut names: impl Iterator<Item = &'n [u8]>, ttl: u32, now: Second) -> u32 {
        let cut = names.find_map(|wire| {
            let cut = self.store.find(&probe(wire, Kind::Delegation))?;
            (now < stale::end(None, &cut)).then_some(cut)
        });
        cut.map_or(ttl, |cut| ttl.min(cut.remaining(now).unwrap_or(0)))
    }

    /// Whether `old` stays in place of data of `rank`: while it is fresh, and while it is the stale answer that
    /// clients would get, for which data that no client may see are no replacement.
    fn outranks(&self, old: &Entry, rank: Rank, security: Security, now: Second) -> bool {
        match &old.fact {
            _ if security == Security::Secure => false, // whoever sent it, the zone has signed it
            Fact::RrSet { rank: held, .. } if *held > rank => {
                match stale::age(self.settings.stale.as_ref(), old, now) {
                    Age::Fresh(_) => true,
                    Age::Stale => rank == Rank::Additional,
                    Age::Gone => false,
                }
            }
            _ => false,
        }
    }

    fn learn_denial(&self, name: &Name, rtype: RecordType, denial: Denial, now: Second) {
        self.store.remove(&self.place(name.wire(), Kind::Failure(rtype), denial.security));
        // Without the zone's SOA a denial is used once and not kept (RFC 2308 §5).
        let Some(soa) = denial.soa else { return };
        let Some(minimum) = soa_minimum(&soa) else { return };
        let ttl = soa.ttl.min(minimum).min(seconds(self.settings.max_negative_ttl)); // RFC 2308 §5
        let is_sound = name.is_within(&soa.owner)
            && entry::sets_bytes(&denial.proofs) <= bounds::RRSET_BYTES_MAX
            && is_keepable(&soa);
        let security = denial.security;
        let ttl = if security == Security::Unchecked { ttl } else { ttl.min(denial.ttl) };
        if ttl == 0 || !is_sound {
            return;
        }
        if security == Security::Secure
            && let Some(denials) = &self.denials
        {
            denials.learn(&soa, &denial.proofs, ttl, now);
        }
        let is_nxdomain = denial.is_nxdomain;
        let kind = if is_nxdomain { Kind::NxDomain } else { Kind::NoData(rtype) };
        let fact = Fact::Denial { is_nxdomain, soa, proofs: denial.proofs.into_boxed_slice() };
        let entry = Entry::new(now, ttl, fact).with_security(security);
        self.store.update(&self.place(name.wire(), kind, security), |_| Change::Put(entry));
        if self.settings.validates && security != Security::Unchecked {
            self.store.remove(&told(probe(name.wire(), kind)));
        }
        // What it denies was true before and is no longer.
        let other = if is_nxdomain { Kind::NoData(rtype) } else { Kind::NxDomain };
        self.retract(name, [Kind::RrSet(rtype), Kind::RrSet(RecordType::CNAME), other], rtype, security);
    }

    /// Only the parent's referral brings a zone cut, and its TTL is never stretched: nothing that the child says
    /// touches it.
    fn learn_delegation(&self, delegation: Arc<Delegation>, now: Second) {
        if delegation.servers.is_empty() || entry::delegation_bytes(&delegation) > bounds::RRSET_BYTES_MAX {
            return;
        }
        let ttl = delegation.ttl.min(seconds(self.settings.max_ttl));
        let ttl = self.within_cuts(upward(delegation.zone.wire()).skip(1), ttl, now);
        if ttl > 0 {
            let key = probe(delegation.zone.wire(), Kind::Delegation);
            let entry = Entry::new(now, ttl, Fact::Delegation(delegation));
            self.store.update(&key, |_| Change::Put(entry));
        }
    }

    fn learn_bogus(&self, (name, rtype): (&Name, RecordType), ede: Ede, ttl: u32, now: Second) {
        let ede = Arc::new(Ede { text: shortened(ede.text), ..ede });
        let entry = Entry::new(now, ttl.min(seconds(bounds::BOGUS_TTL)), Fact::Failure(ede));
        self.store.update(&probe(name.wire(), Kind::Bogus(rtype)), |_| Change::Put(entry));
    }

    fn learn_failure(&self, (name, rtype): (&Name, RecordType), ede: Ede, unchecked: bool, now: Second) {
        let ede = Arc::new(Ede { text: shortened(ede.text), ..ede });
        let (least, most) = (seconds(bounds::FAILURE_TTL_MIN), seconds(bounds::FAILURE_TTL_MAX));
        // Where checking was left out, whoever was believed may have led there.
        let security = if unchecked { Security::Unchecked } else { Security::Insecure };
        self.store.update(&self.place(name.wire(), Kind::Failure(rtype), security), |old| {
            let ttl = match old {
                Some(old) if old.remaining(now).is_some() => return Change::Keep, // the same failure, told twice
                // RFC 9520 §3.2: exponential where it goes on.
                Some(old) if now < old.expiry.saturating_add(Second::from(most)) => (old.ttl * 2).min(most),
                _ => least,
            };
            Change::Put(Entry::new(now, ttl, Fact::Failure(ede)))
        });
    }
}

/// Whether `set` is one that may be kept: within the bounds, of a type that stands in zones, and where it leads
/// on, leading somewhere.
pub(super) fn is_keepable(set: &RrSet) -> bool {
    let leads_on = matches!(set.rtype, RecordType::CNAME | RecordType::DNAME);
    set.is_within_bounds()
        && !set.rdatas.is_empty()
        && !set.rtype.is_meta()
        && set.rtype != RecordType::RRSIG // kept with what it covers
        && (!leads_on || set.target().is_some())
}

/// Whole seconds, as a TTL.
fn seconds(duration: std::time::Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

/// The MINIMUM field of a SOA RRset (RFC 1035 §3.3.13): its last four octets.
fn soa_minimum(soa: &RrSet) -> Option<u32> {
    if soa.rtype != RecordType::SOA {
        return None;
    }
    let rdata = soa.rdatas.iter().next()?;
    // Two names of an octet at least, then five numbers.
    rdata.split_last_chunk::<4>().filter(|(before, _)| before.len() >= 18).map(|(_, last)| u32::from_be_bytes(*last))
}

/// `text`, cut to [`bounds::EDE_TEXT_MAX`] octets.
fn shortened(text: Cow<'static, str>) -> Cow<'static, str> {
    if text.len() <= bounds::EDE_TEXT_MAX {
        return text;
    }
    let mut end = bounds::EDE_TEXT_MAX;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Cow::Owned(text.get(..end).unwrap_or_default().to_owned())
}
