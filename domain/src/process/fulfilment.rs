//! Fulfilment: shipped goods leave the stock, and payments that wait for shipment are captured.

use std::collections::VecDeque;

use crate::command::Command;
use crate::ids::OperationId;
use crate::money::Money;
use crate::order::OrderEvent;
use crate::payment::{OperationCause, PaymentCommand};
use crate::product::ProductCommand;

pub(super) fn react(event: &OrderEvent, follow_ups: &mut VecDeque<Command>) {
    let OrderEvent::OrderShipped(e) = event else { return };
    follow_ups.extend(e.lines.iter().map(|line| {
        let ship = ProductCommand::Ship { order_id: e.order_id.clone(), quantity: line.quantity };
        Command::Product(line.product_id.clone(), ship)
    }));
    follow_ups.extend(e.captures.iter().map(|due| {
        let capture = PaymentCommand::Capture {
            capture_id: OperationId::from(&e.shipment_id),
            cause: OperationCause::Shipment,
            amount: Some(Money::new(due.amount, e.currency)),
        };
        Command::Payment(due.payment_id.clone(), capture)
    }));
}
