//! The cluster whose names are answered: watching it, and the link that answers by what is seen.
//!
//! A reload that changes what is watched ends the watch and begins another, and waits a little until that one knows the
//! cluster; until then the link of the first answers by what it knows.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::runtime::Handle;
use tracing::error;

use crate::app::config::{ClusterApi, Config, Kubernetes};
use crate::base::collections::keyed;
use crate::base::{Clock, Dice, Instant};
use crate::edge::clock::MachineClock;
use crate::edge::cluster::{Api, Beginning, Legacy, Meter, Plan, Scope, Tempo, Watch, word};
use crate::handlers::cluster::{Cluster, Standing, Store};

/// The snapshot's name in the `state` directory.
const SNAPSHOT: &str = "cluster.snapshot";
/// Where a pod finds its service account's token; the folder, as what is in it is replaced every hour.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// Where systems keep the certificates that an API without one of its own is verified by.
const SYSTEM_ROOTS: &[&str] = &["/etc/ssl/certs", "/usr/share/ca-certificates"];
/// How often it is looked whether a new watch knows the cluster.
const LOOK: Duration = Duration::from_millis(5);

/// A cluster that is watched.
#[derive(Debug)]
struct Watched {
    kubernetes: Kubernetes,
    link: Cluster,
    watch: Watch,
}

/// The cluster that is watched just now, if any, and what is counted of all that were.
#[derive(Debug, Default)]
pub struct Clusters {
    watched: Mutex<Option<Watched>>,
    meter: Arc<Meter>,
}

impl Clusters {
    /// Watches what `config` says, if it says anything, in the place of what was watched before, and waits until that is
    /// known, for as long as the start may wait. Blocks.
    ///
    /// Meanwhile, and if the system gives no thread for it, the link of the one before answers by what it knows.
    pub fn follow(&self, config: &Config, machine: (MachineClock, &Handle), dice: &mut Dice) -> Option<Cluster> {
        let mut watched = self.watched();
        if let Some(same) = watched.as_ref().filter(|watched| watched.serves(config)) {
            return Some(same.link.clone());
        }
        // What it knew is what the next one begins with, if it watches the same.
        let mut legacy = None;
        if let Some(old) = watched.take() {
            drop(watched);
            legacy = old.stop();
            watched = self.watched();
        }
        match Watched::begin(config, legacy, &self.meter, machine, dice) {
            Ok(new) => *watched = new,
            Err(fault) => error!("the cluster cannot be watched: {fault}"),
        }
        drop(watched);
        let (by, clock) = (machine.0.now() + config.steering.startup_timeout, machine.0);
        while !self.is_synced() && clock.now() < by {
            std::thread::sleep(LOOK);
        }
        self.watched().as_ref().map(|watched| watched.link.clone())
    }

    /// Whether the cluster is known, if there is one.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        self.watched().as_ref().is_none_or(Watched::is_synced)
    }

    /// How it stands, for people and programs; nothing without a cluster.
    #[must_use]
    pub fn report(&self, now: Instant) -> Value {
        self.watched().as_ref().map_or(Value::Null, |watched| watched.report(now))
    }

    /// What is counted of watching.
    #[must_use]
    pub const fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    /// Ends the watch, its last snapshot written; the link answers by what it knows. Blocks.
    pub fn stop(&self) {
        let watched = self.watched().take();
        if let Some(watched) = watched {
            drop(watched.stop());
        }
    }

    fn watched(&self) -> MutexGuard<'_, Option<Watched>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The cluster that `config` names names of; none for one whose names another server answers.
fn wanted(config: &Config) -> Option<&Kubernetes> {
    config.kubernetes.as_ref().filter(|kubernetes| kubernetes.node_local.is_none())
}

