//! Members whose addresses are no part of the configuration: a service of a cluster, whose addresses come and go while
//! the server runs. Who knows them writes them here; who answers reads what was written last, and never waits.
//!
//! A pool does not change by that, nor what is compiled of it, nor any other member's answers: each time a member has
//! other addresses it gets a greater revision, and that is part of what tells its answers apart.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use super::health::board::Bar;
use super::health::{Standing, State};

/// Which addresses of a service.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Which {
    /// Those that it has inside the cluster; of one without, its endpoints'.
    Cluster,
    /// Those that it is reached at from outside.
    External,
    /// Those of its endpoints that are ready.
    Endpoints,
}

/// A service, as far as it is a member.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Service {
    /// Its namespace.
    pub namespace: Box<str>,
    /// Its name.
    pub name: Box<str>,
    /// Which of its addresses.
    pub which: Which,
}

/// What is known of it now; nothing at first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Found {
    /// IPv4 addresses.
    pub a: Vec<Ipv4Addr>,
    /// IPv6 addresses.
    pub aaaa: Vec<Ipv6Addr>,
    /// Whether anybody stands ready behind them.
    pub is_ready: bool,
    /// Greater than that of anything that was known of any service before.
    pub revision: u64,
}

/// A member whose addresses are found out.
pub struct Listed {
    service: Service,
    found: ArcSwap<Found>,
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let which = match self.which {
            Which::Cluster => "cluster",
            Which::External => "external",
            Which::Endpoints => "endpoints",
        };
        write!(f, "{}/{} ({which})", self.namespace, self.name)
    }
}

impl fmt::Debug for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.service.fmt(f) // what is known of it is no part of what was configured
    }
}

/// What is known of a service makes no other configuration of it.
impl PartialEq for Listed {
    fn eq(&self, other: &Self) -> bool {
        self.service == other.service
    }
}

impl Listed {
    /// A service of which nothing is known yet.
    #[must_use]
    pub fn new(service: Service) -> Self {
        Self { service, found: ArcSwap::default() }
    }

    /// Which.
    #[must_use]
    pub const fn service(&self) -> &Service {
        &self.service
    }

    /// What is known of it.
    pub fn found(&self) -> Guard<Arc<Found>> {
        self.found.load()
    }

    /// Takes in what is known of it now.
    pub fn learn(&self, found: Found) {
        self.found.store(Arc::new(found));
    }

    /// How it stands by what is known of it: without an address nothing can lead to it, be there panic or not.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let found = self.found();
        let has_none = found.a.is_empty() && found.aaaa.is_empty();
        let state = if found.is_ready && !has_none { State::Healthy } else { State::Down };
        Standing { state, bar: has_none.then_some(Bar::Absent), ..Standing::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_stands_as_its_service_does() {
        let listed = Listed::new(Service { namespace: "shop".into(), name: "web".into(), which: Which::Cluster });
        let address = || vec![Ipv4Addr::new(192, 0, 2, 1)];
        assert_eq!(listed.standing().bar, Some(Bar::Absent), "nothing is known of it");
        listed.learn(Found { a: address(), is_ready: true, ..Found::default() });
        assert_eq!(listed.standing(), Standing::default());
        listed.learn(Found { a: address(), ..Found::default() });
        assert_eq!((listed.standing().state, listed.standing().bar), (State::Down, None), "panic may bring it back");
        assert_eq!(listed.standing().word(), "DOWN");
        listed.learn(Found { is_ready: true, ..Found::default() });
        assert_eq!((listed.standing().is_usable(), listed.standing().word()), (false, "DOWN"));
    }
}
