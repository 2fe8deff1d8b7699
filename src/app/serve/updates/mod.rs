//! The clerk of dynamic updates (RFC 2136): one thread that alone changes the zones with an `update` policy.
//!
//! Errands come in by a bounded queue. What waits together is judged together, zone by zone: each update on the
//! draft that those before it left; then the journal is forced to the disk once, the new version put in force once,
//! and only then all of them are answered. So nobody hears of a change that a crash could take back, and a slow
//! disk delays updates without multiplying the delay.
//!
//! Such a zone belongs to its journal. The configuration's version of it is brought here too ([`Steward::settle`]),
//! at the start and at each reload, and takes its place only where its serial number is newer.

mod answer;
mod batch;
mod estate;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};

use tracing::{error, warn};

use self::answer::{Admitted, Judgement};
use self::batch::Batch;
use self::estate::Estates;
use super::desk::{Clerk, Errand, Work};
use super::zones::{Keeper, Steward};
use crate::base::bounds;
use crate::base::collections::{Keyed, Map};
use crate::base::tally::Event;
use crate::dns::Name;
use crate::handlers::authority::Zone;

/// Seconds since 1970, as the machine's wall clock has them.
pub type WallClock = Arc<dyn Fn() -> u64 + Send + Sync>;

enum Job {
    Update(Errand),
    /// The zones that updates may change, and the versions that the configuration has of some of them.
    Settle {
        zones: Vec<Name>,
        loaded: Vec<Arc<Zone>>,
        done: SyncSender<()>,
    },
    /// What waits is the last: the zones belong to another process once this is dropped.
    Retire(SyncSender<()>),
}

/// The slot for updates; when the last one is dropped, the clerk's thread ends.
pub struct Updates {
    jobs: SyncSender<Job>,
}

impl Updates {
    /// The clerk of `keeper`'s zones, whose images and journals lie in `folder`; without one, updates are refused.
    ///
    /// # Errors
    /// In words, where the system gives no thread.
    pub fn start(keeper: Arc<Keeper>, folder: Option<PathBuf>, clock: WallClock, keyed: Keyed) -> Result<Self, String> {
        let (jobs, waiting) = mpsc::sync_channel(bounds::UPDATES_WAITING);
        let office = Office { estates: Estates::new(Arc::clone(&keeper), folder, keyed.clone()), keeper, clock, keyed };
        std::thread::Builder::new()
            .name("meridian-update".into())
            .spawn(move || office.run(&waiting))
            .map_err(|fault| format!("cannot start a thread for updates: {fault}"))?;
        Ok(Self { jobs })
    }
}

impl Updates {
    /// Answers what waits and changes nothing more; the journals are another process's when this returns.
    pub fn retire(&self) {
        let (done, is_done) = mpsc::sync_channel(1);
        if self.jobs.send(Job::Retire(done)).is_ok() {
            is_done.recv().ok(); // an error says that the thread has ended, and let go
        }
    }
}

impl Steward for Updates {
    fn settle(&self, zones: Vec<Name>, loaded: Vec<Arc<Zone>>) {
        let (done, is_done) = mpsc::sync_channel(1);
        if self.jobs.send(Job::Settle { zones, loaded, done }).is_err() || is_done.recv().is_err() {
            error!("the thread for updates has ended");
        }
    }
}

impl Clerk for Updates {
    fn handle(&self, errand: Errand) -> Work<'_> {
        match self.jobs.try_send(Job::Update(errand)) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => warn!("too many updates wait; one is dropped"),
            Err(TrySendError::Disconnected(_)) => error!("the thread for updates has ended"),
        }
        Box::pin(std::future::ready(()))
    }
}

/// What the thread has.
struct Office {
    keeper: Arc<Keeper>,
    estates: Estates,
    clock: WallClock,
    keyed: Keyed,
}

impl Office {
    fn run(mut self, jobs: &Receiver<Job>) {
        while let Ok(first) = jobs.recv() {
            let mut batches: Map<Name, Batch> = Map::with_hasher(self.keyed.clone());
            let rest = jobs.try_iter().take(bounds::UPDATES_TOGETHER - 1);
            for job in std::iter::once(first).chain(rest) {
                match job {
                    Job::Update(errand) => self.take(errand, &mut batches),
                    Job::Settle { zones, loaded, done } => {
                        self.close(&mut batches);
                        self.estates.settle(&zones, loaded);
                        done.send(()).ok(); // whoever asked may have gone
                    }
                    Job::Retire(done) => {
                        self.close(&mut batches);
                        drop(self);
                        drop(done);
                        return;
                    }
                }
            }
            self.close(&mut batches);
        }
    }

    /// Judges one update on its zone's draft; what needs no draft is answered at once.
    fn take(&mut self, errand: Errand, batches: &mut Map<Name, Batch>) {
        let now = (self.clock)();
        let Errand { bytes, asker, reply, .. } = errand;
        let admitted = match answer::admit(&bytes, &asker, &self.keeper, now) {
            Judgement::Answered(response) => {
                self.keeper.count(Event::UpdatesRefused);
                return reply.send(response);
            }
            Judgement::Silence => return self.keeper.count(Event::UpdatesRefused),
            Judgement::Admitted(admitted) => admitted,
        };
        let Admitted { message, signer, settings, key } = *admitted;
        let apex = settings.apex.clone();
        if !batches.contains_key(&apex) {
            let Some(batch) = self.estates.running(&apex).map(Batch::new) else {
                self.keeper.count(Event::UpdatesFailed);
                return reply.send(answer::response(&message, crate::dns::Rcode::SERVFAIL, signer, now));
            };
            batches.insert(apex.clone(), batch);
        }
        if let Some(batch) = batches.get_mut(&apex) {
            batch.judge(message, signer, &settings, &key, &asker, reply);
        }
    }

    /// Journals what was judged, puts it in force and answers.
    fn close(&mut self, batches: &mut Map<Name, Batch>) {
        let now = (self.clock)();
        for (_, batch) in batches.drain() {
            batch.close(&mut self.estates, &self.keeper, self.keyed.clone(), now);
        }
    }
}
