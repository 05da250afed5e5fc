//! Writes transfers.

use std::collections::BTreeMap;

use domain::ids::TransferId;
use sqlx::PgConnection;

use super::{WriteError, all_found, bigint, column};
use crate::model::transfers::TransferChange;

pub(super) async fn write(
    tx: &mut PgConnection,
    transfers: &BTreeMap<TransferId, TransferChange>,
) -> Result<(), WriteError> {
    let (new, known): (Vec<_>, Vec<_>) = transfers.iter().partition(|(_, change)| change.sent.is_some());
    insert(tx, &new).await?;
    if known.is_empty() {
        return Ok(());
    }
    let result = sqlx::query(
        "UPDATE transfers t SET received_position = COALESCE(d.received_position, t.received_position), \
         reversed_at = COALESCE(d.reversed_at, t.reversed_at), \
         reversed_position = COALESCE(d.reversed_position, t.reversed_position), \
         reversal_reason = COALESCE(d.reversal_reason, t.reversal_reason) \
         FROM UNNEST($1::text[], $2::bigint[], $3::timestamptz[], $4::bigint[], $5::text[]) \
         AS d(transfer_id, received_position, reversed_at, reversed_position, reversal_reason) \
         WHERE t.transfer_id = d.transfer_id",
    )
    .bind(column(&known, |(id, _)| id.as_str()))
    .bind(column(&known, |(_, change)| change.received.map(|position| bigint(position.0))))
    .bind(column(&known, |(_, change)| change.reversed.as_ref().map(|reversed| reversed.at)))
    .bind(column(&known, |(_, change)| change.reversed.as_ref().map(|reversed| bigint(reversed.position.0))))
    .bind(column(&known, |(_, change)| change.reversed.as_ref().map(|reversed| reversed.reason.as_str())))
    .execute(tx)
    .await
    .map_err(WriteError::doing("changing transfers"))?;
    all_found("transfers", known.len(), &result)
}

async fn insert(tx: &mut PgConnection, rows: &[(&TransferId, &TransferChange)]) -> Result<(), WriteError> {
    let rows: Vec<_> = rows.iter().filter_map(|(id, change)| Some((*id, *change, change.sent.as_ref()?))).collect();
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO transfers (transfer_id, from_account_id, to_account_id, amount, currency, reference, sent_at, \
         sent_position, received_position, reversed_at, reversed_position, reversal_reason) \
         SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], \
         $7::timestamptz[], $8::bigint[], $9::bigint[], $10::timestamptz[], $11::bigint[], $12::text[])",
    )
    .bind(column(&rows, |(id, ..)| id.as_str()))
    .bind(column(&rows, |(.., sent)| sent.from.as_str()))
    .bind(column(&rows, |(.., sent)| sent.to.as_str()))
    .bind(column(&rows, |(.., sent)| sent.amount.amount.minor_units()))
    .bind(column(&rows, |(.., sent)| sent.amount.currency.code()))
    .bind(column(&rows, |(.., sent)| sent.reference.as_ref().map(|text| text.as_str())))
    .bind(column(&rows, |(.., sent)| sent.at))
    .bind(column(&rows, |(.., sent)| bigint(sent.position.0)))
    .bind(column(&rows, |(_, change, _)| change.received.map(|position| bigint(position.0))))
    .bind(column(&rows, |(_, change, _)| change.reversed.as_ref().map(|reversed| reversed.at)))
    .bind(column(&rows, |(_, change, _)| change.reversed.as_ref().map(|reversed| bigint(reversed.position.0))))
    .bind(column(&rows, |(_, change, _)| change.reversed.as_ref().map(|reversed| reversed.reason.as_str())))
    .execute(tx)
    .await
    .map_err(WriteError::doing("adding to transfers"))?;
    Ok(())
}
