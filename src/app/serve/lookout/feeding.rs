//! Feeds: which numbers to fetch when, what becomes of them, and what the learners make of successes and failures.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::plan::Plan;
use crate::app::config::Feed;
use crate::base::{Dice, Instant, bounds};
use crate::edge::probe::{Subject, Target};
use crate::steer::hashing::hash_bytes;
use crate::steer::learner::Learner;
use crate::steer::stages::bandit;
use crate::steer::{Feeds, Member, PoolId};

/// Feeds of these names are counters that grow; what they grow by is what `bandit` learns from.
const SUCCESSES: &str = "successes";
const FAILURES: &str = "failures";
/// An epoch of a learner is never shorter, however short the TTLs.
const EPOCH_MIN: Duration = Duration::from_secs(10);
/// Shares are believed for so many epochs when none follows.
const EPOCHS_BELIEVED: u32 = 3;

/// A number to fetch.
#[derive(Clone, PartialEq, Debug)]
pub struct Fetch {
    /// Whence, complete.
    pub url: String,
    /// The feed.
    pub feed: Arc<Feed>,
}

/// Who wants a number: pool and member.
type Takers = Vec<(PoolId, u16)>;

#[derive(Debug)]
struct Row {
    fetch: Fetch,
    takers: Takers,
    /// When it is fetched next; none while it is being fetched.
    due: Option<Instant>,
    begun: Instant,
}

/// What is learned of a pool.
#[derive(Debug)]
struct Learning {
    learner: Learner,
    epoch_ends: Instant,
    /// The counters of each member as they were read last.
    counters: BTreeMap<(u16, bool), f64>,
}

/// All feeds.
#[derive(Debug)]
pub struct Feeding {
    node: u64,
    /// By feed and URL: equal ones are fetched once.
    rows: BTreeMap<String, Row>,
    queue: BTreeSet<(Instant, String)>,
    in_flight: usize,
    feeds: Feeds,
    learning: BTreeMap<PoolId, Learning>,
    is_changed: bool,
}

impl Feeding {
    pub(super) fn new(node: u64) -> Self {
        Self {
            node,
            rows: BTreeMap::new(),
            queue: BTreeSet::new(),
            in_flight: 0,
            feeds: Feeds::default(),
            learning: BTreeMap::new(),
            is_changed: false,
        }
    }

    /// Fetches what `plan` says. Numbers stay where pool and members are the same; else they come anew.
    pub(super) fn replace(&mut self, before: &Plan, plan: &Plan, now: Instant) {
        let names = |plan: &Plan, pool: PoolId| -> Option<Vec<Box<str>>> {
            let pool = &plan.settings(pool)?.pool;
            Some([pool.name().into()].into_iter().chain(pool.members().iter().map(|m| m.name.clone())).collect())
        };
        let mut feeds = Feeds::default();
        for settings in &plan.pools {
            let id = settings.pool.id();
            if names(before, id) == names(plan, id)
                && let (Some(old), Some(new)) = (self.feeds.pool(id), feeds.pool_mut(id))
            {
                *new = old.clone();
            } else {
                self.learning.remove(&id);
            }
        }
        self.learning.retain(|id, _| plan.settings(*id).is_some());
        self.feeds = feeds;
        self.is_changed = true;
        let old = std::mem::take(&mut self.rows);
        for settings in &plan.pools {
            for feed in &settings.feeds {
                for (index, member) in settings.pool.members().iter().enumerate() {
                    self.add(feed, settings.pool.id(), (index as u16, member), settings.pool.name(), now);
                }
            }
        }
        // What is known goes on at its time; what is being fetched comes back to nobody.
        for (key, row) in &mut self.rows {
            if let Some(due) = old.get(key).and_then(|old| old.due) {
                row.due = Some(due);
            }
        }
        self.queue = self.rows.iter().filter_map(|(key, row)| Some((row.due?, key.clone()))).collect();
        self.in_flight = 0;
    }

    fn add(&mut self, feed: &Arc<Feed>, pool: PoolId, (index, member): (u16, &Member), name: &str, now: Instant) {
        let Some(url) = &feed.url else { return };
        let subject = Subject { target: target(member), pool: name.into(), member: member.name.clone() };
        let url = subject.fill(url);
        let key = format!("{} {url} {:?}", feed.name, feed.field);
        let phase = hash_bytes(self.node, key.as_bytes()) % u64::try_from(feed.every.as_nanos()).unwrap_or(1).max(1);
        let due = now + Duration::from_nanos(phase).min(Duration::from_secs(1));
        let fetch = Fetch { url, feed: Arc::clone(feed) };
        let row = self.rows.entry(key).or_insert(Row { fetch, takers: Vec::new(), due: Some(due), begun: now });
        row.takers.push((pool, index));
    }

