//! An order's state and how events change it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::command::{LineQuantity, PaymentStep};
use super::event::OrderEvent;
use crate::currency::Currency;
use crate::ids::{CustomerId, PaymentId, ProductId, ReturnId, ShipmentId};
use crate::money::Amount;
use crate::payment::CaptureMode;

/// Where the order itself is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    /// A cart.
    Draft,
    /// Its stock is being reserved.
    Placing,
    /// It stands.
    Placed,
    /// Delivered and paid.
    Completed,
    /// Called off.
    Cancelled,
}

impl OrderStatus {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Placing => "placing",
            Self::Placed => "placed",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// How far the order is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderPaymentStatus {
    /// Nothing yet.
    Unpaid,
    /// Enough is set aside, and nothing taken yet.
    Authorized,
    /// Some was taken.
    PartiallyPaid,
    /// All was taken.
    Paid,
    /// Some of what was taken was given back.
    PartiallyRefunded,
    /// All that was taken was given back.
    Refunded,
}

/// How far the order is fulfilled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fulfilment {
    /// Nothing was shipped.
    Unfulfilled,
    /// Some was shipped.
    PartiallyShipped,
    /// All was shipped.
    Shipped,
    /// All has arrived.
    Delivered,
}

/// A line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The product.
    pub product_id: ProductId,
    /// How many were ordered.
    pub quantity: i64,
    /// What the line comes to, in minor units, once the order is placed.
    pub total: Amount,
    /// How many were shipped.
    pub shipped: i64,
    /// How many have arrived.
    pub delivered: i64,
    /// How many are wanted back or were given back.
    pub returning: i64,
    /// How many were given back.
    pub returned: i64,
}

/// A shipment of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shipment {
    /// What is in it.
    pub lines: Vec<LineQuantity>,
    /// Whether it has arrived.
    pub delivered: bool,
}

/// Where a return is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReturnStatus {
    /// Asked for.
    Requested,
    /// The goods are back.
    Received,
    /// Refused.
    Rejected,
}

/// A return of goods.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Return {
    /// Which goods.
    pub lines: Vec<LineQuantity>,
    /// Where it is.
    pub status: ReturnStatus,
}

/// What one payment has done for the order, in minor units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderPayment {
    /// The payment.
    pub payment_id: PaymentId,
    /// When it is captured.
    pub capture: CaptureMode,
    /// Set aside in all.
    pub authorized: Amount,
    /// Taken.
    pub captured: Amount,
    /// Set aside and let go again.
    pub voided: Amount,
    /// Given back.
    pub refunded: Amount,
}

impl OrderPayment {
    /// Set aside and neither taken nor let go.
    #[must_use]
    pub fn capturable(&self) -> Amount {
        less(less(self.authorized, self.captured), self.voided)
    }

    /// Taken and not given back.
    #[must_use]
    pub fn refundable(&self) -> Amount {
        less(self.captured, self.refunded)
    }
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Whose.
    pub customer_id: CustomerId,
    /// In which currency.
    pub currency: Currency,
    /// Where it is.
    pub status: OrderStatus,
    /// What was ordered, in the order of the cart.
    pub lines: Vec<Line>,
    /// What sending costs, in minor units.
    pub shipping: Amount,
    /// What it comes to, in minor units, once it is placed.
    pub total: Amount,
    /// What came back before it was paid is owed no more, in minor units.
    pub credited: Amount,
    /// Its shipments.
    pub shipments: BTreeMap<ShipmentId, Shipment>,
    /// Its returns.
    pub returns: BTreeMap<ReturnId, Return>,
    /// Its payments, oldest first.
    pub payments: Vec<OrderPayment>,
}

impl Order {
    /// How far it is paid.
    #[must_use]
    pub fn payment_status(&self) -> OrderPaymentStatus {
        let captured = self.captured();
        let refunded = self.sum(|p| p.refunded);
        if refunded > Amount::ZERO {
            if refunded >= captured { OrderPaymentStatus::Refunded } else { OrderPaymentStatus::PartiallyRefunded }
        } else if self.is_paid() {
            OrderPaymentStatus::Paid
        } else if captured > Amount::ZERO {
            OrderPaymentStatus::PartiallyPaid
        } else if self.is_placed() && self.sum(OrderPayment::capturable) >= self.due() {
            OrderPaymentStatus::Authorized
        } else {
            OrderPaymentStatus::Unpaid
        }
    }

    /// How far it is fulfilled.
    #[must_use]
    pub fn fulfilment(&self) -> Fulfilment {
        if self.lines.iter().all(|l| l.shipped == 0) {
            Fulfilment::Unfulfilled
        } else if self.lines.iter().any(|l| l.shipped < l.quantity) {
            Fulfilment::PartiallyShipped
        } else if self.lines.iter().any(|l| l.delivered < l.quantity) {
            Fulfilment::Shipped
        } else {
            Fulfilment::Delivered
        }
    }

    /// Whether it was placed and not called off.
    #[must_use]
    pub fn is_placed(&self) -> bool {
        matches!(self.status, OrderStatus::Placed | OrderStatus::Completed)
    }

    /// What is to be paid in all, in minor units.
    #[must_use]
    pub fn due(&self) -> Amount {
        less(self.total, self.credited)
    }

    /// Whether all that is due was taken, even if some of it was given back later.
    #[must_use]
    pub fn is_paid(&self) -> bool {
        self.is_placed() && self.captured() >= self.due()
    }

    /// What was taken in all, in minor units.
    #[must_use]
    pub fn captured(&self) -> Amount {
        self.sum(|p| p.captured)
    }

    /// What is neither paid nor set aside yet, in minor units.
    #[must_use]
    pub fn outstanding(&self) -> Amount {
        less(self.due(), self.sum(|p| less(p.authorized, p.voided)))
    }

