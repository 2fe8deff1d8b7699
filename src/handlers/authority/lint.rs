//! What a zone says but hardly means. Each lint looks at one record with the finished zone beside it.

use super::build::{Raw, absolute};
use super::finding::Fault;
use super::lookup::{Found, find};
use super::master_file;
use super::tree::flag;
use super::zone::Zone;
use crate::base::bounds;
use crate::dns::{Name, RecordType};

/// Lints the zone as a whole.
pub(super) fn zone(zone: &Zone, tell: &mut dyn FnMut(Fault)) {
    if zone.apex_set(RecordType::NS).is_none() {
        tell(Fault::NoNs);
    }
}

/// Lints one record of the zone.
pub(super) fn record(zone: &Zone, raw: Raw<'_>, is_hashed: bool, tell: &mut dyn FnMut(Fault)) {
    let owner = || absolute(raw.name, zone.apex());
    if doubles_apex(raw.name, zone.apex()) {
        tell(Fault::MissingDot(owner()));
    }
    if is_hashed {
        // One label of 32 octets: the base32hex of SHA-1, the only hash there is (RFC 5155 §11).
        if raw.name.len() != 33 || raw.name.first() != Some(&32) {
            tell(Fault::StrayNsec3(owner()));
        }
        return;
    }
    match raw.rtype {
        RecordType::SOA if !raw.name.is_empty() => tell(Fault::SoaBelowApex(owner())),
        RecordType::ALIAS if !raw.name.is_empty() => tell(Fault::AliasBelowApex(owner())),
        RecordType::NSEC3PARAM => {
            if let [_, _, high, low, ..] = raw.rdata
                && u16::from_be_bytes([*high, *low]) > bounds::NSEC3_ITERATIONS_MAX
            {
                tell(Fault::Nsec3Iterations(u16::from_be_bytes([*high, *low])));
            }
        }
        _ => {}
    }
    let is_wild = raw.name.starts_with(&[1, b'*']);
    if is_wild && matches!(raw.rtype, RecordType::NS | RecordType::DNAME) {
        tell(Fault::WildcardDelegation { owner: owner(), rtype: raw.rtype });
    }
    if let Some(node) = zone.node(raw.name) {
        if raw.rtype == RecordType::CNAME
            && let Some(other) = node.sets().find(|set| !may_stand_beside_cname(set.rtype))
        {
            tell(Fault::CnameBesideOther { owner: owner(), other: other.rtype });
        }
        if raw.rtype == RecordType::DS && !node.has(flag::CUT) {
            tell(Fault::DsWithoutNs(owner()));
        }
        let is_glue = matches!(raw.rtype, RecordType::A | RecordType::AAAA);
        let is_hidden = node.has(flag::OCCLUDED) && !is_glue
            || node.has(flag::CUT) && !node.has(flag::OCCLUDED) && !may_stand_at_cut(raw.rtype);
        if is_hidden {
            tell(Fault::Occluded { owner: owner(), rtype: raw.rtype });
        }
    }
    if let Some(target) = master_file::target(raw.rtype, raw.rdata) {
        check_target(zone, &raw, &target, tell);
    }
}

/// RFC 2181 §10.1, RFC 4034 §3 and §4, RFC 2535 §2.3.5 for KEY.
const fn may_stand_beside_cname(rtype: RecordType) -> bool {
    matches!(rtype, RecordType::CNAME | RecordType::RRSIG | RecordType::NSEC | RecordType::KEY | RecordType::SIG)
}

const fn may_stand_at_cut(rtype: RecordType) -> bool {
    matches!(
        rtype,
        RecordType::NS | RecordType::DS | RecordType::NSEC | RecordType::RRSIG | RecordType::A | RecordType::AAAA
    )
}

fn check_target(zone: &Zone, raw: &Raw<'_>, target: &Name, tell: &mut dyn FnMut(Fault)) {
    let apex = zone.apex();
    if !target.is_within(apex) {
        return;
    }
    let relative = target.wire().get(..target.wire().len() - apex.wire().len()).unwrap_or_default();
    if doubles_apex(relative, apex) {
        return tell(Fault::MissingDot(target.clone()));
    }
    let needs_address = matches!(raw.rtype, RecordType::NS | RecordType::MX | RecordType::SRV);
    if !needs_address || target.is_root() {
        return;
    }
    let owner = || absolute(raw.name, apex);
    let has_address =
        |node: &super::tree::Node<'_>| node.set(RecordType::A).is_some() || node.set(RecordType::AAAA).is_some();
    let is_delegation = raw.rtype == RecordType::NS && !raw.name.is_empty();
    match find(zone, target, RecordType::A) {
        Some(Found::Node { node, .. }) if node.set(RecordType::CNAME).is_some() => {
            tell(Fault::TargetIsAlias { owner: owner(), rtype: raw.rtype, target: target.clone() });
        }
        Some(Found::Node { node, .. }) if !has_address(&node) => {
            tell(Fault::TargetWithoutAddress { owner: owner(), rtype: raw.rtype, target: target.clone() });
        }
        Some(Found::Missing { .. }) => {
            tell(Fault::TargetWithoutAddress { owner: owner(), rtype: raw.rtype, target: target.clone() });
        }
        // A server inside the zone that it serves can only be found through glue (RFC 9471 §3.1).
        Some(Found::Cut { node, .. })
            if is_delegation
                && node.name.eq_ignore_ascii_case(raw.name)
                && !zone.names().find(&relative.to_ascii_lowercase()).is_some_and(|node| has_address(&node)) =>
        {
            tell(Fault::MissingGlue { cut: owner(), server: target.clone() });
        }
        _ => {}
    }
}

/// Whether a relative name ends with the apex's own labels: `www.example.com` in `example.com` without its dot.
fn doubles_apex(name: &[u8], apex: &Name) -> bool {
    let Some((_, labels)) = apex.wire().split_last() else { return false };
    if labels.is_empty() || name.len() < labels.len() {
        return false;
    }
    let tail_at = name.len() - labels.len();
    super::tree::label_starts(name).iter().any(|start| usize::from(*start) == tail_at)
        && name.get(tail_at..).is_some_and(|tail| tail.eq_ignore_ascii_case(labels))
}