    /// Something to fetch now, and what it is known by.
    pub fn poll_fetch(&mut self, now: Instant) -> Option<(String, Fetch)> {
        if self.in_flight >= bounds::FEEDS_IN_FLIGHT || self.queue.first().is_none_or(|(due, _)| *due > now) {
            return None;
        }
        let (_, key) = self.queue.pop_first()?;
        let row = self.rows.get_mut(&key)?;
        (row.due, row.begun) = (None, now);
        self.in_flight += 1;
        Some((key, row.fetch.clone()))
    }

    /// When [`Feeding::poll_fetch`] may have something next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.in_flight >= bounds::FEEDS_IN_FLIGHT { None } else { self.queue.first().map(|(due, _)| *due) }
    }

    /// Takes in what was fetched; none if it could not be had.
    pub fn handle_number(&mut self, plan: &Plan, key: &str, value: Option<f64>, now: Instant) {
        let Some(row) = self.rows.get_mut(key).filter(|row| row.due.is_none()) else { return };
        let due = (row.begun + row.fetch.feed.every).max(now);
        row.due = Some(due);
        self.in_flight = self.in_flight.saturating_sub(1);
        self.queue.insert((due, key.to_owned()));
        let (feed, takers) = (Arc::clone(&row.fetch.feed), row.takers.clone());
        let Some(value) = value else { return };
        for (pool, member) in takers {
            self.observe(plan, (pool, member), &feed, value, now);
        }
    }

    /// Takes in a member's number.
    pub fn observe(&mut self, plan: &Plan, (pool, member): (PoolId, u16), feed: &Feed, value: f64, now: Instant) {
        if let Some(numbers) = self.feeds.pool_mut(pool) {
            numbers.observe(&feed.name, member, value, feed.age_max, now);
            self.is_changed = true;
        }
        let is_success = &*feed.name == SUCCESSES;
        if !is_success && &*feed.name != FAILURES || !value.is_finite() {
            return;
        }
        let Some(learning) = self.learning(plan, pool, now) else { return };
        // A counter that went back began anew.
        let grown = match learning.counters.insert((member, is_success), value) {
            Some(before) if before <= value => value - before,
            Some(_) => value,
            None => return,
        };
        let (successes, failures) = if is_success { (grown, 0.0) } else { (0.0, grown) };
        learning.learner.observe(member, successes, failures);
    }

    /// Takes in how often a member served well and ill.
    pub fn learn(
        &mut self,
        plan: &Plan,
        (pool, member): (PoolId, u16),
        (successes, failures): (f64, f64),
        now: Instant,
    ) {
        if let Some(learning) = self.learning(plan, pool, now) {
            learning.learner.observe(member, successes, failures);
        }
    }

    /// What is learned of a pool; none where no policy would use it.
    fn learning(&mut self, plan: &Plan, pool: PoolId, now: Instant) -> Option<&mut Learning> {
        let members = plan.settings(pool)?.pool.members().len();
        let (min, max) = plan.shares(pool)?;
        Some(self.learning.entry(pool).or_insert_with(|| Learning {
            learner: Learner::new(members, min, max),
            epoch_ends: now + epoch(plan, pool),
            counters: BTreeMap::new(),
        }))
    }

    /// Closes the epochs that have come to their end.
    pub(super) fn tick(&mut self, plan: &Plan, now: Instant, dice: &mut Dice) {
        for (pool, learning) in &mut self.learning {
            if now < learning.epoch_ends {
                continue;
            }
            let epoch = epoch(plan, *pool);
            learning.epoch_ends = now + epoch;
            let shares = learning.learner.close_epoch(dice);
            let Some(numbers) = self.feeds.pool_mut(*pool) else { continue };
            for (member, share) in shares.into_iter().enumerate() {
                numbers.observe(bandit::METRIC, member as u16, share, epoch * EPOCHS_BELIEVED, now);
            }
            self.is_changed = true;
        }
    }

    /// The numbers, if they have changed since they were taken last.
    pub fn poll_feeds(&mut self) -> Option<Feeds> {
        std::mem::take(&mut self.is_changed).then(|| self.feeds.clone())
    }

    /// The numbers.
    #[must_use]
    pub const fn feeds(&self) -> &Feeds {
        &self.feeds
    }
}

/// An epoch lasts at least as long as an answer, or what is learned is of answers given before.
fn epoch(plan: &Plan, pool: PoolId) -> Duration {
    Duration::from_secs(plan.ttl_max(pool).unwrap_or(0).into()).max(EPOCH_MIN)
}

/// What `{address}` stands for in a URL: the first address, or the host.
fn target(member: &Member) -> Target {
    let v4 = member.a.first().map(|address| Target::Address((*address).into()));
    // In a URL an IPv6 address stands in brackets.
    let v6 = || member.aaaa.first().map(|address| Target::Host(format!("[{address}]").into()));
    let host = || member.cname.as_ref().map(|host| Target::Host(host.to_string().trim_end_matches('.').into()));
    v4.or_else(v6).or_else(host).unwrap_or_else(|| Target::Host(member.name.clone()))
}
