//! The payment aggregate: an intent to pay and the operations on it. What is captured never exceeds what is
//! authorized, what is refunded never exceeds what is captured.

mod decide;
pub mod event;
pub mod state;

use serde::{Deserialize, Serialize};

pub use event::PaymentEvent;
pub use state::{Payment, PaymentStatus};

use crate::currency::Currency;
use crate::ids::{AccountId, OperationId, OrderId};
use crate::money::Money;

/// Who pays. (Cards are a further way to pay, not offered yet.)
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Payer {
    /// An account of Bursar: authorizing places a hold on it.
    #[serde(rename = "account_id")]
    Account(AccountId),
}

/// When authorized money is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaptureMode {
    /// At once.
    Automatic,
    /// As the order's goods are shipped.
    OnShipment,
    /// When a capture is asked for.
    Manual,
}

/// What brought a capture or a refund about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationCause {
    /// Somebody asked for it.
    Request,
    /// The payment is captured automatically.
    Automatic,
    /// Goods were shipped.
    Shipment,
    /// Goods came back.
    Return,
    /// The order was called off.
    Cancellation,
}

/// What can be asked of a payment. The last group is asked by process managers only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaymentCommand {
    /// Asks for a payment; the process manager sets the money aside.
    Request {
        /// The order it pays, if any.
        order_id: Option<OrderId>,
        /// Who pays.
        payer: Payer,
        /// Who is paid.
        payee_account_id: AccountId,
        /// How much.
        amount: Money,
        /// When it is taken.
        capture: CaptureMode,
        /// What the payee's account holds; filled in when the command is taken up, `None` where there is none.
        payee_currency: Option<Currency>,
    },
    /// Takes authorized money.
    Capture {
        /// The capture's name.
        capture_id: OperationId,
        /// What brought it about.
        cause: OperationCause,
        /// How much; everything that is left where left out.
        amount: Option<Money>,
    },
    /// Lets go what is authorized and not captured.
    Void,
    /// Gives captured money back.
    Refund {
        /// The refund's name.
        refund_id: OperationId,
        /// What brought it about.
        cause: OperationCause,
        /// How much; everything that is left where left out.
        amount: Option<Money>,
    },

    /// The money was set aside.
    Approve,
    /// The order was called off: voids what is authorized and refunds what is captured.
    Cancel {
        /// The order.
        order_id: OrderId,
    },
}
