//! A steered name: its pool, its plan and its terms. An asker comes in; members in order of preference, how far that
//! order holds (scope) and how long (TTL) go out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use smallvec::SmallVec;

use super::asker::{Asker, Key, Scope, looked_up};
use super::candidates::{Candidates, Closed};
use super::census::{Answers, Census};
use super::feeds::Feeds;
use super::hashing::hash_words;
use super::health::{Board, Standing};
use super::location::LocationPolicy;
use super::odds::Odds;
use super::policy::{Plan, PolicyFault, StageSpec, plan};
use super::pool::{Pool, PoolId};
use super::trace::{Step, Trace};
use crate::base::Dice;

/// What to answer when no member is usable (R7).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum WhenAllDown {
    /// As if all were healthy.
    #[default]
    ServeAll,
    /// From another pool; as `ServeAll` there if that is down too.
    Fallback,
    /// NODATA.
    NoData,
    /// SERVFAIL.
    ServFail,
    /// Those that went down last.
    LastGood,
}

/// Whether draws agree among nodes, families and repeats within a TTL (R11).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Agree {
    /// They do as soon as a member has addresses of both families.
    #[default]
    Auto,
    /// Every query draws anew.
    No,
    /// A client's draw holds for a TTL.
    Ttl,
}

/// What to answer if the chosen member has no data of the type asked for (R11).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Family {
    /// NODATA.
    #[default]
    Strict,
    /// The next member that has some.
    NearestWith,
}

/// The terms under which a name is steered.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Terms {
    /// The shortest TTL, seconds.
    pub ttl_min: u32,
    /// The longest TTL, seconds.
    pub ttl_max: u32,
    /// How many members answer, unless the policy says so.
    pub answers: usize,
    /// What to answer when no member is usable.
    pub when_all_down: WhenAllDown,
    /// What to answer where the chosen member lacks the type.
    pub family: Family,
    /// Whether draws agree.
    pub agree: Agree,
    /// Less healthy weight than this share is not believed (0 = always believed).
    pub panic_below: f64,
    /// Known to all nodes of a zone and to nobody else; agreeing draws are made from it.
    pub secret: u64,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            ttl_min: 60,
            ttl_max: 60,
            answers: 1,
            when_all_down: WhenAllDown::default(),
            family: Family::default(),
            agree: Agree::default(),
            panic_below: 0.0,
            secret: 0,
        }
    }
}

/// A steered name. Replaced as a whole when its policy or pool changes.
#[derive(Debug)]
pub struct Steering {
    pool: Arc<Pool>,
    plan: Plan,
    terms: Terms,
    agrees: bool,
    fallback: Option<Box<Steering>>,
    /// When the last answer that holds a member expires, seconds of the calendar.
    handed_out: Box<[AtomicU64]>,
    /// How often each member was an answer; empty while nobody counts.
    answers: Box<[Answers]>,
}

/// What a selection came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Members answer.
    Members,
    /// The answer has no data.
    NoData,
    /// The answer is SERVFAIL.
    ServFail,
}

/// The members that answer an asker.
#[derive(Clone, PartialEq, Debug)]
pub struct Selection {
    /// What it came to.
    pub outcome: Outcome,
    /// Members of the pool, best first, beyond those that answer.
    pub order: SmallVec<[u16; 8]>,
    /// How many of them answer.
    pub answers: usize,
    /// Whether they are members of the fallback pool.
    pub is_fallback: bool,
    /// How many bits of the subject decided; never more than it has.
    pub scope: Scope,
    /// For how long, seconds.
    pub ttl: u32,
    /// What the stages did, if that was wanted.
    pub trace: Option<Trace>,
    /// How likely each member was to come first; in rehearsals alone.
    pub odds: Option<Box<Odds>>,
    is_rehearsal: bool,
    wall: u64,
}

impl Selection {
    /// The members that answer.
    #[must_use]
    pub fn chosen(&self) -> &[u16] {
        self.order.get(..self.answers.min(self.order.len())).unwrap_or_default()
    }
}

