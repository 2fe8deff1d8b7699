//! The cache as octets, so that a restart is warm.
//!
//! A snapshot is a header (mark, version, second of the wall clock) and records, each with its length and
//! checksum, and a last empty one with their number. Ages are kept relative to the header's second and corrected
//! on loading by the time that has passed since, so no TTL grows over a restart. What is broken ends the loading
//! at the last good record; nothing that a file says is believed before it is checked, lengths included.
//! Failures are not carried over: a restart is a good moment to try again.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::sync::Arc;

use super::Cache;
use super::entry::{self, Entry, Fact, Second, second, span};
use super::key::{Key, Kind, Probe, probe, told};
use super::learn::is_keepable;
use super::stale;
use super::store::Change;
use crate::base::{Instant, bounds};
use crate::chain::{Delegation, NameServer, Rank};
use crate::dns::dnssec::Security;
use crate::dns::{Name, Rdatas, RecordType, RrSet};

const MARK: &[u8; 8] = b"MERIDIAN";
const VERSION: u32 = 2;
/// Octets of one record at most; a fact holds [`bounds::RRSET_BYTES_MAX`] of payload, names and proofs included.
const RECORD_MAX: usize = 2 * bounds::RRSET_BYTES_MAX;

/// What came of loading a snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Loaded {
    /// Facts that are in the cache now.
    pub kept: usize,
    /// Facts that had become too old or that the cache knew better.
    pub dropped: usize,
    /// Whether the snapshot was read to its end; if not, it was cut short or broken from there on.
    pub is_whole: bool,
}

/// Why a snapshot was not loaded at all.
#[derive(Debug)]
pub enum SnapshotFault {
    /// It does not begin like a snapshot.
    NotASnapshot,
    /// It was written by another version.
    OtherVersion(u32),
    /// The wall clock stands before the second in which it was written, so its age cannot be told.
    FromTheFuture,
    /// It is older than [`bounds::SNAPSHOT_AGE_MAX`]; so many seconds.
    TooOld(u64),
    /// It could not be read.
    Unreadable(io::Error),
}

impl fmt::Display for SnapshotFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotASnapshot => f.write_str("not a cache snapshot"),
            Self::OtherVersion(version) => write!(f, "a cache snapshot of version {version}, not {VERSION}"),
            Self::FromTheFuture => f.write_str("the wall clock stands before the time at which it was written"),
            Self::TooOld(age) => write!(f, "written {age} s ago"),
            Self::Unreadable(fault) => write!(f, "cannot be read: {fault}"),
        }
    }
}

impl std::error::Error for SnapshotFault {}

