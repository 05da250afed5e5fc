//! A log of ten million events over a million accounts: what memory it takes while it grows, how long a start takes
//! after a clean stop and after a crash, and how fast all state is made again without a checkpoint.

use std::time::{Duration, Instant};

use super::engine::replay;
use super::http::{BATCH, NO_DATABASE, open_accounts, post, transfers};
use super::server::Server;
use super::table::{Row, Table, grouped};

const ACCOUNTS: usize = 1_000_000;
/// Two events each; with two for every account ten million.
const TRANSFERS: usize = 4_000_000;
const STARTS: usize = 5;

pub(crate) fn measure(table: &mut Table) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let server = Server::start(NO_DATABASE)?;
    runtime.block_on(open_accounts(&server.url, ACCOUNTS))?;
    let mut over_time = vec![server.memory_mib()?];
    let client = reqwest::Client::new();
    let batches = TRANSFERS / BATCH;
    for batch in 0..batches {
        runtime.block_on(post(&client, &server.url, transfers(0, batch, ACCOUNTS)))?;
        if (batch + 1) % (batches / 4) == 0 {
            over_time.push(server.memory_mib()?);
        }
    }
    let peak = server.peak_memory_mib()?;
    let over_time = over_time.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    let events = grouped((2 * ACCOUNTS + 2 * TRANSFERS) as f64);
    table.add(Row {
        what: "memory of the server, peak".into(),
        figure: format!("{peak} MiB"),
        bar: format!("≤ 1,536 MiB: × {:.2}", peak as f64 / 1536.0),
        beside: format!("after the accounts and after each quarter of the transfers: {over_time} MiB"),
        how: format!("{events} events, {} accounts, batches of {BATCH}", grouped(ACCOUNTS as f64)),
    });

    let mut folder = server.stop("-TERM")?;
    let mut seconds = Vec::new();
    for _ in 0..STARTS {
        let (server, took) = started(&runtime, folder)?;
        seconds.push(took);
        folder = server.stop("-TERM")?;
    }
    add_start(table, "start after a clean stop, to the first answer", seconds, &events, true);

    let mut seconds = Vec::new();
    for run in 0..STARTS {
        let server = Server::start_in(folder, NO_DATABASE)?;
        for batch in 0..20 {
            runtime.block_on(post(&client, &server.url, transfers(1 + run, batch, ACCOUNTS)))?;
        }
        folder = server.stop("-KILL")?;
        let (server, took) = started(&runtime, folder)?;
        seconds.push(took);
        folder = server.stop("-TERM")?;
    }
    add_start(table, "start after SIGKILL, 320,000 events after the last checkpoint", seconds, &events, false);
    replay(table, folder.path())
}

/// Starts a server and waits until it answers a command.
fn started(runtime: &tokio::runtime::Runtime, folder: tempfile::TempDir) -> anyhow::Result<(Server, Duration)> {
    let start = Instant::now();
    let server = Server::start_in(folder, NO_DATABASE)?;
    let key = format!("first-{}", start.elapsed().as_nanos());
    let line = format!(
        "{{\"type\":\"deposit\",\"key\":\"{key}\",\"account_id\":\"acct-000007\",\
         \"amount\":{{\"amount\":1,\"currency\":\"USD\"}}}}\n"
    );
    runtime.block_on(post(&reqwest::Client::new(), &server.url, line))?;
    Ok((server, start.elapsed()))
}

fn add_start(table: &mut Table, what: &str, mut took: Vec<Duration>, events: &str, barred: bool) {
    took.sort();
    let (low, median, high) = (took[0], took[took.len() / 2], took[took.len() - 1]);
    let seconds = |took: Duration| format!("{:.2}", took.as_secs_f64());
    table.add(Row {
        what: what.into(),
        figure: format!("{} s ({} – {})", seconds(median), seconds(low), seconds(high)),
        bar: if barred { format!("≤ 2 s: × {:.2}", median.as_secs_f64() / 2.0) } else { String::new() },
        beside: "process start to the answer of a command".into(),
        how: format!("{STARTS} starts, {events} events"),
    });
}
