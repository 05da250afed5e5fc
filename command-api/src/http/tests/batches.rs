//! Batches: independent and atomic, well and badly written, on the real engine and on scripted ones.

use std::convert::Infallible;
use std::time::Duration;

use futures::StreamExt;
use serde_json::json;
use tokio::sync::Semaphore;

use super::*;

fn open(account: &str) -> Value {
    json!({"type": "open_account", "key": format!("open/{account}"), "account_id": account, "owner_id": "o", "currency": "USD"})
}

fn deposit(account: &str, key: &str, amount: i64) -> Value {
    json!({"type": "deposit", "key": key, "account_id": account, "amount": {"amount": amount, "currency": "USD"}})
}

fn lines(commands: &[Value]) -> String {
    commands.iter().map(|command| command.to_string() + "\n").collect()
}

async fn batch(app: &Router, query: &str, body: impl Into<Body>) -> Response {
    send(app, ask("POST", &format!("/v1/commands{query}"), "").body(body.into()).unwrap()).await
}

#[tokio::test]
async fn an_independent_batch_answers_line_by_line_in_order() {
    let server = Server::start();
    let body = format!(
        "{}\n{{\"type\":\"deposit\",\"account_id\":\"a\"}}\n\n{}not json\n{}{}",
        open("a"),
        lines(&[deposit("a", "d1", 5)]),
        lines(&[json!({"type": "send_transfr", "key": "k"}), deposit("nobody", "d2", 5)]),
        deposit("a", "d1", 5)
    );
    let response = batch(&server.app, "", body).await;
    assert_eq!((response.status, response.header("content-type")), (200, Some("application/x-ndjson")));
    let answers = response.lines();
    let told: Vec<Value> = answers
        .iter()
        .map(|a| json!([a["index"], a["line"], a["status"], a["problem"]["code"], a["replayed"]]))
        .collect();
    assert_eq!(
        told,
        [
            json!([0, 1, 201, null, false]),
            json!([1, 2, 400, "invalid_request", null]),
            json!([2, 4, 200, null, false]),
            json!([3, 5, 400, "malformed_json", null]),
            json!([4, 6, 400, "invalid_request", null]),
            json!([5, 7, 404, "account_not_found", null]),
            json!([6, 8, 200, null, true])
        ]
    );
    assert_eq!(
        answers[0]["events"],
        json!([{"type": "account_opened", "stream": "account-a", "version": 0, "position": 1}])
    );
    assert_eq!(
        answers[1]["problem"]["errors"][0]["detail"],
        "key is missing; it must be an idempotency key: text of 1 to 255 visible ASCII characters, such as a UUID"
    );
    assert_eq!(
        answers[3]["problem"]["detail"],
        "the line is not JSON: a word that is neither true, false nor null at column 2"
    );
    assert_eq!(
        answers[4]["problem"]["detail"],
        "there is no command of type \"send_transfr\"; did you mean \"send_transfer\"?"
    );
    server.stop();
}

#[tokio::test]
async fn an_array_is_a_batch_too() {
    let server = Server::start();
    let body = format!("[\n {},\n {}\n]\n", open("a"), deposit("a", "d", 7));
    let answers = batch(&server.app, "?mode=independent", body).await.lines();
    assert_eq!(
        answers.iter().map(|a| (a["line"].clone(), a["status"].clone())).collect::<Vec<_>>(),
        [(json!(2), json!(201)), (json!(3), json!(200))]
    );
    let broken = batch(&server.app, "", format!("[{},\n{}", open("b"), deposit("b", "e", 7))).await.lines();
    assert_eq!(broken[0]["status"], 201);
    assert_eq!(
        broken[1]["problem"]["detail"],
        "the array does not end; a ] is missing, so its last element was not taken"
    );
    server.stop();
}

