//! The disk of the log is full: a small file system of its own, really full. Commands are refused in so many words,
//! reads and repeated commands are answered, and once there is room commands are accepted again by the same process.

mod small_disk;

use std::sync::Arc;
use std::time::Instant;

use reqwest::Method;
use serde_json::{Value, json};

use self::small_disk::SmallDisk;
use crate::client::Client;
use crate::postgres::{ask, database};
use crate::random::Random;
use crate::server::{PATIENCE, Server, within};
use crate::tools;
use crate::traffic::{Pieces, Traffic, balances};
use crate::witness::{Lines, Witness};

/// What is taken of it by others.
const BALLAST_BYTES: usize = 4 << 20;
/// What may be said of it in the meantime: what begins and ends, not every command.
const LOG_LINES_MAX: usize = 100;

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_and_passes() {
    let Some(disk) = SmallDisk::mount() else { return };
    let (database, mut random) = (database(), Random::seeded());
    let server = disk.server(&database.url);
    server.ready().await;
    disk.others_take(BALLAST_BYTES);
    let client = server.client();
    let traffic = Traffic::start(client.clone(), 3, Pieces::Mixed, &mut random).await;
    let witness = Arc::clone(&traffic.witness);

    let refused = refused_in_the_end(&client, &witness, "first").await;
    told_when_full(&client, &refused).await;
    assert_eq!(client.found("/v1/accounts/acct-0").await["account_id"], "acct-0");
    let remembered = witness.heard();
    witness.asks_again(&client, &mut random).await;
    not_ready(&server).await;
    let lines = server.output().lines().count();
    assert!(lines < LOG_LINES_MAX, "a full disk made the server write {lines} lines, onto a disk perhaps that is full");

    traffic.at_most(500);
    disk.others_give_back();
    done_now(&client, &witness, &refused).await;
    server.ready().await;
    let told = within(PATIENCE, async || server.output().contains("the log can grow again"));
    assert!(told.await, "{}", server.output());

    // Full once more, and killed in that state: a start needs no room.
    traffic.at_most(usize::MAX / 2);
    disk.others_take(BALLAST_BYTES);
    let refused = refused_in_the_end(&client, &witness, "second").await;
    server.kill();
    let server = disk.server(&database.url);
    let client = server.client();
    traffic.goes_to(client.clone());
    told_when_full(&client, &refused).await;
    witness.asks_again(&client, &mut random).await;
    traffic.at_most(0);
    disk.others_give_back();
    done_now(&client, &witness, &refused).await;

    let witness = traffic.stop().await;
    let last_position = server.caught_up().await;
    assert_eq!(last_position, witness.last_position());
    witness.asks_again(&client, &mut random).await;
    let (code, report) = tools::ask(&disk.seen().join("log"), &["verify"]);
    let report = &report[0];
    assert_eq!((code, &report["last_position"]), (Some(0), &json!(last_position)), "{report}");
    assert_eq!(report["commands"], json!(witness.heard()), "what was refused for want of room left nothing behind");
    let found: Vec<Value> =
        ask(&database.url, "SELECT jsonb_object_agg(account_id, balance) FROM bursar.accounts").await;
    assert_eq!(found, [json!(balances(&witness.list()))]);
    println!(
        "disk full twice: {remembered} commands answered before the first time, {} in all; 0 lost, 0 half done",
        witness.heard()
    );
}

fn deposit(key: &str) -> Value {
    json!({"type": "deposit", "key": key, "account_id": "acct-0", "amount": {"amount": 5, "currency": "GBP"}})
}

/// Sends commands until one is not taken; gives that one.
async fn refused_in_the_end(client: &Client, witness: &Witness, when: &str) -> Value {
    let started = Instant::now();
    for number in 0.. {
        let command = deposit(&format!("{when}-{number}"));
        if !witness.single(client, &command).await {
            return command;
        }
        assert!(started.elapsed() < PATIENCE, "the disk was never full: {:?}", client.get("/health/ready").await);
    }
    unreachable!("numbers do not end")
}

/// The refusal of a command, of every line of a batch, and of an atomic batch as a whole.
async fn told_when_full(client: &Client, command: &Value) {
    let is_told = |problem: &Value| {
        assert_eq!((&problem["code"], &problem["retryable"]), (&json!("disk_full"), &json!(true)), "{problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("the disk that holds the log is full"), "{detail}");
        assert!(detail.contains("No space left on device"), "{detail}");
    };
    let body = json!({"amount": command["amount"]});
    let key = command["key"].as_str().unwrap();
    let request =
        client.request(Method::POST, "/v1/accounts/acct-0/deposits").header("idempotency-key", key).json(&body);
    let answer = request.send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["retry-after"].as_bytes()), (503, &b"30"[..]));
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    is_told(&answer.json().await.unwrap());

    let batch: String = (0..3).map(|number| format!("{}\n", deposit(&format!("{key}-batch-{number}")))).collect();
    let send = async |mode: &str| {
        let request = client.request(Method::POST, &format!("/v1/commands?mode={mode}"));
        request.header("content-type", "application/x-ndjson").body(batch.clone()).send().await.unwrap()
    };
    let answer = send("independent").await;
    assert_eq!(answer.status(), 200);
    let lines = Lines::default().push(&answer.bytes().await.unwrap());
    assert_eq!(lines.iter().map(|line| &line["status"]).collect::<Vec<_>>(), [503, 503, 503]);
    lines.iter().for_each(|line| is_told(&line["problem"]));
    let answer = send("atomic").await;
    assert_eq!((answer.status().as_u16(), answer.headers()["retry-after"].as_bytes()), (503, &b"30"[..]));
    assert!(answer.text().await.unwrap().contains("No space left on device"));
}

/// Health tells which part is not ready and why; the process itself is well, and says so in its log.
async fn not_ready(server: &Server) {
    let client = server.client();
    let (status, readiness) = client.get("/health/ready").await;
    assert_eq!((status, &readiness["log"]["ok"], &readiness["views"]["ok"]), (503, &json!(false), &json!(true)));
    assert!(readiness["log"]["reason"].as_str().unwrap().contains("No space left on device"), "{readiness}");
    assert_eq!(client.get("/health/live").await.0, 200);
    let told = within(PATIENCE, async || server.output().contains("the log cannot grow; commands will be refused"));
    assert!(told.await, "{}", server.output());
}

/// There is room: the command that was refused is taken, and its key had not been used up.
async fn done_now(client: &Client, witness: &Witness, command: &Value) {
    let found_done = witness.found_done();
    let done = within(PATIENCE, async || witness.single(client, command).await);
    assert!(done.await, "commands are still refused: {:?}", client.get("/health/ready").await);
    assert!(witness.single(client, command).await);
    assert_eq!(witness.found_done(), found_done, "{command} was refused and had been done all the same");
}
