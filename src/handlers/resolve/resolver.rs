//! All resolutions under way in one worker, and the verbs that move them.
//!
//! Call order: [`Resolver::pursue`] begins a goal; after it, after every [`Resolver::handle_response`],
//! [`Resolver::handle_fault`] and [`Resolver::handle_timeout`], collect all of
//! [`Resolver::poll_transmit`], [`Resolver::poll_forward`], [`Resolver::poll_release`] and
//! [`Resolver::poll_resolution`]; then sleep until [`Resolver::poll_timeout`].

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use slab::Slab;
use smallvec::SmallVec;

use super::ask::{self, Ask, Bench, Outcome, Trouble};
use super::checking::Known;
use super::learning::learn;
use super::ledger::Ledger;
use super::minimise::Shown;
use super::resolution::Resolution;
use super::scoreboard::Scoreboard;
use super::trace::Trace;
use super::walk::{Asking, Stage, Walk};
use super::{ExchangeId, ForwardRequest, Settings, Surroundings, Transmit};
use crate::base::collections::{Map, keyed};
use crate::base::tally::Event;
use crate::base::{Alarms, Dice, Instant, Network, Slots, bounds};
use crate::chain::{Goal, Purpose};
use crate::dns::{Name, Question, RecordType};

/// A goal under way; never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct GoalId {
    pub(super) serial: u64,
    /// Where its walk is, which another may be later.
    pub(super) at: u32,
}

/// What [`Resolver::pursue`] made of a goal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pursuit {
    /// What the resolution will come under.
    pub id: GoalId,
    /// Whether the same question was under way already.
    pub joined: bool,
}

/// Every place for resolutions is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Crowded;

pub(super) struct Shared {
    pub(super) ask: Ask,
    pub(super) waiters: SmallVec<[u32; 2]>,
    alarm: Option<Instant>,
}

/// A question handed to a forwarder.
pub(super) struct Forwarded {
    pub(super) walk: u32,
    pub(super) alarm: Option<Instant>,
}

/// All resolutions of one worker.
pub struct Resolver {
    pub(super) settings: Arc<Settings>,
    pub(super) scoreboard: Scoreboard,
    pub(super) walks: Slab<Walk>,
    pub(super) asks: Slab<Shared>,
    pub(super) goals: Map<(Name, RecordType, bool), u32>,
    pub(super) asked: Map<(Name, Name, RecordType), u32>,
    pub(super) forwarded: Map<ExchangeId, Forwarded>,
    /// The asks of each zone, in whose name they are under way.
    pub(super) crowds: Map<Name, Slots<Option<Network>, u32>>,
    pub(super) alarms: Alarms<Due>,
    pub(super) moving: VecDeque<u32>,
    pub(super) outbox: VecDeque<Transmit>,
    pub(super) forwards: VecDeque<ForwardRequest>,
    pub(super) released: VecDeque<ExchangeId>,
    pub(super) resolved: VecDeque<(GoalId, Resolution)>,
    pub(super) serial: u64,
    pub(super) next_exchange: u32,
    pub(super) trace: Trace,
    /// What has been proved of zones.
    pub(super) known: Known,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Due {
    Ask(u32),
    Forward(ExchangeId),
}

/// Marks the exchanges with forwarders; the key of an ask never reaches so high.
pub(super) const FORWARDED: u64 = 1 << 63;

impl Resolver {
    /// A resolver at rest.
    #[must_use]
    pub fn new(settings: Arc<Settings>, dice: &mut Dice) -> Self {
        let scoreboard = Scoreboard::new(dice);
        let names = keyed(dice);
        Self {
            settings,
            scoreboard,
            walks: Slab::new(),
            asks: Slab::new(),
            goals: Map::with_hasher(names.clone()),
            asked: Map::with_hasher(keyed(dice)),
            forwarded: Map::with_hasher(keyed(dice)),
            crowds: Map::with_hasher(keyed(dice)),
            alarms: Alarms::new(),
            moving: VecDeque::new(),
            outbox: VecDeque::new(),
            forwards: VecDeque::new(),
            released: VecDeque::new(),
            resolved: VecDeque::new(),
            // What a worker that panicked had under way may still be answered; no exchange of this one is taken for it.
            serial: dice.bits() >> 2,
            next_exchange: dice.bits() as u32,
            trace: Trace::default(),
            known: Known::new(&names),
        }
    }

