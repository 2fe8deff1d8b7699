//! The stages of a policy: each word, and what it can be told.

use std::time::Duration;

use super::super::cursor::{Field, Section, listed};
use super::super::fault::nearest;
use super::super::raw::{Node, Value};
use super::super::scalars;
use super::geo::lengths;
use super::{rules, words};
use crate::steer::policy::VNODES;
use crate::steer::stages::fastest::Fastest;
use crate::steer::stages::least_conn::LeastConn;
use crate::steer::stages::nearest::Within;
use crate::steer::stages::overflow::Overflow;
use crate::steer::stages::p2c::P2c;
use crate::steer::stages::score::Input;
use crate::steer::stages::shed::Shed;
use crate::steer::stages::spread::Mode;
use crate::steer::stages::sticky::Hash;
use crate::steer::stages::tier::{Failback, Tier};
use crate::steer::{Agree, Key, StageSpec};

/// The stages read so far.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) stages: Vec<StageSpec>,
    /// What `weighted: {agree: …}` wants.
    pub(super) agree: Option<Agree>,
}

/// Other names under which stages are known, and what each stands for.
const ALIASES: [(&str, &str); 14] = [
    ("smooth_weighted_round_robin", "{round_robin: {smooth: true}}"),
    ("weighted_round_robin", "{round_robin: {smooth: true}}"),
    ("least_connections", "least_conn"),
    ("weighted_least_connections", "least_conn"),
    ("least_response_time", "fastest"),
    ("ip_hash", "{sticky: {key: 32/128}}"),
    ("consistent_hash", "{sticky: {hash: ring, vnodes: 160}}"),
    ("power_of_two_choices", "p2c"),
    ("active_passive", "tier"),
    ("failover", "tier"),
    ("geo", "nearest"),
    ("random", "shuffle"),
    ("thompson", "bandit"),
    ("canary", "cohort"),
];

/// What another name of a stage stands for, as YAML.
pub(super) fn alias(word: &str) -> Option<&'static str> {
    ALIASES.iter().find(|(alias, _)| *alias == word).map(|(_, meant)| *meant)
}

/// Reads a stage: a word, or a word and what it is told.
pub(super) fn read(field: &Field<'_>, draft: &mut Draft) -> Option<()> {
    if let Some(word) = field.node.text() {
        if let Some(node) = alias(word).and_then(|meant| Node::parse(meant).ok())
            && matches!(node.value, Value::Map(_))
        {
            return read(&field.with(&Node { at: field.node.at, ..node }), draft);
        }
        let word = alias(word).unwrap_or(word);
        let Some(stage) = StageSpec::from_word(word) else {
            field.fault(if StageSpec::WORDS.contains(&word) { needs(word) } else { known(word) });
            return None;
        };
        draft.stages.push(stage);
        return Some(());
    }
    let entries = field.entries("a stage such as weighted, or {nearest: {within: 10%}}")?;
    let [(word, at, told)] = entries.as_slice() else {
        field.fault_found(
            format!("{} words in one stage", entries.len()),
            "one word a stage; stages are items of a list",
        );
        return None;
    };
    let word = alias(word).filter(|meant| !meant.starts_with('{')).unwrap_or(word);
    if !StageSpec::WORDS.contains(&word) {
        told.fault_at(*at, super::super::raw::quoted(word), known(word));
        return None;
    }
    let is_bare = told.node.is_null();
    let stage = if is_bare {
        let stage = StageSpec::from_word(word);
        if stage.is_none() {
            told.fault_at(*at, "nothing", needs(word));
        }
        stage
    } else {
        stage(word, told, draft)
    }?;
    draft.stages.push(stage);
    Some(())
}

fn known(word: &str) -> String {
    listed(StageSpec::WORDS, nearest(word, StageSpec::WORDS))
}

/// What a stage that means nothing alone must be told.
fn needs(word: &str) -> String {
    let example = match word {
        "rules" => "rules: {geo: {EU: fra}, default: iad}",
        "fence" => "fence: {same: continent, on_empty: open}",
        "shed" => "shed: {metric: load, low: 70, high: 95}",
        "score" => "score: {latency: 0.7, load: 0.3}",
        _ => "cohort: {seed: trial-1, split: {stable: 80, canary: 20}}",
    };
    format!("what it is to do, such as {example}")
}

