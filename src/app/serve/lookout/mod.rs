//! The lookout: watches the members of pools while the server runs, and posts what it sees to the [`Scene`].
//!
//! The [`Tower`] decides; here is what touches the machine. One task asks the tower what to do, begins
//! it, and posts; probes and fetches are tasks of their own, which tell the tower what they found. Nobody waits for
//! the lookout but the start, for its first round.

pub mod feeding;
pub mod orders;
pub mod plan;
pub mod tower;
pub mod view;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tracing::{debug, warn};

use self::feeding::Fetch;
use self::plan::{Plan, Task};
use self::tower::{MemberName, Moment, Probed, Tower};
use crate::app::config;
use crate::app::serve::listings::Listings;
use crate::base::{Clock, Dice, Instant, bounds};
use crate::edge::admin::pools::{Order, PoolHouse, PoolView, Refused};
use crate::edge::clock::{MachineClock, wall_seconds};
use crate::edge::files::{read_octets, write_aside};
use crate::edge::probe::{Finding, Prober};
use crate::handlers::cluster::{Cluster, Hearer, Table};
use crate::steer::Scene;
use crate::steer::health::watch::CheckKey;
use crate::steer::health::{Action, Board, saved};
use crate::steer::helm::Steered;

/// The file's name in the `state` directory.
const SAVED: &str = "health";
/// How often is looked at what time alone changes.
const TICK: Duration = Duration::from_secs(1);
/// Members without a result that are named at the start; more are counted.
const NAMED_MAX: usize = 20;

/// The lookout of a running server.
pub struct Lookout {
    clock: MachineClock,
    prober: Prober,
    scene: Arc<Scene>,
    held: Mutex<Held>,
    listings: Listings,
    /// Something has changed that the task should look at now.
    nudge: Notify,
    first_round: watch::Sender<bool>,
    state: Option<PathBuf>,
    /// Held while it is saved; whether another process saves from now on.
    saving: Mutex<bool>,
}

/// What changes.
struct Held {
    tower: Tower,
    /// The steered names, which know until when their answers are held.
    names: Vec<Arc<Steered>>,
    /// Who knows the addresses of members that are its services.
    cluster: Option<Cluster>,
    /// The board from before a reload, while there may be names that still go by it.
    before: Option<Arc<Board>>,
}

/// When the task did something last.
struct Done {
    tick: Instant,
    board: Instant,
    feeds: Instant,
    saved: Instant,
}

