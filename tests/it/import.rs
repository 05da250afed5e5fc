//! The sample of real sales, imported over HTTP by the real program, against figures that were worked out from the CSV
//! alone by a program that shares nothing with Bursar.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::client::Client;
use crate::postgres::database;
use crate::server::{Server, bursar};
use crate::tools::ask;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sample() -> PathBuf {
    root().join("tests/data/online_retail_10k.csv")
}

/// What the independent program says.
fn figures() -> Value {
    let script = root().join("tests/independent/online_retail_figures.py");
    let output = Command::new("python3").arg(script).arg(sample()).arg("--check").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Imports the sample; gives the rows of the summary.
async fn import(server: &Server) -> BTreeMap<String, String> {
    let mut program = bursar();
    program.args(["import", "online-retail", "--url", &server.base]).arg(sample());
    let output = tokio::task::spawn_blocking(move || program.output().unwrap()).await.unwrap();
    let (said, failed) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(0), "{said}{failed}");
    assert_eq!(failed, "", "nothing is drawn where there is no terminal");
    let row = |line: &str| line.trim().split_once("  ").map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
    said.lines().filter_map(row).collect()
}
