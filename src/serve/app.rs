//! The one way of every request: what goes around the router, from the outside in. None of it is a layer of the router: a
//! layer is cloned and boxed anew for every request, and all of them once more for every layer around them.

use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use http_problem::{Problem, dressed};
use tower::Service;

use super::leftover;
use super::meter::Meter;

/// What answers requests.
#[derive(Debug)]
pub(super) struct App {
    /// Every route, and what is answered where there is none.
    pub(super) router: Router,
    /// Counts and times the answers.
    pub(super) meter: Meter,
    /// How long an answer may take to begin.
    pub(super) limit: Duration,
}

impl App {
    /// Answers a request.
    pub(super) async fn answer(&self, request: Request) -> Response {
        leftover::read_away(request, |request| {
            dressed(request, |request| self.meter.measured(request, |request| self.bounded(request)))
        })
        .await
    }

    /// An answer that has not begun by then is given up for the client; what was handed to the engine is decided all the
    /// same, and a retry with the same key gets its result.
    async fn bounded(&self, request: Request) -> Response {
        let routed = self.router.clone().call(request);
        match tokio::time::timeout(self.limit, routed).await {
            Ok(Ok(response)) => response,
            Err(_) => {
                let detail = format!(
                    "the answer took longer than {} ms; a command may have been decided all the same: ask again with the same key",
                    self.limit.as_millis()
                );
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "request_timeout", detail).retry_after(1).into_response()
            }
        }
    }
}
