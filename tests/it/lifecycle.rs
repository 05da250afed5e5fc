//! Starting and stopping: what the server says when it cannot start, and what a stop leaves behind.

use std::process::Output;

use event_store::log::verify::verify;
use serde_json::json;

use crate::postgres::{NOWHERE, database};
use crate::server::{Server, bursar};

/// Starts a server that cannot start; gives its exit code and what it said.
pub(crate) fn refused(flags: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = bursar().arg("serve").args(flags).output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[tokio::test]
async fn a_stop_closes_the_log_and_exits_with_zero() {
    let (folder, database) = (tempfile::tempdir().unwrap(), database());
    let data = folder.path().join("log");
    let server = Server::start(&data, &database.url);
    server.ready().await;
    let body = json!({"account_id": "a", "owner_id": "o", "currency": "GBP"});
    let opened = server.client().accepted("/v1/accounts", "k1", &body).await;
    assert_eq!(opened["position"], 1);
    assert_eq!(server.terminate().code(), Some(0));
    let verified = verify(&data, |_| {}).unwrap();
    assert_eq!((verified.events, verified.torn), (1, None));

    let server = Server::start(&data, &database.url);
    let again = server.client().accepted("/v1/accounts", "k1", &body).await;
    assert_eq!((&again["position"], &again["replayed"]), (&json!(1), &json!(true)));
    server.signal("INT");
    assert_eq!(server.terminate().code(), Some(0));
}

#[test]
fn a_second_server_is_told_who_has_the_log_and_who_has_the_port() {
    let (folder, database) = (tempfile::tempdir().unwrap(), database());
    let data = folder.path().join("log");
    let server = Server::start(&data, &database.url);
    let (data, elsewhere) = (data.to_str().unwrap(), folder.path().join("other"));
    let (code, said) = refused(&["--data", data, "--listen", "127.0.0.1:0", "--database-url", &database.url]);
    assert_eq!(code, Some(1));
    assert!(said.contains("is in use by process"), "{said}");

    let taken = server.base.strip_prefix("http://").unwrap();
    let elsewhere = elsewhere.to_str().unwrap();
    let (code, said) = refused(&["--data", elsewhere, "--listen", taken, "--database-url", &database.url]);
    assert_eq!(code, Some(1));
    assert!(
        said.contains(&format!("{taken} is in use by another program. Stop that program, or choose another port")),
        "{said}"
    );
}

#[test]
fn nobody_is_let_in_from_other_machines_by_accident() {
    let (code, said) = refused(&["--listen", "0.0.0.0:0", "--database-url", NOWHERE]);
    assert_eq!(code, Some(1));
    assert!(said.contains("there is no sign-in") && said.contains("--allow-unauthenticated"), "{said}");
}

#[test]
fn settings_that_cannot_be_are_wrong_usage() {
    let (code, said) = refused(&[]);
    assert_eq!(code, Some(2));
    assert!(said.contains("database_url is not set"), "{said}");
    let (code, said) = refused(&["--database-url", "mysql://s3cret@x", "--listen", "127.0.0.1:0"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("postgres://USER:PASSWORD@HOST:PORT/DATABASE") && !said.contains("s3cret"), "{said}");
}

#[test]
fn the_settings_that_hold_are_shown_with_where_they_come_from_and_without_passwords() {
    let mut program = bursar();
    program.env("BURSAR_CONNECTIONS_MAX", "7").args(["config", "--database-url", "postgres://u:s3cret@h/d"]);
    let Output { status, stdout, .. } = program.output().unwrap();
    let said = String::from_utf8(stdout).unwrap();
    assert_eq!(status.code(), Some(0));
    let shown = |row: [&str; 3]| said.lines().any(|line| line.split_whitespace().eq(row));
    assert!(shown(["connections_max", "7", "BURSAR_CONNECTIONS_MAX"]), "{said}");
    assert!(shown(["database_url", "postgres://u:(hidden)@h/d", "--database-url"]), "{said}");
    assert!(shown(["listen", "127.0.0.1:8080", "default"]), "{said}");
}

#[tokio::test]
async fn commands_are_served_while_postgresql_is_away_and_the_server_says_it_is_not_ready() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("log"), NOWHERE);
    let body = json!({"account_id": "a", "owner_id": "o", "currency": "GBP"});
    assert_eq!(server.client().accepted("/v1/accounts", "k1", &body).await["position"], 1);
    assert_eq!(server.client().get("/health/live").await.0, 200);
    let (status, readiness) = server.client().get("/health/ready").await;
    assert_eq!((status, &readiness["log"]["ok"], &readiness["views"]["ok"]), (503, &json!(true), &json!(false)));
    assert!(!server.output().contains("s3cret"), "{}", server.output());
    assert_eq!(server.terminate().code(), Some(0));
}
