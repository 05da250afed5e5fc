//! Writes streams that are parked, and events that wait behind them.

use sqlx::PgConnection;

use super::{WriteError, bigint, column};
use crate::parked::NewlyParked;
use crate::parked::stored::StoredEvent;

pub(super) async fn write(
    tx: &mut PgConnection,
    streams: &[NewlyParked],
    events: &[StoredEvent],
) -> Result<(), WriteError> {
    if events.is_empty() {
        return Ok(());
    }
    park(tx, streams).await?;
    check_still_parked(tx, events).await?;
    let rows: Vec<_> = events.iter().collect();
    sqlx::query(
        "INSERT INTO parked_events (stream, position, version, event_type, schema_version, metadata, data) \
         SELECT d.stream, d.position, d.version, d.event_type, d.schema_version, d.metadata::json, d.data \
         FROM UNNEST($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::integer[], $6::text[], $7::bytea[]) \
         AS d(stream, position, version, event_type, schema_version, metadata, data)",
    )
    .bind(column(&rows, |event| event.stream.as_str()))
    .bind(column(&rows, |event| bigint(event.position.0)))
    .bind(column(&rows, |event| bigint(event.version.0)))
    .bind(column(&rows, |event| storable(&event.event_type)))
    .bind(column(&rows, |event| i32::from(event.schema_version)))
    .bind(column(&rows, |event| event.metadata.as_str()))
    .bind(column(&rows, |event| event.data.as_slice()))
    .execute(tx)
    .await
    .map_err(WriteError::doing("adding to parked_events"))?;
    Ok(())
}

async fn park(tx: &mut PgConnection, streams: &[NewlyParked]) -> Result<(), WriteError> {
    if streams.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = streams.iter().collect();
    sqlx::query(
        "INSERT INTO parked_streams (stream, position, event_type, why, error, parked_at) \
         SELECT d.stream, d.position, d.event_type, d.why, d.error, clock_timestamp() \
         FROM UNNEST($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[]) \
         AS d(stream, position, event_type, why, error)",
    )
    .bind(column(&rows, |parked| parked.stream.as_str()))
    .bind(column(&rows, |parked| bigint(parked.position.0)))
    .bind(column(&rows, |parked| storable(&parked.event_type)))
    .bind(column(&rows, |parked| parked.why.as_str()))
    .bind(column(&rows, |parked| storable(&parked.error)))
    .execute(tx)
    .await
    .map_err(WriteError::doing("adding to parked_streams"))?;
    Ok(())
}

/// An event must not wait behind a stream that has been retried or released since.
async fn check_still_parked(tx: &mut PgConnection, events: &[StoredEvent]) -> Result<(), WriteError> {
    let mut wanted: Vec<&str> = events.iter().map(|event| event.stream.as_str()).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let found: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM parked_streams WHERE stream = ANY($1)")
        .bind(&wanted)
        .fetch_one(tx)
        .await
        .map_err(WriteError::doing("reading parked_streams"))?;
    if found.cast_unsigned() == wanted.len() as u64 { Ok(()) } else { Err(WriteError::NotParked) }
}

/// PostgreSQL's texts hold no NUL.
pub(super) fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
