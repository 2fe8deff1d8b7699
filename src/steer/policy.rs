//! Policies: lists of stages as people write them, and the plan that a policy becomes for one pool.

use std::fmt;
use std::time::Duration;

use super::asker::Key;
use super::hashing::hash_bytes;
use super::location::LocationPolicy;
use super::pool::Pool;
use super::selection::Terms;
use super::stages::Stage;
use super::stages::bandit::{Bandit, METRIC};
use super::stages::cheapest::Cheapest;
use super::stages::cohort::Cohort;
use super::stages::fastest::Fastest;
use super::stages::fence::{Fence, OnEmpty, Same};
use super::stages::first::First;
use super::stages::healthy::Healthy;
use super::stages::least_conn::LeastConn;
use super::stages::located::{self, Located};
use super::stages::nearest::{Nearest, Within};
use super::stages::overflow::Overflow;
use super::stages::p2c::P2c;
use super::stages::round_robin::RoundRobin;
use super::stages::rules::{On, Rule, Rules, Table};
use super::stages::score::{Input, Score};
use super::stages::shed::Shed;
use super::stages::shuffle::Shuffle;
use super::stages::spread::Mode;
use super::stages::sticky::{Hash, Sticky};
use super::stages::tier::Tier;
use super::stages::weighted::Weighted;

/// A stage as it is written: its word and what it was told, members by name.
#[derive(Clone, PartialEq, Debug)]
#[expect(missing_docs, reason = "each stage's own page says what it is told")]
pub enum StageSpec {
    Healthy,
    Tier(Tier),
    Rules(Vec<Rule>),
    Fence { rules: Vec<Rule>, same: Option<Same>, on_empty: OnEmpty },
    Shed(Shed),
    Overflow(Overflow),
    Nearest { within: Within, bias: Vec<(Box<str>, f64)>, fallback: Vec<Box<str>> },
    Score { inputs: Vec<(Input, f64)>, margin: f64 },
    Cheapest,
    Fastest(Fastest),
    Weighted,
    Sticky { key: Key, hash: Hash, seed: Option<Box<str>>, lazy_return: Duration },
    Cohort { seed: Box<str>, key: Key, split: Vec<(Box<str>, f64)> },
    RoundRobin { is_smooth: bool },
    P2c(P2c),
    LeastConn(LeastConn),
    Bandit { min: f64, max: f64 },
    Shuffle,
    First(usize),
    All,
}

/// Points of a ring for each unit of weight unless told otherwise.
pub const VNODES: u32 = 160;

impl StageSpec {
    /// All stage words.
    pub const WORDS: [&'static str; 20] = [
        "healthy",
        "tier",
        "rules",
        "fence",
        "shed",
        "overflow",
        "nearest",
        "score",
        "cheapest",
        "fastest",
        "weighted",
        "sticky",
        "cohort",
        "round_robin",
        "p2c",
        "least_conn",
        "bandit",
        "shuffle",
        "first",
        "all",
    ];

