//! The states of all aggregates, as far as commands have been decided: ahead of the disk, owned by the sequencer.
//! Rebuilt from the log at start; nothing here is written anywhere.

use std::collections::HashMap;
use std::hash::Hash;

use domain::account::Account;
use domain::aggregate::{Aggregate, Versioned, adopt};
use domain::cascade::{Draft, States};
use domain::currency::Currency;
use domain::event::Event;
use domain::ids::{AccountId, OrderId, PaymentId, ProductId, TransferId, Version};
use domain::order::Order;
use domain::payment::Payment;
use domain::posting::{LedgerAccount, posting};
use domain::product::Product;
use domain::transfer::{self, Transfer};

type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// All aggregates in memory.
#[derive(Debug, Default)]
pub(super) struct Books {
    accounts: Map<AccountId, Versioned<Account>>,
    products: Map<ProductId, Versioned<Product>>,
    orders: Map<OrderId, Versioned<Order>>,
    payments: Map<PaymentId, Versioned<Payment>>,
    transfers: Map<TransferId, Transfer>,
    external_cash: HashMap<Currency, i64>,
    rejections: u64,
}

impl Books {
    /// Takes over what a cascade has changed, and leaves the draft empty.
    pub(super) fn adopt(&mut self, draft: &mut Draft) {
        adopt(&mut self.accounts, &mut draft.accounts);
        adopt(&mut self.products, &mut draft.products);
        adopt(&mut self.orders, &mut draft.orders);
        adopt(&mut self.payments, &mut draft.payments);
        self.transfers.extend(draft.transfers.drain());
        self.external_cash.extend(draft.external_cash.drain());
        draft.clear();
    }

    /// The version that the next refusal gets in its stream.
    pub(super) fn next_rejection(&self) -> Version {
        Version(self.rejections)
    }

    /// Counts a refusal.
    pub(super) fn count_rejection(&mut self) {
        self.rejections += 1;
    }

    /// Applies an event that has happened, and gives the version it has in its stream.
    pub(super) fn evolve(&mut self, event: &Event) -> Version {
        if let Some(posting) = posting(event) {
            let amount = posting.amount.amount.minor_units();
            for (account, signed) in [(&posting.debit, -amount), (&posting.credit, amount)] {
                if *account == LedgerAccount::ExternalCash {
                    *self.external_cash.entry(posting.amount.currency).or_default() += signed;
                }
            }
        }
        match event {
            Event::Account(event) => {
                if let Some(transfer_id) = transfer::concerned(event) {
                    let changed = transfer::evolve(self.transfers.get(transfer_id), event);
                    self.transfers.extend(changed);
                }
                evolve(&mut self.accounts, event.account_id(), event)
            }
            Event::Product(event) => evolve(&mut self.products, event.product_id(), event),
            Event::Order(event) => evolve(&mut self.orders, event.order_id(), event),
            Event::Payment(event) => evolve(&mut self.payments, event.payment_id(), event),
            Event::Rejected(_) => {
                let version = self.next_rejection();
                self.count_rejection();
                version
            }
        }
    }
}

fn evolve<A: Aggregate>(states: &mut Map<A::Id, Versioned<A>>, id: &A::Id, event: &A::Event) -> Version
where
    A::Id: Eq + Hash + Clone,
{
    match states.get_mut(id) {
        Some(known) => known.evolve(event),
        None => states.entry(id.clone()).or_default().evolve(event),
    }
}

impl States for Books {
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
