//! Stands between an import and the servers that come and go: one address for the import, a witness of every command
//! and every answer that passes.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::client::Client;
use crate::server::PATIENCE;
use crate::witness::{Lines, Witness};

/// Passes requests on.
pub(crate) struct Relay {
    /// Where it answers.
    pub(crate) base: String,
    /// What passed.
    pub(crate) witness: Arc<Witness>,
    server: watch::Sender<Client>,
    batches: Arc<Batches>,
    answering: JoinHandle<()>,
}

/// What is known of the batches that passed.
struct Batches {
    /// Batches wait while so many commands were answered.
    until: watch::Sender<usize>,
    passed_on: watch::Sender<usize>,
    /// How long the last one took that was answered to its end.
    answered_within: Mutex<Duration>,
}

impl Relay {
    pub(crate) async fn to(client: Client) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (witness, server) = (Arc::new(Witness::new()), watch::Sender::new(client));
        let (until, passed_on) = (watch::Sender::new(usize::MAX), watch::Sender::new(0));
        let batches = Arc::new(Batches { until, passed_on, answered_within: Mutex::default() });
        let (passing, seen, counted) = (server.subscribe(), Arc::clone(&witness), Arc::clone(&batches));
        let router = Router::new().fallback(move |request: Request| {
            let client = passing.borrow().clone();
            pass(client, Arc::clone(&seen), Arc::clone(&counted), request)
        });
        let answering = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { base, witness, server, batches, answering }
    }

    /// Holds batches back while so many commands were answered: however slow the test is, the import must not get away.
    pub(crate) fn at_most(&self, commands: usize) {
        self.batches.until.send_replace(commands);
    }

    /// Waits until the server gets the next batch, which is not held back, and tells how long it may take to answer.
    pub(crate) async fn next_batch(&self) -> Duration {
        let mut passed_on = self.batches.passed_on.subscribe();
        let before = *passed_on.borrow_and_update();
        let one_more = self.witness.heard() + 1;
        self.batches.until.send_modify(|until| *until = one_more.max(*until));
        let waited = tokio::time::timeout(PATIENCE, passed_on.wait_for(|batches| *batches > before)).await;
        assert!(waited.is_ok(), "no other batch came");
        *self.batches.answered_within.lock().unwrap()
    }

    /// There is another server now.
    pub(crate) fn goes_to(&self, client: Client) {
        self.server.send_replace(client);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.answering.abort();
    }
}

async fn pass(client: Client, witness: Arc<Witness>, batches: Arc<Batches>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let commands = Lines::default().push(&body);
    witness.sends(&commands);
    let mut passed_on = client.request(parts.method, parts.uri.path_and_query().unwrap().as_str()).body(body);
    if let Some(content_type) = parts.headers.get(CONTENT_TYPE) {
        passed_on = passed_on.header(CONTENT_TYPE, content_type);
    }
    if !commands.is_empty() {
        let let_through = |until: &usize| *until > witness.heard();
        batches.until.subscribe().wait_for(let_through).await.unwrap();
        batches.passed_on.send_modify(|batches| *batches += 1);
    }
    let Ok(response) = passed_on.send().await else { return StatusCode::BAD_GATEWAY.into_response() };
    let status = response.status();
    let commands = commands.into_iter();
    let mut heard = Answers { lines: Lines::default(), commands, witness, batches, since: Instant::now() };
    let answer = response.bytes_stream().map(move |bytes| {
        if let Ok(bytes) = &bytes
            && status == StatusCode::OK
        {
            heard.take(bytes);
        }
        bytes
    });
    (status, Body::from_stream(answer)).into_response()
}

/// The answers to a batch as they pass.
struct Answers {
    lines: Lines,
    commands: std::vec::IntoIter<Value>,
    witness: Arc<Witness>,
    batches: Arc<Batches>,
    since: Instant,
}

impl Answers {
    fn take(&mut self, bytes: &[u8]) {
        for line in self.lines.push(bytes) {
            // What is no batch has no commands; its answer is nobody's affair.
            let Some(command) = self.commands.next() else { return };
            self.witness.hears(&command, &line);
            if self.commands.len() == 0 {
                *self.batches.answered_within.lock().unwrap() = self.since.elapsed();
            }
        }
    }
}
