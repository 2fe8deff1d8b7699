//! The form in which records are signed: one for all ways to write the same RRset (RFC 4034 §6, RFC 6840 §5.1).

use std::borrow::Cow;

use smallvec::SmallVec;

use super::Signature;
use crate::dns::name::LABEL_MAX;
use crate::dns::{Class, Name, RecordType, RrSet};

/// IPv6 addresses that point to a name (RFC 2874); nothing else here knows the type.
const A6: RecordType = RecordType(38);

/// What precedes or is one of the names whose letters are made small.
#[derive(Clone, Copy)]
enum Part {
    Octets(usize),
    /// A character-string.
    Text,
    /// The octets of an A6 record's address, behind the length of its prefix.
    Address,
    Name,
}

/// Where the names stand whose letters do not count (RFC 4034 §6.2; NSEC is none of them by RFC 6840 §5.1).
const fn names(rtype: RecordType) -> &'static [Part] {
    use Part::{Address, Name, Octets, Text};
    match rtype {
        RecordType::NS
        | RecordType::MD
        | RecordType::MF
        | RecordType::CNAME
        | RecordType::MB
        | RecordType::MG
        | RecordType::MR
        | RecordType::PTR
        | RecordType::NXT
        | RecordType::DNAME => &[Name],
        RecordType::SOA | RecordType::MINFO | RecordType::RP => &[Name, Name],
        RecordType::MX | RecordType::AFSDB | RecordType::RT | RecordType::KX => &[Octets(2), Name],
        RecordType::PX => &[Octets(2), Name, Name],
        RecordType::SRV => &[Octets(6), Name],
        RecordType::NAPTR => &[Octets(4), Text, Text, Text, Name],
        RecordType::SIG | RecordType::RRSIG => &[Octets(18), Name],
        A6 => &[Address, Name],
        _ => &[],
    }
}

/// The RDATA in canonical form. What is cut short stays as it is from there on.
#[must_use]
pub fn rdata(rtype: RecordType, rdata: &[u8]) -> Cow<'_, [u8]> {
    let layout = names(rtype);
    if layout.is_empty() || !rdata.iter().any(u8::is_ascii_uppercase) {
        return Cow::Borrowed(rdata);
    }
    let mut lowered = rdata.to_vec();
    let mut at = 0;
    for part in layout {
        let first = usize::from(rdata.get(at).copied().unwrap_or(0));
        at += match part {
            Part::Octets(count) => *count,
            Part::Text => 1 + first,
            Part::Address => 1 + 128_usize.saturating_sub(first).div_ceil(8),
            Part::Name => {
                let Some(length) = rdata.get(at..).and_then(name_length) else { break };
                if let Some(name) = lowered.get_mut(at..at + length) {
                    name.make_ascii_lowercase(); // a length octet is at most 63, no capital letter
                }
                length
            }
        };
    }
    Cow::Owned(lowered)
}

/// Octets of the uncompressed name at the start of `bytes`.
fn name_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match usize::from(*bytes.get(at)?) {
            0 => return Some(at + 1),
            length if length <= LABEL_MAX => at += 1 + length,
            _ => return None,
        }
    }
}

/// The records of `set` in canonical form and order, each once (RFC 4034 §6.3).
pub(super) fn rdatas(set: &RrSet) -> SmallVec<[Cow<'_, [u8]>; 8]> {
    let mut rdatas: SmallVec<[Cow<'_, [u8]>; 8]> = set.rdatas.iter().map(|one| rdata(set.rtype, one)).collect();
    rdatas.sort_unstable();
    rdatas.dedup();
    rdatas
}

/// The labels that a signature of `owner`'s records counts: neither the root's nor a `*` in front (RFC 4034 §3.1.3).
#[must_use]
pub fn labels(owner: &Name) -> usize {
    owner.label_count() - usize::from(owner.is_wildcard())
}

/// What `signature` signs, of the records [`rdatas`] of `set` (RFC 4034 §3.1.8.1): its own fields, and each record with
/// the original TTL and the owner as it stands in the zone. That is the wildcard where the signature counts fewer labels
/// than the owner has (RFC 4035 §5.3.2).
pub(super) fn signed(set: &RrSet, rdatas: &[Cow<'_, [u8]>], signature: &Signature<'_>) -> Vec<u8> {
    let count = usize::from(signature.labels);
    let is_expanded = count < labels(&set.owner);
    let owner = if is_expanded { set.owner.suffix(count).lowered() } else { set.owner.lowered() };
    let star: &[u8] = if is_expanded { &[1, b'*'] } else { &[] };
    let record = star.len() + owner.wire().len() + 10;
    let signer = signature.signer.lowered();
    let size = rdatas.iter().map(|rdata| record + rdata.len()).sum::<usize>();
    let mut out = Vec::with_capacity(signature.fixed.len() + signer.wire().len() + size);
    out.extend_from_slice(signature.fixed);
    out.extend_from_slice(signer.wire());
    for rdata in rdatas {
        out.extend_from_slice(star);
        out.extend_from_slice(owner.wire());
        out.extend_from_slice(&set.rtype.0.to_be_bytes());
        out.extend_from_slice(&Class::IN.0.to_be_bytes());
        out.extend_from_slice(&signature.original_ttl.to_be_bytes());
        out.extend_from_slice(&(rdata.len() as u16).to_be_bytes());
        out.extend_from_slice(rdata);
    }
    out
}
