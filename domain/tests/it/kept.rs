//! The states of all aggregates in plain maps: what the engine keeps, without the engine.

use std::collections::HashMap;
use std::hash::Hash;

use domain::account::Account;
use domain::aggregate::{Aggregate, Versioned};
use domain::cascade::{Draft, States};
use domain::currency::Currency;
use domain::few::Few;
use domain::ids::{AccountId, OrderId, PaymentId, ProductId, TransferId};
use domain::order::Order;
use domain::payment::Payment;
use domain::product::Product;
use domain::transfer::Transfer;

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Kept {
    pub(crate) accounts: HashMap<AccountId, Versioned<Account>>,
    pub(crate) products: HashMap<ProductId, Versioned<Product>>,
    pub(crate) orders: HashMap<OrderId, Versioned<Order>>,
    pub(crate) payments: HashMap<PaymentId, Versioned<Payment>>,
    pub(crate) transfers: HashMap<TransferId, Transfer>,
    pub(crate) external_cash: HashMap<Currency, i64>,
}

impl Kept {
    pub(crate) fn adopt(&mut self, mut draft: Draft) {
        adopt(&mut self.accounts, &mut draft.accounts);
        adopt(&mut self.products, &mut draft.products);
        adopt(&mut self.orders, &mut draft.orders);
        adopt(&mut self.payments, &mut draft.payments);
        self.transfers.extend(draft.transfers.drain());
        self.external_cash.extend(draft.external_cash.drain());
    }
}

fn adopt<K: Eq + Hash + Clone, A: Aggregate>(known: &mut HashMap<K, Versioned<A>>, changed: &mut Few<K, Versioned<A>>) {
    for (id, mut new) in changed.drain() {
        // Only with the original gone is the copy alone with what they shared, and can settle.
        known.remove(&id);
        new.state.iter_mut().for_each(A::settle);
        known.insert(id, new);
    }
}

impl States for Kept {
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