impl Steering {
    /// A name that answers from `pool` by `stages` on `terms`; `fallback` answers when all are down, if the terms say so,
    /// and where a fence lets nobody through.
    ///
    /// # Errors
    /// Every [`PolicyFault`] found.
    pub fn new(
        pool: Arc<Pool>,
        stages: &[StageSpec],
        mut terms: Terms,
        fallback: Option<Arc<Pool>>,
    ) -> Result<Self, Vec<PolicyFault>> {
        if terms.when_all_down == WhenAllDown::Fallback && fallback.is_none() {
            terms.when_all_down = WhenAllDown::ServeAll;
        }
        let plan = plan(stages, &pool, terms, fallback.is_some())?;
        let fallback = match fallback {
            Some(pool) => {
                let terms = Terms { when_all_down: WhenAllDown::ServeAll, ..terms };
                Some(Box::new(Self::new(pool, &[StageSpec::Weighted], terms, None)?))
            }
            None => None,
        };
        let agrees = match terms.agree {
            Agree::Auto => pool.is_dual_family(),
            Agree::No => false,
            Agree::Ttl => true,
        };
        let handed_out = pool.members().iter().map(|_| AtomicU64::new(0)).collect();
        Ok(Self { pool, plan, terms, agrees, fallback, handed_out, answers: Box::default() })
    }

    /// The pool that the name answers from.
    #[must_use]
    pub fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// What depends on the place and can be compiled, if anything does.
    #[must_use]
    pub const fn location(&self) -> Option<&LocationPolicy> {
        self.plan.location.as_ref()
    }

    /// The name's terms.
    #[must_use]
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The pool that answers when this one cannot.
    #[must_use]
    pub fn fallback(&self) -> Option<&Arc<Pool>> {
        self.fallback.as_deref().map(Self::pool)
    }

    /// Whether draws agree among nodes and families.
    #[must_use]
    pub const fn agrees(&self) -> bool {
        self.agrees
    }

