//! An account's state and how events change it.

use serde::{Deserialize, Serialize};

use super::command::FreezeScope;
use super::event::{AccountEvent, ReversalSide};
use crate::currency::Currency;
use crate::fork_map::ForkMap;
use crate::ids::{HoldId, OwnerId, PaymentId};
use crate::money::{Amount, Money};

/// Whether an account can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountStatus {
    /// Money moves.
    Open,
    /// Money comes in only.
    FrozenDebits,
    /// Nothing moves.
    Frozen,
    /// The account has ended.
    Closed,
}

/// Money set aside on an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// What it still holds, in minor units of the account's currency; zero once it is closed.
    pub remaining: Amount,
    /// The payment it secures.
    pub payment_id: Option<PaymentId>,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Whose it is.
    pub owner_id: OwnerId,
    /// What it holds.
    pub currency: Currency,
    /// Whether it can be used.
    pub status: AccountStatus,
    /// The ledger balance, in minor units.
    pub balance: Amount,
    /// The sum of what all holds still hold, in minor units.
    pub held: Amount,
    /// How many holds still hold something.
    pub open_holds: u64,
    /// Every hold there ever was, so that a name is never used twice.
    pub holds: ForkMap<HoldId, Hold>,
}

impl Account {
    /// What can be spent: the balance less what is held.
    #[must_use]
    pub fn available(&self) -> Amount {
        self.balance.minus(self.held).unwrap_or(Amount::ZERO)
    }

    /// An amount in the account's currency.
    #[must_use]
    pub fn money(&self, amount: Amount) -> Money {
        Money::new(amount, self.currency)
    }

    fn credit(&mut self, amount: Amount) {
        self.balance = self.balance.plus(amount).unwrap_or(self.balance);
    }

    fn debit(&mut self, amount: Amount) {
        self.balance = self.balance.minus(amount).unwrap_or(self.balance);
    }

    /// Takes so much out of a hold and counts the hold as closed once nothing remains.
    fn unhold(&mut self, hold_id: &HoldId, amount: Amount) {
        let Some(hold) = self.holds.get(hold_id) else { return };
        let was_open = hold.remaining > Amount::ZERO;
        let remaining = hold.remaining.minus(amount).unwrap_or(Amount::ZERO);
        let payment_id = hold.payment_id.clone();
        self.holds.insert(hold_id.clone(), Hold { remaining, payment_id });
        self.held = self.held.minus(amount).unwrap_or(Amount::ZERO);
        if was_open && remaining == Amount::ZERO {
            self.open_holds = self.open_holds.saturating_sub(1);
        }
    }
}

pub(super) fn evolve(state: &mut Option<Account>, event: &AccountEvent) {
    if let (AccountEvent::AccountOpened(e), None) = (event, &state) {
        *state = Some(Account {
            owner_id: e.owner_id.clone(),
            currency: e.currency,
            status: AccountStatus::Open,
            balance: Amount::ZERO,
            held: Amount::ZERO,
            open_holds: 0,
            holds: ForkMap::default(),
        });
        return;
    }
    let Some(account) = state else { return };
    match event {
        AccountEvent::AccountOpened(_) => {}
        AccountEvent::FundsDeposited(e) => account.credit(e.amount.amount),
        AccountEvent::FundsWithdrawn(e) => account.debit(e.amount.amount),
        AccountEvent::TransferSent(e) => account.debit(e.amount.amount),
        AccountEvent::TransferReceived(e) => account.credit(e.amount.amount),
        AccountEvent::TransferReversed(e) => match e.side {
            ReversalSide::Returned => account.debit(e.amount.amount),
            ReversalSide::Restored => account.credit(e.amount.amount),
        },
        AccountEvent::HoldPlaced(e) => {
            let hold = Hold { remaining: e.amount.amount, payment_id: e.payment_id.clone() };
            account.holds.insert(e.hold_id.clone(), hold);
            account.held = account.held.plus(e.amount.amount).unwrap_or(account.held);
            account.open_holds += 1;
        }
        AccountEvent::HoldCaptured(e) => {
            account.debit(e.amount.amount);
            account.unhold(&e.hold_id, e.amount.amount.plus(e.released).unwrap_or(e.amount.amount));
        }
        AccountEvent::HoldReleased(e) => account.unhold(&e.hold_id, e.amount.amount),
        AccountEvent::CaptureReceived(e) => account.credit(e.amount.amount),
        AccountEvent::RefundSent(e) => account.debit(e.amount.amount),
        AccountEvent::RefundReceived(e) => account.credit(e.amount.amount),
        AccountEvent::AccountFrozen(e) => {
            account.status = match e.scope {
                FreezeScope::Debits => AccountStatus::FrozenDebits,
                FreezeScope::All => AccountStatus::Frozen,
            };
        }
        AccountEvent::AccountUnfrozen(_) => account.status = AccountStatus::Open,
        AccountEvent::AccountClosed(_) => account.status = AccountStatus::Closed,
    }
}
