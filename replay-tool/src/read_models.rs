//! The read models that a subcommand works on, and the runtime that reaching them takes.

use projections::database::{Database, SchemaName};

use crate::failure::Failure;

/// Where the read models are.
#[derive(Debug, clap::Args)]
pub(crate) struct ReadModels {
    /// The PostgreSQL database: postgres://USER:PASSWORD@HOST:PORT/DATABASE.
    #[arg(long, value_name = "URL", env = "BURSAR_DATABASE_URL", hide_env_values = true)]
    database_url: String,
    /// The schema of the read models.
    #[arg(long, value_name = "SCHEMA", env = "BURSAR_DATABASE_SCHEMA", default_value_t)]
    database_schema: SchemaName,
}

impl ReadModels {
    /// The database; nothing is connected yet.
    pub(crate) fn database(&self) -> Result<Database, Failure> {
        Database::new(&self.database_url, self.database_schema.clone())
            .map_err(|error| Failure::Usage(error.to_string()))
    }
}

/// Runs what waits for PostgreSQL.
pub(crate) fn run<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Unusable(format!("starting threads: {error}")))?;
    runtime.block_on(work)
}
