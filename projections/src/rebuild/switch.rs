//! The live read models: where they are, holding their worker for a moment, and putting the next build in their place.

use domain::ids::Position;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::{Filling, Patience, RebuildError};
use crate::database::{Database, SchemaName};

/// Where the live read models are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Live {
    pub(super) log_id: String,
    pub(super) build: i64,
    pub(super) positions: Vec<Position>,
}

impl Live {
    /// Reads it; none where there are no read models.
    pub(super) async fn read(connection: &mut PgConnection, schema: &SchemaName) -> Result<Option<Self>, RebuildError> {
        Self::rows(connection, schema, "").await
    }

    /// Reads it, and keeps the live worker from writing as long as the transaction lasts; queries go on.
    pub(super) async fn hold(tx: &mut PgConnection, schema: &SchemaName) -> Result<Option<Self>, RebuildError> {
        Self::rows(tx, schema, "FOR UPDATE").await
    }

    async fn rows(
        connection: &mut PgConnection,
        schema: &SchemaName,
        lock: &'static str,
    ) -> Result<Option<Self>, RebuildError> {
        let read = AssertSqlSafe(format!(
            "SELECT log_id, build, position FROM {schema}.projection_checkpoints ORDER BY name, partition {lock}"
        ));
        const UNDEFINED_TABLE: &str = "42P01";
        const UNDEFINED_COLUMN: &str = "42703";
        let rows: Vec<(String, i64, i64)> = match sqlx::query_as(read).fetch_all(connection).await {
            Ok(rows) => rows,
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(UNDEFINED_TABLE) => return Ok(None),
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(UNDEFINED_COLUMN) => {
                return Err(RebuildError::NotCurrent { schema: schema.to_string() });
            }
            Err(source) => return Err(RebuildError::Database { doing: "reading the live checkpoints", source }),
        };
        let positions = rows.iter().map(|(.., position)| Position(position.cast_unsigned())).collect();
        Ok(rows.into_iter().next().map(|(log_id, build, _)| Self { log_id, build, positions }))
    }

    /// Everything up to here is in them.
    pub(super) fn lowest(&self) -> Position {
        self.positions.iter().copied().min().unwrap_or_default()
    }

    /// Where they are, if all partitions are at one position.
    pub(super) fn only(&self) -> Option<Position> {
        self.positions.iter().all(|position| *position == self.lowest()).then_some(self.lowest())
    }
}

/// Puts the next build in place of the live one: holds the live worker, lets the next build reach the same position,
/// and renames both in one transaction. The live worker is refused at its next write, and goes on in the new build.
pub(super) async fn switch(
    connection: &mut PgConnection,
    live: &Database,
    filling: &mut Filling<'_>,
    build: i64,
) -> Result<Position, RebuildError> {
    let patience = Patience::begin();
    loop {
        if filling.worker.is_none() {
            filling.start_again()?;
        }
        match try_to_switch(connection, live, filling, build).await? {
            Ok(position) => return Ok(position),
            Err(why) => patience.again(why).await?,
        }
    }
}

async fn try_to_switch(
    connection: &mut PgConnection,
    live: &Database,
    filling: &mut Filling<'_>,
    build: i64,
) -> Result<Result<Position, String>, RebuildError> {
    let (schema, next) = (live.schema(), filling.next.schema());
    let mut tx = connection.begin().await.map_err(RebuildError::doing("beginning to switch"))?;
    let Some(held) = Live::hold(&mut tx, schema).await? else {
        return Err(RebuildError::NoReadModels { schema: schema.to_string() });
    };
    let position = held.lowest();
    if !filling.reach(position).await? {
        return Ok(Err("the next build did not reach the live one in time".to_owned()));
    }
    filling.stop().await;
    let reached = Live::read(&mut tx, next).await?;
    if reached.as_ref().and_then(Live::only) != Some(position) {
        return Ok(Err("the next build is beyond the live one, which was put back".to_owned()));
    }
    let statements = [
        "SET LOCAL synchronous_commit = on".to_owned(),
        // Queries that run are waited for, those that come wait: not longer than this.
        "SET LOCAL lock_timeout = '2s'".to_owned(),
        format!("LOCK TABLE {schema}.projection_checkpoints IN ACCESS EXCLUSIVE MODE"),
        // A worker that waits for its row would otherwise move it in the old build and write into the new one.
        format!("UPDATE {schema}.projection_checkpoints SET epoch = epoch + 1, owner = ''"),
        format!(
            "UPDATE {next}.projection_checkpoints n SET build = {build}, owner = '', claimed_at = NULL, \
             epoch = GREATEST(n.epoch, l.epoch) + 1, revision = GREATEST(n.revision, l.revision) + 1 \
             FROM (SELECT MAX(epoch) AS epoch, MAX(revision) AS revision FROM {schema}.projection_checkpoints) l"
        ),
        format!("DROP SCHEMA IF EXISTS {schema}_before CASCADE"),
        format!("ALTER SCHEMA {schema} RENAME TO {schema}_before"),
        format!("ALTER SCHEMA {next} RENAME TO {schema}"),
    ];
    for statement in statements {
        const LOCK_NOT_AVAILABLE: &str = "55P03";
        match sqlx::query(AssertSqlSafe(statement)).execute(&mut *tx).await {
            Ok(_) => {}
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(LOCK_NOT_AVAILABLE) => {
                return Ok(Err("queries that take long stood in the way of the switch".to_owned()));
            }
            Err(source) => return Err(RebuildError::Database { doing: "putting the next build in place", source }),
        }
    }
    tx.commit().await.map_err(RebuildError::doing("committing the switch"))?;
    Ok(Ok(position))
}
