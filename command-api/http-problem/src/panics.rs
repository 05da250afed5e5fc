//! A panic while a request is answered: the caller gets a problem, the log gets the reason.

use std::panic::AssertUnwindSafe;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;

use crate::problem::Problem;

/// Answers a panic of `answer` with a 500 problem. To stand inside [`crate::with_request_id`], so that the id is known.
pub async fn catch_panics<F>(request: Request, answer: impl FnOnce(Request) -> F) -> Response
where
    F: Future<Output = Response>,
{
    let (method, uri) = (request.method().clone(), request.uri().clone());
    // The future of `answer` is made within it, so that a panic of making it is caught too.
    match AssertUnwindSafe(async { answer(request).await }).catch_unwind().await {
        Ok(response) => response,
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
            let panic = text.unwrap_or("of an unknown kind");
            tracing::error!(%method, path = uri.path(), panic, "answering a request panicked");
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

    use super::*;

    #[tokio::test]
    async fn a_panic_is_answered_as_a_problem() {
        let panics = |_| async { panic!("a panic that this test wants") };
        let response = catch_panics(Request::builder().uri("/").body(Body::empty()).unwrap(), panics).await;
        assert_eq!(response.status(), 500);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
    }
}
