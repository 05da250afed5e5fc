//! The books of the whole log: what accounts, the outside and the clearing accounts hold, in every currency.

use std::collections::BTreeMap;
use std::fmt;

use domain::currency::Currency;
use domain::event::Event;
use domain::money::{Amount, Money};
use domain::posting::{LedgerAccount, posting};
use serde::Serialize;

/// Sums of all postings. They are wider than an amount, so that they cannot overflow.
#[derive(Debug, Default)]
pub(super) struct Books {
    by_currency: BTreeMap<Currency, Sums>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    accounts: i128,
    external_cash: i128,
    clearing_transfers: i128,
    clearing_payments: i128,
}

/// The balance of one currency, in minor units; the classes sum to zero.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Trial {
    /// The currency.
    pub currency: Currency,
    /// What all accounts hold together.
    pub accounts: i128,
    /// What came from outside, as a negative number.
    pub external_cash: i128,
    /// What is between accounts.
    pub clearing: i128,
    /// The sum of all these.
    pub sum: i128,
}

impl Books {
    /// Books what an event moves.
    pub(super) fn book(&mut self, event: &Event) {
        let Some(posting) = posting(event) else { return };
        let sums = self.by_currency.entry(posting.amount.currency).or_default();
        let amount = i128::from(posting.amount.amount.minor_units());
        *sums.of(&posting.debit) -= amount;
        *sums.of(&posting.credit) += amount;
    }

    /// Between two commands nothing is in clearing, and everything sums to zero.
    pub(super) fn check(&self) -> Result<(), String> {
        for (currency, sums) in &self.by_currency {
            let clearing = [
                (LedgerAccount::ClearingTransfers, sums.clearing_transfers),
                (LedgerAccount::ClearingPayments, sums.clearing_payments),
            ];
            if let Some((account, left)) = clearing.into_iter().find(|(_, left)| *left != 0) {
                return Err(format!("the command left {left} minor units of {currency} in {account}"));
            }
            if sums.sum() != 0 {
                return Err(format!("the trial balance of {currency} is {} minor units instead of zero", sums.sum()));
            }
        }
        Ok(())
    }

    /// The trial balance of every currency.
    pub(super) fn trials(&self) -> Vec<Trial> {
        let trial = |(currency, sums): (&Currency, &Sums)| Trial {
            currency: *currency,
            accounts: sums.accounts,
            external_cash: sums.external_cash,
            clearing: sums.clearing_transfers + sums.clearing_payments,
            sum: sums.sum(),
        };
        self.by_currency.iter().map(trial).collect()
    }
}

impl Sums {
    fn of(&mut self, account: &LedgerAccount) -> &mut i128 {
        match account {
            LedgerAccount::Account(_) => &mut self.accounts,
            LedgerAccount::ExternalCash => &mut self.external_cash,
            LedgerAccount::ClearingTransfers => &mut self.clearing_transfers,
            LedgerAccount::ClearingPayments => &mut self.clearing_payments,
        }
    }

    fn sum(&self) -> i128 {
        self.accounts + self.external_cash + self.clearing_transfers + self.clearing_payments
    }
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |minor_units: i128| {
            let amount = i64::try_from(minor_units).ok().and_then(|minor_units| Amount::new(minor_units).ok());
            let money = amount.map(|amount| Money::new(amount, self.currency).to_string());
            money.unwrap_or_else(|| format!("{minor_units} minor units"))
        };
        let (accounts, external) = (shown(self.accounts), shown(self.external_cash));
        write!(f, "accounts {accounts}, external:cash {external}, sum {}", shown(self.sum))
    }
}
