//! Cancellation: a cancelled order lets its stock go, and its payments are voided or refunded.

use std::collections::VecDeque;

use crate::command::Command;
use crate::order::OrderEvent;
use crate::payment::PaymentCommand;
use crate::product::ProductCommand;

pub(super) fn react(event: &OrderEvent, follow_ups: &mut VecDeque<Command>) {
    let OrderEvent::OrderCancelled(e) = event else { return };
    follow_ups.extend(e.reservations.iter().map(|line| {
        let release = ProductCommand::Release { order_id: e.order_id.clone(), quantity: line.quantity };
        Command::Product(line.product_id.clone(), release)
    }));
    follow_ups.extend(e.payments.iter().map(|payment_id| {
        Command::Payment(payment_id.clone(), PaymentCommand::Cancel { order_id: e.order_id.clone() })
    }));
}
