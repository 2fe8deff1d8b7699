//! One update on a draft, as RFC 2136 §3 tells it: prerequisites, permission, changes, serial number.

use super::draft::{Draft, Item, Trial, serial_of};
use super::policy::{self, Grant};
use super::{Difference, Update};
use crate::base::bounds;
use crate::dns::{Class, Name, Rcode, Record, RecordType};

impl Draft {
    /// Does what `update` asks for, all of it or nothing. None where nothing would be different.
    ///
    /// # Errors
    /// The response's RCODE; the draft is then as it was.
    pub fn attempt(&mut self, update: &Update<'_>, grant: &Grant<'_>) -> Result<Option<Difference>, Rcode> {
        self.check_prerequisites(update.prerequisites)?;
        self.check_changes(update.changes, grant)?;
        if self.is_signed() {
            return Err(Rcode::REFUSED); // changed records would lack their signatures, which only the signer can make
        }
        let old_soa = self.soa().ok_or(Rcode::SERVFAIL)?;
        let mut trial = Trial::new(self);
        for change in update.changes {
            trial.change(change)?;
        }
        let (removed, added) = trial.difference();
        let new_soa = match trial.apex_soa()? {
            Some(soa) if soa != old_soa => soa,
            _ if removed.is_empty() && added.is_empty() => return Ok(None),
            _ => {
                // RFC 2136 §3.6: secondaries must see that the zone has changed.
                let next = with_serial(&old_soa, serial_after(serial_of(&old_soa.rdata)));
                trial.put_soa(&next)?;
                next
            }
        };
        let apex = self.apex().clone();
        let record = |soa: &Item| Record {
            owner: apex.clone(),
            rtype: RecordType::SOA,
            class: Class::IN,
            ttl: soa.ttl,
            rdata: soa.rdata.clone(),
        };
        let mut difference = Difference {
            from_serial: serial_of(&old_soa.rdata),
            to_serial: serial_of(&new_soa.rdata),
            removed: vec![record(&old_soa)],
            added: vec![record(&new_soa)],
        };
        difference.removed.extend(removed);
        difference.added.extend(added);
        let touched = trial.finish();
        self.commit(touched);
        Ok(Some(difference))
    }

    /// RFC 2136 §3.2.
    fn check_prerequisites(&self, prerequisites: &[Record]) -> Result<(), Rcode> {
        let mut wanted: Vec<&Record> = Vec::new();
        for record in prerequisites {
            if record.ttl != 0 {
                return Err(Rcode::FORMERR);
            }
            if !record.owner.is_within(self.apex()) {
                return Err(Rcode::NOTZONE);
            }
            let is_about_set = record.rtype != RecordType::ANY;
            if is_about_set && record.rtype.is_meta() {
                return Err(Rcode::FORMERR);
            }
            match record.class {
                Class::ANY | Class::NONE if !record.rdata.is_empty() => return Err(Rcode::FORMERR),
                Class::ANY if is_about_set => {
                    if !self.has(&record.owner, Some(record.rtype)) {
                        return Err(Rcode::NXRRSET); // §2.4.1
                    }
                }
                Class::ANY if !self.has(&record.owner, None) => return Err(Rcode::NXDOMAIN), // §2.4.4
                Class::NONE if is_about_set => {
                    if self.has(&record.owner, Some(record.rtype)) {
                        return Err(Rcode::YXRRSET); // §2.4.3
                    }
                }
                Class::NONE if self.has(&record.owner, None) => return Err(Rcode::YXDOMAIN), // §2.4.5
                Class::ANY | Class::NONE => {}
                Class::IN if is_about_set => wanted.push(record), // §2.4.2
                _ => return Err(Rcode::FORMERR),
            }
        }
        // §3.2.3: each RRset as a whole, whatever the order of its records.
        wanted.sort_by(|one, two| one.owner.cmp(&two.owner).then(one.rtype.cmp(&two.rtype)));
        for set in wanted.chunk_by(|one, two| one.owner == two.owner && one.rtype == two.rtype) {
            let Some(first) = set.first() else { continue };
            let mut there = self.items(&first.owner);
            there.retain(|item| item.rtype == first.rtype);
            let is_there = |record: &&&Record| there.iter().any(|item| item.is_same_data(record.rtype, &record.rdata));
            let is_wanted = |item: &&Item| set.iter().any(|record| item.is_same_data(record.rtype, &record.rdata));
            if there.is_empty()
                || set.iter().filter(is_there).count() != set.len()
                || there.iter().filter(is_wanted).count() != there.len()
            {
                return Err(Rcode::NXRRSET);
            }
        }
        Ok(())
    }

    /// RFC 2136 §3.4.1, and §3.3 for each record: nothing is changed before all of it may be.
    fn check_changes(&self, changes: &[Record], grant: &Grant<'_>) -> Result<(), Rcode> {
        for record in changes {
            if !record.owner.is_within(self.apex()) {
                return Err(Rcode::NOTZONE);
            }
            let is_any = record.rtype == RecordType::ANY;
            let is_well_formed = match record.class {
                Class::IN => !record.rtype.is_meta() && policy::is_lawful(record),
                Class::ANY => record.ttl == 0 && record.rdata.is_empty() && (is_any || !record.rtype.is_meta()),
                Class::NONE => record.ttl == 0 && !record.rtype.is_meta(),
                _ => false,
            };
            if !is_well_formed {
                return Err(Rcode::FORMERR);
            }
        }
        for record in changes {
            let may = |rtype| grant.allows(&record.owner, rtype) && !policy::is_signers(rtype);
            let is_allowed = if record.rtype == RecordType::ANY {
                // Everything that would go must be this key's to remove; what stays at the apex does not count.
                let is_apex = record.owner == *self.apex();
                let mut going = self.items(&record.owner);
                going.retain(|item| !is_apex || !matches!(item.rtype, RecordType::SOA | RecordType::NS));
                // Where nothing is left to go, the name still says whether the key has business here.
                if going.is_empty() { grant.speaks_of(&record.owner) } else { going.iter().all(|item| may(item.rtype)) }
            } else {
                may(record.rtype)
            };
            if !is_allowed {
                return Err(Rcode::REFUSED);
            }
        }
        Ok(())
    }

