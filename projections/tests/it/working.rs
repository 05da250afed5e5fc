//! The worker: it follows, it waits for PostgreSQL, it never loses nor doubles, and it stops where it must.

use std::time::Duration;

use domain::event::RecordedEvent;
use domain::ids::Position;
use projections::database::{Database, SchemaName};
use projections::feed::{BatchLimits, FeedError};
use projections::partition::{Gap, PartitionId};
use projections::worker::status::{Monitor, State, StopReason};
use projections::worker::{Worker, WorkerOptions};
use sqlx::{Connection, PgConnection};

use crate::ask::*;
use crate::support::feed::Source;
use crate::support::history::History;
use crate::support::postgres::{Cluster, dump, new_database};
use crate::support::shop;

/// How long a test waits for something that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Small batches, so that there are many, and short waits.
pub(crate) fn options() -> WorkerOptions {
    WorkerOptions {
        batch: BatchLimits { events_max: 7, bytes_max: 1 << 20 },
        retry_wait_max: Duration::from_millis(200),
        ..WorkerOptions::default()
    }
}

pub(crate) async fn reached(monitor: &mut Monitor, position: u64) {
    let reached = monitor.wait_until(PATIENCE, |status| status.position == Position(position)).await;
    assert!(reached, "position {position} was not reached: {:?}", monitor.status());
}

pub(crate) async fn stopped(monitor: &mut Monitor) -> StopReason {
    let stopped = monitor.wait_until(PATIENCE, |status| matches!(status.state, State::Stopped(_))).await;
    assert!(stopped, "{:?}", monitor.status());
    let State::Stopped(reason) = monitor.status().state else { panic!("{:?}", monitor.status()) };
    reason
}

async fn waits(monitor: &mut Monitor) -> String {
    let waits = monitor.wait_until(PATIENCE, |status| matches!(status.state, State::Waiting { .. })).await;
    assert!(waits, "{:?}", monitor.status());
    monitor.status().state.error().unwrap_or_default()
}

/// What the read models are when nothing went wrong.
pub(crate) async fn undisturbed(events: &[RecordedEvent]) -> Vec<String> {
    let database = new_database().await;
    let worker = Worker::start(database.clone(), Source::new(events).feed(), WorkerOptions::default());
    reached(&mut worker.monitor(), events.len() as u64).await;
    worker.stop().await;
    dump(&database).await
}

/// Some thousand events on a few accounts.
pub(crate) fn long_history() -> History {
    let mut history = shop::two_days();
    for number in 0..700 {
        history.ask(deposit("payer", 5)).ask(send(&format!("long-{number}"), "payer", "other", 3));
    }
    history
}

#[tokio::test]
async fn a_worker_applies_what_is_there_and_then_what_comes() {
    let events = shop::two_days().events;
    let (first, then) = events.split_at(40);
    let (database, source) = (new_database().await, Source::new(first));
    let worker = Worker::start(database.clone(), source.feed(), options());
    let mut monitor = worker.monitor();
    reached(&mut monitor, 40).await;
    assert_eq!((monitor.status().state, monitor.lag_events()), (State::Running, 0));
    source.append(then);
    assert_eq!(monitor.head(), Position(events.len() as u64));
    reached(&mut monitor, events.len() as u64).await;
    worker.stop().await;
    assert_eq!(dump(&database).await, undisturbed(&events).await);
}

#[tokio::test]
async fn a_worker_goes_on_where_the_one_before_stopped() {
    let events = shop::two_days().events;
    let (database, source) = (new_database().await, Source::new(&events[..40]));
    for end in [40, 90, events.len()] {
        source.append(&events[source.len()..end]);
        let worker = Worker::start(database.clone(), source.feed(), options());
        reached(&mut worker.monitor(), end as u64).await;
        worker.stop().await;
    }
    assert_eq!(dump(&database).await, undisturbed(&events).await);
}

