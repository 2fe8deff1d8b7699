//! What the lookout knows, as the admin address tells it.

use super::plan::Watched;
use super::tower::{Mark, Tower};
use crate::base::Instant;
use crate::edge::admin::pools::{CheckView, FeedView, MemberView, OverrideView, PoolView, ResultView};
use crate::steer::health::{Action, Override};
use crate::steer::place::Place;
use crate::steer::{Member, Pool};

impl Tower {
    /// All pools.
    #[must_use]
    pub fn view(&self, now: Instant, wall: u64) -> Vec<PoolView> {
        let rows = self.plan.rows().zip(&self.marks);
        let pools = rows.map(|((settings, watched), marks)| {
            let pool = &settings.pool;
            let members = pool.members().iter().zip(watched).zip(marks).enumerate();
            let members = members.map(|(index, ((member, watched), mark))| {
                let mut view = self.view_member(pool, member, (watched, mark), wall);
                view.feeds = settings.feeds.iter().map(|feed| self.view_feed(pool, index, &feed.name, now)).collect();
                view
            });
            PoolView { pool: pool.name().to_owned(), members: members.collect() }
        });
        pools.collect()
    }

    fn view_member(&self, pool: &Pool, member: &Member, (watched, mark): (&Watched, &Mark), wall: u64) -> MemberView {
        let decided = self.overrides.verdict(pool.name(), &member.name, wall);
        let real_state = self.real_state(member, watched);
        let is_usable = decided.map_or(real_state.is_usable(), |known| known.action == Action::Up);
        MemberView {
            member: member.name.to_string(),
            addresses: member.addresses(),
            cname: member.cname.as_ref().map(ToString::to_string),
            weight: member.weight.value(),
            tier: member.tier,
            at: member.place.latitude.zip(member.place.longitude).map(|(north, east)| [north, east]),
            place: codes(&member.place),
            state: if mark.word.is_empty() { real_state.word() } else { mark.word },
            real_state: real_state.word(),
            is_usable,
            since: mark.since,
            checks: self.view_checks(watched),
            eta: decided.filter(|known| known.action == Action::Drain).map(|known| known.empty_at),
            overridden: decided.map(view_override),
            feeds: Vec::new(),
        }
    }

    fn view_checks(&self, watched: &Watched) -> Vec<CheckView> {
        let rows = watched.checks.iter().flat_map(|(check, keys)| keys.iter().map(move |key| (check, key)));
        let views = rows.filter_map(|(check, key)| {
            let (tracker, task, seen) = (self.watch.tracker(key)?, self.plan.tasks.get(key)?, self.seen.get(key));
            let last = seen.and_then(|seen| seen.last.as_ref()).map(|(at, took, finding)| ResultView {
                is_good: finding.is_good(),
                at: *at,
                took_ms: took.as_secs_f64() * 1_000.0,
                why: finding.why().to_owned(),
            });
            Some(CheckView {
                check: check.name.to_string(),
                target: task.subject.target.to_string(),
                state: tracker.state().word(),
                since: seen.map_or(0, |seen| seen.since),
                failures: tracker.failures(),
                last,
            })
        });
        views.collect()
    }

    fn view_feed(&self, pool: &Pool, member: usize, metric: &str, now: Instant) -> FeedView {
        let numbers = self.feeding.feeds().pool(pool.id());
        let member = member as u16;
        FeedView {
            metric: metric.to_owned(),
            value: numbers.and_then(|numbers| numbers.last(metric, member, now)),
            age: numbers.and_then(|numbers| numbers.age(metric, member, now)).map(|age| age.as_secs_f64()),
        }
    }
}

fn codes(place: &Place) -> Option<String> {
    let codes = [place.continent, place.country, place.subdivision];
    let codes: Vec<String> = codes.into_iter().flatten().map(|code| code.to_string()).collect();
    (!codes.is_empty()).then(|| codes.join("-"))
}

fn view_override(known: &Override) -> OverrideView {
    OverrideView {
        action: known.action.word(),
        glob: known.glob.clone(),
        actor: known.actor.clone(),
        reason: known.reason.clone(),
        since: known.since,
        until: known.until,
    }
}
