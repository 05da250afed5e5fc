//! The problem value: RFC 9457 `application/problem+json`, with this project's members. Nothing of how requests are
//! routed or read.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::openapi::{RefOr, Schema};

use crate::request_id::current_request_id;

/// One field that is wrong, where several can be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FieldError {
    /// The field: `amount.currency`, `lines[2].quantity`, a header or a query parameter.
    #[schema(example = "amount.currency")]
    pub param: String,
    /// What is wrong with it; stable.
    #[schema(example = "missing_field")]
    pub code: String,
    /// A sentence that a person can act on.
    #[schema(example = "amount.currency is required: an ISO 4217 currency code such as \"USD\".")]
    pub detail: String,
}

impl FieldError {
    /// Says what is wrong with a field.
    pub fn new(param: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self { param: param.into(), code: code.to_owned(), detail: detail.into() }
    }
}

/// Why a request was not done, in the form of RFC 9457.
///
/// As a response it has the status, `Content-Type: application/problem+json`, `Retry-After` where that is known, and
/// the id of the request that is being answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// The status of the response.
    pub status: StatusCode,
    /// The stable code that programs match on; `/problems/{code}` explains it.
    pub code: &'static str,
    /// A sentence that a person can act on.
    pub detail: String,
    /// The field at fault, where it is one.
    pub param: Option<Box<str>>,
    /// Whether the same request may succeed later without being changed.
    pub retryable: bool,
    /// The figures that explain it.
    pub figures: Map<String, Value>,
    /// Every field that is wrong, where several can be.
    pub errors: Vec<FieldError>,
    /// After how many seconds to try again.
    pub retry_after_s: Option<u16>,
    /// Where the refusal of a command is recorded; none where nothing is.
    pub recorded: Option<Box<Recorded>>,
}

/// Where the refusal of a command is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// Its position in the log; none for a dry run.
    pub position: Option<u64>,
    /// Whether this is the answer to an earlier request with the same key.
    pub replayed: bool,
}

impl Problem {
    /// A problem without figures, which trying again does not change.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            param: None,
            retryable: false,
            figures: Map::new(),
            errors: Vec::new(),
            retry_after_s: None,
            recorded: None,
        }
    }

    /// Names the field at fault.
    #[must_use]
    pub fn param(mut self, param: impl Into<Box<str>>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// Adds a figure.
    #[must_use]
    pub fn figure(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.figures.insert(name.to_owned(), value.into());
        self
    }

    /// Lists the fields that are wrong; the first of them is named as the one at fault.
    #[must_use]
    pub fn errors(mut self, errors: Vec<FieldError>) -> Self {
        self.param = errors.first().map(|error| error.param.as_str().into());
        self.errors = errors;
        self
    }

    /// Says that the same request may succeed later, and after how many seconds to try.
    #[must_use]
    pub fn retry_after(mut self, seconds: u16) -> Self {
        self.retryable = true;
        self.retry_after_s = Some(seconds);
        self
    }

    /// The code in words: `insufficient_funds` is "Insufficient funds".
    #[must_use]
    pub fn title(&self) -> String {
        let mut title = self.code.replace('_', " ");
        if let Some(first) = title.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        title
    }

    /// The problem as JSON, with the id of the request that it answers where that is known.
    #[must_use]
    pub fn to_json(&self, request_id: Option<&str>) -> Vec<u8> {
        let body = Body {
            r#type: format!("/problems/{}", self.code),
            title: self.title(),
            status: self.status.as_u16(),
            code: self.code,
            detail: &self.detail,
            param: self.param.as_deref(),
            retryable: self.retryable,
            request_id,
            figures: &self.figures,
            errors: &self.errors,
            position: self.recorded.as_ref().map(|recorded| recorded.position),
            replayed: self.recorded.as_ref().map(|recorded| recorded.replayed),
        };
        serde_json::to_vec(&body).expect("strings, numbers and JSON values can always be written")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let request_id = current_request_id();
        let body = self.to_json(request_id.as_ref().map(|id| &*id.0));
        let content_type = (CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        let mut response = (self.status, [content_type], body).into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// Why a request was not done (RFC 9457).
#[derive(Serialize, utoipa::ToSchema)]
struct Body<'a> {
    /// Where the code is explained, on this server.
    #[schema(example = "/problems/insufficient_funds")]
    r#type: String,
    /// The code in words.
    #[schema(example = "Insufficient funds")]
    title: String,
    /// The status of the response.
    #[schema(example = 422)]
    status: u16,
    /// The stable code to match on.
    #[schema(example = "insufficient_funds")]
    code: &'a str,
    /// A sentence that a person can act on.
    #[schema(example = "account acct_1 has 5.00 USD available, 12.50 USD was asked")]
    detail: &'a str,
    /// The field, header or query parameter at fault, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    param: Option<&'a str>,
    /// Whether the same request may succeed later without being changed.
    retryable: bool,
    /// The id of the request, as in the header `X-Request-Id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "019a3f6e-5a41-7c52-9b86-0f6d1c7e2a11")]
    request_id: Option<&'a str>,
    /// The figures that explain it; which ones depends on the code.
    #[serde(skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Option<Object>)]
    figures: &'a Map<String, Value>,
    /// Every field that is wrong.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(value_type = Option<Vec<FieldError>>)]
    errors: &'a [FieldError],
    /// Where the refusal is recorded in the log; null for a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>, example = 124)]
    position: Option<Option<u64>>,
    /// Whether this is the answer to an earlier request with the same key.
    #[serde(skip_serializing_if = "Option::is_none")]
    replayed: Option<bool>,
}

impl utoipa::PartialSchema for Problem {
    fn schema() -> RefOr<Schema> {
        Body::schema()
    }
}

impl utoipa::ToSchema for Problem {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        Body::schemas(schemas);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    #[test]
    fn a_problem_is_written_with_its_figures_and_without_what_it_does_not_have() {
        let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "insufficient_funds", "a has 5, 12 was asked")
            .figure("available", json!({"amount": 5, "currency": "JPY"}));
        let written: Value = serde_json::from_slice(&problem.to_json(Some("r1"))).unwrap();
        assert_eq!(
            written,
            json!({
                "type": "/problems/insufficient_funds", "title": "Insufficient funds", "status": 422,
                "code": "insufficient_funds", "detail": "a has 5, 12 was asked", "retryable": false,
                "request_id": "r1", "figures": {"available": {"amount": 5, "currency": "JPY"}}
            })
        );
    }

    #[test]
    fn several_wrong_fields_are_listed_and_the_first_is_named() {
        let errors = vec![FieldError::new("amount", "missing_field", "m"), FieldError::new("x", "unknown_field", "u")];
        let problem = Problem::new(StatusCode::BAD_REQUEST, "invalid_request", "2 fields are wrong").errors(errors);
        let written: Value = serde_json::from_slice(&problem.to_json(None)).unwrap();
        assert_eq!(written["param"], "amount");
        assert_eq!(written["errors"][1], json!({"param": "x", "code": "unknown_field", "detail": "u"}));
        assert_eq!(written.get("request_id"), None);
    }

    #[test]
    fn a_problem_says_when_to_try_again() {
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "queue_full", "full").retry_after(1);
        let response = problem.into_response();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()[RETRY_AFTER], "1");
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
    }
}