#[tokio::test]
async fn what_a_line_is_not_is_told() {
    let app = app(Scripted::new(|submission| panic!("asked: {submission:?}")), Options::default());
    let cases = [
        (
            "3",
            "malformed_json",
            "the line is not an object; write each command as one JSON object on a line of its own",
        ),
        ("{}", "invalid_request", "type is missing; it must be the command's type, such as \"send_transfer\""),
        (
            "{\"type\":null}",
            "invalid_request",
            "type is missing; it must be the command's type, such as \"send_transfer\"",
        ),
        ("{\"type\":7}", "invalid_request", "type must be the command's type, such as \"send_transfer\""),
        (
            "{\"type\":\"x\"}",
            "invalid_request",
            "there is no command of type \"x\"; /openapi.json lists them under /v1/commands",
        ),
        (
            "{\"type\":\"withdraw\"",
            "malformed_json",
            "the line ends too early, at column 18: EOF while parsing an object",
        ),
        (
            "{\"type\":\"void_payment\",\"type\":\"void_payment\",\"key\":\"k\",\"payment_id\":\"p\"}",
            "invalid_request",
            "type stands twice; keep one of them",
        ),
        (
            "{\"type\":\"void_payment\",\"key\":\"a b\",\"payment_id\":\"p\"}",
            "invalid_request",
            "key: the key has a space or a character that is not visible ASCII; use 1 to 255 visible ASCII characters, such as a UUID",
        ),
        (
            "{\"type\":\"reverse_transfer\",\"key\":\"k\",\"transfer_id\":\"t\",\"reason\":\"r\",\"expected_version\":1}",
            "invalid_request",
            "expected_version is not a field here; the fields here are type, key, transfer_id, reason, effective_at",
        ),
    ];
    for (line, code, detail) in cases {
        let answers = batch(&app, "", line).await.lines();
        let [answer] = answers.as_slice() else { panic!("{answers:?}") };
        assert_eq!(
            [&answer["status"], &answer["problem"]["code"], &answer["problem"]["detail"]],
            [&json!(400), &json!(code), &json!(detail)]
        );
    }
}

#[tokio::test]
async fn an_atomic_batch_is_done_as_a_whole() {
    let server = Server::start();
    let commands = [open("a"), deposit("a", "d1", 10), deposit("a", "d2", 5)];
    let response = batch(&server.app, "?mode=atomic", lines(&commands)).await;
    assert_eq!((response.status, response.header("bursar-position")), (200, Some("3")));
    let statuses: Vec<Value> = response.lines().iter().map(|a| a["status"].clone()).collect();
    assert_eq!(statuses, [201, 200, 200]);
    let again = batch(&server.app, "?mode=atomic", lines(&commands)).await.lines();
    assert!(again.iter().all(|answer| answer["replayed"] == true), "{again:?}");

    let mixed = batch(&server.app, "?mode=atomic", lines(&[deposit("a", "d1", 10), deposit("a", "d3", 5)])).await;
    assert_eq!((mixed.status, mixed.json()["code"].clone()), (409, json!("batch_differs")));
    server.stop();
}

#[tokio::test]
async fn a_refusal_refuses_the_whole_atomic_batch_and_says_which() {
    let server = Server::start();
    let withdraw =
        json!({"type": "withdraw", "key": "w", "account_id": "a", "amount": {"amount": 11, "currency": "USD"}});
    let body = format!("\n{}", lines(&[open("a"), deposit("a", "d", 10), withdraw, deposit("a", "e", 1)]));
    let response = batch(&server.app, "?mode=atomic", body).await;
    let problem = response.json();
    assert_eq!((response.status, &problem["code"]), (422, &json!("insufficient_funds")));
    assert_eq!(
        problem["detail"],
        "the command with index 2 (line 4) was not accepted, so nothing of this atomic batch was done: account a has 0.10 USD available, 0.11 USD was asked"
    );
    let not_decided = |index: u64| json!({"index": index, "line": index + 2, "status": 424, "code": "not_decided"});
    assert_eq!(
        problem["figures"],
        json!({
            "account_id": "a", "available": {"amount": 10, "currency": "USD"}, "requested": {"amount": 11, "currency": "USD"},
            "refused_index": 2, "refused_line": 4,
            "lines": [not_decided(0), not_decided(1), {"index": 2, "line": 4, "status": 422, "code": "insufficient_funds"}, not_decided(3)]
        })
    );
    assert_eq!(server.post("/v1/accounts/a/close", "c", &json!({})).await.json()["code"], "account_not_found");
    server.stop();
}

#[tokio::test]
async fn an_atomic_batch_with_bad_lines_is_refused_with_all_of_them() {
    let app = app(Scripted::new(|submission| panic!("asked: {submission:?}")), Options::default());
    let body = format!("{}\n{{\"type\":\"withdraw\",\"key\":\"w\",\"amount\":{{}}}}\n\nnope\n", open("a"));
    let problem = batch(&app, "?mode=atomic", body).await.json();
    assert_eq!([&problem["status"], &problem["code"]], [&json!(400), &json!("batch_malformed")]);
    assert_eq!(
        problem["detail"],
        "2 of 3 commands cannot be read, so nothing of this atomic batch was done; errors says what is wrong, line by line"
    );
    let told: Vec<Value> =
        problem["errors"].as_array().unwrap().iter().map(|e| json!([e["param"], e["code"]])).collect();
    assert_eq!(
        told,
        [
            json!(["line 2: account_id", "missing_field"]),
            json!(["line 2: amount.amount", "missing_field"]),
            json!(["line 2: amount.currency", "missing_field"]),
            json!(["line 4", "malformed_json"])
        ]
    );
    assert_eq!(problem["figures"], json!({"commands": 3, "malformed": 2}));
}

