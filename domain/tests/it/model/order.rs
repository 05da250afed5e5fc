//! Orders, plainly.

use std::collections::BTreeSet;

use domain::order::{LineQuantity, OrderCommand};
use domain::payment::{CaptureMode, OperationCause};

use super::payment::Operation;
use super::{Answer, Goods, Line, MAX, Model, Order, Payment, refuse_if, sum};

/// `dividend ÷ divisor` for what is not negative, to the nearest whole; of two that are as near, to the even one.
fn nearest(dividend: i128, divisor: i128) -> i128 {
    let below = dividend / divisor;
    match (2 * (dividend % divisor)).cmp(&divisor) {
        std::cmp::Ordering::Less => below,
        std::cmp::Ordering::Equal => below + below % 2,
        std::cmp::Ordering::Greater => below + 1,
    }
}

impl Line {
    /// What the pieces up to a number are worth.
    fn worth(&self, pieces: i128) -> i128 {
        nearest(self.total * pieces, self.quantity)
    }
}

impl Order {
    fn line(&mut self, product: &str) -> Answer<&mut Line> {
        self.lines.iter_mut().find(|line| line.product == product).ok_or("item_not_found")
    }

    fn must_be(&self, allowed: &[&str]) -> Answer {
        refuse_if(!allowed.contains(&self.status), "invalid_order_state")
    }

    pub(crate) fn due(&self) -> i128 {
        (self.total - self.credited).max(0)
    }

    /// Refuses lines that make no sense; `left` says how many pieces of a line there are at the most.
    fn check(&mut self, lines: &[LineQuantity], left: fn(&Line) -> i128, exceeded: &'static str) -> Answer<Goods> {
        refuse_if(lines.is_empty(), "no_lines")?;
        let mut seen = BTreeSet::new();
        for line in lines {
            refuse_if(!seen.insert(line.product_id.as_str()), "duplicate_line")?;
            check_quantity(line.quantity.into())?;
            let known = self.line(line.product_id.as_str())?;
            refuse_if(i128::from(line.quantity) > left(known), exceeded)?;
        }
        Ok(lines.iter().map(|line| (line.product_id.as_str().to_owned(), line.quantity.into())).collect())
    }
}

fn check_quantity(quantity: i128) -> Answer {
    refuse_if(quantity <= 0, "quantity_not_positive")?;
    refuse_if(quantity > MAX, "quantity_out_of_range")
}

