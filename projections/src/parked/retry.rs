//! Trying a parked stream again, with or without the event that is the reason. Its worker waits meanwhile: the
//! checkpoints are locked, as it locks them.

use domain::event::RecordedEvent;
use domain::ids::{Position, Version};
use serde::Serialize;
use sqlx::{Connection, FromRow, PgConnection, Postgres, Transaction};
use utoipa::ToSchema;

use super::Why;
use super::stored::StoredEvent;
use crate::model::Changes;
use crate::write::{WriteError, write_rows};

/// How many events are applied in one transaction.
const CHUNK: i64 = 1_000;

/// What became of a stream that was tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Outcome {
    /// The stream.
    #[schema(example = "account-acct-ann")]
    pub stream: String,
    /// Whether it is parked now. A stream that is not parked follows the feed.
    pub parked: bool,
    /// How many of its events were applied by this.
    #[schema(example = 3)]
    pub applied: u64,
    /// The position of the event that cannot be applied; null where the stream is not parked.
    pub at: Option<u64>,
    /// What was said about it.
    pub error: Option<String>,
}

/// Why nothing was tried.
#[derive(Debug, thiserror::Error)]
pub enum ParkedError {
    /// The event to be left out is not the one that the stream is parked at.
    #[error("{}", not_there(stream, *asked, *parked_at))]
    NotThere {
        /// The stream.
        stream: String,
        /// The position that was named.
        asked: Position,
        /// Where it is parked; none where it is not.
        parked_at: Option<Position>,
    },
    /// PostgreSQL refused, or could not be reached. What was applied before is applied.
    #[error("{doing}: {source}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// What PostgreSQL or the connection said.
        source: sqlx::Error,
    },
}

fn not_there(stream: &str, asked: Position, parked_at: Option<Position>) -> String {
    match parked_at {
        Some(at) => format!(
            "{stream} is parked at position {at}, not at {asked}; look at what is wrong with that event, and name its \
             position to have it left out"
        ),
        None => format!("{stream} is not parked, and its event at position {asked} was not left out"),
    }
}

impl ParkedError {
    fn doing(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Database { doing, source }
    }
}

/// Applies the events of a parked stream that wait, in order, up to the first that cannot be applied. A stream that is
/// not parked stays as it is, so this may be repeated.
///
/// # Errors
/// [`ParkedError::Database`].
pub async fn retry(connection: &mut PgConnection, stream: &str) -> Result<Outcome, ParkedError> {
    go_on(connection, stream, 0).await
}

/// Leaves out the one event that a stream is parked at, notes it in `left_out_events` with the reason that somebody has
/// for it, and applies what waits behind it as [`retry`] does. May be repeated: an event that was left out already is
/// nothing to be done.
///
/// # Errors
/// [`ParkedError`].
pub async fn release(
    connection: &mut PgConnection,
    stream: &str,
    position: Position,
    reason: &str,
) -> Result<Outcome, ParkedError> {
    let mut tx = begin(connection).await?;
    let parked_at = sqlx::query_scalar::<_, i64>("SELECT position FROM parked_streams WHERE stream = $1")
        .bind(stream)
        .fetch_optional(&mut *tx)
        .await
        .map_err(ParkedError::doing("reading the parked stream"))?;
    if parked_at == Some(position.0.cast_signed()) {
        leave_out(&mut tx, stream, position, reason).await?;
        let step = step(&mut tx, stream).await?;
        tx.commit().await.map_err(ParkedError::doing("committing"))?;
        return match step {
            Step::End(outcome) => Ok(outcome),
            Step::More(applied) => go_on(connection, stream, applied).await,
        };
    }
    let known: Option<i64> =
        sqlx::query_scalar("SELECT position FROM left_out_events WHERE stream = $1 AND position = $2")
            .bind(stream)
            .bind(position.0.cast_signed())
            .fetch_optional(&mut *tx)
            .await
            .map_err(ParkedError::doing("reading left_out_events"))?;
    if known.is_none() {
        let parked_at = parked_at.map(|at| Position(at.cast_unsigned()));
        return Err(ParkedError::NotThere { stream: stream.to_owned(), asked: position, parked_at });
    }
    outcome(&mut tx, stream, 0).await
}

