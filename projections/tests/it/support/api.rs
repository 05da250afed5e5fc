//! The query API over read models, asked without a socket.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use http_body_util::BodyExt;
use projections::database::{Database, QueryPool};
use projections::query::{QueryState, router};
use projections::worker::status::Monitor;
use serde_json::Value;
use sqlx::PgPool;
use tower::ServiceExt;
use utoipa::openapi::OpenApi;

/// The API.
pub(crate) struct Api {
    pub(crate) document: OpenApi,
    pub(crate) pool: PgPool,
    router: Router,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Api {
    pub(crate) fn new(database: &Database, monitor: Option<Monitor>) -> Self {
        let pool = database.query_pool(&QueryPool { connections_max: 4, ..QueryPool::default() });
        let (router, document) = router(QueryState::new(pool.clone(), monitor)).split_for_parts();
        Self { document, pool, router }
    }

    pub(crate) async fn ask(&self, path: &str) -> Answered {
        self.send("GET", path).await
    }

    pub(crate) async fn send(&self, method: &str, path: &str) -> Answered {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{path}: {error}: {bytes:?}"));
        Answered { status, headers, body }
    }

    /// Asks with `If-None-Match`; gives status, headers and the bytes of the body.
    pub(crate) async fn ask_unless(&self, path: &str, tag: &str) -> (u16, HeaderMap, Vec<u8>) {
        let request = Request::builder().uri(path).header("if-none-match", tag).body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        (status, headers, response.into_body().collect().await.unwrap().to_bytes().to_vec())
    }

    /// The body of an answer, letter by letter.
    pub(crate) async fn text(&self, path: &str) -> String {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    /// The body of an answer that must be one, after checking that it says which position it reflects.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let answered = self.ask(path).await;
        assert_eq!(answered.status, 200, "{path}: {}", answered.body);
        assert_eq!(answered.headers["bursar-position"], answered.body["position"].to_string(), "{path}");
        answered.body
    }

    /// All items of a list, page by page.
    pub(crate) async fn all(&self, path: &str, limit: usize) -> Vec<Value> {
        let with = if path.contains('?') { '&' } else { '?' };
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.get(&format!("{path}{with}limit={limit}{cursor}")).await;
            let found = page["items"].as_array().unwrap();
            assert!(found.len() <= limit, "{path}");
            items.extend(found.iter().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return items,
            }
        }
    }

    /// The code of a problem, after checking that it is one.
    pub(crate) async fn problem(&self, path: &str) -> (u16, Value) {
        let answered = self.ask(path).await;
        assert_eq!(answered.headers["content-type"], "application/problem+json", "{path}: {}", answered.body);
        assert_eq!(answered.body["status"], answered.status, "{path}");
        (answered.status, answered.body)
    }
}
