//! The lookout's decisions, with time as an argument: what to probe and fetch next, what it means for the members,
//! and when others must hear of it.
//!
//! Ask [`Tower::poll_probe`] and [`Feeding::poll_fetch`] until they have none, do what they name, tell
//! [`Tower::handle_finding`] and [`Tower::handle_number`]; call [`Tower::tick`] every second; take the board when
//! [`Tower::poll_board`] has one.

use std::collections::BTreeMap;
use std::time::Duration;

use tracing::{info, warn};

use super::feeding::Feeding;
use super::plan::{Plan, Task};
use crate::base::{Dice, Instant};
use crate::edge::probe::Finding;
use crate::steer::Member;
use crate::steer::health::saved::{self, Saved};
use crate::steer::health::watch::CheckKey;
use crate::steer::health::{Board, Need, Overrides, Probe, Sighting, Standing, State, Watch};

/// A result is believed for so many intervals after it, if nothing more is told.
const BELIEVED_INTERVALS: u32 = 2;

/// A moment, by the clock that never goes back and by the calendar (seconds).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moment {
    /// For ages and due times.
    pub now: Instant,
    /// For people and files.
    pub wall: u64,
}

/// What was last seen of a task.
#[derive(Clone, PartialEq, Debug)]
pub struct Seen {
    /// Since when its state is what it is, seconds of the calendar.
    pub since: u64,
    /// The last finding: when, seconds of the calendar, how long it took, and what.
    pub last: Option<(u64, Duration, Finding)>,
}

/// The state in force of a member, and since when, seconds of the calendar.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mark {
    /// Its word.
    pub word: &'static str,
    /// Since when.
    pub since: u64,
}

/// The names of a pool and of its member.
pub type MemberName = (Box<str>, Box<str>);

/// How the probes for a member have ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Probed {
    /// As they should.
    pub good: u64,
    /// Badly.
    pub bad: u64,
    /// They told nothing.
    pub untold: u64,
}

/// All that the lookout knows.
#[derive(Debug)]
pub struct Tower {
    pub(super) plan: Plan,
    pub(super) watch: Watch,
    pub(super) overrides: Overrides,
    pub(super) seen: BTreeMap<CheckKey, Seen>,
    /// Of each pool, its members as they were posted last.
    pub(super) marks: Vec<Vec<Mark>>,
    /// Probes done for each member, by the names of pool and member.
    pub(super) probed: BTreeMap<MemberName, Probed>,
    pub(super) feeding: Feeding,
    pub(super) dice: Dice,
    pub(super) is_board_old: bool,
    is_unsaved: bool,
    is_first_round_over: bool,
}

impl Tower {
    /// A tower from which there is nothing to see yet; `node` is a hash of this node.
    #[must_use]
    pub fn new(node: u64, dice: Dice) -> Self {
        Self {
            plan: Plan::default(),
            watch: Watch::new(node),
            overrides: Overrides::default(),
            seen: BTreeMap::new(),
            marks: Vec::new(),
            probed: BTreeMap::new(),
            feeding: Feeding::new(node),
            dice,
            is_board_old: true,
            is_unsaved: false,
            is_first_round_over: false,
        }
    }

    /// Watches what `plan` says from now on. What was known of tasks and members that it names still is.
    pub fn replace(&mut self, plan: Plan, at: Moment) {
        let tasks = plan.tasks.iter().map(|(key, task)| (key.clone(), task.timing));
        let left_out = self.watch.replace(tasks, at.now);
        if left_out > 0 {
            warn!("{left_out} checks are beyond what one server may watch, and left out");
        }
        self.seen.retain(|key, _| plan.tasks.contains_key(key));
        self.probed
            .retain(|(pool, member), _| plan.pool(pool).is_some_and(|known| known.pool.index_of(member).is_some()));
        let mark = |(pool, member): (&str, &str)| self.mark(pool, member);
        let marks = plan.pools.iter().map(|settings| {
            let names = settings.pool.members().iter().map(|member| (settings.pool.name(), &*member.name));
            names.map(|name| mark(name).unwrap_or(Mark { word: "", since: at.wall })).collect()
        });
        self.marks = marks.collect();
        self.feeding.replace(&self.plan, &plan, at.now);
        self.plan = plan;
        self.is_board_old = true;
    }

