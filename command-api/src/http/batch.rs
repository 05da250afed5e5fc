//! The handler of `/v1/commands`: several commands in one request, each for itself or all or none.

mod atomic;
#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzzing;
mod incoming;
mod independent;
mod line;
mod outlet;
mod split;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use http_problem::Problem;

use self::incoming::Incoming;
use super::explain::Faults;
use super::head::{self, Caller};
use super::read;
use super::{Commands, Options, Surface};
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
    State(surface): State<Arc<Surface<C>>>,
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
    let place = Arc::clone(&surface.batches).try_acquire_owned().map_err(|_| too_many_batches(&surface.options))?;
    let batch = Batch { caller, dry_run: asked.dry_run };
    let incoming = Incoming::new(body, &surface.options);
    match asked.mode {
        Mode::Atomic => atomic::take(&surface.commands, batch, incoming).await,
        Mode::Independent => independent::take(surface, batch, incoming, place).await,
    }
}

/// The response whose body is lines of JSON.
fn lines_response(body: impl IntoResponse) -> Response {
    let mut response = body.into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    response
}

fn too_many_batches(options: &Options) -> Problem {
    let at_once = options.batches_max;
    let detail = format!("{at_once} batches are being taken already, and no more are at once; try again in a second");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_batches", detail)
        .retry_after(1)
        .figure("batches_max", at_once)
}

fn batch_empty() -> Problem {
    let detail = "the batch has no commands; write one JSON object per line, or an array of them";
    Problem::new(StatusCode::BAD_REQUEST, "batch_empty", detail)
}
