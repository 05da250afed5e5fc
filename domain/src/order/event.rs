//! What can have happened to an order.

use serde::{Deserialize, Serialize};

use super::command::{LineQuantity, PaymentStep};
use super::pricing::PricedLine;
use crate::currency::Currency;
use crate::event::events;
use crate::ids::{CustomerId, OrderId, PaymentId, ProductId, ReturnId, ShipmentId};
use crate::money::{Amount, Money};
use crate::payment::CaptureMode;
use crate::text::Text;

/// How many minor units a payment is to capture or refund.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaymentAmount {
    /// The payment.
    pub payment_id: PaymentId,
    /// How many minor units.
    pub amount: Amount,
}

events! {
    /// What can have happened to an order.
    OrderEvent of order_id: OrderId;

    /// A cart was started.
    OrderStarted = "order_started" v 1 {
        /// Whose.
        customer_id: CustomerId,
        /// In which currency.
        currency: Currency,
    }
    /// A product was put into the cart, on top of what was there of it.
    ItemAdded = "item_added" v 1 {
        /// The product.
        product_id: ProductId,
        /// How many.
        quantity: i64,
    }
    /// There are so many of a product in the cart now.
    QuantityChanged = "quantity_changed" v 1 {
        /// The product.
        product_id: ProductId,
        /// How many.
        quantity: i64,
    }
    /// A product was taken out of the cart.
    ItemRemoved = "item_removed" v 1 {
        /// The product.
        product_id: ProductId,
    }
    /// How the order is sent, and for how much.
    ShippingSet = "shipping_set" v 1 {
        /// How.
        method: Text,
        /// The cost, without tax.
        cost: Money,
    }
    /// The customer wants the cart; its stock is being reserved.
    CheckoutStarted = "checkout_started" v 1 {
        /// What is to be reserved.
        lines: Vec<LineQuantity>,
        /// What the customer was told it comes to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expected_total: Option<Money>,
    }
    /// The order stands, at these prices. All amounts are minor units of `currency`.
    OrderPlaced = "order_placed" v 1 {
        /// Whose.
        customer_id: CustomerId,
        /// The currency of all amounts.
        currency: Currency,
        /// What was ordered.
        lines: Vec<PricedLine>,
        /// Sum of price × quantity.
        subtotal: Amount,
        /// Sum of the lines' discounts.
        discount: Amount,
        /// Sum of the lines' tax.
        tax: Amount,
        /// What sending costs.
        shipping: Amount,
        /// subtotal − discount + tax + shipping.
        total: Amount,
    }
    /// The order was called off.
    OrderCancelled = "order_cancelled" v 1 {
        /// Why.
        reason: Text,
        /// The stock to let go.
        reservations: Vec<LineQuantity>,
        /// The payments to void or refund.
        payments: Vec<PaymentId>,
    }
    /// Goods were handed to a carrier.
    OrderShipped = "order_shipped" v 1 {
        /// The shipment's name.
        shipment_id: ShipmentId,
        /// Which goods.
        lines: Vec<LineQuantity>,
        /// Who carries them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        carrier: Option<Text>,
        /// How the carrier calls it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tracking: Option<Text>,
        /// The currency of the amounts.
        currency: Currency,
        /// What is to be captured from payments that wait for shipment.
        captures: Vec<PaymentAmount>,
    }
    /// A shipment has arrived.
    ShipmentDelivered = "shipment_delivered" v 1 {
        /// The shipment.
        shipment_id: ShipmentId,
        /// The goods in it.
        lines: Vec<LineQuantity>,
    }
    /// Everything was delivered and paid.
    OrderCompleted = "order_completed" v 1 {}
    /// The customer wants to give goods back.
    ReturnRequested = "return_requested" v 1 {
        /// The return's name.
        return_id: ReturnId,
        /// Which goods.
        lines: Vec<LineQuantity>,
        /// Why.
        reason: Text,
    }
    /// The goods of a return have come back.
    ReturnReceived = "return_received" v 1 {
        /// The return.
        return_id: ReturnId,
        /// Which goods.
        lines: Vec<LineQuantity>,
        /// The currency of the amounts.
        currency: Currency,
        /// What was paid for the goods, in minor units.
        value: Amount,
        /// What is to be refunded from which payment.
        refunds: Vec<PaymentAmount>,
    }
    /// A return was refused.
    ReturnRejected = "return_rejected" v 1 {
        /// The return.
        return_id: ReturnId,
        /// Which goods.
        lines: Vec<LineQuantity>,
        /// Why.
        reason: Text,
    }
    /// A payment did something for the order.
    OrderPaymentRecorded = "order_payment_recorded" v 1 {
        /// The payment.
        payment_id: PaymentId,
        /// What it did.
        step: PaymentStep,
        /// How much.
        amount: Money,
        /// When the payment is captured.
        capture: CaptureMode,
        /// What is to be captured at once, in minor units: a payment that waits for shipment, for goods shipped before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due: Option<Amount>,
    }
}
