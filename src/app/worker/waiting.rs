//! The clients that wait for upstreams, and what each of them is told in the end.
//!
//! A question that has to be resolved needs a place. When all are taken the rules of [`crate::base::slots`] say whose
//! it gets, or that it gets none; nobody is left without a word: whose question is refused or given up gets a stale
//! answer where there is one, otherwise SERVFAIL with an EDE that says why.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::crowd::Client;
use super::guarding::Standing;
use super::searching::Search;
use super::{Late, Next, Source, Worker};
use crate::app::house::House;
use crate::base::tally::{Event, Tally, Timing};
use crate::base::{Dice, Instant, Room, bounds};
use crate::chain::{Aged, Answer, Goal, Query};
use crate::dns::{Ede, EdeCode, Rcode};
use crate::handlers::resolve::ledger::Ledger;
use crate::handlers::resolve::{GoalId, Resolver, Surroundings};

/// A client that waits.
pub(super) struct Waiter<R> {
    pub(super) query: Query,
    pub(super) standing: Standing,
    reply: R,
    arrived: Instant,
    /// Aliases that lead to the goal.
    pub(super) prefix: Vec<Aged>,
    /// AA: the first of them is ours (RFC 1035 §4.1.1).
    pub(super) is_ours: bool,
    pub(super) scope: Option<u8>,
    pub(super) stale: Option<Answer>,
    /// The names that may answer, where the goal is one of several.
    pub(super) search: Option<Box<Search>>,
}

/// What has to be found out for a client.
pub(super) struct Wanted {
    pub(super) goal: Goal,
    /// The names that may answer, where the goal is one of several.
    pub(super) search: Option<Box<Search>>,
}

impl<R> Waiter<R> {
    pub(super) fn client(&self) -> Client {
        self.standing.client(&self.query.asker)
    }
}

/// The clients of one goal; kept until the goal ends, even when all of them have been answered.
pub(super) struct Waiting<R> {
    /// When the goal was begun.
    since: Instant,
    /// In the order of their arrival.
    clients: VecDeque<Waiter<R>>,
    /// Whether a stale answer is at hand for one of them.
    has_stale: bool,
    alarm: Option<Instant>,
}

impl<R> Waiting<R> {
    const fn since(now: Instant) -> Self {
        Self { since: now, clients: VecDeque::new(), has_stale: false, alarm: None }
    }

    /// When one of them will have waited long enough.
    fn due(&self, stale_wait: Option<Duration>) -> Option<Instant> {
        let deadline = self.clients.front().map(|first| first.arrived + bounds::CLIENT_DEADLINE)?;
        let stale = stale_wait.filter(|_| self.has_stale).map(|wait| self.since + wait);
        Some(stale.map_or(deadline, |stale| stale.min(deadline)))
    }
}

/// A response that may not leave yet.
pub(super) struct Held<R> {
    late: Late<R>,
    client: Client,
}

impl<R> Worker<R> {
    pub(super) fn resolve(
        &mut self,
        query: Query,
        standing: Standing,
        wanted: Wanted,
        reply: &mut Option<R>,
        now: Instant,
        out: &mut Vec<u8>,
    ) -> Next {
        let Wanted { goal, search } = wanted;
        let (own, all) = self.place;
        let home = self.house.home_of(&goal.question, all);
        if home != own {
            return Next::HandOver(home);
        }
        self.tally.count(Event::CacheMisses);
        let client = standing.client(&query.asker);
        let begun = if self.crowd.has_room(client) {
            self.begin(&goal, None, client, now)
        } else {
            self.tally.count(Event::ClientCrowded);
            Err("too many of your queries wait")
        };
        let id = match begun {
            Ok(id) => id,
            Err(why) => {
                // Something stale on the way along a path is no answer yet.
                let answer = goal.stale.filter(|_| search.is_none()).unwrap_or_else(|| refusal(why));
                return self.respond(&query, &standing, &answer, now, out);
            }
        };
        let waiting = self.waiting.entry(id).or_insert_with(|| Waiting::since(now));
        if let (Some(stale), Some(wait)) = (&goal.stale, self.house.stale_wait)
            && search.is_none()
            && now.since(waiting.since) >= wait
        {
            // Others have waited for this long enough already.
            let stale = stale.clone();
            self.tally.count(Event::StaleAnswers);
            self.collect(now);
            return self.respond(&query, &standing, &stale, now, out);
        }
        let Some(reply) = reply.take() else { return Next::Silence };
        let is_crowded = waiting.clients.len() >= bounds::WAITERS_PER_FETCH || self.crowd.len() >= bounds::WAITERS_MAX;
        let pushed_out = if is_crowded { waiting.clients.pop_front() } else { None };
        let Goal { prefix, scope, stale, .. } = goal;
        let is_ours = !prefix.is_empty();
        let waiter = Waiter { query, standing, reply, arrived: now, prefix, is_ours, scope, stale, search };
        self.crowd.enter(client, now);
        self.wait(id, waiter, now);
        if let Some(waiter) = pushed_out {
            self.tally.count(Event::CrowdedOut);
            // Silence would only make it ask again, and leave it where it was.
            self.console(waiter, "too many clients wait for this answer", now);
        }
        self.collect(now);
        Next::Wait
    }

