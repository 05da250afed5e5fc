//! Whether the process lives, and whether it can do its work: for whoever restarts it or sends it traffic.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use command_api::engine::Engine;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What the answers are found out from.
#[derive(Clone)]
pub(super) struct Parts {
    /// The engine and, through it, the log.
    pub engine: Engine,
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

/// The routes of this file.
pub(super) fn routes(parts: Parts) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(live)).routes(routes!(ready)).with_state(parts)
}

/// Whether the process lives
///
/// A process that does not answer this should be restarted.
#[utoipa::path(get, path = "/health/live", tag = "operations", responses((status = 200, body = Alive)))]
async fn live() -> Json<Alive> {
    Json(Alive { status: "alive" })
}

/// Whether the server can do its work
///
/// Commands can be appended and the read models are not too far behind. While it cannot, traffic should go elsewhere;
/// restarting does not help.
#[utoipa::path(get, path = "/health/ready", tag = "operations", responses(
    (status = 200, body = Readiness, description = "It can"),
    (status = 503, body = Readiness, description = "It cannot; the parts say why"),
))]
async fn ready(State(parts): State<Parts>) -> Response {
    let log = LogReadiness::of(&parts.engine);
    let (status, code) =
        if log.ok { ("ready", StatusCode::OK) } else { ("not_ready", StatusCode::SERVICE_UNAVAILABLE) };
    (code, Json(Readiness { status, log })).into_response()
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