impl Cache {
    /// Writes a snapshot in the second `wall` of the wall clock, and tells how many facts it holds.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn compose_snapshot(&self, out: &mut impl Write, wall: u64, now: Instant) -> io::Result<u64> {
        let now = second(now);
        let mut size = 0u64;
        let mut header = MARK.to_vec();
        header.extend_from_slice(&VERSION.to_be_bytes());
        header.extend_from_slice(&wall.to_be_bytes());
        header.extend_from_slice(&checksum(&header).to_be_bytes());
        out.write_all(&header)?;
        let (mut count, mut record) = (0u64, Vec::new());
        for (key, entry) in self.store.iter() {
            record.clear();
            if now >= stale::end(self.settings.stale.as_ref(), &entry)
                || compose(&key, &entry, now, &mut record).is_none()
            {
                continue;
            }
            size += record.len() as u64 + 8;
            if size > bounds::SNAPSHOT_MAX {
                break;
            }
            write_record(out, &record)?;
            count += 1;
        }
        record.clear();
        record.extend_from_slice(&count.to_be_bytes());
        out.write_all(&0u32.to_be_bytes())?;
        out.write_all(&checksum(&record).to_be_bytes())?;
        out.write_all(&record)?;
        Ok(count)
    }

    /// Loads a snapshot in the second `wall` of the wall clock. What the cache already knows stays.
    ///
    /// # Errors
    /// [`SnapshotFault`] if nothing of it can be used.
    pub fn load_snapshot(&self, from: &mut impl Read, wall: u64, now: Instant) -> Result<Loaded, SnapshotFault> {
        let written = header(from)?;
        let passed = wall.checked_sub(written).ok_or(SnapshotFault::FromTheFuture)?;
        if passed > bounds::SNAPSHOT_AGE_MAX.as_secs() {
            return Err(SnapshotFault::TooOld(passed));
        }
        let now = second(now);
        let base = now.saturating_sub(span(passed));
        let mut loaded = Loaded { kept: 0, dropped: 0, is_whole: false };
        let mut from = from.take(bounds::SNAPSHOT_MAX);
        let mut record = Vec::new();
        loop {
            match read_record(&mut from, &mut record) {
                Some(Frame::Record) => {
                    let Some((key, entry)) = parse(&record, base) else { break };
                    let counter = if self.restore(&key, entry, now) { &mut loaded.kept } else { &mut loaded.dropped };
                    *counter += 1;
                }
                Some(Frame::End(count)) => {
                    loaded.is_whole = count == (loaded.kept + loaded.dropped) as u64;
                    break;
                }
                None => break,
            }
        }
        self.store.settle();
        Ok(loaded)
    }

    fn restore(&self, key: &Probe, mut entry: Entry, now: Second) -> bool {
        // The settings may have become stricter since.
        let most = match entry.fact {
            Fact::Denial { .. } => self.settings.max_negative_ttl,
            _ => self.settings.max_ttl,
        };
        let born = entry.born();
        entry.ttl = entry.ttl.min(u32::try_from(most.as_secs()).unwrap_or(u32::MAX));
        entry.expiry = born.saturating_add(Second::from(entry.ttl));
        if now >= stale::end(self.settings.stale.as_ref(), &entry) || entry.ttl == 0 {
            return false;
        }
        let mut is_kept = false;
        let is_told = self.settings.validates && entry.security == Security::Unchecked;
        let is_kept_apart = is_told && matches!(entry.fact, Fact::RrSet { .. } | Fact::Denial { .. });
        let key = if is_kept_apart { told(key.clone()) } else { key.clone() };
        self.store.update(&key, |old| {
            is_kept = old.is_none();
            if is_kept { Change::Put(entry) } else { Change::Keep }
        });
        is_kept
    }
}

/// The first 32 bits of FNV-1a over 64: against accidents, not against forgers, who could write the file anyway.
fn checksum(octets: &[u8]) -> u32 {
    let hash = octets
        .iter()
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, &octet| (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3));
    (hash >> 32) as u32 ^ hash as u32
}

fn header(from: &mut impl Read) -> Result<u64, SnapshotFault> {
    let mut header = [0u8; 24];
    from.read_exact(&mut header).map_err(|fault| match fault.kind() {
        io::ErrorKind::UnexpectedEof => SnapshotFault::NotASnapshot,
        _ => SnapshotFault::Unreadable(fault),
    })?;
    let mut fields = Fields(&header);
    if fields.octets(MARK.len()) != Some(MARK) {
        return Err(SnapshotFault::NotASnapshot);
    }
    let version = fields.u32().unwrap_or(0);
    if version != VERSION {
        return Err(SnapshotFault::OtherVersion(version));
    }
    let wall = fields.u64().unwrap_or(0);
    let sum = fields.u32().unwrap_or(0);
    let is_sound = header.get(..20).is_some_and(|octets| checksum(octets) == sum);
    if is_sound { Ok(wall) } else { Err(SnapshotFault::NotASnapshot) }
}

fn write_record(out: &mut impl Write, record: &[u8]) -> io::Result<()> {
    out.write_all(&(record.len() as u32).to_be_bytes())?;
    out.write_all(&checksum(record).to_be_bytes())?;
    out.write_all(record)
}

