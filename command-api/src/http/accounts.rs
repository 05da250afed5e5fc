//! The commands of accounts, as clients write them.

use domain::account::AccountCommand;
use domain::account::command::FreezeScope;
use domain::command::Command;
use domain::currency::Currency;
use domain::ids::{AccountId, HoldId, OwnerId};
use domain::money::Money;
use domain::text::Text;

use super::definition::commands;
use super::field::objects::CaptureTarget;

commands! {
    /// Opens an account.
    OpenAccount = "open_account" {
        /// What the account is called; made where left out.
        account_id: AccountId, generated("acct_");
        /// Whose it is.
        owner_id: OwnerId, required;
        /// What it holds.
        currency: Currency, required;
    } => Command::Account(account_id, AccountCommand::Open { owner_id, currency });

    /// Brings money into an account from outside.
    Deposit = "deposit" {
        /// The account.
        account_id: AccountId, path;
        /// How much.
        amount: Money, required;
        /// What the outside calls it.
        reference: Text = "bank statement 2026-01-31, line 7", optional;
    } => Command::Account(account_id, AccountCommand::Deposit { amount, reference });

    /// Takes money out of an account.
    Withdraw = "withdraw" {
        /// The account.
        account_id: AccountId, path;
        /// How much.
        amount: Money, required;
        /// What the outside calls it.
        reference: Text = "payout 4711", optional;
    } => Command::Account(account_id, AccountCommand::Withdraw { amount, reference });

    /// Stops money from leaving an account, or from moving at all.
    FreezeAccount = "freeze_account" {
        /// The account.
        account_id: AccountId, path;
        /// What is stopped.
        scope: FreezeScope, required;
        /// Why.
        reason: Text = "suspected fraud", required;
    } => Command::Account(account_id, AccountCommand::Freeze { scope, reason });

    /// Lets money move again.
    UnfreezeAccount = "unfreeze_account" {
        /// The account.
        account_id: AccountId, path;
        /// Why.
        reason: Text = "checked, nothing found", required;
    } => Command::Account(account_id, AccountCommand::Unfreeze { reason });

    /// Closes an account that has no money and no open hold.
    CloseAccount = "close_account" {
        /// The account.
        account_id: AccountId, path;
        /// Why.
        reason: Text = "asked for by the owner", optional;
    } => Command::Account(account_id, AccountCommand::Close { reason });

    /// Sets money aside on an account.
    PlaceHold = "place_hold" {
        /// The account.
        account_id: AccountId, path;
        /// What the hold is called on its account; made where left out.
        hold_id: HoldId, generated("hold_");
        /// How much.
        amount: Money, required;
    } => Command::Account(account_id, AccountCommand::PlaceHold { hold_id, amount, payment_id: None });

    /// Takes held money for good: to another account, or out of Bursar.
    CaptureHold = "capture_hold" {
        /// The account.
        account_id: AccountId, path;
        /// The hold.
        hold_id: HoldId, path;
        /// How much; all that it still holds where left out.
        amount: Money, optional;
        /// Where the money goes.
        to: CaptureTarget, required;
        /// Whether what remains is let go; it stays held where left out.
        release_rest: bool, optional;
    } => Command::Account(account_id, AccountCommand::CaptureHold {
        hold_id,
        amount,
        to: to.into(),
        release_rest: release_rest.unwrap_or(false),
        payment_id: None,
    });

    /// Lets held money go.
    ReleaseHold = "release_hold" {
        /// The account.
        account_id: AccountId, path;
        /// The hold.
        hold_id: HoldId, path;
    } => Command::Account(account_id, AccountCommand::ReleaseHold { hold_id, payment_id: None });
}
