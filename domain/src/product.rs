//! The product aggregate: what is sold, at which price, and how much of it there is.
//! Reserved stock never exceeds stock on hand, so two orders never get the same last item.

mod decide;
pub mod event;
pub mod state;

pub use event::ProductEvent;
pub use state::Product;

use crate::ids::OrderId;
use crate::money::Money;
use crate::text::Text;

/// What can be asked of a product. The last group is asked by process managers only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProductCommand {
    /// Brings the product into the catalogue.
    Create {
        /// What people call it.
        name: Text,
        /// The price of one, without tax.
        unit_price: Money,
        /// The tax rate in basis points: 825 is 8.25 %.
        tax_rate_bps: i64,
    },
    /// Sets another price.
    ChangePrice {
        /// The price of one, without tax.
        unit_price: Money,
    },
    /// Brings stock in.
    ReceiveStock {
        /// How many.
        quantity: i64,
    },
    /// Corrects the stock up or down.
    AdjustStock {
        /// By how many.
        quantity: i64,
        /// Why.
        reason: Text,
    },
    /// Takes the product out of the catalogue; what is reserved can still be shipped.
    Discontinue,

    /// Sets stock aside for an order.
    Reserve {
        /// The order.
        order_id: OrderId,
        /// How many.
        quantity: i64,
    },
    /// Lets an order's stock go.
    Release {
        /// The order.
        order_id: OrderId,
        /// How many.
        quantity: i64,
    },
    /// Hands an order's stock to the carrier.
    Ship {
        /// The order.
        order_id: OrderId,
        /// How many.
        quantity: i64,
    },
    /// Takes returned goods back into stock.
    Restock {
        /// The order.
        order_id: OrderId,
        /// How many.
        quantity: i64,
    },
}
