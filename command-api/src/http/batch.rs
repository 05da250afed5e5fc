//! The handler of `/v1/commands`: several commands in one request, each for itself or all or none.

mod atomic;
mod incoming;
mod independent;
mod line;
mod outlet;
mod split;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use http_problem::Problem;

use self::incoming::Incoming;
use super::explain::Faults;
use super::head::{self, Caller};
use super::read;
use super::{Commands, Surface};
use crate::engine::Mode;

/// The media types that a batch can be written in: lines of JSON under any of their names, or an array.
pub(super) const MEDIA_TYPES: &[&str] =
    &["application/x-ndjson", "application/json", "application/ndjson", "application/jsonl"];

/// What all commands of a batch have in common.
#[derive(Debug, Clone)]
struct Batch {
    caller: Caller,
    dry_run: bool,
}

/// Takes a batch.
pub(super) async fn take_batch<C: Commands>(
    State(surface): State<Surface<C>>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    head::content_type(&parts.headers, MEDIA_TYPES)?;
    head::content_length(&parts.headers, surface.options.batch_bytes_max)?;
    let mut faults = Faults::default();
    let caller = Caller::of(&parts, &mut faults);
    let asked = head::query(&parts, &["mode", "dry_run"], &mut faults);
    if faults.found() > 0 {
        return Err(read::invalid(faults));
    }
    let batch = Batch { caller, dry_run: asked.dry_run };
    let incoming = Incoming::new(body, &surface.options);
    match asked.mode {
        Mode::Atomic => atomic::take(&surface.commands, batch, incoming).await,
        Mode::Independent => independent::take(surface, batch, incoming).await,
    }
}

/// The response whose body is lines of JSON.
fn lines_response(body: impl IntoResponse) -> Response {
    let mut response = body.into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    response
}

fn batch_empty() -> Problem {
    let detail = "the batch has no commands; write one JSON object per line, or an array of them";
    Problem::new(StatusCode::BAD_REQUEST, "batch_empty", detail)
}