    /// The stages' words, in order.
    pub fn stages(&self) -> impl Iterator<Item = &'static str> {
        self.plan.stages.iter().map(|stage| stage.name())
    }

    /// When the last answer that holds `member` expires, seconds of the calendar; 0 if there was none.
    #[must_use]
    pub fn empties_at(&self, member: u16) -> u64 {
        self.handed_out.get(usize::from(member)).map_or(0, |until| until.load(Ordering::Relaxed))
    }

    /// When the last answer that holds that member of `pool`, the name's own or its fallback, expires, seconds of the
    /// calendar; 0 if there was none.
    #[must_use]
    pub fn leaves_at(&self, pool: PoolId, member: u16) -> u64 {
        let own = if self.pool.id() == pool { self.empties_at(member) } else { 0 };
        own.max(self.fallback.as_ref().map_or(0, |fallback| fallback.leaves_at(pool, member)))
    }

    /// Takes over from the steering before it who was handed out until when: answers outlive their policy.
    pub(super) fn inherit(&self, before: &Self) {
        for (slot, member) in self.handed_out.iter().zip(self.pool.members()) {
            if let Some(index) = before.pool.index_of(&member.name) {
                slot.store(before.empties_at(index), Ordering::Relaxed);
            }
        }
        if let (Some(fallback), Some(before)) = (&self.fallback, &before.fallback) {
            fallback.inherit(before);
        }
    }

    /// Has its answers counted in `census` from now on.
    pub(super) fn enrol(&mut self, census: &Census) {
        self.answers = census.enrol(&self.pool);
        if let Some(fallback) = &mut self.fallback {
            fallback.enrol(census);
        }
    }

    /// The steering whose members were chosen: this one, or, if `is_fallback`, the fallback's.
    #[must_use]
    pub fn source(&self, is_fallback: bool) -> &Self {
        if is_fallback { self.fallback.as_deref().unwrap_or(self) } else { self }
    }

    /// Notes that an answer with `member` was given.
    pub(super) fn note_answer(&self, member: u16, selection: &Selection) {
        if selection.is_rehearsal {
            return;
        }
        if let Some(answers) = self.answers.get(usize::from(member)) {
            answers.add(0, 1);
        }
        let until = selection.wall + u64::from(selection.ttl);
        if let Some(slot) = self.handed_out.get(usize::from(member))
            && slot.load(Ordering::Relaxed) < until
        {
            slot.fetch_max(until, Ordering::Relaxed);
        }
    }

    /// Chooses members for `asker`. A pool of up to 8 members takes no memory from the
    /// heap, one of up to 20 little; a trace takes much.
    #[must_use]
    pub fn select(
        &self,
        asker: &Asker<'_>,
        board: &Board,
        feeds: &Feeds,
        dice: &mut Dice,
        wants_trace: bool,
    ) -> Selection {
        let mut asker = *asker;
        if asker.agreed.is_none() {
            asker.agreed = self.agrees.then(|| self.agreed_seed(&asker));
        }
        let standings = board.standings(&self.pool);
        if !wants_trace
            && !asker.is_rehearsal
            && let Some(selection) = self.select_by_place(&asker, board)
        {
            return selection;
        }
        let mut set = Candidates::new(&self.pool, standings, feeds.pool(self.pool.id()), &asker);
        set.trace = wants_trace.then(Trace::default);
        let mut scope = self.run(&asker, &mut set, dice);
        let mut ttl = self.ttl(standings);
        let was_all_down = set.closed == Some(Closed::AllDown);
        if was_all_down {
            ttl = self.terms.ttl_min;
            match self.terms.when_all_down {
                WhenAllDown::Fallback => {}
                WhenAllDown::NoData => return self.finish(&asker, set, Outcome::NoData, scope, ttl),
                WhenAllDown::ServFail => return self.finish(&asker, set, Outcome::ServFail, scope, ttl),
                WhenAllDown::ServeAll | WhenAllDown::LastGood => {
                    let trace = set.trace.take();
                    set = Candidates::new(&self.pool, standings, feeds.pool(self.pool.id()), &asker);
                    (set.trace, set.is_desperate) = (trace, true);
                    if self.terms.when_all_down == WhenAllDown::LastGood {
                        keep_last_good(&mut set);
                    }
                    scope = scope.and(self.run(&asker, &mut set, dice));
                }
            }
        }
        if matches!(set.closed, Some(Closed::AllDown | Closed::FencedToFallback))
            && let Some(fallback) = &self.fallback
        {
            let mut selection = fallback.select(&asker, board, feeds, dice, wants_trace);
            selection.is_fallback = true;
            selection.scope = selection.scope.and(scope).min(Scope(asker.source));
            if was_all_down {
                selection.ttl = ttl;
            }
            if let (Some(own), Some(theirs)) = (set.trace, &mut selection.trace) {
                theirs.steps.iter_mut().for_each(|step| step.is_fallback = true);
                theirs.steps.splice(0..0, own.steps);
            }
            return selection;
        }
        let outcome = if set.list().is_empty() { Outcome::NoData } else { Outcome::Members };
        if outcome == Outcome::NoData {
            ttl = self.terms.ttl_min;
        }
        self.finish(&asker, set, outcome, scope, ttl)
    }

    /// What the stages come to where nothing but health and the compiled place decides, read off the ranking alone; none
    /// where they must be asked.
    #[must_use]
    pub fn select_by_place(&self, asker: &Asker<'_>, board: &Board) -> Option<Selection> {
        let (wanted, found) = (self.plan.wanted_by_place?, asker.found?);
        let standings = board.standings(&self.pool);
        let unusable = standings.iter().filter(|standing| !standing.is_usable()).count();
        let left = self.pool.members().len().checked_sub(unusable).filter(|&left| left > 0)?;
        if self.pool.has_standbys() || (unusable > 0 && self.terms.panic_below > 0.0) {
            return None;
        }
        let is_usable = |member: u16| standings.get(usize::from(member)).is_none_or(Standing::is_usable);
        let ranking = || found.ranking.iter().filter(|ranked| is_usable(ranked.member));
        // As `Located` has it: beyond those whom each client's own place ranks, the ranking does not tell.
        let wanted = wanted.clamp(1, left);
        if ranking().take_while(|ranked| ranked.reach > 0).take(wanted).count() < wanted {
            return None;
        }
        let order: SmallVec<[u16; 8]> = ranking().map(|ranked| ranked.member).collect();
        Some(Selection {
            outcome: Outcome::Members,
            answers: self.plan.answers.unwrap_or(self.terms.answers).min(order.len()),
            order,
            is_fallback: false,
            scope: looked_up(found.length).min(Scope(asker.source)),
            ttl: self.ttl(standings),
            trace: None,
            odds: None,
            is_rehearsal: false,
            wall: asker.wall,
        })
    }

    fn run(&self, asker: &Asker<'_>, set: &mut Candidates<'_>, dice: &mut Dice) -> Scope {
        let mut scope = Scope::ALL;
        for stage in &self.plan.stages {
            let before = set.indices();
            let known = set.odds.clone();
            let looked_at = stage.apply(asker, set, dice);
            if let (Some(before), Some(odds)) = (known, &mut set.odds) {
                odds.settle(&before, stage.name());
            }
            scope = scope.and(looked_at);
            set.close_step(stage.name(), before, looked_at);
            if set.list().is_empty() {
                return scope;
            }
        }
        set.retain(|candidate| !candidate.is_gone);
        set.retire_standbys();
        scope
    }

    fn finish(&self, asker: &Asker<'_>, set: Candidates<'_>, outcome: Outcome, scope: Scope, ttl: u32) -> Selection {
        let order: SmallVec<[u16; 8]> = set.list().iter().map(|candidate| candidate.member).collect();
        let answers = self.plan.answers.unwrap_or(self.terms.answers).min(order.len());
        let (mut trace, odds) = (set.trace, set.odds);
        if let Some(trace) = &mut trace {
            let chosen = order.iter().take(answers).copied().collect();
            let facts = vec![(None, format!("ttl {ttl}, scope {}", scope.0.min(asker.source)))];
            let before = order.to_vec();
            trace.steps.push(Step {
                stage: "first",
                before,
                after: chosen,
                scope: Scope::ALL,
                facts,
                is_fallback: false,
            });
        }
        Selection {
            outcome,
            order,
            answers,
            is_fallback: false,
            scope: scope.min(Scope(asker.source)),
            ttl,
            trace,
            odds,
            is_rehearsal: asker.is_rehearsal,
            wall: asker.wall,
        }
    }

    /// What all nodes draw from: the same for a client within a TTL, whose turn comes at a time of its own.
    fn agreed_seed(&self, asker: &Asker<'_>) -> u64 {
        let (key, _) = Key::default().of(asker);
        let span = u64::from(self.terms.ttl_max.max(1));
        hash_words(self.terms.secret, &[asker.name, key, (asker.wall + key % span) / span])
    }

    /// R6: no longer than health can last, in four steps, so that there are few variants to sign.
    fn ttl(&self, standings: &[Standing]) -> u32 {
        let Terms { ttl_min: low, ttl_max: high, .. } = self.terms;
        if standings.iter().any(Standing::is_shaky) {
            return low;
        }
        let Some(flip) = standings.iter().filter_map(|standing| standing.flips_in).min() else { return high };
        let wanted = u32::try_from(flip.as_secs()).unwrap_or(u32::MAX).min(high);
        [high, high / 2, high / 4].into_iter().find(|&step| step <= wanted && step >= low).unwrap_or(low)
    }
}

/// Keeps those that went down last: the last ones known to be good.
fn keep_last_good(set: &mut Candidates<'_>) {
    let went_down: SmallVec<[(u16, Option<crate::base::Instant>); 8]> =
        set.list().iter().map(|candidate| (candidate.member, set.standing(candidate.member).went_down)).collect();
    let barred = |member: u16, set: &Candidates<'_>| set.standing(member).bar.is_some();
    let last = went_down.iter().filter(|(member, _)| !barred(*member, set)).map(|(_, at)| *at).max().flatten();
    set.retain(|candidate| went_down.iter().any(|(member, at)| *member == candidate.member && *at == last));
}

#[cfg(test)]
#[path = "selection_tests.rs"]
mod tests;
