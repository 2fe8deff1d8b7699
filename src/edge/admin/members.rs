//! What people and programs do to members over HTTP: take them out, force them, feed numbers, report checks.

use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::pools::{Order, PoolHouse, Refused};
use super::{Desk, Fault, bad};
use crate::base::{bounds, scalars};
use crate::steer::health::Refusal;

/// What reads.
pub(super) fn reading() -> Router<Arc<Desk>> {
    Router::new().route("/v1/pools", get(pools))
}

/// What changes.
pub(super) fn changing() -> Router<Arc<Desk>> {
    Router::new()
        .route("/v1/overrides", put(put_glob).delete(lift_glob))
        .route("/v1/pools/{pool}/members/{member}/override", put(put_member).delete(lift_member))
        .route("/v1/pools/{pool}/members/{member}/feed", put(feed))
        .route("/v1/pools/{pool}/members/{member}/outcomes", put(outcomes))
        .route("/v1/pools/{pool}/members/{member}/check", put(check))
        .route("/v1/pools/{pool}/members/{member}/return", put(confirm_return))
}

type Member = Result<Path<(String, String)>, PathRejection>;
type Answer = Result<Json<Value>, Fault>;
type Body<T> = Result<Json<T>, JsonRejection>;

fn house(desk: &Desk) -> Result<&dyn PoolHouse, Fault> {
    let nobody = || Fault(StatusCode::SERVICE_UNAVAILABLE, "nobody watches the pools yet".into());
    desk.house.pools().ok_or_else(nobody)
}

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Self {
        let status = match &refused {
            Refused::NoPool
            | Refused::NoMember
            | Refused::NoFeed
            | Refused::NoCheck
            | Refused::Override(Refusal::MatchesNothing) => StatusCode::NOT_FOUND,
            Refused::Override(Refusal::LeavesWithoutMember(_)) => StatusCode::CONFLICT,
            Refused::BadNumber | Refused::Override(Refusal::BadText(_)) => StatusCode::BAD_REQUEST,
            Refused::Override(Refusal::TooMany) => StatusCode::INSUFFICIENT_STORAGE,
        };
        Self(status, refused.to_string())
    }
}

