//! What may be believed: a signed tree, a production worker that validates, and somebody in between who changes what
//! the servers say. No sockets, no real time.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::assigning_clones,
    clippy::format_push_string,
    clippy::format_collect,
    reason = "a test may stop where it stands, and need not be quick"
)]

mod breaks;
mod clocks;
mod costs;
mod fixtures;
mod injection;
mod islands;
mod keys;
mod outage;
mod tampers;
#[path = "../stories/text.rs"]
#[expect(dead_code, reason = "the stories need more of it")]
mod text;
mod tree;
mod world;
mod zone;

use std::sync::Arc;

use meridian::dns::{Name, RecordType};
use meridian::handlers::resolve::anchors::{Anchors, Validation};

/// How the house of these tests validates: by the tree's own anchor.
pub(crate) fn validation(tree: &tree::Tree) -> Arc<Validation> {
    let mut anchors = Anchors::default();
    anchors.add(&Name::root(), RecordType::DS, &tree.anchor()).unwrap();
    Arc::new(Validation::new(anchors, Vec::new()))
}

/// The tree is made apart from the code that checks it: they must agree on it before anything is changed.
#[test]
fn everything_in_the_tree_is_signed_as_it_should_be() {
    use meridian::dns::RrSet;
    use meridian::dns::dnssec::{Budget, Ds, trusted_keys, verify_set};
    let tree = tree::Tree::new();
    let mut checked = 0;
    for zone in tree.zones.iter().filter(|zone| zone.is_signed()) {
        let of = |owner: &Name, rtype: RecordType| {
            let set = &zone.sets[&(owner.clone(), rtype)];
            let mut made = RrSet::new(owner.clone(), rtype, set.ttl, &set.rdatas);
            made.signatures = set.signatures.iter().map(Vec::as_slice).collect();
            made
        };
        let ds = Ds::parse(&zone.ds()).unwrap();
        let trusted = trusted_keys(&of(&zone.apex, RecordType::DNSKEY), &[ds], keys::WALL, &mut Budget::default());
        let trusted = trusted.unwrap_or_else(|fault| panic!("{}: {fault:?}", zone.apex));
        for ((owner, rtype), set) in &zone.sets {
            if !set.signatures.is_empty() {
                let verdict = verify_set(&of(owner, *rtype), &trusted.keys, keys::WALL, &mut Budget::default());
                assert!(verdict.is_ok() || *rtype == RecordType::DNSKEY, "{owner} {rtype}: {verdict:?}");
                checked += 1;
            }
        }
    }
    assert!(checked > 100, "{checked} sets");
}
