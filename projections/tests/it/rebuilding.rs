//! Rebuilding beside the live read models: queries and the live worker go on, rows are compared, and the switch loses
//! and doubles nothing.

use std::path::Path;

use domain::event::RecordedEvent;
use event_store::log::Log;
use event_store::log::appender::Appender;
use projections::checkpoint::{READ_MODELS, claim};
use projections::database::Database;
use projections::feed::LogFeed;
use projections::model::Changes;
use projections::rebuild::{RebuildError, RebuildOptions, Rebuilt, Stage, rebuild};
use projections::worker::Worker;
use projections::worker::status::State;
use projections::write::{WriteError, write};
use serde_json::json;
use tempfile::TempDir;

use crate::log_feed::{append, open};
use crate::support::api::Api;
use crate::support::postgres::{dump, new_database, row, rows};
use crate::support::shop;
use crate::working::{PATIENCE, long_history, options, reached, undisturbed};

/// Read models that are live: a log, and a worker that follows it.
struct Scene {
    folder: TempDir,
    log: Log,
    appender: Appender<()>,
    database: Database,
    worker: Worker,
}

impl Scene {
    async fn new(events: &[RecordedEvent]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (log, mut appender) = open(folder.path());
        append(&mut appender, events);
        let database = new_database().await;
        let worker = Worker::start(database.clone(), LogFeed::new(log.clone()), options());
        reached(&mut worker.monitor(), events.len() as u64).await;
        Self { folder, log, appender, database, worker }
    }

    fn options(&self) -> RebuildOptions {
        options_of(self.folder.path())
    }

    async fn rebuild(&self) -> Rebuilt {
        rebuild(&self.database, &self.options(), |_| {}).await.unwrap()
    }

    async fn end(self) {
        self.worker.stop().await;
        self.appender.close().unwrap();
        drop(self.log);
    }
}

fn options_of(folder: &Path) -> RebuildOptions {
    RebuildOptions { log: folder.to_owned(), fresh: false, accept_differences: false, switch: true, keep_old: false }
}

