//! Parked streams: one event that cannot be applied stops its own stream and no other, and nothing of it is lost.

use domain::event::RecordedEvent;
use domain::ids::{Position, StreamId};
use projections::database::Database;
use projections::worker::Worker;
use projections::worker::status::State;
use serde_json::{Value, json};

use crate::ask::*;
use crate::support::api::Api;
use crate::support::feed::Source;
use crate::support::postgres::{dump, new_database, row, rows};
use crate::support::shop;
use crate::working::{PATIENCE, long_history, options, reached, undisturbed};

/// What waits, by stream.
async fn waiting(database: &Database) -> Vec<(String, Vec<i64>)> {
    let found = rows(
        database,
        "SELECT stream, json_agg(position ORDER BY position) AS positions FROM parked_events GROUP BY stream ORDER BY stream",
    )
    .await;
    let positions = |row: &Value| row["positions"].as_array().unwrap().iter().map(|p| p.as_i64().unwrap()).collect();
    found.iter().map(|row| (row["stream"].as_str().unwrap().to_owned(), positions(row))).collect()
}

/// The positions of a stream from one on.
fn positions(events: &[RecordedEvent], stream: &str, from: u64) -> Vec<i64> {
    let stream: StreamId = id(stream);
    let of_stream = events.iter().filter(|event| event.stream == stream && event.position.0 >= from);
    of_stream.map(|event| event.position.0.cast_signed()).collect()
}

async fn execute(database: &Database, statement: &'static str) {
    let mut connection = database.connect_for_writing().await.unwrap();
    sqlx::query(statement).execute(&mut connection).await.unwrap();
}

#[tokio::test]
async fn an_event_that_cannot_be_read_parks_its_stream_and_a_retry_makes_the_rows_whole() {
    let events = shop::two_days().events;
    let end = events.len() as u64;
    let (database, source) = (new_database().await, Source::new(&events));
    let poison = positions(&events, "account-payer", 15)[0];
    source.hide(Position(poison.cast_unsigned()));
    let worker = Worker::start(database.clone(), source.feed(), options());
    let mut monitor = worker.monitor();
    reached(&mut monitor, end).await;
    assert_eq!((monitor.status().state, monitor.status().parked_streams), (State::Running, 1));
    let queue = positions(&events, "account-payer", poison.cast_unsigned());
    assert!(queue.len() > 5);
    assert_eq!(waiting(&database).await, [("account-payer".to_owned(), queue.clone())]);
    // Everything of the other streams is there, and of this one everything before.
    let balance = row(&database, "SELECT position FROM accounts WHERE account_id = 'payer'").await;
    assert!(balance["position"].as_i64().unwrap() < poison);
    let expected = undisturbed(&events).await;
    let found = dump(&database).await;
    let of_others = |rows: &[String]| {
        let of_others = rows.iter().filter(|row| !row.contains("payer") && !row.starts_with("trial_balance"));
        of_others.filter(|row| !row.starts_with("parked") && !row.starts_with("transfers")).cloned().collect::<Vec<_>>()
    };
    assert_eq!(of_others(&found), of_others(&expected));

    let api = Api::new(&database, Some(worker.monitor()));
    let listed = api.get("/v1/projections/read_models/parked").await["items"].clone();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(
        super::querying::only(&listed[0], &["stream", "position", "why", "waiting", "attempts"]),
        json!({"stream": "account-payer", "position": poison, "why": "undecodable", "waiting": queue.len(), "attempts": 0})
    );
    let tag = async |path: &str| api.ask(path).await.headers["etag"].clone();
    let tag_before = tag("/v1/accounts").await;
    // The program that can read it is here.
    let tried = api.send("POST", "/v1/projections/read_models/parked/account-payer/retry").await;
    assert_eq!(
        (tried.status, tried.body),
        (
            200,
            json!({"stream": "account-payer", "parked": false, "applied": queue.len(), "at": null, "error": null, "position": end})
        )
    );
    let again = api.send("POST", "/v1/projections/read_models/parked/account-payer/retry").await;
    assert_eq!((again.status, &again.body["parked"], &again.body["applied"]), (200, &json!(false), &json!(0)));
    assert_eq!(dump(&database).await, expected);
    assert_ne!(tag("/v1/accounts").await, tag_before, "a client would keep an answer that is another now");
    // The idle worker takes notice.
    assert!(monitor.wait_until(PATIENCE, |status| status.parked_streams == 0).await);
    worker.stop().await;
}

