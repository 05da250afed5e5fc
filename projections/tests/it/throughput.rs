//! How fast the read models are filled, beside a plain COPY of the same rows of the journal. Ignored among the tests;
//! run it alone, optimized:
//!
//!     cargo test --release -p projections --test it -- --ignored --nocapture throughput
//!
//! `BURSAR_BENCH_EVENTS` (5,000,000) and `BURSAR_BENCH_ACCOUNTS` (10,000) set its size.

use std::path::Path;
use std::time::{Duration, Instant};

use domain::account::AccountEvent;
use domain::account::event::{AccountOpened, FundsDeposited, FundsWithdrawn, TransferReceived, TransferSent};
use domain::ids::{AccountId, Position, Version};
use event_store::log::appender::Appender;
use event_store::log::{Log, Opened, Options};
use event_store::transaction::{EntryHeader, Outcome};
use futures::TryStreamExt;
use projections::database::{Database, SchemaName};
use projections::feed::LogFeed;
use projections::worker::{Worker, WorkerOptions};
use sqlx::{Connection, PgConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::ask::{id, yen};
use crate::support::postgres::{Cluster, rows};

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

/// A log of account events: of ten, six belong to transfers, two are deposits and two withdrawals.
fn write_log(folder: &Path, events: u64, accounts: u64) -> (Log, Appender<()>, Position) {
    let Opened { log, appender, .. } = Log::open(folder, Options::default()).unwrap();
    let mut appender = appender.start(|_: event_store::log::writer::Committed<()>| {}).unwrap();
    let mut versions = vec![0_u64; accounts as usize];
    let ids: Vec<AccountId> = (0..accounts).map(|n| id(&format!("acct-{n:06}"))).collect();
    // Numbers that look random and are the same in every run.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut written = 0;
    let mut command = 0;
    while written < events {
        let (one, other) = (random(accounts) as usize, random(accounts) as usize);
        let other = if one == other { (one + 1) % accounts as usize } else { other };
        let (account_id, amount) = (ids[one].clone(), yen(1 + random(9_000) as i64));
        let happened: Vec<(usize, AccountEvent)> = match (command < accounts, random(7)) {
            (true, _) => {
                let opened = AccountOpened {
                    account_id: ids[command as usize].clone(),
                    owner_id: id(&format!("owner-{command}")),
                    currency: id("JPY"),
                };
                vec![(command as usize, opened.into())]
            }
            (_, 0 | 1) => vec![(one, FundsDeposited { account_id, amount, reference: None }.into())],
            (_, 2 | 3) => vec![(one, FundsWithdrawn { account_id, amount, reference: None }.into())],
            _ => {
                let transfer_id: domain::ids::TransferId = id(&format!("transfer-{command:09}"));
                let (from, to) = (account_id.clone(), ids[other].clone());
                let sent = TransferSent {
                    account_id,
                    transfer_id: transfer_id.clone(),
                    to: to.clone(),
                    amount,
                    reference: None,
                };
                let received = TransferReceived { account_id: to, transfer_id, from, amount, reference: None };
                vec![(one, sent.into()), (other, received.into())]
            }
        };
        let key = format!("key-{command:09}");
        let mut frame = appender.begin();
        frame.begin_entry(EntryHeader {
            recorded_at_us: 1_700_000_000_000_000 + 200 * command as i64,
            effective_at_us: None,
            principal: "alice",
            idempotency_key: &key,
            fingerprint: 0,
            request_id: &key,
            correlation_id: "",
            command: "a_command",
            outcome: Outcome::Done,
        });
        for (account, event) in &happened {
            let version = Version(versions[*account]);
            versions[*account] += 1;
            let event = domain::event::Event::Account(event.clone());
            frame.event(&event.stream(), version, event.event_type(), event.schema_version(), |json| {
                serde_json::to_writer(json, &event).unwrap();
            });
        }
        frame.end_entry(|_| {});
        frame.commit().unwrap();
        written += happened.len() as u64;
        command += 1;
    }
    appender.flush();
    (log, appender, Position(written))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it measures, for minutes"]
async fn throughput_beside_a_plain_copy() {
    let (events, accounts) = (setting("BURSAR_BENCH_EVENTS", 5_000_000), setting("BURSAR_BENCH_ACCOUNTS", 10_000));
    let folder = tempfile::tempdir().unwrap();
    let (log_folder, copy_file) = (folder.path().join("log"), folder.path().join("journal.copy"));
    std::fs::create_dir(&log_folder).unwrap();
    let writing = tokio::task::spawn_blocking(move || write_log(&log_folder, events, accounts));
    // The log stays open to the end, and with it the worker's connection.
    let (log, _appender, end) = writing.await.unwrap();
    log.durable_watch().wait_for(|durable| *durable == end).await.unwrap();

    let cluster = Cluster::new(&folder.path().join("postgres"), &["fsync=on", "max_wal_size=4GB"]);
    let url = cluster.start();
    let database = Database::new(&url, SchemaName::default()).unwrap();
    let (begun, busy_before) = (Instant::now(), busy("self"));
    let worker = Worker::start(database.clone(), LogFeed::new(log), WorkerOptions::default());
    let mut monitor = worker.monitor();
    while !monitor.wait_until(Duration::from_secs(5), |status| status.position == end).await {
        let status = monitor.status();
        assert_ne!(status.state.as_str(), "stopped", "{:?}", status.state);
        eprintln!("{:>9} events after {:.0?}: {:?}", status.position.0, begun.elapsed(), status.state);
    }
    let filled = begun.elapsed();
    let busy_filling = (busy("self") - busy_before, busy_in_postgres(&database).await);
    worker.stop().await;

    let journal_rows = rows(&database, "SELECT COUNT(*) FROM journal").await[0]["count"].as_u64().unwrap();
    let mut connection = database.connect_for_writing().await.unwrap();
    copy_out(&mut connection, &copy_file).await;
    connection.close().await.unwrap();
    let mut connection = database.connect_for_writing().await.unwrap();
    sqlx::query("CREATE TABLE journal_copy (LIKE journal INCLUDING ALL)").execute(&mut connection).await.unwrap();
    let (begun, busy_before) = (Instant::now(), busy("self"));
    copy_in(&mut connection, &copy_file).await;
    let copied = begun.elapsed();
    let busy_copying = (busy("self") - busy_before, busy_in_postgres(&database).await);
    connection.close().await.unwrap();

    println!("{:<36}{:>10}{:>10}{:>10}{:>18}", "", "per s", "took", "our CPU", "PostgreSQL's CPU");
    let line = |what: &str, count: u64, took: Duration, (ours, theirs): (Duration, Duration)| {
        let per_s = u128::from(count) * 1_000 / took.as_millis();
        println!("{what:<36}{per_s:>10}{took:>10.1?}{ours:>10.1?}{theirs:>18.1?}");
    };
    line("events into all read models", end.0, filled, busy_filling);
    line("rows into the journal among them", journal_rows, filled, busy_filling);
    line("the same rows by one COPY", journal_rows, copied, busy_copying);
    println!("the read models are filled at {} % of COPY", copied.as_millis() * 100 / filled.as_millis());
    cluster.remove();
}

/// How long the processor has worked for the connection that writes: a measure that other programs disturb less.
async fn busy_in_postgres(database: &Database) -> Duration {
    let processes = "SELECT pid FROM pg_stat_activity WHERE application_name = 'bursar' AND pid <> pg_backend_pid()";
    let processes = rows(database, processes).await;
    processes.iter().map(|process| busy(&process["pid"].to_string())).sum()
}

/// How long the processor has worked for a process.
fn busy(process: &str) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    // Linux counts in hundredths of a second.
    Duration::from_millis(ticks * 10)
}

async fn copy_out(connection: &mut PgConnection, to: &Path) {
    let mut file = tokio::io::BufWriter::new(tokio::fs::File::create(to).await.unwrap());
    let mut out = connection
        .copy_out_raw("COPY (SELECT * FROM journal ORDER BY position) TO STDOUT (FORMAT binary)")
        .await
        .unwrap();
    while let Some(bytes) = out.try_next().await.unwrap() {
        file.write_all(&bytes).await.unwrap();
    }
    file.flush().await.unwrap();
}

async fn copy_in(connection: &mut PgConnection, from: &Path) {
    let mut file = tokio::fs::File::open(from).await.unwrap();
    let mut copy = connection.copy_in_raw("COPY journal_copy FROM STDIN (FORMAT binary)").await.unwrap();
    let mut chunk = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut chunk).await.unwrap();
        if read == 0 {
            break;
        }
        copy.send(&chunk[..read]).await.unwrap();
    }
    copy.finish().await.unwrap();
}
