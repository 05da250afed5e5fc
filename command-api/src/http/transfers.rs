//! The commands of transfers, as clients write them.

use domain::account::AccountCommand;
use domain::command::Command;
use domain::ids::{AccountId, TransferId};
use domain::money::Money;
use domain::text::Text;

use super::definition::commands;

commands! {
    /// Sends money from one account to another: both sides, or neither.
    SendTransfer = "send_transfer" {
        /// What the transfer is called; made where left out.
        transfer_id: TransferId, generated("tr_");
        /// Who sends.
        from: AccountId, required;
        /// Who receives.
        to: AccountId = "acct_bob", required;
        /// How much.
        amount: Money, required;
        /// What the sender says about it.
        reference: Text = "rent for January", optional;
    } => Command::Account(from, AccountCommand::SendTransfer { transfer_id, to, amount, reference });

    /// Undoes a transfer: takes it back from its receiver and gives it to its sender.
    ReverseTransfer = "reverse_transfer", unversioned {
        /// The transfer.
        transfer_id: TransferId, path;
        /// Why.
        reason: Text = "sent twice", required;
    } => Command::ReverseTransfer { transfer_id, reason };
}
