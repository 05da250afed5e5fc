//! Writes transfers.

use std::collections::BTreeMap;

use domain::ids::TransferId;
use sqlx::PgConnection;

use super::copy::{CopyRows, copy};
use super::{WriteError, bigint, column};
use crate::model::transfers::{Sent, TransferChange};

const COPY: &str = "COPY transfers (transfer_id, from_account_id, to_account_id, amount, currency, reference, sent_at, \
                    sent_position, received_position, reversed_at, reversed_position, reversal_reason) \
                    FROM STDIN (FORMAT binary)";
const COLUMNS: i16 = 12;

pub(super) async fn write(
    tx: &mut PgConnection,
    transfers: &BTreeMap<TransferId, TransferChange>,
) -> Result<(), WriteError> {
    // Its sending is the first event of a transfer on one account, its arrival that on the other: with both at hand,
    // nothing of it can have been written before.
    let (new, others): (Vec<_>, Vec<_>) =
        transfers.iter().partition(|(_, change)| change.sent.is_some() && change.received.is_some());
    insert(tx, &new).await?;
    merge(tx, &others).await
}

/// Adds what is known of transfers, or adds to what was known before, whichever of the two accounts told first.
async fn merge(tx: &mut PgConnection, rows: &[(&TransferId, &TransferChange)]) -> Result<(), WriteError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO transfers AS t (transfer_id, from_account_id, to_account_id, amount, currency, reference, \
         sent_at, sent_position, received_position, reversed_at, reversed_position, reversal_reason) \
         SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], \
         $7::timestamptz[], $8::bigint[], $9::bigint[], $10::timestamptz[], $11::bigint[], $12::text[]) \
         ON CONFLICT (transfer_id) DO UPDATE SET \
         from_account_id = COALESCE(excluded.from_account_id, t.from_account_id), \
         to_account_id = COALESCE(excluded.to_account_id, t.to_account_id), \
         amount = COALESCE(excluded.amount, t.amount), currency = COALESCE(excluded.currency, t.currency), \
         reference = COALESCE(excluded.reference, t.reference), sent_at = COALESCE(excluded.sent_at, t.sent_at), \
         sent_position = COALESCE(excluded.sent_position, t.sent_position), \
         received_position = COALESCE(excluded.received_position, t.received_position), \
         reversed_at = COALESCE(excluded.reversed_at, t.reversed_at), \
         reversed_position = COALESCE(excluded.reversed_position, t.reversed_position), \
         reversal_reason = COALESCE(excluded.reversal_reason, t.reversal_reason)",
    )
    .bind(column(rows, |(id, _)| id.as_str()))
    .bind(column(rows, |(_, change)| change.sent.as_ref().map(|sent| sent.from.as_str())))
    .bind(column(rows, |(_, change)| change.sent.as_ref().map(|sent| sent.to.as_str())))
    .bind(column(rows, |(_, change)| change.sent.as_ref().map(|sent| sent.amount.amount.minor_units())))
    .bind(column(rows, |(_, change)| change.sent.as_ref().map(|sent| sent.amount.currency.code())))
    .bind(column(rows, |(_, change)| change.sent.as_ref().and_then(|sent| Some(sent.reference.as_ref()?.as_str()))))
    .bind(column(rows, |(_, change)| change.sent.as_ref().map(|sent| sent.at)))
    .bind(column(rows, |(_, change)| change.sent.as_ref().map(|sent| bigint(sent.position.0))))
    .bind(column(rows, |(_, change)| change.received.map(|position| bigint(position.0))))
    .bind(column(rows, |(_, change)| change.reversed.as_ref().map(|reversed| reversed.at)))
    .bind(column(rows, |(_, change)| change.reversed.as_ref().map(|reversed| bigint(reversed.position.0))))
    .bind(column(rows, |(_, change)| change.reversed.as_ref().map(|reversed| reversed.reason.as_str())))
    .execute(tx)
    .await
    .map_err(WriteError::doing("writing transfers"))?;
    Ok(())
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
