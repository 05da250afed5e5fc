//! Why events are not given, as the caller is told it.

use axum::http::StatusCode;
use domain::ids::Position;
use event_store::feed::FeedError;
use event_store::log::reader::ReadError;
use http_problem::Problem;
use utoipa::IntoResponses;

/// The reader has seen more than the log has.
pub(super) fn ahead(param: &'static str, from: Position, end: Position) -> Problem {
    let detail = format!(
        "the log ends at position {end} and {from} was asked for: you have read another log, or this one was put back \
         from an older copy; read again from position 1"
    );
    let problem = Problem::new(StatusCode::CONFLICT, "position_ahead", detail).param(param);
    problem.figure("from", from.0).figure("position", end.0)
}

/// So many read at once that another one is not taken.
pub(super) fn too_many(readers_max: usize) -> Problem {
    let detail = format!("{readers_max} readers of events are at work, and no more may be; ask again in a moment");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_readers", detail)
        .figure("readers_max", readers_max)
        .retry_after(1)
}

/// The log could not be read.
pub(super) fn unread(error: &Unread) -> Problem {
    match error {
        Unread::Log(error) => {
            tracing::error!(%error, "events could not be read from the log");
            let detail = "the log could not be read there; GET /health/ready tells of damage, tell the operator";
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "log_unreadable", detail)
        }
        Unread::Closing => {
            let detail = "the server is stopping; ask again in a moment";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", detail).retry_after(1)
        }
    }
}

/// Why a reading ended early.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unread {
    /// The log is damaged, or its disk refuses.
    #[error(transparent)]
    Log(#[from] ReadError),
    /// The log is being closed.
    #[error("the log is being closed")]
    Closing,
}

impl From<FeedError> for Unread {
    fn from(error: FeedError) -> Self {
        match error {
            FeedError::Read(error) => Self::Log(error),
            // Nobody subscribes beyond the end here: that was looked at before.
            FeedError::Closed | FeedError::Runtime | FeedError::Ahead { .. } => Self::Closing,
        }
    }
}

/// The problems that reading events may have.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "it stands for its description in the OpenAPI document")]
pub(super) enum Problems {
    /// `invalid_request`: parameters are unknown or wrong; `errors` lists them all.
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(#[to_schema] Problem),
    /// `position_ahead`: the log ends before the position that was asked for.
    #[response(status = 409, content_type = "application/problem+json")]
    Ahead(#[to_schema] Problem),
    /// `log_unreadable`: the log is damaged there.
    #[response(status = 500, content_type = "application/problem+json")]
    Unreadable(#[to_schema] Problem),
    /// `too_many_readers` or `stopping`: ask again after `Retry-After` seconds.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(#[to_schema] Problem),
}