    /// The line of a product.
    #[must_use]
    pub fn line(&self, product_id: &ProductId) -> Option<&Line> {
        self.lines.iter().find(|l| l.product_id == *product_id)
    }

    fn line_mut(&mut self, product_id: &ProductId) -> Option<&mut Line> {
        self.lines.iter_mut().find(|l| l.product_id == *product_id)
    }

    fn each_line(&mut self, quantities: &[LineQuantity], mut change: impl FnMut(&mut Line, i64)) {
        for LineQuantity { product_id, quantity } in quantities {
            if let Some(line) = self.line_mut(product_id) {
                change(line, *quantity);
            }
        }
    }

    /// A sum that the rules keep within the order's total.
    fn sum(&self, part: impl Fn(&OrderPayment) -> Amount) -> Amount {
        self.payments.iter().fold(Amount::ZERO, |sum, p| sum.plus(part(p)).unwrap_or(sum))
    }
}

/// A difference that the rules keep from going below zero.
fn less(from: Amount, amount: Amount) -> Amount {
    from.minus(amount).unwrap_or(Amount::ZERO).max(Amount::ZERO)
}

/// A count that the rules keep in range.
fn add(to: &mut i64, quantity: i64) {
    *to = to.saturating_add(quantity);
}

pub(super) fn evolve(state: &mut Option<Order>, event: &OrderEvent) {
    if let (OrderEvent::OrderStarted(e), None) = (event, &state) {
        *state = Some(Order {
            customer_id: e.customer_id.clone(),
            currency: e.currency,
            status: OrderStatus::Draft,
            lines: Vec::new(),
            shipping: Amount::ZERO,
            total: Amount::ZERO,
            credited: Amount::ZERO,
            shipments: BTreeMap::new(),
            returns: BTreeMap::new(),
            payments: Vec::new(),
        });
        return;
    }
    let Some(order) = state else { return };
    match event {
        OrderEvent::OrderStarted(_) => {}
        OrderEvent::ItemAdded(e) => match order.line_mut(&e.product_id) {
            Some(line) => add(&mut line.quantity, e.quantity),
            None => order.lines.push(Line {
                product_id: e.product_id.clone(),
                quantity: e.quantity,
                total: Amount::ZERO,
                shipped: 0,
                delivered: 0,
                returning: 0,
                returned: 0,
            }),
        },
        OrderEvent::QuantityChanged(e) => {
            if let Some(line) = order.line_mut(&e.product_id) {
                line.quantity = e.quantity;
            }
        }
        OrderEvent::ItemRemoved(e) => order.lines.retain(|l| l.product_id != e.product_id),
        OrderEvent::ShippingSet(e) => order.shipping = e.cost.amount,
        OrderEvent::CheckoutStarted(_) => order.status = OrderStatus::Placing,
        OrderEvent::OrderPlaced(e) => {
            order.status = OrderStatus::Placed;
            order.total = e.total;
            for priced in &e.lines {
                if let Some(line) = order.line_mut(&priced.product_id) {
                    line.total = priced.total;
                }
            }
        }
        OrderEvent::OrderCancelled(_) => order.status = OrderStatus::Cancelled,
        OrderEvent::OrderShipped(e) => {
            order.each_line(&e.lines, |line, quantity| add(&mut line.shipped, quantity));
            let shipment = Shipment { lines: e.lines.clone(), delivered: false };
            order.shipments.insert(e.shipment_id.clone(), shipment);
        }
        OrderEvent::ShipmentDelivered(e) => {
            order.each_line(&e.lines, |line, quantity| add(&mut line.delivered, quantity));
            if let Some(shipment) = order.shipments.get_mut(&e.shipment_id) {
                shipment.delivered = true;
            }
        }
        OrderEvent::OrderCompleted(_) => order.status = OrderStatus::Completed,
        OrderEvent::ReturnRequested(e) => {
            order.each_line(&e.lines, |line, quantity| add(&mut line.returning, quantity));
            let requested = Return { lines: e.lines.clone(), status: ReturnStatus::Requested };
            order.returns.insert(e.return_id.clone(), requested);
        }
        OrderEvent::ReturnReceived(e) => {
            order.each_line(&e.lines, |line, quantity| add(&mut line.returned, quantity));
            let unpaid = e.refunds.iter().fold(e.value, |left, refund| less(left, refund.amount));
            order.credited = order.credited.plus(unpaid).unwrap_or(order.credited);
            if let Some(requested) = order.returns.get_mut(&e.return_id) {
                requested.status = ReturnStatus::Received;
            }
        }
        OrderEvent::ReturnRejected(e) => {
            order.each_line(&e.lines, |line, quantity| add(&mut line.returning, quantity.saturating_neg()));
            if let Some(requested) = order.returns.get_mut(&e.return_id) {
                requested.status = ReturnStatus::Rejected;
            }
        }
        OrderEvent::OrderPaymentRecorded(e) => {
            let known = order.payments.iter().position(|p| p.payment_id == e.payment_id);
            let at = known.unwrap_or_else(|| {
                order.payments.push(OrderPayment {
                    payment_id: e.payment_id.clone(),
                    capture: e.capture,
                    authorized: Amount::ZERO,
                    captured: Amount::ZERO,
                    voided: Amount::ZERO,
                    refunded: Amount::ZERO,
                });
                order.payments.len() - 1
            });
            let payment = &mut order.payments[at];
            let sum = match e.step {
                PaymentStep::Authorized => &mut payment.authorized,
                PaymentStep::Captured => &mut payment.captured,
                PaymentStep::Voided => &mut payment.voided,
                PaymentStep::Refunded => &mut payment.refunded,
            };
            *sum = sum.plus(e.amount.amount).unwrap_or(*sum);
        }
    }
}
