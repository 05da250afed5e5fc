//! A product's state and how events change it.

use serde::{Deserialize, Serialize};

use super::event::ProductEvent;
use crate::fork_map::ForkMap;
use crate::ids::OrderId;
use crate::money::Money;
use crate::text::Text;

/// A product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// What people call it.
    pub name: Text,
    /// The price of one, without tax.
    pub unit_price: Money,
    /// The tax rate in basis points.
    pub tax_rate_bps: i64,
    /// How many are in the house.
    pub on_hand: i64,
    /// How many of them are set aside; never more than are on hand.
    pub reserved: i64,
    /// How many are set aside for which order.
    pub reserved_by_order: ForkMap<OrderId, i64>,
    /// Whether it is no longer sold.
    pub discontinued: bool,
}

impl Product {
    /// How many can still be reserved.
    #[must_use]
    pub fn available(&self) -> i64 {
        self.on_hand.saturating_sub(self.reserved)
    }

    /// How many are set aside for an order.
    #[must_use]
    pub fn reserved_for(&self, order_id: &OrderId) -> i64 {
        self.reserved_by_order.get(order_id).copied().unwrap_or(0)
    }

    // The rules keep counts far from the ends of an i64. That events which break the rules saturate them is of no
    // meaning, but a reader that panics would lose everything after such an event.

    fn stock(&mut self, quantity: i64) {
        self.on_hand = self.on_hand.saturating_add(quantity);
    }

    fn unreserve(&mut self, order_id: &OrderId, quantity: i64) {
        let left = self.reserved_for(order_id).saturating_sub(quantity);
        if left > 0 {
            self.reserved_by_order.insert(order_id.clone(), left);
        } else {
            self.reserved_by_order.remove(order_id);
        }
        self.reserved = self.reserved.saturating_sub(quantity);
    }
}

pub(super) fn evolve(state: &mut Option<Product>, event: &ProductEvent) {
    if let (ProductEvent::ProductCreated(e), None) = (event, &state) {
        *state = Some(Product {
            name: e.name.clone(),
            unit_price: e.unit_price,
            tax_rate_bps: e.tax_rate_bps,
            on_hand: 0,
            reserved: 0,
            reserved_by_order: ForkMap::default(),
            discontinued: false,
        });
        return;
    }
    let Some(product) = state else { return };
    match event {
        ProductEvent::ProductCreated(_) => {}
        ProductEvent::PriceChanged(e) => product.unit_price = e.unit_price,
        ProductEvent::StockReceived(e) => product.stock(e.quantity),
        ProductEvent::StockAdjusted(e) => product.stock(e.quantity),
        ProductEvent::StockReserved(e) => {
            let reserved = product.reserved_for(&e.order_id).saturating_add(e.quantity);
            product.reserved_by_order.insert(e.order_id.clone(), reserved);
            product.reserved = product.reserved.saturating_add(e.quantity);
        }
        ProductEvent::StockReleased(e) => product.unreserve(&e.order_id, e.quantity),
        ProductEvent::StockShipped(e) => {
            product.unreserve(&e.order_id, e.quantity);
            product.on_hand = product.on_hand.saturating_sub(e.quantity);
        }
        ProductEvent::ReturnRestocked(e) => product.stock(e.quantity),
        ProductEvent::ProductDiscontinued(_) => product.discontinued = true,
    }
}