    /// A resolver that notes its steps for `explain`.
    #[must_use]
    pub fn explaining(settings: Arc<Settings>, dice: &mut Dice) -> Self {
        Self { trace: Trace::collecting(), ..Self::new(settings, dice) }
    }

    /// The steps noted so far.
    #[must_use]
    pub const fn trace(&self) -> &Trace {
        &self.trace
    }

    /// What is known of servers.
    #[must_use]
    pub const fn scoreboard(&self) -> &Scoreboard {
        &self.scoreboard
    }

    /// Resolutions under way, sub-queries included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.walks.len()
    }

    /// Whether nothing is under way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.walks.is_empty()
    }

    /// Alarms set, and the exchanges and asks that may have one each.
    #[must_use]
    pub fn alarms(&self) -> (usize, usize) {
        (self.alarms.len(), self.asks.len() + self.forwarded.len())
    }

    /// The most questions under way about one zone.
    #[must_use]
    pub fn most_crowded(&self) -> usize {
        self.crowds.values().map(Slots::len).max().unwrap_or(0)
    }

    /// Takes new settings; what is under way goes on.
    pub fn change_settings(&mut self, settings: Arc<Settings>) {
        self.settings = settings;
    }

    /// The goal under way with the same question.
    #[must_use]
    pub fn find(&self, goal: &Goal) -> Option<GoalId> {
        let key = (goal.question.name.lowered(), goal.question.rtype, goal.checking_disabled);
        let at = self.goals.get(&key).copied()?;
        self.walks.get(at as usize).map(|walk| GoalId { serial: walk.serial, at })
    }

    /// Begins `goal` on behalf of the client network `owner`, or of nobody; joins it where the same question is under
    /// way.
    ///
    /// # Errors
    /// [`Crowded`] at [`bounds::RESOLUTIONS_MAX`].
    pub fn pursue(
        &mut self,
        goal: &Goal,
        owner: Option<Network>,
        around: &mut Surroundings<'_>,
    ) -> Result<Pursuit, Crowded> {
        let now = around.now;
        self.pursue_on(goal, || Arc::new(Ledger::open(now, owner)), around)
    }

    /// The same for a question that has cost something already, by its `ledger`.
    ///
    /// # Errors
    /// As [`Resolver::pursue`].
    pub fn pursue_on(
        &mut self,
        goal: &Goal,
        ledger: impl FnOnce() -> Arc<Ledger>,
        around: &mut Surroundings<'_>,
    ) -> Result<Pursuit, Crowded> {
        if let Some(id) = self.find(goal)
            && let Some(walk) = self.walks.get_mut(id.at as usize)
        {
            walk.is_goal = true;
            walk.has_reserve |= goal.stale.is_some();
            walk.joined = Some(around.now);
            around.tally.count(Event::Coalesced);
            return Ok(Pursuit { id, joined: true });
        }
        if self.walks.len() >= bounds::RESOLUTIONS_MAX {
            return Err(Crowded);
        }
        around.tally.count(Event::Resolutions);
        let question = Question::new(goal.question.name.lowered(), goal.question.rtype);
        let at = self.begin(question, goal.checking_disabled, ledger(), 0);
        let serial = self.walks.get_mut(at as usize).map_or(0, |walk| {
            walk.is_goal = true;
            walk.has_reserve = goal.stale.is_some();
            walk.trusts_memory = goal.purpose == Purpose::Client;
            walk.serial
        });
        self.run(around);
        Ok(Pursuit { id: GoalId { serial, at }, joined: false })
    }

    /// Takes the response of a forwarder, and whose it is.
    pub fn handle_forwarded(
        &mut self,
        exchange: ExchangeId,
        by: Option<SocketAddr>,
        bytes: &[u8],
        around: &mut Surroundings<'_>,
    ) {
        if let Some(at) = self.close_forwarded(exchange) {
            self.judge_forwarded(at, Some((by, bytes)), around);
        }
        self.run(around);
    }

    /// Takes a response of an upstream.
    pub fn handle_response(&mut self, exchange: ExchangeId, bytes: &[u8], around: &mut Surroundings<'_>) {
        if exchange.0 & FORWARDED == 0 {
            self.with_ask(ask::key(exchange), around, |ask, bench| ask.handle_response(exchange, bytes, bench));
        }
        self.run(around);
    }

    /// Takes the news that an upstream cannot be reached, or that none of a forward zone answered.
    pub fn handle_fault(&mut self, exchange: ExchangeId, around: &mut Surroundings<'_>) {
        if let Some(at) = self.close_forwarded(exchange) {
            self.judge_forwarded(at, None, around);
        } else if exchange.0 & FORWARDED == 0 {
            self.with_ask(ask::key(exchange), around, |ask, bench| ask.handle_fault(exchange, bench));
        }
        self.run(around);
    }

    /// Does what is due by `around.now`.
    pub fn handle_timeout(&mut self, around: &mut Surroundings<'_>) {
        while let Some((_, what)) = self.alarms.take_due(around.now) {
            match what {
                Due::Ask(key) => {
                    if let Some(shared) = self.asks.get_mut(key as usize) {
                        shared.alarm = None;
                        self.with_ask(key, around, Ask::handle_timeout);
                    }
                }
                Due::Forward(exchange) => {
                    if let Some(at) = self.close_forwarded(exchange) {
                        self.judge_forwarded(at, None, around);
                    }
                }
            }
            self.run(around);
        }
    }

    /// When [`Resolver::handle_timeout`] wants to be called next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.alarms.next()
    }

    /// The next query to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.outbox.pop_front()
    }

    /// The next question for a forwarder.
    pub fn poll_forward(&mut self) -> Option<ForwardRequest> {
        self.forwards.pop_front()
    }

    /// The next exchange for which no response is wanted any more.
    pub fn poll_release(&mut self) -> Option<ExchangeId> {
        self.released.pop_front()
    }

    /// The next goal that has ended.
    pub fn poll_resolution(&mut self) -> Option<(GoalId, Resolution)> {
        self.resolved.pop_front()
    }

    // ---- asks -----------------------------------------------------------------------------

    fn with_ask(
        &mut self,
        key: u32,
        around: &mut Surroundings<'_>,
        act: impl FnOnce(&mut Ask, &mut Bench<'_, '_>) -> Option<Outcome>,
    ) {
        let Some(shared) = self.asks.get_mut(key as usize) else { return };
        let mut bench = Bench {
            settings: &self.settings,
            scoreboard: &mut self.scoreboard,
            outbox: &mut self.outbox,
            trace: &mut self.trace,
            around,
        };
        let outcome = act(&mut shared.ask, &mut bench);
        match outcome {
            Some(outcome) => self.end_ask(key, &outcome, around),
            None => self.schedule(key),
        }
    }

    fn schedule(&mut self, key: u32) {
        let Some(shared) = self.asks.get_mut(key as usize) else { return };
        let due = shared.ask.poll_timeout();
        self.alarms.set(Due::Ask(key), &mut shared.alarm, due);
    }

    /// Ends an ask without a word to those who wait for it.
    pub(super) fn close_ask(&mut self, key: u32) -> Option<Shared> {
        let mut shared = self.asks.try_remove(key as usize)?;
        self.alarms.set(Due::Ask(key), &mut shared.alarm, None);
        self.released.extend(shared.ask.exchanges());
        let question = shared.ask.question();
        self.asked.remove(&(shared.ask.zone().clone(), question.name.clone(), question.rtype));
        self.leave_crowd(shared.ask.zone(), key);
        Some(shared)
    }

    pub(super) fn end_ask(&mut self, key: u32, outcome: &Outcome, around: &mut Surroundings<'_>) {
        let Some(shared) = self.close_ask(key) else { return };
        if let Ok(found) = outcome {
            learn(&found.finding, shared.ask.question(), around);
        }
        for at in shared.waiters {
            self.end_asking(at, (key, shared.ask.ledger()), outcome, around);
        }
    }

    /// The walk that waits for an exchange with a forwarder, which is over.
    pub(super) fn close_forwarded(&mut self, exchange: ExchangeId) -> Option<u32> {
        let mut forwarded = self.forwarded.remove(&exchange)?;
        self.alarms.set(Due::Forward(exchange), &mut forwarded.alarm, None);
        Some(forwarded.walk)
    }

    /// Puts `name` and `rtype` to `servers` of the walk's zone, or joins those who already do.
    pub(super) fn ask(
        &mut self,
        at: u32,
        name: Name,
        rtype: RecordType,
        servers: &[SocketAddr],
        around: &mut Surroundings<'_>,
    ) {
        let Some(walk) = self.walks.get_mut(at as usize) else { return };
        let Some(stand) = &mut walk.stand else { return };
        stand.tried.extend(servers.iter().copied());
        let zone = stand.cut.zone().clone();
        let asked = (zone.clone(), name.clone(), rtype);
        if let Some(&key) = self.asked.get(&asked)
            && let Some(shared) = self.asks.get_mut(key as usize)
        {
            shared.waiters.push(at);
            walk.stage = Stage::Asking(Asking { ask: key, name });
            return;
        }
        if !self.make_room(&asked.0, at, around) {
            return;
        }
        let Some(walk) = self.walks.get_mut(at as usize) else { return };
        let entry = self.asks.vacant_entry();
        let key = entry.key() as u32;
        let question = Question::new(name.clone(), rtype);
        // The key will be used again, an exchange's number not: a late response must not meet a stranger.
        let numbers = (key, self.next_exchange);
        self.next_exchange = self.next_exchange.wrapping_add(ask::EXCHANGES_MAX);
        let ask = Ask::new(zone, question, servers, Arc::clone(&walk.ledger), numbers);
        entry.insert(Shared { ask, waiters: SmallVec::from_slice(&[at]), alarm: None });
        walk.stage = Stage::Asking(Asking { ask: key, name });
        let owner = walk.ledger.owner();
        self.join_crowd(&asked.0, key, owner, around.now);
        self.asked.insert(asked, key);
        self.with_ask(key, around, Ask::begin);
    }

    // ---- walks ----------------------------------------------------------------------------

    pub(super) fn begin(&mut self, question: Question, checking_disabled: bool, ledger: Arc<Ledger>, depth: u8) -> u32 {
        self.serial += 1;
        let key = (question.name.clone(), question.rtype, checking_disabled);
        let walk = Walk {
            serial: self.serial,
            name: question.name.clone(),
            question,
            checking_disabled,
            trusts_memory: true,
            has_reserve: false,
            joined: None,
            is_goal: false,
            chain: Vec::new(),
            ledger,
            depth,
            referrals: 0,
            self_referrals: 0,
            has_gone_up: false,
            shown: if depth == 0 { Shown::default() } else { Shown::of_server() },
            stand: None,
            stage: Stage::Moving,
            parents: SmallVec::new(),
            trouble: Trouble::NoServers,
            heard: SmallVec::new(),
            avoided: SmallVec::new(),
            retries: 0,
            check_steps: 0,
            bogus_until: None,
            doubt: None,
            remark: None,
        };
        let at = self.walks.insert(walk) as u32;
        self.goals.insert(key, at);
        self.moving.push_back(at);
        at
    }

    fn run(&mut self, around: &mut Surroundings<'_>) {
        while let Some(at) = self.moving.pop_front() {
            match self.walks.get(at as usize).map(|walk| &walk.stage) {
                Some(Stage::Moving) => self.advance(at, around),
                Some(Stage::Checking(_)) => self.check(at, around),
                _ => {}
            }
        }
    }
}
