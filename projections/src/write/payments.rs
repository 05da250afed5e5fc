//! Writes payments and their operations.

use std::collections::BTreeMap;

use domain::ids::PaymentId;
use sqlx::PgConnection;

use super::{WriteError, all_found, bigint, column};
use crate::model::payments::{OperationRow, PaymentChange, capture_word, cause_word};

pub(super) async fn write(
    tx: &mut PgConnection,
    payments: &BTreeMap<PaymentId, PaymentChange>,
    operations: &[OperationRow],
) -> Result<(), WriteError> {
    let (new, known): (Vec<_>, Vec<_>) = payments.iter().partition(|(_, change)| change.requested.is_some());
    insert(tx, &new).await?;
    update(tx, &known).await?;
    insert_operations(tx, operations).await
}

async fn insert(tx: &mut PgConnection, rows: &[(&PaymentId, &PaymentChange)]) -> Result<(), WriteError> {
    let rows: Vec<_> =
        rows.iter().filter_map(|(id, change)| Some((*id, *change, change.requested.as_ref()?))).collect();
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO payments (payment_id, order_id, payer_account_id, payee_account_id, amount, currency, capture, \
         authorized, captured, voided, refunded, version, position, requested_at, updated_at) \
         SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], \
         $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], \
         $14::timestamptz[], $15::timestamptz[])",
    )
    .bind(column(&rows, |(id, ..)| id.as_str()))
    .bind(column(&rows, |(.., requested)| requested.order_id.as_ref().map(|id| id.as_str())))
    .bind(column(&rows, |(.., requested)| requested.payer.as_str()))
    .bind(column(&rows, |(.., requested)| requested.payee.as_str()))
    .bind(column(&rows, |(.., requested)| requested.amount.amount.minor_units()))
    .bind(column(&rows, |(.., requested)| requested.amount.currency.code()))
    .bind(column(&rows, |(.., requested)| capture_word(requested.capture)))
    .bind(column(&rows, |(_, change, _)| change.authorized))
    .bind(column(&rows, |(_, change, _)| change.captured))
    .bind(column(&rows, |(_, change, _)| change.voided))
    .bind(column(&rows, |(_, change, _)| change.refunded))
    .bind(column(&rows, |(_, change, _)| bigint(change.stamp.version.0)))
    .bind(column(&rows, |(_, change, _)| bigint(change.stamp.position.0)))
    .bind(column(&rows, |(.., requested)| requested.stamp.business_time()))
    .bind(column(&rows, |(_, change, _)| change.stamp.recorded_at))
    .execute(tx)
    .await
    .map_err(WriteError::doing("adding to payments"))?;
    Ok(())
}

async fn update(tx: &mut PgConnection, rows: &[(&PaymentId, &PaymentChange)]) -> Result<(), WriteError> {
    if rows.is_empty() {
        return Ok(());
    }
    let result = sqlx::query(
        "UPDATE payments p SET authorized = p.authorized + d.authorized, captured = p.captured + d.captured, \
         voided = p.voided + d.voided, refunded = p.refunded + d.refunded, version = d.version, \
         position = d.position, updated_at = d.updated_at \
         FROM UNNEST($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], \
         $8::timestamptz[]) \
         AS d(payment_id, authorized, captured, voided, refunded, version, position, updated_at) \
         WHERE p.payment_id = d.payment_id",
    )
    .bind(column(rows, |(id, _)| id.as_str()))
    .bind(column(rows, |(_, change)| change.authorized))
    .bind(column(rows, |(_, change)| change.captured))
    .bind(column(rows, |(_, change)| change.voided))
    .bind(column(rows, |(_, change)| change.refunded))
    .bind(column(rows, |(_, change)| bigint(change.stamp.version.0)))
    .bind(column(rows, |(_, change)| bigint(change.stamp.position.0)))
    .bind(column(rows, |(_, change)| change.stamp.recorded_at))
    .execute(tx)
    .await
    .map_err(WriteError::doing("changing payments"))?;
    all_found("payments", rows.len(), &result)
}

async fn insert_operations(tx: &mut PgConnection, operations: &[OperationRow]) -> Result<(), WriteError> {
    if operations.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = operations.iter().collect();
    sqlx::query(
        "INSERT INTO payment_operations (payment_id, position, kind, operation_id, cause, amount, at) \
         SELECT * FROM UNNEST($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::bigint[], \
         $7::timestamptz[])",
    )
    .bind(column(&rows, |row| row.payment_id.as_str()))
    .bind(column(&rows, |row| bigint(row.position.0)))
    .bind(column(&rows, |row| row.kind))
    .bind(column(&rows, |row| row.named.as_ref().map(|(id, _)| id.as_str())))
    .bind(column(&rows, |row| row.named.as_ref().map(|(_, cause)| cause_word(*cause))))
    .bind(column(&rows, |row| row.amount))
    .bind(column(&rows, |row| row.at))
    .execute(tx)
    .await
    .map_err(WriteError::doing("adding to payment_operations"))?;
    Ok(())
}
