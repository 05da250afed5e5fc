//! What can be asked of an account. The last group is asked by process managers only, never from outside.

use serde::{Deserialize, Serialize};

use crate::currency::Currency;
use crate::ids::{AccountId, HoldId, OperationId, OwnerId, PaymentId, TransferId};
use crate::money::Money;
use crate::text::Text;

/// What a freeze stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FreezeScope {
    /// Money may come in, but not go out.
    Debits,
    /// Nothing moves.
    All,
}

/// Where captured money goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaptureTo {
    /// To another account of Bursar.
    Account(AccountId),
    /// Out of Bursar.
    External,
}

/// What can be asked of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountCommand {
    /// Opens the account.
    Open {
        /// Whose it is.
        owner_id: OwnerId,
        /// What it holds.
        currency: Currency,
    },
    /// Brings money in from outside.
    Deposit {
        /// How much.
        amount: Money,
        /// What the outside calls it.
        reference: Option<Text>,
    },
    /// Takes money out.
    Withdraw {
        /// How much.
        amount: Money,
        /// What the outside calls it.
        reference: Option<Text>,
    },
    /// Sends money to another account; the process manager credits the receiver.
    SendTransfer {
        /// The transfer's name.
        transfer_id: TransferId,
        /// Who receives it.
        to: AccountId,
        /// How much.
        amount: Money,
        /// What the sender says about it.
        reference: Option<Text>,
    },
    /// Sets money aside.
    PlaceHold {
        /// The hold's name.
        hold_id: HoldId,
        /// How much.
        amount: Money,
        /// The payment it secures; never set from outside.
        payment_id: Option<PaymentId>,
    },
    /// Takes held money for good.
    CaptureHold {
        /// The hold's name.
        hold_id: HoldId,
        /// How much; all that it still holds where left out.
        amount: Option<Money>,
        /// Where it goes.
        to: CaptureTo,
        /// Whether what remains is let go.
        release_rest: bool,
        /// The payment that captures; never set from outside.
        payment_id: Option<PaymentId>,
    },
    /// Lets held money go.
    ReleaseHold {
        /// The hold's name.
        hold_id: HoldId,
        /// The payment that releases; never set from outside.
        payment_id: Option<PaymentId>,
    },
    /// Stops money from moving.
    Freeze {
        /// What is stopped.
        scope: FreezeScope,
        /// Why.
        reason: Text,
    },
    /// Lets money move again.
    Unfreeze {
        /// Why.
        reason: Text,
    },
    /// Ends the account.
    Close {
        /// Why.
        reason: Option<Text>,
    },

    /// Credits the receiver of a transfer.
    ReceiveTransfer {
        /// The transfer's name.
        transfer_id: TransferId,
        /// Who sent it.
        from: AccountId,
        /// How much.
        amount: Money,
        /// What the sender says about it.
        reference: Option<Text>,
    },
    /// Takes a transfer back from its receiver; the process manager gives it to the sender.
    ReturnTransfer {
        /// The transfer's name.
        transfer_id: TransferId,
        /// Who had sent it.
        to: AccountId,
        /// How much.
        amount: Money,
        /// Why.
        reason: Text,
    },
    /// Gives a reversed transfer back to its sender.
    RestoreTransfer {
        /// The transfer's name.
        transfer_id: TransferId,
        /// Who had received it.
        from: AccountId,
        /// How much.
        amount: Money,
        /// Why.
        reason: Text,
    },
    /// Credits what was captured from a hold on another account.
    ReceiveCapture {
        /// The hold on the other account.
        hold_id: HoldId,
        /// The other account.
        from: AccountId,
        /// How much.
        amount: Money,
        /// The payment, where there is one.
        payment_id: Option<PaymentId>,
    },
    /// Pays a payment back, out of its payee's account.
    SendRefund {
        /// The payment.
        payment_id: PaymentId,
        /// The refund.
        refund_id: OperationId,
        /// Who paid.
        to: AccountId,
        /// How much.
        amount: Money,
    },
    /// Credits the payer with a refund.
    ReceiveRefund {
        /// The payment.
        payment_id: PaymentId,
        /// The refund.
        refund_id: OperationId,
        /// The payee.
        from: AccountId,
        /// How much.
        amount: Money,
    },
}
