//! The handler of every route that takes one command.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequestParts, RawPathParams, Request, State};
use axum::http::header::{CONTENT_TYPE, ETAG};
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use domain::command::Command;
use domain::ids::{Position, Version};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use http_problem::Problem;
use tokio::time::timeout;

use super::definition::Wire;
use super::explain::Faults;
use super::head::{self, Caller, Done};
use super::idempotency_key::IdempotencyKey;
use super::problem::{self, AskedOf};
use super::read::{self, Beside, Taken, invalid_one};
use super::{Commands, Surface, answer};
use crate::engine::{self, Outcome};

/// The header that names the position of an answer in the log.
pub(super) const POSITION: HeaderName = HeaderName::from_static("bursar-position");

/// Takes one command: reads it, submits it, writes what became of it.
pub(super) async fn take<W: Wire, C: Commands>(
    State(surface): State<Arc<Surface<C>>>,
    request: Request,
) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    let bytes_max = surface.options.body_bytes_max;
    head::content_type(&parts.headers, &["application/json"])?;
    head::content_length(&parts.headers, bytes_max)?;
    let key = head::idempotency_key(&parts.headers)?;
    let mut faults = Faults::default();
    let caller = Caller::of(&parts, &mut faults);
    let asked = head::query(&parts, &["dry_run"], &mut faults);
    let if_match = head::if_match(&parts.headers, &mut faults);
    let path = RawPathParams::from_request_parts(&mut parts, &()).await.map_err(|_| {
        invalid_one("path", "invalid_value", "an id in the path is not UTF-8 after decoding".to_owned())
    })?;
    let path: Vec<&str> = path.iter().map(|(_, value)| value).collect();
    let limit = surface.options.body_read_timeout;
    let bytes = match timeout(limit, whole(body, bytes_max)).await {
        Ok(read) => read?,
        Err(_) => return Err(head::body_too_slow(limit, Done::Nothing)),
    };
    let taken = read::body::<W>(&bytes, Beside { path: &path, if_match, faults }, &mut Vec::new())?;
    let asked_of = asked_of(&taken.command);
    let request = engine_request(taken, key, caller);
    let outcome = surface.commands.submit_one(request, asked.dry_run).await;
    match outcome.map_err(|why| problem::unavailable(&why))? {
        Outcome::Accepted(accepted) => Ok(accepted_response(&accepted)),
        other => Ok(positioned(not_accepted(&other, asked_of, head::IDEMPOTENCY_KEY))),
    }
}

/// The whole of a body.
///
/// # Errors
/// `body_too_large`, `body_incomplete`.
async fn whole(body: Body, bytes_max: usize) -> Result<bytes::Bytes, Problem> {
    match Limited::new(body, bytes_max).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(head::body_too_large(bytes_max)),
        Err(_) => Err(head::body_incomplete(Done::Nothing)),
    }
}

/// A command as the engine takes it.
pub(super) fn engine_request(taken: Taken, IdempotencyKey(key): IdempotencyKey, caller: Caller) -> engine::Request {
    let Caller { principal, request_id, correlation_id } = caller;
    let Taken { key: _, command_type, command, fingerprint, expected_version, effective_at } = taken;
    engine::Request {
        principal,
        key,
        request_id,
        correlation_id,
        command_type,
        command,
        fingerprint,
        expected_version,
        effective_at,
    }
}

/// What a command is asked of.
pub(super) fn asked_of(command: &Command) -> AskedOf {
    if matches!(command, Command::Product(..)) { AskedOf::Product } else { AskedOf::Other }
}

/// The problem of a command that was not accepted; its key stands in this field.
pub(super) fn not_accepted(outcome: &Outcome, asked_of: AskedOf, key_field: &str) -> Problem {
    match outcome {
        Outcome::Refused { rejection, position, replayed } => {
            problem::refused(rejection, *position, *replayed, asked_of)
        }
        Outcome::KeyReused => problem::key_reused(key_field),
        Outcome::NotDecided { refused_index } => problem::not_decided(*refused_index),
        Outcome::BatchDiffers => problem::batch_differs(),
        Outcome::NotTaken(why) => problem::unavailable(why),
        Outcome::Accepted(_) => unreachable!("an accepted command has no problem"),
    }
}

fn accepted_response(accepted: &engine::Accepted) -> Response {
    let mut body = Vec::with_capacity(512);
    body.push(b'{');
    answer::write_members(&mut body, accepted);
    body.push(b'}');
    let mut response = (answer::status(accepted), body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let Version(version) = accepted.version;
    if let Ok(etag) = HeaderValue::from_str(&format!("\"{version}\"")) {
        headers.insert(ETAG, etag);
    }
    if let Some(Position(position)) = accepted.position {
        headers.insert(POSITION, HeaderValue::from(position));
    }
    response
}

/// The response of a problem, with the position of the refusal where it is recorded.
pub(super) fn positioned(problem: Problem) -> Response {
    let position = problem.recorded.as_ref().and_then(|recorded| recorded.position);
    let mut response = problem.into_response();
    if let Some(position) = position {
        response.headers_mut().insert(POSITION, HeaderValue::from(position));
    }
    response
}
