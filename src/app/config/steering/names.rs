//! Which names are steered, by the `steer` of zones and at the top: each by a pool and a policy, on its terms.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::cursor::{Field, Report, Section};
use super::super::fault::At;
use super::super::raw::{Value, quoted};
use super::super::scalars;
use super::super::zones::{Catalog, ZoneSettings};
use super::types::{Feed, Policy, PoolSettings, SteeredName, Steering};
use super::words::{self, Named};
use super::{lints, policies, stages};
use crate::base::bounds;
use crate::dns::{Name, RecordType};
use crate::steer::health::check::Check;
use crate::steer::{Client, Family, PoolId, StageSpec, Steering as Steered, Terms, Unknown, WhenAllDown};

const FORM: &str = "a mapping such as {www: {pool: www, policy: weighted}}";
/// TTLs beyond a week are of no use to a balancer.
const TTL_MAX: u32 = 604_800;

/// A pool, a policy (by its address, which lives as long as the pair is known) and whether there is a fallback.
type Pair = (usize, usize, bool);

/// Reads steered names wherever they stand.
pub(in crate::app::config) struct Steerer {
    settings: Steering,
    checks: Named<Check>,
    pub(super) feeds: Named<Feed>,
    pub(super) pools: Named<PoolSettings>,
    policies: Named<Policy>,
    /// Policies of one word, which thousands of names may share.
    bare: BTreeMap<Box<str>, Arc<Policy>>,
    /// What was found to fit together, or was told not to; the policies so that their addresses stay theirs.
    fitted: BTreeMap<Pair, Arc<Policy>>,
    owners: BTreeSet<Name>,
}

impl Steerer {
    pub(super) fn new(
        settings: Steering,
        checks: Named<Check>,
        feeds: Named<Feed>,
        pools: Named<PoolSettings>,
        policies: Named<Policy>,
    ) -> Self {
        let (bare, fitted, owners) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Self { settings, checks, feeds, pools, policies, bare, fitted, owners }
    }

    /// The `steer` of a zone.
    pub(in crate::app::config) fn zone(&mut self, section: &mut Section<'_>, zone: &ZoneSettings) {
        let Some(field) = section.take("steer").filter(|field| !field.node.is_off()) else { return };
        if !field.node.is_empty()
            && let Some(why) = unsteerable(zone)
        {
            return field.fault(format!("nothing, as {why}"));
        }
        for (text, at, field) in field.entries(FORM).unwrap_or_default() {
            match owner_in(text, &zone.apex) {
                Some(owner) => self.name(owner, &zone.apex, at, &field),
                None => field.fault_at(at, quoted(text), format!("a name in {}, or @ for the zone's own", zone.apex)),
            }
        }
    }

    /// The block `steer` at the top, and all of it together.
    pub(in crate::app::config) fn finish(
        mut self,
        top: &mut Section<'_>,
        zones: &[Arc<ZoneSettings>],
        report: &Report,
    ) -> Steering {
        let field = top.take("steer").filter(|field| !field.node.is_off());
        for (text, at, field) in field.and_then(|field| field.entries(FORM)).unwrap_or_default() {
            let Some((owner, zone)) = owner_among(text, zones) else {
                let allowed = match zones {
                    [] => "a name in a zone, and there is none under `zones:`".to_owned(),
                    [zone] => format!("a name in {}, or @ for the zone's own", zone.apex),
                    _ => "a whole name in one of the zones, such as www.example.com".to_owned(),
                };
                field.fault_at(at, quoted(text), allowed);
                continue;
            };
            match unsteerable(zone) {
                Some(why) => field.fault_at(at, format!("{owner}, a name in {}", zone.apex), format!("none, as {why}")),
                None => self.name(owner, &zone.apex, at, &field),
            }
        }
        if report.is_clean() {
            lints::idle_pools(&self.pools, &self.settings.names, report); // else it is the fault's doing
        }
        let mut read: BTreeMap<PoolId, BTreeSet<&str>> = BTreeMap::new();
        for name in &self.settings.names {
            let metrics = name.policy.stages.iter().flat_map(StageSpec::metrics).map(|(metric, _)| metric);
            read.entry(name.pool).or_default().extend(metrics);
        }
        let none = BTreeSet::new();
        let told = |pool: &Arc<PoolSettings>| with_feeds(pool, read.get(&pool.pool.id()).unwrap_or(&none), &self.feeds);
        let pools = self.pools.all().iter().map(told).collect();
        Steering {
            pools,
            checks: self.checks.all().to_vec(),
            feeds: self.feeds.all().to_vec(),
            policies: self.policies.all().to_vec(),
            ..self.settings
        }
    }

