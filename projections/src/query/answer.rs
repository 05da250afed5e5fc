//! Answers: JSON with the position that it reflects, the tag that tells whether it is still the same, and the problems
//! that every query may have.

use axum::Json;
use axum::http::header::ETAG;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::ids::Position;
use http_problem::Problem;
use serde::Serialize;
use utoipa::IntoResponses;

use super::tag::{Moment, Tag};

/// A query's answer.
pub(super) struct Answer<T> {
    body: T,
    position: Position,
    tag: Option<Tag>,
    build: Option<i64>,
    version: Option<i64>,
}

/// What a query gives where it gives no answer.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// It cannot be answered.
    Problem(Problem),
    /// The client has the answer: the read models are as they were when it asked before.
    Unchanged(Position, Tag),
}

/// What a handler gives.
pub(super) type Answered<T> = Result<Answer<T>, Unanswered>;

impl<T> Answer<T> {
    /// An answer that depends on nothing but what was asked and the read models at a moment.
    pub(super) const fn at(moment: Moment, body: T) -> Self {
        Self { body, position: moment.position, tag: moment.tag, build: moment.build, version: None }
    }

    /// An answer that says what is now, and may be another in a moment.
    pub(super) const fn now(position: Position, body: T) -> Self {
        Self { body, position, tag: None, build: None, version: None }
    }

    /// Names the version of the one thing that the answer is about. It is the tag then: `If-Match` of a command takes it.
    pub(super) fn version(self, version: i64) -> Self {
        Self { version: Some(version), ..self }
    }
}

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.body).into_response();
        let headers = response.headers_mut();
        headers.insert("bursar-position", HeaderValue::from(self.position.0));
        if let Some(build) = self.build {
            headers.insert("bursar-build", HeaderValue::from(build));
        }
        if let Some(version) = self.version {
            if let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\"")) {
                headers.insert(ETAG, tag);
            }
        } else if let Some(tag) = self.tag {
            tag.put(headers);
        }
        response
    }
}

impl Unanswered {
    /// Why there is no answer, for those who cannot have it already.
    pub(crate) fn into_problem(self) -> Problem {
        match self {
            Self::Problem(problem) => problem,
            Self::Unchanged(..) => broken(),
        }
    }
}

impl From<Problem> for Unanswered {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl IntoResponse for Unanswered {
    fn into_response(self) -> Response {
        match self {
            Self::Problem(problem) => problem.into_response(),
            Self::Unchanged(position, tag) => {
                let mut response = StatusCode::NOT_MODIFIED.into_response();
                response.headers_mut().insert("bursar-position", HeaderValue::from(position.0));
                tag.put(response.headers_mut());
                response
            }
        }
    }
}

/// There is nothing of that name.
pub(super) fn not_found(code: &'static str, what: &str, id: &str) -> Problem {
    let detail = format!(
        "there is no {what} {id} in the read models; if it was made just now, ask with min_position of that answer"
    );
    Problem::new(StatusCode::NOT_FOUND, code, detail).param("id")
}

/// What the database said, as the caller is told it.
pub(super) fn failed(error: sqlx::Error) -> Problem {
    if is_temporary(&error) {
        tracing::warn!(%error, "a query could not be answered");
        let detail = "the read models cannot be reached; commands are taken all the same, ask again in a moment";
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "read_models_unavailable", detail).retry_after(1);
    }
    tracing::error!(%error, "a query failed");
    broken()
}

/// A row does not have what was written into it.
pub(super) fn unreadable(table: &'static str, key: &str) -> Problem {
    tracing::error!(table, key, "a row of the read models cannot be understood");
    broken()
}

pub(crate) fn broken() -> Problem {
    let detail = "the read models could not be understood; tell the operator the request_id";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", detail)
}

/// Whether the same query may succeed later: no connection, no room, not migrated yet, interrupted.
fn is_temporary(error: &sqlx::Error) -> bool {
    const CLASSES: [&str; 8] = ["08", "28", "3D", "3F", "40", "53", "57", "58"];
    // A table or a column that a migration is about to make.
    const UNDEFINED: [&str; 2] = ["42P01", "42703"];
    match error {
        sqlx::Error::Database(error) => error
            .code()
            .is_some_and(|code| UNDEFINED.contains(&&*code) || CLASSES.iter().any(|class| code.starts_with(class))),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => true,
        _ => false,
    }
}

/// The problems that any query may have.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "it stands for its description in the OpenAPI document")]
pub(super) enum Problems {
    /// The answer is the one whose `ETag` stands in `If-None-Match`.
    #[response(status = 304)]
    Unchanged,
    /// `invalid_request`: parameters are unknown or wrong; `errors` lists them all.
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(#[to_schema] Problem),
    /// `view_behind`: `min_position` was not reached in time; `read_models_unavailable`: PostgreSQL cannot be reached.
    /// Ask again after `Retry-After` seconds.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(#[to_schema] Problem),
}
