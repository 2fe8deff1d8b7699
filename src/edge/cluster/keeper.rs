//! Keeps what is heard of a cluster: one thread owns the store, takes the news of all kinds in the order in which they
//! come, and makes tables of names.
//!
//! Before all kinds have been listed once there is no table, unless a snapshot gives one: half a cluster would deny names
//! that exist. Later a table follows every change; while many come in, one table shows all of them together.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tracing::{info, warn};

use super::follow::{Batch, News};
use super::heard::Change;
use super::meter::{Happening, Meter, ServiceKind};
use super::scope::word;
use super::{Audience, KindReport, Legacy, Report, snapshot};
use crate::base::{Clock, Instant, bounds};
use crate::edge::clock::{self, MachineClock};
use crate::edge::files::Aside;
use crate::handlers::cluster::objects::{Kind, Object, Slice, Target};
use crate::handlers::cluster::{Standing, Store, Table};

/// A table takes so much of the thread's time at most, when they follow one another: a share of one in so many.
const TABLES_SHARE: u32 = 4;
/// Nothing happens for longer than this without a look at what is due.
const LOOK: Duration = Duration::from_secs(1);

/// How it stands with one kind.
struct Link {
    kind: Kind,
    is_listed: bool,
    /// Since when the API has not answered as it should, and what it said.
    lost: Option<(Instant, String)>,
}

/// A change of endpoints that the next table shows.
struct Timed {
    namespace: Box<str>,
    service: Box<str>,
    /// When it was made, milliseconds of Unix time.
    triggered: u64,
}

pub(super) struct Keeper<A> {
    store: Store,
    audience: A,
    meter: Arc<Meter>,
    report: Arc<Mutex<Report>>,
    clock: MachineClock,
    links: Vec<Link>,
    /// Where the cluster is, and what of it counts.
    about: String,
    /// When it was known from before, and how old that was, as long as not all of it is confirmed.
    restored: Option<(Instant, Duration)>,
    standing: Standing,
    /// When the oldest change was heard that no table shows yet.
    waiting: Option<Instant>,
    timed: Vec<Timed>,
    published: Option<Instant>,
    /// The least time between two tables, longer where they take long.
    pace: Duration,
    saving: Option<Saving>,
}

/// Where snapshots go.
pub(super) struct Saving {
    pub(super) path: Box<Path>,
    pub(super) every: Duration,
    /// When the last was made, and whether anything has changed since.
    pub(super) saved: Instant,
    pub(super) has_changed: bool,
}

impl<A: Audience> Keeper<A> {
    pub(super) fn new(
        store: Store,
        audience: A,
        meter: Arc<Meter>,
        report: Arc<Mutex<Report>>,
        clock: MachineClock,
        (kinds, about): (&[Kind], String),
        saving: Option<Saving>,
    ) -> Self {
        let links = kinds.iter().map(|kind| Link { kind: *kind, is_listed: false, lost: None }).collect();
        Self {
            store,
            audience,
            meter,
            report,
            clock,
            links,
            about,
            restored: None,
            standing: Standing::Unsynced,
            waiting: None,
            timed: Vec::new(),
            published: None,
            pace: bounds::CLUSTER_TABLE_EVERY,
            saving,
        }
    }

    /// Takes news until nobody has any more, and leaves a snapshot and what it knows.
    pub(super) async fn run(mut self, mut inlet: mpsc::Receiver<Batch>, legacy: Option<Legacy>) -> Option<Legacy> {
        match legacy {
            Some(legacy) => self.inherit(&legacy),
            None => self.restore(),
        }
        loop {
            let due = self.due();
            match timeout(due, inlet.recv()).await {
                Ok(Some(batch)) => self.take(batch),
                Ok(None) => break,
                Err(_) => {}
            }
            let now = self.clock.now();
            if self.waiting.is_some() && self.published.is_none_or(|published| now.since(published) >= self.pace) {
                self.publish();
            }
            self.stand();
            if self.saving.as_ref().is_some_and(|saving| saving.has_changed && now.since(saving.saved) >= saving.every)
            {
                // The disk may take its time; answers must not wait for it.
                let aside = self.save();
                spawn_blocking(move || tell_fault(aside.map_or(Ok(()), Aside::commit)));
            }
        }
        if self.saving.as_ref().is_some_and(|saving| saving.has_changed) {
            tell_fault(self.save().map_or(Ok(()), Aside::commit));
        }
        let known = match self.standing {
            Standing::Unsynced => return None,
            Standing::Current => (self.clock.now(), Duration::ZERO),
            Standing::Silent { since } => (since, Duration::ZERO),
            Standing::Snapshot { since, age } => (since, age),
        };
        Some(Legacy { about: self.about, store: self.store, known })
    }

