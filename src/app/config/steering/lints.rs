//! What fits together and is probably not meant so.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::cursor::{Field, Report};
use super::super::fault::{At, Severity};
use super::checks::written;
use super::types::{Feed, PoolSettings, SteeredName};
use super::words::Named;
use crate::steer::stages::fence::OnEmpty;
use crate::steer::{Member, Pool, PoolId, StageSpec, centroids};

/// A TTL of negative answers that does little harm, seconds (R2 of the steering rules).
const NODATA_TTL_MAX: u32 = 10;
/// Numbers must be so many times younger than answers for the least of them to be worth taking (R15).
const MIN_MODE: u32 = 30;

/// How many members answer for a name.
pub(super) fn answers(name: &SteeredName) -> usize {
    match name.policy.stages.last() {
        Some(StageSpec::First(count)) => *count,
        Some(StageSpec::All) => usize::MAX,
        _ => name.terms.answers,
    }
}

/// Pools that no name answers from.
pub(super) fn idle_pools(pools: &Named<PoolSettings>, names: &[Arc<SteeredName>], report: &Report) {
    let used: BTreeSet<PoolId> = names.iter().flat_map(|name| [Some(name.pool), name.fallback]).flatten().collect();
    for settings in pools.all() {
        if !used.contains(&settings.pool.id()) {
            let at = At { line: settings.origin.line.into(), column: settings.origin.column.into() };
            let key = format!("pools.{}", settings.pool.name());
            report.note(
                Severity::Lint,
                at,
                &key,
                "a pool that no name answers from",
                "a name under `steer`, or no pool",
            );
        }
    }
}

/// What a name's own terms make questionable.
pub(super) fn name(name: &SteeredName, feeds: &Named<Feed>, field: &Field<'_>) {
    for stage in &name.policy.stages {
        if let StageSpec::Fence { on_empty: OnEmpty::NoData, .. } = stage {
            let better = if name.terms.ttl_max > NODATA_TTL_MAX {
                "`on_empty: fallback` or `open`, or a TTL of at most 10s; resolvers give NODATA to everybody"
            } else {
                "`on_empty: fallback` or `open`; resolvers give NODATA to everybody"
            };
            field.lint("a fence that can end empty", better);
        }
        let slow = stage.metrics().into_iter().filter_map(|(metric, _)| feeds.get(metric)).find(|(_, feed)| {
            stage.takes_the_least()
                && u128::from(name.terms.ttl_max) * 1_000 < feed.every.as_millis() * u128::from(MIN_MODE)
        });
        if let Some((_, feed)) = slow {
            let found = format!(
                "`mode: min` with the feed {} every {} and a TTL of {}s",
                feed.name,
                written(feed.every),
                name.terms.ttl_max
            );
            field.lint(found, "`mode: weights` or `p2c`, unless a feed is 30 times as quick as the TTL");
        }
    }
}

/// What a pool and a policy that fit make questionable.
pub(super) fn pair(name: &SteeredName, pool: &Pool, feeds: &Named<Feed>, field: &Field<'_>) {
    let stages = &name.policy.stages;
    let has = |word: &str| stages.iter().any(|stage| stage.word() == word);
    for (metric, can_do_without) in stages.iter().flat_map(StageSpec::metrics) {
        if !can_do_without && feeds.get(metric).is_none() {
            field.lint(format!("the metric {metric}, which no feed tells"), format!("a feed {metric} under `feeds:`"));
        }
    }
    for stage in stages {
        match stage {
            StageSpec::Cohort { split, .. } => {
                let is_in = |member: &Member| {
                    split.iter().any(|(group, share)| *share > 0.0 && member.group.as_ref() == Some(group))
                };
                unreached(field, pool, |member| !is_in(member), "is in no group of the split", "a group for each");
            }
            StageSpec::Nearest { .. } => {
                let named = ruled(stages);
                let is_nowhere =
                    |member: &Member| centroids::point_of(&member.place).is_none() && !named.contains(&&*member.name);
                unreached(field, pool, is_nowhere, "has no place, and no rule names it", "`at` for each member");
            }
            StageSpec::Fence { same: Some(same), .. } => {
                let is_nowhere = |member: &Member| !same.is_told(&member.place);
                unreached(
                    field,
                    pool,
                    is_nowhere,
                    "is in no place that the fence could compare",
                    "`in` for each member",
                );
            }
            _ => {}
        }
    }
    let mut tiers = pool.members().iter().map(|member| member.tier);
    let first = tiers.next();
    if !has("tier") && tiers.any(|tier| Some(tier) != first) {
        let found = format!("tiers in the pool {}, which the policy {} ignores", pool.name(), name.policy.name);
        field.lint(found, "the stage `tier`");
    }
}

/// Notes the members that never answer while another is up.
fn unreached(field: &Field<'_>, pool: &Pool, is_out: impl Fn(&Member) -> bool, why: &str, better: &str) {
    let mut out = pool.members().iter().filter(|member| is_out(member));
    if let Some(first) = out.next() {
        let more = out.count();
        let others = if more > 0 { format!(" (and {more} more)") } else { String::new() };
        field.lint(format!("the member {}/{}, which {why}{others}", pool.name(), first.name), better);
    }
}

/// The members that a rule prefers, in order of name.
fn ruled(stages: &[StageSpec]) -> BTreeSet<&str> {
    let rules = stages.iter().filter_map(|stage| match stage {
        StageSpec::Rules(rules) => Some(rules),
        _ => None,
    });
    rules.flatten().flat_map(|rule| &rule.prefer).map(|name| &**name).collect()
}
