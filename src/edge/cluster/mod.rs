//! Watches a Kubernetes cluster, and keeps what it says of itself for the names that follow from it.
//!
//! ```text
//!   API ──▶ access ──▶ stream: split, decode ──▶ follow (one a kind) ══ bounded ══▶ keeper: Store ──▶ Audience
//!           who we are   octets into objects      list, watch, again                 one thread       tables
//! ```
//!
//! What waits between two of these is bounded, and who cannot pass anything on reads no further: the API's own sockets hold
//! the rest. A list of hundreds of megabytes passes through in pieces. When the API is silent, what is known stays.

mod access;
mod decode;
mod follow;
mod heard;
mod keeper;
mod meter;
mod retry;
mod scope;
mod snapshot;
mod split;
mod stream;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant as TokioInstant;

pub use access::Api;
pub use decode::{Page, Status};
pub use heard::{Change, Changes, Listed, Listing, Unfit, Watching};
pub use meter::{Happening, Meter, ServiceKind};
pub use scope::{Scope, word};

use self::access::Access;
use self::follow::Follower;
use self::keeper::{Keeper, Saving};
use self::retry::Retry;
use crate::base::{Clock, Instant, bounds};
use crate::edge::clock::MachineClock;
use crate::edge::seed;
use crate::handlers::cluster::objects::Kind;
use crate::handlers::cluster::{Cluster, Standing, Store, Table};

/// Whom the keeper tells, from its own thread. Whatever takes long here, later news wait for.
pub trait Audience: Send + 'static {
    /// There is a new table.
    fn table(&mut self, table: Arc<Table>);
    /// It stands with the cluster's API like this now.
    fn standing(&mut self, standing: Standing);
}

impl Audience for Cluster {
    fn table(&mut self, table: Arc<Table>) {
        self.swap(table);
    }

    fn standing(&mut self, standing: Standing) {
        self.stand(standing);
    }
}

/// What is watched, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Where the API is.
    pub api: Api,
    /// What of the cluster counts.
    pub scope: Scope,
    /// Where what is known survives a restart; nowhere without.
    pub snapshot: Option<PathBuf>,
    /// How long things may take.
    pub tempo: Tempo,
}

/// How long things may take, and how large a page is. The default is right outside of tests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tempo {
    /// Objects of a page of a list.
    pub page: u32,
    /// The wait after a first failure.
    pub retry_min: Duration,
    /// The wait after many failures in a row, and between looks for a kind that is not installed.
    pub retry_max: Duration,
    /// A watch without a word for so long is begun anew.
    pub silence_max: Duration,
    /// The shortest time after which a watch is begun anew anyway.
    pub watch: Duration,
    /// The least time between two comparisons of what is held with what the API has.
    pub check_every: Duration,
    /// The least time between two snapshots.
    pub saved_every: Duration,
}

impl Default for Tempo {
    fn default() -> Self {
        Self {
            page: bounds::CLUSTER_PAGE,
            retry_min: bounds::CLUSTER_RETRY_MIN,
            retry_max: bounds::CLUSTER_RETRY_MAX,
            silence_max: bounds::CLUSTER_SILENCE_MAX,
            watch: bounds::CLUSTER_WATCH,
            check_every: bounds::CLUSTER_CHECK_EVERY,
            saved_every: bounds::CLUSTER_SAVED_EVERY,
        }
    }
}

/// How it stands with the cluster, for people.
#[derive(Clone, PartialEq, Debug)]
pub struct Report {
    /// In one word.
    pub standing: Standing,
    /// Kind by kind.
    pub kinds: Vec<KindReport>,
}

/// How it stands with the objects of one kind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KindReport {
    /// Which.
    pub kind: Kind,
    /// Whether all of them have been told.
    pub is_listed: bool,
    /// How many are known.
    pub objects: usize,
    /// Since when the API has not answered as it should, and what it said last.
    pub failure: Option<(Instant, String)>,
}

/// What an ended watch knew.
#[derive(Debug)]
pub struct Legacy {
    /// Where, and what of it.
    about: String,
    store: Store,
    /// When it was last true for certain, and how old it was then.
    known: (Instant, Duration),
}

/// What a watch begins with.
#[derive(Debug)]
pub struct Beginning {
    /// An empty store.
    pub store: Store,
    /// What the watch before knew: of use if that watched the same.
    pub legacy: Option<Legacy>,
}

impl From<Store> for Beginning {
    fn from(store: Store) -> Self {
        Self { store, legacy: None }
    }
}

/// A cluster that is being watched, until this is dropped or stopped.
#[derive(Debug)]
pub struct Watch {
    /// Dropped, it ends the followers; and with them the keeper.
    stop: Option<watch::Sender<()>>,
    keeper: Option<JoinHandle<Option<Legacy>>>,
    report: Arc<Mutex<Report>>,
}

impl Watch {
    /// Begins to watch on `runtime`, with a thread for the keeper. `meter` may have counted for an earlier watch.
    ///
    /// # Errors
    /// The system's, where it has no randomness or no thread to give.
    pub fn begin(
        plan: Plan,
        beginning: impl Into<Beginning>,
        audience: impl Audience,
        meter: &Arc<Meter>,
        clock: MachineClock,
        runtime: &Handle,
    ) -> io::Result<Self> {
        let Plan { api, scope, snapshot, tempo } = plan;
        let (outlet, inlet) = mpsc::channel(bounds::CLUSTER_BATCHES);
        let (stop, stopped) = watch::channel(());
        let kinds = scope.kinds();
        let report = Report { standing: Standing::Unsynced, kinds: Vec::new() };
        let report = Arc::new(Mutex::new(report));
        let about = format!("{api} {scope}");
        let (saved, every) = (clock.now(), tempo.saved_every);
        let saving = snapshot.map(|path| Saving { path: path.into(), every, saved, has_changed: false });
        let Beginning { store, legacy } = beginning.into();
        let legacy = legacy.filter(|legacy| legacy.about == about);
        let keeper = Keeper::new(store, audience, meter.clone(), report.clone(), clock, (&kinds, about), saving);
        let (access, scope) = (Arc::new(Access::new(api, clock)), Arc::new(scope));
        let mut dice = seed::dice()?;
        let mut followers = Vec::new();
        for kind in kinds {
            let check_at = tempo.check_every + tempo.check_every.mul_f64(dice.below(1_000) as f64 / 1_000.0);
            followers.push(Follower {
                kind,
                access: access.clone(),
                scope: scope.clone(),
                meter: meter.clone(),
                tempo,
                outlet: outlet.clone(),
                dice: seed::dice()?,
                clock,
                retry: Retry::default(),
                path: 0,
                is_known: false,
                check_at: TokioInstant::now() + check_at,
            });
        }
        drop(outlet);
        let on = runtime.clone();
        let thread = std::thread::Builder::new().name("meridian-cluster".into());
        let keeper = thread.spawn(move || on.block_on(keeper.run(inlet, legacy)))?;
        for follower in followers {
            let mut stopped = stopped.clone();
            runtime.spawn(async move {
                tokio::select! {
                    () = follower.run() => {}
                    _ = stopped.changed() => {}
                }
            });
        }
        Ok(Self { stop: Some(stop), keeper: Some(keeper), report })
    }

    /// How it stands just now.
    #[must_use]
    pub fn report(&self) -> Report {
        self.report.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends the watch, waits until its last snapshot is written, and gives what was known.
    pub fn stop(mut self) -> Option<Legacy> {
        self.stop = None;
        // A keeper that panicked has said so.
        self.keeper.take()?.join().ok().flatten()
    }
}
