//! Emptying the read models, so that they are filled again from the log.

use sqlx::{AssertSqlSafe, Connection};

use crate::database::Database;

/// Why the read models were not emptied; nothing was changed.
#[derive(Debug, thiserror::Error)]
#[error("emptying the read models, {doing}: {source}")]
pub struct ResetError {
    doing: &'static str,
    source: sqlx::Error,
}

/// Empties all read models and puts their checkpoint back to position 0, in one transaction. A worker that runs finds
/// its checkpoint moved and begins again; readers see the empty tables until it has.
///
/// # Errors
/// [`ResetError`].
pub async fn reset(database: &Database) -> Result<(), ResetError> {
    let failed = |doing| move |source| ResetError { doing, source };
    let mut connection = database.connect_for_writing().await.map_err(failed("connecting"))?;
    let mut transaction = connection.begin().await.map_err(failed("beginning a transaction"))?;
    let tx = &mut *transaction;
    // The first lock that a worker takes: whoever has it has all tables for itself.
    sqlx::query("UPDATE projection_checkpoints SET position = 0, recorded_at = NULL, updated_at = clock_timestamp()")
        .execute(&mut *tx)
        .await
        .map_err(failed("moving the checkpoint"))?;
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = current_schema() \
         AND tablename NOT IN ('_sqlx_migrations', 'projection_checkpoints')",
    )
    .fetch_all(&mut *tx)
    .await
    .map_err(failed("listing the tables"))?;
    let truncate = AssertSqlSafe(format!("TRUNCATE {}", tables.join(", ")));
    sqlx::query(truncate).execute(&mut *tx).await.map_err(failed("truncating the tables"))?;
    transaction.commit().await.map_err(failed("committing"))?;
    // The work is done; a connection that does not close in order changes nothing about it.
    let _ = connection.close().await;
    Ok(())
}
