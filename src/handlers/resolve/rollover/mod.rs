//! Follows the keys of a trust anchor as its zone changes them (RFC 5011).
//!
//! A [`Rollover`] is told what the zone's DNSKEY RRset says each time that it was asked for and found authentic, and
//! says which keys are trusted by now and when to ask again. A key that the zone adds is trusted once it has stood there
//! for 30 days; one that revokes itself is trusted no more, at once. Time is an argument: seconds of the calendar, as
//! what is decided here outlives the process. [`saved`] makes it text.

pub mod saved;

use std::fmt;
use std::time::Duration;

use crate::base::bounds;
use crate::dns::dnssec::{Budget, DigestType, Ds, PublicKey, Signature, is_revoked_by_itself};
use crate::dns::{Name, RecordType, RrSet};

/// The flag by which a key revokes itself (RFC 5011 §7), in the second octet of a DNSKEY's RDATA.
const REVOKE: u8 = 0x80;

/// How a key stands (RFC 5011 §4.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Seen, and not trusted yet (`AddPend`).
    Pending,
    /// Trusted.
    Valid,
    /// Trusted, though its zone does not have it just now.
    Missing,
    /// It has revoked itself: never to be trusted again.
    Revoked,
    /// Gone after that.
    Removed,
}

/// A key and how it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Key {
    /// The key, without the flag by which it may have revoked itself.
    pub key: PublicKey,
    /// How it stands.
    pub state: State,
    /// Since when, seconds of the calendar.
    pub since: u64,
    /// How long it has to stay where it is before it goes on, seconds.
    pub hold: u64,
}

/// Something that has become of a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// Whose key.
    pub zone: Name,
    /// Its tag, without the flag by which it may have revoked itself.
    pub tag: u16,
    /// How it stands now; none where it is forgotten.
    pub state: Option<State>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the key {} of {} ", self.tag, self.zone)?;
        f.write_str(match self.state {
            Some(State::Pending) => "is new: it is trusted if it stays for 30 days",
            Some(State::Valid) => "is trusted",
            Some(State::Missing) => "is trusted, and missing in its zone",
            Some(State::Revoked) => "has revoked itself: it is trusted no more",
            Some(State::Removed) | None => "is forgotten",
        })
    }
}

/// The keys of one trust anchor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rollover {
    /// What the operator wrote of the zone: DS records.
    written: RrSet,
    keys: Vec<Key>,
    /// When its keys were last seen, seconds of the calendar; 0 for never.
    seen: u64,
    /// When they are to be asked for again.
    next: u64,
    /// How long to wait after a failure, seconds.
    retry: u64,
}

impl Rollover {
    /// Begins with the DS records that the operator wrote of a zone.
    #[must_use]
    pub fn new(written: RrSet) -> Self {
        Self { written, keys: Vec::new(), seen: 0, next: 0, retry: bounds::ANCHOR_LOOK_MIN.as_secs() }
    }

    /// The zone.
    #[must_use]
    pub const fn zone(&self) -> &Name {
        &self.written.owner
    }

    /// The DS records that it began with.
    #[must_use]
    pub const fn written(&self) -> &RrSet {
        &self.written
    }

    /// The keys.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// When the zone's keys were last seen, seconds of the calendar; none for never.
    #[must_use]
    pub const fn seen(&self) -> Option<u64> {
        if self.seen == 0 { None } else { Some(self.seen) }
    }

    /// The DS records that are trusted now. Where all keys have revoked themselves there are none, and the zone is no
    /// anchor any more (RFC 5011 §5).
    #[must_use]
    pub fn trusted(&self) -> RrSet {
        let is_gone = |key: &&Key| matches!(key.state, State::Revoked | State::Removed);
        let written = self.written.rdatas.iter().filter(|rdata| {
            let fits = |key: &Key| Ds::parse(rdata).is_ok_and(|ds| ds.fits(self.zone(), &key.key));
            !self.keys.iter().filter(is_gone).any(fits)
        });
        let is_own = |key: &&Key| matches!(key.state, State::Valid | State::Missing) && !self.is_written(&key.key);
        let own = self.keys.iter().filter(is_own).filter_map(|key| Ds::of(self.zone(), &key.key, DigestType::SHA256));
        let all: Vec<Vec<u8>> = written.map(<[u8]>::to_vec).chain(own.map(|ds| ds.rdata())).collect();
        RrSet::new(self.zone().clone(), RecordType::DS, 0, all)
    }

