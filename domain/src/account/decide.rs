//! The rules of an account.

use super::command::{AccountCommand, CaptureTo};
use super::event::{
    AccountClosed, AccountEvent, AccountFrozen, AccountOpened, AccountUnfrozen, CaptureReceived, FundsDeposited,
    FundsWithdrawn, HoldCaptured, HoldPlaced, HoldReleased, RefundReceived, RefundSent, ReversalSide, TransferReceived,
    TransferReversed, TransferSent,
};
use super::state::{self, Account, AccountStatus, Hold};
use crate::aggregate::{Aggregate, Context};
use crate::ids::{AccountId, HoldId, PaymentId};
use crate::money::{Amount, Money};
use crate::rejection::Rejection;

impl Aggregate for Account {
    type Id = AccountId;
    type Command = AccountCommand;
    type Event = AccountEvent;
    type Events = [AccountEvent; 1];

    fn decide(
        account_id: &AccountId,
        state: Option<&Self>,
        command: &AccountCommand,
        _: &Context,
    ) -> Result<[AccountEvent; 1], Rejection> {
        if let AccountCommand::Open { owner_id, currency } = command {
            if state.is_some() {
                return Err(Rejection::AccountExists { account_id: account_id.clone() });
            }
            if ["external:", "clearing:"].iter().any(|class| account_id.as_str().starts_with(class)) {
                return Err(Rejection::ReservedAccountId { account_id: account_id.clone() });
            }
            let (owner_id, currency) = (owner_id.clone(), *currency);
            return Ok([AccountOpened { account_id: account_id.clone(), owner_id, currency }.into()]);
        }
        let account = state.ok_or_else(|| Rejection::AccountNotFound { account_id: account_id.clone() })?;
        if account.status == AccountStatus::Closed {
            return Err(Rejection::AccountClosed { account_id: account_id.clone() });
        }
        Existing { id: account_id, account }.decide(command).map(|event| [event])
    }

    fn evolve(state: &mut Option<Self>, event: &AccountEvent) {
        state::evolve(state, event);
    }

    fn settle(&mut self) {
        self.holds.settle();
    }
}

/// An account that exists and is not closed.
struct Existing<'a> {
    id: &'a AccountId,
    account: &'a Account,
}