#[tokio::test]
async fn a_worker_stops_at_a_gap_and_names_both_ends() {
    let mut events = shop::two_days().events;
    events.remove(20);
    let database = new_database().await;
    let worker = Worker::start(database.clone(), Source::new(&events).feed(), options());
    let gap = Gap { partition: PartitionId::ONLY, last: Position(20), previous: Position(21), found: Position(22) };
    assert_eq!(stopped(&mut worker.monitor()).await, StopReason::Gap(gap));
    // 20 lies in the batch from 15 to 22, of which nothing was written.
    assert_eq!(worker.monitor().status().position, Position(14));
    assert_eq!(dump(&database).await, undisturbed(&events[..14]).await);
}

#[tokio::test]
async fn of_two_workers_on_the_same_read_models_the_later_goes_on_and_the_first_stops_with_a_word() {
    let history = long_history();
    let end = history.events.len() as u64;
    let (database, source) = (new_database().await, Source::new(&history.events[..end as usize - 200]));
    let first = Worker::start(database.clone(), source.feed(), options());
    assert!(first.monitor().wait_until(PATIENCE, |status| status.position.0 > 100).await);
    let second = Worker::start(database.clone(), source.feed(), options());
    let reason = stopped(&mut first.monitor()).await;
    let StopReason::TakenOver(taken_over) = &reason else { panic!("{reason}") };
    assert_eq!(taken_over.partition, PartitionId::ONLY);
    let text = reason.to_string();
    assert!(text.contains(&format!("was taken over by process {} on ", std::process::id())), "{text}");
    source.append(&history.events[end as usize - 200..]);
    reached(&mut second.monitor(), end).await;
    assert!(matches!(first.monitor().status().state, State::Stopped(_)));
    first.stop().await;
    second.stop().await;
    assert_eq!(dump(&database).await, undisturbed(&history.events).await);
}

#[tokio::test]
async fn read_models_that_are_emptied_are_filled_again_with_the_same_rows() {
    let events = shop::two_days().events;
    let (database, source) = (new_database().await, Source::new(&events));
    let worker = Worker::start(database.clone(), source.feed(), options());
    let mut monitor = worker.monitor();
    reached(&mut monitor, events.len() as u64).await;
    let before = dump(&database).await;
    projections::reset(&database).await.unwrap();
    assert!(dump(&database).await.len() < before.len());
    // The worker notices although nothing happens.
    assert!(monitor.wait_until(PATIENCE, |status| status.position.0 < events.len() as u64).await);
    reached(&mut monitor, events.len() as u64).await;
    worker.stop().await;
    assert_eq!(dump(&database).await, before);
}

#[tokio::test]
async fn an_idle_worker_notices_that_postgres_lost_its_last_transactions() {
    let folder = tempfile::tempdir().unwrap();
    // Nothing is flushed until a transaction asks for it, and none of the worker does.
    let cluster = Cluster::new(folder.path(), &["wal_writer_delay=10000", "wal_writer_flush_after=1GB"]);
    let events = shop::two_days().events;
    let database = Database::new(&cluster.start(), SchemaName::default()).unwrap();
    let worker = Worker::start(database.clone(), Source::new(&events).feed(), options());
    let mut monitor = worker.monitor();
    reached(&mut monitor, events.len() as u64).await;
    cluster.kill();
    cluster.start();
    waits(&mut monitor).await;
    reached(&mut monitor, events.len() as u64).await;
    assert!(monitor.wait_until(PATIENCE, |status| status.state == State::Running).await);
    reached(&mut monitor, events.len() as u64).await;
    worker.stop().await;
    let rows = dump(&database).await;
    cluster.remove();
    assert_eq!(rows, undisturbed(&events).await);
}

