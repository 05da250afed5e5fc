//! A PostgreSQL for the tests: the one that `BURSAR_TEST_DATABASE_URL` names, else a private cluster that
//! `scripts/postgres` starts for this process alone and removes after it. Every test makes a database of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;
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

/// What a query of one column gives.
pub(crate) async fn ask<T>(url: &str, query: &str) -> Vec<T>
where
    T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
{
    let mut connection = PgConnection::connect(url).await.unwrap();
    let found = sqlx::query_scalar(AssertSqlSafe(query.to_owned())).fetch_all(&mut connection).await;
    connection.close().await.unwrap();
    found.unwrap_or_else(|error| panic!("{query}: {error}"))
}

/// Does something.
pub(crate) async fn execute(url: &str, statement: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// The read models in a schema.
pub(crate) async fn tables(url: &str, schema: &str) -> Vec<String> {
    let tables = format!(
        "SELECT tablename::text FROM pg_tables WHERE schemaname = '{schema}' \
         AND tablename NOT IN ('_sqlx_migrations', 'projection_checkpoints', 'parked_streams', 'parked_events', \
         'left_out_events') ORDER BY tablename"
    );
    ask(url, &tables).await
}

/// Every row of every read model in a schema, in order, but for these columns.
pub(crate) async fn rows(url: &str, schema: &str, without: &[&str]) -> Vec<(String, Value)> {
    let row = format!("to_jsonb(t) - ARRAY['{}']", without.join("','"));
    let mut rows = Vec::new();
    for table in tables(url, schema).await {
        let found: Vec<Value> = ask(url, &format!("SELECT {row} FROM {schema}.{table} t ORDER BY ({row})::text")).await;
        rows.extend(found.into_iter().map(|row| (table.clone(), row)));
    }
    rows
}

/// A PostgreSQL of one test's own, to be stopped and started; dropping it removes it.
pub(crate) struct Cluster {
    folder: PathBuf,
    /// Where its database is.
    pub(crate) url: String,
}

impl Cluster {
    /// Makes and starts one.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap().keep();
        let mut cluster = Self { folder, url: String::new() };
        let pid = std::process::id().to_string();
        cluster.url = cluster.ctl(&["start", "--throwaway", "--until-exit", &pid]);
        cluster
    }

    /// Starts it again, where it was.
    pub(crate) fn start_again(&self) {
        let pid = std::process::id().to_string();
        assert_eq!(self.ctl(&["start", "--throwaway", "--until-exit", &pid]), self.url);
    }

    /// Stops it in order: nobody is connected any more.
    pub(crate) fn stop(&self) {
        self.ctl(&["stop"]);
    }

    /// Ends it as if the power had failed.
    pub(crate) fn kill(&self) {
        self.ctl(&["stop", "--immediate"]);
    }

    fn ctl(&self, arguments: &[&str]) -> String {
        let output = Command::new(ctl()).args(arguments).arg(&self.folder).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // It is removed with this process at the latest.
        let _ = Command::new(ctl()).arg("remove").arg(&self.folder).output();
    }
}

/// The script that starts and stops clusters.
fn ctl() -> PathBuf {
    let given = std::env::var_os("BURSAR_TEST_POSTGRES_CTL");
    given.map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/postgres"), PathBuf::from)
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
    let pid = std::process::id().to_string();
    let started = Command::new(ctl()).args(["start", "--throwaway", "--until-exit", &pid]).arg(&folder).output();
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