    /// Whether a DS record that the operator wrote speaks of `key`.
    fn is_written(&self, key: &PublicKey) -> bool {
        self.written.rdatas.iter().any(|rdata| Ds::parse(rdata).is_ok_and(|ds| ds.fits(self.zone(), key)))
    }

    /// When the zone's keys are to be asked for, seconds of the calendar; at once if that has passed. A clock that was
    /// set back does not put it off.
    #[must_use]
    pub fn poll_timeout(&self, wall: u64) -> u64 {
        if self.next > wall + bounds::ANCHOR_LOOK_MAX.as_secs() { wall } else { self.next }
    }

    /// The keys could not be had, or are not authentic.
    pub fn handle_failure(&mut self, wall: u64) {
        self.next = wall + self.retry;
    }

    /// Looks at the zone's keys, which came with their signatures and are authentic by what is trusted; tells what has
    /// become of them.
    pub fn handle_keys(&mut self, dnskeys: &RrSet, wall: u64) -> Vec<Change> {
        self.schedule(dnskeys, wall);
        self.seen = wall;
        let sight = Sight::of(dnskeys, wall);
        let mut changes = Changes { zone: self.zone().clone(), all: Vec::new() };
        self.revoke(&sight.revoked, wall, &mut changes);
        for key in &mut self.keys {
            let is_there = sight.standing.contains(&key.key);
            let has_waited = wall.saturating_sub(key.since) >= key.hold;
            let next = match key.state {
                State::Pending if is_there && has_waited => State::Valid,
                State::Missing if is_there => State::Valid,
                State::Valid if !is_there => State::Missing,
                State::Pending if !is_there => State::Removed, // KeyRem: back to the start
                same => same,
            };
            key.turn(next, wall, &mut changes);
        }
        for key in &sight.standing {
            if self.keys.iter().any(|known| known.key == *key) || self.keys.len() >= bounds::ANCHOR_KEYS_MAX {
                continue;
            }
            // What the operator wrote is trusted from the start; what the zone adds has to wait (§2.4.1).
            let is_written = self.is_written(key);
            let hold = bounds::ANCHOR_HOLD_DOWN.as_secs().max(u64::from(dnskeys.ttl));
            let state = if is_written { State::Valid } else { State::Pending };
            changes.note(key.tag(), Some(state));
            self.keys.push(Key { key: key.clone(), state, since: wall, hold: if is_written { 0 } else { hold } });
        }
        changes.all.append(&mut self.handle_timeout(wall));
        changes.all
    }

    /// Looks at keys that nobody who is trusted vouches for. A key that has revoked itself there is trusted no more, for
    /// none but itself can have signed that (RFC 5011 §2.1); so the last one can go too. Nothing else is believed.
    pub fn handle_unproved(&mut self, dnskeys: &RrSet, wall: u64) -> Vec<Change> {
        let mut changes = Changes { zone: self.zone().clone(), all: Vec::new() };
        self.revoke(&Sight::of(dnskeys, wall).revoked, wall, &mut changes);
        changes.all
    }

    fn revoke(&mut self, revoked: &[PublicKey], wall: u64, changes: &mut Changes) {
        for key in revoked {
            let may_add = self.is_written(key) && self.keys.len() < bounds::ANCHOR_KEYS_MAX;
            match self.keys.iter_mut().find(|known| known.key == *key) {
                Some(known) if matches!(known.state, State::Valid | State::Missing) => {
                    known.turn(State::Revoked, wall, changes);
                }
                None if may_add => {
                    changes.note(key.tag(), Some(State::Revoked));
                    let hold = bounds::ANCHOR_HOLD_DOWN.as_secs();
                    self.keys.push(Key { key: key.clone(), state: State::Revoked, since: wall, hold });
                }
                _ => {}
            }
        }
    }

