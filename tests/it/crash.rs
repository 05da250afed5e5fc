//! The server is killed again and again, at moments that chance chooses, while commands come in and while it starts.
//! The client keeps its own list: nothing on it is lost, nothing is done twice, and what comes of it is what would have
//! come of it undisturbed.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::client::Client;
use crate::import::{check, figures, sample};
use crate::postgres::{Database, ask, database, rows};
use crate::random::{Random, times};
use crate::relay::Relay;
use crate::server::{PATIENCE, SEGMENT_BYTES, Server, bursar};
use crate::tools;
use crate::traffic::{Pieces, Traffic, balances};
use crate::witness::Witness;

/// How often each test kills a server that takes commands.
const KILLS: usize = 20;
/// How many commands an import sends at once.
const IMPORT_BATCH: usize = 1_000;
/// Several small batches are decided and written in this time.
const MOMENT_MAX: Duration = Duration::from_millis(8);
/// The columns that tell when something was recorded, and under which request.
const TIMES: &[&str] = &["recorded_at", "updated_at", "request_id"];

/// Limits under which the engine saves its state all the time, so that kills meet it while it does, and under which most
/// states are on disk only.
const TINY: &[&str] = &["--snapshot-events", "20", "--states-in-memory-max", "8"];

fn kills() -> usize {
    times("BURSAR_TEST_KILLS", KILLS)
}

/// One log and one database after another's servers.
struct Fated {
    data: PathBuf,
    database: Database,
    random: Random,
    /// None only between two lives.
    server: Option<Server>,
    start_took: Duration,
    killed_while_starting: usize,
    /// How many lives had tiny limits.
    lives_with_tiny_limits: usize,
}

impl Fated {
    fn start(folder: &Path, random: Random) -> Self {
        let (data, database) = (folder.join("log"), database());
        let began = Instant::now();
        let server = Server::start(&data, &database.url);
        Self {
            data,
            database,
            random,
            server: Some(server),
            start_took: began.elapsed(),
            killed_while_starting: 0,
            lives_with_tiny_limits: 0,
        }
    }

    /// The flags of the next life: tiny limits, or the usual ones.
    fn limits(&mut self) -> &'static [&'static str] {
        let tiny = self.random.below(2) == 0;
        self.lives_with_tiny_limits += usize::from(tiny);
        if tiny { TINY } else { &[] }
    }

    fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    /// Kills the server at any moment `within` some time, sometimes kills the next one before it answers, and starts another.
    async fn is_killed(&mut self, within: Duration) -> Client {
        self.random.moment(within).await;
        self.server.take().unwrap().kill();
        while self.random.below(3) == 0 {
            let mut program = bursar();
            program
                .args(["serve", "--listen", "127.0.0.1:0", "--segment-bytes", SEGMENT_BYTES, "--data"])
                .arg(&self.data);
            program.args(["--database-url", &self.database.url]).args(self.limits()).stderr(Stdio::null());
            let mut starting = program.spawn().unwrap();
            self.random.moment(self.start_took).await;
            starting.kill().unwrap();
            starting.wait().unwrap();
            self.killed_while_starting += 1;
        }
        let (began, limits) = (Instant::now(), self.limits());
        let server = self.server.insert(Server::start_with(&self.data, &self.database.url, limits));
        self.start_took = began.elapsed();
        server.client()
    }

    /// How many writes were found cut through at a start.
    fn torn(&self) -> usize {
        std::fs::read_dir(self.data.join("torn")).map_or(0, Iterator::count)
    }

    /// Asks for everything that was answered again, and lets the auditors' tool look at the log: one command for each
    /// on the list and not one more.
    async fn holds(mut self, witness: &Witness, last_position: u64) -> Self {
        assert_eq!(self.server().position().await, last_position);
        witness.asks_again(&self.server().client(), &mut self.random).await;
        assert_eq!(self.server().caught_up().await, last_position, "asking again appends nothing");
        let (code, report) = tools::ask(&self.data, &["verify"]);
        assert_eq!(code, Some(0), "{report:?}");
        let report = &report[0];
        assert_eq!((&report["verified"], &report["last_position"]), (&json!(true), &json!(last_position)));
        assert_eq!((&report["events"], &report["commands"]), (&json!(last_position), &json!(witness.heard())));
        assert_eq!(report["trial_balance"][0]["sum"], 0);
        self
    }
}

