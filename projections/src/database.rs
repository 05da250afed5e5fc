//! The database of the read models: how it is reached, which schema the tables are in, and bringing them up to date.
//! No table is named together with a schema anywhere; connections have a search path instead, so that the same
//! statements can fill a second schema beside the first.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection, PgPool};

static MIGRATIONS: Migrator = sqlx::migrate!();

/// How long connecting may take before it counts as failed.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Bounds of the connections for queries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryPool {
    /// How many there are at most; they are opened when they are needed.
    pub connections_max: u32,
    /// How long a query waits for one before it is answered that the read models cannot be reached.
    pub connection_wait_max: Duration,
    /// How long a statement may take before PostgreSQL breaks it off.
    pub statement_timeout: Duration,
    /// After how long without use a connection is closed.
    pub idle_max: Duration,
}

impl Default for QueryPool {
    fn default() -> Self {
        Self {
            connections_max: 16,
            connection_wait_max: Duration::from_secs(2),
            statement_timeout: Duration::from_secs(10),
            idle_max: Duration::from_secs(600),
        }
    }
}

/// The name of a PostgreSQL schema: 1 to 63 characters out of `a-z 0-9 _`, not beginning with a digit or `pg_`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaName(String);

/// Why a text is not the name of a schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} cannot be used as a schema; use 1 to 63 characters out of a-z 0-9 _, not beginning with a digit or pg_"
)]
pub struct InvalidSchemaName {
    /// The text.
    pub text: String,
}

impl SchemaName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for SchemaName {
    fn default() -> Self {
        Self("bursar".to_owned())
    }
}

impl FromStr for SchemaName {
    type Err = InvalidSchemaName;

    fn from_str(text: &str) -> Result<Self, InvalidSchemaName> {
        let fits = (1..=63).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            && !text.starts_with(|first: char| first.is_ascii_digit())
            && !text.starts_with("pg_");
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidSchemaName { text: text.chars().take(80).collect() }) }
    }
}

impl fmt::Display for SchemaName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where the read models are. Cloning is cheap; nothing is connected until it is needed.
#[derive(Debug, Clone)]
pub struct Database {
    options: PgConnectOptions,
    schema: SchemaName,
}

/// The URL does not say where PostgreSQL is.
#[derive(Debug, thiserror::Error)]
#[error("the database URL cannot be used: {source}; write postgres://USER:PASSWORD@HOST:PORT/DATABASE")]
pub struct InvalidDatabaseUrl {
    source: sqlx::Error,
}

/// Why the tables could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// PostgreSQL refused, or could not be reached.
    #[error("making the schema {schema}: {source}")]
    Schema {
        /// The schema.
        schema: SchemaName,
        /// What PostgreSQL or the connection said.
        source: sqlx::Error,
    },
    /// A migration failed, or the schema was made by another version of Bursar.
    #[error("bringing the tables of schema {schema} up to date: {source}")]
    Migrations {
        /// The schema.
        schema: SchemaName,
        /// What went wrong.
        source: MigrateError,
    },
}

impl Database {
    /// The read models in `schema` of the database at `url`.
    ///
    /// # Errors
    /// [`InvalidDatabaseUrl`].
    pub fn new(url: &str, schema: SchemaName) -> Result<Self, InvalidDatabaseUrl> {
        if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
            let source = sqlx::Error::Configuration("it does not begin with postgres://".into());
            return Err(InvalidDatabaseUrl { source });
        }
        let options = PgConnectOptions::from_str(url).map_err(|source| InvalidDatabaseUrl { source })?;
        // A planned query must not be remembered from when a table was empty; compiling plans never pays here.
        let options = options.application_name("bursar").options([
            ("search_path", schema.as_str()),
            ("plan_cache_mode", "force_custom_plan"),
            ("jit", "off"),
            ("timezone", "UTC"),
        ]);
        Ok(Self { options: options.disable_statement_logging(), schema })
    }

    /// The schema.
    #[must_use]
    pub const fn schema(&self) -> &SchemaName {
        &self.schema
    }

    /// The same database with another schema.
    #[must_use]
    pub fn in_schema(&self, schema: SchemaName) -> Self {
        Self { options: self.options.clone().options([("search_path", schema.as_str())]), schema }
    }

    /// A connection for applying events.
    ///
    /// # Errors
    /// What PostgreSQL or the connection said.
    pub async fn connect_for_writing(&self) -> Result<PgConnection, sqlx::Error> {
        let options = self.options.clone().options([
            // The log is the truth: what a crash of PostgreSQL loses, rows and checkpoint alike, is applied again.
            ("synchronous_commit", "off"),
            // Every statement finds its rows by key; a scan of a table would only be a misjudgement.
            ("enable_seqscan", "off"),
            // A transaction of a worker that is gone must not keep the next one waiting for ever.
            ("idle_in_transaction_session_timeout", "60s"),
            ("tcp_keepalives_idle", "30"),
            ("tcp_keepalives_interval", "10"),
            ("tcp_keepalives_count", "3"),
        ]);
        match tokio::time::timeout(CONNECT_TIMEOUT, options.connect()).await {
            Ok(connected) => connected,
            Err(_) => Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())),
        }
    }

    /// Connections for queries.
    #[must_use]
    pub fn query_pool(&self, pool: &QueryPool) -> PgPool {
        let statement_timeout = format!("{}ms", pool.statement_timeout.as_millis());
        let options = [("default_transaction_read_only", "on"), ("statement_timeout", &statement_timeout)];
        let options = self.options.clone().options(options);
        PgPoolOptions::new()
            .max_connections(pool.connections_max)
            .acquire_timeout(pool.connection_wait_max)
            .idle_timeout(pool.idle_max)
            .connect_lazy_with(options)
    }

    /// Makes the schema where there is none and brings its tables up to date.
    ///
    /// # Errors
    /// [`PrepareError`].
    pub async fn prepare(&self, connection: &mut PgConnection) -> Result<(), PrepareError> {
        let about = |source| PrepareError::Schema { schema: self.schema.clone(), source };
        // Asked first because making a schema, even where there is one, needs a right that the owner may not grant.
        let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)")
            .bind(self.schema.as_str())
            .fetch_one(&mut *connection)
            .await
            .map_err(about)?;
        if !exists {
            let make = AssertSqlSafe(format!("CREATE SCHEMA IF NOT EXISTS {}", self.schema));
            sqlx::query(make).execute(&mut *connection).await.map_err(about)?;
        }
        let migrated = MIGRATIONS.run_direct(None, connection, false).await;
        migrated.map_err(|source| PrepareError::Migrations { schema: self.schema.clone(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_name_is_checked() {
        for name in ["bursar", "a", "_2", &"x".repeat(63)] {
            assert_eq!(name.parse::<SchemaName>().map(|s| s.to_string()), Ok(name.to_owned()));
        }
        for name in ["", "Bursar", "2b", "pg_x", "a-b", "a\"b", "a b", &"x".repeat(64)] {
            assert!(name.parse::<SchemaName>().is_err(), "{name:?}");
        }
    }

    #[test]
    fn an_unusable_url_is_refused_with_the_form_it_should_have() {
        let error = Database::new("localhost:5432", SchemaName::default()).map(|_| ()).map_err(|e| e.to_string());
        assert!(error.is_err_and(|text| text.ends_with("write postgres://USER:PASSWORD@HOST:PORT/DATABASE")));
    }
}