impl Watched {
    /// Begins to watch what `config` says, if it says anything.
    ///
    /// # Errors
    /// The system's, where it gives no thread.
    fn begin(
        config: &Config,
        legacy: Option<Legacy>,
        meter: &Arc<Meter>,
        (clock, runtime): (MachineClock, &Handle),
        dice: &mut Dice,
    ) -> io::Result<Option<Self>> {
        let Some(kubernetes) = wanted(config) else { return Ok(None) };
        let link = Cluster::new(Arc::clone(&kubernetes.names));
        let plan = plan(kubernetes, config.state.as_deref());
        let beginning = Beginning { store: Store::new(Arc::clone(&kubernetes.names), keyed(dice)), legacy };
        let watch = Watch::begin(plan, beginning, link.clone(), meter, clock, runtime)?;
        Ok(Some(Self { kubernetes: kubernetes.clone(), link, watch }))
    }

    /// Whether this is what `config` wants watched. Search paths and policies only read what is known.
    fn serves(&self, config: &Config) -> bool {
        let watched = &self.kubernetes;
        wanted(config).is_some_and(|wanted| {
            (&wanted.api, &wanted.names, &wanted.namespaces) == (&watched.api, &watched.names, &watched.namespaces)
                && (&wanted.namespace_labels, &wanted.labels) == (&watched.namespace_labels, &watched.labels)
                && wanted.needs_pods() == watched.needs_pods()
        })
    }

    /// Whether the cluster is known.
    fn is_synced(&self) -> bool {
        self.link.standing() != Standing::Unsynced
    }

    /// Ends the watch, its last snapshot written; the link answers by what it knows. Blocks.
    fn stop(self) -> Option<Legacy> {
        self.watch.stop()
    }

    /// How it stands, for people and programs.
    fn report(&self, now: Instant) -> Value {
        let report = self.watch.report();
        let kinds = report.kinds.iter().map(|kind| {
            let failure = kind
                .failure
                .as_ref()
                .map(|(since, words)| json!({ "seconds": now.since(*since).as_secs(), "words": words }));
            json!({
                "kind": word(kind.kind),
                "listed": kind.is_listed,
                "objects": kind.objects,
                "failure": failure,
            })
        });
        json!({
            "zones": self.kubernetes.names.zones.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "synced": self.is_synced(),
            "standing": standing_text(self.link.standing(), now),
            "kinds": kinds.collect::<Vec<_>>(),
        })
    }
}

/// The files that say who we are to the API and who it is, besides those that the configuration names.
pub(super) fn files(config: &Config) -> Vec<PathBuf> {
    let files: &[&str] = match wanted(config).map(|kubernetes| &kubernetes.api) {
        None => &[],
        Some(ClusterApi::InCluster) => &[SERVICE_ACCOUNT],
        Some(ClusterApi::Kubeconfig { .. } | ClusterApi::Url(_)) => SYSTEM_ROOTS,
    };
    files.iter().map(PathBuf::from).collect()
}

/// How far a cluster's table is to be believed, in words.
#[must_use]
pub fn standing_text(standing: Standing, now: Instant) -> String {
    match standing {
        Standing::Unsynced => "not read yet".to_owned(),
        Standing::Current => "current".to_owned(),
        Standing::Snapshot { since, age } => {
            format!("as saved {} s ago", (now.since(since) + age).as_secs())
        }
        Standing::Silent { since } => {
            format!("as it was {} s ago, when the API fell silent", now.since(since).as_secs())
        }
    }
}

fn plan(kubernetes: &Kubernetes, state: Option<&Path>) -> Plan {
    let Kubernetes { api, names, namespaces, namespace_labels, labels, .. } = kubernetes;
    let api = match api {
        ClusterApi::InCluster => Api::InCluster,
        ClusterApi::Kubeconfig { file, context } => {
            Api::Kubeconfig { file: file.clone(), context: context.as_deref().map(str::to_owned) }
        }
        ClusterApi::Url(url) => Api::Url(url.as_ref().to_owned()),
    };
    let scope = Scope {
        has_endpoints: names.has_endpoints,
        has_pods: kubernetes.needs_pods(),
        has_imports: !names.multicluster.is_empty(),
        namespaces: namespaces.clone(),
        namespace_labels: namespace_labels.to_string(),
        labels: labels.to_string(),
    };
    Plan { api, scope, snapshot: state.map(|state| state.join(SNAPSHOT)), tempo: Tempo::default() }
}