/// The import as a process.
fn import(base: &str) -> JoinHandle<Output> {
    let mut program = bursar();
    program.args(["import", "online-retail", "--url", base]).arg(sample());
    tokio::task::spawn_blocking(move || program.output().unwrap())
}

/// Waits for the end of an import that must succeed; gives its summary.
async fn imported(import: JoinHandle<Output>) -> String {
    let Output { status, stdout, stderr } = tokio::time::timeout(PATIENCE, import).await.unwrap().unwrap();
    let (said, failed) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    assert_eq!(status.code(), Some(0), "{said}{failed}");
    said
}

/// A number in the summary of an import.
fn summed_up(summary: &str, name: &str) -> usize {
    let line = summary.lines().find_map(|line| line.trim().strip_prefix(name)).unwrap();
    line.trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_through_crashes_ends_as_one_without() {
    let mut random = Random::seeded();
    let folder = tempfile::tempdir().unwrap();
    let undisturbed = Fated::start(&folder.path().join("undisturbed"), random.split());
    let summary = imported(import(&undisturbed.server().base)).await;
    let commands = summed_up(&summary, "commands accepted");
    let last_position = undisturbed.server().caught_up().await;
    let expected = timeless_rows(&undisturbed.database).await;
    drop(undisturbed);

    // The last fifth is left for what gets ahead of the test.
    let moments = random.spread(commands - commands / 5, kills());
    let mut fated = Fated::start(&folder.path().join("crashed"), random);
    let relay = Relay::to(fated.server().client()).await;
    let import = import(&relay.base);
    for moment in moments {
        relay.at_most(moment + 2 * IMPORT_BATCH);
        relay.witness.has_heard(moment).await;
        // At any time, or at the time when a batch is decided, written and answered.
        let within = if fated.random.below(2) == 0 { MOMENT_MAX } else { relay.next_batch().await };
        assert!(!import.is_finished(), "the import was over before the last kill");
        let client = fated.is_killed(within).await;
        relay.goes_to(client);
    }
    relay.at_most(usize::MAX);
    let summary = imported(import).await;
    assert_eq!(relay.witness.heard(), commands);
    assert_eq!(summed_up(&summary, "commands accepted") + summed_up(&summary, "commands replayed"), commands);
    assert_eq!(summed_up(&summary, "commands refused"), 0);

    let fated = fated.holds(&relay.witness, last_position).await;
    let found = timeless_rows(&fated.database).await;
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
    check(&fated.server().client(), &figures(), last_position).await;
    println!(
        "import: {} kills, {} more while starting, {} lives with tiny limits, {} torn writes; {commands} commands acknowledged, {} of them found \
         done, 0 lost, 0 doubled",
        kills(),
        fated.killed_while_starting,
        fated.lives_with_tiny_limits,
        fated.torn(),
        relay.witness.found_done(),
    );
}

/// Every row of the read models, but for what depends on the time of recording.
async fn timeless_rows(database: &Database) -> Vec<(String, Value)> {
    let mut rows = rows(&database.url, "bursar", TIMES).await;
    rows.retain(|(table, _)| table != "recorded_minutes");
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_was_answered_is_lost_or_doubled_by_crashes() {
    let mut random = Random::seeded();
    let folder = tempfile::tempdir().unwrap();
    let mut fated = Fated::start(folder.path(), random.split());
    let mut traffic = Traffic::start(fated.server().client(), 4, Pieces::Mixed, &mut random).await;
    for _ in 0..kills() {
        traffic.goes_on(random.index(400)).await;
        let client = fated.is_killed(MOMENT_MAX).await;
        traffic.goes_to(client);
    }
    traffic.goes_on(1).await;
    let witness = traffic.stop().await;
    let list = witness.list();
    let fated = fated.holds(&witness, witness.last_position()).await;

    let found = ask::<Value>(&fated.database.url, "SELECT jsonb_object_agg(account_id, balance) FROM bursar.accounts");
    assert_eq!(found.await, [json!(balances(&list))]);
    let refused = list.iter().filter(|kept| kept.told.code.is_some()).count();
    assert!(refused > 0, "there were refusals to remember");
    println!(
        "traffic: {} kills, {} more while starting, {} lives with tiny limits, {} torn writes; {} commands acknowledged ({refused} refused), \
         {} of them found done, 0 lost, 0 doubled",
        kills(),
        fated.killed_while_starting,
        fated.lives_with_tiny_limits,
        fated.torn(),
        list.len(),
        witness.found_done(),
    );
}
