//! The journal: one row for each side of a posting that is an account, with the account's balance after it. The fold
//! knows no balances; a row carries how much its account has moved since the fold began, and `write/journal.rs` adds
//! what the account had before.

use domain::account::CaptureTo;
use domain::account::event::AccountEvent;
use domain::currency::Currency;
use domain::event::Event;
use domain::ids::{AccountId, HoldId, PaymentId, TransferId};
use domain::posting::{LedgerAccount, posting};
use domain::text::Text;

use super::Changes;
use super::stamp::Stamp;

/// A row of the journal. Amounts are minor units of `currency`; a credit is positive, a debit negative.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JournalRow {
    pub(crate) account_id: AccountId,
    pub(crate) stamp: Stamp,
    pub(crate) leg: Leg,
    pub(crate) amount: i64,
    /// What the account has moved since the fold began, this row included.
    pub(crate) moved: i64,
    pub(crate) currency: Currency,
    /// The other side of the posting.
    pub(crate) ledger_account: LedgerAccount,
    pub(crate) event_type: &'static str,
    pub(crate) about: About,
}

/// Which side of a posting a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leg {
    Debit = 0,
    Credit = 1,
}

/// What a statement says about a movement besides its amount.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct About {
    /// Who was on the other side of the business; the outside where none.
    pub(crate) counterpart: Option<AccountId>,
    pub(crate) transfer_id: Option<TransferId>,
    pub(crate) payment_id: Option<PaymentId>,
    pub(crate) hold_id: Option<HoldId>,
    pub(crate) reference: Option<Text>,
}

pub(super) fn apply(changes: &mut Changes, event: &Event, account_event: &AccountEvent, stamp: Stamp) {
    let Some(posting) = posting(event) else { return };
    let currency = posting.amount.currency;
    let amount = posting.amount.amount.minor_units();
    let sides = [(&posting.debit, &posting.credit, -amount), (&posting.credit, &posting.debit, amount)];
    for (side, other, amount) in sides {
        changes.ledger.book(side, currency, amount);
        // apply() of accounts.rs has made a change for the account of the event, the only account of a posting.
        let LedgerAccount::Account(account_id) = side else { continue };
        let Some(account) = changes.accounts.get_mut(account_id) else { continue };
        account.balance += amount;
        changes.journal.push(JournalRow {
            account_id: account_id.clone(),
            stamp,
            leg: if amount < 0 { Leg::Debit } else { Leg::Credit },
            amount,
            moved: account.balance,
            currency,
            ledger_account: other.clone(),
            event_type: account_event.event_type(),
            about: about(account_event),
        });
    }
}

fn about(event: &AccountEvent) -> About {
    match event {
        AccountEvent::FundsDeposited(e) => About { reference: e.reference.clone(), ..About::default() },
        AccountEvent::FundsWithdrawn(e) => About { reference: e.reference.clone(), ..About::default() },
        AccountEvent::TransferSent(e) => About {
            counterpart: Some(e.to.clone()),
            transfer_id: Some(e.transfer_id.clone()),
            reference: e.reference.clone(),
            ..About::default()
        },
        AccountEvent::TransferReceived(e) => About {
            counterpart: Some(e.from.clone()),
            transfer_id: Some(e.transfer_id.clone()),
            reference: e.reference.clone(),
            ..About::default()
        },
        AccountEvent::TransferReversed(e) => About {
            counterpart: Some(e.counterparty.clone()),
            transfer_id: Some(e.transfer_id.clone()),
            reference: Some(e.reason.clone()),
            ..About::default()
        },
        AccountEvent::HoldCaptured(e) => About {
            counterpart: match &e.to {
                CaptureTo::Account(account_id) => Some(account_id.clone()),
                CaptureTo::External => None,
            },
            payment_id: e.payment_id.clone(),
            hold_id: Some(e.hold_id.clone()),
            ..About::default()
        },
        AccountEvent::CaptureReceived(e) => About {
            counterpart: Some(e.from.clone()),
            payment_id: e.payment_id.clone(),
            hold_id: Some(e.hold_id.clone()),
            ..About::default()
        },
        AccountEvent::RefundSent(e) => {
            About { counterpart: Some(e.to.clone()), payment_id: Some(e.payment_id.clone()), ..About::default() }
        }
        AccountEvent::RefundReceived(e) => {
            About { counterpart: Some(e.from.clone()), payment_id: Some(e.payment_id.clone()), ..About::default() }
        }
        AccountEvent::AccountOpened(_)
        | AccountEvent::HoldPlaced(_)
        | AccountEvent::HoldReleased(_)
        | AccountEvent::AccountFrozen(_)
        | AccountEvent::AccountUnfrozen(_)
        | AccountEvent::AccountClosed(_) => About::default(),
    }
}