impl Existing<'_> {
    fn decide(&self, command: &AccountCommand) -> Result<AccountEvent, Rejection> {
        let account_id = self.id.clone();
        Ok(match command.clone() {
            AccountCommand::Open { .. } => return Err(Rejection::AccountExists { account_id }),
            AccountCommand::Deposit { amount, reference } => {
                self.may_receive(amount)?;
                FundsDeposited { account_id, amount, reference }.into()
            }
            AccountCommand::Withdraw { amount, reference } => {
                self.may_spend(amount)?;
                FundsWithdrawn { account_id, amount, reference }.into()
            }
            AccountCommand::SendTransfer { transfer_id, to, amount, reference } => {
                if to == account_id {
                    return Err(Rejection::SameAccount { account_id });
                }
                self.may_spend(amount)?;
                TransferSent { account_id, transfer_id, to, amount, reference }.into()
            }
            AccountCommand::ReceiveTransfer { transfer_id, from, amount, reference } => {
                self.may_receive(amount)?;
                TransferReceived { account_id, transfer_id, from, amount, reference }.into()
            }
            AccountCommand::ReturnTransfer { transfer_id, to, amount, reason } => {
                self.may_spend(amount)?;
                let side = ReversalSide::Returned;
                TransferReversed { account_id, transfer_id, side, counterparty: to, amount, reason }.into()
            }
            AccountCommand::RestoreTransfer { transfer_id, from, amount, reason } => {
                self.may_receive(amount)?;
                let side = ReversalSide::Restored;
                TransferReversed { account_id, transfer_id, side, counterparty: from, amount, reason }.into()
            }
            AccountCommand::PlaceHold { hold_id, amount, payment_id } => {
                if self.account.holds.get(&hold_id).is_some() {
                    return Err(Rejection::HoldExists { hold_id });
                }
                self.may_spend(amount)?;
                HoldPlaced { account_id, hold_id, amount, payment_id }.into()
            }
            AccountCommand::CaptureHold { hold_id, amount, to, release_rest, payment_id } => {
                self.capture(hold_id, amount, to, release_rest, payment_id)?
            }
            AccountCommand::ReleaseHold { hold_id, payment_id } => {
                let hold = self.open_hold(&hold_id, payment_id.as_ref())?;
                let amount = self.account.money(hold.remaining);
                HoldReleased { account_id, hold_id, amount, payment_id }.into()
            }
            AccountCommand::ReceiveCapture { hold_id, from, amount, payment_id } => {
                self.may_receive(amount)?;
                CaptureReceived { account_id, hold_id, from, amount, payment_id }.into()
            }
            AccountCommand::SendRefund { payment_id, refund_id, to, amount } => {
                self.may_spend(amount)?;
                RefundSent { account_id, payment_id, refund_id, to, amount }.into()
            }
            AccountCommand::ReceiveRefund { payment_id, refund_id, from, amount } => {
                self.may_receive(amount)?;
                RefundReceived { account_id, payment_id, refund_id, from, amount }.into()
            }
            AccountCommand::Freeze { scope, reason } => AccountFrozen { account_id, scope, reason }.into(),
            AccountCommand::Unfreeze { reason } => {
                if self.account.status == AccountStatus::Open {
                    return Err(Rejection::NotFrozen { account_id });
                }
                AccountUnfrozen { account_id, reason }.into()
            }
            AccountCommand::Close { reason } => {
                self.may_close()?;
                AccountClosed { account_id, reason }.into()
            }
        })
    }

    fn capture(
        &self,
        hold_id: HoldId,
        amount: Option<Money>,
        to: CaptureTo,
        release_rest: bool,
        payment_id: Option<PaymentId>,
    ) -> Result<AccountEvent, Rejection> {
        let account_id = self.id.clone();
        let hold = self.open_hold(&hold_id, payment_id.as_ref())?;
        let amount = amount.unwrap_or(self.account.money(hold.remaining));
        self.positive_in_currency(amount)?;
        if self.account.status != AccountStatus::Open {
            return Err(Rejection::AccountFrozen { account_id });
        }
        if to == CaptureTo::Account(account_id.clone()) {
            return Err(Rejection::SameAccount { account_id });
        }
        let rest = hold.remaining.minus(amount.amount)?;
        if rest < Amount::ZERO {
            let remaining = self.account.money(hold.remaining);
            return Err(Rejection::CaptureExceedsHold { hold_id, remaining, requested: amount });
        }
        let (released, remaining) = if release_rest { (rest, Amount::ZERO) } else { (Amount::ZERO, rest) };
        Ok(HoldCaptured { account_id, hold_id, amount, to, released, remaining, payment_id }.into())
    }

    fn open_hold(&self, hold_id: &HoldId, by_payment: Option<&PaymentId>) -> Result<&Hold, Rejection> {
        let hold = self
            .account
            .holds
            .get(hold_id)
            .ok_or_else(|| Rejection::HoldNotFound { account_id: self.id.clone(), hold_id: hold_id.clone() })?;
        if let (Some(payment_id), true) = (&hold.payment_id, hold.payment_id.as_ref() != by_payment) {
            return Err(Rejection::HoldBelongsToPayment { hold_id: hold_id.clone(), payment_id: payment_id.clone() });
        }
        if hold.remaining == Amount::ZERO {
            return Err(Rejection::HoldClosed { hold_id: hold_id.clone() });
        }
        Ok(hold)
    }

    fn positive_in_currency(&self, amount: Money) -> Result<(), Rejection> {
        if amount.currency != self.account.currency {
            return Err(Rejection::CurrencyMismatch { expected: self.account.currency, requested: amount.currency });
        }
        if amount.amount <= Amount::ZERO {
            return Err(Rejection::AmountNotPositive { amount });
        }
        Ok(())
    }

    fn may_receive(&self, amount: Money) -> Result<(), Rejection> {
        self.positive_in_currency(amount)?;
        if self.account.status == AccountStatus::Frozen {
            return Err(Rejection::AccountFrozen { account_id: self.id.clone() });
        }
        self.account.balance.plus(amount.amount)?;
        Ok(())
    }

    fn may_spend(&self, amount: Money) -> Result<(), Rejection> {
        self.positive_in_currency(amount)?;
        if self.account.status != AccountStatus::Open {
            return Err(Rejection::AccountFrozen { account_id: self.id.clone() });
        }
        let available = self.account.available();
        if available < amount.amount {
            let (account_id, available) = (self.id.clone(), self.account.money(available));
            return Err(Rejection::InsufficientFunds { account_id, available, requested: amount });
        }
        Ok(())
    }

    fn may_close(&self) -> Result<(), Rejection> {
        let account_id = self.id.clone();
        if self.account.open_holds > 0 {
            return Err(Rejection::HoldsOpen { account_id, open: self.account.open_holds });
        }
        if self.account.balance != Amount::ZERO {
            let balance = self.account.money(self.account.balance);
            return Err(Rejection::BalanceNotZero { account_id, balance });
        }
        if self.account.status != AccountStatus::Open {
            return Err(Rejection::AccountFrozen { account_id });
        }
        Ok(())
    }
}
