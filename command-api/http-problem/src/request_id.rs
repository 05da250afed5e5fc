//! The id of a request: taken from the caller or made here, known to everything that answers the request.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::HeaderValue;
use axum::response::Response;

/// The longest `X-Request-Id` that is taken over from a caller, in bytes.
pub const REQUEST_ID_BYTES_MAX: usize = 128;

const HEADER: &str = "x-request-id";

/// What a request is called in logs, events and answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub Arc<str>);

tokio::task_local! {
    static CURRENT: RequestId;
}

/// The id of the request that the running task answers; none outside [`with_request_id`].
#[must_use]
pub fn current_request_id() -> Option<RequestId> {
    CURRENT.try_with(RequestId::clone).ok()
}

/// Takes `X-Request-Id` from the request, or makes a UUIDv7 where there is none or it is not 1 to
/// [`REQUEST_ID_BYTES_MAX`] visible ASCII characters; gives it to handlers as an extension, to every
/// [`crate::Problem`] that `answer` makes, and to the response's header.
pub async fn with_request_id<F>(mut request: Request, answer: impl FnOnce(Request) -> F) -> Response
where
    F: Future<Output = Response>,
{
    let given = request.headers().get(HEADER).and_then(|value| acceptable(value.as_bytes()));
    let id: Arc<str> = match given {
        Some(given) => Arc::from(given),
        None => Arc::from(uuid::Uuid::now_v7().hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()) as &str),
    };
    request.extensions_mut().insert(RequestId(Arc::clone(&id)));
    let mut response = CURRENT.scope(RequestId(Arc::clone(&id)), answer(request)).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HEADER, value);
    }
    response
}

fn acceptable(value: &[u8]) -> Option<&str> {
    let fits = (1..=REQUEST_ID_BYTES_MAX).contains(&value.len()) && value.iter().all(u8::is_ascii_graphic);
    if fits { std::str::from_utf8(value).ok() } else { None }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use axum::body::Body;
    use axum::http::StatusCode;
    use axum::response::IntoResponse;
    use http_body_util::BodyExt;

    use super::*;
    use crate::Problem;

    async fn answer(id: Option<&str>) -> (String, serde_json::Value) {
        let refuse = |request: Request| async move {
            let RequestId(id) = request.extensions().get().unwrap();
            Problem::new(StatusCode::CONFLICT, "refused", id.to_string()).into_response()
        };
        let mut request = Request::builder().uri("/");
        if let Some(id) = id {
            request = request.header(HEADER, id);
        }
        let response = with_request_id(request.body(Body::empty()).unwrap(), refuse).await;
        let header = response.headers()[HEADER].to_str().unwrap().to_owned();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (header, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn a_callers_id_is_in_the_header_the_extension_and_the_problem() {
        let (header, problem) = answer(Some("order-import/17")).await;
        assert_eq!(header, "order-import/17");
        assert_eq!(problem["request_id"], "order-import/17");
        assert_eq!(problem["detail"], "order-import/17");
    }

    #[tokio::test]
    async fn an_id_that_is_missing_or_not_acceptable_is_made() {
        for given in [None, Some(""), Some("two words"), Some(&*"x".repeat(129))] {
            let (header, problem) = answer(given).await;
            assert_eq!(uuid::Uuid::parse_str(&header).unwrap().get_version_num(), 7, "{given:?}");
            assert_eq!(problem["request_id"], header);
        }
    }
}
