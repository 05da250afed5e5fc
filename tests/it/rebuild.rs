//! The read models are thrown away and filled again from the log, in every way that there is: row by row they are the
//! same.

use std::path::Path;
use std::time::Duration;

use event_store::log::{Log, Options};
use projections::database::Database as ReadModels;
use projections::feed::{BatchLimits, LogFeed};
use projections::worker::{Worker, WorkerOptions};
use serde_json::Value;

use crate::import::import;
use crate::postgres::{Database, ask, database, execute, rows, tables};
use crate::random::{Random, times};
use crate::server::{PATIENCE, Server, within};
use crate::traffic::{Pieces, Traffic};

/// How often the server is killed while it fills them again.
const KILLS: usize = 5;
/// Filling takes some of these.
const MOMENT_MAX: Duration = Duration::from_millis(500);

type Rows = Vec<(String, Value)>;

fn same(found: &Rows, expected: &Rows) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found, expected);
    }
}

/// A log with everything that happens in a shop, refusals and holds, and the rows that were filled while it happened.
async fn filled(data: &Path, database: &Database, random: &mut Random) -> Rows {
    let server = Server::start(data, &database.url);
    import(&server).await;
    let mut traffic = Traffic::start(server.client(), 2, Pieces::Mixed, random).await;
    traffic.goes_on(2_000).await;
    traffic.stop().await;
    server.caught_up().await;
    assert_eq!(server.terminate().code(), Some(0));
    rows(&database.url, "bursar", &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn read_models_filled_again_are_the_same_row_by_row() {
    let mut random = Random::seeded();
    let (folder, home) = (tempfile::tempdir().unwrap(), database());
    let data = folder.path().join("log");
    let expected = filled(&data, &home, &mut random).await;
    let mut with_rows: Vec<&str> = expected.iter().map(|(table, _)| table.as_str()).collect();
    with_rows.dedup();
    let tables = tables(&home.url, "bursar").await;
    assert_eq!(with_rows, tables, "a table without a row says nothing");

    // An empty database.
    let other = database();
    let server = Server::start(&data, &other.url);
    server.caught_up().await;
    same(&rows(&other.url, "bursar", &[]).await, &expected);

    // Dropped under the server that fills it.
    execute(&other.url, "DROP SCHEMA bursar CASCADE").await;
    let filled = async || {
        let found = ask::<bool>(&other.url, "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = 'bursar')").await;
        found == [true] && rows(&other.url, "bursar", &[]).await.len() == expected.len()
    };
    assert!(within(PATIENCE, filled).await, "{}", server.output());
    same(&rows(&other.url, "bursar", &[]).await, &expected);
    assert_eq!(server.terminate().code(), Some(0));

    // Another schema beside the first, by servers that are killed while they fill it.
    let kills = times("BURSAR_TEST_REBUILD_KILLS", KILLS);
    for _ in 0..kills {
        let server = Server::start_with(&data, &home.url, &["--database-schema", "beside"]);
        random.moment(MOMENT_MAX).await;
        server.kill();
    }
    let server = Server::start_with(&data, &home.url, &["--database-schema", "beside"]);
    server.caught_up().await;
    assert_eq!(server.terminate().code(), Some(0));
    same(&rows(&home.url, "beside", &[]).await, &expected);

    // In batches of other sizes.
    for events_max in [200, 50_000] {
        let schema = format!("by_{events_max}");
        in_batches(&data, &home.url, &schema, events_max).await;
        same(&rows(&home.url, &schema, &[]).await, &expected);
    }
    println!("{} rows of {} tables filled again in 5 ways, {kills} kills: 0 differ", expected.len(), tables.len());
}

/// Fills a schema by a worker of this process.
async fn in_batches(data: &Path, url: &str, schema: &str, events_max: usize) {
    let log = Log::open(data, Options { segment_bytes: 1 << 20, ..Options::default() }).unwrap().log;
    let options = WorkerOptions { batch: BatchLimits { events_max, bytes_max: 64 << 20 }, ..WorkerOptions::default() };
    let read_models = ReadModels::new(url, schema.parse().unwrap()).unwrap();
    let worker = Worker::start(read_models, LogFeed::new(log.clone()), options);
    let mut monitor = worker.monitor();
    let filled = monitor.wait_until(2 * PATIENCE, |status| status.position == log.durable()).await;
    assert!(filled, "{:?}", monitor.status());
    worker.stop().await;
}