enum Frame {
    Record,
    End(u64),
}

/// Reads the next record into `record`; none where the snapshot ends or is broken.
fn read_record(from: &mut impl Read, record: &mut Vec<u8>) -> Option<Frame> {
    let mut frame = [0u8; 8];
    from.read_exact(&mut frame).ok()?;
    let mut fields = Fields(&frame);
    let (length, sum) = (fields.u32()? as usize, fields.u32()?);
    let is_end = length == 0;
    let length = if is_end { 8 } else { length };
    if length > RECORD_MAX {
        return None;
    }
    record.clear();
    record.resize(length, 0);
    from.read_exact(record).ok()?;
    if checksum(record) != sum {
        return None;
    }
    if is_end { Some(Frame::End(Fields(record).u64()?)) } else { Some(Frame::Record) }
}

/// Writes a fact; none for one that is not carried over.
fn compose(key: &Key, entry: &Entry, now: Second, out: &mut Vec<u8>) -> Option<()> {
    let tag = match key.kind() {
        Kind::RrSet(_) => 0,
        Kind::NoData(_) => 1,
        Kind::NxDomain => 2,
        Kind::Delegation => 3,
        Kind::Failure(_) | Kind::Bogus(_) => return None,
    };
    out.push(tag);
    out.extend_from_slice(&(entry.expiry - now).to_be_bytes());
    out.extend_from_slice(&entry.ttl.to_be_bytes());
    out.push(match entry.security {
        Security::Unchecked => 0,
        Security::Insecure => 1,
        Security::Secure => 2,
    });
    match &entry.fact {
        Fact::RrSet { set, rank, proofs } => {
            out.push(match rank {
                Rank::Additional => 0,
                Rank::Authority => 1,
                Rank::Answer => 2,
            });
            compose_set(set, out);
            compose_sets(proofs, out)?;
        }
        Fact::Denial { soa, proofs, .. } => {
            out.extend_from_slice(key.name());
            let rtype = if let Kind::NoData(rtype) = key.kind() { rtype.0 } else { 0 };
            out.extend_from_slice(&rtype.to_be_bytes());
            compose_set(soa, out);
            compose_sets(proofs, out)?;
        }
        Fact::Delegation(delegation) => {
            out.extend_from_slice(delegation.zone.wire());
            out.extend_from_slice(&u16::try_from(delegation.servers.len()).ok()?.to_be_bytes());
            for server in &delegation.servers {
                out.extend_from_slice(server.name.wire());
                out.extend_from_slice(&u16::try_from(server.glue.len()).ok()?.to_be_bytes());
                for address in &server.glue {
                    match address {
                        IpAddr::V4(v4) => {
                            out.push(4);
                            out.extend_from_slice(&v4.octets());
                        }
                        IpAddr::V6(v6) => {
                            out.push(6);
                            out.extend_from_slice(&v6.octets());
                        }
                    }
                }
            }
        }
        Fact::Failure(_) => return None,
    }
    (out.len() <= RECORD_MAX).then_some(())
}

fn compose_sets(sets: &[Arc<RrSet>], out: &mut Vec<u8>) -> Option<()> {
    out.extend_from_slice(&u16::try_from(sets.len()).ok()?.to_be_bytes());
    for set in sets {
        compose_set(set, out);
    }
    Some(())
}

fn compose_set(set: &RrSet, out: &mut Vec<u8>) {
    out.extend_from_slice(set.owner.wire());
    out.extend_from_slice(&set.rtype.0.to_be_bytes());
    out.extend_from_slice(&set.ttl.to_be_bytes());
    for rdatas in [&set.rdatas, &set.signatures] {
        out.extend_from_slice(&(rdatas.len() as u32).to_be_bytes());
        for rdata in rdatas.iter() {
            out.extend_from_slice(&(rdata.len() as u16).to_be_bytes());
            out.extend_from_slice(rdata);
        }
    }
}