#[tokio::test]
async fn a_batch_without_commands_is_refused() {
    let app = app(Scripted::accepting(), Options::default());
    for (query, body) in [("", ""), ("", " \n\n"), ("?mode=atomic", ""), ("?mode=atomic", "[ ]")] {
        let problem = batch(&app, query, body).await.json();
        assert_eq!(problem["code"], "batch_empty", "{query} {body:?}");
    }
}

#[tokio::test]
async fn a_large_batch_goes_in_chunks_and_keeps_its_order() {
    let engine = Scripted::accepting();
    let options = Options { batch_chunk_commands: 10, batch_commands_in_flight: 30, ..Options::default() };
    let app = app(engine.clone(), options);
    let commands: Vec<Value> = (0..95).map(|n| deposit("a", &format!("k{n}"), 1)).collect();
    let answers = batch(&app, "?dry_run=true", lines(&commands)).await.lines();
    let indexes: Vec<u64> = answers.iter().map(|answer| answer["index"].as_u64().unwrap()).collect();
    assert_eq!(indexes, (0..95).collect::<Vec<_>>());
    let asked = engine.asked();
    assert_eq!(asked.iter().map(|s| s.requests.len()).collect::<Vec<_>>(), [10, 10, 10, 10, 10, 10, 10, 10, 10, 5]);
    assert!(asked.iter().all(|submission| submission.dry_run));
    let keys: Vec<String> = asked.iter().flat_map(|s| s.requests.iter().map(|r| r.key.to_string())).collect();
    assert_eq!(keys, (0..95).map(|n| format!("k{n}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_has_arrived_is_answered_before_the_rest_arrives() {
    let server = Server::start();
    let (sender, receiver) = futures::channel::mpsc::unbounded::<Result<String, Infallible>>();
    let request = ask("POST", "/v1/commands", "").body(Body::from_stream(receiver)).unwrap();
    let half = deposit("a", "d", 5).to_string();
    let (begin, end) = half.split_at(30);
    sender.unbounded_send(Ok(format!("{}\n{begin}", open("a")))).unwrap();
    let response = server.app.clone().oneshot(request).await.unwrap();
    let mut body = response.into_body().into_data_stream();
    let first = tokio::time::timeout(Duration::from_secs(20), body.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&first).unwrap()["status"], 201);
    sender.unbounded_send(Ok(end.to_owned())).unwrap();
    drop(sender);
    let second = body.next().await.unwrap().unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&second).unwrap()["index"], 1);
    assert!(body.next().await.is_none());
    drop(body);
    server.stop();
}

#[tokio::test]
async fn a_batch_that_is_too_large_or_has_too_long_a_line_says_so() {
    let options = Options { body_bytes_max: 200, batch_bytes_max: 1000, ..Options::default() };
    let app = app(Scripted::accepting(), options);
    let long = json!({"type": "deposit", "key": "k", "account_id": "a".repeat(300)});
    let answers = batch(&app, "", lines(&[deposit("a", "1", 1), long, deposit("a", "2", 1)])).await.lines();
    assert_eq!(answers.iter().map(|a| a["status"].as_u64().unwrap()).collect::<Vec<_>>(), [200, 413, 200]);
    assert_eq!(answers[1]["problem"]["code"], "line_too_long");

    let many: Vec<Value> = (0..20).map(|n| deposit("a", &format!("k{n}"), 1)).collect();
    let parts = many.iter().map(|line| Ok::<_, Infallible>(line.to_string() + "\n")).collect::<Vec<_>>();
    let answers = batch(&app, "", Body::from_stream(futures::stream::iter(parts.clone()))).await.lines();
    let (last, before) = answers.split_last().unwrap();
    assert!(before.len() > 5 && before.iter().all(|answer| answer["status"] == 200), "{answers:?}");
    assert_eq!([&last["status"], &last["problem"]["code"]], [&json!(413), &json!("body_too_large")]);
    let atomic = batch(&app, "?mode=atomic", Body::from_stream(futures::stream::iter(parts))).await;
    assert_eq!((atomic.status, atomic.json()["code"].clone()), (413, json!("body_too_large")));
}

