//! A PostgreSQL for the tests, and a database in it for each.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use projections::database::{Database, SchemaName};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

static SERVER: OnceLock<String> = OnceLock::new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// The URL of the server that the tests share; it is started when it is first asked for and ends with this process.
fn server() -> &'static str {
    SERVER.get_or_init(|| match std::env::var("BURSAR_TEST_DATABASE_URL") {
        Ok(url) => url,
        Err(_) => {
            let folder = std::env::temp_dir().join(format!("bursar-projections-{}", std::process::id()));
            Cluster::new(&folder, &[]).start()
        }
    })
}

/// A cluster; one of their own for tests that stop it.
pub(crate) struct Cluster {
    folder: PathBuf,
    settings: &'static [&'static str],
}

impl Cluster {
    pub(crate) fn new(folder: &Path, settings: &'static [&'static str]) -> Self {
        Self { folder: folder.to_owned(), settings }
    }

    /// Starts it, or starts it again, and gives its URL. It ends with this process.
    pub(crate) fn start(&self) -> String {
        let pid = std::process::id().to_string();
        let mut arguments = vec!["start", "--throwaway", "--until-exit", &pid];
        // After a crash of PostgreSQL, not of the machine, everything is there all the same.
        arguments.extend(["-c", "fsync=off"]);
        arguments.extend(self.settings.iter().flat_map(|setting| ["-c", setting]));
        self.run(&arguments)
    }

    /// Stops it as if the power had failed.
    pub(crate) fn kill(&self) {
        self.run(&["stop", "--immediate"]);
    }

    pub(crate) fn remove(&self) {
        self.run(&["remove"]);
    }

    fn run(&self, arguments: &[&str]) -> String {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/postgres");
        let output = Command::new(script).args(arguments).arg(&self.folder).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

/// The URL of a new, empty database.
pub(crate) async fn new_database_url() -> String {
    let url = tokio::task::spawn_blocking(server).await.unwrap();
    let name = format!("t_{}_{}", std::process::id(), DATABASES.fetch_add(1, Ordering::Relaxed));
    let mut connection = PgConnection::connect(url).await.unwrap();
    // A run that was killed may have left one of the same name.
    for statement in [format!("DROP DATABASE IF EXISTS {name}"), format!("CREATE DATABASE {name}")] {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    }
    let (server, _) = url.rsplit_once('/').unwrap();
    format!("{server}/{name}")
}

/// An empty database.
pub(crate) async fn new_database() -> Database {
    Database::new(&new_database_url().await, SchemaName::default()).unwrap()
}

/// Every row of every read model as text, sorted; what depends on when it was written is left out.
pub(crate) async fn dump(database: &Database) -> Vec<String> {
    let mut connection = database.connect_for_writing().await.unwrap();
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema() \
         AND tablename NOT IN ('_sqlx_migrations', 'projection_checkpoints') ORDER BY tablename",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let mut rows = Vec::new();
    for table in tables {
        let read = format!("SELECT '{table} ' || row_to_json(t)::text AS r FROM {table} t");
        let found: Vec<String> = sqlx::query_scalar(AssertSqlSafe(read)).fetch_all(&mut connection).await.unwrap();
        rows.extend(found);
    }
    rows.sort_unstable();
    rows
}

/// One row as JSON, by a query that gives one.
pub(crate) async fn row(database: &Database, query: &'static str) -> serde_json::Value {
    let mut connection = database.connect_for_writing().await.unwrap();
    let read = format!("SELECT row_to_json(t) FROM ({query}) t");
    sqlx::query_scalar(AssertSqlSafe(read)).fetch_one(&mut connection).await.unwrap()
}

/// Rows as JSON.
pub(crate) async fn rows(database: &Database, query: &'static str) -> Vec<serde_json::Value> {
    let mut connection = database.connect_for_writing().await.unwrap();
    let read = format!("SELECT row_to_json(t) FROM ({query}) t");
    sqlx::query_scalar(AssertSqlSafe(read)).fetch_all(&mut connection).await.unwrap()
}