    /// Whether `name` owns a record, of this type if one is named. Empty non-terminals do not (RFC 2136 §2.4.4).
    fn has(&self, name: &Name, rtype: Option<RecordType>) -> bool {
        self.items(name).iter().any(|item| rtype.is_none_or(|rtype| item.rtype == rtype))
    }
}

impl Trial<'_> {
    /// RFC 2136 §3.4.2: one record of the update section.
    fn change(&mut self, change: &Record) -> Result<(), Rcode> {
        let is_apex = change.owner == *self.draft().apex();
        let items = self.items_mut(&change.owner).ok_or(Rcode::NOTZONE)?;
        match change.class {
            Class::IN => add(items, change, is_apex),
            Class::ANY => {
                // §3.4.2.3: the apex keeps its SOA and NS records, or the zone would be none.
                let stays = |item: &Item| is_apex && matches!(item.rtype, RecordType::SOA | RecordType::NS);
                let goes = |item: &Item| change.rtype == RecordType::ANY || item.rtype == change.rtype;
                items.retain(|item| stays(item) || !goes(item));
                Ok(())
            }
            _ => {
                // §3.4.2.4: the SOA record stays, and at the apex the last NS record.
                let is_last_ns = is_apex
                    && change.rtype == RecordType::NS
                    && items.iter().filter(|item| item.rtype == RecordType::NS).count() <= 1;
                if change.rtype != RecordType::SOA && !is_last_ns {
                    items.retain(|item| !item.is_same_data(change.rtype, &change.rdata));
                }
                Ok(())
            }
        }
    }

    fn apex_soa(&mut self) -> Result<Option<Item>, Rcode> {
        let apex = self.draft().apex().clone();
        let items = self.items_mut(&apex).ok_or(Rcode::SERVFAIL)?;
        Ok(items.iter().find(|item| item.rtype == RecordType::SOA).cloned())
    }

    fn put_soa(&mut self, soa: &Item) -> Result<(), Rcode> {
        let apex = self.draft().apex().clone();
        let items = self.items_mut(&apex).ok_or(Rcode::SERVFAIL)?;
        items.retain(|item| item.rtype != RecordType::SOA);
        items.push(soa.clone());
        Ok(())
    }
}

/// RFC 2136 §3.4.2.2.
fn add(items: &mut Vec<Item>, change: &Record, is_apex: bool) -> Result<(), Rcode> {
    let rtype = change.rtype;
    match rtype {
        RecordType::SOA => {
            let held = items.iter().find(|item| item.rtype == RecordType::SOA);
            let is_newer = held.is_some_and(|held| is_newer(serial_of(&change.rdata), serial_of(&held.rdata)));
            if !is_apex || !is_newer {
                return Ok(()); // silently ignored
            }
        }
        RecordType::CNAME if items.iter().any(|item| !may_stand_beside_cname(item.rtype)) => return Ok(()),
        _ if !may_stand_beside_cname(rtype) && items.iter().any(|item| item.rtype == RecordType::CNAME) => {
            return Ok(());
        }
        _ => {}
    }
    // Types of which a name has one: the new one takes the old one's place. DNAME is as CNAME (RFC 6672 §2.4).
    if matches!(rtype, RecordType::SOA | RecordType::CNAME | RecordType::DNAME) {
        items.retain(|item| item.rtype != rtype);
    } else if rtype == RecordType::WKS {
        // One a protocol and address (RFC 2136 §1.1.5): the first five octets of the RDATA.
        items.retain(|item| item.rtype != rtype || item.rdata.get(..5) != change.rdata.get(..5));
    }
    items.retain(|item| !item.is_same_data(rtype, &change.rdata));
    // An RRset has one TTL (RFC 2181 §5.2): the newest.
    for item in items.iter_mut().filter(|item| item.rtype == rtype) {
        item.ttl = change.ttl;
    }
    if items.iter().filter(|item| item.rtype == rtype).count() >= bounds::UPDATED_RRSET_RECORDS {
        return Err(Rcode::REFUSED);
    }
    items.push(Item::of(change));
    Ok(())
}

/// RFC 2136 §3.4.2.2 with RFC 4034 §3, §4: DNSSEC's own records, and KEY (RFC 3007 §3.1.1).
const fn may_stand_beside_cname(rtype: RecordType) -> bool {
    matches!(rtype, RecordType::CNAME | RecordType::RRSIG | RecordType::NSEC | RecordType::KEY | RecordType::SIG)
}

/// Whether `one` comes after `two` in serial number arithmetic (RFC 1982 §3.2).
#[must_use]
pub const fn is_newer(one: u32, two: u32) -> bool {
    let ahead = one.wrapping_sub(two);
    ahead != 0 && ahead < 1 << 31
}

/// The next serial number; 0 is passed over, which some take for none (RFC 2136 §4.2).
const fn serial_after(serial: u32) -> u32 {
    match serial.wrapping_add(1) {
        0 => 1,
        next => next,
    }
}

fn with_serial(soa: &Item, serial: u32) -> Item {
    let mut soa = soa.clone();
    let at = soa.rdata.len().saturating_sub(20);
    if let Some(octets) = soa.rdata.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<4>()) {
        *octets = serial.to_be_bytes();
    }
    soa
}
