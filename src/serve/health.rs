//! Whether the process lives, and whether it can do its work: for whoever restarts it or sends it traffic.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use command_api::engine::Engine;
use event_store::kafka::relay::RelayMonitor;
use event_store::kafka::status::RelayState;
use event_store::log::scrub::ScrubDamage;
use projections::worker::status::{Monitor, State as WorkerState};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::watch::name;

/// What the answers are found out from.
#[derive(Clone)]
pub(super) struct Parts {
    /// The engine and, through it, the log.
    pub engine: Engine,
    /// The worker that fills the read models, where this process has it.
    pub views: Option<Monitor>,
    /// The relay to Kafka, where there is one.
    pub relay: Option<RelayMonitor>,
    /// How many events the read models may be behind.
    pub view_lag_events_max: u64,
}

/// Whether the process lives.
#[derive(Debug, Serialize, ToSchema)]
struct Alive {
    /// Always `alive`.
    #[schema(example = "alive")]
    status: &'static str,
}

/// Whether the server can do its work, part by part.
#[derive(Debug, Serialize, ToSchema)]
struct Readiness {
    /// `ready` or `not_ready`.
    #[schema(example = "ready")]
    status: &'static str,
    /// The log: whether it can be written and has room.
    log: LogReadiness,
    /// The read models: whether they are filled and not too far behind. Absent where other processes fill them.
    #[serde(skip_serializing_if = "Option::is_none")]
    views: Option<ViewsReadiness>,
    /// The stream through Kafka, where it is configured. It does not keep the server from being ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    kafka: Option<RelayReadiness>,
    /// What somebody should look after, although the server can do its work.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Warning>,
}

/// What somebody should look after.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum Warning {
    Damage(Damage),
    Parked(Parked),
}

/// Damage in the log that was found by reading it again.
#[derive(Debug, Serialize, ToSchema)]
struct Damage {
    /// `log_damaged`.
    #[schema(example = "log_damaged")]
    code: &'static str,
    /// The segment of the log.
    segment: u32,
    /// Its file.
    path: String,
    /// Where in the file the damage begins, in bytes.
    offset: u64,
    /// The first position that may be affected, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_position: Option<u64>,
    /// The last position that may be affected, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_position: Option<u64>,
    /// What is wrong.
    reason: String,
    /// What to do.
    cure: &'static str,
}

/// Streams of which nothing is applied to the read models, because an event of them could not be.
#[derive(Debug, Serialize, ToSchema)]
struct Parked {
    /// `streams_parked`.
    #[schema(example = "streams_parked")]
    code: &'static str,
    /// How many.
    #[schema(example = 1)]
    streams: u64,
    /// What to do.
    cure: &'static str,
}

/// Whether the log can be written.
#[derive(Debug, Serialize, ToSchema)]
struct LogReadiness {
    /// Whether commands can be appended.
    ok: bool,
    /// The last durable position.
    position: u64,
    /// Bytes that can be appended for certain.
    room_bytes: u64,
    /// What stands in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// Whether the read models can be queried.
#[derive(Debug, Serialize, ToSchema)]
struct ViewsReadiness {
    /// Whether they are filled and not too far behind.
    ok: bool,
    /// The last position that is in them.
    position: u64,
    /// How many events they are behind the log.
    lag_events: u64,
    /// What stands in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// Whether events go to Kafka.
#[derive(Debug, Serialize, ToSchema)]
struct RelayReadiness {
    /// Whether they are sent, or there is nothing to send.
    ok: bool,
    /// `starting`, `running`, `waiting` (it goes on by itself) or `stopped` (until somebody has looked).
    #[schema(example = "running")]
    state: &'static str,
    /// Every event up to this position is in the topic.
    position: u64,
    /// How many events are not in the topic yet.
    lag_events: u64,
    /// What stands in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// The routes of this file.
pub(super) fn routes(parts: Parts) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(live)).routes(routes!(ready)).with_state(parts)
}

/// What the answers of a worker are found out from.
#[derive(Clone)]
pub(super) struct WorkerParts {
    /// The worker.
    pub views: Monitor,
    /// How many events the read models may be behind.
    pub view_lag_events_max: u64,
}

/// The routes of a worker's own process.
pub(super) fn of_worker(parts: WorkerParts) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(live)).routes(routes!(worker_ready)).with_state(parts)
}

/// Whether a worker can do its work.
#[derive(Debug, Serialize, ToSchema)]
struct WorkerReadiness {
    /// `ready` or `not_ready`.
    #[schema(example = "ready")]
    status: &'static str,
    /// The partitions that it follows: whether they are filled and not too far behind.
    views: ViewsReadiness,
    /// What somebody should look after, although the worker can do its work.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Warning>,
}

