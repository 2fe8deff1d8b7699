//! What can be done to a running server: reload, flush, new hosts, questions about its state.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use serde_json::{Value, json};

use super::cluster::Clusters;
use super::current::Current;
use super::digest::digest;
use super::doors::Doors;
use super::files::Digests;
use super::lookout::Lookout;
use super::places::Places;
use super::reload::{By, Chronicle, Order, Orders, Watch};
use super::station::Surroundings;
use super::trust::Trustee;
use super::zones::Keeper;
use super::{explain, files, loops, notes, total};
use crate::app::build::{Built, Kept};
use crate::app::config::{Config, Source};
use crate::app::zone_files::Library;
use crate::base::tally::{Event, Tally};
use crate::base::{Clock, Instant, bounds};
use crate::dns::{Name, RecordType};
use crate::edge::admin::trust::{Exempt, NotExempt};
use crate::edge::admin::{AdminHouse, LogView, PoolHouse, Task};
use crate::edge::clock::{MachineClock, wall_seconds};
use crate::edge::tap::Tap;
use crate::handlers::cache::Cache;

/// The configuration in force and what was built from it.
pub struct Held {
    /// The configuration.
    pub config: Config,
    /// What it was read from.
    pub source: Source,
    /// The house and its parts.
    pub built: Built,
    /// What the house's files said.
    pub digests: Digests,
}

/// What only reloads need, one after the other.
pub struct Bench {
    /// What outlives a reload.
    pub kept: Kept,
    /// The databases of places.
    pub places: Places,
    /// What the zones' files last said.
    pub library: Library,
    /// The files that are reason for a reload when they change.
    pub watched: Vec<Watch>,
    /// The hosts file, if there is one.
    pub hosts: Option<Watch>,
}

/// The handle by which signals, files and the admin address reach the running house.
pub struct Control {
    pub(super) path: Option<PathBuf>,
    held: Mutex<Held>,
    /// Held while something is read again, so that one reading follows another.
    pub(super) bench: Mutex<Bench>,
    pub(super) current: Arc<Current>,
    keeper: Arc<Keeper>,
    pub(super) surroundings: Surroundings,
    lookout: Arc<Lookout>,
    clusters: Arc<Clusters>,
    trustee: Arc<Trustee>,
    /// Held while it is saved what outlives the process.
    saving: Mutex<()>,
    tallies: Vec<Arc<Tally>>,
    /// What reloads count in.
    pub(super) tally: Arc<Tally>,
    is_ready: AtomicBool,
    has_retired: AtomicBool,
    explaining: tokio::sync::Semaphore,
    pub(super) orders: Orders,
    chronicle: Mutex<Chronicle>,
    doors: OnceLock<Doors>,
}

impl Control {
    /// Control over what was just built from the configuration in `path`, and the orders that somebody is to attend to. It
    /// counts in the last of `tallies`, which are all.
    #[must_use]
    pub fn new(
        path: Option<&Path>,
        (held, bench): (Held, Bench),
        keeper: Arc<Keeper>,
        (surroundings, lookout, clusters, trustee): (Surroundings, Arc<Lookout>, Arc<Clusters>, Arc<Trustee>),
        tallies: Vec<Arc<Tally>>,
    ) -> (Self, Receiver<Order>) {
        let (orders, waiting) = sync_channel(bounds::RELOADS_WAITING);
        let control = Self {
            path: path.map(Path::to_owned),
            held: Mutex::new(held),
            bench: Mutex::new(bench),
            current: Arc::clone(&surroundings.current),
            keeper,
            surroundings,
            lookout,
            clusters,
            trustee,
            saving: Mutex::new(()),
            tally: tallies.last().cloned().unwrap_or_default(),
            tallies,
            is_ready: AtomicBool::new(false),
            has_retired: AtomicBool::new(false),
            explaining: tokio::sync::Semaphore::new(1),
            orders,
            chronicle: Mutex::new(Chronicle::new(wall_seconds())),
            doors: OnceLock::new(),
        };
        (control, waiting)
    }

    /// What becomes of reloads.
    pub fn chronicle(&self) -> MutexGuard<'_, Chronicle> {
        self.chronicle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The doors of this server, once they are open.
    #[must_use]
    pub fn doors(&self) -> Option<&Doors> {
        self.doors.get()
    }

    /// Keeps the doors at hand for reloads.
    pub fn keep_doors(&self, doors: Doors) -> &Doors {
        self.doors.get_or_init(|| doors)
    }

    pub(super) fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queries are served from now on.
    pub fn set_ready(&self) {
        self.is_ready.store(true, Ordering::Relaxed);
    }

    /// Says from now on that no more queries should come, though they are answered still.
    pub fn unset_ready(&self) {
        self.is_ready.store(false, Ordering::Relaxed);
    }

    /// For how long queries are answered still once we are told to stop.
    #[must_use]
    pub fn lame_duck(&self) -> std::time::Duration {
        self.held().config.lame_duck
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.surroundings.clock.now()
    }

    /// The machine's clock.
    #[must_use]
    pub const fn clock(&self) -> MachineClock {
        self.surroundings.clock
    }

    /// The running cache.
    #[must_use]
    pub fn cache(&self) -> Option<Arc<Cache>> {
        self.held().built.cache.clone()
    }