async fn execute(database: &Database, statement: &'static str) {
    let mut connection = database.connect_for_writing().await.unwrap();
    sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_changes_places_with_the_live_build_while_queries_and_the_worker_go_on() {
    let history = long_history();
    let events = &history.events;
    let (first, then) = events.split_at(events.len() / 2);
    let mut scene = Scene::new(first).await;
    let api = Api::new(&scene.database, Some(scene.worker.monitor()));
    let builds =
        |answered: &crate::support::api::Answered| answered.headers["bursar-build"].to_str().unwrap().to_owned();
    assert_eq!(builds(&api.ask("/v1/accounts").await), "1");

    let (database, options) = (scene.database.clone(), scene.options());
    let rebuilding = tokio::spawn(async move {
        let mut rebuilt = Vec::new();
        for _ in 0..2 {
            rebuilt.push(rebuild(&database, &options, |_| {}).await.unwrap());
        }
        rebuilt
    });
    let mut rest = then.chunk_by(|one, next| std::sync::Arc::ptr_eq(&one.metadata, &next.metadata));
    let (mut seen, mut last) = (Vec::new(), 0);
    while !rebuilding.is_finished() || last == 0 {
        if let Some(events) = rest.next() {
            append(&mut scene.appender, events);
        }
        let answered = api.ask("/v1/ledger/trial-balance").await;
        assert_eq!(answered.status, 200, "{}", answered.body);
        for currency in answered.body["currencies"].as_array().unwrap() {
            assert_eq!(currency["balance"]["amount"], 0, "{}", answered.body);
        }
        let position = answered.body["position"].as_u64().unwrap();
        assert!(position >= last, "the answers went back from {last} to {position}");
        last = position;
        seen.push(builds(&answered));
        seen.dedup();
    }
    let rebuilt = rebuilding.await.unwrap();
    for (build, rebuilt) in (2..).zip(&rebuilt) {
        assert_eq!((rebuilt.build, rebuilt.switched, rebuilt.compared.differing), (build, true, 0));
        assert_eq!(rebuilt.compared.changed, Vec::<String>::new());
        assert!(rebuilt.compared.rows["journal"] > 500 && rebuilt.compared.rows.len() == 17, "{rebuilt:?}");
        assert!(rebuilt.position >= rebuilt.compared.position);
    }
    rest.for_each(|events| append(&mut scene.appender, events));
    let mut monitor = scene.worker.monitor();
    reached(&mut monitor, events.len() as u64).await;
    let shown = api.get("/v1/projections").await["items"][0].clone();
    assert_eq!((&shown["build"], &shown["state"]), (&json!(3), &json!("running")));
    assert!(["1", "3"].iter().all(|build| seen.contains(&(*build).to_owned())), "{seen:?}");
    assert_eq!(dump(&scene.database).await, undisturbed(events).await);
    let schemas = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'bursar%'";
    assert_eq!(rows(&scene.database, schemas).await, [json!({"nspname": "bursar"})]);
    scene.end().await;
}

#[tokio::test]
async fn rows_that_differ_are_told_and_only_an_explicit_word_puts_the_next_build_in_place() {
    let events = shop::two_days().events;
    let scene = Scene::new(&events).await;
    let whole = dump(&scene.database).await;
    execute(
        &scene.database,
        "UPDATE accounts SET balance = balance + 1 WHERE account_id = 'payer'; DELETE FROM holds WHERE hold_id = 'h-1'; \
         INSERT INTO recorded_minutes VALUES ('2001-01-01Z', 7)",
    )
    .await;
    let rebuilt = scene.rebuild().await;
    assert_eq!((rebuilt.switched, rebuilt.compared.differing), (false, 3));
    let told: Vec<_> = rebuilt
        .compared
        .differences
        .iter()
        .map(|difference| (difference.table.as_str(), difference.live.is_some(), difference.next.is_some()))
        .collect();
    assert_eq!(told, [("accounts", true, true), ("holds", false, true), ("recorded_minutes", true, false)]);
    assert_ne!(dump(&scene.database).await, whole);
    let options = RebuildOptions { accept_differences: true, keep_old: true, ..scene.options() };
    let rebuilt = rebuild(&scene.database, &options, |_| {}).await.unwrap();
    assert_eq!((rebuilt.switched, rebuilt.compared.differing, rebuilt.build), (true, 3, 2));
    assert_eq!(dump(&scene.database).await, whole);
    assert_eq!(
        row(&scene.database, "SELECT COUNT(*) AS kept FROM bursar_before.holds").await,
        row(&scene.database, "SELECT COUNT(*) - 1 AS kept FROM holds").await
    );
    scene.end().await;
}

#[tokio::test]
async fn a_rebuild_that_is_killed_goes_on_where_it_was() {
    let history = long_history();
    let events = &history.events;
    let scene = Scene::new(events).await;
    for stop_at in [1, 400, 900] {
        let (stop, mut stopped) = tokio::sync::mpsc::channel(1);
        let (database, options) = (scene.database.clone(), scene.options());
        let running = tokio::spawn(async move {
            let watching = |stage: Stage| {
                if matches!(stage, Stage::Filling { position, .. } if position.0 >= stop_at) {
                    let _ = stop.try_send(());
                }
            };
            let _ = rebuild(&database, &options, watching).await;
        });
        stopped.recv().await;
        running.abort();
        let _ = running.await;
    }
    let mut first = None;
    let watching = |stage: Stage| {
        if let Stage::Filling { position, .. } = stage {
            first = first.or((position.0 > 0).then_some(position));
        }
    };
    let rebuilt = rebuild(&scene.database, &scene.options(), watching).await.unwrap();
    assert!(first.unwrap().0 >= 900, "it began again at {first:?}");
    assert_eq!((rebuilt.switched, rebuilt.compared.differing), (true, 0));
    assert_eq!(dump(&scene.database).await, undisturbed(events).await);
    scene.end().await;
}

#[tokio::test]
async fn an_owner_from_before_the_switch_cannot_write_into_either_build() {
    let history = long_history();
    let (first, then) = history.events.split_at(500);
    let scene = Scene::new(first).await;
    scene.worker.stop().await;
    let mut connection = scene.database.connect_for_writing().await.unwrap();
    let assignment = LogFeed::assignment_of(&scene.log);
    let stalled = claim(&mut connection, READ_MODELS, &assignment, "stalled").await.unwrap();
    let options = RebuildOptions { keep_old: true, ..options_of(scene.folder.path()) };
    let rebuilt = rebuild(&scene.database, &options, |_| {}).await.unwrap();
    assert!(rebuilt.switched);
    let mut changes = Changes::after(stalled.places());
    then[..20].iter().for_each(|event| changes.take(&projections::feed::Record::of_log(event.clone())).unwrap());
    let before = dump(&scene.database).await;
    let refused = write(&mut connection, &stalled, &changes).await.unwrap_err();
    assert!(matches!(refused, WriteError::Moved { .. }), "{refused}");
    assert_eq!(dump(&scene.database).await, before);
    let positions = "SELECT (SELECT position FROM bursar.projection_checkpoints) AS now, \
                     (SELECT position FROM bursar_before.projection_checkpoints) AS before";
    assert_eq!(row(&scene.database, positions).await, json!({"now": 500, "before": 500}));
    scene.appender.close().unwrap();
}

#[tokio::test]
async fn what_cannot_be_rebuilt_is_refused_with_a_word() {
    let events = shop::two_days().events;
    let scene = Scene::new(&events).await;
    let empty = new_database().await;
    let none = rebuild(&empty, &scene.options(), |_| {}).await.unwrap_err();
    assert_eq!(none.to_string(), "there are no read models in schema bursar; bursar serve makes and fills them");
    let other = tempfile::tempdir().unwrap();
    let (_log, appender) = open(other.path());
    let wrong = rebuild(&scene.database, &options_of(other.path()), |_| {}).await.unwrap_err();
    assert!(matches!(wrong, RebuildError::OtherLog { .. }), "{wrong}");
    appender.close().unwrap();
    // Another one is under way: its lock is all that can be seen of it.
    let mut other = scene.database.connect_for_writing().await.unwrap();
    let lock = "SELECT pg_advisory_lock(hashtextextended('bursar rebuild of bursar read_models', 0))";
    sqlx::query(lock).execute(&mut other).await.unwrap();
    let second = rebuild(&scene.database, &scene.options(), |_| {}).await.unwrap_err();
    assert!(matches!(second, RebuildError::UnderWay { .. }), "{second}");
    // Whatever was refused, the live worker goes on.
    assert!(scene.worker.monitor().wait_until(PATIENCE, |status| status.state == State::Running).await);
    scene.end().await;
}
