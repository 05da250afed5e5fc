//! Writes returns and what is in them. What the lines of a return are worth is written along with the sales.

use std::collections::BTreeMap;

use domain::ids::{OrderId, ReturnId};
use sqlx::PgConnection;

use super::super::{WriteError, all_found, bigint, column};
use crate::model::returns::{ReturnChange, ReturnLineRow, status_word};

type Key = (OrderId, ReturnId);

pub(super) async fn write(
    tx: &mut PgConnection,
    returns: &BTreeMap<Key, ReturnChange>,
    lines: &[ReturnLineRow],
) -> Result<(), WriteError> {
    insert(tx, returns).await?;
    insert_lines(tx, lines).await?;
    let rows: Vec<_> = returns.iter().filter_map(|(key, change)| Some((key, change.closed.as_ref()?))).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let result = sqlx::query(
        "UPDATE returns r SET status = d.status, rejection_reason = d.rejection_reason, value = d.value, \
         closed_at = d.closed_at \
         FROM UNNEST($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::timestamptz[]) \
         AS d(order_id, return_id, status, rejection_reason, value, closed_at) \
         WHERE r.order_id = d.order_id AND r.return_id = d.return_id",
    )
    .bind(column(&rows, |((order_id, _), _)| order_id.as_str()))
    .bind(column(&rows, |((_, return_id), _)| return_id.as_str()))
    .bind(column(&rows, |(_, closed)| status_word(closed.status)))
    .bind(column(&rows, |(_, closed)| closed.rejection_reason.as_ref().map(|reason| reason.as_str())))
    .bind(column(&rows, |(_, closed)| closed.value.map(|value| value.minor_units())))
    .bind(column(&rows, |(_, closed)| closed.at))
    .execute(tx)
    .await
    .map_err(WriteError::doing("changing returns"))?;
    all_found("returns", rows.len(), &result)
}

async fn insert(tx: &mut PgConnection, returns: &BTreeMap<Key, ReturnChange>) -> Result<(), WriteError> {
    let rows: Vec<_> = returns.iter().filter_map(|(key, change)| Some((key, change.requested.as_ref()?))).collect();
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO returns (order_id, return_id, status, reason, position, requested_at) \
         SELECT d.order_id, d.return_id, 'requested', d.reason, d.position, d.requested_at \
         FROM UNNEST($1::text[], $2::text[], $3::text[], $4::bigint[], $5::timestamptz[]) \
         AS d(order_id, return_id, reason, position, requested_at)",
    )
    .bind(column(&rows, |((order_id, _), _)| order_id.as_str()))
    .bind(column(&rows, |((_, return_id), _)| return_id.as_str()))
    .bind(column(&rows, |(_, requested)| requested.reason.as_str()))
    .bind(column(&rows, |(_, requested)| bigint(requested.position.0)))
    .bind(column(&rows, |(_, requested)| requested.at))
    .execute(tx)
    .await
    .map_err(WriteError::doing("adding to returns"))?;
    Ok(())
}

async fn insert_lines(tx: &mut PgConnection, lines: &[ReturnLineRow]) -> Result<(), WriteError> {
    if lines.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = lines.iter().collect();
    sqlx::query(
        "INSERT INTO return_lines (order_id, return_id, product_id, quantity) \
         SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[], $4::bigint[])",
    )
    .bind(column(&rows, |line| line.order_id.as_str()))
    .bind(column(&rows, |line| line.return_id.as_str()))
    .bind(column(&rows, |line| line.product_id.as_str()))
    .bind(column(&rows, |line| line.quantity))
    .execute(tx)
    .await
    .map_err(WriteError::doing("adding to return_lines"))?;
    Ok(())
}
