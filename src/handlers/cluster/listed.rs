//! Services as members of pools: which addresses they have, and whether anybody stands ready behind them.

use std::net::IpAddr;

use super::objects::Target;
use super::{ServiceView, Table};
use crate::base::bounds;
use crate::steer::listed::{Found, Service, Which};

/// What `table` knows of `service`; nothing of one that is not there, or that is but another name. The revision is left to
/// whoever keeps it.
#[must_use]
pub fn found(table: &Table, service: &Service) -> Found {
    table.service(&service.namespace, &service.name).map_or_else(Found::default, |view| of(&view, service.which))
}

fn of(view: &ServiceView<'_>, which: Which) -> Found {
    let endpoints = || view.endpoints().filter_map(|endpoint| endpoint.addresses.first().copied());
    let mut addresses: Vec<IpAddr> = match (which, view.target()) {
        (_, Target::External(_)) => Vec::new(),
        (Which::External, _) => view.external().to_vec(),
        (Which::Cluster, Target::Addresses(addresses)) => addresses.to_vec(),
        (Which::Cluster, Target::Headless) | (Which::Endpoints, _) => endpoints().collect(),
    };
    addresses.sort_unstable(); // pieces of endpoints come in any order
    addresses.dedup();
    let mut found = Found { is_ready: view.endpoints().next().is_some(), ..Found::default() };
    for address in addresses {
        match address {
            IpAddr::V4(address) => found.a.push(address),
            IpAddr::V6(address) => found.aaaa.push(address),
        }
    }
    found.a.truncate(bounds::RECORDS_PER_RRSET);
    found.aaaa.truncate(bounds::RECORDS_PER_RRSET);
    found
}
