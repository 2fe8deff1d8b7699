//! The block `limits`: how much anybody gets.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::addresses::{self, NetworkWord};
use super::cursor::{Field, Section};
use super::raw::Value;
use super::scalars;
use super::types::{Limits, TcpLimits};
use crate::base::{NetworkSet, bounds};
use crate::handlers::gate::{Algorithm, LimitSettings, Prefix, QueryLimit, Rate, ResponseLimit};

const WORDS: &[NetworkWord] = &[("private", NetworkSet::private), ("any", addresses::any)];
const COUNT_MAX: u32 = 1_000_000;
const RATE_FORM: &str = "a rate, such as 20/s, 100/m, 1000/h or 5000/d";
const PREFIX_FORM: &str = "the bits of IPv4 and IPv6 addresses that make a client, such as 24/56";
const WINDOW_MAX: Duration = Duration::from_secs(3_600);
const CONNECTIONS_MAX: u32 = 1_000_000;
const IN_FLIGHT_MAX: u32 = 1_024;
const IDLE_MAX: Duration = Duration::from_secs(600);
const SECOND: Duration = Duration::from_secs(1);

/// Reads the block.
pub(super) fn read(section: &mut Section<'_>, folder: &Path) -> Limits {
    let deny = section.take("deny").and_then(|field| addresses::networks(&field, WORDS));
    let queries = queries(section);
    Limits {
        rates: LimitSettings {
            deny: deny.unwrap_or_default(),
            queries,
            responses: section.block("responses", responses),
        },
        cookies: section.block("cookies", |section| secret_file(section, folder)),
        tcp: section.block("tcp", tcp).unwrap_or_default(),
    }
}

/// What holds where the block is `off`: the bounds of TCP, which nothing lifts.
pub(super) fn off() -> Limits {
    Limits { rates: LimitSettings::default(), cookies: None, tcp: TcpLimits::default() }
}

/// A limit, or a list of limits that all hold.
fn queries(section: &mut Section<'_>) -> Vec<QueryLimit> {
    let listed = section.take("queries").filter(|field| matches!(field.node.value, Value::List(_)));
    let Some(field) = listed else { return section.block("queries", query_limit).into_iter().collect() };
    let allowed = format!("1 to {} limits, such as [{{rate: 10/s}}, {{rate: 1000/h}}]", bounds::LIMIT_TIERS);
    let items = field.items(&allowed).unwrap_or_default();
    if items.is_empty() || items.len() > bounds::LIMIT_TIERS {
        field.fault_found(format!("{} limits", items.len()), allowed);
    }
    let mut limits = Vec::new();
    for item in items {
        let Some(mut section) = item.section("a limit, such as {rate: 10/s}") else { continue };
        limits.push(query_limit(&mut section));
        section.close();
    }
    limits
}

fn query_limit(section: &mut Section<'_>) -> QueryLimit {
    let algorithms = [
        ("token_bucket", Algorithm::TokenBucket),
        ("fixed_window", Algorithm::FixedWindow),
        ("sliding_window_log", Algorithm::SlidingWindowLog),
        ("sliding_window_counter", Algorithm::SlidingWindowCounter),
    ];
    let given = section.take("rate");
    let rate = given.as_ref().and_then(rate).unwrap_or(Rate { count: 1_000, per: SECOND });
    let algorithm = section.choice("algorithm", Algorithm::TokenBucket, &algorithms);
    // Where only the rate is given, a burst is what the rate gives in two of its times, as it is by default.
    let burst_default = rate.count.saturating_mul(2).min(COUNT_MAX);
    if let Some(field) = section.take("burst")
        && algorithm != Algorithm::TokenBucket
    {
        field.fault("nothing, as only a token_bucket has a burst");
    }
    QueryLimit {
        rate,
        burst: section.number("burst", burst_default, 1..=COUNT_MAX),
        prefix: prefix(section),
        algorithm,
        slip: section.number("slip", 1, 0..=1_000),
        exempt: exempt(section),
        is_dry_run: section.flag("dry_run", false),
    }
}

fn responses(section: &mut Section<'_>) -> ResponseLimit {
    let answers = section.take("rate").map_or(Some(Rate { count: 200, per: SECOND }), |field| rate_or_off(&field));
    // What is not said of a class is said of all of them.
    let mut of_class = |key, default| section.take(key).map_or(default, |field| rate_or_off(&field));
    ResponseLimit {
        answers,
        referrals: of_class("referrals", answers),
        nodata: of_class("nodata", answers),
        nxdomain: of_class("nxdomain", answers),
        errors: of_class("errors", answers),
        all: of_class("all", None),
        window: section.duration("window", Duration::from_secs(15), SECOND..=WINDOW_MAX),
        prefix: prefix(section),
        slip: section.number("slip", 1, 0..=1_000),
        exempt: exempt(section),
        exempts_clients: section.flag("exempt_clients", true),
        is_dry_run: section.flag("dry_run", false),
    }
}

/// Without a file the secret is our own and ends with the process.
fn secret_file(section: &mut Section<'_>, folder: &Path) -> Option<PathBuf> {
    section.take("secret_file").filter(|field| !field.node.is_off()).and_then(|field| field.path(folder))
}

fn tcp(section: &mut Section<'_>) -> TcpLimits {
    let default = TcpLimits::default();
    TcpLimits {
        connections: section.number("connections", default.connections as u32, 1..=CONNECTIONS_MAX) as usize,
        in_flight: section.number("in_flight", default.in_flight as u32, 1..=IN_FLIGHT_MAX) as usize,
        idle: section.duration("idle", default.idle, bounds::TCP_IDLE_FLOOR..=IDLE_MAX),
    }
}

fn rate(field: &Field<'_>) -> Option<Rate> {
    let read = |text: &str| {
        let (count, per) = scalars::rate(text)?;
        Some(Rate { count: count.try_into().ok().filter(|count| (1..=COUNT_MAX).contains(count))?, per })
    };
    field.scalar(format!("{RATE_FORM}; the number from 1 to {COUNT_MAX}"), read)
}

fn rate_or_off(field: &Field<'_>) -> Option<Rate> {
    if field.node.is_off() { None } else { rate(field) }
}

fn prefix(section: &mut Section<'_>) -> Prefix {
    let read = |text: &str| {
        let (v4, v6) = text.split_once('/')?;
        let bits = |text: &str, most| text.parse().ok().filter(|bits| (1..=most).contains(bits));
        Some(Prefix { v4: bits(v4, 32)?, v6: bits(v6, 128)? })
    };
    let given = section.take("prefix").and_then(|field| field.scalar(PREFIX_FORM, read));
    given.unwrap_or(Prefix { v4: 24, v6: 56 })
}

/// Loopback by default: a limit there would stop a shell's loop over dig, and nobody else.
fn exempt(section: &mut Section<'_>) -> NetworkSet {
    let given = section.take("exempt").and_then(|field| addresses::networks(&field, WORDS));
    given.unwrap_or_else(NetworkSet::loopback)
}
