//! What tests of the interface begin with: a server with an empty log and a database of its own, accounts with money,
//! products with stock, and a client that checks the promises that every answer makes.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::client::Client;
use crate::postgres::{Database, database};
use crate::server::Server;

/// A server and what belongs to it. Dropping it ends the server first.
pub(crate) struct Scene {
    pub(crate) server: Server,
    pub(crate) client: Client,
    /// The last position that an answer has named.
    position: AtomicU64,
    /// The codes whose pages were found.
    explained: Mutex<BTreeSet<String>>,
    _database: Database,
    _folder: TempDir,
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// An answer of which these are the parts.
    pub(crate) fn new(status: u16, headers: Vec<(String, String)>, body: Vec<u8>) -> Self {
        Self { status, headers, body }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {} {:?}", self.status, self.text()))
    }

    /// One value for each line of the body.
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Sends a request, and takes the whole answer.
pub(crate) async fn sent(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let headers = response.headers().iter();
    let headers = headers.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()));
    let headers = headers.collect();
    Answer { status, headers, body: response.bytes().await.unwrap().to_vec() }
}

/// An amount in GBP.
pub(crate) fn gbp(amount: i64) -> Value {
    json!({"amount": amount, "currency": "GBP"})
}

/// A key that was not used before.
pub(crate) fn new_key() -> String {
    Uuid::now_v7().to_string()
}