impl Model {
    pub(super) fn ask_order(&mut self, id: &str, command: &OrderCommand) -> Answer {
        if let OrderCommand::Start { currency, .. } = command {
            refuse_if(self.orders.contains_key(id), "order_exists")?;
            let order = Order {
                currency: currency.code().to_owned(),
                status: "draft",
                lines: vec![],
                shipping: 0,
                total: 0,
                credited: 0,
                shipments: [].into(),
                returns: [].into(),
                payments: vec![],
            };
            self.orders.insert(id.to_owned(), order);
            return Ok(());
        }
        let order = self.orders.get_mut(id).ok_or("order_not_found")?;
        match command {
            OrderCommand::AddItem { product_id, quantity, .. } => {
                order.must_be(&["draft"])?;
                let (name, quantity) = (product_id.as_str(), i128::from(*quantity));
                let product = self.products.get(name).ok_or("unknown_product")?;
                refuse_if(!product.sold, "product_discontinued")?;
                refuse_if(product.price.1 != order.currency, "currency_mismatch")?;
                check_quantity(quantity)?;
                match order.line(name) {
                    Ok(line) => {
                        check_quantity(line.quantity + quantity)?;
                        line.quantity += quantity;
                    }
                    Err(_) => {
                        let (total, shipped, delivered, returning, returned) = (0, 0, 0, 0, 0);
                        let product = name.to_owned();
                        order.lines.push(Line { product, quantity, total, shipped, delivered, returning, returned });
                    }
                }
            }
            OrderCommand::ChangeQuantity { product_id, quantity } => {
                order.must_be(&["draft"])?;
                let line = order.line(product_id.as_str())?;
                check_quantity((*quantity).into())?;
                line.quantity = (*quantity).into();
            }
            OrderCommand::RemoveItem { product_id } => {
                order.must_be(&["draft"])?;
                order.line(product_id.as_str())?;
                order.lines.retain(|line| line.product != product_id.as_str());
            }
            OrderCommand::SetShipping { cost, .. } => {
                order.must_be(&["draft"])?;
                let cost = sum(*cost);
                refuse_if(cost.1 != order.currency, "currency_mismatch")?;
                refuse_if(cost.0 < 0, "price_negative")?;
                order.shipping = cost.0;
            }
            OrderCommand::Place { expected_total } => return self.place(id, expected_total.map(sum)),
            OrderCommand::Cancel { .. } => return self.cancel(id),
            OrderCommand::Ship { shipment_id, lines, .. } => return self.ship(id, shipment_id.as_str(), lines),
            OrderCommand::ConfirmDelivery { shipment_id } => {
                let (lines, delivered) = order.shipments.get_mut(shipment_id.as_str()).ok_or("shipment_not_found")?;
                refuse_if(std::mem::replace(delivered, true), "already_delivered")?;
                for (product, quantity) in lines.clone() {
                    order.line(&product)?.delivered += quantity;
                }
            }
            OrderCommand::RequestReturn { return_id, lines, .. } => {
                order.must_be(&["placed", "completed"])?;
                refuse_if(order.returns.contains_key(return_id.as_str()), "return_exists")?;
                let lines = order.check(lines, |line| line.shipped - line.returning, "quantity_exceeds_shipped")?;
                for (product, quantity) in &lines {
                    order.line(product)?.returning += quantity;
                }
                order.returns.insert(return_id.as_str().to_owned(), (lines, "requested"));
            }
            OrderCommand::ReceiveReturn { return_id } => return self.receive_return(id, return_id.as_str()),
            OrderCommand::RejectReturn { return_id, .. } => {
                let (lines, status) = order.returns.get_mut(return_id.as_str()).ok_or("return_not_found")?;
                refuse_if(*status != "requested", "return_closed")?;
                *status = "rejected";
                for (product, quantity) in lines.clone() {
                    order.line(&product)?.returning -= quantity;
                }
            }
            follow_up => panic!("never asked from outside: {follow_up:?}"),
        }
        Ok(())
    }

    fn place(&mut self, id: &str, expected: Option<super::Sum>) -> Answer {
        let order = self.orders.get_mut(id).ok_or("order_not_found")?;
        order.must_be(&["draft"])?;
        refuse_if(order.lines.is_empty(), "empty_order")?;
        order.total = order.shipping;
        for line in &mut order.lines {
            let product = self.products.get_mut(&line.product).unwrap();
            product.reserve(id, line.quantity)?;
            let net = product.price.0 * line.quantity;
            line.total = net + nearest(net * product.tax_bps, 10_000);
            order.total += line.total;
        }
        refuse_if(order.total > MAX, "amount_overflow")?;
        refuse_if(expected.is_some_and(|sum| sum != (order.total, order.currency.clone())), "total_changed")?;
        order.status = "placed";
        Ok(())
    }

    fn cancel(&mut self, id: &str) -> Answer {
        let order = self.orders.get_mut(id).unwrap();
        order.must_be(&["draft", "placed"])?;
        refuse_if(order.lines.iter().any(|line| line.shipped > 0), "invalid_order_state")?;
        order.status = "cancelled";
        let payments = order.payments.clone();
        for product in self.products.values_mut() {
            product.reserved.remove(id);
        }
        let mut owed = Vec::new();
        for payment in payments {
            if self.payments[&payment].capturable() > 0 {
                self.void(&payment)?;
            }
            if self.payments[&payment].refundable() > 0 {
                owed.extend(self.refund(OperationCause::Cancellation, vec![(payment, id.to_owned(), None)])?);
            }
        }
        self.give_back(owed)
    }

