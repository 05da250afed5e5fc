//! Writes orders; their lines, shipments and returns have files of their own.

mod lines;
mod returns;
mod shipments;

use std::collections::BTreeMap;

use domain::ids::OrderId;
use sqlx::PgConnection;

use super::{WriteError, all_found, bigint, column};
use crate::model::Changes;
use crate::model::orders::OrderChange;

pub(super) async fn write(tx: &mut PgConnection, changes: &Changes) -> Result<(), WriteError> {
    if changes.orders.is_empty() {
        return Ok(());
    }
    insert(tx, &changes.orders).await?;
    update(tx, &changes.orders).await?;
    lines::write(tx, &changes.order_lines).await?;
    shipments::write(tx, &changes.shipments, &changes.shipment_lines).await?;
    returns::write(tx, &changes.returns, &changes.return_lines).await
}

/// Adds the orders that were started, as empty carts; the change that follows brings them up to date.
async fn insert(tx: &mut PgConnection, orders: &BTreeMap<OrderId, OrderChange>) -> Result<(), WriteError> {
    let rows: Vec<_> = orders.iter().filter_map(|(id, change)| Some((id, change.started.as_ref()?))).collect();
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO orders (order_id, customer_id, currency, status, ordered_at, started_at, version, position, \
         updated_at) \
         SELECT d.order_id, d.customer_id, d.currency, 'draft', d.started_at, d.started_at, 0, 0, d.started_at \
         FROM UNNEST($1::text[], $2::text[], $3::text[], $4::timestamptz[]) \
         AS d(order_id, customer_id, currency, started_at)",
    )
    .bind(column(&rows, |(id, _)| id.as_str()))
    .bind(column(&rows, |(_, started)| started.customer_id.as_str()))
    .bind(column(&rows, |(_, started)| started.currency.code()))
    .bind(column(&rows, |(_, started)| started.stamp.business_time()))
    .execute(tx)
    .await
    .map_err(WriteError::doing("adding to orders"))?;
    Ok(())
}

async fn update(tx: &mut PgConnection, orders: &BTreeMap<OrderId, OrderChange>) -> Result<(), WriteError> {
    let rows: Vec<_> = orders.iter().collect();
    let result = sqlx::query(
        "UPDATE orders o SET status = COALESCE(d.status, o.status), \
         ordered_at = COALESCE(d.placed_at, o.ordered_at), placed_at = COALESCE(d.placed_at, o.placed_at), \
         cancelled_at = COALESCE(d.cancelled_at, o.cancelled_at), \
         cancel_reason = COALESCE(d.cancel_reason, o.cancel_reason), \
         shipping_method = COALESCE(d.shipping_method, o.shipping_method), \
         shipping = COALESCE(d.shipping, o.shipping), subtotal = COALESCE(d.subtotal, o.subtotal), \
         discount = COALESCE(d.discount, o.discount), tax = COALESCE(d.tax, o.tax), \
         total = COALESCE(d.total, o.total), pieces = COALESCE(d.pieces, o.pieces), \
         pieces_shipped = o.pieces_shipped + d.shipped, pieces_delivered = o.pieces_delivered + d.delivered, \
         pieces_returned = o.pieces_returned + d.returned, credited = o.credited + d.credited, \
         capturable = o.capturable + d.capturable, captured = o.captured + d.captured, \
         refunded = o.refunded + d.refunded, \
         version = d.version, position = d.position, updated_at = d.updated_at \
         FROM UNNEST($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::text[], $6::text[], \
         $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], \
         $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[], $19::bigint[], $20::bigint[], \
         $21::bigint[], $22::timestamptz[]) \
         AS d(order_id, status, placed_at, cancelled_at, cancel_reason, shipping_method, shipping, subtotal, discount, \
         tax, total, pieces, shipped, delivered, returned, credited, capturable, captured, refunded, version, position, \
         updated_at) \
         WHERE o.order_id = d.order_id",
    )
    .bind(column(&rows, |(id, _)| id.as_str()))
    .bind(column(&rows, |(_, change)| change.status.map(|status| status.as_str())))
    .bind(column(&rows, |(_, change)| change.placed.as_ref().map(|placed| placed.at)))
    .bind(column(&rows, |(_, change)| change.cancelled.as_ref().map(|(_, at)| *at)))
    .bind(column(&rows, |(_, change)| change.cancelled.as_ref().map(|(reason, _)| reason.as_str())))
    .bind(column(&rows, |(_, change)| change.shipping.as_ref().map(|(method, _)| method.as_str())))
    .bind(column(&rows, |(_, change)| change.shipping.as_ref().map(|(_, cost)| cost.minor_units())))
    .bind(column(&rows, |(_, change)| change.placed.as_ref().map(|placed| placed.subtotal.minor_units())))
    .bind(column(&rows, |(_, change)| change.placed.as_ref().map(|placed| placed.discount.minor_units())))
    .bind(column(&rows, |(_, change)| change.placed.as_ref().map(|placed| placed.tax.minor_units())))
    .bind(column(&rows, |(_, change)| change.placed.as_ref().map(|placed| placed.total.minor_units())))
    .bind(column(&rows, |(_, change)| change.placed.as_ref().map(|placed| placed.pieces)))
    .bind(column(&rows, |(_, change)| change.pieces_shipped))
    .bind(column(&rows, |(_, change)| change.pieces_delivered))
    .bind(column(&rows, |(_, change)| change.pieces_returned))
    .bind(column(&rows, |(_, change)| change.credited))
    .bind(column(&rows, |(_, change)| change.capturable))
    .bind(column(&rows, |(_, change)| change.captured))
    .bind(column(&rows, |(_, change)| change.refunded))
    .bind(column(&rows, |(_, change)| bigint(change.stamp.version.0)))
    .bind(column(&rows, |(_, change)| bigint(change.stamp.position.0)))
    .bind(column(&rows, |(_, change)| change.stamp.recorded_at))
    .execute(tx)
    .await
    .map_err(WriteError::doing("changing orders"))?;
    all_found("orders", rows.len(), &result)
}