/// Checks the members of an object that are named, in objects within it too; an array must be as it is named.
#[track_caller]
pub(crate) fn has(actual: &Value, expected: &Value) {
    let Value::Object(members) = expected else {
        assert_eq!(actual, expected);
        return;
    };
    for (name, expected) in members {
        match (&actual[name], expected) {
            (Value::Object(_), Value::Object(_)) => has(&actual[name], expected),
            (actual_member, expected) => assert_eq!(actual_member, expected, "{name} of {actual}"),
        }
    }
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::with(&[]).await
    }

    /// A scene whose server has more flags.
    pub(crate) async fn with(flags: &[&str]) -> Self {
        let (folder, database) = (tempfile::tempdir().unwrap(), database());
        let server = Server::start_with(&folder.path().join("log"), &database.url, flags);
        server.ready().await;
        let client = server.client();
        let (position, explained) = (AtomicU64::new(0), Mutex::default());
        Self { server, client, position, explained, _database: database, _folder: folder }
    }

    /// A command's request under a new key.
    pub(crate) fn command(&self, method: Method, path: &str, body: &Value) -> RequestBuilder {
        self.client.request(method, path).header("idempotency-key", new_key()).json(body)
    }

    /// Does a command that must be accepted; gives its answer.
    pub(crate) async fn done(&self, path: &str, body: Value) -> Value {
        let answer = sent(self.command(Method::POST, path, &body)).await;
        assert!(matches!(answer.status, 200 | 201), "{path} {body}: {} {}", answer.status, answer.text());
        self.noted(answer.json())
    }

    /// Asks for a command that must be refused; gives the problem, checked as every problem.
    pub(crate) async fn refused(&self, path: &str, body: Value) -> Value {
        let answer = sent(self.command(Method::POST, path, &body)).await;
        let problem = self.problem(&answer).await;
        assert!(problem["position"].is_u64(), "a refusal is recorded: {problem}");
        problem
    }

    /// Remembers the position that an answer names.
    pub(crate) fn noted(&self, answer: Value) -> Value {
        self.position.fetch_max(answer["position"].as_u64().unwrap_or(0), Ordering::Relaxed);
        answer
    }

    /// The last position that an answer has named.
    pub(crate) fn position(&self) -> u64 {
        self.position.load(Ordering::Relaxed)
    }

    /// Asks the read models, once they have everything that was answered so far.
    pub(crate) async fn seen(&self, path: &str) -> Value {
        let separator = if path.contains('?') { '&' } else { '?' };
        self.client.found(&format!("{path}{separator}min_position={}&wait_ms=30000", self.position())).await
    }

    /// Opens an account in GBP with so much money on it.
    pub(crate) async fn account(&self, account_id: &str, amount: i64) {
        self.done("/v1/accounts", json!({"account_id": account_id, "owner_id": "owner", "currency": "GBP"})).await;
        if amount > 0 {
            self.done(&format!("/v1/accounts/{account_id}/deposits"), json!({"amount": gbp(amount)})).await;
        }
    }

    /// Brings a product into the catalogue, with so much stock.
    pub(crate) async fn product(&self, product_id: &str, price: i64, tax_rate_bps: i64, stock: i64) {
        let product = json!({
            "product_id": product_id, "name": product_id, "unit_price": gbp(price), "tax_rate_bps": tax_rate_bps
        });
        self.done("/v1/products", product).await;
        if stock > 0 {
            self.done(&format!("/v1/products/{product_id}/stock-receipts"), json!({"quantity": stock})).await;
        }
    }

    /// Starts an order with these products in its cart.
    pub(crate) async fn cart(&self, order_id: &str, items: &[(&str, i64)]) {
        self.done("/v1/orders", json!({"order_id": order_id, "customer_id": "cust", "currency": "GBP"})).await;
        for (product_id, quantity) in items {
            let item = json!({"product_id": product_id, "quantity": quantity});
            self.done(&format!("/v1/orders/{order_id}/items"), item).await;
        }
    }

    /// Checks that an answer is a problem as docs/errors.md promises, with a page that explains it; gives it.
    pub(crate) async fn problem(&self, answer: &Answer) -> Value {
        let told = format!("{} {}", answer.status, answer.text());
        assert!(answer.status >= 400, "no problem: {told}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{told}");
        let problem = answer.json();
        let request_id = answer.header("x-request-id").unwrap();
        assert!(!request_id.is_empty() && problem["request_id"] == request_id, "{request_id}: {told}");
        assert_eq!(problem["status"], answer.status, "{told}");
        let code = problem["code"].as_str().unwrap();
        assert_eq!(problem["type"], format!("/problems/{code}"), "{told}");
        assert!(problem["title"].as_str().unwrap().starts_with(|c: char| c.is_ascii_uppercase()), "{told}");
        assert!(problem["detail"].as_str().unwrap().len() > 10, "{told}");
        assert_eq!(problem["retryable"], answer.header("retry-after").is_some(), "{told}");
        if let Some(errors) = problem.get("errors") {
            assert_eq!(problem["param"], errors[0]["param"], "{told}");
            for error in errors.as_array().unwrap() {
                assert!(["param", "code", "detail"].iter().all(|name| error[name].is_string()), "{told}");
            }
        }
        self.explained(code, answer.status).await;
        self.noted(problem)
    }

    /// Checks that a code has a page, and that the page knows the status.
    async fn explained(&self, code: &str, status: u16) {
        let answer = format!("{code} {status}");
        if self.explained.lock().unwrap().contains(&answer) {
            return;
        }
        let page = sent(self.client.request(Method::GET, &format!("/problems/{code}"))).await;
        let text = page.text();
        let heading = text.lines().next().unwrap_or_default();
        let is_explained = page.status == 200 && heading.starts_with(&format!("{code} (")) && text.contains("**Do:**");
        assert!(is_explained && heading.contains(&status.to_string()), "no page for {answer}: {} {text}", page.status);
        self.explained.lock().unwrap().insert(answer);
    }

    /// Checks that the server still does its work and that the books balance.
    pub(crate) async fn sound(&self) {
        assert_eq!(self.client.get("/health/live").await.0, 200);
        self.server.ready().await;
        let id = new_key();
        self.done("/v1/accounts", json!({"account_id": id, "owner_id": "after", "currency": "GBP"})).await;
        assert_eq!(self.seen(&format!("/v1/accounts/{id}")).await["status"], "open");
        let books = self.seen("/v1/ledger/trial-balance").await;
        for currency in books["currencies"].as_array().unwrap() {
            assert_eq!(currency["balance"]["amount"], 0, "{currency}");
            let classes = currency["classes"].as_array().unwrap();
            let sum: i64 = classes.iter().map(|class| class["balance"]["amount"].as_i64().unwrap()).sum();
            assert_eq!(sum, 0, "{currency}");
            let clearing = classes.iter().find(|class| class["class"] == "clearing");
            assert!(clearing.is_none_or(|clearing| clearing["balance"]["amount"] == 0), "{currency}");
        }
        let written = self.server.output();
        assert!(!written.contains("panicked") && !written.contains(" ERROR "), "{written}");
    }
}
