//! What goes around every answer: how long it may take to begin, a count of it, a log line with its request id.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_problem::{Problem, current_request_id};

/// Says what the metrics of this file are.
pub(super) fn describe() {
    metrics::describe_counter!("bursar_http_requests_total", "Requests by route, method and status.");
    metrics::describe_histogram!(
        "bursar_http_request_seconds",
        metrics::Unit::Seconds,
        "Time until an answer began, by route and method."
    );
}

/// Middleware: an answer that has not begun by then is given up for the client; what was handed to the engine is decided
/// all the same, and a retry with the same key gets its result.
pub(super) async fn bounded(limit: Duration, request: Request, next: Next) -> Response {
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let detail = format!(
                "the answer took longer than {} ms; a command may have been decided all the same: ask again with the same key",
                limit.as_millis()
            );
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "request_timeout", detail).retry_after(1).into_response()
        }
    }
}

/// Middleware: counts and times every answer of a route, and logs it: a fault of the server as a warning, everything else
/// for those who ask for details. (503 is no fault, and would fill the log just when there is most to do.)
pub(super) async fn measured(request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = request.method().clone();
    let route: Arc<str> = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str).into();
    let response = next.run(request).await;
    let (took, status) = (began.elapsed(), response.status());
    let verb = verb(method.as_str());
    metrics::counter!(
        "bursar_http_requests_total", "method" => verb, "route" => Arc::clone(&route), "status" => code(status)
    )
    .increment(1);
    metrics::histogram!("bursar_http_request_seconds", "method" => verb, "route" => Arc::clone(&route))
        .record(took.as_secs_f64());
    let request_id = current_request_id();
    let request_id = request_id.as_ref().map_or("", |id| &*id.0);
    if status == StatusCode::INTERNAL_SERVER_ERROR {
        tracing::warn!(request_id, %method, %route, status = status.as_u16(), took_us = took.as_micros(), "answered");
    } else {
        tracing::debug!(request_id, %method, %route, status = status.as_u16(), took_us = took.as_micros(), "answered");
    }
    response
}

/// The method as a label; a client may send any word.
fn verb(method: &str) -> &'static str {
    match method {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        _ => "other",
    }
}

/// The status as a label, without allocating for those that are usual.
fn code(status: StatusCode) -> std::borrow::Cow<'static, str> {
    match status.as_u16() {
        200 => "200".into(),
        201 => "201".into(),
        404 => "404".into(),
        409 => "409".into(),
        422 => "422".into(),
        503 => "503".into(),
        other => other.to_string().into(),
    }
}