    /// Lets `waiter`, who is one of the crowd, wait for a goal.
    pub(super) fn wait(&mut self, goal: GoalId, waiter: Waiter<R>, now: Instant) {
        let waiting = self.waiting.entry(goal).or_insert_with(|| Waiting::since(now));
        waiting.has_stale |= waiter.stale.is_some();
        let at = waiting.clients.partition_point(|other| other.arrived <= waiter.arrived);
        waiting.clients.insert(at, waiter);
        self.set_alarm(goal);
    }

    /// Begins `goal` or joins it, if there is a place for it; if not, why. What it costs is booked in `ledger`, if it
    /// goes on from something that has cost already.
    pub(super) fn begin(
        &mut self,
        goal: &Goal,
        ledger: Option<&Arc<Ledger>>,
        client: Client,
        now: Instant,
    ) -> Result<GoalId, &'static str> {
        const NO_ROOM: &str = "too many questions are being resolved";
        let network = client.network();
        let has_place = self.resolver.find(goal).is_some_and(|under_way| self.slots.share(&under_way, &network));
        if !has_place {
            match self.slots.make_room(&network, now) {
                Room::Free => {}
                Room::Taken(loser) => self.give_up(loser, now),
                Room::Refused => {
                    self.tally.count(Event::RecursionsRefused);
                    return Err(NO_ROOM);
                }
            }
        }
        let mut around = surroundings(&self.house, now, &mut self.dice, &self.tally);
        let ledger = || ledger.map_or_else(|| Arc::new(Ledger::open(now, Some(network))), Arc::clone);
        let Ok(pursuit) = self.resolver.pursue_on(goal, ledger, &mut around) else {
            self.tally.count(Event::RecursionsRefused);
            return Err(NO_ROOM);
        };
        self.slots.hold(pursuit.id, network, now);
        Ok(pursuit.id)
    }

    /// Gives up a goal whose place another has.
    fn give_up(&mut self, goal: GoalId, now: Instant) {
        self.tally.count(Event::RecursionsStolen);
        self.resolver.abandon(goal);
        for waiter in self.forget(goal) {
            self.console(waiter, "its place was needed for another question", now);
        }
    }

    /// Pursues a goal that nobody waits for; where places are scarce, it is not pursued.
    pub(super) fn pursue_aside(&mut self, goal: &Goal, now: Instant) {
        if self.slots.len() >= self.house.capacity.recursions / 2 {
            return;
        }
        self.with_resolver(now, |resolver, around| {
            if resolver.pursue(goal, None, around).is_ok_and(|pursuit| !pursuit.joined) {
                around.tally.count(Event::Prefetches);
            }
        });
    }

    pub(super) fn with_resolver(&mut self, now: Instant, act: impl FnOnce(&mut Resolver, &mut Surroundings<'_>)) {
        let mut around = surroundings(&self.house, now, &mut self.dice, &self.tally);
        act(&mut self.resolver, &mut around);
        self.collect(now);
    }

    /// Answers the clients whose goals have ended.
    fn collect(&mut self, now: Instant) {
        while let Some((goal, resolution)) = self.resolver.poll_resolution() {
            self.slots.free(&goal);
            for waiter in self.forget(goal) {
                self.resume(waiter, &resolution, now);
            }
        }
    }

    /// The clients of a goal that has ended.
    fn forget(&mut self, goal: GoalId) -> VecDeque<Waiter<R>> {
        let Some(mut waiting) = self.waiting.remove(&goal) else { return VecDeque::new() };
        self.alarms.set(goal, &mut waiting.alarm, None);
        waiting.clients
    }

    /// Does what is due by `now` for those who wait.
    pub(super) fn ring(&mut self, now: Instant) {
        while let Some((_, goal)) = self.alarms.take_due(now) {
            self.ring_for(goal, now);
        }
        while self.held.first_key_value().is_some_and(|((leaves, _), _)| *leaves <= now) {
            if let Some((_, held)) = self.held.pop_first() {
                self.crowd.leave(held.client);
                self.late.push_back(held.late);
            }
        }
    }

    /// Somebody may have waited long enough for `goal`.
    fn ring_for(&mut self, goal: GoalId, now: Instant) {
        let Some(waiting) = self.waiting.get_mut(&goal) else { return };
        waiting.alarm = None;
        let is_stale_due = self.house.stale_wait.is_some_and(|wait| now.since(waiting.since) >= wait);
        let mut due = Vec::new();
        for waiter in std::mem::take(&mut waiting.clients) {
            let is_due =
                now.since(waiter.arrived) >= bounds::CLIENT_DEADLINE || (is_stale_due && waiter.stale.is_some());
            if is_due { due.push(waiter) } else { waiting.clients.push_back(waiter) }
        }
        waiting.has_stale &= !is_stale_due;
        self.set_alarm(goal);
        for mut waiter in due {
            let answer = if let Some(stale) = waiter.stale.take() {
                self.tally.count(Event::StaleAnswers);
                stale
            } else {
                Answer::refusal(Rcode::SERVFAIL, Ede::new(EdeCode::NoReachableAuthority, "no answer in time"))
            };
            self.conclude(waiter, answer, None, now);
        }
    }

    fn set_alarm(&mut self, goal: GoalId) {
        let Some(waiting) = self.waiting.get_mut(&goal) else { return };
        let due = waiting.due(self.house.stale_wait);
        self.alarms.set(goal, &mut waiting.alarm, due);
    }

    /// Answers a client whose answer is not waited for any more.
    pub(super) fn console(&mut self, mut waiter: Waiter<R>, why: &'static str, now: Instant) {
        // Something stale on the way along a path is no answer yet.
        let stale = waiter.stale.take().filter(|_| waiter.search.is_none());
        let answer = stale.unwrap_or_else(|| refusal(why));
        self.respond_late(waiter, &answer, now);
    }

    pub(super) fn respond_late(&mut self, waiter: Waiter<R>, answer: &Answer, now: Instant) {
        let client = waiter.client();
        let leaves = self.crowd.departure(client, waiter.arrived, now);
        let is_held = leaves > now;
        if is_held && self.held.len() >= bounds::RESPONSES_HELD {
            self.tally.count(Event::SilencePaced);
            return self.crowd.leave(client);
        }
        let mut bytes = Vec::with_capacity(512);
        if self.respond(&waiter.query, &waiter.standing, answer, now, &mut bytes) != Next::Respond {
            return self.crowd.leave(client);
        }
        self.tally.time(Timing::Resolved, leaves.max(now).since(waiter.arrived), 1);
        let Waiter { query, reply, arrived, .. } = waiter;
        let late = Late { reply, bytes, asker: query.asker, arrived, source: Source::of_late(answer) };
        if is_held {
            self.tally.count(Event::ResponsesPaced);
            self.holdings += 1;
            self.held.insert((leaves, self.holdings), Held { late, client });
        } else {
            self.crowd.leave(client);
            self.late.push_back(late);
        }
    }
}

fn surroundings<'s>(house: &'s House, now: Instant, dice: &'s mut Dice, tally: &'s Tally) -> Surroundings<'s> {
    Surroundings { memory: &*house.memory, now, dice, tally, wall: house.resolution.wall(now) }
}

fn refusal(why: &'static str) -> Answer {
    Answer::refusal(Rcode::SERVFAIL, Ede::new(EdeCode::Other, why))
}
