//! Payments and their operations: what events change in their rows.

use chrono::{DateTime, Utc};
use domain::ids::{AccountId, OperationId, OrderId, PaymentId, Position};
use domain::money::Money;
use domain::payment::{CaptureMode, OperationCause, Payer, PaymentEvent};

use super::Changes;
use super::stamp::Stamp;

/// What changes in a payment's row. Sums are in minor units of its currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PaymentChange {
    /// There where the payment was requested by one of the events.
    pub(crate) requested: Option<Requested>,
    pub(crate) authorized: i64,
    pub(crate) captured: i64,
    pub(crate) voided: i64,
    pub(crate) refunded: i64,
    /// Of the last event.
    pub(crate) stamp: Stamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Requested {
    pub(crate) order_id: Option<OrderId>,
    pub(crate) payer: AccountId,
    pub(crate) payee: AccountId,
    pub(crate) amount: Money,
    pub(crate) capture: CaptureMode,
    pub(crate) stamp: Stamp,
}

/// What was done with a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OperationRow {
    pub(crate) payment_id: PaymentId,
    pub(crate) position: Position,
    pub(crate) kind: &'static str,
    pub(crate) named: Option<(OperationId, OperationCause)>,
    pub(crate) amount: i64,
    pub(crate) at: DateTime<Utc>,
}

/// The word for when a payment is captured, as rows and answers have it.
pub(crate) const fn capture_word(capture: CaptureMode) -> &'static str {
    match capture {
        CaptureMode::Automatic => "automatic",
        CaptureMode::OnShipment => "on_shipment",
        CaptureMode::Manual => "manual",
    }
}

/// The word for what brought an operation about, as rows and answers have it.
pub(crate) const fn cause_word(cause: OperationCause) -> &'static str {
    match cause {
        OperationCause::Request => "request",
        OperationCause::Automatic => "automatic",
        OperationCause::Shipment => "shipment",
        OperationCause::Return => "return",
        OperationCause::Cancellation => "cancellation",
    }
}

pub(super) fn apply(changes: &mut Changes, event: &PaymentEvent, stamp: Stamp) {
    let payment_id = event.payment_id();
    let payment = changes.payments.entry(payment_id.clone()).or_insert_with(|| PaymentChange {
        requested: None,
        authorized: 0,
        captured: 0,
        voided: 0,
        refunded: 0,
        stamp,
    });
    payment.stamp = stamp;
    let (kind, named, amount) = match event {
        PaymentEvent::PaymentRequested(e) => {
            let Payer::Account(payer) = &e.payer;
            payment.requested = Some(Requested {
                order_id: e.order_id.clone(),
                payer: payer.clone(),
                payee: e.payee_account_id.clone(),
                amount: e.amount,
                capture: e.capture,
                stamp,
            });
            return;
        }
        PaymentEvent::PaymentAuthorized(e) => {
            payment.authorized += e.amount.amount.minor_units();
            ("authorization", None, e.amount)
        }
        PaymentEvent::PaymentCaptured(e) => {
            payment.captured += e.amount.amount.minor_units();
            ("capture", Some((e.capture_id.clone(), e.cause)), e.amount)
        }
        PaymentEvent::PaymentVoided(e) => {
            payment.voided += e.amount.amount.minor_units();
            ("void", None, e.amount)
        }
        PaymentEvent::PaymentRefunded(e) => {
            payment.refunded += e.amount.amount.minor_units();
            ("refund", Some((e.refund_id.clone(), e.cause)), e.amount)
        }
    };
    changes.payment_operations.push(OperationRow {
        payment_id: payment_id.clone(),
        position: stamp.position,
        kind,
        named,
        amount: amount.amount.minor_units(),
        at: stamp.business_time(),
    });
}
