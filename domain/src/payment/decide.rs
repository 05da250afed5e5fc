//! The rules of a payment.

use super::event::{
    PaymentAuthorized, PaymentCaptured, PaymentEvent, PaymentRefunded, PaymentRequested, PaymentVoided,
};
use super::state::{self, OperationKind, Payment};
use super::{OperationCause, Payer, PaymentCommand};
use crate::aggregate::{Aggregate, Context};
use crate::ids::{OperationId, PaymentId};
use crate::money::{Amount, Money};
use crate::rejection::Rejection;

impl Aggregate for Payment {
    type Id = PaymentId;
    type Command = PaymentCommand;
    type Event = PaymentEvent;
    type Events = Vec<PaymentEvent>;

    fn decide(
        payment_id: &PaymentId,
        state: Option<&Self>,
        command: &PaymentCommand,
        _: &Context,
    ) -> Result<Vec<PaymentEvent>, Rejection> {
        let id = payment_id.clone();
        if let PaymentCommand::Request { .. } = command {
            return match state {
                Some(_) => Err(Rejection::PaymentExists { payment_id: id }),
                None => request(id, command.clone()).map(|event| vec![event]),
            };
        }
        let payment = state.ok_or(Rejection::PaymentNotFound { payment_id: id })?;
        let existing = Existing { id: payment_id, payment };
        match command.clone() {
            PaymentCommand::Request { .. } => Err(Rejection::PaymentExists { payment_id: payment_id.clone() }),
            PaymentCommand::Approve => Ok(vec![existing.approve()]),
            PaymentCommand::Capture { capture_id, cause, amount } => {
                existing.capture(capture_id, cause, amount).map(|event| vec![event])
            }
            PaymentCommand::Void => existing.void().map(|event| vec![event]),
            PaymentCommand::Refund { refund_id, cause, amount } => {
                existing.refund(refund_id, cause, amount).map(|event| vec![event])
            }
            PaymentCommand::Cancel { order_id } => {
                let mut events = Vec::new();
                if payment.capturable() > Amount::ZERO {
                    events.push(existing.void()?);
                }
                if payment.refundable() > Amount::ZERO {
                    let refund_id = OperationId::from(&order_id);
                    events.push(existing.refund(refund_id, OperationCause::Cancellation, None)?);
                }
                Ok(events)
            }
        }
    }

    fn evolve(state: &mut Option<Self>, event: &PaymentEvent) {
        state::evolve(state, event);
    }
}

fn request(payment_id: PaymentId, command: PaymentCommand) -> Result<PaymentEvent, Rejection> {
    let PaymentCommand::Request { order_id, payer, payee_account_id, amount, capture, payee_currency } = command else {
        return Err(Rejection::PaymentNotFound { payment_id });
    };
    if amount.amount <= Amount::ZERO {
        return Err(Rejection::AmountNotPositive { amount });
    }
    let Payer::Account(payer_account_id) = &payer;
    if *payer_account_id == payee_account_id {
        return Err(Rejection::SameAccount { account_id: payee_account_id });
    }
    let Some(expected) = payee_currency else {
        return Err(Rejection::AccountNotFound { account_id: payee_account_id });
    };
    if expected != amount.currency {
        return Err(Rejection::CurrencyMismatch { expected, requested: amount.currency });
    }
    Ok(PaymentRequested { payment_id, order_id, payer, payee_account_id, amount, capture }.into())
}

/// A payment that exists.
struct Existing<'a> {
    id: &'a PaymentId,
    payment: &'a Payment,
}

impl Existing<'_> {
    fn approve(&self) -> PaymentEvent {
        let (order_id, amount) = (self.payment.order_id.clone(), self.payment.amount);
        PaymentAuthorized { payment_id: self.id.clone(), order_id, amount, capture: self.payment.capture }.into()
    }

    fn capture(
        &self,
        capture_id: OperationId,
        cause: OperationCause,
        amount: Option<Money>,
    ) -> Result<PaymentEvent, Rejection> {
        self.first_time(OperationKind::Capture, cause, &capture_id)?;
        if self.payment.capturable() == Amount::ZERO {
            let status = self.payment.status().as_str().to_owned();
            return Err(Rejection::PaymentNotCapturable { payment_id: self.id.clone(), status });
        }
        let capturable = self.payment.money(self.payment.capturable());
        let amount = self.positive(amount.unwrap_or(capturable))?;
        if amount.amount > capturable.amount {
            let payment_id = self.id.clone();
            return Err(Rejection::CaptureExceedsAuthorized { payment_id, capturable, requested: amount });
        }
        let captured = PaymentCaptured {
            payment_id: self.id.clone(),
            capture_id,
            cause,
            order_id: self.payment.order_id.clone(),
            payer: self.payment.payer.clone(),
            payee_account_id: self.payment.payee_account_id.clone(),
            amount,
            capture: self.payment.capture,
        };
        Ok(captured.into())
    }

    fn void(&self) -> Result<PaymentEvent, Rejection> {
        let amount = self.payment.money(self.payment.capturable());
        if amount.amount == Amount::ZERO {
            let status = self.payment.status().as_str().to_owned();
            return Err(Rejection::PaymentNotVoidable { payment_id: self.id.clone(), status });
        }
        let voided = PaymentVoided {
            payment_id: self.id.clone(),
            order_id: self.payment.order_id.clone(),
            payer: self.payment.payer.clone(),
            amount,
            capture: self.payment.capture,
        };
        Ok(voided.into())
    }

    fn refund(
        &self,
        refund_id: OperationId,
        cause: OperationCause,
        amount: Option<Money>,
    ) -> Result<PaymentEvent, Rejection> {
        self.first_time(OperationKind::Refund, cause, &refund_id)?;
        let refundable = self.payment.money(self.payment.refundable());
        let amount = amount.unwrap_or(refundable);
        if refundable.amount == Amount::ZERO {
            let payment_id = self.id.clone();
            return Err(Rejection::RefundExceedsCaptured { payment_id, refundable, requested: amount });
        }
        let amount = self.positive(amount)?;
        if amount.amount > refundable.amount {
            let payment_id = self.id.clone();
            return Err(Rejection::RefundExceedsCaptured { payment_id, refundable, requested: amount });
        }
        let refunded = PaymentRefunded {
            payment_id: self.id.clone(),
            refund_id,
            cause,
            order_id: self.payment.order_id.clone(),
            payer: self.payment.payer.clone(),
            payee_account_id: self.payment.payee_account_id.clone(),
            amount,
            capture: self.payment.capture,
        };
        Ok(refunded.into())
    }

    fn first_time(&self, kind: OperationKind, cause: OperationCause, id: &OperationId) -> Result<(), Rejection> {
        if self.payment.operations.contains(&(kind, cause, id.clone())) {
            let (payment_id, operation_id) = (self.id.clone(), id.clone());
            return Err(Rejection::DuplicateOperation { payment_id, operation_id });
        }
        Ok(())
    }

    fn positive(&self, amount: Money) -> Result<Money, Rejection> {
        let expected = self.payment.amount.currency;
        if amount.currency != expected {
            return Err(Rejection::CurrencyMismatch { expected, requested: amount.currency });
        }
        if amount.amount <= Amount::ZERO {
            return Err(Rejection::AmountNotPositive { amount });
        }
        Ok(amount)
    }
}