    fn mark(&self, pool: &str, member: &str) -> Option<Mark> {
        let at = self.plan.pools.iter().position(|settings| settings.pool.name() == pool)?;
        let index = self.plan.pools.get(at)?.pool.index_of(member)?;
        self.marks.get(at)?.get(usize::from(index)).copied()
    }

    /// Takes over what was saved; to be called after the first plan.
    pub fn restore(&mut self, saved: &Saved, at: Moment) {
        saved.restore(&mut self.watch, &mut self.overrides, at.now, at.wall);
        if saved.unreadable > 0 {
            warn!("{} lines of the saved health could not be read", saved.unreadable);
        }
        self.is_board_old = true;
    }

    /// What is to be saved.
    #[must_use]
    pub fn compose(&self, wall: u64) -> String {
        saved::compose(&self.watch, &self.overrides, wall)
    }

    /// Whether something has changed since it was saved; it counts as saved then.
    pub fn take_unsaved(&mut self) -> bool {
        std::mem::take(&mut self.is_unsaved)
    }

    /// People have decided something.
    pub(super) fn note_decision(&mut self) {
        (self.is_board_old, self.is_unsaved) = (true, true);
    }

    /// A task to probe now.
    pub fn poll_probe(&mut self, at: Moment) -> Option<(CheckKey, Task)> {
        while let Some(key) = self.watch.poll_probe(at.now) {
            let Some(task) = self.plan.tasks.get(&key) else { continue };
            if matches!(task.check.probe, Probe::Push { .. }) {
                // Nothing to do but to see whether the last result is still believed.
                self.handle_finding(&key, &Finding::Untold("results are pushed".into()), Duration::ZERO, at);
                continue;
            }
            return Some((key.clone(), task.clone()));
        }
        None
    }