/// Begins with the lock that its worker takes first, so that it has the rows for itself.
async fn begin(connection: &mut PgConnection) -> Result<Transaction<'_, Postgres>, ParkedError> {
    let begun = connection.begin_with("BEGIN READ WRITE").await;
    let mut tx = begun.map_err(ParkedError::doing("beginning a transaction"))?;
    for statement in
        ["SET LOCAL enable_seqscan = off", "SELECT FROM projection_checkpoints ORDER BY name, partition FOR UPDATE"]
    {
        sqlx::query(statement).execute(&mut *tx).await.map_err(ParkedError::doing("locking the checkpoints"))?;
    }
    Ok(tx)
}

async fn leave_out(tx: &mut PgConnection, stream: &str, position: Position, reason: &str) -> Result<(), ParkedError> {
    sqlx::query(
        "WITH gone AS (DELETE FROM parked_events WHERE stream = $1 AND position = $2 RETURNING *) \
         INSERT INTO left_out_events (stream, position, event_type, error, reason, left_out_at) \
         SELECT stream, gone.position, gone.event_type, p.error, $3, clock_timestamp() \
         FROM gone JOIN parked_streams p USING (stream)",
    )
    .bind(stream)
    .bind(position.0.cast_signed())
    .bind(reason.replace('\0', "\u{fffd}"))
    .execute(tx)
    .await
    .map_err(ParkedError::doing("leaving the event out"))?;
    Ok(())
}

async fn go_on(connection: &mut PgConnection, stream: &str, before: u64) -> Result<Outcome, ParkedError> {
    let mut applied = before;
    loop {
        let mut tx = begin(connection).await?;
        let step = step(&mut tx, stream).await?;
        tx.commit().await.map_err(ParkedError::doing("committing"))?;
        match step {
            Step::More(more) => applied += more,
            Step::End(outcome) => return Ok(Outcome { applied: outcome.applied + applied, ..outcome }),
        }
    }
}

enum Step {
    /// So many were applied, and more wait.
    More(u64),
    End(Outcome),
}

#[derive(FromRow)]
struct WaitingRow {
    position: i64,
    version: i64,
    event_type: String,
    schema_version: i32,
    metadata: String,
    data: Vec<u8>,
}

/// Applies what waits of a stream, as much as goes into one transaction.
async fn step(tx: &mut PgConnection, stream: &str) -> Result<Step, ParkedError> {
    // No position tells that rows change now.
    let revised = sqlx::query(
        "UPDATE projection_checkpoints SET revision = revision + 1 \
         WHERE EXISTS (SELECT FROM parked_streams WHERE stream = $1)",
    )
    .bind(stream)
    .execute(&mut *tx)
    .await
    .map_err(ParkedError::doing("noting that rows change"))?;
    if revised.rows_affected() == 0 {
        return outcome(tx, stream, 0).await.map(Step::End);
    }
    let rows: Vec<WaitingRow> = sqlx::query_as(
        "SELECT position, version, event_type, schema_version, metadata::text AS metadata, data FROM parked_events \
         WHERE stream = $1 ORDER BY position LIMIT $2",
    )
    .bind(stream)
    .bind(CHUNK)
    .fetch_all(&mut *tx)
    .await
    .map_err(ParkedError::doing("reading parked_events"))?;
    let mut events = Vec::with_capacity(rows.len());
    let mut failed = None;
    for row in &rows {
        match row.read(stream) {
            Ok(event) => events.push(event),
            Err(error) => {
                failed = Some((Why::Undecodable, error));
                break;
            }
        }
    }
    let (applied, refused) = apply(tx, &events).await?;
    sqlx::query("DELETE FROM parked_events WHERE stream = $1 AND position <= $2")
        .bind(stream)
        .bind(applied.checked_sub(1).and_then(|last| rows.get(last)).map_or(-1, |row| row.position))
        .execute(&mut *tx)
        .await
        .map_err(ParkedError::doing("removing from parked_events"))?;
    if let (Some((why, error)), Some(row)) = (refused.or(failed), rows.get(applied)) {
        still_parked(tx, stream, row, why, &error).await?;
    } else if applied as i64 == CHUNK {
        return Ok(Step::More(applied as u64));
    } else {
        sqlx::query("DELETE FROM parked_streams WHERE stream = $1")
            .bind(stream)
            .execute(&mut *tx)
            .await
            .map_err(ParkedError::doing("removing from parked_streams"))?;
    }
    outcome(tx, stream, applied as u64).await.map(Step::End)
}

