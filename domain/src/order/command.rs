//! What can be asked of an order. The last group is asked by process managers only.

use serde::{Deserialize, Serialize};

use super::pricing::ReservedLine;
use crate::currency::Currency;
use crate::ids::{CustomerId, PaymentId, ProductId, ReturnId, ShipmentId};
use crate::money::{Amount, Money};
use crate::payment::CaptureMode;
use crate::text::Text;

/// How many of a product.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineQuantity {
    /// The product.
    pub product_id: ProductId,
    /// How many.
    pub quantity: i64,
}

/// What a product says of itself when it is put into a cart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductQuote {
    /// The currency of its price.
    pub currency: Currency,
    /// Whether it is no longer sold.
    pub discontinued: bool,
}

/// What a payment did for the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentStep {
    /// Money was set aside.
    Authorized,
    /// Money was taken.
    Captured,
    /// Money that was set aside was let go.
    Voided,
    /// Money was given back.
    Refunded,
}

/// What can be asked of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderCommand {
    /// Starts a cart.
    Start {
        /// Whose.
        customer_id: CustomerId,
        /// In which currency.
        currency: Currency,
    },
    /// Puts a product into the cart, on top of what is there of it.
    AddItem {
        /// The product.
        product_id: ProductId,
        /// How many.
        quantity: i64,
        /// What the product says of itself; filled in when the command is taken up.
        quote: Option<ProductQuote>,
    },
    /// Sets how many of a product are in the cart.
    ChangeQuantity {
        /// The product.
        product_id: ProductId,
        /// How many.
        quantity: i64,
    },
    /// Takes a product out of the cart.
    RemoveItem {
        /// The product.
        product_id: ProductId,
    },
    /// Says how the order is to be sent and what that costs.
    SetShipping {
        /// How.
        method: Text,
        /// The cost, without tax.
        cost: Money,
    },
    /// Places the order; the process manager reserves the stock and confirms.
    Place {
        /// What the customer was told it comes to.
        expected_total: Option<Money>,
    },
    /// Calls the order off.
    Cancel {
        /// Why.
        reason: Text,
    },
    /// Hands goods to a carrier.
    Ship {
        /// The shipment's name.
        shipment_id: ShipmentId,
        /// Which goods; everything that is left where none are named.
        lines: Vec<LineQuantity>,
        /// Who carries it.
        carrier: Option<Text>,
        /// How the carrier calls it.
        tracking: Option<Text>,
    },
    /// The goods have arrived.
    ConfirmDelivery {
        /// The shipment.
        shipment_id: ShipmentId,
    },
    /// The customer wants to give goods back.
    RequestReturn {
        /// The return's name.
        return_id: ReturnId,
        /// Which goods.
        lines: Vec<LineQuantity>,
        /// Why.
        reason: Text,
    },
    /// The goods of a return have come back; the process manager restocks and refunds.
    ReceiveReturn {
        /// The return.
        return_id: ReturnId,
    },
    /// A return is refused.
    RejectReturn {
        /// The return.
        return_id: ReturnId,
        /// Why.
        reason: Text,
    },

    /// All stock is reserved: the order is placed at these prices.
    ConfirmPlacement {
        /// What was reserved, in the order of the cart.
        lines: Vec<ReservedLine>,
        /// What the customer was told it comes to.
        expected_total: Option<Money>,
    },
    /// A payment did something for the order.
    RecordPayment {
        /// The payment.
        payment_id: PaymentId,
        /// What it did.
        step: PaymentStep,
        /// How many minor units.
        amount: Amount,
        /// In which currency.
        currency: Currency,
        /// When the payment is captured.
        capture: CaptureMode,
    },
}
