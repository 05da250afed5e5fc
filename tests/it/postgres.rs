//! A PostgreSQL for the tests: the one that `BURSAR_TEST_DATABASE_URL` names, else a private cluster that
//! `scripts/postgres` starts for this process alone and removes after it. Every test makes a database of its own.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// A database that nobody answers for, where a test needs none: the port is reserved for discarding.
pub(crate) const NOWHERE: &str = "postgres://u:s3cret@127.0.0.1:9/none";

/// A database of one test; dropping it removes it.
pub(crate) struct Database {
    name: String,
    /// Where it is.
    pub(crate) url: String,
}

/// Makes an empty database.
pub(crate) fn database() -> Database {
    let name = format!("it_{}", uuid::Uuid::now_v7().simple());
    run(&format!("CREATE DATABASE {name}"));
    let url = reqwest::Url::parse(cluster()).unwrap().join(&name).unwrap().to_string();
    Database { name, url }
}

impl Drop for Database {
    fn drop(&mut self) {
        run(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}

/// Where databases can be made.
fn cluster() -> &'static str {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| std::env::var("BURSAR_TEST_DATABASE_URL").unwrap_or_else(|_| start_cluster()))
}

fn start_cluster() -> String {
    let folder = tempfile::tempdir().unwrap().keep();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/postgres");
    let pid = std::process::id().to_string();
    let started = Command::new(script).args(["start", "--throwaway", "--until-exit", &pid]).arg(&folder).output();
    let started = started.unwrap();
    assert!(started.status.success(), "{}", String::from_utf8_lossy(&started.stderr));
    String::from_utf8(started.stdout).unwrap().trim().to_owned()
}

/// On a thread of its own, because tests have a runtime and dropping happens anywhere.
fn run(statement: &str) {
    let statement = statement.to_owned();
    let done = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut connection = PgConnection::connect(cluster()).await?;
            sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await?;
            connection.close().await
        })
    });
    done.join().unwrap().unwrap();
}
