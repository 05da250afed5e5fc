//! Writes the trial balance.

use sqlx::PgConnection;

use super::{WriteError, column};
use crate::model::ledger::LedgerChanges;

pub(super) async fn write(tx: &mut PgConnection, ledger: &LedgerChanges) -> Result<(), WriteError> {
    if ledger.0.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = ledger.0.iter().collect();
    // Sums go as text: they may be larger than the binary integers that PostgreSQL takes.
    sqlx::query(
        "INSERT INTO trial_balance (currency, ledger_account, debits, credits) \
         SELECT d.currency, d.ledger_account, d.debits::numeric, d.credits::numeric \
         FROM UNNEST($1::text[], $2::text[], $3::text[], $4::text[]) AS d(currency, ledger_account, debits, credits) \
         ON CONFLICT (currency, ledger_account) DO UPDATE SET \
         debits = trial_balance.debits + excluded.debits, credits = trial_balance.credits + excluded.credits",
    )
    .bind(column(&rows, |((currency, _), _)| currency.code()))
    .bind(column(&rows, |((_, line), _)| *line))
    .bind(column(&rows, |(_, turnover)| turnover.debits.to_string()))
    .bind(column(&rows, |(_, turnover)| turnover.credits.to_string()))
    .execute(tx)
    .await
    .map_err(WriteError::doing("writing trial_balance"))?;
    Ok(())
}
