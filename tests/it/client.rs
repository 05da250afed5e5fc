//! A client of the HTTP interface, with as little between a test and the wire as possible.

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;

use crate::server::PATIENCE;

/// A client of one server.
#[derive(Clone)]
pub(crate) struct Client {
    /// For requests that this has no method for.
    pub(crate) http: reqwest::Client,
    base: String,
}

impl Client {
    /// A client of the server at `base`.
    pub(crate) fn new(base: &str) -> Self {
        let http = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
        Self { http, base: base.to_owned() }
    }

    /// A request to begin with.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    /// Asks; gives status and body.
    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        answer(self.request(Method::GET, path)).await
    }

    /// Asks what must be answered with 200.
    pub(crate) async fn found(&self, path: &str) -> Value {
        let (status, body) = self.get(path).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// Sends a command under a key; gives status and body.
    pub(crate) async fn post(&self, path: &str, key: &str, body: &Value) -> (u16, Value) {
        answer(self.request(Method::POST, path).header("idempotency-key", key).json(body)).await
    }

    /// Sends a command that must be accepted; gives its answer.
    pub(crate) async fn accepted(&self, path: &str, key: &str, body: &Value) -> Value {
        let (status, answer) = self.post(path, key, body).await;
        assert!(matches!(status, 200 | 201), "{path} {body}: {status} {answer}");
        answer
    }
}

async fn answer(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status: StatusCode = response.status();
    let text = response.text().await.unwrap();
    (status.as_u16(), serde_json::from_str(&text).unwrap_or(Value::String(text)))
}
