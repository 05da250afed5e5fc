//! How fast the read models are filled from a log, beside one plain COPY of the same rows of the journal.

use std::process::Command;
use std::time::{Duration, Instant};

use projections::database::{Database, SchemaName};
use projections::feed::LogFeed;
use projections::worker::{Worker, WorkerOptions};

use super::engine;
use super::server::Postgres;
use super::table::{Row, Table, spread};

const ACCOUNTS: usize = 10_000;
const TRANSFERS: usize = 300_000;
const RUNS: usize = 3;

pub(crate) fn measure(table: &mut Table) -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in("target")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let running = engine::open(folder.path());
    runtime.block_on(engine::fill(&running.engine, ACCOUNTS, TRANSFERS));
    let log = running.engine.log().clone();
    let end = log.durable();
    let (mut events, mut rows, mut copies) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let postgres = Postgres::start()?;
        let filled = runtime.block_on(async {
            let database = Database::new(&postgres.url, SchemaName::default())?;
            let begun = Instant::now();
            let worker = Worker::start(database, LogFeed::new(log.clone()), WorkerOptions::default());
            let mut monitor = worker.monitor();
            let done = monitor.wait_until(Duration::from_secs(300), |status| status.position == end).await;
            anyhow::ensure!(done, "the read models were not filled in 300 s: {:?}", monitor.status().state);
            let filled = begun.elapsed();
            worker.stop().await;
            Ok(filled)
        })?;
        let file = folder.path().join("journal.copy");
        let file = file.display();
        let psql = |command: String| -> anyhow::Result<String> {
            let out = Command::new("psql").args(["-X", "-q", "-A", "-t", "-c", &command, &postgres.url]).output()?;
            anyhow::ensure!(out.status.success(), "psql: {}", String::from_utf8_lossy(&out.stderr));
            Ok(String::from_utf8_lossy(&out.stdout).trim().to_owned())
        };
        psql(format!("\\copy (SELECT * FROM bursar.journal ORDER BY position) TO '{file}' (FORMAT binary)"))?;
        psql("CREATE TABLE journal_copy (LIKE bursar.journal INCLUDING ALL)".to_owned())?;
        let begun = Instant::now();
        psql(format!("\\copy journal_copy FROM '{file}' (FORMAT binary)"))?;
        let copied = begun.elapsed();
        let count: f64 = psql("SELECT COUNT(*) FROM journal_copy".to_owned())?.parse()?;
        events.push(end.0 as f64 / filled.as_secs_f64());
        rows.push(count / filled.as_secs_f64());
        copies.push(count / copied.as_secs_f64());
    }
    running.stop()?;
    let ((_, events), (row_rate, rows), (copy_rate, copies)) = (spread(events), spread(rows), spread(copies));
    table.add(Row {
        what: "read models filled from the log, events".into(),
        figure: events,
        bar: String::new(),
        beside: format!("{rows} rows of the journal: {:.0} % of COPY", row_rate / copy_rate * 100.0),
        how: format!("{RUNS} × {end} events of {ACCOUNTS} accounts, all read models"),
    });
    table.add(Row {
        what: "the same rows of the journal by one COPY".into(),
        figure: copies,
        bar: String::new(),
        beside: "same PostgreSQL, same run".into(),
        how: "binary, into a table with the same index".into(),
    });
    Ok(())
}