    /// The stage of a bare word, with its defaults; none for an unknown word, and for `rules`, `fence`, `shed`, `score`
    /// and `cohort`, which mean nothing without being told more.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "healthy" => Self::Healthy,
            "tier" => Self::Tier(Tier::default()),
            "overflow" => Self::Overflow(Overflow { metric: "load".into() }),
            "nearest" => Self::Nearest { within: Within::Equal, bias: Vec::new(), fallback: Vec::new() },
            "cheapest" => Self::Cheapest,
            "fastest" => Self::Fastest(Fastest::default()),
            "weighted" => Self::Weighted,
            "sticky" => {
                Self::Sticky { key: Key::default(), hash: Hash::Rendezvous, seed: None, lazy_return: Duration::ZERO }
            }
            "round_robin" => Self::RoundRobin { is_smooth: false },
            "p2c" => Self::P2c(P2c::default()),
            "least_conn" => Self::LeastConn(LeastConn::default()),
            "bandit" => Self::Bandit { min: 0.05, max: 0.90 },
            "shuffle" => Self::Shuffle,
            "first" => Self::First(1),
            "all" => Self::All,
            _ => return None,
        })
    }

    /// Whether the stage depends on where somebody is.
    #[must_use]
    pub fn looks_at_place(&self) -> bool {
        let by_place = |rule: &Rule| !matches!(rule.on, On::Network(_) | On::Default);
        match self {
            Self::Nearest { .. } => true,
            Self::Rules(rules) => rules.iter().any(by_place),
            Self::Fence { rules, same, .. } => same.is_some() || rules.iter().any(by_place),
            Self::Sticky { key, .. } | Self::Cohort { key, .. } => matches!(key, Key::Asn | Key::Country),
            _ => false,
        }
    }

    /// The stage's word.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Tier(_) => "tier",
            Self::Rules(_) => "rules",
            Self::Fence { .. } => "fence",
            Self::Shed(_) => "shed",
            Self::Overflow(_) => "overflow",
            Self::Nearest { .. } => "nearest",
            Self::Score { .. } => "score",
            Self::Cheapest => "cheapest",
            Self::Fastest(_) => "fastest",
            Self::Weighted => "weighted",
            Self::Sticky { .. } => "sticky",
            Self::Cohort { .. } => "cohort",
            Self::RoundRobin { .. } => "round_robin",
            Self::P2c(_) => "p2c",
            Self::LeastConn(_) => "least_conn",
            Self::Bandit { .. } => "bandit",
            Self::Shuffle => "shuffle",
            Self::First(_) => "first",
            Self::All => "all",
        }
    }

    /// The metrics that the stage reads, and whether it can do without each.
    #[must_use]
    pub fn metrics(&self) -> Vec<(&str, bool)> {
        match self {
            Self::Shed(Shed { metric, .. }) | Self::Overflow(Overflow { metric }) | Self::P2c(P2c { metric }) => {
                vec![(metric, false)]
            }
            Self::LeastConn(LeastConn { metric, .. }) => vec![(metric, false)],
            Self::Fastest(Fastest { latency, active, .. }) => vec![(latency, false), (active, true)],
            Self::Cheapest => vec![("cost", true)],
            Self::Bandit { .. } => vec![(METRIC, true)],
            Self::Score { inputs, .. } => inputs
                .iter()
                .map(|(input, _)| match input {
                    Input::Cost => ("cost", true), // as declared
                    Input::Uptime => ("uptime", false),
                    Input::Average(metric) | Input::Last(metric) => (&**metric, false),
                })
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Whether the stage decides by numbers that may be younger than the answers' TTL: a lint where they are not.
    #[must_use]
    pub fn takes_the_least(&self) -> bool {
        matches!(
            self,
            Self::Fastest(Fastest { mode: Mode::Min, .. }) | Self::LeastConn(LeastConn { mode: Mode::Min, .. })
        )
    }
}

/// Why a policy does not fit a pool.
#[derive(Clone, PartialEq, Debug)]
pub enum PolicyFault {
    /// The pool has no member of this name.
    UnknownMember(Box<str>),
    /// A bias is outside −99…99.
    BadBias,
    /// The shares of a score do not sum to 1 but to this.
    ScoreSum(f64),
    /// A share, margin or metric bound is no sensible number.
    BadNumber(&'static str),
    /// No member is in this group of a cohort.
    EmptyGroup(Box<str>),
    /// A fence falls back, but there is no fallback pool.
    FenceWithoutFallback,
    /// `first: 0` answers nobody.
    FirstOfNone,
}

impl fmt::Display for PolicyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownMember(name) => write!(f, "the pool has no member {name}"),
            Self::BadBias => f.write_str("a bias must be from -99 to 99"),
            Self::ScoreSum(sum) => write!(f, "the shares of a score must sum to 1; these sum to {sum}"),
            Self::BadNumber(what) => write!(f, "{what} is out of range"),
            Self::EmptyGroup(group) => write!(f, "no member is in the group {group}"),
            Self::FenceWithoutFallback => {
                f.write_str("the fence needs `when_all_down: {fallback: POOL}`, or `on_empty: open` or `nodata`")
            }
            Self::FirstOfNone => f.write_str("`first: 0` would answer nobody"),
        }
    }
}

/// A policy made ready for one pool.
#[derive(Debug)]
pub struct Plan {
    /// The stages in order; the first is `healthy`.
    pub stages: Vec<Box<dyn Stage>>,
    /// How many members answer; none = not said by the policy.
    pub answers: Option<usize>,
    /// What depends on the place and can be compiled, if anything does.
    pub location: Option<LocationPolicy>,
    /// Where nothing but health and the place decides: how many members must stand where the place puts them.
    pub wanted_by_place: Option<usize>,
}