impl Lookout {
    /// A lookout that watches what `settings` say and posts it to `scene`, with the state saved in the folder `state`
    /// taken over. It begins with [`Lookout::keep_watch`].
    #[must_use]
    pub fn new(
        settings: &config::Steering,
        scene: Arc<Scene>,
        state: Option<&Path>,
        clock: MachineClock,
        dice: &mut Dice,
    ) -> Self {
        let own_dice = || Dice::from_seed(std::array::from_fn(|_| dice.bits() as u8));
        let mut own_dice = own_dice;
        let mut tower = Tower::new(node(), own_dice());
        let at = Moment { now: clock.now(), wall: wall_seconds() };
        scene.set_calendar(at.wall, at.now);
        tower.replace(Plan::new(settings), at);
        if let Some(state) = state {
            restore(&mut tower, &state.join(SAVED), at);
        }
        let lookout = Self {
            clock,
            prober: Prober::new(own_dice()),
            held: Mutex::new(Held { tower, names: Vec::new(), cluster: None, before: None }),
            scene,
            listings: Listings::default(),
            nudge: Notify::new(),
            first_round: watch::Sender::new(false),
            state: state.map(Path::to_owned),
            saving: Mutex::new(false),
        };
        lookout.list(&lookout.held());
        lookout.post(&mut lookout.held(), at.wall);
        lookout
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn moment(&self) -> Moment {
        Moment { now: self.clock.now(), wall: wall_seconds() }
    }

    /// Watches what `settings` say from now on; the board says so when this returns, and still has the pools from
    /// before, until [`Lookout::follow`]. Checks and members that were known go on.
    pub fn configure(&self, settings: &config::Steering) {
        let at = self.moment();
        self.prober.forget_trust();
        let plan = Plan::new(settings);
        let mut held = self.held();
        held.before = Some(Arc::clone(&self.scene.board()));
        held.tower.replace(plan, at);
        self.list(&held);
        self.post(&mut held, at.wall);
        drop(held);
        self.nudge.notify_one();
    }

    /// Takes the steered names that are in force, in order to know when a drained member's last answer expires. Nobody
    /// chooses from older ones any more.
    pub fn follow(&self, names: Vec<Arc<Steered>>) {
        let mut held = self.held();
        (held.names, held.before) = (names, None);
        self.list(&held);
    }

    /// Members that are services are those of `cluster` from now on.
    pub fn look_into(self: &Arc<Self>, cluster: Option<Cluster>) {
        self.held().cluster.clone_from(&cluster);
        let lookout = Arc::downgrade(self);
        let hear = move |table: &Table| {
            if let Some(lookout) = lookout.upgrade().filter(|lookout| lookout.listings.tell(table)) {
                lookout.held().tower.is_board_old = true;
                lookout.nudge.notify_one();
            }
        };
        if let Some(cluster) = cluster {
            cluster.tell(Hearer(Box::new(hear)));
        }
    }

    /// Tells the members of all pools that are chosen from, or will be, what the cluster knows of them.
    fn list(&self, held: &Held) {
        let orders = held.names.iter().map(|name| name.orders());
        let chosen_from = orders.flat_map(|orders| [Some(&orders.pool), orders.fallback.as_ref()]).flatten();
        let pools = held.tower.plan.pools.iter().map(|settings| &settings.pool);
        let table = held.cluster.as_ref().map(Cluster::table);
        self.listings.follow(pools.chain(chosen_from), table.as_deref());
    }

    /// How the probes for members have ended, by the names of pool and member.
    #[must_use]
    pub fn probed(&self) -> Vec<(MemberName, Probed)> {
        let held = self.held();
        held.tower.probed.iter().map(|((pool, member), probed)| ((pool.clone(), member.clone()), *probed)).collect()
    }

    /// Posts the board if it has changed.
    fn post(&self, held: &mut Held, wall: u64) -> bool {
        let board = held.tower.poll_board(wall);
        let is_new = board.is_some();
        if let Some(mut board) = board {
            if let Some(before) = &held.before {
                board.keep(before);
            }
            self.scene.post(board);
        }
        is_new
    }

    /// Waits until every check was tried once, `at_most` so long; whether that was enough. Members of whom nothing
    /// is known then count as healthy, and are reported.
    pub async fn first_round(&self, at_most: Duration) -> bool {
        let mut over = self.first_round.subscribe();
        let is_over = tokio::time::timeout(at_most, over.wait_for(|over| *over)).await.is_ok();
        let unknown = self.held().tower.unknown();
        if !unknown.is_empty() {
            let named = unknown.iter().take(NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
            let more = unknown.len().saturating_sub(NAMED_MAX);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            warn!("nothing is known of {named}{more}; they count as healthy");
        }
        is_over
    }

    /// Watches for ever.
    pub async fn keep_watch(self: Arc<Self>) {
        let now = self.clock.now();
        let mut done = Done { tick: now, board: now, feeds: now, saved: now };
        loop {
            let wake = self.look(&mut done);
            let wait = wake.since(self.clock.now());
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.nudge.notified() => {}
            }
        }
    }

    /// Does what is due; when the next look is.
    fn look(self: &Arc<Self>, done: &mut Done) -> Instant {
        let at = self.moment();
        let mut held = self.held();
        while let Some((key, task)) = held.tower.poll_probe(at) {
            tokio::spawn(Arc::clone(self).probe(key, task));
        }
        while let Some((key, fetch)) = held.tower.feeding.poll_fetch(at.now) {
            tokio::spawn(Arc::clone(self).fetch(key, fetch));
        }
        if at.now.since(done.tick) >= TICK {
            done.tick = at.now;
            self.scene.set_calendar(at.wall, at.now);
            held.tower.tick(at);
            held.follow_drains(at.wall);
        }
        let mut wake = done.tick + TICK;
        if held.tower.is_board_old {
            wake = wake.min(done.board + bounds::BOARD_EVERY);
        }
        if at.now.since(done.board) >= bounds::BOARD_EVERY && self.post(&mut held, at.wall) {
            done.board = at.now;
        }
        if at.now.since(done.feeds) >= bounds::FEEDS_EVERY
            && let Some(feeds) = held.tower.feeding.poll_feeds()
        {
            done.feeds = at.now;
            self.scene.measure(feeds);
        }
        if !*self.first_round.borrow() && held.tower.is_first_round_over() {
            self.post(&mut held, at.wall);
            self.first_round.send_replace(true);
        }
        let unsaved_for = at.now.since(done.saved);
        if unsaved_for >= bounds::HEALTH_SAVED_ANYWAY
            || unsaved_for >= bounds::HEALTH_SAVED_EVERY && held.tower.take_unsaved()
        {
            done.saved = at.now;
            let lookout = Arc::clone(self);
            tokio::task::spawn_blocking(move || lookout.save());
        }
        wake.min(held.tower.poll_timeout().unwrap_or(wake))
    }

    async fn probe(self: Arc<Self>, key: CheckKey, task: Task) {
        let begun = self.clock.now();
        // Whatever happens to the probe, the tower hears of its end.
        let mut report = Report { lookout: &self, key, begun, finding: Finding::Untold("the probe broke off".into()) };
        report.finding = self.prober.probe(&task.check.probe, &task.subject, task.timing.timeout).await;
    }

    async fn fetch(self: Arc<Self>, key: String, fetch: Fetch) {
        let within = fetch.feed.every.min(bounds::FEED_DEADLINE);
        let fetched = self.prober.fetch(&fetch.url, &fetch.feed.field, within).await;
        if let Err(why) = &fetched {
            debug!("feed {}: {}: {why}", fetch.feed.name, fetch.url);
        }
        let now = self.clock.now();
        self.held().tower.handle_number(&key, fetched.ok(), now);
        self.nudge.notify_one();
    }

    /// Takes over what was saved since: overrides are as they were saved.
    pub fn resume(&self) {
        let Some(state) = &self.state else { return };
        let at = self.moment();
        let mut held = self.held();
        restore(&mut held.tower, &state.join(SAVED), at);
        self.post(&mut held, at.wall);
    }

    /// Saves health and overrides for the last time: what is decided from now on is another process's.
    pub fn retire(&self) {
        self.save();
        *self.saving.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }

    /// Saves health and overrides, where there is a folder for that.
    pub fn save(&self) {
        let Some(state) = &self.state else { return };
        let is_retired = self.saving.lock().unwrap_or_else(PoisonError::into_inner);
        if *is_retired {
            return;
        }
        let text = self.held().tower.compose(wall_seconds());
        let path = state.join(SAVED);
        let written = std::fs::create_dir_all(state)
            .and_then(|()| write_aside(&path, |file| std::io::Write::write_all(file, text.as_bytes())));
        if let Err(fault) = written {
            warn!("{}: {fault}; health and overrides are not saved", path.display());
        }
    }
}

/// A probe under way; when it is dropped, its finding is told.
struct Report<'l> {
    lookout: &'l Lookout,
    key: CheckKey,
    begun: Instant,
    finding: Finding,
}

