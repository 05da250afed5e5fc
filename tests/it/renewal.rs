//! `replay-tool rebuild` beside a running server.

use serde_json::{Value, json};

use crate::postgres::{database, execute, rows};
use crate::random::Random;
use crate::server::Server;
use crate::tools::ask;
use crate::traffic::{Pieces, Traffic};

#[tokio::test(flavor = "multi_thread")]
async fn read_models_are_rebuilt_under_a_server_that_takes_commands_and_answers_queries() {
    let mut random = Random::seeded();
    let (folder, database) = (tempfile::tempdir().unwrap(), database());
    let data = folder.path().join("log");
    let server = Server::start(&data, &database.url);
    let mut traffic = Traffic::start(server.client(), 2, Pieces::Mixed, &mut random).await;
    traffic.goes_on(500).await;
    traffic.stop().await;
    server.caught_up().await;
    let client = server.client();
    let body = json!({"account_id": "busy", "owner_id": "o", "currency": "GBP"});
    client.accepted("/v1/accounts", "open-busy", &body).await;
    let tool = |more: &'static [&'static str]| {
        let (data, url) = (data.clone(), database.url.clone());
        tokio::task::spawn_blocking(move || ask(&data, &[&["rebuild", "--database-url", &url], more].concat()))
    };
    // Commands and queries go on while the tool is at work.
    let rebuilding = tool(&[]);
    let mut deposits = 0;
    while !rebuilding.is_finished() {
        deposits += 1;
        let body = json!({"amount": {"amount": 1, "currency": "GBP"}});
        let done = client.accepted("/v1/accounts/busy/deposits", &format!("busy-{deposits}"), &body).await;
        let account = client.found(&format!("/v1/accounts/busy?wait_ms=30000&min_position={}", done["position"])).await;
        assert_eq!(account["balance"]["amount"], deposits, "a stale answer");
    }
    let (code, report) = rebuilding.await.unwrap();
    assert_eq!(
        (code, &report[0]["switched"], &report[0]["differing"]),
        (Some(0), &json!(true), &json!(0)),
        "{report:?}"
    );
    server.caught_up().await;
    let found = server.client().found("/v1/projections").await["items"][0].clone();
    assert_eq!((&found["build"], &found["state"]), (&json!(2), &json!("running")));
    let whole = rows(&database.url, "bursar", &[]).await;

    // Damage in the live rows is told, and put right when that is asked for.
    execute(&database.url, "UPDATE bursar.accounts SET balance = balance + 1").await;
    let (code, report) = tool(&[]).await.unwrap();
    assert_eq!((code, &report[0]["switched"]), (Some(1), &json!(false)));
    assert!(report[0]["differing"].as_i64() > Some(0) && report[0]["differences"][0]["live"] != Value::Null);
    let (code, report) = tool(&["--accept-differences"]).await.unwrap();
    assert_eq!((code, &report[0]["switched"], &report[0]["build"]), (Some(0), &json!(true), &json!(3)));
    assert!(rows(&database.url, "bursar", &[]).await == whole, "the rows are not what they were");
    assert_eq!(server.terminate().code(), Some(0));
}