#[tokio::test]
async fn a_worker_survives_that_its_connection_is_cut_again_and_again() {
    let history = long_history();
    let (database, source) = (new_database().await, Source::new(&history.events));
    let worker = Worker::start(database.clone(), source.feed(), options());
    let mut monitor = worker.monitor();
    let mut connection = database.connect_for_writing().await.unwrap();
    let (mut cuts, end) = (0, history.events.len() as u64);
    while monitor.status().position.0 < end {
        let cut: Vec<bool> = sqlx::query_scalar(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .fetch_all(&mut connection)
        .await
        .unwrap();
        cuts += cut.len();
        let seen = monitor.status();
        // Until it got further, or its connection stands again.
        assert!(
            monitor
                .wait_until(PATIENCE, |status| status.position.0 > seen.position.0 + 60 || status.position.0 == end)
                .await
        );
    }
    assert!(cuts > 3, "{cuts}");
    worker.stop().await;
    assert_eq!(dump(&database).await, undisturbed(&history.events).await);
}

#[tokio::test]
async fn a_worker_waits_for_a_postgres_that_is_not_there_full_or_killed() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::new(folder.path(), &["max_connections=12", "superuser_reserved_connections=0"]);
    let url = cluster.start();
    cluster.kill();

    let history = long_history();
    let end = history.events.len() as u64;
    let database = Database::new(&url, SchemaName::default()).unwrap();
    let source = Source::new(&history.events[..1_000]);
    let worker = Worker::start(database.clone(), source.feed(), options());
    let mut monitor = worker.monitor();
    let error = waits(&mut monitor).await;
    assert!(error.starts_with("connecting to PostgreSQL: "), "{error}");
    assert_eq!(monitor.lag_events(), 1_000);

    cluster.start();
    reached(&mut monitor, 1_000).await;
    // Killed while it writes, three times.
    for end in [1_400, 1_800, end] {
        source.append(&history.events[source.len()..end as usize]);
        assert!(monitor.wait_until(PATIENCE, |status| status.position.0 > end - 250).await);
        cluster.kill();
        waits(&mut monitor).await;
        cluster.start();
        reached(&mut monitor, end).await;
    }
    worker.stop().await;

    let mut others = Vec::new();
    while let Ok(connection) = PgConnection::connect(&url).await {
        others.push(connection);
    }
    let worker = Worker::start(database.clone(), source.feed(), options());
    let mut monitor = worker.monitor();
    let error = waits(&mut monitor).await;
    assert!(error.contains("too many clients") || error.contains("remaining connection slots"), "{error}");
    others.clear();
    reached(&mut monitor, end).await;
    worker.stop().await;
    let rows = dump(&database).await;
    cluster.remove();
    assert_eq!(rows, undisturbed(&history.events).await);
}

#[tokio::test]
async fn a_worker_waits_for_a_feed_that_cannot_be_read() {
    let events = shop::two_days().events;
    let (database, source) = (new_database().await, Source::new(&events[..30]));
    let worker = Worker::start(database.clone(), source.feed(), options());
    let mut monitor = worker.monitor();
    reached(&mut monitor, 30).await;
    for _ in 0..3 {
        source.fail(FeedError::Unavailable("the disk is away".into()));
    }
    source.append(&events[30..]);
    assert_eq!(waits(&mut monitor).await, "the events cannot be read: the disk is away");
    reached(&mut monitor, events.len() as u64).await;
    assert_eq!(monitor.status().state, State::Running);
}

#[tokio::test]
async fn a_worker_refuses_read_models_that_were_filled_from_another_log() {
    let events = shop::two_days().events;
    let (database, source) = (new_database().await, Source::new(&events));
    let worker = Worker::start(database.clone(), source.feed(), options());
    reached(&mut worker.monitor(), events.len() as u64).await;
    worker.stop().await;
    let worker = Worker::start(database.clone(), source.feed().of_log("another"), options());
    let reason = stopped(&mut worker.monitor()).await;
    let (filled_from, log_id) = ("00112233445566778899aabbccddeeff".into(), "another".into());
    assert_eq!(reason, StopReason::OtherLog { filled_from, log_id });

    // The same log, put back from an older copy.
    let worker = Worker::start(database.clone(), Source::new(&events[..10]).feed(), options());
    let reason = stopped(&mut worker.monitor()).await;
    assert!(matches!(&reason, StopReason::Unusable(text) if text.contains("but the log ends at 10")), "{reason}");
}
