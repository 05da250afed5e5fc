//! A panic while a request is answered: the caller gets a problem, the log gets the reason.

use std::panic::AssertUnwindSafe;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;

use crate::problem::Problem;

/// Middleware (`axum::middleware::from_fn`), to stand right inside [`crate::with_request_id`]: answers a panic of
/// anything below it with a 500 problem.
pub async fn catch_panics(request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
            tracing::error!(%method, path, panic = text.unwrap_or("of an unknown kind"), "answering a request panicked");
            let detail = "the server failed while it answered this request; whether it counts is unknown, so ask \
                          again with the same key, and tell the operator the request_id";
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", detail).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use axum::body::Body;
    use axum::routing::get;
    use axum::{Router, middleware};
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_answered_as_a_problem() {
        async fn panics() -> &'static str {
            panic!("a panic that this test wants")
        }
        let app: Router = Router::new().route("/", get(panics)).layer(middleware::from_fn(catch_panics));
        let response = app.oneshot(Request::builder().uri("/").body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 500);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
    }
}