fn stage(word: &str, told: &Field<'_>, draft: &mut Draft) -> Option<StageSpec> {
    match word {
        "rules" => return Some(StageSpec::Rules(rules::read(told)?)),
        "fence" => return rules::fence(told),
        "score" => return score(told),
        "first" => {
            let allowed = "how many members answer, from 1 to 256";
            let read = |text: &str| text.parse().ok().filter(|count| (1..=256).contains(count));
            return told.scalar(allowed, read).map(StageSpec::First);
        }
        _ => {}
    }
    let mut section = told.section(format!("a mapping of what {word} is told, or {word} alone"))?;
    let stage = from_section(word, &mut section, draft);
    section.close();
    stage
}

fn from_section(word: &str, section: &mut Section<'_>, draft: &mut Draft) -> Option<StageSpec> {
    Some(match word {
        "tier" => StageSpec::Tier(tier(section)),
        "shed" => {
            let metric = section.take("metric").map_or(Some("load".into()), |field| words::name(&field));
            let mut bound = |key| {
                let field = section.require(key, "a number in the unit of the metric")?;
                words::number(&field, "a number in the unit of the metric", |_| true)
            };
            let (low, high) = (bound("low"), bound("high"));
            StageSpec::Shed(Shed { metric: metric?, low: low?, high: high? })
        }
        "overflow" => StageSpec::Overflow(Overflow { metric: metric(section, "metric", "load") }),
        "nearest" => nearest_stage(section),
        "fastest" => {
            let usual = Fastest::default();
            StageSpec::Fastest(Fastest {
                latency: metric(section, "latency", &usual.latency),
                active: metric(section, "active", &usual.active),
                mode: mode(section),
            })
        }
        "weighted" => {
            if let Some(agree) = agree(section) {
                draft.agree = Some(agree);
            }
            StageSpec::Weighted
        }
        "sticky" => sticky(section),
        "cohort" => cohort(section)?,
        "round_robin" => StageSpec::RoundRobin { is_smooth: section.flag("smooth", false) },
        "p2c" => StageSpec::P2c(P2c { metric: metric(section, "metric", "load") }),
        "least_conn" => {
            let usual = LeastConn::default();
            StageSpec::LeastConn(LeastConn { metric: metric(section, "metric", &usual.metric), mode: mode(section) })
        }
        "bandit" => {
            let mut bound = |key, usual| section.take(key).and_then(|field| words::share(&field)).unwrap_or(usual);
            StageSpec::Bandit { min: bound("min", 0.05), max: bound("max", 0.90) }
        }
        // The others have nothing to be told.
        other => StageSpec::from_word(other)?,
    })
}

fn metric(section: &mut Section<'_>, key: &'static str, usual: &str) -> Box<str> {
    section.take(key).and_then(|field| words::name(&field)).unwrap_or_else(|| usual.into())
}

fn mode(section: &mut Section<'_>) -> Mode {
    section.choice("mode", Mode::Weights, &[("weights", Mode::Weights), ("p2c", Mode::P2c), ("min", Mode::Min)])
}

/// Whether draws agree; `no` is a word in YAML 1.2, and `off` says the same.
pub(super) fn agree(section: &mut Section<'_>) -> Option<Agree> {
    section.take("agree")?;
    let choices = [("auto", Agree::Auto), ("no", Agree::No), ("off", Agree::No), ("ttl", Agree::Ttl)];
    Some(section.choice("agree", Agree::Auto, &choices))
}

fn tier(section: &mut Section<'_>) -> Tier {
    let failback = section.take("failback").and_then(|field| {
        let after = field.node.entry("after").map(|node| field.with(node));
        after.unwrap_or(field).scalar("auto, manual, or for how long a tier must be up, such as 10m", |text| match text
        {
            "auto" => Some(Failback::Auto),
            "manual" => Some(Failback::Manual),
            wait => scalars::duration(wait).map(Failback::After),
        })
    });
    let trickle = section.take("trickle").and_then(|field| words::share(&field));
    Tier { failback: failback.unwrap_or_default(), trickle: trickle.unwrap_or_default() }
}

fn nearest_stage(section: &mut Section<'_>) -> StageSpec {
    let within = section.take("within").and_then(|field| {
        field.scalar("a percentage such as 10%, or a distance such as 150km", |text| match text.strip_suffix("km") {
            Some(km) => km.trim_end().parse().ok().filter(|km| (0.0..=25_000.0).contains(km)).map(Within::Kilometres),
            None => scalars::share(text).map(|millionths| Within::Share(f64::from(millionths) / 1e6)),
        })
    });
    let bias = section.take("bias").map(|field| biases(&field)).unwrap_or_default();
    let fallback = section.take("fallback").map(|field| field.each().iter().filter_map(words::name).collect());
    StageSpec::Nearest { within: within.unwrap_or_default(), bias, fallback: fallback.unwrap_or_default() }
}

