//! The admin address: health, metrics, and what an operator asks of a running server, over HTTP.
//!
//! What comes in: requests, bounded in number, size and time. What leaves: JSON, or Prometheus text. It decides
//! nothing: whatever concerns the DNS is answered by the [`AdminHouse`].
#![forbid(unsafe_code)]

pub mod catalogue;
mod cluster;
mod coredns;
pub mod figures;
mod guard;
mod history;
mod listener;
mod log;
mod members;
pub mod metrics;
mod page;
pub mod pools;
mod token;
pub mod trust;

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{ConnectInfo, DefaultBodyLimit, Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

pub use self::figures::{Figures, Meter};
use self::history::History;
use self::listener::Busy;
pub use self::log::{LogView, Note};
pub use self::metrics::Metrics;
pub use self::pools::PoolHouse;
pub use self::token::Token;
use crate::base::bounds;
use crate::dns::{Name, RecordType};

/// A piece of work that ends with a `T`.
pub type Task<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What the admin address asks the house.
pub trait AdminHouse: Send + Sync {
    /// Whether queries are to be sent here.
    fn is_ready(&self) -> bool;
    /// Forgets what is cached of `name` (of one type, or all), with all below it where `subtree`; says how many
    /// entries that were.
    fn flush(&self, name: Name, subtree: bool, rtype: Option<RecordType>) -> Task<'_, usize>;
    /// One number over how names are steered, how members stand and where addresses are, and one for each of these:
    /// equal on nodes that answer alike.
    fn digest(&self) -> Task<'_, Value>;
    /// The state of the server.
    fn status(&self) -> Task<'_, Value>;
    /// Reads the configuration and its files again, or in a rehearsal only says what that would change. An error has
    /// `error`, every fault a line each, and `faults`, the same for programs.
    fn reload(&self, is_rehearsal: bool) -> Task<'_, Result<Value, Value>>;
    /// Why `client` gets the answer that it gets; an error where the machine has no socket or memory for it.
    fn explain(&self, name: Name, rtype: RecordType, client: Option<IpAddr>) -> Task<'_, Result<Value, String>>;
    /// The last warnings and errors of the log, newest first, and how many there were since the start.
    fn log(&self) -> LogView;
    /// What is trusted when answers are validated, and what is excepted.
    fn trust(&self) -> Value;
    /// Excepts a name from validation, and forgets what is known of it; says what was decided.
    fn except(&self, order: trust::Exempt) -> Task<'_, Result<Value, trust::NotExempt>>;
    /// Excepts a name no more, and forgets what is known of it; whether it was excepted.
    fn lift_exception(&self, name: Name) -> Task<'_, bool>;
    /// Who watches the pools; none where there is nobody, as before the start has ended.
    fn pools(&self) -> Option<&dyn PoolHouse> {
        None
    }
}

/// What can be asked here, as `OpenAPI` 3.1; `tests/admin.rs` holds the server to it.
const OPENAPI: &str = include_str!("openapi.json");

struct Desk {
    house: Arc<dyn AdminHouse>,
    metrics: Metrics,
    history: Mutex<History>,
}

impl Desk {
    fn new(house: Arc<dyn AdminHouse>, metrics: Metrics) -> Arc<Self> {
        Arc::new(Self { house, metrics, history: Mutex::default() })
    }
}

/// What of all this is served at an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// Everything.
    Whole,
    /// Whether the process serves, and nothing else.
    Health,
    /// Whether queries are to be sent here, and nothing else.
    Ready,
}

impl Part {
    /// What it is called.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Whole => "admin",
            Self::Health => "health",
            Self::Ready => "readiness",
        }
    }
}

