//! The programs of docs/consumers.md, as they stand there, against a real server that has imported the sample of sales.
//! What needs a package gets it into a folder of its own; where that cannot be had, the test says so and ends.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use reqwest::Method;
use serde_json::Value;
use tempfile::TempDir;

use crate::broker::{brokers, new_topic};
use crate::client::Client;
use crate::import::import;
use crate::postgres::{Database, database};
use crate::scene::sent;
use crate::server::{PATIENCE, Server, within};

/// Amounts by day and currency.
type Days = BTreeMap<(String, String), i64>;

struct Shop {
    server: Server,
    client: Client,
    _database: Database,
    folder: TempDir,
}

impl Shop {
    async fn with(flags: &[&str]) -> Self {
        let (folder, database) = (tempfile::tempdir().unwrap(), database());
        let server = Server::start_with(&folder.path().join("log"), &database.url, flags);
        server.ready().await;
        import(&server).await;
        server.caught_up().await;
        let client = server.client();
        Self { server, client, _database: database, folder }
    }

    /// What the API says was earned.
    async fn earned(&self) -> Days {
        let page = self.client.found("/v1/analytics/sales?by=day&limit=1000").await;
        assert_eq!(page["next_cursor"], Value::Null);
        let days = page["items"].as_array().unwrap().iter().map(|row| {
            let amounts = ["goods", "tax", "shipping"].map(|part| row["net"][part]["amount"].as_i64().unwrap());
            let text = |name: &str| row[name].as_str().unwrap().to_owned();
            ((text("key"), text("currency")), amounts.iter().sum())
        });
        let days: Days = days.collect();
        assert!(!days.is_empty() && days.values().any(|amount| *amount != 0), "{days:?}");
        days
    }
}

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/consumers").join(name)
}

async fn run(mut program: Command) -> String {
    let Output { status, stdout, stderr } =
        tokio::task::spawn_blocking(move || program.output().unwrap()).await.unwrap();
    assert!(status.success(), "{status}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

/// A Python with a package from PyPI; none where it cannot be had.
async fn python_with(package: &str, folder: &Path) -> Option<PathBuf> {
    let (environment, package) = (folder.join("python"), package.to_owned());
    let made = tokio::task::spawn_blocking(move || {
        let succeeds = |command: &mut Command| command.output().is_ok_and(|output| output.status.success());
        let python = environment.join("bin/python3");
        let is_made = succeeds(Command::new("python3").args(["-m", "venv"]).arg(&environment))
            && succeeds(Command::new(&python).args(["-m", "pip", "install", "--quiet", &package]));
        if !is_made {
            println!("skipped: {package} cannot be installed here");
        }
        is_made.then_some(python)
    });
    made.await.unwrap()
}

fn days(printed: &str) -> Days {
    let rows = printed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    rows.map(|row| ((text(&row, "day"), text(&row, "currency")), row["amount"].as_i64().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn daily_revenue_out_of_events_over_http_is_what_the_api_says() {
    let shop = Shop::with(&[]).await;
    let mut python = Command::new("python3");
    python.arg(example("revenue.py")).args(["http", &shop.server.base]);
    assert_eq!(days(&run(python).await), shop.earned().await);

    // The same in SQL, over a file of the pages.
    let mut file = std::fs::File::create(shop.folder.path().join("events.ndjson")).unwrap();
    let mut next = Some("/v1/events?limit=10000".to_owned());
    while let Some(path) = next {
        let page = sent(shop.client.request(Method::GET, &path)).await;
        file.write_all(&page.body).unwrap();
        next = page.header("link").map(|link| link[1..link.find('>').unwrap()].to_owned());
    }
    let Some(python) = python_with("duckdb", shop.folder.path()).await else { return };
    let mut duckdb = Command::new(python);
    let ask = "import duckdb, json, sys\n\
               for day, currency, amount in duckdb.execute(open(sys.argv[1]).read()).fetchall():\n\
               \x20   print(json.dumps({'day': day, 'currency': currency, 'amount': amount}))";
    duckdb.args(["-c", ask]).arg(example("revenue.sql")).current_dir(shop.folder.path());
    assert_eq!(days(&run(duckdb).await), shop.earned().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn following_in_node_gives_every_event_once_in_order() {
    let shop = Shop::with(&[]).await;
    let last = shop.server.position().await;
    let mut node = Command::new("node");
    if node.arg("--version").output().is_err() {
        println!("skipped: node is not installed");
        return;
    }
    let mut node = Command::new("node");
    node.arg(example("follow.mjs")).args([&shop.server.base, &format!("to={last}")]);
    let printed = run(node).await;
    let positions: Vec<u64> = printed.lines().map(|line| line.split(' ').next().unwrap().parse().unwrap()).collect();
    assert_eq!(positions, (1..=last).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn daily_revenue_out_of_kafka_is_what_the_api_says() {
    let (brokers, topic) = (brokers().to_owned(), new_topic());
    let flags = ["--kafka-brokers", &brokers, "--kafka-topic", &topic, "--kafka-partitions", "3"];
    let shop = Shop::with(&flags).await;
    let sent = async || shop.client.get("/health/ready").await.1["kafka"]["lag_events"] == 0;
    assert!(within(PATIENCE, sent).await, "{:?}", shop.client.get("/health/ready").await);
    let Some(python) = python_with("confluent-kafka", shop.folder.path()).await else { return };
    let mut reader = Command::new(python);
    reader.arg(example("revenue.py")).args(["kafka", &brokers, &topic]);
    assert_eq!(days(&run(reader).await), shop.earned().await);

    let mut kcat = Command::new("kcat");
    kcat.args(["-C", "-e", "-q", "-b", &brokers, "-t", &topic, "-o", "beginning", "-f", "%k\\n"]);
    let Ok(_) = Command::new("kcat").arg("-V").output() else {
        println!("skipped: kcat is not installed");
        return;
    };
    // Watermarks have no key.
    let events = run(kcat).await.lines().filter(|key| !key.is_empty()).count() as u64;
    assert_eq!(events, shop.server.position().await);
}
