//! Writes products.

use std::collections::BTreeMap;

use domain::ids::ProductId;
use sqlx::PgConnection;

use super::{WriteError, all_found, bigint, column};
use crate::model::products::ProductChange;

pub(super) async fn write(
    tx: &mut PgConnection,
    products: &BTreeMap<ProductId, ProductChange>,
) -> Result<(), WriteError> {
    if products.is_empty() {
        return Ok(());
    }
    insert(tx, products).await?;
    let rows: Vec<_> = products.iter().collect();
    let result = sqlx::query(
        "UPDATE products p SET unit_price = COALESCE(d.unit_price, p.unit_price), \
         currency = COALESCE(d.currency, p.currency), on_hand = p.on_hand + d.on_hand, \
         reserved = p.reserved + d.reserved, discontinued = p.discontinued OR d.discontinued, version = d.version, \
         position = d.position, updated_at = d.updated_at \
         FROM UNNEST($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::boolean[], $7::bigint[], \
         $8::bigint[], $9::timestamptz[]) AS d(product_id, unit_price, currency, on_hand, reserved, discontinued, \
         version, position, updated_at) \
         WHERE p.product_id = d.product_id",
    )
    .bind(column(&rows, |(id, _)| id.as_str()))
    .bind(column(&rows, |(_, change)| change.unit_price.map(|price| price.amount.minor_units())))
    .bind(column(&rows, |(_, change)| change.unit_price.as_ref().map(|price| price.currency.code())))
    .bind(column(&rows, |(_, change)| change.on_hand))
    .bind(column(&rows, |(_, change)| change.reserved))
    .bind(column(&rows, |(_, change)| change.discontinued))
    .bind(column(&rows, |(_, change)| bigint(change.stamp.version.0)))
    .bind(column(&rows, |(_, change)| bigint(change.stamp.position.0)))
    .bind(column(&rows, |(_, change)| change.stamp.recorded_at))
    .execute(tx)
    .await
    .map_err(WriteError::doing("changing products"))?;
    all_found("products", rows.len(), &result)
}

/// Adds the products that were created, as they were at first; the change that follows brings them up to date.
async fn insert(tx: &mut PgConnection, products: &BTreeMap<ProductId, ProductChange>) -> Result<(), WriteError> {
    let rows: Vec<_> = products.iter().filter_map(|(id, change)| Some((id, change.created.as_ref()?))).collect();
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO products (product_id, name, unit_price, currency, tax_rate_bps, on_hand, reserved, discontinued, \
         version, position, created_at, updated_at) \
         SELECT d.product_id, d.name, d.unit_price, d.currency, d.tax_rate_bps, 0, 0, false, 0, 0, d.created_at, \
         d.created_at \
         FROM UNNEST($1::text[], $2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::timestamptz[]) \
         AS d(product_id, name, unit_price, currency, tax_rate_bps, created_at)",
    )
    .bind(column(&rows, |(id, _)| id.as_str()))
    .bind(column(&rows, |(_, created)| created.name.as_str()))
    .bind(column(&rows, |(_, created)| created.unit_price.amount.minor_units()))
    .bind(column(&rows, |(_, created)| created.unit_price.currency.code()))
    .bind(column(&rows, |(_, created)| created.tax_rate_bps))
    .bind(column(&rows, |(_, created)| created.stamp.business_time()))
    .execute(tx)
    .await
    .map_err(WriteError::doing("adding to products"))?;
    Ok(())
}
