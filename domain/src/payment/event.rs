//! What can have happened to a payment.

use super::{CaptureMode, OperationCause, Payer};
use crate::event::events;
use crate::ids::{AccountId, OperationId, OrderId, PaymentId};
use crate::money::Money;

events! {
    /// What can have happened to a payment.
    PaymentEvent of payment_id: PaymentId;

    /// Somebody wants to pay.
    PaymentRequested = "payment_requested" v 1 {
        /// The order it pays.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        order_id: Option<OrderId>,
        /// Who pays.
        payer: Payer,
        /// Who is paid.
        payee_account_id: AccountId,
        /// How much.
        amount: Money,
        /// When it is taken.
        capture: CaptureMode,
    }
    /// The money was set aside.
    PaymentAuthorized = "payment_authorized" v 1 {
        /// The order it pays.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        order_id: Option<OrderId>,
        /// How much.
        amount: Money,
        /// When it is taken.
        capture: CaptureMode,
    }
    /// Money was taken.
    PaymentCaptured = "payment_captured" v 1 {
        /// The capture's name.
        capture_id: OperationId,
        /// What brought it about.
        cause: OperationCause,
        /// The order it pays.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        order_id: Option<OrderId>,
        /// Who pays.
        payer: Payer,
        /// Who is paid.
        payee_account_id: AccountId,
        /// How much.
        amount: Money,
        /// When the payment is taken.
        capture: CaptureMode,
    }
    /// What was authorized and not captured was let go.
    PaymentVoided = "payment_voided" v 1 {
        /// The order it was to pay.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        order_id: Option<OrderId>,
        /// Who was to pay.
        payer: Payer,
        /// How much.
        amount: Money,
        /// When the payment is taken.
        capture: CaptureMode,
    }
    /// Money was given back.
    PaymentRefunded = "payment_refunded" v 1 {
        /// The refund's name.
        refund_id: OperationId,
        /// What brought it about.
        cause: OperationCause,
        /// The order it had paid.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        order_id: Option<OrderId>,
        /// Who has it again.
        payer: Payer,
        /// Who gives it back.
        payee_account_id: AccountId,
        /// How much.
        amount: Money,
        /// When the payment is taken.
        capture: CaptureMode,
    }
}
