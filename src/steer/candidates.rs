//! The members that may still answer, in order of preference, as one stage hands them to the next.
//!
//! Members of equal rank are *tied*: a later stage may put them into any order among themselves, but it never
//! moves a member past one of a better rank. Filters take members away, rankers make ranks, pickers order a tie.

use std::net::IpAddr;

use smallvec::SmallVec;

use super::asker::{Asker, Scope};
use super::feeds::PoolFeeds;
use super::health::Standing;
use super::odds::Odds;
use super::pool::{Member, Pool};
use super::trace::{Step, Trace};

/// A member that may answer.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Candidate {
    /// Its index in the pool.
    pub member: u16,
    /// Its name, hashed.
    pub hash: u64,
    /// Its weight by now: declared, ramped up after a return, or made from a feed.
    pub weight: f64,
    /// Equal ranks are tied; lower is preferred.
    pub rank: u16,
    /// What a stage sorts by; it has no meaning between stages.
    pub key: f64,
    /// Percent by which the member looks nearer than it is (−99 to 99).
    pub bias: f64,
    /// A rule asks for it by name.
    pub is_named: bool,
    /// Its tier or pool has too few healthy members to be trusted.
    pub is_in_panic: bool,
    /// It is down and only stands here so that `overflow` can share out its clients.
    pub is_gone: bool,
}

/// Why a set of candidates is empty on purpose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Closed {
    /// No member is usable.
    AllDown,
    /// A fence let nobody through, and that is the answer.
    Fenced,
    /// A fence let nobody through; the fallback pool answers.
    FencedToFallback,
}

/// The candidates of one selection.
#[derive(Debug)]
pub struct Candidates<'a> {
    /// The pool they are members of.
    pub pool: &'a Pool,
    standings: &'a [Standing],
    feeds: Option<&'a PoolFeeds>,
    pub(super) list: SmallVec<[Candidate; 8]>,
    pub(super) closed: Option<Closed>,
    /// Nobody is usable, and health is ignored for that.
    pub(super) is_desperate: bool,
    pub(super) trace: Option<Trace>,
    /// Kept for rehearsals alone.
    pub(super) odds: Option<Box<Odds>>,
}

impl<'a> Candidates<'a> {
    /// All members of `pool`, tied, with their weights as declared; `standings` ramps them up at `now`.
    #[must_use]
    pub fn new(pool: &'a Pool, standings: &'a [Standing], feeds: Option<&'a PoolFeeds>, asker: &Asker<'_>) -> Self {
        let list = pool
            .marks()
            .map(|(member, mark, declared)| Candidate {
                member,
                hash: mark.hash,
                weight: declared.weight.value()
                    * standings.get(usize::from(member)).map_or(1.0, |standing| standing.ramp(asker.now)),
                rank: 0,
                key: 0.0,
                bias: 0.0,
                is_named: false,
                is_in_panic: false,
                is_gone: false,
            })
            .collect();
        let odds = asker.is_rehearsal.then(Box::default);
        Self { pool, standings, feeds, list, closed: None, is_desperate: false, trace: None, odds }
    }

    /// The candidates, best first.
    #[must_use]
    pub fn list(&self) -> &[Candidate] {
        &self.list
    }

