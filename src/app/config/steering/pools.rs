//! The block `pools`: who can answer, and how it is found out who is alive.

use std::sync::Arc;

use super::super::cursor::{Field, Section};
use super::super::fault::At;
use super::members;
use super::types::{Feed, PoolSettings};
use super::words::{self, Named};
use crate::base::bounds;
use crate::steer::health::Need;
use crate::steer::health::check::Check;
use crate::steer::{Member, Pool, PoolFault, PoolId};

const FORM: &str = "a mapping such as {www: {check: web, members: {fra: {a: 192.0.2.1}}}}";
const POOL_FORM: &str = "a mapping such as {check: web, members: {fra: {a: 192.0.2.1, at: FRA}}}";
const MEMBERS_FORM: &str = "a mapping such as {fra: {a: 192.0.2.1, at: FRA}, sin: {a: 203.0.113.1, at: SIN}}";

pub(super) fn read(top: &mut Section<'_>, checks: &Named<Check>, feeds: &Named<Feed>) -> Named<PoolSettings> {
    let mut pools = Named::new("pools");
    let mut probed = 0;
    for (name, at, field) in words::named(top, "pools", FORM) {
        let id = PoolId(pools.all().len() as u32);
        let Some(settings) = pool(id, name, at, &field, checks, feeds) else { continue };
        probed += settings.pool.members().len() * settings.checks.len();
        if probed > bounds::CHECKS_MAX {
            field.fault_at(at, format!("{probed} members to check"), format!("at most {}", bounds::CHECKS_MAX));
            break;
        }
        pools.add(name, settings);
    }
    pools
}

fn pool(
    id: PoolId,
    name: &str,
    at: At,
    field: &Field<'_>,
    checks: &Named<Check>,
    feeds: &Named<Feed>,
) -> Option<PoolSettings> {
    let mut section = field.section(POOL_FORM)?;
    let checks: Vec<Arc<Check>> = references(&mut section, "check", checks);
    let feeds: Vec<Arc<Feed>> = references(&mut section, "feeds", feeds);
    if feeds.len() > bounds::METRICS_MAX {
        field.fault_at(at, format!("{} feeds", feeds.len()), format!("at most {}", bounds::METRICS_MAX));
    }
    let need = section.take("need").map_or(Some(Need::All), |field| need(&field, checks.len()));
    let mut usual = Member::new("");
    members::usual_keys(&mut section, &mut usual);
    let told = section.require("members", MEMBERS_FORM);
    section.close();
    let told = words::members(&told?, MEMBERS_FORM);
    let read: Vec<Member> = told.iter().filter_map(|(name, _, field)| members::read(name, field, &usual)).collect();
    let is_whole = read.len() == told.len();
    let place = |name: &str| told.iter().find(|(known, ..)| *known == name).map(|(_, at, field)| (*at, field));
    if let Some(alias) = read.iter().find(|member| member.cname.is_some())
        && read.iter().any(|member| member.cname.is_none())
        && let Some((at, member)) = place(&alias.name)
    {
        member.fault_at(at, "a cname among members that have none", "cname for all members of a pool, or for none");
    }
    match Pool::new(id, name, read) {
        Ok(pool) => Some(PoolSettings {
            pool: Arc::new(pool),
            checks,
            need: need.unwrap_or_default(),
            feeds,
            origin: field.origin_at(at),
        }),
        Err(faults) => {
            for fault in &faults {
                match fault {
                    // Of members that could not be read it is told already.
                    PoolFault::Empty if !is_whole => {}
                    fault => match member_of(fault).and_then(place) {
                        Some((at, member)) => member.fault_at(at, fault, ""),
                        None => field.fault_at(at, fault, ""),
                    },
                }
            }
            None
        }
    }
}

/// The member that a fault is about.
fn member_of(fault: &PoolFault) -> Option<&str> {
    match fault {
        PoolFault::Empty | PoolFault::TooManyMembers => None,
        PoolFault::Duplicate(name)
        | PoolFault::NoData(name)
        | PoolFault::CnameNotAlone(name)
        | PoolFault::TooManyAddresses(name)
        | PoolFault::BadNumber(name) => Some(name),
    }
}

/// A name, or a list of names, each once.
fn references<T>(section: &mut Section<'_>, key: &'static str, known: &Named<T>) -> Vec<Arc<T>> {
    let Some(field) = section.take(key).filter(|field| !field.node.is_off()) else { return Vec::new() };
    let mut found: Vec<(usize, Arc<T>)> = Vec::new();
    for item in field.each() {
        let Some((at, thing)) = known.of(&item) else { continue };
        if found.iter().any(|(other, _)| *other == at) {
            item.fault_found(format!("{} again", item.node.shown()), "each name once");
        } else {
            found.push((at, thing));
        }
    }
    found.into_iter().map(|(_, thing)| thing).collect()
}

fn need(field: &Field<'_>, checks: usize) -> Option<Need> {
    let read = |text: &str| match text {
        "all" => Some(Need::All),
        "any" => Some(Need::Any),
        count => count.parse().ok().filter(|count| (1..=checks).contains(count)).map(Need::Count),
    };
    field.scalar(format!("all, any, or how many of the {checks} checks must be good"), read)
}
