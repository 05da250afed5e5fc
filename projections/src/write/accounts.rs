//! Writes accounts and holds.

use std::collections::{BTreeMap, HashMap};

use domain::ids::{AccountId, HoldId};
use sqlx::PgConnection;

use super::{WriteError, all_found, bigint, column};
use crate::model::accounts::{AccountChange, status_word};
use crate::model::holds::HoldChange;

/// Writes accounts and gives the balance that each had before, in minor units.
pub(super) async fn write<'a>(
    tx: &mut PgConnection,
    accounts: &'a BTreeMap<AccountId, AccountChange>,
) -> Result<HashMap<&'a AccountId, i64>, WriteError> {
    let (new, known): (Vec<_>, Vec<_>) = accounts.iter().partition(|(_, change)| change.opened.is_some());
    let mut opening_balances: HashMap<_, _> = new.iter().map(|(id, _)| (*id, 0)).collect();
    insert(tx, &new).await?;
    for (index, balance) in update(tx, &known).await? {
        let (id, change) = known[index];
        opening_balances.insert(id, balance - change.balance);
    }
    Ok(opening_balances)
}

async fn insert(tx: &mut PgConnection, rows: &[(&AccountId, &AccountChange)]) -> Result<(), WriteError> {
    let rows: Vec<_> = rows.iter().filter_map(|(id, change)| Some((*id, *change, change.opened.as_ref()?))).collect();
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO accounts (account_id, owner_id, currency, status, balance, held, version, position, \
         opened_position, opened_at, recorded_at, updated_at) \
         SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], \
         $7::bigint[], $8::bigint[], $9::bigint[], $10::timestamptz[], $11::timestamptz[], \
         $12::timestamptz[])",
    )
    .bind(column(&rows, |(id, ..)| id.as_str()))
    .bind(column(&rows, |(.., opened)| opened.owner_id.as_str()))
    .bind(column(&rows, |(.., opened)| opened.currency.code()))
    .bind(column(&rows, |(_, change, _)| change.status.map(status_word)))
    .bind(column(&rows, |(_, change, _)| change.balance))
    .bind(column(&rows, |(_, change, _)| change.held))
    .bind(column(&rows, |(_, change, _)| bigint(change.stamp.version.0)))
    .bind(column(&rows, |(_, change, _)| bigint(change.stamp.position.0)))
    .bind(column(&rows, |(.., opened)| bigint(opened.stamp.position.0)))
    .bind(column(&rows, |(.., opened)| opened.stamp.business_time()))
    .bind(column(&rows, |(.., opened)| opened.stamp.recorded_at))
    .bind(column(&rows, |(_, change, _)| change.stamp.recorded_at))
    .execute(tx)
    .await
    .map_err(WriteError::doing("adding to accounts"))?;
    Ok(())
}

/// Changes accounts and gives, for each by its index, the balance it has now.
async fn update(tx: &mut PgConnection, rows: &[(&AccountId, &AccountChange)]) -> Result<Vec<(usize, i64)>, WriteError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let balances: Vec<(i64, i64)> = sqlx::query_as(
        "UPDATE accounts a SET balance = a.balance + d.balance, held = a.held + d.held, \
         status = COALESCE(d.status, a.status), version = d.version, position = d.position, updated_at = d.updated_at \
         FROM UNNEST($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[], \
         $7::timestamptz[]) WITH ORDINALITY \
         AS d(account_id, balance, held, status, version, position, updated_at, number) \
         WHERE a.account_id = d.account_id RETURNING d.number, a.balance",
    )
    .bind(column(rows, |(id, _)| id.as_str()))
    .bind(column(rows, |(_, change)| change.balance))
    .bind(column(rows, |(_, change)| change.held))
    .bind(column(rows, |(_, change)| change.status.map(status_word)))
    .bind(column(rows, |(_, change)| bigint(change.stamp.version.0)))
    .bind(column(rows, |(_, change)| bigint(change.stamp.position.0)))
    .bind(column(rows, |(_, change)| change.stamp.recorded_at))
    .fetch_all(tx)
    .await
    .map_err(WriteError::doing("changing accounts"))?;
    if balances.len() < rows.len() {
        let missing = (rows.len() - balances.len()) as u64;
        return Err(WriteError::RowMissing { table: "accounts", missing });
    }
    // Ordinality counts from 1.
    Ok(balances.into_iter().map(|(number, balance)| (number as usize - 1, balance)).collect())
}

/// Writes holds.
pub(super) async fn write_holds(
    tx: &mut PgConnection,
    holds: &BTreeMap<(AccountId, HoldId), HoldChange>,
) -> Result<(), WriteError> {
    let (new, known): (Vec<_>, Vec<_>) = holds.iter().partition(|(_, change)| change.placed.is_some());
    insert_holds(tx, &new).await?;
    if known.is_empty() {
        return Ok(());
    }
    let result = sqlx::query(
        "UPDATE holds h SET captured = h.captured + d.captured, released = h.released + d.released, \
         remaining = h.remaining - d.captured - d.released, updated_at = d.updated_at \
         FROM UNNEST($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::timestamptz[]) \
         AS d(account_id, hold_id, captured, released, updated_at) \
         WHERE h.account_id = d.account_id AND h.hold_id = d.hold_id",
    )
    .bind(column(&known, |((account_id, _), _)| account_id.as_str()))
    .bind(column(&known, |((_, hold_id), _)| hold_id.as_str()))
    .bind(column(&known, |(_, change)| change.captured))
    .bind(column(&known, |(_, change)| change.released))
    .bind(column(&known, |(_, change)| change.stamp.recorded_at))
    .execute(tx)
    .await
    .map_err(WriteError::doing("changing holds"))?;
    all_found("holds", known.len(), &result)
}

async fn insert_holds(tx: &mut PgConnection, rows: &[(&(AccountId, HoldId), &HoldChange)]) -> Result<(), WriteError> {
    let rows: Vec<_> = rows.iter().filter_map(|(key, change)| Some((*key, *change, change.placed.as_ref()?))).collect();
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO holds (account_id, hold_id, currency, amount, captured, released, remaining, payment_id, \
         placed_at, updated_at) \
         SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], \
         $7::bigint[], $8::text[], $9::timestamptz[], $10::timestamptz[])",
    )
    .bind(column(&rows, |(key, ..)| key.0.as_str()))
    .bind(column(&rows, |(key, ..)| key.1.as_str()))
    .bind(column(&rows, |(.., placed)| placed.currency.code()))
    .bind(column(&rows, |(.., placed)| placed.amount))
    .bind(column(&rows, |(_, change, _)| change.captured))
    .bind(column(&rows, |(_, change, _)| change.released))
    .bind(column(&rows, |(_, change, placed)| placed.amount - change.captured - change.released))
    .bind(column(&rows, |(.., placed)| placed.payment_id.as_ref().map(|id| id.as_str())))
    .bind(column(&rows, |(.., placed)| placed.stamp.business_time()))
    .bind(column(&rows, |(_, change, _)| change.stamp.recorded_at))
    .execute(tx)
    .await
    .map_err(WriteError::doing("adding to holds"))?;
    Ok(())
}
