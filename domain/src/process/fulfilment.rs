//! Fulfilment: shipped goods leave the stock, and payments that wait for shipment are captured: with the goods, or at
//! once where goods had been shipped before the payment came.

use std::collections::VecDeque;

use crate::command::Command;
use crate::ids::{OperationId, PaymentId};
use crate::money::Money;
use crate::order::OrderEvent;
use crate::payment::{OperationCause, PaymentCommand};
use crate::product::ProductCommand;

pub(super) fn react(event: &OrderEvent, follow_ups: &mut VecDeque<Command>) {
    match event {
        OrderEvent::OrderShipped(e) => {
            follow_ups.extend(e.lines.iter().map(|line| {
                let ship = ProductCommand::Ship { order_id: e.order_id.clone(), quantity: line.quantity };
                Command::Product(line.product_id.clone(), ship)
            }));
            follow_ups.extend(e.captures.iter().map(|due| {
                let amount = Money::new(due.amount, e.currency);
                capture(&due.payment_id, OperationId::from(&e.shipment_id), OperationCause::Shipment, amount)
            }));
        }
        OrderEvent::OrderPaymentRecorded(e) => {
            follow_ups.extend(e.due.map(|due| {
                let amount = Money::new(due, e.amount.currency);
                capture(&e.payment_id, OperationId::from(&e.payment_id), OperationCause::Automatic, amount)
            }));
        }
        _ => {}
    }
}

fn capture(payment_id: &PaymentId, capture_id: OperationId, cause: OperationCause, amount: Money) -> Command {
    Command::Payment(payment_id.clone(), PaymentCommand::Capture { capture_id, cause, amount: Some(amount) })
}