    /// When [`Tower::poll_probe`] or [`Feeding::poll_fetch`] may have something next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.watch.poll_timeout().into_iter().chain(self.feeding.poll_timeout()).min()
    }

    /// Takes in what a probe found, and how long it took.
    pub fn handle_finding(&mut self, key: &CheckKey, finding: &Finding, took: Duration, at: Moment) {
        self.count(key, finding);
        let Some(task) = self.plan.tasks.get(key) else { return };
        let before = self.watch.tracker(key).map(crate::steer::health::Tracker::state);
        let change = match finding.is_good() {
            Some(true) => self.watch.observe(key, Sighting::Success, at.now, &mut self.dice),
            Some(false) => self.watch.observe(key, Sighting::Failure, at.now, &mut self.dice),
            None => self.watch.pass(key, believed_for(task), at.now, &mut self.dice),
        };
        let seen = self.seen.entry(key.clone()).or_insert(Seen { since: at.wall, last: None });
        let was_told = seen.last.as_ref().is_none_or(|(_, _, last)| last.is_good().is_some());
        let subject = &task.subject;
        let whom = || format!("{}/{} {} ({})", subject.pool, subject.member, task.check.name, subject.target);
        if finding.is_good().is_none() && was_told && !matches!(task.check.probe, Probe::Push { .. }) {
            warn!("{}: the check tells nothing: {}", whom(), finding.why());
        }
        // A result that was pushed stays to be seen until the next.
        if finding.is_good().is_some() || !matches!(task.check.probe, Probe::Push { .. }) {
            seen.last = Some((at.wall, took, finding.clone()));
        }
        let (Some(before), Some(after)) = (before, change) else { return };
        seen.since = at.wall;
        let (whom, why) = (whom(), finding.why());
        match after {
            State::Suspect | State::Down => warn!("{whom}: {} after {}: {why}", after.word(), before.word()),
            _ => info!("{whom}: {} after {}: {why}", after.word(), before.word()),
        }
        (self.is_board_old, self.is_unsaved) = (true, true);
    }

    /// Counts a probe for the member that it was done for; a look whether a pushed result is still believed is none.
    fn count(&mut self, key: &CheckKey, finding: &Finding) {
        let Some(task) = self.plan.tasks.get(key) else { return };
        let is_look = matches!(task.check.probe, Probe::Push { .. }) && finding.is_good().is_none();
        if !is_look {
            let member = (task.subject.pool.clone(), task.subject.member.clone());
            let probed = self.probed.entry(member).or_default();
            *match finding.is_good() {
                Some(true) => &mut probed.good,
                Some(false) => &mut probed.bad,
                None => &mut probed.untold,
            } += 1;
        }
    }

    /// Takes in a number that was fetched; none if it could not be had.
    pub fn handle_number(&mut self, key: &str, value: Option<f64>, now: Instant) {
        self.feeding.handle_number(&self.plan, key, value, now);
    }

    /// What time alone changes: overrides end, drains come to their end, learners close an epoch. To be called every
    /// second.
    pub fn tick(&mut self, at: Moment) {
        if self.overrides.expire(at.wall) {
            info!("an override has ended");
            self.note_decision();
        }
        // A drain that ends changes no more than its word, on the next board.
        self.is_board_old |= !self.overrides.list().is_empty();
        self.feeding.tick(&self.plan, at.now, &mut self.dice);
    }

    /// Whether every task was tried once; it stays so.
    pub fn is_first_round_over(&mut self) -> bool {
        self.is_first_round_over |= self.watch.is_first_round_over();
        self.is_first_round_over
    }

    /// The board, if it has changed since it was taken last.
    pub fn poll_board(&mut self, wall: u64) -> Option<Board> {
        std::mem::take(&mut self.is_board_old).then(|| self.board(wall))
    }

    fn board(&mut self, wall: u64) -> Board {
        let mut board = Board::default();
        let mut marks = std::mem::take(&mut self.marks);
        for ((settings, watched), marks) in self.plan.rows().zip(&mut marks) {
            let pool = &settings.pool;
            let members = pool.members().iter().zip(watched).zip(marks);
            let standings = members.map(|((member, watched), mark)| {
                let checks = watched.checks.iter().map(|(_, keys)| self.standing(keys)).collect::<Vec<_>>();
                let listed = member.listed.as_ref().map(|listed| listed.standing());
                let standing = listed.unwrap_or_else(|| watched.need.standing(&checks));
                let standing = self.overrides.apply(pool.name(), &member.name, standing, wall);
                if mark.word != standing.word() {
                    *mark = Mark { word: standing.word(), since: wall };
                }
                standing
            });
            board.post(pool, standings.collect::<Vec<_>>());
        }
        self.marks = marks;
        board
    }

    /// How the targets of one check stand together: as the worst of them.
    fn standing(&self, keys: &[CheckKey]) -> Standing {
        let trackers = keys.iter().filter_map(|key| self.watch.tracker(key));
        Need::All.standing(&trackers.map(Standing::from).collect::<Vec<_>>())
    }

    /// What the checks say of a member, or who knows its addresses.
    #[must_use]
    pub fn real_state(&self, member: &Member, watched: &super::plan::Watched) -> State {
        if let Some(listed) = &member.listed {
            return listed.standing().state;
        }
        watched.need.state(watched.checks.iter().map(|(_, keys)| self.standing(keys).state))
    }

    /// `pool/member` of those whose state is UNKNOWN.
    #[must_use]
    pub fn unknown(&self) -> Vec<String> {
        let rows = self.plan.rows().flat_map(|(settings, watched)| {
            settings.pool.members().iter().zip(watched).map(move |(member, watched)| (settings, member, watched))
        });
        rows.filter(|(_, member, watched)| self.real_state(member, watched) == State::Unknown)
            .map(|(settings, member, _)| super::plan::title(&settings.pool, member))
            .collect()
    }
}

/// How long a result counts when no other follows.
fn believed_for(task: &Task) -> Duration {
    match task.check.probe {
        Probe::Push { age_max } => age_max,
        _ => task.timing.interval * BELIEVED_INTERVALS,
    }
}
