//! Products and their stock: what events change in their rows.

use domain::money::Money;
use domain::product::ProductEvent;
use domain::text::Text;

use super::Changes;
use super::stamp::Stamp;

/// What changes in a product's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProductChange {
    /// There where the product was created by one of the events.
    pub(crate) created: Option<Created>,
    pub(crate) unit_price: Option<Money>,
    pub(crate) on_hand: i64,
    pub(crate) reserved: i64,
    pub(crate) discontinued: bool,
    /// Of the last event.
    pub(crate) stamp: Stamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Created {
    pub(crate) name: Text,
    pub(crate) unit_price: Money,
    pub(crate) tax_rate_bps: i64,
    pub(crate) stamp: Stamp,
}

pub(super) fn apply(changes: &mut Changes, event: &ProductEvent, stamp: Stamp) {
    let product = changes.products.entry(event.product_id().clone()).or_insert_with(|| ProductChange {
        created: None,
        unit_price: None,
        on_hand: 0,
        reserved: 0,
        discontinued: false,
        stamp,
    });
    product.stamp = stamp;
    match event {
        ProductEvent::ProductCreated(e) => {
            let (name, unit_price, tax_rate_bps) = (e.name.clone(), e.unit_price, e.tax_rate_bps);
            product.created = Some(Created { name, unit_price, tax_rate_bps, stamp });
        }
        ProductEvent::PriceChanged(e) => product.unit_price = Some(e.unit_price),
        ProductEvent::StockReceived(e) => product.on_hand += e.quantity,
        ProductEvent::StockAdjusted(e) => product.on_hand += e.quantity,
        ProductEvent::StockReserved(e) => product.reserved += e.quantity,
        ProductEvent::StockReleased(e) => product.reserved -= e.quantity,
        ProductEvent::StockShipped(e) => {
            product.reserved -= e.quantity;
            product.on_hand -= e.quantity;
        }
        ProductEvent::ReturnRestocked(e) => product.on_hand += e.quantity,
        ProductEvent::ProductDiscontinued(_) => product.discontinued = true,
    }
}