/// Serves `part` of the admin address until `stop` turns true; requests under way are finished.
pub async fn serve(
    listener: TcpListener,
    part: Part,
    house: Arc<dyn AdminHouse>,
    metrics: Metrics,
    token: Option<Token>,
    mut stop: watch::Receiver<bool>,
) {
    let stopped = async move {
        stop.wait_for(|stop| *stop).await.ok();
    };
    let is_private = listener.local_addr().is_ok_and(|address| address.ip().is_loopback());
    let bounded = listener::Bounded::new(listener);
    let desk = Desk::new(house, metrics);
    let routes = match part {
        Part::Whole => router(Arc::clone(&desk), is_private, token.as_ref()),
        Part::Health => finished(Router::new().route("/health", get(health)), desk.clone(), false),
        Part::Ready => finished(Router::new().route("/ready", get(ready)), desk.clone(), false),
    };
    let keeps_history = part == Part::Whole;
    tokio::select! {
        // It ends without an error: accepting goes on whatever happens to a connection.
        _ = axum::serve(bounded, routes.into_make_service_with_connect_info::<Busy>())
            .with_graceful_shutdown(stopped) => {}
        () = history::keep(desk), if keeps_history => {}
    }
}

/// The routes. Where others can reach the address, nobody but a monitor is served without the token: without one,
/// they all look alike. The page holds nothing of ours, so it is shown to whoever may have a token to give it.
fn router(desk: Arc<Desk>, is_private: bool, token: Option<&Token>) -> Router {
    let guarded = |routes: Router<Arc<Desk>>| match token {
        Some(token) => routes.route_layer(middleware::from_fn_with_state(Arc::new(token.clone()), token::ask)),
        None if is_private => routes,
        None => Router::new(),
    };
    let reading = if is_private { reading() } else { guarded(reading()) };
    let page = if is_private || token.is_some() { page() } else { Router::new() };
    finished(monitoring().merge(page).merge(reading).merge(guarded(changing())), desk, is_private)
}

/// What holds for all routes.
fn finished(routes: Router<Arc<Desk>>, desk: Arc<Desk>, is_private: bool) -> Router {
    let routes = routes
        .fallback(async || Fault(StatusCode::NOT_FOUND, "no such resource".into()))
        .method_not_allowed_fallback(async || Fault(StatusCode::METHOD_NOT_ALLOWED, "not by this method".into()))
        .layer(DefaultBodyLimit::max(bounds::ADMIN_BODY_MAX))
        .layer(middleware::from_fn(in_time));
    let routes = if is_private { routes.layer(middleware::from_fn(guard::refuse_foreigners)) } else { routes };
    routes.layer(middleware::from_fn(for_the_asker_alone)).with_state(desk)
}

fn monitoring() -> Router<Arc<Desk>> {
    Router::new().route("/health", get(health)).route("/ready", get(ready)).route("/metrics", get(scrape))
}

async fn health() -> &'static str {
    "ok\n"
}

fn page() -> Router<Arc<Desk>> {
    Router::new().route("/", get(page::page))
}

fn reading() -> Router<Arc<Desk>> {
    members::reading()
        .merge(trust::reading())
        .route("/v1/openapi.json", get(openapi))
        .route("/v1/figures", get(figures))
        .route("/v1/history", get(history::history))
        .route("/v1/log", get(log))
        .route("/v1/status", get(status))
        .route("/v1/explain", get(explain))
        .route("/v1/digest", get(digest))
}

fn changing() -> Router<Arc<Desk>> {
    members::changing().merge(trust::changing()).route("/v1/cache/flush", post(flush)).route("/v1/reload", post(reload))
}

/// Why a request is refused; JSON like everything else.
struct Fault(StatusCode, String);

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

impl From<JsonRejection> for Fault {
    fn from(rejection: JsonRejection) -> Self {
        Self(rejection.status(), rejection.body_text())
    }
}

impl From<PathRejection> for Fault {
    fn from(rejection: PathRejection) -> Self {
        Self(rejection.status(), rejection.body_text())
    }
}

impl From<QueryRejection> for Fault {
    fn from(rejection: QueryRejection) -> Self {
        Self(rejection.status(), rejection.body_text())
    }
}

async fn in_time(request: Request, next: Next) -> Response {
    let deadline = match request.uri().path() {
        // It takes as long as it takes, and whoever ordered it wants to know what became of it.
        "/v1/reload" => bounds::RELOAD_DEADLINE,
        _ => bounds::ADMIN_DEADLINE,
    };
    let late = |_| Fault(StatusCode::GATEWAY_TIMEOUT, "not done in time".into()).into_response();
    let _work = request.extensions().get().map(|ConnectInfo(busy): &ConnectInfo<Busy>| busy.begin());
    tokio::time::timeout(deadline, next.run(request)).await.unwrap_or_else(late)
}

