//! Reloading as a transaction: whatever changes is read, checked and built aside, then put in force as one; or nothing
//! changes, and every fault is told.
//!
//! One thread does all of it, one thing after the other, and gives way to the workers: orders by signal and by the admin
//! address, and a look at the files every [`bounds::FILE_POLL`]. Orders that come while it is at work wait, and share one
//! reload. What has not changed is not touched.

pub mod chronicle;
pub mod difference;
pub mod prepare;
pub mod watching;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::oneshot;
use tracing::{error, info, warn};

pub use self::chronicle::{By, Chronicle};
use self::prepare::{Prepared, Steerage};
pub use self::watching::{States, Watch, states_of};
use super::control::{Bench, Control, Held};
use super::files;
use super::log;
use super::tell;
use super::zones::Cause;
use crate::app::build;
use crate::app::config::{Fault, Severity};
use crate::app::steered;
use crate::base::bounds;
use crate::base::tally::Event;
use crate::edge::admin::AdminHouse;
use crate::edge::clock::wall_seconds;
use crate::edge::manager::{self, News};
use crate::edge::{priority, seed};
use crate::handlers::hosts::Hosts;

/// What may be behind a file that cannot be read.
const NOT_OPEN: &str = "a file in a folder that nothing was named in before is not open to this server since its start; restart to have it";

/// An order to reload.
pub struct Order {
    by: By,
    is_rehearsal: bool,
    reply: Option<oneshot::Sender<Outcome>>,
}

/// What became of an order, for programs; or why nothing did.
pub type Outcome = Result<Value, Value>;

/// Orders on their way.
pub type Orders = SyncSender<Order>;

impl Control {
    /// Has the configuration and its files read again soon. Where many orders wait already, theirs will do.
    pub fn order(&self, by: By) {
        self.orders.try_send(Order { by, is_rehearsal: false, reply: None }).ok();
    }

    /// Reads the configuration and its files again, or only says what that would change; waits for it.
    pub(super) async fn reload_for(&self, by: By, is_rehearsal: bool) -> Outcome {
        let (reply, outcome) = oneshot::channel();
        let refused = |why: &str| Err(json!({ "error": why, "faults": [] }));
        match self.orders.try_send(Order { by, is_rehearsal, reply: Some(reply) }) {
            Ok(()) => outcome.await.unwrap_or_else(|_| refused("the reload broke off; the log says more")),
            Err(TrySendError::Full(_)) => refused("too many reloads wait"),
            Err(TrySendError::Disconnected(_)) => refused("the server stops"),
        }
    }