    /// How long to wait for news before something else is to be done.
    fn due(&self) -> Duration {
        let (Some(_), Some(published)) = (self.waiting, self.published) else { return LOOK };
        self.pace.saturating_sub(self.clock.now().since(published)).min(LOOK)
    }

    fn take(&mut self, batch: Batch) {
        let Batch { kind, heard, news } = batch;
        match news {
            News::Begin => self.store.begin_list(kind),
            News::Listed(objects) => {
                self.meter.count(Happening::Put, objects.len() as u64);
                for object in objects {
                    self.put(object);
                }
                self.wait_for_table(heard);
            }
            News::End => {
                let gone = self.store.end_list(kind);
                self.meter.count(Happening::Removed, gone as u64);
                if let Some(link) = self.link(kind) {
                    link.is_listed = true;
                    link.lost = None;
                }
                info!(kind = word(kind), objects = self.store.count(kind), gone, "the cluster has told all of a kind");
                self.wait_for_table(heard);
            }
            News::Changed(changes) => {
                for change in changes {
                    self.change(kind, change);
                }
                self.wait_for_table(heard);
            }
            News::Heard => {
                if let Some(link) = self.link(kind) {
                    link.lost = None;
                }
            }
            News::Lost(why) => {
                let now = self.clock.now();
                if let Some(link) = self.link(kind) {
                    let since = link.lost.as_ref().map_or(now, |(since, _)| *since);
                    link.lost = Some((since, why));
                }
            }
            News::Digest(answer) => {
                // Whoever asked may have ended.
                drop(answer.send((self.store.digest(kind), self.store.digester())));
            }
        }
    }

    fn link(&mut self, kind: Kind) -> Option<&mut Link> {
        self.links.iter_mut().find(|link| link.kind == kind)
    }

    fn is_synced(&self) -> bool {
        self.links.iter().all(|link| link.is_listed)
    }

    fn put(&mut self, object: Object) {
        let kind = object.kind();
        if !self.store.put(object) {
            warn!(kind = word(kind), "the cluster has more of a kind than are kept");
        }
    }

    fn change(&mut self, kind: Kind, change: Change) {
        match change {
            Change::Put(object) => {
                self.meter.count(Happening::Put, 1);
                if let Object::Slice(Slice { key, service, triggered: Some(triggered), .. }) = &object
                    && self.timed.len() < bounds::CLUSTER_TIMED_MAX
                {
                    let (namespace, service) = (key.namespace.clone(), service.clone());
                    self.timed.push(Timed { namespace, service, triggered: *triggered });
                }
                self.put(object);
            }
            Change::Remove(key) => {
                self.meter.count(Happening::Removed, 1);
                self.store.remove(kind, &key);
            }
        }
    }

    fn wait_for_table(&mut self, heard: Instant) {
        self.waiting = Some(self.waiting.map_or(heard, |waiting| waiting.min(heard)));
    }

    /// Makes a table of what has changed, and has it put in force.
    fn publish(&mut self) {
        if !self.is_synced() && self.restored.is_none() {
            return;
        }
        let begun = self.clock.now();
        let (waiting, timed) = (self.waiting.take(), std::mem::take(&mut self.timed));
        let Some(table) = self.store.publish(clock::wall_seconds()) else { return };
        let kinds: Vec<_> = timed.iter().map(|timed| kind_of(&table, timed)).collect();
        self.audience.table(table);
        let (now, wall) = (self.clock.now(), clock::wall());
        self.meter.count(Happening::Published, 1);
        if let Some(heard) = waiting {
            self.meter.note_delay(now.since(heard));
        }
        for (timed, kind) in timed.iter().zip(kinds) {
            if let Some(kind) = kind {
                self.meter.note_programming(kind, wall.saturating_sub(Duration::from_millis(timed.triggered)));
            }
        }
        self.published = Some(now);
        self.pace = bounds::CLUSTER_TABLE_EVERY.max(now.since(begun) * TABLES_SHARE);
        if let Some(saving) = &mut self.saving {
            saving.has_changed = true;
        }
    }

