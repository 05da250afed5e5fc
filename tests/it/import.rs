//! The sample of real sales, imported over HTTP by the real program, against figures that were worked out from the CSV
//! alone by a program that shares nothing with Bursar.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::client::Client;
use crate::postgres::database;
use crate::server::{PATIENCE, Server, bursar, within};
use crate::tools::ask;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn sample() -> PathBuf {
    root().join("tests/data/online_retail_10k.csv")
}

/// What the independent program says.
pub(crate) fn figures() -> Value {
    let script = root().join("tests/independent/online_retail_figures.py");
    let output = Command::new("python3").arg(script).arg(sample()).arg("--check").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Imports the sample; gives the rows of the summary.
pub(crate) async fn import(server: &Server) -> BTreeMap<String, String> {
    let mut program = bursar();
    program.args(["import", "online-retail", "--url", &server.base]).arg(sample());
    let output = tokio::task::spawn_blocking(move || program.output().unwrap()).await.unwrap();
    let (said, failed) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(0), "{said}{failed}");
    assert_eq!(failed, "", "nothing is drawn where there is no terminal");
    let row = |line: &str| line.trim().split_once("  ").map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
    said.lines().filter_map(row).collect()
}

/// All rows of a list, over all its pages, by the text under `key`.
async fn listed(client: &Client, path: &str, key: &str) -> BTreeMap<String, Value> {
    let mut rows = BTreeMap::new();
    let mut page = client.found(path).await;
    loop {
        for row in page["items"].as_array().unwrap() {
            let name = row[key].as_str().unwrap().to_owned();
            assert!(rows.insert(name, row.clone()).is_none(), "{row} is listed twice");
        }
        let Some(cursor) = page["next_cursor"].as_str() else { return rows };
        page = client.found(&format!("{path}&cursor={cursor}")).await;
    }
}

/// Sales by day, product or customer: sold, returned and net goods in pence.
async fn sales(client: &Client, by: &str) -> BTreeMap<String, [i64; 3]> {
    let rows = listed(client, &format!("/v1/analytics/sales?by={by}&limit=1000"), "key").await;
    let goods = |row: &Value, of: &str| row[of]["goods"]["amount"].as_i64().unwrap();
    rows.into_iter().map(|(key, row)| (key, ["sold", "returned", "net"].map(|of| goods(&row, of)))).collect()
}

/// The same from the independent figures. Credit notes are no sales: they are in the accounts alone.
fn expected_sales(figures: &Value, by: &str) -> BTreeMap<String, [i64; 3]> {
    let rows = figures[format!("sales_by_{by}")].as_object().unwrap();
    let pence = |row: &Value, of: &str| row[of].as_i64().unwrap();
    let sums = rows.iter().map(|(key, row)| {
        let (sold, returned) = (pence(row, "gross_pence"), pence(row, "returned_pence"));
        // What an identifier cannot have becomes `_`.
        (key.replace(' ', "_"), [sold, returned, sold - returned])
    });
    sums.filter(|(_, [sold, ..])| *sold > 0).collect()
}

/// Compares everything that the queries show with the independent figures.
pub(crate) async fn check(client: &Client, figures: &Value, position: u64) {
    let merchant = client.found(&format!("/v1/accounts/acct-merchant?min_position={position}&wait_ms=30000")).await;
    assert_eq!(merchant["balance"], json!({"amount": 18_065_925, "currency": "GBP"}));

    for by in ["day", "product", "customer"] {
        assert_eq!(sales(client, by).await, expected_sales(figures, by), "sales by {by}");
    }

    let books = client.found("/v1/ledger/trial-balance").await;
    let pounds = &books["currencies"][0];
    assert_eq!((&pounds["currency"], &pounds["balance"]["amount"]), (&json!("GBP"), &json!(0)));
    let class = |name: &str| {
        let classes = pounds["classes"].as_array().unwrap();
        classes.iter().find(|class| class["class"] == name).unwrap()["balance"]["amount"].clone()
    };
    let gross = figures["totals"]["gross_pence"].as_i64().unwrap();
    assert_eq!((class("accounts"), class("external"), class("clearing")), (json!(gross), json!(-gross), json!(0)));

    let accounts = listed(client, "/v1/accounts?limit=1000", "account_id").await;
    let mut balances: BTreeMap<_, _> =
        accounts.into_iter().map(|(id, account)| (id, account["balance"]["amount"].as_i64().unwrap())).collect();
    assert_eq!(balances.remove("acct-merchant"), Some(18_065_925));
    let expected = figures["customer_account_balances_pence"].as_object().unwrap();
    let expected: BTreeMap<_, _> = expected.iter().map(|(id, pence)| (id.clone(), pence.as_i64().unwrap())).collect();
    assert_eq!(balances, expected, "every customer's account holds what was given back");

    let orders = listed(client, "/v1/orders?limit=1000", "order_id").await;
    assert_eq!(json!(orders.len()), figures["counts"]["orders"]);
}

