//! The states of all aggregates in plain maps.

use std::collections::HashMap;

use domain::account::Account;
use domain::aggregate::{Versioned, adopt};
use domain::cascade::{Draft, States};
use domain::currency::Currency;
use domain::ids::{AccountId, OrderId, PaymentId, ProductId, TransferId};
use domain::order::Order;
use domain::payment::Payment;
use domain::posting::LedgerAccount;
use domain::product::Product;
use domain::transfer::Transfer;

#[derive(Debug, Clone, Default)]
pub(super) struct World {
    accounts: HashMap<AccountId, Versioned<Account>>,
    products: HashMap<ProductId, Versioned<Product>>,
    orders: HashMap<OrderId, Versioned<Order>>,
    payments: HashMap<PaymentId, Versioned<Payment>>,
    transfers: HashMap<TransferId, Transfer>,
    external_cash: HashMap<Currency, i64>,
}

impl World {
    pub(super) fn adopt(&mut self, mut draft: Draft) {
        adopt(&mut self.accounts, &mut draft.accounts);
        adopt(&mut self.products, &mut draft.products);
        adopt(&mut self.orders, &mut draft.orders);
        adopt(&mut self.payments, &mut draft.payments);
        self.transfers.extend(draft.transfers);
        self.external_cash.extend(draft.external_cash);
    }

    pub(super) fn balances(&self) -> HashMap<LedgerAccount, i64> {
        let accounts = self.accounts.iter().filter_map(|(id, account)| {
            Some((LedgerAccount::Account(id.clone()), account.state.as_ref()?.balance.minor_units()))
        });
        // Everything here is in one currency.
        let outside = (LedgerAccount::ExternalCash, self.external_cash.values().sum());
        accounts.chain([outside]).filter(|(_, balance)| *balance != 0).collect()
    }
}

impl States for World {
    fn account(&self, id: &AccountId) -> Option<&Versioned<Account>> {
        self.accounts.get(id)
    }

    fn product(&self, id: &ProductId) -> Option<&Versioned<Product>> {
        self.products.get(id)
    }

    fn order(&self, id: &OrderId) -> Option<&Versioned<Order>> {
        self.orders.get(id)
    }

    fn payment(&self, id: &PaymentId) -> Option<&Versioned<Payment>> {
        self.payments.get(id)
    }

    fn transfer(&self, id: &TransferId) -> Option<&Transfer> {
        self.transfers.get(id)
    }

    fn external_cash(&self, currency: Currency) -> i64 {
        self.external_cash.get(&currency).copied().unwrap_or(0)
    }
}
