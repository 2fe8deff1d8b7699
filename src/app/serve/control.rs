//! What can be done to a running server: reload, flush, new hosts, questions about its state.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tracing::{error, info, warn};

use super::current::Current;
use super::digest::digest;
use super::files::Fingerprints;
use super::lookout::Lookout;
use super::places::Places;
use super::station::Surroundings;
use super::zones::{Cause, Keeper};
use super::{explain, files, total};
use crate::app::build::{self, Built, Kept};
use crate::app::config::{self, Config, Severity};
use crate::app::machine;
use crate::app::steered;
use crate::app::zone_files::Library;
use crate::base::tally::{Event, Tally};
use crate::base::{Clock, Instant, bounds};
use crate::dns::{Name, RecordType};
use crate::edge::admin::{AdminHouse, PoolHouse, Task};
use crate::edge::files::Fingerprint;
use crate::edge::manager::{self, News};
use crate::edge::seed;
use crate::handlers::authority::Zone;
use crate::handlers::cache::Cache;
use crate::handlers::hosts::Hosts;

/// The library and the folder that it came from.
struct Shelf {
    library: Library,
    /// The folder's state at the last two looks.
    folder: Option<[Option<Fingerprint>; 2]>,
}

/// The configuration in force and what was built from it.
pub struct Held {
    /// The configuration.
    pub config: Config,
    /// The house and its parts.
    pub built: Built,
    /// What outlives a reload.
    pub kept: Kept,
    /// The files as they were read.
    pub watched: Fingerprints,
    /// The databases of places.
    pub places: Places,
}

/// The handle by which signals, files and the admin address reach the running house.
pub struct Control {
    path: Option<PathBuf>,
    held: Mutex<Held>,
    current: Arc<Current>,
    keeper: Arc<Keeper>,
    /// What the zones' files last said; held while they are read, so that one reading follows another.
    library: Mutex<Shelf>,
    surroundings: Surroundings,
    lookout: Arc<Lookout>,
    /// Held while it is saved what outlives the process.
    saving: Mutex<()>,
    tallies: Vec<Arc<Tally>>,
    is_ready: AtomicBool,
    explaining: tokio::sync::Semaphore,
    reloaded: tokio::sync::Notify,
}