/// Reads a fact whose ages are relative to second `base`.
fn parse(record: &[u8], base: Second) -> Option<(Probe, Entry)> {
    let mut fields = Fields(record);
    let tag = fields.octet()?;
    let left = fields.array().map(Second::from_be_bytes)?;
    let ttl = fields.u32()?;
    if left > Second::from(ttl) || ttl == 0 {
        return None; // a fact never has more left than it began with
    }
    let security = match fields.octet()? {
        0 => Security::Unchecked,
        1 => Security::Insecure,
        2 => Security::Secure,
        _ => return None,
    };
    let (key, fact) = match tag {
        0 => {
            let rank = match fields.octet()? {
                0 => Rank::Additional,
                1 => Rank::Authority,
                2 => Rank::Answer,
                _ => return None,
            };
            let set = fields.set()?;
            let proofs = fields.sets()?.into();
            (probe(set.owner.wire(), Kind::RrSet(set.rtype)), Fact::RrSet { set, rank, proofs })
        }
        1 | 2 => {
            let is_nxdomain = tag == 2;
            let name = fields.name()?;
            let rtype = RecordType(fields.u16()?);
            let soa = fields.set()?;
            let proofs = fields.sets()?;
            if entry::sets_bytes(&proofs) > bounds::RRSET_BYTES_MAX || !name.is_within(&soa.owner) {
                return None;
            }
            let kind = if is_nxdomain { Kind::NxDomain } else { Kind::NoData(rtype) };
            (probe(name.wire(), kind), Fact::Denial { is_nxdomain, soa, proofs: proofs.into_boxed_slice() })
        }
        3 => {
            let zone = fields.name()?;
            let mut servers = Vec::new();
            for _ in 0..fields.u16()? {
                servers.push(fields.server()?);
            }
            let delegation = Delegation { zone, servers, ttl };
            let key = probe(delegation.zone.wire(), Kind::Delegation);
            (key, Fact::Delegation(Arc::new(delegation)))
        }
        _ => return None,
    };
    let entry = Entry::until(base.saturating_add(left), ttl, fact).with_security(security);
    fields.0.is_empty().then_some((key, entry))
}

/// The rest of a record.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn octets(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn octet(&mut self) -> Option<u8> {
        self.array().map(|[octet]| octet)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    fn name(&mut self) -> Option<Name> {
        let (name, length) = Name::from_wire(self.0).ok()?;
        self.octets(length)?;
        Some(name)
    }

    fn rdatas(&mut self) -> Option<Rdatas> {
        let mut rdatas = Vec::new();
        for _ in 0..self.u32()? {
            let length = usize::from(self.u16()?);
            rdatas.push(self.octets(length)?); // ends with the record, so the vector is bounded by it
        }
        Some(rdatas.into_iter().collect())
    }

    fn set(&mut self) -> Option<Arc<RrSet>> {
        let (owner, rtype, ttl) = (self.name()?, RecordType(self.u16()?), self.u32()?);
        let set = RrSet { owner, rtype, ttl, rdatas: self.rdatas()?, signatures: self.rdatas()? };
        is_keepable(&set).then(|| Arc::new(set))
    }

    fn sets(&mut self) -> Option<Vec<Arc<RrSet>>> {
        let mut sets = Vec::new();
        for _ in 0..self.u16()? {
            sets.push(self.set()?);
        }
        Some(sets)
    }

    fn server(&mut self) -> Option<NameServer> {
        let name = self.name()?;
        let mut glue = Vec::new();
        for _ in 0..self.u16()? {
            glue.push(match self.octet()? {
                4 => IpAddr::from(self.array::<4>()?),
                6 => IpAddr::from(self.array::<16>()?),
                _ => return None,
            });
        }
        Some(NameServer { name, glue })
    }
}
