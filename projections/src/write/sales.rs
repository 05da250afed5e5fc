//! Writes sales. What was cancelled or returned is worked out from the lines of the orders, which stand in the tables
//! by now, in this transaction.

use std::collections::HashMap;

use domain::ids::{CustomerId, OrderId, ProductId};
use domain::money::Amount;
use sqlx::PgConnection;

use super::{WriteError, all_found, column};
use crate::model::sales::{SalesChanges, SalesRows, SoldLine, SoldOrder, Sums};

pub(super) async fn write(tx: &mut PgConnection, sales: &SalesChanges) -> Result<(), WriteError> {
    let needed = sales.orders_needed();
    if needed.is_empty() {
        return write_rows(tx, &sales.rows).await;
    }
    let orders = read_orders(tx, &needed).await?;
    let settled = sales.settle(&orders).map_err(|unknown| WriteError::OrderMissing { order_id: unknown.order_id })?;
    write_rows(tx, &settled.rows).await?;
    write_values(tx, sales, &settled.values).await
}

async fn write_rows(tx: &mut PgConnection, sales: &SalesRows) -> Result<(), WriteError> {
    if sales.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = sales.iter().collect();
    // Sums go as text: they may be larger than the binary integers that PostgreSQL takes.
    let sold = |sum: fn(&Sums) -> i128| column(&rows, |(_, sales)| sum(&sales.sold).to_string());
    let cancelled = |sum: fn(&Sums) -> i128| column(&rows, |(_, sales)| sum(&sales.cancelled).to_string());
    let returned = |sum: fn(&Sums) -> i128| column(&rows, |(_, sales)| sum(&sales.returned).to_string());
    sqlx::query(
        "INSERT INTO sales AS s (cut, day, key, currency, orders, quantity, goods, tax, shipping, cancelled_orders, \
         cancelled_quantity, cancelled_goods, cancelled_tax, cancelled_shipping, returned_quantity, returned_goods, \
         returned_tax) \
         SELECT d.cut, d.day, d.key, d.currency, d.a::numeric, d.b::numeric, d.c::numeric, d.d::numeric, d.e::numeric, \
         d.f::numeric, d.g::numeric, d.h::numeric, d.i::numeric, d.j::numeric, d.k::numeric, d.l::numeric, \
         d.m::numeric \
         FROM UNNEST($1::text[], $2::date[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], \
         $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], \
         $17::text[]) AS d(cut, day, key, currency, a, b, c, d, e, f, g, h, i, j, k, l, m) \
         ON CONFLICT (cut, day, key, currency) DO UPDATE SET orders = s.orders + excluded.orders, \
         quantity = s.quantity + excluded.quantity, goods = s.goods + excluded.goods, tax = s.tax + excluded.tax, \
         shipping = s.shipping + excluded.shipping, \
         cancelled_orders = s.cancelled_orders + excluded.cancelled_orders, \
         cancelled_quantity = s.cancelled_quantity + excluded.cancelled_quantity, \
         cancelled_goods = s.cancelled_goods + excluded.cancelled_goods, \
         cancelled_tax = s.cancelled_tax + excluded.cancelled_tax, \
         cancelled_shipping = s.cancelled_shipping + excluded.cancelled_shipping, \
         returned_quantity = s.returned_quantity + excluded.returned_quantity, \
         returned_goods = s.returned_goods + excluded.returned_goods, \
         returned_tax = s.returned_tax + excluded.returned_tax",
    )
    .bind(column(&rows, |((cut, ..), _)| cut.parts().0))
    .bind(column(&rows, |((_, day, _), _)| *day))
    .bind(column(&rows, |((cut, ..), _)| cut.parts().1))
    .bind(column(&rows, |((.., currency), _)| currency.code()))
    .bind(sold(|sums| sums.orders))
    .bind(sold(|sums| sums.quantity))
    .bind(sold(|sums| sums.goods))
    .bind(sold(|sums| sums.tax))
    .bind(sold(|sums| sums.shipping))
    .bind(cancelled(|sums| sums.orders))
    .bind(cancelled(|sums| sums.quantity))
    .bind(cancelled(|sums| sums.goods))
    .bind(cancelled(|sums| sums.tax))
    .bind(cancelled(|sums| sums.shipping))
    .bind(returned(|sums| sums.quantity))
    .bind(returned(|sums| sums.goods))
    .bind(returned(|sums| sums.tax))
    .execute(tx)
    .await
    .map_err(WriteError::doing("writing sales"))?;
    Ok(())
}

type SoldRow = (String, String, String, i64, String, i64, i64, i64, i64);

async fn read_orders(tx: &mut PgConnection, needed: &[OrderId]) -> Result<HashMap<OrderId, SoldOrder>, WriteError> {
    let rows: Vec<SoldRow> = sqlx::query_as(
        "SELECT o.order_id, o.customer_id, o.currency, o.shipping, l.product_id, l.quantity, l.tax, l.total, l.returned \
         FROM UNNEST($1::text[]) AS d(order_id) JOIN orders o ON o.order_id = d.order_id \
         JOIN order_lines l ON l.order_id = d.order_id WHERE l.total IS NOT NULL",
    )
    .bind(needed.iter().map(|id| id.as_str()).collect::<Vec<_>>())
    .fetch_all(tx)
    .await
    .map_err(WriteError::doing("reading orders that were cancelled or came back"))?;
    let mut orders = HashMap::new();
    for row in rows {
        let (order_id, customer_id, currency, shipping, product_id, quantity, tax, total, returned) = row;
        let parsed = (|| {
            let order = SoldOrder {
                customer_id: CustomerId::new(&customer_id).ok()?,
                currency: currency.parse().ok()?,
                shipping: Amount::new(shipping).ok()?,
                lines: Default::default(),
            };
            let line = SoldLine { quantity, tax: Amount::new(tax).ok()?, total: Amount::new(total).ok()?, returned };
            Some((OrderId::new(&order_id).ok()?, order, ProductId::new(&product_id).ok()?, line))
        })();
        // A row that does not read back as what was written is as good as none; settling then names the order.
        let Some((order_id, order, product_id, line)) = parsed else { continue };
        orders.entry(order_id).or_insert(order).lines.insert(product_id, line);
    }
    Ok(orders)
}

/// Writes what the goods of returns are worth.
async fn write_values(tx: &mut PgConnection, sales: &SalesChanges, values: &[Amount]) -> Result<(), WriteError> {
    if values.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = sales.returned.iter().zip(values).collect();
    let result = sqlx::query(
        "UPDATE return_lines l SET value = d.value \
         FROM UNNEST($1::text[], $2::text[], $3::text[], $4::bigint[]) AS d(order_id, return_id, product_id, value) \
         WHERE l.order_id = d.order_id AND l.return_id = d.return_id AND l.product_id = d.product_id",
    )
    .bind(column(&rows, |(goods, _)| goods.order_id.as_str()))
    .bind(column(&rows, |(goods, _)| goods.return_id.as_str()))
    .bind(column(&rows, |(goods, _)| goods.product_id.as_str()))
    .bind(column(&rows, |(_, value)| value.minor_units()))
    .execute(tx)
    .await
    .map_err(WriteError::doing("writing the worth of returned goods"))?;
    all_found("return_lines", rows.len(), &result)
}