/// Where the log of a server is.
async fn position(client: &Client) -> u64 {
    client.get("/health/ready").await.1["log"]["position"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sample_comes_to_the_figures_of_its_lines_and_a_second_import_changes_nothing() {
    let (folder, database) = (tempfile::tempdir().unwrap(), database());
    let data = folder.path().join("log");
    let server = Server::start(&data, &database.url);
    let client = server.client();
    let figures = figures();

    let summary = import(&server).await;
    let told = |name: &str| summary[name].as_str();
    let accepted: u64 = told("commands accepted").parse().unwrap();
    assert_eq!((told("commands refused"), told("commands replayed"), told("lines not mapped")), ("0", "0", "0"));
    for (name, count) in [
        ("orders", "orders"),
        ("customers", "customer_accounts"),
        ("returns", "returns"),
        ("credit notes", "credit_notes"),
    ] {
        assert_eq!(told(name), figures["counts"][count].to_string(), "{name}");
    }
    assert_eq!((told("gross sales"), told("given back")), ("184239.83 GBP", "3580.58 GBP"));
    assert_eq!((told("net sales"), told("acct-merchant holds")), ("180659.25 GBP", "180659.25 GBP"));
    let end = position(&client).await;
    check(&client, &figures, end).await;

    let summary = import(&server).await;
    let told = |name: &str| summary[name].as_str();
    assert_eq!((told("commands accepted"), told("commands refused")), ("0", "0"));
    assert_eq!(told("commands replayed"), accepted.to_string());
    assert_eq!(position(&client).await, end, "nothing was appended");
    check(&client, &figures, end).await;

    assert_eq!(server.terminate().code(), Some(0));
    let (code, report) = ask(&data, &["verify"]);
    assert_eq!((code, &report[0]["last_position"]), (Some(0), &json!(end)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_goes_on_when_the_server_is_killed_and_started_again_and_comes_to_the_same() {
    let (folder, database) = (tempfile::tempdir().unwrap(), database());
    let data = folder.path().join("log");
    let server = Server::start(&data, &database.url);
    let address = server.base.strip_prefix("http://").unwrap().to_owned();
    let mut program = bursar();
    program.args(["import", "online-retail", "--url", &server.base]).arg(sample());
    let importing = tokio::task::spawn_blocking(move || program.output().unwrap());
    let client = server.client();
    assert!(within(PATIENCE, async || position(&client).await > 5_000).await);
    server.kill();

    let server = Server::start_with(&data, &database.url, &["--listen", &address]);
    let output = importing.await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    let client = server.client();
    let end = position(&client).await;
    check(&client, &figures(), end).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_import_could_not_do_is_listed_and_told_by_its_exit_code() {
    let (folder, database) = (tempfile::tempdir().unwrap(), database());
    let server = Server::start(&folder.path().join("log"), &database.url);
    let product = json!({
        "product_id": "A", "name": "theirs", "unit_price": {"amount": 100, "currency": "GBP"}, "tax_rate_bps": 0
    });
    server.client().accepted("/v1/products", "theirs", &product).await;
    let file = folder.path().join("sales.csv");
    let lines = [
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country",
        "1,A,ours,2,2010-12-01T08:26:00,1.00,7,United Kingdom",
        "2,A,ours,some,2010-12-01T08:26:00,1.00,7,United Kingdom",
    ];
    std::fs::write(&file, lines.join("\n")).unwrap();

    let mut program = bursar();
    program.args(["import", "online-retail", "--url", &server.base]).arg(&file);
    let output = tokio::task::spawn_blocking(move || program.output().unwrap()).await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    let refused = "line 2: create_product (online-retail:product:A) was refused: product_exists: ";
    assert!(said.lines().any(|line| line.starts_with(refused)), "{said}");
    assert!(said.contains("line 3: Quantity \"some\" is not a whole number"), "{said}");
    // The rest went on: the product that was there already was sold.
    let account = server.client().found("/v1/accounts/acct-merchant").await;
    assert_eq!(account["balance"], json!({"amount": 200, "currency": "GBP"}));
}

#[test]
fn an_import_that_finds_no_server_says_what_to_do() {
    let mut program = bursar();
    let output =
        program.args(["import", "online-retail", "--url", "http://127.0.0.1:9"]).arg(sample()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said.contains("gave no answer") && said.contains("Start the server, or give its address with --url"),
        "{said}"
    );
}
