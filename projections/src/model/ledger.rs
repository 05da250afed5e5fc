//! The trial balance: what was debited and credited since the beginning, per currency and ledger account. The accounts
//! of Bursar are one line together.

use std::collections::BTreeMap;

use domain::currency::Currency;
use domain::posting::LedgerAccount;

/// Under which name the trial balance sums all accounts of Bursar.
pub(crate) const ALL_ACCOUNTS: &str = "accounts";

/// What was debited and credited, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Turnover {
    pub(crate) debits: i128,
    pub(crate) credits: i128,
}

/// Turnovers by currency and ledger account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct LedgerChanges(pub(crate) BTreeMap<(Currency, &'static str), Turnover>);

impl LedgerChanges {
    /// Books a signed amount: a credit is positive, a debit negative.
    pub(super) fn book(&mut self, account: &LedgerAccount, currency: Currency, amount: i64) {
        let line = match account {
            LedgerAccount::Account(_) => ALL_ACCOUNTS,
            LedgerAccount::ExternalCash => "external:cash",
            LedgerAccount::ClearingTransfers => "clearing:transfers",
            LedgerAccount::ClearingPayments => "clearing:payments",
        };
        let turnover = self.0.entry((currency, line)).or_default();
        if amount < 0 {
            turnover.debits += i128::from(amount.unsigned_abs());
        } else {
            turnover.credits += i128::from(amount);
        }
    }
}
