//! What people and programs tell the lookout: drains and forces, pushed results and numbers, confirmed returns.

use std::sync::Arc;

use tracing::info;

use super::plan::title;
use super::tower::{Moment, Tower};
use crate::app::config::Feed;
use crate::base::Instant;
use crate::edge::admin::pools::{Order, Refused};
use crate::edge::probe::Finding;
use crate::steer::health::Probe;
use crate::steer::health::overrides::{self, Action, Override, Roster};
use crate::steer::{Member, Pool, PoolId};

/// Fewer failures than this of what clients report make no check suspicious.
const FAILURES_MIN: f64 = 3.0;

impl Tower {
    /// Puts an override in force; how many members it concerns.
    pub(super) fn decide(
        &mut self,
        (glob, action): (&str, Action),
        order: &Order,
        empty_at: u64,
        at: Moment,
    ) -> Result<usize, Refused> {
        let decision = Override {
            glob: glob.to_owned(),
            action,
            actor: order.actor.clone(),
            reason: order.reason.clone(),
            since: at.wall,
            until: order.lasts.map(|lasts| at.wall.saturating_add(lasts.as_secs().max(1))),
            empty_at,
        };
        let rosters = self.rosters();
        self.overrides.put(decision, &rosters, order.breaks_glass, at.wall).map_err(Refused::Override)?;
        let count = self.matching(glob).count();
        info!("{} {glob}: {count} members, by {}: {}", action.word(), order.actor, order.reason);
        self.note_decision();
        Ok(count)
    }

    /// Lifts overrides; how many.
    pub(super) fn lift(&mut self, glob: &str) -> usize {
        let count = self.overrides.lift(glob);
        if count > 0 {
            info!("{count} overrides of {glob} lifted");
            self.note_decision();
        }
        count
    }

    /// The members whose `pool/member` is what `glob` says.
    pub(super) fn matching<'t>(&'t self, glob: &'t str) -> impl Iterator<Item = (&'t Arc<Pool>, u16, &'t Member)> {
        let pools = self.plan.pools.iter().map(|settings| &settings.pool);
        let members = pools.flat_map(|pool| {
            pool.members().iter().enumerate().map(move |(index, member)| (pool, index as u16, member))
        });
        members.filter(move |(pool, _, member)| overrides::matches(glob, &title(pool, member)))
    }

    /// What each name can answer with. A pool that no name uses counts as a name of its own.
    fn rosters(&self) -> Vec<Roster> {
        let members = |pool: PoolId| {
            let row = self.plan.settings(pool).zip(self.plan.members.get(pool.0 as usize));
            row.into_iter().flat_map(|(settings, watched)| {
                let members = settings.pool.members().iter().zip(watched);
                members.map(|(member, watched)| {
                    (title(&settings.pool, member), self.real_state(member, watched).is_usable())
                })
            })
        };
        let mut rosters: Vec<Roster> = Vec::new();
        for name in &self.plan.names {
            let members = members(name.pool).chain(name.fallback.into_iter().flat_map(members)).collect();
            rosters.push(Roster { name: name.owner.to_string(), members });
        }
        let is_used = |pool| self.plan.names.iter().any(|name| name.pool == pool || name.fallback == Some(pool));
        for settings in self.plan.pools.iter().filter(|settings| !is_used(settings.pool.id())) {
            let members = members(settings.pool.id()).collect();
            rosters.push(Roster { name: format!("the pool {}", settings.pool.name()), members });
        }
        rosters
    }

    /// A member by its names.
    fn find(&self, pool: &str, member: &str) -> Result<(PoolId, u16), Refused> {
        let pool = &self.plan.pool(pool).ok_or(Refused::NoPool)?.pool;
        Ok((pool.id(), pool.index_of(member).ok_or(Refused::NoMember)?))
    }

    pub(super) fn push_feed(
        &mut self,
        (pool, member): (&str, &str),
        metric: &str,
        value: f64,
        now: Instant,
    ) -> Result<(), Refused> {
        let place = self.find(pool, member)?;
        let settings = self.plan.pool(pool).ok_or(Refused::NoPool)?;
        let takes = |feed: &&Arc<Feed>| &*feed.name == metric && feed.url.is_none();
        let feed = settings.feeds.iter().find(takes).ok_or(Refused::NoFeed)?;
        if !value.is_finite() {
            return Err(Refused::BadNumber);
        }
        let feed = Arc::clone(feed);
        self.feeding.observe(&self.plan, place, &feed, value, now);
        Ok(())
    }

    pub(super) fn push_outcomes(
        &mut self,
        (pool, member): (&str, &str),
        (successes, failures): (f64, f64),
        at: Moment,
    ) -> Result<(), Refused> {
        let place = self.find(pool, member)?;
        if !(successes.is_finite() && failures.is_finite() && successes >= 0.0 && failures >= 0.0) {
            return Err(Refused::BadNumber);
        }
        self.feeding.learn(&self.plan, place, (successes, failures), at.now);
        if failures < FAILURES_MIN || failures <= successes {
            return Ok(());
        }
        let keys: Vec<_> =
            self.plan.watched(place.0, place.1).into_iter().flat_map(|watched| watched.keys().cloned()).collect();
        for key in keys {
            // Others may be wrong about a member: they make the checks look closer, and never take it out.
            if self.watch.suspect(&key, at.now).is_some() {
                info!("{pool}/{member}: SUSPECT, since clients report {failures} failures of {}", successes + failures);
                if let Some(seen) = self.seen.get_mut(&key) {
                    seen.since = at.wall;
                }
                self.is_board_old = true;
            }
        }
        Ok(())
    }

    pub(super) fn push_result(
        &mut self,
        (pool, member): (&str, &str),
        check: Option<&str>,
        is_good: bool,
        at: Moment,
    ) -> Result<(), Refused> {
        let place = self.find(pool, member)?;
        let watched = self.plan.watched(place.0, place.1).ok_or(Refused::NoMember)?;
        let takes = |one: &crate::steer::health::Check| {
            matches!(one.probe, Probe::Push { .. }) && check.is_none_or(|name| name == &*one.name)
        };
        let keys: Vec<_> =
            watched.checks.iter().filter(|(check, _)| takes(check)).flat_map(|(_, keys)| keys.clone()).collect();
        if keys.is_empty() {
            return Err(Refused::NoCheck);
        }
        let why = if is_good { "pushed: up" } else { "pushed: down" }.to_owned();
        let finding = if is_good { Finding::Good(why) } else { Finding::Bad(why) };
        for key in keys {
            self.handle_finding(&key, &finding, std::time::Duration::ZERO, at);
        }
        Ok(())
    }

    pub(super) fn confirm_return(&mut self, glob: &str) -> Result<usize, Refused> {
        let places: Vec<_> = self.matching(glob).map(|(pool, index, _)| (pool.id(), index)).collect();
        if places.is_empty() {
            return Err(Refused::NoMember);
        }
        for (pool, index) in &places {
            let keys: Vec<_> =
                self.plan.watched(*pool, *index).into_iter().flat_map(|watched| watched.keys().cloned()).collect();
            for key in &keys {
                self.watch.confirm_return(key);
            }
        }
        info!("the return of {glob} is confirmed: {} members", places.len());
        self.note_decision();
        Ok(places.len())
    }
}
