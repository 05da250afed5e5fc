//! Writes lines of orders.

use std::collections::BTreeMap;

use domain::ids::{OrderId, ProductId};
use domain::money::Amount;
use domain::order::pricing::PricedLine;
use sqlx::PgConnection;

use super::super::{WriteError, bigint, column};
use crate::model::order_lines::{KeptLine, LineChange};

type Key = (OrderId, ProductId);

pub(super) async fn write(tx: &mut PgConnection, lines: &BTreeMap<Key, LineChange>) -> Result<(), WriteError> {
    let dropped: Vec<_> = lines.iter().filter(|(_, change)| change.dropped).map(|(key, _)| key).collect();
    drop_rows(tx, &dropped).await?;
    let kept: Vec<_> = lines.iter().filter_map(|(key, change)| Some((key, change.kept.as_ref()?))).collect();
    put_rows(tx, &kept).await
}

async fn drop_rows(tx: &mut PgConnection, keys: &[&Key]) -> Result<(), WriteError> {
    if keys.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "DELETE FROM order_lines l USING UNNEST($1::text[], $2::text[]) AS d(order_id, product_id) \
         WHERE l.order_id = d.order_id AND l.product_id = d.product_id",
    )
    .bind(column(keys, |(order_id, _)| order_id.as_str()))
    .bind(column(keys, |(_, product_id)| product_id.as_str()))
    .execute(tx)
    .await
    .map_err(WriteError::doing("removing from order_lines"))?;
    Ok(())
}

/// Changes the rows that are there and adds those that are not: a quantity that is added may be the first.
async fn put_rows(tx: &mut PgConnection, rows: &[(&Key, &KeptLine)]) -> Result<(), WriteError> {
    if rows.is_empty() {
        return Ok(());
    }
    let priced = |amount: fn(&PricedLine) -> Amount| {
        column(rows, |(_, line)| line.priced.as_ref().map(|priced| amount(priced).minor_units()))
    };
    sqlx::query(
        "WITH d AS (SELECT * FROM UNNEST($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], \
         $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], \
         $14::bigint[], $15::bigint[]) \
         AS d(order_id, product_id, added_position, quantity, more, name, unit_price, discount, tax_rate_bps, tax, \
         total, shipped, delivered, wanted_back, returned)), \
         changed AS (UPDATE order_lines l SET quantity = COALESCE(d.quantity, l.quantity) + d.more, \
         name = COALESCE(d.name, l.name), unit_price = COALESCE(d.unit_price, l.unit_price), \
         discount = COALESCE(d.discount, l.discount), tax_rate_bps = COALESCE(d.tax_rate_bps, l.tax_rate_bps), \
         tax = COALESCE(d.tax, l.tax), total = COALESCE(d.total, l.total), shipped = l.shipped + d.shipped, \
         delivered = l.delivered + d.delivered, wanted_back = l.wanted_back + d.wanted_back, \
         returned = l.returned + d.returned \
         FROM d WHERE l.order_id = d.order_id AND l.product_id = d.product_id RETURNING l.order_id, l.product_id) \
         INSERT INTO order_lines (order_id, product_id, added_position, quantity, name, unit_price, discount, \
         tax_rate_bps, tax, total, shipped, delivered, wanted_back, returned) \
         SELECT d.order_id, d.product_id, d.added_position, COALESCE(d.quantity, 0) + d.more, d.name, d.unit_price, \
         d.discount, d.tax_rate_bps, d.tax, d.total, d.shipped, d.delivered, d.wanted_back, d.returned FROM d \
         WHERE NOT EXISTS (SELECT FROM changed c WHERE c.order_id = d.order_id AND c.product_id = d.product_id)",
    )
    .bind(column(rows, |((order_id, _), _)| order_id.as_str()))
    .bind(column(rows, |((_, product_id), _)| product_id.as_str()))
    .bind(column(rows, |(_, line)| bigint(line.added.0)))
    .bind(column(rows, |(_, line)| line.quantity))
    .bind(column(rows, |(_, line)| line.more))
    .bind(column(rows, |(_, line)| line.priced.as_ref().map(|priced| priced.name.as_str())))
    .bind(priced(|line| line.unit_price))
    .bind(priced(|line| line.discount))
    .bind(column(rows, |(_, line)| line.priced.as_ref().map(|priced| priced.tax_rate_bps)))
    .bind(priced(|line| line.tax))
    .bind(priced(|line| line.total))
    .bind(column(rows, |(_, line)| line.shipped))
    .bind(column(rows, |(_, line)| line.delivered))
    .bind(column(rows, |(_, line)| line.returning))
    .bind(column(rows, |(_, line)| line.returned))
    .execute(tx)
    .await
    .map_err(WriteError::doing("writing order_lines"))?;
    Ok(())
}