    /// Carries out orders and looks at the files, for ever: the body of a thread of its own.
    pub fn attend(self: &Arc<Self>, orders: &Receiver<Order>) {
        priority::give_way();
        let mut rest = bounds::FILE_POLL;
        loop {
            let first = match orders.recv_timeout(rest) {
                Ok(first) => Some(first),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if self.has_retired() {
                return;
            }
            let begun = self.now();
            let is_look = first.is_none();
            let all: Vec<Order> = first.into_iter().chain(orders.try_iter().take(bounds::RELOADS_WAITING)).collect();
            let turn = AssertUnwindSafe(|| if is_look { self.look() } else { self.carry_out(all) });
            if catch_unwind(turn).is_err() {
                error!("a reload broke off in a panic");
            }
            self.current.clear_out();
            let took = self.now().since(begun);
            if is_look {
                rest = bounds::FILE_POLL.max(took * bounds::FILE_POLL_SHARE);
            } else {
                // A storm of orders gets half of the thread's time.
                std::thread::sleep(took.min(bounds::FILE_POLL));
            }
        }
    }

    /// Carries out what was ordered: one reload for all who want one, one rehearsal for all who want that.
    fn carry_out(self: &Arc<Self>, orders: Vec<Order>) {
        let (rehearsals, reloads): (Vec<_>, Vec<_>) = orders.into_iter().partition(|order| order.is_rehearsal);
        for (orders, is_rehearsal) in [(reloads, false), (rehearsals, true)] {
            let Some(first) = orders.first() else { continue };
            let outcome = if is_rehearsal { self.rehearse() } else { self.reload(first.by) };
            for order in orders {
                order.reply.map(|reply| reply.send(outcome.clone()).ok());
            }
        }
    }

    pub(super) fn bench(&self) -> MutexGuard<'_, Bench> {
        self.bench.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says what a reload would change, or its faults, and changes nothing.
    fn rehearse(&self) -> Outcome {
        let bench = self.bench();
        match self.prepare(&bench, true) {
            Ok(prepared) => {
                let mut told = self.report(&prepared, prepared.changes_anything() || !prepared.differences.is_empty());
                told.insert("dry_run".to_owned(), true.into());
                Ok(told.into())
            }
            Err(faults) => Err(self.refusal(&faults)),
        }
    }

    /// Reads the configuration and its files again. A bad one changes nothing.
    pub(super) fn reload(self: &Arc<Self>, by: By) -> Outcome {
        manager::tell(&News::Reloading);
        let outcome = self.read_again(by);
        manager::tell(&News::Ready(self.summary()));
        outcome
    }

    fn read_again(self: &Arc<Self>, by: By) -> Outcome {
        let begun = self.now();
        let mut bench = self.bench();
        if self.has_retired() {
            return Err(self.refusal(&[plain("another server has taken over: it is to be told")]));
        }
        let states = bench.states();
        let prepared = self.prepare(&bench, false).and_then(|prepared| {
            let dice =
                seed::dice().map_err(|fault| vec![plain(&format!("the system gives no randomness: {fault}"))])?;
            Ok((prepared, dice))
        });
        let (prepared, mut dice) = match prepared {
            Ok(ready) => ready,
            Err(mut faults) => {
                if faults.iter().any(|fault| fault.found.contains("Permission denied")) {
                    // Ours to say, as it cannot be seen on the file: it may be confinement that closes it.
                    faults.push(plain(NOT_OPEN));
                }
                for fault in &faults {
                    error!("{fault}");
                }
                error!("the configuration is not changed: {} faults (reload by {by})", faults.len());
                bench.have_seen(&states); // once is enough; until they change again
                self.chronicle().fail(by, wall_seconds(), faults.clone());
                self.tally.add_among(Event::ReloadsRefused, 1);
                return Err(self.refusal(&faults));
            }
        };
        for lint in &prepared.lints {
            warn!("{lint}");
        }
        for restart in &prepared.restart {
            warn!("{restart}");
        }
        let has_changes = prepared.changes_anything();
        let mut told = self.report(&prepared, has_changes);
        let summary = prepared.differences.summary();
        self.put_in_force(&mut bench, prepared, &states, &mut dice);
        drop(bench);
        if has_changes {
            self.await_workers();
        }
        let took = self.now().since(begun);
        let generation = self.chronicle().succeed(by, wall_seconds(), took, has_changes);
        if has_changes {
            self.tally.add_among(Event::Reloads, 1);
            info!("configuration read again: generation {generation} by {by} in {} ms: {summary}", took.as_millis());
        } else {
            self.tally.add_among(Event::ReloadsUnchanged, 1);
            info!("reload by {by}: nothing has changed, nothing is swapped");
        }
        told.insert("reloaded".to_owned(), true.into());
        told.insert("generation".to_owned(), generation.into());
        told.insert("took_ms".to_owned(), (took.as_secs_f64() * 1_000.0).into());
        Ok(told.into())
    }

    fn report(&self, prepared: &Prepared, has_changes: bool) -> serde_json::Map<String, Value> {
        let mut told = serde_json::Map::new();
        told.insert("changed".to_owned(), has_changes.into());
        told.insert("generation".to_owned(), self.chronicle().generation().into());
        told.insert("differences".to_owned(), prepared.differences.to_json());
        told.insert("restart".to_owned(), json!(prepared.restart));
        told.insert("lints".to_owned(), json!(prepared.lints));
        if prepared.differences.moves_answers() {
            let hint = "steered names may be answered otherwise: `meridian simulate --config NEW --against OLD --clients \
                        db` tells how many clients move";
            told.insert("hint".to_owned(), hint.into());
        }
        told
    }

    fn refusal(&self, faults: &[Fault]) -> Value {
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
        json!({ "error": lines.join("\n"), "faults": faults, "generation": self.chronicle().generation() })
    }

    /// The second half: swaps what has changed. Nothing can fail here.
    fn put_in_force(
        self: &Arc<Self>,
        bench: &mut Bench,
        prepared: Prepared,
        states: &States,
        dice: &mut crate::base::Dice,
    ) {
        let Prepared { config, source, read, reading, steering, rebuilds, swaps_hosts, changes_zones, moves, .. } =
            prepared;
        let files::Read { files, digests } = read;
        let _runtime = self.surroundings.runtime.enter(); // the forwarders' sockets belong to it
        let authority = Arc::clone(self.keeper().authority());
        let mut hosts = None;
        // What takes long comes before the first swap.
        let machine = (self.clock(), &self.surroundings.runtime);
        bench.kept.cluster = self.clusters().follow(&config, machine, dice);
        self.lookout().look_into(bench.kept.cluster.clone());
        let built = if rebuilds {
            let move_cache = files::move_cache(self.now());
            Some(build::build(&config, files, &mut bench.kept, move_cache, dice))
        } else {
            hosts = files.hosts.filter(|_| swaps_hosts);
            None
        };
        let is_steered_anew = steering.is_some();
        let mut helm_after = None;
        if let Some(Steerage { meanwhile, helm, found }) = steering {
            let old = bench.places.settle(found, helm.scene());
            steered::compile(&meanwhile);
            // A worker may look something up in it just now.
            self.current.touch();
            self.current.retire(old);
            // The board first, or nobody would know how new members stand.
            self.lookout().configure(&config.steering);
            // Before the zones: what stands in them for pools is not to be answered as it stands.
            self.change_helm(meanwhile);
            helm_after = Some(helm);
        }
        if let Some(built) = &built {
            self.current.replace(Arc::clone(&built.house), Arc::clone(&built.forwarders));
            log::change(&config.log.levels);
        }
        if changes_zones {
            tell(&reading.fresh);
            self.keeper().configure(&config.zones, &config.keys, reading.fresh);
        }
        if let Some(helm) = helm_after {
            self.change_helm(helm);
        }
        if is_steered_anew {
            self.lookout().follow(authority.helm().names().cloned().collect());
        }
        if let Some(hosts) = hosts {
            self.change_hosts(hosts);
        }
        bench.library = reading.library;
        bench.watch(&config, &source, states);
        let mut held = self.held();
        (held.config, held.source, held.digests) = (config, source, digests);
        let old = built.map(|built| std::mem::replace(&mut held.built, built));
        drop(held);
        self.current.retire(old);
        if let Some(doors) = self.doors() {
            doors.carry_out(moves, &(Arc::clone(self) as Arc<dyn AdminHouse>));
        }
    }

    /// Waits until every worker answers by what is in force now: who is told that a reload is done may rely on it.
    fn await_workers(&self) {
        const PAUSE: Duration = Duration::from_millis(1);
        let Some(doors) = self.doors() else { return };
        doors.wake();
        let until = self.now() + bounds::MOVING;
        while !self.current.have_all_moved() && self.now() < until {
            std::thread::sleep(PAUSE);
        }
    }

    fn change_helm(&self, helm: crate::steer::Helm) {
        let authority = self.keeper().authority();
        let old = authority.helm();
        authority.take_helm(helm);
        self.current.touch();
        self.current.retire(old);
    }

    /// Answers from another hosts table from now on; the cache forgets the names that changed.
    fn change_hosts(&self, hosts: Hosts) {
        let held = self.held();
        let (link, cache) = (held.built.hosts.clone(), held.built.cache.clone());
        drop(held);
        let Some(link) = link else { return };
        let old = link.hosts();
        let changed = link.swap(hosts);
        if let Some(cache) = cache {
            cache.forget(&changed);
        }
        self.current.touch();
        self.current.retire(old);
        info!("hosts file read again: {} names changed", changed.len());
    }

    /// Looks at the files: zones that have changed are read again by themselves, so is the hosts file; any other file
    /// is reason for a reload. A file counts as written when it has rested from one look to the next.
    fn look(self: &Arc<Self>) {
        let begun = self.now();
        let mut bench = self.bench();
        if self.has_retired() {
            return; // what the files say is the successor's to hear
        }
        let mut faults = None;
        if let Some(reading) = bench.library.look() {
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
            let has_fresh = !reading.fresh.is_empty();
            self.keeper().replace_all(reading.fresh, Cause::File);
            bench.library = reading.library;
            let is_fault = |noted: &Fault| noted.severity == Severity::Fault;
            faults = Some((has_fresh, reading.noted.into_iter().filter(is_fault).collect::<Vec<_>>()));
        }
        let hosts = {
            let held = self.held();
            held.config.recursion.as_ref().and_then(|recursion| recursion.hosts.clone())
        };
        if let Some(settings) = hosts.filter(|_| bench.hosts.as_mut().is_some_and(Watch::is_due)) {
            let (hosts, digest) = files::read_hosts(&settings);
            let before = std::mem::replace(&mut self.held().digests.hosts, digest);
            if digest != before {
                self.change_hosts(hosts);
                faults = Some((true, faults.map_or_else(Vec::new, |(_, faults)| faults)));
            }
        }
        let due: Vec<String> = bench
            .watched
            .iter_mut()
            .filter_map(|watch| watch.is_due().then(|| watch.path().display().to_string()))
            .collect();
        drop(bench);
        if let Some((has_changes, faults)) = faults {
            let (wall, took) = (wall_seconds(), self.now().since(begun));
            if has_changes || faults.is_empty() {
                self.chronicle().succeed(By::File, wall, took, has_changes);
                self.tally.add_among(if has_changes { Event::Reloads } else { Event::ReloadsUnchanged }, 1);
            }
            if !faults.is_empty() {
                self.chronicle().fail(By::File, wall, faults);
                self.tally.add_among(Event::ReloadsRefused, 1);
            }
        }
        if !due.is_empty() {
            info!("changed: {}", due.join(", "));
            self.reload(By::File).ok(); // which tells its faults
        }
    }
}

/// A fault of no file.
fn plain(found: &str) -> Fault {
    Fault {
        severity: Severity::Fault,
        file: "meridian".into(),
        at: crate::app::config::At { line: 0, column: 0 },
        key: String::new(),
        found: found.into(),
        allowed: String::new(),
    }
}
