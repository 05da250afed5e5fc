//! What can have happened to a product.

use crate::event::events;
use crate::ids::{OrderId, ProductId};
use crate::money::Money;
use crate::text::Text;

events! {
    /// What can have happened to a product.
    ProductEvent of product_id: ProductId;

    /// It came into the catalogue.
    ProductCreated = "product_created" v 1 {
        /// What people call it.
        name: Text,
        /// The price of one, without tax.
        unit_price: Money,
        /// The tax rate in basis points.
        tax_rate_bps: i64,
    }
    /// It has another price.
    PriceChanged = "price_changed" v 1 {
        /// The price of one, without tax.
        unit_price: Money,
    }
    /// Stock came in.
    StockReceived = "stock_received" v 1 {
        /// How many.
        quantity: i64,
    }
    /// The stock was corrected.
    StockAdjusted = "stock_adjusted" v 1 {
        /// By how many, up or down.
        quantity: i64,
        /// Why.
        reason: Text,
    }
    /// Stock was set aside for an order, at the price of that moment.
    StockReserved = "stock_reserved" v 1 {
        /// The order.
        order_id: OrderId,
        /// How many.
        quantity: i64,
        /// What people call it.
        name: Text,
        /// The price of one, without tax.
        unit_price: Money,
        /// The tax rate in basis points.
        tax_rate_bps: i64,
    }
    /// An order's stock was let go.
    StockReleased = "stock_released" v 1 {
        /// The order.
        order_id: OrderId,
        /// How many.
        quantity: i64,
    }
    /// An order's stock left the house.
    StockShipped = "stock_shipped" v 1 {
        /// The order.
        order_id: OrderId,
        /// How many.
        quantity: i64,
    }
    /// Returned goods are back in stock.
    ReturnRestocked = "return_restocked" v 1 {
        /// The order.
        order_id: OrderId,
        /// How many.
        quantity: i64,
    }
    /// It is no longer sold.
    ProductDiscontinued = "product_discontinued" v 1 {}
}
