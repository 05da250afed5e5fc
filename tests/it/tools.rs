//! `replay-tool` on the log of a server that runs, and after a crash.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::postgres::database;
use crate::server::Server;

/// Built with the workspace, beside the server.
fn replay_tool() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_bursar")).with_file_name("replay-tool");
    assert!(program.exists(), "{} is not there; build it first: cargo build -p replay-tool", program.display());
    program
}

/// Asks the tool; gives its exit code and, line by line, what it answered.
pub(crate) fn ask(data: &Path, question: &[&str]) -> (Option<i32>, Vec<Value>) {
    let mut program = Command::new(replay_tool());
    let asked = program.args(question).args(["--format", "json", "--data"]).arg(data).output();
    let Output { status, stdout, .. } = asked.unwrap();
    let lines = String::from_utf8(stdout).unwrap();
    (status.code(), lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// Asks the tool something that is not about the folder of a log; gives its exit code and its answer.
pub(crate) fn asked(question: &[&str]) -> (Option<i32>, Vec<Value>) {
    let Output { status, stdout, .. } =
        Command::new(replay_tool()).args(question).args(["--format", "json"]).output().unwrap();
    let lines = String::from_utf8(stdout).unwrap();
    (status.code(), lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// Asks the tool; gives its exit code and what it said where it has no answer.
pub(crate) fn said(data: &Path, question: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } =
        Command::new(replay_tool()).args(question).arg("--data").arg(data).output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[tokio::test]
async fn an_auditor_sees_what_happened_while_the_server_runs_and_after_it_was_killed() {
    let (folder, database) = (tempfile::tempdir().unwrap(), database());
    let data = folder.path().join("log");
    let server = Server::start(&data, &database.url);
    let client = server.client();
    let money = |amount: i64| json!({"amount": amount, "currency": "GBP"});
    for account in ["a", "b"] {
        let body = json!({"account_id": account, "owner_id": "o", "currency": "GBP"});
        client.accepted("/v1/accounts", &format!("open-{account}"), &body).await;
    }
    client.accepted("/v1/accounts/a/deposits", "fund", &json!({"amount": money(1000), "reference": "bank"})).await;
    let too_much = json!({"transfer_id": "t0", "from": "a", "to": "b", "amount": money(5000)});
    let (status, refused) = client.post("/v1/transfers", "too-much", &too_much).await;
    assert_eq!((status, &refused["code"]), (422, &json!("insufficient_funds")));
    let transfer = json!({"transfer_id": "t1", "from": "a", "to": "b", "amount": money(250)});
    let sent = client.accepted("/v1/transfers", "transfer", &transfer).await;
    assert_eq!(sent["position"], 6);

    let (code, report) = ask(&data, &["verify"]);
    assert_eq!((code, &report[0]["verified"], &report[0]["events"]), (Some(0), &json!(true), &json!(6)));
    let (code, rows) = ask(&data, &["history", "account-a"]);
    let told: Vec<_> =
        rows.iter().map(|row| (row["type"].as_str().unwrap(), row["idempotency_key"].as_str().unwrap())).collect();
    let expected = [
        ("account_opened", "open-a"),
        ("funds_deposited", "fund"),
        ("command_rejected", "too-much"),
        ("transfer_sent", "transfer"),
    ];
    assert_eq!((code, &told[..]), (Some(0), &expected[..]));
    assert_eq!(rows[2]["data"]["rejection"]["requested"], money(5000));
    let balance = |at: &str| ask(&data, &["as-of", "account-a", "--at", at]).1[0]["state"]["balance"].clone();
    assert_eq!((balance("2"), balance("3"), balance("6")), (money(0), money(1000), money(750)));

    server.kill();
    let (code, report) = ask(&data, &["verify"]);
    assert_eq!((code, &report[0]["events"]), (Some(0), &json!(6)));
    let books = json!([{"currency": "GBP", "accounts": 1000, "external_cash": -1000, "clearing": 0, "sum": 0}]);
    assert_eq!(report[0]["trial_balance"], books);
}