    /// Forgets what has been gone for long enough; tells of it.
    pub fn handle_timeout(&mut self, wall: u64) -> Vec<Change> {
        let mut changes = Changes { zone: self.zone().clone(), all: Vec::new() };
        let written: Vec<bool> = self.keys.iter().map(|key| self.is_written(&key.key)).collect();
        for (key, is_written) in self.keys.iter_mut().zip(&written) {
            let has_waited = wall.saturating_sub(key.since) >= key.hold;
            // What the operator wrote is trusted however long its zone does without it.
            if has_waited && (key.state == State::Revoked || key.state == State::Missing && !is_written) {
                key.turn(State::Removed, wall, &mut changes);
            }
        }
        // What is written of a key that is gone must not make it trusted again.
        let mut written = written.into_iter();
        self.keys.retain(|key| written.next().unwrap_or(false) || key.state != State::Removed);
        changes.all
    }

    /// Plans the next look by the keys' TTL and the life of their signatures (§2.3).
    fn schedule(&mut self, dnskeys: &RrSet, wall: u64) {
        let signatures = || dnskeys.signatures.iter().filter_map(|rdata| Signature::parse(rdata).ok());
        let ttl = signatures().map(|signature| signature.original_ttl).min().unwrap_or(dnskeys.ttl);
        let left = |signature: Signature<'_>| {
            let left = signature.expiration.wrapping_sub(wall as u32).cast_signed();
            u64::from(left.max(0).cast_unsigned())
        };
        let life = signatures().map(left).min().unwrap_or(0);
        let within = |part: u64, most: Duration| {
            let interval = (u64::from(ttl) / part).min(life / part).min(most.as_secs());
            interval.max(bounds::ANCHOR_LOOK_MIN.as_secs())
        };
        self.next = wall + within(2, bounds::ANCHOR_LOOK_MAX);
        self.retry = within(10, bounds::ANCHOR_RETRY_MAX);
    }
}

impl Key {
    fn turn(&mut self, state: State, wall: u64, changes: &mut Changes) {
        if self.state == state {
            return;
        }
        self.hold = match state {
            State::Missing => bounds::ANCHOR_MISSING_MAX.as_secs(),
            State::Revoked => bounds::ANCHOR_HOLD_DOWN.as_secs(),
            State::Pending | State::Valid | State::Removed => 0,
        };
        (self.state, self.since) = (state, wall);
        changes.note(self.key.tag(), (state != State::Removed).then_some(state));
    }
}

struct Changes {
    zone: Name,
    all: Vec<Change>,
}

impl Changes {
    fn note(&mut self, tag: u16, state: Option<State>) {
        self.all.push(Change { zone: self.zone.clone(), tag, state });
    }
}

/// What a zone's keys are seen to be: the secure entry points among them, without the flag of revocation.
struct Sight {
    standing: Vec<PublicKey>,
    revoked: Vec<PublicKey>,
}

impl Sight {
    fn of(dnskeys: &RrSet, wall: u64) -> Self {
        let mut sight = Self { standing: Vec::new(), revoked: Vec::new() };
        let mut budget = Budget::default();
        for key in dnskeys.rdatas.iter().filter_map(|rdata| PublicKey::parse(rdata).ok()) {
            if !key.is_sep() || !key.is_zone_key() || !key.is_usable() {
                continue;
            }
            if !key.is_revoked() {
                sight.standing.push(key);
            } else if is_revoked_by_itself(dnskeys, &key, wall as u32, &mut budget).is_ok() {
                sight.revoked.extend(unrevoked(&key));
            }
        }
        sight
    }
}

/// The key as it was before it revoked itself.
fn unrevoked(key: &PublicKey) -> Option<PublicKey> {
    let mut rdata = key.rdata().to_vec();
    *rdata.get_mut(1)? &= !REVOKE;
    PublicKey::parse(&rdata).ok()
}

#[cfg(test)]
mod tests;