/// What is told here is of this moment and for this asker: for no cache, no other site's page, and no guessing at
/// what it may be.
async fn for_the_asker_alone(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let own = [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    response.headers_mut().extend(own.map(|(name, value)| (name, HeaderValue::from_static(value))));
    response
}

async fn ready(State(desk): State<Arc<Desk>>) -> Response {
    if desk.house.is_ready() {
        "ready\n".into_response()
    } else {
        Fault(StatusCode::SERVICE_UNAVAILABLE, "not ready".into()).into_response()
    }
}

async fn scrape(State(desk): State<Arc<Desk>>, headers: HeaderMap) -> Response {
    let accept = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect::<Vec<_>>();
    let format = metrics::Format::accepted(&accept.join(","));
    match desk.metrics.text(format) {
        Ok(text) => ([(header::CONTENT_TYPE, format.media_type())], text).into_response(),
        Err(_) => Fault(StatusCode::INTERNAL_SERVER_ERROR, "the metrics could not be written".into()).into_response(),
    }
}

async fn digest(State(desk): State<Arc<Desk>>) -> Json<Value> {
    Json(desk.house.digest().await)
}

async fn figures(State(desk): State<Arc<Desk>>) -> Json<Figures> {
    Json(desk.metrics.figures())
}

async fn log(State(desk): State<Arc<Desk>>) -> Json<LogView> {
    Json(desk.house.log())
}

async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI)
}

async fn status(State(desk): State<Arc<Desk>>) -> Json<Value> {
    Json(desk.house.status().await)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Explain {
    name: String,
    #[serde(rename = "type", default)]
    rtype: Option<String>,
    #[serde(default)]
    client: Option<String>,
}

async fn explain(
    State(desk): State<Arc<Desk>>,
    query: Result<Query<Explain>, QueryRejection>,
) -> Result<Json<Value>, Fault> {
    let Query(Explain { name, rtype, client }) = query?;
    let rtype = rtype.as_deref().map(parse_type).transpose()?.unwrap_or(RecordType::A);
    let client =
        client.map(|text| text.parse().map_err(|_| bad(format!("client: {text:?} is no IP address")))).transpose()?;
    let explained = desk.house.explain(parse_name(&name)?, rtype, client).await;
    Ok(Json(explained.map_err(|fault| Fault(StatusCode::SERVICE_UNAVAILABLE, fault))?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Flush {
    name: String,
    #[serde(default)]
    subtree: bool,
    #[serde(rename = "type", default)]
    rtype: Option<String>,
}

/// A JSON body is asked for, which no foreign web page can send unasked (no CORS is granted).
async fn flush(State(desk): State<Arc<Desk>>, body: Result<Json<Flush>, JsonRejection>) -> Result<Json<Value>, Fault> {
    let Json(Flush { name, subtree, rtype }) = body?;
    let rtype = rtype.as_deref().map(parse_type).transpose()?;
    let flushed = desk.house.flush(parse_name(&name)?, subtree, rtype).await;
    Ok(Json(json!({ "flushed": flushed })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reload {
    #[serde(default)]
    dry_run: bool,
}

async fn reload(State(desk): State<Arc<Desk>>, body: Result<Json<Reload>, JsonRejection>) -> Result<Response, Fault> {
    let Json(Reload { dry_run }) = body?;
    Ok(match desk.house.reload(dry_run).await {
        Ok(told) => Json(told).into_response(),
        Err(faults) => (StatusCode::UNPROCESSABLE_ENTITY, Json(faults)).into_response(),
    })
}

fn bad(text: String) -> Fault {
    Fault(StatusCode::BAD_REQUEST, text)
}

fn parse_name(text: &str) -> Result<Name, Fault> {
    text.parse().map_err(|fault| bad(format!("name: {text:?}: {fault}")))
}

fn parse_type(text: &str) -> Result<RecordType, Fault> {
    text.parse().map_err(|_| bad(format!("type: {text:?} is no record type")))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
