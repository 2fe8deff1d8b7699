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
