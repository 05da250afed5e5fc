//! Shipments: what events change in their rows.

use chrono::{DateTime, Utc};
use domain::ids::{OrderId, Position, ProductId, ShipmentId};
use domain::order::OrderEvent;
use domain::text::Text;

use super::Changes;
use super::stamp::Stamp;

/// What changes in a shipment's row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ShipmentChange {
    pub(crate) shipped: Option<Shipped>,
    pub(crate) delivered_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shipped {
    pub(crate) carrier: Option<Text>,
    pub(crate) tracking: Option<Text>,
    pub(crate) position: Position,
    pub(crate) at: DateTime<Utc>,
}

/// Goods in a shipment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShipmentLineRow {
    pub(crate) order_id: OrderId,
    pub(crate) shipment_id: ShipmentId,
    pub(crate) product_id: ProductId,
    pub(crate) quantity: i64,
}

pub(super) fn apply(changes: &mut Changes, event: &OrderEvent, stamp: Stamp) {
    match event {
        OrderEvent::OrderShipped(e) => {
            let shipment = changes.shipments.entry((e.order_id.clone(), e.shipment_id.clone())).or_default();
            shipment.shipped = Some(Shipped {
                carrier: e.carrier.clone(),
                tracking: e.tracking.clone(),
                position: stamp.position,
                at: stamp.business_time(),
            });
            changes.shipment_lines.extend(e.lines.iter().map(|line| ShipmentLineRow {
                order_id: e.order_id.clone(),
                shipment_id: e.shipment_id.clone(),
                product_id: line.product_id.clone(),
                quantity: line.quantity,
            }));
        }
        OrderEvent::ShipmentDelivered(e) => {
            let shipment = changes.shipments.entry((e.order_id.clone(), e.shipment_id.clone())).or_default();
            shipment.delivered_at = Some(stamp.business_time());
        }
        _ => {}
    }
}
