//! Double entry: the two postings of every money event. What one side is debited, the other is credited, so that all
//! postings of a currency sum to zero at every position.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::account::CaptureTo;
use crate::account::event::{AccountEvent, ReversalSide};
use crate::event::Event;
use crate::ids::{AccountId, InvalidId};
use crate::money::Money;

/// One side of a posting. Written as the account's id, or with a class before a colon: `external:cash`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LedgerAccount {
    /// An account of Bursar.
    Account(AccountId),
    /// The world outside: what came in and went out.
    ExternalCash,
    /// Transfers under way; zero whenever none is.
    ClearingTransfers,
    /// Captures and refunds under way; zero whenever none is.
    ClearingPayments,
}

/// The kinds of ledger accounts that a trial balance lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LedgerClass {
    /// Accounts of Bursar.
    Accounts,
    /// `external:cash`.
    External,
    /// `clearing:transfers` and `clearing:payments`.
    Clearing,
}

impl LedgerAccount {
    /// The class that a trial balance lists it under.
    #[must_use]
    pub const fn class(&self) -> LedgerClass {
        match self {
            Self::Account(_) => LedgerClass::Accounts,
            Self::ExternalCash => LedgerClass::External,
            Self::ClearingTransfers | Self::ClearingPayments => LedgerClass::Clearing,
        }
    }

    /// Its name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Account(id) => id.as_str(),
            Self::ExternalCash => "external:cash",
            Self::ClearingTransfers => "clearing:transfers",
            Self::ClearingPayments => "clearing:payments",
        }
    }
}

impl fmt::Display for LedgerAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for LedgerAccount {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Ok(match text {
            "external:cash" => Self::ExternalCash,
            "clearing:transfers" => Self::ClearingTransfers,
            "clearing:payments" => Self::ClearingPayments,
            id => Self::Account(AccountId::new(id)?),
        })
    }
}

/// A movement of money: `amount` is debited on one ledger account and credited on another. Balances here are credits
/// less debits, as the owner of an account sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    /// Whose balance goes down.
    pub debit: LedgerAccount,
    /// Whose balance goes up.
    pub credit: LedgerAccount,
    /// By how much; more than zero.
    pub amount: Money,
}

/// The movement that an event books; `None` where no money moves.
#[must_use]
pub fn posting(event: &Event) -> Option<Posting> {
    let Event::Account(event) = event else { return None };
    let account = || LedgerAccount::Account(event.account_id().clone());
    let (debit, credit, amount) = match event {
        AccountEvent::FundsDeposited(e) => (LedgerAccount::ExternalCash, account(), e.amount),
        AccountEvent::FundsWithdrawn(e) => (account(), LedgerAccount::ExternalCash, e.amount),
        AccountEvent::TransferSent(e) => (account(), LedgerAccount::ClearingTransfers, e.amount),
        AccountEvent::TransferReceived(e) => (LedgerAccount::ClearingTransfers, account(), e.amount),
        AccountEvent::TransferReversed(e) => match e.side {
            ReversalSide::Returned => (account(), LedgerAccount::ClearingTransfers, e.amount),
            ReversalSide::Restored => (LedgerAccount::ClearingTransfers, account(), e.amount),
        },
        AccountEvent::HoldCaptured(e) => match e.to {
            CaptureTo::Account(_) => (account(), LedgerAccount::ClearingPayments, e.amount),
            CaptureTo::External => (account(), LedgerAccount::ExternalCash, e.amount),
        },
        AccountEvent::CaptureReceived(e) => (LedgerAccount::ClearingPayments, account(), e.amount),
        AccountEvent::RefundSent(e) => (account(), LedgerAccount::ClearingPayments, e.amount),
        AccountEvent::RefundReceived(e) => (LedgerAccount::ClearingPayments, account(), e.amount),
        AccountEvent::AccountOpened(_)
        | AccountEvent::HoldPlaced(_)
        | AccountEvent::HoldReleased(_)
        | AccountEvent::AccountFrozen(_)
        | AccountEvent::AccountUnfrozen(_)
        | AccountEvent::AccountClosed(_) => return None,
    };
    Some(Posting { debit, credit, amount })
}
