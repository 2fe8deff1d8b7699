//! The next version of a zone of which a few names have changed.
//!
//! The old nodes and the changed names are merged in canonical order: what has not changed is copied as it lies,
//! so that no record is parsed, sorted or linted again.

use std::cmp::Ordering;
use std::fmt;

use super::build::{Outline, canonical_key};
use super::tree::{Tree, TreeBuilder, canonical_order, flag};
use super::update::{Item, Touched};
use super::zone::Zone;
use crate::base::bounds;
use crate::base::collections::Keyed;
use crate::dns::RecordType;

/// The zone would take more octets than a zone may ([`bounds::ZONE_BYTES_MAX`]).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooLarge;

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the zone would be too large")
    }
}

impl std::error::Error for TooLarge {}

/// A changed name, relative to the apex, and the records that it has now.
struct Changed<'t> {
    name: &'t [u8],
    items: Vec<&'t Item>,
}

/// `zone` with all records of the `touched` names replaced.
pub(super) fn patched(zone: &Zone, touched: &Touched, keyed: Keyed) -> Result<Zone, TooLarge> {
    let apex = zone.apex();
    let mut names = Vec::with_capacity(touched.len());
    let mut hashed = Vec::new();
    for (owner, items) in touched {
        let Some(name) = owner.wire().len().checked_sub(apex.wire().len()).and_then(|end| owner.wire().get(..end))
        else {
            continue;
        };
        let (of_hash, of_name): (Vec<&Item>, Vec<&Item>) = items.iter().partition(|item| is_hashed(item));
        if !of_hash.is_empty() || zone.hashed().find(&name.to_ascii_lowercase()).is_some() {
            hashed.push(Changed { name, items: of_hash });
        }
        names.push(Changed { name, items: of_name });
    }
    let names = merged(zone.names(), &names, keyed.clone(), false)?;
    let hashed = merged(zone.hashed(), &hashed, keyed, true)?;
    Ok(Zone::new(apex.clone(), names, hashed))
}

/// NSEC3 records and their signatures stand apart from the names (RFC 5155 §7.2.8).
fn is_hashed(item: &Item) -> bool {
    item.rtype == RecordType::NSEC3
        || item.rtype == RecordType::RRSIG && item.rdata.starts_with(&RecordType::NSEC3.0.to_be_bytes())
}

/// The nodes of `old`, those of the same names as `changed` replaced; both are in canonical order.
fn merged(old: &Tree, changed: &[Changed<'_>], keyed: Keyed, is_hashed: bool) -> Result<Tree, TooLarge> {
    let growth: usize =
        changed.iter().map(|one| 300 + one.items.iter().map(|item| 32 + item.rdata.len()).sum::<usize>()).sum();
    let octets = old.arena_bytes() + growth;
    if octets > bounds::ZONE_BYTES_MAX {
        return Err(TooLarge);
    }
    let mut tree = TreeBuilder::new(keyed, octets, old.len() + changed.len());
    let mut outline = Outline::default();
    let mut key = Vec::new();
    let mut begin = |tree: &mut TreeBuilder, name: &[u8], flags: u8| {
        if is_hashed {
            tree.node(0, name);
        } else {
            canonical_key(name, &mut key);
            outline.node(tree, &key, name, flags);
        }
    };
    let mut nodes = old.nodes().peekable();
    let mut changes = changed.iter().peekable();
    loop {
        let order = match (nodes.peek(), changes.peek()) {
            (Some(node), Some(change)) => canonical_order(node.name, change.name),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => break,
        };
        if order.is_lt() {
            let Some(node) = nodes.next() else { break };
            // Empty non-terminals come again where something below them is left; the apex always stays.
            if !node.is_empty() || node.name.is_empty() && !is_hashed {
                begin(&mut tree, node.name, node.flags & (flag::CUT | flag::DNAME));
                tree.copy_sets(&node);
            }
            continue;
        }
        if order.is_eq() {
            nodes.next();
        }
        let Some(change) = changes.next() else { break };
        if change.items.is_empty() && (is_hashed || !change.name.is_empty()) {
            continue;
        }
        let has = |rtype| change.items.iter().any(|item| item.rtype == rtype);
        let mut flags = 0;
        if has(RecordType::NS) && !change.name.is_empty() {
            flags |= flag::CUT;
        }
        if has(RecordType::DNAME) {
            flags |= flag::DNAME;
        }
        begin(&mut tree, change.name, flags);
        sets(&change.items, &mut tree);
    }
    Ok(tree.finish())
}

/// Groups the records of a name into `RRsets`, each with the signatures over it.
fn sets(items: &[&Item], tree: &mut TreeBuilder) {
    let covered = |item: &Item| match (item.rtype, &*item.rdata) {
        (RecordType::RRSIG, [high, low, ..]) => RecordType(u16::from_be_bytes([*high, *low])),
        (rtype, _) => rtype,
    };
    let mut sorted = items.to_vec();
    sorted.sort_by_key(|item| (covered(item).0, item.rtype == RecordType::RRSIG));
    for set in sorted.chunk_by(|one, two| covered(one) == covered(two)) {
        let split = set.partition_point(|item| item.rtype != RecordType::RRSIG);
        let (data, signatures) = set.split_at(split);
        let Some(first) = set.first() else { continue };
        let octets = |items: &'_ [&Item]| items.iter().map(|item| item.rdata.to_vec()).collect::<Vec<_>>();
        let (data_octets, signature_octets) = (octets(data), octets(signatures));
        let signatures = signature_octets.iter().map(Vec::as_slice);
        if data.is_empty() {
            // A signature over what is not there: it still is data of type RRSIG.
            tree.set(RecordType::RRSIG, first.ttl, signatures, std::iter::empty());
        } else {
            tree.set(first.rtype, first.ttl, data_octets.iter().map(Vec::as_slice), signatures);
        }
    }
}
