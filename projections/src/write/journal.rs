//! Writes the journal, by COPY: it has by far the most rows.

use std::collections::HashMap;

use domain::ids::AccountId;
use sqlx::PgConnection;

use super::copy::{CopyRows, copy};
use super::{WriteError, bigint};
use crate::model::journal::JournalRow;

const COPY: &str = "COPY journal (position, amount, balance_after, recorded_at, effective_at, leg, account_id, currency, \
                    ledger_account, counterpart, event_type, transfer_id, payment_id, hold_id, reference) \
                    FROM STDIN (FORMAT binary)";
const COLUMNS: i16 = 15;

/// Writes rows; `opening_balances` is what each account had before the first of them.
pub(super) async fn write(
    tx: &mut PgConnection,
    rows: &[JournalRow],
    opening_balances: &HashMap<&AccountId, i64>,
) -> Result<(), WriteError> {
    if rows.is_empty() {
        return Ok(());
    }
    // In the order of the index: its pages are visited once each, and an account's rows lie together.
    let mut rows: Vec<_> = rows.iter().collect();
    rows.sort_by(|one, other| one.account_id.cmp(&other.account_id));
    copy(tx, "copying into journal", COPY, rows, |copy, row| {
        let opening = opening_balances.get(&row.account_id).copied().unwrap_or(0);
        put(copy, row, opening + row.moved);
    })
    .await
}

fn put(copy: &mut CopyRows, row: &JournalRow, balance_after: i64) {
    let about = &row.about;
    copy.row(COLUMNS)
        .bigint(bigint(row.stamp.position.0))
        .bigint(row.amount)
        .bigint(balance_after)
        .time(row.stamp.recorded_at)
        .optional(row.stamp.effective_at, CopyRows::time)
        .smallint(row.leg as i16)
        .text(row.account_id.as_str())
        .text(row.currency.code())
        .text(row.ledger_account.as_str())
        .text(about.counterpart.as_ref().map_or("external:cash", |id| id.as_str()))
        .text(row.event_type)
        .optional(about.transfer_id.as_ref(), |copy, id| copy.text(id.as_str()))
        .optional(about.payment_id.as_ref(), |copy, id| copy.text(id.as_str()))
        .optional(about.hold_id.as_ref(), |copy, id| copy.text(id.as_str()))
        .optional(about.reference.as_ref(), |copy, text| copy.text(text.as_str()));
}
