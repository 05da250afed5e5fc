//! Which moment an answer reflects: read-your-writes, waiting, and one snapshot per answer.

use std::time::Duration;

use projections::database::{Database, SchemaName};
use projections::worker::{Worker, WorkerOptions};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::ask::*;
use crate::support::api::Api;
use crate::support::feed::Source;
use crate::support::history::History;
use crate::support::postgres::{Cluster, new_database};
use crate::support::shop;

/// How long a test waits for something that must happen.
const PATIENCE: Duration = Duration::from_secs(60);

fn growing() -> History {
    let mut history = History::default();
    history.ask(open("a"));
    for _ in 0..60 {
        history.ask(deposit("a", 1));
    }
    history
}

#[tokio::test]
async fn a_query_waits_for_the_position_that_it_is_asked_for() {
    let events = growing().events;
    let (database, source) = (new_database().await, Source::new(&events[..11]));
    let worker = Worker::start(database.clone(), source.feed(), WorkerOptions::default());
    assert!(worker.monitor().wait_until(PATIENCE, |status| status.position.0 == 11).await);
    // With the worker in the same process, and in another.
    for monitor in [Some(worker.monitor()), None] {
        let api = Api::new(&database, monitor);
        let wanted = source.len() as u64 + 10;
        let path = format!("/v1/accounts/a?wait_ms=30000&min_position={wanted}");
        let mut waiting = std::pin::pin!(api.get(&path));
        assert!(timeout(Duration::from_millis(100), &mut waiting).await.is_err(), "answered before it was there");
        source.append(&events[source.len()..source.len() + 10]);
        let account = timeout(PATIENCE, waiting).await.unwrap();
        assert_eq!((&account["position"], &account["balance"]["amount"]), (&json!(wanted), &json!(wanted - 1)));
    }
    worker.stop().await;
}

#[tokio::test]
async fn a_query_that_waited_in_vain_says_what_was_reached() {
    let events = growing().events;
    let database = crate::applying::applied(&growing(), &[usize::MAX]).await;
    let api = Api::new(&database, None);
    let begun = Instant::now();
    let answered = api.ask("/v1/accounts/a?min_position=1000&wait_ms=120").await;
    assert!(begun.elapsed() >= Duration::from_millis(120));
    assert_eq!((answered.status, &answered.body["code"]), (503, &json!("view_behind")));
    assert_eq!(answered.body["figures"], json!({"wanted": 1000, "reached": events.len()}));
    assert_eq!((&answered.body["retryable"], &answered.headers["retry-after"].to_str().unwrap()), (&json!(true), &"1"));
    // A balance at a position needs that position.
    let (status, problem) = api.problem("/v1/accounts/a?at=1000&wait_ms=0").await;
    assert_eq!((status, &problem["figures"]["wanted"]), (503, &json!(1000)));
}

#[tokio::test]
async fn every_answer_is_of_one_moment_while_events_are_applied() {
    let mut history = shop::two_days();
    for number in 0..400 {
        history.ask(send(&format!("busy-{number}"), "payer", "other", 1));
    }
    let source = Source::new(&history.events);
    let database = new_database().await;
    let mut options = WorkerOptions::default();
    options.batch.events_max = 5;
    let worker = Worker::start(database.clone(), source.feed(), options);
    let mut monitor = worker.monitor();
    assert!(monitor.wait_until(PATIENCE, |status| status.position.0 > 40).await);
    let api = Api::new(&database, None);
    let (mut moments, end) = (0, history.events.len() as u64);
    let mut last = 0;
    while last < end {
        let balance = api.get("/v1/ledger/trial-balance").await;
        for currency in balance["currencies"].as_array().unwrap() {
            assert_eq!(currency["balance"]["amount"], 0, "{balance}");
        }
        let position = balance["position"].as_u64().unwrap();
        assert!(position >= last);
        moments += u64::from(position > last);
        last = position;
        // The account and its statement at the same position agree.
        let account = api.get("/v1/accounts/payer").await;
        let at = account["position"].as_u64().unwrap();
        let then = api.get(&format!("/v1/accounts/payer?at={at}")).await;
        assert_eq!(account["balance"], then["balance"]);
        let statement = api.all(&format!("/v1/accounts/payer/statement?at={at}"), 1_000).await;
        assert_eq!(statement.last().map(|posting| posting["balance_after"].clone()), Some(account["balance"].clone()));
    }
    assert!(moments > 3, "only {moments} moments were seen");
    worker.stop().await;
}

