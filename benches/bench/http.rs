//! Commands over HTTP: single ones with wrk, beside pgbench and a handler that does nothing; batches of transfers with
//! one client. All of it shares the machine's cores.

use std::process::Command;
use std::time::Instant;

use anyhow::Context;

use super::server::{Postgres, Server};
use super::table::{Row, Table, at_least, grouped, spread};

const ACCOUNTS: usize = 10_000;
const CONNECTIONS: &str = "64";
const SECONDS: &str = "5";
const RUNS: usize = 5;
const BATCH_ACCOUNTS: usize = 100_000;
pub(crate) const BATCH: usize = 8_000;
const BATCHES: usize = 75;
/// With five runs ten million transfers, one after another.
const BATCHES_SUSTAINED: usize = 250;
/// A database that refuses at once: the write side alone.
pub(crate) const NO_DATABASE: &str = "postgres://nobody@127.0.0.1:1/none";

pub(crate) fn measure(table: &mut Table) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let postgres = Postgres::start()?;
    let pgbench = pgbench(table, &postgres)?;
    let ceiling = no_op(table, &runtime)?;

    let server = Server::start(NO_DATABASE)?;
    runtime.block_on(open_accounts(&server.url, ACCOUNTS))?;
    for (what, accounts) in [("distinct accounts", ACCOUNTS), ("one hot account", 1)] {
        let (rate, figure, p99) = wrk(&server.url, what, accounts)?;
        table.add(Row {
            what: format!("single transfers over HTTP, {what}"),
            figure,
            bar: format!("{}; p99 ≤ 5 ms", at_least(f64::max(60_000.0, 10.0 * pgbench), rate)),
            beside: format!(
                "p99 {p99} ms; {:.1} × pgbench; {:.0} % of bare axum",
                rate / pgbench,
                100.0 * rate / ceiling
            ),
            how: format!("wrk, {CONNECTIONS} connections, {RUNS} × {SECONDS} s, durable, no views"),
        });
    }
    drop(server);

    let with_views = postgres.url.as_str();
    for (what, database, views) in
        [("no views", NO_DATABASE, false), ("views built in the same time", with_views, true)]
    {
        let batches_of_a_run = if views { BATCHES } else { BATCHES_SUSTAINED };
        let server = Server::start(database)?;
        runtime.block_on(open_accounts(&server.url, BATCH_ACCOUNTS))?;
        let mut figures = Vec::new();
        for run in 0..RUNS {
            figures.push(runtime.block_on(batches(&server.url, run, batches_of_a_run))?);
        }
        let (rate, figure) = spread(figures);
        table.add(Row {
            what: format!("batch transfers over HTTP, {what}"),
            figure,
            bar: if views { String::new() } else { at_least(300_000.0, rate) },
            beside: format!("peak memory {} MiB", server.peak_memory_mib()?),
            how: format!(
                "one client, {RUNS} × {batches_of_a_run} batches of {BATCH}, two on their way, {BATCH_ACCOUNTS} accounts"
            ),
        });
    }
    Ok(())
}

/// PostgreSQL's own bank: TPC-B, at its best number of clients.
fn pgbench(table: &mut Table, postgres: &Postgres) -> anyhow::Result<f64> {
    let run = |args: &[&str]| -> anyhow::Result<String> {
        let out = Command::new("pgbench").args(args).arg(&postgres.url).output().context("pgbench")?;
        anyhow::ensure!(out.status.success(), "pgbench: {}", String::from_utf8_lossy(&out.stderr));
        Ok(String::from_utf8_lossy(&out.stdout).into_owned())
    };
    run(&["-i", "-q", "-s", "50"])?;
    let mut best = (0.0, 0);
    for clients in [8, 16, 32, 64] {
        let out = run(&["-c", &clients.to_string(), "-j", "2", "-T", SECONDS, "-M", "prepared"])?;
        let tps = out.lines().find_map(|l| l.strip_prefix("tps = ")).context("pgbench printed no tps")?;
        let tps: f64 = tps.split_whitespace().next().context("no figure")?.parse()?;
        if tps > best.0 {
            best = (tps, clients);
        }
    }
    table.add(Row {
        what: "PostgreSQL, pgbench TPC-B".into(),
        figure: format!("{} /s", grouped(best.0)),
        bar: String::new(),
        beside: format!("best at {} clients", best.1),
        how: format!("scale 50, prepared, {SECONDS} s at 8, 16, 32, 64 clients"),
    });
    Ok(best.0)
}