impl Drop for Report<'_> {
    fn drop(&mut self) {
        let at = self.lookout.moment();
        self.lookout.held().tower.handle_finding(&self.key, &self.finding, at.now.since(self.begun), at);
        self.lookout.nudge.notify_one();
    }
}

impl Held {
    /// When the last answer with a member that `glob` names expires, and a little later.
    fn empties_at(&self, glob: &str, wall: u64) -> u64 {
        let members = self.tower.matching(glob);
        let until = members.flat_map(|(pool, index, _)| {
            self.names.iter().map(move |name| name.steering().leaves_at(pool.id(), index))
        });
        until.max().unwrap_or(0).max(wall) + bounds::DRAIN_SLACK.as_secs()
    }

    /// An answer may have been under way when its member was drained.
    fn follow_drains(&mut self, wall: u64) {
        let drains = self.tower.overrides.list().iter();
        let drains = drains.filter(|known| known.action == Action::Drain && known.empty_at > wall);
        let ends: Vec<(String, u64)> =
            drains.map(|known| (known.glob.clone(), self.empties_at(&known.glob, known.since))).collect();
        for (glob, empty_at) in ends {
            self.tower.overrides.postpone(&glob, empty_at);
        }
    }
}

impl PoolHouse for Lookout {
    fn pools(&self) -> Vec<PoolView> {
        let at = self.moment();
        self.held().tower.view(at.now, at.wall)
    }

