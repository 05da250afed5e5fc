//! A payment's state and how events change it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::event::PaymentEvent;
use super::{CaptureMode, OperationCause, Payer};
use crate::ids::{AccountId, OperationId, OrderId};
use crate::money::{Amount, Money};

/// Where a payment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentStatus {
    /// Nothing was set aside yet.
    Pending,
    /// Set aside, nothing taken.
    Authorized,
    /// Some of it taken, more can be.
    PartiallyCaptured,
    /// Taken; nothing more can be.
    Captured,
    /// Some of what was taken was given back.
    PartiallyRefunded,
    /// All that was taken was given back.
    Refunded,
    /// Let go without taking anything.
    Voided,
}

impl PaymentStatus {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Authorized => "authorized",
            Self::PartiallyCaptured => "partially_captured",
            Self::Captured => "captured",
            Self::PartiallyRefunded => "partially_refunded",
            Self::Refunded => "refunded",
            Self::Voided => "voided",
        }
    }
}

/// A capture or a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum OperationKind {
    /// Money was taken.
    Capture,
    /// Money was given back.
    Refund,
}

/// A payment. Amounts are minor units of `amount`'s currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// The order it pays.
    pub order_id: Option<OrderId>,
    /// Who pays.
    pub payer: Payer,
    /// Who is paid.
    pub payee_account_id: AccountId,
    /// What was asked.
    pub amount: Money,
    /// When it is taken.
    pub capture: CaptureMode,
    /// Set aside.
    pub authorized: Amount,
    /// Taken.
    pub captured: Amount,
    /// Set aside and let go again.
    pub voided: Amount,
    /// Given back.
    pub refunded: Amount,
    /// The names of its captures and refunds, so that none is done twice.
    pub operations: BTreeSet<(OperationKind, OperationCause, OperationId)>,
}

impl Payment {
    /// What can still be taken.
    #[must_use]
    pub fn capturable(&self) -> Amount {
        less(less(self.authorized, self.captured), self.voided)
    }

    /// What can still be given back.
    #[must_use]
    pub fn refundable(&self) -> Amount {
        less(self.captured, self.refunded)
    }

    /// Where it is, derived from the sums.
    #[must_use]
    pub fn status(&self) -> PaymentStatus {
        if self.authorized == Amount::ZERO {
            PaymentStatus::Pending
        } else if self.refunded > Amount::ZERO {
            if self.refundable() == Amount::ZERO { PaymentStatus::Refunded } else { PaymentStatus::PartiallyRefunded }
        } else if self.captured > Amount::ZERO {
            if self.capturable() == Amount::ZERO { PaymentStatus::Captured } else { PaymentStatus::PartiallyCaptured }
        } else if self.voided > Amount::ZERO {
            PaymentStatus::Voided
        } else {
            PaymentStatus::Authorized
        }
    }

    /// An amount in the payment's currency.
    #[must_use]
    pub fn money(&self, amount: Amount) -> Money {
        Money::new(amount, self.amount.currency)
    }
}

/// A difference that the rules keep from going below zero.
fn less(from: Amount, amount: Amount) -> Amount {
    from.minus(amount).unwrap_or(Amount::ZERO).max(Amount::ZERO)
}

/// A sum that the rules keep in range.
fn add(to: &mut Amount, amount: Money) {
    *to = to.plus(amount.amount).unwrap_or(*to);
}

pub(super) fn evolve(state: &mut Option<Payment>, event: &PaymentEvent) {
    if let (PaymentEvent::PaymentRequested(e), None) = (event, &state) {
        *state = Some(Payment {
            order_id: e.order_id.clone(),
            payer: e.payer.clone(),
            payee_account_id: e.payee_account_id.clone(),
            amount: e.amount,
            capture: e.capture,
            authorized: Amount::ZERO,
            captured: Amount::ZERO,
            voided: Amount::ZERO,
            refunded: Amount::ZERO,
            operations: BTreeSet::new(),
        });
        return;
    }
    let Some(payment) = state else { return };
    match event {
        PaymentEvent::PaymentRequested(_) => {}
        PaymentEvent::PaymentAuthorized(e) => add(&mut payment.authorized, e.amount),
        PaymentEvent::PaymentCaptured(e) => {
            add(&mut payment.captured, e.amount);
            payment.operations.insert((OperationKind::Capture, e.cause, e.capture_id.clone()));
        }
        PaymentEvent::PaymentVoided(e) => add(&mut payment.voided, e.amount),
        PaymentEvent::PaymentRefunded(e) => {
            add(&mut payment.refunded, e.amount);
            payment.operations.insert((OperationKind::Refund, e.cause, e.refund_id.clone()));
        }
    }
}