#[tokio::test]
async fn rows_that_were_damaged_park_the_streams_they_belong_to_and_go_on_when_they_are_put_right() {
    let history = long_history();
    let (events, end) = (&history.events, history.events.len() as u64);
    let (database, source) = (new_database().await, Source::new(&events[..300]));
    let mut options = options();
    options.batch.events_max = 100;
    let worker = Worker::start(database.clone(), source.feed(), options);
    let mut monitor = worker.monitor();
    reached(&mut monitor, 300).await;
    for statement in [
        "CREATE TABLE public.kept AS SELECT * FROM accounts WHERE account_id = 'other'",
        "DELETE FROM accounts WHERE account_id = 'other'",
        // A constraint that one account breaks: the batches of it are refused, whatever else is in them.
        "ALTER TABLE journal ADD CONSTRAINT payer_is_out CHECK (account_id <> 'payer') NOT VALID",
    ] {
        execute(&database, statement).await;
    }
    source.append(&events[300..]);
    reached(&mut monitor, end).await;
    let parked = |stream: &str| (stream.to_owned(), positions(events, stream, 301));
    assert_eq!(waiting(&database).await, [parked("account-other"), parked("account-payer")]);
    assert_eq!(monitor.status().parked_streams, 2);

    let api = Api::new(&database, Some(worker.monitor()));
    let shown = api.get("/v1/projections").await["items"][0].clone();
    assert_eq!(
        (&shown["parked_streams"], &shown["left_out_events"], &shown["state"]),
        (&json!(2), &json!(0), &json!("running"))
    );
    // A retry before anything was put right changes nothing but the count of attempts.
    let before = dump(&database).await.len();
    let tried = api.send("POST", "/v1/projections/read_models/parked/account-other/retry").await;
    assert_eq!(
        (&tried.body["parked"], &tried.body["applied"], &tried.body["at"]),
        (&json!(true), &json!(0), &json!(parked("account-other").1[0]))
    );
    assert_eq!(
        tried.body["error"],
        "1 of the rows to change are not in table accounts: the read models lack what came before"
    );
    let attempts = row(
        &database,
        "SELECT attempts, tried_at IS NOT NULL AS tried FROM parked_streams WHERE stream = 'account-other'",
    )
    .await;
    assert_eq!((attempts, dump(&database).await.len()), (json!({"attempts": 1, "tried": true}), before));

    for statement in
        ["INSERT INTO accounts SELECT * FROM public.kept", "ALTER TABLE journal DROP CONSTRAINT payer_is_out"]
    {
        execute(&database, statement).await;
    }
    for stream in ["account-other", "account-payer"] {
        let tried = api.send("POST", &format!("/v1/projections/read_models/parked/{stream}/retry")).await;
        assert_eq!(
            (&tried.body["parked"], &tried.body["applied"]),
            (&json!(false), &json!(parked(stream).1.len())),
            "{}",
            tried.body
        );
    }
    worker.stop().await;
    assert_eq!(dump(&database).await, undisturbed(events).await);
}

#[tokio::test]
async fn a_retry_under_a_busy_worker_loses_no_event_of_the_stream() {
    let history = long_history();
    let (events, end) = (&history.events, history.events.len() as u64);
    let (database, source) = (new_database().await, Source::new(&events[..200]));
    let poison = positions(events, "account-payer", 20)[0];
    source.hide(Position(poison.cast_unsigned()));
    let worker = Worker::start(database.clone(), source.feed(), options());
    let mut monitor = worker.monitor();
    reached(&mut monitor, 200).await;
    let api = Api::new(&database, Some(worker.monitor()));
    source.append(&events[200..]);
    assert!(monitor.wait_until(PATIENCE, |status| status.position.0 > 260).await);
    // The worker has the next batches of the stream in hand, folded as waiting.
    let tried = api.send("POST", "/v1/projections/read_models/parked/account-payer/retry").await;
    assert_eq!((tried.status, &tried.body["parked"]), (200, &json!(false)), "{}", tried.body);
    reached(&mut monitor, end).await;
    worker.stop().await;
    assert_eq!(waiting(&database).await, []);
    assert_eq!(dump(&database).await, undisturbed(events).await);
}

