//! Writes refused commands.

use serde_json::Value;
use sqlx::PgConnection;

use super::parked::storable;
use super::{WriteError, bigint, column};
use crate::model::rejections::RejectionRow;

pub(super) async fn write(tx: &mut PgConnection, rejections: &[RejectionRow]) -> Result<(), WriteError> {
    if rejections.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = rejections.iter().collect();
    sqlx::query(
        "INSERT INTO rejections (position, code, command, stream, detail, figures, principal, idempotency_key, \
         request_id, correlation_id, recorded_at) \
         SELECT * FROM UNNEST($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::jsonb[], $7::text[], \
         $8::text[], $9::text[], $10::text[], $11::timestamptz[])",
    )
    .bind(column(&rows, |row| bigint(row.stamp.position.0)))
    .bind(column(&rows, |row| row.rejection.code()))
    .bind(column(&rows, |row| storable(&row.command)))
    .bind(column(&rows, |row| row.stream.as_str()))
    .bind(column(&rows, |row| storable(&row.rejection.to_string())))
    .bind(column(&rows, figures))
    .bind(column(&rows, |row| storable(&row.metadata.principal)))
    .bind(column(&rows, |row| storable(&row.metadata.idempotency_key)))
    .bind(column(&rows, |row| storable(&row.metadata.request_id)))
    .bind(column(&rows, |row| storable(&row.metadata.correlation_id)))
    .bind(column(&rows, |row| row.stamp.recorded_at))
    .execute(tx)
    .await
    .map_err(WriteError::doing("adding to rejections"))?;
    Ok(())
}

/// The figures of a refusal: its fields without the code, which has a column of its own.
fn figures(row: &RejectionRow) -> Value {
    let mut figures = serde_json::to_value(&row.rejection).expect("a rejection is an object of strings and numbers");
    if let Value::Object(fields) = &mut figures {
        fields.remove("code");
    }
    figures
}
