//! Checkpoints: how far a projection has come. A checkpoint moves only together with the rows, and only from the place
//! where the changes begin: that is what keeps two workers from applying the same event twice.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::ids::Position;
use sqlx::PgConnection;

use crate::model::Changes;
use crate::write::WriteError;

/// The projection that keeps all read models of this crate.
pub const READ_MODELS: &str = "read_models";

/// How far a projection has come, and in which log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log whose events were applied.
    pub log_id: String,
    /// The last position that was applied.
    pub position: Position,
}

/// Reads the checkpoint of a projection, making one at position 0 where there is none.
///
/// # Errors
/// What PostgreSQL said.
pub async fn read_or_create(
    connection: &mut PgConnection,
    name: &str,
    log_id: &str,
) -> Result<Checkpoint, sqlx::Error> {
    sqlx::query(
        "INSERT INTO projection_checkpoints (name, log_id, position, updated_at) VALUES ($1, $2, 0, now()) \
         ON CONFLICT (name) DO UPDATE SET log_id = excluded.log_id WHERE projection_checkpoints.position = 0",
    )
    .bind(name)
    .bind(log_id)
    .execute(&mut *connection)
    .await?;
    let (log_id, position): (String, i64) =
        sqlx::query_as("SELECT log_id, position FROM projection_checkpoints WHERE name = $1")
            .bind(name)
            .fetch_one(connection)
            .await?;
    Ok(Checkpoint { log_id, position: Position(position.cast_unsigned()) })
}

/// Where a projection is; none where it has no checkpoint.
pub(crate) async fn position(connection: &mut PgConnection, name: &str) -> Result<Option<Position>, sqlx::Error> {
    let position: Option<i64> = sqlx::query_scalar("SELECT position FROM projection_checkpoints WHERE name = $1")
        .bind(name)
        .fetch_optional(connection)
        .await?;
    Ok(position.map(|position| Position(position.cast_unsigned())))
}

/// Moves a checkpoint from where the changes begin to where they end.
pub(crate) async fn advance(connection: &mut PgConnection, name: &str, changes: &Changes) -> Result<(), WriteError> {
    let moved = sqlx::query(
        "UPDATE projection_checkpoints SET position = $3, recorded_at = $4, updated_at = clock_timestamp() \
         WHERE name = $1 AND position = $2",
    )
    .bind(name)
    .bind(changes.from().0.cast_signed())
    .bind(changes.through().0.cast_signed())
    .bind(changes.recorded_at())
    .execute(connection)
    .await
    .map_err(|source| WriteError::Database { doing: "moving the checkpoint", source })?;
    if moved.rows_affected() == 1 { Ok(()) } else { Err(WriteError::Fenced { expected: changes.from() }) }
}

/// Notes the first position of each minute.
pub(crate) async fn note_minutes(
    connection: &mut PgConnection,
    minutes: &BTreeMap<DateTime<Utc>, Position>,
) -> Result<(), WriteError> {
    sqlx::query(
        "INSERT INTO recorded_minutes (minute, first_position) SELECT * FROM UNNEST($1::timestamptz[], $2::bigint[]) \
         ON CONFLICT DO NOTHING",
    )
    .bind(minutes.keys().copied().collect::<Vec<_>>())
    .bind(minutes.values().map(|position| position.0.cast_signed()).collect::<Vec<_>>())
    .execute(connection)
    .await
    .map_err(|source| WriteError::Database { doing: "writing recorded_minutes", source })?;
    Ok(())
}
