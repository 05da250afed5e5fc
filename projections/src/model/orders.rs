//! Orders: what events change in their rows. Their lines, shipments and returns have files of their own.

use chrono::{DateTime, Utc};
use domain::currency::Currency;
use domain::ids::CustomerId;
use domain::money::Amount;
use domain::order::OrderEvent;
use domain::order::command::{LineQuantity, PaymentStep};
use domain::order::state::OrderStatus;
use domain::text::Text;

use super::Changes;
use super::stamp::Stamp;

/// What changes in an order's row. Amounts are minor units of its currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OrderChange {
    /// There where the order was started by one of the events.
    pub(crate) started: Option<Started>,
    pub(crate) status: Option<OrderStatus>,
    pub(crate) shipping: Option<(Text, Amount)>,
    pub(crate) placed: Option<Placed>,
    pub(crate) cancelled: Option<(Text, DateTime<Utc>)>,
    pub(crate) pieces_shipped: i64,
    pub(crate) pieces_delivered: i64,
    pub(crate) pieces_returned: i64,
    /// What came back before it was paid, and is owed no more.
    pub(crate) credited: i64,
    /// Set aside by payments, neither taken nor let go.
    pub(crate) capturable: i64,
    pub(crate) captured: i64,
    pub(crate) refunded: i64,
    /// Of the last event.
    pub(crate) stamp: Stamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Started {
    pub(crate) customer_id: CustomerId,
    pub(crate) currency: Currency,
    pub(crate) stamp: Stamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) subtotal: Amount,
    pub(crate) discount: Amount,
    pub(crate) tax: Amount,
    pub(crate) total: Amount,
    pub(crate) pieces: i64,
    pub(crate) at: DateTime<Utc>,
}

impl OrderChange {
    fn new(stamp: Stamp) -> Self {
        Self {
            started: None,
            status: None,
            shipping: None,
            placed: None,
            cancelled: None,
            pieces_shipped: 0,
            pieces_delivered: 0,
            pieces_returned: 0,
            credited: 0,
            capturable: 0,
            captured: 0,
            refunded: 0,
            stamp,
        }
    }
}

pub(super) fn apply(changes: &mut Changes, event: &OrderEvent, stamp: Stamp) {
    let order = changes.orders.entry(event.order_id().clone()).or_insert_with(|| OrderChange::new(stamp));
    order.stamp = stamp;
    match event {
        OrderEvent::OrderStarted(e) => {
            let (customer_id, currency) = (e.customer_id.clone(), e.currency);
            order.started = Some(Started { customer_id, currency, stamp });
            order.status = Some(OrderStatus::Draft);
        }
        OrderEvent::ShippingSet(e) => order.shipping = Some((e.method.clone(), e.cost.amount)),
        OrderEvent::CheckoutStarted(_) => order.status = Some(OrderStatus::Placing),
        OrderEvent::OrderPlaced(e) => {
            order.status = Some(OrderStatus::Placed);
            order.placed = Some(Placed {
                subtotal: e.subtotal,
                discount: e.discount,
                tax: e.tax,
                total: e.total,
                pieces: e.lines.iter().map(|line| line.quantity).sum(),
                at: stamp.business_time(),
            });
        }
        OrderEvent::OrderCancelled(e) => {
            order.status = Some(OrderStatus::Cancelled);
            order.cancelled = Some((e.reason.clone(), stamp.business_time()));
        }
        OrderEvent::OrderShipped(e) => order.pieces_shipped += pieces(&e.lines),
        OrderEvent::ShipmentDelivered(e) => order.pieces_delivered += pieces(&e.lines),
        OrderEvent::OrderCompleted(_) => order.status = Some(OrderStatus::Completed),
        OrderEvent::ReturnReceived(e) => {
            order.pieces_returned += pieces(&e.lines);
            let refunded = e.refunds.iter().fold(0, |sum, refund| sum + refund.amount.minor_units());
            order.credited += (e.value.minor_units() - refunded).max(0);
        }
        OrderEvent::OrderPaymentRecorded(e) => {
            let amount = e.amount.amount.minor_units();
            match e.step {
                PaymentStep::Authorized => order.capturable += amount,
                PaymentStep::Captured => {
                    order.capturable -= amount;
                    order.captured += amount;
                }
                PaymentStep::Voided => order.capturable -= amount,
                PaymentStep::Refunded => order.refunded += amount,
            }
        }
        OrderEvent::ItemAdded(_)
        | OrderEvent::QuantityChanged(_)
        | OrderEvent::ItemRemoved(_)
        | OrderEvent::ReturnRequested(_)
        | OrderEvent::ReturnRejected(_) => {}
    }
}

fn pieces(lines: &[LineQuantity]) -> i64 {
    lines.iter().map(|line| line.quantity).sum()
}