    fn name(&mut self, owner: Name, zone: &Name, at: At, field: &Field<'_>) {
        if !self.owners.insert(owner.clone()) {
            return field.fault_at(at, format!("the name {owner} again"), "each name once");
        }
        let Some(mut section) = field.section("a mapping such as {pool: www, policy: weighted, ttl: 30}") else {
            return;
        };
        let told = section.require("pool", "the name of a pool");
        let pool = told.as_ref().and_then(|field| self.pools.of(field));
        let wanted = section.take("policy");
        let policy = match &wanted {
            Some(field) => self.policy(field),
            None => Some(self.usual_policy()),
        };
        let (ttl_min, ttl_max) = section.take("ttl").and_then(|field| ttl(&field)).unwrap_or((60, 60));
        let answers = section.take("answers").and_then(|field| answers(&field)).unwrap_or(1);
        let (when_all_down, fallback) = self.when_all_down(&mut section, pool.as_ref().map(|(at, _)| *at));
        let families = [("strict", Family::Strict), ("nearest_with", Family::NearestWith)];
        let family = section.choice("family", Family::Strict, &families);
        let agree = stages::agree(&mut section);
        let panic_below = section.take("panic_below").and_then(|field| words::share(&field)).unwrap_or_default();
        section.close();
        let (Some((id, pool)), Some(policy), Some(told)) = (pool, policy, told) else { return };
        let agree = agree.or(policy.agree).unwrap_or_default();
        let secret = words::digest(zone.lowered().wire());
        let terms = Terms { ttl_min, ttl_max, answers, when_all_down, family, agree, panic_below, secret };
        let name = SteeredName {
            owner,
            zone: zone.clone(),
            pool: PoolId(id as u32),
            policy,
            terms,
            fallback: fallback.as_ref().map(|(at, _)| PoolId(*at as u32)),
            origin: field.origin_at(at),
        };
        let fallback = fallback.map(|(_, pool)| pool);
        hold_aliases(&name, &told, [Some(&pool), fallback.as_ref()]);
        self.fit(&name, &pool, fallback.as_ref(), wanted.as_ref().unwrap_or(field));
        self.settings.names.push(Arc::new(name));
    }

    fn policy(&mut self, field: &Field<'_>) -> Option<Arc<Policy>> {
        match field.node.text() {
            Some(word) if self.policies.get(word).is_none() => {
                if let Some(policy) = self.bare.get(word) {
                    return Some(Arc::clone(policy));
                }
                let policy = policies::wanted(field, &self.policies)?;
                self.bare.insert(word.into(), Arc::clone(&policy));
                Some(policy)
            }
            _ => policies::wanted(field, &self.policies),
        }
    }

    /// The policy of a name that asks for none.
    fn usual_policy(&mut self) -> Arc<Policy> {
        let weighted = || Policy {
            name: "weighted".into(),
            stages: vec![StageSpec::Weighted],
            client: Client::default(),
            unknown: Unknown::default(),
            agree: None,
        };
        Arc::clone(self.bare.entry("weighted".into()).or_insert_with(|| Arc::new(weighted())))
    }

    fn when_all_down(
        &self,
        section: &mut Section<'_>,
        pool: Option<usize>,
    ) -> (WhenAllDown, Option<(usize, Arc<PoolSettings>)>) {
        let choices = [
            ("serve_all", WhenAllDown::ServeAll),
            ("nodata", WhenAllDown::NoData),
            ("servfail", WhenAllDown::ServFail),
            ("last_good", WhenAllDown::LastGood),
        ];
        let Some(field) = section.take("when_all_down") else { return (WhenAllDown::ServeAll, None) };
        if !matches!(field.node.value, Value::Map(_)) {
            let read = |text: &str| choices.iter().find(|(word, _)| *word == text).map(|(_, choice)| *choice);
            let allowed = "serve_all, nodata, servfail, last_good or {fallback: POOL}";
            return (field.scalar(allowed, read).unwrap_or_default(), None);
        }
        let Some(mut told) = field.section("a mapping such as {fallback: sorry}") else {
            return (WhenAllDown::ServeAll, None);
        };
        let named = told.require("fallback", "the name of a pool");
        told.close();
        let fallback = named.as_ref().and_then(|field| self.pools.of(field));
        if let (Some((at, _)), Some(named)) = (&fallback, &named)
            && Some(*at) == pool
        {
            named.fault("another pool than the one that is down");
        }
        (WhenAllDown::Fallback, fallback)
    }