#[tokio::test]
async fn an_event_is_left_out_only_by_its_position_and_what_waits_behind_it_goes_on() {
    let events = shop::two_days().events;
    let end = events.len() as u64;
    let (database, source) = (new_database().await, Source::new(&events));
    // The first of the account's deposits: without it the account has less, and everything else goes.
    let poison = positions(&events, "account-dollars", 1)[1];
    source.hide(Position(poison.cast_unsigned()));
    let worker = Worker::start(database.clone(), source.feed(), options());
    reached(&mut worker.monitor(), end).await;
    // This program can read it in fact; the one that wrote it made it so that none can.
    execute(&database, "UPDATE parked_events SET data = '{}'::bytea WHERE stream = 'account-dollars' AND position = (SELECT position FROM parked_streams)").await;
    let api = Api::new(&database, None);
    let release = |event: i64| {
        format!("/v1/projections/read_models/parked/account-dollars/release?event={event}&reason=written%20by%20hand")
    };
    let wrong = api.send("POST", &release(poison + 1)).await;
    assert_eq!(
        (wrong.status, &wrong.body["code"], &wrong.body["figures"]),
        (409, &json!("not_parked_there"), &json!({"parked_at": poison}))
    );
    let missing = api.send("POST", "/v1/projections/read_models/parked/account-dollars/release").await;
    assert_eq!((missing.status, missing.body["errors"].as_array().unwrap().len()), (400, 2));
    let left = positions(&events, "account-dollars", poison.cast_unsigned() + 1).len();
    for applied in [left, 0] {
        let released = api.send("POST", &release(poison)).await;
        assert_eq!(
            (released.status, &released.body["parked"], &released.body["applied"]),
            (200, &json!(false), &json!(applied)),
            "{}",
            released.body
        );
    }
    assert_eq!(
        row(&database, "SELECT stream, position, event_type, reason FROM left_out_events").await,
        json!({"stream": "account-dollars", "position": poison, "event_type": "funds_deposited", "reason": "written by hand"})
    );
    let shown = api.get("/v1/projections").await["items"][0].clone();
    assert_eq!((&shown["parked_streams"], &shown["left_out_events"]), (&json!(0), &json!(1)));
    let account = api.get("/v1/accounts/dollars").await;
    assert_eq!((&account["balance"]["amount"], &account["status"]), (&json!(0), &json!("frozen")));
    let other = api.send("POST", "/v1/projections/sums/parked/account-dollars/retry").await;
    assert_eq!((other.status, &other.body["code"]), (404, &json!("projection_not_found")));
    worker.stop().await;
}

#[tokio::test]
async fn a_long_queue_is_applied_up_to_the_next_event_that_cannot_be() {
    let mut history = shop::two_days();
    for _ in 0..2_400 {
        history.ask(deposit("payer", 1));
    }
    let (events, end) = (&history.events, history.events.len() as u64);
    let (database, source) = (new_database().await, Source::new(events));
    let queue = positions(events, "account-payer", 20);
    source.hide(Position(queue[0].cast_unsigned()));
    let worker = Worker::start(database.clone(), source.feed(), options());
    reached(&mut worker.monitor(), end).await;
    worker.stop().await;
    let broken = queue[1_234];
    execute(&database, "CREATE TABLE public.kept AS SELECT * FROM parked_events ORDER BY position OFFSET 1234 LIMIT 1")
        .await;
    execute(
        &database,
        "UPDATE parked_events e SET event_type = 'unheard_of' FROM public.kept k WHERE e.position = k.position",
    )
    .await;
    let mut connection = database.connect_for_writing().await.unwrap();
    let tried = projections::parked::retry(&mut connection, "account-payer").await.unwrap();
    assert_eq!((tried.parked, tried.applied, tried.at), (true, 1_234, Some(broken.cast_unsigned())));
    assert_eq!(waiting(&database).await, [("account-payer".to_owned(), queue[1_234..].to_vec())]);
    execute(
        &database,
        "UPDATE parked_events e SET event_type = k.event_type FROM public.kept k WHERE e.position = k.position",
    )
    .await;
    let tried = projections::parked::retry(&mut connection, "account-payer").await.unwrap();
    assert_eq!((tried.parked, tried.applied), (false, queue.len() as u64 - 1_234));
    assert_eq!(dump(&database).await, undisturbed(events).await);
}
