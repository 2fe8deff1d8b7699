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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::collections::Keyed;
    use crate::handlers::cluster::Store;
    use crate::handlers::cluster::objects::{Addresses, Endpoint, Key, Object, Service as Backend, Slice};

    fn addresses(texts: &[&str]) -> Addresses {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn key(name: &str) -> Key {
        Key { namespace: "shop".into(), name: name.into() }
    }

    fn service(name: &str, target: Target, external: &[&str]) -> Object {
        Object::Service(Backend { key: key(name), target, ports: Box::default(), external: addresses(external) })
    }

    fn slice(name: &str, of: &str, ready: &[&str]) -> Object {
        let endpoint =
            |address: &&str| Endpoint { addresses: addresses(&[*address]), hostname: None, pod: None, zone: None };
        Object::Slice(Slice {
            key: key(name),
            service: of.into(),
            cluster: None,
            ports: Box::default(),
            endpoints: ready.iter().map(endpoint).collect(),
            triggered: None,
        })
    }

    #[test]
    fn a_member_has_the_addresses_of_its_service_and_is_ready_as_its_endpoints_are() {
        let mut store = Store::new(Arc::new(super::super::tests::settings()), Keyed::with_seeds(1, 2, 3, 4));
        for object in [
            service("web", Target::Addresses(addresses(&["10.96.0.1", "fd00::1"])), &["192.0.2.1"]),
            slice("web-b", "web", &["10.0.0.2", "10.0.0.1"]),
            slice("web-a", "web", &["10.0.0.1"]),
            slice("web-6", "web", &["fd00::2"]),
            service("idle", Target::Addresses(addresses(&["10.96.0.2"])), &[]),
            service("db", Target::Headless, &[]),
            slice("db-a", "db", &["10.0.0.9"]),
            service("out", Target::External("www.test".into()), &["192.0.2.9"]),
        ] {
            store.put(object);
        }
        let table = store.publish(1).unwrap();
        let all = |name: &str, which| {
            let service = Service { namespace: "shop".into(), name: name.into(), which };
            let Found { a, aaaa, is_ready, .. } = found(&table, &service);
            let texts = a.iter().map(ToString::to_string).chain(aaaa.iter().map(ToString::to_string));
            (texts.collect::<Vec<_>>().join(" "), is_ready)
        };
        let table: [(&str, Which, &str, bool); 11] = [
            ("web", Which::Cluster, "10.96.0.1 fd00::1", true),
            ("web", Which::External, "192.0.2.1", true),
            ("web", Which::Endpoints, "10.0.0.1 10.0.0.2 fd00::2", true),
            ("idle", Which::Cluster, "10.96.0.2", false),
            ("idle", Which::External, "", false),
            ("idle", Which::Endpoints, "", false),
            ("db", Which::Cluster, "10.0.0.9", true),
            ("db", Which::Endpoints, "10.0.0.9", true),
            ("out", Which::Cluster, "", false),
            ("out", Which::External, "", false),
            ("nowhere", Which::Cluster, "", false),
        ];
        for (name, which, addresses, is_ready) in table {
            assert_eq!(all(name, which), (addresses.to_owned(), is_ready), "{name} {which:?}");
        }
    }
}
