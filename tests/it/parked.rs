//! A stream of which an event cannot be applied: the server works on and warns, and the tool has it tried again.

use serde_json::{Value, json};

use crate::postgres::{database, execute};
use crate::server::{PATIENCE, Server, within};
use crate::tools::asked;

#[tokio::test]
async fn a_parked_stream_is_a_warning_until_it_is_retried_and_the_others_go_on() {
    let (folder, database) = (tempfile::tempdir().unwrap(), database());
    let server = Server::start(&folder.path().join("log"), &database.url);
    let client = server.client();
    let pounds = |amount: i64| json!({"amount": {"amount": amount, "currency": "GBP"}});
    for account in ["a", "b"] {
        let body = json!({"account_id": account, "owner_id": "o", "currency": "GBP"});
        client.accepted("/v1/accounts", &format!("open-{account}"), &body).await;
    }
    server.caught_up().await;
    execute(&database.url, "CREATE TABLE kept AS SELECT * FROM bursar.accounts WHERE account_id = 'a'").await;
    execute(&database.url, "DELETE FROM bursar.accounts WHERE account_id = 'a'").await;
    for (key, account, amount) in [("one", "a", 5), ("two", "b", 7), ("three", "a", 11)] {
        client.accepted(&format!("/v1/accounts/{account}/deposits"), key, &pounds(amount)).await;
    }
    assert_eq!(server.caught_up().await, 5);
    assert_eq!(client.found("/v1/accounts/b").await["balance"]["amount"], 7);
    let (status, readiness) = client.get("/health/ready").await;
    let warning = &readiness["warnings"][0];
    assert_eq!((status, &warning["code"], &warning["streams"]), (200, &json!("streams_parked"), &json!(1)));

    let url = ["--database-url", &database.url];
    let tool = |question: &[&str]| asked(&[&["parked"], question, &url].concat());
    let (code, listed) = tool(&["list"]);
    assert_eq!(code, Some(0));
    let shown = |name: &str| listed.iter().map(|line| line[name].clone()).collect::<Vec<Value>>();
    assert_eq!(
        (shown("stream"), shown("position"), shown("waiting")),
        (vec![json!("account-a")], vec![json!(3)], vec![json!(2)])
    );
    let (code, tried) = tool(&["retry", "account-a"]);
    assert_eq!((code, &tried[0]["parked"], &tried[0]["applied"]), (Some(1), &json!(true), &json!(0)));
    assert_eq!(tool(&["release", "account-a", "--event", "5", "--reason", "a guess"]).0, Some(4));
    execute(&database.url, "INSERT INTO bursar.accounts SELECT * FROM kept").await;
    let (code, tried) = tool(&["retry", "account-a"]);
    assert_eq!((code, &tried[0]["parked"], &tried[0]["applied"]), (Some(0), &json!(false), &json!(2)));
    assert_eq!(client.found("/v1/accounts/a").await["balance"]["amount"], 16);
    assert!(within(PATIENCE, async || client.get("/health/ready").await.1.get("warnings").is_none()).await);
    client.accepted("/v1/accounts/a/deposits", "four", &pounds(1)).await;
    server.caught_up().await;
    assert_eq!(client.found("/v1/accounts/a").await["balance"]["amount"], 17);
    assert_eq!(server.terminate().code(), Some(0));
}
