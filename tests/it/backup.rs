//! A log is backed up while commands come in, restored, and a server goes on from it: everything that was acknowledged
//! up to the place of the cut is there, and answered as it was.

use std::path::Path;

use serde_json::{Value, json};

use crate::postgres::{ask, database};
use crate::random::Random;
use crate::server::Server;
use crate::tools;
use crate::traffic::{Pieces, Traffic, balances};
use crate::witness::{Kept, Witness};

/// How many commands are asked for again at once.
const AGAIN_COMMANDS: usize = 1_000;

/// Starts a server on a restored log and compares it with what was acknowledged up to its last position.
async fn goes_on(data: &Path, last_position: u64, witness: &Witness) {
    let database = database();
    let server = Server::start(data, &database.url);
    assert_eq!(server.caught_up().await, last_position);
    let client = server.client();
    let list: Vec<Kept> = witness.list().into_iter().filter(|kept| kept.told.position <= last_position).collect();
    assert!(!list.is_empty());
    let found = ask::<Value>(&database.url, "SELECT jsonb_object_agg(account_id, balance) FROM bursar.accounts");
    assert_eq!(found.await, [json!(balances(&list))]);
    let books = client.found("/v1/ledger/trial-balance").await;
    assert_eq!(books["currencies"][0]["balance"]["amount"], 0, "{books}");
    // Asked again, each is answered as it was before, and nothing is done.
    for kept in list.chunks(AGAIN_COMMANDS) {
        let commands: Vec<Value> = kept.iter().map(|kept| kept.command.clone()).collect();
        assert!(witness.batch(&client, "independent", &commands).await);
    }
    assert_eq!(server.caught_up().await, last_position, "asking again appends nothing");

    let amount = json!({"amount": {"amount": 700, "currency": "GBP"}});
    let done = client.accepted("/v1/accounts/acct-0/deposits", "after-the-restore", &amount).await;
    assert_eq!(done["position"], last_position + 1);
    assert_eq!(server.caught_up().await, last_position + 1);
    assert_eq!(server.terminate().code(), Some(0));
    let (code, report) = tools::ask(data, &["verify"]);
    assert_eq!((code, &report[0]["last_position"]), (Some(0), &json!(last_position + 1)), "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_backed_up_under_load_is_restored_and_gone_on_with() {
    let mut random = Random::seeded();
    let (folder, database) = (tempfile::tempdir().unwrap(), database());
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (data, backup) = (folder.path().join("log"), path("backups/log"));
    let server = Server::start(&data, &database.url);
    let mut traffic = Traffic::start(server.client(), 4, Pieces::Mixed, &mut random).await;
    let mut positions = Vec::new();
    for _ in 0..4 {
        traffic.goes_on(600).await;
        let durable = server.position().await;
        let (code, report) = tools::ask(&data, &["backup", "--to", &backup, "--acknowledged", &durable.to_string()]);
        assert_eq!(code, Some(0), "{report:?}");
        let last = report[0]["last_position"].as_u64().unwrap();
        assert!(last >= durable, "{last}, {durable} were acknowledged");
        positions.push(last);
        let (code, report) = tools::asked(&["check-backup", &backup]);
        assert_eq!((code, &report[0]["last_position"]), (Some(0), &json!(last)), "{report:?}");
        // What was backed up was acknowledged by then: the server has it for good.
        assert!(server.position().await >= last);
    }
    assert!(positions.is_sorted() && positions[0] < positions[3], "{positions:?}");
    let witness = traffic.stop().await;
    assert_eq!(server.terminate().code(), Some(0));
    let (code, report) = tools::ask(&data, &["backup", "--to", &backup]);
    let whole = report[0]["last_position"].as_u64().unwrap();
    assert_eq!((code, whole), (Some(0), witness.last_position()), "{report:?}");
    assert_eq!(tools::ask(Path::new(&backup), &["verify"]).1[0]["last_position"], whole);

    let (code, report) = tools::asked(&["restore", "--from", &backup, "--into", &path("whole")]);
    assert_eq!((code, &report[0]["last_position"]), (Some(0), &json!(whole)), "{report:?}");
    goes_on(Path::new(&path("whole")), whole, &witness).await;

    // Somewhere between the first backup and the last.
    let position = positions[0] + random.below(whole - positions[0]);
    let at = position.to_string();
    let (code, report) = tools::asked(&["restore", "--from", &backup, "--into", &path("part"), "--position", &at]);
    let last = report[0]["last_position"].as_u64().unwrap();
    assert!(code == Some(0) && last <= position, "{report:?}");
    let split = &report[0]["not_split"];
    assert_eq!(last < position, split.is_object(), "{report:?}");
    assert!(split.is_null() || split["first_position"] == last + 1, "{report:?}");
    goes_on(Path::new(&path("part")), last, &witness).await;

    // The restored log went another way than the backup; the original did not.
    assert_eq!(tools::said(Path::new(&path("part")), &["backup", "--to", &backup]).0, Some(4));
    assert_eq!(tools::ask(&data, &["backup", "--to", &backup]).0, Some(0));
    println!("backups at {positions:?} under load and at {whole} after it; restored whole and to {last} of {position}");
}
