//! Writes shipments and what is in them.

use std::collections::BTreeMap;

use domain::ids::{OrderId, ShipmentId};
use sqlx::PgConnection;

use super::super::{WriteError, all_found, bigint, column};
use crate::model::shipments::{ShipmentChange, ShipmentLineRow};

type Key = (OrderId, ShipmentId);

pub(super) async fn write(
    tx: &mut PgConnection,
    shipments: &BTreeMap<Key, ShipmentChange>,
    lines: &[ShipmentLineRow],
) -> Result<(), WriteError> {
    let (new, known): (Vec<_>, Vec<_>) = shipments.iter().partition(|(_, change)| change.shipped.is_some());
    insert(tx, &new).await?;
    insert_lines(tx, lines).await?;
    if known.is_empty() {
        return Ok(());
    }
    let result = sqlx::query(
        "UPDATE shipments s SET delivered_at = d.delivered_at \
         FROM UNNEST($1::text[], $2::text[], $3::timestamptz[]) AS d(order_id, shipment_id, delivered_at) \
         WHERE s.order_id = d.order_id AND s.shipment_id = d.shipment_id",
    )
    .bind(column(&known, |((order_id, _), _)| order_id.as_str()))
    .bind(column(&known, |((_, shipment_id), _)| shipment_id.as_str()))
    .bind(column(&known, |(_, change)| change.delivered_at))
    .execute(tx)
    .await
    .map_err(WriteError::doing("changing shipments"))?;
    all_found("shipments", known.len(), &result)
}

async fn insert(tx: &mut PgConnection, rows: &[(&Key, &ShipmentChange)]) -> Result<(), WriteError> {
    let rows: Vec<_> =
        rows.iter().filter_map(|(key, change)| Some((*key, *change, change.shipped.as_ref()?))).collect();
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO shipments (order_id, shipment_id, carrier, tracking, position, shipped_at, delivered_at) \
         SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::timestamptz[], \
         $7::timestamptz[])",
    )
    .bind(column(&rows, |((order_id, _), ..)| order_id.as_str()))
    .bind(column(&rows, |((_, shipment_id), ..)| shipment_id.as_str()))
    .bind(column(&rows, |(.., shipped)| shipped.carrier.as_ref().map(|text| text.as_str())))
    .bind(column(&rows, |(.., shipped)| shipped.tracking.as_ref().map(|text| text.as_str())))
    .bind(column(&rows, |(.., shipped)| bigint(shipped.position.0)))
    .bind(column(&rows, |(.., shipped)| shipped.at))
    .bind(column(&rows, |(_, change, _)| change.delivered_at))
    .execute(tx)
    .await
    .map_err(WriteError::doing("adding to shipments"))?;
    Ok(())
}

async fn insert_lines(tx: &mut PgConnection, lines: &[ShipmentLineRow]) -> Result<(), WriteError> {
    if lines.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = lines.iter().collect();
    sqlx::query(
        "INSERT INTO shipment_lines (order_id, shipment_id, product_id, quantity) \
         SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[], $4::bigint[])",
    )
    .bind(column(&rows, |line| line.order_id.as_str()))
    .bind(column(&rows, |line| line.shipment_id.as_str()))
    .bind(column(&rows, |line| line.product_id.as_str()))
    .bind(column(&rows, |line| line.quantity))
    .execute(tx)
    .await
    .map_err(WriteError::doing("adding to shipment_lines"))?;
    Ok(())
}
