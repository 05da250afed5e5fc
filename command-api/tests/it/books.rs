//! Double entry over events: what every ledger account comes to.

use std::collections::HashMap;

use domain::event::Event;
use domain::posting::{LedgerAccount, posting};

/// Balances, in minor units. Everything in these tests is in one currency.
#[derive(Debug, Default)]
pub(crate) struct Books(HashMap<LedgerAccount, i64>);

impl Books {
    pub(crate) fn book(&mut self, event: &Event) {
        let Some(posting) = posting(event) else { return };
        let amount = posting.amount.amount.minor_units();
        *self.0.entry(posting.debit).or_default() -= amount;
        *self.0.entry(posting.credit).or_default() += amount;
    }

    /// What is under way between accounts; nothing must be after a whole transaction.
    pub(crate) fn in_clearing(&self) -> i64 {
        let clearing = [LedgerAccount::ClearingTransfers, LedgerAccount::ClearingPayments];
        clearing.iter().filter_map(|account| self.0.get(account)).map(|balance| balance.abs()).sum()
    }

    pub(crate) fn trial_balance(&self) -> i64 {
        self.0.values().sum()
    }

    /// Every balance that is not zero.
    pub(crate) fn balances(self) -> HashMap<LedgerAccount, i64> {
        self.0.into_iter().filter(|(_, balance)| *balance != 0).collect()
    }
}