#[tokio::test]
async fn a_chunk_that_is_not_taken_up_is_told_for_each_of_its_lines() {
    let app = app(Scripted::failing(Unavailable::QueueFull { queued: 9 }), Options::default());
    let answers = batch(&app, "", lines(&[deposit("a", "1", 1), json!(1), deposit("a", "2", 1)])).await.lines();
    let told: Vec<Value> =
        answers.iter().map(|a| json!([a["status"], a["problem"]["code"], a["problem"]["retryable"]])).collect();
    assert_eq!(
        told,
        [json!([503, "queue_full", true]), json!([400, "malformed_json", false]), json!([503, "queue_full", true])]
    );
    let atomic = batch(&app, "?mode=atomic", lines(&[deposit("a", "1", 1)])).await;
    assert_eq!((atomic.status, atomic.header("retry-after")), (503, Some("1")));
}

/// An engine that is full for the second submission and has room again for the third.
#[derive(Clone, Default)]
struct FullOnce(Arc<Mutex<usize>>);

impl Commands for FullOnce {
    async fn submit(&self, submission: Submission) -> Result<Vec<Outcome>, Unavailable> {
        let mut submissions = self.0.lock().unwrap();
        *submissions += 1;
        match *submissions {
            2 => Err(Unavailable::QueueFull { queued: 9 }),
            _ => Ok(submission.requests.iter().map(|_| accepted()).collect()),
        }
    }
}

#[tokio::test]
async fn what_comes_after_a_chunk_that_was_not_taken_up_is_not_decided_without_it() {
    let engine = FullOnce::default();
    let app = app(engine.clone(), Options { batch_chunk_commands: 1, ..Options::default() });
    let answers =
        batch(&app, "", lines(&[deposit("a", "1", 1), deposit("a", "2", 1), deposit("a", "3", 1)])).await.lines();
    assert_eq!(answers.iter().map(|a| a["status"].clone()).collect::<Vec<_>>(), [json!(200), json!(503), json!(503)]);
    assert_eq!(*engine.0.lock().unwrap(), 2, "the third command was not handed in");
}

/// An engine that answers only as often as it is let.
#[derive(Clone)]
struct Held(Arc<Semaphore>, Arc<Mutex<usize>>);

impl Commands for Held {
    async fn submit(&self, submission: Submission) -> Result<Vec<Outcome>, Unavailable> {
        *self.1.lock().unwrap() += 1;
        self.0.acquire().await.unwrap().forget();
        Ok(submission.requests.iter().map(|_| accepted()).collect())
    }
}

#[tokio::test]
async fn no_more_commands_are_in_flight_than_allowed() {
    let held = Held(Arc::new(Semaphore::new(0)), Arc::default());
    let options = Options { batch_chunk_commands: 1, batch_commands_in_flight: 4, ..Options::default() };
    let commands: Vec<Value> = (0..20).map(|n| deposit("a", &format!("k{n}"), 1)).collect();
    let request = ask("POST", "/v1/commands", "").body(Body::from(lines(&commands))).unwrap();
    let response = app(held.clone(), options).oneshot(request).await.unwrap();
    let mut body = response.into_body().into_data_stream();
    for answered in 0..20 {
        // The run is a task of this thread: it goes on until it waits for the engine.
        while *held.1.lock().unwrap() < (answered + 4).min(20) {
            tokio::task::yield_now().await;
        }
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(*held.1.lock().unwrap(), (answered + 4).min(20));
        held.0.add_permits(1);
        assert!(body.next().await.is_some());
    }
    assert!(body.next().await.is_none());
}

#[tokio::test]
async fn no_more_batches_are_taken_at_once_than_allowed() {
    let app = app(Scripted::accepting(), Options { batches_max: 1, ..Options::default() });
    let body = lines(&[deposit("a", "k", 1)]);
    let request = ask("POST", "/v1/commands", "").body(Body::from(body.clone())).unwrap();
    let unread = app.clone().oneshot(request).await.unwrap();
    let refused = batch(&app, "?mode=atomic", body.clone()).await;
    assert_eq!((refused.status, refused.json()["code"].clone()), (503, json!("too_many_batches")));
    assert_eq!(refused.header("retry-after"), Some("1"));
    drop(unread);
    assert_eq!(batch(&app, "?mode=atomic", body).await.status, 200);
}