    /// Tells how it stands, if that is not how it stood.
    fn stand(&mut self) {
        let lost = self.links.iter().filter_map(|link| link.lost.as_ref().map(|(since, _)| *since)).min();
        let standing = match (self.is_synced(), self.restored, lost) {
            (true, _, None) => Standing::Current,
            (true, _, Some(since)) => Standing::Silent { since },
            (false, Some((since, age)), _) => Standing::Snapshot { since, age },
            (false, None, _) => Standing::Unsynced,
        };
        if self.is_synced() && self.restored.take().is_some() {
            info!("the cluster's API has told everything; the snapshot is of no more use");
        }
        if standing != self.standing {
            self.standing = standing;
            self.audience.standing(standing);
        }
        let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        report.standing = standing;
        report.kinds.clear();
        report.kinds.extend(self.links.iter().map(|link| KindReport {
            kind: link.kind,
            is_listed: link.is_listed,
            objects: self.store.count(link.kind),
            failure: link.lost.clone(),
        }));
    }

    /// Begins with what the watch before knew.
    fn inherit(&mut self, legacy: &Legacy) {
        for object in legacy.store.objects() {
            self.put(object);
        }
        self.restored = Some(legacy.known);
        self.waiting = Some(self.clock.now());
    }

    /// Begins with what the last server knew.
    fn restore(&mut self) {
        let Some(saving) = &self.saving else { return };
        let file = match File::open(&saving.path) {
            Ok(file) => file,
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => return,
            Err(fault) => return warn!("the snapshot of the cluster cannot be read: {fault}"),
        };
        // Its end may show that it is damaged; it is small beside what it spares.
        let about = self.about.clone();
        let store = &mut self.store;
        let mut objects = 0;
        match snapshot::read(&file, &about, |_| objects += 1) {
            Ok(_) => {}
            Err(fault) => return warn!("the snapshot of the cluster is not used: {fault}"),
        }
        let again = File::open(&saving.path).and_then(|file| {
            // What is one too many was told when it was listed.
            snapshot::read(file, &about, |object| _ = store.put(object))
        });
        match again {
            Ok(saved) => {
                let age = Duration::from_secs(clock::wall_seconds().saturating_sub(saved));
                info!(objects, ?age, "the cluster is as a snapshot says until its API answers");
                self.restored = Some((self.clock.now(), age));
                self.waiting = Some(self.clock.now());
            }
            Err(fault) => warn!("the snapshot of the cluster was damaged while it was read: {fault}"),
        }
    }

    /// Writes a snapshot, which is yet to be put in its place.
    fn save(&mut self) -> Option<Aside> {
        // What is not whole would take names away from who reads it.
        if !self.is_synced() {
            return None;
        }
        let saving = self.saving.as_mut()?;
        (saving.saved, saving.has_changed) = (self.clock.now(), false);
        let written = Aside::create(&saving.path).and_then(|mut aside| {
            snapshot::write(aside.file(), &self.about, clock::wall_seconds(), self.store.objects())?;
            Ok(aside)
        });
        written.map_err(|fault| tell_fault(Err(fault))).ok()
    }
}

fn tell_fault(saved: io::Result<()>) {
    if let Err(fault) = saved {
        warn!("the snapshot of the cluster cannot be written: {fault}");
    }
}

fn kind_of(table: &Table, timed: &Timed) -> Option<ServiceKind> {
    match table.service(&timed.namespace, &timed.service)?.target() {
        Target::Addresses(_) => Some(ServiceKind::ClusterIp),
        Target::Headless => Some(ServiceKind::Headless),
        Target::External(_) => None,
    }
}
