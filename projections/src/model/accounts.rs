//! Accounts: what events change in their rows.

use domain::account::command::FreezeScope;
use domain::account::event::AccountEvent;
use domain::account::state::AccountStatus;
use domain::currency::Currency;
use domain::ids::OwnerId;

use super::Changes;
use super::stamp::Stamp;

/// What changes in an account's row. Sums are in minor units of its currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AccountChange {
    /// There where the account was opened by one of the events.
    pub(crate) opened: Option<Opened>,
    pub(crate) balance: i64,
    pub(crate) held: i64,
    pub(crate) status: Option<AccountStatus>,
    /// Of the last event.
    pub(crate) stamp: Stamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Opened {
    pub(crate) owner_id: OwnerId,
    pub(crate) currency: Currency,
    pub(crate) stamp: Stamp,
}

/// The word for a status, as rows and answers have it.
pub(crate) const fn status_word(status: AccountStatus) -> &'static str {
    match status {
        AccountStatus::Open => "open",
        AccountStatus::FrozenDebits => "frozen_debits",
        AccountStatus::Frozen => "frozen",
        AccountStatus::Closed => "closed",
    }
}

pub(super) fn apply(changes: &mut Changes, event: &AccountEvent, stamp: Stamp) {
    let change = changes.accounts.entry(event.account_id().clone()).or_insert_with(|| AccountChange {
        opened: None,
        balance: 0,
        held: 0,
        status: None,
        stamp,
    });
    change.stamp = stamp;
    match event {
        AccountEvent::AccountOpened(e) => {
            change.opened = Some(Opened { owner_id: e.owner_id.clone(), currency: e.currency, stamp });
            change.status = Some(AccountStatus::Open);
        }
        AccountEvent::HoldPlaced(e) => change.held += e.amount.amount.minor_units(),
        AccountEvent::HoldCaptured(e) => change.held -= e.amount.amount.minor_units() + e.released.minor_units(),
        AccountEvent::HoldReleased(e) => change.held -= e.amount.amount.minor_units(),
        AccountEvent::AccountFrozen(e) => {
            change.status = Some(match e.scope {
                FreezeScope::Debits => AccountStatus::FrozenDebits,
                FreezeScope::All => AccountStatus::Frozen,
            });
        }
        AccountEvent::AccountUnfrozen(_) => change.status = Some(AccountStatus::Open),
        AccountEvent::AccountClosed(_) => change.status = Some(AccountStatus::Closed),
        // What these move is booked with their postings, in journal.rs.
        AccountEvent::FundsDeposited(_)
        | AccountEvent::FundsWithdrawn(_)
        | AccountEvent::TransferSent(_)
        | AccountEvent::TransferReceived(_)
        | AccountEvent::TransferReversed(_)
        | AccountEvent::CaptureReceived(_)
        | AccountEvent::RefundSent(_)
        | AccountEvent::RefundReceived(_) => {}
    }
}