    fn drain(&self, glob: &str, order: &Order) -> Result<u64, Refused> {
        let at = self.moment();
        let mut held = self.held();
        let empty_at = held.empties_at(glob, at.wall);
        held.tower.decide((glob, Action::Drain), order, empty_at, at)?;
        self.post(&mut held, at.wall);
        let empty_at = held.empties_at(glob, at.wall);
        held.tower.overrides.postpone(glob, empty_at);
        drop(held);
        self.save(); // nobody hears of a decision that a crash would take back
        self.nudge.notify_one();
        Ok(empty_at)
    }

    fn force(&self, glob: &str, is_up: bool, order: &Order) -> Result<usize, Refused> {
        let at = self.moment();
        let action = if is_up { Action::Up } else { Action::Down };
        let mut held = self.held();
        let count = held.tower.decide((glob, action), order, at.wall, at)?;
        self.post(&mut held, at.wall);
        drop(held);
        self.save();
        self.nudge.notify_one();
        Ok(count)
    }

    fn unforce(&self, glob: &str) -> usize {
        let mut held = self.held();
        let count = held.tower.lift(glob);
        self.post(&mut held, wall_seconds());
        drop(held);
        self.save();
        self.nudge.notify_one();
        count
    }

    fn push_feed(&self, pool: &str, member: &str, metric: &str, value: f64) -> Result<(), Refused> {
        let now = self.clock.now();
        self.held().tower.push_feed((pool, member), metric, value, now)
    }

    fn push_outcomes(&self, pool: &str, member: &str, successes: f64, failures: f64) -> Result<(), Refused> {
        let at = self.moment();
        let outcome = self.held().tower.push_outcomes((pool, member), (successes, failures), at);
        self.nudge.notify_one();
        outcome
    }

    fn push_result(&self, pool: &str, member: &str, check: Option<&str>, is_good: bool) -> Result<(), Refused> {
        let at = self.moment();
        let outcome = self.held().tower.push_result((pool, member), check, is_good, at);
        self.nudge.notify_one();
        outcome
    }

    fn confirm_return(&self, glob: &str) -> Result<usize, Refused> {
        let outcome = self.held().tower.confirm_return(glob);
        self.nudge.notify_one();
        outcome
    }
}

fn restore(tower: &mut Tower, path: &Path, at: Moment) {
    match read_octets(path, bounds::SAVED_HEALTH_MAX) {
        Ok((octets, _)) => tower.restore(&saved::parse(&String::from_utf8_lossy(&octets)), at),
        Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => {}
        Err(fault) => warn!("{}: {fault}; health and overrides are not taken over", path.display()),
    }
}

/// A hash of this machine's name, so that nodes do not probe in step.
fn node() -> u64 {
    let name = std::fs::read("/proc/sys/kernel/hostname").unwrap_or_default();
    crate::steer::hashing::hash_bytes(0, &name)
}