#[tokio::test]
async fn without_postgres_a_query_says_so_and_that_it_can_be_asked_again() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::new(folder.path(), &[]);
    let database = Database::new(&cluster.start(), SchemaName::default()).unwrap();
    let source = Source::new(&growing().events);
    // Before the tables are made.
    let api = Api::new(&database, None);
    let (status, problem) = api.problem("/v1/accounts").await;
    assert_eq!(
        (status, &problem["code"], &problem["retryable"]),
        (503, &json!("read_models_unavailable"), &json!(true))
    );

    let worker = Worker::start(database.clone(), source.feed(), WorkerOptions::default());
    let mut monitor = worker.monitor();
    assert!(monitor.wait_until(PATIENCE, |status| status.position.0 == 61).await);
    let api = Api::new(&database, Some(worker.monitor()));
    assert_eq!(api.get("/v1/accounts/a").await["balance"]["amount"], 60);
    cluster.kill();
    let begun = Instant::now();
    for path in ["/v1/accounts/a", "/v1/orders", "/v1/ledger/trial-balance"] {
        let (status, problem) = api.problem(path).await;
        assert_eq!((status, &problem["code"]), (503, &json!("read_models_unavailable")), "{path}");
    }
    assert!(begun.elapsed() < Duration::from_secs(20));
    let projection = api.get("/v1/projections").await["items"][0].clone();
    assert_eq!((&projection["position"], &projection["updated_at"]), (&json!(61), &Value::Null));

    let url = cluster.start();
    assert!(url.ends_with("/bursar"));
    let again = async {
        // PostgreSQL may have lost what it was told last; then the worker tells it again.
        while api.ask("/v1/accounts/a?min_position=61").await.status != 200 {}
    };
    timeout(PATIENCE, again).await.unwrap();
    worker.stop().await;
    api.pool.close().await;
    cluster.remove();
}

#[tokio::test]
async fn projections_show_how_far_they_are_and_what_stopped_them() {
    let mut events = growing().events;
    let (database, source) = (new_database().await, Source::new(&events[..30]));
    let worker = Worker::start(database.clone(), source.feed(), WorkerOptions::default());
    let mut monitor = worker.monitor();
    assert!(monitor.wait_until(PATIENCE, |status| status.position.0 == 30).await);
    let api = Api::new(&database, Some(worker.monitor()));
    let shown =
        |projection: &Value| super::only(projection, &["name", "position", "head", "lag_events", "state", "error"]);
    assert_eq!(
        shown(&api.get("/v1/projections").await["items"][0]),
        json!({"name": "read_models", "position": 30, "head": 30, "lag_events": 0, "state": "running", "error": null})
    );
    events.remove(30);
    source.append(&events[30..]);
    assert!(monitor.wait_until(PATIENCE, |status| status.state.as_str() == "stopped").await);
    let stopped = shown(&api.get("/v1/projections").await["items"][0]);
    assert_eq!(
        (&stopped["state"], &stopped["position"], &stopped["lag_events"]),
        (&json!("stopped"), &json!(30), &json!(31))
    );
    assert!(stopped["error"].as_str().unwrap().starts_with("position 32 came after position 30"), "{stopped}");
    let elsewhere = Api::new(&database, None).get("/v1/projections").await["items"][0].clone();
    assert_eq!(
        shown(&elsewhere),
        json!({"name": "read_models", "position": 30, "head": null, "lag_events": null, "state": "elsewhere", "error": null})
    );
}
