//! The rules of an order.

use std::collections::{BTreeSet, HashMap};

use super::command::{LineQuantity, OrderCommand, PaymentStep, ProductQuote};
use super::event::{
    CheckoutStarted, ItemAdded, ItemRemoved, OrderCancelled, OrderCompleted, OrderEvent, OrderPaymentRecorded,
    OrderPlaced, OrderShipped, OrderStarted, PaymentAmount, QuantityChanged, ReturnReceived, ReturnRejected,
    ReturnRequested, ShipmentDelivered, ShippingSet,
};
use super::pricing::{self, ReservedLine};
use super::state::{self, Fulfilment, Line, Order, OrderStatus, Return, ReturnStatus};
use crate::aggregate::{Aggregate, Context};
use crate::currency::Currency;
use crate::ids::{OrderId, PaymentId, ProductId, ReturnId};
use crate::money::{AMOUNT_MAX, Amount, Money};
use crate::payment::CaptureMode;
use crate::rejection::Rejection;

/// How many lines an order has at the most: what one transaction reserves is bounded.
pub(super) const ORDER_LINES_MAX: usize = 1_000;

type Decision = Result<Vec<OrderEvent>, Rejection>;

impl Aggregate for Order {
    type Id = OrderId;
    type Command = OrderCommand;
    type Event = OrderEvent;
    type Events = Vec<OrderEvent>;

    fn decide(order_id: &OrderId, state: Option<&Self>, command: &OrderCommand, _: &Context) -> Decision {
        if let OrderCommand::Start { customer_id, currency } = command {
            if state.is_some() {
                return Err(Rejection::OrderExists { order_id: order_id.clone() });
            }
            let (customer_id, currency) = (customer_id.clone(), *currency);
            return Ok(vec![OrderStarted { order_id: order_id.clone(), customer_id, currency }.into()]);
        }
        let order = state.ok_or_else(|| Rejection::OrderNotFound { order_id: order_id.clone() })?;
        Existing { id: order_id, order }.decide(command)
    }

    fn evolve(state: &mut Option<Self>, event: &OrderEvent) {
        state::evolve(state, event);
    }
}

/// An order that exists.
struct Existing<'a> {
    id: &'a OrderId,
    order: &'a Order,
}

