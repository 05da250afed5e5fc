//! Writes transfers.

use std::collections::BTreeMap;

use domain::ids::TransferId;
use sqlx::PgConnection;

use super::copy::{CopyRows, copy};
use super::{WriteError, all_found, bigint, column};
use crate::model::transfers::{Sent, TransferChange};

const COPY: &str = "COPY transfers (transfer_id, from_account_id, to_account_id, amount, currency, reference, sent_at, \
                    sent_position, received_position, reversed_at, reversed_position, reversal_reason) \
                    FROM STDIN (FORMAT binary)";
const COLUMNS: i16 = 12;

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
    copy(tx, "copying into transfers", COPY, rows, |copy, (id, change, sent)| put(copy, id, change, sent)).await
}

fn put(copy: &mut CopyRows, transfer_id: &TransferId, change: &TransferChange, sent: &Sent) {
    let reversed = change.reversed.as_ref();
    copy.row(COLUMNS)
        .text(transfer_id.as_str())
        .text(sent.from.as_str())
        .text(sent.to.as_str())
        .bigint(sent.amount.amount.minor_units())
        .text(sent.amount.currency.code())
        .optional(sent.reference.as_ref(), |copy, text| copy.text(text.as_str()))
        .time(sent.at)
        .bigint(bigint(sent.position.0))
        .optional(change.received, |copy, position| copy.bigint(bigint(position.0)))
        .optional(reversed, |copy, reversed| copy.time(reversed.at))
        .optional(reversed, |copy, reversed| copy.bigint(bigint(reversed.position.0)))
        .optional(reversed, |copy, reversed| copy.text(reversed.reason.as_str()));
}
