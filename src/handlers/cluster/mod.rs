//! The names of a Kubernetes cluster, by version 1.1.0 of its DNS specification.
//!
//! What the API says comes in as [`objects`], which a [`Store`] keeps; nothing here knows how they came. The store makes
//! [`Table`]s, each the cluster at one moment, and the link, [`Cluster`], answers from the last one.
//!
//! Tables follow one another many times a second, and the workers' finished answers outlive them: a `Witness` that stays
//! with a question tells by the revision of what decides it whether the answer is still the same.

mod answer;
mod bearers;
mod find;
mod for_pods;
mod labels;
pub mod listed;
pub mod objects;
mod pieces;
mod pointers;
mod policy;
mod search;
pub mod selector;
mod settings;
mod store;
mod table;
#[cfg(test)]
mod tests;
mod tlds;
mod witness;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};

pub use answer::Decision;
pub use for_pods::ForPods;
pub use policy::Policy;
pub use search::Search;
pub use settings::{Autopath, Exposed, External, Namespaces, PodPolicy, Pods, Settings};
pub use store::{Digester, Store};
pub use table::{ServiceView, Table};
pub use tlds::KnownTlds;

use self::find::{Found, find};
use self::table::Owner;
use self::witness::Witness;
use crate::base::{Instant, Network, NetworkSet};
use crate::chain::{Answer, Handler, Query, Stake, Turn, Verdict};
use crate::dns::{Class, Ede, EdeCode, Name, Opcode, Rcode, RecordType, reverse};

/// Until when what never changes may be recalled, seconds.
const FOREVER: u64 = u32::MAX as u64;

/// How far the table is to be believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Standing {
    /// The API has not told everything yet: nothing is answered.
    #[default]
    Unsynced,
    /// The table follows the API.
    Current,
    /// The table was saved by an earlier run, and was `age` old at `since`.
    Snapshot {
        /// When it was loaded.
        since: Instant,
        /// For how long it had not followed the API by then.
        age: Duration,
    },
    /// The API has been silent.
    Silent {
        /// Since then.
        since: Instant,
    },
}

/// The link of the chain that answers for a cluster.
#[derive(Clone, Debug)]
pub struct Cluster(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Arc<Settings>,
    table: ArcSwap<Table>,
    standing: ArcSwap<Standing>,
    hearer: ArcSwapOption<Hearer>,
}

/// Who hears of every table that is put in force.
pub struct Hearer(pub Box<dyn Fn(&Table) + Send + Sync>);

impl std::fmt::Debug for Hearer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hearer")
    }
}

impl Cluster {
    /// A link that knows nothing yet.
    #[must_use]
    pub fn new(settings: Arc<Settings>) -> Self {
        Self(Arc::new(Inner {
            settings,
            table: ArcSwap::default(),
            standing: ArcSwap::default(),
            hearer: ArcSwapOption::empty(),
        }))
    }

    /// How names are answered.
    #[must_use]
    pub fn settings(&self) -> &Arc<Settings> {
        &self.0.settings
    }

    /// The table in force.
    #[must_use]
    pub fn table(&self) -> Arc<Table> {
        self.0.table.load_full()
    }

    /// Puts `table` in force; queries being answered keep the old one.
    pub fn swap(&self, table: Arc<Table>) {
        self.0.table.store(table);
        self.hear();
    }

    /// Has `hearer` hear of the table in force, and of every one from now on, in the thread that puts it there; nobody
    /// else does any more.
    pub fn tell(&self, hearer: Hearer) {
        self.0.hearer.store(Some(Arc::new(hearer)));
        self.hear();
    }

    fn hear(&self) {
        if let Some(hearer) = &*self.0.hearer.load() {
            (hearer.0)(&self.0.table.load());
        }
    }

    /// How far the table is to be believed.
    #[must_use]
    pub fn standing(&self) -> Standing {
        **self.0.standing.load()
    }

    /// Says how far the table is to be believed from now on.
    pub fn stand(&self, standing: Standing) {
        if self.standing() != standing {
            self.0.standing.store(Arc::new(standing));
        }
    }

    /// Whether the cluster answers for `name` and nobody else does.
    #[must_use]
    pub fn owns(&self, name: &Name) -> bool {
        let Inner { settings, table, standing, .. } = &*self.0;
        match settings.zone_of(name) {
            Some(_) if **standing.load() == Standing::Unsynced || !settings.falls_through(name) => true,
            Some(zone) => !matches!(find(&table.load(), settings, zone, name), Found::Denied),
            None => {
                let address = reverse::address_of(name).filter(|address| settings.reverse.contains(*address));
                address.is_some_and(|address| !pointers::pointers(&table.load(), settings, address).is_empty())
            }
        }
    }

