//! Where a name leads within one zone: the search of RFC 1034 §4.3.2 with the wildcards of RFC 4592.

use super::tree::{Node, Path, flag};
use super::zone::Zone;
use crate::dns::{Name, RecordType};

/// What stands at a name.
pub(super) enum Found<'z> {
    /// Authoritative data, or an empty non-terminal.
    Node {
        /// The name itself, or the wildcard that stands for it.
        node: Node<'z>,
        /// Labels of the closest encloser below the apex, where a wildcard stands for the name.
        wildcard_of: Option<usize>,
    },
    /// A zone cut at the name or above it.
    Cut {
        /// The cut.
        node: Node<'z>,
        /// Its labels below the apex.
        labels: usize,
    },
    /// DNAME above the name.
    Dname {
        /// Its owner.
        node: Node<'z>,
    },
    /// Nothing: the name does not exist.
    Missing {
        /// Labels of the closest encloser below the apex.
        encloser: usize,
    },
}

/// Looks `name` up; none if it does not lie within the zone. DS is the parent's: at a cut it is data, not the
/// child's business (RFC 4035 §3.1.4.1).
pub(super) fn find<'z>(zone: &'z Zone, name: &Name, rtype: RecordType) -> Option<Found<'z>> {
    let path = Path::of(name, zone.apex())?;
    Some(find_path(zone, &path, rtype))
}

/// Whether what is asked lies behind a zone cut of `zone`, so that others answer for it.
pub(super) fn is_behind_cut(zone: &Zone, name: &Name, rtype: RecordType) -> bool {
    matches!(find(zone, name, rtype), Some(Found::Cut { .. }))
}

pub(super) fn find_path<'z>(zone: &'z Zone, path: &Path, rtype: RecordType) -> Found<'z> {
    let depth = path.label_count();
    if let Some(node) = zone.names().find(path.whole())
        && !node.has(flag::OCCLUDED)
    {
        return if node.has(flag::CUT) && rtype != RecordType::DS {
            Found::Cut { node, labels: depth }
        } else {
            Found::Node { node, wildcard_of: None }
        };
    }
    let mut encloser = 0;
    let mut last = None;
    for labels in 0..depth {
        let Some(node) = zone.names().find(path.suffix(labels)) else { break };
        if node.has(flag::CUT) {
            return Found::Cut { node, labels };
        }
        if node.has(flag::DNAME) {
            return Found::Dname { node };
        }
        encloser = labels;
        last = Some(node);
    }
    let has_wildcard = last.is_some_and(|node| node.has(flag::WILDCARD_BELOW));
    if has_wildcard && let Some(node) = zone.names().find(&[&[1, b'*'], path.suffix(encloser)].concat()) {
        return Found::Node { node, wildcard_of: Some(encloser) };
    }
    Found::Missing { encloser }
}