    fn ship(&mut self, id: &str, shipment: &str, lines: &[LineQuantity]) -> Answer {
        let order = self.orders.get_mut(id).unwrap();
        order.must_be(&["placed"])?;
        refuse_if(order.shipments.contains_key(shipment), "shipment_exists")?;
        let left: Vec<_> = order.lines.iter().map(|l| (l.product.clone(), l.quantity - l.shipped)).collect();
        let left: Vec<_> = left.into_iter().filter(|(_, quantity)| *quantity > 0).collect();
        refuse_if(left.is_empty(), "nothing_to_ship")?;
        let lines = match lines {
            [] => left,
            lines => order.check(lines, |line| line.quantity - line.shipped, "quantity_exceeds_ordered")?,
        };
        let mut unpaid = self.worth_shipped_unpaid(id, &lines);
        let order = self.orders.get_mut(id).unwrap();
        for (product, quantity) in &lines {
            order.line(product)?.shipped += quantity;
            self.products.get_mut(product).unwrap().ship(id, *quantity);
        }
        order.shipments.insert(shipment.to_owned(), (lines, false));
        let mut captures: Vec<Operation> = Vec::new();
        for name in &order.payments {
            let payment = &self.payments[name];
            let amount = if payment.mode == CaptureMode::OnShipment { payment.capturable().min(unpaid) } else { 0 };
            if amount > 0 {
                captures.push((name.clone(), shipment.to_owned(), Some((amount, payment.currency.clone()))));
                unpaid -= amount;
            }
        }
        self.capture(OperationCause::Shipment, captures)
    }

    fn receive_return(&mut self, id: &str, return_id: &str) -> Answer {
        let order = self.orders.get_mut(id).unwrap();
        let (lines, status) = order.returns.get_mut(return_id).ok_or("return_not_found")?;
        refuse_if(*status != "requested", "return_closed")?;
        *status = "received";
        let mut owed = 0;
        for (product, quantity) in lines.clone() {
            let line = order.line(&product)?;
            owed += line.worth(line.returned + quantity) - line.worth(line.returned);
            line.returned += quantity;
            self.products.get_mut(&product).unwrap().stock(quantity)?;
        }
        let mut refunds: Vec<Operation> = Vec::new();
        for name in &order.payments {
            let payment = &self.payments[name];
            let amount = payment.refundable().min(owed);
            if amount > 0 {
                refunds.push((name.clone(), return_id.to_owned(), Some((amount, payment.currency.clone()))));
                owed -= amount;
            }
        }
        order.credited += owed;
        let owed = self.refund(OperationCause::Return, refunds)?;
        self.give_back(owed)
    }

    /// An order is complete once everything has arrived and all that is due was taken.
    pub(super) fn complete(&mut self, id: &str) {
        let taken = self.captured(id);
        let order = self.orders.get_mut(id).unwrap();
        let arrived = order.lines.iter().all(|line| line.delivered == line.quantity);
        if order.status == "placed" && arrived && taken >= order.due() {
            order.status = "completed";
        }
    }

    pub(crate) fn captured(&self, id: &str) -> i128 {
        self.sum_of_payments(id, |payment| payment.captured)
    }

    pub(crate) fn outstanding(&self, id: &str) -> i128 {
        let set_aside = self.sum_of_payments(id, |payment| payment.authorized - payment.voided);
        (self.orders[id].due() - set_aside).max(0)
    }

    /// The worth of all goods that were shipped, these among them, less what was taken for them or came back.
    pub(super) fn worth_shipped_unpaid(&self, id: &str, now: &[(String, i128)]) -> i128 {
        let order = &self.orders[id];
        let shipped = |line: &Line| now.iter().filter(|(p, _)| *p == line.product).map(|(_, q)| q).sum::<i128>();
        let worth: i128 = order.lines.iter().map(|line| line.worth(line.shipped + shipped(line))).sum();
        worth + order.shipping - order.credited - self.captured(id)
    }

    /// How far an order is paid, in words.
    pub(crate) fn paid(&self, id: &str) -> &'static str {
        let (order, captured) = (&self.orders[id], self.captured(id));
        let refunded = self.sum_of_payments(id, |payment| payment.refunded);
        let set_aside = self.sum_of_payments(id, Payment::capturable);
        let stands = ["placed", "completed"].contains(&order.status);
        match () {
            () if refunded > 0 && refunded == captured => "refunded",
            () if refunded > 0 => "partially_refunded",
            () if stands && captured >= order.due() => "paid",
            () if captured > 0 => "partially_paid",
            () if stands && set_aside >= order.due() => "authorized",
            () => "unpaid",
        }
    }

    fn sum_of_payments(&self, id: &str, part: impl Fn(&Payment) -> i128) -> i128 {
        self.orders[id].payments.iter().map(|name| part(&self.payments[name])).sum()
    }
}
