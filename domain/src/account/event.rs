//! What can have happened to an account. The JSON form of each is fixed; see the golden files.

use serde::{Deserialize, Serialize};

use super::command::{CaptureTo, FreezeScope};
use crate::currency::Currency;
use crate::event::events;
use crate::ids::{AccountId, HoldId, OperationId, OwnerId, PaymentId, TransferId};
use crate::money::{Amount, Money};
use crate::text::Text;

/// Which side of a reversed transfer an event is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReversalSide {
    /// The former receiver, who gives the money back.
    Returned,
    /// The former sender, who has it again.
    Restored,
}

events! {
    /// What can have happened to an account.
    AccountEvent of account_id: AccountId;

    /// The account was opened.
    AccountOpened = "account_opened" v 1 {
        /// Whose it is.
        owner_id: OwnerId,
        /// What it holds.
        currency: Currency,
    }
    /// Money came in from outside.
    FundsDeposited = "funds_deposited" v 1 {
        /// How much.
        amount: Money,
        /// What the outside calls it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reference: Option<Text>,
    }
    /// Money went out.
    FundsWithdrawn = "funds_withdrawn" v 1 {
        /// How much.
        amount: Money,
        /// What the outside calls it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reference: Option<Text>,
    }
    /// Money left for another account.
    TransferSent = "transfer_sent" v 1 {
        /// The transfer's name.
        transfer_id: TransferId,
        /// Who receives it.
        to: AccountId,
        /// How much.
        amount: Money,
        /// What the sender says about it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reference: Option<Text>,
    }
    /// Money arrived from another account.
    TransferReceived = "transfer_received" v 1 {
        /// The transfer's name.
        transfer_id: TransferId,
        /// Who sent it.
        from: AccountId,
        /// How much.
        amount: Money,
        /// What the sender says about it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reference: Option<Text>,
    }
    /// A transfer was undone; each side has one of these.
    TransferReversed = "transfer_reversed" v 1 {
        /// The transfer's name.
        transfer_id: TransferId,
        /// Which side this account is on.
        side: ReversalSide,
        /// The account on the other side.
        counterparty: AccountId,
        /// How much.
        amount: Money,
        /// Why.
        reason: Text,
    }
    /// Money was set aside.
    HoldPlaced = "hold_placed" v 1 {
        /// The hold's name.
        hold_id: HoldId,
        /// How much.
        amount: Money,
        /// The payment it secures.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        payment_id: Option<PaymentId>,
    }
    /// Held money was taken for good.
    HoldCaptured = "hold_captured" v 1 {
        /// The hold's name.
        hold_id: HoldId,
        /// How much was taken.
        amount: Money,
        /// Where it went.
        to: CaptureTo,
        /// How many minor units were let go along with it.
        released: Amount,
        /// How many minor units the hold still holds.
        remaining: Amount,
        /// The payment that it secures.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        payment_id: Option<PaymentId>,
    }
    /// Held money was let go.
    HoldReleased = "hold_released" v 1 {
        /// The hold's name.
        hold_id: HoldId,
        /// How much was let go.
        amount: Money,
        /// The payment that it secured.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        payment_id: Option<PaymentId>,
    }
    /// Money captured from a hold on another account arrived.
    CaptureReceived = "capture_received" v 1 {
        /// The hold on the other account.
        hold_id: HoldId,
        /// The other account.
        from: AccountId,
        /// How much.
        amount: Money,
        /// The payment.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        payment_id: Option<PaymentId>,
    }
    /// A payment was paid back out of this account.
    RefundSent = "refund_sent" v 1 {
        /// The payment.
        payment_id: PaymentId,
        /// The refund.
        refund_id: OperationId,
        /// Who had paid.
        to: AccountId,
        /// How much.
        amount: Money,
    }
    /// A payment came back to this account.
    RefundReceived = "refund_received" v 1 {
        /// The payment.
        payment_id: PaymentId,
        /// The refund.
        refund_id: OperationId,
        /// The payee.
        from: AccountId,
        /// How much.
        amount: Money,
    }
    /// Money was stopped from moving.
    AccountFrozen = "account_frozen" v 1 {
        /// What is stopped.
        scope: FreezeScope,
        /// Why.
        reason: Text,
    }
    /// Money may move again.
    AccountUnfrozen = "account_unfrozen" v 1 {
        /// Why.
        reason: Text,
    }
    /// The account ended.
    AccountClosed = "account_closed" v 1 {
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Text>,
    }
}