    /// Whether the cluster answers for `name` at times.
    #[must_use]
    pub fn may_own(&self, name: &Name) -> bool {
        let settings = &self.0.settings;
        settings.zone_of(name).is_some()
            || reverse::address_of(name).is_some_and(|address| settings.reverse.contains(address))
    }

    /// What whoever else denies `name` must know: none where no address of the cluster may ever stand at it or below.
    #[must_use]
    pub fn stake(&self, name: &Name) -> Option<Stake> {
        let Inner { settings, table, .. } = &*self.0;
        let (first, last) = reverse::range_of(name)?;
        let table = table.load();
        let has_name = |owner: &Owner| {
            settings.reverse.contains(owner.address) && settings.exposes(&table, owner.key.namespace.as_bytes())
        };
        let has_below = table.owners_between(first, last).any(has_name);
        let meets = |network: &Network| network.contains(first) || (first..=last).contains(&network.address());
        let may_have = has_below || settings.reverse.networks().iter().any(meets);
        may_have.then(|| Stake { has_below, ttl: settings.ttl_seconds() })
    }

    /// What the cluster says to a query at `now`; none if it is not the cluster's.
    #[must_use]
    pub fn decide(&self, query: &Query, now: Instant) -> Option<Decision> {
        self.0.decide(query, &self.0.table.load(), **self.0.standing.load(), now)
    }
}

impl Inner {
    fn decide(&self, query: &Query, table: &Table, standing: Standing, now: Instant) -> Option<Decision> {
        let (settings, question) = (&*self.settings, &query.question);
        if question.class != Class::IN || query.flags.opcode != Opcode::QUERY {
            return None;
        }
        if standing == Standing::Unsynced {
            return self.is_awaited(&question.name).then(|| {
                // Never NXDOMAIN: it would be believed for as long as its TTL says.
                let ede = Ede::new(EdeCode::NotReady, "the cluster's API has not been read yet");
                Decision::final_answer(Answer::refusal(Rcode::SERVFAIL, ede))
            });
        }
        match question.rtype {
            RecordType::AXFR | RecordType::IXFR => {
                settings.zone_of(&question.name)?;
                let ede = Ede::new(EdeCode::Prohibited, "zone transfer is not allowed");
                return Some(Decision::final_answer(Answer::refusal(Rcode::REFUSED, ede)));
            }
            RecordType::MAILA | RecordType::MAILB => {
                settings.zone_of(&question.name)?;
                return Some(Decision::final_answer(Answer::empty(Rcode::NOTIMP)));
            }
            _ => {}
        }
        let mut decision = answer::decide(table, settings, query)?;
        if self.is_stale(standing, now) {
            let code = match decision.answer.rcode {
                Rcode::NXDOMAIN => EdeCode::StaleNxDomain,
                _ => EdeCode::StaleAnswer,
            };
            decision.answer.ede = Some(Ede::new(code, "the cluster's API is silent"));
        }
        Some(decision)
    }

    /// Whether the API may yet tell of `name`, and nobody else can: a private address has no other name.
    fn is_awaited(&self, name: &Name) -> bool {
        let is_private = |address| self.settings.reverse.contains(address) && NetworkSet::private().contains(address);
        self.settings.zone_of(name).is_some() || reverse::address_of(name).is_some_and(is_private)
    }

    fn is_stale(&self, standing: Standing, now: Instant) -> bool {
        let age = match standing {
            Standing::Unsynced | Standing::Current => return false,
            Standing::Snapshot { since, age } => now.since(since).saturating_add(age),
            Standing::Silent { since } => now.since(since),
        };
        age > self.settings.stale_after
    }
}

impl Handler for Cluster {
    fn name(&self) -> &'static str {
        "kubernetes"
    }

    fn handle(&self, query: &Query, turn: &mut Turn<'_>) -> Verdict {
        let Some(mut decision) = self.decide(query, turn.now) else { return Verdict::Pass };
        // A rehearsal leaves nobody behind.
        if turn.choices.is_none() {
            decision.answer.chooser = Witness::of(&self.0, query);
        }
        decision.verdict(query)
    }
}