/// Applies events up to the first that cannot be; says how many, and what was said about that one.
async fn apply(tx: &mut PgConnection, events: &[RecordedEvent]) -> Result<(usize, Option<(Why, String)>), ParkedError> {
    let (mut applied, mut size) = (0, events.len());
    while applied < events.len() {
        size = size.min(events.len() - applied);
        let mut savepoint = tx.begin().await.map_err(ParkedError::doing("setting a savepoint"))?;
        let refused = match fold(events[applied..applied + size].to_vec()).await {
            Err(error) => (Why::Fault, error),
            Ok(changes) => match write_rows(&mut savepoint, &changes).await {
                Ok(()) => {
                    savepoint.commit().await.map_err(ParkedError::doing("keeping what was applied"))?;
                    applied += size;
                    continue;
                }
                Err(error) if error.is_about_the_events() => (Why::Refused, error.to_string()),
                Err(WriteError::Database { doing, source }) => return Err(ParkedError::Database { doing, source }),
                // Nothing else is about rows alone.
                Err(error) => (Why::Refused, error.to_string()),
            },
        };
        savepoint.rollback().await.map_err(ParkedError::doing("going back to a savepoint"))?;
        if size == 1 {
            return Ok((applied, Some(refused)));
        }
        size /= 2;
    }
    Ok((applied, None))
}

async fn fold(events: Vec<RecordedEvent>) -> Result<Changes, String> {
    let folding = tokio::task::spawn_blocking(move || {
        let mut changes = Changes::default();
        events.iter().for_each(|event| changes.add(event));
        changes
    });
    folding.await.map_err(|error| error.to_string())
}

async fn still_parked(
    tx: &mut PgConnection,
    stream: &str,
    row: &WaitingRow,
    why: Why,
    error: &str,
) -> Result<(), ParkedError> {
    sqlx::query(
        "UPDATE parked_streams SET position = $2, event_type = $3, why = $4, error = $5, attempts = attempts + 1, \
         tried_at = clock_timestamp() WHERE stream = $1",
    )
    .bind(stream)
    .bind(row.position)
    .bind(&row.event_type)
    .bind(why.as_str())
    .bind(error.replace('\0', "\u{fffd}"))
    .execute(tx)
    .await
    .map_err(ParkedError::doing("noting why the stream stays parked"))?;
    Ok(())
}

async fn outcome(tx: &mut PgConnection, stream: &str, applied: u64) -> Result<Outcome, ParkedError> {
    let parked: Option<(i64, String)> = sqlx::query_as("SELECT position, error FROM parked_streams WHERE stream = $1")
        .bind(stream)
        .fetch_optional(tx)
        .await
        .map_err(ParkedError::doing("reading the parked stream"))?;
    let (at, error) = parked.map(|(at, error)| (at.cast_unsigned(), error)).unzip();
    Ok(Outcome { stream: stream.to_owned(), parked: at.is_some(), applied, at, error })
}

impl WaitingRow {
    fn read(&self, stream: &str) -> Result<RecordedEvent, String> {
        let schema_version = u16::try_from(self.schema_version).map_err(|error| error.to_string())?;
        let stored = StoredEvent {
            stream: stream.to_owned(),
            position: Position(self.position.cast_unsigned()),
            version: Version(self.version.cast_unsigned()),
            event_type: self.event_type.clone(),
            schema_version,
            metadata: self.metadata.clone(),
            data: self.data.clone(),
        };
        stored.read()
    }
}