/// Makes `stages` ready for `pool` on the name's terms.
///
/// # Errors
/// Every [`PolicyFault`] found.
pub fn plan(
    stages: &[StageSpec],
    pool: &Pool,
    Terms { panic_below, answers: usual, .. }: Terms,
    has_fallback: bool,
) -> Result<Plan, Vec<PolicyFault>> {
    let healthy = Healthy {
        panic_below,
        by_tier: stages.iter().any(|stage| matches!(stage, StageSpec::Tier(_))),
        keeps_gone: stages.iter().any(|stage| matches!(stage, StageSpec::Overflow(_))),
    };
    let mut faults = Vec::new();
    let mut ready: Vec<Box<dyn Stage>> = vec![Box::new(healthy)];
    let (body, answers) = match stages.split_last() {
        Some((StageSpec::First(count), body)) => (body, Some(*count)),
        Some((StageSpec::All, body)) => (body, Some(usize::MAX)),
        _ => (stages, None),
    };
    if answers == Some(0) {
        faults.push(PolicyFault::FirstOfNone);
    }
    let (begin, end) = located::span(body);
    let mut wanted_by_place = None;
    let mut located: Vec<Box<dyn Stage>> = Vec::new();
    for (at, spec) in body.iter().enumerate() {
        let into = if (begin..end).contains(&at) { &mut located } else { &mut ready };
        match bind(spec, pool, has_fallback) {
            Ok(stage) => into.extend(stage),
            Err(found) => faults.extend(found),
        }
        if at + 1 == end {
            let behind = body.get(end..).unwrap_or_default();
            let wanted = if behind.iter().any(takes_away) { usize::MAX } else { answers.unwrap_or(usual) };
            wanted_by_place = ((begin, end) == (0, body.len())).then_some(wanted);
            let stages = std::mem::take(&mut located);
            ready.push(Box::new(Located { stages, wanted, has_nearest: matches!(spec, StageSpec::Nearest { .. }) }));
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let location = located::policy(body.get(begin..end).unwrap_or_default(), pool);
    Ok(Plan { stages: ready, answers, location, wanted_by_place })
}

/// Whether the stage may take away those that a stage before it put first.
const fn takes_away(spec: &StageSpec) -> bool {
    !matches!(spec, StageSpec::Weighted | StageSpec::Shuffle | StageSpec::RoundRobin { .. } | StageSpec::Healthy)
}

fn bind(spec: &StageSpec, pool: &Pool, has_fallback: bool) -> Result<Option<Box<dyn Stage>>, Vec<PolicyFault>> {
    Ok(Some(match spec {
        StageSpec::Healthy | StageSpec::All => return Ok(None),
        StageSpec::Tier(tier) => {
            require((0.0..=1.0).contains(&tier.trickle), PolicyFault::BadNumber("trickle"))?;
            Box::new(*tier)
        }
        StageSpec::Rules(rules) => Box::new(Rules(Table::new(rules, pool)?)),
        StageSpec::Fence { rules, same, on_empty } => {
            require(*on_empty != OnEmpty::Fallback || has_fallback, PolicyFault::FenceWithoutFallback)?;
            let table = if rules.is_empty() { None } else { Some(Table::new(rules, pool)?) };
            Box::new(Fence { table, same: *same, on_empty: *on_empty })
        }
        StageSpec::Shed(shed) => {
            require(shed.low < shed.high, PolicyFault::BadNumber("low or high of shed"))?;
            Box::new(shed.clone())
        }
        StageSpec::Overflow(overflow) => Box::new(overflow.clone()),
        StageSpec::Nearest { within, bias, fallback } => {
            let is_sound = match within {
                Within::Equal => true,
                Within::Share(number) | Within::Kilometres(number) => number.is_finite() && *number >= 0.0,
            };
            require(is_sound, PolicyFault::BadNumber("within"))?;
            require(bias.iter().all(|(_, bias)| (-99.0..=99.0).contains(bias)), PolicyFault::BadBias)?;
            let names: Vec<&str> = bias.iter().map(|(name, _)| &**name).collect();
            let biased = indices(&names, pool)?;
            let names: Vec<&str> = fallback.iter().map(|name| &**name).collect();
            Box::new(Nearest {
                within: *within,
                bias: biased.into_iter().zip(bias.iter().map(|(_, bias)| *bias)).collect(),
                fallback: indices(&names, pool)?,
            })
        }
        StageSpec::Score { inputs, margin } => {
            let sum: f64 = inputs.iter().map(|(_, share)| share).sum();
            require((sum - 1.0).abs() < 1e-6, PolicyFault::ScoreSum(sum))?;
            let are_shares = inputs.iter().all(|(_, share)| *share >= 0.0) && (0.0..1.0).contains(margin);
            require(are_shares, PolicyFault::BadNumber("share or margin of score"))?;
            Box::new(Score::new(inputs.clone(), *margin))
        }
        StageSpec::Cheapest => Box::new(Cheapest),
        StageSpec::Fastest(fastest) => Box::new(fastest.clone()),
        StageSpec::Weighted => Box::new(Weighted),
        StageSpec::Sticky { key, hash, seed, lazy_return } => {
            let seed = seed.as_deref().unwrap_or(pool.name());
            Box::new(Sticky::new(pool, *key, *hash, hash_bytes(0, seed.as_bytes()), *lazy_return))
        }
        StageSpec::Cohort { seed, key, split } => {
            let is_sound = split.iter().all(|(_, share)| share.is_finite() && *share >= 0.0)
                && split.iter().any(|(_, share)| *share > 0.0);
            require(is_sound, PolicyFault::BadNumber("split"))?;
            let empty = split.iter().find(|(group, _)| !pool.members().iter().any(|m| m.group.as_ref() == Some(group)));
            match empty {
                Some((group, _)) => return Err(vec![PolicyFault::EmptyGroup(group.clone())]),
                None => Box::new(Cohort::new(seed, *key, split)),
            }
        }
        StageSpec::RoundRobin { is_smooth } => Box::new(RoundRobin::new(*is_smooth)),
        StageSpec::P2c(p2c) => Box::new(p2c.clone()),
        StageSpec::LeastConn(least_conn) => Box::new(least_conn.clone()),
        StageSpec::Bandit { min, max } => {
            let is_sound = (0.0..=1.0).contains(min) && (*min..=1.0).contains(max);
            require(is_sound, PolicyFault::BadNumber("min or max of bandit"))?;
            Box::new(Bandit)
        }
        StageSpec::Shuffle => Box::new(Shuffle),
        StageSpec::First(count) => {
            require(*count > 0, PolicyFault::FirstOfNone)?;
            Box::new(First(*count))
        }
    }))
}

fn require(holds: bool, fault: PolicyFault) -> Result<(), Vec<PolicyFault>> {
    if holds { Ok(()) } else { Err(vec![fault]) }
}

fn indices(names: &[&str], pool: &Pool) -> Result<Vec<u16>, Vec<PolicyFault>> {
    let unknown: Vec<PolicyFault> = names
        .iter()
        .filter(|name| pool.index_of(name).is_none())
        .map(|&name| PolicyFault::UnknownMember(name.into()))
        .collect();
    if unknown.is_empty() { Ok(names.iter().filter_map(|name| pool.index_of(name)).collect()) } else { Err(unknown) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steer::testing::crowd;

    #[test]
    fn every_bare_word_is_a_stage_or_needs_to_be_told_more() {
        for word in StageSpec::WORDS {
            let needs_more = ["rules", "fence", "shed", "score", "cohort"].contains(&word);
            assert_eq!(StageSpec::from_word(word).is_none(), needs_more, "{word}");
            assert_eq!(StageSpec::from_word(word).map_or(word, |stage| stage.word()), word);
        }
    }

    #[test]
    fn a_policy_begins_with_health_and_its_end_says_how_many_answer() {
        let pool = crowd(3);
        let plan = plan(&[StageSpec::Weighted, StageSpec::First(2)], &pool, Terms::default(), false).unwrap();
        assert_eq!(plan.stages.iter().map(|stage| stage.name()).collect::<Vec<_>>(), ["healthy", "weighted"]);
        assert_eq!(plan.answers, Some(2));
    }

    #[test]
    fn all_faults_of_a_policy_are_found() {
        let stages = [
            StageSpec::Score { inputs: vec![(Input::Cost, 0.5)], margin: 0.1 },
            StageSpec::Nearest { within: Within::Equal, bias: vec![("x".into(), 10.0)], fallback: vec![] },
            StageSpec::Fence { rules: vec![], same: None, on_empty: OnEmpty::Fallback },
            StageSpec::Cohort { seed: "s".into(), key: Key::default(), split: vec![("g".into(), 1.0)] },
            StageSpec::First(0),
        ];
        let faults = plan(&stages, &crowd(2), Terms::default(), false).unwrap_err();
        assert_eq!(
            faults,
            [
                PolicyFault::FirstOfNone,
                PolicyFault::ScoreSum(0.5),
                PolicyFault::UnknownMember("x".into()),
                PolicyFault::FenceWithoutFallback,
                PolicyFault::EmptyGroup("g".into()),
            ]
        );
    }
}