async fn pools(State(desk): State<Arc<Desk>>) -> Answer {
    Ok(Json(json!({ "pools": house(&desk)?.pools() })))
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Wanted {
    Up,
    Down,
    Drain,
    None,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Override {
    action: Wanted,
    #[serde(default)]
    glob: Option<String>,
    #[serde(rename = "for", default)]
    lasts: Option<String>,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    actor: Option<String>,
    #[serde(default)]
    break_glass: bool,
}

/// An override is lifted after this time at the latest, unless it is to stay until somebody lifts it: 10 years.
const LASTS_MAX_SECONDS: u64 = 315_360_000;

fn decide(house: &dyn PoolHouse, glob: &str, body: Override) -> Answer {
    let lasts = body.lasts.map(|text| {
        let lasts = scalars::duration(&text).filter(|lasts| (1..=LASTS_MAX_SECONDS).contains(&lasts.as_secs()));
        lasts.ok_or_else(|| bad(format!("for: {text:?} is no time such as 90s, 30m or 2h, from 1s to 3650d")))
    });
    let order = Order {
        actor: body.actor.unwrap_or_else(|| "admin".to_owned()),
        reason: body.reason,
        lasts: lasts.transpose()?,
        breaks_glass: body.break_glass,
    };
    Ok(Json(match body.action {
        Wanted::None => json!({ "lifted": house.unforce(glob) }),
        Wanted::Drain => json!({ "action": "drain", "eta": house.drain(glob, &order)? }),
        Wanted::Up => json!({ "action": "up", "members": house.force(glob, true, &order)? }),
        Wanted::Down => json!({ "action": "down", "members": house.force(glob, false, &order)? }),
    }))
}

/// The member's own glob, if there is such a member and its name is none for several.
fn own(house: &dyn PoolHouse, pool: &str, member: &str) -> Result<String, Fault> {
    let pools = house.pools();
    let known = pools.iter().find(|known| known.pool == pool).ok_or(Refused::NoPool)?;
    if !known.members.iter().any(|known| known.member == member) {
        return Err(Refused::NoMember.into());
    }
    Ok(format!("{pool}/{member}"))
}

async fn put_member(State(desk): State<Arc<Desk>>, member: Member, body: Body<Override>) -> Answer {
    let Path((pool, member)) = member?;
    let Json(body) = body?;
    if body.glob.is_some() {
        return Err(bad("glob: the address names the member; for several, PUT /v1/overrides".into()));
    }
    let house = house(&desk)?;
    decide(house, &own(house, &pool, &member)?, body)
}

async fn lift_member(State(desk): State<Arc<Desk>>, member: Member) -> Answer {
    let Path((pool, member)) = member?;
    let house = house(&desk)?;
    Ok(Json(json!({ "lifted": house.unforce(&own(house, &pool, &member)?) })))
}

async fn put_glob(State(desk): State<Arc<Desk>>, body: Body<Override>) -> Answer {
    let Json(mut body) = body?;
    let glob = body.glob.take().ok_or_else(|| bad("glob: which members, such as www/* ?".into()))?;
    decide(house(&desk)?, &glob, body)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Glob {
    glob: String,
}

async fn lift_glob(State(desk): State<Arc<Desk>>, query: Result<Query<Glob>, QueryRejection>) -> Answer {
    let Query(Glob { glob }) = query?;
    Ok(Json(json!({ "lifted": house(&desk)?.unforce(&glob) })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Number {
    metric: String,
    value: f64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Numbers {
    One(Number),
    Several(Vec<Number>),
}

async fn feed(State(desk): State<Arc<Desk>>, member: Member, body: Body<Numbers>) -> Answer {
    let Path((pool, member)) = member?;
    let Json(body) = body?;
    let numbers = match body {
        Numbers::One(number) => vec![number],
        Numbers::Several(numbers) => numbers,
    };
    if numbers.len() > bounds::METRICS_MAX {
        return Err(bad(format!("a pool has at most {} metrics", bounds::METRICS_MAX)));
    }
    let house = house(&desk)?;
    for (taken, Number { metric, value }) in numbers.iter().enumerate() {
        house.push_feed(&pool, &member, metric, *value).map_err(|refused| {
            let Fault(status, why) = refused.into();
            Fault(status, format!("{metric}: {why} (taken before it: {taken})"))
        })?;
    }
    Ok(Json(json!({ "taken": numbers.len() })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Outcomes {
    successes: f64,
    failures: f64,
}

async fn outcomes(State(desk): State<Arc<Desk>>, member: Member, body: Body<Outcomes>) -> Answer {
    let Path((pool, member)) = member?;
    let Json(Outcomes { successes, failures }) = body?;
    house(&desk)?.push_outcomes(&pool, &member, successes, failures)?;
    Ok(Json(json!({ "taken": true })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Checked {
    #[serde(default)]
    check: Option<String>,
    good: bool,
}

async fn check(State(desk): State<Arc<Desk>>, member: Member, body: Body<Checked>) -> Answer {
    let Path((pool, member)) = member?;
    let Json(Checked { check, good }) = body?;
    house(&desk)?.push_result(&pool, &member, check.as_deref(), good)?;
    Ok(Json(json!({ "taken": true })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

async fn confirm_return(State(desk): State<Arc<Desk>>, member: Member, body: Body<Nothing>) -> Answer {
    let Path((pool, member)) = member?;
    let Json(Nothing {}) = body?;
    let house = house(&desk)?;
    Ok(Json(json!({ "members": house.confirm_return(&own(house, &pool, &member)?)? })))
}

#[cfg(test)]
#[path = "members_tests.rs"]
mod tests;
