//! The names of addresses.

use std::net::IpAddr;

use super::bearers::{Bearers, Part, Source};
use super::find::{Realm, Zone};
use super::objects::Target;
use super::settings::Settings;
use super::table::{Node, Table};
use crate::dns::Name;

/// The names of `address`. A service's own address has one; where no service has it, each endpoint of a headless one
/// does; then come the cluster set's, and what is reached from outside.
pub(super) fn pointers(table: &Table, settings: &Settings, address: IpAddr) -> Vec<Name> {
    let zones = [
        (Realm::Cluster, Source::Addresses, settings.zones.first()),
        (Realm::Cluster, Source::Endpoints, settings.zones.first()),
        (Realm::Set, Source::ImportAddresses, settings.multicluster.first()),
        (Realm::Outside, Source::External, settings.external.as_ref().and_then(|external| external.zones.first())),
    ];
    for (realm, source, apex) in zones {
        let Some(zone) = apex.map(|apex| Zone { apex, realm }) else { continue };
        let exposed = table
            .owners_of(address)
            .filter(|node| settings.exposes(table, node.key.namespace.as_bytes()) && bears(node, source, settings));
        let names = exposed.flat_map(|node| {
            let is_by_pod = settings.names_endpoints_by_pod;
            let all = Bearers { node, source, part: Part::All, is_by_pod };
            let there = all.iter().filter(|bearer| bearer.address == address);
            there
                .filter_map(|bearer| zone.host(node, bearer.label(is_by_pod).as_deref(), bearer.cluster))
                .collect::<Vec<_>>()
        });
        let mut names: Vec<Name> = names.collect();
        names.sort_unstable();
        names.dedup();
        if !names.is_empty() {
            return names;
        }
    }
    Vec::new()
}

/// Whether addresses of `source` tell the name of `node`: endpoints do that of a headless service alone.
fn bears(node: &Node, source: Source, settings: &Settings) -> bool {
    let is_headless = || node.service.as_ref().is_some_and(|service| service.target == Target::Headless);
    source != Source::Endpoints || settings.has_endpoints && is_headless()
}
