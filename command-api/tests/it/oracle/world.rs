//! What the states of all aggregates come to.

#[path = "../../../../domain/tests/it/kept.rs"]
mod kept;

use std::collections::HashMap;

use domain::posting::LedgerAccount;

pub(super) use self::kept::Kept;

/// Every balance that is not zero, in minor units: of the accounts, and of the world outside.
pub(super) fn balances(kept: &Kept) -> HashMap<LedgerAccount, i64> {
    let accounts = kept.accounts.iter().filter_map(|(id, account)| {
        Some((LedgerAccount::Account(id.clone()), account.state.as_ref()?.balance.minor_units()))
    });
    // Everything here is in one currency.
    let outside = (LedgerAccount::ExternalCash, kept.external_cash.values().sum());
    accounts.chain([outside]).filter(|(_, balance)| *balance != 0).collect()
}
