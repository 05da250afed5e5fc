//! Tests of the whole surface: requests in, responses out. Where the engine matters it is the real one, on a log in a
//! folder; a scripted one stands in where the engine would have to be full, stopping or failing, or must not be asked.
#![allow(clippy::unwrap_used)]

mod bad_requests;
mod batches;
mod commands;
mod openapi;
mod properties;

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request};
use domain::ids::{Position, StreamId, Version};
use event_store::log::{Log, Options as LogOptions};
use http_body_util::BodyExt;
use http_problem::{KnownRoutes, completed, dressed};
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt;

use super::{Commands, Options, router};
use crate::engine::{self, Accepted, EventPlace, Outcome, Running, Submission, Unavailable};

type Script = dyn Fn(&Submission) -> Result<Vec<Outcome>, Unavailable> + Send + Sync;

/// An engine that answers by a script and remembers what it was asked.
#[derive(Clone)]
struct Scripted {
    script: Arc<Script>,
    asked: Arc<Mutex<Vec<Submission>>>,
}

impl Scripted {
    fn new(script: impl Fn(&Submission) -> Result<Vec<Outcome>, Unavailable> + Send + Sync + 'static) -> Self {
        Self { script: Arc::new(script), asked: Arc::default() }
    }

    /// Accepts everything.
    fn accepting() -> Self {
        Self::new(|submission| Ok(submission.requests.iter().map(|_| accepted()).collect()))
    }

    fn failing(why: Unavailable) -> Self {
        Self::new(move |_| Err(why.clone()))
    }

    fn asked(&self) -> Vec<Submission> {
        self.asked.lock().unwrap().clone()
    }
}

impl Commands for Scripted {
    async fn submit(&self, submission: Submission) -> Result<Vec<Outcome>, Unavailable> {
        self.asked.lock().unwrap().push(submission.clone());
        // As with the engine, the answer comes later than the question.
        tokio::task::yield_now().await;
        (self.script)(&submission)
    }
}

fn accepted() -> Outcome {
    let event = EventPlace {
        event_type: "happened",
        stream: "account-a".parse::<StreamId>().unwrap(),
        version: Version(4),
        position: Some(Position(9)),
    };
    Outcome::Accepted(Accepted {
        created: false,
        result: b"{}".to_vec(),
        events: vec![event],
        version: Version(4),
        position: Some(Position(9)),
        replayed: false,
    })
}

/// The routes as a server has them.
fn app(commands: impl Commands, options: Options) -> Router {
    let (routes, document) = router(commands, options).split_for_parts();
    completed(routes, KnownRoutes::of(&document))
}

/// The real engine behind the routes.
struct Server {
    app: Router,
    running: Running,
    _folder: TempDir,
}

impl Server {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let opened = Log::open(folder.path(), LogOptions { segment_bytes: 1 << 20, ..LogOptions::default() }).unwrap();
        let running = engine::start(opened.log, opened.appender, &engine::Options::default()).unwrap();
        Self { app: app(running.engine.clone(), Options::default()), running, _folder: folder }
    }

    async fn post(&self, path: &str, key: &str, body: &Value) -> Response {
        send(&self.app, ask("POST", path, key).body(Body::from(body.to_string())).unwrap()).await
    }

    fn stop(self) {
        drop(self.app);
        self.running.stop().unwrap();
    }
}

#[derive(Debug)]
struct Response {
    status: u16,
    headers: HeaderMap,
    bytes: Bytes,
}

impl Response {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&self.bytes)))
    }

    fn lines(&self) -> Vec<Value> {
        let lines = self.bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

fn ask(method: &str, path: &str, key: &str) -> axum::http::request::Builder {
    let request = Request::builder().method(method).uri(path);
    if key.is_empty() { request } else { request.header("Idempotency-Key", key) }
}

async fn send(app: &Router, request: Request<Body>) -> Response {
    let response = dressed(request, |request| async { app.clone().oneshot(request).await.unwrap() }).await;
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    Response { status: parts.status.as_u16(), headers: parts.headers, bytes }
}
