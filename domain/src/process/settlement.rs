//! Settlement: the steps of a payment become holds, captures and refunds on accounts, and are told to its order.
//! A refusal on an account, or by the order, refuses the payment's step.

use std::collections::VecDeque;

use crate::account::event::AccountEvent;
use crate::account::{AccountCommand, CaptureTo};
use crate::command::Command;
use crate::ids::{HoldId, OperationId, OrderId, PaymentId};
use crate::money::Money;
use crate::order::{OrderCommand, PaymentStep};
use crate::payment::event::PaymentEvent;
use crate::payment::{CaptureMode, OperationCause, Payer, PaymentCommand};

pub(super) fn react_to_payment(event: &PaymentEvent, follow_ups: &mut VecDeque<Command>) {
    let payment_id = event.payment_id();
    let hold_id = HoldId::from(payment_id);
    match event {
        PaymentEvent::PaymentRequested(e) => {
            let Payer::Account(payer) = &e.payer;
            let place = AccountCommand::PlaceHold { hold_id, amount: e.amount, payment_id: Some(payment_id.clone()) };
            follow_ups.push_back(Command::Account(payer.clone(), place));
        }
        PaymentEvent::PaymentAuthorized(e) => {
            tell(e.order_id.as_ref(), payment_id, PaymentStep::Authorized, e.amount, e.capture, follow_ups);
            if e.capture == CaptureMode::Automatic {
                let capture_id = OperationId::from(payment_id);
                let capture =
                    PaymentCommand::Capture { capture_id, cause: OperationCause::Automatic, amount: Some(e.amount) };
                follow_ups.push_back(Command::Payment(payment_id.clone(), capture));
            }
        }
        PaymentEvent::PaymentCaptured(e) => {
            let Payer::Account(payer) = &e.payer;
            let capture = AccountCommand::CaptureHold {
                hold_id,
                amount: Some(e.amount),
                to: CaptureTo::Account(e.payee_account_id.clone()),
                release_rest: false,
                payment_id: Some(payment_id.clone()),
            };
            follow_ups.push_back(Command::Account(payer.clone(), capture));
            tell(e.order_id.as_ref(), payment_id, PaymentStep::Captured, e.amount, e.capture, follow_ups);
        }
        PaymentEvent::PaymentVoided(e) => {
            let Payer::Account(payer) = &e.payer;
            let release = AccountCommand::ReleaseHold { hold_id, payment_id: Some(payment_id.clone()) };
            follow_ups.push_back(Command::Account(payer.clone(), release));
            tell(e.order_id.as_ref(), payment_id, PaymentStep::Voided, e.amount, e.capture, follow_ups);
        }
        PaymentEvent::PaymentRefunded(e) => {
            let Payer::Account(payer) = &e.payer;
            let send = AccountCommand::SendRefund {
                payment_id: payment_id.clone(),
                refund_id: e.refund_id.clone(),
                to: payer.clone(),
                amount: e.amount,
            };
            follow_ups.push_back(Command::Account(e.payee_account_id.clone(), send));
            tell(e.order_id.as_ref(), payment_id, PaymentStep::Refunded, e.amount, e.capture, follow_ups);
        }
    }
}

pub(super) fn react_to_account(event: &AccountEvent, follow_ups: &mut VecDeque<Command>) {
    match event {
        AccountEvent::HoldPlaced(e) => {
            if let Some(payment_id) = &e.payment_id {
                follow_ups.push_back(Command::Payment(payment_id.clone(), PaymentCommand::Approve));
            }
        }
        AccountEvent::HoldCaptured(e) => {
            if let CaptureTo::Account(payee) = &e.to {
                let receive = AccountCommand::ReceiveCapture {
                    hold_id: e.hold_id.clone(),
                    from: e.account_id.clone(),
                    amount: e.amount,
                    payment_id: e.payment_id.clone(),
                };
                follow_ups.push_back(Command::Account(payee.clone(), receive));
            }
        }
        AccountEvent::RefundSent(e) => {
            let receive = AccountCommand::ReceiveRefund {
                payment_id: e.payment_id.clone(),
                refund_id: e.refund_id.clone(),
                from: e.account_id.clone(),
                amount: e.amount,
            };
            follow_ups.push_back(Command::Account(e.to.clone(), receive));
        }
        _ => {}
    }
}

fn tell(
    order_id: Option<&OrderId>,
    payment_id: &PaymentId,
    step: PaymentStep,
    amount: Money,
    capture: CaptureMode,
    follow_ups: &mut VecDeque<Command>,
) {
    let Some(order_id) = order_id else { return };
    let record = OrderCommand::RecordPayment {
        payment_id: payment_id.clone(),
        step,
        amount: amount.amount,
        currency: amount.currency,
        capture,
    };
    follow_ups.push_back(Command::Order(order_id.clone(), record));
}
