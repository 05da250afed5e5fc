//! Writes the first position of each minute of recording.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::ids::Position;
use sqlx::PgConnection;

use super::{WriteError, bigint};

pub(super) async fn write(
    tx: &mut PgConnection,
    minutes: &BTreeMap<DateTime<Utc>, Position>,
) -> Result<(), WriteError> {
    if minutes.is_empty() {
        return Ok(());
    }
    // A partition may be behind another: then a minute turns out to begin earlier.
    sqlx::query(
        "INSERT INTO recorded_minutes AS m (minute, first_position) \
         SELECT * FROM UNNEST($1::timestamptz[], $2::bigint[]) \
         ON CONFLICT (minute) DO UPDATE SET first_position = excluded.first_position \
         WHERE m.first_position > excluded.first_position",
    )
    .bind(minutes.keys().copied().collect::<Vec<_>>())
    .bind(minutes.values().map(|position| bigint(position.0)).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map_err(WriteError::doing("writing recorded_minutes"))?;
    Ok(())
}
