//! The engine alone, without HTTP: durable transfers per second, and how fast its state is rebuilt from the log.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use command_api::engine::{self, Engine, Mode, Options, Outcome, Request, Submission};
use domain::account::AccountCommand;
use domain::command::Command;
use domain::ids::AccountId;
use domain::money::{Amount, Money};
use event_store::log::{Log, Options as LogOptions};

use super::table::{Row, Table, at_least, grouped, spread};

const ACCOUNTS: usize = 100_000;
const TRANSFERS: usize = 1_000_000;
const BATCH: usize = 8_000;
const BATCHES_IN_FLIGHT: usize = 4;
const RUNS: usize = 5;

fn money(amount: i64) -> Money {
    Money::new(Amount::new(amount).unwrap(), "USD".parse().unwrap())
}

fn account(number: usize) -> AccountId {
    AccountId::new(&format!("acct-{number:06}")).unwrap()
}

fn request(key: String, command_type: &'static str, command: Command) -> Request {
    Request {
        principal: Arc::from("bench"),
        key: Arc::from(key),
        request_id: Arc::from("bench-request"),
        correlation_id: Arc::from(""),
        command_type,
        command,
        fingerprint: 1,
        expected_version: None,
        effective_at: None,
    }
}

fn transfer(run: usize, number: usize, accounts: usize) -> Request {
    // A fixed multiplicative walk spreads the transfers over all accounts without a random number generator.
    let from = number.wrapping_mul(48_271) % accounts;
    let to = (from + 1 + number % (accounts - 1)) % accounts;
    let name = format!("t{run}-{number}");
    let command = AccountCommand::SendTransfer {
        transfer_id: name.parse().unwrap(),
        to: account(to),
        amount: money(1),
        reference: None,
    };
    request(name, "send_transfer", Command::Account(account(from), command))
}

async fn submit(engine: &Engine, requests: Vec<Request>) {
    let outcomes = engine.submit(Submission { requests, mode: Mode::Independent, dry_run: false }).await.unwrap();
    assert!(outcomes.iter().all(|o| matches!(o, Outcome::Accepted(_))), "a command of the benchmark was not accepted");
}

async fn set_up(engine: &Engine, accounts: usize) {
    for from in (0..accounts).step_by(BATCH / 2) {
        let each = (from..accounts.min(from + BATCH / 2)).flat_map(|number| {
            let open = AccountCommand::Open { owner_id: "owner".parse().unwrap(), currency: "USD".parse().unwrap() };
            let deposit = AccountCommand::Deposit { amount: money(1_000_000), reference: None };
            [
                request(format!("open-{number}"), "open_account", Command::Account(account(number), open)),
                request(format!("deposit-{number}"), "deposit", Command::Account(account(number), deposit)),
            ]
        });
        submit(engine, each.collect()).await;
    }
}

pub(crate) fn open(folder: &Path) -> engine::Running {
    let opened = Log::open(folder, LogOptions::default()).unwrap();
    engine::start(opened.log, opened.appender, &Options::default()).unwrap()
}

/// Fills a log: so many accounts, so many transfers among them.
pub(crate) async fn fill(engine: &Engine, accounts: usize, transfers: usize) {
    set_up(engine, accounts).await;
    for from in (0..transfers).step_by(BATCH) {
        submit(engine, (from..transfers.min(from + BATCH)).map(|n| transfer(0, n, accounts)).collect()).await;
    }
}

pub(crate) fn measure(table: &mut Table) -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in("target")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let running = open(folder.path());
    let mut figures = Vec::new();
    runtime.block_on(async {
        set_up(&running.engine, ACCOUNTS).await;
        for run in 0..RUNS {
            // Made before the clock starts: what is measured is the engine, not the making of commands.
            let batches: Vec<Vec<Request>> = (0..TRANSFERS)
                .step_by(BATCH)
                .map(|from| (from..TRANSFERS.min(from + BATCH)).map(|n| transfer(run, n, ACCOUNTS)).collect())
                .collect();
            let start = Instant::now();
            let mut in_flight = std::collections::VecDeque::new();
            for batch in batches {
                if in_flight.len() == BATCHES_IN_FLIGHT
                    && let Some(oldest) = in_flight.pop_front()
                {
                    let done: tokio::task::JoinHandle<()> = oldest;
                    done.await.unwrap();
                }
                let engine = running.engine.clone();
                in_flight.push_back(tokio::spawn(async move { submit(&engine, batch).await }));
                tokio::task::yield_now().await;
            }
            for rest in in_flight {
                rest.await.unwrap();
            }
            figures.push(TRANSFERS as f64 / start.elapsed().as_secs_f64());
        }
    });
    running.stop()?;
    let (rate, figure) = spread(figures);
    table.add(Row {
        what: "engine alone, durable transfers".into(),
        figure,
        bar: at_least(400_000.0, rate),
        beside: "no HTTP".into(),
        how: format!(
            "{RUNS} × {TRANSFERS} transfers over {ACCOUNTS} accounts, {BATCH} a batch, {BATCHES_IN_FLIGHT} in flight"
        ),
    });
    replay(table, folder.path())
}

/// How fast all state is made again from a log without a checkpoint.
pub(crate) fn replay(table: &mut Table, folder: &Path) -> anyhow::Result<()> {
    let mut figures = Vec::new();
    let mut events = 0;
    for _ in 0..3 {
        std::fs::remove_dir_all(folder.join("state"))?;
        let opened = Log::open(folder, LogOptions::default())?;
        let start = Instant::now();
        let running = engine::start(opened.log, opened.appender, &Options::default())?;
        events = running.rebuilt.events;
        figures.push(events as f64 / start.elapsed().as_secs_f64());
        running.stop()?;
    }
    let (rate, figure) = spread(figures);
    table.add(Row {
        what: "state made again from the whole log, events".into(),
        figure,
        bar: at_least(1_500_000.0, rate),
        beside: "one thread reads and understands, one applies; checkpoints are written meanwhile".into(),
        how: format!("3 × {} events, read, checked, decoded, applied, with their keys", grouped(events as f64)),
    });
    Ok(())
}