    /// Notes what does not fit together, once for every pool and policy.
    fn fit(
        &mut self,
        name: &SteeredName,
        pool: &Arc<PoolSettings>,
        fallback: Option<&Arc<PoolSettings>>,
        field: &Field<'_>,
    ) {
        lints::name(name, &self.feeds, field);
        let pair = (name.pool.0 as usize, Arc::as_ptr(&name.policy).addr(), fallback.is_some());
        if self.fitted.insert(pair, Arc::clone(&name.policy)).is_some() {
            return;
        }
        let fallback = fallback.map(|settings| Arc::clone(&settings.pool));
        match Steered::new(Arc::clone(&pool.pool), &name.policy.stages, name.terms, fallback) {
            Ok(_) => lints::pair(name, &pool.pool, &self.feeds, field),
            Err(faults) => {
                for fault in faults {
                    let (policy, pool) = (&name.policy.name, pool.pool.name());
                    field.fault_found(format!("the policy {policy} does not fit the pool {pool}: {fault}"), "");
                }
            }
        }
    }
}

/// Why nothing in a zone can be steered.
fn unsteerable(zone: &ZoneSettings) -> Option<&'static str> {
    if zone.is_secondary() {
        Some("a secondary has the data of its primaries")
    } else if !zone.update.is_empty() {
        Some("the zone is changed by dynamic update, which knows nothing of steered names")
    } else if zone.catalog == Catalog::Produce {
        Some("a catalog lists zones, and nothing else")
    } else {
        None
    }
}

/// The name that `text` means in a zone: relative to it, unless it is a whole name in it.
fn owner_in(text: &str, apex: &Name) -> Option<Name> {
    if text == "@" {
        return Some(apex.clone());
    }
    let name: Name = text.parse().ok()?;
    if name.is_within(apex) || text.ends_with('.') {
        return name.is_within(apex).then_some(name);
    }
    name.with_ending(&Name::root(), apex)?.ok()
}

/// The name that `text` means among all zones, and its zone: whole, or relative to the only one.
fn owner_among<'z>(text: &str, zones: &'z [Arc<ZoneSettings>]) -> Option<(Name, &'z ZoneSettings)> {
    if let [zone] = zones {
        return owner_in(text, &zone.apex).map(|owner| (owner, &**zone));
    }
    let name: Name = text.parse().ok()?;
    let around = zones.iter().filter(|zone| name.is_within(&zone.apex));
    let zone = around.max_by_key(|zone| zone.apex.label_count())?;
    Some((name, zone))
}

/// Notes an alias where none may stand (RFC 1034 §3.6.2): beside the records of an apex, or among other answers.
fn hold_aliases(name: &SteeredName, told: &Field<'_>, pools: [Option<&Arc<PoolSettings>>; 2]) {
    for pool in pools.into_iter().flatten().filter(|settings| settings.pool.has(RecordType::CNAME)) {
        let found = format!("the pool {}, whose members are aliases", pool.pool.name());
        if name.owner == name.zone {
            told.fault_found(&found, "members with addresses, as no CNAME may stand at a zone's own name");
        }
        if lints::answers(name) > 1 {
            told.fault_found(&found, "`answers: 1`, as a CNAME is answered alone");
        }
    }
}

fn ttl(field: &Field<'_>) -> Option<(u32, u32)> {
    let seconds = |text: &str| {
        let seconds = text.parse().ok().or_else(|| {
            let duration = scalars::duration(text).filter(|duration| duration.subsec_nanos() == 0)?;
            u32::try_from(duration.as_secs()).ok()
        });
        seconds.filter(|seconds| *seconds <= TTL_MAX)
    };
    let read = |text: &str| {
        let (least, most) = text.split_once("..").unwrap_or((text, text));
        Some((seconds(least)?, seconds(most)?)).filter(|(least, most)| least <= most)
    };
    field.scalar("seconds such as 60, or the least and the most such as 15..60; at most 7d", read)
}

fn answers(field: &Field<'_>) -> Option<usize> {
    let most = bounds::RECORDS_PER_RRSET;
    let read = |text: &str| match text {
        "all" => Some(most),
        count => count.parse().ok().filter(|count| (1..=most).contains(count)),
    };
    field.scalar(format!("how many members answer, from 1 to {most}, or all"), read)
}

/// The pool with the feeds that it names and those of `metrics`, which its policies read.
fn with_feeds(settings: &Arc<PoolSettings>, metrics: &BTreeSet<&str>, feeds: &Named<Feed>) -> Arc<PoolSettings> {
    let mut all = settings.feeds.clone();
    for (_, feed) in metrics.iter().filter_map(|metric| feeds.get(metric)) {
        if !all.iter().any(|known| known.name == feed.name) {
            all.push(Arc::clone(feed));
        }
    }
    if all.len() == settings.feeds.len() {
        return Arc::clone(settings);
    }
    Arc::new(PoolSettings { feeds: all, ..PoolSettings::clone(settings) })
}
