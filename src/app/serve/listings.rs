//! Services that are members of pools: whenever the cluster's table changes, those whose addresses are others now are
//! told so, and nobody else.

use std::sync::{Arc, Mutex, PoisonError};

use crate::handlers::cluster::{Table, listed};
use crate::steer::listed::Found;
use crate::steer::{Listed, Pool};

/// The members to be told.
#[derive(Debug, Default)]
pub struct Listings(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    listed: Vec<Arc<Listed>>,
    /// The greatest that any of them has had, over all reloads.
    revision: u64,
}

impl Listings {
    /// Tells the members of `pools`, and no others, from now on, and at once what `table` knows. Pools from before a
    /// reload, from which may still be chosen, belong to them.
    pub fn follow<'p>(&self, pools: impl IntoIterator<Item = &'p Arc<Pool>>, table: Option<&Table>) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.listed.clear();
        for pool in pools {
            for listed in pool.members().iter().filter_map(|member| member.listed.as_ref()) {
                if !held.listed.iter().any(|known| Arc::ptr_eq(known, listed)) {
                    held.listed.push(Arc::clone(listed));
                }
            }
        }
        if let Some(table) = table {
            held.tell(table);
        }
    }

    /// Tells them what `table` knows; whether that is new to any.
    pub fn tell(&self, table: &Table) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).tell(table)
    }
}

impl Held {
    fn tell(&mut self, table: &Table) -> bool {
        let mut is_new = false;
        for listed in &self.listed {
            let now = listed::found(table, listed.service());
            let before = listed.found();
            if (Found { revision: before.revision, ..now.clone() }) != **before {
                self.revision += 1;
                listed.learn(Found { revision: self.revision, ..now });
                is_new = true;
            }
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::base::collections::Keyed;
    use crate::handlers::cluster::objects::{Key, Object, Service as Backend, Target};
    use crate::handlers::cluster::{Settings, Store};
    use crate::steer::listed::{Service, Which};
    use crate::steer::{Member, PoolId};

    fn pool(services: &[&str]) -> Arc<Pool> {
        let member = |name: &&str| {
            let service = Service { namespace: "shop".into(), name: (*name).into(), which: Which::Cluster };
            Member { listed: Some(Arc::new(Listed::new(service))), ..Member::new(name) }
        };
        Arc::new(Pool::new(PoolId(0), "www", services.iter().map(member).collect()).unwrap())
    }

    fn service(name: &str, last: u8) -> Object {
        let target = Target::Addresses([Ipv4Addr::new(10, 96, 0, last).into()].into_iter().collect());
        let key = Key { namespace: "shop".into(), name: name.into() };
        Object::Service(Backend { key, target, ports: Box::default(), external: <_>::default() })
    }

    #[test]
    fn only_who_has_other_addresses_is_told_so() {
        let config = crate::app::config::load(
            std::path::Path::new("x"),
            b"kubernetes: {}",
            &crate::app::config::Machine { cores: std::num::NonZeroUsize::MIN, memory: None },
        );
        let settings: Arc<Settings> = Arc::clone(&config.unwrap().config.kubernetes.unwrap().names);
        let mut store = Store::new(settings, Keyed::with_seeds(1, 2, 3, 4));
        store.put(service("web", 1));
        store.put(service("db", 2));
        let (pool, listings) = (pool(&["web", "db"]), Listings::default());
        let seen = |pool: &Pool| -> Vec<_> {
            let founds = pool.members().iter().map(|member| member.listed.as_ref().unwrap().found());
            founds.map(|found| (found.a.first().map_or(0, |address| address.octets()[3]), found.revision)).collect()
        };
        let table = store.publish(1).unwrap();
        listings.follow([&pool], Some(&table));
        assert_eq!(seen(&pool), [(1, 1), (2, 2)]);
        store.put(service("web", 3));
        store.put(service("other", 4));
        let table = store.publish(2).unwrap();
        assert!(listings.tell(&table) && !listings.tell(&table));
        assert_eq!(seen(&pool), [(3, 3), (2, 2)]);
        // After a reload another pool is told, of which nothing was known; revisions only grow.
        let other = self::pool(&["db"]);
        listings.follow([&other, &pool], Some(&table));
        assert_eq!((seen(&other), seen(&pool)), (vec![(2, 4)], vec![(3, 3), (2, 2)]));
    }
}
