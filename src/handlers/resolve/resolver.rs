//! All resolutions under way in one worker, and the verbs that move them.
//!
//! Call order: [`Resolver::pursue`] begins a goal; after it, after every [`Resolver::handle_response`],
//! [`Resolver::handle_fault`], [`Resolver::handle_forwarded`] and [`Resolver::handle_timeout`], collect all of
//! [`Resolver::poll_transmit`], [`Resolver::poll_forward`], [`Resolver::poll_release`] and
//! [`Resolver::poll_resolution`]; then sleep until [`Resolver::poll_timeout`].

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use slab::Slab;
use smallvec::SmallVec;

use super::ask::{self, Ask, Bench, Outcome, Trouble};
use super::classify::{Alias, End, Finding, FoundChain, address_of, classify, rename};
use super::ledger::{Exhausted, Ledger};
use super::scoreboard::Scoreboard;
use super::settings::{Families, Minimisation, Route};
use super::trace::{Trace, What};
use super::walk::{Asking, Cut, Ended, Fetching, Forwarding, Stage, Stand, Walk};
use super::{ExchangeId, ForwardRequest, Settings, Surroundings, Transmit};
use crate::base::collections::{Map, keyed};
use crate::base::tally::Event;
use crate::base::{Dice, Instant, bounds};
use crate::chain::{Aged, Answer, Denial, Goal, Learned, Purpose, Rank};
use crate::dns::{Ede, EdeCode, Message, Name, Question, Rcode, RecordType, RrSet};

/// A goal under way; never used again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct GoalId(pub u64);

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

/// The end of a goal.
#[derive(Clone, Debug)]
pub struct Resolution {
    /// The aliases' RRsets in order.
    pub chain: Vec<Aged>,
    /// What stands at their end.
    pub ended: Ended,
}

impl Resolution {
    /// Whether upstreams gave no usable answer.
    #[must_use]
    pub const fn is_failure(&self) -> bool {
        matches!(self.ended, Ended::Failed(_))
    }

    /// The answer for a client; denial proofs only where it `wants_dnssec`.
    #[must_use]
    pub fn to_answer(&self, wants_dnssec: bool) -> Answer {
        let mut answer = Answer { answer: self.chain.clone(), ..Answer::default() };
        match &self.ended {
            Ended::Answer(aged) => answer.answer.push(aged.clone()),
            Ended::Denied(denial) => {
                answer.rcode = if denial.is_nxdomain { Rcode::NXDOMAIN } else { Rcode::NOERROR };
                let aged = |set: &Arc<RrSet>| Aged { set: Arc::clone(set), ttl: denial.ttl };
                answer.authority.extend(denial.soa.iter().map(aged));
                if wants_dnssec {
                    answer.authority.extend(denial.proofs.iter().map(aged));
                }
            }
            Ended::TooLong => answer.rcode = Rcode::YXDOMAIN,
            Ended::Failed(trouble) => {
                answer = Answer::refusal(Rcode::SERVFAIL, explanation(*trouble));
            }
        }
        answer
    }
}

/// What a failure is called in an Extended DNS Error.
#[must_use]
pub fn explanation(trouble: Trouble) -> Ede {
    match trouble {
        Trouble::Silence => Ede::new(EdeCode::NoReachableAuthority, "no server answered"),
        Trouble::Unreachable => Ede::new(EdeCode::NetworkError, "no server could be reached"),
        Trouble::NoServers => Ede::new(EdeCode::NoReachableAuthority, "no server has an address"),
        Trouble::Lame => Ede::new(EdeCode::NoReachableAuthority, "the servers do not serve the zone"),
        Trouble::Rcode(rcode) => Ede::new(EdeCode::NoReachableAuthority, format!("servers answered {rcode}")),
        Trouble::Oversized => Ede::new(EdeCode::InvalidData, "an RRset has too many records"),
        Trouble::Exhausted(exhausted) => Ede::new(EdeCode::Other, exhausted.text()),
    }
}

struct Shared {
    ask: Ask,
    waiters: SmallVec<[u32; 2]>,
    scheduled: Option<Instant>,
}