/// Whether the worker can do its work
///
/// It follows its partitions and is not too far behind.
#[utoipa::path(get, path = "/health/ready", operation_id = "is_worker_ready", tag = "operations", responses(
    (status = 200, body = WorkerReadiness, description = "It can"),
    (status = 503, body = WorkerReadiness, description = "It cannot; its part says why"),
))]
async fn worker_ready(State(parts): State<WorkerParts>) -> Response {
    let views = ViewsReadiness::of(&parts.views, parts.view_lag_events_max);
    let (status, code) = match views.ok {
        true => ("ready", StatusCode::OK),
        false => ("not_ready", StatusCode::SERVICE_UNAVAILABLE),
    };
    let warnings = Parked::of(&parts.views).map(Warning::Parked).into_iter().collect();
    (code, Json(WorkerReadiness { status, views, warnings })).into_response()
}

/// Whether the process lives
///
/// A process that does not answer this should be restarted.
#[utoipa::path(get, path = "/health/live", operation_id = "is_live", tag = "operations", responses(
    (status = 200, body = Alive, description = "It lives"),
))]
async fn live() -> Json<Alive> {
    Json(Alive { status: "alive" })
}

/// Whether the server can do its work
///
/// Commands can be appended and the read models are not too far behind. Damage that was found in the log, and streams
/// that are parked, are told as warnings, for they do not keep the server from working. While it cannot, traffic should go elsewhere;
/// restarting does not help.
#[utoipa::path(get, path = "/health/ready", operation_id = "is_ready", tag = "operations", responses(
    (status = 200, body = Readiness, description = "It can"),
    (status = 503, body = Readiness, description = "It cannot; the parts say why"),
))]
async fn ready(State(parts): State<Parts>) -> Response {
    let log = LogReadiness::of(&parts.engine);
    let views = parts.views.as_ref().map(|views| ViewsReadiness::of(views, parts.view_lag_events_max));
    let (status, code) = match log.ok && views.as_ref().is_none_or(|views| views.ok) {
        true => ("ready", StatusCode::OK),
        false => ("not_ready", StatusCode::SERVICE_UNAVAILABLE),
    };
    let damaged = parts.engine.log().scrub_status().damaged;
    let damaged = damaged.into_iter().map(|damage| Warning::Damage(Damage::of(damage)));
    let warnings = damaged.chain(parts.views.as_ref().and_then(Parked::of).map(Warning::Parked)).collect();
    let kafka = parts.relay.as_ref().map(RelayReadiness::of);
    (code, Json(Readiness { status, log, views, kafka, warnings })).into_response()
}

impl Parked {
    fn of(monitor: &Monitor) -> Option<Self> {
        let streams = monitor.status().parked_streams;
        let cure = "GET /v1/projections/read_models/parked, or replay-tool parked list, says which and why; when the \
                    reason is gone, have them retried";
        (streams > 0).then_some(Self { code: "streams_parked", streams, cure })
    }
}

impl Damage {
    fn of(damage: ScrubDamage) -> Self {
        Self {
            code: "log_damaged",
            segment: damage.segment,
            path: damage.path.display().to_string(),
            offset: damage.offset,
            first_position: damage.first_position.map(|position| position.0),
            last_position: damage.last_position.map(|position| position.0),
            reason: damage.reason,
            cure: ScrubDamage::CURE,
        }
    }
}

impl LogReadiness {
    fn of(engine: &Engine) -> Self {
        let log = engine.log();
        let room = log.room();
        let failure = log.failure().map(|failed| failed.to_string());
        let reason = failure.or(room.disk_full).or(room.stalled);
        Self { ok: reason.is_none(), position: log.durable().0, room_bytes: room.bytes, reason }
    }
}

impl RelayReadiness {
    fn of(monitor: &RelayMonitor) -> Self {
        let (status, lag_events) = (monitor.status(), monitor.lag_events());
        let (ok, state, position) = (status.state == RelayState::Running, name(&status.state), status.position.0);
        let reason = match status.state {
            RelayState::Starting | RelayState::Running => None,
            RelayState::Waiting { reason } | RelayState::Stopped { reason } => Some(reason),
        };
        Self { ok, state, position, lag_events, reason }
    }
}

impl ViewsReadiness {
    fn of(monitor: &Monitor, lag_events_max: u64) -> Self {
        let (status, lag_events) = (monitor.status(), monitor.lag_events());
        let reason = match &status.state {
            WorkerState::Running if lag_events <= lag_events_max => None,
            WorkerState::Running => Some(format!("they may be {lag_events_max} events behind and are {lag_events}")),
            WorkerState::Starting => Some("nothing was filled yet".to_owned()),
            failed => failed.error(),
        };
        Self { ok: reason.is_none(), position: status.position.0, lag_events, reason }
    }
}
