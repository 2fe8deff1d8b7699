//! What people see of trust over HTTP, and the exceptions that they make.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::{get, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Desk, Fault, bad, parse_name};
use crate::base::{bounds, scalars};
use crate::dns::Name;

/// An order to except a name from validation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exempt {
    /// The name; all below it is excepted too.
    pub name: Name,
    /// For how long.
    pub lasts: Duration,
    /// Whether it lasts so long even if the name validates again.
    pub stays: bool,
    /// Why.
    pub reason: String,
    /// Who says so.
    pub actor: String,
}

/// Why a name is not excepted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NotExempt {
    /// Nothing is validated.
    Idle,
    /// The order cannot be carried out: why.
    Refused(String),
    /// There are too many already.
    TooMany(String),
}

impl From<NotExempt> for Fault {
    fn from(why: NotExempt) -> Self {
        match why {
            NotExempt::Idle => Self(StatusCode::CONFLICT, "nothing is validated: recursion.dnssec is off".to_owned()),
            NotExempt::Refused(why) => Self(StatusCode::BAD_REQUEST, why),
            NotExempt::TooMany(why) => Self(StatusCode::INSUFFICIENT_STORAGE, why),
        }
    }
}

/// What reads.
pub(super) fn reading() -> Router<Arc<Desk>> {
    Router::new().route("/v1/trust", get(trust))
}

/// What changes.
pub(super) fn changing() -> Router<Arc<Desk>> {
    Router::new().route("/v1/exceptions", put(except).delete(lift))
}

type Answer = Result<Json<Value>, Fault>;

async fn trust(State(desk): State<Arc<Desk>>) -> Json<Value> {
    Json(desk.house.trust())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    name: String,
    #[serde(rename = "for", default)]
    lasts: Option<String>,
    #[serde(default)]
    stays: bool,
    reason: String,
    #[serde(default)]
    actor: Option<String>,
}

async fn except(State(desk): State<Arc<Desk>>, body: Result<Json<Order>, JsonRejection>) -> Answer {
    let Json(Order { name, lasts, stays, reason, actor }) = body?;
    let lasts = lasts.map(|text| {
        scalars::duration(&text).ok_or_else(|| bad(format!("for: {text:?} is no time such as 90s, 30m or 2h")))
    });
    let lasts = lasts.transpose()?.unwrap_or(bounds::EXCEPTION_DEFAULT);
    let actor = actor.unwrap_or_else(|| "admin".to_owned());
    let exempt = Exempt { name: parse_name(&name)?, lasts, stays, reason, actor };
    Ok(Json(desk.house.except(exempt).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    name: String,
}

async fn lift(State(desk): State<Arc<Desk>>, query: Result<Query<Which>, QueryRejection>) -> Answer {
    let Query(Which { name }) = query?;
    Ok(Json(json!({ "lifted": desk.house.lift_exception(parse_name(&name)?).await })))
}