    /// The member behind a candidate.
    #[must_use]
    pub fn member(&self, candidate: &Candidate) -> Option<&'a Member> {
        self.pool.member(candidate.member)
    }

    /// How a member stands.
    #[must_use]
    pub fn standing(&self, member: u16) -> Standing {
        self.standings.get(usize::from(member)).copied().unwrap_or_default()
    }

    /// A candidate's last number of `metric`, if it is fresh.
    #[must_use]
    pub fn last(&self, metric: &str, member: u16, asker: &Asker<'_>) -> Option<f64> {
        self.feeds?.last(metric, member, asker.now)
    }

    /// Every candidate's number of `metric` (its average, if `is_averaged`), in the order of the list. Where it is
    /// missing or stale, the median of the others stands in (R15); none if nobody has a fresh one.
    #[must_use]
    pub fn numbers(&self, metric: &str, is_averaged: bool, asker: &Asker<'_>) -> Option<SmallVec<[f64; 8]>> {
        let feeds = self.feeds?;
        let read = |candidate: &Candidate| {
            let member = candidate.member;
            if is_averaged { feeds.average(metric, member, asker.now) } else { feeds.last(metric, member, asker.now) }
        };
        let mut fresh: SmallVec<[f64; 8]> = self.list.iter().filter_map(read).collect();
        fresh.sort_unstable_by(f64::total_cmp);
        let median = *fresh.get(fresh.len() / 2)?;
        Some(self.list.iter().map(|candidate| read(candidate).unwrap_or(median)).collect())
    }

    /// Keeps the candidates for which `stays` holds.
    pub fn retain(&mut self, mut stays: impl FnMut(&Candidate) -> bool) {
        self.list.retain(|candidate| stays(candidate));
    }

    /// Takes standbys (weight 0) away while anybody else is left; standbys alone weigh all the same (R8).
    pub fn retire_standbys(&mut self) {
        if self.list.iter().any(|candidate| candidate.weight > 0.0 && !candidate.is_gone) {
            self.list.retain(|candidate| candidate.weight > 0.0);
        } else {
            for candidate in &mut self.list {
                candidate.weight = 1.0;
            }
        }
    }

    /// Sets every candidate's key.
    pub fn set_keys(&mut self, mut key: impl FnMut(&Candidate) -> f64) {
        for candidate in &mut self.list {
            candidate.key = key(candidate);
        }
    }

    /// Orders ties by key, the smallest first; equal keys keep their order, and ties stay ties.
    pub fn order_ties(&mut self) {
        self.list.sort_by(|a, b| a.rank.cmp(&b.rank).then(a.key.total_cmp(&b.key)));
    }

    /// Orders ties by key and breaks them: within a tie, a candidate is tied with the first of its new tie only if
    /// `are_tied` says so of their keys.
    pub fn rank(&mut self, are_tied: impl Fn(f64, f64) -> bool) {
        self.order_ties();
        let mut next = 0;
        let mut first: Option<(u16, f64)> = None;
        for candidate in &mut self.list {
            match first {
                Some((rank, key)) if rank == candidate.rank && are_tied(key, candidate.key) => {}
                Some(_) => {
                    next += 1;
                    first = Some((candidate.rank, candidate.key));
                }
                None => first = Some((candidate.rank, candidate.key)),
            }
            candidate.rank = next;
        }
    }

    /// The candidates tied for the first place.
    #[must_use]
    pub fn leaders(&self) -> &[Candidate] {
        let best = self.list.first().map(|candidate| candidate.rank);
        let count = self.list.iter().take_while(|candidate| Some(candidate.rank) == best).count();
        self.list.get(..count).unwrap_or_default()
    }

    /// The first `count` candidates alone.
    pub fn cut(&mut self, count: usize) {
        self.list.truncate(count);
    }

    /// Whether somebody wants to know what the stages do.
    #[must_use]
    pub const fn is_traced(&self) -> bool {
        self.trace.is_some()
    }

    /// Notes a fact about a member, or about the asker, if somebody wants to know.
    pub fn note(&mut self, member: Option<u16>, fact: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.facts.push((member, fact()));
        }
    }

    /// Notes every candidate's key.
    pub fn note_keys(&mut self, what: impl Fn(f64) -> String) {
        if let Some(trace) = &mut self.trace {
            trace.facts.extend(self.list.iter().map(|candidate| (Some(candidate.member), what(candidate.key))));
        }
    }

    /// Notes that a race by weight decides who of the leaders goes first; to be called before it.
    pub(super) fn note_race(&mut self, weight: impl Fn(&Candidate) -> f64) {
        if let Some(odds) = self.odds.take() {
            let racers = self.leaders().iter().map(|candidate| (candidate.member, weight(candidate)));
            self.odds = Some(Box::new(odds.raced(racers.collect())));
        }
    }

    /// Notes that chance had a say in another way than by a race.
    pub(super) fn note_chance(&mut self) {
        if let Some(odds) = &mut self.odds {
            **odds = Odds::Unknown;
        }
    }

    /// Closes the step of a stage in the trace.
    pub(super) fn close_step(&mut self, stage: &'static str, before: Vec<u16>, scope: Scope) {
        let after = self.indices();
        if let Some(trace) = &mut self.trace {
            let facts = std::mem::take(&mut trace.facts);
            trace.steps.push(Step { stage, before, after, scope, facts, is_fallback: false });
        }
    }

    /// The members' indices, if somebody wants to know; empty otherwise.
    pub(super) fn indices(&self) -> Vec<u16> {
        if self.is_traced() { self.list.iter().map(|candidate| candidate.member).collect() } else { Vec::new() }
    }
}

/// The family's longest prefix.
#[must_use]
pub const fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}