/// Members and by how many percent each looks nearer.
pub(super) fn biases(field: &Field<'_>) -> Vec<(Box<str>, f64)> {
    let is_fit = |bias: f64| (-99.0..=99.0).contains(&bias);
    let bias = |(name, _, field): &(&str, _, Field<'_>)| {
        let bias = words::number(field, "percent from -99 (farther) to 99 (nearer)", is_fit)?;
        Some(((*name).into(), bias))
    };
    field.entries("a mapping such as {iad: 20, sin: -10}").unwrap_or_default().iter().filter_map(bias).collect()
}

fn score(told: &Field<'_>) -> Option<StageSpec> {
    const FORM: &str = "metrics and their shares, such as {latency: 0.7, load: 0.3, margin: 10%}";
    let (mut inputs, mut margin, mut is_whole) = (Vec::new(), Some(0.1), true);
    for (name, _, field) in words::members(told, FORM) {
        if name == "margin" {
            margin = words::share(&field);
            continue;
        }
        match words::share(&field) {
            Some(share) => inputs.push((Input::named(name), share)),
            None => is_whole = false,
        }
    }
    let sum: f64 = inputs.iter().map(|(_, share)| share).sum();
    if is_whole && (sum - 1.0).abs() > 1e-6 {
        told.fault_found(format!("shares that sum to {}", (sum * 1e6).round() / 1e6), "shares that sum to 1");
        return None;
    }
    is_whole.then_some(StageSpec::Score { inputs, margin: margin? })
}

fn sticky(section: &mut Section<'_>) -> StageSpec {
    let vnodes = section.take("vnodes");
    let points = section.number("vnodes", VNODES, 1..=10_000);
    let ring = Hash::Ring { vnodes: points };
    let hashes = [("rendezvous", Hash::Rendezvous), ("ring", ring), ("maglev", Hash::Maglev), ("modulo", Hash::Modulo)];
    let hash = section.choice("hash", Hash::Rendezvous, &hashes);
    if let (Some(field), false) = (vnodes, hash == ring) {
        field.fault("nothing, unless with `hash: ring`");
    }
    let lazy_return = section.take("return").and_then(|field| {
        let allowed = "true (at once), lazy (after 10 minutes), or how long after the member came back, such as 1h";
        field.scalar(allowed, |text| match text {
            "true" | "auto" => Some(Duration::ZERO),
            "lazy" => Some(Duration::from_secs(600)),
            wait => scalars::duration(wait),
        })
    });
    StageSpec::Sticky {
        key: key(section),
        hash,
        seed: section.take("seed").and_then(|field| words::text(&field)),
        lazy_return: lazy_return.unwrap_or_default(),
    }
}

/// By what a client is recognised.
fn key(section: &mut Section<'_>) -> Key {
    let read = |text: &str| match text {
        "asn" => Some(Key::Asn),
        "country" => Some(Key::Country),
        "resolver" => Some(Key::Resolver),
        "subnet" => Some(Key::default()),
        lengths_text => {
            let (v4, v6) = lengths(lengths_text.strip_prefix("subnet/").unwrap_or(lengths_text))?;
            Some(Key::Prefix(v4, v6))
        }
    };
    let allowed = "prefix lengths such as 24/56 or subnet/20/48, or asn, country or resolver";
    section.take("key").and_then(|field| field.scalar(allowed, read)).unwrap_or_default()
}

fn cohort(section: &mut Section<'_>) -> Option<StageSpec> {
    const SPLIT: &str = "groups and their shares, such as {stable: 80, canary: 20}";
    let seed = section.take("seed").map_or(Some("".into()), |field| words::text(&field));
    let key = key(section);
    let split = section.require("split", SPLIT)?;
    let told = words::members(&split, SPLIT);
    let shares: Vec<(Box<str>, f64)> = told
        .iter()
        .filter_map(|(group, _, field)| {
            let read = |text: &str| text.trim_end_matches('%').parse().ok().filter(|share| (0.0..=1e9).contains(share));
            Some(((*group).into(), field.scalar("a share such as 80 or 80%", read)?))
        })
        .collect();
    if shares.len() < told.len() {
        return None;
    }
    let sum: f64 = shares.iter().map(|(_, share)| share).sum();
    if sum <= 0.0 {
        split.fault(SPLIT);
        return None;
    }
    if (sum - 100.0).abs() > 1e-6 && (sum - 1.0).abs() > 1e-6 {
        split.lint(format!("shares that sum to {sum}"), "shares that sum to 100, which read as percent");
    }
    Some(StageSpec::Cohort { seed: seed?, key, split: shares })
}