/// The ceiling of HTTP on this machine: a handler that reads the body and answers nothing.
fn no_op(table: &mut Table, runtime: &tokio::runtime::Runtime) -> anyhow::Result<f64> {
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
    let url = format!("http://{}", listener.local_addr()?);
    let app = axum::Router::new().route("/v1/transfers", axum::routing::post(|_: String| async {}));
    let server = runtime.spawn(async move { axum::serve(listener, app).await });
    let (rate, figure, p99) = wrk(&url, "no-op", ACCOUNTS)?;
    server.abort();
    table.add(Row {
        what: "bare axum POST that does nothing".into(),
        figure,
        bar: String::new(),
        beside: format!("p99 {p99} ms"),
        how: format!("wrk, {CONNECTIONS} connections, {RUNS} × {SECONDS} s"),
    });
    Ok(rate)
}

fn wrk(url: &str, what: &str, accounts: usize) -> anyhow::Result<(f64, String, String)> {
    let (mut rates, mut p99_us) = (Vec::new(), Vec::new());
    for run in 0..RUNS {
        let name = format!("{}-{run}", what.replace(' ', "-"));
        let out = Command::new("wrk")
            .args(["-t", "1", "-c", CONNECTIONS, "-d", SECONDS, "-s", "benches/wrk/transfer.lua", url, "--"])
            .args([&name, &accounts.to_string()])
            .output()
            .context("wrk")?;
        let out = String::from_utf8_lossy(&out.stdout).into_owned();
        let result = out.lines().find_map(|l| l.strip_prefix("RESULT ")).with_context(|| format!("wrk said: {out}"))?;
        let figures: Vec<f64> = result.split(' ').map(str::parse).collect::<Result<_, _>>()?;
        anyhow::ensure!(figures[2] == 0.0, "{} answers of wrk were errors", figures[2]);
        rates.push(figures[0]);
        p99_us.push(figures[1]);
    }
    p99_us.sort_by(f64::total_cmp);
    let (rate, figure) = spread(rates);
    Ok((rate, figure, format!("{:.1}", p99_us[RUNS / 2] / 1000.0)))
}

pub(crate) async fn post(client: &reqwest::Client, url: &str, body: String) -> anyhow::Result<()> {
    let request = client.post(format!("{url}/v1/commands?mode=independent"));
    let answer = request.header("content-type", "application/x-ndjson").body(body).send().await?;
    anyhow::ensure!(answer.status().is_success(), "the batch was refused: {}", answer.text().await?);
    let text = answer.text().await?;
    let bad = text.lines().find(|l| !l.contains("\"status\":20"));
    anyhow::ensure!(bad.is_none(), "a command of the batch was refused: {bad:?}");
    Ok(())
}

pub(crate) async fn open_accounts(url: &str, accounts: usize) -> anyhow::Result<()> {
    let client = reqwest::Client::new();
    for from in (0..accounts).step_by(BATCH / 2) {
        let mut body = String::new();
        for n in from..accounts.min(from + BATCH / 2) {
            let line = format!(
                "{{\"type\":\"open_account\",\"key\":\"open-{n}\",\"account_id\":\"acct-{n:06}\",\"owner_id\":\"o\",\
                 \"currency\":\"USD\"}}\n{{\"type\":\"deposit\",\"key\":\"deposit-{n}\",\"account_id\":\"acct-{n:06}\",\
                 \"amount\":{{\"amount\":1000000000,\"currency\":\"USD\"}}}}\n"
            );
            body.push_str(&line);
        }
        post(&client, url, body).await?;
    }
    Ok(())
}

/// The body of a batch: transfers spread over all accounts, none twice.
pub(crate) fn transfers(run: usize, batch: usize, accounts: usize) -> String {
    let mut body = String::with_capacity(BATCH * 160);
    for n in batch * BATCH..(batch + 1) * BATCH {
        let from = n.wrapping_mul(48_271) % accounts;
        let to = (from + 1 + n % (accounts - 1)) % accounts;
        let line = format!(
            "{{\"type\":\"send_transfer\",\"key\":\"t{run}-{n}\",\"transfer_id\":\"t{run}-{n}\",\"from\":\"acct-{from:06}\",\
             \"to\":\"acct-{to:06}\",\"amount\":{{\"amount\":1,\"currency\":\"USD\"}}}}\n"
        );
        body.push_str(&line);
    }
    body
}

/// Transfers per second in batches of [`BATCH`], made before the clock starts.
async fn batches(url: &str, run: usize, batches: usize) -> anyhow::Result<f64> {
    let client = reqwest::Client::new();
    let bodies: Vec<String> = (0..batches).map(|batch| transfers(run, batch, BATCH_ACCOUNTS)).collect();
    let start = Instant::now();
    let mut on_their_way: Option<tokio::task::JoinHandle<anyhow::Result<()>>> = None;
    for body in bodies {
        let (client, url) = (client.clone(), url.to_owned());
        let next = tokio::spawn(async move { post(&client, &url, body).await });
        if let Some(before) = on_their_way.replace(next) {
            before.await??;
        }
    }
    if let Some(last) = on_their_way {
        last.await??;
    }
    Ok((BATCH * batches) as f64 / start.elapsed().as_secs_f64())
}