impl Existing<'_> {
    fn decide(&self, command: &OrderCommand) -> Decision {
        let order_id = self.id.clone();
        match command.clone() {
            OrderCommand::Start { .. } => Err(Rejection::OrderExists { order_id }),
            OrderCommand::AddItem { product_id, quantity, quote } => self.add_item(product_id, quantity, quote),
            OrderCommand::ChangeQuantity { product_id, quantity } => {
                self.is(&[OrderStatus::Draft])?;
                self.item(&product_id)?;
                in_range(quantity)?;
                Ok(vec![QuantityChanged { order_id, product_id, quantity }.into()])
            }
            OrderCommand::RemoveItem { product_id } => {
                self.is(&[OrderStatus::Draft])?;
                self.item(&product_id)?;
                Ok(vec![ItemRemoved { order_id, product_id }.into()])
            }
            OrderCommand::SetShipping { method, cost } => {
                self.is(&[OrderStatus::Draft])?;
                self.in_currency(cost.currency)?;
                if cost.amount < Amount::ZERO {
                    return Err(Rejection::PriceNegative { price: cost });
                }
                Ok(vec![ShippingSet { order_id, method, cost }.into()])
            }
            OrderCommand::Place { expected_total } => {
                self.is(&[OrderStatus::Draft])?;
                if self.order.lines.is_empty() {
                    return Err(Rejection::EmptyOrder { order_id });
                }
                Ok(vec![CheckoutStarted { order_id, lines: self.ordered(), expected_total }.into()])
            }
            OrderCommand::ConfirmPlacement { lines, expected_total } => self.confirm(&lines, expected_total),
            OrderCommand::Cancel { reason } => {
                self.is(&[OrderStatus::Draft, OrderStatus::Placed])?;
                if self.order.fulfilment() != Fulfilment::Unfulfilled {
                    return Err(self.not_in("shipped", "draft or placed with nothing shipped"));
                }
                let placed = self.order.status == OrderStatus::Placed;
                let reservations = if placed { self.ordered() } else { Vec::new() };
                let open = self.order.payments.iter();
                let open = open.filter(|p| p.capturable() > Amount::ZERO || p.refundable() > Amount::ZERO);
                let payments = open.map(|p| p.payment_id.clone()).collect();
                Ok(vec![OrderCancelled { order_id, reason, reservations, payments }.into()])
            }
            OrderCommand::Ship { shipment_id, lines, carrier, tracking } => {
                self.is(&[OrderStatus::Placed])?;
                if self.order.shipments.contains_key(&shipment_id) {
                    return Err(Rejection::ShipmentExists { shipment_id });
                }
                let lines = self.to_ship(lines)?;
                let captures = self.captures(&lines)?;
                let currency = self.order.currency;
                Ok(vec![OrderShipped { order_id, shipment_id, lines, carrier, tracking, currency, captures }.into()])
            }
            OrderCommand::ConfirmDelivery { shipment_id } => {
                let shipment = self.order.shipments.get(&shipment_id);
                let shipment =
                    shipment.ok_or_else(|| Rejection::ShipmentNotFound { shipment_id: shipment_id.clone() })?;
                if shipment.delivered {
                    return Err(Rejection::AlreadyDelivered { shipment_id });
                }
                let lines = shipment.lines.clone();
                Ok(self.completed_by(ShipmentDelivered { order_id, shipment_id, lines }.into()))
            }
            OrderCommand::RequestReturn { return_id, lines, reason } => {
                self.is(&[OrderStatus::Placed, OrderStatus::Completed])?;
                if self.order.returns.contains_key(&return_id) {
                    return Err(Rejection::ReturnExists { return_id });
                }
                self.check_lines(&lines, |line, requested| {
                    let (product_id, returnable) = (line.product_id.clone(), line.shipped - line.returning);
                    (requested > returnable).then_some(Rejection::QuantityExceedsShipped {
                        product_id,
                        returnable,
                        requested,
                    })
                })?;
                Ok(vec![ReturnRequested { order_id, return_id, lines, reason }.into()])
            }
            OrderCommand::ReceiveReturn { return_id } => {
                let lines = self.open_return(&return_id)?.lines.clone();
                let (value, refunds) = self.refunds(&lines)?;
                let currency = self.order.currency;
                Ok(self.completed_by(ReturnReceived { order_id, return_id, lines, currency, value, refunds }.into()))
            }
            OrderCommand::RejectReturn { return_id, reason } => {
                let lines = self.open_return(&return_id)?.lines.clone();
                Ok(vec![ReturnRejected { order_id, return_id, lines, reason }.into()])
            }
            OrderCommand::RecordPayment { payment_id, step, amount, currency, capture } => {
                self.record_payment(payment_id, step, Money::new(amount, currency), capture)
            }
        }
    }

    fn add_item(&self, product_id: ProductId, quantity: i64, quote: Option<ProductQuote>) -> Decision {
        self.is(&[OrderStatus::Draft])?;
        let Some(quote) = quote else { return Err(Rejection::UnknownProduct { product_id }) };
        if quote.discontinued {
            return Err(Rejection::ProductDiscontinued { product_id });
        }
        self.in_currency(quote.currency)?;
        in_range(quantity)?;
        match self.order.line(&product_id) {
            Some(line) => in_range(line.quantity + quantity)?,
            None if self.order.lines.len() >= ORDER_LINES_MAX => {
                return Err(Rejection::TooManyLines { limit: ORDER_LINES_MAX as u64 });
            }
            None => {}
        }
        Ok(vec![ItemAdded { order_id: self.id.clone(), product_id, quantity }.into()])
    }

    fn confirm(&self, reserved: &[ReservedLine], expected_total: Option<Money>) -> Decision {
        self.is(&[OrderStatus::Placing])?;
        for line in reserved {
            self.in_currency(line.unit_price.currency)?;
        }
        let (lines, totals) = pricing::price(reserved, self.order.shipping)?;
        let actual = Money::new(totals.total, self.order.currency);
        if let Some(expected) = expected_total.filter(|expected| *expected != actual) {
            return Err(Rejection::TotalChanged { expected, actual });
        }
        let placed = OrderPlaced {
            order_id: self.id.clone(),
            customer_id: self.order.customer_id.clone(),
            currency: self.order.currency,
            lines,
            subtotal: totals.subtotal,
            discount: totals.discount,
            tax: totals.tax,
            shipping: totals.shipping,
            total: totals.total,
        };
        Ok(vec![placed.into()])
    }

    fn record_payment(
        &self,
        payment_id: PaymentId,
        step: PaymentStep,
        amount: Money,
        capture: CaptureMode,
    ) -> Decision {
        self.in_currency(amount.currency)?;
        if step == PaymentStep::Authorized {
            self.is(&[OrderStatus::Placed, OrderStatus::Completed])?;
            let outstanding = self.order.outstanding();
            if amount.amount > outstanding {
                let outstanding = Money::new(outstanding, self.order.currency);
                let order_id = self.id.clone();
                return Err(Rejection::PaymentExceedsOutstanding { order_id, outstanding, requested: amount });
            }
        }
        let late = step == PaymentStep::Authorized && capture == CaptureMode::OnShipment;
        let due = if late { self.shipped_unpaid(&[])?.min(amount.amount) } else { Amount::ZERO };
        let due = (due > Amount::ZERO).then_some(due);
        let recorded = OrderPaymentRecorded { order_id: self.id.clone(), payment_id, step, amount, capture, due };
        Ok(self.completed_by(recorded.into()))
    }

    /// The event, and the order's completion if it brings that about.
    fn completed_by(&self, event: OrderEvent) -> Vec<OrderEvent> {
        let mut after = Some(self.order.clone());
        state::evolve(&mut after, &event);
        let completes = after.is_some_and(|order| {
            order.status == OrderStatus::Placed && order.fulfilment() == Fulfilment::Delivered && order.is_paid()
        });
        let completed = completes.then(|| OrderCompleted { order_id: self.id.clone() }.into());
        std::iter::once(event).chain(completed).collect()
    }

    fn is(&self, allowed: &[OrderStatus]) -> Result<(), Rejection> {
        if allowed.contains(&self.order.status) {
            return Ok(());
        }
        let allowed: Vec<&str> = allowed.iter().map(|s| s.as_str()).collect();
        Err(self.not_in(self.order.status.as_str(), &allowed.join(" or ")))
    }

    fn not_in(&self, state: &str, allowed: &str) -> Rejection {
        let order_id = self.id.clone();
        Rejection::InvalidOrderState { order_id, state: state.to_owned(), allowed: allowed.to_owned() }
    }

    fn in_currency(&self, requested: Currency) -> Result<(), Rejection> {
        let expected = self.order.currency;
        if requested == expected { Ok(()) } else { Err(Rejection::CurrencyMismatch { expected, requested }) }
    }

    fn item(&self, product_id: &ProductId) -> Result<&Line, Rejection> {
        self.order
            .line(product_id)
            .ok_or_else(|| Rejection::ItemNotFound { order_id: self.id.clone(), product_id: product_id.clone() })
    }

    fn ordered(&self) -> Vec<LineQuantity> {
        let line = |l: &Line| LineQuantity { product_id: l.product_id.clone(), quantity: l.quantity };
        self.order.lines.iter().map(line).collect()
    }

    /// Refuses lines that are none, not positive, doubled, not of this order, or beyond the bound that `excess` knows.
    fn check_lines(
        &self,
        lines: &[LineQuantity],
        excess: impl Fn(&Line, i64) -> Option<Rejection>,
    ) -> Result<(), Rejection> {
        if lines.is_empty() {
            return Err(Rejection::NoLines {});
        }
        let mut seen = BTreeSet::new();
        for LineQuantity { product_id, quantity } in lines {
            if !seen.insert(product_id) {
                return Err(Rejection::DuplicateLine { product_id: product_id.clone() });
            }
            in_range(*quantity)?;
            if let Some(rejection) = excess(self.item(product_id)?, *quantity) {
                return Err(rejection);
            }
        }
        Ok(())
    }

    fn to_ship(&self, lines: Vec<LineQuantity>) -> Result<Vec<LineQuantity>, Rejection> {
        let left = |l: &Line| LineQuantity { product_id: l.product_id.clone(), quantity: l.quantity - l.shipped };
        let unshipped: Vec<_> = self.order.lines.iter().map(left).filter(|l| l.quantity > 0).collect();
        if unshipped.is_empty() {
            return Err(Rejection::NothingToShip { order_id: self.id.clone() });
        }
        if lines.is_empty() {
            return Ok(unshipped);
        }
        self.check_lines(&lines, |line, requested| {
            let (product_id, unshipped) = (line.product_id.clone(), line.quantity - line.shipped);
            (requested > unshipped).then_some(Rejection::QuantityExceedsOrdered { product_id, unshipped, requested })
        })?;
        Ok(lines)
    }

    /// What a shipment captures from payments that wait for shipment, the oldest first: no payment is taken for goods
    /// that have not left the house.
    fn captures(&self, lines: &[LineQuantity]) -> Result<Vec<PaymentAmount>, Rejection> {
        let mut left = self.shipped_unpaid(lines)?;
        let waiting = self.order.payments.iter().filter(|p| p.capture == CaptureMode::OnShipment);
        Ok(waiting.filter_map(|p| take(&mut left, &p.payment_id, p.capturable())).collect())
    }

    /// What has been shipped, along with these lines, and neither been paid nor come back: the worth of the goods, and
    /// sending from the first shipment on.
    fn shipped_unpaid(&self, lines: &[LineQuantity]) -> Result<Amount, Rejection> {
        if lines.is_empty() && self.order.shipments.is_empty() {
            return Ok(Amount::ZERO);
        }
        let now: HashMap<_, _> = lines.iter().map(|l| (&l.product_id, l.quantity)).collect();
        let mut worth = self.order.shipping;
        for line in &self.order.lines {
            let shipped = line.shipped + now.get(&line.product_id).copied().unwrap_or(0);
            worth = worth.plus(pricing::share(line.total, line.quantity, 0, shipped))?;
        }
        Ok(worth.minus(self.order.credited)?.minus(self.order.captured())?)
    }

    /// What a return is worth, and which payments give it back: the oldest first, none more than it took.
    fn refunds(&self, lines: &[LineQuantity]) -> Result<(Amount, Vec<PaymentAmount>), Rejection> {
        let mut value = Amount::ZERO;
        for LineQuantity { product_id, quantity } in lines {
            let line = self.item(product_id)?;
            value = value.plus(pricing::share(line.total, line.quantity, line.returned, line.returned + quantity))?;
        }
        let mut left = value;
        let payments = self.order.payments.iter();
        Ok((value, payments.filter_map(|p| take(&mut left, &p.payment_id, p.refundable())).collect()))
    }

    fn open_return(&self, return_id: &ReturnId) -> Result<&Return, Rejection> {
        let known = self.order.returns.get(return_id);
        let known = known.ok_or_else(|| Rejection::ReturnNotFound { return_id: return_id.clone() })?;
        let state = match known.status {
            ReturnStatus::Requested => return Ok(known),
            ReturnStatus::Received => "received",
            ReturnStatus::Rejected => "rejected",
        };
        Err(Rejection::ReturnClosed { return_id: return_id.clone(), state: state.to_owned() })
    }
}

/// Takes what there is, at most what is left, off what is left.
fn take(left: &mut Amount, payment_id: &PaymentId, there_is: Amount) -> Option<PaymentAmount> {
    let amount = there_is.min(*left);
    if amount <= Amount::ZERO {
        return None;
    }
    *left = left.minus(amount).ok()?;
    Some(PaymentAmount { payment_id: payment_id.clone(), amount })
}

fn in_range(quantity: i64) -> Result<(), Rejection> {
    if quantity <= 0 {
        Err(Rejection::QuantityNotPositive { quantity })
    } else if quantity > AMOUNT_MAX {
        Err(Rejection::QuantityOutOfRange { quantity })
    } else {
        Ok(())
    }
}
