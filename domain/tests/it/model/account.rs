//! Accounts and transfers, plainly.

use domain::account::command::FreezeScope;
use domain::account::{AccountCommand, CaptureTo};

use super::{Account, Answer, MAX, Model, Sum, Transfer, refuse_if, sum};

impl Account {
    pub(crate) fn held(&self) -> i128 {
        self.holds.values().map(|(left, _)| left).sum()
    }

    pub(crate) fn available(&self) -> i128 {
        self.balance - self.held()
    }

    fn check_amount(&self, amount: &Sum) -> Answer {
        refuse_if(amount.1 != self.currency, "currency_mismatch")?;
        refuse_if(amount.0 <= 0, "amount_not_positive")
    }

    fn may_spend(&self, amount: &Sum) -> Answer {
        self.check_amount(amount)?;
        refuse_if(self.status != "open", "account_frozen")?;
        refuse_if(self.available() < amount.0, "insufficient_funds")
    }
}

impl Model {
    pub(super) fn ask_account(&mut self, id: &str, command: &AccountCommand) -> Answer {
        match command {
            AccountCommand::Open { currency, .. } => {
                refuse_if(self.accounts.contains_key(id), "account_exists")?;
                refuse_if(id.starts_with("external:") || id.starts_with("clearing:"), "reserved_account_id")?;
                let (currency, holds) = (currency.code().to_owned(), [].into());
                self.accounts.insert(id.to_owned(), Account { currency, status: "open", balance: 0, holds });
            }
            AccountCommand::Deposit { amount, .. } => {
                self.receive(id, &sum(*amount))?;
                *self.cash.entry(sum(*amount).1).or_default() -= sum(*amount).0;
            }
            AccountCommand::Withdraw { amount, .. } => {
                self.spend(id, &sum(*amount))?;
                *self.cash.entry(sum(*amount).1).or_default() += sum(*amount).0;
            }
            AccountCommand::SendTransfer { transfer_id, to, amount, .. } => {
                let (name, to, amount) = (transfer_id.as_str(), to.as_str(), sum(*amount));
                refuse_if(self.transfers.contains_key(name), "transfer_exists")?;
                self.usable(id)?;
                refuse_if(id == to, "same_account")?;
                self.spend(id, &amount)?;
                self.receive(to, &amount)?;
                let transfer = Transfer { from: id.to_owned(), to: to.to_owned(), amount, reversed: false };
                self.transfers.insert(name.to_owned(), transfer);
            }
            AccountCommand::PlaceHold { hold_id, amount, payment_id } => {
                assert_eq!(*payment_id, None, "only a payment places such a hold");
                self.hold(id, hold_id.as_str(), &sum(*amount), None)?;
            }
            AccountCommand::CaptureHold { hold_id, amount, to, release_rest, .. } => {
                let amount = amount.map(sum);
                let to = match to {
                    CaptureTo::Account(to) => Some(to.as_str()),
                    CaptureTo::External => None,
                };
                let taken = self.take_hold(id, hold_id.as_str(), amount, to, None)?;
                match to {
                    Some(to) => self.receive(to, &taken)?,
                    None => *self.cash.entry(taken.1).or_default() += taken.0,
                }
                if *release_rest {
                    self.drop_hold(id, hold_id.as_str());
                }
            }
            AccountCommand::ReleaseHold { hold_id, .. } => {
                self.open_hold(id, hold_id.as_str(), None)?;
                self.drop_hold(id, hold_id.as_str());
            }
            AccountCommand::Freeze { scope, .. } => {
                self.usable(id)?.status = match scope {
                    FreezeScope::Debits => "frozen_debits",
                    FreezeScope::All => "frozen",
                };
            }
            AccountCommand::Unfreeze { .. } => {
                let account = self.usable(id)?;
                refuse_if(account.status == "open", "not_frozen")?;
                account.status = "open";
            }
            AccountCommand::Close { .. } => {
                let account = self.usable(id)?;
                refuse_if(account.held() > 0, "holds_open")?;
                refuse_if(account.balance != 0, "balance_not_zero")?;
                refuse_if(account.status != "open", "account_frozen")?;
                account.status = "closed";
            }
            follow_up => panic!("never asked from outside: {follow_up:?}"),
        }
        Ok(())
    }

    pub(super) fn reverse(&mut self, name: &str) -> Answer {
        let transfer = self.transfers.get_mut(name).ok_or("transfer_not_found")?;
        refuse_if(transfer.reversed, "already_reversed")?;
        transfer.reversed = true;
        let Transfer { from, to, amount, .. } = transfer.clone();
        self.spend(&to, &amount)?;
        self.receive(&from, &amount)
    }

    /// An account that was opened and not closed.
    fn usable(&mut self, id: &str) -> Answer<&mut Account> {
        let account = self.accounts.get_mut(id).ok_or("account_not_found")?;
        refuse_if(account.status == "closed", "account_closed")?;
        Ok(account)
    }

    pub(super) fn spend(&mut self, id: &str, amount: &Sum) -> Answer {
        let account = self.usable(id)?;
        account.may_spend(amount)?;
        account.balance -= amount.0;
        Ok(())
    }

    pub(super) fn receive(&mut self, id: &str, amount: &Sum) -> Answer {
        let account = self.usable(id)?;
        account.check_amount(amount)?;
        refuse_if(account.status == "frozen", "account_frozen")?;
        refuse_if(account.balance + amount.0 > MAX, "amount_overflow")?;
        account.balance += amount.0;
        Ok(())
    }

    pub(super) fn hold(&mut self, id: &str, name: &str, amount: &Sum, payment: Option<&str>) -> Answer {
        let account = self.usable(id)?;
        refuse_if(account.holds.contains_key(name), "hold_exists")?;
        account.may_spend(amount)?;
        account.holds.insert(name.to_owned(), (amount.0, payment.map(str::to_owned)));
        Ok(())
    }

    fn open_hold(&mut self, id: &str, name: &str, by: Option<&str>) -> Answer<&mut Account> {
        let account = self.usable(id)?;
        let (left, payment) = account.holds.get(name).ok_or("hold_not_found")?;
        refuse_if(payment.is_some() && payment.as_deref() != by, "hold_belongs_to_payment")?;
        refuse_if(*left == 0, "hold_closed")?;
        Ok(account)
    }

    /// Takes held money off an account; all that is left where no amount is given.
    pub(super) fn take_hold(
        &mut self,
        id: &str,
        name: &str,
        amount: Option<Sum>,
        to: Option<&str>,
        by: Option<&str>,
    ) -> Answer<Sum> {
        let account = self.open_hold(id, name, by)?;
        let left = account.holds[name].0;
        let amount = amount.unwrap_or((left, account.currency.clone()));
        account.check_amount(&amount)?;
        refuse_if(account.status != "open", "account_frozen")?;
        refuse_if(to == Some(id), "same_account")?;
        refuse_if(amount.0 > left, "capture_exceeds_hold")?;
        account.balance -= amount.0;
        account.holds.entry(name.to_owned()).and_modify(|(left, _)| *left -= amount.0);
        Ok(amount)
    }

    pub(super) fn drop_hold(&mut self, id: &str, name: &str) {
        let account = self.accounts.get_mut(id).unwrap();
        account.holds.entry(name.to_owned()).and_modify(|(left, _)| *left = 0);
    }
}