/// All resolutions of one worker.
pub struct Resolver {
    settings: Arc<Settings>,
    scoreboard: Scoreboard,
    walks: Slab<Walk>,
    asks: Slab<Shared>,
    goals: Map<(Name, RecordType, bool), u32>,
    asked: Map<(Name, Name, RecordType), u32>,
    forwarded: Map<u64, u32>,
    timers: BinaryHeap<Reverse<(Instant, Due)>>,
    moving: VecDeque<u32>,
    outbox: VecDeque<Transmit>,
    forwards: VecDeque<ForwardRequest>,
    released: VecDeque<ExchangeId>,
    resolved: VecDeque<(GoalId, Resolution)>,
    serial: u64,
    next_exchange: u32,
    trace: Trace,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Due {
    Ask(u32),
    Forward(u64),
}

/// A forwarder is given up after this time.
const FORWARD_DEADLINE: std::time::Duration = std::time::Duration::from_millis(4_300);

impl Resolver {
    /// A resolver at rest.
    #[must_use]
    pub fn new(settings: Arc<Settings>, dice: &mut Dice) -> Self {
        Self {
            settings,
            scoreboard: Scoreboard::new(dice),
            walks: Slab::new(),
            asks: Slab::new(),
            goals: Map::with_hasher(keyed(dice)),
            asked: Map::with_hasher(keyed(dice)),
            forwarded: Map::with_hasher(keyed(dice)),
            timers: BinaryHeap::new(),
            moving: VecDeque::new(),
            outbox: VecDeque::new(),
            forwards: VecDeque::new(),
            released: VecDeque::new(),
            resolved: VecDeque::new(),
            serial: 0,
            next_exchange: 0,
            trace: Trace::default(),
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

    /// Takes new settings; what is under way goes on.
    pub fn change_settings(&mut self, settings: Arc<Settings>) {
        self.settings = settings;
    }

    /// Begins `goal`, or joins it where the same question is under way.
    ///
    /// # Errors
    /// [`Crowded`] at [`bounds::RESOLUTIONS_MAX`].
    pub fn pursue(&mut self, goal: &Goal, around: &mut Surroundings<'_>) -> Result<Pursuit, Crowded> {
        let name = goal.question.name.lowered();
        let key = (name, goal.question.rtype, goal.checking_disabled);
        if let Some(walk) = self.goals.get(&key).and_then(|at| self.walks.get_mut(*at as usize)) {
            walk.is_goal = true;
            walk.has_reserve |= goal.stale.is_some();
            around.tally.count(Event::Coalesced);
            return Ok(Pursuit { id: GoalId(walk.serial), joined: true });
        }
        if self.walks.len() >= bounds::RESOLUTIONS_MAX {
            return Err(Crowded);
        }
        around.tally.count(Event::Resolutions);
        let ledger = Arc::new(Ledger::open(around.now));
        let question = Question::new(key.0, key.1);
        let at = self.begin(question, goal.checking_disabled, ledger, 0);
        let serial = self.walks.get_mut(at as usize).map_or(0, |walk| {
            walk.is_goal = true;
            walk.has_reserve = goal.stale.is_some();
            walk.trusts_memory = goal.purpose == Purpose::Client;
            walk.serial
        });
        self.run(around);
        Ok(Pursuit { id: GoalId(serial), joined: false })
    }

    /// Takes a response of an upstream.
    pub fn handle_response(&mut self, exchange: ExchangeId, bytes: &[u8], around: &mut Surroundings<'_>) {
        self.with_ask(ask::key(exchange), around, |ask, bench| ask.handle_response(exchange, bytes, bench));
        self.run(around);
    }

    /// Takes the news that an upstream cannot be reached.
    pub fn handle_fault(&mut self, exchange: ExchangeId, around: &mut Surroundings<'_>) {
        self.with_ask(ask::key(exchange), around, |ask, bench| ask.handle_fault(exchange, bench));
        self.run(around);
    }

    /// Takes a forwarder's response; none where no upstream of the zone answered.
    pub fn handle_forwarded(&mut self, exchange: ExchangeId, bytes: Option<&[u8]>, around: &mut Surroundings<'_>) {
        if let Some(at) = self.forwarded.remove(&exchange.0) {
            self.judge_forwarded(at, bytes, around);
            self.run(around);
        }
    }

    /// Does what is due by `around.now`.
    pub fn handle_timeout(&mut self, around: &mut Surroundings<'_>) {
        while let Some(Reverse((due, what))) = self.timers.peek().copied() {
            if due > around.now {
                break;
            }
            self.timers.pop();
            match what {
                Due::Ask(key) => {
                    if let Some(shared) = self.asks.get_mut(key as usize) {
                        if shared.scheduled == Some(due) {
                            shared.scheduled = None;
                        }
                        self.with_ask(key, around, Ask::handle_timeout);
                    }
                }
                Due::Forward(exchange) => {
                    if let Some(at) = self.forwarded.remove(&exchange) {
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
        self.timers.peek().map(|Reverse((due, _))| *due)
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
            Some(outcome) => self.end_ask(key, outcome, around),
            None => self.schedule(key),
        }
    }

    fn schedule(&mut self, key: u32) {
        let Some(shared) = self.asks.get_mut(key as usize) else { return };
        if let Some(due) = shared.ask.poll_timeout()
            && shared.scheduled.is_none_or(|scheduled| due < scheduled)
        {
            shared.scheduled = Some(due);
            self.timers.push(Reverse((due, Due::Ask(key))));
        }
    }

    fn end_ask(&mut self, key: u32, outcome: Outcome, around: &mut Surroundings<'_>) {
        let Some(shared) = self.asks.try_remove(key as usize) else { return };
        self.released.extend(shared.ask.exchanges());
        let question = shared.ask.question();
        self.asked.remove(&(shared.ask.zone().clone(), question.name.clone(), question.rtype));
        if let Ok(finding) = &outcome {
            learn(finding, question, around);
        }
        for at in shared.waiters {
            self.end_asking(at, key, &outcome, around);
        }
    }

    /// Puts `name` and `rtype` to `servers` of the walk's zone, or joins those who already do.
    fn ask(&mut self, at: u32, name: Name, rtype: RecordType, servers: &[SocketAddr], around: &mut Surroundings<'_>) {
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
        let entry = self.asks.vacant_entry();
        let key = entry.key() as u32;
        let question = Question::new(name.clone(), rtype);
        // The key will be used again, an exchange's number not: a late response must not meet a stranger.
        let numbers = (key, self.next_exchange);
        self.next_exchange = self.next_exchange.wrapping_add(ask::EXCHANGES_MAX);
        let ask = Ask::new(zone, question, servers, Arc::clone(&walk.ledger), numbers);
        entry.insert(Shared { ask, waiters: SmallVec::from_slice(&[at]), scheduled: None });
        self.asked.insert(asked, key);
        walk.stage = Stage::Asking(Asking { ask: key, name });
        self.with_ask(key, around, Ask::begin);
    }

    // ---- walks ----------------------------------------------------------------------------

    fn begin(&mut self, question: Question, checking_disabled: bool, ledger: Arc<Ledger>, depth: u8) -> u32 {
        self.serial += 1;
        let key = (question.name.clone(), question.rtype, checking_disabled);
        let walk = Walk {
            serial: self.serial,
            name: question.name.clone(),
            question,
            checking_disabled,
            trusts_memory: true,
            has_reserve: false,
            is_goal: false,
            chain: Vec::new(),
            ledger,
            depth,
            referrals: 0,
            has_gone_up: false,
            shown: super::minimise::Shown::default(),
            stand: None,
            stage: Stage::Moving,
            parents: SmallVec::new(),
            trouble: Trouble::NoServers,
        };
        let at = self.walks.insert(walk) as u32;
        self.goals.insert(key, at);
        self.moving.push_back(at);
        at
    }

    fn run(&mut self, around: &mut Surroundings<'_>) {
        while let Some(at) = self.moving.pop_front() {
            if self.walks.get(at as usize).is_some_and(|walk| matches!(walk.stage, Stage::Moving)) {
                self.advance(at, around);
            }
        }
    }

    /// Moves a walk on until it waits for something or ends.
    fn advance(&mut self, at: u32, around: &mut Surroundings<'_>) {
        let Some(walk) = self.walks.get_mut(at as usize) else { return };
        if walk.stand.is_none() {
            if let Some(ended) = recall(walk, around) {
                return self.end(at, ended, around);
            }
            let settings = Arc::clone(&self.settings);
            // A zone's DS records stand in its parent (RFC 4035 §3.1.4.1).
            let from = match walk.question.rtype {
                RecordType::DS => walk.name.parent().unwrap_or_else(Name::root),
                _ => walk.name.clone(),
            };
            let learned = around.memory.delegation(&from, around.now);
            let cut = match settings.route(&from) {
                Some(Route::Forward(zone, apex)) => return self.forward(at, zone, apex.clone(), around),
                Some(Route::Stub(stub)) => match learned.filter(|cut| cut.zone.is_below(&stub.zone)) {
                    Some(delegation) => Cut::Delegated(delegation),
                    None => Cut::Fixed(stub.zone.clone(), Arc::clone(&stub.servers)),
                },
                None => Cut::Delegated(learned.unwrap_or_else(|| Arc::clone(&settings.roots))),
            };
            let is_unprimed = matches!(&cut, Cut::Delegated(cut) if cut.zone.is_root() && cut.ttl == 0);
            self.trace.note(around.now, || What::Begin {
                name: walk.name.clone(),
                rtype: walk.question.rtype,
                zone: cut.zone().clone(),
            });
            walk.stand = Some(Stand::new(cut));
            if is_unprimed {
                self.prime(around.now);
            }
        }
        self.ask_next(at, around);
    }

    /// Asks the root's servers who the root's servers are (RFC 9609), beside the walk that began it.
    fn prime(&mut self, now: Instant) {
        let key = (Name::root(), RecordType::NS, false);
        if !self.goals.contains_key(&key) {
            self.begin(Question::new(key.0, key.1), false, Arc::new(Ledger::open(now)), 0);
        }
    }

    /// Asks the servers of the cut for as much of the name as they must see.
    fn ask_next(&mut self, at: u32, around: &mut Surroundings<'_>) {
        let Some(walk) = self.walks.get_mut(at as usize) else { return };
        let Some(stand) = &mut walk.stand else { return };
        let mut labels = walk.name.label_count();
        if self.settings.minimisation != Minimisation::Off {
            labels = walk.shown.next(&walk.name, stand.known_labels);
            // What memory knows of the names between need not be asked.
            while labels < walk.name.label_count() {
                let between = walk.name.suffix(labels);
                let denial = around.memory.denial(&between, RecordType::A, around.now);
                if denial.as_ref().is_some_and(|denial| denial.is_nxdomain) {
                    walk.shown.give_up(); // the answer would be the same; only the whole name can tell more
                } else if denial.is_none() && around.memory.rrset(&between, RecordType::A, around.now).is_none() {
                    break;
                }
                stand.known_labels = labels;
                labels = walk.shown.next(&walk.name, labels);
            }
        }
        let is_whole = labels >= walk.name.label_count();
        let rtype = if is_whole { walk.question.rtype } else { RecordType::A };
        let name = walk.name.suffix(labels);
        let servers = addresses(stand, &self.settings, around);
        if servers.is_empty() { self.fetch(at, around) } else { self.ask(at, name, rtype, &servers, around) }
    }

    /// Looks up addresses of name servers that have none, two at a time.
    fn fetch(&mut self, at: u32, around: &mut Surroundings<'_>) {
        let mut pending: SmallVec<[u32; 2]> = SmallVec::new();
        let mut refusal = None;
        loop {
            let Some(walk) = self.walks.get_mut(at as usize) else { return };
            if pending.len() >= walk.ledger.glueless_parallel() && !pending.is_empty() {
                break;
            }
            let (server, rtype) = match next_lookup(walk, self.settings.families) {
                Ok(Some(lookup)) => lookup,
                Ok(None) => break,
                Err(exhausted) => {
                    around.tally.count(exhausted.event());
                    refusal = Some(Trouble::Exhausted(exhausted));
                    break;
                }
            };
            if around.memory.failure(&server, rtype, around.now).is_some() {
                continue;
            }
            let (ledger, depth) = (Arc::clone(&walk.ledger), walk.depth + 1);
            let child = match self.goals.get(&(server.clone(), rtype, false)) {
                Some(&child) if self.waits_for(child, at) => {
                    around.tally.count(Event::LoopsFound);
                    continue;
                }
                Some(&child) => child,
                None if self.walks.len() >= bounds::RESOLUTIONS_MAX => break,
                None => self.begin(Question::new(server, rtype), false, ledger, depth),
            };
            if let Some(child) = self.walks.get_mut(child as usize) {
                child.parents.push(at);
            }
            pending.push(child);
        }
        let Some(walk) = self.walks.get_mut(at as usize) else { return };
        if pending.is_empty() {
            let trouble = refusal.unwrap_or(walk.trouble);
            return self.run_dry(at, trouble, around);
        }
        walk.stage = Stage::Fetching(Fetching { pending });
    }

    /// Whether the walk `from` waits, itself or through others, for the walk `target`.
    fn waits_for(&self, from: u32, target: u32) -> bool {
        let mut seen: SmallVec<[u32; 16]> = SmallVec::new();
        let mut open: SmallVec<[u32; 16]> = SmallVec::from_slice(&[from]);
        while let Some(at) = open.pop() {
            if at == target {
                return true;
            }
            if seen.contains(&at) || seen.len() > 256 {
                continue;
            }
            seen.push(at);
            if let Some(Walk { stage: Stage::Fetching(fetching), .. }) = self.walks.get(at as usize) {
                open.extend(fetching.pending.iter().copied());
            }
        }
        false
    }

    /// A walk's ask has ended.
    fn end_asking(&mut self, at: u32, key: u32, outcome: &Outcome, around: &mut Surroundings<'_>) {
        let Some(walk) = self.walks.get_mut(at as usize) else { return };
        let asked = match &mut walk.stage {
            Stage::Asking(asking) if asking.ask == key => std::mem::replace(&mut asking.name, Name::root()),
            _ => return,
        };
        walk.stage = Stage::Moving;
        match outcome {
            Ok(finding) => {
                let finding = Arc::clone(finding);
                self.follow(at, &asked, &finding, around);
            }
            Err(trouble) => {
                walk.trouble = *trouble;
                // The budget that ran out may have been another's: then we ask on our own account.
                let is_shared =
                    matches!(trouble, Trouble::Exhausted(_)) && walk.ledger.queries() < bounds::UPSTREAM_QUERIES / 2;
                if is_shared && around.now < walk.ledger.deadline() {
                    if let Some(stand) = &mut walk.stand {
                        stand.tried.clear();
                    }
                    self.moving.push_back(at);
                    return;
                }
                if matches!(trouble, Trouble::Exhausted(_)) {
                    return self.end(at, Ended::Failed(*trouble), around);
                }
                self.fetch(at, around);
            }
        }
    }

    /// No server of the cut is left to ask.
    fn run_dry(&mut self, at: u32, trouble: Trouble, around: &mut Surroundings<'_>) {
        let Some(walk) = self.walks.get_mut(at as usize) else { return };
        // What the root says of its servers leads nowhere: back to the operator's word.
        if let Some(stand) = &mut walk.stand
            && let Cut::Delegated(cut) = &stand.cut
            && cut.zone.is_root()
            && !Arc::ptr_eq(cut, &self.settings.roots)
        {
            let tried = std::mem::take(&mut stand.tried);
            *stand = Stand { tried, ..Stand::new(Cut::Delegated(Arc::clone(&self.settings.roots))) };
            self.moving.push_back(at);
            return;
        }
        // Memory's word may be old: the zone may have moved to servers that only its parent knows.
        if !walk.has_gone_up
            && walk.referrals == 0
            && let Some(Stand { cut: Cut::Delegated(cut), tried, .. }) = &walk.stand
            && !tried.is_empty()
            && let Some(parent) = cut.zone.parent()
            && matches!(self.settings.route(&parent), None | Some(Route::Stub(_)))
        {
            let above = around.memory.delegation(&parent, around.now);
            let above = above.unwrap_or_else(|| Arc::clone(&self.settings.roots));
            let tried = tried.clone();
            walk.has_gone_up = true;
            walk.shown = super::minimise::Shown::default();
            walk.stand = Some(Stand { tried, ..Stand::new(Cut::Delegated(above)) });
            self.moving.push_back(at);
            return;
        }
        // Servers that choke on a shortened name may know the whole one.
        if !walk.shown.has_given_up()
            && self.settings.minimisation == Minimisation::Relaxed
            && let Some(stand) = &mut walk.stand
            && stand.known_labels + 1 < walk.name.label_count()
            && !stand.tried.is_empty()
            && matches!(trouble, Trouble::Rcode(_) | Trouble::Lame)
        {
            walk.shown.give_up();
            stand.tried.clear();
            self.moving.push_back(at);
            return;
        }
        self.end(at, Ended::Failed(trouble), around);
    }

    /// Goes where a finding about `asked` leads.
    fn follow(&mut self, at: u32, asked: &Name, finding: &Finding, around: &mut Surroundings<'_>) {
        let Some(walk) = self.walks.get_mut(at as usize) else { return };
        match finding {
            Finding::Referral(delegation, _) => {
                walk.referrals += 1;
                if walk.referrals > bounds::REFERRALS_MAX {
                    around.tally.count(Event::BoundReferrals);
                    return self.end(at, Ended::Failed(Trouble::Exhausted(Exhausted::Referrals)), around);
                }
                // Servers that did not help before the parent was asked anew will not help now.
                let tried = match &walk.stand {
                    Some(stand) if walk.has_gone_up => stand.tried.clone(),
                    _ => SmallVec::new(),
                };
                walk.stand = Some(Stand { tried, ..Stand::new(Cut::Delegated(Arc::clone(delegation))) });
                self.moving.push_back(at);
            }
            Finding::Chain(chain) if *asked != walk.name => {
                let is_nxdomain = matches!(&chain.end, End::Denied(_, denial) if denial.is_nxdomain);
                if is_nxdomain && chain.aliases.is_empty() {
                    // The root's servers do not deny empty non-terminals: there is no such top-level domain.
                    let is_of_root = walk.stand.as_ref().is_some_and(|stand| stand.cut.zone().is_root());
                    if is_of_root || self.settings.minimisation == Minimisation::Strict {
                        return self.follow_chain(at, chain, around);
                    }
                    walk.shown.give_up();
                }
                if let Some(stand) = &mut walk.stand {
                    stand.known_labels = asked.label_count();
                    stand.tried.clear();
                }
                self.moving.push_back(at);
            }
            Finding::Chain(chain) => self.follow_chain(at, chain, around),
            Finding::Lame(_) => self.end(at, Ended::Failed(Trouble::Lame), around),
        }
    }

    fn follow_chain(&mut self, at: u32, chain: &FoundChain, around: &mut Surroundings<'_>) {
        let Some(walk) = self.walks.get_mut(at as usize) else { return };
        for alias in &chain.aliases {
            if let Err(exhausted) = walk.ledger.charge_alias() {
                around.tally.count(exhausted.event());
                return self.end(at, Ended::Failed(Trouble::Exhausted(exhausted)), around);
            }
            push_alias(walk, alias, &self.settings);
        }
        match &chain.end {
            End::Answer(set) => {
                let mut aged = age(set, &self.settings);
                // What a zone says of its own servers holds no longer than its parent's word for it.
                if let Some(Stand { cut: Cut::Delegated(cut), .. }) = &walk.stand
                    && set.rtype == RecordType::NS
                    && set.owner == cut.zone
                    && !cut.zone.is_root()
                {
                    aged.ttl = aged.ttl.min(cut.ttl);
                }
                self.end(at, Ended::Answer(aged), around);
            }
            End::Denied(name, denial) => {
                let denial = Denial { ttl: denial.ttl.min(self.settings.max_negative_ttl), ..denial.clone() };
                let learned =
                    Learned::Denial { name: name.clone(), rtype: walk.question.rtype, denial: denial.clone() };
                around.memory.learn(learned, around.now);
                self.end(at, Ended::Denied(denial), around);
            }
            End::TooLong(dname) => {
                walk.chain.push(age(dname, &self.settings));
                self.end(at, Ended::TooLong, around);
            }
            End::Continues(target) => {
                walk.name = target.lowered();
                walk.stand = None;
                walk.shown = super::minimise::Shown::default();
                self.moving.push_back(at);
            }
        }
    }

    fn end(&mut self, at: u32, ended: Ended, around: &mut Surroundings<'_>) {
        let Some(walk) = self.walks.try_remove(at as usize) else { return };
        self.goals.remove(&(walk.question.name.clone(), walk.question.rtype, walk.checking_disabled));
        if let Ended::Failed(trouble) = &ended {
            around.tally.count(Event::ResolutionsFailed);
            // When nothing at all answers, the fault is ours and says nothing of the zone: remembering it would
            // only delay the first answer after the outage, save where clients have a stale answer meanwhile. A
            // reached bound may be the parent's.
            let is_telling = (walk.has_reserve || !self.scoreboard.is_outage(around.now))
                && (walk.depth == 0 || !matches!(trouble, Trouble::Exhausted(_)));
            if is_telling {
                around.memory.learn(
                    Learned::Failure {
                        name: walk.question.name.clone(),
                        rtype: walk.question.rtype,
                        ede: explanation(*trouble),
                    },
                    around.now,
                );
            }
        }
        for parent in &walk.parents {
            self.end_fetching(*parent, at, &ended);
        }
        if walk.is_goal {
            self.resolved.push_back((GoalId(walk.serial), Resolution { chain: walk.chain, ended }));
        }
    }

    /// A lookup of a name server's address has ended.
    fn end_fetching(&mut self, at: u32, child: u32, ended: &Ended) {
        let Some(walk) = self.walks.get_mut(at as usize) else { return };
        let Stage::Fetching(fetching) = &mut walk.stage else { return };
        let Some(place) = fetching.pending.iter().position(|pending| *pending == child) else { return };
        fetching.pending.swap_remove(place);
        let is_last = fetching.pending.is_empty();
        let found = match (ended, &mut walk.stand) {
            (Ended::Answer(aged), Some(stand)) => {
                let found = aged.set.rdatas.iter().filter_map(|rdata| address_of(aged.set.rtype, rdata));
                let room = bounds::ADDRESSES_PER_SERVER;
                stand.addresses.extend(found.take(room).filter(|address| self.settings.may_ask(*address)));
                true
            }
            (Ended::Failed(trouble), _) => {
                walk.ledger.note_glueless_failure();
                walk.trouble = *trouble;
                false
            }
            (Ended::Denied(denial), _) if !denial.is_nxdomain && self.settings.families == Families::Both => {
                walk.trouble = Trouble::NoServers; // the other family may be there
                false
            }
            _ => {
                walk.ledger.note_glueless_failure();
                walk.trouble = Trouble::NoServers;
                false
            }
        };
        if found || is_last {
            walk.stage = Stage::Moving;
            self.moving.push_back(at);
        }
    }

    // ---- forwarding -----------------------------------------------------------------------

    fn forward(&mut self, at: u32, zone: usize, apex: Name, around: &mut Surroundings<'_>) {
        let Some(walk) = self.walks.get_mut(at as usize) else { return };
        if let Err(exhausted) = walk.ledger.charge_query(around.now) {
            around.tally.count(exhausted.event());
            return self.end(at, Ended::Failed(Trouble::Exhausted(exhausted)), around);
        }
        self.serial += 1;
        let exchange = self.serial;
        let deadline = around.now + FORWARD_DEADLINE;
        let question = Question::new(walk.name.clone(), walk.question.rtype);
        around.tally.count(Event::UpstreamForwarded);
        self.trace.note(around.now, || What::Forward {
            zone: apex.clone(),
            name: question.name.clone(),
            rtype: question.rtype,
        });
        walk.stage = Stage::Forwarding(Forwarding { exchange, zone: apex, deadline });
        self.forwarded.insert(exchange, at);
        self.timers.push(Reverse((deadline, Due::Forward(exchange))));
        let checking_disabled = walk.checking_disabled;
        self.forwards.push_back(ForwardRequest { exchange: ExchangeId(exchange), zone, question, checking_disabled });
    }

    fn judge_forwarded(&mut self, at: u32, bytes: Option<&[u8]>, around: &mut Surroundings<'_>) {
        let Some(walk) = self.walks.get_mut(at as usize) else { return };
        let Stage::Forwarding(forwarding) = std::mem::replace(&mut walk.stage, Stage::Moving) else { return };
        let question = Question::new(walk.name.clone(), walk.question.rtype);
        let outcome = match bytes.map(Message::parse) {
            None => Err(Trouble::Silence),
            Some(Err(_)) => Err(Trouble::Lame),
            Some(Ok(message)) => {
                walk.ledger.charge_bytes(bytes.map_or(0, <[u8]>::len));
                match message.rcode {
                    Rcode::NOERROR | Rcode::NXDOMAIN | Rcode::YXDOMAIN => {
                        classify(&message, &forwarding.zone, &question, true, around.tally)
                            .map_err(|_| Trouble::Oversized)
                    }
                    rcode => Err(Trouble::Rcode(rcode)),
                }
            }
        };
        let verdict = match &outcome {
            Ok(Finding::Chain(_)) => "answered".to_owned(),
            Ok(_) => "no answer".to_owned(),
            Err(trouble) => explanation(*trouble).text.into_owned(),
        };
        self.trace.note(around.now, || What::Judge { server: None, verdict });
        match outcome {
            Ok(Finding::Chain(mut chain)) => {
                chain.is_authoritative = true; // we were told to trust it
                learn(&Finding::Chain(chain.clone()), &question, around);
                self.follow_chain(at, &chain, around);
            }
            Ok(_) => self.end(at, Ended::Failed(Trouble::Lame), around),
            Err(trouble) => self.end(at, Ended::Failed(trouble), around),
        }
    }
}

/// TTL 0 stays 0 whatever the least TTL: its sender wants to be asked each time.
fn age(set: &Arc<RrSet>, settings: &Settings) -> Aged {
    let least = if set.ttl == 0 { 0 } else { settings.min_ttl };
    Aged { ttl: set.ttl.max(least).min(settings.max_ttl), set: Arc::clone(set) }
}

fn push_alias(walk: &mut Walk, alias: &Alias, settings: &Settings) {
    walk.chain.extend(alias.dname.iter().map(|dname| age(dname, settings)));
    walk.chain.push(age(&alias.cname, settings));
    walk.name = alias.target.lowered();
}

/// Answers a walk from memory as far as it goes: follows known aliases, and ends where the rest is known.
fn recall(walk: &mut Walk, around: &mut Surroundings<'_>) -> Option<Ended> {
    if !walk.trusts_memory {
        return None;
    }
    loop {
        let (memory, rtype, now) = (around.memory, walk.question.rtype, around.now);
        let is_usable = |rank: Rank| rank >= Rank::Authority;
        if let Some(found) = memory.rrset(&walk.name, rtype, now).filter(|found| is_usable(found.rank)) {
            return Some(Ended::Answer(Aged { set: found.set, ttl: found.ttl }));
        }
        if let Some(denial) = memory.denial(&walk.name, rtype, now) {
            return Some(Ended::Denied(denial));
        }
        let usable = |owner: &Name, rtype: RecordType| {
            memory.rrset(owner, rtype, now).filter(|found| is_usable(found.rank))
        };
        let alias = (rtype != RecordType::CNAME).then(|| usable(&walk.name, RecordType::CNAME)).flatten();
        let target = match alias {
            Some(found) => {
                let target = found.set.target()?;
                walk.chain.push(Aged { set: found.set, ttl: found.ttl });
                target
            }
            None => {
                let mut above = std::iter::successors(walk.name.parent(), Name::parent);
                let found = above.find_map(|owner| usable(&owner, RecordType::DNAME))?;
                walk.chain.push(Aged { set: Arc::clone(&found.set), ttl: found.ttl });
                let Some(alias) = rename(&found.set, &walk.name) else { return Some(Ended::TooLong) };
                walk.chain.push(Aged { set: alias.cname, ttl: found.ttl });
                alias.target
            }
        };
        if let Err(exhausted) = walk.ledger.charge_alias() {
            around.tally.count(exhausted.event());
            return Some(Ended::Failed(Trouble::Exhausted(exhausted)));
        }
        walk.name = target.lowered();
    }
}

/// The addresses of the cut's servers that may be asked and have not been, at most
/// [`bounds::ADDRESSES_MAX`] of them.
fn addresses(stand: &Stand, settings: &Settings, around: &mut Surroundings<'_>) -> SmallVec<[SocketAddr; 16]> {
    let mut servers: SmallVec<[SocketAddr; 16]> = SmallVec::new();
    match &stand.cut {
        Cut::Fixed(_, fixed) => {
            servers.extend(
                fixed.iter().filter(|server| !stand.tried.contains(server)).copied().take(bounds::ADDRESSES_MAX),
            );
        }
        Cut::Delegated(delegation) => {
            // The hints are the operator's own word: no list of denied networks stands against it.
            let is_own = Arc::ptr_eq(delegation, &settings.roots);
            let mut order: SmallVec<[usize; 16]> = (0..delegation.servers.len()).collect();
            around.dice.shuffle(&mut order);
            let mut add = |address: IpAddr| {
                let server = SocketAddr::new(address, settings.port);
                let may_ask = if is_own { settings.families.has(address) } else { settings.may_ask(address) };
                if may_ask
                    && servers.len() < bounds::ADDRESSES_MAX
                    && !servers.contains(&server)
                    && !stand.tried.contains(&server)
                {
                    servers.push(server);
                }
            };
            for address in &stand.addresses {
                add(*address);
            }
            for server in order.iter().filter_map(|at| delegation.servers.get(*at)) {
                for address in known_addresses(server, around) {
                    add(address);
                }
            }
        }
    }
    servers
}

/// A name server's addresses: its glue, or what memory has learned of it.
fn known_addresses(server: &crate::chain::NameServer, around: &Surroundings<'_>) -> SmallVec<[IpAddr; 4]> {
    let mut addresses: SmallVec<[IpAddr; 4]> = server.glue.iter().copied().collect();
    if addresses.is_empty() {
        for rtype in [RecordType::A, RecordType::AAAA] {
            if let Some(found) = around.memory.rrset(&server.name, rtype, around.now) {
                let own = found.set.rdatas.iter().filter_map(|rdata| address_of(rtype, rdata));
                addresses.extend(own.take(bounds::ADDRESSES_PER_SERVER));
            }
        }
        addresses.truncate(bounds::ADDRESSES_PER_SERVER);
    }
    addresses
}

/// The next address lookup that could help at the walk's cut, charged to its ledger; none when all have been
/// tried. IPv4 comes first for every server, then IPv6. A server whose name lies in the zone itself cannot be
/// found without glue.
fn next_lookup(walk: &mut Walk, families: Families) -> Result<Option<(Name, RecordType)>, Exhausted> {
    let Some(Stand { cut: Cut::Delegated(delegation), fetched, .. }) = &mut walk.stand else { return Ok(None) };
    let rtypes: &[RecordType] = match families {
        Families::Both => &[RecordType::A, RecordType::AAAA],
        Families::Ipv4 => &[RecordType::A],
        Families::Ipv6 => &[RecordType::AAAA],
    };
    let lookups = rtypes.iter().flat_map(|&rtype| {
        let without_glue = delegation
            .servers
            .iter()
            .filter(|server| server.glue.is_empty() && !server.name.is_within(&delegation.zone));
        without_glue.map(move |server| (server.name.lowered(), rtype))
    });
    let Some(lookup) = lookups.into_iter().find(|lookup| !fetched.contains(lookup)) else { return Ok(None) };
    if walk.depth >= bounds::DEPTH_MAX {
        return Err(Exhausted::Depth);
    }
    if !fetched.iter().any(|(name, _)| *name == lookup.0) {
        let mut names: SmallVec<[&Name; 8]> = SmallVec::new();
        for (name, _) in fetched.iter() {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        if names.len() >= usize::from(bounds::GLUELESS_PER_DELEGATION) {
            return Err(Exhausted::Glueless);
        }
        walk.ledger.charge_glueless()?;
    }
    fetched.push(lookup.clone());
    Ok(Some(lookup))
}

/// Keeps what a finding taught. NXDOMAIN is left to the walk whose whole name it is about: servers that deny
/// empty non-terminals must not make whole subtrees vanish.
fn learn(finding: &Finding, question: &Question, around: &mut Surroundings<'_>) {
    let (memory, now) = (around.memory, around.now);
    match finding {
        Finding::Referral(delegation, ds) => {
            memory.learn(Learned::Delegation(Arc::clone(delegation)), now);
            if let Some(ds) = ds {
                memory.learn(Learned::RrSet { set: Arc::clone(ds), rank: Rank::Authority }, now);
            }
        }
        Finding::Chain(chain) => {
            let rank = if chain.is_authoritative { Rank::Answer } else { Rank::Authority };
            for alias in &chain.aliases {
                let set = alias.dname.as_ref().unwrap_or(&alias.cname);
                memory.learn(Learned::RrSet { set: Arc::clone(set), rank }, now);
            }
            match &chain.end {
                End::Answer(set) => memory.learn(Learned::RrSet { set: Arc::clone(set), rank }, now),
                End::Denied(name, denial) if !denial.is_nxdomain => {
                    let learned = Learned::Denial { name: name.clone(), rtype: question.rtype, denial: denial.clone() };
                    memory.learn(learned, now);
                }
                End::TooLong(dname) => memory.learn(Learned::RrSet { set: Arc::clone(dname), rank }, now),
                End::Denied(..) | End::Continues(_) => {}
            }
            if let Some(roots) = &chain.roots {
                memory.learn(Learned::Delegation(Arc::clone(roots)), now);
            }
        }
        Finding::Lame(_) => {}
    }
}