    /// The running tap.
    #[must_use]
    pub fn tap(&self) -> Option<Tap> {
        self.held().built.house.telling.tap.clone()
    }

    /// Where the running configuration keeps what outlives the process.
    #[must_use]
    pub fn state(&self) -> Option<PathBuf> {
        self.held().config.state.clone()
    }

    /// Saves what outlives the process: health, overrides, the cache.
    pub fn save(&self) {
        let _one_at_a_time = self.saving.lock().unwrap_or_else(PoisonError::into_inner);
        self.lookout.save();
        if let (Some(state), Some(cache)) = (self.state(), self.cache()) {
            files::save_snapshot(&state, &cache, self.now());
        }
    }

    /// Waits until nothing lies on the desk, a little while at most. Blocks.
    pub fn await_desk(&self) {
        let Some(desk) = &self.surroundings.desk else { return };
        let by = self.now() + bounds::STEP_DOWN_DESK;
        while desk.capacity() < desk.max_capacity() && self.now() < by {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }

    /// Reads nothing again any more, from when this returns. Blocks while something is read.
    pub fn retire(&self) {
        self.has_retired.store(true, Ordering::Relaxed);
        drop(self.bench());
    }

    /// Whether another process has taken over.
    pub(super) fn has_retired(&self) -> bool {
        self.has_retired.load(Ordering::Relaxed)
    }

    /// What is being done, for people who look at their service manager.
    #[must_use]
    pub fn summary(&self) -> String {
        let held = self.held();
        format!("serving {} zones with {} workers", held.config.zones.len(), held.config.workers)
    }

    /// Who watches the members of pools.
    #[must_use]
    pub const fn lookout(&self) -> &Arc<Lookout> {
        &self.lookout
    }

    /// The cluster that is watched.
    #[must_use]
    pub const fn clusters(&self) -> &Arc<Clusters> {
        &self.clusters
    }

    /// Who keeps what is trusted.
    #[must_use]
    pub const fn trustee(&self) -> &Arc<Trustee> {
        &self.trustee
    }

    /// The keeper of the zones.
    #[must_use]
    pub const fn keeper(&self) -> &Arc<Keeper> {
        &self.keeper
    }
}

impl AdminHouse for Control {
    fn pools(&self) -> Option<&dyn PoolHouse> {
        Some(&*self.lookout)
    }

    fn is_ready(&self) -> bool {
        self.is_ready.load(Ordering::Relaxed) && self.clusters.is_synced()
    }

    fn flush(&self, name: Name, subtree: bool, rtype: Option<RecordType>) -> Task<'_, usize> {
        let cache = self.cache();
        let current = Arc::clone(&self.current);
        Box::pin(async move {
            let Some(cache) = cache else { return 0 };
            let flush = move || cache.flush(&name, subtree, rtype);
            let count = tokio::task::spawn_blocking(flush).await.unwrap_or(0);
            current.touch();
            count
        })
    }

    fn status(&self) -> Task<'_, Value> {
        let counted: serde_json::Map<String, Value> =
            Event::ALL.iter().map(|event| (event.name().to_owned(), json!(total(&self.tallies, *event)))).collect();
        let (entries, bytes) = self.cache().map_or((0, 0), |cache| (cache.len(), cache.bytes()));
        let status = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "uptime_seconds": self.now().seconds(),
            "ready": self.is_ready(),
            "workers": self.held().config.workers,
            "reload": self.chronicle().to_json(),
            "cache": { "entries": entries, "bytes": bytes },
            "cluster": self.clusters.report(self.now()),
            "exceptions": self.trustee.exceptions(),
            "forwarding_loops": loops::zones(&self.surroundings.current),
            "counted": counted,
        });
        Box::pin(async move { status })
    }

    fn digest(&self) -> Task<'_, Value> {
        let steering = self.held().config.steering.clone();
        let scene = Arc::clone(self.keeper.authority().helm().scene());
        Box::pin(async move { tokio::task::block_in_place(|| digest(&steering, &scene.board(), &scene.atlas())) })
    }

    fn reload(&self, is_rehearsal: bool) -> Task<'_, Result<Value, Value>> {
        Box::pin(self.reload_for(By::Api, is_rehearsal))
    }

    fn explain(&self, name: Name, rtype: RecordType, client: Option<IpAddr>) -> Task<'_, Result<Value, String>> {
        Box::pin(async move {
            let _turn = self.explaining.acquire().await.map_err(|fault| fault.to_string())?;
            let surroundings = self.surroundings.clone();
            let explain = move || explain::explain(&surroundings, &name, rtype, client);
            let explained = tokio::task::spawn_blocking(explain).await.map_err(|fault| fault.to_string())?;
            explained.map_err(|fault| fault.to_string())
        })
    }

    fn log(&self) -> LogView {
        notes::last()
    }

    fn trust(&self) -> Value {
        self.trustee.report()
    }

    fn except(&self, order: Exempt) -> Task<'_, Result<Value, NotExempt>> {
        Box::pin(async move {
            let told = self.trustee.except(&order)?;
            self.flush(order.name, true, None).await;
            Ok(told)
        })
    }

    fn lift_exception(&self, name: Name) -> Task<'_, bool> {
        Box::pin(async move {
            let lifted = self.trustee.lift(&name);
            if lifted {
                self.flush(name, true, None).await;
            }
            lifted
        })
    }
}
