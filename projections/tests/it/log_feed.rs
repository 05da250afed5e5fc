//! The feed of the embedded log: a real log in a folder, followed into PostgreSQL.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use domain::event::RecordedEvent;
use domain::ids::{Position, Version};
use event_store::log::appender::Appender;
use event_store::log::{Log, Opened, Options};
use event_store::transaction::{EntryHeader, Outcome};
use projections::feed::LogFeed;
use projections::worker::status::State;
use projections::worker::{Worker, WorkerOptions};
use serde_json::json;

use crate::ask::id;
use crate::support::postgres::{dump, new_database, row};
use crate::support::shop;

/// How long a test waits for something that must happen.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn open(folder: &Path) -> (Log, Appender<()>) {
    let Opened { log, appender, .. } = Log::open(folder, Options::default()).unwrap();
    (log, appender.start(|_| {}).unwrap())
}

/// Appends events as the engine does: those of a command together.
pub(crate) fn append(appender: &mut Appender<()>, events: &[RecordedEvent]) {
    for of_command in events.chunk_by(|one, next| Arc::ptr_eq(&one.metadata, &next.metadata)) {
        let metadata = &of_command[0].metadata;
        let mut frame = appender.begin();
        frame.begin_entry(EntryHeader {
            recorded_at_us: metadata.recorded_at.timestamp_micros(),
            effective_at_us: metadata.effective_at.map(|at| at.timestamp_micros()),
            principal: &metadata.principal,
            idempotency_key: &metadata.idempotency_key,
            fingerprint: 0,
            request_id: &metadata.request_id,
            correlation_id: &metadata.correlation_id,
            command: &metadata.command,
            outcome: Outcome::Done,
        });
        for RecordedEvent { stream, version, event, .. } in of_command {
            frame.event(stream, *version, event.event_type(), event.schema_version(), |json| {
                serde_json::to_writer(json, event).unwrap();
            });
        }
        frame.end_entry(|_| {});
        frame.commit().unwrap();
    }
    appender.flush();
}

#[tokio::test]
async fn what_the_log_holds_becomes_the_same_rows_as_the_events_themselves() {
    let events = shop::two_days().events;
    let folder = tempfile::tempdir().unwrap();
    let (log, mut appender) = open(folder.path());
    let (first, then) = events.split_at(60);
    append(&mut appender, first);
    let (database, expected) = (new_database().await, new_database().await);
    let worker = Worker::start(database.clone(), LogFeed::new(log.clone()), WorkerOptions::default());
    let mut monitor = worker.monitor();
    assert!(monitor.wait_until(PATIENCE, |status| status.position.0 >= 60).await);
    append(&mut appender, then);
    assert!(monitor.wait_until(PATIENCE, |status| status.position.0 == events.len() as u64).await);
    assert_eq!((monitor.head(), monitor.lag_events()), (Position(events.len() as u64), 0));
    worker.stop().await;
    appender.close().unwrap();

    crate::applying::apply(&expected, &events, &[usize::MAX]).await;
    assert_eq!(dump(&database).await, dump(&expected).await);
}

#[tokio::test]
async fn an_event_of_a_newer_program_parks_its_stream_and_the_others_go_on() {
    let events = shop::two_days().events;
    let folder = tempfile::tempdir().unwrap();
    let (log, mut appender) = open(folder.path());
    append(&mut appender, &events[..5]);
    let mut frame = appender.begin();
    frame.begin_entry(EntryHeader {
        recorded_at_us: 0,
        effective_at_us: None,
        principal: "alice",
        idempotency_key: "key",
        fingerprint: 0,
        request_id: "",
        correlation_id: "",
        command: "merge_accounts",
        outcome: Outcome::Done,
    });
    frame.event(&id("account-a"), Version(0), "account_merged", 1, |json| json.extend_from_slice(b"{}"));
    frame.end_entry(|_| {});
    frame.commit().unwrap();
    appender.flush();

    append(&mut appender, &renumbered(&events[5..9], 1));

    let database = new_database().await;
    let worker = Worker::start(database.clone(), LogFeed::new(log), WorkerOptions::default());
    let mut monitor = worker.monitor();
    assert!(monitor.wait_until(PATIENCE, |status| status.position.0 == 10).await, "{:?}", monitor.status());
    assert_eq!((monitor.status().state, monitor.status().parked_streams), (State::Running, 1));
    worker.stop().await;
    appender.close().unwrap();
    assert_eq!(
        row(&database, "SELECT stream, position, event_type, why, error FROM parked_streams").await,
        json!({
            "stream": "account-a", "position": 6, "event_type": "account_merged", "why": "undecodable",
            "error": "the event at position 6, of type \"account_merged\", cannot be read: event type \
                      \"account_merged\" with schema version 1 is unknown; it was written by a newer version of Bursar"
        })
    );
    assert_eq!(
        row(
            &database,
            "SELECT version, convert_from(data, 'UTF8') AS data, metadata->>'principal' AS principal FROM parked_events"
        )
        .await,
        json!({"version": 0, "data": "{}", "principal": "alice"})
    );
}

/// The same events further on in the log.
fn renumbered(events: &[RecordedEvent], further: u64) -> Vec<RecordedEvent> {
    let further =
        |event: &RecordedEvent| RecordedEvent { position: Position(event.position.0 + further), ..event.clone() };
    events.iter().map(further).collect()
}