impl Control {
    /// Control over what was just built from `config` of the file `path`.
    #[must_use]
    pub fn new(
        path: Option<&Path>,
        held: Held,
        (keeper, library): (Arc<Keeper>, Library),
        (surroundings, lookout): (Surroundings, Arc<Lookout>),
        tallies: Vec<Arc<Tally>>,
    ) -> Self {
        Self {
            path: path.map(Path::to_owned),
            held: Mutex::new(held),
            current: Arc::clone(&surroundings.current),
            keeper,
            library: Mutex::new(Shelf { library, folder: None }),
            surroundings,
            lookout,
            saving: Mutex::new(()),
            tallies,
            is_ready: AtomicBool::new(false),
            explaining: tokio::sync::Semaphore::new(1),
            reloaded: tokio::sync::Notify::new(),
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queries are served from now on.
    pub fn set_ready(&self) {
        self.is_ready.store(true, Ordering::Relaxed);
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.surroundings.clock.now()
    }

    /// The running cache.
    #[must_use]
    pub fn cache(&self) -> Option<Arc<Cache>> {
        self.held().built.cache.clone()
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

    /// What is being done, for people who look at their service manager.
    #[must_use]
    pub fn summary(&self) -> String {
        let held = self.held();
        format!("serving {} zones with {} workers", held.config.zones.len(), held.config.workers)
    }

    /// Watches the hosts file, after each reload the one that is then configured; for ever.
    pub async fn watch_hosts(self: Arc<Self>) {
        loop {
            let (config, watched) = {
                let held = self.held();
                (held.config.clone(), held.watched)
            };
            let own = Arc::clone(&self);
            let _watch = files::watch_hosts(&config, watched, move |hosts| own.change_hosts(hosts));
            self.reloaded.notified().await;
        }
    }

    /// Who watches the members of pools.
    #[must_use]
    pub const fn lookout(&self) -> &Arc<Lookout> {
        &self.lookout
    }

    /// The keeper of the zones.
    #[must_use]
    pub const fn keeper(&self) -> &Arc<Keeper> {
        &self.keeper
    }

    /// Answers from another hosts table from now on; the cache forgets the names that changed.
    pub fn change_hosts(&self, hosts: Hosts) {
        let held = self.held();
        let Some(link) = &held.built.hosts else { return };
        let changed = link.swap(hosts);
        if let Some(cache) = &held.built.cache {
            cache.forget(&changed);
        }
        self.current.touch();
        info!("hosts file read again: {} names changed", changed.len());
    }

    /// Reads the zones again whose files have changed since the last look, and everything where the folder of
    /// zones has gained or lost a file. To be called every [`crate::base::bounds::FILE_POLL`]: a file counts as
    /// written when it has rested from one look to the next.
    pub fn look_at_zones(&self) {
        let mut shelf = self.shelf();
        if let Some(reading) = shelf.library.look() {
            for noted in &reading.noted {
                match noted.severity {
                    Severity::Fault => error!("{noted}"),
                    Severity::Lint => warn!("{noted}"),
                }
            }
            if reading.has_faults() {
                error!("zones with faults stay as they were");
            }
            tell(&reading.fresh);
            self.keeper.replace_all(reading.fresh, Cause::File);
            shelf.library = reading.library;
        }
        let folder = self.held().config.zones_folder.clone();
        let Some(now) = folder.map(|folder| Fingerprint::of(&folder)) else { return };
        let [read, seen] = shelf.folder.unwrap_or([now, now]);
        shelf.folder = Some([if now == seen { now } else { read }, now]);
        drop(shelf);
        if now == seen && now != read {
            self.reload().ok(); // which logs its faults
        }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.library.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the configuration and its files again. A bad one changes nothing.
    ///
    /// # Errors
    /// Every fault, a line each.
    pub fn reload(&self) -> Result<(), String> {
        manager::tell(&News::Reloading);
        let outcome = self.try_reload();
        manager::tell(&News::Ready(self.summary()));
        match &outcome {
            Ok(()) => info!("configuration read again"),
            Err(faults) => {
                for fault in faults.lines() {
                    error!("{fault}");
                }
                error!("the configuration is not changed");
            }
        }
        outcome
    }

    fn try_reload(&self) -> Result<(), String> {
        self.read_again().map_err(|faults| {
            let closed = self.path.iter().filter_map(|path| config::read(path, &machine()).ok());
            let closed = closed.flat_map(|checked| checked.config.files).filter(|file| files::is_closed(file));
            closed.fold(faults, |faults, file| {
                format!("{faults}\n{}: not open to this server since its start; restart to have it", file.display())
            })
        })
    }

    fn read_again(&self) -> Result<(), String> {
        let Some(path) = &self.path else { return Err("the built-in configuration cannot change".into()) };
        let checked = config::read(path, &machine())
            .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
        let read = files::read(&checked.config)?;
        let mut shelf = self.shelf();
        let reading = shelf.library.read(&checked.config);
        if reading.has_faults() {
            let faults = reading.noted.iter().filter(|fault| fault.severity == Severity::Fault);
            return Err(faults.map(ToString::to_string).collect::<Vec<_>>().join("\n"));
        }
        for lint in checked.lints.iter().chain(&reading.noted) {
            warn!("{lint}");
        }
        let mut dice = seed::dice().map_err(|fault| fault.to_string())?;
        let mut held = self.held();
        if fixed(&checked.config) != fixed(&held.config) {
            let text =
                "listen, admin, workers, user, state, limits.tcp, log.level and log.format cannot change while running";
            return Err(format!("{text}; restart for that"));
        }
        let authority = Arc::clone(&held.kept.authority);
        let helm = steered::helm(&checked.config.steering, &authority.helm())?;
        let places = held.places.read(&checked.config.steering, &helm)?;
        let _runtime = self.surroundings.runtime.enter(); // the forwarders' sockets belong to it
        let scene = Arc::clone(helm.scene());
        let followed = Arc::clone(&authority);
        held.places.settle(places, &scene, move || steered::compile(&followed.helm()));
        steered::compile(&helm);
        // The board first, or nobody would know how new members stand.
        self.lookout.configure(&checked.config.steering);
        let names = helm.names().cloned().collect();
        // Before the zones: what stands in them for pools is not to be answered as it stands.
        authority.take_helm(helm);
        self.lookout.follow(names);
        let built = build::build(&checked.config, read.files, &mut held.kept, files::move_cache(self.now()), &mut dice);
        self.current.replace(Arc::clone(&built.house), Arc::clone(&built.forwarders));
        tell(&reading.fresh);
        self.keeper.configure(&checked.config.zones, &checked.config.keys, reading.fresh);
        shelf.library = reading.library;
        (held.config, held.built, held.watched) = (checked.config, built, read.fingerprints);
        self.reloaded.notify_one();
        Ok(())
    }
}

/// What was settled when the process began.
fn fixed(config: &Config) -> impl PartialEq + use<'_> {
    let log = (config.log.level, config.log.format);
    (&config.listen, &config.admin, config.workers, &config.user, &config.state, config.limits.tcp, log)
}

/// Says which zones have come.
pub fn tell(zones: &[Arc<Zone>]) {
    /// Zones that are named; more are counted.
    const NAMED_MAX: usize = 20;
    for zone in zones.iter().take(NAMED_MAX) {
        info!("zone {}: serial {}, {} names", zone.apex(), zone.serial(), zone.name_count());
    }
    if zones.len() > NAMED_MAX {
        info!("and {} zones more", zones.len() - NAMED_MAX);
    }
}

impl AdminHouse for Control {
    fn pools(&self) -> Option<&dyn PoolHouse> {
        Some(&*self.lookout)
    }

    fn is_ready(&self) -> bool {
        self.is_ready.load(Ordering::Relaxed)
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
            "cache": { "entries": entries, "bytes": bytes },
            "counted": counted,
        });
        Box::pin(async move { status })
    }

    fn digest(&self) -> Task<'_, Value> {
        let steering = self.held().config.steering.clone();
        let scene = Arc::clone(self.keeper.authority().helm().scene());
        Box::pin(async move { tokio::task::block_in_place(|| digest(&steering, &scene.board(), &scene.atlas())) })
    }

    fn reload(&self) -> Task<'_, Result<(), String>> {
        Box::pin(async move { tokio::task::block_in_place(|| Self::reload(self)) })
    }

    fn explain(&self, name: Name, rtype: RecordType, client: Option<IpAddr>) -> Task<'_, Value> {
        Box::pin(async move {
            let Ok(_turn) = self.explaining.acquire().await else { return Value::Null };
            let surroundings = self.surroundings.clone();
            let explain = move || explain::explain(&surroundings, &name, rtype, client);
            match tokio::task::spawn_blocking(explain).await {
                Ok(Ok(explained)) => explained,
                Ok(Err(fault)) => json!({ "error": fault.to_string() }),
                Err(_) => Value::Null,
            }
        })
    }
}
