//! Returns: goods that came back go into stock again, and what was paid for them is refunded.

use std::collections::VecDeque;

use crate::command::Command;
use crate::ids::OperationId;
use crate::money::Money;
use crate::order::OrderEvent;
use crate::payment::{OperationCause, PaymentCommand};
use crate::product::ProductCommand;

pub(super) fn react(event: &OrderEvent, follow_ups: &mut VecDeque<Command>) {
    let OrderEvent::ReturnReceived(e) = event else { return };
    follow_ups.extend(e.lines.iter().map(|line| {
        let restock = ProductCommand::Restock { order_id: e.order_id.clone(), quantity: line.quantity };
        Command::Product(line.product_id.clone(), restock)
    }));
    follow_ups.extend(e.refunds.iter().map(|due| {
        let refund = PaymentCommand::Refund {
            refund_id: OperationId::from(&e.return_id),
            cause: OperationCause::Return,
            amount: Some(Money::new(due.amount, e.currency)),
        };
        Command::Payment(due.payment_id.clone(), refund)
    }));
}
